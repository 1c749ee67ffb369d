"""The example cut out of a run, and the command line that opens what there is."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.viewer.bundle import ADDED, bundle, spread
from socialr1_lite.viewer.library import Library
from tests.conftest import REPOSITORY


def test_the_example_keeps_whole_groups_and_the_same_items_of_every_evaluation(run: RunFolder, tmp_path: Path) -> None:
    cut = bundle(run, tmp_path / "example", most=120)
    rows, everything = list(read_traces(cut)), list(read_traces(run))
    assert 60 < len(rows) <= 120 + 12
    groups: dict[int, int] = defaultdict(int)
    for row in rows:
        if row["phase"] == "train":
            groups[row["group"]] += 1
    assert set(groups.values()) == {6} and min(groups) == 0 and max(groups) == 16 * 3 - 1
    items = defaultdict(set)
    for row in rows:
        if row["phase"] == "eval":
            items[row["step"]].add(row["scenario"])
    assert len(items) == 2 and len({frozenset(told) for told in items.values()}) == 1
    strip = lambda row: {key: value for key, value in row.items() if key not in ADDED}  # noqa: E731
    assert all(strip(row) in [strip(one) for one in everything] for row in rows[:20])
    assert {row["scenario"] for row in rows} == {scenario.id for scenario in cut.read_scenarios()}
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
    rows = list(read_traces(only[0].folder))
    assert 100 < len(rows) < 400 and {row["phase"] for row in rows} == {"train", "eval"}
    assert not any(b"/work/" in path.read_bytes() for path in only[0].folder.path.rglob("*") if path.is_file())


def test_an_even_spread_holds_both_ends() -> None:
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 5) == [1, 2] and spread([1, 2, 3], 1) == [1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["nowhere"], "no such folder"), (["--port", "99999"], "from 1 to 65535"), (["--port", "x"], "invalid int")],
)
def test_a_wrong_command_line_is_one_clear_line_and_status_2(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
