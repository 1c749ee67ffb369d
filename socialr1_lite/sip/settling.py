"""Which option a sentence settles on: by its label or by its words, in whatever wording [ours].

Questions, hypotheticals, eliminations, first impressions and options that are only read out or quoted settle nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from socialr1_lite.sip.wording import WORDS, plain

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
    r"think|believe|know|guess|reckon|sure|confident|certain|convinced|money|mark|lock|inclined|drawn|start from)"
)
_RIGHT = (
    r"(?:right|correct|true|best|answer|obvious|obviously|clear|clearly|it$|choice|pick|winner|certain|certainly|likely|"
    r"natural|evident|straight|definitely|surely|settled|safe|the one|plain|sense|sensible|confirmed|justified)\b"
)
_SURE = (
    r"(?:obviously|clearly|definitely|surely|certainly|plainly|undoubtedly|of course|for sure|hands down|plain and simple"
    r"|i (?:would say|think|am (?:\w+ ){0,2}(?:sure|certain|confident)))"
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
            r"@[a-z][ \"']+(?:jumps out|stands out|is what i|would be my)\b",
            r"^@[a-z] , (?:as|at|then|done|if you ask)\b",
            r"@[a-z](?: says)?$",  # what a sentence ends with, where nothing speaks against it
        ]
    )
)
_SURELY = re.compile(
    r"\b(?:no|without(?: a| any)?) (?:doubt|question)(?: about it)?\b|\bwithout (?:even )?\w+ing [^,:]{0,60}(?=[,:])"
)
_BET = re.compile(r"\bif i (?:had|have) to [^,?]{1,60},? ?(?:it|that) would be\b")
_OPEN = re.compile(  # a question, a hypothetical, a first impression, somebody's words
    r"\?$|^unless\b|\bif (?!you ask)|\bcould(?! only)|\bmight(?! as well)"
    r"|(?<!\bi )\bwould (?:be (?!my)|mean|have|require|need|make|fit|go)"
    r"|\b(?:may|perhaps|maybe|possibly|suppose|assuming|whether|tempt\w*|traps?|easy to|at first|glance|impression"
    r"|someone|somebody|as if|wonder|early to|doubt|either|between)\b"
    r"|(?<!\bgut )(?<!\binstinct )\b(?:says (?!\w+ ,)|claims|reads|talks|tells|mentions|states|describes|asks)\b(?!$)"
)
_OUT = re.compile(
    r"@[a-z](?: (?!jumps|stands)\w+){0,3} "
    r"(?:not|out|wrong|excluded|impossible|ruled|too|silly|incorrect|false|unlikely|where|trap)\b"
    r"|\b(?:not|no|never|nothing|neither|nor|against|instead|rather|rules?|ruled|excludes?|cross|drop|test|try|consider|compare"
    r"|check|about|look at|start with|read|then)\b(?! only)(?: (?!so\b|but\b)[\w']+){0,5} @[a-z]"
    r"(?: (?:and|or|,) @[a-z])*"
)
_NAMED_ONE = re.compile(
    r"\bthe ([a-z' -]{3,60}?) (?:one|option|choice)\b|\bthe (?:one|option|choice) ((?:with|where|about|that) .{3,80})"
)
_STANCE = re.compile(  # what settles on an option by its words, whoever else the sentence is about
    r"\b(?:answer(?: is| has to be| must be| will be| :| ,|$)|one (?:must be|has to be)|(?:jumps|stands) out|put money"
    r"|i (?:would )?(?:\w+ )?(?:say|bet|go (?:for|with)|pick|choose|settle|answer)|i can tell"
    r"|i think (?:it|the answer) is"
    r"|i am (?:\w+ ){0,2}(?:sure|confident|certain|leaning|picking|choosing|going)"
    r"|my (?:\w+ )?(?:answer|pick|choice|gut|bet|guess|money|vote|hunch|instinct))\b"
)
_PLAINLY = re.compile(  # the same where nobody does anything in it
    rf"\b(?:it|this|that) (?:must be|has to be|can only be|is (?:\w+ )?{_SURE})|{_SURE} ,? ?(?:it|this|that) is\b"
    r"|^(?:has to be|must be|can only be)\b|^(?:[\w']+ ){1,8}(?:is|must be) (?:clearly |obviously )?(?:right|correct)$"
)
_FRAGMENT = re.compile(_SURE)
_DOES = re.compile(
    r"\b(?:is|are|was|were|has|have|had|does|do|did|puts?|\w{2,}(?:ed|ves|kes|ees|ows|inks|ells|ays|ooks))\b"
)
_SO = re.compile(r"(?:,|\bso|\bthen|\btherefore|\bhence|\bthus|\bleaves|\bmakes it) (?:\w+ )?@[a-z]$")
_DENIED = re.compile(r"\b(?:not|never)\b(?: [^\s#]+){0,5} #")
_MIND = re.compile(
    r"\b(?!I\b)(?:[A-Z]\w+|he|she|they|who) (?:\w+ )?"
    r"(?:thinks?|believes?|feels?|knows?|wants?|expects?|assumes?|figures?|decides?|concludes?|supposes?)\b"
)
_EMPTY = frozenset(WORDS["empty"].split())


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


def settled_option(sentence: str, options: tuple[str, ...], letters: str) -> int | None:
    """Return the index of the option that a sentence settles on, None where it settles on none."""
    words = plain(sentence, letters)
    label = settled_label(words)
    if label is not None or any(word[0] == "@" for word in words):
        return None if label is None else letters.lower().index(label)
    said = _said(words)
    named = _NAMED_ONE.search(said)
    if _OPEN.search(said) or (_MIND.search(" ".join(words)) and not named):
        return None  # what somebody in the story has in mind is the interpretation itself
    inside = frozenset((named[1] or named[2] if named else said).split())
    stance = _STANCE.search(said) or _PLAINLY.search(said)
    tells = _tells(options)
    found = [i for i, own in enumerate(tells) if _said_of(own, inside) >= (1 if named else min(2, len(own) / 2))]
    if len(found) != 1 or (not stance and not _FRAGMENT.search(said)):
        return None
    own = tells[found[0]]
    rest = " ".join("#" if _is_one(word, own) else word for word in said.split())
    if _DENIED.search(rest) or (not stance and _DOES.search(rest)):
        return None
    return found[0]


def _said(words: Sequence[str]) -> str:
    """Return the words in a line, "surely" for what stands for it, and a bet that is worded as a condition as one."""
    return _SURELY.sub("surely", _BET.sub("i would say", " ".join(words).lower()))


def _said_of(own: frozenset[str], said: frozenset[str]) -> int:
    """Count how many of an option's own words are said; -1 for an option without any."""
    return sum(_is_one(one, said) for one in own) if own else -1


def _is_one(word: str, words: frozenset[str]) -> bool:
    """Whether a word is one of these, endings aside."""
    return word in words or (len(word) > 4 and any(len(other) > 4 and word[:5] == other[:5] for other in words))


@lru_cache(maxsize=256)
def _tells(options: tuple[str, ...]) -> list[frozenset[str]]:
    """Return the words of each option that no other one has, folded; all of its words where it has none of its own."""
    words = [{word.lower() for word in plain(option) if word.isalpha()} - _EMPTY for option in options]
    return [frozenset(one - set().union(*(other for other in words if other is not one)) or one) for one in words]
