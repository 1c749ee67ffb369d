"""The run folder: what survives a kill, what a reader may meet, what counts after a resume."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socialr1_lite import runlog
from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts import reward
from socialr1_lite.rollouts.trace import TRACE_VERSION
from socialr1_lite.runlog import checkpoints, lines, lock
from socialr1_lite.runlog.traces import History
from socialr1_lite.scenario import Scenario
from tests.runlogs import WEIGHTS, trace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path) -> runlog.RunFolder:
    return runlog.RunFolder.create(tmp_path / "run")


def total(**components: float | None) -> float:
    return reward.total_reward(components, WEIGHTS, "gated", 1.0)


class TestTotal:
    def test_gated_by_hand(self) -> None:
        components = {"format": 1.0, "outcome": 1.0, "structure": 0.5, "content": 0.8, "length": 0.9}
        # 1 * (1*1 + 0.6*(0.5*0.5 + 0.5*0.8)) * 0.9 = (1 + 0.6*0.65) * 0.9
        assert reward.total_reward(components, WEIGHTS, "gated", 0.6) == pytest.approx(1.251, abs=1e-12)

    def test_additive_by_hand(self) -> None:
        components = {"format": 0.0, "outcome": 1.0, "structure": 0.5, "content": 0.8, "length": 0.9}
        # 0.2*0 + 1*1 + 0.6*0.65 + 0.2*0.9
        assert reward.total_reward(components, WEIGHTS, "additive", 0.6) == pytest.approx(1.57, abs=1e-12)

    def test_a_closed_gate_leaves_nothing(self) -> None:
        assert total(format=0.0, outcome=1.0, structure=1.0, content=1.0, length=1.0) == 0.0

    def test_what_nobody_could_judge_is_left_out(self) -> None:
        assert total(format=1.0, outcome=1.0, structure=1.0, content=None, length=1.0) == 1.5
        assert total(format=None, outcome=1.0, structure=1.0, content=1.0, length=None) == 2.0

    def test_another_mode_is_refused(self) -> None:
        with pytest.raises(ValueError, match="gated, additive"):
            reward.total_reward({}, {}, "sum", 1.0)


class TestFolder:
    def test_create_keeps_what_is_there(self, run: runlog.RunFolder) -> None:
        run.set_state("completed", step=20, accuracy=0.8)
        again = runlog.RunFolder.create(run.path)
        assert again.completed and again.state()["accuracy"] == 0.8

    def test_a_folder_that_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(RunLogError, match=r"holds neither state\.json nor traces/"):
            runlog.RunFolder.open(tmp_path)
        with pytest.raises(RunLogError, match="no such folder"):
            runlog.RunFolder.open(tmp_path / "nowhere")

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "run").write_text("not a folder")
        with pytest.raises(RunLogError, match="in the way"):
            runlog.RunFolder.create(tmp_path / "run")

    def test_a_newer_run_is_refused(self, run: runlog.RunFolder) -> None:
        run.state_file.write_text('{"version": 2, "status": "running"}')
        with pytest.raises(RunLogError, match=r"version 2.*reads up to 1"):
            runlog.RunFolder.open(run.path)

    def test_find_runs(self, run: runlog.RunFolder) -> None:
        (run.path.parent / "notes").mkdir()
        assert runlog.find_runs(run.path.parent) == [run]
        assert runlog.find_runs(run.path) == [run]

    def test_scenarios_are_stored_once(self, run: runlog.RunFolder) -> None:
        one = Scenario("s/1", "Story.", "Question?", ("a", "b"), (0,), meta={"order": 1})
        other = Scenario("s/2", "Story.", "Question?", ("a", "b"), (1,))
        run.add_scenarios([one, one])
        run.add_scenarios([one, other])
        assert list(run.read_scenarios()) == [one, other]

    def test_one_id_cannot_name_two_scenarios(self, run: runlog.RunFolder) -> None:
        run.add_scenarios([Scenario("s/1", "Story.", "Question?", ("a", "b"), (0,))])
        with pytest.raises(RunLogError, match="s/1 is stored with other content"):
            run.add_scenarios([Scenario("s/1", "Story.", "Question?", ("b", "a"), (1,))])

    def test_a_scenario_torn_in_half_is_written_again(self, run: runlog.RunFolder) -> None:
        scenarios = [Scenario(f"s/{n}", "Story.", "Question?", ("a", "b"), (0,)) for n in range(3)]
        run.add_scenarios(scenarios)
        run.scenarios.write_bytes(run.scenarios.read_bytes()[:-20])
        run.add_scenarios(scenarios)
        assert list(run.read_scenarios()) == scenarios

    def test_atomic_write_leaves_the_old_file_when_it_fails(self, tmp_path: Path) -> None:
        target = tmp_path / "report.json"
        target.write_text("old")

        def fill(scratch: Path) -> None:
            scratch.write_text("half of the new")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            lines.replace_atomic(target, fill)
        assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


class TestWriter:
    def test_rows_come_back_with_version_rank_and_segment(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run, 3, launch=2) as writer:
            writer.write([trace(), trace(index=1)])
        rows = list(runlog.read_traces(run))
        assert rows == [trace(segment=2, rank=3), trace(index=1, segment=2, rank=3)]
        stored = lines.read_rows(writer.path)
        assert [(row["version"], row["rank"], row["segment"]) for row in stored] == [(TRACE_VERSION, 3, 2)] * 2

    def test_a_full_shard_is_closed_and_never_changes(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run, shard_bytes=2000) as writer:
            for step in range(6):
                writer.write([trace(step, index=i) for i in range(2)])
        shards = runlog.shard_paths(run)
        assert [path.name for path in shards] == [f"rank00000-000{n}.jsonl" for n in range(len(shards))]
        assert len(shards) > 2
        before = [path.read_bytes() for path in shards]
        with runlog.TraceWriter(run, shard_bytes=2000) as writer:
            writer.write([trace(6)])
        assert [path.read_bytes() for path in shards[:-1]] == before[:-1]
        assert [row.step for row in runlog.read_traces(run)] == [s for s in range(6) for _ in range(2)] + [6]

    def test_the_tenth_thousandth_shard_stays_in_order(self, run: runlog.RunFolder) -> None:
        for number, step in ((9999, 0), (10000, 1)):
            (run.traces / f"rank00000-{number}.jsonl").write_bytes(lines.encode([trace(step).to_row()]))
        assert [row.step for row in runlog.read_traces(run)] == [0, 1]
        with runlog.TraceWriter(run) as writer:
            assert writer.path.name == "rank00000-10000.jsonl"

    def test_writers_do_not_share_shards(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run, 1) as one, runlog.TraceWriter(run, 11) as other:
            one.write([trace(index=1)])
            other.write([trace(index=11)])
        with runlog.TraceWriter(run, writer="evaluate") as evaluation:
            evaluation.write([trace(phase="eval")])
        assert [path.name for path in runlog.shard_paths(run)] == [
            "evaluate00000-0000.jsonl",
            "rank00001-0000.jsonl",
            "rank00011-0000.jsonl",
        ]

    def test_numbers_json_cannot_hold_become_null(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run) as writer:
            writer.write([replace(trace(), advantage=float("nan"))])
        assert next(runlog.read_traces(run)).advantage is None

    @pytest.mark.parametrize("cut", [1, 2, 40, 500])
    def test_a_torn_line_is_cut_off_and_told(self, run: runlog.RunFolder, cut: int) -> None:
        with runlog.TraceWriter(run) as writer:
            writer.write([trace(step) for step in range(3)])
        shard = runlog.shard_paths(run)[0]
        whole = shard.read_bytes()
        shard.write_bytes(whole[:-cut])
        assert [row.step for row in runlog.read_traces(run)] == [0, 1]
        with runlog.TraceWriter(run) as writer:
            assert len(writer.notices) == 1 and "rank00000-0000.jsonl: cut off" in writer.notices[0]
            writer.write([trace(2)])
        assert shard.read_bytes().count(b"\n") == 3
        assert [row.step for row in runlog.read_traces(run)] == [0, 1, 2]

    def test_zeros_after_a_power_cut_are_cut_off(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run) as writer:
            writer.write([trace(0)])
        shard = runlog.shard_paths(run)[0]
        good = shard.read_bytes()
        shard.write_bytes(good + b"\0" * 300 + b"\n" + b"\0" * 70_000)
        assert [row.step for row in runlog.read_traces(run)] == [0]
        assert runlog.TraceWriter(run).notices
        assert shard.read_bytes() == good

    def test_a_whole_shard_is_left_alone(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run) as writer:
            writer.write([trace(0, completion="x" * 200_000)])  # longer than the blocks read backwards
        before = runlog.shard_paths(run)[0].read_bytes()
        assert runlog.TraceWriter(run).notices == ()
        assert runlog.shard_paths(run)[0].read_bytes() == before

    @given(tail=st.binary(max_size=300))
    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_repair_keeps_every_complete_line_whatever_follows(self, tmp_path: Path, tail: bytes) -> None:
        path = tmp_path / "x.jsonl"
        good = lines.encode([{"n": n} for n in range(3)])
        path.write_bytes(good + tail)
        lines.repair(path)
        kept = path.read_bytes()
        assert kept.startswith(good) and kept == (good + tail)[: len(kept)]
        assert kept.endswith(b"\n") and lines.parse(kept.splitlines()[-1]) is not None
        assert lines.repair(path) == ""


KILLED = textwrap.dedent(
    """
    import sys, time
    from socialr1_lite import runlog
    from tests.runlogs import trace
    run = runlog.RunFolder.open(sys.argv[1])
    with runlog.TraceWriter(run, shard_bytes=200_000) as writer:
        start = int(sys.argv[2])
        for step in range(start, start + 100_000):
            writer.write([trace(step, index=i, completion="word " * 400) for i in range(8)])
            print(step, flush=True)
            time.sleep(0.002)
    """
)


def test_a_killed_writer_loses_nothing_it_had_finished(run: runlog.RunFolder) -> None:
    """SIGKILL at random moments: every batch that was reported as written is there, whole, once and in order."""
    rng = random.Random(3)
    reported = -1
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(run.path), str(reported + 1)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)  # of a process that writes nearly all of the time
        told = [line for line in process.stdout.read().split("\n") if line]
        process.wait()
        reported = int(told[-1]) if told else reported + 1
        rows = list(runlog.read_traces(run))
        steps = [row.step for row in rows if row.index == 7]
        assert steps[: reported + 1] == list(range(reported + 1))
        assert len(steps) <= reported + 2  # at most one more batch was written and not yet reported
        with runlog.TraceWriter(run, shard_bytes=200_000):
            pass
        trim(run, reported)
    assert len(runlog.shard_paths(run)) > 2


def trim(run: runlog.RunFolder, step: int) -> None:
    """Drop rows beyond `step`, as the next launch's segment would supersede them."""
    for path in runlog.shard_paths(run):
        kept = [row for row in lines.read_rows(path) if row["step"] <= step]
        path.write_bytes(lines.encode(kept))


