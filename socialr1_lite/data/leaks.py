"""The leak guard: what was published to measure models stays out of what they are trained on.

It knows data by its name (a path, a hub id, a row's own id or source) and by its split; which benchmark permits
training on which split is the benchmarks' own table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import PurePath

from socialr1_lite.benchmarks import BENCHMARKS, Benchmark
from socialr1_lite.errors import LeakError
from socialr1_lite.scenario import Scenario

HELD_BACK_SPLITS = frozenset({"test", "dev", "val", "valid", "validation", "eval", "evaluation"})
REMEDY = "evaluate on it instead, and train on data.source: stories or on a training split"


def check_source(source: str, split: str = "train", config: str | None = None) -> None:
    """Refuse a file or hub dataset that its name or split gives away as kept for evaluation.

    source: a path or a hub id. Raises LeakError quoting the authors.
    """
    where = f"data.source {source} (split {split})"
    splits = _words(split) | (_words(_stem(source)) if "." in PurePath(source).name else set())
    for part in (*PurePath(source).parts[:-1], _stem(source), config or "", source):
        _check_name(part, splits, where)
    if held_back := sorted(splits & HELD_BACK_SPLITS):
        raise LeakError(f"{where}: {held_back[0]!r} names a split that is kept for evaluation; {REMEDY}")


def check_scenarios(scenarios: Iterable[Scenario], source: str, split: str = "train") -> None:
    """Refuse rows that say themselves, by id or source, that they come from an evaluation-only benchmark."""
    for scenario in scenarios:
        for name in {scenario.source, scenario.id.partition("/")[0]}:
            splits = _words(scenario.id) & HELD_BACK_SPLITS or _words(split)
            _check_name(name, splits, f"data.source {source}, row {scenario.id}")


def check_apart(training: Iterable[Scenario], heldout: Iterable[Scenario]) -> None:
    """Refuse to train on what is held out: the same id, or the same story and question."""
    kept = {key: scenario.id for scenario in heldout for key in _keys(scenario)}
    for scenario in training:
        for key in _keys(scenario):
            if key in kept:
                both = f"{scenario.id} is also held out (as {kept[key]})"
                raise LeakError(f"{both}; remove it from data.source or from data.heldout_source")


def _keys(scenario: Scenario) -> tuple[object, ...]:
    question = " ".join(scenario.story.split()), " ".join(scenario.question.split()), frozenset(scenario.options)
    return scenario.id, question


def _check_name(name: str, splits: set[str], where: str) -> None:
    """Refuse a name that is a benchmark's, unless one of the splits may be trained on and none may not."""
    benchmark = _benchmark(_plain(name))
    if benchmark is None:
        return
    permissions = [benchmark.training[split] for split in sorted(splits) if split in benchmark.training]
    forbidden = [permission for permission in permissions if not permission.allowed]
    if permissions and not forbidden:
        return
    words = (forbidden or [one for one in benchmark.training.values() if not one.allowed])[0].words
    said = words if words.startswith("(") else f'(its authors: "{words}")'
    raise LeakError(f"{where}: this is {benchmark.title}, which must not be trained on {said}; {REMEDY}")


def _benchmark(plain: str) -> Benchmark | None:
    """Find the benchmark that has this name, or whose title it contains (the longest such title)."""
    for benchmark in BENCHMARKS.values():
        if plain and plain in _names(benchmark.name):
            return benchmark
    titled = [one for one in BENCHMARKS.values() if one.names and _plain(one.title) in plain]
    return max(titled, key=lambda one: len(one.title), default=None)


@cache
def _names(name: str) -> frozenset[str]:
    return frozenset(_plain(form) for alias in BENCHMARKS[name].names for form in (alias, _stem(alias)))


def _stem(name: str) -> str:
    """Return the last part of a path or id, without a data file's ending."""
    return re.sub(r"\.(jsonl?|csv|parquet|lst|txt)$", "", name.rstrip("/").rpartition("/")[2])


def _plain(name: str) -> str:
    return "".join(re.findall(r"[^\W_]", name.lower()))


def _words(name: str) -> set[str]:
    """Return the lower-case words of a name: "Hard_val" -> hard, val; "train[:10]+test" -> train, 10, test."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return set(re.findall(r"[a-z0-9]+", parted.lower()))
