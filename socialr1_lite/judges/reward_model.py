"""The `reward_model` judge: a LoRA sequence classifier trained on stage-level pairs by `train_judge`; sigmoid(score).

    rewards:
      content:
        judges: [{name: reward_model, settings: {path: judges/smollm2}}]

It is loaded the one way that is right: base with one label, adapter with its saved score head, merged, in evaluation
mode, without gradients. An adapter folder handed to `from_pretrained` loads too, with a random score head and no error;
so the folder keeps a few texts with the scores they had, and a judge that does not give them again is refused.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from math import exp
from pathlib import Path
from typing import Any

from socialr1_lite.embedded import EMBEDDED, embedded_model
from socialr1_lite.errors import JudgeError, PolicyError
from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.lexicon import INJECTION
from socialr1_lite.judges.token_tree import TREE_TOKENS, grouped, grow, tree_scores
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply

RECORD = "judge.json"
RECORD_VERSION = 1
PROBE_TOLERANCE = {"float32": 0.05}  # logits: merging rounds a little; a fresh score head is off by whole units
COARSE_TOLERANCE = 0.3  # of 16-bit judges, whose merged weights are rounded
CACHE_SIZE = 8192  # scores kept, by text


class RewardModelJudge:
    """Scores each stage by itself, in batches over the group. The model is loaded when first needed."""

    name = "reward_model"

    def __init__(self, *, path: str, device: str = "auto", batch_tokens: int = TREE_TOKENS) -> None:
        """path: a folder of `train_judge`. device: auto, cpu, cuda, cuda:1. Raises JudgeError if it holds none.

        batch_tokens: of one forward pass, counting what several texts begin with once.
        """
        if not isinstance(batch_tokens, int) or isinstance(batch_tokens, bool) or batch_tokens < 1:
            raise JudgeError(
                f"rewards.content.judges: reward_model: batch_tokens: given {batch_tokens!r}; allowed: 1 or more"
            )
        self._folder = Path(path).expanduser()
        self._record = read_record(self._folder)
        self._device, self._batch_tokens = device, batch_tokens
        self._loaded: tuple[Any, Any] | None = None
        self._kept: OrderedDict[str, float] = OrderedDict()

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """One verdict a reply; a stage without text is 0, and so is one that talks to a judge, unread."""
        texts: dict[tuple[int, str], str] = {}
        for i, reply in enumerate(replies):
            answer = scenario.options[reply.answer] if reply.answer is not None else reply.answer_text
            stages = {stage: text for stage in STAGES if (text := reply.stage_text(stage)).strip()}
            texts |= {(i, stage): judged_text(scenario, stage, text, stages, answer) for stage, text in stages.items()}
        logits = self._logits(list(texts.values()))
        scores = [dict[str, float | None](dict.fromkeys(STAGES, 0.0)) for _ in replies]
        notes: list[list[str]] = [[] for _ in replies]
        for (i, stage), text in texts.items():
            if INJECTION.search(replies[i].stage_text(stage)):
                notes[i].append(f"{TITLES[stage]} 0.0: speaks to a judge instead of about the story")
            else:
                scores[i][stage] = sigmoid(logits[text] - self._record["center"])
        return [Verdict(one, tuple(told)) for one, told in zip(scores, notes, strict=True)]

    def _logits(self, texts: Sequence[str]) -> dict[str, float]:
        """The logit of each text; those already known are not computed again."""
        wanted = list(dict.fromkeys(texts))
        told = {text: self._kept[text] for text in wanted if text in self._kept}
        new = [text for text in wanted if text not in told]
        if new:
            if self._loaded is None:
                self._loaded = load_judge(self._folder, device=self._device)
            model, tokenizer = self._loaded
            length = self._record["max_length"]
            found = logits(model, tokenizer, new, max_length=length, batch_tokens=self._batch_tokens)
            told |= dict(zip(new, found, strict=True))
        for text in wanted:
            self._kept[text] = told[text]
            self._kept.move_to_end(text)
        while len(self._kept) > CACHE_SIZE:
            self._kept.popitem(last=False)
        return told


def judged_text(scenario: Scenario, stage: str, text: str, context: Mapping[str, str], answer: str) -> str:
    """What the model reads of one stage: the question and its right answer, the stages before it, then the stage, last.

    The answer given is shown for the last stage only, which has to agree with it. Nothing stands between a stage and
    what is scored, so the stages of one reply share their beginnings. Training and judging share this text.
    """
    options = "\n".join(
        f"{letter}. {option}" for letter, option in zip(scenario.letters, scenario.options, strict=True)
    )
    parts = [f"Story: {scenario.story}", f"Question: {scenario.question}"]
    if options:
        parts.append(f"Options:\n{options}")
    if scenario.gold:
        parts.append(f"Right answer: {scenario.gold_text}")
    before = STAGES[: STAGES.index(stage)]
    parts += [f"{TITLES[one]}: {context[one]}" for one in before if context.get(one)]
    if stage == STAGES[-1]:
        parts.append(f"Answer given: {answer}")
    return "\n".join((*parts, f"{TITLES[stage]}: {text}"))


def token_ids(tokenizer: Any, text: str, max_length: int) -> list[int]:
    """The text's tokens; of a long one the end is kept, where the judged stage stands."""
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found[-max_length:]


