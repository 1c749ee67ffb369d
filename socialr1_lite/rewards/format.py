"""The format gate: does the completion keep to the output contract?"""

from __future__ import annotations

from socialr1_lite.rewards.component import Component
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply

MODES = ("strict", "graded")


def format(reply: Reply, scenario: Scenario, *, mode: str = "strict") -> Component:
    """Return R_fmt [card, paper]: 1 when every format check of `sip.parse` holds, else 0.

    mode "graded" [ours] gives the share of the checks that hold: a model that never meets the strict gate has groups
    without variance and learns nothing. Range: {0, 1} strict, [0, 1] graded. Raises ValueError for another mode.
    """
    if mode not in MODES:
        raise ValueError(f"format mode {mode!r} is none of {', '.join(MODES)}")
    failed = [name for name, held in reply.checks.items() if not held]
    if not failed:
        return Component(1.0)
    share = 1.0 - len(failed) / len(reply.checks)
    note = f"format: {len(failed)} of {len(reply.checks)} checks failed ({', '.join(failed)})"
    return Component(share if mode == "graded" else 0.0, notes=(note,))
