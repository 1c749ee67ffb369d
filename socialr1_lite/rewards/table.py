"""The reward functions by their component's name: `rewards/NAME.py` holds the function `NAME`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from socialr1_lite.rewards.component import Component
from socialr1_lite.rollouts.reward import COMPONENTS, RULES_OF_2026_11_22

CONTENT = "content"  # the one component that needs a whole group and its judges, not a reply and its scenario

REWARDS: dict[str, Callable[..., Component]] = {
    name: getattr(import_module(f"socialr1_lite.rewards.{name}"), name) for name in COMPONENTS if name != CONTENT
}


def rule_version(name: str) -> int:
    """Return the version of a component's rules: VERSION of its file, 1 where it was never changed.

    A row keeps it. Raise it whenever the same reply may come out with another value.
    """
    return int(getattr(import_module(f"socialr1_lite.rewards.{name}"), "VERSION", RULES_OF_2026_11_22))
