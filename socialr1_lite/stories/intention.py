"""Intention: what somebody was trying to do, whether an act was meant to help or to hinder, what comes next."""

from __future__ import annotations

from collections.abc import Sequence

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Family, Request
from socialr1_lite.stories.belief import story_of
from socialr1_lite.stories.desire import wanted_thing
from socialr1_lite.stories.framing import (
    Question,
    Sense,
    Tale,
    TaleReading,
    asking,
    belief_claim,
    by_belief,
    by_two_beliefs,
    chain_for,
    contested,
    either,
    elsewhere,
    exchanges,
    family,
    framed,
    guests,
    inner_state,
    lower_or_real,
    one_lower,
    other_place,
    persons,
    place_of,
    sayable,
    state_claim,
    turned,
    wants,
    will,
)
from socialr1_lite.stories.plots import Plot, hidden_object
from socialr1_lite.stories.scope import NOTICED, TIMING, TOLD, events
from socialr1_lite.stories.wording import LEXICON
from socialr1_lite.stories.world import World

MISREAD = 0.4  # share of stories in which X is wrong about where Y will look
TO_AND_FRO = 0.5  # share of stories in which the thing comes back to where it was, so that a lie can be true by mistake
LURED = 0.5  # share of those who mislead that name the place where the thing happens to be
FALSE_BELIEFS = 0.5  # share of families whose first story hangs on a false belief; its twin is often a true one
STUCK = (
    "{a} wanted to get one of these things and tugged at the {c}, but it would not open.",
    "{a} tried to open the {c} to get something out, but it was stuck.",
    "{a} bent down to reach into the {c} for something, but was called away.",
    "To get something, {a} pulled at the {c}, yet it stayed shut.",
)


def tried_to_get(request: Request) -> Family | None:
    """Ask what a failed action was for, given what A thinks is in there."""
    return wanted_thing(
        request,
        STUCK,
        "get the {}",
        "{} was trying to {{}}.",
        lambda chain: asking(chain, f"What was {chain[0]} trying to get?", f"{chain[-1]} was trying to get"),
        "was trying to get",
    )


PUTS = (
    "Later, when nobody else is there, {x} takes the {o} out of the {r} and puts it in the {c}, as {x} "
    "knows that {y} will come back for it.",
    "Knowing that {y} will soon come back for the {o}, {x} moves it unseen from the {r} to the {c}.",
    "All alone, {x}, who knows that {y} will come back for the {o}, takes it from the {r} and lays it in the {c}.",
    "As {y} is going to come back for the {o}, {x} secretly carries it from the {r} to the {c}.",
)


def moves_it(request: Request) -> Family | None:
    """Ask at order 2 why X moves the thing: to where X thinks that Y will look (to help), or away from there."""
    rng, plot = request.rng, story_of(request, last=True)
    helps, misread = int(request.slot * 2) == 0, rng.chance(MISREAD)

    def fits(chain: tuple[str, ...]) -> bool:
        expected, own = (place_of(plot.world, plot.thing, *people) for people in (chain, chain[1:]))
        return expected in plot.places and (expected != plot.reality) == helps and (expected != own) == misread

    chain = chain_for(rng, plot, 2, plot.cast, fits)
    if chain is None:
        return None
    x, y = chain
    expected, real = place_of(plot.world, plot.thing, x, y), str(plot.reality)
    targets = [p for p in plot.places if p != real and (p == expected or not helps)]
    sense = {"x": x, "y": y, "o": plot.thing, "r": real, "c": rng.pick(targets)}
    options = (f"help {y} find the {plot.thing}", f"keep {y} from finding the {plot.thing}")

    def aims(place: str | None, sense: Sense) -> str | None:
        return {sense["c"]: options[0], sense["r"]: options[1]}.get(str(place))

    def natural(world: World, sense: Sense) -> bool:
        """X knows where it is, and Y is not there to see what X does."""
        known = place_of(world, plot.thing) == place_of(world, plot.thing, x) == sense["r"]
        return known and not world.at[y]

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        state = state_claim(x, "wants to", gold, options)
        return (state, *belief_claim(plot, world, chain), *belief_claim(plot, world, (y,)))

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        return [("one order too low", aims(place_of(world, plot.thing, y), sense))]

    goals = (f"{y} to get the {plot.thing}", f"{y} to miss the {plot.thing}")
    question = Question(
        framed(request, plot, sense, [PUTS]),
        f"Why does {x} move the {plot.thing}?",
        options,
        by_belief(plot, chain, aims),
        claims,
        lambda world, sense, gold: either(x, goals, gold == options[0]),
        readings,
        "wrong aim",
        spoken=f"{x} wants to {{}}.",
        marked=frozenset({"one order too low"}),
        natural=natural,
        goals=(wants(y, f"to get the {plot.thing}"),),
    )
    return family(request, question)


