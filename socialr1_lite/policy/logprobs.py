"""Log-probabilities in plain torch, for machines where TRL's Triton kernel cannot run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def patch_plain_logprobs() -> None:
    """Give TRL a plain-torch log-probability function where its Triton kernel cannot run (no GPU, no Unsloth).

    TRL 1.15 always scores through a fused LM head whose kernel is Triton. The replacement computes the same numbers
    (log-probabilities, entropy and the three statistics) in chunks of rows, so the logits of a whole batch never
    exist at once.
    """
    import torch
    import trl.trainer.utils as trl_utils

    if torch.cuda.is_available() or "unsloth" in sys.modules:
        return
    trl_utils._ChunkedLogProbFunction = PlainLogProbs


class PlainLogProbs:
    """TRL's `_ChunkedLogProbFunction.apply` in plain torch."""

    ROWS = 1024  # logits of 1,024 x 50k x 4 bytes = 200 MB at most

    @staticmethod
    def apply(
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        temperature: float,
        chunk_size: int,
        softcap: float | None,
        logit_scale: float,
        outputs: Sequence[str],
    ) -> tuple[Tensor | None, ...]:
        """Return log p(target) of each row of `hidden` (N, d), entropy, log Σp², mean logit, is-top-1; (N,) or None."""
        import torch
        from torch.utils.checkpoint import checkpoint

        def rows(h: Tensor, y: Tensor) -> tuple[Tensor | None, ...]:
            logits = torch.nn.functional.linear(h, weight, bias).float() * logit_scale
            if softcap is not None:
                logits = softcap * torch.tanh(logits / softcap)
            logits = logits / temperature
            log_p = torch.log_softmax(logits, dim=-1)
            log_prob = log_p.gather(-1, y.unsqueeze(-1)).squeeze(-1)
            entropy = -(log_p.exp() * log_p).sum(-1) if "entropy" in outputs else None
            with torch.no_grad():
                squares = torch.logsumexp(2 * log_p, -1) if "log_sum_sq_probs" in outputs else None
                mean = logits.mean(-1) if "mean_logits" in outputs else None
                top = logits.argmax(-1) == y if "is_top1" in outputs else None
            return log_prob, entropy, squares, mean, top

        pieces = [
            checkpoint(rows, h, y, use_reentrant=False)
            for h, y in zip(hidden.split(PlainLogProbs.ROWS), targets.split(PlainLogProbs.ROWS), strict=True)
        ]
        columns = zip(*pieces, strict=True)
        return tuple(None if column[0] is None else torch.cat(column) for column in columns)
