"""The authors' sampling over the line, and reasoning that a server gives apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.evaluation.test_dead_server import launched
from tests.evaluation.test_dead_server import server as server
from tests.test_endpoint import Server, refusing


def test_a_repetition_penalty_is_sent_where_the_authors_have_one_and_its_refusal_is_told(
    server: Server, tmp_path: Path
) -> None:
    how = ("--benchmarks", "motivebench", "--prompt", "official")
    taken = launched(server, tmp_path / "a", *how)["motivebench"]
    assert {body["repetition_penalty"] for body in server.bodies} == {1.05} and taken["protocol"] == "official"
    server.script = refusing(("repetition_penalty", 400, "Unrecognized request argument supplied: repetition_penalty"))
    refused = launched(server, tmp_path / "b", *how)["motivebench"]
    assert refused["failed"] == 0 and refused["protocol"] == "own"
    assert refused["differs"] == ["the server does not take repetition_penalty"]


def test_reasoning_that_a_server_gives_apart_is_never_read(server: Server, tmp_path: Path) -> None:
    def thinking(text: str, finish: str) -> Any:
        message = {"role": "assistant", "content": text, "reasoning_content": "Surely [[B]], (B), B."}
        body = {"choices": [{"index": 0, "finish_reason": finish, "message": message}], "usage": {}}
        return lambda *_: (200, {}, json.dumps(body).encode())

    how = ("--benchmarks", "tombench", "--prompt", "official")
    server.script = thinking("[[A]]", "stop")
    assert launched(server, tmp_path / "a", *how)["tombench"]["unreadable"] == 0
    server.script = thinking("", "length")
    cut = launched(server, tmp_path / "b", *how)["tombench"]
    assert cut["cut_thinking"] == cut["truncated"] == cut["replies"] == 15
    assert cut["metrics"]["single_order_accuracy"]["value"] == 0.0
