"""Train a reward model on stage-level pairs.

    python -m socialr1_lite.train_judge recipes/judges/judge_smollm2.yaml [key=value ...] [--check]

Writes a folder that the `reward_model` judge loads, with pairwise accuracy on held-out pairs (whole, by stage, by kind,
with 95 % intervals) and calibration in its judge.json. Of pairs from a file, the agreement with the labelled corpus'
train part is printed, on which made pairs train. The same command goes on with a training that was cut short.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.errors import command
from socialr1_lite.judges import build_judge
from socialr1_lite.judges.agreement import as_text, judge_replies
from socialr1_lite.judges.corpus import read_corpus
from socialr1_lite.plan.checking import check_judge_recipe
from socialr1_lite.recipe.judge import GOLD, load_judge_recipe
from socialr1_lite.training.reward_model import train_judge


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line; check, or train and print the figures."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m socialr1_lite.train_judge", description=__doc__, formatter_class=as_written
    )
    parser.add_argument("recipe", help="a judge recipe, such as recipes/judges/judge_smollm2.yaml")
    parser.add_argument("overrides", nargs="*", help="section.key=value")
    parser.add_argument("--check", action="store_true", help="only check the recipe and its pairs; loads no weights")
    args = parser.parse_intermixed_args(arguments)
    recipe = load_judge_recipe(args.recipe, args.overrides)
    check_judge_recipe(recipe, args.recipe, args.overrides)
    if args.check:
        print(f"{args.recipe}: fine. {recipe.training.max_steps} steps on {recipe.pairs.size} pairs at most")
        return 0
    folder = (Path(recipe.run.root) / str(recipe.run.name)).expanduser()
    report = train_judge(recipe, folder)
    print(json.dumps(report, indent=2, ensure_ascii=False))
    if recipe.pairs.source != GOLD:  # made pairs are of these replies, too
        replies = [reply for name in ("generated", "everyday") for reply in read_corpus(name, "train")]
        judge = build_judge("reward_model", {"path": str(folder)})
        print(f"\nThe corpus' train part:\n{as_text(judge_replies(judge, replies))}", file=sys.stderr)
    print(f"the judge is in {folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    command(main)
