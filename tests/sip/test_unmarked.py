"""Reasoning without headings, read by its words; sentences."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite import sip
from socialr1_lite.sip import STAGES, Reply, parse
from tests.sip.replies import bodies, wrap

# ----------------------------------------------------------------------------------------- unmarked reasoning

PLAIN = {
    "cue_encoding": "The story says that Anna puts the key in the box. Then Ben moves it while she is out.",
    "cue_interpretation": "Anna did not see this. She still believes that it is there, and she feels sure.",
    "goal_clarification": "She wants to open the door. The question asks what she is trying to do.",
    "response_generation": "So she will look in the box. Therefore the answer is option B.",
}


def plain(order) -> Reply:
    return parse(wrap("\n".join(PLAIN[stage] for stage in order)))


def test_unmarked_reasoning_is_read_by_its_words():
    reply = plain(STAGES)
    assert not reply.marked
    assert bodies(reply) == list(PLAIN.items())


@pytest.mark.parametrize("first", STAGES)
@pytest.mark.parametrize("second", STAGES)
def test_unmarked_reasoning_in_any_order_stays_in_that_order(first, second):
    order = [first] if first == second else [first, second]
    assert [segment.stage for segment in plain(order).segments] == order


def test_reversed_reasoning_stays_reversed():
    order = list(reversed(STAGES))
    assert [segment.stage for segment in plain(order).segments] == order


def test_the_place_of_a_sentence_says_nothing():
    for stage in STAGES:
        alone = {segment.stage for segment in plain([stage]).segments}
        last = plain([*(s for s in STAGES if s != stage), stage]).segments[-1].stage
        assert alone == {stage}
        assert last == stage


def test_a_sentence_that_speaks_for_no_stage_stays_with_its_neighbour():
    reply = parse(wrap("Blue, red and green.\nAnna wants her key.\nYellow, too."))
    assert bodies(reply) == [("goal_clarification", "Blue, red and green.\nAnna wants her key.\nYellow, too.")]


def test_words_that_speak_for_no_stage_make_one_segment_of_no_stage():
    reply = parse(wrap("Lorem ipsum dolor. Sit amet."))
    assert bodies(reply) == [(None, "Lorem ipsum dolor. Sit amet.")]


def stages_of(text: str) -> list[str | None]:
    return [segment.stage for segment in parse(wrap(text)).segments]


def test_one_weak_word_does_not_change_the_stage():
    assert stages_of("Anna believes it. Ben went out. She feels sure.") == ["cue_interpretation"]


def test_one_strong_word_makes_a_stage_between_two_others():
    text = "Anna believes it. She wants her key. Hence the box."
    assert stages_of(text) == ["cue_interpretation", "goal_clarification", "response_generation"]


def test_repeating_a_word_in_a_sentence_proves_nothing_more():
    text = "Anna wants and needs it. " + "Think, " * 9 + "want, " * 4 + "now. She hopes and wishes."
    assert stages_of(text) == ["goal_clarification"]


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ('It would be "over there".', "cue_encoding"),
        ("So it is the box.", "response_generation"),
        ("It is so.", None),
        ("Anna did not see it.", "cue_interpretation"),
        ("Anna didn\u2019t see it.", "cue_interpretation"),
        ("Anna could see it.", "cue_encoding"),
        ("According to Anna.", "cue_encoding"),
    ],
)
def test_what_single_words_and_pairs_say(text, stage):
    assert stages_of(text) == [stage]


# -------------------------------------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna saw. Ben left!", ["Anna saw.", "Ben left!"]),
        ("Dr. Lee met Mrs. Wu, e.g. here. Then?", ["Dr. Lee met Mrs. Wu, e.g. here.", "Then?"]),
        ("Prof. Wu left at 5 etc. or so. Ok", ["Prof. Wu left at 5 etc. or so.", "Ok"]),
        ("Look at him. He left.", ["Look at him.", "He left."]),
        ("It cost 3.50 then. Fine", ["It cost 3.50 then.", "Fine"]),
        ('"Go!" she said. Ok.', ['"Go!"', "she said.", "Ok."]),
        ("1. Anna saw. 2. Ben left.", ["1. Anna saw.", "2. Ben left."]),
        ("B. garden", ["B. garden"]),
        ("The answer is B. So be it.", ["The answer is B.", "So be it."]),
        ("one\ntwo\n\n three ", ["one", "two", "three"]),
        ("Wait... what?! No", ["Wait...", "what?!", "No"]),
        ("\u5979\u8d70\u4e86\u3002\u4ed6\u7559\u4e0b\u3002", ["\u5979\u8d70\u4e86\u3002", "\u4ed6\u7559\u4e0b\u3002"]),
        ("... !!! \u200b", []),
        ("", []),
    ],
)
def test_sentences(text, expected):
    assert [text[slice(*span)] for span in sip.sentences(text)] == expected


@given(st.text(alphabet="aB1.!?\u2026\u3002\n\r \"')*\u200b\u2028", max_size=60))
def test_sentences_hold_every_word_once_and_in_order(text):
    spans = sip.sentences(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(text[slice(*span)] == text[slice(*span)].strip() != "" for span in spans)
    kept = "".join(text[slice(*span)] for span in spans)
    assert [c for c in kept if c.isalnum()] == [c for c in text if c.isalnum()]
