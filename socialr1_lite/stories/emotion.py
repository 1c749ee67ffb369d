"""Emotion: what somebody feels as they believe things to be, what they show, what they think another feels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Family, Request
from socialr1_lite.stories.belief import story_of
from socialr1_lite.stories.framing import (
    Asked,
    Reading,
    Sense,
    Tale,
    belief_claim,
    bystanders,
    contested,
    family,
    persons,
    place_of,
    recasts,
    state_claim,
    thinking,
    turned,
    wants,
)
from socialr1_lite.stories.plots import Plot
from socialr1_lite.stories.wording import PHRASES, listed
from socialr1_lite.stories.world import World

FALSE_BELIEFS = 0.6  # share of families whose first story hangs on a false belief; its twin is often a true one
FACES = {  # feeling: how it shows
    "joy": "a smile",
    "anger": "a scowl",
    "fear": "a shudder",
    "sadness": "a pout",
    "pride": "a swagger",
    "boredom": "a yawn",
    "envy": "a sneer",
    "relief": "a sigh",
    "disgust": "a grimace",
}
BY_PLACE = (  # {list}: "joy if it was in the box and anger if it was in the tin"
    "As everyone knew, the {o} was not just any {o} to {a}, who would feel {list}.",
    "When it came to the {o}, {a} would feel {list}, and all of them were aware of that.",
    "{a} had told everyone what {she_a} would feel about the {o}: {list}.",
    "It was no secret what {a} would feel about the {o}: {list}.",
)
OF_ALL = (
    "When it came to the {o}, each of them would feel {list}.",
    "They were all of one mind about the {o}: they would feel {list}.",
    "Where the {o} was mattered to each of them in the same way, for each would feel {list}.",
)
WONDERS = (
    "Now {y} wonders what {a} feels about the {o}.",
    "{y} would like to know what {a} feels about the {o}.",
    "{y} is thinking about {a} and the {o}.",
    "Later, {y} thinks about what the {o} means to {a}.",
)


def _by_place(plot: Plot, chosen: Sequence[str]) -> tuple[Sense, Callable[[Sense, str | None], str | None]]:
    """Words c0, f0, c1, … for "feeling f0 if it is in place c0", and the reading of them."""
    sense = {f"c{i}": place for i, place in enumerate(plot.places)} | {f"f{i}": f for i, f in enumerate(chosen)}

    def feeling(sense: Sense, place: str | None) -> str | None:
        return next((sense[f"f{i}"] for i in range(len(chosen)) if sense[f"c{i}"] == place), None)

    return sense, feeling


def _clauses(request: Request, count: int) -> str:
    order = list(range(count))
    request.rng.shuffle(order)
    return listed([f"{{f{i}}} if it was in the {{c{i}}}" for i in order])


def _dealt(request: Request, plot: Plot, held: str | None, options: Sequence[str]) -> list[str]:
    """The feelings in the order of the plot's places, such that the dealt option belongs to the place that is held."""
    target = options[int(request.slot * len(options))]
    rest = [option for option in options if option != target]
    request.rng.shuffle(rest)
    at = plot.places.index(str(held))
    return [*rest[:at], target, *rest[at:]]


def _asks(request: Request, chain: Sequence[str], plot: Plot) -> tuple[str, Claim]:
    """The closing sentence that says what the first of the chain is after, and that goal."""
    if len(chain) == 1:
        return request.rng.pick(PHRASES["need"]), wants(
            chain[0], f"to find the {plot.thing}", f"to hide the {plot.thing}"
        )
    return request.rng.pick(WONDERS), wants(chain[0], f"to know what {chain[-1]} feels about the {plot.thing}")


