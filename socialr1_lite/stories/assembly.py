"""From families to scenarios: how many of what, which option stands where, ids, facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.stories.base import Dimension, Draft, Family, Request, Rng
from socialr1_lite.stories.scope import (
    EVENTS,
    EVERYTHING,
    FEWEST_PEOPLE,
    FEWEST_PLACES,
    MOST_PEOPLE,
    MOST_PLACES,
    Scope,
)
from socialr1_lite.stories.wording import GENDERS

SLOTS = 12  # gold slots are dealt in decks of this many, each equally often
DRAWS = 2000  # stories drawn for one slot before we call it a bug of the template
TAGS = "abcdefgh"  # a family's members


class Dealer:
    """Deals cards of shuffled decks, one deck a kind, so that each card of a kind comes equally often."""

    def __init__(self, rng: Rng) -> None:
        """Shuffle with this generator."""
        self._rng = rng
        self._decks: dict[object, list[int]] = {}

    def deal(self, kind: object, size: int) -> int:
        """Deal a number in [0, size)."""
        deck = self._decks.setdefault((kind, size), [])
        if not deck:
            deck.extend(range(size))
            self._rng.shuffle(deck)
        return deck.pop()


class Settings(NamedTuple):
    """What `generate` was asked for: its arguments, without the number."""

    seed: int
    dimensions: Sequence[str]
    orders: Sequence[int]
    split: str
    mix: Mapping[str, float]
    chapters: Sequence[int]
    options: int
    scope: Scope = EVERYTHING

    def __str__(self) -> str:
        """Write what seeds every story: the same text whatever kinds of sequences were given."""
        lists = (list(self.dimensions), list(self.orders), self.split, sorted(self.mix.items()), list(self.chapters))
        return repr((self.seed, *lists, self.options)) + ("" if self.scope == EVERYTHING else str(self.scope))

    def templates(self, dimension: Dimension, order: int) -> list[str]:
        """Return the dimension's templates that can ask at this order and make a pair that may be told."""
        scope = self.scope
        return [
            name
            for name in dimension.templates
            if order in dimension.orders
            and dimension.of_order(name, order)
            and name in scope.templates
            and any(edit in scope.perturbations for edit in dimension.perturbations(name, order))
        ]


def scenarios(n: int, table: Mapping[str, Dimension], settings: Settings) -> Iterator[Scenario]:
    """Give the first `n` scenarios of the endless sequence that the settings name; twins follow each other."""
    digest = sha256(str(settings).encode()).hexdigest()[:8]
    dealer = Dealer(Rng(f"{settings} dealer"))
    turns = _turns(settings.dimensions, settings.mix)
    made, index = 0, 0
    while made < n:
        dimension = table[next(turns)]
        family = _family(dimension, dealer, settings, index)
        name = f"stories/{settings.split}-{digest}-{dimension.name}-{index:06d}"
        for scenario in _members(name, dimension, family, dealer):
            if made < n:
                yield scenario
                made += 1
        index += 1


def _turns(dimensions: Sequence[str], mix: Mapping[str, float]) -> Iterator[str]:
    """Give dimensions in the proportions of the mix (equal where it is silent), as evenly spread as can be."""
    shares = {name: float(mix.get(name, 0.0 if mix else 1.0)) for name in dimensions}
    due = dict.fromkeys(dimensions, 0.0)
    while True:
        for name in due:
            due[name] += shares[name]
        chosen = max(due, key=lambda name: due[name])
        due[chosen] -= sum(shares.values())
        yield chosen


