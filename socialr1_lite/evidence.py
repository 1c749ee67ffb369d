"""Which stage of reasoning a plain sentence belongs to, when the writer put no headings.

Sentences, the words that speak for each stage, and the decoding of the most plausible sequence [ours].
Nothing here looks at a sentence's place in the text: reasoning in the wrong order must stay visible as such.
Stages are numbered 0 encoding, 1 interpretation, 2 goal, 3 response; their names live in `sip`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Character offsets into a text: `text[start:end]`."""

    start: int
    end: int


STAGE_COUNT = 4
SWITCH_PENALTY = 0.6  # [ours] below one strong word (a stage may be one sentence), near one weak word
SENTENCE_CAP = 3.0  # [ours] what a sentence can say for one stage: repeating a word proves nothing more

# Consumes every run it meets, so that no start position is ever tried twice: linear on a megabyte of dots.
_BREAK = re.compile(r"""[.!?\u2026]+["'\u2019\u201d)\]*_]*|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019)]*|[\n\r\u2028\u2029]+""")
_WIDE_STOPS = "\u3002\uff01\uff1f"
_LINE_ENDS = "\n\r\u2028\u2029"
_ABBREVIATIONS = frozenset("mr mrs ms dr prof st vs etc e.g i.e cf no fig approx".split())
_WORD = re.compile(r"[a-z]+(?:['\u2019][a-z]+)?")
_SPOKEN = re.compile(r"[^\W_]")  # a letter or digit of any script

_ENCODING = {
    1.0: "saw see sees seen seeing watch watches watched notice notices noticed noticing observe observes observed hear "
    "hears heard story passage text states stated describes described mentions mentioned cue cues scene",
    0.7: "says said tells told put puts placed places moved moves left leaves entered enters returned returns went goes "
    "gave gives took takes opened opens closed closes looked looks walked walks happened happens smiled cried shouted",
}
_INTERPRETATION = {
    1.0: "think thinks thought thinking believe believes believed believing belief beliefs feel feels felt feeling "
    "feelings know knows knew known knowing knowledge unaware aware realize realizes realized realise realises realised "
    "assume assumes assumed expects expected imagines imagined remembers remembered mistaken mind perspective emotion "
    "emotions embarrassed jealous proud ashamed",
    0.7: "mean means meant imply implies implied suggest suggests suggested indicates indicated interpret probably "
    "likely must because sad angry happy upset afraid scared worried surprised disappointed sarcastic sincere ignorant",
}
_GOAL = {
    1.0: "goal goals want wants wanted wanting need needs needed intend intends intended intention intentions trying "
    "tries tried aim aims hope hopes hoped hoping wish wishes wished purpose motive motives desire desires desired plans "
    "planned asks asking",
    0.7: "question asked determine figure plan seeks prefers likes find avoid help task",
}
_RESPONSE = {
    1.0: "therefore thus hence answer answers option options choose chooses chosen choice conclude concludes conclusion "
    "correct select response respond responds",
    0.7: "so would will best reply consequently accordingly finally search",
}
# "the question asks" is the goal's, whatever the words around it weigh; "said that" stays encoding.
_PAIRS: dict[tuple[str, str], tuple[int, float]] = {
    ("question", "asks"): (2, 1.0),
    ("in", "order"): (2, 1.0),
    ("need", "to"): (2, 0.5),
    ("the", "answer"): (3, 1.0),
    ("according", "to"): (0, 1.0),
    ("we", "are"): (0, 0.3),
    ("i", "choose"): (3, 1.0),
}
_PAIR_STARTS = frozenset(first for first, _ in _PAIRS)
LEXICON: dict[str, tuple[int, float]] = {
    word: (stage, weight)
    for stage, table in enumerate((_ENCODING, _INTERPRETATION, _GOAL, _RESPONSE))
    for weight, words in table.items()
    for word in words.split()
}
QUOTE_WEIGHT = 0.7  # words of the story in quotation marks speak for encoding
_QUOTES = ('"', "\u201c")


