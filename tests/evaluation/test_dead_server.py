"""A server that stops answering: said early, what was paid for kept; and what goes over the line told as it is."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.endpoint import Endpoint, EndpointReply, EndpointSettings, Failure, Outcome
from socialr1_lite.errors import PolicyError
from socialr1_lite.evaluation import asking, reports
from socialr1_lite.evaluation.answering import EndpointSampler, ReplyStore, Sampling, ask_all
from tests.test_endpoint import Server, completion, refusing, request

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "benchmarks"


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def prompts(count: int) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": f"question {n}"}] for n in range(count)]


def endpoint(server: Server, **settings: Any) -> Endpoint:
    return Endpoint(EndpointSettings(server.url, "m", **settings), sleep=lambda _: None)


def content_of(body: Any) -> str:
    return str(body["messages"][0]["content"])


# ------------------------------------------------------------------------------------------------ gone


@pytest.mark.parametrize(("concurrency", "vain"), [(1, 3), (2, 3), (5, 5)])
def test_a_server_that_is_gone_stops_the_evaluation(
    server: Server, tmp_path: Path, concurrency: int, vain: int
) -> None:
    server.script = lambda body, n: (200, {}, completion("yes")) if n < 4 else (500, {}, b"out of memory")
    store = ReplyStore(tmp_path / "r")
    with endpoint(server, concurrency=concurrency, retries=1) as client, pytest.raises(PolicyError) as stopped:
        ask_all(EndpointSampler(client), prompts(400), Sampling(8), store)
    said = str(stopped.value)
    assert f"the last {vain} requests got no reply (HTTP 500: out of memory, after 2 tries)" in said
    assert "the replies before are kept, and the same command goes on from them" in said
    # four replies, two tries of each that failed, and what was under way by then
    assert len(server.bodies) <= 4 + 2 * vain + 3 * concurrency
    assert ReplyStore(store.path).found == 4
    before = len(server.bodies)
    server.script = lambda body, n: (200, {}, completion("yes"))
    with endpoint(server) as client:
        ask_all(EndpointSampler(client), prompts(10), Sampling(8), ReplyStore(store.path))
    assert len(server.bodies) - before == 10 - 4


def test_requests_that_a_living_server_refuses_stop_nothing(server: Server, tmp_path: Path) -> None:
    server.script = lambda body, n: (400, {}, b"the prompt is too long")
    seen: list[tuple[int, int]] = []
    with endpoint(server, concurrency=2) as client:
        replies = ask_all(
            EndpointSampler(client), prompts(20), Sampling(8), ReplyStore(tmp_path / "r"), lambda *n: seen.append(n)
        )
    assert len(replies) == 20 and all(one.failed for one in replies) and seen[-1] == (0, 20)


def test_failures_with_replies_between_them_stop_nothing(server: Server, tmp_path: Path) -> None:
    server.script = lambda body, n: (200, {}, completion("yes")) if n % 3 == 2 else (503, {}, b"busy")
    with endpoint(server, concurrency=1, retries=0) as client:
        replies = ask_all(EndpointSampler(client), prompts(30), Sampling(8), ReplyStore(tmp_path / "r"))
    assert sum(one.failed for one in replies) == 20


def test_no_further_try_is_made_once_it_is_over(server: Server) -> None:
    """Sleeping between tries ends with the launch, however long the wait was to be."""
    server.script = lambda body, n: (
        (401, {}, b"no such key") if content_of(body) == "bad" else (500, {"retry-after": "50"}, b"later")
    )
    client = Endpoint(EndpointSettings(server.url, "m", concurrency=2, retries=9))
    said: list[str] = []

    def ask() -> None:
        try:
            client.ask([request("slow"), request("bad")])
        except PolicyError as error:
            said.append(str(error))

    asking_thread = threading.Thread(target=ask, daemon=True)
    asking_thread.start()
    asking_thread.join(30)  # far less than nine waits of 50 s
    assert said and "no such key" in said[0]
    client.close()


def test_what_is_under_way_when_it_ends_is_kept(server: Server) -> None:
    """The reply that comes after the error was paid for."""
    failed = threading.Event()

    def script(body: Any, n: int) -> Any:
        if content_of(body) == "bad":
            return 401, {}, b"no such key"
        failed.wait(10)
        return 200, {}, completion("late")

    server.script = script
    kept: dict[int, Outcome] = {}
    with endpoint(server, concurrency=2) as client:
        real = client._stopped.set
        client._stopped.set = lambda: (real(), failed.set())  # type: ignore[method-assign,assignment,func-returns-value]
        with pytest.raises(PolicyError, match="no such key"):
            client.ask([request("slow"), request("bad")], kept.__setitem__)
    assert isinstance(kept[0], EndpointReply) and kept[0].text == "late"


def test_a_refusal_and_a_request_out_of_tries_are_told_apart(server: Server) -> None:
    server.script = lambda body, n: (400, {}, b"too long") if content_of(body) == "long" else (500, {}, b"no")
    with endpoint(server, retries=1) as client:
        long, gone = client.ask([request("long"), request("x")])
    assert isinstance(long, Failure) and not long.spent
    assert isinstance(gone, Failure) and gone.spent


def test_progress_counts_failures_apart(capsys: pytest.CaptureFixture[str]) -> None:
    show = asking.progress_line("set")
    show(2, 0, 10)
    show(7, 3, 10)
    first, last = capsys.readouterr().err.splitlines()
    assert first.strip() == "set: 2 of 10 replies" and last.strip() == "set: 7 of 10 replies, 3 failed"


def test_the_command_says_it_and_goes_on_later(server: Server, tmp_path: Path) -> None:
    arguments = ["m", "--backend", "openai", "--base-url", server.url, "--benchmarks", "motivebench", "--no-cache"]
    arguments += ["--data", str(FIXTURES), "-o", str(tmp_path), "--retries", "0", "--concurrency", "1"]
    server.script = lambda body, n: (200, {}, completion("<answer>A</answer>")) if n < 5 else (502, {}, b"gone")
    with pytest.raises(PolicyError, match=r"the last 3 requests got no reply \(HTTP 502: gone, after 1 try\)"):
        evaluate.main(arguments)
    sent = len(server.bodies)
    assert 5 + 3 <= sent <= 5 + 3 + 2  # what had begun when it was over
    assert not (tmp_path / "evaluation" / "motivebench.json").exists()
    server.script = lambda body, n: (200, {}, completion("<answer>A</answer>"))
    assert evaluate.main(arguments) == 0
    assert len(server.bodies) == sent + 18 - 5
    assert reports.read(tmp_path).reports["motivebench"]["failed"] == 0


# ------------------------------------------------------------------------------------------------ told as it is


def launched(server: Server, out: Path, *more: str) -> dict[str, Any]:
    arguments = ["m", "--backend", "openai", "--base-url", server.url, "--no-cache", "--data", str(FIXTURES)]
    assert evaluate.main([*arguments, "-o", str(out), *more]) == 0
    return dict(reports.read(out).reports)


def test_usage_is_of_its_own_benchmark(server: Server, tmp_path: Path) -> None:
    found = launched(server, tmp_path, "--benchmarks", "hi-tom,socialiqa", "--price-in", "1", "--price-out", "1000000")
    assert [found[name]["usage"]["requests"] for name in ("hi-tom", "socialiqa")] == [3, 2]
    assert found["socialiqa"]["usage"]["completion_tokens"] == 2 * 4  # as the server counts
    assert found["socialiqa"]["usage"]["cost"] == pytest.approx(8, abs=0.01)


def test_top_k_is_sent_and_its_refusal_is_in_the_report(server: Server, tmp_path: Path) -> None:
    how = ("--benchmarks", "socialiqa", "--temperature", "0.5", "--top-k", "20")
    taken = launched(server, tmp_path / "a", *how)["socialiqa"]
    assert {body["top_k"] for body in server.bodies} == {20} and taken["not_sent"] == []
    server.script = refusing(("top_k", 400, "Unrecognized request argument supplied: top_k"))
    refused = launched(server, tmp_path / "b", *how)["socialiqa"]
    assert refused["not_sent"] == ["top_k"] and refused["failed"] == 0


def test_without_top_k_none_is_sent(server: Server, tmp_path: Path) -> None:
    launched(server, tmp_path, "--benchmarks", "socialiqa")
    assert not any({"top_k", "repetition_penalty"} & body.keys() for body in server.bodies)


def test_that_all_tokens_and_no_penalty_are_wanted_is_sent_where_it_was_said(server: Server, tmp_path: Path) -> None:
    """A server may else draw by the model's generation settings. vLLM, SGLang and llama.cpp take -1 for all tokens."""
    how = ("--benchmarks", "socialiqa", "--temperature", "0.5")
    launched(server, tmp_path / "a", *how)
    server.bodies.clear()
    launched(server, tmp_path / "b", *how, "--top-k", "0", "--repetition-penalty", "1")
    assert {(body["top_k"], body["repetition_penalty"]) for body in server.bodies} == {(-1, 1)}  # and none is cached
    asked = len(server.bodies)
    launched(server, tmp_path / "c", *how, "--top-k", "5", "--repetition-penalty", "1.2")
    assert {(body["top_k"], body["repetition_penalty"]) for body in server.bodies[asked:]} == {(5, 1.2)}


