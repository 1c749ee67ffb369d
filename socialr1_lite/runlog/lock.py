"""One writer per run folder: a lock file that outlives neither its process nor its machine."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import orjson

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog.lines import JsonObject, parse

HEARTBEAT_S = 30.0  # how often a holder touches its lock
SILENT_S = 600.0  # a holder on another machine that was silent this long is taken for dead (a lost Colab session)


class FolderLock:
    """Hold `path` while writing. A lock whose process has died is taken over; a live one raises RunLogError.

    A process on this machine is asked for directly (number and start time, so that a reused number is not
    mistaken for the holder). One on another machine can only be judged by its heartbeat.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is taken before `acquire` or `with`."""
        self.path = path
        self.token = uuid.uuid4().hex
        self._stop = threading.Event()

    def acquire(self) -> FolderLock:
        """Take the lock or raise RunLogError naming the holder."""
        if not self._create():
            self._clear_stale()
            if not self._create():
                holder = self._holder()
                raise RunLogError(
                    f"{self.path.parent} is in use by process {holder.get('pid', '?')} on "
                    f"{holder.get('host', 'an unknown machine')}, last sign of life "
                    f"{max(0.0, self._silence_s()):.0f} s ago; "
                    f"wait for it, or delete {self.path} if you know that it is gone"
                )
        threading.Thread(target=self._beat, name="run folder lock", daemon=True).start()
        return self

    def release(self) -> None:
        """Give the lock back; harmless when it was never taken or somebody else holds it by now."""
        self._stop.set()
        if self._holder().get("token") == self.token:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> FolderLock:
        """Acquire."""
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        """Release."""
        self.release()

    def _create(self) -> bool:
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps({"token": self.token} | _identity()))
        return True

    def _holder(self) -> JsonObject:
        try:
            return parse(self.path.read_bytes()) or {}
        except OSError:
            return {}

    def _silence_s(self) -> float:
        """Seconds since the last heartbeat, by the file system's own clock."""
        probe = self.path.with_name(f".{self.path.name}.{self.token}")
        try:
            probe.touch()
            return probe.stat().st_mtime - self.path.stat().st_mtime
        except FileNotFoundError:
            return 0.0
        finally:
            probe.unlink(missing_ok=True)

    def _is_stale(self, holder: JsonObject) -> bool:
        if not holder:  # its writer was killed between creating the file and filling it
            return self._silence_s() > 2.0
        here = _identity()
        if holder.get("host") != here["host"] or os.name == "nt":  # Windows cannot be asked harmlessly
            return self._silence_s() > SILENT_S
        return holder.get("boot") != here["boot"] or not _same_process(holder)

    def _clear_stale(self) -> None:
        holder = self._holder()
        if not self._is_stale(holder):
            return
        aside = self.path.with_name(f".{self.path.name}.{self.token}.stale")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return  # another process cleared it first
        moved = FolderLock(aside)._holder()
        if moved.get("token") != holder.get("token"):  # somebody took the lock in between: give it back
            os.rename(aside, self.path)
        else:
            aside.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            if self._holder().get("token") != self.token:
                return  # taken over while this process slept
            try:
                os.utime(self.path)
            except OSError:
                return


def _identity() -> JsonObject:
    pid, boot = os.getpid(), _proc("sys/kernel/random/boot_id").strip()
    return {"pid": pid, "born": _born(pid), "host": socket.gethostname(), "boot": boot, "since": time.time()}


def _same_process(holder: JsonObject) -> bool:
    pid = holder.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        with suppress(PermissionError):  # it lives, and is somebody else's
            os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a zombie is dead and only waits for its parent to notice (a killed cell of a notebook)
    return _stat(pid)[:1] not in (["Z"], ["X"]) and holder.get("born") in ("", _born(pid))


def _born(pid: int) -> str:
    """The process's start time in clock ticks since boot on Linux, "" elsewhere."""
    return next(iter(_stat(pid)[19:]), "")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; none where there is no /proc."""
    return _proc(f"{pid}/stat").rpartition(")")[2].split()


def _proc(name: str) -> str:
    try:
        return Path("/proc", name).read_text()
    except OSError:
        return ""
