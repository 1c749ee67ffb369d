"""Right answers beside what guessing gets, the letters that are given beside those that are right; Compare by story."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter
from socialr1_lite.runlog.lines import read_rows
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import paired_by_cluster
from socialr1_lite.viewer import chance, comparison, figures, pages, reports, runs, solved
from socialr1_lite.viewer.chance import Asked, Chance, asked, chance_of, letters_of, said_of
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.runlogs import trace
from tests.viewer.test_pages import settled

KNOWN = {
    "two": Asked(2, (0,), "one"),
    "four": Asked(4, (3,), "other"),
    "open": Asked(0, (), "third"),
    "both": Asked(4, (0, 1), "one"),
}


def test_chance_and_letters_by_hand() -> None:
    found = letters_of(
        [("two", 0, 5), ("two", None, 1), ("four", 0, 2), ("four", 3, 1), ("open", None, 9), ("gone", 1, 9)], KNOWN
    )
    assert found.chance == (pytest.approx((6 * 0.5 + 3 * 0.25) / 9), 0.25, 0.5)  # unreadable answers were asked too
    assert (found.chosen, found.gold, found.right) == ([7, 0, 0, 1], [5, 0, 0, 3], [5, 0, 0, 1])
    assert found.n == 8 and found.stories == {"one": (5, 5), "other": (1, 3)}
    assert letters_of([("both", 1, 2)], KNOWN).gold == [1.0, 1.0]  # two accepted: half of the gold each
    mixed = chance_of([("two", 1), ("four", 3), ("open", 5)], KNOWN)
    assert mixed == Chance(0.3125, 0.25, 0.5) and mixed.words == "chance 31 % (25 % to 50 % by question)"
    assert chance_of([("four", 2)], KNOWN).words == "chance 25 %" and chance_of([("open", 1)], KNOWN) is None


def test_the_share_is_of_every_answer_that_its_sentence_counts() -> None:
    """80,000 answers, of which the first 20,000 by scenario are wrong: "0 % are right" and "not to be told from"."""
    known = {f"s{n}": Asked(4, (0,), f"story {n}") for n in range(8)}
    said = said_of(letters_of([(f"s{n}", int(n < 2), 10_000) for n in range(8)], known))
    (words,) = said["words"]
    assert words.startswith("Of 80000 readable answers 75 % are right (95 % interval ") and "over 8 stories" in words
    assert not any("not to be told from chance" in one for one in said["alerts"])


@pytest.mark.parametrize(
    ("a_of_100", "gold_a", "leans"), [(82, 32, True), (52, 32, True), (51, 32, False), (32, 32, False)]
)
def test_a_letter_leans_when_it_is_given_far_more_often_than_it_is_right(
    a_of_100: int, gold_a: int, leans: bool
) -> None:
    known = {f"s{n}": Asked(2, (0,) if n < gold_a else (1,), f"s{n}") for n in range(100)}
    found = letters_of([(f"s{n}", 0 if n < a_of_100 else 1, 1) for n in range(100)], known)
    assert (found.leaning == 0) is leans
    few = letters_of([(f"s{n}", 0, 1) for n in range(20)], known)
    assert few.leaning is None


def guessing(folder: Path, places: list[int], golds: list[int], *, name: str = "mine", group: str = "") -> RunFolder:
    """A run of one completion a prompt: what it chose, and what was right."""
    run = RunFolder.create(folder / name)
    run.add_scenarios(
        Scenario(f"s/{n}", f"Story {n}.", "Which?", ("x", "y", "z"), (gold,), group=group and f"{group}{n // 10}")
        for n, gold in enumerate(golds)
    )
    rows = [
        trace(0, n, 0, scenario=f"s/{n}", answer=place, outcome="right" if place == gold else "wrong")
        for n, (place, gold) in enumerate(zip(places, golds, strict=True))
    ]
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write(rows)
    run.set_state("completed", step=1)
    return run


def test_a_run_that_answers_a_whatever_is_asked_says_so(tmp_path: Path) -> None:
    """40 % right where guessing gets a third: it looked like progress."""
    golds = [0] * 16 + [1] * 12 + [2] * 12
    guessing(tmp_path, [0] * 36 + [1, 2, 1, 2], golds)
    library = Library([tmp_path])
    settled(library.run("mine"))
    overview = runs.overview(library, Query({"run": "mine"}))
    (tile,) = [one for one in overview["tiles"] if one["label"] == "Right answers"]
    assert tile["note"] == "chance 33 %" and tile["filter"]["outcome"] == "right"
    texts = " ".join(alert["text"] for alert in overview["alerts"])
    assert "not to be told from chance" in texts and "36 of the last 40 readable answers are A" in texts
    assert "right for 40 % of them" in texts
    (chart,) = [one for one in overview["charts"] if one["key"] == "accuracy"]
    assert chart["limit"]["y"] == pytest.approx(1 / 3) and chart["limit"]["label"] == "chance 33 %"
    letters = overview["answers"]["letters"]
    assert [(row["letter"], row["n"]) for row in letters] == [("A", 36), ("B", 2), ("C", 2)]
    assert [row["gold"] for row in letters] == pytest.approx([0.4, 0.3, 0.3])
    page = pages.traces(library, Query({"run": "mine", "answer_min": "0", "answer_max": "0"}))
    assert page["total"] == 36


def test_a_run_that_is_right_is_left_alone(tmp_path: Path) -> None:
    golds = [n % 3 for n in range(60)]
    guessing(tmp_path, golds, golds)
    library = Library([tmp_path])
    settled(library.run("mine"))
    overview = runs.overview(library, Query({"run": "mine"}))
    assert overview["answers"]["alerts"] == [] and "100 % are right" in overview["answers"]["words"][0]
    chart = next(one for one in pages.prompt(library, Query({"run": "mine"}))["charts"] if one["key"] == "prompt-right")
    assert chart["limit"]["y"] == pytest.approx(1 / 3)


def test_comparing_tests_by_story_and_says_what_chance_gets(tmp_path: Path) -> None:
    """Ten questions of one story that all turn right are one story that turned: p was .002, and is 1."""
    golds = [0] * 20
    guessing(tmp_path, [1] * 10 + [0] * 10, golds, name="before", group="story")
    guessing(tmp_path, [0] * 20, golds, name="after", group="story")
    library = Library([tmp_path])
    for name in ("before", "after"):
        settled(library.run(name))
    answer = comparison.compare(library, Query({"run": "before", "with": "after"}))
    tiles = {one["label"]: one for one in answer["tiles"]}
    assert tiles["Prompts in common"]["note"] == "of 2 stories"
    assert tiles["Fixed"]["value"] == "10" and tiles["Broken"]["note"] == "tested by story: p = 1.000"
    assert tiles["Right answers"]["note"] == "50.0 % on the left; chance 33 %"
    assert tiles["Letter given most"] == {
        "label": "Letter given most", "value": "A 100 %", "note": "right for 100 %; A 50 % on the left",
    }  # fmt: skip


def test_many_stories_are_tested_by_the_normal_approximation() -> None:
    first, second = [n % 3 == 0 for n in range(3000)], [n % 7 < 3 for n in range(3000)]
    stories = [str(n) for n in range(3000)]
    approximate, exact = comparison.by_story(first, second, stories), paired_by_cluster(first, second, stories)
    assert approximate.p == pytest.approx(exact.p, rel=0.15) and approximate[:3] == exact[:3]
    assert comparison.by_story([True], [False], ["one"]) == paired_by_cluster([True], [False], ["one"])


def test_a_report_is_beside_chance(tmp_path: Path) -> None:
    run = guessing(tmp_path, [0] * 4, [0] * 4)
    with TraceWriter(run, launch=1) as writer:
        writer.write([trace(1, 100 + n, 0, phase="eval", benchmark="b", scenario=f"s/{n}", answer=0) for n in range(4)])
    (run.evaluation / "b.json").write_text(json.dumps({"version": 1, "benchmark": "b", "metrics": {}}))
    library = Library([tmp_path])
    settled(library.run("mine"))
    (report,) = reports.benchmarks(library, Query({"run": "mine"}))["reports"]
    assert report["answers"]["chance"] == pytest.approx(1 / 3) and report["has_traces"]


def test_benchmarks_with_other_chances_share_no_line(tmp_path: Path) -> None:
    """Of three options guessing gets a third, of two one half: one line at 42 % would be true of neither."""

    def chart(*options: tuple[str, ...]) -> dict[str, Any]:
        run = RunFolder.create(tmp_path / f"{len(options)} {len(options[-1])}")
        run.add_scenarios(Scenario(f"s/{n}", f"Story {n}.", "Which?", some, (0,)) for n, some in enumerate(options))
        rows = [trace(0, 0, 0, scenario="s/0")]
        rows += [
            trace(0, 1 + n, 0, phase="eval", benchmark=f"b{n}", scenario=f"s/{n}", answer=0, outcome="right")
            for n in range(len(options))
        ]
        with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
            writer.write(rows)
        library = Library([run.path])
        settled(library.run(run.name))
        charts = runs.overview(library, Query({"run": run.name}))["charts"]
        return dict(next(one for one in charts if one["key"] == "evaluations"))

    apart = chart(("x", "y", "z"), ("x", "y"))
    assert "limit" not in apart and apart["note"] == "b0: chance 33 %; b1: chance 50 %."
    alike = chart(("x", "y", "z"), ("p", "q", "r"))
    assert alike["limit"] == {"y": pytest.approx(1 / 3), "label": "chance 33 %"} and "note" not in alike


def test_scenarios_are_read_once_for_all_that_a_page_says_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = guessing(tmp_path, [0] * 4, [0] * 4)
    library = Library([tmp_path])
    settled(library.run("mine"))
    read: list[Path] = []
    monkeypatch.setattr(chance, "read_rows", lambda path: read.append(path) or read_rows(path))
    runs.overview(library, Query({"run": "mine"}))
    figures.figures(library, Query({"run": "mine", "split": "dimension"}))
    solved.solved(library, Query({"run": "mine"}))
    assert read == [run.scenarios] and len(asked(run)) == 4


# --- live runs --------------------------------------------------------------------------------------------------------


def status(library: Library) -> dict[str, Any]:
    (line,) = runs.runs(library, Query({}))["runs"]
    return dict(line)


def test_a_run_that_fell_silent_is_not_running(tmp_path: Path) -> None:
    run = guessing(tmp_path, [0] * 4, [0] * 4)
    run.set_state("running", step=1)
    library = Library([tmp_path])
    settled(library.run("mine"))
    assert status(library)["status"] == "running" and status(library)["writing"]
    before = runs.pulse(library, Query({"run": "mine"}))
    assert before["status"] == "running"
    metrics = MetricsWriter(run, launch=0)
    metrics.write(1, {"step_time": 30.0})
    past = time.time() - 18 * 60
    for path in (*run.traces.iterdir(), run.metrics, run.state_file):
        os.utime(path, (past, past))
    assert (
        status(library)["status"] == "silent for 18 min: stopped, or one long step" and not status(library)["writing"]
    )
    assert runs.pulse(library, Query({"run": "mine"}))["status"].startswith("silent for 18 min")
    metrics.write(2, {"step_time": 600.0})  # a step of ten minutes: 18 are not long
    os.utime(run.metrics, (past, past))
    assert status(library)["status"] == "running"


@pytest.mark.parametrize(
    ("steps", "windows"), [(1, None), (2, ((0, 0), (1, 1))), (7, ((0, 2), (4, 6))), (25, ((0, 9), (15, 24)))]
)
def test_first_and_now_never_share_a_step(tmp_path: Path, steps: int, windows: Any) -> None:
    run = RunFolder.create(tmp_path / "mine")
    run.add_scenarios([Scenario("s/0", "Story.", "Which?", ("x", "y"), (0,))])
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write(
            [trace(step, step, i, scenario="s/0", tokens=10 * step) for step in range(steps) for i in range(2)]
        )
    run.set_state("running", step=steps)
    library = Library([tmp_path])
    settled(library.run("mine"))
    tiles = {one["label"]: one for one in runs.overview(library, Query({"run": "mine"}))["tiles"]}
    if windows is None:
        assert tiles["Tokens"]["note"] == ""
        return
    (low, high), (late, last) = windows
    assert tiles["Tokens"]["note"] == f"{5 * (low + high):.0f} at first"
    assert tiles["Tokens"]["value"] == f"{5 * (late + last):.0f}"
    assert tiles["Groups that teach"]["note"] == f"steps {late} to {last}; at first: {low} to {high}"
    assert (tiles["Tokens"]["filter"]["from"], tiles["Tokens"]["filter"]["to"]) == (late, last)
