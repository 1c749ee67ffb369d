"""Will it fit, and how long: memory and time of a recipe by parts, before a GPU is rented.

    python -m socialr1_lite.plan RECIPE [key=value ...] [--gpu t4] [--fit] [--config FILE] [--price N]

Everything is arithmetic on the recipe and published sizes; nothing is loaded. docs/scale.md says what of it has been
compared with measurements, and what has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from socialr1_lite.errors import PreflightError, RecipeError
from socialr1_lite.plan.architectures import Architecture, find_architecture, loadable_architecture
from socialr1_lite.plan.fit import fits, knobs
from socialr1_lite.plan.hardware import GIB, Device, find_gpu, this_cpu, this_gpu
from socialr1_lite.plan.memory import memory
from socialr1_lite.plan.parts import Memory
from socialr1_lite.plan.timing import Phase, heldout_checks, phases
from socialr1_lite.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Plan:
    """One recipe on one card."""

    recipe: Recipe
    architecture: Architecture
    gpu: Device
    memory: Memory
    phases: tuple[Phase, ...]
    checks: Phase | None

    @property
    def fits(self) -> bool:
        """Whether the predicted peak is within what the card leaves to a process."""
        return self.memory.peak <= self.gpu.usable

    @property
    def hours(self) -> tuple[float, float]:
        """Hours of GRPO with its held-out checks: to expect (a guess, see `timing`), and the bound."""
        parts = [*self.phases * self.recipe.grpo.max_steps, *([self.checks] if self.checks else [])]
        return sum(part.expected for part in parts) / 3600, sum(part.seconds for part in parts) / 3600


def make_plan(recipe: Recipe, gpu: Device | str, architecture: Architecture | None = None) -> Plan:
    """Plan a recipe on a card. Raises RecipeError for a card or a model whose sizes are not known."""
    card = find_gpu(gpu) if isinstance(gpu, str) else gpu
    made_of = architecture or find_architecture(recipe.model.name, recipe.model.revision)
    times = phases(recipe, made_of, card), heldout_checks(recipe, made_of, card)
    return Plan(recipe, made_of, card, memory(recipe, made_of, card), *times)


def before_training(recipe: Recipe, device: Device | None = None) -> str:
    """Say in one line what is predicted for this process's device, or for another one.

    A model whose sizes cannot be had is let through, and the line says so. Raises PreflightError with three remedies
    when it cannot fit; with `run.must_fit: false` nothing is refused.
    """
    if device is None:
        import torch

        device = this_gpu() if torch.cuda.is_available() else this_cpu()
    try:
        made_of = loadable_architecture(recipe.model)
    except RecipeError as unknown:
        return f"plan: nothing is predicted: {unknown}"
    used = memory(recipe, made_of, device)
    line = (
        f"plan: at most {used.peak / GIB:.1f} GiB are predicted and {device.name} has {device.usable / GIB:.1f} GiB to "
        f"give; the largest part is {used.largest.name} ({used.largest.bytes / GIB:.1f} GiB: {used.largest.why})"
    )
    if used.peak <= device.usable:
        return line
    if not recipe.run.must_fit:
        return f"{line}; going on, because run.must_fit is false"
    cheapest = islice(knobs(recipe, made_of, device), 3)
    remedies = "; ".join(f"{' '.join(change.overrides)} ({change.cost})" for change in cheapest)
    raise PreflightError(
        f"{line}; the cheapest remedies: {remedies or 'none is left, a smaller model is needed'}; "
        "run.must_fit=false goes on all the same"
    )


__all__ = ["Plan", "before_training", "find_architecture", "fits", "make_plan"]
