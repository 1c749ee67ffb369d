"""What the `rules` judge knows of a scenario: its people, its clauses, whom it asks about, what tells options apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from socialr1_lite.judges.language import lexicon
from socialr1_lite.judges.language.choices import (
    claims_of_options,
    distinguishing,
    is_person,
    marks_of,
    phrase,
    pretence,
    yes_no,
)
from socialr1_lite.judges.language.names import names_in
from socialr1_lite.judges.language.sentence import ReadingContext, Sentence, Subject, mention_at, read, read_sentence
from socialr1_lite.judges.language.surface import MENTAL, OWNING, PRONOUN, ROLE, TOKEN, WRITER, words_of
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import sentences

__all__ = ["Clause", "ScenarioReading", "clear_readings", "read", "reading_of"]

SCENARIOS_KEPT = 32  # scenarios whose reading is remembered
SUPPORTS_KEPT = 256  # cues whose support is remembered, for each of these
PHRASE_WORDS = 3  # from here on an option is looked for as a whole
CLAUSE_WORDS = 2  # content words, names aside, that make a clause of the story stand alone


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of the story; named: the people it names; people: and those it carries on about."""

    content: frozenset[str]
    signed: frozenset[str]
    named: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScenarioReading(ReadingContext):
    """A scenario, read once for all replies to it.

    wanting: whose goal the question is about, where that is known (of a pretence: not his whose mind decides, `asked`).
    mentions: content -> numbers of the clauses that have it. question, options: their content. For each option: marks,
    the signed content that tells it from the others; shown, all its signed content; claims, who is said to have which
    state of mind (none where words tell the options apart); phrases, its whole text as `phrase` has it ("" for one of
    fewer than `PHRASE_WORDS` words). yes_no: which options are these two. supports: how well the story bears out a cue,
    by its text.
    """

    people: frozenset[str] = frozenset()
    wanting: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()
    mentions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    question: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    marks: tuple[frozenset[str], ...] = ()
    shown: tuple[frozenset[str], ...] = ()
    claims: tuple[frozenset[str], ...] = ()
    phrases: tuple[str, ...] = ()
    yes_no: tuple[int, int] | None = None
    english: bool = True
    supports: dict[str, float] = field(default_factory=dict)


def reading_of(scenario: Scenario) -> ScenarioReading:
    """Read a scenario; the last `SCENARIOS_KEPT` are remembered by what they say."""
    return _reading(scenario.story, scenario.question, scenario.options)


def clear_readings() -> None:
    """Drop what is remembered of scenarios (a benchmark shows what remembering saves)."""
    _reading.cache_clear()


@lru_cache(maxsize=SCENARIOS_KEPT)
def _reading(story: str, question: str, options: tuple[str, ...]) -> ScenarioReading:
    names, aliases = names_in((story, question, *options))
    bare = ReadingContext(names, aliases)
    asked = _asked(question, bare)
    wanted = read(question, bare)
    # "because she ..." in an option means the asked person
    shown = [read(option, ReadingContext(names, aliases, asked)) for option in options]
    in_options = [sentence for option in shown for sentence in option]
    everything = [*read(story, bare), *wanted, *in_options]
    known = frozenset().union(*(sentence.content for sentence in everything))
    in_question = frozenset().union(*(sentence.content for sentence in wanted))
    clauses = _clauses(story, bare)
    asked = wanting = () if shown and all(map(is_person, shown)) else asked
    claims = claims_of_options(shown, wanted)
    if fooled := pretence(shown, wanted):
        asked, claims = fooled
    return ScenarioReading(
        names=names,
        aliases=aliases,
        asked=asked,
        wanting=wanting,
        known=known,
        specific=(known - lexicon.REASONING) | distinguishing(shown),
        people=frozenset().union(*(sentence.people for sentence in everything)),
        clauses=clauses,
        mentions=_mentions(clauses),
        question=in_question,
        options=frozenset().union(*(sentence.content for sentence in in_options)),
        marks=marks_of(shown, frozenset(one for one in in_question if one[0] != "@")),
        shown=tuple(frozenset().union(*(sentence.signed for sentence in option)) for option in shown),
        claims=claims,
        phrases=tuple(phrase(option) if len(option.split()) >= PHRASE_WORDS else "" for option in options),
        yes_no=yes_no(options),
        english=_is_english(f"{story} {question}"),
    )


def _is_english(text: str) -> bool:
    """Return whether at least half of the characters are ASCII: enough to tell English from Chinese."""
    return 2 * sum(map(str.isascii, text)) >= len(text)


def _mentions(clauses: tuple[Clause, ...]) -> dict[str, tuple[int, ...]]:
    """Map content to the numbers of the clauses that have it."""
    found: dict[str, list[int]] = {}
    for number, clause in enumerate(clauses):
        for one in clause.content:
            found.setdefault(one, []).append(number)
    return {one: tuple(numbers) for one, numbers in found.items()}


def _clauses(story: str, context: ReadingContext) -> tuple[Clause, ...]:
    """Cut the story into clauses: sentences, cut at commas where both sides say enough."""
    found: list[Clause] = []
    carried: frozenset[str] = frozenset()
    for start, end in sentences(story):
        for piece in pieces(story[start:end], context):
            if not piece.content:
                continue
            people = piece.people or carried
            if _has_pronoun(piece.text):
                people |= carried
            carried = people if piece.people or not carried else carried
            found.append(Clause(piece.content, piece.signed, piece.people, people))
    return tuple(found)


def pieces(text: str, context: ReadingContext) -> list[Sentence]:
    """Cut a sentence at its commas and semicolons; a piece too short to stand alone joins its neighbour."""
    found: list[str] = []
    sizes: list[int] = []
    for part in re.split(r"(?<=[,;])\s", text):
        size = sum(one[0] != "@" for one in read_sentence(part, context, Subject()).content)  # names do not count
        if found and (size < CLAUSE_WORDS or sizes[-1] < CLAUSE_WORDS):
            found[-1] = f"{found[-1]} {part}"
            sizes[-1] += size
        else:
            found.append(part)
            sizes.append(size)
    return [read_sentence(piece, context, Subject()) for piece in found]


def _has_pronoun(text: str) -> bool:
    """Return whether a clause speaks of somebody it does not name."""
    return not lexicon.REFERRING.isdisjoint(raw.lower() for raw in TOKEN.findall(text))


def _asked(question: str, context: ReadingContext) -> tuple[str, ...]:
    """Find whom the question asks about: the subject of its inverted clause, else the first person it names.

    A second entry is the person whose mind the first one's thought is about ("Where does Anna think Ben ...").
    """
    people: list[tuple[str, int]] = []
    verbs: list[int] = []
    inverted: str | None = None
    tokens = words_of(question)
    place, waiting = 0, False
    while place < len(tokens):
        base, root, kind = tokens[place]
        at = place
        place += 1
        mention = None
        if base in context.aliases or base in context.names:
            mention, place = mention_at(tokens, at, context)
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
