"""Cut a small example out of a real run: python -m socialr1_lite.viewer.bundle RUN [-o FOLDER] [--most 320].

Whole groups are kept, evenly spread over training, and evaluations of the same items at every step; nothing is changed
in a row. What a row does not need (checkpoints, adapter, environment with its paths) stays behind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import yaml

from socialr1_lite.errors import RunLogError, command
from socialr1_lite.redaction import redact_tree
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, read_metrics, read_traces, write_json

EXAMPLE = Path(__file__).parent / "example"
MOST = 320  # completions
EVAL_SHARE = 0.3  # of them from evaluations
ADDED = ("step", "segment", "superseded")  # to a line of metrics, by its writer or on reading

T = TypeVar("T")


def bundle(run: RunFolder, folder: Path, most: int = MOST) -> RunFolder:
    """Make the example of `run` in `folder`, which must not be a run yet. Raises RunLogError."""
    if (folder / "state.json").exists():
        raise RunLogError(f"{folder} is a run already; remove it first, or name another with -o")
    run.refuse_links()
    everything = list(read_traces(run))
    if not everything:
        raise RunLogError(f"{run.path} holds no completions to cut an example from")
    chosen = [*training_traces(everything, most), *evaluation_traces(everything, int(most * EVAL_SHARE))]
    cut = RunFolder.create(folder)
    wanted = {trace.scenario for trace in chosen}
    cut.add_scenarios(scenario for scenario in run.read_scenarios() if scenario.id in wanted)
    if run.recipe.exists():
        settings = redact_tree(yaml.safe_load(run.recipe.read_text("utf-8")))  # older versions wrote secrets too
        cut.recipe.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    launch = cut.begin_launch(0, ["python", "-m", "socialr1_lite.viewer.bundle", run.name])
    with TraceWriter(cut, launch=launch) as traces:
        traces.write(chosen)
    metrics = MetricsWriter(cut, launch=launch)
    for line in read_metrics(run):
        metrics.write(line["step"], {key: value for key, value in line.items() if key not in ADDED})
    for report in sorted(run.evaluation.glob("*.json")):
        write_json(cut.evaluation / report.name, json.loads(report.read_bytes()))
    cut.set_state("completed", step=int(run.state().get("step", 0)))
    return cut


def training_traces(traces: Sequence[Trace], most: int) -> list[Trace]:
    """Choose whole groups, evenly spread, first and last among them."""
    train = [trace for trace in traces if trace.phase == "train"]
    groups = [list(group) for _, group in groupby(train, key=lambda trace: (trace.step, trace.group))]
    if not groups:
        return []
    room = max(1, int(most * (1 - EVAL_SHARE)) // max(len(group) for group in groups))
    return [trace for group in spread(groups, room) for trace in group]


def evaluation_traces(traces: Sequence[Trace], most: int) -> list[Trace]:
    """Choose the same items of every evaluation, so that they can be compared."""
    found = [trace for trace in traces if trace.phase == "eval"]
    rounds = {(trace.benchmark, trace.step) for trace in found}
    items = sorted({trace.scenario for trace in found})
    kept = set(spread(items, max(1, most // max(1, len(rounds)))))
    return [trace for trace in found if trace.scenario in kept]


def spread(items: Sequence[T], room: int) -> list[T]:
    """Return at most `room` of the items, evenly spread from the first to the last."""
    if len(items) <= room:
        return list(items)
    return [items[round(i * (len(items) - 1) / max(1, room - 1))] for i in range(room)]


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
    args = parser.parse_args()
    cut = bundle(RunFolder.open(args.run), args.output, args.most)
    size = sum(path.stat().st_size for path in cut.path.rglob("*") if path.is_file())
    told = {"folder": str(cut.path), "completions": sum(1 for _ in read_traces(cut)), "bytes": size}
    print(json.dumps(told), file=sys.stderr)


if __name__ == "__main__":
    command(main)
