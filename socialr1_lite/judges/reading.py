"""What the `rules` judge reads: a scenario as names, clauses and option words; a text as sentences with attributions.

Plain pattern reading of English, linear in the text. A content word is kept by its stem, a name as "@name", and
either with a leading "!" where it stands under a negation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from socialr1_lite.judges import lexicon
from socialr1_lite.judges.lexicon import stem
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import sentences

WORDS_KEPT = 1 << 16  # distinct surface words whose properties are remembered
SCENARIOS_KEPT = 256  # scenarios whose reading is remembered
LONGEST_NAME = 3  # words
CLAUSE_WORDS = 3  # content words that make a clause of the story stand alone

# Properties of a surface word.
CONTENT, NEGATES, BREAKS, CUTS, MENTAL, SKIPPED, PRONOUN, WRITER = (1 << bit for bit in range(8))
LICENSED, GOAL, OBJECT, ROLE, CAPITAL, OWNING, PERCEIVING, OPPOSITE = (1 << bit for bit in range(8, 16))

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[,;:.!?()\"“”—–]")
_CLAUSE_END = frozenset([",", ";", ":", ".", "!", "?", "—", "–"])
_CUTTING = frozenset(
    [";", "but", "although", "though", "while", "whereas", "because", "since", "so", "unless", "before", "after", "when", "until", "however"]
)
_PERCEIVING = lexicon.stems("see hear notice perceive learn remember watch observe look miss overlook")
_CALENDAR = frozenset(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december", "mr", "mrs", "ms", "dr", "english", "chinese", "sip", "mother's", "ok", "okay", "yes"]
)


class Word(NamedTuple):
    """A surface word: lower case without possessive ending, its stem, and the properties above."""

    base: str
    stem: str
    kind: int


class Attribution(NamedTuple):
    """`chain[0]` thinks (that chain[1] thinks) what `said` holds; perceiving: sees or hears it, no more."""

    chain: tuple[str, ...]
    said: frozenset[str]
    perceiving: bool


class Sentence(NamedTuple):
    """One sentence, read."""

    text: str
    size: int  # words
    content: frozenset[str]  # stems and names, without signs
    signed: frozenset[str]
    people: frozenset[str]
    attributions: tuple[Attribution, ...]
    goal: bool  # has a word of wanting, aiming or asking
    strangers: tuple[str, ...]  # names and things that the scenario does not know


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
    option the signed content that tells it from the others.
    """

    names: dict[str, tuple[tuple[tuple[str, ...], str], ...]]
    aliases: dict[str, str]
    people: frozenset[str]
    known: frozenset[str]
    specific: frozenset[str]
    clauses: tuple[Clause, ...]
    mentions: dict[str, tuple[int, ...]]
    asked: tuple[str, ...]
    question: frozenset[str]
    marks: tuple[frozenset[str], ...]
    options: frozenset[str]
    english: bool


@lru_cache(maxsize=WORDS_KEPT)
def word(raw: str) -> Word:
    """The properties of a surface word."""
    lower = raw.lower()
    base = lower
    owning = lower.endswith(("'s", "’s"))
    if owning:
        base = lower[:-2]
    kind = OWNING if owning else 0
    if raw[0].isupper():
        kind |= CAPITAL
    plain = lower.replace("’", "'")
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
    return Word(base, root, kind)


_MEMBERS = (
    (lexicon.MENTAL, MENTAL), (lexicon.REASONING, LICENSED), (lexicon.GOAL, GOAL), (lexicon.OBJECTS, OBJECT),
    (lexicon.ROLES, ROLE), (_PERCEIVING, PERCEIVING),
)  # fmt: skip


def world_of(scenario: Scenario) -> World:
    """The scenario's reading, remembered for the last `SCENARIOS_KEPT` scenarios by what they say."""
    return _world(scenario.story, scenario.question, scenario.options)


