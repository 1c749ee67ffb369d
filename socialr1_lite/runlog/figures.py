"""Figures over many traces: curves, shares, counts and columns, for plots and facets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog.index_file import IndexFile, SqlRow
from socialr1_lite.runlog.query import FACET_COLUMNS, FACETS, FIELDS, TIE, Filter, Scalar, SqlValue, field, holds
from socialr1_lite.runlog.query import where as where_sql

Point = dict[str, Any]  # one point of a curve: the step (or what it is by), n, and figures by name


class Figures:
    """Answers questions about all traces that pass a filter."""

    def __init__(self, file: IndexFile) -> None:
        """Read from an index that its owner refreshes."""
        self._file = file

    def tally(self, names: Sequence[str], where: Filter | None = None) -> list[SqlRow]:
        """Every combination of these fields' values with its count, in order, in one pass: [(value, ..., count)]."""
        columns = ", ".join(field(name).column for name in names)
        return self._file.select(f"{columns}, count(*)", where, f"GROUP BY {columns} ORDER BY {columns}")

    def series(
        self, name: str, where: Filter | None = None, *, by: str = "step", quantiles: Sequence[float] = ()
    ) -> list[Point]:
        """A numeric field per step (or per any other field): {by, n, mean, sd, low, high}, in order of `by`.

        Points without a value are not counted. sd is over all completions of the step, without Bessel.
        quantiles, each in [0, 1], add "quantiles": a list of values by nearest rank.
        """
        x, over = field(name).column, field(by).column
        if field(name).kind is str:
            raise RunLogError(f"{name} is text and has no mean; facets() counts its values")
        columns = f"{over}, count({x}), avg({x}), avg({x} * {x}), min({x}), max({x})"
        rows = self._file.select(columns, where, f"AND {x} IS NOT NULL GROUP BY {over} ORDER BY {over}")
        points = [
            {by: at, "n": n, "mean": mean, "sd": max(0.0, square - mean * mean) ** 0.5, "low": low, "high": high}
            for at, n, mean, square, low, high in rows
        ]
        if quantiles:
            sorted_values: dict[SqlValue, list[float]] = defaultdict(list)
            for at, value in self._file.select(f"{over}, {x}", where, f"AND {x} IS NOT NULL ORDER BY {x}"):
                sorted_values[at].append(value)
            for point in points:
                ordered = sorted_values[point[by]]
                point["quantiles"] = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in quantiles]
        return points

    def group_series(self, where: Filter | None = None) -> list[Point]:
        """Per step: {step, groups, flat (share), sd (mean within groups), causes: {cause: share}}.

        Over whole groups: one counts when any of its completions passes the filter.
        """
        text, values = self._file.where(where)
        sql = "SELECT step, cause, count(*), sum(flat), total(sd), count(sd) FROM groups WHERE gid IN"
        sql = f"{sql} (SELECT gid FROM traces WHERE {text}) GROUP BY step, cause ORDER BY step"
        rows = self._file.all(sql, values)
        return [_group_point(step, list(parts)) for step, parts in groupby(rows, key=itemgetter(0))]

    def means(
        self, wanted: Mapping[str, str | tuple[str, Scalar]], where: Filter | None = None, *, by: str = "step"
    ) -> list[Point]:
        """Per step (or any field), in one pass over the rows: {by, n, and a mean for every name wanted}.

        wanted: name -> a numeric or yes/no field, or (field, value) for the share of rows that have this value. Points
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
        text, values = self._file.where(where)
        selected = ", ".join([over, "count(*)", *columns])
        sql = f"SELECT {selected} FROM traces WHERE {text} GROUP BY {over} ORDER BY {over}"
        return [dict(zip((by, "n", *wanted), row, strict=True)) for row in self._file.all(sql, [*bound, *values])]

    def counts(self, name: str, where: Filter | None = None, *, by: str = "step") -> list[Point]:
        """How often each value of a text or yes/no field occurs per step (or per any field): {by, n, values}.

        n counts every row of the step, those without a value as well; `values` leaves those out.
        """
        points: dict[SqlValue, Point] = {}
        for at, value, number in self.tally((by, name), where):
            point = points.setdefault(at, {by: at, "n": 0, "values": {}})
            point["n"] += number
            if value is not None:
                point["values"][bool(value) if field(name).kind is bool else value] = number
        return list(points.values())

    def numbers(self, wanted: Sequence[Filter], where: Filter | None = None) -> list[int]:
        """Of the rows that pass `where`, how many pass each of the wanted filters, in one pass over them."""
        conditions = [where_sql({"superseded": None} | dict(one)) for one in wanted]
        text, values = self._file.where(where)
        columns = ", ".join(f"total(coalesce(({sql}), 0))" for sql, _ in conditions)
        bound = [value for _, more in conditions for value in more]
        (found,) = self._file.all(f"SELECT {columns} FROM traces WHERE {text}", [*bound, *values])
        return [int(number) for number in found]

    def facets(self, where: Filter | None = None) -> dict[str, dict[Scalar, int]]:
        """For each facet the count of every value, under the filter without that facet's own condition.

        So a chosen value does not hide its alternatives. Flags come as False and True.
        """
        wanted = {"superseded": False} | dict(where or {})
        text, values = self._file.where(wanted, leave_out=FACETS)
        sql = f"SELECT {FACET_COLUMNS}, count(*) FROM traces WHERE {text} GROUP BY {FACET_COLUMNS}"
        passes = {name: wanted[name] for name in FACETS if wanted.get(name) is not None}
        where_sql(passes)  # refuses what the filter itself would refuse, a range of a text among it
        counts: dict[str, Counter[Scalar]] = {name: Counter() for name in FACETS}
        for *facts, number in self._file.all(sql, values):
            row = {n: bool(v) if FIELDS[n].kind is bool else v for n, v in zip(FACETS, facts, strict=True)}
            failed = [name for name, condition in passes.items() if not holds(condition, row[name])]
            for name in FACETS:
                if not failed or failed == [name]:
                    counts[name][row[name]] += number
        return {name: dict(sorted(counter.items(), key=lambda item: str(item[0]))) for name, counter in counts.items()}

    def columns(self, names: Sequence[str], where: Filter | None = None, limit: int = 20_000) -> list[SqlRow]:
        """The named fields in order of time; an even sample of about `limit` rows where there are more."""
        selected = ", ".join("id" if name == "id" else field(name).column for name in names)
        stride = max(1, -(-self._file.count(where) // max(1, limit)))
        return self._file.select(selected, where, f"AND id % ? = 0 ORDER BY {', '.join(TIE)}", [stride])


def _group_point(step: int, parts: Sequence[SqlRow]) -> Point:
    groups = sum(part[2] for part in parts)
    spreads = sum(part[5] for part in parts)
    return {
        "step": step,
        "groups": groups,
        "flat": sum(part[3] or 0 for part in parts) / groups,
        "sd": sum(part[4] for part in parts) / spreads if spreads else None,
        "causes": {part[1]: part[2] / groups for part in parts if part[1]},
    }
