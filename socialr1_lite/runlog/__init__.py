"""The run folder: what a run remembers, written and read in one place."""

from socialr1_lite.runlog.total import total_reward

__all__ = ["total_reward"]
