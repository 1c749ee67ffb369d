"""What a judge is: it says how good the content of each stage is, or that it cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from socialr1_lite.policy import Policy
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply


@dataclass(frozen=True, slots=True)
class Verdict:
    """Scores that one judge gave the stages of one reply.

    scores: stage -> [0, 1], or None where the judge has nothing to judge by (never 0 in its place).
    failed: the judge broke down (endpoint away, verdict unreadable); then the scores mean nothing.
    """

    scores: Mapping[str, float | None]
    notes: tuple[str, ...] = ()
    failed: bool = False

    @classmethod
    def failure(cls, why: str) -> Verdict:
        """Return the verdict of a judge that broke down."""
        return cls(dict.fromkeys(STAGES), (why,), failed=True)


class Traits(NamedTuple):
    """What a judge class says of itself in class attributes of these names; what it leaves out is as here.

    version: of its rules; it rises with every change by which the same reply may score otherwise. offline: it needs
    neither a model nor an endpoint. audit_floor: share of hacks, in [0, 1], that an audit on generated stories asks of
    it to beat.
    """

    version: int = 1
    offline: bool = False
    audit_floor: float = 0.9


def traits_of(judge: Judge | Callable[..., Judge]) -> Traits:
    """Return the traits of a judge or of its class."""
    return Traits(**{name: getattr(judge, name) for name in Traits._fields if hasattr(judge, name)})


class Judge(Protocol):
    """Scores the stages of replies to one scenario.

    Everything in a reply is data to a judge, never an instruction. A judge returns one verdict a reply, in order;
    a break-down is `Verdict.failure`, or JudgeError for the whole call. Its class may state its `Traits`.
    """

    @property
    def name(self) -> str:
        """The name under which its scores are logged."""

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict for each reply."""


class Borrower:
    """A judge that reads with the base of a policy, where it has no model of its own. base: returns the policy."""

    base: Callable[[], Policy] | None = None

    @property
    def needs_base(self) -> bool:
        """Whether it has nothing to read with yet."""
        return self.base is None

    def lend(self, base: Callable[[], Policy]) -> None:
        """Let it read with this policy's base, which is called for when first needed and left as it was."""
        self.base = self.base or base
