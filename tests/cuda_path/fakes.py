"""Unsloth's CUDA code on a machine without a GPU: what torch.cuda is asked for is answered, and cuda tensors live on the CPU.

Import this before anything else, with TRITON_INTERPRET=1 UNSLOTH_ALLOW_CPU=1 UNSLOTH_COMPILE_DISABLE=1
TORCHDYNAMO_DISABLE=1 set: Triton's kernels are interpreted, Unsloth takes its CUDA loaders, layers and generated
trainers. What this cannot show is in docs/gpu.md: bfloat16 and GradScaler on a card, torch.compile, memory and speed,
several cards, vLLM.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

GIB = 2**30
CPU = torch.device("cpu:0")
CARD = SimpleNamespace(
    name="Fake GPU",
    major=7,
    minor=5,
    total_memory=15 * GIB,
    multi_processor_count=40,
    warp_size=32,
    gcnArchName="",
    max_threads_per_multi_processor=1024,
    shared_memory_per_block=49152,
    shared_memory_per_block_optin=65536,
    L2_cache_size=4 << 20,
    regs_per_multiprocessor=65536,
)


class Idle:
    """A stream or an event: whatever is asked of it, it does nothing."""

    cuda_stream = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class Device:
    """`torch.cuda.device(0)` as a context."""

    idx = 0

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def answer_queries() -> None:
    """Let torch.cuda tell of CARD. It stays "not available", so that nobody allocates anything on it."""
    answers: dict[str, Callable[[], Any]] = {
        "get_device_properties": lambda: CARD,
        "get_device_name": lambda: CARD.name,
        "get_device_capability": lambda: (CARD.major, CARD.minor),
        "mem_get_info": lambda: (14 * GIB, CARD.total_memory),
        "is_bf16_supported": lambda: CARD.major >= 8,
        "device_count": lambda: 1,
    }
    for name in ("current_device", "memory_reserved", "max_memory_reserved", "memory_allocated"):
        answers[name] = lambda: 0
    for name in ("synchronize", "empty_cache", "set_device"):
        answers[name] = lambda: None
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer())
    torch.cuda.Stream = torch.cuda.Event = Idle  # type: ignore[assignment, misc]
    torch.cuda.current_stream = torch.cuda.default_stream = lambda *_, **__: Idle()
    torch.cuda.stream = lambda *_, **__: contextlib.nullcontext()
    torch.cuda.device = Device  # type: ignore[assignment, misc]
    torch._C._cuda_getCurrentRawStream = lambda *_: 0


def become(major: int, minor: int) -> None:
    """Let the card have this compute capability, also where Unsloth has noted what it can do."""
    CARD.major, CARD.minor = major, minor
    for name, module in list(sys.modules.items()):
        if name.startswith("unsloth") and "SUPPORTS_BFLOAT16" in vars(module):
            module.SUPPORTS_BFLOAT16 = major >= 8  # type: ignore[attr-defined]


class OnCpu(TorchFunctionMode):
    """Every call that names a cuda device gets the CPU instead."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if "device" in kwargs:
            kwargs["device"] = on_cpu(kwargs["device"])
        if func is torch.device and args and (type(args[0]) is int or str(args[0]).startswith("cuda")):
            return CPU
        if func in (torch.Tensor.to, torch.Tensor.cuda):
            args = (args[0], *(on_cpu(one) for one in args[1:]))
        return func(*args, **kwargs)


def on_cpu(place: Any) -> Any:
    """The CPU where a cuda device is meant, else what was given."""
    if isinstance(place, str) and place.startswith("cuda"):
        return "cpu"
    if (isinstance(place, torch.device) and place.type == "cuda") or type(place) is int:
        return torch.device("cpu")
    return place


def patch_unsloth() -> None:
    """What Unsloth itself must be kept from: offloading checkpoints to pinned memory, and placing a model on a card."""
    import unsloth
    import unsloth.models._utils
    import unsloth.models.llama
    import unsloth.models.loader

    for module in (unsloth.models._utils, unsloth.models.llama, unsloth.models.loader):
        if hasattr(module, "apply_unsloth_gradient_checkpointing"):
            module.apply_unsloth_gradient_checkpointing = lambda use, *_, **__: True if use else use
    unsloth.models.loader.ALLOW_BITSANDBYTES = True  # it looks for bitsandbytes' CUDA library
    load = unsloth.FastLanguageModel.from_pretrained
    unsloth.FastLanguageModel.from_pretrained = staticmethod(
        lambda *args, **kwargs: load(*args, **kwargs | {"device_map": "cpu"})
    )
    become(CARD.major, CARD.minor)


def patch_trainers() -> None:
    """Unsloth generates its trainers on a GPU alone; here it is asked to."""
    import trl
    from unsloth.models import rl

    for name in ("trl_disable_gradient_checkpointing", "trl_fused_lm_head_devices", "trl_fused_lm_head_kernel"):
        patch = getattr(rl, f"patch_{name}", None)
        if patch is not None:
            patch()
    rl.patch_trl_rl_trainers()
    trl.GRPOConfig = sys.modules[trl.GRPOTrainer.__module__].UnslothGRPOConfig  # type: ignore[attr-defined]
    trl.SFTConfig = sys.modules[trl.SFTTrainer.__module__].UnslothSFTConfig  # type: ignore[attr-defined]


def patch_project() -> None:
    """Our own shortcuts for a real CPU must not be taken: the code under test is the GPU's."""
    from socialr1_lite.policy import model

    model.speed_up_cpu_sampling = model.speed_up_cpu_training = lambda _: None
    model.Policy._cuda_devices = lambda self: []  # type: ignore[method-assign]


answer_queries()
OnCpu().__enter__()
patch_unsloth()
patch_project()
patch_trainers()
