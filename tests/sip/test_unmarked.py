"""Reasoning without headings, read by its words; sentences."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite import sip
from socialr1_lite.sip import STAGES, Reply, parse
from socialr1_lite.sip.evidence import evidence
from socialr1_lite.sip.wording import plain as folded
from tests.sip.replies import bodies, wrap

# ----------------------------------------------------------------------------------------- unmarked reasoning

PLAIN = {
    "cue_encoding": "The story says that Anna puts the key in the box. Then Ben moves it while she is out.",
    "cue_interpretation": "Anna did not see this. She still believes that it is there, and she feels sure.",
    "goal_clarification": "She wants to open the door. The question asks what she is trying to do.",
    "response_generation": "So she will look in the box. Therefore the answer is option B.",
}


def plain(order) -> Reply:
    return parse(wrap("\n".join(PLAIN[stage] for stage in order)), ("tin", "box"))


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


def stages_of(text: str, options: tuple[str, ...] = ("the tin", "the drawer")) -> list[str | None]:
    return [segment.stage for segment in parse(wrap(text), options).segments]


def test_talk_between_the_stages_belongs_to_none() -> None:
    text = "Okay, let's see. Anna did not see it, so she still thinks it is in the tin. Hmm. She wants her key. Let me check."
    assert stages_of(text) == [None, "cue_interpretation", None, "goal_clarification", None]


def test_words_that_speak_for_no_stage_make_one_segment_of_no_stage() -> None:
    reply = parse(wrap("Hmm. Okay. Wait..."))
    assert bodies(reply) == [(None, "Hmm. Okay. Wait...")]
    assert stages_of("\u597d\u7684\u3002\u8ba9\u6211\u60f3\u60f3\u3002") == [None]  # no Chinese word has a weight


@pytest.mark.parametrize(
    ("sentence", "stage"),
    [
        ("Let me read the options one by one.", None),
        ("Anna puts the key in the tin and goes out.", "cue_encoding"),
        ("Then Ben moves it to the drawer.", "cue_encoding"),
        ("Anna doesn't know that it was moved.", "cue_interpretation"),
        ("She must feel ashamed, although she does not show it.", "cue_interpretation"),
        ("B would mean that she knew about it.", "cue_interpretation"),
        ("The question is where she looks first.", "goal_clarification"),
        ("So she would like to have her key back.", "goal_clarification"),
        ("So the answer is A.", "response_generation"),
        ("That leaves B.", "response_generation"),
        ("I'd go with option A.", "response_generation"),
    ],
)
def test_what_a_sentence_is_for(sentence: str, stage: str | None) -> None:
    assert stages_of(sentence) == [stage]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("So Anna doesn't know it.", "Anna does not know it."),
        ("Wait, she'd realise it.", "she would realize it."),
        ("Okay, so now, I'm sure it's grey.", "I am sure it is gray."),
        ("Okay, let's see, Ben can\u2019t see her favourite colour.", "Ben cannot see her favorite color."),
        ("No one saw it.", "No one saw it"),  # "no" is no opener here
    ],
)
def test_what_changes_nothing_is_folded(one: str, other: str) -> None:
    assert folded(one) == folded(other) != []
    assert evidence(one) == evidence(other)


def test_evidence_is_a_probability_and_rests_on_words() -> None:
    for said in ("Anna thinks so.", "B.", "x" * 5000, "\u5979\u4e0d\u77e5\u9053\u3002", ""):
        assert sum(evidence(said, "AB")) == pytest.approx(1.0)
    assert evidence("Hmm, okay.")[0] == 1.0


def test_a_stage_has_the_one_sentence_that_is_clearly_for_it() -> None:
    """Alone the sentence may be read otherwise; where its stage has others, the missing stage gets it."""
    reply = parse(
        wrap("Anna puts the key in the tin. Ben moves it. He asks her to wait. She thinks it is still there.")
    )
    assert reply.stage_text("cue_encoding") and reply.stage_text("cue_interpretation")


@given(
    st.lists(st.sampled_from(["Anna thinks so. ", "Hmm. ", "B. ", "\n", "So (A) is it. ", "She wants it", "@", "'"]))
)
def test_segments_tile_plain_reasoning(parts: list[str]) -> None:
    text = wrap("".join(parts))
    reply = parse(text, ("x", "y"))
    ends = [segment.span for segment in reply.segments]
    assert all(one.end == other.start for one, other in pairwise(ends))
    if ends:
        assert (ends[0].start, ends[-1].end) == tuple(reply.think)
    assert parse(text, ("x", "y")) == reply


# ------------------------------------------------------------------------------------------------------ settling

SETTLES = """The answer has to be A.|I think it's A.|Option A, since she left before.|Clearly it's the drawer one.
A looks right to me straight away.|My first instinct is A, and I trust it.|A, no question.|The green drawer, without a doubt.
A it is.|Has to be A.|We can settle on A right away.|The drawer is the answer.|She'll look in the drawer, I'm sure of it.
A would be my answer.|B and C are silly, so A.|If I had to put money on it, it'd be A.|That can only be the drawer.|A."""
SETTLES_NOT = """A says the green drawer.|Option A is the drawer, B the cupboard, C the basket.|Could it be A?|A is out.|Not A.
If she had seen it, it would be A.|It can't be A.|We can rule out A.|It might be A.|At first glance A looks right.|Suppose it's A.
Let me test A.|I don't think it's A.|It's between A and C.|It would be easy to answer A now.|She clearly puts it in the drawer.
"The answer is A," says her brother.|A would mean that she doesn't know.|She thinks it is in the drawer.|So it isn't the drawer.
Option A reads "In the green drawer".|Clearly, Anna left before Ben opened the drawer.|A whisper is heard.|What about A?"""
SHOWN = ("In the green drawer", "In the cupboard", "In the basket")


@pytest.mark.parametrize("said", re.split(r"[|\n]", SETTLES))
def test_what_settles_on_an_option(said: str) -> None:
    assert sip.settled_option(said, SHOWN, "ABC") == 0


@pytest.mark.parametrize("said", re.split(r"[|\n]", SETTLES_NOT))
def test_what_settles_on_none(said: str) -> None:
    assert sip.settled_option(said, SHOWN, "ABC") is None


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
