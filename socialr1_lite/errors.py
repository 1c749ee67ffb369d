"""What can go wrong, as a tree; every leaf is also the standard error a caller may already catch.

SocialR1Error
├── RecipeError      (ValueError)    a recipe, an override or a combination of settings is wrong
├── DataError        (ValueError)    a row, a file or a column is wrong
│   └── LeakError                    evaluation-only data on its way into training
├── RunLogError      (ValueError)    a run folder cannot be read, is newer than this code, or is in use
├── JudgeError       (RuntimeError)  a judge cannot be built, or failed too often to go on
├── PolicyError      (RuntimeError)  a model, an adapter or a backend cannot be loaded
└── PreflightError   (RuntimeError)  the check before the first step found that training cannot work

A message says where, what was given, what is allowed and how to mend it. Whatever is not in this tree
is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn


class SocialR1Error(Exception):
    """Something the person at the keyboard can mend."""


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


def command(main: Callable[[], int | None]) -> NoReturn:
    """Run a command line's `main` and exit: 0 or its return value; 2 after one clear message; 130 on Ctrl-C."""
    try:
        status = main()
    except SocialR1Error as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # `... | head`: the reader has left, which is no mistake of anybody's
        sys.stderr.close()
        status = 0
    sys.exit(status or 0)
