"""The preflight names what would make training fruitless, and does not cry wolf."""

from __future__ import annotations

import pytest

from socialr1_lite.errors import PreflightError
from socialr1_lite.judges import JUDGES
from socialr1_lite.recipe import Data, Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.scenario import Scenario
from socialr1_lite.train import main
from socialr1_lite.training.preflight import PROMPTS, preflight
from tests.rewards.test_stack import Scripted, says
from tests.scripted import BROKEN, RIGHT, WRONG, ScriptedPolicy, copies
from tests.tokenizers import real_tokenizer

RECIPE = Recipe.model_validate(
    {"rewards": {"length": {"min_tokens": 5}}, "grpo": {"num_generations": 4, "per_device_train_batch_size": 4}}
)


def look(policy: ScriptedPolicy, scenario: Scenario, recipe: Recipe = RECIPE):
    return preflight(recipe, policy, RewardStack(recipe.rewards), copies(scenario, PROMPTS))


def test_a_healthy_model_passes_without_a_word(scenario):
    found = look(ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG), scenario)
    assert (found.obstacles, found.warnings) == ((), ())
    found.refuse()
    assert any("100% of 8 samples" in line for line in found.lines())
    assert any("informative groups: 2 of 2" in line for line in found.lines())


def judged_by(source: str, **weights: float) -> Recipe:
    judges = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return Recipe.model_validate(
        {**RECIPE.model_dump(), "data": {"source": source}, "rewards": {"content": {"judges": judges}}}
    )


def test_rules_alone_get_one_line_of_advice_and_no_other_judge_does(scenario):
    def advised(recipe: Recipe) -> list[str]:
        found = look(ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG), scenario, recipe)
        assert found.warnings == ()
        return [line for line in found.lines() if "`rules` alone" in line]

    (line,) = advised(judged_by("stories", rules=1))
    assert "[{name: facts}]" in line and "reward_model" not in line
    (line,) = advised(judged_by("somebody/questions", rules=1, facts=0))
    assert "a false reason" in line and all(name in line for name in ("`reward_model`", "`reader`", "`llm`"))
    mixed = {"sources": [{"source": "stories", "share": 1}, {"source": "mine.jsonl", "share": 1}]}
    (line,) = advised(judged_by("stories", rules=1).model_copy(update={"data": Data.model_validate(mixed)}))
    assert "on real data" in line
    assert not advised(judged_by("stories", facts=1, rules=1)) and not advised(judged_by("stories", facts=1, rules=0))
    unpaid = Recipe.model_validate({**RECIPE.model_dump(), "rewards": {"weights": {"content": 0}}})
    assert not advised(unpaid)


def test_the_check_without_weights_has_the_advice_too(tmp_path, capsys):
    path = tmp_path / "plain.yaml"
    path.write_text("data: {source: stories, size: 40, heldout: 8}\ngrpo: {max_steps: 2}\nevaluation: {items: 8}\n")
    assert main([str(path), "--check"]) == 0
    assert "note: content is paid by `rules` alone" in capsys.readouterr().out


def test_a_monitor_that_gives_low_where_much_is_paid_is_told_before_the_first_step(scenario, monkeypatch):
    for name, score in (("payer", 0.8), ("watcher", 0.1)):
        monkeypatch.setitem(JUDGES, name, lambda score=score, name=name: Scripted(says(score), name=name))
    found = look(
        ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG), scenario, judged_by("stories", payer=1, watcher=0)
    )
    assert "content of 8 samples in form: 0.80 is paid, the monitor watcher gives 0.10" in found.lines()
    (warning,) = found.warnings
    assert "8 of 8 samples are paid 0.6 or more" in warning and "the monitor watcher gives them 0.3 or less" in warning


def test_no_completion_in_form_is_refused_with_the_failed_checks_and_a_remedy(scenario):
    found = look(ScriptedPolicy(lambda _: BROKEN), scenario)
    with pytest.raises(PreflightError, match=r"one_answer.*warmup\.steps=20.*rewards\.format\.mode=graded"):
        found.refuse()


def test_one_completion_in_form_is_no_obstacle(scenario):
    assert look(ScriptedPolicy(lambda i: RIGHT if i == 3 else BROKEN), scenario).obstacles == ()


def test_a_refusal_needs_sixty_samples_over_four_groups(scenario):
    """The first completion in form may be the 57th: ten samples say little of a model that is right now and then."""
    calls = []

    def late(policy: ScriptedPolicy) -> ScriptedPolicy:
        plain = policy.generate

        def generate(prompts, **sampling):
            calls.append(sampling["seed"])
            policy.say = lambda i: RIGHT if len(calls) == 8 and i == 0 else BROKEN
            return plain(prompts, **sampling)

        policy.generate = generate
        return policy

    found = look(late(ScriptedPolicy(lambda _: BROKEN)), scenario)
    assert found.obstacles == () and len(found.completions) == 64
    assert len(set(calls)) == 8, "the same samples again say nothing new"
    wide = RECIPE.model_copy(update={"grpo": RECIPE.grpo.model_copy(update={"num_generations": 40})})
    refused = look(ScriptedPolicy(lambda _: BROKEN), scenario, wide)
    assert refused.obstacles and len(refused.groups) == 4


def test_additive_mode_can_learn_without_the_gate(scenario):
    recipe = Recipe.model_validate(
        RECIPE.model_dump() | {"rewards": RECIPE.rewards.model_dump() | {"mode": "additive"}}
    )
    assert look(ScriptedPolicy(lambda _: BROKEN), scenario, recipe).obstacles == ()


def test_every_completion_cut_off_is_refused(scenario):
    found = look(ScriptedPolicy(lambda _: BROKEN, cut=lambda _: True), scenario)
    with pytest.raises(PreflightError, match=r"all 64 sampled completions were cut off.*max_completion_length=256"):
        found.refuse()


