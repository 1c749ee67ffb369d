"""The pairs that a judge is trained on: what they are of, and that the world knows the chosen side."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from socialr1_lite.pairs import make_pairs
from socialr1_lite.pairs.made import LAST_LEARNED, READ
from socialr1_lite.pairs.spoil import RULES, Spoilable, spoilt
from socialr1_lite.sip import STAGES
from socialr1_lite.stories import DIMENSIONS
from socialr1_lite.stories.base import Rng
from tests.conftest import SCENARIO
from tests.pairs.examples import by_kind, pairs


def test_the_sources_have_their_shares_and_every_dimension_and_order_is_there() -> None:
    assert Counter(pair.source for pair in pairs()) == {"corpus": int(READ * 3000), "made": 3000 - int(READ * 3000)}
    made = [pair.scenario for pair in pairs() if pair.source == "made"]
    assert set(Counter(one.dimension for one in made)) == set(DIMENSIONS)
    assert {one.meta["order"] for one in made} == {0, 1, 2, 3}
    assert all(pair.chosen.strip() and pair.rejected.strip() and pair.chosen != pair.rejected for pair in pairs())
    assert all(pair.stage not in pair.context for pair in pairs())


def test_held_out_pairs_are_of_other_people_and_not_of_the_corpus() -> None:
    train, test = make_pairs(300), make_pairs(300, split="test")
    assert {pair.source for pair in test} == {"made"}
    people = [
        {name for one in some if one.scenario.facts for name in one.scenario.facts.people} for some in (train, test)
    ]
    assert people[0] and people[1] and not people[0] & people[1]


@pytest.mark.parametrize("n", [1, 28, 333])
def test_there_are_as_many_pairs_as_asked_for(n: int) -> None:
    assert len(make_pairs(n)) == n


def test_the_same_seed_makes_the_same_pairs_and_another_one_others() -> None:
    assert make_pairs(60) == make_pairs(60) != make_pairs(60, seed=12)


def test_what_is_learned_last_is_told_more_often() -> None:
    made = {
        one.scenario.id: one.scenario
        for one in pairs()
        if one.scenario.dimension == "knowledge" and one.source == "made"
    }
    templates = Counter(one.meta["template"] for one in made.values())
    assert templates[LAST_LEARNED] / templates.total() > 1.2 / len(templates)


@pytest.mark.parametrize("kind", ["opposite belief", "wrong person", "wrong option", "persons exchanged"])
def test_the_words_are_the_same_on_both_sides(kind: str) -> None:
    """One draw of the grammar words both: they differ in a few words, and those are not always the same ones."""
    apart = [Counter(pair.chosen.split()) - Counter(pair.rejected.split()) for pair in by_kind(kind)]
    assert len(apart) > 20 and sum(one.total() <= 4 for one in apart) > 0.45 * len(apart)
    assert len({word for one in apart for word in one}) > 20


# --- spoilt by a rule

TEXT = "Mara left the violin in the trunk. Tomas moved it to the crate. So Mara thinks that it is in the trunk."


def spoilable(stage: str, text: str = TEXT) -> Spoilable:
    story = "One day Mara met Tomas in the attic, and Mara left the violin in the trunk while Tomas watched."
    scenario = replace(SCENARIO, story=story, options=("the crate", "the trunk"), gold=(1,), shortcuts=())
    others = {name: f"Something else, of {name}." for name in STAGES if name != stage}
    return Spoilable(scenario, stage, text, others, "Quite another story. It has two sentences.", Rng("r"))


@pytest.mark.parametrize(
    ("rule", "stage", "text", "wrong"),
    [
        ("names exchanged", STAGES[1], "Mara left.", "Tomas left."),
        ("turned round", STAGES[1], "Mara thinks so.", "Mara does not think so."),
        ("of another option", STAGES[3], "The trunk, so B.", "The crate, so A."),
        ("of another option", STAGES[1], "It is in the trunk.", "It is in the crate."),
        ("loop", STAGES[0], "Mara left.", "Mara left. Mara left. Mara left. Mara left."),
        ("option-driven back-filling", STAGES[1], "Mara thinks so.", "The answer is the trunk, so Mara thinks so."),
        ("option-driven back-filling", STAGES[1], "She thinks so.", "The answer is the trunk, so she thinks so."),
    ],
)
def test_a_rule_spoils_a_text(rule: str, stage: str, text: str, wrong: str) -> None:
    assert RULES[rule][1](spoilable(stage, text)) == wrong


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_spoils_some_stage_and_leaves_the_others_or_changes_them(rule: str) -> None:
    made = {stage: RULES[rule][1](spoilable(stage)) for stage in STAGES}
    assert any(text != TEXT for text in made.values())


def test_a_rule_that_does_not_apply_makes_nothing() -> None:
    nothing = replace(spoilable(STAGES[2], "Hm."), others={})
    found = [spoilt(replace(nothing, rng=Rng(str(i)))) for i in range(60)]
    assert None in found and all(one is None or one[1] != "Hm." for one in found)
