"""Out of memory: where it was, and the cheapest settings that help there, each as the run's own folder takes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from socialr1_lite.errors import MachineError, SocialR1Error, first_line, ran_out_of_memory
from socialr1_lite.plan.fit import changes
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import RunFolder
from socialr1_lite.training.folder import holds_work

SHOWN = 3  # remedies
MODEL = ("model.load_in_4bit",)
COLD_START = ("warmup.batch_size", "model.gradient_checkpointing", *MODEL)
CHECK = ("evaluation.batch_size", *MODEL)
SAMPLING = ("grpo.steps_per_generation", "grpo.max_completion_length", *MODEL)
STEP = ("grpo.per_device_train_batch_size", "model.gradient_checkpointing", *SAMPLING)


@contextlib.contextmanager
def memory_told(recipe: Recipe, run: RunFolder, where: str, helping: tuple[str, ...]) -> Iterator[None]:
    """Raise MachineError for memory that ran out inside. where: as in "in the cold start". helping: settings there."""
    try:
        yield
    except SocialR1Error:
        raise
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        remedies = remedy(recipe, run, helping)
        raise MachineError(f"out of memory {where} ({first_line(error)}); {remedies}") from error


def remedy(recipe: Recipe, run: RunFolder, helping: tuple[str, ...]) -> str:
    """Return the cheapest changes that help: those that this run goes on with, then those that need a new one."""
    going_on: list[str] = []
    anew: list[str] = []
    for key in helping:
        for change in changes(recipe):
            changed = change.applied(recipe) if key == change.settings[0][0] else None
            if changed is None:
                continue
            taken = changed.digest == recipe.digest or not holds_work(run)
            (going_on if taken else anew).append(" ".join(change.overrides))
            break
    texts = [f"write {' or '.join(going_on[:SHOWN])} and start again"] if going_on else []
    if anew:
        texts.append(f"in a new run (run.name=ANOTHER): {' or '.join(anew[:SHOWN])}")
    return "; ".join(texts) or "a smaller model or a larger machine is needed"
