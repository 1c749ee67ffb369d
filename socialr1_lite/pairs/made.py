"""The pairs that a judge is trained on: of replies read with care, and of stories in free wording and in gold's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice

from socialr1_lite.pairs.free import FreePairs
from socialr1_lite.pairs.labelled import corpus_pairs
from socialr1_lite.pairs.record import Pair
from socialr1_lite.stories import DIMENSIONS, generate
from socialr1_lite.stories.base import Rng

READ = 0.25  # share of pairs of replies that were read with care [ours]
STORIES = 600  # generated at a time, with a seed of their own
LAST_LEARNED = "could pretend"  # whose answers say in other words than the belief what somebody knows
LAST_SHARE = 0.5  # so many of other knowledge stories are taken: some seeds never learned that one [measured]


def make_pairs(
    n: int,
    *,
    seed: int = 11,
    split: str = "train",
    dimensions: Sequence[str] = tuple(DIMENSIONS),
    orders: Sequence[int] = (0, 1, 2, 3),
) -> list[Pair]:
    """Make n pairs: some of the corpus' train part, the others from fresh stories, about ten a story.

    The same arguments give the same pairs. split: whose names and things ("test": never in "train"; nor is the corpus).
    """
    read = list(islice(corpus_pairs(seed), int(READ * n))) if split == "train" else []
    pairs = [*read, *islice(story_pairs(seed, split, dimensions, orders), n - len(read))]
    Rng(f"pairs {seed}").shuffle(pairs)
    return pairs


def story_pairs(seed: int, split: str, dimensions: Sequence[str], orders: Sequence[int]) -> Iterator[Pair]:
    """Make pairs from fresh stories without end."""
    before = ["", ""]  # of the family before, so that a twin is not taken for another story
    for part in count():
        for scenario in generate(STORIES, seed=1000 * seed + part, dimensions=dimensions, orders=orders, split=split):
            before.append(scenario.story)
            usual = scenario.dimension == "knowledge" and scenario.meta["template"] != LAST_LEARNED
            if usual and not Rng(f"{scenario.id} taken {seed}").chance(LAST_SHARE):
                continue
            if scenario.facts is not None and before[-3]:
                yield from FreePairs(scenario, scenario.facts, f"{seed}", before[-3]).pairs()
