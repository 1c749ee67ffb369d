"""Non-literal communication: lie, mistake, joke, white lie, faux pas, irony, hint, double bluff, by who knew what."""

from __future__ import annotations

from collections.abc import Sequence

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Family, Request, by_name
from socialr1_lite.stories.belief import story_of
from socialr1_lite.stories.desire import wanted_thing
from socialr1_lite.stories.framing import (
    Question,
    Sense,
    TaleReading,
    asking,
    belief_claim,
    by_belief,
    by_two_beliefs,
    chain_for,
    contested,
    either,
    elsewhere,
    family,
    framed,
    guests,
    inner_state,
    lower_or_real,
    one_lower,
    persons,
    place_of,
    sayable,
    state_claim,
    turned,
    wants,
)
from socialr1_lite.stories.plots import Plot, hidden_object
from socialr1_lite.stories.scenes import GOOD, SPOILT, cooks, outcomes
from socialr1_lite.stories.scope import NOTICED, TIMING, events
from socialr1_lite.stories.world import World

FALSE_OF_TWO, FALSE_OF_MORE = 0.8, 1.0  # shares of families whose first story hangs on a false belief
TO_AND_FRO = 0.8  # share of stories in which the thing comes back to where it was, so that a lie can be true by mistake
SAYS = (
    '"The {o} is in the {p}," says {x} to {y}, who has only just arrived.',
    "{x} turns to {y}, who has come only now, and says that the {o} is in the {p}.",
    "{x} tells {y}, who was not there before, that the {o} is in the {p}.",
    "Asked about the {o} by {y}, who has only just arrived, {x} says that it is in the {p}.",
)


def _said(place: str | None, sense: Sense) -> bool:
    return place == sense["p"]


def _asking(chain: Sequence[str], plain: str, hearer: str, thing: str) -> str:
    """Ask what the last of the chain wants by these words: plainly, or in the eyes of those before."""
    return asking(chain, plain, f"{chain[-1]} wants by saying this to {hearer} about the {thing}")


def states(request: Request) -> Family | None:
    """Ask why X says where the thing is: a truth, a mistake or a lie, by what X thinks."""
    rng, plot = request.rng, story_of(request, last=True, back=TO_AND_FRO)
    case = int(request.slot * 3)

    def fits(chain: tuple[str, ...]) -> bool:
        held, there = (place_of(plot.world, plot.thing, *people) for people in (chain, chain[:-1]))
        if held not in plot.places or there not in plot.places:
            return False
        if case == 2:  # a lie that is true by mistake, or what is so would give the liars away
            return held != there and sayable(plot.thing, *chain)(plot.world, {"p": str(there)})
        return (held != there) == (case == 1)

    chain = chain_for(rng, plot, request.order, plot.cast, fits)
    if chain is None:
        return None
    x, (y,) = chain[-1], guests(rng, request.split, plot)
    held, there = (place_of(plot.world, plot.thing, *people) for people in (chain, chain[:-1]))
    said = held if case < 2 else there
    sense = {**persons(request.split, x=x), "y": y, "o": plot.thing, "p": str(said)}
    she = sense["she_x"]
    options = (f"tell {y} what {she} knows", f"tell {y} what {she} mistakenly believes", f"deceive {y} with a lie")

    def kind(there: str | None, held: str | None, sense: Sense) -> str | None:
        if held is None or there is None:
            return None
        return options[2] if not _said(held, sense) else options[not _said(there, sense)]

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        real, own = place_of(world, plot.thing), place_of(world, plot.thing, x)
        return [
            *one_lower(chain, lambda people: kind(real, own, sense)),
            ("reality", options[0] if _said(real, sense) else options[2]),
            ("words by their truth", options[_said(real, sense) ^ 1]),
        ]

    ponders = f"what {x} means by these words about the {plot.thing}"
    goals = (f"{y} to find the {plot.thing}", f"{y} to miss the {plot.thing}")
    question = Question(
        framed(request, plot, sense, [SAYS], chain=chain, ponders=ponders),
        _asking(chain, f"What does {x} want by saying this to {y} about the {plot.thing}?", y, plot.thing),
        options,
        by_two_beliefs(plot, chain, kind),
        inner_state(plot, chain, "wants to", options, chain[:-1]),
        lambda world, sense, gold: either(x, goals, gold != options[2]),
        readings,
        "other motive",
        elsewhere("says another place", sense, "p", plot.places if case == 0 else [str(held), str(there)]),
        stated=3,
        spoken=f"{x} wants to {{}}.",
        every=True,
        natural=sayable(plot.thing, *chain),
        goals=(wants(y, f"to find the {plot.thing}"),),
        guests=(y,),
    )
    return family(request, question)


