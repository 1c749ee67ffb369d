"""What a trial's run folder says, row by row: pass, fail or skipped, and the figures."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from socialr1_lite.gpu_check.trial import TrialResult
from socialr1_lite.gpu_check.trials import Trial
from socialr1_lite.plan.hardware import GIB, Device
from socialr1_lite.plan.memory import memory
from socialr1_lite.plan.timing import phases
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import RunFolder, read_metrics, read_traces

Verdict = Literal["pass", "fail", "skipped"]

CLOSE = 0.2  # a peak within this share of the prediction confirms it


@dataclass(frozen=True, slots=True)
class TrialFinding:
    """One line of the table, and of the file that is sent back, which the figures are for."""

    trial: str
    what: str
    verdict: Verdict
    told: str
    figures: dict[str, float]


def verdicts(
    trial: Trial, recipe: Recipe, run: RunFolder, result: TrialResult, device: Device
) -> Iterator[TrialFinding]:
    """Yield all findings of a trial that ran to its end. recipe: with the longest prompt that was really asked."""
    yield TrialFinding(trial.name, "trained", *trained(recipe, run))
    yield TrialFinding(trial.name, "memory", *memory_as_planned(recipe, trial, result, device))
    yield TrialFinding(trial.name, "step time", *time_as_planned(recipe, trial, run, device))
    yield TrialFinding(trial.name, "effective settings", *settings_as_written(run))
    yield TrialFinding(trial.name, "traces", *traces_agree(recipe, run))


Judgement = tuple[Verdict, str, dict[str, float]]


def trained(recipe: Recipe, run: RunFolder) -> Judgement:
    """Check that all steps were made, and that the saved adapter is no longer the one that changes nothing."""
    rows = read_metrics(run)
    learning = sum(row.get("grad_norm", 0) > 0 for row in rows)
    moved = run.completed and adapter_moved(run.adapter / "adapter_model.safetensors")
    words = f"{len(rows)} of {recipe.grpo.max_steps} steps, {learning} of GRPO with a gradient; the adapter "
    words, good = words + ("moved" if moved else "did not move"), moved and len(rows) == recipe.grpo.max_steps
    return "pass" if good else "fail", words, {"steps": len(rows), "learning": learning}


def adapter_moved(weights: Path) -> bool:
    """Return whether any B matrix of the adapter is other than zero, as it is at first."""
    from safetensors.torch import load_file

    return weights.is_file() and any(bool(one.any()) for name, one in load_file(weights).items() if ".lora_B." in name)


def memory_as_planned(recipe: Recipe, trial: Trial, result: TrialResult, device: Device) -> Judgement:
    """Compare the measured peak with the predicted one."""
    predicted, measured = memory(recipe, trial.architecture, device).peak, result["peak_bytes"]
    ratio, figures = predicted / measured, {"measured_bytes": measured, "predicted_bytes": predicted}
    words = f"{measured / GIB:.2f} GiB measured, {predicted / GIB:.2f} predicted (ratio {ratio:.2f})"
    return "pass" if abs(ratio - 1) <= CLOSE else "fail", words, figures


def time_as_planned(recipe: Recipe, trial: Trial, run: RunFolder, device: Device) -> Judgement:
    """Compare the measured step with the bound that cannot be beaten; a launch's first step warms up, uncounted."""
    measured = step_seconds([row["elapsed_s"] for row in read_metrics(run)])
    figures = {"measured_s": measured}
    if device.cpu:
        return "skipped", f"{measured:.1f} s a step; nothing is predicted for a CPU", figures
    bound = sum(phase.seconds for phase in phases(recipe, trial.architecture, device))
    words = f"{measured:.1f} s a step, at least {bound:.2f} predicted ({measured / bound:.1f} times that)"
    return "pass" if measured >= bound else "fail", words, figures | {"bound_s": bound}


def step_seconds(elapsed: Sequence[float]) -> float:
    """Return the median step, from the seconds since the launch after each step; a resume starts them again."""
    steps = [later - sooner for sooner, later in itertools.pairwise(elapsed) if later > sooner]
    return statistics.median(steps) if steps else 0.0


def settings_as_written(run: RunFolder) -> Judgement:
    """Check that TRL and Unsloth made of the recipe what it says, as effective.yaml has it."""
    differences = yaml.safe_load(run.effective.read_text(encoding="utf-8"))["differences"]
    words = "; ".join(f"{name}: {one['effective']!r} instead of {one['recipe']!r}" for name, one in differences.items())
    return "fail" if differences else "pass", words or "as the recipe says", {}


def traces_agree(recipe: Recipe, run: RunFolder) -> Judgement:
    """Check that every completion is there once, and that `score` computes the totals that were logged."""
    seen = Counter((trace.group, trace.index) for trace in read_traces(run) if trace.phase == "train")
    expected = recipe.grpo.max_steps * recipe.completions_per_step
    command = [sys.executable, "-m", "socialr1_lite.score", str(run.path), "-o", str(run.path / "scored.jsonl")]
    scored = subprocess.run(command, capture_output=True, text=True, check=False)
    once, equal = len(seen) == expected == seen.total(), scored.returncode == 0
    again = "equal" if equal else (scored.stderr.strip().splitlines() or ["differs"])[-1]
    words = f"{seen.total()} of {expected} completions; scored again: {again}"
    return "pass" if once and equal else "fail", words, {"completions": seen.total()}


def scratch(folder: Path, name: str) -> Path:
    """Make the folder of the trial of that name."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    (folder / plain).mkdir(parents=True, exist_ok=True)
    return folder / plain
