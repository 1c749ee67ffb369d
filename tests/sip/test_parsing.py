"""The parser: known answers worked out by hand, one near-miss a test, properties, and linear time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialr1_lite import sip
from socialr1_lite.sip import STAGES, TITLES, Span, parse, reply_text
from tests.growth import long, no_hang
from tests.sip.replies import CHECKS, GOOD, OPEN, OPTIONS, SCENARIO, TEXTS, bodies, failing, wrap

# --------------------------------------------------------------------------------------------- the good reply


def test_a_well_formed_reply_meets_every_check():
    reply = parse(GOOD, OPTIONS)
    assert reply.checks == dict.fromkeys(CHECKS, True)
    assert list(reply.checks) == list(CHECKS)
    assert reply.well_formed
    assert reply.answer == 1
    assert reply.answer_text == "B"
    assert reply.marked
    assert bodies(reply) == list(zip(STAGES, TEXTS, strict=True))
    assert reply.outside == ()


def test_spans_point_into_the_text():
    text = "<think>Cue Encoding: Anna saw.</think> <answer> B </answer>"
    reply = parse(text, OPTIONS)
    assert reply.think == Span(7, 30)
    assert reply.reasoning == (Span(7, 30),)
    assert reply.answer_span == Span(47, 50)
    assert reply.segments == (sip.Segment("cue_encoding", Span(7, 30), Span(21, 30)),)
    assert text[21:30] == "Anna saw."


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("think>", "thinking>"),
        GOOD.replace("think>", "THINK>"),
        GOOD.replace("answer>", "Answer>"),
        GOOD.replace("<think>", "<Thinking>"),  # an alias may close its alias
        "  \n" + GOOD + "\n\t ",
        GOOD.replace("</think>\n", "</think>"),
    ],
)
def test_tag_names_have_no_case_and_thinking_is_think(text):
    assert failing(text) == []


# ---------------------------------------------------------------------------------------------- format checks


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (GOOD.replace("</think>", "", 1), "one_think"),
        ("<think>Anna saw.</think><think>Ben saw.</think><answer>B</answer>", "one_think"),
        ("<think>Anna saw.</think></think><answer>B</answer>", "one_think"),
        (GOOD + "<answer>B</answer>", "one_answer"),
        (GOOD + "</answer>", "one_answer"),
        ("<answer>B</answer><think>Anna saw.</think>", "think_before_answer"),
        ("Sure! " + GOOD, "nothing_outside"),
        (GOOD + "\nI hope this helps.", "nothing_outside"),
        (GOOD.replace("</think>", "</think> so "), "nothing_outside"),
        (GOOD + "\u200b", "nothing_outside"),
        ("<think>Anna <think>saw.</think><answer>B</answer>", "not_nested"),
        ("<think>Anna <answer>A</answer> saw.</think><answer>B</answer>", "not_nested"),
        ("<think>Anna </answer> saw.</think><answer>B</answer>", "not_nested"),
        ("<think> \n </think><answer>B</answer>", "reasoning_not_empty"),
        ("<think>\u200b ...\u2060</think><answer>B</answer>", "reasoning_not_empty"),
        ("<think></think><answer>B</answer>", "reasoning_not_empty"),
        (wrap("Anna saw.", "A or B"), "answer_names_one_option"),
        (wrap("Anna saw.", " "), "answer_names_one_option"),
    ],
)
def test_each_check_fails_alone(text, check):
    assert failing(text) == [check]


def test_a_text_without_tags_meets_no_check():
    assert failing("B") == list(CHECKS)
    assert failing("") == list(CHECKS)


def test_the_answer_inside_the_reasoning_is_no_answer():
    reply = parse("<think>Anna saw. <answer>B</answer></think>", OPTIONS)
    assert reply.answer is None
    assert reply.answer_span is None
    assert reply.outcome(SCENARIO) == "unreadable"


def test_an_answer_that_never_closes_is_shown_but_not_read():
    reply = parse("<think>Anna saw.</think><answer>B", OPTIONS)
    assert reply.answer is None
    assert reply.answer_text == "B"
    assert not reply.checks["one_answer"]


def test_two_answer_blocks_that_differ_are_unreadable_and_that_agree_are_read():
    assert parse(wrap("x", "A") + "<answer>B</answer>", OPTIONS).answer is None
    assert parse(wrap("x", "B") + "<answer>kitchen</answer>", OPTIONS).answer == 1


def test_a_homoglyph_tag_is_no_tag():
    assert "one_answer" in failing(GOOD.replace("answer>", "\u0430nswer>"))


def test_a_kelvin_sign_is_no_k():
    assert "one_think" in failing(GOOD.replace("think>", "thin\u212a>"))


def test_a_zero_width_space_in_a_tag_makes_it_no_tag():
    assert "one_think" in failing(GOOD.replace("<think>", "<th\u200bink>"))


def test_an_open_ended_answer_only_has_to_be_seen():
    assert failing(wrap("Anna saw.", "in the box"), ()) == []
    assert failing(wrap("Anna saw.", "\U0001f600"), ()) == []
    assert failing(wrap("Anna saw.", "\u200b"), ()) == ["answer_names_one_option"]
    assert failing(wrap("Anna saw.", "box") + "<answer>bag</answer>", ()) == ["one_answer", "answer_names_one_option"]


# ------------------------------------------------------------------------------------- tokens that end a text


@pytest.mark.parametrize(
    "ends",
    [
        "<|im_end|>",
        "<|eot_id|>\n",
        " <|im_end|>\n<|endoftext|><|endoftext|>",
        "</s>",
        "<end_of_turn>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    ],
)
def test_tokens_that_end_a_text_cost_nothing_at_its_very_end(ends):
    assert failing(GOOD + ends) == []
    reply = parse(GOOD + ends, OPTIONS)
    assert replace(reply, text=GOOD) == parse(GOOD, OPTIONS) and reply.text == GOOD + ends


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "<|im_end|> Bye",
        GOOD + "<|im_start|>",  # begins a turn
        GOOD + "<|im_end>",
        GOOD.replace("</think>", "</think><|im_end|>"),
        "<|im_end|>" + GOOD,
    ],
)
def test_anywhere_else_they_are_text(text):
    assert failing(text) == ["nothing_outside"]


def test_a_text_that_such_a_token_ends_was_not_cut_off():
    text = "<think>Cue Encoding: Anna saw.\nCue Interpretation: Anna thi"
    assert states(text + "<|im_end|>") == ["present", "present", "missing", "missing"]
    assert states(text + "<|im_end>") == ["present", "cut off", "missing", "missing"]
    assert parse("<|im_end|>").outside == parse("<|im_end|>").reasoning == ()


# -------------------------------------------------------------------------------------------------- prefilled


def test_a_prefilled_reply_starts_inside_the_block():
    text = reply_text(TEXTS, "B", prefilled=True)
    assert failing(text, prefilled=True) == []
    assert bodies(parse(text, OPTIONS, prefilled=True)) == list(zip(STAGES, TEXTS, strict=True))


def test_prefilled_is_given_and_never_guessed():
    text = reply_text(TEXTS, "B", prefilled=True)
    assert "one_think" in failing(text)


def test_a_prefilled_reply_that_opens_the_block_again_nests():
    assert failing(GOOD, prefilled=True) == ["not_nested"]


def test_a_prefilled_reply_without_any_tag_is_all_reasoning():
    reply = parse("Cue Encoding: Anna saw", prefilled=True)
    assert reply.think == Span(0, 22)
    assert bodies(reply) == [("cue_encoding", "Anna saw")]


# -------------------------------------------------------------------------------- malformed, but never hidden


def test_reasoning_cut_off_runs_to_the_end():
    reply = parse("<think>Cue Encoding: Anna saw.\nCue Interpretation: Anna thi", OPTIONS)
    assert bodies(reply) == [("cue_encoding", "Anna saw."), ("cue_interpretation", "Anna thi")]


def test_unclosed_reasoning_ends_where_the_answer_begins():
    reply = parse("<think>Cue Encoding: Anna saw.\n<answer>B</answer>", OPTIONS)
    assert bodies(reply) == [("cue_encoding", "Anna saw.")]
    assert reply.answer == 1
    assert not reply.checks["one_think"]


def test_without_a_think_block_the_segments_tile_what_stands_outside_the_answer():
    text = "Cue Encoding: Anna saw.\n<answer>B</answer>\nGoal Clarification: her key."
    reply = parse(text, OPTIONS)
    assert reply.think is None
    assert bodies(reply) == [("cue_encoding", "Anna saw."), ("goal_clarification", "her key.")]
    assert reply.outside == ()


def test_a_stray_closing_tag_belongs_to_no_body():
    reply = parse("Cue Encoding: Anna saw.</think><answer>B</answer>", OPTIONS)
    assert bodies(reply) == [("cue_encoding", "Anna saw.")]


def test_text_between_the_blocks_and_second_blocks_are_kept_as_outside():
    text = "Hi <think>Anna saw.</think> so <think>more</think><answer>A</answer><answer>B</answer>"
    reply = parse(text, OPTIONS)
    assert [text[slice(*span)].strip() for span in reply.outside] == ["Hi", "so", "more", "A"]
    assert reply.answer_text == "B"


# ---------------------------------------------------------------------------------------------------- outcome


@pytest.mark.parametrize(("answer", "outcome"), [("B", "right"), ("A", "wrong"), ("A or B", "unreadable")])
def test_outcome_keeps_wrong_and_unreadable_apart(answer, outcome):
    assert parse(wrap("x", answer), OPTIONS).outcome(SCENARIO) == outcome
    assert parse(wrap("x", answer)).outcome(SCENARIO) == outcome  # read without the options at hand


def test_any_accepted_option_is_right():
    assert parse(wrap("x", "A"), OPTIONS).outcome(replace(SCENARIO, gold=(0, 1))) == "right"


@pytest.mark.parametrize(
    ("answer", "outcome"), [("in  the BOX", "right"), ("in the bag", "wrong"), (" ", "unreadable")]
)
def test_open_ended_outcome_by_the_accepted_texts(answer, outcome):
    assert parse(wrap("x", answer)).outcome(OPEN) == outcome


def test_open_ended_without_accepted_texts_cannot_be_told():
    assert parse(wrap("x", "box")).outcome(replace(OPEN, accepted=())) == "unreadable"


# ----------------------------------------------------------------------------------------------- stage states


def states(text: str, **known: bool) -> list[str]:
    return list(sip.stage_states(parse(text, OPTIONS), **known).values())


def marked_as(*stages: str) -> str:
    return wrap("\n".join(f"{TITLES[stage]}: Anna saw Ben." for stage in stages))


def test_states_of_a_good_reply():
    assert states(GOOD) == ["present"] * 4


def test_a_missing_and_an_empty_stage_are_told_apart():
    text = wrap("Cue Encoding: \u200b...\nGoal Clarification: her key\nResponse Generation: box")
    assert states(text) == ["empty", "missing", "present", "present"]


def test_the_stage_in_which_the_text_broke_off_is_cut():
    text = "<think>Cue Encoding: Anna saw.\nCue Interpretation: Anna thi"
    assert states(text) == ["present", "cut off", "missing", "missing"]
    assert sip.cut_stage(parse(text)) == "cue_interpretation"
    assert states(text, truncated=False) == ["present", "present", "missing", "missing"]


def test_a_reply_cut_in_its_answer_cuts_no_stage():
    text = GOOD.removesuffix("</answer>")
    assert states(text, truncated=True) == ["present"] * 4


def test_without_any_tag_only_the_caller_knows_of_a_cut():
    text = "Cue Encoding: Anna saw"
    assert sip.cut_stage(parse(text)) is None
    assert sip.cut_stage(parse(text), truncated=True) == "cue_encoding"


def test_only_the_stage_that_moved_is_out_of_order():
    a, b, c, d = STAGES
    assert states(marked_as(d, a, b, c)) == ["present", "present", "present", "out of order"]
    assert states(marked_as(b, c, d, a)) == ["out of order", "present", "present", "present"]
    assert states(marked_as(b, a, c, d)) == ["out of order", "present", "present", "present"]
    assert states(marked_as(d, c, b, a)) == ["out of order", "out of order", "out of order", "present"]


def test_a_repeated_stage_is_repeated():
    a, b, c, d = STAGES
    assert states(marked_as(a, b, a, c, d)) == ["repeated", "present", "present", "present"]


# ------------------------------------------------------------------------------------------------- properties

PIECES = (
    [f"<{slash}{name}>" for slash in ("", "/") for name in ("think", "Thinking", "ANSWER", *STAGES)]
    + [f"{before}{title}{after}" for before in ("\n", "\n## ", " ") for title in TITLES.values() for after in (":", "")]
    + [
        "\n",
        " ",
        ".",
        "B",
        "B. kitchen",
        "Anna thinks.",
        "She wants it. ",
        "\u200b",
        "\ud800",
        "\x00",
        "\u202e",
        "<",
        "</",
        "<|im_end|>",
    ]
)
anything = st.one_of(
    st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.text().map(wrap)
)


@settings(max_examples=400)
@given(anything, st.booleans(), st.sampled_from([(), OPTIONS]))
def test_any_text_is_read_whole_and_the_same_twice(text, prefilled, options):
    reply = parse(text, options, prefilled=prefilled)
    assert parse(reply.text, options, prefilled=prefilled) == reply
    assert list(reply.checks) == list(CHECKS)
    tiles = [segment.span for segment in reply.segments]
    assert "".join(text[slice(*span)] for span in tiles) == "".join(text[slice(*span)] for span in reply.reasoning)
    for segment in reply.segments:
        assert segment.span.start <= segment.body.start <= segment.body.end <= segment.span.end
        assert reply.body(segment) == reply.body(segment).strip()
    ended = text.rstrip()  # but for tokens at its very end, which belong to nothing
    while ended.endswith("<|im_end|>"):
        ended = ended.removesuffix("<|im_end|>").rstrip()
    rest = text
    for span in [*reply.reasoning, *reply.outside, *filter(None, [reply.answer_span])]:
        assert 0 <= span.start <= span.end <= len(text)
        rest = rest[: span.start] + " " * (span.end - span.start) + rest[span.end :]
    for tag in ("<think>", "<thinking>", "<answer>"):
        for one in (tag, tag.replace("<", "</")):
            while (at := rest.lower().find(one)) >= 0 and rest.isascii():
                rest = rest[:at] + rest[at + len(one) :]
    left = rest.rstrip()
    for _ in range(text.rstrip().count("<|im_end|>") - ended.count("<|im_end|>")):
        left = left.removesuffix("<|im_end|>").rstrip()
    assert not rest.isascii() or left == ""
    assert set(sip.stage_states(reply)) == set(STAGES)
    assert reply.outcome(SCENARIO) in ("right", "wrong", "unreadable")


@given(st.integers(0, 2), st.lists(st.text(alphabet="ab .,!\u00e9", min_size=1), min_size=4, max_size=4))
def test_a_written_reply_is_read_back(index, texts):
    texts = [f"Anna {text.strip()}." for text in texts]
    for prefilled in (False, True):
        for style in ("letter", "text"):
            answer = sip.option_answer(OPTIONS, index, style)
            reply = parse(reply_text(texts, answer, prefilled=prefilled), OPTIONS, prefilled=prefilled)
            assert reply.well_formed
            assert reply.answer == index
            assert bodies(reply) == list(zip(STAGES, texts, strict=True))


# ------------------------------------------------------------------------------------------------ linear time

ADVERSARIAL = [
    "<think>",
    "</think>",
    "<answer",
    "<answer>B</answer>",
    "a<answer>b</answer>",
    "**1. ",
    "Cue Encoding:",
    "\nCue Encoding:",
    "\nCue Encoding (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\n<cue_encoding>",
    "</cue_encoding>",
    "\n################",
    "\nStage 1 Cue ",
    "\nxxi.",
    "\n",
    " ",
    ".",
    "<",
    "x",
    ". a",
    "I think. I want. So I choose. ",
    "\u3002",
    "\u200b",
    "\ud800",
    "<|im_end|>",
    " </s>\n",
]


@pytest.mark.parametrize("unit", ADVERSARIAL, ids=repr)
def test_a_megabyte_is_read(unit):
    for text in (f"{long(unit)}x", f"<think>{long(unit)}x"):
        with no_hang():
            parse(text, OPTIONS)


# ---------------------------------------------------------------------------------- preambles and second blocks


def test_a_preamble_is_read_by_its_words_and_is_no_stages_text():
    preamble = "Okay, let's see. Anna did not see it, so she thinks it is in the box.\n"
    reply = parse(GOOD.replace("<think>\n", f"<think>\n{preamble}"), OPTIONS)
    assert reply.marked and reply.well_formed
    assert [one.stage for one in reply.segments] == [None, "cue_interpretation", *STAGES]
    assert [reply.is_preamble(one) for one in reply.segments] == [True, True, *[False] * 4]
    assert [reply.stage_text(stage) for stage in STAGES] == list(TEXTS)
    assert sip.stage_states(reply) == dict.fromkeys(STAGES, "present")


@pytest.mark.parametrize(
    ("before", "failed"),
    [
        (
            "<think>\nOkay, let's see.\n</think>\n",
            {"one_think"},
        ),  # a second block, as a model with native thinking writes
        ("<think>\nOkay, let's see.\n</think>\n{}", {"nothing_outside"}),  # headings behind the block
        ("<think>\n\n</think>\n{}", {"nothing_outside", "reasoning_not_empty"}),  # thinking switched off
    ],
)
def test_headings_behind_the_think_block_are_read_though_the_format_fails(before, failed):
    text = before.format("") + (GOOD.replace("<think>", "").replace("</think>", "") if "{}" in before else GOOD)
    reply = parse(text, OPTIONS)
    assert {name for name, held in reply.checks.items() if not held} == failed
    assert reply.marked
    assert [reply.stage_text(stage) for stage in STAGES] == list(TEXTS)
    assert reply.outside == ()


def test_headings_behind_headings_stay_outside():
    text = GOOD.replace("<answer>", "\nCue Encoding: once more\n<answer>")
    assert [text[slice(*span)].strip() for span in parse(text, OPTIONS).outside] == ["Cue Encoding: once more"]
