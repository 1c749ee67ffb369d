"""What a launch finds in its run folder, may begin anew there, and puts there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from socialr1_lite.errors import RecipeError, RunLogError
from socialr1_lite.policy import Policy
from socialr1_lite.policy.numbers import first_unsound
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.recipe.checks import generation_batch
from socialr1_lite.recipe.located_yaml import Yaml
from socialr1_lite.runlog import (
    Newest,
    RunFolder,
    checkpoints,
    newest_complete,
    read_metrics,
    read_traces,
    write_atomic,
)
from socialr1_lite.runlog.checkpoints import MARKER
from socialr1_lite.runlog.lines import complete_lines
from socialr1_lite.runlog.traces import BadTrace
from socialr1_lite.scenario import Scenario

TOLD = 3  # damaged lines that are named one by one


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
        or any(trace.phase == "train" and trace.step > 0 for trace in read_traces(run, damaged=lambda _: None))
    )


def refuse_another_recipe(run: RunFolder, recipe: Recipe) -> None:
    """Raise RecipeError when the folder holds work of another recipe, or any where the recipe resumes none."""
    if not holds_work(run):
        return
    if not run.recipe.is_file() and _digest_of_launch(run) != recipe.digest:
        raise RecipeError(
            f"{run.path} holds a run whose {run.recipe.name} is gone, and these settings are not known to be its own; "
            "put it back, or start a new one with run.name=ANOTHER"
        )
    if recipe.run.resume == "never":
        raise RecipeError(f"run.resume: never, and {run.path} holds a run already; a new one: run.name=ANOTHER")
    stored = load_recipe(run.recipe) if run.recipe.is_file() else recipe
    if stored.digest != recipe.digest:
        old, new = dict(_flat(stored.decisive)), dict(_flat(recipe.decisive))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        raise RecipeError(
            f"{run.path} holds a run of another recipe (differs in: {', '.join(changed)}); "
            "start a new one with run.name=ANOTHER, or set the old values back to continue"
        )


def _digest_of_launch(run: RunFolder) -> object:
    """Return the digest of the recipe that the last launch trained, None where that is not known."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return json.loads(run.environment.read_bytes()).get("recipe_digest")
    return None


def is_finished(run: RunFolder) -> bool:
    """Return whether the final adapter is there, and as it was saved where it has a marker."""
    marked = (run.adapter / MARKER).exists()
    return not checkpoints.check(run.adapter) if marked else any(run.adapter.glob("adapter_model.*"))


def look_over(run: RunFolder, recipe: Recipe, newest: Newest) -> list[str]:
    """Set aside what is broken in a run folder that is gone on from, and return what there is to be told of it.

    Raises RunLogError where it cannot be gone on without.
    """
    cold, state, told = cold_start_folder(run), run.state(), list(newest.notices)
    for kept in filter(Path.is_dir, (cold, run.adapter)):
        if not (kept / MARKER).exists():
            told.append(checkpoints.vouched(kept))
        elif problem := checkpoints.check(kept):
            if kept == cold and newest.path and recipe.warmup.merge:
                raise RunLogError(f"{kept}: {problem}; the checkpoints belong on it: put it back as it was")
            told.append(f"{kept.name}/ set aside: {problem}")
            checkpoints.put_aside(kept)
    if newest.path and recipe.warmup.steps and recipe.warmup.merge and not cold.is_dir():
        raise RunLogError(f"{cold} is gone, and the checkpoints belong on the base with it merged in; put it back")
    if newest.path is None and run.completed:
        raise RunLogError(
            f"{run.state_file} says completed, and there is neither a whole adapter/ nor a whole checkpoint; put them "
            "back, or start a new run: run.name=ANOTHER"
        )
    if state["step"] > newest.step and state["status"] != "failed":
        said = f"{run.state_file.name} says {state['status']} at step {state['step']}"
        told.append(f"{said}, the newest whole checkpoint is of step {newest.step}: these steps are made again")
    if newest.path and checkpoints.marker_of(newest.path).get("recipe_sha256") not in (run.recipe_digest(), None, ""):
        told.append(f"{run.recipe.name} is not, byte for byte, what {newest.path.name} was made by")
    return [*told, *_missing_traces(run, recipe, newest.step)]


def _missing_traces(run: RunFolder, recipe: Recipe, step: int) -> Iterator[str]:
    """Yield what is wrong with the traces of the steps before: lines that are none, or there twice, or not there."""
    bad: list[BadTrace] = []
    rows = [row for row in read_traces(run, damaged=bad.append) if row.phase == "train" and row.step < step]
    logged = sum(1 for _ in complete_lines(run.metrics)) if run.metrics.is_file() else 0
    if none := logged - len(read_metrics(run, superseded=True)):
        yield f"{run.metrics.name}: {none} of its lines hold no metrics and are left out"
    yield from (f"{one.place} is left out: {one.reason}" for one in bad[:TOLD])
    if len(bad) > TOLD:
        yield f"traces/: {len(bad) - TOLD} more lines like these"
    grpo, found = recipe.grpo, len({(row.group, row.index) for row in rows})
    batches = step * grpo.gradient_accumulation_steps // (grpo.generation_steps * grpo.num_iterations)
    if found < (made := batches * generation_batch(grpo, recipe.run)):
        yield f"traces/ holds {found} of the {made} completions of the {step} steps so far: a shard was cut or is gone"


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


def take_cold_start(run: RunFolder, recipe: Recipe, given: Path) -> None:
    """Put the finished cold start of another run into one that holds nothing yet, byte for byte, whole or not at all.

    Raises RunLogError for one that is not as it was saved.
    """
    if holds_work(run):
        return
    if problem := checkpoints.check(given):
        raise RunLogError(f"{given}: {problem}; put it back as it was, or train one")
    if run.recipe.is_file() and load_recipe(run.recipe).digest != recipe.digest:
        _remove_attempt(run)
    if not run.recipe.is_file():  # before: work without its recipe is refused
        write_atomic(run.recipe, recipe.to_yaml().encode())
    own = cold_start_folder(run)
    scratch = own.with_name(f".{own.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(given, scratch, ignore=shutil.ignore_patterns(MARKER))
    checkpoints.mark_complete(run, scratch, 0)
    scratch.rename(own)


def newest_sound(run: RunFolder) -> Newest:
    """Return the newest whole checkpoint whose weights are numbers; others, of earlier versions, are set aside."""
    from safetensors.torch import load_file

    notices: tuple[str, ...] = ()
    while True:
        newest = newest_complete(run)
        notices += newest.notices
        if newest.path is None:
            return newest._replace(notices=notices)
        weights = (load_file(file) for file in newest.path.glob("*.safetensors"))
        if not (name := next(filter(None, (first_unsound(one.items()) for one in weights)), "")):
            return newest._replace(notices=notices)
        notices += (f"{newest.path.name}: {name} holds a number that is none (NaN or infinity)",)
        (newest.path / MARKER).unlink()  # without it the checkpoint is one that was not finished


def save_whole(policy: Policy, run: RunFolder, folder: Path, step: int) -> None:
    """Save the adapter after this step, with its marker: the folder is there whole or not at all."""
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    policy.save_adapter(scratch)
    checkpoints.mark_complete(run, scratch, step)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
