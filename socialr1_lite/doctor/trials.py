"""Trials in processes of their own, so that a library that crashes on import is a finding."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from socialr1_lite.doctor import Finding, Gpu
from socialr1_lite.doctor.packages import ROOT

TRIAL_SECONDS = 180

TRIAL_BACKEND = """
import json, torch
from socialr1_lite.errors import PolicyError
from socialr1_lite.policy import choose_backend, refuse_unusable_driver
device = "cuda" if torch.cuda.is_available() else "cpu"
try:
    refuse_unusable_driver()
    print(json.dumps({"backend": choose_backend("auto"), "device": device, "torch_cuda": torch.version.cuda or ""}))
except PolicyError as error:
    print(json.dumps({"refused": str(error)}))
"""

TRIAL_4BIT = """
import json, torch, bitsandbytes
device = "cuda" if torch.cuda.is_available() else "cpu"
layer = bitsandbytes.nn.Linear4bit(64, 32, bias=False, compute_dtype=torch.float32, quant_type="nf4")
layer = layer.to(device)
inputs = torch.randn(4, 64, device=device, requires_grad=True)
layer(inputs).sum().backward()
assert layer.weight.dtype == torch.uint8, "the weight was not quantised"
assert inputs.grad is not None and inputs.grad.abs().sum() > 0, "no gradient came through the 4-bit layer"
print(json.dumps({"device": device}))
"""

Report = Mapping[str, str]  # what a trial's code printed, such as the backend and the device


def try_backend(gpus: Sequence[Gpu]) -> tuple[Report, Finding]:
    """Find out which backend `model.backend: auto` takes by taking it."""
    taken, problem = trial(TRIAL_BACKEND)
    if problem:
        return {}, Finding("backend", "fix", problem, "make setup")
    if "refused" in taken:  # as a training would refuse, and with the same remedy
        return {}, Finding("backend", "fix", taken["refused"])
    found = f"auto takes {taken['backend']} on {taken['device']}"
    found += f" (torch is built for CUDA {cuda})" if (cuda := taken.get("torch_cuda")) else ""
    if gpus and taken["device"] == "cpu":
        remedy = "pip install --force-reinstall torch    (a CUDA build; `nvidia-smi` shows the driver's CUDA)"
        return taken, Finding("backend", "fix", f"{found}, though the driver shows {gpus[0].name}", remedy)
    if taken["backend"] == "transformers" and importlib.util.find_spec("unsloth"):
        return taken, Finding("backend", "note", f"{found}: unsloth is installed but does not work here")
    return taken, Finding("backend", "ok", found)


def try_4bit(backend: str = "") -> Finding:
    """Make a real forward and backward pass through one NF4 layer. backend: the one that `auto` takes."""
    done, problem = trial(TRIAL_4BIT)
    if problem:
        found = f"does not work ({problem}); keep model.load_in_4bit: false"
        return Finding("4-bit", "note", found, "pip install 'bitsandbytes>=0.49,<0.51'")
    slower = " (slower than 16-bit there)" if done["device"] == "cpu" else ""
    found = f"forward and backward work on {done['device']}{slower}"
    if backend == "unsloth" and done["device"] != "cpu":
        found += "; of a known model Unsloth loads unsloth/NAME-unsloth-bnb-4bit and drops model.revision"
    return Finding("4-bit", "ok", found)


def trial(code: str, *, seconds: float = TRIAL_SECONDS) -> tuple[Report, str]:
    """Run `code` in a Python of its own. Returns the JSON of its last line, or {} and one line of what went wrong."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    try:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
        if done.returncode == 0:
            return dict(json.loads(done.stdout.strip().splitlines()[-1])), ""
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {seconds:g} seconds"
    except (IndexError, ValueError):
        return {}, "the trial gave no answer"
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return {}, last[:200] or f"the trial process ended with status {done.returncode}"
