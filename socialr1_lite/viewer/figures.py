"""Any figure over training: metrics by step, tokens or hours, split by kind of question, several runs in one."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from socialr1_lite.rewards.monitors import MONITOR, PAID
from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.query import Scalar
from socialr1_lite.sip import STAGES, TITLES
from socialr1_lite.viewer.chance import SPLITS, asked
from socialr1_lite.viewer.curves import WANTED, thinned
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.serving import BadRequest, Json, Query
from socialr1_lite.viewer.settings import differences, hours_of, logged, values_of

TRAIN: Json = {"phase": "train"}
MOST_POINTS = 4000  # of a line
MOST_METRICS, MOST_RUNS = 12, 8  # of one page
AXES = {"step": "step", "tokens": "tokens so far", "time": "hours of training"}
OF_COMPLETIONS = "completions:"  # in front of what is measured on the traces, not taken from metrics.jsonl
MEASURED: dict[str, tuple[str, str | tuple[str, Scalar]]] = {  # name -> title, what `Figures.means` is asked for
    "right": ("Right answers", WANTED["right"]),
    "total": ("Reward", "total"),
    "unreadable": ("Unreadable answers", WANTED["unreadable"]),
    "truncated": ("Cut at the limit", "truncated"),
    "early": ("Early answers", "early"),
    "tokens": ("Tokens a completion", "tokens"),
    **{f"reward.{name}": (info.title, f"reward.{name}") for name, info in COMPONENTS.items()},
    **{f"stage.{stage}": (f"{TITLES[stage]} in place", WANTED[f"stage.{stage}"]) for stage in STAGES},
}
SHARES = ("right", "unreadable", "truncated", "early", "stage.")  # of MEASURED, in percent
USUAL = (f"{OF_COMPLETIONS}right", f"{OF_COMPLETIONS}total")
NOT_METRICS = ("step", "segment", "superseded")
Line = list[list[float]]  # [[step, value]]


class Wanted(NamedTuple):
    """What a figure shows: metrics by name, the field that splits them ("": none), what x is."""

    metrics: list[str]
    split: str
    axis: str


def figures(library: Library, query: Query) -> Json:
    """Return every wanted metric of one or more runs as lines, what else there is, and how their recipes differ."""
    keys = [query.text("run"), *values_of(query, "also")]
    wanted = Wanted(
        values_of(query, "metric") or [*USUAL],
        query.choice("split", SPLITS),
        query.choice("x", tuple(AXES), "step"),
    )
    query.done()
    if len(keys) > MOST_RUNS or len(wanted.metrics) > MOST_METRICS:
        raise BadRequest(f"at most {MOST_RUNS} runs and {MOST_METRICS} metrics are drawn at once")
    shown = [library.run(key) for key in dict.fromkeys(keys)]
    logged = [run.remembered("metrics", _metrics_of) for run in shown]
    names = sorted({name for rows in logged for row in rows for name in row} - {*NOT_METRICS})
    known = [f"{OF_COMPLETIONS}{name}" for name in MEASURED] + names
    if unknown := [name for name in wanted.metrics if name not in known]:
        raise BadRequest(f"no run here has a metric {unknown[0][:80]!r}")
    split, axis = wanted.split, wanted.axis
    found = [
        {"run": run.key, "metric": name, "part": part, "points": placed(line, _places(run, rows, name, axis))}
        for run, rows in zip(shown, logged, strict=True)
        for name in wanted.metrics
        for part, line in _lines(run, rows, name, split)
    ]
    return {
        "stamp": shown[0].stamp(),
        "runs": [{"key": run.key, "label": run.label} for run in library.runs()],
        "shown": [{"key": run.key, "label": run.label} for run in shown],
        "metrics": [{"name": name, "title": title_of(name)} for name in known],
        "wanted": [{"name": name, "title": title_of(name), "share": is_share(name)} for name in wanted.metrics],
        "monitors": [PAID, *watched] if (watched := [name for name in names if name.startswith(MONITOR)]) else [],
        "axis": AXES[axis],
        "lines": [line for line in found if line["points"]],
        "notes": list(_notes(shown, logged, wanted)),
        "differences": differences(shown) if len(shown) > 1 else [],
    }


def title_of(name: str) -> str:
    """Return a metric's name on the page: in words where it is measured on completions, else as it was logged."""
    return MEASURED[name.removeprefix(OF_COMPLETIONS)][0] if name.startswith(OF_COMPLETIONS) else name


