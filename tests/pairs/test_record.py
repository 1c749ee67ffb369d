"""The file of pairs: any file of the schema loads, and a wrong row is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.pairs import read_pairs, write_pairs
from tests.pairs.examples import ROW, pairs


def test_pairs_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    assert write_pairs(path, pairs()) == len(pairs())
    read = read_pairs(path)
    assert [(one.chosen, one.rejected, one.kind, one.context, one.answer) for one in read] == [
        (one.chosen, one.rejected, one.kind, one.context, one.answer) for one in pairs()
    ]
    assert all(one.scenario.facts is None and one.scenario.story for one in read)
    assert list(tmp_path.iterdir()) == [path]


def test_a_foreign_file_needs_only_four_fields(tmp_path: Path) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_text(json.dumps(ROW) + "\n\n", encoding="utf-8")
    (pair,) = read_pairs(path)
    assert (pair.scenario.gold, pair.chosen, pair.kind, pair.source) == ((0,), "Mara left.", "", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage": "cues"}, "stage 'cues'; allowed: cue_encoding"),
        ({"chosen": " "}, "chosen must be text"),
        ({"rejected": 3}, "rejected must be text"),
        ({"rejected": "Mara left. "}, "the same text"),
        ({"scenario": "Mara left."}, "needs an object"),
        ({"scenario": {"story": "x", "options": ["a"]}}, "scenario: .*1 options"),
        ({"context": {"cues": "x"}}, "context"),
        ({"version": 2}, "version 2; this code reads 1"),
    ],
)
def test_a_wrong_row_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{json.dumps(ROW | change)}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"pairs\.jsonl:2: .*{message}"):
        read_pairs(path)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("", "holds no pair"), ("[" * 100000, "not JSON")])
def test_a_file_that_is_none_is_told(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_pairs(path)