def feels(request: Request) -> Family | None:
    """A feeling for each place: which one does A have, or does Y think that A has."""
    rng, plot = request.rng, story_of(request, last=True)
    chain = contested(rng, plot, request.order, bystanders(plot), 0.45)
    if chain is None:
        return None
    options = rng.sample(tuple(FACES), len(plot.places))
    sense, feeling = _by_place(plot, _dealt(request, plot, place_of(plot.world, plot.thing, *chain), options))
    closing, goal = _asks(request, chain, plot)
    sense = {**sense, **persons(request.split, a=chain[-1], y=chain[0]), "o": plot.thing}
    phrase = rng.pick(BY_PLACE).replace("{list}", _clauses(request, len(options)))

    def answer(world: World, sense: Sense) -> str | None:
        return feeling(sense, place_of(world, plot.thing, *chain))

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        felt = state_claim(chain[-1], "feels", str(answer(world, sense)), options, chain[:-1])
        return (felt, *belief_claim(plot, world, chain), *belief_claim(plot, world, ()))

    question = (
        f"What {thinking(chain[:-1])}{chain[-1]} feels about the {plot.thing}?"
        if chain[:-1]
        else (f"What does {chain[-1]} feel about the {plot.thing} at the end?")
    )
    pairs = [(i, j) for i in range(len(options)) for j in range(i)]
    return family(
        request,
        Asked(
            Tale(plot, sense, (phrase,), (closing,)),
            question,
            tuple(options),
            answer,
            claims,
            lambda world, sense: goal,
            lambda world, sense: _place_readings(plot, world, chain, lambda place: feeling(sense, place)),
            [("feelings exchanged", turned(sense, f"f{i}", f"f{j}")) for i, j in pairs],
            scenery=1,
        ),
    )


def _place_readings(
    plot: Plot, world: World, chain: Sequence[str], of: Callable[[str | None], str | None]
) -> list[Reading]:
    """The answers to which other places than the believed one lead."""
    stays = world.history(("where", plot.thing))
    found: list[Reading] = [("reality", of(place_of(world, plot.thing)))]
    if len(chain) > 1:
        found.insert(0, ("one order too low", of(place_of(world, plot.thing, *chain[1:]))))
    found += [("another person's belief", of(place_of(world, plot.thing, name))) for name in plot.cast]
    found += [("first place", of(stays[0]))] + [("earlier place", of(place)) for place in stays]
    return found + [("only said", of(place)) for place in plot.places]


OPENED = ("joyful surprise", "unsurprised joy", "disappointed surprise")
OPENS = (
    "{a} is longing for the {o} and is about to open the {c}.",
    "{a} badly wants the {o} and goes to open the {c}.",
    "Hoping to get the {o} sooner or later, {a} reaches for the lid of the {c}.",
    "{a} would love to have the {o}, and now {she_a} starts to open the {c}.",
)


def on_opening(request: Request) -> Family | None:
    """A opens a container: is the thing there, and does A expect it there, as Y has it at order 2?"""
    rng, plot = request.rng, story_of(request, last=True)
    target = OPENED[int(request.slot * 3)]
    false = target != "unsurprised joy"
    chain = _expecting(request, plot, false)
    if chain is None:
        return None
    held, there = (place_of(plot.world, plot.thing, *people) for people in (chain, chain[:-1]))
    opened = held if target == "disappointed surprise" else there
    sense = {**persons(request.split, a=chain[-1], y=chain[0]), "o": plot.thing, "c": str(opened)}

    def felt(there: str | None, expected: str | None, sense: Sense) -> str | None:
        if there is None or expected is None or sense["c"] not in (there, expected):
            return None
        return OPENED[2 if there != sense["c"] else 0 if expected != sense["c"] else 1]

    def answer(world: World, sense: Sense) -> str | None:
        return felt(place_of(world, plot.thing, *chain[:-1]), place_of(world, plot.thing, *chain), sense)

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        state = state_claim(chain[-1], "will feel", str(answer(world, sense)), OPENED, chain[:-1])
        return (state, *belief_claim(plot, world, chain), *belief_claim(plot, world, chain[:-1]))

    def readings(world: World, sense: Sense) -> list[Reading]:
        real, own = place_of(world, plot.thing), place_of(world, plot.thing, chain[-1])
        found: list[Reading] = [("one order too low", felt(real, own, sense))] if len(chain) > 1 else []
        found += [
            ("reality", felt(real, real, sense)),
            ("expectation left out", OPENED[0]),
            ("expectation left out", OPENED[1]),
        ]
        return [*found, ("what is there left out", OPENED[2])]

    goal = wants(chain[-1], f"to have the {plot.thing}", f"to get rid of the {plot.thing}")
    if len(chain) > 1:
        goal = wants(chain[0], f"to know what {chain[-1]} will feel about the {plot.thing}")
    asked = f"does {chain[0]} think that {chain[-1]} will" if len(chain) > 1 else f"will {chain[-1]}"
    return family(
        request,
        Asked(
            Tale(plot, sense, (), (rng.pick(OPENS), *(("{y} wonders what {a} will feel.",) if len(chain) > 1 else ()))),
            f"What {asked} feel about the {plot.thing} on looking inside?",
            OPENED,
            answer,
            claims,
            lambda world, sense: goal,
            readings,
            [("opens another place", {**sense, "c": place}) for place in plot.places if place != opened],
            stated=3,
            every=True,
            scenery=len(chain) - 1,
        ),
    )


