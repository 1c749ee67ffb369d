"""What is evaluated: a run folder's adapter, or a model by hub id, local folder or alias."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from socialr1_lite.errors import PolicyError, RunLogError
from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.policy.adapters import refuse_pickle
from socialr1_lite.policy.stacking import rank_of, served_rank, stack
from socialr1_lite.recipe import EMBEDDED_MODEL, Model, Recipe, load_recipe
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.runlog import BestAdapter, RunFolder, newest_complete, recipe_digest
from socialr1_lite.runlog.checkpoints import check, checkpoint_step, marker_of, vouched

ADAPTER_FILE, PICKLED = "adapter_model.safetensors", "adapter_model.bin"
NEWEST, BEST = "newest", "best"  # or a step's number
LOCAL = ("unsloth", "transformers")  # the policy's backends: vllm and openai do not go through it


@dataclass(frozen=True, slots=True)
class Target:
    """A model with what belongs to it. identity: changes whenever its replies may. step: None for a plain model.

    asked_as: the recipe.yaml that says how it is asked, where that is not the run's own. trained, trained_sha256: the
    recipe that it was trained by, and its file's; None and "" for a plain model.
    """

    name: str
    recipe: Recipe
    identity: str
    run: RunFolder | None = None
    adapter: Path | None = None
    cold_start: Path | None = None
    step: int | None = None
    checkpoint: str = NEWEST
    asked_as: Path | None = None
    trained: Recipe | None = None
    trained_sha256: str = ""

    @property
    def model_name(self) -> str:
        """The model's name as reports have it: of a run, its base's."""
        return self.recipe.model.name if self.run else self.name

    @property
    def says_how(self) -> Path | None:
        """The recipe that says how it is asked; None for a plain model."""
        return self.asked_as or (self.run.recipe if self.run else None)

    @property
    def training(self) -> str:
        """A digest of the recipe that it was trained by, its seed aside; "" for a plain model."""
        if self.trained is None:
            return ""
        return self.trained.model_copy(update={"run": self.trained.run.model_copy(update={"seed": 0})}).digest

    def for_vllm(self, folder: Path) -> tuple[Path | None, int]:
        """Return the one adapter that vLLM is to lay on the bare base, and the room it needs; 16 without any.

        A merged cold start and what was trained above it become one adapter, written into `folder`.
        Raises PolicyError for adapters that it cannot serve.
        """
        adapter = self.adapter
        if self.cold_start is not None:
            adapter = stack(self.cold_start, self.adapter, folder) if self.adapter else self.cold_start
        return adapter, served_rank(rank_of(adapter) if adapter else 16)

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


def find(
    named: str, *, backend: str = "auto", load_in_4bit: bool = False, checkpoint: str = NEWEST, trust: Trust = NOBODY
) -> Target:
    """Find a run folder of that name, else a model.

    checkpoint: which adapter of a run: "newest", "best" (by held-out accuracy), or a step's number. trust: what the
    caller allows beyond what a run's recipe may decide.
    Raises PolicyError for a run without that adapter, RunLogError for a damaged one, RecipeError for what is not
    allowed.
    """
    path = Path(named)
    if path.is_dir() and ((path / "state.json").exists() or (path / "recipe.yaml").exists()):
        return _run(RunFolder.open(path), backend, checkpoint, trust)
    if checkpoint != NEWEST:
        raise PolicyError(f"--checkpoint {checkpoint}: {named} is no run folder, so it has no checkpoints")
    if path.is_file() or (named.startswith((".", "/", "~")) and not path.is_dir()):
        raise PolicyError(f"{named}: no such folder (a run folder, a model folder, a hub id or smollm2-135m)")
    local = backend if backend in LOCAL else "auto"
    given = {"trust_remote_code": trust.remote_code, "allow_pickle": trust.pickle}
    model = Model.model_validate({"name": named, "backend": local, "load_in_4bit": load_in_4bit, **given})
    return Target(named, Recipe(model=model), f"model {path.resolve() if path.is_dir() else named}")


def at_endpoint(model: str) -> Target:
    """Return a model that a server has, by the server's name for it."""
    return Target(model, Recipe(), "")


