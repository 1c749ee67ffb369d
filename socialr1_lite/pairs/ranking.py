"""How often a judge finds the chosen text of a pair, by stage and by kind: the one measure for every judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from socialr1_lite.judges import Judge
from socialr1_lite.pairs.record import Pair
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.statistics import Interval, wilson


class PairAccuracy(NamedTuple):
    """A judge's figures on some pairs. n: pairs it scored; tied: share it scored alike, which counts as not found."""

    label: str
    n: int
    found: Interval
    tied: float


def pair_scores(pairs: Sequence[Pair], judge: Judge) -> list[tuple[float, float] | None]:
    """Score chosen and rejected text, each in the place of its stage; None where the judge has no score."""
    scores: list[tuple[float, float] | None] = []
    for pair in pairs:
        replies = [parse(_in_place(pair, text), pair.scenario.options) for text in (pair.chosen, pair.rejected)]
        verdicts = judge.judge(replies, pair.scenario)
        chosen, rejected = (verdict.scores.get(pair.stage) for verdict in verdicts)
        scores.append(None if chosen is None or rejected is None else (chosen, rejected))
    return scores


def accuracies(pairs: Sequence[Pair], scores: Sequence[tuple[float, float] | None]) -> list[PairAccuracy]:
    """Count over all pairs, then each stage, then each kind."""
    judged = [(pair, both) for pair, both in zip(pairs, scores, strict=True) if both is not None]
    groups: dict[str, list[tuple[float, float]]] = {"all pairs": [both for _, both in judged]}
    for stage in STAGES:
        groups[f"stage {stage}"] = [both for pair, both in judged if pair.stage == stage]
    for kind in sorted({pair.kind for pair in pairs}):
        groups[kind or "(no kind)"] = [both for pair, both in judged if pair.kind == kind]
    return [
        PairAccuracy(label, n, wilson(sum(a > b for a, b in both), n), sum(a == b for a, b in both) / n)
        for label, both in groups.items()
        if (n := len(both))
    ]


def as_text(found: Iterable[PairAccuracy]) -> str:
    """Write a line each."""
    return "\n".join(
        f"{one.label:34} {one.n:5}  {one.found.value:6.1%} [{one.found.low:.1%}, {one.found.high:.1%}]"
        + (f"  tied {one.tied:.1%}" if one.tied else "")
        for one in found
    )


def _in_place(pair: Pair, text: str) -> str:
    """Return the whole reply with this text for the pair's stage."""
    stages = {**pair.context, pair.stage: text}
    return reply_text({stage: stages[stage] for stage in STAGES if stages.get(stage)}, pair.answer)
