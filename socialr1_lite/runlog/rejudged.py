"""Verdicts of judges that were asked again, kept beside a run's traces: `rejudged/JUDGE-vVERSION.jsonl`.

The traces keep what training was paid by. These files say what a judge, or a newer version of one, makes of the same
completions: one line each, found again by where the completion stands in the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TypeGuard

from socialr1_lite.errors import RunLogError
from socialr1_lite.redaction import redact_tree
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.folder import RunFolder

REJUDGED_VERSION = 1
KEY = ("phase", "benchmark", "step", "group", "index", "segment")  # tells a completion from all others of its run
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """What a judge said of one completion when it was asked again. scores: stage -> [0, 1] or None."""

    judge: str
    judge_version: int
    scores: Mapping[str, float | None]
    notes: tuple[str, ...] = ()
    failed: bool = False


def write_verdicts(run: RunFolder, verdicts: Iterable[tuple[Trace, StoredVerdict]]) -> Path:
    """Write one judge's verdicts, in place of those that the same version of it left before; return the file.

    Nothing is left behind when the verdicts break off. Raises RunLogError where the folder cannot be written.
    """
    verdicts = iter(verdicts)
    first = next(verdicts, None)
    if first is None:
        raise RunLogError(f"{run.path}: holds no completion that could be judged again")
    path = run.path / "rejudged" / f"{first[1].judge}-v{first[1].judge_version}.jsonl"

    def fill(scratch: Path) -> None:
        with scratch.open("wb") as file:
            file.writelines(lines.encode([_row(*one)]) for one in chain([first], verdicts))

    try:
        path.parent.mkdir(exist_ok=True)
        lines.replace_atomic(path, fill)
    except OSError as error:
        raise RunLogError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def read_verdicts(run: RunFolder, trace: Trace) -> list[StoredVerdict]:
    """Return every verdict kept beside a completion, by judge and version. A damaged line is passed over."""
    found = []
    for path in sorted((run.path / "rejudged").glob("*.jsonl")):
        state = path.stat()
        place = _places(path, state.st_size, state.st_mtime_ns).get(_key_of(trace))
        if place is None:
            continue
        with path.open("rb") as file:
            file.seek(place)
            row = lines.parse(file.readline())
        if row is not None:
            judge, version, notes = str(row["judge"]), int(row["judge_version"]), tuple(map(str, row["notes"]))
            found.append(StoredVerdict(judge, version, row["scores"], notes, bool(row["failed"])))
    return found


def scores_by_judge(run: RunFolder) -> dict[str, Mapping[Key, Mapping[str, float | None]]]:
    """Return every verdict kept beside a run, as "JUDGE vVERSION" -> completion -> stage -> score. Failed: left out."""
    found = {}
    for path in sorted((run.path / "rejudged").glob("*.jsonl")):
        state = path.stat()
        if told := _scores(path, state.st_size, state.st_mtime_ns):
            found[path.stem.replace("-v", " v")] = told
    return found


@lru_cache(maxsize=4)
def _scores(path: Path, size: int, mtime_ns: int) -> Mapping[Key, Mapping[str, float | None]]:
    """Read the file as it was at that size and time."""
    found: dict[Key, Mapping[str, float | None]] = {}
    for row in lines.read_rows(path):
        key, scores = tuple(one for name in KEY if isinstance(one := row.get(name), (str, int))), row.get("scores")
        counts = row.get("version") == REJUDGED_VERSION and not row.get("failed")
        if counts and isinstance(scores, dict) and len(key) == len(KEY):
            found[key] = {stage: score if _is_share(score) else None for stage, score in scores.items()}
    return found


def _is_share(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _key_of(trace: Trace) -> Key:
    return (trace.phase, trace.benchmark, trace.step, trace.group, trace.index, trace.launch)


def _row(trace: Trace, verdict: StoredVerdict) -> dict[str, object]:
    return {
        "version": REJUDGED_VERSION,
        "judge": verdict.judge,
        "judge_version": verdict.judge_version,
        **dict(zip(KEY, _key_of(trace), strict=True)),
        "scores": dict(verdict.scores),
        "notes": redact_tree(list(verdict.notes)),
        "failed": verdict.failed,
    }


@lru_cache(maxsize=8)
def _places(path: Path, size: int, mtime_ns: int) -> dict[Key, int]:
    """Return where each completion's line begins, of the file as it was at that size and time."""
    places: dict[Key, int] = {}
    for offset, line in lines.complete_lines(path):
        row = lines.parse(line)
        if row is not None and row.get("version") == REJUDGED_VERSION:
            places[tuple(row[name] for name in KEY)] = offset
    return places
