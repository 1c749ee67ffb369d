"""Which option a sentence settles on: by its label or by its words, in whatever wording [ours].

Questions, hypotheticals, eliminations, first impressions and options that are only read out or quoted settle nothing.
Patterns find what settles on a label; a linear reader (`settling.json`, from `benchmarks/unmarked.py`) weighs that and
the other words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

import orjson

from socialr1_lite.sip.wording import CLASSES, WORDS, plain

_GAP = r"(?:(?!(?:not|no|out|never|rather|instead|against|except|without|of|says)\b)[\w']+[ ,:\"']+){0,4}"
_MUST = r"(?:is|are|was|ha(?:s|ve) to be|must be|c(?:an|ould) only be|should be|will be|needs to be|is going to be)"
_IT = (
    r"(?:answer|it|this|that|one|choice|option|reality|truth|here|conclusion|pick|solution|verdict|bet|guess|gut|hunch|"
    r"vote|match|winner|instinct|feeling|sense)"
)
_I = r"(?:i|my|me|we|us|let)\b(?: \w+){0,4}? "
_CHOOSE = (
    r"(?:go|going|gone|lean|leaning|cho(?:os|s)en?|choosing|pick|picking|select|say|saying|answer|bet|betting|vote|voting|"
    r"settl(?:e|ed|ing)|stick|sticking|stay|staying|remain|put|take|taking|favor|prefer|opt|opting|commit|committed|"
    r"think|believe|know|guess|reckon|sure|confident|certain|convinced|money|mark|lock|fixing|happy|inclined|drawn|"
    r"start from)"
)
_RIGHT = (
    r"(?:right|correct|true|best|answer|obvious|obviously|clear|clearly|it$|choice|pick|winner|certain|certainly|likely|"
    r"natural|only|evident|straight|definitely|surely|settled|safe|the one|plain|sense|sensible|confirmed|justified)\b"
)
_SURE = (
    r"(?:obviously|clearly|definitely|surely|certainly|plainly|undoubtedly|of course|for sure|hands down"
    r"|plain (?:and simple|as day)|i (?:would say|think|am (?:\w+ ){0,2}(?:sure|certain|confident)))"
)
_ON_LABEL = re.compile(
    "|".join(
        [
            rf"\b{_IT} {_MUST} {_GAP}@[a-z]",  # "the answer has to be B", "reality here is D"
            rf"\banswer[ ,:]+{_GAP}@[a-z]",
            rf"\b{_I}{_CHOOSE} {_GAP}@[a-z]",  # "I would go with B"
            rf"^(?:\w+ )?{_CHOOSE} {_GAP}@[a-z]",
            rf"\b(?:makes it|leaves(?: us with| only)?|(?:points|leads|brings) (?:me |us )?to|gives) {_GAP}@[a-z]",
            rf"\b(?:down to|{_SURE}) {_GAP}@[a-z]",
            rf"@[a-z][ ,\"']+(?:it (?:is|has to be|must be|remains|stays)|{_SURE}|stands|wins|holds|since|because)\b",
            r"@[a-z][ \"']+(?:fits?|matches)(?: (?:best|perfectly|exactly|everything|it|well)\b|$)",
            rf"@[a-z][ \"']+(?:is|looks|seems|feels|stands|remains|makes|must be|has to be|was|will be) {_GAP}{_RIGHT}",
            r"^@[a-z] is what \w+ (?:means?|wants?|thinks?|feels?|says?)$",
            r"@[a-z][ \"']+(?:jumps out|stands out|strikes me|in mind|is what i|would be my)\b",
            r"@[a-z] , that (?:much )?is\b|^@[a-z] , (?:as|at|then|done|if you ask)\b",
            r"@[a-z](?: says)?$",  # what a sentence ends with, where nothing speaks against it
        ]
    )
)
_SURELY = re.compile(
    r"\b(?:no|without(?: a| any)?) (?:doubt|question)(?: about it)?\b|\bwithout (?:even )?\w+ing [^,:]{0,60}(?=[,:])"
)
_BET = re.compile(
    r"\bif i (?:had|have) to [^,?]{1,60},? ?(?:it|that) would be\b|\bsurpri[sz]ed if \w+ \w+ not\b"
    r"|\bno other \w+ than\b"
)
_OPEN = re.compile(  # a question, a hypothetical, a first impression, somebody's words
    r"\?$|^unless\b|\bif (?!you ask)|\bcould(?! only)|\bmight(?! as well)"
    r"|(?<!\bi )\bwould (?:be (?!my)|mean|have|require|need|make|fit|go)"
    r"|\b(?:may|perhaps|maybe|possibly|suppose|assuming|whether|tempt\w*|traps?|easy to|at first|glance|impression"
    r"|someone|somebody|as if|wonder|early to|possibility|candidate|doubt|either|between)\b"
    r"|(?<!\bgut )(?<!\binstinct )\b(?:says (?!\w+ ,)|claims|reads|talks|tells|mentions|states|describes|asks)\b(?!$)"
)
_OUT = re.compile(
    r"@[a-z](?: (?!jumps|stands)\w+){0,3} "
    r"(?:not|out|wrong|excluded|impossible|ruled|too|silly|incorrect|false|unlikely|where|trap)\b"
    r"|\b(?:not|no|never|nothing|neither|nor|against|instead|rather|rules?|ruled|excludes?|cross|drop|test|try|consider|compare"
    r"|check|about|look at|back to|speaks for|start with|read|then)\b(?! only)(?: (?!so\b|but\b)[\w']+){0,5} @[a-z]"
    r"(?: (?:and|or|,) @[a-z])*"
)
_SO = re.compile(r"(?:,|\bso|\bthen|\btherefore|\bhence|\bthus|\bleaves|\bmakes it) (?:\w+ )?@[a-z]$")
SETTLED = 0.5  # [ours] probability from which a sentence settles on an option
_VERBS = frozenset(("is", "are", "was", "were", "has", "have", "had", "does", "do", "did", "will", "would", "can"))
_DENIALS = frozenset(("not", "never", "no", "nothing", "out", "wrong"))
_EMPTY = frozenset(f"{WORDS['empty']} {WORDS['plain']}".split())
_ACTION = re.compile(r"[a-z]{3,}(?:s|ed)")


def settled_label(words: Sequence[str]) -> str | None:
    """Return the label ("b") of the one option that a sentence (`wording.plain`) settles on by its label."""
    if not any(word[0] == "@" for word in words):
        return None
    said = _said(words)
    if _OPEN.search(said):
        return None
    out = {label for found in _OUT.finditer(said) for label in re.findall("@([a-z])", found[0])}
    named = {found[0][found[0].rindex("@") + 1] for found in _ON_LABEL.finditer(said)} - out
    if len({word for word in words if word[0] == "@" and word[1] not in out}) > 1:
        last = _SO.search(said)  # "B and C are silly, so A"
        return last[0][-1] if last else None
    return named.pop() if len(named) == 1 else None


@lru_cache(maxsize=512)
def settled_option(sentence: str, options: tuple[str, ...], letters: str) -> int | None:
    """Return the index of the option that a sentence settles on, by a linear reader; None where it settles on none."""
    words = plain(sentence, letters)
    weights = _weights()
    found = {
        index: sum(weights.get(one, 0.0) for one in set(read)) + weights["bias"]
        for index, read in readings(words, options, letters)
    }
    best = max(found, key=found.__getitem__, default=None)
    return best if best is not None and found[best] >= math.log(SETTLED / (1.0 - SETTLED)) else None


def readings(words: Sequence[str], options: tuple[str, ...], letters: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (index, what is to be weighed) for each option that a sentence names, by its label or by its own words."""
    shown = [f"@{letter}" for letter in letters.lower()]
    settled = settled_label(words)
    for index, own in enumerate(_own(options)):
        hits = {word: mine for word in words if (mine := own.get(word) or _alike(word.lower(), own))}
        named = set(hits.values())
        whole = len(set(own.values()))
        if shown[index] in words or (whole and len(named) >= min(2.0, max(1.0, whole / 3))):
            yield index, [*_features(words, shown[index], hits, settled), f"f:share {3 * len(named) // max(whole, 1)}"]


