"""The hack board: where reward and merit part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import nextafter, sqrt

from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.query import Filter
from socialr1_lite.sip import STAGES
from socialr1_lite.viewer.filtering import FLAGS, HIGHLY_PAID, RANGES, steps
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.marks import WORD
from socialr1_lite.viewer.pages import listed, whole
from socialr1_lite.viewer.serving import Json, Query
from socialr1_lite.viewer.stage import read_reply
from socialr1_lite.viewer.words import percent

TRAIN: Json = {"phase": "train"}
LISTED = 8  # suspects a list
OPENING_WORDS = 5
OPENING_SAMPLE = 400  # the latest completions, whose openings are counted
OPENING_TIMES = 3  # an opening that comes back less often is no habit
BINS = 18
PROCESS_BINS = 5
OUTCOMES = ("right", "wrong", "unreadable")  # of which the process is counted
QUARTER = 0.25  # of the completions: what counts as much, and as little, of a component
PAID_WRONG, UNPAID_RIGHT = (
    {field: condition} for field, condition in (FLAGS["paid_yet_wrong"], FLAGS["right_yet_unpaid"])
)
ADDRESSES = {field: name for name, field in RANGES.items()}  # field -> the name of its range in the address


def hacks(library: Library, query: Query) -> Json:
    """Return what a model that works for the reward would do, and whether this one does, in a range of steps."""
    run = library.run(query.text("run"))
    among = TRAIN | steps(query)
    query.done()
    return run.remembered(f"hacks {among}", lambda index: _hacks(index, among))


def _hacks(index: TraceIndex, among: Json) -> Json:
    bounds, n = index.bounds(), index.count(among)
    chosen = {"first": bounds["first"], "last": bounds["last"]}
    if not n:
        return chosen | {"empty": "There is no training completion among these steps."}
    openings, sampled = _openings(index, among)
    return chosen | {
        "thresholds": thresholds(index, among),
        "tiles": list(_tiles(index, n, among)),
        "paid_wrong": _suspects(index, among | PAID_WRONG, "-paid_wrong"),
        "unpaid_right": _suspects(index, among | UNPAID_RIGHT, "paid_right"),
        "process": _process(index, among),
        "lengths": lengths(index.figures.tally(("tokens", "outcome"), among)),
        "correlation": _correlations(index, among),
        "openings": openings,
        "openings_note": (
            f"First {OPENING_WORDS} words of each stage in the latest {sampled} completions; "
            f"shown when at least {OPENING_TIMES} begin alike."
        ),
    }


def thresholds(index: TraceIndex, among: Filter) -> str:
    """Say what a wrong answer can earn under the weights of the latest completion, and from where it counts as paid."""
    score = index.get(index.page(among, "-time", 0, 1)[0]["id"]).score
    most = score.most_if_wrong
    if most <= 0:
        return "Under this run's weights a wrong answer earns nothing, whatever its process."
    weights = ", ".join(f"{name} {score.weights.get(name, 0.0):g}" for name in COMPONENTS)
    return (
        f"Under this run's weights ({weights}; {score.mode}) a wrong answer can earn {most:.2f} where τ is "
        f"{score.tau:.2f}, as now. Paid: it earned at least {percent(HIGHLY_PAID)} of that, at its own τ."
    )


def _tiles(index: TraceIndex, n: int, among: Json) -> Iterable[Json]:
    wrong, paid = index.figures.numbers([{"outcome": "wrong"}, PAID_WRONG], among)
    mean = index.figures.means({"share": "paid_wrong"}, among | {"outcome": "wrong"}, by="phase")
    note = f"of {wrong} wrong answers"
    if mean and mean[0]["share"] is not None:
        note += f"; on average {percent(mean[0]['share'])} of the most"
    yield {"label": "Paid, yet wrong", "value": f"{paid}", "note": note, "filter": {"flag": "paid_yet_wrong"}}
    labels = {
        "right_yet_unpaid": "Right, yet unpaid",
        "early_answer": "Early answers",
        "repeats_itself": "Loops",
        "stage_left_out": "Stage left out",
        "out_of_order": "Out of order",
    }
    counted = index.figures.numbers([{FLAGS[flag][0]: FLAGS[flag][1]} for flag in labels], among)
    for (flag, label), found in zip(labels.items(), counted, strict=True):
        note = f"{found} completions"
        yield {"label": label, "value": f"{percent(found / n)}", "note": note, "filter": {"flag": flag}}


def _process(index: TraceIndex, among: Json) -> Json:
    """Count the outcomes by how much of the process reward was earned: what is paid for process should be right."""
    edges = [i / PROCESS_BINS for i in range(PROCESS_BINS + 1)]
    bins: list[Json] = [{"min": low, "max": nextafter(high, 0)} for low, high in pairwise(edges)]
    del bins[0]["min"], bins[-1]["max"]  # so that every number lies in one of them
    rows: list[Json] = []
    for outcome in OUTCOMES:
        counted = index.figures.numbers([{"outcome": outcome, "process": one} for one in bins], among)
        cells = [
            {"n": n, "filter": {"outcome": outcome} | {f"process_{end}": value for end, value in one.items()}}
            for n, one in zip(counted, bins, strict=True)
        ]
        rows.append({"outcome": outcome, "cells": cells})
    columns = [f"{100 * low:.0f} to {percent(high)}" for low, high in pairwise(edges)]
    n, placed = index.count(among), sum(cell["n"] for row in rows for cell in row["cells"])
    unjudged = index.count(among | {"outcome": [*OUTCOMES], "process": None})
    reasons = {"without a process reward": unjudged, "failed or of unknown outcome": n - placed - unjudged}
    words = ", ".join(f"{count} {why}" for why, count in reasons.items() if count)
    return {"columns": columns, "rows": rows, "left_out": f"Left out of these {n}: {words}." if words else ""}


def _suspects(index: TraceIndex, conditions: Filter, sort: str) -> list[Json]:
    return [listed(*whole(index, row["id"])) for row in index.page(conditions, sort, 0, LISTED)]


def lengths(counted: Sequence[tuple[int, str, int]]) -> list[Json]:
    """Count outcomes by length, in bins of equal width. counted: (tokens, outcome, how many such completions)."""
    if not counted:
        return []
    longest = max(tokens for tokens, _, _ in counted) + 1
    width = max(1, -(-longest // BINS))
    none = {"right": 0, "wrong": 0, "unreadable": 0}
    bins = [{"from": start, "to": start + width - 1, **none} for start in range(0, longest, width)]
    for tokens, outcome, n in counted:
        kind = outcome if outcome in ("right", "wrong") else "unreadable"
        bins[tokens // width][kind] += n
    return bins


def _correlations(index: TraceIndex, among: Json) -> Json:
    names = [*(f"reward.{name}" for name in COMPONENTS), "tokens"]
    rows = index.figures.columns(names, among, limit=8000)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return {
        "names": [*(info.title for info in COMPONENTS.values()), "Tokens"],
        "rows": [[correlation(one, two) for two in columns] for one in columns],
        "filters": [
            [_parted(one, two) for two in zip(names, columns, strict=True)] for one in zip(names, columns, strict=True)
        ],
    }


def _parted(one: tuple[str, Sequence[float | None]], two: tuple[str, Sequence[float | None]]) -> Json:
    """Return the filter of what has much of one component and little of the other; of one alone, much of it."""
    much, little = (sorted(value for value in values if value is not None) for _, values in (one, two))
    if not much or not little:
        return {}
    found = {f"{ADDRESSES[one[0]]}_min": much[int((1 - QUARTER) * (len(much) - 1))]}
    return found if one[0] == two[0] else found | {f"{ADDRESSES[two[0]]}_max": little[int(QUARTER * (len(little) - 1))]}


def correlation(one: Sequence[float | None], two: Sequence[float | None]) -> float | None:
    """Return Pearson's r over the pairs that both have; None when either never varies."""
    pairs = [(x, y) for x, y in zip(one, two, strict=True) if x is not None and y is not None]
    n = len(pairs)
    if n < 3:
        return None
    mean_x, mean_y = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
    both = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    spread = sqrt(sum((x - mean_x) ** 2 for x, _ in pairs) * sum((y - mean_y) ** 2 for _, y in pairs))
    return max(-1.0, min(1.0, both / spread)) if spread > 1e-12 else None


def _openings(index: TraceIndex, among: Filter) -> tuple[list[Json], int]:
    """Return the openings of each stage that come back, and in how many of the latest completions they were sought."""
    rows = index.page(among, "-time", 0, OPENING_SAMPLE)
    found: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    for row in rows:
        reply = read_reply(*whole(index, row["id"]))
        for stage in STAGES:
            if opening := first_words(reply.stage_text(stage)):
                found[stage][opening] += 1
    often = {
        stage: [one for one in counts.most_common(4) if one[1] >= OPENING_TIMES] for stage, counts in found.items()
    }
    openings = [
        {"stage": stage, "items": [{"text": text, "n": n, "share": n / len(rows)} for text, n in items]}
        for stage, items in often.items()
    ]
    return openings, len(rows)


def first_words(text: str) -> str:
    """Return the first words of a text as written, or "" when it has fewer."""
    found = [match for _, match in zip(range(OPENING_WORDS), WORD.finditer(text), strict=False)]
    return " ".join(text[: found[-1].end()].split()) if len(found) == OPENING_WORDS else ""
