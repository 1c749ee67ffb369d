"""Preference pairs: every kind is what it says, nothing but the story tells the sides apart, any file of the schema loads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import DataError, JudgeError
from socialr1_lite.judges import Verdict
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.pairs import KINDS, Pair, make_pairs, read_pairs, write_pairs
from socialr1_lite.pairs.__main__ import main
from socialr1_lite.pairs.audit import audit
from socialr1_lite.pairs.made import ANY, BALANCED, LAST_LEARNED, _of
from socialr1_lite.pairs.ranking import ranked, standings
from socialr1_lite.pairs.record import read_pair
from socialr1_lite.pairs.traces import run_pairs
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply, parse, reply_text
from socialr1_lite.stories import generate, gold_reply
from tests.conftest import SCENARIO
from tests.runlogs import trace

ROW: dict[str, Any] = {
    "scenario": {"story": "Mara left.", "question": "Who left?", "options": ["Mara", "Tomas"], "gold": "A"},
    "stage": "cue_encoding",
    "chosen": "Mara left.",
    "rejected": "Tomas left.",
}


@cache
def pairs() -> tuple[Pair, ...]:
    return tuple(make_pairs(2700))


def by_kind(kind: str) -> list[Pair]:
    return [pair for pair in pairs() if pair.kind == kind]


def test_every_kind_is_made_and_balanced_kinds_equally_often() -> None:
    made = Counter(pair.kind for pair in pairs())
    assert set(made) == set(KINDS) and min(made.values()) >= 10
    assert all(made[one] == made[other] for one, other in BALANCED)
    assert all(KINDS[pair.kind].stage in (pair.stage, ANY) and pair.stage not in pair.context for pair in pairs())
    assert {pair.stage for pair in by_kind("filler added")} == set(STAGES)


def test_a_kind_is_made_in_its_share_of_the_stories() -> None:
    made = Counter(pair.kind for pair in pairs())
    stories = len({pair.scenario.id for pair in pairs()})
    assert 14 < len(pairs()) / stories < 20
    for kind in ("wholesale copy", "loop", "filler instead", "other option by its letter", "wrong person in a cue"):
        assert made[kind] / stories == pytest.approx(KINDS[kind].often, abs=0.12), kind


@pytest.mark.parametrize("n", [1, 28, 60, 333])
def test_there_are_no_more_pairs_than_asked_for(n: int) -> None:
    assert max(1, n - 80) <= len(make_pairs(n)) <= n


def test_a_belief_and_another_each_held_and_denied_share_their_words() -> None:
    """So that neither the denial nor the value tells the sides apart, only the two together."""
    stories, seen = list(generate(40, seed=5, dimensions=("belief",))), 0
    for scenario, twin in zip(stories[2::2], stories[3::2], strict=True):
        told: dict[str, set[tuple[str, str]]] = {}
        for pair in _of(scenario, twin, stories[0].facts, 5):
            told.setdefault(pair.kind, set()).add((pair.chosen, pair.rejected))
        for wrong_denied, right_denied in told.get("right belief denied, or a wrong one", ()):
            assert right_denied in {one for _, one in told["belief turned round"]}
            assert wrong_denied in {one for one, _ in told["wrong belief turned round"]}
            held = {one for one, _ in told["belief turned round"]} | {
                one for _, one in told["wrong belief turned round"]
            }
            assert not held & {wrong_denied, right_denied}
            assert wrong_denied.split()[:4] == right_denied.split()[:4] and wrong_denied != right_denied
            seen += 1
    assert seen > 20


def test_knowing_is_turned_round_both_ways() -> None:
    chosen = [pair.chosen for pair in by_kind("knowledge turned round")]
    not_knowing = sum("does not know" in one for one in chosen)
    assert len(chosen) / 3 < not_knowing < 2 * len(chosen) / 3


@pytest.mark.parametrize(
    "kind", ["wrong person", "persons exchanged", "opposite belief", "wrong belief, filler chosen"]
)
def test_who_knows_is_asked_of_every_corruption_that_gives_it_to_another(kind: str) -> None:
    """The question names nobody then: only another of the people to choose from is surely wrong."""
    seen = 0
    for pair in by_kind(kind):
        gold, facts = pair.scenario.gold_text, pair.scenario.facts
        if pair.scenario.dimension != "knowledge" or facts is None or gold not in facts.people:
            continue
        right, wrong = (one.split(" know")[0].removesuffix(" does not") for one in (pair.chosen, pair.rejected))
        assert right.endswith(gold) and wrong.split()[-1] in {*pair.scenario.options} - {gold}
        assert ("does not know" in pair.chosen.split(".")[0]) == ("does not know" in pair.rejected.split(".")[0])
        seen += 1
    assert seen > 5


def test_an_opposite_belief_of_who_knows_what_is_the_twins() -> None:
    told = [pair for pair in by_kind("opposite belief") if {*pair.scenario.options} == {"Yes", "No"}]
    assert len(told) > 5
    for pair in told:
        assert ("does not know" in pair.chosen) != ("does not know" in pair.rejected)


def test_a_pretence_is_turned_round_both_ways_and_nothing_else_is() -> None:
    told = by_kind("pretence turned round")
    for pair in told:
        assert "pretended not to know" in pair.scenario.question
        seen_through = pair.scenario.gold_text == "failure"
        assert ("does not know" in pair.chosen) != seen_through and ("does not know" in pair.rejected) == seen_through
    successes = sum(pair.scenario.gold_text == "success" for pair in told)
    assert len(told) / 3 < successes < 2 * len(told) / 3


def test_no_kind_of_story_is_crowded_out_by_the_one_that_is_learned_last() -> None:
    told = {pair.scenario.id: pair.scenario for pair in pairs()}
    found = Counter((one.dimension, one.meta["template"]) for one in told.values())
    usual = Counter(
        (one.dimension, one.meta["template"])
        for one in generate(600, seed=11, dimensions=("belief", "knowledge"), orders=(0, 1, 2))
    )
    assert {one for one, n in usual.items() if n > 20} <= set(found)
    assert 0.1 < found["knowledge", LAST_LEARNED] / len(told) < 0.3
    assert usual["knowledge", LAST_LEARNED] / usual.total() < 0.12  # else there would be no need


def test_the_same_seed_makes_the_same_pairs_and_another_one_others() -> None:
    assert make_pairs(60) == make_pairs(60) != make_pairs(60, seed=12)


def test_train_and_test_share_no_name() -> None:
    train = {word for pair in make_pairs(60) for word in pair.scenario.facts.people}  # type: ignore[union-attr]
    test = {word for pair in make_pairs(60, split="test") for word in pair.scenario.facts.people}  # type: ignore[union-attr]
    assert train and test and not train & test


# What argues from what, a bare letter, and how much filler outweighs an invention.
BEYOND_FACTS = ("back-filling", "letter", "invented cue, filler chosen")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not any(word in kind for word in BEYOND_FACTS)])
def test_the_facts_judge_finds_the_chosen_text_no_worse(kind: str) -> None:
    """The world knows which side is right."""
    judge, scored = FactsJudge(), []
    for pair in by_kind(kind):
        told = []
        for text in (pair.chosen, pair.rejected):
            stages = {**pair.context, pair.stage: text}
            reply = parse(reply_text({stage: stages[stage] for stage in STAGES}, pair.answer), pair.scenario.options)
            told.append(judge.judge([reply], pair.scenario)[0].scores[pair.stage] or 0.0)
        scored.append(told[0] - told[1])
    assert sum(one > 0 for one in scored) >= 0.8 * len(scored), scored


def test_all_that_is_decisive_with_filler_beats_an_invention_and_what_decides_nothing() -> None:
    told = by_kind("invented cue, filler chosen")
    assert len(told) > 20
    for pair in told:
        facts = pair.scenario.facts
        assert facts is not None
        decisive = [facts.sentences[i] for i in facts.cues]
        assert all(one in pair.chosen for one in decisive) and not any(one in pair.rejected for one in decisive)


def test_back_filling_has_the_same_words_in_another_order() -> None:
    for pair in by_kind("option-driven back-filling"):
        sides = [sorted(side.lower().replace(",", "").replace(".", "").replace(";", "").split())
                 for side in (pair.chosen, pair.rejected)]  # fmt: skip
        assert sides[0] == sides[1] and pair.chosen != pair.rejected


def test_length_and_words_alone_tell_little() -> None:
    length, words = audit(pairs())
    assert abs(length.right.value - 0.5) < 0.06 and words.right.value < 0.6
    assert not length.works and not words.works


def test_the_audit_sees_what_gives_pairs_away() -> None:
    longer = [replace(pair, chosen=f"{pair.rejected} and more") for pair in pairs()]
    length, words = audit(longer)
    assert length.works and length.right.value == 1.0
    assert words.works and words.right.value > 0.95


def test_pairs_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    assert write_pairs(path, pairs()) == len(pairs())
    read = read_pairs(path)
    assert [(one.chosen, one.rejected, one.kind, one.context, one.answer) for one in read] == [
        (one.chosen, one.rejected, one.kind, one.context, one.answer) for one in pairs()
    ]
    assert all(one.scenario.facts is None and one.scenario.story for one in read)
    assert list(tmp_path.iterdir()) == [path]


def test_a_foreign_file_needs_only_four_fields(tmp_path: Path) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_text(json.dumps(ROW) + "\n\n", encoding="utf-8")
    (pair,) = read_pairs(path)
    assert (pair.scenario.gold, pair.chosen, pair.kind, pair.source) == ((0,), "Mara left.", "", "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"stage": "cues"}, "stage 'cues'; allowed: cue_encoding"),
        ({"chosen": " "}, "chosen must be text"),
        ({"rejected": 3}, "rejected must be text"),
        ({"rejected": "Mara left. "}, "the same text"),
        ({"scenario": "Mara left."}, "needs an object"),
        ({"scenario": {"story": "x", "options": ["a"]}}, "scenario: .*1 options"),
        ({"context": {"cues": "x"}}, "context"),
        ({"version": 2}, "version 2; this code reads 1"),
    ],
)
def test_a_wrong_row_is_named(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{json.dumps(ROW | change)}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"pairs\.jsonl:2: .*{told}"):
        read_pairs(path)


@pytest.mark.parametrize(("text", "told"), [("{", "not JSON"), ("", "holds no pair"), ("[" * 100000, "not JSON")])
def test_a_file_that_is_none_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_pairs(path)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.jsonl"
    assert main(["--n", "1600", "-o", str(path)]) == 0
    assert main(["audit", str(path)]) == 0
    assert "bag of words: " in capsys.readouterr().out
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row | {"chosen": row["rejected"] + " yes"}) + "\n" for row in rows))
    assert main(["audit", str(path)]) == 1
    with pytest.raises(DataError, match="--n 0"):
        main(["--n", "0", "-o", str(path)])


# ------------------------------------------------------------------------------------------ from a run


def a_run(folder: Path, *completions: str, scenario: Scenario) -> RunFolder:
    run = RunFolder.create(folder)
    run.add_scenarios([scenario])
    with TraceWriter(run) as writer:
        writer.write([trace(scenario=scenario.id, index=i, completion=one) for i, one in enumerate(completions)])
    return run


def test_siblings_become_pairs_that_differ_in_one_stage(tmp_path: Path) -> None:
    scenario = next(iter(generate(1, seed=3)))
    gold = parse(gold_reply(scenario), scenario.options)
    stages = {stage: gold.stage_text(stage) for stage in STAGES}
    worse = reply_text({**stages, "cue_interpretation": "Nobody can tell what anybody thinks here at all."}, "A")
    shorter = reply_text({**stages, "cue_interpretation": "Nobody thinks."}, "A")
    run = a_run(tmp_path / "run", worse, gold.text, shorter, "no stages at all", scenario=scenario)
    (pair,) = run_pairs(run, FactsJudge())
    assert (pair.stage, pair.chosen) == ("cue_interpretation", stages["cue_interpretation"])
    assert pair.rejected == "Nobody can tell what anybody thinks here at all."  # the nearer one in length
    assert pair.context == {stage: text for stage, text in stages.items() if stage != "cue_interpretation"}
    assert (pair.kind, pair.source) == ("trace", "run, ranked by facts") and pair.answer in scenario.options


def test_the_command_makes_a_file_of_a_run_that_loads_again(tmp_path: Path) -> None:
    scenario = next(iter(generate(1, seed=3)))
    bad = reply_text({stage: "Nobody can tell what anybody thinks here at all." for stage in STAGES}, "A")
    run, path = a_run(tmp_path / "run", gold_reply(scenario), bad, scenario=scenario), tmp_path / "pairs.jsonl"
    assert main(["--from-run", str(run.path), "-o", str(path)]) == 0
    assert [pair.stage for pair in read_pairs(path)] == list(STAGES)
    with pytest.raises(DataError, match=r"no group has two texts for a stage that facts scores 1\.5 apart"):
        main(["--from-run", str(run.path), "--margin", "1.5", "-o", str(path)])
    with pytest.raises(JudgeError, match="unknown judge"):
        main(["--from-run", str(run.path), "--judge", "fax", "-o", str(path)])


def test_a_judge_that_cannot_tell_ranks_nothing(tmp_path: Path) -> None:
    scenario = replace(next(iter(generate(1, seed=3))), facts=None)
    run = a_run(tmp_path / "run", *(reply_text({STAGES[0]: text}, "A") for text in ("One thing.", "Two.")),
                scenario=scenario)  # fmt: skip
    with pytest.raises(DataError, match="no group has two texts"):
        run_pairs(run, FactsJudge())


def test_scenarios_without_facts_make_no_pairs() -> None:
    bare = replace(SCENARIO, facts=None)
    other = next(iter(generate(1)))
    assert not list(_of(bare, other, other.facts, 1))


# ------------------------------------------------------------------------------------------ held to them


def test_a_judge_is_held_to_pairs_by_stage_and_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Says:
        name = "says"

        def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
            return [Verdict({STAGES[0]: float("Mara" in one.stage_text(STAGES[0])), STAGES[1]: 0.5}) for one in replies]

    told = [read_pair(ROW | change, "here") for change in (
        {"kind": "a"}, {"kind": "a", "chosen": "Tomas left.", "rejected": "Mara left."},
        {"kind": "b", "stage": STAGES[1], "context": {STAGES[0]: "Tomas left."}}, {"kind": "c", "stage": STAGES[2]},
    )]  # fmt: skip
    scores = ranked(told, Says())
    assert scores == [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), None]
    found = {one.label: (one.n, one.found.value, one.tied) for one in standings(told, scores)}
    assert found["a"] == found[f"stage {STAGES[0]}"] == (2, 0.5, 0.0)
    assert found["b"] == (1, 0.0, 1.0) and found["all pairs"] == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert "c" not in found

    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    assert main(["rank", str(path), "--judge", "rules"]) == 0
    assert capsys.readouterr().out.startswith("all pairs ")
    with pytest.raises(DataError, match="facts can score none"):
        main(["rank", str(path), "--judge", "facts"])
