"""The expanded prompt schedule: every prompt of the run in its final order, which no resume can change."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Data, Recipe
from socialr1_lite.scenario import Scenario

UNMIXED = ""  # the one deck of a run without `data.mix`


def schedule(scenarios: Sequence[Scenario], recipe: Recipe) -> list[Scenario]:
    """Plan one scenario for each prompt group of the whole run, in the order of generation.

    The same for the same recipe and scenarios in any process, and so on any number of resumes. No scenario
    comes back before every other one of its deck that was allowed then had its turn; each round is shuffled
    anew by `run.seed`. `data.mix` holds on every stretch of the schedule, not only in the mean. With
    `data.difficulty`, only scenarios of the orders allowed at that share of the run are asked. Raises
    DataError when there is nothing to ask, or nothing that the mix or the difficulty allows.
    """
    if not scenarios:
        raise DataError("there is no scenario to train on: data.source is empty, or every prompt was too long")
    count = recipe.generations * recipe.groups_per_generation
    shares = _shares(scenarios, recipe.data)
    decks = {
        name: _Deck([one for one in scenarios if name in (UNMIXED, one.dimension)], f"{recipe.run.seed}/{name}")
        for name in shares
    }
    dealt: Counter[str] = Counter()
    planned = []
    for position in range(count):
        name = max(shares, key=lambda deck: (shares[deck] * (position + 1) - dealt[deck], deck))
        dealt[name] += 1
        planned.append(decks[name].deal(_allowed_orders(recipe.data, position / count)))
    return planned


def _shares(scenarios: Sequence[Scenario], data: Data) -> dict[str, float]:
    """Return each deck's share of the schedule; the shares add up to 1."""
    wanted = {name: share for name, share in data.mix.items() if share > 0}
    if not wanted:
        return {UNMIXED: 1.0}
    there = {scenario.dimension for scenario in scenarios}
    if missing := sorted(wanted.keys() - there):
        raise DataError(
            f"data.mix names {', '.join(missing)}; the scenarios have {', '.join(sorted(there)) or 'no dimension'}"
        )
    return {name: share / sum(wanted.values()) for name, share in wanted.items()}


def _allowed_orders(data: Data, progress: float) -> tuple[int, ...] | None:
    """Return the belief orders allowed at this share of the run; None: all."""
    return next((stage.orders for stage in data.difficulty or () if progress < stage.until), None)


class _Deck:
    """Deals scenarios round by round; within what is allowed, those dealt least often come first."""

    def __init__(self, cards: Sequence[Scenario], seed: str) -> None:
        self._cards = cards
        self._seed = seed
        self._uses = [0] * len(cards)
        self._round = 0
        self._orders: tuple[int, ...] | None = None
        self._pile: list[int] = []

    def deal(self, orders: tuple[int, ...] | None) -> Scenario:
        """Return the next scenario of these orders (None: any)."""
        if not self._pile or orders != self._orders:
            self._orders = orders
            self._shuffle()
        card = self._pile.pop()
        self._uses[card] += 1
        return self._cards[card]

    def _shuffle(self) -> None:
        orders = self._orders
        allowed = [i for i, one in enumerate(self._cards) if orders is None or one.meta.get("order") in orders]
        if not allowed:
            dimension = f"{self._cards[0].dimension} ".lstrip()
            raise DataError(
                f"data.difficulty allows orders {list(orders or ())}, but no {dimension}scenario has one of them"
            )
        fewest = min(self._uses[i] for i in allowed)
        self._pile = [i for i in allowed if self._uses[i] == fewest]
        self._round += 1
        random.Random(f"{self._seed}/{self._round}").shuffle(self._pile)
