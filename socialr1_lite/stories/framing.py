"""Meaning laid over a simulated story: who wishes what, who says what; so that a belief decides a feeling or an aim.

A `Tale` is a plot with *frame* sentences around it. Frames change nobody's beliefs; they say what the beliefs mean to
somebody. A frame always names both sides ("joy if in the box, anger if in the tin"; "Anna hides it, Ben does not")
and its words are dealt after the story is drawn, so the same bag of words comes with every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Draft, Family, Request, Rng
from socialr1_lite.stories.plots import Plot, Step, decisive, edits, recast
from socialr1_lite.stories.scenes import swaps
from socialr1_lite.stories.wording import LEXICON, THEIR, THEM, say
from socialr1_lite.stories.world import MODIFIERS, Event, World, where

ATTEMPTS = 12  # choices of people that are tried in one story
SHORTEST = 11  # sentences without the frames
SENSE_FIRST = 0.4  # share of families whose twin changes the frame rather than the events, where both can

Sense = Mapping[str, str]
Answer = Callable[[World, Sense], str | None]
Reading = tuple[str, str | None]  # the name of a way to read the story, and the option it leads to


@dataclass(frozen=True, slots=True)
class Tale:
    """A plot, the words of its frames, and the frames' phrases: told before anything happens, and at the end."""

    plot: Plot
    sense: Sense
    opening: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a tale, and how its answer, its claims and its shortcuts follow from world and sense.

    readings: named ways to read the story, most telling first; each wrong option takes the first name that leads to
    it. turns, retold: named small changes of sense or plot that may flip the answer, besides `edits`. idle, scenery:
    how many opening phrases, and how many of the last closing ones, decide nothing. stated: how many claims an
    interpretation must state. spoken: how an option words an answer ("Anna will {}."). every: one story for each option
    rather than two stories. marked: names of readings that an audit tries as shortcuts.
    """

    tale: Tale
    question: str
    options: tuple[str, ...]
    answer: Answer
    claims: Callable[[World, Sense], Sequence[Claim]]
    goal: Callable[[World, Sense], Claim]
    readings: Callable[[World, Sense], Sequence[Reading]]
    turns: Sequence[tuple[str, Sense]] = ()
    retold: Callable[[Plot], Sequence[tuple[str, Plot]]] = lambda plot: ()
    stated: int = 2
    things: tuple[str, ...] = ()
    idle: int = 0
    scenery: int = 0
    spoken: str = "{}"
    every: bool = False
    marked: frozenset[str] = field(default=frozenset({"reality"}))


def persons(split: str, **roles: str) -> dict[str, str]:
    """Words for people in phrases: {a} the name, {she_a}, {her_a} (object) and {hers_a} (possessive)."""
    words: dict[str, str] = {}
    for role, name in roles.items():
        pronoun = LEXICON[split].people[name]
        words |= {role: name, f"she_{role}": pronoun, f"her_{role}": THEM[pronoun], f"hers_{role}": THEIR[pronoun]}
    return words


def turned(sense: Sense, one: str, other: str) -> dict[str, str]:
    """The same words with two of them in each other's place."""
    return {**sense, one: sense[other], other: sense[one]}


def family(request: Request, asked: Asked) -> Family | None:
    """The question with a twin: the first small change, of events or of sense, that leads to another option.

    With `asked.every`, one story for each option, each a small change of one before it; None if they are not found.
    """
    tale = replace(asked.tale, plot=_padded(request.rng, asked.tale.plot))
    truth = asked.answer(tale.plot.world, tale.sense)
    if truth is None or truth not in asked.options:
        return None
    found, names = {truth: tale}, []
    while len(found) < (len(asked.options) if asked.every else 2):
        fresh = next((change for one in found.values() for change in _leading_on(request, asked, one, found)), None)
        if fresh is None:
            return None
        names.append(fresh[0])
        found[fresh[1]] = fresh[2]
    drafts = tuple(_draft(asked, one) for one in found.values())
    options = tuple(asked.spoken.format(option) for option in asked.options)
    return Family(drafts, options, tuple(tale.plot.cast), _things(asked), names[0])


def _leading_on(
    request: Request, asked: Asked, tale: Tale, found: Mapping[str, Tale]
) -> Iterator[tuple[str, str, Tale]]:
    """Name, answer and tale of each small change that leads to an option not found yet."""
    for name, other in _changes(request, asked, tale):
        changed = asked.answer(other.plot.world, other.sense)
        if changed in asked.options and changed not in found:
            yield name, changed, other


