"""Monitors: judges of weight 0 are asked and logged; what is paid, and who is stopped, is as if they were not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialr1_lite.errors import JudgeError, RecipeError
from socialr1_lite.judges import JUDGES, Verdict
from socialr1_lite.recipe import ContentReward, JudgeEntry, Recipe, Rewards, load_recipe
from socialr1_lite.rewards import RewardStack
from tests.conftest import SCENARIO
from tests.rewards.test_components import TEXTS, well_formed
from tests.rewards.test_stack import FAILS, Scripted, says

PAID, WATCHED = JudgeEntry(name="payer"), JudgeEntry(name="watcher", weight=0)


def stack(
    monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict | Exception, judges=(PAID, WATCHED), **more
) -> RewardStack:
    """Return a stack whose paid judge gives 0.8 to every stage, and whose monitor says these."""
    monkeypatch.setitem(JUDGES, "payer", lambda: Scripted(says(0.8), name="payer"))
    monkeypatch.setitem(JUDGES, "watcher", lambda: Scripted(*verdicts, name="watcher"))
    return RewardStack(Rewards(content=ContentReward(judges=judges)), **more)


def test_it_is_asked_and_logged_and_nothing_that_is_paid_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = stack(monkeypatch, says(0.1, goal_clarification=0.5))
    score = watched.score(well_formed(), SCENARIO, tokens=220)
    alone = stack(monkeypatch, says(0.1), judges=(PAID,)).score(well_formed(), SCENARIO, tokens=220)
    assert score.parts["content.watcher"] == pytest.approx(0.2)
    assert score.parts["content.watcher.goal_clarification"] == 0.5
    assert score.components == alone.components and score.total == alone.total
    assert {name: score.parts[name] for name in alone.parts} == alone.parts, "no part of what is paid moves either"
    assert set(score.parts) - set(alone.parts) == {"content.watcher"} | {
        f"content.watcher.{stage}"
        for stage in ("cue_encoding", "cue_interpretation", "goal_clarification", "response_generation")
    }, "0.7 apart, and no disagreement: it is none of the judges that pay"
    assert not [note for note in score.notes if "disagree" in note]
    assert score.versions["monitor.watcher"] == 1 and "judge.watcher" not in score.versions


def test_an_absent_stage_and_a_preamble_count_for_it_as_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = well_formed(TEXTS[0], "", TEXTS[2], TEXTS[3])
    score = stack(monkeypatch, says(0.4, cue_encoding=None)).score(reply, SCENARIO, tokens=220)
    assert score.parts["content.watcher"] == pytest.approx((0.0 + 0.4 + 0.4) / 3)
    assert "content.watcher.cue_encoding" not in score.parts


@pytest.mark.parametrize("broken", [FAILS, JudgeError("no route to the endpoint")])
def test_its_failures_take_nothing_from_a_group_and_stop_no_run(
    monkeypatch: pytest.MonkeyPatch, broken: Verdict | Exception
) -> None:
    said: list[str] = []
    watched = stack(monkeypatch, broken, say=said.append)
    for _ in range(60):  # 240 of 240 calls, where a paid judge may fail for 10 of 200
        scores = watched.score_group([well_formed()] * 4, SCENARIO, tokens=[220] * 4)
    assert [score.components["content"] for score in scores] == pytest.approx([0.8] * 4)
    assert [score.parts["content.watcher"] for score in scores] == [None] * 4
    assert watched.monitors == {"watcher": 240}
    assert len(said) == 1 and "the monitor watcher failed (" in said[0] and "endpoint" in said[0]
    assert any("monitor watcher: failed: " in note for note in scores[0].notes)


def test_one_failure_leaves_its_other_verdicts_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = stack(monkeypatch, FAILS, says(0.3), say=lambda _: None).score_group(
        [well_formed()] * 2, SCENARIO, tokens=[220] * 2
    )
    assert [score.parts["content.watcher"] for score in scores] == [None, pytest.approx(0.3)]


def test_where_the_paid_judge_failed_the_monitor_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = stack(monkeypatch, says(1.0))
    monkeypatch.setitem(JUDGES, "payer", lambda: Scripted(FAILS, name="payer"))
    watched = RewardStack(Rewards(content=ContentReward(judges=(PAID, WATCHED))))
    score = watched.score(well_formed(), SCENARIO, tokens=220)
    assert score.components["content"] is None and score.parts["content.watcher"] == 1.0


def test_a_monitor_of_the_same_kind_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = stack(monkeypatch, says(0.5), judges=(PAID, JudgeEntry(name="payer", weight=0)))
    score = twice.score(well_formed(), SCENARIO, tokens=220)
    assert score.components["content"] == score.parts["content.payer_2"] == pytest.approx(0.8)
    assert twice.monitors == {"payer_2": 0}


def test_monitors_alone_are_refused_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text("rewards:\n  content:\n    judges: [{name: rules, weight: 0}, {name: facts, weight: 0.0}]\n")
    with pytest.raises(RecipeError) as refused:
        load_recipe(path)
    (line,) = [line for line in str(refused.value).splitlines() if "watch.yaml:" in line]
    assert "watch.yaml:3" in line and "rewards.content.judges" in line and "weight above 0" in line
    path.write_text("rewards:\n  content:\n    judges: [{name: rules, weight: 0}, {name: facts}]\n")
    assert [one.weight for one in load_recipe(path).rewards.content.judges] == [0, 1]


def test_a_smoke_keeps_monitors_and_pays_by_rules_where_the_paid_judge_needs_a_service() -> None:
    from socialr1_lite.plan.smoke import smoke

    asked = {"rewards": {"content": {"judges": [{"name": "llm"}, {"name": "facts", "weight": 0}]}}}
    judges = smoke(Recipe.model_validate(asked)).rewards.content.judges
    assert [(one.name, one.weight) for one in judges] == [("rules", 1.0), ("facts", 0.0)]
