"""Traces for tests: plausible ones, and any that the store may hold by hypothesis."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from hypothesis import strategies as st

from socialr1_lite.rollouts.trace import Trace

WEIGHTS = {"format": 0.2, "outcome": 1.0, "structure": 0.5, "content": 0.5, "length": 0.2}
STAGES = ("cue_encoding", "cue_interpretation", "goal_clarification", "response_generation")


def trace(step: int = 0, group: int = 0, index: int = 0, **changes: Any) -> Trace:
    """One trace as training hands it to the writer: right, well formed, total 1.8 at tau 1 unless changed."""
    row: dict[str, Any] = {
        "phase": "train",
        "step": step,
        "scenario": f"stories/{group}",
        "group": group,
        "index": index,
        "prompt": [{"role": "user", "content": "Where will Anna look?"}],
        "completion": f"<think>step {step} group {group} index {index}</think><answer>A</answer>",
        "prefilled": False,
        "tokens": 100,
        "finish": "stop",
        "components": {"format": 1.0, "outcome": 1.0, "structure": 0.8, "content": 0.8, "length": 1.0},
        "parts": {"structure.coverage": 1.0, "structure.independence": 1.0},
        "weights": WEIGHTS,
        "mode": "gated",
        "tau": 1.0,
        "advantage": 0.0,
        "outcome": "right",
        "answer": 0,
        "notes": [],
    }
    return Trace.from_row(row | changes)


share = st.floats(0, 1, allow_nan=False, width=32)
maybe = st.one_of(st.none(), share)


def runs(most: int) -> st.SearchStrategy[list[Trace]]:
    """Traces of one run: no two of them are the same completion."""
    place = attrgetter("phase", "benchmark", "step", "group", "index")
    return st.lists(traces(), min_size=1, max_size=most, unique_by=place)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """A trace from few enough values that filters and groups hit."""
    group = draw(st.integers(0, 3))
    return trace(
        step=draw(st.integers(0, 4)),
        group=group,
        index=draw(st.integers(0, 3)),
        phase=draw(st.sampled_from(["train", "train", "eval"])),
        benchmark=draw(st.sampled_from(["", "heldout"])),
        tokens=draw(st.integers(0, 5)) * 50,
        finish=draw(st.sampled_from(["stop", "length"])),
        components={"format": draw(st.sampled_from([0.0, 1.0])), "outcome": draw(share), "content": draw(maybe)},
        parts={"structure.independence": draw(st.sampled_from([None, 0.5, 1.0]))},
        tau=draw(st.sampled_from([0.2, 1.0])),
        advantage=draw(st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5]))),
        outcome=draw(st.sampled_from(["right", "wrong", "unreadable", "failed", "unknown"])),
        completion=draw(st.sampled_from(["the red ball", "a Ball, red", "nothing", "红球在盒子里", 'say "red" twice'])),
    )
