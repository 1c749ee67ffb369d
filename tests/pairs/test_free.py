"""Free wording: what is told is what the story says, what is spoilt is not, and the words are the same on both sides."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import islice

import pytest

from socialr1_lite.pairs import Pair
from socialr1_lite.pairs.free import FreePairs
from socialr1_lite.pairs.phrasing import SLOT, Voice, grammar
from socialr1_lite.pairs.telling import FALSE, falsified, happenings, witnesses
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES
from socialr1_lite.stories import DIMENSIONS, generate
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.world import MODIFIERS

KINDS = {
    STAGES[0]: {"missed cue", "wrong person", "wrong place or thing", "invented cue", "invented person", "filler", "noticed or unnoticed"},
    STAGES[1]: {
        "wrong reason", "wrong person", "opposite belief", "wrong feeling", "denied or held", "too shallow", "too deep",
        "decides nothing", "knows/doubts mixed up", "filler", "persons exchanged",
    },
    STAGES[2]: {"wrong goal", "opposite goal", "empty goal", "wrong question"},
    STAGES[3]: {"wrong option", "contradiction", "letter of another"},
}  # fmt: skip


def stories(n: int = 20) -> list[Scenario]:
    found = (generate(n, seed=31, dimensions=(one,), orders=(0, 1, 2, 3)) for one in DIMENSIONS)
    return [scenario for some in found for scenario in some]


@cache
def made(n: int = 30) -> list[Pair]:
    return [
        pair
        for one in stories(n)
        if one.facts
        for pair in FreePairs(one, one.facts, "t", "Quite another story. It has two sentences.").pairs()
    ]


def test_every_fault_is_made_in_every_stage_and_about_ten_pairs_a_story() -> None:
    found, scenarios = made(), {pair.scenario.id for pair in made()}
    kinds = {stage: {pair.kind for pair in found if pair.stage == stage} for stage in STAGES}
    assert {stage: {kind for kind in some if "spoilt" not in kind} for stage, some in kinds.items()} == KINDS
    assert 0.05 < sum("spoilt" in pair.kind for pair in found) / len(found) < 0.2
    assert 8 < len(found) / len(scenarios) < 11
    assert all(
        pair.chosen != pair.rejected and not re.search(r"[{}<>\[\]\x01\x02]", pair.chosen + pair.rejected)
        for pair in found
    )


def test_every_sentence_of_a_story_that_can_decide_is_read_back() -> None:
    """A phrase that the grammar does not know would be left out of every cue, and its story would teach to leave it out."""
    for scenario in stories(40):
        assert scenario.facts is not None
        unread = set(scenario.facts.cues) - {one.index for one in happenings(scenario.facts)}
        told = [scenario.facts.sentences[i] for i in unread]
        assert all("each of them" in one for one in told), told  # who orders, of all: one sentence in one template


def test_each_kind_of_sentence_has_several_wordings_for_what_its_phrases_fill_in() -> None:
    for scenario in stories(12):
        assert scenario.facts is not None
        for one in happenings(scenario.facts):
            wordings = [
                text for text in grammar()[one.kind] if {slot for _, slot, _ in SLOT.findall(text)} <= one.slots.keys()
            ]
            assert len(wordings) > 1 or "<tell>" in wordings, one


def seen_by(*sentences: str) -> dict[int, dict[str, str]]:
    people, nobody = ("Anna", "Ben", "Clara"), Claim((), "the key", "is in", "the safe")
    facts = Facts(
        people, ("key", "safe"), ("Anna, Ben and Clara were in the attic.", *sentences), (), (nobody,), nobody
    )
    return witnesses(happenings(facts), people)


def test_who_saw_what_is_as_the_story_has_it() -> None:
    moved = "Anna moved the key to the safe."
    assert seen_by(moved)[1] == {"Ben": "saw", "Clara": "saw"}
    assert seen_by("Ben left the attic.", moved)[2] == {"Ben": "away", "Clara": "saw"}
    assert seen_by("Ben left the attic.", "Ben returned to the attic.", moved)[3]["Ben"] == "saw"
    peeked = "Through the window, Ben watched this happen without being seen."
    assert seen_by("Ben left the attic.", moved, peeked)[2]["Ben"] == "unnoticed"
    linked = "As everyone knew, Ben was following this live over a video link."
    assert seen_by("Ben left the attic.", moved, linked)[2]["Ben"] == "openly"
    dreamt = "Clara seemed to be watching this, but was lost in thought and took nothing in, which nobody noticed."
    assert seen_by(moved, dreamt)[1] == {"Ben": "saw", "Clara": "missed"}


def test_no_false_witness_is_a_true_one() -> None:
    """One who looks in from outside is away, too, and one who misses it is there: neither may be the false one."""
    assert all(status not in wrong for status, wrong in FALSE.items())
    assert (
        not {"saw", "away"} & {*FALSE["unnoticed"], *FALSE["openly"], *FALSE["missed"]}
        and "missed" not in FALSE["away"]
    )


def test_a_falsified_sentence_says_what_the_story_does_not() -> None:
    for scenario in stories(12):
        assert scenario.facts is not None
        told = happenings(scenario.facts)
        for one in told:
            wrong = falsified(one, told, Rng(scenario.id + str(one.index)))
            shown = {} if wrong is None else {k: v for k, v in wrong.slots.items() if k not in ("src", "room")}
            if wrong is not None and one.kind in MODIFIERS and wrong.kind != one.kind:
                continue  # of another moment it may be so
            assert wrong is None or not any(
                other.kind == wrong.kind and shown.items() <= other.slots.items() for other in told
            )
            assert wrong is None or wrong.slots.get("o", 1) != wrong.slots.get("o2", 2)


def test_reasons_that_are_wrong_stand_where_right_ones_stand() -> None:
    wrong = [pair for pair in made(40) if pair.kind == "wrong reason"]
    alike = [pair for pair in wrong if pair.chosen.split()[-3:] == pair.rejected.split()[-3:]]
    assert len(wrong) > 60 and len(alike) > len(wrong) / 3


def test_the_same_draw_words_two_things_alike_and_another_one_otherwise() -> None:
    voice = Voice("a")
    one, other = (voice.say("move", 3, a=name, o="key", c="safe") for name in ("Anna", "Ben"))
    assert one.replace("Anna", "Ben") == other
    assert len({Voice(str(i)).say("move", 3, a="Anna", o="key", c="safe") for i in range(60)}) > 8


def test_a_quarter_of_the_voices_speak_as_gold_replies_do() -> None:
    voices = [Voice(str(seed)) for seed in range(400)]
    assert 0.2 < sum(voice.gold for voice in voices) / len(voices) < 0.3
    scenario = next(iter(generate(1)))
    assert scenario.facts is not None
    told = happenings(scenario.facts)
    voice = next(voice for voice in voices if voice.gold)
    assert all(f"{one.clause(voice)}." == scenario.facts.sentences[one.index] for one in told)


def test_a_pronoun_stands_only_for_whom_was_named_last() -> None:
    for seed in range(80):
        voice = Voice(str(seed))
        if voice.gold:
            continue
        said = [voice.say("leave", i, a=name, room="attic") for i, name in enumerate(("Anna", "Anna", "Ben", "Anna"))]
        words = re.findall(r"Anna|Ben|\b(?:[Ss]he|[Hh]e|her|him|his)\b", voice.text(said))
        assert len(words) == 4 and words[0] == "Anna" and words[2] == "Ben" and words[3] == "Anna", words
        assert words[1].lower() in ("anna", "she", "her")


@pytest.mark.parametrize("stage", STAGES)
def test_free_pairs_are_the_same_for_the_same_seed(stage: str) -> None:
    scenario = next(iter(islice(generate(4), 2, None)))
    assert scenario.facts is not None
    first, again, other = (
        list(FreePairs(scenario, scenario.facts, seed, "Another story.").pairs()) for seed in ("1", "1", "2")
    )
    assert first == again != other
    assert Counter(pair.stage for pair in first)[stage] > 0
