"""The `rules` judge: scores the stages by the text of story, question and options alone; no model, no world [ours].

Every stage is scored as (what the stage is for) * (share of its words that are about this scenario) * (no invented
names or things). A sentence that speaks to a judge instead of about the story is not read. What
interpretation and response conclude is held to the right answer where that is known, so that neither is paid beside a
wrong one; a true cue keeps its score. Where it is not known, a reply is held to the story and to itself alone. What
these rules cannot do: tell a right conclusion from a false reason for it, or read what is not said in the words of
story, question and options.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from operator import mul
from typing import NamedTuple

from socialr1_lite.judges.addressed import judged_unaddressed
from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.language.choices import claims_of, content_of, flip, phrase, signed_of, union
from socialr1_lite.judges.language.lexicon import ANSWERING, REASONING
from socialr1_lite.judges.language.reading import SUPPORTS_KEPT, Clause, ScenarioReading, pieces, read, reading_of
from socialr1_lite.judges.language.sentence import Attribution, Sentence
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply

# All constants are [ours]; tests/rewards/test_hacks.py shows that every hack loses under them (docs/rewards.md).
SUPPORTED = 0.5  # share of a cue's content found in a few clauses of the story: fully supported
CLAUSES_A_CUE = 3  # clauses of the story that one cue may draw together
UNSUPPORTED = 0.1  # at or below: invented
CONFLICT = 0.3  # share of the common words under an opposite sign: the cue denies what the story says
QUOTED = 0.8  # share of a clause's content that makes it repeated
FREE_SHARE = 0.7  # share of the story's clauses that may be repeated before it stops being a selection
ANSWER_WORDS = 30  # a sentence that names an option is about the question, up to this length
UNKNOWN_ENTITY_FACTOR = 0.5  # factor for each stage with an invented name or thing
# A response that names the right letter, but in the words of another option or against the interpretation.
LABELLED = 0.8
ABOUT_SOMEBODY = 0.4  # relevance of what is about the people of the story in words of its own
UNATTRIBUTED = 0.7  # a state of mind of nobody that these rules can make out
NEUTRAL = 0.5  # an interpretation that says nothing of any option
OTHER_MIND = 0.3  # a state of mind of somebody, but not of whom the question asks about
DENIAL_FACTOR = 0.6  # "does not think that ..." tells what is not in a mind
LOWER_ORDER = 0.6  # the thought about a thought is missing
DISAGREES = 0.2  # factor for a response at odds with the interpretation


class Agreement(NamedTuple):
    """How a text stands to the options: value in [0, 1] for the chosen one; favoured: the option it speaks for."""

    value: float
    favoured: int | None


PRONOUN = re.compile(r"\b(?:he|she|his|her|him)\b", re.IGNORECASE)
SILENT = Agreement(NEUTRAL, None)


class RulesJudge:
    """Scores stages by rules over the text. English only: other scenarios get no score, which is not 0."""

    name = "rules"
    version = 4
    offline = True
    audit_floor = 1.0

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict for each reply; never fails."""
        reading = reading_of(scenario)
        if not reading.english:
            return [Verdict(dict.fromkeys(STAGES), ("rules: reads English only",)) for _ in replies]
        judge = partial(_judge, reading=reading, gold=scenario.gold)
        return [judged_unaddressed(reply, scenario, partial(judge, reply)) for reply in replies]


def _judge(reply: Reply, texts: Sequence[str], reading: ScenarioReading, gold: tuple[int, ...]) -> Verdict:
    """Read the stages in order, then hold each to the story, to the answer and to the stages before it."""
    said_before: set[str] = set()
    notes: list[str] = []
    stages = [read(_cut(stage, text), reading) if text else [] for stage, text in zip(STAGES, texts, strict=True)]
    relevance = [_relevance(*one, reading, said_before, notes) for one in zip(STAGES, stages, strict=True)]
    cues, *later = stages
    purpose = [_cues(cues, reading, notes), *_later(later, reading, reply.answer, gold, notes)]
    own = [[one for one in said if one.key not in reading.told] for said in later]
    if own != later:  # what is only told again speaks against nothing
        purpose[1:] = map(max, purpose[1:], _later(own, reading, reply.answer, gold, []))
    return Verdict(dict(zip(STAGES, map(mul, purpose, relevance), strict=True)), tuple(notes))


