"""What the page may ask, and what it gets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, read_traces
from socialr1_lite.sip import STAGES
from socialr1_lite.statistics import wilson
from socialr1_lite.viewer import comparison, curves, hacks, pages, reports, runs
from socialr1_lite.viewer.library import Indexing, Library
from socialr1_lite.viewer.serving import BadRequest, Query, encode, served
from socialr1_lite.viewer.words import MAX_WORDS, word_diff
from tests.viewer.make_run import make_run, moved


def test_filters_agree_with_a_plain_count(ask: Any, run: RunFolder) -> None:
    traces = list(read_traces(run))
    filters = {
        "outcome": ("wrong", lambda trace: trace.score.outcome == "wrong"),
        "truncated": ("1", lambda trace: trace.completion.truncated),
        "phase": ("eval", lambda trace: trace.phase == "eval"),
        "stage_state": ("cue_interpretation:missing", lambda trace: trace.stages["cue_interpretation"] == "missing"),
        "flag": ("early_answer", lambda trace: trace.score.parts["structure.independence"] < 1),
        "q": ("submarine", lambda trace: "submarine" in trace.completion.text),
    }
    for name, (value, holds) in filters.items():
        wanted = sum(map(holds, traces))
        assert wanted > 0, name
        assert ask(pages.traces, **{name: value})["total"] == wanted, name


def test_facet_counts_are_what_choosing_them_gives(ask: Any) -> None:
    facets = ask(pages.facets)["facets"]
    for name in ("outcome", "phase", "truncated", "flat", "dimension", "stage_state", "flag"):
        assert facets[name], name
        for facet in facets[name]:
            assert ask(pages.traces, **{name: facet["value"]})["total"] == facet["n"], facet


def test_walking_the_filter_visits_every_completion_once(ask: Any) -> None:
    filters = {"outcome": "wrong", "sort": "-total"}
    total = ask(pages.traces, **filters)["total"]
    here = ask(pages.trace, **filters)
    seen = [here["id"]]
    while here["next"]:
        here = ask(pages.trace, trace=here["next"], **filters)
        assert here["previous"] == seen[-1]
        seen.append(here["id"])
        assert here["position"] == len(seen) and here["of"] == total
    assert len(seen) == len(set(seen)) == total


def test_a_name_finds_its_completion_and_no_other_run_s(ask: Any) -> None:
    first = ask(pages.traces, sort="-advantage")["rows"][0]
    assert ask(pages.trace, trace=first["id"])["total"] == first["total"]
    evaluated = ask(pages.traces, phase="eval")["rows"][0]
    assert ask(pages.trace, trace=evaluated["id"])["heading"].startswith("heldout")
    with pytest.raises(RunLogError, match="holds no completion"):
        ask(pages.trace, trace="t0.999.1.1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"trace": "../../etc/passwd"}, {"sort": "total; DROP TABLE traces"}, {"sort": "completion"}, {"nth": -1},
        {"nth": "x"}, {"nth": 1.5}, {"page": 1}, {"stage_state": "nonsense"}, {"flag": "x"}, {"truncated": "2"}, {"nonsense": 1},
        {"outcome": 3}, {"q": "x" * 500}, {"from": "abc"}, {"from": True}, {"run": 3}, {"run": ["a"]}, {"sort": None},
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(library: Library, wrong: dict[str, Any]) -> None:
    page = pages.trace if "trace" in wrong else pages.traces
    answer = json.loads(served("x", lambda query: page(library, query))({"run": "first", **wrong}))
    assert list(answer) == ["error"], answer


@pytest.mark.parametrize("name", ["../first", "/etc", "", "first/../second", "first\x00", "FIRST"])
def test_a_run_is_looked_up_and_never_a_path(library: Library, name: str) -> None:
    with pytest.raises(RunLogError, match="no run"):
        library.run(name)


def test_an_answer_is_always_json_that_a_browser_reads() -> None:
    text = encode({"a": float("nan"), "b": [float("inf")], "c": "lone \ud83d surrogate", "d": "\u2028</script>"})
    assert json.loads(text) == {"a": None, "b": [None], "c": "lone \ud83d surrogate", "d": "\u2028</script>"}
    assert text.isascii()


def test_a_bug_of_ours_is_a_sentence_on_the_page_and_a_traceback_in_the_terminal(capsys: Any) -> None:
    def broken(query: Query) -> Any:
        raise KeyError("secret detail")

    answer = json.loads(served("x", broken)({}))
    assert "mistake" in answer["error"] and "secret" not in answer["error"]
    assert "KeyError" in capsys.readouterr().err


def test_the_group_says_what_separated_best_from_worst(ask: Any) -> None:
    chosen = next(row for row in ask(pages.traces, flat="0", phase="train", sort="-advantage")["rows"])
    group = ask(pages.group, trace=chosen["id"])
    totals = [member["total"] for member in group["members"]]
    assert f"{max(totals):.2f}" in group["separated"] and f"{min(totals):.2f}" in group["separated"]
    assert len(group["members"]) == 6 and not group["flat"]
    flat = ask(pages.traces, flat="1", phase="train")["rows"][0]
    assert "nothing is learned" in ask(pages.group, trace=flat["id"])["flat"]


def test_the_same_prompt_is_followed_across_steps(ask: Any, run: RunFolder) -> None:
    traces = [trace for trace in read_traces(run) if trace.phase == "train"]
    steps = lambda scenario: len({trace.step for trace in traces if trace.scenario == scenario})  # noqa: E731
    often = next(trace for trace in traces if steps(trace.scenario) > 2)
    page = ask(pages.prompt, trace=pages.key_of(often), stage="all")
    assert page["steps"] == steps(often.scenario)
    assert "".join(text for sign, text in page["diff"] if sign != "-") == next(
        trace.completion.text for trace in traces if pages.key_of(trace) == page["b"]["id"]
    )


def test_a_word_diff_gives_both_sides_back() -> None:
    for one, two in (
        ("a b c", "a x c"),
        ("", "new"),
        ("gone", ""),
        ("same", "same"),
        ("x " * MAX_WORDS, "x y " * MAX_WORDS),
    ):
        parts = word_diff(one, two)
        assert "".join(text for sign, text in parts if sign != "+") == one
        assert "".join(text for sign, text in parts if sign != "-") == two
    assert word_diff("the red box", "the blue box") == [(" ", "the "), ("-", "red"), ("+", "blue"), (" ", " box")]


def test_curves_agree_with_the_rows(ask: Any, run: RunFolder) -> None:
    traces = [trace for trace in read_traces(run) if trace.phase == "train" and trace.step == 3]
    charts = {chart["key"]: chart for chart in ask(runs.overview)["charts"]}
    for key in ("reward", "accuracy", "informative", "components", "lengths", "stages", "early", "evaluations"):
        assert charts[key]["series"], key
    right = charts["accuracy"]["series"][0]
    at = dict(right.get("faint") or right["points"])
    assert at[3] == pytest.approx(sum(trace.score.outcome == "right" for trace in traces) / len(traces))
    stage = charts["stages"]["series"][0]
    at = dict(stage.get("faint") or stage["points"])
    assert at[3] == pytest.approx(sum(trace.stages[STAGES[0]] == "present" for trace in traces) / len(traces))


def test_means_in_one_pass_agree_with_the_rows(library: Library, run: RunFolder) -> None:
    index = settled(library.run("first"))
    wanted = {
        "cut": "truncated",
        "right": ("outcome", "right"),
        "there": ("stage.cue_encoding", "present"),
        "tokens": "tokens",
    }
    for point in index.figures.means(wanted, {"phase": "train"}):
        traces = [trace for trace in read_traces(run) if trace.phase == "train" and trace.step == point["step"]]
        assert point["n"] == len(traces)
        assert point["cut"] == pytest.approx(fmean(trace.completion.truncated for trace in traces))
        assert point["right"] == pytest.approx(fmean(trace.score.outcome == "right" for trace in traces))
        assert point["there"] == pytest.approx(fmean(trace.stages["cue_encoding"] == "present" for trace in traces))
        assert point["tokens"] == pytest.approx(fmean(trace.completion.tokens for trace in traces))


def test_long_curves_are_thinned_to_means_that_keep_the_whole() -> None:
    line = [[x, float(x)] for x in range(1000)]
    thin = curves.thinned(line)
    assert len(thin) <= curves.MOST_POINTS and thin[-1][0] == 999
    assert sum(y for _, y in thin) / len(thin) == pytest.approx(sum(y for _, y in line) / len(line), rel=1e-2)
    assert curves.thinned([[1, None, 2.0]]) == [[1, None, 2.0]]


def test_the_running_mean_starts_at_the_first_value_and_stays_within_the_line() -> None:
    smooth = curves.running_mean([[x, float(x % 2)] for x in range(50)])
    assert smooth[0][1] == 0.0
    assert all(0 <= y <= 1 for _, y in smooth)


def test_an_evaluation_has_wilson_s_interval(ask: Any) -> None:
    (series,) = next(chart for chart in ask(runs.overview)["charts"] if chart["key"] == "evaluations")["series"]
    assert len(series["points"]) == 2
    for (step, share), (at, low, high) in zip(series["points"], series["band"], strict=True):
        assert step == at and (share, low, high) == pytest.approx(wilson(round(share * 24), 24))


def test_comparing_pairs_by_prompt(ask: Any) -> None:
    answer = ask(comparison.compare, **{"with": "second"})
    counts = answer["counts"]
    assert counts["all"] > 0 and counts["win"] + counts["loss"] == counts["flip"]
    assert counts["flip"] + counts["both_right"] + counts["both_wrong"] == counts["all"]
    opened = ask(comparison.compare, **{"with": "second", "pair": answer["pairs"][0]["scenario"]})
    assert opened["detail"]["left"]["id"] and opened["detail"]["right"]["id"]


def test_a_comparison_is_split_by_kind_with_intervals_over_stories(ask: Any) -> None:
    answer = ask(comparison.compare, **{"with": "second"})
    (whole,), *kinds = (split["rows"] for split in answer["splits"])
    left, right = (float(part.split(" ")[0]) / 100 for tile in answer["tiles"] if tile["label"] == "Right answers"
                   for part in (tile["note"], tile["value"]))  # fmt: skip
    assert whole["value"] == pytest.approx(right - left, abs=0.001) and whole["n"] == answer["counts"]["all"]
    assert kinds and all(len(rows) > 1 for rows in kinds)
    for row in (row for rows in (*kinds, [whole]) for row in rows):
        assert row["low"] is row["high"] is None or -1 <= row["low"] < row["value"] < row["high"] <= 1
    for rows in kinds:  # every prompt of these runs is of some kind
        assert sum(row["n"] for row in rows) == whole["n"]
        assert sum(row["n"] * row["value"] for row in rows) == pytest.approx(whole["n"] * whole["value"])


def test_comparing_evaluations_of_two_steps(ask: Any) -> None:
    answer = ask(comparison.compare, **{"with": "first", "at": "eval heldout 8", "with_at": "eval heldout 16"})
    assert answer["counts"]["all"] == 24
    with pytest.raises(BadRequest):
        ask(comparison.compare, at="eval x y")


def test_the_hack_board_finds_what_was_put_there(ask: Any) -> None:
    answer = ask(hacks.hacks)
    assert all(row["outcome"] == "right" for row in answer["unpaid_right"])
    assert all(row["outcome"] == "wrong" for row in answer["paid_wrong"])
    assert any(entry["items"] for entry in answer["openings"])
    diagonal = [row[i] for i, row in enumerate(answer["correlation"]["rows"]) if row[i] is not None]
    assert diagonal and all(value == pytest.approx(1) for value in diagonal)


def test_correlation_by_hand() -> None:
    assert hacks.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert hacks.correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert hacks.correlation([1, 1, 1], [1, 2, 3]) is None
    assert hacks.correlation([None, 1, 2], [1, 2, None]) is None


def test_lengths_count_every_completion_once() -> None:
    bins = hacks.lengths([(0, "right", 1), (99, "wrong", 1), (50, "unknown", 1)])
    assert sum(bin["right"] + bin["wrong"] + bin["unreadable"] for bin in bins) == 3
    assert bins[-1]["to"] >= 99 and hacks.lengths([]) == []


def test_a_run_that_grows_is_taken_in(tmp_path: Path) -> None:
    run = make_run(tmp_path / "growing", steps=2, groups=2, size=4, scenarios=6, evaluate=False)
    library = Library([tmp_path])
    opened = library.run("growing")
    before = settled(opened).count()
    written = list(read_traces(run))
    with TraceWriter(run, 0, launch=0) as traces:
        traces.write(moved(written, steps=2, groups=4))
    opened._refreshed = 0.0
    assert opened.index().count() == 2 * before


def test_what_is_written_between_two_looks_is_shown_after_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure that was counted before the last completions came must not stay for good."""
    run = make_run(tmp_path / "growing", steps=2, groups=2, size=4, scenarios=6, evaluate=False)
    library = Library([tmp_path])
    written = list(read_traces(run))
    settled(library.run("growing"))
    monkeypatch.setattr("socialr1_lite.viewer.library.REFRESH_S", float("inf"))
    with TraceWriter(run, 0, launch=0) as traces:
        traces.write(moved(written, steps=2, groups=4))
    before = {page: page(library, Query({"run": "growing"})) for page in (runs.pulse, runs.overview, pages.traces)}
    assert before[runs.pulse]["rows"] == before[pages.traces]["total"] == len(written)
    monkeypatch.setattr("socialr1_lite.viewer.library.REFRESH_S", -1.0)
    pulse, overview, table = (page(library, Query({"run": "growing"})) for page in before)
    assert pulse["rows"] == table["total"] == table["seen"] == 2 * len(written)
    assert pulse["stamp"] == overview["stamp"] != before[runs.pulse]["stamp"] == before[runs.overview]["stamp"]
    assert overview["charts"] != before[runs.overview]["charts"]


