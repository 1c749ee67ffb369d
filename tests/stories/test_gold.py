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


def test_with_the_contrast_the_belief_is_concluded_from_what_was_noticed() -> None:
    scope = Scope(templates=Names(("thinks it is",)), perturbations=Names(("left earlier",)), places=(2,), people=(3,))
    [one, other] = generate(2, seed=3, dimensions=("belief",), orders=(1,), scope=scope)
    said = {contrast: [gold_reply(twin, contrast=contrast) for twin in (one, other)] for contrast in (True, False)}
    assert [sum("did not notice that" in text for text in said[True]), "notice" in "".join(said[False])] == [1, False]
    for twin, text in zip((one, other), said[True], strict=True):
        assert twin.facts
        believed = twin.facts.claims[0]
        stage = parse(text, twin.options).stage_text("cue_interpretation")
        assert stage.startswith(f"{twin.facts.noticed}, so {believed.holders[0]} ") and believed.value in stage


def test_that_somebody_noticed_what_they_missed_is_untrue() -> None:
    """One move: the other way round it is false, also in a chapter that brings back who left in the one before."""
    scope = Scope(perturbations=Names(("left earlier", "left later")), places=(2,))
    asked = generate(60, seed=31, dimensions=("belief",), orders=(1,), chapters=(1, 2), scope=scope)
    told = 0
    for one in asked:
        assert one.facts
        text = gold_reply(one, contrast=True)
        about = [s for s in one.facts.sentences if one.facts.claims[0].subject in s.lower()]
        if "notice" not in one.facts.noticed or len(about) > 3:  # where it was put, one move, who needs it
            continue
        says, other = (" did not notice that ", " noticed that ")
        turned = text.replace(says, other) if says in text else text.replace(other, says)
        found = [FACTS.score(parse(said, one.options), one, tokens=120) for said in (text, turned)]
        assert [score.parts["content.cue_interpretation"] for score in found] == [1.0, 0.5], one.story + turned
        told += 1
    assert told > 20


def test_that_somebody_noticed_what_another_did_is_untrue() -> None:
    scope = Scope(templates=Names(("thinks it is",)), perturbations=Names(("left earlier",)), places=(2,), people=(3,))
    changed = 0
    for one in generate(40, seed=5, dimensions=("belief",), orders=(1,), scope=scope):
        assert one.facts
        holder = one.facts.claims[0].holders[0]
        about = [s for s in one.facts.sentences if one.facts.claims[0].subject in s.lower()]
        mover = next((name for name in one.facts.people if f" that {name} moved " in one.facts.noticed), "")
        other = next((name for name in one.facts.people if name not in (holder, mover)), "")
        if not (mover and other) or len(about) > 3:
            continue
        text = gold_reply(one, contrast=True)
        turned = text.replace(f" that {mover} moved ", f" that {other} moved ")
        found = [FACTS.score(parse(said, one.options), one, tokens=120) for said in (text, turned)]
        assert [score.parts["content.cue_interpretation"] for score in found] == [1.0, 0.5], one.story + turned
        changed += 1
    assert changed > 5


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
