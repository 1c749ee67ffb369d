"""The adapter of a run's best held-out check, kept whole through kills, resumes and the clearing of checkpoints.

    best/best.json      after which step, and what it scored
    best/step-40/       the adapter of that step, in PEFT's layout

An adapter is there before its check is written down. One that a better one followed stays as long as a checkpoint is
left from which the better one's steps would be trained again: a resume from there must find the best of the history
that it goes on from, not one that never happened in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.trace import is_number
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.checkpoints import checkpoint_step
from socialr1_lite.runlog.folder import RunFolder, check_version, is_whole
from socialr1_lite.runlog.lines import JsonObject

BEST_VERSION = 1
NAME = re.compile(r"step-(\d+)")


class CheckScore(NamedTuple):
    """One held-out check after a step of GRPO. low, high: 95 % interval of the accuracy; n: questions."""

    step: int
    label: str
    accuracy: float
    low: float
    high: float
    n: int


def best_of(scored: Iterable[CheckScore]) -> CheckScore | None:
    """Return the check of highest accuracy after at least one step; of equals the one with the fewest steps."""
    return min((one for one in scored if one.step > 0), key=lambda one: (-one.accuracy, one.step), default=None)


class BestAdapter:
    """The folder `best` of a run. One process writes it."""

    def __init__(self, run: RunFolder) -> None:
        """Point at the folder; nothing is made yet."""
        self._run = run
        self._folder = run.path / "best"
        self._file = self._folder / "best.json"

    def path(self, step: int) -> Path:
        """Return where the adapter of that step lies, or would."""
        return self._folder / f"step-{step}"

    def update(self, now: CheckScore, before: Iterable[CheckScore], save: Callable[[Path], None]) -> bool:
        """Keep the adapter of this moment when its check beats all before; `save` writes the folder, whole."""
        if best_of([*before, now]) != now:
            return False
        self._folder.mkdir(exist_ok=True)
        save(self.path(now.step))
        return True

    def record(self, scored: Iterable[CheckScore]) -> CheckScore | None:
        """Write best.json for the best check and return that one; remove the file when its adapter was never kept."""
        best = best_of(scored)
        if best is None or not self.path(best.step).is_dir():
            self._file.unlink(missing_ok=True)
            return None
        lines.write_json(self._file, {"version": BEST_VERSION, **best._asdict(), "adapter": self.path(best.step).name})
        return best

    def drop_after(self, step: int) -> None:
        """Take away what belongs to steps that are about to be trained again."""
        for path, kept in self._kept().items():
            if kept > step:
                lines.remove_tree(path)

    def prune(self) -> None:
        """Take away the adapters that no resume can come back to: those before the oldest checkpoint's best."""
        steps = [step for path in self._run.checkpoints.glob("*") if (step := checkpoint_step(path)) is not None]
        if steps:
            self._keep_from(max((kept for kept in self._kept().values() if kept <= min(steps)), default=0))

    def drop_others(self, best: CheckScore) -> None:
        """Take away all the others: the run is over."""
        self._keep_from(best.step)

    def _keep_from(self, step: int) -> None:
        for path, kept in self._kept().items():
            if kept < step:
                lines.remove_tree(path)

    def _kept(self) -> dict[Path, int]:
        """Return each kept adapter's folder and step. Every one was the best of its time, so later is better."""
        found = ((path, NAME.fullmatch(path.name)) for path in self._folder.glob("step-*"))
        return {path: int(name[1]) for path, name in found if name}

    def read(self) -> tuple[CheckScore, Path] | None:
        """Return the best check and its adapter's folder, None while there is none. Raises RunLogError if broken."""
        try:
            row: JsonObject = orjson.loads(self._file.read_bytes())
            check_version(row["version"], BEST_VERSION, self._file)
            best = CheckScore(**{name: row[name] for name in CheckScore._fields})
            if not (is_whole(best.step) and isinstance(best.label, str) and all(map(is_number, best[2:]))):
                raise TypeError("of other types than are written")
            return best, self.path(best.step)
        except FileNotFoundError:
            return None
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            raise RunLogError(f"{self._file} cannot be read; name a step instead: --checkpoint N") from None
