"""The `facts` judge: holds every stage to the generated story's own world. It needs no model [ours].

Cue Encoding: are the decisive sentences there, is everything they say in the story, and was it chosen? Cue
Interpretation: does the right chain of people hold the right value, and is nothing stated that the world denies? Goal
Clarification: does the right person want the right thing? Response Generation: does it say the answered option, and
does that follow? Words that are about nothing in the story dilute a stage; words to a judge cost the stage.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.language.lexicon import INJECTION, NEGATIONS, STOP, letters_in, stem, stems
from socialr1_lite.judges.language.reading import ScenarioReading, read, reading_of
from socialr1_lite.judges.language.statements import NEAR_VALUE, SOMEBODY, Statement, bare, chain_of, statements
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, sentences

# All constants are [ours]; tests/judges/test_facts.py shows that every hack loses under them (docs/rewards.md).
SUPPORTED = 0.5  # share of a cue's words that one story sentence must have
RECALLED = 0.7  # share of a decisive sentence's words that the cues must have for full recall
FREE_EXTRAS = 0.3  # share of the story's other sentences that may be repeated at no cost
OTHER_ONLY = 0.35  # interpretation: only other mental states than the decisive one, and those right
KNOWS_ONLY = 0.8  # interpretation: "knows" or "does not know" without saying what is held
CONTRADICTED = 0.2  # interpretation: both the decisive claim and its contrary
WRONG_CLAIM = 0.5  # interpretation: factor for each further statement that the world denies
OTHER_GOAL = 0.3  # goal: the right person wants something else, or another person wants it
WRONG_ANSWER = 0.3  # response: it fits the answer, which is wrong
UNCLEAR = 0.4  # response: names no option
UNKNOWN_ENTITY_FACTOR = 0.5  # factor for a stage that names what the story does not know

GOALS = stems(
    "want goal aim need wish hope intend intention try seek purpose plan desire mean like objective trying would look"
)
FRAME = stems("story say tell matter key detail important question decisive fact worth notice cue count keep")
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
ARRIVING = frozenset(["to", "into", "in", "onto", "on", "and", "at", "by", "while", "because", "then"])  # ends "from"
PARTS = re.compile(r",|\b(?:and|after|before|while|when|because|but|then|so)\b")


@dataclass(frozen=True, slots=True)
class CueSentence:
    """A story or cue sentence: stems of its weighty words, the people in it in order, whether it is negated.

    Of those words, things: the world's things and places; left: where something is said to come from. before: the
    things and places that the story has named until then.
    """

    words: frozenset[str]
    people: tuple[str, ...]
    negated: bool
    things: frozenset[str]
    left: frozenset[str]
    before: frozenset[str] = frozenset()


class FactsJudge:
    """Scores the stages of replies to generated stories. A scenario without facts gets no score, which is not 0."""

    name = "facts"
    version = 2
    offline = True
    audit_floor = 1.0

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict for each reply; never fails."""
        if scenario.facts is None:
            return [Verdict(dict.fromkeys(STAGES), ("facts: this scenario has none",)) for _ in replies]
        return [_judge(reply, scenario, scenario.facts) for reply in replies]


def _judge(reply: Reply, scenario: Scenario, facts: Facts) -> Verdict:
    notes: list[str] = []
    reading, said_before = reading_of(scenario), set[str]()
    scores: dict[str, float | None] = {}
    for stage in STAGES:
        scores[stage] = 0.0
        if text := reply.stage_text(stage):
            relevance = _relevance(stage, text, reading, said_before, notes)
            scores[stage] = _PURPOSES[stage](text, reply, scenario, facts, notes) * relevance
    return Verdict(scores, tuple(notes))


# ---------------------------------------------------------------------------------------- for every stage


def _relevance(stage: str, text: str, reading: ScenarioReading, said_before: set[str], notes: list[str]) -> float:
    """Return the share of a stage's words about this story and new; an unknown entity halves it, an injection is 0."""
    if INJECTION.search(text):
        notes.append(f"{TITLES[stage]} 0.00: speaks to a judge instead of about the story")
        return 0.0
    size = about = 0.0
    unknown_entities: set[str] = set()
    for sentence in read(text, reading):
        size += sentence.size
        key = " ".join(sentence.text.lower().split())
        if key not in said_before:
            about += sentence.size * sentence.about
        said_before.add(key)
        unknown_entities.update(sentence.unknown_entities)
    value = about / size if size else 0.0
    if value < 0.75:
        notes.append(f"{TITLES[stage]}: {1 - value:.0%} of its words are not about this story, or were said before")
    if unknown_entities:
        notes.append(f"{TITLES[stage]}: names what the story does not have: {', '.join(sorted(unknown_entities)[:3])}")
        value *= UNKNOWN_ENTITY_FACTOR
    return value


