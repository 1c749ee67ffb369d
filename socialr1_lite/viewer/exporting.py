"""A selection of traces as a file: JSONL that comes back as it was, CSV, Parquet, or one HTML page."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.query import Filter
from socialr1_lite.scenario import Scenario, sound
from socialr1_lite.viewer.filtering import sorting, where
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.pages import key_of, whole
from socialr1_lite.viewer.serving import Json, Query
from socialr1_lite.viewer.sheet import html_sheet

Cell = str | int | float | None
TableRow = dict[str, Cell]

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins so


class Export(NamedTuple):
    """One completion of a selection, with its scenario where the run folder holds it."""

    trace: Trace
    scenario: Scenario | None
    dimension: str


def export(library: Library, query: Query) -> Json:
    """Return the selection as a file: its name, kind and content (base64)."""
    run = library.run(query.text("run"))
    conditions, sort = where(query), sorting(query)
    name = query.choice("format", tuple(FORMATS), "jsonl")
    query.done()
    index = run.index()
    total = index.count(conditions)
    kind, most, write = FORMATS[name]
    content = write(selected(index, conditions, sort, most), f"{run.label}: {total} completions")
    return {
        "name": f"{re.sub(r'[^A-Za-z0-9._-]+', '-', run.label)[:60] or 'traces'}.{name}",
        "kind": kind,
        "content": base64.b64encode(content).decode(),
        "rows": min(total, most),
        "total": total,
    }


def selected(index: TraceIndex, conditions: Filter, sort: str, most: int) -> Iterator[Export]:
    """Yield the traces of a selection, with their scenarios."""
    for row in index.page(conditions, sort, 0, most):
        trace, scenario = whole(index, row["id"])
        yield Export(trace, scenario, row["dimension"])


def to_jsonl(exports: Iterable[Export], title: str) -> bytes:
    """Write stored rows with their scenario, one a line; can be imported again."""
    rows = (
        {"id": key_of(trace), "total": trace.total}
        | trace.to_row()
        | {"scenario_row": scenario.to_row() if scenario else None}
        for trace, scenario, _ in exports
    )
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def flat(export: Export) -> TableRow:
    """Return one row of a table: scalars, components, stages, texts."""
    trace, scenario, dimension = export
    score, completion = trace.score, trace.completion
    return {
        "id": key_of(trace),
        "phase": trace.phase,
        "benchmark": trace.benchmark,
        "step": trace.step,
        "scenario": trace.scenario,
        "dimension": dimension,
        "group": trace.group,
        "index": trace.index,
        "outcome": score.outcome,
        "total": trace.total,
        "advantage": trace.advantage,
        "tau": score.tau,
        "tokens": completion.tokens,
        "finish": completion.finish,
        **{f"reward.{name}": score.components.get(name) for name in COMPONENTS},
        **{f"stage.{stage}": state for stage, state in trace.stages.items()},
        "question": scenario.question if scenario else "",
        "completion": completion.text,
        "notes": "; ".join(score.notes),
    }


def to_csv(exports: Iterable[Export], title: str) -> bytes:
    """Write a table. Texts that a spreadsheet would run as a formula get an apostrophe in front."""
    rows = [{key: _harmless(value) for key, value in flat(export).items()} for export in exports]
    file = io.StringIO()
    writer = csv.DictWriter(file, _columns(rows), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "replace")


def _columns(rows: Sequence[TableRow]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row)) or ["id"]


def _harmless(value: Cell) -> Cell:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def to_parquet(exports: Iterable[Export], title: str) -> bytes:
    """Write the same table as Parquet."""
    import pyarrow
    import pyarrow.parquet

    rows = [flat(export) for export in exports]
    columns = _columns(rows)
    table = pyarrow.Table.from_pylist([{key: sound(row.get(key)) for key in columns} for row in rows])
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def to_html(exports: Iterable[Export], title: str) -> bytes:
    """Write one page."""
    return html_sheet(((trace, scenario) for trace, scenario, _ in exports), title)


FORMATS: dict[str, tuple[str, int, Callable[[Iterable[Export], str], bytes]]] = {  # its kind, most rows, its writer
    "jsonl": ("application/x-ndjson", 20_000, to_jsonl),
    "csv": ("text/csv", 20_000, to_csv),
    "parquet": ("application/vnd.apache.parquet", 20_000, to_parquet),
    "html": ("text/html", 300, to_html),
}
