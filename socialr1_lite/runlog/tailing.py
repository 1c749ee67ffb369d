"""From the bytes that shards gained to rows of the index; the shards could give all of it again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import orjson

from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.reward import COMPONENTS, ZeroVarianceReason
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.query import FACET_COLUMNS, IMPORTED, NAMED, PARTS, SqlValue
from socialr1_lite.runlog.traces import BadTrace, History, complete_lines_of, read_trace, shard_paths
from socialr1_lite.sip import STAGES

SCHEMA_VERSION = f"7 {' '.join(COMPONENTS)}"  # another table of components makes other columns
PAGE_BYTES = 16384  # measured: at a million rows a third of the writing time of 4096
FINGERPRINT_BYTES = 4096
BATCH_ROWS = 2000

Progress = Callable[[int, int], object]  # (bytes done, bytes in all)
GroupKey = tuple[str, str, int, int, int]  # phase, benchmark, launch, step, group: one prompt, generated together

COLUMNS = (
    *("id", "step", "gid", "idx", "grp", "phase", "superseded", "outcome", "right_", "total", "advantage"),
    *("flat", "early", "truncated", "tokens", "tau", "process", "paid_wrong", "paid_right", "dimension", "benchmark"),
    *(f"r_{name}" for name in COMPONENTS),
    *(f"p_{name.replace('.', '_')}" for name in (*PARTS, *NAMED)),
    *(f"s_{name}" for name in STAGES),
    *("scenario", "segment", "rank", "answer", "finish", "shard", "offset", "length", "print"),
)
SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE shards (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, done INTEGER, size INTEGER, mtime INTEGER, print TEXT
);
CREATE TABLE traces (id INTEGER PRIMARY KEY, {", ".join(COLUMNS[1:])});
CREATE TABLE groups (
    gid INTEGER PRIMARY KEY, phase, benchmark, segment, step, grp, scenario,
    n, worst, best, mean, sd, flat, cause
);
CREATE TABLE scenarios (id TEXT PRIMARY KEY, dimension TEXT, offset INTEGER) WITHOUT ROWID;
CREATE TABLE notices (text TEXT);
CREATE UNIQUE INDEX traces_print ON traces (print);
"""
INDEXES = f"""
CREATE INDEX IF NOT EXISTS traces_time ON traces (step, gid, idx);
CREATE INDEX IF NOT EXISTS traces_gid ON traces (gid);
CREATE INDEX IF NOT EXISTS traces_scenario ON traces (scenario, step);
CREATE INDEX IF NOT EXISTS traces_facets ON traces ({FACET_COLUMNS});
"""
GROUPS = """
INSERT OR REPLACE INTO groups
SELECT gid, phase, benchmark, segment, step, grp, scenario, n, worst, best, mean, sd, cause != '', cause FROM (
    SELECT gid, phase, benchmark, segment, step, grp, scenario, count(*) AS n, min(total) AS worst,
        max(total) AS best, avg(total) AS mean,
        CASE WHEN count(*) > 1
            THEN sqrt(max(0, sum(total * total) - count(*) * avg(total) * avg(total)) / (count(*) - 1)) END AS sd,
        zero_variance_reason(total, truncated, r_format, outcome) AS cause
    FROM traces WHERE gid >= ? GROUP BY gid
)
"""


