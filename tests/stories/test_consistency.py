"""Twin and permutation consistency, on answers worked out by hand."""

from __future__ import annotations

import pytest

from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import consistency, generate


def pair(name: str, golds: tuple[int, int]) -> list[Scenario]:
    ids = [f"{name}a", f"{name}b"]
    return [
        Scenario(id=ids[i], story="s", question="q", options=("x", "y", "z"), gold=(golds[i],), group=name,
                 shortcuts=tuple("" if o == golds[i] else f"short {o}" for o in range(3)), twins=(ids[1 - i],),
                 meta={"order": 1 + i})
        for i in range(2)
    ]  # fmt: skip


FAMILIES = [*pair("p", (0, 1)), *pair("q", (1, 2)), *pair("r", (2, 0))]
ANSWERS = {"pa": 0, "pb": 1, "qa": 1, "qb": 1, "ra": None, "rb": 2}


def test_counts():
    assert consistency.accuracy(FAMILIES, ANSWERS) == consistency.Share(3, 6)
    assert consistency.twin_accuracy(FAMILIES, ANSWERS) == consistency.Share(1, 3)
    assert consistency.unmoved(FAMILIES, ANSWERS) == consistency.Share(1, 3)
    assert consistency.joint_accuracy(FAMILIES, ANSWERS) == {1: consistency.Share(2, 3), 2: consistency.Share(1, 3)}
    assert consistency.failures(FAMILIES, ANSWERS) == {"short 1": 1, "short 2": 1, "unreadable": 1}


def test_a_family_with_one_answered_member_does_not_count():
    assert consistency.twin_accuracy(FAMILIES, {"pa": 0}).value is None
    assert consistency.accuracy(FAMILIES, {"pa": 0}).value == 1.0


def test_permuting_moves_gold_and_shortcuts_along():
    for scenario in generate(20, seed=3):
        copies = consistency.permuted(scenario, 4)
        assert len({copy.id for copy in copies}) == 4
        for copy in copies:
            assert sorted(copy.options) == sorted(scenario.options)
            assert copy.gold_text == scenario.gold_text
            assert dict(zip(copy.options, copy.shortcuts, strict=True)) == dict(
                zip(scenario.options, scenario.shortcuts, strict=True)
            )


@pytest.mark.parametrize(("picks", "same"), [("text", 1), ("letter", 0)])
def test_a_model_that_follows_the_text_is_consistent_and_one_that_follows_the_letter_is_not(picks: str, same: int):
    scenario = FAMILIES[0]
    group = [scenario, *consistency.permuted(scenario, 6)]
    answers = {s.id: s.options.index("y") if picks == "text" else 0 for s in group}
    assert consistency.permutation_consistency([group], answers) == consistency.Share(same, 1)
    assert consistency.permutation_consistency([group], dict.fromkeys(answers)) == consistency.Share(0, 1)