TELLS = (
    '"The {o} is in the {p}," says {x} later to {y}, who has only just arrived and is looking for it.',
    "{y}, who has only just arrived, asks for the {o}, and {x} answers that it is in the {p}.",
    "{x} tells {y}, who was not there before and needs the {o}, to look in the {p}.",
    "As {y}, who has come only now, is searching for the {o}, {x} points to the {p}.",
)


def advises(request: Request) -> Family | None:
    """Ask why X tells Y where to look: to help exactly if it is where X thinks that the thing is."""
    rng, plot = request.rng, story_of(request, last=True, back=TO_AND_FRO)
    chain = contested(rng, plot, request.order, plot.cast, FALSE_BELIEFS)
    if chain is None:
        return None
    x, (y,) = chain[-1], guests(rng, request.split, plot)
    helps = int(request.slot * 2) == 0
    held = place_of(plot.world, plot.thing, *chain)
    said = held if helps else other_place(rng, plot, held, plot.reality, LURED)
    sense = {"x": x, "y": y, "o": plot.thing, "p": str(said)}
    options = (f"help {y} find the {plot.thing}", f"mislead {y}")

    def aims(place: str | None, sense: Sense) -> str | None:
        return None if place is None else options[place != sense["p"]]

    plain = f"Why does {x} say this to {y} about the {plot.thing}?"
    goals = (f"{y} to get the {plot.thing}", f"{y} to miss the {plot.thing}")
    question = Question(
        framed(request, plot, sense, [TELLS], chain=chain, ponders=f"what {x} is trying to do by telling {y} this"),
        asking(chain, plain, f"{x} is trying to do by telling {y} about the {plot.thing}"),
        options,
        by_belief(plot, chain, aims),
        inner_state(plot, chain, "wants to", options, ()),
        lambda world, sense, gold: either(x, goals, gold == options[0]),
        lambda world, sense: lower_or_real(world, plot.thing, chain, lambda place: aims(place, sense)),
        "wrong aim",
        elsewhere("says another place", sense, "p", plot.places),
        spoken=f"{x} wants to {{}}.",
        natural=sayable(plot.thing, *chain),
        goals=(wants(y, f"to find the {plot.thing}"),),
        guests=(y,),
    )
    return family(request, question)


PLANS = (
    "{x} has a {f} that {y} should come across at once, and a {h} that {y} must not come across, and "
    "puts each in one of the two places.",
    "{x} wants {y} to come across a {f} right away but never a {h}, and puts each of them in one of the two places.",
    "There is a {h} that {x} wants to hide from {y}, and a {f} that {y} is to see soon, and {x} puts "
    "each in one of the two places.",
    "A {h} is to stay hidden from {y} and a {f} is to be seen soon, so {x} puts each in one of the two places.",
)
FETCHES = (
    "{y} will come back only for the {o} and open only one of the {c0} and the {c1}.",
    "As {x} knows, {y} will come back to get the {o} and will look only in the {c0} or only in the {c1}.",
    "{y} is going to come back to fetch the {o} and will open only the {c0} or only the {c1}.",
)


def plants(request: Request) -> Family | None:
    """Ask what X will do who wants Y to see one thing and not the other: where does X think that Y will look?"""
    rng, people = request.rng, request.draw_people()
    plot = hidden_object(rng, request.split, people=people, places=2, chapters=request.chapters, last=True)
    chain = contested(rng, plot, request.order, plot.cast, FALSE_BELIEFS)
    if chain is None:
        return None
    x, y = chain[-2:]
    named = " ".join(plot.sentences)
    spare = [thing for thing in LEXICON[request.split].things if thing not in named and thing[0] not in "aeiou"]
    one, two = rng.sample(spare, 2)
    shown = plot.places[int(request.slot * 2)] == place_of(plot.world, plot.thing, *chain)
    choice = dict(zip(("c0", "c1"), rng.sample(plot.places, 2), strict=True))
    sense = {"x": x, "y": y, "o": plot.thing, "f": one if shown else two, "h": two if shown else one, **choice}
    options = tuple(f"put the {one} in the {place}" for place in plot.places)

    def puts(place: str | None, sense: Sense) -> str | None:
        return None if place is None else options[(plot.places.index(place) + (sense["f"] != one)) % 2]

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        aims = (f"let {y} see the {one}", f"hide the {one} from {y}")
        return (
            state_claim(x, "wants to", gold, options, chain[:-2]),
            state_claim(x, "wants to", aims[sense["f"] != one], aims, chain[:-2]),
            state_claim(y, "wants to", f"fetch the {plot.thing}", ()),
            *belief_claim(plot, world, chain),
        )

    def natural(world: World, sense: Sense) -> bool:
        """Y is out; and X, who opens both places, finds nothing there that X did not expect (as the others see it)."""
        outer = [chain[:j] for j in range(len(chain) - 1)]
        return not world.at[y] and all(
            place_of(world, plot.thing, *people, x) == place_of(world, plot.thing, *people) for people in outer
        )

    goals = (f"{y} to come across the {one}", f"{y} to miss the {one}")
    ponders = f"what {x} will do with the {one}"
    question = Question(
        framed(request, plot, sense, [FETCHES, PLANS], chain=chain[:-1], ponders=ponders),
        will(chain[:-1], f"do with the {one}"),
        options,
        by_belief(plot, chain, puts),
        claims,
        lambda world, sense, gold: either(x, goals, sense["f"] == one),
        lambda world, sense: lower_or_real(world, plot.thing, chain, lambda place: puts(place, sense)),
        "aim turned round",
        [("aims exchanged", turned(sense, "f", "h"))],
        things=(one, two),
        spoken=f"{x} will {{}}.",
        natural=natural,
        goals=(wants(y, f"to get the {plot.thing}"),),
    )
    return family(request, question)


