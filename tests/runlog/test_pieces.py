"""Pieces of a run folder that are lost, cut, garbled, doubled, mistyped or linked elsewhere: told, never counted twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from socialr1_lite.errors import PolicyError, RunLogError
from socialr1_lite.evaluation import target
from socialr1_lite.runlog import (
    BestAdapter,
    CheckScore,
    RunFolder,
    TraceIndex,
    TraceWriter,
    lines,
    mark_complete,
    read_metrics,
    read_traces,
)
from socialr1_lite.runlog.checkpoints import check, newest_complete, vouched
from socialr1_lite.training.heldout_figures import kept_checks
from tests.runlogs import trace


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run whose launch 1 went on from step 4: an adapter of step 6, the best of step 2, checkpoints 4 and 6."""
    run = RunFolder.create(tmp_path / "run")
    run.recipe.write_text("grpo: {max_steps: 6}\nwarmup: {steps: 1, merge: true}\n")
    best = BestAdapter(run)
    checkpoints = {run.checkpoints / f"checkpoint-{step}": step for step in (4, 6)}
    for folder, step in {run.path / "cold_start": 0, run.adapter: 6, best.path(2): 2, **checkpoints}.items():
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(b"weights of step %d" % step)
        mark_complete(run, folder, step)
    best.record([CheckScore(2, "step 2", 0.5, 0.4, 0.6, 9)])
    for start, end in ((0, 6), (4, 6)):
        with TraceWriter(run, launch=run.begin_launch(start, ["train"])) as traces:
            for step in range(start, end):
                traces.write([trace(step, completion=f"from {start}")])
    run.set_state("completed", step=6)
    return run


def harm(folder: Path, how: str) -> None:
    weights, marker = folder / "adapter_model.safetensors", folder / "COMPLETE.json"
    kept = json.loads(marker.read_text())
    match how:
        case "cut":
            weights.write_bytes(weights.read_bytes()[:-3])
        case "garbled":
            weights.write_bytes(weights.read_bytes().replace(b"w", b"W"))
        case "gone":
            weights.unlink()
        case "another's":
            marker.write_text(json.dumps(kept | {"step": 99}))
        case "added":
            (folder / "adapter_model.bin").write_bytes(b"a pickle")
        case "no files":
            marker.write_text(json.dumps(kept | {"files": {}}))
        case "elsewhere":
            marker.write_text(json.dumps(kept | {"files": {"../../recipe.yaml": kept["files"].popitem()[1]}}))
        case "absolute":
            marker.write_text(json.dumps(kept | {"files": {"/etc/hostname": kept["files"].popitem()[1]}}))
        case "newer":
            marker.write_text(json.dumps(kept | {"version": 2}))
        case "a folder":
            marker.unlink()
            marker.mkdir()
        case _:
            marker.write_text(how)


HARMS = ["cut", "garbled", "gone", "added", "no files", "elsewhere", "absolute", "newer", "a folder", "[]", "{", "null"]
HARMS += ['"whole"', '{"version": "1", "step": 6, "files": {}}', '{"version": NaN, "step": 6, "files": {"a": {}}}']


@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize(
    ("name", "checkpoint"), [("adapter", "newest"), ("best/step-2", "best"), ("cold_start", "newest")]
)
def test_a_kept_adapter_that_is_not_as_it_was_saved_is_one_line(
    run: RunFolder, name: str, checkpoint: str, how: str
) -> None:
    assert target.find(str(run.path), checkpoint=checkpoint).adapter
    harm(run.path / name, how)
    with pytest.raises((RunLogError, PolicyError)) as told:
        target.find(str(run.path), checkpoint=checkpoint)
    assert str(run.path / name) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("how", [*HARMS, "another's"])
def test_a_checkpoint_that_is_not_as_it_was_saved_is_one_line(run: RunFolder, how: str) -> None:
    harm(run.checkpoints / "checkpoint-4", how)
    with pytest.raises((RunLogError, PolicyError)) as told:
        target.find(str(run.path), checkpoint="4")
    assert "checkpoint-4" in str(told.value) and "\n" not in str(told.value)
    harm(run.checkpoints / "checkpoint-6", how)
    looked = newest_complete(run, set_aside=False)
    assert looked.path is None and len(looked.notices) == 2


def test_the_best_of_another_step_is_told(run: RunFolder) -> None:
    harm(BestAdapter(run).path(2), "another's")
    with pytest.raises(RunLogError, match="belongs to step 99, not 2"):
        target.find(str(run.path), checkpoint="best")


