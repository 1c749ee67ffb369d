"""Preference pairs: every kind is what it says, and nothing but the story tells the sides apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.pairs import KINDS, make_pairs
from socialr1_lite.pairs.made import ANY, BALANCED, LAST_LEARNED, _of
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.stories import generate
from tests.conftest import SCENARIO
from tests.pairs.examples import by_kind, pairs


def test_every_kind_is_made_and_balanced_kinds_equally_often() -> None:
    made = Counter(pair.kind for pair in pairs())
    assert set(made) == set(KINDS) and min(made.values()) >= 10
    assert all(made[one] == made[other] for one, other in BALANCED)
    assert all(KINDS[pair.kind].stage in (pair.stage, ANY) and pair.stage not in pair.context for pair in pairs())
    assert {pair.stage for pair in by_kind("filler added")} == set(STAGES)


def test_a_kind_is_made_in_its_share_of_the_stories() -> None:
    made = Counter(pair.kind for pair in pairs())
    stories = len({pair.scenario.id for pair in pairs()})
    assert 14 < len(pairs()) / stories < 20
    for kind in ("wholesale copy", "loop", "filler instead", "other option by its letter", "wrong person in a cue"):
        assert made[kind] / stories == pytest.approx(KINDS[kind].often, abs=0.12), kind


@pytest.mark.parametrize("n", [1, 28, 60, 333])
def test_there_are_no_more_pairs_than_asked_for(n: int) -> None:
    assert max(1, n - 80) <= len(make_pairs(n)) <= n


def test_a_belief_and_another_each_held_and_denied_share_their_words() -> None:
    """So that neither the denial nor the value tells the sides apart, only the two together."""
    stories, seen = list(generate(40, seed=5, dimensions=("belief",))), 0
    for scenario, twin in zip(stories[2::2], stories[3::2], strict=True):
        sides: dict[str, set[tuple[str, str]]] = {}
        for pair in _of(scenario, twin, stories[0].facts, 5):
            sides.setdefault(pair.kind, set()).add((pair.chosen, pair.rejected))
        for wrong_denied, right_denied in sides.get("right belief denied, or a wrong one", ()):
            assert right_denied in {one for _, one in sides["belief turned round"]}
            assert wrong_denied in {one for one, _ in sides["wrong belief turned round"]}
            held = {one for one, _ in sides["belief turned round"]} | {
                one for _, one in sides["wrong belief turned round"]
            }
            assert not held & {wrong_denied, right_denied}
            assert wrong_denied.split()[:4] == right_denied.split()[:4] and wrong_denied != right_denied
            seen += 1
    assert seen > 20


def test_knowing_is_turned_round_both_ways() -> None:
    chosen = [pair.chosen for pair in by_kind("knowledge turned round")]
    not_knowing = sum("does not know" in one for one in chosen)
    assert len(chosen) / 3 < not_knowing < 2 * len(chosen) / 3


@pytest.mark.parametrize(
    "kind", ["wrong person", "persons exchanged", "opposite belief", "wrong belief, filler chosen"]
)
def test_who_knows_is_asked_of_every_corruption_that_gives_it_to_another(kind: str) -> None:
    """The question names nobody then: only another of the people to choose from is surely wrong."""
    seen = 0
    for pair in by_kind(kind):
        gold, facts = pair.scenario.gold_text, pair.scenario.facts
        if pair.scenario.dimension != "knowledge" or facts is None or gold not in facts.people:
            continue
        right, wrong = (one.split(" know")[0].removesuffix(" does not") for one in (pair.chosen, pair.rejected))
        assert right.endswith(gold) and wrong.split()[-1] in {*pair.scenario.options} - {gold}
        assert ("does not know" in pair.chosen.split(".")[0]) == ("does not know" in pair.rejected.split(".")[0])
        seen += 1
    assert seen > 5


def test_an_opposite_belief_of_who_knows_what_is_the_twins() -> None:
    kind_pairs = [pair for pair in by_kind("opposite belief") if {*pair.scenario.options} == {"Yes", "No"}]
    assert len(kind_pairs) > 5
    for pair in kind_pairs:
        assert ("does not know" in pair.chosen) != ("does not know" in pair.rejected)


def test_a_pretence_is_turned_round_both_ways_and_nothing_else_is() -> None:
    kind_pairs = by_kind("pretence turned round")
    for pair in kind_pairs:
        assert "pretended not to know" in pair.scenario.question
        seen_through = pair.scenario.gold_text == "failure"
        assert ("does not know" in pair.chosen) != seen_through and ("does not know" in pair.rejected) == seen_through
    successes = sum(pair.scenario.gold_text == "success" for pair in kind_pairs)
    assert len(kind_pairs) / 3 < successes < 2 * len(kind_pairs) / 3


def test_no_kind_of_story_is_crowded_out_by_the_one_that_is_learned_last() -> None:
    scenarios = {pair.scenario.id: pair.scenario for pair in pairs()}
    found = Counter((one.dimension, one.meta["template"]) for one in scenarios.values())
    usual = Counter(
        (one.dimension, one.meta["template"])
        for one in generate(600, seed=11, dimensions=("belief", "knowledge"), orders=(0, 1, 2))
    )
    assert {one for one, n in usual.items() if n > 20} <= set(found)
    assert 0.1 < found["knowledge", LAST_LEARNED] / len(scenarios) < 0.3
    assert usual["knowledge", LAST_LEARNED] / usual.total() < 0.12  # else there would be no need


def test_the_same_seed_makes_the_same_pairs_and_another_one_others() -> None:
    assert make_pairs(60) == make_pairs(60) != make_pairs(60, seed=12)


def test_train_and_test_share_no_name() -> None:
    train = {word for pair in make_pairs(60) for word in pair.scenario.facts.people}  # type: ignore[union-attr]
    test = {word for pair in make_pairs(60, split="test") for word in pair.scenario.facts.people}  # type: ignore[union-attr]
    assert train and test and not train & test


# What argues from what, a bare letter, and how much filler outweighs an invention.
BEYOND_FACTS = ("back-filling", "letter", "invented cue, filler chosen")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not any(word in kind for word in BEYOND_FACTS)])
def test_the_facts_judge_finds_the_chosen_text_no_worse(kind: str) -> None:
    """The world knows which side is right."""
    judge, scored = FactsJudge(), []
    for pair in by_kind(kind):
        scores = []
        for text in (pair.chosen, pair.rejected):
            stages = {**pair.context, pair.stage: text}
            reply = parse(reply_text({stage: stages[stage] for stage in STAGES}, pair.answer), pair.scenario.options)
            scores.append(judge.judge([reply], pair.scenario)[0].scores[pair.stage] or 0.0)
        scored.append(scores[0] - scores[1])
    assert sum(one > 0 for one in scored) >= 0.8 * len(scored), scored


def test_all_that_is_decisive_with_filler_beats_an_invention_and_what_decides_nothing() -> None:
    kind_pairs = by_kind("invented cue, filler chosen")
    assert len(kind_pairs) > 20
    for pair in kind_pairs:
        facts = pair.scenario.facts
        assert facts is not None
        decisive = [facts.sentences[i] for i in facts.cues]
        assert all(one in pair.chosen for one in decisive) and not any(one in pair.rejected for one in decisive)


def test_back_filling_has_the_same_words_in_another_order() -> None:
    for pair in by_kind("option-driven back-filling"):
        sides = [sorted(side.lower().replace(",", "").replace(".", "").replace(";", "").split())
                 for side in (pair.chosen, pair.rejected)]  # fmt: skip
        assert sides[0] == sides[1] and pair.chosen != pair.rejected


def test_scenarios_without_facts_make_no_pairs() -> None:
    bare = replace(SCENARIO, facts=None)
    other = next(iter(generate(1)))
    assert not list(_of(bare, other, other.facts, 1))
