"""The exported job before verl 0.9.1 itself: settings, data, rewards and rollout dumps.

verl needs an environment of its own, which `.ci/verl` makes; SOCIALR1_VERL_PYTHON names its Python.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from socialr1_lite import score
from socialr1_lite.errors import DataError
from socialr1_lite.export.__main__ import main
from socialr1_lite.export.verl import launch_script, rounds, rows, write
from socialr1_lite.export.verl_rollouts import Job, import_rollouts
from socialr1_lite.recipe import load_recipe
from socialr1_lite.rewards.stack import COMPONENTS
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.viewer import importing

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPES = REPOSITORY / "recipes"
EXAMPLE = Path(str(files("socialr1_lite.viewer") / "example"))
JOB = ["model.name=smollm2-135m", "data.size=64", "data.heldout=8", "evaluation.items=8", "grpo.max_steps=6"]
VERL = os.environ.get("SOCIALR1_VERL_PYTHON")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not VERL, reason="SOCIALR1_VERL_PYTHON names no Python with verl 0.9.1; .ci/verl makes one"),
]


def commands(script: Path) -> list[str]:
    """The settings that a launch script hands to verl: what its `python` is called with."""
    python = script.with_name("python")
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["bash", str(script)],
        env={"PATH": f"{script.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    given = done.stdout.splitlines()
    assert given[:2] == ["-m", "verl.trainer.main_ppo"]
    return given[2:]


def real_completions() -> dict[str, list[dict]]:
    """Scenario id -> completions of one group of the bundled example run, of six groups far apart."""
    groups = {}
    for row in read_traces(RunFolder.open(EXAMPLE)):
        if row.phase == "train":
            groups.setdefault(row.group, []).append(row)
    chosen = list(groups.values())[:: max(1, len(groups) // 6)]
    return {group[0].scenario: group for group in chosen}


@pytest.fixture(scope="module")
def cases() -> dict[str, list[dict]]:
    return real_completions()


@pytest.fixture(scope="module")
def folder(cases, tmp_path_factory) -> Path:
    """The exported job, and what verl told of it and of two more recipes' settings."""
    folder = tmp_path_factory.mktemp("verl")
    assert main([str(RECIPES / "4b_a100.yaml"), *JOB, "--to", "verl", "-o", str(folder / "job")]) == 0
    recipe = load_recipe(folder / "job" / "recipe.yaml")
    told = {"job": commands(folder / "job" / "run.sh")}
    for name in ("4b_a100", "8b_8xa100"):
        other = load_recipe(RECIPES / f"{name}.yaml")
        (folder / name).mkdir()
        (folder / name / "run.sh").write_text(launch_script(other, other.model.name))
        told[name] = commands(folder / name / "run.sh")
    scenarios = {scenario.id: scenario for scenario in RunFolder.open(EXAMPLE).read_scenarios()}
    # Six prompts, eight to a round: taken from the rounds on, so that the curriculum's tau differs among them.
    asked = rows(recipe, [scenarios[name] for name in cases for _ in range(rounds(recipe).prompts)], "train", False)
    (folder / "cases").mkdir()
    for name in ("train", "heldout"):
        write(folder / "cases" / f"{name}.parquet", asked[:: rounds(recipe).prompts])
    shutil.copy(folder / "job" / "recipe.yaml", folder / "cases")
    completions = [
        [place, row.completion.text, row.completion.finish == "stop"]
        for place, group in enumerate(cases.values())
        for row in group
    ]
    ask = {"commands": told, "job": "job", "completions": completions}
    (folder / "ask.json").write_text(json.dumps(ask))
    done = subprocess.run(
        [str(VERL), "-m", "tests.verl_checks", str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def told(folder) -> dict:
    return json.loads((folder / "told.json").read_text())


def test_it_is_the_version_that_the_names_are_of(told):
    assert told["verl"].startswith("0.9.1")


@pytest.mark.parametrize("name", ["job", "4b_a100", "8b_8xa100"])
def test_every_setting_is_known_to_verl_and_comes_out_as_written(told, name):
    assert told["otherwise"][name] == {}


def test_verl_reads_the_prompts_in_the_order_of_training(told, folder):
    recipe = load_recipe(folder / "job" / "recipe.yaml")
    count, size = rounds(recipe).count, rounds(recipe).prompts
    assert told["data"]["index"] == [list(range(i * size, (i + 1) * size)) for i in range(count)]
    # tau0 0.2 until a tenth of six steps, 1 from six tenths on.
    assert told["data"]["tau"] == [pytest.approx([0.2 + 0.8 * max(0, min(1, (i / 6 - 0.1) / 0.5))]) for i in range(6)]
    assert told["data"]["longest"] <= recipe.data.max_prompt_tokens
    assert told["data"]["prompts"][1].startswith("Story: ")


def test_verls_reward_manager_gets_the_numbers_of_score(told, folder, cases):
    assert {"CountingRewardManager", "NaiveRewardManager"} <= set(told["manager"])
    scenarios = {scenario.id: scenario.to_row() for scenario in RunFolder.open(EXAMPLE).read_scenarios()}
    given = [row for group in cases.values() for row in group]
    lines = [
        scenarios[row.scenario]
        | {"completion": row.completion.text, "tokens": tokens, "tau": one["reward_extra_info"]["tau"]}
        for row, tokens, one in zip(given, told["tokens"], told["scores"], strict=True)
    ]
    (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = str(folder / "job" / "recipe.yaml")
    assert score.main([str(folder / "in.jsonl"), "-o", str(folder / "out.jsonl"), "--recipe", recipe]) == 0
    expected = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert len(expected) == len(told["scores"]) >= 24
    for one, row in zip(told["scores"], expected, strict=True):
        found = one["reward_extra_info"]
        assert one["reward_score"] == pytest.approx(row["total"], abs=1e-9)
        for name in COMPONENTS:
            value = row["components"][name]
            assert found[name] == pytest.approx(value, abs=1e-9) if value is not None else math.isnan(found[name])
        assert found["right"] == (row["outcome"] == "right")
    # It can fail: the completions differ in reward, in length and in the curriculum's weight.
    assert len({one["reward_score"] for one in told["scores"]}) > 8
    assert len(set(told["tokens"])) > 8 and len({row["tau"] for row in expected}) > 2


def test_completions_of_one_prompt_are_counted_each_by_itself(told, cases):
    """verl may hand one dict to all of a group; their lengths must not run together."""
    sizes = [len(group) for group in cases.values()]
    counts = [told["tokens"][end - size : end] for size, end in zip(sizes, itertools.accumulate(sizes), strict=True)]
    assert any(len(set(some)) > 1 for some in counts)


@pytest.mark.parametrize(("dump", "components"), [("rollouts/1.jsonl", False), ("heldout/0.jsonl", True)])
def test_verls_own_dumps_come_into_the_viewer(told, folder, cases, tmp_path, dump, components):
    file = folder / "cases" / dump
    run = importing.make_run(
        importing.read_files([(file.name, io.BytesIO(file.read_bytes()))]), tmp_path / "run", file.name
    )
    found = list(read_traces(run))
    given = [row for group in cases.values() for row in group]
    assert [row.completion.text for row in found] == [row.completion.text for row in given]
    assert [row.total for row in found] == pytest.approx([one["reward_score"] for one in told["scores"]])
    assert [len(list(group)) for _, group in itertools.groupby(found, key=lambda row: row.group)] == [
        len(group) for group in cases.values()
    ]
    if components:
        assert [row.score.outcome == "right" for row in found] == [
            one["reward_extra_info"]["right"] == 1 for one in told["scores"]
        ]
        assert [row.score.parts["imported.format"] for row in found] == [
            one["reward_extra_info"]["format"] for one in told["scores"]
        ]


def test_a_jobs_dumps_become_a_run_with_every_component(told, folder, cases, tmp_path):
    """verl's dump holds no components; they are worked out again, and the total must be verl's own."""
    run = import_rollouts(Job.open(folder / "cases"), tmp_path / "run")
    found = list(read_traces(run))
    train = [row for row in found if row.phase == "train"]
    given = [row for group in cases.values() for row in group]
    assert [(row.scenario, row.completion.text) for row in train] == [
        (row.scenario, row.completion.text) for row in given
    ]
    assert [row.completion.text for row in found if row.phase == "eval"] == [row.completion.text for row in given]
    for row, one in zip(train, told["scores"], strict=True):
        assert row.total == pytest.approx(one["reward_score"], abs=1e-6)
        assert row.score.tau == one["reward_extra_info"]["tau"] and row.step == 0
    assert not any("verl's own total" in note for row in found for note in row.score.notes)
    assert {row.score.outcome for row in train} >= {"right", "wrong"}
    assert {scenario.id for scenario in run.read_scenarios()} == set(cases)


def test_dumps_of_another_job_are_refused(folder, tmp_path):
    shutil.copytree(folder / "job", tmp_path / "job")
    shutil.copytree(folder / "cases" / "rollouts", tmp_path / "job" / "rollouts")
    with pytest.raises(DataError, match="is it another job's"):
        import_rollouts(Job.open(tmp_path / "job"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
