"""GRPO's settings: the recipe in TRL's words, and what TRL and Unsloth made of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from socialr1_lite.errors import RecipeError
from socialr1_lite.policy import Policy
from socialr1_lite.recipe import Recipe
from socialr1_lite.redaction import redact_tree
from socialr1_lite.rollouts.prompting import template_settings

if TYPE_CHECKING:
    from trl import GRPOConfig

Value = str | float | bool | None | Sequence[Any] | Mapping[str, Any]
Settings = dict[str, Value]
Differences = dict[str, dict[str, Value]]  # a setting's name: what the "recipe" says, and what is "effective"


def grpo_settings(recipe: Recipe, policy: Policy, output: Path) -> Settings:
    """Return GRPOConfig's arguments, every one that TRL and Unsloth default differently written out.

    The schedule is expanded beforehand, so the data is one epoch in its final order (`shuffle_dataset=False`).
    """
    grpo, run = recipe.grpo, recipe.run
    settings: Settings = grpo.model_dump(exclude={"steps_per_generation", "vllm", "epsilon_high", "share_prefix"})
    return {name: settings[name] for name in sorted(settings)} | {
        "output_dir": str(output),
        "steps_per_generation": grpo.generation_steps,
        "epsilon_high": grpo.clip_high,
        "multi_objective_aggregation": recipe.rewards.aggregation,
        "shuffle_dataset": False,
        "seed": run.seed,
        "data_seed": run.seed,
        "save_strategy": "steps",
        "save_steps": run.save_steps,
        "save_total_limit": None,  # runlog.checkpoints drops old ones, once the new one is whole
        "logging_steps": recipe.logging.steps,
        "logging_first_step": False,
        "report_to": list(recipe.logging.report_to),
        "run_name": run.name,
        "eval_strategy": "no",
        "disable_tqdm": True,
        "log_completions": False,
        "use_bias_correction_kl": True,
        "disable_dropout": False,
        "gradient_checkpointing": recipe.model.gradient_checkpointing,
        "chat_template_kwargs": template_settings(recipe),
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        **precision(policy),
        **_vllm(recipe),
    }


def precision(policy: Policy) -> dict[str, bool]:
    """Return bf16 or fp16 autocast: what the policy was loaded to compute in, which for 4-bit is its config's too.

    Never what the card could do: Unsloth refuses to train a float16 model in bfloat16, and the reverse.
    """
    dtype = str(policy.model.config.dtype).removeprefix("torch.")
    return {"bf16": dtype == "bfloat16", "fp16": dtype == "float16"}


def _vllm(recipe: Recipe) -> Settings:
    if recipe.grpo.vllm is None:
        return {"use_vllm": False}
    return {
        "use_vllm": True,
        "vllm_mode": recipe.grpo.vllm,
        "vllm_gpu_memory_utilization": recipe.model.gpu_memory_utilization,
        "vllm_max_model_length": recipe.model.max_seq_length,
    }


def build_config(settings: Settings, *, processes: int, full_device: bool) -> GRPOConfig:
    """Return TRL's GRPOConfig. Raises RecipeError for unknown keys, which Unsloth's own class prints and ignores."""
    import trl

    known = {field.name for field in dataclasses.fields(trl.GRPOConfig)}
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


def effective_differences(settings: Settings, config: GRPOConfig) -> Differences:
    """Return each setting that came out of TRL or Unsloth other than it was written."""
    pairs = {name: (_plain(value), _plain(getattr(config, name, None))) for name, value in settings.items()}
    return {
        name: {"recipe": wanted, "effective": made}
        for name, (wanted, made) in pairs.items()
        if not (_same(wanted, made) or (name == "top_k" and _unlimited(wanted) and _unlimited(made)))
    }


def _same(wanted: Value, made: Value) -> bool:
    if isinstance(wanted, float) and isinstance(made, (int, float)):
        return math.isclose(wanted, made, rel_tol=1e-9)
    return bool(wanted == made or (not wanted and not made and wanted is not False and made is not False))


def _unlimited(top_k: Value) -> bool:
    """Return whether every token may be sampled: TRL writes 0, and Unsloth makes it vLLM's -1."""
    return top_k is None or (isinstance(top_k, int) and top_k <= 0)


def effective_yaml(settings: Settings, config: GRPOConfig, differences: Differences) -> str:
    """Return the text of effective.yaml: the differences, and each setting as it came out."""
    content = {
        "differences": differences,
        "effective": {name: _plain(getattr(config, name, None)) for name in sorted(settings)},
    }
    return "# What TRL and Unsloth made of the recipe.\n" + yaml.safe_dump(redact_tree(content), sort_keys=False)


def _plain(value: Any) -> Value:
    """Return what safe YAML can hold: enums by their value, everything else that is foreign by its name."""
    value = getattr(value, "value", value)
    if isinstance(value, (list, tuple, set)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
