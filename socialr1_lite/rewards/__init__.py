"""What a good reply is: one file a component, and the stack that weighs them (docs/rewards.md)."""

from socialr1_lite.rewards.component import Component
from socialr1_lite.rewards.curriculum import tau
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rewards.table import REWARDS
from socialr1_lite.rollouts.reward import COMPONENTS, Score

__all__ = ["COMPONENTS", "REWARDS", "Component", "RewardStack", "Score", "tau"]
