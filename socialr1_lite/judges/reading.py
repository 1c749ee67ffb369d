"""What the `rules` judge reads: a scenario as names, clauses and option words; a text as sentences with attributions.

Plain pattern reading of English, linear in the text. A content word is kept by its stem, a name as "@name", and
either with a leading "!" where it stands under a negation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from socialr1_lite.judges import lexicon
from socialr1_lite.judges.lexicon import stem
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import sentences

WORDS_KEPT = 1 << 16  # distinct surface words whose properties are remembered
SENTENCES_KEPT = 512  # sentences remembered for each of these scenarios
SCENARIOS_KEPT = 256  # scenarios whose reading is remembered
LONGEST_NAME = 3  # words
ABOUT = 0.5  # share of a sentence's weighty words that the scenario has: fully about it [ours]
PHRASE_WORDS = 3  # from here on an option is looked for as a whole
CLAUSE_WORDS = 2  # content words, names aside, that make a clause of the story stand alone

# Properties of a surface word.
CONTENT, NEGATES, BREAKS, CUTS, MENTAL, SKIPPED, PRONOUN, WRITER = (1 << bit for bit in range(8))
LICENSED, GOAL, OBJECT, ROLE, CAPITAL, OWNING, PERCEIVING, OPPOSITE = (1 << bit for bit in range(8, 16))
KNOWING, ALARM, EVENT = (1 << bit for bit in range(16, 19))  # EVENT: more than a plain or an empty word

WRITER_OF_REPLY = "#writer"  # "I think ...": no character's mind

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[,;:.!?\"“”—\u2013]")
_CUTTING = frozenset(
    [
        ";",
        "but",
        "although",
        "though",
        "while",
        "whereas",
        "because",
        "since",
        "so",
        "unless",
        "before",
        "after",
        "when",
        "until",
        "however",
    ]
)
_PERCEIVING = lexicon.stems("see hear notice perceive learn remember watch observe look miss overlook")
_KNOWING = _PERCEIVING | lexicon.stems("know aware realise realize understand forget sure certain learn suspect mind")
_CALENDAR = frozenset(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "mr",
        "mrs",
        "ms",
        "dr",
        "english",
        "chinese",
        "sip",
        "mother's",
        "ok",
        "okay",
        "yes",
    ]
)


class Word(NamedTuple):
    """A surface word: lower case without possessive ending, its stem, and the properties above."""

    base: str
    stem: str
    kind: int


class Attribution(NamedTuple):
    """`chain[0]` thinks (that chain[1] thinks) what `said` holds.

    perceiving: sees or hears it, no more. denied: is said not to think it; for words of knowing (aware, see, realise)
    that is a state of mind too, so it does not count there.
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
    strangers: tuple[str, ...]  # names and things that the scenario does not know
    about: float  # how far it is about the scenario, in [0, 1]
    alarm: bool  # has a word that text which speaks to a judge cannot do without


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of the story; people: those it names, or else those it carries on about."""

    content: frozenset[str]
    signed: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class World:
    """A scenario, read once for all replies to it.

    names: first word -> the names that start with it, longest first. aliases: a word that belongs to one name only.
    specific: content of story, question and options that is not a word of reasoning. mentions: content -> clauses.
    asked: the person the question asks about, then the person that this person's thought is about. marks: for each
    option the signed content that tells it from the others. shown: all signed content of each option.
    claims: for each option who is said to have which state of mind, where words alone do not tell the options apart
    (else empty). phrases: its
    whole text as `phrase` has it, "" for one of fewer than `PHRASE_WORDS` words.
    sentences: what was read already, by text and by whom a pronoun meant then; supports: how well the
    story bears out a sentence, by its text.
    """

    names: dict[str, tuple[tuple[tuple[str, ...], str], ...]]
    aliases: dict[str, str]
    people: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    specific: frozenset[str] = frozenset()
    clauses: tuple[Clause, ...] = ()
    mentions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    question: frozenset[str] = frozenset()
    marks: tuple[frozenset[str], ...] = ()
    shown: tuple[frozenset[str], ...] = ()
    claims: tuple[frozenset[str], ...] = ()
    phrases: tuple[str, ...] = ()
    yes_no: tuple[int, int] | None = None
    options: frozenset[str] = frozenset()
    english: bool = True
    supports: dict[str, float] = field(default_factory=dict)
    sentences: dict[tuple[str, str | None, bool], tuple[Sentence, str | None, bool]] = field(default_factory=dict)


class _Words(dict[str, Word]):
    """Surface word -> its properties, worked out when first met; started afresh when it grows too large."""

    def __missing__(self, raw: str) -> Word:
        if len(self) >= WORDS_KEPT:
            self.clear()
        told = self[raw] = _properties(raw)
        return told


def word(raw: str) -> Word:
    """The properties of a surface word."""
    return _WORDS[raw]


def _properties(raw: str) -> Word:
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
    if plain in _CUTTING:
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
    if kind & ~(CONTENT | LICENSED | KNOWING | SKIPPED) or (kind & SKIPPED and kind & CONTENT) or plain == "that":
        kind |= EVENT
    if plain in lexicon.ALARMS:
        kind |= ALARM | EVENT
    return Word(base, root, kind)


_WORDS = _Words()
_MEMBERS = (
    (lexicon.MENTAL, MENTAL), (lexicon.REASONING, LICENSED), (lexicon.GOAL, GOAL), (lexicon.OBJECTS, OBJECT),
    (lexicon.ROLES, ROLE), (_PERCEIVING, PERCEIVING), (_KNOWING, KNOWING),
)  # fmt: skip


def world_of(scenario: Scenario) -> World:
    """The scenario's reading, remembered for the last `SCENARIOS_KEPT` scenarios by what they say."""
    return _world(scenario.story, scenario.question, scenario.options)


