"""The cold start teaches the tokens that GRPO will sample after: the same prompts, by the same template settings."""

from __future__ import annotations

import json

import pytest

from socialr1_lite.errors import RecipeError
from socialr1_lite.policy import load_policy
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.prompting import messages, template_settings
from socialr1_lite.stories import generate
from socialr1_lite.training.sft import cold_start, cold_start_rows

transformers = pytest.importorskip("transformers")

# As Qwen3's: what a turn holds is written out anew, and thinking that is switched off closes an empty block.
HYBRID = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{{ mood }}{% endif %}"
)
STORIES = list(generate(4, seed=3, dimensions=("belief",), orders=(1,), split="train"))


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    found = transformers.AutoTokenizer.from_pretrained(tiny_model)
    found.chat_template = HYBRID
    return found


def recipe(**prompt) -> Recipe:
    return Recipe.model_validate({"prompt": prompt, "warmup": {"steps": 2, "batch_size": 2, "examples": 4}})


@pytest.mark.parametrize(
    "prompt",
    [
        {},
        {"enable_thinking": True},
        {"enable_thinking": False},
        {"chat_template_kwargs": {"mood": ""}},
        {"chat_template_kwargs": {"mood": "Calmly: "}},
    ],
    ids=json.dumps,
)
def test_what_is_taught_begins_with_what_is_sampled_after(tokenizer, prompt) -> None:
    asked, settings = recipe(**prompt), template_settings(recipe(**prompt))
    sampled = {
        tokenizer.apply_chat_template(messages(one, asked), tokenize=False, add_generation_prompt=True, **settings)
        for one in STORIES
    }
    rows = cold_start_rows(asked, STORIES, tokenizer)
    assert len(rows) == 4
    for row in rows:
        if isinstance(row["prompt"], str):
            prompt_text, whole = row["prompt"], row["prompt"] + row["completion"]
        else:
            settings = row.get("chat_template_kwargs", {})
            prompt_text = tokenizer.apply_chat_template(
                row["prompt"], tokenize=False, add_generation_prompt=True, **settings
            )
            whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False, **settings)
        assert prompt_text in sampled
        assert whole.startswith(prompt_text + "<think>")


def test_a_template_that_opens_the_block_and_drops_thinking_is_taught_one_opening_tag(tokenizer) -> None:
    """As DeepSeek-R1's distilled models: the prompt opens the block, and a turn of the past is written without it."""
    tokenizer.chat_template = (
        "{% for one in messages %}<|im_start|>{{ one.role }}\n{{ one.content.split('</think>')[-1] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
    )
    try:
        for row in cold_start_rows(recipe(), STORIES, tokenizer):
            assert row["prompt"].endswith("<think>\n") and row["completion"].startswith("Cue Encoding")
            assert (row["prompt"] + row["completion"]).count("<think>\nCue Encoding") == 1
    finally:
        tokenizer.chat_template = HYBRID


# --- both of a pair in one batch


def together(model: str = "", **warmup) -> Recipe:
    return Recipe.model_validate(
        {
            "model": {"name": model or "unused", "max_seq_length": 2048, "lora": {"r": 4}},
            "data": {"twins": "together", "dimensions": ["belief"], "orders": [1], "max_prompt_tokens": 1700},
            "warmup": {"steps": 3, "batch_size": 4, "examples": 20} | warmup,
            "grpo": {"per_device_train_batch_size": 16},
        }
    )


def stories_of(row) -> str:
    return row["prompt"][-1]["content"]


def test_rows_that_come_together_are_pairs_each_once_a_round(tokenizer) -> None:
    pool = list(generate(9, seed=3, dimensions=("belief",), orders=(1,), split="train"))  # the ninth has lost its twin
    asked = together(steps=4)
    rows = cold_start_rows(asked, pool, tokenizer)
    family = {messages(one, asked)[-1]["content"]: one.group for one in pool}
    groups = [family[stories_of(row)] for row in rows]
    assert len(rows) == 16 and groups[::2] == groups[1::2]
    assert len({stories_of(row) for row in rows[:8]}) == 8 == len({stories_of(row) for row in rows[8:]})
    assert pool[8].group not in groups


def test_without_pairs_nothing_can_come_together(tokenizer) -> None:
    with pytest.raises(RecipeError, match=r"no two of the 2 warmup\.examples are twins"):
        cold_start_rows(together(), STORIES[::2], tokenizer)


@pytest.mark.slow
def test_the_trainer_s_batches_hold_whole_pairs(tiny_model, monkeypatch: pytest.MonkeyPatch) -> None:
    import trl

    batches: list[list[str]] = []
    step = trl.SFTTrainer.training_step

    def recorded(self, model, inputs, *more):
        batches.append(self.processing_class.batch_decode(inputs["input_ids"], skip_special_tokens=True))
        return step(self, model, inputs, *more)

    monkeypatch.setattr(trl.SFTTrainer, "training_step", recorded)
    asked, pool = together(str(tiny_model)), list(generate(20, seed=3, dimensions=("belief",), orders=(1,)))
    cold_start(asked, load_policy(asked.model, trainable=True), pool, lambda step, loss: None, lambda _: None)
    asked_by = [[one for text in batch for one in pool if one.story in text] for batch in batches]
    assert [len(batch) for batch in asked_by] == [4, 4, 4]
    for batch in asked_by:
        assert {name for one in batch for name in one.twins} == {one.id for one in batch}
