"""Memory of one training process on a CPU by parts, compared with measurements by benchmarks/plan.py.

What counts is the peak of the resident memory that the operating system reports. Sampling holds a second set of the
adapted weights (`generation.folded_adapter`), training holds the activations; they take turns, but the C library
keeps what was freed in blocks that the next turn's tensors do not fit into, so the turns add up.
"""

from __future__ import annotations

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.plan.judge_memory import judge_parts
from socialr1_lite.plan.parts import (
    FULL,
    HALF,
    Memory,
    Part,
    activation_bytes_per_token,
    kv_bytes_per_token,
    longest,
    most_sampled_at_once,
    number_size,
    trained_at_once,
    weight_bytes,
)
from socialr1_lite.recipe import Recipe

MIB = 2**20
# Resident before the first training step of a model of no size: measured, 616 MiB after importing torch, transformers,
# TRL, PEFT and Unsloth (612 without Unsloth), 687 with what generating and the trainer load on first use.
LIBRARIES = 687 * MIB
JUDGE_PROCESS = 529 * MIB  # measured: a reward model of no size; SmolLM2-135M in bfloat16 came to 815, 786 predicted
# unsloth_zoo/cpu/ops.py, cpu_chunked_log_probs: so many logits at a time.
UNSLOTH_LOGITS = 16 * MIB
# policy.PlainLogProbs.ROWS
PLAIN_ROWS = 1024
SLACK = 0.05  # of all other parts, for what the allocator cannot reuse


def cpu_memory(recipe: Recipe, architecture: Architecture, device: Device) -> Memory:
    """Predict the parts for this recipe from its limits: the longest prompt and the longest completion."""
    size = number_size(recipe, device)
    return Memory(
        (
            *_always(recipe, architecture, size),
            *judge_parts(recipe, device, overhead=JUDGE_PROCESS),
            *_loading(recipe, architecture, size),
            *_training(recipe, architecture, size),
            *_sampling(recipe, architecture, size),
        ),
        SLACK,
        kept=True,
    )


def _always(recipe: Recipe, a: Architecture, size: int) -> list[Part]:
    lora = recipe.model.lora
    adapter = a.lora_parameters(lora.r, lora.targets)
    return [
        Part("libraries", LIBRARIES, "always", "Python, torch, transformers, TRL"),
        Part("weights", weight_bytes(recipe, a, size), "always", f"{a.parameters / 1e9:.2f} x 10^9 parameters"),
        Part("adapter", adapter * FULL, "always", f"LoRA r {lora.r}, 32 bits"),
        Part("gradients", adapter * FULL, "always", "of the adapter"),
        Part("optimizer", adapter * 2 * FULL, "always", "two states, 32 bits (Unsloth's rule on a CPU)"),
    ]


def _loading(recipe: Recipe, a: Architecture, size: int) -> list[Part]:
    if not recipe.model.load_in_4bit:
        return []
    return [Part("weights as stored", a.parameters * HALF, "loading", "16 bits, before they are quantised")]


def _training(recipe: Recipe, a: Architecture, size: int) -> list[Part]:
    (rows, length), lora = trained_at_once(recipe), recipe.model.lora
    tokens = rows * length
    layer = float(tokens * activation_bytes_per_token(a, lora.r, size, padded=length))
    if size == HALF:  # autocast keeps a 16-bit copy of the adapter with each layer
        layer += a.lora_parameters(lora.r, lora.targets) / a.layers * HALF
    kept, why = layer * a.layers, "every layer, no gradient checkpointing"
    if recipe.model.gradient_checkpointing:
        kept, why = tokens * a.layers * a.hidden * size + layer, "each layer's input, and one layer recomputed"
    mask = 2 * tokens * length  # of booleans, and a copy while it is made
    return [
        Part("activations", kept, "training", why),
        _logits(recipe, a, size),
        Part("attention mask", mask, "training", "who sees whom, for padded prompts"),
    ]


def _logits(recipe: Recipe, a: Architecture, size: int) -> Part:
    rows = recipe.grpo.per_device_train_batch_size * recipe.grpo.max_completion_length
    if recipe.model.backend == "transformers":
        # Logits, their scaled and tempered copies, log-probabilities, probabilities and their product.
        rows = min(rows, PLAIN_ROWS)
        return Part("logits", rows * a.vocabulary * (size + 5 * FULL), "training", f"{rows:,} words' choices at a time")
    # Logits in the model's type, in 32 bits, probabilities, and these in the model's type.
    size_of_logits = min(rows * a.vocabulary, UNSLOTH_LOGITS) * 2 * (size + FULL)
    return Part("logits", size_of_logits, "training", "Unsloth's fused head: 16 Mi of them at a time")


def _sampling(recipe: Recipe, a: Architecture, size: int) -> list[Part]:
    rows = most_sampled_at_once(recipe)
    # With every token the cache is written anew, one token longer, beside the block that has become too short.
    cache = 2 * rows * longest(recipe) * kv_bytes_per_token(a, size)
    # Without a backward pass a layer's largest moment is its MLP: input, residual, gate, up, their product.
    prefill = rows * recipe.data.max_prompt_tokens * size * (2 * a.hidden + 3 * a.mlp)
    folded = 0 if recipe.model.load_in_4bit else a.adapted_parameters(recipe.model.lora.targets) * size
    return [
        Part("folded weights", folded, "sampling", "the adapted layers with their adapter, beside the plain ones"),
        Part("KV cache", cache, "sampling", f"{rows} completions of up to {longest(recipe):,} tokens, twice"),
        Part("prefill", prefill, "sampling", f"{rows} prompts at once through one layer"),
    ]
