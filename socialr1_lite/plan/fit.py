"""The cheapest changes with which a recipe fits a card, as overrides that the command line takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.plan.memory import memory
from socialr1_lite.recipe import Recipe

LEAST_GAIN = 0.01  # of the peak; a change that saves less is not worth a line


@dataclass(frozen=True, slots=True)
class Change:
    """Settings to change together. cost: what it takes away, in words."""

    settings: tuple[tuple[str, bool | float | str], ...]
    cost: str

    @property
    def overrides(self) -> tuple[str, ...]:
        """As the command line takes them."""
        return tuple(f"{key}={str(value).lower()}" for key, value in self.settings)

    def applied(self, recipe: Recipe) -> Recipe | None:
        """Return the changed recipe, or None when its settings no longer hold together."""
        tree = recipe.model_dump()
        for key, value in self.settings:
            section, name = key.split(".")
            tree[section][name] = value
        try:
            return Recipe.model_validate(tree)
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class Fit:
    """The changes made, in order, and the recipe they make. fits: whether that is enough."""

    changes: tuple[Change, ...]
    recipe: Recipe
    fits: bool

    @property
    def overrides(self) -> tuple[str, ...]:
        """Each setting once, with its last value."""
        last = dict(pair.split("=", 1) for change in self.changes for pair in change.overrides)
        return tuple(f"{key}={value}" for key, value in last.items())


def fits(recipe: Recipe, architecture: Architecture, gpu: Device) -> bool:
    """Return whether the predicted peak is within what the card leaves to a process."""
    return memory(recipe, architecture, gpu).peak <= gpu.usable


def fit(recipe: Recipe, architecture: Architecture, gpu: Device) -> Fit:
    """Apply changes, cheapest first, each as often as it helps, until the recipe fits; then drop the needless."""
    made: list[Change] = []
    now = recipe
    while not fits(now, architecture, gpu):
        if (better := next(knobs(now, architecture, gpu), None)) is None:
            return Fit(tuple(made), now, False)
        made.append(better)
        now = better.applied(now) or now
    kept = list(made)
    for change in made:
        others = [other for other in kept if other is not change]
        if (changed := _all(recipe, others)) and fits(changed, architecture, gpu):
            kept = others
    return Fit(tuple(kept), _all(recipe, kept) or recipe, True)


def knobs(recipe: Recipe, architecture: Architecture, gpu: Device) -> Iterator[Change]:
    """Yield the changes that help at all, the cheapest first."""
    enough = memory(recipe, architecture, gpu).peak * (1 - LEAST_GAIN)
    for change in changes(recipe):
        if (changed := change.applied(recipe)) and memory(changed, architecture, gpu).peak < enough:
            yield change


def _all(recipe: Recipe, changes: list[Change]) -> Recipe | None:
    """Apply them all; None when the settings no longer hold together on the way."""
    now: Recipe | None = recipe
    for change in changes:
        now = now and change.applied(now)
    return now


def changes(recipe: Recipe) -> Iterator[Change]:
    """Yield every change worth trying, the cheapest first: time, then precision, then what is trained."""
    grpo, model = recipe.grpo, recipe.model
    for divisor in (2, 4, 8):
        if (asked := recipe.evaluation.batch_size // divisor) >= 1:
            yield Change((("evaluation.batch_size", asked),), "held-out checks in smaller batches, somewhat slower")
    if not model.gradient_checkpointing:
        yield Change((("model.gradient_checkpointing", True),), "about a third more time in the backward pass")
    for share in (0.4, 0.3, 0.2):
        if grpo.vllm == "colocate" and share < model.gpu_memory_utilization:
            yield Change((("model.gpu_memory_utilization", share),), "fewer completions sampled at once by vLLM")
    batch, steps = grpo.per_device_train_batch_size, grpo.gradient_accumulation_steps
    if batch > 1:
        part = next(n for n in range(2, batch + 1) if batch % n == 0)
        less = [("grpo.per_device_train_batch_size", batch // part), ("grpo.gradient_accumulation_steps", steps * part)]
        if grpo.steps_per_generation:
            less.append(("grpo.steps_per_generation", grpo.steps_per_generation * part))
        yield Change(tuple(less), "smaller batches, somewhat slower, the same completions a step")
    for divisor in (2, 4, 8):
        if grpo.generation_steps % divisor == 0:
            fewer = (("grpo.steps_per_generation", grpo.generation_steps // divisor),)
            yield Change(fewer, "completions sampled in smaller batches, somewhat slower")
    if recipe.warmup.steps and (gold := recipe.warmup.batch_size // 2):
        yield Change((("warmup.batch_size", gold),), "half as many gold replies in the cold start")
    if not model.load_in_4bit:
        yield Change((("model.load_in_4bit", True),), "slower layers, weights rounded to 4 bits")
    if model.lora.r > 8:
        yield Change((("grpo.optim", "adamw_8bit"),), "optimizer states rounded to 8 bits")
    if grpo.max_completion_length > 256:
        shorter = grpo.max_completion_length * 3 // 4
        yield Change((("grpo.max_completion_length", shorter),), "less room to reason: watch the cut-off share")
