"""A step of GRPO on a CPU against TRL over Unsloth's CPU backend as a user would write it: the ratio in one run.

    python benchmarks/step.py [--groups 2] [--generations 6] [--tokens 110] [--rounds 3] [--threads 2]
    python benchmarks/step.py --curve generations | tokens | size | threads      (on a machine that is idle)

Three trainers take turns in one process on the same prompts: the anchor (TRL's GRPOTrainer around a model of Unsloth's
loader), this package as it is by default, and this package with `grpo.share_prefix`. All are asked for the same number
of tokens: no text ends before the limit, so that finished rows, which leave our batch, win nothing here. The rewards
are the same function. Prints medians of seconds for a step (groups x generations completions), wall clock and
processor time; beside other processes only the ratios mean something, and those of the processor time more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from socialr1_lite.policy import Policy, choose_backend, load_policy
from socialr1_lite.policy.embedded import embedded_model
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import generate
from socialr1_lite.training import grpo, grpo_config, grpo_shared

RECIPE = Path(__file__).parents[1] / "recipes" / "cpu_smollm2.yaml"
NEVER = 5  # a special token of SmolLM2's that no text has: what ends a completion here
WAYS = ("anchor", "ours", "ours, shared")
PARTS = ("sampling", "scoring", "training")
SIZES = {"14M": (192, 3, 12), "47M": (384, 6, 18), "134M": (576, 9, 30)}  # hidden, heads, layers; a third for keys
CURVES: dict[str, tuple[Any, ...]] = {
    "generations": (2, 4, 8, 16),
    "tokens": (50, 100, 200, 400),
    "size": tuple(SIZES),
    "threads": (1, 2),
}

Seconds = dict[str, list[float]]  # by part: of the wall clock and of the processor


@dataclass(frozen=True)
class Setting:
    """A step: prompts, completions of each, tokens of each; on so many threads. size: of a random model, or ""."""

    groups: int
    generations: int
    tokens: int
    threads: int
    size: str = ""


def recipe_of(setting: Setting, folder: Path, *, shared: bool) -> Recipe:
    """The embedded recipe with a group in each micro-batch, as it has it."""
    model = random_model(setting.size, folder) if setting.size else "smollm2-135m"
    changes = {
        "model.name": model,
        "model.max_seq_length": 448 + setting.tokens,
        "grpo.share_prefix": shared,
        "grpo.num_generations": setting.generations,
        "grpo.per_device_train_batch_size": setting.generations,
        "grpo.gradient_accumulation_steps": setting.groups,
        "grpo.max_completion_length": setting.tokens,
        "rewards.length.min_tokens": min(40, setting.tokens // 2),
    }
    return load_recipe(
        RECIPE, [f"{name}={str(value).lower() if value is shared else value}" for name, value in changes.items()]
    )


def random_model(size: str, folder: Path) -> Path:
    """A Llama of this size with random weights and SmolLM2's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    hidden, heads, layers = SIZES[size]
    out = folder / size
    if not out.is_dir():
        tokenizer = AutoTokenizer.from_pretrained(embedded_model())
        shape = {"hidden_size": hidden, "intermediate_size": hidden * 8 // 3, "num_hidden_layers": layers}
        shape |= {"num_attention_heads": heads, "num_key_value_heads": heads // 3, "vocab_size": len(tokenizer)}
        config = LlamaConfig(**shape, tie_word_embeddings=True, eos_token_id=2, pad_token_id=2, bos_token_id=1)
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(out)
        tokenizer.save_pretrained(out)
    return out


def anchor_policy(recipe: Recipe) -> Policy:
    """Load as Unsloth's notebooks do: its loader, its adapter, nothing of ours."""
    from unsloth import FastLanguageModel

    name, lora = recipe.model.name, recipe.model.lora
    source = str(embedded_model()) if name == "smollm2-135m" else name
    model, tokenizer = FastLanguageModel.from_pretrained(source, recipe.model.max_seq_length, load_in_4bit=False)
    model = FastLanguageModel.get_peft_model(model, r=lora.r, lora_alpha=lora.alpha, use_gradient_checkpointing=False)
    return Policy(model, tokenizer, "unsloth", source, quantized=False)


class Step:
    """One trainer, whose steps are taken one by one and timed by parts."""

    def __init__(self, way: str, setting: Setting, folder: Path, scenarios: list[Scenario]) -> None:
        import datasets
        import trl

        recipe = recipe_of(setting, folder, shared=way == "ours, shared")
        policy = (
            anchor_policy(recipe)
            if way == "anchor"
            else load_policy(recipe.model, trainable=True, share_prefix=recipe.grpo.share_prefix)
        )
        stack = RewardStack(recipe.rewards, say=lambda _: None)
        rewards = grpo.TrlRewardAdapter(stack, scenarios, recipe, policy.tokenizer, {NEVER}, prefilled=False)
        kind = grpo_shared.sharing(trl.GRPOTrainer) if policy.share_prefix else trl.GRPOTrainer
        settings = grpo_config.grpo_settings(recipe, policy, folder / "out")
        self.rows = [row for row in grpo.prompt_rows(scenarios, recipe) for _ in range(setting.generations)]
        self.trainer = trainer = kind(
            model=policy.model,
            reward_funcs=rewards.functions(),
            args=grpo_config.build_config(settings, processes=1, full_device=False),
            train_dataset=datasets.Dataset.from_list(self.rows),
            processing_class=policy.tokenizer,
        )
        trainer.eos_token_ids = trainer.generation_config.eos_token_id = trainer.generation_kwargs["eos_token_id"] = [
            NEVER
        ]
        trainer.current_gradient_accumulation_steps = setting.groups
        trainer.create_optimizer()
        trainer.model.train()
        self.groups, self.spent = setting.groups, Seconds()
        trainer._generate = self.timed("sampling", trainer._generate)
        trainer._calculate_rewards = self.timed("scoring", trainer._calculate_rewards)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose seconds are added to the part's."""

        def run(*args: Any, **kwargs: Any) -> Any:
            before = clocks()
            out = function(*args, **kwargs)
            self.spent[part] = [now - then for now, then in zip(clocks(), before, strict=True)]
            return out

        return run

    def take(self) -> Seconds:
        """Sample, score and train once."""
        trainer, before = self.trainer, clocks()
        trainer._step, trainer._buffered_inputs = 0, None
        for _ in range(self.groups):
            trainer.training_step(trainer.model, self.rows, None)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        whole = [now - then for now, then in zip(clocks(), before, strict=True)]
        others = [self.spent["sampling"], self.spent["scoring"]]
        self.spent["training"] = [all_ - sum(rest) for all_, *rest in zip(whole, *others, strict=True)]
        written = trainer._buffered_inputs[0]["completion_mask"].sum()
        assert written == trainer._buffered_inputs[0]["completion_mask"].numel(), "a text ended before the limit"
        return dict(self.spent)


def clocks() -> tuple[float, float]:
    """Seconds of the wall clock, and of the processor for this process."""
    return time.perf_counter(), time.process_time()


def measure(setting: Setting, rounds: int, folder: Path) -> dict[str, Seconds]:
    """Let the three take turns; medians by way and part."""
    import torch

    choose_backend("unsloth")  # which must be imported before trl
    torch.set_num_threads(setting.threads)
    scenarios = list(generate(setting.groups, seed=5, dimensions=("belief",), orders=(1,), split="train"))[
        : setting.groups
    ]
    steps = {way: Step(way, setting, folder, scenarios) for way in WAYS}
    taken: dict[str, list[Seconds]] = {way: [] for way in steps}
    for turn in range(rounds + 1):
        for way, step in steps.items():
            found = step.take()
            taken[way] += [found] if turn else []  # the first is to warm up
            told = ", ".join(f"{part} {wall:.1f} s ({busy:.1f})" for part, (wall, busy) in found.items())
            print(f"turn {turn} of {rounds}, {way}: {told}", file=sys.stderr, flush=True)
    return {
        way: {part: [statistics.median(one[part][clock] for one in all_) for clock in (0, 1)] for part in PARTS}
        for way, all_ in taken.items()
    }


def table(setting: Setting, found: dict[str, Seconds]) -> Iterator[str]:
    """Yield a step of each way by parts, and how many times faster than the anchor each is."""
    completions = setting.groups * setting.generations
    yield (
        f"{setting.groups} prompts x {setting.generations} completions x {setting.tokens} tokens = "
        f"{completions * setting.tokens} tokens, {setting.threads} threads, {setting.size or 'SmolLM2-135M'}"
    )
    yield f"  {'':14}" + "".join(f"{part:>24}" for part in (*PARTS, "step"))
    anchor = found["anchor"] | {"step": [sum(seconds) for seconds in zip(*found["anchor"].values(), strict=True)]}
    for way, parts in found.items():
        whole = parts | {"step": [sum(seconds) for seconds in zip(*parts.values(), strict=True)]}
        cells = []
        for part in (*PARTS, "step"):
            (wall, busy), ratios = whole[part], [a / b for a, b in zip(anchor[part], whole[part], strict=True)]
            cells.append(f"{wall:6.2f} s x{ratios[0]:4.2f} ({busy:5.1f} x{ratios[1]:4.2f})")
        yield f"  {way:14}" + "".join(f"{cell:>24}" for cell in cells)


def main() -> None:
    """Measure one setting, or one after the other along a curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    for name, default in (("groups", 2), ("generations", 6), ("tokens", 110), ("rounds", 3), ("threads", threads)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--size", choices=SIZES, default="", help="a random model instead of SmolLM2")
    parser.add_argument("--curve", choices=CURVES, help="measure for each of several values of this")
    args = parser.parse_args()
    setting = Setting(args.groups, args.generations, args.tokens, args.threads, args.size)
    settings = [setting]
    if args.curve:
        settings = [replace(setting, **{args.curve: value}) for value in CURVES[args.curve]]
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("seconds of the wall clock, how many times the anchor's pace (the same of the processor's time)")
    with tempfile.TemporaryDirectory() as scratch:
        for one in settings:
            print("\n".join(table(one, measure(one, args.rounds, Path(scratch)))), flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
