"""Every recipe's smoke run, from `plan` to the saved adapter, on a model of random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite.recipe import load_recipe
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = sorted(p for p in (REPOSITORY / "recipes").rglob("*.yaml") if p.parent.name != "judges")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smoked(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """All recipes carried out one after the other, and what went wrong with each."""
    root = tmp_path_factory.mktemp("smokes")
    environment = {name: value for name, value in os.environ.items() if name != "WORLD_SIZE"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.smokes", str(root), *map(str, RECIPES)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains_made_small(smoked, path):
    root, wrong = smoked
    assert wrong[path.stem] == ""
    run = RunFolder.open(root / path.stem)
    recipe = load_recipe(run.recipe)
    assert run.completed and (run.adapter / "adapter_model.safetensors").is_file()
    assert [row["step"] for row in read_metrics(run)][-1] == recipe.grpo.max_steps
    sampled = [trace for trace in read_traces(run) if trace.phase == "train"]
    assert len(sampled) == recipe.grpo.max_steps * recipe.completions_per_step / recipe.grpo.num_iterations
    log = (root / f"{path.stem}.log").read_text()
    assert "plan: at most " in log and "enable_thinking" not in log
    assert ("20 of 20 rows of ToMBench-Hard are asked" in log) == path.stem.endswith("tombench_hard")
