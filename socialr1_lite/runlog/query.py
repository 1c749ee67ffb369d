"""What may be asked of a trace index: closed tables of fields, filters and sortings, made into bound SQL.

A filter is a plain JSON-ready mapping, field -> condition, all of which must hold:

    {"phase": "train", "outcome": ["wrong", "unreadable"], "step": {"min": 100, "max": 200}, "early": true}

* a scalar: equal; null: the field holds nothing (a judge that could not judge);
* a list: any of these;
* {"min": a, "max": b}: a <= field <= b, either end may be left out;
* {"not": condition}: the condition does not hold; {"all": [conditions]}: each of them holds;
* "text": a search (search.py), in replies unless "text_in" says "asked" (story and question) or "all" (both).

`superseded` is false unless the filter says otherwise (null there means both). A sorting is a field's name,
"-" in front for descending; ties, and the sorting "time", follow step, group, index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.sip import STAGES

Scalar = str | int | float | bool | None
Condition = Scalar | list[Scalar] | tuple[Scalar, ...] | Mapping[str, "Condition"] | list["Condition"]
Filter = Mapping[str, Condition]
SqlValue = str | int | float | None
Bound = tuple[str, list[SqlValue]]  # SQL text and the values for its question marks

PARTS = (
    *("structure.coverage", "structure.order", "structure.independence"),
    *(f"content.{stage}" for stage in STAGES),
    *("length.window", "length.repetition"),
)
IMPORTED = "imported."  # before the name of a part that a foreign file brought: a reward of its own
NAMED = tuple(f"named.{place}" for place in range(12))  # the first so many of them, in the order they came


class Field(NamedTuple):
    """A column of the index: its SQL name and what kind of value it holds."""

    column: str
    kind: type


RENAMED = {"group": "grp", "index": "idx", "right": "right_"}  # the words of SQL
KINDS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (str, ("phase",)),
    (int, ("step", "group", "index", "gid", "segment", "rank")),
    (str, ("benchmark", "scenario", "dimension", "outcome")),
    (bool, ("right",)),
    (int, ("answer", "tokens")),
    (str, ("finish",)),
    (bool, ("truncated",)),
    (float, ("total", "advantage", "tau")),
    # process: the weighted mean of the process rewards, in [0, 1]. paid_wrong, paid_right: of a wrong, of a right
    # answer: its reward as a share of the most that a wrong answer can earn (`Score.most_if_wrong`)
    (float, ("process", "paid_wrong", "paid_right")),
    (bool, ("flat", "early", "superseded")),
)
FIELDS: dict[str, Field] = {
    **{name: Field(RENAMED.get(name, name), kind) for kind, names in KINDS for name in names},
    **{f"reward.{name}": Field(f"r_{name}", float) for name in COMPONENTS},
    **{name: Field(f"p_{name.replace('.', '_')}", float) for name in (*PARTS, *NAMED)},
    **{f"stage.{name}": Field(f"s_{name}", str) for name in STAGES},
}
FACETS = ("phase", "benchmark", "outcome", "dimension", "truncated", "flat", "early", "superseded")
FACET_COLUMNS = ", ".join(FIELDS[name].column for name in FACETS)
# Columns worth an index for a filter. The others get a "+" in front, which keeps SQLite from walking the facets' index
# row by row where reading the table once is quicker.
SELECTIVE = frozenset({"step", "gid", "scenario"})
TEXT, TEXT_IN = "text", "text_in"
SEARCHED = ("replies", "asked", "all")
TIME = "time"
TIE = ("step", "gid", "idx", "id")  # the order of things that are equal otherwise


def field(name: str) -> Field:
    """The field of that name. Raises RunLogError with the names there are."""
    try:
        return FIELDS[name]
    except KeyError:
        raise RunLogError(f"traces have no field {name!r}; there are: {', '.join(FIELDS)}") from None


def where(conditions: Filter | None, *, leave_out: Collection[str] = ()) -> Bound:
    """The SQL condition of a filter without its "text" and without the fields left out."""
    wanted = {"superseded": False} | dict(conditions or {})
    if wanted["superseded"] is None:
        del wanted["superseded"]
    texts, values = ["1"], []
    for name, condition in wanted.items():
        if name not in (TEXT, TEXT_IN) and name not in leave_out:
            text, bound = _condition(field(name), condition, name)
            texts.append(text)
            values += bound
    return " AND ".join(texts), values


def _condition(of: Field, condition: Condition, name: str) -> Bound:
    column = of.column if of.column in SELECTIVE else f"+{of.column}"
    if isinstance(condition, Mapping) and condition.keys() <= {"not", "all"} and condition:
        return _combined(of, condition, name)
    if isinstance(condition, Mapping):
        if of.kind is str or not condition.keys() <= {"min", "max"}:
            given = f"filter {name}: {dict(condition)!r}"
            raise RunLogError(f"{given} is no range; write {{'min': a, 'max': b}} of a number")
        signs = {"min": ">=", "max": "<="}
        ends = [(sign, condition[end]) for end, sign in signs.items() if condition.get(end) is not None]
        text = " AND ".join(f"{column} {sign} ?" for sign, _ in ends)
        return text or "1", [_value(of, value, name) for _, value in ends]
    if isinstance(condition, (list, tuple)):
        marks = ", ".join("?" * len(condition))
        return f"{column} IN ({marks})", [_value(of, one, name) for one in condition]
    if condition is None:
        return f"{column} IS NULL", []
    return f"{column} = ?", [_value(of, condition, name)]


def _combined(of: Field, condition: Mapping[str, Condition], name: str) -> Bound:
    parts = condition.get("all", [])
    parts = [*(parts if isinstance(parts, (list, tuple)) else [parts])]
    found = [_condition(of, part, name) for part in parts]
    if "not" in condition:
        text, bound = _condition(of, condition["not"], name)
        found.append((f"NOT coalesce(({text}), 0)", bound))  # a field that holds nothing is not of that value either
    return " AND ".join(f"({text})" for text, _ in found) or "1", [one for _, bound in found for one in bound]


def holds(condition: Condition, value: Scalar) -> bool:
    """Return whether a facet's value passes its condition, as in SQL."""
    if isinstance(condition, Mapping):
        parts = condition.get("all", [])
        together = all(holds(part, value) for part in (parts if isinstance(parts, (list, tuple)) else [parts]))
        return together and not ("not" in condition and holds(condition["not"], value))
    return value in condition if isinstance(condition, (list, tuple)) else value == condition


