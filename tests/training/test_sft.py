"""The cold start teaches the tokens that GRPO will sample after: the same prompts, by the same template settings."""

from __future__ import annotations

import json

import pytest

from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.prompting import messages, template_settings
from socialr1_lite.stories import generate
from socialr1_lite.training.sft import cold_start_rows

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
