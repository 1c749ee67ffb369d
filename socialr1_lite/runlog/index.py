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
    index.series(field, where, by="step")         per step: n, mean, sd, low, high (+ quantiles)
    index.group_series(where)                     per step: groups, share flat, share of each cause, mean sd
    index.means(wanted, where, by="step")         per step, in one pass: means of many fields, shares of values
    index.counts(field, where, by="step")         per step: {by, n, values: {value: count}}; text, yes/no
    index.tally(fields, where)                    every combination of the fields' values with its count
    index.facets(where)                           field -> value -> count, each without its own condition
    index.columns(fields, where)                  tuples for scatter plots and histograms
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

import hashlib
import os
import sqlite3
import tempfile
import threading
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import lines, search
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.query import FACET_COLUMNS, FACETS, FIELDS, TEXT, TIE, Bound, Filter, Order, field, where
from socialr1_lite.runlog.tailing import PAGE_BYTES, Progress, Tail
from socialr1_lite.runlog.traces import read_trace
from socialr1_lite.scenario import Scenario

PAGE_ROWS = 50
SEARCH_ROWS = 5000  # as many as a search may take into the word index itself: about a quarter of a second
SCALARS = ", ".join(["id", *(of.column for of in FIELDS.values())])
NAMES = ("id", *FIELDS)

Row = dict[str, Any]


def cache_folder() -> Path:
    """For disposable files: $SOCIALR1_CACHE, $XDG_CACHE_HOME/socialr1_lite or ~/.cache/socialr1_lite."""
    if told := os.environ.get("SOCIALR1_CACHE"):
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "socialr1_lite"


