"""Memory of one training process by parts, in bytes: what is always there, and the larger of two moments.

Sampling and training take turns in GRPO, so their own parts never add up: the peak is what stays plus the larger of
the two. Every part says where its formula comes from; none has been compared with a GPU yet (docs/scale.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.hardware import GIB, Gpu
from socialr1_lite.recipe import Recipe

When = Literal["always", "training", "sampling"]

HALF, FULL = 2, 4  # bytes of a 16-bit and of a 32-bit number
# NF4 with double quantisation: 4 bits, and 8/64 + 32/(64 x 256) = 0.127 bits of constants (QLoRA, Dettmers et al.
# 2023, section 3).
NF4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
# Eight-bit AdamW: two states of a byte, each block of 256 with a 32-bit constant (Dettmers et al. 2022).
ADAM_8BIT = 2 * (1 + FULL / 256)
# TRL 1.15: trl/kernels/chunked_logprob.py, TOKEN_CHUNK_SIZE, and utils.py, _CHUNKED_LOGPROB_CHUNK_SIZE.
TRL_TILE = (4096, 32768)
# Unsloth 2026.10: unsloth_zoo/rl_replacements.py, autotune_batch_and_chunks: four chunks of a sequence up to 16k.
UNSLOTH_CHUNKS = 4
CONTEXT = 1.0 * GIB  # CUDA context, cuBLAS and cuDNN workspaces: an allowance [ours], not measured
SLACK = 0.05  # of all other parts, for what the allocator cannot reuse: an allowance [ours], not measured


@dataclass(frozen=True, slots=True)
class Part:
    """A share of memory. when: which moment needs it."""

    name: str
    bytes: float
    when: When
    why: str


@dataclass(frozen=True, slots=True)
class Memory:
    """All parts of one process."""

    parts: tuple[Part, ...]

    def total(self, *when: When) -> float:
        """Bytes of the parts that these moments need."""
        return sum(part.bytes for part in self.parts if part.when in when)

    @property
    def moment(self) -> Literal["training", "sampling"]:
        """Which of the two turns needs more."""
        return "training" if self.total("training") >= self.total("sampling") else "sampling"

    @property
    def peak(self) -> float:
        """Bytes at the worst moment, slack included."""
        return (self.total("always", self.moment)) * (1 + SLACK)

    @property
    def at_peak(self) -> tuple[Part, ...]:
        """The parts that are there at the worst moment."""
        return tuple(part for part in self.parts if part.when in ("always", self.moment))

    @property
    def largest(self) -> Part:
        """The part to shrink first."""
        return max(self.at_peak, key=lambda part: part.bytes)


def memory(recipe: Recipe, architecture: Architecture, gpu: Gpu) -> Memory:
    """The parts for this recipe on one GPU, from its limits: the longest prompt and the longest completion."""
    return Memory(
        (*_always(recipe, architecture, gpu), *_training(recipe, architecture), *_sampling(recipe, architecture))
    )


def weight_bytes(recipe: Recipe, architecture: Architecture) -> float:
    """The frozen model: NF4 for the decoder's linear layers when it is loaded in 4-bit, else as its type says."""
    size = FULL if recipe.model.dtype == "float32" else HALF
    linear = NF4 if recipe.model.load_in_4bit else size
    return architecture.linear_parameters * linear + architecture.other_parameters * size


def kv_bytes_per_token(architecture: Architecture) -> int:
    """A key and a value of 16 bits for every layer and every head of keys."""
    return architecture.layers * 2 * architecture.keys * HALF


def longest(recipe: Recipe) -> int:
    """Tokens of the longest prompt with the longest completion."""
    return recipe.data.max_prompt_tokens + recipe.grpo.max_completion_length


def sampled_at_once(recipe: Recipe) -> int:
    """Completions that one process samples together."""
    return recipe.grpo.per_device_train_batch_size * recipe.grpo.generation_steps


def activation_bytes_per_token(architecture: Architecture) -> int:
    """What one decoder layer keeps for its backward pass, a token [ours, counted by operation].

    In 16 bits: both norms' inputs and outputs (4 hidden); queries and keys before and after the rotation, values,
    the attention's output; gate, up, the activated gate and their product (4 mlp). In 32 bits: both norms' inputs
    once more, as RMSNorm computes in that type. Attention itself keeps no score matrix (SDPA, flash kernels).
    """
    a = architecture
    half = 4 * a.hidden + 2 * (a.queries + a.keys) + a.keys + a.queries + 4 * a.mlp
    return HALF * half + FULL * 2 * a.hidden


def _always(recipe: Recipe, a: Architecture, gpu: Gpu) -> list[Part]:
    model, adapter = recipe.model, a.lora_parameters(recipe.model.lora.r, recipe.model.lora.targets)
    states = ADAM_8BIT if recipe.grpo.optim.endswith("8bit") else 2 * FULL
    weights = Part("weights", weight_bytes(recipe, a), "always", f"{a.parameters / 1e9:.2f} x 10^9 parameters")
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
    tokens = recipe.grpo.per_device_train_batch_size * longest(recipe)
    layer = tokens * activation_bytes_per_token(a)
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
    if recipe.grpo.vllm is not None:
        return []
    rows = sampled_at_once(recipe)
    cache = rows * longest(recipe) * kv_bytes_per_token(a)
    # Without a backward pass a layer's largest moment is its MLP: input, residual, gate, up, their product.
    prefill = rows * recipe.data.max_prompt_tokens * HALF * (2 * a.hidden + 3 * a.mlp)
    return [
        Part("KV cache", cache, "sampling", f"{rows} completions of up to {longest(recipe):,} tokens"),
        Part("prefill", prefill, "sampling", f"{rows} prompts at once through one layer"),
    ]
