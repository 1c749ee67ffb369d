"""Knowledge: who knows, who is mistaken, who could have told, who is aware of what somebody else knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Draft, Family, Request
from socialr1_lite.stories.belief import finding, last_told, needed_by, other_person, place_claim, story_of, twin
from socialr1_lite.stories.plots import Plot, decisive
from socialr1_lite.stories.world import World, where

Answer = Callable[[World], str | None]


def knows(world: World, thing: str, *chain: str) -> bool:
    """Whether the person (or, in the eyes of the first, the second, …) has the place that those before them have.

    knows(world, thing, "Ben"): Ben is right. knows(world, thing, "Anna", "Ben"): Anna takes Ben to be right.
    """
    held = world.believes(chain, where(thing))
    return held is not None and held == world.believes(chain[:-1], where(thing))


def last_mover(plot: Plot) -> str:
    """Who moved the thing last."""
    return next(s.event.actor for s in reversed(plot.steps) if s.event.kind == "move" and s.event.thing == plot.thing)


def one_of(people_wanted: str) -> Callable[[Request], Family | None]:
    """A question for the one person, the last mover left aside, who knows ("knows") or who does not ("mistaken")."""

    def template(request: Request) -> Family | None:
        plot, dice = story_of(request), request.dice
        mover = last_mover(plot)
        people = [name for name in plot.cast if name != mover]
        if len(people) < 2:
            return None
        seeker = dice.pick(people) if people_wanted == "could tell" else ""
        plot = needed_by(dice, plot, seeker or dice.pick(plot.cast))
        options = [name for name in people if name != seeker]
        target = options[int(request.slot * len(options))]
        right = people_wanted != "mistaken"

        def answer(world: World) -> str | None:
            found = [name for name in options if knows(world, plot.thing, name) == right]
            lost = not seeker or not knows(world, plot.thing, seeker)
            return found[0] if len(found) == 1 and lost else None

        if len(options) < 2 or answer(plot.world) != target:
            return None
        found = other_person(dice, plot, answer, request.split, options)
        if found is None:
            return None
        question = {
            "knows": f"Apart from {mover}, who knows where the {plot.thing} really is?",
            "mistaken": f"Who does not know where the {plot.thing} really is?",
            "could tell": f"Apart from {mover}, who could tell {seeker} where the {plot.thing} really is?",
        }[people_wanted]
        drafts = tuple(_person_draft(p, question, answer, options) for p in (plot, found[1]))
        return Family(drafts, tuple(options), tuple(plot.cast), _things(plot), found[0])

    return template


def _things(plot: Plot) -> tuple[str, ...]:
    return (plot.thing, *plot.others, *plot.rooms)


def _person_draft(plot: Plot, question: str, answer: Answer, options: Sequence[str]) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # exactly one of the people fits
    held = plot.world.believes((gold,), where(plot.thing)) or plot.reality or ""
    wrong = {
        name: ("knows too" if knows(plot.world, plot.thing, name) else "out of date") for name in options if name != gold
    }
    return Draft(
        sentences=plot.sentences,
        question=question,
        gold=gold,
        cues=decisive(plot, answer) or last_told(plot, held),
        claims=_claims(plot, (gold, *wrong)),
        goal=finding(plot),
        shortcuts=wrong,
        paragraphs=plot.openings,
    )


def _claims(plot: Plot, people: Sequence[str]) -> tuple[Claim, ...]:
    """What each of them believes, the decisive person first, and what is so."""
    claims = []
    for holders in (*((name,) for name in people), ()):
        held = plot.world.believes(holders, where(plot.thing))
        if held is not None:
            claims.append(place_claim(plot, holders, held))
    return tuple(claims)


def both(request: Request) -> Family | None:
    """Two people: does each of them know?"""
    dice = request.dice
    plot = story_of(request)
    one, two = dice.sample(plot.cast, 2)
    plot = needed_by(dice, plot, one)
    it = f"where the {plot.thing} really is"
    options = {
        (True, True): f"Both {one} and {two} know {it}.",
        (True, False): f"{one} knows {it}, but {two} does not.",
        (False, True): f"{two} knows {it}, but {one} does not.",
        (False, False): f"Neither {one} nor {two} knows {it}.",
    }
    names = {
        (True, True): "everybody knows", (True, False): "the wrong one knows", (False, True): "the wrong one knows",
        (False, False): "nobody knows",
    }

    def state(world: World) -> tuple[bool, bool]:
        return knows(world, plot.thing, one), knows(world, plot.thing, two)

    question = "Which of these is true at the end?"
    return _four_way(request, plot, state, options, names, question, ((one,), (two,)))


def aware(request: Request) -> Family | None:
    """Order 2: does one who knows notice whether the other knows?"""
    dice = request.dice
    plot = story_of(request)
    one, two = dice.sample(plot.cast, 2)
    plot = needed_by(dice, plot, one)
    it = f"where the {plot.thing} really is"
    options = {
        (True, True): f"{two} knows {it}, and {one} thinks so too.",
        (True, False): f"{two} knows {it}, but {one} thinks that {two} does not.",
        (False, True): f"{two} does not know {it}, but {one} thinks that {two} does.",
        (False, False): f"{two} does not know {it}, and {one} thinks so too.",
    }
    names = {
        (True, True): "everybody knows", (True, False): "one order too low", (False, True): "one order too low",
        (False, False): "nobody knows",
    }

    def state(world: World) -> tuple[bool, bool] | None:
        if not knows(world, plot.thing, one):
            return None
        return knows(world, plot.thing, two), knows(world, plot.thing, one, two)

    question = f"What is true of {one} and {two} at the end?"
    return _four_way(request, plot, state, options, names, question, ((one, two), (two,), (one,)))


Two = tuple[bool, bool]


def _four_way(
    request: Request, plot: Plot, state: Callable[[World], Two | None], options: dict[Two, str], names: dict[Two, str],
    question: str, held: Sequence[tuple[str, ...]],
) -> Family | None:
    """A question with four statements about two yes-or-no facts."""
    texts = list(options.values())

    def answer(world: World) -> str | None:
        found = state(world)
        return None if found is None else options[found]

    if answer(plot.world) != texts[int(request.slot * 4)]:
        return None
    found = twin(request.dice, plot, answer, request.split, texts)
    if found is None:
        return None
    drafts = []
    for story in (plot, found[1]):
        gold = answer(story.world)
        claims = tuple(
            place_claim(story, holders, place)
            for holders in (*held, ())
            if (place := story.world.believes(holders, where(story.thing))) is not None
        )
        assert gold is not None  # `twin` gives only stories with an answer
        drafts.append(
            Draft(
                sentences=story.sentences,
                question=question,
                gold=gold,
                cues=decisive(story, answer) or last_told(story, story.reality or ""),
                claims=claims,
                goal=finding(story),
                shortcuts={text: names[key] for key, text in options.items() if text != gold},
                paragraphs=story.openings,
            )
        )
    return Family(tuple(drafts), tuple(texts), tuple(plot.cast), _things(plot), found[0])


DIMENSION = Dimension(
    name="knowledge",
    orders=(1, 2),
    templates={
        "who knows": one_of("knows"),
        "who is mistaken": one_of("mistaken"),
        "who could tell": one_of("could tell"),
        "both": both,
        "aware": aware,
    },
    of_order=lambda template, order: (template == "aware") == (order == 2),
)
