"""Traces and metrics: append-only JSON lines, one writer per process, read while they grow.

What counts after a resume: a launch that starts at step S repeats everything from S on, so what earlier
launches wrote beyond S is *superseded*: kept on disk, marked on reading, not counted.

* A training row says how many steps were finished when it was generated: superseded when step >= S.
* A metrics line and an evaluation row belong to a step finished before the checkpoint was written, and are
  not repeated when step == S: superseded when step > S. An evaluation that a later launch did repeat (same
  benchmark, same step) is superseded too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from socialr1_lite.errors import RunLogError
from socialr1_lite.redaction import redact_tree
from socialr1_lite.rollouts.trace import NewerTrace, Trace, is_number
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.folder import Launch, RunFolder, is_whole
from socialr1_lite.runlog.lines import JsonObject

SHARD_BYTES = 64 << 20  # a shard of this size is closed: it never changes again and syncs to a drive once
NEVER = 1 << 62  # a step that no run reaches


def shard_paths(run: RunFolder) -> list[Path]:
    """Every trace shard, writers in order and each writer's shards in order."""
    return sorted(run.traces.glob("*-*.jsonl"), key=lambda path: (path.name.rpartition("-")[0], shard_number(path)))


def shard_number(path: Path) -> int:
    """4 for rank00000-0004.jsonl."""
    found = re.search(r"-(\d+)\.jsonl$", path.name)
    return int(found[1]) if found else -1


class BadTrace(RunLogError):
    """A line of a shard that is no trace. reason: "damaged", or which field is missing or mistyped."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        """The line begins at that byte of the shard."""
        super().__init__(f"{path}, byte {offset}: this line is no trace ({reason}); delete it to go on")
        self.reason, self.place = reason, f"{path.name}: the line at byte {offset}"


class TraceWriter(AbstractContextManager["TraceWriter"]):
    """Appends trace rows of one process; a batch is one write and one flush.

    rank: this process's number. launch: from `RunFolder.begin_launch`. writer: the shards' name before the
    rank, so that an evaluation beside a running training ("evaluate") has its own files. notices: what
    opening had to repair.
    """

    def __init__(
        self, run: RunFolder, rank: int = 0, *, launch: int = 0, writer: str = "rank", shard_bytes: int = SHARD_BYTES
    ) -> None:
        """Find the last shard of this writer, cut off a torn last line, and go on behind it."""
        self._folder = run.traces
        self._stem = f"{writer}{rank:05d}"
        self._stamp = {"rank": rank, "segment": launch}
        self._shard_bytes = shard_bytes
        self._folder.mkdir(parents=True, exist_ok=True)
        mine = [path for path in shard_paths(run) if path.name.startswith(f"{self._stem}-")]
        self._number = shard_number(mine[-1]) if mine else 0
        torn = lines.repair(mine[-1]) if mine else ""
        self.notices: tuple[str, ...] = (torn,) if torn else ()
        self._file = self.path.open("ab")

    @property
    def path(self) -> Path:
        """The shard being written."""
        return self._folder / f"{self._stem}-{self._number:04d}.jsonl"

    def write(self, traces: Sequence[Trace]) -> None:
        """Append traces; the writer's rank and launch are stamped on them."""
        if not traces:
            return
        if self._file.tell() >= self._shard_bytes:
            self.close()
            self._number += 1
            self._file = self.path.open("ab")
        self._file.write(lines.encode(_without_secrets(trace.to_row()) | self._stamp for trace in traces))
        self._file.flush()

    def close(self) -> None:
        """Close the current shard's file; it stays open for appending by the next launch."""
        self._file.close()
        lines.sync(self.path)

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def _without_secrets(row: JsonObject) -> JsonObject:
    """Return the row with what a judge or an endpoint said redacted; the model's own text stays what was scored."""
    return row | {name: redact_tree(row[name]) for name in ("notes", "error") if row.get(name)}


def read_traces(
    run: RunFolder, *, superseded: bool = False, damaged: Callable[[BadTrace], object] | None = None
) -> Iterator[Trace]:
    """Yield every trace as stored, superseded ones only when asked for, and a line that is there twice once.

    A line still being written is left for the next reading. Raises RunLogError naming the file and byte for a row that
    is newer than this code, or unreadable; `damaged` takes the unreadable ones and the doubled ones instead.
    """
    history, seen = History.of(run), set[int]()
    for path in shard_paths(run):
        for offset, line in complete_lines_of(path):
            if hash(line) in seen:  # no two completions share step, group and index
                if damaged is not None:
                    damaged(BadTrace(path, offset, "it is there twice"))
                continue
            seen.add(hash(line))
            try:
                trace = read_trace(line, path, offset)
            except BadTrace as error:
                if damaged is None:
                    raise
                damaged(error)
                continue
            if not history.is_superseded(trace):
                yield trace
            elif superseded:
                yield replace(trace, superseded=True)