def settled(opened: Any) -> Any:
    for _ in range(100):
        try:
            return opened.index()
        except Indexing:
            continue
    raise AssertionError("never indexed")


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "torn", steps=1, groups=1, size=4, scenarios=4, evaluate=False)
    shard = next(run.traces.glob("*.jsonl"))
    shard.write_bytes(shard.read_bytes()[:-20])
    assert settled(Library([tmp_path]).run("torn")).count() == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: shutil.rmtree(run.path), "gone"),
        (lambda run: run.state_file.write_text('{"version": 99}'), "version 99"),
    ],
)
def test_a_run_that_cannot_be_read_says_so_in_one_line(tmp_path: Path, spoil: Any, message: str) -> None:
    run = make_run(tmp_path / "runs" / "mine", steps=1, groups=1, size=2, scenarios=2, evaluate=False)
    library = Library([tmp_path / "runs"])
    library.runs()
    spoil(run)
    answer = json.loads(served("x", lambda query: runs.overview(library, query))({"run": "mine"}))
    assert message in answer["error"] and "\n" not in answer["error"]
    listed = json.loads(served("x", lambda query: runs.runs(library, query))({}))
    assert all(message in run["problem"] for run in listed["runs"])


def test_two_runs_of_one_name_stay_apart(tmp_path: Path) -> None:
    for place in ("a", "b"):
        make_run(tmp_path / place / "same", steps=1, groups=1, size=2, scenarios=2, evaluate=False)
    found = Library([tmp_path / "a", tmp_path / "b"]).runs()
    assert sorted(run.label for run in found) == ["same (a)", "same (b)"]
    assert len({run.key for run in found}) == 2