class Tail:
    """Brings one open index up to date with its run's shards."""

    def __init__(self, database: sqlite3.Connection, run: RunFolder) -> None:
        """The database is empty or holds this schema."""
        self._database = database
        self._run = run
        database.create_function("sqrt", 1, lambda x: x**0.5, deterministic=True)  # not every SQLite has its own
        database.create_aggregate("zero_variance_reason", 4, ZeroVarianceReason)  # type: ignore[arg-type]
        self._gids: dict[GroupKey, int] = {}
        self._dimensions: dict[str, str] = {}
        self._seen = -1

    def refresh(self, progress: Progress | None = None) -> int:
        """Index what is new, everything when the index does not match; returns the number of new rows."""
        if not self._run.traces.is_dir():
            raise RunLogError(f"{self._run.path} is gone or is no run folder: it holds no {self._run.traces.name}/")
        if not self._fits():
            self._empty()
        self._load()
        sizes = {path: path.stat().st_size for path in shard_paths(self._run)}
        first = self._next_id("traces")
        before, total = 0, sum(sizes.values())
        for path, size in sizes.items():
            for here in self._tail(path, size):
                if progress:
                    progress(before + here, total)
            before += size
        self._settle(first)
        return self._next_id("traces") - first

    def _fits(self) -> bool:
        """Whether the index was made by this code from these shards, as far as they went then."""
        try:
            version = self._meta("version")
            known = self._database.execute("SELECT name, done, size, mtime, print FROM shards").fetchall()
        except sqlite3.DatabaseError:
            return False
        return version == SCHEMA_VERSION and all(self._unchanged(*shard) for shard in known)

    def _unchanged(self, name: str, done: int, size: int, mtime: int, fingerprint: str) -> bool:
        path = self._run.traces / name
        try:
            now = path.stat()
        except FileNotFoundError:
            return False
        if (now.st_size, now.st_mtime_ns) == (size, mtime):
            return True
        return now.st_size >= done and _fingerprint(path, done) == fingerprint

    def _empty(self) -> None:
        for (name,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if not name.startswith(("sqlite_", "words_")):
                self._database.execute(f'DROP TABLE IF EXISTS "{name}"')
        for statement in SCHEMA.split(";"):
            self._database.execute(statement)
        self._set_meta("version", SCHEMA_VERSION)
        self._seen = -1  # what was remembered is gone too

    def _load(self) -> None:
        """What later rows refer to; read again when another process has added to the file."""
        seen = self._database.execute("PRAGMA data_version").fetchone()[0]
        if seen != self._seen:
            self._seen = seen
            self._gids.clear()
            self._dimensions.clear()
            self._named: list[str] = orjson.loads(self._meta("named") or "[]")
        if not self._gids:
            rows = self._database.execute("SELECT phase, benchmark, segment, step, grp, gid FROM groups")
            self._gids = {row[:5]: row[5] for row in rows}
        self._add_scenarios()
        if not self._dimensions:
            self._dimensions = dict(self._database.execute("SELECT id, dimension FROM scenarios"))

    def _add_scenarios(self) -> None:
        """Note where each stored scenario lies; the file only ever grows."""
        if not self._run.scenarios.exists():
            return
        start = int(self._meta("scenarios") or 0)
        for offset, line in lines.complete_lines(self._run.scenarios, start):
            start = offset + len(line)
            if (row := lines.parse(line)) is not None and isinstance(row.get("id"), str):
                id, dimension = row["id"], str(row.get("dimension", ""))
                self._dimensions[id] = dimension
                self._database.execute("INSERT OR REPLACE INTO scenarios VALUES (?, ?, ?)", [id, dimension, offset])
        self._set_meta("scenarios", str(start))

    def _tail(self, path: Path, size: int) -> Iterator[int]:
        """Read the complete lines after what is known of one shard; yields how far it has come, in bytes."""
        known = self._database.execute("SELECT id, done FROM shards WHERE name = ?", [path.name]).fetchone()
        shard, done = known or (self._next_id("shards"), 0)
        if done == size:
            return
        mtime = path.stat().st_mtime_ns
        history = History(self._run.launches())
        batch = []
        for offset, line in complete_lines_of(path, done):
            done = offset + len(line)
            if (trace := self._read(line, path, offset)) is not None:
                batch.append((*self._values(trace, history, shard, offset, len(line)), _print(line)))
            if len(batch) == BATCH_ROWS:
                self._insert(batch, path)
                batch = []
                yield done
        self._insert(batch, path)
        row = [shard, path.name, done, size, mtime, _fingerprint(path, done)]
        self._database.execute("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?, ?, ?)", row)
        yield done

    def _read(self, line: bytes, path: Path, offset: int) -> Trace | None:
        """Return the trace, or None and a notice for a line inside a shard that is none. A newer version is refused."""
        try:
            return read_trace(line, path, offset)
        except BadTrace as error:
            notice = f"{path.name}: the line at byte {offset} is left out: {error.reason}"
            self._database.execute("INSERT INTO notices VALUES (?)", [notice])
            return None

    def _values(self, trace: Trace, history: History, shard: int, offset: int, length: int) -> tuple[SqlValue, ...]:
        """Return one row of the table, in the order of COLUMNS, up to its print."""
        score, completion = trace.score, trace.completion
        components, parts = score.components, score.parts
        key = (trace.phase, trace.benchmark, trace.launch, trace.step, trace.group)
        gid = self._gids.setdefault(key, len(self._gids) + 1)
        independence = parts.get("structure.independence")
        return (
            *(None, trace.step, gid, trace.index, trace.group, trace.phase, history.is_superseded(trace)),
            *(score.outcome, None if score.outcome == "unknown" else score.outcome == "right"),
            *(trace.total, trace.advantage),
            *(0, independence is not None and independence < 1, completion.truncated, completion.tokens, score.tau),
            *(score.process, *(score.paid if score.outcome == kind else None for kind in ("wrong", "right"))),
            *(self._dimensions.get(trace.scenario, ""), trace.benchmark),
            *map(components.get, COMPONENTS),
            *map(parts.get, PARTS),
            *self._named_values(parts),
            *map(trace.stages.get, STAGES),
            *(trace.scenario, trace.launch, trace.rank, trace.answer, completion.finish, shard, offset, length),
        )

    def _named_values(self, parts: Mapping[str, float | None]) -> list[SqlValue]:
        """Return the rewards that a foreign file brought, each in the column of its name."""
        values: list[SqlValue] = [None] * len(NAMED)
        for part, value in parts.items():
            if part.startswith(IMPORTED):
                if part not in self._named and len(self._named) < len(NAMED):
                    self._named.append(part)
                    self._set_meta("named", orjson.dumps(self._named).decode())
                if part in self._named:
                    values[self._named.index(part)] = value
        return values

    def _insert(self, batch: list[tuple[SqlValue, ...]], path: Path) -> None:
        before = self._database.total_changes
        self._database.executemany(f"INSERT OR IGNORE INTO traces VALUES ({', '.join('?' * len(COLUMNS))})", batch)
        if twice := len(batch) - (self._database.total_changes - before):
            notice = f"{path.name}: {twice} of its lines are there twice; each counts once"
            self._database.execute("INSERT INTO notices VALUES (?)", [notice])

    def _settle(self, first: int) -> None:
        """What depends on more than one row: group figures, and which rows still count."""
        for statement in INDEXES.split(";"):
            self._database.execute(statement)
        touched = self._database.execute("SELECT min(gid) FROM traces WHERE id >= ?", [first]).fetchone()[0]
        if touched is not None:
            self._database.execute(GROUPS, [touched])
            flat = "gid IN (SELECT gid FROM groups WHERE flat AND gid >= ?)"
            no_longer = f"UPDATE traces SET flat = 0 WHERE gid >= ? AND flat AND NOT {flat}"
            self._database.execute(no_longer, [touched, touched])
            self._database.execute(f"UPDATE traces SET flat = 1 WHERE {flat}", [touched])
        self._mark_superseded()

    def _mark_superseded(self) -> None:
        """Mark rows anew when launches or evaluations were added since the last time."""
        known = self._database.execute("SELECT DISTINCT segment, benchmark, step FROM groups WHERE phase = 'eval'")
        evaluations = known.fetchall()
        trained = self._database.execute("SELECT segment, min(step) FROM groups WHERE phase = 'train' GROUP BY segment")
        history = History(self._run.launches(), evaluations, dict(trained.fetchall()))
        signature = orjson.dumps([sorted(history.cuts.items()), sorted(history.latest.items())]).decode()
        if signature == self._meta("history"):
            return
        for launch, cut in history.cuts.items():
            sql = "UPDATE traces SET superseded = step > ? OR (phase = 'train' AND step = ?) WHERE segment = ?"
            self._database.execute(sql, [cut, cut, launch])
        for (benchmark, step), launch in history.latest.items():
            sql = "UPDATE traces SET superseded = 1 WHERE phase = 'eval' AND benchmark = ? AND step = ?"
            self._database.execute(f"{sql} AND segment < ?", [benchmark, step, launch])
        self._set_meta("history", signature)

    def _meta(self, key: str) -> str | None:
        found = self._database.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
        return found[0] if found else None

    def _set_meta(self, key: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])

    def _next_id(self, table: str) -> int:
        return int(self._database.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])


def _print(line: bytes) -> int:
    """Digest of a line: no two completions share step, group and index, so an equal line is the same one again."""
    return int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), signed=True)


def _fingerprint(path: Path, done: int) -> str:
    """Digest of the first and the last bytes before `done`: tells a grown shard from another one."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(min(done, FINGERPRINT_BYTES)))
        file.seek(max(0, done - FINGERPRINT_BYTES))
        digest.update(file.read(min(done, FINGERPRINT_BYTES)))
    return digest.hexdigest()


def texts(database: sqlite3.Connection, run: RunFolder, after: int, limit: int = -1) -> Iterator[tuple[int, str]]:
    """(id, completion) of the next `limit` traces (-1: all) beyond the id `after`."""
    shards = dict(database.execute("SELECT id, name FROM shards"))
    sql = "SELECT shard, id, offset, length FROM traces WHERE id > ? ORDER BY id LIMIT ?"
    for shard, places in groupby(database.execute(sql, [after, limit]).fetchall(), key=itemgetter(0)):
        with (run.traces / shards[shard]).open("rb") as file:
            for _, identity, offset, length in places:
                file.seek(offset)
                row = lines.parse(file.read(length))
                yield identity, "" if row is None else str(row["completion"])
