"""References to an answer option inside a text: by label, by announcing an answer, or by the option's full text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from socialr1_lite.sip import letters
from socialr1_lite.sip.words import phrase_text

OPTION_WORDS = 3  # docs/rewards.md: an option's full text counts as a reference from this many words on
KNOWN_SCENARIOS = 256  # what was worked out for a scenario is kept for the last so many

# Every alternative is anchored on a literal and bounded, so that a search is linear in the text.
_LETTER = r"[(\[\"'*“]{0,3}(?P<%s>[A-Z])(?![\w'\u2019])(?!(?<=[AI])\s+[a-z])"  # "A basket" is an article, not a label
LABEL = re.compile(
    r"\b(?i:option|choice|alternative|answer)s?\s{0,3}[:#]?\s{0,3}"
    + _LETTER % "named"
    + r"|\b(?i:answer\s{1,3}(?:is|must\s{1,3}be|should\s{1,3}be|would\s{1,3}be|will\s{1,3}be)|answer\s{0,3}:)"
    + r"(?:\s{0,3}"
    + _LETTER % "answered"
    + r")?"
    + r"|\b(?i:I(?:'ll|\u2019ll|\s{1,3}will|\s{1,3}would)?\s{1,3}(?:choose|pick|select|go with))\b"
    + r"|[(\[](?P<bracketed>[A-Z])[)\]]"
    + r"|(?m:^)[ \t*]{0,8}(?P<listed>[A-Z])[.)](?=\s)"
    + r"|\b(?P<judged>[A-Z])\s{1,3}(?i:is\s{1,3}(?:right|correct|true|best|the\s{1,3}(?:right|correct|best|answer)))\b"
)


class References:
    """What counts as a reference to an option of one scenario."""

    def __init__(self, story: str, question: str, options: tuple[str, ...]) -> None:
        """Work out which labels and which full texts count: not those the story or the question has itself."""
        self._letters = frozenset(letters(len(options)))
        self._given = f"{story}\n{question}"
        given = phrase_text(self._given)
        phrases = [phrase for phrase in sorted(set(map(phrase_text, options))) if phrase not in given]
        tells = {phrase: phrase.split() for phrase in phrases}  # more than that somebody does or does not know
        self._phrases = [p for p, said in tells.items() if len(said) >= OPTION_WORDS and not _COMMON.issuperset(said)]

    def find(self, text: str) -> Iterator[tuple[str, int]]:
        """(what the text says, character offset) for each reference; labels first, then full texts. Linear."""
        for match in LABEL.finditer(text) if _may_refer(text) else ():
            letter = next((group for group in match.groups() if group), None)
            if (letter is None or letter in self._letters) and match.group() not in self._given:
                yield match.group().strip(), match.start()
        said = phrase_text(text) if self._phrases else ""
        for phrase in self._phrases:
            for match in _as_pattern(phrase).finditer(text) if phrase in said else ():
                yield match.group(), match.start()


# "does not know" may be an option's text, but it is also how every reasoner says so.
_COMMON = frozenset(
    ("he", "she", "they", "it", "does", "do", "did", "not", "know", "knows", "see", "sees", "think", "thinks", "feel")
)
# What every alternative of LABEL needs: one of these words, or a letter on its own that is no article or pronoun.
_KEYS = ("option", "choice", "alternative", "answer", "choose", "pick", "select", "go with")
_LONE = re.compile(r"\b[A-Z]\b(?!['\u2019]|(?<=[AI])\s+(?!is\b)[a-z])")


def _may_refer(text: str) -> bool:
    """Whether a search pays off; most sentences name no option."""
    lower = text.lower()
    return any(key in lower for key in _KEYS) or _LONE.search(text) is not None


@lru_cache(maxsize=KNOWN_SCENARIOS)
def _as_pattern(phrase: str) -> re.Pattern[str]:
    """The phrase in running text: any case, anything but words between its words."""
    return re.compile(r"(?<!\w)" + r"[\W_]+".join(map(re.escape, phrase.split())) + r"(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=KNOWN_SCENARIOS)
def references(story: str, question: str, options: tuple[str, ...]) -> References:
    """The references of a scenario, worked out once for the group that answers it."""
    return References(story, question, options)
