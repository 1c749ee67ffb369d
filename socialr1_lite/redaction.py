"""Secrets are taken out of whatever is written: a run folder, a report or a page may be shown to anybody.

A secret is found by where it stands (the user part and the telling parameters of an address, the value of a key or an
option whose name says so), by its form (tokens of the hub, of model providers, JSON web tokens) and by the environment:
the values of variables whose names say so. What it stands in stays readable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

HIDDEN = "***"
SHORTEST = 8  # characters; a shorter value of the environment, such as "1", would black out half of a text [ours]

_WORDS = "key|token|secret|password|passwd|pwd|auth|authorization|credential|credentials|sig|signature|apikey"
_STRONG = frozenset({"secret", "secrets", "password", "passwd", "passphrase", "apikey", "cookie", "cookies", "headers"})
_TAILS = frozenset({"value", "prod", "dev", "test", "live", "read", "write", "main", "default"})  # of API_KEY_PROD
_PLAIN = frozenset({"key", "pad token", "eos token", "bos token", "unk token", "special token"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAME = rf"(?:(?<![a-z])|(?<=%[0-9a-f][0-9a-f]))(?:{_WORDS})"
_QUOTE = r"\\*['\"]"  # a text that was quoted into another has backslashes before it
_QUOTED = r"b?(?P<quote>['\"])[^'\"\n]*(?P=quote)"
_VALUE = rf"(?:{_QUOTED}|[^\s'\"]+)"
_NONE = r"(?!(?:None|null|[Tt]rue|[Ff]alse|~)(?:[\s,)\]}]|$))"  # is no secret
_USER = re.compile(  # a password may hold a slash that nobody wrote as %2F, but behind `host:8000/` stands a path
    r"(?P<name>[a-z][a-z0-9+.-]{0,20}://)(?:[^/?#\s'\"<>]+|[^/?#\s'\"<>:@]{0,60}:(?!\d+[/?#])[^\s'\"<>@]{1,200})(?=@)",
    re.I,
)
_BARE_USER = re.compile(
    r"(?P<name>(?<![\w.+/-])(?://)?(?!(?:mailto|e-?mail|mail|to|from|b?cc|reply-to|contact|sip|\d+):)[\w.+-]{1,60}:)"
    r"[^\s/@:'\"<>]{1,200}(?=@[\w.\[-])",
    re.I,
)
_PARAMETER = re.compile(
    rf"(?P<name>(?:[?&;#]|%3F|%26)[\w.%-]{{0,60}}(?:{_NAME}|(?<![a-z])(?:code|jwt|pass|session_?id))(?:=|%3D))"
    r"[^&#\s'\"<>]+",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"(?P<name>(?:^|\s|['\"])--?[\w-]*{_NAME}(?:=|\s+|['\"],\s*['\"])){_VALUE}", re.IGNORECASE)
_SETTING = re.compile(  # an override, an argument in a message of Python's, a variable of a shell
    rf"(?P<name>(?:^|[\s'\"(,{{\[])(?P<field>[\w.-]{{2,120}})=){_NONE}{_VALUE}", re.MULTILINE
)
_LINE = re.compile(  # of YAML; with several words it is somebody's sentence
    rf"(?P<name>^[ \t]*(?:- )*(?P<field>[\w.-]{{2,60}}):[ \t]+){_NONE}(?P<quote>)\S+(?=[ \t]*$)", re.MULTILINE
)
_PAIR = re.compile(  # a header, as HTTP libraries keep it
    r"(?P<name>b?['\"](?P<field>(?:[\w-]{1,40}[-_][\w-]{1,40}|authorization|cookie))['\"],\s*)" + _QUOTED,
    re.IGNORECASE,
)
_FIELD = re.compile(  # of a mapping in JSON or YAML, as an override or an option may hold one
    rf"(?P<name>(?:{_QUOTE}|[{{,\[(=]\s*)(?P<field>[\w.-]{{2,60}})(?:{_QUOTE})?\s*:\s*)"
    rf"(?:b?(?P<quote>{_QUOTE}).{{0,2000}}?(?P=quote)|[^\s'\",}}\])]+)"
)
_HEADER = re.compile(
    r"(?P<name>\b(?:authorization|(?:set-)?cookie|[\w-]{0,40}(?:apikey|-(?:key|token|secret|signature))):\s*)"
    r"(?:=\"[^\"\n]*\"|[^'\"\n])+",  # of a digest, which quotes its parts
    re.I,
)
_BEARER = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_FORMS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|github_pat_\w{20,}|(?:[sr]k_(?:live|test)|gsk|r8)_[A-Za-z0-9]{16,}|AIza[\w-]{35}\b|glpat-[\w-]{16,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|pypi-\w[\w-]{19,}|npm_[A-Za-z0-9]{24,}|xapp-\d-[\w-]{10,}|ya29\.[\w-]{16,})"
)
_HOOK = re.compile(  # who knows the address may write there
    r"(?P<name>\b(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks)/)[\w/-]+", re.I
)
_BLOCK = re.compile(r"(?P<name>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]+")
_HINTS = (
    *((_USER, "://"), (_BARE_USER, "@"), (_PARAMETER, "="), (_PARAMETER, "%3D"), (_OPTION, "-"), (_HEADER, ":")),
    *((_BEARER, " "), (_BLOCK, "PRIVATE KEY"), (_HOOK, "/")),
)
_NAMED = ((_FIELD, ":"), (_LINE, ": "), (_SETTING, "="), (_PAIR, ","))  # where the name decides

Tree = TypeVar("Tree")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether what is kept under this name is a secret: api_key and X-Auth-Token, but not max_tokens."""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1] in _TAILS or words[-1].isdecimal()):
        words.pop()
    strong = not _STRONG.isdisjoint(words) and words[-1] not in ("env", "name", "file")
    strong = strong or words[-2:] == ["session", "id"] or words == ["sessionid"]
    return strong or (bool(words) and words[-1] in _WORDS.split("|") and " ".join(words[-2:]) not in _PLAIN)


