"""A set in several files: parts, a part beside the whole, copies, two versions; every question counts once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Item, Loaded
from socialr1_lite.benchmarks.files import content_key
from socialr1_lite.errors import DataError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"
# a set's file -> a part's name beside it that the loader finds too
FILES = {
    "tombench": ("ToMBench/data/False Belief Task.jsonl", "more/False Belief Task.jsonl"),
    "hi-tom": ("Hi-ToM/Hi-ToM_data.json", "Hi-ToM/Hi-ToM_data.part.json"),
    "emobench": ("EmoBench/EU.jsonl", "EmoBench/part/EU.jsonl"),
    "simpletom": ("SimpleToM/mental-state-qa/test.jsonl", "SimpleToM/mental-state-qa/part.jsonl"),
    "socialiqa": ("SocialIQA/dev.jsonl", "SocialIQA/dev.part.jsonl"),
    "motivebench": ("MotiveBench/Blog/Blog_questions.json", "MotiveBench/Blog_questions.part.json"),
    "tactfultom": ("TactfulToM/Tactful_conv_set_9.json", "TactfulToM/Tactful_conv_set_9.part.json"),
    "fantom": ("FanToM/fantom_v1.json", "FanToM/fantom_v1.part.json"),
}


def contents(loaded: Loaded) -> list[str]:
    """What is asked, whatever it is called."""
    return sorted(content_key(item) for item in loaded.items)


def rows_of(path: Path) -> list[object]:
    text = path.read_text()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    value = json.loads(text)
    return list(value["data"] if isinstance(value, dict) else value)


def put(path: Path, rows: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps({"data": rows} if "Hi-ToM" in path.name else rows))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], tuple[Path, Path, Path]]:
    """A benchmark's folder, its file and where a part of it would lie."""

    def of(name: str) -> tuple[Path, Path, Path]:
        whole, part = FILES[name]
        root = tmp_path / whole.partition("/")[0]
        shutil.copytree(FIXTURES / root.name, root)
        beside = tmp_path / (part if part.startswith(root.name) else f"{root.name}/{part}")
        return tmp_path, tmp_path / whole, beside

    return of


@pytest.mark.parametrize("name", FILES)
def test_a_part_beside_the_whole_counts_once(name: str, folder: Callable[[str], tuple[Path, Path, Path]]) -> None:
    root, whole, beside = folder(name)
    before = BENCHMARKS[name].load(root)
    rows = rows_of(whole)
    if name == "socialiqa":
        labels = whole.with_name("dev-labels.lst").read_text().split()
        beside.with_name("dev-labels.part.lst").write_text(labels[-1] + "\n")
    put(beside, rows[-2:-1] if name == "hi-tom" else rows[-1:])  # the last row that is asked
    after = BENCHMARKS[name].load(root)
    assert contents(after) == contents(before)
    assert [item.scenario.id for item in after.items] == [item.scenario.id for item in before.items]
    assert [note for note in after.notes if "there before" not in note] == list(before.notes)
    assert sum("were there before, and count once" in note for note in after.notes) == 1


@pytest.mark.parametrize("name", FILES)
def test_two_disjoint_parts_are_the_whole(name: str, folder: Callable[[str], tuple[Path, Path, Path]]) -> None:
    root, whole, beside = folder(name)
    before = BENCHMARKS[name].load(root)
    rows = rows_of(whole)
    if len(rows) < 2:
        pytest.skip("one row")
    if name == "socialiqa":
        labels = whole.with_name("dev-labels.lst").read_text().split()
        beside.with_name("dev-labels.part.lst").write_text("\n".join(labels[1:]) + "\n")
        whole.with_name("dev-labels.lst").write_text(labels[0] + "\n")
    put(whole, rows[:1])
    put(beside, rows[1:])
    after = BENCHMARKS[name].load(root)
    assert contents(after) == contents(before)
    names = [item.scenario.id for item in after.items]
    assert len(set(names)) == len(names)  # rows counted from 1 in both have names of their own
    assert [note for note in after.notes if "official" in note] == [n for n in before.notes if "official" in n]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("emobench", "EmoBench/EU.part2.jsonl"),
        ("emobench", "EmoBench/more/EU_first100.jsonl"),
        ("tombench", "ToMBench/data/False Belief Task.first100.jsonl"),
        ("tombench", "ToMBench/False Belief Task (2).jsonl"),
        ("simpletom", "SimpleToM/mental-state-qa/more/test.jsonl"),
        ("simpletom", "SimpleToM/mental-state-qa.part2.jsonl"),
    ],
)
def test_a_part_is_found_by_any_name_that_begins_as_the_sets(
    name: str, part: str, folder: Callable[[str], tuple[Path, Path, Path]]
) -> None:
    root, whole, _ = folder(name)
    before = BENCHMARKS[name].load(root)
    rows = rows_of(whole)
    put(root / part, rows[-1:])
    put(whole, rows[:-1])
    assert contents(BENCHMARKS[name].load(root)) == contents(before)  # apart
    put(whole, rows)
    assert contents(BENCHMARKS[name].load(root)) == contents(before)  # beside the whole


def test_a_question_that_one_file_has_twice_stays_twice(folder: Callable[[str], tuple[Path, Path, Path]]) -> None:
    root, whole, beside = folder("tombench")
    rows = rows_of(whole)
    put(whole, [*rows, rows[0]])  # as the release may have it: the official count is theirs
    before = BENCHMARKS["tombench"].load(root)
    put(beside, [rows[0]])
    after = BENCHMARKS["tombench"].load(root)
    assert contents(after) == contents(before) and len(after.items) == len(before.items)


def test_two_versions_of_a_set_are_refused_with_both_files(folder: Callable[[str], tuple[Path, Path, Path]]) -> None:
    root, whole, beside = folder("motivebench")
    (row, *_) = rows_of(whole)
    assert isinstance(row, dict)
    put(beside, [row | {"Correct Answer 1": "A" if row["Correct Answer 1"] != "A" else "B"}])
    with pytest.raises(DataError) as refused:
        BENCHMARKS["motivebench"].load(root)
    said = str(refused.value)
    assert "Blog_questions.part.json: motivebench/Blog/" in said and "than in Blog_questions.json" in said
    assert "two versions of one set; leave one of the two in the folder" in said


def test_names_do_not_depend_on_which_part_was_read_first(folder: Callable[[str], tuple[Path, Path, Path]]) -> None:
    def by_content(loaded: Loaded) -> dict[str, str]:
        named: dict[str, Item] = {content_key(item): item for item in loaded.items}
        return {key: item.scenario.id for key, item in named.items()}

    root, whole, beside = folder("tombench")
    rows = rows_of(whole)
    put(whole, rows[:2])
    put(beside, rows[2:])
    first = by_content(BENCHMARKS["tombench"].load(root))
    beside.parent.rename(root / "ToMBench" / "zz")  # it was read before data/, and is read after it now
    assert by_content(BENCHMARKS["tombench"].load(root)) == first
