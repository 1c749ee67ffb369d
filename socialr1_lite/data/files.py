"""Rows of files, JSON lines, CSV and Parquet: each with its place, or with what is wrong with it, in little memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from socialr1_lite.errors import DataError, first_line
from socialr1_lite.scenario import sound

SourceRow = dict[str, Any]
PlacedRows = Iterator[tuple[str, SourceRow | str]]  # ("line 3", the row, or what is wrong with it)

LONGEST_LINE = 16 << 20  # bytes: a longer line is told and passed over [ours]
MOST_VALUES = 20_000_000  # in a Parquet file: some hundred bytes each in memory [ours]
BATCH_BYTES = 256 << 20  # of Parquet that are unpacked at a time, at most [ours]


def bounded_lines(file: BinaryIO | io.BufferedIOBase) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is longer than LONGEST_LINE only its beginning, a byte more than that."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE + 1)


def json_lines(lines: Iterable[bytes]) -> PlacedRows:
    """Yield ("line 3", row) for every line that is not blank.

    NaN, which published files may hold, is null; a whole number that 64 bits cannot hold is a fraction; half of a
    character, as a text has that was cut inside an emoji, is a replacement character.
    """
    bounded = bounded_lines(lines) if isinstance(lines, io.BufferedIOBase) else lines
    for number, line in enumerate(bounded, start=1):
        place = f"line {number}"
        if len(line) > LONGEST_LINE:
            yield place, f"longer than {LONGEST_LINE >> 20} MB"
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            if text.strip():
                row = sound(json.loads(text, parse_constant=lambda _: None, parse_int=_whole))
                yield place, row if isinstance(row, dict) else f"a JSON object is needed, not {type(row).__name__}"
        except UnicodeDecodeError as error:
            yield place, f"not UTF-8 at byte {error.start} of the line"
        except RecursionError:
            yield place, "nested too deeply"
        except ValueError as error:
            yield place, f"not JSON: {error}"


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 19 else float(digits)


def _json_rows(file: BinaryIO, name: str) -> PlacedRows:
    return json_lines(file)


def _csv_rows(file: BinaryIO, name: str) -> PlacedRows:
    reader = csv.reader(_texts(file))
    try:
        header = next(reader, [])
        refuse_doubled(header)
        for cells in reader:
            place = f"line {reader.line_num}"
            if cells == header:
                yield place, "this is the header again; remove the line"
            elif len(cells) > len(header):
                yield place, f"{len(cells) - len(header)} more cells than the {len(header)} columns of the header"
            elif cells:
                yield place, dict(zip(header, [*cells, *[None] * (len(header) - len(cells))], strict=True))
    except (csv.Error, UnicodeDecodeError, DataError) as error:
        raise DataError(f"{name}, after line {reader.line_num}: {error}") from None


def refuse_doubled(header: Iterable[str]) -> None:
    """Raise DataError for a header that has a name twice: only one of the two columns would be read."""
    named = [name for name in header if name.strip()]
    if twice := [name for at, name in enumerate(named) if name in named[:at]]:
        raise DataError(f"the header has the column {twice[0]!r} twice; rename one of them")


def _texts(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(bounded_lines(file), start=1):
        if len(line) > LONGEST_LINE:
            raise DataError(f"line {number} is longer than {LONGEST_LINE >> 20} MB")
        yield line.decode("utf-8-sig" if number == 1 else "utf-8")


def _parquet_rows(file: BinaryIO, name: str) -> PlacedRows:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file)
        facts = table.metadata
        columns = [facts.row_group(g).column(c) for g in range(facts.num_row_groups) for c in range(facts.num_columns)]
        if (values := sum(column.num_values for column in columns)) > MOST_VALUES:
            raise DataError(f"{name}: holds {values} values; at most {MOST_VALUES} are read, so split it")
        refuse_doubled(table.schema_arrow.names)
        # One value may be as long as its whole column, and a column's dictionary unpacks to any size.
        largest = max((column.total_uncompressed_size for column in columns), default=0)
        batches = table.iter_batches(batch_size=max(1, min(1024, BATCH_BYTES // max(1, largest))))
        rows = (row for batch in batches for row in batch.to_pylist())
        yield from ((f"row {number}", row) for number, row in enumerate(rows, start=1))
    except DataError as error:
        raise DataError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise DataError(f"{name}: not readable as Parquet: {first_line(error)[:200]}") from None


FORMATS = {".jsonl": _json_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}


def rows_of(file: BinaryIO, name: str) -> PlacedRows:
    """Return the rows of an open file: Parquet by its first bytes, CSV by its name, else JSON lines."""
    magic = file.read(4)
    file.seek(0)
    ending = ".parquet" if magic == b"PAR1" else ".csv" if Path(name).suffix.lower() == ".csv" else ".jsonl"
    return FORMATS[ending](file, name)


def read_rows(path: Path, ending: str = "") -> PlacedRows:
    """Yield the rows of a file by its ending. Raises DataError for a file that cannot be read as that."""
    try:
        with path.open("rb") as file:
            yield from FORMATS[ending or path.suffix.lower()](file, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


READERS: dict[str, Callable[[Path], PlacedRows]] = {ending: partial(read_rows, ending=ending) for ending in FORMATS}
