"""What a server sent back for a chat completion: the reply in it, or why there is none, in the server's own words.

Also what a reply says once the model's thinking is left out, and the JSON that it was asked to write, in the forms that
real models give both.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from socialr1_lite.scenario import JsonValue, sound

FATAL = frozenset({401, 402, 403, 404, 405})  # key, credit, rights, address or model: the next one would fail alike
NO_CREDIT = re.compile(
    r"insufficient[ _](?:credit|quota|balance|funds)|credit balance is too low|billing[ _](?:hard|not)|out of credit"
)
LARGEST_BODY = 32 << 20  # bytes; a longer one is no chat completion [ours]
REPAIRED = 20_000  # characters in which JSON is repaired: the search is slow in longer ones [ours]
ROUNDED = 1e-3  # how far above 0 rounding may bring a log-probability; NaN is not below it either [ours]
CUT_OFF = ("length", "max_tokens", "model_length", "MAX_TOKENS")


@dataclass(frozen=True, slots=True)
class EndpointReply:
    """A reply. finish: "stop" or "length". tokens as the server counted them. cached: it cost nothing this time.

    reasoning: what the server gave apart from the text. first: tokens that could have stood first, with their
    log-probabilities, where they were asked for and given.
    """

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    cached: bool = False
    reasoning: str = ""
    first: Sequence[tuple[str, float]] = ()


def read_kept(stored: JsonValue) -> EndpointReply | None:
    """Read a reply that was kept as JSON; None where it is not of the form of one, whatever was done to the file."""
    if not isinstance(stored, dict):
        return None
    first = stored.get("first", [])
    whole = [stored.get(name) for name in ("prompt_tokens", "completion_tokens")]
    texts = [stored.get("text"), stored.get("reasoning", "")]
    if not all(type(one) is int for one in whole) or not all(isinstance(one, str) for one in texts):
        return None
    if stored.get("finish") not in ("stop", "length") or not isinstance(first, list):
        return None
    try:
        likeliest = tuple((str(one[0]), float(one[1])) for one in first)  # type: ignore[index,arg-type]
        return EndpointReply(**(stored | {"cached": True, "first": likeliest}))  # type: ignore[arg-type]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return None


def read_reply(content: JsonValue) -> EndpointReply:
    """Read a chat completion. Raises Refused for an error that came with status 200, Unusable for none."""
    if not isinstance(content, dict):
        raise Unusable("the reply is not a JSON object")
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    named = content if content.get("object") == "error" else content.get("error")
    if error := named or (choice.get("error") if isinstance(choice, dict) else None):
        raise Refused(_status(error), {}, json.dumps({"error": error}).encode())
    if choice is None:
        raise Unusable("the reply has no choices")
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise Unusable("the reply is not a chat completion")
    finish, usage = choice.get("finish_reason"), content.get("usage")
    text, thought = _parts(message.get("content"))
    if finish == "content_filter":
        raise Unusable("the server's content filter kept the reply back (finish reason content_filter)", again=False)
    text = _parts(message.get("refusal"))[0] if text is None else text
    # Reasoning servers may cut a thought off before any content: that is an empty reply, not a broken one.
    if text is None and finish not in ("stop", *CUT_OFF):
        raise Unusable(f"the reply has no content (finish reason {str(finish)[:40]})")
    apart = (_parts(message.get(name))[0] for name in ("reasoning_content", "reasoning", "thinking"))
    return EndpointReply(
        text=text or "",
        finish="length" if finish in CUT_OFF else "stop",
        prompt_tokens=_count_of(usage, "prompt_tokens"),
        completion_tokens=_count_of(usage, "completion_tokens"),
        reasoning=next(filter(None, apart), thought),
        first=_first(choice),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply says, its thinking left out. unfinished: the thinking was never closed, so it says nothing."""

    text: str
    unfinished: bool = False


