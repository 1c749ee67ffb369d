"""The evaluation against real software: SmolLM2 through the policy, and `transformers serve` on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from socialr1_lite import evaluate
from socialr1_lite.endpoint import Endpoint, EndpointReply, EndpointSettings, Request
from socialr1_lite.evaluation import reports
from socialr1_lite.policy.embedded import embedded_model
from socialr1_lite.runlog import RunFolder, read_traces

FIXTURES = Path(__file__).parents[1] / "fixtures" / "benchmarks"
START_S = 180.0

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(base URL, model name) of a `transformers serve` that this test started."""
    program = shutil.which("transformers", path=os.path.dirname(sys.executable))
    if program is None:
        pytest.skip("the transformers command is not installed beside this Python")
    model, port = str(embedded_model()), free_port()
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "serve", model, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
        )
    try:
        wait_until_healthy(process, port, log)
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1.0)
    raise AssertionError(f"the server did not answer within {START_S:g} s:\n{log.read_text()[-3000:]}")


def test_a_real_server_answers_and_counts_its_tokens(served: tuple[str, str], tmp_path: Path) -> None:
    url, model = served
    asked = [Request([{"role": "user", "content": f"Say the word {word}."}], 8) for word in ("red", "blue")]
    settings = EndpointSettings(base_url=url, model=model, cache=tmp_path, concurrency=2, timeout_s=300)
    with Endpoint(settings) as endpoint:
        replies = endpoint.ask(asked)
        assert all(isinstance(one, EndpointReply) and one.text for one in replies), replies
        again = endpoint.ask(asked)
        assert [one.text for one in replies if isinstance(one, EndpointReply)] == [
            one.text for one in again if isinstance(one, EndpointReply) and one.cached
        ]
        assert endpoint.usage.requests == 4 and endpoint.usage.cached == 2


def test_the_command_line_evaluates_a_served_model(
    served: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, model = served
    monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path / "cache"))
    arguments = [model, "--backend", "openai", "--base-url", url, "--data", str(FIXTURES), "-o", str(tmp_path / "out")]
    arguments += ["--benchmarks", "simpletom", "--prompt", "official", "--max-new-tokens", "8", "--timeout", "300"]
    assert evaluate.main(arguments) == 0
    report = reports.read(tmp_path / "out").reports["simpletom"]
    assert (report["n"], report["failed"]) == (3, 0)
    assert report["usage"]["requests"] == 3
    assert len(list(read_traces(RunFolder.open(tmp_path / "out")))) == 3


def test_smollm2_answers_every_benchmark(tmp_path: Path) -> None:
    names = "tombench,tombench-hard,socialiqa,simpletom,emobench,motivebench,hi-tom,tactfultom,fantom,sotopia,stories"
    arguments = ["smollm2-135m", "--backend", "transformers", "--benchmarks", names, "--data", str(FIXTURES)]
    arguments += ["--limit", "2", "--max-new-tokens", "16", "--max-turns", "2", "--judge-tokens", "16"]
    arguments += ["-o", str(tmp_path)]
    assert evaluate.main(arguments) == 0
    by_name = reports.read(tmp_path).reports
    assert set(by_name) == set(names.split(","))
    assert all(report["n"] >= 2 for report in by_name.values())
    traces = list(read_traces(RunFolder.open(tmp_path)))
    assert {one.benchmark for one in traces} == set(by_name)
    assert all(one.completion.text or one.completion.tokens <= 1 for one in traces)
