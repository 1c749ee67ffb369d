"""Desire: what somebody will choose, given what they like, what they think is to be had, and what others like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Family, Request, by_name
from socialr1_lite.stories.framing import (
    Question,
    Sense,
    TaleReading,
    asking,
    belief_claim,
    by_belief,
    chain_for,
    contested,
    either,
    elsewhere,
    exchanges,
    family,
    framed,
    guests,
    lower_or_real,
    one_lower,
    persons,
    place_of,
    recasts,
    state_claim,
    turned,
    wants,
    will,
)
from socialr1_lite.stories.plots import Plot
from socialr1_lite.stories.scenes import TABLE, menu, tastes
from socialr1_lite.stories.scope import RECAST, TIMING, events
from socialr1_lite.stories.world import World

# Shares of families whose first story hangs on a false belief. Its twin often hangs on a true one, so that answering by
# what is so is right as often as guessing.
FALSE_OF_TWO, FALSE_OF_THREE = 0.5, 0.9
FALSE_AND_GONE = 0.85  # the same where A knows that the favourite is gone, but not that the next one is (or is not)
FAVOURITE_LEFT = 1 / 4  # share whose first story lets the favourite be had; its twin often lets it be had too
RANKED = (
    "It was well known that {a} liked the {r0} best, then the {r1} and then the {r2}, "
    "and that {b} liked them in the opposite order.",
    "Everyone knew the order in which {a} liked the dishes, the {r0}, the {r1}, the {r2}, "
    "and that {b} liked them in reverse.",
    "It was well known that {a} put the {r0} first, the {r1} second and the {r2} last, "
    "and that {b} did just the opposite.",
)
RANKED_BY_ALL = (
    "All of them liked the {r0} best, then the {r1} and then the {r2}.",
    "They had the same taste: the {r0} came first, the {r1} second and the {r2} last.",
    "Each of them would rather have the {r0} than the {r1}, and rather the {r1} than the {r2}.",
)
ORDERS = (
    "Without looking at the table, {a} is to ask for one dish.",
    "Now {a} may ask for one dish, without seeing what stands on the table.",
    "{a} is asked over the phone which dish {she_a} wants.",
    "Now it is the turn of {a} to ask for one dish, with no view of the table.",
)
ALL_ORDER = (
    "Without looking at the table, each of them writes down one dish to ask for.",
    "Now each of them may ask for one dish, without seeing what stands on the table.",
    "Each of them is now to name one dish on a slip of paper, with no view of the table.",
)


def _left(world: World, foods: Sequence[str], chain: Sequence[str]) -> list[str]:
    """List the dishes that the chain thinks are still on the table."""
    return [food for food in foods if place_of(world, food, *chain) == TABLE]


def _first_of(ranking: Sequence[str], left: Sequence[str]) -> str | None:
    return next((food for food in ranking if food in left), None)


def _ranking(
    request: Request, target: str, foods: Sequence[str], left: Sequence[str], *, favourite: bool
) -> list[str] | None:
    """Draw an order of the dishes whose first one left is the target: the favourite, or behind those gone."""
    rng = request.rng
    gone = [food for food in foods if food not in left]
    if target in gone or not (favourite or gone):
        return None
    above = [] if favourite else rng.sample(gone, len(gone))
    rest = [food for food in foods if food != target and food not in above]
    return [*above, target, *rng.sample(rest, len(rest))]


def _left_claims(world: World, chain: Sequence[str], ranking: Sequence[str], gold: str) -> list[Claim]:
    """Claim that the chain thinks the chosen dish to be on the table, and those liked better to be gone."""
    states = ("still on the table", "no longer on the table")
    really = states if place_of(world, gold) == TABLE else states[::-1]
    return [
        Claim(tuple(chain), f"the {gold}", "is", states[0], states[1:]),
        Claim((), f"the {gold}", "is", really[0], really[1:]),
        *(Claim(tuple(chain), f"the {food}", "is", states[1], states[:1]) for food in ranking[: ranking.index(gold)]),
    ]


def chooses(request: Request) -> Family | None:
    """Ask what A will ask for where the favourite dish may be gone, or be thought to be gone."""
    rng = request.rng
    plot = menu(rng, request.split, people=request.draw_people(), count=3, chapters=request.chapters)
    foods = plot.others[-3:]
    found = _choice_to_make(request, plot, foods)
    if found is None:
        return None
    chain, ranking = found
    who, other = chain[-1], rng.pick([name for name in plot.cast if name != chain[-1]])
    sense = {**persons(request.split, a=who, b=other), **{f"r{i}": food for i, food in enumerate(ranking)}}
    deed = "ask for the {}".format

    def ranked(sense: Sense) -> list[str]:
        return [sense[f"r{i}"] for i in range(3)]

    def choice(world: World, ranking: Sequence[str], people: Sequence[str]) -> str | None:
        food = _first_of(ranking, _left(world, foods, people))
        return None if food is None else deed(food)

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        state = state_claim(who, "wants to", gold, [deed(food) for food in foods], chain[:-1])
        return (state, *_left_claims(world, chain, ranked(sense), gold.removeprefix(deed(""))))

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        return [
            *one_lower(chain, lambda people: choice(world, ranked(sense), people)),
            ("reality", choice(world, ranked(sense), ())),
            ("favourite", deed(sense["r0"])),
            ("another's taste", choice(world, ranked(sense)[::-1], chain)),
        ]

    ponders = f"what {who} will ask for to get the best dish"
    question = Question(
        framed(request, plot, sense, [ORDERS], [RANKED], chain=chain, ponders=ponders),
        will(chain, "do to get the best dish"),
        tuple(deed(food) for food in foods),
        lambda world, sense: choice(world, ranked(sense), chain),
        claims,
        wants(who, "to get the best dish that is left", "to get the worst dish that is left"),
        readings,
        "second choice",
        [
            ("tastes exchanged", turned(sense, "r0", "r2")),
            ("order of tastes", turned(sense, "r0", "r1")),
            ("order of tastes", turned(sense, "r1", "r2")),
        ],
        retold=lambda plot: _about_other(plot, foods),
        things=tuple(foods),
        marked=frozenset({"reality", "favourite"}),
        spoken=f"{who} will {{}}.",
    )
    return family(request, question)


def _choice_to_make(request: Request, plot: Plot, foods: Sequence[str]) -> tuple[tuple[str, ...], list[str]] | None:
    """Draw a chain and an order of the dishes of which the dealt one is the best that the chain thinks left."""
    rng = request.rng
    target, card = foods[int(request.slot * 3)], request.slot * 3 % 1
    favourite = card < FAVOURITE_LEFT  # dealt with the slot: a draw that fails must not change it
    false = rng.chance(FALSE_OF_THREE if favourite else FALSE_AND_GONE)
    real = _left(plot.world, foods, ())

    def fits(chain: tuple[str, ...]) -> bool:
        left = _left(plot.world, foods, chain)
        return target in left and (not false or left != real)

    chain = chain_for(rng, plot, request.order, plot.cast, fits)
    if chain is None:
        return None
    ranking = _ranking(request, target, foods, _left(plot.world, foods, chain), favourite=favourite)
    if ranking is None or (_first_of(ranking, real) != target) != false:
        return None
    return chain, ranking


def _about_other(plot: Plot, foods: Sequence[str]) -> list[tuple[str, Plot]]:
    """Tell the stories in which one dish that ran out is another one."""
    found = []
    for food in (food for food in foods if food != plot.thing):
        names, steps = {plot.thing: food, food: plot.thing}, []
        for step in plot.steps:
            old = step.event.thing
            if step.event.kind in ("move", "tell") and old in names:
                text = step.text.replace(f"the {old}", f"the {names[old]}")
                step = replace(step, event=replace(step.event, thing=names[old]), text=text)
            steps.append(step)
        found.append(("another dish gone", plot.edited(steps)))
    return found


def who_asks(request: Request) -> Family | None:
    """Ask who will ask for this dish, of people with the same taste but not the same view of what is left."""
    rng = request.rng
    plot = menu(rng, request.split, people=request.people(3 + rng.below(2)), count=3, chapters=request.chapters)
    foods, target = plot.others[-3:], plot.cast[int(request.slot * len(plot.cast))]
    left = _left(plot.world, foods, (target,))
    ranking = _ranking(request, rng.pick(left), foods, left, favourite=rng.chance(1 / 3)) if left else None
    if ranking is None:
        return None
    asked = str(_first_of(ranking, left))
    sense = {f"r{i}": food for i, food in enumerate(ranking)}

    def answer(world: World, sense: Sense) -> str | None:
        found = [name for name in plot.cast if _first_of(ranking, _left(world, foods, (name,))) == asked]
        return found[0] if len(found) == 1 else None

    if answer(plot.world, sense) != target or (target == plot.world.last_mover()) != rng.chance(1 / len(plot.cast)):
        return None

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        state = state_claim(gold, "wants to", f"ask for the {asked}", [f"ask for the {food}" for food in foods])
        return (state, *_left_claims(world, (gold,), ranking, asked))

    goals = ("to get the best dish that is left", "to get the worst dish that is left")
    question = Question(
        framed(request, plot, sense, [ALL_ORDER, [f"{name} yawns." for name in plot.cast]], [RANKED_BY_ALL], scenery=1),
        f"Who will ask for the {asked} as the best dish that is left?",
        tuple(plot.cast),
        answer,
        claims,
        lambda world, sense, gold: wants(gold, *goals),
        lambda world, sense: [("last actor", world.last_mover())],
        "asks for another dish",
        retold=lambda plot: recasts(request, plot, target),
        things=tuple(foods),
        marked=frozenset({"last actor"}),
    )
    return family(request, question)


OWN = (
    "As for {a}, the {own} was what {she_a} liked best.",
    "{a}, for one, liked the {own} best.",
    "For {a} nothing was as good as the {own}.",
    "{a} never wanted anything but the {own}.",
)
SERVES = (
    "Now {a} wants to serve {y} the dish that {y} likes best.",
    "{a} would like to please {y} with the dish that {y} likes best.",
    "{a} is about to bring {y} a dish and wants it to be the one that {y} likes best.",
    "It is {a} who brings {y} something to eat, and {she_a} wants {y} to have the best dish.",
)


def _taste_claims(plot: Plot, world: World, chain: Sequence[str]) -> list[Claim]:
    """Claim what the chain thinks that the first of the cast likes best."""
    held = place_of(world, plot.thing, *chain)
    rivals = tuple(f"is the {food}" for food in plot.places if food != held)
    return [] if held is None else [Claim(tuple(chain), f"{plot.cast[0]}'s favourite", "now", f"is the {held}", rivals)]


def _taste_readings(
    plot: Plot, world: World, chain: Sequence[str], of: Callable[[str | None], str | None]
) -> list[TaleReading]:
    stays = world.history(("where", plot.thing))
    return [
        *lower_or_real(world, plot.thing, chain, of),
        ("first taste", of(stays[0])),
        *(("earlier taste", of(food)) for food in stays),
    ]


def brings(request: Request) -> Family | None:
    """Ask what A brings to please Y, whose taste has changed, perhaps unnoticed; A's own is another matter."""
    rng, people = request.rng, request.draw_people()
    plot = tastes(rng, request.split, people=people, count=2 + rng.below(2), chapters=request.chapters)
    target = plot.places[int(request.slot * len(plot.places))]
    share = FALSE_OF_TWO if len(plot.places) == 2 else FALSE_OF_THREE
    chain = contested(rng, plot, request.order, plot.cast[1:], share)
    if chain is None or place_of(plot.world, plot.thing, *chain) != target:
        return None
    who, guest = chain[-1], plot.cast[0]
    sense = {**persons(request.split, a=who, y=guest), "own": rng.pick(plot.places)}
    options = tuple(f"serve the {food}" for food in plot.places)

    def serves(food: str | None, sense: Sense) -> str | None:
        return None if food is None else f"serve the {food}"

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        return (state_claim(who, "wants to", gold, options, chain[:-1]), *_taste_claims(plot, world, chain))

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        others = _taste_readings(plot, world, chain, lambda food: serves(food, sense))
        return [("own taste", serves(sense["own"], sense)), *others]

    ponders = f"what {who} will serve to please {guest}"
    question = Question(
        framed(request, plot, sense, [SERVES], [OWN], chain=chain, ponders=ponders, idle=1),
        will(chain, f"do to please {guest}"),
        options,
        by_belief(plot, chain, serves),
        claims,
        wants(who, f"to serve {guest} the dish that {guest} likes best"),
        readings,
        "only said",
        things=tuple(plot.places),
        marked=frozenset({"reality", "own taste"}),
        spoken=f"{who} will {{}}.",
    )
    return family(request, question)


