"""A verl job from a recipe: data, launch command and reward, for GRPO over many machines.

Names of verl's settings are those of verl 0.9.1. What verl cannot do is refused; what it does otherwise is written
into the launch script. The prompts are written in their final order and verl is set not to shuffle, so each row knows
the step at which it is asked, and carries the curriculum's tau of that step.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from socialr1_lite.data import heldout_scenarios, schedule, training_scenarios
from socialr1_lite.errors import PolicyError, RecipeError, first_line
from socialr1_lite.export.artefacts import WholeFolder
from socialr1_lite.export.verl_manager import NAME as MANAGER
from socialr1_lite.judges import is_offline
from socialr1_lite.policy.embedded import embedded_model
from socialr1_lite.policy.rendering import prompt_lengths, render
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe
from socialr1_lite.redaction import HIDDEN, redact
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import messages, template_settings
from socialr1_lite.runlog.lines import JsonObject
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import prefills_think

# TRL's losses by verl's way of averaging tokens (actor.loss_agg_mode).
AVERAGING = {"dapo": "token-mean", "grpo": "seq-mean-token-mean", "dr_grpo": "seq-mean-token-sum-norm"}
# Our optimizers by verl's module and class, and our schedules (verl has no linear one).
OPTIMIZERS = {
    "adamw_torch_fused": ("torch.optim", "AdamW"),
    "adamw_torch": ("torch.optim", "AdamW"),
    "adamw_8bit": ("bitsandbytes.optim", "AdamW8bit"),
    "paged_adamw_8bit": ("bitsandbytes.optim", "PagedAdamW8bit"),
}
SCHEDULES = {"constant": "constant", "constant_with_warmup": "constant", "cosine": "cosine"}
# verl always caps the loss of a negative advantage at this ratio (dual-clip PPO); TRL has no such cap.
NO_DUAL_CLIP = 1e6
MODULE = "pkg://socialr1_lite.export"


@dataclass(frozen=True, slots=True)
class Rounds:
    """verl's steps: each samples once and trains on that, one of our generation batches or several.

    count: rounds in the run. prompts: prompt groups in a round. mini: prompt groups for each optimizer step.
    steps: optimizer steps in a round.
    """

    count: int
    prompts: int
    mini: int
    steps: int

    def of(self, steps: int) -> int:
        """Whole rounds that so many optimizer steps take, rounded up."""
        return -(-steps // self.steps)


def export_verl(recipe: Recipe, out: Path) -> Path:
    """Write recipe.yaml, train.parquet, heldout.parquet and run.sh. Raises RecipeError for what verl cannot do."""
    refuse(recipe)
    source = model_source(recipe)
    training, heldout = training_scenarios(recipe), heldout_scenarios(recipe)[: recipe.evaluation.items]
    with WholeFolder(out, size=0) as scratch:
        tokenizer = tokenizer_of(recipe, source)
        training = _fitting(recipe, tokenizer, training)
        prefilled = prefills_think(_prompt_text(recipe, tokenizer, training[0]))
        (scratch / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        asked = schedule(training, recipe)[: rounds(recipe).count * rounds(recipe).prompts]
        write(scratch / "train.parquet", rows(recipe, asked, "train", prefilled))
        heldout = _fitting(recipe, tokenizer, heldout) if heldout else training[:1]  # verl needs a row
        write(scratch / "heldout.parquet", rows(recipe, heldout, "heldout", prefilled))
        script = scratch / "run.sh"
        script.write_text(launch_script(recipe, source), encoding="utf-8")
        script.chmod(0o755)
    return out


def refuse(recipe: Recipe) -> None:
    """Raise RecipeError for settings that have no counterpart in verl."""
    grpo, lora = recipe.grpo, recipe.model.lora
    for name, allowed in (("loss_type", AVERAGING), ("lr_scheduler_type", SCHEDULES)):
        if (given := getattr(grpo, name)) not in allowed:
            raise RecipeError(f"grpo.{name}: {given} is not in verl; allowed: {', '.join(allowed)}")
    if recipe.rewards.aggregation != "sum_then_normalize":
        raise RecipeError("rewards.aggregation: only sum_then_normalize is exported to verl")
    if RewardStack(recipe.rewards).needs_base:
        remedy = "name a served model (settings: {base_url: ADDRESS, model: NAME})"
        raise RecipeError(f"rewards.content.judges: verl lends no judge the policy's base to read with; {remedy}")
    if grpo.scale_rewards == "batch" or grpo.importance_sampling_level != "token" or grpo.top_entropy_quantile < 1:
        names = "scale_rewards batch, importance_sampling_level sequence and top_entropy_quantile"
        raise RecipeError(f"grpo: {names} are not exported")
    if grpo.min_p is not None or grpo.repetition_penalty != 1:
        raise RecipeError("grpo: verl samples without min_p and repetition_penalty; write min_p: null and 1.0")
    if lora.dropout or lora.rslora:
        remedy = "write dropout: 0, rslora: false"
        raise RecipeError(f"model.lora: verl's adapters have neither dropout nor rslora; {remedy}")
    rounds(recipe)


def rounds(recipe: Recipe) -> Rounds:
    """The run counted in verl's steps. Raises RecipeError where batches do not come out whole."""
    grpo = recipe.grpo
    sampled, step = grpo.generation_steps, grpo.gradient_accumulation_steps  # micro-batches
    # Several generation batches within one optimizer step see the same weights, so they are one round.
    whole, rest = divmod(max(sampled, step), min(sampled, step))
    if rest or (sampled < step and grpo.num_iterations > 1) or not recipe.prompts_per_step.is_integer():
        raise RecipeError(
            f"grpo: {recipe.prompts_per_step:g} prompts a step, sampled {recipe.groups_per_generation} at a time and "
            f"trained on {grpo.num_iterations} times; verl takes whole numbers of prompts for whole steps"
        )
    mini = int(recipe.prompts_per_step)
    batches = whole if sampled > step else 1  # optimizer steps on one pass over a round
    steps = batches * grpo.num_iterations
    return Rounds(count=-(-grpo.max_steps // steps), prompts=mini * batches, mini=mini, steps=steps)


def rows(recipe: Recipe, scenarios: Sequence[Scenario], split: str, prefilled: bool) -> list[JsonObject]:
    """The columns verl reads, a row a prompt, in the order of training."""
    return [
        {
            "data_source": f"socialr1_lite/{scenario.source or 'data'}",
            "prompt": messages(scenario, recipe),
            "ability": scenario.dimension,
            "reward_model": {"style": "rule", "ground_truth": "".join(scenario.letters[i] for i in scenario.gold)},
            "extra_info": {
                "index": place,
                "split": split,
                "scenario": orjson.dumps(scenario.to_row()).decode(),
                "prefilled": prefilled,
                "tau": _tau(recipe, place) if split == "train" else 1.0,
            },
        }
        for place, scenario in enumerate(scenarios)
    ]


def _tau(recipe: Recipe, place: int) -> float:
    """The curriculum's process weight when the prompt of this place in the schedule is asked."""
    round_, ramp = rounds(recipe), recipe.rewards.curriculum
    step = place // round_.prompts * round_.steps
    return tau(step, recipe.grpo.max_steps, tau0=ramp.tau0, p0=ramp.p0, p1=ramp.p1)


def overrides(recipe: Recipe, source: str) -> dict[str, object]:
    """The recipe in verl's words; $DIR is the exported folder."""
    return _data_and_model(recipe, source) | _optimisation(recipe) | _rollout_and_trainer(recipe)


def _data_and_model(recipe: Recipe, source: str) -> dict[str, object]:
    model, lora, actor = recipe.model, recipe.model.lora, "actor_rollout_ref.model"
    kwargs = template_settings(recipe)
    return {
        "algorithm.adv_estimator": "grpo",
        "algorithm.norm_adv_by_std_in_grpo": recipe.grpo.scale_rewards == "group",
        "algorithm.use_kl_in_reward": False,
        "data.train_files": "$DIR/train.parquet",
        "data.val_files": "$DIR/heldout.parquet",
        "data.prompt_key": "prompt",
        "data.shuffle": False,
        "data.validation_shuffle": False,
        "data.train_batch_size": rounds(recipe).prompts,
        "data.max_prompt_length": recipe.data.max_prompt_tokens,
        "data.max_response_length": recipe.grpo.max_completion_length,
        # Longer prompts were left out here already; leaving one out there would move the rows after it.
        "data.filter_overlong_prompts": False,
        "data.truncation": "error",
        **{f"+data.apply_chat_template_kwargs.{name}": value for name, value in kwargs.items()},
        f"{actor}.path": source,
        f"{actor}.trust_remote_code": model.trust_remote_code,
        f"{actor}.lora_rank": lora.r,
        f"{actor}.lora_alpha": f"{lora.alpha:g}",
        f"{actor}.target_modules": lora.targets if isinstance(lora.targets, str) else f"[{','.join(lora.targets)}]",
        f"{actor}.enable_gradient_checkpointing": model.gradient_checkpointing,
    }


def _optimisation(recipe: Recipe) -> dict[str, object]:
    grpo, actor = recipe.grpo, "actor_rollout_ref.actor"
    module, optimizer = OPTIMIZERS[grpo.optim]
    return {
        f"{actor}.optim.optimizer_impl": module,
        f"{actor}.optim.optimizer": optimizer,
        f"{actor}.optim.lr": grpo.learning_rate,
        f"{actor}.optim.lr_scheduler_type": SCHEDULES[grpo.lr_scheduler_type],
        # verl moves its schedule once a round.
        f"{actor}.optim.lr_warmup_steps": rounds(recipe).of(grpo.warmup_steps),
        f"{actor}.optim.weight_decay": grpo.weight_decay,
        f"{actor}.optim.betas": f"[{grpo.adam_beta1},{grpo.adam_beta2}]",
        f"{actor}.optim.clip_grad": grpo.max_grad_norm,
        f"{actor}.grad_clip": grpo.max_grad_norm,
        f"{actor}.ppo_mini_batch_size": rounds(recipe).mini,
        f"{actor}.ppo_epochs": grpo.num_iterations,
        f"{actor}.ppo_micro_batch_size_per_gpu": grpo.per_device_train_batch_size,
        f"{actor}.loss_agg_mode": AVERAGING[grpo.loss_type],
        f"{actor}.loss_scale_factor": grpo.max_completion_length if grpo.loss_type == "dr_grpo" else "null",
        f"{actor}.clip_ratio_low": grpo.epsilon,
        f"{actor}.clip_ratio_high": grpo.clip_high,
        f"{actor}.clip_ratio_c": NO_DUAL_CLIP,
        f"{actor}.entropy_coeff": 0,
        f"{actor}.use_kl_loss": grpo.beta > 0,
        f"{actor}.kl_loss_coef": grpo.beta,
        f"{actor}.kl_loss_type": "low_var_kl",
        f"{actor}.data_loader_seed": recipe.run.seed,
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": grpo.per_device_train_batch_size,
    }


def _rollout_and_trainer(recipe: Recipe) -> dict[str, object]:
    grpo, run, round_, rollout = recipe.grpo, recipe.run, rounds(recipe), "actor_rollout_ref.rollout"
    return {
        f"{rollout}.name": "vllm",
        f"{rollout}.n": grpo.num_generations,
        f"{rollout}.temperature": grpo.temperature,
        f"{rollout}.top_p": grpo.top_p,
        f"{rollout}.top_k": grpo.top_k or -1,
        f"{rollout}.seed": run.seed,
        f"{rollout}.tensor_model_parallel_size": 1,
        f"{rollout}.gpu_memory_utilization": recipe.model.gpu_memory_utilization,
        f"{rollout}.log_prob_micro_batch_size_per_gpu": grpo.per_device_train_batch_size,
        f"{rollout}.load_format": "safetensors",
        "reward.custom_reward_function.path": f"{MODULE}.verl_reward",
        "reward.custom_reward_function.name": "compute_score",
        "+reward.custom_reward_function.reward_kwargs.recipe": "$DIR/recipe.yaml",
        "reward.reward_manager.source": "importlib",
        "reward.reward_manager.name": MANAGER,
        "reward.reward_manager.module.path": f"{MODULE}.verl_manager",
        "trainer.total_epochs": 1,
        "trainer.total_training_steps": round_.count,
        "trainer.nnodes": "$NODES",
        "trainer.n_gpus_per_node": "$GPUS",
        "trainer.logger": '["console"]',
        "trainer.save_freq": round_.of(run.save_steps),
        "trainer.max_actor_ckpt_to_keep": "null" if run.save_total_limit is None else run.save_total_limit,
        "trainer.resume_mode": "auto" if run.resume == "auto" else "disable",
        # As here, the held-out questions are asked before and after in any case; verl always asks after its last step.
        "trainer.test_freq": round_.of(recipe.evaluation.every) or round_.count,
        "trainer.project_name": "socialr1_lite",
        "trainer.experiment_name": run.name or "run",
        "trainer.default_local_dir": "$DIR/checkpoints",
        "trainer.rollout_data_dir": "$DIR/rollouts",
        "trainer.validation_data_dir": "$DIR/heldout",
    }


def differences(recipe: Recipe) -> list[str]:
    """What the job does otherwise than the recipe, in words."""
    grpo, revision, cold_start = recipe.grpo, recipe.model.revision, recipe.warmup.steps
    asks = not all(is_offline(judge.name) for judge in recipe.rewards.content.judges)
    corrects = grpo.vllm and grpo.vllm_importance_sampling_correction
    asked, check = len(recipe.data.transfer), recipe.evaluation
    longest, few = check.max_new_tokens or grpo.max_completion_length, check.every and check.on_the_way < check.items
    turns = rounds(recipe).steps > 1 and grpo.lr_scheduler_type != "constant"
    differences = {
        "advantages are divided by the group's deviation + 1e-6 (here + 1e-4)": True,
        "each completion is judged by itself: where a judge fails for one, it is not left out for its siblings": asks,
        "verl loads no 4-bit model: the base is in 16 bits": recipe.model.load_in_4bit,
        f"verl names no revision: download {revision} and set the model's path to the folder": revision,
        "there is no cold start: train it here, export it merged, and set the model's path to that": cold_start,
        f"{asked} of data.transfer's kinds of stories are asked in no check": asked,
        f"held-out replies end after {grpo.max_completion_length} tokens, not {longest}": longest
        != grpo.max_completion_length,
        f"every check asks all held-out questions, {check.on_the_way} here between steps": few,
        "the learning rate moves once a round, which is several optimizer steps": turns,
        "truncated completions are not masked": grpo.mask_truncated_completions,
        "the KL term is not weighted by the importance ratio (TRL's use_bias_correction_kl)": grpo.beta,
        f"recipe.yaml holds no secrets: where it says {HIDDEN}, write them in on the machine that trains": HIDDEN
        in recipe.to_yaml(),
        "vLLM's probabilities are not corrected for; see verl's algorithm.rollout_correction": corrects,
    }
    return [words for words, holds in differences.items() if holds]


def launch_script(recipe: Recipe, source: str) -> str:
    """run.sh: one machine as it is; many once Ray has been started on each."""
    lines = " \\\n".join(f"    {name}={_quoted(value)}" for name, value in overrides(recipe, source).items())
    notes = "\n".join(f"#   - {line}" for line in differences(recipe))
    size = recipe.completions_per_step
    return f"""#!/usr/bin/env bash
# GRPO with verl 0.9.1, from the recipe beside this file. verl needs an environment of its own; install this package
# there too, on every machine. This job has not been started anywhere yet.
#
# One machine:   ./run.sh
# Many:          ray start --head --port 6379          on the first
#                ray start --address=FIRST:6379        on each other one, with this folder at the same path
#                NODES=4 ./run.sh                      on the first
#
# NODES x GPUS (GPUs of one machine) must divide the {size} completions of a step. The rollouts land in rollouts/:
#   python -m socialr1_lite.export.verl_rollouts THIS_FOLDER      (then: python -m socialr1_lite.viewer)
#
# Otherwise than in the recipe:
{notes}
set -euo pipefail
DIR="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
NODES="${{NODES:-1}}"
GPUS="${{GPUS:-{recipe.processes}}}"
exec python -m verl.trainer.main_ppo \\
{lines} \\
    "$@"
"""


def _quoted(value: object) -> str:
    text = redact(str(value))
    return f'"{text}"' if text.startswith("$") else shlex.quote(text)


def model_source(recipe: Recipe) -> str:
    """What transformers and verl load: a hub id or a folder."""
    return str(embedded_model()) if recipe.model.name == EMBEDDED_MODEL else recipe.model.name


def tokenizer_of(recipe: Recipe, source: str) -> Any:
    """The model's tokenizer; no weights are needed."""
    from transformers import AutoTokenizer

    try:
        trusted = recipe.model.trust_remote_code  # never asked for at the keyboard, as transformers would
        return AutoTokenizer.from_pretrained(source, revision=recipe.model.revision, trust_remote_code=trusted)
    except (OSError, ValueError) as error:
        raise PolicyError(f"model.name: no tokenizer for {source!r}: {first_line(error)}") from error


def _prompt_text(recipe: Recipe, tokenizer: Any, scenario: Scenario) -> str:
    prompt, settings = messages(scenario, recipe), template_settings(recipe)
    return render(tokenizer, prompt, add_generation_prompt=True, **settings)


def _fitting(recipe: Recipe, tokenizer: Any, scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Those whose prompt is short enough, as in training here; verl would stop at a longer one."""
    limit, prompts = recipe.data.max_prompt_tokens, (messages(scenario, recipe) for scenario in scenarios)
    lengths = prompt_lengths(tokenizer, prompts, template_settings(recipe))
    if min(lengths) > limit:
        raise RecipeError(f"data.max_prompt_tokens: {limit} is less than the shortest prompt has ({min(lengths)})")
    return [scenario for scenario, length in zip(scenarios, lengths, strict=True) if length <= limit]


def write(path: Path, rows: list[JsonObject]) -> None:
    """Rows as one parquet file."""
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
