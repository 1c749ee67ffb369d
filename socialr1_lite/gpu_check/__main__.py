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
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite import __version__
from socialr1_lite.data import training_scenarios
from socialr1_lite.errors import PolicyError, command
from socialr1_lite.export.verl import model_source
from socialr1_lite.gpu_check.trial import TrialResult
from socialr1_lite.gpu_check.trials import Trial, trials
from socialr1_lite.gpu_check.verdicts import TrialFinding, Verdict, scratch, verdicts
from socialr1_lite.plan.hardware import Device, this_cpu, this_gpu
from socialr1_lite.policy import describe_machine
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe
from socialr1_lite.rollouts.prompting import messages
from socialr1_lite.runlog import RunFolder, newest_complete, read_traces, write_json
from socialr1_lite.runlog.lines import JsonObject

LAUNCH_TIMEOUT_S = 900
POLL_S = 0.2  # between two looks for the first checkpoint


def check(folder: Path, *, model: str = EMBEDDED_MODEL) -> tuple[list[TrialFinding], dict[str, JsonObject]]:
    """Return all findings, and by trial what its environment.json says. model: what the first trial trains."""
    import torch

    device = this_gpu() if torch.cuda.is_available() else this_cpu()
    rows: list[TrialFinding] = []
    environments: dict[str, JsonObject] = {}
    for trial in trials(device, folder, model=model):
        started = time.monotonic()
        say(f"{trial.name} ...")
        found = carry_out(trial, folder, device)
        written = RunFolder(scratch(folder, trial.name) / "run").environment
        if written.is_file():  # of a trial that broke too, once its model was loaded
            environments[trial.name] = json.loads(written.read_text(encoding="utf-8"))
        rows += found
        for row in found:
            say(line(row, width=0))
        say(f"  {time.monotonic() - started:.0f} s")
    return rows, environments


def carry_out(trial: Trial, folder: Path, device: Device) -> list[TrialFinding]:
    """Return the findings of one trial; one that breaks is a finding, not an end."""
    if trial.skipped:
        return [TrialFinding(trial.name, "trained", "skipped", trial.skipped, {})]
    place, found = scratch(folder, trial.name), []
    try:
        if trial.model is not None and not (Path(trial.recipe.model.name) / "config.json").is_file():
            in_a_process("random_model", trial.model.name.lower(), trial.recipe.model.name)
        recipe = with_real_prompts(trial.recipe)
        (place / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        if trial.interrupted:
            found.append(interrupt(trial, place))
        result = train(place)
    except (PolicyError, OSError, ValueError, subprocess.SubprocessError) as error:
        return [*found, TrialFinding(trial.name, "trained", "fail", str(error).partition("\n")[0], {})]
    run = RunFolder.open(place / "run")
    found += verdicts(trial, recipe, run, result, device)
    return [*found, resumed(trial, run)] if trial.interrupted else found


def with_real_prompts(recipe: Recipe) -> Recipe:
    """Return the recipe limited to the longest prompt that is really asked, so that `plan` counts what happens."""
    from transformers import AutoTokenizer

    tokenizer, most = AutoTokenizer.from_pretrained(model_source(recipe)), recipe.data.max_prompt_tokens
    lengths = (
        len(tokenizer.apply_chat_template(messages(one, recipe), add_generation_prompt=True, return_dict=False))
        for one in training_scenarios(recipe)
    )
    limit = max((length for length in lengths if length <= most), default=most)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_prompt_tokens": limit})})


def interrupt(trial: Trial, place: Path) -> TrialFinding:
    """Start the training, kill it when its first checkpoint is whole, and say at which step that was."""
    run, deadline = RunFolder.create(place / "run"), time.monotonic() + LAUNCH_TIMEOUT_S
    with (place / "killed.log").open("w") as log:
        process = subprocess.Popen(launch(place), stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None and time.monotonic() < deadline:
                if newest_complete(run, set_aside=False).step:
                    break
                time.sleep(POLL_S)
        finally:
            process.kill()
            process.wait()
    step = newest_complete(run, set_aside=False).step
    if not step:
        raise PolicyError(f"no checkpoint was written: {last_line(place / 'killed.log')}")
    if run.completed:
        return TrialFinding(trial.name, "killed", "skipped", "it was over before it could be killed", {})
    return TrialFinding(trial.name, "killed", "pass", f"by SIGKILL after the checkpoint of step {step}", {"step": step})


def resumed(trial: Trial, run: RunFolder) -> TrialFinding:
    """Check that the second launch went on from a checkpoint instead of starting again."""
    starts = [launch.start_step for launch in run.launches()]
    done = {trace.launch for trace in read_traces(run) if trace.phase == "train"}
    verdict: Verdict = "pass" if len(starts) == 2 and starts[1] > 0 and run.completed and len(done) == 2 else "fail"
    return TrialFinding(trial.name, "resumed", verdict, f"launches began at steps {', '.join(map(str, starts))}", {})


def launch(place: Path) -> list[str]:
    """Return the command of one training."""
    files = [place / "recipe.yaml", place / "run", place / "result.json"]
    return [sys.executable, "-m", "socialr1_lite.gpu_check.trial", *map(str, files)]


def train(place: Path) -> TrialResult:
    """Train to the end and return what the process needed. Raises PolicyError with its last words when it fails."""
    with (place / "train.log").open("w") as log:
        done = subprocess.run(launch(place), stdout=log, stderr=subprocess.STDOUT, timeout=LAUNCH_TIMEOUT_S)
    if done.returncode:
        raise PolicyError(f"status {done.returncode}: {last_line(place / 'train.log')}")
    result: TrialResult = json.loads((place / "result.json").read_text())
    return result


def in_a_process(module: str, *arguments: str) -> None:
    """Run a module of this package by itself, so that what it takes is given back."""
    command = [sys.executable, "-m", f"socialr1_lite.gpu_check.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LAUNCH_TIMEOUT_S)
    if done.returncode:
        raise PolicyError(f"{module}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")


def last_line(log: Path) -> str:
    """Return what a process said last."""
    return (log.read_text(errors="replace").strip().splitlines() or ["no word"])[-1][:300]


def line(row: TrialFinding, width: int = 26) -> str:
    """Return a row of the table."""
    return f"  {row.verdict:<8}{row.trial if width else '':<{width}}{row.what:<20}{row.words}"


def table(rows: Sequence[TrialFinding]) -> str:
    """Return all rows, and the sum."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("pass", "fail", "skipped")}
    width = max(len(row.trial) for row in rows) + 2
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return "\n".join([*(line(row, width) for row in rows), "", f"  {total}"])


def say(text: str) -> None:
    """Print a line of progress."""
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
        rows, environments = check(folder, model=args.model)
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - started
    output = {"version": __version__, "machine": describe_machine(), "seconds": seconds}
    write_json(args.out, output | {"rows": [row.to_row() for row in rows], "environments": environments})
    print(table(rows) + f"; {seconds:.0f} s; {args.out}")
    return int(any(row.verdict == "fail" for row in rows))


if __name__ == "__main__":
    command(main)
