"""Traces in and out."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.runlog import read_traces
from socialr1_lite.viewer import exporting, importing
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.conftest import SCENARIO


def content(told: dict[str, Any]) -> bytes:
    return base64.b64decode(told["content"])


def test_an_export_of_jsonl_comes_back_as_the_same_run(ask: Any, tmp_path: Path, run: Any) -> None:
    told = content(ask(exporting.export, format="jsonl", phase="train"))
    rows = importing.read_content("x.jsonl", told)
    back = importing.make_run(rows, tmp_path / "back", "x.jsonl")
    kept = ("step", "group", "index", "completion", "components", "parts", "outcome", "stages", "advantage", "notes")
    wanted = [{key: row[key] for key in kept} for row in read_traces(run) if row["phase"] == "train"]
    assert [{key: row[key] for key in kept} for row in read_traces(back)] == wanted
    assert len(list(back.read_scenarios())) > 5


def test_tables_hold_one_line_a_completion(ask: Any) -> None:
    n = ask(exporting.export, outcome="wrong")["rows"]
    table = list(csv.DictReader(io.StringIO(content(ask(exporting.export, format="csv", outcome="wrong")).decode())))
    columns = pyarrow.parquet.read_table(io.BytesIO(content(ask(exporting.export, format="parquet", outcome="wrong"))))
    assert len(table) == columns.num_rows == n
    assert {row["outcome"] for row in table} == {"wrong"}
    assert [float(row["total"]) for row in table] == pytest.approx(columns["total"].to_pylist())


def test_a_spreadsheet_runs_nothing() -> None:
    row = {
        **dict.fromkeys(exporting.SCALARS, 1),
        "components": {},
        "completion": "=HYPERLINK(1)",
        "segment": 0,
        "benchmark": "",
        "phase": "train",
        "index": 0,
    }
    told = next(csv.DictReader(io.StringIO(exporting.to_csv([(row, None)], "").decode())))
    assert told["completion"] == "'=HYPERLINK(1)"


def test_the_html_page_holds_every_text_escaped_and_loads_nothing(ask: Any) -> None:
    page = content(ask(exporting.export, format="html", outcome="right")).decode()
    assert page.count("<article>") == ask(exporting.export, outcome="right")["rows"]
    assert "default-src 'none'" in page
    evil = {"phase": "train", "step": 0, "group": 0, "index": 0, "outcome": "<b>", "completion": "<script>x</script>", "prefilled": False,
            "finish": "stop", "components": {}, "weights": {}, "mode": "gated", "tau": 1.0, "total": 0.0, "advantage": None, "tokens": 1, "notes": ["<img src=x>"], "stages": {}}  # fmt: skip
    told = exporting.html_sheet([(evil, None)], "<title>").decode()
    assert "<script" not in told and "<img" not in told and "&lt;script&gt;" in told


def test_trl_s_parquet_comes_in_with_its_own_rewards(tmp_path: Path) -> None:
    table = pyarrow.table({
        "step": [1, 1, 2], "prompt": [[{"role": "user", "content": "Who?"}]] * 2 + [[{"role": "user", "content": "Where?"}]],
        "completion": [[{"role": "assistant", "content": "<think>Cue Encoding: I saw it all there.</think><answer>A</answer>"}]] * 3,
        "accuracy": [1.0, 0.0, 0.5], "format_reward": [0.5, 0.5, 0.0], "advantage": [1.0, -1.0, 0.0],
    })  # fmt: skip
    path = tmp_path / "completions_00001.parquet"
    pyarrow.parquet.write_table(table, path)
    run = importing.make_run(importing.read_content(path.name, path.read_bytes()), tmp_path / "run", path.name)
    rows = list(read_traces(run))
    assert [(row["step"], row["group"], row["index"]) for row in rows] == [(1, 0, 0), (1, 0, 1), (2, 1, 0)]
    assert rows[0]["components"]["outcome"] == 1.5 and rows[0]["parts"] == {
        "imported.accuracy": 1.0,
        "imported.format_reward": 0.5,
    }
    assert (
        rows[0]["outcome"] == "unknown"
        and rows[0]["stages"]["cue_encoding"] == "present"
        and rows[1]["advantage"] == -1.0
    )


def test_verl_s_rollouts_come_in(tmp_path: Path) -> None:
    lines = [
        {"input": "q", "output": "a <answer>A</answer>", "score": 1.0, "step": 3, "acc": 1},
        {"input": "q", "output": "b", "score": 0.0, "step": 3, "acc": 0},
    ]
    told = "\n".join(map(json.dumps, lines)).encode()
    rows = list(read_traces(importing.make_run(importing.read_content("3.jsonl", told), tmp_path / "run", "3.jsonl")))
    assert [(row["outcome"], row["components"]["outcome"], row["group"]) for row in rows] == [
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
    told = "\n".join(map(json.dumps, lines)).encode()
    rows = list(read_traces(importing.make_run(importing.read_content("2.jsonl", told), tmp_path / "run", "2.jsonl")))
    assert [(row["group"], row["index"], row["outcome"]) for row in rows] == [
        (0, 0, "right"),
        (0, 1, "wrong"),
        (1, 0, "wrong"),
    ]
    assert rows[0]["parts"] == {"imported.score": 0.5, "imported.format": 1.0} and rows[0]["components"] == {
        "outcome": 0.5
    }


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
    told = "\n".join(map(json.dumps, lines)).encode()
    rows = list(read_traces(importing.make_run(importing.read_content("in.jsonl", told), tmp_path / "run", "in.jsonl")))
    assert [row["outcome"] for row in rows] == ["right", "wrong"]
    assert {row["group"] for row in rows} == {0} and rows[0]["components"]["format"] == 1.0


@pytest.mark.parametrize(
    ("name", "told", "wrong"),
    [
        ("a.jsonl", b"", "no rows"), ("a.jsonl", b"{]", "not JSON"), ("a.jsonl", b"[1]", "object"), ("a.jsonl", b'{"x": 1}', "no known kind"),
        ("a.jsonl", b'{"components": {}, "total": 1}', "import the file that was given"), ("a.parquet", b"PAR1 nonsense", "Parquet"),
        ("a.jsonl", b'{"step": -1, "prompt": "p", "completion": "c"}', "step must be"), ("a.jsonl", b"\xff\xfe", "UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_told_in_one_line_and_leaves_nothing(
    tmp_path: Path, name: str, told: bytes, wrong: str
) -> None:
    with pytest.raises(DataError, match=wrong) as caught:
        importing.make_run(importing.read_content(name, told), tmp_path / "run", name)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_an_upload_becomes_a_run_of_the_library(places: Path) -> None:
    library = Library([places])
    told = json.dumps({"input": "q \ud83d", "output": "a", "score": 1.0, "step": 0}).encode()
    query = Query({"name": "../../evil name?.jsonl", "content": base64.b64encode(told).decode()})
    key = importing.import_file(library, query)["run"]
    made = library.run(key).folder.path.resolve()
    assert made.parent.name == "imports" and places.resolve() not in made.parents
    assert key.startswith("evil-name-")
