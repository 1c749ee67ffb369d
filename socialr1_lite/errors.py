"""What can go wrong, as a tree below SocialR1Error; every leaf is also the standard error a caller may already catch.

A message says where, what was given, what is allowed and how to fix it. Whatever is not in this tree is a bug of ours
and keeps its traceback.
"""

from __future__ import annotations

import contextlib
import errno
import io
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from socialr1_lite.redaction import redact


class SocialR1Error(Exception):
    """Something the person at the keyboard can fix. What it says is without secrets, wherever it is written."""

    def __str__(self) -> str:
        """Return the message."""
        return redact(super().__str__())


class RecipeError(SocialR1Error, ValueError):
    """A recipe, an override or a combination of settings is wrong."""


class DataError(SocialR1Error, ValueError):
    """A row, a file or a column is wrong."""


class LeakError(DataError):
    """Evaluation-only data on its way into training."""


class RunLogError(SocialR1Error, ValueError):
    """A run folder cannot be read, is newer than this code, or is in use."""


class JudgeError(SocialR1Error, RuntimeError):
    """A judge cannot be built, or failed too often to go on."""


class PolicyError(SocialR1Error, RuntimeError):
    """A model, an adapter or a backend cannot be loaded."""


class PreflightError(SocialR1Error, RuntimeError):
    """The check before the first step found that training cannot work."""


class DivergedError(SocialR1Error, ArithmeticError):
    """A loss, a gradient or a weight is no number any more."""


class MachineError(SocialR1Error, OSError):
    """The machine lacks room on a disk, rights to a file, or memory."""


# What tokenizers, safetensors, torch, SQLite and CUDA say, which hand on no number of the system's. In lower case.
NO_ROOM = (
    *("no space left", "os error 28", "disk quota", "os error 122", "disk is full", "file too large", "os error 27"),
    *("read-only file system", "os error 30", "pytorchstreamwriter", "iostream error", "no usable temporary"),
)
NO_MEMORY = ("out of memory", "not enough memory", "allocate memory", "bad_alloc", "alloc_failed", "os error 12")
ROOM = "free some space, or name another place; what was written before stays, and the same command goes on from it"
RIGHTS = "mend its rights, or name another place"
REMEDIES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), ROOM)
REMEDIES |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), RIGHTS)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether the error is the machine's lack of memory, in whatever library's words."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(known in words for known in NO_MEMORY)


def lack_of(error: BaseException | None, place: object = "something") -> str:
    """Say in one line what the machine lacked where that is what the error comes from, else return "".

    The error itself is looked at, then what it was raised from.
    """
    if error is None:
        return ""
    line = first_line(error)
    if ran_out_of_memory(error):
        return f"out of memory ({line}); give it less at a time, such as a smaller batch, or a smaller model"
    if isinstance(error, OSError) and error.errno and error.filename is not None:
        named = error.filename2 or error.filename
        return f"{named}: {error.strerror}" + (f"; {remedy}" if (remedy := REMEDIES.get(error.errno)) else "")
    if getattr(error, "errno", None) in REMEDIES or any(known in line.lower() for known in NO_ROOM):
        return f"{place} could not be written ({line}); {ROOM}"
    return lack_of(error.__cause__ or error.__context__, place)


@contextlib.contextmanager
def machine_errors(place: object = "something") -> Iterator[None]:
    """Raise MachineError for what the machine lacked inside; every other error passes as it is. place: written into."""
    try:
        yield
    except SocialR1Error:
        raise
    except Exception as error:
        if not (line := lack_of(error, place)):
            raise
        raise MachineError(line) from error


def first_line(error: BaseException) -> str:
    """Return the first line that an error of somebody else's library says, or its type's name where it says nothing."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


def command(main: Callable[[], int | None]) -> NoReturn:
    """Run a command line's `main` and exit: 0 or its return value; 2 after one clear message; 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):  # a terminal without a letter gets its number
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with machine_errors():
            status = main()
        sys.exit(status or 0)
    except SocialR1Error as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `... | head`: the reader has left, which is no mistake of anybody's
        sys.stderr.close()
        sys.exit(0)
