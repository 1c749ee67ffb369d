"""Intention: what somebody was trying to do, whether an act was meant to help or to hinder, what comes next."""

from __future__ import annotations

from collections.abc import Sequence

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Family, Request
from socialr1_lite.stories.belief import story_of
from socialr1_lite.stories.desire import wanted_thing
from socialr1_lite.stories.framing import (
    Asked,
    Reading,
    Sense,
    Tale,
    belief_claim,
    chain_for,
    contested,
    either,
    exchanges,
    family,
    intent_claims,
    one_lower,
    persons,
    place_of,
    pondering,
    state_claim,
    thinking,
    turned,
    wants,
    will,
)
from socialr1_lite.stories.plots import hidden_object
from socialr1_lite.stories.wording import LEXICON
from socialr1_lite.stories.world import World

FALSE_BELIEFS = 0.5  # share of families whose first story hangs on a false belief; its twin is often a true one
STUCK = (
    "{a} wanted to get one of these things and tugged at the {c}, but it would not open.",
    "{a} tried to open the {c} to get something out, but it was stuck.",
    "{a} bent down to reach into the {c} for something, but was called away.",
    "To get something, {a} pulled at the {c}, yet it stayed shut.",
)


def tried_to_get(request: Request) -> Family | None:
    """A failed action: what was it for, given what A thinks is in there?"""

    def asks(chain: Sequence[str]) -> str:
        if len(chain) == 1:
            return f"What was {chain[0]} trying to get?"
        return f"What {thinking(chain[:-1])}{chain[-1]} was trying to get?"

    return wanted_thing(request, STUCK, "get the {}", "{} was trying to {{}}.", asks, "was trying to get")


PUTS = (
    "Later, when nobody else is there, {x} takes the {o} out of the {r} and puts it in the {c}, as {x} "
    "knows that {y} will come for it.",
    "Knowing that {y} will soon come for the {o}, {x} moves it unseen from the {r} to the {c}.",
    "All alone, {x}, who knows that {y} will look for the {o}, takes it from the {r} and lays it in the {c}.",
    "As {y} is going to look for the {o}, {x} secretly carries it from the {r} to the {c}.",
)


def moves_it(request: Request) -> Family | None:
    """Order 2: X moves the thing to where X thinks that Y will look (to help), or away from there (to hinder)."""
    rng, plot = request.rng, story_of(request, last=True)
    helps = int(request.slot * 2) == 0

    def fits(chain: tuple[str, ...]) -> bool:
        expected = place_of(plot.world, plot.thing, *chain)
        known = place_of(plot.world, plot.thing, chain[0]) == plot.reality
        return known and expected in plot.places and (not helps or expected != plot.reality)

    chain = chain_for(rng, plot, 2, plot.cast, fits)
    if chain is None:
        return None
    x, y = chain
    expected, real = place_of(plot.world, plot.thing, x, y), str(plot.reality)
    targets = [p for p in plot.places if p != real and (p == expected) == helps]
    if not targets:
        return None
    sense = {"x": x, "y": y, "o": plot.thing, "r": real, "c": rng.pick(targets)}
    options = (f"help {y} find the {plot.thing}", f"keep {y} from finding the {plot.thing}")

    def aims(place: str | None, sense: Sense) -> str | None:
        return None if place is None else options[place != sense["c"]]

    def answer(world: World, sense: Sense) -> str | None:
        known = place_of(world, plot.thing) == place_of(world, plot.thing, x) == sense["r"]
        return aims(place_of(world, plot.thing, *chain), sense) if known else None

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        state = state_claim(x, "wants to", str(answer(world, sense)), options)
        return (state, *belief_claim(plot, world, chain), *belief_claim(plot, world, (y,)))

    def readings(world: World, sense: Sense) -> list[Reading]:
        return [
            ("one order too low", aims(place_of(world, plot.thing, y), sense)),
            *(("wrong aim", option) for option in options),
        ]

    def aim(world: World, sense: Sense) -> Claim:
        goals = (f"{y} to get the {plot.thing}", f"{y} to miss the {plot.thing}")
        return either(x, goals, answer(world, sense) == options[0])

    turns = [("puts it elsewhere", {**sense, "c": p}) for p in plot.places if p not in (real, sense["c"])]
    return family(
        request,
        Asked(
            Tale(plot, sense, (), (rng.pick(PUTS),)),
            f"Why does {x} move the {plot.thing}?",
            options,
            answer,
            claims,
            aim,
            readings,
            turns,
            spoken=f"{x} wants to {{}}.",
            marked=frozenset({"one order too low"}),
        ),
    )


