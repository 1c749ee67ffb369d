"""Files of other trainers, as they really are: which numbers are rewards, which rows are siblings, what is told instead of guessed."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socialr1_lite.errors import DataError, SocialR1Error
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.viewer import importing
from socialr1_lite.viewer.foreign import Placed, convert
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.conftest import SCENARIO
from tests.growth import long, no_hang

ROOT = Path(__file__).resolve().parents[2]


def rows_in(name: str, content: bytes) -> list[Placed]:
    return importing.read_files([(name, io.BytesIO(content))])


def traces_of(rows: list[dict[str, Any]], name: str = "x.jsonl", rewards: str | None = None) -> list[Trace]:
    content = "\n".join(map(json.dumps, rows)).encode()
    return convert(rows_in(name, content), name, importing.named_rewards(rewards))[1]


def trl(step: int = 1, **columns: Any) -> dict[str, Any]:
    return {"step": step, "prompt": "Where?", "completion": "<answer>A</answer>"} | columns


def totals(rows: list[dict[str, Any]], **how: Any) -> list[float | None]:
    return [one.score.components["outcome"] for one in traces_of(rows, **how)]


class TestRewards:
    def test_what_a_reward_function_logs_besides_is_none(self) -> None:
        """TRL: reward functions' columns, then those of log_extra, then the advantage."""
        rows = [
            trl(format_reward=1.0, accuracy_reward=a, gold_index=2, answer_length=n, advantage=adv)
            for a, n, adv in ((0.5, 57, 0.7), (0.0, 9, -0.7))
        ]
        assert totals(rows) == [1.5, 1.0]
        parts = traces_of(rows)[0].score.parts
        assert parts["imported.gold_index"] == 2 and parts["imported.accuracy_reward"] == 0.5

    @pytest.mark.parametrize("name", ["reward", "total", "total_reward", "score"])
    def test_a_total_among_its_parts_is_not_counted_twice(self, name: str) -> None:
        assert totals([trl(accuracy=1.0, format=0.5, **{name: 1.5}), trl(accuracy=0.0, format=0.5, **{name: 0.5})]) == [
            1.5,
            0.5,
        ]

    def test_columns_that_the_advantages_bear_out_need_no_name(self) -> None:
        rows = [
            trl(accuracy=a, tidy=t, advantage=adv)
            for a, t, adv in ((1.0, 0.5, 1.0), (0.0, 0.5, -0.5), (0.0, 0.0, -1.25))
        ]
        assert totals(rows) == [1.5, 0.5, 0.0]

    @pytest.mark.parametrize(
        "rows",
        [
            [trl(accuracy=a, confidence=c) for a, c in ((1.0, 0.3), (0.0, 0.9))],  # no advantages: who knows
            [trl(accuracy=a, confidence=c, advantage=adv) for a, c, adv in ((1.0, 0.3, 1.0), (0.0, 0.9, -1.0), (0.0, 0.1, -1.0))],
            [trl(accuracy=a, constant=3.5, advantage=adv) for a, adv in ((1.0, 1.0), (0.0, -1.0))],
        ],
        ids=["no witness", "contradicted", "the same for all"],
    )  # fmt: skip
    def test_what_cannot_be_told_is_asked_with_the_line_to_type(self, rows: list[dict[str, Any]]) -> None:
        with pytest.raises(DataError, match=r"are rewards\? .*importing x\.jsonl --rewards accuracy") as caught:
            totals(rows)
        assert "\n" not in str(caught.value)
        assert totals(rows, rewards="accuracy") == [row["accuracy"] for row in rows]
        assert totals(rows, rewards="accuracy*0.5")[0] == 0.5
        with pytest.raises(DataError, match="--rewards names nothing; the columns of numbers are: accuracy"):
            totals(rows, rewards="nothing")
        with pytest.raises(DataError, match="COLUMN"):
            totals(rows, rewards="accuracy*much")

    def test_a_group_with_weights_is_asked_about(self) -> None:
        rows = [
            trl(right=1, accuracy=a, tidy=t, advantage=a + 0.1 * t) for a, t in ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
        ]
        with pytest.raises(DataError, match="--rewards"):
            totals(rows)
        assert totals(rows, rewards="accuracy,tidy*0.1") == [1.0, 0.1, 0.0]

    def test_the_first_column_is_a_reward_whatever_its_name(self) -> None:
        assert totals([trl(accuracy=0.5, length=57, advantage=3.0)]) == [0.5]
        assert totals([trl(score=s, tidy=t, advantage=s + t) for s, t in ((1.0, 0.5), (0.0, 0.0), (0.0, 0.5))]) == [
            1.5,
            0.0,
            0.5,
        ]
        assert totals([trl(length=57, index=2)]) == [None]
        assert totals([trl(my_reward=1, length=57)]) == [1.0]

    def test_a_reward_that_a_function_withheld_is_not_zero(self) -> None:
        assert totals([trl(my_reward=None), trl(my_reward=0.5)]) == [None, 0.5]

    @pytest.mark.parametrize(
        ("truth", "outcome"),
        [(True, "right"), (False, "wrong"), (1, "right"), (0.0, "wrong"), ("True", "right"), ("false", "wrong"), (0.5, "unknown"), (None, "unknown"), ([1], "unknown")],
    )  # fmt: skip
    def test_verl_s_acc_in_every_form(self, truth: Any, outcome: str) -> None:
        (one,) = traces_of([{"input": "q", "output": "a", "score": 1.0, "acc": truth, "pred": "A"}])
        assert one.score.outcome == outcome and one.score.components["outcome"] == 1.0

    def test_a_score_of_true_is_one(self) -> None:
        assert totals(
            [{"input": "q", "output": "a", "score": True}, {"input": "q", "output": "b", "score": False}]
        ) == [1.0, 0.0]

    def test_openrlhf_s_and_swift_s_files(self) -> None:
        assert totals([{"input": "q", "output": "a", "reward": 0.25}]) == [0.25]
        assert totals([{"prompt": "q", "response": "a", "reward": 0.25, "label": "A"}]) == [0.25]
        line = {
            "step": ["7", "7"],
            "prompt": ["q", "q"],
            "completion": ["a", "b"],
            "AccuracyReward": [1.0, 0.0],
            "advantages": [1.0, -1.0],
        }
        assert [(one.step, one.group, one.index, one.total) for one in traces_of([line])] == [
            (7, 0, 0, 1.0),
            (7, 0, 1, 0.0),
        ]

    def test_a_csv_of_completions_comes_in(self) -> None:
        text = b"step,prompt,completion,format_reward\n3,q,a,1.0\n3,q,b,0.5\n"
        (first, second) = convert(rows_in("x.csv", text), "x.csv")[1]
        assert (first.step, first.total, second.total, second.index) == (3, 1.0, 0.5, 1)