def forget() -> None:
    """Drop what is remembered of scenarios (a benchmark shows what remembering saves)."""
    _world.cache_clear()


@lru_cache(maxsize=SCENARIOS_KEPT)
def _world(story: str, question: str, options: tuple[str, ...]) -> World:
    names, aliases = _names((story, question, *options))
    bare = World(names, aliases)
    told = [*read(story, bare), *read(question, bare)]
    shown = [read(option, bare) for option in options]
    everything = [*told, *(sentence for option in shown for sentence in option)]
    known = frozenset().union(*(sentence.content for sentence in everything))
    clauses = _clauses(story, bare)
    mentions: dict[str, list[int]] = {}
    for number, clause in enumerate(clauses):
        for one in clause.content:
            mentions.setdefault(one, []).append(number)
    asked_words = frozenset().union(*(sentence.content for sentence in read(question, bare)))
    text = f"{story} {question}"
    return World(
        names=names,
        aliases=aliases,
        people=frozenset().union(*(sentence.people for sentence in everything)),
        known=known,
        specific=frozenset(one for one in known if one not in lexicon.REASONING) | _telling(shown),
        clauses=clauses,
        mentions={one: tuple(places) for one, places in mentions.items()},
        asked=() if shown and all(map(_is_person, shown)) else _asked(question, bare),
        question=asked_words,
        marks=_marks(shown, frozenset(one for one in asked_words if one[0] != "@")),
        shown=tuple(frozenset().union(*(sentence.signed for sentence in option)) for option in shown),
        claims=_claims(shown, read(question, bare)),
        yes_no=_yes_no(options),
        phrases=tuple(phrase(option) if len(option.split()) >= PHRASE_WORDS else "" for option in options),
        options=frozenset().union(*(sentence.content for option in shown for sentence in option)),
        english=sum(map(str.isascii, text)) >= 0.5 * len(text),
    )


# ------------------------------------------------------------------------------------------------- names