def sentences(text: str) -> list[Span]:
    """The sentences of a text in order, without the white space around them; never raises.

    A sentence ends at `.`, `!`, `?` or `…` before white space, at a CJK full stop, and at every line's end.
    "Dr.", "e.g." and a lone number or letter ("1.", "B. garden") end none. What has neither letter nor digit is
    no sentence, so punctuation alone gives an empty list. Linear in the length of the text.
    """
    return list(_sentences(text, 0, len(text)))


def strip_span(text: str, start: int, end: int) -> Span:
    """The same span without white space at its ends (an empty span at `start` when nothing is left)."""
    piece = text[start:end]
    kept = piece.lstrip()
    if not kept:
        return Span(start, start)
    start += len(piece) - len(kept)
    return Span(start, start + len(kept.rstrip()))


def has_words(text: str, span: Span) -> bool:
    """Whether a span holds a letter or a digit of any script: white space and invisible characters say nothing."""
    return _SPOKEN.search(text, *span) is not None


def decode(text: str, start: int, end: int) -> list[tuple[int | None, int]]:
    """The stages that text[start:end] goes through, as (stage, where it begins); the first begins at `start`.

    [(None, start)] when no word speaks for any stage. Sentences without evidence stay with the stage before them
    (before the first evidence: with the one after). Viterbi over the sentences that have some, any order allowed.
    """
    told = [(span.start, weights) for span in _sentences(text, start, end) if (weights := _evidence(text, span))]
    if not told:
        return [(None, start)]
    path = _viterbi([weights for _, weights in told])
    changes: list[tuple[int | None, int]] = [(path[0], start)]
    for (begins, _), stage in zip(told[1:], path[1:], strict=True):
        if stage != changes[-1][0]:
            changes.append((stage, begins))
    return changes


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    begin = start
    for stop in _BREAK.finditer(text, start, end):
        if _ends_sentence(text, begin, stop, end):
            span = strip_span(text, begin, stop.end())
            if has_words(text, span):
                yield span
            begin = stop.end()
    span = strip_span(text, begin, end)
    if has_words(text, span):
        yield span


def _ends_sentence(text: str, begin: int, stop: re.Match[str], end: int) -> bool:
    first = text[stop.start()]
    if first in _LINE_ENDS or first in _WIDE_STOPS or stop.end() == end:
        return True
    if not text[stop.end()].isspace():
        return False
    if first != ".":
        return True
    said = text[max(begin, stop.start() - 12) : stop.start()].strip()
    if len(said) <= 2 and said.isalnum():  # "1." and "B." introduce, they do not end
        return False
    return not said or said.split()[-1].lstrip("([\"'").lower() not in _ABBREVIATIONS


def _evidence(text: str, span: Span) -> list[float] | None:
    """What a sentence says for each of the four stages, or None when it says nothing."""
    piece = text[span.start : span.end].lower()
    weights = [0.0] * STAGE_COUNT
    told = False
    previous = ""
    for word in _WORD.findall(piece):
        if hit := LEXICON.get(word):
            weights[hit[0]] += hit[1]
            told = True
        if previous in _PAIR_STARTS and (pair := _PAIRS.get((previous, word))):
            weights[pair[0]] += pair[1]
            told = True
        previous = word
    if any(quote in piece for quote in _QUOTES):
        weights[0] += QUOTE_WEIGHT
        told = True
    return [min(weight, SENTENCE_CAP) for weight in weights] if told else None


def _viterbi(evidence: list[list[float]]) -> list[int]:
    """The best sequence of stages: summed evidence minus a penalty a change; ties stay, then take the lower stage."""
    best = evidence[0]
    backs: list[tuple[int, ...]] = []
    for weights in evidence[1:]:
        top = max(best)
        leader = best.index(top)
        threshold = top - SWITCH_PENALTY
        backs.append(tuple(stage if best[stage] >= threshold else leader for stage in range(STAGE_COUNT)))
        best = [max(value, threshold) + weight for value, weight in zip(best, weights, strict=True)]
    stage = best.index(max(best))
    path = [stage]
    for back in reversed(backs):
        stage = back[stage]
        path.append(stage)
    return path[::-1]
