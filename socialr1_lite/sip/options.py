"""How options are shown under letters, and which one an answer names.

Never by containment: an answer that mentions two options, or that hedges, names none.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import MAX_OPTIONS

AnswerStyle = Literal["letter", "text"]


def letters(count: int) -> str:
    """Return the capital letters for `count` options ("ABC" for 3). Raises DataError outside 2 to 26."""
    if not 2 <= count <= MAX_OPTIONS:
        raise DataError(f"{count} options; 2 to {MAX_OPTIONS} can be shown under letters")
    return string.ascii_uppercase[:count]


def read_answer(text: str, options: Sequence[str]) -> int | None:
    """Return the index of the one option that an answer names, else None.

    Accepted: the letter alone (`B`, `(B)`, `B.`, `B)`, `B:`), the letter with that option's own text (`B. garden`), or
    an option's whole text where no other option has the same. Case, runs of white space and one closing full stop do
    not count. A lone letter is a letter even where an option's text is one too, because letters are how options are
    shown; any other answer that can be read in two ways names none.
    """
    named = _names(tuple(options))
    said = fold(text)
    found = {named.by_text.get(said, named.by_loose_text.get(_loose(said)))}
    lettered = _LETTERED.fullmatch(said)
    if lettered and (index := string.ascii_lowercase.index(lettered[1] or lettered[2])) < len(options):
        if not lettered[3]:
            return index
        if _loose(lettered[3]) == _loose(named.texts[index]):
            found.add(index)
    found.discard(None)
    return found.pop() if len(found) == 1 and _TWICE not in found else None


def option_answer(options: Sequence[str], index: int, style: AnswerStyle = "letter") -> str:
    """Return what to write in the answer block for option `index` so that `read_answer` gives `index` again."""
    return options[index] if style == "text" and texts_are_clear(tuple(options)) else letters(len(options))[index]


@lru_cache(maxsize=4096)
def texts_are_clear(options: tuple[str, ...]) -> bool:
    """Tell whether each option's text names that option alone, so that answers can be asked for as text.

    Not so with two equal texts, a text that is another option's letter, or one that holds a tag.
    """
    return all("<" not in text and read_answer(text, options) == i for i, text in enumerate(options))


def fold(text: str) -> str:
    """Fold case and spaces and compose letters canonically (some tokenizers compose what they read)."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).casefold().split())


class _Names(NamedTuple):
    texts: tuple[str, ...]  # folded
    by_text: dict[str, int]  # _TWICE where two options share the text
    by_loose_text: dict[str, int]


_TWICE = -1
_LETTERED = re.compile(r"(?:\(([a-z])\)[.:]?|([a-z])(?:[.):]|\Z)) ?(.*)", re.DOTALL)


@lru_cache(maxsize=4096)
def _names(options: tuple[str, ...]) -> _Names:
    texts = tuple(map(fold, options))
    return _Names(texts, _index(texts), _index(tuple(map(_loose, texts))))


def _index(texts: tuple[str, ...]) -> dict[str, int]:
    return {text: index if texts.count(text) == 1 else _TWICE for index, text in enumerate(texts)}


def _loose(folded: str) -> str:
    return folded.removesuffix(".").rstrip() or folded
