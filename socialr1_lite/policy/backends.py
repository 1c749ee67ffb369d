"""Which backend loads and trains: Unsloth (CUDA, or its own CPU backend) or plain transformers + PEFT.

Heavy imports live inside functions, Unsloth always first: on a GPU it must patch trl, transformers and peft before
anyone binds their names.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import platform
import sys
from collections.abc import Iterator
from functools import cache
from typing import Literal

from socialr1_lite.errors import PolicyError

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
        raise PolicyError(
            f"model.backend: unsloth was asked for, but {problem}; set model.backend: transformers, or fix it"
        )
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
        return f"unsloth does not import here: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return None


def quiet_libraries() -> None:
    """Switch off telemetry, and the greetings, bars and warnings that hide what a run has to say."""
    for name in ("bitsandbytes.backends.cpu.ops",):  # warns of a missing optional kernel on every import
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send stdout to stderr: libraries greet there, and ours is for results that a pipe may read."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def bfloat16_is_native() -> bool:
    """Return whether bfloat16 runs in hardware: on a GPU of capability 8 or more, or a CPU with AVX512-BF16."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.get_device_capability()[0] >= 8)
    if hasattr(torch.cpu, "_is_avx512_bf16_supported"):
        return bool(torch.cpu._is_avx512_bf16_supported())
    return platform.machine().lower() in {"arm64", "aarch64"}
