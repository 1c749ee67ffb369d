"""Near-duplicates between training rows and evaluation questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.data.__main__ import main
from socialr1_lite.data.near import grams, near_duplicates
from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scenario

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"
STORY = (
    "Ida puts the blue kite on the high shelf and goes to buy bread at the market. While she is away, her brother "
    "Jon takes the kite down and hides it under the stairs, because he wants to paint it before her birthday."
)


def made(name: str, story: str, question: str = "Where will Ida look for the kite?") -> Scenario:
    return Scenario(name, story, question, ("shelf", "stairs"), (0,))


def test_a_copy_is_found_and_another_story_is_not() -> None:
    other = made("c", " ".join(reversed(STORY.split())))
    (near,) = near_duplicates([made("a", STORY), other], [made("b", STORY)])
    assert (near.training, near.evaluation, near.share) == ("a", "b", 1.0)


def test_case_punctuation_and_spacing_hide_nothing() -> None:
    (near,) = near_duplicates([made("a", STORY.upper().replace(",", " ;"))], [made("b", STORY)])
    assert near.share == 1.0


def test_one_changed_word_costs_thirteen_grams() -> None:
    words = len(STORY.split()) + 7
    (near,) = near_duplicates([made("a", STORY.replace("market", "bakery"))], [made("b", STORY)])
    assert near.share == pytest.approx(1 - 13 / (words - 12))


def test_a_retold_story_with_a_changed_word_in_every_line_is_none() -> None:
    changed = " ".join("thing" if n % 8 == 7 else word for n, word in enumerate(STORY.split()))
    assert near_duplicates([made("a", changed, "Where?")], [made("b", STORY)]) == []


def test_chinese_is_compared_by_character() -> None:
    story = "玛拉把风筝放在棚子里然后去吃午饭托马斯趁她不在把风筝拿到了车库里面"
    assert len(grams(made("a", story, "在哪里"))) > 10
    (near,) = near_duplicates([made("a", story, "在哪里")], [made("b", story, "在哪里")])
    assert near.share == 1.0


def test_the_command_compares_a_file_with_official_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    item = next(i.scenario for i in BENCHMARKS["tactfultom"].load(FIXTURES).items if i.scenario.options)
    rows = [
        {"id": "copied", "story": item.story, "question": item.question, "options": ["x", "y"], "gold": 0},
        {"id": "own", "story": STORY, "question": "Where?", "options": ["x", "y"], "gold": 0},
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert main([str(path), "--data", str(FIXTURES)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("copied: holds 100% of tactfultom/") and lines[-1].startswith("1 of 2 training rows")
    path.write_text(json.dumps(rows[1]))
    assert main([str(path), "--data", str(FIXTURES)]) == 0


def test_a_folder_without_benchmarks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "a", "question": "q", "options": ["x", "y"], "gold": 0}))
    with pytest.raises(DataError, match="no benchmark's official files"):
        main([str(tmp_path / "t.jsonl"), "--data", str(tmp_path)])