def _later(
    said: Sequence[Sequence[Sentence]],
    reading: ScenarioReading,
    answer: int | None,
    gold: tuple[int, ...],
    notes: list[str],
) -> tuple[float, float, float]:
    """Hold the stages after the cues to what they are for; beside a wrong answer only a goal is paid."""
    interpretation, goal, response = said
    if gold and answer not in gold:
        notes.append("Response Generation: concludes for a wrong answer")
        return 0.0, _goal(goal, reading, notes), 0.0
    thought = _interpreted(interpretation, reading, answer)
    return (
        _interpretation(interpretation, reading, thought, notes),
        _goal(goal, reading, notes),
        _response(interpretation, response, reading, thought, answer, notes),
    )


def _relevance(
    stage: str, said: Sequence[Sentence], reading: ScenarioReading, said_before: set[str], notes: list[str]
) -> float:
    """Return the share of a stage's words about the scenario and new; unknown entities halve it."""
    if not said:
        return 0.0
    value = _share(stage, said, reading, said_before)
    if _is_of_somebody(said, reading):
        value = ABOUT_SOMEBODY + (1.0 - ABOUT_SOMEBODY) * value
    if value < 0.75:
        notes.append(f"{TITLES[stage]}: {1 - value:.0%} of its words are not about this story, or were said before")
    if unknown_entities := {name for sentence in said for name in sentence.unknown_entities}:
        named = ", ".join(sorted(unknown_entities)[:3])
        notes.append(f"{TITLES[stage]}: names what neither story nor question has: {named}")
        value *= UNKNOWN_ENTITY_FACTOR
    return value


def _is_of_somebody(said: Sequence[Sentence], reading: ScenarioReading) -> bool:
    """Return whether a sentence names one of the story's people, or means somebody by a pronoun."""
    return any(one.people & reading.people or PRONOUN.search(one.text) for one in said)


def _share(stage: str, said: Sequence[Sentence], reading: ScenarioReading, said_before: set[str]) -> float:
    size = about = 0.0
    for sentence in said:
        size += sentence.size
        if sentence.key not in said_before:
            if stage in STAGES[:2] and ANSWERING.search(sentence.text):
                continue  # what names the answer early is no reason for it
            answers = stage == STAGES[-1] and sentence.size <= ANSWER_WORDS and _answers(sentence, reading)
            about += sentence.size * (1.0 if answers else sentence.about)
        said_before.add(sentence.key)
    return about / size if size else 0.0


def share_about(stage: str, text: str, scenario: Scenario) -> float:
    """Return the share of a stage's words about the scenario and said once, in [0, 1]; 1 for what is not English."""
    reading = reading_of(scenario)
    return _share(stage, read(_cut(stage, text), reading), reading, set()) if reading.english else 1.0


def selectivity(cues: str, scenario: Scenario) -> float:
    """Return 1 for cues that are chosen from the story, less for ones that repeat it, 0 for all of it; English only."""
    reading = reading_of(scenario)
    return _selectivity(read(_cut(STAGES[0], cues), reading), reading) if reading.english else 1.0


def _cut(stage: str, text: str) -> str:
    """Cut cues given as a list with semicolons: each is a cue of its own."""
    return text.replace(";", ".") if stage == STAGES[0] else text


def _answers(sentence: Sentence, reading: ScenarioReading) -> bool:
    """Return whether a sentence of the response names an option: that is what the stage is for."""
    said = phrase(sentence.text)
    return any(True for _ in _named(sentence, reading)) or any(one and one in said for one in reading.phrases)


