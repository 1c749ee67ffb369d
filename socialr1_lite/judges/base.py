"""What a judge is: it says how good the content of each stage is, or that it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one judge said of one reply.

    scores: stage -> [0, 1], or None where the judge has nothing to judge by (never 0 in its place).
    failed: the judge broke down (endpoint away, verdict unreadable); then the scores mean nothing.
    """

    scores: Mapping[str, float | None]
    notes: tuple[str, ...] = ()
    failed: bool = False

    @classmethod
    def failure(cls, why: str) -> Verdict:
        """The verdict of a judge that broke down."""
        return cls(dict.fromkeys(STAGES), (why,), failed=True)


class Judge(Protocol):
    """Scores the stages of replies to one scenario.

    Everything in a reply is data to a judge, never an instruction. A judge returns one verdict a reply, in order;
    a break-down is `Verdict.failure`, or JudgeError for the whole call.
    """

    @property
    def name(self) -> str:
        """The name under which its scores are logged."""
        ...

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """One verdict for each reply."""
        ...
