"""What the `rules` judge knows of a scenario: its people, its clauses, whom it asks about, what tells options apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from socialr1_lite.judges.language import choices, lexicon
from socialr1_lite.judges.language import sentence as grammar
from socialr1_lite.judges.language.choices import content_of, signed_of, union
from socialr1_lite.judges.language.sentence import TOKEN, ReadingContext, Sentence, Subject, read, read_sentence
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import sentences

__all__ = ["Clause", "ScenarioReading", "clear_readings", "read", "reading_of"]

SCENARIOS_KEPT = 32  # scenarios whose reading is remembered
SUPPORTS_KEPT = 256  # cues whose support is remembered, for each of these
PHRASE_WORDS = 3  # from here on an option is looked for as a whole
CLAUSE_WORDS = 2  # content words, names aside, that make a clause of the story stand alone
LONGEST_NAME = 3  # words

Run = tuple[str, ...]  # the words of a name, in lower case


class Clause(NamedTuple):
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
    mentions: Mapping[str, Sequence[int]] = field(default_factory=dict)
    question: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    marks: tuple[frozenset[str], ...] = ()
    shown: tuple[frozenset[str], ...] = ()
    claims: tuple[frozenset[str], ...] = ()
    phrases: tuple[str, ...] = ()
    yes_no: tuple[int, int] | None = None
    english: bool = True
    supports: dict[str, float] = field(default_factory=dict)
    told: frozenset[str] = frozenset()  # the story's sentences, by their keys


def reading_of(scenario: Scenario) -> ScenarioReading:
    """Read a scenario; the last `SCENARIOS_KEPT` are remembered by what they say."""
    return _reading(scenario.story, scenario.question, scenario.options)


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
    known, in_question = content_of(everything), content_of(wanted)
    clauses, mentions = _clauses(story, bare), defaultdict[str, list[int]](list)
    for number, clause in enumerate(clauses):
        for one in clause.content:
            mentions[one].append(number)
    asked = wanting = () if shown and all(map(choices.is_person, shown)) else asked
    claims = choices.claims_of_options(shown, wanted)
    if fooled := choices.pretence(shown, wanted):
        asked, claims = fooled
    return ScenarioReading(
        names=names,
        aliases=aliases,
        asked=asked,
        wanting=wanting,
        known=known,
        specific=(known - lexicon.REASONING) | choices.distinguishing(shown),
        people=union(sentence.people for sentence in everything),
        clauses=clauses,
        mentions=mentions,
        question=in_question,
        options=content_of(in_options),
        marks=choices.marks_of(shown, frozenset(one for one in in_question if one[0] != "@")),
        shown=tuple(map(signed_of, shown)),
        claims=claims,
        phrases=tuple(choices.phrase(option) if len(option.split()) >= PHRASE_WORDS else "" for option in options),
        yes_no=choices.yes_no(options),
        told=frozenset(story[start:end].lower() for start, end in sentences(story)),
        # at least half of the characters ASCII: enough to tell English from Chinese
        english=2 * sum(map(str.isascii, f"{story} {question}")) > len(story) + len(question),
    )


clear_readings = _reading.cache_clear  # a benchmark shows what remembering saves


def _clauses(story: str, context: ReadingContext) -> tuple[Clause, ...]:
    """Cut the story into clauses: sentences, cut at commas where both sides say enough."""
    found: list[Clause] = []
    carried: frozenset[str] = frozenset()
    for start, end in sentences(story):
        for piece in pieces(story[start:end], context):
            if piece.content:
                people = piece.people or carried
                if not lexicon.REFERRING.isdisjoint(raw.lower() for raw in TOKEN.findall(piece.text)):
                    people |= carried
                carried = people if piece.people or not carried else carried
                found.append(Clause(piece.content, piece.signed, piece.people, people))
    return tuple(found)


def pieces(text: str, context: ReadingContext) -> list[Sentence]:
    """Cut a sentence at its commas and semicolons; a piece too short to stand alone joins its neighbour."""
    found: list[tuple[str, int]] = []  # pieces and their sizes
    for part in re.split(r"(?<=[,;])\s", text):
        size = sum(one[0] != "@" for one in read_sentence(part, context, Subject()).content)  # names do not count
        if found and (size < CLAUSE_WORDS or found[-1][1] < CLAUSE_WORDS):
            before, other = found.pop()
            part, size = f"{before} {part}", other + size
        found.append((part, size))
    return [read_sentence(piece, context, Subject()) for piece, _ in found]


def _asked(question: str, context: ReadingContext) -> tuple[str, ...]:
    """Find whom the question asks about: the subject of its inverted clause, else the first person it names.

    A second entry is the person whose mind the first one's thought is about ("Where does Anna think Ben ...").
    """
    people: list[tuple[str, int]] = []
    verbs: list[int] = []
    inverted: str | None = None
    tokens = grammar.words_of(question)
    place, waiting = 0, False
    while place < len(tokens):
        base, root, kind = tokens[place]
        at = place
        place += 1
        mention = "@" + root if kind & grammar.ROLE else ""
        if base in context.aliases or base in context.names:
            mention, place = grammar.mention_at(tokens, at, context)
        if mention:
            owns = tokens[place - 1].kind & grammar.OWNING
            if not (owns and place < len(tokens) and tokens[place].kind & grammar.ROLE):
                people.append((mention, at))
                inverted = inverted or (mention if waiting else None)
                waiting = False
        elif kind & grammar.PRONOUN and waiting and people:
            inverted, waiting = inverted or people[-1][0], False
        elif base in lexicon.INVERTING:
            waiting = True
        elif kind & grammar.WRITER or base in ",?":
            waiting = False
        if kind & grammar.MENTAL:
            verbs.append(at)
    if not people:
        return ()
    outer = inverted or people[0][0]
    at = next(at for person, at in people if person == outer)
    inner = next((p for p, where in people if where > at and p != outer and any(at < v < where for v in verbs)), None)
    return (outer,) if inner is None else (outer, inner)


def names_in(texts: Iterable[str]) -> tuple[dict[str, tuple[tuple[Run, str], ...]], dict[str, str]]:
    """Find the names of some texts: by their first word, and by any word that belongs to one name only.

    First: first word -> (words, "@name") of the names that start with it, longest first. Second: word -> "@name".
    """
    found: dict[Run, None] = {}
    lower: set[str] = set()
    opening: dict[Run, str] = {}  # runs seen only where a sentence starts -> the word behind
    for text in texts:
        for start, end in sentences(text):
            raw = TOKEN.findall(text[start:end])
            lower.update(token for token in raw if token[0].islower())
            for run, place in _capital_runs(grammar.words_of(text[start:end])):
                if place == 0 or raw[place - 1] in '"“:':
                    opening.setdefault(run, raw[place + len(run)].lower() if place + len(run) < len(raw) else "")
                else:
                    found[run] = None
    found |= dict.fromkeys(run for run, behind in opening.items() if len(run) > 1 or _takes_a_subject(behind))
    kept = [run for run in found if len(run) > 1 or run[0] not in lower]
    starts: dict[str, list[tuple[Run, str]]] = {}
    owners: dict[str, set[Run]] = {}
    for run in kept:
        starts.setdefault(run[0], []).append((run, "@" + " ".join(run)))
        for one in run:
            owners.setdefault(one, set()).add(run)
    aliases = {one: "@" + " ".join(next(iter(runs))) for one, runs in owners.items() if len(runs) == 1}
    aliases |= {run[0]: "@" + run[0] for run in kept if len(run) == 1}
    names = {first: tuple(sorted(runs, key=lambda run: (-len(run[0]), run))) for first, runs in starts.items()}
    return names, aliases


def _capital_runs(tokens: Sequence[grammar.Word]) -> Iterator[tuple[Run, int]]:
    """Yield (lower-case words, place) of each run of capitalised words that are no ordinary words."""
    place = 0
    while place < len(tokens):
        run: list[str] = []
        for word in takewhile(_looks_like_a_name, tokens[place : place + LONGEST_NAME]):
            run.append(word.base)
            if word.kind & grammar.OWNING:
                break
        if run:
            yield tuple(run), place
        place += len(run) or 1


def _looks_like_a_name(word: grammar.Word) -> bool:
    return bool(
        word.kind & grammar.CAPITAL
        and word.kind & grammar.CONTENT
        and not word.kind & (grammar.LICENSED | grammar.WRITER | grammar.BREAKS | grammar.SKIPPED)
        and word.base not in lexicon.CALENDAR
        and len(word.base) > 1
    )


def _takes_a_subject(behind: str) -> bool:
    """Return whether the word behind a capitalised opening word makes that one a subject: "Anna puts", "Anna and"."""
    return behind in ("and", "is", "was", "has", "had", ",") or (
        behind.endswith(("s", "ed")) and behind not in lexicon.STOP and len(behind) > 2
    )