def is_share(name: str) -> bool:
    """Return whether a metric is shown in percent."""
    return name.startswith(OF_COMPLETIONS) and name.removeprefix(OF_COMPLETIONS).startswith(SHARES)


def _metrics_of(index: TraceIndex) -> list[Json]:
    return logged(index.run)


def _lines(run: OpenRun, rows: Sequence[Json], name: str, split: str) -> Iterable[tuple[str, Line]]:
    """Yield (part, line) of a metric; a logged metric has no parts."""
    if not name.startswith(OF_COMPLETIONS):
        yield "", [[row["step"], float(row[name])] for row in rows if name in row]
        return
    what = MEASURED[name.removeprefix(OF_COMPLETIONS)][1]
    if split:
        yield from run.remembered(f"split {split} {name}", partial(by_part, what=what, split=split))
    else:
        points = run.remembered(f"line {name}", partial(_means, what=what))
        yield "", [[point["step"], point["y"]] for point in points if point["y"] is not None]


def _means(index: TraceIndex, what: str | tuple[str, Scalar]) -> list[Json]:
    return index.figures.means({"y": what}, TRAIN)


def by_part(index: TraceIndex, what: str | tuple[str, Scalar], split: str) -> list[tuple[str, Line]]:
    """Return the mean of a field by step for each kind of question; those with most completions first."""
    known = asked(index.run)
    name, hit = what if isinstance(what, tuple) else (what, None)
    sums: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for scenario, step, value, n in index.figures.tally(("scenario", "step", name), TRAIN):
        if value is not None:
            kinds = known[scenario].kinds if scenario in known else {}
            cell = sums[kinds.get(split, "not stated")][step]
            cell[0] += n * (float(value) if hit is None else float(value == hit))
            cell[1] += n
    order = sorted(sums, key=lambda part: (-sum(n for _, n in sums[part].values()), part))
    return [(part, [[step, total / n] for step, (total, n) in sorted(sums[part].items())]) for part in order]


def placed(line: Line, places: Callable[[int], float | None]) -> list[list[float]]:
    """Return [[x, value, step]]: where each step lies on the axis; a step that lies nowhere on it is left out."""
    return [[x, y, step] for step, y in thinned(line, MOST_POINTS) if (x := places(int(step))) is not None]


def _places(run: OpenRun, rows: Sequence[Json], name: str, axis: str) -> Callable[[int], float | None]:
    """Return what finds a metric's steps on an axis. Of a step between two logged ones it is the earlier one's place.

    A completion of step s was made before optimizer step s + 1, the first that is logged with it.
    """
    if axis == "step":
        return float
    at = run.remembered(f"tokens {axis}", _tokens) if axis == "tokens" else []
    told = [*(tokens_of(rows) or at)] if axis == "tokens" else hours_of(rows)
    steps = [step - 1 if name.startswith(OF_COMPLETIONS) else step for step, _ in told]

    def place(step: int) -> float | None:
        found = bisect_right(steps, step)
        return told[found - 1][1] if found else None

    return place


def tokens_of(rows: Sequence[Json]) -> list[tuple[int, float]]:
    """Return (step, tokens of prompts and completions so far) as the trainer counted them."""
    return [(row["step"], float(row["num_tokens"])) for row in rows if "num_tokens" in row]


def _tokens(index: TraceIndex) -> list[tuple[int, float]]:
    """Return (step, tokens of completions so far) where the trainer counted none."""
    total, found = 0.0, []
    for point in index.figures.series("tokens", TRAIN):
        total += point["mean"] * point["n"]
        found.append((point["step"] + 1, total))
    return found


def _notes(shown: Sequence[OpenRun], logged: Sequence[Sequence[Json]], wanted: Wanted) -> Iterable[str]:
    """Yield what a reader of the figures has to know."""
    if wanted.split and any(not name.startswith(OF_COMPLETIONS) for name in wanted.metrics):
        yield "What metrics.jsonl holds is of whole steps and cannot be split; what is measured on completions can."
    if wanted.split and all(not asked(run.folder) for run in shown):
        yield "This run stores no scenarios: there is nothing to split by."
    counted = [bool(tokens_of(rows)) for rows in logged]
    if wanted.axis == "tokens" and not all(counted):
        which = "" if not any(counted) else " for runs whose trainer counted none"
        yield f"Tokens are those of the completions{which}: prompts are not among them."
    if wanted.axis == "time" and (
        none := [run.label for run, rows in zip(shown, logged, strict=True) if not hours_of(rows)]
    ):
        yield f"No times were logged in {', '.join(none)}."
