"""The pages over whole runs: the list, the heartbeat, the overview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from socialr1_lite.errors import RunLogError
from socialr1_lite.rewards.monitors import divergences
from socialr1_lite.runlog import read_metrics
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.query import Filter
from socialr1_lite.viewer.chance import answers, chance_among
from socialr1_lite.viewer.curves import charts
from socialr1_lite.viewer.filtering import HIGHLY_PAID
from socialr1_lite.viewer.hacks import PAID_WRONG, UNPAID_RIGHT
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.pages import listed, whole
from socialr1_lite.viewer.serving import Json, Query
from socialr1_lite.viewer.words import percent

RECENT = 10  # steps that count as "now"
TRAIN = {"phase": "train"}
ENOUGH_WRONG = 10  # answers: of fewer nothing is said
PAID_ALARM = 0.3  # of the wrong answers [ours]: more of them paid, and the overview says so
EMPTY = "This run has written no completions so far. They appear here as soon as the first step is generated."
HINT = "Start one with `make train`, or open a folder of runs: python -m socialr1_lite.viewer FOLDER"
EXAMPLE_HINT = (
    "An example that comes with the project, made by the project itself. Your own runs appear here after `make train`."
)


def runs(library: Library, query: Query) -> Json:
    """Return every run, without opening its traces."""
    query.done()
    found = [_line(run) for run in library.runs()]
    hint = EXAMPLE_HINT if library.example else HINT if not found else ""
    return {"runs": found, "hint": hint, "hidden": len(library.hidden())}


def take_off(library: Library, query: Query) -> Json:
    """Take a run off the list; return the list."""
    key = query.text("run")
    query.done()
    library.take_off(key)
    return runs(library, Query({}))


def bring_back(library: Library, query: Query) -> Json:
    """Show the hidden runs again; return the list."""
    query.done()
    library.bring_back()
    return runs(library, Query({}))


def _line(run: OpenRun) -> Json:
    line: Json = {"key": run.key, "label": run.label, "place": str(run.folder.path), "problem": None}
    line["imported"] = Library.is_imported(run.folder.path)
    try:
        state = run.folder.state()
    except RunLogError as error:
        return line | {"problem": str(error)}
    recipe = run.recipe()
    age, status = run.age_s(), str(state.get("status", ""))
    writing = status == "running" and age is not None and age < run.patience_s()
    if status == "running" and age is not None and not writing:
        status = f"silent for {age / 60:.0f} min: stopped, or one long step"
    return line | {
        "status": status,
        "step": state.get("step", 0),
        "max_steps": _inside(recipe, "grpo", "max_steps"),
        "model": _inside(recipe, "model", "name"),
        "age": age,
        "writing": writing,
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
        "status": line.get("status", ""),
    }


def overview(library: Library, query: Query) -> Json:
    """Return the figures, the warnings, where to look first, and the curves."""
    run = library.run(query.text("run"))
    query.done()
    line = _line(run)
    if line["problem"]:
        raise RunLogError(line["problem"])
    found = run.remembered("overview", lambda index: _overview(run, index))
    return found | {"status": line["status"], "subtitle": _subtitle(line, found["count"])}


def _overview(run: OpenRun, index: TraceIndex) -> Json:
    """Return what only new rows change; whether the run is silent by now is none of it."""
    stamp = run.stamp()
    bounds, count, watched = index.bounds(), index.count(), divergences(read_metrics(run.folder))
    said = answers(index, _late(bounds)) if count else {"alerts": []}
    guessed = [{"text": text, "filter": _late_steps(bounds) | {"phase": "train"}} for text in said["alerts"]]
    return {
        "stamp": stamp,
        "label": run.label,
        "count": count,
        "facts": list(_facts(run)),
        "empty": "" if count else EMPTY,
        "tiles": list(_tiles(index, bounds)) if count else [],
        "answers": said,
        "alerts": [*_alerts(index, bounds), *guessed, *({"text": one.words, "filter": one.steps} for one in watched)],
        "picks": list(_picks(index)) if count else [],
        "charts": charts(run.folder, index) if count else [],
    }


def _late_steps(bounds: Json) -> Json:
    return {"from": max(bounds["first"], bounds["last"] - RECENT + 1), "to": bounds["last"]}


def _late(bounds: Json) -> Json:
    """Return the filter of the last steps."""
    steps = _late_steps(bounds)
    return TRAIN | {"step": {"min": steps["from"], "max": steps["to"]}}


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


SHOWING: dict[str, Json] = {  # field -> the filter or sorting that shows what its tile counts
    "total": {"sort": "-total"},
    "right": {"outcome": "right"},
    "reward.format": {"format_min": 1},
    "early": {"flag": "early_answer"},
    "truncated": {"truncated": "1"},
    "tokens": {"sort": "-tokens"},
}


def _tiles(index: TraceIndex, bounds: Json) -> Iterable[Json]:
    """Compare the first steps with the last in what training is for; the two never share a step."""
    first, last = bounds["first"], bounds["last"]
    size = min(RECENT, (last - first + 1) // 2)
    steps, late = _late_steps(bounds), _late(bounds)
    note = f"the last {steps['to'] - steps['from'] + 1} steps"
    before: Json = {}
    if size:
        steps = {"from": last - size + 1, "to": last}
        late = TRAIN | {"step": {"min": steps["from"], "max": last}}
        before = _means(index, TRAIN | {"step": {"min": first, "max": first + size - 1}})
        note = f"steps {steps['from']} to {last}; at first: {first} to {first + size - 1}"
    now, chance = _means(index, late), chance_among(index, late)
    among = {**steps, "phase": "train"}
    for label, name, is_share in TILES:
        if (value := now.get(name)) is not None:
            notes = [] if before.get(name) is None else [f"{_shown(before[name], name, is_share)} at first"]
            notes += [chance.words] if name == "right" and chance is not None else []
            shown = _shown(value, name, is_share)
            yield {"label": label, "value": shown, "note": "; ".join(notes), "filter": among | SHOWING.get(name, {})}
    groups, flat, _ = _flat(index, late)
    if groups:
        share = f"{percent(1 - flat / groups)}"
        yield {"label": "Groups that teach", "value": share, "note": note, "filter": among | {"flat": "0"}}


def _means(index: TraceIndex, conditions: Filter) -> Json:
    """Return the means of the tiles' fields over a filter; {} when nothing passes it."""
    rows = index.figures.means({name: name for _, name, _ in TILES}, conditions, by="phase")
    return rows[0] if rows else {}


