"""Numbers that become none while a model is trained: nothing of them is kept, and the run goes on from before."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from socialr1_lite.errors import DivergedError
from socialr1_lite.policy.numbers import first_unsound, refuse_unsound
from tests.diverging import PLANS
from tests.tiny import make_tiny_model

REPOSITORY = Path(__file__).resolve().parents[2]
ADAPTER = "adapter/adapter_model.safetensors"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_number_among_many_is_found(dtype: torch.dtype, value: float) -> None:
    sound = torch.full((7, 5), torch.finfo(dtype).max, dtype=dtype)  # whose sum is infinite
    broken = sound.clone()
    broken[6, 4] = value
    rest = [("codes", torch.ones(3, dtype=torch.uint8)), ("no gradient", None), ("empty", torch.ones(0))]
    assert first_unsound([*rest, ("sound", sound)]) == ""
    assert first_unsound([*rest, ("sound", sound), ("broken", broken)]) == "broken"
    with pytest.raises(DivergedError, match=r"^it is not kept: broken holds a number that is none \(NaN or infinity\)"):
        refuse_unsound([("broken", broken)], "it is not kept")


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict]]]:
    root = tmp_path_factory.mktemp("diverging")
    model = make_tiny_model(tmp_path_factory.mktemp("restless"), ends=60)
    command = [sys.executable, "-m", "tests.diverging", str(root), str(model)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=7200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads(done.stdout.splitlines()[-1])


SAID = {  # how the first launch of each plan ends: None where it goes on by itself
    "undisturbed": None,
    "a loss of step 6, once": None,
    "a loss of step 5, each time": "step 5: the loss is nan; nothing of this step is kept",
    "a loss of step 2, each time": "step 2: the loss is nan",
    "a gradient of step 4": "step 4: the gradient of ",
    "a weight in checkpoint 4": "the checkpoint of step 4 is not kept: ",
    "the optimizer in checkpoint 2": "the checkpoint of step 2 is not kept: the optimizer's exp_avg_sq holds",
    "the learning rate": "step 1: base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight is no number",
    "a reward": "a completion earned nan",
    "the cold start": "step 1: the loss is nan; cold start: lower warmup.learning_rate",
    "the cold start's adapter": "the adapter is not kept: ",
    "the merged cold start": "the cold start cannot be merged: ",
    "the last adapter": "the adapter is not kept: ",
    "overflows of steps 2 and 3": None,
    "nothing but overflows": "step 40: 40 steps in a row overflowed float16",
    "an old checkpoint": None,
}
BEGUN_AGAIN = [name for name, (settings, patches) in PLANS.items() if len(patches) == 2]


@pytest.mark.slow
@pytest.mark.parametrize("plan", SAID)
def test_the_launch_ends_in_one_line_or_goes_on_by_itself(launched, plan: str) -> None:
    first = launched[1][plan][0]
    if SAID[plan] is None:
        assert (first["error"], first["state"]) == (None, "completed")
    else:
        assert first["kind"] == "diverged" and SAID[plan] in first["error"], first
        assert "\n" not in first["error"] and first["state"] == "failed"
        assert not (launched[0] / plan / ADAPTER).exists() or len(launched[1][plan]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("plan", [*BEGUN_AGAIN, "a loss of step 6, once", "an old checkpoint"])
def test_the_next_launch_ends_as_the_run_that_nobody_disturbed(launched, plan: str) -> None:
    root, found = launched
    assert (found[plan][-1]["error"], found[plan][-1]["state"]) == (None, "completed")
    assert (root / plan / ADAPTER).read_bytes() == (root / "undisturbed" / ADAPTER).read_bytes()


@pytest.mark.slow
def test_the_newest_sound_checkpoint_is_what_stays(launched) -> None:
    found = launched[1]
    assert found["a loss of step 5, each time"][0]["checkpoints"] == ["checkpoint-2", "checkpoint-4"]
    assert found["a weight in checkpoint 4"][0]["checkpoints"] == ["checkpoint-2"]
    assert found["the optimizer in checkpoint 2"][0]["checkpoints"] == []


@pytest.mark.slow
def test_steps_that_the_scaler_left_out_are_counted_and_many_in_a_row_are_told(launched) -> None:
    root, _ = launched
    rows = [
        json.loads(line) for line in (root / "overflows of steps 2 and 3" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [row["skipped_steps"] for row in rows if "reward" in row] == [0, 1, 2, 2, 2, 2]
    assert "skipped_steps" not in (root / "undisturbed" / "metrics.jsonl").read_text()
    told = (root / "nothing but overflows.log").read_text()
    assert told.count("10 steps in a row overflowed float16 and changed nothing") == 1
