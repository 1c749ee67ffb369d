"""Which option an answer names, and which near misses name none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite import sip
from socialr1_lite.errors import DataError
from socialr1_lite.sip import parse
from tests.sip.replies import OPTIONS, wrap


@pytest.mark.parametrize(
    "answer",
    ["B", "b", "(B)", "B.", "B)", "B:", "B. kitchen", "(B) kitchen", "B) Kitchen", "kitchen", " KITCHEN ", "kitchen."],
)
def test_an_answer_names_its_option(answer):
    assert sip.read_answer(answer, OPTIONS) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "D",
        "A or B",
        "A, B",
        "A. B",
        "A B C",
        "B. garden",
        "B kitchen",
        "kitch",
        "the kitchen",
        "kitchen or garden",
        "not B",
        "B. kitchen, I think",
        "option B",
        "B\u200b",
        "\u0412",
        "(B",
        "B..",
        "1",
        "BB",
    ],
)
def test_a_near_miss_names_none(answer):
    assert sip.read_answer(answer, OPTIONS) is None


def test_an_option_s_text_is_folded_in_case_and_space():
    assert sip.read_answer("The  OLD\n barn", OPTIONS) == 2


def test_composed_and_decomposed_letters_are_the_same_text():
    assert sip.read_answer("cafe\u0301", ("caf\u00e9", "bar")) == 0


def test_two_options_of_one_text_are_told_apart_by_letter_only():
    assert sip.read_answer("box", ("box", "Box", "bag")) is None
    assert sip.read_answer("B. box", ("box", "Box", "bag")) == 1
    assert sip.read_answer("B", ("box", "Box", "bag")) == 1


def test_a_full_stop_counts_where_it_tells_two_options_apart():
    options = ("Stop", "Stop.")
    assert sip.read_answer("Stop", options) == 0
    assert sip.read_answer("Stop.", options) == 1


def test_a_lone_letter_is_a_letter_even_where_texts_are_letters():
    options = ("B", "A")
    assert sip.read_answer("A", options) == 0
    assert sip.read_answer("A. B", options) == 0
    assert sip.read_answer("A. A", options) is None


def test_options_that_are_numbers_are_named_by_their_text():
    options = ("2", "1", "12")
    assert sip.read_answer("1", options) == 1
    assert sip.read_answer("A. 2", options) == 0
    assert sip.read_answer("2. 1", options) is None


def test_a_letter_beyond_the_options_can_still_be_a_text():
    assert sip.read_answer("C", ("C", "D")) == 0


def test_an_answer_with_two_readings_names_none():
    assert sip.read_answer("B. garden", ("B. garden", "garden")) is None


def test_option_answer_falls_back_to_the_letter_where_texts_could_be_misread():
    assert sip.option_answer(OPTIONS, 1, "text") == "kitchen"
    assert sip.option_answer(OPTIONS, 1) == "B"
    assert sip.option_answer(("B", "A"), 0, "text") == "A"
    assert sip.option_answer(("</answer>", "x"), 0, "text") == "A"


@given(st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=2, max_size=6), st.data())
def test_what_option_answer_writes_is_read_back(options, data):
    index = data.draw(st.integers(0, len(options) - 1))
    style = data.draw(st.sampled_from(["letter", "text"]))
    answer = sip.option_answer(options, index, style)
    assert sip.read_answer(answer, options) == index
    assert parse(wrap("Anna saw.", answer), options).answer == index


def test_letters_run_from_two_to_twenty_six():
    assert sip.letters(2) == "AB"
    assert sip.letters(26)[-1] == "Z"
    for count in (-1, 0, 1, 27):
        with pytest.raises(DataError, match="2 to 26"):
            sip.letters(count)


def test_twenty_six_options_can_all_be_named():
    options = tuple(f"place {number}" for number in range(26))
    assert [sip.read_answer(letter, options) for letter in sip.letters(26)] == list(range(26))
