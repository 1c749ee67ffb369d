"""The run folder: what a run remembers, written and read in one place.

    run = RunFolder.create("runs/mine")            or RunFolder.open(path); find_runs("runs")
    with run.lock():                               a second training of this folder is refused
        newest = newest_complete(run)              .path | None, .step, .notices (what was set aside)
        launch = run.begin_launch(newest.step, sys.argv)
        run.add_scenarios(scenarios)               each stored once, in scenarios.jsonl
        with TraceWriter(run, rank, launch=launch) as traces:
            traces.write(traces)                   one write, one flush a batch; .notices: what was torn
        MetricsWriter(run, launch=launch).write(step, {"loss": 0.1})
        mark_complete(run, run.checkpoints / "checkpoint-10")
        run.set_state("completed", step=20)

    read_traces(run), read_metrics(run)            traces and rows that count; superseded=True for all of them
    TraceIndex(run)                                pages, neighbours, curves, search: index.py, query.py
    BestAdapter(run)                               best/: the adapter of the best held-out check

A second process (an evaluation) writes its own shards: `TraceWriter(run, writer="evaluate", launch=...)`
with `run.begin_launch(step, sys.argv, kind="evaluate")`, under `run.lock("evaluate")`.
"""

from socialr1_lite.runlog.best import BestAdapter, CheckScore
from socialr1_lite.runlog.checkpoints import Newest, mark_complete, newest_complete
from socialr1_lite.runlog.folder import RunFolder, find_runs, recipe_digest
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.index_file import cache_folder
from socialr1_lite.runlog.lines import write_atomic, write_json
from socialr1_lite.runlog.traces import MetricsWriter, TraceWriter, read_metrics, read_traces, shard_paths

__all__ = ["BestAdapter", "CheckScore", "MetricsWriter", "Newest", "RunFolder", "TraceIndex", "TraceWriter"]
__all__ += ["cache_folder", "find_runs", "mark_complete", "newest_complete", "read_metrics", "read_traces"]
__all__ += ["recipe_digest", "shard_paths", "write_atomic", "write_json"]
