"""Whether a long training stays as large and as quick as it begins: memory, open files and step time.

    python benchmarks/long_haul.py [--steps 2000] [--every 100] [--keep DIR] [--stories] [--trim]

The whole launch of `train` with a random two-layer model: held-out checks and checkpoints on the way, traces and
metrics of each step. A row is what a stretch of steps ended with: resident memory in MB, open files, objects that
Python's collector knows, and the median of its steps' seconds. The last lines say what a step adds after the first
quarter, by a line of least squares through the rows. --stories: prompts of generated stories, which are long and of
many lengths. --trim: what glibc's allocator holds free is handed back before each row, so that it is not counted.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' model and recipe, which no installation holds

from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe
from socialr1_lite.training import grpo, session
from tests import launches
from tests.tiny import make_tiny_model


class Row(NamedTuple):
    """What a stretch of steps ended with."""

    step: int
    mb: float
    files: int
    objects: int
    seconds: float


def recipe(folder: Path, steps: int, every: int, *, stories: bool) -> Recipe:
    """Two completions of four tokens a step, to questions of a line: what a step costs is the trainer's own work."""
    model = make_tiny_model(folder / "model", ends=60)
    rows = [
        {"question": f"{name} is gone. Is {name} here?", "options": ["yes", "no"], "gold": 1}
        for name in ("Mara", "Ines", "Vera", "Lena", "Otto", "Olga", "Rita", "Dora")
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tree = launches.recipe(str(model)).model_dump(mode="json")
    if stories:
        tree["data"] |= {"size": 200}
    else:
        tree["data"] |= {"source": str(folder / "rows.jsonl")}
        tree["prompt"] |= {"system": "Answer."}  # a byte is a token here: the usual one is most of a prompt
    small = {"per_device_train_batch_size": 2, "max_completion_length": 4, "learning_rate": 1e-4}
    tree["grpo"] |= {"max_steps": steps, **small}
    tree["warmup"]["steps"] = 0
    tree["run"] |= {"save_steps": every}
    tree["evaluation"] |= {"every": every * 5}
    return Recipe.model_validate(tree)


def watch(every: int, *, trim: bool) -> list[Row]:
    """Have each trainer's steps measured from now on; returns the rows, which grow."""
    rows: list[Row] = []
    ended: list[float] = []
    watcher, page = grpo.watcher, os.sysconf("SC_PAGESIZE")

    def measured(**functions):
        done = functions["step_done"]
        ended[:] = [time.perf_counter()]

        def step_done(step: int) -> bool:
            stops = done(step)
            ended.append(time.perf_counter())
            if step % every == 0:
                gc.collect()
                if trim:
                    ctypes.CDLL(None).malloc_trim(0)
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                took = statistics.median(later - before for before, later in itertools.pairwise(ended))
                files = len(os.listdir("/proc/self/fd"))
                rows.append(Row(step, pages * page / 1e6, files, len(gc.get_objects()), took))
                print("{:6d} {:8.1f} MB {:5d} files {:8d} objects {:7.3f} s a step".format(*rows[-1]), flush=True)
                del ended[:-1]
            return stops

        return watcher(**functions | {"step_done": step_done})

    grpo.watcher = measured
    return rows


def main() -> None:
    """Train, and print the rows and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="a folder for the run, which is otherwise removed")
    parser.add_argument("--stories", action="store_true", help="prompts of generated stories")
    parser.add_argument("--trim", action="store_true", help="hand what is free back before measuring (glibc)")
    args = parser.parse_args()
    if args.every < 1 or args.steps // args.every - args.steps // 4 // args.every < 2:
        parser.error(f"--steps {args.steps} --every {args.every}: no two rows after the first quarter to compare")
    rows = watch(args.every, trim=args.trim)
    with tempfile.TemporaryDirectory() as scratch:
        settings = recipe(Path(scratch), args.steps, args.every, stories=args.stories)
        folder = args.keep or Path(scratch) / "run"
        session.run_recipe(settings, run_dir=folder, strict=False, progress=Progress(quiet=True))
    warm = [row for row in rows if row.step > args.steps / 4]
    steps = [row.step for row in warm]
    for name, unit in (("mb", "MB"), ("files", "files"), ("objects", "objects"), ("seconds", "s")):
        values = [float(getattr(row, name)) for row in warm]
        slope = statistics.linear_regression(steps, values).slope
        over = steps[-1] - steps[0]
        print(f"{name}: {values[0]:.6g} -> {values[-1]:.6g}, {slope:+.2g} {unit} a step over {over} steps")


if __name__ == "__main__":
    main()
