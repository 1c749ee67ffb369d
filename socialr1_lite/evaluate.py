"""Evaluate a run or a model: python -m socialr1_lite.evaluate RUN_OR_MODEL --benchmarks tombench,hi-tom --data DIR.

RUN_OR_MODEL is a run folder (its newest adapter), a hub id, a local model folder, or smollm2-135m; with --backend
openai it is the model's name at --base-url. A model that a run trained is asked as in training behind an endpoint too:
name the run with --run, or a recipe with --recipe. --data is a folder of the authors' own files, one benchmark's or
many; a part of a set is evaluated as it is and the counts are told. Reports go to evaluation/<benchmark>.json of the
run folder (for a model: of evaluations/<name>, or -o DIR), every reply goes into its traces, and table.md and
table.html put them side by side with --against. An interrupted evaluation goes on where it stopped when started again.

`python -m socialr1_lite.evaluate leaderboard DIR…` puts runs evaluated earlier into one table.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.errors import RecipeError, command
from socialr1_lite.evaluation import leaderboard, likelihood, reports, tables
from socialr1_lite.evaluation.asking import STYLES
from socialr1_lite.evaluation.authors import SAMPLED_TEMPERATURE, languages
from socialr1_lite.evaluation.episodes import JUDGE_TOKENS
from socialr1_lite.evaluation.loading import load_all
from socialr1_lite.evaluation.session import Session
from socialr1_lite.evaluation.target import NEWEST
from socialr1_lite.recipe.trust import Trust

BACKENDS = ("auto", "unsloth", "transformers", "vllm", "openai")


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate, or put evaluated runs into a leaderboard; returns 0. Raises SocialR1Error for what stops it."""
    words = sys.argv[1:] if arguments is None else arguments
    if list(words[:1]) == ["leaderboard"]:
        return leaderboard.main(words[1:])
    args = _parser().parse_args(words)
    if args.samples > 1 and args.temperature == 0:
        raise RecipeError("--samples above 1 needs --temperature above 0: greedy replies are all the same")
    if args.prompt == likelihood.STYLE:
        likelihood.check(args)
    against = [reports.read(folder) for folder in args.against]
    loaded = load_all(args.benchmarks, args.data, args.prompt or "sip", languages(args))
    with contextlib.ExitStack() as opened:
        session = Session.start(args, opened)
        if args.dry_run:
            session.dry_run(loaded)
            return 0
        for name, one in loaded.items():
            session.evaluate(BENCHMARKS[name], one)
        own = reports.read(session.folder.evaluation)._replace(name=session.folder.name)
        columns = [own, *against]
        tables.write_tables(session.folder.evaluation, columns)
    print(tables.markdown(columns))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("target", metavar="RUN_OR_MODEL")
    add("--benchmarks", required=True, metavar="NAME,…", help=f"of {', '.join(BENCHMARKS)}; or all")
    add(
        "--data", type=Path, metavar="DIR", help="folder of the authors' files (default: the hub, where they are there)"
    )
    add(
        "--checkpoint",
        default=NEWEST,
        metavar="WHICH",
        help="of a run: newest (default), best (by its held-out checks), or a step's number",
    )
    asked = parser.add_mutually_exclusive_group().add_argument
    asked("--run", type=Path, dest="asked_as", metavar="DIR", help="ask as this run was asked in training")
    asked("--recipe", type=Path, dest="asked_as", metavar="FILE", help="ask as this recipe says")
    read = (
        "replies to sip, socialr1, cot and direct are read as in training: of thinking it knows <think> and <thinking>"
    )
    add("--prompt", choices=STYLES, help=f"default: the run's or the recipe's own, else sip; {read}")
    add(
        "--limit",
        type=_at_least(1),
        metavar="N",
        help="about N items, drawn by seed; what scores together stays together",
    )
    add("--language", choices=("en", "zh", "all"), default="en", help="of the bilingual benchmarks")
    add("--samples", type=_at_least(1), default=1, metavar="K", help="replies to each prompt")
    add("--seed", type=_at_least(0), default=0)
    drawn = f"default: the prompt's, else 0 (greedy); with --samples {SAMPLED_TEMPERATURE}"
    add("--temperature", type=_number(0, 10), help=drawn)
    add("--top-p", type=_number(0.001, 1), help="default: the prompt's, else 1 (all tokens)")
    add("--top-k", type=_at_least(0), help="default: the prompt's, else 0 (all tokens)")
    add("--repetition-penalty", type=_number(0.1, 10), metavar="P", help="default: the prompt's, else 1 (none)")
    add("--max-new-tokens", type=_at_least(1), metavar="N", help="of one reply; default by prompt, or the run's own")
    add("--batch-size", type=_at_least(1), default=16)
    add("-o", "--output", type=Path, metavar="DIR", help="default: the run folder, or evaluations/<model>")
    add("--against", type=Path, action="append", default=[], metavar="DIR", help="evaluated earlier; may be repeated")
    add("--diagnose", action="store_true", help="shortcut diagnostics too: without story, without question, permuted")
    add("--dry-run", action="store_true", help="say what would be asked and what it would cost; ask nothing")
    add("--backend", choices=BACKENDS, default="auto")
    Trust.add_options(parser)
    _add_endpoint_options(parser.add_argument_group("endpoint (--backend openai)"))
    _add_episode_options(parser.add_argument_group("episodes (sotopia)"))
    return parser


def _add_endpoint_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--base-url", metavar="URL")
    add("--concurrency", type=_at_least(1), default=8)
    add("--timeout", type=_number(0.1), default=120.0, metavar="S")
    add("--retries", type=_at_least(0), default=5)
    add("--price-in", type=_number(0), default=0.0, metavar="P", help="for a million tokens")
    add("--price-out", type=_number(0), default=0.0, metavar="P")
    add(
        "--extra-body",
        default="{}",
        metavar="JSON",
        help="further fields of the request, such as min_p; none that has an option",
    )
    add(
        "--prefilled",
        action="store_true",
        help="its chat template opens the think block itself (<think> or <thinking>)",
    )
    add("--no-cache", action="store_true", help="do not keep replies in the user's cache folder")


def _add_episode_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--partner", default="self", metavar="WHO", help="self, a model, or URL#MODEL")
    add("--judge", default="self", metavar="WHO", help="self, a model, or URL#MODEL")
    add(
        "--judge-form",
        choices=("whole", "dimension"),
        default="whole",
        help="whole: one JSON object, as its authors ask; dimension: one score at a time, for a small judge",
    )
    add("--max-turns", type=_at_least(1), default=20)
    add("--judge-tokens", type=_at_least(1), default=JUDGE_TOKENS, metavar="N", help="of one judgement")


def _number(low: float, high: float = math.inf, kind: type[int] | type[float] = float) -> Callable[[str], float]:
    def number(text: str) -> float:
        if not low <= (value := kind(text)) <= high or value == math.inf:  # not a number is in no range either
            allowed = f"from {low:g} to {high:g}" if high < math.inf else f"{low:g} or more"
            raise argparse.ArgumentTypeError(f"must be {allowed}")
        return value

    return number


_at_least = partial(_number, kind=int)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    command(main)
