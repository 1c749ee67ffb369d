"""Which options of a generated question are right, found without the generator's own simulation or gold.

Two readings, both over what the story tells. *By the world*: the events of the story go through the enumerator
(tests/stories/enumerator.py), and the question is put to that. *By the facts*: each option is held to the scenario's
claims one by one, and every claim about a belief is asked of the enumerator again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from socialr1_lite.scenario import Claim, Scenario
from socialr1_lite.stories import belief, contents, framing, knowledge
from socialr1_lite.stories.plots import Plot
from socialr1_lite.stories.scenes import GONE, TABLE
from socialr1_lite.stories.wording import a
from socialr1_lite.stories.world import inside, where
from tests.stories.enumerator import Enumerator

Fluent = tuple[str, str]
PER_PERSON = {"who knows": "knows", "who could tell": "knows", "who is mistaken": "does not know"}
BY_SUBJECT = ("who asks", "who misleads", "who feels")


class Second:
    """The story's events in the enumerator, with the questions that templates put to a World."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._seen = Enumerator([s.event for s in plot.steps], dict(plot.rooms), frozenset(plot.transparent))

    def believes(self, chain: Sequence[str], fluent: Fluent) -> str | None:
        return self._seen.believes(chain, fluent)

    def history(self, fluent: Fluent) -> list[str]:
        """Where a thing really was, one stay after the other."""
        stays: list[str] = []
        for shown in self._seen.log:
            place = dict(shown.truth).get(fluent[1])
            if place is not None and stays[-1:] != [place]:
                stays.append(place)
        return stays


@dataclass
class Drafts:
    """What was drafted for each story: its plot, and how the template answers its question in a world."""

    stories: dict[tuple[str, ...], tuple[Plot, Callable[[Second], str | None]]] = field(default_factory=dict)

    def pop(self, scenario: Scenario) -> tuple[Second, str | None]:
        """The second world of this scenario, and the option that answers the question in it."""
        assert scenario.facts is not None
        plot, answer = self.stories.pop(scenario.facts.sentences)
        second = Second(plot)
        return second, answer(second)


@contextmanager
def recorded() -> Iterator[Drafts]:
    """Keep the plot and the question of every story that is drafted meanwhile."""
    drafts = Drafts()
    with pytest.MonkeyPatch.context() as patch:
        for module, name, answers in _DRAFTS:
            patch.setattr(module, name, partial(_recording, drafts, getattr(module, name), answers))
        yield drafts


def _recording(drafts: Drafts, drafting: Callable, answers: Callable, *given):
    draft = drafting(*given)
    drafts.stories[draft.sentences] = answers(*given)
    return draft


def _place(plot, chain, answer, *_):
    return plot, lambda world: f"the {answer(world)}"


def _memory(plot, ask):
    return plot, lambda world: f"the {belief._stay(world, plot.thing, ask)}"


def _contents(plot, chain, container, ask):
    return plot, lambda world: a(world.believes(chain, inside(container)))


def _framed(question, tale):
    return tale.plot, lambda world: question.spoken.format(question.answer(world, tale.sense))


_DRAFTS = (
    (belief, "_where_draft", _place),
    (belief, "_memory_draft", _memory),
    (belief, "_who_draft", lambda plot, place, answer: (plot, answer)),
    (contents, "_draft", _contents),
    (knowledge, "_person_draft", lambda plot, question, answer, *_: (plot, answer)),
    (knowledge, "_two_draft", lambda plot, answer, *_: (plot, answer)),
    (framing, "_draft", _framed),
)


def right_by_facts(scenario: Scenario) -> list[int]:
    """The options that the scenario's claims bear out, each judged for itself; each of the others must be denied."""
    return [i for i, option in enumerate(scenario.options) if _borne_out(scenario, option)]


def _borne_out(scenario: Scenario, option: str) -> bool:
    facts, template = scenario.facts, scenario.meta["template"]
    assert facts is not None
    decisive = facts.claims[0]
    if template in PER_PERSON:
        own = [c for c in facts.claims if c.subject == option and c.value.startswith("where ")]
        assert len(own) == 1, (scenario.id, option, "is not decided")
        return own[0].relation == PER_PERSON[template]
    if template == "who thinks":
        place = scenario.question.rsplit(" is in ", 1)[1].rstrip("?")
        return any(c.holders == (option,) and (c.relation, c.value) == ("is in", place) for c in facts.claims)
    if template in BY_SUBJECT:
        return option == decisive.subject
    if template == "could pretend":
        return (decisive.relation == "knows") == (option == "failure")
    if option in ("Yes", "No"):
        return (decisive.relation == "knows") == (option == "Yes")
    fitting = [value for value in (decisive.value, *decisive.rivals) if _says(option, value)]
    assert fitting, (scenario.id, option, "is not decided")
    return max(fitting, key=len) == decisive.value


def _says(option: str, value: str) -> bool:
    option = option.rstrip(".")
    return option == value or option.endswith(f" {value}") or value.endswith(f" {option}")


def untrue_claims(scenario: Scenario, world: Second) -> list[Claim]:
    """The claims about beliefs, and about the world, that the enumerator does not bear out."""
    assert scenario.facts is not None
    return [claim for claim in scenario.facts.claims if _holds(claim, world) is False]


def _holds(claim: Claim, world: Second) -> bool | None:
    """Whether a claim of place, content, presence or knowledge is true; None for claims of other kinds."""
    thing, value = claim.subject.removeprefix("the "), claim.value.removeprefix("the ")
    if claim.relation == "is in":
        return world.believes(claim.holders, where(thing)) == value
    if claim.relation == "contains":
        return a(world.believes(claim.holders, inside(thing)) or "") == value
    if "on the table" in value:
        return world.believes(claim.holders, where(thing)) == (TABLE if value.startswith("still") else GONE)
    if value.startswith("what is really in the "):
        content = inside(value.removeprefix("what is really in the "))
        held = world.believes((*claim.holders, claim.subject), content)
        return (held is not None and held == world.believes(claim.holders, content)) == (claim.relation == "knows")
    if value.startswith("where ") and value.endswith(" really is"):
        place = where(value.removeprefix("where the ").removesuffix(" really is"))
        held = world.believes((*claim.holders, claim.subject), place)
        return (held is not None and held == world.believes(claim.holders, place)) == (claim.relation == "knows")
    return None