WAYS = ("say what {she_x} really thinks", "make a joke that {y} will see through", "make {y} believe something untrue")
REPLIES = (
    '"The {o} is in the {p}, as you know," says {x} to {y} with a smile.',
    "{x} smiles at {y} and says that the {o} is in the {p}.",
    "With a smile, {x} tells {y} to look for the {o} in the {p}.",
    "{x} winks and says to {y} that the {o} is in the {p}.",
)
DISHES = (
    '"The {o} has turned out {word}," says {x} to {y} with a smile.',
    "{x} smiles at {y} and calls the {o} {word}.",
    "With a smile, {x} tells {y} that the {o} is {word}.",
    "{x} winks and says to {y} that the {o} is just {word}.",
)
WORDS = {GOOD: "delicious", SPOILT: "spoilt"}
SAID = {GOOD: "delicious", SPOILT: "dreadful"}


def _joke_or_lie(request: Request, plot: Plot, subject: str, phrases: Sequence[str]) -> Family | None:
    """Ask at order 2: X means it, or thinks that Y knows better (a joke), or may believe it (a lie)."""
    case = int(request.slot * 3)
    chain = _speaker_and_hearer(request, plot, case)
    if chain is None:
        return None
    x, y = chain[-2:]
    own = place_of(plot.world, plot.thing, *chain[:-1])
    said = str(own if case == 0 else request.rng.pick([p for p in plot.places if p != own]))
    sense = {**persons(request.split, x=x), "y": y, "o": subject, "p": said, "word": SAID.get(said, "")}
    options = tuple(way.format_map(sense) for way in WAYS)

    def kind(own: str | None, his: str | None, sense: Sense) -> str | None:
        if own is None or his is None:
            return None
        return options[0] if _said(own, sense) else options[1 if his == own else 2]

    def claims(world: World, sense: Sense, gold: str) -> Sequence[Claim]:
        views = [people for people in (chain[:-1], chain, (y,)) if place_of(world, plot.thing, *people)]
        state = state_claim(x, "wants to", gold, options, chain[:-2])
        return (state, *(_state_of(plot, world, people, subject) for people in views))

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        real, own, his = (place_of(world, plot.thing, *people) for people in ((), (x,), (y,)))
        return [
            ("reality", kind(real, his, sense)),
            ("one order too low", kind(own, his, sense)),
            ("taken literally", options[0]),
        ]

    def aim(world: World, sense: Sense, gold: str) -> Claim:
        goals = [f"{y} to {end} about the {subject}" for end in ("know", "be amused", "be wrong")]
        return wants(x, goals.pop(options.index(gold)), *goals)

    ponders = f"what {x} wants to tell {y} about the {subject}"
    question = Question(
        framed(request, plot, sense, [phrases], chain=chain[:-1], ponders=ponders),
        _asking(chain[:-1], f"Why does {x} say this to {y} about the {subject}?", y, subject),
        options,
        by_two_beliefs(plot, chain, kind),
        claims,
        aim,
        readings,
        "other motive",
        [("says something else", {**sense, "p": p, "word": SAID.get(p, "")}) for p in plot.places if p != said],
        stated=3,
        things=(subject,),
        spoken=f"{x} wants to {{}}.",
        natural=sayable(plot.thing, *chain[:-1]),
    )
    return family(request, question)


