"""How sure a number is: Wilson intervals, a bootstrap over stories, McNemar's paired test.

Pure Python with fixed seeds: the same units give the same interval on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt
from random import Random
from typing import NamedTuple

from socialr1_lite.benchmarks.base import Tally, Unit, mean

Z95 = 1.959963984540054  # the normal quantile of a two-sided 95 % interval
RESAMPLES = 2000  # enough for the 2.5 % points to be steady to about a tenth of the interval's width


class Interval(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(right: float, n: int) -> Interval:
    """Wilson's score interval for a proportion (Wilson 1927).

    `right` may be a sum of 0/1 means over samples.
    """
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} right of {n}")
    p = right / n
    scale = 1 + Z95**2 / n
    middle = (p + Z95**2 / (2 * n)) / scale
    half = Z95 * sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2)) / scale
    # at 0 and n the interval's end is the value itself, which rounding may miss
    return Interval(p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)))


def cluster_bootstrap(tally: Tally, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Percentile interval from resampling whole clusters (stories) with replacement."""
    clusters: dict[str, list[Unit]] = {}
    for unit in tally.units:
        clusters.setdefault(unit.cluster, []).append(unit)
    groups = list(clusters.values())
    random = Random(seed)
    if tally.statistic is mean:
        values = _bootstrap_means(groups, resamples, random)
    else:
        values = [
            tally.statistic([unit for group in random.choices(groups, k=len(groups)) for unit in group])
            for _ in range(resamples)
        ]
    values.sort()
    return Interval(tally.value, values[int(0.025 * resamples)], values[min(resamples - 1, int(0.975 * resamples))])


def _bootstrap_means(groups: Sequence[Sequence[Unit]], resamples: int, random: Random) -> list[float]:
    """Means need only each cluster's sum and size."""
    parts = [(sum(unit.value for unit in group), len(group)) for group in groups]
    values = []
    for _ in range(resamples):
        drawn = random.choices(parts, k=len(parts))
        values.append(sum(total for total, _ in drawn) / sum(size for _, size in drawn))
    return values


def interval(tally: Tally, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The 95 % interval that fits the units.

    Wilson for independent right-or-wrong, else a bootstrap over clusters.
    Where all clustered units agree (all right, all wrong) a bootstrap would claim certainty: there Wilson
    counts each cluster once. Scores on a scale are bootstrapped whatever they are; one cluster of them, or scores that
    are all the same, have nothing to resample: an interval of no width.
    """
    counted = tally.proportion and tally.statistic is mean and all(unit.value in (0.0, 1.0) for unit in tally.units)
    clusters = len({unit.cluster for unit in tally.units})
    right = sum(unit.value for unit in tally.units)
    if counted and clusters == len(tally.units):
        return wilson(right, clusters)
    if counted and right in (0, len(tally.units)):
        return wilson(clusters if right else 0, clusters)
    if clusters == 1:
        return Interval(tally.value, tally.value, tally.value)
    return cluster_bootstrap(tally, resamples=resamples, seed=seed)


class Paired(NamedTuple):
    """McNemar's exact test on the same items: how many only one of the two got right, and the two-sided p."""

    n: int
    only_first: int
    only_second: int
    p: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Exact (binomial) McNemar test. Raises ValueError when the two do not pair up."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} outcomes do not pair up")
    b = sum(a and not c for a, c in zip(first, second, strict=True))
    c = sum(c and not a for a, c in zip(first, second, strict=True))
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1))
    return Paired(len(first), b, c, min(1.0, 2 * tail / 2 ** (b + c)))
