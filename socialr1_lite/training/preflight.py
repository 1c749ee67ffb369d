"""The check before the first step: sample a few groups and say what would make training fruitless, and the remedy.

Most reports of "the reward stays 0" are one of these: no completion passes the format gate, every completion is cut
off, every group is flat. A model in order is looked at for two groups only. A refusal needs more, as it ends a run:
none of 60 in form over four questions leaves fewer than 5 % that could be (rule of three, 95 %).
Sampling here leaves the random state of the run as it was.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from socialr1_lite.data.sources import parts
from socialr1_lite.data.told import STORIES
from socialr1_lite.errors import PreflightError
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.monitors import contrasts
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import Sampler, is_prefilled, messages, template_settings
from socialr1_lite.rollouts.reward import ScoredCompletion, zero_variance_reason
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply

PROMPTS = 2  # groups sampled at once; each costs about half a training step
REFUSAL_SAMPLES, REFUSAL_GROUPS = 60, 4  # no refusal on fewer completions, or on fewer groups
MANY_PLAIN = 0.5  # share of completions without headings at which a cold start is recommended
MANY_CUT = 0.2  # share of completions cut off at which the limit is called too low


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the sampled groups looked like, what stands in the way, and what is merely worth knowing."""

    groups: tuple[tuple[ScoredCompletion, ...], ...]
    obstacles: tuple[str, ...]
    warnings: tuple[str, ...]
    template: str  # what the chat template does about thinking
    advice: tuple[str, ...] = ()  # on the judge, where another one fits the data better

    @property
    def completions(self) -> list[ScoredCompletion]:
        """All sampled completions."""
        return [scored for group in self.groups for scored in group]

    def lines(self) -> list[str]:
        """Return the report, a line each."""
        sampled, n = self.completions, len(self.completions)
        reasons = [zero_variance_reason(group) for group in self.groups]
        flat = ", ".join(filter(None, reasons))
        return [
            f"format gate passed by {_share(s.score.components['format'] == 1 for s in sampled)} of {n} samples",
            *_form([s.reply for s in sampled]),
            f"cut off at the limit: {_share(s.completion.truncated for s in sampled)}; tokens: mean "
            f"{fmean(s.completion.tokens for s in sampled):.0f}, longest {max(s.completion.tokens for s in sampled)}",
            f"right answers: {_share(s.score.outcome == 'right' for s in sampled)}; mean reward "
            f"{fmean(s.score.total for s in sampled):.3f}",
            f"informative groups: {reasons.count('')} of {len(reasons)}" + (f" ({flat})" if flat else ""),
            *(words for words, _ in contrasts(s.score for s in sampled)),
            f"the chat template {self.template}",
            *self.advice,
        ]

    def refuse(self) -> None:
        """Raise PreflightError when training cannot work."""
        if self.obstacles:
            raise PreflightError("preflight: " + "; ".join(self.obstacles))


def preflight(recipe: Recipe, policy: Sampler, stack: RewardStack, scenarios: Sequence[Scenario]) -> Preflight:
    """Sample groups as the first step would, score them at the first step's tau, and judge the outlook.

    Two groups, and two more at a time while nothing else than a refusal would follow, up to what a refusal needs.
    """
    groups: list[tuple[ScoredCompletion, ...]] = []
    questions = itertools.cycle(scenarios)
    while True:
        some = list(itertools.islice(questions, PROMPTS))
        groups += _sample(recipe, policy, stack, some, seed=recipe.run.seed + len(groups))
        in_the_way = obstacles(recipe, groups)
        enough = len(groups) >= REFUSAL_GROUPS and sum(map(len, groups)) >= REFUSAL_SAMPLES
        if enough or not in_the_way:
            template, ignored = _template(recipe, policy, scenarios[0])
            said, told = (*ignored, *warnings(recipe, groups)), tuple(advice(recipe))
            return Preflight(tuple(groups), tuple(in_the_way), said, template, told)


def advice(recipe: Recipe) -> Iterator[str]:
    """Yield which judge fits the data better, where content is paid by `rules` alone."""
    if not recipe.rewards.weights.content or {one.name for one in recipe.rewards.content.judges if one.weight} != {
        "rules"
    }:
        return
    if {part.source for part in parts(recipe.data)} == {STORIES}:
        yield "content is paid by `rules` alone; these stories know their own truth: judges: [{name: facts}]"
        return
    yield (
        "content is paid by `rules` alone, which cannot see a right conclusion from a false reason: on real data use a "
        'trained `reward_model`, `reader`, or `llm` where there is an endpoint (docs/judges.md, "Mixing by worth")'
    )


