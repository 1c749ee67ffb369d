"""The stage view's figures: nothing hidden, nothing invented, sums that add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite import score as score_command
from socialr1_lite.judges import Verdict, build_judge
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.recipe import JudgeEntry, Recipe, Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rewards.content import Opinion, content
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import COMPONENTS, ComponentInfo, Score, ScoredCompletion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, TraceWriter, read_traces
from socialr1_lite.runlog.rejudged import read_verdicts
from socialr1_lite.sip import STAGES, TITLES, parse, reply_text
from socialr1_lite.viewer import stage
from socialr1_lite.viewer.marks import MAX_MARKED, Mark, best_match, content_words, loops, pieces, stage_marks
from socialr1_lite.viewer.stage import formula, sort_notes, stage_view, story_pieces
from tests.conftest import REPOSITORY, SCENARIO

CUES = "Mara puts the violin in the green trunk. A dragon ate the piano yesterday."
GOOD = {
    STAGES[0]: CUES,
    STAGES[1]: "Mara believes the violin is still in the green trunk.",
    STAGES[2]: "Mara wants to play the violin.",
    STAGES[3]: "She will look in the green trunk.",
}


WEIGHTS = {"outcome": 1.0, "structure": 0.5, "content": 0.5, "format": 0.2, "length": 0.2}
SCORE = Score(
    components={"format": 1.0, "outcome": 1.0, "structure": 0.8, "content": 0.5, "length": 0.9},
    parts={"structure.order": 0.8, "content.cue_encoding": 0.5},
    weights=WEIGHTS,
    mode="gated",
    tau=0.4,
    notes=(),
    outcome="right",
)


def traced(completion: Completion | str, score: Score = SCORE) -> Trace:
    """A trace of that text, whatever it earned."""
    text = Completion(completion, 50) if isinstance(completion, str) else completion
    scored = ScoredCompletion(text, parse(text.text, SCENARIO.options), score)
    return Trace.of(scored, phase="train", step=3, scenario=SCENARIO.id, group=7, index=1, prompt=[], advantage=0.3)


def test_the_ledger_shows_each_judge_and_how_far_they_are_apart() -> None:
    kind, strict = (
        Verdict(dict.fromkeys(STAGES, 0.9) | {STAGES[2]: goal}, (f"{TITLES[STAGES[2]]} {goal}",)) for goal in (0.9, 0.1)
    )
    reply = parse(reply_text(GOOD, "B"), SCENARIO.options)
    (judged,) = content([reply], [Opinion("llm_1", 1.0, [kind]), Opinion("llm_2", 1.0, [strict])], SCENARIO)
    judged_so = traced(reply.text, replace(SCORE, parts=judged.parts, notes=judged.notes))
    terms = {term["name"]: term for term in stage_view(judged_so, SCENARIO)["ledger"]["rows"]}
    parts = {part["name"]: part["value"] for part in terms["content"]["parts"]}
    assert (parts["llm 1"], parts["llm 2"]) == (pytest.approx(0.9), pytest.approx(0.7))
    assert parts["disagreement"] == pytest.approx(0.2)
    assert terms["content"]["why"] == [
        "llm_1: Goal Clarification 0.9",
        "llm_2: Goal Clarification 0.1",
        "content: judges disagree on Goal Clarification: llm_1 0.90, llm_2 0.10",
    ]


def test_cues_are_linked_to_the_sentence_that_they_quote() -> None:
    view = stage_view(traced(reply_text(GOOD, "B")), SCENARIO)
    marked = [piece for piece in view["cards"][0]["segments"][0]["pieces"] if piece.get("k")]
    assert [(piece["k"], piece.get("cue")) for piece in marked] == [(["quote"], [0]), (["invented"], None)]
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


def test_cues_that_a_semicolon_joins_are_marked_one_by_one() -> None:
    """The judge reads each by itself; as one sentence they were said of none of the story's."""
    cue = "Mara puts the violin in the green trunk; Tomas puts the violin in the green trunk;"
    marks = stage_marks(parse(reply_text(GOOD | {STAGES[0]: cue}, "B"), SCENARIO.options), SCENARIO)
    found = [mark for mark in marks if mark.kind in ("quote", "invented")]
    assert [mark.kind for mark in found] == ["quote", "invented"]
    assert [mark.end - mark.start for mark in found] == [len(part) + 1 for part in cue[:-1].split("; ")]


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
    view = stage_view(traced(f"Sure!\n{reply_text(GOOD, 'B')}\nBye."), SCENARIO)
    assert [(part["t"], part["before"]) for part in view["outside"]] == [("Sure!", True), ("Bye.", False)]


