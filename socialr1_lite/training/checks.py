"""The held-out checks of a run: which were made, kept in summary.json so that a resumed run does not repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import orjson

from socialr1_lite.policy import Policy
from socialr1_lite.progress import Progress, clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import BestAdapter, RunFolder, TraceWriter, write_json
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import folder, heldout
from socialr1_lite.training.heldout import Check

UNTRAINED, COLD_START = "untrained", "after the cold start"
ON_THE_WAY = "step "  # how the labels of the checks between two steps begin


@dataclass
class HeldoutChecks:
    """Makes the checks of one launch, and keeps the adapter of the best. Without scenarios it makes none.

    seconds: what the checks of this launch took.
    """

    run: RunFolder
    recipe: Recipe
    stack: RewardStack
    progress: Progress
    scenarios: Sequence[Scenario]
    seconds: float = field(default=0.0, init=False)

    @cached_property
    def best(self) -> BestAdapter:
        """The adapter of the best check of the evaluations on the way."""
        return BestAdapter(self.run)

    @property
    def last_label(self) -> str:
        """What the check after the last step is called."""
        return f"after GRPO ({self.recipe.grpo.max_steps} steps)"

    @property
    def longest_s(self) -> float:
        """What the slowest check of this run took; 0.0 while none was made."""
        return max((check.seconds for check in self._made().values()), default=0.0)

    def make(self, policy: Policy, label: str, step: int, traces: TraceWriter) -> Check | None:
        """Ask the questions, unless a check of that label was made already."""
        if not self.scenarios or label in self._made():
            return None
        self.progress.say(f"held-out check, {label}: {len(self.scenarios)} questions")
        check = heldout.check_heldout(
            policy, self.recipe, self.stack, self.scenarios, label=label, step=step, traces=traces
        )
        self.seconds += check.seconds
        before = self._made().values()
        if self.recipe.evaluation.every:
            scores = [one.score for one in before]
            self.best.update(check.score, scores, lambda path: folder.save_whole(policy, path))
        self._write([*before, check])
        self.progress.say(
            f"  format {check.format_rate:.2f}  accuracy {check.accuracy:.3f} ({check.low:.3f}-{check.high:.3f})  "
            f"mean reward {check.reward:.3f}  in {clock(check.seconds)}"
        )
        return check

    def make_on_the_way(self, policy: Policy, step: int, traces: TraceWriter) -> Check | None:
        """Make the check that is due after this step, if any (`evaluation.every`)."""
        every, last = self.recipe.evaluation.every, self.recipe.grpo.max_steps
        if not every or (step % every and step < last):
            return None
        return self.make(policy, f"{ON_THE_WAY}{step}" if step < last else self.last_label, step, traces)

    def drop_after(self, step: int) -> None:
        """Drop the checks of steps that are about to be trained again: they belong to a policy that is gone."""
        self.best.drop_after(step)
        if checks := self._made().values():
            self._write([check for check in checks if check.step <= step])

    def report(self, elapsed: float) -> None:
        """Print the table, what changed, and the best. elapsed: seconds of this launch."""
        checks = list(self._made().values())
        if not checks:
            return
        best = self.best.record(check.score for check in checks)
        ends = [check for check in checks if not check.label.startswith(ON_THE_WAY)]
        self.progress.say()
        self.progress.table(*heldout.table([one for one in checks if one in ends or one.score == best]))
        if len(ends) > 1:
            self.progress.say("  " + heldout.compare(ends[-2], ends[-1]))
        self.progress.say(
            f"  held-out checks took {clock(self.seconds)} of the {clock(elapsed)} of this launch "
            f"({self.seconds / elapsed:.0%})"
        )
        if best:
            self.best.drop_others(best)
            self.progress.say(f"  {heldout.best_sentence(best, checks)}; its adapter is in {self.best.path(best.step)}")

    def _write(self, checks: Sequence[Check]) -> None:
        write_json(self._summary, {"version": 1, "checks": [check.to_row() for check in checks]})
        self.best.record(check.score for check in checks)

    def _made(self) -> dict[str, Check]:
        if not self._summary.is_file():
            return {}
        rows = orjson.loads(self._summary.read_bytes())["checks"]
        return {row["label"]: Check.from_row(row) for row in rows}

    @property
    def _summary(self) -> Path:
        return self.run.path / "summary.json"