# --------------------------------------------------------------------------------------------- 1: cues


def _cues(text: str, _reply: Reply, _scenario: Scenario, facts: Facts, notes: list[str]) -> float:
    """Return recall of the decisive sentences, times the share of words that the story supports, times selectivity."""
    story = _story(facts)
    cues, supports = _cues_in(text, facts, story)
    if not cues:
        return 0.0
    size = sum(len(cue.words) + len(cue.people) for cue in cues)
    precision = (
        sum((len(c.words) + len(c.people)) * (s is not None) for c, s in zip(cues, supports, strict=True)) / size
    )
    recalls = [_recall(story[i], [cue for cue in cues if _fit(cue, story[i]) >= SUPPORTED]) for i in facts.cues]
    recall = sum(recalls) / len(recalls) if recalls else 1.0
    others = [i for i in range(len(story)) if i not in facts.cues]
    repeated = sum(1 for i in others if i in supports)
    share = repeated / len(others) if others else 0.0
    selective = 1.0 - max(0.0, share - FREE_EXTRAS) / (1.0 - FREE_EXTRAS)  # the whole story is no choice: nothing
    if recall < 1.0:
        missed = facts.cues[min(range(len(recalls)), key=recalls.__getitem__)]
        notes.append(
            f"Cue Encoding: recall {recall:.2f} of {len(recalls)} decisive cues; misses: {facts.sentences[missed]}"
        )
    if precision < 1.0:
        notes.append(f"Cue Encoding: {1 - precision:.0%} of what it tells is not in the story")
    if selective < 1.0:
        notes.append(f"Cue Encoding: repeats {repeated} of the {len(others)} sentences that decide nothing")
    return recall * precision * selective


def supporting_sentence(cue: str, facts: Facts) -> str | None:
    """Return the story's sentence that a cue, or its first part that fits, says of the right people and things."""
    found = (one for one in _cues_in(cue, facts, _story(facts))[1] if one is not None)
    return next((facts.sentences[one] for one in found), None)


def _cues_in(text: str, facts: Facts, story: Sequence[CueSentence]) -> tuple[list[CueSentence], list[int | None]]:
    """Read the cues, each with the story sentence that supports it; one that none supports is read in parts."""
    cues: list[CueSentence] = []
    supports: list[int | None] = []
    for start, end in sentences(text):
        for clause in text[start:end].split(";"):
            whole = _cue_sentence(clause, facts)
            found = _supported(whole, story)
            parts = [whole] if found is not None else [_cue_sentence(part, facts) for part in PARTS.split(clause)]
            for part in parts:
                if part.words or part.people:
                    cues.append(part)
                    supports.append(_supported(part, story) if found is None else found)
    return cues, supports


@lru_cache(maxsize=512)
def _story(facts: Facts) -> tuple[CueSentence, ...]:
    story: list[CueSentence] = []
    before: frozenset[str] = frozenset()
    for sentence in facts.sentences:
        story.append(replace(_cue_sentence(sentence, facts), before=before))
        before |= story[-1].things
    return tuple(story)


@lru_cache(maxsize=512)
def _thing_words(facts: Facts) -> frozenset[str]:
    return frozenset().union(*(_weighty(thing) for thing in facts.things))


def _cue_sentence(text: str, facts: Facts) -> CueSentence:
    words, named, negated, left, last, leaving = set(), [], False, set(), "", False
    things = _thing_words(facts)
    for word in WORD.findall(text):
        plain = word.removesuffix("'s").removesuffix("’s")
        lower = word.lower()
        leaving = lower == "from" or (last, lower) == ("out", "of") or (leaving and lower not in ARRIVING)
        last = lower
        if plain in facts.people:
            named.append(plain)
        elif lower in NEGATIONS or lower.endswith(("n't", "n’t")):
            negated = not negated
        elif lower not in STOP and (root := stem(lower)) not in FRAME:
            words.add(root)
            if leaving and root in things:
                left.add(root)
    return CueSentence(frozenset(words), tuple(named), negated, things & words, frozenset(left))


