"""A saved adapter comes back on a model that Unsloth has patched as it patches a fresh one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compared(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    if importlib.util.find_spec("unsloth") is None:
        pytest.skip("unsloth is not installed")
    folder = tmp_path_factory.mktemp("adapter")
    command = [sys.executable, "-m", "tests.policy.patched", str(tiny_model), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("reloaded", ["resumed", "asked"])
def test_a_reloaded_adapter_is_patched_as_a_fresh_one(compared: dict, reloaded: str) -> None:
    assert compared["fresh"], "nothing is patched here, so nothing is compared"
    assert compared[reloaded] == compared["fresh"]


def test_its_weights_are_those_that_were_saved_bit_for_bit(compared: dict) -> None:
    assert compared["weights"] == 2 * 7 * 2  # layers, projections, A and B
    assert compared["moved"] == [0, 0]


def test_it_is_trained_only_where_that_was_asked_for(compared: dict) -> None:
    assert compared["trained"] == [compared["weights"], compared["weights"], 0]
