"""Reports: one JSON file a benchmark, and a table that puts runs side by side with paired tests.

`evaluation/<benchmark>.json`, version 1, is read by the viewer. Beside it lies `<benchmark>.items.jsonl` with the
headline metric's value for each item and the story it belongs to, which is what paired tests need.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from socialr1_lite.benchmarks.base import Benchmark, Loaded, Scores
from socialr1_lite.errors import DataError
from socialr1_lite.redaction import redact
from socialr1_lite.runlog import lines, write_atomic, write_json
from socialr1_lite.statistics import Tally, Unit, interval, paired_by_cluster

REPORT_VERSION = 1
AS_PUBLISHED = "as published, other protocol"


class Figure(TypedDict):
    """A metric with its 95 % interval. n: the number of things counted. official: is it the authors' own metric?"""

    value: float
    low: float
    high: float
    n: int
    official: bool


class Source(TypedDict):
    """Where the questions came from."""

    files: list[dict[str, str | int]]
    licence: str
    url: str


class Extra(TypedDict, total=False):
    """What only some reports say: shortcut diagnostics, and how SOTOPIA's episodes went."""

    diagnostics: dict[str, Figure]
    episodes: int
    unjudged: int
    unjudged_why: list[str]
    endings: dict[str, int]


class Provenance(TypedDict):
    """What a report says of how its replies came about. n: items; replies: how many were read for them.

    unreadable: replies that ended by themselves and gave no answer. truncated: cut off at the token limit, with or
    without an answer. failed: an endpoint gave none. The three do not overlap with each other.
    """

    model: str
    adapter_step: int | None
    recipe_sha256: str
    prompt_style: str
    sampling: dict[str, float]
    seed: int
    n: int
    replies: int
    unreadable: int
    truncated: int
    failed: int  # not in the earliest reports
    cut_thinking: int  # of the truncated: those whose thinking had not ended; not in earlier reports
    seconds: float
    backend: str
    players: dict[str, str]
    usage: dict[str, float]


class Report(Provenance, Extra):
    """The contents of `evaluation/<benchmark>.json`: `Provenance`, the figures and where the questions came from."""

    version: int
    benchmark: str
    source: Source
    headline: str
    metrics: dict[str, Figure]
    groups: dict[str, dict[str, Figure]]
    published: list[dict[str, str | float]]  # the fields of `benchmarks.base.Published`
    notes: list[str]


def build(benchmark: Benchmark, loaded: Loaded, scores: Scores, provenance: Provenance, extra: Extra) -> Report:
    """Return the report as JSON-ready values, intervals computed."""
    return {
        "version": REPORT_VERSION,
        "benchmark": benchmark.name,
        "source": {
            "files": [asdict(file) for file in loaded.files],
            "licence": benchmark.licence,
            "url": benchmark.source,
        },
        **provenance,
        "headline": scores.headline,
        "metrics": {name: figure(tally) for name, tally in scores.metrics.items()},
        "groups": {
            name: {label: figure(tally) for label, tally in group.items()} for name, group in scores.groups.items()
        },
        "published": [asdict(one) for one in benchmark.published],
        "notes": list(loaded.notes),
        **extra,
    }


def figure(tally: Tally) -> Figure:
    """Return a metric with its 95 % interval and the number of things counted."""
    found = interval(tally)
    return Figure(value=found.value, low=found.low, high=found.high, n=len(tally.units), official=tally.official)


def write(folder: Path, report: Report, scores: Scores) -> Path:
    """Write report and items, each in one move; return the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = report["benchmark"]
    head = scores.metrics.get(scores.headline)
    rows = [{"key": unit.key, "value": unit.value, "cluster": unit.cluster} for unit in head.units] if head else []
    write_atomic(folder / f"{name}.items.jsonl", lines.encode(rows))
    return write_json(folder / f"{name}.json", dict(report))


class Column(NamedTuple):
    """One evaluated run: its name, its reports by benchmark, and the headline metric's units by benchmark and key.

    A unit's cluster is its story; "" in files written before they were kept.
    """

    name: str
    reports: Mapping[str, Report]
    items: Mapping[str, Mapping[str, Unit]]


def read(folder: Path) -> Column:
    """Read the reports of an evaluation folder, or of the run folder it lies in.

    Raises DataError when there are none, or one is no JSON.
    """
    inner = folder / "evaluation" if (folder / "evaluation").is_dir() else folder
    reports: dict[str, Report] = {}
    for path in sorted(inner.glob("*.json")):
        try:
            report = json.loads(path.read_text("utf-8"))
            if isinstance(report, dict) and report.get("version") == REPORT_VERSION and "metrics" in report:
                _check_types(report)
                reports[report["benchmark"]] = cast(Report, report)
        except (ValueError, RecursionError):
            raise DataError(f"{path}: is not JSON") from None
        except (KeyError, TypeError, AttributeError):
            raise DataError(f"{path}: is no report as `evaluate` writes it; remove it") from None
    if not reports:
        raise DataError(f"{folder}: no evaluation reports there")
    items = {
        name: {
            row["key"]: Unit(row["key"], str(row.get("cluster", "")), float(row["value"]))
            for row in lines.read_rows(inner / f"{name}.items.jsonl")
            if isinstance(row.get("key"), str) and isinstance(row.get("value"), (int, float))
        }
        for name in reports
        if (inner / f"{name}.items.jsonl").is_file()
    }
    return Column(folder.resolve().name, reports, items)


def _check_types(report: dict[str, Any]) -> None:
    """Raise KeyError, TypeError, ValueError or AttributeError for a report that the table could not show."""
    if not (isinstance(report["benchmark"], str) and isinstance(report["headline"], str)):
        raise TypeError
    for shown in report["metrics"].values():
        "{:f}{:f}{:f}{:d}".format(*(shown[name] for name in ("value", "low", "high", "n")))
    for one in report.get("published", ()):
        "{:f}".format(one["value"]), one["label"], one["source"], one["protocol"]


# ------------------------------------------------------------------------------------------------ the table

Cells = tuple[str, ...]


def table(columns: Sequence[Column]) -> tuple[Cells, list[Cells]]:
    """Return header and rows: a row for each benchmark's headline, a cell for each run, tests against the first."""
    names = sorted({name for column in columns for name in column.reports})
    tests = [f"{other.name} against {columns[0].name}" for other in columns[1:]]
    header = ("benchmark", "metric", *(column.name for column in columns), *tests)
    rows = []
    for name in names:
        reports = [column.reports.get(name) for column in columns]
        metric = next(str(report["headline"]) for report in reports if report)
        cells = [_cell(report, metric) for report in reports]
        rows.append((name, metric, *cells, *(_paired(columns[0], other, name) for other in columns[1:])))
    return header, rows


