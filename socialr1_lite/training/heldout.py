"""The held-out check: the same questions before, during and after training, greedily, and what changed between.

Greedy decoding, one completion a question, tau = 1: a number that does not move with the curriculum or the dice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import (
    Sampler,
    Scored,
    is_prefilled,
    messages,
    score_fields,
    score_texts,
    template_settings,
)
from socialr1_lite.runlog import Scored as Evaluated
from socialr1_lite.runlog import TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import mcnemar, wilson

BENCHMARK = "heldout"


@dataclass(frozen=True, slots=True)
class Check:
    """What one policy did on the held-out questions. Shares in [0, 1]; reward is the mean total at tau = 1."""

    label: str
    step: int  # finished optimizer steps of GRPO
    n: int
    format_rate: float
    accuracy: float
    low: float  # 95 % Wilson interval of the accuracy
    high: float
    unreadable: float
    truncated: float
    reward: float
    tokens: float  # mean completion tokens
    right: tuple[bool, ...]  # a question each, in their order: for paired tests
    seconds: float = 0.0  # what the check took; 0 in files written before it was measured

    def to_row(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Check:
        """Back from `to_row`."""
        return cls(**(row | {"right": tuple(row["right"])}))

    @property
    def scored(self) -> Evaluated:
        """What the choice of the best adapter goes by."""
        return Evaluated(self.step, self.label, self.accuracy, self.low, self.high, self.n)

    def metrics(self) -> dict[str, float]:
        """The figures by the names of metrics.jsonl, all of them apart from training's own."""
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
    prefilled = is_prefilled(policy, scenarios[0], recipe)
    completions = policy.generate(
        [messages(scenario, recipe) for scenario in scenarios],
        max_new_tokens=limit,
        temperature=0.0,
        batch_size=recipe.evaluation.batch_size,
        template=template_settings(recipe),
    )
    scored = [
        score_texts(stack, scenario, [(told.text, told.tokens, told.finish)], prefilled=prefilled)[0]
        for scenario, told in zip(scenarios, completions, strict=True)
    ]
    if traces is not None:
        traces.write([_row(recipe, scenarios[i], scored[i], label, step, i, prefilled) for i in range(len(scored))])
    return replace(summarise(label, step, scored), seconds=time.perf_counter() - started)


def summarise(label: str, step: int, scored: Sequence[Scored]) -> Check:
    """The figures of one check."""
    n = len(scored)
    right = tuple(one.score.outcome == "right" for one in scored)
    accuracy = wilson(sum(right), n)
    return Check(
        label=label,
        step=step,
        n=n,
        format_rate=sum(all(one.reply.checks.values()) for one in scored) / n,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        unreadable=sum(one.score.outcome == "unreadable" for one in scored) / n,
        truncated=sum(one.finish == "length" for one in scored) / n,
        reward=sum(one.score.total for one in scored) / n,
        tokens=sum(one.tokens for one in scored) / n,
        right=right,
    )


def _row(
    recipe: Recipe, scenario: Scenario, scored: Scored, label: str, step: int, place: int, prefilled: bool
) -> dict[str, Any]:
    facts = {
        "phase": "eval",
        "benchmark": f"{BENCHMARK}: {label}",
        "step": step,
        "scenario": scenario.id,
        "group": place,
        "index": 0,
        "prompt": messages(scenario, recipe),
        "prefilled": prefilled,
        "advantage": None,
        "sampling": {"temperature": 0.0, "top_p": 1.0, "top_k": 0},
    }
    return facts | score_fields(scored)


def table(checks: Sequence[Check]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the before/after table."""
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
    """One sentence: how many questions changed between two checks, and McNemar's exact test."""
    paired = mcnemar(before.right, after.right)
    return (
        f"{after.label} against {before.label}: {paired.only_second} questions newly right, {paired.only_first} newly "
        f"wrong of {paired.n} (McNemar's exact test, two-sided p = {paired.p:.2g})"
    )


def tell_best(best: Evaluated, checks: Sequence[Check]) -> str:
    """One sentence: which check was the best, and what to think of it."""
    rivals = sum(check.step > 0 for check in checks)
    start = max((check.accuracy for check in checks if check.step == 0), default=0.0)
    told = (
        f"best of {rivals} checks: step {best.step}, accuracy {best.accuracy:.3f} ({best.low:.3f}-{best.high:.3f}) on "
        f"{best.n} questions"
    )
    if best.accuracy < start:
        told += f", below the {start:.3f} before GRPO"
    # Picked for its score on these questions, it scores lower on others; one check among one was not picked.
    return told + (" that it was picked by: measure it on others" if rivals > 1 else "")
