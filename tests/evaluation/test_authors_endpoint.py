"""The authors' sampling over the line, and reasoning that a server gives apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.evaluation.protocol import terms
from tests.evaluation.test_dead_server import launched
from tests.evaluation.test_dead_server import server as server
from tests.evaluation.test_evaluate import VERDICT, acting
from tests.test_endpoint import GREEDY, STRICT, Server, completion, refusing


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


def test_a_block_that_the_template_opens_is_known_of_a_server_once_it_showed(server: Server, tmp_path: Path) -> None:
    """With SimpleToM's 20 tokens no thought ends, so that no reply to it shows the block."""

    def thinking(body: Any, n: int) -> Any:
        cut = body["max_tokens"] == 20
        text, finish = ("Is it (A)? Then", "length") if cut else ("Is it A?\n</think>\n[[A]]", "stop")
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        return 200, {}, json.dumps({"choices": [choice], "usage": {}}).encode()

    server.script = thinking
    found = launched(server, tmp_path, "--benchmarks", "tombench,simpletom", "--prompt", "official")
    cut = found["simpletom"]
    assert cut["cut_thinking"] == cut["truncated"] == cut["replies"] > 0
    assert cut["metrics"]["accuracy"]["value"] == cut["lenient"]["accuracy"]["value"] == 0.0


# ------------------------------------------------------------------------------------------------ episodes


@pytest.fixture
def other() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def playing(server: Server, *unwanted: tuple[str, int, Any], loses: str = "") -> None:
    """Let a server play and judge; it refuses some fields, and whatever prompt holds `loses`."""
    say, choosy = acting(lambda: VERDICT, move="leave"), refusing(*unwanted)

    def script(body: Any, n: int) -> Any:
        text = "\n".join(message["content"] for message in body["messages"])
        if loses and loses in text:
            return 400, {}, b"the prompt is too long"
        status, headers, content = choosy(body, n)
        return status, headers, completion(say(text)) if status == 200 else content

    server.script = script


@pytest.mark.parametrize("who", ["model", "partner", "judge"])
def test_an_episode_whose_sampling_a_server_refused_is_not_official(
    who: str, server: Server, other: Server, tmp_path: Path
) -> None:
    refused = (("temperature", 422, GREEDY), ("seed", 422, STRICT))
    playing(server, *refused if who == "model" else ())
    playing(other, *refused if who != "model" else ())
    seats = {role: f"{other.url if who in ('model', role) else server.url}#{role}" for role in ("partner", "judge")}
    how = ("--benchmarks", "sotopia", "--partner", seats["partner"], "--judge", seats["judge"])
    report = launched(server, tmp_path, *how)["sotopia"]
    role = "" if who == "model" else f"{who}: "
    assert report["differs"] == [f"the server does not take {role}temperature"]
    assert (report["protocol"], report["metrics"]["goal"]["protocol"]) == ("own", "own")
    assert report["not_sent"] == [f"{role}seed", f"{role}temperature"]
    assert terms(report)["sampling"].endswith(f"not sent: {role}temperature")


def test_an_episode_without_a_refusal_is_official_and_one_with_a_move_that_was_lost_is_not(
    server: Server, other: Server, tmp_path: Path
) -> None:
    how = ("--benchmarks", "sotopia", "--partner", f"{other.url}#p", "--judge", f"{other.url}#j")
    playing(server)
    playing(other, ("seed", 422, STRICT))
    whole = launched(server, tmp_path / "a", *how)["sotopia"]
    assert (whole["protocol"], whole["differs"]) == ("official", [])
    assert whole["not_sent"] == ["partner: seed", "judge: seed"]  # the draws are of one kind
    playing(other, loses="You are at Turn #0")
    lost = launched(server, tmp_path / "b", *how)["sotopia"]
    assert (lost["protocol"], lost["metrics"]["goal"]["protocol"]) == ("own", "own")
    assert lost["differs"] == ["2 moves got no reply and count as doing nothing (theirs are asked for again)"]
