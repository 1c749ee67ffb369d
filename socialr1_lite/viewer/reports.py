"""The benchmarks page: evaluation/*.json of a run, read as written and checked as foreign."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.viewer.chance import answers
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Json, JsonValue, Query

VERSION = 1
MOST_BYTES = 20_000_000


def benchmarks(library: Library, query: Query) -> Json:
    """Return every readable report; what cannot be read is named, not hidden."""
    run = library.run(query.text("run"))
    query.done()
    index = run.index()
    with_traces = set(map(str, index.figures.facets({"phase": "eval"})["benchmark"]))
    reports, notices = [], []
    for path in sorted(run.folder.evaluation.glob("*.json")) if run.folder.evaluation.is_dir() else []:
        try:
            report = read_report(path)
            name = report["benchmark"]
            among: Json = {"phase": "eval", "benchmark": name}
            there = name in with_traces
            said = run.remembered(f"answers {name}", partial(answers, where=among)) if there else {}
            reports.append(report | {"has_traces": there, "answers": said})
        except ValueError as error:
            notices.append(f"{path.name}: {error}")
    reported = {report["benchmark"] for report in reports}
    return {
        "reports": reports,
        "checks": [_check(index, name) for name in sorted(with_traces - reported)],
        "notices": notices,
        "command": f"python -m socialr1_lite.evaluate {run.folder.path} --benchmarks simpletom",
    }


def _check(index: TraceIndex, benchmark: str) -> Json:
    """Return what a check during training found at its latest step, which has no report."""
    (*_, last) = index.figures.series("step", {"phase": "eval", "benchmark": benchmark})
    among: Json = {"phase": "eval", "benchmark": benchmark, "step": last["step"]}
    known = index.figures.numbers([{"right": True}, {"right": False}], among)
    told = f"{known[0]} of {sum(known)} right" if sum(known) else f"{last['n']} completions"
    shown = {"phase": "eval", "from": last["step"], "to": last["step"]} | (
        {"benchmark": benchmark} if benchmark else {}
    )
    return {"name": benchmark or "held out", "step": last["step"], "told": told, "filter": shown}


def read_report(path: Path) -> Json:
    """Read a report as the page draws it. Raises ValueError saying what is wrong with the file."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("too large for a report")
    try:
        report = json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("no JSON; it may still be being written") from None
    if not isinstance(report, dict):
        raise ValueError("no report")
    if report.get("version") != VERSION:
        raise ValueError(f"version {str(report.get('version'))[:20]}; this viewer reads version {VERSION}")
    return {
        "benchmark": str(report.get("benchmark") or path.stem),
        "facts": _facts(report),
        "metrics": [metric(name, one) for name, one in _mapping(report.get("metrics")).items()],
        "groups": [
            {"name": str(name), "rows": [metric(label, one) for label, one in _mapping(rows).items()]}
            for name, rows in _mapping(report.get("groups")).items()
        ],
        "published": [
            {"label": str(row.get("label", "")), "value": share(row.get("value"))}
            | {name: str(row.get(name) or "") for name in ("source", "protocol")}
            for row in _rows(report.get("published"))
        ],
        "source": _source(_mapping(report.get("source"))),
    }


def metric(name: str, stored: JsonValue) -> Json:
    """Return one figure with its interval; None where the report gives none."""
    one = _mapping(stored)
    n = one.get("n")
    return {
        "name": str(name).replace("_", " "),
        **{end: share(one.get(end)) for end in ("value", "low", "high")},
        "n": n if isinstance(n, int) else None,
        "official": one["protocol"] == "official" if "protocol" in one else bool(one.get("official", True)),
    }


def share(value: JsonValue) -> float | None:
    """Return a number as a share; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _mapping(value: JsonValue) -> Json:
    return value if isinstance(value, dict) else {}


def _rows(value: JsonValue) -> list[Json]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _facts(report: Json) -> list[str]:
    wanted = (
        ("n", "{} items"),
        ("adapter_step", "adapter of step {}"),
        ("prompt_style", "prompt {}"),
        ("unreadable", "{} unreadable"),
        ("truncated", "{} cut off"),
    )
    known = [(words, report.get(name)) for name, words in wanted]
    return [words.format(str(fact)[:60]) for words, fact in known if isinstance(fact, (int, str)) and fact != ""]


def _source(source: Json) -> str:
    files = [f"{file.get('name', '')} ({str(file.get('sha256', ''))[:12]})" for file in _rows(source.get("files"))]
    return " · ".join([*files, *([f"licence {source['licence']}"] if source.get("licence") else [])])
