"""Non-literal communication, held to its own facts."""

from __future__ import annotations

import re

import pytest

from socialr1_lite.stories import nonliteral
from socialr1_lite.stories.nonliteral import DIMENSION
from tests.stories.meaning import (
    ANNA_LEFT,
    BACK,
    DREAMT,
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


class TestNonliteral(TableChecks):
    dimension = DIMENSION


@pytest.mark.parametrize(
    ("steps", "slot", "kind"),
    [
        ((ANNA_LEFT, MOVED), 0.9, "untrue"),  # Ben knows that Anna missed it
        ((ANNA_LEFT, MOVED, PEEKED), 0.9, "untrue"),  # Anna knows, but Ben does not know that she does
        ((ANNA_LEFT, MOVED, NOTICED), 0.5, "joke"),  # Anna watched, as Ben knows
        ((MOVED, DREAMT), 0.5, "joke"),  # Ben thinks that Anna saw it
        ((ANNA_LEFT, MOVED), 0.1, "really thinks"),
    ],
)
def test_a_false_word_is_a_joke_only_to_whoever_is_thought_to_know_better(monkeypatch, steps, slot, kind):
    monkeypatch.setattr(nonliteral, "story_of", lambda *_, **__: plot(*steps))
    monkeypatch.setattr(nonliteral, "chain_for", lambda *_: ("Ben", "Anna"))
    base = nonliteral.jokes(request(2, slot)).drafts[0]
    assert kind in base.gold
    assert ("crate" if kind == "really thinks" else "drawer") in base.sentences[-1]


@pytest.mark.parametrize(
    ("steps", "slot", "said", "kind"),
    [
        ((ANNA_LEFT, MOVED), 0.5, "drawer", "mistaken"),
        ((MOVED, ANNA_LEFT), 0.1, "crate", "she knows"),
        ((MOVED, ANNA_LEFT, BACK), 0.7, "drawer", "lie"),  # she happens to tell the truth
    ],
)
def test_a_lie_needs_a_speaker_who_believes_otherwise(monkeypatch, steps, slot, said, kind):
    monkeypatch.setattr(nonliteral, "story_of", lambda *_, **__: plot(*steps))
    monkeypatch.setattr(nonliteral, "chain_for", lambda *_: ("Anna",))
    drafts = nonliteral.states(request(1, slot)).drafts
    assert kind in drafts[0].gold and said in drafts[0].sentences[-1]
    assert len({draft.gold for draft in drafts}) == 3


def test_a_faux_pas_needs_a_speaker_who_does_not_know(scenarios):
    for s in (s for s in scenarios if s.meta["template"] == "faux pas"):
        believed, real = (
            next(c.value for c in s.facts.claims[1:] if c.holders == holders) for holders in ((_speaker(s),), ())
        )
        hearer = re.search(r"to (\w+) about", s.question)[1]
        assert ("insult" in s.gold_text) == believed.endswith(hearer)
        assert ("who cooked" in s.gold_text) == real.endswith(hearer)


def _speaker(scenario):
    return scenario.question.split()[2]