@pytest.mark.parametrize(
    ("prompt", "sent"), [("official", True), ("official-cot", True), ("direct", False), ("sip", False)]
)
def test_with_the_authors_prompt_no_setting_of_the_server_draws(
    server: Server, tmp_path: Path, prompt: str, sent: bool
) -> None:
    launched(server, tmp_path, "--benchmarks", "hi-tom", "--prompt", prompt, "--temperature", "0.5")
    found = {(body.get("top_k"), body.get("repetition_penalty")) for body in server.bodies}
    assert found == ({(-1, 1)} if sent else {(None, None)})


def test_a_server_that_knows_no_top_k_draws_as_the_authors_do(server: Server, tmp_path: Path) -> None:
    server.script = refusing(("top_k", 400, "Unrecognized request argument supplied: top_k"))
    how = ("--benchmarks", "hi-tom", "--prompt", "official")
    found = launched(server, tmp_path, *how)["hi-tom"]
    assert found["not_sent"] == ["top_k"] and found["failed"] == 0
    assert not any("server" in words for words in found["differs"])


def test_replies_before_it_was_said_are_no_replies_after(server: Server, tmp_path: Path) -> None:
    with endpoint(server) as client:
        plain, said = EndpointSampler(client), EndpointSampler(client, said=("top_k",))
        for sampler in (plain, said, plain):
            ask_all(sampler, prompts(1), Sampling(8), ReplyStore(tmp_path / "r"))
    assert [body.get("top_k") for body in server.bodies] == [None, -1]


