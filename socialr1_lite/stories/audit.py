"""Does a shortcut answer the questions? Each baseline's accuracy against chance, per dimension, with intervals.

A question that can be answered without following who perceived what teaches a model to do just that. So the generator
is held to this table: naming the same letter, the first or last or most often mentioned option, what is really so, the
longest option, or whatever a bag-of-words classifier finds must get no further than guessing (`TOLERANCE`).
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from socialr1_lite.scenario import Scenario

TOLERANCE = 0.05  # how far from chance a shortcut may be
STORY_TOLERANCE = 0.10  # the same for the classifier that reads the story's words
Z = 1.959964  # normal quantile of a 95 % interval
BUCKETS = 1 << 16  # hashed features of the classifier
STEPS, RATE, RIDGE = 80, 0.05, 1.0  # Adam steps on the whole data, their size, weight of the squared norm
WORD = re.compile(r"[a-z']+")
SENTENCE = re.compile(r"[^.!?]+[.!?]")


@dataclass(frozen=True, slots=True)
class ShortcutResult:
    """One shortcut on one dimension. accuracy, low, high, chance: shares in [0, 1]; n: scenarios."""

    dimension: str
    shortcut: str
    accuracy: float
    low: float
    high: float
    chance: float
    tolerance: float
    n: int

    @property
    def excess(self) -> float:
        """Return accuracy above chance."""
        return self.accuracy - self.chance

    @property
    def works(self) -> bool:
        """Tell whether the shortcut tells something; a classifier that is below chance tells nothing."""
        return (self.excess if "words" in self.shortcut else abs(self.excess)) > self.tolerance


Guess = Callable[[Scenario], Sequence[int]]  # the options a shortcut cannot choose between; none: it has nothing to say
RANKS: dict[str, Callable[[list[int]], int]] = {  # of an option, by the places where the story mentions it
    "first mentioned": lambda places: -places[0],
    "last mentioned": lambda places: places[-1],
    "most mentioned": len,
}


def audit(scenarios: Sequence[Scenario], others: Sequence[Scenario]) -> list[ShortcutResult]:
    """Measure every shortcut on every dimension of `scenarios`; the classifiers learn from `others`."""
    rows = []
    for dimension in dict.fromkeys(scenario.dimension for scenario in scenarios):
        tested = [s for s in scenarios if s.dimension == dimension]
        learned_from = [s for s in others if s.dimension == dimension]
        rows += [_row(dimension, name, tested, hits) for name, hits in _hits(tested, learned_from).items()]
    return rows


def _hits(tested: Sequence[Scenario], learned_from: Sequence[Scenario]) -> dict[str, list[float]]:
    """Measure how right each shortcut is on each scenario, in [0, 1] (a guess among several is partly right)."""
    letter = Counter(scenario.gold[0] for scenario in tested).most_common(1)[0][0]
    guesses: dict[str, Guess] = {"most frequent letter": lambda s: [letter] if letter < len(s.options) else []}
    guesses |= {name: partial(_best, rank=rank) for name, rank in RANKS.items()}
    guesses["longest option"] = _longest
    for mark in sorted({key for s in tested for key in s.meta if key.startswith("mark ")}):
        guesses[mark.removeprefix("mark ")] = partial(_marked, mark=mark)
    hits = {name: [_credit(s, guess(s)) for s in tested] for name, guess in guesses.items()}
    hits["words of question and options"] = classified(tested, learned_from, with_story=False)
    hits["words with story"] = classified(tested, learned_from, with_story=True)
    return hits


def _marked(scenario: Scenario, mark: str) -> list[int]:
    index = scenario.meta.get(mark)
    return [index] if isinstance(index, int) else []


def _credit(scenario: Scenario, guess: Sequence[int]) -> float:
    guess = guess or range(len(scenario.options))
    return sum(index in scenario.gold for index in guess) / len(guess)


def _row(dimension: str, name: str, tested: Sequence[Scenario], hits: Sequence[float]) -> ShortcutResult:
    """Compute mean and 95 % interval; twins are not independent, so families are the units."""
    families: dict[str, list[float]] = {}
    for scenario, hit in zip(tested, hits, strict=True):
        families.setdefault(scenario.group or scenario.id, []).append(hit)
    n, mean = len(hits), sum(hits) / len(hits)
    spread = sum((sum(group) - mean * len(group)) ** 2 for group in families.values()) ** 0.5 / n
    chance = sum(1 / len(scenario.options) for scenario in tested) / n
    tolerance = STORY_TOLERANCE if name == "words with story" else TOLERANCE
    return ShortcutResult(dimension, name, mean, mean - Z * spread, mean + Z * spread, chance, tolerance, n)


def _bare(option: str) -> str:
    return re.sub(r"^(?:the|a|an|in the) ", "", option.lower()).rstrip(".")


def _best(scenario: Scenario, rank: Callable[[list[int]], int]) -> list[int]:
    """Choose the options of the highest rank by where the story mentions them (their words without article)."""
    found, story = {}, scenario.story.lower()
    for index, option in enumerate(scenario.options):
        if places := [match.start() for match in re.finditer(rf"\b{re.escape(_bare(option))}\b", story)]:
            found[index] = rank(places)
    return [index for index, value in found.items() if value == max(found.values())]


def _longest(scenario: Scenario) -> list[int]:
    length = max(map(len, scenario.options))
    return [index for index, option in enumerate(scenario.options) if len(option) == length]


def features(scenario: Scenario, index: int, *, with_story: bool) -> set[int]:
    """Hash an option's features: its words, alone and with the question's; with the story: the words around it.

    An option that the story mentions goes with the words of the sentences that mention it and how often they do; any
    other ("Yes", "angry") with every word of the story.
    """
    option, question = _bare(scenario.options[index]), set(WORD.findall(scenario.question.lower()))
    names = [f"o {option}", *(f"w {word}" for word in WORD.findall(option))]
    names += [f"q {option} {word}" for word in question]
    if with_story:
        sentences = SENTENCE.findall(scenario.story.lower())
        around = [s for s in sentences if re.search(rf"\b{re.escape(option)}\b", s)]
        names.append(f"n {len(around)}")
        words = set(WORD.findall(" ".join(around) if around else scenario.story.lower()))
        names += [f"s {word}" if around else f"t {option} {word}" for word in words]
    return {zlib.crc32(name.encode()) % BUCKETS for name in names}


def classified(tested: Sequence[Scenario], learned_from: Sequence[Scenario], *, with_story: bool) -> list[float]:
    """Give 1.0 where a logistic regression over the options (softmax of summed weights) is right."""
    import numpy as np

    def sparse(scenarios: Sequence[Scenario]) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
        columns, rows, groups, gold = parts = [list[int]() for _ in range(4)]
        for number, scenario in enumerate(scenarios):
            for index in range(len(scenario.options)):
                found = sorted(features(scenario, index, with_story=with_story))
                columns += found
                rows += [len(groups)] * len(found)
                gold.append(int(index in scenario.gold))
                groups.append(number)
        return [np.array(part) for part in parts]

    columns, rows, groups, gold = sparse(learned_from)
    n = len(learned_from)
    weights, mean, square = np.zeros((3, BUCKETS))
    for step in range(1, STEPS + 1):
        scores = np.exp(np.bincount(rows, weights[columns], minlength=len(groups)).clip(-30, 30))
        share = scores / np.bincount(groups, scores)[groups]
        slope = np.bincount(columns, (share - gold)[rows], minlength=BUCKETS) / n + RIDGE * weights / n
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        weights -= RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    columns, rows, groups, gold = sparse(tested)
    scores = np.bincount(rows, weights[columns], minlength=len(groups))
    best = np.full(len(tested), -np.inf)
    np.maximum.at(best, groups, scores)
    top = scores == best[groups]
    right = np.bincount(groups, top & (gold == 1)) / np.bincount(groups, top)
    return [float(value) for value in right]


def as_text(rows: Iterable[ShortcutResult]) -> str:
    """Write the table, a line a shortcut."""
    lines = [f"{'dimension':<26}{'shortcut':<32}{'accuracy':>9}{'95 % interval':>17}  chance  excess  limit"]
    for row in rows:
        interval, mark = f"{row.low:.3f}-{row.high:.3f}", "  WORKS" if row.works else ""
        lines.append(
            f"{row.dimension:<26}{row.shortcut:<32}{row.accuracy:>9.3f}{interval:>17}{row.chance:>8.3f}{row.excess:>+8.3f}"
            f"{row.tolerance:>7.2f}{mark}"
        )
    return "\n".join(lines)


def as_json(rows: Iterable[ShortcutResult], settings: Mapping[str, object]) -> dict[str, object]:
    """Write the table as JSON-ready rows, with what was generated."""
    rows = list(rows)
    table = [asdict(row) | {"excess": row.excess, "works": row.works} for row in rows]
    return {"version": 1, "settings": dict(settings), "rows": table, "passed": not any(row.works for row in rows)}