class TestTexts:
    @pytest.mark.parametrize(
        ("completion", "text", "reasoning"),
        [
            ([{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "ab", ""),
            ([{"role": "assistant", "content": "a", "reasoning_content": "hm"}], "a", "hm"), ([{"role": "assistant", "content": "a", "reasoning": "hm"}], "a", "hm"),
            ([{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]}], "a", "hm"),
            ([{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}], "a\nb", ""), ({"role": "assistant", "content": "a"}, "a", ""),
            ([{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}], '[{"name": "f"}]', ""), (["a", "b"], "a\nb", ""), ("", "", ""),
            ([{"role": "assistant", "content": [{"type": "image"}, {"type": "text", "text": "a"}]}], "(image)a", ""), ("cut \ud83d", "cut �", ""),
        ],
    )  # fmt: skip
    def test_completions_in_every_form(self, completion: Any, text: str, reasoning: str) -> None:
        (one,) = traces_of([trl(completion=completion, my_reward=1.0)])
        assert (one.completion.text, one.completion.reasoning) == (text, reasoning)

    def test_two_prompts_of_parts_stay_two(self) -> None:
        rows = [
            trl(prompt=[{"role": "user", "content": [{"type": "text", "text": q}]}], r_reward=1.0)
            for q in ("Ida?", "Tom?")
        ]
        assert [one.prompt[0]["content"] for one in traces_of(rows)] == ["Ida?", "Tom?"]
        assert len({one.scenario for one in traces_of(rows)}) == 2

    @pytest.mark.parametrize(
        "row", [{"completion": None}, {"step": "x"}, {"step": 1.5}, {"step": 1e300}, {"step": -1}, {"step": [1]}]
    )
    def test_a_row_that_lacks_something_is_named(self, row: dict[str, Any]) -> None:
        with pytest.raises(DataError, match=r"x\.jsonl, row 2: (no completion|step must be)"):
            traces_of([trl(my_reward=1.0), trl(my_reward=1.0) | row])


class TestGroups:
    def test_shuffled_batches_find_their_siblings(self) -> None:
        rows = [{"input": q, "output": f"{q}{n}", "score": 1.0, "step": 2} for n in range(3) for q in "abc"]
        found = {(one.group, one.index): one.completion.text for one in traces_of(rows)}
        assert found == {(g, n): f"{q}{n}" for g, q in enumerate("abc") for n in range(3)}

    def test_shuffled_rows_for_score_find_theirs(self) -> None:
        row = {"story": SCENARIO.story, "question": SCENARIO.question, "options": list(SCENARIO.options), "gold": "B"}
        rows = [row | {"id": name, "completion": "<answer>B</answer>"} for name in ("x", "y", "x", "y")]
        assert [(one.scenario, one.group, one.index) for one in traces_of(rows)] == [
            ("x", 0, 0),
            ("x", 0, 1),
            ("y", 1, 0),
            ("y", 1, 1),
        ]
        with pytest.raises(DataError, match=r"row 2: id 'x' stands in an earlier row with another question"):
            traces_of([rows[0], rows[0] | {"question": "Why?"}])


class TestFiles:
    def steps(self, tmp_path: Path, *named: str) -> list[int]:
        out = tmp_path / "run"
        done = subprocess.run(
            [sys.executable, "-m", "socialr1_lite.viewer.importing", *named, "-o", str(out)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not list(tmp_path.glob(".*"))
        return [one.step for one in read_traces(RunFolder.open(out))]

    @pytest.mark.parametrize("how", ["files", "folder", "pattern"])
    def test_one_run_out_of_many_step_files(self, tmp_path: Path, how: str) -> None:
        dump = tmp_path / "dump"
        dump.mkdir()
        for step in (1, 2, 10):
            (dump / f"{step}.jsonl").write_text(json.dumps({"input": "q", "output": "a", "score": 1.0}))
        named = {
            "files": [str(dump / f"{n}.jsonl") for n in (10, 2, 1)],
            "folder": [str(dump)],
            "pattern": [str(dump / "*.jsonl")],
        }[how]
        assert sorted(self.steps(tmp_path, *named)) == [1, 2, 10]

    @pytest.mark.parametrize(
        ("named", "why"), [("nowhere", "there is no such file"), (".", "holds no file ending in .jsonl")]
    )
    def test_what_names_no_file_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, why: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError, match=why):
            importing.files_of([named])

    def test_an_import_that_fails_half_way_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither a bad row nor a full disk leaves a run that a second try would show as whole."""
        content = base64.b64encode(json.dumps(trl(my_reward=1.0)).encode()).decode()
        upload = {"names": ["x.jsonl"], "contents": [content]}
        monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path))
        with monkeypatch.context() as full:
            full.setattr(
                "socialr1_lite.runlog.lines.encode",
                lambda rows: (_ for _ in ()).throw(OSError(28, "No space left on device")),
            )
            for _ in range(2):
                with pytest.raises(SocialR1Error, match="No space left"):
                    importing.import_files(Library([]), Query(upload))
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        assert importing.import_files(Library([]), Query(upload))["run"].startswith("x-")

    def test_a_folder_of_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
        rows = rows_in("x.jsonl", json.dumps(trl(my_reward=1.0)).encode())
        with pytest.raises(DataError, match="is there already; name another with -o"):
            importing.make_run(rows, tmp_path / "thesis", "x.jsonl")
        assert (tmp_path / "thesis" / "thesis.tex").read_text() == "years of work"
        (tmp_path / "empty").mkdir()
        assert importing.make_run(rows, tmp_path / "empty", "x.jsonl").completed

    def test_the_memory_of_an_import_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importing, "MOST_TEXT", 10_000)
        with pytest.raises(DataError, match="more than 0 MB of rows; import fewer at a time"):
            traces_of([trl(my_reward=1.0, completion="x" * 900) for _ in range(20)])

    @pytest.mark.parametrize("rows", [[3_000_000, 2000], [40, 3_000_000]], ids=["many rows", "long values"])
    def test_a_small_parquet_that_unpacks_to_gigabytes_is_refused_in_little_memory(
        self, tmp_path: Path, rows: list[int]
    ) -> None:
        many, long = rows
        path = tmp_path / "bomb.parquet"
        text = pyarrow.DictionaryArray.from_arrays(
            pyarrow.array([0] * many, pyarrow.int32()), pyarrow.array(["x" * long])
        )
        step = pyarrow.array([1] * many, pyarrow.int32())
        pyarrow.parquet.write_table(
            pyarrow.table({"step": step, "prompt": text, "completion": text}), path, compression="zstd"
        )
        script = "import resource, sys; from socialr1_lite.viewer import importing\nimport pyarrow.parquet\n"
        script += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nimporting.MOST_TEXT = 64 << 20\n"
        script += "try: importing.read_files([('b.parquet', open(sys.argv[1], 'rb'))])\nexcept ValueError as error: print(error)\n"
        script += "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)"
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        told, grown = done.stdout.splitlines()
        assert path.stat().st_size < 2 << 20 and "MB of rows" in told and int(grown) < 1200


@pytest.mark.parametrize(
    "row",
    [
        {"answer": long(" ") + "A"},
        {"answer": "<answer>" + long("( ") + "A"},
        {"answer": "A" + long("\n\t") + "}"},
        {"prompt": "Where?\nA. in" + long(" ") + "it\nB. out", "answer": "A"},
        {"prompt": "Where?" + long("\n") + "x\nA. in\nB. out", "answer": "A"},
        {"prompt": "Where?" + long("\n-") + "options" + long("\n:") + "\nA. in\nB. out", "answer": "A"},
        {"prompt": long("A. in\n"), "answer": "A"},
    ],
    ids=["spaces", "brackets", "lines", "an option's spaces", "blank lines", "a heading's rule", "letters"],
)
def test_no_gold_and_no_prompt_takes_forever(row: dict[str, Any]) -> None:
    with no_hang():
        traces_of([trl(my_reward=1.0) | row])


COLUMNS = ("step", "prompt", "completion", "input", "output", "score", "reward", "acc", "advantage", "tokens", "finish", "prefilled", "uid", "question", "options", "gold",
           "id", "story", "reasoning", "my_reward", "response", "messages", "gen_step")  # fmt: skip
SCALAR = st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats() | st.text(max_size=5)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": SCALAR,
        "content": SCALAR
        | st.lists(st.dictionaries(st.sampled_from(["type", "text", "thinking"]), SCALAR, max_size=3), max_size=2),
        "reasoning_content": SCALAR,
    },
)
VALUE = SCALAR | st.lists(SCALAR, max_size=3) | st.lists(MESSAGE, max_size=2) | MESSAGE
ROWS = st.lists(st.dictionaries(st.sampled_from(COLUMNS), VALUE, max_size=7), min_size=1, max_size=4)
BASES: list[dict[str, Any]] = [
    trl(my_reward=1.0),
    {"input": "q", "output": "a", "score": 1.0},
    {"question": "q?", "options": ["x", "y"], "gold": 0, "completion": "c"},
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(
    ROWS,
    st.sampled_from([{}, *BASES]),
    st.sampled_from(["jsonl", "csv", "parquet"]),
    st.sampled_from([None, "my_reward", "score*2"]),
)
def test_whatever_a_file_holds_it_is_a_run_or_one_line(
    tmp_path: Path, rows: list[dict[str, Any]], base: dict[str, Any], kind: str, rewards: str | None
) -> None:
    rows = [base | row for row in rows]
    if kind == "csv":
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = "\n".join(
            ",".join('"' + str(one).replace('"', '""') + '"' for one in line)
            for line in [columns, *[[row.get(key) for key in columns] for row in rows]]
        )
        content = text.encode("utf-8", "surrogatepass")
    elif kind == "parquet":
        held = io.BytesIO()
        try:
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), held)
        except (pyarrow.ArrowException, ValueError, OverflowError, TypeError, IndexError):
            return
        content = held.getvalue()
    else:
        content = "\n".join(map(json.dumps, rows)).encode()
    folder = tmp_path / "run"
    try:
        run = importing.make_run(rows_in(f"x.{kind}", content), folder, f"x.{kind}", importing.named_rewards(rewards))
    except DataError as error:
        assert "\n" not in str(error).strip() or "rows are wrong" in str(error)
        assert not folder.exists()
        return
    found = sum(1 for _ in read_traces(run))
    shutil.rmtree(folder)
    assert found
