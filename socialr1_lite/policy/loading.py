"""Loading a policy: the base by either backend, in 4 or 16 bits, with a saved adapter, a fresh one, or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.errors import PolicyError, first_line, ran_out_of_memory
from socialr1_lite.policy.adapters import fresh_adapter, refuse_pickle
from socialr1_lite.policy.backends import Backend, bfloat16_is_native, choose_backend, stdout_to_stderr
from socialr1_lite.policy.embedded import embedded_model
from socialr1_lite.policy.engine import unsloth_engine
from socialr1_lite.policy.gpus import refuse_idle_gpus, refuse_unusable_driver, settle_dtype
from socialr1_lite.policy.logprobs import patch_plain_logprobs
from socialr1_lite.policy.model import Policy
from socialr1_lite.policy.prefix import refuse_unshareable
from socialr1_lite.recipe import EMBEDDED_MODEL

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase

    from socialr1_lite.recipe import Model

    Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]


def load_policy(
    model: Model,
    *,
    adapter: Path | None = None,
    trainable: bool = False,
    seed: int = 42,
    share_prefix: bool = False,
) -> Policy:
    """Load the recipe's model, with a saved adapter, a fresh LoRA adapter (`trainable`), or none.

    Raises PolicyError in one line when the model or the adapter cannot be had, or cannot share prompts as it is to.
    """
    refuse_unusable_driver()
    backend = choose_backend(model.backend)
    if share_prefix:
        refuse_unsloths_own(backend)
    if trainable:
        refuse_idle_gpus(backend)
    else:  # vLLM's engine samples for training; a few questions do not need it, nor that it is installed
        model = model.model_copy(update={"fast_inference": False})
    model, notes = settle_dtype(model, backend, trainable=trainable)
    source = str(embedded_model()) if model.name == EMBEDDED_MODEL else model.name
    refuse_pickle(Path(source), allowed=model.allow_pickle)
    try:
        with stdout_to_stderr():
            load = _load_unsloth if backend == "unsloth" else _load_plain
            loaded, tokenizer = load(model, source, seed)
    except (OSError, ValueError, RuntimeError, NotImplementedError, ImportError) as error:
        if ran_out_of_memory(error):
            raise
        raise PolicyError(
            f"model.name: cannot load {model.name!r} ({backend} backend): {first_line(error)} "
            f"(allowed: a hub id, a local folder, or {EMBEDDED_MODEL!r}; safetensors, or model.allow_pickle: true)"
        ) from error
    quantized = any(type(module).__name__ == "Linear4bit" for module in loaded.modules())
    if model.load_in_4bit and not quantized:  # Unsloth says so in a line among others, and goes on in 16 bits
        raise PolicyError(
            f"model.load_in_4bit: {model.name} came in 16 bits, because bitsandbytes does not work here "
            "(`python -m bitsandbytes` says why); mend it, or write model.load_in_4bit: false"
        )
    policy = Policy(loaded, tokenizer, backend, model.name, quantized, notes, model.gradient_checkpointing)
    policy.pickle, policy.share_prefix = model.allow_pickle, share_prefix
    policy.engine = unsloth_engine if hasattr(loaded, "vllm_engine") else None
    _note_origin(policy, model, source)
    # bitsandbytes 0.50 repacks a 4-bit weight in place on the first eval-mode call without gradient; afterwards its
    # backward gives nothing and training silently stalls. Every layer stays on the trainable layout.
    for module in loaded.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if adapter is not None:
        policy.add_adapter(adapter, trainable=trainable)
    elif trainable:
        add_lora(policy, model, seed=seed)
    else:
        policy.speed_up()
    if share_prefix:
        refuse_unshareable(policy.model, model.name, model.max_seq_length)
    return policy


def refuse_unsloths_own(backend: Backend) -> None:
    """Raise PolicyError where Unsloth brings a loss of its own, which never asks the trainer for figures."""
    import torch

    if backend == "unsloth" and torch.cuda.is_available():
        raise PolicyError(
            "grpo.share_prefix: on a GPU Unsloth's own loss shares a group's prompt by itself (except beside vLLM); "
            "write share_prefix: false, or model.backend: transformers for ours"
        )


def _note_origin(policy: Policy, model: Model, source: str) -> None:
    """Note where the weights came from: Unsloth takes a quantised twin for 4 bits, and drops the revision then."""
    policy.repository = str(policy.model.config._name_or_path or source)
    if model.revision is not None:
        dropped = policy.backend == "unsloth" and model.fast_inference
        policy.revision_honoured = policy.repository == source and not dropped and not Path(source).is_dir()
    if policy.revision_honoured is False:
        policy.notes += (f"model.revision: {model.revision} was not honoured; {policy.repository} was loaded as it is",)


def add_lora(policy: Policy, model: Model, *, seed: int = 42) -> None:
    """Wrap the model in a fresh LoRA adapter as the recipe says; B starts at zero, so the policy is unchanged."""
    checkpointing = policy.checkpointing
    policy.model = fresh_adapter(policy.model, model.lora, policy.backend, checkpointing=checkpointing, seed=seed)
    policy.speed_up()


def _load_unsloth(model: Model, source: str, seed: int) -> Loaded:
    from unsloth import FastLanguageModel

    made: Loaded = FastLanguageModel.from_pretrained(
        model_name=source,
        max_seq_length=model.max_seq_length,
        dtype=_dtype(model.dtype),
        load_in_4bit=model.load_in_4bit,
        load_in_16bit=not model.load_in_4bit,
        revision=model.revision,
        trust_remote_code=model.trust_remote_code,
        use_exact_model_name=not model.load_in_4bit,  # 4-bit may take Unsloth's prequantized twin: less to download
        random_state=seed,
        **({} if model.allow_pickle or model.fast_inference else {"use_safetensors": True}),
        **_vllm_settings(model),
    )
    return made


def _vllm_settings(model: Model) -> dict[str, bool | float]:
    if not model.fast_inference:
        return {}
    return {
        "fast_inference": True,
        "gpu_memory_utilization": model.gpu_memory_utilization,
        "max_lora_rank": model.lora.r,
    }


def _load_plain(model: Model, source: str, _: int) -> Loaded:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = _dtype(model.dtype) or (torch.bfloat16 if bfloat16_is_native() else torch.float32)
    origin = {"revision": model.revision, "trust_remote_code": model.trust_remote_code}
    loaded = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=dtype,
        quantization_config=nf4(dtype) if model.load_in_4bit else None,
        device_map={"": int(os.environ.get("LOCAL_RANK", "0"))} if torch.cuda.is_available() else "cpu",
        use_safetensors=None if model.allow_pickle else True,
        **origin,
    )
    tokenizer = AutoTokenizer.from_pretrained(source, **origin)
    if model.load_in_4bit:
        from peft import prepare_model_for_kbit_training

        loaded = prepare_model_for_kbit_training(loaded, use_gradient_checkpointing=model.gradient_checkpointing)
    patch_plain_logprobs()
    return loaded, tokenizer


def nf4(dtype: torch.dtype, **settings: list[str]) -> BitsAndBytesConfig:
    """Return what loads a model in 4 bits, with constants that are quantised too (QLoRA). settings: further ones."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        **settings,
    )


def _dtype(name: str) -> torch.dtype | None:
    import torch

    return None if name == "auto" else getattr(torch, name)
