"""The machine: interpreter, processor, memory, disk, GPUs."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from socialr1_lite.doctor import Finding, Gpu

NATIVE_BF16_FLAGS = {"amx_bf16", "avx512_bf16", "bf16"}  # x86 and Arm names in /proc/cpuinfo
OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY_GB = 8  # the embedded recipe peaked at 6.6 GiB on two cores
LITTLE_DISK_GB = 2  # the embedded model's conversion, checkpoints and traces of a short run


def check_python(version: Sequence[int]) -> Finding:
    """Check the interpreter."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if tuple(version) < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        return Finding("python", "fix", f"{found}; {needed} is needed", f"make PYTHON=python{needed} setup")
    return Finding("python", "ok", found)


def cpu_flags() -> set[str]:
    """Return the processor's feature flags on Linux; none elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    return set(line[1].split()) if line else set()


def check_processor(flags: set[str]) -> Finding:
    """Count the cores, and check whether bfloat16 runs in hardware."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    native = sorted(flags & NATIVE_BF16_FLAGS)
    if native:
        return Finding("processor", "ok", f"{cores} cores, bfloat16 in hardware ({', '.join(native)})")
    known = "no bfloat16 in hardware: training on the CPU takes float32" if flags else "features not known"
    return Finding("processor", "note", f"{cores} cores, {known}")


def memory_gb() -> float | None:
    """Return the main memory in GiB; None where it is not known."""
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.virtual_memory().total / 2**30)


def check_memory(total_gb: float | None) -> Finding:
    """Check the main memory."""
    if total_gb is None:
        return Finding("memory", "note", "not known")
    found = f"{total_gb:.1f} GiB"
    if total_gb < LITTLE_MEMORY_GB:
        return Finding("memory", "note", f"{found}; less than {LITTLE_MEMORY_GB} is tight even for the embedded model")
    return Finding("memory", "ok", found)


def check_disk(free_gb: float) -> Finding:
    """Check the free space where runs are written."""
    found = f"{free_gb:.1f} GiB free in {Path.cwd()}"
    if free_gb < LITTLE_DISK_GB:
        remedy = "free some space, or set run.root elsewhere"
        return Finding("disk", "fix", f"{found}; a run needs {LITTLE_DISK_GB}", remedy)
    return Finding("disk", "ok", found)


def nvidia_gpus() -> list[Gpu]:
    """Return the GPUs that the NVIDIA driver knows, whether or not torch can use them."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap,driver_version", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in lines if (gpu := read_gpu(line))]


def read_gpu(line: str) -> Gpu | None:
    """Read one line of nvidia-smi's CSV; None when it is not one."""
    match = re.fullmatch(r"\s*(.+?)\s*,\s*([\d.]+)\s*,\s*(\d+)\.(\d+)\s*(?:,\s*([\d.]+)\s*)?", line)
    return Gpu(match[1], float(match[2]) / 1024, (int(match[3]), int(match[4])), match[5] or "") if match else None


def check_gpus(gpus: Sequence[Gpu]) -> Iterator[Finding]:
    """Check each GPU: its memory, and what its generation cannot do."""
    if not gpus:
        found = "no NVIDIA GPU: training runs on the CPU (recipes/cpu_smollm2.yaml is made for it)"
        yield Finding("gpu", "note", found)
    for gpu in gpus:
        found = f"{gpu.name}, {gpu.memory_gb:.0f} GiB, compute capability {gpu.capability[0]}.{gpu.capability[1]}"
        found += f", driver {gpu.driver}" if gpu.driver else ""
        if gpu.capability < (7, 0):
            yield Finding("gpu", "note", f"{found}: older than Unsloth and current torch builds support")
        elif gpu.capability < (8, 0):
            yield Finding("gpu", "note", f"{found}: no bfloat16; keep model.dtype: auto (it takes float16)")
        else:
            yield Finding("gpu", "ok", found)
