"""One training of the check, in a process of its own: python -m socialr1_lite.gpu_check.trial RECIPE RUN RESULT.

Trains the recipe and writes what the process needed into RESULT (JSON): the peak of the memory, as the device and as
torch report it, and how long it took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
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


class MemoryWatch:
    """The peak of what is used while inside; bytes.

    On a GPU: of the device's used memory, less what was used before (vLLM's engine may be another process, so torch's
    own count is not enough), or of torch's reserved memory where that was higher between two looks. On a CPU: the
    process's peak resident memory, all that came before included.
    """

    def __init__(self) -> None:
        import torch

        self.cuda = torch.cuda.is_available()
        self.peak = 0.0
        self._before = self._used() if self.cuda else 0.0
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> MemoryWatch:
        if self.cuda:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.cuda:
            self.peak = float(peak_resident())
            return
        import torch

        self._over.set()
        self._thread.join()
        self.peak = max(self.peak, float(torch.cuda.max_memory_reserved()))

    def _look(self) -> None:
        while not self._over.wait(EVERY_S):
            self.peak = max(self.peak, self._used() - self._before)

    @staticmethod
    def _used() -> float:
        import torch

        free, total = torch.cuda.mem_get_info()
        return float(total - free)


def peak_resident() -> int:
    """Return the bytes of this process's peak resident memory, those of its parents not counted."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def run_trial(recipe_file: str, run_dir: str, result: str) -> None:
    """Train and write the result; an exception of the training is the caller's to read from the exit status."""
    started = time.monotonic()
    with MemoryWatch() as watch:
        run_recipe(load_recipe(recipe_file), run_dir=run_dir, strict=False)
    outcome: TrialResult = {
        "peak_bytes": watch.peak,
        "on": "cuda" if watch.cuda else "cpu",
        "seconds": time.monotonic() - started,
    }
    write_json(Path(result), dict(outcome))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line (three paths) and train."""
    recipe_file, run_dir, result = sys.argv[1:] if argv is None else argv
    run_trial(recipe_file, run_dir, result)
    return 0


if __name__ == "__main__":
    command(main)
