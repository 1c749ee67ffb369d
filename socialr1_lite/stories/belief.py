"""Belief: where will X look, what does X think that Y thinks, who thinks so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Draft, Family, Request, Rng
from socialr1_lite.stories.contents import STRICT_EDITS, contents
from socialr1_lite.stories.plots import (
    BACK,
    ONLOOKERS,
    Plot,
    Step,
    WorldAnswer,
    decisive,
    edits,
    exchanged,
    hidden_object,
    knowing,
    recast,
    sensible,
)
from socialr1_lite.stories.scope import RECAST, TOLD, events
from socialr1_lite.stories.wording import LEXICON, say, thinking
from socialr1_lite.stories.world import Event, World, where

ATTEMPTS_A_STORY = 6  # chains of people, or edits, that are tried before another story is drawn
RETOLD = 50  # times that a story is told until nothing is in it that may not be told

Wording = Callable[[Sequence[str], str], str]


def look_first(chain: Sequence[str], thing: str) -> str:
    """Ask where the last of the chain will look."""
    if len(chain) == 1:
        return f"Where will {chain[0]} look first for the {thing}?"
    return f"Where {thinking(chain[:-1])} that {chain[-1]} will look first for the {thing}?"


def thinks_it_is(chain: Sequence[str], thing: str) -> str:
    """Ask where A thinks that B thinks … the thing is."""
    return f"Where {thinking(chain)} the {thing} is?"


def would_say(chain: Sequence[str], thing: str) -> str:
    """Ask what an honest answer would name."""
    if len(chain) == 1:
        return f"{chain[0]} is asked where the {thing} is and answers honestly. Which place does {chain[0]} name?"
    return f"Which place {thinking(chain[:-1])} that {chain[-1]} would name if honestly asked for the {thing}?"


def fetches(chain: Sequence[str], thing: str) -> str:
    """Ask which container is opened first."""
    if len(chain) == 1:
        return f"{chain[0]} goes to fetch the {thing}. What will {chain[0]} open first?"
    return (
        f"Suppose {chain[-1]} goes to fetch the {thing}. What {thinking(chain[:-1])} that {chain[-1]} will open first?"
    )


def surprised(chain: Sequence[str], thing: str) -> str:
    """Ask where the person would be surprised not to find it."""
    if len(chain) == 1:
        return f"In which place would {chain[0]} be surprised not to find the {thing}?"
    return f"In which place {thinking(chain[:-1])} that {chain[-1]} would be surprised not to find the {thing}?"


def story_of(request: Request, onlookers: float = ONLOOKERS, *, last: bool = False, back: float = BACK) -> Plot:
    """Tell a hidden-object story big enough for the request; the other arguments as of `hidden_object`."""
    places = request.draw_places() if request.options == 0 else max(2, min(request.options, 5))
    people = request.draw_people()
    for _ in range(RETOLD):
        plot = hidden_object(
            request.rng,
            request.split,
            people=people,
            places=places,
            chapters=request.chapters,
            onlookers=onlookers,
            back=back,
            last=last,
        )
        if plot.devices <= request.scope.devices:
            break
    return plot


def needed_by(rng: Rng, plot: Plot, who: str) -> Plot:
    """Add a last sentence that says who needs the thing: what the question's goal is about."""
    return plot.edited([*plot.steps, Step(Event("note", actor=who), *say(rng, "need", a=who, o=plot.thing))])


def finding(plot: Plot, who: str = "") -> Claim:
    """Claim the goal to find the thing, of the person of that last sentence if nobody is named."""
    who = who or plot.steps[-1].event.actor
    return Claim((), who, "wants", f"to find the {plot.thing}", (f"to hide the {plot.thing}",))


