"""Near-duplicates: evaluation questions that stand, word for word or nearly, among training rows.

MinHash over 13-grams of words (the length usual in contamination checks since GPT-3's), found by locality-sensitive
hashing and then measured exactly, so that a reported share is not an estimate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from socialr1_lite.scenario import Scenario

NGRAM = 13
PERMUTATIONS = 128
LOOKED_FOR = 0.3  # estimated Jaccard similarity from which a pair is measured; low, since measuring is cheap
REPORTED = 0.5  # share of the evaluation question's 13-grams that a training row must hold [ours]
WORD = re.compile(r"[\u3400-\u9fff]|\w+")  # Chinese has no spaces: each character is a word


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A training row that holds `share` (0 to 1) of an evaluation question's 13-grams."""

    training: str
    evaluation: str
    share: float


def grams(scenario: Scenario) -> frozenset[str]:
    """Return the 13-grams of story and question, case and punctuation aside; a shorter text is one gram."""
    words = WORD.findall(f"{scenario.story} {scenario.question}".lower())
    if len(words) <= NGRAM:
        return frozenset([" ".join(words)])
    return frozenset(" ".join(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1))


def near_duplicates(training: Iterable[Scenario], evaluation: Iterable[Scenario]) -> list[NearDuplicate]:
    """Find for each training row the evaluation question it holds most of, if at least half; worst first."""
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped,unused-ignore]

    index = MinHashLSH(threshold=LOOKED_FOR, num_perm=PERMUTATIONS)
    held: dict[str, frozenset[str]] = {}
    for scenario in evaluation:
        if (ngrams := grams(scenario)) and scenario.id not in held:
            held[scenario.id] = ngrams
            index.insert(scenario.id, _sketch(MinHash, ngrams), check_duplication=False)
    found = []
    for scenario in training:
        ngrams = grams(scenario)
        near = index.query(_sketch(MinHash, ngrams))
        share, name = max(((len(ngrams & held[name]) / len(held[name]), name) for name in near), default=(0.0, ""))
        if share >= REPORTED:
            found.append(NearDuplicate(scenario.id, name, share))
    return sorted(found, key=lambda near: (-near.share, near.training))


def _sketch(kind: type, ngrams: frozenset[str]) -> object:
    sketch = kind(num_perm=PERMUTATIONS)
    sketch.update_batch([gram.encode() for gram in ngrams])
    return sketch
