"""What guessing would get right, and which letters are chosen: without both, "right" says little."""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from socialr1_lite.runlog import RunFolder
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.lines import read_rows
from socialr1_lite.runlog.query import Filter
from socialr1_lite.statistics import Interval, proportion_by_cluster
from socialr1_lite.viewer.serving import Json
from socialr1_lite.viewer.words import percent

LEANS = 0.2  # [ours] so much more of the answers than of the gold, and a letter is preferred for its place
SPLITS = ("dimension", "order", "template", "perturbation")
ENOUGH = 30  # answers below which nothing is said of chance or letters


class Asked(NamedTuple):
    """What figures need of a scenario: how many options, which are gold, the story that it belongs to.

    kinds: of which kind it is, by each of SPLITS that its row names.
    """

    options: int
    gold: tuple[int, ...]
    story: str
    kinds: Mapping[str, str] = MappingProxyType({})

    @property
    def chance(self) -> float | None:
        """The share of the options that are gold; None for an open question."""
        return len(self.gold) / self.options if self.options and self.gold else None


def asked(run: RunFolder) -> Mapping[str, Asked]:
    """Return what was asked under each scenario's id, read once as long as the file stays as it is."""
    if not run.scenarios.exists():
        return {}
    state = run.scenarios.stat()
    return _asked(run.scenarios, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _asked(path: Path, size: int, mtime_ns: int) -> Mapping[str, Asked]:
    """Read the file as it was at that size and time. Questions of one group, else of one story, belong together."""
    found = {}
    for row in read_rows(path):
        options, gold, meta = (row.get(name) for name in ("options", "gold", "meta"))
        n = len(options) if isinstance(options, list) else 0
        places = tuple(one for one in gold if isinstance(one, int)) if isinstance(gold, list) else ()
        told = {**(meta if isinstance(meta, dict) else {}), "dimension": row.get("dimension")}
        kinds = {name: str(told[name]) for name in SPLITS if told.get(name) not in (None, "")}
        id = str(row.get("id"))
        found[id] = Asked(n, places, str(row.get("group") or row.get("story") or id), kinds)
    return found


class Chance(NamedTuple):
    """What guessing gets, each in [0, 1]: the mean over what was asked, and where it gets least and most."""

    mean: float
    least: float
    most: float

    @property
    def words(self) -> str:
        """The mean, and between which figures the questions lie where they differ."""
        low, high = percent(self.least), percent(self.most)
        return f"chance {percent(self.mean)}" + (f" ({low} to {high} by question)" if low != high else "")


def chance_among(index: TraceIndex, where: Filter) -> Chance | None:
    """Return the chance of the completions that pass a filter; None where no question has options."""
    return chance_of(index.figures.tally(("scenario",), where), asked(index.run))


def chance_of(counted: Iterable[tuple[str, int]], known: Mapping[str, Asked]) -> Chance | None:
    """Return the chance of questions, each asked so many times; None where none of them has options."""
    shares = Counter[float]()
    for scenario, n in counted:
        one = known.get(scenario)
        if one is not None and one.chance is not None:
            shares[one.chance] += n
    if not shares:
        return None
    return Chance(sum(share * n for share, n in shares.items()) / shares.total(), min(shares), max(shares))


class Letters(NamedTuple):
    """Readable answers by their letter. chosen: how often each was given. gold: how often it was right to give it.

    right: how often it was given and right. chance: of the questions asked, unreadable answers among them.
    stories: (right, answers) of each.
    """

    chosen: list[int]
    gold: list[float]
    right: list[int]
    chance: Chance | None
    stories: dict[str, tuple[int, int]]

    @property
    def n(self) -> int:
        """How many answers there are."""
        return sum(self.chosen)

    @property
    def leaning(self) -> int | None:
        """The letter that is given far more often than it is gold; None where there is none."""
        if self.n < ENOUGH:
            return None
        more = [(chosen - gold) / self.n for chosen, gold in zip(self.chosen, self.gold, strict=True)]
        return max(range(len(more)), key=more.__getitem__) if max(more) >= LEANS else None


def letters_of(counted: Iterable[tuple[str, int | None, int]], known: Mapping[str, Asked]) -> Letters:
    """Count answers. counted: (scenario, the place of the option that was chosen or None, how many such answers)."""
    chosen, right = Counter[int](), Counter[int]()
    gold = defaultdict[int, float](float)
    stories: dict[str, tuple[int, int]] = {}
    counted = list(counted)
    for scenario, place, n in counted:
        one = known.get(scenario)
        if one is None or one.chance is None or place is None or not 0 <= place < one.options:
            continue
        chosen[place] += n
        hits = n * (place in one.gold)
        right[place] += hits
        for at in one.gold:
            gold[at] += n / len(one.gold)
        so_far = stories.get(one.story, (0, 0))
        stories[one.story] = so_far[0] + hits, so_far[1] + n
    width = max([*chosen, *gold], default=-1) + 1
    places = range(width)
    chance = chance_of(((scenario, n) for scenario, _, n in counted), known)
    return Letters([chosen[i] for i in places], [gold[i] for i in places], [right[i] for i in places], chance, stories)


def answers(index: TraceIndex, where: Filter) -> Json:
    """Return the answers that pass a filter, against chance and by letter, with what is to be said of them."""
    return said_of(letters_of(index.figures.tally(("scenario", "answer"), where), asked(index.run)))


def said_of(found: Letters) -> Json:
    """Return counted answers against chance and by letter, with what is to be said of them."""
    chance = found.chance.mean if found.chance else None
    said: Json = {"chance": chance, "letters": letter_rows(found), "words": [], "alerts": []}
    if not found.n or chance is None:
        return said
    share = proportion_by_cluster(found.stories.values())
    return said | {
        "words": [_words(found, chance, share)],
        "alerts": [*_alerts(found, chance, share)] if found.n >= ENOUGH else [],
    }


def letter_rows(found: Letters) -> list[Json]:
    """Return a line a letter: its share of the answers and of the gold, and how often it was right when given."""
    return [
        {
            "letter": string.ascii_uppercase[i] if i < 26 else str(i + 1),
            "answer": i,
            "n": found.chosen[i],
            "chosen": found.chosen[i] / found.n,
            "gold": found.gold[i] / found.n,
            "right": found.right[i] / found.chosen[i] if found.chosen[i] else None,
        }
        for i in range(len(found.chosen) if found.n else 0)
    ]


def _words(found: Letters, chance: float, share: Interval) -> str:
    best = max(range(len(found.gold)), key=found.gold.__getitem__)
    letter, always = letter_rows(found)[best]["letter"], percent(found.gold[best] / found.n)
    return (
        f"Of {found.n} readable answers {percent(share.value)} are right (95 % interval {percent(share.low)} to "
        f"{percent(share.high)}, over {len(found.stories)} stories). "
        f"Guessing gets {percent(chance)}, always answering {letter} {always}."
    )


def _alerts(found: Letters, chance: float, share: Interval) -> Iterable[str]:
    """Yield what somebody should know: answers no better than guessing, a letter that is chosen for its place."""
    if share.low <= chance:
        yield (
            f"{percent(share.value)} of the last readable answers are right, and guessing gets {percent(chance)} "
            f"(95 % interval {percent(share.low)} to {percent(share.high)}, by story): not to be told from chance."
        )
    if (letter := found.leaning) is not None:
        row = letter_rows(found)[letter]
        yield (
            f"{row['n']} of the last {found.n} readable answers are {row['letter']}, which is right for "
            f"{percent(row['gold'])} of them: the place of an option decides, not what it says."
        )


def most_chosen(places: Sequence[int | None]) -> tuple[str, float] | None:
    """Return the letter given most often, with its share of the readable answers; None where there is none."""
    counted = Counter(place for place in places if place is not None)
    if not counted:
        return None
    place, n = min(counted.items(), key=lambda one: (-one[1], one[0]))
    return string.ascii_uppercase[place] if 0 <= place < 26 else str(place + 1), n / counted.total()
