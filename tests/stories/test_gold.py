"""Gold replies are the upper end: the maximum under `facts`, at least 0.9 of it under `rules`, and no going in circles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from socialr1_lite.judges import build_judge
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards.length import repetition
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse
from socialr1_lite.stories import DIMENSIONS, generate, gold_reply
from socialr1_lite.stories.scope import Names, Scope

ORDERS = (0, 1, 2, 3, 4)
FACTS, RULES = (RewardStack(Rewards(), judge=build_judge(name)) for name in ("facts", "rules"))
WEIGHTS = Rewards().weights
MAXIMUM = WEIGHTS.outcome + WEIGHTS.structure + WEIGHTS.content


def scenarios_of(n: int, dimension: str, split: str, seed: int) -> Iterator[Scenario]:
    """Of one dimension, every order and length."""
    return generate(n, seed=seed, dimensions=(dimension,), orders=ORDERS, split=split, chapters=(1, 2, 3))


def check(scenario: Scenario, seed: int, *, contrast: bool = False) -> None:
    """One gold reply against both judges; every other one names its option by its text."""
    text = gold_reply(scenario, seed=seed, answer="text" if seed % 2 else "letter", contrast=contrast)
    reply, tokens = parse(text, scenario.options), len(text.split()) * 4 // 3
    facts, rules = (stack.score(reply, scenario, tokens=tokens) for stack in (FACTS, RULES))
    told_in_full = {name: value for name, value in facts.parts.items() if not name.startswith("length")}
    assert {*told_in_full.values(), *map(facts.components.get, ("format", "outcome", "content"))} == {1.0}, (
        scenario.id,
        facts.notes,
        text,
    )
    for score in (facts, rules):
        assert score.total is not None and score.total >= 0.9 * MAXIMUM, (scenario.id, score.notes, text)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_gold_replies_earn_the_maximum(dimension: str):
    for split in ("train", "test"):
        for i, scenario in enumerate(scenarios_of(16, dimension, split, seed=31)):
            check(scenario, i)
            check(scenario, i, contrast=True)


def test_cues_with_the_contrast_tell_both_twins_alike_each_in_its_story_s_order() -> None:
    """Who left before the move, and who left after it: the same two sentences, the other way round."""
    scope = Scope(perturbations=Names(("left earlier",)), places=(2,))
    twins = list(generate(2, seed=3, dimensions=("belief",), orders=(1,), scope=scope))
    told = []
    for one in twins:
        assert one.facts
        for contrast in (False, True):
            said = parse(gold_reply(one, contrast=contrast), one.options).stage_text("cue_encoding").lower()
            found = [i for i, sentence in enumerate(one.facts.sentences) if sentence.lower().rstrip(".") in said]
            assert found == sorted({*one.facts.cues, *(one.facts.contrast if contrast else ())})
            assert [said.index(one.facts.sentences[i].lower().rstrip(".")) for i in found] == sorted(
                said.index(one.facts.sentences[i].lower().rstrip(".")) for i in found
            )
        told.append([one.facts.sentences[i] for i in found])
    assert told[0] != told[1] and sorted(told[0]) == sorted(told[1])


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_gold_replies_earn_the_maximum_in_thousands(dimension: str, split: str):
    """Twice as many as once showed eleven that repeated themselves."""
    for i, scenario in enumerate(scenarios_of(600, dimension, split, seed=4)):
        check(scenario, i)


@pytest.mark.parametrize("dimension", ["intention", "nonliteral"])
def test_statements_are_not_said_over_and_over(dimension: str):
    """Their options are whole sentences, which the interpretation and the answer say as well."""
    for i, scenario in enumerate(scenarios_of(60, dimension, "train", seed=32)):
        for answer in ("letter", "text"):
            assert repetition(gold_reply(scenario, seed=i, answer=answer)) < 0.1, scenario.id
