"""Run folders of others, damaged in any way: every page answers with figures or with one line, never with a mistake of ours.

python -m tests.viewer.test_mutated N     looks for more, N folders by fresh seeds; their tracebacks go to standard error
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import SocialR1Error
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces
from socialr1_lite.viewer import shell
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import served
from tests.viewer.make_run import make_run

MISTAKE = "made a mistake"
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**62,
    1.5,
    -1e308,
    "",
    "x",
    "\x00",
    "�" * 9,
    "../../etc",
    [],
    [1],
    [[]],
    {},
    {"a": 1},
    [{"a": []}],
    "1" * 5000,
]
DEEP = "a: " + "[" * 5000 + "]" * 5000
TEXTS = [
    "",
    "{",
    "null",
    "[]",
    "1",
    '"x"',
    DEEP,
    "[" * 100_000,
    '{"a": ' * 5000,
    "a: &a [*a]",
    "\x00" * 50,
    "\ufeff{}",
    "{}\n" * 3,
    "9" * 5000,
    "- a\n- b",
]


def base_run(root: Path) -> Path:
    make_run(root / "base", steps=3, groups=1, size=2, scenarios=3)
    report = {
        "version": 1,
        "benchmark": "tombench",
        "metrics": {"accuracy": {"value": 0.5, "low": 0.1, "high": 0.9, "n": 4}},
        "groups": {},
        "seconds": 1.0,
    }
    (root / "base" / "evaluation" / "tombench.json").write_text(json.dumps(report))
    return root / "base"


def places_in(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places_in(one, (*at, key))


def change(value: Any, rng: random.Random) -> Any:
    """One value anywhere in it is odd, or gone."""
    found = list(places_in(value))
    if not found:
        return deepcopy(rng.choice(ODD))
    *above, last = rng.choice(found)
    inner = value
    for key in above:
        inner = inner[key]
    if rng.random() < 0.2:
        del inner[last]
    else:
        inner[last] = deepcopy(rng.choice(ODD))
    return value


def mutate(run: Path, seed: int) -> str:
    """Damage one file of a run folder; return what was done."""
    rng = random.Random(seed)
    files = sorted(path for path in run.rglob("*") if path.is_file())
    # The few large files as often as the many small ones.
    path = rng.choice([*files, *[one for one in files if one.suffix == ".jsonl"] * 4])
    content, how = path.read_bytes(), rng.randrange(10)
    if how < 6 and path.suffix in (".jsonl", ".json"):
        lines = content.splitlines() if path.suffix == ".jsonl" else [content]
        for _ in range(rng.choice([1, 1, 3])):
            place = rng.randrange(len(lines)) if lines else 0
            lines[place : place + 1] = [json.dumps(change(json.loads(lines[place]), rng)).encode()] if lines else []
        path.write_bytes(b"\n".join(lines) + b"\n")
    elif how < 7:
        path.write_text(rng.choice(TEXTS))
    elif how < 8:
        at = rng.randrange(len(content) + 1)
        path.write_bytes(content[:at] + rng.randbytes(rng.randrange(9)) + content[at + rng.randrange(9) :])
    elif how < 9:
        path.write_bytes(content[: rng.randrange(len(content) + 1)])
    else:
        path.unlink()
        if rng.random() < 0.5:
            path.mkdir()
    return f"seed {seed}: {how} on {path.relative_to(run)}"


def mistakes(root: Path) -> Iterator[str]:
    """Ask every page of every run below the folder; yield what answered with a mistake."""
    library = Library([root])

    def ask(name: str, **arguments: Any) -> dict[str, Any]:
        while "indexing" in (found := json.loads(served(name, partial(shell.PAGES[name], library))(arguments))):
            pass
        return dict(found)

    for key in [one["key"] for one in ask("runs").get("runs", [])] or ["base"]:
        names = ["pulse", "overview", "traces", "facets", "trace", "group", "prompt", "hacks", "benchmarks"]
        names += ["figures", "solved", "settings", "verdicts"]
        asked = [(name, {"run": key}) for name in names]
        asked += [("export", {"run": key, "format": kind}) for kind in ("jsonl", "csv", "html", "parquet")]
        asked += [("traces", {"run": key, "sort": "-total", "superseded": "1"}), ("traces", {"run": key, "q": "the"})]
        asked += [("compare", {"run": key, "with": key}), ("table", {})]
        asked += [("figures", {"run": key, "split": "order", "x": x}) for x in ("tokens", "time")]
        listed = ask("traces", run=key).get("rows", [])
        asked += [
            (name, {"run": key, "trace": one["id"]}) for one in listed[:8] for name in ("trace", "group", "prompt")
        ]
        for name, arguments in asked:
            if MISTAKE in (error := ask(name, **arguments).get("error", "")):
                yield f"{name} {arguments}: {error}"
        with_own(partial(lambda run: [*read_traces(RunFolder.open(run))], root / "base"))
        with_own(partial(lambda run: read_metrics(RunFolder.open(run)), root / "base"))
    if MISTAKE in ask("runs").get("error", "") or "runs" not in ask("runs"):
        yield f"runs: {ask('runs')}"


def with_own(read: Callable[[], object]) -> None:
    with contextlib.suppress(SocialR1Error, OSError):
        read()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_run(tmp_path_factory.mktemp("base"))


def tried(base: Path, root: Path, seed: int) -> list[str]:
    shutil.copytree(base, root / "base")
    told = mutate(root / "base", seed)
    return [f"{told}: {one}" for one in mistakes(root)]


@pytest.mark.parametrize("seed", [*range(12), 105, 110, 137, 201, 203])  # the last ones were mistakes
def test_a_damaged_run_folder_is_shown_or_told(base: Path, tmp_path: Path, seed: int) -> None:
    assert not tried(base, tmp_path, seed)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SOCIALR1_CACHE"] = f"{scratch}/cache"
        made = base_run(Path(scratch))
        for number in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[1])):
            try:
                for one in tried(made, Path(scratch) / str(number), number):
                    print(one, flush=True)
            except Exception as error:
                import traceback

                traceback.print_exc()
                print(f"seed {number}: OUTSIDE {type(error).__name__}: {error}", flush=True)
            shutil.rmtree(Path(scratch) / str(number))
