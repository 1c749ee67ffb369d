"""One completion: what a model, an endpoint or a file gave in reply to one prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from socialr1_lite.redaction import redact

Finish = Literal["stop", "length", "failed"]
FINISHES: tuple[Finish, ...] = get_args(Finish)


@dataclass(frozen=True, slots=True)
class Completion:
    """What was generated for one prompt, before anything is read in it.

    text: the generated text without special tokens. tokens: its length in tokens, the end token included. finish:
    "stop" (ended by itself), "length" (cut off at the token limit) or "failed" (a request got no reply: there is no
    text). prefilled: the prompt had opened the think block already. error: why it failed, in one line; "" else.
    reasoning: the reasoning that a server gave apart from the text.
    """

    text: str
    tokens: int
    finish: Finish = "stop"
    prefilled: bool = False
    error: str = ""
    reasoning: str = ""

    @classmethod
    def failure(cls, error: str) -> Completion:
        """Return the completion of a request that got no reply; a secret in the error, such as a key, is hidden."""
        return cls("", 0, "failed", error=redact(error))

    @property
    def truncated(self) -> bool:
        """Whether the token limit cut it off."""
        return self.finish == "length"

    @property
    def failed(self) -> bool:
        """Whether there is nothing to read."""
        return self.finish == "failed"
