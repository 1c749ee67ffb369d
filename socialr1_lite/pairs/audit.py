"""What gives a pair away without its story: length alone, and a bag of words. Both must stay near one half.

The bag of words is a logistic regression on the difference of the two texts' word counts, without the story, trained on
one half of the scenarios and tested on the other half (twins and all pairs of a scenario together), both ways round.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from socialr1_lite.pairs.record import Pair
from socialr1_lite.statistics import Interval, wilson

CEILING = 0.6  # a shortcut that wins more pairs than this works: the pairs would teach it [ours]
EPOCHS, RATE, DECAY = 30, 0.1, 1e-3  # of the regression: it has long settled by then


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How often a shortcut finds the chosen text; ties count half. by_kind: the same for each kind of pair."""

    name: str
    n: int
    right: Interval
    by_kind: Mapping[str, float]

    @property
    def works(self) -> bool:
        """Return whether it is clearly over the ceiling: the whole interval is."""
        return self.right.low > CEILING


def audit(pairs: Sequence[Pair]) -> list[Shortcut]:
    """Measure length (in whichever direction does better) and the bag of words."""
    longer = [_sign(len(pair.chosen.split()) - len(pair.rejected.split())) for pair in pairs]
    if sum(longer) < len(pairs) / 2:
        longer = [1.0 - one for one in longer]
    return [_shortcut("length alone", pairs, longer), _shortcut("bag of words", pairs, _bag_of_words(pairs))]


def as_text(shortcuts: Sequence[Shortcut]) -> str:
    """Write a line a shortcut, then its kinds."""
    lines = []
    for one in shortcuts:
        mark = f"  << works (over {CEILING:.0%})" if one.works else ""
        share, low, high = one.right
        lines.append(f"{one.name}: {share:.1%} [{low:.1%}, {high:.1%}] of {one.n} pairs{mark}")
        lines += [f"    {kind or '(no kind)'}: {share:.1%}" for kind, share in sorted(one.by_kind.items())]
    return "\n".join(lines)


def _sign(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _shortcut(name: str, pairs: Sequence[Pair], right: Sequence[float]) -> Shortcut:
    kinds: dict[str, list[float]] = {}
    for pair, one in zip(pairs, right, strict=True):
        kinds.setdefault(pair.kind, []).append(one)
    by_kind = {kind: sum(values) / len(values) for kind, values in kinds.items()}
    return Shortcut(name, len(pairs), wilson(sum(right), len(pairs)), by_kind)


def _bag_of_words(pairs: Sequence[Pair]) -> list[float]:
    """Return for each pair whether a model trained on the other half of the scenarios prefers the chosen text."""
    bags = [(_half(pair), _difference(pair)) for pair in pairs]
    models = [_train([bag for half, bag in bags if half != tested]) for tested in (0, 1)]
    return [_sign(_score(models[half], bag)) for half, bag in bags]


def _half(pair: Pair) -> int:
    """Return 0 or 1, the same for a scenario and its twins."""
    family = min((pair.scenario.id, *pair.scenario.twins))
    return hashlib.sha256(family.encode()).digest()[0] % 2


def _difference(pair: Pair) -> dict[str, int]:
    """Count the words of the chosen text minus those of the rejected one, without zeros."""
    counts = Counter(re.findall(r"[\w']+", pair.chosen.lower()))
    counts.subtract(re.findall(r"[\w']+", pair.rejected.lower()))
    return {word: count for word, count in counts.items() if count}


def _train(bags: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Fit a logistic regression on differences by stochastic gradient descent, in the given order."""
    weights: dict[str, float] = {}
    for _ in range(EPOCHS):
        for bag in bags:
            push = RATE / (1.0 + exp(min(30.0, max(-30.0, _score(weights, bag)))))
            for word, count in bag.items():
                held = weights.get(word, 0.0)
                weights[word] = held + push * count - RATE * DECAY * held
    return weights


def _score(weights: Mapping[str, float], bag: Mapping[str, int]) -> float:
    return sum(weights.get(word, 0.0) * count for word, count in bag.items())
