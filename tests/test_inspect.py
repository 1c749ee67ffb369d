"""A run's completions as Inspect's logs: what is in the files, and, where Inspect is at hand, that it reads them back.

Inspect brings some eighty packages, so it has an environment of its own, which `.ci/inspect` makes;
SOCIALR1_INSPECT_PYTHON names its Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from socialr1_lite import evaluate
from socialr1_lite.benchmarks.sotopia_episode import RANGES, SHORT
from socialr1_lite.errors import PolicyError, RunLogError
from socialr1_lite.export.__main__ import main
from socialr1_lite.export.inspect_log import export_inspect, safe_name
from socialr1_lite.runlog import RunFolder, read_traces
from tests.test_endpoint import Server, completion

ROOT = Path(__file__).resolve().parents[1]
TRAINED = ROOT / "tests" / "fixtures" / "run_2026_11_22_embedded"
BENCHMARKS = ROOT / "tests" / "fixtures" / "benchmarks"
INSPECT = os.environ.get("SOCIALR1_INSPECT_PYTHON")
reads = pytest.mark.skipif(
    not INSPECT, reason="SOCIALR1_INSPECT_PYTHON names no Python with Inspect; .ci/inspect makes one"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture(scope="module")
def evaluated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two benchmarks asked twice of an endpoint that answers A, gives its reasoning apart, and is cut off now and then.

    And SOTOPIA, in which whoever is first leaves at once.
    """
    verdict = {f"agent_{n}_evaluation": {name: ["so", high] for name, (_, high) in RANGES.items()} for n in (1, 2)}

    def script(body: Any, number: int) -> Any:
        asked = body["messages"][-1]["content"]
        if "evaluate how well participants" in asked:
            return 200, {}, completion(json.dumps(verdict))
        if asked.startswith("Imagine you are"):
            return 200, {}, completion('{"action_type": "leave", "argument": ""}')
        reply = completion("<think>\nx\n</think>\n<answer>A</answer>", "length" if number % 3 == 2 else "stop")
        reply["choices"][0]["message"]["reasoning_content"] = "Mara was away."
        return 200, {}, reply

    server.script = script
    folder = tmp_path_factory.mktemp("evaluated")
    what = [
        "--benchmarks",
        "socialiqa,tombench,sotopia",
        "--data",
        str(BENCHMARKS),
        "--samples",
        "2",
        "--temperature",
        "1",
    ]
    assert not evaluate.main(
        ["m", "--backend", "openai", "--base-url", server.url, *what, "-o", str(folder), "--no-cache"]
    )
    return folder


def members(path: Path) -> dict[str, Any]:
    with ZipFile(path) as file:
        assert file.testzip() is None
        return {name: json.loads(file.read(name)) for name in file.namelist()}


def test_every_completion_of_an_evaluation_is_a_sample(evaluated: Path, tmp_path: Path) -> None:
    out = tmp_path / "logs"
    assert main([str(evaluated), "--to", "inspect", "-o", str(out)]) == 0
    traces = list(read_traces(RunFolder.open(evaluated)))
    assert sorted(path.name for path in out.iterdir()) == ["socialiqa.eval", "sotopia.eval", "tombench.eval"]
    for name in ("socialiqa", "tombench"):
        inside = members(out / f"{name}.eval")
        samples = [value for file, value in inside.items() if file.startswith("samples/")]
        mine = [one for one in traces if one.benchmark == name]
        assert len(samples) == len(inside["summaries.json"]) == len(mine)
        assert sorted(one["output"]["completion"] for one in samples) == sorted(one.completion.text for one in mine)
        assert {one["epoch"] for one in samples} == {1, 2}
        report = json.loads((evaluated / "evaluation" / f"{name}.json").read_text())
        metrics = inside["header.json"]["results"]["scores"][0]["metrics"]
        assert {key: one["value"] for key, one in metrics.items()} == {
            key: one["value"] for key, one in report["metrics"].items()
        }
        assert inside["header.json"]["eval"]["metadata"]["prompt_style"] == "sip"


def test_training_and_held_out_checks_are_logs_too(tmp_path: Path) -> None:
    run = RunFolder.open(TRAINED)
    told: list[str] = []
    export_inspect(run, tmp_path / "logs", told.append)
    traces = list(read_traces(run))
    logs = [members(path) for path in sorted((tmp_path / "logs").iterdir())]
    assert [path.stem for path in sorted((tmp_path / "logs").iterdir())] == [
        "heldout-after-GRPO-15-steps",
        "heldout-after-the-cold-start",
        "heldout-untrained",
        "train",
    ]
    for inside in logs:
        name = inside["header.json"]["eval"]["task"]
        mine = [one for one in traces if (one.benchmark or "train") == name]
        assert f"{name}: {len(mine)} completions" in told
        metrics = inside["header.json"]["results"]["scores"][0]["metrics"]
        assert metrics["accuracy"]["value"] == sum(one.score.outcome == "right" for one in mine) / len(mine)
        assert metrics["reward"]["value"] == pytest.approx(sum(one.total for one in mine) / len(mine))


