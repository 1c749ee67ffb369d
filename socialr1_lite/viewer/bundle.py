"""Cut a small example out of a real run: python -m socialr1_lite.viewer.bundle RUN [-o FOLDER] [--most 320].

Whole groups are kept, evenly spread over training, and evaluations of the same items at every step; nothing is changed
in a row. What a row does not need (checkpoints, adapter, environment with its paths) stays behind.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from socialr1_lite.errors import RunLogError, command
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, read_metrics, read_traces

EXAMPLE = Path(__file__).parent / "example"
MOST = 320  # completions
EVAL_SHARE = 0.3  # of them from evaluations
ADDED = ("superseded", "segment", "rank", "version")  # what reading adds or the writer stamps anew

Row = dict[str, Any]
T = TypeVar("T")


def bundle(run: RunFolder, folder: Path, most: int = MOST) -> RunFolder:
    """The example made of `run` in `folder`, which must not be a run yet. Raises RunLogError."""
    if (folder / "state.json").exists():
        raise RunLogError(f"{folder} is a run already; remove it first, or name another with -o")
    rows = list(read_traces(run))
    if not rows:
        raise RunLogError(f"{run.path} holds no completions to cut an example from")
    chosen = [*training_rows(rows, most), *evaluation_rows(rows, int(most * EVAL_SHARE))]
    cut = RunFolder.create(folder)
    wanted = {row["scenario"] for row in chosen}
    cut.add_scenarios(scenario for scenario in run.read_scenarios() if scenario.id in wanted)
    if run.recipe.exists():
        shutil.copyfile(run.recipe, cut.recipe)
    segment = cut.begin_segment(0, ["python", "-m", "socialr1_lite.viewer.bundle", run.name])
    with TraceWriter(cut, segment=segment) as traces:
        traces.write([{key: value for key, value in row.items() if key not in ADDED} for row in chosen])
    metrics = MetricsWriter(cut, segment=segment)
    for line in read_metrics(run):
        metrics.write(line["step"], {key: value for key, value in line.items() if key not in ("step", *ADDED)})
    for report in sorted(run.evaluation.glob("*.json")):
        shutil.copyfile(report, cut.evaluation / report.name)
    cut.set_state("completed", step=int(run.state().get("step", 0)))
    return cut


def training_rows(rows: Sequence[Row], most: int) -> list[Row]:
    """Whole groups, evenly spread, first and last among them."""
    train = [row for row in rows if row["phase"] == "train"]
    groups = [list(told) for _, told in groupby(train, key=lambda row: (row["step"], row["group"]))]
    if not groups:
        return []
    room = max(1, int(most * (1 - EVAL_SHARE)) // max(len(group) for group in groups))
    return [row for group in spread(groups, room) for row in group]


def evaluation_rows(rows: Sequence[Row], most: int) -> list[Row]:
    """The same items of every evaluation, so that they can be compared."""
    told = [row for row in rows if row["phase"] == "eval"]
    rounds = {(row["benchmark"], row["step"]) for row in told}
    items = sorted({row["scenario"] for row in told})
    kept = set(spread(items, max(1, most // max(1, len(rounds)))))
    return [row for row in told if row["scenario"] in kept]


def spread(items: Sequence[T], room: int) -> list[T]:
    """At most `room` of the items, evenly spread from the first to the last."""
    if len(items) <= room:
        return list(items)
    if room == 1:
        return [items[0]]
    return [items[round(i * (len(items) - 1) / (room - 1))] for i in range(room)]


def main() -> None:
    """Cut the example and say how large it is."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.viewer.bundle", description="Cut a small example out of a run."
    )
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, default=EXAMPLE, help="the folder to make (default: the bundled example)"
    )
    parser.add_argument("--most", type=int, default=MOST, help=f"completions at most (default {MOST})")
    told = parser.parse_args()
    cut = bundle(RunFolder.open(told.run), told.output, told.most)
    size = sum(path.stat().st_size for path in cut.path.rglob("*") if path.is_file())
    print(
        json.dumps({"folder": str(cut.path), "completions": sum(1 for _ in read_traces(cut)), "bytes": size}),
        file=sys.stderr,
    )


if __name__ == "__main__":
    command(main)
