"""Pairs that several tests look at, made once, and a row as anybody may write it."""

from __future__ import annotations

from functools import cache
from typing import Any

from socialr1_lite.pairs import Pair, make_pairs

ROW: dict[str, Any] = {
    "scenario": {"story": "Mara left.", "question": "Who left?", "options": ["Mara", "Tomas"], "gold": "A"},
    "stage": "cue_encoding",
    "chosen": "Mara left.",
    "rejected": "Tomas left.",
}


@cache
def pairs() -> tuple[Pair, ...]:
    return tuple(make_pairs(3000))


def by_kind(kind: str) -> list[Pair]:
    return [pair for pair in pairs() if pair.kind == kind]
