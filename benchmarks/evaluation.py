"""Items a second of this project's evaluation against the plain ways, on the same prompts, in one run.

    python benchmarks/evaluation.py --data DIR [--benchmark simpletom] [--items 24] [--model smollm2-135m]

Three ways, greedy, the same prompts, the same limit of new tokens, the same weights and dtype:

    one by one    a `transformers` generate loop over the stock model, one prompt at a time
    batched       what `evaluate` does: left-padded batches of prompts of like length, and the policy's own sampling
    lm-eval hf    lm-evaluation-harness's `hf` over the stock model, same batch size (pip install lm-eval)

Each is warmed up on two prompts that do not count. Prints a table: items a second by the clock, and processor seconds,
which tell the same story on a busy machine; and how many replies agree with the loop's (bfloat16 sums in another order
may flip a near tie, so a few may differ).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.evaluation import asking
from socialr1_lite.evaluation.answering import Sampling
from socialr1_lite.evaluation.target import find
from socialr1_lite.policy import Policy

Prompt = list[dict[str, str]]
Replies = Callable[[list[Prompt], int], list[str]]


def prompts(name: str, data: Path, count: int, style: str) -> list[Prompt]:
    """Return prompts of some items of a benchmark, drawn by seed."""
    benchmark = BENCHMARKS[name]
    plan = asking.AskingPlan(style, Sampling(1), limit=count)
    asks = benchmark.asks(asking.pick(benchmark.load(data), plan), 0, style in asking.OFFICIAL)[:count]
    return [asking.messages(benchmark, ask, plan) for ask in asks]


def batched(policy: Policy, size: int) -> Replies:
    """Return the policy's own generation."""

    def answer(asked: list[Prompt], tokens: int) -> list[str]:
        return [one.text for one in policy.generate(asked, max_new_tokens=tokens, batch_size=size)]

    return answer


def stock_model(policy: Policy) -> Any:
    """Load the weights once more, as `transformers` does: without what the policy changed for speed."""
    from transformers import AutoModelForCausalLM

    config = policy.model.config
    return AutoModelForCausalLM.from_pretrained(config._name_or_path, dtype=config.dtype).to(policy.device).eval()


def one_by_one(policy: Policy, model: Any) -> Replies:
    """Return what one would write without thinking of speed."""
    import torch

    def answer(asked: list[Prompt], tokens: int) -> list[str]:
        out = []
        for prompt in asked:
            text = policy.prompt_text(prompt)
            encoded = policy.tokenizer(text, return_tensors="pt", add_special_tokens=False).to(model.device)
            with torch.inference_mode():
                ids = model.generate(
                    **encoded, max_new_tokens=tokens, do_sample=False, pad_token_id=policy.tokenizer.pad_token_id
                )
            out.append(policy.tokenizer.decode(ids[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True))
        return out

    return answer


def harness(policy: Policy, stock: Any, size: int) -> Replies | None:
    """Return lm-evaluation-harness's `hf` model over the same weights; None where it is not installed."""
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError:
        return None
    model = HFLM(pretrained=stock, tokenizer=policy.tokenizer, batch_size=size, add_bos_token=False)

    def answer(asked: list[Prompt], tokens: int) -> list[str]:
        how: dict[str, Any] = {"until": [], "max_gen_toks": tokens, "do_sample": False}
        texts = [policy.prompt_text(prompt) for prompt in asked]
        instances = [Instance("generate_until", {}, (text, dict(how)), n) for n, text in enumerate(texts)]
        return list(model.generate_until(instances, disable_tqdm=True))

    return answer


class Timed(NamedTuple):
    """What a way took for all prompts, and its replies. processor: seconds over all cores."""

    clock: float
    processor: float
    replies: list[str]


def timed(answer: Replies, asked: list[Prompt], tokens: int) -> Timed:
    """Measure after a warm-up."""
    answer(asked[:2], 4)
    clock, processor = time.perf_counter(), time.process_time()
    replies = answer(asked, tokens)
    return Timed(time.perf_counter() - clock, time.process_time() - processor, replies)


def row(name: str, way: Timed, loop: Timed) -> str:
    """Return one line of the table."""
    n = len(way.replies)
    same = sum(a.strip() == b.strip() for a, b in zip(way.replies, loop.replies, strict=True))
    return (
        f"{name:12} {n / way.clock:8.2f} {way.clock:9.1f} {loop.clock / way.clock:7.2f} {way.processor:13.1f} "
        f"{loop.processor / way.processor:7.2f}   {same} of {n}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--benchmark", default="simpletom", choices=BENCHMARKS)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--prompt", default="sip", choices=asking.STYLES)
    args = parser.parse_args()
    import torch

    policy = find(args.model, backend="transformers").load()
    asked = prompts(args.benchmark, args.data, args.items, args.prompt)
    texts = [policy.prompt_text(prompt) for prompt in asked]
    lengths = [len(ids) for ids in policy.tokenizer(texts, add_special_tokens=False)["input_ids"]]
    print(
        f"{len(texts)} prompts of {args.benchmark} ({min(lengths)} to {max(lengths)} tokens), up to {args.tokens} new "
        f"tokens, {args.model} on {policy.device} ({torch.get_num_threads()} threads), batches of {args.batch_size}"
    )
    print(
        f"{'':12} {'items/s':>8} {'seconds':>9} {'x loop':>7} {'processor s':>13} {'x loop':>7}   replies as the loop's"
    )
    stock = stock_model(policy)
    loop = timed(one_by_one(policy, stock), asked, args.tokens)
    print(row("one by one", loop, loop), flush=True)
    print(row("batched", timed(batched(policy, args.batch_size), asked, args.tokens), loop), flush=True)
    if other := harness(policy, stock, args.batch_size):
        print(row("lm-eval hf", timed(other, asked, args.tokens), loop))
    else:
        print("lm-eval hf   not installed: pip install lm-eval")


if __name__ == "__main__":
    main()
