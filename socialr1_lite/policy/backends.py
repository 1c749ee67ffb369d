"""Which backend loads and trains: Unsloth (CUDA, or its own CPU backend) or plain transformers + PEFT."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import platform
import sys
from functools import cache
from typing import Literal, TextIO

from socialr1_lite.errors import PolicyError, first_line

Backend = Literal["unsloth", "transformers"]


def choose_backend(wanted: str) -> Backend:
    """Return the backend: `auto` takes Unsloth where it imports, and without a GPU plain transformers otherwise.

    Raises PolicyError when Unsloth was asked for and is missing, or is missing beside a GPU: what is slower and takes
    more memory than was planned must be asked for.
    """
    quiet_libraries()
    if wanted == "transformers":
        return "transformers"
    problem = _unsloth_problem()
    if problem is None:
        return "unsloth"
    if wanted == "unsloth":
        remedy = "set model.backend: transformers, or fix it"
        raise PolicyError(f"model.backend: unsloth was asked for, but {problem}; {remedy}")
    import torch

    if torch.cuda.is_available():
        raise PolicyError(
            f"model.backend: auto means Unsloth on a machine with a GPU, but {problem}; fix it, or write "
            "model.backend: transformers, which is slower and needs more memory"
        )
    return "transformers"


@cache
def _unsloth_problem() -> str | None:
    if importlib.util.find_spec("unsloth") is None:
        return "unsloth is not installed (pip install --no-deps -r requirements-nodeps.txt)"
    if sys.platform == "darwin" and importlib.util.find_spec("mlx") is not None:
        return "Unsloth with mlx has no GRPOTrainer (uninstall mlx, or use the transformers backend)"
    try:
        with stdout_to_stderr():
            import unsloth  # noqa: F401
    except (ImportError, NotImplementedError, RuntimeError, OSError) as error:
        return f"unsloth does not import here: {first_line(error)}"
    return None


def quiet_libraries() -> None:
    """Switch off telemetry, and the greetings, bars and warnings that hide what a run has to say."""
    # It warns of a missing optional kernel on every import.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY", "UNSLOTH_DISABLE_STATISTICS"):
        os.environ.setdefault(name, "1")


def stdout_to_stderr() -> contextlib.redirect_stdout[TextIO]:
    """Send stdout to stderr: libraries greet there, and ours is for results that a pipe may read."""
    return contextlib.redirect_stdout(sys.stderr)


def bfloat16_is_native() -> bool:
    """Return whether bfloat16 runs in hardware: on a GPU of capability 8 or more, or a CPU with AVX512-BF16."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.get_device_capability()[0] >= 8)
    if hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        return bool(torch.cpu._is_avx512_bf16_supported())
    return platform.machine().lower() in {"arm64", "aarch64"}