def test_a_third_cut_off_is_a_warning(scenario):
    found = look(ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG, cut=lambda i: i % 3 == 0), scenario)
    assert found.obstacles == ()
    assert [w for w in found.warnings if "cut off" in w]


def test_flat_groups_are_a_warning_that_says_so(scenario):
    found = look(ScriptedPolicy(lambda _: RIGHT), scenario)
    assert [w for w in found.warnings if "no sampled group is informative" in w]
    assert any("all right" in line for line in found.lines())


def test_a_template_that_opens_the_think_block_is_told_and_read_rightly(scenario):
    inside = RIGHT.split("<think>", 1)[1]
    found = look(
        ScriptedPolicy(lambda i: inside if i % 2 else WRONG.split("<think>", 1)[1], tail="<think>\n"), scenario
    )
    assert "the chat template opens <think> itself; completions are read as starting inside it" in found.lines()
    assert all(scored.score.components["format"] == 1 for scored in found.completions)


# The three kinds of Qwen3, by what their public templates do at the end of a prompt: the hybrids of 2025-04 read the
# switch, Instruct-2507 has no think block, Thinking-2507 opens it in every prompt.
TURNS = "{% for one in messages %}<|im_start|>{{ one.role }}\n{{ one.content }}<|im_end|>\n{% endfor %}"
CLOSED = "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
ENDINGS = {"hybrid": CLOSED, "instruct-2507": "", "thinking-2507": "<think>\n"}
SAID = {
    "hybrid": "switches thinking by prompt.enable_thinking",
    "instruct-2507": "has no think block of its own",
    "thinking-2507": "opens <think> itself; completions are read as starting inside it",
}


def templated(tokenizer, kind: str) -> ScriptedPolicy:
    """A policy whose prompts are written by transformers' own template machinery."""
    template = f"{TURNS}{{% if add_generation_prompt %}}<|im_start|>assistant\n{ENDINGS[kind]}{{% endif %}}"

    def prompt_text(messages, **settings) -> str:
        return tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True, **settings
        )

    opened = kind == "thinking-2507"
    policy = ScriptedPolicy(
        lambda i: (RIGHT if i % 2 else WRONG).removeprefix("<think>" if opened else ""),
        tail="<think>\n" if opened else "",
    )
    policy.prompt_text = prompt_text
    return policy


@pytest.mark.parametrize("thinking", [None, True, False])
@pytest.mark.parametrize("kind", ENDINGS)
def test_the_kinds_of_qwen3_are_told_apart_by_their_template(scenario, tiny_model, kind, thinking):
    transformers = pytest.importorskip("transformers")
    recipe = RECIPE.model_copy(update={"prompt": RECIPE.prompt.model_copy(update={"enable_thinking": thinking})})
    found = look(templated(transformers.AutoTokenizer.from_pretrained(tiny_model), kind), scenario, recipe)
    assert f"the chat template {SAID[kind]}" in found.lines()
    assert all(scored.score.components["format"] == 1 for scored in found.completions)
    ignored = [] if thinking is None or kind == "hybrid" else [
        f"prompt.enable_thinking {str(thinking).lower()} has no effect: the chat template {SAID[kind]}; write null"
    ]  # fmt: skip
    assert list(found.warnings) == ignored


@pytest.mark.slow
@pytest.mark.parametrize(("model", "kind"), [("Qwen/Qwen3-4B", "hybrid"), ("google/gemma-3-4b-it", "instruct-2507")])
def test_real_templates_are_told_apart_too(scenario, model, kind):
    tokenizer, policy = real_tokenizer(model), ScriptedPolicy(lambda i: RIGHT if i % 2 else WRONG)
    policy.prompt_text = lambda messages, **settings: tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, **settings
    )
    assert f"the chat template {SAID[kind]}" in look(policy, scenario).lines()


def test_it_samples_as_the_first_step_will(scenario):
    policy = ScriptedPolicy(lambda _: RIGHT)
    look(policy, scenario)
    assert policy.sampling["temperature"] == RECIPE.grpo.temperature
    assert policy.sampling["max_new_tokens"] == RECIPE.grpo.max_completion_length


PLAIN = "<think>\nMara did not see the move, so she thinks it is still there. The answer is B.\n</think>\n<answer>B</answer>"


def test_samples_without_headings_are_told_with_what_their_reading_rests_on_and_the_remedy(scenario):
    found = look(ScriptedPolicy(lambda i: PLAIN if i % 4 else RIGHT), scenario)
    assert "without headings: 75% of 8 samples; read sentence by sentence, 2.0 of 4 stages a reply" in found.lines()
    (warning,) = (line for line in found.warnings if "no headings" in line)
    assert warning.startswith("75% of the samples") and "warmup.steps=20" in warning
    few = look(ScriptedPolicy(lambda i: RIGHT if i % 4 else PLAIN), scenario)
    assert any(line.startswith("without headings: 25%") for line in few.lines())
    assert not any("no headings" in line for line in few.warnings)


def test_each_failed_format_check_is_told_with_its_share_and_headings_behind_the_block_with_the_remedy(scenario):
    behind = "<think>\nOkay, let's see.\n</think>\n" + RIGHT
    found = look(ScriptedPolicy(lambda i: behind if i % 2 else RIGHT), scenario)
    assert "format checks failed: one_think 50%" in found.lines()
    (warning,) = (line for line in found.warnings if "behind </think>" in line)
    assert warning.startswith("4 of 8 samples") and "warmup.steps=20" in warning
    assert not any("format checks" in line for line in look(ScriptedPolicy(lambda _: RIGHT), scenario).lines())