def test_a_monitor_that_falls_while_paid_content_rises_is_an_alarm_with_its_steps(tmp_path: Path) -> None:
    run = make_run(tmp_path / "watched", steps=1, groups=1, size=2, scenarios=2, evaluate=False)
    library = Library([tmp_path])
    settled(library.run("watched"))
    metrics = MetricsWriter(run, launch=0)
    for step in range(1, 41):
        metrics.write(step, {"reward/content": 0.4 + step / 200, "monitor/rules": 0.5})
    level = runs.overview(library, Query({"run": "watched"}))
    (drawn,) = [chart for chart in level["charts"] if chart["key"] == "monitors"]
    assert [one["name"] for one in drawn["series"]] == ["paid", "rules"]
    assert not [alert for alert in level["alerts"] if "monitor" in alert["text"]]
    for step in range(41, 121):
        metrics.write(step, {"reward/content": 0.4 + step / 200, "monitor/rules": 0.7 - step / 200})
    library.run("watched")._refreshed = 0.0
    (alarm,) = [one for one in runs.overview(library, Query({"run": "watched"}))["alerts"] if "monitor" in one["text"]]
    assert "rose by 0.2" in alarm["text"] and "step 65 to 120, and the monitor rules fell by 0.2" in alarm["text"]
    assert alarm["filter"] == {"from": 65, "to": 120}


