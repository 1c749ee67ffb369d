"""A run's time by parts: what cannot be beaten, and what to expect.

The bound is the roofline model's (Williams, Waterman, Patterson 2009): a part takes at least its operations over the
card's throughput, and at least its bytes over the card's bandwidth. Real code reaches a share of it, and sampling by
plain `generate` waits for the launch of every small kernel: what to expect is a guess from two allowances, with which
no run of ours has been compared yet. Of the reward only what `reader` judges read is predicted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.plan.parts import kv_bytes_per_token, longest, number_size, sampled_at_once, weight_bytes
from socialr1_lite.plan.reading import QUESTION, readings
from socialr1_lite.plan.sharing import prompts_of, shares_prompts
from socialr1_lite.recipe import Recipe

REACHED = 0.4  # of the roof, in training and in an engine: an allowance [ours]
# Seconds that `generate` spends on launching one layer's kernels, a token: an allowance [ours]. Public outputs: 24
# tokens/s of one sequence, Qwen2.5-0.5B in float16 on a Colab T4 (24 layers) and Qwen3-0.6B (28 layers).
LAUNCH = 1.5e-3
ADD_AND_MULTIPLY = 2  # operations for each weight and token in a forward pass (Kaplan et al. 2020, section 2.1)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an optimizer step, or of a run. seconds: at least, limited by `bound`. expected: seconds, a guess."""

    name: str
    seconds: float
    bound: str
    why: str
    expected: float


def phases(recipe: Recipe, a: Architecture, gpu: Device) -> tuple[Phase, ...]:
    """Bound one optimizer step of one process (all work at the same time); not on a CPU, whose roof is unknown."""
    if gpu.cpu:
        return ()
    completions = recipe.completions_per_step / recipe.processes / recipe.grpo.num_iterations
    tokens = recipe.grpo.max_completion_length
    sampling = _sampling(recipe, a, gpu, completions, sampled_at_once(recipe), tokens, grouped=True)
    return (*sampling, *_reading(recipe, a, gpu), *_training(recipe, a, gpu))


def heldout_checks(recipe: Recipe, a: Architecture, gpu: Device) -> Phase | None:
    """Bound all held-out checks of a run, whose questions the processes share out; None where there are none."""
    asked, every = recipe.evaluation, recipe.evaluation.every
    on_the_way = (recipe.grpo.max_steps - 1) // every if every else 0
    sizes = [recipe.questions_of_a_check] * (3 if recipe.warmup.steps else 2) + [asked.on_the_way] * on_the_way
    tokens = asked.max_new_tokens or recipe.grpo.max_completion_length
    if gpu.cpu or not recipe.questions_of_a_check:
        return None
    parts: list[Phase] = []
    for share in (-(-size // recipe.processes) for size in sizes):
        batch = share if recipe.grpo.vllm else min(share, asked.batch_size)
        parts += _sampling(recipe, a, gpu, share, batch, tokens, grouped=False)
    why, seconds = f"{len(sizes)} of them, {sum(sizes)} questions", sum(part.seconds for part in parts)
    return Phase("held-out checks", seconds, parts[-1].bound, why, sum(part.expected for part in parts))


def step_tokens(recipe: Recipe) -> int:
    """Count the completion tokens an optimizer step samples at most, over all processes."""
    return recipe.completions_per_step * recipe.grpo.max_completion_length // recipe.grpo.num_iterations


def run_tokens(recipe: Recipe) -> int:
    """Count the tokens of prompts and completions that the whole run trains on at most."""
    return recipe.grpo.max_steps * recipe.completions_per_step * longest(recipe)


def _roof(name: str, operations: float, moved: float, gpu: Device, why: str, waits: float = 0.0) -> Phase:
    compute, move = operations / gpu.flops, moved / gpu.bandwidth
    roof, bound = max(compute, move), "operations" if compute > move else "bandwidth"
    return Phase(name, roof, bound, why, max(roof / REACHED, waits))


def _sampling(
    recipe: Recipe, a: Architecture, gpu: Device, completions: float, batch: int, completion: int, *, grouped: bool
) -> tuple[Phase, Phase]:
    prompt, weights = recipe.data.max_prompt_tokens, weight_bytes(recipe, a, number_size(recipe, gpu))
    rounds, seen = completions / batch, prompt + completion / 2  # half grown on average
    cached = batch * seen * kv_bytes_per_token(a)  # read for every token
    body = a.linear_parameters + a.vocabulary * a.hidden
    shared = grouped and shares_prompts(recipe, gpu) and not recipe.grpo.vllm  # an engine has ways of its own
    read = prompts_of(recipe, completions) if shared else completions
    prefill = read * _forward(a, prompt, head=0)
    decode = completions * completion * (ADD_AND_MULTIPLY * body + _attention(a, 1, seen))
    why = f"{completion} tokens, {batch} at once: weights and cache are read for each"
    waits = 0.0 if recipe.grpo.vllm else math.ceil(rounds) * completion * a.layers * LAUNCH
    return (
        _roof("prefill", prefill, rounds * weights, gpu, f"{read:g} prompts of {prompt} tokens"),
        _roof("decode", decode, rounds * completion * (weights + cached), gpu, why, waits),
    )


def _reading(recipe: Recipe, a: Architecture, gpu: Device) -> Iterator[Phase]:
    for one in readings(recipe, a, gpu):
        operations = one.passes * _forward(one.model, one.tokens / one.passes, head=one.at_once // QUESTION)
        why = f"{one.tokens:,} tokens in {one.passes} passes at most"
        yield _roof("judge reader", operations, one.passes * one.weights, gpu, why)


def _training(recipe: Recipe, a: Architecture, gpu: Device) -> tuple[Phase, ...]:
    grpo = recipe.grpo
    rows = grpo.per_device_train_batch_size * grpo.gradient_accumulation_steps
    forward, why = rows * _forward(a, longest(recipe), head=grpo.max_completion_length), f"{rows} sequences"
    if shares_prompts(recipe, gpu):
        prompts, prompt, tokens = prompts_of(recipe, rows), recipe.data.max_prompt_tokens, grpo.max_completion_length
        behind = _forward(a, tokens, head=tokens) + _attention(a, tokens, prompt)
        forward = prompts * _forward(a, prompt, head=0) + rows * behind
        why = f"{rows} completions behind {prompts:g} prompts"
    weights = grpo.gradient_accumulation_steps * weight_bytes(recipe, a, number_size(recipe, gpu))
    again = 1 if recipe.model.gradient_checkpointing else 0
    # Frozen weights need no gradient of their own, so the backward pass costs about as much as the forward one.
    bounds = [_roof("forward and backward", (2 + again) * forward, (2 + again) * weights, gpu, why)]
    if grpo.beta:
        bounds.append(_roof("reference", forward, weights, gpu, "a forward pass without the adapter, for KL"))
    return tuple(bounds)


def _forward(a: Architecture, tokens: float, *, head: int) -> float:
    """Count the operations of one sequence: all linear layers, attention, and the LM head for `head` tokens."""
    linear = ADD_AND_MULTIPLY * (tokens * a.linear_parameters + head * a.vocabulary * a.hidden)
    return linear + _attention(a, tokens, tokens / 2)  # causal: half of the pairs


def _attention(a: Architecture, queries: float, seen: float) -> float:
    """Count operations of scores and weighted values of `queries` tokens that see `seen` ones each, in every layer."""
    return a.layers * 2 * ADD_AND_MULTIPLY * queries * seen * a.queries
