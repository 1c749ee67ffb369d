"""Append-only JSON lines and atomic small files: what survives a kill at any moment."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from socialr1_lite.redaction import redact_tree

TAIL_BLOCK = 1 << 16  # bytes read at a time when looking backwards for the last newline
ENCODING = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY

JsonObject = dict[str, Any]  # as JSON holds it; whoever takes a field out checks its type


def encode(rows: Iterable[JsonObject]) -> bytes:
    """Rows as JSON lines. NaN and infinities become null: JSON has no word for them."""
    return b"".join(orjson.dumps(row, option=ENCODING) for row in rows)


def append(path: Path, rows: Iterable[JsonObject]) -> None:
    """Append rows in one write, so that a kill tears at most the last of them."""
    with path.open("ab") as file:
        file.write(encode(rows))


def write_atomic(path: Path, content: str | bytes) -> Path:
    """Write a whole file so that a reader sees the old content or the new one, never a part of either."""
    data = content.encode() if isinstance(content, str) else content
    return replace_atomic(path, lambda scratch: scratch.write_bytes(data))


def replace_atomic(path: Path, fill: Callable[[Path], object]) -> Path:
    """Let `fill` write a scratch file beside `path`, then put it in place of `path` in one move."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        fill(scratch)
        sync(scratch)
        mask = os.umask(0o022)  # asking for the process's mask means setting it for an instant
        os.umask(mask)
        scratch.chmod(0o666 & ~mask)  # mkstemp makes files that only their owner can read
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return path


def write_json(path: Path, value: JsonObject) -> Path:
    """`write_atomic` of indented JSON, which people open in an editor, without the secrets in it."""
    return write_atomic(path, orjson.dumps(redact_tree(value), option=ENCODING | orjson.OPT_INDENT_2))


def sync(path: Path) -> None:
    """Ask the disk to keep a file's bytes through a power cut; a file system that cannot is left alone."""
    with path.open("r+b") as file, suppress(OSError):
        os.fsync(file.fileno())


def remove_tree(folder: Path) -> None:
    """Delete a folder, each file emptied first: what a mounted Google Drive puts into its trash then takes no room."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():  # what a link leads to is somebody else's
            os.truncate(path, 0)
    shutil.rmtree(folder, ignore_errors=True)


def complete_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """(byte offset, line with its newline) from `start` on, without a last line still being written."""
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, line
            offset += len(line)


def parse(line: bytes) -> JsonObject | None:
    """The JSON object of a line, or None when the line does not hold one."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def read_rows(path: Path) -> Iterator[JsonObject]:
    """Objects of a file of JSON lines; torn and unreadable lines are left out, a missing file is empty."""
    if path.is_file():
        yield from (row for _, line in complete_lines(path) if (row := parse(line)) is not None)


def last_row(path: Path) -> JsonObject | None:
    """Return the object of the last complete line that holds one, None where there is none."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start, line = _last_line(file, end)
            if line.endswith(b"\n") and (row := parse(line)) is not None:
                return row
            end = start
    return None


def repair(path: Path) -> str:
    """Cut off what a crash left behind the last good line; returns what was cut, in words, or "" for nothing.

    A torn end is a line without its newline, or one whose bytes are no JSON (after a power cut a file may end
    in zeros). Complete lines before it are never touched.
    """
    if not path.exists():
        return ""
    with path.open("r+b") as file:
        size = good = file.seek(0, os.SEEK_END)
        while good:
            start, line = _last_line(file, good)
            if line.endswith(b"\n") and parse(line) is not None:
                break
            good = start
        if good == size:
            return ""
        file.truncate(good)
    return f"{path.name}: cut off {size - good} bytes of an unfinished line after byte {good}"


def _last_line(file: BinaryIO, end: int) -> tuple[int, bytes]:
    """Return where the line that ends at `end` begins, and its bytes."""
    start, found = end - 1, -1  # a newline in the very last byte ends this line, it does not start it
    while start > 0 and found < 0:
        block = max(0, start - TAIL_BLOCK)
        file.seek(block)
        found = file.read(start - block).rfind(b"\n")
        start = block + found + 1
    file.seek(start)
    return start, file.read(end - start)
