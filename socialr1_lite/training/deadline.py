"""`run.max_hours`: stop a launch cleanly before a session ends that nobody can prolong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from socialr1_lite.progress import clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.training.ranks import Ranks

CHECKPOINT_S = 60.0  # kept for writing the last checkpoint, onto a slow mounted drive too
SLOWER = 1.2  # the next step, or the held-out check, may take so much longer than the slowest so far


@dataclass
class Deadline:
    """When this launch is to be over; without `run.max_hours` never. started: by time.monotonic."""

    recipe: Recipe
    ranks: Ranks
    started: float
    _mark: float = field(default=0.0, init=False)  # set by begin_step
    _slowest: float = field(default=0.0, init=False)

    def begin_step(self) -> None:
        """Measure the next step from now: what came before, such as a check, was none."""
        self._mark = time.monotonic()

    def end_step(self) -> None:
        """Take in how long the step took."""
        self._slowest = max(self._slowest, time.monotonic() - self._mark)

    def stops_after(self, step: int, check_s: float) -> bool:
        """Return on every process whether to stop after this step: what comes next would not be over in time.

        A step after which no run could go on, because it falls within a generation batch, is none to stop after.
        check_s: what a held-out check has taken; its time is kept where it is short of a tenth of the launch.
        """
        limit, grpo = self.recipe.run.max_hours, self.recipe.grpo
        batches = grpo.generation_steps * grpo.num_iterations
        if limit is None or step >= grpo.max_steps or step * grpo.gradient_accumulation_steps % batches:
            return False
        steps = -(-batches // grpo.gradient_accumulation_steps)
        kept = check_s * SLOWER if check_s * SLOWER < limit * 3600 / 10 else 0.0
        return self.ranks.broadcast_from_main(lambda: not self.leaves(self._slowest * steps * SLOWER + kept))

    def leaves(self, seconds: float) -> bool:
        """Return whether so many seconds are left, and those of a checkpoint."""
        limit = self.recipe.run.max_hours
        return limit is None or time.monotonic() - self.started + seconds + CHECKPOINT_S <= limit * 3600

    def words(self, step: int) -> str:
        """Say that the launch stopped after this step, and how to go on."""
        took = clock(time.monotonic() - self.started)
        return (
            f"stopped after step {step} of {self.recipe.grpo.max_steps}, {took} after the start, "
            f"because of run.max_hours={self.recipe.run.max_hours}; the same command goes on from there"
        )
