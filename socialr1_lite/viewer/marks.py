"""Which words of a reply speak of which sentence of the story, and which words deserve a mark.

Everything is found in character offsets and handed on as pieces of text, for a browser counts characters differently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import NamedTuple

from socialr1_lite.judges.facts import supporting_sentence
from socialr1_lite.rewards.structure import early_answers
from socialr1_lite.scenario import Facts, Scenario
from socialr1_lite.sip import STAGES, Reply, Span, sentences
from socialr1_lite.viewer.serving import Json

SUPPORTED = 0.6  # [ours] share of a cue sentence's content words that one sentence of the story must hold
USES = 0.34  # [ours] the same for an interpretation that draws on a cue
COMMON_AT_LEAST = 2  # content words: a single one in common is chance
CLAIM_WORDS = 3  # a shorter sentence claims too little to be called invented
LOOP_N = 4  # words: the n-gram of the repetition penalty
LOOP_WORDS = 8  # shorter repetitions are ordinary language
MAX_MARKED = 60_000  # characters: beyond that a reply is shown without marks

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
COMMON_WORDS = (
    "a an the and or but if then than that this these those there here he she it they we you i his her its their "
    "our your him them us me my is are was were be been being am do does did done has have had having will would "
    "can could shall should may might must not no nor so as at by for from in into of off on onto out over to up "
    "with about after before during while who whom whose which what when where why how all any both each few more "
    "most other some such only own same too very just also still again back first next later one two says said "
    "say story "
)
COMMON = frozenset(COMMON_WORDS.split())


class Mark(NamedTuple):
    """text[start:end] is of this kind, for this reason, and speaks of these sentences of the story."""

    start: int
    end: int
    kind: str
    why: str = ""
    cues: tuple[int, ...] = ()


@lru_cache(maxsize=4096)
def content_words(text: str) -> frozenset[str]:
    """Return the words that carry meaning, folded and without their plainest endings."""
    words = map(str.casefold, WORD.findall(text))
    return frozenset(_stem(word) for word in words if word not in COMMON and len(word) > 1)


def _stem(word: str) -> str:
    word = re.sub(r"['’]s?$", "", word)
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def best_match(said: str, story: Sequence[frozenset[str]], least: float) -> int | None:
    """Return the sentence of the story that shares most of `said`'s content words; None below `least`."""
    words = content_words(said)
    if not words:
        return None
    shared = [len(words & sentence) for sentence in story]
    top = max(range(len(shared)), key=shared.__getitem__, default=None)
    enough = max(least * len(words), COMMON_AT_LEAST)
    return top if top is not None and shared[top] >= enough else None


def stage_marks(reply: Reply, scenario: Scenario | None) -> list[Mark]:
    """Find all marks in a reply's segments: supported and invented cues, their use, early answers, loops."""
    if len(reply.text) > MAX_MARKED:
        return []
    marks = loops(reply)
    if scenario is not None:
        story = [content_words(scenario.story[start:end]) for start, end in sentences(scenario.story)]
        marks += cue_marks(reply, story, scenario.facts) + early_marks(reply, scenario)
    return marks


def cue_marks(reply: Reply, story: Sequence[frozenset[str]], facts: Facts | None) -> list[Mark]:
    """Mark what Cue Encoding quotes (or invents), and where Cue Interpretation uses a cue that was quoted.

    Words alone tell that a sentence is meant; with the story's `facts` it also has to speak of the right ones.
    """
    marks: list[Mark] = []
    quoted: set[int] = set()
    for start, end in _stage_sentences(reply, STAGES[0]):
        said = reply.text[start:end]
        found = like = best_match(said, story, SUPPORTED)
        if like is not None and facts is not None:
            meant = supporting_sentence(said, facts)
            found = best_match(meant, story, SUPPORTED) if meant else None
        if found is None and like is not None:
            why = f"sentence {like + 1} of the story is like it, but of somebody or something else, or not denied"
            marks.append(Mark(start, end, "invented", why))
        elif found is not None:
            quoted.add(found)
            marks.append(Mark(start, end, "quote", f"sentence {found + 1} of the story", (found,)))
        elif len(content_words(said)) >= CLAIM_WORDS:
            marks.append(Mark(start, end, "invented", "no sentence of the story says this"))
    kept = [sentence if i in quoted else frozenset[str]() for i, sentence in enumerate(story)]
    for start, end in _stage_sentences(reply, STAGES[1]):
        found = best_match(reply.text[start:end], kept, USES)
        if found is not None:
            marks.append(Mark(start, end, "uses", f"draws on sentence {found + 1} of the story", (found,)))
    return marks


def early_marks(reply: Reply, scenario: Scenario) -> list[Mark]:
    """Mark where the reply settles on an option early: what the reward calls reasoning parasitism."""
    why = "settles on an option before the interpretation that should lead to it"
    return [Mark(*span, "early", why) for span in early_answers(reply, scenario)]


def loops(reply: Reply) -> list[Mark]:
    """Mark stretches of at least LOOP_WORDS words that say again what was said word for word."""
    words = [(found.start(), found.end(), found[0].casefold()) for found in WORD.finditer(reply.text)]
    seen: Counter[tuple[str, ...]] = Counter()
    again = [False] * len(words)
    for i in range(len(words) - LOOP_N + 1):
        gram = tuple(word for _, _, word in words[i : i + LOOP_N])
        if seen[gram]:
            again[i : i + LOOP_N] = [True] * LOOP_N
        seen[gram] += 1
    runs = ([*run] for repeated, run in groupby(range(len(words)), key=again.__getitem__) if repeated)
    long = (run for run in runs if len(run) >= LOOP_WORDS)
    return [Mark(words[run[0]][0], words[run[-1]][1], "loop", "said before, word for word") for run in long]


def pieces(text: str, span: Span | tuple[int, int], marks: Iterable[Mark]) -> list[Json]:
    """Return text[span] cut at the ends of marks: [{"t": text, "k": kinds, "why", "cue"}]; joined they give it back."""
    start, end = span
    inside = [mark for mark in marks if mark.start < end and mark.end > start]
    cuts = sorted({start, end, *(min(max(at, start), end) for mark in inside for at in (mark.start, mark.end))})
    cut = []
    for left, right in pairwise(cuts):
        over = [mark for mark in inside if mark.start <= left and mark.end >= right]
        piece: Json = {"t": text[left:right]}
        if over:
            piece["k"] = sorted({mark.kind for mark in over})
            piece["why"] = "; ".join(dict.fromkeys(mark.why for mark in over if mark.why))
            if cues := sorted({cue for mark in over for cue in mark.cues}):
                piece["cue"] = cues
        cut.append(piece)
    return cut


def _stage_sentences(reply: Reply, stage: str) -> Iterable[tuple[int, int]]:
    """Give the sentences of a stage; of cues those that semicolons join, one by one, as the judges read them."""
    for segment in reply.segments:
        if segment.stage == stage:
            body = reply.body(segment)
            for start, end in sentences(body.replace(";", ".") if stage == STAGES[0] else body):
                yield segment.body.start + start, segment.body.start + end
