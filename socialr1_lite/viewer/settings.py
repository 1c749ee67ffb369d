"""What a run was made with and on: recipe, trainer, environment; beside those of others; all runs as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from socialr1_lite.errors import RecipeError, RunLogError
from socialr1_lite.recipe import located_yaml
from socialr1_lite.redaction import redact_tree
from socialr1_lite.runlog import RunFolder, read_metrics
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.reports import read_report
from socialr1_lite.viewer.serving import BadRequest, Json, JsonValue, Query

MOST_RUNS = 8  # side by side
MOST_BYTES = 4_000_000  # of environment.json
ABSENT = "–"
RECENT = 10  # logged steps that count as a run's end
END = (  # metric, its title, whether it is a share
    ("reward", "Reward", False),
    ("outcome/right", "Right", True),
    ("reward/content", "Content", False),
    ("groups/informative", "Groups that teach", True),
    ("truncated", "Cut off", True),
    ("completions/mean_length", "Tokens", False),
    ("entropy", "Entropy", False),
)
MOST_SETTINGS = 12  # columns of the table: settings in which its runs differ, those of the recipe's order first
Flat = Mapping[str, str]  # dotted name -> value, as text


def settings(library: Library, query: Query) -> Json:
    """Return every setting and fact of a run, beside those of others; where they differ is marked."""
    keys = [query.text("run"), *values_of(query, "also")]
    query.done()
    if len(keys) > MOST_RUNS:
        raise BadRequest(f"at most {MOST_RUNS} runs are shown side by side")
    shown = [library.run(key) for key in dict.fromkeys(keys)]
    return {
        "runs": [{"key": run.key, "label": run.label} for run in library.runs()],
        "shown": [{"key": run.key, "label": run.label, "place": str(run.folder.path)} for run in shown],
        "sections": [
            {"title": title, "note": note, "rows": side_by_side([read(run.folder) for run in shown])}
            for title, note, read in SECTIONS
        ],
    }


def values_of(query: Query, name: str) -> list[str]:
    """Read several values a|b, written as those of a facet, each once; none where nothing was given."""
    return list(dict.fromkeys(unquote(one) for one in query.text(name).split("|") if one))


def differences(shown: Sequence[OpenRun]) -> list[Json]:
    """Return the settings of the recipe in which runs differ: name and values, in the order of the runs."""
    rows = side_by_side([recipe_of(run.folder) for run in shown])
    return [{"name": row["name"], "values": row["values"]} for row in rows if row["differs"]]


def side_by_side(found: Sequence[Flat]) -> list[Json]:
    """Return one row a name, in the order in which the names come up: the value of each, and whether they differ."""
    names = dict.fromkeys(name for one in found for name in one)
    rows = [(name, [one.get(name, ABSENT) for one in found]) for name in names]
    return [{"name": name, "values": values, "differs": len({*values}) > 1} for name, values in rows]


def flat(value: JsonValue, at: str = "") -> dict[str, str]:
    """Return the values of a tree by their dotted names, as texts; a list of plain values is one value."""
    if isinstance(value, dict) and value:
        return {k: v for name, one in value.items() for k, v in flat(one, f"{at}.{name}" if at else str(name)).items()}
    if isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        return {k: v for i, one in enumerate(value) for k, v in flat(one, f"{at}[{i}]").items()}
    if value is None or isinstance(value, (bool, dict)):
        return {at: {"None": "none", "True": "yes", "False": "no"}.get(str(value), ABSENT)} if at else {}
    return {at: ", ".join(map(str, value)) or ABSENT if isinstance(value, list) else str(value)}


def recipe_of(run: RunFolder) -> Flat:
    """Return the recipe's settings, {} where it cannot be read."""
    return _yaml(run.recipe)


def _effective(run: RunFolder) -> Flat:
    return _yaml(run.effective)


def _yaml(path: Path) -> Flat:
    try:
        return flat(redact_tree(dict(located_yaml.read(path).values)))  # under dotted names no secret is known
    except (RecipeError, OSError):
        return {}


def _environment(run: RunFolder) -> Flat:
    try:
        if run.environment.stat().st_size > MOST_BYTES:
            return {}
        return flat(redact_tree(json.loads(run.environment.read_text("utf-8"))))
    except (OSError, ValueError, RecursionError):
        return {}