def _cell(report: Report | None, metric: str) -> str:
    if report is None or metric not in report["metrics"]:
        return "-"
    shown = report["metrics"][metric]
    text = f"{shown['value']:.3f} [{shown['low']:.3f}, {shown['high']:.3f}] n={shown['n']}"
    spoilt = {name: report.get(name, 0) for name in ("unreadable", "truncated", "failed")}
    return text + "".join(f", {count} {name}" for name, count in spoilt.items() if count)


def _paired(first: Column, other: Column, name: str) -> str:
    """Test on the items that both answered, by story; only where the headline is right or wrong."""
    a, b = first.items.get(name, {}), other.items.get(name, {})
    shared = [key for key in a if key in b]
    if not shared or not {one.value for one in (*a.values(), *b.values())} <= {0.0, 1.0}:
        return "-"
    stories = [a[key].cluster or b[key].cluster for key in shared]
    found = paired_by_cluster(
        [a[key].value == 1 for key in shared],
        [b[key].value == 1 for key in shared],
        [story or f"item {key}" for key, story in zip(shared, stories, strict=True)],
    )
    stories_word = "story" if found.clusters == 1 else "stories"
    counted = f" in {found.clusters} {stories_word}" if found.clusters < found.n else ""
    unknown = "" if all(stories) else " (stories not stored: items counted as independent)"
    return f"+{found.only_second} -{found.only_first} of {found.n}{counted}, p={found.p:.2g}{unknown}"


def published(columns: Sequence[Column]) -> list[Cells]:
    """Return the published figures of the benchmarks shown, each with what is known of its protocol."""
    reports = {name: report for column in columns for name, report in column.reports.items()}
    return [
        (name, str(one["label"]), f"{one['value']:.4g}", str(one["source"]), str(one["protocol"]))
        for name in sorted(reports)
        for one in reports[name].get("published", ())
    ]


CONTEXT = ("benchmark", "model", AS_PUBLISHED, "source", "what is known of the protocol")
CAPTION = (
    "95 % intervals in brackets: Wilson where every item has a story of its own, else a bootstrap over stories. "
    "The test is exact and two-sided, on the items both runs answered: newly right, newly wrong. It flips the sign of "
    "whole stories; where every item has a story of its own it is McNemar's."
)


def markdown(columns: Sequence[Column]) -> str:
    """Return the table and, apart from it, the published figures."""
    header, rows = table(columns)
    parts = ["# Evaluation", _markdown_table(header, rows), CAPTION]
    if context := published(columns):
        parts += [f"## {AS_PUBLISHED.capitalize()}", _markdown_table(CONTEXT, context)]
    return "\n\n".join(parts) + "\n"


def _markdown_table(header: Cells, rows: Iterable[Cells]) -> str:
    ruled = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in ruled)


STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{border-bottom:1px solid #bbb;padding:.35rem .7rem;text-align:left}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#eee}}"
)


def web_page(columns: Sequence[Column]) -> str:
    """Return the same as a page of its own; every text is escaped."""
    header, rows = table(columns)
    parts = [_html_table("Evaluation", header, rows), f"<p>{html.escape(CAPTION)}</p>"]
    if context := published(columns):
        parts.append(_html_table(AS_PUBLISHED.capitalize(), CONTEXT, context))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}</html>\n'
    )


def _html_table(title: str, header: Cells, rows: Iterable[Cells]) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h1>{html.escape(title)}</h1>\n<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def write_tables(folder: Path, columns: Sequence[Column]) -> None:
    """Write `table.md` and `table.html` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "table.md", redact(markdown(columns)))
    write_atomic(folder / "table.html", redact(web_page(columns)))
