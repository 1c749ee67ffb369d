"""The story engine's own held-out split: people, things and rooms that no training story has.

Accuracy by dimension, order and shortcut taken; and over twins: a pair counts when the story *and* its
minimally edited counterfactual are both right, which no answer read off the surface achieves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.statistics import Tally, Unit

COUNT = 480
SEED = 20260
ORDERS = (0, 1, 2)


def load(folder: Path | None = None) -> base.Loaded:
    """Generate the same questions on every machine; `folder` plays no part."""
    from socialr1_lite.stories import DIMENSIONS, generate  # an engine to load, not a record

    made = generate(COUNT, seed=SEED, dimensions=tuple(DIMENSIONS), orders=ORDERS, split="test")
    items = tuple(base.Item(scenario, joint=joint(scenario.id, scenario.twins)) for scenario in made)
    return base.Loaded(items, (), (f"stories: {len(items)} questions of the held-out split, seed {SEED}",))


def joint(name: str, twins: Sequence[str]) -> str:
    """Return one name for a scenario and its twins ("" without twins)."""
    return min(name, *twins) if twins else ""


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score accuracy, by dimension, order and template; twin accuracy; how often an offered shortcut was taken."""
    units = [
        replace(unit, labels={**unit.labels, "dimension": answer.item.scenario.dimension})
        for unit, answer in zip(base.right_units(answers, "order", "template"), answers, strict=True)
    ]
    metrics = {"accuracy": Tally(tuple(units)), "twin accuracy": Tally(tuple(base.joint_units(answers, least=2)))}
    taken: dict[str, list[Unit]] = {}
    for answer in answers:
        offered, choice = answer.item.scenario.shortcuts, answer.reading.choice
        for name in {*offered} - {""}:
            took = choice is not None and offered[choice] == name
            taken.setdefault(name, []).append(base.unit(answer, float(took)))
    for name in sorted(taken):
        metrics[f"took shortcut: {name}"] = Tally(tuple(taken[name]), official=False)
    groups = {name: base.by_label(units, name) for name in ("dimension", "order", "template")}
    return base.tallied(metrics, {name: part for name, part in groups.items() if part})


BENCHMARK = base.Benchmark(
    name="stories",
    title="Stories, held out",
    source="socialr1_lite.stories (generated)",
    licence="that of this project",
    training={
        "train": base.Permission(True, "(generated for training)"),
        "test": base.Permission(False, "(this project's own held-out split)"),
    },
    load=load,
    score=score,
    generated=True,
)
