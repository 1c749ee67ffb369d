"""Every form of heading, and what looks like one but is a sentence."""

from __future__ import annotations

import pytest

from socialr1_lite.sip import STAGES, TITLES, parse, reply_text
from tests.sip.replies import GOOD, OPTIONS, TEXTS, bodies, wrap


def test_the_stages_are_the_card_s_in_order():
    assert STAGES == ("cue_encoding", "cue_interpretation", "goal_clarification", "response_generation")
    assert [TITLES[stage] for stage in STAGES] == [
        "Cue Encoding",
        "Cue Interpretation",
        "Goal Clarification",
        "Response Generation",
    ]


HEADINGS = [
    "{}:",
    "{}: ",
    "## {}",
    "### {}:",
    "**{}**",
    "**{}:**",
    "**{}**:",
    "**1. {}**",
    "1. **{}**:",
    "1. {}:",
    "2) {} -",
    "(3) {}:",
    "IV. {}:",
    "Stage 1 - {}",
    "Stage 1: {}",
    "Stage one: {}",
    "Stage II: {}",
    "STEP 3 \u2014 {}:",
    "Stage 1 ({}):",
    "### **Stage 2: {}**",
    "**Stage 2:** {}:",
    "[{}]",
    "[Stage 1: {}]",
    "- {}:",
    "* **{}:**",
    "  {}:",
    "> {}:",
    "{} (stage 1):",
    "{} stage:",
    "__{}__",
    "`{}`:",
    "{}.",
    "{} \u2013",
    "{}\uff1a",
    "{}",
    "{}   ",
]


@pytest.mark.parametrize("heading", HEADINGS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_every_form_of_heading_is_a_heading(heading, stage, change):
    line = heading.format(change(TITLES[stage]))
    text = f"<think>\nFirst of all.\n{line}\nAnna saw Ben.\n</think>"
    reply = parse(text)
    assert bodies(reply) == [(None, "First of all."), (stage, "Anna saw Ben.")]
    assert reply.marked
    assert text[slice(*reply.segments[1].span)].startswith(line[:1])


@pytest.mark.parametrize(
    "line",
    [
        "{}: Anna saw Ben.",
        "**{}** Anna saw Ben.",
        "[{}] Anna saw Ben.",
        "1. {} - Anna saw Ben.",
        "## {}: Anna saw Ben.",
    ],
)
def test_text_on_the_heading_s_line_is_body(line):
    for stage in STAGES:
        assert bodies(parse(wrap(line.format(TITLES[stage])))) == [(stage, "Anna saw Ben.")]


@pytest.mark.parametrize(
    "line",
    [
        "{} is the first stage of four",
        "In {}: Anna saw Ben",
        "We begin with {}.",
        "{}-based reading helps",
        "{}s: two of them",
        "The **{}** is here",
        "{} and then more:",
        "{}_score = 3",
        "x{}:",
        "{}\u200b:",
        "C\u200bue Encoding:",
        "\u0421ue Encoding:",
        "Re\u017fponse Generation:",  # a long s
    ],
)
def test_a_title_in_a_sentence_is_no_heading(line):
    for stage in STAGES:
        reply = parse(wrap("Anna was out.\n" + line.format(TITLES[stage]) + "\nBen was in."))
        assert not reply.marked


def test_tags_of_a_stage_are_headings_and_the_closing_tag_is_no_body():
    text = "<cue_encoding>Anna saw.</cue_encoding>\nWell.\n<goal_clarification> her key </goal_clarification>\n"
    reply = parse(wrap(text))
    assert bodies(reply) == [("cue_encoding", "Anna saw."), (None, "Well."), ("goal_clarification", "her key")]


def test_stage_tags_may_follow_each_other_on_one_line():
    text = "".join(f"<{stage}>{said}</{stage}> " for stage, said in zip(STAGES, TEXTS, strict=True))
    assert bodies(parse(wrap(text))) == list(zip(STAGES, TEXTS, strict=True))


def test_a_stage_tag_inside_a_line_is_no_heading():
    assert not parse(wrap("Anna wrote <cue_encoding> down.")).marked


def test_a_stage_tag_that_never_closes_runs_to_the_next_heading():
    text = "<cue_encoding>Anna saw.\n<cue_interpretation>She knows.</cue_encoding>"
    reply = parse(wrap(text))
    assert bodies(reply) == [("cue_encoding", "Anna saw."), ("cue_interpretation", "She knows.</cue_encoding>")]


def test_a_closing_tag_ends_no_stage_that_a_heading_opened():
    reply = parse(wrap("Cue Encoding: Anna saw.</cue_encoding> Ben too."))
    assert bodies(reply) == [("cue_encoding", "Anna saw.</cue_encoding> Ben too.")]


def test_a_stage_that_comes_twice_gives_two_segments():
    reply = parse(wrap("Cue Encoding: a\nGoal Clarification: b\nCue Encoding: c"))
    assert bodies(reply) == [("cue_encoding", "a"), ("goal_clarification", "b"), ("cue_encoding", "c")]
    assert reply.stage_text("cue_encoding") == "a\nc"
    assert reply.stage_text("response_generation") == ""


def test_order_in_the_text_is_kept():
    text = reply_text(dict(reversed(list(zip(STAGES, TEXTS, strict=True)))), "B")
    assert [segment.stage for segment in parse(text, OPTIONS).segments] == list(reversed(STAGES))


def test_windows_line_ends_are_line_ends():
    reply = parse(GOOD.replace("\n", "\r\n"), OPTIONS)
    assert bodies(reply) == list(zip(STAGES, TEXTS, strict=True))
