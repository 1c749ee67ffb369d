"""The reward stack as verl calls it: one completion in, one dict of numbers out.

    reward.custom_reward_function.path=pkg://socialr1_lite.export.verl_reward
    +reward.custom_reward_function.reward_kwargs.recipe=DIR/recipe.yaml
    reward.reward_manager.module.path=pkg://socialr1_lite.export.verl_manager      (it counts the tokens)

The components, gates and total are the ones of training here. verl hands over no step; the curriculum's tau comes with
the prompt, whose place in the order of training is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson

from socialr1_lite.recipe import load_recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse


@cache
def _stack(recipe: str) -> RewardStack:
    return RewardStack(load_recipe(recipe).rewards)


def compute_score(
    data_source: str, solution_str: str, ground_truth: object, extra_info: Mapping[str, Any], *, recipe: str, **_: Any
) -> dict[str, float]:
    """The reward for verl: `score` is the total, the other keys are the same for every sample.

    extra_info: `scenario` (a Scenario row as JSON), `prefilled` and `tau`, as `--to verl` wrote them, and `tokens`, as
    `verl_manager` counted them. A component that cannot be judged is NaN.
    """
    scenario, tau = Scenario.from_row(orjson.loads(extra_info["scenario"])), float(extra_info["tau"])
    reply = parse(solution_str, scenario.options, prefilled=bool(extra_info["prefilled"]))
    score = _stack(recipe).score(reply, scenario, tokens=int(extra_info["tokens"]), tau=tau)
    found = ((name, score.components[name]) for name in COMPONENTS)
    values = {name: math.nan if value is None else float(value) for name, value in found}
    return {"score": score.total, "right": float(score.outcome == "right"), "tau": tau, **values}
