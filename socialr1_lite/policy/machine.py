"""What a run was made on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform

from socialr1_lite.policy.gpus import nvidia_driver
from socialr1_lite.policy.model import Policy
from socialr1_lite.recipe.located_yaml import Yaml

PACKAGES = (
    *("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "accelerate", "unsloth", "unsloth_zoo"),
    *("vllm", "triton", "torchao", "xformers"),  # whose mere presence, in a wrong version, has broken runs
)


def describe_machine() -> dict[str, Yaml]:
    """Return what environment.json says of every process: versions by package, GPUs by name.

    torch_cuda: the CUDA that torch was built for. driver: NVIDIA's, whether or not torch can use it.
    """
    import torch

    versions: dict[str, Yaml] = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "torch_cuda": torch.version.cuda,
        "driver": driver.version if (driver := nvidia_driver()) else None,
        "versions": versions,
    }


def describe_policy(policy: Policy) -> dict[str, Yaml]:
    """Return how the policy was loaded.

    repository: what was really loaded; a 4-bit model may come from Unsloth's quantised twin. revision_honoured: whether
    at model.revision; null where none was asked for. share_prefix: whether prompts are read once for their groups.
    """
    return {
        "backend": policy.backend,
        "device": policy.device,
        "dtype": str(next(policy.model.parameters()).dtype).removeprefix("torch."),
        "quantized": policy.quantized,
        "repository": policy.repository,
        "revision_honoured": policy.revision_honoured,
        "share_prefix": policy.share_prefix,
    }
