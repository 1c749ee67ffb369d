"""Free wording: what the facts judge reads in it, and near misses that differ in a word; one kind after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialr1_lite.judges import build_judge
from socialr1_lite.judges.agreement import as_text, judge_replies
from socialr1_lite.judges.corpus import LabelledReply
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.judges.language.clauses import read_clauses
from socialr1_lite.judges.language.lexicon import letters_in
from socialr1_lite.judges.language.world import chains_of, statements, world_of
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES, parse, reply_text
from tests.growth import long, no_hang

JUDGE = FactsJudge()
SENTENCES = (
    "Mara, Tom and Lisa were in the kitchen.", "Mara put the flute in the trunk.", "Mara left the kitchen.",
    "Tom moved the flute from the trunk to the basket.", "Tom left the kitchen.", "Lisa hummed a tune.",
    "Lisa told Tom in private that the flute was in the oven.", "Now Mara needs the flute.",
)  # fmt: skip
PLACES = ("the trunk", "the basket", "the oven")


def place(*holders: str, value: str) -> Claim:
    return Claim(holders, "the flute", "is in", value, tuple(one for one in PLACES if one != value))


WORLD = Facts(
    people=("Mara", "Tom", "Lisa"),
    things=("flute", "trunk", "basket", "oven"),
    sentences=SENTENCES,
    cues=(1, 2, 3),
    claims=(
        place("Tom", "Mara", value="the trunk"),
        Claim(("Tom",), "Mara", "does not know", "where the flute really is"),
        place(value="the basket"),
        place("Mara", value="the trunk"),
        Claim((), "Mara", "does not know", "where the flute really is"),
        place("Lisa", value="the basket"),
    ),
    deciding=(0, 1),
    goal=Claim((), "Mara", "wants", "to find the flute", ("to hide the flute",)),
    goals=(Claim((), "Tom", "wants", "Mara to miss the flute", ("Mara to find the flute",)),),
    genders=("she", "he", "she"),
)
SCENARIO = Scenario(
    "reading/1",
    " ".join(SENTENCES),
    "Where does Tom think that Mara will look for the flute?",
    PLACES,
    (0,),
    facts=WORLD,
)
GOOD = (
    " ".join(SENTENCES[1:4]),
    "Tom thinks that Mara thinks that the flute is in the trunk.",
    "Mara wants to find the flute.",
    "So the answer is the trunk.",
)


def score(index: int, text: str, scenario: Scenario = SCENARIO, answer: str = "A") -> float:
    texts = [text if i == index else good for i, good in enumerate(GOOD)]
    value = JUDGE.judge([parse(reply_text(texts, answer), scenario.options)], scenario)[0].scores[STAGES[index]]
    assert value is not None
    return value


HOLDING = (
    "Tom is convinced that Mara {} it is in the trunk.", "Tom is under the impression that Mara {} it is in the trunk.",
    "Tom assumes Mara still {} it is in the trunk.", "Tom takes Mara to {} it is in the trunk.", "Tom figures Mara {} it is in the trunk.",
    "In Tom's view Mara {} the flute is in the trunk.", "As Tom sees it, Mara {} the flute is in the trunk.", "To Tom's mind, Mara {} it is in the trunk.",
    "For Tom, Mara {} the flute is in the trunk.", "Tom reckons that Mara, who had left, {} it is in the trunk.",
)  # fmt: skip


@pytest.mark.parametrize("text", HOLDING)
def test_holding_words_open_a_mind(text: str) -> None:
    believe = "believe" if "takes" in text else "believes"
    assert score(1, text.format(believe)) == 1.0
    assert score(1, text.format(believe).replace("trunk", "basket")) == 0.0
    assert score(1, text.format(believe).replace("Tom", "Lisa")) < 0.8


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("He thinks that she thinks it is in the trunk.", "He thinks that she thinks it is in the oven."),
        ("Tom saw her leave, so he expects her to look in the trunk.", "Tom saw her leave, so he expects her to look in the basket."),
        ("Tom believes that Mara has the trunk in mind.", "Tom believes that Mara has the oven in mind."),
        ("Tom knows she has no idea where the flute is.", "Tom knows she knows where the flute is."),
        ("Tom thinks that Mara is unaware of where the flute is.", "Tom thinks that Mara is aware of where the flute is."),
        ("Tom assumes Mara believes in the trunk.", "Tom doubts that Mara believes in the trunk."),
        ("Mara thinks the trunk, and Tom knows that she thinks so.", "Mara thinks the oven, and Tom knows that she thinks so."),
        ("Lisa told Tom about the oven, but Tom thinks Mara thinks it is in the trunk.",
         "Mara told Tom about the oven, but Tom thinks Mara thinks it is in the trunk."),  # a reason that is false
        ("Tom thinks Mara thinks it is in the trunk, because she left.",
         "Tom thinks Mara thinks it is in the trunk, because she saw it go into the basket."),
        ("Nobody noticed her, but Tom thinks that Mara thinks it is in the trunk.",
         "Nobody noticed her, but Tom does not think that Mara thinks it is in the trunk."),
        ("Tom thinks that Mara thinks that the flute is in the trunk.", "Tom thinks that the trunk needs cleaning."),
        ("Tom thinks that Mara thinks that it is in the trunk.", "Mara thinks that Tom thinks that it is in the trunk."),
        ("Tom thinks that Mara thinks that it is in the trunk.", "Tom thinks that Mara thinks that Lisa thinks that it is in the trunk."),
        ("Tom thinks Mara thinks it is in the trunk. She feels calm.", "Tom thinks Mara thinks it is in the trunk. She feels jealous."),
    ],
)  # fmt: skip
def test_an_interpretation_and_its_near_miss(right: str, wrong: str) -> None:
    assert score(1, right) >= 0.9
    assert score(1, wrong) <= 0.81 * score(1, right)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Mara would like to get hold of the flute.", "Mara would like to hide the flute."),
        ("Mara is after the flute.", "Lisa is after the flute."),
        ("The aim of Mara is to find it.", "The aim of Mara is to miss it."),
        ("Tom wants Mara to miss the flute.", "Tom wants Mara to find the basket."),
        ("The question asks where Tom thinks Mara will look.", "The question is some question or other."),
        ("I need to find out where Mara looks for the flute in Tom's view.", "I need to solve this with care."),
        ("Mara wants the flute.", "This means that Mara believes the flute is in the trunk."),
    ],
)
def test_a_goal_and_its_near_miss(right: str, wrong: str) -> None:
    assert score(2, right) >= 0.85
    assert score(2, wrong) <= 0.6


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Mara put the flute in the trunk and left. Then it was moved to the basket by Tom.",
         "Mara put the flute in the trunk and left. Then it was moved to the basket by Lisa."),
        ("The flute goes from the trunk to the basket, Tom's doing, after Mara, who had put it there, has left.",
         "The flute goes from the trunk to the oven, Tom's doing, after Mara, who had put it there, has left."),
        ("In the trunk first, Mara's doing; she leaves; Tom moves the flute to the basket.",
         "In the trunk first, Mara's doing; Lisa leaves; Tom moves the flute to the basket."),
        ("Tom moved the flute from the trunk, where Mara had put it before she left, to the basket.",
         "Tom moved the flute from the basket, where Mara had put it before she left, to the trunk."),
        ("She put the flute in the trunk and left, and Tom moved it to the basket.",
         "She put the flute in the trunk and left, and Tom moved it to the basket and took a photo of it."),
        ("She put the flute in the trunk and left, and Tom moved it to the basket.",
         "She put the flute in the trunk and left, and Tom and his brother moved it to the basket."),
        ("Mara put the flute in the trunk. She left. Tom moved it to the basket.", "Mara put the flute in the trunk. She left."),
    ],
)  # fmt: skip
def test_cues_and_their_near_miss(right: str, wrong: str) -> None:
    assert score(0, right) >= 0.75
    assert score(0, wrong) < score(0, right) - 0.04


@pytest.mark.parametrize(
    "opening", ["Several", "Everybody", "Watched by nobody, he", "He'll", "Now", "I'm sure he", "Both"]
)
def test_ordinary_words_are_no_strangers(opening: str) -> None:
    read = read_clauses(f"{opening} moved it.", world_of(SCENARIO, WORLD).vocabulary)
    assert not read[0].strangers


@pytest.mark.parametrize("text", ["Tom and Bartholomew left.", "Tom met her brother.", "Then Svetlana came in."])
def test_invented_people_are(text: str) -> None:
    assert read_clauses(text, world_of(SCENARIO, WORLD).vocabulary)[0].strangers


FEELS = replace(
    SCENARIO,
    question="What does Mara feel about the flute?",
    options=("worry", "pride", "relief"),
    facts=replace(
        WORLD,
        claims=(Claim((), "Mara", "feels", "worry", ("pride", "relief")), *WORLD.claims[2:5]),
        deciding=(0, 1),
    ),
)


@pytest.mark.parametrize("word", ["worried", "anxious", "uneasy", "afraid"])
def test_feelings_in_other_forms(word: str) -> None:
    assert score(1, f"Mara is {word} about the flute.", FEELS) == 1.0
    assert score(1, f"Mara is not {word} about the flute.", FEELS) == 0.0
    assert score(1, "Mara is proud of the flute.", FEELS) == score(1, "Mara is relieved.", FEELS) == 0.0


def test_a_contrary_interpretation_leaves_the_response_little() -> None:
    texts = [GOOD[0], "Tom thinks that Mara thinks that the flute is in the oven.", GOOD[2], "So the answer is A."]
    verdict = JUDGE.judge([parse(reply_text(texts, "A"), SCENARIO.options)], SCENARIO)[0]
    assert verdict.scores[STAGES[1]] == 0.0 and verdict.scores[STAGES[3]] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("text", "letters"),
    [("The answer is A.", ["A"]), ("Failure = B.", ["B"]), ("So I'd go with C.", ["C"]), ("B has it right.", ["B"]), ("A thing.", [])],
)  # fmt: skip
def test_letters_that_name_an_option(text: str, letters: list[str]) -> None:
    assert letters_in(text) == letters


def chains(text: str) -> set[tuple[str, ...]]:
    world = world_of(SCENARIO, WORLD)
    return {
        chains_of(c)[0] for r in read_clauses(text, world.vocabulary) for c in r.clauses for _ in statements(c, world)
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is known to Mara and Tom that the flute is in the trunk.", {("Mara",)}),
        ("I think Mara believes it is in the oven.", {("Mara",)}),
        ("Tom thinks Mara thinks Lisa thinks Tom thinks it is in the oven.", {("Tom", "Mara", "Lisa", "Tom")}),
        ("According to Tom, the flute is in the oven.", {("Tom",)}),
    ],
)
def test_who_holds_what(text: str, found: set[tuple[str, ...]]) -> None:
    assert found <= chains(text)


@given(
    st.text(), st.lists(st.sampled_from(" ".join((*SENTENCES, *HOLDING, "who which not so that it's said")).split()))
)
@settings(max_examples=80)
def test_any_text_is_judged(one: str, words: list[str]) -> None:
    for text in (one, " ".join(words), f"{one} Mara {' '.join(words)}"):
        for index in range(4):
            assert 0.0 <= score(index, text or ".") <= 1.0


@pytest.mark.parametrize(
    "unit", ["Tom thinks that ", "Mara, who ", "not ", "and Mara ", "the trunk ", "he took it to be ", "Tom's ", "; "]
)
def test_long_hostile_text_is_read(unit: str) -> None:
    reply = parse(reply_text([long(unit)] * 4, "A"), SCENARIO.options)
    with no_hang():
        JUDGE.judge([reply], SCENARIO)


def test_rules_pay_no_conclusion_of_a_wrong_answer_and_keep_its_cues() -> None:
    rules = build_judge("rules")
    right, wrong = (
        rules.judge([parse(reply_text((*GOOD[:3], f"So the answer is {answer}."), answer), PLACES)], SCENARIO)[0].scores
        for answer in "AB"
    )
    assert right[STAGES[1]] == right[STAGES[3]] == 1.0 and wrong[STAGES[1]] == wrong[STAGES[3]] == 0.0
    assert right[STAGES[0]] == wrong[STAGES[0]] == 1.0


def test_agreement_tells_how_the_interpretation_is_judged_among_right_answers() -> None:
    labels = dict.fromkeys(STAGES, 1.0)
    texts = ((GOOD[1], "A", 1.0), ("Mara thinks it is in the trunk.", "A", 0.0), ("Tom thinks so.", "B", 0.0))
    replies = [
        LabelledReply(str(i), SCENARIO, reply_text((GOOD[0], text, *GOOD[2:]), answer), labels | {STAGES[1]: label})
        for i, (text, answer, label) in enumerate(texts)
    ]
    line = next(one for one in as_text(judge_replies(JUDGE, replies)).splitlines() if "among right answers" in one)
    assert line.split()[-4:] == ["1.00", "(1", "+", "1)"]