def _launches(run: RunFolder) -> Flat:
    """Return when and how each launch began."""
    found: dict[str, str] = {}
    for one in run.launches():
        at = f"{one.kind} {one.number}"
        found |= {f"{at}, started": one.started, f"{at}, from step": str(one.start_step)}
        found |= {f"{at}, command": " ".join(one.command)}
    return found


SECTIONS: tuple[tuple[str, str, Callable[[RunFolder], Flat]], ...] = (
    ("Recipe", "recipe.yaml, after extends and overrides", recipe_of),
    ("What the trainer made of it", "effective.yaml", _effective),
    ("Environment", "environment.json: versions, device, revision, seed", _environment),
    ("Launches", "segments.jsonl: the first, and every resume", _launches),
)


def table(library: Library, query: Query) -> Json:
    """Return every run as a row: how it ended, its benchmarks, and the settings in which the runs differ."""
    query.done()
    runs = library.runs()
    settings = [recipe_of(run.folder) for run in runs]
    varied = [row["name"] for row in side_by_side(settings) if row["differs"]][:MOST_SETTINGS] if len(runs) > 1 else []
    rows = [_row(run, {name: one.get(name) for name in varied}) for run, one in zip(runs, settings, strict=True)]
    benchmarks = sorted({name for row in rows for name in row["benchmarks"]})
    ends = [one for one in END if any(row["ends"].get(one[0]) is not None for row in rows)]
    return {
        "rows": rows,
        "ends": [{"name": name, "title": title, "share": share} for name, title, share in ends],
        "benchmarks": benchmarks,
        "settings": varied,
        "recent": RECENT,
    }


def _row(run: OpenRun, settings: Mapping[str, str | None]) -> Json:
    row: Json = {"key": run.key, "label": run.label, "status": "", "step": None, "ends": {}, "benchmarks": {}}
    row |= {"settings": settings, "hours": None}
    try:
        state = run.folder.state()
    except RunLogError as error:
        return row | {"status": str(error)}
    metrics = run.folder.metrics
    stat = metrics.stat() if metrics.exists() else None
    ends, hours = _ends(metrics, stat.st_size, stat.st_mtime_ns) if stat else ({}, None)
    reports = dict(_benchmarks(run.folder))
    return row | {"status": state["status"], "step": state["step"], "ends": ends, "hours": hours, "benchmarks": reports}


@lru_cache(maxsize=64)
def _ends(path: Path, size: int, mtime_ns: int) -> tuple[Mapping[str, float], float | None]:
    """Return the mean of the last logged values of each metric, and the hours of training, of the file as it was."""
    rows = logged(RunFolder(path.parent))
    told = {name: [row[name] for row in rows if name in row][-RECENT:] for name, _, _ in END}
    hours = hours_of(rows)
    return {name: sum(some) / len(some) for name, some in told.items() if some}, hours[-1][1] if hours else None


def logged(run: RunFolder) -> list[Json]:
    """Return the rows of metrics.jsonl that count, without what is no number (a figure that was not finite)."""
    return [{name: value for name, value in row.items() if value is not None} for row in read_metrics(run)]


def hours_of(rows: Sequence[Json]) -> list[tuple[int, float]]:
    """Return (step, hours of training so far), all launches together; from the steps' own times where those are not."""
    timed = any("elapsed_s" in row for row in rows)
    found, before, last = [], 0.0, 0.0
    for row in rows:
        value = row.get("elapsed_s" if timed else "step_time")
        if value is not None:
            if not timed or value < last:  # another launch begins at nought
                before += last
            last = value
            found.append((row["step"], (before + value) / 3600))
    return found


def _benchmarks(run: RunFolder) -> Iterable[tuple[str, float]]:
    """Yield the first figure of each report that can be read."""
    for path in sorted(run.evaluation.glob("*.json")) if run.evaluation.is_dir() else []:
        try:
            report = read_report(path)
        except (ValueError, OSError):
            continue
        if report["metrics"] and (value := report["metrics"][0]["value"]) is not None:
            yield report["benchmark"], value
