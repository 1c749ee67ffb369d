"""The filter of the address bar: several values, none of them, ranges, searches; against the rows themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.viewer import pages
from socialr1_lite.viewer.filtering import FLAGS, where
from socialr1_lite.viewer.serving import BadRequest, Query

Holds = Callable[[Trace], bool]
SEVERAL: list[tuple[dict[str, str], Holds]] = [
    ({"outcome": "wrong|unreadable"}, lambda one: one.score.outcome in ("wrong", "unreadable")),
    ({"outcome": "!wrong|unreadable"}, lambda one: one.score.outcome not in ("wrong", "unreadable")),
    ({"phase": "train", "truncated": "!1"}, lambda one: one.phase == "train" and not one.completion.truncated),
    ({"reward_min": "0.5", "reward_max": "1.25"}, lambda one: 0.5 <= one.total <= 1.25),
    ({"advantage_max": "-0.5"}, lambda one: one.advantage is not None and one.advantage <= -0.5),
    ({"tokens_min": "60", "outcome": "right"}, lambda one: one.completion.tokens >= 60 and one.score.outcome == "right"),
    ({"flag": "early_answer|paid_yet_wrong"}, lambda one: early(one) and paid(one, "wrong") >= 0.6),
    ({"flag": "!early_answer"}, lambda one: not early(one)),
    ({"stage_state": "cue_interpretation:missing|cue_interpretation:empty"},
     lambda one: one.stages["cue_interpretation"] in ("missing", "empty")),
    ({"stage_state": "!cue_interpretation:missing"}, lambda one: one.stages["cue_interpretation"] != "missing"),
    ({"flag": "paid_yet_wrong", "outcome": "!right"}, lambda one: paid(one, "wrong") >= 0.6),
    ({"flag": "right_yet_unpaid"}, lambda one: 0 <= paid(one, "right") <= 0.999),
    ({"process_min": "0.9"}, lambda one: (one.score.process or 0) >= 0.9),
    ({"q": "submarine OR violin -volcano"},
     lambda one: any(word in one.completion.text for word in ("submarine", "violin")) and "volcano" not in one.completion.text),
]  # fmt: skip


def early(trace: Trace) -> bool:
    return (trace.score.parts["structure.independence"] or 0) < 1


def paid(trace: Trace, outcome: str) -> float:
    share = trace.score.paid
    return share if share is not None and trace.score.outcome == outcome else -1.0


@pytest.mark.parametrize(("filters", "holds"), SEVERAL, ids=lambda one: "&".join(one) if isinstance(one, dict) else "")
def test_it_lets_through_what_it_says(ask: Any, run: RunFolder, filters: dict[str, str], holds: Holds) -> None:
    wanted = {pages.key_of(trace) for trace in read_traces(run) if holds(trace)}
    found: set[str] = set()
    for nth in range(1, 40):
        page = ask(pages.traces, nth=nth, **filters)
        found |= {row["id"] for row in page["rows"]}
        if nth * page["size"] >= page["total"]:
            break
    assert found == wanted
    if "q" not in filters:
        assert wanted, "the run has none: the test cannot fail"


def test_stories_and_questions_are_searched_where_asked(ask: Any, run: RunFolder) -> None:
    scenario = next(iter(run.read_scenarios()))
    word = max(scenario.question.strip("?").split(), key=len)
    asked = ask(pages.traces, q=f'"{scenario.question.strip("?")}"', **{"in": "asked"})
    assert (
        asked["total"] == sum(scenario_of(run, trace).question == scenario.question for trace in read_traces(run)) > 0
    )
    assert ask(pages.traces, q=word, **{"in": "all"})["total"] >= ask(pages.traces, q=word)["total"]
    with pytest.raises(BadRequest):
        ask(pages.traces, q=word, **{"in": "titles"})


def scenario_of(run: RunFolder, trace: Trace) -> Any:
    return next(one for one in run.read_scenarios() if one.id == trace.scenario)


def test_a_value_with_the_signs_in_it_is_one_value() -> None:
    assert where(Query({"benchmark": "a%7Cb%21|50%25"})) == {"benchmark": ["a|b!", "50%"]}
    assert where(Query({"benchmark": "!%21x"})) == {"benchmark": {"not": "!x"}}


@pytest.mark.parametrize(
    "wrong",
    [{"outcome": "a||b"}, {"outcome": "!"}, {"truncated": "0|2"}, {"flag": "early_answer|x"}, {"reward_min": "x"},
     {"reward_min": "nan"}, {"tokens_max": "inf"}, {"reward_max": True}, {"phase": "|".join("a" * 50)}],
)  # fmt: skip
def test_what_is_no_filter_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        where(Query(wrong))


def test_counts_of_flags_are_what_choosing_them_gives_beside_other_filters(ask: Any) -> None:
    other = {"outcome": "wrong|right", "tokens_min": "20"}
    counted = {one["value"]: one["n"] for one in ask(pages.facets, **other)["facets"]["flag"]}
    assert len(counted) >= 5
    for flag in FLAGS:
        assert ask(pages.traces, flag=flag, **other)["total"] == counted.get(flag, 0), flag
