"""One training of the check, in a process of its own: python -m socialr1_lite.gpu_check.trial RECIPE RUN RESULT.

Trains the recipe and writes what the process needed into RESULT (JSON): a `TrialResult`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TypedDict

from socialr1_lite.errors import command
from socialr1_lite.recipe import load_recipe
from socialr1_lite.runlog import write_json
from socialr1_lite.training.session import run_recipe

EVERY_S = 0.1  # between two looks at the device's memory


class TrialResult(TypedDict):
    """What the process needed. peak_bytes: of memory; on: "cuda" or "cpu"."""

    peak_bytes: float
    on: str
    seconds: float


def peak_memory(work: Callable[[], object]) -> tuple[float, str]:
    """Do the work, and return the peak of what was used meanwhile, in bytes, and on what: "cuda" or "cpu".

    On a GPU: of the device's used memory, less what was used before (vLLM's engine may be another process, so torch's
    own count is not enough), or of torch's reserved memory where that was higher between two looks. On a CPU: the
    process's peak resident memory, all that came before included.
    """
    import torch

    if not torch.cuda.is_available():
        work()
        return float(peak_resident()), "cpu"
    over = Event()
    free = least = torch.cuda.mem_get_info()[0]

    def look() -> None:
        nonlocal least
        while not over.wait(EVERY_S):
            least = min(least, torch.cuda.mem_get_info()[0])

    watch = Thread(target=look, daemon=True)
    watch.start()
    try:
        work()
    finally:
        over.set()
        watch.join()
    return float(max(free - least, torch.cuda.max_memory_reserved())), "cuda"


def peak_resident() -> int:
    """Return the bytes of this process's peak resident memory, those of its parents not counted."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Train and write the result; an exception of the training is the caller's to read from the exit status."""
    recipe_file, run_dir, result = sys.argv[1:]
    started = time.monotonic()
    peak, device = peak_memory(lambda: run_recipe(load_recipe(recipe_file), run_dir=run_dir, strict=False))
    outcome: TrialResult = {"peak_bytes": peak, "on": device, "seconds": time.monotonic() - started}
    write_json(Path(result), dict(outcome))


if __name__ == "__main__":
    command(main)
