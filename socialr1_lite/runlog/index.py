"""The trace index: a disposable table over a run's shards, for pages, neighbours, curves and search.

    index = TraceIndex(run)                       run: RunFolder or path; the file lies in the user's cache
    index.refresh(progress)                       new rows; call again every few seconds while training writes
    index.page(where, sort, offset, limit)        list of scalar rows
    index.figures.series(field, where)            a curve; the other figures over many traces: figures.py

A scalar row is a dict with "id" and every name in `query.FIELDS`: phase step group index gid segment rank
benchmark scenario dimension outcome right answer tokens finish truncated total advantage tau flat early
superseded, reward.<component>, and the parts ("structure.coverage", ...). `where` is a filter and `sort` a
sorting as in query.py; all values are bound, all names come from that closed table. `gid` numbers groups
within this index, `id` rows: both may change when the index is rebuilt, so URLs hold step, group and index.

One index object may be used from several threads. Reading while another process trains is what it is made
for.
"""

from __future__ import annotations

from array import array
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import orjson

from socialr1_lite.errors import RunLogError
from socialr1_lite.redaction import redact_tree
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.figures import Figures
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.index_file import SCALARS, IndexFile, Row, SqlRow, scalar_row
from socialr1_lite.runlog.query import IMPORTED, NAMED, TIE, Filter, Order, SqlValue
from socialr1_lite.runlog.traces import read_trace
from socialr1_lite.scenario import Scenario

PAGE_ROWS = 50
GROUP_FACTS = (
    *("phase", "benchmark", "segment", "step", "scenario"),
    *("n", "worst", "best", "mean", "sd", "flat", "cause"),
)