def _expecting(request: Request, plot: Plot, false: bool) -> tuple[str, ...] | None:
    """A chain whose last is wrong (or right) in the eyes of those before."""
    for _ in range(8):
        chain = tuple(request.rng.sample(plot.cast, request.order))
        held, there = (place_of(plot.world, plot.thing, *people) for people in (chain, chain[:-1]))
        if held is not None and there is not None and (held != there) == false:
            return chain
    return None


MASKS = (
    "Everyone knew that {h} always put on the opposite of what {she_h} felt, while {w} showed every feeling.",
    "Everyone knew that {w} showed every feeling, while {h} always put on the opposite of what {she_h} felt.",
    "As all of them were aware, {h} hid every feeling behind its opposite, whereas {w} hid nothing.",
    "As all of them were aware, {w} hid nothing, whereas {h} hid every feeling behind its opposite.",
)


def shows(request: Request) -> Family | None:
    """Two opposite feelings; one person masks, the other does not: what is felt, or what is shown?"""
    rng = request.rng
    plot = story_of(Request(rng, request.split, request.order, request.chapters, 2, request.slot), last=True)
    chain = contested(rng, plot, request.order, bystanders(plot), FALSE_BELIEFS)
    if chain is None:
        return None
    shown, masks = rng.chance(0.6), rng.chance(0.5)
    feelings = rng.sample(tuple(FACES), 2)
    options = tuple(FACES[f] for f in feelings) if shown else tuple(feelings)
    dealt = _dealt(request, plot, place_of(plot.world, plot.thing, *chain), feelings)
    words, feeling = _by_place(plot, dealt[::-1] if shown and masks else dealt)
    who = chain[-1]
    other = rng.pick([name for name in plot.cast if name != who])
    closing, goal = _asks(request, chain, plot)
    sense = {
        **words,
        **persons(request.split, a=who, y=chain[0]),
        "o": plot.thing,
        **persons(request.split, h=who if masks else other, w=other if masks else who),
    }

    def outward(sense: Sense, felt: str | None, looks: bool) -> str | None:
        if felt is None:
            return None
        if looks and sense["h"] == who:
            felt = feelings[1 - feelings.index(felt)]
        return FACES[felt] if shown else felt

    def answer(world: World, sense: Sense) -> str | None:
        return outward(sense, feeling(sense, place_of(world, plot.thing, *chain)), shown)

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        felt = feeling(sense, place_of(world, plot.thing, *chain))
        inner = state_claim(who, "feels", str(felt), feelings, chain[:-1])
        outer = [state_claim(who, "wants to show", str(answer(world, sense)), options, chain[:-1])] if shown else []
        return (*outer, inner, *belief_claim(plot, world, chain), *belief_claim(plot, world, ()))

    def readings(world: World, sense: Sense) -> list[Reading]:
        felt = feeling(sense, place_of(world, plot.thing, *chain))
        real = feeling(sense, place_of(world, plot.thing))
        names = ("felt, not shown", "shown, not felt")
        mask: list[Reading] = [(names[not shown], outward(sense, felt, not shown))] if sense["h"] == who else []
        other: list[Reading] = [("mask where there is none", option) for option in options]
        return [*mask, ("reality", outward(sense, real, shown)), *other]

    verb, tail = ("show", "to the others") if shown else ("really feel", "about it")
    ending = f"{chain[-1]} {verb}s {tail}" if not shown else f"{chain[-1]} shows {tail}"
    question = f"Thinking of the {plot.thing}, what does {who} {verb} {tail} at the end?"
    if len(chain) > 1:
        question = f"Thinking of the {plot.thing}, what {thinking(chain[:-1])}{ending}?"
    return family(
        request,
        Asked(
            Tale(
                plot, sense, (rng.pick(BY_PLACE).replace("{list}", _clauses(request, 2)), rng.pick(MASKS)), (closing,)
            ),
            question,
            options,
            answer,
            claims,
            lambda world, sense: goal,
            readings,
            [("feelings exchanged", turned(sense, "f0", "f1")), *_unmasked(sense, shown)],
            stated=3 if shown else 2,
            scenery=1,
        ),
    )


