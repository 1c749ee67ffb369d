"""Hi-ToM's own gold against our belief simulation, on the real file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from socialr1_lite.errors import DataError
from tests.stories.hitom import read

FILE = Path(__file__).parents[3] / "shared" / "data" / "benchmarks" / "Hi-ToM" / "Hi-ToM_data.json"
AGREED = 583  # of 600, listed and explained in docs/stories.md; a careful reader's check agreed with 555

STORY = """1 Mia, Tom and Una entered the den.
2 The fig is in the red_box.
3 Mia exited the den.
4 Una likes the red_pan.
5 Tom moved the fig to the blue_box.
6 Tom exited the den.
7 Una exited the den.
8 Mia, Tom and Una entered the waiting_room.
9 Tom publicly claimed that fig is in the tan_box.
10 Una privately told Tom that the fig is in the red_box.
"""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is the fig really?", "blue_box"),
        ("Where was the fig at the beginning?", None),
        ("Where does Mia really think the fig is?", "tan_box"),  # Tom left later
        ("Where does Una really think the fig is?", "blue_box"),  # Tom left earlier
        ("Where does Tom think Mia thinks the fig is?", "tan_box"),  # the speaker thinks the hearer believes
        ("Where does Tom think Una thinks the fig is?", "red_box"),  # and who believes, that the speaker does
        ("Where does Una think Mia thinks the fig is?", "red_box"),  # no third person's thoughts change
    ],
)
def test_a_story_is_read(question: str, answer: str | None):
    if answer is None:
        with pytest.raises(DataError, match="beginning"):
            read(STORY, question)
    else:
        assert read(STORY, question).answer == answer


def test_the_simulation_gives_the_files_gold():
    if not FILE.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{FILE} is missing")
        pytest.skip(f"{FILE} is missing")
    rows = [row for row in json.loads(FILE.read_text("utf-8"))["data"] if row["prompting_type"] == "CoTP"]
    asked = [(row, read(row["story"], row["question"])) for row in rows]
    assert all(len(one.chain) == row["question_order"] for row, one in asked)
    assert len(rows) == 600
    assert sum(one.answer == row["answer"] for row, one in asked) >= AGREED
