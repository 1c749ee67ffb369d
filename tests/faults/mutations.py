"""Run folders of which one piece is damaged, gone on from by the trainer: recovered, refused clearly, or wrong.

Recovered: the run ends with the very adapter, and whatever else was lost is told. Refused: one line, status 2, and with
the piece put back the same command ends as the run that nobody disturbed.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from socialr1_lite.recipe import Recipe
from tests.faults.harness import Ended, Verdict, copied, differences, facts, launch, told

ODD = (None, True, -1, 2**70, 1.5, "", "x", [], [1], {}, {"a": 1}, "1" * 5000)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, max(2, len(content)))]


def garbled(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(content)))
    return content[:at] + rng.randbytes(8) + content[at + 8 :]


def doubled(content: bytes, rng: random.Random) -> bytes:
    return content * 2


def emptied(content: bytes, rng: random.Random) -> bytes:
    return b""


def of_another_type(content: bytes, rng: random.Random) -> bytes:
    """One value of a JSON document, or of one of its lines, is of another type; of any other file all of it."""
    lines = content.splitlines(keepends=True) if content.count(b"\n") > 1 else [content]
    try:
        rows = [json.loads(line) for line in lines]
    except ValueError:
        lines = [content]
        try:
            rows = [json.loads(content)]
        except ValueError:
            rows = [""]
    place = rng.randrange(len(rows))
    row = rows[place]
    if isinstance(row, dict) and row and rng.random() < 0.8:
        key = rng.choice(sorted(row))
        row[key] = _odd(row[key], rng)
    else:
        row = _odd(row, rng)
    return b"".join([*lines[:place], json.dumps(row).encode() + b"\n", *lines[place + 1 :]])


def _odd(value: object, rng: random.Random) -> object:
    return rng.choice([one for one in ODD if type(one) is not type(value)])


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": cut,
    "garbled": garbled,
    "doubled": doubled,
    "emptied": emptied,
    "of another type": of_another_type,
}
GONE, FOLDER = "deleted", "a folder in its place"
WAYS = (*DAMAGES, GONE, FOLDER)


def pieces(base: Path) -> list[str]:
    """Return every file of a run folder by its path in it, but the lock."""
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file() and path.suffix != ".lock")


def ways(base: Path, piece: str) -> list[str]:
    """Return the ways that leave this piece other than it was: an empty file cannot be cut, emptied or doubled."""
    content, rng = (base / piece).read_bytes(), random.Random(0)
    return [way for way in WAYS if way not in DAMAGES or DAMAGES[way](content, rng) != content]


def damage(folder: Path, piece: str, way: str, seed: int) -> None:
    """Damage one piece of a run folder."""
    rng, path = random.Random(f"{piece} {way} {seed}"), folder / piece
    if way in DAMAGES:
        path.write_bytes(DAMAGES[way](path.read_bytes(), rng))
        return
    path.unlink()
    if way == FOLDER:
        path.mkdir()


def put_back(base: Path, folder: Path, piece: str) -> None:
    """Put the piece back as it was, also where what it lies in was set aside or removed since."""
    path = folder / piece
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(base / piece, path)


def trial(
    base: Path, folder: Path, settings: Recipe, damaged: tuple[str, str, int], calm: dict[str, object], plain: Ended
) -> Verdict:
    """Go on from a copy of the base with one damaged piece. plain: how a launch of the undamaged base ended."""
    piece, way, seed = damaged
    name = f"{piece} {way} (seed {seed})"
    copied(base, folder)
    damage(folder, piece, way, seed)
    ended = launch(folder, settings)
    verdict = judged(name, ended, folder, calm, plain)
    if verdict.kind == "refused":
        put_back(base, folder, piece)
        again = launch(folder, settings)
        if again.status != 0 or (differ := differences(calm, facts(folder))):
            why = f"{again.status}: {again.said[-2:]}" if again.status else f"{differ} differ"
            verdict = Verdict("wrong", f"{name}: refused ({ended.errors}), and after it was put back {why}")
    shutil.rmtree(folder)
    return verdict


def judged(name: str, ended: Ended, folder: Path, calm: dict[str, object], plain: Ended) -> Verdict:
    """Say what a launch with a damaged piece came to."""
    errors = ended.errors
    if ended.status == 2 and len(errors) == 1 and errors[0].startswith("error: "):
        return Verdict("refused", f"{name}: {errors[0]}")
    if ended.status != 0 or errors:
        return Verdict("wrong", f"{name}: status {ended.status}: {list(ended.said[-4:])}")
    differ = differences(calm, facts(folder))
    if {"adapter", "state"} & set(differ):
        return Verdict("wrong", f"{name}: {differ} differ")
    if differ and not told(ended, plain):
        return Verdict("wrong", f"{name}: {differ} differ and nothing is said of it")
    return Verdict("recovered", f"{name}: {differ or 'the same'}")
