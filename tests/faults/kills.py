"""Kills at random moments: SIGKILL, SIGTERM or SIGINT, up to three launches of one run, then one that nobody disturbs.

Half of the kills come from outside after a random share of the processor time that the whole run takes, in whatever
code that meets; half from inside, right before a random change of a file in the run folder.
"""

from __future__ import annotations

import random
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from socialr1_lite.recipe import Recipe
from tests.faults.harness import Cut, Ended, Verdict, differences, facts, launch

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Calm:
    """The run that nobody disturbed: what it came to, what it took."""

    facts: dict[str, object]
    ended: Ended
    changes: int


def plan(seed: int, calm: Calm) -> list[Cut]:
    """Draw where one to three launches of a run are cut off."""
    rng = random.Random(f"kills {seed}")
    cuts = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        number = rng.choice(SIGNALS)
        if rng.random() < 0.5:
            cuts.append(Cut(number, seconds=rng.uniform(0.02, 0.9) * calm.ended.seconds))
        else:
            cuts.append(Cut(number, change=rng.randint(1, calm.changes)))
    return cuts


def was_cut(ended: Ended, cut: Cut) -> bool:
    """Tell whether that launch ended by the signal: Ctrl-C is an exit status of 130."""
    return ended.status == (130 if cut.signal == signal.SIGINT else -cut.signal)


def trial(seed: int, root: Path, settings: Recipe, calm: Calm) -> tuple[int, Verdict]:
    """Carry out one plan. Returns how many launches were really cut off, and what became of the run."""
    folder, hit = root / f"kill-{seed}", 0
    for cut in plan(seed, calm):
        ended = launch(folder, settings, cut)
        if ended.status == 0:
            break  # it was quicker
        if not was_cut(ended, cut):
            return hit, Verdict("wrong", f"seed {seed}: {cut} ended with {ended.status}: {ended.said[-3:]}")
        hit += 1
    ended = launch(folder, settings)
    if ended.status != 0:
        return hit, Verdict("wrong", f"seed {seed}: afterwards {ended.status}: {ended.said[-5:]}")
    differ = differences(calm.facts, facts(folder))
    shutil.rmtree(folder)
    return hit, Verdict("wrong", f"seed {seed}: {differ} differ") if differ else Verdict("recovered")
