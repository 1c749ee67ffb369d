"""Process against outcome: one arm of recipes/ablations/ from one seed, the table over all of them, what it can show.

    python benchmarks/ablation.py ARM --seed 42 [--out FOLDER] [--minutes 90] [--results FOLDER] [key=value ...]
    python benchmarks/ablation.py table benchmarks/ablations [--png FOLDER]
    python benchmarks/ablation.py power --questions 100 --seeds 3 [--run FOLDER]
    python benchmarks/ablation.py blind benchmarks/ablations --file FILE [--replies 60]

ARM is one of full, outcome_only, no_structure, no_content, no_length. The same command goes on where a launch was
stopped (exit status 3: not finished yet) and writes benchmarks/ablations/ARM_SEED.json at the end. All arms of a seed
begin with one and the same cold start: where another arm in --out has it already it is taken from there, and its
weights are compared. So start one arm of a seed first, and the others once that one has its cold start. Numbers and
replies: arms/results.py; the table: arms/table.py; the smallest difference that the design can show: arms/power.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from arms.results import (
    ARMS,
    FULL,
    cold_start_digest,
    read_result,
    result_file,
    result_of,
    settings_digest,
    write_result,
)

from socialr1_lite.errors import DataError, command
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.runlog import RunFolder
from socialr1_lite.train import run_recipe
from socialr1_lite.training.folder import cold_start_folder

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "ablations"
UNFINISHED = 3  # 1 is what Python ends with when it breaks


def recipe_of(arm: str, seed: int, minutes: float, overrides: Sequence[str] = ()) -> Recipe:
    """Read an arm's recipe. minutes: of one launch."""
    own = [f"run.seed={seed}", f"run.max_hours={minutes / 60}", "run.processes=1"]
    return load_recipe(arm_file(arm), [*overrides, *own])


def arm_file(arm: str) -> Path:
    """Return where the recipe of an arm lies."""
    return ROOT / "recipes" / "ablations" / f"{arm}.yaml"


def run_folder(out: Path, arm: str, seed: int) -> RunFolder:
    """Return the run folder of an arm from a seed."""
    return RunFolder(out / f"{arm}_{seed}")


def others_cold_start(out: Path, arm: str, recipe: Recipe) -> Path | None:
    """Return the cold start of another arm of this seed, None where none has begun.

    Raises DataError where one has begun by other settings, has no cold start yet, or has another than this arm's own.
    """
    found, own = None, cold_start_digest(run_folder(out, arm, recipe.run.seed))
    for other in ARMS:
        run = run_folder(out, other, recipe.run.seed)
        if other == arm or not run.recipe.is_file():
            continue
        if settings_digest(load_recipe(run.recipe), rewards=False) != settings_digest(recipe, rewards=False):
            raise DataError(f"{run.path} is of other settings than {arm}: only rewards may differ; name another --out")
        if not recipe.warmup.steps:
            continue
        if not (digest := cold_start_digest(run)):
            if own:
                continue
            raise DataError(f"{run.path} has begun and has no cold start yet: finish {other} first, or remove it")
        if own and digest != own:
            mine = run_folder(out, arm, recipe.run.seed).path
            raise DataError(f"{mine} and {run.path} began with other cold starts (weights differ): remove one of them")
        found = cold_start_folder(run)
    return found


def train(args: argparse.Namespace) -> int:
    """Train one arm from one seed, ask it, and write what came of it; goes on where it was stopped."""
    arm, seed, overrides = args.command, args.seed, args.overrides
    if not args.minutes > 0:
        raise DataError(f"--minutes {args.minutes:g}: above 0, such as 90")
    recipe, full = (recipe_of(one, seed, args.minutes, overrides) for one in (arm, FULL))
    path = result_file(args.results, arm, seed)
    if path.exists():
        if read_result(path).settings != settings_digest(recipe):
            raise DataError(f"{path} is the result of other settings; move it away, or name other --results")
        print(f"{path} is there: nothing to do")
        return 0
    run = run_folder(args.out, arm, seed)
    cold = others_cold_start(args.out, arm, recipe)
    # Not strict: an arm that has little to learn from is a finding, and every arm is to make the same steps.
    run_recipe(recipe, run_dir=run.path, strict=False, path=arm_file(arm), overrides=overrides, cold_start=cold)
    others_cold_start(args.out, arm, recipe)
    if not run.completed:
        print("not finished: the same command goes on")
        return UNFINISHED
    args.results.mkdir(parents=True, exist_ok=True)
    write_result(path, *result_of(run, arm, recipe, full))
    print(f"written: {path}")
    return 0


def table(args: argparse.Namespace) -> int:
    """Print the table over all results of a folder, and draw its figures."""
    from arms.figures import draw
    from arms.table import lines, read_results

    results = read_results(args.folder)
    print("\n".join(lines(results, args.folder)))
    if args.png:
        for written in draw(results, args.png):
            print(f"written: {written}")
    return 0


def power(args: argparse.Namespace) -> int:
    """Print the smallest differences that so many questions and seeds can show."""
    from arms.power import MEASURED, lines, measured

    if args.questions < 2 or args.questions % 2 or args.seeds < 1:
        raise DataError(f"--questions {args.questions} --seeds {args.seeds}: whole pairs of twins, and 1 seed or more")
    print("\n".join(lines(measured(args.run) if args.run else MEASURED, args.questions // 2, args.seeds)))
    return 0


def blind(args: argparse.Namespace) -> int:
    """Write the replies of all arms in one file, in an order that tells no arm."""
    from arms.table import blind_rows, read_results

    if args.replies < 1:
        raise DataError(f"--replies {args.replies}: 1 or more")
    count = blind_rows(read_results(args.folder), args.folder, args.file, args.replies)
    print(f"{count} replies in {args.file}: label a copy, put it into {args.folder / 'labels'} as READER.jsonl")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and do what it says."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python benchmarks/ablation.py", description=__doc__, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True, metavar="ARM | table | power | blind")
    for arm in ARMS:
        one = commands.add_parser(arm, help=f"train recipes/ablations/{arm}.yaml and ask it; settings: key=value ...")
        one.add_argument("--seed", type=int, required=True)
        one.add_argument("--out", type=Path, default=Path("runs") / "ablations", help="where the run folders lie")
        one.add_argument("--minutes", type=float, default=90, help="of one launch (90)")
        one.add_argument("--results", type=Path, default=RESULTS, help="where ARM_SEED.json is written")
        one.set_defaults(do=train)
    one = commands.add_parser("table", help="the table over all results")
    one.add_argument("folder", type=Path)
    one.add_argument("--png", type=Path, help="draw the figures into this folder (needs playwright and chromium)")
    one.set_defaults(do=table)
    one = commands.add_parser("power", help="the smallest difference that can be shown")
    one.add_argument("--questions", type=int, required=True)
    one.add_argument("--seeds", type=int, default=3)
    one.add_argument("--run", type=Path, help="a run whose held-out checks say how twins spread; else docs/learning.md")
    one.set_defaults(do=power)
    one = commands.add_parser("blind", help="the replies of all arms, for readers who must not know the arm")
    one.add_argument("folder", type=Path)
    one.add_argument("--file", type=Path, required=True)
    one.add_argument("--replies", type=int, default=60, help="of each arm, evenly over its seeds (60)")
    one.set_defaults(do=blind)
    args, more = parser.parse_known_args(argv)
    if more and (args.do is not train or any(word.startswith("-") for word in more)):
        parser.error(f"unknown: {' '.join(more)}")
    args.overrides = more
    return int(args.do(args))


if __name__ == "__main__":
    command(main)
