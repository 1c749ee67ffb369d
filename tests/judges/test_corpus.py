"""The corpus of free wording, and what is measured on it: worked out by hand."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.judges import Verdict, build_judge
from socialr1_lite.judges.__main__ import main
from socialr1_lite.judges.agreement import (
    JudgedReply,
    auc,
    judge_replies,
    kappa,
    paid_wrongly,
    pair_agreement,
    readers_agree,
    stage_agreement,
)
from socialr1_lite.judges.corpus import NAMES, LabelledReply, read_corpus, read_labels
from socialr1_lite.judges.unmarked_agreement import measure_unmarked
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply, parse, reply_text

CORPUS = Path(str(files("socialr1_lite.judges.corpus")))
ROWS = {name: [json.loads(line) for line in (CORPUS / f"{name}.jsonl").read_bytes().splitlines()] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_whole(name: str) -> None:
    replies = read_corpus(name)
    assert len({reply.id for reply in replies}) == len(replies) == len(ROWS[name])
    ids = {reply.id for reply in replies}
    for reply in replies:
        assert reply.labels.keys() == set(STAGES) and reply.second is not None
        assert not reply.of or reply.of in ids
        answer = parse(reply.completion, reply.scenario.options).answer
        assert answer is not None
        if reply.kind not in ("wrong answer", "parasitic"):
            assert answer in reply.scenario.gold, reply.id
        assert (reply.parasitic is None) is reply.marked


@pytest.mark.parametrize("name", NAMES)
def test_a_story_is_in_one_split(name: str) -> None:
    splits: dict[str, set[str]] = {}
    for reply in read_corpus(name):
        splits.setdefault(reply.scenario.id, set()).add(reply.split)
    assert all(len(one) == 1 for one in splits.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_part_that_measures_is_the_one_whose_hash_was_committed(name: str) -> None:
    lines = (CORPUS / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
    digest = hashlib.sha256(b"".join(line for line in lines if json.loads(line)["split"] == "test")).hexdigest()
    assert digest in (CORPUS / "README.md").read_text()


def test_where_two_readings_differ_the_label_is_in_between_and_marked() -> None:
    for row in (row for rows in ROWS.values() for row in rows):
        for stage in STAGES:
            one, other = row["first"][stage], row["second"][stage]
            assert row["labels"][stage] == (one if one == other else 0.5)
            assert (stage in row["disputed"]) is (one != other)


def test_the_readme_tells_the_figures_of_the_files() -> None:
    found = {name: readers_agree(read_corpus(name)) for name in NAMES}
    assert {name: n for name, (n, _, _) in found.items()} == {
        "generated": 1248,
        "everyday": 1040,
        "unmarked": 496,
        "chinese": 40,
    }
    assert {name: round(agreed, 2) for name, (_, _, agreed) in found.items()} == {
        "generated": 0.93,
        "everyday": 0.85,
        "unmarked": 0.87,
        "chinese": 0.86,
    }
    sentences = [
        (stage, other)
        for row in ROWS["unmarked"]
        for (_, stage), other in zip(row["sentences"], row["second_sentences"], strict=True)
    ]
    assert len(sentences) == 2030 and round(kappa(sentences), 2) == 0.79


def test_unmarked_sentences_give_the_thinking() -> None:
    for row in ROWS["unmarked"]:
        text = " ".join(sentence for sentence, _ in row["sentences"])
        assert text in row["completion"]


def test_the_parts_are_as_large_as_they_are_said_to_be() -> None:
    kinds = Counter(reply.kind for reply in read_corpus("everyday"))
    assert kinds["honest"] == 120 and kinds["wrong answer"] == 60
    assert len(kinds) == 18 and all(kinds[kind] == 5 for kind in kinds if kind not in ("honest", "wrong answer"))
    test = read_corpus("unmarked", "test")
    assert sum(reply.kind == "honest" for reply in test) >= 60 and sum(bool(reply.parasitic) for reply in test) >= 30


# --- the figures ------------------------------------------------------------------------------------------------------

STORY = Scenario("corpus/1", "Ann left. Ben moved the ball.", "Where will Ann look?", ("the box", "the bag"), (0,))


class ByWord:
    """Scores a stage by the first number that it holds: `7` is 0.7."""

    name = "by_word"

    def judge(self, replies: list[Reply], scenario: Scenario) -> list[Verdict]:
        return [
            Verdict(
                {
                    segment.stage: int(next(letter for letter in reply.body(segment) if letter.isdigit())) / 10
                    for segment in reply.segments
                    if segment.stage
                }
            )
            for reply in replies
        ]


def labelled(id: str, scores: str, labels: str, kind: str = "honest", of: str = "") -> LabelledReply:
    text = reply_text([f"text with {score} in it here" for score in scores], "A")
    values = {stage: {"1": 1.0, "h": 0.5, "0": 0.0}[label] for stage, label in zip(STAGES, labels, strict=True)}
    return LabelledReply(id, STORY, text, values, kind, of)


def test_stages_and_pairs_by_hand() -> None:
    judged = judge_replies(
        ByWord(),
        [
            labelled("a", "8888", "1111"),
            labelled("b", "6666", "11h1"),
            labelled("c", "8388", "1011", "opposite belief", "a"),
            labelled("d", "7777", "1000", "wrong answer"),
        ],
    )
    cues, interpretation, goal, _ = stage_agreement(judged)
    assert cues.auc is None and cues.n_right == 4  # nothing wrong to tell it from
    # right .8 .6 against wrong .3 .7: three of four in order
    assert interpretation.auc == 0.75 and interpretation.right == pytest.approx(0.7)
    assert (goal.n_right, goal.n_wrong) == (2, 1)  # the partly right one is left out
    figures = {pair.kind.strip(): (pair.n, pair.wins.value) for pair in pair_agreement(judged)}
    assert figures["opposite belief"] == (1, 1.0)  # .8 against .675
    assert figures["honest against a wrong answer"] == (2, 0.5)  # .8 beats .7, .6 does not
    assert figures["all pairs"] == (3, pytest.approx(2 / 3))


def test_what_is_paid_to_stages_that_reading_rejects() -> None:
    one = replace(labelled("a", "8642", "1h00"), first={"cue_encoding": 0.0}, second={"cue_encoding": 1.0})
    # .4 + .2 of the 2.0 of the first reply and the .8 of the second, of which a partly right stage is none
    assert paid_wrongly(judge_replies(ByWord(), [one, labelled("b", "2222", "1hhh")])) == {
        "settled": pytest.approx(0.6 / 2.8), "first": 1.0, "second": 0.0,
    }  # fmt: skip
    assert paid_wrongly(judge_replies(ByWord(), [labelled("c", "0000", "0000")]))["settled"] is None


def test_auc_and_kappa_by_hand() -> None:
    assert auc([1.0, 0.5], [0.5, 0.0]) == (1 + 1 + 0.5 + 1) / 4
    assert auc([], [0.1]) is None
    # alike 3 of 4; by chance 0.5 * 0.75 + 0.5 * 0.25 = 0.5
    assert kappa([(1, 1), (1, 1), (0, 0), (0, 1)]) == pytest.approx((0.75 - 0.5) / 0.5)
    assert kappa([(1, 1), (1, 1)]) == 1.0


def test_a_stage_that_is_missing_earns_nothing_and_a_failed_verdict_is_left_out() -> None:
    class Fails(ByWord):
        def judge(self, replies: list[Reply], scenario: Scenario) -> list[Verdict]:
            return [Verdict.failure("down")] * len(replies)

    (judged,) = judge_replies(Fails(), [labelled("a", "8888", "1111")])
    assert judged.content is None
    short = LabelledReply("s", STORY, "<think>\nCue Encoding: text with 8 in it\n</think>\n<answer>A</answer>", {})
    (judged,) = judge_replies(ByWord(), [short])
    assert judged.content == pytest.approx(0.2)


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_measures_a_judge(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agree", "--judge", "rules", "--split", "train"]) == 0
    said = capsys.readouterr().out
    assert "131 replies to 30 scenarios" in said and "same right answer" in said


def test_any_file_of_the_same_form_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.jsonl"
    row = {name: ROWS["everyday"][0][name] for name in ("id", "scenario", "completion", "labels")}
    path.write_text(json.dumps(row) + "\n")
    assert main(["agree", "--judge", "rules", "--data", str(path)]) == 0
    assert "1 replies to 1 scenarios" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "line 2: no labelled reply"),
        ('{"id": "x"}', "line 2: no labelled reply: 'scenario' is missing"),
        (json.dumps({**ROWS["everyday"][0], "labels": {"cue_encoding": 0.7}}), "labels must give 0, 0.5 or 1"),
        (json.dumps({**ROWS["everyday"][0], "labels": {"cues": 1}}), "to stages of cue_encoding"),
        (json.dumps({**ROWS["everyday"][0], "labels": "good"}), "labels must be an object, not 'good'"),
        (json.dumps({**ROWS["everyday"][0], "labels": [1]}), r"labels must be an object, not \[1\]"),
        (json.dumps({**ROWS["everyday"][0], "scenario": []}), r"scenario must be an object, not \[\]"),
        (json.dumps({**ROWS["everyday"][0], "sentences": 3}), "line 2: no labelled reply"),
        (json.dumps({**ROWS["everyday"][0], "second_sentences": [[]]}), "line 2: no labelled reply"),
        ("[1]", "line 2: no labelled reply: an object with id"),
        ('"x"', "line 2: no labelled reply: an object with id"),
        ("[" * 100_000, "line 2: no labelled reply"),
    ],
    ids=lambda given: given[:20],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(ROWS["everyday"][0]) + "\n" + line + "\n")
    with pytest.raises(DataError, match=why):
        list(read_labels(path))


@pytest.mark.parametrize("text", ["", "\n \n", '{"id": "x", "removed": true}\n'])
def test_a_file_without_labels_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"mine\.jsonl: holds no labelled reply$"):
        main(["agree", "--judge", "rules", "--data", str(path)])


def test_two_readers_in_one_file_both_count_and_make_no_pair_of_one_text(tmp_path: Path) -> None:
    """By hand: anna changed her mind, ben marks the same reply down; one honest reply against one that is worse."""
    row = {name: ROWS["everyday"][0][name] for name in ("id", "scenario", "completion")}
    worse = row | {"id": "worse", "completion": row["completion"].replace("Cue Encoding", "Cue encoding")}
    good, bad = dict.fromkeys(STAGES, 1), dict.fromkeys(STAGES, 0)
    rows = [
        row | {"by": "anna", "labels": bad, "kind": "marked down"},
        row | {"by": "ben", "labels": bad, "kind": "marked down"},
        row | {"by": "anna", "labels": good, "kind": "honest"},
        worse | {"by": "ben", "labels": bad, "kind": "marked down"},
    ]
    path = tmp_path / "both.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    replies = list(read_labels(path))
    assert [(one.id, one.labels[STAGES[0]]) for one in replies] == [(row["id"], 0), (row["id"], 1), ("worse", 0)]
    scores = dict.fromkeys(STAGES, 0.5)
    (everything, *_) = pair_agreement([JudgedReply(one, scores) for one in replies])
    assert everything.n == 1


def test_unmarked_thinking_is_measured_by_hand() -> None:
    """The second sentence belongs to no stage by the first reading; parsing takes it for the response."""
    story = Scenario("corpus/2", "Ann left. Ben moved the ball.", "Where will Ann look?", ("the box", "the bag"), (0,))
    sentences = (("She thinks the ball is in the box.", "cue_interpretation"), ("It has to be option A.", None))
    text = " ".join(sentence for sentence, _ in sentences)
    one = LabelledReply(
        "u", story, f"<think>\n{text}\n</think>\n<answer>A</answer>", dict.fromkeys(STAGES, 1.0), marked=False,
        sentences=sentences, second_sentences=("cue_interpretation", "response_generation"), parasitic=False,
    )  # fmt: skip
    found = measure_unmarked([one])
    assert (found.replies, found.sentences) == (1, 2)
    # alike 1 of 2; by chance 0.5 * 0.5
    assert found.kappa == found.readers == pytest.approx((0.5 - 0.25) / 0.75)
    assert found.charged.value == 0.0 and found.structure is None


def test_the_command_measures_the_unmarked_reading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unmarked", "--split", "train"]) == 0
    assert "24 replies, 361 sentences" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "alike", "most"), [("embedded", 0.97, 0.25), ("twins", 0.99, 0.10)])
def test_what_facts_pays_to_nonsense_in_a_run_s_own_completions(name: str, alike: float, most: float) -> None:
    """docs/judges.md: 19.9 % where it was mended, 3.0 % of a run that it never saw; 10 % is aimed at."""
    path = Path(__file__).parents[2] / "benchmarks" / f"{name}_replies.jsonl"
    replies = list(read_labels(path))
    shares = paid_wrongly(judge_replies(build_judge("facts", {}), replies))
    assert len(replies) == 60 and readers_agree(replies)[1] >= alike - 0.005
    assert all(share is not None and share <= most for share in shares.values())