TELLS = (
    '"The {o} is in the {p}," says {x} later to {y}, who is looking for it.',
    "{y} asks for the {o}, and {x} answers that it is in the {p}.",
    "{x} tells {y}, who needs the {o}, to look in the {p}.",
    "As {y} is searching for the {o}, {x} points to the {p}.",
)


def advises(request: Request) -> Family | None:
    """X tells Y where to look: meant to help exactly if it is where X thinks that the thing is."""
    rng, plot = request.rng, story_of(request, last=True)
    chain = contested(rng, plot, request.order, plot.cast, FALSE_BELIEFS)
    others = [name for name in plot.cast if chain and name not in chain]
    if chain is None or not others:
        return None
    x, y = chain[-1], rng.pick(others)
    helps = int(request.slot * 2) == 0
    held, real = place_of(plot.world, plot.thing, *chain), plot.reality
    wrong = [p for p in plot.places if p != held]
    said = held if helps else real if real in wrong and rng.chance(0.5) else rng.pick(wrong)
    sense = {"x": x, "y": y, "o": plot.thing, "p": str(said)}
    options = (f"help {y} find the {plot.thing}", f"mislead {y}")

    def aims(place: str | None, sense: Sense) -> str | None:
        return None if place is None else options[place != sense["p"]]

    def answer(world: World, sense: Sense) -> str | None:
        return aims(place_of(world, plot.thing, *chain), sense)

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        return intent_claims(plot, world, chain, str(answer(world, sense)), options, ())

    def readings(world: World, sense: Sense) -> list[Reading]:
        return [
            *one_lower(chain, lambda people: aims(place_of(world, plot.thing, *people), sense)),
            ("reality", aims(place_of(world, plot.thing), sense)),
            *(("wrong aim", option) for option in options),
        ]

    ponder, goal = pondering(request, chain, f"what {x} is trying to do by telling {y} this")

    def aim(world: World, sense: Sense) -> Claim:
        goals = (f"{y} to get the {plot.thing}", f"{y} to miss the {plot.thing}")
        return goal or either(x, goals, answer(world, sense) == options[0])

    turns = [("says another place", {**sense, "p": p}) for p in plot.places if p != said]
    question = f"Why does {x} say this to {y} about the {plot.thing}?"
    if len(chain) > 1:
        question = f"What {thinking(chain[:-1])}{x} is trying to do by telling {y} about the {plot.thing}?"
    return family(
        request,
        Asked(
            Tale(plot, sense, (), (rng.pick(TELLS), *ponder)),
            question,
            options,
            answer,
            claims,
            aim,
            readings,
            turns,
            scenery=len(ponder),
            spoken=f"{x} wants to {{}}.",
        ),
    )


PLANS = (
    "{x} has a {f} that {y} should come across at once, and a {h} that {y} must not come across, and "
    "puts each in one of the two places.",
    "{x} wants {y} to come across a {f} right away but never a {h}, and puts each of them in one of the two places.",
    "There is a {h} that {x} wants to hide from {y}, and a {f} that {y} is to see soon, and {x} puts "
    "each in one of the two places.",
    "A {h} is to stay hidden from {y} and a {f} is to be seen soon, so {x} puts each in one of the two places.",
)
FETCHES = (
    "{y} will come only for the {o} and open only one of the {c0} and the {c1}.",
    "As {x} knows, {y} will come to get the {o} and will look only in the {c0} or only in the {c1}.",
    "{y} is going to fetch the {o} and will open only the {c0} or only the {c1}.",
)