MATES = (
    "{s} always wants to eat the same dish as {y}, while {t} always leaves {y} the dish that {y} likes best.",
    "{t} always leaves {y} the dish that {y} likes best, while {s} always wants to eat the same dish as {y}.",
    "{s} makes it a rule to eat what {y} likes best, while {t} makes it a rule to leave {y} what {y} likes best.",
    "{t} makes it a rule to leave {y} what {y} likes best, while {s} makes it a rule to eat what {y} likes best.",
)
TAKES = (
    "Left to {self_a}, {a} would rather eat the {own}, but that matters less to {her_a}, and now {she_a} "
    "takes one of the two dishes.",
    "{a} {self_a} prefers the {own}, but that is not what counts most for {her_a} as {she_a} now chooses "
    "one of the two dishes.",
    "The {own} is what {a} {self_a} finds tastier, but that counts less for {her_a}, and now {she_a} "
    "reaches for one dish.",
)


def shares(request: Request) -> Family | None:
    """Ask what A takes between A's own taste and the wish to eat what Y likes best (or to leave it to Y)."""
    rng = request.rng
    plot = tastes(rng, request.split, people=request.draw_people(), count=2, chapters=request.chapters)
    chain = contested(rng, plot, request.order, plot.cast[1:], FALSE_OF_TWO)
    others = [name for name in plot.cast[1:] if chain and name != chain[-1]]
    if chain is None or not others:
        return None
    who, guest, other = chain[-1], plot.cast[0], rng.pick(others)
    same = plot.places[int(request.slot * 2)] == place_of(plot.world, plot.thing, *chain)
    wishes = {"s": who if same else other, "t": other if same else who}
    sense = {**persons(request.split, a=who, y=guest), **wishes, "own": rng.pick(plot.places)}
    options = tuple(f"take the {food}" for food in plot.places)

    def takes(food: str | None, sense: Sense) -> str | None:
        return None if food is None else options[(plot.places.index(food) + (sense["s"] != who)) % 2]

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        aims = (f"eat what {guest} likes best", f"leave what {guest} likes best")
        mine, other_aim = aims if sense["s"] == who else aims[::-1]
        return (
            state_claim(who, "wants to", gold, options, chain[:-1]),
            state_claim(who, "wants to", mine, aims, chain[:-1]),
            state_claim(other, "wants to", other_aim, aims),
            *_taste_claims(plot, world, chain),
        )

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        others = _taste_readings(plot, world, chain, lambda food: takes(food, sense))
        return [*others, ("own taste", f"take the {sense['own']}")]

    goals = (f"to share the favourite dish of {guest}", f"to leave the favourite dish to {guest}")
    ponders = f"which dish {who} will take"
    question = Question(
        framed(request, plot, sense, [TAKES], [MATES], chain=chain, ponders=ponders, scenery=1),
        will(chain, "do when the two dishes are offered"),
        options,
        by_belief(plot, chain, takes),
        claims,
        lambda world, sense, gold: either(who, goals, sense["s"] == who),
        readings,
        "aim turned round",
        [("aims exchanged", turned(sense, "s", "t"))],
        things=tuple(plot.places),
        marked=frozenset({"reality", "own taste"}),
        spoken=f"{who} will {{}}.",
    )
    return family(request, question)


