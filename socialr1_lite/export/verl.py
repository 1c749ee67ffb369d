"""A verl job from a recipe: data, launch command and reward, for GRPO over many machines.

Names of verl's settings are those of verl 0.9.1. What verl cannot do is refused; what it does otherwise is written
into the launch script.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from socialr1_lite.data import heldout_scenarios, schedule, training_scenarios
from socialr1_lite.embedded import EMBEDDED, embedded_model
from socialr1_lite.errors import PolicyError, RecipeError
from socialr1_lite.export.artefacts import WholeFolder
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollout import messages, template_settings
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import prefills_think

# TRL's losses by verl's way of averaging tokens (actor.loss_agg_mode).
AVERAGING = {"dapo": "token-mean", "grpo": "seq-mean-token-mean", "dr_grpo": "seq-mean-token-sum-norm"}


def export_verl(recipe: Recipe, out: Path) -> Path:
    """Write recipe.yaml, train.parquet, heldout.parquet and run.sh. Raises RecipeError for what verl cannot do."""
    refuse(recipe)
    source = str(embedded_model()) if recipe.model.name == EMBEDDED else recipe.model.name
    training, heldout = training_scenarios(recipe), heldout_scenarios(recipe)
    with WholeFolder(out, size=0) as scratch:
        prefilled = _prefilled(recipe, source, training[0])
        (scratch / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        _write(scratch / "train.parquet", rows(recipe, schedule(training, recipe), "train", prefilled))
        _write(scratch / "heldout.parquet", rows(recipe, heldout or training[:1], "heldout", prefilled))
        script = scratch / "run.sh"
        script.write_text(launch_script(recipe, source), encoding="utf-8")
        script.chmod(0o755)
    return out


def refuse(recipe: Recipe) -> None:
    """Raise RecipeError for settings that have no counterpart in verl."""
    grpo = recipe.grpo
    if grpo.loss_type not in AVERAGING:
        raise RecipeError(f"grpo.loss_type: {grpo.loss_type} is not in verl; allowed: {', '.join(AVERAGING)}")
    if recipe.rewards.aggregation != "sum_then_normalize":
        raise RecipeError("rewards.aggregation: only sum_then_normalize is exported to verl")
    if grpo.scale_rewards == "batch" or grpo.importance_sampling_level != "token" or grpo.top_entropy_quantile < 1:
        raise RecipeError(
            "grpo: scale_rewards batch, importance_sampling_level sequence and top_entropy_quantile are not exported"
        )
    if not recipe.prompts_per_step.is_integer():
        raise RecipeError(f"grpo: {recipe.prompts_per_step:g} prompts a step; verl takes whole ones")


def rows(recipe: Recipe, scenarios: Sequence[Scenario], split: str, prefilled: bool) -> list[dict[str, Any]]:
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
            },
        }
        for place, scenario in enumerate(scenarios)
    ]


def overrides(recipe: Recipe, source: str) -> dict[str, object]:
    """The recipe in verl's words; $DIR is the exported folder."""
    grpo, model, actor, rollout = recipe.grpo, recipe.model, "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    prompts = int(recipe.prompts_per_step)
    lora = model.lora
    targets = lora.targets if isinstance(lora.targets, str) else f"[{','.join(lora.targets)}]"
    reward = "reward.custom_reward_function"
    told: dict[str, object] = {
        "algorithm.adv_estimator": "grpo",
        "algorithm.norm_adv_by_std_in_grpo": grpo.scale_rewards == "group",
        "algorithm.use_kl_in_reward": False,
        "data.train_files": "$DIR/train.parquet",
        "data.val_files": "$DIR/heldout.parquet",
        "data.prompt_key": "prompt",
        "data.shuffle": False,
        "data.train_batch_size": prompts,
        "data.max_prompt_length": recipe.data.max_prompt_tokens,
        "data.max_response_length": grpo.max_completion_length,
        "data.filter_overlong_prompts": True,
        "data.truncation": "error",
        "actor_rollout_ref.model.path": source,
        "actor_rollout_ref.model.lora_rank": lora.r,
        "actor_rollout_ref.model.lora_alpha": f"{lora.alpha:g}",
        "actor_rollout_ref.model.target_modules": targets,
        "actor_rollout_ref.model.enable_gradient_checkpointing": model.gradient_checkpointing,
        f"{actor}.optim.lr": grpo.learning_rate,
        f"{actor}.optim.weight_decay": grpo.weight_decay,
        f"{actor}.grad_clip": grpo.max_grad_norm,
        f"{actor}.ppo_mini_batch_size": prompts,
        f"{actor}.ppo_epochs": grpo.num_iterations,
        f"{actor}.ppo_micro_batch_size_per_gpu": grpo.per_device_train_batch_size,
        f"{actor}.loss_agg_mode": AVERAGING[grpo.loss_type],
        f"{actor}.clip_ratio_low": grpo.epsilon,
        f"{actor}.clip_ratio_high": grpo.clip_high,
        f"{actor}.entropy_coeff": 0,
        f"{actor}.use_kl_loss": grpo.beta > 0,
        f"{actor}.kl_loss_coef": grpo.beta,
        f"{actor}.kl_loss_type": "low_var_kl",
        f"{rollout}.name": "vllm",
        f"{rollout}.n": grpo.num_generations,
        f"{rollout}.temperature": grpo.temperature,
        f"{rollout}.top_p": grpo.top_p,
        f"{rollout}.top_k": grpo.top_k or -1,
        f"{rollout}.tensor_model_parallel_size": 1,
        f"{rollout}.gpu_memory_utilization": model.gpu_memory_utilization,
        f"{rollout}.log_prob_micro_batch_size_per_gpu": grpo.per_device_train_batch_size,
        f"{rollout}.load_format": "safetensors",
        f"{reward}.path": "pkg://socialr1_lite.export.verl_reward",
        f"{reward}.name": "compute_score",
        f"+{reward}.reward_kwargs.recipe": "$DIR/recipe.yaml",
        f"+{reward}.reward_kwargs.tokenizer": source,
        "trainer.total_epochs": 1,
        "trainer.total_training_steps": grpo.max_steps,
        "trainer.nnodes": "$NODES",
        "trainer.n_gpus_per_node": "$GPUS",
        "trainer.logger": '["console"]',
        "trainer.save_freq": recipe.run.save_steps,
        "trainer.test_freq": recipe.evaluation.every or -1,
        "trainer.project_name": "socialr1_lite",
        "trainer.experiment_name": recipe.run.name or "run",
        "trainer.default_local_dir": "$DIR/checkpoints",
        "trainer.rollout_data_dir": "$DIR/rollouts",
    }
    kwargs = template_settings(recipe)
    return told | {f"+data.apply_chat_template_kwargs.{name}": value for name, value in kwargs.items()}


