"""The components one by one: known answers worked out by hand, near misses, and properties over arbitrary text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialr1_lite.rewards import REWARDS, tau
from socialr1_lite.rewards.format import format as format_gate
from socialr1_lite.rewards.length import length, repetition, window
from socialr1_lite.rewards.outcome import outcome
from socialr1_lite.rewards.structure import coverage, independence, order, present_stages, structure
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, parse, reply_text
from tests.conftest import SCENARIO

TEXTS = (
    "Mara puts the violin in the green trunk and leaves the attic.",
    "Mara did not see the move, so she still believes that it lies there.",
    "Mara wants to play, and the question asks where she looks first.",
    "She will look in the green trunk, since that is what she believes.",
)
ARBITRARY = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                "<think>",
                "</think>",
                "<answer>",
                "</answer>",
                "A",
                "B.",
                "option B",
                "\n",
                " ",
                *(f"\n{t}: " for t in TITLES.values()),
                *TEXTS,
            ]
        )
    ).map("".join),
)


def well_formed(*texts: str, answer: str = "B") -> Reply:
    return parse(reply_text(texts or TEXTS, answer), SCENARIO.options)


def in_order(*stages: int) -> Reply:
    lines = "\n".join(f"{TITLES[STAGES[i]]}: {TEXTS[i]}" for i in stages)
    return parse(f"<think>{lines}</think><answer>B</answer>", SCENARIO.options)


@pytest.mark.parametrize("name", REWARDS)
@given(text=ARBITRARY)
@settings(max_examples=60)
def test_every_component_and_part_lies_between_0_and_1(name: str, text: str) -> None:
    told = REWARDS[name](parse(text, SCENARIO.options), SCENARIO, **({"tokens": len(text)} if name == "length" else {}))
    assert all(value is None or 0.0 <= value <= 1.0 for value in (told.value, *told.parts.values()))
    assert told.value is not None


# ------------------------------------------------------------------------------------------ format, outcome


def test_the_strict_gate_is_all_or_nothing_and_the_graded_one_a_share() -> None:
    whole = well_formed()
    assert format_gate(whole, SCENARIO) == (1.0, {}, ())
    broken = parse(whole.text + " So there.", SCENARIO.options)  # fails one check of seven: text outside
    assert format_gate(broken, SCENARIO).value == 0.0
    assert format_gate(broken, SCENARIO, mode="graded").value == pytest.approx(6 / 7)
    assert format_gate(broken, SCENARIO).notes == ("format: 1 of 7 checks failed (nothing_outside)",)
    with pytest.raises(ValueError, match="none of strict, graded"):
        format_gate(whole, SCENARIO, mode="lenient")


def test_the_outcome_says_what_was_answered_and_what_is_accepted() -> None:
    assert outcome(well_formed(), SCENARIO).value == 1.0
    wrong = outcome(well_formed(answer="A"), SCENARIO)
    assert wrong.value == 0.0
    assert wrong.notes == ("outcome: answered 'A', accepted is B (the green trunk)",)
    unreadable = outcome(well_formed(answer="A or B"), SCENARIO)
    assert unreadable.value == 0.0 and "names no single option" in unreadable.notes[0]


def test_an_open_question_with_nothing_accepted_has_no_outcome() -> None:
    asked = Scenario("x/1", "Mara waits.", "What is Mara thinking?")
    assert outcome(parse(reply_text(TEXTS, "of tea")), asked).value is None
    accepting = Scenario("x/2", "Mara waits.", "What is Mara thinking of?", accepted=("Tea",))
    assert outcome(parse(reply_text(TEXTS, "tea")), accepting).value == 1.0


# ------------------------------------------------------------------------------------------------ structure


def test_all_stages_in_order_are_worth_everything() -> None:
    told = structure(well_formed(), SCENARIO)
    assert told == (1.0, {"structure.coverage": 1.0, "structure.order": 1.0, "structure.independence": 1.0}, ())


@pytest.mark.parametrize(
    ("words", "share"), [("one two three", 0.75), ("one two three four", 1.0), ("", 0.75), ("... --- !!!", 0.75)]
)
def test_a_stage_is_present_from_four_words_on(words: str, share: float) -> None:
    assert coverage(well_formed(TEXTS[0], TEXTS[1], words, TEXTS[3])).value == share


def test_near_copies_do_not_count_whichever_came_first() -> None:
    copied = well_formed(TEXTS[0], TEXTS[1], "Now " + TEXTS[1], TEXTS[3])
    assert coverage(copied).value == 0.5
    assert present_stages(copied)["cue_interpretation"] == "says the same as Goal Clarification"
    shares_half = well_formed(TEXTS[0], TEXTS[1], "Mara still believes what she saw and wants music", TEXTS[3])
    assert coverage(shares_half).value == 1.0


@pytest.mark.parametrize(
    ("stages", "value"),
    [
        ((0, 1, 2, 3), 1.0),
        ((3, 2, 1, 0), 0.0),  # 6 inversions of 6 pairs
        ((0, 2, 1, 3), 5 / 6),
        ((3, 0, 1, 2), 3 / 6),
        ((0, 1, 0, 1), 3 / 4),  # back and forth: one inversion of the four pairs of different stages
        ((0, 0, 1, 1), 1.0),  # segments of one stage that follow each other are one
        ((2,), 1.0),
        ((), 1.0),
    ],
)
def test_order_counts_inversions_among_pairs_of_different_stages(stages: tuple[int, ...], value: float) -> None:
    assert order(in_order(*stages)).value == pytest.approx(value)


@given(st.lists(st.integers(0, 3), max_size=9))
def test_order_agrees_with_counting_pairs(stages: list[int]) -> None:
    merged = [stage for place, stage in enumerate(stages) if place == 0 or stages[place - 1] != stage]
    pairs = [(a, b) for i, a in enumerate(merged) for b in merged[i + 1 :] if a != b]
    expected = 1.0 - sum(a > b for a, b in pairs) / len(pairs) if pairs else 1.0
    assert order(in_order(*stages)).value == pytest.approx(expected)


def test_the_order_note_names_the_stages_and_the_number() -> None:
    assert order(in_order(0, 2, 1, 3)).notes == ("order 0.83: Goal Clarification comes before Cue Interpretation",)


@pytest.mark.parametrize(
    ("early", "named"),
    [
        ("Option B fits.", "Option B"),
        ("I would say (B) here.", "(B)"),
        ("The answer is B.", "answer is B"),
        ("The answer is trunk.", "answer is"),  # announced, whatever follows
        ("B is right.", "B is right"),
        ("I choose the trunk.", "I choose"),
        ("answer: B", "answer: B"),
    ],
)
def test_settling_early_costs_half(early: str, named: str) -> None:
    told = independence(well_formed(f"{early} {TEXTS[0]}", *TEXTS[1:]), SCENARIO)
    assert told.value == 0.5
    where = len("<think>\nCue Encoding: ") + early.index(named)
    assert told.notes == (f"independence 0.50: early answer: {named!r} at character {where}",)


@pytest.mark.parametrize(
    "innocent",
    [
        "She may look in the green trunk.",  # a phrase of the story
        "A violin lies there.",  # an article
        "I see Mara go.",
        "She has no option but to wait.",
        "Plan (D) was never told.",  # no such option
        "Who answers is told later.",
    ],
)
def test_words_that_only_look_like_settling_cost_nothing(innocent: str) -> None:
    assert independence(well_formed(f"{innocent} {TEXTS[0]}", *TEXTS[1:]), SCENARIO).value == 1.0


def test_settling_is_free_in_the_response_and_an_empty_response_first_exempts_nothing() -> None:
    assert independence(well_formed(*TEXTS[:3], "So the answer is B."), SCENARIO).value == 1.0
    first = f"<think>Response Generation:\nCue Encoding: It has to be option B. B it is. {TEXTS[0]}</think>"
    assert independence(parse(first + "<answer>B</answer>", SCENARIO.options), SCENARIO).value == 0.0


# --------------------------------------------------------------------------------------- length, repetition


def test_the_window_is_half_at_both_edges_and_safe_far_outside() -> None:
    assert window(40) == pytest.approx(0.5)
    assert window(400) == pytest.approx(0.5)
    assert window(220) == pytest.approx(1.0, abs=1e-9)
    assert window(0) == pytest.approx(1 / (1 + math.exp(50 * 40 / 360)))
    assert 0.0 <= window(10**9) < 1e-12
    assert window(-(10**9)) >= 0.0
    with pytest.raises(ValueError, match="must be below"):
        window(10, min_tokens=40, max_tokens=40)


def test_repetition_by_hand() -> None:
    assert repetition("one two three") == 0.0
    assert repetition("a b c d e f g h") == 0.0
    looped = "the cat sat down " * 5  # 20 words, 17 four-grams, 4 distinct: dup = 13/17
    assert repetition(looped) == pytest.approx((13 / 17 - 0.1) / 0.9)
    assert repetition(looped.upper() + ".", tolerance=0.0) == pytest.approx(13 / 17)
    assert repetition("她看见了。" * 20) > 0.8  # no spaces between the words, and still a loop


def test_length_multiplies_its_parts_and_names_its_numbers() -> None:
    reply = parse("the cat sat down " * 5)
    told = length(reply, SCENARIO, tokens=40)
    assert told.value == pytest.approx(0.5 * (1 - repetition(reply.text)))
    assert told.notes[0] == "length 0.50: 40 tokens is short for the window 40 to 400"
    assert told.notes[1].startswith("repetition 0.74")


# ----------------------------------------------------------------------------------------------- curriculum


def test_tau_is_flat_then_rises_then_stays() -> None:
    assert [tau(step, 100) for step in (0, 10, 35, 60, 100)] == pytest.approx([0.2, 0.2, 0.6, 1.0, 1.0])
    assert tau(7, 0) == 1.0
    assert tau(5, 10, p0=0.5, p1=0.5) == 0.2  # a step function: the early value holds at the edge itself
    assert tau(6, 10, p0=0.5, p1=0.5) == 1.0


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_tau_never_falls_and_stays_within_its_range(step: int, more: int, tau0: float, one: float, two: float) -> None:
    p0, p1 = sorted((one, two))
    first, then = (tau(at, 200, tau0=tau0, p0=p0, p1=p1) for at in sorted((min(step, 200), min(step + more, 200))))
    assert tau0 - 1e-12 <= first <= then + 1e-12 <= 1.0 + 2e-12


@pytest.mark.parametrize("wrong", [{"tau0": 1.1}, {"p0": 0.7}, {"p1": 1.1}])
def test_tau_refuses_a_schedule_that_is_none(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="curriculum"):
        tau(0, 10, **wrong)
