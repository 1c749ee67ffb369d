"""What a text states, in the terms of a generated world: who holds what. Read with the world's own names and values.

"Anna thinks that Ben believes the ball is in the box" is Statement(("Anna", "Ben"), "the box"). Linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from socialr1_lite.judges.language.lexicon import MENTAL, NEGATIONS, stem, stems
from socialr1_lite.scenario import Claim, Facts
from socialr1_lite.sip import sentences

# Perceiving is no holding; "mean" and "reason" are how a reply argues.
HOLDING = MENTAL - stems("see hear notice perceive learn mean reason look-for wonder doubt forget trust")
KNOWING = stems("know aware knowledge unaware ignorant")
ACTING = frozenset(  # "will look in the box" tells of a belief; "looked in the box" tells an event
    f"{verb}{ending}"
    for verb in ("look", "check", "open", "go", "expect", "say", "name", "answer", "claim", "choose", "pick", "take")
    for ending in ("", "s", "es")
) | {"search", "searches"}
BREAKING = frozenset(
    (";", ".", "!", "?", "but", "because", "while", "whereas", "although", "though", "so", "however", "unless", "and")
)
MIND = stems("mind view eye opinion belief perspective head thought knowledge feeling")
SOMEBODY = "?"  # in a chain: a person that the text does not name
TOKEN = r"[^\W_]+(?:['’][^\W_]+)?|[,;.!?]"
ARTICLES = re.compile(r"^(?:the|a|an|to) ", re.IGNORECASE)
# "It is not so that Anna ...", "it would be wrong to say that Anna ..." deny; "Anna is wrong to think that" does not.
CALLED_WRONG = re.compile(
    r"\W*(?:\w+,?\s)?it(?:['’]s|(?:\s(?:is|was|would|be)){1,2})\s(?:simply\s|just\s)?"
    r"(?:not\s(?:so|true|right|correct|the\scase)|(?:wrong|false|untrue|incorrect|a\smistake)(?:\sto\s\w+)?)\sthat\b",
    re.IGNORECASE,
)
NEAR_VALUE = frozenset(["the", "a", "an", "now", "really", "still", "actually", "to", "just"])


@dataclass(frozen=True, slots=True)
class Statement:
    """`chain` (nobody: the world itself) holds `value`; without a value: "knows", or with `denied` "does not know"."""

    chain: tuple[str, ...]
    value: str | None
    denied: bool = False
    relation: str = ""  # the words just before the value


def chain_of(claim: Claim, people: tuple[str, ...]) -> tuple[str, ...]:
    """Return the chain a text gives a claim: its holders, and its subject if that is a person ("Anna feels …")."""
    return claim.chain(people)


def bare(value: str) -> str:
    """Return a value without its article, in lower case."""
    return ARTICLES.sub("", value).lower().rstrip(".")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One world's names and values, and the pattern that finds them and all other words."""

    names: dict[str, str]
    values: dict[str, str]
    pattern: re.Pattern[str]


@lru_cache(maxsize=512)
def vocabulary(facts: Facts) -> Vocabulary:
    """Gather what to look for; remembered for the last 512 worlds."""
    names = {name.lower(): name for name in facts.people}
    spelled = [value for claim in facts.claims for value in (claim.value, *claim.rivals)]
    values = {bare(value): value for value in spelled if bare(value) not in names}
    phrases = sorted([*names, *values], key=len, reverse=True)
    found = "|".join(re.escape(phrase) for phrase in phrases)
    return Vocabulary(names, values, re.compile(rf"\b(?P<phrase>{found})\b(?P<own>['’]s)?|{TOKEN}", re.IGNORECASE))


def statements(text: str, facts: Facts) -> list[Statement]:
    """Read all that the text states about who holds what, in order."""
    words = vocabulary(facts)
    reader = _StatementReader()
    found: list[Statement] = []
    for start, end in sentences(text):
        found += reader.sentence(text[start:end], words)
    return found


class _StatementReader:
    """Reads sentences one after the other; remembers whom a pronoun means and which value "there" means."""

    __slots__ = ("before", "chain", "denied", "knowing", "last_value", "open", "pending", "persons", "relation")

    def __init__(self) -> None:
        self.persons: list[str] = []  # all persons spoken of, the last one last
        self.last_value: str | None = None
        self._break()

    def _break(self) -> None:
        self.chain: tuple[str, ...] = ()
        self.open = self.denied = self.knowing = False
        self.pending: str | None = None
        self.relation: list[str] = []
        self.before = ""

    def sentence(self, text: str, words: Vocabulary) -> Iterator[Statement]:
        """Yield the statements of one sentence."""
        called_wrong = CALLED_WRONG.match(text)
        self.denied = called_wrong is not None
        for match in words.pattern.finditer(text, called_wrong.end() if called_wrong else 0):
            phrase = match["phrase"]
            token = match.group().lower()
            if phrase is None:
                yield from self._word(token)
            elif phrase.lower() in words.names:
                self._person(words.names[phrase.lower()], owning=match["own"] is not None)
            else:
                yield self._value(words.values[phrase.lower()])
            self.before = token
        yield from self._clause_ends()

    def _clause_ends(self) -> Iterator[Statement]:
        if self.knowing and self.chain:
            yield Statement(self.chain, None, self.denied)
        self._break()

    def _person(self, name: str, *, owning: bool) -> None:
        self.pending = name
        if name in self.persons:
            self.persons.remove(name)
        self.persons.append(name)
        if self.before == "to" and self.relation[-1:] == ["according"]:
            self._holds(know=False)
        self.relation = []

    def _word(self, token: str) -> Iterator[Statement]:
        if token in BREAKING:
            yield from self._clause_ends()
            return
        if token in ("he", "she", "they", "his", "her"):
            self.pending = self.pending or self._meant()
        elif token in ("i", "we", "you", "who"):
            self.pending = None
        elif token in NEGATIONS or token.endswith(("n't", "n’t")):
            self.denied = not self.denied
        if token == "there" and self.last_value and self.chain:
            yield self._value(self.last_value)
        elif stem(token) in HOLDING or token in ACTING or (stem(token) in MIND and self.pending):
            self._holds(know=stem(token) in KNOWING)
        if token not in NEAR_VALUE:
            self.relation.append(token)

    def _meant(self) -> str | None:
        """Return whom a pronoun means: within a thought not the thinker, SOMEBODY where nobody else was named."""
        if not self.open:
            return self.persons[-1] if self.persons else None
        return next((name for name in reversed(self.persons) if name != self.chain[-1]), SOMEBODY)

    def _holds(self, *, know: bool) -> None:
        """Take a word of holding: its subject holds what follows, within what an open chain holds."""
        if self.pending is None:
            return
        self.chain = (*self.chain, self.pending) if self.open and self.chain[-1] != self.pending else (self.pending,)
        self.open, self.knowing, self.pending = True, know, None

    def _value(self, value: str) -> Statement:
        stated = Statement(self.chain, value, self.denied, " ".join(self.relation[-6:]))
        self.last_value, self.open, self.knowing, self.relation = value, False, False, []
        return stated
