"""Replies in free wording, each stage labelled by careful reading twice: what judges are measured by (README.md).

Any file of the same form loads, also what a reader marked in the viewer (runs/NAME/labels/READER.jsonl).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES

NAMES = ("generated", "everyday", "unmarked", "chinese")
SPLITS = ("train", "test")
HONEST, WRONG_ANSWER = "honest", "wrong answer"
WORSE_SIBLING = "worse than its sibling"  # a reader preferred another completion of the group: `of`


@dataclass(frozen=True, slots=True)
class LabelledReply:
    """One reply and what careful reading says of it.

    kind: "honest", "wrong answer", "parasitic" (settles on an option first), or which subtle fault it has. of: the id
    of the honest reply whose twin it is. labels: stage -> 1 does its job, 0.5 partly, 0 wrong, empty or invented, as
    settled; first, second: the writer's own and another reader's, who saw neither labels nor kind. sentences: of
    unmarked thinking, each sentence with its stage or None. parasitic: None where the reading was not asked for it.
    """

    id: str
    scenario: Scenario
    completion: str
    labels: Mapping[str, float]
    kind: str = HONEST
    of: str = ""
    split: str = "test"
    marked: bool = True
    first: Mapping[str, float] | None = None
    second: Mapping[str, float] | None = None
    sentences: tuple[tuple[str, str | None], ...] = ()
    second_sentences: tuple[str | None, ...] = ()
    parasitic: bool | None = None


def read_corpus(name: str, split: str | None = None) -> list[LabelledReply]:
    """Read one part of the corpus that ships with the package. Raises DataError for an unknown name or split."""
    if name not in NAMES or split not in (None, *SPLITS):
        raise DataError(f"corpus {name!r}, split {split!r}: there are {', '.join(NAMES)}, each in {', '.join(SPLITS)}")
    path = Path(str(files(__name__) / f"{name}.jsonl"))
    return [reply for reply in read_labels(path) if split in (None, reply.split)]


def read_labels(path: Path) -> Iterator[LabelledReply]:
    """Read labelled replies; of two with one id the later counts, where it is not a removal.

    Raises DataError naming file and line for what is none.
    """
    latest: dict[str, LabelledReply] = {}
    for number, row in _rows(path):
        try:
            latest.pop(id := str(row["id"]), None)
            if not row.get("removed"):
                latest[id] = read_reply(row)
        except (KeyError, TypeError, ValueError, DataError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise DataError(f"{path}, line {number}: no labelled reply: {reason}") from None
    yield from latest.values()


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: no labelled reply: {error}") from None


def read_reply(row: dict[str, Any]) -> LabelledReply:
    """Read one row. Raises KeyError, TypeError, ValueError or DataError for what is none."""
    sentences = row.get("sentences") or ()
    return LabelledReply(
        id=str(row["id"]),
        scenario=Scenario.from_row(row["scenario"]),
        completion=str(row["completion"]),
        labels=_labels(row["labels"]) if row["labels"] or "by" not in row else {},  # a preference needs no labels
        kind=str(row.get("kind", HONEST)),
        of=str(row.get("of") or ""),
        split=str(row.get("split", "test")),
        marked=bool(row.get("marked", True)),
        first=None if row.get("first") is None else _labels(row["first"]),
        second=None if row.get("second") is None else _labels(row["second"]),
        sentences=tuple((str(text), _stage(stage)) for text, stage in sentences),
        second_sentences=tuple(map(_stage, row.get("second_sentences") or ())),
        parasitic=row.get("parasitic"),
    )


def _labels(labels: dict[str, float]) -> dict[str, float]:
    if not labels or not labels.keys() <= set(STAGES) or not all(value in (0, 0.5, 1) for value in labels.values()):
        raise ValueError(f"labels must give 0, 0.5 or 1 to stages of {', '.join(STAGES)}, not {labels!r}")
    return {stage: float(value) for stage, value in labels.items()}


def _stage(stage: str | None) -> str | None:
    if stage is not None and stage not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(STAGES)} or null, not {stage!r}")
    return stage
