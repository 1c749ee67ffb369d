"""What a launch finds in its run folder, may begin anew there, and puts there whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from socialr1_lite.errors import RecipeError, RunLogError
from socialr1_lite.policy import Policy
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.recipe.located_yaml import Yaml
from socialr1_lite.runlog import RunFolder, newest_complete, read_traces, write_atomic
from socialr1_lite.scenario import Scenario


def cold_start_folder(run: RunFolder) -> Path:
    """Return where the adapter of the finished cold start lies."""
    return run.path / "cold_start"


def made_in(run: RunFolder, recipe: Recipe) -> Path:
    """Return where the trainer makes its checkpoints: in the run folder, or in a scratch folder of this run alone."""
    if not recipe.run.scratch:
        return run.checkpoints
    # Emptied at each start, so never a folder that anybody else may have named, such as the run's own.
    digest = hashlib.sha256(str(run.path.resolve()).encode()).hexdigest()[:12]
    return Path(recipe.run.scratch).expanduser() / f".socialr1_lite-checkpoints-{digest}"


def holds_work(run: RunFolder) -> bool:
    """Return whether anything would be lost were the run begun anew: a cold start, a step, what people marked."""
    kept = (cold_start_folder(run), run.adapter, run.evaluation, run.path / "labels")
    return (
        any(path.is_dir() and any(path.iterdir()) for path in kept)
        or (run.metrics.is_file() and run.metrics.stat().st_size > 0)
        or newest_complete(run, set_aside=False).path is not None
        or any(trace.phase == "train" and trace.step > 0 for trace in read_traces(run))
    )


def refuse_another_recipe(run: RunFolder, recipe: Recipe) -> None:
    """Raise RecipeError when the folder holds work of another recipe, or any where the recipe resumes none."""
    if not (run.recipe.is_file() and holds_work(run)):
        return
    if recipe.run.resume == "never":
        raise RecipeError(f"run.resume: never, and {run.path} holds a run already; a new one: run.name=ANOTHER")
    stored = load_recipe(run.recipe)
    if stored.digest != recipe.digest:
        old, new = dict(_flat(stored.decisive)), dict(_flat(recipe.decisive))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        raise RecipeError(
            f"{run.path} holds a run of another recipe (differs in: {', '.join(changed)}); "
            "start a new one with run.name=ANOTHER, or set the old values back to continue"
        )


def _flat(tree: Mapping[str, Yaml], path: str = "") -> Iterator[tuple[str, Yaml]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def write_recipe(run: RunFolder, recipe: Recipe, scenarios: Sequence[Scenario]) -> None:
    """Write down what the run is; called once the data was read and the model loaded.

    What a launch of another recipe, or on other data, left there is removed while no work would be lost with it.
    Raises RunLogError when the data changed after work was done.
    """
    if run.recipe.is_file() and load_recipe(run.recipe).digest != recipe.digest:
        _remove_attempt(run)
    try:
        run.add_scenarios(scenarios)
    except RunLogError:
        if holds_work(run):
            raise
        _remove_attempt(run)
        run.add_scenarios(scenarios)
    if not run.recipe.is_file():
        write_atomic(run.recipe, recipe.to_yaml().encode())
    if recipe.run.scratch:
        shutil.rmtree(made_in(run, recipe), ignore_errors=True)  # what was left there was never whole


def _remove_attempt(run: RunFolder) -> None:
    """Remove all that a launch without work left; the recipe last, so that a kill in between changes nothing."""
    for folder in (run.traces, run.checkpoints, run.path / "best"):
        shutil.rmtree(folder, ignore_errors=True)
    files = (run.scenarios, run.launches_file, run.metrics, run.effective, run.environment)
    for file in (*files, run.path / "summary.json", run.recipe):
        file.unlink(missing_ok=True)
    RunFolder.create(run.path)


def save_whole(policy: Policy, folder: Path) -> None:
    """Save the adapter so that the folder is there whole or not at all."""
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    policy.save_adapter(scratch)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
