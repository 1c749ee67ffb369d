"""Intervals and paired tests against figures worked out elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import comb, isnan, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socialr1_lite.statistics import (
    MOST_RESAMPLED,
    Z95,
    Tally,
    Unit,
    cluster_bootstrap,
    clustered_proportion,
    holm,
    interval,
    mean_by_cluster,
    over_seeds,
    paired_by_cluster,
    pass_at,
    proportion_by_cluster,
    shift_by_cluster,
    wilson,
)


def units(values: list[float], per_cluster: int = 1) -> tuple[Unit, ...]:
    return tuple(Unit(str(n), str(n // per_cluster), value) for n, value in enumerate(values))


def alone(items: Sequence[object]) -> list[str]:
    """A story of its own for every item."""
    return [str(n) for n in range(len(items))]


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


@pytest.mark.parametrize(
    ("values", "per_cluster", "clusters"),
    [([1.0, 0.0, 0.0], 3, 1), ([1.0, 0.0] * 5, 2, 5), ([0.25] * 4, 1, 4), ([0.25] * 4, 4, 1), ([1.0], 1, 1)],
)
def test_no_share_has_an_interval_of_no_width(values: list[float], per_cluster: int, clusters: int) -> None:
    # one story; stories that are all half right; half points: resampling whole stories never changes the value
    found, share = interval(Tally(units(values, per_cluster))), sum(values) / len(values)
    assert found == pytest.approx(wilson(share * clusters, clusters))
    assert found.low < found.high


def test_a_statistic_that_is_no_mean_has_width_too() -> None:
    top = Tally(units([1.0] * 6, per_cluster=2), statistic=lambda some: max(one.value for one in some))
    assert interval(top) == wilson(3, 3)


def test_scores_that_happen_to_be_0_and_1_are_no_proportion() -> None:
    # a Wilson interval would reach 0.28 over ten secrets that were all kept, on a scale from -10 to 0
    found = interval(Tally(units([0.0] * 10), proportion=False))
    assert found.value == 0.0 and isnan(found.low) and isnan(found.high)  # nothing is known, so nothing is claimed
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
    middle = Tally(units([1.0, 2.0, 9.0, 4.0], per_cluster=2), statistic=lambda some: max(u.value for u in some))
    first = cluster_bootstrap(middle)
    assert first == cluster_bootstrap(middle)
    assert (first.value, first.low, first.high) == (9.0, 2.0, 9.0)


@pytest.mark.parametrize(
    ("both", "first", "second", "p"),
    [(5, 1, 7, 0.0703125), (5, 0, 0, 1.0), (0, 3, 3, 1.0), (9, 0, 10, 2 / 1024)],
)
def test_mcnemar_s_known_values_with_one_item_a_story(both: int, first: int, second: int, p: float) -> None:
    a = [True] * both + [True] * first + [False] * second
    b = [True] * both + [False] * first + [True] * second
    found = paired_by_cluster(a, b, alone(a))
    assert (found.n, found.only_first, found.only_second) == (both + first + second, first, second)
    assert found.p == pytest.approx(p)


def test_a_share_over_stories_of_one_question_each_is_wilson_s() -> None:
    assert clustered_proportion([1.0, 0.0, 1.0], ["a", "b", "c"]) == wilson(2, 3)


def test_a_share_over_twins_counts_stories() -> None:
    assert clustered_proportion([0.0] * 4, ["a", "a", "b", "b"]) == wilson(0, 2)
    values, twins = [1.0, 1.0] * 6 + [0.0, 0.0] * 4, [str(n // 2) for n in range(20)]
    found = clustered_proportion(values, twins)
    assert found == interval(Tally(units(values, per_cluster=2)))
    alone = wilson(12, 20)
    assert found.value == alone.value and found.high - found.low > 1.2 * (alone.high - alone.low)


def test_of_very_many_stories_the_normal_approximation_stands_for_the_resampling() -> None:
    random = Random(3)
    counts = [(float(random.randint(0, 4)), 4) for _ in range(MOST_RESAMPLED)]
    resampled, approximate = proportion_by_cluster(counts), proportion_by_cluster([*counts, (0.0, 4)])
    assert approximate.value == pytest.approx(resampled.value, abs=1e-3)
    assert approximate.low == pytest.approx(resampled.low, abs=2e-3)
    assert approximate.high == pytest.approx(resampled.high, abs=2e-3)
    assert approximate.high - approximate.low > 1e-2
    # by hand: shares 1 and 0 in turn, of 4 answers each: the spread between stories is 0.5, whatever their size
    turned = [(4.0 * (n % 2), 4) for n in range(2 * MOST_RESAMPLED)]
    half = Z95 * 0.5 / (2 * MOST_RESAMPLED) ** 0.5
    assert proportion_by_cluster(turned).high == pytest.approx(0.5 + half, rel=1e-4)


@pytest.mark.parametrize(("values", "clusters"), [([], []), ([1.0], ["a", "b"])])
def test_a_share_needs_values_and_a_cluster_for_each(values: list[float], clusters: list[str]) -> None:
    with pytest.raises(ValueError, match="clusters"):
        clustered_proportion(values, clusters)


# Worked out by hand. Differences by story: (2, 2, 1) has 8 sign patterns, of which +++ and --- reach 5: 2/8. (2, -1)
# sums to 1, which all four patterns (3, 1, -1, -3) reach. (2, 2, -1) sums to 3: +++ 5, ++- 3 and their mirrors: 4/8.
# (1, 0) where the zero is a twin pair that swapped: one pattern and its mirror, both reach 1.
@pytest.mark.parametrize(
    ("second", "first", "stories", "only_first", "only_second", "p"),
    [
        ("11111", "00000", "aabbc", 0, 5, 2 / 8),
        ("110", "001", "aab", 1, 2, 1.0),
        ("11110", "00001", "aabbc", 1, 4, 4 / 8),
        ("110", "001", "abb", 1, 2, 1.0),
        ("10", "10", "ab", 0, 0, 1.0),
        ("", "", "", 0, 0, 1.0),
    ],
)
def test_the_paired_test_flips_whole_stories(
    second: str, first: str, stories: str, only_first: int, only_second: int, p: float
) -> None:
    found = paired_by_cluster([c == "1" for c in first], [c == "1" for c in second], list(stories))
    assert found == (len(stories), only_first, only_second, p, len(set(stories)))


def test_twins_counted_as_independent_would_give_another_p() -> None:
    worse, better = [False] * 12, [True] * 12
    by_story = paired_by_cluster(worse, better, [str(n // 2) for n in range(12)])
    assert (by_story.p, by_story.clusters) == (2 / 2**6, 6)
    assert paired_by_cluster(worse, better, alone(worse)).p == 2 / 2**12


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_with_one_item_a_story_the_test_is_mcnemar_s(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    found = paired_by_cluster(first, second, alone(pairs))
    discordant = found.only_first + found.only_second
    tail = sum(comb(discordant, k) for k in range(min(found.only_first, found.only_second) + 1))
    assert found.p == pytest.approx(min(1.0, 2 * tail / 2**discordant))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcdefg")), max_size=30))
def test_the_paired_test_is_the_share_of_all_sign_patterns(rows: list[tuple[bool, bool, str]]) -> None:
    differences = [sum(b - a for a, b, story in rows if story == one) for one in sorted({row[2] for row in rows})]
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    expected = sum(abs(one) >= abs(sum(differences)) for one in sums) / len(sums)
    found = paired_by_cluster([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    assert found.p == pytest.approx(expected)


def test_many_stories_stay_exact_and_swapping_the_two_changes_nothing() -> None:
    random = Random(2)
    first, second = ([random.random() < share for _ in range(4000)] for share in (0.5, 0.55))
    stories = [str(n // 2) for n in range(4000)]
    there, back = paired_by_cluster(first, second, stories), paired_by_cluster(second, first, stories)
    assert 0 < there.p == back.p < 0.01
    assert (there.only_first, there.only_second) == (back.only_second, back.only_first)


def test_the_paired_test_refuses_what_does_not_pair_up() -> None:
    with pytest.raises(ValueError, match="2 and 1 outcomes"):
        paired_by_cluster([True, True], [True], ["a", "b"])
    with pytest.raises(ValueError, match="2 and 2 outcomes in 1 clusters"):
        paired_by_cluster([True, True], [True, False], ["a"])


# By hand: in order .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and none below the one before it.
def test_holm_s_correction_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0] and holm([0.03]) == [0.03] and holm([]) == []


# ------------------------------------------------------------------------------------------------ what p is worth


def false_positives(together: bool, by_story: bool, launches: int = 400, seed: int = 11) -> float:
    """How often two equal models differ at .05, over 30 stories of six questions each.

    together: a story's questions stand or fall together; else each is right on its own. by_story: the test knows it.
    """
    random = Random(seed)
    stories = [str(n // 6) for n in range(180)]

    def answers() -> list[bool]:
        whole = [random.random() < 0.5 for _ in range(30)]
        return [whole[n // 6] if together else random.random() < 0.5 for n in range(180)]

    found = (paired_by_cluster(answers(), answers(), stories if by_story else alone(stories)) for _ in range(launches))
    return sum(one.p <= 0.05 for one in found) / launches


@pytest.mark.parametrize("together", [True, False])
def test_equal_models_differ_by_story_about_as_often_as_p_says(together: bool) -> None:
    # 400 launches: a rate of .05 has a standard error of .011; an exact test of so few stories stays below .05
    assert 0.01 <= false_positives(together, by_story=True) <= 0.05 + 3 * 0.011


def test_questions_of_a_story_counted_alone_would_differ_far_too_often() -> None:
    assert false_positives(together=True, by_story=False) > 0.3


# ------------------------------------------------------------------------------------------------ repetitions


@pytest.mark.parametrize(
    ("values", "mean", "error"),
    [([0.5], 0.5, None), ([0.4, 0.6], 0.5, 0.1), ([0.2, 0.4, 0.9], 0.5, 0.20816660), ([1, 1, 1], 1, 0)],
)
def test_mean_and_error_over_seeds(values: list[float], mean: float, error: float | None) -> None:
    # .4 and .6: deviation .1414, by root two .1. .2, .4, .9: squares .09 + .01 + .16 = .26, / 2 = .13, / 3, root
    found = over_seeds(values)
    assert found.mean == pytest.approx(mean)
    assert found.error == (None if error is None else pytest.approx(error))
    with pytest.raises(ValueError, match="no values"):
        over_seeds([])


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n), st.integers(0, n))))
def test_pass_at_k_is_the_share_of_all_draws_with_a_right_reply(case: tuple[int, int, int]) -> None:
    k, n, right = case
    draws = list(combinations(range(n), k))
    assert pass_at(k, n, right) == pytest.approx(sum(any(one < right for one in draw) for draw in draws) / len(draws))


@pytest.mark.parametrize(("k", "n", "right"), [(0, 3, 1), (4, 3, 1), (1, 3, 4), (1, 3, -1)])
def test_pass_at_k_refuses_what_cannot_be_drawn(k: int, n: int, right: int) -> None:
    with pytest.raises(ValueError, match="replies"):
        pass_at(k, n, right)


# By hand: stories differ by (+2, +1, -1): the sum 2 is reached by +++ 4, ++- 2, +-+ 2 and their mirrors: 6 of 8 patterns.
@pytest.mark.parametrize(
    ("second", "stories", "difference", "p"),
    [
        ([2.0, 1.0, -1.0], "abc", 2 / 3, 6 / 8),
        ([1.0, 1.0, 1.0, -1.0], "aabc", 0.5, 6 / 8),
        ([0.1] * 4, "abcd", 0.1, 2 / 16),
        ([0.0, 0.0], "ab", 0.0, 1.0),
    ],
)
def test_scores_are_tested_by_flipping_whole_stories(
    second: list[float], stories: str, difference: float, p: float
) -> None:
    found = shift_by_cluster([0.0] * len(second), second, list(stories))
    assert found == (len(second), pytest.approx(difference), p, len(set(stories)))


def test_of_many_stories_sign_patterns_are_drawn() -> None:
    random = Random(4)
    noise = [random.gauss(0.0, 1.0) for _ in range(60)]
    stories = [str(n // 2) for n in range(60)]
    drawn = shift_by_cluster([0.0] * 60, noise, stories)
    assert drawn == shift_by_cluster([0.0] * 60, noise, stories) and 0.05 < drawn.p <= 1
    assert shift_by_cluster([0.0] * 60, [one + 2 for one in noise], stories).p == pytest.approx(1 / 10_001)
    with pytest.raises(ValueError, match="do not pair up"):
        shift_by_cluster([], [], [])


def test_equal_scores_by_story_differ_about_as_often_as_p_says() -> None:
    random, found = Random(8), []
    for _ in range(200):
        sides = [[random.gauss(0.0, 1.0) for _ in range(8)] for _ in range(2)]
        one, two = ([whole[n // 4] for n in range(32)] for whole in sides)
        found.append(shift_by_cluster(one, two, [str(n // 4) for n in range(32)]).p <= 0.05)
    assert 0.005 <= sum(found) / 200 <= 0.05 + 3 * 0.015


def test_a_mean_by_cluster_worked_out_by_hand() -> None:
    found = mean_by_cluster([(1.0, 2), (-1.0, 1), (2.0, 1)])  # mean 1/2; the clusters stray by 0, -3/2 and 3/2
    half = Z95 * sqrt(4.5 * 3 / 2) / 4
    assert found == pytest.approx((0.5, 0.5 - half, 0.5 + half))


@pytest.mark.parametrize("counts", [[(0.5, 1)], [(1.0, 2), (0.5, 1)]])
def test_of_one_cluster_or_of_equal_ones_no_spread_is_known(counts: list[tuple[float, int]]) -> None:
    value, low, high = mean_by_cluster(counts)
    assert value == 0.5 and isnan(low) and isnan(high)


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no items"):
        mean_by_cluster([])
