"""One arm of benchmarks/ablation.py, launched and killed: each launch a fork of one process that paid for the imports.

python -m tests.arm_launches ROOT MODEL   -> one JSON object: what each launch of `PLANS` came to
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ablation
from arms import results

from tests import launches

SMALL = (  # the arms' recipes on a tiny model; a byte is a token there
    *("model.max_seq_length=4000", "model.lora.r=4", "data.max_prompt_tokens=3900", "data.size=8", "data.heldout=4"),
    *("warmup.steps=1", "warmup.batch_size=2", "warmup.examples=4", "evaluation.items=4", "evaluation.batch_size=4"),
    *("grpo.max_steps=4", "grpo.num_generations=2", "grpo.per_device_train_batch_size=2", "run.save_steps=2"),
    *("grpo.gradient_accumulation_steps=2", "grpo.max_completion_length=12", "grpo.learning_rate=0.01"),
    # What differs between random completions, so that every arm's steps move the weights.
    *("rewards.mode=additive", "rewards.length.min_tokens=3", "rewards.length.max_tokens=11", "rewards.length.k=4"),
)


def before_the_numbers_are_written() -> None:
    """The run is complete, the replies are written, the result is not."""
    results.write_atomic = launches.at_call(2, results.write_atomic)


PLANS: dict[str, list[tuple[str, str, Callable[[], None]]]] = {  # folder -> arm, seed, what happens to the launch
    "killed": [
        ("full", "1", launches.nothing),
        ("no_structure", "1", launches.while_sampling(4)),
        ("no_structure", "1", launches.in_a_checkpoint(2)),
        ("no_structure", "1", before_the_numbers_are_written),
        ("no_structure", "1", launches.nothing),
        ("no_structure", "1", launches.nothing),
    ],
    "undisturbed": [("full", "1", launches.nothing), ("no_structure", "1", launches.nothing)],
    "alone": [("no_structure", "1", launches.nothing)],
}


def launch(root: Path, model: str, plan: tuple[str, str, Callable[[], None]]) -> int:
    """Run the command in a fork."""
    arm, seed, patch = plan
    transfer = "data.transfer=[{name: order 2, orders: [2], items: 2}]"
    asked = [arm, "--seed", seed, "--out", str(root / "runs"), "--results", str(root / "results")]
    return launches.forked(patch, lambda: ablation.main([*asked, f"model.name={model}", transfer, *SMALL]))


if __name__ == "__main__":
    launches.carry_out(PLANS, launch)