def _names(
    texts: Iterable[str],
) -> tuple[dict[str, tuple[tuple[tuple[str, ...], str], ...]], dict[str, str]]:
    """Names (runs of capitalised words that are no ordinary words), and the words that belong to one name only."""
    found: dict[tuple[str, ...], int] = {}
    lower: set[str] = set()
    opening: dict[tuple[str, ...], str] = {}  # runs seen only where a sentence starts -> the word behind
    for text in texts:
        for start, end in sentences(text):
            raw = _TOKEN.findall(text[start:end])
            lower.update(token for token in raw if token[0].islower())
            for run, place in _capital_runs(raw):
                if place == 0 or raw[place - 1] in '"“:':
                    opening.setdefault(run, raw[place + len(run)].lower() if place + len(run) < len(raw) else "")
                else:
                    found[run] = found.get(run, 0) + 1
    for run, behind in opening.items():
        if len(run) > 1 or _takes_a_subject(behind):
            found.setdefault(run, 1)
    kept = [run for run in found if len(run) > 1 or run[0] not in lower]
    starts: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    owners: dict[str, set[tuple[str, ...]]] = {}
    for run in kept:
        starts.setdefault(run[0], []).append((run, "@" + " ".join(run)))
        for one in run:
            owners.setdefault(one, set()).add(run)
    aliases = {one: "@" + " ".join(next(iter(runs))) for one, runs in owners.items() if len(runs) == 1}
    aliases |= {run[0]: "@" + run[0] for run in kept if len(run) == 1}
    names = {first: tuple(sorted(runs, key=lambda run: (-len(run[0]), run))) for first, runs in starts.items()}
    return names, aliases


def _capital_runs(raw: Sequence[str]) -> Iterable[tuple[tuple[str, ...], int]]:
    """(lower-case words, place) of each run of capitalised words that are no ordinary words."""
    place = 0
    while place < len(raw):
        run: list[str] = []
        at = place
        while at < len(raw) and len(run) < LONGEST_NAME and _looks_like_a_name(raw[at]):
            run.append(word(raw[at]).base)
            at += 1
            if word(raw[at - 1]).kind & OWNING:
                break
        if run:
            yield tuple(run), place
        place = max(at, place + 1)


def _looks_like_a_name(raw: str) -> bool:
    told = word(raw)
    return bool(
        told.kind & CAPITAL
        and told.kind & CONTENT
        and not told.kind & (LICENSED | WRITER | BREAKS | SKIPPED)
        and told.base not in _CALENDAR
        and len(told.base) > 1
    )


def _takes_a_subject(behind: str) -> bool:
    """Whether the word behind a capitalised opening word makes that one a subject: "Anna puts", "Anna and"."""
    return behind in ("and", "is", "was", "has", "had", ",") or (
        behind.endswith(("s", "ed")) and behind not in lexicon.STOP and len(behind) > 2
    )


# ----------------------------------------------------------------------------------------------- reading


def read(text: str, world: World) -> list[Sentence]:
    """The sentences of a text. Linear."""
    state = _Subject(world.asked[0] if world.asked else None)
    return [_remembered(text[start:end], world, state) for start, end in sentences(text)]


def _remembered(text: str, world: World, state: _Subject) -> Sentence:
    """`_read`, remembered: replies to one scenario share many sentences, quotations of the story above all."""
    key = (text, state.last, state.named)
    known = world.sentences.get(key)
    if known is None:
        if len(world.sentences) >= SENTENCES_KEPT:
            world.sentences.clear()
            world.supports.clear()
        known = world.sentences[key] = (_read(text, world, state), state.last, state.named)
    state.last, state.named = known[1:]
    return known[0]


class _Subject:
    """Whom a pronoun means: the asked person once named in this text, else the last person named, else the asked."""

    __slots__ = ("asked", "last", "named")

    def __init__(self, asked: str | None) -> None:
        self.asked = asked
        self.last: str | None = None
        self.named = False

    def meet(self, person: str) -> None:
        self.last = person
        self.named = self.named or person == self.asked

    def meant(self) -> str | None:
        return self.asked if self.named or self.last is None else self.last


