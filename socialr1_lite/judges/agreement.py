"""How far a judge agrees with careful reading: by stage, by pair, and by kind of fault.

A pair is an honest reply against its twin with one subtle fault, or against a wrong answer to the same question; the
judge is right where the honest one's content is higher, ties count half. Intervals are over stories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from socialr1_lite.judges.base import Judge
from socialr1_lite.judges.corpus import HONEST, WRONG_ANSWER, LabelledReply
from socialr1_lite.sip import STAGES, TITLES, parse
from socialr1_lite.statistics import Interval, clustered_proportion


@dataclass(frozen=True, slots=True)
class JudgedReply:
    """A labelled reply and the judge's score of each stage; None where the judge could not tell."""

    reply: LabelledReply
    scores: dict[str, float | None]

    @property
    def answered(self) -> bool:
        """Whether the answer is right: what a judge tells among these is no second outcome reward."""
        scenario = self.reply.scenario
        return parse(self.reply.completion, scenario.options).answer in scenario.gold

    @property
    def content(self) -> float | None:
        """The mean over the stages, as the content reward takes it; None where nothing could be judged."""
        return _mean([score for score in self.scores.values() if score is not None])


class StageAgreement(NamedTuple):
    """One stage. auc: of scores of right (1) against wrong (0) texts; right, wrong: mean scores; n: texts of each."""

    stage: str
    auc: float | None
    right: float | None
    wrong: float | None
    n_right: int
    n_wrong: int


class PairAgreement(NamedTuple):
    """Pairs of one kind. wins: share won, ties half, with its interval over stories."""

    kind: str
    n: int
    wins: Interval


def judge_replies(judge: Judge, replies: Iterable[LabelledReply]) -> list[JudgedReply]:
    """Ask the judge of every reply, those of one scenario together. A failed verdict leaves its stages untold."""
    judged = []
    for _, group in groupby(replies, key=lambda reply: reply.scenario.id):
        together = list(group)
        scenario = together[0].scenario
        texts = [parse(reply.completion, scenario.options) for reply in together]
        for reply, text, verdict in zip(together, texts, judge.judge(texts, scenario), strict=True):
            given = {} if verdict.failed else verdict.scores
            present = {segment.stage for segment in text.segments}
            scores = {stage: given.get(stage) if stage in present else 0.0 for stage in STAGES}
            judged.append(JudgedReply(reply, scores))
    return judged


def stage_agreement(judged: Sequence[JudgedReply]) -> list[StageAgreement]:
    """Return the agreement stage by stage; partly right texts (0.5) are left out."""
    found = []
    for stage in STAGES:
        scored = [(one.reply.labels.get(stage), one.scores[stage]) for one in judged]
        right = [score for label, score in scored if label == 1 and score is not None]
        wrong = [score for label, score in scored if label == 0 and score is not None]
        found.append(StageAgreement(stage, auc(right, wrong), _mean(right), _mean(wrong), len(right), len(wrong)))
    return found


def auc(higher: Sequence[float], lower: Sequence[float]) -> float | None:
    """Return the share of (higher, lower) pairs in the right order, ties half; None without a pair."""
    if not higher or not lower:
        return None
    won = sum((one > other) + 0.5 * (one == other) for one in higher for other in lower)
    return won / (len(higher) * len(lower))


def pair_agreement(judged: Sequence[JudgedReply]) -> list[PairAgreement]:
    """Return the pairs over all, against wrong answers, with the same right answer, and by kind of fault."""
    pairs = list(_pairs(judged))
    kinds = sorted({kind for kind, _, _ in pairs} - {WRONG_ANSWER})
    named = [
        ("all pairs", pairs),
        ("honest against a wrong answer", [pair for pair in pairs if pair[0] == WRONG_ANSWER]),
        ("honest against one subtle fault, same right answer", [pair for pair in pairs if pair[0] != WRONG_ANSWER]),
        *((f"  {kind}", [pair for pair in pairs if pair[0] == kind]) for kind in kinds),
    ]
    return [
        PairAgreement(name, len(some), clustered_proportion([won for *_, won in some], [story for _, story, _ in some]))
        for name, some in named
        if some
    ]


