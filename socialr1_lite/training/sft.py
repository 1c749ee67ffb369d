"""The cold start: a few supervised steps on gold replies, so that a small model meets the format gate before GRPO.

A model whose every completion fails the gate has groups without variance and learns nothing; tens of examples are
enough to change that. Rows have a prompt and a completion, so TRL takes the loss on the completion alone.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from socialr1_lite.data.order import pairs
from socialr1_lite.data.told import stories
from socialr1_lite.errors import RecipeError
from socialr1_lite.policy import Policy
from socialr1_lite.policy.rendering import render
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.prompting import Template, messages, template_settings
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import prefills_think
from socialr1_lite.stories import gold_reply
from socialr1_lite.training.grpo import watcher
from socialr1_lite.training.grpo_config import precision
from socialr1_lite.training.grpo_shared import sharing_supervised
from socialr1_lite.training.soundness import Soundness

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig

Row = dict[str, Any]  # prompt and completion, both as messages or both as texts; chat_template_kwargs with messages


def cold_start_rows(recipe: Recipe, scenarios: Sequence[Scenario], tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """Return `steps x batch_size` prompt/completion rows in training order, the same for the same recipe.

    Gold replies exist for generated stories only. Where the training data are other people's questions, the cold
    start takes stories of the recipe's dimensions: it is there to teach the form, not the questions. With
    `data.twins: together` both of a pair are in one batch, which the trainer then does not shuffle. The template is
    given the settings that GRPO samples with. Where it would then write the prompt otherwise with a reply behind it
    (Qwen3 without thinking), rows are the sampled prompt and the reply as texts.
    """
    warmup = recipe.warmup
    examples = [scenario for scenario in scenarios if scenario.facts is not None][: warmup.examples]
    if not examples:
        data = recipe.data.model_copy(update={"mix": {}})  # whose dimensions may be those of other people's questions
        examples = stories(data, warmup.examples, "train")  # never of the split that is held out
    if not examples:
        raise RecipeError("warmup: there is no gold reply to start from; set warmup.steps: 0 or data.source: stories")
    rng = random.Random(f"cold start {recipe.run.seed}")
    together = recipe.data.twins == "together"
    cards = pairs(examples) if together else [(one,) for one in examples]
    if not cards:
        raise RecipeError(f"data.twins: together, and no two of the {len(examples)} warmup.examples are twins")
    order: list[Scenario] = []
    while len(order) < warmup.steps * warmup.batch_size:
        order += [one for card in rng.sample(cards, len(cards)) for one in card]
    settings = template_settings(recipe)
    reply = partial(gold_reply, answer=recipe.prompt.answer, contrast=warmup.contrast)
    rows: list[Row] = [
        {
            "prompt": messages(scenario, recipe),
            "completion": [{"role": "assistant", "content": reply(scenario, seed=i)}],
            **({"chat_template_kwargs": settings} if settings else {}),
        }
        for i, scenario in enumerate(order[: warmup.steps * warmup.batch_size])
    ]
    as_sampled = [_as_sampled(row, tokenizer, settings) for row in rows]
    return rows if all(written for written, _ in as_sampled) else [texts for _, texts in as_sampled]


def _as_sampled(row: Row, tokenizer: PreTrainedTokenizerBase, settings: Template) -> tuple[bool, Row]:
    """Return whether the template writes the whole of a row as its prompt and more, and the row as plain texts."""
    prompt = render(tokenizer, row["prompt"], add_generation_prompt=True, **settings)
    whole = render(tokenizer, row["prompt"] + row["completion"], **settings)
    text, bos = prompt, tokenizer.bos_token
    if bos and text.startswith(bos) and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]:
        text = text.removeprefix(bos)  # the tokenizer writes it again before a plain text
    reply = str(row["completion"][0]["content"])
    if prefills_think(prompt):  # the prompt has the opening tag already
        reply = reply.removeprefix("<think>\n")
    return whole.startswith(prompt), {"prompt": text, "completion": reply}


def cold_start(
    recipe: Recipe,
    policy: Policy,
    scenarios: Sequence[Scenario],
    on_step: Callable[[int, float], None],
    say: Callable[[str], None] = print,
) -> None:
    """Train the policy's adapter in place for `warmup.steps` steps. on_step: called with (step, loss) after each.

    Raises DivergedError where a loss, a gradient or a weight is no number.
    """
    import datasets
    import trl
    from transformers import PrinterCallback

    kind = sharing_supervised(trl.SFTTrainer) if policy.share_prefix else trl.SFTTrainer
    with TemporaryDirectory() as scratch, contextlib.redirect_stdout(sys.stderr):
        trainer = kind(
            model=policy.model,
            args=_sft_config(recipe, policy, scratch),
            train_dataset=datasets.Dataset.from_list(cold_start_rows(recipe, scenarios, policy.tokenizer)),
            processing_class=policy.tokenizer,
            callbacks=[watcher(log=lambda step, figures: on_step(step, figures["loss"]))],
        )
        # Transformers prints every log as a dict when its bar is off; the progress display says it better.
        trainer.remove_callback(PrinterCallback)
        Soundness(trainer, say, "cold start: lower warmup.learning_rate and start again").watch()
        trainer.train()
        policy.model = trainer.model


def _sft_config(recipe: Recipe, policy: Policy, output: str) -> SFTConfig:
    import trl

    warmup = recipe.warmup
    return trl.SFTConfig(
        output_dir=output,
        max_steps=warmup.steps,
        per_device_train_batch_size=warmup.batch_size,
        gradient_accumulation_steps=1,
        learning_rate=warmup.learning_rate,
        lr_scheduler_type=warmup.lr_scheduler_type,
        warmup_steps=warmup.warmup_steps,
        weight_decay=0.0,
        optim=recipe.grpo.optim,
        max_grad_norm=1.0,
        max_length=recipe.model.max_seq_length,
        packing=False,
        seed=recipe.run.seed,
        data_seed=recipe.run.seed,
        logging_steps=1,
        save_strategy="no",
        eval_strategy="no",
        report_to=[],
        disable_tqdm=True,
        gradient_checkpointing=recipe.model.gradient_checkpointing,
        use_cpu=policy.device == "cpu",  # or bf16 is refused where no GPU is
        **({"train_sampling_strategy": "sequential"} if recipe.data.twins == "together" else {}),
        **precision(policy),
    )
