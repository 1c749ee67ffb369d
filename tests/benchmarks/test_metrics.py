"""The official metrics, worked by hand: one example for each rule of the authors' scorers, odd cases included."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from socialr1_lite.benchmarks import BENCHMARKS, fantom, fantom_metrics, motivebench, simpletom, tactfultom, tombench
from socialr1_lite.benchmarks.base import (
    Answer,
    Item,
    Reading,
    Scores,
    answers_to,
    display,
    majority,
)
from socialr1_lite.benchmarks.emobench import parse_json

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"


def items(name: str) -> dict[str, Item]:
    """The invented items of a benchmark by the last part of their id."""
    return {item.scenario.id.split("/", 1)[1]: item for item in BENCHMARKS[name].load(FIXTURES).items}


def chose(item: Item, choice: int | None, view: str = "", sample: int = 0) -> Answer:
    return Answer(item, view, sample, Reading(choice, "", choice is not None))


def said(item: Item, text: str) -> Answer:
    return Answer(item, "", 0, Reading(None, text, bool(text)))


def value(scores: Scores, name: str) -> float:
    return scores.metrics[name].value


# ------------------------------------------------------------------------------------------------ ToMBench


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([0, 0, 1, 1, 1], 1),
        ([2, 0, 2, 0, 1], 2),  # a tie goes to the one first seen
        ([1, 0, 0, 2, 1], 1),
        ([None, None, None, 0, 0], None),
    ],
)
def test_majority_of_five(votes: list[int | None], expected: int | None) -> None:
    assert majority(votes) == expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("[[B]]", "B"),
        ("Not [[D]] but [[B]]", "B"),  # by letter, not by position
        ("[C] or [[D]]", "D"),  # double brackets first
        ("[C] and then A", "C"),
        ("It is B, I said D", "D"),  # the last capital
        ("Because of Anna", "A"),  # any capital A to D at all
        ("no idea", None),  # the authors count A
    ],
)
def test_tombench_extraction(text: str, letter: str | None) -> None:
    assert tombench.extract(text) == letter


def test_tombench_counts_a_question_by_its_majority_per_task_and_ability() -> None:
    made = items("tombench")
    where, look = made["False Belief Task/1/en"], made["False Belief Task/2/en"]
    answers = [chose(where, c, f"s{n}") for n, c in enumerate([0, 0, 1, 1, 0])]  # gold 0: right
    answers += [chose(look, c, f"s{n}") for n, c in enumerate([0, 1, 0, 1, 2])]  # gold 1: a tie that 0 saw first
    scores = BENCHMARKS["tombench"].score(answers)
    assert value(scores, "accuracy") == 0.5
    assert value(scores, "single_order_accuracy") == 0.5  # 3 + 2 of 10
    assert not scores.metrics["accuracy"].official  # the authors report no overall figure
    assert scores.groups["task"]["False Belief Task"].official
    assert [*scores.groups["ability"]] == ["Belief: Location false beliefs"]  # trailing space folded


def test_tombench_without_any_letter_counts_as_a_and_is_unreadable() -> None:
    item = items("tombench")["False Belief Task/1/en"]
    ask = display(item, (2, 0, 1, 3), "s0")
    (answer,) = answers_to(BENCHMARKS["tombench"], ask, "no idea", official=True)
    assert (answer.reading.choice, answer.reading.readable) == (2, False)


def test_tombench_strips_only_the_options_own_letter() -> None:
    made = items("tombench")
    assert made["False Belief Task/1/en"].scenario.options == ("Garage", "Shed", "A loft", "Garden")
    assert made["False Belief Task/1/zh"].scenario.options == ("车库", "棚子", "阁楼", "花园")
    assert len(made["False Belief Task/3/en"].scenario.options) == 2  # NaN, None and a missing twin


# ------------------------------------------------------------------------------------------------ EmoBench


def test_emobench_understanding_needs_emotion_and_cause() -> None:
    made = items("emobench")
    emotion, cause = made["EU/en/1/emotion"], made["EU/en/1/cause"]
    other, other_cause = made["EU/en/2/emotion"], made["EU/en/2/cause"]
    applied = made["EA/en/1"]
    answers = [chose(emotion, 0), chose(cause, 1), chose(other, 1), chose(other_cause, 1), chose(applied, 0)]
    scores = BENCHMARKS["emobench"].score(answers)
    assert value(scores, "EU en") == 0.5  # row 1 has the cause wrong
    assert value(scores, "EA en") == 1.0
    assert value(scores, "EU en emotion alone") == 1.0
    assert value(scores, "EU en cause alone") == 0.5
    assert scores.groups["category, EU en"]["complex_emotions"].value == 0.0
    assert len(scores.metrics["EU en"].units) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"answer": "B"}', {"answer": "B"}),
        ('Sure:\n```json\n{"answer": "C"}\n```', {"answer": "C"}),
        ('Sure: {"answer": "C"}', {}),  # no fence, so the whole reply must be JSON
        ("B", {}),
        ("[1]", {}),
    ],
)
def test_emobench_reads_json_only(text: str, expected: dict[str, str]) -> None:
    assert parse_json(text) == expected


def test_emobench_official_prompt_asks_both_questions_at_once() -> None:
    bench = BENCHMARKS["emobench"]
    asks = bench.asks([*items("emobench").values()], 0, True)
    assert [ask.partner is not None for ask in asks] == [False, False, True, True]
    answers = answers_to(bench, asks[2], json.dumps({"answer_q1": "A", "answer_q2": "a"}), official=True)
    assert [answer.reading.choice for answer in answers] == [0, None]  # the letter's case counts


# ------------------------------------------------------------------------------------------------ MotiveBench


def test_motivebench_averages_six_orders_and_needs_all_three() -> None:
    made = [*items("motivebench").values()]
    bench = BENCHMARKS["motivebench"]
    asks = bench.asks(made, 0, False)
    assert len(asks) == 18
    # question 1 always right; question 2 in orders 1-3; question 3 in orders 2-4
    right = {"Q1": range(1, 7), "Q2": range(1, 4), "Q3": range(2, 5)}
    answers = [
        chose(
            ask.item,
            ask.item.scenario.gold[0] if int(ask.view[1:]) in right[ask.item.label("question")] else 5,
            ask.view,
        )
        for ask in asks
    ]
    scores = bench.score(answers)
    assert value(scores, "Q1") == 1.0
    assert value(scores, "Q2") == value(scores, "Q3") == 0.5
    assert value(scores, "all three") == pytest.approx(2 / 6)  # orders 2 and 3
    assert value(scores, "accuracy") == pytest.approx(2 / 3)


def test_motivebench_a_scenario_with_a_question_missing_has_no_all_three() -> None:
    made = [*items("motivebench").values()][:2]
    scores = BENCHMARKS["motivebench"].score([chose(item, item.scenario.gold[0], "o1") for item in made])
    assert "all three" not in scores.metrics


def test_motivebench_second_order_is_the_reverse() -> None:
    asks = BENCHMARKS["motivebench"].asks([items("motivebench")["Blog/0/1"]], 0, False)
    assert asks[1].scenario.options[0] == "To hide" and asks[1].scenario.gold == (5,)
    assert asks[2].order == (2, 0, 5, 4, 3, 1)  # [3, 1, 6, 5, 4, 2] of client_eval.py


@pytest.mark.parametrize(
    ("text", "cot", "letter"),
    [
        ("B", False, "B"),
        ("**b** is best", False, "B"),
        ('"C"', False, "C"),
        ("The answer is D", False, "T"),  # the first character, whatever it is
        ("I think so.\n**D**", True, "D"),
        ("so the answer is E.", True, "E"),
        ("", True, ""),
        ("assistant\n\nB", False, "B"),  # their strip takes letters off, not a word
        ("is it B", False, "I"),
        ("aB", False, "B"),
        ("So it is B\nassistant", True, "B"),
    ],
)
def test_motivebench_extraction(text: str, cot: bool, letter: str) -> None:
    assert motivebench.extract(text, cot=cot) == letter


# ------------------------------------------------------------------------------------------------ Hi-ToM


def test_hitom_joint_accuracy_needs_every_lower_order() -> None:
    made = items("hi-tom")
    zero, one, two = made["0"], made["1"], made["2"]
    assert zero.joint == one.joint == two.joint  # the stray *** does not make it another story
    scores = BENCHMARKS["hi-tom"].score([chose(zero, 1), chose(one, 1), chose(two, 0)])
    assert [value(scores, f"order {order}") for order in range(3)] == [1.0, 0.0, 1.0]
    assert [value(scores, f"joint order {order}") for order in range(3)] == [1.0, 0.0, 0.0]


def test_hitom_joint_accuracy_leaves_out_stories_without_a_lower_order() -> None:
    scores = BENCHMARKS["hi-tom"].score([chose(items("hi-tom")["2"], 0)])
    assert "joint order 2" not in scores.metrics
    assert value(scores, "order 2") == 1.0


# ------------------------------------------------------------------------------------------------ SimpleToM


@pytest.mark.parametrize(
    ("text", "cot", "place"),
    [
        ("(B)", False, 1),
        ("(B), not (A)", False, 0),  # in the order of letters
        ("Answer: (B)", False, 1),
        ("(B is right", False, 1),
        ("(A and (B", False, None),
        ("B", False, 1),
        ("Both A and B", False, None),  # two capitals
        ("neither", False, None),
        ("First (A). Therefore, the answer is: (B)", True, 1),
        ("The answer is (A). No, the answer is: (B)", True, 1),  # after the last one
    ],
)
def test_simpletom_extraction(text: str, cot: bool, place: int | None) -> None:
    assert simpletom.extract(text, cot=cot) == place


def test_simpletom_reports_each_question_type() -> None:
    made = items("simpletom")
    answers = [
        chose(made["salt_jar_sev1_aware"], 1),
        chose(made["salt_jar_sev1_action"], 1),
        chose(made["salt_jar_sev1_judge"], None),
    ]
    scores = BENCHMARKS["simpletom"].score(answers)
    assert (value(scores, "aware"), value(scores, "action"), value(scores, "judge")) == (1.0, 0.0, 0.0)
    assert scores.metrics["aware"].official and not scores.metrics["accuracy"].official


# ------------------------------------------------------------------------------------------------ Social IQa


def test_socialiqa_either_copy_of_a_doubled_gold_is_right() -> None:
    made = items("socialiqa")
    assert made["dev/2"].scenario.gold == (0, 1)
    scores = BENCHMARKS["socialiqa"].score([chose(made["dev/1"], 0), chose(made["dev/2"], 0)])
    assert value(scores, "accuracy") == 1.0


# ------------------------------------------------------------------------------------------------ TactfulToM


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("2", 1),
        ("Option 3", 2),
        ("The answer is: 4", 3),
        ("**1**", 0),
        ("# 2. Bo", 1),
        ("12", 0),  # the first character only
        ("5", None),
        ("B", None),
        ("I say 2", None),
        ("", None),
    ],
)
def test_tactfultom_choice_by_number(text: str, place: int | None) -> None:
    assert tactfultom.extract_number(text, 4) == place


@pytest.mark.parametrize(
    ("text", "word"),
    [("Yes.", "yes"), ("No, yes", "yes"), ("no way", "no"), ("Nobody", ""), ("", "")],
)
def test_tactfultom_yes_and_no_are_words(text: str, word: str) -> None:
    assert tactfultom.yes_or_no(text) == word


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Ada, Cy", True),
        ("Cy,Ada", True),
        ("Ada", False),
        ("Ada, Cy, Bo", False),
        ("ada, cy", False),
        ("Ada and Cy", False),
    ],
)
def test_tactfultom_lists_match_as_sets(text: str, right: bool) -> None:
    item = items("tactfultom")["9-0-0-0-info_access_list-0"]
    assert tactfultom.right(said(item, text)) is right


def test_tactfultom_reports_each_category() -> None:
    made = items("tactfultom")
    answers = [
        said(made["9-0-0-0-comprehension-0"], "No."),
        chose(made["9-0-0-0-belief-0"], 0),
        chose(made["9-0-0-0-belief-1"], 1),
        chose(made["9-0-0-0-justification-0"], 0),
        said(made["9-0-0-0-info_access_list-0"], "Ada"),
    ]
    scores = BENCHMARKS["tactfultom"].score(answers)
    assert value(scores, "comprehensionQA") == 1.0
    assert value(scores, "beliefQAs") == 0.5
    assert value(scores, "infoAccessibilityQA_list") == 0.0
    assert value(scores, "choice of four") == 1.0  # belief-1 has two options only
    assert not scores.metrics["justificationQA"].official
    assert scores.groups["access"]["accessible"].value == 0.0


# ------------------------------------------------------------------------------------------------ FANToM


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", 1),
        ("'Yes'", 1),
        ("Well, yes, she does", 1),
        ("No, she does not", 0),
        ("True", 1),
        ("false", 0),
        ("Fin does not know that", 0),
        ("Eva knows that", 1),
        ("She doesn't know it", 0),
        ("No, but Eva knows it", 1),  # yes is looked for first
        ("Yesterday", 1),  # begins with yes
        ("Nobody", 0),  # begins with no
        ("unsure", -1),
    ],
)
def test_fantom_binary_keywords(text: str, expected: int) -> None:
    assert fantom_metrics.binary(text) == expected


@pytest.mark.parametrize(
    ("text", "right"),
    [("eva and GUS", True), ("Eva, Gus, Fin", False), ("Eva", False), ("Evangeline and Gustav", True)],
)
def test_fantom_lists_match_by_substring(text: str, right: bool) -> None:
    assert fantom_metrics.lists_right(text, ["Eva", "Gus"], ["Fin"]) is right


def test_fantom_token_f1() -> None:
    # "the cat is plum" and "plum the cat": 3 shared; precision 3/3, recall 3/4
    assert fantom_metrics.token_f1("the cat is plum", "plum the cat") == pytest.approx(2 * 1 * 0.75 / 1.75)
    assert fantom_metrics.token_f1("a a b", "a a a") == pytest.approx(2 / 3)  # multisets
    assert fantom_metrics.token_f1("Plum", "plum") == 0.0  # case counts for beliefs
    assert fantom_metrics.token_f1("a", "") == 0.0


@pytest.mark.parametrize(
    ("text", "named"),
    [("(a) because", True), ("I choose (a)", True), ("a. yes", True), ("A", True), ("a dog", False), ("b", False)],
)
def test_fantom_letters(text: str, named: bool) -> None:
    assert fantom.names_letter(text, "a") is named


def test_fantom_reply_with_both_letters_counts_as_right() -> None:
    item = items("fantom")["1-0-0/belief0/choice"]
    ask = display(item, (1, 0), "")
    for text, choice in (("(a) or (b)", 0), ("(a)", 1), ("neither", None)):
        (answer,) = answers_to(BENCHMARKS["fantom"], ask, text, official=True)
        assert answer.reading.choice == choice


def nearness(reply: str, reference: str) -> float:
    """A scripted similarity: the reply is the word that the reference must hold."""
    return float(reply in reference)


def fantom_answers(wrong: set[str]) -> list[Answer]:
    """Every invented question answered right, but for those named."""
    answers = []
    for name, item in items("fantom").items():
        good = name not in wrong
        if item.kind == "choice":
            answers.append(chose(item, 0 if good else 1))
        elif item.kind == "belief":
            answers.append(said(item, "does not know" if good else "believes"))
        elif item.kind == "yesno":
            gold = item.scenario.accepted[0]
            answers.append(said(item, gold if good else {"yes": "no", "no": "yes"}[gold]))
        else:
            answers.append(said(item, item.scenario.accepted[0] if good else "Fin"))
    return answers


def test_fantom_all_needs_every_question_of_the_set() -> None:
    scores = fantom_metrics.score_with(fantom_answers({"1-0-0/info_accessibility/list"}), nearness, official=True)
    assert value(scores, "inaccessible: All") == 0.5
    assert value(scores, "inaccessible: All*") == 0.5
    assert value(scores, "accessible: All") == 1.0
    assert value(scores, "inaccessible: Info-Access list") == 0.5
    assert value(scores, "inaccessible: All Info-Access") == 0.5
    assert value(scores, "inaccessible: All Answerability") == 1.0
    assert scores.headline == "inaccessible: All"


def test_fantom_all_star_also_needs_the_distance() -> None:
    scores = fantom_metrics.score_with(fantom_answers({"1-0-0/belief0"}), nearness, official=True)
    assert value(scores, "inaccessible: All") == 1.0
    assert value(scores, "inaccessible: All*") == 0.5
    assert value(scores, "inaccessible: belief distance") == 0.5
    assert value(scores, "inaccessible: belief choice") == 1.0


def test_fantom_a_tie_of_distances_is_wrong() -> None:
    scores = fantom_metrics.score_with(fantom_answers(set()), lambda reply, reference: 1.0, official=True)
    assert value(scores, "inaccessible: belief distance") == 0.0
    assert "inaccessible: belief token-F1 of the right" not in scores.metrics  # averaged over none


def test_fantom_belief_f1_is_over_the_right_ones_only() -> None:
    scores = fantom_metrics.score_with(fantom_answers({"1-0-0/belief0"}), nearness, official=True)
    # set 2: "does not know" against "Fin does not know the name of the cat.": 3 shared of 3 and of 9
    assert value(scores, "inaccessible: belief token-F1 of the right") == pytest.approx(2 * (1 / 3) / (1 + 1 / 3))


def test_fantom_weighted_f1_by_hand() -> None:
    # answerability, inaccessible: gold yes no | yes no; said yes yes | unsure no
    made = items("fantom")
    replies = {"1-0-0/answerability/0": "yes", "1-0-0/answerability/1": "yes",
               "2-0-0/answerability/0": "unsure", "2-0-0/answerability/1": "no"}  # fmt: skip
    answers = [said(made[name], text) for name, text in replies.items()]
    scores = fantom_metrics.score_with(answers, nearness, official=True)
    # yes: said 2, gold 2, both 1 -> F1 1/2; no: said 1, gold 2, both 1 -> 2/3; each weighs one half
    assert value(scores, "inaccessible: Answerability yes/no weighted F1") == pytest.approx((1 / 2 + 2 / 3) / 2)


# What the authors' score_and_analyze, run elsewhere on 48 scripted rows, reports in per cent to one place, and of how many.
DISTANCES = {
    ("inaccessible", "first-order"): (5, 10, 50.0),
    ("inaccessible", "second-order:acyclic"): (7, 9, 77.8),
    ("inaccessible", "second-order:cyclic"): (4, 5, 80.0),
    ("accessible", "first-order"): (5, 7, 71.4),
    ("accessible", "second-order:acyclic"): (5, 11, 45.5),
    ("accessible", "second-order:cyclic"): (2, 6, 33.3),
}
SECOND_ORDER = {"inaccessible": 78.6, "accessible": 41.2}  # of both kinds together


def test_fantom_distance_is_cut_by_order_and_cycle_as_by_the_authors() -> None:
    one = next(item for item in items("fantom").values() if item.kind == "belief")
    answers = []
    for (access, kind), (right, total, _) in DISTANCES.items():
        for place in range(total):
            meta = {**one.scenario.meta, "access": access, "tom_type": kind}
            scenario = replace(one.scenario, id=f"{access}/{kind}/{place}", meta=meta)
            answers.append(said(replace(one, scenario=scenario), "does not know" if place < right else "believes"))
    groups = fantom_metrics.score_with(answers, nearness, official=True).groups
    for (access, kind), (_, total, share) in DISTANCES.items():
        cut = groups[f"tom_type, {access} belief distance"][kind]
        assert (round(100 * cut.value, 1), len(cut.units), cut.official) == (share, total, True)
    for access, share in SECOND_ORDER.items():
        orders = groups[f"order, {access} belief distance"]
        assert round(100 * orders["second-order"].value, 1) == share
        assert orders["first-order"].value == groups[f"tom_type, {access} belief distance"]["first-order"].value
    worded = fantom_metrics.score_with(answers, nearness, official=False).groups
    assert not worded["order, accessible belief distance, by word overlap"]["first-order"].official


def test_fantom_substitute_distance_is_labelled_and_not_official() -> None:
    scores = fantom_metrics.score_with(fantom_answers(set()), fantom_metrics.word_cosine, official=False)
    assert "inaccessible: belief distance" not in scores.metrics
    assert not scores.metrics["inaccessible: belief distance, by word overlap"].official
    assert not scores.metrics["inaccessible: All*, by word overlap"].official
    assert scores.metrics["inaccessible: All"].official


def test_fantom_fact_is_token_f1_over_all_sets() -> None:
    scores = fantom_metrics.score_with(fantom_answers(set()), nearness, official=True)
    assert value(scores, "fact token-F1") == 1.0
    assert len(scores.metrics["fact token-F1"].units) == 3


# ------------------------------------------------------------------------------------------------ stories


def test_stories_twins_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socialr1_lite.benchmarks.stories.COUNT", 4)
    stories = BENCHMARKS["stories"]
    made = stories.load(Path()).items
    pair = [item for item in made if item.joint == made[0].joint]
    assert len(pair) == 2
    scores = stories.score([chose(pair[0], pair[0].scenario.gold[0]), chose(pair[1], None)])
    assert (value(scores, "accuracy"), value(scores, "twin accuracy")) == (0.5, 0.0)
