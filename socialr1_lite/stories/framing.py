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
from socialr1_lite.stories.plots import Plot, Step, decisive, edits, knowing, recast, sensible
from socialr1_lite.stories.scenes import swaps
from socialr1_lite.stories.scope import RECAST
from socialr1_lite.stories.wording import LEXICON, SELF, THEIR, THEM, say, thinking
from socialr1_lite.stories.world import Event, World, where

ATTEMPTS = 12  # choices of people that are tried in one story
SHORTEST = 11  # sentences without the frames
SENSE_FIRST = 0.4  # share of families whose twin changes the frame rather than the events, where both can

Sense = Mapping[str, str]
TaleAnswer = Callable[[World, Sense], str | None]
Claims = Callable[[World, Sense, str], Sequence[Claim]]  # given what is right
Goal = Callable[[World, Sense, str], Claim]  # given what is right
TaleReading = tuple[str, str | None]  # the name of a way to read the story, and the option it leads to


@dataclass(frozen=True, slots=True)
class Tale:
    """A plot, the words of its frames, and the frames' phrases: said before anything happens, and at the end.

    idle, scenery: how many opening phrases, and how many of the last closing ones, decide nothing. wish: the goal that
    a frame names, if one does.
    """

    plot: Plot
    sense: Sense
    opening: tuple[str, ...] = ()
    closing: tuple[str, ...] = ()
    idle: int = 0
    scenery: int = 0
    wish: Claim | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a tale, and how its answer, its claims and its shortcuts follow from world and sense.

    goal: where the tale names none. readings: named ways to read the story, most telling first; each wrong option takes
    the first name that leads to it, or `otherwise`. turns, retold: named small changes of sense or plot that may flip
    the answer, besides `edits`. stated: how many claims an interpretation must state. spoken: how an option words an
    answer ("Anna will {}."). every: one story for each option rather than two stories. marked: names of readings that
    an audit tries as shortcuts. natural: whether people would act so in this world. goals: accepted besides `goal`.
    guests: people who come in only at the end.
    """

    tale: Tale
    text: str
    options: tuple[str, ...]
    answer: TaleAnswer
    claims: Claims
    goal: Claim | Goal
    readings: Callable[[World, Sense], Sequence[TaleReading]]
    otherwise: str
    turns: Sequence[tuple[str, Sense]] = ()
    retold: Callable[[Plot], Sequence[tuple[str, Plot]]] = lambda plot: ()
    stated: int = 2
    things: tuple[str, ...] = ()
    spoken: str = "{}"
    every: bool = False
    marked: frozenset[str] = field(default=frozenset({"reality"}))
    natural: Callable[[World, Sense], bool] = lambda world, sense: True
    goals: tuple[Claim, ...] = ()
    guests: tuple[str, ...] = ()


def persons(split: str, **roles: str) -> dict[str, str]:
    """Name people in phrases: {a} the name, {she_a}, {her_a} (object), {hers_a} (possessive) and {self_a}."""
    words: dict[str, str] = {}
    for role, name in roles.items():
        she = LEXICON[split].people[name]
        forms = {f"she_{role}": she, f"her_{role}": THEM[she], f"hers_{role}": THEIR[she], f"self_{role}": SELF[she]}
        words |= {role: name} | forms
    return words


def turned(sense: Sense, one: str, other: str) -> dict[str, str]:
    """Put two of the words, with their pronouns, in each other's place."""
    swapped = dict(sense)
    for form in ("", "she_", "her_", "hers_", "self_"):
        if form + one in sense and form + other in sense:
            swapped |= {form + one: sense[form + other], form + other: sense[form + one]}
    return swapped


def elsewhere(name: str, sense: Sense, word: str, places: Sequence[str]) -> list[tuple[str, Sense]]:
    """Give the word each of the other places: changes of sense of this name."""
    return [(name, {**sense, word: place}) for place in places if place != sense[word]]


def family(request: Request, question: Question) -> Family | None:
    """Make a family: the question and a twin, the first small change of events or sense to another option.

    With `question.every`, one story for each option, each a small change of one before it; None if they are not found.
    """
    tale = replace(question.tale, plot=_padded(request.rng, question.tale.plot))
    truth = question.answer(tale.plot.world, tale.sense)
    if truth not in question.options or not _sound(question, tale, truth):
        return None
    found, names = {truth: tale}, []
    while len(found) < (len(question.options) if question.every else 2):
        fresh = next((change for one in found.values() for change in _leading_on(request, question, one, found)), None)
        if fresh is None:
            return None
        names.append(fresh[0])
        found[fresh[1]] = fresh[2]
    drafts = tuple(_draft(question, one) for one in found.values())
    options = tuple(question.spoken.format(option) for option in question.options)
    return Family(drafts, options, (*tale.plot.cast, *question.guests), _things(question), names[0])


