"""Write stories to a file, read some, or audit the generator.

python -m socialr1_lite.stories --n 1000 --seed 7 --dimensions belief,knowledge --orders 0-3 -o FILE.jsonl
python -m socialr1_lite.stories show --n 5 --dimensions belief
python -m socialr1_lite.stories audit --n 2000
python -m socialr1_lite.stories names          # of dimensions, templates and perturbations
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from socialr1_lite.errors import DataError, command
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import DIMENSIONS, PERTURBATIONS, Names, Scope, generate, gold_reply
from socialr1_lite.stories.audit import as_json, as_text, audit

LARGEST_FAMILY = 8  # members, a base and its twins


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the four commands; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    tasks = {"write": _write, "show": _show, "audit": _audit, "names": _names}
    task = arguments.pop(0) if arguments[:1] and arguments[0] in tasks else "write"
    return tasks[task](_parser(task).parse_args(arguments))


def _parser(task: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m socialr1_lite.stories{'' if task == 'write' else ' ' + task}",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if task == "names":
        return parser
    number = {"write": 1000, "show": 5, "audit": 2000}[task]
    each = "" if task == "write" else " of each dimension"
    parser.add_argument("--n", type=int, default=number, help=f"how many scenarios{each} (default {number})")
    parser.add_argument("--seed", type=int, default=7, help="another seed, other stories (default 7)")
    parser.add_argument("--dimensions", default=",".join(DIMENSIONS), help=f"of {', '.join(DIMENSIONS)} (default all)")
    parser.add_argument("--orders", default="0-4", help="depths of belief, such as 1 or 0-2 or 1,3 (default 0-4)")
    parser.add_argument("--split", default="test" if task == "audit" else "train", choices=["train", "test"])
    parser.add_argument("--chapters", default="1-3" if task == "audit" else "1", help="story lengths, 1 to 3")
    for what in ("templates", "perturbations"):
        parser.add_argument(f"--{what}", default="", help=f"only these {what} (default all; see `names`)")
    parser.add_argument("--without", default="", help="perturbations that are left out")
    parser.add_argument("--places", default="", help="how many places, 2 to 4 (default: as they come)")
    parser.add_argument("--people", default="", help="how many people, 3 to 8 (default: as they come)")
    parser.add_argument("--options", type=int, default=0, help="2 to 15, or 0: as many as each story gives (default)")
    if task == "write":
        parser.add_argument("-o", "--output", default="-", help="JSONL file to write (default: standard output)")
        parser.add_argument("--replies", action="store_true", help="add a gold reply to each row, as `completion`")
    if task == "audit":
        parser.add_argument("--json", action="store_true", help="the table as JSON")
    return parser


def _numbers(text: str, what: str) -> tuple[int, ...]:
    """Read the numbers of a list such as "0-2,4"."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            raise DataError(f"--{what} {text!r}: give numbers such as 1, 0-2 or 1,3")
        found += range(int(low), int(high or low) + 1)
    return tuple(dict.fromkeys(found))


def _scenarios(args: argparse.Namespace, n: int, seed: int, dimensions: Sequence[str]) -> Iterator[Scenario]:
    perturbations = Names(_listed(args.perturbations), _listed(args.without))
    places, people = (
        _numbers(getattr(args, what), what) if getattr(args, what) else () for what in ("places", "people")
    )
    return generate(
        n,
        seed=seed,
        dimensions=dimensions,
        orders=_numbers(args.orders, "orders"),
        split=args.split,
        chapters=_numbers(args.chapters, "chapters"),
        options=args.options,
        scope=Scope(Names(_listed(args.templates)), perturbations, places, people),
    )


def _listed(text: str) -> tuple[str, ...]:
    """Read the names of a list such as "peeked,left later"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _write(args: argparse.Namespace) -> int:
    """Write one JSON row a scenario; the file appears whole or not at all."""
    rows = (_row(scenario, args.replies) for scenario in _scenarios(args, args.n, args.seed, _listed(args.dimensions)))
    if args.output == "-":
        sys.stdout.writelines(rows)
        return 0
    target = Path(args.output)
    partial = target.with_name(target.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(rows)
        partial.replace(target)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)  # of stories that could not be made, or not be written
    print(f"{args.n} scenarios in {target}", file=sys.stderr)
    return 0


def _row(scenario: Scenario, replies: bool) -> str:
    row = scenario.to_row() | ({"completion": gold_reply(scenario)} if replies else {})
    return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"


def _show(args: argparse.Namespace) -> int:
    """Show random scenarios of each dimension, in Markdown, as they come out."""
    for name in _listed(args.dimensions):
        print(f"### {name}\n")
        endless = _scenarios(args, LARGEST_FAMILY * args.n, args.seed, [name])
        for scenario in islice((s for s in endless if s.meta["twin"] == 0), args.n):
            order, template, edit = (scenario.meta[key] for key in ("order", "template", "perturbation"))
            print(f"**{template}**, order {order}; its twin: {edit}\n")
            paragraphs = scenario.story.split("\n\n")
            print("> " + "\n>\n> ".join([*paragraphs, scenario.question]) + "\n")
            for letter, option, shortcut in zip(scenario.letters, scenario.options, scenario.shortcuts, strict=True):
                print(f"- {letter}. {option} " + (f"({shortcut})" if shortcut else "**(right)**"))
            print(f"\n```\n{gold_reply(scenario)}\n```\n")
    return 0


def _names(args: argparse.Namespace) -> int:
    """List what templates, perturbations and dimensions are called."""
    for name, dimension in DIMENSIONS.items():
        orders = ", ".join(map(str, dimension.orders))
        print(f"{name} (orders {orders}): {', '.join(dimension.templates)}")
    print(f"\nperturbations: {', '.join(PERTURBATIONS)}")
    return 0


def _audit(args: argparse.Namespace) -> int:
    """Print the shortcut table; status 1 where a shortcut works."""
    rows = []
    for name in _listed(args.dimensions):
        tested, others = (list(_scenarios(args, args.n, args.seed + more, [name])) for more in (0, 1))
        rows += audit(tested, others)
    settings = {key: value for key, value in vars(args).items() if key != "json"}
    print(json.dumps(as_json(rows, settings), indent=2) if args.json else as_text(rows))
    working = [f"{row.dimension}: {row.shortcut}" for row in rows if row.works]
    if working:
        print(f"{len(working)} shortcuts work: {'; '.join(working)}", file=sys.stderr)
    return 1 if working else 0


if __name__ == "__main__":
    command(main)
