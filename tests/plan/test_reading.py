"""What a plan says of judges that read with a language model."""

from __future__ import annotations

from typing import Any

import pytest

from socialr1_lite.errors import RecipeError
from socialr1_lite.export.verl import refuse
from socialr1_lite.plan import make_plan
from socialr1_lite.plan.__main__ import table
from socialr1_lite.plan.architectures import ARCHITECTURES
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.plan.reading import reading_tokens
from socialr1_lite.recipe import Recipe

SERVED = {"base_url": "http://localhost:1/v1", "model": "m"}


def recipe(settings: dict[str, Any] | None = None, **sections: Any) -> Recipe:
    """A recipe whose stages are read by a `reader` of these settings; None: by rules alone."""
    judges = [{"name": "rules"}] + ([{"name": "reader", "settings": settings}] if settings is not None else [])
    model = {"name": "Qwen/Qwen3-4B"}
    return Recipe.model_validate({"model": model, "rewards": {"content": {"judges": judges}}, **sections})


def always(settings: dict[str, Any] | None) -> float:
    return make_plan(recipe(settings), "a100-80").memory.total("always")


def test_the_policys_own_base_has_no_further_weights_and_another_model_has() -> None:
    assert always({}) == always(SERVED) == always(None)
    small = ARCHITECTURES["qwen3-0.6b"]
    assert always({"model": "Qwen/Qwen3-0.6B"}) == always(None) + small.parameters * 2
    less = always({"model": "Qwen/Qwen3-0.6B", "load_in_4bit": True}) - always(None)
    assert small.parameters * 0.5 < less < small.parameters * 2
    assert always({"model": "nobody/knows"}) == always(None)


def test_reading_takes_memory_of_its_own_turn_and_time_that_grows_with_what_is_read() -> None:
    plans = {name: make_plan(recipe(given), "a100-80") for name, given in (("base", {}), ("none", None))}
    assert plans["base"].memory.total("judging") > plans["none"].memory.total("judging") == 0
    large = make_plan(recipe({"batch_tokens": 8192}), "a100-80")
    assert large.memory.total("judging") > plans["base"].memory.total("judging")
    times = {phase.name: phase for phase in plans["base"].phases}
    assert "judge reader" not in {phase.name for phase in plans["none"].phases}
    shorter = make_plan(recipe({}, grpo={"max_completion_length": 64}), "a100-80")
    assert times["judge reader"].seconds > {one.name: one for one in shorter.phases}["judge reader"].seconds > 0
    assert any("the judge reader reads" in line for line in table(plans["base"]))
    assert not any("reader" in line for line in table(plans["none"]))


def test_a_step_reads_each_completion_twice_and_each_beginning_once_a_pass() -> None:
    asked = recipe({}, grpo={"num_generations": 4, "per_device_train_batch_size": 4, "max_completion_length": 100})
    own, begin = 2 * 4 * (100 + 4 * 60) + 4 * 60, asked.data.max_prompt_tokens + 140
    groups = asked.completions_per_step / 4
    passes = -(-own // (4096 - begin))
    assert reading_tokens(asked, 4096) == (groups * (own + passes * begin), groups * passes)


def test_a_base_that_changes_on_the_way_cannot_be_read_with() -> None:
    few = {"data": {"size": 64, "heldout": 4}, "evaluation": {"items": 4}, "grpo": {"max_steps": 2}}
    merged = {"warmup": {"steps": 1, "merge": True}, **few}
    with pytest.raises(RecipeError, match=r"reader reads with the policy's base, which warmup\.merge changes"):
        check_recipe(recipe({}, **merged))
    check_recipe(recipe(SERVED, **merged))


def test_verl_lends_no_base() -> None:
    with pytest.raises(RecipeError, match="verl lends no judge the policy's base to read with; name a served model"):
        refuse(recipe({}))
    refuse(recipe(SERVED))
