"""Gold replies: the four stages worded from a scenario's facts, in many phrasings so that no template is taught.

The cold start trains on these, and they are the upper end of every test of a judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import reply_text
from socialr1_lite.stories.base import Rng

SMALL = frozenset(["Yes", "No", "Only", "Both", "Neither"])  # lower case within a sentence
WORDINGS = 16  # tried for one that does not repeat itself
PLAIN = 4  # from this one on nothing is said that is not needed
LEAST_REPETITION = 0.05  # well below the length gate's tolerance of 0.1
SHORT = 20  # words of cues below which one more claim keeps the reply inside the default length window
EXTRA = 0.3  # share of replies that state one more claim than the answer needs
CUES = (
    "{}", "The story says: {}", "What matters here: {}", "Key details: {}", "Important for the question: {}",
    "The decisive facts: {}", "Worth noticing: {}", "The story tells us this: {}", "The cues that count: {}",
    "I keep these facts: {}",
)  # fmt: skip
OPENERS = (
    "{}.", "So {}.", "This means that {}.", "From this it follows that {}.", "Given who noticed what, {}.",
    "As a result, {}.", "That is why {}.", "It follows that {}.", "In this situation, {}.", "Therefore {}.",
)  # fmt: skip
VERBS = ("thinks", "believes", "thinks", "believes", "assumes", "supposes", "is convinced")
WANTING = ("wants to", "wants to show", "wanted to")
ADVERBS = ("really", "actually")
REALITY = ("In fact {}.", "Really, {}.", "In truth, {}.", "As things are, {}.")
GOALS = (
    "{s} wants {v}.", "{s}'s goal is {v}.", "What {s} wants is {v}.", "{s} would like {v}.", "{s}'s aim is {v}.",
    "Here {s} hopes {v}.", "{s} is trying {v}.", "The goal of {s} is {v}.", "{s} means {v}.",
)  # fmt: skip
ANSWERS = (
    "The answer is {}.", "So the answer is {}.", "That makes {} the right answer.", "This points to {}.",
    "Hence the right choice is {}.", "Only {} fits this.", "My answer is therefore {}.", "I answer with {}.",
    "This leads to {}.",
)  # fmt: skip
YES_NO = (
    "The answer about {s} is {}.", "For {s} the answer is {}.", "So for {s} it is {}.",
    "As to {s}, the right answer is {}.", "About {s} one must answer {}.", "My answer about {s} is {}.",
    "That makes the answer for {s} a {}.", "Asked about {s}, I answer {}.",
)  # fmt: skip
STATEMENTS = (
    "So this is right: {}", "The right answer is this one: {}", "Therefore: {}", "This leads to one answer: {}",
    "Only this fits: {}", "I choose this answer: {}", "Taken together: {}", "The conclusion: {}",
)  # fmt: skip
LABELLED = (  # for statements that were said in so many words already: naming the letter repeats nothing
    "As to {s}, option {} is the right one.", "For {s} this points to option {}.", "What {s} has in mind is option {}.",
    "So for {s} option {} is right.", "So {s} must have option {} in mind.", "With {s} it is option {}.",
)  # fmt: skip


def gold_reply(scenario: Scenario, *, seed: int = 0, answer: str = "letter", contrast: bool = False) -> str:
    """Write the well-formed right reply to a generated scenario; another seed gives another wording.

    answer: "letter" or "text" (the option itself). contrast: also tell, in the story's order, what would decide a twin,
    and conclude from who noticed the change.
    Raises DataError for a scenario without facts.
    """
    facts = scenario.facts
    if facts is None:
        raise DataError(f"{scenario.id}: a gold reply needs facts, which only generated stories have")
    if answer not in ("letter", "text"):
        raise DataError(f"gold reply: answer {answer!r} must be letter or text")
    if contrast:
        facts = replace(facts, cues=tuple(sorted({*facts.cues, *facts.contrast})))
    else:
        facts = replace(facts, noticed="")
    letter = scenario.letters[scenario.gold[0]]
    named = letter if answer == "letter" else scenario.gold_text
    stated = int(scenario.meta.get("stated") or 1)
    best, least = "", 1.0
    for wording in range(WORDINGS):
        rng, plain = Rng(f"{scenario.id} gold {seed} {wording}"), wording >= PLAIN
        meaning = cues(rng, facts), interpretation(rng, facts, stated, extra=not plain), goal(rng, facts.goal)
        reply = reply_text((*meaning, response(rng, facts, scenario.gold_text, letter if plain else "")), named)
        repeated = repetition(reply)
        if repeated < least:
            best, least = reply, repeated
        if least <= LEAST_REPETITION:
            break
    return best


def repetition(text: str) -> float:
    """Measure the share of word 4-grams that occurred before, in [0, 1]."""
    words = re.findall(r"[\w']+", text.lower())
    grams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def cues(rng: Rng, facts: Facts) -> str:
    """Quote the decisive sentences and no others, each as a sentence or all in one."""
    decisive = list(dict.fromkeys(facts.sentences[i] for i in facts.cues))
    if len(decisive) > 1 and rng.chance(0.2):
        rest = (lowered(sentence, facts.people).rstrip(".") for sentence in decisive[1:])
        return "; ".join([decisive[0].rstrip("."), *rest]) + "."
    return rng.pick(CUES).format(" ".join(decisive))


def interpretation(rng: Rng, facts: Facts, stated: int = 1, *, extra: bool = True) -> str:
    """State the claims from which the answer follows, at times with one more; first who noticed, if that is told."""
    chosen = list(facts.claims[:stated])
    short = sum(len(facts.sentences[i].split()) for i in facts.cues) < SHORT
    if len(facts.claims) > stated and (short or (extra and rng.chance(EXTRA))):
        chosen.append(facts.claims[stated])
    first, *further = (_claim_sentence(rng, claim, first=i == 0) for i, claim in enumerate(chosen))
    if facts.noticed:
        first = f"{facts.noticed}, so {claim_clause(chosen[0], rng.pick(VERBS))}."
    return " ".join([first, *further])


def _claim_sentence(rng: Rng, claim: Claim, *, first: bool) -> str:
    if claim.relation in WANTING:  # such a claim may be an option, and reasoning must not quote options
        claim = replace(claim, relation=f"{rng.pick(ADVERBS)} {claim.relation}")
    clause = claim_clause(claim, rng.pick(VERBS))
    if not first:
        return capital(rng.pick(REALITY).format(clause) if not claim.holders and rng.chance(0.5) else f"{clause}.")
    return capital(rng.pick(OPENERS).format(clause))


def claim_clause(claim: Claim, verb: str = "thinks") -> str:
    """Write the clause "Anna thinks that Ben thinks that the ball is in the box", without a full stop."""
    holders = "".join(f"{name} {verb} that " for name in claim.holders)
    return f"{holders}{claim.subject} {claim.relation} {claim.value}"


def goal(rng: Rng, claim: Claim) -> str:
    """Say who wants what."""
    if claim.relation != "wants" or not claim.value.startswith("to ") or claim.holders:
        return capital(claim_clause(claim)) + "."
    return capital(rng.pick(GOALS).format(s=claim.subject, v=claim.value))


def response(rng: Rng, facts: Facts, chosen: str, letter: str = "") -> str:
    """Say what answer follows, at times with the belief it follows from; plain with its letter, if it is given."""
    if chosen.endswith((".", "!", "?")):
        if letter:
            return rng.pick(LABELLED).format(letter, s=facts.claims[0].subject)
        return rng.pick(STATEMENTS).format(chosen)
    plain = chosen[0].lower() + chosen[1:] if chosen.split()[0] in SMALL else chosen
    if chosen in ("Yes", "No"):
        return rng.pick(YES_NO).format(plain, s=facts.goal.subject)
    sentence = rng.pick(ANSWERS).format(plain)
    if not letter and len(facts.claims[0].holders) == 1 and rng.chance(0.4):
        first = sentence[0] if sentence.startswith("I ") else sentence[0].lower()
        return f"Since {claim_clause(facts.claims[0])}, {first}{sentence[1:]}"
    return capital(sentence)


def lowered(sentence: str, people: Sequence[str]) -> str:
    """Write the sentence as after a semicolon: a small first letter unless it begins with a name."""
    word = sentence.split()[0].removesuffix("'s").rstrip(",")
    return sentence if word in people else sentence[0].lower() + sentence[1:]


def capital(text: str) -> str:
    """Write the text with a capital first letter."""
    return text[:1].upper() + text[1:]
