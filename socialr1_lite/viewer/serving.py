"""Between the page and Python: every argument is checked, every answer is JSON, no mistake shows a traceback.

A page function takes `Query` (the checked arguments) and returns JSON-ready data. The page gets it as JSON *text*, so
that nothing between here and the page looks into it.
"""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable
from typing import Any

from socialr1_lite.errors import SocialR1Error
from socialr1_lite.redaction import redact_tree
from socialr1_lite.scenario import JsonValue as JsonValue
from socialr1_lite.viewer.library import Indexing

MAX_TEXT = 4000  # characters of any short argument (ids, names, searches)

Json = dict[str, Any]  # an answer to the page, or a part of one: whatever JSON can hold
Page = Callable[["Query"], Json]


class BadRequest(SocialR1Error, ValueError):
    """The page, or whoever speaks in its place, asked for something that is not there to be asked."""


class Query:
    """The arguments of one call. Each is read once, by name and type; what nobody reads is refused by `done`."""

    def __init__(self, arguments: JsonValue) -> None:
        """Take the JSON value that the page sent."""
        if not isinstance(arguments, dict):
            raise BadRequest("arguments must be an object")
        self._rest = dict(arguments)

    def text(self, name: str, default: str = "", *, limit: int = MAX_TEXT) -> str:
        """Read a string of at most `limit` characters."""
        value = self._rest.pop(name, default)
        if not isinstance(value, str) or len(value) > limit:
            raise BadRequest(f"{name} must be text of at most {limit} characters")
        return value

    def has(self, name: str) -> bool:
        """Return whether it was given and nobody has read it yet."""
        return name in self._rest

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Read a whole number in [low, high]; digits in a string count, for they come from the address bar."""
        value = self._rest.pop(name, None)
        if value in (None, ""):
            return default
        if isinstance(value, str) and len(value) < 20 and value.lstrip("-").isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise BadRequest(f"{name} must be a whole number from {low} to {high}")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Read a finite number in [low, high]."""
        value = self._rest.pop(name, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise BadRequest(f"{name} must be a number from {low:g} to {high:g}")
        return float(value)

    def decimal(self, name: str) -> float | None:
        """Read a finite number, also as text from the address bar; None where there is none."""
        value = self._rest.pop(name, None)
        if value in (None, ""):
            return None
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        if not abs(number) <= 1e15:
            raise BadRequest(f"{name} must be a number")
        return number

    def choice(self, name: str, allowed: tuple[str, ...], default: str = "") -> str:
        """Read one of the allowed words."""
        value = self.text(name) or default
        if value != default and value not in allowed:
            raise BadRequest(f"{name} must be one of {', '.join(allowed)}")
        return value

    def texts(self, name: str, *, most: int, limit: int = MAX_TEXT) -> list[str]:
        """Read a list of at most `most` strings."""
        value = self._rest.pop(name, [])
        texts = [one for one in value if isinstance(one, str) and len(one) <= limit] if isinstance(value, list) else []
        if not isinstance(value, list) or not len(texts) == len(value) <= most:
            raise BadRequest(f"{name} must be at most {most} texts of at most {limit} characters")
        return texts

    def done(self) -> None:
        """Refuse what nobody asked about: a misspelt filter would silently show everything."""
        if self._rest:
            raise BadRequest(f"unknown argument {sorted(map(str, self._rest))[0][:60]!r}")


def served(name: str, page: Page) -> Callable[[JsonValue], str]:
    """Make a function for gradio's `server_functions`: JSON value in, JSON text out, errors as {"error": one line}."""

    def answer(arguments: JsonValue) -> str:
        try:
            return encode(page(Query(arguments)))
        except Indexing as busy:
            return encode({"indexing": {"done": busy.done, "size": busy.size}})
        except SocialR1Error as error:
            return encode({"error": str(error)})
        except FileNotFoundError as gone:
            return encode({"error": f"A file of this run is gone ({gone.filename}). Was the run moved or deleted?"})
        except OSError as error:  # such as a folder in a file's place
            return encode({"error": f"{error.filename} cannot be read ({error.strerror})"})
        except Exception:  # a bug of ours: the terminal gets the traceback, the page a sentence
            traceback.print_exc()
            return encode({"error": "The viewer made a mistake here; the terminal it runs in says more."})

    answer.__name__ = name
    return answer


def encode(value: JsonValue) -> str:
    """Return JSON text without NaN and secrets, in ASCII: a lone surrogate in a model's text must not break it."""
    shown = redact_tree(_finite(value))
    if isinstance(value, dict) and isinstance(shown, dict) and "content" in value:
        shown["content"] = value["content"]  # a file in base64
    return json.dumps(shown, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _finite(value: JsonValue) -> JsonValue:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