def test_an_empty_run_has_an_overview(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "empty")
    library = Library([tmp_path])
    settled(library.run("empty"))
    answer = runs.overview(library, Query({"run": "empty"}))
    assert "no completions" in answer["empty"] and answer["charts"] == []
    assert pages.traces(library, Query({"run": "empty"}))["total"] == 0


def test_reports_are_read_and_bad_ones_told(tmp_path: Path) -> None:
    good = {
        "version": 1, "benchmark": "simpletom", "n": 10, "unreadable": 1,
        "metrics": {"accuracy": {"value": 0.5, "low": 0.2, "high": 0.8, "n": 10, "official": True}},
        "groups": {"task": {"belief": {"value": 1.0, "low": None, "high": None, "n": 5}}},
        "published": [{"label": "somebody", "value": 0.7, "source": "a paper", "protocol": "5-shot"}],
        "source": {"files": [{"name": "x.jsonl", "sha256": "ab" * 32}], "licence": "MIT"},
    }  # fmt: skip
    path = tmp_path / "simpletom.json"
    path.write_text(json.dumps(good))
    report = reports.read_report(path)
    assert report["metrics"][0]["value"] == 0.5 and report["published"][0]["protocol"] == "5-shot"
    path.write_text(json.dumps(good | {"published": 3, "source": {"files": {"name": "x"}, "licence": "MIT"}}))
    assert reports.read_report(path) == report | {"published": [], "source": "licence MIT"}
    for bad, message in (("{", "no JSON"), ("[]", "no report"), ('{"version": 7}', "version 7")):
        path.write_text(bad)
        with pytest.raises(ValueError, match=message):
            reports.read_report(path)
