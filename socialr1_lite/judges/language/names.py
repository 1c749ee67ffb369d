"""The names in a scenario: runs of capitalised words that are no ordinary words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from socialr1_lite.judges.language import lexicon
from socialr1_lite.judges.language.surface import (
    BREAKS,
    CAPITAL,
    CONTENT,
    LICENSED,
    OWNING,
    SKIPPED,
    TOKEN,
    WRITER,
    Word,
    words_of,
)
from socialr1_lite.sip import sentences

LONGEST_NAME = 3  # words
Run = tuple[str, ...]  # the words of a name, in lower case


def names_in(texts: Iterable[str]) -> tuple[dict[str, tuple[tuple[Run, str], ...]], dict[str, str]]:
    """Find the names of some texts: by their first word, and by any word that belongs to one name only.

    First: first word -> (words, "@name") of the names that start with it, longest first. Second: word -> "@name".
    """
    found: dict[Run, int] = {}
    lower: set[str] = set()
    opening: dict[Run, str] = {}  # runs seen only where a sentence starts -> the word behind
    for text in texts:
        for start, end in sentences(text):
            raw = TOKEN.findall(text[start:end])
            lower.update(token for token in raw if token[0].islower())
            for run, place in _capital_runs(words_of(text[start:end])):
                if place == 0 or raw[place - 1] in '"“:':
                    opening.setdefault(run, raw[place + len(run)].lower() if place + len(run) < len(raw) else "")
                else:
                    found[run] = found.get(run, 0) + 1
    for run, behind in opening.items():
        if len(run) > 1 or _takes_a_subject(behind):
            found.setdefault(run, 1)
    kept = [run for run in found if len(run) > 1 or run[0] not in lower]
    starts: dict[str, list[tuple[Run, str]]] = {}
    owners: dict[str, set[Run]] = {}
    for run in kept:
        starts.setdefault(run[0], []).append((run, "@" + " ".join(run)))
        for one in run:
            owners.setdefault(one, set()).add(run)
    aliases = {one: "@" + " ".join(next(iter(runs))) for one, runs in owners.items() if len(runs) == 1}
    aliases |= {run[0]: "@" + run[0] for run in kept if len(run) == 1}
    names = {first: tuple(sorted(runs, key=lambda run: (-len(run[0]), run))) for first, runs in starts.items()}
    return names, aliases


def _capital_runs(tokens: Sequence[Word]) -> Iterator[tuple[Run, int]]:
    """Yield (lower-case words, place) of each run of capitalised words that are no ordinary words."""
    place = 0
    while place < len(tokens):
        run: list[str] = []
        at = place
        while at < len(tokens) and len(run) < LONGEST_NAME and _looks_like_a_name(tokens[at]):
            run.append(tokens[at].base)
            at += 1
            if tokens[at - 1].kind & OWNING:
                break
        if run:
            yield tuple(run), place
        place = max(at, place + 1)


def _looks_like_a_name(word: Word) -> bool:
    return bool(
        word.kind & CAPITAL
        and word.kind & CONTENT
        and not word.kind & (LICENSED | WRITER | BREAKS | SKIPPED)
        and word.base not in lexicon.CALENDAR
        and len(word.base) > 1
    )


def _takes_a_subject(behind: str) -> bool:
    """Return whether the word behind a capitalised opening word makes that one a subject: "Anna puts", "Anna and"."""
    return behind in ("and", "is", "was", "has", "had", ",") or (
        behind.endswith(("s", "ed")) and behind not in lexicon.STOP and len(behind) > 2
    )
