"""The pages over whole runs: the list, the heartbeat, the overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from socialr1_lite.errors import RunLogError
from socialr1_lite.rewards.monitors import divergences
from socialr1_lite.runlog import read_metrics
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.query import Filter
from socialr1_lite.viewer.curves import charts
from socialr1_lite.viewer.library import LIVE_S, Library, OpenRun
from socialr1_lite.viewer.pages import listed, whole
from socialr1_lite.viewer.serving import Json, Query

RECENT = 10  # steps that count as "now"
TRAIN = {"phase": "train"}
PAID_WRONG = {"outcome": "wrong", "total": {"min": 0.05}}
EMPTY = "This run has written no completions so far. They appear here as soon as the first step is generated."
HINT = "Start one with `make train`, or open a folder of runs: python -m socialr1_lite.viewer FOLDER"
EXAMPLE_HINT = (
    "An example that comes with the project, made by the project itself. Your own runs appear here after `make train`."
)


def runs(library: Library, query: Query) -> Json:
    """Return every run, without opening its traces."""
    query.done()
    found = [_line(run) for run in library.runs()]
    return {"runs": found, "hint": EXAMPLE_HINT if library.example else HINT if not found else ""}


def _line(run: OpenRun) -> Json:
    line: Json = {"key": run.key, "label": run.label, "place": str(run.folder.path), "problem": None}
    try:
        state = run.folder.state()
    except RunLogError as error:
        return line | {"problem": str(error)}
    recipe = run.recipe()
    age = run.age_s()
    return line | {
        "status": state.get("status", ""),
        "step": state.get("step", 0),
        "max_steps": _inside(recipe, "grpo", "max_steps"),
        "model": _inside(recipe, "model", "name"),
        "age": age,
        "writing": state.get("status") == "running" and age is not None and age < LIVE_S,
    }


def _inside(tree: Json, section: str, name: str) -> str | int | float | None:
    found = tree.get(section)
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, (str, int, float)) else None


def pulse(library: Library, query: Query) -> Json:
    """Return whether a run is being written, and whether it grew; asked every few seconds."""
    run = library.run(query.text("run"))
    query.done()
    run.index()
    stamp, bounds = run.stamp(), run.remembered("bounds", TraceIndex.bounds)
    line = _line(run)
    return {
        "stamp": stamp,
        "rows": bounds["rows"],
        "step": max(bounds["last"], line.get("step", 0)),
        "age": line.get("age"),
        "writing": line.get("writing", False),
    }


def overview(library: Library, query: Query) -> Json:
    """Return the figures, the warnings, where to look first, and the curves."""
    run = library.run(query.text("run"))
    query.done()
    return run.remembered("overview", lambda index: _overview(run, index))


def _overview(run: OpenRun, index: TraceIndex) -> Json:
    line, stamp = _line(run), run.stamp()
    if line["problem"]:
        raise RunLogError(line["problem"])
    bounds, count, watched = index.bounds(), index.count(), divergences(read_metrics(run.folder))
    return {
        "stamp": stamp,
        "label": run.label,
        "subtitle": _subtitle(line, count),
        "facts": list(_facts(run)),
        "empty": "" if count else EMPTY,
        "tiles": list(_tiles(index, bounds)) if count else [],
        "alerts": [*_alerts(index, bounds), *({"text": one.words, "filter": one.steps} for one in watched)],
        "picks": list(_picks(index)) if count else [],
        "charts": charts(run.folder, index) if count else [],
    }


def _subtitle(line: Json, count: int) -> str:
    steps = f"step {line['step']} of {line['max_steps']}" if line["max_steps"] else f"step {line['step']}"
    parts = (line["model"], steps, line["status"], f"{count:,} completions".replace(",", " "))
    return " · ".join(str(part) for part in parts if part)


def _facts(run: OpenRun) -> Iterable[str]:
    recipe = run.recipe()
    wanted = (
        ("rewards", "mode", "{} rewards"),
        ("grpo", "num_generations", "{} a group"),
        ("grpo", "learning_rate", "lr {}"),
        ("grpo", "loss_type", "{}"),
    )
    for section, name, words in wanted:
        if (value := _inside(recipe, section, name)) is not None:
            yield words.format(value)


TILES = (  # label, field, whether it is a share
    ("Reward", "total", False),
    ("Right answers", "right", True),
    ("Format kept", "reward.format", True),
    ("Early answers", "early", True),
    ("Cut at the limit", "truncated", True),
    ("Tokens", "tokens", False),
)


def _tiles(index: TraceIndex, bounds: Json) -> Iterable[Json]:
    """Compare the first steps with the last in what training is for."""
    first, last = bounds["first"], bounds["last"]
    late = TRAIN | {"step": {"min": max(first, last - RECENT + 1), "max": last}}
    before = _means(index, TRAIN | {"step": {"min": first, "max": min(last, first + RECENT - 1)}})
    now = _means(index, late)
    for label, name, percent in TILES:
        if (value := now.get(name)) is not None:
            at_first = before.get(name)
            note = "" if at_first is None else f"{_shown(at_first, name, percent)} at first"
            yield {"label": label, "value": _shown(value, name, percent), "note": note}
    groups, flat, _ = _flat(index, late)
    if groups:
        note = f"last {min(RECENT, last - first + 1)} steps"
        yield {"label": "Groups that teach", "value": f"{100 * (1 - flat / groups):.0f} %", "note": note}


def _means(index: TraceIndex, conditions: Filter) -> Json:
    """Return the means of the tiles' fields over a filter; {} when nothing passes it."""
    rows = index.figures.means({name: name for _, name, _ in TILES}, conditions, by="phase")
    return rows[0] if rows else {}


