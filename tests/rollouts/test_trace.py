"""A trace and its row are the same record; rows of the earlier version read as what they meant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import COMPONENTS, ZERO_VARIANCE_REASONS, Score, Sibling, ZeroVarianceReason
from socialr1_lite.rollouts.trace import REQUIRED, Trace
from socialr1_lite.sip import reply_text
from tests.conftest import SCENARIO
from tests.runlogs import trace, traces

STACK = RewardStack(Recipe().rewards)
GOOD = reply_text(["Mara puts the violin in the green trunk."] * 4, "B")


def made(completion: Completion, tau: float = 0.4) -> Trace:
    (scored,) = STACK.score([completion], SCENARIO, tau=tau)
    return Trace.of(scored, phase="train", step=3, scenario=SCENARIO.id, group=1, index=2, prompt=[], advantage=0.5)


@given(traces())
def test_a_row_gives_its_trace_again(one: Trace) -> None:
    assert Trace.from_row(json.loads(json.dumps(one.to_row()))) == one


def test_a_scored_completion_keeps_who_scored_it_and_by_which_rules() -> None:
    one = made(Completion(GOOD, 90))
    row = json.loads(json.dumps(one.to_row()))
    assert row["judges"] == ["rules"] and row["versions"]["judge.rules"] >= 1
    assert set(row["versions"]) == {*COMPONENTS, "judge.rules"}
    assert Trace.from_row(row).total == one.total == one.score.total


def test_a_failed_request_is_no_completion() -> None:
    one = made(Completion.failure("HTTP 503: overloaded"))
    assert (one.completion.text, one.completion.finish, one.score.outcome) == ("", "failed", "failed")
    assert not one.score.is_scored and one.stages == {} and one.answer is None
    again = Trace.from_row(json.loads(json.dumps(one.to_row())))
    assert again == one and again.completion.error == "HTTP 503: overloaded"


def test_a_failed_completion_takes_no_part_in_its_group() -> None:
    good, lost, other = STACK.score([Completion(GOOD, 90), Completion.failure("gone"), Completion(GOOD, 90)], SCENARIO)
    assert good.score == other.score and lost.score.outcome == "failed" and good.score.components["content"] is not None


def test_the_first_versions_judge_and_failed_request_are_read_as_such() -> None:
    row = trace().to_row() | {"version": 1, "judge": {"names": ["facts", "rules"]}}
    del row["judges"], row["versions"]
    read = Trace.from_row(row)
    assert read.judges == ("facts", "rules") and read.score.version("content") == 1
    failed = row | {
        "completion": "HTTP 500",
        "notes": ["the endpoint gave no reply: HTTP 500"],
        "outcome": "unreadable",
    }
    assert Trace.from_row(failed).completion == Completion.failure("HTTP 500")


@pytest.mark.parametrize("name", REQUIRED)
def test_each_missing_field_is_named(name: str) -> None:
    row = trace().to_row()
    del row[name]
    with pytest.raises(ValueError, match=rf"{name} missing"):
        Trace.from_row(row)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phase", "test"),
        ("step", -1),
        ("step", True),
        ("step", 1 << 70),
        ("group", "1"),
        ("completion", None),
        ("tokens", 2.5),
        ("finish", "eos"),
        ("components", [1.0]),
        ("components", {"format": "1"}),
        ("parts", 3),
        ("mode", "sum"),
        ("tau", "high"),
        ("outcome", "maybe"),
        ("notes", [1]),
        ("prompt", 7),
        ("prefilled", 1),
        ("version", 3),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        Trace.from_row(trace().to_row() | {name: value})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*REQUIRED, "version", "judge", "judges", "stages", "sampling"]), json_values))
def test_any_row_is_read_or_refused_with_a_value_error(changes: dict[str, object]) -> None:
    try:
        read = Trace.from_row(trace().to_row() | changes)
    except ValueError:
        return
    assert Trace.from_row(json.loads(json.dumps(read.to_row()))).to_row() == read.to_row()


def test_what_each_component_adds_sums_to_the_total() -> None:
    for mode in ("gated", "additive"):
        score = replace(trace().score, mode=mode, tau=0.6)
        assert sum(score.contribution(name) or 0.0 for name in COMPONENTS) == pytest.approx(score.total, abs=1e-12)
    assert trace().score.contribution("format") is None  # a gate adds nothing by itself


def test_an_unscored_completion_has_a_reason_and_no_reward() -> None:
    score = Score.unscored("unknown", ["why"])
    assert score.total == 0.0 and score.notes == ("why",) and not score.is_scored


class TestGroups:
    RIGHT = Sibling(1.0, False, 1.0, "right")

    @pytest.mark.parametrize(
        ("group", "reason"),
        [
            ([RIGHT], ""),
            ([RIGHT, RIGHT._replace(total=1.1)], ""),
            ([RIGHT, RIGHT], "all right"),
            ([RIGHT._replace(outcome="wrong")] * 3, "all wrong"),
            ([RIGHT, RIGHT._replace(outcome="wrong")], "terms cancel"),
            ([RIGHT._replace(outcome="unreadable")] * 2, "terms cancel"),
            ([Sibling(0.0, False, 0.0, "wrong")] * 2, "all badly formed"),
            ([Sibling(0.0, True, 0.0, "wrong")] * 2, "all cut off"),
            ([Sibling(0.0, True, 0.0, "wrong"), Sibling(0.0, False, 0.0, "right")], "all badly formed"),
            ([Sibling(0.0, False, None, "wrong")] * 2, "all wrong"),
            ([RIGHT, RIGHT._replace(total=1.0 + 5e-7)], "all right"),
            ([RIGHT, RIGHT._replace(total=1.0 + 5e-6)], ""),
        ],
    )
    def test_why_a_group_has_no_variance(self, group: list[Sibling], reason: str) -> None:
        aggregate = ZeroVarianceReason()
        for sibling in group:
            aggregate.step(sibling.total, int(sibling.truncated), sibling.format, sibling.outcome)
        assert aggregate.finalize() == reason
        assert reason in ("", *ZERO_VARIANCE_REASONS)


@pytest.mark.parametrize("odd", [1e300, -1e16, 2**60, float("inf"), float("nan"), True, "1", [1], {}])
@pytest.mark.parametrize(
    "where", ["components", "parts", "weights", "tau", "advantage", "step", "tokens", "answer", "segment"]
)
def test_a_number_that_no_figure_can_be_made_of_is_refused_at_the_door(where: str, odd: Any) -> None:
    row = json.loads(json.dumps(trace().to_row()))
    row[where] = {"outcome": odd} if isinstance(row[where], dict) else odd
    with pytest.raises(ValueError, match=f"{where} must be"):
        Trace.from_row(row)