class TraceIndex:
    """Answers questions about one run's traces (the module's docstring lists them)."""

    def __init__(self, run: RunFolder | str | Path, *, cache: Path | None = None) -> None:
        """Open or make the index file. Nothing is read from the shards before `refresh`."""
        self.run = run if isinstance(run, RunFolder) else RunFolder.open(run)
        self._lock = threading.RLock()
        self._preparing = threading.Event()
        key = hashlib.sha256(os.fsencode(self.run.path.resolve())).hexdigest()[:24]
        self._path = _usable(cache or cache_folder() / "traces") / f"{key}.sqlite"
        self._open()

    def refresh(self, progress: Progress | None = None) -> int:
        """Take in what the shards gained, or rebuild if they are not those indexed; the number of new rows.

        progress: called with (bytes read, bytes in all). Raises RunLogError when the run is gone or newer
        than this code.
        """
        with self._lock:
            try:
                return self._refresh(progress)
            except sqlite3.OperationalError as wrong:  # full disk, or another process at work for over a minute
                raise RunLogError(
                    f"{self.run.path}: the trace index {self._path} cannot be written: {wrong}; "
                    "SOCIALR1_CACHE names another folder for it"
                ) from None
            except sqlite3.DatabaseError:  # a damaged file: the shards still hold everything
                self._discard()
                return self._refresh(progress)

    def count(self, where: Filter | None = None) -> int:
        """How many rows the filter leaves."""
        text, values = self._where(where)
        return int(self._all(f"SELECT count(*) FROM traces WHERE {text}", values)[0][0])

    def page(
        self, where: Filter | None = None, sort: str = "time", offset: int = 0, limit: int = PAGE_ROWS
    ) -> list[Row]:
        """Scalar rows offset .. offset + limit of the filtered and sorted table."""
        text, values = self._where(where)
        order = Order.parse(sort).sql()
        return self._rows(f"WHERE {text} ORDER BY {order} LIMIT ? OFFSET ?", [*values, max(0, limit), max(0, offset)])

    def ids(self, where: Filter | None = None, sort: str = "time") -> array[int]:
        """The ids of the whole filtered and sorted table, 8 bytes each: for walking through it step by step."""
        text, values = self._where(where)
        sql = f"SELECT id FROM traces WHERE {text} ORDER BY {Order.parse(sort).sql()}"
        return array("q", (row[0] for row in self._all(sql, values)))

    def tally(self, names: Sequence[str], where: Filter | None = None) -> list[tuple[Any, ...]]:
        """Every combination of these fields' values with its count, in one pass: [(value, ..., count)]."""
        columns = ", ".join(field(name).column for name in names)
        text, values = self._where(where)
        return self._all(f"SELECT {columns}, count(*) FROM traces WHERE {text} GROUP BY {columns}", values)

    def neighbour(self, id: int, where: Filter | None = None, sort: str = "time", direction: int = 1) -> Row | None:
        """The row after (direction 1) or before (-1) row `id`; `id` itself need not pass the filter."""
        order, backwards = Order.parse(sort), direction < 0
        text, values = self._where(where)
        beyond, place = order.beyond(self._place(id, order), backwards=backwards)
        tail = f"WHERE {text} AND {beyond} ORDER BY {order.sql(backwards=backwards)} LIMIT 1"
        return next(iter(self._rows(tail, [*values, *place])), None)

    def position(self, id: int, where: Filter | None = None, sort: str = "time") -> int | None:
        """How many rows of the filtered and sorted table come before row `id`; None if it is filtered out."""
        order = Order.parse(sort)
        before, place = order.beyond(self._place(id, order), backwards=True)
        text, values = self._where(where)
        if not self._all(f"SELECT 1 FROM traces WHERE {text} AND id = ?", [*values, id]):
            return None
        return int(self._all(f"SELECT count(*) FROM traces WHERE {text} AND {before}", [*values, *place])[0][0])

    def get(self, id: int) -> Trace:
        """Return the whole stored trace (prompt, completion, notes, ...). Raises RunLogError."""
        found = self._all(
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
        found = self._rows("WHERE id = ?", [id])
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
        text, values = self._where(wanted | {"superseded": None} | ({} if segment is None else {"segment": segment}))
        found = self._all(f"SELECT id FROM traces WHERE {text} ORDER BY superseded, segment DESC LIMIT 1", values)
        return found[0][0] if found else None

    def group(self, gid: int) -> list[Row]:
        """The scalar rows of one group, by index."""
        return self._rows("WHERE gid = ? ORDER BY idx", [gid])

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
        found = self._all(f"SELECT {', '.join(names)} FROM groups WHERE gid = ?", [gid])
        if not found:
            raise RunLogError(f"{self.run.path}: there is no group number {gid}")
        return dict(zip(names, found[0], strict=True)) | {"flat": bool(found[0][-2])}

    def by_scenario(self, scenario: str, where: Filter | None = None) -> list[Row]:
        """The scalar rows of one scenario in the order of training."""
        text, values = self._where(where)
        return self._rows(f"WHERE scenario = ? AND {text} ORDER BY {', '.join(TIE)}", [scenario, *values])

    def scenario(self, id: str) -> Scenario | None:
        """The stored scenario of that id."""
        found = self._all("SELECT offset FROM scenarios WHERE id = ?", [id])
        if not found or not self.run.scenarios.exists():
            return None
        with self.run.scenarios.open("rb") as file:
            file.seek(found[0][0])
            row = lines.parse(file.readline())
        return None if row is None else Scenario.from_row(row)

    def series(
        self, name: str, where: Filter | None = None, *, by: str = "step", quantiles: Sequence[float] = ()
    ) -> list[Row]:
        """A numeric field per step (or per any other field): {by, n, mean, sd, low, high}, in order of `by`.

        Rows without a value are not counted. sd is over all completions of the step, without Bessel.
        quantiles, each in [0, 1], add "quantiles": a list of values by nearest rank.
        """
        of, over = field(name), field(by)
        if of.kind is str:
            raise RunLogError(f"{name} is text and has no mean; facets() counts its values")
        text, values = self._where(where)
        x = of.column
        rows = self._all(
            f"SELECT {over.column}, count({x}), avg({x}), avg({x} * {x}), min({x}), max({x}) FROM traces"
            f" WHERE {text} AND {x} IS NOT NULL GROUP BY {over.column} ORDER BY {over.column}",
            values,
        )
        points = [
            {
                by: at,
                "n": n,
                "mean": mean,
                "sd": max(0.0, square - mean * mean) ** 0.5,
                "low": low,
                "high": high,
            }
            for at, n, mean, square, low, high in rows
        ]
        return self._with_quantiles(points, name, by, where, quantiles) if quantiles else points

    def group_series(self, where: Filter | None = None) -> list[Row]:
        """Per step: {step, groups, flat (share), sd (mean within groups), causes: {cause: share}}.

        Over whole groups: one counts when any of its completions passes the filter.
        """
        text, values = self._where(where)
        rows = self._all(
            "SELECT step, cause, count(*), sum(flat), total(sd), count(sd) FROM groups WHERE gid IN"
            f" (SELECT gid FROM traces WHERE {text}) GROUP BY step, cause ORDER BY step",
            values,
        )
        steps: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for row in rows:
            steps[row[0]].append(row)
        return [_group_point(step, parts) for step, parts in steps.items()]

    def means(
        self, wanted: Mapping[str, str | tuple[str, Any]], where: Filter | None = None, *, by: str = "step"
    ) -> list[Row]:
        """Per step (or any field), in one pass over the rows: {by, n, and a mean for every name wanted}.

        wanted: name -> a numeric or yes/no field, or (field, value) for the share of rows that have this value. Rows
        in which the field holds nothing are left out of its mean, which is None when there are no others; n counts all.
        """
        over = field(by).column
        columns, bound = [], []
        for what in wanted.values():
            if isinstance(what, tuple):
                columns.append(f"avg({field(what[0]).column} = ?)")
                bound.append(int(what[1]) if isinstance(what[1], bool) else what[1])
            else:
                columns.append(f"avg({field(what).column})")
        text, values = self._where(where)
        selected = ", ".join([over, "count(*)", *columns])
        sql = f"SELECT {selected} FROM traces WHERE {text} GROUP BY {over} ORDER BY {over}"
        rows = self._all(sql, [*bound, *values])
        return [dict(zip((by, "n", *wanted), row, strict=True)) for row in rows]

    def counts(self, name: str, where: Filter | None = None, *, by: str = "step") -> list[Row]:
        """How often each value of a text or yes/no field occurs per step (or per any field): {by, n, values}.

        n counts every row of the step, those without a value as well; `values` leaves those out.
        """
        of, over = field(name), field(by)
        text, values = self._where(where)
        rows = self._all(
            f"SELECT {over.column}, {of.column}, count(*) FROM traces WHERE {text}"
            f" GROUP BY {over.column}, {of.column} ORDER BY {over.column}",
            values,
        )
        points: dict[Any, Row] = {}
        for at, value, number in rows:
            point = points.setdefault(at, {by: at, "n": 0, "values": {}})
            point["n"] += number
            if value is not None:
                point["values"][bool(value) if of.kind is bool else value] = number
        return list(points.values())

    def facets(self, where: Filter | None = None) -> dict[str, dict[Any, int]]:
        """For each facet the count of every value, under the filter without that facet's own condition.

        So a chosen value does not hide its alternatives. Flags come as False and True.
        """
        told = {"superseded": False} | dict(where or {})
        text, values = self._where({**told}, leave_out=FACETS)
        sql = f"SELECT {FACET_COLUMNS}, count(*) FROM traces WHERE {text} GROUP BY {FACET_COLUMNS}"
        combinations = self._all(sql, values)
        passes = {name: self._allowed(name, told[name]) for name in FACETS if told.get(name) is not None}
        counts: dict[str, Counter[Any]] = {name: Counter() for name in FACETS}
        for *facts, number in combinations:
            row = {n: bool(v) if FIELDS[n].kind is bool else v for n, v in zip(FACETS, facts, strict=True)}
            failed = [name for name, allowed in passes.items() if row[name] not in allowed]
            for name in FACETS:
                if not failed or failed == [name]:
                    counts[name][row[name]] += number
        return {name: dict(sorted(counter.items(), key=lambda item: str(item[0]))) for name, counter in counts.items()}

    def columns(self, names: Sequence[str], where: Filter | None = None, limit: int = 20_000) -> list[tuple[Any, ...]]:
        """The named fields in order of time; an even sample of about `limit` rows where there are more."""
        selected = ", ".join("id" if name == "id" else field(name).column for name in names)
        text, values = self._where(where)
        stride = max(1, -(-self.count(where) // max(1, limit)))
        sql = f"SELECT {selected} FROM traces WHERE {text} AND id % ? = 0 ORDER BY {', '.join(TIE)}"
        return self._all(sql, [*values, stride])

    def bounds(self) -> Row:
        """{rows, superseded, first, last}: row counts and the first and last step that count."""
        sql = "SELECT count(*), total(superseded), min(step), max(step) FROM traces"
        rows, superseded, _, _ = self._all(sql)[0]
        _, _, first, last = self._all(f"{sql} WHERE superseded = 0")[0]
        return {"rows": rows, "superseded": int(superseded), "first": first or 0, "last": last or 0}

    def notices(self) -> list[str]:
        """What had to be skipped, in words."""
        return [text for (text,) in self._all("SELECT text FROM notices")]

    def prepare_search(self, progress: Progress | None = None) -> bool:
        """Build what search needs, without holding up other questions; False where SQLite has no FTS5.

        progress: called with (rows done, rows in all). A search before that is answered from the texts
        themselves.
        """
        with self._lock:
            total = search.waiting(self._database)
        left = total
        while left:
            with self._lock, self._transaction():
                if not search.extend(self._database, self.run, SEARCH_ROWS):
                    return False
                left = search.waiting(self._database)
            if progress:
                progress(total - left, total)
        return True

    def close(self) -> None:
        """Close the index file."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> TraceIndex:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _open(self) -> None:
        self._database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=60)
        try:
            self._database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._database.execute("PRAGMA synchronous = OFF")  # a power cut costs a rebuild, nothing else
            self._database.execute("PRAGMA cache_size = -65536")  # 64 MiB: the whole index of 200,000 rows
            self._tail = Tail(self._database, self.run)
        except sqlite3.DatabaseError:
            self._discard()

    def _discard(self) -> None:
        self._database.close()
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._open()

    def _refresh(self, progress: Progress | None) -> int:
        with self._transaction():
            return self._tail.refresh(progress)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            self._tail = Tail(self._database, self.run)  # what it remembered was rolled back too
            raise
        self._database.execute("COMMIT")

    def _where(self, conditions: Filter | None, *, leave_out: Sequence[str] = ()) -> Bound:
        text, values = where(conditions, leave_out=leave_out)
        words = str((conditions or {}).get(TEXT) or "").strip()
        if not words:
            return text, values
        found, bound = self._search(words)
        return f"{text} AND {found}", [*values, *bound]

    def _search(self, words: str) -> Bound:
        """The condition of a text search; a long way behind, the word index is built in the background."""
        try:
            with self._lock, self._transaction():
                behind = search.waiting(self._database)
                built = behind <= SEARCH_ROWS and search.extend(self._database, self.run, SEARCH_ROWS)
                found = search.condition(self._database, self.run, words, built=built)
        except FileNotFoundError:
            raise RunLogError(f"{self.run.path}: a shard is gone; was the run deleted?") from None
        if behind > SEARCH_ROWS and not self._preparing.is_set():
            self._preparing.set()
            threading.Thread(target=self._prepare_quietly, name="word index", daemon=True).start()
        return found

    def _prepare_quietly(self) -> None:
        try:
            self.prepare_search()
        except (sqlite3.Error, OSError, RunLogError):
            return  # the index was closed or the run deleted meanwhile; the next search begins again
        finally:
            self._preparing.clear()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(sql, values).fetchall()
            except sqlite3.OperationalError as wrong:
                if "no such table" in str(wrong):
                    raise RunLogError(f"{self.run.path}: the trace index is empty; call refresh() first") from None
                raise
            except sqlite3.DatabaseError as wrong:
                if type(wrong) is not sqlite3.DatabaseError:
                    raise
                raise RunLogError(f"{self.run.path}: the trace index is damaged; refresh() builds it anew") from None

    def _rows(self, tail: str, values: Sequence[Any]) -> list[Row]:
        return [_scalars(row) for row in self._all(f"SELECT {SCALARS} FROM traces {tail}", values)]

    def _place(self, id: int, order: Order) -> Row:
        names = [*TIE, *([order.column] if order.column else [])]
        found = self._all(f"SELECT {', '.join(names)} FROM traces WHERE id = ?", [id])
        if not found:
            raise RunLogError(f"{self.run.path}: there is no trace number {id}")
        return dict(zip(names, found[0], strict=True))

    def _with_quantiles(
        self, points: list[Row], name: str, by: str, where: Filter | None, quantiles: Sequence[float]
    ) -> list[Row]:
        text, values = self._where(where)
        x, over = field(name).column, field(by).column
        pairs = self._all(f"SELECT {over}, {x} FROM traces WHERE {text} AND {x} IS NOT NULL", values)
        sorted_values: dict[Any, list[float]] = defaultdict(list)
        for at, value in pairs:
            sorted_values[at].append(value)
        for point in points:
            told = sorted(sorted_values[point[by]])
            point["quantiles"] = [told[min(len(told) - 1, int(share * len(told)))] for share in quantiles]
        return points

    @staticmethod
    def _allowed(name: str, condition: Any) -> set[Any]:
        where({name: condition})  # refuses what the filter itself would refuse
        return set(condition) if isinstance(condition, (list, tuple)) else {condition}


def _scalars(values: tuple[Any, ...]) -> Row:
    row = dict(zip(NAMES, values, strict=True))
    for name, of in FIELDS.items():
        if of.kind is bool:
            row[name] = bool(row[name])
    return row


def _group_point(step: int, parts: Sequence[tuple[Any, ...]]) -> Row:
    groups = sum(part[2] for part in parts)
    spreads = sum(part[5] for part in parts)
    return {
        "step": step,
        "groups": groups,
        "flat": sum(part[3] or 0 for part in parts) / groups,
        "sd": sum(part[4] for part in parts) / spreads if spreads else None,
        "causes": {part[1]: part[2] / groups for part in parts if part[1]},
    }


def _usable(folder: Path) -> Path:
    """The folder, made if need be; a fresh temporary one when it cannot be written (a read-only home)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="socialr1_lite-"))