RATHER = (
    "It was well known that {a} would rather have the {p} than the {n} and {b} rather the {n} than the {p}.",
    "It was well known that {b} would rather have the {n} than the {p} and {a} rather the {p} than the {n}.",
    "All of them knew that {a} liked the {p} more than the {n} and {b} the {n} more than the {p}.",
    "All of them knew that {b} liked the {n} more than the {p} and {a} the {p} more than the {n}.",
)
MAY_OPEN = (
    "Now {a} may open one container and keep what is in it.",
    "{a} is allowed to keep what is in the one container that {she_a} opens.",
    "One container may now be opened by {a}, who may keep what is in it.",
)


def opens(request: Request) -> Family | None:
    """Ask which container A opens, who may open one, to get what A likes more."""
    rng = request.rng
    plot, things = exchanges(request)
    target = plot.places[int(request.slot * 3)]
    false = rng.chance(FALSE_OF_THREE)

    def fits(chain: tuple[str, ...]) -> bool:
        found = [thing for thing in things if place_of(plot.world, thing, *chain) == target]
        return len(found) == 1 and (place_of(plot.world, found[0]) != target) == false

    chain = chain_for(rng, plot, request.order, plot.cast, fits)
    if chain is None:
        return None
    liked = next(thing for thing in things if place_of(plot.world, thing, *chain) == target)
    less = rng.pick([thing for thing in things if thing != liked])
    who, other = chain[-1], rng.pick([name for name in plot.cast if name != chain[-1]])
    plot = replace(plot, thing=liked)
    sense = {**persons(request.split, a=who, b=other), "p": liked, "n": less}
    options = tuple(f"open the {place}" for place in plot.places)

    def open_(place: str | None) -> str | None:
        return None if place is None else f"open the {place}"

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        state = state_claim(who, "wants to", gold, options, chain[:-1])
        return (state, *belief_claim(plot, world, chain, sense["p"]), *belief_claim(plot, world, (), sense["p"]))

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        return [
            *lower_or_real(world, sense["p"], chain, open_),
            ("another's taste", open_(place_of(world, sense["n"], *chain))),
            ("first place", open_(world.history(("where", sense["p"]))[0])),
        ]

    one, two = sorted((liked, less))
    which = f"Of the {one} and the {two}, {who} wants the one that {who} likes more. Which container"
    question = Question(
        framed(request, plot, sense, [MAY_OPEN], [RATHER], chain=chain, ponders=f"which container {who} will open"),
        asking(chain, f"{which} will {who} open to get it?", f"{who} will open to get it", which),
        options,
        lambda world, sense: open_(place_of(world, sense["p"], *chain)),
        claims,
        lambda world, sense, gold: wants(who, f"to have the {sense['p']}", f"to have the {sense['n']}"),
        readings,
        "a third thing",
        [("tastes exchanged", turned(sense, "p", "n"))],
        things=tuple(things),
        spoken=f"{who} will {{}}.",
    )
    return family(request, question)


