"""Train a reward model on stage-level pairs.

    python -m socialr1_lite.train_judge recipes/judges/judge_smollm2.yaml [key=value ...] [--check]

Writes a folder that the `reward_model` judge loads, with pairwise accuracy on held-out pairs (whole, by stage, by kind,
with 95 % intervals) and calibration in its judge.json. The same command goes on with a training that was cut short.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import fmean
from typing import Any

from socialr1_lite.errors import PolicyError, RecipeError, command
from socialr1_lite.judges.classifier import (
    RECORD,
    RECORD_VERSION,
    base_folder,
    load_base,
    load_judge,
    logits,
    sigmoid,
    token_ids,
)
from socialr1_lite.judges.reward_model import judged_text
from socialr1_lite.judges.token_tree import grow, tree_scores
from socialr1_lite.pairs import Pair, make_pairs, read_pairs
from socialr1_lite.plan.checking import check_judge_recipe
from socialr1_lite.recipe.judge import JudgeRecipe, load_judge_recipe
from socialr1_lite.runlog import RunFolder, mark_complete, newest_complete, write_atomic
from socialr1_lite.statistics import wilson

PROBES = 4  # pairs whose texts are kept with their scores
BEGUN = ".begun"  # after the judge's name: the folder of a training that is not finished
BINS = 5  # of the calibration table
SCORE_HEADS = ["score"]  # without it PEFT keeps the adapter and loses the head


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, save, load again, measure, and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.train_judge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", help="a judge recipe, such as recipes/judges/judge_smollm2.yaml")
    parser.add_argument("overrides", nargs="*", help="section.key=value")
    parser.add_argument("--check", action="store_true", help="only check the recipe and its pairs; loads no weights")
    args = parser.parse_intermixed_args(arguments)
    recipe = load_judge_recipe(args.recipe, args.overrides)
    check_judge_recipe(recipe, args.recipe, args.overrides)
    if args.check:
        print(f"{args.recipe}: fine. {recipe.training.max_steps} steps on {recipe.pairs.size} pairs at most")
        return 0
    folder = Path(recipe.run.root) / str(recipe.run.name)
    report = train_judge(recipe, folder)
    print(json.dumps(report, indent=2, ensure_ascii=False))
    print(f"the judge is in {folder}", file=sys.stderr)
    return 0


def train_judge(recipe: JudgeRecipe, folder: Path) -> dict[str, Any]:
    """Train and write the folder, whole or not at all. Returns the figures on held-out pairs.

    Checkpoints lie in a folder beside it until then, and the same call goes on from the newest whole one.
    """
    if folder.exists():
        raise RecipeError(f"{folder} exists already; give another run.name or remove it")
    train, heldout = _pairs(recipe)
    base = untrained(recipe)  # a wrong name must leave nothing behind
    begun = RunFolder(folder.with_name(f"{folder.name}{BEGUN}"))
    begun.checkpoints.mkdir(parents=True, exist_ok=True)
    with begun.lock():
        made = begun.path / "judge"
        _settle(recipe, begun, made)
        if not (made / RECORD).exists():  # written last
            _fit(recipe, base, train, heldout[:PROBES], begun, made)
        model, tokenizer = load_judge(made)  # the very thing that judges later, its probes checked
        scores = _scores(recipe, model, tokenizer, heldout)
        report = measure(heldout, scores)
        record = json.loads((made / RECORD).read_text(encoding="utf-8"))
        record |= {"center": report["center"], "report": report}
        write_atomic(made / RECORD, json.dumps(record, indent=2, ensure_ascii=False).encode())
        write_atomic(made / "recipe.yaml", recipe.to_yaml().encode())
        os.replace(made, folder)
    shutil.rmtree(begun.path)
    return report


def _settle(recipe: JudgeRecipe, begun: RunFolder, made: Path) -> None:
    """Write down what this training is. Raises RecipeError when other settings have done work in the folder."""
    told, known = recipe.to_yaml(), begun.recipe.read_text(encoding="utf-8") if begun.recipe.exists() else None
    if known not in (None, told) and ((made / RECORD).exists() or newest_complete(begun, set_aside=False).path):
        raise RecipeError(
            f"{begun.path} holds a training that was begun with other settings (its recipe.yaml); "
            "remove it to begin anew, or give another run.name"
        )
    write_atomic(begun.recipe, told.encode())


def measure(pairs: Sequence[Pair], scores: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Pairwise accuracy with Wilson intervals, and calibration of sigmoid(chosen - rejected).

    scores: logits of chosen and rejected, a pair each. A tie counts as wrong. center: the mean logit.
    """
    right = [chosen > rejected for chosen, rejected in scores]
    sure = [sigmoid(abs(chosen - rejected)) for chosen, rejected in scores]
    bins: list[dict[str, float]] = []
    for b in range(BINS):
        low, high = 0.5 + b * 0.5 / BINS, 0.5 + (b + 1) * 0.5 / BINS
        inside = [i for i, one in enumerate(sure) if low <= one < high or (b == BINS - 1 and one >= high)]
        if inside:
            confidence, accuracy = fmean(sure[i] for i in inside), fmean(right[i] for i in inside)
            bins.append({"n": len(inside), "confidence": confidence, "accuracy": accuracy})
    return {
        "accuracy": _share(right),
        "stages": _grouped([pair.stage for pair in pairs], right),
        "kinds": _grouped([pair.kind for pair in pairs], right),
        "calibration": bins,
        "calibration_error": sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(pairs),
        "log_loss": fmean(-log(max(1e-12, sigmoid(chosen - rejected))) for chosen, rejected in scores),
        "center": fmean(one for pair in scores for one in pair),
    }


