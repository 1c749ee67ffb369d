"""The example cut out of a run, and the command line that opens what there is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.sip import STAGES
from socialr1_lite.viewer import pages
from socialr1_lite.viewer.bundle import bundle, spread
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import served
from tests.conftest import REPOSITORY


def test_the_example_keeps_whole_groups_and_the_same_items_of_every_evaluation(run: RunFolder, tmp_path: Path) -> None:
    cut = bundle(run, tmp_path / "example", most=120)
    traces, everything = list(read_traces(cut)), list(read_traces(run))
    assert 60 < len(traces) <= 120 + 12
    groups: dict[int, int] = defaultdict(int)
    for trace in traces:
        if trace.phase == "train":
            groups[trace.group] += 1
    assert set(groups.values()) == {6} and min(groups) == 0 and max(groups) == 16 * 3 - 1
    items = defaultdict(set)
    for trace in traces:
        if trace.phase == "eval":
            items[trace.step].add(trace.scenario)
    assert len(items) == 2 and len({frozenset(asked) for asked in items.values()}) == 1
    assert all(trace in everything for trace in traces)
    assert {trace.scenario for trace in traces} == {scenario.id for scenario in cut.read_scenarios()}
    assert len(read_metrics(cut)) == len(read_metrics(run))
    with pytest.raises(RunLogError, match="is a run already"):
        bundle(run, tmp_path / "example")


def test_without_a_run_the_bundled_example_opens_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path / "cache"))
    library = Library()
    only = library.runs()
    assert [run.label for run in only] == ["bundled example"] and library.example
    traces = list(read_traces(only[0].folder))
    assert 100 < len(traces) < 400 and {trace.phase for trace in traces} == {"train", "eval"}
    assert None not in {trace.score.versions.get("format") for trace in traces}
    opened = json.loads(served("trace", partial(pages.trace, library))({"run": only[0].key}))
    while "indexing" in opened:
        opened = json.loads(served("trace", partial(pages.trace, library))({"run": only[0].key}))
    assert [card["stage"] for card in opened["cards"]] == list(STAGES)
    assert not any(b"/work/" in path.read_bytes() for path in only[0].folder.path.rglob("*") if path.is_file())


def test_an_even_spread_holds_both_ends() -> None:
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 5) == [1, 2] and spread([1, 2, 3], 1) == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "no such folder"), (["--port", "99999"], "from 1 to 65535"), (["--port", "x"], "invalid int")],
)
@pytest.mark.parametrize("started", [["app.py"], ["-m", "socialr1_lite.viewer"]])
def test_a_wrong_command_line_is_one_clear_line_and_status_2(
    started: list[str], arguments: list[str], message: str
) -> None:
    done = subprocess.run(
        [sys.executable, *started, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
