"""Two LoRA adapters, one laid on a base with the other merged in, as one adapter on the bare base.

A server takes one adapter for each model. With A and B of both one below and one beside the other, the product is the
sum of the two changes; only the rounding of the merged base to its type is left out.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.errors import PolicyError, first_line
from socialr1_lite.policy.adapters import refuse_another_kind

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
SERVED = (8, 16, 32, 64, 128, 256, 512)  # the ranks that vLLM reserves room for
NOT_PLAIN = ("bias", "modules_to_save", "rank_pattern", "alpha_pattern", "use_dora")


def rank_of(adapter: Path) -> int:
    """Return the rank of a saved adapter. Raises PolicyError for one that is no plain LoRA."""
    return _read(adapter).rank


def served_rank(rank: int) -> int:
    """Return the smallest rank that vLLM reserves room for and this one fits in. Raises PolicyError where none does."""
    if rank > SERVED[-1]:
        raise PolicyError(
            f"vLLM takes adapters of rank {SERVED[-1]} at most, not {rank}; export the run with --to merged"
        )
    return min(size for size in SERVED if size >= rank)


def stack(merged: Path, above: Path, into: Path) -> Path:
    """Write the adapter that does what `above` does on a base with `merged` merged in; return its folder.

    Its rank is the sum of both. Raises PolicyError for an adapter that is no plain LoRA.
    """
    import torch
    from safetensors.torch import save_file

    both = (_read(merged), _read(above))
    weights = [_weights(folder, lora) for folder, lora in zip((merged, above), both, strict=True)]
    stacked: dict[str, torch.Tensor] = {}
    for name in sorted(weights[0].keys() | weights[1].keys()):
        if not name.endswith(("lora_A.weight", "lora_B.weight")):
            raise PolicyError(
                f"{merged}, {above}: {name} is no weight of a plain LoRA, and only one can be laid on another"
            )
        like, down = next(one[name] for one in weights if name in one), name.endswith("lora_A.weight")
        parts = []
        for one, lora in zip(weights, both, strict=True):
            none = torch.zeros((lora.rank, like.shape[1]) if down else (like.shape[0], lora.rank))
            parts.append(one.get(name, none).float() * (1.0 if down else lora.scale))
        stacked[name] = torch.cat(parts, dim=0 if down else 1).to(like.dtype).contiguous()
    into.mkdir(parents=True, exist_ok=True)
    save_file(stacked, into / WEIGHTS, metadata={"format": "pt"})
    rank = sum(lora.rank for lora in both)
    targets = sorted({name.partition(".lora_")[0].rpartition(".")[2] for name in stacked})
    config = both[1].config | {"r": rank, "lora_alpha": rank, "use_rslora": False, "target_modules": targets}
    (into / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    return into


@dataclass(frozen=True, slots=True)
class _Lora:
    rank: int
    scale: float  # of B times A
    config: dict[str, object]


def _read(adapter: Path) -> _Lora:
    refuse_another_kind(adapter)
    config = json.loads((adapter / CONFIG).read_bytes())
    if odd := [name for name in NOT_PLAIN if config.get(name) not in (None, False, "none", {}, [])]:
        raise PolicyError(
            f"{adapter / CONFIG}: {odd[0]} is set, so it is no plain LoRA; export the run with --to merged"
        )
    if not (adapter / WEIGHTS).is_file():
        raise PolicyError(f"{adapter}: holds no {WEIGHTS}; export the run with --to merged")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or rank < 1 or type(alpha) not in (int, float) or not math.isfinite(alpha):
        raise PolicyError(
            f"{adapter / CONFIG}: given r {str(rank)[:40]!r} and lora_alpha {str(alpha)[:40]!r}; a whole number "
            "above 0 and a number are needed; name a folder written by a run"
        )
    return _Lora(rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank), config)


def _weights(adapter: Path, lora: _Lora) -> dict[str, torch.Tensor]:
    """Read the weights. Raises PolicyError where they cannot be read, or are of another rank than is written."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(adapter / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise PolicyError(
            f"{adapter / WEIGHTS} cannot be read ({first_line(error)}); name a folder written by a run"
        ) from error
    for name, weight in weights.items():
        ranks = weight.shape[:1] if name.endswith("lora_A.weight") else weight.shape[1:]
        if name.endswith(("lora_A.weight", "lora_B.weight")) and tuple(ranks) != (lora.rank,):
            shape = "x".join(map(str, weight.shape))
            raise PolicyError(
                f"{adapter}: {name} is {shape}, and {CONFIG} says rank {lora.rank}; one of them is damaged"
            )
    return weights