def _leading_on(
    request: Request, question: Question, tale: Tale, found: Mapping[str, Tale]
) -> Iterator[tuple[str, str, Tale]]:
    """Find the small changes that lead to an option not found yet: name, answer and tale."""
    for name, other in _changes(request, question, tale):
        changed = question.answer(other.plot.world, other.sense)
        if changed not in question.options or changed in found:
            continue
        if _sound(question, other, str(changed)) and sensible(other.plot):
            yield name, str(changed), other


def _sound(question: Question, tale: Tale, answer: str) -> bool:
    """Tell whether people would act so, and whether a reader can be sure of every claim about another's mind."""
    plot, world = tale.plot, tale.plot.world
    if not question.natural(world, tale.sense):
        return False
    chains = {claim.chain(plot.cast) for claim in question.claims(world, tale.sense, answer)}
    things = {plot.thing, *question.things} & {step.event.thing for step in plot.steps}
    return all(world.certain(chain, where(thing)) for chain in chains for thing in things)


def _padded(rng: Rng, plot: Plot) -> Plot:
    """Lengthen a very short story by sentences that decide nothing, or there would be no cues to choose from."""
    steps, used = list(plot.steps), {step.phrase for step in plot.steps}
    while len(steps) < SHORTEST:
        text, phrase = say(rng, "note", used, a=rng.pick(plot.cast))
        used.add(phrase)
        steps.append(Step(Event("note"), text, phrase))
    return plot.edited(steps)


def _things(question: Question) -> tuple[str, ...]:
    plot = question.tale.plot
    return tuple(dict.fromkeys((plot.thing, *question.things, *plot.others, *plot.rooms)))


def _changes(request: Request, question: Question, tale: Tale) -> list[tuple[str, Tale]]:
    """Make small changes of the tale, in random order, those of the sense first in a share of the families."""
    rng = request.rng
    plots = [(name, tale.plot.edited(steps)) for name, steps in edits(rng, tale.plot, LEXICON[request.split])]
    events = [(name, replace(tale, plot=plot)) for name, plot in plots if plot.sentences != tale.plot.sentences]
    events += [*unsaid(tale), *((name, replace(tale, plot=plot)) for name, plot in question.retold(tale.plot))]
    rng.shuffle(events)
    senses = [(name, replace(tale, sense=sense)) for name, sense in question.turns if sense != tale.sense]
    rng.shuffle(senses)
    changes = senses + events if rng.chance(SENSE_FIRST) else events + senses
    return [(name, told) for name, told in changes if request.scope.admits(name, [told.plot.devices])]


def recasts(request: Request, plot: Plot, one: str) -> list[tuple[str, Plot]]:
    """Let this person and another one change parts: a plot for each other one."""
    others = [recast(plot, LEXICON[request.split], one, name) for name in plot.cast if name != one]
    return [(RECAST, other) for other in others if other is not None]


def unsaid(tale: Tale) -> list[tuple[str, Tale]]:
    """Tell the tale without one of its private messages (and whoever overheard it)."""
    steps, found = tale.plot.steps, []
    for i, step in enumerate(steps):
        if step.event.kind == "tell":
            rest = steps[:i] + steps[tale.plot.block_end(i) :]
            found.append(("never told", replace(tale, plot=tale.plot.edited(rest))))
    return found


