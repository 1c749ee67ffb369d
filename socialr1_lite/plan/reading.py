"""What `reader` judges add to a step: a model reads each stage twice, without gradients, and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from socialr1_lite.errors import RecipeError
from socialr1_lite.plan.architectures import Architecture, find_architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.plan.parts import FULL, HALF, NF4, Part, number_size, weight_bytes
from socialr1_lite.recipe import Recipe
from socialr1_lite.sip import STAGES

AT_ONCE = 2048  # judges/reader.py, Settings.batch_tokens
QUESTION = 60  # tokens of one question beside story and stage: 45 of SmolLM2's, and what its chat template adds
FACTS = 140  # what a beginning, with its gold and facts, has more than a prompt: at most 139 in 30 generated stories


class Reading(NamedTuple):
    """One judge's reading in an optimizer step of one process.

    weights: bytes of the model; own: that it is beside the policy's. at_once: tokens of a forward pass. tokens, passes:
    of a step at most.
    """

    model: Architecture
    weights: float
    own: bool
    at_once: int
    tokens: int
    passes: int


def readings(recipe: Recipe, a: Architecture, device: Device) -> Iterator[Reading]:
    """Yield the reading of each such judge that reads here; a model whose sizes are not known here is not counted."""
    size, native = number_size(recipe, device), HALF if device.bfloat16 or not device.cpu else FULL
    for settings in (entry.settings for entry in recipe.rewards.content.judges if entry.name == "reader"):
        model, weights, name = a, weight_bytes(recipe, a, size), settings.get("model")
        if name and not settings.get("base_url"):
            try:
                model = find_architecture(str(name), settings.get("revision"))
            except RecipeError:
                continue
            linear = NF4 if settings.get("load_in_4bit") else native
            weights = model.linear_parameters * linear + model.other_parameters * native
        at_once = int(settings.get("batch_tokens", AT_ONCE))
        if not settings.get("base_url"):
            yield Reading(model, weights, bool(name), at_once, *reading_tokens(recipe, at_once))


def reading_tokens(recipe: Recipe, at_once: int = AT_ONCE) -> tuple[int, int]:
    """Return the tokens that one process reads a step at most, and in how many forward passes.

    Each completion is read as it is and with its words in another order, with a question for each stage; the beginning
    that a group's questions share is read once in each pass.
    """
    group, begin = recipe.grpo.num_generations, recipe.data.max_prompt_tokens + FACTS
    groups = recipe.completions_per_step / group / recipe.processes / recipe.grpo.num_iterations
    own = 2 * group * (recipe.grpo.max_completion_length + len(STAGES) * QUESTION) + len(STAGES) * QUESTION
    passes = math.ceil(own / max(at_once - begin, 1 + recipe.grpo.max_completion_length))
    return round(groups * (own + passes * begin)), math.ceil(groups * passes)


def reading_parts(recipe: Recipe, a: Architecture, device: Device) -> Iterator[Part]:
    """Predict the memory: weights of a model of its own, and one layer's largest moment with who sees whom."""
    size = number_size(recipe, device)
    for one in readings(recipe, a, device):
        if one.own:
            yield Part("reader", one.weights, "always", f"the judge's own {one.model.name}")
        layer = one.at_once * size * (2 * one.model.hidden + 3 * one.model.mlp + one.at_once)
        words = one.at_once // QUESTION * one.model.vocabulary * (size + FULL)
        yield Part(
            "reading", layer + words, "judging", f"{one.at_once:,} tokens at once, and their first words' choices"
        )
