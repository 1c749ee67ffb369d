"""YAML in which every value remembers the file and line it was written on, so that a mistake can name them.

Scalars follow YAML 1.2's core rules: `1e-5` is a number, `010` is ten, and `no`, `off` and `2024-01-01` are
text (PyYAML's own YAML 1.1 reads a string, eight, False, False and a date). Aliases, tags and repeated keys
are refused. `extends:` lays a file over another one, `override` a `key=value` of the command line over both.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from socialr1_lite.errors import RecipeError

Yaml = None | bool | int | float | str | list["Yaml"] | dict[str, "Yaml"]
Keys = tuple[str | int, ...]  # the way to a value: ("rewards", "content", "judges", 0, "name")

FLOAT = r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"
SCALARS = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789")),
)

PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

# What no recipe needs, and what would take a reader minutes or all of the memory [ours].
LARGEST = 128 << 10  # characters of a file
DEEPEST = 32  # levels of nesting
MOST_MISTAKES = 30  # told at once
LARGEST_WHOLE = (1 << 63) - 1  # what JSON readers can hold
UNWRITABLE = re.compile("[\0\ud800-\udfff]")  # as escapes may write them: half of a character, and what ends a path


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: a file and its line (1-based; 0: not known), or the command line."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


COMMAND_LINE = Place("on the command line")


@dataclass(slots=True)
class LocatedYaml:
    """Mappings, lists and scalars, where each of them was written, and what is wrong with them (`place: what`)."""

    values: dict[str, Yaml] = field(default_factory=dict)
    places: dict[Keys, Place] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def place(self, keys: Keys) -> Place | None:
        """Return the place of the value at `keys`, or of the nearest thing around it that was written down."""
        around = (keys[:length] for length in range(len(keys), 0, -1))
        return next((self.places[some] for some in around if some in self.places), None)

    def add_mistakes(self, found: Iterable[tuple[Keys, str]]) -> None:
        """Note what is wrong with the values at these keys, with the place of each; the first few are enough."""
        for keys, what in found:
            if len(self.mistakes) >= MOST_MISTAKES:
                return
            self.mistakes.append(f"{self.place(keys) or 'by default'}: {dotted(keys)}: {what}")

    def report(self, path: str | Path) -> str:
        """Return all mistakes, a line each."""
        count = f"{len(self.mistakes)} mistake{'s' if len(self.mistakes) > 1 else ''}"
        if len(self.mistakes) >= MOST_MISTAKES:
            count = f"{MOST_MISTAKES} mistakes, and perhaps more"
        return "\n  ".join([f"{path} has {count}", *self.mistakes[:MOST_MISTAKES]])

    def refuse_mistakes(self, path: str | Path) -> None:
        """Raise RecipeError with the report when there are any."""
        if self.mistakes:
            raise RecipeError(self.report(path))

    def overlay(self, other: LocatedYaml) -> None:
        """Put `other` on top: mappings are merged key by key, anything else is replaced."""
        replaced: set[Keys] = set()
        self._merge(self.values, other.values, (), replaced)
        kept = {keys: place for keys, place in self.places.items() if not _is_below(keys, replaced)}
        self.places = kept | {keys: place for keys, place in other.places.items() if _is_below(keys, replaced)}
        self.mistakes += other.mistakes

    def _merge(self, below: dict[str, Yaml], above: Mapping[str, Yaml], at: Keys, replaced: set[Keys]) -> None:
        for key, value in above.items():
            keys, inner = (*at, key), below.get(key)
            if isinstance(value, dict) and isinstance(inner, dict):
                self._merge(inner, value, keys, replaced)
            else:
                below[key] = value
                replaced.add(keys)


def _is_below(keys: Keys, tops: set[Keys]) -> bool:
    return any(keys[:length] in tops for length in range(1, len(keys) + 1))


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalar rules of YAML 1.2."""


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would read as something other than text."""

    def ignore_aliases(self, data: object) -> bool:
        """Write shared values out in full: aliases are refused on reading."""
        return True


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
    _Dumper.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def _construct_number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    try:
        number = int(node.value) if node.tag.endswith(":int") else float(node.value)
    except ValueError:  # or of more digits than Python reads
        number = math.inf
    if abs(number) > (LARGEST_WHOLE if isinstance(number, int) else sys.float_info.max):
        problem = f"{node.value[:40]!r} is not a number that can be kept"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None
    return number


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_number)


def dump(values: Mapping[str, Yaml]) -> str:
    """Write YAML that this module and any YAML 1.1 reader read back as the same values, keys in the given order."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def read(path: Path) -> LocatedYaml:
    """Read one file. Raises RecipeError when it is missing, unreadable or not YAML at all."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)  # no more: /dev/zero has no end
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file{_neighbours(path)}") from None
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: cannot be read ({error})") from None
    return parse(text, str(path))


def read_overridden(path: Path, overrides: Iterable[str]) -> LocatedYaml:
    """Read the file over all that it `extends:` (relative to itself), and lay each `section.key=value` on top.

    Raises RecipeError when one of the files cannot be read or the chain comes back to itself.
    """
    layers = [read(path)]
    seen = [path.resolve()]
    while (parent := layers[-1].values.pop("extends", None)) is not None:
        place = layers[-1].place(("extends",))
        if not isinstance(parent, str):
            raise RecipeError(f"{place}: extends: given {parent!r}; allowed: the name of a recipe file")
        path = path.parent / parent
        if path.resolve() in seen:
            circle = " -> ".join(file.name for file in [*seen, path])
            raise RecipeError(f"{place}: extends: runs in a circle: {circle}")
        seen.append(path.resolve())
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise RecipeError(f"{path}: is no file of text")
            layers.append(read(path))
        except (RecipeError, OSError) as error:
            raise RecipeError(f"{place}: extends: {error}") from None
    tree = LocatedYaml()
    for layer in reversed(layers):
        tree.overlay(layer)
    for text in overrides:
        override(tree, text)
    return tree


def override(tree: LocatedYaml, text: str) -> None:
    """Lay `section.key=value` over the tree; what cannot be read is a mistake like any other."""
    name, equals, given = text.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys) or len(keys) > DEEPEST:
        tree.mistakes.append(f"{COMMAND_LINE}: {text[:80]!r}: expected section.name=value")
        return
    try:
        value = parse(given, repr(text[:80]), keyed=False)
    except RecipeError as error:
        tree.mistakes.append(f"{COMMAND_LINE}: {error}")
        return
    around = {keys[:length]: COMMAND_LINE for length in range(1, len(keys))}
    inside = {(*keys, *below): COMMAND_LINE for below in value.places}
    nested: dict[str, Yaml] = {keys[-1]: value.values["value"]}
    for key in reversed(keys[:-1]):
        nested = {key: nested}
    tree.overlay(LocatedYaml(nested, around | inside, value.mistakes))


def parse(text: str, file: str, *, keyed: bool = True) -> LocatedYaml:
    """Read `text`; with `keyed` its top must be a mapping, else it may be any value (kept under "value")."""
    tree = LocatedYaml(places={(): Place(file, 1)})
    if len(text) > LARGEST:
        raise RecipeError(f"{file}: is longer than {LARGEST} characters, which no recipe needs")
    try:
        _refuse_endless(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if keyed and not isinstance(node, yaml.MappingNode):
                raise RecipeError(f"{file}: expected `key: value` lines at the top, found {_describe(node)}")
            value: Yaml = None if node is None else _walk(loader, node, (), tree, file)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise RecipeError(_explain(error, file)) from None
    tree.values = value if keyed and isinstance(value, dict) else {"value": value}
    return tree


def _refuse_endless(text: str) -> None:
    """Refuse aliases, which can point into themselves or multiply (`extends:` does their work), and deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            problem = f"aliases (*{event.anchor}) are not supported; write the value out"
        elif depth > DEEPEST:
            problem = f"nested deeper than {DEEPEST} levels"
        else:
            continue
        raise yaml.composer.ComposerError(None, None, problem, event.start_mark)  # type: ignore[arg-type]


