"""The caller's own word for what a recipe that came with a run may not decide (docs/security.md).

What a run folder says is data. That its model runs Python of its own or is a pickle, that a judge of it asks an
endpoint, sends a key or uses a folder, is allowed on the command line of whoever reads the run, or it is refused.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from socialr1_lite.errors import RecipeError
from socialr1_lite.recipe.schema import Model, Rewards

KEY = "OPENAI_API_KEY"  # which variable's value is sent where a judge names none
FOLDERS = ("path", "cache")  # settings of judges that name a folder


@dataclass(frozen=True, slots=True)
class Trust:
    """What the caller allows. endpoints: host, host:port or an address. keys: names of environment variables."""

    remote_code: bool = False
    pickle: bool = False
    endpoints: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add the options to a command line."""
        add = parser.add_argument
        add("--trust-remote-code", action="store_true", help="let the model run the Python that comes with it")
        add("--allow-pickle", action="store_true", help="read weights from a pickle (.bin, .pt), which may hold code")
        for option, metavar, told in (
            ("--allow-endpoint", "HOST[:PORT]", "let a judge of the run's recipe ask it"),
            ("--judge-path", "DIR", "let a judge of the run's recipe use this folder"),
            ("--key-env", "NAME", "environment variable whose value is the key of an endpoint that you name"),
        ):
            add(option, action="append", default=[], metavar=metavar, help=told)

    @classmethod
    def of(cls, args: argparse.Namespace) -> Trust:
        """Return what the options say."""
        words = args.allow_endpoint, args.key_env, args.judge_path
        return cls(args.trust_remote_code, args.allow_pickle, *map(tuple, words))

    def check_model(self, model: Model, where: str) -> None:
        """Raise RecipeError, naming the option, where the model of a run's recipe needs a word that was not given."""
        if model.trust_remote_code and not self.remote_code:
            _refuse(where, f"model.trust_remote_code runs the Python of {model.name}", ["--trust-remote-code"])
        if model.allow_pickle and not self.pickle:
            _refuse(where, f"model.allow_pickle reads {model.name} from a pickle", ["--allow-pickle"])

    def check_judges(self, rewards: Rewards, where: str) -> None:
        """Raise RecipeError, naming every option, where a judge of a run's recipe needs a word that was not given."""
        for judge in rewards.content.judges:
            if missing := list(dict.fromkeys(self._missing(judge.settings))):
                _refuse(where, f"the judge {judge.name} wants to use what is named here", missing)

    def _missing(self, settings: Mapping[str, Any]) -> Iterator[str]:
        asks = False
        for name, value in settings.items():
            if isinstance(value, str) and "://" in value:
                asks, (host, port) = True, _address(value)
                if not {(host, port), (host, None)} & set(map(_address, self.endpoints)):
                    yield f"--allow-endpoint {host}{f':{port}' if port else ''}"
            elif name in FOLDERS and value is not None:
                wanted, *allowed = map(_folder, (str(value), *self.folders))
                if wanted not in allowed:
                    yield f"--judge-path {value}"
        key = settings.get("key_env", KEY if asks else "")
        if isinstance(key, str) and os.environ.get(key) and key not in self.keys:
            yield f"--key-env {key}"


NOBODY = Trust()


def _address(url: str) -> tuple[str, int | None]:
    """Return host and port of an address, or of a host by itself; a port that is none counts as 0.

    What is no address at all is its own host: nobody allows it by chance, and the judge says what is wrong with it.
    """
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
    except ValueError:
        return url, None
    try:
        return parts.hostname or "", parts.port
    except ValueError:
        return parts.hostname or "", 0


def _folder(text: str) -> Path:
    """Return a folder as it is whatever way it is written; as it was written, where it can be none."""
    try:
        return Path(text).expanduser().resolve()
    except (ValueError, RuntimeError, OSError):  # NUL in it, the home of nobody, links in a circle
        return Path(text)


def _refuse(where: str, what: str, options: list[str]) -> None:
    known = "what a run's recipe says is data, not your word"
    raise RecipeError(f"{where}: {what}; {known}. If you trust it, add: {' '.join(options)}")