def _supported(cue: CueSentence, story: Sequence[CueSentence]) -> int | None:
    """Find the story sentence that says what the cue says: words, people in order, things, polarity."""
    fits = [_fit(cue, sentence) for sentence in story]
    best = max(range(len(story)), key=fits.__getitem__, default=0)
    return best if fits and fits[best] >= SUPPORTED else None


def _fit(cue: CueSentence, sentence: CueSentence) -> float:
    """Return the share of the cue's words that the sentence has; 0 if people, things, places or polarity do not fit."""
    if cue.negated != sentence.negated or not cue.words or not _in_order(cue.people, sentence.people):
        return 0.0
    if not _same_things(cue, sentence):
        return 0.0
    return len(cue.words & sentence.words) / len(cue.words)


def _same_things(cue: CueSentence, sentence: CueSentence) -> bool:
    """Return whether the cue names only the sentence's things and places, and none left for one that was reached.

    Where a thing was taken from may be added to a sentence that does not say it, if the story has named the place.
    """
    added = cue.things - sentence.things
    if added and (sentence.left or not added <= cue.left & sentence.before):
        return False
    reached, left = sentence.things - sentence.left, sentence.left
    return not (cue.left & reached or (cue.things - cue.left) & left)


def _in_order(few: Sequence[str], many: Sequence[str]) -> bool:
    rest = iter(many)
    return all(name in rest for name in few)


def _recall(sentence: CueSentence, cues: Sequence[CueSentence]) -> float:
    """Return how much of a decisive sentence the cues that it supports bring together, in [0, 1]."""
    if not cues or set(sentence.people) - {name for cue in cues for name in cue.people}:
        return 0.0
    words = frozenset().union(*(cue.words for cue in cues))
    share = len(words & sentence.words) / len(sentence.words) if sentence.words else 1.0
    return min(1.0, share / RECALLED)


# ------------------------------------------------------------------------------------- 2: interpretation


def _interpretation(text: str, _reply: Reply, _scenario: Scenario, facts: Facts, notes: list[str]) -> float:
    """Score whether one of the deciding claims is stated, at its depth, and nothing that the world denies."""
    decisive = [(claim, chain_of(claim, facts.people)) for claim in facts.decisive]
    right = wrong = knows = False
    others_right = others_wrong = 0
    for stated in statements(text, facts):
        verdict = _holds(stated, facts)
        if verdict is None:
            continue
        if any(stated.chain == chain and _is_about(stated, claim) for claim, chain in decisive):
            right, wrong = right or (verdict and stated.value is not None), wrong or not verdict
            knows = knows or (verdict and stated.value is None)
        elif verdict:
            others_right += bool(stated.chain)
        else:
            others_wrong += 1
    if right and wrong:
        notes.append("Cue Interpretation: states the decisive mental state and its contrary")
        value = CONTRADICTED
    elif right or wrong:
        value = float(right)
    elif knows:
        value = KNOWS_ONLY
    else:
        value = OTHER_ONLY if others_right else 0.0
    if not right:
        asked = facts.claims[0]
        wanted = " that ".join(f"{name} holds" for name in asked.holders)
        clause = f"{asked.subject} {asked.relation} {asked.value}"
        notes.append(f"Cue Interpretation: does not say that {wanted + ' that ' if wanted else ''}{clause}")
    if others_wrong:
        notes.append(f"Cue Interpretation: {others_wrong} further statements are untrue in this story")
    return value * WRONG_CLAIM**others_wrong


def _is_about(stated: Statement, claim: Claim) -> bool:
    return stated.value is None or stated.value == claim.value or stated.value in claim.rivals


def _holds(stated: Statement, facts: Facts) -> bool | None:
    """Return whether the world agrees with a statement; None: it says nothing of it."""
    claims = [claim for claim in facts.claims if chain_of(claim, facts.people) == stated.chain]
    if stated.value is None:
        return _knowledge(stated, claims, facts)
    if not stated.chain:
        claims = [claim for claim in claims if _reads_as(stated, claim)]
    for claim in claims:
        if claim.value == stated.value:
            return stated.denied == _negated(claim)
    if any(stated.value in claim.rivals for claim in claims):
        return stated.denied
    return False if set(stated.chain) - {*facts.people, SOMEBODY} else None


def _negated(claim: Claim) -> bool:
    return any(word in NEGATIONS for word in claim.relation.split())


def _reads_as(stated: Statement, claim: Claim) -> bool:
    """Return whether a statement is put as the claim puts it: a retold event ("was in the box") is not."""
    relation = [word for word in claim.relation.split() if word not in NEAR_VALUE]
    return stated.relation.split()[-len(relation) :] == relation


