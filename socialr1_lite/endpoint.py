"""Any OpenAI-compatible endpoint: many requests at once, retries, time-outs, a disk cache, and what it cost.

    with Endpoint(EndpointSettings(base_url="http://localhost:8000/v1", model="qwen3-8b")) as endpoint:
        replies = endpoint.ask([Request(messages, max_tokens=256), ...])
        print(endpoint.usage)

A request that still fails after its retries comes back as a `Failure` in its place, so that one lost reply never
loses the others; what can only be wrong for every request (key, address, model name) stops at once with a
PolicyError. The key is read from the environment and is never stored, logged or shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from socialr1_lite.errors import PolicyError

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion, ChatCompletionMessage

CACHE_VERSION = 1  # part of every key: raise it when what a reply depends on changes
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})  # passing troubles; others are ours to put right
FATAL = frozenset({401, 403, 404})  # key, rights, address or model: the next request would fail alike
LONGEST_WAIT_S = 60.0
TOKEN_CHARS = 4  # characters a token, on average over English text: for --dry-run's estimate only

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Where and how to ask.

    key_env: the environment variable that holds the key; a local server without keys needs none. timeout_s: for
    one try. retries: further tries after the first. prices: money for a million tokens, in and out. extra: fields of
    the request body that are not OpenAI's own (a server's `top_k`, `chat_template_kwargs`). cache: a folder, or
    None to keep nothing.
    """

    base_url: str
    model: str
    key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    timeout_s: float = 120.0
    retries: int = 5
    price_in: float = 0.0
    price_out: float = 0.0
    extra: Mapping[str, Any] = field(default_factory=dict)
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One chat completion. sample: tells apart repeated draws of the same request, so that each is cached alone."""

    messages: Sequence[Message]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    sample: int = 0


@dataclass(frozen=True, slots=True)
class EndpointReply:
    """A reply. finish: "stop" or "length". tokens as the server counted them. cached: it cost nothing this time.

    reasoning: what the server gave apart from the text.
    """

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    cached: bool = False
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no reply, and why, in one line."""

    reason: str


Outcome = EndpointReply | Failure


