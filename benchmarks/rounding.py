"""How far a shared prompt's log-probabilities and gradients are from whole sequences', beside what bfloat16 rounds.

    python benchmarks/rounding.py [--completions 4] [--tokens 40]

SmolLM2-135M with an adapter whose B is drawn, and completions that it draws itself to one generated question. Each row
is compared with whole sequences in float32: log-probabilities, mean and largest difference, and the gradient of their
sum by the adapter, the norm of the difference as a share of its norm.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from trl.trainer.utils import add_fused_lm_head

from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.recipe import Model, Recipe
from socialr1_lite.rollouts.prompting import messages
from socialr1_lite.stories import generate
from socialr1_lite.training.grpo_shared import read_together


class Found(NamedTuple):
    """Of (B, T) completion tokens, and the gradient of their sum, all weights of the adapter behind each other."""

    log_probs: torch.Tensor
    gradient: torch.Tensor


def loaded(dtype: str, *, shared: bool) -> Policy:
    """Load the model with the same adapter each time."""
    settings = Model(backend="transformers", dtype=dtype)
    policy = load_policy(settings, trainable=True, seed=1, share_prefix=shared)
    drawn = torch.Generator().manual_seed(2)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            weight.data.copy_(torch.randn(weight.shape, generator=drawn) * 0.01)
    return policy


def read(policy: Policy, ids: torch.Tensor, kept: int, *, shared: bool) -> Found:
    """Read the last `kept` tokens of each row, with gradients."""
    policy.model.train()
    if shared:
        add_fused_lm_head(policy.model.get_base_model(), outputs=("log_probs", "entropy"))  # as TRL's trainer does
        log_probs, _ = read_together(policy.model, ids, torch.ones_like(ids), kept)
    else:
        logits = policy.model(input_ids=ids, use_cache=False).logits[:, -kept - 1 : -1].float()
        log_probs = logits.log_softmax(-1).gather(-1, ids[:, -kept:, None])[..., 0]
    log_probs.sum().backward()
    grads = [weight.grad.float().flatten() for weight in policy.model.parameters() if weight.grad is not None]
    return Found(log_probs.detach().float(), torch.cat(grads))


def main() -> None:
    """Draw the completions, read them each way, print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--completions", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=40)
    args = parser.parse_args()

    exact = loaded("float32", shared=False)
    (question,) = generate(1, dimensions=["belief"], orders=[1])
    prompt = exact._encode([exact.prompt_text(messages(question, Recipe()))])["input_ids"]
    torch.manual_seed(3)
    wanted = {"max_new_tokens": args.tokens, "min_new_tokens": args.tokens, "do_sample": True}
    with torch.no_grad():
        ids = exact.model.generate(
            input_ids=(asked := prompt.repeat(args.completions, 1)),
            attention_mask=torch.ones_like(asked),
            pad_token_id=exact.tokenizer.pad_token_id,
            **wanted,
        )
    print(f"{args.completions} completions of {args.tokens} tokens behind {prompt.shape[1]}")
    whole = read(exact, ids, args.tokens, shared=False)
    for dtype, shared in (("float32", True), ("bfloat16", False), ("bfloat16", True)):
        found = read(loaded(dtype, shared=shared), ids, args.tokens, shared=shared)
        apart = (found.log_probs - whole.log_probs).abs()
        share = float((found.gradient - whole.gradient).norm() / whole.gradient.norm())
        name = f"{dtype}, {'shared' if shared else 'whole sequences'}"
        print(f"{name:26} {float(apart.mean()):.2g} ({float(apart.max()):.2g})  gradient {share:.2g} apart")


if __name__ == "__main__":
    main()