@pytest.mark.parametrize(
    "text", ["", "<think>", "just words", "<answer>B</answer>", "<think></think><answer></answer>", "🙂" * 50]
)
def test_every_text_has_a_view(text: str) -> None:
    view = stage_view(traced(text), SCENARIO)
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
    view = stage_view(traced(text), SCENARIO)
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
    st.fixed_dictionaries(dict.fromkeys(COMPONENTS, component)),
    st.sampled_from(("gated", "additive")),
    st.floats(0, 1),
)
def test_what_the_components_add_is_the_total(parts: dict[str, float | None], mode: str, tau: float) -> None:
    score = replace(SCORE, components=parts, mode=mode, tau=tau)
    view = stage_view(traced("x", score), SCENARIO)
    added = [term["contribution"] for term in view["ledger"]["rows"]]
    assert len(added) == len(parts)
    assert sum(x for x in added if x is not None) == pytest.approx(view["total"], abs=1e-9)
    assert view["total"] == pytest.approx(score.total)
    if score.is_scored:
        assert view["ledger"]["formula"].endswith(f" = {score.total:.3f}")


def test_the_formula_is_written_out_with_its_numbers() -> None:
    assert formula(SCORE) == "1.00 × (1·1.00 + 0.40·(0.5·0.80 + 0.5·0.50)) × 0.90 = 1.134"
    additive = replace(
        SCORE,
        mode="additive",
        components={"format": 1.0, "outcome": 1.0, "structure": None, "content": None, "length": 0.5},
    )
    assert formula(additive) == "1·1.00 + 0.2·1.00 + 0.2·0.50 = 1.300"


def test_notes_go_under_the_component_they_speak_of() -> None:
    notes = [
        "coverage 0.75: Goal Clarification is missing",
        "repetition 0.51: loops",
        "outcome: answered 'A'",
        "something else",
    ]
    assert sort_notes(notes) == {"structure": notes[:1], "length": notes[1:2], "outcome": notes[2:3], "": notes[3:]}
    judged = ["wordy: Cue Encoding 0.5", "facts_2: Cue Encoding 0.5", "format: 1 of 7 checks failed"]
    assert sort_notes(judged, ["wordy"]) == {"content": judged[:2], "format": judged[2:]}


def test_notes_and_formula_of_a_component_that_this_module_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        **COMPONENTS,
        "order_of_words": ComponentInfo("term", "Order of words"),
        "calm": ComponentInfo("gate", "Calm"),
    }
    monkeypatch.setattr(stage, "COMPONENTS", table)
    monkeypatch.setattr(stage, "TERMS", ("outcome", "order_of_words"))
    monkeypatch.setattr(stage, "GATES", ("format", "length", "calm"))
    notes = ["order_of_words 0.5: odd", "order 0.75: late", "calm: shouts"]
    assert sort_notes(notes) == {"order_of_words": notes[:1], "structure": notes[1:2], "calm": notes[2:]}
    more = replace(SCORE, components={**SCORE.components, "order_of_words": 0.25, "calm": 0.5})
    assert formula(more).startswith("1.00 × (1·1.00 + 0·0.25 + 0.40·(0.5·0.80 + 0.5·0.50)) × 0.90 × 0.50 = ")
    rows = stage_view(traced("x", more), SCENARIO)["ledger"]["rows"]
    assert [(one["title"], one["role"]) for one in rows[-2:]] == [
        ("Order of words", "weight 0"),
        ("Calm", "gate: multiplies the rest"),
    ]


def written(folder: Path, scored: list[ScoredCompletion]) -> RunFolder:
    """A run of these completions of SCENARIO, as the trainer writes it."""
    run = RunFolder.create(folder)
    run.add_scenarios([SCENARIO])
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write(
            [
                Trace.of(one, phase="train", step=0, scenario=SCENARIO.id, group=0, index=index, prompt=[])
                for index, one in enumerate(scored)
            ]
        )
    return run


