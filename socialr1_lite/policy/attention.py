"""How a transformers model is given an attention function of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def attend_by(model: PreTrainedModel, name: str, attention: Callable[..., object]) -> None:
    """Let a model that attends by torch's SDPA attend by a function, known by a name; any other choice stays."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register(name, attention)
        AttentionMaskInterface.register(name, sdpa_mask)
        model.set_attn_implementation(name)
