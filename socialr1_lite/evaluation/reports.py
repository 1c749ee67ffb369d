"""Reports: one JSON file a benchmark.

`evaluation/<benchmark>.json`, version 1, is read by the viewer. Beside it lies `<benchmark>.items.jsonl` with the
headline metric's value for each thing it counts, its story and its question, which is what paired tests need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from socialr1_lite.benchmarks.base import Benchmark, Loaded, Scores
from socialr1_lite.errors import DataError
from socialr1_lite.evaluation.items import Asked, ItemRow, decoded, encoded, rows_of
from socialr1_lite.runlog import lines, write_atomic, write_json
from socialr1_lite.statistics import Tally, interval, over_seeds

REPORT_VERSION = 1


class Figure(TypedDict):
    """A metric with its 95 % interval. n: the number of things counted. protocol: "official" or "own".

    Official is the authors' own metric under their own protocol. Earlier reports say instead whether it is the metric
    of the authors (`official`), whatever the protocol.
    low, high: None where nothing can be said of it.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    protocol: str


class Source(TypedDict):
    """Where the questions came from."""

    files: list[dict[str, str | int]]
    licence: str
    url: str


class SeedSpread(TypedDict):
    """A headline by the seed of its draw, their mean and its standard error."""

    values: dict[str, float]
    mean: float
    error: float | None


class Extra(TypedDict, total=False):
    """What only some reports say: shortcut diagnostics, and how SOTOPIA's episodes went.

    Not in earlier reports: headlines (the headline metric of each language), questions (a digest of what was asked,
    whatever the files), prompt_sha256 (of the prompt's own words), training (a digest of the recipe but for its seed),
    train_seed, seeds (by headline, where there were several draws), not_sent (settings that the server does not take),
    protocol ("official" where the authors' prompt, sampling, order of options and reading are kept, else "own"),
    differs (what is not theirs), lenient (the metrics of what the replies settle on, whatever their form) and
    lenient_unreadable (how many settle on nothing).
    """

    headlines: dict[str, str]
    questions: str
    prompt_sha256: str
    training: str
    train_seed: int | None
    seeds: dict[str, SeedSpread]
    not_sent: list[str]
    diagnostics: dict[str, Figure]
    episodes: int
    unjudged: int
    unjudged_why: list[str]
    endings: dict[str, int]
    protocol: str
    differs: list[str]
    lenient: dict[str, Figure]
    lenient_unreadable: int


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
    low, high = (None if isnan(end) else end for end in (found.low, found.high))
    protocol = "official" if tally.official else "own"
    return Figure(value=found.value, low=low, high=high, n=len(tally.units), protocol=protocol)


def seed_spread(values: Mapping[str, float]) -> SeedSpread:
    """Return a headline's values by seed with their mean and standard error."""
    found = over_seeds(list(values.values()))
    return SeedSpread(values=dict(values), mean=found.mean, error=found.error)


def write(folder: Path, report: Report, scores: Scores, asked: Mapping[str, Asked] | None = None) -> Path:
    """Write report and items, each in one move; return the report's path. asked: by an answer's presentation."""
    folder.mkdir(parents=True, exist_ok=True)
    name = report["benchmark"]
    heads = [
        scores.metrics[one] for one in report.get("headlines", {"": scores.headline}).values() if one in scores.metrics
    ]
    rows = [encoded(row) for head in heads for row in rows_of(head, asked or {})]
    write_atomic(folder / f"{name}.items.jsonl", lines.encode(rows))
    return write_json(folder / f"{name}.json", dict(report))


class Column(NamedTuple):
    """One evaluated run: its name, its reports by benchmark, and what the headline metric counted, by benchmark."""

    name: str
    reports: Mapping[str, Report]
    items: Mapping[str, Sequence[ItemRow]]


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
        name: [row for line in lines.read_rows(inner / f"{name}.items.jsonl") if (row := decoded(line)) is not None]
        for name in reports
        if (inner / f"{name}.items.jsonl").is_file()
    }
    return Column(folder.resolve().name, reports, items)


def _check_types(report: dict[str, Any]) -> None:
    """Raise KeyError, TypeError, ValueError or AttributeError for a report that the table could not show."""
    if not (isinstance(report["benchmark"], str) and isinstance(report["headline"], str)):
        raise TypeError
    for shown in report["metrics"].values():
        "{:f}{:d}".format(shown["value"], shown["n"])
        for end in (shown["low"], shown["high"]):
            f"{0.0 if end is None else end:f}"
    for name in ("headlines", "seeds", "sampling", "players", "source", "groups", "lenient"):
        if not isinstance(report.get(name, {}), dict):
            raise TypeError
    texts = [report.get(name, "") for name in ("model", "training", "questions", "prompt_sha256")]
    if not all(isinstance(text, str) for text in (*texts, *report.get("headlines", {}).values())):
        raise TypeError
    if not all(isinstance(report.get(name), int | None) for name in ("seed", "train_seed")):
        raise TypeError
    for value in report.get("sampling", {}).values():
        f"{value:g}"
    for drawn in report.get("seeds", {}).values():
        len(drawn["values"]), f"{drawn['error'] or 0:f}"
    for one in (*report.get("source", {}).get("files", ()), *report.get("lenient", {}).values()):
        one.get("value")
    for one in report.get("published", ()):
        "{:f}".format(one["value"]), one["label"], one["source"], one["protocol"]
