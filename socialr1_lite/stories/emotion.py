"""Emotion: what somebody feels as they believe things to be, what they show, what they think another feels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Family, Request, by_name
from socialr1_lite.stories.belief import story_of
from socialr1_lite.stories.framing import (
    Question,
    Sense,
    Tale,
    TaleReading,
    asking,
    belief_claim,
    by_belief,
    by_two_beliefs,
    bystanders,
    contested,
    elsewhere,
    family,
    guests,
    inner_state,
    lower_or_real,
    one_lower,
    other_place,
    persons,
    place_of,
    recasts,
    state_claim,
    turned,
    wants,
)
from socialr1_lite.stories.plots import Plot
from socialr1_lite.stories.scope import RECAST, TOLD, events
from socialr1_lite.stories.wording import PHRASES, listed
from socialr1_lite.stories.world import World

FALSE_BELIEFS = 0.6  # share of families whose first story hangs on a false belief; its twin is often a true one
FEELINGS = ("joy", "anger", "fear", "sadness", "pride", "shame", "relief", "worry", "amusement")
OPPOSITES = (  # two feelings of which each is the other's opposite, and how each shows
    {"joy": "a smile", "sadness": "tears"},
    {"pride": "a swagger", "shame": "a blush"},
    {"interest": "wide eyes", "boredom": "a yawn"},
    {"delight": "a grin", "disgust": "a grimace"},
)
BY_PLACE = (  # {list}: "joy if it was in the box and anger if it was in the tin"
    "As everyone knew, the {o} meant a lot to {a}, who would feel {list}.",
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


def _by_place(plot: Plot, chosen: Sequence[str]) -> tuple[Sense, Callable[[str | None, Sense], str | None]]:
    """Give words c0, f0, c1, … for "feeling f0 if it is in place c0", and the reading of them."""
    sense = {f"c{i}": place for i, place in enumerate(plot.places)} | {f"f{i}": f for i, f in enumerate(chosen)}

    def feeling(place: str | None, sense: Sense) -> str | None:
        return next((sense[f"f{i}"] for i in range(len(chosen)) if sense[f"c{i}"] == place), None)

    return sense, feeling


def _clauses(request: Request, count: int) -> str:
    order = list(range(count))
    request.rng.shuffle(order)
    return listed([f"{{f{i}}} if it was in the {{c{i}}}" for i in order])


def _dealt(request: Request, plot: Plot, held: str | None, options: Sequence[str]) -> list[str]:
    """Put the feelings in the order of the places, such that the dealt one belongs to the place that is held."""
    target = options[int(request.slot * len(options))]
    rest = [option for option in options if option != target]
    request.rng.shuffle(rest)
    at = plot.places.index(str(held))
    return [*rest[:at], target, *rest[at:]]


def _wondering(request: Request, chain: Sequence[str], plot: Plot) -> tuple[tuple[str, ...], Claim | None]:
    """Draw, at order 2 and up, the closing sentence in which the first of the chain wonders, and that goal."""
    if len(chain) == 1:
        return (), None
    return (request.rng.pick(WONDERS),), wants(chain[0], f"to know what {chain[-1]} feels about the {plot.thing}")


def _asks(request: Request, chain: Sequence[str], plot: Plot) -> tuple[tuple[str, ...], Claim]:
    """Draw the closing sentence that says what the first of the chain is after, and that goal."""
    wonder, wish = _wondering(request, chain, plot)
    if wish is not None:
        return wonder, wish
    goal = wants(chain[0], f"to find the {plot.thing}", f"to hide the {plot.thing}")
    return (request.rng.pick(PHRASES["need"]),), goal


def _few_places(request: Request) -> Plot:
    """Tell of two or three places: nobody keeps four feelings apart that hang on where a thing is."""
    few = request.options if 2 <= request.options <= 3 else request.draw_places(3)
    return story_of(replace(request, options=few), last=True)


def feels(request: Request) -> Family | None:
    """Ask which feeling A has, or Y thinks that A has, of one for each place."""
    rng, plot = request.rng, _few_places(request)
    chain = contested(rng, plot, request.order, bystanders(plot), 0.45)
    if chain is None:
        return None
    options = rng.sample(FEELINGS, len(plot.places))
    words, feeling = _by_place(plot, _dealt(request, plot, place_of(plot.world, plot.thing, *chain), options))
    closing, goal = _asks(request, chain, plot)
    who = chain[-1]
    sense = {**words, **persons(request.split, a=who, y=chain[0]), "o": plot.thing}
    phrase = rng.pick(BY_PLACE).replace("{list}", _clauses(request, len(options)))
    plain, inner = f"What does {who} feel about the {plot.thing} at the end?", f"{who} feels about the {plot.thing}"
    question = Question(
        Tale(plot, sense, (phrase,), closing, scenery=1),
        asking(chain, plain, inner),
        tuple(options),
        by_belief(plot, chain, feeling),
        inner_state(plot, chain, "feels", options, ()),
        goal,
        lambda world, sense: _place_readings(plot, world, chain, lambda place: feeling(place, sense)),
        "only said",
        [("feelings exchanged", turned(sense, f"f{i}", f"f{j}")) for i in range(len(options)) for j in range(i)],
    )
    return family(request, question)


def _place_readings(
    plot: Plot, world: World, chain: Sequence[str], of: Callable[[str | None], str | None]
) -> list[TaleReading]:
    """Read the story by other places than the believed one."""
    stays = world.history(("where", plot.thing))
    return [
        *lower_or_real(world, plot.thing, chain, of),
        *(("another person's belief", of(place_of(world, plot.thing, name))) for name in plot.cast),
        ("first place", of(stays[0])),
        *(("earlier place", of(place)) for place in stays),
        *(("only said", of(place)) for place in plot.places),
    ]


OPENED = ("happy surprise", "expected joy", "sad surprise")
OPENS = (  # in search of something else: who badly wants it might not open a place where they do not expect it
    "{a}, who is longing for the {o}, is about to open the {c} to put a newspaper away.",
    "{a}, who badly wants the {o}, first opens the {c} to look for a pencil.",
    "{a} would love to have the {o}, and now {she_a} opens the {c} to get a pencil out.",
    "Longing for the {o}, but in need of a pencil, {a} begins to open the {c}.",
)


def on_opening(request: Request) -> Family | None:
    """Ask what A feels on opening a container: is it there, and does A expect it there (order 2: as Y has it)?"""
    rng, plot = request.rng, story_of(request, last=True)
    target = OPENED[int(request.slot * 3)]
    false = target != OPENED[1]
    chain = _expecting(request, plot, false)
    if chain is None:
        return None
    held, there = (place_of(plot.world, plot.thing, *people) for people in (chain, chain[:-1]))
    opened = held if target == OPENED[2] else there
    who = chain[-1]
    sense = {**persons(request.split, a=who, y=chain[0]), "o": plot.thing, "c": str(opened)}

    def felt(there: str | None, expected: str | None, sense: Sense) -> str | None:
        if there is None or expected is None or sense["c"] not in (there, expected):
            return None
        return OPENED[2 if there != sense["c"] else 0 if expected != sense["c"] else 1]

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        real, own = place_of(world, plot.thing), place_of(world, plot.thing, who)
        return [
            *one_lower(chain, lambda people: felt(real, own, sense)),
            ("reality", felt(real, real, sense)),
            ("expectation left out", OPENED[0]),
            ("expectation left out", OPENED[1]),
        ]

    goal = having = wants(who, f"to have the {plot.thing}", f"to get rid of the {plot.thing}")
    wonder = ["{y} wonders what {a} will feel."] if len(chain) > 1 else []
    if wonder:
        goal = wants(chain[0], f"to know what {who} will feel about the {plot.thing}")
    about = f"feel about the {plot.thing} on looking inside"
    question = Question(
        Tale(plot, sense, (), (rng.pick(OPENS), *wonder), scenery=len(wonder)),
        asking(chain, f"What will {who} {about}?", f"{who} will {about}"),
        OPENED,
        by_two_beliefs(plot, chain, felt),
        inner_state(plot, chain, "will feel", OPENED, chain[:-1]),
        goal,
        readings,
        "what is there left out",
        elsewhere("opens another place", sense, "c", plot.places),
        stated=3,
        every=True,
        goals=(having,),
    )
    return family(request, question)


def _expecting(request: Request, plot: Plot, false: bool) -> tuple[str, ...] | None:
    """Find a chain whose last is wrong (or right) in the eyes of those before."""
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
    """Ask which of two opposite feelings is felt, or shown, where one person masks and the other does not."""
    rng, plot = request.rng, story_of(replace(request, options=2), last=True)
    chain = contested(rng, plot, request.order, bystanders(plot), FALSE_BELIEFS)
    if chain is None:
        return None
    shown, masks = rng.chance(0.6), rng.chance(0.5)
    faces = rng.pick(OPPOSITES)
    feelings = rng.sample(tuple(faces), 2)
    dealt = _dealt(request, plot, place_of(plot.world, plot.thing, *chain), feelings)
    words, feeling = _by_place(plot, dealt[::-1] if shown and masks else dealt)
    who = chain[-1]
    other = rng.pick([name for name in plot.cast if name != who])
    closing, goal = _asks(request, chain, plot)
    roles = persons(request.split, a=who, y=chain[0], h=who if masks else other, w=other if masks else who)
    opening = (rng.pick(BY_PLACE).replace("{list}", _clauses(request, 2)), rng.pick(MASKS))
    tale = Tale(plot, {**words, **roles, "o": plot.thing}, opening, closing, scenery=1)
    return family(request, _felt_or_shown(tale, chain, goal, {one: faces[one] for one in feelings}, feeling, shown))


def _felt_or_shown(
    tale: Tale,
    chain: Sequence[str],
    goal: Claim,
    faces: Mapping[str, str],
    feeling: Callable[[str | None, Sense], str | None],
    shown: bool,
) -> Question:
    """Ask what the last of the chain feels, or shows; the one who masks shows the opposite of what they feel."""
    plot, who, feelings = tale.plot, chain[-1], tuple(faces)
    options = tuple(faces.values()) if shown else feelings

    def outward(felt: str | None, sense: Sense, looks: bool) -> str | None:
        if felt is None:
            return None
        if looks and sense["h"] == who:
            felt = feelings[1 - feelings.index(felt)]
        return faces[felt] if shown else felt

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        felt = feeling(place_of(world, plot.thing, *chain), sense)
        inner = inner_state(plot, chain, "feels", feelings, ())(world, sense, str(felt))
        return (*([state_claim(who, "wants to show", gold, options, chain[:-1])] if shown else []), *inner)

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        felt, real = (feeling(place_of(world, plot.thing, *people), sense) for people in (chain, ()))
        name = "felt, not shown" if shown else "shown, not felt"
        mask: list[TaleReading] = [(name, outward(felt, sense, not shown))] if sense["h"] == who else []
        return [*mask, ("reality", outward(real, sense, shown))]

    verb, tail = ("show", "to the others") if shown else ("really feel", "about it")
    about = f"Thinking of the {plot.thing}, what"
    turns: list[tuple[str, Sense]] = [("feelings exchanged", turned(tale.sense, "f0", "f1"))]
    return Question(
        tale,
        asking(chain, f"{about} does {who} {verb} {tail} at the end?", f"{who} {verb}s {tail}", about),
        options,
        by_belief(plot, chain, lambda place, sense: outward(feeling(place, sense), sense, shown)),
        claims,
        goal,
        readings,
        "mask where there is none",
        [*turns, ("masks exchanged", turned(tale.sense, "h", "w"))] if shown else turns,
        stated=3 if shown else 2,
    )


def who_feels(request: Request) -> Family | None:
    """Ask who has this feeling, as exactly one does; all feel the same about each place."""
    rng, plot = request.rng, _few_places(request)
    target = plot.cast[int(request.slot * len(plot.cast))]
    chosen = rng.sample(FEELINGS, len(plot.places))
    words, feeling = _by_place(plot, chosen)
    felt = feeling(place_of(plot.world, plot.thing, target), words)
    asker = rng.pick(plot.cast)
    sense = {**words, **persons(request.split, a=asker), "o": plot.thing}

    def answer(world: World, sense: Sense) -> str | None:
        found = [name for name in plot.cast if feeling(place_of(world, plot.thing, name), sense) == felt]
        return found[0] if len(found) == 1 else None

    if felt is None or answer(plot.world, sense) != target:
        return None

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        felt_by = {name: feeling(place_of(world, plot.thing, name), sense) for name in plot.cast}
        return (
            state_claim(gold, "feels", felt, chosen),
            *belief_claim(plot, world, (gold,)),
            *belief_claim(plot, world, ()),
            *(state_claim(name, "feels", f, chosen) for name, f in felt_by.items() if name != gold and f),
        )

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        knowing = [name for name in plot.cast if world.knows((name,), ("where", plot.thing))]
        return [("last mover", world.last_mover(plot.thing)), *(("knows better", name) for name in knowing)]

    opening = rng.pick(OF_ALL).replace("{list}", _clauses(request, len(chosen)))
    question = Question(
        Tale(plot, sense, (opening,), (rng.pick(PHRASES["need"]),), scenery=1),
        f"Who feels {felt} about the {plot.thing} at the end?",
        tuple(plot.cast),
        answer,
        claims,
        wants(asker, f"to find the {plot.thing}", f"to hide the {plot.thing}"),
        readings,
        "another belief",
        retold=lambda plot: recasts(request, plot, target),
        marked=frozenset({"last mover"}),
    )
    return family(request, question)


SECRETS = (
    "{x} wanted {p} to know where the {o} would end up and {q} to be kept in the dark.",
    "{x} wanted {q} to be kept in the dark about where the {o} would end up and {p} to know it.",
    "It mattered to {x} that {p} should know where the {o} would end up and that it should be a secret from {q}.",
    "It mattered to {x} that where the {o} would end up should be a secret from {q} and that {p} should know it.",
)
MOODS = ("contentment", "worry")


def secret(request: Request) -> Family | None:
    """Ask at order 2 and up what X feels about what X thinks that Y knows."""
    rng, plot = request.rng, story_of(request, last=True)
    known = rng.chance(0.5)
    chain = _taken_to_know(request, plot, known, rng.chance(0.75))
    if chain is None:
        return None
    outer, x, y = chain[:-1], chain[-2], chain[-1]
    other = rng.pick([name for name in plot.cast if name not in (x, y)])
    wanted = (MOODS[int(request.slot * 2)] == MOODS[0]) == known
    roles = persons(request.split, x=x, p=y if wanted else other, q=other if wanted else y)
    sense = {"o": plot.thing, **roles, "y": outer[0], "a": x}

    def mood(knows: bool, sense: Sense) -> str:
        return MOODS[knows != (sense["p"] == y)]

    def knows(world: World, people: Sequence[str]) -> bool:
        held = place_of(world, plot.thing, *people)
        return held is not None and held == place_of(world, plot.thing, *people[:-1])

    def answer(world: World, sense: Sense) -> str | None:
        return mood(knows(world, chain), sense) if place_of(world, plot.thing, *outer) else None

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        relation = "knows" if knows(world, chain) else "does not know"
        return (
            state_claim(x, "feels", gold, MOODS, outer[:-1]),
            Claim(outer, y, relation, f"where the {plot.thing} is"),
            *belief_claim(plot, world, (y,)),
        )

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        lower, real = mood(knows(world, chain[1:]), sense), mood(knows(world, (y,)), sense)
        return [("one order too low", lower), ("reality", real)]

    def aim(world: World, sense: Sense, gold: str) -> Claim:
        kept = f"to keep from {y} where the {plot.thing} is"
        return wants(x, f"{y} to know where the {plot.thing} is" if sense["p"] == y else kept)

    closing, wish = _wondering(request, outer, plot)
    about = f"about what {y} knows of the {plot.thing}"
    question = Question(
        Tale(plot, sense, (rng.pick(SECRETS),), closing, scenery=len(closing), wish=wish),
        asking(outer, f"What does {x} feel {about}?", f"{x} feels {about}"),
        MOODS,
        answer,
        claims,
        aim,
        readings,
        "wish turned round",
        [("wishes exchanged", turned(sense, "p", "q"))],
        natural=lambda world, sense: all(s.event.actor != x for s in world.scenes if s.event.kind == "tell"),
    )
    return family(request, question)


def _taken_to_know(request: Request, plot: Plot, known: bool, hard: bool) -> tuple[str, ...] | None:
    """Find a chain whose last is taken to know (or not); hard: wrongly so."""
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
    "{p} and {q} were to come later, and {x} wanted {p} to get the {o}, but not {q}, as everyone knew.",
    "{q} and {p} were to come later, and as everyone knew, {x} did not want {q} to get the {o}, but {p}.",
    "Everyone was aware that {x} would give the {o} to {p} and keep it from {q}, who were both to come later.",
    "Everyone was aware that {x} would keep the {o} from {q} and give it to {p}, who were both to come later.",
)
SEARCHES = (
    "Now {z} arrives, looks for the {o} and puts a hand on the {c}, and {x} looks on.",
    "{z} has arrived and is searching for the {o}, and {x} sees {her_z} reach for the {c}.",
    "While {x} is watching, {z}, who has just arrived and is after the {o}, walks up to the {c}.",
)


def watching(request: Request) -> Family | None:
    """Ask what X feels who watches Z look for the thing: one of four, by whether X wants Z to find it there."""
    rng, plot = request.rng, story_of(request, last=True)
    options = tuple(WATCHING.values())
    favoured, near = list(WATCHING)[int(request.slot * 4)]
    chain = contested(rng, plot, request.order, plot.cast, 0.9)
    if chain is None:
        return None
    who, (searcher, other) = chain[-1], guests(rng, request.split, plot, 2)
    held = place_of(plot.world, plot.thing, *chain)
    place = held if near else other_place(rng, plot, held, plot.reality, 0.8)
    p, q = (searcher, other) if favoured else (other, searcher)
    roles = persons(request.split, x=who, p=p, q=q, z=searcher)
    sense = {"o": plot.thing, "c": str(place), **roles, "y": chain[0], "a": who}

    def feeling(place: str | None, sense: Sense) -> str | None:
        return None if place is None else WATCHING[sense["p"] == searcher, place == sense["c"]]

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        other_wish = feeling(place_of(world, plot.thing, *chain), turned(sense, "p", "q"))
        found = _place_readings(plot, world, chain, lambda place: feeling(place, sense))
        return [*found, ("wish turned round", other_wish)]

    def aim(world: World, sense: Sense, gold: str) -> Claim:
        return wants(who, f"{sense['p']} to get the {plot.thing}", f"{sense['q']} to get the {plot.thing}")

    search = rng.pick(SEARCHES)
    wonder, wish = _wondering(request, chain, plot)
    about = f"about the {plot.thing} at this moment"
    question = Question(
        Tale(plot, sense, (rng.pick(SHALL_HAVE),), (search, *wonder), scenery=len(wonder), wish=wish),
        asking(chain, f"What does {who} feel {about}?", f"{who} feels {about}"),
        options,
        by_belief(plot, chain, feeling),
        inner_state(plot, chain, "feels", options, ()),
        aim,
        readings,
        "both mistaken",
        [("wishes exchanged", turned(sense, "p", "q")), *elsewhere("reaches elsewhere", sense, "c", plot.places)],
        goals=(wants(searcher, f"to find the {plot.thing}"),),
        guests=(searcher, other),
    )
    return family(request, question)


def _has_order(template: str, order: int) -> bool:
    if template == "who feels":
        return order == 1
    return order > 1 if template == "secret" else order < 3 or template == "feels"


def _made_by(template: str, order: int) -> tuple[str, ...]:
    return {
        "feels": ("feelings exchanged", *events(order, TOLD)),
        "on opening": ("opens another place",),
        "shows": ("feelings exchanged", "masks exchanged", *events(order, TOLD)),
        "who feels": (RECAST,),
        "secret": ("wishes exchanged", *events(order)),
        "watching": ("wishes exchanged", "reaches elsewhere", *events(order, TOLD)),
    }[template]


DIMENSION = Dimension(
    name="emotion",
    orders=(1, 2, 3),
    templates=by_name(feels, on_opening, shows, who_feels, secret, watching),
    perturbations=_made_by,
    of_order=_has_order,
)
