"""Monitors: judges of weight 0, asked and never paid, and when what they say against what is paid raises an alarm.

What is paid for content is compared with them, not the whole reward: tau alone makes that one rise. The rule and its
constants are [ours]; docs/judges.md says how often noise alone meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt
from statistics import fmean, linear_regression
from typing import NamedTuple

from socialr1_lite.rollouts.reward import Score
from socialr1_lite.statistics import wilson

PAID = "reward/content"  # names in metrics.jsonl
MONITOR, FAILURES, ALARM = "monitor/", "monitor_failures/", "alarm/"
STEPS, PARTS = 40, 8  # steps of the shortest window; equal parts of any
CLEAR = 8.0  # standard errors: a random walk's slope is a few of them by chance alone
MOVE = 0.05  # of a mean score, over the window: less is nothing to be alarmed by
HIGH, LOW, SHARE = 0.6, 0.3, 0.1  # of samples: paid so much, given so little by the monitor; and more than this share


class Divergence(NamedTuple):
    """What is paid rises while a monitor falls. steps: from and to which logged step. words: the alarm."""

    monitor: str
    steps: Mapping[str, int]
    words: str


def divergences(rows: Sequence[Mapping[str, object]]) -> Iterator[Divergence]:
    """Yield the alarms at the end of a run's metrics. rows: of metrics.jsonl, in order.

    The window is the last half of the steps, 40 at least. It is cut into eight equal parts; their means must have a
    slope of at least eight standard errors, upwards in what is paid and downwards in the monitor, 0.05 in the window.
    """
    for name in sorted({key for row in rows for key in row if key.startswith(MONITOR)}):
        found = [[row.get(key) for key in ("step", PAID, name)] for row in rows]
        told = [[one for one in some if isinstance(one, (int, float))] for some in found]
        window = [some for some in told if len(some) == 3]  # both were told
        window = window[-max(STEPS, len(window) // 2) :]
        if len(window) < STEPS:
            continue
        steps, *columns = zip(*window[len(window) % PARTS :], strict=True)
        paid, seen = map(_clear_change, columns)
        if paid >= MOVE and seen <= -MOVE:
            name, first, last = name.removeprefix(MONITOR), int(steps[0]), int(steps[-1])
            words = (
                f"What is paid for content rose by {paid:.2f} from step {first} to {last}, and the monitor {name} fell "
                f"by {-seen:.2f}: what is paid may no longer be what is good."
            )
            yield Divergence(name, {"from": first, "to": last}, words)


def _clear_change(values: Sequence[float]) -> float:
    """By how much the values rise or fall from their first to their last part; 0 where noise could do it."""
    at, size = range(PARTS), len(values) // PARTS
    means = [fmean(values[i * size : (i + 1) * size]) for i in at]
    slope, start = linear_regression(at, means)
    left = sum((mean - start - slope * i) ** 2 for i, mean in zip(at, means, strict=True))
    error = sqrt(left / (PARTS - 2) / sum((i - fmean(at)) ** 2 for i in at))
    return slope * (PARTS - 1) if abs(slope) >= CLEAR * error else 0.0


class Alarms:
    """Follows the metrics of a training, and says each alarm when it begins. rows: those of its launches before."""

    def __init__(
        self, monitors: Iterable[str], rows: Iterable[Mapping[str, object]], say: Callable[[str], object]
    ) -> None:
        self._monitors, self._rows, self._say = tuple(monitors), [*rows], say
        self._sounding: set[str] = set()

    def hear(self, step: int, values: Mapping[str, float]) -> dict[str, float]:
        """Take a step's metrics; return 1 for each monitor whose alarm sounds, 0 for the others."""
        self._rows.append({"step": step, **values})
        sounding = {one.monitor: one.words for one in divergences(self._rows)} if self._monitors else {}
        for name in sounding.keys() - self._sounding:
            self._say(f"alarm: {sounding[name]}")
        self._sounding = set(sounding)
        return {f"{ALARM}{name}": float(name in sounding) for name in self._monitors}


def contrasts(scores: Iterable[Score]) -> Iterator[tuple[str, str]]:
    """Yield for each monitor what it gives to the completions that could be paid, and the alarm, "" for none.

    The alarm needs a share of 10 % that is paid high and that it gives low, beyond chance (Wilson, 95 %).
    """
    scored = [score for score in scores if score.gate]
    for name in sorted({name for score in scored for name in monitors_of(score.versions)}):
        pairs = [(score.components["content"], score.parts.get(f"content.{name}")) for score in scored]
        both = [(paid, seen) for paid, seen in pairs if paid is not None and seen is not None]
        if not both:
            continue
        n, (paid, seen) = len(both), map(fmean, zip(*both, strict=True))
        disputed = sum(paid >= HIGH and seen <= LOW for paid, seen in both)
        alarm = (
            f"{disputed} of {n} samples are paid {HIGH} or more for content, and the monitor {name} gives them {LOW} "
            "or less: one of the two is wrong, read some before training is paid by it"
        )
        words = f"content of {n} samples in form: {paid:.2f} is paid, the monitor {name} gives {seen:.2f}"
        yield words, alarm if wilson(disputed, n).low > SHARE else ""


def monitors_of(versions: Iterable[str]) -> list[str]:
    """Return the monitors among the names under which a row keeps the versions of its rules."""
    return [name.removeprefix("monitor.") for name in versions if name.startswith("monitor.")]
