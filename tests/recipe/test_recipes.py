"""Every shipped recipe is tested by being there: it loads, and so does its smoke version."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.recipe import load_recipe

FOLDER = Path(__file__).resolve().parent.parent.parent / "recipes"
RECIPES = sorted(path for path in FOLDER.rglob("*.y*ml") if path.parent.name != "judges")  # those train a judge


def test_there_are_recipes() -> None:
    assert {"cpu_smollm2.yaml", "4b_a100.yaml"} <= {path.name for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(FOLDER)))
class TestShipped:
    def test_it_loads_and_survives_being_written_out(self, path: Path, tmp_path: Path) -> None:
        recipe = load_recipe(path)
        written = tmp_path / "recipe.yaml"
        written.write_text(recipe.to_yaml(), encoding="utf-8")
        assert load_recipe(written) == recipe

    def test_its_names_judges_and_data_pass_the_check(self, path: Path) -> None:
        overrides = ["data.size=64", "data.heldout=8", "evaluation.items=8"]  # fewer of the same stories
        recipe = load_recipe(path, overrides)
        expected = "is read when training starts" if recipe.data.source == "tombench-hard" else "the order repeats"
        assert all(expected in note for note in check_recipe(recipe, path, overrides))

    def test_its_smoke_version_is_small_and_loads(self, path: Path, tmp_path: Path) -> None:
        small = smoke(load_recipe(path))
        assert small.model.name == "smollm2-135m"
        assert small.grpo.max_steps == 2
        assert small.completions_per_step <= 4
        written = tmp_path / "recipe.yaml"
        written.write_text(small.to_yaml(), encoding="utf-8")
        assert load_recipe(written) == small

    def test_its_header_gives_the_command_and_the_hardware(self, path: Path) -> None:
        header = path.read_text(encoding="utf-8").split("\n\nmodel:")[0]
        assert f"python -m socialr1_lite.train recipes/{path.relative_to(FOLDER)}" in header
        assert "Hardware:" in header and "Expected " in header

    def test_its_header_names_the_judge_and_its_data_decide_which(self, path: Path) -> None:
        recipe = load_recipe(path)
        header = path.read_text(encoding="utf-8").split("\n\n")
        (line,) = [one for one in "\n".join(header).splitlines() if one.startswith("# Content judge: ")]
        paid = [judge.name for judge in recipe.rewards.content.judges if judge.weight]
        assert all(f"`{name}`" in line for name in paid)
        assert (paid == ["facts"]) is (recipe.data.source == "stories"), "stories know their own truth, other data none"
        assert ("not paid" in line) is (recipe.rewards.weights.content == 0)

    def test_a_step_takes_whole_prompt_groups(self, path: Path) -> None:
        assert load_recipe(path).prompts_per_step.is_integer()


def test_the_a100_recipe_keeps_what_the_original_states() -> None:
    recipe = load_recipe(FOLDER / "4b_a100.yaml")
    assert recipe.model.name == "Qwen/Qwen3-4B" and not recipe.model.load_in_4bit
    assert recipe.warmup.steps == 0
    assert (recipe.grpo.num_generations, recipe.grpo.beta, recipe.grpo.max_steps) == (5, 0.04, 600)
    assert recipe.grpo.vllm == "colocate" and recipe.model.fast_inference
    assert recipe.prompts_per_step * recipe.grpo.max_steps == recipe.data.size


def test_recipes_on_the_papers_data_differ_in_nothing_else() -> None:
    for name, base in (("4b_a100", "4b_a100"), ("4b_8xa100", "4b_8xa100_full_paper")):
        hard, plain = load_recipe(FOLDER / f"{name}_tombench_hard.yaml"), load_recipe(FOLDER / f"{base}.yaml")
        assert hard.data.source == "tombench-hard" and plain.data.source == "stories"
        assert [(judge.name, judge.weight) for judge in hard.rewards.content.judges] == [("reader", 1), ("rules", 0)]
        assert (hard.model, hard.prompt, hard.grpo) == (plain.model, plain.prompt, plain.grpo)
        assert hard.rewards.length == plain.rewards.length


def test_the_default_recipe_needs_no_network_and_no_gpu() -> None:
    recipe = load_recipe(FOLDER / "cpu_smollm2.yaml")
    assert recipe.model.name == "smollm2-135m" and recipe.data.source == "stories"
    assert recipe.grpo.vllm is None and not recipe.model.load_in_4bit
    assert recipe.grpo.max_steps >= 10 and recipe.data.heldout >= 100
    assert not recipe.logging.report_to
