"""What a completion earned: the table of components, and the one formula that makes a reward of them.

Trainer, run folder, `score` and viewer all weigh by this module; stored rows keep the components, never the total.
Completions of one prompt, sampled together, are a group: without variance in their rewards nothing is learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.sip import Reply

Role = Literal["gate", "term", "process"]
Outcome = Literal["right", "wrong", "unreadable", "failed", "unknown"]  # unknown: a foreign file does not say
MODES = ("gated", "additive")
RULES_OF_2026_11_22 = 1  # the version of every component and judge in rows that were written before versions were kept
FLAT = 1e-6  # rewards of a group that lie no further apart teach nothing
ZERO_VARIANCE_REASONS = ("all cut off", "all badly formed", "all right", "all wrong", "terms cancel")


@dataclass(frozen=True, slots=True)
class ComponentInfo:
    """What the formula and a reader have to know of one component.

    role: "gate" multiplies the rest in gated mode and is a weighted term in additive mode; "term" is weighted;
    "process" is weighted and grows in with tau. title: its name on a page.
    """

    role: Role
    title: str


# Every component of the reward. A new one is a line here, its file in rewards/, its settings and its weight in
# recipe/schema.py, and its test.
COMPONENTS: Mapping[str, ComponentInfo] = {
    "format": ComponentInfo("gate", "Format"),
    "outcome": ComponentInfo("term", "Outcome"),
    "structure": ComponentInfo("process", "Structure"),
    "content": ComponentInfo("process", "Content"),
    "length": ComponentInfo("gate", "Length"),
}
GATES, TERMS, PROCESS = (
    tuple(name for name, info in COMPONENTS.items() if info.role == role) for role in ("gate", "term", "process")
)


@dataclass(frozen=True, slots=True)
class Score:
    """What each component said of one completion; None where there was nothing to score it by.

    components: those of COMPONENTS, each in [0, 1] or None. parts: what they were made of, by "component.part".
    weights, mode, tau: what the total needs besides. notes: why, in words. versions: of the rules that scored it,
    by component, and by "judge.NAME" for each judge.
    """

    components: Mapping[str, float | None]
    parts: Mapping[str, float | None]
    weights: Mapping[str, float]
    mode: str
    tau: float
    notes: tuple[str, ...]
    outcome: Outcome
    versions: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def unscored(cls, outcome: Outcome, notes: Sequence[str] = ()) -> Score:
        """Return the score of a completion that no reward was computed for."""
        return cls(dict.fromkeys(COMPONENTS), {}, {}, "gated", 1.0, tuple(notes), outcome)

    @property
    def is_scored(self) -> bool:
        """Whether any component has a value."""
        return any(value is not None for value in self.components.values())

    @property
    def total(self) -> float:
        """The reward, from the components by the one formula."""
        return total_reward(self.components, self.weights, self.mode, self.tau)

    @property
    def gate(self) -> float:
        """The product of the gates, in [0, 1]; 1 in additive mode."""
        return math.prod(_gates(self.components), start=1.0) if self.mode == "gated" else 1.0

    @property
    def process(self) -> float | None:
        """The weighted mean of the process components, in [0, 1]; None where they weigh nothing or say nothing."""
        known = {name: value for name in PROCESS if (value := self.components.get(name)) is not None}
        weight = sum(self.weights.get(name, 0.0) for name in known)
        return sum(self.weights.get(name, 0.0) * value for name, value in known.items()) / weight if weight else None

    @property
    def most_if_wrong(self) -> float:
        """The most that a completion can earn whose answer is wrong, under these weights and this tau."""
        best = {name: 0.0 if name in TERMS else 1.0 for name in COMPONENTS}
        return total_reward(best, self.weights, self.mode, self.tau)

    @property
    def paid(self) -> float | None:
        """The reward as a share of the most that a wrong answer can earn; None where that is nothing."""
        most = self.most_if_wrong
        return self.total / most if most > 0 else None

    def contribution(self, name: str) -> float | None:
        """Return what a component adds to the total (their sum); None for a gate and for what was not scored."""
        value = self.components.get(name)
        if value is None or (self.mode == "gated" and name in GATES):
            return None
        factor = self.tau if name in PROCESS else 1.0
        return self.weights.get(name, 0.0) * factor * value * self.gate

    def version(self, name: str) -> int:
        """Return the version of the rules behind a component or "judge.NAME"."""
        return self.versions.get(name, RULES_OF_2026_11_22)


@dataclass(frozen=True, slots=True)
class ScoredCompletion:
    """A completion, what was read in it, and what it earned."""

    completion: Completion
    reply: Reply
    score: Score


def total_reward(components: Mapping[str, float | None], weights: Mapping[str, float], mode: str, tau: float) -> float:
    """Return the reward of one completion (docs/rewards.md, "Total").

    gated [2nd]:  R = product of gates * (sum of w*term + tau * sum of w*process)
    additive:     R = sum of w*term + tau * sum of w*process + sum of w*gate

    components: name -> value in [0, 1]; None (nobody could judge it) or absent is left out, as if its weight
    were not there: a term falls away, a gate stays open. weights: name -> weight; a missing weight is 0. tau
    in [0, 1]. Raises ValueError for another mode.
    """
    if mode not in MODES:
        raise ValueError(f"reward mode {mode!r} is none of {', '.join(MODES)}")
    earned = _weighted(TERMS, components, weights) + tau * _weighted(PROCESS, components, weights)
    if mode == "gated":
        return math.prod(_gates(components), start=earned)
    return _weighted(GATES, components, weights, earned)


def _weighted(
    names: Sequence[str], components: Mapping[str, float | None], weights: Mapping[str, float], total: float = 0.0
) -> float:
    for name in names:
        if (value := components.get(name)) is not None:
            total += weights.get(name, 0.0) * value
    return total


def _gates(components: Mapping[str, float | None]) -> list[float]:
    return [value for name in GATES if (value := components.get(name)) is not None]


class Sibling(NamedTuple):
    """What a group's variance is explained by, of one completion. format: the gate's value, None where unscored."""

    total: float
    truncated: bool
    format: float | None
    outcome: str


class ZeroVarianceReason:
    """`zero_variance_reason` as an SQLite aggregate: zero_variance_reason(total, truncated, format, outcome)."""

    def __init__(self) -> None:
        self._group: list[Sibling] = []

    def step(self, total: float, truncated: int, format: float | None, outcome: str) -> None:
        """Take one row of the group."""
        self._group.append(Sibling(total, bool(truncated), format, outcome))

    def finalize(self) -> str:
        """Return the most telling reason; "" where the rewards differ, or where there is but one."""
        totals = [one.total for one in self._group]
        if len(totals) < 2 or max(totals) - min(totals) > FLAT:
            return ""
        if all(one.truncated for one in self._group):
            return "all cut off"
        if all(one.format == 0 for one in self._group):
            return "all badly formed"
        outcomes = {one.outcome for one in self._group}
        return f"all {outcomes.pop()}" if outcomes in ({"right"}, {"wrong"}) else "terms cancel"


def zero_variance_reason(group: Sequence[ScoredCompletion]) -> str:
    """Return why the rewards of one prompt's completions do not differ; "" where they do, or there is but one."""
    reason = ZeroVarianceReason()
    for one in group:
        score = one.score
        reason.step(score.total, one.completion.truncated, score.components.get("format"), score.outcome)
    return reason.finalize()
