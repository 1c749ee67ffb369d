"""What judges said when they were asked again (`score RUN --rejudge`), beside what was paid, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import NamedTuple

from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.rejudged import KEY, Key, scores_by_judge
from socialr1_lite.sip import STAGES
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.pages import key_of, peek, whole
from socialr1_lite.viewer.serving import Json, Query

PAGE = 50
APART = 0.25  # [ours] a verdict counts as changed from so much on
WAYS = ("down", "up")


class Change(NamedTuple):
    """A stage of one completion: its old verdict and its new one, both in [0, 1]."""

    id: int
    stage: str
    old: float
    new: float

    @property
    def by(self) -> float:
        """Return by how much the verdict rose."""
        return self.new - self.old


def verdicts(library: Library, query: Query) -> Json:
    """Return old and new verdicts: means a stage, and the stages that changed most with both scores."""
    run = library.run(query.text("run"))
    judge, stage, way = query.text("judge", limit=200), query.choice("stage", STAGES), query.choice("way", WAYS)
    page = query.whole("nth", 1, 1, 10**6)
    query.done()
    index, stamp = run.index(), run.stamp()
    found = scores_by_judge(run.folder)
    judges = sorted(found)
    judge = judge if judge in found else judges[0] if judges else ""
    changes = run.remembered(f"verdicts {judge}", lambda index: changes_of(index, found[judge])) if judge else []
    listed = [one for one in changes if stage in ("", one.stage) and (not way or (one.by > 0) is (way == "up"))]
    listed = [one for one in listed if abs(one.by) > 0]
    page = min(page, max(1, -(-len(listed) // PAGE)))
    return {
        "stamp": stamp,
        "judges": judges,
        "judge": judge,
        "command": f"python -m socialr1_lite.score {run.folder.path} --rejudge JUDGE",
        "stages": [_stage(name, [one for one in changes if one.stage == name]) for name in STAGES] if judge else [],
        "compared": len({one.id for one in changes}),
        "apart": APART,
        "matching": len(listed),
        "page": page,
        "size": PAGE,
        "rows": [_row(index, one) for one in listed[(page - 1) * PAGE : page * PAGE]],
    }


def changes_of(index: TraceIndex, new: Mapping[Key, Mapping[str, float | None]]) -> list[Change]:
    """Pair the verdicts that were paid with new ones; those furthest apart first. A stage that one left out is none."""
    names = (*KEY, "id", *(f"content.{stage}" for stage in STAGES))
    found = []
    for row in index.figures.columns(names, limit=1_000_000):
        fresh = new.get(tuple(row[: len(KEY)]))
        for stage, old in zip(STAGES, row[len(KEY) + 1 :], strict=True):
            score = fresh.get(stage) if fresh else None
            if old is not None and score is not None:
                found.append(Change(row[len(KEY)], stage, old, float(score)))
    return sorted(found, key=lambda one: (-abs(one.by), one.id, STAGES.index(one.stage)))


def _stage(name: str, changes: Iterable[Change]) -> Json:
    some = list(changes)
    told: Json = {"stage": name, "n": len(some), "old": None, "new": None, "up": 0, "down": 0}
    if not some:
        return told
    return told | {
        "old": fmean(one.old for one in some),
        "new": fmean(one.new for one in some),
        "up": sum(one.by >= APART for one in some),
        "down": sum(one.by <= -APART for one in some),
    }


def _row(index: TraceIndex, change: Change) -> Json:
    trace, _ = whole(index, change.id)
    return {
        "id": key_of(trace),
        "step": trace.step,
        "outcome": trace.score.outcome,
        "stage": change.stage,
        "old": change.old,
        "new": change.new,
        "by": change.by,
        "peek": peek(trace.completion.text),
    }
