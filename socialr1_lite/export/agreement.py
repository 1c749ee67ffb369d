"""The check after every export: the artefact must answer as the run's policy does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from socialr1_lite.data import heldout_scenarios, training_scenarios
from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import Message, Policy
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollout import messages, template_settings

PROMPTS = 8
TOKENS = 64  # greedy tokens compared for each prompt

Ask = Callable[[Sequence[list[Message]]], list[str]]


def prompts(recipe: Recipe) -> list[list[Message]]:
    """Held-out questions as the run asks them; training questions where it keeps none."""
    told = heldout_scenarios(recipe) or training_scenarios(recipe)
    return [messages(scenario, recipe) for scenario in told[:PROMPTS]]


def asked(policy: Policy, recipe: Recipe, some: Sequence[list[Message]]) -> list[str]:
    """Greedy completions, one a prompt."""
    told = policy.generate(some, max_new_tokens=TOKENS, template=template_settings(recipe), batch_size=PROMPTS)
    return [generation.text for generation in told]


def agree(expected: Sequence[str], found: Sequence[str], what: str) -> str:
    """One line when all are equal. Raises PolicyError naming the first prompt and the first character that differ."""
    if len(expected) != len(found):
        raise PolicyError(f"{what}: {len(found)} answers to {len(expected)} prompts")
    wrong = [i for i, (one, other) in enumerate(zip(expected, found, strict=True)) if one != other]
    if not wrong:
        return f"export check: {len(found)}/{len(expected)} identical"
    one, other = expected[wrong[0]], found[wrong[0]]
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    raise PolicyError(
        f"{what} does not answer as the run's policy does: {len(wrong)} of {len(expected)} greedy answers differ, the "
        f"first at prompt {wrong[0] + 1}, character {at + 1}: {one[at : at + 30]!r} became {other[at : at + 30]!r}"
    )
