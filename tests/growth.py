"""Whether long hostile text is read at all: a walk over it that is quadratic would go on for minutes or hours."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

LONG = 1_000_000  # characters; what is linear takes about a second, what is quadratic 10,000 times what 10,000 take
HANGS_S = 60  # processor seconds, so that a busy machine changes nothing


@contextmanager
def no_hang() -> Iterator[None]:
    """Fail what has used a minute of the processor, which nothing linear comes near; no time is compared."""

    def give_up(signum: int, frame: FrameType | None) -> None:
        pytest.fail(f"still reading after {HANGS_S} s of the processor")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, HANGS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def long(unit: str, characters: int = LONG) -> str:
    """Return a unit over and over."""
    return unit * (characters // len(unit))