def test_what_an_older_version_kept_opens_and_that_is_told(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (run.adapter, run.path / "cold_start", BestAdapter(run).path(2)):
        (folder / "COMPLETE.json").unlink()
    assert target.find(str(run.path)).step == target.find(str(run.path), checkpoint="best").step + 4 == 6
    assert capsys.readouterr().err.count("no COMPLETE.json, so its files are taken as they are") == 4


def test_a_merged_cold_start_that_is_gone_is_told(run: RunFolder) -> None:
    (run.path / "cold_start").rename(run.path / "aside")
    with pytest.raises(RunLogError, match="cold_start is gone"):
        target.find(str(run.path))


def test_a_state_that_says_completed_without_an_adapter_is_told(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    run.adapter.rename(run.path / "aside")
    assert target.find(str(run.path)).step == 6
    assert "state.json says completed, and there is no adapter/: the checkpoint of step 6" in capsys.readouterr().err


def test_the_step_of_the_adapter_is_its_own_whatever_the_state_says(run: RunFolder) -> None:
    run.set_state("completed", step=600)
    assert target.find(str(run.path)).step == 6


def test_only_a_step_of_a_checkpoint_marks_by_its_name(run: RunFolder) -> None:
    assert check(run.adapter) == check(run.adapter, 6) == "" and check(run.adapter, 5)
    assert vouched(run.adapter) == ""
    with pytest.raises(RunLogError, match="checkpoint-<step>"):
        mark_complete(run, run.adapter)


# --- small files of wrong types


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "{", "\x00\x00", '{"version": 1, "status": "done", "step": 1}', '{"status": ["completed"]}']
    + [
        f'{{"version": 1, "status": "completed", "step": {step}}}'
        for step in ('"6"', "-1", "true", "1.5", "null", "[6]")
    ]
    + ['{"version": "1"}', '{"version": null}', '{"version": [1]}'],
)
def test_a_state_of_wrong_types_is_one_line(run: RunFolder, text: str) -> None:
    run.state_file.write_text(text)
    with pytest.raises(RunLogError, match=r"state\.json"):
        RunFolder.open(run.path)


def test_a_state_that_is_a_folder_is_one_line(run: RunFolder) -> None:
    run.state_file.unlink()
    run.state_file.mkdir()
    with pytest.raises(RunLogError, match="cannot be read; put it back, or remove it"):
        RunFolder.open(run.path)


CHECK = {"label": "untrained", "step": 0, "n": 1, "format_rate": 1.0, "accuracy": 1.0, "low": 0.0, "high": 1.0}
CHECK |= {"unreadable": 0.0, "truncated": 0.0, "reward": 1.0, "tokens": 9.0, "right": [True], "seconds": 1.0}


@pytest.mark.parametrize(
    "wrong",
    [[], None, {}, {"checks": 1}, {"checks": [1]}, {"checks": {"a": 1}}, {"checks": [{}]}]
    + [{"checks": [CHECK | one]} for one in ({"label": 1}, {"n": "1"}, {"n": 2}, {"right": 1}, {"accuracy": "1"})]
    + [{"checks": [CHECK | {"other": 1}]}, {"checks": [CHECK | {"low": [0]}]}, {"checks": [CHECK | {"step": None}]}],
)
def test_a_summary_of_wrong_types_is_one_line(run: RunFolder, wrong: object) -> None:
    (run.path / "summary.json").write_text(json.dumps({"version": 1, "checks": [CHECK]}))
    assert list(kept_checks(run)) == ["untrained"]
    (run.path / "summary.json").write_text(json.dumps(wrong))
    with pytest.raises(RunLogError, match=r"summary\.json cannot be read; put it back, or remove it"):
        kept_checks(run)


@pytest.mark.parametrize(
    "wrong", [{"step": "2"}, {"step": True}, {"step": -1}, {"label": 3}, {"accuracy": "0.5"}, {"n": []}]
)
def test_a_best_of_wrong_types_is_one_line(run: RunFolder, wrong: dict[str, object]) -> None:
    file = run.path / "best" / "best.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | wrong))
    with pytest.raises(RunLogError, match=r"best\.json cannot be read"):
        BestAdapter(run).read()


def test_metrics_of_wrong_types_are_left_out(run: RunFolder) -> None:
    rows = [
        {"step": 1, "segment": 0, "loss": 0.5},
        {"step": "2", "segment": 0, "loss": 0.4},
        {"step": 3, "segment": True},
    ]
    rows += [{"step": 4, "segment": 0, "loss": "NaN", "note": "x", "reward": 1.0}, {"step": -1, "segment": 0}]
    run.metrics.write_bytes(lines.encode(rows) + b"[1]\nnull\n" + b"\x00\n")
    kept = [{"step": 1, "segment": 0, "loss": 0.5}, {"step": 4, "segment": 0, "reward": 1.0}]
    assert read_metrics(run) == [row | {"superseded": False} for row in kept]


# --- launches


def mistyped(**change: object) -> Callable[[bytes], bytes]:
    def change_it(text: bytes) -> bytes:
        rows = [json.loads(line) for line in text.splitlines()]
        rows[-1] |= change
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    return change_it


