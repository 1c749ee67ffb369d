"""Any OpenAI-compatible endpoint: many requests at once, retries, time-outs, a disk cache, and what it cost.

    with Endpoint(EndpointSettings(base_url="http://localhost:8000/v1", model="qwen3-8b")) as endpoint:
        replies = endpoint.ask([Request(messages, max_tokens=256), ...])
        print(endpoint.usage)

A request that still fails after its retries comes back as a `Failure` in its place, so that one lost reply never
loses the others; what can only be wrong for every request (key, address, model name) stops at once with a
PolicyError. The key is read from the environment and is never stored, logged or shown.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from socialr1_lite.chat_reply import EndpointReply as EndpointReply
from socialr1_lite.chat_reply import Refused, Unusable, bounded, read_kept, read_reply
from socialr1_lite.errors import PolicyError, first_line
from socialr1_lite.redaction import redact
from socialr1_lite.scenario import JsonValue, sound

if TYPE_CHECKING:
    import openai

CACHE_VERSION = 1  # part of every key: raise it when what a reply depends on changes
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})  # passing troubles; others are ours to put right
LONGEST_WAIT_S = 60.0
# What a server may not take, as its refusal names it, and which servers do without it.
OPTIONAL = ("seed", "temperature", "top_p", "top_k", "repetition_penalty", "logprobs", "top_logprobs")
UNKNOWN_FIELD = re.compile(
    r"not (?:be )?(?:support|permit|allow|recogni)|n.t support|unsupported|unrecogni|unknown|unexpected|"
    r"extra (?:input|field)"
)
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
    """One chat completion. sample: tells apart repeated draws of the same request, so that each is cached alone.

    likeliest: so many tokens that could have stood first are asked for, with their log-probabilities. top_k: 0 leaves
    it out, since OpenAI's own API knows none; -1 says that all tokens are wanted. repetition_penalty: None leaves
    it out, 1 says that none is wanted.
    """

    messages: Sequence[Message]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    sample: int = 0
    likeliest: int = 0
    top_k: int = 0
    repetition_penalty: float | None = None


# Fields that older keys of the cache do not have, at what leaves them out.
ADDED = {"likeliest": 0, "top_k": 0, "repetition_penalty": None}


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no reply, and why, in one line. spent: every try was in vain, as with a server that is gone.

    (Else the server answered, and refused this one request.)
    """

    reason: str
    spent: bool = False


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

    def __init__(self, settings: EndpointSettings, *, sleep: Callable[[float], object] | None = None) -> None:
        """Send nothing yet. sleep: replaced in tests. Raises PolicyError for an address without http."""
        if not settings.base_url.startswith(("http://", "https://")):
            raise PolicyError(f"--base-url {settings.base_url!r} must begin with http:// or https://")
        self.settings = settings
        self.usage = Usage()
        self._stopped = threading.Event()  # by an error: whatever still waits gives up
        self._sleep = sleep or self._stopped.wait
        self._lock = threading.Lock()
        self._keeps = True
        self._form: dict[str, str | None] = {}  # a field of the request: how this server calls it; None: not at all
        self._client: openai.OpenAI | None = None

    def __enter__(self) -> Endpoint:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    @property
    def not_taken(self) -> list[str]:
        """The settings that this server has refused, so that it answered by its own default."""
        with self._lock:
            return sorted(name for name, form in self._form.items() if form is None)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(self, requests: Sequence[Request], on_done: Callable[[int, Outcome], None] | None = None) -> list[Outcome]:
        """Return outcomes in the order of the requests. on_done: called from this thread with each (index, outcome).

        Raises PolicyError for what would fail every request alike, and what on_done raises: requests not yet begun are
        then dropped, those under way get no further try, and what they still bring is handed to on_done.
        """
        outcomes: dict[int, Outcome] = {}
        self._stopped.clear()
        with ThreadPoolExecutor(max_workers=self.settings.concurrency) as pool:
            waiting = {pool.submit(self._one, request): place for place, request in enumerate(requests)}
            try:
                for done in as_completed(waiting):
                    outcomes[waiting[done]] = done.result()
                    if on_done is not None:
                        on_done(waiting[done], outcomes[waiting[done]])
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                hand_over({late: place for late, place in waiting.items() if place not in outcomes}, on_done)
                raise
        return [outcomes[place] for place in range(len(requests))]

    def estimate(self, requests: Iterable[Request]) -> Usage:
        """Return the cost at most, with nothing sent: cached replies, a guess of tokens, full-length answers."""
        total = Usage()
        for request in requests:
            total.requests += 1
            if self._cached(request_key(self.settings, request)) is not None:
                total.cached += 1
                continue
            total.prompt_tokens += sum(len(m["content"]) for m in request.messages) // TOKEN_CHARS
            total.completion_tokens += request.max_tokens
        total.cost = self._cost(total.prompt_tokens, total.completion_tokens)
        return total

    # ------------------------------------------------------------------------------------------ one request

    def _one(self, request: Request) -> Outcome:
        key = request_key(self.settings, request)
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
        """Try, wait, try again; the wait doubles, with some chance in it, unless the server says how long.

        A field that the server does not take is left out, or given its newer name, and the request sent at once again.
        """
        reason, attempt = "not sent", 0
        while attempt <= self.settings.retries and not self._stopped.is_set():
            wait = None
            form = dict(self._form)
            try:
                return read_reply(self._complete(request, form))
            except Refused as error:
                reason = self._plain(f"HTTP {error.status}: {error.said or 'it does not say why'}")
                if self._adapt(error, form):
                    continue
                if error.is_final:
                    where = f"{self.settings.base_url}, model {self.settings.model}: {reason}"
                    raise PolicyError(where + self._hint(error.status)) from None
                if error.status not in RETRIED:
                    return Failure(reason)
                wait = error.wait
            except Unusable as error:
                reason = self._plain(str(error))
                if not error.again:
                    return Failure(reason)
            attempt += 1
            if attempt <= self.settings.retries:
                self._count(retries=1)
                self._sleep(min(LONGEST_WAIT_S, wait or 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)))
        return Failure(f"{reason}, after {attempt} {'try' if attempt == 1 else 'tries'}", spent=True)

    def _adapt(self, error: Refused, form: Mapping[str, str | None]) -> bool:
        """Learn from a refusal how this server wants to be asked; return whether another form may be tried."""
        said = f"{error.said} {error.field}".lower()
        with self._lock:
            if self._form != form:
                return True  # another request has learned it meanwhile
            if error.status not in (400, 422):
                return False
            if "max_completion_tokens" in said and "max_tokens" not in form:
                self._form["max_tokens"] = "max_completion_tokens"
                return True
            named = [one for one in OPTIONAL if one not in form and re.search(rf"(?<![a-z_]){one}(?![a-z_])", said)]
            if not named or not UNKNOWN_FIELD.search(said):
                return False
            named = [one for one in OPTIONAL if one in named or ("logprobs" in one and "logprobs" in said)]
            self._form |= dict.fromkeys(named)
        told = f"{self.settings.base_url}, model {self.settings.model}: takes no {' and no '.join(named)}"
        print(f"note: {redact(told)}; it is asked without, and answers by its own default", file=sys.stderr)
        return True

    def _hint(self, status: int) -> str:
        """Say what is often forgotten of the address."""
        if status not in (404, 405) or re.search(r"/v\d", self.settings.base_url):
            return ""
        return f" (most servers answer below /v1: {redact(self.settings.base_url.rstrip('/'))}/v1)"

    def _complete(self, request: Request, form: Mapping[str, str | None]) -> JsonValue:
        """Return the reply's JSON. Raises Refused or Unusable.

        The client's own time-out is for each read: a body that drips, or never ends, would not meet it.
        """
        import openai

        fields = {
            **{"max_tokens": request.max_tokens, "temperature": request.temperature, "top_p": request.top_p},
            **({"seed": request.seed} if request.seed is not None else {}),
            **({"top_k": request.top_k} if request.top_k else {}),
            **({"repetition_penalty": request.repetition_penalty} if request.repetition_penalty is not None else {}),
            **({"logprobs": True, "top_logprobs": request.likeliest} if request.likeliest else {}),
        }
        asked = {form.get(name, name): value for name, value in fields.items()} | dict(self.settings.extra)
        asked.pop(None, None)
        try:
            with self._connected().chat.completions.with_streaming_response.create(
                model=self.settings.model,
                messages=sound([dict(message) for message in request.messages]),  # type: ignore[arg-type]
                extra_body=asked,
            ) as response:
                body = bounded(response.iter_bytes(), self.settings.timeout_s)
        except (Refused, Unusable):
            raise
        except openai.APITimeoutError:
            raise Unusable(f"no reply within {self.settings.timeout_s:g} s") from None
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, (Refused, Unusable)):  # older clients wrap what a hook raises
                raise error.__cause__ from None
            raise Unusable(f"no connection ({error.__cause__ or error})") from None
        except openai.APIStatusError as error:  # a redirection to nowhere
            raise Refused(error.status_code, {}, b"") from None
        except Exception as error:  # of the HTTP library below, which is not the same in every openai release
            if "Timeout" in type(error).__name__:
                raise Unusable(f"no reply within {self.settings.timeout_s:g} s") from None
            raise Unusable(f"no connection ({first_line(error)})") from None
        try:
            return sound(json.loads(body))
        except (ValueError, RecursionError):
            raise Unusable(f"the reply is not JSON{self._hint(404)}") from None

    def _connected(self) -> openai.OpenAI:
        with self._lock:
            if self._client is None:
                import openai

                self._client = openai.OpenAI(
                    base_url=self.settings.base_url,
                    api_key=os.environ.get(self.settings.key_env) or "none",
                    timeout=self.settings.timeout_s,
                    max_retries=0,  # ours count, wait and report
                    http_client=openai.DefaultHttpxClient(event_hooks={"response": [self._hear_refusal]}),
                )
            return self._client

    def _hear_refusal(self, response: _Response) -> None:
        """Raise a refusal with its own words: the client would read its body to an end that may never come."""
        if response.status_code >= 400:
            body = bounded(response.iter_bytes(), self.settings.timeout_s)
            raise Refused(response.status_code, response.headers, body)

    def _plain(self, text: str) -> str:
        """Return one line without secrets, such as the key, which some servers repeat in their complaint."""
        key, line = os.environ.get(self.settings.key_env, ""), " ".join(text.split())
        return redact(line.replace(key, "…") if key else line)[:300]

    def _count(self, **more: float) -> None:
        with self._lock:
            for name, amount in more.items():
                setattr(self.usage, name, getattr(self.usage, name) + amount)

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.settings.price_in + completion_tokens * self.settings.price_out) / 1e6

    # ------------------------------------------------------------------------------------------ the cache

    def _path(self, key: str) -> Path | None:
        return self.settings.cache / key[:2] / f"{key}.json" if self.settings.cache else None

    def _cached(self, key: str) -> EndpointReply | None:
        """Return the kept reply; a file that is not whole counts as none."""
        try:
            return read_kept(json.loads(path.read_bytes())) if (path := self._path(key)) else None
        except (OSError, ValueError, RecursionError):
            return None

    def _keep(self, key: str, answered: EndpointReply) -> None:
        """Write it beside and rename, so that a reader never sees half a file; a full or closed place is told once."""
        if (path := self._path(key)) is None or not self._keeps:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
            scratch.write_text(json.dumps(asdict(answered)), encoding="utf-8")
            scratch.replace(path)
        except OSError as error:  # what was paid for goes on to whoever asked
            with self._lock:
                told, self._keeps = not self._keeps, False
            if not told:
                where = f"{self.settings.cache} cannot be written ({error.strerror})"
                print(f"note: {where}: replies are not kept for another time", file=sys.stderr)


def request_key(settings: EndpointSettings, request: Request) -> str:
    """Return a digest of everything the reply to a request depends on."""
    parts = {
        "version": CACHE_VERSION,
        "base_url": settings.base_url.rstrip("/"),
        "model": settings.model,
        "extra": dict(settings.extra),
        **{name: value for name, value in asdict(request).items() if name not in ADDED or ADDED[name] != value},
    }
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hand_over(late: Mapping[Future[Outcome], int], on_done: Callable[[int, Outcome], None] | None) -> None:
    """Hand on the replies that came after an error: they were paid for. late: each with its request's place."""
    for future, place in late.items():
        if on_done is None or future.cancelled() or future.exception() is not None:
            continue
        if isinstance(reply := future.result(), EndpointReply):
            with contextlib.suppress(Exception):  # the error before is the one to tell
                on_done(place, reply)


class _Response(Protocol):
    """What is used of the HTTP library's response, which is not of the same library in every openai release."""

    status_code: int
    headers: Mapping[str, str]

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the body."""