COMES = (
    "{y} was not there yet, but was to come later for the {o}.",
    "Only later was {y} to come and ask for the {o}.",
    "{y}, who needed the {o}, was to come only at the very end.",
)
SAYS = (
    '{n} says to {y}: "Look in the {p} for the {o}."',
    "{n} tells {y} that the {o} is in the {p}.",
    '"The {o} is in the {p}," says {n} to {y}.',
    "{n} sends {y} to the {p} for the {o}.",
)


def who_misleads(request: Request) -> Family | None:
    """Ask who misleads: three people say where the thing is, and one of them does not think so."""
    rng = request.rng
    people, places = request.people(4, least=4), request.draw_places(3)
    plot = hidden_object(rng, request.split, people=people, places=places, chapters=request.chapters, last=True)
    speakers, (hearer,) = rng.sample(plot.cast, 3), guests(rng, request.split, plot)
    held = [place_of(plot.world, plot.thing, name) for name in speakers]
    liar = int(request.slot * 3)
    if None in held or len(set(held)) == 1:
        return None
    said = [*map(str, held)]
    said[liar] = rng.pick([p for p in plot.places if p != held[liar]])
    phrase = rng.pick(SAYS)
    sense = {"y": hearer, "o": plot.thing}
    comes = rng.pick(COMES)
    sense |= {f"n{i}": name for i, name in enumerate(speakers)} | {f"p{i}": place for i, place in enumerate(said)}
    closing = tuple(phrase.replace("{n}", f"{{n{i}}}").replace("{p}", f"{{p{i}}}") for i in rng.sample(range(3), 3))

    def answer(world: World, sense: Sense) -> str | None:
        views = [place_of(world, plot.thing, name) for name in speakers]
        liars = [name for i, name in enumerate(speakers) if views[i] != sense[f"p{i}"]]
        return liars[0] if len(liars) == 1 and None not in views else None

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        aims = (f"mislead {hearer}", f"help {hearer}")
        return (
            state_claim(gold, "wants to", aims[0], aims),
            *belief_claim(plot, world, (gold,)),
            *belief_claim(plot, world, ()),
            *(state_claim(name, "wants to", aims[1], aims) for name in speakers if name != gold),
        )

    def natural(world: World, sense: Sense) -> bool:
        return all(sayable(plot.thing, name)(world, {"p": sense[f"p{i}"]}) for i, name in enumerate(speakers))

    goals = (f"{hearer} to miss the {plot.thing}", f"{hearer} to find the {plot.thing}")
    question = Question(
        Tale(plot, sense, (comes,), closing, idle=1),
        f"Who is trying to mislead {hearer} about the {plot.thing}?",
        tuple(speakers),
        answer,
        claims,
        lambda world, sense, gold: wants(gold, *goals),
        lambda world, sense: _suspects(speakers, place_of(world, plot.thing), sense),
        "says what is so",
        _other_words(plot, sense, liar, said, [*map(str, held)]),
        marked=frozenset({"reality", "odd one out"}),
        natural=natural,
        goals=(wants(hearer, f"to find the {plot.thing}"),),
        guests=(hearer,),
    )
    return family(request, question)


