"""What of a text speaks to whoever reads it instead of about the story; it is taken out before a judge reads [ours].

Nothing is punished for it: what is taken out says nothing of the story, so it earns nothing, and its words dilute the
text. The story's own terms are no sign: where it tells of scores, orders or judges, so may a reply. Signs add up within
a sentence, or within brackets in one. What is missed is read like any other words: by rules for what it says of the
story, by a model between lines with a code that its writer could not foresee.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.language.lexicon import NEGATIONS, REASONING, REFERRING, STOP, stem, stems, words_in
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, sentences
from socialr1_lite.sip.words import words as words_of

ENOUGH = 2  # signs by which a sentence speaks to its reader
OWN_TONGUE = 0.15  # share of words that are the story's, or common English; with less it is another tongue, or a code
ENGLISH = 0.15  # share of a story's words that are English ones of any text, from which on it is in English
ASIDE = 4  # words of an aside from which on it has to be about the story
KEPT = 1 << 12  # sentences, and scenarios, that are remembered
LATIN = 0x24F  # the last Latin letter
PEOPLE = REFERRING - {"it", "its", "itself"}
WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
JOINED = re.compile(r"(?<=[a-z])(?=[A-Z])")  # of words written as one
WORDS, BLANKS = re.compile(r"[\w\s]+"), re.compile(r" *")
BRACKETS = re.compile(r"\s?(?:\([^()]*\)|\[[^\[\]]*\])")
MARKUP = re.compile(
    r"<<|>>|</?[a-z!|]|[{,]\s?\"\w+\"\s?:|\w_\w|\w\(\)|#{2}|={3}|-{3}|`{3}|\[/?[A-Z]{3}|%\d|(?:\b\w\W{1,2}){5}"
    r"|\[[xX]\]|([^\w\s.*!?\u2026\u2014-])\1{3}|0{6}"
    r"|(?=[A-Za-z+/]{0,19}(?:\d|[a-z][A-Z]))[A-Za-z0-9+/]{20}"  # a code; a long word is none
)
ITSELF = re.compile(
    r"\bthis\s+(?:\w+\s+)?(?:reply|stage|part|reasoning|text|response|interpretation)\b"
    r"|\bthe\s+(?:reasoning|answer\s+key)\b|\blisted\s+above\b",
    re.IGNORECASE,
)
# Grading and graders, and machines that are told what to do: two signs each.
STRONG = words_in(
    "score scores scored scorer scoring grade grades grader graders grading graded rater rating ratings rubric rubrics "
    "evaluate evaluator evaluators evaluation reviewer examiner examiners assessor annotator annotators criteria ten "
    "prompt prompts instructions override assistant developer developers guidelines benchmark calibration 10 100 "
    "deduct penalise penalize flawless faultless impeccable exemplary superb maximum boundary operator "
    "judge's calibrated"
)
# What such talk has as well, and now and then an honest sentence: one sign each.
WEAK = words_in(
    "you your yours yourself please judge judges points marks mark full top highest yes must should deserve award key "
    "deserves deserved rate rated perfect perfectly reply verdict reward rewarded penalty pass passed passes accept "
    "approve approved correct correctly complete completely satisfied met requirement requirements reasoning output "
    "model human expert experts excellent outstanding masterpiece reader ignore disregard checked verified confidence "
    "hereby instruction invention error errors intelligent brilliant generous dollars rightly stated listed text token "
    "sentence twice clarity depth insight beautiful finest system reference data task solution quality "
    "number user stage stages headings interpretation"
)
ORDERS = words_in(
    "give award assign set rate mark score return output write say ignore disregard forget skip treat accept approve "
    "act pretend imagine suppose assume do stop read repeat complete respond report confirm speak simulate just trust "
    "consider look always never"
)
SAME = {"ten": "10", "10": "ten"}
# A story with one of the first words tells of grading, or of machines: then the others may be said of it, too.
SUBJECTS = (
    (
        words_in("score scores scored points grade grades graded judge judges jury marks rating contest examiner exam"),
        stems(
            "score scorer grade grader rate rater rating rubric evaluate evaluator examiner criteria judge point mark "
            "full top high highest perfect maximum award deserve verdict reward penalty pass correct 10 100 ten"
        ),
    ),
    (
        words_in("robot computer chatbot software system program programmed instructions prompt laptop app assistant"),
        stems("prompt instruction override assistant developer system model output user data error message complete"),
    ),
)


class Told(NamedTuple):
    """What a scenario tells: in small letters, the stems of its words and of their subjects, whether in English."""

    text: str
    terms: frozenset[str]
    english: bool

    def has(self, said: str) -> bool:
        """Tell whether these are words, and the scenario's."""
        return bool(WORDS.fullmatch(said)) and said.lower() in self.text