@pytest.mark.parametrize("concurrency", [8, 32, 128])
def test_as_many_requests_as_said_are_really_in_flight(
    concurrency: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers none before so many are there."""
    monkeypatch.setattr(socketserver.TCPServer, "request_queue_size", 256)  # of 5 by default most would be turned away
    server = Server()
    together = threading.Barrier(concurrency, timeout=20)

    def script(body: Any, n: int) -> Any:
        together.wait()
        return 200, {}, completion("B")

    server.script = script
    with endpoint(server, concurrency=concurrency, retries=0, timeout_s=40.0) as client:
        replies = ask_all(EndpointSampler(client), prompts(2 * concurrency), Sampling(8), ReplyStore(tmp_path / "r"))
    server.close()
    assert [one.text for one in replies] == ["B"] * 2 * concurrency and server.most_open == concurrency


def test_requests_in_vain_are_counted_over_batches(server: Server, tmp_path: Path) -> None:
    """An episode's turns are batches of few: a server that is gone would else be asked for twenty turns."""
    server.script = lambda body, n: (500, {}, b"gone")
    with endpoint(server, retries=0, concurrency=1) as client:
        sampler, store = EndpointSampler(client), ReplyStore(tmp_path / "r")
        for n in range(2):
            assert ask_all(sampler, prompts(3)[n : n + 1], Sampling(8), store)[0].failed
        with pytest.raises(PolicyError, match="the last 3 requests got no reply"):
            ask_all(sampler, prompts(3)[2:], Sampling(8), store)