@dataclass(slots=True)
class Usage:
    """What went over the line. cost is in the unit of the prices; cached replies cost nothing."""

    requests: int = 0
    cached: int = 0
    retries: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Endpoint:
    """A client of one model at one endpoint. Use it as a context manager, or call `close`."""

    def __init__(self, settings: EndpointSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Send nothing yet. sleep: replaced in tests. Raises PolicyError for an address without http."""
        if not settings.base_url.startswith(("http://", "https://")):
            raise PolicyError(f"--base-url {settings.base_url!r} must begin with http:// or https://")
        self.settings = settings
        self.usage = Usage()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None

    def __enter__(self) -> Endpoint:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(self, requests: Sequence[Request], on_done: Callable[[int, Outcome], None] | None = None) -> list[Outcome]:
        """Return outcomes in the order of the requests. on_done: called from this thread with each (index, outcome).

        Raises PolicyError for what would fail every request alike; requests not yet begun are then dropped.
        """
        outcomes: dict[int, Outcome] = {}
        with ThreadPoolExecutor(max_workers=self.settings.concurrency) as pool:
            waiting = {pool.submit(self._one, request): place for place, request in enumerate(requests)}
            try:
                for done in as_completed(waiting):
                    outcomes[waiting[done]] = done.result()
                    if on_done is not None:
                        on_done(waiting[done], outcomes[waiting[done]])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [outcomes[place] for place in range(len(requests))]

    def estimate(self, requests: Iterable[Request]) -> Usage:
        """Return the cost at most, with nothing sent: cached replies, a guess of tokens, full-length answers."""
        total = Usage()
        for request in requests:
            total.requests += 1
            if self._cached(self._key(request)) is not None:
                total.cached += 1
                continue
            total.prompt_tokens += sum(len(m["content"]) for m in request.messages) // TOKEN_CHARS
            total.completion_tokens += request.max_tokens
        total.cost = self._cost(total.prompt_tokens, total.completion_tokens)
        return total

    # ------------------------------------------------------------------------------------------ one request

    def _one(self, request: Request) -> Outcome:
        key = self._key(request)
        if (cached := self._cached(key)) is not None:
            self._count(requests=1, cached=1)
            return cached
        outcome = self._send(request)
        if isinstance(outcome, Failure):
            self._count(requests=1, failures=1)
            return outcome
        self._keep(key, outcome)
        put, got = outcome.prompt_tokens, outcome.completion_tokens
        self._count(requests=1, prompt_tokens=put, completion_tokens=got, cost=self._cost(put, got))
        return outcome

    def _send(self, request: Request) -> Outcome:
        """Try, wait, try again; the wait doubles, with some chance in it, unless the server says how long."""
        import openai

        reason = ""
        for attempt in range(self.settings.retries + 1):
            if attempt:
                self._count(retries=1)
            try:
                return self._read(self._complete(request))
            except openai.APIStatusError as error:
                reason = f"HTTP {error.status_code}: {self._plain(error.message)}"
                if error.status_code in FATAL:
                    raise PolicyError(f"{self.settings.base_url}, model {self.settings.model}: {reason}") from None
                if error.status_code not in RETRIED:
                    return Failure(reason)
                wait = _requested_wait(error.response.headers)
            except openai.APITimeoutError:
                reason, wait = f"no reply within {self.settings.timeout_s:g} s", None
            except openai.APIConnectionError as error:
                reason, wait = f"no connection ({self._plain(str(error.__cause__ or error))})", None
            except _Unusable as error:
                reason, wait = str(error), None
            if attempt < self.settings.retries:
                self._sleep(min(LONGEST_WAIT_S, wait or 2.0**attempt * random.uniform(0.5, 1.0)))
        return Failure(f"{reason}, after {self.settings.retries + 1} tries")

    def _complete(self, request: Request) -> ChatCompletion:
        """Return the reply. The client's own time-out is for each read: a body that drips would never meet it."""
        import openai
        from openai.types.chat import ChatCompletion

        deadline = time.monotonic() + self.settings.timeout_s
        asking = self._connected().chat.completions.with_streaming_response.create(
            model=self.settings.model,
            messages=[dict(message) for message in request.messages],  # type: ignore[misc]
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            extra_body=dict(self.settings.extra) or None,
        )
        body = bytearray()
        with asking as response:
            try:
                for piece in response.iter_bytes():
                    body += piece
                    if time.monotonic() > deadline:
                        raise openai.APITimeoutError(request=response.http_request)
            except openai.OpenAIError:
                raise
            except Exception as error:  # of the HTTP library below, which is not the same in every openai release
                if "Timeout" in type(error).__name__:
                    raise openai.APITimeoutError(request=response.http_request) from None
                raise openai.APIConnectionError(message=str(error), request=response.http_request) from error
        try:
            content = json.loads(body)
        except ValueError:
            raise _Unusable("the reply is not JSON") from None
        if not isinstance(content, dict):
            raise _Unusable("the reply is not a JSON object")
        return ChatCompletion.construct(**content)

    def _read(self, completion: ChatCompletion) -> EndpointReply:
        try:
            if not getattr(completion, "choices", None):
                raise _Unusable("the reply has no choices")
            choice, usage = completion.choices[0], completion.usage
            text = choice.message.content
            # Reasoning servers may cut a thought off before any content: that is an empty reply, not a broken one.
            if text is None and choice.finish_reason not in ("stop", "length"):
                raise _Unusable(f"the reply has no content (finish reason {choice.finish_reason})")
            if text is not None and not isinstance(text, str):
                raise _Unusable("the reply's content is not text")
            return EndpointReply(
                text=text or "",
                finish="length" if choice.finish_reason == "length" else "stop",
                prompt_tokens=(usage.prompt_tokens or 0) if usage else 0,
                completion_tokens=(usage.completion_tokens or 0) if usage else 0,
                reasoning=_reasoning(choice.message),
            )
        except (AttributeError, TypeError, KeyError, IndexError):
            raise _Unusable("the reply is not a chat completion") from None

    def _connected(self) -> openai.OpenAI:
        with self._lock:
            if self._client is None:
                import openai

                self._client = openai.OpenAI(
                    base_url=self.settings.base_url,
                    api_key=os.environ.get(self.settings.key_env) or "none",
                    timeout=self.settings.timeout_s,
                    max_retries=0,  # ours count, wait and report
                )
            return self._client

    def _plain(self, text: str) -> str:
        """Return one line without the key, which some servers repeat in their complaint."""
        key = os.environ.get(self.settings.key_env, "")
        line = " ".join(text.split())[:300]
        return line.replace(key, "…") if key else line

    def _count(self, **more: float) -> None:
        with self._lock:
            for name, amount in more.items():
                setattr(self.usage, name, getattr(self.usage, name) + amount)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.settings.price_in + completion_tokens * self.settings.price_out) / 1e6

    # ------------------------------------------------------------------------------------------ the cache

    def _key(self, request: Request) -> str:
        """Return a digest of everything the reply depends on."""
        parts = {
            "version": CACHE_VERSION,
            "base_url": self.settings.base_url.rstrip("/"),
            "model": self.settings.model,
            "extra": dict(self.settings.extra),
            **asdict(request),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def _path(self, key: str) -> Path | None:
        return self.settings.cache / key[:2] / f"{key}.json" if self.settings.cache else None

    def _cached(self, key: str) -> EndpointReply | None:
        """Return the kept reply; a file that is not whole counts as none."""
        try:
            stored = json.loads(path.read_bytes()) if (path := self._path(key)) else None
            return EndpointReply(**(stored | {"cached": True})) if stored else None
        except (OSError, ValueError, TypeError):
            return None

    def _keep(self, key: str, answered: EndpointReply) -> None:
        """Write it beside and rename, so that a reader never sees half a file."""
        if (path := self._path(key)) is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        scratch.write_text(json.dumps(asdict(answered)), encoding="utf-8")
        scratch.replace(path)


def _reasoning(message: ChatCompletionMessage) -> str:
    """Return the reasoning, under either name that servers give it (`reasoning_content`, `reasoning`)."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(text := getattr(message, name, None), str):
            return text
    return ""


class _Unusable(Exception):
    """A reply that came, but not in the form of one."""


def _requested_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asked us to wait (Retry-After), if it did."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None
