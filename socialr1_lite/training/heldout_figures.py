"""What a held-out check found: accuracy, twins, transfer, with intervals by story; its rows, table and comparison.

Intervals and tests count stories, not questions: twins are right or wrong together. Accuracy hides that the very same
answer to both of a pair is right half the time; twin accuracy counts a story with its twins, right where all of their
questions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from socialr1_lite.data import story_key
from socialr1_lite.data.told import TRANSFER
from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.reward import ScoredCompletion
from socialr1_lite.rollouts.trace import is_number
from socialr1_lite.runlog import CheckScore, RunFolder
from socialr1_lite.runlog.folder import is_whole
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import clustered_proportion, paired_by_cluster

SUMMARY = "summary.json"

COLUMNS = {  # of the table of checks
    "held-out questions": "{0.label}",
    "n": "{0.n}",
    "format": "{0.format_rate:.2f}",
    "accuracy": "{0.accuracy:.3f}",
    "95 % interval": "{0.low:.3f}-{0.high:.3f}",
    "both twins": "{0.twins.told}",
    "unreadable": "{0.unreadable:.2f}",
    "cut off": "{0.truncated:.2f}",
    "mean reward": "{0.reward:.3f}",
    "tokens": "{0.tokens:.0f}",
    "seconds": "{0.seconds:.0f}",
}


@dataclass(frozen=True, slots=True)
class Twins:
    """How many families of twins there were, and the share of those with every question right, with its interval."""

    families: int = 0
    right: int = 0
    accuracy: float | None = None  # None without twins
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, right: Sequence[bool], families: Sequence[str]) -> Twins:
        """Count them. families: of each question, "" where no twin of it was asked."""
        every: dict[str, bool] = {}
        for one, family in zip(right, families, strict=True):
            if family:
                every[family] = every.get(family, True) and one
        if not every:
            return cls()
        found = clustered_proportion(list(every.values()), list(every))
        return cls(len(every), sum(every.values()), found.value, found.low, found.high)

    @property
    def told(self) -> str:
        """The share and its interval, "-" without twins."""
        return "-" if self.accuracy is None else f"{self.accuracy:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Check:
    """What one policy did on the held-out questions. Shares in [0, 1]; reward is the mean total at tau = 1."""

    label: str
    step: int  # finished optimizer steps of GRPO
    n: int
    format_rate: float
    accuracy: float
    low: float  # 95 % interval of the accuracy, over stories
    high: float
    unreadable: float
    truncated: float
    reward: float
    tokens: float  # mean completion tokens
    right: tuple[bool, ...]  # a question each, in their order: for paired tests
    seconds: float = 0.0  # what the check took; 0 in files written before it was measured
    stories: tuple[str, ...] = ()  # of each question, equal for twins; () in files written before they were counted
    families: tuple[str, ...] = ()  # of each question, equal for twins, "" without one; () in files of before
    transfer: tuple[Check, ...] = ()  # the same of each row of `data.transfer`, whose name is its label

    def to_row(self) -> dict[str, Any]:
        """Return the check as JSON holds it, the figures of its twins in it."""
        return asdict(self) | {"transfer": [one.to_row() for one in self.transfer], "twins": asdict(self.twins)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Check:
        """Read a row of `to_row`, of any version."""
        lists = {name: tuple(row.get(name, ())) for name in ("right", "stories", "families")}
        kept = {name: value for name, value in row.items() if name != "twins"} | lists
        check = cls(**(kept | {"transfer": tuple(map(cls.from_row, row.get("transfer", ())))}))
        figures = (check.low, check.high, *check.metrics().values())
        whole = is_whole(check.step) and is_whole(check.n) and check.n == len(check.right)
        whole = whole and len(check.families) in (0, check.n)
        if not (whole and isinstance(check.label, str) and all(map(is_number, figures)) and None not in figures):
            raise TypeError("a check of other types than are written")
        return check

    def score(self, places: Sequence[int]) -> CheckScore:
        """Return what the choice of the best adapter goes by: the questions that every check asked, by their places."""
        places = places if self.n > len(places) and self.stories else range(self.n)
        found = clustered_proportion([self.right[i] for i in places], [self.clusters[i] for i in places])
        return CheckScore(self.step, self.label, found.value, found.low, found.high, len(places))

    @property
    def clusters(self) -> tuple[str, ...]:
        """The story of each question; each a story of its own in files written before they were counted."""
        return self.stories or tuple(map(str, range(self.n)))

    def metrics(self) -> dict[str, float]:
        """Return the figures by the names of metrics.jsonl, all of them apart from training's own."""
        names = ("accuracy", "format_rate", "unreadable", "truncated", "reward", "tokens", "seconds")
        found: dict[str, float] = {f"eval/{name}": getattr(self, name) for name in names}
        if self.twins.accuracy is not None:
            found["eval/twin_accuracy"] = self.twins.accuracy
        for row in self.transfer:
            for name in ("accuracy", "twin_accuracy"):
                if (value := row.metrics().get(f"eval/{name}")) is not None:
                    found[f"eval/{TRANSFER}/{row.label}/{name}"] = value
        return found

    @property
    def twins(self) -> Twins:
        """What became of the pairs; of none in files written before they were kept."""
        return Twins.of(self.right, self.families or ("",) * self.n)

    @property
    def asked(self) -> int:
        """How many questions were asked, those of the transfer too."""
        return self.n + sum(row.n for row in self.transfer)


