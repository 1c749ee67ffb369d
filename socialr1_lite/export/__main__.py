"""python -m socialr1_lite.export RUN_OR_RECIPE --to adapter|merged|gguf|hub|verl|inspect."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.errors import command
from socialr1_lite.evaluation.target import NEWEST, find
from socialr1_lite.export.artefacts import export_adapter, export_hub, export_merged
from socialr1_lite.export.gguf import export_gguf
from socialr1_lite.export.inspect_log import export_inspect
from socialr1_lite.export.verl import differences, export_verl
from socialr1_lite.recipe import load_recipe
from socialr1_lite.recipe.trust import Trust
from socialr1_lite.runlog import RunFolder

TO_FILES = {"adapter": export_adapter, "merged": export_merged, "gguf": export_gguf}


def main(argv: Sequence[str] | None = None) -> int:
    """Export, check, and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m socialr1_lite.export", description="Hand a run on to others.")
    parser.add_argument("source", metavar="RUN_OR_RECIPE", help="a run folder; for --to verl a recipe, or a run's")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for --to verl: after the recipe's settings")
    parser.add_argument("--to", required=True, choices=(*TO_FILES, "hub", "verl", "inspect"))
    parser.add_argument("-o", "--output", type=Path, metavar="PATH", help="a new or an empty folder (gguf: a new file)")
    parser.add_argument("--repo", metavar="NAME", help="for --to hub: owner/name")
    seen = parser.add_mutually_exclusive_group()
    seen.add_argument("--private", action="store_true", help="for --to hub: the default")
    seen.add_argument("--public", action="store_true", help="for --to hub: let everybody see it")
    which = "newest (default), best (by the run's held-out checks), or a step's number"
    parser.add_argument("--checkpoint", default=NEWEST, metavar="WHICH", help=which)
    Trust.add_options(parser)
    args = parser.parse_intermixed_args(argv)
    trust, source = Trust.of(args), Path(args.source)
    if args.to == "hub" and not args.repo:
        parser.error("--to hub needs --repo NAME")
    if args.to != "hub" and args.output is None:
        parser.error(f"--to {args.to} needs -o PATH")
    if args.to == "verl":
        path = source / "recipe.yaml" if source.is_dir() else source
        recipe = load_recipe(path, args.overrides)
        trust.check_model(recipe.model, str(path))  # whoever starts the job runs what is handed on here
        trust.check_judges(recipe.rewards, str(path))
        print(export_verl(recipe, args.output), *(f"note: {line}" for line in differences(recipe)), sep="\n")
        return 0
    if args.to == "inspect":
        print(export_inspect(RunFolder.open(source), args.output, print))
        return 0
    target = find(args.source, checkpoint=args.checkpoint, trust=trust)
    if args.to == "hub":
        print(export_hub(target, args.repo, print, public=args.public))
    else:
        print(TO_FILES[args.to](target, args.output, print))
    return 0


if __name__ == "__main__":
    command(main)
