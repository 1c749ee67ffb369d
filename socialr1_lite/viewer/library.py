"""Which runs there are, and each one's index: opened when first asked for, kept up to date, never trusted to stay.

A run is known to the page by a key that is looked up here and never joined to a path.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from socialr1_lite.errors import RecipeError, RunLogError
from socialr1_lite.recipe import located_yaml
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.runlog import RunFolder, find_runs, lines
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.index_file import cache_folder
from socialr1_lite.runlog.tailing import Progress

DEFAULT_PLACE = Path("runs")
INDEX_WAIT_S = 0.35  # how long a page waits for an index before it is shown its progress
REFRESH_S = 0.8  # an index looks for new rows at most this often
LIVE_S = 120.0  # a running run that wrote nothing for so long is shown as silent ...
SILENT_STEPS = 4  # ... unless its steps take long: so many of them
REMEMBERED = 40  # answers a run; an order of 200,000 completions takes 1.6 MB
T = TypeVar("T")
IMPORTS = "imports"  # under the cache folder: runs made from foreign files
HIDDEN = "hidden.txt"  # under the cache folder: runs that were taken off the list, a path a line
EXAMPLE = Path(str(files("socialr1_lite.viewer") / "example"))


class Indexing(Exception):
    """The index is still being built: `done` of `size` bytes."""

    def __init__(self, done: int, size: int) -> None:
        """Bytes read and bytes in all."""
        super().__init__(f"indexing {done} of {size}")
        self.done, self.size = done, size


class OpenRun:
    """One run folder with its index."""

    def __init__(self, key: str, label: str, folder: RunFolder) -> None:
        """Nothing is read before it is asked for."""
        self.key, self.label, self.folder = key, label, folder
        self.memory: dict[str, tuple[str, Any]] = {}  # page -> (stamp, answer): figures that only new rows change
        self._index: TraceIndex | None = None
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._progress = (0, 1)
        self._refreshed = 0.0
        self._stamp = ""
        self._lock = threading.Lock()

    def index(self) -> TraceIndex:
        """Return the index, up to date to within a second.

        Raises Indexing while it is first built, RunLogError for a run that cannot be read.
        """
        if not self.folder.path.is_dir():
            raise RunLogError(f"{self.folder.path} is gone: the run was moved or deleted while it was open")
        with self._lock:
            if self._index is None and self._thread is None:
                self._thread = threading.Thread(target=self._build, name=f"index {self.key}", daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(INDEX_WAIT_S)
            if thread.is_alive():
                raise Indexing(*self._progress)
            with self._lock:
                self._thread = None
                error, self._error = self._error, None
            if error is not None:
                raise error
        assert self._index is not None
        with self._lock:
            if time.monotonic() - self._refreshed > REFRESH_S:
                self._refresh(self._index)
        return self._index

    def _build(self) -> None:
        try:
            index = TraceIndex(self.folder)
            self._refresh(index, lambda done, size: setattr(self, "_progress", (done, size)))
            self._index = index
        except Exception as error:  # raised in index(), to whoever asks
            self._error = error

    def _refresh(self, index: TraceIndex, progress: Progress | None = None) -> None:
        stamp = self._written()  # before reading: what is written meanwhile is read twice rather than never
        index.refresh(progress)
        self._stamp, self._refreshed = stamp, time.monotonic()

    def stamp(self) -> str:
        """Return what changes when the index has looked again and anything that the pages show was written since.

        Asked for before the figures that it stands for: then they may be newer than it says, never older.
        """
        return self._stamp

    def _written(self) -> str:
        shards = [path.stat() for path in self.folder.traces.glob("*.jsonl")]
        rejudged = (self.folder.path / "rejudged").glob("*.jsonl")
        others = [path.stat() for path in (self.folder.metrics, self.folder.state_file, *rejudged) if path.exists()]
        return f"{sum(one.st_size for one in shards)}.{max((one.st_mtime_ns for one in [*shards, *others]), default=0)}"

    def age_s(self) -> float | None:
        """Return the seconds since the run last wrote anything, None when it never did."""
        paths = [*self.folder.traces.glob("*.jsonl"), self.folder.metrics, self.folder.state_file]
        times = [path.stat().st_mtime for path in paths if path.exists()]
        return max(0.0, time.time() - max(times)) if times else None

    def patience_s(self) -> float:
        """Return how long a running run may write nothing before it is called silent: some of its own steps."""
        last = lines.last_row(self.folder.metrics) if self.folder.metrics.exists() else None
        took = (last or {}).get("step_time")
        return max(LIVE_S, SILENT_STEPS * took) if isinstance(took, (int, float)) and took < 1e6 else LIVE_S

    def remembered(self, name: str, make: Callable[[TraceIndex], T]) -> T:
        """Return `make(index)`, kept until the index has taken in more. Raises what `index` raises."""
        index, stamp = self.index(), self._stamp
        known = self.memory.get(name)
        if known is None or known[0] != stamp:
            while len(self.memory) >= REMEMBERED:
                self.memory.pop(next(iter(self.memory)), None)
            known = self.memory[name] = (stamp, make(index))
        return known[1]

    def recipe(self) -> dict[str, Any]:
        """Read recipe.yaml as plain data, {} when there is none that can be read."""
        try:
            return dict(located_yaml.read(self.folder.recipe).values)
        except RecipeError:
            return {}


class Library:
    """The runs under some places, looked for anew whenever the list is shown."""

    def __init__(self, places: Iterable[Path] | None = None, models: Iterable[str] = (), trust: Trust = NOBODY) -> None:
        """Places None: runs/, and the bundled example while that holds none. models, trust: for *try it*."""
        self.models, self.trust = tuple(models), trust
        self.places = None if places is None else list(places)
        self._open: dict[Path, OpenRun] = {}
        self._lock = threading.Lock()
        self.example = False
        self._imported: list[Path] = []

    def add(self, folder: Path) -> str:
        """Show a run that was imported while the viewer is open; returns its key."""
        if folder not in self._imported:
            self._imported.append(folder)
        return next(run.key for run in self.runs() if run.folder.path.resolve() == folder.resolve())

    def take_off(self, key: str) -> None:
        """Take a run off the list: an import is deleted, for it is a copy in our cache; any other is only hidden.

        Raises RunLogError for a run that was named itself when the viewer was started.
        """
        path = self._listed(key).folder.path.resolve()
        if path in {place.resolve() for place in self.places or ()}:
            raise RunLogError(f"{path} was named when the viewer was started; leave it out there")
        if self.is_imported(path):
            shutil.rmtree(path)
        else:
            self._hide({*self.hidden(), path})

    def bring_back(self) -> None:
        """Show every hidden run again."""
        self._hide(set())

    def hidden(self) -> set[Path]:
        """Return the runs that were taken off the list of what there is."""
        try:
            return {Path(line) for line in (cache_folder() / HIDDEN).read_text("utf-8").splitlines() if line}
        except (OSError, ValueError):
            return set()

    def _hide(self, paths: set[Path]) -> None:
        file = cache_folder() / HIDDEN
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{path}\n" for path in sorted(paths)), "utf-8")

    @staticmethod
    def is_imported(path: Path) -> bool:
        """Return whether a run was made of a file from the page."""
        return path.resolve().parent == (cache_folder() / IMPORTS).resolve()

    def runs(self) -> list[OpenRun]:
        """Return every run there is now, by name. Raises RunLogError for a place that is neither a run nor a folder."""
        folders = {folder.path.resolve(): folder for folder in self._found()}
        names = Counter(path.name for path in folders)
        with self._lock:
            for path, folder in folders.items():
                key, label = path.name, "bundled example" if path == EXAMPLE.resolve() else path.name
                if names[path.name] > 1:
                    key, label = f"{path.name}~{_digest(path)}", f"{path.name} ({path.parent.name})"
                run = self._open.setdefault(path, OpenRun(key, label, folder))
                run.key, run.label = key, label
            return sorted((self._open[path] for path in folders), key=lambda run: run.key)

    def run(self, key: str) -> OpenRun:
        """Return the run of that key. Raises RunLogError naming those there are, and for one of a newer version."""
        run = self._listed(key)
        run.folder.refuse_newer()
        return run

    def _listed(self, key: str) -> OpenRun:
        runs = self.runs()
        for run in runs:
            if key in (run.key, f"{run.folder.path.name}~{_digest(run.folder.path.resolve())}"):
                return run
        with self._lock:
            gone = [run for run in self._open.values() if run.key == key]
        if gone:
            raise RunLogError(f"{gone[0].folder.path} is gone: the run was moved or deleted while it was open")
        known = ", ".join(run.key for run in runs[:8]) or "none"
        raise RunLogError(f"There is no run {key[:80]!r} here; there are: {known}")

    def _found(self) -> list[RunFolder]:
        hidden = self.hidden()
        imported = cache_folder() / IMPORTS
        if self.places is not None:
            found = [folder for place in self.places for folder in find_runs(place)]
            hidden -= {place.resolve() for place in self.places}
            extra = [RunFolder(folder) for folder in self._imported if folder.is_dir()]
        else:
            found = find_runs(DEFAULT_PLACE) if DEFAULT_PLACE.is_dir() else []
            extra = find_runs(imported) if imported.is_dir() else []
        found = [folder for folder in found if folder.path.resolve() not in hidden]
        self.example = (
            self.places is None and not found and EXAMPLE.resolve() not in hidden and RunFolder(EXAMPLE).exists()
        )
        return [*found, *extra, *([RunFolder(EXAMPLE)] if self.example else [])]


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:6]
