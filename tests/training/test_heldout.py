"""The held-out check counts what happened, and compares two checks question by question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import RunFolder, TraceWriter, read_traces
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import heldout
from socialr1_lite.training.heldout import Check, check_heldout
from tests.scripted import BROKEN, RIGHT, WRONG, ScriptedPolicy, copies

RECIPE = Recipe.model_validate({"rewards": {"length": {"min_tokens": 5}}})
TEXTS = (RIGHT, WRONG, BROKEN, RIGHT)


def questions(scenario: Scenario, groups: str) -> list[Scenario]:
    """Copies of the scenario, one a letter; equal letters are twins of one story."""
    rows = [one.to_row() for one in copies(scenario, len(groups))]
    return [Scenario.from_row(row | {"group": group}) for row, group in zip(rows, groups, strict=True)]


def check(scenario, traces=None, *, groups: str = "abcd", texts: Sequence[str] = TEXTS) -> Check:
    policy = ScriptedPolicy(texts.__getitem__, cut=lambda i: i == 2)
    stack = RewardStack(RECIPE.rewards)
    return check_heldout(policy, RECIPE, stack, questions(scenario, groups), label="now", step=3, traces=traces)


def test_the_figures_are_counted(scenario):
    now = check(scenario)
    assert (now.n, now.format_rate, now.accuracy) == (4, 0.75, 0.5)
    assert (now.unreadable, now.truncated) == (0.25, 0.25)
    assert now.right == (True, False, False, True)
    assert now.low == pytest.approx(0.1500, abs=1e-4)  # Wilson, 2 of 4
    assert now.high == pytest.approx(0.8500, abs=1e-4)


def test_an_interval_counts_stories_not_questions(scenario):
    now = check(scenario, groups="aabb", texts=[WRONG] * 4)
    assert now.stories == tuple(f"{scenario.id}-{i}" for i in (0, 0, 2, 2))
    assert now.high == pytest.approx(0.6576, abs=1e-4)  # Wilson, 0 of 2 stories; of 4 questions it would be 0.4899


def test_it_asks_greedily_at_the_full_process_weight(scenario):
    policy = ScriptedPolicy(lambda _: RIGHT)
    check_heldout(policy, RECIPE, RewardStack(RECIPE.rewards), copies(scenario, 2), label="x", step=0)
    assert policy.sampling["temperature"] == 0.0


def test_every_reply_becomes_a_trace_that_gives_the_same_mean_reward(scenario, tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.begin_launch(0, ["test"])
    with TraceWriter(run) as traces:
        now = check(scenario, traces)
    stored = list(read_traces(run))
    assert [trace.score.outcome for trace in stored] == ["right", "wrong", "unreadable", "right"]
    assert {trace.benchmark for trace in stored} == {"heldout: now"}
    assert {trace.score.tau for trace in stored} == {1.0}
    assert sum(trace.total for trace in stored) / 4 == pytest.approx(now.reward, abs=1e-9)


def test_a_check_survives_its_file(scenario):
    now = check(scenario)
    assert Check.from_row(now.to_row()) == now


def test_two_checks_are_compared_question_by_question(scenario):
    one = check(scenario)
    other = Check.from_row(one.to_row() | {"label": "later", "right": [True, True, True, False]})
    words = "2 questions newly right, 1 newly wrong of 4 in 4 stories (permutation test by story, two-sided p = 1)"
    assert words in heldout.compare(one, other)


def test_twins_that_change_together_are_one_change(scenario):
    before = check(scenario, groups="aabb", texts=[WRONG] * 4)
    after = check(scenario, groups="aabb", texts=[RIGHT] * 4)
    assert "4 questions newly right, 0 newly wrong of 4 in 2 stories" in heldout.compare(before, after)
    assert "two-sided p = 0.5)" in heldout.compare(before, after)  # 2 of the 4 sign patterns; of questions: 0.12


def test_checks_written_before_stories_were_counted_are_read_and_compared():
    rows = json.loads((Path(__file__).parents[1] / "fixtures/run_2026_11_22/run/summary.json").read_text())["checks"]
    first, *_, last = map(Check.from_row, rows)
    assert "0 questions newly right, 0 newly wrong of 2 in 2 stories" in heldout.compare(first, last)


def test_the_table_has_a_row_a_check(scenario):
    header, rows = heldout.table([check(scenario)])
    assert len(header) == len(rows[0])
    assert rows[0][:4] == ["now", "4", "0.75", "0.500"]
