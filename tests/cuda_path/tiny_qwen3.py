"""A random Qwen3 of one layer and very short stories in few tokens: an interpreted kernel takes seconds for a hundred."""

from __future__ import annotations

import json
from pathlib import Path

from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import render
from socialr1_lite.stories import gold_reply
from tests.conftest import SCENARIO
from tests.tiny import SPECIAL, save_chat_tokenizer

STORIES = "stories.jsonl"
QUESTIONS = [
    f"{'Mara leaves the attic. ' * 30}{then} Does she know where it is?" for then in ("It rains.", "Tomas comes.")
]
NAMES = ("Mara", "Nora", "Vera", "Lena", "Dora", "Ines", "Olga", "Rita")


def short_stories() -> list[Scenario]:
    """Return eight stories of three sentences, with facts."""
    rows = [json.loads(json.dumps(SCENARIO.to_row()).replace("Mara", name)) for name in NAMES]
    return [Scenario.from_row(row | {"id": f"invented/{place}"}) for place, row in enumerate(rows)]


def make_tiny_qwen3(folder: Path) -> Path:
    """Write model (float32, 15 thousand weights in its layer), tokenizer, and the stories it is learned from."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen3Config, Qwen3ForCausalLM

    stories = short_stories()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STORIES).write_text("".join(json.dumps(one.to_row()) + "\n" for one in stories))
    texts = [message["content"] for one in stories for message in render(one)] + [gold_reply(one) for one in stories]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = save_chat_tokenizer(tokenizer, folder, pad="<|endoftext|>")
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=2048,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.3,  # wide, so that different prompts really give different texts
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config.eos_token_id = list(range(2, 250))  # many, so that random texts differ in length
    model.save_pretrained(folder)
    return folder
