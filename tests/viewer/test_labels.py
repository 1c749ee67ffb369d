"""People judge: marks are kept beside the run, read by every tool that takes labels, and set against the judge."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import pairs
from socialr1_lite.errors import DataError, RunLogError, SocialR1Error
from socialr1_lite.judges import __main__ as judges_command
from socialr1_lite.judges.agreement import kappa
from socialr1_lite.judges.corpus import HONEST, WORSE_SIBLING, WRONG_ANSWER, read_labels
from socialr1_lite.pairs import __main__ as pairs_command
from socialr1_lite.pairs.marked import label_rows, marked_pairs
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.runlog.labels import append_label, label_file, read_label_rows
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, reply_text
from socialr1_lite.viewer import labelling, pages
from socialr1_lite.viewer.labelling import MARKED_DOWN
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import BadRequest, Query, encode
from tests.runlogs import trace
from tests.viewer.test_pages import settled

CUE, MEANING, GOAL, ANSWER = STAGES
SCENARIO = Scenario(
    "s/0", "Mara hid the violin. Tom left.", "Where does Tom look?", ("chest", "trunk"), (0,), group="one"
)


def said(word: str) -> str:
    return reply_text({stage: f"In {word} words this is the {stage.replace('_', ' ')}." for stage in STAGES}, "A")


def member(index: int, word: str, *, outcome: str = "right", **scores: float) -> Trace:
    parts = {f"content.{stage}": scores.get(stage, 0.5) for stage in STAGES}
    return trace(0, 0, index, scenario="s/0", completion=said(word), outcome=outcome, parts=parts)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("SOCIALR1_DATA", str(tmp_path / "own"))
    run = RunFolder.create(tmp_path / "runs" / "mine")
    run.add_scenarios([SCENARIO])
    rows = [
        member(0, "good", cue_encoding=0.9, cue_interpretation=0.2),
        member(1, "poor", cue_encoding=0.1, cue_interpretation=0.8),
        member(2, "wrong", outcome="wrong", cue_encoding=0.4),
        member(3, "other"),
    ]
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write(rows)
    return run


@pytest.fixture
def library(run: RunFolder) -> Library:
    library = Library([run.path.parent])
    settled(library.run("mine"))
    return library


def mark(library: Library, index: int, stage: str, mark: str, **more: Any) -> dict[str, Any]:
    arguments = {"run": "mine", "trace": f"t0.0.0.{index}", "stage": stage, "mark": mark, "reader": "anna"}
    return dict(labelling.label(library, Query(arguments | more)))


def prefer(library: Library, one: int, two: int, better: int | None, **more: Any) -> None:
    names = {"one": f"t0.0.0.{one}", "two": f"t0.0.0.{two}", "better": "" if better is None else f"t0.0.0.{better}"}
    labelling.prefer(library, Query({"run": "mine", "reader": "anna"} | names | more))


def board(library: Library, **more: Any) -> dict[str, Any]:
    return dict(labelling.labels(library, Query({"run": "mine", "reader": "anna"} | more)))


def test_a_mark_is_a_row_of_the_corpus_form_beside_the_run(library: Library, run: RunFolder) -> None:
    before = [path.read_bytes() for path in sorted(run.traces.iterdir())]
    token = "sk-" + "ant-" + 20 * "q"  # put together: no scan for secrets may find one here
    answer = mark(library, 0, CUE, "good", note=f"quotes both, {token}")
    mark(library, 0, MEANING, "partly", blind="1")
    mark(library, 2, CUE, "bad")
    path = run.path / "labels" / "anna.jsonl"
    assert answer["labels"] == {CUE: "good"} and answer["file"] == str(path)
    first, second = read_labels(path)  # as `judges agree --data` reads it
    assert (first.id, first.labels, first.kind) == ("mine/t0.0.0.0", {CUE: 1.0, MEANING: 0.5}, MARKED_DOWN)
    assert first.scenario == SCENARIO and first.completion == said("good") and first.split == "train"
    assert (second.labels, second.kind) == ({CUE: 0.0}, WRONG_ANSWER)
    assert b"quotes both, ***" in path.read_bytes() and token.encode() not in path.read_bytes()
    assert before == [path.read_bytes() for path in sorted(run.traces.iterdir())]


def test_a_mark_can_be_taken_back_and_the_last_word_counts(library: Library, run: RunFolder) -> None:
    for word in ("good", "bad", "partly"):
        mark(library, 1, CUE, word)
    (row,) = read_label_rows(run)
    assert row["labels"] == {CUE: 0.5}
    assert mark(library, 1, CUE, "", note="unsure")["notes"] == {CUE: "unsure"}
    (row,) = read_label_rows(run)
    assert row["labels"] == {} and row["kind"] == HONEST
    assert [reply.labels for reply in read_labels(run.path / "labels" / "anna.jsonl")] == [{}]


def test_of_two_saves_that_cross_neither_is_lost(
    library: Library, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has read what is known and is about to write, when the second comes."""
    real, about_to_write, second_is_done = append_label, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Path:
        if not about_to_write.is_set():
            about_to_write.set()
            second_is_done.wait(1)  # in vain where the second has to wait for the first
        return real(*arguments)

    monkeypatch.setattr(labelling, "append_label", slow)
    first = threading.Thread(target=mark, args=(library, 0, CUE, "good"))
    first.start()
    assert about_to_write.wait(60)
    mark(library, 0, MEANING, "bad")
    second_is_done.set()
    first.join(60)
    (row,) = read_label_rows(run)
    assert row["labels"] == {CUE: 1.0, MEANING: 0.0}


