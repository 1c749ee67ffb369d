"""How sure a number is: Wilson intervals, a bootstrap over stories, paired tests over stories, spread over seeds.

Pure Python with fixed seeds: the same units give the same interval on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb, nan, sqrt
from random import Random
from typing import NamedTuple, TypeVar

Z95 = 1.959963984540054  # the normal quantile of a two-sided 95 % interval
FLIPS = 10_000  # sign patterns: p = .05 then has a standard error of .002
RESAMPLES = 2000  # enough for the 2.5 % points to be steady to about a tenth of the interval's width
MOST_RESAMPLED = 2000  # clusters: resampling more takes seconds, and the normal approximation is as good [ours]


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing a metric counts. cluster: units of one story stand or fall together, and are resampled together.

    answers: the presentations (`benchmarks.base.Answer.presentation`) that it was made from.
    """

    key: str
    cluster: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[str, ...] = ()


Statistic = Callable[[Sequence[Unit]], float]
Cluster = TypeVar("Cluster")


def mean(units: Sequence[Unit]) -> float:
    """Return the plain mean of the units' values."""
    return sum(unit.value for unit in units) / len(units)


@dataclass(frozen=True, slots=True)
class Tally:
    """A metric before its interval: its units, and how they make one number.

    official: is it the authors' own metric? proportion: do 0 and 1 mean wrong and right (SOTOPIA's 0 and 1 are two
    of many scores, so no binomial interval fits them)?
    """

    units: tuple[Unit, ...]
    official: bool = True
    statistic: Statistic = mean
    proportion: bool = True

    @property
    def value(self) -> float:
        """The metric's value."""
        return self.statistic(self.units)


class Interval(NamedTuple):
    """A value and its 95 % interval; both ends are NaN where nothing is known of it."""

    value: float
    low: float
    high: float


def wilson(right: float, n: int) -> Interval:
    """Return Wilson's score interval for a proportion (Wilson 1927). right: may be a sum of 0/1 means over samples."""
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} right of {n}")
    p = right / n
    scale = 1 + Z95**2 / n
    middle = (p + Z95**2 / (2 * n)) / scale
    half = Z95 * sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2)) / scale
    # at 0 and n the interval's end is the value itself, which rounding may miss
    return Interval(p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)))


