"""What a run was made on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from typing import TypedDict

from socialr1_lite.policy.model import Policy

PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "accelerate", "unsloth", "unsloth_zoo")


class Machine(TypedDict):
    """What environment.json says of every process: versions by package, GPUs by name."""

    python: str
    platform: str
    processors: int | None
    threads: int
    gpus: list[str]
    versions: dict[str, str]


class PolicyFacts(TypedDict):
    """How the policy was loaded."""

    backend: str
    device: str
    dtype: str
    quantized: bool


def describe_machine() -> Machine:
    """Return the versions and devices here."""
    import torch

    versions: dict[str, str] = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "versions": versions,
    }


def describe_policy(policy: Policy) -> PolicyFacts:
    """Return the backend, the device and the type of the weights."""
    dtype = str(next(policy.model.parameters()).dtype).removeprefix("torch.")
    return {"backend": policy.backend, "device": policy.device, "dtype": dtype, "quantized": policy.quantized}