def _read(text: str, world: World, state: _Subject) -> Sentence:
    """One pass over the words of a sentence; see `_Reader`. Plain words, the most, are taken here for speed."""
    tokens = list(map(_WORDS.__getitem__, _TOKEN.findall(text)))
    reader = _Reader(world, state, len(tokens))
    behind = 0
    for place, told in enumerate(tokens):
        if place < behind:
            continue
        kind = told.kind
        if kind & EVENT:
            behind = reader.take(tokens, place)
        elif kind & CONTENT:
            reader.add_plain(told.stem)
        elif not kind & SKIPPED:
            reader.near = None
    return reader.sentence(text)


class _Reader:
    """Reads one sentence from left to right.

    A mental word opens an attribution to its subject: the mention with nothing but auxiliaries and adverbs between, else
    the first one of the clause, of the sentence, or the last person spoken of. What follows belongs to the
    attribution until a word like "because" or "but" cuts it off; a further mental word with a subject of its own,
    with no comma or conjunction between, is a thought within the thought. A negated mental word turns the signs of
    all that is attributed.
    """

    __slots__ = (
        *("attributions", "chain", "content", "heads", "people", "said", "signed", "strangers"),
        *("clause_first", "first", "near", "size", "state", "verb", "world"),
        *("alarm", "awaits", "broken", "denied", "fresh", "goal", "knowing", "leads", "negated", "open"),
        *("perceiving", "since", "told"),
    )

    def __init__(self, world: World, state: _Subject, size: int) -> None:
        self.world = world
        self.state = state
        self.content: set[str] = set()
        self.signed: set[str] = set()
        self.people: set[str] = set()
        self.attributions: list[Attribution] = []
        self.strangers: list[str] = []
        self.heads: set[str] = set()
        self.awaits = False  # a negation whose word has not come yet
        self.knowing = False
        self.verb = ""
        self.size = size  # words; punctuation is taken off when met
        self.alarm = False
        self.goal = False
        self.negated = False  # a negation since the clause began
        self.since = False  # a negation since the last mention
        self.near: str | None = None  # a mention with nothing but auxiliaries behind it
        self.clause_first: str | None = None
        self.first: str | None = None
        self.fresh = False  # a mention since the last mental word
        self.broken = False  # a comma or conjunction since the last mental word
        self.told = False  # a content word since the clause began
        self.leads = False  # the last mention came before any
        self.open = False
        self.said: set[str] = set()
        self.chain: tuple[str, ...] = ()
        self.perceiving = False
        self.denied = False

    def take(self, tokens: Sequence[Word], place: int) -> int:
        """Read the word at `place`; the place behind what was read."""
        told = tokens[place]
        base, root, kind = told
        world = self.world
        if kind & ALARM:
            self.alarm = True
        if kind & BREAKS:
            self._break(told)
        elif kind & NEGATES:
            self.negated = self.since = self.awaits = True
        elif kind & CAPITAL and (base in world.aliases or base in world.names):
            name, behind = _mention(tokens, place, world)
            self._meet(name, named=True)
            return behind
        elif kind & PRONOUN:
            self._meet(self.chain[0] if self.open else self.state.meant(), named=False)
        elif kind & WRITER:
            self._meet(WRITER_OF_REPLY, named=False)
        elif kind & ROLE:
            self._meet("@" + root, named=True)
        elif kind & CAPITAL and self._is_stranger(tokens, place):
            self.strangers.append(base)
            self._meet("@" + base, named=True)
        elif kind & CONTENT:
            self._take_content(told)
        elif not kind & SKIPPED and base != "that":
            self.near = None
        return place + 1

    def add_plain(self, one: str) -> None:
        """A content word that is nothing more: what `_take_content` does with it, in fewer steps."""
        self.near = None
        self.told = True
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
        """What was read."""
        self._close()
        return Sentence(
            text,
            self.size,
            frozenset(self.content),
            frozenset(self.signed),
            frozenset(self.people),
            tuple(self.attributions),
            self.goal,
            frozenset(self.heads),
            tuple(self.strangers),
            _about(self.content, self.world),
            self.alarm,
        )

    def _break(self, told: Word) -> None:
        self.negated = self.since = self.awaits = False
        self.near = self.clause_first = None
        self.broken = True
        self.told = False
        self.size -= not told.base.isalnum()
        if told.kind & CUTS:
            self._close()

    def _meet(self, person: str | None, *, named: bool) -> None:
        """A mention, by name or by pronoun."""
        if person is None:
            return
        if named:
            self.state.meet(person)
            self.people.add(person)
            self._add(person, self.negated)
        self.near = person
        self.clause_first = self.clause_first or person
        self.first = self.first or person
        self.fresh = True
        self.leads = not self.told
        self.since = False

    def _is_stranger(self, tokens: Sequence[Word], place: int) -> bool:
        """Whether a capitalised word is a name that the scenario does not know.

        Within a sentence a capital is enough; at its start the word must also be the subject of what follows.
        """
        told = tokens[place]
        known = self.world.known
        if not known or not told.kind & CONTENT or told.kind & LICENSED or told.stem in known or len(told.base) < 2:
            return False
        if place > 0:
            return True
        after = tokens[1] if len(tokens) > 1 else None
        return after is not None and bool(after.kind & MENTAL or after.base in lexicon.INVERTING)

    def _take_content(self, told: Word) -> None:
        kind, known = told.kind, self.world.known
        if kind & GOAL:
            self.goal = True
        if kind & MENTAL and (self.fresh or not self.open):
            self._open(told)
        if kind & MENTAL:
            self.broken = False
        if not kind & SKIPPED:
            self.near = None
        self.told = True
        if self.awaits and not kind & SKIPPED:
            self.heads.add(told.stem)
            self.awaits = False
        self._add(told.stem, self.negated != bool(kind & OPPOSITE))
        if kind & OBJECT and known and not kind & LICENSED and told.stem not in known:
            self.strangers.append(told.base)

    def _add(self, one: str, negated: bool) -> None:
        """A content word or a name, under the signs that hold here."""
        self.content.add(one)
        signed = "!" + one if negated != self.denied else one
        self.signed.add(signed)
        if self.open:
            self.said.add(signed)

    def _open(self, told: Word) -> None:
        """Start what a mental word attributes to its subject."""
        kind = told.kind
        holder = self.near or self.clause_first or self.first or self.state.last
        nested = self.open and not (self.broken and self.leads)
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
        self.knowing = bool(kind & KNOWING)
        self.verb = told.stem
        self.denied = denied != (nested and outer_denied)

    def _close(self) -> None:
        if self.open:
            denied = self.denied and not self.knowing
            claim = ("!" if self.denied else "") + ">".join((*self.chain, self.verb))
            self.attributions.append(Attribution(self.chain, frozenset(self.said), self.perceiving, denied, claim))
        self.open = self.denied = False


