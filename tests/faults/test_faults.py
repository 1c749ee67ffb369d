"""What the trials of `python -m tests.faults` rest on: damages that damage, verdicts that can be wrong."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pytest

from tests.faults import __main__ as faults
from tests.faults import harness, kills, mutations
from tests.faults.harness import Cut, Ended

CALM = {"adapter": b"a", "state": ("completed", 4), "metrics": [1], "completions": [], "best": []}
FILES = {
    "one.json": b'{"status": "running", "step": 2}',
    "rows.jsonl": b'{"a": 1}\n{"a": 2}\n{"a": 3}\n',
    "weights.bin": bytes(range(256)),
    "plain.yaml": b"run:\n  name: x\n",
}


@pytest.mark.parametrize("piece", FILES)
@pytest.mark.parametrize("way", mutations.WAYS)
def test_each_way_damages_and_the_piece_can_be_put_back(piece: str, way: str, tmp_path: Path) -> None:
    base, folder = tmp_path / "base", tmp_path / "run"
    base.mkdir()
    for name, content in FILES.items():
        (base / name).write_bytes(content)
    assert mutations.pieces(base) == sorted(FILES)
    for seed in range(20):
        harness.copied(base, folder)
        mutations.damage(folder, piece, way, seed)
        path = folder / piece
        if way == mutations.GONE:
            assert not path.exists()
        elif way == mutations.FOLDER:
            assert path.is_dir()
        else:
            assert path.read_bytes() != FILES[piece]
        assert all((folder / name).read_bytes() == content for name, content in FILES.items() if name != piece)
        mutations.put_back(base, folder, piece)
        assert path.read_bytes() == FILES[piece]


@pytest.mark.parametrize(
    ("content", "idle"), [(b"", {"cut", "doubled", "emptied"}), (b"x", {"cut"}), (b"xy", set()), (b"{}\n", set())]
)
def test_a_way_that_would_leave_a_piece_as_it_was_is_not_tried(content: bytes, idle: set[str], tmp_path: Path) -> None:
    (tmp_path / "piece").write_bytes(content)
    assert set(mutations.WAYS) - set(mutations.ways(tmp_path, "piece")) == idle


def test_a_value_of_another_type_leaves_json_that_can_be_read() -> None:
    for seed in range(50):
        changed = mutations.of_another_type(FILES["rows.jsonl"], random.Random(seed)).splitlines()
        assert len(changed) == 3 and sum(line not in FILES["rows.jsonl"].splitlines() for line in changed) == 1
        assert all(json.loads(line) is not Ellipsis for line in changed)


def test_plans_of_kills_are_the_same_again_and_meet_everything() -> None:
    calm = kills.Calm({}, Ended(0, (), 5.0), 100)
    plans = [kills.plan(seed, calm) for seed in range(60)]
    assert plans == [kills.plan(seed, calm) for seed in range(60)]
    cuts = [cut for plan in plans for cut in plan]
    assert {cut.signal for cut in cuts} == set(kills.SIGNALS)
    assert all((0 < cut.seconds <= 5) != (1 <= cut.change <= 100) for cut in cuts)
    assert {len(plan) for plan in plans} == {1, 2, 3} and len({bool(cut.change) for cut in cuts}) == 2


@pytest.mark.parametrize(
    ("number", "status", "hit"),
    [(signal.SIGKILL, -9, True), (signal.SIGINT, 130, True), (signal.SIGINT, 1, False), (signal.SIGTERM, 2, False)],
)
def test_a_launch_was_cut_off_only_by_its_own_signal(number: signal.Signals, status: int, hit: bool) -> None:
    assert kills.was_cut(Ended(status, (), 1.0), Cut(number, change=3)) is hit


@pytest.mark.parametrize(
    ("ended", "found", "kind"),
    [
        (Ended(0, ("4 steps",), 1), {}, "recovered"),
        (Ended(0, ("4 steps", "a shard was cut"), 1), {"metrics": []}, "recovered"),  # it is told
        (Ended(0, ("7 steps",), 1), {"metrics": []}, "wrong"),  # other numbers tell nothing
        (Ended(0, ("a shard was cut",), 1), {"adapter": b"b"}, "wrong"),
        (Ended(0, ("a shard was cut",), 1), {"state": ("running", 3)}, "wrong"),
        (Ended(2, ("error: state.json: cannot be read; put it back",), 1), {}, "refused"),
        (Ended(2, ("error: one", "error: two"), 1), {}, "wrong"),
        (Ended(2, (), 1), {}, "wrong"),
        (Ended(1, ("Traceback (most recent call last):", "KeyError: 1"), 1), {}, "wrong"),
        (Ended(0, ("Traceback (most recent call last):",), 1), {}, "wrong"),
        (Ended(-11, (), 1), {}, "wrong"),
    ],
)
def test_a_verdict(ended: Ended, found: dict, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "facts", lambda _: CALM | found)
    assert mutations.judged("x", ended, Path("x"), CALM, Ended(0, ("4 steps",), 1)).kind == kind


def test_the_table_counts_what_was_tried_and_ends_with_1_where_anything_was_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = [("killed", 1, "recovered", ""), ("killed", 0, "recovered", ""), ("damaged", 0, "refused", "")]
    assert faults.table(good) == 0
    assert "| killed | 1 | 1 | 0 | 0 |\n| damaged | 1 | 0 | 1 | 0 |\n1 launches" in capsys.readouterr().out
    assert faults.table([*good, ("damaged", 0, "wrong", "seed 3")]) == 1
    assert "WRONG damaged: seed 3" in capsys.readouterr().out
    assert faults.table([]) == 1


def test_trials_beside_each_other_are_all_found_and_one_that_breaks_is_wrong() -> None:
    def broken() -> faults.Found:
        raise KeyError("x")

    trials = [lambda place=place: ("row", place, "recovered", "x" * 9999) for place in range(7)]
    assert sorted(found[1] for found in faults.beside(trials, 3)) == list(range(7))
    (only,) = faults.beside([broken], 1)
    assert only[2] == "wrong" and "KeyError" in only[3]
    every = list(faults.beside([broken, broken, *trials], 2))  # of both workers, none glued to another's
    assert [found[2] for found in every] == ["wrong", "wrong"]


@pytest.mark.parametrize("held", [b"", b"{} {}", b"[]", b'{"r": 1}', b'{"target_modules": 3}', b"\xff"])
def test_a_damaged_file_of_settings_is_compared_as_it_is(tmp_path: Path, held: bytes) -> None:
    path = tmp_path / "adapter_config.json"
    path.write_bytes(held)
    assert harness._plainly(path) == held
