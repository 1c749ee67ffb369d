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

Row = dict[str, Any]  # as JSON holds it; the type of every field is checked where it is read
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
    """Read the labelled replies that count, as `labelled_rows` does."""
    yield from (reply for _, reply in labelled_rows(path))


def labelled_rows(path: Path) -> Iterator[tuple[Row, LabelledReply]]:
    """Yield each row that counts, with its reply: of two of one reader (`by`) with one id the later, but for a removal.

    Raises DataError naming file and line for what is none, and for a file without any.
    """
    latest: dict[tuple[str, str], tuple[Row, LabelledReply]] = {}
    for number, row in _rows(path):
        try:
            if not isinstance(row, dict) or "id" not in row:
                raise DataError("an object with id, scenario, completion and labels is needed")
            latest.pop(key := (str(row.get("by") or ""), str(row["id"])), None)
            if not row.get("removed"):
                latest[key] = row, read_reply(row)
        except DataError as error:
            raise DataError(f"{path}, line {number}: no labelled reply: {error}") from None
    if not latest:
        raise DataError(f"{path}: holds no labelled reply")
    yield from latest.values()


def _rows(path: Path) -> Iterator[tuple[int, object]]:
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


def read_reply(row: Row) -> LabelledReply:
    """Read one row. Raises DataError for what is none."""
    try:
        return _read_reply(row)
    except KeyError as missing:
        raise DataError(f"{missing} is missing") from None
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise error if isinstance(error, DataError) else DataError(f"{error or 'nested too deeply'}") from None


def _read_reply(row: Row) -> LabelledReply:
    sentences = row.get("sentences") or ()
    return LabelledReply(
        id=str(row["id"]),
        scenario=Scenario.from_row(_object(row, "scenario")),
        completion=str(row["completion"]),
        labels=_labels(_object(row, "labels")) if row["labels"] or "by" not in row else {},  # a preference needs none
        kind=str(row.get("kind", HONEST)),
        of=str(row.get("of") or ""),
        split=str(row.get("split", "test")),
        marked=bool(row.get("marked", True)),
        first=None if row.get("first") is None else _labels(_object(row, "first")),
        second=None if row.get("second") is None else _labels(_object(row, "second")),
        sentences=tuple((str(text), _stage(stage)) for text, stage in sentences),
        second_sentences=tuple(map(_stage, row.get("second_sentences") or ())),
        parasitic=row.get("parasitic"),
    )


def _object(row: Row, name: str) -> Row:
    if not isinstance(value := row[name], dict):
        raise DataError(f"{name} must be an object, not {value!r:.60}")
    return value


def _labels(labels: dict[str, float]) -> dict[str, float]:
    if not labels or not labels.keys() <= set(STAGES) or not all(value in (0, 0.5, 1) for value in labels.values()):
        raise ValueError(f"labels must give 0, 0.5 or 1 to stages of {', '.join(STAGES)}, not {labels!r}")
    return {stage: float(value) for stage, value in labels.items()}


def _stage(stage: str | None) -> str | None:
    if stage is not None and stage not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(STAGES)} or null, not {stage!r}")
    return stage
