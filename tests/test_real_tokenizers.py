"""What the recipes ask and teach, in the tokens and under the chat templates of their own models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from socialr1_lite.data import heldout_scenarios, training_scenarios
from socialr1_lite.data.told import STORIES
from socialr1_lite.plan.windows import CHARACTERS
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe, load_recipe
from socialr1_lite.rewards.length import window
from socialr1_lite.rollouts.prompting import messages, template_settings
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import prefills_think
from socialr1_lite.stories import gold_reply
from socialr1_lite.training.sft import cold_start_rows
from tests.tokenizers import REPOSITORY, real_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

pytestmark = pytest.mark.slow

QUESTIONS = 300  # of each recipe's own stories, and as many held-out ones
QWEN, LLAMA, GEMMA = "Qwen/Qwen3-4B", "meta-llama/Llama-3.1-8B-Instruct", "google/gemma-3-4b-it"
RECIPES = [
    path
    for path in sorted((REPOSITORY / "recipes").glob("*.yaml"))
    if load_recipe(path).model.name != EMBEDDED_MODEL  # tests/policy/test_policy.py has that one's own
    and load_recipe(path).data.source == STORIES  # the others ask the same models, of data that are not here
]
BY_RECIPE = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


@cache
def recipe_at(path: Path) -> Recipe:
    """Return the recipe with no more stories than are looked at here; the first ones are the same ones."""
    recipe = load_recipe(path)
    sizes = {"size": min(recipe.data.size, QUESTIONS), "heldout": min(recipe.data.heldout, QUESTIONS)}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=sizes)})


@cache
def questions(path: Path) -> list[Scenario]:
    recipe = recipe_at(path)
    return [*training_scenarios(recipe), *heldout_scenarios(recipe)]


def asked(tokenizer: PreTrainedTokenizerBase, scenario: Scenario, recipe: Recipe) -> str:
    return tokenizer.apply_chat_template(
        messages(scenario, recipe), tokenize=False, add_generation_prompt=True, **template_settings(recipe)
    )


def tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def gold_lengths(tokenizer: PreTrainedTokenizerBase, path: Path) -> list[int]:
    """Tokens of the gold replies of the recipe's own stories, the one that ends a reply included."""
    recipe = recipe_at(path)
    return [
        len(tokens(tokenizer, gold_reply(scenario, seed=i, answer=recipe.prompt.answer))) + 1
        for i, scenario in enumerate(training_scenarios(recipe))
    ]


def test_without_them_a_desk_skips_and_ci_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALR1_TOKENIZERS", str(tmp_path))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"\.ci/tokenizers fetches it"):
        real_tokenizer(QWEN)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match=r"\.ci/tokenizers fetches it"):
        real_tokenizer(QWEN)


@BY_RECIPE
def test_every_prompt_fits_with_room_to_spare(path: Path) -> None:
    recipe, tokenizer = recipe_at(path), real_tokenizer(recipe_at(path).model.name)
    lengths = [len(tokens(tokenizer, asked(tokenizer, scenario, recipe))) for scenario in questions(path)]
    assert max(lengths) <= recipe.data.max_prompt_tokens
    assert max(lengths) + recipe.grpo.max_completion_length <= recipe.model.max_seq_length


@BY_RECIPE
def test_a_gold_reply_is_never_cut(path: Path) -> None:
    recipe = recipe_at(path)
    assert max(gold_lengths(real_tokenizer(recipe.model.name), path)) <= recipe.grpo.max_completion_length


@BY_RECIPE
def test_the_length_window_does_not_punish_gold_replies(path: Path) -> None:
    recipe = recipe_at(path)
    gate = recipe.rewards.length
    earned = [
        window(length, min_tokens=gate.min_tokens, max_tokens=gate.max_tokens, k=gate.k)
        for length in gold_lengths(real_tokenizer(recipe.model.name), path)
    ]
    assert sum(share >= 0.9 for share in earned) >= 0.95 * len(earned)
    assert min(earned) >= 0.5


@BY_RECIPE
def test_lengths_estimated_without_the_tokenizer_are_near(path: Path) -> None:
    """What `--check` estimates where the tokenizer is not on the machine."""
    recipe = recipe_at(path)
    texts = [gold_reply(one, seed=i, answer=recipe.prompt.answer) for i, one in enumerate(training_scenarios(recipe))]
    lengths = gold_lengths(real_tokenizer(recipe.model.name), path)
    assert sum(map(len, texts)) / CHARACTERS == pytest.approx(sum(lengths), rel=0.05)


# The end of the generation prompt for enable_thinking None, True and False.
QWEN_TURN, LLAMA_TURN = "<|im_start|>assistant\n", "<|start_header_id|>assistant<|end_header_id|>\n\n"
GEMMA_TURN = "<start_of_turn>model\n"
ENDS = {
    QWEN: (QWEN_TURN, QWEN_TURN, QWEN_TURN + "<think>\n\n</think>\n\n"),
    LLAMA: (LLAMA_TURN,) * 3,
    GEMMA: (GEMMA_TURN,) * 3,
}


def with_thinking(recipe: Recipe, thinking: bool | None) -> Recipe:
    return recipe.model_copy(update={"prompt": recipe.prompt.model_copy(update={"enable_thinking": thinking})})


