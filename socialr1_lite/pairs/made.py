"""Pairs from gold replies: the gold stage against a controlled corruption of it, matched in length and style [ours].

Both sides are worded by the same templates from the story's facts, so that style gives nothing away. Where a corruption
by its nature brings words or length along (filler, a copied story, another depth of belief), as many pairs are made
that have the like on the *chosen* side: then only what the story says decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

from socialr1_lite.pairs import corrupt
from socialr1_lite.pairs.corrupt import Case, Corruption, Sides
from socialr1_lite.pairs.record import Pair
from socialr1_lite.scenario import Facts, Scenario
from socialr1_lite.sip import STAGES
from socialr1_lite.stories import generate
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.gold import cues, goal, interpretation, response

ANY = ""  # a corruption that may befall any stage; which one is drawn
TURNED = "turned round"  # the four sides of these pairs are worded alike, so that nothing else differs


class Kind(NamedTuple):
    """How a kind of pair is made, and how often.

    stage: the one it spoils. often: times that a scenario is tried; below 1 the share of scenarios that are. What a
    small model learns last is made most, what it learns at once or what is long to read least [measured].
    stream: kinds with one name here draw alike.
    """

    stage: str
    spoil: Corruption
    often: float
    stream: str = ""


KINDS: dict[str, Kind] = {
    "wrong person in a cue": Kind(STAGES[0], corrupt.wrong_person_cue, 1),
    "invented cue": Kind(STAGES[0], corrupt.invented_cue, 1),
    "missed decisive cue": Kind(STAGES[0], corrupt.missed_cue, 0.6),
    "wholesale copy": Kind(STAGES[0], corrupt.copied_story, 0.12),
    "verbose filler": Kind(STAGES[0], corrupt.filler_cue, 0.4),
    "invented cue, filler chosen": Kind(STAGES[0], corrupt.filler_and_cues, 0.5),
    "wrong person": Kind(STAGES[1], corrupt.wrong_person, 0.8),
    "persons exchanged": Kind(STAGES[1], corrupt.persons_exchanged, 2),
    "opposite belief": Kind(STAGES[1], corrupt.opposite_belief, 1),
    "one order too low": Kind(STAGES[1], corrupt.too_low, 1),
    "one order too high": Kind(STAGES[1], corrupt.too_high, 0.33),
    "option-driven back-filling": Kind(STAGES[1], corrupt.back_filled, 0.5),
    "goal swapped": Kind(STAGES[2], corrupt.swapped_goal, 0.6),
    "contradiction with the response": Kind(STAGES[3], corrupt.contradiction, 0.6),
    "a cue of another story": Kind(STAGES[0], corrupt.foreign_cue, 0.47),
    "cues of another story": Kind(STAGES[0], corrupt.foreign_cues, 0.25),
    "cues and the whole story": Kind(STAGES[0], corrupt.cues_and_story, 0.12),
    "somebody unknown": Kind(STAGES[1], corrupt.unknown_person, 0.4),
    "denied belief": Kind(STAGES[1], corrupt.denied_belief, 0.5),
    "wrong belief denied": Kind(STAGES[1], corrupt.wrong_denied, 1),
    "belief turned round": Kind(STAGES[1], corrupt.turned_round, 2, TURNED),
    "wrong belief turned round": Kind(STAGES[1], corrupt.wrong_turned_round, 2, TURNED),
    "right belief denied, or a wrong one": Kind(STAGES[1], corrupt.right_or_wrong_denied, 2, TURNED),
    "knowledge turned round": Kind(STAGES[1], corrupt.knowledge_turned_round, 2),
    "pretence turned round": Kind(STAGES[1], corrupt.pretence_turned_round, 5),
    "wrong belief, filler chosen": Kind(STAGES[1], corrupt.filler_and_belief, 1),
    "other option by its letter": Kind(STAGES[3], corrupt.other_letter, 0.8),
    "other option": Kind(STAGES[3], corrupt.other_option, 0.4),
    "wrong option, filler chosen": Kind(STAGES[3], corrupt.filler_and_answer, 0.35),
    "filler added": Kind(ANY, corrupt.filler_added, 0.7),
    "filler instead": Kind(ANY, corrupt.filler_instead, 0.35),
    "another stage's text": Kind(ANY, corrupt.other_stage, 0.35),
    "loop": Kind(ANY, corrupt.loop, 0.2),
}
BALANCED = (  # kinds that only make up for each other in equal numbers
    ("missed decisive cue", "a cue of another story"),
    ("verbose filler", "invented cue, filler chosen"),
    ("one order too low", "one order too high"),
    ("denied belief", "wrong belief denied"),
    ("belief turned round", "wrong belief turned round"),
    ("filler added", "wrong belief, filler chosen"),
    ("filler instead", "wrong option, filler chosen"),
)

LAST_LEARNED = "could pretend"  # the template whose answers say in other words than the belief what somebody knows
OF_OTHERS = 0.4  # so many of the other stories are taken; without it some seeds never learned that one [measured]


def make_pairs(
    n: int,
    *,
    seed: int = 11,
    split: str = "train",
    dimensions: Sequence[str] = ("belief", "knowledge"),
    orders: Sequence[int] = (0, 1, 2),
) -> list[Pair]:
    """Make at most n pairs from fresh stories, about eighteen a story, balanced kinds equally often.

    The same arguments give the same pairs. split: whose names and things ("test": never in "train").
    """
    stories = iter(generate(8 * n + 200, seed=seed, dimensions=dimensions, orders=orders, split=split))
    foreign = next(stories).facts  # the family before, whose people and things are others
    next(stories)
    pairs: list[Pair] = []
    counts = Counter[str]()
    for first, second in zip(stories, stories, strict=True):
        if first.meta["template"] != LAST_LEARNED and not Rng(f"{first.id} taken {seed}").chance(OF_OTHERS):
            continue
        more = [*_of(first, second, foreign, seed), *_of(second, first, foreign, seed)]
        counts.update(pair.kind for pair in more)
        if pairs and _balanced(counts).total() > n:
            break
        pairs += more
        foreign = first.facts
    left, kept = _balanced(Counter(pair.kind for pair in pairs)), []
    for pair in pairs:
        left[pair.kind] -= 1
        if left[pair.kind] >= 0:
            kept.append(pair)
    Rng(f"pairs {seed}").shuffle(kept)
    return kept[:n]


def _balanced(counts: Counter[str]) -> Counter[str]:
    """Return how many of each kind may stay, so that none outnumbers its counterweight."""
    stay = Counter(counts)
    for one, other in BALANCED:
        stay[one] = stay[other] = min(counts[one], counts[other])
    return stay


def _of(scenario: Scenario, twin: Scenario, foreign: Facts | None, seed: int) -> Iterator[Pair]:
    """Yield a pair of every kind that applies."""
    if scenario.facts is None or twin.facts is None or foreign is None:
        return
    facts, right, rng = scenario.facts, scenario.gold_text, Rng(f"{scenario.id} gold {seed}")
    texts = (cues(rng, facts), interpretation(rng, facts), goal(rng, facts.goal), response(rng, facts, right))
    gold = dict(zip(STAGES, texts, strict=True))
    for kind, (fixed, spoil, often, alike) in KINDS.items():
        rng, seen = Rng(f"{scenario.id} {alike or kind} {seed}"), set[Sides]()
        for _ in range(ceil(often)):
            if not rng.chance(often):
                continue
            stage = fixed or rng.pick(STAGES)
            made = spoil(Case(scenario, twin, facts, twin.facts, foreign, gold, stage, rng))
            if made is None or made[0] == made[1] or made in seen:
                continue
            seen.add(made)
            context = {name: text for name, text in gold.items() if name != stage}
            yield Pair(scenario, stage, *made, kind=kind, source="gold", context=context, answer=right)