def plants(request: Request) -> Family | None:
    """Next action: X wants Y to come across one thing and not the other; where does X think that Y will look?"""
    rng = request.rng
    people = max(3, request.order + 1) + rng.below(2)
    plot = hidden_object(rng, request.split, people=people, places=2, chapters=request.chapters, last=True)
    chain = contested(rng, plot, request.order, plot.cast, FALSE_BELIEFS)
    told = " ".join(plot.sentences)
    spare = [thing for thing in LEXICON[request.split].things if thing not in told and thing[0] not in "aeiou"]
    if chain is None:
        return None
    x, y = chain[-2:]
    expected = place_of(plot.world, plot.thing, *chain)
    target = plot.places[int(request.slot * 2)]
    shown = target == expected
    one, two = rng.sample(spare, 2)
    sense = {
        "x": x,
        "y": y,
        "o": plot.thing,
        "f": one if shown else two,
        "h": two if shown else one,
        **dict(zip(("c0", "c1"), rng.sample(plot.places, 2), strict=True)),
    }
    options = tuple(f"put the {one} in the {place}" for place in plot.places)

    def puts(place: str | None, sense: Sense) -> str | None:
        if place is None:
            return None
        return options[(plot.places.index(place) + (sense["f"] != one)) % 2]

    def answer(world: World, sense: Sense) -> str | None:
        return puts(place_of(world, plot.thing, *chain), sense)

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        state = state_claim(x, "wants to", str(answer(world, sense)), options, chain[:-2])
        aims = (f"let {y} see the {one}", f"hide the {one} from {y}")
        aim = state_claim(x, "wants to", aims[sense["f"] != one], aims, chain[:-2])
        return (
            state,
            aim,
            state_claim(y, "wants to", f"fetch the {plot.thing}", ()),
            *belief_claim(plot, world, chain),
        )

    def readings(world: World, sense: Sense) -> list[Reading]:
        return [
            ("one order too low", puts(place_of(world, plot.thing, *chain[1:]), sense)),
            ("reality", puts(place_of(world, plot.thing), sense)),
            *(("aim turned round", option) for option in options),
        ]

    ponder, goal = pondering(request, chain[:-1], f"what {x} will do with the {one}")

    def aim(world: World, sense: Sense) -> Claim:
        show, hide = f"{y} to come across the {one}", f"{y} to miss the {one}"
        return goal or either(x, (show, hide), sense["f"] == one)

    return family(
        request,
        Asked(
            Tale(plot, sense, (), (rng.pick(FETCHES), rng.pick(PLANS), *ponder)),
            will(chain[:-1], f"do with the {one}"),
            options,
            answer,
            claims,
            aim,
            readings,
            [("aims exchanged", turned(sense, "f", "h"))],
            scenery=len(ponder),
            things=(one, two),
            spoken=f"{x} will {{}}.",
        ),
    )


SAYS = (
    '{n} says to {y}: "Look in the {p} for the {o}."',
    "{n} tells {y} that the {o} is in the {p}.",
    '"The {o} is in the {p}," says {n} to {y}.',
    "{n} sends {y} to the {p} for the {o}.",
)


def who_misleads(request: Request) -> Family | None:
    """Three people say where the thing is; one of them does not think so."""
    rng = request.rng
    plot = hidden_object(rng, request.split, people=4, places=2 + rng.below(2), chapters=request.chapters, last=True)
    *speakers, hearer = rng.sample(plot.cast, 4)
    held = {name: place_of(plot.world, plot.thing, name) for name in speakers}
    target = speakers[int(request.slot * 3)]
    if None in held.values() or len(set(held.values())) == 1:
        return None
    wrong = [p for p in plot.places if p != held[target]]
    said = {**held, target: rng.pick(wrong)}
    phrase = rng.pick(SAYS)
    order = rng.sample(range(3), 3)
    sense = {
        "y": hearer,
        "o": plot.thing,
        **{f"n{i}": name for i, name in enumerate(speakers)},
        **{f"p{i}": str(said[name]) for i, name in enumerate(speakers)},
    }
    closing = tuple(phrase.replace("{n}", f"{{n{i}}}").replace("{p}", f"{{p{i}}}") for i in order)

    def answer(world: World, sense: Sense) -> str | None:
        liars = [n for i, n in enumerate(speakers) if place_of(world, plot.thing, n) not in (sense[f"p{i}"], None)]
        unknown = any(place_of(world, plot.thing, n) is None for n in speakers)
        return liars[0] if len(liars) == 1 and not unknown else None

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        who = str(answer(world, sense))
        aims = (f"mislead {hearer}", f"help {hearer}")
        rest = [state_claim(n, "wants to", aims[1], aims) for n in speakers if n != who]
        return (
            state_claim(who, "wants to", aims[0], aims),
            *belief_claim(plot, world, (who,)),
            *belief_claim(plot, world, ()),
            *rest,
        )

    def readings(world: World, sense: Sense) -> list[Reading]:
        untrue = [n for i, n in enumerate(speakers) if sense[f"p{i}"] != place_of(world, plot.thing)]
        odd = [n for i, n in enumerate(speakers) if all(sense[f"p{i}"] != sense[f"p{j}"] for j in range(3) if j != i)]
        found: list[Reading] = [
            ("reality", untrue[0] if len(untrue) == 1 else None),
            ("odd one out", odd[0] if len(odd) == 1 else None),
        ]
        return [*found, *(("says what is untrue", n) for n in untrue), *(("says what is so", n) for n in speakers)]

    def aim(world: World, sense: Sense) -> Claim:
        who = str(answer(world, sense))
        return wants(who, f"{hearer} to miss the {plot.thing}", f"{hearer} to find the {plot.thing}")

    turns = [("words exchanged", turned(sense, f"p{i}", f"p{j}")) for i in range(3) for j in range(i)]
    turns += [
        ("says another place", {**sense, f"p{i}": str(held[speakers[i]]), f"p{j}": p})
        for i in range(3)
        if speakers[i] == target
        for j in range(3)
        if j != i
        for p in plot.places
        if p != held[speakers[j]]
    ]
    return family(
        request,
        Asked(
            Tale(plot, sense, (), closing),
            f"Who is trying to mislead {hearer} about the {plot.thing}?",
            tuple(speakers),
            answer,
            claims,
            aim,
            readings,
            turns,
            marked=frozenset({"reality", "odd one out"}),
        ),
    )