def _shown(value: float, name: str, is_share: bool) -> str:
    return percent(value) if is_share else f"{value:.0f}" if name == "tokens" else f"{value:.2f}"


def _alerts(index: TraceIndex, bounds: Json) -> Iterable[Json]:
    """Yield what somebody should know, in sentences, each with the completions that show it."""
    for notice in index.notices()[:3]:
        yield {"text": f"Skipped while reading: {notice}.", "filter": None}
    if n := bounds["superseded"]:
        text = f"{n} completions were made again after a resume; they are kept and not counted."
        yield {"text": text, "filter": {"superseded": "1"}}
    steps, late = _late_steps(bounds), _late(bounds)
    if not (n := index.count(late)):
        return
    groups, flat, causes = _flat(index, late)
    if causes and flat > 0.8 * groups:
        share, cause = f"{percent(flat / groups)}", causes.most_common(1)[0][0]
        text = f"{share} of the last groups have no variance, most of them {cause}: nothing is learned from those."
        yield {"text": text, "filter": {**steps, "flat": "1"}}
    cut, early, bad = (
        index.count(late | signs) / n for signs in ({"truncated": True}, {"early": True}, {"reward.format": 0})
    )
    wrong, paid = index.figures.numbers([{"outcome": "wrong"}, PAID_WRONG], late)
    if wrong >= ENOUGH_WRONG and paid > PAID_ALARM * wrong:
        text = (
            f"{paid} of the last {wrong} wrong answers earned at least {percent(HIGHLY_PAID)} of the most that a "
            "wrong answer can: the process is paid although the answer is wrong."
        )
        yield {"text": text, "filter": {**steps, "phase": "train", "flag": "paid_yet_wrong"}}
    if cut > 0.1:
        text = f"{percent(cut)} of the last completions were cut at the token limit (grpo.max_completion_length)."
        yield {"text": text, "filter": {**steps, "truncated": "1"}}
    if early > 0.3:
        text = f"{percent(early)} of the last completions name an option before the reasoning is done."
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
        ("Paid, yet wrong", "earned most of what a wrong answer can", PAID_WRONG, "-paid_wrong"),
        ("Right, yet unpaid", "earned less than a wrong answer can", UNPAID_RIGHT, "total"),
        ("Early answer", "names an option before reasoning", {"early": True}, "-time"),
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