def _cues(said: Sequence[Sentence], reading: ScenarioReading, notes: list[str]) -> float:
    """Return the word-weighted support of the cue sentences by the story, times selectivity."""
    size = sum(sentence.size for sentence in said)
    if not size or not reading.clauses:
        return 0.0
    supported = [(_remembered_support(sentence, reading), sentence) for sentence in said]
    value = sum(support * sentence.size for support, sentence in supported) / size
    if invented := [sentence.text for support, sentence in supported if support < 0.5]:
        notes.append(f"Cue Encoding: {len(invented)} of {len(said)} cues are not in the story: {_quote(invented[0])}")
    selective = _selectivity(said, reading)
    if selective < 1.0:
        notes.append(f"Cue Encoding: repeats the story instead of choosing from it (selectivity {selective:.2f})")
    return value * selective


def _remembered_support(cue: Sentence, reading: ScenarioReading) -> float:
    """Return `_support`, remembered: replies to one scenario cite the same sentences."""
    if cue.text not in reading.supports:
        if len(reading.supports) >= SUPPORTS_KEPT:
            reading.supports.clear()
        reading.supports[cue.text] = _support(cue, reading)
    return reading.supports[cue.text]


def _support(cue: Sentence, reading: ScenarioReading) -> float:
    """Return how well the story says what the cue says, in [0, 1]: shared content, people and negations."""
    wanted = frozenset(one for one in cue.content if one in reading.known or one not in REASONING)
    if not wanted:
        return 0.0
    found: frozenset[str] = frozenset()
    clauses: list[Clause] = []
    for _ in range(CLAUSES_A_CUE):
        clause = _best(frozenset(one for one in wanted - found if one[0] != "@" or not clauses), reading)
        if clause is None:
            break
        found |= wanted & clause.content
        clauses.append(clause)
    if not clauses or (cue.people and clauses[0].named and cue.people.isdisjoint(clauses[0].named)):
        return 0.0  # what the story says of somebody else
    people = union(clause.people for clause in clauses)
    if not cue.people <= people or _denies(cue, union(clause.signed for clause in clauses), reading):
        return 0.0
    if len(found) == 1 and not cue.people and not PRONOUN.search(cue.text):
        return 0.0  # one word in common, of nobody: any sentence has that now and then
    return _ramp(len(found) / len(wanted), UNSUPPORTED, SUPPORTED)


def _denies(cue: Sentence, story: frozenset[str], reading: ScenarioReading) -> bool:
    """Return whether a cue says the contrary. A negation reaches no further than its comma, as in the story."""
    if _denied(cue.signed, story) <= CONFLICT:
        return False
    return "," not in cue.text or _denied(signed_of(pieces(cue.text, reading)), story) > CONFLICT


def _best(wanted: frozenset[str], reading: ScenarioReading) -> Clause | None:
    """Find the clause that shares most with `wanted`; of equals the shorter one, then the earlier one."""
    shared = Counter(number for one in wanted for number in reading.mentions.get(one, ()))
    if not shared:
        return None
    clauses = reading.clauses
    return clauses[max(shared, key=lambda number: (shared[number], -len(clauses[number].content), -number))]


