"""Judges held to pairs, and the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.judges import Verdict
from socialr1_lite.pairs.__main__ import main
from socialr1_lite.pairs.ranking import accuracies, pair_scores
from socialr1_lite.pairs.record import read_pair
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply
from tests.pairs.examples import ROW


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    assert main(["--n", "1600", "-o", str(path)]) == 0
    assert main(["audit", str(path)]) == 0
    assert "bag of words: " in capsys.readouterr().out
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row | {"chosen": row["rejected"] + " yes"}) + "\n" for row in rows))
    assert main(["audit", str(path)]) == 1
    with pytest.raises(DataError, match="--n 0"):
        main(["--n", "0", "-o", str(path)])


def test_a_judge_is_held_to_pairs_by_stage_and_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Says:
        name = "says"

        def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
            return [Verdict({STAGES[0]: float("Mara" in one.stage_text(STAGES[0])), STAGES[1]: 0.5}) for one in replies]

    read = [read_pair(ROW | change, "here") for change in (
        {"kind": "a"}, {"kind": "a", "chosen": "Tomas left.", "rejected": "Mara left."},
        {"kind": "b", "stage": STAGES[1], "context": {STAGES[0]: "Tomas left."}}, {"kind": "c", "stage": STAGES[2]},
    )]  # fmt: skip
    scores = pair_scores(read, Says())
    assert scores == [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), None]
    found = {one.label: (one.n, one.found.value, one.tied) for one in accuracies(read, scores)}
    assert found["a"] == found[f"stage {STAGES[0]}"] == (2, 0.5, 0.0)
    assert found["b"] == (1, 0.0, 1.0) and found["all pairs"] == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert "c" not in found

    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    assert main(["rank", str(path), "--judge", "rules"]) == 0
    assert capsys.readouterr().out.startswith("all pairs ")
    with pytest.raises(DataError, match="facts can score none"):
        main(["rank", str(path), "--judge", "facts"])
