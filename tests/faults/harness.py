"""Launches that are cut off or find a damaged folder, each in a fork of one process that has paid for the imports.

A launch goes through the very code that `python -m socialr1_lite.train` goes through, errors and exit status included.
What it leaves is compared with what the launch left that nobody disturbed.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from socialr1_lite import policy
from socialr1_lite.errors import command
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.training import session
from tests import launches

STEPS = 4
CLOCK = re.compile("time|seconds|_s$|segment|share_of_time")  # of metrics: what no two launches have in common
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
POLL_S = 0.002
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def recipe(model: Path) -> Recipe:
    """Four steps with a cold start, a checkpoint and a held-out check after two: all that a run writes, in seconds."""
    tree = launches.recipe(str(model)).model_dump(mode="json")
    tree["prompt"] |= {"system": "Answer."}  # a byte is a token here: the usual one is most of a prompt
    tree["data"] |= {"size": 8}
    tree["grpo"] |= {"max_steps": STEPS, "max_completion_length": 8}
    tree["evaluation"] |= {"every": 2, "items": 1}
    return Recipe.model_validate(tree)


def warm_up() -> None:
    """Import what a training needs, so that a fork has it."""
    policy.choose_backend("auto")
    import datasets  # noqa: F401
    import trl

    assert trl.GRPOTrainer and trl.SFTTrainer  # trl loads them on first use
    gc.collect()
    gc.freeze()  # else each fork goes through half a million objects of modules, several times


# --- one launch


class Ended(NamedTuple):
    """How a launch ended: its exit status (negative: the signal), what it printed, its processor seconds."""

    status: int
    said: tuple[str, ...]
    seconds: float

    @property
    def errors(self) -> list[str]:
        return [line for line in self.said if line.startswith(("error:", "Traceback"))]


@dataclass(frozen=True)
class Cut:
    """When a launch is cut off: from outside after so many processor seconds, or from inside before the n-th change of
    a file in its run folder (from 1)."""

    signal: signal.Signals
    seconds: float = 0.0
    change: int = 0


def launch(folder: Path, settings: Recipe, cut: Cut | None = None, inside: Callable[[], None] | None = None) -> Ended:
    """Train in a fork, in that folder. inside: called in the fork before."""
    log = folder.parent / f"{folder.name}.log"
    child = os.fork()
    if child == 0:
        _train(folder, settings, log, cut, inside)
    if cut is not None and cut.seconds:
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if _spent(child) >= cut.seconds:
                os.kill(child, cut.signal)
                break
            time.sleep(POLL_S)
    _, status, used = os.wait4(child, 0)
    said = log.read_text(errors="replace").splitlines() if log.is_file() else []
    log.unlink(missing_ok=True)
    return Ended(os.waitstatus_to_exitcode(status), tuple(said), used.ru_utime + used.ru_stime)


def _train(folder: Path, settings: Recipe, log: Path, cut: Cut | None, inside: Callable[[], None] | None) -> None:
    """Be the launch; never returns."""
    status = 1
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            if cut is not None and cut.change:
                sys.addaudithook(_at_change(folder, cut))
            if inside is not None:
                inside()
            shown = Progress(stream=file)
            command(lambda: session.run_recipe(settings, run_dir=folder, strict=False, progress=shown) and 0)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def changes(folder: Path, counted: Callable[[], None]) -> Callable[[str, tuple], None]:
    """Return an audit hook that tells of each change of a file in the folder before it is made."""
    place = str(folder)

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            changed = isinstance(path, str) and path.startswith(place) and bool(flags & WRITING)
        else:
            changed = event in CHANGES and place in str(arguments[0])
        if changed:
            counted()

    return hook


def _at_change(folder: Path, cut: Cut) -> Callable[[str, tuple], None]:
    seen = 0

    def counted() -> None:
        nonlocal seen
        seen += 1
        if seen == cut.change:
            os.kill(os.getpid(), cut.signal)

    return changes(folder, counted)


def count_changes(folder: Path, settings: Recipe) -> tuple[int, Ended]:
    """Train undisturbed; how many changes the launch made to files of its folder, and how it ended."""
    reading, writing = os.pipe()

    def inside() -> None:
        sys.addaudithook(changes(folder, lambda: os.write(writing, b".") and None))

    ended = launch(folder, settings, inside=inside)
    os.close(writing)
    with os.fdopen(reading, "rb") as counted:
        return len(counted.read()), ended


def _spent(process: int) -> float:
    """Return the processor seconds of a process of ours that may have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


# --- what a run comes to


def facts(folder: Path) -> dict[str, object]:
    """Return what a run comes to, apart from its clocks: what two equal runs have in common."""
    run = RunFolder.open(folder)
    traces = list(read_traces(run, damaged=lambda _: None))
    kept = sorted(path for path in (run.path / "best").rglob("*") if path.name != "COMPLETE.json" and path.is_file())
    return {
        "state": (run.state()["status"], run.state()["step"]),
        "adapter": content_of(run.adapter / "adapter_model.safetensors"),
        "completions": sorted(map(_completion, traces)),
        "metrics": [
            {name: value for name, value in row.items() if not CLOCK.search(name)} for row in read_metrics(run)
        ],
        "best": [(str(path.relative_to(run.path)), _plainly(path)) for path in kept if path.suffix != ".md"],
    }


def _plainly(path: Path) -> bytes:
    """Return what a file holds; of an adapter's settings without the order of its layers, which PEFT keeps as a set.

    A damaged one, which a run leaves as it was, is what it holds.
    """
    held = path.read_bytes()
    if path.name != "adapter_config.json":
        return held
    try:
        settings = json.loads(held)
        return json.dumps(settings | {"target_modules": sorted(settings["target_modules"])}, sort_keys=True).encode()
    except (ValueError, TypeError, KeyError):
        return held


def _completion(one: Trace) -> tuple:
    place = (one.phase, one.benchmark, one.step, one.group, one.index, one.scenario)
    return (*place, one.completion.text, one.total, -1.0 if one.advantage is None else one.advantage)


def content_of(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def differences(calm: dict[str, object], other: dict[str, object]) -> list[str]:
    """Name what is not equal."""
    return [name for name, value in calm.items() if other[name] != value]


def told(ended: Ended, reference: Ended) -> list[str]:
    """Return the lines that the reference did not say, whatever the numbers in them."""
    known = {_plain(line) for line in reference.said}
    return [line for line in ended.said if _plain(line) not in known]


def _plain(line: str) -> str:
    return re.sub(r"[\d.:%]+", "#", line).strip()


def copied(base: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(base, folder, symlinks=True))


class Verdict(NamedTuple):
    """recovered, refused or wrong, and why."""

    kind: str
    why: str = ""
