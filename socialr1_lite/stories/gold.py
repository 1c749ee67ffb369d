"""Gold replies: the four stages worded from a scenario's facts, in many phrasings so that no template is taught.

The cold start trains on these, and they are the upper end of every test of a judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import reply_text
from socialr1_lite.stories.base import Dice

CUES = (
    "{}",
    "The story says: {}",
    "What matters here: {}",
    "Key details: {}",
    "Important for the question: {}",
    "The decisive facts: {}",
    "Worth noticing: {}",
    "The story tells us this: {}",
    "The cues that count: {}",
    "I keep these facts: {}",
)
OPENERS = (
    "{}.",
    "So {}.",
    "This means that {}.",
    "From this it follows that {}.",
    "Given who noticed what, {}.",
    "As a result, {}.",
    "That is why {}.",
    "It follows that {}.",
    "In this situation, {}.",
    "Therefore {}.",
)
VERBS = ("thinks", "believes", "thinks", "believes", "assumes", "supposes", "is convinced")
REALITY = ("In fact {}.", "Really, {}.", "In truth, {}.", "As things are, {}.")
GOALS = (
    "{s} wants {v}.",
    "{s}'s goal is {v}.",
    "What {s} wants is {v}.",
    "{s} would like {v}.",
    "{s}'s aim is {v}.",
    "Here {s} hopes {v}.",
    "{s} is trying {v}.",
    "The goal of {s} is {v}.",
    "{s} means {v}.",
)
ANSWERS = (
    "The answer is {}.",
    "So the answer is {}.",
    "That makes {} the right answer.",
    "This points to {}.",
    "Hence the right choice is {}.",
    "Only {} fits this.",
    "My answer is therefore {}.",
    "I answer with {}.",
    "This leads to {}.",
)
STATEMENTS = (
    "So this is right: {}",
    "The right answer is this one: {}",
    "Therefore: {}",
    "This leads to one answer: {}",
    "Only this fits: {}",
    "I choose this answer: {}",
    "Taken together: {}",
    "The conclusion: {}",
)


def gold_reply(scenario: Scenario, *, seed: int = 0, answer: str = "letter") -> str:
    """The well-formed right reply to a generated scenario; another seed gives another wording.

    answer: "letter" or "text" (the option itself). Raises DataError for a scenario without facts.
    """
    if scenario.facts is None:
        raise DataError(f"{scenario.id}: a gold reply needs facts, which only generated stories have")
    if answer not in ("letter", "text"):
        raise DataError(f"gold reply: answer {answer!r} must be letter or text")
    dice = Dice(f"{scenario.id} gold {seed}")
    facts, chosen = scenario.facts, scenario.gold_text
    stages = (cues(dice, facts), interpretation(dice, facts), goal(dice, facts.goal), response(dice, facts, chosen))
    return reply_text(stages, scenario.letters[scenario.gold[0]] if answer == "letter" else chosen)


def cues(dice: Dice, facts: Facts) -> str:
    """The decisive sentences and no others, each as a sentence or all in one."""
    told = [facts.sentences[i] for i in facts.cues]
    if len(told) > 1 and dice.chance(0.2):
        return "; ".join(sentence.rstrip(".") for sentence in told) + "."
    return dice.pick(CUES).format(" ".join(told))


def interpretation(dice: Dice, facts: Facts) -> str:
    """The claim that decides, and up to two others."""
    decisive, others = facts.claims[0], list(facts.claims[1:])
    chosen = [decisive, *dice.sample(others, dice.below(3) if decisive.holders else 2)]
    mental = [claim for claim in others if claim.holders]
    if not any(claim.holders for claim in chosen) and mental:
        chosen.append(mental[0])
    return " ".join(_claim_sentence(dice, claim, first=i == 0) for i, claim in enumerate(chosen))


def _claim_sentence(dice: Dice, claim: Claim, *, first: bool) -> str:
    clause = claim_clause(claim, dice.pick(VERBS))
    if not first:
        return capital(dice.pick(REALITY).format(clause) if not claim.holders and dice.chance(0.5) else f"{clause}.")
    return capital(dice.pick(OPENERS).format(clause))


def claim_clause(claim: Claim, verb: str = "thinks") -> str:
    """"Anna thinks that Ben thinks that the ball is in the box", without a full stop."""
    holders = "".join(f"{name} {verb} that " for name in claim.holders)
    return f"{holders}{claim.subject} {claim.relation} {claim.value}"


def goal(dice: Dice, claim: Claim) -> str:
    """Who wants what."""
    if claim.relation != "wants" or not claim.value.startswith("to ") or claim.holders:
        return capital(claim_clause(claim)) + "."
    return capital(dice.pick(GOALS).format(s=claim.subject, v=claim.value))


def response(dice: Dice, facts: Facts, chosen: str) -> str:
    """The answer that follows, at times with the belief it follows from."""
    if chosen.endswith((".", "!", "?")):
        return dice.pick(STATEMENTS).format(chosen)
    sentence = dice.pick(ANSWERS).format(chosen)
    if dice.chance(0.4):
        return f"Since {claim_clause(facts.claims[0])}, {sentence[0].lower() if sentence[:2] != 'I ' else sentence[0]}{sentence[1:]}"
    return capital(sentence)


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


PHRASINGS: dict[str, Sequence[str]] = {
    "cue_encoding": CUES, "cue_interpretation": OPENERS, "goal_clarification": GOALS, "response_generation": ANSWERS,
}
