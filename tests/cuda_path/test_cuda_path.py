"""A whole run, each recipe's settings and each way to load, through the code that Unsloth runs on a GPU."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.judges.first_word import FirstWord
from socialr1_lite.policy import load_policy
from socialr1_lite.recipe import Model, load_recipe
from socialr1_lite.runlog import RunFolder, newest_complete
from tests.cuda_path import ENVIRONMENT
from tests.cuda_path.tiny_qwen3 import QUESTIONS, make_tiny_qwen3

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(p for p in (ROOT / "recipes").rglob("*.yaml") if p.parent.name != "judges")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "CI" not in os.environ and not all(map(importlib.util.find_spec, ("unsloth", "triton"))),
        reason="needs unsloth and triton",
    ),
]


def launch(task: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.cuda_path.launch", task, *map(str, arguments)]
    environment = os.environ | ENVIRONMENT
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def result(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_qwen3(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="module")
def run(model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that was killed after its first checkpoint, then trained to its end, evaluated and exported."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "cuda-path")
    cut = launch("cut", model, run.path)
    assert cut.returncode == -signal.SIGKILL, cut.stderr[-3000:]
    assert newest_complete(run).step == 1
    assert not run.adapter.exists()
    assert result(launch("continue", model, run.path)) == {"evaluate": 0, "export": 0}
    return run


def test_a_killed_run_goes_on_to_its_end_through_unsloths_trainer(run: RunFolder) -> None:
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    steps = [row for row in rows if "grad_norm" in row]
    assert [(row["step"], row["segment"]) for row in steps] == [(1, 0), (2, 1)]
    assert run.completed
    assert max(row["grad_norm"] for row in steps) > 0, "no group was informative, so nothing was shown"
    assert "differences: {}" in run.effective.read_text()


def test_every_completion_of_both_launches_is_in_the_traces_once(run: RunFolder) -> None:
    lines = [line for path in sorted(run.traces.glob("rank*.jsonl")) for line in path.read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    trained = sorted((row["step"], row["index"]) for row in rows if row["phase"] == "train")
    assert trained == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_the_run_is_evaluated_and_exported_by_the_same_code(run: RunFolder) -> None:
    from safetensors.torch import load_file

    report = json.loads((run.path / "evaluation" / "stories.json").read_text())
    assert report["n"] == 2
    assert (run.path / "merged" / "config.json").is_file()
    learned = load_file(run.adapter / "adapter_model.safetensors")
    assert any(bool(one.abs().sum() > 0) for name, one in learned.items() if "lora_B" in name)


def test_a_loaded_adapter_has_the_fused_kernels_of_a_fresh_one(model: Path, tmp_path: Path) -> None:
    seen = result(launch("methods", model, tmp_path / "adapter"))
    assert list(seen) == ["float16", "NF4"]
    for kind, found in seen.items():
        fused = [line for lines in found["fresh"].values() for line in lines if "apply_lora_qkv" in line]
        assert fused, kind
        assert found["loaded"] == found["fresh"], kind


def test_a_judge_reads_with_the_base_of_a_policy_in_training_and_leaves_it_as_it_was(model: Path) -> None:
    seen = result(launch("read", model))
    plain = load_policy(Model.model_validate({"name": str(model), "backend": "transformers", "dtype": "float32"}))
    expected = FirstWord(lambda: plain, batch_tokens=4096).logits(QUESTIONS)
    assert seen["as trees"] and expected[0] != pytest.approx(expected[1], abs=0.01)
    assert seen["trees"] == pytest.approx(expected, abs=1e-3) == seen["rows"]
    assert seen["flags"] and seen["same"] and seen["gradients"]


def test_every_recipe_gets_its_settings_on_every_kind_of_card(model: Path) -> None:
    seen = result(launch("settings", model))
    assert len(seen) == len(RECIPES) * 6
    for row in seen:
        wanted = load_recipe(next(path for path in RECIPES if path.stem == row["recipe"])).model
        half = "float16" if row["capability"] < [8, 0] or wanted.dtype == "float16" else "bfloat16"
        assert row["dtype"] == half, row
        assert row["precision"] == {"bf16": half == "bfloat16", "fp16": half == "float16"}, row
        assert row["four_bit"] == wanted.load_in_4bit, row
        assert row["differences"] == {}, row