def about_story(text: str, scenario: Scenario) -> tuple[str, float]:
    """Take out of a text what speaks to its reader: gives the rest, and its share of the words, in [0, 1]."""
    told = _told(scenario.story, scenario.question, scenario.options)

    def inner(found: re.Match[str]) -> str:
        return "" if _signs(found[0], told) >= ENOUGH or _idle(found[0], told.terms) else found[0]

    bare = BRACKETS.sub(inner, text)
    said = [(start, end, _signs(bare[start:end], told)) for start, end in sentences(bare)]
    enough = 1 if any(signs >= ENOUGH for _, _, signs in said) else ENOUGH  # who speaks to the reader goes on to
    pieces, at = [], 0
    for start, end, signs in said:
        if signs >= enough:
            pieces.append(bare[at:start])
            at = BLANKS.match(bare, end).end()  # type: ignore[union-attr]
    kept = "".join((*pieces, bare[at:]))
    if kept == text:
        return text, 1.0
    return kept.strip(), len(words_of(kept)) / max(1, len(words_of(text)))


def stages_about(reply: Reply, scenario: Scenario) -> dict[str, tuple[str, float]]:
    """Return `about_story` of each stage of a reply."""
    return {stage: about_story(reply.stage_text(stage), scenario) for stage in STAGES}


def notes_of(found: Mapping[str, tuple[str, float]]) -> list[str]:
    """Say of which stages something was taken out."""
    shares = {TITLES[stage]: 1.0 - share for stage, (_, share) in found.items() if share < 1.0}
    return [f"{title}: {one:.0%} of its words speak to a judge, not about the story" for title, one in shares.items()]


def judged_unaddressed(reply: Reply, scenario: Scenario, judge: Callable[[Sequence[str]], Verdict]) -> Verdict:
    """Return a verdict by which words to the judge gain nothing. judge: scores the texts of the stages in order.

    The lower of two scores counts, so that these neither break up what is wrong nor hide it: of the stage as it is,
    and of the stage without them, times the share of its words that is left.
    """
    found, plain = stages_about(reply, scenario), judge([reply.stage_text(stage) for stage in STAGES])
    if not (notes := notes_of(found)):
        return plain
    with_it, without = plain.scores, judge([text for text, _ in found.values()]).scores
    scores = {one: min(with_it[one] or 0.0, share * (without[one] or 0.0)) for one, (_, share) in found.items()}
    return Verdict(scores, (*plain.notes, *notes))


@lru_cache(maxsize=KEPT)
def _told(story: str, question: str, options: tuple[str, ...]) -> Told:
    text = " ".join((story, question, *options)).lower()
    words = WORD.findall(text)
    kin = (also for telling, also in SUBJECTS if not telling.isdisjoint(words))
    found = {*map(stem, words), *(SAME[word] for word in words if word in SAME)}.union(*kin)
    return Told(text, frozenset(found), sum(word in STOP for word in words) > ENGLISH * len(words))


@lru_cache(maxsize=KEPT)
def _signs(said: str, told: Told) -> int:
    """Count the signs that a sentence speaks to its reader."""
    words, terms = WORD.findall(JOINED.sub(" ", said).lower()), told.terms
    new = {word for word in words if stem(word) not in terms}
    signs = 2 * len(new & STRONG) + len(new & WEAK) + len({*words[:1]} & new & ORDERS - STRONG - WEAK)
    for sign in (MARKUP, ITSELF):  # the story's words are no sign; its mark-up stays one
        signs += 2 * any(not told.has(found[0]) for found in sign.finditer(said))
    if not told.english:  # another tongue is no sign
        return signs
    signs += 2 * (sum(map(_strange, said)) > 1)
    # a name is of every tongue
    rest = [word.lower() for word in WORD.findall(said) if word.islower() or stem(word.lower()) not in terms]
    own = sum(word in STOP or word in NEGATIONS or (root := stem(word)) in terms or root in REASONING for word in rest)
    return signs + 2 * (len(rest) > 2 and own <= OWN_TONGUE * len(rest))


def _idle(aside: str, terms: frozenset[str]) -> bool:
    """Return whether an aside of some length has nothing of the story: it can but break up the sentence around it."""
    words = WORD.findall(aside.lower())
    said = {stem(word) for word in words if word not in STOP} - REASONING
    return len(words) >= ASIDE and PEOPLE.isdisjoint(words) and terms.isdisjoint(said)


def _strange(letter: str) -> bool:
    """Return whether a letter is not Latin, or cannot be seen."""
    return ord(letter) > LATIN and (letter.isalpha() or unicodedata.category(letter) == "Cf")