def _unmasked(sense: Sense, shown: bool) -> list[tuple[str, Sense]]:
    """The other of the two is the one who masks."""
    return [("masks exchanged", turned(turned(sense, "h", "w"), "she_h", "she_w"))] if shown else []


def who_feels(request: Request) -> Family | None:
    """All feel the same about each place: exactly one of them has this feeling."""
    rng, plot = request.rng, story_of(request, last=True)
    target = plot.cast[int(request.slot * len(plot.cast))]
    held = place_of(plot.world, plot.thing, target)
    chosen = rng.sample(tuple(FACES), len(plot.places))
    words, feeling = _by_place(plot, chosen)
    felt = feeling(words, held)
    asker = rng.pick(plot.cast)
    sense = {**words, **persons(request.split, a=asker), "o": plot.thing}

    def answer(world: World, sense: Sense) -> str | None:
        found = [name for name in plot.cast if feeling(sense, place_of(world, plot.thing, name)) == felt]
        return found[0] if len(found) == 1 else None

    if felt is None or answer(plot.world, sense) != target:
        return None

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        who = str(answer(world, sense))
        others = [
            state_claim(name, "feels", f, chosen)
            for name in plot.cast
            if name != who and (f := feeling(sense, place_of(world, plot.thing, name)))
        ]
        own = (state_claim(who, "feels", felt, chosen), *belief_claim(plot, world, (who,)))
        return (*own, *belief_claim(plot, world, ()), *others)

    def readings(world: World, sense: Sense) -> list[Reading]:
        mover = next((s.event.actor for s in reversed(plot.steps) if s.event.kind == "move"), None)
        knows: list[Reading] = [("knows better", n) for n in plot.cast if world.knows((n,), ("where", plot.thing))]
        return [("last mover", mover), *knows, *(("another belief", name) for name in plot.cast)]

    goal = wants(asker, f"to find the {plot.thing}", f"to hide the {plot.thing}")
    return family(
        request,
        Asked(
            Tale(
                plot,
                sense,
                (rng.pick(OF_ALL).replace("{list}", _clauses(request, len(chosen))),),
                (rng.pick(PHRASES["need"]),),
            ),
            f"Who feels {felt} about the {plot.thing} at the end?",
            tuple(plot.cast),
            answer,
            claims,
            lambda world, sense: goal,
            readings,
            retold=lambda plot: recasts(request, plot, target),
            scenery=1,
            marked=frozenset({"last mover"}),
        ),
    )


