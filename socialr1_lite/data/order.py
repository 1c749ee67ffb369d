"""The expanded prompt schedule: every prompt of the run in its final order, which no resume can change."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from socialr1_lite.data.told import STAGE, STORIES, Stage, stages
from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Data, Recipe
from socialr1_lite.scenario import Scenario

UNMIXED = ""  # the one deck of a run without `data.mix` and `data.sources`
SOURCE = "data_source"  # the meta value that names which of `data.sources` a scenario is from
PAIR = 2

Card = tuple[Scenario, ...]  # what is dealt at once: one scenario, or both of a pair


def schedule(scenarios: Sequence[Scenario], recipe: Recipe) -> list[Scenario]:
    """Plan one scenario for each prompt group of the whole run, in the order of generation.

    The same for the same recipe and scenarios in any process, and so on any number of resumes. No scenario
    comes back before every other one of its deck that was allowed then had its turn; each round is shuffled
    anew by `run.seed`. `data.mix` and the shares of `data.sources` hold on every stretch, not only in the mean. With
    `data.difficulty`, only scenarios allowed at that share of the run are asked; with `data.twins: together`, both of
    a pair one after the other. Raises DataError when there is nothing to ask, or nothing that the mix, the difficulty
    or the pairs allow.
    """
    if not scenarios:
        raise DataError("there is no scenario to train on: data.source is empty, or every prompt was too long")
    groups, data = recipe.generations * recipe.groups_per_generation, recipe.data
    shares, size = _shares(scenarios, data), PAIR if data.twins == "together" else 1
    decks = {}
    for name in shares:
        there = [one for one in scenarios if name in (UNMIXED, _deck_of(one, data))]
        whole = pairs(there) if size == PAIR else []
        decks[name] = _Deck(whole or [(one,) for one in there], f"{recipe.run.seed}/{name}")
    if size == PAIR and not any(deck.paired for deck in decks.values()):
        raise DataError("data.twins: together, and no two of the scenarios are twins; generated stories are")
    planned: list[Scenario] = []
    ladder, names = stages(data), turns(shares)
    while len(planned) < groups:
        deck, allowed = decks[next(names)], _allowed(data, ladder, len(planned) / groups)
        for _ in range(1 if deck.paired else size):
            planned += deck.deal(allowed)
    return planned


def pairs(scenarios: Sequence[Scenario]) -> list[Card]:
    """Return the pairs of twins among these, family by family; of three twins the first is in two pairs."""
    families: dict[str, list[Scenario]] = {}
    for one in scenarios:
        if one.twins:
            families.setdefault(min(one.id, *one.twins), []).append(one)
    found: list[Card] = []
    for family in families.values():
        whole = [*family, family[0]] if len(family) % PAIR else family
        found += [(one, other) for one, other in zip(whole[::PAIR], whole[1::PAIR], strict=True) if one is not other]
    return found


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


class _Allowed(NamedTuple):
    """What may be asked at some share of the run: belief orders, and a stage's stories; None: any."""

    orders: tuple[int, ...] | None = None
    stage: int | None = None

    def admits(self, card: Card) -> bool:
        """Tell whether all of the card may be asked."""
        return all(map(self._admits, card))

    def _admits(self, scenario: Scenario) -> bool:
        meta = scenario.meta
        if self.stage is not None:  # rows of another source have no stages
            return meta.get(SOURCE, STORIES) != STORIES or meta.get(STAGE) == self.stage
        return self.orders is None or meta.get("order") in self.orders

    def missed_by(self, kind: str) -> str:
        """Say that no scenario is allowed."""
        if self.stage is None:
            return f"data.difficulty allows orders {list(self.orders or ())}, but no {kind}scenario has one of them"
        return f"data.difficulty: no {kind}scenario is left of stage {self.stage + 1} (longer than max_prompt_tokens?)"


def _allowed(data: Data, ladder: Sequence[Stage], progress: float) -> _Allowed:
    """Return what is allowed at this share of the run."""
    if ladder:
        return _Allowed(stage=next(stage.number for stage in ladder if progress < stage.until))
    return _Allowed(next((stage.orders for stage in data.difficulty or () if progress < stage.until), None))


class _Deck:
    """Deals cards round by round; within what is allowed, those dealt least often come first."""

    def __init__(self, cards: Sequence[Card], seed: str) -> None:
        self._cards, self._seed, self._round = cards, seed, 0
        self._uses = [0] * len(cards)
        self._allowed = _Allowed()
        self._pile: list[int] = []
        self.paired = bool(cards) and len(cards[0]) == PAIR

    def deal(self, allowed: _Allowed) -> Card:
        """Return the next card that is allowed."""
        if not self._pile or allowed != self._allowed:
            self._shuffle(allowed)
        card = self._pile.pop()
        self._uses[card] += 1
        return self._cards[card]

    def _shuffle(self, allowed: _Allowed) -> None:
        self._allowed = allowed
        there = [i for i, card in enumerate(self._cards) if allowed.admits(card)]
        if not there:
            raise DataError(allowed.missed_by(f"{self._cards[0][0].dimension} ".lstrip()))
        fewest = min(self._uses[i] for i in there)
        self._pile = [i for i in there if self._uses[i] == fewest]
        self._round += 1
        random.Random(f"{self._seed}/{self._round}").shuffle(self._pile)
