"""Items a second of this project's evaluation against the plain ways, on the same prompts, in one run.

    python benchmarks/evaluation.py --data DIR [--benchmark hi-tom] [--items 16] [--model smollm2-135m]

Three ways, greedy, the same prompts, the same limit of new tokens, the same weights and dtype:

    batched       what `evaluate` does: left-padded batches of prompts of like length
    one by one    a `transformers` generate loop, one prompt at a time
    lm-eval       lm-evaluation-harness's `hf` model, if it is installed (pip install lm-eval), same batch size

Each is warmed up on two prompts that do not count. Prints a table, and how many replies agree with the loop's
(bfloat16 sums in another order may flip a near tie, so a few may differ).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.evaluation import asking
from socialr1_lite.evaluation.answering import Sampling
from socialr1_lite.evaluation.target import find
from socialr1_lite.policy import Policy

Prompt = list[dict[str, str]]
Replies = Callable[[list[Prompt], int], list[str]]


def prompts(name: str, data: Path, count: int, style: str) -> list[Prompt]:
    """Prompts of some items of a benchmark, drawn by seed."""
    benchmark = BENCHMARKS[name]
    plan = asking.Plan(style, Sampling(1), limit=count)
    asks = benchmark.asks(asking.pick(benchmark.load(data), plan), 0, style in asking.OFFICIAL)[:count]
    return [asking.messages(benchmark, ask, plan) for ask in asks]


def batched(policy: Policy, size: int) -> Replies:
    """The policy's own generation."""

    def answer(asked: list[Prompt], tokens: int) -> list[str]:
        return [told.text for told in policy.generate(asked, max_new_tokens=tokens, batch_size=size)]

    return answer


def one_by_one(policy: Policy) -> Replies:
    """What one would write without thinking of speed."""
    import torch

    def answer(asked: list[Prompt], tokens: int) -> list[str]:
        out = []
        for prompt in asked:
            text = policy.prompt_text(prompt)
            encoded = policy.tokenizer(text, return_tensors="pt", add_special_tokens=False).to(policy.model.device)
            with torch.inference_mode():
                ids = policy.model.generate(
                    **encoded, max_new_tokens=tokens, do_sample=False, pad_token_id=policy.tokenizer.pad_token_id
                )
            out.append(policy.tokenizer.decode(ids[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True))
        return out

    return answer


def harness(policy: Policy, size: int) -> Replies | None:
    """lm-evaluation-harness's `hf` model over the same weights; None where it is not installed."""
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError:
        return None
    model = HFLM(pretrained=policy.model, tokenizer=policy.tokenizer, batch_size=size, add_bos_token=False)

    def answer(asked: list[Prompt], tokens: int) -> list[str]:
        how: dict[str, Any] = {"until": [], "max_gen_toks": tokens, "do_sample": False}
        texts = [policy.prompt_text(prompt) for prompt in asked]
        instances = [Instance("generate_until", {}, (text, dict(how)), n) for n, text in enumerate(texts)]
        return list(model.generate_until(instances, disable_tqdm=True))

    return answer


def timed(answer: Replies, asked: list[Prompt], tokens: int) -> tuple[float, list[str]]:
    """Seconds for all prompts, after a warm-up, and the replies."""
    answer(asked[:2], 4)
    started = time.perf_counter()
    told = answer(asked, tokens)
    return time.perf_counter() - started, told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--benchmark", default="hi-tom", choices=BENCHMARKS)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--prompt", default="sip", choices=asking.STYLES)
    told = parser.parse_args()
    policy = find(told.model, backend="transformers").load()
    asked = prompts(told.benchmark, told.data, told.items, told.prompt)
    texts = [policy.prompt_text(prompt) for prompt in asked]
    lengths = [len(ids) for ids in policy.tokenizer(texts, add_special_tokens=False)["input_ids"]]
    print(
        f"{len(texts)} prompts of {told.benchmark} ({min(lengths)} to {max(lengths)} tokens), up to {told.tokens} new "
        f"tokens, {told.model} on {policy.device}, batches of {told.batch_size}"
    )
    ways = {
        "one by one": one_by_one(policy),
        "batched": batched(policy, told.batch_size),
        "lm-eval hf": harness(policy, told.batch_size),
    }
    loop: tuple[float, list[str]] | None = None
    for name, answer in ways.items():
        if answer is None:
            print(f"{name:12} not installed")
            continue
        seconds, replies = timed(answer, asked, told.tokens)
        loop = loop or (seconds, replies)
        same = sum(a.strip() == b.strip() for a, b in zip(replies, loop[1], strict=True))
        print(
            f"{name:12} {len(texts) / seconds:6.2f} items/s  {seconds:7.1f} s  x{loop[0] / seconds:.2f}  "
            f"{same} of {len(texts)} replies as in the loop"
        )


if __name__ == "__main__":
    main()
