"""What a good reply is: one file a component, and the stack that weighs them.

REWARDS holds the components that need one reply and its scenario; content comes from the judges (`judges.JUDGES`).
"""

from collections.abc import Callable

from socialr1_lite.rewards.component import Component
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.efficiency import length
from socialr1_lite.rewards.format import format_gate
from socialr1_lite.rewards.outcome import outcome
from socialr1_lite.rewards.stack import COMPONENTS, RewardStack, Score
from socialr1_lite.rewards.structure import structure

REWARDS: dict[str, Callable[..., Component]] = {
    "format": format_gate,
    "outcome": outcome,
    "structure": structure,
    "length": length,
}

__all__ = ["COMPONENTS", "REWARDS", "Component", "RewardStack", "Score", "tau"]
