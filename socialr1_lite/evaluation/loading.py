"""Which benchmarks are evaluated, and their questions: from the authors' files or from the hub."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite import sip
from socialr1_lite.benchmarks import BENCHMARKS, Benchmark
from socialr1_lite.benchmarks.base import Loaded
from socialr1_lite.benchmarks.files import NothingThere
from socialr1_lite.errors import DataError, RecipeError, first_line
from socialr1_lite.evaluation import likelihood
from socialr1_lite.evaluation.asking import OFFICIAL

ALL = "all"
NAMES = {"hitom": "hi-tom", "tombenchhard": "tombench-hard"}  # other spellings of the names on the command line


def named_benchmarks(names: str) -> list[Benchmark]:
    """Return the benchmarks of a comma-separated list ("all": every one), each once, in the order given.

    Raises RecipeError for a name that is none.
    """
    listed = list(BENCHMARKS) if names == ALL else [name.strip().lower() for name in names.split(",") if name.strip()]
    listed = [NAMES.get(re.sub(r"[^a-z]", "", name), name) for name in listed]
    unknown = [name for name in listed if name not in BENCHMARKS]
    if unknown or not listed:
        raise RecipeError(
            f"--benchmarks {names!r}: no {unknown or 'benchmark'}; there are {', '.join(BENCHMARKS)}, or all"
        )
    return [BENCHMARKS[name] for name in dict.fromkeys(listed)]


def load_all(names: str, data: Path | None, style: str, languages: Sequence[str]) -> dict[str, Loaded]:
    """Return every named benchmark's rows. Of "all", those that cannot be asked as wished are reported and left out.

    data: the folder of the authors' files. Raises DataError for a file that is wrong, and when `data` holds nothing
    of any benchmark; RecipeError for a name that is none.
    """
    loaded: dict[str, Loaded] = {}
    absent = []
    for benchmark in named_benchmarks(names):
        try:
            if benchmark.name != "sotopia":
                check_style(benchmark, style)
            found = load(benchmark, data)
            check_items(benchmark, found, languages)
            if style == likelihood.STYLE:
                likelihood.check_items(benchmark.name, found)
            loaded[benchmark.name] = found
        except NothingThere as error:
            if names != ALL:
                raise
            absent.append(str(error))
    for line in absent:
        print(f"left out: {line}", file=sys.stderr)
    if absent and data is not None and all(BENCHMARKS[name].generated for name in loaded):
        raise DataError(f"{data}: nothing of any benchmark there; name one to see where its files are")
    for name, one in loaded.items():
        for note in one.notes:
            print(f"{name}: {note}", file=sys.stderr)
    return loaded


def load(benchmark: Benchmark, data: Path | None) -> Loaded:
    """Return the benchmark's rows from `data`, or from its hub repository where it has one and `data` is None."""
    if data is not None or benchmark.generated:
        return benchmark.load(data or Path())
    if not benchmark.hub:
        raise NothingThere(f"{benchmark.name}: name the folder of its official files with --data; {benchmark.source}")
    return benchmark.load(_from_hub(benchmark))


def _from_hub(benchmark: Benchmark) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(benchmark.hub, repo_type="dataset"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise NothingThere(
            f"{benchmark.name}: {benchmark.hub} cannot be had from the hub ({first_line(error)}); "
            f"name the folder of its official files with --data; {benchmark.source}"
        ) from None


def check_style(benchmark: Benchmark, style: str) -> None:
    """Refuse the authors' prompt where they published none. Raises NothingThere saying what to use."""
    if style in OFFICIAL and benchmark.prompt is None:
        raise NothingThere(
            f"{benchmark.name}: its authors publish no prompt; use --prompt {', '.join(sip.STYLES)} for it"
        )


def check_items(benchmark: Benchmark, loaded: Loaded, languages: Sequence[str]) -> None:
    """Refuse files that hold nothing in these languages. Raises NothingThere."""
    if not loaded.items:
        raise NothingThere(f"{benchmark.name}: its files hold no rows")
    if not any(item.label("language") in ("", *languages) for item in loaded.items):
        raise NothingThere(f"{benchmark.name}: no rows in {' or '.join(languages)}; --language names another")
