"""Reading the authors' files: every mistake names the file and the row, and says what was expected."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Concatenate, ParamSpec

from socialr1_lite.benchmarks.base import Item, SourceFile
from socialr1_lite.errors import DataError
from socialr1_lite.scenario import JsonValue, Scenario, sound

OWN_LETTER = r"^\s*(?:{letter}\s*[.．、:：)]|[(\[]{letter}[)\]])\s*"  # noqa: RUF001 (full-width marks occur in the Chinese files)
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

    def options(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Return the options in these cells, without their own letters; None, NaN and blank cells hold none."""
        cells = [(place, key, self.raw(key)) for place, key in enumerate(keys)]
        return tuple(
            strip_letter(self.text(key), place)
            for place, key, cell in cells
            if cell is not None and cell == cell and str(cell).strip()
        )

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
        allowed = ascii_uppercase[: len(options)]
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


def home(folder: Path, title: str) -> Path:
    """Return the benchmark's own folder inside `folder` (ToMBench, tombench, tom-bench …), or `folder` itself."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data must name a folder with the benchmark's official files")
    plain = re.sub(r"[^a-z0-9]", "", title.lower())
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and re.sub(r"[^a-z0-9]", "", inner.name.lower()) == plain:
            return inner
    return folder


def with_parts(stems: Iterable[str]) -> list[str]:
    """Return patterns for `<stem>.jsonl` and for parts of it: `<stem>.first100.jsonl`, `<stem>_2.jsonl`."""
    return [f"{stem}{rest}.jsonl" for stem in stems for rest in ("", "[._ (-]*")]


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


def _parsed(text: str, where: str) -> JsonValue:
    """Parse JSON; NaN literals are read as NaN."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is not JSON ({error})") from None
    return sound(value)


def read_json(path: Path) -> tuple[JsonValue, str]:
    """Read a JSON file; return its value and its sha256."""
    text, digest = content(path)
    return _parsed(text, str(path)), digest


def read_json_rows(path: Path) -> tuple[list[SourceRow], SourceFile]:
    """Read the objects of a JSON array, numbered from 0 as the file does."""
    value, digest = read_json(path)
    if not isinstance(value, list):
        raise DataError(f"{path}: must hold a JSON array, not {type(value).__name__}")
    rows = [as_row(f"{path.name} entry {at}", one) for at, one in enumerate(value)]
    return rows, SourceFile(path.name, digest, len(rows))


def read_jsonl(path: Path, name: str = "") -> tuple[list[SourceRow], SourceFile]:
    """Read one object a line (blank lines skipped).

    name: what messages and reports call the file, where its own name is not the only one of its kind.
    """
    text, digest = content(path)
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{name or path.name} line {number}"
            rows.append(as_row(where, _parsed(line, where)))
    return rows, SourceFile(name or path.name, digest, len(rows))


def read_csv(path: Path) -> tuple[list[SourceRow], SourceFile]:
    """Read the rows of a CSV with a header, numbered by the line they end on."""
    text, digest = content(path)
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = reader.fieldnames or ()
        if twice := [name for at, name in enumerate(names) if name and name in names[:at]]:
            raise DataError(f"{path.name}: the header has the column {twice[0]!r} twice")
        rows = [SourceRow(f"{path.name} line {reader.line_num}", dict(row)) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path.name} line {reader.line_num}: is not CSV ({error})") from None
    for row in rows:
        if None in row.data or None in row.data.values():
            raise DataError(f"{row.where}: has another number of cells than the header")
    return rows, SourceFile(path.name, digest, len(rows))


def strip_letter(option: str, place: int) -> str:
    """Return an option without its own letter, as in "B. garden"; another letter or an article stays."""
    return re.sub(OWN_LETTER.format(letter=ascii_uppercase[place]), "", option).strip()


Fields = ParamSpec("Fields")


def _naming_the_row(make: Callable[Fields, Scenario]) -> Callable[Concatenate[SourceRow, Fields], Scenario]:
    def named(row: SourceRow, /, *args: Fields.args, **fields: Fields.kwargs) -> Scenario:
        try:
            return make(*args, **fields)
        except DataError as error:
            raise DataError(f"{row.where}: {error}") from None

    return named


make_scenario = _naming_the_row(Scenario)  # takes the row and Scenario's own fields; a mistake names the row


def counts_note(title: str, found: int, official: int, what: str = "rows") -> str:
    """Say how much of the official set was found, as in `ToMBench: 2860 of 2860 official rows`."""
    return f"{title}: {found} of {official} official {what}" + ("" if found == official else " (a part of the set)")


def content_key(item: Item) -> str:
    """Return a digest of what an item asks and what is right: the same wherever the same question lies."""
    asked = item.scenario
    parts = [item.kind, asked.story, asked.question, asked.options, asked.gold, asked.accepted]
    text = json.dumps([*parts, item.required, item.rejected], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def each_once(found: Sequence[tuple[str, Iterable[Item]]], *, counted: bool = False) -> tuple[list[Item], list[str]]:
    """Bring together the items of several files, (name, items) each, and say what lay in more than one of them.

    The files may be parts of one set, or a part beside the whole: what lies in two of them counts once. Items are told
    apart by id. counted: the ids only count a file's rows, so that two parts may give one id to different questions:
    then contents tell them apart, each counting as often as in the file that has it most often, and a later part's get
    ids of their own. Raises DataError where one id means two questions all the same: two versions of one set.
    """
    files = [(name, list(items)) for name, items in found]
    kept: dict[str, tuple[int, Item]] = {}  # by id, with the file's place
    most: Counter[tuple[str, str]] = Counter()
    notes = []
    for place in sorted(range(len(files)), key=lambda at: -len(files[at][1])):  # the whole before its parts
        name, items = files[place]
        here: Counter[tuple[str, str]] = Counter()
        twice = 0
        for item in items:
            other, known = kept.get(item.scenario.id, (place, None))
            if counted:
                same = (content_key(item), json.dumps(dict(item.scenario.meta), sort_keys=True, ensure_ascii=False))
                here[same] += 1
                if here[same] <= most[same]:
                    twice += 1
                    continue
                if known is not None:
                    own = f"{item.scenario.id}~{same[0]}-{here[same]}"
                    item = replace(item, scenario=replace(item.scenario, id=own))
            elif known == item:
                twice += 1
            elif known is not None:
                raise DataError(
                    f"{name}: {item.scenario.id} is another question than in {files[other][0]}: two versions of one "
                    "set; leave one of the two in the folder"
                )
            kept.setdefault(item.scenario.id, (place, item))
        if twice:
            notes.append(f"{name}: {twice} of its {len(items)} questions were there before, and count once")
        most |= here
    return [item for _, item in sorted(kept.values(), key=lambda one: one[0])], notes
