"""The stage view's figures: nothing hidden, nothing invented, sums that add up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite.judges import Verdict
from socialr1_lite.rewards.content import Opinion, content
from socialr1_lite.rollouts.reward import total_reward
from socialr1_lite.sip import STAGES, TITLES, parse, reply_text
from socialr1_lite.viewer.marks import MAX_MARKED, Mark, best_match, content_words, loops, pieces, stage_marks
from socialr1_lite.viewer.stage import contribution, formula, gate_product, sort_notes, stage_view, story_pieces
from tests.conftest import SCENARIO

CUES = "Mara puts the violin in the green trunk. A dragon ate the piano yesterday."
GOOD = {
    STAGES[0]: CUES,
    STAGES[1]: "Mara believes the violin is still in the green trunk.",
    STAGES[2]: "Mara wants to play the violin.",
    STAGES[3]: "She will look in the green trunk.",
}


def row(text: str, **more: Any) -> dict[str, Any]:
    facts = {
        "phase": "train",
        "step": 3,
        "segment": 0,
        "group": 7,
        "index": 1,
        "scenario": SCENARIO.id,
        "prompt": [],
        "completion": text,
        "prefilled": False,
        "tokens": 50,
        "finish": "stop",
        "components": {"format": 1.0, "outcome": 1.0, "structure": 0.8, "content": 0.5, "length": 0.9},
        "parts": {"structure.order": 0.8, "content.cue_encoding": 0.5},
        "weights": {"outcome": 1.0, "structure": 0.5, "content": 0.5, "format": 0.2, "length": 0.2},
        "mode": "gated",
        "tau": 0.4,
        "outcome": "right",
        "advantage": 0.3,
        "answer": 1,
        "notes": [],
        "superseded": False,
    }
    return facts | more


def test_the_ledger_shows_each_judge_and_how_far_they_are_apart() -> None:
    kind, strict = (
        Verdict(dict.fromkeys(STAGES, 0.9) | {STAGES[2]: goal}, (f"{TITLES[STAGES[2]]} {goal}",)) for goal in (0.9, 0.1)
    )
    reply = parse(reply_text(GOOD, "B"), SCENARIO.options)
    (judged,) = content([reply], [Opinion("llm_1", 1.0, [kind]), Opinion("llm_2", 1.0, [strict])])
    told = row(reply.text, parts=judged.parts, notes=list(judged.notes))
    terms = {term["name"]: term for term in stage_view(told, SCENARIO, [])["ledger"]["rows"]}
    parts = {part["name"]: part["value"] for part in terms["content"]["parts"]}
    assert (parts["llm 1"], parts["llm 2"]) == (pytest.approx(0.9), pytest.approx(0.7))
    assert parts["disagreement"] == pytest.approx(0.2)
    assert terms["content"]["why"] == [
        "llm_1: Goal Clarification 0.9",
        "llm_2: Goal Clarification 0.1",
        "content: judges disagree on Goal Clarification: llm_1 0.90, llm_2 0.10",
    ]


def test_cues_are_linked_to_the_sentence_that_they_quote() -> None:
    view = stage_view(row(reply_text(GOOD, "B")), SCENARIO, [])
    told = [piece for piece in view["cards"][0]["segments"][0]["pieces"] if piece.get("k")]
    assert [(piece["k"], piece.get("cue")) for piece in told] == [(["quote"], [0]), (["invented"], None)]
    assert [part["quoted"] for part in view["scenario"]["story"] if part["sentence"] is not None] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("cue", "kind"),
    [
        ("Mara puts the violin in the green trunk.", "quote"),
        ("Mara put her violin into the trunk.", "quote"),
        ("Tomas puts the violin in the green trunk.", "invented"),
        ("Mara puts the violin in the wicker basket.", "invented"),
        ("Mara does not put the violin in the green trunk.", "invented"),
    ],
)
def test_a_cue_told_of_the_wrong_one_is_no_quote(cue: str, kind: str) -> None:
    marks = stage_marks(parse(reply_text(GOOD | {STAGES[0]: cue}, "B"), SCENARIO.options), SCENARIO)
    assert [mark.kind for mark in marks if mark.kind in ("quote", "invented")] == [kind]


def test_an_interpretation_names_the_cue_that_it_uses_only_when_that_was_encoded() -> None:
    def uses(stages: dict[str, str]) -> list[Any]:
        marks = stage_marks(parse(reply_text(stages, "B"), SCENARIO.options), SCENARIO)
        return [mark.cues for mark in marks if mark.kind == "uses"]

    assert uses(GOOD) == [(0,)]
    assert uses(GOOD | {STAGES[0]: "Nothing at all was seen here by anybody."}) == []


def test_an_option_named_before_the_response_is_marked() -> None:
    hasty = GOOD | {STAGES[0]: f"The answer is B. {CUES}"}

    def kinds(stages: dict[str, str]) -> set[str]:
        return {mark.kind for mark in stage_marks(parse(reply_text(stages, "B"), SCENARIO.options), SCENARIO)}

    assert "early" in kinds(hasty)
    assert "early" not in kinds(GOOD)
    assert "early" not in kinds(GOOD | {STAGES[3]: "So option B it is."})


def test_a_stretch_said_again_is_a_loop_and_a_short_phrase_is_not() -> None:
    long = "the violin is now in the wicker basket in the attic"
    again = parse(f"<think>{long}. And {long}.</think><answer>A</answer>")
    assert [again.text[mark.start : mark.end] for mark in loops(again)] == [long]
    assert loops(parse("<think>in the green trunk, yes in the green trunk</think>")) == []


def test_text_outside_the_stages_is_shown_with_its_place() -> None:
    view = stage_view(row(f"Sure!\n{reply_text(GOOD, 'B')}\nBye."), SCENARIO, [])
    assert [(part["t"], part["before"]) for part in view["outside"]] == [("Sure!", True), ("Bye.", False)]


@pytest.mark.parametrize(
    "text", ["", "<think>", "just words", "<answer>B</answer>", "<think></think><answer></answer>", "🙂" * 50]
)
def test_every_text_has_a_view(text: str) -> None:
    view = stage_view(row(text), SCENARIO, [])
    assert [card["stage"] for card in view["cards"]] == list(STAGES)
    assert view["completion"] == text


@given(
    st.lists(
        st.sampled_from(
            [
                "<think>",
                "</think>",
                "<answer>B</answer>",
                "Cue Encoding: ",
                "\nGoal Clarification:",
                "Mara saw it. ",
                "🙂 x\n",
                "Response Generation: so. ",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_no_word_of_a_reply_is_hidden(text: str) -> None:
    view = stage_view(row(text), SCENARIO, [])
    shown = "".join(piece["t"] for card in view["cards"] for segment in card["segments"] for piece in segment["pieces"])
    shown += "".join(part["t"] for part in view["outside"]) + view["answer_text"]
    for word in ("Mara", "🙂"):
        assert shown.count(word) == text.count(word)


@given(
    st.text(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from("ab")), max_size=5)
)
def test_pieces_joined_give_the_text_back(text: str, spans: list[tuple[int, int, str]]) -> None:
    marks = [Mark(min(a, b), max(a, b), kind) for a, b, kind in spans]
    assert "".join(piece["t"] for piece in pieces(text, (0, len(text)), marks)) == text


@given(st.text(alphabet="Mara saw. Tom!\n🙂", max_size=60))
def test_story_pieces_joined_give_the_story_back(story: str) -> None:
    assert "".join(part["t"] for part in story_pieces(story, {0}, {1})) == story


component = st.one_of(st.none(), st.floats(0, 1))


@given(
    st.fixed_dictionaries({name: component for name in ("format", "outcome", "structure", "content", "length")}),
    st.sampled_from(("gated", "additive")),
    st.floats(0, 1),
)
def test_what_the_components_add_is_the_total(parts: dict[str, float | None], mode: str, tau: float) -> None:
    one = row("x", components=parts, mode=mode, tau=tau)
    told = [contribution(name, one, gate_product(one)) for name in parts]
    assert sum(x for x in told if x is not None) == pytest.approx(
        total_reward(parts, one["weights"], mode, tau), abs=1e-9
    )


def test_the_formula_is_written_out_with_its_numbers() -> None:
    assert formula(row("x"), 1.134) == "1.00 × (1·1.00 + 0.40·(0.5·0.80 + 0.5·0.50)) × 0.90 = 1.134"
    additive = row(
        "x",
        mode="additive",
        components={"format": 1.0, "outcome": 1.0, "structure": None, "content": None, "length": 0.5},
    )
    assert formula(additive, 1.3) == "1·1.00 + 0.2·1.00 + 0.2·0.50 = 1.300"


def test_notes_go_under_the_component_they_speak_of() -> None:
    notes = [
        "coverage 0.75: Goal Clarification is missing",
        "repetition 0.51: loops",
        "outcome: answered 'A'",
        "something else",
    ]
    assert sort_notes(notes) == {"structure": notes[:1], "length": notes[1:2], "outcome": notes[2:3], "": notes[3:]}


def test_a_flat_group_says_why() -> None:
    assert "all wrong" in stage_view(row("x"), SCENARIO, [{}, {}], "all wrong")["flat"]
    assert stage_view(row("x"), SCENARIO, [{}, {}])["flat"] == ""


def test_matching_ignores_endings_and_needs_enough_common_words() -> None:
    story = [content_words("Mara puts the violin in the green trunk"), content_words("Tomas went home")]
    assert best_match("the violins were put into a green trunk", story, 0.5) == 0
    assert best_match("a purple submarine surfaced", story, 0.5) is None
    assert best_match("", story, 0.5) is None


def test_a_huge_reply_is_shown_without_marks_and_quickly() -> None:
    assert stage_marks(parse("Cue Encoding: Mara puts. " * (MAX_MARKED // 20)), SCENARIO) == []
