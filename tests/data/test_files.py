"""Rows as they are found in the wild: golds in every form, options with their own letters, files that are odd or huge."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite.benchmarks.files import read_csv, strip_letter
from socialr1_lite.data import files, read_rows, read_scenario, training_scenarios
from socialr1_lite.data.files import json_lines, rows_of
from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Recipe
from socialr1_lite.scenario import Scenario

ROW = {"story": "Ida left.", "question": "Where?"}
PLACES = ["the porch", "the shed", "the attic"]


def golds(path: Path, **data: Any) -> list[tuple[int, ...]]:
    recipe = Recipe.model_validate({"data": {"source": str(path), "heldout": 0, **data}, "evaluation": {"items": 0}})
    return [one.gold for one in training_scenarios(recipe)]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("gold", "found"),
    [
        (1, (1,)), (1.0, (1,)), ("1", (1,)), ("1.0", (1,)), (" 1 ", (1,)), ("[1]", (1,)), ([1], (1,)), ("[0, 2]", (0, 2)), (["1"], (1,)),
        ('["the shed"]', (1,)), ("b", (1,)), ("(B)", (1,)), ("The Shed", (1,)), ("THE SHED ", (1,)), (["A", 2.0], (0, 2)),
    ],
)  # fmt: skip
def test_a_gold_in_every_form(gold: Any, found: tuple[int, ...]) -> None:
    assert read_scenario(ROW | {"options": PLACES, "gold": gold}, default_id="x").gold == found


@pytest.mark.parametrize(
    "gold", [3, "3", -1, 1.5, "1.5", True, "the roof", {"a": 1}, "[9]", "[[", 1e300, "٣", "1e0", float("inf")]
)
def test_a_gold_that_is_none(gold: Any) -> None:
    with pytest.raises(DataError, match="gold") as caught:
        read_scenario(ROW | {"options": PLACES, "gold": gold}, default_id="x")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_text_of_digits_wins_over_an_index() -> None:
    assert read_scenario(ROW | {"options": ["2", "1", "0"], "gold": "0"}, default_id="x").gold == (2,)
    assert read_scenario(ROW | {"options": ["2", "1", "0"], "gold": 0}, default_id="x").gold == (0,)
    assert read_scenario(ROW | {"options": ["May", "may"], "gold": "may"}, default_id="x").gold == (1,)


@pytest.mark.parametrize(
    ("mark", "golds"),
    [
        ("{A}. ", ["B", "B. the shed", "the shed", 1, "b"]), ("({A}) ", ["B", "(B) the shed", 1]), ("{A}) ", ["B"]), ("{a}. ", ["b", 1]),
        ("[{A}] ", ["B"]), ("{A}: ", ["B"]), ("{1}. ", [2, "2", "2. the shed", "B", "the shed", 2.0]), ("({1}) ", [2]), ("{0}. ", [1, "1"]),
        ("{A}．", ["B"]), ("{A}、", ["B"]),  # noqa: RUF001
    ],
)  # fmt: skip
def test_options_lose_the_letters_that_they_bring_along(mark: str, golds: list[Any]) -> None:
    marks = [{"{A}": "ABC"[n], "{a}": "abc"[n], "{1}": str(n + 1), "{0}": str(n)} for n in range(3)]
    options = []
    for n, place in enumerate(PLACES):
        text = mark
        for hole, shown in marks[n].items():
            text = text.replace(hole, shown)
        options.append(text + place)
    for gold in golds:
        one = read_scenario(ROW | {"options": options, "gold": gold}, default_id="x")
        assert (one.options, one.gold) == (tuple(PLACES), (1,)), gold


@pytest.mark.parametrize(
    "options",
    [["A. Smith", "the shed"], ["1.5 m", "2.5 m"], ["a.m.", "b.c."], ["I. Newton", "J. Kepler"], ["3. Mai", "4. Mai"], ["A", "B"]],
)  # fmt: skip
def test_what_only_looks_like_a_letter_stays(options: list[str]) -> None:
    assert read_scenario(ROW | {"options": options, "gold": 1}, default_id="x").options == tuple(options)


def test_letters_in_another_order_are_asked_about() -> None:
    with pytest.raises(DataError, match="letters of their own, B, A: sort"):
        read_scenario(ROW | {"options": ["B. the porch", "A. the shed"], "gold": "A"}, default_id="x")


def test_labels_that_count_from_one_are_asked_about_with_the_line_to_type(tmp_path: Path) -> None:
    """Social IQa's: "1", "2" and "3", never "0"."""
    rows = [
        {"context": "S.", "question": f"{n}?", "answerA": "x", "answerB": "y", "answerC": "z", "label": str(n % 3 + 1)}
        for n in range(6)
    ]
    path = jsonl(tmp_path / "mine.jsonl", rows)
    columns = {"story": "context", "option_a": "answerA", "option_b": "answerB", "option_c": "answerC", "gold": "label"}
    with pytest.raises(DataError, match=r"1 to 3 and never 0.*data\.gold_from: 1") as caught:
        golds(path, columns=columns)
    assert "\n" not in str(caught.value)
    assert golds(path, columns=columns, gold_from=1) == [(0,), (1,), (2,)] * 2
    with pytest.raises(DataError, match="gold '3' is none of the 3 options, which count 0 to 2"):
        golds(path, columns=columns, gold_from=0)


def test_many_golds_without_a_zero_are_asked_about_and_few_are_not(tmp_path: Path) -> None:
    few = [ROW | {"question": f"{n}?", "options": PLACES, "gold": 1} for n in range(3)]
    assert golds(jsonl(tmp_path / "few.jsonl", few)) == [(1,)] * 3
    many = [ROW | {"question": f"{n}?", "options": PLACES, "gold": 1 + n % 2} for n in range(30)]
    with pytest.raises(DataError, match="never 0"):
        golds(jsonl(tmp_path / "many.jsonl", many))
    assert set(golds(tmp_path / "many.jsonl", gold_from=0)) == {(1,), (2,)}