def where_template(wording: Wording) -> Callable[[Request], Family | None]:
    """Build a template whose answer is the place that a chain of `order` people believes in."""

    def template(request: Request) -> Family | None:
        plot = story_of(request)
        target = plot.places[int(request.slot * len(plot.places))]
        chain = _chain_believing(request.rng, plot, target, request.order)
        if chain is None:
            return None
        plot = needed_by(request.rng, plot, chain[0])

        def answer(world: World) -> str | None:
            return world.believes(chain, where(plot.thing))

        found = twin(request, plot, answer, chain=chain)
        if found is None:
            return None
        name, other = found
        drafts = tuple(_where_draft(p, chain, answer, wording, request.rng) for p in (plot, other))
        return places_family(request, plot, drafts, name)

    return template


def _chain_believing(rng: Rng, plot: Plot, place: str, order: int) -> tuple[str, ...] | None:
    """Find people of whom the first thinks that … the last thinks the thing is in the place; hard ones first."""
    easy = None
    for _ in range(ATTEMPTS_A_STORY):
        chain = tuple(rng.sample(plot.cast, order))
        if plot.world.believes(chain, where(plot.thing)) == place and plot.world.certain(chain, where(plot.thing)):
            lower = plot.world.believes(chain[1:], where(plot.thing))
            if lower != place:
                return chain
            easy = easy or chain
    return easy


def twin(
    request: Request, plot: Plot, answer: WorldAnswer, options: Sequence[str] = (), chain: Sequence[str] = ()
) -> tuple[str, Plot] | None:
    """Find a small edit that leads to another option (the story's places): its name and the edited story.

    chain: whose belief the question is about.
    """
    truth = answer(plot.world)
    for name, steps in edits(request.rng, plot, LEXICON[request.split]):
        other = plot.edited(steps)
        if not request.scope.admits(name, [other.devices]):
            continue
        changed = answer(other.world)
        if changed != truth and changed in (options or plot.places) and sure(other, chain):
            return name, other
    return None


def sure(plot: Plot, chain: Sequence[str]) -> bool:
    """Tell whether the story is sensible and a reader can be sure of what the chain believes about its thing."""
    return plot.world.certain(chain, where(plot.thing)) and sensible(plot)


def other_person(
    rng: Rng, plot: Plot, answer: WorldAnswer, split: str, options: Sequence[str]
) -> tuple[str, Plot] | None:
    """Find a twin for a question whose options are people: the right one and another change parts."""
    truth = answer(plot.world)
    for name in rng.sample([name for name in options if name != truth], len(options)):
        other = recast(plot, LEXICON[split], str(truth), name)
        if other is not None and answer(other.world) not in (truth, None) and sensible(other):
            return RECAST, other
    return None


def _where_draft(plot: Plot, chain: tuple[str, ...], answer: WorldAnswer, wording: Wording, rng: Rng) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # the caller chose the chain by its belief
    claims = (place_claim(plot, chain, gold), *further_claims(plot, chain))
    return Draft(
        sentences=plot.sentences,
        question=wording(chain, plot.thing),
        gold=f"the {gold}",
        cues=decisive(plot, answer) or last_told(plot, gold),
        claims=claims,
        known=knowing(plot.world, claims),
        goal=finding(plot),
        goals=(finding(plot, chain[-1]),) if wording in (look_first, fetches) else (),
        shortcuts=shortcuts(plot, chain, gold),
        marks=marks(plot),
        paragraphs=plot.openings,
        devices=plot.devices,
        noticed=plot.world.noticed(chain, plot.thing),
    )


def place_claim(plot: Plot, holders: tuple[str, ...], place: str) -> Claim:
    """Claim that the holders hold the thing to be in the place, and in none of the others."""
    rivals = tuple(f"the {p}" for p in plot.places if p != place)
    return Claim(holders, f"the {plot.thing}", "is in", f"the {place}", rivals)


def further_claims(plot: Plot, chain: tuple[str, ...]) -> list[Claim]:
    """Claim what is so, and what each of the people thinks who has a view, those of the chain first."""
    views = dict.fromkeys(((), *((name,) for name in (*chain, *plot.cast))))
    held = {holders: plot.world.believes(holders, where(plot.thing)) for holders in views if holders != chain}
    return [place_claim(plot, holders, place) for holders, place in held.items() if place in plot.places]


