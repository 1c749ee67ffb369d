"""Whatever is wrong with a file is reported in one line that names the file and the row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.errors import DataError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES, tmp_path / "data"))


def edit(path: Path, row: int, **changes: Any) -> None:
    """Change keys of one line of a jsonl file (None removes the key)."""
    lines = path.read_text().splitlines()
    value = json.loads(lines[row]) | changes
    lines[row] = json.dumps({key: cell for key, cell in value.items() if cell is not None}, ensure_ascii=False)
    path.write_text("\n".join(lines) + "\n")


def complaint(name: str, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        BENCHMARKS[name].load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [name for name, bench in BENCHMARKS.items() if not bench.generated])
def test_a_wrong_folder_says_what_was_looked_for_and_where_it_is(name: str, tmp_path: Path) -> None:
    message = complaint(name, tmp_path)
    assert str(tmp_path) in message and "no official" in message and "looked for" in message and "http" in message
    assert "no such folder" in complaint(name, tmp_path / "nowhere")


def test_a_missing_column_is_named_with_the_row_and_the_keys_found(folder: Path) -> None:
    edit(folder / "ToMBench/data/False Belief Task.jsonl", 1, QUESTION=None)
    message = complaint("tombench", folder)
    assert message.startswith("False Belief Task.jsonl line 2: 'QUESTION' is missing; found: ")
    assert "'STORY'" in message


def test_a_corrupt_line_is_named(folder: Path) -> None:
    path = folder / "EmoBench/EA.jsonl"
    path.write_text(path.read_text().replace('"qid": "1", "language": "zh"', '"qid": "1" "language": "zh"'))
    assert complaint("emobench", folder).startswith("EA.jsonl line 2: is not JSON")


def test_a_line_that_is_no_object_is_named(folder: Path) -> None:
    path = folder / "SocialIQA/dev.jsonl"
    path.write_text("[1, 2]\n" + path.read_text())
    assert complaint("socialiqa", folder) == "dev.jsonl line 1: must be an object, not [1, 2]"


def test_a_gold_that_no_option_has_is_named(folder: Path) -> None:
    edit(folder / "EmoBench/EA.jsonl", 0, label="Send flowers")
    message = complaint("emobench", folder)
    assert message.startswith("EA.jsonl line 1: gold 'Send flowers' is none of the options ['Call and apologise'")


def test_a_gold_letter_beyond_the_options_is_named(folder: Path) -> None:
    edit(folder / "ToMBench/data/False Belief Task.jsonl", 2, **{"答案\nANSWER": "C"})
    assert complaint("tombench", folder) == "False Belief Task.jsonl line 3: gold 'C' must be one of A, B"


def test_labels_that_do_not_belong_to_their_rows_are_refused(folder: Path) -> None:
    labels = folder / "SocialIQA/dev-labels.lst"
    labels.write_text("1\n")
    assert complaint("socialiqa", folder) == (
        "dev-labels.lst: 1 labels for 2 rows of dev.jsonl; they do not belong together"
    )
    labels.write_text("1\n0\n")
    assert complaint("socialiqa", folder) == "dev.jsonl line 2: label '0' must be 1, 2 or 3"
    labels.unlink()
    assert "dev-labels.lst must lie beside it" in complaint("socialiqa", folder)


def test_a_hub_row_carries_its_own_label(folder: Path) -> None:
    (folder / "SocialIQA/dev-labels.lst").unlink()
    edit(folder / "SocialIQA/dev.jsonl", 0, label="1")
    edit(folder / "SocialIQA/dev.jsonl", 1, label="3")
    assert [item.scenario.gold for item in BENCHMARKS["socialiqa"].load(folder).items] == [(0,), (2,)]


def test_an_unknown_hard_header_is_shown(folder: Path) -> None:
    path = folder / "ToMBench-Hard/ToMBench_Hard_val.csv"
    path.write_text(path.read_text().replace("Story,Question", "Text,Question", 1))
    message = complaint("tombench-hard", folder)
    assert message == (
        "ToMBench_Hard_val.csv: no column for story; the header is: "
        "Text, Question, Option-A, Option-B, Option-C, Option-D, Answer, Ability; to train on it, write data.columns: "
        '{story: "?", question: "Question", options: ["Option-A", "Option-B", "Option-C", "Option-D"], gold: "Answer"}'
    )


def test_a_hard_gold_number_is_refused_as_ambiguous(folder: Path) -> None:
    path = folder / "ToMBench-Hard/ToMBench_Hard_val.csv"
    path.write_text(path.read_text().replace(",A,Belief", ",1,Belief"))
    assert "line 2: gold '1' is a number" in complaint("tombench-hard", folder)


def test_a_csv_row_with_too_many_cells_is_named(folder: Path) -> None:
    path = folder / "ToMBench-Hard/ToMBench_Hard_val.csv"
    path.write_text(path.read_text() + "a,b,c,d,e,f,g,h,i,j\n")
    assert "line 4: has another number of cells" in complaint("tombench-hard", folder)


def test_an_empty_option_is_named(folder: Path) -> None:
    edit(folder / "SimpleToM/behavior-qa/test.jsonl", 0, choices={"text": ["", "throw it away"], "label": ["A", "B"]})
    assert complaint("simpletom", folder).startswith(
        "behavior-qa/test.jsonl line 1 choices: 'text' must be a list of texts"
    )


def test_a_question_in_the_wrong_simpletom_config_is_refused(folder: Path) -> None:
    edit(folder / "SimpleToM/behavior-qa/test.jsonl", 0, id="salt_jar_sev1_judge")
    assert "must end with _action in this config" in complaint("simpletom", folder)


def test_five_motive_options_are_refused(folder: Path) -> None:
    path = folder / "MotiveBench/Blog/Blog_questions.json"
    value = json.loads(path.read_text())
    value[0]["Options 2"].pop()
    path.write_text(json.dumps(value))
    assert complaint("motivebench", folder) == (
        "Blog_questions.json entry 0: 'Options 2' has 5 entries; the six fixed orders need 6"
    )


def test_an_unknown_binary_gold_of_fantom_is_named(folder: Path) -> None:
    path = folder / "FanToM/fantom_v1.json"
    path.write_text(path.read_text().replace('"no:long"', '"maybe"', 1))
    message = complaint("fantom", folder)
    assert message == ("fantom_v1.json entry 0 infoAccessibilityQAs_binary[2]: gold 'maybe' must be yes, no or no:long")


def test_an_unknown_agent_of_sotopia_is_named(folder: Path) -> None:
    edit(folder / "SOTOPIA/env_agent_combo_storages.jsonl", 1, agent_ids=["A2", "A9"])
    assert complaint("sotopia", folder) == (
        "env_agent_combo_storages.jsonl line 2: agent_id 'A9' is not in the profiles"
    )


def test_an_incomplete_sotopia_folder_says_what_is_missing(folder: Path) -> None:
    (folder / "SOTOPIA/agent_profiles.jsonl").unlink()
    assert "agent_profiles.jsonl is missing; SOTOPIA needs all three" in complaint("sotopia", folder)


def test_bytes_that_are_no_text_are_named(folder: Path) -> None:
    (folder / "EmoBench/EU.jsonl").write_bytes(b'{"qid": "\xff"}\n')
    assert "EU.jsonl: is not UTF-8 text (byte 9)" in complaint("emobench", folder)


def test_a_folder_of_one_benchmark_needs_no_folder_of_its_name(folder: Path) -> None:
    assert len(BENCHMARKS["hi-tom"].load(folder / "Hi-ToM").items) == 3