def _about(content: set[str], world: World) -> float:
    """Share of the weighty words (no words of reasoning) that the scenario has, scaled so that `ABOUT` is enough."""
    specific = len(content & world.specific)
    if not specific:
        return 0.0
    weighty = specific + len(content - world.known - lexicon.REASONING)
    return min(1.0, specific / weighty / ABOUT)


def _mention(tokens: Sequence[Word], place: int, world: World) -> tuple[str, int]:
    """The name that stands at `place`, and the place behind it."""
    for run, name in world.names.get(tokens[place].base, ()):
        if all(place + at < len(tokens) and tokens[place + at].base == part for at, part in enumerate(run)):
            return name, place + len(run)
    alias = world.aliases.get(tokens[place].base)
    return (alias or "@" + tokens[place].base), place + 1


# ---------------------------------------------------------------------------------------------- scenario


def _clauses(story: str, world: World) -> tuple[Clause, ...]:
    """The clauses of the story: sentences, cut at commas where both sides say enough."""
    found: list[Clause] = []
    carried: frozenset[str] = frozenset()
    for start, end in sentences(story):
        for piece in _pieces(story[start:end], world):
            if not piece.content:
                continue
            people = piece.people or carried
            if _has_pronoun(piece.text):
                people |= carried
            carried = people if piece.people or not carried else carried
            found.append(Clause(piece.content, piece.signed, people))
    return tuple(found)