SECRETS = (
    "{x} wanted {p} to know where the {o} was and {q} to be kept in the dark.",
    "{x} wanted {q} to be kept in the dark about where the {o} was and {p} to know it.",
    "It mattered to {x} that {p} should know where the {o} was and that it should be a secret from {q}.",
    "It mattered to {x} that where the {o} was should be a secret from {q} and that {p} should know it.",
)
MOODS = ("contentment", "worry")


def secret(request: Request) -> Family | None:
    """Order 2 and up: X feels this or that about what X thinks that Y knows."""
    rng, plot = request.rng, story_of(request, last=True)
    known = rng.chance(0.5)
    chain = _taken_to_know(request, plot, known, rng.chance(0.75))
    if chain is None:
        return None
    outer, who = chain[:-1], chain[-1]
    other = rng.pick([name for name in plot.cast if name not in (outer[-1], who)])
    wanted = (MOODS[int(request.slot * 2)] == MOODS[0]) == known
    sense = {
        "o": plot.thing,
        **persons(request.split, x=outer[-1], p=who if wanted else other, q=other if wanted else who),
    }
    if outer[0] != outer[-1]:
        sense |= {"y": outer[0], "a": outer[-1]}

    def mood(knows: bool, sense: Sense) -> str:
        return MOODS[knows != (sense["p"] == who)]

    def knows(world: World, people: Sequence[str]) -> bool:
        held = place_of(world, plot.thing, *people)
        return held is not None and held == place_of(world, plot.thing, *people[:-1])

    def answer(world: World, sense: Sense) -> str | None:
        return mood(knows(world, chain), sense) if place_of(world, plot.thing, *outer) else None

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        state = state_claim(outer[-1], "feels", str(answer(world, sense)), MOODS, outer[:-1])
        relation = "knows" if knows(world, chain) else "does not know"
        return (state, Claim(outer, who, relation, f"where the {plot.thing} is"), *belief_claim(plot, world, (who,)))

    def readings(world: World, sense: Sense) -> list[Reading]:
        low: list[Reading] = [("one order too low", mood(knows(world, chain[1:]), sense))]
        return [
            *low,
            ("reality", mood(knows(world, (who,)), sense)),
            *(("wish turned round", option) for option in MOODS),
        ]

    question = f"What does {outer[-1]} feel about what {who} knows of the {plot.thing}?"
    goal = wants(outer[-1], f"{who} to know where the {plot.thing} is")
    if len(outer) > 1:
        question = f"What {thinking(outer[:-1])}{outer[-1]} feels about what {who} knows of the {plot.thing}?"
    closing = (rng.pick(WONDERS),) if len(outer) > 1 else ()

    def aim(world: World, sense: Sense) -> Claim:
        if len(outer) > 1:
            return wants(outer[0], f"to know what {outer[-1]} feels about the {plot.thing}")
        return goal if sense["p"] == who else wants(outer[-1], f"to keep from {who} where the {plot.thing} is")

    return family(
        request,
        Asked(
            Tale(plot, sense, (rng.pick(SECRETS),), closing),
            question,
            MOODS,
            answer,
            claims,
            aim,
            readings,
            [("wishes exchanged", turned(sense, "p", "q"))],
            scenery=len(closing),
        ),
    )


def _taken_to_know(request: Request, plot: Plot, known: bool, hard: bool) -> tuple[str, ...] | None:
    """A chain whose last is taken to know (or not); hard: wrongly so."""
    thing, world = plot.thing, plot.world
    for _ in range(12):
        chain = tuple(request.rng.sample(plot.cast, request.order))
        base, held = (place_of(world, thing, *people) for people in (chain[:-1], chain))
        really = place_of(world, thing, chain[-1]) == plot.reality
        if base is not None and held is not None and (held == base) == known and (known != really) == hard:
            return chain
    return None


