"""The wording of a recipe's mistakes: what was given, what is allowed, what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from socialr1_lite.recipe.located_yaml import Keys, Yaml, dotted

# Names that people bring along from other trainers, papers and older versions of TRL.
FOREIGN_NAMES = {
    "lr": "learning_rate",
    "kl_beta": "grpo.beta",
    "kl_coef": "grpo.beta",
    "group_size": "grpo.num_generations",
    "max_prompt_length": "data.max_prompt_tokens (longer prompts are left out, not cut)",
    "warmup_ratio": "warmup_steps (a number of steps)",
    "use_vllm": "grpo.vllm",
    "model_name": "model.name",
    "output_dir": "run.root and run.name",
    "batch_size": "grpo.per_device_train_batch_size",
}

PHRASES = {  # pydantic's error types that read badly in its own words
    **dict.fromkeys(("model_type", "dict_type"), "`key: value` lines"),
    "tuple_type": "a list, like [a, b]",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "text",
    "too_short": "a list of at least one",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "a plain folder name of letters, digits, '_', '.' and '-'",
}

LONGEST_NAME = 60  # characters in which a misspelling is looked for: the search is slow in longer ones [ours]

Kind = type[BaseModel]


def explain_validation_error(
    error: ValidationError, at: Keys, values: Yaml, kind: Kind, root: Kind
) -> Iterator[tuple[Keys, str]]:
    """Yield the way to each wrong value and what is wrong with it, once for each value.

    `values` is what was given for the section `kind`, which lies at `at` in the recipe; `root` is the whole
    recipe's kind, among whose fields an unknown key is looked for.
    """
    seen: set[Keys] = set()
    for details in error.errors(include_url=False):
        keys = (*at, *_written(details["loc"], values))
        if keys in seen or (details["type"] == "too_short" and details["input"]):
            continue  # a union reports once for each of its members, a list again after its items
        seen.add(keys)
        if details["type"] == "extra_forbidden":
            yield keys, unknown_key(keys, _section_at(kind, details["loc"][:-1]), root)
        else:
            yield keys, _allowed(details)


def unknown_name(given: str, known: Iterable[str], what: str) -> str:
    """Say that `given` is no `what` of those known, and which one was probably meant."""
    names = sorted(known)
    return f"given {_short(given)}, which is no {what}; allowed: {', '.join(names) or 'none'}{_hint(given, names)}"


def _hint(given: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(given, names, n=1) if len(given) <= LONGEST_NAME else []
    return f" (did you mean {near[0]}?)" if near else ""


def _written(loc: Keys, values: Yaml) -> Keys:
    """Return the part of pydantic's location that is in the file (it appends names of types and validators)."""
    keys: list[str | int] = []
    for key in loc:
        if isinstance(values, Mapping):
            values = values.get(str(key))
        elif isinstance(values, list) and isinstance(key, int):
            values = values[key]
        else:
            break
        keys.append(key)
    return tuple(keys)


def _section_at(kind: Kind, loc: Keys) -> Kind:
    """Return the section that holds the value at `loc`."""
    for key in loc:
        if field := kind.model_fields.get(str(key)):
            kind = next(_sections_in(field.annotation), kind)
    return kind


def _sections_in(annotation: object) -> Iterator[Kind]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_in(part)


def unknown_key(keys: Keys, kind: Kind, root: Kind) -> str:
    """Say what an unknown key probably meant: a neighbour, another section's field, or another trainer's name."""
    name, everywhere = str(keys[-1]), dict(_all_fields(root))
    if len(name) > LONGEST_NAME:
        return f"unknown key; known here: {', '.join(kind.model_fields)}"
    if name in FOREIGN_NAMES:
        return f"unknown key; use {FOREIGN_NAMES[name]}"
    if name in everywhere:
        return f"unknown key here; did you mean {everywhere[name]}?"
    if near := difflib.get_close_matches(name, kind.model_fields, n=1, cutoff=0.7):
        return f"unknown key; did you mean {near[0]}?"
    if near := difflib.get_close_matches(name, everywhere, n=1, cutoff=0.8):
        return f"unknown key; did you mean {everywhere[near[0]]}?"
    return f"unknown key; known here: {', '.join(kind.model_fields)}"


def _all_fields(kind: Kind, at: Keys = ()) -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        inner = next(_sections_in(field.annotation), None)
        if inner is None:
            yield name, dotted((*at, name))
        else:
            yield from _all_fields(inner, (*at, name))


def _allowed(error: ErrorDetails) -> str:
    """Say what was given and what is allowed: `given 1; allowed: greater than or equal to 2`."""
    if error["type"] == "missing":
        return "is needed here"
    plain = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message, given, hint = PHRASES.get(error["type"], plain), error["input"], ""
    if error["type"] == "string_type" and given is not None and not isinstance(given, (dict, list)):
        hint = " (put it in quotes)"
    elif error["type"] == "literal_error" and isinstance(given, str):
        hint = _hint(given, error["ctx"]["expected"].replace("'", "").split(", "))
    return f"given {_short(given)}; allowed: {message}{hint}"


def _short(value: object) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
