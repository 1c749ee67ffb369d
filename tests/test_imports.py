"""Imports point down only, heavy libraries stay behind their doors, and importing the package is quick.

The table below refines the rows of the architecture: a room may import any room of an earlier row, never one of its
own row or a later one. A room is a module of the package or one of its folders. A new module must be given a row.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import socialr1_lite

ROOT = Path(socialr1_lite.__file__).resolve().parent
PACKAGE = "socialr1_lite"

ROWS = (
    # the ground: few, small
    {"redaction", "statistics"},
    {"errors"},  # whose messages hold no secrets
    {"scenario", "progress"},
    {"chat_reply"},
    {"endpoint"},
    # what a run is; how a scenario is asked and a completion read
    {"recipe", "sip"},
    # a completion and what it earned; where it is kept
    {"rollouts"},
    {"runlog"},
    # the model (it knows nothing of rewards and judges; the reward model finds its base through it)
    {"policy"},
    {"stories"},
    {"benchmarks"},
    {"judges"},
    {"data"},
    {"rewards"},
    {"pairs"},
    {"plan"},
    {"training", "evaluation"},
    {"export", "viewer"},
    {"gpu_check"},
    {"doctor"},
    # the commands
    {"train", "train_judge", "evaluate", "score"},
)
ROW = {room: number for number, row in enumerate(ROWS) for room in row}
UPWARD = {  # the arrows that run up all the same, (module, room): two at most
    # An audit asks whether a hack pays, and what is paid is the reward, not the verdict.
    ("socialr1_lite.judges.audit.session", "rewards"),
    # What the reading of unmarked thinking is measured by is the structure reward that rests on it.
    ("socialr1_lite.judges.unmarked_agreement", "rewards"),
}

HEAVY = {
    *("unsloth", "unsloth_zoo", "trl", "transformers", "peft", "torch", "bitsandbytes", "accelerate"),
    *("vllm", "datasets", "gradio", "llama_cpp", "xllamacpp", "tensorboard", "trackio", "matplotlib", "pandas"),
}
# Rooms whose code never touches a heavy library, not even inside a function.
WITHOUT_HEAVY = {
    *(
        "errors",
        "redaction",
        "statistics",
        "scenario",
        "progress",
        "recipe",
        "sip",
        "rollouts",
        "runlog",
        "stories",
        "rewards",
    ),
}
UNSLOTH_PATCHES = {"trl", "transformers", "peft"}
PLUG_IN_FOLDERS = {"benchmarks": "BENCHMARK"}  # folder: the name that makes a file one of its table's entries


class Import(NamedTuple):
    """One imported module, where it is imported, and whether that happens when the importing module loads."""

    module: str
    line: int
    at_load: bool
    type_only: bool


def imports(tree: ast.AST) -> list[Import]:
    return list(_imports(tree, at_load=True, type_only=False))


def _imports(node: ast.AST, *, at_load: bool, type_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for name in child.names:
                yield Import(name.name, child.lineno, at_load, type_only)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: relative import; write the whole name"
            for name in child.names:
                whole = f"{child.module}.{name.name}"
                yield Import(whole if is_module(whole) else str(child.module), child.lineno, at_load, type_only)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _imports(ast.Module([part], []), at_load=False, type_only=True)
            for part in child.orelse:
                yield from _imports(ast.Module([part], []), at_load=at_load, type_only=type_only)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, at_load=at_load and not inside, type_only=type_only)


def is_module(name: str) -> bool:
    if not name.startswith(f"{PACKAGE}."):
        return False
    path = ROOT.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    if module.partition(".")[2] in ROW:
        return module.partition(".")[2]  # a folder's command that is an act, of a later row than its folder
    return module.split(".")[1] if "." in module else ""


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")
MODULES = {module_name(path): imports(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES}
BY_NAME = pytest.mark.parametrize("name", MODULES)


def test_the_walk_sees_the_package() -> None:
    assert len(MODULES) > 20
    assert Import("socialr1_lite.errors", 1, True, False) in imports(ast.parse("from socialr1_lite.errors import X"))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", Import("torch", 1, True, False)),
        ("try:\n  import torch\nexcept ImportError: pass", Import("torch", 2, True, False)),
        ("class A:\n  import torch", Import("torch", 2, True, False)),
        ("def f():\n  import torch", Import("torch", 2, False, False)),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import torch", Import("torch", 3, False, True)),
        ("from socialr1_lite import sip", Import("socialr1_lite.sip", 1, True, False)),
        ("from socialr1_lite import __version__", Import("socialr1_lite", 1, True, False)),
    ],
)
def test_the_walk_tells_how_a_module_is_imported(source: str, found: Import) -> None:
    assert found in imports(ast.parse(source))


@BY_NAME
def test_imports_point_down_only(name: str) -> None:
    here = room(name)
    assert here in ROW, f"{name}: give the room {here!r} a row in {Path(__file__).name}"
    wrong = [
        f"line {one.line}: {here} (row {ROW[here]}) imports {there} (row {ROW.get(there)})"
        for one in MODULES[name]
        if one.module.startswith(f"{PACKAGE}.") and not one.type_only
        if (there := room(one.module)) != here and ROW.get(there, 99) >= ROW[here] and (name, there) not in UPWARD
    ]
    assert not wrong, wrong


def test_few_arrows_run_up_and_each_is_there() -> None:
    assert len(UPWARD) <= 2
    assert all(there in {room(one.module) for one in MODULES[name]} for name, there in UPWARD)


def test_no_file_of_a_folder_goes_round_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, found in MODULES.items():
        siblings = {one.module for one in found if room(one.module) == room(name) and not one.type_only}
        # A table's __init__ names its entries, and an entry may look at its table.
        graph[name] = {other for other in siblings if other.count(".") > 1 and name.count(".") > 1}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as wrong:
        pytest.fail(f"circular imports: {' -> '.join(wrong.args[1])}")


@pytest.mark.parametrize(("folder", "mark"), PLUG_IN_FOLDERS.items())
def test_entries_of_a_table_do_not_import_each_other(folder: str, mark: str) -> None:
    entries = {
        module_name(path)
        for path in (ROOT / folder).glob("*.py")
        if path.name != "__init__.py" and f"\n{mark} = " in path.read_text(encoding="utf-8")
    }
    wrong = [(name, one.module) for name in entries for one in MODULES[name] if one.module in entries]
    assert not wrong


@BY_NAME
def test_heavy_libraries_are_imported_inside_functions(name: str) -> None:
    allowed = {"gradio"} if room(name) == "viewer" else set()
    at_load = {one.module.split(".")[0] for one in MODULES[name] if one.at_load}
    assert not (at_load & HEAVY) - allowed


@BY_NAME
def test_light_rooms_have_no_heavy_library_anywhere(name: str) -> None:
    libraries = {one.module.split(".")[0] for one in MODULES[name] if not one.type_only}
    if room(name) in WITHOUT_HEAVY:
        assert not libraries & HEAVY
    if room(name) == "viewer":
        assert not libraries & (HEAVY - {"gradio"})


@BY_NAME
def test_unsloth_comes_before_what_it_patches(name: str) -> None:
    path = ROOT.parent.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            lines: dict[str, int] = {}
            for one in imports(function):
                lines.setdefault(one.module.split(".")[0], one.line)
            early = [other for other in UNSLOTH_PATCHES & lines.keys() if lines[other] < lines.get("unsloth", 0)]
            assert not early, f"{name}.{function.name}: {early} before unsloth"


def in_a_fresh_process(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent).stdout.strip()


def test_nothing_but_the_viewer_loads_a_heavy_library() -> None:
    light = [name for name in MODULES if room(name) != "viewer"]
    code = (
        f"import sys, importlib\nfor name in {light}: importlib.import_module(name)\n"
        f"print(sorted({HEAVY} & sys.modules.keys()))"
    )
    assert in_a_fresh_process(code) == "[]"


@pytest.mark.slow
@pytest.mark.essential
def test_the_viewer_does_not_load_torch() -> None:
    names = [name for name in MODULES if room(name) == "viewer"]
    if not names:
        pytest.skip("no viewer")
    code = (
        f"import sys, importlib\nfor name in {names}: importlib.import_module(name)\n"
        f"print(sorted({HEAVY - {'gradio', 'pandas', 'matplotlib'}} & sys.modules.keys()))"
    )
    assert in_a_fresh_process(code) == "[]"


def test_the_package_alone_loads_nothing_but_itself() -> None:
    """Its public names are imported when they are asked for."""
    code = "import sys; before = set(sys.modules); import socialr1_lite; print(sorted(set(sys.modules) - before))"
    loaded = ast.literal_eval(in_a_fresh_process(code))
    assert {name.split(".")[0] for name in loaded if name.split(".")[0] not in sys.stdlib_module_names} == {PACKAGE}


def test_every_public_name_is_there() -> None:
    for name in socialr1_lite.__all__:
        assert getattr(socialr1_lite, name) is not None
        assert name in dir(socialr1_lite)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = socialr1_lite.nonsense  # type: ignore[attr-defined]


def test_the_public_names_and_their_types_agree() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    typed = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(f"{PACKAGE}."):
            for name in node.names:
                typed[name.asname or name.name] = (str(node.module).removeprefix(f"{PACKAGE}."), name.name)
    assert typed == socialr1_lite.PUBLIC


def test_no_public_name_hides_a_module() -> None:
    assert not {room(name) for name in MODULES} & socialr1_lite.PUBLIC.keys()
