"""`run.max_hours` ends a launch between two steps, whole, and the same command goes on as if nothing had been."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.training import deadline
from socialr1_lite.training.deadline import CHECKPOINT_S, SLOWER, Deadline
from socialr1_lite.training.ranks import Ranks
from tests import launches
from tests.tiny import make_tiny_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time.monotonic returns to the deadline: its last item."""
    times = [0.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: times[-1])
    return times


def limited(hours: float | None = 1.0, **grpo: int) -> Deadline:
    settings = {"max_steps": 100, "num_generations": 2, "per_device_train_batch_size": 2} | grpo
    run = {"max_hours": hours, "save_steps": 20}
    return Deadline(Recipe.model_validate({"grpo": settings, "run": run}), Ranks(0, 1), started=0.0)


def after(one: Deadline, clock: list[float], seconds: float) -> Deadline:
    """A step of so many seconds was made."""
    one.begin_step()
    clock.append(clock[-1] + seconds)
    one.end_step()
    return one


def test_it_stops_while_there_is_time_for_the_checkpoint_but_for_no_further_step(clock) -> None:
    one = after(limited(), clock, 100)
    clock.append(3600 - CHECKPOINT_S - 100 * SLOWER - 1)
    assert not one.stops_after(5, check_s=0)
    clock.append(3600 - CHECKPOINT_S - 100 * SLOWER + 1)
    assert one.stops_after(5, check_s=0)
    assert not one.stops_after(100, check_s=0), "the last step ends the run, not the launch"


def test_without_a_limit_it_never_stops(clock) -> None:
    one = after(limited(None), clock, 100)
    clock.append(1e9)
    assert not one.stops_after(5, check_s=0) and one.leaves(1e9)


def test_time_for_a_check_is_kept_where_it_is_short(clock) -> None:
    one = after(limited(), clock, 100)
    clock.append(3600 - CHECKPOINT_S - 100 * SLOWER - 1)
    assert one.stops_after(5, check_s=60)
    assert not one.stops_after(5, check_s=2000), "a check of half an hour is given up instead"
    assert one.leaves(60 * SLOWER) and not one.leaves(2000 * SLOWER)


def test_it_does_not_stop_within_a_generation_batch(clock) -> None:
    """From there a resume would sample the batch anew: see saves_fall_between_generations."""
    one = after(limited(gradient_accumulation_steps=1, steps_per_generation=4), clock, 100)
    clock.append(3600.0)
    assert [step for step in range(1, 13) if one.stops_after(step, check_s=0)] == [4, 8, 12]


def test_the_limit_is_no_part_of_what_is_trained() -> None:
    assert limited(1.0).recipe.digest == limited(9.0).recipe.digest


RUN = """
import json, sys
from socialr1_lite.policy import choose_backend
choose_backend("auto")
from socialr1_lite.recipe import Recipe
from socialr1_lite.training.session import run_recipe
recipe, root = Recipe.model_validate_json(open(sys.argv[1]).read()), sys.argv[2]
short = recipe.model_copy(update={"run": recipe.run.model_copy(update={"max_hours": 1e-6})})
run_recipe(recipe, run_dir=root + "/calm", strict=False)
run_recipe(short, run_dir=root + "/stopped", strict=False)
print(json.dumps(json.load(open(root + "/stopped/state.json"))))
run_recipe(recipe, run_dir=root + "/stopped", strict=False)
"""


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_what_an_undisturbed_one_becomes(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model", ends=60)
    recipe = launches.recipe(str(model))
    recipe = recipe.model_copy(update={"grpo": recipe.grpo.model_copy(update={"max_steps": 3})})
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    command = [sys.executable, "-c", RUN, str(tmp_path / "recipe.json"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    state = json.loads(next(line for line in lines if line.startswith("{")))
    assert (state["status"], state["step"]) == ("stopped", 1)
    [words] = [line for line in lines if line.startswith("stopped after step 1 of 3")]
    assert "run.max_hours=1e-06; the same command goes on" in words
    assert "continuing at step 1 of 3" in lines
    calm, stopped = RunFolder.open(tmp_path / "calm"), RunFolder.open(tmp_path / "stopped")
    assert stopped.completed
    weights = "adapter_model.safetensors"
    assert (stopped.adapter / weights).read_bytes() == (calm.adapter / weights).read_bytes()
    written = [
        {(one.group, one.index): one.completion.text for one in read_traces(run) if one.phase == "train"}
        for run in (calm, stopped)
    ]
    assert written[0] == written[1] and len(written[0]) == 3 * 4
    assert [row["step"] for row in read_metrics(stopped) if "reward" in row] == [1, 2, 3]
