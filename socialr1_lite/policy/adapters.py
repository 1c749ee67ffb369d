"""LoRA adapters, fresh and saved. On Unsloth both are made by its own get_peft_model.

PEFT's `from_pretrained` would put the same numbers on the model, but none of what Unsloth patches when it makes an
adapter: the fused LoRA kernels, its gradient checkpointing, the loading of the adapter into vLLM.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.errors import PolicyError
from socialr1_lite.policy.backends import Backend, stdout_to_stderr
from socialr1_lite.recipe.schema import Lora

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ALL_LINEAR = "all-linear"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
NO_WEIGHTS = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")  # beside the weights, and never read


def refuse_pickle(folder: Path, weights: str = "model", *, allowed: bool = False) -> None:
    """Raise PolicyError where the only weights of that name, or none but others', in a folder are in a pickle."""
    files = [path.name for path in folder.glob("*") if path.suffix in PICKLES and not path.name.startswith(NO_WEIGHTS)]
    if files and not allowed and not any(folder.glob(f"{weights}*.safetensors")):
        raise PolicyError(
            f"{folder}: its weights are in a pickle ({min(files)}), which may hold code; have them as safetensors, or "
            "allow it: --allow-pickle, in a recipe model.allow_pickle: true"
        )


def refuse_another_kind(folder: Path) -> None:
    """Raise PolicyError for an adapter that is no LoRA: others load further adapters, or name modules to import."""
    try:
        config = json.loads((folder / "adapter_config.json").read_bytes())
        kind, modules = config["peft_type"], config.get("megatron_config")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PolicyError(f"{folder / 'adapter_config.json'} cannot be read; name a folder written by a run") from None
    if kind != "LORA" or modules:
        raise PolicyError(f"{folder}: the adapter is a {kind}{' for megatron' if modules else ''}; only LoRA is read")


def lora_config(lora: Lora, task: str, **settings: list[str]) -> LoraConfig:
    """Return a recipe's adapter in PEFT's words, for a task such as CAUSAL_LM. settings: further ones of PEFT's."""
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        use_rslora=lora.rslora,
        task_type=task,
        **settings,
    )


def fresh_adapter(
    base: PreTrainedModel, lora: Lora, backend: Backend, *, checkpointing: bool, seed: int
) -> PreTrainedModel:
    """Wrap the base in a new adapter that changes nothing yet: its B is zero."""
    if backend == "unsloth":
        return _unsloth(base, lora, checkpointing, seed)
    import torch
    from peft import get_peft_model

    torch.manual_seed(seed)
    if checkpointing:
        base.enable_input_require_grads()
    return get_peft_model(base, lora_config(lora, "CAUSAL_LM"))


def saved_adapter(
    base: PreTrainedModel, folder: Path, backend: Backend, *, checkpointing: bool, trainable: bool
) -> PreTrainedModel:
    """Wrap the base in the adapter of that folder. Raises ValueError or RuntimeError when it does not fit the base."""
    from peft import LoraConfig, PeftModel, load_peft_weights, set_peft_model_state_dict

    if backend == "transformers":
        return PeftModel.from_pretrained(base, str(folder), is_trainable=trainable)
    made = _unsloth(base, _lora_of(LoraConfig.from_pretrained(str(folder))), checkpointing, seed=0)
    taken = set_peft_model_state_dict(made, load_peft_weights(str(folder), device="cpu"))
    missing = [key for key in taken.missing_keys if ".lora_" in key]
    if missing or taken.unexpected_keys:
        raise ValueError(
            f"{len(missing)} of its layers are missing and {len(taken.unexpected_keys)} belong to no layer "
            f"({[*missing, *taken.unexpected_keys][0]})"
        )
    if not trainable:
        made.requires_grad_(False)
    return made


def _lora_of(config: LoraConfig) -> Lora:
    """Return what a saved adapter is. Raises ValueError for one that get_peft_model could not make alike."""
    targets = config.target_modules
    if config.bias != "none" or config.modules_to_save or config.rank_pattern or config.alpha_pattern:
        raise ValueError("it is not a plain LoRA of linear layers (bias, modules_to_save, or a rank of each layer)")
    return Lora(
        r=config.r,
        alpha=config.lora_alpha,
        dropout=config.lora_dropout,
        targets=targets if isinstance(targets, str) else tuple(sorted(targets)),
        rslora=config.use_rslora,
    )


def _unsloth(base: PreTrainedModel, lora: Lora, checkpointing: bool, seed: int) -> PreTrainedModel:
    from unsloth import FastLanguageModel

    targets: str | list[str] = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    with stdout_to_stderr():
        return FastLanguageModel.get_peft_model(
            base,
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(PROJECTIONS) if targets == ALL_LINEAR else targets,
            use_rslora=lora.rslora,
            bias="none",
            use_gradient_checkpointing="unsloth" if checkpointing else False,
            random_state=seed,
        )
