"""What a launch finds broken in the folder that it goes on from: set aside and told, or one line that says why not."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import save_file

from socialr1_lite.errors import RecipeError, RunLogError
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.runlog import (
    RunFolder,
    TraceWriter,
    checkpoints,
    mark_complete,
    newest_complete,
    shard_paths,
    write_json,
)
from socialr1_lite.training import folder
from socialr1_lite.training.session import run_recipe
from tests.runlogs import trace

MERGED = Recipe.model_validate({"warmup": {"steps": 1, "merge": True}})
PLAIN = Recipe.model_validate({"warmup": {"steps": 1}})
EACH = PLAIN.completions_per_step  # of a step: 16, in two groups of 8


def kept(run: RunFolder, place: Path, step: int) -> Path:
    place.mkdir(parents=True)
    save_file({"a": numpy.zeros(2, numpy.float32)}, place / "adapter_model.safetensors")
    mark_complete(run, place, step)
    return place


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Stopped after step 3; a checkpoint and the completions of three steps."""
    run = RunFolder.create(tmp_path / "run")
    run.recipe.write_text(PLAIN.to_yaml(), encoding="utf-8")
    kept(run, run.path / "cold_start", 0)
    kept(run, run.checkpoints / "checkpoint-3", 3)
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as traces:
        for step in range(3):
            traces.write([trace(step, group=2 * step + i // 8, index=i % 8) for i in range(EACH)])
    run.set_state("stopped", step=3)
    return run


def told(run: RunFolder, recipe: Recipe = PLAIN) -> list[str]:
    return folder.look_over(run, recipe, newest_complete(run))


def test_of_a_sound_folder_there_is_nothing_to_tell(run: RunFolder) -> None:
    assert told(run) == []


def rewrite(run: RunFolder, change: Callable[[list[bytes]], list[bytes]]) -> None:
    (shard,) = shard_paths(run)
    shard.write_bytes(b"".join(change(shard.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            lambda rows: [*rows[:9], rows[9][:50] + b"\n", *rows[10:]],
            ["is left out: damaged", "47 of the 48 completions"],
        ),
        (
            lambda rows: [*rows[:9], rows[9].replace(b'"tokens":100', b'"tokens":[1]'), *rows[10:]],
            ["tokens", "47 of the 48"],
        ),
        (lambda rows: [*rows[:20], rows[20][:9] + rows[21], *rows[22:]], ["is left out: damaged", "46 of the 48"]),
        (lambda rows: [*rows[:20], *rows[30:]], ["38 of the 48 completions of the 3 steps"]),
        (lambda rows: rows[:-5], ["43 of the 48"]),
        (lambda rows: [], ["0 of the 48"]),
        (lambda rows: [*rows[:9], rows[3], *rows[9:]], ["is left out: it is there twice"]),
        (lambda rows: [*rows[:9], *rows[:8], *rows[9:]], ["twice", "twice", "twice", "5 more lines like these"]),
    ],
    ids=["garbled", "mistyped", "cut within", "cut", "cut at the end", "empty", "a line twice", "a block twice"],
)
def test_a_shard_that_was_cut_garbled_or_doubled_is_told(
    run: RunFolder, change: Callable[[list[bytes]], list[bytes]], lines: list[str]
) -> None:
    rewrite(run, change)
    found = told(run)
    assert len(found) == len(lines) and all(line in one for line, one in zip(lines, found, strict=True))
    folder.refuse_another_recipe(run, PLAIN)  # and it is no traceback where work is looked for


def test_a_shard_that_is_gone_is_told(run: RunFolder) -> None:
    shard_paths(run)[0].unlink()
    assert told(run) == ["traces/ holds 0 of the 48 completions of the 3 steps so far: a shard was cut or is gone"]


def test_metrics_that_are_none_are_told(run: RunFolder) -> None:
    run.metrics.write_bytes(b'{"step": 1, "loss": 0.5}\n{"step": "2"}\n\x00\x00\n[]\n{"step"')
    assert told(run) == ["metrics.jsonl: 3 of its lines hold no metrics and are left out"]


@pytest.mark.parametrize("name", ["cold_start", "adapter"])
def test_a_kept_adapter_that_is_broken_is_set_aside(run: RunFolder, name: str) -> None:
    place = run.path / name if name == "cold_start" else kept(run, run.adapter, 3)
    (place / "adapter_model.safetensors").write_bytes(b"WEIGHTS")
    (line,) = told(run)
    assert line.startswith(f"{name}/ set aside: adapter_model.safetensors has 7 bytes instead of")
    assert not place.exists() and (run.path / f"broken-{name}-0").is_dir()


def test_one_of_an_older_version_is_taken_and_that_is_told(run: RunFolder) -> None:
    (run.path / "cold_start" / "COMPLETE.json").unlink()
    (line,) = told(run)
    assert "cold_start has no COMPLETE.json" in line and (run.path / "cold_start").is_dir()


@pytest.mark.parametrize("how", ["broken", "gone"])
def test_the_checkpoints_are_not_gone_on_from_without_the_cold_start_that_they_belong_on(
    run: RunFolder, how: str
) -> None:
    cold = run.path / "cold_start"
    if how == "broken":
        (cold / "adapter_model.safetensors").write_bytes(b"WEIGHTS")
    else:
        cold.rename(run.path / "aside")
    with pytest.raises(RunLogError, match=r"cold_start.* put it back"):
        told(run, MERGED)


def test_a_merged_cold_start_without_a_checkpoint_is_made_again(run: RunFolder) -> None:
    (run.path / "cold_start" / "adapter_model.safetensors").write_bytes(b"WEIGHTS")
    (run.checkpoints / "checkpoint-3" / "COMPLETE.json").unlink()
    found = told(run, MERGED)
    assert [line.split(":")[0] for line in found[:2]] == ["checkpoint-3 set aside", "cold_start/ set aside"]


def test_a_step_that_no_checkpoint_has_is_told(run: RunFolder) -> None:
    run.set_state("running", step=9)
    assert told(run) == [
        "state.json says running at step 9, the newest whole checkpoint is of step 3: these steps are made again"
    ]
    run.set_state("failed", step=9, error="diverged")  # that one says how far it got
    assert told(run) == []


def test_a_recipe_of_other_bytes_is_told(run: RunFolder) -> None:
    run.recipe.write_text(PLAIN.to_yaml() + "# by hand\n", encoding="utf-8")
    assert told(run) == ["recipe.yaml is not, byte for byte, what checkpoint-3 was made by"]


# --- through the command's own door


def launched(run: RunFolder, recipe: Recipe) -> str:
    out = io.StringIO()
    run_recipe(recipe, run_dir=run.path, progress=Progress(stream=out))
    return out.getvalue()


def test_a_completed_run_is_left_alone(run: RunFolder) -> None:
    kept(run, run.adapter, 3)
    run.set_state("completed", step=3)
    assert "is complete (3 steps); nothing to do" in launched(run, PLAIN)
    (run.adapter / "COMPLETE.json").unlink()
    assert "nothing to do" in launched(run, PLAIN)


class Begun(Exception):
    """Training would go on from here."""


@pytest.mark.parametrize("how", ["gone", "broken", "empty"])
def test_a_run_that_says_completed_without_an_adapter_goes_on_or_says_why_not(
    run: RunFolder, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how != "gone":
        kept(run, run.adapter, 3)
        (run.adapter / "adapter_model.safetensors").write_bytes(b"WEIGHTS")
    if how == "empty":
        for file in run.adapter.iterdir():
            file.unlink()
    run.set_state("completed", step=3)

    def begun(*_: Any, **__: Any) -> None:
        raise Begun

    monkeypatch.setattr("socialr1_lite.training.session.load_policy", begun)
    with pytest.raises(Begun):
        launched(run, PLAIN)
    (run.checkpoints / "checkpoint-3" / "adapter_model.safetensors").unlink()
    with pytest.raises(
        RunLogError, match="says completed, and there is neither a whole adapter/ nor a whole checkpoint"
    ):
        launched(run, PLAIN)


@pytest.mark.parametrize("known", [True, False])
def test_a_recipe_that_is_gone_is_never_replaced_by_other_settings(run: RunFolder, known: bool) -> None:
    run.recipe.unlink()
    if known:
        write_json(run.environment, {"recipe_digest": PLAIN.digest})
        folder.refuse_another_recipe(run, PLAIN)  # these settings are its own
    for other in (Recipe(), MERGED) if known else (PLAIN, MERGED):
        with pytest.raises(RecipeError, match=r"holds a run whose recipe\.yaml is gone, .*put it back, or start a new"):
            launched(run, other)
    assert not run.recipe.exists()


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{", '{"recipe_digest": ["a"]}'])
def test_an_environment_of_wrong_types_vouches_for_nothing(run: RunFolder, text: str) -> None:
    run.recipe.unlink()
    run.environment.write_text(text)
    with pytest.raises(RecipeError, match=r"recipe\.yaml is gone"):
        folder.refuse_another_recipe(run, PLAIN)


# --- the cold start of another run


def test_another_runs_cold_start_is_taken_byte_for_byte(run: RunFolder, tmp_path: Path) -> None:
    mine, given = RunFolder.create(tmp_path / "mine"), run.path / "cold_start"
    folder.take_cold_start(mine, PLAIN, given)
    taken = folder.cold_start_folder(mine)
    assert checkpoints.check(taken) == "" and load_recipe(mine.recipe).digest == PLAIN.digest
    assert checkpoints.marker_of(taken)["files"] == checkpoints.marker_of(given)["files"]
    assert told(mine) == [] and folder.holds_work(mine)
    folder.refuse_another_recipe(mine, PLAIN)


def test_a_run_that_holds_work_keeps_its_own(run: RunFolder, tmp_path: Path) -> None:
    mine = RunFolder.create(tmp_path / "mine")
    mine.recipe.write_text(PLAIN.to_yaml(), encoding="utf-8")
    (other := tmp_path / "other").mkdir()
    own = kept(mine, mine.path / "cold_start", 0)
    save_file({"a": numpy.ones(2, numpy.float32)}, other / "adapter_model.safetensors")
    mark_complete(run, other, 0)
    before = (own / "adapter_model.safetensors").read_bytes()
    folder.take_cold_start(mine, PLAIN, other)
    assert (own / "adapter_model.safetensors").read_bytes() == before
    shutil.rmtree(own)
    kept(mine, mine.checkpoints / "checkpoint-3", 3)
    folder.take_cold_start(mine, PLAIN, other)
    assert not own.exists(), "its checkpoints are not of this cold start"


def test_one_that_is_not_as_it_was_saved_is_not_taken(run: RunFolder, tmp_path: Path) -> None:
    weights = run.path / "cold_start" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    mine = RunFolder.create(tmp_path / "mine")
    with pytest.raises(RunLogError, match=r"cold_start: adapter_model\.safetensors has"):
        folder.take_cold_start(mine, PLAIN, weights.parent)
    assert not mine.recipe.exists() and not folder.holds_work(mine)


def test_what_an_attempt_of_other_settings_left_does_not_stand_in_the_way(run: RunFolder, tmp_path: Path) -> None:
    mine = RunFolder.create(tmp_path / "mine")
    mine.recipe.write_text(MERGED.to_yaml(), encoding="utf-8")
    folder.cold_start_folder(mine).with_name(".cold_start.part").mkdir()  # of a copy that was killed
    folder.take_cold_start(mine, PLAIN, run.path / "cold_start")
    assert load_recipe(mine.recipe).digest == PLAIN.digest and checkpoints.check(mine.path / "cold_start") == ""