def _speaker_and_hearer(request: Request, plot: Plot, case: int) -> tuple[str, ...] | None:
    """Find a chain that ends in X and Y, of whom X thinks what makes the case: 0 for a word that is meant."""
    rng = request.rng
    hard, misled = rng.chance(FALSE_OF_MORE), rng.chance(FALSE_OF_MORE)

    def fits(chain: tuple[str, ...]) -> bool:
        own, his = place_of(plot.world, plot.thing, *chain[:-1]), place_of(plot.world, plot.thing, *chain)
        really = place_of(plot.world, plot.thing, chain[-1]) == own
        if own not in plot.places or his is None:
            return False
        if case == 0:
            return (own != plot.reality) == misled
        return (his == own) == (case == 1) and (not hard or really != (his == own))

    return chain_for(rng, plot, request.order, plot.cast, fits)


def _state_of(plot: Plot, world: World, people: Sequence[str], subject: str) -> Claim:
    """Claim what the chain believes of the thing's place, or of how the dish turned out."""
    if plot.places[0] not in WORDS:
        return belief_claim(plot, world, people)[0]
    held = str(place_of(world, plot.thing, *people))
    rivals = tuple(word for key, word in WORDS.items() if key != held)
    return Claim(tuple(people), f"the {subject}", "is", WORDS[held], rivals)


def jokes(request: Request) -> Family | None:
    """Ask whether a false word about a place is a joke or a lie."""
    plot = story_of(request, last=True)
    return _joke_or_lie(request, plot, plot.thing, REPLIES)


def ironic(request: Request) -> Family | None:
    """Ask whether praise or blame of a dish is meant, ironic, or to deceive."""
    people = request.draw_people()
    plot, food = outcomes(request.rng, request.split, people=people, chapters=request.chapters)
    return _joke_or_lie(request, plot, food, DISHES)


MOTIVES = (
    "If {k} ever lied about the {o}, it was to save a surprise for {y}, and if {g} did, to keep it for {self_g}.",
    "If {g} ever lied about the {o}, it was to keep it for {self_g}, and if {k} did, to save a surprise for {y}.",
    "Only to save a surprise for {y} would {k} tell a lie about the {o}, and only to keep it for {self_g} would {g}.",
    "Only to keep the {o} for {self_g} would {g} tell a lie about it, and only to save a surprise for {y} would {k}.",
)


def white_lies(request: Request) -> Family | None:
    """Ask why X says where it is: in earnest, to save a surprise (a white lie), or to keep it (a selfish lie)."""
    rng, plot = request.rng, story_of(request, last=True, back=TO_AND_FRO)
    case = int(request.slot * 3)
    chain = contested(rng, plot, request.order, plot.cast, FALSE_OF_MORE)
    others = [name for name in plot.cast if chain and name not in chain]
    if chain is None or not others:
        return None
    x, other, (y,) = chain[-1], rng.pick(others), guests(rng, request.split, plot)
    kind_one = rng.chance(0.5) if case == 0 else case == 1
    held = place_of(plot.world, plot.thing, *chain)
    said = held if case == 0 else plot.reality  # a lie that is true by mistake, or what is so would give the liars away
    k, g = (x, other) if kind_one else (other, x)
    sense = {**persons(request.split, x=x, g=g, k=k), "y": y, "o": plot.thing, "p": str(said)}
    options = (f"tell {y} the truth", f"save the surprise for {y}", f"keep the {plot.thing} for {sense['self_x']}")

    def motive(place: str | None, sense: Sense) -> str | None:
        return None if place is None else options[0] if _said(place, sense) else options[1 if sense["k"] == x else 2]

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        return [
            *lower_or_real(world, plot.thing, chain, lambda place: motive(place, sense)),
            ("taken literally", options[0]),
        ]

    ponders = f"why {x} says this to {y} about the {plot.thing}"
    goals = (f"{y} to find the {plot.thing}", f"{y} to miss the {plot.thing}")
    question = Question(
        framed(request, plot, sense, [SAYS], [MOTIVES], chain=chain, ponders=ponders),
        _asking(chain, f"Why does {x} say this to {y} about the {plot.thing}?", y, plot.thing),
        options,
        by_belief(plot, chain, motive),
        inner_state(plot, chain, "wants to", options, ()),
        lambda world, sense, gold: either(x, goals, gold == options[0]),
        readings,
        "another's motive",
        [
            ("motives exchanged", turned(sense, "k", "g")),
            *elsewhere("says another place", sense, "p", [str(held), str(plot.reality)]),
        ],
        spoken=f"{x} wants to {{}}.",
        every=True,
        natural=sayable(plot.thing, *chain),
        goals=(wants(y, f"to find the {plot.thing}"),),
        guests=(y,),
    )
    return family(request, question)