class TestReading:
    def test_a_damaged_line_in_the_middle_is_told_with_its_place(self, run: runlog.RunFolder) -> None:
        with runlog.TraceWriter(run) as writer:
            writer.write([trace(0), trace(1), trace(2)])
        shard = runlog.shard_paths(run)[0]
        parts = shard.read_bytes().splitlines(keepends=True)
        shard.write_bytes(parts[0] + b"{oops\n" + parts[2])
        with pytest.raises(
            RunLogError, match=rf"rank00000-0000\.jsonl, byte {len(parts[0])}: this line is no trace .damaged."
        ):
            list(runlog.read_traces(run))

    def test_a_newer_row_is_refused(self, run: runlog.RunFolder) -> None:
        (run.traces / "rank00000-0000.jsonl").write_bytes(lines.encode([trace().to_row() | {"version": 9}]))
        with pytest.raises(RunLogError, match="byte 0: version 9 is newer"):
            list(runlog.read_traces(run))

    def test_an_older_row_reads_with_defaults(self, run: runlog.RunFolder) -> None:
        old = {
            key: value
            for key, value in trace().to_row().items()
            if key not in ("prefilled", "answer", "notes", "advantage")
        }
        (run.traces / "rank00000-0000.jsonl").write_bytes(lines.encode([old]))
        row = next(runlog.read_traces(run))
        assert (row.launch, row.completion.prefilled, row.answer, row.score.notes) == (0, False, None, ())

    def test_a_row_that_is_no_trace_is_refused(self, run: runlog.RunFolder) -> None:
        (run.traces / "rank00000-0000.jsonl").write_bytes(lines.encode([{"step": 1}]))
        with pytest.raises(RunLogError, match=r"no trace .phase, scenario, .* missing"):
            list(runlog.read_traces(run))

    def test_reading_beside_a_live_writer_sees_whole_rows_only(self, run: runlog.RunFolder) -> None:
        writer = runlog.TraceWriter(run)
        writer.write([trace(0)])
        shard = runlog.shard_paths(run)[0]
        half = lines.encode([trace(1).to_row()])
        with shard.open("ab") as file:
            file.write(half[:50])
        assert [row.step for row in runlog.read_traces(run)] == [0]
        with shard.open("ab") as file:
            file.write(half[50:])
        assert [row.step for row in runlog.read_traces(run)] == [0, 1]


