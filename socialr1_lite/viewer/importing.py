"""Foreign completions become run folders.

    python -m socialr1_lite.viewer.importing FILE... [-o RUN] [--rewards a,b*0.5]

FILE is one of: TRL's completions_*.parquet, verl's rollout JSONL, ms-swift's completions.jsonl, our own exported JSONL,
or the JSONL that `score` reads (id, story, question, options, gold, completion), which is scored on the way in; also as
CSV. Several files, a folder or a pattern make one run, as TRL and verl write a file a step. What is read out of them is
told in foreign.py.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import glob
import hashlib
import io
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import yaml

from socialr1_lite.data import rows_of
from socialr1_lite.errors import DataError, command
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.runlog.index_file import cache_folder
from socialr1_lite.scenario import JsonValue
from socialr1_lite.viewer.foreign import Placed, Weights, convert, number_of
from socialr1_lite.viewer.library import IMPORTS, Library
from socialr1_lite.viewer.serving import BadRequest, Json, Query

MAX_FILE = "64mb"  # of an upload; larger files go through the command line
MAX_BYTES = 64 << 20
MOST_KEPT = 4 << 30  # bytes of all imports from the page together [ours]
MOST_FILES = 2000
MOST_TEXT = 512 << 20  # bytes of all rows of an import: more would fill the memory of a small machine [ours]
ENDINGS = (".jsonl", ".parquet", ".csv")


def import_files(library: Library, query: Query) -> Json:
    """Make uploaded files one run, as trainers write a file a step; return its key."""
    names = query.texts("names", most=MOST_FILES, limit=200)
    encoded = query.texts("contents", most=MOST_FILES, limit=MAX_BYTES * 4 // 3 + 8)
    rewards = named_rewards(query.text("rewards") or None)
    query.done()
    if not names or len(names) != len(encoded):
        raise BadRequest("names and contents must be as many, and at least one")
    try:
        files = [(name, base64.b64decode(one, validate=True)) for name, one in zip(names, encoded, strict=True)]
    except (binascii.Error, ValueError):
        raise BadRequest("the upload is damaged; send it again") from None
    if sum(len(content) for _, content in files) > MAX_BYTES:
        raise BadRequest(f"more than {MAX_FILE} at once; use  python -m socialr1_lite.viewer.importing FILE...")
    files.sort(key=lambda file: by_number(file[0]))
    kept = cache_folder() / IMPORTS
    if (size := sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())) > MOST_KEPT:
        raise DataError(f"imports take {size >> 20} MB in {kept}: take some off the list of runs first")
    name = name_of([name for name, _ in files])
    digest = hashlib.sha256(repr(rewards).encode() if rewards else b"")
    for one, content in files:
        digest.update(content if len(files) == 1 else b"%d %s %d " % (len(one), one.encode(), len(content)) + content)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(files[0][0]).stem).strip("-.")[:60] or "imported"
    folder = kept / f"{stem}-{digest.hexdigest()[:6]}"
    if not (folder / "state.json").exists():
        shutil.rmtree(folder, ignore_errors=True)  # an older version may have left a half
        make_run(read_files((one, io.BytesIO(content)) for one, content in files), folder, name, rewards)
    return {"run": library.add(folder)}


def by_number(name: str) -> list[int | str]:
    """Return the key that sorts 2.jsonl before 10.jsonl."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]