BLUNT = (
    '"Whoever cooked this {f} cannot cook," says {x} to {y}.',
    "{x} says to {y} that the cook of this {f} should take lessons.",
    "{x} tells {y} that nobody could enjoy a {f} like this.",
    '"What a terrible {f}," says {x} to {y}.',
)
INSULTS = {  # (X takes Y for the cook, Y is the cook)
    (True, True): "insult {y}, who cooked it",
    (True, False): "insult {y}, who did not cook it",
    (False, True): "complain innocently to {y}, who cooked it",
    (False, False): "complain innocently to {y}, who did not cook it",
}


def faux_pas(request: Request) -> Family | None:
    """Ask what X does who runs down a dish before Y: a faux pas (Y cooked it, unknown to X), an insult, or talk."""
    rng = request.rng
    plot, food = cooks(rng, request.split, people=request.people(3 + rng.below(2)), chapters=request.chapters)
    thinks, is_so = list(INSULTS)[int(request.slot * 4)]
    heads = [name for name in plot.cast if name not in plot.places]
    if not heads:
        return None
    x = rng.pick(heads)
    held, real = place_of(plot.world, plot.thing, x), plot.reality
    fitting = [name for name in plot.places if (held == name) == thinks and (real == name) == is_so]
    if held is None or not fitting:
        return None
    y = fitting[0]
    options = tuple(option.format(y=y) for option in INSULTS.values())

    def kind(real: str | None, held: str | None, sense: Sense) -> str | None:
        return None if held is None else options[list(INSULTS).index((held == y, real == y))]

    def knows(world: World, people: tuple[str, ...]) -> Claim:
        held = place_of(world, plot.thing, *people)
        rivals = tuple(f"the work of {name}" for name in plot.places if name != held)
        return Claim(people, f"the {food}", "is", f"the work of {held}", rivals)

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        held, real = place_of(world, plot.thing, x), place_of(world, plot.thing)
        return [
            ("reality", kind(real, real, sense)),
            ("first cook", kind(plot.places[0], held, sense)),
            ("belief for fact", kind(held, held, sense)),
        ]

    question = Question(
        framed(request, plot, {"x": x, "y": y, "f": food}, [BLUNT]),
        f"What does {x} want to do by these words to {y} about the {food}?",
        options,
        by_two_beliefs(plot, (x,), kind),
        lambda world, sense, gold: (state_claim(x, "wants to", gold, options), knows(world, (x,)), knows(world, ())),
        wants(x, f"to speak to {y} about the {food}", f"to praise the {food}"),
        readings,
        "knowledge turned round",
        stated=3,
        things=(food,),
        spoken=f"{x} wants to {{}}.",
    )
    return family(request, question)


HINTS = (
    '"If I were you, I would have a look in the {c}," says {a} with a wink to {b}, who has only just arrived.',
    "{a} winks at {b}, who has come only now, points at the {c} and says that something useful might be waiting there.",
    '"What a nice {c} that is," says {a} slowly to {b}, who was not there before, nodding at it again and again.',
    "{a} says to {b}, who has only just arrived, that the {c} deserves a closer look, and coughs twice.",
)


def hints(request: Request) -> Family | None:
    """Ask what A hints at who thinks that it is in a container."""
    return wanted_thing(
        request,
        HINTS,
        "point out the {}",
        "{} wants to {{}}.",
        lambda chain: asking(chain, f"Which thing does {chain[0]} hint at?", f"{chain[-1]} hints at", "Which thing"),
        "is hinting at",
        "draw attention to the {}",
    )


