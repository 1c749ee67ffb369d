"""Our scorers beside the authors' own: the same replies, the values that their code gave (authors/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Ask, Item, Scores, answers_to, display

AUTHORS = Path(__file__).parent / "authors"
FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"
FILES = sorted(path.stem for path in AUTHORS.glob("*.jsonl"))
NAMED = {"tombench-en": "tombench", "tombench-zh": "tombench"}
Row = dict[str, Any]


def rows(stem: str) -> list[Row]:
    return [json.loads(line) for line in (AUTHORS / f"{stem}.jsonl").read_text("utf-8").splitlines()]


def shown(name: str, items: dict[str, Item], row: Row) -> list[Ask]:
    """The item as the authors' code had it: in the row's order, in one of MotiveBench's, or in the file's."""
    bench = BENCHMARKS[name]
    if "view" in row:
        return [one for one in bench.asks([items[row["item"]]], 0, True) if one.view == row["view"]]
    if "orders" in row:
        return [display(items[row["item"]], order, f"s{n}") for n, order in enumerate(row["orders"])]
    if name == "emobench":
        made = [item for key, item in items.items() if key.startswith(row["item"])]
        return bench.asks(made, 0, True)
    item = items[row["item"]]
    return [display(item, row.get("order") or range(len(item.scenario.options)))]


def ours(name: str, items: dict[str, Item], row: Row) -> float:
    """What our scorer counts for the row: the value of the one thing in it."""
    bench = BENCHMARKS[name]
    asks, replies = shown(name, items, row), row.get("replies", [row["reply"]])
    answers = []
    for ask, reply in zip(asks, replies, strict=True):
        opened = "</think>" in reply and "<think>" not in reply  # as `mark_opened` finds out
        answers += answers_to(bench, ask, reply, official=True, cot=row["cot"], prefilled=opened)
    return _only(bench.score(answers))


def _only(scores: Scores) -> float:
    """The value of the single unit that was scored."""
    values = {
        one.value
        for metric, tally in scores.metrics.items()
        if "alone" not in metric and "single" not in metric
        for one in tally.units
    }
    assert len(values) == 1, scores.metrics
    return values.pop()


@pytest.mark.parametrize("stem", FILES)
def test_our_scorer_gives_the_authors_values(stem: str) -> None:
    name = NAMED.get(stem, stem)
    items = {item.scenario.id: item for item in BENCHMARKS[name].load(FIXTURES).items}
    wrong = []
    for row in rows(stem):
        expected = row.get("ours", row.get("answer", row["theirs"]))
        if ours(name, items, row) != pytest.approx(0.0 if expected == "error" else expected):
            wrong.append((row["item"], row["reply"], expected, ours(name, items, row)))
    assert wrong == []


@pytest.mark.parametrize("stem", FILES)
def test_a_table_is_long_enough_and_has_right_and_wrong_and_thinking_replies(stem: str) -> None:
    found = rows(stem)
    assert len(found) >= 40
    assert {0.0, 1.0} <= {row["theirs"] for row in found if row["theirs"] != "error"}
    thinking = [row for row in found if "answer" in row]
    assert len(thinking) >= 8 and any(row["answer"] != row["theirs"] for row in thinking)


def test_thinking_is_taken_out_as_tactfultoms_authors_do_for_reasoning_models() -> None:
    closed = [row for row in rows("tactfultom") if "theirs_of_reasoners" in row]
    assert len(closed) >= 8
    assert [row["answer"] for row in closed] == [row["theirs_of_reasoners"] for row in closed]


def test_where_we_read_hi_tom_otherwise_than_its_authors_on_purpose_is_marked_and_why() -> None:
    marked = [row for stem in FILES for row in rows(stem) if "ours" in row]
    assert {row["item"].partition("/")[0] for row in marked} == {"hi-tom"} and len(marked) == 11
    assert all(row["ours"] != row.get("answer", row["theirs"]) for row in marked)
    assert {row["why"] for row in marked} == {"explained", "two", "denied"}


def test_what_hi_toms_reader_of_gpt_4_counts_right_is_right_here_too() -> None:
    """It takes the first line, if that is a letter and a text, and leaves any other reply out."""
    items = {item.scenario.id: item for item in BENCHMARKS["hi-tom"].load(FIXTURES).items}
    counted = [row for row in rows("hi-tom") if row["theirs_of_gpt_4"] == 1.0 and "answer" not in row]
    odd = {row["reply"] for row in counted if ours("hi-tom", items, row) != 1.0}
    assert len(counted) >= 8 and odd == {"B. red_box", "A. blue_crate"}  # one's letter and another's text