def _walk(loader: _Loader, node: yaml.Node, at: Keys, tree: LocatedYaml, file: str) -> Yaml:
    tree.places.setdefault(at, _place(file, node))
    if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
        raise yaml.constructor.ConstructorError(None, None, f"tag {node.tag} is not supported", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return _walk_mapping(loader, node, at, tree, file)
    if isinstance(node, yaml.SequenceNode):
        return [_walk(loader, item, (*at, index), tree, file) for index, item in enumerate(node.value)]
    value: Yaml = loader.construct_object(node)
    return _writable(value, node)


def _writable(value: Yaml, node: yaml.Node) -> Yaml:
    """Return the value. Raises a ConstructorError for a text that no file can hold, or no path."""
    if isinstance(value, str) and (odd := UNWRITABLE.search(value)):
        problem = f"the text holds {odd[0]!a}, which is no character by itself"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return value


def _place(file: str, node: yaml.Node) -> Place:
    return Place(file, node.start_mark.line + 1 if node.start_mark else 0)


def _walk_mapping(loader: _Loader, node: yaml.MappingNode, at: Keys, tree: LocatedYaml, file: str) -> dict[str, Yaml]:
    values: dict[str, Yaml] = {}
    for key_node, value_node in node.value:
        place = _place(file, key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            tree.mistakes.append(f"{place}: a key must be a plain word")
            continue
        key = str(_writable(key_node.value, key_node))  # as written, so that a column called `no` or `1` keeps its name
        if key in values:
            first = tree.places[(*at, key)].line
            tree.mistakes.append(f"{place}: {dotted((*at, key))}: given twice (first on line {first}); keep one")
            continue
        tree.places[(*at, key)] = place
        values[key] = _walk(loader, value_node, (*at, key), tree, file)
    return values


def dotted(keys: Keys) -> str:
    """Return `rewards.content.judges[0].name` for ("rewards", "content", "judges", 0, "name")."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _describe(node: yaml.Node | None) -> str:
    if node is None:
        return "nothing (the file is empty)"
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the text {str(node.value)[:40]!r}"


def _explain(error: yaml.YAMLError, file: str) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    where = f"{file}:{mark.line + 1}: column {mark.column + 1}" if mark else file
    return f"{where}: not valid YAML: {problem}"


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (and no folder {path.parent})"
    here = sorted(other.name for other in path.parent.glob("*.yaml"))
    return f"; {path.parent} has {', '.join(here)}" if here else ""
