"""Many runs in one table: who may be compared with whom, and what is a row."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.errors import DataError
from socialr1_lite.evaluation import leaderboard
from socialr1_lite.runlog import write_json

PROTOCOL = {
    "prompt_style": "sip", "prompt_sha256": "abc", "sampling": {"max_new_tokens": 512, "temperature": 0.0, "samples": 1},
    "questions": "q1", "n": 100, "backend": "transformers",
}  # fmt: skip

GAME = PROTOCOL["sampling"] | {"max_turns": 20, "judge_tokens": 2048, "by_dimension": 0}  # type: ignore[operator]


def evaluated(root: Path, name: str, value: float, benchmark: str = "hi-tom", **said: Any) -> Path:
    """A folder with a report of that headline, in the layout of a model's evaluation."""
    figure = {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 100, "official": False}
    written = {"version": 1, "benchmark": benchmark, "model": "base", "recipe_sha256": "", "adapter_step": None, "seed": 0,
               "headline": "accuracy", "headlines": {"en": "accuracy"}, "metrics": {"accuracy": figure}, "published": []}  # fmt: skip
    folder = root / name / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{benchmark}.json", written | PROTOCOL | said)
    return root / name


def shown(*folders: Path) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, ...]]]:
    """The rows by name, and the protocols."""
    columns = [column for folder in folders for column in leaderboard.columns_in(folder)]
    board, protocols = leaderboard.sections(columns)
    return {row[0]: tuple(row[1:]) for row in board[2]}, list(protocols[2])


def test_figures_of_one_protocol_share_a_letter_and_the_commonest_is_a(tmp_path: Path) -> None:
    evaluated(tmp_path, "one", 0.4, model="m1")
    evaluated(tmp_path, "two", 0.6, model="m2", backend="vllm")  # another engine, the same protocol
    evaluated(tmp_path, "odd", 0.9, model="m3", prompt_style="cot", prompt_sha256="other")
    rows, protocols = shown(tmp_path)
    assert list(rows) == ["two", "one", "odd"]  # by the commonest protocol's figures; 0.9 is another's
    assert rows["two"] == ("a: 0.600 [0.500, 0.700] n=100",) and rows["odd"] == ("b: 0.900 [0.800, 1.000] n=100",)
    assert [row[:2] for row in protocols] == [("hi-tom", "a"), ("hi-tom", "b")]
    assert "transformers, vllm" in protocols[0] and "cot other" in protocols[1]


@pytest.mark.parametrize(
    "said",
    [
        {"questions": "q2"},
        {"sampling": PROTOCOL["sampling"] | {"max_new_tokens": 64}},  # type: ignore[operator]
        {"sampling": PROTOCOL["sampling"] | {"samples": 4}},  # type: ignore[operator]
        {"protocol": "official"},
        {"players": {"judge": "somebody"}},
        {"not_sent": ["temperature"]},
        {"sampling": GAME | {"max_turns": 4}},
        {"sampling": GAME | {"judge_tokens": 64}},
        {"sampling": GAME | {"judge_tokens": 0, "by_dimension": 1}},
    ],
)
def test_whatever_makes_figures_incomparable_has_another_letter(tmp_path: Path, said: dict[str, Any]) -> None:
    known = {"protocol": "own", "not_sent": [], "sampling": GAME}
    evaluated(tmp_path, "one", 0.4, model="m1", **known)
    evaluated(tmp_path, "two", 0.6, model="m2", **known | said)
    rows, protocols = shown(tmp_path)
    assert {cell[0] for row in rows.values() for cell in row} == {"a", "b"} and len(protocols) == 2


def test_a_report_that_leaves_open_what_two_differ_in_joins_neither_whatever_the_order(tmp_path: Path) -> None:
    for name, value, digest in (("1 cot", 0.5, "c"), ("2 plain", 0.4, "p"), ("3 cot", 0.6, "c")):
        evaluated(tmp_path, name, value, model=name, prompt_sha256=digest)
    evaluated(tmp_path, "0 earlier", 0.9, model="0 earlier", prompt_sha256="")  # it does not say which words
    columns = leaderboard.columns_in(tmp_path)
    boards = [leaderboard.sections(list(order)) for order in itertools.permutations(columns)]
    assert all(board == boards[0] for board in boards)
    letters = {row[0]: row[1][0] for row in boards[0][0][2]}
    assert letters == {"1 cot": "a", "3 cot": "a", "0 earlier": "b", "2 plain": "c"}


def test_a_report_that_leaves_something_open_joins_those_that_agree(tmp_path: Path) -> None:
    for name, digest in (("one", "c"), ("two", "c"), ("earlier", ""), ("earlier still", "")):
        evaluated(tmp_path, name, 0.4, model=name, prompt_sha256=digest)
    assert {row[0][0] for row in shown(tmp_path)[0].values()} == {"a"}