def complete_lines_of(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """`complete_lines` without an unreadable line at the very end: its writer will cut it off."""
    held: tuple[int, bytes] | None = None
    for item in lines.complete_lines(path, start):
        if held is not None:
            yield held
        held = item
    if held is not None and lines.parse(held[1]) is not None:
        yield held


def read_trace(line: bytes, path: Path, offset: int) -> Trace:
    """Read one line of a shard, which starts at that byte. Raises RunLogError naming the place."""
    row = lines.parse(line)
    if row is None:
        raise BadTrace(path, offset, "damaged")
    try:
        return Trace.from_row(row)
    except NewerTrace as error:
        raise RunLogError(f"{path}, byte {offset}: {error}; update socialr1_lite") from None
    except ValueError as error:
        raise BadTrace(path, offset, str(error)) from None


class History:
    """Which rows still count, given a run's launches (the rules are in the module's docstring)."""

    def __init__(
        self,
        launches: Iterable[Launch],
        evaluations: Collection[tuple[int, str, int]] = (),
        first_steps: Mapping[int, int] | None = None,
    ) -> None:
        """evaluations: (launch, benchmark, step) of every evaluation that left rows.

        first_steps: by launch, the first step that its training rows are of. Where they are known a launch began there,
        whatever segments.jsonl says or has lost; one without such rows made nothing again, but for those just begun.
        """
        named = {one.number: one.start_step for one in launches if one.kind == "train"}
        starts = named if first_steps is None else dict(first_steps)
        number = max((*starts, *(launch for launch, _, _ in evaluations)), default=-1)
        while (number := number + 1) in named:
            starts[number] = named[number]
        self.cuts = {
            number: min((start for later, start in starts.items() if later > number), default=NEVER)
            for number in {launch.number for launch in launches} | {one[0] for one in evaluations} | starts.keys()
        }
        self.latest: dict[tuple[str, int], int] = {}
        for launch, benchmark, step in evaluations:
            self.latest[benchmark, step] = max(launch, self.latest.get((benchmark, step), launch))

    @classmethod
    def of(cls, run: RunFolder) -> History:
        """Read from the run folder; the shards only when there was more than one launch."""
        launches = run.launches()
        several = len(launches) > 1 or any(run.launches_in_rows())
        return cls(launches, *(_seen_in_rows(run) if several else ()))

    def cut(self, launch: int) -> int:
        """The first step at which a later launch went on from this one; NEVER when none did."""
        return self.cuts.get(launch, NEVER)

    def is_superseded(self, trace: Trace) -> bool:
        """Whether a trace was made again by a later launch."""
        step, launch = trace.step, trace.launch
        if trace.phase == "train":
            return step >= self.cut(launch)
        return step > self.cut(launch) or launch < self.latest.get((trace.benchmark, step), launch)


# In a row as `lines.encode` writes it. A text cannot hold such bytes: its quotation marks are escaped.
_LAUNCH, _STEP = re.compile(rb'"segment":(\d+)'), re.compile(rb'"step":(\d+)')


def _seen_in_rows(run: RunFolder) -> tuple[set[tuple[int, str, int]], dict[int, int]]:
    """Return (launch, benchmark, step) of every evaluation in the shards, and each launch's first training step."""
    evaluations: set[tuple[int, str, int]] = set()
    first_steps: dict[int, int] = {}
    for path in shard_paths(run):
        for _, line in lines.complete_lines(path):
            if b'"phase":"eval"' in line and (row := lines.parse(line)) is not None and row.get("phase") == "eval":
                number, at = row.get("segment", 0), row.get("step")
                if isinstance(number, int) and isinstance(at, int):  # what is mistyped counts for nothing
                    evaluations.add((number, str(row.get("benchmark", "")), at))
            elif (launch := _LAUNCH.search(line)) and (step := _STEP.search(line)):
                number = int(launch[1])
                first_steps[number] = min(int(step[1]), first_steps.get(number, NEVER))
    return evaluations, first_steps


class MetricsWriter:
    """Appends one line a logging step to metrics.jsonl."""

    def __init__(self, run: RunFolder, *, launch: int = 0) -> None:
        """Cut off a torn last line and go on behind it."""
        self.notice = lines.repair(run.metrics)
        self._launch = launch
        self._path = run.metrics

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """values: metric -> number. step: finished optimizer steps."""
        lines.append(self._path, [{"step": step, "segment": self._launch, **values}])


def read_metrics(run: RunFolder, *, superseded: bool = False) -> list[JsonObject]:
    """Return the lines of metrics.jsonl in order, plus "superseded"; superseded ones only when asked for."""
    rows = [{"step": 0, "segment": 0} | row for row in lines.read_rows(run.metrics)]
    rows = [row for row in rows if is_whole(row["step"]) and is_whole(row["segment"])]
    first_steps: dict[int, int] = {}  # a launch writes its first line after its first step
    for row in rows:
        first_steps[row["segment"]] = min(row["step"] - 1, first_steps.get(row["segment"], NEVER))
    # Not every step is logged: where segments.jsonl names an earlier start, it is that one.
    began = {one.number: one.start_step for one in run.launches() if one.number in first_steps}
    first_steps = {number: min(step, began.get(number, step)) for number, step in first_steps.items()}
    history = History((), first_steps=first_steps)
    rows = [{name: value for name, value in row.items() if is_number(value)} for row in rows]
    marked = [row | {"superseded": row["step"] > history.cut(row["segment"])} for row in rows]
    return marked if superseded else [row for row in marked if not row["superseded"]]
