"""A beginning that several sequences share, read once: how they lie in one row, and how that row attends.

The completions of a group share their prompt: 300 of 400 tokens here. In the row each prompt stands once, with its
completions as branches behind it; a branch sees the prompt and itself. Each token so gets the log-probability that it
gets in a sequence of its own, for a fraction of the work, in training as in sampling. Prefix Grouper (Liu et al. 2025)
does this to a group's training; Unsloth has it in its loss on a GPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from socialr1_lite.errors import PolicyError, first_line, ran_out_of_memory
from socialr1_lite.policy.attention import attend_by

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Module
    from transformers import PreTrainedModel

SHARED_ATTENTION = "socialr1_shared"  # what transformers knows `shared_attention` by
OURS = ("sdpa", "socialr1_cpu", SHARED_ATTENTION)
# Scores of one group in one layer, up to which a CPU multiplies plainly in training: torch's fused kernel needs twice
# the time backwards, but keeps no scores (16 MiB a layer in bfloat16 at most) [ours].
MOST_SCORES = 2**23
IGNORED = -100  # a label that is none, as TRL and transformers have it
APART, APART_ROUNDED = 0.01, 0.5  # log-probabilities that differ by more (mean) are others; below 32 bits [ours]
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


class Prefix(Protocol):
    """What a forward pass with `prefix=...` attends by, instead of a mask."""

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
        """Return (B, L, H, D) of query (B, H, L, D), key and value (B, K, L, D), H a multiple of K."""
        ...


class Group(NamedTuple):
    """Lengths in tokens: what is shared, and each branch behind it."""

    shared: int
    branches: tuple[int, ...]


@dataclass
class Row:
    """Groups one after the other in a batch of one row. kept: keys and values by layer, where they are wanted."""

    groups: Sequence[Group]
    kept: dict[int, tuple[Tensor, Tensor]] | None = None

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
        """Let what is shared see itself, and each branch what is shared and itself."""
        import torch

        if self.kept is not None:
            self.kept[int(module.layer_idx)] = key, value
        lengths = [n for group in self.groups for n in (group.shared, sum(group.branches))]
        parts = iter(zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True))
        out: list[Tensor] = []
        for group in self.groups:
            shared, behind = next(parts), next(parts)
            if group.shared:
                out.append(_causal(module, *shared, scaling=scaling))
            if group.branches:
                out += _branches(module, group, shared, behind, scaling)
        return torch.cat(out, dim=1)


def _branches(
    module: Module, group: Group, shared: Sequence[Tensor], behind: Sequence[Tensor], scaling: float | None
) -> Iterator[Tensor]:
    """Yield (1, L, H, D) for each branch. They are padded to the longest, behind which nothing is seen by a token."""
    import torch

    count = len(group.branches)
    query, key, value = (padded(states, group.branches) for states in behind)
    keys, values = (states.expand(count, -1, -1, -1) for states in shared[1:])
    key, value = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
    found = _causal(module, query, key, value, scaling=scaling)
    return (found[i : i + 1, :n] for i, n in enumerate(group.branches))


def padded(states: Tensor, lengths: Sequence[int]) -> Tensor:
    """Cut (1, K, N, D) into pieces of these lengths, padded at their ends to the longest: (pieces, K, longest, D)."""
    import torch

    parts, longest = states[0].split(list(lengths), dim=1), max(lengths)
    return torch.stack([torch.nn.functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts])


def _causal(module: Module, query: Tensor, key: Tensor, value: Tensor, *, scaling: float | None) -> Tensor:
    """Attend: of T keys, the i-th of L queries sees the first T - L + i. Returns (B, L, H, D)."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    batch, heads, length, width = query.shape
    groups, seen = key.shape[1:3]
    few = batch * heads * length * seen <= MOST_SCORES
    mask = None
    if length < seen or (query.device.type == "cpu" and few and query.requires_grad):
        mask = torch.ones((length, seen), dtype=torch.bool, device=query.device).tril(seen - length)
    if mask is None or query.device.type != "cpu" or not (few and query.requires_grad):
        wide = None if mask is None else mask[None, None]
        out, _ = sdpa_attention_forward(module, query, key, value, wide, scaling=scaling, is_causal=mask is None)
        return out
    bias = torch.zeros(mask.shape, dtype=query.dtype).masked_fill_(~mask, -torch.inf)
    asked = (query * (width**-0.5 if scaling is None else scaling)).reshape(batch, groups, -1, width)
    weights = torch.softmax((asked @ key.transpose(2, 3)).view(batch, heads, length, seen) + bias, dim=-1)
    found = weights.to(value.dtype).view(batch, groups, -1, seen) @ value
    return found.view(batch, heads, length, width).transpose(1, 2)


