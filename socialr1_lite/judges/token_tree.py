"""Texts that begin alike, read once: a tree of tokens for a causal model [ours].

All stages of all replies to a scenario begin with the same story, question and options. In the tree a token that
several texts share at the same place is one node, and a node sees its ancestors only. So each text gets the
very score that it gets alone, at a fraction of the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from operator import eq
from typing import Any, NamedTuple

from socialr1_lite.policy.attention import attend_by

ATTENTION = "socialr1_lite_tree"  # what transformers knows `tree_attention` by
BLOCK = 128  # nodes that ask at once: half of a whole square of weights would be masked away
TREE_TOKENS = 1024  # nodes of one forward pass: attention grows with their square, and sharing is had by then

Model = Any  # of transformers, untyped
Tensor = Any


class TokenTree(NamedTuple):
    """Nodes in an order in which parents come first.

    tokens, parents (-1 for a root), depths: one entry a node. leaves: the last node of each text, in the texts' order.
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    leaves: list[int]


def grow(texts: Sequence[Sequence[int]]) -> TokenTree:
    """Build the tree of these texts; an empty text has no score, so none may be empty."""
    tree, known = TokenTree([], [], [], []), dict[tuple[int, int], int]()
    for text in texts:
        node = -1
        for depth, token in enumerate(text):
            child = known.get((node, token))
            if child is None:
                child = known[node, token] = len(tree.tokens)
                tree.tokens.append(token)
                tree.parents.append(node)
                tree.depths.append(depth)
            node = child
        if node < 0:
            raise ValueError("a text without tokens has no place in the tree")
        tree.leaves.append(node)
    return tree


def grouped(texts: Sequence[Sequence[int]], limit: int = TREE_TOKENS) -> Iterator[list[int]]:
    """Yield indices of texts by tree, neighbours in the alphabet together, a tree of at most `limit` nodes.

    A text that is longer than that has a tree of its own.
    """
    group: list[int] = []
    nodes, last = 0, texts[0][:0] if texts else ()
    for i in sorted(range(len(texts)), key=lambda i: list(texts[i])):
        alike = map(eq, last, texts[i])
        new = len(texts[i]) - sum(takewhile(bool, alike))
        if group and nodes + new > limit:
            yield group
            group, nodes, new = [], 0, len(texts[i])
        group.append(i)
        nodes, last = nodes + new, texts[i]
    if group:
        yield group


def read_as_trees(model: Model) -> None:
    """Let the model attend by `tree_attention`, if it attends by PyTorch's fused kernel now."""
    attend_by(model, ATTENTION, tree_attention)


def tree_attention(
    module: Model, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **options: Any
) -> tuple[Tensor, None]:
    """Attend under a tree's mask: on a CPU products and a softmax by blocks, elsewhere PyTorch's fused kernel.

    On a CPU the fused kernel takes longer: `benchmarks/judges.py` compares the two.
    query: (batch, heads, n, width); key and value may have fewer heads. Parents come first, so that a block of nodes
    needs no keys behind it.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    tree = attention_mask is not None and attention_mask.is_floating_point()
    if query.device.type != "cpu" or not tree or options.get("dropout"):
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return out, None
    batch, heads, n, width = query.shape
    groups = key.shape[1]
    scale = options.get("scaling") or width**-0.5
    asked = (query * scale).view(batch, groups, heads // groups, n, width)  # heads that share a key stand together
    keys, outs = key.transpose(2, 3), []
    for begin in range(0, n, BLOCK):
        end = min(begin + BLOCK, n)
        rows = asked[:, :, :, begin:end].reshape(batch, groups, -1, width)
        weights = (rows @ keys[..., :end]).view(batch, heads, end - begin, end)
        shares = torch.softmax(weights + attention_mask[..., begin:end, :end], dim=-1)
        out = shares.view(batch, groups, -1, end) @ value[:, :, :end]
        outs.append(out.view(batch, heads, end - begin, width))
    return torch.cat(outs, dim=2).transpose(1, 2).contiguous(), None


def tree_scores(classifier: Model, tree: TokenTree) -> Tensor:
    """Score with a sequence classifier with one label: a float tensor, one a text, with gradients if wanted.

    classifier: a transformers model with a `score` head, or a PEFT model around one.
    """
    model = classifier.get_base_model() if hasattr(classifier, "get_base_model") else classifier
    hidden = last_hidden(model.base_model, tree)
    return model.score(hidden.to(next(model.score.parameters()).dtype))[:, 0].float()


def last_hidden(body: Model, tree: TokenTree) -> Tensor:
    """Return what a causal model without its head makes of the last token of each text: (texts, width)."""
    import torch

    weight = next(body.parameters())
    n = len(tree.tokens)
    seen = torch.eye(n, dtype=torch.bool)
    for node, parent in enumerate(tree.parents):
        if parent >= 0:
            seen[node] |= seen[parent]
    mask = torch.zeros((n, n), dtype=weight.dtype).masked_fill_(~seen, torch.finfo(weight.dtype).min)
    hidden: Tensor = body(
        input_ids=torch.tensor([tree.tokens], device=weight.device),
        attention_mask=mask[None, None].to(weight.device),
        position_ids=torch.tensor([tree.depths], device=weight.device),
        use_cache=False,
    ).last_hidden_state
    return hidden[0, tree.leaves]
