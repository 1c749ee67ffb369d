"""The real tokenizers of the recipes' models, which `.ci/tokenizers` fetches; never a made-up one.

A test that asks for one skips where they were not fetched, and fails in CI, which fetches them first.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPOSITORY = Path(__file__).resolve().parent.parent
NAMES = {"Qwen/Qwen3-": "qwen3", "meta-llama/Llama-3.1-": "llama3_1", "google/gemma-3-": "gemma3"}  # model -> folder


def tokenizers_folder() -> Path:
    """Where `.ci/tokenizers` puts them."""
    return Path(os.environ.get("SOCIALR1_TOKENIZERS") or REPOSITORY / "artifacts" / "tokenizers")


def real_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model of the hub, by the model's name; skip (in CI: fail) where it was not fetched."""
    [name] = [folder for start, folder in NAMES.items() if model.startswith(start)]
    folder = tokenizers_folder() / name
    if not (folder / "tokenizer.json").is_file():
        message = f"the tokenizer of {model} is not at {folder}: .ci/tokenizers fetches it"
        if os.environ.get("CI"):
            pytest.fail(message + "; CI must not pass without it")
        pytest.skip(message)
    return _loaded(folder)


@cache
def _loaded(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