def _family(dimension: Dimension, dealer: Dealer, settings: Settings, index: int) -> _Drawn:
    """Draw stories until one carries the answer that was dealt."""
    possible = [order for order in settings.orders if settings.templates(dimension, order)]
    order = possible[dealer.deal((dimension.name, "order"), len(possible))]
    names = settings.templates(dimension, order)
    template = names[dealer.deal((dimension.name, order, "template"), len(names))]
    length = settings.chapters[dealer.deal((dimension.name, "chapters"), len(settings.chapters))]
    card = dealer.deal((dimension.name, template, order, "slot"), SLOTS)
    for draw in range(DRAWS):
        rng = Rng(f"{settings} {index} {draw}")
        slot = (card + rng.below(1000) / 1000) / SLOTS
        request = Request(rng, settings.split, order, length, settings.options, slot, settings.scope)
        family = dimension.templates[template](request)
        if family is not None and settings.scope.admits(family.perturbation, [one.devices for one in family.drafts]):
            return _Drawn(family, template, order, length, rng)
    what = f"{dimension.name}/{template} of order {order}"
    remedy = "" if settings.scope.every else " within data.templates, data.perturbations and data.objects; allow more"
    raise DataError(f"stories: {what}: no story in {DRAWS} draws carries the answer{remedy}")


class _Drawn(NamedTuple):
    """A family with what was dealt for it."""

    family: Family
    template: str
    order: int
    chapters: int
    rng: Rng


def _members(name: str, dimension: Dimension, drawn: _Drawn, dealer: Dealer) -> Iterator[Scenario]:
    """Write the family's scenarios. All share the order of options, so that a twin changes the story alone."""
    family = drawn.family
    options = _placed(family, dealer, drawn.rng)
    ids = [f"{name}{TAGS[i]}" for i in range(len(family.drafts))]
    for i, draft in enumerate(family.drafts):
        marks = {f"mark {mark}": options.index(text) for mark, text in draft.marks.items() if text in options}
        yield Scenario(
            id=ids[i],
            story=_story(draft),
            question=draft.question,
            options=tuple(options),
            gold=(options.index(draft.gold),),
            dimension=dimension.name,
            source="stories",
            group=name,
            shortcuts=tuple("" if o == draft.gold else draft.shortcuts.get(o, "other") for o in options),
            twins=tuple(other for other in ids if other != ids[i]),
            facts=_facts(family, draft),
            meta={
                "order": drawn.order,
                "template": drawn.template,
                "perturbation": family.perturbation,
                "twin": i,
                "chapters": drawn.chapters,
                "stated": draft.stated,
                **family.meta,
                **marks,
            },
        )


def _facts(family: Family, draft: Draft) -> Facts:
    """Gather what is true. A state decides if it is held where the asked one is, or deeper in the same chain."""
    people, claims = family.people, [*draft.claims, *(one for one in draft.known if one not in draft.claims)]
    asked = claims[0].chain(people)

    def decides(index: int, claim: Claim) -> bool:
        beside = claim.chain(people)[: len(asked)] == asked
        return beside and (index < len(draft.claims) or claim.relation == "knows")

    return Facts(
        people,
        family.things,
        draft.sentences,
        draft.cues,
        tuple(claims),
        draft.goal,
        tuple(i for i, claim in enumerate(claims) if decides(i, claim)),
        tuple(goal for goal in dict.fromkeys(draft.goals) if goal != draft.goal),
        tuple(GENDERS[name] for name in people),
        _contrast(family, draft),
        draft.noticed,
    )


def _contrast(family: Family, draft: Draft) -> tuple[int, ...]:
    """Find the sentences that decide a twin's answer, and do not decide this one's."""
    elsewhere = {other.sentences[i] for other in family.drafts for i in other.cues}
    return tuple(i for i, sentence in enumerate(draft.sentences) if sentence in elsewhere and i not in draft.cues)


def _placed(family: Family, dealer: Dealer, rng: Rng) -> list[str]:
    """Put the options in random order, but the base's gold at a position that is dealt evenly."""
    gold = family.drafts[0].gold
    rest = [option for option in family.options if option != gold]
    rng.shuffle(rest)
    position = dealer.deal("position", len(rest) + 1)
    return [*rest[:position], gold, *rest[position:]]


