"""Reports: one JSON file a benchmark.

`evaluation/<benchmark>.json`, version 1, is read by the viewer. Beside it lies `<benchmark>.items.jsonl` with the
headline metric's value for each thing it counts, its story and its question, which is what paired tests need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from sys import float_info
from types import UnionType
from typing import NamedTuple, TypedDict, cast, get_args, get_origin, get_type_hints, is_typeddict

from socialr1_lite.benchmarks.base import Benchmark, Loaded, Scores
from socialr1_lite.errors import DataError
from socialr1_lite.evaluation.items import Asked, ItemRow, decoded, encoded, rows_of
from socialr1_lite.runlog import lines, write_atomic, write_json
from socialr1_lite.statistics import Interval, Tally, interval, over_seeds

REPORT_VERSION = 1


class Measured(TypedDict):
    """A metric with its 95 % interval. n: the number of things counted. low, high: None: nothing can be said of it."""

    value: float
    low: float | None
    high: float | None
    n: int


class Figure(Measured, total=False):
    """A metric and whose it is. protocol: "official" or "own".

    Official is the authors' own metric under their own protocol. Earlier reports say instead whether it is the metric
    of the authors (`official`), whatever the protocol.
    """

    protocol: str


class PublishedFigure(TypedDict):
    """`benchmarks.base.Published`."""

    label: str
    value: float
    source: str
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
    published: list[PublishedFigure]
    notes: list[str]


def build(
    benchmark: Benchmark,
    loaded: Loaded,
    scores: Scores,
    provenance: Provenance,
    extra: Extra,
    lenient: Mapping[str, Tally] | None = None,
) -> Report:
    """Return the report as JSON-ready values, each interval computed once. lenient: what replies settle on."""
    known: dict[object, Interval] = {}
    report: Report = {
        "version": REPORT_VERSION,
        "benchmark": benchmark.name,
        "source": {
            "files": [asdict(file) for file in loaded.files],
            "licence": benchmark.licence,
            "url": benchmark.source,
        },
        **provenance,
        "headline": scores.headline,
        "metrics": {name: figure(tally, known) for name, tally in scores.metrics.items()},
        "groups": {
            name: {label: figure(tally, known) for label, tally in group.items()}
            for name, group in scores.groups.items()
        },
        "published": [
            PublishedFigure(label=one.label, value=one.value, source=one.source, protocol=one.protocol)
            for one in benchmark.published
        ],
        "notes": list(loaded.notes),
        **extra,
    }
    if lenient:
        report["lenient"] = {name: figure(replace(one, official=False), known) for name, one in lenient.items()}
    return report


def figure(tally: Tally, known: dict[object, Interval] | None = None) -> Figure:
    """Return a metric with its 95 % interval and the number of things counted.

    known: intervals of the same report, which grows: where a reply is read alike by both readings, and a metric is one
    of a group's too, nothing is resampled again.
    """
    counted = tuple((one.cluster, one.value, *one.labels.items()) for one in tally.units)
    known = {} if known is None else known
    key = (tally.statistic, tally.proportion, counted)
    found = known[key] = known[key] if key in known else interval(tally)
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

    Raises DataError when there are none, or one is no JSON or of another form than `Report`.
    """
    inner = folder / "evaluation" if (folder / "evaluation").is_dir() else folder
    reports: dict[str, Report] = {}
    for path in sorted(inner.glob("*.json")):
        try:
            report = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError):
            raise DataError(f"{path}: is not JSON") from None
        if isinstance(report, dict) and report.get("version") == REPORT_VERSION and "metrics" in report:
            forms = get_type_hints(Report)
            wrong = [
                name for name, form in forms.items() if name in {*report, *NEEDED} and not _fits(report.get(name), form)
            ]
            if wrong:
                what = f"{wrong[0]}: {json.dumps(report.get(wrong[0]))[:60]}"
                raise DataError(f"{path}: is no report as `evaluate` writes it ({what}); remove it")
            reports[report["benchmark"]] = cast(Report, report)
    if not reports:
        raise DataError(f"{folder}: no evaluation reports there")
    items = {
        name: [row for line in lines.read_rows(inner / f"{name}.items.jsonl") if (row := decoded(line)) is not None]
        for name in reports
        if (inner / f"{name}.items.jsonl").is_file()
    }
    return Column(folder.resolve().name, reports, items)


NEEDED = frozenset({"benchmark", "headline", "metrics"})  # earlier reports may leave out the others


def _fits(value: object, form: object) -> bool:
    """Return whether a value from JSON is of a type as `Report` names them; finite numbers alone are numbers."""
    parts = get_args(form)
    if form is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= float_info.max
    if isinstance(form, UnionType):
        return any(_fits(value, part) for part in parts)
    if is_typeddict(form):
        hints = get_type_hints(form)
        return (
            isinstance(value, dict)
            and vars(form)["__required_keys__"] <= value.keys()
            and all(_fits(value[name], hint) for name, hint in hints.items() if name in value)
        )
    if get_origin(form) is dict:
        return isinstance(value, dict) and all(_fits(one, parts[1]) for one in value.values())
    if get_origin(form) is list:
        return isinstance(value, list) and all(_fits(one, parts[0]) for one in value)
    return isinstance(value, cast(type, form)) and not (isinstance(value, bool) and form is int)
