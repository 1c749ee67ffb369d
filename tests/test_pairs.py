"""Preference pairs: every kind is what it says, nothing but the story tells the sides apart, any file of the schema loads."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.pairs import KINDS, Pair, make_pairs, read_pairs, write_pairs
from socialr1_lite.pairs.__main__ import main
from socialr1_lite.pairs.audit import audit
from socialr1_lite.pairs.corrupt import BALANCED
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.stories import generate
from tests.conftest import SCENARIO

ROW: dict[str, Any] = {
    "scenario": {"story": "Mara left.", "question": "Who left?", "options": ["Mara", "Tomas"], "gold": "A"},
    "stage": "cue_encoding",
    "chosen": "Mara left.",
    "rejected": "Tomas left.",
}


@cache
def pairs() -> tuple[Pair, ...]:
    return tuple(make_pairs(260))


def by_kind(kind: str) -> list[Pair]:
    return [pair for pair in pairs() if pair.kind == kind]


def test_every_kind_is_made_and_balanced_kinds_equally_often() -> None:
    made = Counter(pair.kind for pair in pairs())
    assert set(made) == set(KINDS) and min(made.values()) >= 10
    assert all(made[one] == made[other] for one, other in BALANCED)
    assert all(pair.stage == KINDS[pair.kind][0] and pair.stage not in pair.context for pair in pairs())


def test_the_same_seed_makes_the_same_pairs_and_another_one_others() -> None:
    assert make_pairs(60) == make_pairs(60) != make_pairs(60, seed=12)


def test_train_and_test_share_no_name() -> None:
    train = {word for pair in make_pairs(60) for word in pair.scenario.facts.people}  # type: ignore[union-attr]
    test = {word for pair in make_pairs(60, split="test") for word in pair.scenario.facts.people}  # type: ignore[union-attr]
    assert train and test and not train & test


@pytest.mark.parametrize("kind", [k for k in KINDS if "order" not in k and "back-filling" not in k])
def test_the_facts_judge_finds_the_chosen_text_no_worse(kind: str) -> None:
    """The world knows which side is right; kinds that are about depth and direction it cannot all tell."""
    judge, scored = FactsJudge(), []
    for pair in by_kind(kind):
        told = []
        for text in (pair.chosen, pair.rejected):
            stages = {**pair.context, pair.stage: text}
            reply = parse(reply_text({stage: stages[stage] for stage in STAGES}, pair.answer), pair.scenario.options)
            told.append(judge.judge([reply], pair.scenario)[0].scores[pair.stage] or 0.0)
        scored.append(told[0] - told[1])
    assert sum(one > 0 for one in scored) >= 0.8 * len(scored), scored


def test_back_filling_has_the_same_words_in_another_order() -> None:
    for pair in by_kind("option-driven back-filling"):
        sides = [sorted(side.lower().replace(",", "").replace(".", "").replace(";", "").split())
                 for side in (pair.chosen, pair.rejected)]  # fmt: skip
        assert sides[0] == sides[1] and pair.chosen != pair.rejected


def test_length_and_words_alone_tell_little() -> None:
    length, words = audit(make_pairs(650))
    assert abs(length.right.value - 0.5) < 0.06 and words.right.value < 0.6
    assert not length.works and not words.works


def test_the_audit_sees_what_gives_pairs_away() -> None:
    longer = [replace(pair, chosen=f"{pair.rejected} and more") for pair in pairs()]
    length, words = audit(longer)
    assert length.works and length.right.value == 1.0
    assert words.works and words.right.value > 0.95


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
    ("change", "told"),
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
def test_a_wrong_row_is_named(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{json.dumps(ROW | change)}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"pairs\.jsonl:2: .*{told}"):
        read_pairs(path)


@pytest.mark.parametrize(("text", "told"), [("{", "not JSON"), ("", "holds no pair"), ("[" * 100000, "not JSON")])
def test_a_file_that_is_none_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_pairs(path)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    assert main(["--n", "390", "-o", str(path)]) == 0
    assert main(["audit", str(path)]) == 0
    assert "bag of words: " in capsys.readouterr().out
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row | {"chosen": row["rejected"] + " yes"}) + "\n" for row in rows))
    assert main(["audit", str(path)]) == 1
    with pytest.raises(DataError, match="--n 0"):
        main(["--n", "0", "-o", str(path)])


def test_scenarios_without_facts_make_no_pairs() -> None:
    from socialr1_lite.pairs.corrupt import _of

    bare = replace(SCENARIO, facts=None)
    assert not list(_of(bare, next(iter(generate(1))), 1))
