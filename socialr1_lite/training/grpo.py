"""The one door to TRL's GRPOTrainer: the reward stack as its callables, its rollouts as traces.

Nothing else in the package knows TRL's conventions (columns of a batch, NaN for no reward, gathered rows). The trainer
class is made inside a function, after Unsloth has patched trl, and overrides just the two methods that have the same
signature and meaning in TRL 1.15 and in the trainer that Unsloth generates for a GPU.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from socialr1_lite.errors import RecipeError
from socialr1_lite.policy import Policy
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.monitors import FAILURES, MONITOR
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.prompting import messages
from socialr1_lite.rollouts.reward import (
    COMPONENTS,
    PROCESS,
    ZERO_VARIANCE_REASONS,
    ScoredCompletion,
    zero_variance_reason,
)
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.training.grpo_shared import sharing
from socialr1_lite.training.soundness import refuse_no_reward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from trl import GRPOConfig, GRPOTrainer

Example = Mapping[str, Any]  # a row of TRL's batch: what `prompt_rows` put there, and what TRL adds
Figures = Mapping[str, float]
RewardFunction = Callable[..., list[float | None]]


# --- rewards as TRL calls them


@dataclass
class TrlRewardAdapter:
    """Speaks TRL: columns of a batch in, one float (or None) a completion out. Keeps the last batch for the traces.

    scenarios: by position in the schedule, which is the column `position` of the dataset. prefilled: whether the
    chat template opens the think block. last: the last batch. seconds: what scoring it took.
    """

    stack: RewardStack
    scenarios: Sequence[Scenario]
    recipe: Recipe
    tokenizer: PreTrainedTokenizerBase
    eos_ids: set[int]
    prefilled: bool
    last: list[ScoredCompletion] = field(default_factory=list)
    seconds: float = 0.0
    _batch: list[list[int]] | None = None

    @property
    def additive(self) -> bool:
        """Whether each component is a callable of its own."""
        return self.recipe.rewards.mode == "additive"

    def functions(self) -> list[RewardFunction]:
        """Return one callable `sip_reward` (gated) or one a component (additive), all over one shared scoring."""
        return [self._function(name) for name in (COMPONENTS if self.additive else ("sip_reward",))]

    def weights(self, progress: float) -> list[float]:
        """Return TRL's reward weights at this process weight tau, in the order of `functions`.

        In additive mode the process terms are scaled by tau through TRL's weights, not inside the reward:
        normalize_then_sum (GDPO) would divide a factor inside the reward away again.
        """
        if not self.additive:
            return [1.0]
        weights = self.recipe.rewards.weights
        return [float(getattr(weights, name)) * (progress if name in PROCESS else 1.0) for name in COMPONENTS]

    def tau(self, state: TrainerState) -> float:
        """Return the curriculum's process weight at TRL's state (its step counts finished optimizer steps)."""
        curriculum = self.recipe.rewards.curriculum
        return tau(state.global_step, state.max_steps, tau0=curriculum.tau0, p0=curriculum.p0, p1=curriculum.p1)

    def _function(self, name: str) -> RewardFunction:
        def reward(
            *,
            completion_ids: list[list[int]],
            position: list[int],
            trainer_state: TrainerState,
            log_metric: Callable[[str, float], None],
            **_: object,
        ) -> list[float | None]:
            # The callables of one batch are handed the very same list: only the first of them scores.
            if completion_ids is not self._batch:
                self._batch = completion_ids
                self.last = self._score(completion_ids, position, self.tau(trainer_state))
                for metric, value in self.metrics(position):
                    log_metric(metric, value)
            scores = [scored.score for scored in self.last]
            return [score.components[name] if self.additive else score.total for score in scores]

        reward.__name__ = name
        return reward

    def _score(self, completion_ids: list[list[int]], position: list[int], progress: float) -> list[ScoredCompletion]:
        started = time.perf_counter()
        self.stack.spent.clear()
        scored: list[ScoredCompletion] = []
        for place, rows in itertools.groupby(range(len(position)), key=lambda i: position[i]):
            completions = [self._completion(completion_ids[i]) for i in rows]
            scored += self.stack.score(completions, self.scenarios[place], tau=progress)
        refuse_no_reward(scored)
        self.seconds = time.perf_counter() - started
        return scored

    def _completion(self, ids: list[int]) -> Completion:
        ended = bool(ids) and ids[-1] in self.eos_ids
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(text, len(ids), "stop" if ended else "length", self.prefilled)

    def metrics(self, position: Sequence[int]) -> Iterable[tuple[str, float]]:
        """Yield means of the last batch: components, parts, monitors, outcomes, judges' costs, why groups are flat."""
        scores = [scored.score for scored in self.last]
        yield "tau", scores[0].tau
        for name in COMPONENTS:
            yield from _mean(f"reward/{name}", [score.components[name] for score in scores])
        for part in sorted({part for score in scores for part in score.parts}):
            yield from _mean(f"part/{part}", [score.parts.get(part) for score in scores])
        for name, failures in self.stack.monitors.items():
            yield from _mean(f"{MONITOR}{name}", [score.parts.get(f"content.{name}") for score in scores])
            yield f"{FAILURES}{name}", failures
        for outcome in ("right", "wrong", "unreadable"):
            yield f"outcome/{outcome}", sum(score.outcome == outcome for score in scores) / len(scores)
        yield from self.stack.spent.items()
        yield "truncated", sum(scored.completion.truncated for scored in self.last) / len(scores)
        yield from group_metrics(self.last, position)

    def trace(self, example: Example, scored: ScoredCompletion, *, advantage: float, step: int, row: int) -> Trace:
        """Return the record of one training completion. row: its place in the global batch."""
        place, grpo = int(example["position"]), self.recipe.grpo
        return Trace.of(
            scored,
            phase="train",
            step=step,
            scenario=self.scenarios[place].id,
            group=place,
            index=row % grpo.num_generations,
            prompt=example["prompt"],
            advantage=advantage,
            sampling={"temperature": grpo.temperature, "top_p": grpo.top_p, "top_k": grpo.top_k},
        )