def kept_checks(run: RunFolder) -> dict[str, Check]:
    """Return the checks of summary.json by their labels. Raises RunLogError for a file that nobody here wrote."""
    path = run.path / SUMMARY
    try:
        return {row["label"]: Check.from_row(row) for row in orjson.loads(path.read_bytes())["checks"]}
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        remedy = "put it back, or remove it: the checks in it are then missing from the table"
        raise RunLogError(f"{path} cannot be read; {remedy}") from None


def kind_of(scenario: Scenario) -> str:
    """Return the row of the transfer that asks this, "" for a held-out question."""
    return str(scenario.meta.get(TRANSFER, ""))


def summarised(label: str, step: int, scored: Sequence[ScoredCompletion], scenarios: Sequence[Scenario]) -> Check:
    """Return the figures of one check, those of the transfer apart. scenarios: the question of each completion."""
    kinds = dict.fromkeys(map(kind_of, scenarios))
    told = {}
    for kind in kinds:
        places = [i for i, scenario in enumerate(scenarios) if kind_of(scenario) == kind]
        some = [scored[i] for i in places], [scenarios[i] for i in places]
        told[kind] = summarise(kind or label, step, *some)
    return replace(told.pop(""), transfer=tuple(told.values()))


def summarise(label: str, step: int, scored: Sequence[ScoredCompletion], scenarios: Sequence[Scenario]) -> Check:
    """Return the figures of one check. scenarios: the question of each completion."""
    n = len(scored)
    right = tuple(one.score.outcome == "right" for one in scored)
    first: dict[str, str] = {}  # of each story, the first question's id names it
    stories = tuple(first.setdefault(story_key(scenario), scenario.id) for scenario in scenarios)
    there = {scenario.id for scenario in scenarios}
    families = tuple(min(one.id, *one.twins) if there.intersection(one.twins) else "" for one in scenarios)
    accuracy = clustered_proportion(right, stories)
    return Check(
        label=label,
        step=step,
        n=n,
        format_rate=sum(all(one.reply.checks.values()) for one in scored) / n,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        unreadable=sum(one.score.outcome == "unreadable" for one in scored) / n,
        truncated=sum(one.completion.truncated for one in scored) / n,
        reward=sum(one.score.total for one in scored) / n,
        tokens=sum(one.completion.tokens for one in scored) / n,
        right=right,
        stories=stories,
        families=families,
    )


def table(checks: Sequence[Check]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the before/after table, each check's rows of the transfer below it."""
    rows = [[form.format(one) for form in COLUMNS.values()] for check in checks for one in _in_the_table(check)]
    return list(COLUMNS), rows


def _in_the_table(check: Check) -> list[Check]:
    """Return the check and its rows of the transfer, whose time is part of the check's."""
    seconds = check.seconds / (check.asked or 1)
    rows = [replace(row, label=f"  {row.label}", seconds=seconds * row.n) for row in check.transfer]
    return [replace(check, seconds=check.seconds - sum(row.seconds for row in rows)), *rows]


def compare(before: Check, after: Check) -> str:
    """Say in one sentence how many questions changed between two checks, and what a test by story makes of it."""
    paired = paired_by_cluster(before.right, after.right, after.clusters)
    number = f"{paired.clusters} stor{'y' if paired.clusters == 1 else 'ies'}"
    counts = f"{before.twins.right} before, {after.twins.right} after of {after.twins.families}"
    twins = f"; both twins right: {counts}" if after.twins.families and before.families == after.families else ""
    return (
        f"{after.label} against {before.label}: {paired.only_second} questions newly right, {paired.only_first} newly "
        f"wrong of {paired.n} in {number} (permutation test by story, two-sided p = {paired.p:.2g}){twins}"
    )


def best_sentence(best: CheckScore, scores: Sequence[CheckScore]) -> str:
    """Say in one sentence which check was the best, and what to think of it."""
    rivals = sum(one.step > 0 for one in scores)
    start = max((one.accuracy for one in scores if one.step == 0), default=0.0)
    below = f", below the {start:.3f} before GRPO" if best.accuracy < start else ""
    # Picked for its score on these questions, it scores lower on others; one check among one was not picked.
    picked = " that it was picked by: measure it on others" if rivals > 1 else ""
    return (
        f"best of {rivals} checks: step {best.step}, accuracy {best.accuracy:.3f} ({best.low:.3f}-{best.high:.3f}) on "
        f"{best.n} questions{below}{picked}"
    )
