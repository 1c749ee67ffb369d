"""The expanded prompt schedule: every prompt of the run in its final order, which no resume can change."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice

from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Data, Recipe
from socialr1_lite.scenario import Scenario

UNMIXED = ""  # the one deck of a run without `data.mix` and `data.sources`
SOURCE = "data_source"  # the meta value that names which of `data.sources` a scenario is from


def schedule(scenarios: Sequence[Scenario], recipe: Recipe) -> list[Scenario]:
    """Plan one scenario for each prompt group of the whole run, in the order of generation.

    The same for the same recipe and scenarios in any process, and so on any number of resumes. No scenario
    comes back before every other one of its deck that was allowed then had its turn; each round is shuffled
    anew by `run.seed`. `data.mix` and the shares of `data.sources` hold on every stretch, not only in the mean. With
    `data.difficulty`, only scenarios of the orders allowed at that share of the run are asked. Raises
    DataError when there is nothing to ask, or nothing that the mix or the difficulty allows.
    """
    if not scenarios:
        raise DataError("there is no scenario to train on: data.source is empty, or every prompt was too long")
    groups, data = recipe.generations * recipe.groups_per_generation, recipe.data
    shares = _shares(scenarios, data)
    cards = {name: [one for one in scenarios if name in (UNMIXED, _deck_of(one, data))] for name in shares}
    decks = {name: _Deck(cards[name], f"{recipe.run.seed}/{name}") for name in shares}
    dealt = enumerate(islice(turns(shares), groups))
    return [decks[name].deal(_allowed_orders(data, position / groups)) for position, name in dealt]


def turns(shares: Mapping[str, float]) -> Iterator[str]:
    """Yield names without end, each with its share of every beginning as nearly as whole numbers allow."""
    whole, dealt = sum(shares.values()), Counter[str]()
    for position in count(1):
        name = max(shares, key=lambda one: (shares[one] / whole * position - dealt[one], one))
        dealt[name] += 1
        yield name


def _deck_of(scenario: Scenario, data: Data) -> str:
    return str(scenario.meta.get(SOURCE)) if data.sources else scenario.dimension


def _shares(scenarios: Sequence[Scenario], data: Data) -> dict[str, float]:
    """Return each deck's share of the schedule, relative to the others'."""
    setting = "data.sources" if data.sources else "data.mix"
    given = {one.source: one.share for one in data.sources} or data.mix
    wanted = {name: share for name, share in given.items() if share > 0}
    if not wanted:
        return {UNMIXED: 1.0}
    there = {_deck_of(scenario, data) for scenario in scenarios}
    if missing := sorted(wanted.keys() - there):
        found = ", ".join(sorted(there)) or "no dimension"
        raise DataError(f"{setting} names {', '.join(missing)}; the scenarios have {found}")
    return wanted


def _allowed_orders(data: Data, progress: float) -> tuple[int, ...] | None:
    """Return the belief orders allowed at this share of the run; None: all."""
    return next((stage.orders for stage in data.difficulty or () if progress < stage.until), None)


class _Deck:
    """Deals scenarios round by round; within what is allowed, those dealt least often come first."""

    def __init__(self, cards: Sequence[Scenario], seed: str) -> None:
        self._cards, self._seed, self._round = cards, seed, 0
        self._uses = [0] * len(cards)
        self._orders: tuple[int, ...] | None = None
        self._pile: list[int] = []

    def deal(self, orders: tuple[int, ...] | None) -> Scenario:
        """Return the next scenario of these orders (None: any)."""
        if not self._pile or orders != self._orders:
            self._shuffle(orders)
        card = self._pile.pop()
        self._uses[card] += 1
        return self._cards[card]

    def _shuffle(self, orders: tuple[int, ...] | None) -> None:
        self._orders = orders
        allowed = [i for i, one in enumerate(self._cards) if orders is None or one.meta.get("order") in orders]
        if not allowed:
            kind = f"{self._cards[0].dimension} ".lstrip()
            raise DataError(
                f"data.difficulty allows orders {list(orders or ())}, but no {kind}scenario has one of them"
            )
        fewest = min(self._uses[i] for i in allowed)
        self._pile = [i for i in allowed if self._uses[i] == fewest]
        self._round += 1
        random.Random(f"{self._seed}/{self._round}").shuffle(self._pile)
