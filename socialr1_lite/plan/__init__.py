"""Will it fit, and how long at least: memory and time of a recipe by parts, before a GPU is rented.

    python -m socialr1_lite.plan RECIPE [key=value ...] [--gpu t4] [--fit] [--config FILE] [--price N]

Everything is arithmetic on the recipe and published sizes; nothing is loaded. docs/scale.md says what of it has been
compared with measurements, and what has not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from socialr1_lite.errors import PreflightError
from socialr1_lite.plan.architectures import Architecture, find_architecture
from socialr1_lite.plan.fit import fits, knobs
from socialr1_lite.plan.hardware import GIB, Gpu, find_gpu
from socialr1_lite.plan.memory import Memory, memory
from socialr1_lite.plan.timing import Phase, phases
from socialr1_lite.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Plan:
    """One recipe on one card."""

    recipe: Recipe
    architecture: Architecture
    gpu: Gpu
    memory: Memory
    phases: tuple[Phase, ...]

    @property
    def fits(self) -> bool:
        """Whether the predicted peak is within what the card leaves to a process."""
        return self.memory.peak <= self.gpu.usable

    @property
    def step_s(self) -> float:
        """Seconds of one optimizer step, at least."""
        return sum(phase.seconds for phase in self.phases)


def make_plan(recipe: Recipe, gpu: Gpu | str, architecture: Architecture | None = None) -> Plan:
    """The plan of a recipe. Raises RecipeError for a card or a model whose sizes are not known."""
    card = find_gpu(gpu) if isinstance(gpu, str) else gpu
    made_of = architecture or find_architecture(recipe.model.name)
    return Plan(recipe, made_of, card, memory(recipe, made_of, card), phases(recipe, made_of, card))


def refuse_what_cannot_fit(recipe: Recipe, gpu_bytes: float) -> None:
    """Raise PreflightError, with the three cheapest remedies, when the recipe cannot fit into so much GPU memory.

    gpu_bytes: as torch.cuda.get_device_properties(0).total_memory tells it. Raises RecipeError for an unknown model.
    """
    made_of = find_architecture(recipe.model.name)
    card = replace(find_gpu("a100-80"), name="this GPU", memory=float(gpu_bytes))
    if fits(recipe, made_of, card):
        return
    told = memory(recipe, made_of, card)
    remedies = "; ".join(f"{' '.join(change.overrides)} ({change.cost})" for change in knobs(recipe, made_of, card))
    raise PreflightError(
        f"plan: {told.peak / GIB:.1f} GiB are predicted and {card.usable / GIB:.1f} GiB can be used; the largest part "
        f"is {told.largest.name} ({told.largest.bytes / GIB:.1f} GiB: {told.largest.why}); the cheapest remedies: "
        f"{remedies or 'none is left, a smaller model is needed'}"
    )


__all__ = ["Plan", "find_architecture", "find_gpu", "fits", "make_plan", "refuse_what_cannot_fit"]
