"""Is a right answer understanding? Right on a scenario *and* its twin, and the same choice in any order of options.

Pure functions over answers: `answers` maps a scenario's id to the index of the option that was answered, None for an
unreadable reply; scenarios without an entry are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from socialr1_lite.scenario import Scenario
from socialr1_lite.stories.base import Rng

Answers = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `n`; value is None where there is nothing to count."""

    right: int
    n: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]."""
        return self.right / self.n if self.n else None


def accuracy(scenarios: Iterable[Scenario], answers: Answers) -> Share:
    """Right answers, one scenario at a time."""
    told = [scenario for scenario in scenarios if scenario.id in answers]
    return Share(sum(answers[scenario.id] in scenario.gold for scenario in told), len(told))


def twin_accuracy(scenarios: Iterable[Scenario], answers: Answers) -> Share:
    """Families of which every answered member is right. A family counts with at least two answered members."""
    families = _families(scenarios, answers)
    return Share(sum(all(answers[s.id] in s.gold for s in members) for members in families), len(families))


def unmoved(scenarios: Iterable[Scenario], answers: Answers) -> Share:
    """Families that got one and the same option text throughout, although the story's change calls for another."""
    families = _families(scenarios, answers)
    return Share(sum(len({_text(s, answers[s.id]) for s in members}) == 1 for members in families), len(families))


def joint_accuracy(scenarios: Iterable[Scenario], answers: Answers) -> dict[int, Share]:
    """For each order: right answers on it (the curve that shows where reasoning about minds gives out)."""
    by_order: dict[int, list[Scenario]] = {}
    for scenario in scenarios:
        if isinstance(order := scenario.meta.get("order"), int):
            by_order.setdefault(order, []).append(scenario)
    return {order: accuracy(by_order[order], answers) for order in sorted(by_order)}


def failures(scenarios: Iterable[Scenario], answers: Answers) -> dict[str, int]:
    """How wrong answers are wrong: how many took which named shortcut, "unreadable" among them; most frequent first."""
    counts: dict[str, int] = {}
    for scenario in scenarios:
        if scenario.id not in answers or answers[scenario.id] in scenario.gold:
            continue
        index = answers[scenario.id]
        name = "unreadable" if index is None else scenario.shortcuts[index] if scenario.shortcuts else "wrong"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def permuted(scenario: Scenario, times: int, *, seed: int = 0) -> list[Scenario]:
    """The scenario with its options in `times` other orders, ids ending in "~1", "~2", …; gold moves along."""
    rng = Rng(f"{scenario.id} permuted {seed}")
    orders: list[Scenario] = []
    for number in range(1, times + 1):
        order = list(range(len(scenario.options)))
        rng.shuffle(order)
        orders.append(
            replace(
                scenario,
                id=f"{scenario.id}~{number}",
                options=tuple(scenario.options[i] for i in order),
                gold=tuple(sorted(order.index(gold) for gold in scenario.gold)),
                shortcuts=tuple(scenario.shortcuts[i] for i in order) if scenario.shortcuts else (),
            )
        )
    return orders


def permutation_consistency(groups: Iterable[Sequence[Scenario]], answers: Answers) -> Share:
    """Groups (a scenario and its `permuted` copies) whose answers all name one option text."""
    told = [[s for s in group if s.id in answers] for group in groups]
    told = [group for group in told if len(group) > 1]
    same = sum(len(texts := {_text(s, answers[s.id]) for s in group}) == 1 and None not in texts for group in told)
    return Share(same, len(told))


def _families(scenarios: Iterable[Scenario], answers: Answers) -> list[list[Scenario]]:
    families: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        if scenario.twins and scenario.id in answers:
            families.setdefault(scenario.group or min(scenario.id, *scenario.twins), []).append(scenario)
    return [members for members in families.values() if len(members) > 1]


def _text(scenario: Scenario, index: int | None) -> str | None:
    return None if index is None else scenario.options[index]