WATCHING = {  # (looked for by the one who shall have it, thought to be in there)
    (True, True): "hope",
    (True, False): "disappointment",
    (False, True): "fear",
    (False, False): "relief",
}
SHALL_HAVE = (
    "{x} wanted {p} to get the {o}, but not {q}, as everyone knew.",
    "As everyone knew, {x} did not want {q} to get the {o}, but {p}.",
    "Everyone was aware that {x} would give the {o} to {p} and keep it from {q}.",
    "Everyone was aware that {x} would keep the {o} from {q} and give it to {p}.",
)
SEARCHES = (
    "Now {z} comes looking for the {o} and puts a hand on the {c}, and {x} looks on.",
    "{z} is searching for the {o}, and {x} sees {her_z} reach for the {c}.",
    "While {x} is watching, {z}, who is after the {o}, walks up to the {c}.",
)


def watching(request: Request) -> Family | None:
    """X watches Z look for the thing in one of the places: four feelings, by whether X wants Z to find it there."""
    rng, plot = request.rng, story_of(request, last=True)
    options = tuple(WATCHING.values())
    favoured, near = list(WATCHING)[int(request.slot * 4)]
    chain = contested(rng, plot, request.order, plot.cast, 0.9)
    others = [name for name in plot.cast if name not in (chain or ())]
    if chain is None or len(others) < 2:
        return None
    who, searcher, other = chain[-1], *rng.sample(others, 2)
    held = place_of(plot.world, plot.thing, *chain)
    away = [p for p in plot.places if p != held]
    place = held if near else plot.reality if plot.reality in away and rng.chance(0.8) else rng.pick(away)
    p, q = (searcher, other) if favoured else (other, searcher)
    sense = {
        "o": plot.thing,
        "c": str(place),
        **persons(request.split, x=who, p=p, q=q, z=searcher),
        "y": chain[0],
        "a": who,
    }

    def feeling(place: str | None, sense: Sense) -> str | None:
        return None if place is None else WATCHING[sense["p"] == searcher, place == sense["c"]]

    def answer(world: World, sense: Sense) -> str | None:
        return feeling(place_of(world, plot.thing, *chain), sense)

    def claims(world: World, sense: Sense) -> Sequence[Claim]:
        state = state_claim(who, "feels", str(answer(world, sense)), options, chain[:-1])
        return (state, *belief_claim(plot, world, chain), *belief_claim(plot, world, ()))

    def readings(world: World, sense: Sense) -> list[Reading]:
        held, turned_round = place_of(world, plot.thing, *chain), turned(sense, "p", "q")
        found = _place_readings(plot, world, chain, lambda place: feeling(place, sense))
        return [
            *found,
            ("wish turned round", feeling(held, turned_round)),
            *(("both mistaken", option) for option in options),
        ]

    def aim(world: World, sense: Sense) -> Claim:
        if len(chain) > 1:
            return wants(chain[0], f"to know what {who} feels about the {plot.thing}")
        return wants(who, f"{sense['p']} to get the {plot.thing}", f"{sense['q']} to get the {plot.thing}")

    closing = (rng.pick(SEARCHES), *((rng.pick(WONDERS),) if len(chain) > 1 else ()))
    asked = f"does {chain[0]} think that {who} feels" if len(chain) > 1 else f"does {who} feel"
    return family(
        request,
        Asked(
            Tale(plot, sense, (rng.pick(SHALL_HAVE),), closing),
            f"What {asked} about the {plot.thing} at this moment?",
            options,
            answer,
            claims,
            aim,
            readings,
            [
                ("wishes exchanged", turned(sense, "p", "q")),
                *(("reaches elsewhere", {**sense, "c": c}) for c in plot.places if c != place),
            ],
            scenery=len(closing) - 1,
        ),
    )


def _has_order(template: str, order: int) -> bool:
    if template == "who feels":
        return order == 1
    return order > 1 if template == "secret" else order < 3 or template == "feels"


DIMENSION = Dimension(
    name="emotion",
    orders=(1, 2, 3),
    templates={
        "feels": feels,
        "on opening": on_opening,
        "shows": shows,
        "who feels": who_feels,
        "secret": secret,
        "watching": watching,
    },
    of_order=_has_order,
)
