"""Knowledge: who knows, who is mistaken, who could have told, who is aware of what somebody else knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Draft, Family, Request, Rng
from socialr1_lite.stories.belief import (
    finding,
    further_claims,
    in_part_of,
    last_mover,
    last_told,
    needed_by,
    other_person,
    story_of,
    sure,
    twin,
)
from socialr1_lite.stories.framing import belief_claim, recasts
from socialr1_lite.stories.plots import Plot, Step, WorldAnswer, decisive
from socialr1_lite.stories.scope import NOTICED, RECAST, TOLD, events
from socialr1_lite.stories.world import Event, World, where

# No thing comes back to where it was (back=0): who missed both moves would be right by luck, which is not knowing.
# Who knows that somebody knows is decided by who noticed whom. An onlooker who is always there gives nothing away.
MANY_ONLOOKERS = 1.0
ORDER_2 = ("thinks known", "realises", "could pretend")
TRIED = 8  # pairs of people tried in one story


def knows(world: World, thing: str, *chain: str) -> bool:
    """Tell whether the person (or, in the eyes of the first, the second, …) has the place of those before them.

    knows(world, thing, "Ben"): Ben is right. knows(world, thing, "Anna", "Ben"): Anna takes Ben to be right.
    """
    held = world.believes(chain, where(thing))
    return held is not None and held == world.believes(chain[:-1], where(thing))


def one_of(people_wanted: str) -> Callable[[Request], Family | None]:
    """Build a template that asks for the one person, the last mover aside, who knows, or is "mistaken"."""

    def template(request: Request) -> Family | None:
        plot, rng = story_of(request, back=0.0), request.rng
        mover = last_mover(plot)
        people = [name for name in plot.cast if name != mover]
        right = people_wanted != "mistaken"
        knowing = [name for name in people if knows(plot.world, plot.thing, name) == right]
        if len(people) < 2 or len(knowing) != 1:
            return None
        lost = [name for name in people if name not in knowing] if people_wanted == "could tell" else []
        seeker = rng.pick(lost) if lost else ""
        options = [name for name in people if name != seeker]
        cast_right = in_part_of(plot, request.split, knowing[0], options[int(request.slot * len(options))])
        if len(options) < 2 or cast_right is None:
            return None
        plot = needed_by(rng, cast_right, seeker or rng.pick(plot.cast))

        def answer(world: World) -> str | None:
            found = [name for name in options if knows(world, plot.thing, name) == right]
            fits = not seeker or not knows(world, plot.thing, seeker)
            return found[0] if len(found) == 1 and fits else None

        found = other_person(rng, plot, answer, request.split, options)
        if found is None or answer(plot.world) is None:
            return None
        question = {
            "knows": f"Leaving aside whoever moved the {plot.thing} last, who knows where it really is?",
            "mistaken": f"Who does not know where the {plot.thing} really is?",
            "could tell": f"Leaving aside whoever moved the {plot.thing} last, who could tell {seeker} where it is?",
        }[people_wanted]
        drafts = tuple(_person_draft(p, question, answer, options, seeker) for p in (plot, found[1]))
        return Family(drafts, tuple(options), tuple(plot.cast), _things(plot), found[0])

    return template


def _things(plot: Plot) -> tuple[str, ...]:
    return (plot.thing, *plot.others, *plot.rooms)


def _person_draft(plot: Plot, question: str, answer: WorldAnswer, options: Sequence[str], seeker: str) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # exactly one of the people fits
    held = plot.world.believes((gold,), where(plot.thing)) or plot.reality or ""
    needed = [gold, seeker] if seeker else [gold]
    states = {name: "knows too" if knows(plot.world, plot.thing, name) else "out of date" for name in options}
    wrong = {name: state for name, state in states.items() if name != gold}
    return Draft(
        sentences=plot.sentences,
        question=question,
        gold=gold,
        cues=decisive(plot, answer) or last_told(plot, held),
        claims=(
            *(knowledge_claim(plot, name) for name in needed),
            *(knowledge_claim(plot, name) for name in wrong if name not in needed),
            *belief_claim(plot, plot.world, (gold,)),
            *further_claims(plot, (gold,)),
        ),
        stated=len(needed),
        goal=finding(plot),
        shortcuts=wrong,
        paragraphs=plot.openings,
        devices=plot.devices,
    )


def knowledge_claim(plot: Plot, *chain: str) -> Claim:
    """Claim that the last of the chain knows where the thing is, or not, in the eyes of those before."""
    relation = "knows" if knows(plot.world, plot.thing, *chain) else "does not know"
    return Claim(chain[:-1], chain[-1], relation, f"where the {plot.thing} really is")


def does_know(request: Request) -> Family | None:
    """Ask at order 1 whether this person knows."""
    plot = story_of(request, back=0.0)
    wanted = int(request.slot * 2) == 0
    found = _people(request.rng, plot, 1, lambda one: knows(plot.world, plot.thing, one) == wanted)
    if found is None:
        return None
    plot, one = needed_by(request.rng, plot, found[0]), found[0]

    def answer(world: World) -> str:
        return "Yes" if knows(world, plot.thing, one) else "No"

    names = {"Yes": "everybody knows", "No": "nobody knows"}
    question = f"Does {one} know at the end where the {plot.thing} really is?"
    return _of_two(request, plot, answer, names, question, (one,))


def thinks_known(request: Request) -> Family | None:
    """Ask at order 2 whether one, who knows, thinks that the other knows, who does in half of the stories."""
    plot = story_of(request, MANY_ONLOOKERS, back=0.0)
    thought, known = int(request.slot * 2) == 0, int(request.slot * 4) % 2 == 0

    def state(world: World, one: str, two: str) -> tuple[bool, bool] | None:
        if not knows(world, plot.thing, one):
            return None
        return knows(world, plot.thing, one, two), knows(world, plot.thing, two)

    found = _people(request.rng, plot, 2, lambda one, two: state(plot.world, one, two) == (thought, known))
    if found is None:
        return None
    one, two = found
    plot = needed_by(request.rng, plot, one)

    def answer(world: World) -> str | None:
        now = state(world, one, two)
        return None if now is None else "Yes" if now[0] else "No"

    names = dict.fromkeys(("Yes", "No"), "one order too low")
    question = f"Does {one} think that {two} knows where the {plot.thing} really is?"
    return _of_two(request, plot, answer, names, question, (one, two))


def realises(request: Request) -> Family | None:
    """Ask at order 2 whether one is aware that the other knows; both do."""
    plot = story_of(request, MANY_ONLOOKERS, back=0.0)
    wanted = int(request.slot * 2) == 0

    def aware(world: World, one: str, two: str) -> bool | None:
        if not knows(world, plot.thing, two) or not knows(world, plot.thing, one):
            return None
        return knows(world, plot.thing, one, two)

    found = _people(request.rng, plot, 2, lambda one, two: aware(plot.world, one, two) == wanted)
    if found is None:
        return None
    one, two = found
    plot = needed_by(request.rng, plot, one)

    def answer(world: World) -> str | None:
        return {True: "Yes", False: "No", None: None}[aware(world, one, two)]

    names = dict.fromkeys(("Yes", "No"), "one order too low")
    question = f"{two} knows where the {plot.thing} really is. Does {one} think that {two} knows it?"
    return _of_two(request, plot, answer, names, question, (one, two))


SILENT = (
    "{a} would rather not share with {b} where the {o} is.",
    "{a} means to keep {b} in the dark about the {o}.",
    "{a} has no wish to tell {b} where the {o} is.",
    "{b} is going to ask about the {o}, and {a} does not want to say where it is.",
)


def could_pretend(request: Request) -> Family | None:
    """Ask at order 2 whether one could pretend not to know, or the other, who saw that they know, sees through."""
    plot, rng = story_of(request, MANY_ONLOOKERS, back=0.0), request.rng
    wanted = int(request.slot * 2) == 0

    def fooled(world: World, one: str, two: str) -> bool | None:
        if not knows(world, plot.thing, two) or not knows(world, plot.thing, one):
            return None
        return not knows(world, plot.thing, two, one)

    found = _people(rng, plot, 2, lambda one, two: fooled(plot.world, one, two) == wanted)
    if found is None:
        return None
    one, two = found
    silent = Step(Event("note", actor=one), rng.pick(SILENT).format(a=one, b=two, o=plot.thing))
    plot = plot.edited([*plot.steps, silent])

    seen, taken_in = "failure", "success"
    names = {taken_in: "what the other noticed", seen: "one order too low"}

    def answer(world: World) -> str | None:
        return {True: taken_in, False: seen, None: None}[fooled(world, one, two)]

    asked = f"{one} and {two} both know where the {plot.thing} really is."
    question = f"{asked} If {one} pretended not to know it, would that be a success or a failure?"
    goal = Claim((), one, "wants", f"to keep from {two} where the {plot.thing} is", (f"to tell {two} where it is",))
    return _of_two(request, plot, answer, names, question, (two, one), goal)


def _people(rng: Rng, plot: Plot, n: int, fit: Callable[..., bool]) -> tuple[str, ...] | None:
    """Find different people of the story that fit together, in random order of trying."""
    choices = list(permutations(plot.cast, n))
    rng.shuffle(choices)
    return next((people for people in choices[:TRIED] if fit(*people)), None)


def _of_two(
    request: Request,
    plot: Plot,
    answer: WorldAnswer,
    names: dict[str, str],
    question: str,
    held: tuple[str, ...],
    goal: Claim | None = None,
) -> Family | None:
    """Make a question with two answers; `held`: the chain that decides; goal: to find the thing if not given."""
    options = ("Yes", "No") if "Yes" in names else tuple(names)
    if not plot.world.certain(held, where(plot.thing)):
        return None
    swappable = request.order == 2 and RECAST in request.scope.perturbations
    exchange = _exchange(request, plot, answer, held) if swappable else None
    found = exchange or twin(request, plot, answer, options, held)
    if found is None:
        return None
    wish = goal or finding(plot)
    drafts = tuple(_two_draft(story, answer, names, question, held, wish) for story in (plot, found[1]))
    return Family(drafts, options, tuple(plot.cast), _things(plot), found[0])


def _exchange(request: Request, plot: Plot, answer: WorldAnswer, held: Sequence[str]) -> tuple[str, Plot] | None:
    """Find a twin in which the last of the chain and another have changed parts: the same words, another answer.

    Most other edits let somebody look on in secret instead of openly, which the words would give away.
    """
    last = plot.steps[-1]  # whose wish it is does not change
    for name, other in recasts(request, plot.edited(plot.steps[:-1]), held[-1]):
        told = other.edited([*other.steps, last])
        if answer(told.world) not in (answer(plot.world), None) and sure(told, held):
            return name, told
    return None


def _two_draft(
    plot: Plot, answer: WorldAnswer, names: dict[str, str], question: str, held: tuple[str, ...], wish: Claim
) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # `twin` gives only stories with an answer
    return Draft(
        sentences=plot.sentences,
        question=question,
        gold=gold,
        cues=decisive(plot, answer) or last_told(plot, plot.reality or ""),
        claims=(
            knowledge_claim(plot, *held),
            *belief_claim(plot, plot.world, held),
            *further_claims(plot, held),
        ),
        goal=wish,
        shortcuts={text: name for text, name in names.items() if text != gold},
        paragraphs=plot.openings,
        devices=plot.devices,
    )


def _made_by(template: str, order: int) -> tuple[str, ...]:
    if template == "does know":
        return events(order, TOLD)
    return (NOTICED,) if order == 2 else (RECAST,)


DIMENSION = Dimension(
    name="knowledge",
    orders=(1, 2),
    templates={
        "who knows": one_of("knows"),
        "who is mistaken": one_of("mistaken"),
        "who could tell": one_of("could tell"),
        "does know": does_know,
        "thinks known": thinks_known,
        "realises": realises,
        "could pretend": could_pretend,
    },
    perturbations=_made_by,
    of_order=lambda template, order: (template in ORDER_2) == (order == 2),
)