def test_a_mark_leaves_the_note_and_a_note_the_mark(library: Library, run: RunFolder) -> None:
    mark(library, 0, CUE, "bad", note="says nothing of Tom")
    assert mark(library, 0, CUE, "partly")["notes"] == {CUE: "says nothing of Tom"}
    arguments = {"run": "mine", "trace": "t0.0.0.0", "stage": CUE, "reader": "anna"}
    assert labelling.label(library, Query(arguments | {"note": "little"}))["labels"] == {CUE: "partly"}
    assert labelling.label(library, Query(arguments | {"note": ""}))["notes"] == {}
    with pytest.raises(BadRequest, match="or a note are needed"):
        labelling.label(library, Query(arguments))
    (row,) = read_label_rows(run)
    assert row["labels"] == {CUE: 0.5} and row["notes"] == {}


def test_two_readers_do_not_see_each_other_and_are_compared(library: Library) -> None:
    for stage, (anna, ben) in {CUE: ("good", "good"), MEANING: ("bad", "good"), GOAL: ("bad", "bad")}.items():
        mark(library, 0, stage, anna)
        mark(library, 0, stage, ben, reader="ben")
    asked = {"run": "mine", "trace": "t0.0.0.0"}
    assert labelling.marks(library, Query(asked | {"reader": "ben"}))["labels"][MEANING] == "good"
    assert labelling.marks(library, Query(asked | {"reader": "carl"}))["labels"] == {}
    (tile,) = [one for one in board(library)["tiles"] if one["label"] == "Readers agree"]
    expected = kappa([(1, 1), (0, 1), (0, 0)])
    assert tile["value"] == f"{expected:.2f}" == "0.40" and "3 stages" in tile["note"]
    assert board(library)["readers"] == ["anna", "ben"]


