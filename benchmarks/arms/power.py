"""The smallest difference between two arms that a number of questions and seeds can show, said before they are run.

Answers are drawn, not modelled: a pair of twins has both, one or neither right as often as was measured. Another arm
answers a share of the pairs anew, so many that as many questions change as did between two checks of one run. Then the
difference is put in: of what the other arm has wrong, an even share is made right. The test is the table's. How far
the seeds agree on a story nobody knows before: "apart" draws each seed by itself, "alike" lets all seeds give the same
answers, so that more of them add nothing; what really happens lies between.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from socialr1_lite.errors import DataError
from socialr1_lite.runlog import RunFolder
from socialr1_lite.statistics import paired_by_cluster
from socialr1_lite.training.heldout_figures import kept_checks

ALPHA, POWER = 0.05, 0.8
RIVALS = 4  # arms that are compared with the full reward: Holm asks the smallest p of them to be below ALPHA / RIVALS
DRAWS = 2000  # the power then has a standard error of .009
GRID = 0.005  # differences looked at
MEASURES = ("accuracy", "both twins right")


class Spread(NamedTuple):
    """How answers to pairs of twins spread. both, one, none: pairs with so many right. changed: share of questions."""

    both: int
    one: int
    none: int
    changed: float

    @property
    def pairs(self) -> int:
        """How many pairs."""
        return self.both + self.one + self.none

    @property
    def accuracy(self) -> float:
        """Share of the questions that are right."""
        return (self.both + self.one / 2) / self.pairs

    @property
    def anew(self) -> float:
        """Share of the pairs that are answered anew, so that this share of the questions changes."""
        moved = 2 * self.accuracy * (1 - self.accuracy)
        return min(1.0, self.changed / moved) if moved else 0.0

    def level(self, measure: str) -> float:
        """Share that is right of what a measure counts."""
        return self.accuracy if measure == MEASURES[0] else self.both / self.pairs


MEASURED = Spread(21, 27, 2, 21 / 100)  # docs/learning.md: 100 questions after the cold start, and 10 steps later


def measured(path: Path) -> Spread:
    """Read it from the held-out checks of a run, before GRPO and after it. Raises DataError where there are not two."""
    checks = [one for one in kept_checks(RunFolder.open(path)).values() if one.twins.families]
    if len(checks) < 2:
        raise DataError(f"{path}: two held-out checks with twins are needed, {len(checks)} are there")
    before, after = [next(one for one in reversed(checks) if one.step == step) for step in (0, checks[-1].step)]
    counts = [0, 0, 0]
    for family in dict.fromkeys(filter(None, before.families)):
        right = [one for one, of in zip(before.right, before.families, strict=True) if of == family]
        counts[2 if all(right) else int(any(right))] += 1
    changed = sum(one != other for one, other in zip(before.right, after.right, strict=True)) / before.n
    return Spread(counts[2], counts[1], counts[0], changed)


def p_values(
    spread: Spread, measure: str, pairs: int, seeds: int, difference: float, *, alike: bool = False, draws: int = DRAWS
) -> list[float]:
    """Draw two arms that differ by so much in what is measured, and return the p of each drawing."""
    states, weights = ((1, 1), (1, 0), (0, 1), (0, 0)), (spread.both, spread.one / 2, spread.one / 2, spread.none)
    left = 1 - spread.level(measure)
    lifted, anew = difference / left if left else 0.0, spread.anew
    found = []
    for number in range(draws):
        random = Random(f"{number} {pairs}")
        first: list[bool] = []
        second: list[bool] = []
        stories: list[str] = []
        for story in range(pairs):
            for _ in range(1 if alike else seeds):
                one, other = random.choices(states, weights, k=2)
                other = other if random.random() < anew else one
                ups = [random.random() < lifted for _ in other]
                if measure == MEASURES[0]:
                    sides = [(bool(a), bool(b) or up) for a, b, up in zip(one, other, ups, strict=True)]
                else:
                    sides = [(all(one), all(other) or ups[0])]
                for _ in range(seeds if alike else 1):
                    first += [a for a, _ in sides]
                    second += [b for _, b in sides]
                    stories += [str(story)] * len(sides)
        found.append(paired_by_cluster(first, second, stories).p)
    return found


def power(found: list[float], alpha: float = ALPHA) -> float:
    """Return the share of the drawings whose p is below alpha."""
    return sum(p < alpha for p in found) / len(found)


def smallest(
    spread: Spread, measure: str, pairs: int, seeds: int, *, alike: bool = False, draws: int = DRAWS
) -> tuple[float | None, float | None]:
    """Return the smallest differences found in 80 % of the drawings: at ALPHA, and at what Holm asks first.

    None where not even the largest possible one is.
    """

    @cache
    def drawn(step: int) -> list[float]:
        return p_values(spread, measure, pairs, seeds, step * GRID, alike=alike, draws=draws)

    def least(alpha: float) -> float | None:
        low, high = 0, int((1 - spread.level(measure)) / GRID)
        if power(drawn(high), alpha) < POWER:
            return None
        while high - low > 1:  # the same drawings at each difference, so that power rises with it
            middle = (low + high) // 2
            low, high = (low, middle) if power(drawn(middle), alpha) >= POWER else (middle, high)
        return high * GRID

    return least(ALPHA), least(ALPHA / RIVALS)


def lines(spread: Spread, pairs: int, seeds: int) -> Iterator[str]:
    """Yield the smallest differences in words and as a table."""
    yield (
        f"{2 * pairs} questions to {pairs} pairs of twins, {seeds} seeds; measured spread: of {spread.pairs} pairs "
        f"{spread.both} both right, {spread.one} one, {spread.none} none; {spread.changed:.0%} of the questions change"
    )
    yield f"smallest difference that is found with {POWER:.0%} power by the two-sided permutation test by story"
    yield ""
    yield f"| measure | at | seeds apart, p < {ALPHA} | seeds alike | apart, p < {ALPHA / RIVALS} (Holm) | alike |"
    yield "|---|---|---|---|---|---|"
    for measure in MEASURES:
        apart, alike = (smallest(spread, measure, pairs, seeds, alike=one) for one in (False, True))
        told = ["none" if one is None else f"{one:.3f}" for pair in zip(apart, alike, strict=True) for one in pair]
        yield f"| {measure} | {spread.level(measure):.3f} | {' | '.join(told)} |"