def shortcuts(plot: Plot, chain: Sequence[str], gold: str) -> dict[str, str]:
    """Name what each wrong place stands for: the first name that fits, from the most telling to the least."""
    world, fluent = plot.world, where(plot.thing)
    named: dict[str, str] = {}
    candidates = [(world.believes(chain[1:], fluent), "one order too low")] if len(chain) > 1 else []
    candidates += [(plot.reality, "reality")]
    candidates += [(world.believes((name,), fluent), "another person's belief") for name in plot.cast]
    stays = world.history(fluent)
    candidates += [(stays[0], "first place")] + [(place, "earlier place") for place in stays]
    candidates += [(place, "only said") for place in plot.places]
    for place, name in candidates:
        if place is not None and place != gold:
            named.setdefault(f"the {place}", name)
    return named


def marks(plot: Plot) -> dict[str, str]:
    """Give what the audit's shortcuts that look at the world would answer."""
    stays = plot.world.history(where(plot.thing))
    return {"reality": f"the {stays[-1]}", "first place": f"the {stays[0]}"}


def places_family(request: Request, plot: Plot, drafts: tuple[Draft, ...], perturbation: str) -> Family:
    """Make a family whose options are the story's places and, if more are asked for, other containers."""
    places = list(plot.places)
    if request.options > len(places):
        spare = [place for place in plot.rooms if place not in places]
        rest = [place for place in LEXICON[request.split].containers if place not in plot.rooms]
        places += [*spare, *request.rng.sample(rest, len(rest))][: request.options - len(places)]
    things = (plot.thing, *plot.others, *plot.rooms)
    return Family(drafts, tuple(f"the {place}" for place in places), tuple(plot.cast), things, perturbation)


def in_part_of(plot: Plot, split: str, one: str, other: str) -> Plot | None:
    """Tell the story in which `other` plays what `one` plays now; None where the words do not allow it."""
    return plot if one == other else recast(plot, LEXICON[split], one, other)


def memory(request: Request) -> Family | None:
    """Ask at order 0 where the thing is, was first, or was just before it came to its last place."""
    rng = request.rng
    plot = story_of(replace(request, options=min(request.options, MEMORABLE)))
    plot, thing = needed_by(rng, plot, rng.pick(plot.cast)), plot.thing
    target = plot.places[int(request.slot * len(plot.places))]
    fitting = [ask for ask in MEMORIES if _stay(plot.world, thing, ask) == target]
    if not fitting:
        return None
    ask = rng.pick(fitting)
    pair = [place for place in dict.fromkeys(plot.world.history(where(thing))) if place != target]
    other = exchanged(plot, target, rng.pick(pair))
    drafts = tuple(_memory_draft(p, ask) for p in (plot, other))
    return places_family(request, plot, drafts, "places exchanged")


MEMORABLE = 4  # places of which each can be the answer; more options are other containers
MEMORIES = {  # question: which of the stays, and how a claim says so
    "Where is the {} really at the end?": (-1, "is in"),
    "In which place was the {} at the beginning?": (0, "was first in"),
    "Where was the {} just before it came to its last place?": (-2, "came to its last place from"),
}


def _stay(world: World, thing: str, ask: str) -> str | None:
    stays = world.history(where(thing))
    index = MEMORIES[ask][0]
    return stays[index] if len(stays) >= max(-index, 1) else None


