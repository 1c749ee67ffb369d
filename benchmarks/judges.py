"""How fast does a reward model learn and judge? Seconds a story, and the ratio to two plain alternatives.

    python benchmarks/judges.py [--stories 8] [--rounds 2] [--dtype bfloat16]

A classifier on the embedded model with the LoRA layers of recipes/judges/judge_smollm2.yaml; the pairs of some stories,
their loss and its gradients (training), and their scores alone (judging). In the same run, on the same pairs, in turn:

* as we do it: all texts of a story as one tree of tokens, attention by products and a softmax in blocks;
* fused attention: the same tree with PyTorch's fused kernel;
* texts one by one: each of the texts by itself, as a stock RewardTrainer reads them, four pairs a batch, padded.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model

from socialr1_lite.judges.token_tree import ATTENTION, grow, tree_scores
from socialr1_lite.pairs import make_pairs
from socialr1_lite.recipe.judge import load_judge_recipe
from socialr1_lite.training.reward_model import lora_config, token_rows, untrained

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "judges" / "judge_smollm2.yaml"
TOGETHER = 4  # pairs of a padded batch

Row = dict[str, list[list[int]]]


def as_tree(model: Any, row: Row) -> Any:
    """Score a story's texts, chosen ones first."""
    return tree_scores(model, grow([*row["chosen_ids"], *row["rejected_ids"]]))


def one_by_one(model: Any, row: Row) -> Any:
    """Score each text with its own copy of the story."""
    texts, scores = [*row["chosen_ids"], *row["rejected_ids"]], []
    for start in range(0, len(texts), 2 * TOGETHER):
        batch = texts[start : start + 2 * TOGETHER]
        longest = max(len(ids) for ids in batch)
        padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in batch])
        real = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in batch])
        inner = model.get_base_model()
        hidden = inner.base_model(input_ids=padded, attention_mask=real, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(batch)), real.sum(1) - 1]
        scores.append(inner.score(last.float())[:, 0])
    return torch.cat(scores)


def measured(model: Any, rows: Sequence[Row], scores: Callable[[Any, Row], Any]) -> tuple[float, float]:
    """Measure seconds a story of training and of judging."""
    start = time.perf_counter()
    for row in rows:
        chosen, rejected = scores(model, row).chunk(2)
        (-torch.nn.functional.logsigmoid(chosen - rejected).mean()).backward()
    trained = time.perf_counter()
    with torch.no_grad():
        for row in rows:
            scores(model, row)
    return (trained - start) / len(rows), (time.perf_counter() - trained) / len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    args = parser.parse_args()
    if min(args.stories, args.rounds) < 1:
        parser.error(f"--stories {args.stories}, --rounds {args.rounds}: give 1 or more")
    recipe = load_judge_recipe(RECIPE, [f"model.dtype={args.dtype}"])
    base, tokenizer = untrained(recipe)
    model = get_peft_model(base, lora_config(recipe))
    rows = token_rows(tokenizer, make_pairs(40 * args.stories), recipe.model.max_length)[: args.stories]
    pairs = sum(len(row["chosen_ids"]) for row in rows)
    flat = sum(len(ids) for row in rows for side in row.values() for ids in side)
    trees = sum(len(grow([*row["chosen_ids"], *row["rejected_ids"]]).tokens) for row in rows)
    print(f"{len(rows)} stories, {pairs} pairs, {args.dtype}, {torch.get_num_threads()} threads")
    print(f"tokens a pair: {trees / pairs:.0f} in trees, {flat / pairs:.0f} one by one")
    ways: dict[str, tuple[str, Callable[[Any, Row], Any]]] = {
        "a tree, products and softmax": (ATTENTION, as_tree),
        "a tree, fused attention": ("sdpa", as_tree),
        "texts one by one": ("sdpa", one_by_one),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, (attention, scores) in ways.items():
            base.set_attn_implementation(attention)
            seconds[name].append(measured(model, rows, scores))
    ours = [statistics.median(one) for one in zip(*next(iter(seconds.values())), strict=True)]
    for name, times in seconds.items():
        train, judge = (statistics.median(one) for one in zip(*times, strict=True))
        print(
            f"{name:30s} training {train:6.2f} s a story ({train / ours[0]:5.2f} x)"
            f"   judging {judge:6.2f} s ({judge / ours[1]:5.2f} x)"
        )


if __name__ == "__main__":
    main()
