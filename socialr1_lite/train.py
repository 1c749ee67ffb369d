"""From a recipe to a run folder: held-out check, cold start, preflight, GRPO, held-out check, adapter.

    python -m socialr1_lite.train RECIPE [key=value ...] [--check] [--smoke] [--run-dir D]

The same command continues an unfinished run from its newest whole checkpoint, and says so when a run is complete.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from socialr1_lite.errors import command
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.recipe import load_recipe
from socialr1_lite.training.preflight import advice
from socialr1_lite.training.session import run_recipe

__all__ = ["main", "run_recipe"]


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line; check or train."""
    parser = argparse.ArgumentParser("python -m socialr1_lite.train", description="Train an adapter as a recipe says.")
    parser.add_argument("recipe", help="a YAML file, such as recipes/cpu_smollm2.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that come after the recipe's own")
    parser.add_argument("--check", action="store_true", help="only check the recipe; loads no weights")
    small = "the same recipe made small: embedded model, two steps, CPU"
    parser.add_argument("--smoke", action="store_true", help=small)
    parser.add_argument("--run-dir", metavar="D", help="the run folder (otherwise run.root/run.name)")
    args = parser.parse_intermixed_args(argv)
    recipe = load_recipe(args.recipe, args.overrides)
    if args.smoke:
        recipe = smoke(recipe)
    if args.check:
        notes = [*check_recipe(recipe, args.recipe, args.overrides), *advice(recipe)]
        a_step = f"{recipe.prompts_per_step:g} prompts x {recipe.grpo.num_generations} completions a step"
        print(f"{args.recipe}: fine. {recipe.grpo.max_steps} steps, {a_step}, {recipe.rewards.mode} rewards")
        print("".join(f"note: {note}\n" for note in notes), end="")
        return 0
    run_recipe(recipe, run_dir=args.run_dir, strict=not args.smoke, path=args.recipe, overrides=args.overrides)
    return 0


if __name__ == "__main__":
    command(main)
