"""Emotion, held to its own facts."""

from __future__ import annotations

import re

import pytest

from socialr1_lite.stories import emotion
from socialr1_lite.stories.emotion import DIMENSION
from tests.stories.meaning import (
    ANNA_LEFT,
    DREAMT,
    MOVED,
    PEEKED,
    TOLD,
    TableChecks,
    drawn,
    plot,
    request,
)


@pytest.fixture(scope="module")
def scenarios():
    return drawn(DIMENSION, 400)


class TestEmotion(TableChecks):
    dimension = DIMENSION


@pytest.mark.parametrize(
    ("steps", "place"),
    [
        ((ANNA_LEFT, MOVED), "drawer"),
        ((MOVED, ANNA_LEFT), "crate"),
        ((ANNA_LEFT, MOVED, PEEKED), "crate"),
        ((MOVED, DREAMT), "drawer"),
        ((ANNA_LEFT, MOVED, TOLD), "crate"),
    ],
)
def test_anna_feels_what_goes_with_the_place_that_she_believes_in(monkeypatch, steps, place):
    monkeypatch.setattr(emotion, "story_of", lambda *_, **__: plot(*steps))
    monkeypatch.setattr(emotion, "contested", lambda *_: ("Anna",))
    base, twin = emotion.feels(request()).drafts
    assert re.search(rf"(\w+) if it was in the {place}", " ".join(base.sentences))[1] == base.gold != twin.gold


@pytest.mark.parametrize(
    ("steps", "chain", "expected"),
    [
        ((ANNA_LEFT, MOVED), ("Anna",), set(emotion.OPENED)),
        ((ANNA_LEFT, MOVED, PEEKED), ("Ben", "Anna"), set(emotion.OPENED)),
    ],
)
def test_each_outcome_of_opening_has_its_story(monkeypatch, steps, chain, expected):
    monkeypatch.setattr(emotion, "story_of", lambda *_, **__: plot(*steps))
    monkeypatch.setattr(emotion, "_expecting", lambda *_: chain)
    drafts = emotion.on_opening(request(len(chain), 0.1)).drafts
    assert {draft.gold for draft in drafts} == expected
    assert "crate" in drafts[0].sentences[-len(chain)] and drafts[0].gold == emotion.OPENED[0]


def test_the_shortcut_mark_of_a_twin_names_the_twin_s_own_mover(scenarios):
    asked = [s for s in scenarios if s.meta["template"] == "who feels"]
    assert len(asked) > 10
    for s in asked:
        thing = re.search(r"about the (.+) at the end", s.question)[1]
        moved = rf"(?:moved|picked up|took|decided that) the {thing}\b|The {thing} went .* because (\w+) wanted"
        last = next(t for t in reversed(s.facts.sentences) if re.search(moved, t))
        mover = re.search(moved, last)[1] or last.split()[0]
        assert s.options[s.meta["mark last mover"]] == mover, (s.id, last)


def test_a_hidden_onlooker_is_thought_to_feel_as_before(monkeypatch):
    monkeypatch.setattr(emotion, "story_of", lambda *_, **__: plot(ANNA_LEFT, MOVED, PEEKED))
    monkeypatch.setattr(emotion, "contested", lambda *_: ("Ben", "Anna"))
    base = emotion.feels(request(2)).drafts[0]
    assert re.search(r"(\w+) if it was in the drawer", " ".join(base.sentences))[1] == base.gold