def _memory_draft(plot: Plot, ask: str) -> Draft:
    def answer(world: World) -> str | None:
        return _stay(world, plot.thing, ask)

    gold = answer(plot.world)
    assert gold is not None  # both stories have the same number of stays
    others = tuple(f"the {place}" for place in plot.places if place != gold)
    relation = MEMORIES[ask][1]
    aware = [name for name in (last_mover(plot), *plot.cast) if plot.world.knows((name,), where(plot.thing))]
    known_to = ((aware[0],), ()) if aware else ((),)  # whoever moved it knows, unless talked out of it later
    claims = [Claim(holders, f"the {plot.thing}", relation, f"the {gold}", others) for holders in known_to]
    return Draft(
        sentences=plot.sentences,
        question=ask.format(plot.thing),
        gold=f"the {gold}",
        cues=decisive(plot, answer) or last_told(plot, gold),
        claims=tuple(claims),
        goal=finding(plot),
        shortcuts=shortcuts(plot, (), gold),
        marks=marks(plot),
        paragraphs=plot.openings,
        devices=plot.devices,
    )


def last_mover(plot: Plot) -> str:
    """Find who moved the thing last."""
    return str(plot.world.last_mover(plot.thing))


def last_told(plot: Plot, place: str) -> tuple[int, ...]:
    """Find the last step that puts the thing in the place: the cue where several steps each suffice."""
    steps = [i for i, s in enumerate(plot.steps) if s.event.thing == plot.thing and s.event.place == place]
    return (steps[-1],) if steps else ()


def who_thinks(request: Request) -> Family | None:
    """Ask which one of the people thinks that the thing is in this place. Exactly one does."""
    rng = request.rng
    plot = story_of(request)
    plot = needed_by(rng, plot, rng.pick(plot.cast))
    target = plot.cast[int(request.slot * len(plot.cast))]
    held = [plot.world.believes((name,), where(plot.thing)) for name in plot.cast]
    alone = [(name, place) for name, place in zip(plot.cast, held, strict=True) if held.count(place) == 1 and place]
    if not alone:
        return None
    name, place = rng.pick(alone)
    cast_right = in_part_of(plot, request.split, name, target)
    if cast_right is None:
        return None
    plot = cast_right

    def answer(world: World) -> str | None:
        holders = [name for name in plot.cast if world.believes((name,), where(plot.thing)) == place]
        return holders[0] if len(holders) == 1 else None

    if answer(plot.world) != target:
        return None
    found = other_person(rng, plot, answer, request.split, plot.cast)
    if found is None:
        return None
    drafts = tuple(_who_draft(p, place, answer) for p in (plot, found[1]))
    things = (plot.thing, *plot.others, *plot.rooms)
    return Family(drafts, tuple(plot.cast), tuple(plot.cast), things, found[0])


def _who_draft(plot: Plot, place: str, answer: WorldAnswer) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # exactly one person holds the belief
    wrong = {}
    for name in plot.cast:
        if name != gold:
            wrong[name] = "knows better" if plot.world.knows((name,), where(plot.thing)) else "another belief"
    claims = (place_claim(plot, (gold,), place), *further_claims(plot, (gold,)))
    return Draft(
        sentences=plot.sentences,
        question=f"Who thinks that the {plot.thing} is in the {place}?",
        gold=gold,
        cues=decisive(plot, answer) or last_told(plot, place),
        claims=claims,
        known=knowing(plot.world, claims),
        goal=finding(plot),
        shortcuts=wrong,
        marks={"last mover": last_mover(plot)},
        paragraphs=plot.openings,
        devices=plot.devices,
    )


def _has_order(template: str, order: int) -> bool:
    if template in ("memory", "who thinks"):
        return order == (0 if template == "memory" else 1)
    return 0 < order < 4 if template == "contents" else order > 0


def _made_by(template: str, order: int) -> tuple[str, ...]:
    alone = {"memory": ("places exchanged",), "who thinks": (RECAST,), "contents": STRICT_EDITS}
    return alone.get(template) or events(order, TOLD)


DIMENSION = Dimension(
    name="belief",
    orders=(0, 1, 2, 3, 4),
    templates={
        "memory": memory,
        "look first": where_template(look_first),
        "thinks it is": where_template(thinks_it_is),
        "would say": where_template(would_say),
        "fetches": where_template(fetches),
        "surprised": where_template(surprised),
        "who thinks": who_thinks,
        "contents": contents,
    },
    perturbations=_made_by,
    of_order=_has_order,
)
