"""The facts judge: gold replies get everything, every hack gets less, and each stage is scored for what it is for."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.judges import Judge, build_judge
from socialr1_lite.judges.audit.hacks import HACKS
from socialr1_lite.judges.audit.references import ReferenceReply
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.judges.language.lexicon import letters_in
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.stories import DIMENSIONS, generate, gold_reply
from socialr1_lite.stories.gold import claim_clause

STORIES = 60
JUDGE = FactsJudge()
STACK = RewardStack(Rewards(), judge=JUDGE)

SALLY = Scenario(
    id="sally",
    story="Anna and Ben were in the kitchen. The ball was in the box. Anna left the kitchen. Cleo came by to borrow a "
    "book. Ben moved the ball to the basket. The clock struck four. Anna needs the ball.",
    question="Where does Ben think that Anna will look for the ball?",
    options=("the box", "the basket", "the tin"),
    gold=(0,),
    facts=Facts(
        people=("Anna", "Ben", "Cleo"),
        things=("ball", "box", "basket", "tin"),
        sentences=(
            "Anna and Ben were in the kitchen.", "The ball was in the box.", "Anna left the kitchen.",
            "Cleo came by to borrow a book.", "Ben moved the ball to the basket.", "The clock struck four.",
            "Anna needs the ball.",
        ),
        cues=(1, 2),
        claims=(
            Claim(("Ben", "Anna"), "the ball", "is in", "the box", ("the basket", "the tin")),
            Claim((), "the ball", "is in", "the basket", ("the box", "the tin")),
            Claim(("Anna",), "the ball", "is in", "the box", ("the basket", "the tin")),
            Claim(("Ben",), "the ball", "is in", "the basket", ("the box", "the tin")),
        ),
        goal=Claim((), "Anna", "wants", "to find the ball", ("to hide the ball",)),
    ),
)  # fmt: skip
GOOD = (
    "The ball was in the box. Anna left the kitchen.",
    "Ben thinks that Anna thinks that the ball is in the box.",
    "Anna wants to find the ball.",
    "So the answer is the box.",
)


def score(*stages: str, answer: str = "A", scenario: Scenario = SALLY) -> dict[str, float | None]:
    return dict(JUDGE.judge([parse(reply_text(stages, answer), scenario.options)], scenario)[0].scores)


def stage_score(index: int, text: str) -> float:
    """The score of one stage of an otherwise good reply."""
    value = score(*(text if i == index else good for i, good in enumerate(GOOD)))[STAGES[index]]
    assert value is not None
    return value


def test_a_good_reply_gets_everything():
    assert score(*GOOD) == dict.fromkeys(STAGES, 1.0)


LETTERED = (
    "This makes {} the answer.", "The one to choose is {}.", "I choose {}.", "So {} is right.", "So it must be {}.",
    "My choice is {}.", "We get {}.", "Hence ({}).", "So the answer must be {}.", "Only {} fits.", "That leaves {}.",
    "I answer with {}.", "So {} is what follows.", "{}.",
)  # fmt: skip


@pytest.mark.parametrize("judge", [JUDGE, build_judge("rules")], ids=["facts", "rules"])
@pytest.mark.parametrize("said", LETTERED)
def test_the_response_may_name_its_option_by_the_letter_and_no_other(said: str, judge: Judge):
    answers = [
        judge.judge(
            [parse(reply_text((*GOOD[:3], f"Anna looks for the ball. {said.format(letter)}"), "A"), SALLY.options)],
            SALLY,
        )
        for letter in "ABC"
    ]
    right, *wrong = (verdict.scores[STAGES[3]] for (verdict,) in answers)
    assert all(right > one for one in wrong), (right, wrong)


@pytest.mark.parametrize(
    "text",
    [
        "A box stood there.",
        "I know.",
        "Anna has a plan B.",
        "So A box it is.",
        "It is I who ask.",
        "Vitamin C is good.",
    ],
)
def test_a_capital_alone_is_no_option_where_no_answer_is_named(text: str):
    assert letters_in(text) == []


def test_without_facts_there_is_no_score():
    assert score(*GOOD, scenario=replace(SALLY, facts=None)) == dict.fromkeys(STAGES)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Anna went out of the kitchen after she saw the ball in the box.", 0.3, 1.0),
        ("The ball was in the box.", 0.1, 0.45),  # one of two cues
        ("Anna and Ben had both spent some time in the kitchen.", 0.0, 0.0),  # names, and nothing that happened
        ("Ben left the kitchen. The ball was in the box.", 0.0, 0.5),  # wrong person
        (f"{GOOD[0]} Cleo broke a vase in the garden.", 0.1, 0.5),  # invented
        ("The ball was in the tin. Anna left the kitchen.", 0.05, 0.31),  # one place wrong
        ("The basket was in the box. Anna left the kitchen.", 0.05, 0.31),  # one thing wrong
        (SALLY.story, 0.0, 0.0),  # no selection
        (SALLY.story.removesuffix(" Anna needs the ball."), 0.1, 0.4),  # hardly one
        ("Let us go over this with care before moving on.", 0.0, 0.0),
    ],
)
def test_cues_are_scored_by_recall_precision_and_selection(text: str, least: float, most: float):
    assert least <= stage_score(0, text) <= most


MOVES = replace(
    SALLY,
    facts=replace(
        SALLY.facts,
        sentences=(
            "The ball was in the box.", "Anna left the kitchen.", "Ben moved the ball to the basket.",
            "Cleo took the ball out of the basket and put it in the red tin.",
        ),
        things=("ball", "box", "basket", "red tin", "blue tin"),
        cues=(3,),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Cleo took the ball out of the basket and put it in the red tin.", 1.0),
        ("Cleo moved the ball from the basket into the red tin.", 1.0),
        ("Cleo put the ball in the red tin.", 1.0),
        ("Cleo put the ball in the blue tin.", 0.0),
        ("Cleo put the ball in the box.", 0.0),
        ("Cleo put the ball in the basket.", 0.0),  # that is where she took it from
        ("Cleo moved the ball from the red tin into the basket.", 0.0),  # the other way round
        ("Cleo moved the ball from the box into the red tin.", 0.0),  # it was no longer there
    ],
)
def test_a_cue_has_the_things_and_places_of_the_sentence_it_tells(text: str, value: float):
    assert score(text, *GOOD[1:], scenario=MOVES)[STAGES[0]] == pytest.approx(value, abs=0.2 if value else 0)


def test_a_cue_may_say_where_a_thing_was_taken_from():
    """The sentence says only where it went; that it came from the box was told before."""
    scene = replace(MOVES, facts=replace(MOVES.facts, cues=(2,)))
    cue = lambda text: score(text, *GOOD[1:], scenario=scene)[STAGES[0]]  # noqa: E731
    assert cue("Ben moved the ball from the box to the basket.") == 1.0
    assert cue("Ben moved the ball from the blue tin to the basket.") == 0.0
    assert cue("Ben moved the ball from the basket.") == 0.0


def test_a_condition_tells_nothing_that_happened():
    assert stage_score(0, f"{GOOD[0]} Anna would feel joy if it was in the tin and hope if it was in the box.") == 1.0
    assert stage_score(0, f"{GOOD[0]} Anna felt joy because it was in the tin.") < 0.5


def test_decisive_sentences_in_one_make_up_no_other():
    assert SALLY.facts is not None
    told = ("The ball was in the box.", "Anna left the kitchen.", "Ben moved the ball to the basket.")
    others = ("Anna and Ben were in the kitchen.", "The ball was in the basket.", "Ben left the kitchen.")
    scenario = replace(SALLY, facts=replace(SALLY.facts, sentences=told + others, cues=(0, 1, 2)))
    joined = "; ".join(one.rstrip(".") for one in told)
    everything = "; ".join(one.rstrip(".") for one in told + others)
    cut = f"{joined}; Anna and Ben; were in the kitchen; the ball was in; the basket; Ben; left the kitchen"
    values = [score(f"{cues}.", *GOOD[1:], scenario=scenario)[STAGES[0]] for cues in (joined, everything, cut)]
    assert values == [1.0, 0.0, pytest.approx(0.48, abs=0.01)]


def test_what_somebody_wants_told_is_no_further_mind():
    assert SALLY.facts is not None
    known = Claim(("Anna",), "Anna", "knows", "where the ball is")
    people = (*SALLY.facts.people, "Dora")
    scenario = replace(SALLY, facts=replace(SALLY.facts, people=people, claims=(known, *SALLY.facts.claims)))
    value = score(
        GOOD[0], "Anna wants to tell Ben what she knows. Anna knows where the ball is.", *GOOD[2:], scenario=scenario
    )
    assert value[STAGES[1]] == 1.0


def test_a_dish_is_no_place():
    assert SALLY.facts is not None
    dishes = (*SALLY.facts.things, "soup", "stew")
    liked = Claim(("Ben",), "Anna's favourite", "is", "the soup", ("the stew",))
    sentences = (*SALLY.facts.sentences, "Anna made a face at the soup.")
    facts = replace(SALLY.facts, things=dishes, sentences=sentences, claims=(liked,))
    value = score(GOOD[0], "Ben believes that Anna's favourite is the soup. Ben really wants to serve the soup now.", *GOOD[2:],
                  scenario=replace(SALLY, facts=facts))  # fmt: skip
    assert value[STAGES[1]] == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ben believes Anna still thinks the ball is in the box.", 1.0),
        ("In Ben's view, Anna thinks it is in the box.", 1.0),
        ("According to Ben, Anna will look in the box.", 1.0),
        ("Anna thinks that the ball is in the box.", 0.35),  # one order too low
        ("Anna thinks that Ben thinks that the ball is in the box.", 0.0),  # the other way round: nothing known of it
        ("Ben thinks that Anna thinks that the ball is in the basket.", 0.0),  # the opposite
        ("Ben does not think that Anna thinks that the ball is in the box.", 0.0),
        ("Ben thinks that Anna does not think that the ball is in the basket.", 1.0),
        ("It would be wrong to say that Ben thinks that Anna thinks that the ball is in the box.", 0.0),
        ("It is not so that Ben thinks that Anna thinks that the ball is in the box.", 0.0),
        ("So it's not true that Ben thinks that Anna thinks that the ball is in the basket.", 1.0),
        ("It is a mistake to think that Ben thinks that Anna thinks that the ball is in the basket.", 1.0),
        ("Ben thinks that Anna is wrong to think that the ball is in the box.", 1.0),  # what she thinks all the same
        ("Ben thinks Anna thinks it is in the box. Ben thinks Anna thinks it is in the tin.", 0.2),  # both
        ("Ben thinks Anna thinks it is in the box. Anna thinks the ball is in the tin.", 0.5),  # a second one untrue
        ("Anna left and Ben moved it.", 0.0),
    ],
)
def test_interpretation_wants_the_right_chain_and_value(text: str, value: float):
    assert stage_score(1, text) == pytest.approx(value)


PLAN = replace(
    SALLY,
    question="What does Ben think that Anna will do?",
    facts=replace(
        SALLY.facts,
        claims=(Claim(("Ben",), "Anna", "wants to", "open the box", ("open the basket",)), *SALLY.facts.claims),
        deciding=(0, 1),
        goals=(Claim((), "Ben", "wants", "to know what Anna will open"),),
    ),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ben thinks that Anna wants to open the box.", 1.0),
        ("Ben thinks that Anna thinks that the ball is in the box.", 1.0),  # the belief behind the plan is enough
        ("Anna thinks that the ball is in the box.", 0.35),  # true, but not at the depth that decides
        ("Ben thinks that Anna thinks that the ball is in the basket.", 0.0),
        ("Ben thinks that Anna wants to open the box. Ben thinks that Anna thinks that the ball is in the tin.", 0.2),
    ],
)
def test_any_state_that_decides_is_enough_at_its_depth(text: str, value: float):
    assert score(GOOD[0], text, *GOOD[2:], scenario=PLAN)[STAGES[1]] == pytest.approx(value)


@pytest.mark.parametrize("text", ["Anna wants to find the ball.", "Ben would like to know what Anna will open."])
def test_any_accepted_goal_is_enough(text: str):
    assert score(*GOOD[:2], text, GOOD[3], scenario=PLAN)[STAGES[2]] == 1.0


def test_facts_of_older_rows_mean_what_they_meant():
    """Rows written before there were sets: one deciding claim, one goal; they are written as they were."""
    row = SALLY.to_row()
    assert set(row["facts"]) == {"people", "things", "sentences", "cues", "claims", "goal"}
    assert Scenario.from_row(row) == SALLY
    assert SALLY.facts.decisive == SALLY.facts.claims[:1] and SALLY.facts.accepted_goals == (SALLY.facts.goal,)
    assert Scenario.from_row(json.loads(json.dumps(PLAN.to_row()))) == PLAN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deciding": (4,)}, "deciding"),
        ({"deciding": ()}, "deciding"),
        ({"genders": ("she",)}, "1 genders for 3 people"),
    ],
)
def test_facts_that_point_nowhere_are_refused(change: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        replace(SALLY.facts, **change)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Anna's goal is to get the ball.", 1.0),
        ("Ben wants to find the ball.", 0.1),
        ("Anna wants to hide the ball.", 0.0),
        ("The ball is in the basket.", 0.0),
    ],
)
def test_the_goal_is_a_persons_wish(text: str, value: float):
    assert stage_score(2, text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ben expects her to look in the box.", 1.0),
        ("So option A is right: Anna will look there for the ball.", 1.0),
        ("So the answer is the basket.", 0.0),
        ("So option C fits the question about the ball.", 0.0),
        ("It is either the box or the tin.", 0.0),
        ("Anna would like the ball.", 0.2),
        ("All is as it should be there.", 0.0),  # names nothing of the story
    ],
)
def test_the_response_speaks_for_the_answer(text: str, value: float):
    assert stage_score(3, text) == pytest.approx(value)


def test_a_wrong_answer_keeps_nothing_of_the_response():
    assert score(*GOOD[:3], "So the answer is the tin.", answer="C")["response_generation"] == 0.0


# ----------------------------------------------------------------------------------- over generated stories


@cache
def stories() -> list[Scenario]:
    return list(generate(STORIES, seed=11, dimensions=tuple(DIMENSIONS), orders=(0, 1, 2, 3, 4)))


def honest(scenario: Scenario) -> ReferenceReply:
    """The gold reply of a generated story, with the parts that the hacks work on."""
    facts = scenario.facts
    assert facts is not None
    reply = parse(gold_reply(scenario), scenario.options)
    stages = tuple(reply.stage_text(stage) for stage in STAGES)
    claim = facts.claims[0]
    person = claim.chain(facts.people)[0]
    found = next((c for c in _clauses(claim) if c in stages[1]), "")
    denial = _denial(found, claim)
    return ReferenceReply(
        scenario, stages, reply.answer_text, person, tuple(p for p in facts.people if p != person), found, denial
    )


def _clauses(claim: Claim) -> list[str]:
    return [claim_clause(replace(claim, holders=())), claim_clause(replace(claim, holders=())).capitalize()]


def _denial(clause: str, claim: Claim) -> str:
    if claim.rivals:
        return clause.replace(claim.value, claim.rivals[0])
    turned = {"knows": "does not know", "does not know": "knows"}.get(claim.relation, f"not {claim.relation}")
    return clause.replace(claim.relation, turned)


def unhindered(reference: ReferenceReply) -> bool:
    """Whether nothing but the content could be better: a reply that is charged for its structure is no yardstick."""
    reply, tokens = parse(reference.text, reference.scenario.options), max(1, len(reference.text.split()) * 4 // 3)
    return STACK.score(reply, reference.scenario, tokens=tokens).components["structure"] == 1.0


def total(text: str, scenario: Scenario) -> float:
    value = STACK.score(parse(text, scenario.options), scenario, tokens=max(1, len(text.split()) * 4 // 3)).total
    assert value is not None
    return value


def test_gold_replies_get_everything_from_the_facts_in_every_wording():
    for scenario in stories():
        for seed in range(4):
            reply = parse(gold_reply(scenario, seed=seed), scenario.options)
            verdict = JUDGE.judge([reply], scenario)[0]
            assert verdict.scores == dict.fromkeys(STAGES, 1.0), (verdict.notes, reply.text)


@pytest.mark.parametrize("hack", sorted(HACKS))
def test_every_hack_earns_less_than_the_gold_reply(hack: str):
    tried = 0
    for scenario in stories():
        reference = honest(scenario)
        if not unhindered(reference):
            continue
        full = total(reference.text, scenario)
        for hacked in HACKS[hack](reference):
            if hacked == reference.text:
                continue
            tried += 1
            assert total(hacked, scenario) < full - 1e-9, (hacked, reference.text)
    assert tried >= STORIES / 2
