"""The efficiency gate: neither too short nor too long, and no going round in circles."""

from __future__ import annotations

import math

from socialr1_lite.rewards.component import Component
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply
from socialr1_lite.sip.words import words


def length(
    reply: Reply,
    scenario: Scenario,
    *,
    tokens: int,
    min_tokens: int = 40,
    max_tokens: int = 400,
    k: float = 50.0,
    ngram: int = 4,
    tolerance: float = 0.1,
) -> Component:
    """R_len = window(L) * (1 - repetition), in [0, 1].

    A length window and a repetition penalty are the paper's [paper]; the sigmoid form is quoted by a third party
    [2nd]; the constants are [ours]. tokens: L, the completion's length in the policy's own tokens.
    """
    inside = window(tokens, min_tokens=min_tokens, max_tokens=max_tokens, k=k)
    repeated = repetition(reply.text, ngram=ngram, tolerance=tolerance)
    notes = []
    if inside < 0.995:  # what a reader would see as below 1.00
        edge = "short" if 2 * tokens < min_tokens + max_tokens else "long"
        notes.append(f"length {inside:.2f}: {tokens} tokens is {edge} for the window {min_tokens} to {max_tokens}")
    if repeated > 0.0:
        notes.append(f"repetition {repeated:.2f}: more than {tolerance:.0%} of the {ngram}-word sequences came before")
    parts = {"length.window": inside, "length.repetition": repeated}
    return Component(inside * (1.0 - repeated), parts, tuple(notes))


def window(tokens: int, *, min_tokens: int = 40, max_tokens: int = 400, k: float = 50.0) -> float:
    """sigma(k (L - min)/(max - min)) * (1 - sigma(k (L - max)/(max - min))) [2nd], in [0, 1].

    One half at both edges, so `min_tokens` and `max_tokens` are the half-height points. Far outside, it underflows
    to 0 and never overflows. Raises ValueError unless min_tokens < max_tokens.
    """
    if min_tokens >= max_tokens:
        raise ValueError(f"length window: min_tokens {min_tokens} must be below max_tokens {max_tokens}")
    width = max_tokens - min_tokens
    return _sigmoid(k * ((tokens - min_tokens) / width)) * _sigmoid(k * ((max_tokens - tokens) / width))


def repetition(text: str, *, ngram: int = 4, tolerance: float = 0.1) -> float:
    """max(0, dup - tolerance)/(1 - tolerance), dup = share of word n-grams that occurred before, in [0, 1] [ours].

    Words are compared without case or punctuation. Fewer than `ngram` words: 0. tolerance in [0, 1).
    """
    said = words(text)
    total = len(said) - ngram + 1
    if total <= 0:
        return 0.0
    distinct = len(set(zip(*(said[shift:] for shift in range(ngram)), strict=False)))
    return max(0.0, (total - distinct) / total - tolerance) / (1.0 - tolerance)


def _sigmoid(x: float) -> float:
    """The logistic function, for any finite x: exp never sees a large positive argument."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0.0 else math.exp(x) / (1.0 + math.exp(x))
