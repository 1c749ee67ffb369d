"""python -m socialr1_lite.gpu_check [--out gpu-check.json] [--folder D]: see the package's docstring.

Exit status 0 when nothing failed, 1 when something did.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from socialr1_lite import __version__
from socialr1_lite.errors import PolicyError, command
from socialr1_lite.gpu_check.trials import Trial, trials
from socialr1_lite.gpu_check.verdicts import Row, scratch, verdicts
from socialr1_lite.plan.hardware import Device, this_cpu, this_gpu
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe
from socialr1_lite.runlog import RunFolder, newest_complete, read_traces, write_json

PATIENCE_S = 900  # for one launch
LOOK_S = 0.2  # between two looks for the first checkpoint


def check(folder: Path, *, model: str = EMBEDDED_MODEL) -> tuple[list[Row], dict[str, Any]]:
    """All rows, and the machine as the first trial described it. model: what the first trial trains."""
    device = here()
    rows: list[Row] = []
    machine: dict[str, Any] = {}
    for trial in trials(device, folder, model=model):
        started = time.monotonic()
        say(f"{trial.name} ...")
        found = list(carry_out(trial, folder, device, machine))
        rows += found
        for row in found:
            say(line(row, width=0))
        say(f"  {time.monotonic() - started:.0f} s")
    return rows, machine


def here() -> Device:
    """The device that training would take here."""
    import torch

    return this_gpu() if torch.cuda.is_available() else this_cpu()


def carry_out(trial: Trial, folder: Path, device: Device, machine: dict[str, Any]) -> Iterator[Row]:
    """The rows of one trial; one that breaks is a row, not an end. machine: filled in by the first that succeeds."""
    if trial.skipped:
        yield Row(trial.name, "trained", "skipped", trial.skipped, {})
        return
    place = scratch(folder, trial.name)
    try:
        if trial.model is not None and not (Path(trial.recipe.model.name) / "config.json").is_file():
            in_a_process("random_model", trial.model.name.lower(), trial.recipe.model.name)
        recipe = with_real_prompts(trial.recipe)
        (place / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        if trial.interrupted:
            yield interrupt(trial, place)
        told = train(place)
    except (PolicyError, OSError, ValueError, subprocess.SubprocessError) as wrong:
        yield Row(trial.name, "trained", "fail", str(wrong).partition("\n")[0], {})
        return
    machine |= told["machine"]
    yield from verdicts(trial, recipe, RunFolder.open(place / "run"), told, device)
    if trial.interrupted:
        yield resumed(trial, RunFolder.open(place / "run"))


def with_real_prompts(recipe: Recipe) -> Recipe:
    """The recipe with the longest prompt that is really asked as its limit, so that `plan` counts what happens."""
    from transformers import AutoTokenizer

    from socialr1_lite.data import training_scenarios
    from socialr1_lite.policy.embedded import embedded_model
    from socialr1_lite.rollouts.prompting import messages

    name = str(embedded_model()) if recipe.model.name == EMBEDDED_MODEL else recipe.model.name
    tokenizer = AutoTokenizer.from_pretrained(name)
    lengths = [
        len(tokenizer.apply_chat_template(messages(one, recipe), add_generation_prompt=True, return_dict=False))
        for one in training_scenarios(recipe)
    ]
    fitting = [length for length in lengths if length <= recipe.data.max_prompt_tokens]
    limit = max(fitting, default=recipe.data.max_prompt_tokens)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_prompt_tokens": limit})})


def interrupt(trial: Trial, place: Path) -> Row:
    """Start the training, kill it when its first checkpoint is whole, and say at which step that was."""
    run, deadline = RunFolder.create(place / "run"), time.monotonic() + PATIENCE_S
    with (place / "killed.log").open("w") as log:
        process = subprocess.Popen(launch(place), stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None and time.monotonic() < deadline:
                if newest_complete(run, set_aside=False).step:
                    break
                time.sleep(LOOK_S)
        finally:
            process.kill()
            process.wait()
    step = newest_complete(run, set_aside=False).step
    if not step:
        raise PolicyError(f"no checkpoint was written: {last_line(place / 'killed.log')}")
    if run.completed:
        return Row(trial.name, "killed", "skipped", "it was over before it could be killed", {})
    return Row(trial.name, "killed", "pass", f"by SIGKILL after the checkpoint of step {step}", {"step": step})


def resumed(trial: Trial, run: RunFolder) -> Row:
    """Whether the second launch went on from a checkpoint instead of starting again."""
    starts = [segment.start_step for segment in run.segments()]
    done = {row["segment"] for row in read_traces(run) if row["phase"] == "train"}
    verdict = "pass" if len(starts) == 2 and starts[1] > 0 and run.completed and len(done) == 2 else "fail"
    return Row(trial.name, "resumed", verdict, f"launches began at steps {', '.join(map(str, starts))}", {})  # type: ignore[arg-type]


def launch(place: Path) -> list[str]:
    """The command of one training."""
    files = [place / "recipe.yaml", place / "run", place / "result.json"]
    return [sys.executable, "-m", "socialr1_lite.gpu_check.trial", *map(str, files)]


def train(place: Path) -> dict[str, Any]:
    """Train to the end; what the process told of itself. Raises PolicyError with its last words when it fails."""
    with (place / "train.log").open("w") as log:
        done = subprocess.run(launch(place), stdout=log, stderr=subprocess.STDOUT, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise PolicyError(f"status {done.returncode}: {last_line(place / 'train.log')}")
    return dict(json.loads((place / "result.json").read_text()))


def in_a_process(module: str, *arguments: str) -> None:
    """Run a module of this package by itself, so that what it takes is given back."""
    command = [sys.executable, "-m", f"socialr1_lite.gpu_check.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise PolicyError(f"{module}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")


def last_line(log: Path) -> str:
    """What a process said last."""
    return (log.read_text(errors="replace").strip().splitlines() or ["no word"])[-1][:300]


def line(row: Row, width: int = 26) -> str:
    """A row of the table."""
    return f"  {row.verdict:<8}{row.trial if width else '':<{width}}{row.what:<20}{row.told}"


def table(rows: Sequence[Row]) -> str:
    """All rows, and the sum."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("pass", "fail", "skipped")}
    width = max(len(row.trial) for row in rows) + 2
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return "\n".join([*(line(row, width) for row in rows), "", f"  {told}"])


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out all trials, print the table, write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.doctor --gpu-check", description="Does training work here, and as predicted."
    )
    parser.add_argument("--out", type=Path, default=Path("gpu-check.json"), help="the file to send back")
    parser.add_argument("--folder", type=Path, help="keep the runs here (default: a temporary folder)")
    parser.add_argument("--model", default=EMBEDDED_MODEL, help="what the first trial trains (default: %(default)s)")
    args = parser.parse_args(argv)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    started = time.monotonic()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="gpu-check-"))
    try:
        rows, machine = check(folder, model=args.model)
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - started
    told = {"version": __version__, "machine": machine, "seconds": seconds, "rows": [asdict(row) for row in rows]}
    write_json(args.out, told)
    print(table(rows) + f"; {seconds:.0f} s; {args.out}")
    return int(any(row.verdict == "fail" for row in rows))


if __name__ == "__main__":
    command(main)
