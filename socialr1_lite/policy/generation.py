"""Sampling on a CPU at about twice the pace of stock transformers with PEFT; what it computes stays the same."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from socialr1_lite.policy.attention import attend_by
from socialr1_lite.policy.prefix import Prefix
from socialr1_lite.policy.sampling import sample, understood

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

CPU_ATTENTION = "socialr1_cpu"
FEW = 64  # rows up to which a packed weight wins [ours]


def share_prompts(model: PreTrainedModel) -> None:
    """Let `model.generate` read each prompt once (`sampling`) where it knows all it is asked for, on any device."""
    plain = model.generate

    def generate(self: PreTrainedModel, *args: Any, **asked: Any) -> Tensor:
        choice = None if args else understood(self, asked)
        if choice is None:
            return plain(*args, **asked)
        return sample(self, asked["input_ids"], asked.get("attention_mask"), choice)

    model.generate = types.MethodType(generate, model)


def speed_up_cpu_sampling(model: PreTrainedModel) -> None:
    """Make `model.generate` quicker on a CPU; benchmarks/generation.py measures each of the four against stock.

    The adapter is folded in while it samples: unfolded, every LoRA layer costs three small matrix products a token.
    The folded weights are rounded to the weights' own type, as they are when a vLLM engine is given the merged
    model; the originals are put back bit for bit. One query at a time attends by plain products (`cpu_attention`).
    The LM head is fed contiguous rows. Weights in bfloat16 are laid out once a call (`packed_weights`), not for each
    token. Nothing to do on a GPU.
    """
    plain = model.generate

    def generate(self: PreTrainedModel, *args: Any, **kwargs: Any) -> Tensor:
        with folded_adapter(self), packed_weights(self):
            return plain(*args, **kwargs)

    model.generate = types.MethodType(generate, model)
    attend_by(model, CPU_ATTENTION, cpu_attention)
    head = model.get_output_embeddings()
    if head is not None and not getattr(head, "_rows_are_plain", False):
        # The last position of a prefill is a strided slice; torch then multiplies it by a *copy of the head's weight
        # for each sequence* (900 MB for a batch of 16 of SmolLM2). One contiguous copy of the slice avoids that.
        head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))
        head._rows_are_plain = True


def cpu_attention(
    module: Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    prefix: Prefix | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend as SDPA does, but one query at a time by plain products: torch's kernel takes seven times as long.

    A forward pass with a `prefix` attends by that.
    query (B, H, L, D), key and value (B, K, T, D) with H a multiple of K; returns (B, L, H, D).
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if prefix is not None:
        return prefix.attend(module, query, key, value, scaling), None
    if query.shape[2] != 1 or torch.is_grad_enabled():
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        return out, None
    batch, heads, _, width = query.shape
    grouped = query.reshape(batch, key.shape[1], heads // key.shape[1], width)
    scores = grouped @ key.transpose(-1, -2) * (width**-0.5 if scaling is None else scaling)
    if attention_mask is not None:
        seen = attention_mask[..., : key.shape[2]]
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    return (weights @ value).reshape(batch, 1, heads, width), None


@contextlib.contextmanager
def folded_adapter(model: PreTrainedModel) -> Iterator[None]:
    """Fold the adapter in while inside: base weights hold W + ΔW, the adapter is bypassed; afterwards W is back."""
    import torch

    adapted = (m for m in model.modules() if hasattr(m, "lora_A") and hasattr(m, "get_delta_weight"))
    layers = [m for m in adapted if getattr(m, "active_adapters", None) and not m.disable_adapters]
    if not layers or any(type(m.base_layer).__name__ == "Linear4bit" for m in layers):
        yield
        return
    originals = [m.base_layer.weight.data for m in layers]
    with torch.no_grad():
        for layer in layers:
            weight = layer.base_layer.weight
            delta = sum(layer.get_delta_weight(name) for name in layer.active_adapters if name in layer.lora_A)
            weight.data = (weight.data + delta).to(weight.dtype)
    try:
        with model.disable_adapter():
            yield
    finally:
        for layer, original in zip(layers, originals, strict=True):
            layer.base_layer.weight.data = original


@contextlib.contextmanager
def packed_weights(model: PreTrainedModel) -> Iterator[None]:
    """Keep the bfloat16 weights of linear layers laid out as oneDNN multiplies few rows, while inside.

    Plain products of few rows lay the weight out anew each time, which costs a third of them. It is the same product by
    the same kernel. Costs as much memory again as the weights. Many rows, as in a prefill, go the plain way.
    """
    import torch

    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        yield
        return
    plain = (m for m in model.modules() if type(m) is torch.nn.Linear and "forward" not in vars(m))
    layers = [m for m in plain if m.weight.device.type == "cpu" and m.weight.dtype == torch.bfloat16]
    for layer in layers:
        layer.forward = _packed_forward(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _packed_forward(layer: Module) -> Callable[[Tensor], Tensor]:
    import torch

    packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), FEW)

    def forward(x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.bfloat16 or x.numel() > FEW * x.shape[-1]:
            return torch.nn.functional.linear(x, layer.weight, layer.bias)
        return torch.ops.mkldnn._linear_pointwise(x, packed, layer.bias, "none", [], "")

    return forward
