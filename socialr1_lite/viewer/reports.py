"""The benchmarks page: evaluation/*.json of a run, read as written and checked as foreign."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query

Json = dict[str, Any]

VERSION = 1
MOST_BYTES = 20_000_000


def benchmarks(library: Library, query: Query) -> Json:
    """Every readable report; what cannot be read is told, not hidden."""
    run = library.run(query.text("run"))
    query.done()
    index = run.index()
    with_traces = set(index.figures.facets({"phase": "eval"})["benchmark"])
    reports, notices = [], []
    for path in sorted(run.folder.evaluation.glob("*.json")) if run.folder.evaluation.is_dir() else []:
        try:
            report = read_report(path)
            reports.append(report | {"has_traces": report["benchmark"] in with_traces})
        except ValueError as wrong:
            notices.append(f"{path.name}: {wrong}")
    return {
        "reports": reports,
        "notices": notices,
        "command": f"python -m socialr1_lite.evaluate {run.folder.path} --benchmarks simpletom",
    }


def read_report(path: Path) -> Json:
    """A report as the page draws it. Raises ValueError saying what is wrong with the file."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("too large for a report")
    try:
        told = json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("no JSON; it may still be being written") from None
    if not isinstance(told, dict):
        raise ValueError("no report")
    if told.get("version") != VERSION:
        raise ValueError(f"version {str(told.get('version'))[:20]}; this viewer reads version {VERSION}")
    return {
        "benchmark": str(told.get("benchmark") or path.stem),
        "facts": list(_facts(told)),
        "metrics": [metric(name, one) for name, one in _mapping(told.get("metrics")).items()],
        "groups": [
            {"name": str(name), "rows": [metric(label, one) for label, one in _mapping(rows).items()]}
            for name, rows in _mapping(told.get("groups")).items()
        ],
        "published": [
            {
                "label": str(row.get("label", "")),
                "value": share(row.get("value")),
                "source": str(row.get("source") or ""),
                "protocol": str(row.get("protocol") or ""),
            }
            for row in told.get("published") or []
            if isinstance(row, Mapping)
        ],
        "source": _source(_mapping(told.get("source"))),
    }


def metric(name: Any, told: Any) -> Json:
    """One figure with its interval; None where the report gives none."""
    one = _mapping(told)
    n = one.get("n")
    return {
        "name": str(name).replace("_", " "),
        "value": share(one.get("value")),
        "low": share(one.get("low")),
        "high": share(one.get("high")),
        "n": n if isinstance(n, int) else None,
        "official": bool(one.get("official", True)),
    }


def share(value: Any) -> float | None:
    """A number as a share; None for anything else."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _facts(told: Mapping[str, Any]) -> list[str]:
    facts = []
    for name, words in (
        ("n", "{} items"),
        ("adapter_step", "adapter of step {}"),
        ("prompt_style", "prompt {}"),
        ("unreadable", "{} unreadable"),
        ("truncated", "{} cut off"),
    ):
        if isinstance(told.get(name), (int, str)) and told.get(name) not in ("", None):
            facts.append(words.format(str(told[name])[:60]))
    return facts


def _source(told: Mapping[str, Any]) -> str:
    files = [
        f"{file.get('name', '')} ({str(file.get('sha256', ''))[:12]})"
        for file in told.get("files") or []
        if isinstance(file, Mapping)
    ]
    return " · ".join([*files, *([f"licence {told['licence']}"] if told.get("licence") else [])])
