"""Launch trainings that are killed at a chosen point, each in a fork of one process that has paid for the imports.

    python -m tests.launches ROOT MODEL   -> one JSON object: what each launch of `PLANS` came to

A launch is killed by SIGKILL, so nothing of it is cleaned up; then the same run folder is launched again to the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from socialr1_lite import policy
from socialr1_lite.policy import generation
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import TraceWriter
from socialr1_lite.training import folder as run_files
from socialr1_lite.training import heldout, session, sft

Plan = TypeVar("Plan")

STEPS = 6


def recipe(model: str) -> Recipe:
    """Six steps of two groups of two, a checkpoint every second step, a cold start and held-out questions."""
    return Recipe.model_validate(
        {
            "model": {"name": model, "max_seq_length": 4000, "lora": {"r": 4}},
            "data": {"size": 12, "heldout": 2, "max_prompt_tokens": 3900, "orders": [1], "dimensions": ["belief"]},
            "warmup": {"steps": 1, "batch_size": 1, "examples": 2},
            # Two components that differ between random completions, so that every step really moves the weights.
            "rewards": {"mode": "additive", "length": {"min_tokens": 3, "max_tokens": 12, "k": 4}},
            "grpo": {
                "max_steps": STEPS,
                "num_generations": 2,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 1,
                "max_completion_length": 12,
                "learning_rate": 0.01,
            },
            "evaluation": {"items": 2, "every": 4},
            "run": {"name": "killed", "save_steps": 2},
        }
    )


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(n: int, function: Callable, before: Callable = lambda *_: None) -> Callable:
    """The function, but its n-th call (from 1) runs `before` with its arguments and kills the process."""
    calls = 0

    def counted(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == n:
            before(*args)
            kill()
        return function(*args, **kwargs)

    return counted


def half_a_line(writer: TraceWriter, rows) -> None:
    writer._file.write(b'{"version":1,"phase":"train","step"')
    writer._file.flush()


def nothing() -> None:
    """A launch that nobody disturbs."""


def in_the_cold_start() -> None:
    sft.cold_start = at_call(1, sft.cold_start)


def while_sampling(n: int) -> Callable[[], None]:
    def patch() -> None:
        generation.folded_adapter = at_call(n, generation.folded_adapter)

    return patch


def while_writing_traces(n: int) -> Callable[[], None]:
    def patch() -> None:
        TraceWriter.write = at_call(n, TraceWriter.write, half_a_line)

    return patch


def in_a_checkpoint(n: int) -> Callable[[], None]:
    """All files of the n-th checkpoint are there, its marker is not; one file is cut short as well."""

    def cut(run, checkpoint: Path, *_: object) -> None:
        state = checkpoint / "trainer_state.json"
        state.write_bytes(state.read_bytes()[:100])

    def patch() -> None:
        session.keep_whole = at_call(n, session.keep_whole, cut)

    return patch


def before_an_adapter_is_saved(n: int) -> Callable[[], None]:
    """1: the cold start's, 2: the best one's (of step 4, as no check is better), 3: the last one."""

    def patch() -> None:
        run_files.save_whole = at_call(n, run_files.save_whole)

    return patch


def before_checks_are_written_down(n: int) -> Callable[[], None]:
    """The n-th time. In a launch that goes on, 1: those that still count, 2: the next, whose adapter is kept already."""

    def patch() -> None:
        heldout.HeldoutChecks._write = at_call(n, heldout.HeldoutChecks._write)

    return patch


PLANS: dict[str, list[Callable[[], None]]] = {
    "undisturbed": [nothing],
    "sampling": [while_sampling(6), nothing],
    "traces": [while_writing_traces(5), nothing],
    "checkpoint": [in_a_checkpoint(2), nothing],
    "three times": [in_the_cold_start, while_sampling(5), in_a_checkpoint(2), nothing],
    "at the best": [before_an_adapter_is_saved(2), before_checks_are_written_down(2), nothing],
    "at the end": [before_an_adapter_is_saved(3), nothing],
}


def forked(patch: Callable[[], None], work: Callable[[], int]) -> int:
    """Patch and work in a fork; its exit status, negative for the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            patch()
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def launch(folder: Path, model: str, patch: Callable[[], None]) -> int:
    """Train in a fork."""

    def work() -> int:
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            session.run_recipe(recipe(model), run_dir=folder, strict=False, progress=Progress(stream=log))
        return 0

    return forked(patch, work)


def carry_out(plans: Mapping[str, Sequence[Plan]], launched: Callable[[Path, str, Plan], int]) -> None:
    """Pay for the imports, launch what each plan says, and print how every launch ended."""
    root, model = Path(sys.argv[1]), sys.argv[2]
    policy.choose_backend("auto")
    import datasets  # noqa: F401
    import trl

    assert trl.GRPOTrainer and trl.SFTTrainer  # trl loads them on first use
    print(json.dumps({name: [launched(root / name, model, one) for one in plan] for name, plan in plans.items()}))


if __name__ == "__main__":
    carry_out(PLANS, launch)