def test_the_judge_is_set_against_the_people(library: Library) -> None:
    """By hand: of the cues the judge gives 0.9 to the good one, 0.1 and 0.4 to the bad ones: both pairs in order."""
    for index, word in enumerate(("good", "bad", "bad")):
        mark(library, index, CUE, word)
    mark(library, 0, MEANING, "good", note="says whose belief")  # the judge: 0.2
    mark(library, 1, MEANING, "bad")  # the judge: 0.8
    answer = board(library)
    cue, meaning, *_ = answer["stages"]
    assert cue["auc"] == 1.0 and cue["means"] == [0.9, None, pytest.approx(0.25)] and cue["n"] == [1, 0, 2]
    assert meaning["auc"] == 0.0
    apart = [(row["id"], row["stage"], row["human"], row["judge"]) for row in answer["disagreements"]]
    assert apart[:2] == [("t0.0.0.0", MEANING, "good", 0.2), ("t0.0.0.1", MEANING, "bad", 0.8)]
    assert [row["apart"] for row in answer["disagreements"]] == pytest.approx([0.8, 0.8, 0.4, 0.1, 0.1])
    assert answer["disagreements"][0]["note"] == "says whose belief"
    assert answer["judges"] == [labelling.PAID] and answer["gone"] == 0
    (row,) = [one for one in answer["pairs"] if one["kind"] == "all pairs"]
    assert row["n"] == 2  # the honest one against the two that were marked down


def test_the_better_of_two_is_a_pair_for_judges_and_for_reward_models(library: Library, run: RunFolder) -> None:
    prefer(library, 0, 1, 0)
    replies = {reply.id: reply for reply in read_labels(run.path / "labels" / "anna.jsonl")}
    (worse,) = [reply for reply in replies.values() if reply.kind == WORSE_SIBLING]
    assert worse.of == "mine/t0.0.0.0" and worse.of in replies
    found = list(marked_pairs(label_rows(run.path)))
    assert {(one.stage, "good" in one.chosen, "poor" in one.rejected) for one in found} == {
        (s, True, True) for s in STAGES
    }
    marks = labelling.marks(library, Query({"run": "mine", "trace": "t0.0.0.1", "reader": "anna"}))
    assert marks["preferred"] == [{"better": "t0.0.0.0", "worse": "t0.0.0.1", "stage": ""}]
    prefer(library, 0, 1, 1)  # a change of mind takes the first word back
    (worse,) = [one for one in read_labels(run.path / "labels" / "anna.jsonl") if one.kind == WORSE_SIBLING]
    assert worse.of == "mine/t0.0.0.1"
    prefer(library, 0, 1, None)
    assert not [one for one in read_labels(run.path / "labels" / "anna.jsonl") if one.kind == WORSE_SIBLING]


def test_marks_become_pairs_where_they_differ(library: Library, run: RunFolder) -> None:
    mark(library, 0, CUE, "good")
    mark(library, 1, CUE, "bad")
    mark(library, 3, CUE, "partly")
    prefer(library, 1, 0, 1)  # as a whole the other way round: but its cue is marked worse
    prefer(library, 3, 2, 3, stage=GOAL)
    found = {(one.stage, word(one.chosen), word(one.rejected)): one for one in marked_pairs(label_rows(run.path))}
    assert found.keys() == {
        (CUE, "good", "poor"), (CUE, "good", "other"), (CUE, "other", "poor"), (GOAL, "other", "wrong"),
        (MEANING, "poor", "good"), (GOAL, "poor", "good"), (ANSWER, "poor", "good"),
    }  # fmt: skip
    one = found[CUE, "good", "poor"]
    assert one.kind == "marked bad" and one.source == "labels" and one.context.keys() == {MEANING, GOAL, ANSWER}


def word(text: str) -> str:
    return text.split()[1]


def test_the_command_line_takes_a_run_and_a_file(library: Library, run: RunFolder, tmp_path: Path, capsys: Any) -> None:
    mark(library, 0, CUE, "good")
    mark(library, 1, CUE, "bad")
    path = run.path / "labels" / "anna.jsonl"
    for place in (run.path, path):
        assert pairs_command.main(["--labels", str(place), "-o", str(tmp_path / "pairs.jsonl")]) == 0
        (pair,) = pairs.read_pairs(tmp_path / "pairs.jsonl")
        assert pair.stage == CUE and word(pair.chosen) == "good"
    assert judges_command.main(["agree", "--judge", "rules", "--data", str(path)]) == 0
    assert "2 replies to 1 scenarios" in capsys.readouterr().out
    with pytest.raises(DataError, match="neither a run folder nor a file"):
        pairs_command.main(["--labels", str(tmp_path / "nowhere"), "-o", str(tmp_path / "x.jsonl")])


