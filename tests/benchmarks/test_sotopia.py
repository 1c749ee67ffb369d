"""SOTOPIA's rules: who sees what, when an episode ends, what a judge may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.benchmarks import BENCHMARKS, sotopia
from socialr1_lite.benchmarks.base import Answer, Item, Reading
from socialr1_lite.benchmarks.sotopia_episode import (
    RANGES,
    Episode,
    overall,
    read_action,
    read_score,
    read_verdict,
    visible,
)
from socialr1_lite.benchmarks.sotopia_rubric import RUBRIC

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"
GOOD = {name: {"reasoning": "so", "score": high} for name, (_, high) in RANGES.items()}


def items() -> list[Item]:
    return list(BENCHMARKS["sotopia"].load(FIXTURES).items)


def play(episode: Episode, replies: list[str], **limits: int) -> int:
    """Feed the replies in turn; returns how many were asked for."""
    run = episode.run(**limits)
    asked = 0
    try:
        next(run)
        for reply in replies:
            asked += 1
            run.send(reply)
    except StopIteration:
        pass
    return asked


def speak(text: str) -> str:
    return json.dumps({"action_type": "speak", "argument": text})


NONE = json.dumps({"action_type": "none", "argument": ""})


def test_friends_see_everything_but_secrets_and_goals() -> None:
    friends = sotopia.stage(items()[0])
    seen = friends.background(0)
    assert "Hana's secrets: Cannot bake" in seen
    assert "Ivo is calm." in seen and "forgery" not in seen
    assert "Ivo Marsh's goal: Unknown" in seen and "crust" not in seen
    assert "Hana Lind's goal: Get the larger half (Extra information: you are hungry.)" in seen
    assert "It is stale." not in seen and "<" not in seen


def test_strangers_see_nothing_of_each_other() -> None:
    seen = sotopia.stage(items()[2]).background(0)  # Ivo first in this pair
    assert "Hana Lind's background: Unknown" in seen
    assert "Sold a forgery" in seen


@pytest.mark.parametrize(
    ("relationship", "sees"),
    [
        (0, "Unknown"),
        (1, "Hana Lind"),
        (2, "Hana Lind is a 30-year-old female baker. She/her pronouns. Hana likes walks."),
    ],
)
def test_what_a_partner_knows_grows_with_the_relationship(relationship: int, sees: str) -> None:
    hana = sotopia.stage(items()[0]).agents[0]
    assert hana.seen_by(relationship) == sees
    assert hana.seen_by(3) == hana.seen_by(5)
    assert "secret" not in hana.seen_by(5)


def test_the_judge_sees_both_sides() -> None:
    seen = sotopia.stage(items()[0]).background(None)
    assert all(text in seen for text in ("Cannot bake", "Sold a forgery", "It is stale.", "Keep the crust (Hint"))


def test_a_passage_for_one_agent_is_counted_from_zero() -> None:
    text = "Open. <p viewer='agent_1'>Only for the second.</p>"
    assert visible(text, 0) == "Open."
    assert visible(text, 1) == visible(text, None) == "Open. Only for the second."


def test_agents_alternate_and_read_what_was_said() -> None:
    episode = Episode(sotopia.stage(items()[0]))
    run = episode.run()
    first = next(run)
    second = run.send(speak("Half for me?"))
    assert (first.speaker, second.speaker) == (0, 1)
    prompt = second.messages[0]["content"]
    assert 'Turn #0: Hana Lind said: "Half for me?"' in prompt
    assert prompt.startswith("Imagine you are Ivo Marsh") and "You are at Turn #1." in prompt


@pytest.mark.parametrize(
    ("replies", "turns", "why"),
    [
        ([speak("a")] * 30, 20, "20 turns"),
        ([speak("a"), json.dumps({"action_type": "leave", "argument": ""})], 2, "an agent left"),
        ([NONE] * 9, 3, "nothing happened for 3 turns"),
        ([NONE, NONE, speak("a"), NONE, NONE, NONE], 6, "nothing happened for 3 turns"),
        (["no JSON at all"] * 9, 3, "nothing happened for 3 turns"),
    ],
)
def test_when_an_episode_ends(replies: list[str], turns: int, why: str) -> None:
    episode = Episode(sotopia.stage(items()[0]))
    assert play(episode, replies) == turns
    assert episode.ended == why


@pytest.mark.parametrize(
    ("text", "kind", "readable"),
    [
        (speak("hi"), "speak", True),
        ("Sure! " + speak("hi") + " there", "speak", True),
        ("<think>{}</think>" + NONE, "none", True),
        ('{"action_type": "dance", "argument": ""}', "none", False),
        ('{"action_type": "speak", "argument": 3}', "none", False),
        ("hello", "none", False),
    ],
)
def test_reading_an_action(text: str, kind: str, readable: bool) -> None:
    action = read_action(text)
    assert (action.kind, action.readable) == (kind, readable)


def test_idle_turns_are_left_out_of_what_the_judge_reads() -> None:
    episode = Episode(sotopia.stage(items()[0]))
    play(episode, [speak("a"), NONE, speak("b"), NONE, NONE, NONE])
    assert episode.transcript() == 'Turn #0: Hana Lind said: "a"\nTurn #2: Hana Lind said: "b"'
    prompt = episode.judge_prompt()[0]["content"]
    assert all(text in prompt for text in RUBRIC.values())
    assert "secret (integer from -10 to 0)" in prompt


def test_seven_dimensions_with_their_ranges() -> None:
    assert RANGES == {
        "believability": (0, 10), "relationship": (-5, 5), "knowledge": (0, 10), "secret": (-10, 0),
        "social_rules": (-10, 0), "financial_and_material_benefits": (-5, 5), "goal": (0, 10),
    }  # fmt: skip


def test_a_good_verdict_is_read() -> None:
    verdict = read_verdict("Here:\n```json\n" + json.dumps({"agent_1": GOOD, "agent_2": GOOD}) + "\n```")
    assert verdict == ({name: high for name, (_, high) in RANGES.items()},) * 2
    assert read_verdict(json.dumps({"evaluations": {"agent_1": GOOD, "agent_2": GOOD}})) == verdict


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"secret": {"reasoning": "", "score": 3}}, "secret: score 3"),
        ({"goal": {"reasoning": "", "score": 11}}, "goal: score 11"),
        ({"goal": {"reasoning": "", "score": "eight"}}, "goal: score 'eight'"),
        ({"goal": {"reasoning": "", "score": True}}, "goal: score True"),
        ({"goal": {"reasoning": ""}}, "goal: score None"),
        ({"goal": 7}, "goal: score None"),
    ],
)
def test_a_score_out_of_range_or_form_breaks_the_verdict(spoilt: dict[str, Any], why: str) -> None:
    verdict = read_verdict(json.dumps({"agent_1": GOOD, "agent_2": GOOD | spoilt}))
    assert isinstance(verdict, str) and why in verdict


def test_a_verdict_on_one_agent_only_is_broken() -> None:
    assert read_verdict(json.dumps({"agent_1": GOOD})) == "no scores for agent_2"
    assert read_verdict("I would say 8.") == "no JSON object in the judge's reply"


def test_the_overall_score_is_the_plain_mean_of_seven() -> None:
    scores = {"believability": 9, "relationship": 2, "knowledge": 3, "secret": 0, "social_rules": -1,
              "financial_and_material_benefits": 1, "goal": 7}  # fmt: skip
    assert overall(scores) == 3.0


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("7", 7),
        (" 7.\n", 7),
        ("**Score:** 10", 10),
        ("(0) as nothing happened", 0),
        ("<think>9 or 8?</think>\n8", 8),
        ("8, since both agreed on 3 points", 8),
    ],
)
def test_a_single_score_is_read_from_the_beginning(text: str, score: int) -> None:
    assert read_score(text, "goal") == score


@pytest.mark.parametrize(
    "text", ["", "0-3", "0 \u2013 3", "0 to 10", "8/10", "7.5", "80%", "I would say 8", "eight", "- "]
)
def test_what_is_no_plain_score_is_broken(text: str) -> None:
    assert read_score(text, "goal") == "goal: the reply does not begin with a whole number"


def test_a_single_score_keeps_its_sign_and_its_range() -> None:
    assert read_score("-3", "secret") == read_score("\u22123", "secret") == -3
    assert read_score("3", "secret") == "secret: score 3 is no whole number from -10 to 0"
    assert read_score("11", "goal") == "goal: score 11 is no whole number from 0 to 10"


def test_one_dimension_is_asked_with_the_rubrics_own_words() -> None:
    episode = Episode(sotopia.stage(items()[0]))
    play(episode, [speak("Half for me?")])
    prompt = episode.dimension_prompt(1, "secret")[0]["content"]
    assert RUBRIC["secret"] in prompt and RUBRIC["goal"] not in prompt
    assert 'Hana Lind said: "Half for me?"' in prompt
    assert prompt.endswith("Reply with the score of Ivo Marsh alone: one integer from -10 to 0.")


def test_an_unjudged_episode_counts_for_nothing_and_not_for_zero() -> None:
    one, two = items()[0], items()[1]
    seven = dict.fromkeys(RANGES, 0) | {"goal": 8}
    answers = [
        Answer(one, "", 0, Reading(None, json.dumps(seven), True)),
        Answer(two, "", 0, Reading(None, "judge broken", False)),
    ]
    scores = BENCHMARKS["sotopia"].score(answers)
    assert scores.metrics["goal"].value == 8
    assert len(scores.metrics["goal"].units) == 1
    assert scores.groups["hard"]["not hard"].value == pytest.approx(8 / 7)
    assert BENCHMARKS["sotopia"].score(answers[1:]).metrics == {}