def _story(draft: Draft) -> str:
    """Join the sentences to paragraphs."""
    bounds = [0, *(i for i in draft.paragraphs if i), len(draft.sentences)]
    return "\n\n".join(" ".join(draft.sentences[begin:end]) for begin, end in pairwise(bounds))


def checked(n: int, table: Mapping[str, Dimension], settings: Settings) -> None:
    """Refuse what cannot be generated. Raises DataError with what is allowed."""
    _, dimensions, orders, split, mix, chapters, options, scope = settings
    if n < 0:
        raise DataError(f"stories: n={n} must not be negative")
    if unknown := [name for name in (*dimensions, *mix) if name not in table]:
        raise DataError(f"stories: no such dimension: {', '.join(unknown)}; there are {', '.join(table)}")
    if not dimensions:
        raise DataError(f"stories: no dimension given; there are {', '.join(table)}")
    if (mix and not any(mix.get(name, 0) > 0 for name in dimensions)) or any(share < 0 for share in mix.values()):
        raise DataError(f"stories: mix {dict(mix)} must give at least one of {', '.join(dimensions)} a positive share")
    if split not in ("train", "test"):
        raise DataError(f"stories: split {split!r} must be train or test")
    for name in dimensions:
        if not set(orders) & set(table[name].orders):
            have = ", ".join(map(str, table[name].orders))
            asked = f"none of the orders asked for ({list(orders)}) is among them"
            raise DataError(f"stories: {name} has orders {have}; {asked}")
    if not chapters or any(c not in (1, 2, 3) for c in chapters):
        raise DataError(f"stories: chapters {list(chapters)} must be of 1, 2 and 3")
    if options and not 2 <= options <= 15:
        raise DataError(f"stories: options={options} must be 2 to 15 (0: as many as the story has)")
    _check_scope(table, settings, scope)


def _check_scope(table: Mapping[str, Dimension], settings: Settings, scope: Scope) -> None:
    """Refuse names that are none, numbers out of range, and what leaves a dimension nothing to tell."""
    for what, named, known in (
        ("template", scope.templates, templates(table)),
        ("perturbation", scope.perturbations, perturbations(table)),
    ):
        if unknown := [name for name in (*named.include, *named.exclude) if name not in known]:
            raise DataError(f"stories: no such {what}: {', '.join(unknown)}; there are {', '.join(known)}")
    for what, numbers, low, high in (
        ("places", scope.places, FEWEST_PLACES, MOST_PLACES),
        ("people", scope.people, FEWEST_PEOPLE, MOST_PEOPLE),
    ):
        if any(not low <= number <= high for number in numbers):
            raise DataError(f"stories: {what} {list(numbers)} must be of {low} to {high}")
    for name in settings.dimensions:
        if not any(settings.templates(table[name], order) for order in settings.orders):
            raise DataError(f"stories: {_nothing_told(table[name], settings)}")


def _nothing_told(dimension: Dimension, settings: Settings) -> str:
    """Say that the dimension has no template for the perturbations, and which each of its templates has."""
    there = [
        (name, order)
        for name in dimension.templates
        for order in settings.orders
        if name in settings.scope.templates and order in dimension.orders and dimension.of_order(name, order)
    ]
    if not there:
        asked = f"with these templates and orders {list(settings.orders)} {dimension.name} asks nothing"
        return f"{asked}; its templates: {', '.join(dimension.templates)}"
    could = dict.fromkeys(edit for name, order in there for edit in dimension.perturbations(name, order))
    return f"no template of {dimension.name} makes a pair by these perturbations; they make: {', '.join(could)}"


def templates(table: Mapping[str, Dimension]) -> list[str]:
    """Return the names of all templates."""
    return [name for dimension in table.values() for name in dimension.templates]


def perturbations(table: Mapping[str, Dimension]) -> list[str]:
    """Return the names of all perturbations."""
    made = (one.perturbations(name, order) for one in table.values() for name in one.templates for order in one.orders)
    return list(dict.fromkeys((*EVENTS, *(edit for edits in made for edit in edits))))
