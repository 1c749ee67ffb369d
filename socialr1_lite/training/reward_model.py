"""Training a reward model on stage-level pairs: fit, save, load again as the judge it will be, measure."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, TypedDict

from socialr1_lite.errors import PolicyError, RecipeError, first_line
from socialr1_lite.judges import classifier
from socialr1_lite.judges.classifier import RECORD, JudgeRecord, Tokenizer, logits, sigmoid, token_ids
from socialr1_lite.judges.reward_model import judged_text
from socialr1_lite.judges.token_tree import Model, grow, tree_scores
from socialr1_lite.pairs import Pair, make_pairs, read_pairs
from socialr1_lite.policy import adapters, refuse_idle_gpus, refuse_unusable_driver
from socialr1_lite.policy.loading import nf4
from socialr1_lite.policy.lora_products import speed_up_cpu_training
from socialr1_lite.policy.numbers import refuse_unsound, trained
from socialr1_lite.recipe.judge import GOLD, JudgeRecipe
from socialr1_lite.runlog import RunFolder, mark_complete, newest_complete, write_atomic
from socialr1_lite.statistics import wilson
from socialr1_lite.training.folder import newest_sound
from socialr1_lite.training.soundness import Soundness

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import Tensor
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from trl import RewardConfig, RewardTrainer

PROBES = 4  # pairs whose texts are kept with their scores
BEGUN = ".begun"  # after the judge's name: the folder of a training that is not finished
BINS = 5  # of the calibration table
SCORE_HEADS = ["score"]  # without it PEFT keeps the adapter and loses the head

TokenRow = dict[str, list[list[int]]]  # chosen_ids and rejected_ids of one scenario, a list of tokens each text
Share = dict[str, float]  # a pairwise accuracy: value, low and high of its 95 % interval, on n pairs
Bin = dict[str, float]  # a row of the calibration table: n pairs, confidence of the model in them, accuracy


class JudgeReport(TypedDict):
    """The figures on held-out pairs. center: the mean logit; log_loss: of sigmoid(chosen - rejected)."""

    accuracy: Share
    stages: dict[str, Share]
    kinds: dict[str, Share]
    calibration: list[Bin]
    calibration_error: float
    log_loss: float
    center: float


def train_judge(recipe: JudgeRecipe, folder: Path) -> JudgeReport:
    """Train and write the folder, whole or not at all. Returns the figures on held-out pairs.

    Checkpoints lie in a folder beside it until then, and the same call goes on from the newest whole one. Raises
    DivergedError where a loss, a gradient or a weight is no number: nothing of that step is kept.
    """
    if folder.exists():
        raise RecipeError(f"{folder} exists already; give another run.name or remove it")
    train, heldout = _pairs(recipe)
    base = untrained(recipe)  # a wrong name must leave nothing behind
    begun = RunFolder(folder.with_name(f"{folder.name}{BEGUN}"))
    begun.checkpoints.mkdir(parents=True, exist_ok=True)
    with begun.lock():
        made = begun.path / "judge"
        _write_recipe(recipe, begun, made)
        if not (made / RECORD).exists():  # written last
            model = _fit(recipe, base, train, begun)
            _save(recipe, model, base[1], heldout[:PROBES], made)
        model, tokenizer = classifier.load_judge(made)  # the very thing that judges later, its probes checked
        scores = _scores(recipe, model, tokenizer, heldout)
        report = measure(heldout, scores)
        record = json.loads((made / RECORD).read_text(encoding="utf-8"))
        record |= {"center": report["center"], "report": report}
        write_atomic(made / RECORD, json.dumps(record, indent=2, ensure_ascii=False).encode())
        write_atomic(made / "recipe.yaml", recipe.to_yaml().encode())
        os.replace(made, folder)
    shutil.rmtree(begun.path)
    return report


def _write_recipe(recipe: JudgeRecipe, begun: RunFolder, made: Path) -> None:
    """Write down what this training is. Raises RecipeError when other settings have done work in the folder."""
    text = recipe.to_yaml()
    stored = begun.recipe.read_text(encoding="utf-8") if begun.recipe.exists() else text
    if stored != text and ((made / RECORD).exists() or newest_complete(begun, set_aside=False).path):
        raise RecipeError(
            f"{begun.path} holds a training that was begun with other settings (its recipe.yaml); "
            "remove it to begin anew, or give another run.name"
        )
    write_atomic(begun.recipe, text.encode())


def _pairs(recipe: JudgeRecipe) -> tuple[list[Pair], list[Pair]]:
    pairs = recipe.pairs

    def of(source: str, n: int, split: str) -> list[Pair]:
        if source == GOLD:
            return make_pairs(n, seed=pairs.seed, split=split, dimensions=pairs.dimensions, orders=pairs.orders)
        return read_pairs(Path(source))[:n]

    return of(pairs.source, pairs.size, "train"), of(pairs.heldout_source, pairs.heldout, "test")


# --- the figures


def measure(pairs: Sequence[Pair], scores: Sequence[tuple[float, float]]) -> JudgeReport:
    """Return pairwise accuracy with Wilson intervals, and calibration of sigmoid(chosen - rejected).

    scores: logits of chosen and rejected, a pair each. A tie counts as wrong.
    """
    right = [chosen > rejected for chosen, rejected in scores]
    calibration = _calibration([sigmoid(abs(chosen - rejected)) for chosen, rejected in scores], right)
    return {
        "accuracy": _share(right),
        "stages": _grouped([pair.stage for pair in pairs], right),
        "kinds": _grouped([pair.kind for pair in pairs], right),
        "calibration": calibration,
        "calibration_error": sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in calibration) / len(pairs),
        "log_loss": fmean(-log(max(1e-12, sigmoid(chosen - rejected))) for chosen, rejected in scores),
        "center": fmean(one for pair in scores for one in pair),
    }


def _calibration(confidences: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    bins: list[Bin] = []
    for b in range(BINS):
        low, high = 0.5 + b * 0.5 / BINS, 0.5 + (b + 1) * 0.5 / BINS
        inside = [i for i, one in enumerate(confidences) if low <= one < high or (b == BINS - 1 and one >= high)]
        if inside:
            confidence, accuracy = fmean(confidences[i] for i in inside), fmean(right[i] for i in inside)
            bins.append({"n": len(inside), "confidence": confidence, "accuracy": accuracy})
    return bins


def _share(right: Sequence[bool]) -> Share:
    return {**wilson(sum(right), len(right))._asdict(), "n": len(right)}


def _grouped(labels: Sequence[str], right: Sequence[bool]) -> dict[str, Share]:
    groups: dict[str, list[bool]] = {}
    for label, one in zip(labels, right, strict=True):
        groups.setdefault(label, []).append(one)
    return {label: _share(groups[label]) for label in sorted(groups)}


def _texts(pair: Pair) -> tuple[str, str]:
    """Return what the model reads of the two sides."""
    sides = (pair.chosen, pair.rejected)
    chosen, rejected = (judged_text(pair.scenario, pair.stage, text, pair.context, pair.answer) for text in sides)
    return chosen, rejected


def _scores(
    recipe: JudgeRecipe, model: Model, tokenizer: Tokenizer, pairs: Sequence[Pair]
) -> list[tuple[float, float]]:
    flat = [text for pair in pairs for text in _texts(pair)]
    found = logits(model, tokenizer, flat, max_length=recipe.model.max_length)
    return list(zip(found[::2], found[1::2], strict=True))


# --- the training


def _fit(recipe: JudgeRecipe, base: tuple[Model, Tokenizer], pairs: Sequence[Pair], begun: RunFolder) -> Model:
    """Train from the newest whole checkpoint, if any, and return the model in evaluation mode."""
    import datasets

    model, tokenizer = base
    newest = newest_sound(begun)
    for notice in newest.notices:
        print(notice, file=sys.stderr)
    if newest.path:
        print(f"going on from {newest.path.name} of {recipe.training.max_steps}", file=sys.stderr)
    rows = token_rows(tokenizer, pairs, recipe.model.max_length)
    with contextlib.redirect_stdout(sys.stderr):
        trainer = _trainer_class()(
            model=model,
            args=_reward_config(recipe, begun.checkpoints),
            data_collator=list,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=lora_config(recipe),
        )
        speed_up_cpu_training(trainer.model)
        sound = Soundness(trainer, lambda line: print(line, file=sys.stderr), _advice(recipe)).watch()
        trainer.add_callback(_marker(begun, sound))
        trainer.train(resume_from_checkpoint=str(newest.path) if newest.path else None)
    refuse_unsound(trained(trainer.model), "the judge is not kept")
    return trainer.model.eval()


def _advice(recipe: JudgeRecipe) -> str:
    """Say what to do about a training that diverged."""
    return (
        "nothing of this step is kept and the same command goes on from the newest checkpoint; where it ends so again, "
        "take a new run (run.name=ANOTHER) with a lower training.learning_rate "
        f"(now {recipe.training.learning_rate:g}) or model.dtype=float32"
    )


def _reward_config(recipe: JudgeRecipe, output: Path) -> RewardConfig:
    import torch
    import trl

    return trl.RewardConfig(
        output_dir=str(output),
        **recipe.training.model_dump(),
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
    )


def _save(recipe: JudgeRecipe, model: Model, tokenizer: Tokenizer, probes: Sequence[Pair], folder: Path) -> None:
    """Save the adapter with its score head, the tokenizer, and the record with what the probes' texts scored."""
    length, texts = recipe.model.max_length, [text for pair in probes for text in _texts(pair)]
    model.save_pretrained(folder / "adapter")
    tokenizer.save_pretrained(folder / "tokenizer")
    record: JudgeRecord = {
        "version": classifier.RECORD_VERSION,
        "base": recipe.model.name,
        "revision": recipe.model.revision,
        "dtype": recipe.model.dtype,
        "max_length": length,
        "center": 0.0,
        "probes": [
            {"text": text, "logit": logit}
            for text, logit in zip(texts, logits(model, tokenizer, texts, max_length=length), strict=True)
        ],
    }
    write_atomic(folder / RECORD, json.dumps(record).encode())