def asked_as(target: Target, path: Path, trust: Trust = NOBODY) -> Target:
    """Return the target, asked as a run folder or a recipe says: prompt, template, length, and what scores the traces.

    The model and its training stay the target's own; of a model behind an endpoint the recipe tells both, for judges
    that read with it.
    Raises RecipeError for a recipe that is wrong or needs a word of the caller's, PolicyError for a folder without one.
    """
    if path.is_dir() and not (path / "recipe.yaml").is_file():
        raise PolicyError(f"{path}: holds no recipe.yaml, so it does not say how it is asked")
    file = path / "recipe.yaml" if path.is_dir() else path
    recipe = load_recipe(file)
    if not target.identity:  # nothing is loaded here
        trust.check_model(recipe.model, str(file))
        return replace(target, recipe=recipe, asked_as=file, trained=recipe, trained_sha256=recipe_digest(file))
    return replace(target, recipe=recipe.model_copy(update={"model": target.recipe.model}), asked_as=file)


def _run(run: RunFolder, backend: str, checkpoint: str, trust: Trust) -> Target:
    if not run.recipe.is_file():
        raise PolicyError(f"{run.path}: holds no {run.recipe.name}, so its model is not known")
    recipe = trained = load_recipe(run.recipe)
    trust.check_model(recipe.model, str(run.recipe))
    settings = {"allow_pickle": trust.pickle} | ({"backend": backend} if backend in LOCAL else {})
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update=settings)})
    adapter, step, *notes = _chosen(run, checkpoint)
    refuse_pickle(adapter, "adapter_model", allowed=trust.pickle)
    weights = next((path for name in (ADAPTER_FILE, PICKLED) if (path := adapter / name).is_file()), None)
    if weights is None:
        raise PolicyError(f"{adapter}: holds no {ADAPTER_FILE}, so it is no adapter")
    cold = run.path / "cold_start"
    merged = cold if recipe.warmup.merge and recipe.warmup.steps else None
    if merged and not merged.is_dir():
        raise RunLogError(f"{cold} is gone, and the adapter belongs on the base with it merged in; put it back")
    notes += [vouched(cold)] if merged else []
    origin = "a folder" if Path(recipe.model.name).is_dir() else "from the hub"
    if recipe.model.name != EMBEDDED_MODEL:
        notes.append(f"the base is {recipe.model.name} ({origin}), as {run.recipe.name} says")
    for note in filter(None, notes):
        print(f"{run.name}: {note}", file=sys.stderr)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    name = run.name if checkpoint == NEWEST else f"{run.name}-{'step-' * checkpoint.isdigit()}{checkpoint}"
    found = Target(name, recipe, f"{recipe.model.name} adapter {digest}", run, adapter, merged, step, checkpoint)
    return replace(found, trained=trained, trained_sha256=run.recipe_digest())


def _chosen(run: RunFolder, checkpoint: str) -> tuple[Path, int, str]:
    """Return the adapter's folder, its step, and what is to be told of it; nothing in the run is changed.

    Raises PolicyError when it is not there, RunLogError when it is damaged.
    """
    if checkpoint == NEWEST:
        return _newest(run)
    if checkpoint == BEST:
        found = BestAdapter(run).read()
        if found is None or not found[1].is_dir():
            raise PolicyError(f"{run.path}: has no best checkpoint; a run keeps one where evaluation.every is above 0")
        return found[1], found[0].step, vouched(found[1], found[0].step)
    folders = run.checkpoints.glob("checkpoint-*")
    steps = {step: path for path in folders if (step := checkpoint_step(path)) is not None}
    if not checkpoint.isdigit() or int(checkpoint) not in steps:
        there = ", ".join(map(str, sorted(steps))) or "no checkpoint"
        raise PolicyError(f"--checkpoint {checkpoint}: {run.path} has {there}; newest, best or a step's number")
    folder = steps[int(checkpoint)]
    if problem := check(folder):
        raise RunLogError(f"{folder}: {problem}; name another: --checkpoint N")
    return folder, int(checkpoint), ""


def _newest(run: RunFolder) -> tuple[Path, int, str]:
    """Return the final adapter, else the newest complete checkpoint's."""
    state = run.state()
    if run.adapter.is_dir():
        told = vouched(run.adapter)
        return run.adapter, marker_of(run.adapter).get("step") or state["step"], told
    newest = newest_complete(run, set_aside=False)
    if newest.path is None:
        told = f" ({'; '.join(newest.notices)})" if newest.notices else ""
        raise PolicyError(f"{run.path}: has neither a final adapter nor a complete checkpoint to evaluate yet{told}")
    gone = [f"{run.state_file.name} says completed, and there is no adapter/"] if run.completed else []
    said = "; ".join([*gone, *newest.notices])
    return newest.path, newest.step, f"{said}: the checkpoint of step {newest.step} is taken" if said else ""
