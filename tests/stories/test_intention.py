"""Intention, held to its own facts."""

from __future__ import annotations

import pytest

from socialr1_lite.stories import intention
from socialr1_lite.stories.intention import DIMENSION
from tests.stories.meaning import (
    ANNA_LEFT,
    BACK,
    MOVED,
    NOTICED,
    PEEKED,
    TableChecks,
    drawn,
    plot,
    request,
)


@pytest.fixture(scope="module")
def scenarios():
    return drawn(DIMENSION, 400)


class TestIntention(TableChecks):
    dimension = DIMENSION


@pytest.mark.parametrize(
    ("steps", "slot", "said"),
    [
        ((ANNA_LEFT, MOVED), 0.1, "drawer"),  # she means to help, and is wrong
        ((MOVED, ANNA_LEFT, BACK), 0.9, "drawer"),  # she means to mislead, and tells the truth
        ((ANNA_LEFT, MOVED, PEEKED), 0.1, "crate"),
        ((ANNA_LEFT, MOVED, PEEKED), 0.9, "drawer"),
    ],
)
def test_advice_is_meant_by_what_the_adviser_believes(monkeypatch, steps, slot, said):
    monkeypatch.setattr(intention, "story_of", lambda *_, **__: plot(*steps))
    monkeypatch.setattr(intention, "contested", lambda *_: ("Anna",))
    base, twin = intention.advises(request(1, slot)).drafts
    assert said in base.sentences[-1]
    assert ("help" in base.gold, "help" in twin.gold) == (slot < 0.5, slot > 0.5)


def test_nobody_hits_by_chance_upon_a_place_that_they_cannot_know(monkeypatch):
    monkeypatch.setattr(intention, "story_of", lambda *_, **__: plot(ANNA_LEFT, MOVED))
    monkeypatch.setattr(intention, "contested", lambda *_: ("Anna",))
    assert all(intention.advises(request(1, 0.9, str(i))) is None for i in range(20))  # there is no place but the crate


@pytest.mark.parametrize(
    ("steps", "slot"),
    [((ANNA_LEFT, MOVED), 0.1), ((ANNA_LEFT, MOVED, PEEKED), 0.1), ((ANNA_LEFT, MOVED, NOTICED), 0.9)],
)
def test_moving_it_back_helps_whoever_is_thought_not_to_know(monkeypatch, steps, slot):
    """Ben moves the key back to the drawer: where he thinks that Anna will look, unless he knows that she watched."""
    monkeypatch.setattr(intention, "story_of", lambda *_, **__: plot(*steps))
    monkeypatch.setattr(intention, "chain_for", lambda *_: ("Ben", "Anna"))
    base = intention.moves_it(request(2, slot)).drafts[0]
    assert ("help" in base.gold) == (slot < 0.5) and "drawer" in base.sentences[-1]