def _draft(question: Question, tale: Tale) -> Draft:
    plot, sense = tale.plot, tale.sense
    gold = question.answer(plot.world, sense)
    assert gold is not None  # `family` takes only tales with an answer
    opening = [_capital(phrase.format_map(sense)) for phrase in tale.opening]
    closing = [_capital(phrase.format_map(sense)) for phrase in tale.closing]
    put_at = next(i for i, s in enumerate(plot.steps) if s.event.kind == "put" and s.event.thing == plot.thing)
    begun = max(i for i in plot.openings if i < put_at)
    at = next(i for i, step in enumerate(plot.steps) if i > begun and step.event.kind == "put")
    sentences = plot.sentences

    def moved(i: int) -> int:
        return i if i < at else i + len(opening)

    end = len(sentences) + len(opening)
    cues = decisive(plot, lambda world: question.answer(world, sense)) or last_event(plot)
    frames = [*range(at + tale.idle, at + len(opening)), *range(end, end + len(closing) - tale.scenery)]
    readings = question.readings(plot.world, sense)
    shortcuts: dict[str, str] = {}
    for name, option in (*readings, *((question.otherwise, option) for option in question.options)):
        if option is not None and option != gold:
            shortcuts.setdefault(option, name)
    later = (end,) if len(plot.openings) > 1 and closing else ()
    goal = question.goal if isinstance(question.goal, Claim) else question.goal(plot.world, sense, gold)
    claims = tuple(question.claims(plot.world, sense, gold))
    return Draft(
        sentences=(*sentences[:at], *opening, *sentences[at:], *closing),
        question=question.text,
        gold=question.spoken.format(gold),
        cues=tuple(sorted({*(moved(i) for i in cues), *frames})),
        claims=claims,
        known=knowing(plot.world, claims),
        goal=tale.wish or goal,
        goals=(goal, *question.goals),
        shortcuts={question.spoken.format(option): name for option, name in shortcuts.items()},
        marks={name: question.spoken.format(option) for name, option in readings if name in question.marked and option},
        paragraphs=(*(moved(i) for i in plot.openings), *later),
        stated=question.stated,
        devices=plot.devices,
    )


def last_event(plot: Plot) -> tuple[int, ...]:
    """Find the last step that does something to the thing: the cue where several steps each suffice."""
    steps = [i for i, s in enumerate(plot.steps) if plot.thing in (s.event.thing, s.event.other)]
    return (steps[-1],) if steps else ()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def place_of(world: World, thing: str, *chain: str) -> str | None:
    """Return where the chain thinks the thing is; () is where it is."""
    return world.believes(chain, where(thing))


def belief_claim(plot: Plot, world: World, chain: Sequence[str], thing: str = "") -> list[Claim]:
    """Claim what the chain believes of the thing's place, if anything."""
    thing = thing or plot.thing
    held = place_of(world, thing, *chain)
    rivals = tuple(f"the {place}" for place in plot.places if place != held)
    return [] if held is None else [Claim(tuple(chain), f"the {thing}", "is in", f"the {held}", rivals)]


def state_claim(who: str, relation: str, value: str, options: Sequence[str], holders: Sequence[str] = ()) -> Claim:
    """Claim that somebody feels, wants or means something, and none of the other options."""
    return Claim(tuple(holders), who, relation, value, tuple(option for option in options if option != value))


def wants(who: str, what: str, *rivals: str) -> Claim:
    """Claim a goal."""
    return Claim((), who, "wants", what, rivals)


def guests(rng: Rng, split: str, plot: Plot, n: int = 1) -> list[str]:
    """Draw people who were not there: one may tell them anything, and they have put nothing away themselves."""
    return rng.sample([name for name in LEXICON[split].people if name not in plot.cast], n)


def sayable(thing: str, *chain: str) -> Callable[[World, Sense], bool]:
    """Tell whether the last of the chain can say that the thing is in {p}, in truth and in the eyes of the others.

    Who thinks that it is elsewhere does not hit by chance upon a place where it was unnoticed by them.
    """

    def natural(world: World, sense: Sense) -> bool:
        *outer, who = chain
        for j in range(len(chain)):
            there, held = (world.ever_held(people, where(thing)) for people in (outer[:j], (*outer[:j], who)))
            if sense["p"] in there - held:
                return False
        return True

    return natural


def bystanders(plot: Plot) -> list[str]:
    """List those who never touch the thing: a wish about its place would sit ill with anybody who does."""
    steps = [s for s in plot.steps if s.event.kind in ("put", "move") and s.event.thing == plot.thing]
    return [name for name in plot.cast if not any(name in step.text for step in steps)]


def chain_for(
    rng: Rng, plot: Plot, order: int, heads: Sequence[str], fits: Callable[[tuple[str, ...]], bool]
) -> tuple[str, ...] | None:
    """Find different people who fit, the last (whose state is asked about) one of the heads; None if none do."""
    for _ in range(ATTEMPTS if heads else 0):
        last = rng.pick(heads)
        before = rng.sample([name for name in plot.cast if name != last], order - 1)
        if fits((*before, last)):
            return (*before, last)
    return None


def contested(rng: Rng, plot: Plot, order: int, heads: Sequence[str], share: float) -> tuple[str, ...] | None:
    """Find a chain with a view; in this share of calls it is neither what is so nor what one order lower holds."""
    hard = rng.chance(share)

    def fits(chain: tuple[str, ...]) -> bool:
        held = place_of(plot.world, plot.thing, *chain)
        below = {plot.reality, place_of(plot.world, plot.thing, *chain[1:])}
        return held in plot.places and (held not in below) == hard

    return chain_for(rng, plot, order, heads, fits)


