"""The curves of a run: what people look at to see whether GRPO learns, as specifications that the page draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from socialr1_lite.rewards.monitors import MONITOR, PAID
from socialr1_lite.rollouts.reward import COMPONENTS, ZERO_VARIANCE_REASONS
from socialr1_lite.runlog import RunFolder, read_metrics
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.sip import STAGES, TITLES
from socialr1_lite.statistics import wilson
from socialr1_lite.viewer.chance import Chance, chance_among
from socialr1_lite.viewer.serving import Json, JsonValue
from socialr1_lite.viewer.words import percent

Point = list[Any]  # [step, value, ...]; None where there is none

MOST_POINTS = 400  # a curve; the page draws more no better, and slower
SMOOTHED_FROM = 12  # points: fewer are shown as they are
TRAIN = {"phase": "train"}
SHARE: Json = {"percent": True, "range": [0, 1]}  # a chart of shares
METRICS = (  # name in metrics.jsonl, title, unit
    ("entropy", "Entropy", "nats a token"),
    ("grad_norm", "Gradient norm", ""),
    ("kl", "Divergence from the start", "KL"),
    ("step_time", "Time a step", "seconds"),
)
WANTED: dict[str, str | tuple[str, str]] = {
    "total": "total",
    "right": "right",
    "unreadable": ("outcome", "unreadable"),
    "truncated": "truncated",
    "early": "early",
    **{f"reward.{name}": f"reward.{name}" for name in COMPONENTS},
    **{f"stage.{stage}": (f"stage.{stage}", "present") for stage in STAGES},
}


def charts(folder: RunFolder, index: TraceIndex) -> list[Json]:
    """Return every chart of the overview, in reading order; those without anything to show are left out."""
    named = index.named()
    points = index.figures.means(WANTED | {f: f for f in named.values()}, TRAIN)
    groups = [point for point in index.figures.group_series(TRAIN) if point["groups"]]
    resumes = [one.start_step for one in folder.launches() if one.kind == "train" and one.start_step > 0]
    marks = [{"x": step, "label": "resumed"} for step in resumes]
    brought = [smoothed(name, line_of(points, field)) for name, field in named.items()]
    answers = [smoothed(name, line_of(points, name), tone=name) for name in ("right", "unreadable")]
    parts = [smoothed(info.title, line_of(points, f"reward.{name}")) for name, info in COMPONENTS.items()]
    kept = [smoothed(TITLES[stage], line_of(points, f"stage.{stage}"), stage=stage) for stage in STAGES]
    parasitism = [smoothed("an option is named too early", line_of(points, "early"), tone="wrong")]
    found = [
        reward(points, groups),
        spec(
            "accuracy", "Answers", "share of completions", answers, **SHARE, **chance_line(chance_among(index, TRAIN))
        ),
        informative(groups),
        spec("named", "Rewards of the file", "mean, as the file has them", brought),
        spec("components", "Components", "mean, before weights", parts, range=[0, 1]),
        lengths(index, points),
        spec("stages", "Stages", "share present and in place", kept, **SHARE),
        spec("early", "Early answers", "share of completions", parasitism, **SHARE),
        evaluations(index),
        *of_metrics(read_metrics(folder)),
    ]
    return [spec | {"marks": marks} for spec in found if spec is not None]


def chance_line(chance: Chance | None) -> Json:
    """Return the line that guessing would draw in a chart of right answers."""
    return {} if chance is None else {"limit": {"y": chance.mean, "label": chance.words}}


def line_of(points: Sequence[Json], name: str) -> list[Point]:
    """Return [[step, value]] of the steps that have one."""
    return [[point["step"], point[name]] for point in points if point[name] is not None]


def reward(points: Sequence[Json], groups: Sequence[Json]) -> Json | None:
    """Draw the mean reward with the spread inside groups, which is what GRPO learns from."""
    line = line_of(points, "total")
    spread = {point["step"]: point["sd"] for point in groups}
    band = [[x, y - sd, y + sd] if (sd := spread.get(x)) is not None else [x, None, None] for x, y in line]
    series = [smoothed("reward", line, tone="ink", band=band)]
    return spec("reward", "Reward", "mean; band: ± spread within a group", series)


def informative(groups: Sequence[Json]) -> Json | None:
    """Draw how many groups teach something, and why the others do not."""
    line = [[point["step"], 1 - point["flat"]] for point in groups]
    series = [smoothed("informative", line, tone="goal_clarification")]
    for reason in ZERO_VARIANCE_REASONS:
        line = [[point["step"], point["causes"].get(reason, 0.0)] for point in groups]
        if any(y for _, y in line):
            series.append(smoothed(reason, line))
    note = "A group whose completions all earn the same teaches nothing."
    return spec("informative", "Groups", "share of groups", series, note=note, **SHARE)


def lengths(index: TraceIndex, points: Sequence[Json]) -> Json | None:
    """Draw how long completions are, and how many ran into the limit."""
    by_step = index.figures.series("tokens", TRAIN, quantiles=(0.1, 0.5, 0.9))
    middle = [[point["step"], point["quantiles"][1]] for point in by_step]
    band = [[point["step"], point["quantiles"][0], point["quantiles"][2]] for point in by_step]
    series = [smoothed("tokens", middle, tone="cue_interpretation", band=band)]
    found = spec("lengths", "Length", "tokens: median; band: 10th to 90th percentile", series)
    cut = [y for _, y in line_of(points, "truncated")]
    if found is not None and any(cut):
        last, worst = f"{percent(cut[-1])}", f"{percent(max(cut))}"
        found["note"] = f"Cut at the limit: {last} of the last step's completions, {worst} at worst."
    return found


def evaluations(index: TraceIndex) -> Json | None:
    """Draw the accuracy on what was not trained on, with its 95 % interval."""
    series: list[Json] = []
    chances: dict[str, Chance | None] = {}
    for benchmark in index.figures.facets({"phase": "eval"})["benchmark"]:
        among: Json = {"phase": "eval", "benchmark": benchmark}
        points = index.figures.series("right", among)
        line = [[p["step"], p["mean"]] for p in points]
        band = [[p["step"], *wilson(round(p["mean"] * p["n"]), p["n"])[1:]] for p in points]
        if line:
            series.append({"name": benchmark or "held out", "points": line, "band": band, "dots": True})
            chances[str(benchmark) or "held out"] = chance_among(index, among)
    same = len({chance and chance.words for chance in chances.values()}) == 1
    guessed = chance_line(next(iter(chances.values()))) if same else told_apart(chances)
    return spec("evaluations", "Held-out accuracy", "band: 95 % interval", series, **SHARE, **guessed)


def told_apart(chances: Mapping[str, Chance | None]) -> Json:
    """Return in words what no one line can say: what guessing gets in each of several benchmarks."""
    words = [f"{name}: {chance.words}" for name, chance in chances.items() if chance is not None]
    return {"note": f"{'; '.join(words)}."} if words else {}


def of_metrics(metrics: Sequence[Json]) -> Iterable[Json | None]:
    """Draw what only the trainer knows, from metrics.jsonl."""

    def line_in(name: str) -> list[Point]:
        return [[row["step"], y] for row in metrics if (y := _number(row.get(name))) is not None]

    if watched := sorted({key for row in metrics for key in row if key.startswith(MONITOR)}):
        series = [
            smoothed("paid" if name == PAID else name[len(MONITOR) :], line_in(name)) for name in (PAID, *watched)
        ]
        yield spec("monitors", "Monitors", "mean score; never paid", series, range=[0, 1])
    for name, title, unit in METRICS:
        series = [smoothed(title.lower(), line_in(name), tone="response_generation")]
        yield spec(name, title, unit, series, still=True)


def spec(key: str, title: str, unit: str, series: list[Json], **more: str | bool | list[int] | Json) -> Json | None:
    """Return a chart, or None when there is nothing to draw in it."""
    drawn = [one for one in series if one["points"]]
    return {"key": key, "title": title, "unit": unit, "series": drawn, **more} if drawn else None


def smoothed(name: str, line: list[Point], *, band: list[Point] | None = None, **more: str) -> Json:
    """Return a series: thinned; with many points a running mean over the raw values, which stay visible underneath."""
    line, band = thinned(line), thinned(band) if band else None
    one: Json = {"name": name, "points": line, **more}
    if band:
        one["band"] = band
    if len(line) >= SMOOTHED_FROM:
        one["faint"], one["points"] = line, running_mean(line)
    return one


def running_mean(line: Sequence[Point]) -> list[Point]:
    """Return an exponential mean whose memory is a twelfth of the curve, unbiased at its start."""
    keep = max(0.0, 1.0 - SMOOTHED_FROM / max(len(line), SMOOTHED_FROM + 1))
    mean = weight = 0.0
    smooth = []
    for x, y in line:
        mean, weight = keep * mean + (1 - keep) * y, keep * weight + (1 - keep)
        smooth.append([x, mean / weight])
    return smooth


def thinned(line: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Return at most so many points: means over neighbouring steps, named after the last of them."""
    if len(line) <= most:
        return list(line)
    size = -(-len(line) // most)
    return [_mean_point(line[i : i + size]) for i in range(0, len(line), size)]


def _mean_point(points: Sequence[Point]) -> Point:
    columns = list(zip(*points, strict=True))[1:]
    known = [[y for y in column if y is not None] for column in columns]
    return [points[-1][0], *(sum(ys) / len(ys) if ys else None for ys in known)]


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
