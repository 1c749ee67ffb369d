"""The requirement files agree with each other, the locks with them, and CI's budgets with CI's time; nothing is fetched.

That each lock resolves, with nothing missing, is tried by `.ci/locks` in a dry run.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parent.parent
LOCKS = sorted(REPOSITORY.glob("requirements-lock-*.txt"))
BY_LOCK = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem.removeprefix("requirements-lock-"))
NODEPS = "requirements-nodeps.txt"
PLATFORM = {"python_version": "3.12", "sys_platform": "linux", "platform_machine": "x86_64", "extra": ""}

# What Unsloth and the embedded model's package ask for and this project does without: see requirements-nodeps.txt.
DONE_WITHOUT = {
    "unsloth": {"torchvision", "xformers", "triton", "diffusers", "unsloth-zoo", "certifi", "wheel", "json5"},
    "unsloth_zoo": {"torchao", "triton", "certifi", "wheel"},
}


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def requirements(path: Path) -> list[Requirement]:
    """Those of a file, and of the files that it names."""
    found = []
    for line in lines(path):
        if line.startswith("-r "):
            found += requirements(path.parent / line.removeprefix("-r ").strip())
        else:
            found.append(Requirement(line))
    return found


@cache
def pins(path: Path) -> dict[str, Version]:
    split = [line.split("==") for line in lines(path)]
    return {canonicalize_name(name): Version(version) for name, version in split}


def asked(lock: Path) -> Path:
    return REPOSITORY / ("requirements-vllm.txt" if "vllm" in lock.stem else "requirements.txt")


def test_there_is_a_lock_for_each_platform() -> None:
    assert [path.name for path in LOCKS] == [
        f"requirements-lock-{platform}.txt" for platform in ("colab", "cpu", "cuda-vllm")
    ]


@BY_LOCK
def test_a_lock_has_a_version_for_every_requirement(lock: Path) -> None:
    for requirement in requirements(asked(lock)):
        locked = pins(lock)[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(locked), f"{requirement} and {locked}: .ci/locks --write"


@BY_LOCK
def test_a_lock_names_packages_alone_and_no_host(lock: Path) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines(lock))
    assert not re.search(r"://|\w\.(org|com|io|dev)\b", lock.read_text())


@BY_LOCK
def test_a_lock_says_how_it_is_used_and_how_it_was_made(lock: Path) -> None:
    head = "\n".join(line for line in lock.read_text().splitlines() if line.startswith("#"))
    assert f"pip install -r {lock.name} && pip install --no-deps -r {NODEPS}" in head
    assert f"uv pip compile {asked(lock).name} " in head and f"--output-file {lock.name}" in head
    assert "--python-version 3.12" in head and "--no-emit-index-url --no-emit-find-links" in head


@BY_LOCK
@pytest.mark.parametrize("package", sorted(DONE_WITHOUT))
def test_what_is_installed_without_dependencies_finds_those_it_needs_in_a_lock(lock: Path, package: str) -> None:
    for text in requires(package) or []:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name in DONE_WITHOUT[package] or (requirement.marker and not requirement.marker.evaluate(PLATFORM)):
            continue
        assert name in pins(lock), f"{package} asks for {requirement}"
        assert requirement.specifier.contains(pins(lock)[name]), f"{package} asks for {requirement}"


def test_the_vllm_of_the_file_is_one_that_trl_speaks_to() -> None:
    from trl.import_utils import is_vllm_available

    [least, most] = re.findall(r'Version\("([\d.]+)"\)', inspect.getsource(is_vllm_available))[:2]
    [vllm] = [one for one in requirements(REPOSITORY / "requirements-vllm.txt") if one.name == "vllm"]
    [version] = [Version(one.version) for one in vllm.specifier]
    assert Version(least) <= version <= Version(most)
    assert pins(REPOSITORY / "requirements-lock-cuda-vllm.txt")["vllm"] == version


def test_cuda_is_in_the_lock_that_is_for_it_alone() -> None:
    for lock in LOCKS:
        cuda = [name for name in pins(lock) if name.startswith(("nvidia-", "cuda-")) or name == "triton"]
        assert bool(cuda) == ("cuda" in lock.stem), cuda


def test_no_lock_has_a_torchao_that_peft_refuses() -> None:
    from peft.import_utils import is_torchao_available

    [least] = re.findall(r'TORCHAO_MINIMUM_VERSION = .*?"([\d.]+)"', inspect.getsource(is_torchao_available))
    for lock in LOCKS:
        assert pins(lock).get("torchao", Version(least)) >= Version(least)


def test_every_section_of_ci_has_a_budget_and_all_stay_under_fifty_minutes() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text()
    budgets = {name: int(seconds) for name, seconds in re.findall(r'^section "(.+?)" (\d+)', script, re.MULTILINE)}
    assert len(budgets) == len(re.findall(r"^section ", script, re.MULTILINE))
    assert {"browser", "make test", "make lint", "smoke runs", "locks", "longer tests", "verl", "GGUF"} <= set(budgets)
    assert sum(budgets.values()) < 50 * 60
    for called in re.findall(r"(?<=\|\| )\.ci/\w+", script):
        assert (REPOSITORY / called).stat().st_mode & 0o111, f"{called} cannot be run"
