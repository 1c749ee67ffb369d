"""How often a judge finds the chosen text of a pair, by stage and by kind: the one measure for every judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from socialr1_lite.judges import Judge
from socialr1_lite.pairs.record import Pair
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.statistics import Interval, wilson


@dataclass(frozen=True, slots=True)
class Standing:
    """A judge's figures on some pairs. n: pairs it scored; tied: share it scored alike, which counts as not found."""

    label: str
    n: int
    found: Interval
    tied: float


def ranked(pairs: Sequence[Pair], judge: Judge) -> list[tuple[float, float] | None]:
    """The judge's scores of chosen and rejected text, each in the place of its stage; None where it has none."""
    told: list[tuple[float, float] | None] = []
    for pair in pairs:
        replies = [_in_place(pair, text) for text in (pair.chosen, pair.rejected)]
        verdicts = judge.judge([parse(text, pair.scenario.options) for text in replies], pair.scenario)
        chosen, rejected = (verdict.scores.get(pair.stage) for verdict in verdicts)
        told.append(None if chosen is None or rejected is None else (chosen, rejected))
    return told


def standings(pairs: Sequence[Pair], scores: Sequence[tuple[float, float] | None]) -> list[Standing]:
    """All pairs, then each stage, then each kind."""
    judged = [(pair, told) for pair, told in zip(pairs, scores, strict=True) if told is not None]
    groups: dict[str, list[tuple[float, float]]] = {"all pairs": [told for _, told in judged]}
    for stage in STAGES:
        groups[f"stage {stage}"] = [told for pair, told in judged if pair.stage == stage]
    for kind in sorted({pair.kind for pair in pairs}):
        groups[kind or "(no kind)"] = [told for pair, told in judged if pair.kind == kind]
    return [_standing(label, told) for label, told in groups.items() if told]


def as_text(told: Iterable[Standing]) -> str:
    """A line each."""
    return "\n".join(
        f"{one.label:34} {one.n:5}  {one.found.value:6.1%} [{one.found.low:.1%}, {one.found.high:.1%}]"
        + (f"  tied {one.tied:.1%}" if one.tied else "")
        for one in told
    )


def _standing(label: str, told: Sequence[tuple[float, float]]) -> Standing:
    n = len(told)
    return Standing(label, n, wilson(sum(a > b for a, b in told), n), sum(a == b for a, b in told) / n)


def _in_place(pair: Pair, text: str) -> str:
    """The whole reply with this text for the pair's stage."""
    stages = {**pair.context, pair.stage: text}
    return reply_text({stage: stages[stage] for stage in STAGES if stages.get(stage)}, pair.answer)
