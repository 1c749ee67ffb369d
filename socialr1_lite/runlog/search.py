"""Full-text search in completions: FTS5, built at the first search; substrings where that cannot serve."""

from __future__ import annotations

import re
import sqlite3

from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.query import Bound
from socialr1_lite.runlog.tailing import Progress, texts

BATCH_ROWS = 2000
TERM = re.compile(r'"([^"]+)"|(\S+)')
SPACELESS = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)  # scripts that FTS5 does not cut into words


def terms(words: str) -> list[str]:
    """The words and "quoted phrases" of a search, lower case."""
    return [(phrase or word).lower() for phrase, word in TERM.findall(words)]


def condition(database: sqlite3.Connection, run: RunFolder, words: str) -> Bound:
    """SQL that holds for traces in which every term occurs."""
    wanted = terms(words)
    if not SPACELESS.search(words) and all(re.search(r"\w", term) for term in wanted) and prepare(database, run):
        return "id IN (SELECT rowid FROM words WHERE words MATCH ?)", [" AND ".join(map(_quoted, wanted))]
    return _scan(database, run, wanted)


def prepare(database: sqlite3.Connection, run: RunFolder, progress: Progress | None = None) -> bool:
    """Bring the word index up to date; False where this SQLite has no FTS5."""
    try:
        database.execute("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', columnsize=0)")
    except sqlite3.OperationalError:
        return False
    found = database.execute("SELECT value FROM meta WHERE key = 'words'").fetchone()
    done = int(found[0]) if found else 0
    last, waiting = database.execute(
        "SELECT coalesce(max(id), 0), count(*) FROM traces WHERE id > ?", [done]
    ).fetchone()
    if last <= done:
        return True
    batch = []
    for number, item in enumerate(texts(database, run, done), start=1):
        batch.append(item)
        if len(batch) == BATCH_ROWS:
            database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", batch)
            batch = []
            if progress:
                progress(number, waiting)
    database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", batch)
    database.execute("INSERT OR REPLACE INTO meta VALUES ('words', ?)", [str(last)])
    if progress:
        progress(waiting, waiting)
    return True


def _quoted(term: str) -> str:
    """A term as an FTS5 string: its operators and column names mean nothing inside."""
    return '"' + term.replace('"', '""') + '"'


def _scan(database: sqlite3.Connection, run: RunFolder, wanted: list[str]) -> Bound:
    """Look through the completions themselves; the hits of a search are kept until the index grows."""
    database.execute(
        "CREATE TEMP TABLE IF NOT EXISTS hits (search TEXT, id INTEGER, PRIMARY KEY (search, id)) WITHOUT ROWID"
    )
    database.execute("CREATE TEMP TABLE IF NOT EXISTS searches (search TEXT PRIMARY KEY, last INTEGER)")
    key = "\n".join(wanted)
    last = database.execute("SELECT coalesce(max(id), 0) FROM traces").fetchone()[0]
    if database.execute("SELECT last FROM searches WHERE search = ?", [key]).fetchone() != (last,):
        hits = [
            (key, identity)
            for identity, text in texts(database, run, 0)
            if all(term in text.lower() for term in wanted)
        ]
        database.execute("DELETE FROM hits WHERE search = ?", [key])
        database.executemany("INSERT INTO hits VALUES (?, ?)", hits)
        database.execute("INSERT OR REPLACE INTO searches VALUES (?, ?)", [key, last])
    return "id IN (SELECT id FROM hits WHERE search = ?)", [key]
