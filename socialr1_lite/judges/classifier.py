"""A trained reward model on disk and in memory: how it is loaded, and how it reads texts.

It is loaded the one way that is right: base with one label, adapter with its saved score head, merged, in evaluation
mode, without gradients. An adapter folder handed to `from_pretrained` loads too, with a random score head and no error;
so the folder keeps a few texts with the scores they had, and a judge that does not give them again is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import exp
from pathlib import Path
from typing import Any, TypedDict, cast

from socialr1_lite.errors import JudgeError, PolicyError, first_line
from socialr1_lite.judges.token_tree import TREE_TOKENS, Model, grouped, grow, read_as_trees, tree_scores
from socialr1_lite.policy.adapters import refuse_another_kind, refuse_pickle
from socialr1_lite.policy.embedded import embedded_model
from socialr1_lite.recipe import EMBEDDED_MODEL

RECORD = "judge.json"
RECORD_VERSION = 3  # 1 read the right answer without its letter, 2 the stages before each stage
PROBE_TOLERANCE = 0.05  # logits: merging rounds a little; a fresh score head is off by whole units
COARSE_TOLERANCE = 0.3  # of 16-bit judges, whose merged weights are rounded ...
COARSE_SHARE = 0.1  # ... the more, the further apart a judge sets its texts: 0.36 of 5.6 was seen in bfloat16

Tokenizer = Any  # of transformers, untyped


class Probe(TypedDict):
    """A text with the logit that it had when the judge was saved."""

    text: str
    logit: float


class JudgeRecord(TypedDict):
    """What `train_judge` writes of a judge, as far as it is read again. center: the logit that counts as 1/2."""

    version: int
    base: str
    revision: str | None
    dtype: str
    max_length: int
    center: float
    probes: list[Probe]


def resolve_device(device: str) -> str:
    """Return the device that is meant: auto is this process's own GPU (one of several), else the CPU."""
    import torch

    if device != "auto":
        return device
    return f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"


def token_ids(tokenizer: Tokenizer, text: str, max_length: int) -> list[int]:
    """Return the text's tokens; of a long one the end is kept, where the judged stage stands."""
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found[-max_length:]


def logits(
    model: Model, tokenizer: Tokenizer, texts: Sequence[str], *, max_length: int, batch_tokens: int = TREE_TOKENS
) -> list[float]:
    """Score each text, unbounded. What texts have in common at their beginning is read once."""
    import torch

    ids, found = [token_ids(tokenizer, text, max_length) for text in texts], dict[int, float]()
    for group in grouped(ids, batch_tokens):
        with torch.no_grad():
            found |= zip(group, tree_scores(model, grow([ids[i] for i in group])).tolist(), strict=True)
    return [found[i] for i in range(len(ids))]


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e^-x) without overflow."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


def load_judge(folder: Path, *, device: str = "auto") -> tuple[Model, Tokenizer]:
    """Load model (merged, in evaluation mode) and tokenizer. Raises JudgeError if it is another than saved."""
    record = read_record(folder)
    from peft import PeftModel
    from transformers import AutoTokenizer

    try:
        refuse_pickle(folder / "adapter", "adapter_model")
        refuse_another_kind(folder / "adapter")
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", trust_remote_code=False)
        base = load_base(record["base"], tokenizer, revision=record["revision"], dtype=record["dtype"])
        model = PeftModel.from_pretrained(base, folder / "adapter").merge_and_unload().to(resolve_device(device))
    except (OSError, ValueError, RuntimeError, AssertionError, PolicyError) as error:  # AssertionError: no CUDA
        raise JudgeError(f"reward_model: {folder} cannot be loaded: {first_line(error)}") from None
    model.eval().requires_grad_(False)
    probes = record["probes"]
    now = logits(model, tokenizer, [probe["text"] for probe in probes], max_length=record["max_length"])
    worst = max((abs(one - probe["logit"]) for one, probe in zip(now, probes, strict=True)), default=0.0)
    if not worst <= probe_tolerance(record["dtype"], [probe["logit"] for probe in probes]):
        raise JudgeError(
            f"reward_model: {folder}: its own texts score otherwise than when it was saved (by {worst:.2f}); "
            "base or adapter is not the one it was trained with"
        )
    return model, tokenizer


def probe_tolerance(dtype: str, saved: Sequence[float]) -> float:
    """Return how far, in logits, a judge loaded in this type may be from the logits it was saved with."""
    if dtype == "float32" or not saved:
        return PROBE_TOLERANCE
    return max(COARSE_TOLERANCE, COARSE_SHARE * (max(saved) - min(saved)))


def load_base(name: str, tokenizer: Tokenizer, *, revision: str | None, dtype: str, **options: Any) -> Model:
    """Load a model with one label and a fresh score head in 32 bits. options: of `from_pretrained`, which may raise."""
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # else a report that the score head is new: it is, and it is trained or comes later
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            base_folder(name),
            revision=revision,
            num_labels=1,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,  # left open, transformers would ask at the keyboard
            **options,
        )
    finally:
        logging.set_verbosity(verbosity)
    model.config.pad_token_id = tokenizer.pad_token_id
    read_as_trees(model)
    model.score.float()  # small, and what a score is rounded by
    return model


def base_folder(name: str) -> str:
    """Return where the base model is: the embedded one's folder, else the name as it is."""
    return str(embedded_model()) if name == EMBEDDED_MODEL else name


def _check_types(record: JudgeRecord) -> None:
    """Raise TypeError where a field is of another type than it is written with."""
    types = {
        "base": str,
        "revision": str | None,
        "dtype": str,
        "max_length": int,
        "center": float | int,
        "probes": list,
    }
    wrong = [name for name, wanted in types.items() if not isinstance(record[name], wanted)]  # type: ignore[literal-required]
    if not wrong:
        texts = all(isinstance(probe["text"], str) for probe in record["probes"])
        sound = all(isinstance(probe["logit"], float | int) for probe in record["probes"])
        wrong = [] if texts and sound else ["probes"]
    if wrong:
        raise TypeError(f"{', '.join(wrong)}: of another type")


def read_record(folder: Path) -> JudgeRecord:
    """Read what `train_judge` wrote of a judge. Raises JudgeError when the folder holds none."""
    path = folder / RECORD
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        record = cast(JudgeRecord, {key: stored[key] for key in JudgeRecord.__annotations__})
        _check_types(record)
    except FileNotFoundError:
        wanted = "give a folder written by python -m socialr1_lite.train_judge"
        raise JudgeError(f"reward_model: path: {folder} holds no {RECORD}; {wanted}") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise JudgeError(f"reward_model: {path} cannot be read ({type(error).__name__}: {error})") from None
    if record["version"] != RECORD_VERSION:
        raise JudgeError(
            f"reward_model: {path} is of version {record['version']}, this code reads {RECORD_VERSION}; train it again"
        )
    if not (folder / "adapter").is_dir():
        raise JudgeError(f"reward_model: {folder} has no adapter folder; train it again")
    return record