CSV = 'question,options,gold\nWho?,"[""x"", ""y""]",1\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("question,options,gold,gold\nWho?,\"[1,2]\",0,1\n", "the column 'gold' twice"), (CSV + "question,options,gold\n", "line 3|:3: this is the header again"),
        (CSV + 'Who?,"[', "1 of 2 rows"), (CSV.replace('""', "'"), "begins like a JSON list"), ("question\n\xff", "after line"), ("a\rb\rc", "after line"),
    ],
)  # fmt: skip
def test_a_csv_that_is_odd_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=why):
        golds(path)


def test_a_doubled_header_is_told_of_the_authors_files_too(tmp_path: Path) -> None:
    path = tmp_path / "official.csv"
    path.write_text("a,b,a\n1,2,3\n")
    with pytest.raises(DataError, match="'a' twice"):
        read_csv(path)


def test_objects_in_cells_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('question,option_a,option_b,gold,meta\nWho?,x,y,1.0,"{""order"": 2}"\n')
    ((_, row),) = read_rows(path)
    assert isinstance(row, dict) and read_scenario(row, default_id="x").meta == {"order": 2}


def test_the_letters_of_authors_options() -> None:
    assert [strip_letter(text, 1) for text in ("B. x", "(B) x", "B) x", "B、x", "A. x", "Bx")] == ["x"] * 4 + [
        "A. x",
        "Bx",
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"question": ' + b"[" * 200_000, "nested too deeply"), (b'{"a": "\xff"}', "not UTF-8"), (b"[1]", "JSON object"), (b"{", "not JSON"),
        (b"x" * (files.LONGEST_LINE + 1), "longer than 16 MB"),
    ],
    ids=["deep", "bytes", "list", "torn", "long"],
)  # fmt: skip
def test_a_line_that_is_odd_is_a_told_row(line: bytes, why: str) -> None:
    (told, good) = [row for _, row in json_lines([line + b"\n", b'{"a": 1}\n'])]
    assert isinstance(told, str) and why in told and good == {"a": 1}


def test_numbers_and_texts_that_nothing_can_keep_become_some_that_can() -> None:
    line = (
        b'{"a": '
        + b"9" * 5000
        + b', "b": 123456789012345678901, "c": NaN, "d": "cut \\ud83d", "\\udc00": ["\\ud83d\\ude00"]}'
    )
    ((_, row),) = json_lines([line])
    assert row == {"a": float("inf"), "b": 123456789012345678901.0, "c": None, "d": "cut �", "�": ["😀"]}


def test_a_long_line_is_passed_over_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 10)
    held = io.BytesIO(b'{"a":1}\n' + b"y" * 95 + b'\n{"a":2}\n' + b"z" * 11 + b"\n{}\n" + b"w" * 99)
    assert max(map(len, files.bounded_lines(held))) <= 11
    held.seek(0)
    found = [row if isinstance(row, dict) else row[:6] for _, row in rows_of(held, "x.jsonl")]
    held.seek(0)
    assert [row if isinstance(row, dict) else row[:6] for _, row in json_lines(held)] == found
    assert found == [{"a": 1}, "longer", {"a": 2}, "longer", {}, "longer"]


def test_a_parquet_of_too_many_values_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_VALUES", 1000)
    held = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"step": [1] * 400, "x": [[1, 2]] * 400}), held)
    held.seek(0)
    with pytest.raises(DataError, match="1200 values; at most 1000"):
        list(rows_of(held, "x.parquet"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "id",
    "story",
    "question",
    "options",
    "gold",
    "accepted",
    "dimension",
    "group",
    "source",
    "facts",
    "meta",
    "option_a",
    "option_b",
)
FACTS = {"people": ["A"], "things": [], "sentences": ["s"], "cues": [0], "claims": [{"holders": [], "subject": "a", "relation": "b", "value": "c"}],
         "goal": {"holders": [], "subject": "a", "relation": "b", "value": "c"}, "deciding": [0], "goals": [], "genders": []}  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6), JSON, st.sampled_from([*FACTS, ""]))
def test_whatever_a_row_holds_it_is_a_scenario_or_one_line(row: dict[str, Any], odd: Any, where: str) -> None:
    good = ROW | {"options": PLACES, "gold": 1, "facts": FACTS | ({where: odd} if where else {})}
    for some in (row, good | row, good):
        try:
            made = read_scenario(some, default_id="x")
        except DataError as error:
            assert len(str(error)) < 3000
        else:
            json.dumps(made.to_row())
            assert all(isinstance(text, str) for text in (*made.options, *made.accepted, made.story, made.question))
            assert (
                isinstance(made.meta, dict) and Scenario.from_row(json.loads(json.dumps(made.to_row()))).id == made.id
            )


@given(st.binary(max_size=300), st.sampled_from(["x.jsonl", "x.csv", "x.parquet", "PAR1"]))
def test_no_bytes_break_a_reader(content: bytes, name: str) -> None:
    try:
        for _, row in rows_of(io.BytesIO(b"PAR1" * (name == "PAR1") + content), name):
            assert isinstance(row, (str, dict))
    except DataError as error:
        assert "\n" not in str(error).strip()


def test_an_ending_in_capitals_is_read_and_so_is_a_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    jsonl(tmp_path / "MINE.JSONL", [ROW | {"options": PLACES, "gold": 1}])
    assert golds(Path("~/MINE.JSONL")) == [(1,)]
