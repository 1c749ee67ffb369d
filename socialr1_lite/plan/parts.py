"""Memory of one training process by parts, in bytes: what is always there, and the largest of the moments.

Sampling, judging and training take turns in GRPO, so their own parts never add up: the peak is what stays plus the
largest of them. `memory.py` has the parts of a process. Every part says where its formula comes from; docs/scale.md
says what was compared with measurements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from socialr1_lite.plan.architectures import Architecture
from socialr1_lite.plan.hardware import Device
from socialr1_lite.policy.adapters import PROJECTIONS
from socialr1_lite.recipe import Recipe

When = Literal["always", "loading", "training", "sampling", "judging"]
MOMENTS: tuple[When, ...] = ("training", "sampling", "judging", "loading")

HALF, FULL = 2, 4  # bytes of a 16-bit and of a 32-bit number
# NF4 with double quantisation: 4 bits, and 8/64 + 32/(64 x 256) = 0.127 bits of constants (QLoRA, Dettmers et al.
# 2023, section 3).
NF4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
# Unsloth loads unsloth/<name>-unsloth-bnb-4bit for a model of the hub, where some layers stay in 16 bits: "less than
# 10 % more VRAM than BnB 4bit" (its collection of dynamic quants on the hub). Its word; no file of it was measured.
DYNAMIC = 1.1
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# Eight-bit AdamW: two states of a byte, each block of 256 with a 32-bit constant (Dettmers et al. 2022).
ADAM_8BIT = 2 * (1 + FULL / 256)
GOLD_REPLY = 230  # tokens: the longest of 4,500 gold replies of all dimensions, orders 0 to 4, in SmolLM2's tokens
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
    """All parts of one process. kept: what one moment took is not there for the next; then all moments add up."""

    parts: tuple[Part, ...]
    kept: bool = False

    def total(self, *when: When) -> float:
        """Return the bytes of the parts that these moments need."""
        return sum(part.bytes for part in self.parts if part.when in when)

    @property
    def moment(self) -> When:
        """Which of the turns needs most."""
        return max(MOMENTS, key=lambda when: self.total(when))

    @property
    def at_peak(self) -> tuple[Part, ...]:
        """The parts that are there at the worst moment."""
        turns = MOMENTS if self.kept else (self.moment,)
        return tuple(part for part in self.parts if part.when in ("always", *turns))

    @property
    def peak(self) -> float:
        """Bytes at the worst moment, slack included."""
        return sum(part.bytes for part in self.at_peak) * (1 + SLACK)

    @property
    def largest(self) -> Part:
        """The part to shrink first."""
        return max(self.at_peak, key=lambda part: part.bytes)


def number_size(recipe: Recipe, device: Device) -> int:
    """Return the bytes of a number in matrix products: by the model's type; auto is 16 bits where native."""
    if recipe.model.dtype == "auto":
        return HALF if device.bfloat16 or not device.cpu else FULL
    return FULL if recipe.model.dtype == "float32" else HALF


def weight_bytes(recipe: Recipe, architecture: Architecture, size: int = HALF) -> float:
    """Count the frozen model's bytes: NF4 for linear layers loaded in 4-bit, else `size` bytes a number."""
    model, other = recipe.model, architecture.other_parameters * size
    if not model.load_in_4bit:
        return architecture.linear_parameters * size + other
    on_the_hub = HUB_ID.fullmatch(model.name) and not Path(model.name).is_dir()
    dynamic = DYNAMIC if on_the_hub and model.backend != "transformers" else 1.0
    return (architecture.linear_parameters * NF4 + other) * dynamic


def kv_bytes_per_token(architecture: Architecture, size: int = HALF) -> int:
    """Count a key and a value for every layer and every head of keys, in bytes."""
    return architecture.layers * 2 * architecture.keys * size


def longest(recipe: Recipe) -> int:
    """Return the tokens of the longest prompt with the longest completion."""
    return recipe.data.max_prompt_tokens + recipe.grpo.max_completion_length


def sampled_at_once(recipe: Recipe) -> int:
    """Return how many completions one process samples together."""
    return recipe.grpo.per_device_train_batch_size * recipe.grpo.generation_steps


def trained_at_once(recipe: Recipe) -> tuple[int, int]:
    """Return the sequences of the largest micro-batch (GRPO's or the cold start's) and the length of one."""
    grpo, length = (recipe.grpo.per_device_train_batch_size, longest(recipe)), cold_start_length(recipe)
    cold = (recipe.warmup.batch_size if recipe.warmup.steps else 0, length)
    return max(grpo, cold, key=lambda batch: batch[0] * batch[1])


def cold_start_length(recipe: Recipe) -> int:
    """Return the tokens of the longest prompt with the longest gold reply."""
    return min(recipe.data.max_prompt_tokens + GOLD_REPLY, recipe.model.max_seq_length)


def cold_start_at_once(recipe: Recipe) -> int:
    """Return the tokens of a batch of the cold start, 0 where there is none."""
    return recipe.warmup.batch_size * cold_start_length(recipe) if recipe.warmup.steps else 0


def most_sampled_at_once(recipe: Recipe) -> int:
    """Return the most completions the model itself samples, where an engine does not: a step, preflight, a check."""
    group, batch = recipe.grpo.num_generations, recipe.evaluation.batch_size
    first_look = min(2 * group, max(group, batch))  # the preflight's two groups
    if recipe.grpo.vllm:  # TRL's engine is made after the preflight
        return 0 if recipe.model.fast_inference else first_look
    return max(sampled_at_once(recipe), first_look, min(batch, -(-recipe.questions_of_a_check // recipe.processes)))


def activation_bytes_per_token(architecture: Architecture, r: int, size: int = HALF, padded: int = 0) -> int:
    """Count what one decoder layer keeps for its backward pass, a token; tests count what autograd keeps.

    size: of a number in matrix products. padded: tokens of a sequence, where attention is given a mask for padding;
    SDPA then keeps that mask with each layer, and keys and values repeated for every head.

    In the type of matrix products: both norms' inner values and outputs (4 hidden); queries, keys and values as
    attention takes them; the attention's output, twice (as it came and as the next layer takes it); what o_proj's LoRA
    takes; gate, up, the activated gate and their product; a row of r for each LoRA. In 32 bits: both norms' inputs, as
    RMSNorm computes in that type, and the attention's sums. No score matrix is kept (SDPA, flash).
    """
    a = architecture
    inner = 5 * a.hidden + 3 * a.queries + 2 * a.keys + 4 * a.mlp + len(PROJECTIONS) * r
    own = 2 * a.hidden  # of the norms, in 32 bits
    if padded:
        inner += padded + 2 * (a.queries - a.keys)
    if a.head_norms:  # each head's input in 32 bits, and its inner values
        inner += a.queries + a.keys
        own += a.queries + a.keys
    return size * inner + FULL * (own + a.heads)
