"""What one plain sentence speaks for: no stage, encoding, interpretation, goal or response, by a linear reader [ours].

Words, pairs of words and classes of words are its features, `evidence.json` their weights, learned from labelled
sentences by `benchmarks/unmarked.py`. Neither a sentence's place nor its neighbours count: reasoning in the wrong
order must stay visible as such.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files

import orjson

from socialr1_lite.sip.settling import settled_label
from socialr1_lite.sip.wording import CLASSES, plain

LABELS = 5  # no stage, then the four stages
SENTENCES_KEPT = 512  # structure reads again what parsing has just read


def features(words: Sequence[str], settled: bool = False) -> Iterator[str]:
    """Yield what is to be weighed of a sentence's words. settled: it settles on an option (`settling`)."""
    said = ["NAME" if word[0].isupper() else "@" if word[0] == "@" else word for word in words if word not in ",;"]
    yield from said
    yield from map("{}_{}".format, ["^", *said], [*said, "$"])
    for word in said:
        yield from map("c:{}".format, CLASSES.get(word, ()))
    spoken = sum(word.isalpha() for word in said)
    yield f"f:length {sum(spoken >= least for least in (3, 6, 10, 16))}"
    first = said[0] if said else ""
    yield f"f:first {CLASSES.get(first, [first if first in ('@', 'NAME') else ''])[0]}"
    labels = [at for at, word in enumerate(said) if word == "@"]
    if labels:
        yield f"f:labels {min(len(labels), 2)}"
        if labels[-1] >= len(said) - 2:
            yield "f:label last"
    if said[-1:] == ["?"]:
        yield "f:question"
    if not {'"', "'"}.isdisjoint(said):
        yield "f:quote"
    if _ACTS.search(" ".join(said)):
        yield "f:acts"
    if settled:
        yield "f:settled"


_ACTS = re.compile(
    r"\b(?:he|she|they|NAME|it) (?:\w+ly )?(?!is|was|has|does|thinks|knows|believes|feels|wants|means)\w+(?:s|ed)\b"
)


@cache
def _weights() -> dict[str, tuple[float, ...]]:
    found: dict[str, list[float]] = orjson.loads((files(__package__) / "evidence.json").read_bytes())
    return {feature: tuple(weights) for feature, weights in found.items()}


@lru_cache(maxsize=SENTENCES_KEPT)
def evidence(sentence: str, letters: str = "") -> tuple[float, ...]:
    """Return the probabilities that a sentence belongs to no stage, or to each of the four; they add up to 1."""
    words = plain(sentence, letters)
    if not any(word.isalnum() or word[0] == "@" for word in words):
        return (1.0, *[0.0] * (LABELS - 1))
    weights = _weights()
    rows = [
        weights["bias"],
        *(weights[one] for one in set(features(words, settled_label(words) is not None)) if one in weights),
    ]
    sums = [math.exp(min(sum(column), 500.0)) for column in zip(*rows, strict=True)]
    total = sum(sums)
    return tuple(one / total for one in sums)