def test_runs_that_differ_by_their_seed_are_one_row_with_mean_and_error(tmp_path: Path) -> None:
    for seed, value in ((42, 0.2), (43, 0.4), (44, 0.9)):
        evaluated(
            tmp_path, f"run-{seed}", value, training="t", train_seed=seed, recipe_sha256=f"r{seed}", adapter_step=15
        )
    evaluated(tmp_path, "copy", 0.9, training="t", train_seed=44, recipe_sha256="r44", adapter_step=15)
    evaluated(tmp_path, "earlier step", 0.1, training="t", train_seed=42, recipe_sha256="r42", adapter_step=5)
    rows, _ = shown(tmp_path)
    # .2, .4, .9: mean .5, standard error .208; the copy has seed 44 once more and does not count twice
    assert rows["copy, run-42, run-43 and 1 more"] == ("a: 0.500 ± 0.208 (3 seeds)",)
    assert rows["earlier step"] == ("a: 0.100 [0.000, 0.200] n=100",)


def test_unequal_figures_of_one_seed_are_both_shown(tmp_path: Path) -> None:
    for name, value, seed in (("one", 0.4, 42), ("two", 0.7, 42), ("two again", 0.7, 42)):
        evaluated(tmp_path, name, value, training="t", train_seed=seed, recipe_sha256="r", adapter_step=15)
    shared = "a: 0.400 [0.300, 0.500] n=100 (one), 0.700 [0.600, 0.800] n=100 (two): unequal for one seed"
    assert shown(tmp_path)[0] == {"one, two, two again": (shared,)}
    evaluated(tmp_path, "three", 0.9, training="t", train_seed=43, recipe_sha256="r", adapter_step=15)
    ((cell,),) = shown(tmp_path)[0].values()
    assert cell == shared.replace("n=100 (one)", "n=100 (one), 0.900 [0.800, 1.000] n=100 (three)")


def test_a_model_asked_with_several_seeds_is_one_row(tmp_path: Path) -> None:
    evaluated(tmp_path, "s0", 0.4, seed=0)
    evaluated(tmp_path, "s1", 0.6, seed=1)
    assert shown(tmp_path)[0] == {"s0, s1": ("a: 0.500 ± 0.100 (2 seeds)",)}


def test_runs_of_earlier_versions_stand_alone(tmp_path: Path) -> None:
    for name, value in (("run-1", 0.4), ("run-2", 0.6)):
        evaluated(tmp_path, name, value, recipe_sha256="a recipe", adapter_step=3)
    assert set(shown(tmp_path)[0]) == {"run-1", "run-2"}


def test_one_model_under_two_protocols_has_both_in_its_cell(tmp_path: Path) -> None:
    evaluated(tmp_path, "plain", 0.4)
    evaluated(tmp_path, "cot", 0.6, prompt_style="cot")
    assert shown(tmp_path)[0] == {"cot, plain": ("a: 0.600 [0.500, 0.700] n=100; b: 0.400 [0.300, 0.500] n=100",)}


def test_languages_and_benchmarks_are_columns(tmp_path: Path) -> None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "official": False}
    both = {"en": "accuracy, en", "zh": "accuracy, zh"}
    evaluated(tmp_path, "one", 0.4, "tombench", model="m", headlines=both, headline="accuracy, en",
              metrics={"accuracy, en": figure, "accuracy, zh": figure | {"value": 0.3}})  # fmt: skip
    evaluated(tmp_path, "two", 0.7, "emobench", model="n")
    columns = leaderboard.columns_in(tmp_path)
    assert leaderboard.sections(columns)[0][1] == ("model", "emobench", "tombench (en)", "tombench (zh)")
    rows = shown(tmp_path)[0]
    assert rows["one"][0] == "-" and rows["one"][2].startswith("a: 0.300") and rows["two"][1:] == ("-", "-")


def test_the_command_writes_both_forms_and_escapes_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated(tmp_path / "all", "<b>", 0.4)
    out = tmp_path / "out"
    assert evaluate.main(["leaderboard", str(tmp_path / "all"), "-o", str(out)]) == 0
    assert capsys.readouterr().out == (out / "leaderboard.md").read_text() + "\n"
    assert "&lt;b&gt;" in (out / "leaderboard.html").read_text()


def test_folders_of_all_kinds_are_taken(tmp_path: Path) -> None:
    run, empty = evaluated(tmp_path / "runs", "run", 0.4), tmp_path / "empty"
    (empty / "inner").mkdir(parents=True)
    assert [column.name for column in leaderboard.columns_in(run)] == ["run"]
    assert [column.name for column in leaderboard.columns_in(tmp_path / "runs")] == ["run"]
    (run / "state.json").write_text("{}")  # a run folder has JSON of its own
    assert [column.name for column in leaderboard.columns_in(run)] == ["run"]
    with pytest.raises(DataError, match="no such folder"):
        leaderboard.columns_in(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no evaluation reports there"):
        leaderboard.columns_in(empty)