def shared_attention(
    module: Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    prefix: Prefix | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend by `prefix` where a forward pass was given one, otherwise as SDPA does."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if prefix is not None:
        return prefix.attend(module, query, key, value, options.get("scaling")), None
    out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return out, None


def no_mask(where: device) -> Tensor:
    """Return a mask that transformers hands on as it is, and that nothing looks at beside a `prefix`."""
    import torch

    return torch.zeros((1, 1, 1, 1), device=where)


# --- sequences into a row, and figures back


@dataclass
class Packing:
    """Sequences in one row. ids, positions, labels: one entry a token; rows, columns: where each label came from."""

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def add(self, shared: Sequence[int], branches: Sequence[Sequence[int]]) -> None:
        """Append a group, nothing of which is to be predicted yet."""
        for start, tokens in ((0, shared), *((len(shared), branch) for branch in branches)):
            self.ids += tokens
            self.positions += range(start, start + len(tokens))
            self.labels += [IGNORED] * len(tokens)
        self.groups.append(Group(len(shared), tuple(map(len, branches))))

    def inputs(self, where: device) -> dict[str, Any]:
        """Return what a forward pass takes."""
        import torch

        tensors = {"input_ids": self.ids, "position_ids": self.positions}
        made: dict[str, Any] = {name: torch.tensor([numbers], device=where) for name, numbers in tensors.items()}
        return made | {"attention_mask": no_mask(where), "prefix": Row(self.groups)}

    def targets(self, where: device) -> Tensor:
        """Return the labels, each beside the token that predicts it: (1, N)."""
        import torch

        return torch.tensor([self.labels], device=where)

    def unpacked(self, figures: Tensor, count: int, width: int) -> Tensor:
        """Return (count, width): the figure of each labelled token where its label came from, 0 elsewhere."""
        labelled = figures[0, [i for i, label in enumerate(self.labels) if label != IGNORED]]
        out = figures.new_zeros((count, width))
        out[self.rows, self.columns] = labelled
        return out


def pack(input_ids: Tensor, attention_mask: Tensor, kept: int) -> Packing:
    """Pack sequences whose last `kept` columns are completions, padded on the right, behind prompts padded on the left.

    Prompts that are the same stand once. Of each, the last token begins every branch, as it predicts the first one of
    each completion; the last token of a completion predicts nothing and is left out.
    """
    prompts: dict[tuple[int, ...], list[int]] = {}
    ids, seen = input_ids.tolist(), attention_mask.bool().tolist()
    for row, (tokens, visible) in enumerate(zip(ids, seen, strict=True)):
        before = zip(tokens[:-kept], visible[:-kept], strict=True)
        prompts.setdefault(tuple(token for token, there in before if there), []).append(row)
    packing = Packing()
    for prompt, rows in prompts.items():
        replies = {row: ids[row][-kept:][: sum(seen[row][-kept:])] for row in rows}
        branches = {row: [prompt[-1], *reply[:-1]] for row, reply in replies.items() if reply}
        if branches:
            packing.add(prompt[:-1], list(branches.values()))
            behind = [token for row in branches for token in replies[row]]
            packing.labels[-len(behind) :] = behind
            packing.rows += [row for row, branch in branches.items() for _ in branch]
            packing.columns += chain.from_iterable(range(len(branch)) for branch in branches.values())
    return packing


def pack_labelled(input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Packing:
    """Pack sequences padded on the right, behind what all of them begin with, up to where the first label is predicted.

    labels: of the tokens in their places, IGNORED for those that are not to be learned.
    """
    seen = attention_mask.bool()
    sequences, wanted = (
        [row[there].tolist() for row, there in zip(rows, seen, strict=True)] for rows in (input_ids, labels)
    )
    alike = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*sequences, strict=False)))
    firsts = (sum(1 for _ in takewhile(IGNORED.__eq__, row)) for row in wanted)
    shared = max(min(alike, *firsts) - 1, 0)
    packing = Packing()
    packing.add(sequences[0][:shared], [tokens[shared:-1] for tokens in sequences])
    behind = [label for row in wanted for label in row[shared + 1 :]]
    packing.labels[shared:] = behind
    return packing