def name_of(names: Sequence[str]) -> str:
    """Return what an import of these files is called."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def read_files(files: Iterable[tuple[str, BinaryIO]]) -> list[Placed]:
    """Read the rows of several files as those of one. Raises DataError naming file and row.

    A row that names no step is of the one that its file's name ends with, as in 12.jsonl.
    """
    rows: list[Placed] = []
    size = 0
    names = []
    for name, file in files:
        names.append(name)
        at = re.search(r"(\d{1,9})$", Path(name).stem)
        for place, row in rows_of(file, name):
            where = f"{name}, {place.replace('line', 'row') if name.endswith('.jsonl') else place}"
            if not isinstance(row, dict):
                raise DataError(f"{where}: {row}")
            if name.lower().endswith(".csv"):
                row = {key: number_of(key, value) for key, value in row.items()}
            size += 200 + sum(len(key) + weight(value) for key, value in row.items())
            if size > MOST_TEXT:
                raise DataError(f"{where}: more than {MOST_TEXT >> 20} MB of rows; import fewer at a time")
            rows.append((where, ({"step": int(at[1])} if at else {}) | row))
    if not rows:
        raise DataError(
            f"{', '.join(names)[:200]} holds no rows; a JSONL, CSV or Parquet file of completions is needed"
        )
    return rows


def weight(value: JsonValue) -> int:
    """Return about how many bytes a value takes."""
    if isinstance(value, dict):
        return 100 + sum(len(str(key)) + weight(one) for key, one in value.items())
    return (
        100 + sum(map(weight, value)) if isinstance(value, list) else 50 + len(value) if isinstance(value, str) else 30
    )


def make_run(rows: Sequence[Placed], folder: Path, name: str, rewards: Weights | None = None) -> RunFolder:
    """Make a run folder of these rows, whole or not at all. Raises DataError when they are of no known kind."""
    scenarios, traces = convert(rows, name, rewards)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DataError(f"{folder} is there already; name another with -o")
    scratch = folder.parent / ".part" / folder.name  # where nobody looks for runs
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        run = RunFolder.create(scratch)
        run.recipe.write_text(yaml.safe_dump({"model": {"name": f"imported from {name}"}}), "utf-8")
        run.add_scenarios(scenarios.values())
        with TraceWriter(run, launch=run.begin_launch(0, ["import", name])) as writer:
            for start in range(0, len(traces), 1000):
                writer.write(traces[start : start + 1000])
        run.set_state("completed", step=max(trace.step for trace in traces))
        scratch.replace(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):
            scratch.parent.rmdir()
    return RunFolder.open(folder)


def files_of(named: Sequence[str]) -> list[Path]:
    """Return the files that are meant by files, folders and patterns, in the order of the numbers in their names.

    Raises DataError for what names none.
    """
    found: list[Path] = []
    for one in named:
        path = Path(one).expanduser()
        inside = [file for file in path.rglob("*") if file.suffix.lower() in ENDINGS] if path.is_dir() else []
        there = [path] if path.is_file() else inside or list(map(Path, glob.glob(str(path), recursive=True)))
        there = [file for file in there if file.is_file()]
        if not there:
            what = f"holds no file ending in {', '.join(ENDINGS)}" if path.is_dir() else "there is no such file"
            raise DataError(f"{one}: {what}")
        found += sorted(there, key=lambda file: by_number(str(file)))
    return list(dict.fromkeys(found))


def named_rewards(text: str | None) -> Weights | None:
    """Read `--rewards a,b*0.5`. Raises DataError."""
    if text is None:
        return None
    weights = {}
    for one in text.split(","):
        name, _, factor = one.strip().partition("*")
        try:
            weights[name.strip()] = float(factor or 1)
        except ValueError:
            raise DataError(
                f"--rewards {one.strip()!r}: COLUMN or COLUMN*WEIGHT is needed, as in accuracy*0.5"
            ) from None
    return weights


def main() -> None:
    """Import files as one run folder."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.viewer.importing", description="Make a run folder of files of completions."
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a file, several (one a step), their folder or a pattern"
    )
    parser.add_argument("-o", "--output", type=Path, help="the run folder to make (default: runs/NAME)")
    parser.add_argument("--rewards", metavar="COLUMN,COLUMN*WEIGHT", help="the columns that the reward is the sum of")
    args = parser.parse_args()
    files = files_of(args.files)
    name = name_of([file.name for file in files])
    folder = args.output or Path("runs") / (files[0] if len(files) == 1 else Path(args.files[0]).resolve()).stem
    try:
        with ExitStack() as opened:
            rows = read_files((file.name, opened.enter_context(file.open("rb"))) for file in files)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    run = make_run(rows, folder, name, named_rewards(args.rewards))
    print(f"{run.path}: open it with  python -m socialr1_lite.viewer {run.path}", file=sys.stderr)


if __name__ == "__main__":
    command(main)