def _features(words: Sequence[str], label: str, hits: Mapping[str, str], settled: str | None) -> Iterator[str]:
    """Yield the features of a sentence about one option: "@" is its label, "#" its own words, "%" another label."""
    said: list[str] = []
    for word in words:
        sign = "@" if word == label else "%" if word[0] == "@" else "#" if word in hits else ""
        if sign != "#" or said[-1:] != ["#"]:
            said.append(sign or ("NAME" if word[0].isupper() else word))
    yield from said
    yield from map("{}_{}".format, ["^", *said], [*said, "$"])
    for word in said:
        yield from map("c:{}".format, CLASSES.get(word, ()))
    yield f"f:length {min(5, len(said) // 3)}"
    yield f"f:rest {min(6, sum(word.islower() and word not in _EMPTY for word in said))}"
    at = [place for place, word in enumerate(said) if word in "@#"]
    if not _DENIALS.isdisjoint(said[max(0, at[0] - 6) : at[0]]):
        yield "f:denied before"
    if not _DENIALS.isdisjoint(said[at[-1] + 1 : at[-1] + 5]):
        yield "f:denied behind"
    if _VERBS.isdisjoint(said):
        yield "f:no verb"
    if any(word not in CLASSES and _ACTION.fullmatch(word) for word in said):
        yield "f:action"
    if settled:
        yield "f:settled" if f"@{settled}" == label else "f:settled on another"


def _said(words: Sequence[str]) -> str:
    """Return the words in a line, "surely" for what stands for it, and a bet that is worded as a condition as one."""
    return _SURELY.sub("surely", _BET.sub("i would say", " ".join(words).lower()))


def _alike(word: str, own: Mapping[str, str]) -> str:
    """Return the option's word that a word is a form of ("rudeness", "rudely"; of feelings "envy", "envious")."""
    found = own.get(f"5{word[:5]}") if len(word) > 4 else None
    if found is None and len(word) > 3:
        found = own.get(f"f{word[:3]}") or (own.get(f"3{word[:3]}") if "feel" in CLASSES.get(word, ()) else None)
    return found or ""


@lru_cache(maxsize=256)
def _own(options: tuple[str, ...]) -> list[dict[str, str]]:
    """Return, for each option, the words that no other one has (all of its words where it has none) by their forms."""
    words = [{word.lower() for word in plain(option) if word.isalpha()} - _EMPTY for option in options]
    own = [one - set().union(*(other for other in words if other is not one)) or one for one in words]
    return [{form: word for word in sorted(mine) for form in _forms(word)} for mine in own]


def _forms(word: str) -> list[str]:
    long = [f"5{word[:5]}"] if len(word) > 4 else []
    short = [f"3{word[:3]}"] if len(word) > 3 else []
    return [word, *long, *short, *([f"f{word[:3]}"] if short and "feel" in CLASSES.get(word, ()) else [])]


@cache
def _weights() -> dict[str, float]:
    found: dict[str, float] = orjson.loads((files(__package__) / "settling.json").read_bytes())
    return found
