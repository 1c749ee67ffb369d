"""The leak guard: what was published to measure models stays out of what they are trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

from socialr1_lite.errors import LeakError
from socialr1_lite.scenario import Scenario

# name in letters and digits -> (title, the authors' own words, or where they said nothing why it is kept out)
EVALUATION_ONLY: dict[str, tuple[str, str]] = {
    "tombench": (
        "ToMBench",
        'its authors: "Use ToMBench for evaluation purposes only. '
        'Avoid using ToMBench data for training in any circumstance"',
    ),
    "fantom": ("FANToM", 'its authors: "The samples in FANToM should only be used for evaluation purposes."'),
    "simpletom": (
        "SimpleToM",
        'its authors: "SimpleToM is designed for testing models only, not for training"',
    ),
    "tactfultom": (
        "TactfulToM",
        'its authors: "This dataset is for research and evaluation purposes only."',
    ),
    "motivebench": ("MotiveBench", "its repository has no licence, so nothing permits training on it"),
}
# benchmarks whose training split was published to be trained on; only their other splits are kept out
HAS_TRAINING_SPLIT = ("tombenchhard",)
HELD_BACK_SPLITS = frozenset({"test", "dev", "val", "valid", "validation", "eval", "evaluation"})
REMEDY = "evaluate on it instead, and train on data.source: stories or on a training split"


def check_source(source: str, split: str = "train", config: str | None = None) -> None:
    """Refuse a file or hub dataset that is known, by its name or split, to be kept for evaluation.

    source: a path or a hub id. Raises LeakError quoting the authors.
    """
    for part in (*PurePath(source).parts, config or ""):
        _check_name(part, source)
    tokens = set(_words(split)) | (set(_words(PurePath(source).stem)) if "." in PurePath(source).name else set())
    if held_back := sorted(tokens & HELD_BACK_SPLITS):
        raise LeakError(
            f"data.source {source} (split {split}): "
            f"{held_back[0]!r} names a split that is kept for evaluation; {REMEDY}"
        )


def check_scenarios(scenarios: Iterable[Scenario], source: str) -> None:
    """Refuse rows that say themselves, by id or source, that they come from an evaluation-only benchmark."""
    for scenario in scenarios:
        for name in (scenario.source, scenario.id):
            _check_name(name, f"{source}, row {scenario.id}")


def check_apart(training: Iterable[Scenario], heldout: Iterable[Scenario]) -> None:
    """Refuse to train on what is held out: the same id, or the same story and question."""
    kept = {key: scenario.id for scenario in heldout for key in _keys(scenario)}
    for scenario in training:
        for key in _keys(scenario):
            if key in kept:
                raise LeakError(
                    f"{scenario.id} is also held out (as {kept[key]}); "
                    "remove it from data.source or from data.heldout_source"
                )


def _keys(scenario: Scenario) -> tuple[object, ...]:
    return scenario.id, (
        " ".join(scenario.story.split()),
        " ".join(scenario.question.split()),
        scenario.options,
    )


def _check_name(name: str, where: str) -> None:
    plain = "".join(re.findall(r"[a-z0-9]", name.lower()))
    for allowed in HAS_TRAINING_SPLIT:
        plain = plain.replace(allowed, "")
    for key, (title, words) in EVALUATION_ONLY.items():
        if key in plain:
            raise LeakError(f"data.source {where}: this is {title}, which must not be trained on ({words}); {REMEDY}")


def _words(name: str) -> list[str]:
    """The lower-case words of a name: "Hard_val" -> hard val, "train[:10]+test" -> train 10 test."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z0-9]+", parted.lower())
