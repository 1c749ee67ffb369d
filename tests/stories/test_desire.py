"""Desire, held to its own facts."""

from __future__ import annotations

import re

import pytest

from socialr1_lite.stories.desire import DIMENSION
from tests.stories.meaning import TableChecks, drawn


@pytest.fixture(scope="module")
def scenarios():
    return drawn(DIMENSION, 400)


class TestDesire(TableChecks):
    dimension = DIMENSION


def test_a_chosen_dish_is_the_best_of_those_believed_to_be_left(scenarios):
    """Read back from the facts alone: the chooser thinks that the gold dish is there and that better ones are gone."""
    for s in (s for s in scenarios if s.meta["template"] == "chooses"):
        food = re.search(r"ask for the (\w+)", s.gold_text)[1]
        states = {c.subject: c.value for c in s.facts.claims[1:] if c.holders}
        assert states.pop(f"the {food}") == "still on the table"
        assert set(states.values()) <= {"no longer on the table"}


def test_the_shortcut_mark_of_a_twin_names_the_twin_s_own_last_actor(scenarios):
    asked = [s for s in scenarios if s.meta["template"] == "who asks"]
    assert len(asked) > 10
    for s in asked:
        ended = re.compile(r"(\w+) (?:ate up|finished|knocked over|gave the|took the)")
        last = next(found for t in reversed(s.facts.sentences) if (found := ended.match(t)))
        assert s.options[s.meta["mark last actor"]] == last[1], (s.id, last)


def test_to_please_somebody_is_to_serve_what_one_thinks_they_like(scenarios):
    for s in (s for s in scenarios if s.meta["template"] == "brings"):
        held = next(c.value for c in s.facts.claims if "favourite" in c.subject)
        assert held.removeprefix("is the ") in s.gold_text


def test_leaving_a_dish_is_to_take_the_other_one(scenarios):
    for s in (s for s in scenarios if s.meta["template"] == "shares"):
        aim = next(c.value for c in s.facts.claims[1:])
        favourite = next(c.value for c in s.facts.claims if "favourite" in c.subject).removeprefix("is the ")
        assert (favourite in s.gold_text) == aim.startswith("eat")
