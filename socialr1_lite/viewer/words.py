"""Comparing two texts word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

# Han and kana: no spaces between words
SIGN = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
LETTERS = rf"(?:(?!{SIGN})[^\W_])+"
WORD = re.compile(rf"{SIGN}|{LETTERS}(?:['’-]{LETTERS})*")
TOKEN = re.compile(rf"\s+|{WORD.pattern}|.", re.DOTALL)
MAX_WORDS = 2500  # a side; beyond that only the ends are aligned, for difflib's worst case is quadratic


def percent(share: float, digits: int = 0) -> str:
    """Write a share as everywhere on the pages: 37 %."""
    return f"{100 * share:.{digits}f} %"


def count_words(text: str) -> int:
    """Return how many words a text has; of Chinese and Japanese, which set no spaces, how many signs."""
    return sum(1 for _ in WORD.finditer(text))


def word_diff(one: str, two: str) -> list[tuple[str, str]]:
    """Return [(" " | "-" | "+", text)]: kept, taken away, added.

    The kept and the added texts joined give `two`; the kept and the taken, `one`.
    """
    left, right = TOKEN.findall(one), TOKEN.findall(two)
    if max(len(left), len(right)) > MAX_WORDS:
        return _ends(left, right)
    parts: list[tuple[str, str]] = []
    for tag, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append((" ", "".join(left[i:j])))
            continue
        parts += [(sign, text) for sign, text in (("-", "".join(left[i:j])), ("+", "".join(right[k:m]))) if text]
    return parts


def _ends(left: list[str], right: list[str]) -> list[tuple[str, str]]:
    """Return the common beginning and end, and everything between as taken away and added."""
    shortest = min(len(left), len(right))
    head = next((i for i in range(shortest) if left[i] != right[i]), shortest)
    tail = next((i for i in range(shortest - head) if left[-1 - i] != right[-1 - i]), shortest - head)
    parts = [
        (" ", "".join(left[:head])),
        ("-", "".join(left[head : len(left) - tail])),
        ("+", "".join(right[head : len(right) - tail])),
        (" ", "".join(right[len(right) - tail :])),
    ]
    return [(sign, text) for sign, text in parts if text]


def same_words(one: str, two: str) -> float:
    """Return the words two texts share, of all the words they use, in [0, 1] (Jaccard); 1 when neither has any."""
    left, right = ({word for word in TOKEN.findall(text.casefold()) if word[0].isalnum()} for text in (one, two))
    return len(left & right) / len(left | right) if left | right else 1.0


def change_in_words(one: str, two: str) -> str:
    """Say how much of a text changed."""
    if one == two:
        return "Word for word the same." if one else ""
    left, right = count_words(one), count_words(two)
    return f"{left} words became {right}; {100 * same_words(one, two):.0f} % of the words used are shared."