def by_belief(plot: Plot, chain: Sequence[str], meaning: Callable[[str | None, Sense], str | None]) -> TaleAnswer:
    """Answer by what the place in which the chain believes means."""
    return lambda world, sense: meaning(place_of(world, plot.thing, *chain), sense)


def by_two_beliefs(
    plot: Plot, chain: Sequence[str], meaning: Callable[[str | None, str | None, Sense], str | None]
) -> TaleAnswer:
    """Answer by the place in the eyes of those before the last of the chain, and in the eyes of the last."""

    def answer(world: World, sense: Sense) -> str | None:
        return meaning(place_of(world, plot.thing, *chain[:-1]), place_of(world, plot.thing, *chain), sense)

    return answer


def other_place(rng: Rng, plot: Plot, held: str | None, lure: str | None, share: float) -> str:
    """Draw a place that is not the held one: in this share of draws the lure, where it is another."""
    others = [place for place in plot.places if place != held]
    return lure if lure in others and rng.chance(share) else rng.pick(others)


def one_lower(chain: Sequence[str], read: Callable[[Sequence[str]], str | None]) -> list[TaleReading]:
    """Leave out the first of the chain, which is a reading of the story; none at order 1."""
    return [("one order too low", read(chain[1:]))] if len(chain) > 1 else []


def lower_or_real(
    world: World, thing: str, chain: Sequence[str], of: Callable[[str | None], str | None]
) -> list[TaleReading]:
    """Read the thing's place one order too low, or as it is."""
    lower = one_lower(chain, lambda people: of(place_of(world, thing, *people)))
    return [*lower, ("reality", of(place_of(world, thing)))]


def inner_state(
    plot: Plot, chain: Sequence[str], relation: str, options: Sequence[str], *also: Sequence[str]
) -> Claims:
    """Claim what the last of the chain feels or wants, the belief it follows from, and what `also` (or nobody) hold."""

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        state = state_claim(chain[-1], relation, gold, options, chain[:-1])
        return (state, *(claim for people in (chain, *also) for claim in belief_claim(plot, world, people)))

    return claims


def either(who: str, goals: tuple[str, str], first: bool) -> Claim:
    """Claim one of two goals, the other its rival."""
    return wants(who, *(goals if first else goals[::-1]))


def exchanges(request: Request) -> tuple[Plot, list[str]]:
    """Tell a story of three things that change places, big enough for the request; returns it and the three."""
    people = request.draw_people()
    plot = swaps(request.rng, request.split, people=people, count=3, chapters=request.chapters)
    return plot, [*plot.others[-2:], plot.thing]


PONDERS = (
    "{y} is wondering {what}.", "{y} would like to know {what}.", "{y} asks {self} {what}.",
    "{y} is trying to guess {what}.",
)  # fmt: skip


def framed(
    request: Request,
    plot: Plot,
    sense: Sense,
    closing: Sequence[Sequence[str]],
    opening: Sequence[Sequence[str]] = (),
    *,
    chain: Sequence[str] = (),
    ponders: str = "",
    idle: int = 0,
    scenery: int = 0,
) -> Tale:
    """Frame the plot with one phrase of each kind; at order 2 and up the first of the chain `ponders` in the end."""
    rng, wonder, wish = request.rng, list[str](), None
    if len(chain) > 1:
        self = SELF[LEXICON[request.split].people[chain[0]]]
        phrase = rng.pick(PONDERS).replace("{y}", chain[0]).replace("{what}", ponders).replace("{self}", self)
        wonder, wish = [phrase], wants(chain[0], f"to know {ponders}")
    before, after = ([rng.pick(phrases) for phrases in kinds] for kinds in (opening, closing))
    return Tale(plot, sense, tuple(before), (*after, *wonder), idle, scenery + len(wonder), wish)


def asking(chain: Sequence[str], plain: str, inner: str, word: str = "What") -> str:
    """Ask `plain` about one person; about what others think of them: "What does Anna think that {inner}?"."""
    return plain if len(chain) == 1 else f"{word} {thinking(chain[:-1])} that {inner}?"


def will(chain: Sequence[str], doing: str) -> str:
    """Ask what somebody will do, or what somebody thinks that they will do."""
    return asking(chain, f"What will {chain[-1]} {doing}?", f"{chain[-1]} will {doing}")
