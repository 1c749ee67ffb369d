"""What is evaluated: a run folder's adapter, or a model by hub id, local folder or alias."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.recipe import Model, Recipe, load_recipe
from socialr1_lite.runlog import BestAdapter, RunFolder

ADAPTER_FILE = "adapter_model.safetensors"
NEWEST, BEST = "newest", "best"  # or a step's number
LOCAL = ("unsloth", "transformers")  # the policy's backends: vllm and openai do not go through it


@dataclass(frozen=True, slots=True)
class Target:
    """A model with what belongs to it. identity: changes whenever its replies may. step: None for a plain model."""

    name: str
    recipe: Recipe
    identity: str
    run: RunFolder | None = None
    adapter: Path | None = None
    cold_start: Path | None = None
    step: int | None = None
    checkpoint: str = NEWEST

    def load(self) -> Policy:
        """Load the policy, with its adapter; a merged cold start goes into the base first, as in training.

        What loading changed (a type that the card has not, a revision that was not honoured) goes to standard error.
        """
        policy = load_policy(self.recipe.model, adapter=self.cold_start or self.adapter)
        for note in policy.notes:
            print(f"{self.name}: {note}", file=sys.stderr)
        if self.cold_start is None:
            return policy
        policy.merge_adapter()
        if self.adapter is not None:
            policy.add_adapter(self.adapter)
        return policy


def find(named: str, *, backend: str = "auto", load_in_4bit: bool = False, checkpoint: str = NEWEST) -> Target:
    """Find a run folder of that name, else a model.

    checkpoint: which adapter of a run: "newest", "best" (by held-out accuracy), or a step's number.
    Raises PolicyError for a run without that adapter.
    """
    path = Path(named)
    if path.is_dir() and ((path / "state.json").exists() or (path / "recipe.yaml").exists()):
        return _run(RunFolder.open(path), backend, checkpoint)
    if checkpoint != NEWEST:
        raise PolicyError(f"--checkpoint {checkpoint}: {named} is no run folder, so it has no checkpoints")
    if path.is_file() or (named.startswith((".", "/", "~")) and not path.is_dir()):
        raise PolicyError(f"{named}: no such folder (a run folder, a model folder, a hub id or smollm2-135m)")
    local = backend if backend in LOCAL else "auto"
    model = Model.model_validate({"name": named, "backend": local, "load_in_4bit": load_in_4bit})
    return Target(named, Recipe(model=model), f"model {path.resolve() if path.is_dir() else named}")


def _run(run: RunFolder, backend: str, checkpoint: str) -> Target:
    if not run.recipe.is_file():
        raise PolicyError(f"{run.path}: holds no {run.recipe.name}, so its model is not known")
    recipe = load_recipe(run.recipe)
    if backend in LOCAL:
        recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"backend": backend})})
    adapter, step = chosen_adapter(run, checkpoint)
    cold = run.path / "cold_start"
    merged = cold if recipe.warmup.merge and cold.is_dir() else None
    digest = hashlib.sha256((adapter / ADAPTER_FILE).read_bytes()).hexdigest()
    name = run.name if checkpoint == NEWEST else f"{run.name}-{'step-' * checkpoint.isdigit()}{checkpoint}"
    return Target(name, recipe, f"{recipe.model.name} adapter {digest}", run, adapter, merged, step, checkpoint)


def chosen_adapter(run: RunFolder, checkpoint: str) -> tuple[Path, int]:
    """Return the adapter's folder and step; nothing in the run is changed. Raises PolicyError when it is not there."""
    if checkpoint == NEWEST:
        return newest_adapter(run)
    if checkpoint == BEST:
        found = BestAdapter(run).read()
        if found is None or not (found[1] / ADAPTER_FILE).is_file():
            raise PolicyError(f"{run.path}: has no best checkpoint; a run keeps one where evaluation.every is above 0")
        return found[1], found[0].step
    steps = _checkpoints(run)
    if not checkpoint.isdigit() or int(checkpoint) not in steps:
        there = ", ".join(map(str, sorted(steps))) or "no checkpoint"
        raise PolicyError(f"--checkpoint {checkpoint}: {run.path} has {there}; newest, best or a step's number")
    return steps[int(checkpoint)], int(checkpoint)


def newest_adapter(run: RunFolder) -> tuple[Path, int]:
    """Return the final adapter, else the newest complete checkpoint's, and its step. Nothing in the run is changed."""
    if (run.adapter / ADAPTER_FILE).is_file():
        return run.adapter, int(run.state().get("step", 0))
    steps = _checkpoints(run)
    if not steps:
        raise PolicyError(f"{run.path}: has neither a final adapter nor a complete checkpoint to evaluate yet")
    return steps[max(steps)], max(steps)


def _checkpoints(run: RunFolder) -> dict[int, Path]:
    """Return the complete checkpoints by their step."""
    return {
        int(path.name.rpartition("-")[2]): path
        for path in run.checkpoints.glob("checkpoint-*")
        if (path / "COMPLETE.json").is_file() and (path / ADAPTER_FILE).is_file()
    }
