"""The curriculum: outcome first, the process terms grow in."""

from __future__ import annotations


def tau(step: int, max_steps: int, *, tau0: float = 0.2, p0: float = 0.1, p1: float = 0.6) -> float:
    """The weight of structure and content at an optimizer step, in [0, 1].

    The idea (outcome first, process weight grows later) is the paper's [paper]; this schedule and its constants are
    [ours]: `tau0` while p = step / max_steps <= p0, then linear up to 1 at p1, then 1. A function of the optimizer
    step alone, so a resumed run goes on with the same value. max_steps 0 (evaluation, scoring): 1.

    Raises ValueError unless 0 <= tau0 <= 1, 0 <= p0 <= p1 <= 1 and both counts are at least 0.
    """
    if not (0.0 <= tau0 <= 1.0 and 0.0 <= p0 <= p1 <= 1.0):
        raise ValueError(f"curriculum: need 0 <= tau0 <= 1 and 0 <= p0 <= p1 <= 1, got tau0={tau0}, p0={p0}, p1={p1}")
    if step < 0 or max_steps < 0:
        raise ValueError(f"curriculum: step {step} and max_steps {max_steps} must be at least 0")
    if max_steps == 0:
        return 1.0
    progress = step / max_steps
    if progress <= p0:
        return tau0
    if progress >= p1:
        return 1.0
    return tau0 + (1.0 - tau0) * (progress - p0) / (p1 - p0)
