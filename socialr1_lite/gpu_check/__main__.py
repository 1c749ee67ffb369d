"""What is checked says the package's docstring, what a node without a network needs bundle.py.

    python -m socialr1_lite.gpu_check [--out gpu-check.json] [--folder D] [--only PART,PART] [--minutes 30]
    python -m socialr1_lite.gpu_check --bundle DIR [--python 3.12] [--max-mib 54] [--cuda 13] [--has FILE]

Exit status 0 when nothing failed, 1 when something did.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Container, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from socialr1_lite import __version__
from socialr1_lite.data import training_scenarios
from socialr1_lite.errors import PolicyError, command
from socialr1_lite.export.verl import model_source, tokenizer_of
from socialr1_lite.gpu_check.bundle import make_bundle
from socialr1_lite.gpu_check.trial import TrialResult
from socialr1_lite.gpu_check.trials import PARTS, Trial, trials
from socialr1_lite.gpu_check.verdicts import TrialFinding, Verdict, scratch, verdicts
from socialr1_lite.plan.hardware import Device, this_cpu, this_gpu
from socialr1_lite.policy import describe_machine
from socialr1_lite.policy.rendering import prompt_lengths
from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe
from socialr1_lite.rollouts.prompting import messages, template_settings
from socialr1_lite.runlog import RunFolder, newest_complete, read_traces, write_json
from socialr1_lite.runlog.lines import JsonObject

POLL_S = 0.2  # between two looks for the first checkpoint


def check(
    folder: Path, *, model: str = EMBEDDED_MODEL, only: Container[str] = PARTS, minutes: float = 30
) -> tuple[list[TrialFinding], dict[str, JsonObject]]:
    """Return all findings, and by trial what its environment.json says.

    model: what the first trial trains. minutes: what runs then is ended, and what comes after it is skipped.
    """
    import torch

    until = time.monotonic() + 60 * minutes
    rows: list[TrialFinding] = [imported(until)] if "imports" in only else []
    environments: dict[str, JsonObject] = {}
    say = partial(print, file=sys.stderr, flush=True)
    device = this_gpu() if torch.cuda.is_available() else this_cpu()
    for trial in trials(device, folder, model=model):
        if trial.name.partition(",")[0] not in only:
            continue
        started = time.monotonic()
        say(f"{trial.name} ...")
        found = carry_out(trial, folder, device, until)
        written = RunFolder(scratch(folder, trial.name) / "run").environment
        if written.is_file():  # of a trial that broke too, once its model was loaded
            environments[trial.name] = json.loads(written.read_text(encoding="utf-8"))
        rows += found
        say(*(line(row, width=0) for row in found), f"  {time.monotonic() - started:.0f} s", sep="\n")
    return rows, environments


def imported(until: float) -> TrialFinding:
    """Return whether everything imports that the trainings import, with versions."""
    try:
        return TrialFinding("imports", "imported", "pass", in_a_process("imports", until=until).strip(), {})
    except (PolicyError, subprocess.SubprocessError) as error:
        return TrialFinding("imports", "imported", "fail", str(error).partition("\n")[0], {})


def carry_out(trial: Trial, folder: Path, device: Device, until: float) -> list[TrialFinding]:
    """Return the findings of one trial; one that breaks, or is not over by then, is a finding, not an end."""
    if trial.skipped or time.monotonic() > until:
        words = trial.skipped or "no time was left: --minutes more, or --only this part"
        return [TrialFinding(trial.name, "trained", "skipped", words, {})]
    place, found = scratch(folder, trial.name), []
    try:
        if trial.model is not None and not (Path(trial.recipe.model.name) / "config.json").is_file():
            in_a_process("random_model", trial.model.name.lower(), trial.recipe.model.name, until=until)
        recipe = with_real_prompts(trial.recipe)
        (place / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        if trial.interrupted:
            found.append(interrupt(trial, place, until))
        result = train(place, until)
    except (PolicyError, OSError, ValueError, subprocess.SubprocessError) as error:
        return [*found, TrialFinding(trial.name, "trained", "fail", str(error).partition("\n")[0], {})]
    run = RunFolder.open(place / "run")
    found += verdicts(trial, recipe, run, result, device)
    return [*found, resumed(trial, run)] if trial.interrupted else found


def with_real_prompts(recipe: Recipe) -> Recipe:
    """Return the recipe limited to the longest prompt that is really asked, so that `plan` counts what happens."""
    tokenizer, most = tokenizer_of(recipe, model_source(recipe)), recipe.data.max_prompt_tokens
    prompts = (messages(one, recipe) for one in training_scenarios(recipe))
    lengths = prompt_lengths(tokenizer, prompts, template_settings(recipe))
    limit = max((length for length in lengths if length <= most), default=most)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_prompt_tokens": limit})})


def interrupt(trial: Trial, place: Path, until: float) -> TrialFinding:
    """Start the training, kill it when its first checkpoint is whole, and say at which step that was."""
    run = RunFolder.create(place / "run")
    with (place / "killed.log").open("w") as log:
        process = subprocess.Popen(launch(place), stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None and time.monotonic() < until:
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
    files = (str(place / name) for name in ("recipe.yaml", "run", "result.json"))
    return [sys.executable, "-m", "socialr1_lite.gpu_check.trial", *files]


def train(place: Path, until: float) -> TrialResult:
    """Train to the end and return what the process needed. Raises PolicyError with its last words when it fails."""
    seconds = max(until - time.monotonic(), 1)
    with (place / "train.log").open("w") as log:
        done = subprocess.run(launch(place), stdout=log, stderr=subprocess.STDOUT, timeout=seconds)
    if done.returncode:
        raise PolicyError(f"status {done.returncode}: {last_line(place / 'train.log')}")
    result: TrialResult = json.loads((place / "result.json").read_text())
    return result


def in_a_process(module: str, *arguments: str, until: float) -> str:
    """Run a module of this package by itself, so that what it takes is given back; return what it prints."""
    command = [sys.executable, "-m", f"socialr1_lite.gpu_check.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=max(until - time.monotonic(), 1))
    if done.returncode:
        raise PolicyError(f"{module}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return done.stdout


def last_line(log: Path) -> str:
    """Return what a process said last."""
    return (log.read_text(errors="replace").strip().splitlines() or ["no word"])[-1][:300]


def line(row: TrialFinding, width: int = 26) -> str:
    """Return a row of the table."""
    return f"  {row.verdict:<8}{row.trial if width else '':<{width}}{row.what:<20}{row.told}"


def table(rows: Sequence[TrialFinding]) -> str:
    """Return all rows, and the sum."""
    width, found = max(len(row.trial) for row in rows) + 2, [row.verdict for row in rows]
    total = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in ("pass", "fail", "skipped"))
    return "\n".join([*(line(row, width) for row in rows), "", f"  {total}"])


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out all trials, print the table, write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.doctor --gpu-check", description="Does training work here, and as predicted."
    )
    parser.add_argument("--out", type=Path, default=Path("gpu-check.json"), help="the file to send back")
    parser.add_argument("--folder", type=Path, help="keep the runs here (default: a temporary folder)")
    parser.add_argument("--model", default=EMBEDDED_MODEL, help="what the first trial trains (default: %(default)s)")
    parser.add_argument("--only", default=",".join(PARTS), help="these parts, with commas (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="what is not done then is skipped (default: 30)")
    bundle = parser.add_argument_group("for a node without a network, beside its own torch")
    bundle.add_argument("--bundle", type=Path, metavar="DIR", help="only write what it needs into this new folder")
    bundle.add_argument("--python", choices=("3.11", "3.12", "3.13"), default="3.12", help="(default: %(default)s)")
    bundle.add_argument("--max-mib", type=float, default=54, help="refuse a larger bundle (default: %(default)s)")
    bundle.add_argument("--cuda", default="13", help="its CUDA, as 12.8, or 13 for any 13 (default: %(default)s)")
    bundle.add_argument("--has", type=Path, metavar="FILE", help="what the node has: its pip list --format freeze")
    args = parser.parse_args(argv)
    if args.bundle:
        print(make_bundle(args.bundle, python=args.python, max_mib=args.max_mib, cuda=args.cuda, has=args.has))
        return 0
    if unknown := set(args.only.split(",")) - set(PARTS):
        parser.error(f"--only: no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpu-check-", ignore_cleanup_errors=True) as temporary:
        folder = args.folder or Path(temporary)
        rows, environments = check(folder, model=args.model, only=args.only.split(","), minutes=args.minutes)
    seconds = time.monotonic() - started
    output = {"version": __version__, "machine": describe_machine(), "seconds": seconds}
    write_json(args.out, output | {"rows": [asdict(row) for row in rows], "environments": environments})
    print(table(rows) + f"; {seconds:.0f} s; {args.out}")
    return int(any(row.verdict == "fail" for row in rows))


if __name__ == "__main__":
    command(main)
