"""Markers of checkpoints and kept adapters: one counts once every byte of it is known to be there."""

from __future__ import annotations

import hashlib
import re
import shutil
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.folder import RunFolder
from socialr1_lite.runlog.lines import JsonObject

MARKER = "COMPLETE.json"
MARKER_VERSION = 1
NAME = re.compile(r"checkpoint-(\d+)")
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")  # what is loaded, so that none may be there unvouched for


class Newest(NamedTuple):
    """Where to resume: the checkpoint (None: from the beginning), its step, what was set aside in words."""

    path: Path | None
    step: int
    notices: tuple[str, ...] = ()


def checkpoint_step(path: Path) -> int | None:
    """12 for .../checkpoint-12; None for any other name."""
    found = NAME.fullmatch(path.name)
    return int(found[1]) if found else None


def mark_complete(run: RunFolder, checkpoint: Path, step: int | None = None) -> Path:
    """Write the marker of a finished checkpoint, last and in one move; returns its path.

    The marker holds size and sha256 of every file, the step and the digest of recipe.yaml. step: of an adapter that is
    kept beside the checkpoints, whose folder does not name it.
    """
    if (step := checkpoint_step(checkpoint) if step is None else step) is None:
        raise RunLogError(f"{checkpoint}: a checkpoint's folder is named checkpoint-<step>")
    files = {}
    for path in sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != MARKER):
        lines.sync(path)
        files[path.relative_to(checkpoint).as_posix()] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    marker = {"version": MARKER_VERSION, "step": step, "recipe_sha256": run.recipe_digest(), "files": files}
    return lines.write_json(checkpoint / MARKER, marker)


def keep_whole(run: RunFolder, made: Path, limit: int | None) -> str:
    """Vouch for a finished checkpoint, move it, whole, into the run folder, and drop the oldest beyond `limit`.

    Returns what is in the way, in words; then the old ones stay.
    """
    kept, part = run.checkpoints / made.name, run.checkpoints / ".checkpoint.part"
    try:
        mark_complete(run, made)
        if made != kept:
            lines.remove_tree(part)  # of a copy that was killed
            shutil.copytree(made, part)
            lines.remove_tree(kept)
            part.rename(kept)
            shutil.rmtree(made)
    except OSError as error:
        return f"{made.name} is not kept, those before it stay: {error}"
    steps = {path: step for path in run.checkpoints.glob("*") if (step := checkpoint_step(path)) is not None}
    for path in sorted(steps, key=lambda path: steps[path])[: -limit if limit else 0]:
        (path / MARKER).unlink(missing_ok=True)  # first: what is left when this is killed is no checkpoint
        lines.remove_tree(path)
    return ""


def check(checkpoint: Path, step: int | None = None) -> str:
    """What is wrong with a checkpoint, or an adapter of this step, in words; "" when its marker verifies."""
    try:
        marker: Any = orjson.loads((checkpoint / MARKER).read_bytes())
        version, of, named = int(marker["version"] // 1), int(marker["step"] // 1), marker["files"].items()
        files = {checkpoint / name: (facts["bytes"], facts["sha256"]) for name, facts in named}
    except FileNotFoundError:
        return f"no {MARKER}: it was not finished"
    except (KeyError, TypeError, ValueError, AttributeError, OSError):  # no JSON, or not of the form that is written
        return f"{MARKER} cannot be read"
    if version > MARKER_VERSION:
        return f"{MARKER} has version {version}, this code reads up to {MARKER_VERSION}"
    if (wanted := checkpoint_step(checkpoint) if step is None else step) not in (of, None):
        return f"{MARKER} belongs to step {of}, not {wanted}"
    if not files or any(".." in path.parts or not path.is_relative_to(checkpoint) for path in files):
        return f"{MARKER} cannot be read: it names no file, or one elsewhere"
    if stray := [path.name for path in checkpoint.glob("*") if path.suffix in WEIGHTS and path not in files]:
        return f"{min(stray)} is not in {MARKER}: it was put there later"
    return next(filter(None, (_check_file(path, *facts) for path, facts in files.items())), "")


def vouched(folder: Path, step: int | None = None) -> str:
    """Return "" for a kept adapter whose marker verifies, and what is to be told of one that has none.

    step: of that adapter; None: of any. Raises RunLogError for one that was cut, garbled or replaced.
    """
    if not (folder / MARKER).exists():
        return f"{folder} has no {MARKER}, so its files are taken as they are (older versions wrote none)"
    if problem := check(folder, step):
        raise RunLogError(f"{folder}: {problem}; put it back as it was, or name another: --checkpoint N")
    return ""


def marker_of(folder: Path) -> JsonObject:
    """Return the marker of a checkpoint or a kept adapter; {} where there is none that can be read."""
    return (lines.parse((folder / MARKER).read_bytes()) if (folder / MARKER).is_file() else None) or {}


def put_aside(folder: Path) -> Path:
    """Rename a broken folder to broken-NAME-K beside it; return the new path."""
    names = (folder.with_name(f"broken-{folder.name}-{k}") for k in count())
    return folder.rename(next(name for name in names if not name.exists()))


def _check_file(path: Path, size: int, digest: str) -> str:
    if not path.is_file():
        return f"{path.name} is missing"
    if (found := path.stat().st_size) != size:
        return f"{path.name} has {found} bytes instead of {size}"
    return "" if sha256(path) == digest else f"{path.name} has other content than when it was saved"


def newest_complete(run: RunFolder, *, set_aside: bool = True) -> Newest:
    """The newest checkpoint whose marker verifies.

    Newer broken ones are renamed to broken-checkpoint-N-K and named in the notices (set_aside=False only
    names them: for readers and for ranks other than 0).
    """
    steps = {path: step for path in run.checkpoints.glob("checkpoint-*") if (step := checkpoint_step(path)) is not None}
    notices: list[str] = []
    for path in sorted(steps, key=lambda path: steps[path], reverse=True):
        if not (problem := check(path)):
            return Newest(path, steps[path], tuple(notices))
        notices.append(f"{path.name} set aside: {problem}")
        if set_aside:
            put_aside(path)
    return Newest(None, 0, tuple(notices))


def sha256(path: Path) -> str:
    """Digest of a file's content in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