LOST: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "its last line cut": lambda text: text[:-20],
    "its first line cut": lambda text: text[20:],
    "garbled": lambda text: text.replace(b"segment", b"sexment"),
    "a start of text": mistyped(start_step="4"),
    "a start too early": mistyped(start_step=0),
    "a start too late": mistyped(start_step=6),
    "a start below 0": mistyped(start_step=-4),
    "a start that is true": mistyped(start_step=True),
    "a start of a float": mistyped(start_step=4.0),
    "another number": mistyped(segment=7),
    "a huge number": mistyped(segment=10**30),
    "a kind that is wrong": mistyped(kind="evaluate"),
    "each line twice": lambda text: text + text,
    "in another order": lambda text: b"".join(reversed(text.splitlines(keepends=True))),
}


@pytest.mark.parametrize("how", LOST)
def test_the_rows_tell_what_was_made_again_whatever_segments_says(run: RunFolder, how: str, tmp_path: Path) -> None:
    run.launches_file.write_bytes(LOST[how](run.launches_file.read_bytes()))
    wanted = [*((step, "from 0") for step in range(4)), (4, "from 4"), (5, "from 4")]
    assert [(row.step, row.completion.text) for row in read_traces(run)] == wanted
    with TraceIndex(run, cache=tmp_path / "cache") as index:
        index.refresh()
        assert index.count() == len(wanted)
    assert run.begin_launch(6, ["train"]) >= 2
    assert [(row.step, row.completion.text) for row in read_traces(run)] == wanted


def test_an_evaluation_beside_the_training_supersedes_nothing(run: RunFolder) -> None:
    number = run.begin_launch(2, ["evaluate"], kind="evaluate")
    with TraceWriter(run, writer="evaluate", launch=number) as traces:
        traces.write([trace(2, phase="eval", benchmark="hi-tom")])
    wanted = [(row.step, row.completion.text) for row in read_traces(run)]
    run.launches_file.write_bytes(run.launches_file.read_bytes().replace(b'"kind":"evaluate"', b'"kind":1'))
    assert [(row.step, row.completion.text) for row in read_traces(run)] == wanted


def test_a_number_is_given_once_though_the_last_lines_of_a_shard_are_zeros(run: RunFolder) -> None:
    run.launches_file.unlink()
    with (run.traces / "rank00000-0000.jsonl").open("ab") as shard:
        shard.write(bytes(40) + b"\n" + bytes(40) + b"\n")
    assert run.begin_launch(6, ["train"]) == 2


# --- shards


@pytest.mark.parametrize("how", ["a line twice", "a block twice", "a shard twice", "a copy beside it"])
def test_a_completion_that_is_there_twice_counts_once_and_is_told(run: RunFolder, how: str, tmp_path: Path) -> None:
    shard = run.traces / "rank00000-0000.jsonl"
    all_lines, before = shard.read_bytes().splitlines(keepends=True), [row.step for row in read_traces(run)]
    with TraceIndex(run, cache=tmp_path / "cache") as index:
        index.refresh()
        count = index.count()
    if "line" in how or "block" in how:
        shard.write_bytes(b"".join([*all_lines[:5], *all_lines[1 : 2 if "line" in how else 5], *all_lines[5:]]))
    else:
        name = "rank00000-0001.jsonl" if "shard" in how else "rank00000-0000 (1).jsonl"
        (run.traces / name).write_bytes(shard.read_bytes())
    bad: list[str] = []
    assert [row.step for row in read_traces(run, damaged=lambda error: bad.append(error.reason))] == before
    assert bad == ["it is there twice"] * {"a line twice": 1, "a block twice": 4}.get(how, len(all_lines))
    assert [row.step for row in read_traces(run)] == before
    with TraceIndex(run, cache=tmp_path / "cache") as index:
        index.refresh()
        assert index.count() == count and "there twice" in index.notices()[0]


# --- links


@pytest.mark.parametrize("name", ["evaluation", "traces/evaluate00000-0000.jsonl", "segments.jsonl", "checkpoints/x/y"])
def test_nothing_is_written_through_a_link_out_of_the_folder(run: RunFolder, name: str, tmp_path: Path) -> None:
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "thesis.tex").write_text("years of work")
    link = run.path / name
    link.parent.mkdir(exist_ok=True)
    if link.is_dir():
        link.rmdir()
    link.unlink(missing_ok=True)
    link.symlink_to(outside if name == "evaluation" else outside / "thesis.tex")
    for lock in ("train", "evaluate"):
        with pytest.raises(RunLogError, match=f"{link} is a link out of the run folder, to {outside}"):
            run.lock(lock)
    assert not (run.path / "train.lock").exists()


def test_a_link_within_the_folder_and_a_link_to_the_folder_are_fine(run: RunFolder, tmp_path: Path) -> None:
    (run.path / "newest").symlink_to(run.checkpoints / "checkpoint-6")
    (tmp_path / "other").symlink_to(run.path)
    with RunFolder.open(tmp_path / "other").lock():
        pass


def test_removing_a_folder_leaves_what_its_links_lead_to(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    os.symlink(tmp_path / "thesis.tex", run.checkpoints / "checkpoint-4" / "thesis.tex")
    lines.remove_tree(run.checkpoints / "checkpoint-4")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert not (run.checkpoints / "checkpoint-4").exists()
