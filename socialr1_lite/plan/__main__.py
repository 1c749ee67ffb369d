"""python -m socialr1_lite.plan RECIPE [key=value ...] [--gpu NAME] [--fit] [--config FILE] [--price N]."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from socialr1_lite.errors import command
from socialr1_lite.plan import Plan, make_plan
from socialr1_lite.plan.architectures import Architecture, read_config
from socialr1_lite.plan.fit import fit
from socialr1_lite.plan.hardware import GIB, GPUS, find_gpu
from socialr1_lite.plan.reading import readings
from socialr1_lite.plan.timing import run_tokens, step_tokens
from socialr1_lite.recipe import load_recipe


def table(plan: Plan) -> Iterator[str]:
    """Yield the plan in lines: memory by parts, the largest marked; time by parts; tokens."""
    needed, gpu, model, count = plan.memory, plan.gpu, plan.architecture, plan.recipe.processes
    cards = f"{count} x {gpu.name}; each:" if count > 1 else gpu.name
    yield f"{model.name} ({model.parameters:,} parameters) on {cards}"
    yield ""
    yield f"  {'memory':<22}{'GiB':>7}  when"
    for part in needed.parts:
        mark = "  <- the largest" if part is needed.largest else ""
        yield f"  {part.name:<22}{part.bytes / GIB:>7.2f}  {part.when:<9} {part.why}{mark}"
    verdict = "fits" if plan.fits else "DOES NOT FIT"
    peak = "peak" if needed.kept else f"peak, while {needed.moment}"
    yield f"  {peak:<22}{needed.peak / GIB:>7.2f}  of {gpu.usable / GIB:.2f} usable: {verdict}"
    yield ""
    yield from times(plan)
    yield ""
    trained = f"{run_tokens(plan.recipe):,} trained tokens in {plan.recipe.grpo.max_steps} steps"
    yield f"  {step_tokens(plan.recipe):,} sampled tokens a step at most; {trained}"
    for one in readings(plan.recipe, plan.architecture, gpu):
        read = f"{one.tokens:,} tokens a step at most, in {one.passes} passes of up to {one.at_once:,}"
        yield f"  the judge reader reads {read}, with {one.model.name}"


def times(plan: Plan) -> Iterator[str]:
    """Yield a step by parts, then the run; of a CPU nothing is known that could bound it."""
    if not plan.phases:
        yield "  time: nothing is predicted for a CPU"
        return
    yield f"  {'time of a step, in s':<22}{'expected':>9}{'bound':>9}"
    for phase in plan.phases:
        yield f"  {phase.name:<22}{phase.expected:>9.2f}{phase.seconds:>9.2f}  by {phase.bound}: {phase.why}"
    if asked := plan.checks:
        yield f"  {asked.name:<22}{asked.expected:>9.0f}{asked.seconds:>9.0f}  of the whole run: {asked.why}"
    hours, bound = plan.hours
    yield f"  expect about {hours:.1f} h of GRPO and held-out checks: a guess, not measured on a GPU yet"
    yield f"  (the bound of {bound:.1f} h cannot be beaten and is no time to plan with; rewards come on top)"


def survey(plans: Sequence[Plan]) -> Iterator[str]:
    """Yield one line a card."""
    hours = f"{'hours, expected':>16}{'(bound)':>9}"
    yield f"  {'gpu':<10}{'peak GiB':>9}{'usable':>8}  {'':<13}{'largest part':<14}{hours}"
    for name, plan in zip(GPUS, plans, strict=True):
        impossible = plan.recipe.model.dtype == "bfloat16" and not plan.gpu.bfloat16
        verdict = "no bfloat16" if impossible else "fits" if plan.fits else "does not fit"
        yield (
            f"  {name:<10}{plan.memory.peak / GIB:>9.2f}{plan.gpu.usable / GIB:>8.2f}  {verdict:<13}"
            f"{plan.memory.largest.name:<14}{plan.hours[0]:>16.1f}{f'({plan.hours[1]:.1f})':>9}"
        )


def fitting(plan: Plan) -> Iterator[str]:
    """Yield what --fit adds: the changes with their costs, and the line to type."""
    found = fit(plan.recipe, plan.architecture, plan.gpu)
    if not found.changes:
        yield "  it fits as it is" if found.fits else "  no change of settings helps; take a smaller model"
        return
    for change in found.changes:
        yield f"  {' '.join(change.overrides)}   ({change.cost})"
    after = make_plan(found.recipe, plan.gpu, plan.architecture)
    verdict = "fits" if found.fits else "still does not fit: take a smaller model"
    yield f"  peak then {after.memory.peak / GIB:.2f} GiB: {verdict}"
    yield "  " + " ".join(found.overrides)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the plan. The exit status is 1 when a card was named and the recipe does not fit it."""
    parser = argparse.ArgumentParser(prog="python -m socialr1_lite.plan", description="Will it fit, and how long.")
    parser.add_argument("recipe", help="a YAML file, such as recipes/colab_t4_qwen3_4b.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that come after the recipe's own")
    cards = f"one of {', '.join(GPUS)}, or cpu: this computer without one (default: a line for each)"
    parser.add_argument("--gpu", metavar="NAME", help=cards)
    parser.add_argument("--fit", action="store_true", help="propose the cheapest changes that fit, as overrides")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the model's config.json, for one not known here")
    parser.add_argument("--price", type=float, metavar="N", help="your price of one GPU hour, for the cost")
    args = parser.parse_intermixed_args(argv)
    recipe = load_recipe(args.recipe, args.overrides)
    made_of: Architecture | None = read_config(args.config) if args.config else None
    if args.gpu is None:
        if args.fit or args.price is not None:
            parser.error("--fit and --price need --gpu")
        print("\n".join(survey([make_plan(recipe, name, made_of) for name in GPUS])))
        return 0
    plan = make_plan(recipe, find_gpu(args.gpu), made_of)
    print("\n".join(table(plan)))
    if args.price is not None:
        hours, bound = (time * recipe.processes for time in plan.hours)
        cost = f"{hours * args.price:.2f} to expect for {hours:.1f} GPU hours at {args.price:g} each"
        print(f"  {cost} (the bound: {bound * args.price:.2f})")
    if args.fit:
        print("\nto make it fit:\n" + "\n".join(fitting(plan)))
    return 0 if plan.fits else 1


if __name__ == "__main__":
    command(main)
