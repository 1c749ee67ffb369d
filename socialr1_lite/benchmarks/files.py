"""Reading the authors' files: every mistake names the file and the row, and says what was expected."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Required, TypedDict, Unpack

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import JsonValue, Scalar, Scenario

OWN_LETTER = r"^\s*{letter}\s*[.．、:：]\s*"  # noqa: RUF001 (full-width marks occur in the Chinese files)
csv.field_size_limit(2**27)  # whole conversations in one cell


class NothingThere(DataError):
    """Nothing of a benchmark can be asked as wished: no file, no row, no prompt. `--benchmarks all` goes on without."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row and where it stands ("EA.jsonl line 3"), with readers that say so when something is wrong."""

    where: str
    data: Mapping[str, JsonValue]

    def raw(self, key: str) -> JsonValue:
        """Return the value under `key`; DataError with the keys found when it is missing."""
        if key not in self.data:
            raise DataError(f"{self.where}: {key!r} is missing; found: {', '.join(map(repr, self.data))}")
        return self.data[key]

    def text(self, key: str) -> str:
        """Return a non-empty string."""
        value = self.raw(key)
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{self.where}: {key!r} must be a text, not {shortened(value)}")
        return value

    def whole(self, key: str) -> int:
        """Return an integer (not a boolean)."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise DataError(f"{self.where}: {key!r} must be a whole number, not {shortened(value)}")
        return value

    def texts(self, key: str, *, least: int = 0) -> tuple[str, ...]:
        """Return a list of at least `least` non-empty strings."""
        value = self.raw(key)
        texts = [one for one in value if isinstance(one, str) and one.strip()] if isinstance(value, list) else []
        if texts != value:
            raise DataError(f"{self.where}: {key!r} must be a list of texts, not {shortened(value)}")
        if len(texts) < least:
            raise DataError(f"{self.where}: {key!r} has {len(texts)} entries; at least {least} are needed")
        return tuple(texts)

    def rows(self, key: str) -> list[SourceRow]:
        """Return a list of objects, as rows with their own place."""
        value = self.raw(key)
        if not isinstance(value, list):
            raise DataError(f"{self.where}: {key!r} must be a list, not {shortened(value)}")
        return [as_row(f"{self.where} {key}[{at}]", one) for at, one in enumerate(value)]

    def row(self, key: str) -> SourceRow:
        """Return one object, as a row."""
        return as_row(f"{self.where} {key}", self.raw(key))

    def letter(self, key: str, options: Sequence[str]) -> int:
        """Return a gold letter as a 0-based place; "A. " and "(a)" are read as A."""
        letter = self.text(key).strip(" .()[]:").upper()
        allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(options)]
        if len(letter) != 1 or letter not in allowed:
            raise DataError(f"{self.where}: gold {self.data[key]!r} must be one of {', '.join(allowed)}")
        return allowed.index(letter)

    def gold_text(self, key: str, options: Sequence[str]) -> tuple[int, ...]:
        """Return a gold given as an option's text: the places of all options with that text."""
        gold = self.text(key).strip()
        places = tuple(at for at, option in enumerate(options) if option.strip() == gold)
        if not places:
            raise DataError(f"{self.where}: gold {gold!r} is none of the options {list(options)}")
        return places


def shortened(value: object) -> str:
    """Return a value for an error message, in at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def as_row(where: str, value: JsonValue) -> SourceRow:
    """Wrap a JSON object; DataError for anything else."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: must be an object, not {shortened(value)}")
    return SourceRow(where, value)


def absent(value: object) -> bool:
    """Return whether a cell is empty: None, NaN and blank text all mean that."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def home(folder: Path, title: str) -> Path:
    """Return the benchmark's own folder inside `folder` (ToMBench, tombench, tom-bench …), or `folder` itself."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data must name a folder with the benchmark's official files")
    plain = re.sub(r"[^a-z0-9]", "", title.lower())
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and re.sub(r"[^a-z0-9]", "", inner.name.lower()) == plain:
            return inner
    return folder


def official_files(folder: Path, title: str, patterns: Sequence[str], source: str) -> list[Path]:
    """Return the files under the benchmark's folder that match any of the patterns, by path, each once.

    Raises DataError that names the folder, what was looked for and where to get it.
    """
    root = home(folder, title)
    found = {path for pattern in patterns for path in root.rglob(pattern) if path.is_file()}
    if not found:
        looked = ", ".join(patterns[:4]) + (", …" if len(patterns) > 4 else "")
        raise NothingThere(f"{root}: no official {title} file there (looked for {looked}); they are at {source}")
    return sorted(found)


def content(path: Path) -> tuple[str, str]:
    """Return a file's text (a byte-order mark dropped) and the sha256 of its bytes."""
    try:
        held = path.read_bytes()
        return held.decode("utf-8-sig"), hashlib.sha256(held).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start})") from None


def read_json(path: Path) -> tuple[JsonValue, str]:
    """Read a JSON file; return its value and its sha256. NaN literals are read as NaN."""
    text, digest = content(path)
    try:
        return json.loads(text), digest
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error})") from None


def read_json_rows(path: Path) -> tuple[list[SourceRow], str]:
    """Read the objects of a JSON array, numbered from 0 as the file does, and its sha256."""
    value, digest = read_json(path)
    if not isinstance(value, list):
        raise DataError(f"{path}: must hold a JSON array, not {type(value).__name__}")
    return [as_row(f"{path.name} entry {at}", one) for at, one in enumerate(value)], digest


def read_jsonl(path: Path, name: str = "") -> tuple[list[SourceRow], str]:
    """Read one object a line (blank lines skipped) and the file's sha256. NaN literals are read as NaN.

    name: what messages call the file, where its own name is not the only one of its kind.
    """
    text, digest = content(path)
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{name or path.name} line {number}"
            try:
                rows.append(as_row(where, json.loads(line)))
            except ValueError as error:
                if isinstance(error, DataError):
                    raise
                raise DataError(f"{where}: is not JSON ({error})") from None
    return rows, digest


def read_csv(path: Path) -> tuple[list[SourceRow], str]:
    """Read the rows of a CSV with a header, numbered by the line they end on, and the file's sha256."""
    text, digest = content(path)
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        rows = [SourceRow(f"{path.name} line {reader.line_num}", dict(row)) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path.name} line {reader.line_num}: is not CSV ({error})") from None
    for row in rows:
        if None in row.data or None in row.data.values():
            raise DataError(f"{row.where}: has another number of cells than the header")
    return rows, digest


def strip_letter(option: str, place: int) -> str:
    """Return an option without its own letter, as in "B. garden"; another letter or an article stays."""
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place]
    return re.sub(OWN_LETTER.format(letter=letter), "", option).strip()


class ScenarioFields(TypedDict, total=False):
    """What the benchmarks set of a Scenario."""

    id: Required[str]
    story: Required[str]
    question: Required[str]
    options: tuple[str, ...]
    gold: tuple[int, ...]
    accepted: tuple[str, ...]
    dimension: str
    source: str
    group: str
    meta: Mapping[str, Scalar]


def make_scenario(row: SourceRow, **fields: Unpack[ScenarioFields]) -> Scenario:
    """Make a Scenario; a mistake in it names the row."""
    try:
        return Scenario(**fields)
    except DataError as error:
        raise DataError(f"{row.where}: {error}") from None


def counts_note(title: str, found: int, official: int, what: str = "rows") -> str:
    """Say how much of the official set was found, as in `ToMBench: 2860 of 2860 official rows`."""
    return f"{title}: {found} of {official} official {what}" + ("" if found == official else " (a part of the set)")
