"""The reward stack as verl calls it: one completion in, one dict of numbers out.

    reward.custom_reward_function.path=pkg://socialr1_lite.export.verl_reward
    +reward.custom_reward_function.reward_kwargs.recipe=DIR/recipe.yaml
    +reward.custom_reward_function.reward_kwargs.tokenizer=MODEL

The components, gates and total are the ones of training here, with two differences that verl's interface forces. The
curriculum needs the step, which verl does not hand over: tau is 1 from the start, or what `tau` says. The completion
comes as text: its tokens are counted by tokenizing it again, plus the end token where it was not cut off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson

from socialr1_lite.recipe import load_recipe
from socialr1_lite.rewards.stack import COMPONENTS, RewardStack
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse


@cache
def _stack(recipe: str) -> tuple[RewardStack, int]:
    told = load_recipe(recipe)
    return RewardStack(told.rewards), told.grpo.max_completion_length


@cache
def _tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(name)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any],
    *,
    recipe: str,
    tokenizer: str,
    tau: float = 1.0,
    **_: object,
) -> dict[str, float]:
    """The reward for verl: `score` is the total, the other keys are the components, the same for every sample.

    extra_info: `scenario` (a Scenario row as JSON) and `prefilled`, as `--to verl` wrote them. A component that cannot
    be judged is NaN.
    """
    stack, limit = _stack(recipe)
    scenario = Scenario.from_row(orjson.loads(extra_info["scenario"]))
    counted = len(_tokenizer(tokenizer)(solution_str, add_special_tokens=False)["input_ids"])
    cut = counted >= limit
    reply = parse(solution_str, scenario.options, prefilled=bool(extra_info["prefilled"]))
    score = stack.score(reply, scenario, tokens=limit if cut else counted + 1, tau=tau, truncated=cut)
    told = {name: score.components[name] for name in COMPONENTS}
    values = {name: math.nan if value is None else float(value) for name, value in told.items()}
    return {"score": score.total, "right": float(score.outcome == "right"), **values}