def _template(recipe: Recipe, policy: Sampler, scenario: Scenario) -> tuple[str, list[str]]:
    """Say what the chat template does about thinking, as Qwen3's kinds differ, and that a switch set is none in it."""
    asked, settings = messages(scenario, recipe), template_settings(recipe)
    on, off = (policy.prompt_text(asked, **{**settings, "enable_thinking": state}) for state in (True, False))
    does = "switches thinking by prompt.enable_thinking" if on != off else "has no think block of its own"
    if is_prefilled(policy, scenario, recipe):
        does = "opens <think> itself; completions are read as starting inside it"
    if (given := settings.get("enable_thinking")) is None or on != off:
        return does, []
    return does, [f"prompt.enable_thinking {str(given).lower()} has no effect: the chat template {does}; write null"]


def _sample(
    recipe: Recipe, policy: Sampler, stack: RewardStack, scenarios: Sequence[Scenario], seed: int
) -> list[tuple[ScoredCompletion, ...]]:
    """Return a scored group for each scenario."""
    size, grpo, curriculum = recipe.grpo.num_generations, recipe.grpo, recipe.rewards.curriculum
    sampled = policy.generate(
        [messages(scenario, recipe) for scenario in scenarios for _ in range(size)],
        max_new_tokens=grpo.max_completion_length,
        temperature=grpo.temperature,
        top_p=grpo.top_p,
        top_k=grpo.top_k,
        seed=seed,
        batch_size=max(size, recipe.evaluation.batch_size),
        template=template_settings(recipe),
    )
    first_tau = tau(0, grpo.max_steps, tau0=curriculum.tau0, p0=curriculum.p0, p1=curriculum.p1)
    return [
        tuple(stack.score(sampled[i * size : (i + 1) * size], scenario, tau=first_tau))
        for i, scenario in enumerate(scenarios)
    ]


def obstacles(recipe: Recipe, groups: Sequence[Sequence[ScoredCompletion]]) -> list[str]:
    """Return what makes every reward the same from the first step on."""
    sampled = [scored for group in groups for scored in group]
    if all(scored.completion.truncated for scored in sampled):
        return [
            f"all {len(sampled)} sampled completions were cut off at grpo.max_completion_length="
            f"{recipe.grpo.max_completion_length} tokens, so none can be scored; raise it, or teach the model to be "
            "brief with warmup.steps=20"
        ]
    if recipe.rewards.mode == "gated" and not any(scored.score.components["format"] for scored in sampled):
        failed = sorted({name for scored in sampled for name, held in scored.reply.checks.items() if not held})
        return [
            f"none of {len(sampled)} sampled completions passes the format gate (failed: {', '.join(failed)}), so "
            "every reward is 0 and nothing can be learned; add a cold start (warmup.steps=20) or let partial format "
            "count (rewards.format.mode=graded)"
        ]
    return []


def warnings(recipe: Recipe, groups: Sequence[Sequence[ScoredCompletion]]) -> Iterator[str]:
    """Yield what costs much of the training, but not all of it."""
    cut, limit = (
        fmean(scored.completion.truncated for group in groups for scored in group),
        recipe.grpo.max_completion_length,
    )
    if MANY_CUT < cut < 1:
        yield f"{cut:.0%} of the completions were cut off; raise grpo.max_completion_length (now {limit})"
    yield from filter(None, (alarm for _, alarm in contrasts(scored.score for group in groups for scored in group)))
    replies = [scored.reply for group in groups for scored in group]
    if fmean(not reply.marked for reply in replies) > MANY_PLAIN:
        yield (
            f"{_share(not reply.marked for reply in replies)} of the samples have no headings: structure and content "
            "rest on plain sentences, read by their words (docs/rewards.md says how well); a short cold start "
            "(warmup.steps=20) teaches the headings"
        )
    if behind := sum(map(_headed_behind, replies)):
        yield (
            f"{behind} of {len(replies)} samples put their headings behind </think> or into a second block: the stages "
            "are read there, but the strict format gate gives 0; a short cold start (warmup.steps=20) teaches the form"
        )
    if all(zero_variance_reason(group) for group in groups):
        yield (
            "no sampled group is informative: all its completions earn the same; raise grpo.num_generations "
            f"(now {recipe.grpo.num_generations}) or grpo.temperature, or change data.orders to fit the model"
        )


def _form(replies: Sequence[Reply]) -> Iterator[str]:
    """Yield which format checks fail how often, and what the stages of replies without headings rest on."""
    failed = Counter(name for reply in replies for name, held in reply.checks.items() if not held)
    if failed:
        yield "format checks failed: " + ", ".join(f"{name} {n / len(replies):.0%}" for name, n in failed.most_common())
    plain = [reply for reply in replies if not reply.marked]
    if plain:
        found = fmean(len({one.stage for one in reply.segments} - {None}) for reply in plain)
        yield (
            f"without headings: {len(plain) / len(replies):.0%} of {len(replies)} samples; read sentence by sentence, "
            f"{found:.1f} of {len(STAGES)} stages a reply"
        )


def _headed_behind(reply: Reply) -> bool:
    """Tell whether the headings stand behind the think block that should hold them."""
    return reply.marked and reply.think is not None and len(reply.reasoning) > 1


def _share(flags: Iterable[bool]) -> str:
    return f"{fmean(flags):.0%}"
