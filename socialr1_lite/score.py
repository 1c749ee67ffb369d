"""Score completions that any model wrote: python -m socialr1_lite.score IN -o OUT [--recipe R] [--judge rules].

IN is a JSONL file, `-` for standard input, or a run folder. One row a completion:

    id, story, question, options, gold        as in training files (socialr1_lite.data); facts for the `facts` judge
    completion    the generated text
    prefilled     true when the prompt had already opened the think block (default false)
    tokens        its length in tokens; without it and without --tokenizer, words and punctuation marks are counted,
                  which is an approximation [ours]
    finish        "length" when the token limit cut it off, else "stop"
    tau           the curriculum's weight of the process rewards (default 1, as in evaluation)

Rows of the same scenario that follow each other are one group: where a judge fails for one of them, its score
is left out for all. OUT has a row for each row of IN: components, parts, gates, weights, mode, tau, versions, total,
outcome, answer, stages, notes; a row that cannot be scored becomes {id, place, error}, is reported, and the
exit status is 2.

For a run folder the run's own recipe scores its own completions, each at its own tau, and the totals are
compared with the logged ones; the exit status is 1 where one differs. Where a rule has changed since, the components
that it has no part in are compared, and the rest is told apart.

    python -m socialr1_lite.score RUN --rejudge JUDGE     asks a judge of a run's completions again and keeps its
                                                          verdicts beside the old ones; the viewer shows both
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import yaml

from socialr1_lite import runlog
from socialr1_lite.errors import DataError, PolicyError, RunLogError, command, first_line
from socialr1_lite.judges import build_judge
from socialr1_lite.judges.base import Borrower
from socialr1_lite.policy import load_policy
from socialr1_lite.recipe import JudgeEntry, Rewards, load_recipe
from socialr1_lite.recipe.located_yaml import Yaml
from socialr1_lite.recipe.trust import Trust
from socialr1_lite.rewards.scoring import (
    BadRow,
    Count,
    OutputRow,
    Sample,
    ScoringReport,
    approximate_tokens,
    file_samples,
    rejudge,
    run_samples,
    score_samples,
)
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import lines
from socialr1_lite.runlog.rejudged import write_verdicts


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, score, write; return the exit status. Raises SocialR1Error for what stops it before the first row."""
    args = _parser().parse_args(arguments)
    run = runlog.RunFolder.open(args.input) if Path(args.input).is_dir() else None
    if args.rejudge:
        return _rejudge(run, args)
    stack = RewardStack(_rewards(args.recipe, args.judge, run, Trust.of(args)))
    _lend(stack, args, run)
    samples = _read(args.input, _counter(args.tokenizer)) if run is None else run_samples(run)
    report = ScoringReport(lambda text: print(text, file=sys.stderr))
    rows = report.watch(score_samples(stack, samples))
    if args.output == "-":
        _fill(sys.stdout.buffer, rows)
    else:
        _write(Path(args.output), rows)
    print(report.summary(), file=sys.stderr)
    return report.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("input", metavar="IN", help="a JSONL file, - for standard input, or a run folder")
    add("-o", "--output", default="-", metavar="OUT", help="a JSONL file (default: standard output)")
    add("--recipe", type=Path, help="score by this recipe's rewards section")
    add("--judge", help="one judge by name, instead of the recipe's (default: rules)")
    add("--tokenizer", help="a folder or hub id whose tokenizer counts tokens")
    add("--rejudge", metavar="JUDGE", help="ask this judge of a run's completions again")
    add("--setting", action="append", default=[], metavar="KEY=VALUE", help="a setting of the judge of --rejudge")
    Trust.add_options(parser)
    return parser


def _rejudge(run: runlog.RunFolder | None, args: argparse.Namespace) -> int:
    if run is None:
        raise DataError(f"{args.input}: --rejudge needs a run folder, whose completions are judged again")
    judge = build_judge(args.rejudge, dict(map(_setting, args.setting)))
    if isinstance(judge, Borrower):
        _lend(judge, args, run)
    run.refuse_links()
    path = write_verdicts(run, rejudge(run, judge))
    print(
        f"{path}: the verdicts of {judge.name}, shown beside the old ones by python -m socialr1_lite.viewer {run.path}",
        file=sys.stderr,
    )
    return 0


def _lend(borrower: Borrower | RewardStack, args: argparse.Namespace, run: runlog.RunFolder | None) -> None:
    """Let a judge that reads with a policy's base read with that of the recipe's model, as in training."""
    path = args.recipe or (run.recipe if run else None)
    if path is not None and borrower.needs_base:
        model = load_recipe(path).model
        if args.recipe is None:  # the run's word; a recipe that was named is the caller's
            Trust.of(args).check_model(model, str(path))
        borrower.lend(lambda: load_policy(model))


def _setting(text: str) -> tuple[str, Yaml]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise DataError(f"--setting {text}: KEY=VALUE is needed, such as path=judges/mine")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        return key, value


def _rewards(recipe: Path | None, judge: str | None, run: runlog.RunFolder | None, trust: Trust) -> Rewards:
    own = run is not None and recipe is None
    if run is not None and recipe is None:
        recipe = run.recipe
        if not recipe.exists():
            raise RunLogError(f"{run.path} holds no {recipe.name}; name the recipe with --recipe")
    rewards = Rewards() if recipe is None else load_recipe(recipe).rewards
    if judge is None:
        if own:  # the run's word; a recipe that was named is the caller's
            trust.check_judges(rewards, str(recipe))
        return rewards
    content = rewards.content.model_copy(update={"judges": (JudgeEntry(name=judge),)})
    return rewards.model_copy(update={"content": content})


def _counter(tokenizer: str | None) -> Count:
    if tokenizer is None:
        return approximate_tokens
    import transformers

    try:
        loaded = transformers.AutoTokenizer.from_pretrained(tokenizer, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise PolicyError(f"--tokenizer {tokenizer}: {first_line(error)}") from None
    return lambda text: len(loaded(text, add_special_tokens=False)["input_ids"])


def _read(source: str, count: Count) -> Iterator[Sample | BadRow]:
    if source == "-":
        yield from file_samples(sys.stdin.buffer, count)
        return
    if not Path(source).is_file():
        raise DataError(f"{source}: there is no such file, and no run folder either")
    with Path(source).open("rb") as file:
        yield from file_samples(file, count)


def _fill(output: BinaryIO, rows: Iterable[OutputRow]) -> None:
    for row in rows:
        output.write(lines.encode([row]))
    output.flush()


def _write(path: Path, rows: Iterable[OutputRow]) -> None:
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}")

    def fill(scratch: Path) -> None:
        with scratch.open("wb") as output:
            _fill(output, rows)

    lines.replace_atomic(path, fill)


if __name__ == "__main__":
    command(main)
