"""GPUs by name, from NVIDIA's data sheets: memory, memory bandwidth, dense tensor throughput in 16 bit."""

from __future__ import annotations

from dataclasses import dataclass

from socialr1_lite.errors import RecipeError

GIB = 2**30
# A T4 reports 15,360 of its 16,384 MiB (ECC and the driver take the rest); every card is counted with that share.
USABLE = 15 / 16


@dataclass(frozen=True, slots=True)
class Gpu:
    """memory in bytes; bandwidth in bytes a second; flops: dense 16-bit tensor operations a second, 32-bit sums."""

    name: str
    memory: float
    bandwidth: float
    flops: float
    bfloat16: bool
    source: str

    @property
    def usable(self) -> float:
        """Bytes that a process may hope for."""
        return self.memory * USABLE


def _gpu(name: str, gib: float, gb_s: float, tflops: float, source: str, *, bfloat16: bool = True) -> Gpu:
    return Gpu(name, gib * GIB, gb_s * 1e9, tflops * 1e12, bfloat16, source)


GPUS: dict[str, Gpu] = {
    "t4": _gpu("T4 16 GB", 16, 320, 65, "NVIDIA T4 product page", bfloat16=False),
    "8gb": _gpu("RTX 3070 8 GB", 8, 448, 40.6, "NVIDIA Ampere GA102 whitepaper, appendix A"),
    "l4": _gpu("L4 24 GB", 24, 300, 121, "NVIDIA L4 data sheet (242 with sparsity)"),
    "rtx4090": _gpu("RTX 4090 24 GB", 24, 1008, 165.2, "NVIDIA Ada whitepaper, appendix A"),
    "a100-40": _gpu("A100 SXM 40 GB", 40, 1555, 312, "NVIDIA A100 data sheet"),
    "a100-80": _gpu("A100 SXM 80 GB", 80, 2039, 312, "NVIDIA A100 data sheet"),
    "h100": _gpu("H100 SXM 80 GB", 80, 3350, 989.5, "NVIDIA H100 data sheet (1,979 with sparsity)"),
    "h200": _gpu("H200 SXM 141 GB", 141, 4800, 989.5, "NVIDIA H200 data sheet (1,979 with sparsity)"),
}


def find_gpu(name: str) -> Gpu:
    """Raises RecipeError naming the known ones."""
    if name.lower() not in GPUS:
        raise RecipeError(f"--gpu {name}: not known here; known: {', '.join(GPUS)}")
    return GPUS[name.lower()]
