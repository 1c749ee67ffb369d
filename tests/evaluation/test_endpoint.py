"""An evaluation over the line, from the command to the traces, against a server that behaves as today's do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.runlog import RunFolder, read_traces
from tests.test_endpoint import GREEDY, LIMIT, STRICT, Server, completion, refusing

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "benchmarks"


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def test_a_reasoning_model_is_asked_in_its_form_and_its_thoughts_are_in_the_traces(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choosy = refusing(("max_tokens", 400, LIMIT), ("temperature", 400, GREEDY), ("seed", 422, STRICT))

    def script(body: Any, n: int) -> Any:
        status, headers, content = choosy(body, n)
        if status == 200:
            content = completion("<think>x</think><answer>A</answer>")
            content["choices"][0]["message"]["reasoning_content"] = "Mara was away. \ud83d"
        return status, headers, content

    server.script = script
    asked = ["m", "--backend", "openai", "--base-url", server.url, "--benchmarks", "socialiqa", "--data", str(FIXTURES)]
    assert not evaluate.main([*asked, "-o", str(tmp_path / "out"), "--no-cache"])
    traces = list(read_traces(RunFolder.open(tmp_path / "out")))
    assert traces and {one.completion.reasoning for one in traces} == {"Mara was away. �"}
    assert not any(one.completion.failed for one in traces)
    assert "takes no temperature; it is asked without" in capsys.readouterr().err
