"""The file behind a trace index: opened, kept up to date with its run's shards, rebuilt when damaged, searched."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import search
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.query import FIELDS, SEARCHED, TEXT, TEXT_IN, Bound, Filter, SqlValue, where
from socialr1_lite.runlog.tailing import PAGE_BYTES, Progress, Tail

SEARCH_ROWS = 5000  # as many as a search may take into the word index itself: about a quarter of a second
SCALARS = ", ".join(["id", *(of.column for of in FIELDS.values())])

SqlRow = tuple[Any, ...]  # columns of several kinds, as they were asked for
Row = dict[str, Any]  # "id" and every name of query.FIELDS, each of its field's kind


def cache_folder() -> Path:
    """For disposable files: $SOCIALR1_CACHE, $XDG_CACHE_HOME/socialr1_lite or ~/.cache/socialr1_lite."""
    if named := os.environ.get("SOCIALR1_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "socialr1_lite"


class IndexFile:
    """The disposable table over one run's shards, in the user's cache folder. May be used from several threads."""

    def __init__(self, run: RunFolder, *, cache: Path | None = None) -> None:
        """Open or make the file. Nothing is read from the shards before `refresh`."""
        self.run = run
        self._lock = threading.RLock()
        self._preparing = threading.Event()
        key = hashlib.sha256(os.fsencode(run.path.resolve())).hexdigest()[:24]
        self._path = _usable(cache or cache_folder() / "traces") / f"{key}.sqlite"
        self._open()

    def refresh(self, progress: Progress | None = None) -> int:
        """Take in what the shards gained, or rebuild if they are not those indexed; return the number of new rows.

        progress: called with (bytes read, bytes in all). Raises RunLogError when the run is gone or newer
        than this code.
        """
        with self._lock:
            try:
                return self._refresh(progress)
            except sqlite3.OperationalError as error:  # full disk, or another process at work for over a minute
                raise RunLogError(
                    f"{self.run.path}: the trace index {self._path} cannot be written: {error}; "
                    "SOCIALR1_CACHE names another folder for it"
                ) from None
            except sqlite3.DatabaseError:  # a damaged file: the shards still hold everything
                self._discard()
                return self._refresh(progress)

    def prepare_search(self, progress: Progress | None = None) -> bool:
        """Build what search needs, without holding up other questions; return False where SQLite has no FTS5.

        progress: called with (rows done, rows in all). A search before that is answered from the texts themselves.
        """
        with self._lock:
            total = search.waiting(self._database)
        left = total
        while left:
            with self._lock, self._transaction():
                if not search.extend(self._database, self.run, SEARCH_ROWS):
                    return False
                left = search.waiting(self._database)
            if progress:
                progress(total - left, total)
        return True

    def close(self) -> None:
        """Close the index file."""
        with self._lock:
            self._database.close()

    def _open(self) -> None:
        self._database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=60)
        try:
            self._database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._database.execute("PRAGMA synchronous = OFF")  # a power cut costs a rebuild, nothing else
            self._database.execute("PRAGMA cache_size = -65536")  # 64 MiB: the whole index of 200,000 rows
            self._tail = Tail(self._database, self.run)
        except sqlite3.DatabaseError:
            self._discard()

    def _discard(self) -> None:
        self._database.close()
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._open()

    def _refresh(self, progress: Progress | None) -> int:
        with self._transaction():
            return self._tail.refresh(progress)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            self._tail = Tail(self._database, self.run)  # what it remembered was rolled back too
            raise
        self._database.execute("COMMIT")

    def count(self, where: Filter | None = None) -> int:
        """How many rows the filter leaves."""
        return int(self.select("count(*)", where)[0][0])

    def select(
        self, columns: str, where: Filter | None, tail: str = "", values: Sequence[SqlValue] = ()
    ) -> list[SqlRow]:
        """Return these columns of the rows that pass the filter; tail: the SQL that follows it, with its values."""
        text, bound = self.where(where)
        return self.all(f"SELECT {columns} FROM traces WHERE {text} {tail}", [*bound, *values])

    def rows(self, where: Filter | None, tail: str = "", values: Sequence[SqlValue] = ()) -> list[Row]:
        """Return the scalar rows of what `select` would select."""
        return [scalar_row(row) for row in self.select(SCALARS, where, tail, values)]

    def where(self, conditions: Filter | None, *, leave_out: Sequence[str] = ()) -> Bound:
        """Return a filter as SQL, a search in the texts included."""
        text, values = where(conditions, leave_out=leave_out)
        words = str((conditions or {}).get(TEXT) or "").strip()
        if not words:
            return text, values
        scope = str((conditions or {}).get(TEXT_IN) or SEARCHED[0])
        if scope not in SEARCHED:
            raise RunLogError(f"filter {TEXT_IN}: {scope!r} is none of {', '.join(SEARCHED)}")
        found, bound = self._search(words, scope)
        return f"{text} AND ({found})", [*values, *bound]

    def _search(self, words: str, scope: str) -> Bound:
        """The condition of a text search; a long way behind, the word index is built in the background."""
        try:
            with self._lock, self._transaction():
                behind = search.waiting(self._database)
                built = behind <= SEARCH_ROWS and search.extend(self._database, self.run, SEARCH_ROWS)
                found = search.condition(self._database, self.run, words, scope, built=built)
        except FileNotFoundError:
            raise RunLogError(f"{self.run.path}: a shard is gone; was the run deleted?") from None
        if behind > SEARCH_ROWS and not self._preparing.is_set():
            self._preparing.set()
            threading.Thread(target=self._prepare_quietly, name="word index", daemon=True).start()
        return found

    def _prepare_quietly(self) -> None:
        try:
            # the index may be closed or the run deleted meanwhile; the next search begins again
            with suppress(sqlite3.Error, OSError, RunLogError):
                self.prepare_search()
        finally:
            self._preparing.clear()

    def all(self, sql: str, values: Sequence[SqlValue] = ()) -> list[SqlRow]:
        """Return every row that the SQL selects. Raises RunLogError for an index that is empty or damaged."""
        with self._lock:
            try:
                return self._database.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    raise RunLogError(f"{self.run.path}: the trace index is empty; call refresh() first") from None
                raise
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise
                raise RunLogError(f"{self.run.path}: the trace index is damaged; refresh() builds it anew") from None


def scalar_row(values: SqlRow) -> Row:
    """Return the columns SCALARS by name, flags as False and True."""
    row = dict(zip(("id", *FIELDS), values, strict=True))
    return row | {name: bool(row[name]) for name, of in FIELDS.items() if of.kind is bool and row[name] is not None}


def _usable(folder: Path) -> Path:
    """The folder, made if need be; a fresh temporary one when it cannot be written (a read-only home)."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="socialr1_lite-"))
