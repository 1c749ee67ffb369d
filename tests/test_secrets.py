"""Secrets of every form, planted wherever one can come in: no file that the package writes holds one."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet
import pytest
import yaml

from socialr1_lite.benchmarks.base import Scores
from socialr1_lite.endpoint import Endpoint, EndpointSettings, Failure, Request
from socialr1_lite.errors import PolicyError
from socialr1_lite.evaluation import reports, tables
from socialr1_lite.export.verl import export_verl
from socialr1_lite.gpu_check import __main__ as gpu_check
from socialr1_lite.gpu_check.verdicts import TrialFinding
from socialr1_lite.judges import build_judge
from socialr1_lite.policy import describe_machine
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.runlog import RunFolder, TraceIndex, TraceWriter, lines, read_traces, write_json
from socialr1_lite.runlog.rejudged import StoredVerdict, write_verdicts
from socialr1_lite.sip import parse, reply_text
from socialr1_lite.statistics import Tally
from socialr1_lite.training import grpo_config
from socialr1_lite.training.card import card
from socialr1_lite.viewer import exporting, shell
from socialr1_lite.viewer.bundle import bundle
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query, served
from tests.conftest import SCENARIO
from tests.runlogs import trace

SECRET = "S3CR3T"  # each planted secret holds it, and nothing else does
TEXTS = {
    "user of an address": f"http://anna:{SECRET}-user@127.0.0.1:9/v1",
    "token of an address": f"https://{SECRET}-token@host.example/v1",
    "parameter": f"http://127.0.0.1:9/v1?key={SECRET}-key&x=1",
    "second parameter": f"no reply from http://127.0.0.1:9/v1?a=b&access_token={SECRET}-access",
    "signature": f"https://bucket.example/x?X-Amz-Signature={SECRET}abc",
    "header": f"401: Authorization: Bearer {SECRET}-bearer was refused",
    "cookie": f"sent Cookie: session={SECRET}-cookie; other={SECRET}-other",
    "option": f"python -m x --api-key {SECRET}-option RUN",
    "option with equals": f"python -m x --hub-token={SECRET}-equals",
    "body": f'python -m x --extra-body {{"api_key": "{SECRET}-body", "top_k": 3}}',
    "setting": f"rewards.content.judges.0.settings.api_key={SECRET}-setting",
    "judges": f"rewards.content.judges=[{{name: llm, settings: {{extra: {{password: {SECRET}-judges}}}}}}]",
    "quoted into JSON": json.dumps(json.dumps({"client_secret": f"{SECRET}-quoted"})),
    "of the environment": f"the server says that {SECRET}-environment is wrong",
    "password of a proxy": f"407 for {SECRET}-proxy",
    "form of a token": f"hub said hf_{SECRET}abcdefghijklmnop",
}
EXTRA: dict[str, Any] = {
    "api_key": f"{SECRET}-extra",
    "key": f"{SECRET}-extra-key",
    "headers": {"X-Anything": f"{SECRET}-header", "Cookie": [f"{SECRET}-list"]},
    "auth": {"user": f"{SECRET}-nested"},
    "top_k": 3,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", f"{SECRET}-environment")
    monkeypatch.setenv("HTTPS_PROXY", f"http://anna:{SECRET}-proxy@proxy.example:3128")
    monkeypatch.setattr(sys, "argv", ["evaluate", *TEXTS.values(), "--token", f"{SECRET}-word"])


def recipe(model: Path) -> Recipe:
    settings = [{"base_url": text, "model": "m", "extra": EXTRA} for text in TEXTS.values() if text.startswith("http")]
    return Recipe.model_validate(
        {
            "model": {"name": str(model), "max_seq_length": 4200},
            "data": {"size": 8, "heldout": 4, "max_prompt_tokens": 3900},
            "rewards": {"content": {"judges": [{"name": "llm", "settings": one} for one in settings]}},
            "grpo": {"num_generations": 4},
            "evaluation": {"items": 4},
        }
    )


def written_by_training(run: RunFolder, told: Recipe) -> None:
    run.recipe.write_text(told.to_yaml(), "utf-8")
    write_json(run.environment, {**describe_machine(), "command": sys.argv, "recipe": told.model_dump(mode="json")})
    settings = {"output_dir": TEXTS["user of an address"], "hub_token": f"{SECRET}-hub", "beta": 0.0}
    differences = {"output_dir": {"recipe": TEXTS["parameter"], "effective": TEXTS["header"]}}
    text = grpo_config.effective_yaml(settings, SimpleNamespace(**settings), differences)  # type: ignore[arg-type]
    run.effective.write_text(text, "utf-8")
    for text in TEXTS.values():
        run.set_state("failed", step=1, error=text)
    run.add_scenarios([SCENARIO])
    with TraceWriter(run, launch=run.begin_launch(0, sys.argv)) as traces:
        traces.write([trace(index=i, scenario=SCENARIO.id, notes=[text]) for i, text in enumerate(TEXTS.values())])
        failed = [
            replace(trace(group=1, index=i), completion=Completion.failure(t)) for i, t in enumerate(TEXTS.values())
        ]
        traces.write(failed)
    verdict = StoredVerdict("llm", 1, {}, tuple(TEXTS.values()), failed=True)
    write_verdicts(run, ((one, verdict) for one in read_traces(run)))


def written_by_an_earlier_version(run: RunFolder) -> None:
    """Rows whose notes and errors were never looked at."""
    run.add_scenarios([SCENARIO])
    rows = [trace(index=i, scenario=SCENARIO.id, notes=[text]).to_row() for i, text in enumerate(TEXTS.values())]
    rows += [{**trace(group=1, index=i).to_row(), "error": text} for i, text in enumerate(TEXTS.values())]
    (run.traces / "rank00000-0000.jsonl").write_bytes(lines.encode(rows))


def holding(folder: Path) -> Iterator[str]:
    """Yield every file that holds a secret, with the first one."""
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content = json.dumps(pyarrow.parquet.read_table(path).to_pylist()).encode()
            if (at := content.find(SECRET.encode())) >= 0:
                yield f"{path.relative_to(folder)}: {content[max(0, at - 60) : at + 40]!r}"


def test_the_net_catches_what_is_planted(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(TEXTS["parameter"])
    assert list(holding(tmp_path))


def test_no_file_of_a_run_of_an_evaluation_or_of_an_export_holds_one(tiny_model: Path, tmp_path: Path) -> None:
    told, run = recipe(tiny_model), RunFolder.create(tmp_path / "run")
    written_by_training(run, told)
    report: Any = {"benchmark": "simpletom", "metrics": {}, "headline": "accuracy", "players": TEXTS, "extra": EXTRA}
    reports.write(run.evaluation, report, Scores({"accuracy": Tally(())}, {}))
    for text in TEXTS.values():
        tables.write_tables(run.evaluation, [reports.Column(text, {"simpletom": report}, {})])
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text(card(told, run, 1, "LoRA adapter"), "utf-8")
    export_verl(told, out / "job")
    assert list(holding(tmp_path)) == []
    assert "***" in (out / "job" / "recipe.yaml").read_text() and "top_k: 3" in run.recipe.read_text()


@pytest.mark.parametrize("write", [lambda run: written_by_training(run, Recipe()), written_by_an_earlier_version])
def test_no_page_and_no_exported_file_holds_one(tmp_path: Path, write: Any) -> None:
    run = RunFolder.create(tmp_path / "runs" / "mine")
    write(run)
    library = Library([run.path])
    with TraceIndex(run, cache=tmp_path / "cache") as index:
        index.refresh()
    out = tmp_path / "out"
    out.mkdir()
    for kind in exporting.FORMATS:
        made = exporting.export(library, Query({"run": "mine", "format": kind}))
        (out / made["name"]).write_bytes(base64.b64decode(made["content"]))
        assert made["rows"] == 2 * len(TEXTS)
    for name in ("runs", "overview", "traces", "trace", "group", "prompt", "hacks", "facets", "settings", "table"):
        given = {} if name in ("runs", "table") else {"run": "mine"}
        (out / f"{name}.json").write_text(
            served(name, lambda query, name=name: shell.PAGES[name](library, query))(given)
        )
    assert not any('"error"' in (out / f"{name}.json").read_text()[:9] for name in ("overview", "traces", "trace"))
    assert list(holding(out)) == []


def test_an_example_that_is_cut_out_of_an_older_run_holds_none(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "old")
    written_by_an_earlier_version(run)
    run.recipe.write_text(yaml.safe_dump({"judges": [{"extra": EXTRA, "base_url": TEXTS["parameter"]}]}))
    (run.evaluation / "x.json").write_text(json.dumps({"api_key": SECRET, "note": TEXTS["option"]}))
    bundle(run, tmp_path / "cut" / "example")
    assert list(holding(tmp_path / "cut")) == []
    assert len(list(read_traces(RunFolder.open(tmp_path / "cut" / "example")))) > 9


def test_gpu_check_json_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [TrialFinding(name, "trained", "fail", text, {}) for name, text in TEXTS.items()]
    monkeypatch.setattr(gpu_check, "check", lambda *_, **__: (rows, {"a": {"command": sys.argv, "extra": EXTRA}}))
    assert gpu_check.main(["--out", str(tmp_path / "gpu-check.json")]) == 1
    assert len(json.loads((tmp_path / "gpu-check.json").read_text())["rows"]) == len(TEXTS)
    assert list(holding(tmp_path)) == []


@pytest.mark.parametrize("text", [text for text in TEXTS.values() if text.startswith("http")])
def test_what_an_endpoint_and_a_judge_say_of_a_failure_holds_none(text: str) -> None:
    settings = EndpointSettings(base_url=text, model="m", retries=0, timeout_s=5, extra=EXTRA)
    with Endpoint(settings) as endpoint:
        (outcome,) = endpoint.ask([Request([{"role": "user", "content": "?"}], 4)])
    assert isinstance(outcome, Failure) and SECRET not in outcome.reason
    judge = build_judge("llm", {"base_url": text, "model": "m", "retries": 0, "timeout_s": 5.0, "extra": EXTRA})
    reply = parse(reply_text(dict.fromkeys(("cue_encoding",), "Mara left."), "B"), SCENARIO.options)
    (verdict,) = judge.judge([reply], SCENARIO)
    assert verdict.failed and SECRET not in str(verdict.notes)
    assert SECRET not in str(PolicyError(text))


def test_a_wrong_setting_is_told_without_what_was_given() -> None:
    with pytest.raises(Exception, match="judges") as refused:
        build_judge("llm", {"base_url": 5, "api_key": f"{SECRET}-setting", "extra": EXTRA})
    assert SECRET not in str(refused.value)
