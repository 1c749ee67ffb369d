"""SOTOPIA's rules: who sees what, when an episode ends, what a judge may say; and that all of it is its authors'.

`authors/sotopia.json` holds what the authors' code (sotopia 0.1.4, run elsewhere) made of scripted replies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.benchmarks import BENCHMARKS, sotopia
from socialr1_lite.benchmarks.base import Answer, Item, Reading
from socialr1_lite.benchmarks.sotopia_episode import (
    RANGES,
    Action,
    Episode,
    overall,
    read_action,
    read_score,
    read_verdict,
    rendered,
    visible,
)
from socialr1_lite.benchmarks.sotopia_rubric import RUBRIC

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"
AUTHORS = json.loads((Path(__file__).parent / "authors" / "sotopia.json").read_text(encoding="utf-8"))
GOOD = {name: ["so", high] for name, (_, high) in RANGES.items()}


def items() -> list[Item]:
    return list(BENCHMARKS["sotopia"].load(FIXTURES).items)


def play(episode: Episode, replies: list[str | None], **limits: int) -> int:
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
        (1, "Hana Lind "),
        (2, "Hana Lind is a 30-year-old female baker. She/her pronouns. Hana likes walks. "),
        (3, "Hana Lind is a 30-year-old female baker. She/her pronouns. Hana likes walks. Personality and values "
            "description: Hana is calm. "),
    ],
)  # fmt: skip
def test_what_a_partner_knows_grows_with_the_relationship(relationship: int, sees: str) -> None:
    scene = replace(sotopia.stage(items()[0]), relationship=relationship)
    assert f"Hana Lind's background: {sees}\n" in scene.background(1)
    assert "secrets: Cannot bake" in scene.background(0) and "Cannot bake" not in scene.background(1)


def test_the_judge_sees_both_sides() -> None:
    seen = sotopia.stage(items()[0]).background(None)
    assert all(text in seen for text in ("Cannot bake", "Sold a forgery", "It is stale.", "Keep the crust (Hint"))


def test_a_passage_for_one_agent_is_counted_from_zero() -> None:
    text = "Open. <p viewer='agent_1'>Only for the second.</p>"
    assert visible(text, 0) == "Open. "
    assert visible(text, 1) == visible(text, None) == "Open. Only for the second."


def test_what_is_said_is_read_as_markup_and_never_as_a_document_with_entities_of_its_own() -> None:
    assert rendered("AT&amp;T &lt; B", 0) == "AT&T < B"
    assert rendered("Q&A, &nbsp;", 0) == "Q&A, &nbsp;"
    assert rendered("<b>bold</b> plain <p>kept</p>", 0) == " plain kept"
    assert rendered("I <3 you", 0) is None and visible("I <3 you", 0) == "I <3 you"
    bomb = '<!DOCTYPE x [<!ENTITY a "ha">]><root>&a;</root>'
    assert rendered(bomb, 0) is None and visible(bomb, 0) == bomb
    deep = "<p>a" * 20_000 + "<p viewer='agent_1'>b</p>c" + "</p>d" * 20_000
    assert rendered(deep, 0) == "a" * 20_000 + "c" + "d" * 20_000
    assert rendered(deep, 1) == "a" * 20_000 + "bc" + "d" * 20_000


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
        ([NONE] * 9, 2, "nothing was done for too long"),
        ([speak("a"), NONE, speak("b")], 2, "nothing was done for too long"),  # of the second agent one is enough
        ([NONE, speak("a"), NONE, speak("b"), NONE, NONE], 6, "nothing was done for too long"),  # of the first none is
        ([None] * 9, 2, "nothing was done for too long"),  # requests that failed
    ],
)
def test_when_an_episode_ends(replies: list[str | None], turns: int, why: str) -> None:
    episode = Episode(sotopia.stage(items()[0]))
    assert play(episode, replies) == turns
    assert episode.ended == why


def test_an_unreadable_reply_is_put_into_form_once_by_whoever_wrote_it() -> None:
    episode = Episode(sotopia.stage(items()[0]))
    run = episode.run()
    next(run)
    again = run.send("Sure! " + speak("hi"))
    assert (again.speaker, again.reformat) == (0, True)
    assert "Original string: Sure! " + speak("hi") in again.messages[0]["content"]
    assert run.send(speak("hi")).speaker == 1
    assert run.send("hello").reformat
    with pytest.raises(StopIteration):
        run.send("hello again")  # still no action, so the second agent did nothing
    assert episode.actions == [Action("speak", "hi"), Action("none", "", readable=False)]
    assert episode.reformatted == 2


def test_a_line_break_within_a_text_loses_no_turn() -> None:
    """The authors ask for it anew in form; whoever writes it so again has said it all the same."""
    broken = '{"action_type": "speak", "argument": "Hello.\nShall we share it?"}'
    assert read_action(broken, strict=True) is None
    assert read_action(broken) == Action("speak", "Hello.\nShall we share it?")
    assert read_action('{"action_type": "speak", "argument": "a') is None  # cut off
    for second in (broken, "no form at all", None):
        episode = Episode(sotopia.stage(items()[0]))
        run = episode.run()
        next(run)
        assert run.send(broken).reformat
        run.send(second)
        assert episode.actions == [Action("speak", "Hello.\nShall we share it?")] and episode.reformatted == 1


def test_turns_in_which_nothing_was_done_keep_only_their_heading_for_the_judge() -> None:
    episode = Episode(sotopia.stage(items()[0]))
    play(episode, [NONE, speak("a"), speak("I did nothing."), NONE])
    assert episode.transcript() == 'Turn #1\nTurn #2\nIvo Marsh said: "a"\nTurn #3\nTurn #4'
    prompt = episode.judge_prompt()[0]["content"]
    assert all(json.dumps(text)[1:-1] in prompt for text in RUBRIC.values())


# ------------------------------------------------------------------------------------------------ the authors' own


@pytest.mark.parametrize("place", range(len(AUTHORS["episodes"])))
def test_an_episode_goes_turn_by_turn_as_with_the_authors(place: int) -> None:
    wanted = AUTHORS["episodes"][place]
    scene = next(one for one in map(sotopia.stage, items()) if one.id == wanted["scene"])
    if wanted["relationship"] is not None:
        scene = replace(scene, relationship=wanted["relationship"])
    episode, asked, prompts = Episode(scene), "", []
    run = episode.run()
    turn = next(run)
    for reply in wanted["replies"]:
        assert not episode.ended
        asked += "ab"[turn.speaker] + "!" * turn.reformat
        prompts.append(turn.messages[0]["content"])
        try:
            turn = run.send(reply)
        except StopIteration:
            break
    assert (len(episode.actions), asked, bool(episode.ended)) == (wanted["turns"], wanted["asked"], True)
    prompts.append(episode.judge_prompt()[0]["content"])
    assert hashlib.sha256("\0".join(prompts).encode()).hexdigest() == wanted["prompts"]


@pytest.mark.parametrize(("reply", "wanted"), AUTHORS["actions"])
def test_an_action_is_read_as_by_the_authors(reply: str, wanted: list[str] | None) -> None:
    action = read_action(reply, strict=True)
    assert (action and [action.kind, action.argument]) == wanted


@pytest.mark.parametrize(("reply", "wanted"), AUTHORS["verdicts"])
def test_a_verdict_is_read_as_by_the_authors(reply: str, wanted: list[list[int]] | None) -> None:
    verdict = read_verdict(reply)
    assert (None if isinstance(verdict, str) else [list(scores.values()) for scores in verdict]) == wanted


def test_the_authors_table_is_long_enough_to_tell() -> None:
    for name, least in (("actions", 40), ("verdicts", 40), ("episodes", 40)):
        assert len(AUTHORS[name]) >= least
    for name in ("actions", "verdicts"):
        assert {value is None for _, value in AUTHORS[name]} == {True, False}


def test_seven_dimensions_with_their_ranges() -> None:
    assert RANGES == {
        "believability": (0, 10), "relationship": (-5, 5), "knowledge": (0, 10), "secret": (-10, 0),
        "social_rules": (-10, 0), "financial_and_material_benefits": (-5, 5), "goal": (0, 10),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"secret": ["", 3]}, "agent_2_evaluation, secret: score 3 is not from -10 to 0"),
        ({"goal": ["", 11]}, "agent_2_evaluation, goal: score 11 is not from 0 to 10"),
        ({"goal": ["", "eight"]}, "goal: \"['', 'eight']\" is no pair"),
        ({"goal": {"reasoning": "so", "score": 8}}, "is no pair of reasoning and whole number"),
    ],
)
def test_it_is_said_why_a_verdict_is_broken(spoilt: dict[str, Any], why: str) -> None:
    verdict = read_verdict(json.dumps({"agent_1_evaluation": GOOD, "agent_2_evaluation": GOOD | spoilt}))
    assert isinstance(verdict, str) and why in verdict
    assert read_verdict(json.dumps({"agent_1_evaluation": GOOD})) == "no agent_2_evaluation"
    assert read_verdict("I would say 8.") == "the judge's reply is not one JSON object"


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


def test_three_samples_of_an_episode_are_three_units() -> None:
    seven = json.dumps(dict.fromkeys(RANGES, 0) | {"goal": 8})
    answers = [Answer(items()[0], "", sample, Reading(None, seven, True)) for sample in range(3)]
    units = BENCHMARKS["sotopia"].score(answers).metrics["goal"].units
    assert len({one.key for one in units}) == 3


def test_the_hard_environments_are_not_called_official_as_the_authors_test_one_seat_in_each() -> None:
    answer = Answer(items()[0], "", 0, Reading(None, json.dumps(dict.fromkeys(RANGES, 0)), True))
    scores = BENCHMARKS["sotopia"].score([answer])
    assert not scores.groups["hard"]["not hard"].official and scores.groups["origin"]["hand-craft"].official