def _pairs(judged: Sequence[JudgedReply]) -> Iterator[tuple[str, str, float]]:
    """Yield (kind, story, 1 won, 0.5 tied, 0 lost) of every pair in which both could be judged."""
    by_id = {one.reply.id: one for one in judged}
    honest: dict[str, list[JudgedReply]] = {}
    for one in judged:
        if one.reply.kind == HONEST:
            honest.setdefault(one.reply.scenario.id, []).append(one)
    for reply, worse in ((one.reply, one.content) for one in judged if one.reply.kind != HONEST):
        for twin in [by_id[reply.of]] if reply.of in by_id else honest.get(reply.scenario.id, []):
            better = twin.content
            same = twin.reply.completion == reply.completion  # two readers' words on one text are no pair of texts
            if better is not None and worse is not None and not same:
                yield reply.kind, reply.scenario.group or reply.scenario.id, (better > worse) + 0.5 * (better == worse)


def kappa(pairs: Sequence[tuple[object, object]]) -> float:
    """Return Cohen's kappa of two labellings of the same things (Cohen 1960); 1 where both are all the same label."""
    if not pairs:
        return 1.0
    n = len(pairs)
    same = sum(one == other for one, other in pairs) / n
    first, second = (Counter(labels) for labels in zip(*pairs, strict=True))
    chance = sum(first[label] * second[label] for label in first) / (n * n)
    return 1.0 if chance == 1.0 else (same - chance) / (1.0 - chance)


def paid_wrongly(judged: Iterable[JudgedReply]) -> dict[str, float | None]:
    """Return the share of what a judge pays that goes to stages which a reading labels 0; None where it pays nothing.

    By reading: "settled", what the labels are by now, and "first" and "second", where there were two.
    """
    paid: dict[str, list[tuple[float, float]]] = {"settled": [], "first": [], "second": []}
    for one in judged:
        readings = {"settled": one.reply.labels, "first": one.reply.first, "second": one.reply.second}
        for name, labels in readings.items():
            paid[name] += [(one.scores[stage] or 0.0, label) for stage, label in (labels or {}).items()]
    shares = dict[str, float | None]()
    for name, scored in paid.items():
        every = sum(score for score, _ in scored)
        shares[name] = sum(score for score, label in scored if label == 0) / every if every else None
    return shares


def readers_agree(replies: Iterable[LabelledReply]) -> tuple[int, float, float]:
    """Return (stages labelled twice, share labelled alike, kappa) of the two readings."""
    labels = [(reply.first or {}, reply.second or {}) for reply in replies]
    pairs = [(first[stage], second[stage]) for first, second in labels for stage in first if stage in second]
    alike = sum(one == other for one, other in pairs) / len(pairs) if pairs else 1.0
    return len(pairs), alike, kappa(pairs)


def as_text(judged: Sequence[JudgedReply]) -> str:
    """Return the tables of one judge."""
    n, alike, agreed = readers_agree(one.reply for one in judged)
    lines = [
        f"{len(judged)} replies to {len({one.reply.scenario.id for one in judged})} scenarios; two readings label "
        f"{alike:.0%} of {n} stages alike (kappa {agreed:.2f})",
        "",
        f"{'stage':<22}{'AUC':>7}{'right':>8}{'wrong':>8}{'n':>12}",
    ]
    for one in stage_agreement(judged):
        means, n_texts = f"{_figure(one.right):>8}{_figure(one.wrong):>8}", f"{one.n_right} + {one.n_wrong}"
        lines.append(f"{TITLES[one.stage]:<22}{_figure(one.auc):>7}{means}{n_texts:>12}")
    among = next(one for one in stage_agreement([one for one in judged if one.answered]) if one.stage == STAGES[1])
    lines.append(
        f"{'interpretation AUC among right answers':<46}{_figure(among.auc)} ({among.n_right} + {among.n_wrong})"
    )
    wrongly = paid_wrongly(judged)
    told = ", ".join(
        f"{wrongly[name]:.1%} by the {name} reading" for name in ("first", "second") if wrongly[name] is not None
    )
    lines.append(
        f"{'of what is paid, to stages labelled 0':<46}{_share(wrongly['settled'])}" + (f" ({told})" if told else "")
    )
    lines += ["", f"{'pairs':<54}{'n':>5}{'won':>7}   95 % over stories"]
    for pair in pair_agreement(judged):
        wins = pair.wins
        lines.append(f"{pair.kind:<54}{pair.n:>5}{wins.value:>7.2f}   {wins.low:.2f} to {wins.high:.2f}")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
