"""Look for evaluation questions among training rows: python -m socialr1_lite.data FILE --data DIR.

FILE is what a recipe's data.source would name. DIR holds the official files of one benchmark or several; those that
are there are compared. Exit status 1 when near-duplicates were found, 0 when not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.data.files import READERS
from socialr1_lite.data.near import near_duplicates
from socialr1_lite.data.sources import load_source
from socialr1_lite.errors import DataError, command
from socialr1_lite.recipe import Data
from socialr1_lite.scenario import Scenario

SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and report. Raises DataError for a file that cannot be read, or a folder without benchmarks."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="training rows: .jsonl, .csv or .parquet")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of official benchmark files")
    args = parser.parse_args(arguments)
    if args.file.suffix.lower() not in READERS or not args.file.is_file():
        raise DataError(f"{args.file}: must be a file that is there, ending in {', '.join(READERS)}")
    training, _ = load_source(Data(), str(args.file), limit=None)
    evaluation = evaluation_items(args.data)
    found = near_duplicates(training, evaluation)
    for near in found[:SHOWN]:
        print(f"{near.training}: holds {near.share:.0%} of {near.evaluation}")
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN} more")
    print(f"{len(found)} of {len(training)} training rows hold half or more of one of {len(evaluation)} questions")
    return 1 if found else 0


def evaluation_items(folder: Path) -> list[Scenario]:
    """Load the questions of every benchmark whose files are in the folder; say on standard error which."""
    items: list[Scenario] = []
    for benchmark in BENCHMARKS.values():
        if benchmark.generated:
            continue
        try:
            loaded = benchmark.load(folder)
        except DataError as error:
            if "no official" not in str(error):
                raise
            continue
        print(f"{benchmark.name}: {len(loaded.items)} questions", file=sys.stderr)
        items += [item.scenario for item in loaded.items]
    if not items:
        raise DataError(f"{folder}: no benchmark's official files there")
    return items


if __name__ == "__main__":
    command(main)