@pytest.fixture
def resumed(run: runlog.RunFolder) -> runlog.RunFolder:
    with runlog.TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write([trace(step, completion="first") for step in range(7)])
        writer.write([trace(step, phase="eval", completion="first") for step in (2, 4, 6)])
    metrics = runlog.MetricsWriter(run)
    for step in range(1, 8):
        metrics.write(step, {"loss": 1.0})
    with runlog.TraceWriter(run, launch=run.begin_launch(4, ["train"])) as writer:
        writer.write([trace(step, completion="second") for step in range(4, 9)])
    runlog.MetricsWriter(run, launch=1).write(5, {"loss": 2.0})
    return run


class TestResume:
    """Two launches: the first from step 0, the second from a checkpoint at step 4."""

    def test_training_rows_from_the_checkpoint_on_are_superseded(self, resumed: runlog.RunFolder) -> None:
        told = [(row.step, row.completion.text) for row in runlog.read_traces(resumed) if row.phase == "train"]
        assert told == [(s, "first") for s in range(4)] + [(s, "second") for s in range(4, 9)]

    def test_nothing_is_lost(self, resumed: runlog.RunFolder) -> None:
        rows = list(runlog.read_traces(resumed, superseded=True))
        assert len(rows) == 7 + 3 + 5
        assert {row.step for row in rows if row.superseded and row.phase == "train"} == {4, 5, 6}

    def test_the_evaluation_at_the_checkpoint_still_counts(self, resumed: runlog.RunFolder) -> None:
        assert [row.step for row in runlog.read_traces(resumed) if row.phase == "eval"] == [2, 4]

    def test_an_evaluation_done_again_counts_once(self, resumed: runlog.RunFolder) -> None:
        with runlog.TraceWriter(resumed, launch=1) as writer:
            writer.write([trace(4, phase="eval", completion="second")])
        told = [(r.step, r.completion.text) for r in runlog.read_traces(resumed) if r.phase == "eval"]
        assert told == [(2, "first"), (4, "second")]

    def test_metrics_of_the_checkpoints_own_step_still_count(self, resumed: runlog.RunFolder) -> None:
        assert [(row["step"], row["loss"]) for row in runlog.read_metrics(resumed)] == [
            *((step, 1.0) for step in range(1, 5)),
            (5, 2.0),
        ]
        assert len(runlog.read_metrics(resumed, superseded=True)) == 8

    def test_a_later_evaluation_supersedes_no_training(self, resumed: runlog.RunFolder) -> None:
        before = list(runlog.read_traces(resumed))
        assert resumed.begin_launch(2, ["evaluate"], kind="evaluate") == 2
        assert list(runlog.read_traces(resumed)) == before

    def test_a_torn_metrics_line_is_dropped(self, resumed: runlog.RunFolder) -> None:
        with resumed.metrics.open("ab") as file:
            file.write(b'{"step": 6, "lo')
        assert runlog.MetricsWriter(resumed, launch=1).notice
        assert runlog.read_metrics(resumed)[-1]["step"] == 5

    @pytest.mark.parametrize("facts", [{"segment": [1]}, {"step": "1"}, {"benchmark": ["x"]}, {"segment": {}}])
    @pytest.mark.parametrize("phase", ["train", "eval"])
    def test_a_mistyped_row_spoils_no_history(self, resumed: runlog.RunFolder, phase: str, facts: dict) -> None:
        before = History.of(resumed)
        with (resumed.traces / "rank00001-0000.jsonl").open("wb") as file:
            file.write(lines.encode([trace(1, phase=phase).to_row() | facts]))
        after = History.of(resumed)
        assert after.cuts == before.cuts and after.latest.items() >= before.latest.items()
        with resumed.metrics.open("ab") as file:
            file.write(lines.encode([{"step": 6, "segment": 1} | facts]))
        told = [row["step"] for row in runlog.read_metrics(resumed)]
        assert told == [1, 2, 3, 4, 5, *([6] if "benchmark" in facts else [])]

    def test_the_third_launch_reaches_back_behind_the_second(self, resumed: runlog.RunFolder) -> None:
        assert resumed.begin_launch(0, ["train"]) == 2
        assert [row for row in runlog.read_traces(resumed) if row.phase == "train"] == []


