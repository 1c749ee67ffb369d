"""Knowledge: who knows, who is mistaken, who could have told, who is aware of what somebody else knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Dimension, Draft, Family, Request
from socialr1_lite.stories.belief import finding, further_claims, last_told, needed_by, other_person, story_of, twin
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
            "knows": f"Leaving aside whoever moved it last, who knows where the {plot.thing} really is?",
            "mistaken": f"Who does not know where the {plot.thing} really is?",
            "could tell": f"Leaving aside whoever moved it last, who could tell {seeker} where the {plot.thing} really is?",
        }[people_wanted]
        drafts = tuple(_person_draft(p, question, answer, options, seeker) for p in (plot, found[1]))
        return Family(drafts, tuple(options), tuple(plot.cast), _things(plot), found[0])

    return template


def _things(plot: Plot) -> tuple[str, ...]:
    return (plot.thing, *plot.others, *plot.rooms)


def _person_draft(plot: Plot, question: str, answer: Answer, options: Sequence[str], seeker: str) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # exactly one of the people fits
    held = plot.world.believes((gold,), where(plot.thing)) or plot.reality or ""
    needed = [gold, seeker] if seeker else [gold]
    wrong = {
        name: ("knows too" if knows(plot.world, plot.thing, name) else "out of date") for name in options if name != gold
    }
    return Draft(
        sentences=plot.sentences,
        question=question,
        gold=gold,
        cues=decisive(plot, answer) or last_told(plot, held),
        claims=(
            *(knowledge_claim(plot, name) for name in needed),
            *(knowledge_claim(plot, name) for name in wrong if name not in needed),
            *further_claims(plot, (gold,)),
        ),
        stated=len(needed),
        goal=finding(plot),
        shortcuts=wrong,
        paragraphs=plot.openings,
    )


def knowledge_claim(plot: Plot, *chain: str) -> Claim:
    """That the last of the chain knows, or does not know, where the thing really is, in the eyes of those before."""
    relation = "knows" if knows(plot.world, plot.thing, *chain) else "does not know"
    return Claim(chain[:-1], chain[-1], relation, f"where the {plot.thing} really is")


def does_know(request: Request) -> Family | None:
    """Order 1: does this person know?"""
    plot, one, _ = _two_people(request)

    def answer(world: World) -> str:
        return "Yes" if knows(world, plot.thing, one) else "No"

    names = {"Yes": "everybody knows", "No": "nobody knows"}
    question = f"Does {one} know at the end where the {plot.thing} really is?"
    return _about_two(request, plot, answer, ("Yes", "No"), names, question, (one,))


def thinks_known(request: Request) -> Family | None:
    """Order 2: does one think that the other knows? Whether the other does is dealt as evenly."""
    plot, one, two = _two_people(request)
    if knows(plot.world, plot.thing, two) != (int(request.slot * 4) % 2 == 0):
        return None

    def answer(world: World) -> str | None:
        return ("Yes" if knows(world, plot.thing, one, two) else "No") if knows(world, plot.thing, one) else None

    names = dict.fromkeys(("Yes", "No"), "one order too low")
    question = f"Does {one} think that {two} knows where the {plot.thing} really is?"
    return _about_two(request, plot, answer, ("Yes", "No"), names, question, (one, two))


def realises(request: Request) -> Family | None:
    """Order 2: the other knows; is one aware of it?"""
    plot, one, two = _two_people(request)

    def answer(world: World) -> str | None:
        if not knows(world, plot.thing, two) or not knows(world, plot.thing, one):
            return None
        return "Yes" if knows(world, plot.thing, one, two) else "No"

    names = dict.fromkeys(("Yes", "No"), "one order too low")
    question = f"{two} knows where the {plot.thing} really is. Does {one} think that {two} knows it?"
    return _about_two(request, plot, answer, ("Yes", "No"), names, question, (one, two))


def _two_people(request: Request) -> tuple[Plot, str, str]:
    plot, dice = story_of(request), request.dice
    one, two = dice.sample(plot.cast, 2)
    return needed_by(dice, plot, one), one, two


def _about_two(
    request: Request, plot: Plot, answer: Answer, options: Sequence[str], names: dict[str, str], question: str,
    held: tuple[str, ...],
) -> Family | None:
    """A yes-or-no question; `held`: the chain whose knowledge decides it."""
    if answer(plot.world) != options[int(request.slot * len(options))]:
        return None
    found = twin(request.dice, plot, answer, request.split, options)
    if found is None:
        return None
    drafts = tuple(_two_draft(story, answer, names, question, held) for story in (plot, found[1]))
    return Family(drafts, tuple(options), tuple(plot.cast), _things(plot), found[0])


def _two_draft(plot: Plot, answer: Answer, names: dict[str, str], question: str, held: tuple[str, ...]) -> Draft:
    gold = answer(plot.world)
    assert gold is not None  # `twin` gives only stories with an answer
    return Draft(
        sentences=plot.sentences,
        question=question,
        gold=gold,
        cues=decisive(plot, answer) or last_told(plot, plot.reality or ""),
        claims=(knowledge_claim(plot, *held), *further_claims(plot, held)),
        goal=finding(plot),
        shortcuts={text: name for text, name in names.items() if text != gold},
        paragraphs=plot.openings,
    )


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
    },
    of_order=lambda template, order: (template in ("thinks known", "realises")) == (order == 2),
)
