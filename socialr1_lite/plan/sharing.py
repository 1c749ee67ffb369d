"""What `grpo.share_prefix` changes: a prompt is held and read once for the completions of its group.

Only where the package reads the prompts itself: on a CPU, and on a GPU without Unsloth, whose own loss has its own way.
"""

from __future__ import annotations

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.plan.parts import activation_bytes_per_token, longest
from socialr1_lite.policy.prefix import MOST_SCORES
from socialr1_lite.recipe import Recipe


def shares_prompts(recipe: Recipe, device: Device) -> bool:
    """Return whether prompts are shared on this device."""
    return recipe.grpo.share_prefix and (device.cpu or recipe.model.backend == "transformers")


def prompts_of(recipe: Recipe, completions: float) -> float:
    """Return how many prompts so many completions have, groups side by side: one at least."""
    return max(1.0, completions / recipe.grpo.num_generations)


def shared_tokens(recipe: Recipe) -> float:
    """Return the tokens of a micro-batch: its prompts once, and its completions."""
    rows = recipe.grpo.per_device_train_batch_size
    return prompts_of(recipe, rows) * recipe.data.max_prompt_tokens + rows * recipe.grpo.max_completion_length


def shared_layer_bytes(recipe: Recipe, a: Architecture, size: int, *, cpu: bool) -> float:
    """Count what one layer keeps of a micro-batch for its backward pass; tests count what autograd keeps.

    Beside what a token keeps: the prompt's keys and values copied before those of each completion (repeated for every
    head on a GPU), and on a CPU the scores, up to the size from which torch's fused kernel takes over.
    """
    rows, prompt, reply = recipe.grpo.per_device_train_batch_size, recipe.data.max_prompt_tokens, longest(recipe)
    new = recipe.grpo.max_completion_length
    copied = rows * (2 * reply * (a.keys if cpu else a.queries) + new * a.queries)
    scores = 0.0
    if cpu:
        groups = prompts_of(recipe, rows)
        kinds = ((1, prompt, prompt), (rows / groups, new, reply))
        kept = (each * a.heads * asked * seen for each, asked, seen in kinds)
        scores = groups * sum(one for one in kept if one <= MOST_SCORES)
    tokens = shared_tokens(recipe)
    return tokens * activation_bytes_per_token(a, recipe.model.lora.r, size) + size * (copied + scores)
