"""What can go wrong, as a tree below SocialR1Error; every leaf is also the standard error a caller may already catch.

A message says where, what was given, what is allowed and how to fix it. Whatever is not in this tree is a bug of ours
and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
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


def first_line(error: Exception) -> str:
    """Return the first line that an error of somebody else's library says, or its type's name where it says nothing."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


def command(main: Callable[[], int | None]) -> NoReturn:
    """Run a command line's `main` and exit: 0 or its return value; 2 after one clear message; 130 on Ctrl-C."""
    try:
        sys.exit(main() or 0)
    except SocialR1Error as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `... | head`: the reader has left, which is no mistake of anybody's
        sys.stderr.close()
        sys.exit(0)
