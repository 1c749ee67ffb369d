"""The door to TRL's GRPOTrainer: the recipe in its words, the reward stack as its callables, its rollouts as traces.

Nothing else in the package knows TRL's conventions (columns of a batch, NaN for no reward, gathered rows). The trainer
class is made inside a function, after Unsloth has patched trl, and overrides just the two methods that have the same
signature and meaning in TRL 1.15 and in the trainer that Unsloth generates for a GPU.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialr1_lite.errors import RecipeError
from socialr1_lite.policy import Policy, bfloat16_is_native
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.stack import COMPONENTS, RewardStack, Score
from socialr1_lite.rollouts.prompting import (
    CAUSES,
    Scored,
    cause_of_flatness,
    messages,
    score_fields,
    score_texts,
    template_settings,
)
from socialr1_lite.runlog import TraceWriter
from socialr1_lite.scenario import Scenario

if TYPE_CHECKING:
    import torch

# In additive mode the process terms are scaled by tau through TRL's reward weights, not inside the reward:
# normalize_then_sum (GDPO) would divide a factor inside the reward away again.
PROCESS = ("structure", "content")


def grpo_settings(recipe: Recipe, policy: Policy, output: Path) -> dict[str, Any]:
    """GRPOConfig's arguments, every one that TRL and Unsloth default differently written out.

    The schedule is expanded beforehand, so the data is one epoch in its final order (`shuffle_dataset=False`).
    """
    grpo, run = recipe.grpo, recipe.run
    chosen = set(type(grpo).model_fields) - {"steps_per_generation", "vllm", "epsilon_high"}
    settings: dict[str, Any] = {name: getattr(grpo, name) for name in sorted(chosen)}
    return settings | {
        "output_dir": str(output),
        "steps_per_generation": grpo.generation_steps,
        "epsilon_high": grpo.clip_high,
        "multi_objective_aggregation": recipe.rewards.aggregation,
        "shuffle_dataset": False,
        "seed": run.seed,
        "data_seed": run.seed,
        "save_strategy": "steps",
        "save_steps": run.save_steps,
        "save_total_limit": run.save_total_limit,
        "logging_steps": recipe.logging.steps,
        "logging_first_step": False,
        "report_to": list(recipe.logging.report_to),
        "eval_strategy": "no",
        "disable_tqdm": True,
        "log_completions": False,
        "use_bias_correction_kl": True,
        "disable_dropout": False,
        "gradient_checkpointing": recipe.model.gradient_checkpointing,
        "chat_template_kwargs": template_settings(recipe),
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        **_precision(policy),
        **_vllm(recipe),
    }


def _precision(policy: Policy) -> dict[str, bool]:
    """bf16 or fp16 autocast as the weights are; a 4-bit model computes in what the hardware does natively."""
    dtype = str(policy.model.config.dtype).removeprefix("torch.")
    if policy.quantized and policy.device != "cpu":
        dtype = "bfloat16" if bfloat16_is_native() else "float16"
    return {"bf16": dtype == "bfloat16", "fp16": dtype == "float16"}


def _vllm(recipe: Recipe) -> dict[str, Any]:
    if recipe.grpo.vllm is None:
        return {"use_vllm": False}
    return {
        "use_vllm": True,
        "vllm_mode": recipe.grpo.vllm,
        "vllm_gpu_memory_utilization": recipe.model.gpu_memory_utilization,
        "vllm_max_model_length": recipe.model.max_seq_length,
    }


def build_config(settings: Mapping[str, Any], *, processes: int, full_device: bool) -> Any:
    """TRL's GRPOConfig; unknown keys are refused here because Unsloth's own class prints and ignores them."""
    import dataclasses

    import trl

    known = {f.name for f in dataclasses.fields(trl.GRPOConfig)}
    if unknown := sorted(set(settings) - known):
        raise RecipeError(f"this version of TRL has no GRPO setting {', '.join(unknown)}; install trl>=1.12,<=1.15.0")
    extra = {"use_cpu": True} if not full_device else {}
    if processes > 1:  # a frozen base under DDP: every trained parameter takes part in every step
        extra["ddp_find_unused_parameters"] = False
    config = trl.GRPOConfig(**settings, **extra)
    if processes > 1 and not full_device:
        import torch

        # Several processes on a CPU get the device cpu:0, which torch.load refuses when a run is resumed.
        config.__dict__["_setup_devices"] = torch.device("cpu")
    return config


def effective_differences(settings: Mapping[str, Any], config: Any) -> dict[str, dict[str, Any]]:
    """Each setting that came out of TRL or Unsloth other than it was written: {name: {recipe, effective}}."""
    told = {name: _plain(value) for name, value in settings.items()}
    made = {name: _plain(getattr(config, name, None)) for name in settings}
    return {name: {"recipe": told[name], "effective": made[name]} for name in told if not _same(told[name], made[name])}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool, type(None))):
        return getattr(value, "value", value)
    return getattr(value, "value", None) or (list(value) if isinstance(value, (list, tuple, set)) else value)


def _same(told: Any, made: Any) -> bool:
    if isinstance(told, float) and isinstance(made, (int, float)):
        return math.isclose(told, made, rel_tol=1e-9)
    return bool(told == made or (not told and not made and told is not False and made is not False))


# --- rewards as TRL calls them -------------------------------------------------------------------------------------


@dataclass
class RewardDoor:
    """Speaks TRL: columns of a batch in, one float (or None) a completion out. Keeps the last batch for the traces.

    scenarios: by position in the schedule, which is the column `position` of the dataset.
    """

    stack: RewardStack
    scenarios: Sequence[Scenario]
    recipe: Recipe
    tokenizer: Any
    eos_ids: set[int]
    prefilled: bool
    last: list[Scored] = field(default_factory=list)
    seconds: float = 0.0
    _batch: Any = None

    @property
    def additive(self) -> bool:
        """Whether each component is a callable of its own."""
        return self.recipe.rewards.mode == "additive"

    def functions(self) -> list[Callable[..., list[float | None]]]:
        """One callable `sip_reward` (gated) or one a component (additive), all over one shared scoring."""
        if not self.additive:
            return [self._named("sip_reward", lambda score: score.total)]
        return [self._named(name, _component(name)) for name in COMPONENTS]

    def weights(self, progress: float) -> list[float]:
        """TRL's reward weights at this share of the run, in the order of `functions`."""
        if not self.additive:
            return [1.0]
        told = self.recipe.rewards.weights
        return [float(getattr(told, name)) * (progress if name in PROCESS else 1.0) for name in COMPONENTS]

    def tau(self, state: Any) -> float:
        """The curriculum's process weight at TRL's state (its step counts finished optimizer steps)."""
        curriculum = self.recipe.rewards.curriculum
        return tau(state.global_step, state.max_steps, tau0=curriculum.tau0, p0=curriculum.p0, p1=curriculum.p1)

    def _named(self, name: str, read: Callable[[Score], float | None]) -> Callable[..., list[float | None]]:
        def reward(
            *,
            completion_ids: list[list[int]],
            position: list[int],
            trainer_state: Any,
            log_metric: Any,
            **_: Any,
        ) -> list[float | None]:
            # The callables of one batch are handed the very same list: only the first of them scores.
            if completion_ids is not self._batch:
                self._batch = completion_ids
                self.last = self._score(completion_ids, position, self.tau(trainer_state))
                for metric, value in self.metrics(position):
                    log_metric(metric, value)
            return [read(scored.score) for scored in self.last]

        reward.__name__ = name
        return reward

    def _score(self, completion_ids: list[list[int]], position: list[int], progress: float) -> list[Scored]:
        started = time.perf_counter()
        scored: list[Scored] = []
        for place, rows in itertools.groupby(range(len(position)), key=lambda i: position[i]):
            scored += self._score_group([completion_ids[i] for i in rows], self.scenarios[place], progress)
        self.seconds = time.perf_counter() - started
        return scored

    def _score_group(self, ids: list[list[int]], scenario: Scenario, progress: float) -> list[Scored]:
        completions = [
            (
                self.tokenizer.decode(one, skip_special_tokens=True),
                len(one),
                "stop" if one and one[-1] in self.eos_ids else "length",
            )
            for one in ids
        ]
        return score_texts(self.stack, scenario, completions, prefilled=self.prefilled, tau=progress)

    def metrics(self, position: Sequence[int]) -> Iterable[tuple[str, float]]:
        """Means of the last batch: each component and part, outcomes, and why groups were flat."""
        scores = [scored.score for scored in self.last]
        yield "tau", scores[0].tau
        for name in COMPONENTS:
            yield from _mean(f"reward/{name}", [score.components[name] for score in scores])
        for part in sorted({part for score in scores for part in score.parts}):
            yield from _mean(f"part/{part}", [score.parts.get(part) for score in scores])
        for outcome in ("right", "wrong", "unreadable"):
            yield f"outcome/{outcome}", sum(score.outcome == outcome for score in scores) / len(scores)
        yield "truncated", sum(scored.finish == "length" for scored in self.last) / len(scores)
        yield from flat_groups(self.last, position)


