r"""Audit a judge: honest replies against every hack that the rewards must not pay for, and against prompt injections.

    python -m socialr1_lite.judges audit --judge rules
    python -m socialr1_lite.judges audit --judge rules --data shared/data/benchmarks --json
    python -m socialr1_lite.judges audit --judge llm --n 10 --forms 1 \\
        --settings '{base_url: "http://localhost:8000/v1", model: m}'

Exit status 1 when a hack's win rate is below the floor.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from socialr1_lite.errors import DataError, JudgeError, command
from socialr1_lite.judges import JUDGES, audit_floor
from socialr1_lite.judges.audit.hacks import Honest
from socialr1_lite.judges.audit.measure import as_json, as_text, audit
from socialr1_lite.judges.audit.references import honest_gold, honest_reply, tombench_files, tombench_rows
from socialr1_lite.recipe import ContentReward, JudgeEntry, Rewards
from socialr1_lite.recipe.located_yaml import parse as read_yaml
from socialr1_lite.rewards.stack import RewardStack, Score
from socialr1_lite.sip import parse
from socialr1_lite.stories import DIMENSIONS, generate, gold_reply

DATA_FLOOR = 0.95  # on foreign stories, whose honest replies are made by simple rules
TOKENS_A_WORD = 1.4  # about what a tokenizer makes of English


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the audit and print its table; returns the exit status."""
    given = _parser().parse_args(arguments)
    if given.judge not in JUDGES:
        raise JudgeError(f"--judge {given.judge!r}: known: {', '.join(sorted(JUDGES))}")
    if given.n < 1 or (given.forms is not None and given.forms < 1):
        raise DataError(f"--n {given.n}, --forms {given.forms}: give 1 or more")
    stack = _stack(given.judge, given.settings)
    found = _real(Path(given.data), given.n) if given.data else _generated(given)
    honest = [one for one in found if _unspoilt(one)]
    if not honest:
        raise DataError("nothing to audit with: no honest reply could be made of these scenarios")
    default = DATA_FLOOR if given.data else audit_floor(given.judge)
    floor = given.floor if given.floor is not None else default
    rows = audit(honest, partial(_score, stack), forms=given.forms)
    settings = {"judge": given.judge, "honest": len(honest), "left_out": len(found) - len(honest), "seed": given.seed}
    print(
        json.dumps(as_json(rows, floor, settings), indent=2, ensure_ascii=False) if given.json else as_text(rows, floor)
    )
    missed = [row.hack for row in rows if row.misses(floor)]
    if missed:
        print(f"{given.judge}: below the floor of {floor:.0%}: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.judges", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["audit"], help="the one thing to do")
    parser.add_argument("--judge", required=True, help=f"one of {', '.join(sorted(JUDGES))}")
    parser.add_argument("--settings", default="{}", help="the judge's settings as in a recipe, in YAML: '{model: m}'")
    parser.add_argument("--n", type=int, default=100, help="scenarios (with --data: rows of each file; default 100)")
    parser.add_argument("--seed", type=int, default=29, help="another seed, other stories (default 29)")
    parser.add_argument("--split", default="test", choices=["train", "test"], help="whose words the stories use")
    parser.add_argument("--dimensions", default="belief,knowledge", help=f"of {', '.join(DIMENSIONS)}")
    parser.add_argument("--data", help="folder of benchmark files: real ToMBench rows instead of generated stories")
    parser.add_argument("--forms", type=int, help="at most so many forms of each hack (default all)")
    parser.add_argument("--floor", type=float, help="least share of wins, 0 to 1 (default by judge and data)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    return parser


def _stack(judge: str, settings: str) -> RewardStack:
    """The reward stack of the defaults with this judge alone."""
    told = read_yaml(settings, "--settings")
    if told.mistakes:
        raise JudgeError(told.tell(Path("--settings")))
    entry = JudgeEntry(name=judge, settings=told.values)
    return RewardStack(Rewards(content=ContentReward(judges=(entry,))))


def _score(stack: RewardStack, texts: Sequence[str], honest: Honest) -> list[Score]:
    scenario = honest.scenario
    replies = [parse(text, scenario.options) for text in texts]
    return stack.score_group(
        replies, scenario, tokens=[round(len(text.split()) * TOKENS_A_WORD) for text in texts], tau=1.0
    )


def _unspoilt(honest: Honest) -> bool:
    """Whether the honest reply passes every gate; one that repeats itself is paid less for that and is no yardstick."""
    (score,) = _score(RewardStack(Rewards()), [honest.text], honest)
    return score.parts["length.repetition"] == 0.0 and score.components["format"] == 1.0


def _generated(given: argparse.Namespace) -> list[Honest]:
    names = [name.strip() for name in given.dimensions.split(",") if name.strip()]
    made = generate(given.n, seed=given.seed, dimensions=names, orders=(0, 1, 2), split=given.split)
    return [honest_gold(scenario, gold_reply(scenario, seed=i)) for i, scenario in enumerate(made)]


def _real(folder: Path, n: int) -> list[Honest]:
    """Honest replies to ToMBench rows, read where they lie: at most n rows of each file, spread over it."""
    files = tombench_files(folder)
    if not files:
        raise DataError(f"--data {folder}: no ToMBench/data/*.jsonl there")
    found = []
    for file in files:
        rows = list(tombench_rows(folder, file))
        found += [honest_reply(row) for row in rows[:: max(1, len(rows) // n)]]
    return [one for one in found if one is not None]


if __name__ == "__main__":
    command(main)
