"""How likely a model holds one text to go on as another: the sum of the log-probabilities of its tokens."""

from __future__ import annotations

from collections.abc import Sequence

from socialr1_lite.policy.model import Policy


def log_likelihoods(policy: Policy, pairs: Sequence[tuple[str, str]], *, batch_size: int = 16) -> list[float]:
    """Return the natural log-probability of each (context, continuation), 0 at most, adapters included.

    Tokens are cut as lm-evaluation-harness does (`_encode_pair`): both texts are encoded as one, and the continuation
    is what follows as many tokens as the context has by itself, without the white space at its end, which is scored as
    a part of the continuation. Special tokens are the tokenizer's usual; behind an empty context all is scored, after
    the token that begins a text, or that ends one where none does.
    """
    encoded = [_cut(policy, *pair) for pair in pairs]
    order = sorted(range(len(encoded)), key=lambda place: len(encoded[place][0]), reverse=True)
    found: dict[int, float] = {}
    with policy._inference():
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            found.update(zip(places, _batch(policy, [encoded[place] for place in places]), strict=True))
    return [found[place] for place in range(len(pairs))]


def _cut(policy: Policy, context: str, continuation: str) -> tuple[list[int], int]:
    """Return the tokens of both, and how many of them are the context's."""
    tokenizer = policy.tokenizer
    whole, own = (tokenizer.encode(text) for text in (context + continuation, context.rstrip()))
    if own:
        return whole, len(own)
    return [tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id, *whole], 1


def _batch(policy: Policy, texts: Sequence[tuple[list[int], int]]) -> list[float]:
    import torch

    longest = max(len(tokens) for tokens, _ in texts)
    pad = policy.tokenizer.pad_token_id or 0
    rows = [tokens + [pad] * (longest - len(tokens)) for tokens, _ in texts]
    masks = [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in texts]
    ids, mask = (torch.tensor(one, device=policy.device) for one in (rows, masks))
    sums = []
    with torch.no_grad():
        logits = policy.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        for row, (tokens, own) in enumerate(texts):
            scores = torch.log_softmax(logits[row, own - 1 : len(tokens) - 1].float(), dim=-1)
            said = torch.tensor(tokens[own:], device=scores.device, dtype=torch.long)
            sums.append(float(scores.gather(-1, said.unsqueeze(-1)).sum()))
    return sums