def flat_groups(scored: Sequence[Scored], position: Sequence[int]) -> Iterable[tuple[str, float]]:
    """The share of informative groups, and of flat ones by cause. A group of one (an evaluation) tells nothing."""
    places = itertools.groupby(range(len(position)), key=lambda i: position[i])
    groups = [group for _, rows in places if len(group := [scored[i] for i in rows]) > 1]
    if not groups:
        return
    causes = [cause_of_flatness(group) for group in groups]
    yield "groups/informative", causes.count("") / len(groups)
    for cause in CAUSES:
        yield f"groups/{cause.replace(' ', '_')}", causes.count(cause) / len(groups)


def _component(name: str) -> Callable[[Score], float | None]:
    return lambda score: score.components[name]


def _mean(name: str, values: Iterable[float | None]) -> Iterable[tuple[str, float]]:
    told = [value for value in values if value is not None]
    if told:
        yield name, sum(told) / len(told)


# --- the trainer ---------------------------------------------------------------------------------------------------


def prompt_rows(schedule: Sequence[Scenario], recipe: Recipe) -> list[dict[str, Any]]:
    """The dataset's rows, one a prompt group in final order: the messages, and the position that finds the scenario."""
    return [{"prompt": messages(scenario, recipe), "position": place} for place, scenario in enumerate(schedule)]