def cluster_bootstrap(tally: Tally, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Return the percentile interval from resampling whole clusters (stories) with replacement."""
    clusters: dict[str, list[Unit]] = {}
    for unit in tally.units:
        clusters.setdefault(unit.cluster, []).append(unit)
    if tally.statistic is mean:  # which needs only each cluster's sum and size
        counts = [(sum(unit.value for unit in units), len(units)) for units in clusters.values()]
        return _bootstrap(counts, _share, tally.value, resamples, seed)

    def value_of(drawn: Sequence[Sequence[Unit]]) -> float:
        return tally.statistic([unit for units in drawn for unit in units])

    return _bootstrap(list(clusters.values()), value_of, tally.value, resamples, seed)


def _share(counts: Sequence[tuple[float, int]]) -> float:
    return sum(right for right, _ in counts) / sum(n for _, n in counts)


def _bootstrap(
    clusters: Sequence[Cluster],
    statistic: Callable[[Sequence[Cluster]], float],
    value: float,
    resamples: int,
    seed: int,
) -> Interval:
    random = Random(seed)
    values = sorted(statistic(random.choices(clusters, k=len(clusters))) for _ in range(resamples))
    return Interval(value, values[int(0.025 * resamples)], values[min(resamples - 1, int(0.975 * resamples))])


def interval(tally: Tally, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Return the 95 % interval that fits: Wilson for independent right-or-wrong units, else a bootstrap over clusters.

    Where resampling never changes the value (all units alike, every story the same share, one story) a bootstrap would
    claim certainty: there Wilson counts each cluster once, at the value that all have. Scores on a scale, whose ends
    are not known here, have no interval then: NaN.
    """
    counted = tally.proportion and tally.statistic is mean and all(unit.value in (0.0, 1.0) for unit in tally.units)
    clusters = len({unit.cluster for unit in tally.units})
    if counted and clusters == len(tally.units):
        return wilson(sum(unit.value for unit in tally.units), clusters)
    value = tally.value
    if clusters > 1 and len({unit.value for unit in tally.units}) > 1:
        found = cluster_bootstrap(tally, resamples=resamples, seed=seed)
        if found.low < found.high:
            return found
    if tally.proportion:
        around = wilson(min(1.0, value) * clusters, clusters)
        return Interval(value, around.low, around.high)
    return Interval(value, nan, nan)


def clustered_proportion(values: Sequence[float], clusters: Sequence[str]) -> Interval:
    """Return the 95 % `interval` of a share of right answers whose questions belong to these clusters (stories).

    values: 1 right, 0 wrong. Raises ValueError when there are no values or the two do not pair up.
    """
    if not values or len(values) != len(clusters):
        raise ValueError(f"{len(values)} values of {len(clusters)} clusters")
    counts: dict[str, tuple[float, int]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        right, n = counts.get(cluster, (0.0, 0))
        counts[cluster] = right + value, n + 1
    return proportion_by_cluster(counts.values())


def proportion_by_cluster(counts: Collection[tuple[float, int]]) -> Interval:
    """Return the 95 % `interval` of a share of right answers. counts: (right, answers) of each cluster (story).

    Of more than MOST_RESAMPLED clusters by the normal approximation with the clusters' own spread. Raises ValueError
    for no answers.
    """
    right, n, clusters = sum(one for one, _ in counts), sum(size for _, size in counts), len(counts)
    if not n:
        raise ValueError(f"no answers in {clusters} clusters")
    if all(size == 1 and one in (0, 1) for one, size in counts):
        return wilson(right, n)
    share = right / n
    if len({one / size for one, size in counts}) > 1:
        if clusters > MOST_RESAMPLED:
            found = mean_by_cluster(counts)
            return Interval(share, max(0.0, found.low), min(1.0, found.high))
        found = _bootstrap(list(counts), _share, share, RESAMPLES, 0)
        if found.low < found.high:
            return found
    return Interval(share, *wilson(min(1.0, share) * clusters, clusters)[1:])


def mean_by_cluster(counts: Collection[tuple[float, int]]) -> Interval:
    """Return a mean on any scale with its 95 % interval by the clusters' own spread (normal approximation).

    counts: (sum, items) of each cluster (story). Both ends are NaN where nothing is known of the spread: of one
    cluster, or where all have the same mean. Raises ValueError for no items.
    """
    total, n, clusters = sum(one for one, _ in counts), sum(size for _, size in counts), len(counts)
    if not n:
        raise ValueError(f"no items in {clusters} clusters")
    value = total / n
    if len({one / size for one, size in counts}) < 2:
        return Interval(value, nan, nan)
    spread = sum((one - value * size) ** 2 for one, size in counts) * clusters / (clusters - 1)
    half = Z95 * sqrt(spread) / n
    return Interval(value, value - half, value + half)


class Paired(NamedTuple):
    """A paired test on the same items: how many only one of the two got right, and the two-sided p.

    clusters: the stories that the items belong to, which the test counts instead of the items.
    """

    n: int
    only_first: int
    only_second: int
    p: float
    clusters: int


def paired_by_cluster(first: Sequence[bool], second: Sequence[bool], clusters: Sequence[str]) -> Paired:
    """Test exactly whether two sets of answers to the same items differ, where items of a cluster belong together.

    A two-sided sign-flip permutation test: were the two alike, the difference of each cluster (second minus first,
    summed over its items) could as well have the other sign. p is the share of all sign patterns whose sum is at least
    as far from 0 as the one seen. With one item a cluster this is McNemar's exact test. Raises ValueError when the
    three do not pair up.
    """
    if not len(first) == len(second) == len(clusters):
        raise ValueError(f"{len(first)} and {len(second)} outcomes in {len(clusters)} clusters do not pair up")
    differences: dict[str, int] = {}
    for one, other, cluster in zip(first, second, clusters, strict=True):
        differences[cluster] = differences.get(cluster, 0) + bool(other) - bool(one)
    patterns = Counter({0: 1})  # the sum of the signed differences -> how many sign patterns have it
    for size, times in Counter(abs(one) for one in differences.values() if one).items():
        after: Counter[int] = Counter()
        for plus in range(times + 1):
            ways, shift = comb(times, plus), (2 * plus - times) * size
            for total, count in patterns.items():
                after[total + shift] += count * ways
        patterns = after
    seen = abs(sum(differences.values()))
    extreme = sum(count for total, count in patterns.items() if abs(total) >= seen)
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    return Paired(len(first), only_first, only_second, extreme / patterns.total(), len(differences))


class Shift(NamedTuple):
    """A paired test of scores on a scale: the mean difference (second minus first) and the two-sided p."""

    n: int
    difference: float
    p: float
    clusters: int


def shift_by_cluster(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[str], *, flips: int = FLIPS, seed: int = 0
) -> Shift:
    """Test whether two sets of scores of the same items differ, where items of a cluster belong together.

    As `paired_by_cluster`: the difference of each whole cluster could as well have the other sign. Of few clusters
    every sign pattern is counted, of more so many drawn ones, the one seen among them. Raises ValueError when the three
    do not pair up, or are empty.
    """
    if not len(first) == len(second) == len(clusters) or not first:
        raise ValueError(f"{len(first)} and {len(second)} scores in {len(clusters)} clusters do not pair up")
    differences: dict[str, float] = {}
    for one, other, cluster in zip(first, second, clusters, strict=True):
        differences[cluster] = differences.get(cluster, 0.0) + other - one
    sizes = [abs(size) for size in differences.values()]
    seen = abs(sum(differences.values())) * (1 - 1e-9)  # sums that are equal may differ in their last digits
    random, exact = Random(seed), 2 ** len(sizes) <= flips
    extreme = 0
    for number in range(2 ** len(sizes) if exact else flips):
        signs = number if exact else random.getrandbits(len(sizes))
        extreme += abs(sum(size if signs >> place & 1 else -size for place, size in enumerate(sizes))) >= seen
    p = extreme / 2 ** len(sizes) if exact else (extreme + 1) / (flips + 1)
    return Shift(len(first), sum(differences.values()) / len(first), p, len(sizes))


def holm(values: Sequence[float]) -> list[float]:
    """Return each p of a family of tests after Holm's correction (Holm 1979), in their order."""
    held, most = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        most = max(most, min(1.0, (len(values) - rank) * values[place]))
        held[place] = most
    return held


class Spread(NamedTuple):
    """The mean over repetitions, and its standard error: None for one repetition, of which no spread is known."""

    mean: float
    error: float | None


def over_seeds(values: Sequence[float]) -> Spread:
    """Return mean and standard error (sample deviation by root n) over seeds. Raises ValueError for no value."""
    if not values:
        raise ValueError("no values")
    middle = sum(values) / len(values)
    if len(values) == 1:
        return Spread(middle, None)
    variance = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return Spread(middle, sqrt(variance / len(values)))


def pass_at(k: int, n: int, right: int) -> float:
    """Return the chance that of k replies drawn from n, of which `right` are right, at least one is (Chen et al. 2021).

    Raises ValueError unless 1 <= k <= n and 0 <= right <= n.
    """
    if not 1 <= k <= n or not 0 <= right <= n:
        raise ValueError(f"{k} of {n} replies, {right} right")
    return 1 - comb(n - right, k) / comb(n, k)
