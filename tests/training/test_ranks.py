"""Two training processes on a CPU (torchrun, gloo): one run, not two halves and not two copies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

import pytest

from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.runlog.checkpoints import check

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS, GROUP = 4, 4
TRL_EPSILON = 1e-4  # added to a group's deviation (TRL 1.15, grpo_trainer.py: _generate_and_score_completions)

pytestmark = pytest.mark.slow


def recipe(model: str, scratch: str) -> Recipe:
    """Each generation batch is one group of four, two completions on either process; checkpoints are made apart."""
    return Recipe.model_validate(
        {
            "model": {"name": model, "dtype": "float32", "max_seq_length": 4000, "lora": {"r": 4}},
            "data": {"size": 8, "heldout": 3, "max_prompt_tokens": 3800, "orders": [1], "dimensions": ["belief"]},
            # A random completion of 128 tokens ends early about every other time: lengths differ, and so do rewards.
            "rewards": {"mode": "additive", "length": {"min_tokens": 3, "max_tokens": 128, "k": 4}},
            "grpo": {
                "max_steps": STEPS,
                "num_generations": GROUP,
                "per_device_train_batch_size": 2,
                "gradient_accumulation_steps": 1,
                "max_completion_length": 128,
                "learning_rate": 0.01,
            },
            "evaluation": {"items": 3, "every": 2},
            "run": {"name": "two", "save_steps": 2, "processes": 2, "scratch": scratch},
        }
    )


def launch(folder: Path, run: Path, file: Path) -> None:
    """torchrun starts both processes and waits; their weights' digests land in the folder."""
    folder.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
            *("-m", "tests.two_ranks", str(folder), str(file), str(run)),
        ],
        cwd=REPOSITORY,
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def launched(tiny_model, tmp_path_factory, request) -> Path:
    """A whole run of two processes, and a copy of it that lost all after step 2 and was launched again."""
    root = tmp_path_factory.mktemp("two")
    file = root / "two.yaml"
    file.write_text(recipe(str(tiny_model), str(root / "scratch")).to_yaml())
    launch(root / "first", root / "whole", file)
    shutil.copytree(root / "whole", root / "resumed")
    resumed = RunFolder.open(root / "resumed")
    shutil.rmtree(resumed.checkpoints / f"checkpoint-{STEPS}")
    shutil.rmtree(resumed.adapter)
    resumed.set_state("running", step=2)
    launch(root / "second", root / "resumed", file)
    return root


def train_rows(run: Path) -> list[Trace]:
    return [trace for trace in read_traces(RunFolder.open(run)) if trace.phase == "train"]


def test_every_group_is_split_over_both_processes_and_nothing_is_doubled(launched):
    groups = defaultdict(list)
    for row in train_rows(launched / "whole"):
        groups[row.group].append(row)
    assert sorted(groups) == list(range(STEPS))
    for group, rows in groups.items():
        assert sorted(row.index for row in rows) == list(range(GROUP)), group
        assert sorted(row.rank for row in rows) == [0, 0, 1, 1], group
        assert {row.step for row in rows} == {group}
        assert len({row.scenario for row in rows}) == 1


def test_the_two_processes_sample_differently(launched):
    sampled = defaultdict(list)
    for row in train_rows(launched / "whole"):
        sampled[row.rank].append(row.completion.text)
    assert sampled[0] != sampled[1]


def test_advantages_are_what_one_process_would_have_made_of_the_same_rewards(launched):
    groups = defaultdict(list)
    for row in train_rows(launched / "whole"):
        groups[row.group].append(row)
    compared = 0
    for rows in groups.values():
        totals = [row.total for row in rows]
        mean, deviation = fmean(totals), stdev(totals)
        compared += deviation > 0
        for row, total in zip(rows, totals, strict=True):
            assert row.advantage == pytest.approx((total - mean) / (deviation + TRL_EPSILON), abs=1e-4)
    assert compared, "every group was flat: nothing was compared"


def test_the_logged_reward_is_the_mean_over_both_processes(launched):
    rows = train_rows(launched / "whole")
    logged = [metrics for metrics in read_metrics(RunFolder.open(launched / "whole")) if "reward" in metrics]
    assert [metrics["step"] for metrics in logged] == list(range(1, STEPS + 1))
    for metrics in logged:
        totals = [row.total for row in rows if row.step == metrics["step"] - 1]
        assert len(totals) == GROUP
        assert metrics["reward"] == pytest.approx(fmean(totals), abs=1e-5)


@pytest.mark.parametrize("launch_name", ["first", "second"])
def test_both_processes_end_with_the_same_weights(launched, launch_name):
    digests = [json.loads((launched / launch_name / f"rank{rank}.json").read_text())["weights"] for rank in (0, 1)]
    assert digests[0] == digests[1]


def test_the_weights_moved(launched):
    assert any(metrics.get("grad_norm", 0) > 0 for metrics in read_metrics(RunFolder.open(launched / "whole")))


def test_a_checkpoint_holds_and_vouches_for_both_random_states(launched):
    checkpoint = RunFolder.open(launched / "whole").checkpoints / f"checkpoint-{STEPS}"
    vouched = json.loads((checkpoint / "COMPLETE.json").read_text())
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= set(vouched["files"])


def test_held_out_questions_are_asked_once_not_once_a_process(launched):
    asked = [
        (row.benchmark, row.step, row.scenario)
        for row in read_traces(RunFolder.open(launched / "whole"))
        if row.phase == "eval"
    ]
    assert len(asked) == len(set(asked)) == 3 * 3  # untrained, step 2, after GRPO


def test_held_out_answers_are_those_of_one_process_in_the_same_order(launched):
    """Three questions: the second process asks one, and the last once more."""
    first, second = (json.loads((launched / "first" / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert len(first["both"]) == 3 and second["both"] == []
    assert first["both"] == first["alone"]
    assert len({row["completion"] for row in first["both"]}) > 1


def test_checkpoints_that_are_made_apart_lie_in_the_run_folder_whole(launched):
    for run in ("whole", "resumed"):
        made = RunFolder.open(launched / run).checkpoints
        assert sorted(path.name for path in made.iterdir()) == ["checkpoint-2", f"checkpoint-{STEPS}"]
        assert not any(check(path) for path in made.iterdir())
    assert not list((launched / "scratch").rglob("checkpoint-*"))


def test_a_resumed_run_of_two_processes_is_the_run_that_nobody_stopped(launched):
    def completions(run: Path) -> dict:
        rows = train_rows(run)
        found = {(row.group, row.index): (row.completion.text, row.advantage, row.rank) for row in rows}
        assert len(found) == len(rows) == STEPS * GROUP
        return found

    assert completions(launched / "resumed") == completions(launched / "whole")
    segments = RunFolder.open(launched / "resumed").launches()
    assert [(one.number, one.start_step) for one in segments] == [(0, 0), (1, 2)]
    assert all(one.number < other.number for one, other in pairwise(segments))
    one, other = (
        (launched / run / "adapter" / "adapter_model.safetensors").read_bytes() for run in ("whole", "resumed")
    )
    assert one == other