def _pieces(text: str, world: World) -> list[Sentence]:
    """A sentence cut at its commas and semicolons; a piece too short to stand alone joins its neighbour."""
    pieces: list[str] = []
    for part in re.split(r"(?<=[,;])\s", text):
        if pieces and (_size(part, world) < CLAUSE_WORDS or _size(pieces[-1], world) < CLAUSE_WORDS):
            pieces[-1] = f"{pieces[-1]} {part}"
        else:
            pieces.append(part)
    return [_read(piece, world, _Subject(None)) for piece in pieces]


def _size(text: str, world: World) -> int:
    """Content words that are no names."""
    return sum(one[0] != "@" for one in _read(text, world, _Subject(None)).content)


_REFERRING = frozenset(
    ["he", "she", "they", "it", "him", "her", "them", "his", "hers", "their", "its", "himself", "herself", "themselves"]
)


def _has_pronoun(text: str) -> bool:
    return not _REFERRING.isdisjoint(raw.lower() for raw in _TOKEN.findall(text))


def _asked(question: str, world: World) -> tuple[str, ...]:
    """Whom the question asks about: the subject of its inverted clause, else the first person it names.

    A second entry is the person whose mind the first one's thought is about ("Where does Anna think Ben ...").
    """
    people: list[tuple[str, int]] = []
    verbs: list[int] = []
    inverted: str | None = None
    tokens = [word(raw) for raw in _TOKEN.findall(question)]
    place, waiting = 0, False
    while place < len(tokens):
        base, root, kind = tokens[place]
        at = place
        place += 1
        mention = None
        if base in world.aliases or base in world.names:
            mention, place = _mention(tokens, at, world)
        elif kind & ROLE:
            mention = "@" + root
        if mention is not None:
            owner = tokens[place - 1].kind & OWNING and place < len(tokens) and tokens[place].kind & ROLE
            if not owner:
                people.append((mention, at))
                if waiting and inverted is None:
                    inverted = mention
                waiting = False
        elif kind & PRONOUN and waiting and people:
            inverted = inverted or people[-1][0]
            waiting = False
        elif base in lexicon.INVERTING:
            waiting = True
        elif kind & WRITER or base in ",?":
            waiting = False
        if kind & MENTAL:
            verbs.append(at)
    if not people:
        return ()
    outer = inverted or people[0][0]
    at = next(at for person, at in people if person == outer)
    inner = next((p for p, where in people if where > at and p != outer and any(at < v < where for v in verbs)), None)
    return (outer,) if inner is None else (outer, inner)


def _telling(options: Sequence[Sequence[Sentence]]) -> frozenset[str]:
    """Content that some option has and some other has not: in this scenario it is no mere word of reasoning."""
    told = [frozenset().union(*(sentence.content for sentence in option)) for option in options]
    return frozenset().union(*told) - frozenset.intersection(*told) - _YES - _NO if told else frozenset()


_YES = frozenset(("yes", "true"))
_NO = frozenset(("no", "false"))
_YES_OR_NO = _YES | _NO


def _marks(options: Sequence[Sequence[Sentence]], question: frozenset[str]) -> tuple[frozenset[str], ...]:
    """For each option the signed content that tells it from the others; yes and no stand for the question's content.

    Words that every option has, under one sign or the other, tell nothing unless a negation stands right before them:
    of "knows where the ball is" and "does not know where the ball is" it is the knowing that differs.
    """
    signed: list[frozenset[str]] = []
    for option in options:
        said = frozenset().union(*(sentence.signed for sentence in option))
        first = _TOKEN.findall(option[0].text)[0].lower() if option and _TOKEN.findall(option[0].text) else ""
        bare = {plain(one) for one in said} - _YES - _NO
        if not bare and first in _YES:
            said = question
        elif not bare and first in _NO:
            said = frozenset("!" + one for one in question)
        signed.append(said)
    if not signed:
        return ()
    shared = frozenset.intersection(*signed)
    topics = frozenset.intersection(*(frozenset(map(plain, said)) for said in signed))
    heads = frozenset().union(*(sentence.heads for option in options for sentence in option)) or topics
    telling = [frozenset(one for one in said - shared if plain(one) not in topics - heads) for said in signed]
    return tuple(mark or said - shared or said for mark, said in zip(telling, signed, strict=True))


