"""The held-out check counts what happened, and compares two checks question by question."""

from __future__ import annotations

import pytest

from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import RunFolder, TraceWriter, read_traces, row_total
from socialr1_lite.training import heldout
from socialr1_lite.training.heldout import Check, check_heldout
from tests.scripted import BROKEN, RIGHT, WRONG, ScriptedPolicy, copies

RECIPE = Recipe.model_validate({"rewards": {"length": {"min_tokens": 5}}})
TEXTS = (RIGHT, WRONG, BROKEN, RIGHT)


def check(scenario, traces=None) -> Check:
    policy = ScriptedPolicy(TEXTS.__getitem__, cut=lambda i: i == 2)
    stack = RewardStack(RECIPE.rewards)
    return check_heldout(policy, RECIPE, stack, copies(scenario, 4), label="now", step=3, traces=traces)


def test_the_figures_are_counted(scenario):
    told = check(scenario)
    assert (told.n, told.format_rate, told.accuracy) == (4, 0.75, 0.5)
    assert (told.unreadable, told.truncated) == (0.25, 0.25)
    assert told.right == (True, False, False, True)
    assert told.low == pytest.approx(0.1500, abs=1e-4)  # Wilson, 2 of 4
    assert told.high == pytest.approx(0.8500, abs=1e-4)


def test_it_asks_greedily_at_the_full_process_weight(scenario):
    policy = ScriptedPolicy(lambda _: RIGHT)
    check_heldout(policy, RECIPE, RewardStack(RECIPE.rewards), copies(scenario, 2), label="x", step=0)
    assert policy.sampling["temperature"] == 0.0


def test_every_reply_becomes_a_trace_that_gives_the_same_mean_reward(scenario, tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.begin_segment(0, ["test"])
    with TraceWriter(run) as traces:
        told = check(scenario, traces)
    rows = list(read_traces(run))
    assert [row["outcome"] for row in rows] == ["right", "wrong", "unreadable", "right"]
    assert {row["benchmark"] for row in rows} == {"heldout: now"}
    assert {row["tau"] for row in rows} == {1.0}
    assert sum(map(row_total, rows)) / 4 == pytest.approx(told.reward, abs=1e-9)


def test_a_check_survives_its_file(scenario):
    told = check(scenario)
    assert Check.from_row(told.to_row()) == told


def test_two_checks_are_compared_question_by_question(scenario):
    one = check(scenario)
    other = Check.from_row(one.to_row() | {"label": "later", "right": [True, True, True, False]})
    assert "2 questions newly right, 1 newly wrong of 4" in heldout.compare(one, other)


def test_the_table_has_a_row_a_check(scenario):
    header, rows = heldout.table([check(scenario)])
    assert len(header) == len(rows[0])
    assert rows[0][:4] == ["now", "4", "0.75", "0.500"]
