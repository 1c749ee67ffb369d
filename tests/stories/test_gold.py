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

ORDERS = (0, 1, 2, 3, 4)
FACTS, RULES = (RewardStack(Rewards(), judge=build_judge(name)) for name in ("facts", "rules"))
WEIGHTS = Rewards().weights
MAXIMUM = WEIGHTS.outcome + WEIGHTS.structure + WEIGHTS.content


def scenarios_of(n: int, dimension: str, split: str, seed: int) -> Iterator[Scenario]:
    """Of one dimension, every order and length."""
    return generate(n, seed=seed, dimensions=(dimension,), orders=ORDERS, split=split, chapters=(1, 2, 3))


def check(scenario: Scenario, seed: int) -> None:
    """One gold reply against both judges; every other one names its option by its text."""
    text = gold_reply(scenario, seed=seed, answer="text" if seed % 2 else "letter")
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
