"""Structure of thinking without headings, of preambles, and settling on an option by position."""

from __future__ import annotations

import pytest

from socialr1_lite.judges.corpus import LabelledReply, read_corpus
from socialr1_lite.judges.unmarked_agreement import rewordings
from socialr1_lite.rewards.structure import coverage, early_answers, independence, order, structure
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply, parse, reply_text

ASKED = Scenario(
    "s/1",
    "Anna puts the key in the tin and leaves. Ben moves it to the drawer.",
    "Where will Anna look?",
    ("In the tin", "In the drawer", "In the basket"),
    (0,),
)
CUES = "Anna puts the key in the tin and goes out. Then Ben moves it to the drawer."
MIND = "Anna didn't see Ben move it. So she still believes that the key is in the tin."
GOAL = "She wants to have her key."
TRAIN = [one for one in read_corpus("unmarked", "train") if one.sentences]


def thought(*parts: str, answer: str = "A") -> Reply:
    return parse(f"<think>\n{' '.join(parts)}\n</think>\n<answer>{answer}</answer>", ASKED.options)


def test_thinking_aloud_with_all_stages_is_worth_everything() -> None:
    reply = thought("Okay, let's see.", CUES, "Hmm.", MIND, GOAL, "So it's A.")
    assert not reply.marked
    assert structure(reply, ASKED).value == 1.0, structure(reply, ASKED).notes


def test_one_sentence_is_enough_and_none_is_not() -> None:
    assert coverage(thought(CUES, MIND, GOAL, "B.")).value == 1.0  # a closing label is a response
    assert coverage(thought(CUES, MIND, GOAL)).value == 0.75
    assert coverage(thought("Okay, let's see.", "Hmm.", "Let me think.")).value == 0.0


def test_double_checking_is_no_fault_and_a_response_before_any_interpretation_is() -> None:
    again = thought(CUES, MIND, "So it's A.", "Wait, let me check.", CUES, MIND, GOAL, "Yes, the answer is A.")
    assert order(again).value == 1.0
    hasty = thought("The answer is A.", CUES, MIND, GOAL, "So it's A.")
    assert order(hasty).value == 0.5
    assert order(hasty).notes == ("order 0.50: Response Generation comes before any Cue Interpretation",)


@pytest.mark.parametrize(
    "early", ["It has to be A.", "I think it's A.", "Option A, since she left.", "Clearly it's the tin one."]
)
@pytest.mark.parametrize("place", [0, 1])
def test_settling_before_the_interpretation_is_early_in_whatever_stage(early: str, place: int) -> None:
    said = [CUES, MIND, GOAL, "So it's A."]
    reply = thought(*said[:place], early, *said[place:])
    (where,) = early_answers(reply, ASKED)
    assert early.startswith(reply.text[where.start : where.end]) or reply.text[where.start : where.end] in early
    assert independence(reply, ASKED).value == 0.5
    # under headings too, and for a wrong answer as for a right one
    stages = [CUES, MIND, GOAL, "So it is the tin."]
    stages[place] = f"{early} {stages[place]}"
    for answer in "AB":
        wrong = [text.replace("A", answer) for text in stages] if answer == "B" else stages
        marked = parse(reply_text(wrong, answer), ASKED.options)
        assert independence(marked, ASKED).value == (0.5 if answer == "A" or "tin" not in early else 1.0)


@pytest.mark.parametrize(
    "said",
    [
        "A says the tin, B the drawer, C the basket.",
        "Could it be A?",
        "If she had seen it, it would be B.",
        "B is out.",
        "It would be easy to say A here.",
        "Let me look at A first.",
        "I shouldn't settle on A yet.",
        'Option A reads "In the tin".',
    ],
)
def test_reading_options_asking_and_excluding_is_not_settling(said: str) -> None:
    assert independence(thought(said, CUES, MIND, GOAL, "So it's A."), ASKED).value == 1.0
    assert independence(parse(reply_text([f"{said} {CUES}", MIND, GOAL, "A."], "A"), ASKED.options), ASKED).value == 1.0


