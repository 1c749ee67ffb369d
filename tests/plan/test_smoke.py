"""The smoke version of a recipe: small, offline, and otherwise what it was."""

from __future__ import annotations

import pytest

from socialr1_lite.errors import JudgeError
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.recipe import Recipe


def test_smoke_keeps_what_is_learnt_from_and_drops_what_costs() -> None:
    recipe = Recipe.model_validate(
        {
            "model": {
                "name": "big/model",
                "load_in_4bit": True,
                "fast_inference": True,
                "max_seq_length": 4096,
            },
            "data": {"source": "some/dataset", "columns": {"gold": "x"}, "orders": [2]},
            "prompt": {"style": "socialr1", "answer": "text"},
            "warmup": {"steps": 50},
            "rewards": {
                "mode": "additive",
                "content": {"judges": [{"name": "llm", "weight": 2}, {"name": "facts", "weight": 3}]},
                "length": {"min_tokens": 100},
            },
            "grpo": {
                "vllm": "colocate",
                "num_generations": 5,
                "per_device_train_batch_size": 10,
                "num_iterations": 2,
                "optim": "adamw_8bit",
                "loss_type": "bnpo",
                "learning_rate": 3e-5,
            },
            "evaluation": {"every": 100},
            "logging": {"report_to": ["tensorboard"]},
            "run": {"name": "big"},
        }
    )
    small = smoke(recipe)
    assert small.model.name == "smollm2-135m"
    assert not (small.model.load_in_4bit or small.model.fast_inference or small.grpo.vllm or small.logging.report_to)
    assert (small.data.source, small.data.columns, small.data.orders) == ("stories", {}, (2,))
    assert small.prompt == recipe.prompt
    assert small.rewards.mode == "additive"
    assert [judge.name for judge in small.rewards.content.judges] == ["facts"]
    assert (small.grpo.loss_type, small.grpo.learning_rate) == ("bnpo", 3e-5)
    assert (small.grpo.max_steps, small.warmup.steps, small.evaluation.every) == (2, 2, 2)
    assert small.run.name == "big-smoke"
    assert small.prompts_per_step == 1


def test_smoke_without_an_offline_judge_takes_the_rules() -> None:
    recipe = Recipe.model_validate({"rewards": {"content": {"judges": [{"name": "llm"}]}}})
    assert [judge.name for judge in smoke(recipe).rewards.content.judges] == ["rules"]


def test_smoke_swaps_no_judge_whose_name_is_wrong() -> None:
    recipe = Recipe.model_validate({"rewards": {"content": {"judges": [{"name": "rulez"}, {"name": "facts"}]}}})
    with pytest.raises(JudgeError, match="unknown judge 'rulez'"):
        smoke(recipe)


def test_smoke_adds_no_cold_start() -> None:
    assert smoke(Recipe()).warmup.steps == 0


def test_smoke_asks_fewer_on_the_way_and_of_what_training_never_sees() -> None:
    told = {"perturbations": {"exclude": ["peeked"]}, "difficulty": [{"until": 0.5, "objects": {"places": [2]}}]}
    row = {"name": "peeping", "perturbations": {"include": ["peeked"]}, "items": 50}
    small = smoke(Recipe.model_validate({"data": {**told, "transfer": [row]}, "evaluation": {"items_on_the_way": 30}}))
    assert small.evaluation.on_the_way == 4 and small.data.transfer[0].items == 2
    assert small.data.perturbations.exclude == ("peeked",) and small.data.difficulty


def test_smoke_asks_nothing_further_where_its_own_stories_would_show_it() -> None:
    row = {"name": "first order", "orders": [1], "items": 4}
    told = {"source": "mine.jsonl", "heldout_source": "stories", "dimensions": ["belief"], "transfer": [row]}
    small = smoke(Recipe.model_validate({"data": told}))
    assert small.data.source == "stories" and not small.data.transfer