def make_trainer(
    recipe: Recipe,
    policy: Policy,
    schedule: Sequence[Scenario],
    door: RewardDoor,
    traces: TraceWriter,
    config: Any,
) -> Any:
    """TRL's GRPOTrainer that writes a trace for every completion it samples. Nothing is trained yet."""
    import datasets
    import transformers
    import trl

    class TracingGRPOTrainer(trl.GRPOTrainer):  # type: ignore[misc]
        """Overrides what TRL and Unsloth both keep: how rewards are asked for, and what a batch of rollouts becomes."""

        def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
            told = door.weights(door.tau(self.state))
            self.reward_weights: torch.Tensor = _like(self.reward_weights, told)
            return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            started = time.perf_counter()
            out = super()._generate_and_score_completions(inputs)
            seconds = time.perf_counter() - started
            advantages = out["advantages"].tolist()
            first = self.accelerator.process_index * len(inputs)
            traces.write(
                [
                    trace_row(
                        recipe,
                        door,
                        inputs[i],
                        door.last[i],
                        advantages[i],
                        self.state.global_step,
                        first + i,
                    )
                    for i in range(len(inputs))
                ]
            )
            mode = "train" if self.model.training else "eval"
            self._metrics[mode]["time/rollout_s"].append(seconds - door.seconds)
            self._metrics[mode]["time/reward_s"].append(door.seconds)
            return out

    for method in ("_calculate_rewards", "_generate_and_score_completions"):
        if not hasattr(trl.GRPOTrainer, method):
            raise RecipeError(f"trl {trl.__version__} has no GRPOTrainer.{method}; install trl>=1.12,<=1.15.0")
    trainer = TracingGRPOTrainer(
        model=policy.model,
        reward_funcs=door.functions(),
        args=config,
        train_dataset=datasets.Dataset.from_list(prompt_rows(schedule, recipe)),
        processing_class=policy.tokenizer,
    )
    # Transformers prints every log as a dict when its bar is off; the progress display says it better.
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _like(weights: torch.Tensor, values: Sequence[float]) -> torch.Tensor:
    return weights.new_tensor(values)


def trace_row(
    recipe: Recipe,
    door: RewardDoor,
    given: Mapping[str, Any],
    scored: Scored,
    advantage: float,
    step: int,
    row: int,
) -> dict[str, Any]:
    """The stored record of one training completion. row: its place in the global batch."""
    place = int(given["position"])
    facts = {
        "phase": "train",
        "step": step,
        "scenario": door.scenarios[place].id,
        "group": place,
        "index": row % recipe.grpo.num_generations,
        "prompt": given["prompt"],
        "prefilled": door.prefilled,
        "advantage": advantage if math.isfinite(advantage) else None,
        "judge": {"names": [judge.name for judge in recipe.rewards.content.judges]},
        "sampling": {name: getattr(recipe.grpo, name) for name in ("temperature", "top_p", "top_k")},
    }
    return facts | score_fields(scored)


def tell_trackers(trainer: Any, figures: Mapping[str, float]) -> None:
    """Hand figures of a held-out check (`eval/...`) to the trackers of logging.report_to.

    Not through the trainer's own `log`, which would take the training metrics of an unfinished step along, nor
    through the handler's `on_log`, which would call off the step's own line.
    """
    logs = {name.replace("eval/", "eval_", 1): value for name, value in figures.items()}  # the trackers' own prefix
    trainer.callback_handler.call_event("on_log", trainer.args, trainer.state, trainer.control, logs=logs)


def generation_batch(recipe: Recipe) -> int:
    """Completions sampled at once, over all processes."""
    return recipe.groups_per_generation * recipe.grpo.num_generations


def watcher(
    *,
    log: Callable[[int, dict[str, float]], None],
    saved: Callable[[int], None],
    step_done: Callable[[int], None],
) -> Any:
    """A TRL callback made of three plain ones, each told the number of finished optimizer steps."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            # The summary at the end is no step, and a held-out check writes its own line. A figure is None where a
            # whole step had none, such as the content when the judge was away.
            if logs and "train_runtime" not in logs and not all(name.startswith("eval_") for name in logs):
                log(state.global_step, {name: float(value) for name, value in logs.items() if value is not None})

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            saved(state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            step_done(state.global_step)

    return Watcher()
