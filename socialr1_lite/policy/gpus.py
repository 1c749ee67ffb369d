"""The GPUs of this machine: what of a recipe they cannot do, refused or changed before anything is downloaded."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from socialr1_lite.errors import PolicyError

if TYPE_CHECKING:
    from socialr1_lite.policy.backends import Backend
    from socialr1_lite.recipe import Model

BFLOAT16_SINCE = 8  # compute capability
# The oldest driver of each series of CUDA, newest first, and the build of torch to take for it.
TORCH_BUILDS = ((580, "CUDA 13.0"), (525, "CUDA 12.6"))
# Families whose activations overflow float16 in plain transformers; Unsloth trains them in float32 by itself.
OVERFLOW_FLOAT16 = ("gemma-3", "gemma3")


class Driver(NamedTuple):
    """The NVIDIA driver, and the GPUs that it knows."""

    version: str
    gpus: tuple[str, ...]


def nvidia_driver() -> Driver | None:
    """Return the driver, whether or not torch can use it; None where there is none or it knows no GPU."""
    query = ["nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.split(", ", 1) for line in lines if ", " in line]
    return Driver(rows[0][0], tuple(name for _, name in rows)) if rows else None


def refuse_unusable_driver() -> None:
    """Raise PolicyError where an NVIDIA GPU is there and torch cannot use it: days on a CPU are not what was meant.

    Nothing is said where the GPUs were hidden on purpose (CUDA_VISIBLE_DEVICES empty or -1).
    """
    import torch

    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "?") in ("", "-1")
    if hidden or torch.cuda.is_available() or (driver := nvidia_driver()) is None:
        return
    major = int(driver.version.split(".")[0]) if driver.version.split(".")[0].isdecimal() else 0
    build = next((name for oldest, name in TORCH_BUILDS if major >= oldest), None)
    made_for = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a build without CUDA"
    if build is None:
        remedy = f"update the driver to {TORCH_BUILDS[-1][0]} or newer"
    elif torch.version.cuda and torch.version.cuda.split(".")[0] == build.split()[1].split(".")[0]:
        remedy = "this build suits the driver, so the device itself is at fault: look at `nvidia-smi` and the container"
    else:
        remedy = f"install the {build} build of torch (the selector on pytorch.org has the line)"
    raise PolicyError(
        f"{driver.gpus[0]} with NVIDIA driver {driver.version} is here, but torch {torch.__version__} ({made_for}) "
        f"cannot use it: {remedy}; to train on the CPU all the same, write CUDA_VISIBLE_DEVICES= before the command"
    )


def refuse_idle_gpus(backend: Backend) -> None:
    """Raise PolicyError for one process that sees several GPUs: transformers' trainer spreads batches and fails.

    Unsloth takes the first one by itself.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if backend == "unsloth" or count < 2 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return
    raise PolicyError(
        f"one process sees {count} GPUs, over which the transformers backend would spread each batch (DataParallel), "
        "and GRPO then fails; take one with CUDA_VISIBLE_DEVICES=0 before the command, or start a process for each: "
        f"torchrun --nproc_per_node {count} -m socialr1_lite.train ... run.processes={count}"
    )


def settle_dtype(model: Model, backend: Backend, *, trainable: bool) -> tuple[Model, tuple[str, ...]]:
    """Return the model in a type that this machine's GPU computes in, and what is to be said about it.

    bfloat16 on an older card becomes float16. Raises PolicyError where the backend cannot train in float16.
    """
    import torch

    notes: tuple[str, ...] = ()
    if torch.cuda.is_available():
        capability = torch.cuda.get_device_capability()
        old = capability[0] < BFLOAT16_SINCE
        if old and model.dtype == "bfloat16":
            card = f"{torch.cuda.get_device_name()} (compute capability {'.'.join(map(str, capability))})"
            notes = (f"model.dtype: {card} has no bfloat16, which begins with {BFLOAT16_SINCE}.0: float16 instead",)
        if old and (notes or (model.dtype == "auto" and backend == "transformers")):
            model = model.model_copy(update={"dtype": "float16"})
    if trainable and backend == "transformers" and model.dtype == "float16":
        _refuse_float16(model)
    return model, notes


def _refuse_float16(model: Model) -> None:
    if model.load_in_4bit:
        raise PolicyError(
            "model.load_in_4bit: the transformers backend cannot train a 4-bit model in float16 (TRL makes the adapter "
            "bfloat16, whose gradients the GradScaler of float16 refuses); write model.backend: unsloth, or "
            "model.load_in_4bit: false, or model.dtype: bfloat16 on a card from compute capability "
            f"{BFLOAT16_SINCE}.0 on"
        )
    if any(family in model.name.lower() for family in OVERFLOW_FLOAT16):
        raise PolicyError(
            f"model.dtype: {model.name} overflows in float16 with the transformers backend; "
            "write model.dtype: float32, or model.backend: unsloth"
        )
