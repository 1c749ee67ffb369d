"""Try faults on the trainer, and count what becomes of each: recovered, refused clearly, wrong.

    python -m tests.faults [--kills 80] [--mutations 400] [--seed 0] [--workers 2] [--short]

Kills: runs whose launches are cut off at random moments (kills.py). Mutations: run folders of which one piece is damaged
in one of seven ways (mutations.py), each piece and way once before any twice. --short: what continuous integration
runs. The exit status is 1 where anything was wrong; each such trial is printed with what repeats it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests import launches
from tests.faults import harness, kills, mutations
from tests.tiny import make_tiny_model

SHORT = {"kills": 8, "mutations": 40}
ENDED = "finished"
LONGEST = 600  # letters of a reason: a line of a pipe is whole up to PIPE_BUF
Found = tuple[str, int, str, str]  # the row of the table, launches cut off, the verdict's kind and why


def main() -> int:
    """Parse the command line, try everything, print the table."""
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=80, metavar="N", help="runs to kill (default: 80)")
    parser.add_argument("--mutations", type=int, default=400, metavar="N", help="folders to damage (default: 400)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes beside each other")
    parser.add_argument("--short", action="store_true", help=f"only {SHORT}")
    args = parser.parse_args()
    wanted = SHORT if args.short else {"kills": args.kills, "mutations": args.mutations}
    with tempfile.TemporaryDirectory() as scratch:
        tried = Tried(Path(scratch), args.seed)
        trials = [*tried.kills(wanted["kills"]), *tried.mutations(wanted["mutations"])]
        random.Random(args.seed).shuffle(trials)  # so that the workers end together
        found = list(beside(trials, args.workers))
    return table(found)


class Tried:
    """The undisturbed run, the unfinished ones, and what is tried on copies of them."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.seed = root, seed
        self.settings = harness.recipe(make_tiny_model(root / "model", ends=60))
        harness.warm_up()
        changes, ended = harness.count_changes(root / "calm", self.settings)
        assert ended.status == 0, ended.said[-5:]
        self.calm = kills.Calm(harness.facts(root / "calm"), ended, changes)
        print(f"a run takes {ended.seconds:.1f} s of a processor and changes files {changes} times", file=sys.stderr)

    def kills(self, wanted: int) -> Iterator[Callable[[], Found]]:
        """Yield a trial for each seed."""
        for seed in range(self.seed, self.seed + wanted):
            yield partial(self._kill, seed)

    def _kill(self, seed: int) -> Found:
        hit, verdict = kills.trial(seed, self.root, self.settings, self.calm)
        return "launches killed at random moments", hit, *verdict

    def mutations(self, wanted: int) -> Iterator[Callable[[], Found]]:
        """Yield trials that damage each piece of two unfinished runs, and of the finished one, in each way."""
        if not wanted:
            return
        bases = self._bases()
        every = [
            (name, piece, way)
            for name, base in bases.items()
            for piece in mutations.pieces(base)
            for way in mutations.ways(base, piece)
            if name != ENDED or piece.startswith(("adapter", "state", "recipe"))
        ]
        random.Random(self.seed).shuffle(every)
        plain = {
            name: harness.launch(harness.copied(base, self.root / f"plain {name}"), self.settings)
            for name, base in bases.items()
        }
        print(f"{len(every)} ways to damage {', '.join(bases)}", file=sys.stderr)
        for place in range(wanted):
            name, piece, way = every[place % len(every)]
            damaged = (piece, way, self.seed + place // len(every))
            yield partial(self._mutation, name, bases[name], damaged, plain[name], place)

    def _mutation(
        self, name: str, base: Path, damaged: tuple[str, str, int], plain: harness.Ended, place: int
    ) -> Found:
        folder = self.root / f"damaged-{place}"
        return (
            f"a piece damaged: {name}",
            0,
            *mutations.trial(base, folder, self.settings, damaged, self.calm.facts, plain),
        )

    def _bases(self) -> dict[str, Path]:
        """Make a run killed after its cold start, one killed after its checkpoint, and one that ended."""
        made = {
            "after the cold start": (launches.while_writing_traces(3), 0),  # of the checks, and the first step
            "after a checkpoint": (launches.while_writing_traces(6), 2),  # and of the second, its check, the third
            ENDED: (None, harness.STEPS),
        }
        for name, (patch, step) in made.items():
            harness.launch(self.root / name, self.settings, inside=patch)
            state = harness.RunFolder.open(self.root / name).state()
            assert state["step"] == step, (name, state)
        return {name: self.root / name for name in made}


def beside(trials: Sequence[Callable[[], Found]], workers: int) -> Iterator[Found]:
    """Carry out the trials in processes beside each other; yield what they found as it comes."""
    reading, writing = os.pipe()
    for worker in range(workers):
        if os.fork() == 0:
            try:
                for trial in trials[worker::workers]:
                    row, hit, kind, why = trial()
                    os.write(writing, line((row, hit, kind, why[:LONGEST])))
            except BaseException:
                os.write(writing, line(("the harness", 0, "wrong", traceback.format_exc()[-LONGEST:])))
            finally:
                os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        for text in lines:
            found: Found = tuple(json.loads(text))
            print(*found, file=sys.stderr, flush=True)
            yield found


def line(found: Found) -> bytes:
    """Write what a trial found as a whole line, which no other worker's is glued to."""
    return json.dumps(found).encode() + b"\n"


def table(found: Sequence[Found]) -> int:
    """Print the table of docs/faults.md and what was wrong; 1 where anything was, or nothing was tried."""
    rows: dict[str, Counter[str]] = {}
    for row, hit, kind, _ in found:
        if hit or kind == "wrong" or "killed" not in row:  # a run that was quicker than its kill is no trial
            rows.setdefault(row, Counter())[kind] += 1
    for row, counted in rows.items():
        columns = (row, counted.total(), *(counted[kind] for kind in ("recovered", "refused", "wrong")))
        print(f"| {' | '.join(map(str, columns))} |")
    print(f"{sum(hit for _, hit, _, _ in found)} launches were cut off")
    for row, _, kind, why in found:
        if kind == "wrong":
            print(f"WRONG {row}: {why}")
    return not rows or any(counted["wrong"] for counted in rows.values())


if __name__ == "__main__":
    sys.exit(main())