TRUSTS = (
    "{y} always did what {t} said, and always the opposite of what {d} said, as both of them knew.",
    "{y} never did what {d} said but just the opposite, and always did what {t} said, as both of them knew.",
    "As {t} and {d} were both aware, {y} trusted every word of {t} and took every word of {d} for its opposite.",
    "As {t} and {d} were both aware, {y} took every word of {d} for its opposite and trusted every word of {t}.",
)
POINTS = (
    "Now {y}, who has just come, must choose between the {c0} and the {c1}, and {x} says that the {o} is in the {p}.",
    '"Open the {p} if you want the {o}," says {x} to {y}, who has just arrived and may open only the {c0} or the {c1}.',
    "{y}, who has come only now, is looking for the {o} and may open only the {c0} or the {c1}, and {x} advises {y} "
    "to open the {p}.",
)


def double_bluff(request: Request) -> Family | None:
    """Ask what X wants of Y, who believes one person and does the opposite of what the other says, as they know."""
    rng = request.rng
    people = request.people(max(3, request.order + 2), least=request.order + 2)
    plot = hidden_object(rng, request.split, people=people, places=2, chapters=request.chapters, last=True)
    chain = contested(rng, plot, request.order, plot.cast, FALSE_OF_TWO)
    others = [name for name in plot.cast if chain and name not in chain]
    if chain is None or not others:
        return None
    x, other, (y,) = chain[-1], rng.pick(others), guests(rng, request.split, plot)
    helps, trusted = int(request.slot * 2) == 0, rng.chance(0.5)
    held = place_of(plot.world, plot.thing, *chain)
    said = next(p for p in plot.places if (p == held) == (helps == trusted))
    t, d = (x, other) if trusted else (other, x)
    choice = dict(zip(("c0", "c1"), rng.sample(plot.places, 2), strict=True))
    sense = {"x": x, "y": y, "t": t, "d": d, "o": plot.thing, "p": said, **choice}
    options = (f"help {y} find the {plot.thing}", f"keep {y} from finding the {plot.thing}")

    def aims(place: str | None, sense: Sense) -> str | None:
        return None if place is None else options[_said(place, sense) != (sense["t"] == x)]

    def readings(world: World, sense: Sense) -> list[TaleReading]:
        return [
            *lower_or_real(world, plot.thing, chain, lambda place: aims(place, sense)),
            ("taken literally", options[not _said(place_of(world, plot.thing, *chain), sense)]),
        ]

    ponders = f"why {x} says this to {y} about the {plot.thing}"
    goals = (f"{y} to get the {plot.thing}", f"{y} to miss the {plot.thing}")
    question = Question(
        framed(request, plot, sense, [POINTS], [TRUSTS], chain=chain, ponders=ponders),
        _asking(chain, f"Why does {x} say this to {y} about the {plot.thing}?", y, plot.thing),
        options,
        by_belief(plot, chain, aims),
        inner_state(plot, chain, "wants to", options, ()),
        lambda world, sense, gold: either(x, goals, gold == options[0]),
        readings,
        "bluff where there is none",
        [("trust exchanged", turned(sense, "t", "d")), *elsewhere("says another place", sense, "p", plot.places)],
        spoken=f"{x} wants to {{}}.",
        goals=(wants(y, f"to get the {plot.thing}"),),
        guests=(y,),
    )
    return family(request, question)


FEWER_ORDERS = {"jokes": (2, 3), "ironic": (2, 3), "faux pas": (1,), "states": (1, 2), "white lies": (1, 2)}


def _made_by(template: str, order: int) -> tuple[str, ...]:
    return {
        "states": ("says another place",),
        "jokes": ("says something else", NOTICED),
        "ironic": ("says something else",),
        "white lies": ("says another place", "motives exchanged"),
        "faux pas": tuple(edit for edit in events(order) if edit not in (*TIMING, NOTICED)),
        "hints": ("goes elsewhere", *events(order)),
        "double bluff": ("says another place", "trust exchanged", *events(order)),
    }[template]


DIMENSION = Dimension(
    name="nonliteral",
    orders=(1, 2, 3),
    templates=by_name(states, jokes, ironic, white_lies, faux_pas, hints, double_bluff),
    perturbations=_made_by,
    of_order=lambda template, order: order in FEWER_ORDERS.get(template, (1, 2, 3)),
)
