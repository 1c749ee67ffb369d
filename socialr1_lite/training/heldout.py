"""The held-out checks: the same questions before, during and after training, greedily, and what changed between.

Greedy decoding, one completion a question, tau = 1: a number that does not move with the curriculum or with chance.
Each process asks its share, by the run's vLLM engine where it has one. Between steps only the first stories are asked;
the best check is chosen by what all of them were asked. What `data.transfer` asks comes with the checks before and
after training, each kind in a row of its own. How it is counted: heldout_figures.py.
"""

from __future__ import annotations

import itertools
import time
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from socialr1_lite.data import story_key
from socialr1_lite.policy import Policy
from socialr1_lite.progress import Progress, clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import Sampler, messages, template_settings
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import BestAdapter, RunFolder, TraceWriter, write_json
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import folder, shortage
from socialr1_lite.training.heldout_figures import (
    SUMMARY,
    Check,
    best_sentence,
    compare,
    kept_checks,
    kind_of,
    summarised,
    table,
)
from socialr1_lite.training.ranks import Ranks
from socialr1_lite.training.shortage import memory_told
from socialr1_lite.training.soundness import refuse_no_reward

ALONE = Ranks(0, 1)
BENCHMARK = "heldout"
UNTRAINED, COLD_START = "untrained", "after the cold start"
ON_THE_WAY = "step "  # how the labels of the checks between two steps begin


def check_heldout(
    policy: Sampler,
    recipe: Recipe,
    stack: RewardStack,
    scenarios: Sequence[Scenario],
    *,
    label: str,
    step: int,
    traces: TraceWriter | None = None,
    ranks: Ranks = ALONE,
) -> Check | None:
    """Ask every held-out question once, greedily; store the replies as traces of phase eval.

    All processes ask, the main one scores and writes; the others return None.
    """
    started = time.perf_counter()
    prompts = [messages(scenario, recipe) for scenario in scenarios]
    completions = ranks.shared_out(
        prompts,
        lambda share: policy.generate(
            share,
            max_new_tokens=recipe.evaluation.max_new_tokens or recipe.grpo.max_completion_length,
            temperature=0.0,
            batch_size=recipe.evaluation.batch_size,
            template=template_settings(recipe),
        ),
    )
    if not ranks.main:
        return None
    pairs = zip(scenarios, completions, strict=True)
    scored = [stack.score([completion], scenario)[0] for scenario, completion in pairs]
    refuse_no_reward(scored)
    if traces is not None:
        traces.write(
            [
                Trace.of(
                    one,
                    phase="eval",
                    benchmark=f"{BENCHMARK}: {label}" + (f", {kind}" if (kind := kind_of(scenarios[place])) else ""),
                    step=step,
                    scenario=scenarios[place].id,
                    group=place,
                    index=0,
                    prompt=prompts[place],
                    sampling={"temperature": 0.0, "top_p": 1.0, "top_k": 0},
                )
                for place, one in enumerate(scored)
            ]
        )
    return replace(summarised(label, step, scored, scenarios), seconds=time.perf_counter() - started)


def first_stories(scenarios: Sequence[Scenario], count: int) -> list[int]:
    """Return the places of the questions of the first stories, all of each: `count` at most, but one story at least."""
    keys = list(map(story_key, scenarios))
    sizes = list(itertools.accumulate(Counter(keys).values()))  # in the order of their first questions
    kept = set(itertools.islice(Counter(keys), max(1, bisect(sizes, count))))
    return [place for place, key in enumerate(keys) if key in kept]


@dataclass
class HeldoutChecks:
    """Makes the checks of one launch, and keeps the adapter of the best. Without scenarios it makes none.

    Those made are kept in summary.json, so that a resumed run does not repeat them. seconds: what this launch's took.
    """

    run: RunFolder
    recipe: Recipe
    stack: RewardStack
    progress: Progress
    asked: Sequence[Scenario]
    ranks: Ranks = ALONE
    seconds: float = field(default=0.0, init=False)

    @cached_property
    def scenarios(self) -> list[Scenario]:
        """The held-out questions without those of the transfer."""
        return [scenario for scenario in self.asked if not kind_of(scenario)]

    @cached_property
    def best(self) -> BestAdapter:
        """The adapter of the best check of the evaluations on the way."""
        return BestAdapter(self.run)

    @cached_property
    def few(self) -> list[int]:
        """The places of the questions that are asked on the way too."""
        return first_stories(self.scenarios, self.recipe.evaluation.on_the_way)

    @property
    def first_label(self) -> str:
        """What the check before the first step is called."""
        return COLD_START if self.recipe.warmup.steps else UNTRAINED

    @property
    def last_label(self) -> str:
        """What the check after the last step is called."""
        return f"after GRPO ({self.recipe.grpo.max_steps} steps)"

    @property
    def longest_s(self) -> float:
        """What the next check on the way may take, by the slowest question of this run; 0.0 while none was asked."""
        return len(self.few) * max((check.seconds / check.asked for check in self._made().values()), default=0.0)

    def make(self, policy: Policy, label: str, step: int, traces: TraceWriter) -> Check | None:
        """Ask the questions, unless a check of that label was made already. All processes call this.

        Returns None where none was made, and on all but the main process.
        """
        if self.ranks.broadcast_from_main(lambda: not self.scenarios or label in self._made()):
            return None
        asked = [self.scenarios[i] for i in self.few] if label.startswith(ON_THE_WAY) else self.asked
        self.progress.say(f"held-out check, {label}: {len(asked)} questions")
        with memory_told(self.recipe, self.run, f"in the held-out check, {label}", shortage.CHECK):
            check = check_heldout(
                policy, self.recipe, self.stack, asked, label=label, step=step, traces=traces, ranks=self.ranks
            )
        if check is None:
            return None
        self.seconds += check.seconds
        before = self._made().values()
        if self.recipe.evaluation.every:
            scores = [one.score(self.few) for one in before]
            self.best.update(
                check.score(self.few), scores, lambda path: folder.save_whole(policy, self.run, path, step)
            )
        self._write([*before, check])
        for row in (check, *check.transfer):
            told = f"both twins {row.twins.told}  " if row.twins.families else ""
            kind = f"in {clock(check.seconds)}" if row is check else f"({row.label})"
            self.progress.say(
                f"  format {row.format_rate:.2f}  accuracy {row.accuracy:.3f} ({row.low:.3f}-{row.high:.3f})  "
                f"{told}mean reward {row.reward:.3f}  {kind}"
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
        scores = [check.score(self.few) for check in checks]
        best = self.best.record(scores)
        ends = [check for check in checks if not check.label.startswith(ON_THE_WAY)]
        self.progress.say()
        self.progress.table(*table([one for one in checks if one in ends or (best and one.step == best.step)]))
        if len(ends) > 1:
            self.progress.say("  " + compare(ends[-2], ends[-1]))
        share = f"{clock(self.seconds)} of the {clock(elapsed)} of this launch ({self.seconds / elapsed:.0%})"
        self.progress.say(f"  held-out checks took {share}")
        if best:
            self.best.drop_others(best)
            self.progress.say(f"  {best_sentence(best, scores)}; its adapter is in {self.best.path(best.step)}")

    def _write(self, checks: Sequence[Check]) -> None:
        write_json(self._summary, {"version": 1, "checks": [check.to_row() for check in checks]})
        self.best.record(check.score(self.few) for check in checks)

    def _made(self) -> dict[str, Check]:
        return kept_checks(self.run)

    @property
    def _summary(self) -> Path:
        return self.run.path / SUMMARY
