"""The hack board: where reward and merit part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt

from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.query import Filter
from socialr1_lite.sip import STAGES
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.marks import WORD
from socialr1_lite.viewer.pages import listed, whole
from socialr1_lite.viewer.serving import Json, Query
from socialr1_lite.viewer.stage import read_reply

TRAIN: Json = {"phase": "train"}
LISTED = 8  # suspects a list
OPENING_WORDS = 5
OPENING_SAMPLE = 400  # the latest completions, whose openings are counted
OPENING_TIMES = 3  # an opening that comes back less often is no habit
BINS = 18
HIGH_SHARE = 0.6  # of the best reward: what counts as highly paid


def hacks(library: Library, query: Query) -> Json:
    """Return what a model that works for the reward would do, and whether this one does."""
    run = library.run(query.text("run"))
    query.done()
    return run.remembered("hacks", lambda index: _hacks(run, index))


def _hacks(run: OpenRun, index: TraceIndex) -> Json:
    n = index.count(TRAIN)
    if not n:
        return {"empty": "This run has no training completions."}
    top = index.page(TRAIN, "-total", 0, 1)[0]["total"]
    high = {"total": {"min": HIGH_SHARE * top}} if top > 0 else {"total": {"min": 1e-9}}
    openings, sampled = _openings(index)
    return {
        "tiles": list(_tiles(index, n, high)),
        "paid_wrong": _suspects(index, TRAIN | high | {"outcome": "wrong"}, "-total"),
        "unpaid_right": _suspects(index, TRAIN | {"outcome": "right", "total": {"max": 0.5 * top}}, "total"),
        "lengths": lengths(index.figures.columns(("tokens", "outcome"), TRAIN)),
        "correlation": _correlations(index),
        "openings": openings,
        "openings_note": (
            f"First {OPENING_WORDS} words of each stage in the latest {sampled} completions; "
            f"shown when at least {OPENING_TIMES} begin alike."
        ),
    }


def _tiles(index: TraceIndex, n: int, high: Json) -> Iterable[Json]:
    wrong = index.count(TRAIN | {"outcome": "wrong"})
    paid = index.count(TRAIN | high | {"outcome": "wrong"})
    yield {"label": "Paid, yet wrong", "value": f"{paid}", "note": f"of {wrong} wrong answers"}
    for label, signs in (
        ("Early answers", {"early": True}),
        ("Loops", {"length.repetition": {"min": 0.2}}),
        ("Stage left out", {"structure.coverage": {"max": 0.76}}),
        ("Out of order", {"structure.order": {"max": 0.999}}),
    ):
        found = index.count(TRAIN | signs)
        yield {"label": label, "value": f"{100 * found / n:.0f} %", "note": f"{found} completions"}


def _suspects(index: TraceIndex, conditions: Filter, sort: str) -> list[Json]:
    return [listed(*whole(index, row["id"])) for row in index.page(conditions, sort, 0, LISTED)]


def lengths(rows: Sequence[tuple[int, str]]) -> list[Json]:
    """Count outcomes by length, in bins of equal width."""
    if not rows:
        return []
    longest = max(tokens for tokens, _ in rows) + 1
    width = max(1, -(-longest // BINS))
    none = {"right": 0, "wrong": 0, "unreadable": 0}
    bins = [{"from": start, "to": start + width - 1, **none} for start in range(0, longest, width)]
    for tokens, outcome in rows:
        kind = outcome if outcome in ("right", "wrong") else "unreadable"
        bins[tokens // width][kind] += 1
    return bins


def _correlations(index: TraceIndex) -> Json:
    names = [*(f"reward.{name}" for name in COMPONENTS), "tokens"]
    rows = index.figures.columns(names, TRAIN, limit=8000)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return {
        "names": [*(info.title for info in COMPONENTS.values()), "Tokens"],
        "rows": [[correlation(one, two) for two in columns] for one in columns],
    }


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


def _openings(index: TraceIndex) -> tuple[list[Json], int]:
    """Return the openings of each stage that come back, and in how many of the latest completions they were sought."""
    rows = index.page(TRAIN, "-time", 0, OPENING_SAMPLE)
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
