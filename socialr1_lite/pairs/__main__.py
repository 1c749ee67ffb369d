"""Make preference pairs for a reward model, look for what gives them away, or hold a judge to them.

    python -m socialr1_lite.pairs --n 4000 --seed 11 -o pairs.jsonl
    python -m socialr1_lite.pairs --from-run runs/mine --judge facts -o mine.jsonl
    python -m socialr1_lite.pairs --labels runs/mine -o mine.jsonl         what people marked in the viewer
    python -m socialr1_lite.pairs audit pairs.jsonl
    python -m socialr1_lite.pairs rank pairs.jsonl --judge rules

Exit status 1 when, in an audit, length or a bag of words tells the chosen text from the rejected one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from socialr1_lite.errors import DataError, command
from socialr1_lite.judges import JUDGES, build_judge, read_settings
from socialr1_lite.pairs import make_pairs, read_pairs, write_pairs
from socialr1_lite.pairs.audit import as_text, audit
from socialr1_lite.pairs.marked import label_rows, marked_pairs
from socialr1_lite.pairs.ranking import accuracies, pair_scores
from socialr1_lite.pairs.ranking import as_text as accuracies_as_text
from socialr1_lite.pairs.record import Pair
from socialr1_lite.pairs.traces import MARGIN, run_pairs
from socialr1_lite.runlog import RunFolder
from socialr1_lite.stories import DIMENSIONS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the three commands; return the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["audit"]:
        return _audit(arguments[1:])
    if arguments[:1] == ["rank"]:
        return _rank(arguments[1:])
    args = _parser().parse_args(arguments)
    if args.n < 1:
        raise DataError(f"--n {args.n}: give 1 or more")
    if args.labels:
        pairs: Iterable[Pair] = islice(marked_pairs(label_rows(args.labels)), args.n)
    elif args.from_run:
        judge = build_judge(args.judge, read_settings(args.settings))
        pairs = run_pairs(RunFolder.open(args.from_run), judge, margin=args.margin, most=args.n)
    else:
        names = [name.strip() for name in args.dimensions.split(",") if name.strip()]
        pairs = make_pairs(args.n, seed=args.seed, split=args.split, dimensions=names)
    print(f"{write_pairs(Path(args.output), pairs)} pairs in {args.output}", file=sys.stderr)
    return 0


def _audit(arguments: Sequence[str]) -> int:
    shortcuts = audit(read_pairs(_file_parser("audit").parse_args(arguments).file))
    print(as_text(shortcuts))
    return 1 if any(one.works for one in shortcuts) else 0


def _rank(arguments: Sequence[str]) -> int:
    parser = _file_parser("rank")
    _add_judge(parser, "rules")
    args = parser.parse_args(arguments)
    judge, pairs = build_judge(args.judge, read_settings(args.settings)), read_pairs(args.file)
    found = accuracies(pairs, pair_scores(pairs, judge))
    if not found:
        raise DataError(f"{args.file}: {args.judge} can score none of its pairs")
    print(accuracies_as_text(found))
    return 0


def _file_parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m socialr1_lite.pairs {command}")
    parser.add_argument("file", type=Path, help="pairs, one JSON object a line")
    return parser


def _add_judge(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--judge", default=default, help=f"one of {', '.join(sorted(JUDGES))} (default {default})")
    parser.add_argument("--settings", default="{}", help="the judge's settings as in a recipe, in YAML: '{model: m}'")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.pairs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=4000, help="pairs at most (default 4000)")
    parser.add_argument("--seed", type=int, default=11, help="another seed, other stories (default 11)")
    parser.add_argument("--split", default="train", choices=["train", "test"], help="whose names and things")
    parser.add_argument("--dimensions", default=",".join(DIMENSIONS), help="of the stories")
    parser.add_argument("--from-run", help="a run folder: pairs of what its own completions say, instead of made ones")
    parser.add_argument("--labels", type=Path, help="a run folder or a file of labels: pairs of what people marked")
    _add_judge(parser, "facts")
    parser.add_argument("--margin", type=float, default=MARGIN, help=f"least difference of scores (default {MARGIN})")
    parser.add_argument("-o", "--output", required=True, help="JSONL file to write")
    return parser


if __name__ == "__main__":
    command(main)
