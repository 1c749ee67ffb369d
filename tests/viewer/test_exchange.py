"""Traces in and out."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from socialr1_lite.errors import DataError, RunLogError
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import Score
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.viewer import exporting, importing, pages, runs
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import BadRequest, Query
from tests.conftest import SCENARIO
from tests.viewer.test_foreign import rows_in
from tests.viewer.test_stage import SCORE, traced


def content(file: dict[str, Any]) -> bytes:
    return base64.b64decode(file["content"])


def imported(folder: Path, name: str, content: bytes | list[dict[str, Any]]) -> list[Trace]:
    """The traces of a run made of that file; rows are written as JSONL."""
    if isinstance(content, list):
        content = "\n".join(map(json.dumps, content)).encode()
    return list(read_traces(importing.make_run(rows_in(name, content), folder, name)))


def test_an_export_of_jsonl_comes_back_as_the_same_run(ask: Any, tmp_path: Path, run: Any) -> None:
    exported = content(ask(exporting.export, format="jsonl", phase="train"))
    assert imported(tmp_path / "back", "x.jsonl", exported) == [
        trace for trace in read_traces(run) if trace.phase == "train"
    ]
    assert len(list(RunFolder(tmp_path / "back").read_scenarios())) > 5


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ({"mode": "strange"}, "mode"),
        ({"tokens": -1}, "tokens"),
        ({"version": 99}, "newer"),
        ({"parts": [1]}, "parts"),
        ({"scenario_row": [1]}, "scenario_row must be an object, not list"),
    ],
)
def test_an_exported_row_that_was_spoiled_is_named(
    ask: Any, tmp_path: Path, spoiled: dict[str, Any], message: str
) -> None:
    rows = [json.loads(line) for line in content(ask(exporting.export, format="jsonl")).splitlines()[:3]]
    with pytest.raises(DataError, match=rf"x\.jsonl, row 2: .*{message}"):
        imported(tmp_path / "back", "x.jsonl", [rows[0], rows[1] | spoiled, rows[2]])
    assert not (tmp_path / "back").exists()


def test_tables_hold_one_line_a_completion(ask: Any) -> None:
    n = ask(exporting.export, outcome="wrong")["rows"]
    table = list(csv.DictReader(io.StringIO(content(ask(exporting.export, format="csv", outcome="wrong")).decode())))
    columns = pyarrow.parquet.read_table(io.BytesIO(content(ask(exporting.export, format="parquet", outcome="wrong"))))
    assert len(table) == columns.num_rows == n
    assert {row["outcome"] for row in table} == {"wrong"}
    assert [float(row["total"]) for row in table] == pytest.approx(columns["total"].to_pylist())


def test_a_spreadsheet_runs_nothing() -> None:
    row = exporting.Export(traced("=HYPERLINK(1)"), SCENARIO, "belief")
    cells = next(csv.DictReader(io.StringIO(exporting.to_csv([row], "").decode())))
    assert cells["completion"] == "'=HYPERLINK(1)" and cells["reward.structure"] == "0.8"


def test_the_html_page_holds_every_text_escaped_and_loads_nothing(ask: Any) -> None:
    page = content(ask(exporting.export, format="html", outcome="right")).decode()
    assert page.count("<article>") == ask(exporting.export, outcome="right")["rows"]
    assert "default-src 'none'" in page
    evil = traced("<script>x</script>", replace(SCORE, notes=("<img src=x>",)))
    failed = traced(Completion.failure("<script>503</script>"), Score.unscored("failed"))
    sheet = exporting.html_sheet([(evil, None), (failed, None)], "<title>").decode()
    assert "<script" not in sheet and "<img" not in sheet and "&lt;script&gt;x" in sheet
    assert "No reply" in sheet and "&lt;script&gt;503" in sheet


def test_trl_s_parquet_comes_in_with_its_own_rewards(tmp_path: Path) -> None:
    table = pyarrow.table({
        "step": [1, 1, 2], "prompt": [[{"role": "user", "content": "Who?"}]] * 2 + [[{"role": "user", "content": "Where?"}]],
        "completion": [[{"role": "assistant", "content": "<think>Cue Encoding: I saw it all there.</think><answer>A</answer>"}]] * 3,
        "accuracy": [1.0, 0.0, 0.5], "format_reward": [0.5, 0.5, 0.0], "advantage": [1.0, -1.0, 0.0],
    })  # fmt: skip
    path = tmp_path / "completions_00001.parquet"
    pyarrow.parquet.write_table(table, path)
    traces = imported(tmp_path / "run", path.name, path.read_bytes())
    assert [(trace.step, trace.group, trace.index) for trace in traces] == [(1, 0, 0), (1, 0, 1), (2, 1, 0)]
    first = traces[0].score
    assert first.components["outcome"] == traces[0].total == 1.5 and first.outcome == "unknown"
    assert first.parts == {"imported.accuracy": 1.0, "imported.format_reward": 0.5}
    assert traces[0].stages["cue_encoding"] == "present" and traces[1].advantage == -1.0


def test_verl_s_rollouts_come_in(tmp_path: Path) -> None:
    lines = [
        {"input": "q", "output": "a <answer>A</answer>", "score": 1.0, "step": 3, "acc": 1},
        {"input": "q", "output": "b", "score": 0.0, "step": 3, "acc": 0},
    ]
    traces = imported(tmp_path / "run", "3.jsonl", lines)
    assert [(trace.score.outcome, trace.score.components["outcome"], trace.group) for trace in traces] == [
        ("right", 1.0, 0),
        ("wrong", 0.0, 0),
    ]


def test_verl_s_validations_come_in_with_what_the_reward_told(tmp_path: Path) -> None:
    """One prompt that is asked twice makes two groups: verl's uid is PROMPT_ROLLOUT_OUTPUT."""
    lines = [
        {"input": "q", "output": "a", "gts": "B", "score": 0.5, "step": 2, "right": 1.0, "format": 1.0, "uid": "u_0_0"},
        {"input": "q", "output": "b", "gts": "B", "score": 0.0, "step": 2, "right": 0.0, "format": 0.0, "uid": "u_1_0"},
        {"input": "q", "output": "c", "gts": "B", "score": 0.0, "step": 2, "right": 0.0, "format": 0.0, "uid": "v_0_0"},
    ]
    traces = imported(tmp_path / "run", "2.jsonl", lines)
    assert [(trace.group, trace.index, trace.score.outcome) for trace in traces] == [
        (0, 0, "right"),
        (0, 1, "wrong"),
        (1, 0, "wrong"),
    ]
    assert traces[0].score.parts == {"imported.score": 0.5, "imported.format": 1.0}
    assert traces[0].score.components == {"outcome": 0.5}