def redact(text: str) -> str:
    """Return a text without the secrets in it. Linear in its length."""
    return _without(text, _environment())


def redact_tree(value: Tree) -> Tree:
    """Return the same mappings, lists and values with every text redacted, and every value under a secret's name.

    In a list of words such as a command line, the word behind `--token` is one too.
    """
    return _redacted(value, _environment())  # type: ignore[return-value]


def _environment() -> re.Pattern[str] | None:
    """Return what finds the secrets of this process's environment, None where it has none."""
    return _finder(tuple((name, value) for name, value in os.environ.items() if len(value) >= SHORTEST))


@lru_cache(maxsize=8)
def _finder(variables: tuple[tuple[str, str], ...]) -> re.Pattern[str] | None:
    # PWD is the folder we are in, not a password; a variable that names a file of secrets holds none.
    telling = [(name, value) for name, value in variables if is_secret_name(name) or name.endswith("_PAT")]
    named = {value for name, value in telling if name != "PWD"}
    values = {value for value in named if not os.path.exists(value)}
    proxies = [f"://{value}" for name, value in variables if name.lower().endswith("_proxy")]  # it may have no scheme
    addresses = [*proxies, *(value for _, value in variables)]
    urls = [found[1] for value in addresses for found in re.finditer(r"://[^/?#\s:]*:([^/?#\s]+)@", value)]
    secrets = {one for value in (*values, *urls) for one in (value, value.strip()) if len(one) >= SHORTEST}
    ordered = sorted(secrets, key=len, reverse=True)  # a long one may hold a short one
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _without(text: str, environment: re.Pattern[str] | None) -> str:
    if environment is not None:
        text = environment.sub(HIDDEN, text)
    for pattern, hint in _HINTS:
        if hint in text:
            text = pattern.sub(rf"\g<name>{HIDDEN}", text)
    for pattern, hint in _NAMED:
        if hint in text:
            text = pattern.sub(_hide_field, text)
    return _FORMS.sub(HIDDEN, text)


def _hide_field(found: re.Match[str]) -> str:
    if not is_secret_name(found["field"]):
        return found[0]
    return f"{found['name']}{found['quote'] or ''}{HIDDEN}{found['quote'] or ''}"


def _redacted(value: object, environment: re.Pattern[str] | None, name: str = "") -> object:
    if isinstance(value, str):
        return HIDDEN if value and is_secret_name(name) else _without(value, environment)
    if isinstance(value, Mapping):
        # Everything under a secret's name is one, as in `headers: {Cookie: [a]}`; `key` is one in a request's `extra`.
        above = "extra " if name == "extra" else ""
        names = {key: name if is_secret_name(name) else f"{above}{key}" for key in value}
        tree: dict[object, object] = {}
        for key, one in value.items():
            kept = alone = _without(key, environment) if isinstance(key, str) else key  # an address, say
            number = 1
            while kept in tree:  # of two that differ in their secrets alone both stay
                number += 1
                kept = f"{alone} ({number})"
            tree[kept] = _redacted(one, environment, names[key])
        return tree
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        words = [_redacted(one, environment, name) for one in value]
        for place, word in enumerate(value[:-1]):
            if isinstance(word, str) and word.startswith("-") and "=" not in word and is_secret_name(word):
                words[place + 1] = HIDDEN
        return type(value)(words) if type(value) in (list, tuple) else words  # type: ignore[call-arg]
    return value