def group_metrics(scored: Sequence[ScoredCompletion], position: Sequence[int]) -> Iterable[tuple[str, float]]:
    """Yield the share of informative groups, and of the others by reason. A group of one has neither."""
    places = itertools.groupby(range(len(position)), key=lambda i: position[i])
    groups = [group for _, rows in places if len(group := [scored[i] for i in rows]) > 1]
    if not groups:
        return
    reasons = [zero_variance_reason(group) for group in groups]
    yield "groups/informative", reasons.count("") / len(groups)
    for reason in ZERO_VARIANCE_REASONS:
        yield f"groups/{reason.replace(' ', '_')}", reasons.count(reason) / len(groups)


def _mean(name: str, values: Iterable[float | None]) -> Iterable[tuple[str, float]]:
    known = [value for value in values if value is not None]
    if known:
        yield name, sum(known) / len(known)


# --- the trainer


def prompt_rows(schedule: Sequence[Scenario], recipe: Recipe) -> list[dict[str, Any]]:
    """Return the dataset's rows, one a prompt group in final order: messages, and the position of the scenario."""
    return [{"prompt": messages(scenario, recipe), "position": place} for place, scenario in enumerate(schedule)]


def make_trainer(policy: Policy, rewards: TrlRewardAdapter, traces: TraceWriter, config: GRPOConfig) -> GRPOTrainer:
    """Return TRL's GRPOTrainer that writes a trace for every completion it samples. Nothing is trained yet."""
    import datasets
    import transformers

    trainer = _tracing_trainer(rewards, traces, shared=policy.share_prefix)(
        model=policy.model,
        reward_funcs=rewards.functions(),
        args=config,
        train_dataset=datasets.Dataset.from_list(prompt_rows(rewards.scenarios, rewards.recipe)),
        processing_class=policy.tokenizer,
    )
    # Transformers prints every log as a dict when its bar is off; the progress display says it better.
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _tracing_trainer(rewards: TrlRewardAdapter, traces: TraceWriter, *, shared: bool) -> type[GRPOTrainer]:
    import trl

    for method in ("_calculate_rewards", "_generate_and_score_completions"):
        if not hasattr(trl.GRPOTrainer, method):
            raise RecipeError(f"trl {trl.__version__} has no GRPOTrainer.{method}; install trl>=1.12,<=1.15.0")

    base = sharing(trl.GRPOTrainer) if shared else trl.GRPOTrainer

    class TracingGRPOTrainer(base):  # type: ignore[misc, valid-type]
        """Overrides what TRL and Unsloth both keep: how rewards are asked for, and what a batch of rollouts becomes."""

        def _calculate_rewards(
            self,
            inputs: Sequence[Example],
            prompts: Sequence[Any],
            completions: Sequence[Any],
            completion_ids_list: list[list[int]],
        ) -> Tensor:
            weights = rewards.weights(rewards.tau(self.state))
            self.reward_weights: Tensor = self.reward_weights.new_tensor(weights)
            return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)

        def _generate_and_score_completions(self, inputs: Sequence[Example]) -> dict[str, Any]:
            started = time.perf_counter()
            out: dict[str, Any] = super()._generate_and_score_completions(inputs)
            seconds = time.perf_counter() - started
            first = self.accelerator.process_index * len(inputs)
            step, pairs = self.state.global_step, zip(rewards.last, out["advantages"].tolist(), strict=True)
            traces.write(
                [
                    rewards.trace(inputs[i], scored, advantage=advantage, step=step, row=first + i)
                    for i, (scored, advantage) in enumerate(pairs)
                ]
            )
            metrics = self._metrics["train" if self.model.training else "eval"]
            metrics["time/rollout_s"].append(seconds - rewards.seconds)
            metrics["time/reward_s"].append(rewards.seconds)
            return out

    return TracingGRPOTrainer


def watcher(
    *,
    log: Callable[[int, Figures], None],
    saved: Callable[[int], None] = lambda _: None,
    step_done: Callable[[int], bool] = lambda _: False,
) -> TrainerCallback:
    """Return a TRL callback made of three plain ones, each given the number of finished optimizer steps.

    step_done: returns whether to save and stop here.
    """
    import transformers

    class Watcher(transformers.TrainerCallback):  # type: ignore[misc]
        def on_log(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            logs: Mapping[str, float | None] | None = None,
            **_: object,
        ) -> None:
            # The summary at the end is no step. A figure is None where a whole step had none, such as the content
            # when the judge was away.
            if logs and "train_runtime" not in logs:
                log(state.global_step, {name: float(value) for name, value in logs.items() if value is not None})

        def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
            saved(state.global_step)

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            if step_done(state.global_step):
                control.should_save = control.should_training_stop = True

    return Watcher()
