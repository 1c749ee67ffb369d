"""The check after every export: the artefact must answer as the run's policy does."""

from __future__ import annotations

from collections.abc import Sequence

from socialr1_lite.data import heldout_scenarios, training_scenarios
from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import Policy
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.prompting import messages, template_settings
from socialr1_lite.sip import Message

PROMPTS = 8
TOKENS = 64  # greedy tokens compared for each prompt
# Another engine rounds otherwise. In bf16 (8 significant bits) neighbouring logits of 16 to 32 lie 0.125 apart, so two
# tokens this close may change places, and the rest of the answer with them [ours].
TIE = 0.25  # nats


def prompts(recipe: Recipe) -> list[list[Message]]:
    """Held-out questions as the run asks them; training questions where it keeps none."""
    scenarios = heldout_scenarios(recipe) or training_scenarios(recipe)
    return [messages(scenario, recipe) for scenario in scenarios[:PROMPTS]]


def asked(policy: Policy, recipe: Recipe, some: Sequence[list[Message]]) -> list[str]:
    """Greedy completions, one a prompt."""
    completions = policy.generate(some, max_new_tokens=TOKENS, template=template_settings(recipe), batch_size=PROMPTS)
    return [completion.text for completion in completions]


def agree(expected: Sequence[str], found: Sequence[str], what: str) -> str:
    """One line when all are equal. Raises PolicyError naming the first prompt and the first character that differ."""
    differing = _different(expected, found, what)
    if not differing:
        return f"export check: {len(found)}/{len(expected)} identical"
    raise PolicyError(_difference(expected, found, differing, what))


def agree_nearly(policy: Policy, texts: Sequence[str], expected: Sequence[str], found: Sequence[str], what: str) -> str:
    """As `agree`, for another engine: answers may part where the policy itself holds both tokens all but equal.

    texts: the rendered prompts.
    """
    gaps = {i: _gap(policy, texts[i], expected[i], found[i]) for i in _different(expected, found, what)}
    if far := [i for i, gap in gaps.items() if abs(gap) > TIE]:
        raise PolicyError(
            f"{_difference(expected, found, far, what)}; the policy prefers its own token by {gaps[far[0]]:.2f} nats, "
            f"and {TIE} would pass as rounding"
        )
    summary = f"export check: {len(found) - len(gaps)}/{len(expected)} identical"
    if not gaps:
        return summary
    near = f"{max(map(abs, gaps.values())):.2f} nats (limit {TIE})"
    return f"{summary}, {len(gaps)} part between two tokens that the policy holds within {near}"


def _different(expected: Sequence[str], found: Sequence[str], what: str) -> list[int]:
    if len(expected) != len(found):
        raise PolicyError(f"{what}: {len(found)} answers to {len(expected)} prompts")
    return [i for i, (one, other) in enumerate(zip(expected, found, strict=True)) if one != other]


def _difference(expected: Sequence[str], found: Sequence[str], differing: Sequence[int], what: str) -> str:
    one, other = expected[differing[0]], found[differing[0]]
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return (
        f"{what} does not answer as the run's policy does: {len(differing)} of {len(expected)} greedy answers differ: "
        f"first prompt {differing[0] + 1}, character {at + 1}: {one[at : at + 30]!r} became {other[at : at + 30]!r}"
    )


def _gap(policy: Policy, text: str, one: str, other: str) -> float:
    """How much likelier, in nats, the policy holds its own token where the two answers part."""
    import torch

    def ids(text: str) -> list[int]:
        found: list[int] = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    end = policy.tokenizer.eos_token_id
    ours, theirs = [*ids(one), end], [*ids(other), end]
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), 0)
    with torch.inference_mode():
        output = policy.model(input_ids=torch.tensor([ids(text) + ours[:at]], device=policy.device))
    logits = output.logits[0, -1].float()
    return float(logits[ours[at]] - logits[theirs[at]])