FELT = Scenario("s/2", CUES, "How will Anna feel?", ("sad surprise", "expected joy"), (0,))


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("That is why Anna will feel sad surprise.", 1.0),
        ("In this situation, Anna will feel sad surprise.", 1.0),
        ("Clearly the answer is sad surprise.", 0.5),
        ("I choose sad surprise for Anna.", 0.5),
        ("A, because Anna will feel sad surprise.", 0.5),
    ],
)
def test_an_interpretation_under_its_heading_may_use_an_options_words_and_not_settle(said: str, value: float) -> None:
    reply = parse(reply_text([CUES, f"{said} {MIND}", GOAL, "So it is sad surprise."], "A"), FELT.options)
    assert independence(reply, FELT).value == value


@pytest.mark.parametrize(
    "said", ["Sad surprise it is.", "Therefore sad surprise.", "It's sad surprise.", "I choose sad surprise."]
)
def test_under_any_other_heading_an_options_words_settle_as_before(said: str) -> None:
    reply = parse(reply_text([f"{said} {CUES}", MIND, GOAL, "So it is sad surprise."], "A"), FELT.options)
    assert independence(reply, FELT).value == 0.5


def test_quoting_the_story_in_an_options_words_settles_nothing() -> None:
    story = "Anna is sad, for sad surprise is what she felt. Ben left the room."
    felt = Scenario("s/3", story, "How will Anna feel?", ("sad surprise", "expected joy"), (0,))
    for quoted in (
        "I note: Anna is sad, for sad surprise is what she felt.",
        "Ben left the room; anna is sad, for sad surprise is what she felt.",
    ):
        reply = parse(reply_text([quoted, MIND, GOAL, "So it is sad surprise."], "A"), felt.options)
        assert independence(reply, felt).value == 1.0


def test_a_lone_label_is_a_sentence_and_settles() -> None:
    for said in ("A.", "So A.", "Wait, A.", "First off, A."):
        for behind in (CUES, f"I see that {CUES}"):
            reply = thought(said, behind, MIND, GOAL, "So it's A.")
            assert independence(reply, ASKED).value == order(reply).value == 0.5, said
            assert coverage(reply).value == 1.0


def test_a_conclusion_is_not_early() -> None:
    assert independence(thought(CUES, GOAL, "So it's A.", "The answer is A."), ASKED).value == 1.0
    after = thought(CUES, MIND, "So it's A.", "Let me check B.", "B is where the key really is.", GOAL, "A.")
    assert independence(after, ASKED).value == 1.0
    assert independence(thought("Anna didn't see it, so she thinks of the tin, so it's A.", MIND), ASKED).value == 1.0


def test_an_option_that_is_taken_back_was_not_settled_on() -> None:
    first = thought("I'd say B.", "But that is too quick.", CUES, MIND, GOAL, "So it's A.")
    assert independence(first, ASKED).value == 1.0
    assert independence(thought("I'd say B.", CUES, MIND, GOAL, "So it's A."), ASKED).value == 0.5


@pytest.mark.parametrize("preamble", ["Okay, let's see.", f"Hmm. {CUES} {GOAL} Let me go through the stages.", MIND])
def test_a_preamble_is_read_and_costs_nothing(preamble: str) -> None:
    whole = parse(reply_text([CUES, MIND, GOAL, "So it is A."], "A"), ASKED.options)
    with_it = parse(whole.text.replace("<think>\n", f"<think>\n{preamble}\n"), ASKED.options)
    assert structure(with_it, ASKED) == structure(whole, ASKED) and structure(whole, ASKED).value == 1.0
    settled = parse(whole.text.replace("<think>\n", "<think>\nIt must be A.\n"), ASKED.options)
    assert structure(settled, ASKED).value == 0.5


@pytest.mark.parametrize("one", TRAIN, ids=lambda one: one.id)
def test_harmless_rewordings_move_structure_by_a_twentieth_at_most(one: LabelledReply) -> None:
    before = structure(parse(one.completion, one.scenario.options), one.scenario)
    for said in rewordings(one.completion):
        after = structure(parse(said, one.scenario.options), one.scenario)
        assert after.value == pytest.approx(before.value, abs=0.05), (said, after.notes)


def test_rewordings_change_the_thinking_alone() -> None:
    one = TRAIN[0]
    found = list(rewordings(one.completion))
    assert len(set(found) - {one.completion}) > 5
    assert all(said.endswith(one.completion[one.completion.index("</think>") :]) for said in found)
