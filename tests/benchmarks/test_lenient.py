"""What a reader takes a reply to say: replies in two languages with their right reading, and both readings beside."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from socialr1_lite import sip
from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Ask, answers_to, display
from socialr1_lite.benchmarks.lenient import lenient_option

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"


class Row(NamedTuple):
    """A reply, the options it was shown, and the place of the one it settles on; unread: we take it to settle on none."""

    reply: str
    language: str
    options: list[str]
    right: int | None
    unread: bool = False


ROWS = [Row(**json.loads(line)) for line in (Path(__file__).parent / "replies.jsonl").read_text("utf-8").splitlines()]


def test_the_list_is_long_enough_and_holds_what_is_hard() -> None:
    assert len(ROWS) == len({(row.reply, *row.options) for row in ROWS}) >= 500
    assert Counter(row.language for row in ROWS)["zh"] >= 100
    assert sum(row.right is None for row in ROWS) >= 100
    assert sum(row.unread for row in ROWS) <= 7


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reply[:40])
def test_no_reply_is_misread(row: Row) -> None:
    assert lenient_option(row.reply, row.options) == (None if row.unread else row.right)
    assert sip.parse(row.reply, row.options).answer in (None, row.right)  # the strict rule reads less, never otherwise


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("A " * 9000, None),  # long, and nowhere is it said that A is the answer
        ("B or " * 9000, None),
        ("(" * 40000, None),
        ("because " * 9000, None),
        ("\n" * 40000 + "B", 1),
        ("The answer is B. " * 2000, 1),
        ("The answer is A. " * 2000 + "The answer is B.", None),
    ],
    ids=lambda one: str(one)[:20].strip(),
)
def test_a_reply_that_repeats_itself_is_read_too(reply: str, right: int | None) -> None:
    assert lenient_option(reply, ["Garage", "Shed"]) == right


def ask(name: str, item: str, order: tuple[int, ...] | None = None) -> Ask:
    made = {one.scenario.id: one for one in BENCHMARKS[name].load(FIXTURES).items}[f"{name}/{item}"]
    return display(made, order or range(len(made.scenario.options)), "")


def readings(name: str, one: Ask, text: str, **how: bool) -> list[tuple[int | None, int | None]]:
    return [
        (answer.reading.choice, answer.lenient.choice if answer.lenient else -1)
        for answer in answers_to(BENCHMARKS[name], one, text, **how)
    ]


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("<think>x</think><answer>B</answer>", 1, 1),
        ("<think>Is it A? C?</think>The answer is B.", None, 1),
        ("<answer>The answer is B</answer>", None, 1),
        ("<answer>A or B</answer>", None, None),
        ("<think>The answer is B", None, None),  # cut off in its thinking
        ("<thinking><answer>A</answer></thinking><answer>B</answer>", 1, 1),
        ("[THINK]<answer>A</answer>[/THINK]<answer>B</answer>", None, 1),  # no block of training: two answers
        ("[THINK]The answer is A[/THINK]<answer>B</answer>", 1, 1),
        ("Shed, I think: A", None, None),  # the letter of one, the text of another
    ],
)
def test_both_readings_of_a_reply_to_our_own_prompt(text: str, strict: int | None, lenient: int | None) -> None:
    one = ask("tombench", "False Belief Task/2/en")
    assert one.scenario.options == ("Garage", "Shed", "A loft", "Garden")
    assert readings("tombench", one, text) == [(strict, lenient)]


def test_what_the_authors_reader_makes_of_a_reply_stands_beside_what_it_says() -> None:
    tom, motive = ask("tombench", "False Belief Task/2/en", (1, 0, 2, 3)), ask("motivebench", "Blog/0/1")
    assert readings("tombench", tom, "no idea", official=True) == [(1, None)]  # they count A
    assert readings("tombench", tom, "It is B. I thought of C", official=True) == [(2, None)]  # their last letter
    assert readings("motivebench", motive, "The answer is D", official=True) == [(None, 3)]  # their first character


def test_numbers_and_the_fields_of_a_json_are_read_leniently_too() -> None:
    tact = ask("tactfultom", "9-0-0-0-belief-1", (1, 0))
    for text, place in (("2", 0), ("Option 2", 0), ("The answer is 1.", 1), ("**1**", 1), ("1 or 2", None)):
        assert readings("tactfultom", tact, text, official=True)[0][1] == place, text
    bench = BENCHMARKS["emobench"]
    both = bench.asks(bench.load(FIXTURES).items, 0, True)[2]
    said = 'Here you are: {"answer_q1": "A", "answer_q2": "B"}'
    assert readings("emobench", both, said, official=True) == [(None, 0), (None, 1)]  # theirs wants JSON alone
    assert readings("emobench", both, "Question 1: B\nQuestion 2: (C)", official=True) == [(None, 1), (None, 2)]


def test_yes_and_no_and_lists_are_read_leniently() -> None:
    binary = ask("fantom", "1-0-0/answerability/1")
    (answer,) = answers_to(BENCHMARKS["fantom"], binary, "No, he left before.")
    assert not answer.reading.readable and answer.lenient and answer.lenient.text == "no"
    listed = ask("fantom", "1-0-0/info_accessibility/list")
    (answer,) = answers_to(BENCHMARKS["fantom"], listed, "<think>Fin?</think>Answer: Eva, Gus")
    assert answer.lenient and answer.lenient.text == "Eva, Gus"
