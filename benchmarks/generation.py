"""Sampling on a CPU: the policy's quicker way against stock transformers + PEFT, side by side in one process.

    python benchmarks/generation.py [--batch 16] [--prompt 250] [--new 60] [--rounds 3]

Each of the four changes of `speed_up_cpu_sampling` is also switched off alone, to show what it is worth.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time

from socialr1_lite.policy import generation, load_policy
from socialr1_lite.recipe import Model


def main() -> None:
    """Take turns and print tokens a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--batch", 16), ("--prompt", 250), ("--new", 60), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=default)
    args = parser.parse_args()

    import torch

    policy = load_policy(Model(), trainable=True)
    model, head = policy.model, policy.model.get_output_embeddings()
    model.eval()
    hooks = dict(head._forward_pre_hooks)
    folded, packed = generation.folded_adapter, generation.packed_weights

    def sample(*, fold: bool = True, attend: bool = True, rows: bool = True, pack: bool = True) -> float:
        generation.folded_adapter = folded if fold else lambda _: contextlib.nullcontext()
        generation.packed_weights = packed if pack else lambda _: contextlib.nullcontext()
        model.set_attn_implementation(generation.CPU_ATTENTION if attend else "sdpa")
        head._forward_pre_hooks.clear()
        head._forward_pre_hooks.update(hooks if rows else {})
        ids = torch.randint(100, 40_000, (args.batch, args.prompt))
        started = time.perf_counter()
        with torch.no_grad():
            model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=args.new,
                min_new_tokens=args.new,
                do_sample=True,
                pad_token_id=policy.tokenizer.pad_token_id,
            )
        return args.batch * args.new / (time.perf_counter() - started)

    ways = {
        "stock": {"fold": False, "attend": False, "rows": False, "pack": False},
        "ours": {},
        "ours, adapter not folded": {"fold": False},
        "ours, SDPA for one query": {"attend": False},
        "ours, strided rows to the head": {"rows": False},
        "ours, weights not laid out": {"pack": False},
    }
    sample()
    found = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, switches in ways.items():
            found[name].append(sample(**switches))
    stock = statistics.median(found["stock"])
    print(f"SmolLM2-135M + LoRA, {args.batch} x ({args.prompt} + {args.new}) tokens, median of {args.rounds} in turn")
    for name, rates in found.items():
        print(f"  {name:32} {statistics.median(rates):7.1f} tokens/s   x {statistics.median(rates) / stock:.2f}")


if __name__ == "__main__":
    main()
