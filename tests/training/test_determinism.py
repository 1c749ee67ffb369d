"""The same recipe, seed and number of threads: the same bytes, after kills too; what another number of threads changes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite.plan.smoke import smoke
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from tests import launches
from tests.tiny import make_tiny_model

REPOSITORY = Path(__file__).resolve().parents[2]
ADAPTER = "adapter/adapter_model.safetensors"

CLOCK = re.compile("time|seconds|_s$|segment")  # of the names of metrics.jsonl: what no two launches have in common

pytestmark = pytest.mark.slow

TRAIN = """
import sys
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import load_recipe
from socialr1_lite.training import session
from tests import launches
if sys.argv[3] != "0":
    session.keep_whole = launches.at_call(int(sys.argv[3]), session.keep_whole)
session.run_recipe(load_recipe(sys.argv[1]), run_dir=sys.argv[2], strict=False, progress=Progress(quiet=True))
"""


def train(recipe: Path, run: Path, *, threads: int, killed_at: int = 0) -> RunFolder:
    """Train in a process of its own. killed_at: the checkpoint, by its number, before which a first launch is killed."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    for kill in [killed_at, 0] if killed_at else [0]:
        command = [sys.executable, "-c", TRAIN, str(recipe), str(run), str(kill)]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=3600)
        assert (done.returncode == 0) == (kill == 0), done.stderr[-3000:]
    return RunFolder.open(run)


def written(path: Path, recipe: Recipe) -> Path:
    path.write_text(json.dumps(recipe.model_dump(mode="json")))
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    root = tmp_path_factory.mktemp("deterministic")
    model = make_tiny_model(root / "model", ends=60)
    recipe = written(root / "r.yaml", launches.recipe(str(model)))
    plans = {"one": (1, 0), "two": (2, 0), "two again": (2, 0), "two, killed": (2, 2)}
    return {name: train(recipe, root / name, threads=n, killed_at=kill) for name, (n, kill) in plans.items()}


def said(run: RunFolder) -> list[tuple]:
    """Everything a completion is in the traces, apart from the launch that it is of."""
    return sorted(
        (one.phase, one.benchmark, one.step, one.group, one.index, one.completion.text, one.advantage)
        for one in read_traces(run)
    )


def greedy(run: RunFolder) -> list[Trace]:
    return [one for one in read_traces(run) if one.benchmark == "heldout: untrained"]


@pytest.mark.parametrize("other", ["two again", "two, killed"])
def test_the_same_number_of_threads_gives_the_same_bytes(tiny: dict[str, RunFolder], other: str) -> None:
    first, second = tiny["two"], tiny[other]
    assert (first.path / ADAPTER).read_bytes() == (second.path / ADAPTER).read_bytes()
    assert said(first) == said(second)
    plain = [
        [{name: value for name, value in row.items() if not CLOCK.search(name)} for row in read_metrics(run)]
        for run in (first, second)
    ]
    assert plain[0] == plain[1]


def test_another_number_of_threads_asks_the_same_and_begins_with_the_same_tokens(tiny: dict[str, RunFolder]) -> None:
    """What comes after the first steps may differ in the last bits, and so then in tokens that are drawn."""
    one, two = tiny["one"], tiny["two"]
    assert [row.id for row in one.read_scenarios()] == [row.id for row in two.read_scenarios()]
    asked = [
        {(row.step, row.group, row.scenario) for row in read_traces(run) if row.phase == "train"} for run in (one, two)
    ]
    assert asked[0] == asked[1] and len(asked[0]) == launches.STEPS * 2
    assert [row.completion.text for row in greedy(one)] == [row.completion.text for row in greedy(two)] != []


def test_the_embedded_model_trains_to_the_same_bytes_after_a_kill(tmp_path: Path) -> None:
    settings = smoke(load_recipe(REPOSITORY / "recipes" / "cpu_smollm2.yaml")).model_dump(mode="json")
    settings["rewards"]["mode"] = "additive"  # so that badly formed completions differ and the weights move
    settings["run"]["save_steps"] = 1
    settings["grpo"]["num_iterations"] = 1
    settings["evaluation"] |= {"items": 1, "every": 0}
    recipe = written(tmp_path / "r.yaml", Recipe.model_validate(settings))
    calm = train(recipe, tmp_path / "calm", threads=2)
    killed = train(recipe, tmp_path / "killed", threads=2, killed_at=2)
    assert any(row.get("grad_norm", 0) > 0 for row in read_metrics(calm))
    assert (calm.path / ADAPTER).read_bytes() == (killed.path / ADAPTER).read_bytes()
    assert said(calm) == said(killed)
