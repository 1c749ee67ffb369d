"""Memory of the reward models that judge: each has a process of its own (judges/reward_process.py)."""

from __future__ import annotations

from pathlib import Path

from socialr1_lite.errors import RecipeError
from socialr1_lite.judges.classifier import read_record
from socialr1_lite.plan.architectures import find_architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.plan.parts import FULL, HALF, Part
from socialr1_lite.recipe import JudgeEntry, Recipe


def judge_parts(recipe: Recipe, device: Device, *, overhead: float) -> list[Part]:
    """Predict the weights of each reward model on the policy's device, and what its process takes besides.

    overhead: bytes of a process without a model. A model whose sizes are not known here is not counted.
    Raises JudgeError when a judge's folder is none.
    """
    parts = []
    for entry in recipe.rewards.content.judges:
        if entry.name == "reward_model" and (device.cpu or entry.settings.get("device") != "cpu"):
            parts += _one(entry, overhead)
    return parts


def _one(entry: JudgeEntry, overhead: float) -> list[Part]:
    record = read_record(Path(str(entry.settings.get("path", ""))).expanduser())
    try:
        base = find_architecture(record["base"])
    except RecipeError:
        return []
    size = FULL if record["dtype"] == "float32" else HALF
    return [
        Part("judge", base.parameters * size, "always", f"reward_model on {record['base']}"),
        Part("judge's process", overhead, "always", "the reward model has one of its own"),
    ]