def test_the_judges_of_a_training_completion_are_shown_with_their_versions(tmp_path: Path) -> None:
    entries = (JudgeEntry(name="facts"), JudgeEntry(name="rules"))
    rewards = Rewards()
    stack = RewardStack(rewards.model_copy(update={"content": rewards.content.model_copy(update={"judges": entries})}))
    run = written(tmp_path / "run", stack.score([Completion(reply_text(GOOD, "B"), 60)], SCENARIO))
    (trace,) = read_traces(run)
    versions = trace.score.versions
    shown = f"facts v{versions['judge.facts']}, rules v{versions['judge.rules']}"
    assert ("judge", shown) in stage_view(trace, SCENARIO)["facts"]


def test_the_judge_of_a_run_written_before_traces_were_a_type_is_shown() -> None:
    run = RunFolder.open(REPOSITORY / "tests" / "fixtures" / "run_2026_11_22" / "run")
    trained = [trace for trace in read_traces(run) if trace.phase == "train"]
    assert trained
    for trace in trained:
        assert any(name == "judge" and " v1" in value for name, value in stage_view(trace, None)["facts"])


def test_a_failed_completion_is_shown_with_its_error_and_not_as_a_reply(tmp_path: Path) -> None:
    completions = [Completion.failure("HTTP 503: try later"), Completion(reply_text(GOOD, "B"), 60)]
    run = written(tmp_path / "run", RewardStack(Rewards()).score(completions, SCENARIO))
    failed, answered = (stage_view(trace, SCENARIO) for trace in read_traces(run))
    assert (failed["outcome"], failed["failure"], failed["cards"]) == ("failed", "HTTP 503: try later", [])
    assert (
        failed["flags"] == [{"label": "failed: HTTP 503: try later"}] and failed["answer_note"] == "There is no reply."
    )
    assert ("ended by", "an error") in failed["facts"] and failed["ledger"]["formula"] == "Nothing was scored."
    assert failed["ledger"]["rows"] == []
    assert answered["failure"] == "" and len(answered["cards"]) == 4


def test_verdicts_of_a_judge_that_was_asked_again_stand_beside_the_old_scores(tmp_path: Path) -> None:
    run = written(tmp_path / "run", RewardStack(Rewards()).score([Completion(reply_text(GOOD, "B"), 60)], SCENARIO))
    run.recipe.write_text(Recipe().to_yaml(), "utf-8")
    assert score_command.main([str(run.path), "--rejudge", "facts"]) == 0
    (trace,) = read_traces(run)
    verdicts = read_verdicts(run, trace)
    view = stage_view(trace, SCENARIO, verdicts=verdicts)
    (now,) = build_judge("facts", {}).judge([parse(trace.completion.text, SCENARIO.options)], SCENARIO)
    assert now.notes and now.scores[STAGES[0]] is not None
    shown = []
    for card in view["cards"]:
        (verdict,) = card["verdicts"]
        assert verdict["by"] == f"now by facts v{FactsJudge.version}" and verdict["score"] == now.scores[card["stage"]]
        assert card["score"] == trace.score.parts[f"content.{card['stage']}"]
        shown += verdict["notes"]
    (loose,) = view["ledger"]["verdicts"]
    assert sorted([*shown, *loose["notes"]]) == sorted(now.notes) and not loose["failed"]
    assert stage_view(trace, SCENARIO)["cards"][0]["verdicts"] == []


def test_a_flat_group_says_why() -> None:
    assert "all wrong" in stage_view(traced("x"), SCENARIO, [{}, {}], "all wrong")["flat"]
    assert stage_view(traced("x"), SCENARIO, [{}, {}])["flat"] == ""


def test_matching_ignores_endings_and_needs_enough_common_words() -> None:
    story = [content_words("Mara puts the violin in the green trunk"), content_words("Tomas went home")]
    assert best_match("the violins were put into a green trunk", story, 0.5) == 0
    assert best_match("a purple submarine surfaced", story, 0.5) is None
    assert best_match("", story, 0.5) is None


def test_a_huge_reply_is_shown_without_marks_and_quickly() -> None:
    assert stage_marks(parse("Cue Encoding: Mara puts. " * (MAX_MARKED // 20)), SCENARIO) == []
