"""What a surface word is to the `rules` judge: its stem and its properties, worked out once a word."""

from __future__ import annotations

import re
from typing import NamedTuple

from socialr1_lite.judges.language import lexicon
from socialr1_lite.judges.language.lexicon import stem

WORDS_KEPT = 1 << 16  # distinct surface words whose properties are remembered

CONTENT, NEGATES, BREAKS, CUTS, MENTAL, SKIPPED, PRONOUN, WRITER = (1 << bit for bit in range(8))
LICENSED, GOAL, OBJECT, ROLE, CAPITAL, OWNING, PERCEIVING, OPPOSITE = (1 << bit for bit in range(8, 16))
BELIEVING, ALARM, EVENT, NAMING = (1 << bit for bit in range(16, 20))  # EVENT: more than a plain or an empty word

TOKEN = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[,;:.!?\"“”—\u2013]")


class Word(NamedTuple):
    """A surface word: lower case without possessive ending, its stem, and the properties above."""

    base: str
    stem: str
    kind: int


class _Words(dict[str, Word]):
    """Surface word -> its properties, worked out when first met; started afresh when it grows too large."""

    def __missing__(self, raw: str) -> Word:
        if len(self) >= WORDS_KEPT:
            self.clear()
        word = self[raw] = _properties(raw)
        return word


def words_of(text: str) -> list[Word]:
    """Return the words and the punctuation of a text, in order. Linear."""
    return list(map(_WORDS.__getitem__, TOKEN.findall(text)))


def _properties(raw: str) -> Word:
    """Look a word up in every list of the lexicon."""
    lower = raw.lower()
    base = lower
    owning = lower.endswith(("'s", "\u2019s"))
    if owning:
        base = lower[:-2]
    kind = OWNING if owning else 0
    if raw[0].isupper():
        kind |= CAPITAL
    plain = lower.replace("\u2019", "'")
    root = stem(base)
    if plain in lexicon.NEGATIONS or plain.endswith("n't"):
        kind |= NEGATES
    if plain in lexicon.BOUNDARIES:
        kind |= BREAKS
    if plain in lexicon.CUTTING:
        kind |= CUTS
    if plain in lexicon.SKIPPED:
        kind |= SKIPPED
    if plain in lexicon.PRONOUNS:
        kind |= PRONOUN
    if plain in lexicon.REASONER:
        kind |= WRITER
    if plain in lexicon.OPPOSITES:
        kind |= OPPOSITE
        root = stem(lexicon.OPPOSITES[plain])
    if base[0].isalnum() and base not in lexicon.STOP and plain not in lexicon.STOP and not kind & NEGATES:
        kind |= CONTENT
        for members, flag in _MEMBERS:
            if root in members:
                kind |= flag
    if kind & ~(CONTENT | LICENSED | BELIEVING | SKIPPED) or (kind & SKIPPED and kind & CONTENT) or plain == "that":
        kind |= EVENT
    if plain in lexicon.ALARMS:
        kind |= ALARM | EVENT
    if plain in lexicon.NAMINGS or (len(raw) == 1 and kind & CAPITAL):
        kind |= NAMING | EVENT
    return Word(base, root, kind)


_WORDS = _Words()
_MEMBERS = (
    (lexicon.MENTAL, MENTAL), (lexicon.REASONING, LICENSED), (lexicon.GOAL, GOAL), (lexicon.OBJECTS, OBJECT),
    (lexicon.ROLES, ROLE), (lexicon.PERCEIVING, PERCEIVING), (lexicon.BELIEVING, BELIEVING),
)  # fmt: skip
