"""Pairs from gold replies: the gold stage against a controlled corruption of it, matched in length and style [ours].

Both sides are worded by the same templates from the story's facts, so that style gives nothing away. Where a corruption
by its nature brings words or length along (filler, a copied story, another depth of belief), as many pairs are made
that have the like on the *chosen* side: then only what the story says decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from socialr1_lite.pairs.corrupt import (
    Case,
    Corruption,
    back_filled,
    contradiction,
    copied_story,
    cues_and_story,
    denied_belief,
    filler_added,
    filler_and_answer,
    filler_and_belief,
    filler_cue,
    filler_instead,
    foreign_cue,
    foreign_cues,
    honest_filler_cue,
    invented_cue,
    loop,
    missed_cue,
    opposite_belief,
    other_letter,
    other_option,
    other_stage,
    persons_exchanged,
    stranger,
    swapped_goal,
    too_high,
    too_low,
    turned_round,
    wrong_denied,
    wrong_person,
    wrong_person_cue,
    wrong_turned_round,
)
from socialr1_lite.pairs.record import Pair
from socialr1_lite.scenario import Facts, Scenario
from socialr1_lite.sip import STAGES
from socialr1_lite.stories import generate
from socialr1_lite.stories.base import Dice
from socialr1_lite.stories.gold import cues, goal, interpretation, response

ANY = ""  # a corruption that may befall any stage; which one is drawn
KINDS: dict[str, tuple[str, Corruption]] = {  # kind: the stage it spoils, and how
    "wrong person in a cue": (STAGES[0], wrong_person_cue),
    "invented cue": (STAGES[0], invented_cue),
    "missed decisive cue": (STAGES[0], missed_cue),
    "wholesale copy": (STAGES[0], copied_story),
    "verbose filler": (STAGES[0], filler_cue),
    "invented cue, filler chosen": (STAGES[0], honest_filler_cue),
    "wrong person": (STAGES[1], wrong_person),
    "persons exchanged": (STAGES[1], persons_exchanged),
    "opposite belief": (STAGES[1], opposite_belief),
    "one order too low": (STAGES[1], too_low),
    "one order too high": (STAGES[1], too_high),
    "option-driven back-filling": (STAGES[1], back_filled),
    "goal swapped": (STAGES[2], swapped_goal),
    "contradiction with the response": (STAGES[3], contradiction),
    "a cue of another story": (STAGES[0], foreign_cue),
    "cues of another story": (STAGES[0], foreign_cues),
    "cues and the whole story": (STAGES[0], cues_and_story),
    "somebody unknown": (STAGES[1], stranger),
    "denied belief": (STAGES[1], denied_belief),
    "wrong belief denied": (STAGES[1], wrong_denied),
    "belief turned round": (STAGES[1], turned_round),
    "wrong belief turned round": (STAGES[1], wrong_turned_round),
    "wrong belief, filler chosen": (STAGES[1], filler_and_belief),
    "other option by its letter": (STAGES[3], other_letter),
    "other option": (STAGES[3], other_option),
    "wrong option, filler chosen": (STAGES[3], filler_and_answer),
    "filler added": (ANY, filler_added),
    "filler instead": (ANY, filler_instead),
    "another stage's text": (ANY, other_stage),
    "loop": (ANY, loop),
}
OFTEN = {"belief turned round": 3, "wrong belief turned round": 3}  # pairs a scenario; a small model learns them last
BALANCED = (  # kinds that only make up for each other in equal numbers
    ("missed decisive cue", "wholesale copy"),
    ("verbose filler", "invented cue, filler chosen"),
    ("one order too low", "one order too high"),
    ("denied belief", "wrong belief denied"),
    ("belief turned round", "wrong belief turned round"),
    ("filler added", "wrong belief, filler chosen"),
    ("filler instead", "wrong option, filler chosen"),
)


def make_pairs(
    n: int,
    *,
    seed: int = 11,
    split: str = "train",
    dimensions: Sequence[str] = ("belief", "knowledge"),
    orders: Sequence[int] = (1, 2),
) -> list[Pair]:
    """At most n pairs from fresh stories, every kind about as often (but for OFTEN), balanced kinds equally often.

    The same arguments give the same pairs. split: whose names and things ("test": never in "train").
    """
    share = max(1, n // sum(OFTEN.get(kind, 1) for kind in KINDS))
    quota = {kind: share * OFTEN.get(kind, 1) for kind in KINDS}
    made: dict[str, list[Pair]] = {kind: [] for kind in KINDS}
    told = iter(generate(4 * n + 8, seed=seed, dimensions=dimensions, orders=orders, split=split))
    foreign = next(told).facts  # the family before, whose people and things are others
    next(told)
    for first, second in zip(told, told, strict=True):
        for scenario, twin in ((first, second), (second, first)):
            for pair in _of(scenario, twin, foreign, seed):
                if len(made[pair.kind]) < quota[pair.kind]:
                    made[pair.kind].append(pair)
        if all(len(made[kind]) >= wanted for kind, wanted in quota.items()):
            break
        foreign = first.facts
    for one, other in BALANCED:
        fewest = min(len(made[one]), len(made[other]))
        made[one], made[other] = made[one][:fewest], made[other][:fewest]
    pairs = [pair for kind in KINDS for pair in made[kind]]
    Dice(f"pairs {seed}").shuffle(pairs)
    return pairs


def _of(scenario: Scenario, twin: Scenario, foreign: Facts | None, seed: int) -> Iterator[Pair]:
    """A pair of every kind that applies."""
    if scenario.facts is None or twin.facts is None or foreign is None:
        return
    gold = _gold_stages(scenario.facts, scenario.gold_text, Dice(f"{scenario.id} gold {seed}"))
    for kind, (fixed, corrupt) in KINDS.items():
        dice, told = Dice(f"{scenario.id} {kind} {seed}"), set[tuple[str, str]]()
        for _ in range(OFTEN.get(kind, 1)):
            stage = fixed or dice.pick(STAGES)
            made = corrupt(Case(scenario, twin, scenario.facts, twin.facts, foreign, gold, stage, dice))
            if made is None or made[0] == made[1] or made in told:
                continue
            told.add(made)
            context = {name: text for name, text in gold.items() if name != stage}
            yield Pair(scenario, stage, *made, kind=kind, source="gold", context=context, answer=scenario.gold_text)


def _gold_stages(facts: Facts, answer: str, dice: Dice) -> Mapping[str, str]:
    texts = (cues(dice, facts), interpretation(dice, facts), goal(dice, facts.goal), response(dice, facts, answer))
    return dict(zip(STAGES, texts, strict=True))
