"""Memory of one training process on a GPU by parts; on a CPU, `cpu_memory` counts them. `parts` says how they add up.

None of the parts on a GPU has been compared with one yet (docs/scale.md).
"""

from __future__ import annotations

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.cpu_memory import cpu_memory
from socialr1_lite.plan.hardware import GIB, Device
from socialr1_lite.plan.judge_memory import judge_parts
from socialr1_lite.plan.parts import (
    ADAM_8BIT,
    FULL,
    HALF,
    Memory,
    Part,
    When,
    activation_bytes_per_token,
    kv_bytes_per_token,
    longest,
    most_sampled_at_once,
    number_size,
    trained_at_once,
    weight_bytes,
)
from socialr1_lite.recipe import Recipe

# TRL 1.15: trl/kernels/chunked_logprob.py, TOKEN_CHUNK_SIZE, and utils.py, _CHUNKED_LOGPROB_CHUNK_SIZE.
TRL_TILE = (4096, 32768)
# Unsloth 2026.10: unsloth_zoo/rl_replacements.py, autotune_batch_and_chunks: four chunks of a sequence up to 16k.
UNSLOTH_CHUNKS = 4
CONTEXT = 1.0 * GIB  # CUDA context, cuBLAS and cuDNN workspaces: an allowance [ours], not measured


def memory(recipe: Recipe, architecture: Architecture, device: Device) -> Memory:
    """Predict the parts on one device from the recipe's limits: the longest prompt and the longest completion."""
    if device.cpu:
        return cpu_memory(recipe, architecture, device)
    return Memory(
        (
            *_always(recipe, architecture, device),
            *judge_parts(recipe, device, overhead=CONTEXT),
            *_training(recipe, architecture),
            *_sampling(recipe, architecture),
        )
    )


def _always(recipe: Recipe, a: Architecture, gpu: Device) -> list[Part]:
    model, adapter = recipe.model, a.lora_parameters(recipe.model.lora.r, recipe.model.lora.targets)
    states = ADAM_8BIT if recipe.grpo.optim.endswith("8bit") else 2 * FULL
    weights = Part(
        "weights",
        weight_bytes(recipe, a, number_size(recipe, gpu)),
        "always",
        f"{a.parameters / 1e9:.2f} x 10^9 parameters",
    )
    parts = [
        Part("adapter", adapter * FULL, "always", f"LoRA r {model.lora.r}, 32 bits"),
        Part("gradients", adapter * FULL, "always", "of the adapter"),
        Part("optimizer", adapter * states, "always", f"{recipe.grpo.optim}: two states"),
        Part("CUDA context", CONTEXT, "always", "an allowance"),
    ]
    if recipe.grpo.vllm != "colocate":
        return [weights, *parts]
    pool = Part("vLLM pool", model.gpu_memory_utilization * gpu.memory, "always", "gpu_memory_utilization of the card")
    if not model.fast_inference:  # TRL's engine has weights of its own inside its pool
        return [weights, pool, *parts]
    shared = Part("vLLM pool", max(pool.bytes - weights.bytes, 0.0), "always", "its KV cache; the weights are shared")
    return [weights, shared, *parts]


def _training(recipe: Recipe, a: Architecture) -> list[Part]:
    rows, length = trained_at_once(recipe)
    tokens = rows * length
    layer = tokens * activation_bytes_per_token(a, recipe.model.lora.r)
    if recipe.model.gradient_checkpointing:
        kept = tokens * a.layers * a.hidden * HALF
        acts = Part("activations", kept + layer, "training", "each layer's input, and one layer recomputed")
    else:
        acts = Part("activations", layer * a.layers, "training", "every layer, no gradient checkpointing")
    return [acts, Part("logits", *_logits(recipe, a))]


def _logits(recipe: Recipe, a: Architecture) -> tuple[float, When, str]:
    if recipe.model.backend == "transformers":
        rows, columns = TRL_TILE
        return rows * min(columns, a.vocabulary) * FULL, "training", "TRL's fused head: one tile"
    rows = -(-recipe.grpo.max_completion_length // UNSLOTH_CHUNKS)
    # Logits and their gradient. Unsloth takes several sequences at a time where memory is free.
    return 2 * rows * a.vocabulary * FULL, "training", f"a quarter of one completion x {a.vocabulary:,} words"


def _sampling(recipe: Recipe, a: Architecture) -> list[Part]:
    rows = most_sampled_at_once(recipe)  # with vLLM: only for the preflight and the held-out checks
    cache = rows * longest(recipe) * kv_bytes_per_token(a)
    # Without a backward pass a layer's largest moment is its MLP: input, residual, gate, up, their product.
    prefill = rows * recipe.data.max_prompt_tokens * HALF * (2 * a.hidden + 3 * a.mlp)
    return [
        Part("KV cache", cache, "sampling", f"{rows} completions of up to {longest(recipe):,} tokens"),
        Part("prefill", prefill, "sampling", f"{rows} prompts at once through one layer"),
    ]
