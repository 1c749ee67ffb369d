"""The story engine's own held-out split: people, things and rooms that no training story has.

Accuracy by dimension, order and shortcut taken; and over twins: a pair counts when the story *and* its
minimally edited counterfactual are both right, which no answer read off the surface achieves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.benchmarks.base import (
    Answer,
    Benchmark,
    Item,
    Loaded,
    Permission,
    Scores,
    by_label,
    joined,
    right_units,
)
from socialr1_lite.statistics import Tally, Unit

COUNT = 480
SEED = 20260
ORDERS = (0, 1, 2)


def load(folder: Path | None = None) -> Loaded:
    """Generate the same questions on every machine; `folder` plays no part."""
    from socialr1_lite.stories import DIMENSIONS, generate  # an engine to load, not a record

    made = generate(COUNT, seed=SEED, dimensions=tuple(DIMENSIONS), orders=ORDERS, split="test")
    items = tuple(Item(scenario, joint=joint(scenario.id, scenario.twins)) for scenario in made)
    return Loaded(items, (), (f"stories: {len(items)} questions of the held-out split, seed {SEED}",))


def joint(name: str, twins: Sequence[str]) -> str:
    """Return one name for a scenario and its twins ("" without twins)."""
    return min(name, *twins) if twins else ""


def score(answers: Sequence[Answer]) -> Scores:
    """Score accuracy, by dimension and order; twin accuracy.

    How often each named shortcut was taken instead of gold.
    """
    units = [
        Unit(u.key, u.cluster, u.value, {**u.labels, "dimension": a.item.scenario.dimension})
        for u, a in zip(right_units(answers, "order", "template"), answers, strict=True)
    ]
    if not units:
        return Scores({}, {})
    metrics = {"accuracy": Tally(tuple(units))}
    if pairs := _twins(answers):
        metrics["twin accuracy"] = Tally(tuple(pairs))
    names = sorted({name for a in answers for name in a.item.scenario.shortcuts if name})
    for name in names:
        metrics[f"took shortcut: {name}"] = Tally(tuple(_taken(answers, name)), official=False)
    groups = {name: by_label(units, name) for name in ("dimension", "order", "template")}
    return Scores(metrics, {name: part for name, part in groups.items() if part})


def _twins(answers: Sequence[Answer]) -> list[Unit]:
    return [
        Unit(f"{name}#{sample}", pair[0].item.scenario.group or name, float(all(a.right for a in pair)))
        for (name, _, sample), pair in joined(answers).items()
        if len(pair) > 1
    ]


def _taken(answers: Sequence[Answer], name: str) -> list[Unit]:
    """Count, among questions that offer the shortcut, the replies that took it."""
    offered = [a for a in answers if name in a.item.scenario.shortcuts]
    return [
        Unit(
            f"{a.item.scenario.id}#{a.sample}",
            a.item.scenario.group or a.item.scenario.id,
            float(a.reading.choice is not None and a.item.scenario.shortcuts[a.reading.choice] == name),
        )
        for a in offered
    ]


BENCHMARK = Benchmark(
    name="stories",
    title="Stories, held out",
    source="socialr1_lite.stories (generated)",
    licence="that of this project",
    training={
        "train": Permission(True, "(generated for training)"),
        "test": Permission(False, "(this project's own held-out split)"),
    },
    rows={"test": COUNT},
    load=load,
    score=score,
    generated=True,
)