class TraceIndex(IndexFile, AbstractContextManager["TraceIndex"]):
    """Answers questions about one run's traces. figures: those over many."""

    def __init__(self, run: RunFolder | str | Path, *, cache: Path | None = None) -> None:
        """Open or make the index file. Nothing is read from the shards before `refresh`."""
        super().__init__(run if isinstance(run, RunFolder) else RunFolder.open(run), cache=cache)
        self.figures = Figures(self)

    def page(
        self, where: Filter | None = None, sort: str = "time", offset: int = 0, limit: int = PAGE_ROWS
    ) -> list[Row]:
        """Scalar rows offset .. offset + limit of the filtered and sorted table."""
        tail = f"ORDER BY {Order.parse(sort).sql()} LIMIT ? OFFSET ?"
        return self.rows(where, tail, [max(0, limit), max(0, offset)])

    def ids(self, where: Filter | None = None, sort: str = "time") -> array[int]:
        """The ids of the whole filtered and sorted table, 8 bytes each: for walking through it step by step."""
        found = self.select("id", where, f"ORDER BY {Order.parse(sort).sql()}")
        return array("q", (id for (id,) in found))

    def neighbour(self, id: int, where: Filter | None = None, sort: str = "time", direction: int = 1) -> Row | None:
        """The row after (direction 1) or before (-1) row `id`; `id` itself need not pass the filter."""
        order, backwards = Order.parse(sort), direction < 0
        beyond, place = order.beyond(self._place(id, order), backwards=backwards)
        tail = f"AND {beyond} ORDER BY {order.sql(backwards=backwards)} LIMIT 1"
        return next(iter(self.rows(where, tail, place)), None)

    def position(self, id: int, where: Filter | None = None, sort: str = "time") -> int | None:
        """How many rows of the filtered and sorted table come before row `id`; None if it is filtered out."""
        order = Order.parse(sort)
        before, place = order.beyond(self._place(id, order), backwards=True)
        if not self.select("1", where, "AND id = ?", [id]):
            return None
        return int(self.select("count(*)", where, f"AND {before}", place)[0][0])

    def get(self, id: int) -> Trace:
        """Return the whole stored trace (prompt, completion, notes, ...), its notes redacted. Raises RunLogError."""
        sql = "SELECT name, offset, length, superseded FROM traces JOIN shards ON shards.id = shard WHERE traces.id = ?"
        name, offset, length, superseded = self._one(sql, id)
        try:
            with (self.run.traces / name).open("rb") as file:
                file.seek(offset)
                trace = read_trace(file.read(length), Path(name), offset)
        except FileNotFoundError:
            raise RunLogError(f"{self.run.path}: {name} is gone; was the run deleted?") from None
        notes, error = redact_tree(
            (trace.score.notes, trace.completion.error)
        )  # older versions wrote them as they were
        told = replace(trace.score, notes=notes), replace(trace.completion, error=error)
        return replace(trace, score=told[0], completion=told[1], superseded=bool(superseded))

    def scalars(self, id: int) -> Row:
        """The scalar row of that id. Raises RunLogError for no such row."""
        return scalar_row(self._one(f"SELECT {SCALARS} FROM traces WHERE id = ?", id))

    def find(
        self,
        *,
        step: int,
        group: int,
        index: int,
        phase: str = "train",
        benchmark: str = "",
        segment: int | None = None,
    ) -> int | None:
        """The id of one completion; without a segment the one that counts, else the latest."""
        wanted: Row = {"step": step, "group": group, "index": index, "phase": phase, "benchmark": benchmark}
        wanted |= {"superseded": None} | ({} if segment is None else {"segment": segment})
        found = self.select("id", wanted, "ORDER BY superseded, segment DESC LIMIT 1")
        return found[0][0] if found else None

    def group(self, gid: int) -> list[Row]:
        """The scalar rows of one group, by index."""
        return self.rows({"gid": gid, "superseded": None}, "ORDER BY idx")

    def group_facts(self, gid: int) -> Row:
        """A group's n, worst, best, mean, sd (Bessel; None for n = 1), flat, cause. Raises RunLogError."""
        found = self._one(f"SELECT {', '.join(GROUP_FACTS)} FROM groups WHERE gid = ?", gid, "group")
        return {**dict(zip(GROUP_FACTS, found, strict=True)), "flat": bool(found[-2])}

    def by_scenario(self, scenario: str, where: Filter | None = None) -> list[Row]:
        """The scalar rows of one scenario in the order of training."""
        return self.rows({**(where or {}), "scenario": scenario}, f"ORDER BY {', '.join(TIE)}")

    def scenario(self, id: str) -> Scenario | None:
        """The stored scenario of that id."""
        found = self.all("SELECT offset FROM scenarios WHERE id = ?", [id])
        if not found or not self.run.scenarios.exists():
            return None
        with self.run.scenarios.open("rb") as file:
            file.seek(found[0][0])
            row = lines.parse(file.readline())
        return None if row is None else Scenario.from_row(row)

    def bounds(self) -> Row:
        """{rows, superseded, first, last}: row counts and the first and last step that count."""
        ((rows, superseded),) = self.all("SELECT count(*), total(superseded) FROM traces")
        ((first, last),) = self.select("min(step), max(step)", None)
        return {"rows": rows, "superseded": int(superseded), "first": first or 0, "last": last or 0}

    def named(self) -> dict[str, str]:
        """The rewards that came with a foreign file: their names as it has them -> the fields that hold them."""
        found = self.all("SELECT value FROM meta WHERE key = 'named'")
        names = orjson.loads(found[0][0]) if found else []
        return {name.removeprefix(IMPORTED): of for name, of in zip(names, NAMED, strict=False)}

    def notices(self) -> list[str]:
        """What had to be skipped, in words."""
        return [text for (text,) in self.all("SELECT text FROM notices")]

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _place(self, id: int, order: Order) -> dict[str, SqlValue]:
        names = [*TIE, *([order.column] if order.column else [])]
        return dict(zip(names, self._one(f"SELECT {', '.join(names)} FROM traces WHERE id = ?", id), strict=True))

    def _one(self, sql: str, number: int, what: str = "trace") -> SqlRow:
        """Return the one row that the SQL selects by that number. Raises RunLogError where there is none."""
        found = self.all(sql, [number])
        if not found:
            raise RunLogError(f"{self.run.path}: there is no {what} number {number}")
        return found[0]