# Qwen, DeepSeek and most others, Seed-OSS; Magistral; Kimi; OpenThinker; Command A; MedGemma; Gemma. A group that holds
# anything closes. ASCII: a Kelvin sign is no k.
_THINKING = re.compile(
    r"< ?(/?) ?(?i:(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|analysis|scratchpad))(?:\s+[\w-]+=[^<>]*)?\s*>"
    r"|\[(/?)THINK\]|◁(/?)think▷|<\|(?:begin|(end))_of_thought\|>|<\|(?:START|(END))_THINKING\|>"
    r"|<unused94>|<(unused95)>|<\|channel>thought|<(channel)\|>",
    re.ASCII,
)
_SPOKEN = re.compile(
    r"\A\s*Here(?: is|'s) my thought process:(?:.*?\n\s*Here(?: is|'s) my (response):)?", re.DOTALL
)  # Granite
_TOKEN = re.compile(r"<\|/?\w+\|>")  # of a chat template, left in a text
_ANSWER = re.compile(r"<(/?)answer>", re.IGNORECASE | re.ASCII)
# gpt-oss: with its special tokens, and as they are left when those are taken out.
_CHANNEL = re.compile(r"\A(?:(?:<\|start\|>assistant)?<\|channel\|>|analysis(?=[A-Z]))")
_FINAL = re.compile(r"(?:<\|channel\|>|assistant)final(?:<\|message\|>)?")


def without_thinking(text: str, *, prefilled: bool = False, apart: str = "") -> Said:
    """Take a model's thinking out of a reply: what follows its last closed block, else what stands around the blocks.

    prefilled: the prompt had opened the block, so the text starts inside. apart: thinking that the server gave apart;
    then the text holds none. A closing tag alone shows that the prompt had opened the block. A block that nothing
    closes holds no answer, unless a whole answer block stands in it (as `sip.parse` reads it).
    """
    if apart.strip():
        return Said(text, not text.strip())
    if _CHANNEL.match(text):
        *_, final = [None, *_FINAL.finditer(text)]
        return Said(_TOKEN.sub("", text[final.end() :]).strip()) if final else Said("", True)
    if spoken := _SPOKEN.match(text):
        return Said(text[spoken.end() :].strip() if spoken[1] else "", not spoken[1])
    pieces, start, opened, seen = list[str](), 0, prefilled, prefilled
    for tag in _THINKING.finditer(text):
        seen = True
        if any(tag.groups()):
            pieces = pieces if opened else []
            opened, start = False, tag.end()
        elif not opened:
            pieces.append(text[start : tag.start()])
            opened, start = True, tag.end()
    if not seen:
        return Said(text)
    if opened:
        tags = [*_ANSWER.finditer(text, start)]
        answered = bool(tags) and not tags[0][1] and any(tag[1] for tag in tags)
        return Said(text[tags[0].start() :] if answered else "", not answered)
    return Said(_TOKEN.sub("", text[start:]).strip() or "\n".join(pieces).strip())


def first_tag(text: str) -> Literal["opens", "closes", ""]:
    """Tell what the first tag of thinking does; "" where there is none. What it closes, the prompt had opened."""
    tag = _THINKING.search(text)
    return "" if tag is None else "closes" if any(tag.groups()) else "opens"


def json_objects(text: str) -> Iterator[dict[str, JsonValue]]:
    """Yield the outermost JSON objects in a text, in order: as they are written, then what repairing can make of it.

    A line break inside a string is read as one. Repaired is a trailing comma, a quotation mark of another kind and the
    like; never what was cut off in the middle, or has a key twice in one object: neither of the two counts.
    """
    decoder, end = json.JSONDecoder(object_pairs_hook=_once, strict=False), 0
    for _ in range(200):  # an answer of braces alone must not cost a square of its length
        if (at := text.find("{", end)) < 0:
            break
        try:
            found, end = decoder.raw_decode(text, at)
            yield found
        except (ValueError, RecursionError):
            end = at + 1
    text = text.rpartition("</think>")[2]
    held, _, rest = text[text.find("{") :].rpartition("}")
    if not held or len(held) > REPAIRED or re.search(r"[\"{:\[]", rest):
        return
    from json_repair import repair_json

    try:
        made = repair_json(held + "}", return_objects=True)
    except Exception:  # whatever it stumbles over: then there is no object
        return
    kept = Counter(_keys(made))
    if all(len(re.findall(rf"(?<!\w){re.escape(key)}[\"'”’]?\s*:", held)) <= n for key, n in kept.items()):
        yield from (one for one in (made if isinstance(made, list) else [made]) if isinstance(one, dict))


