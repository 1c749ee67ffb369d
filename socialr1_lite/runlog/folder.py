"""The run folder: its file names, its version, its launches, and whether it is done."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

import orjson

from socialr1_lite.errors import RunLogError
from socialr1_lite.redaction import redact_tree
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.lines import JsonObject
from socialr1_lite.runlog.lock import FolderLock
from socialr1_lite.scenario import Scenario

RUN_VERSION = 1  # of the folder's layout; TRACE_VERSION is that of a trace row

Status = Literal["running", "completed", "failed", "stopped"]  # stopped: by run.max_hours, to be continued


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch: 0 the first, +1 each resume. kind "evaluate": it trained nothing, it supersedes no step."""

    number: int
    start_step: int
    started: str  # ISO 8601, UTC
    command: tuple[str, ...]
    kind: str = "train"


class _Inside:
    """A path inside a run folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, run: RunFolder, owner: type[RunFolder]) -> Path:
        return run.path / self._name


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside one run folder, and the small facts kept there. Make one with `create` or `open`."""

    path: Path

    recipe = _Inside("recipe.yaml")  # resolved, after extends and overrides
    effective = _Inside("effective.yaml")  # what the trainer made of the recipe, with the differences marked
    environment = _Inside("environment.json")  # versions, device, backend, revision, command line, seeds
    scenarios = _Inside("scenarios.jsonl")  # every scenario that a trace names, once each (`Scenario.to_row`)
    traces = _Inside("traces")  # the folder of trace shards
    metrics = _Inside("metrics.jsonl")  # one line a logging step
    launches_file = _Inside("segments.jsonl")  # one line a launch
    checkpoints = _Inside("checkpoints")  # the trainer's output folder: checkpoint-N/ with COMPLETE.json inside
    adapter = _Inside("adapter")  # the final LoRA adapter in PEFT's layout, with the tokenizer
    evaluation = _Inside("evaluation")  # the folder of <benchmark>.json reports
    state_file = _Inside("state.json")  # format version, status, last finished step

    @classmethod
    def create(cls, path: str | Path) -> RunFolder:
        """The run folder at `path`, made if need be; what is there stays. Raises RunLogError if newer."""
        run = cls(Path(path))
        try:
            for folder in (run.traces, run.checkpoints, run.evaluation):
                folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise RunLogError(f"{path} cannot be a run folder: a file of that name is in the way") from None
        if run.state_file.exists():
            run.state()
        else:
            run.set_state("running", step=0)
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """The existing run folder at `path`. Raises RunLogError when it is none, or newer than this code."""
        run = cls(Path(path))
        if not run.path.is_dir():
            raise RunLogError(f"{path} is not a run folder: there is no such folder")
        if not run.exists():
            raise RunLogError(f"{path} is not a run folder: it holds neither state.json nor traces/")
        run.state()
        return run

    def exists(self) -> bool:
        """Whether there is a run at the path, of whatever version."""
        return self.state_file.exists() or self.traces.is_dir()

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    def lock(self, name: str = "train") -> FolderLock:
        """Hold this (`with run.lock():`) while writing. One holder a name; RunLogError when it is taken."""
        self.refuse_links()
        return FolderLock(self.path / f"{name}.lock")

    def refuse_links(self) -> None:
        """Raise RunLogError for a link that leads out of the folder: nothing is written or handed on through one."""
        home = os.path.realpath(self.path)
        for folder, folders, files in os.walk(self.path):
            for path in (Path(folder, name) for name in (*folders, *files)):
                if path.is_symlink() and os.path.commonpath([home, os.path.realpath(path)]) != home:
                    remedy = "put there what it leads to (checkpoints: run.scratch, reports: -o DIR)"
                    raise RunLogError(f"{path} is a link out of the run folder, to {os.path.realpath(path)}; {remedy}")

    def state(self) -> JsonObject:
        """state.json: {version, status, step, ...}; an absent one reads as a running run at step 0.

        Raises RunLogError for one that is newer, cannot be read, or holds what is never written.
        """
        try:
            state = lines.parse(self.state_file.read_bytes())
        except FileNotFoundError:
            state = {}
        except OSError:
            state = None
        remedy = "put it back, or remove it: the run then goes on from its newest checkpoint"
        if state is None:
            raise RunLogError(f"{self.state_file}: cannot be read; {remedy}")
        check_version(state.get("version", RUN_VERSION), RUN_VERSION, self.state_file)
        state = {"version": RUN_VERSION, "status": "running", "step": 0} | state
        status, step = state["status"], state["step"]
        if status not in get_args(Status) or not is_whole(step):
            raise RunLogError(f"{self.state_file}: status {status!r} at step {step!r} is never written; {remedy}")
        return state

    def refuse_newer(self) -> None:
        """Raise RunLogError for a run that a newer version of this code has written."""
        with suppress(OSError):
            version = (lines.parse(self.state_file.read_bytes()) or {}).get("version", RUN_VERSION)
            check_version(version, RUN_VERSION, self.state_file)

    def set_state(self, status: Status, *, step: int, **facts: Any) -> None:
        """Write state.json. `step` counts finished optimizer steps; `facts` are kept beside it."""
        state = {"version": RUN_VERSION, "status": status, "step": step, "written": _now()}
        lines.write_json(self.state_file, state | facts)

    @property
    def completed(self) -> bool:
        """Whether training ran to its last step and the final adapter was saved."""
        return bool(self.state().get("status") == "completed")

    def recipe_digest(self) -> str:
        """sha256 of recipe.yaml in hex, "" while there is none."""
        return recipe_digest(self.recipe)

    def begin_launch(
        self, start_step: int, command: Sequence[str], *, kind: Literal["train", "evaluate"] = "train"
    ) -> int:
        """Record a launch and return its number, which the writers then stamp on their rows.

        start_step: finished optimizer steps at its start (0, or the checkpoint's). One process calls this.
        """
        lines.repair(self.launches_file)
        number = max((*(launch.number for launch in self.launches()), *self.launches_in_rows()), default=-1) + 1
        row = {"segment": number, "start_step": start_step, "started": _now(), "command": list(command), "kind": kind}
        lines.append(self.launches_file, [redact_tree(row)])
        return number

    def launches_in_rows(self) -> Iterator[int]:
        """Yield the last launch of each shard: segments.jsonl may have lost a line, and no number is given twice."""
        for path in self.traces.glob("*-*.jsonl"):
            number = (lines.last_row(path) or {}).get("segment")
            if is_whole(number):
                yield number

    def launches(self) -> list[Launch]:
        """All launches in order; a line that is none is passed over, for the rows tell of their launches too."""
        return [
            Launch(
                row["segment"],
                row["start_step"],
                str(row.get("started", "")),
                tuple(map(str, command if isinstance(command := row.get("command"), list) else ())),
                "evaluate" if row.get("kind") == "evaluate" else "train",
            )
            for row in lines.read_rows(self.launches_file)
            if is_whole(row.get("segment")) and is_whole(row.get("start_step"))
        ]

    def add_scenarios(self, scenarios: Iterable[Scenario]) -> None:
        """Store scenarios that are not there yet. Raises RunLogError when an id already names another one."""
        lines.repair(self.scenarios)
        stored = {row["id"]: row for row in lines.read_rows(self.scenarios) if isinstance(row.get("id"), str)}
        fresh: JsonObject = {}
        for scenario in scenarios:
            row = orjson.loads(orjson.dumps(scenario.to_row()))
            if row != stored.get(scenario.id, fresh.get(scenario.id, row)):
                other = f"{scenario.id} is stored with other content; start a new run folder"
                raise RunLogError(f"{self.scenarios}: {other}")
            if scenario.id not in stored:
                fresh[scenario.id] = row
        lines.append(self.scenarios, fresh.values())

    def read_scenarios(self) -> Iterator[Scenario]:
        """The stored scenarios, in the order in which they were added."""
        return map(Scenario.from_row, lines.read_rows(self.scenarios))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether it is a whole number of at least 0 that fits into 63 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def recipe_digest(recipe: Path) -> str:
    """sha256 of a recipe's file in hex, "" while there is none."""
    return hashlib.sha256(recipe.read_bytes()).hexdigest() if recipe.exists() else ""


def check_version(found: Any, known: int, where: Path | str) -> None:
    """Raise RunLogError for something written by a newer version of this code."""
    if not isinstance(found, int) or found > known:
        raise RunLogError(
            f"{where}: format version {found!r}, this socialr1_lite reads up to {known}; upgrade it to open this run"
        )


def find_runs(root: str | Path) -> list[RunFolder]:
    """`root` itself when it is a run folder, else those inside and inside of its folders, by path."""
    root = Path(root)
    if RunFolder(root).exists():
        return [RunFolder.open(root)]
    if not root.is_dir():
        raise RunLogError(f"{root} holds no runs: there is no such folder")
    found: list[RunFolder] = []
    for child in sorted(root.iterdir()):
        run = RunFolder(child)
        below = [] if run.exists() or child.name.startswith(".") else _folders_in(child)
        found += [run] if run.exists() else [one for one in map(RunFolder, below) if one.exists()]
    return found


def _folders_in(folder: Path) -> list[Path]:
    """Return what is inside a folder, nothing where it may not be read or is none."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