@pytest.mark.parametrize("model", ENDS)
@pytest.mark.parametrize(("state", "thinking"), list(enumerate((None, True, False))))
def test_thinking_switched_on_or_off_ends_the_prompt_so(
    scenario: Scenario, model: str, state: int, thinking: bool | None
) -> None:
    text = asked(real_tokenizer(model), scenario, with_thinking(Recipe(), thinking))
    assert text.endswith(ENDS[model][state])
    assert not prefills_think(text), "none of these templates leaves the block open"


@pytest.mark.parametrize("thinking", [None, True, False])
def test_a_template_that_always_opens_the_block_is_seen(scenario: Scenario, thinking: bool | None) -> None:
    """Qwen3-4B-Thinking-2507 asks so: the hybrid's template, with the block opened in every prompt."""
    hybrid = real_tokenizer(QWEN)
    recipe = with_thinking(Recipe(), thinking)
    opened = asked(hybrid, scenario, with_thinking(Recipe(), None)) + "<think>\n"
    template = hybrid.chat_template
    generation = "{{- '<|im_start|>assistant\\n' }}"
    assert template.count(generation) == 1
    head, _, _ = template.partition(generation)
    always = head + "{{- '<|im_start|>assistant\\n<think>\\n' }}\n{%- endif %}"
    text = hybrid.apply_chat_template(
        messages(scenario, recipe),
        chat_template=always,
        tokenize=False,
        add_generation_prompt=True,
        **template_settings(recipe),
    )
    assert text == opened
    assert prefills_think(text)


def control_tokens(model: str) -> dict[int, str]:
    """The tokens that a story must not be able to write, by number."""
    tokenizer = real_tokenizer(model)
    special = {i: token.content for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    if model == GEMMA:  # of the others (<pad>, <mask>, images) a story may hold what it likes: they end no turn
        special = {i: text for i, text in special.items() if text.endswith(("_turn>", "bos>", "eos>"))}
    return special


@pytest.mark.parametrize("model", ENDS)
def test_a_story_cannot_write_the_models_control_tokens(scenario: Scenario, model: str) -> None:
    tokenizer, control = real_tokenizer(model), control_tokens(model)
    assert len(control) >= 4
    nasty = " ".join(control.values()) + "".join(control.values())
    poisoned = replace(scenario, story=nasty, question=nasty, options=(nasty, *scenario.options[1:]))
    raw = tokens(tokenizer, nasty)
    assert sum(token in control for token in raw) == 2 * len(control), "the tokenizer does not read them at all"

    def count(one: Scenario) -> list[int]:
        return [token for token in tokens(tokenizer, asked(tokenizer, one, Recipe())) if token in control]

    assert count(poisoned) == count(scenario)


def trained(tokenizer: PreTrainedTokenizerBase, row: dict) -> tuple[list[int], list[int]]:
    """A cold-start row's prompt and whole text in tokens, as TRL 1.15 makes them (sft_trainer.py: tokenize_fn)."""
    if isinstance(row["prompt"], str):
        return tokens(tokenizer, row["prompt"]), tokens(tokenizer, row["prompt"] + row["completion"])
    settings = row.get("chat_template_kwargs") or {}

    def ids(conversation: Sequence[dict], **more: bool) -> list[int]:
        return tokenizer.apply_chat_template(conversation, tokenize=True, return_dict=True, **more, **settings)[
            "input_ids"
        ]

    return ids(row["prompt"], add_generation_prompt=True), ids(row["prompt"] + row["completion"])


def check_cold_start(path: Path, recipe: Recipe) -> None:
    tokenizer = real_tokenizer(recipe.model.name)
    scenarios = training_scenarios(recipe_at(path))
    rows = cold_start_rows(recipe, scenarios, tokenizer)
    assert len(rows) == recipe.warmup.steps * recipe.warmup.batch_size
    by_text = {messages(scenario, recipe)[-1]["content"]: scenario for scenario in scenarios}
    for row in rows[:40]:
        prompt, whole = trained(tokenizer, row)
        assert whole[: len(prompt)] == prompt, "what is trained on does not begin with the prompt"
        assert len(whole) <= recipe.model.max_seq_length
        if not isinstance(row["prompt"], str):
            sampled = tokens(tokenizer, asked(tokenizer, by_text[row["prompt"][-1]["content"]], recipe))
            assert whole[: len(sampled)] == sampled, "GRPO asks otherwise than the cold start has taught"
        written = tokenizer.decode(whole[len(prompt) :])
        assert written.startswith("<think>\n") and "</think>" in written and "<answer>" in written


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if load_recipe(path).warmup.steps], ids=lambda path: path.stem
)
def test_a_cold_start_teaches_what_grpo_will_ask(path: Path) -> None:
    check_cold_start(path, recipe_at(path))


@pytest.mark.parametrize("thinking", [None, True, False])
def test_a_cold_start_follows_the_thinking_switch(thinking: bool | None) -> None:
    path = REPOSITORY / "recipes" / "colab_t4_qwen3_1.7b.yaml"
    check_cold_start(path, with_thinking(recipe_at(path), thinking))
