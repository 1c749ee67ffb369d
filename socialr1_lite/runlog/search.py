"""Full-text search in completions: FTS5, built when first needed; whole words or substrings where it cannot serve."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator

from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.query import Bound
from socialr1_lite.runlog.tailing import texts

TERM = re.compile(r'"([^"]+)"|(\S+)')  # words and "quoted phrases"
KNOWN = "SELECT coalesce(max(value + 0), 0) FROM meta WHERE key = 'words'"  # the last id in the word index
SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # scripts FTS5 cannot cut into words


def condition(database: sqlite3.Connection, run: RunFolder, words: str, *, built: bool) -> Bound:
    """SQL that holds for traces in which every term occurs. built: whether the word index is up to date."""
    wanted = [(phrase or word).lower() for phrase, word in TERM.findall(words)]
    if built and not SPACELESS.search(words) and all(re.search(r"\w", term) for term in wanted):
        # as FTS5 strings: operators and names of columns mean nothing inside
        strings = ('"' + term.replace('"', '""') + '"' for term in wanted)
        return "id IN (SELECT rowid FROM words WHERE words MATCH ?)", [" AND ".join(strings)]
    return _scan(database, run, wanted)


def waiting(database: sqlite3.Connection) -> int:
    """How many traces the word index does not know yet."""
    return int(database.execute(f"SELECT count(*) FROM traces WHERE id > ({KNOWN})").fetchone()[0])


def extend(database: sqlite3.Connection, run: RunFolder, rows: int) -> bool:
    """Add the next traces to the word index; False where this SQLite has no FTS5."""
    try:
        database.execute("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', columnsize=0)")
    except sqlite3.OperationalError:
        return False
    batch = list(texts(database, run, database.execute(KNOWN).fetchone()[0], rows))
    if batch:
        database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", batch)
        database.execute("INSERT OR REPLACE INTO meta VALUES ('words', ?)", [str(batch[-1][0])])  # in order of id
    return True


def _scan(database: sqlite3.Connection, run: RunFolder, wanted: list[str]) -> Bound:
    """Look through the completions themselves; the hits of a search are kept until the index grows."""
    columns = "search TEXT, id INTEGER, PRIMARY KEY (search, id)"
    database.execute(f"CREATE TEMP TABLE IF NOT EXISTS hits ({columns}) WITHOUT ROWID")
    database.execute("CREATE TEMP TABLE IF NOT EXISTS searches (search TEXT PRIMARY KEY, last INTEGER)")
    key = "\n".join(wanted)
    last = database.execute("SELECT coalesce(max(id), 0) FROM traces").fetchone()[0]
    if database.execute("SELECT last FROM searches WHERE search = ?", [key]).fetchone() != (last,):
        found = _matching(texts(database, run, 0), wanted)
        database.execute("DELETE FROM hits WHERE search = ?", [key])
        database.executemany("INSERT INTO hits VALUES (?, ?)", [(key, identity) for identity in found])
        database.execute("INSERT OR REPLACE INTO searches VALUES (?, ?)", [key, last])
    return "id IN (SELECT id FROM hits WHERE search = ?)", [key]


def _matching(found: Iterable[tuple[int, str]], wanted: list[str]) -> Iterator[int]:
    """The ids of texts with every term; plain substrings rule most texts out before a pattern is tried."""
    parts = [part for term in wanted for part in re.findall(r"[^\W_]+", term) or [term]]
    patterns = [re.compile(_whole_words(term)) for term in wanted]
    for identity, text in found:
        lowered = text.lower()
        if all(part in lowered for part in parts) and all(one.search(lowered) for one in patterns):
            yield identity


def _whole_words(term: str) -> str:
    """A pattern that finds what FTS5 would: its words in a row; the very text where FTS5 sees no words."""
    found = re.findall(r"[^\W_]+", term)
    if SPACELESS.search(term) or not found:
        return re.escape(term)
    return r"(?<![^\W_])" + r"[\W_]+".join(found) + r"(?![^\W_])"
