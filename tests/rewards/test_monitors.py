"""Monitors: judges of weight 0 are asked and logged; what is paid, and who is stopped, is as if they were not there."""

from __future__ import annotations

import io
import json
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from socialr1_lite import score
from socialr1_lite.errors import JudgeError, PolicyError, RecipeError
from socialr1_lite.judges import JUDGES, Verdict
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import ContentReward, JudgeEntry, Recipe, Rewards, load_recipe
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rewards.monitors import contrasts, divergences
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.runlog import MetricsWriter, RunFolder, read_metrics
from socialr1_lite.sip import STAGES, parse
from socialr1_lite.training.grpo import TrlRewardAdapter
from socialr1_lite.training.ranks import Ranks
from socialr1_lite.training.session import Training
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
    assert set(score.parts) - set(alone.parts) == {"content.watcher", *(f"content.watcher.{one}" for one in STAGES)}, (
        "0.7 apart, and no disagreement: it is none of the judges that pay"
    )
    assert not [note for note in score.notes if "disagree" in note]
    assert score.versions["monitor.watcher"] == 1 and "judge.watcher" not in score.versions


def test_an_absent_stage_and_a_preamble_count_for_it_as_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = well_formed(TEXTS[0], "", TEXTS[2], TEXTS[3])
    score = stack(monkeypatch, says(0.4, cue_encoding=None)).score(reply, SCENARIO, tokens=220)
    assert score.parts["content.watcher"] == pytest.approx((0.0 + 0.4 + 0.4) / 3)
    assert "content.watcher.cue_encoding" not in score.parts


@pytest.mark.parametrize("broken", [FAILS, JudgeError("no route to the endpoint"), PolicyError("its endpoint is none")])
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


# --- the alarm


def curves(steps: int, paid: float, seen: float, *, noise: float, wander: float = 0.0, seed: int = 0) -> list[dict]:
    """Rows of metrics.jsonl: two means that change by so much over the run, wander by so much a step, and have noise."""
    rng, rows, at = random.Random(seed), [], [0.4, 0.6]
    for step in range(1, steps + 1):
        at = [one + change / steps + rng.gauss(0, wander) for one, change in zip(at, (paid, seen), strict=True)]
        told = [one + rng.gauss(0, noise) for one in at]
        rows.append({"step": step, "reward/content": told[0], "monitor/rules": told[1]})
    return rows


def sounds(rows: list[dict]) -> int:
    """Return the first step at which a training would sound the alarm, 0 for none."""
    return next((end for end in range(1, len(rows) + 1) if list(divergences(rows[:end]))), 0)


# What the bundled example's completions have, 12 a step: facts paid, rules watching.
NOISE = 0.09


@pytest.mark.parametrize("seed", range(5))
def test_paid_up_and_monitor_down_sounds_and_says_by_how_much(seed: int) -> None:
    rows = curves(100, 0.3, -0.3, noise=0.02, seed=seed)
    assert 0 < sounds(rows) <= 100
    (alarm,) = divergences(rows)
    assert (alarm.monitor, alarm.steps) == ("rules", {"from": 53, "to": 100})
    assert "rose by 0.1" in alarm.words and "the monitor rules fell by 0.1" in alarm.words


@pytest.mark.parametrize(("paid", "seen"), [(0.3, 0.3), (0.3, 0.0), (-0.3, -0.3), (-0.3, 0.3), (0.0, -0.3), (0.0, 0.0)])
def test_nothing_else_sounds(paid: float, seen: float) -> None:
    assert not any(sounds(curves(100, paid, seen, noise=0.02, seed=seed)) for seed in range(5))


def test_noise_alone_does_not_sound() -> None:
    """60 runs of 120 steps; docs/judges.md has more of them, and longer ones."""
    assert sum(sounds(curves(120, 0, 0, noise=NOISE, seed=seed)) > 0 for seed in range(20)) == 0
    assert sum(sounds(curves(120, 0, 0, noise=NOISE, wander=NOISE / 10, seed=seed)) > 0 for seed in range(20)) <= 1
    assert sum(sounds(curves(120, 0, 0, noise=0.0, wander=NOISE, seed=seed)) > 0 for seed in range(20)) <= 2