def _keys(value: JsonValue) -> Iterator[str]:
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(one)
    yield from value if isinstance(value, dict) else ()


def _once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def whole_number(value: JsonValue) -> JsonValue:
    """Return 8 for 8.0, "8", "8.0" and "8/10"; anything else as it is."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([+-]?\d{1,4})(?:\.0+)?\s*(?:/\s*10\s*)?", value)):
        return int(found[1])
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Unusable(Exception):
    """No reply, or one that came, but not in the form of one. again: whether another try may bring a better one."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.again = again


class Refused(Exception):
    """A refusal: its HTTP status, what the server says, the field that it names, how long it wants us to wait."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status, self.wait = status, _requested_wait(headers)
        try:
            told = sound(json.loads(body))
            said = _said(told)
        except (ValueError, RecursionError):
            told, text = None, body[:100_000].decode("utf-8", "replace")
            said = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
        self.said = " ".join(said.split())[:600]
        error = told.get("error") if isinstance(told, dict) else None
        facts = {str(name): str(one).lower() for name, one in error.items()} if isinstance(error, dict) else {}
        self.field = facts.get("param", "")
        about = f"{facts.get('code')} {facts.get('type')} {self.said}".lower()
        self.is_final = status in FATAL or bool(NO_CREDIT.search(about))


def _status(error: JsonValue) -> int:
    """Return the HTTP status that an error would have had which came with 200; 500 where it does not tell."""
    facts = error if isinstance(error, dict) else {}
    code = str(facts.get("code"))
    if re.fullmatch(r"[45]\d\d", code):
        return int(code)
    return 400 if "invalid" in str(facts.get("type")).lower() else 500


def _said(told: JsonValue) -> str:
    """Return a server's own words in a refusal: OpenAI's form, FastAPI's, or whatever text there is."""
    if isinstance(told, str):
        return told
    if isinstance(told, list):
        return "; ".join(filter(None, map(_said, told[:3])))
    if not isinstance(told, dict):
        return ""
    where = ".".join(str(one) for one in loc if one != "body") if isinstance(loc := told.get("loc"), list) else ""
    for name in ("error", "message", "msg", "detail", "errors", "title", "raw", "code"):
        if words := _said(told.get(name)):
            return f"{where}: {words}" if where else words
    return ""


def bounded(pieces: Iterator[bytes], seconds: float) -> bytes:
    """Return a body. Raises Unusable for one that takes longer or is larger than any reply."""
    deadline, body = time.monotonic() + seconds, bytearray()
    for piece in pieces:
        body += piece
        if time.monotonic() > deadline:
            raise Unusable(f"no reply within {seconds:g} s")
        if len(body) > LARGEST_BODY:
            raise Unusable(f"the reply is larger than {LARGEST_BODY >> 20} MB", again=False)
    return bytes(body)


def _parts(content: JsonValue) -> tuple[str | None, str]:
    """Return text and thought of a message's content, a text or a list of typed parts; (None, "") where it is none."""
    if content is None or isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        raise Unusable("the reply's content is not text")
    text, thought = "", ""
    for part in content:
        held = part if isinstance(part, dict) else {"text": part}
        if isinstance(inner := held.get("thinking"), (str, list)):
            thought += _parts(inner)[0] or ""
        elif isinstance(inner := held.get("text"), str):
            text += inner
    return text, thought


def _count_of(usage: JsonValue, name: str) -> int:
    """Return a number of tokens; 0 where the server gives none that is one."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return int(count) if isinstance(count, (int, float)) and 0 <= count < 1 << 40 else 0


def _first(choice: Mapping[str, JsonValue]) -> tuple[tuple[str, float], ...]:
    """Return the tokens that could have stood first; none where the server names none."""
    try:
        likeliest = choice["logprobs"]["content"][0]["top_logprobs"]  # type: ignore[index,call-overload]
        first = tuple((str(one["token"]), float(one["logprob"])) for one in likeliest)  # type: ignore[index,union-attr,call-overload,arg-type]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return ()
    return first if all(logprob <= ROUNDED for _, logprob in first) else ()


def _requested_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asked us to wait (Retry-After: seconds, or a date), if it did."""
    given = headers.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(given)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