def _padded(rng: Rng, plot: Plot) -> Plot:
    """A very short story with a few sentences that decide nothing, or there would be nothing to choose cues from."""
    steps, used = list(plot.steps), {step.phrase for step in plot.steps}
    while len(steps) < SHORTEST:
        text, phrase = say(rng, "note", used, a=rng.pick(plot.cast))
        used.add(phrase)
        steps.append(Step(Event("note"), text, phrase))
    return plot.edited(steps)


def _things(asked: Asked) -> tuple[str, ...]:
    plot = asked.tale.plot
    return tuple(dict.fromkeys((plot.thing, *asked.things, *plot.others, *plot.rooms)))


def _changes(request: Request, asked: Asked, tale: Tale) -> list[tuple[str, Tale]]:
    """Small changes of the tale in random order, those of the sense first in a share of the families."""
    rng = request.rng
    told = tale.plot.sentences
    events = [
        (name, replace(tale, plot=tale.plot.edited(steps)))
        for name, steps in edits(rng, tale.plot, LEXICON[request.split])
    ]
    events = [(name, other) for name, other in events if other.plot.sentences != told]
    events += [*unsaid(tale), *((name, replace(tale, plot=plot)) for name, plot in asked.retold(tale.plot))]
    rng.shuffle(events)
    senses = [(name, replace(tale, sense=sense)) for name, sense in asked.turns if sense != tale.sense]
    rng.shuffle(senses)
    return senses + events if rng.chance(SENSE_FIRST) else events + senses


def recasts(request: Request, plot: Plot, one: str) -> list[tuple[str, Plot]]:
    """The plots in which this person and another one have changed parts."""
    others = [recast(plot, LEXICON[request.split], one, name) for name in plot.cast if name != one]
    return [("people exchanged", other) for other in others if other is not None]


def unsaid(tale: Tale) -> list[tuple[str, Tale]]:
    """The tale without one of its private messages (and whoever overheard it)."""
    steps, found = tale.plot.steps, []
    for i, step in enumerate(steps):
        if step.event.kind == "tell":
            end = i + 1
            while end < len(steps) and steps[end].event.kind in MODIFIERS:
                end += 1
            found.append(("never told", replace(tale, plot=tale.plot.edited(steps[:i] + steps[end:]))))
    return found


def _draft(asked: Asked, tale: Tale) -> Draft:
    plot, sense = tale.plot, tale.sense
    gold = asked.answer(plot.world, sense)
    assert gold is not None  # `family` takes only tales with an answer
    opening = [_capital(phrase.format_map(sense)) for phrase in tale.opening]
    closing = [_capital(phrase.format_map(sense)) for phrase in tale.closing]
    asked_at = next(i for i, s in enumerate(plot.steps) if s.event.kind == "put" and s.event.thing == plot.thing)
    begun = max(i for i in plot.openings if i < asked_at)
    at = next(i for i, step in enumerate(plot.steps) if i > begun and step.event.kind == "put")
    told = list(plot.sentences)

    def moved(i: int) -> int:
        return i if i < at else i + len(opening)

    end = len(told) + len(opening)
    cues = decisive(plot, lambda world: asked.answer(world, sense)) or last_event(plot)
    frames = [*range(at + asked.idle, at + len(opening)), *range(end, end + len(closing) - asked.scenery)]
    readings = asked.readings(plot.world, sense)
    shortcuts: dict[str, str] = {}
    for name, option in readings:
        if option is not None and option != gold:
            shortcuts.setdefault(option, name)
    later = (end,) if len(plot.openings) > 1 and closing else ()
    return Draft(
        sentences=(*told[:at], *opening, *told[at:], *closing),
        question=asked.question,
        gold=asked.spoken.format(gold),
        cues=tuple(sorted({*(moved(i) for i in cues), *frames})),
        claims=tuple(asked.claims(plot.world, sense)),
        goal=asked.goal(plot.world, sense),
        shortcuts={asked.spoken.format(option): name for option, name in shortcuts.items()},
        marks={name: asked.spoken.format(option) for name, option in readings if name in asked.marked and option},
        paragraphs=(*(moved(i) for i in plot.openings), *later),
        stated=asked.stated,
    )


def last_event(plot: Plot) -> tuple[int, ...]:
    """The last step that does something to the thing: the cue where several steps each suffice."""
    steps = [i for i, s in enumerate(plot.steps) if plot.thing in (s.event.thing, s.event.other)]
    return (steps[-1],) if steps else ()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def place_of(world: World, thing: str, *chain: str) -> str | None:
    """Where the chain thinks the thing is; () is where it is."""
    return world.believes(chain, where(thing))


