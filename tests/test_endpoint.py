"""The endpoint client against a real HTTP server on loopback that says what the test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.endpoint import Endpoint, EndpointReply, EndpointSettings, Failure, Request
from socialr1_lite.errors import PolicyError

Reply = tuple[int, dict[str, str], Any]


def completion(text: str | None, finish: str = "stop") -> Any:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    }


class Server:
    """Answers POSTs by `script(body, number of the request)`; keeps bodies, keys and how many were open at once."""

    def __init__(self) -> None:
        self.script: Callable[[Any, int], Reply] = lambda body, n: (200, {}, completion("hello"))
        self.bodies: list[Any] = []
        self.keys: list[str] = []
        self.open = self.most_open = 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    outer.bodies.append(body)
                    outer.keys.append(self.headers.get("authorization", ""))
                    number = len(outer.bodies) - 1
                    outer.open += 1
                    outer.most_open = max(outer.most_open, outer.open)
                status, headers, content = outer.script(body, number)
                with lock:
                    outer.open -= 1
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def request(text: str = "hi", **how: Any) -> Request:
    return Request([{"role": "user", "content": text}], max_tokens=8, **how)


def client(server: Server, waits: list[float] | None = None, **settings: Any) -> Endpoint:
    settings = EndpointSettings(base_url=server.url, model="m", **settings)
    return Endpoint(settings, sleep=(waits if waits is not None else []).append)


def test_replies_come_back_in_order_with_what_they_cost(server: Server) -> None:
    server.script = lambda body, n: (200, {}, completion(body["messages"][0]["content"].upper()))
    with client(server, price_in=2.0, price_out=5.0) as endpoint:
        replies = endpoint.ask([request("a"), request("b"), request("c")])
        assert [one.text for one in replies if isinstance(one, EndpointReply)] == ["A", "B", "C"]
        usage = endpoint.usage
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (3, 30, 12)
    assert usage.cost == pytest.approx((30 * 2 + 12 * 5) / 1e6)


def test_what_is_sent_is_what_was_asked(server: Server) -> None:
    with client(server, extra={"top_k": 5}) as endpoint:
        endpoint.ask([request("x", temperature=0.5, top_p=0.9, seed=3)])
    assert server.bodies[0] == {
        "model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 8,
        "temperature": 0.5, "top_p": 0.9, "seed": 3, "top_k": 5,
    }  # fmt: skip


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_troubles_are_tried_again(server: Server, status: int) -> None:
    server.script = lambda body, n: (
        (status, {}, {"error": {"message": "busy"}}) if n < 2 else (200, {}, completion("ok"))
    )
    waits: list[float] = []
    with client(server, waits) as endpoint:
        (reply,) = endpoint.ask([request()])
        assert isinstance(reply, EndpointReply) and reply.text == "ok"
        assert endpoint.usage.retries == 2
    assert len(waits) == 2 and waits[0] < waits[1]


def test_the_server_may_say_how_long_to_wait(server: Server) -> None:
    server.script = lambda body, n: (429, {"retry-after": "7"}, {}) if n == 0 else (200, {}, completion("ok"))
    waits: list[float] = []
    with client(server, waits) as endpoint:
        endpoint.ask([request()])
    assert waits == [7.0]


def test_no_wait_is_longer_than_a_minute(server: Server) -> None:
    server.script = lambda body, n: (429, {"retry-after": "86400"}, {}) if n == 0 else (200, {}, completion("ok"))
    waits: list[float] = []
    with client(server, waits) as endpoint:
        endpoint.ask([request()])
    assert waits == [60.0]


def test_a_request_that_keeps_failing_is_a_failure_in_its_place(server: Server) -> None:
    def script(body: Any, n: int) -> Reply:
        bad = body["messages"][0]["content"] == "bad"
        return (500, {}, {"error": {"message": "no"}}) if bad else (200, {}, completion("ok"))

    server.script = script
    with client(server, retries=2) as endpoint:
        good, bad, other = endpoint.ask([request("a"), request("bad"), request("c")])
        assert endpoint.usage.failures == 1
    assert isinstance(good, EndpointReply) and isinstance(other, EndpointReply)
    assert isinstance(bad, Failure) and bad.reason.startswith("HTTP 500") and bad.reason.endswith("after 3 tries")


def test_a_request_the_server_refuses_is_not_repeated(server: Server) -> None:
    server.script = lambda body, n: (400, {}, {"error": {"message": "prompt is too long"}})
    with client(server) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, Failure) and reply.reason.startswith("HTTP 400: ")
    assert "prompt is too long" in reply.reason and "tries" not in reply.reason
    assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_would_fail_every_request_stops_at_once_and_hides_the_key(
    server: Server, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server.script = lambda body, n: (status, {}, {"error": {"message": "Incorrect key sk-very-secret"}})
    with client(server, concurrency=1) as endpoint, pytest.raises(PolicyError) as caught:
        endpoint.ask([request(str(n)) for n in range(50)])
    assert f"HTTP {status}" in str(caught.value) and "secret" not in str(caught.value)
    assert len(server.bodies) < 10
    assert server.keys[0] == "Bearer sk-very-secret"


def test_no_reply_in_time_is_tried_again(server: Server) -> None:
    def script(body: Any, n: int) -> Reply:
        if n == 0:
            time.sleep(1.0)
        return 200, {}, completion("late")

    server.script = script
    with client(server, timeout_s=0.3, retries=50) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, EndpointReply)
    assert endpoint.usage.retries >= 1  # on a busy machine the second reply may be late too


def test_nobody_there_is_a_failure_that_says_so() -> None:
    settings = EndpointSettings(base_url="http://127.0.0.1:9/v1", model="m", retries=1)
    with Endpoint(settings, sleep=lambda _: None) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, Failure) and "no connection" in reply.reason and "after 2 tries" in reply.reason


@pytest.mark.parametrize("broken", [completion(None, "strange"), {"choices": []}])
def test_a_reply_without_content_is_tried_again(server: Server, broken: Any) -> None:
    server.script = lambda body, n: (200, {}, broken if n == 0 else completion("ok"))
    with client(server) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, EndpointReply) and reply.text == "ok"


def test_a_thought_cut_off_before_any_content_is_an_empty_reply(server: Server) -> None:
    server.script = lambda body, n: (200, {}, completion(None, "length"))
    with client(server) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert reply == EndpointReply("", "length", 10, 4)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_that_a_server_gives_apart_is_kept_apart(server: Server, name: str, tmp_path: Path) -> None:
    apart = completion("B")
    apart["choices"][0]["message"][name] = "Mara was away."
    server.script = lambda body, n: (200, {}, apart)
    with client(server, cache=tmp_path) as endpoint:
        first, again = endpoint.ask([request()])[0], endpoint.ask([request()])[0]
    assert first == EndpointReply("B", "stop", 10, 4, reasoning="Mara was away.")
    assert again == replace(first, cached=True)


def test_as_many_at_once_as_allowed_and_no_more(server: Server) -> None:
    def script(body: Any, n: int) -> Reply:
        time.sleep(0.05)
        return 200, {}, completion("ok")

    server.script = script
    with client(server, concurrency=4) as endpoint:
        endpoint.ask([request(str(n)) for n in range(16)])
    assert 2 <= server.most_open <= 4


def test_a_kept_reply_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    for round_ in range(2):
        with client(server, cache=tmp_path) as endpoint:
            (reply,) = endpoint.ask([request()])
            assert isinstance(reply, EndpointReply) and reply.cached is bool(round_)
            assert endpoint.usage.cached == round_
    assert endpoint.usage.cost == 0 and len(server.bodies) == 1


@pytest.mark.parametrize(
    "other",
    [request("ho"), request(temperature=0.5), request(top_p=0.5), request(seed=1), request(sample=1),
     replace(request(), max_tokens=9), Request([{"role": "system", "content": "hi"}], 8)],
)  # fmt: skip
def test_the_cache_tells_apart_everything_that_matters(server: Server, tmp_path: Path, other: Request) -> None:
    with client(server, cache=tmp_path) as endpoint:
        endpoint.ask([request()])
        endpoint.ask([other])
    assert len(server.bodies) == 2


def test_the_cache_tells_apart_models_addresses_and_bodies(server: Server, tmp_path: Path) -> None:
    for settings in ({"model": "m"}, {"model": "n"}, {"model": "m", "extra": {"top_k": 1}}):
        with Endpoint(EndpointSettings(base_url=server.url, cache=tmp_path, **settings)) as endpoint:  # type: ignore[arg-type]
            endpoint.ask([request()])
    assert len(server.bodies) == 3


def test_a_damaged_cache_file_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    with client(server, cache=tmp_path) as endpoint:
        endpoint.ask([request()])
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text('{"text": "half')
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, EndpointReply) and not reply.cached
    assert len(list(tmp_path.rglob("*.json"))) == 1 and json.loads(kept.read_text())["text"] == "hello"


@pytest.mark.parametrize(
    "held",
    [
        "[" * 200_000,
        '{"text": 5, "finish": "stop", "prompt_tokens": 1, "completion_tokens": 1}',
        '{"text": "a", "finish": "stop", "prompt_tokens": "1", "completion_tokens": 1}',
        '{"text": "a", "finish": "stop", "prompt_tokens": 1, "completion_tokens": 1, "reasoning": null}',
        '{"text": "a", "finish": ["stop"], "prompt_tokens": 1, "completion_tokens": 1}',
        '{"text": "a", "finish": "stop", "prompt_tokens": 1, "completion_tokens": 1, "first": [["a", 1' + "0" * 999 + "]]}",
        "7",
        "[1]",
    ],
)  # fmt: skip
def test_a_kept_reply_of_another_form_is_asked_for_again(server: Server, tmp_path: Path, held: str) -> None:
    with client(server, cache=tmp_path) as endpoint:
        endpoint.ask([request()])
        (kept,) = tmp_path.rglob("*.json")
        kept.write_text(held)
        (reply,) = endpoint.ask([request()])
        assert isinstance(reply, EndpointReply) and not reply.cached and reply.text == "hello"
        assert endpoint.ask([request()]) == [replace(reply, cached=True)]


@pytest.mark.parametrize("odd", ["1000", "NaN", "Infinity", "1" + "0" * 4000, '"-1"', '"x"', "null", "[1]"])
def test_log_probabilities_that_are_none_are_none(server: Server, odd: str) -> None:
    body = completion("Yes")
    body["choices"][0]["logprobs"] = {"content": [{"top_logprobs": [{"token": "Yes", "logprob": json.loads(odd)}]}]}
    server.script = lambda _, n: (200, {}, body)
    with client(server, retries=0) as endpoint:
        (reply,) = endpoint.ask([request(likeliest=3)])
    assert isinstance(reply, EndpointReply) and all(p <= 0 for _, p in reply.first)


def test_failures_are_not_kept(server: Server, tmp_path: Path) -> None:
    server.script = lambda body, n: (500, {}, {}) if n == 0 else (200, {}, completion("ok"))
    with client(server, cache=tmp_path, retries=0) as endpoint:
        assert isinstance(endpoint.ask([request()])[0], Failure)
        assert isinstance(endpoint.ask([request()])[0], EndpointReply)


def test_an_estimate_sends_nothing_and_knows_the_cache(server: Server, tmp_path: Path) -> None:
    with client(server, cache=tmp_path, price_out=1e6) as endpoint:
        endpoint.ask([request("x" * 40)])
        usage = endpoint.estimate([request("x" * 40), request("y" * 40)])
    assert (usage.requests, usage.cached, usage.prompt_tokens, usage.completion_tokens) == (2, 1, 10, 8)
    assert usage.cost == 8.0
    assert len(server.bodies) == 1


def test_the_key_is_kept_nowhere(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-hidden")
    with client(server, cache=tmp_path, key_env="MY_KEY") as endpoint:
        endpoint.ask([request()])
        assert "sk-hidden" not in repr(endpoint.settings)
    assert server.keys == ["Bearer sk-hidden"]
    assert not any("sk-hidden" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


# ------------------------------------------------------------------------------------------ endpoints of today


def refusing(*unwanted: tuple[str, int, Any]) -> Callable[[Any, int], Reply]:
    """A server that refuses requests with any of these fields."""

    def script(body: Any, n: int) -> Reply:
        for name, status, told in unwanted:
            if body.get(name) is not None and not (name == "temperature" and body[name] == 1):
                return status, {}, told
        return 200, {}, completion("ok")

    return script


def openai_says(message: str, param: str | None = None, code: str | None = None) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


LIMIT = openai_says(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "max_tokens",
)
GREEDY = openai_says(
    "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
    "temperature",
)
STRICT = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}


def test_a_server_is_asked_in_the_form_that_it_wants_and_that_is_learned_once(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = refusing(("max_tokens", 400, LIMIT), ("temperature", 400, GREEDY), ("seed", 422, STRICT))
    with client(server, concurrency=1) as endpoint:
        replies = endpoint.ask([request(str(n), seed=3) for n in range(3)])
        assert endpoint.usage.retries == 0
    assert [one.text for one in replies if isinstance(one, EndpointReply)] == ["ok"] * 3
    assert len(server.bodies) == 6 and server.bodies[-1] == {
        "model": "m", "messages": [{"role": "user", "content": "2"}], "max_completion_tokens": 8, "top_p": 1.0,
    }  # fmt: skip
    told = capsys.readouterr().err
    assert "takes no temperature" in told and "takes no seed" in told and told.count("note:") == 2


def test_a_value_that_is_wrong_is_not_left_out(server: Server) -> None:
    said = "max_tokens is too large: 8192. This model supports at most 4096 completion tokens"
    server.script = refusing(("max_tokens", 400, openai_says(said)))
    with client(server) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, Failure) and said in reply.reason and len(server.bodies) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (422, {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user'"}]}, "messages.0.role: Input should be"),
        (400, {"object": "error", "message": "too long for the model", "code": 400}, "too long for the model"),
        (400, {"error": "a bare text"}, "a bare text"), (400, {"detail": "Bad one"}, "Bad one"), (400, {"error": {"raw": "inner"}}, "inner"),
        (413, b"<html><style>p{}</style><h1>413 Request Entity Too Large</h1></html>", "HTTP 413: 413 Request Entity Too Large"),
        (400, b"", "does not say why"), (400, [[["deep"]]], "deep"), (400, {"error": {"message": ["odd"]}}, "odd"), (400, b"[" * 200_000, "HTTP 400"),
        (200, openai_says("prompt refused"), "HTTP 400: prompt refused"), (200, {"error": {"message": "busy", "code": "400"}}, "HTTP 400: busy"),
    ],
)  # fmt: skip
def test_the_server_s_own_reason_is_told(server: Server, status: int, body: Any, words: str) -> None:
    server.script = lambda _, n: (status, {}, body)
    with client(server) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, Failure) and words in reply.reason and len(server.bodies) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": {"message": "Insufficient credits", "code": 402}}), (402, {"error": {"message": "Insufficient Balance"}}),
        (429, {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}}),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}),
    ],
)  # fmt: skip
def test_no_credit_stops_at_once(server: Server, status: int, body: Any) -> None:
    server.script = lambda _, n: (status, {}, body)
    with client(server) as endpoint, pytest.raises(PolicyError, match=r"(?i)insufficient|quota|credit"):
        endpoint.ask([request()])
    assert len(server.bodies) == 1


def test_a_rate_limit_is_no_lack_of_credit(server: Server) -> None:
    said = {
        "error": {"message": "You exceeded your current quota, please check your plan and billing details. Retry in 9s"}
    }
    server.script = lambda _, n: (429, {}, said) if n == 0 else (200, {}, completion("ok"))
    with client(server) as endpoint:
        assert isinstance(endpoint.ask([request()])[0], EndpointReply)


@pytest.mark.parametrize("body", [{"detail": "Not Found"}, b"404 page not found"])
def test_a_forgotten_v1_is_thought_of(server: Server, body: Any) -> None:
    server.script = lambda _, n: (404, {}, body)
    settings = EndpointSettings(base_url=server.url.removesuffix("/v1"), model="m")
    with (
        Endpoint(settings, sleep=lambda _: None) as endpoint,
        pytest.raises(PolicyError, match=rf"below /v1: {server.url}\b"),
    ):
        endpoint.ask([request()])


def said_as(content: Any, finish: Any = "stop", **more: Any) -> Any:
    made = completion(None, finish)
    made["choices"][0]["message"] |= {"content": content, **more}
    return made


@pytest.mark.parametrize(
    ("body", "text", "reasoning"),
    [
        (said_as([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ab", ""),
        (said_as([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]), "a", "hm"),
        (said_as("a", reasoning=[{"type": "text", "text": "hm"}]), "a", "hm"), (said_as("a", thinking="hm"), "a", "hm"),
        (said_as("a", reasoning_content=None, reasoning="hm"), "a", "hm"), (said_as("a", reasoning_content="", reasoning="hm"), "a", "hm"),
        (said_as(None, refusal="I would rather not."), "I would rather not.", ""), (said_as("a \ud83d"), "a \ufffd", ""),
    ],
)  # fmt: skip
def test_content_and_reasoning_in_every_form(
    server: Server, body: Any, text: str, reasoning: str, tmp_path: Path
) -> None:
    server.script = lambda _, n: (200, {}, json.dumps(body).encode())
    with client(server, cache=tmp_path) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, EndpointReply) and (reply.text, reply.reasoning) == (text, reasoning)


@pytest.mark.parametrize("text", [None, "half of"])
def test_a_content_filter_is_told_and_not_asked_six_times(server: Server, text: str | None) -> None:
    server.script = lambda _, n: (200, {}, completion(text, "content_filter"))
    with client(server) as endpoint:
        (reply,) = endpoint.ask([request()])
    assert isinstance(reply, Failure) and "content filter" in reply.reason and len(server.bodies) == 1


ODD = [
    None,
    1,
    -1,
    1e400,
    "x",
    "",
    [],
    [1],
    {},
    {"a": 1},
    True,
    [[]],
    [None],
    [{"message": 1}],
    [{"message": {"content": 3}}],
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "where",
    ["", "choices", "usage", "message", "content", "finish_reason", "prompt_tokens", "reasoning", "error", "logprobs"],
)
def test_a_body_of_wrong_types_is_a_reply_or_a_failure(server: Server, odd: Any, where: str) -> None:
    body = completion("a")
    inside = {"message": body["choices"][0], "finish_reason": body["choices"][0], "logprobs": body["choices"][0], "prompt_tokens": body["usage"],
              "content": body["choices"][0]["message"], "reasoning": body["choices"][0]["message"]}.get(where, body)  # fmt: skip
    inside[where] = odd
    server.script = lambda _, n: (200, {}, body if where else odd)
    with client(server, retries=1) as endpoint:
        (reply,) = endpoint.ask([request(likeliest=3)])
        assert isinstance(reply, (EndpointReply, Failure)) and endpoint.usage.prompt_tokens >= 0
    json.dumps(str(reply)).encode()


@pytest.mark.parametrize(
    ("given", "waited"),
    [("inf", 60.0), ("1e999", 60.0), ("nan", None), ("-5", None), ("soon", None), ("", None), ("Fri, 01 Jan 2100 00:00:00 GMT", 60.0),
     ("Fri, 01 Jan 1999 00:00:00", None), ("Fri, 99 Foo 99999", None)],
)  # fmt: skip
def test_whatever_retry_after_holds_the_wait_is_sane(server: Server, given: str, waited: float | None) -> None:
    server.script = lambda _, n: (429, {"retry-after": given}, {}) if n == 0 else (200, {}, completion("ok"))
    waits: list[float] = []
    with client(server, waits) as endpoint:
        assert isinstance(endpoint.ask([request()])[0], EndpointReply)
    assert len(waits) == 1 and (waits[0] == waited if waited else 0 < waits[0] <= 1)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_endless_body_ends(status: int) -> None:
    """A server that sends for ever, as an answer or as an error."""

    class Endless(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(b"x" * (1 << 20))

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    settings = EndpointSettings(base_url=f"http://127.0.0.1:{http.server_port}/v1", model="m", retries=1, timeout_s=60)
    with Endpoint(settings, sleep=lambda _: None) as endpoint:
        (reply,) = endpoint.ask([request()])
    http.shutdown()
    assert isinstance(reply, Failure) and "larger than" in reply.reason


def test_a_cache_that_cannot_be_written_costs_no_reply(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with client(server, cache=tmp_path / "file" / "cache") as endpoint:
        replies = endpoint.ask([request(str(n)) for n in range(3)])
    assert all(isinstance(one, EndpointReply) for one in replies)
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_prompt_with_half_a_character_is_asked(server: Server, tmp_path: Path) -> None:
    with client(server, cache=tmp_path) as endpoint:
        assert isinstance(endpoint.ask([request("cut \ud83d")])[0], EndpointReply)
