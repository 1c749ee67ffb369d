"""Secrets are taken out of whatever is written: a run folder, a report or a page may be shown to anybody.

A secret is found by where it stands (the user part and the telling parameters of an address, the value of a key or an
option whose name says so), by its form (tokens of the hub, of model providers, JSON web tokens) and by the environment:
the values of variables whose names say so. What it stands in stays readable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

HIDDEN = "***"
SHORTEST = 8  # characters; a shorter value of the environment, such as "1", would black out half of a text [ours]

_WORDS = "key|token|secret|password|passwd|pwd|auth|authorization|credential|credentials|sig|signature|apikey"
_NAME = rf"(?<![a-z])(?:{_WORDS})"
_PLAIN = frozenset({"key", "pad token", "eos token", "bos token", "unk token", "special token"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USER = re.compile(r"(?P<name>\b[a-z][a-z0-9+.-]*://)[^/\s@'\"]+(?=@)", re.IGNORECASE)
_PARAMETER = re.compile(rf"(?P<name>[?&;][\w.-]*{_NAME}=)[^&#\s'\"]+", re.IGNORECASE)
_OPTION = re.compile(rf"(?P<name>(?:^|\s|['\"])--?[\w-]*{_NAME}(?:=|\s+|['\"],\s*['\"]))[^\s'\"]+", re.IGNORECASE)
_SETTING = re.compile(rf"(?P<name>(?:^|[\s'\"])[\w.-]*[._-](?:{_WORDS})=)[^\s'\"]+", re.IGNORECASE)  # of an override
_BEARER = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_FORMS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|AIza[\w-]{30,}|glpat-[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
)

Tree = TypeVar("Tree")


def is_secret_name(name: str) -> bool:
    """Return whether what is kept under this name is a secret: api_key and X-Auth-Token, but not max_tokens."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(words) and words[-1] in _WORDS.split("|") and " ".join(words[-2:]) not in _PLAIN


def redact(text: str) -> str:
    """Return a text without the secrets in it. Linear in its length."""
    # PWD is the folder we are in, not a password.
    named = {value for name, value in os.environ.items() if is_secret_name(name) and name != "PWD"}
    secrets = {value for value in named if len(value) >= SHORTEST}
    for value in sorted(secrets, key=len, reverse=True):  # a long one may hold a short one
        text = text.replace(value, HIDDEN)
    for pattern in (_USER, _PARAMETER, _OPTION, _SETTING, _BEARER):
        text = pattern.sub(rf"\g<name>{HIDDEN}", text)
    return _FORMS.sub(HIDDEN, text)


def redact_tree(value: Tree) -> Tree:
    """Return the same mappings, lists and values with every text redacted, and every value under a secret's name.

    In a list of words such as a command line, the word behind `--token` is one too.
    """
    return _redacted(value)  # type: ignore[return-value]


def _redacted(value: object, name: str = "") -> object:
    if isinstance(value, str):
        return HIDDEN if value and is_secret_name(name) else redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(one, str(key)) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        words = [_redacted(one, name) for one in value]
        for place, word in enumerate(value[:-1]):
            if isinstance(word, str) and word.startswith("-") and "=" not in word and is_secret_name(word):
                words[place + 1] = HIDDEN
        return type(value)(words) if type(value) in (list, tuple) else words  # type: ignore[call-arg]
    return value
