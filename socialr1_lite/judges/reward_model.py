"""The `reward_model` judge: a LoRA sequence classifier trained on stage-level pairs by `train_judge`; sigmoid(score).

    rewards:
      content:
        judges: [{name: reward_model, settings: {path: judges/smollm2}}]

Beside Unsloth the model has a process of its own (`reward_process.py` says why).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges.addressed import notes_of, stages_about
from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.classifier import load_judge, logits, read_record, resolve_device, sigmoid
from socialr1_lite.judges.reward_process import RewardProcess
from socialr1_lite.judges.rules import selectivity, share_about
from socialr1_lite.judges.token_tree import TREE_TOKENS
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply

CACHE_SIZE = 256  # groups kept
FREE_WORDS = (
    30  # of a stage need not be about the scenario: right stages in free wording have up to about as many [measured]
)


class RewardModelJudge:
    """Scores each stage by itself, in batches over the group. The model is loaded when first needed."""

    name = "reward_model"
    version = 3

    def __init__(self, *, path: str, device: str = "auto", batch_tokens: int = TREE_TOKENS) -> None:
        """Read its record. path: a folder of `train_judge`. device: auto, cpu, cuda, cuda:1. Raises JudgeError.

        batch_tokens: of one forward pass, counting what several texts begin with once.
        """
        if not isinstance(batch_tokens, int) or isinstance(batch_tokens, bool) or batch_tokens < 1:
            where = "rewards.content.judges: reward_model: batch_tokens"
            raise JudgeError(f"{where}: given {batch_tokens!r}; allowed: 1 or more")
        self._folder = Path(path).expanduser()
        self._record = read_record(self._folder)
        self._device, self._batch_tokens = device, batch_tokens

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict a reply; a stage without text is 0; what talks to a judge is not read and dilutes.

        What the model says of a stage counts for the share of its words that `counted` gives: of much filler behind
        little, a small model knows only that it is seldom the worst [measured].
        """
        texts: dict[tuple[int, str], str] = {}
        found = [stages_about(reply, scenario) for reply in replies]
        for i, reply in enumerate(replies):
            answer = scenario.options[reply.answer] if reply.answer is not None else reply.answer_text
            stages = {stage: text for stage, (text, _) in found[i].items() if text.strip()}
            texts |= {(i, stage): judged_text(scenario, stage, text, stages, answer) for stage, text in stages.items()}
        logits = self._logits(tuple(sorted(set(texts.values())))) if texts else {}
        scores = [dict[str, float | None](dict.fromkeys(STAGES, 0.0)) for _ in replies]
        for (i, stage), text in texts.items():
            said, share = found[i][stage]
            value = sigmoid(logits[text] - self._record["center"]) * counted(stage, said, scenario)
            scores[i][stage] = value * share
        return [Verdict(score, tuple(notes_of(one))) for score, one in zip(scores, found, strict=True)]

    @cached_property
    def _logits(self) -> Callable[[tuple[str, ...]], dict[str, float]]:
        """What scores texts, read together, by the model itself or a process that holds it; it is loaded here.

        The same texts get the very same logits again, here or elsewhere: in 16 bits a text's logit moves by a few
        hundredths with what is read beside it, so it is not kept by itself.
        """
        device, size = resolve_device(self._device), self._batch_tokens
        if "unsloth" in sys.modules:
            read = RewardProcess(self._folder, device=device, batch_tokens=size).logits
        else:
            judge, length = load_judge(self._folder, device=device), self._record["max_length"]
            read = partial(logits, *judge, max_length=length, batch_tokens=size)
        return lru_cache(maxsize=CACHE_SIZE)(lambda texts: dict(zip(texts, read(texts), strict=True)))


def counted(stage: str, text: str, scenario: Scenario) -> float:
    """Return the share of a stage's words that counts, in [0, 1]: those about the scenario, as `rules` reads them.

    Free wording has many that are not, so FREE_WORDS of the others count as well: only long padding costs. Cues that
    repeat the story instead of choosing from it count for less: a model that reads them finds nothing wrong there.
    """
    if not (words := len(text.split())):
        return 0.0
    chosen = selectivity(text, scenario) if stage == STAGES[0] else 1.0
    return chosen * min(1.0, share_about(stage, text, scenario) + FREE_WORDS / words)


def judged_text(scenario: Scenario, stage: str, text: str, context: Mapping[str, str], answer: str) -> str:
    """Write what the model reads of one stage: the question and its right answer, then the stage, last.

    Interpretation and answer given are shown for the last stage only, which has to agree with them: whatever is wrong
    elsewhere in a reply, a stage's score stays what it is. The stages share their beginnings. Training and judging
    share this text.
    """
    options = "\n".join(map(". ".join, zip(scenario.letters, scenario.options, strict=True)))
    parts = [f"Story: {scenario.story}", f"Question: {scenario.question}"]
    if options:
        parts.append(f"Options:\n{options}")
    if scenario.gold:
        parts.append(f"Right answer: {_lettered(scenario, scenario.gold_text)}")
    if stage == STAGES[-1]:
        if interpretation := context.get(STAGES[1]):
            parts.append(f"{TITLES[STAGES[1]]}: {interpretation}")
        parts.append(f"Answer given: {_lettered(scenario, answer)}")
    return "\n".join((*parts, f"{TITLES[stage]}: {text}"))


def _lettered(scenario: Scenario, answer: str) -> str:
    """Return an option with its letter, so that a stage may name either; other text as it is."""
    if answer not in scenario.options:
        return answer
    return f"{scenario.letters[scenario.options.index(answer)]}. {answer}"