def _marker(begun: RunFolder, sound: Soundness) -> TrainerCallback:
    """Return a callback that marks each checkpoint as whole. After the last step the judge itself is saved instead."""
    import transformers

    class Marker(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            if state.global_step >= state.max_steps:
                control.should_save = False

        def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
            sound.refuse_checkpoint()
            mark_complete(begun, begun.checkpoints / f"checkpoint-{state.global_step}")

    return Marker()


def token_rows(tokenizer: Tokenizer, pairs: Sequence[Pair], length: int) -> list[TokenRow]:
    """Return the pairs' token ids, those of one scenario in one row: they begin alike, and are read together."""
    rows: dict[str, TokenRow] = {}
    for pair in pairs:
        row = rows.setdefault(pair.scenario.id, {"chosen_ids": [], "rejected_ids": []})
        for side, text in zip(row.values(), _texts(pair), strict=True):
            side.append(token_ids(tokenizer, text, length))
    return list(rows.values())


def _trainer_class() -> type[RewardTrainer]:
    """Return TRL's RewardTrainer with its loss over a scenario's pairs, whose common beginning is read once."""
    import torch
    import trl

    class ScenarioRewardTrainer(trl.RewardTrainer):  # type: ignore[misc]
        def compute_loss(
            self,
            model: Model,
            inputs: Sequence[TokenRow],
            return_outputs: bool = False,
            num_items_in_batch: Tensor | int | None = None,
        ) -> Tensor | tuple[Tensor, None]:
            margins, scores = [], []
            for row in inputs:
                chosen, rejected = tree_scores(model, grow([*row["chosen_ids"], *row["rejected_ids"]])).chunk(2)
                margins.append(chosen - rejected)
                scores.append(chosen + rejected)
            margin = torch.cat(margins)
            loss = -torch.nn.functional.logsigmoid(margin).mean()
            loss = loss + self.args.center_rewards_coefficient * torch.cat(scores).square().mean()
            self._metrics["train"]["accuracy"].append((margin > 0).float().mean().item())
            self._metrics["train"]["margin"].append(margin.mean().item())
            return (loss, None) if return_outputs else loss

    return ScenarioRewardTrainer


# --- the base


def lora_config(recipe: JudgeRecipe) -> LoraConfig:
    """Return the recipe's adapter around a sequence classifier, whose score head is saved with it."""
    return adapters.lora_config(recipe.model.lora, "SEQ_CLS", modules_to_save=SCORE_HEADS)


def untrained(recipe: JudgeRecipe) -> tuple[Model, Tokenizer]:
    """Return the base with one label, its score head drawn by run.seed, and its tokenizer with a padding token.

    Raises PolicyError when the base cannot be loaded or has none of the layers that the recipe names.
    """
    import torch
    from peft.tuners.tuners_utils import check_target_module_exists
    from transformers import AutoTokenizer, set_seed

    refuse_unusable_driver()
    refuse_idle_gpus("transformers")
    set_seed(recipe.run.seed)
    base = recipe.model
    dtype = getattr(torch, base.dtype)
    quantized = nf4(dtype, llm_int8_skip_modules=SCORE_HEADS) if base.load_in_4bit else None  # the head stays as it is
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            classifier.base_folder(base.name), revision=base.revision, trust_remote_code=False
        )
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        model = classifier.load_base(
            base.name, tokenizer, revision=base.revision, dtype=base.dtype, quantization_config=quantized
        )
    except (OSError, ValueError) as error:
        raise PolicyError(f"model.name: cannot load {base.name!r}: {first_line(error)}") from None
    targets, wanted = base.lora.targets, lora_config(recipe)
    layers = (name for name, _ in model.named_modules())
    if targets != adapters.ALL_LINEAR and not any(check_target_module_exists(wanted, name) for name in layers):
        raise PolicyError(
            f"model.lora.targets: {targets!r} names no layer of {base.name}; "
            "give all-linear, a list of layers such as [q_proj, v_proj], or a pattern over whole names"
        )
    return model, tokenizer
