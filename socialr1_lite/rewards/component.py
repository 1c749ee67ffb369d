"""What every component returns: a number, the parts it was made of, and why in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Component(NamedTuple):
    """One component of one reply.

    value: in [0, 1], or None where there was nothing to score it by (which is not 0). parts: the factors or terms
    behind the value, each in [0, 1] or None. notes: one plain sentence for each thing that cost something, with
    the numbers; empty when nothing did.
    """

    value: float | None
    parts: Mapping[str, float | None] = MappingProxyType({})
    notes: tuple[str, ...] = ()


def shorten(text: str, limit: int = 60) -> str:
    """`text` on one line, cut to `limit` characters: notes quote replies, and replies can be a megabyte."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
