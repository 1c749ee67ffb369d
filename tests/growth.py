"""Whether reading a text takes time in keeping with its length: what a quadratic walk over hostile text would fail."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def in_keeping(work: Callable[[str], object], texts: Callable[[int], str], small: int = 10_000, tries: int = 8) -> bool:
    """Whether work on a text eight times as long took at most 24 times the processor time (quadratic takes 64).

    One of several measurements is enough: a busy machine makes a good one look bad. That a slow start does not make a
    bad one look good, the short text counts with the best of three.
    """

    def seconds(text: str) -> float:
        gc.disable()  # what other tests left behind is walked again and again while a long text is read
        try:
            start = time.process_time()
            work(text)
            return time.process_time() - start
        finally:
            gc.enable()

    def once(number: int) -> bool:  # every time another text: one that was read before may be remembered
        short = min(seconds(f"{texts(small)} {number} {again}") for again in range(3))
        return seconds(f"{texts(8 * small)} {number}") < 24 * max(short, 0.0005)

    return any(map(once, range(tries)))
