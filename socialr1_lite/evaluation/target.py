"""What is evaluated: a run folder's adapter, or a model by hub id, local folder or alias."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.recipe import Model, Recipe, load_recipe
from socialr1_lite.runlog import RunFolder

ADAPTER_FILE = "adapter_model.safetensors"


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

    def load(self) -> Policy:
        """The policy, with its adapter; a merged cold start goes into the base first, as in training."""
        if self.cold_start is None:
            return load_policy(self.recipe.model, adapter=self.adapter)
        policy = load_policy(self.recipe.model, adapter=self.cold_start)
        policy.merge_adapter()
        if self.adapter is not None:
            policy.add_adapter(self.adapter)
        return policy


def find(named: str, *, backend: str = "auto", load_in_4bit: bool = False) -> Target:
    """A run folder when there is one of that name, else a model. Raises PolicyError for a run without an adapter."""
    path = Path(named)
    if path.is_dir() and ((path / "state.json").exists() or (path / "recipe.yaml").exists()):
        return _run(RunFolder.open(path), backend)
    if path.is_file() or (named.startswith((".", "/", "~")) and not path.is_dir()):
        raise PolicyError(f"{named}: no such folder (a run folder, a model folder, a hub id or smollm2-135m)")
    model = Model.model_validate({"name": named, "backend": _local(backend), "load_in_4bit": load_in_4bit})
    return Target(named, Recipe(model=model), f"model {path.resolve() if path.is_dir() else named}")


def _local(backend: str) -> str:
    """The policy's backend: vllm and openai do not go through it."""
    return backend if backend in ("unsloth", "transformers") else "auto"


def _run(run: RunFolder, backend: str) -> Target:
    if not run.recipe.is_file():
        raise PolicyError(f"{run.path}: holds no {run.recipe.name}, so its model is not known")
    recipe = load_recipe(run.recipe)
    if backend in ("unsloth", "transformers"):
        recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"backend": backend})})
    adapter, step = newest_adapter(run)
    cold = run.path / "cold_start"
    merged = cold if recipe.warmup.merge and cold.is_dir() else None
    digest = hashlib.sha256((adapter / ADAPTER_FILE).read_bytes()).hexdigest()
    return Target(run.name, recipe, f"{recipe.model.name} adapter {digest}", run, adapter, merged, step)


def newest_adapter(run: RunFolder) -> tuple[Path, int]:
    """The final adapter, else the newest complete checkpoint's, and its step. Nothing in the run is changed."""
    if (run.adapter / ADAPTER_FILE).is_file():
        return run.adapter, int(run.state().get("step", 0))
    steps = {
        int(path.name.rpartition("-")[2]): path
        for path in run.checkpoints.glob("checkpoint-*")
        if (path / "COMPLETE.json").is_file() and (path / ADAPTER_FILE).is_file()
    }
    if not steps:
        raise PolicyError(f"{run.path}: has neither a final adapter nor a complete checkpoint to evaluate yet")
    return steps[max(steps)], max(steps)