def _yes_no(options: Sequence[str]) -> tuple[int, int] | None:
    """Which option is yes and which is no, where they are these two."""
    told = [option.strip(" .").lower() for option in options]
    return (told.index("yes"), told.index("no")) if sorted(told) == ["no", "yes"] else None


def _claims(options: Sequence[Sequence[Sentence]], question: Sequence[Sentence]) -> tuple[frozenset[str], ...]:
    """What tells options apart by who has which state of mind, where their words do not tell; else nothing.

    That is so for options that share all their words, that are nothing but people ("Anna", "only Anna", "both of
    them"), and for yes and no to a question about a state of mind.
    """
    if not options or not all(options):
        return ()
    first = [_TOKEN.findall(option[0].text.lower()) for option in options]
    content = [frozenset().union(*(sentence.content for sentence in option)) for option in options]
    told: list[frozenset[str]] = []
    if all(words and words[0] in _YES_OR_NO and len(words) == 1 for words in first):
        asked = max((one.claim for s in question for one in s.attributions), key=_depth, default="")
        told = [frozenset((asked if words[0] in _YES else flip(asked),)) for words in first] if asked else []
    elif all((said and all(one[0] == "@" or one in _QUANTITIES for one in said)) or _counts(said) for said in content):
        minds = [one for sentence in question for one in sentence.signed if plain(one) in _STATES]
        if not minds and any("tell" in sentence.content for sentence in question):
            minds = ["know"]  # "who could tell Anna where ..."
        people = frozenset().union(*content, *(sentence.people for sentence in question))
        told = [frozenset(_share(said, words, people, minds)) for said, words in zip(content, first, strict=True)]
    elif len({said - _FILLERS for said in content}) == 1:
        told = [claims_of(option) for option in options]
        told = [said - frozenset.intersection(*told) for said in told]
    return tuple(told) if told and all(told) and len(set(told)) == len(told) else ()


_QUANTITIES = lexicon.stems("only both each")
_STATES = lexicon.stems("know think believe expect want feel aware mistaken wrong see hear remember")
_FILLERS = lexicon.stems("too either also so")


def _is_person(option: Sequence[Sentence]) -> bool:
    """Whether an option is a person's name and nothing else; then the question asks for a person, not about one."""
    content = frozenset().union(*(sentence.content for sentence in option))
    return len(content) == 1 and next(iter(content))[0] == "@"


def _counts(said: frozenset[str]) -> bool:
    """Whether an option has no content of its own ("neither of them")."""
    return not said


def _share(said: frozenset[str], words: Sequence[str], people: frozenset[str], minds: Sequence[str]) -> Iterator[str]:
    """Who has the asked state of mind if this option is right: those it names; both; or nobody."""
    named = frozenset(one for one in said if one[0] == "@")
    alone = not named or "only" in words
    everybody = "both" in words or "all" in words
    for person in sorted(people):
        if person[0] == "@" and (person in named or alone):
            for mind in minds:
                claim = _of_person(person, mind)
                yield claim if person in named or everybody else flip(claim)


def _of_person(person: str, mind: str) -> str:
    return f"!{person}>{mind[1:]}" if mind[0] == "!" else f"{person}>{mind}"


def _depth(claim: str) -> int:
    return claim.count(">")


def claims_of(said: Iterable[Sentence]) -> frozenset[str]:
    """Who is said to have which state of mind."""
    return frozenset(attribution.claim for sentence in said for attribution in sentence.attributions)


def phrase(text: str) -> str:
    """The words in lower case with one space around each, so that `in` finds whole-word phrases."""
    return f" {' '.join(raw for raw in _TOKEN.findall(text.lower()) if raw[0].isalnum())} "


def flip(one: str) -> str:
    """A signed word under the other sign."""
    return one[1:] if one[0] == "!" else "!" + one


def plain(one: str) -> str:
    """A signed word without its sign."""
    return one[1:] if one[0] == "!" else one
