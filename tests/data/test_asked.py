"""A resume asks what the run has asked: stories and order are the run's own, changed rows are refused with what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import stories
from socialr1_lite.data import asked, order
from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import MetricsWriter, RunFolder
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import folder


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "story": f"S{number}.", "question": "Q?", "options": ["a", "b"], "gold": 0} | changes


def recipe(**data: Any) -> Recipe:
    grpo = {"max_steps": 4, "num_generations": 2, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
    return Recipe.model_validate(
        {"data": {"heldout": 2, "size": 6} | data, "evaluation": {"items": data.get("heldout", 2)}, "grpo": grpo}
    )


def launch(run: RunFolder, one: Recipe) -> list[str]:
    """What a launch does around its questions; return the order in which it asks."""
    training, heldout = asked.questions(run, one)
    if begun := folder.holds_work(run):
        asked.refuse_others(run, one, (training, heldout))
    folder.write_recipe(run, one, [*training, *heldout])
    asked.keep(run, one, (training, heldout), training, begun=begun)
    return [scenario.id for scenario in asked.planned(run, one, training)]


def worked(run: RunFolder) -> None:
    MetricsWriter(run).write(1, {"loss": 0.1})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return str(path)


ROWS = [row(n) for n in range(12)]


def first_trained(run: RunFolder) -> str:
    return next(run.read_scenarios()).id


@pytest.mark.parametrize("older", [False, True], ids=["", "begun before the order was kept"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[1:], r"1 gone \(first: r0\)"),
        (lambda rows: [*rows[:5], row(99), *rows[5:]], r"new \(first: "),
        (lambda rows: [rows[1], rows[0], *rows[2:]], r"2 moved \(first: r0\)"),
        (lambda rows: [*rows[:7], row(7, gold=1), *rows[8:]], r"1 changed \(first: r7\)"),
        (lambda rows: [*rows[2:], row(50), row(51)], r"2 gone \(first: r0\); 2 new \(first: r50\)"),
    ],
)  # fmt: skip
def test_a_data_file_that_was_changed_is_refused_with_what_differs(
    run: RunFolder, tmp_path: Path, change: Any, told: str, older: bool
) -> None:
    none_held_out = {"heldout": 0}
    one = recipe(source=write(tmp_path / "mine.jsonl", ROWS), **none_held_out)
    planned = launch(run, one)
    worked(run)
    if older:
        (run.path / asked.ORDER).unlink()
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    write(tmp_path / "mine.jsonl", change(ROWS))
    with pytest.raises(RunLogError, match=told) as caught:
        launch(run, one)
    assert "run.name=ANOTHER" in str(caught.value) and "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    write(tmp_path / "mine.jsonl", ROWS)
    assert launch(run, one) == planned


def test_held_out_rows_must_be_the_same_too(run: RunFolder, tmp_path: Path) -> None:
    one = recipe(source=write(tmp_path / "mine.jsonl", ROWS))
    launch(run, one)
    worked(run)
    held = [scenario.id for scenario in asked.questions(run, one)[1]]
    assert len(held) == 2
    write(tmp_path / "mine.jsonl", [one | {"question": "Why?"} if one["id"] == held[1] else one for one in ROWS])
    with pytest.raises(RunLogError, match=rf"1 changed \(first: {held[1]}\)"):
        launch(run, one)


def test_before_any_work_another_file_takes_its_place(run: RunFolder, tmp_path: Path) -> None:
    one = recipe(source=write(tmp_path / "mine.jsonl", ROWS))
    launch(run, one)
    write(tmp_path / "mine.jsonl", [row(n, question="Why?") for n in range(3, 12)])
    planned = launch(run, one)
    worked(run)
    assert launch(run, one) == planned and "r0" not in planned


@pytest.mark.parametrize("older", [False, True])
def test_stories_are_the_run_s_own_whatever_the_engine_makes_now(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    one = recipe()
    planned, told = launch(run, one), asked.questions(run, one)
    worked(run)
    if older:
        (run.path / asked.ORDER).unlink()

    def another(count: int, **_: Any) -> list[Scenario]:
        return [Scenario(id=f"new/{n}", story="S.", question="Q?", options=("a", "b"), gold=(0,)) for n in range(count)]

    monkeypatch.setattr(stories, "generate", another)
    assert asked.questions(run, one) == told and launch(run, one) == planned
    assert not any(scenario.id.startswith("new/") for scenario in run.read_scenarios())
    fresh = RunFolder.create(run.path.parent / "fresh")
    assert launch(fresh, one)[0].startswith("new/")


def test_a_stored_row_that_was_garbled_is_made_again_and_kept(run: RunFolder) -> None:
    one = recipe()
    planned = launch(run, one)
    worked(run)
    lines = run.scenarios.read_bytes().splitlines(keepends=True)
    run.scenarios.write_bytes(b"".join([*lines[:2], b"garbled\n", *lines[3:]]))
    for _ in range(3):
        assert launch(run, one) == planned


def test_of_mixed_sources_the_stories_are_the_run_s_own(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS)
    one = recipe(sources=[{"source": "stories", "share": 1}, {"source": path, "share": 1}])
    planned, told = launch(run, one), asked.questions(run, one)
    worked(run)
    real = stories.generate
    monkeypatch.setattr(stories, "generate", lambda count, seed, **how: real(count, seed=seed + 1, **how))
    assert asked.questions(run, one) == told and launch(run, one) == planned
    write(tmp_path / "mine.jsonl", ROWS[1:])
    with pytest.raises(RunLogError, match=r"mine\.jsonl no longer has the questions"):
        launch(run, one)


def test_the_order_is_the_run_s_own_whatever_a_newer_schedule_would_be(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recipe(source=write(tmp_path / "mine.jsonl", ROWS))
    planned = launch(run, one)
    worked(run)
    monkeypatch.setattr(asked, "schedule", lambda scenarios, recipe: list(reversed(order.schedule(scenarios, recipe))))
    assert launch(run, one) == planned


def test_a_question_that_no_longer_fits_is_told(run: RunFolder, tmp_path: Path) -> None:
    one = recipe(source=write(tmp_path / "mine.jsonl", ROWS))
    launch(run, one)
    training, _ = asked.questions(run, one)
    with pytest.raises(RunLogError, match=rf"1 questions that were asked are too long now \(first: {training[0].id}\)"):
        asked.planned(run, one, training[1:])


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"training": 1, "heldout": 0, "ids": ["a"], "order": [1]}', '{"training": -1, "heldout": 0, "ids": [], "order": []}'])  # fmt: skip
def test_an_order_that_is_damaged_is_one_line(run: RunFolder, tmp_path: Path, content: str) -> None:
    one = recipe(source=write(tmp_path / "mine.jsonl", ROWS))
    launch(run, one)
    worked(run)
    (run.path / asked.ORDER).write_text(content)
    with pytest.raises(RunLogError, match=r"order\.json: (is damaged|cannot be read)") as caught:
        launch(run, one)
    assert "\n" not in str(caught.value)
