"""GPUs by name, from NVIDIA's data sheets (memory, bandwidth, dense 16-bit tensor throughput); and what is here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from socialr1_lite.errors import RecipeError

GIB = 2**30
# nvidia-smi reports 15,360 of a T4's 16,384 MiB (ECC and the driver take the rest); every card is counted with that
# share. What torch reports of a T4 is less by the context: 14.74 GiB, as public outputs of notebooks show.
USABLE, USABLE_T4 = 15 / 16, 14.74 / 16
# cgroup 2 and cgroup 1: what a container may use in all, and uses.
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Device:
    """memory in bytes; bandwidth in bytes a second; flops: dense 16-bit tensor operations a second, 32-bit sums.

    share: of the memory, what a process may hope for. Of a CPU neither bandwidth nor throughput is known here.
    """

    name: str
    memory: float
    bandwidth: float
    flops: float
    bfloat16: bool
    source: str
    share: float = USABLE
    cpu: bool = False

    @property
    def usable(self) -> float:
        """Bytes that a process may hope for."""
        return self.memory * self.share


def _gpu(name: str, gib: float, gb_s: float, tflops: float, source: str, *, bfloat16: bool = True) -> Device:
    return Device(name, gib * GIB, gb_s * 1e9, tflops * 1e12, bfloat16, source)


GPUS: dict[str, Device] = {
    "t4": replace(_gpu("T4 16 GB", 16, 320, 65, "NVIDIA T4 product page", bfloat16=False), share=USABLE_T4),
    "8gb": _gpu("RTX 3070 8 GB", 8, 448, 40.6, "NVIDIA Ampere GA102 whitepaper, appendix A"),
    "l4": _gpu("L4 24 GB", 24, 300, 121, "NVIDIA L4 data sheet (242 with sparsity)"),
    "rtx4090": _gpu("RTX 4090 24 GB", 24, 1008, 165.2, "NVIDIA Ada whitepaper, appendix A"),
    "a100-40": _gpu("A100 SXM 40 GB", 40, 1555, 312, "NVIDIA A100 data sheet"),
    "a100-80": _gpu("A100 SXM 80 GB", 80, 2039, 312, "NVIDIA A100 data sheet"),
    "h100": _gpu("H100 SXM 80 GB", 80, 3350, 989.5, "NVIDIA H100 data sheet (1,979 with sparsity)"),
    "h200": _gpu("H200 SXM 141 GB", 141, 4800, 989.5, "NVIDIA H200 data sheet (1,979 with sparsity)"),
}


def find_gpu(name: str) -> Device:
    """Find it by name; `cpu` is this computer without a GPU. Raises RecipeError naming the known ones."""
    if name.lower() == "cpu":
        return this_cpu()
    if gpu := GPUS.get(name.lower()):
        return gpu
    raise RecipeError(f"--gpu {name}: not known here; known: {', '.join(GPUS)}, cpu (this computer's memory)")


def a_cpu(memory: float, *, bfloat16: bool) -> Device:
    """Describe a computer without a GPU and with so many bytes to give. bfloat16: whether it has it in hardware."""
    return Device("the CPU", memory, 0.0, 0.0, bfloat16, "the operating system", share=1.0, cpu=True)


def this_cpu() -> Device:
    """Describe this computer without a GPU, with the memory that is free for one of its processes."""
    from socialr1_lite.policy import bfloat16_is_native

    return a_cpu(memory_to_give() / int(os.environ.get("LOCAL_WORLD_SIZE", "1")), bfloat16=bfloat16_is_native())


def this_gpu() -> Device:
    """Describe the GPU of this process. What other processes hold is not counted as usable."""
    import torch

    free, total = torch.cuda.mem_get_info()
    known = torch.cuda.get_device_properties(torch.cuda.current_device())
    bfloat16 = known.major >= 8
    return replace(GPUS["t4"], name=str(known.name), memory=float(total), share=free / total, bfloat16=bfloat16)


def memory_to_give(read: Callable[[Path], str] = Path.read_text) -> float:
    """Return the bytes that the system could hand out now, or that a container's own limit leaves, if less."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for limit, used in CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # no such cgroup, or "max": no limit
            free = min(free, float(int(read(Path(limit))) - int(read(Path(used)))))
    return max(free, 0.0)
