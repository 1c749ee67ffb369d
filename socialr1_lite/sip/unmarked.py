"""Which stage of reasoning a plain sentence belongs to, when the writer put no headings.

Sentences, the words that speak for each stage, and the decoding of the most plausible sequence [ours].
Nothing here looks at a sentence's place in the text: reasoning in the wrong order must stay visible as such.
Stages are numbered 0 encoding, 1 interpretation, 2 goal, 3 response; `headings.STAGES` names them.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple


class Span(NamedTuple):
    """Character offsets into a text: `text[start:end]`."""

    start: int
    end: int


SWITCH_PENALTY = 0.6  # [ours] below one strong word, because a whole stage may be one sentence
SENTENCE_CAP = 3.0  # [ours] what a sentence can say for one stage: repeating a word proves nothing more
QUOTE_WEIGHT = 0.7  # [ours] the story's words in quotation marks speak for encoding
STRONG, WEAK = 1.0, 0.6  # [ours]

_VOCABULARY: tuple[dict[float, str], ...] = (
    {
        STRONG: """saw see sees seen seeing watch watches watched notice notices noticed noticing observe observes
            observed hear hears heard story passage text states stated describes described mentions mentioned cue cues
            scene""",
        WEAK: """says said saying tells told put puts placed places moved moves left leaves entered enters returned
            returns went goes gave gives took takes opened opens closed closes looked walked walks happened happens
            smiled cried shouted""",
    },
    {
        STRONG: """think thinks thought thinking believe believes believed believing belief beliefs feel feels felt
            feeling feelings know knows knew known knowing knowledge unaware aware realize realizes realized realise
            realises realised assume assumes assumed expects expected imagines imagined remembers remembered mistaken
            mind perspective emotion emotions embarrassed jealous proud ashamed""",
        WEAK: """mean means meant imply implies implied suggest suggests suggested indicates indicated probably likely
            must because sad angry happy upset afraid scared worried surprised disappointed sarcastic sincere
            ignorant""",
    },
    {
        STRONG: """goal goals want wants wanted wanting need needs needed intend intends intended intention intentions
            trying tries tried aim aims hope hopes hoped hoping wish wishes wished purpose motive motives desire desires
            desired plans planned asks asking""",
        WEAK: "question asked determine figure plan seeks prefers likes find avoid help",
    },
    {
        STRONG: """therefore thus hence answer answers option options choose chooses chosen choice conclude concludes
            conclusion correct select response respond responds""",
        WEAK: "would will best reply consequently accordingly finally",
    },
)
# What a word says behind another one, on top of what it says alone; behind "" it opens the sentence.
_PAIRS: tuple[tuple[str, str, int, float], ...] = (
    ("", "so", 3, STRONG),
    ("not never didn't doesn't", "see saw notice hear know", 1, 1.6),  # what somebody cannot know
    ("the", "answer", 3, WEAK),
    ("question", "asks", 2, STRONG),
    ("in", "order", 2, STRONG),
    ("according", "to", 0, STRONG),
)


class _Entry(NamedTuple):
    stage: int
    weight: float
    behind: dict[str, tuple[int, float]]


def _lexicon() -> dict[str, _Entry]:
    entries = {
        word: _Entry(stage, weight, {})
        for stage, table in enumerate(_VOCABULARY)
        for weight, words in table.items()
        for word in words.split()
    }
    for firsts, seconds, stage, weight in _PAIRS:
        for second in seconds.split():
            entry = entries.setdefault(second, _Entry(stage, 0.0, {}))
            entry.behind.update(dict.fromkeys(firsts.split() or [""], (stage, weight)))
    return entries


LEXICON = _lexicon()

LABEL_LENGTH = 8  # characters before a full stop, white space included, that can be a list's label
_STOPS, _WIDE_STOPS, _LINE_ENDS = r".!?\u2026", r"\u3002\uff01\uff1f", r"\n\r\u2028\u2029"
# One character class first, so that the search skips to it; a run of stops is tried from its first character only, so
# that a megabyte of dots stays linear; a full stop behind an abbreviation ends no sentence.
_BREAK = re.compile(
    rf"""[{_STOPS}{_WIDE_STOPS}{_LINE_ENDS}](?:
        (?<=[{_LINE_ENDS}])[{_LINE_ENDS}]*
      | (?<=[{_WIDE_STOPS}])[{_WIDE_STOPS}]*[\u300d\u300f\u201d\u2019)]*  # CJK: no space needed
      | (?<=[{_STOPS}])(?<![{_STOPS}].)
        (?<!\b(?:mr|ms|dr|st|vs|cf)\.)(?<!\b(?:mrs|etc|fig|e\.g|i\.e)\.)(?<!\bprof\.)
        [{_STOPS}]*["'\u2019\u201d)\]*_]*(?=\s|\Z)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_SPOKEN = re.compile(r"[^\W_]")  # a letter or digit of any script


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Find the sentences of text[start:end] in order, without the white space around them; never raises.

    A sentence ends at `.`, `!`, `?` or `…` before white space, at a CJK full stop, and at every line's end.
    "Dr.", "e.g." and a lone number or letter ("1.", "B. garden") end none. What has neither letter nor digit
    is no sentence, so punctuation alone gives an empty list. Linear in the length of the text.
    """
    end = len(text) if end is None else end
    found, begin = [], start
    for at, after in [*(stop.span() for stop in _BREAK.finditer(text, start, end)), (end, end)]:
        label = text[begin:at].strip() if at - begin <= LABEL_LENGTH else ""
        if label.isalnum() and len(label) <= 2 and after < end and text[at] == ".":
            continue
        span = strip_span(text, begin, after)
        if has_words(text, span):
            found.append(span)
        begin = after
    return found


def strip_span(text: str, start: int, end: int) -> Span:
    """Return the same span without white space at its ends (an empty span at `start` when nothing is left)."""
    piece = text[start:end].lstrip()
    if piece:
        start = end - len(piece)
    return Span(start, start + len(piece.rstrip()))


def has_words(text: str, span: Span) -> bool:
    """Tell whether a span holds a letter or a digit of any script; invisible characters are none."""
    return _SPOKEN.search(text, *span) is not None


def decode(text: str, start: int, end: int) -> list[tuple[int | None, int]]:
    """Find the stages that text[start:end] goes through, as (stage, where it begins); the first begins at `start`.

    [(None, start)] when no word speaks for any stage. A sentence that speaks for none stays with the stage
    before it (at the beginning: with the one after it). Viterbi over the rest, in any order.
    """
    weighed = [(span.start, weights) for span in sentences(text, start, end) if (weights := _weights(text, span))]
    if not weighed:
        return [(None, start)]
    path = _viterbi([weights for _, weights in weighed])
    changes: list[tuple[int | None, int]] = [(path[0], start)]
    for (begins, _), stage in zip(weighed[1:], path[1:], strict=True):
        if stage != changes[-1][0]:
            changes.append((stage, begins))
    return changes


def _weights(text: str, span: Span) -> list[float] | None:
    """Weigh what a sentence says for each of the four stages; None when it says nothing."""
    piece = text[span.start : span.end].lower().replace("\u2019", "'")
    weights = [0.0] * len(_VOCABULARY)
    for before, word in pairwise(["", *_WORD.findall(piece)]):
        if entry := LEXICON.get(word):
            weights[entry.stage] += entry.weight
            stage, weight = entry.behind.get(before, (0, 0.0))
            weights[stage] += weight
    if '"' in piece or "\u201c" in piece:
        weights[0] += QUOTE_WEIGHT
    return [min(weight, SENTENCE_CAP) for weight in weights] if any(weights) else None


def _viterbi(weights: list[list[float]]) -> list[int]:
    """Find the best sequence of stages: summed weights less a penalty a change; ties stay as they are."""
    scores, backs = weights[0], []
    for more in weights[1:]:
        leader = scores.index(max(scores))
        least = scores[leader] - SWITCH_PENALTY  # what a change from the leader leaves
        backs.append([stage if score >= least else leader for stage, score in enumerate(scores)])
        scores = [max(score, least) + weight for score, weight in zip(scores, more, strict=True)]
    path = [scores.index(max(scores))]
    for back in reversed(backs):
        path.append(back[path[-1]])
    return path[::-1]