def test_a_short_run_and_holes_say_nothing() -> None:
    assert not sounds(curves(39, 0.6, -0.6, noise=0.0)) and sounds(curves(40, 0.6, -0.6, noise=0.0)) == 40
    rows = curves(60, 0.6, -0.6, noise=0.0)
    for row in rows[::2]:  # a judge that was away: 30 steps are left in which both were told
        row["monitor/rules"] = None
    assert not sounds(rows)
    assert not sounds([{"step": 1, "reward/content": "many"}, {"eval/accuracy": 0.5}, *rows])


def test_samples_paid_high_that_the_monitor_gives_low_are_an_alarm_and_a_few_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for disputed, loud in ((1, False), (3, True)):
        watched = stack(monkeypatch, *[says(0.1)] * disputed, *[says(0.7)] * (8 - disputed))
        ((words, alarm),) = contrasts(watched.score_group([well_formed()] * 8, SCENARIO, tokens=[220] * 8))
        assert words.startswith("content of 8 samples in form: 0.80 is paid, the monitor watcher gives 0.")
        assert bool(alarm) is loud
    assert "3 of 8 samples are paid 0.6 or more" in alarm and "the monitor watcher" in alarm
    out_of_form = stack(monkeypatch, says(0.1)).score(parse("no idea", SCENARIO.options), SCENARIO, tokens=9)
    assert not list(contrasts([out_of_form])), "what is out of form is not paid"


def test_the_trainers_line_has_the_alarm_and_a_resumed_one_remembers(tmp_path: Path) -> None:
    said, kept = [], curves(100, 0.3, -0.3, noise=0.02)
    recipe = Recipe.model_validate(
        {"rewards": {"content": {"judges": [{"name": "facts"}, {"name": "rules", "weight": 0}]}}}
    )
    run = RunFolder.create(tmp_path / "run")
    metrics = MetricsWriter(run, launch=run.begin_launch(0, ["train"]))
    for row in kept[:90]:
        metrics.write(row["step"], {name: value for name, value in row.items() if name != "step"})
    progress = Progress(stream=io.StringIO())
    training = Training(recipe, run, RewardStack(recipe.rewards), progress, Ranks(0, 1))
    training.trackers = SimpleNamespace(log=said.append)
    with progress.steps(100, 90) as steps:
        log = training._logger(metrics, steps.log, SimpleNamespace(scaled=False))
        for row in kept[90:]:
            log(row["step"], {name: value for name, value in row.items() if name != "step"})
    printed = progress._stream.getvalue()
    assert printed.count("alarm: What is paid for content rose by 0.1") == 1
    assert "left  ALARM: rules" in printed.splitlines()[-1]
    assert read_metrics(run)[-1]["alarm/rules"] == said[-1]["alarm/rules"] == 1.0


def test_means_and_failures_are_among_the_metrics_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = stack(monkeypatch, says(0.25), FAILS, say=lambda _: None)
    adapter = TrlRewardAdapter(watched, [SCENARIO], Recipe(), None, set(), False)
    adapter.last = watched.score([Completion(well_formed().text, 220)] * 4, SCENARIO)
    found = dict(adapter.metrics([0] * 4))
    assert (found["monitor/watcher"], found["monitor_failures/watcher"]) == (0.25, 2)
    assert found["reward/content"] == pytest.approx(0.8)


def test_a_run_is_scored_again_and_its_monitors_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(Path(__file__).parents[1] / "fixtures" / "run_2026_11_22_embedded", tmp_path / "run"))
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["rewards"]["content"]["judges"] = [{"name": "facts"}, {"name": "rules", "weight": 0}]
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert score.main([str(run), "-o", str(tmp_path / "out.jsonl")]) == 0
    assert "; the monitor rules gives a mean of 0." in capsys.readouterr().err
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert all("content.rules" in row["parts"] and row["versions"]["monitor.rules"] for row in rows)
