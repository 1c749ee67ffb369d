"""Intervals and paired tests against figures worked out elsewhere."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite.benchmarks.base import Tally, Unit
from socialr1_lite.statistics import cluster_bootstrap, interval, mcnemar, wilson


def units(values: list[float], per_cluster: int = 1) -> tuple[Unit, ...]:
    return tuple(Unit(str(n), str(n // per_cluster), value) for n, value in enumerate(values))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (10, 10, 0.7224672, 1.0), (50, 100, 0.4038315, 0.5961685)],
)
def test_wilson_known_values(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((right / n, low, high), abs=1e-6)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_value_and_stays_a_proportion(pair: tuple[int, int]) -> None:
    found = wilson(*pair)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_wilson_refuses_more_right_than_there_are() -> None:
    with pytest.raises(ValueError, match="11 right of 10"):
        wilson(11, 10)


def test_independent_items_get_wilson() -> None:
    tally = Tally(units([1.0] * 8 + [0.0] * 2))
    assert interval(tally) == wilson(8, 10)


def test_items_that_share_a_story_get_a_wider_interval() -> None:
    # ten stories, all five questions of a story alike: 50 items are worth 10
    values = [float(n // 5 < 6) for n in range(50)]
    alone, shared = interval(Tally(units(values))), interval(Tally(units(values, per_cluster=5)))
    assert shared.value == alone.value == 0.6
    assert shared.high - shared.low > 1.5 * (alone.high - alone.low)


def test_all_right_in_shared_stories_is_not_certainty() -> None:
    assert interval(Tally(units([1.0] * 20, per_cluster=5))) == wilson(4, 4)
    assert interval(Tally(units([0.0] * 20, per_cluster=5))) == wilson(0, 4)


def test_scores_that_happen_to_be_0_and_1_are_no_proportion() -> None:
    # a Wilson interval would reach 0.28 over ten secrets that were all kept, on a scale from -10 to 0
    assert interval(Tally(units([0.0] * 10), proportion=False)) == (0.0, 0.0, 0.0)
    mixed = Tally(units([1.0] * 8 + [0.0] * 2), proportion=False)
    assert interval(mixed) == cluster_bootstrap(mixed)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    random = Random(1)
    covered = 0
    for _ in range(100):
        values = [float(random.random() < p) for p in (random.random() for _ in range(30)) for _ in range(3)]
        found = cluster_bootstrap(Tally(units(values, per_cluster=3)), resamples=200)
        covered += found.low <= 0.5 <= found.high
    assert 0.86 <= covered / 100 <= 1.0


def test_the_bootstrap_is_the_same_every_time_and_serves_any_statistic() -> None:
    middle = Tally(units([1.0, 2.0, 9.0, 4.0], per_cluster=2), statistic=lambda told: max(u.value for u in told))
    first = cluster_bootstrap(middle)
    assert first == cluster_bootstrap(middle)
    assert (first.value, first.low, first.high) == (9.0, 2.0, 9.0)


@pytest.mark.parametrize(
    ("both", "first", "second", "p"),
    [(5, 1, 7, 0.0703125), (5, 0, 0, 1.0), (0, 3, 3, 1.0), (9, 0, 10, 2 / 1024)],
)
def test_mcnemar_known_values(both: int, first: int, second: int, p: float) -> None:
    a = [True] * both + [True] * first + [False] * second
    b = [True] * both + [False] * first + [True] * second
    found = mcnemar(a, b)
    assert (found.n, found.only_first, found.only_second) == (both + first + second, first, second)
    assert found.p == pytest.approx(p)


def test_mcnemar_refuses_runs_that_do_not_pair_up() -> None:
    with pytest.raises(ValueError, match="2 and 1 outcomes"):
        mcnemar([True, True], [True])
