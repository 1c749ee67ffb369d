r"""Audit a judge against hacks, or measure how far it agrees with careful reading.

`audit` sets reference replies against every hack that rewards must not pay for, and against prompt injections.
`agree` asks the judge of replies in free wording, labelled stage by stage by careful reading: AUC by stage, pairs won.

    python -m socialr1_lite.judges audit --judge rules
    python -m socialr1_lite.judges audit --judge rules --data shared/data/benchmarks --json
    python -m socialr1_lite.judges audit --judge rules --free          hacks of replies in free wording
    python -m socialr1_lite.judges audit --judge llm --n 10 --forms 1 \\
        --settings '{base_url: "http://localhost:8000/v1", model: m}'

    python -m socialr1_lite.judges agree --judge rules
    python -m socialr1_lite.judges agree --judge rules --data labels.jsonl
    python -m socialr1_lite.judges unmarked             the reading of thinking without headings, by sentence

Exit status 1 when a hack's win rate is below the floor.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.errors import DataError, JudgeError, command
from socialr1_lite.judges import JUDGES, build_judge, read_settings
from socialr1_lite.judges.agreement import as_text as as_agreement
from socialr1_lite.judges.agreement import judge_replies
from socialr1_lite.judges.audit.measure import as_json, as_text
from socialr1_lite.judges.audit.session import Audit, run_audit
from socialr1_lite.judges.corpus import read_corpus, read_labels
from socialr1_lite.judges.unmarked_agreement import measure_unmarked
from socialr1_lite.stories import DIMENSIONS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the audit and print its table; return the exit status."""
    args = _parser().parse_args(arguments)
    if args.task == "unmarked":
        print(measure_unmarked(read_corpus("unmarked", args.split)).as_text())
        return 0
    if args.judge not in JUDGES:
        raise JudgeError(f"--judge {args.judge!r}: known: {', '.join(sorted(JUDGES))}")
    if args.task == "agree":
        judge = build_judge(args.judge, read_settings(args.settings))
        parts = {name: read_corpus(name, args.split) for name in ("generated", "everyday")} if not args.data else {}
        for name, replies in (parts or {str(args.data): list(read_labels(args.data))}).items():
            print(f"{name}: {as_agreement(judge_replies(judge, replies))}\n")
        return 0
    if args.n < 1 or (args.forms is not None and args.forms < 1):
        raise DataError(f"--n {args.n}, --forms {args.forms}: give 1 or more")
    args.dimensions = tuple(word.strip() for word in args.dimensions.split(",") if word.strip())
    settings = {name: value for name, value in vars(args).items() if name not in ("task", "json")}
    found = run_audit(Audit(**settings))
    if args.json:
        numbers = {"judge": args.judge, "honest": found.references, "left_out": found.left_out, "seed": args.seed}
        print(json.dumps(as_json(found.results, found.floor, numbers), indent=2, ensure_ascii=False))
    else:
        print(as_text(found.results, found.floor))
    if found.below_floor:
        print(f"{args.judge}: below the floor of {found.floor:.0%}: {'; '.join(found.below_floor)}", file=sys.stderr)
    return 1 if found.below_floor else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.judges", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["audit", "agree", "unmarked"], help="what to measure")
    parser.add_argument("--judge", help=f"one of {', '.join(sorted(JUDGES))}")
    parser.add_argument("--settings", default="{}", help="the judge's settings as in a recipe, in YAML: '{model: m}'")
    parser.add_argument("--n", type=int, default=100, help="scenarios (with --data: rows of each file; default 100)")
    parser.add_argument("--seed", type=int, default=29, help="another seed, other stories (default 29)")
    parser.add_argument("--split", default="test", choices=["train", "test"], help="whose words the stories use")
    parser.add_argument("--dimensions", default="belief,knowledge", help=f"of {', '.join(DIMENSIONS)}")
    parser.add_argument("--data", type=Path, help="audit: a folder of benchmark files; agree: a file of labels")
    parser.add_argument("--free", action="store_true", help="audit: hack the corpus' honest replies in free wording")
    parser.add_argument("--forms", type=int, help="at most so many forms of each hack (default all)")
    parser.add_argument("--floor", type=float, help="least share of wins, 0 to 1 (default by judge and data)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    return parser


if __name__ == "__main__":
    command(main)
