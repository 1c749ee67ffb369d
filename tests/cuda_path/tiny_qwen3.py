"""A random Qwen3 of one layer with a tokenizer learned from stories, so that prompts stay short for interpreted kernels."""

from __future__ import annotations

from pathlib import Path

from tests.tiny import TEMPLATE


def make_tiny_qwen3(folder: Path) -> Path:
    """Write model (float32, 15 thousand weights in its layers) and tokenizer (4,000 tokens at most) into the folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    from socialr1_lite.sip import render
    from socialr1_lite.stories import generate

    stories = list(generate(400, seed=1, orders=(1,), dimensions=("belief",)))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((message["content"] for one in stories for message in render(one)), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>"
    )
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
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
