"""One preference pair and its file: JSON lines that anybody may write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path

from pydantic import JsonValue

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES

PAIR_VERSION = 1


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts for one stage of a reply to one scenario; the first is better.

    As a JSON line: {"version": 1, "scenario": {id, story, question, options, gold}, "stage": "cue_encoding" | ...,
    "chosen": text, "rejected": text, "kind": what is wrong with the rejected one, "source": who made the pair,
    "context": {stage: text} of the other stages, "answer": the reply's answer}. Needed are scenario, stage, chosen
    and rejected; `gold` may be an index, a letter or the option's text.
    """

    scenario: Scenario
    stage: str
    chosen: str
    rejected: str
    kind: str = ""
    source: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""

    def to_row(self) -> dict[str, JsonValue]:
        """Return the JSON object; the scenario without its facts, which no reward model may see."""
        scenario = {key: value for key, value in self.scenario.to_row().items() if value and key != "facts"}
        rest = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"version": PAIR_VERSION, **rest, "scenario": scenario, "context": dict(self.context)}


def write_pairs(path: Path, pairs: Iterable[Pair]) -> int:
    """Write the file whole or not at all; return how many pairs are in it. Raises DataError where there is none."""
    partial, n = path.with_name(path.name + ".partial"), 0
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            for pair in pairs:
                file.write(json.dumps(pair.to_row(), ensure_ascii=False, sort_keys=True) + "\n")
                n += 1
        if not n:
            raise DataError(f"{path}: not written, for no two texts of one stage differ enough to be a pair")
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return n


def read_pairs(path: Path) -> list[Pair]:
    """Read the pairs of a file. Raises DataError naming file, line and what is wrong."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            found = [_read_line(f"{path}:{number}", line) for number, line in enumerate(file, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not found:
        raise DataError(f"{path}: holds no pair")
    return found


def _read_line(where: str, line: str) -> Pair:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise DataError(f"{where}: not JSON") from None
    return read_pair(row, where)


def read_pair(row: object, where: str) -> Pair:
    """Read one row. Raises DataError naming the field."""
    if not isinstance(row, dict) or not isinstance(row.get("scenario"), dict):
        raise DataError(f"{where}: needs an object with scenario, stage, chosen and rejected")
    version = row.get("version", PAIR_VERSION)
    if version != PAIR_VERSION:
        raise DataError(f"{where}: version {version!r}; this code reads {PAIR_VERSION}")
    if row.get("stage") not in STAGES:
        raise DataError(f"{where}: stage {row.get('stage')!r}; allowed: {', '.join(STAGES)}")
    context = row.get("context") or {}
    if not isinstance(context, dict) or not set(context) <= set(STAGES):
        raise DataError(f"{where}: context must map stages to texts")
    for name in ("chosen", "rejected"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise DataError(f"{where}: {name} must be text that is not empty")
    if row["chosen"].strip() == row["rejected"].strip():
        raise DataError(f"{where}: chosen and rejected are the same text")
    try:
        scenario = Scenario.from_row({"id": where, **row["scenario"]})
    except DataError as error:
        raise DataError(f"{where}: scenario: {error}") from None
    texts = {name: str(row.get(name) or "") for name in ("stage", "chosen", "rejected", "kind", "source", "answer")}
    return Pair(scenario, **texts, context={stage: str(text) for stage, text in context.items()})
