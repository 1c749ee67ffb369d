"""How far the reading of unmarked thinking, and the structure reward that rests on it, agree with careful reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from socialr1_lite.judges.agreement import auc, kappa
from socialr1_lite.judges.corpus import HONEST, LabelledReply

# An arrow that runs up: what is measured is the reward's own reading of a thinking, not a judge's.
from socialr1_lite.rewards.structure import structure
from socialr1_lite.sip import Reply, parse, sentences
from socialr1_lite.statistics import Interval, clustered_proportion


@dataclass(frozen=True, slots=True)
class UnmarkedAgreement:
    """What the reading of sentences and the structure reward make of labelled unmarked thinking.

    kappa: of the stage (or none) of each sentence, against the first reading; readers: the two readings against each
    other. found: share of the thinking that settles on an option first that independence charges. charged: share of
    good thinking that it charges. structure: AUC of the component, right thinking above wrong. wording: the farthest
    that a rewording which changes nothing (`rewordings`) moves the component.
    """

    replies: int
    sentences: int
    kappa: float
    readers: float
    found: Interval
    charged: Interval
    structure: float | None
    wording: float

    def as_text(self) -> str:
        """Return the figures in words."""
        return (
            f"{self.replies} replies, {self.sentences} sentences\n"
            f"stage or none of a sentence: kappa {self.kappa:.2f} (two readers: {self.readers:.2f})\n"
            f"settling on an option first found: {_share(self.found)}\n"
            f"good thinking charged for it: {_share(self.charged)}\n"
            f"structure of right above wrong thinking: AUC "
            + ("-" if self.structure is None else f"{self.structure:.2f}")
            + f"\na harmless rewording moves structure by {self.wording:.2f} at most"
        )


def measure_unmarked(replies: Sequence[LabelledReply]) -> UnmarkedAgreement:
    """Measure on replies whose sentences are labelled; others are passed over."""
    replies = [reply for reply in replies if reply.sentences]
    stages: list[tuple[str | None, str | None]] = []
    readers: list[tuple[str | None, str | None]] = []
    charged: dict[str, float] = {}
    value: dict[str, float] = {}
    moves = [0.0]
    for reply in replies:
        parsed = parse(reply.completion, reply.scenario.options)
        stages += zip((stage for _, stage in reply.sentences), _read_stages(parsed, reply), strict=True)
        readers += zip((stage for _, stage in reply.sentences), reply.second_sentences, strict=True)
        scored = structure(parsed, reply.scenario)
        charged[reply.id] = float((scored.parts.get("structure.independence") or 0.0) < 1.0)
        value[reply.id] = scored.value or 0.0
        for said in rewordings(reply.completion):
            again = structure(parse(said, reply.scenario.options), reply.scenario).value or 0.0
            moves.append(abs(again - value[reply.id]))
    good = [reply for reply in replies if reply.kind == HONEST]
    wrong = [value[reply.id] for reply in replies if reply.labels["response_generation"] == 0]
    return UnmarkedAgreement(
        replies=len(replies),
        sentences=len(stages),
        kappa=kappa(stages),
        readers=kappa(readers),
        found=_proportion([reply for reply in replies if reply.parasitic], charged),
        charged=_proportion(good, charged),
        structure=auc([value[reply.id] for reply in good], wrong),
        wording=max(moves),
    )


_REWORDED = (  # what a sentence may begin with or not, contractions, spelling: pattern and what stands for it
    (r"^", "So "),
    (r"^", "Wait, "),
    (r"^", "Hmm. "),
    (r"^(?:So|Wait|Hmm|Okay),? |^(?:Okay, let's see|Hmm|Okay)\.$", ""),
    (r"\bcan't\b", "cannot"),
    (r"\bwon't\b", "will not"),
    (r"(?<!\bca)(?<!\bwo)n't\b", " not"),
    (r"\b(I|you|we|they)'(?:d|ll)\b", r"\1 would"),
    (r"\b(she|he|it|that) is (?=\w)", r"\1's "),
    (r"\b(\w{3,})iz(e|es|ed|ing)\b", r"\1is\2"),
    (r"\b(\w{3,})our\b", r"\1or"),
)


def rewordings(completion: str) -> Iterator[str]:
    """Yield the completion with its thinking worded otherwise, in ways that change nothing that is said."""
    opened, closed = completion.index("<think>") + len("<think>"), completion.index("</think>")
    before, behind = completion[:opened], completion[closed:]
    said = [completion[slice(*span)] for span in sentences(completion, opened, closed)]
    yield f"{before}\nOkay, let's see. {' '.join(said)}\n{behind}"
    for pattern, put in _REWORDED:
        yield f"{before}\n{' '.join(re.sub(pattern, put, one) for one in said)}\n{behind}"


def _read_stages(parsed: Reply, reply: LabelledReply) -> Iterator[str | None]:
    """Yield the stage that parsing gives each labelled sentence: that of the segment in which it begins."""
    at = 0
    for text, _ in reply.sentences:
        at = parsed.text.index(text, at)
        yield next((one.stage for one in parsed.segments if one.body.start <= at < one.body.end), None)
        at += len(text)


def _proportion(replies: Sequence[LabelledReply], charged: dict[str, float]) -> Interval:
    if not replies:
        return Interval(0.0, 0.0, 1.0)
    return clustered_proportion([charged[one.id] for one in replies], [one.scenario.id for one in replies])


def _share(interval: Interval) -> str:
    return f"{interval.value:.0%} (95 % over stories {interval.low:.0%} to {interval.high:.0%})"