def _denied(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the common words that stand under a negation on one side only."""
    same = len(one & other)
    opposed = sum(flip(word) in other and word not in other for word in one)
    return opposed / (same + opposed) if opposed else 0.0


def _selectivity(said: Sequence[Sentence], reading: ScenarioReading) -> float:
    """Return 1 up to `FREE_SHARE` of the story's clauses repeated, 0 for all; of one nothing can be selected."""
    if len(reading.clauses) < 2:
        return 1.0
    repeated = content_of(said)
    quoted = sum(len(clause.content & repeated) >= QUOTED * len(clause.content) for clause in reading.clauses)
    return 1.0 - _ramp(quoted / len(reading.clauses), FREE_SHARE, 1.0)


def _interpretation(said: Sequence[Sentence], reading: ScenarioReading, thought: Agreement, notes: list[str]) -> float:
    """Score whose mind it is, and what is in it: the asked person's, in agreement with the answer given."""
    thinkers = {one.chain[0] for one in _attributions(said)} & reading.people
    if not thinkers:
        if said:
            notes.append("Cue Interpretation: attributes no state of mind to anybody in the story")
        strangers = any(one.unknown_entities for one in said)
        return UNATTRIBUTED if _is_of_somebody(said, reading) and not strangers else 0.0
    mind = 1.0
    if reading.asked:
        if reading.asked[0] not in thinkers:
            notes.append(f"Cue Interpretation: says nothing of what {reading.asked[0][1:].title()} has in mind")
            mind = OTHER_MIND
        elif len(reading.asked) > 1 and not _nests(said, reading.asked):
            notes.append(f"Cue Interpretation: leaves out what is thought of {reading.asked[1][1:].title()}'s mind")
            mind = LOWER_ORDER
    held = _attributions(said, *reading.asked[:1])  # of the asked person, or of anybody
    if denied := sum(one.denied for one in held):
        notes.append("Cue Interpretation: says what is not thought, and leaves open what is")
        mind *= 1.0 - (1.0 - DENIAL_FACTOR) * (denied / len(held))
    if thought.value < NEUTRAL:
        notes.append("Cue Interpretation: speaks against the answer that is given")
    return mind * thought.value


def _nests(said: Sequence[Sentence], asked: tuple[str, ...]) -> bool:
    """Return whether the asked person's thought about the second person is given."""
    held, other = _attributions(said, asked[0]), asked[1]
    return any(other in one.chain[1:] or not one.said.isdisjoint((other, "!" + other)) for one in held)


def _interpreted(said: Sequence[Sentence], reading: ScenarioReading, chosen: int | None) -> Agreement:
    """Return what the asked person's states of mind say of the options; without any, what the stage says at all."""
    if not reading.marks:
        return Agreement(1.0, None)
    if reading.claims:
        agreement = _compare(claims_of(said), reading.claims, chosen)
        if agreement != SILENT:
            return agreement
        if not {_mind(claim) for claim in claims_of(said)}.isdisjoint(map(_mind, union(reading.claims))):
            return SILENT  # somebody who is no option has what is asked for
    asked = reading.asked[:1]
    held = _attributions(said, *asked)
    for perceiving in (False, True):  # what is believed outweighs what was seen
        signs = union(attribution.said for attribution in held if attribution.perceiving is perceiving)
        agreement = _agreement(signs, reading, chosen)
        if agreement != SILENT:
            return agreement
    if asked and held:  # then what only others think is not what the asked person does
        said = [one for one in said if not one.attributions or _attributions([one], *asked)]
    agreement = _agreement(signed_of(said), reading, chosen)
    return agreement if agreement.value >= NEUTRAL else SILENT  # words of another option alone speak against nothing


def _attributions(said: Sequence[Sentence], person: str | None = None) -> list[Attribution]:
    """Return what is said to be in somebody's mind, or in that person's."""
    found = (attribution for sentence in said for attribution in sentence.attributions)
    return [one for one in found if person in (None, one.chain[0])]


def _mind(claim: str) -> str:
    """Return the state of mind that a claim is about: "know" of "!@anna>@ben>know"."""
    return claim.rpartition(">")[2]


def _agreement(signs: frozenset[str], reading: ScenarioReading, chosen: int | None) -> Agreement:
    """Hold signed words to the options: what tells these apart, less what of the chosen one is denied."""
    agreement = _compare(signs, reading.marks, chosen)
    if chosen is None or agreement.favoured != chosen:
        return agreement
    return Agreement(agreement.value * (1.0 - _denied(reading.shown[chosen], signs)), chosen)


def _compare(signs: frozenset[str], marks: Sequence[frozenset[str]], chosen: int | None) -> Agreement:
    """Return 1 when the signs speak for the chosen option and more than for any other; 0 when against it."""
    if chosen is None or chosen >= len(marks):
        return Agreement(0.0, None)
    speaks = [_speaks(mark, signs) for mark in marks]
    best, own = max(speaks), speaks[chosen]
    if not any(speaks):
        return SILENT
    if own < best or own <= 0.0:
        return Agreement(0.0, speaks.index(best) if best > 0.0 else None)
    return Agreement(NEUTRAL if speaks.count(own) > 1 else 1.0, chosen)


def _speaks(mark: frozenset[str], signs: frozenset[str]) -> float:
    """Return the share of an option's words said, minus the share denied, in [-1, 1]."""
    if not mark:
        return 0.0
    denied = sum(flip(one) in signs and one not in signs for one in mark)
    return (len(mark & signs) - denied) / len(mark)


def _goal(said: Sequence[Sentence], reading: ScenarioReading, notes: list[str]) -> float:
    """Score whether it names whose goal, has a word of wanting or asking, and is about what is asked."""
    if not said:
        return 0.0
    people = union(sentence.people for sentence in said)
    whose = bool(people & reading.people) if not reading.wanting else reading.wanting[0] in people
    wants = any(sentence.goal for sentence in said)
    about = frozenset(one for one in reading.question | reading.options if one[0] != "@")
    grounded = float(not about or bool(content_of(said) & about))
    if not whose:
        notes.append("Goal Clarification: does not name the person that the question asks about")
    if not wants:
        notes.append("Goal Clarification: says nothing of a goal or of what is asked")
    return (0.4 * whose + 0.3 * wants + 0.3 * grounded) if whose or wants else 0.0


def _said(said: Sequence[Sentence], reading: ScenarioReading, chosen: int | None) -> Agreement:
    """Return what the response says of the options: the labels it names, or else their words."""
    if not reading.marks:
        return Agreement(1.0, None)
    named = {index for sentence in said for index in _named(sentence, reading)}
    if len(named) == 1:
        favoured = named.pop()
        if favoured != chosen:
            return Agreement(0.0, favoured)
        words = _agreement(signed_of(said), reading, chosen)
        return Agreement(LABELLED if words.favoured not in (None, chosen) else 1.0, chosen)
    if (whole := _whole(said, reading)) is not None:
        return Agreement(float(whole == chosen), whole)
    return _agreement(signed_of(said), reading, chosen)


def _named(sentence: Sentence, reading: ScenarioReading) -> Iterator[int]:
    """Yield the options that a sentence names by letter, or by a bare yes or no where these are the options."""
    for label in sentence.labels:
        if len(label) == 1 and ord(label) - ord("A") < len(reading.marks):
            yield ord(label) - ord("A")
        elif len(label) > 1 and reading.yes_no is not None:
            yield reading.yes_no[label == "no"]


def _whole(said: Sequence[Sentence], reading: ScenarioReading) -> int | None:
    """Find the one option whose whole text the stage says; None for no or several, and for short texts."""
    text = phrase(" ".join(sentence.text for sentence in said))
    phrases = reading.phrases
    found = [i for i, option in enumerate(phrases) if option and option in text and f" not{option}" not in text]
    longest = [i for i in found if not any(j != i and phrases[i] in phrases[j] for j in found)]
    return longest[0] if len(longest) == 1 else None


def _response(
    interpretation: Sequence[Sentence],
    response: Sequence[Sentence],
    reading: ScenarioReading,
    thought: Agreement,
    chosen: int | None,
    notes: list[str],
) -> float:
    """Score whether it leads to the answer given, and to what the interpretation says."""
    if not response:
        return 0.0
    value = _said(response, reading, chosen).value
    if value < NEUTRAL:
        notes.append("Response Generation: speaks for another option than the answer")
    held = union(one.said for one in _attributions(interpretation))
    if thought.favoured not in (None, chosen) or _denied(signed_of(response), held) > NEUTRAL:
        notes.append("Response Generation: contradicts Cue Interpretation")
        value *= LABELLED if any(True for one in response for _ in _named(one, reading)) else DISAGREES
    return value


def _ramp(value: float, low: float, high: float) -> float:
    """Return 0 at `low` and below, 1 at `high` and above, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _quote(text: str, limit: int = 60) -> str:
    line = " ".join(text[: 4 * limit].split())
    return repr(line if len(line) <= limit else line[: limit - 1] + "…")
