"""Training for real: kills at awkward moments and what a resume makes of them, 4-bit, the plain backend."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite import score
from socialr1_lite.errors import RecipeError
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.recipe import load_recipe
from socialr1_lite.runlog import BestAdapter, RunFolder, read_metrics, read_traces
from tests import launches
from tests.tiny import make_tiny_model

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPE = REPOSITORY / "recipes" / "cpu_smollm2.yaml"


def python(*arguments: object, seconds: int = 900, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.fixture(scope="module")
def restless(tmp_path_factory) -> Path:
    """A tiny model that ends a text at any of sixty tokens, so that lengths and so rewards differ in a group."""
    return make_tiny_model(tmp_path_factory.mktemp("restless"), ends=60)


@pytest.fixture(scope="module")
def launched(restless, tmp_path_factory) -> tuple[Path, dict[str, list[int]]]:
    """Every plan of launches.PLANS carried out, and the exit statuses."""
    root = tmp_path_factory.mktemp("launches")
    done = python("-m", "tests.launches", root, restless)
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads(done.stdout.splitlines()[-1])


def completions(run: RunFolder) -> dict[tuple[int, int], tuple]:
    """Every training completion that counts, by group and index; two of one place would be a doubled one."""
    traces = [trace for trace in read_traces(run) if trace.phase == "train"]
    found = {(trace.group, trace.index): trace for trace in traces}
    assert len(found) == len(traces), "a completion is there twice"
    return {place: (one.scenario, one.step, one.completion.text, one.advantage) for place, one in found.items()}


@pytest.mark.slow
@pytest.mark.essential
def test_the_launches_were_killed_where_they_should_have_been(launched):
    _, statuses = launched
    assert {name: len(plan) for name, plan in launches.PLANS.items()} == {n: len(s) for n, s in statuses.items()}
    for name, codes in statuses.items():
        assert codes == [-signal.SIGKILL] * (len(codes) - 1) + [0], name


@pytest.mark.slow
@pytest.mark.essential
@pytest.mark.parametrize("plan", [name for name in launches.PLANS if name != "undisturbed"])
def test_a_resumed_run_is_the_run_that_nobody_killed(launched, plan):
    root, _ = launched
    calm, killed = RunFolder.open(root / "undisturbed"), RunFolder.open(root / plan)
    assert killed.completed
    assert len(completions(calm)) == launches.STEPS * 4
    assert completions(killed) == completions(calm)
    assert (killed.adapter / "adapter_model.safetensors").read_bytes() == (
        calm.adapter / "adapter_model.safetensors"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.essential
@pytest.mark.parametrize("plan", launches.PLANS)
def test_metrics_and_held_out_checks_are_neither_lost_nor_doubled(launched, plan):
    run = RunFolder.open(launched[0] / plan)
    rows = read_metrics(run)
    assert [row["step"] for row in rows if "reward" in row] == list(range(1, launches.STEPS + 1))
    assert [row["step"] for row in rows if "eval/accuracy" in row] == [4, 6]
    assert not any({"reward", "eval/accuracy"} <= row.keys() for row in rows)  # named apart, on lines of their own
    asked = [(trace.benchmark, trace.scenario) for trace in read_traces(run) if trace.phase == "eval"]
    assert len(asked) == len(set(asked)) == 2 * 4  # untrained, cold start, step 4, after GRPO


@pytest.mark.slow
@pytest.mark.essential
@pytest.mark.parametrize("plan", launches.PLANS)
def test_the_best_adapter_is_the_one_of_the_earliest_of_equal_checks(launched, plan):
    best, folder = BestAdapter(RunFolder.open(launched[0] / plan)).read()
    calm = BestAdapter(RunFolder.open(launched[0] / "undisturbed")).path(4)
    assert (best.step, best.label, best.n) == (4, "step 4", 2)
    assert [path.name for path in folder.parent.glob("step-*")] == ["step-4"]
    assert (folder / "adapter_model.safetensors").read_bytes() == (calm / "adapter_model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.essential
def test_the_best_adapter_is_the_policy_of_its_step(launched):
    run = RunFolder.open(launched[0] / "undisturbed")
    best, last = BestAdapter(run).path(4), run.checkpoints / "checkpoint-4"
    assert (best / "adapter_model.safetensors").read_bytes() == (last / "adapter_model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.essential
def test_what_the_checks_cost_is_measured_and_told(launched):
    run = RunFolder.open(launched[0] / "undisturbed")
    rows = [row for row in read_metrics(run) if "eval/accuracy" in row]
    assert all(row["eval/seconds"] > 0 for row in rows)
    assert all(0 < row["eval/share_of_time"] < 1 for row in rows)
    log = (launched[0] / "undisturbed.log").read_text()
    assert re.search(r"held-out checks took \d+:\d\d of the \d+:\d\d of this launch \(\d+%\)", log), log
    assert "best of 2 checks: step 4, accuracy 0.000" in log


@pytest.mark.slow
@pytest.mark.essential
def test_the_weights_really_moved(launched):
    run = RunFolder.open(launched[0] / "undisturbed")
    moved = [row["step"] for row in read_metrics(run) if row.get("grad_norm", 0) > 0]
    assert len(moved) >= launches.STEPS / 2, moved


@pytest.mark.slow
@pytest.mark.essential
def test_a_traces_total_is_the_reward_that_was_logged(launched):
    run = RunFolder.open(launched[0] / "undisturbed")
    traces = [trace for trace in read_traces(run) if trace.phase == "train"]
    for row in (row for row in read_metrics(run) if "reward" in row):
        totals = [trace.total for trace in traces if trace.step == row["step"] - 1]
        assert sum(totals) / len(totals) == pytest.approx(row["reward"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.essential
def test_a_complete_run_is_left_alone(launched, restless, capsys):
    from socialr1_lite.train import run_recipe

    folder = launched[0] / "undisturbed"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    run_recipe(launches.recipe(str(restless)), run_dir=folder)
    assert "is complete (6 steps); nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.essential
def test_another_recipe_in_the_same_folder_is_refused(launched, restless):
    from socialr1_lite.train import run_recipe

    recipe = launches.recipe(str(restless))
    other = recipe.model_copy(update={"grpo": recipe.grpo.model_copy(update={"learning_rate": 0.02})})
    with pytest.raises(RecipeError, match=r"another recipe \(differs in: grpo\.learning_rate\)"):
        run_recipe(other, run_dir=launched[0] / "undisturbed")


@pytest.mark.slow
def test_four_bit_trains_on_the_cpu_through_unsloth(tmp_path):
    settings = smoke(load_recipe(RECIPE)).model_dump(mode="json")
    settings["model"]["load_in_4bit"] = True
    settings["warmup"]["steps"] = 0
    settings["grpo"]["max_steps"] = settings["evaluation"]["items"] = 1  # a token takes a second beside other processes
    settings["rewards"] |= {"mode": "additive"}  # so that badly formed completions differ and the weights move
    (tmp_path / "recipe.yaml").write_text(json.dumps(settings))
    command = ("-m", "socialr1_lite.train", tmp_path / "recipe.yaml", "--run-dir", tmp_path / "run")
    done = python(*command, seconds=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    run = RunFolder.open(tmp_path / "run")
    environment = json.loads(run.environment.read_text())
    assert environment["quantized"] is True
    assert environment["backend"] == "unsloth"
    # The held-out check before the steps ran the model in evaluation mode: afterwards gradients must still flow.
    assert any(row.get("grad_norm", 0) > 0 for row in read_metrics(run))


@pytest.mark.slow
def test_the_plain_backend_trains_without_unsloth_and_monitors_watch_it(restless, tmp_path, capsys):
    settings = launches.recipe(str(restless)).model_dump(mode="json")
    settings["model"]["backend"] = "transformers"
    settings["model"]["dtype"] = "bfloat16"  # a cold start in it, too, where there is no GPU
    settings["grpo"]["max_steps"] = 2
    closed = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "retries": 0, "timeout_s": 5.0}
    watching = [{"name": "rules", "weight": 0}, {"name": "llm", "weight": 0, "settings": closed}]
    settings["rewards"]["content"]["judges"] = [{"name": "facts"}, *watching]
    (tmp_path / "recipe.yaml").write_text(json.dumps(settings))
    done = python("-m", "socialr1_lite.train", tmp_path / "recipe.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr[-3000:]
    run = RunFolder.open(tmp_path / "run")
    assert json.loads(run.environment.read_text())["backend"] == "transformers"
    metrics, traces = read_metrics(run), list(read_traces(run))
    assert any(row.get("grad_norm", 0) > 0 for row in metrics)
    steps = [row for row in metrics if "monitor/rules" in row]
    assert len(steps) == 2 and all(row["alarm/rules"] == row["alarm/llm"] == 0 for row in steps)
    assert steps[-1]["monitor_failures/llm"] >= 1, "it is asked where a reply has a stage to judge"
    judged = [one.score for one in traces if one.score.is_scored]
    assert judged and all(one.components["content"] is not None for one in judged), "what is paid misses nothing"
    assert all(one.parts["content.rules"] is not None and "monitor.llm" in one.versions for one in judged)
    assert done.stdout.count("the monitor llm failed") == 1, done.stdout
    assert score.main([str(run.path), "-o", str(tmp_path / "again.jsonl"), "--allow-endpoint", "127.0.0.1:9"]) == 0
    assert "the monitor rules gives a mean of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml"),
        ([RECIPE, "grpo.max_stepz=3"], "max_steps"),
        ([RECIPE, "rewards.content.judges=[{name: oracle}]"], "oracle"),
    ],
)
def test_bad_input_is_one_clear_line_and_status_two(arguments, message, tmp_path):
    done = python("-m", "socialr1_lite.train", *arguments, "--check", "--run-dir", tmp_path / "run")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_check_makes_no_run_folder(tmp_path):
    done = python("-m", "socialr1_lite.train", RECIPE, "--check", "--run-dir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "fine" in done.stdout
    assert not (tmp_path / "run").exists()