def both(conditions: Filter, more: Filter) -> Filter:
    """Return the filter of what passes the two."""
    return {**conditions, **more} | {
        name: {"all": [conditions[name], more[name]]} for name in conditions.keys() & more.keys()
    }


def _value(of: Field, value: Condition, name: str) -> SqlValue:
    """The value as stored; refuses one of another kind, which would silently match nothing."""
    allowed: tuple[type, ...] = (int, float) if of.kind in (int, float) else (of.kind,)
    if (
        not isinstance(value, (str, int, float))
        or not isinstance(value, allowed)
        or (isinstance(value, bool) and of.kind is not bool)
        or value != value
    ):
        raise RunLogError(f"filter {name}: {value!r} is not of type {of.kind.__name__}")
    return bool(value) if of.kind is bool else value


class Order(NamedTuple):
    """A sorting: one column (None for time alone), its direction, then TIE."""

    column: str | None
    descending: bool

    @classmethod
    def parse(cls, sort: str) -> Order:
        """Read "-advantage", "total", "time" or "-time". Raises RunLogError for an unknown field."""
        name = sort.removeprefix("-")
        return cls(None if name == TIME else field(name).column, sort.startswith("-"))

    def sql(self, *, backwards: bool = False) -> str:
        """ORDER BY list; rows without a value come last, either way round."""
        tie = "DESC" if backwards != (self.column is None and self.descending) else "ASC"
        ties = ", ".join(f"{column} {tie}" for column in TIE)
        if self.column is None:
            return ties
        direction, nulls = ("DESC" if down else "ASC" for down in (self.descending != backwards, backwards))
        return f"{self.column} IS NULL {nulls}, {self.column} {direction}, {ties}"

    def beyond(self, place: Mapping[str, SqlValue], *, backwards: bool) -> Bound:
        """The condition of rows strictly after `place` (a row's columns), or before it when backwards."""
        sign = "<" if backwards != (self.column is None and self.descending) else ">"
        tied = f"({', '.join(TIE)}) {sign} ({', '.join('?' * len(TIE))})"
        ties = [place[column] for column in TIE]
        if self.column is None:
            return tied, ties
        value, bound = place[self.column], []
        if value is None:
            text = f"{self.column} IS NOT NULL" if backwards else "0"
        else:
            beyond = f"{self.column} {'<' if self.descending != backwards else '>'} ?"
            text, bound = beyond if backwards else f"{beyond} OR {self.column} IS NULL", [value]
        return f"(({text}) OR ({self.column} IS ? AND {tied}))", [*bound, value, *ties]
