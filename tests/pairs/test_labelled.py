"""Pairs of labelled replies: what was read as right beats what was read as wrong, and nothing of the test part is there."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from socialr1_lite.judges.corpus import LabelledReply, read_corpus
from socialr1_lite.pairs.labelled import corpus_pairs, labelled_pairs
from socialr1_lite.sip import STAGES, reply_text
from tests.conftest import SCENARIO
from tests.scripted import STAGES as GOOD

HONEST = LabelledReply("1/a", SCENARIO, reply_text(GOOD, "B"), dict.fromkeys(STAGES, 1.0))


def faulty(stage: str, label: float, text: str) -> LabelledReply:
    said = {**dict(zip(STAGES, GOOD.values() if isinstance(GOOD, dict) else GOOD, strict=True)), stage: text}
    labels = {**dict.fromkeys(STAGES, 1.0), stage: label}
    return LabelledReply("1/b", SCENARIO, reply_text(said, "B"), labels, kind="wrong goal", of="1/a")


def test_a_wrong_text_loses_in_the_place_of_the_honest_one() -> None:
    pairs = [
        one for one in labelled_pairs([HONEST, faulty(STAGES[2], 0.0, "Nobody wants a thing.")]) if "read" in one.kind
    ]
    (pair,) = pairs
    assert (pair.stage, pair.rejected, pair.kind) == (STAGES[2], "Nobody wants a thing.", "read: wrong goal")
    assert set(pair.context) == set(STAGES) - {STAGES[2]} and pair.answer == SCENARIO.gold_text


def test_partly_right_is_in_between_and_equals_make_no_pair() -> None:
    half, none = faulty(STAGES[2], 0.5, "Perhaps somebody wants it."), faulty(STAGES[2], 0.0, "Nobody wants it.")
    read = {(one.chosen, one.rejected) for one in labelled_pairs([HONEST, half, none]) if "read" in one.kind}
    assert len(read) == 3 and ("Perhaps somebody wants it.", "Nobody wants it.") in read
    assert not [one for one in labelled_pairs([HONEST, replace(HONEST, id="1/c")]) if "read" in one.kind]


def test_the_train_part_of_every_file_is_taken_and_nothing_of_the_test_part() -> None:
    pairs = list(islice(corpus_pairs(3), 1500))
    taken = {pair.scenario.id.split()[0] for pair in pairs}
    for name in ("generated", "everyday", "unmarked"):
        train, test = ({one.scenario.id for one in read_corpus(name, split)} for split in ("train", "test"))
        assert len(train & taken) > 0.8 * len(train) / (4 if name == "unmarked" else 1), name
        assert not test & taken


def test_a_second_copy_has_other_names_in_story_and_texts() -> None:
    reply = next(one for one in read_corpus("generated", "train") if one.scenario.facts and one.kind == "honest")
    people = reply.scenario.facts.people if reply.scenario.facts else ()
    wrong = next(one for one in read_corpus("generated", "train") if one.of == reply.id)
    first, second = (next(iter(labelled_pairs([reply, wrong], seed))) for seed in ("0", "1"))
    assert first.scenario.id != second.scenario.id and first.scenario.story != second.scenario.story
    assert not any(name in pair.scenario.story + pair.chosen for pair in (first, second) for name in people)
    assert first.scenario.facts is None