GOES_STRAIGHT = (
    "{a} wants one of these things and no other, and goes straight to the {c}.",
    "There is only one of these things that {a} wants, and {she_a} walks straight up to the {c}.",
    "Looking for one thing only, {a} opens the {c} at once.",
    "{a} wants nothing but one of these things and heads for the {c}.",
)


def is_after(request: Request) -> Family | None:
    """Ask which thing A wants who goes to a container, given what A thinks is in it."""
    return wanted_thing(
        request,
        GOES_STRAIGHT,
        "have the {}",
        "{} wants to {{}}.",
        lambda chain: asking(chain, f"What does {chain[0]} want?", f"{chain[-1]} wants"),
        "wants",
    )


def wanted_thing(
    request: Request,
    phrases: Sequence[str],
    deed: str,
    spoken: str,
    asks: Callable[[Sequence[str]], str],
    verb: str,
    purpose: str = "lay hands on the {}",
) -> Family | None:
    """Ask which thing A means by an act on a container, given what A thinks is in it; things change places.

    phrases: the act, with {a} and {c}, perhaps before {b}, who has just come in. deed: what is wanted with the thing.
    spoken: an option, with the name of A. purpose: A's goal.
    """
    plot, things = exchanges(request)
    plot = replace(plot, thing=things[int(request.slot * 3)])
    chain = contested(request.rng, plot, request.order, plot.cast, FALSE_OF_THREE)
    if chain is None:
        return None
    who = chain[-1]
    newcomers = tuple(guests(request.rng, request.split, plot)) if any("{b}" in phrase for phrase in phrases) else ()
    sense = {**persons(request.split, a=who), **dict(zip("b", newcomers, strict=False))}
    sense["c"] = str(place_of(plot.world, plot.thing, *chain))
    options = tuple(deed.format(thing) for thing in things)

    def has(world: World, place: str, people: Sequence[str]) -> str | None:
        found = [deed.format(thing) for thing in things if place_of(world, thing, *people) == place]
        return found[0] if len(found) == 1 else None

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        thing = things[options.index(gold)]
        beliefs = (*belief_claim(plot, world, chain, thing), *belief_claim(plot, world, (), thing))
        return (state_claim(who, "wants to", gold, options, chain[:-1]), *beliefs)

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        first = next(thing for thing in things if world.history(("where", thing))[0] == sense["c"])
        lower = one_lower(chain, lambda people: has(world, sense["c"], people))
        return [*lower, ("reality", has(world, sense["c"], ())), ("first content", deed.format(first))]

    def aim(world: World, sense: Sense, gold: str) -> Claim:
        goals = [f"to {purpose.format(thing)}" for thing in things]
        return wants(who, goals.pop(options.index(gold)), *goals)

    question = Question(
        framed(request, plot, sense, [phrases], chain=chain, ponders=f"what {who} {verb}"),
        asks(chain),
        options,
        lambda world, sense: has(world, sense["c"], chain),
        claims,
        aim,
        readings,
        "another thing",
        elsewhere("goes elsewhere", sense, "c", plot.places),
        things=tuple(things),
        spoken=spoken.format(who),
        guests=newcomers,
    )
    return family(request, question)


def _made_by(template: str, order: int) -> tuple[str, ...]:
    return {
        "chooses": ("tastes exchanged", "order of tastes", "another dish gone", *events(order)),
        "who asks": (RECAST,),
        "brings": tuple(edit for edit in events(order) if edit not in TIMING),
        "shares": ("aims exchanged", *events(order)),
        "opens": ("tastes exchanged", *events(order)),
        "is after": ("goes elsewhere", *events(order)),
    }[template]


DIMENSION = Dimension(
    name="desire",
    orders=(1, 2, 3),
    templates=by_name(chooses, who_asks, brings, shares, opens, is_after),
    perturbations=_made_by,
    of_order=lambda template, order: order == 1 or template != "who asks",
)
