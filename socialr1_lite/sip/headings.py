"""The four stages by name, and the headings under which a writer may put them.

A heading stands where a line starts and is kept apart from a sentence by what follows the title: `Cue Encoding:`,
`## Cue Encoding`, `**1. Cue Encoding**`, `Stage 1 - Cue Encoding`, `[Cue Encoding]`, `<cue_encoding>`, and their
combinations, without case; "Cue encoding is the first stage" is none. Names of the stages: [card].
"""

from __future__ import annotations

import re
from typing import NamedTuple

from socialr1_lite.sip.unmarked import Span

STAGES = ("cue_encoding", "cue_interpretation", "goal_clarification", "response_generation")
TITLES = {stage: stage.replace("_", " ").title() for stage in STAGES}


class Heading(NamedTuple):
    """One heading, `text[start:end]`. tag: an opening tag, which the stage's closing tag may end."""

    stage: str
    start: int
    end: int
    tag: bool


_STAGE_OF_ENDING = {stage[-8:]: stage for stage in STAGES}  # "encoding", "retation", ... tell them apart
_GAP = r"[ _-]{0,2}"
_TITLE = "(?:" + "|".join(stage.replace("_", _GAP) for stage in STAGES) + ")"
_LINE_END = "\\n\\r\\u2028\\u2029"
_DECORATION = r"[-\#>*_+=~|`/(\[\u2022\u3010.:)\]\uff1a\u2013\u2014\d\ \t]"
# Every repetition is bounded, so one line costs at most a constant.
_HEADING = rf"""
    [ \t]{{0,32}}
    (?:
        <(?P<tag>{_TITLE})>
      |
        {_DECORATION}{{0,16}}                                   # "## ", "**1. ", "- ", "["
        (?:
            (?:stage|step|phase|part)[ \t]?
            (?:[ivx]{{1,4}}\b|one|two|three|four)?
            {_DECORATION}{{0,10}}                               # "Stage 1 - ", "Step two: "
          | [ivx]{{1,4}}[.:)]{_DECORATION}{{0,8}}                # "IV. "
        )?
        (?P<title>{_TITLE})
        (?:[ \t](?:stage|step|phase)\b)?
        (?:[ \t]{{0,2}}\([^()\n]{{0,60}}\))?                    # "Cue Encoding (what is seen)"
        (?:                                                     # what can follow a title but not a word:
            [ \t]{{0,2}}(?:\*{{1,3}}|__|`{{1,3}}|[)\]\u3011])[*_`)\]]{{0,4}}
            (?:[ \t]{{0,2}}(?:[:\uff1a]|[-.|\u2013\u2014](?=\s|\Z))[*_]{{0,4}})?
          | [ \t]{{0,2}}[:\uff1a][*_`)\]]{{0,4}}
          | [ \t]{{0,2}}[-.|=>\u2013\u2014]{{1,3}}[*_]{{0,4}}(?=\s|\Z)
          | (?=[ \t]{{0,32}}(?:[{_LINE_END}]|\Z))
        )
    )
"""
_FLAGS = re.IGNORECASE | re.ASCII | re.VERBOSE  # ASCII: a Kelvin sign is no k
_FIRST = re.compile(_HEADING, _FLAGS)
# Directly behind a stage's closing tag a line starts too: <cue_encoding>...</cue_encoding><goal_...>
_LATER = re.compile(rf"(?:[{_LINE_END}]|</{_TITLE}>)(?P<here>){_HEADING}", _FLAGS)
_CLOSING = {stage: re.compile(f"</{stage.replace('_', _GAP)}>", re.IGNORECASE | re.ASCII) for stage in STAGES}


def find_headings(text: str, piece: Span) -> list[Heading]:
    """Find the headings in one piece of text, in order; where the piece starts, a line starts. Linear."""
    first = _FIRST.match(text, *piece)
    found = [_read(first, piece.start)] if first else []
    found += [_read(later, later.start("here")) for later in _LATER.finditer(text, *piece)]
    return found


def find_closing(text: str, heading: Heading, end: int) -> Span:
    """Find the closing tag that ends a tag heading's stage before `end`; an empty span at `end` where there is none."""
    closing = _CLOSING[heading.stage].search(text, heading.end, end) if heading.tag else None
    return Span(*closing.span()) if closing else Span(end, end)


def _read(match: re.Match[str], start: int) -> Heading:
    stage = _STAGE_OF_ENDING[(match["tag"] or match["title"])[-8:].lower()]
    return Heading(stage, start, match.end(), match["tag"] is not None)