def _share(right: Sequence[bool]) -> dict[str, float]:
    return {**wilson(sum(right), len(right))._asdict(), "n": len(right)}


def _grouped(labels: Sequence[str], right: Sequence[bool]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[bool]] = {}
    for label, one in zip(labels, right, strict=True):
        groups.setdefault(label, []).append(one)
    return {label: _share(groups[label]) for label in sorted(groups)}


def _pairs(recipe: JudgeRecipe) -> tuple[list[Pair], list[Pair]]:
    told = recipe.pairs

    def of(source: str, n: int, split: str) -> list[Pair]:
        if source == "gold":
            return make_pairs(n, seed=told.seed, split=split, dimensions=told.dimensions, orders=told.orders)
        return read_pairs(Path(source))[:n]

    return of(told.source, told.size, "train"), of(told.heldout_source, told.heldout, "test")


def _texts(pair: Pair) -> tuple[str, str]:
    """What the model reads of the two sides."""
    sides = (pair.chosen, pair.rejected)
    chosen, rejected = (judged_text(pair.scenario, pair.stage, text, pair.context, pair.answer) for text in sides)
    return chosen, rejected


def _scores(recipe: JudgeRecipe, model: Any, tokenizer: Any, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    flat = [text for pair in pairs for text in _texts(pair)]
    told = logits(model, tokenizer, flat, max_length=recipe.model.max_length)
    return list(zip(told[::2], told[1::2], strict=True))


def _fit(
    recipe: JudgeRecipe,
    base: tuple[Any, Any],
    pairs: Sequence[Pair],
    probes: Sequence[Pair],
    begun: RunFolder,
    folder: Path,
) -> None:
    """Train from the newest whole checkpoint, if any; save adapter (with its score head), tokenizer and record."""
    import datasets
    import torch
    import trl

    model, tokenizer = base
    length, told = recipe.model.max_length, recipe.training
    rows = token_rows(tokenizer, pairs, length)
    newest = newest_complete(begun)
    for notice in newest.notices:
        print(notice, file=sys.stderr)
    if newest.path:
        print(f"going on from {newest.path.name} of {told.max_steps}", file=sys.stderr)
    with contextlib.redirect_stdout(sys.stderr):
        trainer = _trainer_class()(
            model=model,
            args=trl.RewardConfig(
                output_dir=str(begun.checkpoints),
                **told.model_dump(),
                max_length=None,  # cut already, from the front: TRL would drop the pair
                gradient_checkpointing=recipe.model.gradient_checkpointing,
                bf16=torch.cuda.is_available() and recipe.model.dtype == "bfloat16",
                seed=recipe.run.seed,
                data_seed=recipe.run.seed,
                save_strategy="steps",
                save_steps=recipe.run.save_steps,
                save_total_limit=2,
                eval_strategy="no",
                report_to=[],
                logging_steps=10,
            ),
            data_collator=list,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=lora_config(recipe),
        )
        trainer.add_callback(_marker(begun))
        trainer.train(resume_from_checkpoint=str(newest.path) if newest.path else None)
    trained = trainer.model.eval()
    texts = [text for pair in probes for text in _texts(pair)]
    trained.save_pretrained(folder / "adapter")
    tokenizer.save_pretrained(folder / "tokenizer")
    record = {
        "version": RECORD_VERSION,
        "base": recipe.model.name,
        "revision": recipe.model.revision,
        "dtype": recipe.model.dtype,
        "max_length": length,
        "center": 0.0,
        "probes": [
            {"text": text, "logit": logit}
            for text, logit in zip(texts, logits(trained, tokenizer, texts, max_length=length), strict=True)
        ],
    }
    write_atomic(folder / RECORD, json.dumps(record).encode())


def _marker(begun: RunFolder) -> Any:
    """A callback that marks each checkpoint as whole. After the last step the judge itself is saved instead."""
    from transformers import TrainerCallback

    class Marker(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps:
                control.should_save = False

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            mark_complete(begun, begun.checkpoints / f"checkpoint-{state.global_step}")

    return Marker()


def token_rows(tokenizer: Any, pairs: Sequence[Pair], length: int) -> list[dict[str, list[list[int]]]]:
    """Token ids of the pairs, those of one scenario in one row: they begin alike, and are read together."""
    rows: dict[str, dict[str, list[list[int]]]] = {}
    for pair in pairs:
        row = rows.setdefault(pair.scenario.id, {"chosen_ids": [], "rejected_ids": []})
        for side, text in zip(row.values(), _texts(pair), strict=True):
            side.append(token_ids(tokenizer, text, length))
    return list(rows.values())


def _trainer_class() -> Any:
    """TRL's RewardTrainer with its loss over the pairs of a scenario, whose common beginning is read once."""
    import torch
    import trl

    class ScenarioRewardTrainer(trl.RewardTrainer):  # type: ignore[misc]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            margins, scores = [], []
            for row in inputs:
                told = tree_scores(model, grow([*row["chosen_ids"], *row["rejected_ids"]]))
                chosen, rejected = told.chunk(2)
                margins.append(chosen - rejected)
                scores.append(chosen + rejected)
            margin = torch.cat(margins)
            loss = -torch.nn.functional.logsigmoid(margin).mean()
            loss = loss + self.args.center_rewards_coefficient * torch.cat(scores).square().mean()
            self._metrics["train"]["accuracy"].append((margin > 0).float().mean().item())
            self._metrics["train"]["margin"].append(margin.mean().item())
            return (loss, None) if return_outputs else loss

    return ScenarioRewardTrainer


def lora_config(recipe: JudgeRecipe) -> Any:
    """The recipe's adapter around a sequence classifier, whose score head is saved with it."""
    from peft import LoraConfig

    lora = recipe.model.lora
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        use_rslora=lora.rslora,
        task_type="SEQ_CLS",
        modules_to_save=SCORE_HEADS,
    )


def untrained(recipe: JudgeRecipe) -> tuple[Any, Any]:
    """The base model with one label, its score head drawn by run.seed, and its tokenizer with a padding token.

    Raises PolicyError when the base cannot be loaded or has none of the layers that the recipe names.
    """
    import torch
    from peft.tuners.tuners_utils import check_target_module_exists
    from transformers import AutoTokenizer, BitsAndBytesConfig, set_seed

    set_seed(recipe.run.seed)
    told, how = recipe.model, {}
    if told.load_in_4bit:
        how["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            llm_int8_skip_modules=SCORE_HEADS,
            bnb_4bit_compute_dtype=getattr(torch, told.dtype),
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(base_folder(told.name), revision=told.revision)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        model = load_base(told.name, tokenizer, revision=told.revision, dtype=told.dtype, **how)
    except (OSError, ValueError) as wrong:
        first = next(iter(str(wrong).splitlines()), type(wrong).__name__)
        raise PolicyError(f"model.name: cannot load {told.name!r}: {first}") from None
    targets = told.lora.targets
    if targets != "all-linear":
        wanted = lora_config(recipe)
        if not any(check_target_module_exists(wanted, name) for name, _ in model.named_modules()):
            raise PolicyError(
                f"model.lora.targets: {targets!r} names no layer of {told.name}; "
                "give all-linear, a list of layers such as [q_proj, v_proj], or a pattern over whole names"
            )
    return model, tokenizer


if __name__ == "__main__":
    command(main)
