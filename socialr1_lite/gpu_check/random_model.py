"""A model of a published size with random weights and a tokenizer that fits it, made without a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.errors import command
from socialr1_lite.plan.architectures import Architecture, find_architecture

if TYPE_CHECKING:
    from transformers import PretrainedConfig

WORDS_TO_AN_END = 200


def make_random_model(folder: Path, architecture: Architecture, *, seed: int = 0) -> Path:
    """Write config, weights in bfloat16 and a tokenizer into the folder, and return it.

    The tokenizer is the embedded model's, its vocabulary filled up with words that no text contains, so that whatever
    a random model samples can be decoded. Made on the GPU where there is one: a large model takes minutes on a CPU.
    """
    import torch
    from transformers import AutoModelForCausalLM

    end = _write_tokenizer(folder, architecture.vocabulary)
    config = config_of(
        architecture, max_position_embeddings=40960, eos_token_id=end, pad_token_id=end, bos_token_id=None
    )
    torch.manual_seed(seed)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    # So many words end a text that completions differ in length, and with it in reward, and some reach the limit.
    ends = range(architecture.vocabulary - architecture.vocabulary // WORDS_TO_AN_END, architecture.vocabulary)
    model.generation_config.eos_token_id = [end, *ends]
    model.save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path, words: int) -> int:
    """Write the embedded model's tokenizer with that many words; return the id of its end token."""
    from transformers import AutoTokenizer

    from socialr1_lite.policy.embedded import embedded_model

    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    known = content["model"]["vocab"]
    first = max([*known.values(), *(one["id"] for one in content["added_tokens"])]) + 1
    if first > words:
        raise ValueError(f"the tokenizer has {first:,} words and the model only {words:,}")
    known |= {f"<|unused_{place}|>": place for place in range(first, words)}
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return int(tokenizer.eos_token_id)


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
