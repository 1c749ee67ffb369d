"""A selection of traces as a file: JSONL that comes back as it was, CSV, Parquet, or one HTML page."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.traces import REQUIRED
from socialr1_lite.scenario import Scenario
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.pages import key_of, sorting, where, whole
from socialr1_lite.viewer.serving import Query, sound
from socialr1_lite.viewer.sheet import html_sheet
from socialr1_lite.viewer.stage import COMPONENTS

Row = dict[str, Any]
Json = dict[str, Any]

FORMATS = ("jsonl", "csv", "parquet", "html")
MOST_ROWS = {"jsonl": 20_000, "csv": 20_000, "parquet": 20_000, "html": 300}
KINDS = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html",
}
SCALARS = (
    *("phase", "benchmark", "step", "scenario", "dimension", "group", "index", "outcome", "total", "advantage", "tau"),
    *("tokens", "finish"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins so


def export(library: Library, query: Query) -> Json:
    """The selection as a file: its name, kind and content (base64)."""
    run = library.run(query.text("run"))
    told, sort = where(query), sorting(query)
    kind = query.choice("format", FORMATS, "jsonl")
    query.done()
    index = run.index()
    total = index.count(told)
    rows = selected(index, told, sort, MOST_ROWS[kind])
    content = WRITERS[kind](rows, f"{run.label}: {total} completions")
    return {
        "name": f"{re.sub(r'[^A-Za-z0-9._-]+', '-', run.label)[:60] or 'traces'}.{kind}",
        "kind": KINDS[kind],
        "content": base64.b64encode(content).decode(),
        "rows": min(total, MOST_ROWS[kind]),
        "total": total,
    }


def selected(index: TraceIndex, told: Json, sort: str, most: int) -> Iterator[tuple[Row, Scenario | None]]:
    """Whole rows of a selection, with their scenarios."""
    for scalars in index.page(told, sort, 0, most):
        yield whole(index, scalars)


def to_jsonl(rows: Iterable[tuple[Row, Scenario | None]], title: str) -> bytes:
    """Stored rows with their scenario, one a line; can be imported again."""
    lines = (
        json.dumps(
            {
                "id": key_of(row),
                "total": row["total"],
                **_stored(row),
                "scenario_row": scenario.to_row() if scenario else None,
            }
        )
        for row, scenario in rows
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _stored(row: Row) -> Row:
    kept = {
        *REQUIRED,
        "advantage",
        "answer",
        "benchmark",
        "judge",
        "notes",
        "prefilled",
        "sampling",
        "stages",
        "segment",
        "rank",
        "version",
    }
    return {key: value for key, value in row.items() if key in kept}


def flat(row: Row, scenario: Scenario | None) -> Row:
    """One row of a table: scalars, components, parts, texts."""
    return {
        "id": key_of(row),
        **{name: row.get(name) for name in SCALARS},
        **{f"reward.{name}": row["components"].get(name) for name in COMPONENTS},
        **{f"stage.{stage}": state for stage, state in (row.get("stages") or {}).items()},
        "question": scenario.question if scenario else "",
        "completion": row["completion"],
        "notes": "; ".join(row.get("notes") or ()),
    }


def to_csv(rows: Iterable[tuple[Row, Scenario | None]], title: str) -> bytes:
    """A table. Texts that a spreadsheet would run as a formula get an apostrophe in front."""
    told = [flat(*one) for one in rows]
    file = io.StringIO()
    writer = csv.DictWriter(file, _columns(told), restval="")
    writer.writeheader()
    writer.writerows({key: _harmless(value) for key, value in row.items()} for row in told)
    return file.getvalue().encode("utf-8", "replace")


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row)) or ["id"]


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def to_parquet(rows: Iterable[tuple[Row, Scenario | None]], title: str) -> bytes:
    """The same table as Parquet."""
    import pyarrow
    import pyarrow.parquet

    told = [flat(*one) for one in rows]
    columns = _columns(told)
    table = pyarrow.Table.from_pylist([{key: sound(row.get(key)) for key in columns} for row in told])
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


WRITERS: dict[str, Callable[[Iterable[tuple[Row, Scenario | None]], str], bytes]] = {
    "jsonl": to_jsonl,
    "csv": to_csv,
    "parquet": to_parquet,
    "html": html_sheet,
}