def test_what_two_readers_say_in_one_file_counts_as_two_words(library: Library, tmp_path: Path) -> None:
    """By hand: the cue of one is good and good, of the other bad and good, so 1 against 0.5."""
    for index, reader, said in ((0, "anna", "good"), (0, "ben", "good"), (1, "anna", "bad"), (1, "ben", "good")):
        mark(library, index, CUE, said, reader=reader)
    answer = labelling.export_labels(library, Query({"run": "mine"}))
    path = tmp_path / "both.jsonl"
    path.write_bytes(base64.b64decode(answer["content"]))
    assert len(label_rows(path)) == len(list(read_labels(path))) == 4
    (pair,) = marked_pairs(label_rows(path))
    assert pair.kind == "marked down" and word(pair.chosen) == "good"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no labelled reply"),
        ("nonsense\n", "line 1: no labelled reply"),
        ('{"id": "x"}\n', "line 1: no labelled reply: 'scenario' is missing"),
        ("{}", "line 1: no labelled reply"),
        (None, "not written, for no two texts of one stage differ enough to be a pair"),
    ],
)
def test_bad_and_empty_labels_are_one_line_and_leave_no_file(
    library: Library, run: RunFolder, tmp_path: Path, text: str | None, why: str
) -> None:
    mark(library, 0, CUE, "good")
    path = run.path / "labels" / "anna.jsonl"
    if text is not None:
        path.write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DataError, match=why):
        pairs_command.main(["--labels", str(path), "-o", str(out / "pairs.jsonl")])
    with pytest.raises(SocialR1Error):
        pairs_command.main(["--labels", str(run.path), "-o", str(out / "pairs.jsonl")])
    assert not list(out.iterdir())


def test_the_page_exports_both(library: Library) -> None:
    def exported(kind: str) -> list[dict[str, Any]]:
        answer = labelling.export_labels(library, Query({"run": "mine", "format": kind}))
        text = base64.b64decode(json.loads(encode(answer))["content"]).decode()
        return [json.loads(line) for line in text.splitlines()]

    with pytest.raises(RunLogError, match="nothing to export"):
        exported("labels")
    mark(library, 0, CUE, "good")
    mark(library, 1, CUE, "bad")
    assert [row["labels"] for row in exported("labels")] == [{CUE: 1.0}, {CUE: 0.0}]
    assert [row["stage"] for row in exported("pairs")] == [CUE]


def test_where_the_run_is_read_only_the_labels_are_the_reader_s_own(
    library: Library, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != run.path and real(path, mode))
    answer = mark(library, 0, CUE, "good")
    assert Path(answer["file"]).is_relative_to(tmp_path / "own") and not (run.path / "labels").exists()
    assert [row["labels"] for row in read_label_rows(run)] == [{CUE: 1.0}]
    assert board(library)["stages"][0]["n"] == [1, 0, 0]


def test_no_label_goes_into_the_package_s_own_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOCIALR1_DATA", str(tmp_path))
    example = RunFolder(Path(labelling.__file__).parent / "example")
    assert label_file(example, "me").is_relative_to(tmp_path)


