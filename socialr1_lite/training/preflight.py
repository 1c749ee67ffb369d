"""The check before the first step: sample a few groups and say what would make training fruitless, and the remedy.

Most reports of "the reward stays 0" are one of these: no completion passes the format gate, every completion is cut
off, every group is flat (UX research, A1 to A4). Sampling here leaves the random state of the run as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from socialr1_lite.errors import PreflightError
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import (
    Sampler,
    Scored,
    cause_of_flatness,
    is_prefilled,
    messages,
    score_texts,
    template_settings,
)
from socialr1_lite.scenario import Scenario

PROMPTS = 2  # groups sampled; each costs about half a training step
MANY_CUT = 0.2  # share of completions cut off at which the limit is called too low


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the sampled groups looked like, what stands in the way, and what is merely worth knowing."""

    prompt_text: str
    groups: tuple[tuple[Scored, ...], ...]
    prefilled: bool
    obstacles: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def completions(self) -> list[Scored]:
        """All sampled completions."""
        return [scored for group in self.groups for scored in group]

    def lines(self) -> list[str]:
        """The report, a line each."""
        told = self.completions
        causes = [cause_of_flatness(group) for group in self.groups]
        flat = ", ".join(cause for cause in causes if cause)
        return [
            f"format gate passed by {_share(s.score.components['format'] == 1 for s in told)} of {len(told)} samples",
            f"cut off at the limit: {_share(s.finish == 'length' for s in told)}; tokens: mean "
            f"{fmean(s.tokens for s in told):.0f}, longest {max(s.tokens for s in told)}",
            f"right answers: {_share(s.score.outcome == 'right' for s in told)}; mean reward "
            f"{fmean(s.score.total for s in told):.3f}",
            f"informative groups: {causes.count('')} of {len(causes)}" + (f" ({flat})" if flat else ""),
            *(["the chat template opens <think> itself; completions are read as starting inside it"] * self.prefilled),
        ]

    def refuse(self) -> None:
        """Raise PreflightError when training cannot work."""
        if self.obstacles:
            raise PreflightError("preflight: " + "; ".join(self.obstacles))


def preflight(recipe: Recipe, policy: Sampler, stack: RewardStack, scenarios: Sequence[Scenario]) -> Preflight:
    """Sample PROMPTS groups as the first step would, score them at the first step's tau, and judge the outlook."""
    asked = list(scenarios[:PROMPTS])
    size, grpo, curriculum = recipe.grpo.num_generations, recipe.grpo, recipe.rewards.curriculum
    prompts = [messages(scenario, recipe) for scenario in asked for _ in range(size)]
    drawn = policy.generate(
        prompts,
        max_new_tokens=grpo.max_completion_length,
        temperature=grpo.temperature,
        top_p=grpo.top_p,
        top_k=grpo.top_k,
        seed=recipe.run.seed,
        batch_size=max(size, recipe.evaluation.batch_size),
        template=template_settings(recipe),
    )
    prefilled = is_prefilled(policy, asked[0], recipe)
    first_tau = tau(0, grpo.max_steps, tau0=curriculum.tau0, p0=curriculum.p0, p1=curriculum.p1)
    groups = tuple(
        tuple(
            score_texts(
                stack,
                scenario,
                [(d.text, d.tokens, d.finish) for d in drawn[i * size : (i + 1) * size]],
                prefilled=prefilled,
                tau=first_tau,
            )
        )
        for i, scenario in enumerate(asked)
    )
    text = policy.prompt_text(prompts[0], **template_settings(recipe))
    return Preflight(text, groups, prefilled, tuple(obstacles(recipe, groups)), tuple(warnings(recipe, groups)))


def obstacles(recipe: Recipe, groups: Sequence[Sequence[Scored]]) -> list[str]:
    """What makes every reward the same from the first step on."""
    told = [scored for group in groups for scored in group]
    if all(scored.finish == "length" for scored in told):
        return [
            f"all {len(told)} sampled completions were cut off at grpo.max_completion_length="
            f"{recipe.grpo.max_completion_length} tokens, so none can be scored; raise it, or teach the model to be "
            "brief with warmup.steps=20"
        ]
    if recipe.rewards.mode == "gated" and not any(scored.score.components["format"] for scored in told):
        failed = sorted({name for scored in told for name, held in scored.reply.checks.items() if not held})
        return [
            f"none of {len(told)} sampled completions passes the format gate (failed: {', '.join(failed)}), so every "
            "reward is 0 and nothing can be learned; add a cold start (warmup.steps=20) or let partial format count "
            "(rewards.format.mode=graded)"
        ]
    return []


def warnings(recipe: Recipe, groups: Sequence[Sequence[Scored]]) -> list[str]:
    """What costs much of the training, but not all of it."""
    told = [scored for group in groups for scored in group]
    found = []
    cut = sum(scored.finish == "length" for scored in told) / len(told)
    if MANY_CUT < cut < 1:
        found.append(
            f"{cut:.0%} of the completions were cut off; raise grpo.max_completion_length "
            f"(now {recipe.grpo.max_completion_length})"
        )
    if all(cause_of_flatness(group) for group in groups):
        found.append(
            "no sampled group is informative: all its completions earn the same; raise grpo.num_generations "
            f"(now {recipe.grpo.num_generations}) or grpo.temperature, or change data.orders to fit the model"
        )
    return found


def _share(flags: Iterable[bool]) -> str:
    told = list(flags)
    return f"{sum(told) / len(told):.0%}"