def _knowledge(stated: Statement, claims: Sequence[Claim], facts: Facts) -> bool | None:
    """Judge "Ben knows": he holds what those before him in the chain hold; he does not if it is something else."""
    for claim in claims:
        if claim.value.startswith("where "):
            return stated.denied == _negated(claim)
        for outer in facts.claims:
            if outer.holders == claim.holders[:-1] and (outer.subject, outer.relation) == (
                claim.subject,
                claim.relation,
            ):
                return (claim.value == outer.value) != stated.denied
    return None


# --------------------------------------------------------------------------------------------- 3: goal


def _goal(text: str, _reply: Reply, _scenario: Scenario, facts: Facts, notes: list[str]) -> float:
    """Score whether one of the accepted goals is stated; the best one counts."""
    best = max(_goal_stated(text, goal, facts) for goal in facts.accepted_goals)
    if best < 1.0:
        goal = facts.goal
        notes.append(f"Goal Clarification: does not say that {goal.subject} {goal.relation} {goal.value}")
    return best


def _goal_stated(text: str, goal: Claim, facts: Facts) -> float:
    """Score whether the right person wants the right thing, in one sentence with a word of wanting."""
    best = 0.0
    wanted, rivals = _weighty(goal.value), [_weighty(rival) for rival in goal.rivals]
    person = chain_of(goal, facts.people)
    for start, end in sentences(text):
        sentence = text[start:end]
        words = {stem(word.lower()) for word in WORD.findall(sentence)}
        if not words & GOALS and stem(goal.relation.split()[0]) not in words:
            continue
        cue = _cue_sentence(sentence, facts)
        overlap = _share(wanted, words)
        opposed = any(_share(rival - wanted, words) > 0 for rival in rivals) or cue.negated
        same_person = cue.people[: len(person)] == person or (not cue.people and len(facts.people) == 1)
        hit = overlap >= 0.5 and not opposed
        best = max(best, 1.0 if hit and same_person else OTHER_GOAL if hit or same_person else 0.0)
    return best


def _weighty(text: str) -> frozenset[str]:
    return frozenset(stem(word.lower()) for word in WORD.findall(text) if word.lower() not in STOP)


def _share(wanted: frozenset[str], words: set[str]) -> float:
    return len(wanted & words) / len(wanted) if wanted else 0.0


# ----------------------------------------------------------------------------------------- 4: response


def _response(text: str, reply: Reply, scenario: Scenario, facts: Facts, notes: list[str]) -> float:
    """Score whether it speaks for the option that is answered, for no other, and that one is right."""
    favoured = _favoured(text, scenario)
    if not favoured or reply.answer is None:
        notes.append(f"Response Generation: {'there is no answer' if favoured else 'names no option'}")
        return UNCLEAR if not favoured and reply.answer in scenario.gold else 0.0
    if favoured != {reply.answer}:
        notes.append("Response Generation: speaks for another option than the one answered")
        return 0.0
    if reply.answer not in scenario.gold:
        notes.append("Response Generation: follows from no fact of this story")
        return WRONG_ANSWER
    denied = any(_holds(stated, facts) is False for stated in statements(text, facts))
    if denied:
        notes.append("Response Generation: states what is untrue in this story")
    return WRONG_CLAIM if denied else 1.0


def _favoured(text: str, scenario: Scenario) -> set[int]:
    """Return the options that the text speaks for: by label, by their words, or by the closest wording."""
    labels = set(map(scenario.letters.find, letters_in(text))) - {-1}
    plain = " ".join(WORD.findall(text.lower()))
    named = set()
    for i, option in enumerate(scenario.options):
        shown = " ".join(WORD.findall(bare(option)))
        if re.search(rf"(?<!\w){re.escape(shown)}(?!\w)", plain):
            named.add(i)
    yes_no = [word for word in plain.split() if word in ("yes", "no")]
    if yes_no and named and {bare(option) for option in scenario.options} == {"yes", "no"}:
        named = {i for i in named if bare(scenario.options[i]) == yes_no[-1]}  # "there is no doubt: yes"
    return labels | _longest(named, scenario.options)


def _longest(named: set[int], options: Sequence[str]) -> set[int]:
    """Drop options whose text is part of another named one."""
    return {i for i in named if not any(i != j and bare(options[i]) in bare(options[j]) for j in named)}


_PURPOSES = {
    "cue_encoding": _cues,
    "cue_interpretation": _interpretation,
    "goal_clarification": _goal,
    "response_generation": _response,
}