def _shown(value: float, name: str, percent: bool) -> str:
    return f"{100 * value:.0f} %" if percent else f"{value:.0f}" if name == "tokens" else f"{value:.2f}"


def _alerts(index: TraceIndex, bounds: Json) -> Iterable[Json]:
    """Yield what somebody should know, in sentences, each with the completions that show it."""
    for notice in index.notices()[:3]:
        yield {"text": f"Skipped while reading: {notice}.", "filter": None}
    if n := bounds["superseded"]:
        text = f"{n} completions were made again after a resume; they are kept and not counted."
        yield {"text": text, "filter": {"superseded": "1"}}
    steps = {"from": max(bounds["first"], bounds["last"] - RECENT + 1), "to": bounds["last"]}
    late: Json = TRAIN | {"step": {"min": steps["from"], "max": steps["to"]}}
    if not (n := index.count(late)):
        return
    groups, flat, causes = _flat(index, late)
    if causes and flat > 0.8 * groups:
        share, cause = f"{100 * flat / groups:.0f} %", causes.most_common(1)[0][0]
        text = f"{share} of the last groups have no variance, most of them {cause}: nothing is learned from those."
        yield {"text": text, "filter": {**steps, "flat": "1"}}
    cut, early, bad = (
        index.count(late | signs) / n for signs in ({"truncated": True}, {"early": True}, {"reward.format": 0})
    )
    if cut > 0.1:
        text = f"{100 * cut:.0f} % of the last completions were cut at the token limit (grpo.max_completion_length)."
        yield {"text": text, "filter": {**steps, "truncated": "1"}}
    if early > 0.3:
        text = f"{100 * early:.0f} % of the last completions name an option before the reasoning is done."
        yield {"text": text, "filter": {**steps, "flag": "early_answer"}}
    if bad == 1:
        text = "None of the last completions passes the format gate: a warm-up or format.mode graded helps."
        yield {"text": text, "filter": {**steps, "flag": "bad_format"}}


def _flat(index: TraceIndex, conditions: Filter) -> tuple[int, float, Counter[str]]:
    """Return how many groups there are, how many of them teach nothing, and how many for which reason."""
    points = index.figures.group_series(conditions)
    causes: Counter[str] = Counter()
    for point in points:
        causes.update({cause: share * point["groups"] for cause, share in point["causes"].items()})
    return sum(point["groups"] for point in points), sum(point["flat"] * point["groups"] for point in points), causes


def _picks(index: TraceIndex) -> Iterable[Json]:
    """Yield a handful of completions worth opening first, each for a reason."""
    wanted: tuple[tuple[str, str, Json, str], ...] = (
        ("The best so far", "highest reward of the run", {"outcome": "right"}, "-total"),
        ("Paid, yet wrong", "highest reward among wrong answers", PAID_WRONG, "-total"),
        ("Right, hardly paid", "lowest reward among right answers", {"outcome": "right"}, "total"),
        ("Answer first", "names an option before reasoning", {"early": True}, "-time"),
        ("Cut off", "ran into the token limit", {"truncated": True}, "-time"),
        ("The very first", "where training began", {}, "time"),
    )
    phase: Json = TRAIN if index.count(TRAIN) else {}
    seen: set[int] = set()
    for title, why, conditions, sort in wanted:
        rows = index.page(phase | conditions, sort, 0, 1)
        if rows and rows[0]["id"] not in seen and len(seen) < 4:
            seen.add(rows[0]["id"])
            yield {"title": title, "why": why, **listed(*whole(index, rows[0]["id"]))}
