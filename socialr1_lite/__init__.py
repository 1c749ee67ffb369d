"""Process rewards and LoRA-GRPO training for social reasoning, on one small GPU or only a CPU.

The public names below are found on first use, so that importing the package loads neither torch nor gradio:

    from socialr1_lite import load_recipe, run_recipe
    run_recipe(load_recipe("recipes/cpu_smollm2.yaml"))
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socialr1_lite.errors import SocialR1Error as SocialR1Error
    from socialr1_lite.plan.smoke import smoke as smoke
    from socialr1_lite.recipe import Recipe as Recipe
    from socialr1_lite.recipe import load_recipe as load_recipe
    from socialr1_lite.rewards.stack import RewardStack as RewardStack
    from socialr1_lite.rollouts.reward import Score as Score
    from socialr1_lite.scenario import Claim as Claim
    from socialr1_lite.scenario import Facts as Facts
    from socialr1_lite.scenario import Scenario as Scenario
    from socialr1_lite.sip import Reply as Reply
    from socialr1_lite.sip import parse as parse
    from socialr1_lite.sip import render as render
    from socialr1_lite.sip import reply_text as reply_text
    from socialr1_lite.stories import generate as generate_stories  # noqa: F401
    from socialr1_lite.stories import gold_reply as gold_reply
    from socialr1_lite.training.session import run_recipe as run_recipe

__version__ = "0.1.0"

# How often OpenMP's threads look for work before they sleep. GNU's own 300,000 times keep a core from every process
# beside it, each time that a token waits for it; read when torch is loaded (benchmarks/contention.py measures it).
SPIN = "10000"
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = SPIN

PUBLIC = {  # a public name: where it lives, and what it is called there
    "Claim": ("scenario", "Claim"),
    "Facts": ("scenario", "Facts"),
    "Recipe": ("recipe", "Recipe"),
    "Reply": ("sip", "Reply"),
    "RewardStack": ("rewards.stack", "RewardStack"),
    "Scenario": ("scenario", "Scenario"),
    "Score": ("rollouts.reward", "Score"),
    "SocialR1Error": ("errors", "SocialR1Error"),
    "generate_stories": ("stories", "generate"),
    "gold_reply": ("stories", "gold_reply"),
    "load_recipe": ("recipe", "load_recipe"),
    "parse": ("sip", "parse"),
    "render": ("sip", "render"),
    "reply_text": ("sip", "reply_text"),
    "run_recipe": ("training.session", "run_recipe"),
    "smoke": ("plan.smoke", "smoke"),
}

__all__ = ["__version__", *PUBLIC]


def __getattr__(name: str) -> Any:
    """Find a public name in its module on first use."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = PUBLIC[name]
    value = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, found or not yet."""
    return sorted({*globals(), *PUBLIC})