def test_blind_sends_nothing_that_was_scored(library: Library) -> None:
    def view(**more: Any) -> dict[str, Any]:
        return dict(pages.trace(library, Query({"run": "mine", "trace": "t0.0.0.0", **more})))

    seen, blind = view(), view(blind="1")
    assert seen["total"] > 0 and seen["ledger"]["rows"] and seen["cards"][0]["score"] == 0.9
    assert blind["total"] is blind["advantage"] is None and blind["outcome"] == "" and blind["row"] == {}
    assert blind["ledger"]["rows"] == [] and blind["flags"] == []
    assert all(card["score"] is None and card["verdicts"] == [] for card in blind["cards"])
    assert all(one["total"] is None and one["outcome"] == "" for one in blind["siblings"])
    texts = lambda one: [[piece["t"] for seg in c["segments"] for piece in seg["pieces"]] for c in one["cards"]]  # noqa: E731
    assert ["".join(one) for one in texts(blind)] == ["".join(one) for one in texts(seen)]
    assert "0.9" not in json.dumps(blind["cards"])


def test_the_next_to_label_is_drawn_and_never_one_that_was_marked(library: Library) -> None:
    order = []
    for _ in range(4):
        key = board(library)["next"]
        order.append(key)
        mark(library, int(key.rpartition(".")[2]), CUE, "good")
    assert sorted(order) == [f"t0.0.0.{i}" for i in range(4)] and board(library)["next"] is None
    assert board(library, reader="ben")["next"] == order[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stage": "cues"}, "stage"),
        ({"stage": ""}, "stage"),
        ({"mark": "fine"}, "mark"),
        ({"reader": "../x"}, "reader"),
        ({"reader": "a/b"}, "reader"),
        ({"note": "x" * 3000}, "note"),
        ({"extra": 1}, "unknown"),
    ],
)
def test_what_is_no_mark_is_refused(library: Library, run: RunFolder, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        mark(library, 0, **({"stage": CUE, "mark": "good"} | wrong))
    assert not (run.path / "labels").exists()


def test_two_prompts_are_not_compared_and_a_link_is_not_written_through(
    library: Library, run: RunFolder, tmp_path: Path
) -> None:
    with pytest.raises(BadRequest, match="two completions"):
        prefer(library, 0, 0, 0)
    with pytest.raises(BadRequest, match="one of the two"):
        prefer(library, 0, 1, 2)
    (tmp_path / "elsewhere").mkdir()
    (run.path / "labels").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunLogError, match="link"):
        mark(library, 0, CUE, "good")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_torn_line_costs_nothing_but_itself(library: Library, run: RunFolder) -> None:
    mark(library, 0, CUE, "good")
    path = run.path / "labels" / "anna.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id": "mine/t0.0.0.1", "lab')
    assert len(list(read_label_rows(run))) == 1
    mark(library, 1, CUE, "bad")
    assert [row["labels"] for row in read_label_rows(run)] == [{CUE: 1.0}, {CUE: 0.0}]


def test_labels_of_a_run_that_was_written_anew_are_told_and_not_mixed_up(library: Library, run: RunFolder) -> None:
    mark(library, 0, CUE, "good")
    (row,) = read_label_rows(run)
    append_label(run, "ben", [{**row, "completion": "another text altogether"}])
    answer = board(library)
    assert answer["gone"] == 1 and answer["stages"][0]["n"] == [1, 0, 0]
    assert stat.S_ISREG((run.path / "labels" / "ben.jsonl").stat().st_mode)


def test_a_run_folder_s_own_labels_are_data_of_anybody(library: Library, run: RunFolder) -> None:
    mark(library, 0, CUE, "good")
    (row,) = read_label_rows(run)
    spoilt = [
        {"labels": "x"}, {"labels": {"cues": 1}}, {"labels": {CUE: 2}}, {"labels": {CUE: "good"}}, {"labels": {CUE: [1]}},
        {"labels": None}, {"notes": 5}, {"notes": {CUE: 3}}, {"notes": {"<b>": "x"}}, {"trace": 3}, {"completion": None},
        {"scenario": []}, {"of": 3}, {"better": {}}, {"faulty": ["x"]}, {"id": 1}, {"kind": 9},
    ]  # fmt: skip
    path = run.path / "labels" / "<img src=x onerror=1>.jsonl"
    lines_ = [{**row, "id": str(n), **wrong} for n, wrong in enumerate(spoilt)] + [{**row, "scenario": {"id": 3}}]
    path.write_text("".join(json.dumps(one) + "\n" for one in [*lines_, [1], "x"]))
    answer = board(library)
    assert answer["stages"][0]["n"] == [1, 0, 0] and answer["gone"] == 1
    assert labelling.marks(library, Query({"run": "mine", "trace": "t0.0.0.0", "reader": "anna"}))["labels"] == {
        CUE: "good"
    }
    with pytest.raises(DataError, match="label"):
        list(marked_pairs(label_rows(run.path)))