LOCKS = (
    "Now {a} locks the {c} to keep what {she_a} thinks is in it away from the others.",
    "{a} ties a rope round the {c} so that nobody gets at what {she_a} believes to be in it.",
    "To keep the others from what {she_a} supposes to be in the {c}, {a} seals it with tape.",
    "{a} pushes a heavy bench in front of the {c}, so that what {she_a} takes to be inside is out of "
    "reach for the others.",
)


def locks(request: Request) -> Family | None:
    """A shuts a container away: on purpose, in vain, or by accident as far as this thing goes?"""
    rng = request.rng
    plot, things = exchanges(request)
    plot.thing = rng.pick(things)
    thing = plot.thing
    options = (
        f"shut away the {thing} successfully",
        f"shut away the {thing} in vain",
        f"shut away something other than the {thing}",
    )
    case = int(request.slot * 3)

    def fits(chain: tuple[str, ...]) -> bool:
        there, held = (place_of(plot.world, thing, *people) for people in (chain[:-1], chain))
        return there is not None and held is not None and (there == held) == (case == 0)

    chain = chain_for(rng, plot, request.order, plot.cast, fits)
    if chain is None:
        return None
    who = chain[-1]
    shut = place_of(plot.world, thing, *(chain if case < 2 else chain[:-1]))
    sense = {**persons(request.split, a=who), "c": str(shut)}

    def done(there: str | None, held: str | None, sense: Sense) -> str | None:
        if there is None or held is None or sense["c"] not in (there, held):
            return None
        return options[2 if held != sense["c"] else there != sense["c"]]

    def answer(world: World, sense: Sense) -> str | None:
        return done(place_of(world, thing, *chain[:-1]), place_of(world, thing, *chain), sense)

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        return intent_claims(plot, world, chain, str(answer(world, sense)), options, chain[:-1])

    def readings(world: World, sense: Sense) -> list[Reading]:
        real, own = place_of(world, thing), place_of(world, thing, who)
        return [
            *one_lower(chain, lambda people: done(real, own, sense)),
            ("reality", done(real, real, sense)),
            ("purpose left out", options[2]),
            ("outcome left out", options[0]),
            ("outcome left out", options[1]),
        ]

    ponder, goal = pondering(request, chain, f"what {who} wants to do with the {thing}")

    def aim(world: World, sense: Sense) -> Claim:
        return goal or wants(who, "to shut a thing away from the others", "to hand a thing over to the others")

    asked = f"What does {who} want to do about the {thing}?"
    if len(chain) > 1:
        asked = f"What {thinking(chain[:-1])}{who} wants to do about the {thing}?"
    return family(
        request,
        Asked(
            Tale(plot, sense, (), (rng.pick(LOCKS), *ponder)),
            asked,
            options,
            answer,
            claims,
            aim,
            readings,
            [("another container", {**sense, "c": p}) for p in plot.places if p != shut],
            stated=3,
            scenery=len(ponder),
            things=tuple(things),
            spoken=f"{who} wants to {{}}.",
            every=True,
        ),
    )


def _has_order(template: str, order: int) -> bool:
    return order in {"moves it": (2,), "who misleads": (1,), "plants": (2, 3), "locks": (1, 2)}.get(template, (1, 2, 3))


DIMENSION = Dimension(
    name="intention",
    orders=(1, 2, 3),
    templates={
        "tried to get": tried_to_get,
        "moves it": moves_it,
        "advises": advises,
        "plants": plants,
        "who misleads": who_misleads,
        "locks": locks,
    },
    of_order=_has_order,
)
