"""The words of a plain sentence, folded so that wording which changes nothing changes nothing [ours].

Openers ("Okay, let's see", "So", "Wait") fall away, contractions are written out, and one spelling stands for two.
"""

from __future__ import annotations

import re
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
    r"""[^\w@"'\[]*(?:(?:so|wait|h+m+|okay|ok|and|but|oh|ah|hold\ on
        |(?:well|now|right|all\ ?right|actually|yes|yeah|no)(?=\s*[,.!:;\u2014-])
        |let\ (?:us|me)\ (?:see|think)(?:\ about\ (?:this|it))?(?=\s*(?:[,.!:;\u2014-]|$)))
        (?![\w'-])[^\w@"'\[?]*)*""",
    re.VERBOSE | re.IGNORECASE,
)
_SPELLED = (  # contractions, then American for British; one spelling is as good as the other, be it right or not
    *((r"\bcan't\b|\bcannot\b", "can not"), (r"\bwon't\b", "will not"), (r"n't\b", " not"), (r"\blet's\b", "let us")),
    *((r"'re\b", " are"), (r"'ve\b", " have"), (r"'ll\b", " will"), (r"'d\b", " would"), (r"\bi'm\b", "i am")),
    *((r"(@[a-z]) +'s\b", r"\1 is"), (r"\b(it|that|he|she|there|wha?[ot]|here|where|how|why|this)'s\b", r"\1 is")),
    *((r"(\w{3})is(e|es|ed|ing|ation)\b", r"\1iz\2"), (r"(\w{3})our(s|ed|ing|ite|ly|able|hood)?\b", r"\1or\2")),
    *((r"(\w{2})ll(ed|ing|er)\b", r"\1l\2"), (r"yse(s|d)?\b", r"yze\1"), (r"\bgrey\b", "gray"), (r"wards\b", "ward")),
)
_FOLDS = [(re.compile(pattern, re.IGNORECASE), put) for pattern, put in _SPELLED]
_NAME = re.compile(r"(?<=[a-z,;:] )(?!I\b)[A-Z][a-z]+")
_TOKEN = re.compile(r"@[a-z]|[^\W\d_]+|\d+|[?:,;\"]|(?<!\w)'|'(?!\w)")
_FOLLOWS_A = (  # what makes an "A" a label and no article
    r"is|was|has|would|could|can|must|may|might|will|it|and|or|looks?|seems?|fits?|stands?|holds?|sounds?|says|means|makes?"
    r"|takes?|matches|leaves|works|remains|stays|wins|jumps|does|explains|describes|misses|ignores|to me|here(?=\W*$)"
    r"|up front|(?:right|straight) away|straight off"
)


@lru_cache(maxsize=16)
def _label(letters: str) -> re.Pattern[str]:
    """Return what finds an option's label: "option B", "(B)", B; "A" and "I" before a word that is no verb are none."""
    named = rf"(?:(?:[Oo]ption|[Cc]hoice|[Ll]etter)\s{{1,3}})?[(\"'*]{{0,2}}([{letters}])[)\"'*]{{0,2}}(?!\w|'(?!s\b))"
    word = rf"(?!(?<=\bA)\s+(?!(?:{_FOLLOWS_A})(?!\w))[a-z])(?!(?<=\bI)\s+[a-z])"
    return re.compile(rf"(?<![\w'\u2019]){named}{word}")


def plain(sentence: str, letters: str = "") -> list[str]:
    """Return the words of a sentence, folded: labels of options as "@b", names with a capital, the rest small."""
    text = sentence[:LONGEST].replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"')
    if letters:
        text = _label(letters).sub(lambda found: f" @{found[1]} ", text)
    for pattern, put in _FOLDS:
        text = pattern.sub(put, text)
    text = " ".join(text.split())
    text = text[_OPENERS.match(text).end() :]  # type: ignore[union-attr]  # it matches the empty string
    names = {name.lower() for name in _NAME.findall(text)}
    words = _TOKEN.findall(text.lower())
    if words and words[0].isalpha() and words[0] not in _PLAIN and words[0] not in CLASSES:
        names.add(words[0])
    return [word.title() if word in names else word for word in words]
