"""Full-text search: FTS5 over completions, built when first needed; whole words or substrings where it cannot serve.

Every word must occur; "quoted words" as a phrase; -word or -"a phrase" must not; a OR b: one of them.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from socialr1_lite.runlog import lines
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.query import Bound
from socialr1_lite.runlog.tailing import texts

Identity = TypeVar("Identity", int, str)
TERM = re.compile(r'(-?)"([^"]+)"|(\S+)')  # words, "quoted phrases", -what must not occur, OR between alternatives
KNOWN = "SELECT coalesce(max(value + 0), 0) FROM meta WHERE key = 'words'"  # the last id in the word index
SPACELESS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # scripts FTS5 cannot cut into words


class Term(NamedTuple):
    """A word or phrase, in lower case, that occurs or must not."""

    text: str
    without: bool


Wanted = list[list[Term]]  # every one of the lists must be met, each by one of its terms


def parse(words: str) -> Wanted:
    """Read a search. An OR at either end, or beside another, stands for itself no more than a lone minus does."""
    wanted: Wanted = []
    joined = False
    for minus, phrase, word in TERM.findall(words):
        if word == "OR":
            joined = bool(wanted)
            continue
        text = (phrase or word).lower()
        negated = bool(minus) if phrase else word.startswith("-") and len(word) > 1
        term = Term(text[1:] if negated and not phrase else text, negated)
        if joined:
            wanted[-1].append(term)
        else:
            wanted.append([term])
        joined = False
    return wanted


def condition(database: sqlite3.Connection, run: RunFolder, words: str, scope: str, *, built: bool) -> Bound:
    """SQL that holds for traces that a search finds. scope: of query.SEARCHED. built: the word index is up to date."""
    wanted = parse(words)
    if not wanted:
        return "1", []
    if scope == "asked":
        return _asked(run, wanted)
    by_index = built and all(re.search(r"\w", term.text) and not SPACELESS.search(term.text) for term in _terms(wanted))
    if scope == "replies" and not by_index:
        return _scan(database, run, wanted)
    parts: list[Bound] = []
    if scope == "replies" and (plain := [any_of for any_of in wanted if not any(term.without for term in any_of)]):
        parts.append(_matches(" AND ".join(f"({' OR '.join(map(_string, any_of))})" for any_of in plain)))
        wanted = [any_of for any_of in wanted if any_of not in plain]
    for any_of in wanted:
        found = [_one(database, run, term, scope, by_index) for term in any_of]
        parts.append((f"({' OR '.join(text for text, _ in found)})", [one for _, bound in found for one in bound]))
    return " AND ".join(text for text, _ in parts), [one for _, bound in parts for one in bound]


def _one(database: sqlite3.Connection, run: RunFolder, term: Term, scope: str, by_index: bool) -> Bound:
    plain = term._replace(without=False)
    text, bound = _matches(_string(term)) if by_index else _scan(database, run, [[plain]])
    if scope == "all":
        also, more = _asked(run, [[plain]])
        text, bound = f"({text} OR {also})", [*bound, *more]
    return (f"NOT {text}" if term.without else text), bound


def _matches(expression: str) -> Bound:
    return "id IN (SELECT rowid FROM words WHERE words MATCH ?)", [expression]


def _string(term: Term) -> str:
    """Return an FTS5 string: operators and names of columns mean nothing inside."""
    return '"' + term.text.replace('"', '""') + '"'


def _terms(wanted: Wanted) -> Iterator[Term]:
    return (term for any_of in wanted for term in any_of)


def _asked(run: RunFolder, wanted: Wanted) -> Bound:
    """The condition that story or question meet the search."""
    state = run.scenarios.stat() if run.scenarios.exists() else None
    texts_of = _asked_texts(run.scenarios, state.st_size, state.st_mtime_ns) if state else ()
    return "scenario IN (SELECT value FROM json_each(?))", [json.dumps(list(_matching(texts_of, wanted)))]


@lru_cache(maxsize=4)
def _asked_texts(path: Path, size: int, mtime_ns: int) -> tuple[tuple[str, str], ...]:
    """Return (id, story and question) of every scenario, of the file as it was at that size and time."""
    return tuple((str(row.get("id")), f"{row.get('story')}\n{row.get('question')}") for row in lines.read_rows(path))


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


def _scan(database: sqlite3.Connection, run: RunFolder, wanted: Wanted) -> Bound:
    """Look through the completions themselves; the hits of a search are kept until the index grows."""
    columns = "search TEXT, id INTEGER, PRIMARY KEY (search, id)"
    database.execute(f"CREATE TEMP TABLE IF NOT EXISTS hits ({columns}) WITHOUT ROWID")
    database.execute("CREATE TEMP TABLE IF NOT EXISTS searches (search TEXT PRIMARY KEY, last INTEGER)")
    key = json.dumps(wanted)
    last = database.execute("SELECT coalesce(max(id), 0) FROM traces").fetchone()[0]
    if database.execute("SELECT last FROM searches WHERE search = ?", [key]).fetchone() != (last,):
        found = _matching(texts(database, run, 0), wanted)
        database.execute("DELETE FROM hits WHERE search = ?", [key])
        database.executemany("INSERT INTO hits VALUES (?, ?)", ((key, identity) for identity in found))
        database.execute("INSERT OR REPLACE INTO searches VALUES (?, ?)", [key, last])
    return "id IN (SELECT id FROM hits WHERE search = ?)", [key]


def _matching(found: Iterable[tuple[Identity, str]], wanted: Wanted) -> Iterator[Identity]:
    """The ids of texts that meet the search; a plain substring rules most texts out before a pattern is tried."""
    patterns = {term.text: (_first_part(term.text), re.compile(_whole_words(term.text))) for term in _terms(wanted)}
    for identity, text in found:
        lowered = text.lower()
        occurs = {one: part in lowered and bool(p.search(lowered)) for one, (part, p) in patterns.items()}
        if all(any(occurs[term.text] != term.without for term in any_of) for any_of in wanted):
            yield identity


def _first_part(term: str) -> str:
    return next(iter(re.findall(r"[^\W_]+", term)), term)


def _whole_words(term: str) -> str:
    """A pattern that finds what FTS5 would: its words in a row; the very text where FTS5 sees no words."""
    found = re.findall(r"[^\W_]+", term)
    if SPACELESS.search(term) or not found:
        return re.escape(term)
    return r"(?<![^\W_])" + r"[\W_]+".join(found) + r"(?![^\W_])"
