"""Reports: one JSON file a benchmark, and a table that puts runs side by side with paired tests.

`evaluation/<benchmark>.json`, version 1, is read by the viewer. Beside it lies `<benchmark>.items.jsonl` with the
headline metric's value for each item, which is what paired tests need.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from socialr1_lite.benchmarks.base import Benchmark, Loaded, Scores
from socialr1_lite.errors import DataError
from socialr1_lite.runlog import lines, write_atomic, write_json
from socialr1_lite.statistics import Tally, interval, mcnemar

REPORT_VERSION = 1
AS_PUBLISHED = "as published, other protocol"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says of how its replies came about. n: items; replies: how many were read for them.

    unreadable: replies that ended by themselves and gave no answer. truncated: cut off at the token limit, with or
    without an answer. failed: an endpoint gave none. The three do not overlap with each other.
    """

    model: str
    adapter_step: int | None
    recipe_sha256: str
    prompt_style: str
    sampling: Json
    seed: int
    n: int
    replies: int
    unreadable: int
    truncated: int
    failed: int
    seconds: float
    backend: str
    players: Json
    usage: Json


def build(benchmark: Benchmark, loaded: Loaded, scores: Scores, facts: Facts, extra: Mapping[str, Any]) -> Json:
    """The report as JSON-ready values, intervals computed."""
    return {
        "version": REPORT_VERSION,
        "benchmark": benchmark.name,
        "source": {
            "files": [asdict(file) for file in loaded.files],
            "licence": benchmark.licence,
            "url": benchmark.source,
        },
        **asdict(facts),
        "headline": scores.headline,
        "metrics": {name: figure(tally) for name, tally in scores.metrics.items()},
        "groups": {
            name: {label: figure(tally) for label, tally in group.items()} for name, group in scores.groups.items()
        },
        "published": [asdict(one) for one in benchmark.published],
        "notes": list(loaded.notes),
        **extra,
    }


def figure(tally: Tally) -> Json:
    """A metric with its 95 % interval and the number of things counted."""
    found = interval(tally)
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": len(tally.units),
        "official": tally.official,
    }


def write(folder: Path, report: Json, scores: Scores) -> Path:
    """Write report and items, each in one move; returns the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = report["benchmark"]
    head = scores.metrics.get(scores.headline)
    rows = [{"key": unit.key, "value": unit.value} for unit in head.units] if head else []
    write_atomic(folder / f"{name}.items.jsonl", b"".join(lines.encode([row]) for row in rows))
    return write_json(folder / f"{name}.json", report)


@dataclass(frozen=True, slots=True)
class Column:
    """One evaluated run: its name and its reports by benchmark, with the headline's items."""

    name: str
    reports: Mapping[str, Json]
    items: Mapping[str, Mapping[str, float]]


def read(folder: Path) -> Column:
    """The reports of an evaluation folder, or of the run folder it lies in. Raises DataError when there are none."""
    inner = folder / "evaluation" if (folder / "evaluation").is_dir() else folder
    reports: dict[str, Json] = {}
    for path in sorted(inner.glob("*.json")):
        try:
            told = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise DataError(f"{path}: is not JSON") from None
        if isinstance(told, dict) and told.get("version") == REPORT_VERSION and "metrics" in told:
            reports[str(told["benchmark"])] = told
    if not reports:
        raise DataError(f"{folder}: no evaluation reports there")
    items = {
        name: {row["key"]: float(row["value"]) for row in lines.read_rows(inner / f"{name}.items.jsonl")}
        for name in reports
        if (inner / f"{name}.items.jsonl").is_file()
    }
    return Column(folder.resolve().name, reports, items)


# ------------------------------------------------------------------------------------------------ the table

Row = tuple[str, ...]


def table(columns: Sequence[Column]) -> tuple[Row, list[Row]]:
    """Header and rows: a row for each benchmark's headline, a cell for each run, then the test against the first."""
    names = sorted({name for column in columns for name in column.reports})
    header = ("benchmark", "metric", *(column.name for column in columns), *_test_headings(columns))
    rows = []
    for name in names:
        reports = [column.reports.get(name) for column in columns]
        metric = next(str(report["headline"]) for report in reports if report)
        cells = [_cell(report, metric) for report in reports]
        rows.append((name, metric, *cells, *(_paired(columns[0], other, name) for other in columns[1:])))
    return header, rows


def _test_headings(columns: Sequence[Column]) -> list[str]:
    return [f"{other.name} against {columns[0].name}" for other in columns[1:]]


def _cell(report: Json | None, metric: str) -> str:
    if report is None or metric not in report["metrics"]:
        return "-"
    told = report["metrics"][metric]
    text = f"{told['value']:.3f} [{told['low']:.3f}, {told['high']:.3f}] n={told['n']}"
    spoilt = {name: report.get(name, 0) for name in ("unreadable", "truncated", "failed")}
    return text + "".join(f", {count} {name}" for name, count in spoilt.items() if count)


def _paired(first: Column, other: Column, name: str) -> str:
    """McNemar's exact test on the items that both answered; only where the headline is right or wrong."""
    a, b = first.items.get(name, {}), other.items.get(name, {})
    shared = [key for key in a if key in b]
    if not shared or not {*a.values(), *b.values()} <= {0.0, 1.0}:
        return "-"
    told = mcnemar([a[key] == 1 for key in shared], [b[key] == 1 for key in shared])
    return f"+{told.only_second} -{told.only_first} of {told.n}, p={told.p:.2g}"


def published(columns: Sequence[Column]) -> list[Row]:
    """The published figures of the benchmarks shown, each with what is known of its protocol."""
    reports = {name: report for column in columns for name, report in column.reports.items()}
    return [
        (name, one["label"], f"{one['value']:.4g}", one["source"], one["protocol"])
        for name in sorted(reports)
        for one in reports[name].get("published", ())
    ]


CONTEXT = ("benchmark", "model", AS_PUBLISHED, "source", "what is known of the protocol")
CAPTION = (
    "95 % intervals in brackets: Wilson where every item has a story of its own, else a bootstrap over stories. "
    "The test is McNemar's, exact and two-sided, on the items both runs answered: newly right, newly wrong."
)


def markdown(columns: Sequence[Column]) -> str:
    """The table and, apart from it, the published figures."""
    header, rows = table(columns)
    parts = ["# Evaluation", _markdown_table(header, rows), CAPTION]
    if told := published(columns):
        parts += [f"## {AS_PUBLISHED.capitalize()}", _markdown_table(CONTEXT, told)]
    return "\n\n".join(parts) + "\n"


def _markdown_table(header: Row, rows: Iterable[Row]) -> str:
    told = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in told)


STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{border-bottom:1px solid #bbb;padding:.35rem .7rem;text-align:left}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#eee}}"
)


def web_page(columns: Sequence[Column]) -> str:
    """The same as a page of its own; every text is escaped."""
    header, rows = table(columns)
    parts = [_html_table("Evaluation", header, rows), f"<p>{html.escape(CAPTION)}</p>"]
    if told := published(columns):
        parts.append(_html_table(AS_PUBLISHED.capitalize(), CONTEXT, told))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}</html>\n'
    )


def _html_table(title: str, header: Row, rows: Iterable[Row]) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h1>{html.escape(title)}</h1>\n<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def write_tables(folder: Path, columns: Sequence[Column]) -> list[Path]:
    """`table.md` and `table.html` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_atomic(folder / "table.md", markdown(columns)),
        write_atomic(folder / "table.html", web_page(columns)),
    ]