def belief_claim(plot: Plot, world: World, chain: Sequence[str], thing: str = "") -> list[Claim]:
    """What the chain believes of the thing's place, if anything."""
    thing = thing or plot.thing
    held = place_of(world, thing, *chain)
    if held is None:
        return []
    return [
        Claim(tuple(chain), f"the {thing}", "is in", f"the {held}", tuple(f"the {p}" for p in plot.places if p != held))
    ]


def state_claim(who: str, relation: str, value: str, options: Sequence[str], holders: Sequence[str] = ()) -> Claim:
    """That somebody feels, wants or means something, and none of the other options."""
    return Claim(tuple(holders), who, relation, value, tuple(option for option in options if option != value))


def wants(who: str, what: str, *rivals: str) -> Claim:
    """A goal."""
    return Claim((), who, "wants", what, rivals)


def bystanders(plot: Plot) -> list[str]:
    """Those who never touch the thing: a wish about its place would sit ill with anybody who does."""
    handled = " ".join(
        step.text for step in plot.steps if step.event.kind in ("put", "move") and step.event.thing == plot.thing
    )
    return [name for name in plot.cast if name not in handled]


def chain_for(
    rng: Rng, plot: Plot, order: int, heads: Sequence[str], fits: Callable[[tuple[str, ...]], bool]
) -> tuple[str, ...] | None:
    """Different people, the last of them (whose state is asked about) of the heads, who fit; None if none is found."""
    for _ in range(ATTEMPTS if heads else 0):
        last = rng.pick(heads)
        before = rng.sample([name for name in plot.cast if name != last], order - 1)
        if fits((*before, last)):
            return (*before, last)
    return None


def thinking(chain: Sequence[str], verb: str = "think") -> str:
    """Open a question about an inner clause: "does Anna think that Ben thinks that"; "" for nobody."""
    inner = "".join(f" that {name} thinks" for name in chain[1:])
    return f"does {chain[0]} {verb}{inner} that " if chain else ""


def contested(rng: Rng, plot: Plot, order: int, heads: Sequence[str], share: float) -> tuple[str, ...] | None:
    """A chain with a view, which in this share of calls is neither what is so nor what is held one order below."""
    hard = rng.chance(share)

    def fits(chain: tuple[str, ...]) -> bool:
        held = place_of(plot.world, plot.thing, *chain)
        below = {plot.reality, place_of(plot.world, plot.thing, *chain[1:])}
        return held in plot.places and (held not in below) == hard

    return chain_for(rng, plot, order, heads, fits)


def one_lower(chain: Sequence[str], read: Callable[[Sequence[str]], str | None]) -> list[Reading]:
    """The reading that leaves out the first of the chain; none at order 1."""
    return [("one order too low", read(chain[1:]))] if len(chain) > 1 else []


def intent_claims(
    plot: Plot, world: World, chain: Sequence[str], intent: str, options: Sequence[str], *also: Sequence[str]
) -> tuple[Claim, ...]:
    """What the last of the chain wants, the belief that it follows from, and what `also` (people, or nobody) hold."""
    state = state_claim(chain[-1], "wants to", intent, options, chain[:-1])
    return (state, *(claim for people in (chain, *also) for claim in belief_claim(plot, world, people)))


def either(who: str, goals: tuple[str, str], first: bool) -> Claim:
    """One of two goals, the other its rival."""
    return wants(who, *(goals if first else goals[::-1]))


def exchanges(request: Request) -> tuple[Plot, list[str]]:
    """A story of three things that change places, big enough for the request, and the three."""
    rng = request.rng
    people = max(3, request.order + 1) + rng.below(2)
    plot = swaps(rng, request.split, people=people, count=3, chapters=request.chapters)
    return plot, [*plot.others[-2:], plot.thing]


PONDERS = (
    "{y} is wondering {what}.",
    "{y} would like to know {what}.",
    "{y} asks {self} {what}.",
    "{y} is trying to guess {what}.",
)


def pondering(request: Request, chain: Sequence[str], what: str) -> tuple[tuple[str, ...], Claim | None]:
    """For a question of order 2 and up: the closing sentence in which the first of the chain wonders, and that goal."""
    if len(chain) == 1:
        return (), None
    self = "herself" if LEXICON[request.split].people[chain[0]] == "she" else "himself"
    phrase = request.rng.pick(PONDERS).replace("{y}", chain[0]).replace("{what}", what).replace("{self}", self)
    return (phrase,), wants(chain[0], f"to know {what}")


def will(chain: Sequence[str], doing: str) -> str:
    """Ask what somebody will do, or what somebody thinks that they will do."""
    if len(chain) == 1:
        return f"What will {chain[0]} {doing}?"
    return f"What {thinking(chain[:-1])}{chain[-1]} will {doing}?"
