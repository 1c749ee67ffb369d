"""The preflight names what would make training fruitless, and does not cry wolf."""

from __future__ import annotations

import pytest

from socialr1_lite.errors import PreflightError
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.scenario import Scenario
from socialr1_lite.training.preflight import PROMPTS, preflight
from tests.scripted import BROKEN, RIGHT, WRONG, ScriptedPolicy, copies

RECIPE = Recipe.model_validate(
    {"rewards": {"length": {"min_tokens": 5}}, "grpo": {"num_generations": 4, "per_device_train_batch_size": 4}}
)


def look(policy: ScriptedPolicy, scenario: Scenario, recipe: Recipe = RECIPE):
    return preflight(recipe, policy, RewardStack(recipe.rewards), copies(scenario, PROMPTS))


def test_a_healthy_model_passes_without_a_word(scenario):
    found = look(ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG), scenario)
    assert (found.obstacles, found.warnings) == ((), ())
    found.refuse()
    assert any("100% of 8 samples" in line for line in found.lines())
    assert any("informative groups: 2 of 2" in line for line in found.lines())


def test_no_completion_in_form_is_refused_with_the_failed_checks_and_a_remedy(scenario):
    found = look(ScriptedPolicy(lambda _: BROKEN), scenario)
    with pytest.raises(PreflightError, match=r"one_answer.*warmup\.steps=20.*rewards\.format\.mode=graded"):
        found.refuse()


def test_one_completion_in_form_is_no_obstacle(scenario):
    assert look(ScriptedPolicy(lambda i: RIGHT if i == 3 else BROKEN), scenario).obstacles == ()


def test_a_refusal_needs_sixty_samples_over_four_groups(scenario):
    """The first completion in form may be the 57th: ten samples say little of a model that is right now and then."""
    calls = []

    def late(policy: ScriptedPolicy) -> ScriptedPolicy:
        plain = policy.generate

        def generate(prompts, **sampling):
            calls.append(sampling["seed"])
            policy.say = lambda i: RIGHT if len(calls) == 8 and i == 0 else BROKEN
            return plain(prompts, **sampling)

        policy.generate = generate
        return policy

    found = look(late(ScriptedPolicy(lambda _: BROKEN)), scenario)
    assert found.obstacles == () and len(found.completions) == 64
    assert len(set(calls)) == 8, "the same samples again say nothing new"
    wide = RECIPE.model_copy(update={"grpo": RECIPE.grpo.model_copy(update={"num_generations": 40})})
    refused = look(ScriptedPolicy(lambda _: BROKEN), scenario, wide)
    assert refused.obstacles and len(refused.groups) == 4


def test_additive_mode_can_learn_without_the_gate(scenario):
    recipe = Recipe.model_validate(
        RECIPE.model_dump() | {"rewards": RECIPE.rewards.model_dump() | {"mode": "additive"}}
    )
    assert look(ScriptedPolicy(lambda _: BROKEN), scenario, recipe).obstacles == ()


def test_every_completion_cut_off_is_refused(scenario):
    found = look(ScriptedPolicy(lambda _: BROKEN, cut=lambda _: True), scenario)
    with pytest.raises(PreflightError, match=r"all 64 sampled completions were cut off.*max_completion_length=256"):
        found.refuse()


def test_a_third_cut_off_is_a_warning(scenario):
    found = look(ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG, cut=lambda i: i % 3 == 0), scenario)
    assert found.obstacles == ()
    assert [w for w in found.warnings if "cut off" in w]


def test_flat_groups_are_a_warning_that_says_so(scenario):
    found = look(ScriptedPolicy(lambda _: RIGHT), scenario)
    assert [w for w in found.warnings if "no sampled group is informative" in w]
    assert any("all right" in line for line in found.lines())


def test_a_template_that_opens_the_think_block_is_told_and_read_rightly(scenario):
    inside = RIGHT.split("<think>", 1)[1]
    found = look(
        ScriptedPolicy(lambda i: inside if i % 2 else WRONG.split("<think>", 1)[1], tail="<think>\n"), scenario
    )
    assert found.prefilled
    assert all(scored.score.components["format"] == 1 for scored in found.completions)


def test_it_samples_as_the_first_step_will(scenario):
    policy = ScriptedPolicy(lambda _: RIGHT)
    look(policy, scenario)
    assert policy.sampling["temperature"] == RECIPE.grpo.temperature
    assert policy.sampling["max_new_tokens"] == RECIPE.grpo.max_completion_length
