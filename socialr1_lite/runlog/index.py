"""The trace index: a disposable table over a run's shards, for pages, neighbours, curves and search.

    index = TraceIndex(run)                       run: RunFolder or path; the file lies in the user's cache
    index.refresh(progress)                       new rows; call again every few seconds while training writes
    index.page(where, sort, offset, limit)        list of scalar rows        index.count(where)
    index.ids(where, sort)                        the ids of the whole filtered and sorted table, compactly
    index.neighbour(id, where, sort, +1 or -1)    the next or previous row within filter and sorting, or None
    index.position(id, where, sort)               how many rows come before it; None if filtered out
    index.get(id)                                 the whole stored Trace
    index.scalars(id)                             the scalar row of that id
    index.find(step=, group=, index=, phase=)     the id behind a URL, or None
    index.group(gid)                              the completions of one prompt, by index
    index.group_facts(gid)                        n, worst, best, mean, sd, flat, cause (why flat, in words)
    index.by_scenario(id, where)                  one prompt across training, by step
    index.scenario(id)                            the Scenario, or None
    index.figures.series(field, where, by="step")         per step: n, mean, sd, low, high (+ quantiles)
    index.figures.group_series(where)                     per step: groups, share flat, share of each cause, mean sd
    index.figures.means(wanted, where, by="step")         per step, in one pass: means of many fields, shares of values
    index.figures.counts(field, where, by="step")         per step: {by, n, values: {value: count}}; text, yes/no
    index.figures.tally(fields, where)                    every combination of the fields' values with its count
    index.figures.facets(where)                           field -> value -> count, each without its own condition
    index.figures.columns(fields, where)                  tuples for scatter plots and histograms
    index.prepare_search(progress)                builds the word index now; else the first search does
    index.bounds(), index.notices()               first, last step, row counts; damaged lines skipped

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
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.figures import Figures
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.index_file import IndexFile, Row
from socialr1_lite.runlog.query import TIE, Filter, Order
from socialr1_lite.runlog.tailing import Progress
from socialr1_lite.runlog.traces import read_trace
from socialr1_lite.scenario import Scenario

PAGE_ROWS = 50


class TraceIndex:
    """Answers questions about one run's traces (the module's docstring lists them). figures: those over many."""

    def __init__(self, run: RunFolder | str | Path, *, cache: Path | None = None) -> None:
        """Open or make the index file. Nothing is read from the shards before `refresh`."""
        self.run = run if isinstance(run, RunFolder) else RunFolder.open(run)
        self._file = IndexFile(self.run, cache=cache)
        self.figures = Figures(self._file)

    def refresh(self, progress: Progress | None = None) -> int:
        """Take in what the shards gained, or rebuild if they are not those indexed; return the number of new rows.

        progress: called with (bytes read, bytes in all). Raises RunLogError when the run is gone or newer
        than this code.
        """
        return self._file.refresh(progress)

    def prepare_search(self, progress: Progress | None = None) -> bool:
        """Build what search needs, without holding up other questions; return False where SQLite has no FTS5.

        progress: called with (rows done, rows in all). A search before that is answered from the texts themselves.
        """
        return self._file.prepare_search(progress)

    def close(self) -> None:
        """Close the index file."""
        self._file.close()

    def count(self, where: Filter | None = None) -> int:
        """How many rows the filter leaves."""
        text, values = self._file.where(where)
        return int(self._file.all(f"SELECT count(*) FROM traces WHERE {text}", values)[0][0])

    def page(
        self, where: Filter | None = None, sort: str = "time", offset: int = 0, limit: int = PAGE_ROWS
    ) -> list[Row]:
        """Scalar rows offset .. offset + limit of the filtered and sorted table."""
        text, values = self._file.where(where)
        order = Order.parse(sort).sql()
        return self._file.rows(
            f"WHERE {text} ORDER BY {order} LIMIT ? OFFSET ?", [*values, max(0, limit), max(0, offset)]
        )

    def ids(self, where: Filter | None = None, sort: str = "time") -> array[int]:
        """The ids of the whole filtered and sorted table, 8 bytes each: for walking through it step by step."""
        text, values = self._file.where(where)
        sql = f"SELECT id FROM traces WHERE {text} ORDER BY {Order.parse(sort).sql()}"
        return array("q", (row[0] for row in self._file.all(sql, values)))

    def neighbour(self, id: int, where: Filter | None = None, sort: str = "time", direction: int = 1) -> Row | None:
        """The row after (direction 1) or before (-1) row `id`; `id` itself need not pass the filter."""
        order, backwards = Order.parse(sort), direction < 0
        text, values = self._file.where(where)
        beyond, place = order.beyond(self._place(id, order), backwards=backwards)
        tail = f"WHERE {text} AND {beyond} ORDER BY {order.sql(backwards=backwards)} LIMIT 1"
        return next(iter(self._file.rows(tail, [*values, *place])), None)

    def position(self, id: int, where: Filter | None = None, sort: str = "time") -> int | None:
        """How many rows of the filtered and sorted table come before row `id`; None if it is filtered out."""
        order = Order.parse(sort)
        before, place = order.beyond(self._place(id, order), backwards=True)
        text, values = self._file.where(where)
        if not self._file.all(f"SELECT 1 FROM traces WHERE {text} AND id = ?", [*values, id]):
            return None
        return int(self._file.all(f"SELECT count(*) FROM traces WHERE {text} AND {before}", [*values, *place])[0][0])

    def get(self, id: int) -> Trace:
        """Return the whole stored trace (prompt, completion, notes, ...). Raises RunLogError."""
        found = self._file.all(
            "SELECT name, offset, length, superseded FROM traces JOIN shards ON shards.id = shard WHERE traces.id = ?",
            [id],
        )
        if not found:
            raise RunLogError(f"{self.run.path}: there is no trace number {id}")
        name, offset, length, superseded = found[0]
        try:
            with (self.run.traces / name).open("rb") as file:
                file.seek(offset)
                trace = read_trace(file.read(length), Path(name), offset)
        except FileNotFoundError:
            raise RunLogError(f"{self.run.path}: {name} is gone; was the run deleted?") from None
        return replace(trace, superseded=bool(superseded))

    def scalars(self, id: int) -> Row:
        """The scalar row of that id. Raises RunLogError for no such row."""
        found = self._file.rows("WHERE id = ?", [id])
        if not found:
            raise RunLogError(f"{self.run.path}: there is no trace number {id}")
        return found[0]

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
        text, values = self._file.where(wanted)
        found = self._file.all(f"SELECT id FROM traces WHERE {text} ORDER BY superseded, segment DESC LIMIT 1", values)
        return found[0][0] if found else None

    def group(self, gid: int) -> list[Row]:
        """The scalar rows of one group, by index."""
        return self._file.rows("WHERE gid = ? ORDER BY idx", [gid])

    def group_facts(self, gid: int) -> Row:
        """A group's n, worst, best, mean, sd (Bessel; None for n = 1), flat, cause. Raises RunLogError."""
        names = (
            "phase",
            "benchmark",
            "segment",
            "step",
            "scenario",
            "n",
            "worst",
            "best",
            "mean",
            "sd",
            "flat",
            "cause",
        )
        found = self._file.all(f"SELECT {', '.join(names)} FROM groups WHERE gid = ?", [gid])
        if not found:
            raise RunLogError(f"{self.run.path}: there is no group number {gid}")
        return {**dict(zip(names, found[0], strict=True)), "flat": bool(found[0][-2])}

    def by_scenario(self, scenario: str, where: Filter | None = None) -> list[Row]:
        """The scalar rows of one scenario in the order of training."""
        text, values = self._file.where(where)
        return self._file.rows(f"WHERE scenario = ? AND {text} ORDER BY {', '.join(TIE)}", [scenario, *values])

    def scenario(self, id: str) -> Scenario | None:
        """The stored scenario of that id."""
        found = self._file.all("SELECT offset FROM scenarios WHERE id = ?", [id])
        if not found or not self.run.scenarios.exists():
            return None
        with self.run.scenarios.open("rb") as file:
            file.seek(found[0][0])
            row = lines.parse(file.readline())
        return None if row is None else Scenario.from_row(row)

    def bounds(self) -> Row:
        """{rows, superseded, first, last}: row counts and the first and last step that count."""
        sql = "SELECT count(*), total(superseded), min(step), max(step) FROM traces"
        rows, superseded, _, _ = self._file.all(sql)[0]
        _, _, first, last = self._file.all(f"{sql} WHERE superseded = 0")[0]
        return {"rows": rows, "superseded": int(superseded), "first": first or 0, "last": last or 0}

    def notices(self) -> list[str]:
        """What had to be skipped, in words."""
        return [text for (text,) in self._file.all("SELECT text FROM notices")]

    def __enter__(self) -> TraceIndex:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _place(self, id: int, order: Order) -> Row:
        names = [*TIE, *([order.column] if order.column else [])]
        found = self._file.all(f"SELECT {', '.join(names)} FROM traces WHERE id = ?", [id])
        if not found:
            raise RunLogError(f"{self.run.path}: there is no trace number {id}")
        return dict(zip(names, found[0], strict=True))
