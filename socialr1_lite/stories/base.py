"""What a dimension of questions provides, and the small things every dimension builds with.

A dimension is one file with one `Dimension` record and a line in the table of `stories/__init__.py`. Its `templates`
are functions `(Request) -> Family | None`: a family is a question about a story and its twins, the same question
about minimally edited stories with another answer. A template draws freely and gives None when what it drew does not
carry the answer that the request asks for; it is then called again with a fresh generator. Letters, option order, ids,
balance and gold replies are not its business (assembly.py, gold.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from socialr1_lite.scenario import Claim, Scalar
from socialr1_lite.stories.scope import EVERYTHING, Scope

T = TypeVar("T")


class Rng:
    """Random choices, the same on every Python version: of `Random` only `random()` with a text seed promises that."""

    __slots__ = ("_random",)

    def __init__(self, seed: str) -> None:
        """Seed with a text; Python hashes text seeds with SHA-512, whatever PYTHONHASHSEED says."""
        self._random = Random(seed).random

    def below(self, n: int) -> int:
        """Draw an integer in [0, n)."""
        return int(self._random() * n)

    def chance(self, share: float) -> bool:
        """Give True in this share of throws."""
        return self._random() < share

    def pick(self, items: Sequence[T]) -> T:
        """Draw one of the items, each as likely."""
        return items[int(self._random() * len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put the items in a random order, in place."""
        for i in range(len(items) - 1, 0, -1):
            j = int(self._random() * (i + 1))
            items[i], items[j] = items[j], items[i]

    def sample(self, items: Sequence[T], n: int) -> list[T]:
        """Draw `n` different items in random order (all of them if there are fewer)."""
        pool, n = list(items), min(n, len(items))
        for i in range(n):
            j = i + int(self._random() * (len(pool) - i))
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:n]


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a template: one draw.

    rng: for every free choice. split: whose words. order: depth of belief that decides the answer. chapters: 1 to 3.
    options: how many are wanted (a template gives what it can, at least 2). slot in [0, 1): which of the possible
    answers must be gold: a template with k candidate answers makes number int(slot * k) gold or gives None. Since
    slots are dealt evenly and *before* the story is drawn, no place, person or role is gold more often than another.
    scope: what may be told; whatever else a template gives is refused.
    """

    rng: Rng
    split: str
    order: int
    chapters: int
    options: int
    slot: float
    scope: Scope = EVERYTHING

    def draw_people(self) -> int:
        """Draw how many people the story has: enough for this depth of belief, at times one more."""
        if self.scope.people:
            return self.people(0)
        return max(3, self.order + 1) + self.rng.below(2)

    def people(self, usual: int, least: int = 0) -> int:
        """Return how many people the story has: as usual, or a number of the scope, but enough for order and plot."""
        if not self.scope.people:
            return usual
        return max(least, self.order + 1, self.rng.pick(self.scope.people))

    def draw_places(self, most: int = 4) -> int:
        """Draw how many places a thing of the story has, 2 to `most`, or one of the scope's numbers up to it."""
        return min(most, self.rng.pick(self.scope.places)) if self.scope.places else 2 + self.rng.below(most - 1)


@dataclass(frozen=True, slots=True)
class Draft:
    """One story with its question; the options are the family's. `sentences` make the story, in order.

    paragraphs: indices of sentences that begin a new paragraph. cues: indices of the decisive sentences.
    shortcuts: option text -> name of the shortcut it stands for (never the gold one).
    marks: shortcut name -> option text it would answer, gold or not (for the audit: "reality", …).
    stated: how many claims, from the first on, an interpretation must state for the answer to follow. known: what
    follows from the claims for knowing ("knows where the ball really is"). goals: accepted besides `goal`.
    devices: what happens in the story of what a scope can leave out. noticed: as of `Facts`.
    """

    sentences: tuple[str, ...]
    question: str
    gold: str
    cues: tuple[int, ...]
    claims: tuple[Claim, ...]
    goal: Claim
    shortcuts: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    paragraphs: tuple[int, ...] = ()
    stated: int = 1
    known: tuple[Claim, ...] = ()
    goals: tuple[Claim, ...] = ()
    devices: frozenset[str] = frozenset()
    noticed: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A draft and its twins over the same options. `perturbation` names the edit that turns one into the other."""

    drafts: tuple[Draft, ...]
    options: tuple[str, ...]
    people: tuple[str, ...]
    things: tuple[str, ...]
    perturbation: str
    meta: Mapping[str, Scalar] = field(default_factory=dict)


Template = Callable[[Request], Family | None]


def by_name(*templates: Template) -> dict[str, Template]:
    """Name each template as its function is called: `who_asks` is "who asks"."""
    return {template.__name__.replace("_", " "): template for template in templates}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One of the six: which orders of belief its questions have, and its templates by name.

    perturbations: of a template at an order, edits of which one at least must be allowed: its pairs come by it, or by
    it and others.
    """

    name: str
    orders: tuple[int, ...]
    templates: Mapping[str, Template]
    perturbations: Callable[[str, int], tuple[str, ...]]
    of_order: Callable[[str, int], bool] = lambda template, order: True  # whether a template can ask at this order