@lru_cache(maxsize=SCENARIOS_KEPT)
def _world(story: str, question: str, options: tuple[str, ...]) -> World:
    names, aliases = _names((story, question, *options))
    bare = World(
        names, aliases, frozenset(), frozenset(), frozenset(), (), {}, (), frozenset(), (), frozenset(), True
    )
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
        specific=frozenset(one for one in known if one not in lexicon.REASONING),
        clauses=clauses,
        mentions={one: tuple(places) for one, places in mentions.items()},
        asked=_asked(question, bare),
        question=asked_words,
        marks=_marks(shown, frozenset(one for one in asked_words if one[0] != "@")),
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
                    opening.setdefault(
                        run, raw[place + len(run)].lower() if place + len(run) < len(raw) else ""
                    )
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
    names = {
        first: tuple(sorted(runs, key=lambda run: (-len(run[0]), run))) for first, runs in starts.items()
    }
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
    return [_read(text[start:end], world, state) for start, end in sentences(text)]


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
    """One pass over the words of a sentence."""
    tokens = [word(raw) for raw in _TOKEN.findall(text)]
    content: set[str] = set()
    signed: set[str] = set()
    people: set[str] = set()
    attributions: list[Attribution] = []
    strangers: list[str] = []
    saying: set[str] = set()  # what the open attribution says
    chain: tuple[str, ...] = ()
    perceiving = open_ = goal = negated = False
    near: str | None = None  # a mention with nothing but auxiliaries behind it
    clause_first: str | None = None
    first: str | None = None
    fresh = False  # a mention since the last mental word
    bridged = False  # nothing but "that" and auxiliaries since the last mental word
    names, aliases, known = world.names, world.aliases, world.known
    place, size, count = 0, 0, len(tokens)
    while place < count:
        base, root, kind = tokens[place]
        place += 1
        if kind & BREAKS:
            negated = False
            near = clause_first = None
            if kind & CUTS:
                if open_:
                    attributions.append(Attribution(chain, frozenset(saying), perceiving))
                    open_ = False
                bridged = False
            size += base.isalnum()
            continue
        size += 1
        if kind & NEGATES:
            negated = True
            continue
        mention = None
        if base in aliases or base in names:
            mention, place = _mention(tokens, place - 1, world)
        elif kind & PRONOUN:
            mention = state.meant()
        elif kind & WRITER:
            near = clause_first = "#writer"
            fresh = True
            continue
        elif kind & ROLE:
            mention = "@" + root
        if mention is not None:
            if not kind & PRONOUN:
                state.meet(mention)
                people.add(mention)
                content.add(mention)
                one = "!" + mention if negated else mention
                signed.add(one)
                if open_:
                    saying.add(one)
            near = mention
            clause_first = clause_first or mention
            first = first or mention
            fresh = True
            continue
        if not kind & CONTENT:
            if not kind & SKIPPED and base != "that":
                near = None
                bridged = False
            continue
        content.add(root)
        sign = negated != bool(kind & OPPOSITE)
        one = "!" + root if sign else root
        signed.add(one)
        goal = goal or bool(kind & GOAL)
        if kind & MENTAL:
            if fresh or not open_:
                holder = near or clause_first or first or state.last or state.asked
                nested = open_ and bridged and near is not None and near != "#writer"
                if open_:
                    attributions.append(Attribution(chain, frozenset(saying), perceiving))
                if holder is not None and holder != "#writer":
                    chain = (*chain, holder) if nested else (holder,)
                    perceiving = bool(kind & PERCEIVING)
                    saying = set()
                    open_ = True
                else:
                    open_ = False
                fresh = False
            bridged = True
            near = None
        elif not kind & SKIPPED:
            near = None
            bridged = False
        if open_:
            saying.add(one)
        if known and root not in known and not kind & LICENSED and _is_stranger(kind, size):
            strangers.append(base)
    if open_:
        attributions.append(Attribution(chain, frozenset(saying), perceiving))
    return Sentence(
        text,
        size,
        frozenset(content),
        frozenset(signed),
        frozenset(people),
        tuple(attributions),
        goal,
        tuple(strangers),
    )


def _is_stranger(kind: int, size: int) -> bool:
    """Whether a word the scenario does not know is a name (a capital within a sentence) or an ordinary thing."""
    return bool(kind & OBJECT or (kind & CAPITAL and size > 1))


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
    """A sentence cut at its commas and semicolons; a piece too short to stand alone joins the one before it."""
    pieces: list[str] = []
    for part in re.split(r"(?<=[,;])\s", text):
        if pieces and (_size(part) < CLAUSE_WORDS or _size(pieces[-1]) < CLAUSE_WORDS):
            pieces[-1] = f"{pieces[-1]} {part}"
        else:
            pieces.append(part)
    return [_read(piece, world, _Subject(None)) for piece in pieces]


def _size(text: str) -> int:
    return sum(bool(word(raw).kind & CONTENT) for raw in _TOKEN.findall(text))


_REFERRING = frozenset(["he", "she", "they", "it", "him", "her", "them", "his", "hers", "their", "its", "himself", "herself", "themselves"])


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
        elif kind & WRITER or base in ",.?":
            waiting = False
        if kind & MENTAL:
            verbs.append(at)
    if not people:
        return ()
    outer = inverted or people[0][0]
    at = next(at for person, at in people if person == outer)
    inner = next(
        (p for p, where in people if where > at and p != outer and any(at < v < where for v in verbs)), None
    )
    return (outer,) if inner is None else (outer, inner)


_YES = frozenset(("yes", "true"))
_NO = frozenset(("no", "false"))


def _marks(options: Sequence[Sequence[Sentence]], question: frozenset[str]) -> tuple[frozenset[str], ...]:
    """For each option the signed content that not every option has; yes and no stand for the question's content."""
    signed: list[frozenset[str]] = []
    for option in options:
        said = frozenset().union(*(sentence.signed for sentence in option))
        first = _TOKEN.findall(option[0].text)[0].lower() if option and _TOKEN.findall(option[0].text) else ""
        bare = {one.lstrip("!") for one in said} - _YES - _NO - {"true"}
        if not bare and first in _YES:
            said = question
        elif not bare and first in _NO:
            said = frozenset("!" + one for one in question)
        signed.append(said)
    shared = frozenset.intersection(*signed) if signed else frozenset()
    return tuple((said - shared) or said for said in signed)