def test_what_score_reads_is_scored_on_the_way_in(tmp_path: Path) -> None:
    row = {
        "id": "x",
        "story": SCENARIO.story,
        "question": SCENARIO.question,
        "options": list(SCENARIO.options),
        "gold": "B",
    }
    lines = [
        row | {"completion": "<think>no</think><answer>B</answer>"},
        row | {"completion": "<think>no</think><answer>A</answer>"},
    ]
    traces = imported(tmp_path / "run", "in.jsonl", lines)
    assert [trace.score.outcome for trace in traces] == ["right", "wrong"]
    assert {trace.group for trace in traces} == {0} and traces[0].score.components["format"] == 1.0
    assert {trace.judges for trace in traces} == {("rules",)}


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("a.jsonl", b"", "no rows"), ("a.jsonl", b"{]", "not JSON"), ("a.jsonl", b"[1]", "object"), ("a.jsonl", b'{"x": 1}', "no known kind"),
        ("a.jsonl", b'{"components": {}, "total": 1}', "import the file that was given"), ("a.parquet", b"PAR1 nonsense", "Parquet"),
        ("a.jsonl", b'{"step": -1, "prompt": "p", "completion": "c"}', "step must be"), ("a.jsonl", b"\xff\xfe", "UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_told_in_one_line_and_leaves_nothing(
    tmp_path: Path, name: str, file: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        importing.make_run(rows_in(name, file), tmp_path / "run", name)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_an_upload_becomes_a_run_of_the_library(places: Path) -> None:
    library = Library([places])
    upload = json.dumps({"input": "q \ud83d", "output": "a", "score": 1.0, "step": 0}).encode()
    query = Query({"names": ["../../evil name?.jsonl"], "contents": [base64.b64encode(upload).decode()]})
    key = importing.import_files(library, query)["run"]
    made = library.run(key).folder.path.resolve()
    assert made.parent.name == "imports" and places.resolve() not in made.parents
    assert key.startswith("evil-name-")


ALPHABET = "\n".join(f"{letter}. word {letter}" for letter in ascii_uppercase)
ASKED = "Mara hid the key in the tin. Tom was out.\nWhere will Tom look?\n\nOptions:\n(A) in the tin\n(B) on the hook\n\nThink first."


@pytest.mark.parametrize(
    ("prompt", "row", "options", "gold"),
    [
        (ASKED, {"gts": "B"}, ("in the tin", "on the hook"), (1,)),
        (ASKED, {"reward_model": {"ground_truth": "On the hook"}}, ("in the tin", "on the hook"), (1,)),
        (ASKED, {"solution": "<answer>b</answer>"}, ("in the tin", "on the hook"), (1,)),
        (ASKED, {"answer": "A. in the tin"}, ("in the tin", "on the hook"), (0,)),
        (ASKED, {"label": 1}, (), ()),  # from 0 or from 1? nobody says
        (ASKED, {"answer": "C"}, (), ()),
        (ASKED, {"answer": "AB"}, (), ()),  # no letter of an option, though both are
        (ASKED, {"answer": "tin"}, (), ()),  # no option's text, though within one
        (ASKED, {"answer": "\\boxed{ (B) }"}, ("in the tin", "on the hook"), (1,)),
        (ASKED.replace("\n", "\r\n"), {"answer": "B. on the hook"}, ("in the tin", "on the hook"), (1,)),
        ("Who?\nA. B\nB. A", {"answer": "B"}, ("B", "A"), (0,)),  # an option's text goes before a letter
        ("Where?\nA. tin (red)\nB. tin (blue)", {"answer": "tin (blue)"}, ("tin (red)", "tin (blue)"), (1,)),
        (f"Which?\n{ALPHABET}\nB. again", {"answer": "Z"}, tuple(f"word {one}" for one in ascii_uppercase), (25,)),
        ("A. Smith met B. Jones.\nWho met whom?", {"answer": "B"}, (), ()),
        ("A. first note\nand then prose\nB. second note\nWho?", {"answer": "B"}, (), ()),
        ("Notes:\nA. x\nB. y\nWho?\nA. Tom\nB. Mara\nC. both", {"answer": "C"}, ("Tom", "Mara", "both"), (2,)),
    ],
)
def test_options_and_gold_are_read_where_they_can_be(
    tmp_path: Path, prompt: str, row: dict[str, Any], options: tuple[str, ...], gold: tuple[int, ...]
) -> None:
    line = {"prompt": prompt, "completion": "<answer>B</answer>", "reward": 1.0, "step": 1} | row
    (trace,) = imported(tmp_path / "run", "x.jsonl", [line])
    (scenario,) = RunFolder(tmp_path / "run").read_scenarios()
    assert (scenario.options, scenario.gold) == (options, gold)
    assert trace.score.outcome == ("unknown" if not gold else "right" if 1 in gold else "wrong")
    if options and prompt == ASKED:
        assert scenario.question == "Where will Tom look?" and scenario.story.endswith("Tom was out.")


def test_a_reply_whose_answer_cannot_be_read_is_not_called_wrong(tmp_path: Path) -> None:
    line = {"prompt": ASKED, "completion": "It is on the hook, I think.", "reward": 0.0, "step": 1, "gts": "B"}
    (trace,) = imported(tmp_path / "run", "x.jsonl", [line])
    assert trace.score.outcome == "unknown"
    (told,) = imported(tmp_path / "told", "x.jsonl", [line | {"acc": 1}])
    assert told.score.outcome == "right"  # the file's own word


def test_named_rewards_have_columns_sorting_and_curves(tmp_path: Path) -> None:
    rows = [
        {"step": step, "prompt": "Who?", "completion": f"a{i}", "accuracy_reward": i / 2, "style_reward": step / 4, "advantage": i - 0.5}
        for step in (1, 2) for i in (0, 1)
    ]  # fmt: skip
    imported(tmp_path / "runs" / "trl", "x.jsonl", rows)
    library = Library([tmp_path / "runs"])
    table = pages.traces(library, Query({"run": "trl", "sort": "-named.0"}))
    assert [(one["title"], one["sort"]) for one in table["components"]] == [
        ("accuracy_reward", "named.0"),
        ("style_reward", "named.1"),
    ]
    assert [row["components"]["named.0"] for row in table["rows"]] == [0.5, 0.5, 0.0, 0.0]
    seen = runs.overview(library, Query({"run": "trl"}))
    named = next(chart for chart in seen["charts"] if chart["key"] == "named")
    drawn = {one["name"]: one["points"] for one in named["series"]}
    assert drawn == {"accuracy_reward": [[1, 0.25], [2, 0.25]], "style_reward": [[1, 0.25], [2, 0.5]]}
    assert "Right answers" not in [tile["label"] for tile in seen["tiles"]]  # unknown is not 0 %
    answers = [one["name"] for chart in seen["charts"] if chart["key"] == "accuracy" for one in chart["series"]]
    assert "right" not in answers
    key = table["rows"][0]["id"]
    assert pages.group(library, Query({"run": "trl", "trace": key}))["answers"] == "unknown which are right"
    (row,) = pages.trace(library, Query({"run": "trl", "trace": key}))["ledger"]["rows"]
    assert {part["name"] for part in row["parts"]} == {"accuracy reward", "style reward"}


def uploaded(library: Library, files: dict[str, list[dict[str, Any]]], **more: Any) -> str:
    """The key of a run made on the page of these files."""
    lines = {name: "\n".join(map(json.dumps, rows)).encode() for name, rows in files.items()}
    contents = [base64.b64encode(one).decode() for one in lines.values()]
    return str(importing.import_files(library, Query(dict(names=[*lines], contents=[*contents], **more)))["run"])


def test_many_files_of_an_upload_are_one_run(places: Path) -> None:
    library = Library([places])
    rows = {f"{step}.jsonl": [{"input": "q", "output": f"r{step}", "score": 1.0}] for step in (10, 9, 2)}
    key = uploaded(library, rows)
    traces = list(read_traces(library.run(key).folder))
    assert [(one.step, one.completion.text) for one in traces] == [(2, "r2"), (9, "r9"), (10, "r10")]
    assert uploaded(library, dict(reversed(rows.items()))) == key  # the same files, in whatever order
    doubtful = {"a.jsonl": [{"step": 1, "prompt": "p", "completion": "c", "first": 0.5, "second": 0.25, "third": 1.5}]}
    with pytest.raises(DataError, match="Name them"):
        uploaded(library, doubtful)
    named = library.run(uploaded(library, doubtful, rewards="first,third*2"))
    assert [one.total for one in read_traces(named.folder)] == [3.5]


@pytest.mark.parametrize("query", [{"names": [], "contents": []}, {"names": ["a"], "contents": []}, {"names": "a"}])
def test_an_upload_that_is_none_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        importing.import_files(Library([]), Query(query))


def test_uploads_are_limited_all_together(monkeypatch: pytest.MonkeyPatch, places: Path) -> None:
    library = Library([places])
    row = {"input": "q", "output": "a" * 100, "score": 1.0, "step": 0}
    monkeypatch.setattr(importing, "MAX_BYTES", 200)
    with pytest.raises(BadRequest, match="64mb at once"):
        uploaded(library, {"a.jsonl": [row], "b.jsonl": [row]})
    uploaded(library, {"c.jsonl": [row]})
    monkeypatch.setattr(importing, "MOST_KEPT", 10)
    with pytest.raises(DataError, match="take some off the list"):
        uploaded(library, {"d.jsonl": [row]})


def test_an_import_hides_no_example_and_goes_off_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path / "cache"))
    library = Library()
    key = uploaded(library, {"mine.jsonl": [{"input": "q", "output": "a", "score": 1.0, "step": 0}]})
    again = Library()  # started anew, the import is still there
    assert [run.label for run in again.runs()] == ["bundled example", key]
    told = runs.take_off(again, Query({"run": key}))
    assert [one["label"] for one in told["runs"]] == ["bundled example"] and told["hidden"] == 0
    assert not list((tmp_path / "cache" / "imports").iterdir())
    assert runs.take_off(again, Query({"run": "example"}))["runs"] == []
    assert len(runs.bring_back(again, Query({}))["runs"]) == 1


def test_a_run_is_hidden_and_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path / "cache"))
    for name in ("a", "deep/b"):
        RunFolder.create(tmp_path / "runs" / name).set_state("completed", step=1)
    library = Library([tmp_path / "runs"])
    assert [run.key for run in library.runs()] == ["a", "b"]  # two folders deep
    assert [one["key"] for one in runs.take_off(library, Query({"run": "a"}))["runs"]] == ["b"]
    assert (tmp_path / "runs" / "a" / "state.json").exists()
    assert [run.key for run in Library([tmp_path / "runs"]).runs()] == ["b"]
    named = Library([tmp_path / "runs" / "a"])  # by its own name it is asked for all the same
    assert [run.key for run in named.runs()] == ["a"]
    with pytest.raises(RunLogError, match="was named when the viewer was started"):
        named.take_off("a")