def test_no_secret_leaves_with_a_log(evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever one stands in a run of others: prompt, reply, reasoning, error, notes, ids, options and report."""
    run, named, formed = tmp_path / "run", "correct horse battery", "hf_" + "aB3" * 8
    shutil.copytree(evaluated, run)
    monkeypatch.setenv("SOME_API_KEY", named)
    shard = next((run / "traces").glob("evaluate*.jsonl"))
    rows = [json.loads(line) for line in shard.read_text().splitlines()]
    for row in rows:
        if row["benchmark"] == "socialiqa":
            row["prompt"][-1]["content"] += f" {named}"
            row |= {"completion": f"my key is {named}", "reasoning": formed, "error": f"401 for {formed}"}
            row["notes"] = ["https://me:pass12345@host/v1", named]
    shard.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stories = run / "scenarios.jsonl"
    kept = [json.loads(line) for line in stories.read_text().splitlines()]
    for one in kept:
        one["question"] += f" {formed}"
        one["options"] = [f"{text} {named}" for text in one["options"]]
    stories.write_text("".join(json.dumps(one) + "\n" for one in kept))
    path = run / "evaluation" / "socialiqa.json"
    report = json.loads(path.read_text())
    report |= {"model": f"m {formed}", "players": {"judge": f"https://h/v1?api_key={formed}#m"}, "notes": [named]}
    report["not_sent"] = ["https://me:pass12345@host/v1"]
    path.write_text(json.dumps(report))
    assert main([str(run), "--to", "inspect", "-o", str(tmp_path / "logs")]) == 0
    for log in (tmp_path / "logs").iterdir():
        inside = members(log)
        text = json.dumps([list(inside), inside])
        assert not [secret for secret in (named, formed, "pass12345") if secret in text], log.name
        if log.stem == "socialiqa":
            assert (
                "my key is ***" in text and "401 for ***" in text and "https://***@host" in text and '"m ***"' in text
            )
        if log.stem == "sotopia":
            assert inside["header.json"]["results"]["scores"][0]["metrics"]["secret"]["name"] == "secret"


def test_no_id_names_a_file_outside_the_folder_a_log_is_unpacked_into() -> None:
    assert safe_name("stories/belief/3@ab12") == "stories/belief/3@ab12"
    for odd in ("../../etc/passwd", "/etc/passwd", "a/../../b", "..", "C:\\x\\..\\y", "a//./b\x00", ""):
        name = safe_name(odd)
        assert name and not name.startswith("/") and ".." not in name and "\\" not in name and ":" not in name


def test_a_folder_without_completions_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run").set_state("completed", step=0)
    with pytest.raises(PolicyError, match="holds no completion to export"):
        main([str(tmp_path / "run"), "--to", "inspect", "-o", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunLogError, match="is not a run folder"):
        main([str(tmp_path / "no"), "--to", "inspect", "-o", str(tmp_path / "out")])


def test_a_damaged_line_is_left_out_and_told(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(TRAINED, run)
    shard = next((run / "traces").glob("*.jsonl"))
    shard.write_bytes(shard.read_bytes() + b'{"no": "trace"}\n')
    told: list[str] = []
    export_inspect(RunFolder.open(run), tmp_path / "logs", told.append)
    assert told[-1].startswith("left out: 1 damaged lines (")


@reads
def test_inspect_reads_back_what_was_asked_answered_and_scored(evaluated: Path, tmp_path: Path) -> None:
    shutil.copytree(TRAINED, tmp_path / "run")
    folders = [evaluated, tmp_path / "run"]
    for number, folder in enumerate(folders):
        main([str(folder), "--to", "inspect", "-o", str(tmp_path / "logs" / str(number))])
    command = [str(INSPECT), "-m", "tests.inspect_checks", str(tmp_path / "logs")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    logs = json.loads(done.stdout.splitlines()[-1])
    assert len(logs) == 3 + 4
    episodes = logs.pop("sotopia.eval")
    assert episodes["status"] == "success" and episodes["summaries"] == 4  # of eight games the model opens four
    assert [sample["scores"] for sample in episodes["samples"]] == [
        {"judge": {short: RANGES[name][1] for short, name in SHORT.items()}}
    ] * 4
    assert episodes["metrics"]["goal"] == 10
    every = [one for folder in folders for one in read_traces(RunFolder.open(folder))]
    for log in logs.values():
        assert (log["status"], log["again"]) == ("success", True)
        assert log["summaries"] == len(log["samples"])
        wanted = [one for one in every if (one.benchmark or "train") == log["task"]]
        assert sorted(sample["completion"] for sample in log["samples"]) == sorted(
            one.completion.text for one in wanted
        )
        assert sum(sample["tokens"] for sample in log["samples"]) == sum(one.completion.tokens for one in wanted)
        right = sum(sample["scores"]["outcome"] == "C" for sample in log["samples"])
        assert right == sum(one.score.outcome == "right" for one in wanted)
        prompts = sorted([[one["role"], one["content"]] for one in trace.prompt] for trace in wanted)
        assert sorted(sample["input"] for sample in log["samples"]) == prompts
    asked = logs["socialiqa.eval"]
    assert asked["model"] == "m" and {sample["stop"] for sample in asked["samples"]} == {"stop", "max_tokens"}
    assert {sample["answer"] for sample in asked["samples"]} == {"A"}
    assert all(set(sample["target"]) <= set("ABC") and len(sample["choices"]) == 3 for sample in asked["samples"])
    assert all("total" in sample["scores"]["reward"] for sample in logs["train.eval"]["samples"])