# --- where it does not hold


def share_attention(model: PreTrainedModel) -> None:
    """Let a model that attends by torch's SDPA attend by `shared_attention`, which knows what a prefix is."""
    attend_by(model, SHARED_ATTENTION, shared_attention)


def obstacle(model: PreTrainedModel, longest: int) -> str:
    """Say why this model cannot share a beginning between sequences of so many tokens, or ""."""
    config = model.config.get_text_config()
    others = sorted(set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"})
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    if others:
        return f"it has layers of {', '.join(others)}, which read one sequence from its first token to its last"
    if model.config._attn_implementation not in OURS:
        return f"it attends by {model.config._attn_implementation}, which takes no mask of ours; only sdpa does"
    if window and window < longest:
        return f"its sliding window of {window} tokens is narrower than model.max_seq_length {longest}"
    if getattr(config, "attn_logit_softcapping", None) or getattr(config, "attention_dropout", 0):
        return "it caps or drops attention scores (attn_logit_softcapping, attention_dropout)"
    if any(getattr(config, name, None) for name in EXPERTS):
        return "it routes tokens to experts, whose balance would count a shared prompt once"
    return ""


def refuse_unshareable(model: PreTrainedModel, name: str, longest: int) -> None:
    """Raise PolicyError where a shared beginning cannot hold, or gives a small trial other log-probabilities."""
    why = obstacle(model, longest)
    try:
        if not why and (apart := trial(model)) > (APART_ROUNDED if rounds(model) else APART):
            why = f"a trial's log-probabilities are {apart:.2g} apart"
    except Exception as error:  # of a model's own code, which knows no prefix
        if ran_out_of_memory(error):
            raise
        why = f"a trial ends with {type(error).__name__}: {first_line(error)}"
    if why:
        raise PolicyError(f"grpo.share_prefix: {name} cannot share a group's prompt: {why}; write share_prefix: false")


def rounds(model: PreTrainedModel) -> bool:
    """Return whether anything is computed in fewer than 32 bits; 4-bit weights are in a type that their layer names."""
    layers = [module for module in model.modules() if hasattr(module, "compute_dtype")]
    stored = {id(layer.weight) for layer in layers}
    kinds = [layer.compute_dtype for layer in layers]
    kinds += [weight.dtype for weight in model.parameters() if id(weight) not in stored]
    return any(kind is None or kind.itemsize < 4 for kind in kinds)


def trial(model: PreTrainedModel) -> float:
    """Return how far log-probabilities with and without a shared beginning are apart, in the mean of a few tokens.

    Of the base alone: whether it can share is not the adapter's doing, and a trained one magnifies rounding.
    """
    import torch

    table = model.get_input_embeddings().weight
    where = table.device
    ids = torch.arange(3 * 12, device=where).reshape(3, 12) % min(97, len(table))
    ids[:, :6] = ids[0, :6]
    packing = pack(ids, torch.ones_like(ids), 6)
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), getattr(model, "disable_adapter", contextlib.nullcontext)():
            plain = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[:, 5:-1]
            shared = model(**packing.inputs(where), use_cache=False).logits.float().log_softmax(-1)
    finally:
        model.train(training)
    wanted = plain.float().log_softmax(-1).gather(-1, ids[:, 6:, None])[..., 0]
    labels = packing.targets(where).clamp(min=0)
    found = packing.unpacked(shared.gather(-1, labels[..., None])[..., 0], 3, 6)
    return float((wanted - found).abs().mean())