# Another viewer: it has read what is known and is about to write, and goes on when it is told to.
OTHER_VIEWER = """
import sys
from pathlib import Path
from socialr1_lite.viewer import labelling
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.viewer.test_pages import settled

def slow(*arguments, real=labelling.append_label):
    print("about to write", flush=True)
    sys.stdin.readline()
    return real(*arguments)

labelling.append_label = slow
library = Library([Path(sys.argv[1])])
settled(library.run("mine"))
said = {"run": "mine", "trace": "t0.0.0.0", "stage": "cue_encoding", "mark": "good", "was": "", "reader": "anna"}
print("saved", repr(labelling.label(library, Query(said))["crossed"]), flush=True)
"""


@pytest.mark.parametrize("stage", [CUE, MEANING], ids=["the same stage", "another stage"])
def test_two_viewers_that_save_at_once_lose_no_label(library: Library, run: RunFolder, stage: str) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", OTHER_VIEWER, str(run.path.parent)]
    other = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin is not None and other.stdout is not None
    assert other.stdout.readline() == "about to write\n"
    found: list[dict[str, Any]] = []
    here = threading.Thread(target=lambda: found.append(mark(library, 0, stage, "bad", was="")))
    here.start()
    here.join(1)  # in vain where the one has to wait for the other
    out, _ = other.communicate("go on\n")
    here.join(60)
    assert out == "saved ''\n" and other.returncode == 0
    (row,) = read_label_rows(run)
    (answer,) = found
    if stage == CUE:  # the loser is told and shown what is there
        assert row["labels"] == {CUE: 1.0} and answer["labels"] == {CUE: "good"}
        assert "'good'" in answer["crossed"] and "'bad', was not saved" in answer["crossed"]
        assert mark(library, 0, CUE, "bad", was="good")["labels"] == {CUE: "bad"}  # having seen it, it may be changed
    else:
        assert row["labels"] == {CUE: 1.0, MEANING: 0.0} and answer["crossed"] == ""


def test_a_note_and_a_preference_that_another_viewer_has_said_are_kept_and_told(library: Library) -> None:
    mark(library, 0, CUE, "good", note="theirs")
    said = {"run": "mine", "trace": "t0.0.0.0", "stage": CUE, "reader": "anna", "note": "mine"}
    answer = labelling.label(library, Query(said | {"note_was": ""}))
    assert answer["notes"] == {CUE: "theirs"} and "'theirs'" in answer["crossed"]
    assert (
        labelling.label(library, Query(said | {"note": "theirs", "note_was": ""}))["crossed"] == ""
    )  # alike: no quarrel
    assert labelling.label(library, Query(said | {"note_was": "theirs"}))["notes"] == {CUE: "mine"}
    pair = {"run": "mine", "one": "t0.0.0.0", "two": "t0.0.0.1", "reader": "anna"}
    first = labelling.prefer(library, Query(pair | {"better": "t0.0.0.1", "was": ""}))
    second = labelling.prefer(library, Query(pair | {"better": "t0.0.0.0", "was": ""}))
    assert first == {"better": "t0.0.0.1", "crossed": ""}
    assert second["better"] == "t0.0.0.1" and "number 2 is the better" in second["crossed"]
    third = labelling.prefer(library, Query(pair | {"better": "t0.0.0.0", "was": "t0.0.0.1"}))
    assert third == {"better": "t0.0.0.0", "crossed": ""}