def logits(
    model: Any, tokenizer: Any, texts: Sequence[str], *, max_length: int, batch_tokens: int = TREE_TOKENS
) -> list[float]:
    """The model's score of each text, unbounded. What texts have in common at their beginning is read once."""
    import torch

    ids, told = [token_ids(tokenizer, text, max_length) for text in texts], [0.0] * len(texts)
    for group in grouped(ids, batch_tokens):
        with torch.no_grad():
            scores = tree_scores(model, grow([ids[i] for i in group])).tolist()
        for i, score in zip(group, scores, strict=True):
            told[i] = score
    return told


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x) without overflow."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


def load_judge(folder: Path, *, device: str = "auto") -> tuple[Any, Any]:
    """Model (merged, evaluation mode, no gradients) and tokenizer. Raises JudgeError when it is not the one saved."""
    record = read_record(folder)
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
        base = AutoModelForSequenceClassification.from_pretrained(
            base_folder(record["base"]),
            revision=record["revision"],
            num_labels=1,
            dtype=getattr(torch, record["dtype"]),
        )
        base.config.pad_token_id = tokenizer.pad_token_id
        base.score.float()
        model = PeftModel.from_pretrained(base, folder / "adapter").merge_and_unload().to(place)
    except (OSError, ValueError, RuntimeError, PolicyError) as wrong:
        first = next(iter(str(wrong).splitlines()), type(wrong).__name__)
        raise JudgeError(f"reward_model: {folder} cannot be loaded: {first}") from None
    model.eval().requires_grad_(False)
    probes = record["probes"]
    told = logits(model, tokenizer, [probe["text"] for probe in probes], max_length=record["max_length"])
    worst = max((abs(one - probe["logit"]) for one, probe in zip(told, probes, strict=True)), default=0.0)
    if not worst <= PROBE_TOLERANCE.get(record["dtype"], COARSE_TOLERANCE):
        raise JudgeError(
            f"reward_model: {folder}: its own texts score otherwise than when it was saved (by {worst:.2f}); "
            "base or adapter is not the one it was trained with"
        )
    return model, tokenizer


def base_folder(name: str) -> str:
    """Where the base model is: the embedded one's folder, else the name as it is."""
    return str(embedded_model()) if name == EMBEDDED else name


def read_record(folder: Path) -> dict[str, Any]:
    """What `train_judge` wrote down of a judge. Raises JudgeError when the folder holds none."""
    path = folder / RECORD
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        known = {key: told[key] for key in ("version", "base", "revision", "dtype", "max_length", "center", "probes")}
    except FileNotFoundError:
        raise JudgeError(
            f"reward_model: path: {folder} holds no {RECORD}; "
            "give a folder written by python -m socialr1_lite.train_judge"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise JudgeError(f"reward_model: {path} cannot be read ({type(wrong).__name__}: {wrong})") from None
    if known["version"] != RECORD_VERSION:
        raise JudgeError(f"reward_model: {path} is of version {known['version']}; this code reads {RECORD_VERSION}")
    if not (folder / "adapter").is_dir():
        raise JudgeError(f"reward_model: {folder} has no adapter folder; train it again")
    return {**told, **known}
