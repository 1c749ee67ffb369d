"""A group: the completions of one prompt, sampled together. Without variance in their rewards nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from socialr1_lite.rollouts.reward import ScoredCompletion

FLAT = 1e-6  # rewards of a group that lie no further apart teach nothing
ZERO_VARIANCE_REASONS = ("all cut off", "all badly formed", "all right", "all wrong", "terms cancel")


class Sibling(NamedTuple):
    """What a group's variance is explained by, of one completion. format: the gate's value, None where unscored."""

    total: float
    truncated: bool
    format: float | None
    outcome: str


def zero_variance_reason(group: Sequence[Sibling]) -> str:
    """Return why the rewards of a group do not differ, most telling reason first; "" where they do, or it has one."""
    if len(group) < 2:
        return ""
    if max(one.total for one in group) - min(one.total for one in group) > FLAT:
        return ""
    if all(sibling.truncated for sibling in group):
        return "all cut off"
    if all(sibling.format == 0 for sibling in group):
        return "all badly formed"
    outcomes = {sibling.outcome for sibling in group}
    return f"all {outcomes.pop()}" if outcomes in ({"right"}, {"wrong"}) else "terms cancel"


def siblings(scored: Sequence[ScoredCompletion]) -> list[Sibling]:
    """Return what explains the variance of these completions of one prompt."""
    return [
        Sibling(one.score.total, one.completion.truncated, one.score.components.get("format"), one.score.outcome)
        for one in scored
    ]


class ZeroVarianceReason:
    """`zero_variance_reason` as an SQLite aggregate: zero_variance_reason(total, truncated, format, outcome)."""

    def __init__(self) -> None:
        self._group: list[Sibling] = []

    def step(self, total: float, truncated: int, format: float | None, outcome: str) -> None:
        """Take one row of the group."""
        self._group.append(Sibling(total, bool(truncated), format, outcome))

    def finalize(self) -> str:
        """Return the reason."""
        return zero_variance_reason(self._group)
