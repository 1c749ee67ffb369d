"""The reader judge in a whole training: it reads with the policy's own base and disturbs nothing, by either backend."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.runlog import RunFolder, read_traces

ROOT = Path(__file__).resolve().parents[2]
ADAPTER = "adapter_model.safetensors"
# A random model writes no stages, so each completion is read as a well-formed reply, of which none is like another.
CODE = """
import sys
from pathlib import Path
from socialr1_lite.policy import choose_backend
backend, model, *rest = sys.argv[1:]
choose_backend(backend)
from socialr1_lite.rewards import stack
from socialr1_lite.sip import parse, reply_text
from tests.scripted import STAGES
def about(text, options, **how):
    return parse(reply_text([f"{said} {options[0]} {text!r}" for said in STAGES], "A"), options)
stack.parse = about
assert ("unsloth" in sys.modules) == (backend == "unsloth")
"""
TRAIN = """
from socialr1_lite.recipe import Recipe
from socialr1_lite.train import run_recipe
from tests import launches
settings = launches.recipe(model).model_dump(mode="json")
settings["model"]["backend"] = backend
for name, weight in (("without", None), ("watched", 0.0), ("paid", 1.0)):
    judges = [{"name": "facts"}] + ([{"name": "reader", "weight": weight}] if weight is not None else [])
    settings["rewards"]["content"] = {"judges": judges}
    settings["grpo"]["max_steps"], settings["evaluation"]["every"] = 2, 0
    run_recipe(Recipe.model_validate(settings), run_dir=Path(rest[0], name), strict=False)
"""
SCORE = """
from socialr1_lite.score import main
sys.exit(main([rest[0], "-o", rest[1], *rest[2:]]))
"""


def in_a_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE + code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def rows(run: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "loss" in line]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
def test_a_training_with_a_reader_is_the_training_without_and_its_scores_can_be_had_again(
    backend: str, tiny_model: Path, tmp_path: Path
) -> None:
    if backend == "unsloth":
        pytest.importorskip("unsloth")
    done = in_a_process(TRAIN, backend, tiny_model, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]

    without, watched, paid = (tmp_path / name for name in ("without", "watched", "paid"))
    assert (without / "adapter" / ADAPTER).read_bytes() == (watched / "adapter" / ADAPTER).read_bytes()
    assert (without / "adapter" / ADAPTER).read_bytes() != (paid / "adapter" / ADAPTER).read_bytes()
    for one, other in zip(rows(without), rows(watched), strict=True):
        assert (one["loss"], one["grad_norm"]) == (other["loss"], other["grad_norm"]) and one["grad_norm"] > 0
    assert all(row["judge/reader_tokens"] > 1000 and row["judge/reader_s"] > 0 for row in rows(paid))
    traces = [trace for trace in read_traces(RunFolder.open(paid)) if trace.phase == "train"]
    read = {trace.score.parts["content.reader"] for trace in traces}
    assert len(traces) == 8 and len(read) > 4 and all(score is not None and 0 < score < 1 for score in read)

    again = in_a_process(SCORE, backend, tiny_model, paid, tmp_path / "again.jsonl")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "14 of 14 totals equal to the logged ones" in again.stderr
    judged = in_a_process(SCORE, backend, tiny_model, without, "-", "--rejudge", "reader")
    assert judged.returncode == 0, judged.stderr[-3000:]