def _suspects(speakers: Sequence[str], real: str | None, sense: Sense) -> list[TaleReading]:
    """Read the words by their truth: whoever alone says what is untrue, or what nobody else says."""
    words = [sense[f"p{i}"] for i in range(len(speakers))]
    untrue = [name for name, word in zip(speakers, words, strict=True) if word != real]
    odd = [name for name, word in zip(speakers, words, strict=True) if words.count(word) == 1]
    return [
        ("reality", untrue[0] if len(untrue) == 1 else None),
        ("odd one out", odd[0] if len(odd) == 1 else None),
        *(("says what is untrue", name) for name in untrue),
    ]


def _other_words(
    plot: Plot, sense: Sense, liar: int, said: Sequence[str], held: Sequence[str]
) -> list[tuple[str, Sense]]:
    """Let two speakers exchange their words, or the liar say what they think and another one not."""
    turns: list[tuple[str, Sense]] = [
        ("words exchanged", turned(sense, f"p{i}", f"p{j}")) for i in range(len(said)) for j in range(i)
    ]
    honest = {**sense, f"p{liar}": held[liar]}
    for j in range(len(said)):
        if j != liar:
            turns += [("says another place", {**honest, f"p{j}": p}) for p in plot.places if p != held[j]]
    return turns


EMPTIES = (
    "To get rid of what {she_a} thinks is in the {c}, {a} empties it into the rubbish without looking.",
    "{a}, who wants to be rid of what {she_a} believes to be in the {c}, turns it out over the rubbish bin "
    "with closed eyes.",
    "With closed eyes {a} clears everything out of the {c} into the rubbish, because {she_a} no longer wants "
    "what {she_a} takes to be in there.",
    "{a} no longer wants what {she_a} supposes to be in the {c}, and so {she_a} empties it into the bin in the dark.",
)


def throws_away(request: Request) -> Family | None:
    """Ask what A meant who throws away what is in a container: is it as A thinks, is it not, or is it a mishap?"""
    rng = request.rng
    plot, things = exchanges(request)
    plot.thing = thing = rng.pick(things)
    options = (
        f"throw away the {thing}, which was inside",
        f"throw away the {thing}, which was elsewhere",
        "throw away another thing",
    )
    case = int(request.slot * 3)

    def fits(chain: tuple[str, ...]) -> bool:
        there, held = (place_of(plot.world, thing, *people) for people in (chain[:-1], chain))
        return there is not None and held is not None and (there == held) == (case == 0)

    chain = chain_for(rng, plot, request.order, plot.cast, fits)
    if chain is None:
        return None
    who = chain[-1]
    emptied = place_of(plot.world, thing, *(chain if case < 2 else chain[:-1]))
    sense = {**persons(request.split, a=who), "c": str(emptied)}

    def done(there: str | None, held: str | None, sense: Sense) -> str | None:
        if there is None or held is None or sense["c"] not in (there, held):
            return None
        return options[2 if held != sense["c"] else there != sense["c"]]

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        real, own = place_of(world, thing), place_of(world, thing, who)
        return [
            *one_lower(chain, lambda people: done(real, own, sense)),
            ("reality", done(real, real, sense)),
            ("purpose left out", options[2]),
        ]

    def aim(world: World, sense: Sense, gold: str) -> Claim:
        return wants(who, f"to throw away what is in the {sense['c']}", f"to keep what is in the {sense['c']}")

    question = Question(
        framed(request, plot, sense, [EMPTIES], chain=chain, ponders=f"what {who} wanted to throw away"),
        asking(chain, f"What did {who} want to throw away?", f"{who} wanted to throw away"),
        options,
        by_two_beliefs(plot, chain, done),
        inner_state(plot, chain, "wanted to", options, chain[:-1]),
        aim,
        readings,
        "outcome left out",
        elsewhere("another container", sense, "c", plot.places),
        stated=3,
        things=tuple(things),
        spoken=f"{who} wanted to {{}}.",
        every=True,
    )
    return family(request, question)


def _has_order(template: str, order: int) -> bool:
    return order in {"moves it": (2,), "who misleads": (1,), "plants": (2, 3), "throws away": (1, 2)}.get(
        template, (1, 2, 3)
    )


def _made_by(template: str, order: int) -> tuple[str, ...]:
    return {
        "tried to get": ("goes elsewhere", *events(order)),
        "moves it": (*TIMING, "known camera", TOLD),
        "advises": ("says another place", *events(order, TOLD)),
        "plants": ("aims exchanged", *TIMING, "known camera", "distracted", NOTICED),
        "who misleads": ("says another place", "words exchanged"),
        "throws away": ("another container",),
    }[template]


DIMENSION = Dimension(
    name="intention",
    orders=(1, 2, 3),
    templates={
        "tried to get": tried_to_get,
        "moves it": moves_it,
        "advises": advises,
        "plants": plants,
        "who misleads": who_misleads,
        "throws away": throws_away,
    },
    perturbations=_made_by,
    of_order=_has_order,
)
