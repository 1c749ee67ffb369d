"""What people said of a run's completions: `labels/READER.jsonl` beside the run, never in its traces.

A line has the form of the judges' corpus (judges/corpus/README.md), scenario and completion inside, so that the file
is data for `judges agree` and `pairs` as it is, also when the run is gone. Every mark appends a line; of two lines with
one id the later counts. Where the run folder is not the reader's to write in, the file lies in their own data folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from socialr1_lite.errors import RunLogError
from socialr1_lite.redaction import redact_tree
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.index_file import cache_folder
from socialr1_lite.runlog.lines import JsonObject
from socialr1_lite.sip import STAGES

if sys.platform != "win32":
    import fcntl

READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
MOST_BYTES = 256 << 20  # of one file: what is larger was not written here

_WRITING = threading.Lock()  # for the threads of one process; the folder's own lock is for processes


def own_folder() -> Path:
    """For what must not be lost: $SOCIALR1_DATA, $XDG_DATA_HOME/socialr1_lite or ~/.local/share/socialr1_lite."""
    if named := os.environ.get("SOCIALR1_DATA"):
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "socialr1_lite"


def label_folders(run: RunFolder) -> tuple[Path, Path]:
    """Return the folder beside the run, and the reader's own for it."""
    digest = hashlib.sha256(os.fsencode(run.path.resolve())).hexdigest()[:8]
    return run.path / "labels", own_folder() / "labels" / f"{run.name[:60]}-{digest}"


def label_file(run: RunFolder, reader: str) -> Path:
    """Return the file that a reader's marks go to. Raises RunLogError for a name that can be no file's."""
    if not READER.fullmatch(reader):
        raise RunLogError(f"reader {reader[:60]!r}: 1 to 40 letters, digits, - and _ are allowed, as in anna-2")
    beside, own = label_folders(run)
    known = (beside if beside.is_dir() else run.path, run.path)
    foreign = not all(os.access(path, os.W_OK) for path in known) or _ships_or_may_go(run.path)
    return (own if foreign else beside) / f"{reader}.jsonl"


def _ships_or_may_go(path: Path) -> bool:
    """Whether a folder is part of the package, or of the cache, which may be emptied at any time."""
    return any(path.resolve().is_relative_to(home.resolve()) for home in (Path(__file__).parents[1], cache_folder()))


def _made(run: RunFolder, reader: str) -> Path:
    """Return a reader's file, its folder made. Raises RunLogError where that cannot be done, and for a link."""
    path = label_file(run, reader)
    if path.is_symlink() or path.parent.is_symlink():
        raise RunLogError(f"{path} is a link; labels are written into the folder itself")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def _unwritable(path: Path, error: OSError) -> RunLogError:
    return RunLogError(f"{path} cannot be written ({error.strerror}); SOCIALR1_DATA names another folder for labels")


@contextmanager
def writing_labels(run: RunFolder, reader: str) -> Iterator[None]:
    """Keep every other thread and process from writing labels of this folder, from reading what is known to appending.

    A network drive that knows no locks, and Windows, keep apart only the threads of one process. Raises RunLogError as
    `append_label` does.
    """
    folder = _made(run, reader).parent
    with _WRITING:
        if sys.platform == "win32":
            yield
            return
        held = os.open(folder, os.O_RDONLY)  # closing it gives the lock back, and so does a crash
        try:
            with suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def append_label(run: RunFolder, reader: str, rows: list[JsonObject]) -> Path:
    """Append rows to a reader's file; return it. Raises RunLogError where that cannot be done, and for a link."""
    path = _made(run, reader)
    try:
        lines.repair(path)
        lines.append(path, [{**row, "notes": redact_tree(row.get("notes") or {})} for row in rows])
        lines.sync(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def is_label_row(row: JsonObject) -> bool:
    """Return whether a row has the form that is written here: a run folder comes from anywhere."""
    labels, notes = row.get("labels"), row.get("notes") or {}
    texts = [row.get("id"), row.get("completion"), row.get("trace")]
    optional = [row.get(name) for name in ("kind", "of", "better", "faulty", "by", "written")]
    return (
        all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in optional)
        and isinstance(row.get("scenario"), dict)
        and isinstance(labels, dict)
        and all(stage in STAGES and value in (0, 0.5, 1) for stage, value in labels.items())
        and isinstance(notes, dict)
        and all(stage in STAGES and isinstance(note, str) for stage, note in notes.items())
    )


def label_files(run: RunFolder) -> list[Path]:
    """Return every file of labels of a run, those beside it first."""
    return [path for folder in label_folders(run) if folder.is_dir() for path in sorted(folder.glob("*.jsonl"))]


def read_label_rows(run: RunFolder) -> Iterator[JsonObject]:
    """Yield the rows that count, of all readers, each with its reader under "by"; a damaged line is passed over."""
    for path in label_files(run):
        state = path.stat()
        if state.st_size <= MOST_BYTES:
            yield from _rows_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _rows_of(path: Path, size: int, mtime_ns: int) -> tuple[JsonObject, ...]:
    """Return the rows that count of the file as it was then; the reader is who the file is named for."""
    latest = {row["id"]: {**row, "by": path.stem} for row in lines.read_rows(path) if is_label_row(row)}
    return tuple(row for row in latest.values() if not row.get("removed"))
