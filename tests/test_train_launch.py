"""What a launch refuses before it loads a weight: another recipe's folder, another number of processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialr1_lite.errors import RecipeError
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import MetricsWriter, RunFolder
from socialr1_lite.train import run_recipe


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """A run folder in which the default recipe has made a step."""
    run = RunFolder.create(tmp_path / "begun")
    run.recipe.write_text(Recipe().to_yaml())
    MetricsWriter(run).write(1, {"reward": 0.1})
    return run.path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"grpo": {"beta": 0.1}}, "differs in: grpo.beta"),
        ({"run": {"seed": 1}}, "differs in: run.seed"),
        ({"run": {"save_steps": 5}}, "differs in: run.save_steps"),
        ({"run": {"resume": "never"}}, "run.resume: never, and"),
        ({"run": {"processes": 4}}, "torchrun --nproc_per_node 4"),
    ],
)
def test_a_launch_that_does_not_fit_the_folder_is_refused(started: Path, change: dict, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        run_recipe(Recipe.model_validate(change), run_dir=started)


@pytest.mark.parametrize("name, value", [("ACCELERATE_USE_FSDP", "true"), ("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")])
def test_weights_shared_out_over_processes_are_refused(started: Path, monkeypatch, name: str, value: str) -> None:
    """The first process would wait for the others at its held-out check, for ever."""
    monkeypatch.setenv(name, value)
    with pytest.raises(RecipeError, match="share the weights out"):
        run_recipe(Recipe(), run_dir=started)


def test_deepspeed_that_keeps_weights_whole_is_not_refused(started: Path, monkeypatch) -> None:
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    with pytest.raises(RecipeError, match=r"differs in: run\.seed"):
        run_recipe(Recipe.model_validate({"run": {"seed": 1}}), run_dir=started)
