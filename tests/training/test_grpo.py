"""What is said to TRL and what comes back, without a model: settings, rewards, metrics, trace rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import COMPONENTS, zero_variance_reason
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.training.grpo import TrlRewardAdapter, group_metrics
from socialr1_lite.training.grpo_config import effective_differences, grpo_settings
from tests.scripted import BROKEN, RIGHT, WRONG, copies

# What Unsloth rewrites or defaults otherwise on a GPU: each must be written, not left to a default.
REWRITTEN_ON_A_GPU = [
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "optim",
    "seed",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "num_generations",
    "loss_type",
    "beta",
    "epsilon",
    "epsilon_high",
    "mask_truncated_completions",
    "scale_rewards",
    "vllm_importance_sampling_correction",
    "logging_steps",
    "save_strategy",
    "save_steps",
    "report_to",
    "temperature",
    "top_p",
    "top_k",
    "bf16",
    "fp16",
    "max_completion_length",
    "steps_per_generation",
]

STOP = 0
TEXTS = {1: RIGHT, 2: WRONG, 3: BROKEN}


class Tokens:
    """A tokenizer whose token 1 is a whole right reply, 2 a wrong one, 3 a broken one."""

    def decode(self, ids, skip_special_tokens):
        return "".join(TEXTS.get(one, "") for one in ids)


def recipe(**rewards) -> Recipe:
    return Recipe.model_validate(
        {
            "rewards": {"length": {"min_tokens": 1, "max_tokens": 50}, **rewards},
            "grpo": {"num_generations": 2, "per_device_train_batch_size": 2, "max_steps": 10},
        }
    )


def adapter(scenario, settings: Recipe) -> TrlRewardAdapter:
    return TrlRewardAdapter(
        RewardStack(settings.rewards), copies(scenario, 4), settings, Tokens(), {STOP}, prefilled=False
    )


def call(rewards: TrlRewardAdapter, ids, position, step=0):
    state = SimpleNamespace(global_step=step, max_steps=10)
    metrics: dict[str, float] = {}
    out = [
        function(
            prompts=None,
            completions=None,
            completion_ids=ids,
            position=position,
            trainer_state=state,
            log_metric=metrics.__setitem__,
        )
        for function in rewards.functions()
    ]
    return out, metrics


IDS = [[1, STOP], [2, STOP], [3, STOP], [3, 3]]
POSITION = [1, 1, 2, 2]


def test_gated_mode_is_one_callable_that_gives_totals(scenario):
    adapted = adapter(scenario, recipe())
    (rewards,), _ = call(adapted, IDS, POSITION)
    assert [function.__name__ for function in adapted.functions()] == ["sip_reward"]
    assert rewards == [scored.score.total for scored in adapted.last]
    assert rewards[0] > rewards[1] > rewards[2] == rewards[3] == 0


def test_additive_mode_is_one_callable_a_component_over_one_scoring(scenario):
    adapted = adapter(scenario, recipe(mode="additive"))
    ids = [list(one) for one in IDS]
    columns, _ = call(adapted, ids, POSITION)
    assert [function.__name__ for function in adapted.functions()] == list(COMPONENTS)
    first = adapted.last
    call(adapted, ids, POSITION)
    assert adapted.last is first, "the same batch was scored twice"
    for i, scored in enumerate(adapted.last):
        assert [column[i] for column in columns] == [scored.score.components[name] for name in COMPONENTS]


def test_trls_weighted_sum_is_our_total_in_additive_mode(scenario):
    adapted = adapter(scenario, recipe(mode="additive"))
    columns, metrics = call(adapted, IDS, POSITION, step=4)
    weights = adapted.weights(metrics["tau"])
    for i, scored in enumerate(adapted.last):
        summed = sum(w * (column[i] or 0.0) for w, column in zip(weights, columns, strict=True))
        assert summed == pytest.approx(scored.score.total, abs=1e-9)


def test_tau_follows_the_optimizer_step_and_is_one_outside_a_run(scenario):
    adapted = adapter(scenario, recipe(curriculum={"tau0": 0.2, "p0": 0.1, "p1": 0.6}))
    assert adapted.tau(SimpleNamespace(global_step=0, max_steps=10)) == pytest.approx(0.2)
    assert adapted.tau(SimpleNamespace(global_step=6, max_steps=10)) == pytest.approx(1.0)
    assert adapted.tau(SimpleNamespace(global_step=0, max_steps=0)) == 1.0


def test_a_completion_without_its_end_token_was_cut_off(scenario):
    adapted = adapter(scenario, recipe())
    call(adapted, IDS, POSITION)
    assert [scored.completion.finish for scored in adapted.last] == ["stop", "stop", "stop", "length"]
    assert [scored.completion.tokens for scored in adapted.last] == [2, 2, 2, 2]


def test_metrics_tell_components_outcomes_and_why_groups_are_flat(scenario):
    _, metrics = call(adapter(scenario, recipe()), IDS, POSITION)
    assert metrics["reward/format"] == 0.5
    assert (metrics["outcome/right"], metrics["outcome/wrong"], metrics["outcome/unreadable"]) == (0.25, 0.25, 0.5)
    assert metrics["groups/informative"] == 0.5
    assert metrics["groups/all_badly_formed"] == 0.5
    assert metrics["truncated"] == 0.25


@pytest.mark.parametrize(
    ("texts", "cause"),
    [
        ((RIGHT, WRONG), ""),
        ((RIGHT, RIGHT), "all right"),
        ((WRONG, WRONG), "all wrong"),
        ((BROKEN, BROKEN), "all badly formed"),
    ],
)
def test_flat_groups_have_a_named_cause(scenario, texts, cause):
    stack = RewardStack(recipe().rewards)
    group = stack.score([Completion(text, 9) for text in texts], scenario)
    assert zero_variance_reason(group) == cause


def test_cut_off_comes_before_badly_formed(scenario):
    stack = RewardStack(recipe().rewards)
    group = stack.score([Completion(BROKEN, 9, "length")] * 2, scenario)
    assert zero_variance_reason(group) == "all cut off"


def test_a_group_of_one_says_nothing_of_flatness(scenario):
    stack = RewardStack(recipe().rewards)
    assert list(group_metrics(stack.score([Completion(RIGHT, 9)], scenario), [0])) == []


def test_a_trace_row_recomputes_to_what_trl_was_given(scenario):
    settings = recipe()
    out = adapter(scenario, settings)
    (rewards,), _ = call(out, IDS, POSITION, step=5)
    given = {"position": 1, "prompt": [{"role": "user", "content": "?"}]}
    trace = Trace.from_row(out.trace(given, out.last[1], advantage=-0.7, step=5, row=1).to_row())
    assert (trace.scenario, trace.group, trace.index, trace.step) == (f"{scenario.id}-1", 1, 1, 5)
    assert trace.total == pytest.approx(rewards[1], abs=1e-9)
    assert trace.advantage == -0.7
    assert trace.judges == ("rules",)


def test_an_infinite_advantage_is_stored_as_none(scenario):
    out = adapter(scenario, recipe())
    call(out, IDS, POSITION)
    given = {"position": 1, "prompt": []}
    assert out.trace(given, out.last[0], advantage=float("nan"), step=0, row=0).to_row()["advantage"] is None


def test_every_setting_that_unsloth_rewrites_is_told():
    policy = SimpleNamespace(
        model=SimpleNamespace(config=SimpleNamespace(dtype="bfloat16")), quantized=False, device="cpu"
    )
    settings = grpo_settings(recipe(), policy, Path("out"))
    missing = [name for name in REWRITTEN_ON_A_GPU if settings.get(name) is None]
    assert missing == []


def test_the_upper_clip_is_told_even_where_the_recipe_leaves_it_out():
    policy = SimpleNamespace(
        model=SimpleNamespace(config=SimpleNamespace(dtype="float32")), quantized=False, device="cpu"
    )
    settings = grpo_settings(recipe(), policy, Path("out"))
    assert settings["epsilon_high"] == settings["epsilon"] == 0.2
    assert (settings["bf16"], settings["fp16"]) == (False, False)


def test_a_setting_that_came_out_otherwise_is_a_difference():
    made = SimpleNamespace(optim="adamw_8bit", learning_rate=1e-5, report_to=["none"], beta=0.001)
    wanted = {"optim": "adamw_torch", "learning_rate": 0.00001, "report_to": ["none"], "beta": 0.0}
    assert effective_differences(wanted, made) == {
        "optim": {"recipe": "adamw_torch", "effective": "adamw_8bit"},
        "beta": {"recipe": 0.0, "effective": 0.001},
    }


@pytest.mark.parametrize(("wanted", "made", "same"), [(0, -1, True), (0, None, True), (5, -1, False), (0, 50, False)])
def test_no_limit_to_the_likeliest_tokens_has_several_spellings(wanted, made, same):
    """Unsloth writes -1 where vLLM samples; TRL's 0 means the same."""
    differences = effective_differences({"top_k": wanted}, SimpleNamespace(top_k=made))
    assert (differences == {}) is same
