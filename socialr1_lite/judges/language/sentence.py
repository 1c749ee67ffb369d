"""A text as sentences: who and what it names, what stands under a negation, and who is said to have what in mind.

Plain pattern reading of English, linear in the text. A content word is kept by its stem, a name as "@name", and
either with a leading "!" where it stands under a negation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from socialr1_lite.judges.language import lexicon
from socialr1_lite.judges.language.lexicon import stem
from socialr1_lite.sip import sentences

SENTENCES_KEPT = 256  # sentences remembered for a scenario, a megabyte: more than a group of 8 replies has
DEEPEST = 6  # thoughts within thoughts that are followed
ABOUT = 0.5  # share of a sentence's weighty words that the scenario has: fully about it [ours]
WRITER_OF_REPLY = "#writer"  # "I think ...": no character's mind
WORDS_KEPT = 1 << 16  # distinct surface words whose properties are remembered

CONTENT, NEGATES, BREAKS, CUTS, MENTAL, SKIPPED, PRONOUN, WRITER = (1 << bit for bit in range(8))
LICENSED, GOAL, OBJECT, ROLE, CAPITAL, OWNING, PERCEIVING, OPPOSITE = (1 << bit for bit in range(8, 16))
BELIEVING, EVENT, NAMING = (1 << bit for bit in range(16, 19))  # EVENT: more than a plain or an empty word

# where they stand alone, or for an option
_YES_OR_NO = re.compile(r"\b(?:yes|no)\b(?=\s{0,3}(?:[.,;:!?\"')]|$|fits\b|is\b|follows\b))", re.IGNORECASE)
TOKEN = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[,;:.!?\"“”—\u2013]")


class Word(NamedTuple):
    """A surface word: lower case without possessive ending, its stem, and the properties above."""

    base: str
    stem: str
    kind: int


_BY_WORD = (
    (lexicon.NEGATIONS, NEGATES), (lexicon.BOUNDARIES, BREAKS), (lexicon.CUTTING, CUTS), (lexicon.SKIPPED, SKIPPED),
    (lexicon.PRONOUNS, PRONOUN), (lexicon.REASONER, WRITER), (frozenset(lexicon.OPPOSITES), OPPOSITE),
)  # fmt: skip
_BY_STEM = (
    (lexicon.MENTAL, MENTAL), (lexicon.REASONING, LICENSED), (lexicon.GOAL, GOAL), (lexicon.OBJECTS, OBJECT),
    (lexicon.ROLES, ROLE), (lexicon.PERCEIVING, PERCEIVING), (lexicon.BELIEVING, BELIEVING),
)  # fmt: skip


def words_of(text: str) -> list[Word]:
    """Return the words and the punctuation of a text, in order. Linear."""
    return list(map(_word, TOKEN.findall(text)))


@lru_cache(maxsize=WORDS_KEPT)
def _word(raw: str) -> Word:
    """Look a word up in every list of the lexicon."""
    lower = raw.lower()
    owning = lower.endswith(("'s", "\u2019s"))
    base, plain = lower[:-2] if owning else lower, lower.replace("\u2019", "'")
    root = stem(lexicon.OPPOSITES.get(plain, base))
    kind = OWNING * owning | CAPITAL * raw[0].isupper() | NEGATES * plain.endswith("n't")
    kind |= sum(flag for members, flag in _BY_WORD if plain in members)
    if base[0].isalnum() and base not in lexicon.STOP and plain not in lexicon.STOP and not kind & NEGATES:
        kind |= CONTENT + sum(flag for members, flag in _BY_STEM if root in members)
    if kind & ~(CONTENT | LICENSED | BELIEVING | SKIPPED) or (kind & SKIPPED and kind & CONTENT) or plain == "that":
        kind |= EVENT
    if plain in lexicon.NAMINGS or (len(raw) == 1 and kind & CAPITAL):
        kind |= NAMING | EVENT
    return Word(base, root, kind)


class Attribution(NamedTuple):
    """`chain[0]` thinks (that chain[1] thinks) what `said` holds.

    perceiving: sees or hears it, no more. denied: is said not to believe it (not to know or not to want something
    is a state of mind as well, so that does not count).
    """

    chain: tuple[str, ...]
    said: frozenset[str]
    perceiving: bool
    denied: bool
    claim: str  # chain and mental word, joined by ">", with a leading "!" where negated


class Sentence(NamedTuple):
    """One sentence, read."""

    text: str
    size: int  # words
    content: frozenset[str]  # stems and names, without signs
    signed: frozenset[str]
    people: frozenset[str]
    attributions: tuple[Attribution, ...]
    goal: bool  # has a word of wanting, aiming or asking
    heads: frozenset[str]  # the words that a negation stands right before
    unknown_entities: tuple[str, ...]  # names and things that the scenario does not know
    about: float  # how far it is about the scenario, in [0, 1]
    key: str  # the text in lower case: by it a repetition is known
    labels: tuple[str, ...]  # letters and the words yes and no, where they name an option


@dataclass(frozen=True, slots=True)
class ReadingContext:
    """What must be known of a scenario to read a text about it.

    names: first word -> the names that start with it, longest first. aliases: a word that belongs to one name only.
    asked: the person the question asks about, then the person that this person's thought is about. known: all content
    of story, question and options; specific: that of it which is no mere word of reasoning. sentences: what was read
    already, by text and by whom a pronoun meant then.
    """

    names: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]
    aliases: Mapping[str, str]
    asked: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    specific: frozenset[str] = frozenset()
    sentences: dict[tuple[str, str | None, bool], tuple[Sentence, str | None, bool]] = field(default_factory=dict)


def read(text: str, context: ReadingContext) -> list[Sentence]:
    """Read the sentences of a text. Linear."""
    state = Subject(context.asked[0] if context.asked else None)
    return [_remembered(text[start:end], context, state) for start, end in sentences(text)]


def _remembered(text: str, context: ReadingContext, state: Subject) -> Sentence:
    """Read a sentence, or remember it: replies to one scenario share many, quotations of the story above all."""
    key = (text, state.last, state.named)
    known = context.sentences.get(key)
    if known is None:
        if len(context.sentences) >= SENTENCES_KEPT:
            context.sentences.clear()
        known = context.sentences[key] = (read_sentence(text, context, state), state.last, state.named)
    state.last, state.named = known[1:]
    return known[0]


@dataclass(slots=True)
class Subject:
    """Whom a pronoun means: the asked person once named in this text, else the last person named, else the asked."""

    asked: str | None = None
    last: str | None = None
    named: bool = False


def read_sentence(text: str, context: ReadingContext, state: Subject) -> Sentence:
    """Pass once over the words of a sentence (see `_SentenceReader`); plain words are read here for speed."""
    tokens = words_of(text)
    reader = _SentenceReader(context, state, len(tokens))
    behind = 0
    for place, word in enumerate(tokens):
        if place < behind:
            continue
        kind = word.kind
        if kind & EVENT:
            behind = reader.take(tokens, place)
        elif kind & CONTENT:
            reader.add_plain(word.stem)
        elif not kind & SKIPPED:
            reader.near = None
    return reader.sentence(text)


@dataclass(slots=True)
class _SentenceReader:
    """Reads one sentence from left to right.

    A mental word opens an attribution to its subject: the mention with nothing but auxiliaries and adverbs between,
    else the first one of the clause, the subject before, or the last person spoken of. What follows belongs to the
    attribution until a word like "because" or "but" cuts it off; a further mental word with a subject of its own is
    a thought within the thought, unless that subject leads a new clause. A negated mental word turns the signs of all
    that is attributed.
    """

    context: ReadingContext
    state: Subject
    size: int  # words; punctuation is taken off when met
    content: set[str] = field(default_factory=set)
    signed: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    attributions: list[Attribution] = field(default_factory=list)
    unknown_entities: list[str] = field(default_factory=list)
    heads: set[str] = field(default_factory=set)
    awaits: bool = False  # a negation whose word has not come yet
    naming: bool = False
    goal: bool = False
    negated: bool = False  # a negation since the clause began
    since: bool = False  # a negation since the last mention
    near: str | None = None  # a mention with nothing but auxiliaries behind it
    joined: str | None = None  # the first of two subjects joined by "and"
    clause_first: str | None = None
    first: str | None = None
    fresh: bool = False  # a mention since the last mental word
    broken: bool = False  # a comma or conjunction since the last mental word
    has_content: bool = False  # a content word since the clause began
    leads: bool = False  # the last mention came before any
    open: bool = False  # an attribution, of which the rest is said
    said: set[str] = field(default_factory=set)
    chain: tuple[str, ...] = ()
    verb: str = ""
    perceiving: bool = False
    believing: bool = False
    denied: bool = False

    def take(self, tokens: Sequence[Word], place: int) -> int:
        """Read the word at `place`; return the place behind what was read."""
        word, context = tokens[place], self.context
        base, root, kind = word
        self.naming = self.naming or bool(kind & NAMING)
        if kind & BREAKS:
            if base == "and" and self.near is not None and place + 1 < len(tokens) and tokens[place + 1].kind & CAPITAL:
                self.joined = self.near  # "Anna and Ben think": one subject
            else:
                self._break(word)
        elif kind & NEGATES:
            self.negated = self.since = self.awaits = True
        elif kind & CAPITAL and (base in context.aliases or base in context.names):
            name, behind = mention_at(tokens, place, context)
            self._meet(name, named=True)
            return behind
        elif kind & PRONOUN:
            meant = self.state.asked if self.state.named or self.state.last is None else self.state.last
            self._meet(self.chain[0] if self.open else meant, named=False)
        elif kind & WRITER:
            self._meet(WRITER_OF_REPLY, named=False)
        elif kind & ROLE:
            self._meet("@" + root, named=True)
        elif kind & CAPITAL and self._is_unknown_name(tokens, place):
            self.unknown_entities.append(base)
            self._meet("@" + base, named=True)
        elif kind & CONTENT:
            self._take_content(word)
        elif not kind & SKIPPED and base != "that":
            self.near = None
        return place + 1

    def add_plain(self, one: str) -> None:
        """Add a content word that is nothing more: what `_take_content` does with it, in fewer steps."""
        self.near = None
        self.has_content = True
        self.content.add(one)
        if self.awaits:
            self.heads.add(one)
            self.awaits = False
        if self.negated != self.denied:
            one = "!" + one
        self.signed.add(one)
        if self.open:
            self.said.add(one)

    def sentence(self, text: str) -> Sentence:
        """Return what was read; about: the share of weighty words that the scenario has, scaled: `ABOUT` is 1."""
        self._close()
        specific = len(self.content & self.context.specific)
        weighty = specific + len(self.content - self.context.known - lexicon.REASONING) if specific else 1
        about = min(1.0, specific / weighty / ABOUT)
        return Sentence(
            text,
            self.size,
            frozenset(self.content),
            frozenset(self.signed),
            frozenset(self.people),
            tuple(self.attributions),
            self.goal,
            frozenset(self.heads),
            tuple(self.unknown_entities),
            about,
            text.lower(),
            (*lexicon.letters_in(text), *map(str.lower, _YES_OR_NO.findall(text))) if self.naming else (),
        )

    def _break(self, word: Word) -> None:
        self.negated = self.since = self.awaits = False
        self.near = self.clause_first = None
        self.broken = True
        self.has_content = False
        self.size -= not word.base.isalnum()
        if word.kind & CUTS:
            self._close()

    def _meet(self, person: str | None, *, named: bool) -> None:
        """Note a mention, by name or by pronoun."""
        if person is None:
            return
        if named:
            self.state.last, self.state.named = person, self.state.named or person == self.state.asked
            self.people.add(person)
            self._add(person, self.negated)
        self.near = self.joined if self.joined is not None and person not in self.context.asked else person
        self.joined = None
        self.clause_first = self.clause_first or person
        self.first = self.first or person
        self.fresh = True
        self.leads = not self.has_content
        self.since = False

    def _is_unknown_name(self, tokens: Sequence[Word], place: int) -> bool:
        """Return whether a capitalised word is a name that the scenario does not know.

        Within a sentence a capital is enough; at its start the word must also be the subject of what follows.
        """
        word, known = tokens[place], self.context.known
        if not known or not word.kind & CONTENT or word.kind & LICENSED or word.stem in known or len(word.base) < 2:
            return False
        return place > 0 or (len(tokens) > 1 and _is_predicate(tokens[1], known))

    def _take_content(self, word: Word) -> None:
        kind, known = word.kind, self.context.known
        self.goal = self.goal or bool(kind & GOAL)
        if kind & MENTAL and (self.fresh or self.broken or not self.open):
            self._open(word)
        if kind & MENTAL:
            self.broken = False
        if not kind & SKIPPED:
            self.near = None
        self.has_content = True
        if self.awaits and not kind & SKIPPED:
            self.heads.add(word.stem)
            self.awaits = False
        self._add(word.stem, self.negated != bool(kind & OPPOSITE))
        if kind & OBJECT and known and not kind & LICENSED and word.stem not in known:
            self.unknown_entities.append(word.base)

    def _add(self, one: str, negated: bool) -> None:
        """Add a content word or a name, under the signs that hold here."""
        self.content.add(one)
        signed = "!" + one if negated != self.denied else one
        self.signed.add(signed)
        if self.open:
            self.said.add(signed)

    def _open(self, word: Word) -> None:
        """Start what a mental word attributes to its subject."""
        kind = word.kind
        holder = self.near or self.clause_first or (self.chain[0] if self.open else self.first or self.state.last)
        nested = self.open and not (self.broken and self.leads) and len(self.chain) < DEEPEST
        chain = self.chain
        outer_perceiving, outer_denied = self.perceiving, self.denied
        denied = self.since if self.near else self.negated
        self._close()
        if holder is None or holder == WRITER_OF_REPLY:
            return
        self.open = True
        self.fresh = self.negated = self.since = False
        self.said = set()
        self.chain = (*chain, holder) if nested else (holder,)
        self.perceiving = outer_perceiving if nested else bool(kind & PERCEIVING)
        self.believing = bool(kind & BELIEVING)
        self.verb = word.stem
        self.denied = denied != (nested and outer_denied)

    def _close(self) -> None:
        if self.open:
            denied = self.denied and self.believing
            claim = ("!" if self.denied else "") + ">".join((*self.chain, self.verb))
            self.attributions.append(Attribution(self.chain, frozenset(self.said), self.perceiving, denied, claim))
        self.open = self.denied = False


def _is_predicate(word: Word, known: frozenset[str]) -> bool:
    """Return whether a word goes on from a subject: an auxiliary, a mental verb, or a verb of the scenario's own."""
    if word.base in lexicon.INVERTING:
        return True
    if word.kind & MENTAL:
        return not word.base.endswith("ing")
    return word.stem in known and word.base.endswith(("s", "ed")) and not word.kind & (OBJECT | ROLE)


def mention_at(tokens: Sequence[Word], place: int, context: ReadingContext) -> tuple[str, int]:
    """Return the name that stands at `place`, and the place behind it."""
    for run, name in context.names.get(tokens[place].base, ()):
        if all(place + at < len(tokens) and tokens[place + at].base == part for at, part in enumerate(run)):
            return name, place + len(run)
    alias = context.aliases.get(tokens[place].base)
    return (alias or "@" + tokens[place].base), place + 1