def mark(checkpoint: Path, **facts: object) -> None:
    """Put these into the marker of a checkpoint."""
    marker = checkpoint / "COMPLETE.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | facts))


class TestCheckpoints:
    def checkpoint(self, run: runlog.RunFolder, step: int, *, marked: bool = True) -> Path:
        folder = run.checkpoints / f"checkpoint-{step}"
        (folder / "deep").mkdir(parents=True)
        (folder / "adapter.safetensors").write_bytes(bytes(range(256)) * step)
        (folder / "deep" / "state.json").write_text(json.dumps({"step": step}))
        if marked:
            runlog.mark_complete(run, folder)
        return folder

    def test_the_newest_by_number_not_by_name(self, run: runlog.RunFolder) -> None:
        self.checkpoint(run, 9)
        newest = self.checkpoint(run, 10)
        assert runlog.newest_complete(run) == runlog.Newest(newest, 10, ())

    def test_none_at_all(self, run: runlog.RunFolder) -> None:
        assert runlog.newest_complete(run) == runlog.Newest(None, 0, ())

    @pytest.mark.parametrize(
        ("harm", "why"),
        [
            (lambda c: (c / "COMPLETE.json").unlink(), "not finished"),
            (lambda c: (c / "COMPLETE.json").write_text('{"version": 1'), "cannot be read"),
            (lambda c: mark(c, version="1"), "cannot be read"),
            (lambda c: mark(c, files=["adapter.safetensors"]), "cannot be read"),
            (lambda c: mark(c, files={"adapter.safetensors": {"sha256": ""}}), "cannot be read"),
            (lambda c: mark(c, files={"adapter.safetensors": {"bytes": 5120}}), "cannot be read"),
            (lambda c: mark(c, files={"adapter.safetensors": "whole"}), "cannot be read"),
            (lambda c: (c / "adapter.safetensors").unlink(), "is missing"),
            (lambda c: (c / "adapter.safetensors").write_bytes(b"short"), "has 5 bytes instead of 5120"),
            (lambda c: (c / "deep" / "state.json").write_text('{"step": 21}'), "other content"),
        ],
    )
    def test_a_broken_one_is_set_aside_and_told(self, run: runlog.RunFolder, harm: object, why: str) -> None:
        good, bad = self.checkpoint(run, 10), self.checkpoint(run, 20)
        assert callable(harm)
        harm(bad)
        looked = runlog.newest_complete(run, set_aside=False)
        assert looked.path == good and bad.is_dir()
        newest = runlog.newest_complete(run)
        assert (newest.path, newest.step) == (good, 10)
        assert len(newest.notices) == 1 and "checkpoint-20 set aside" in newest.notices[0] and why in newest.notices[0]
        assert not bad.exists() and (run.checkpoints / "broken-checkpoint-20-0").is_dir()

    def test_one_that_was_made_elsewhere_is_here_whole_or_not_at_all(
        self, run: runlog.RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        elsewhere = runlog.RunFolder.create(tmp_path / "local")
        old, made = self.checkpoint(run, 10), self.checkpoint(elsewhere, 20, marked=False)
        copy = shutil.copy2
        with monkeypatch.context() as full:
            full.setattr(shutil, "copytree", lambda source, target: (target.mkdir(), copy(source / "x", target)))
            problem = checkpoints.keep_whole(run, made, 1)
        assert problem.startswith("checkpoint-20 is not kept, those before it stay: ") and problem.endswith("/x'")
        assert runlog.newest_complete(run) == runlog.Newest(old, 10, ()), "an old one went before the new one was there"
        assert not checkpoints.keep_whole(run, made, 1)
        kept = run.checkpoints / "checkpoint-20"
        assert runlog.newest_complete(run) == runlog.Newest(kept, 20, ())
        assert list(run.checkpoints.iterdir()) == [kept], "the torn copy was left"
        assert not made.exists()

    def test_of_one_that_goes_nothing_is_left_for_a_trash(
        self, run: runlog.RunFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A mounted Google Drive puts deleted files into its trash, where they count for 30 days."""
        for step in (10, 20, 30):
            self.checkpoint(run, step, marked=False)
        trash: dict[str, int] = {}
        remove = shutil.rmtree

        def into_the_trash(folder: Path, **settings: bool) -> None:
            trash.update({str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*.*")})
            remove(folder, **settings)

        monkeypatch.setattr(shutil, "rmtree", into_the_trash)
        checkpoints.keep_whole(run, run.checkpoints / "checkpoint-30", 2)
        assert sorted(path.name for path in run.checkpoints.iterdir()) == ["checkpoint-20", "checkpoint-30"]
        assert trash == {"adapter.safetensors": 0, "deep/state.json": 0}
        checkpoints.keep_whole(run, run.checkpoints / "checkpoint-30", None)
        assert len(list(run.checkpoints.iterdir())) == 2

    def test_two_broken_ones_of_one_step_are_both_kept(self, run: runlog.RunFolder) -> None:
        for _ in range(2):
            self.checkpoint(run, 5, marked=False)
            runlog.newest_complete(run)
        assert sorted(path.name for path in run.checkpoints.iterdir()) == [
            "broken-checkpoint-5-0",
            "broken-checkpoint-5-1",
        ]

    def test_the_marker_names_step_recipe_and_every_file(self, run: runlog.RunFolder) -> None:
        run.recipe.write_text("model: {}\n")
        marker = json.loads((self.checkpoint(run, 3) / "COMPLETE.json").read_text())
        assert marker["step"] == 3 and marker["recipe_sha256"] == run.recipe_digest() != ""
        assert set(marker["files"]) == {"adapter.safetensors", "deep/state.json"}

    def test_another_folder_is_no_checkpoint(self, run: runlog.RunFolder) -> None:
        with pytest.raises(RunLogError, match="checkpoint-<step>"):
            runlog.mark_complete(run, run.adapter)


def hold(path: str) -> None:
    lock.FolderLock(Path(path)).acquire()
    print("held", flush=True)
    time.sleep(60)


class TestLock:
    def test_a_live_holder_keeps_others_out(self, run: runlog.RunFolder) -> None:
        with run.lock(), pytest.raises(RunLogError, match=f"in use by process {os.getpid()} .*train.lock"):
            run.lock().acquire()
        with run.lock():
            pass
        assert not list(run.path.glob("*.lock"))

    def test_names_do_not_collide(self, run: runlog.RunFolder) -> None:
        with run.lock(), run.lock("evaluate"):
            pass

    @pytest.mark.parametrize("reaped", [True, False])
    def test_a_killed_holder_is_taken_over(self, run: runlog.RunFolder, reaped: bool) -> None:
        path = run.path / "train.lock"
        process = multiprocessing.get_context("fork").Process(target=hold, args=(str(path),))
        process.start()
        while not path.exists() or not path.read_bytes():
            time.sleep(0.01)
        with pytest.raises(RunLogError, match=f"process {process.pid} "):
            run.lock().acquire()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        while not reaped and Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        if reaped:
            process.join()
        with run.lock():
            assert json.loads(path.read_text())["pid"] == os.getpid()
        process.join()

    def test_a_reused_process_number_is_not_the_holder(self, run: runlog.RunFolder) -> None:
        held = run.lock().acquire()
        holder = json.loads(held.path.read_text())
        held.path.write_text(json.dumps(holder | {"born": "1"}))
        with run.lock():
            pass

    def test_a_holder_from_before_a_reboot_is_gone(self, run: runlog.RunFolder) -> None:
        held = run.lock().acquire()
        holder = json.loads(held.path.read_text())
        held.path.write_text(json.dumps(holder | {"boot": "another"}))
        with run.lock():
            pass

    def test_another_machine_is_judged_by_its_heartbeat(self, run: runlog.RunFolder) -> None:
        held = run.lock().acquire()
        holder = json.loads(held.path.read_text())
        held.path.write_text(json.dumps(holder | {"host": "elsewhere", "pid": 1}))
        with pytest.raises(RunLogError, match="on elsewhere"):
            run.lock().acquire()
        past = time.time() - 601
        os.utime(held.path, (past, past))
        with run.lock():
            pass

    def test_the_heartbeat_beats(self, run: runlog.RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "HEARTBEAT_S", 0.02)
        path = run.path / "train.lock"
        with run.lock():
            os.utime(path, (0, 0))
            until = time.monotonic() + 60
            while not path.stat().st_mtime and time.monotonic() < until:
                time.sleep(0.01)
            assert path.stat().st_mtime > 0

    def test_release_leaves_somebody_elses_lock(self, run: runlog.RunFolder) -> None:
        held = run.lock().acquire()
        held.path.write_text(json.dumps(json.loads(held.path.read_text()) | {"token": "other"}))
        held.release()
        assert held.path.exists()


def test_importing_the_run_log_loads_no_heavy_library() -> None:
    code = "import socialr1_lite.runlog, sys; print({'torch', 'transformers', 'trl', 'gradio', 'datasets'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


class TestLostLaunches:
    """segments.jsonl can be lost, cut or mistyped: the rows themselves tell which of them were made again."""

    @pytest.fixture
    def lost(self, resumed: runlog.RunFolder, request: pytest.FixtureRequest) -> runlog.RunFolder:
        text = resumed.launches_file.read_bytes()
        if request.param == "gone":
            resumed.launches_file.unlink()
        elif request.param == "cut":
            resumed.launches_file.write_bytes(text[:-20])
        else:
            rows = [json.loads(line) for line in text.splitlines()]
            rows[-1] |= {"segment": "1"}
            resumed.launches_file.write_bytes(lines.encode(rows))
        return resumed

    @pytest.mark.parametrize("lost", ["gone", "cut", "mistyped"], indirect=True)
    def test_no_completion_counts_twice(self, lost: runlog.RunFolder, tmp_path: Path) -> None:
        trained = [(row.step, row.completion.text) for row in runlog.read_traces(lost) if row.phase == "train"]
        assert trained == [*((step, "first") for step in range(4)), *((step, "second") for step in range(4, 9))]
        with runlog.TraceIndex(lost, cache=tmp_path / "cache") as index:
            index.refresh()
            assert index.count({"phase": "train"}) == len(trained)
        assert [row["step"] for row in runlog.read_metrics(lost)] == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("command", [True, 1.5, {"a": 1}, "train", None])
    def test_a_command_of_another_type_is_none(self, resumed: runlog.RunFolder, command: object) -> None:
        rows = [json.loads(line) | {"command": command} for line in resumed.launches_file.read_bytes().splitlines()]
        resumed.launches_file.write_bytes(lines.encode(rows))
        assert [one.command for one in resumed.launches()] == [()] * len(rows)

    @pytest.mark.parametrize("lost", ["gone", "cut", "mistyped"], indirect=True)
    def test_the_next_launch_gets_a_number_of_its_own(self, lost: runlog.RunFolder) -> None:
        number = lost.begin_launch(6, ["train"])
        assert number == 2
        with runlog.TraceWriter(lost, launch=number) as writer:
            writer.write([trace(6, completion="third")])
        trained = [(row.step, row.completion.text) for row in runlog.read_traces(lost) if row.phase == "train"]
        assert trained[-3:] == [(4, "second"), (5, "second"), (6, "third")]
