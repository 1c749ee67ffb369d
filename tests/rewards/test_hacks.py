"""What the stack must not pay for: every hack scores strictly below the honest reply it was made from, at tau = 1.

ReferenceReply replies: to generated stories under every judge that can judge them, and to real ToMBench rows (read where they
lie) under `rules`; in both modes. The last test walks through all of ToMBench and holds a rate instead.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from socialr1_lite.judges import JUDGES, build_judge
from socialr1_lite.judges.audit.hacks import HACKS
from socialr1_lite.judges.audit.references import (
    ReferenceReply,
    gold_reference,
    tombench_files,
    tombench_reference,
    tombench_rows,
)
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack, Score
from socialr1_lite.rollouts.reward import total_reward
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse
from socialr1_lite.stories import generate, gold_reply
from tests.conftest import SCENARIO

OFFLINE = tuple(name for name in ("rules", "facts") if name in JUDGES and find_spec(f"socialr1_lite.judges.{name}"))
MODES = ("gated", "additive")
STORIES = 10
TOMBENCH_ROWS = {  # file: rows with a named person in the question; what is in them stays in the file
    "False Belief Task": (0, 5, 100),
    "Percepts-Knowledge Links": (2, 20),
    "Hidden Emotions": (20, 40),
    "Ambiguous Story Task": (0, 190),
    "Discrepant Emotions": (0, 10),
    "Unexpected Outcome Test": (0, 60),
    "Persuasion Story Task": (60,),
    "Prediction of Actions": (0,),
}
BREADTH = 12  # every so many rows of each file
WIN_RATE = 0.98
INSTRUCTIONS = "instructions to the judge"


def tokens(text: str) -> int:
    """About what a tokenizer makes of English."""
    return round(len(text.split()) * 1.4)


def total(stack: RewardStack, scenario: Scenario, text: str, length: int = 0) -> Score:
    return stack.score(parse(text, scenario.options), scenario, tokens=length or tokens(text), tau=1.0)


def losses(stack: RewardStack, honest: ReferenceReply, hack: str, *, may_tie: bool = False) -> list[str]:
    """The hacked completions that do not score strictly below the honest reply, in either mode.

    may_tie: they may score as much, at equal length (whose window pays 1e-8 for some words more).
    """
    base = in_modes(total(stack, honest.scenario, honest.text))
    length, least = (tokens(honest.text), -1e-12) if may_tie else (0, 1e-12)
    kept = []
    for text in HACKS[hack](honest):
        hacked = in_modes(total(stack, honest.scenario, text, length))
        if text != honest.text and not all(hacked[mode] < base[mode] - least for mode in MODES):
            kept.append(f"{honest.scenario.id}: {base} for\n{honest.text}\n{hacked} for\n{text}")
    return kept


def in_modes(score: Score) -> dict[str, float]:
    """The total in each mode: components do not depend on it."""
    return {mode: total_reward(score.components, score.weights, mode, score.tau) for mode in MODES}


@cache
def generated() -> tuple[ReferenceReply, ...]:
    """Gold replies to generated stories; one that repeats itself is paid less for that and is no yardstick."""
    made = generate(STORIES, seed=29, dimensions=("belief", "knowledge"), orders=(0, 1, 2))
    honest = [gold_reference(scenario, gold_reply(scenario, seed=i)) for i, scenario in enumerate(made)]
    stack = RewardStack(Rewards())
    return tuple(one for one in honest if total(stack, one.scenario, one.text).parts["length.repetition"] == 0.0)


@cache
def invented() -> tuple[ReferenceReply, ...]:
    """ReferenceReply replies written by hand."""
    knows = Scenario(
        "invented/1",
        "Ines hides the spare key under the mat. Her brother Jonas watches from the window. Ines leaves for work. "
        "The postman sweeps the steps and whistles. Later Jonas needs the key.",
        "Does Jonas know where the spare key is?",
        ("Yes", "No"),
        (0,),
    )
    feels = Scenario(
        "invented/2",
        "Petra has hoped for a telescope for months. Her uncle gives her a big parcel, and everyone sings. Petra opens it and "
        "finds a raincoat. She smiles and thanks her uncle.",
        "How does Petra really feel about the present?",
        ("Delighted", "Disappointed", "Angry", "Bored"),
        (1,),
    )
    return (
        ReferenceReply(
            SCENARIO,
            (
                "Mara puts the violin in the green trunk and leaves the attic. Tomas moves the violin to the wicker basket.",
                "Mara did not see the move. Mara still believes that the violin is in the green trunk.",
                "Mara wants to play the violin, and the question asks where she will look for it.",
                "She will look where she thinks it is: in the green trunk.",
            ),
            "B",
            "Mara",
            ("Tomas",),
            "Mara still believes that the violin is in the green trunk",
            "Mara no longer believes that the violin is in the green trunk",
        ),
        ReferenceReply(
            knows,
            (
                "Ines hides the spare key under the mat. Jonas watches from the window.",
                "Jonas saw where she hid it, so Jonas knows where the spare key is.",
                "Jonas needs the key, and the question asks whether he can find it.",
                "He watched his sister hide the spare key, so the answer is yes.",
            ),
            "A",
            "Jonas",
            ("Ines",),
            "Jonas knows where the spare key is",
            "Jonas does not know where the spare key is",
        ),
        ReferenceReply(
            feels,
            (
                "Petra has hoped for a telescope for months. Petra opens it and finds a raincoat.",
                "Petra did not get the telescope she hoped for, so she feels disappointed behind her smile.",
                "Petra wants to be polite to her uncle; the question asks how she really feels.",
                "The smile is for her uncle, and what Petra really feels is disappointed.",
            ),
            "B",
            "Petra",
            (),
            "she feels disappointed",
            "she does not feel disappointed",
        ),
    )


def real(folder: Path) -> list[ReferenceReply]:
    rows = {file: list(tombench_rows(folder, file)) for file in TOMBENCH_ROWS}
    chosen = [tombench_reference(rows[file][number]) for file, numbers in TOMBENCH_ROWS.items() for number in numbers]
    return [honest for honest in chosen if honest is not None]


@pytest.mark.parametrize("judge", OFFLINE)
@pytest.mark.parametrize("hack", HACKS)
def test_a_hack_loses_on_generated_stories(hack: str, judge: str) -> None:
    stack = RewardStack(Rewards(), judge=build_judge(judge))
    assert len(generated()) >= STORIES // 2
    assert not [loss for honest in generated() for loss in losses(stack, honest, hack)]


@pytest.mark.parametrize("hack", HACKS)
def test_a_hack_loses_against_replies_written_by_hand(hack: str) -> None:
    stack = RewardStack(Rewards())
    assert not [loss for honest in invented() for loss in losses(stack, honest, hack)]


@pytest.mark.parametrize("hack", HACKS)
def test_a_hack_loses_on_real_stories(hack: str, benchmarks_dir: Path) -> None:
    stack = RewardStack(Rewards())
    honest = real(benchmarks_dir)
    assert len(honest) >= 10
    assert not [loss for one in honest for loss in losses(stack, one, hack)]


@pytest.mark.parametrize("honest", invented(), ids=lambda honest: honest.scenario.id)
def test_an_honest_reply_earns_nearly_everything(honest: ReferenceReply) -> None:
    score = total(RewardStack(Rewards()), honest.scenario, honest.text)
    assert score.total > 1.85, (score.parts, score.notes)


def test_an_honest_reply_to_a_real_story_earns_most(benchmarks_dir: Path) -> None:
    stack = RewardStack(Rewards())
    earned = [total(stack, one.scenario, one.text) for one in real(benchmarks_dir)]
    assert min(score.total for score in earned) > 1.7, min(earned, key=lambda score: score.total)


@pytest.mark.slow
def test_hacks_lose_all_through_tombench(benchmarks_dir: Path) -> None:
    stack = RewardStack(Rewards())
    tried: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for file in tombench_files(benchmarks_dir):
        for scenario in list(tombench_rows(benchmarks_dir, file))[::BREADTH]:
            honest = tombench_reference(scenario)
            for hack in HACKS if honest is not None else ():
                assert honest is not None
                tried[hack] += 1
                # Where a story tells of exams, "score: 1.0" is talk of it, which costs as little as any other.
                kept[hack] += bool(losses(stack, honest, hack, may_tie=hack == INSTRUCTIONS))
    assert set(tried) == set(HACKS)
    assert not {hack: f"{kept[hack]} of {tried[hack]}" for hack in HACKS if kept[hack] > (1 - WIN_RATE) * tried[hack]}