def differences(recipe: Recipe) -> list[str]:
    """What the job does otherwise than the recipe, in words."""
    told = ["the curriculum needs the step, which verl does not hand to a reward: tau is 1 from the first step on"]
    if recipe.model.load_in_4bit:
        told.append("verl loads no 4-bit model: the base is in 16 bits")
    if recipe.warmup.steps:
        told.append("there is no cold start: train it here, export it merged, and set the model's path to that")
    if recipe.grpo.mask_truncated_completions:
        told.append("truncated completions are not masked")
    return told


def launch_script(recipe: Recipe, source: str) -> str:
    """run.sh: one machine as it is; many once Ray has been started on each."""
    pairs = [f"    {name}={_quoted(value)}" for name, value in overrides(recipe, source).items()]
    lines = " \\\n".join(pairs)
    notes = "\n".join(f"#   - {line}" for line in differences(recipe))
    return f"""#!/usr/bin/env bash
# GRPO with verl 0.9.1, from the recipe beside this file. verl needs an environment of its own; install this package
# there too, on every machine. This job has not been started anywhere yet.
#
# One machine:   ./run.sh
# Many:          ray start --head --port 6379          on the first
#                ray start --address=FIRST:6379        on each other one, with this folder at the same path
#                NODES=4 ./run.sh                      on the first
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
    text = str(value)
    return f'"{text}"' if text.startswith("$") else shlex.quote(text)


def _prefilled(recipe: Recipe, source: str, scenario: Scenario) -> bool:
    """Whether the model's chat template opens the think block itself; needs its tokenizer, no weights."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=recipe.model.revision)
    except (OSError, ValueError) as wrong:
        first = (str(wrong).strip() or type(wrong).__name__).splitlines()[0]
        raise PolicyError(f"model.name: no tokenizer for {source!r}: {first}") from wrong
    text = tokenizer.apply_chat_template(
        messages(scenario, recipe), tokenize=False, add_generation_prompt=True, **template_settings(recipe)
    )
    return prefills_think(str(text))


def _write(path: Path, told: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(told), path)
