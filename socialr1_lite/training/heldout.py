"""The held-out check: the same questions before, during and after training, greedily, and what changed between.

Greedy decoding, one completion a question, tau = 1: a number that does not move with the curriculum or with chance.
Intervals and tests count stories, not questions: the twins of one story are right or wrong together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from socialr1_lite.data import story_key
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import Sampler, messages, template_settings
from socialr1_lite.rollouts.reward import ScoredCompletion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import CheckScore, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import clustered_proportion, paired_by_cluster

BENCHMARK = "heldout"


@dataclass(frozen=True, slots=True)
class Check:
    """What one policy did on the held-out questions. Shares in [0, 1]; reward is the mean total at tau = 1."""

    label: str
    step: int  # finished optimizer steps of GRPO
    n: int
    format_rate: float
    accuracy: float
    low: float  # 95 % interval of the accuracy, over stories
    high: float
    unreadable: float
    truncated: float
    reward: float
    tokens: float  # mean completion tokens
    right: tuple[bool, ...]  # a question each, in their order: for paired tests
    seconds: float = 0.0  # what the check took; 0 in files written before it was measured
    stories: tuple[str, ...] = ()  # of each question, equal for twins; () in files written before they were counted

    def to_row(self) -> dict[str, Any]:
        """Return the check as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Check:
        """Read a row of `to_row`, of any version."""
        return cls(**(row | {"right": tuple(row["right"]), "stories": tuple(row.get("stories", ()))}))

    @property
    def score(self) -> CheckScore:
        """What the choice of the best adapter goes by."""
        return CheckScore(self.step, self.label, self.accuracy, self.low, self.high, self.n)

    def metrics(self) -> dict[str, float]:
        """Return the figures by the names of metrics.jsonl, all of them apart from training's own."""
        names = ("accuracy", "format_rate", "unreadable", "truncated", "reward", "tokens", "seconds")
        return {f"eval/{name}": getattr(self, name) for name in names}


def check_heldout(
    policy: Sampler,
    recipe: Recipe,
    stack: RewardStack,
    scenarios: Sequence[Scenario],
    *,
    label: str,
    step: int,
    traces: TraceWriter | None = None,
) -> Check:
    """Ask every held-out question once, greedily; store the replies as traces of phase eval."""
    started = time.perf_counter()
    limit = recipe.evaluation.max_new_tokens or recipe.grpo.max_completion_length
    prompts = [messages(scenario, recipe) for scenario in scenarios]
    completions = policy.generate(
        prompts,
        max_new_tokens=limit,
        temperature=0.0,
        batch_size=recipe.evaluation.batch_size,
        template=template_settings(recipe),
    )
    scored = [
        stack.score([completion], scenario)[0] for scenario, completion in zip(scenarios, completions, strict=True)
    ]
    if traces is not None:
        traces.write(
            [
                Trace.of(
                    one,
                    phase="eval",
                    benchmark=f"{BENCHMARK}: {label}",
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
    return replace(summarise(label, step, scored, scenarios), seconds=time.perf_counter() - started)


def summarise(label: str, step: int, scored: Sequence[ScoredCompletion], scenarios: Sequence[Scenario]) -> Check:
    """Return the figures of one check. scenarios: the question of each completion."""
    n = len(scored)
    right = tuple(one.score.outcome == "right" for one in scored)
    first: dict[str, str] = {}  # of each story, the first question's id names it
    stories = tuple(first.setdefault(story_key(scenario), scenario.id) for scenario in scenarios)
    accuracy = clustered_proportion(right, stories)
    return Check(
        label=label,
        step=step,
        n=n,
        format_rate=sum(all(one.reply.checks.values()) for one in scored) / n,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        unreadable=sum(one.score.outcome == "unreadable" for one in scored) / n,
        truncated=sum(one.completion.truncated for one in scored) / n,
        reward=sum(one.score.total for one in scored) / n,
        tokens=sum(one.completion.tokens for one in scored) / n,
        right=right,
        stories=stories,
    )


def table(checks: Sequence[Check]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the before/after table."""
    header = [
        "held-out questions",
        "n",
        "format",
        "accuracy",
        "95 % interval",
        "unreadable",
        "cut off",
        "mean reward",
        "tokens",
        "seconds",
    ]
    rows = [
        [
            check.label,
            str(check.n),
            f"{check.format_rate:.2f}",
            f"{check.accuracy:.3f}",
            f"{check.low:.3f}-{check.high:.3f}",
            f"{check.unreadable:.2f}",
            f"{check.truncated:.2f}",
            f"{check.reward:.3f}",
            f"{check.tokens:.0f}",
            f"{check.seconds:.0f}",
        ]
        for check in checks
    ]
    return header, rows


def compare(before: Check, after: Check) -> str:
    """Say in one sentence how many questions changed between two checks, and what a test by story makes of it."""
    stories = after.stories or before.stories or tuple(map(str, range(after.n)))
    paired = paired_by_cluster(before.right, after.right, stories)
    number = f"{paired.clusters} stor{'y' if paired.clusters == 1 else 'ies'}"
    return (
        f"{after.label} against {before.label}: {paired.only_second} questions newly right, {paired.only_first} newly "
        f"wrong of {paired.n} in {number} (permutation test by story, two-sided p = {paired.p:.2g})"
    )


def best_sentence(best: CheckScore, checks: Sequence[Check]) -> str:
    """Say in one sentence which check was the best, and what to think of it."""
    rivals = sum(check.step > 0 for check in checks)
    start = max((check.accuracy for check in checks if check.step == 0), default=0.0)
    sentence = (
        f"best of {rivals} checks: step {best.step}, accuracy {best.accuracy:.3f} ({best.low:.3f}-{best.high:.3f}) on "
        f"{best.n} questions"
    )
    if best.accuracy < start:
        sentence += f", below the {start:.3f} before GRPO"
    # Picked for its score on these questions, it scores lower on others; one check among one was not picked.
    return sentence + (" that it was picked by: measure it on others" if rivals > 1 else "")
