"""The examination: every check of machine and packages, and the trials.

It runs on a bare Python too: the heavy libraries are tried in processes of their own.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from socialr1_lite.doctor import machine, packages, trials
from socialr1_lite.doctor.findings import Finding


def examine(*, quick: bool = False) -> tuple[list[Finding], trials.Report]:
    """Look at everything. Returns the findings and what the backend trial reported ({} when not tried)."""
    versions = packages.installed_versions()
    gpus = machine.nvidia_gpus()
    findings = [
        machine.check_python(sys.version_info[:2]),
        machine.check_processor(machine.cpu_flags()),
        machine.check_memory(machine.memory_gb()),
        machine.check_disk(shutil.disk_usage(Path.cwd()).free / 2**30),
        *machine.check_gpus(gpus),
        *packages.check_compiled_cache(Path("unsloth_compiled_cache")),
        packages.check_embedded_model(),
    ]
    if "packaging" in versions:
        findings += packages.check_packages(versions)
        findings += packages.check_combinations(versions, sys.platform, os.environ)
        findings += packages.check_torch_partners(versions)
    else:
        findings.append(Finding("packages", "fix", "not installed", "make setup"))
    backend: trials.Report = {}
    if not quick and "torch" in versions:
        backend, finding = trials.try_backend(gpus)
        findings += [finding, trials.try_4bit()]
    return findings, backend
