"""Training with a beginning that is read once: a group's prompt in GRPO, the system message in the cold start.

What TRL computes of them is left to TRL: ratios, clipping, KL, every kind of loss. Unsloth's own trainer on a GPU never
asks for them, so `load_policy` refuses the setting there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from socialr1_lite.policy.prefix import IGNORED, pack, pack_labelled

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from trl import GRPOTrainer, SFTTrainer

Batch = dict[str, Any]  # of TRL: tensors with a row a completion, or without rows


def sharing(trainer_class: type[GRPOTrainer]) -> type[GRPOTrainer]:
    """Return the class with two methods of TRL 1.15 changed: which rows are trained together, and how they are read."""

    class SharingGRPOTrainer(trainer_class):  # type: ignore[misc]
        """Keeps the completions of a prompt together in a micro-batch, and reads that prompt once."""

        _buffered_inputs: list[Batch] | None

        def _prepare_inputs(self, generation_batch: Any) -> Batch:
            before = self._buffered_inputs
            inputs: Batch = super()._prepare_inputs(generation_batch)
            if self.model.training and self._buffered_inputs and self._buffered_inputs is not before:
                # What TRL takes of each micro-batch by itself must keep its rows, or it comes out otherwise.
                apart = self.loss_type == "bnpo" or self.top_entropy_quantile < 1
                steps = 1 if apart else self.args.gradient_accumulation_steps
                self._buffered_inputs = together(self._buffered_inputs, steps, self._step, self.num_iterations)
                inputs = self._buffered_inputs[self._step % self.args.steps_per_generation]
            return inputs

        def _get_per_token_logps_and_entropies(
            self,
            model: Module,
            input_ids: Tensor,
            attention_mask: Tensor,
            logits_to_keep: int,
            batch_size: int | None = None,
            compute_entropy: bool = False,
            **_: object,
        ) -> tuple[Tensor, Tensor | None, None]:
            import torch

            found: list[tuple[Tensor, Tensor | None]] = []
            size = batch_size or len(input_ids)
            for ids, seen in zip(input_ids.split(size), attention_mask.split(size), strict=True):
                with self.accelerator.autocast():
                    found.append(read_together(model, ids, seen, logits_to_keep))
            entropies = torch.cat([one for _, one in found if one is not None]) if compute_entropy else None
            return torch.cat([one for one, _ in found]), entropies, None

    return SharingGRPOTrainer


def sharing_supervised(trainer_class: type[SFTTrainer]) -> type[SFTTrainer]:
    """Return the class with a loss over sequences in one row, without padding; it counts no token accuracy."""

    class SharingSFTTrainer(trainer_class):  # type: ignore[misc]
        """Reads what all sequences of a batch begin with once."""

        def compute_loss(
            self, model: Module, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            ids, labels = inputs["input_ids"], inputs["labels"]
            packing = pack_labelled(ids, inputs["attention_mask"], labels)
            out = model(**packing.inputs(ids.device), shift_labels=packing.targets(ids.device), fused_lm_head=True)
            learned = sum(label != IGNORED for label in packing.labels)
            loss = -out.log_probs.sum() / (max(learned, 1) if num_items_in_batch is None else num_items_in_batch)
            if num_items_in_batch is not None and self.args.average_tokens_across_devices:
                loss = loss * self.accelerator.num_processes  # the count is of all, and DDP takes the mean
            return (loss, out) if return_outputs else loss

    return SharingSFTTrainer


def read_together(model: Module, ids: Tensor, seen: Tensor, kept: int) -> tuple[Tensor, Tensor | None]:
    """Return (B, kept): each completion token's log-probability, and the entropy it was chosen from if TRL's head has.

    Tokens that `seen` leaves out have 0, as with TRL. A batch without any has zeros that carry a gradient of zero.
    """
    packing = pack(ids, seen, kept)
    if not packing.rows:
        packing.add([int(ids[0, 0])], [])
    out = model(**packing.inputs(ids.device), shift_labels=packing.targets(ids.device), fused_lm_head=True)
    figures = (None if one is None else packing.unpacked(one, len(ids), kept) for one in (out.log_probs, out.entropy))
    log_probs, entropies = figures
    assert log_probs is not None
    return (log_probs if packing.rows else log_probs + out.log_probs.sum()), entropies


def together(batches: Sequence[Batch], steps: int, begun: int = 0, iterations: int = 1) -> list[Batch]:
    """Sort the rows of each optimizer step's micro-batches by prompt; a step trains on the same completions as before.

    The prompts keep the order in which TRL's shuffling first has them. steps: micro-batches of an optimizer step.
    begun: micro-batches trained on before these. iterations: times that these are trained on, one after the other; an
    optimizer step that begins or ends among them in any of these parts the rows.
    """
    import torch

    out: list[Batch] = []
    size = len(batches)
    cuts = [p for p in range(1, size) if any((begun + k * size + p) % steps == 0 for k in range(iterations))]
    for start, end in pairwise([0, *cuts, size]):
        window = batches[start:end]
        prompts = [tuple(row) for batch in window for row in batch["prompt_ids"].tolist()]
        order = sorted(range(len(prompts)), key=lambda row: prompts.index(prompts[row]))
        rows_each = len(prompts) // len(window)
        made: list[Batch] = [{} for _ in window]
        for name, value in window[0].items():
            whole = torch.is_tensor(value) and value.ndim > 0
            rows = torch.cat([batch[name] for batch in window])[order].split(rows_each) if whole else None
            for place, batch in enumerate(made):
                batch[name] = window[place][name] if rows is None else rows[place]
        out += made
    return out
