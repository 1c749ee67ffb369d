"""A model of a published size with random weights and a tokenizer that fits it, made without a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.data import training_scenarios
from socialr1_lite.errors import command
from socialr1_lite.plan.architectures import Architecture, find_architecture
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.prompting import messages

if TYPE_CHECKING:
    from transformers import PretrainedConfig

WORDS_TO_AN_END = 200
LEARNED_WORDS, QUESTIONS = 2048, 200  # what the tokenizer learns, and from how many questions
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_random_model(folder: Path, architecture: Architecture, *, seed: int = 0) -> Path:
    """Write config, weights in bfloat16 and a tokenizer into the folder, and return it.

    The tokenizer is learned here, its vocabulary filled up with words that no text contains, so that whatever a random
    model samples can be decoded. Made on the GPU where there is one: a large model takes minutes on a CPU.
    """
    import torch
    from transformers import AutoModelForCausalLM

    end = _write_tokenizer(folder, architecture.vocabulary)
    ids = {"eos_token_id": end, "pad_token_id": end, "bos_token_id": None}
    config = config_of(architecture, max_position_embeddings=40960, **ids)
    torch.manual_seed(seed)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    # So many words end a text that completions differ in length, and with it in reward, and some reach the limit.
    ends = range(architecture.vocabulary - architecture.vocabulary // WORDS_TO_AN_END, architecture.vocabulary)
    model.generation_config.eos_token_id = [end, *ends]
    model.save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path, words: int) -> int:
    """Write a byte-level BPE tokenizer with that many words and a ChatML template; return the id of its end token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    recipe = Recipe.model_validate({"data": {"size": QUESTIONS, "heldout": 0}, "evaluation": {"items": 0}})
    texts = (one["content"] for scenario in training_scenarios(recipe) for one in messages(scenario, recipe))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    other, _, end = special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=LEARNED_WORDS, special_tokens=special, initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    content = json.loads(tokenizer.to_str())
    content["model"]["vocab"] |= {f"<|unused_{place}|>": place for place in range(tokenizer.get_vocab_size(), words)}
    whole = Tokenizer.from_str(json.dumps(content))
    fast = PreTrainedTokenizerFast(tokenizer_object=whole, eos_token=end, pad_token=end, unk_token=other)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return int(fast.eos_token_id)


def config_of(architecture: Architecture, **more: int | None) -> PretrainedConfig:
    """Return the architecture as transformers' own config. more: what it does not say, such as token ids."""
    from transformers import AutoConfig

    return AutoConfig.for_model(
        "qwen3" if architecture.head_norms else "llama",
        vocab_size=architecture.vocabulary,
        hidden_size=architecture.hidden,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        num_key_value_heads=architecture.kv_heads,
        head_dim=architecture.head_width,
        intermediate_size=architecture.mlp,
        tie_word_embeddings=architecture.tied,
        **more,
    )


def main() -> None:
    """Parse the command line (an architecture's name and a folder) and make the model."""
    name, folder = sys.argv[1:]
    make_random_model(Path(folder), find_architecture(name))


if __name__ == "__main__":
    command(main)
