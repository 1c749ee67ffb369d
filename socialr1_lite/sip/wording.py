"""The words of a plain sentence, folded so that wording which changes nothing changes nothing [ours].

Openers ("Okay, let's see", "So", "Wait") fall away, contractions are written out, and one spelling stands for two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import orjson

LONGEST = 1500  # characters of a sentence that are read

WORDS = orjson.loads((files(__package__) / "words.json").read_bytes())  # classes of words, and words that carry little
CLASSES: dict[str, list[str]] = {}  # word -> its classes
for _name, _said in WORDS["classes"].items():
    for _word in _said.split():
        CLASSES.setdefault(_word, []).append(_name)
_PLAIN = frozenset(WORDS["plain"].split())
_OPENERS = re.compile(
    r"""(?:(?:so|wait|h+m+|okay|ok|and|but|oh|ah|hold\ on
        |(?:well|now|right|all\ right|alright|actually|yes|no)(?=\ [,.!:;-])
        |let\ (?:us|me)\ (?:see|think)(?:\ about\ (?:this|it))?(?=\ [,.!:;-]|$))(?:\ |$)|[,.!:;-](?:\ |$))*""",
    re.VERBOSE | re.IGNORECASE,
)
_SPELLED = (  # of one word: contractions, then American for British; what comes out need be no word, only the same
    *((r"^can't$|^cannot$", "can not"), (r"^won't$", "will not"), (r"n't$", " not"), (r"^let's$", "let us")),
    *((r"'re$", " are"), (r"'ve$", " have"), (r"'ll$", " will"), (r"'d$", " would"), (r"^i'm$", "i am")),
    *((r"^(it|that|he|she|there|wha?[ot]|here|where|how|why|this)'s$", r"\1 is"), (r"^grey", "gray")),
    *((r"(\w{3})is(e|es|ed|ing|ation)$", r"\1iz\2"), (r"(\w{3})our(s|ed|ing|ite|ly|able|hood)?$", r"\1or\2")),
    *((r"(\w{2})ll(ed|ing|er)$", r"\1l\2"), (r"yse(s|d)?$", r"yze\1"), (r"wards$", "ward"), (r"['-]", " ")),
)
_FOLDS = [(re.compile(pattern), put) for pattern, put in _SPELLED]
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[?:,;\".!-]|(?<!\w)'|'(?!\w)")
_SIGNS = str.maketrans("\u2019\u2018\u201c\u201d\u2014\u2013", "''\"\"--")
_QUOTES, _PAUSES = frozenset("'\""), frozenset(".!-")
_OPTION = frozenset(("option", "choice", "answer", "letter"))
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3}
_NUMBERS = {"one": 0, "two": 1, "three": 2, "four": 3, "1": 0, "2": 1, "3": 2, "4": 3}
_BEHIND_A = frozenset(WORDS["behind_a"].split())  # what makes an "A" a label and no article
_LAST_BEHIND_A = frozenset(("here", "obviously", "clearly", "surely", "then"))
_TWO_BEHIND_A = frozenset(("right away", "straight away", "straight off", "of course", "up front", "to me"))


def plain(sentence: str, letters: str = "") -> list[str]:
    """Return the words of a sentence, folded: labels of options as "@b", names with a capital, the rest small."""
    raw = _TOKEN.findall(sentence[:LONGEST].translate(_SIGNS))
    words: list[str] = []
    for at, token in enumerate(raw):
        label = _label(raw, at, letters)
        if label:
            while words and (words[-1] in _QUOTES or words[-1].lower() in ("option", "choice", "letter", *_PLACES)):
                words.pop()
            words += [label, "is"] if token.endswith("'s") else [label]
        elif token[0].isalpha():
            words += _folded(token)
        elif token not in _QUOTES or not words or words[-1][0] != "@":
            words.append(token)
    said = " ".join(words)
    opened = _OPENERS.match(said)
    words = [word for word in said[opened.end() if opened else 0 :].split() if word not in _PAUSES]
    for at, word in enumerate(words):
        small = word.lower()
        behind = words[at - 1] if at else ""
        named = word != small != "i" and (behind[:1].islower() or behind in ",;:") if at else small.isalpha()
        words[at] = small.title() if named and (at or (small not in _PLAIN and small not in CLASSES)) else small
    return words


def _label(raw: Sequence[str], at: int, letters: str) -> str:
    """Return "@b" where a word names an option: B, "B's", "option two", "the second option"; "" elsewhere."""
    token = raw[at]
    if token[0] in letters and token[1:] in ("", "'s"):
        behind = raw[at + 1 : at + 3]
        if token == "I" and behind and behind[0].islower():
            return ""
        article = token == "A" and behind and behind[0].islower() and behind[0] not in _BEHIND_A
        last = behind[0] in _LAST_BEHIND_A and (len(behind) < 2 or not behind[1][0].isalpha()) if behind else True
        return "" if article and not last and " ".join(behind) not in _TWO_BEHIND_A else f"@{token[0].lower()}"
    small, before = token.lower(), raw[at - 1].lower() if at else ""
    number = _PLACES.get(before) if small in _OPTION else _NUMBERS.get(small) if before == "option" else None
    return f"@{letters[number].lower()}" if number is not None and number < len(letters) else ""


@lru_cache(maxsize=16384)
def _folded(word: str) -> list[str]:
    """Return what one word of a text stands for; its first letter stays a capital."""
    text = word.lower()
    for pattern, put in _FOLDS:
        text = pattern.sub(put, text)
    parts = text.split()
    return [parts[0].title(), *parts[1:]] if word[0].isupper() and parts else parts
