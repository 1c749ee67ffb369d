"""The best adapter: which check wins, and what a resume that goes back finds of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import BestAdapter, CheckScore, RunFolder
from socialr1_lite.runlog.best import best_of


def scored(step: int, accuracy: float) -> CheckScore:
    return CheckScore(step, f"step {step}", accuracy, accuracy - 0.1, accuracy + 0.1, 10)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


class Trained:
    """A run's checks and checkpoints as training makes them; the adapter of a step holds the step's number."""

    def __init__(self, run: RunFolder) -> None:
        self.run, self.best, self.checks = run, BestAdapter(run), []

    def check(self, step: int, accuracy: float) -> None:
        now = scored(step, accuracy)
        self.best.update(now, self.checks, lambda folder: self.save(folder, step))
        self.checks.append(now)
        self.best.record(self.checks)

    def save(self, folder: Path, step: int) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "weights").write_text(str(step))

    def checkpoint(self, step: int, limit: int = 2) -> None:
        (self.run.checkpoints / f"checkpoint-{step}").mkdir(exist_ok=True)
        for old in self.checkpoints()[:-limit]:
            (self.run.checkpoints / f"checkpoint-{old}").rmdir()
        self.best.prune()

    def resume(self, step: int) -> None:
        self.best.drop_after(step)
        self.checks = [one for one in self.checks if one.step <= step]
        self.best.record(self.checks)

    def checkpoints(self) -> list[int]:
        return sorted(int(path.name.split("-")[1]) for path in self.run.checkpoints.glob("checkpoint-*"))

    def kept(self) -> list[int]:
        return sorted(int(path.name.split("-")[1]) for path in (self.run.path / "best").glob("step-*"))


def test_the_most_accurate_check_wins_and_of_equals_the_earliest() -> None:
    assert best_of([scored(2, 0.4), scored(4, 0.6), scored(6, 0.6), scored(8, 0.5)]) == scored(4, 0.6)
    assert best_of([scored(6, 0.6), scored(4, 0.6)]) == scored(4, 0.6)


def test_a_check_before_the_first_step_has_no_adapter_to_keep() -> None:
    assert best_of([scored(0, 0.9), scored(2, 0.1)]) == scored(2, 0.1)
    assert best_of([scored(0, 0.9)]) is None


def test_the_record_names_step_accuracy_interval_n_and_folder(run: RunFolder) -> None:
    Trained(run).check(4, 0.5)
    assert BestAdapter(run).read() == (CheckScore(4, "step 4", 0.5, 0.4, 0.6, 10), run.path / "best" / "step-4")


def test_there_is_none_before_the_first_check(run: RunFolder) -> None:
    assert BestAdapter(run).read() is None
    assert BestAdapter(run).record([]) is None


def test_an_equal_or_worse_check_keeps_nothing(run: RunFolder) -> None:
    training = Trained(run)
    for step, accuracy in ((2, 0.5), (4, 0.5), (6, 0.4)):
        training.check(step, accuracy)
    assert training.kept() == [2]


def test_going_back_finds_the_best_of_the_history_that_is_left(run: RunFolder) -> None:
    training = Trained(run)
    training.check(2, 0.5)
    training.checkpoint(2)
    training.check(4, 0.9)  # killed before checkpoint 4 is whole
    training.resume(2)
    assert training.kept() == [2]
    assert training.best.read()[0] == scored(2, 0.5)
    training.check(4, 0.3)  # on a GPU the steps need not come out the same
    assert training.best.read()[0] == scored(2, 0.5)


def test_going_back_before_the_first_check_leaves_no_best(run: RunFolder) -> None:
    training = Trained(run)
    training.check(4, 0.9)
    training.resume(2)
    assert training.kept() == [] and training.best.read() is None


def test_an_adapter_goes_once_no_checkpoint_lies_before_its_better(run: RunFolder) -> None:
    training = Trained(run)
    training.check(2, 0.5)
    training.checkpoint(2)
    training.check(4, 0.9)
    training.checkpoint(4)
    assert training.kept() == [2, 4]  # checkpoint 4 may yet prove broken
    training.checkpoint(6)  # 2 is cleared
    assert training.kept() == [4]


def test_the_best_outlives_its_checkpoint(run: RunFolder) -> None:
    training = Trained(run)
    training.check(2, 0.9)
    for step in (2, 4, 6, 8):
        training.checkpoint(step)
    assert not (run.checkpoints / "checkpoint-2").exists()
    assert (training.best.read()[1] / "weights").read_text() == "2"


def test_at_the_end_only_the_best_stays(run: RunFolder) -> None:
    training = Trained(run)
    for step, accuracy in ((2, 0.1), (4, 0.2), (6, 0.15)):
        training.check(step, accuracy)
    training.best.drop_others(scored(4, 0.2))
    assert training.kept() == [4]


def test_a_best_without_an_adapter_is_not_named(run: RunFolder) -> None:
    training = Trained(run)
    training.check(2, 0.5)
    assert BestAdapter(run).record([scored(2, 0.5), scored(4, 0.9)]) is None  # of a version that kept none
    assert BestAdapter(run).read() is None


def test_a_broken_record_is_one_clear_error(run: RunFolder) -> None:
    Trained(run).check(2, 0.5)
    (run.path / "best" / "best.json").write_text('{"version": 1, "step"')
    with pytest.raises(RunLogError, match=r"best\.json cannot be read"):
        BestAdapter(run).read()


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 1)), max_size=4),
)
@settings(max_examples=15)
def test_whatever_is_killed_the_best_is_that_of_the_surviving_history(
    tmp_path_factory: pytest.TempPathFactory, accuracies: list[int], kills: list[tuple[int, int]]
) -> None:
    training = Trained(RunFolder.create(tmp_path_factory.mktemp("best") / "run"))
    pending, step = dict(kills), 0
    while step < len(accuracies):
        step += 1
        training.check(step, accuracies[step - 1] / 4)
        if (broken := pending.pop(step - 1, None)) is None:
            training.checkpoint(step)
        else:  # killed before this step's checkpoint; the one before it may prove broken too
            whole = training.checkpoints()
            for old in whole[len(whole) - broken :]:
                (training.run.checkpoints / f"checkpoint-{old}").rename(
                    training.run.checkpoints / f"broken-checkpoint-{old}-0"
                )
            step = max([0, *training.checkpoints()])
            training.resume(step)
        found = training.best.read()
        assert (found and found[0]) == best_of(training.checks)
        assert found is None or (found[1] / "weights").read_text() == str(found[0].step)
