"""One audit of one judge: its references, the reward stack of the defaults, and the floor that is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from socialr1_lite.errors import DataError
from socialr1_lite.judges import audit_floor, read_settings
from socialr1_lite.judges.audit.measure import HackResult, audit
from socialr1_lite.judges.audit.references import ReferenceReply, free_references, gold_reference, tombench_references
from socialr1_lite.recipe import ContentReward, JudgeEntry, Rewards

# The one arrow that runs up: an audit asks whether a hack pays, and what is paid is the reward, not the verdict.
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.reward import Score
from socialr1_lite.sip import parse
from socialr1_lite.stories import generate, gold_reply

DATA_FLOOR = 0.95  # on foreign stories, whose references are made by simple rules
FREE_FLOORS = {"facts": 0.5, "rules": 0.2}  # on free wording: what was measured (docs/judges.md), and no aim
TOKENS_PER_WORD = 1.4  # about what a tokenizer makes of English


@dataclass(frozen=True, slots=True)
class Audit:
    """The settings of an audit.

    judge, settings: as in a recipe; the settings in YAML. n: scenarios, or rows of each file of `data`, a folder of
    benchmark files. free: the corpus' replies in free wording instead, all. forms: at most so many forms of each
    hack, None for all. floor: least share of wins, None for the judge's own (others with data and free wording).
    """

    judge: str
    settings: str = "{}"
    n: int = 100
    seed: int = 29
    split: str = "test"
    dimensions: tuple[str, ...] = ("belief", "knowledge")
    data: Path | None = None
    free: bool = False
    forms: int | None = None
    floor: float | None = None


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Every hack's figures. references: replies compared with; left_out: those that a gate stopped, no yardsticks."""

    results: list[HackResult]
    floor: float
    references: int
    left_out: int

    @property
    def below_floor(self) -> list[str]:
        """Return the hacks that win too often."""
        return [result.hack for result in self.results if result.misses(self.floor)]


def run_audit(asked: Audit) -> AuditResult:
    """Hold the judge to every hack. Raises JudgeError if the judge cannot be built, DataError without references."""
    entry = JudgeEntry(name=asked.judge, settings=read_settings(asked.settings))
    stack = RewardStack(Rewards(content=ContentReward(judges=(entry,))))
    if asked.data:
        found = tombench_references(asked.data, asked.n)
    elif asked.free:
        found = free_references()
    else:
        made = generate(asked.n, seed=asked.seed, dimensions=asked.dimensions, orders=(0, 1, 2), split=asked.split)
        found = [gold_reference(scenario, gold_reply(scenario, seed=i)) for i, scenario in enumerate(made)]
    references = [one for one in found if _passes_the_gates(one)]
    if not references:
        raise DataError("nothing to audit with: no reference reply could be made of these scenarios")
    own = FREE_FLOORS.get(asked.judge, 0.5) if asked.free else audit_floor(asked.judge)
    return AuditResult(
        audit(references, partial(_score, stack), forms=asked.forms, free=asked.free),
        asked.floor if asked.floor is not None else DATA_FLOOR if asked.data else own,
        references=len(references),
        left_out=len(found) - len(references),
    )


def _score(stack: RewardStack, texts: Sequence[str], reference: ReferenceReply) -> list[Score]:
    scenario = reference.scenario
    replies = [parse(text, scenario.options) for text in texts]
    tokens = [round(len(text.split()) * TOKENS_PER_WORD) for text in texts]
    return stack.score_group(replies, scenario, tokens=tokens, tau=1.0)


def _passes_the_gates(reference: ReferenceReply) -> bool:
    """Return whether a reference is no worse for its form: one that repeats itself is paid less for that, say."""
    (score,) = _score(RewardStack(Rewards()), [reference.text], reference)
    return (
        score.parts["length.repetition"] == 0.0 and score.components["format"] == score.components["structure"] == 1.0
    )
