"""Which stage of reasoning a plain sentence belongs to, when the writer put no headings [ours].

Nothing here looks at a sentence's place in the text: reasoning in the wrong order must stay visible as such.
Stages are numbered 0 encoding, 1 interpretation, 2 goal, 3 response; `headings.STAGES` names them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from socialr1_lite.sip.evidence import LABELS, evidence


class Span(NamedTuple):
    """Character offsets into a text: `text[start:end]`."""

    start: int
    end: int


CLEARLY = 0.2  # [ours] probability from which one sentence gives a stage that no sentence is most likely for

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
_LABEL = re.compile(r"(?:(?:So|Wait|Hmm|Okay|Well),? ){0,3}([A-Z])\.\s+(?=[-*A-Z'\"\u2018\u201c])")
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


def thoughts(text: str, start: int, end: int, letters: str) -> list[Span]:
    """Find the sentences of plain thinking: as `sentences`, but "B." before a whole sentence is one of its own."""
    found = []
    for span in sentences(text, start, end):
        label = _LABEL.match(text, *span)
        if label and label[1] in letters:
            found.append(Span(span.start, label.end(1) + 1))
            span = Span(label.end(), span.end)
        found.append(span)
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


def decode(text: str, start: int, end: int, letters: str = "") -> list[tuple[int | None, int]]:
    """Find the stages that text[start:end] goes through, as (stage, where it begins); the first begins at `start`.

    Each sentence has the label that is most likely by its own words (`evidence`), None for what speaks for no stage; a
    stage that this leaves out has the one sentence that is clearly (`CLEARLY`) for it, where its stage has others.
    letters: under which the options are shown.
    """
    spans = thoughts(text, start, end, letters)
    weighed = [evidence(text[slice(*span)], letters) for span in spans]
    labels = [one.index(max(one)) for one in weighed]
    for label in range(1, LABELS):
        at = max(range(len(weighed)), key=lambda n: weighed[n][label], default=0)
        # What has few sentences gives none away; "Hmm." is none (1.0 for no stage).
        spare = sum(one[0] < 1.0 and other == labels[at] for one, other in zip(weighed, labels, strict=True)) > 2
        if label not in labels and spare and weighed[at][label] >= CLEARLY:
            labels[at] = label
    stages = [label - 1 if label else None for label in labels]
    changes = [(stages[0] if stages else None, start)]
    for span, stage in zip(spans[1:], stages[1:], strict=True):
        if stage != changes[-1][0]:
            changes.append((stage, span.start))
    return changes
