"""What this machine can do, what is missing, and the line to type for it.

    python -m socialr1_lite.doctor [--json] [--quick]
    python -m socialr1_lite.doctor --gpu-check [--out gpu-check.json]     a few real steps, see socialr1_lite.gpu_check

Exit status 0 when training can work here, 2 when something must be fixed first. `--quick` leaves out the trials. All
of it runs on a bare Python too: the heavy libraries are tried in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from socialr1_lite import __version__
from socialr1_lite.doctor import Finding, machine, packages, trials
from socialr1_lite.errors import command


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
        findings.append(packages.check_optional(versions))
    else:
        findings.append(Finding("packages", "fix", "not installed", "make setup"))
    backend: trials.Report = {}
    if not quick and "torch" in versions:
        backend, finding = trials.try_backend(gpus)
        findings += [finding, trials.try_4bit(backend.get("backend", ""))]
    return findings, backend


def report(findings: Sequence[Finding], backend: Mapping[str, str]) -> str:
    """Return the findings as lines, worst news and remedies in plain sight."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"socialr1_lite {__version__}", ""]
    for finding in findings:
        lines.append(f"  {finding.state:<5} {finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"  {'':<5} {'':<{width}}  type: {finding.remedy}")
    broken = [finding.name for finding in findings if finding.state == "fix"]
    if broken:
        verdict = f"Training cannot work yet; to fix: {', '.join(broken)}."
        if len(broken) > 1 and "python" not in broken:
            verdict += "\nMost of it at once, from the project's folder: make setup"
    elif backend:
        verdict = f"Training works here, with the {backend['backend']} backend on {backend['device']}."
    else:
        verdict = "Nothing stands in the way of training (nothing was tried: --quick)."
    return "\n".join([*lines, "", verdict])


def main() -> int:
    """Examine, report, and say by the exit status whether training can work."""
    description = "What this machine can do, what is missing, and the line to type for it."
    parser = argparse.ArgumentParser("python -m socialr1_lite.doctor", description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="do not try the backend and 4-bit (under a second)")
    check = "train a few steps and compare with the plan (under ten minutes)"
    parser.add_argument("--gpu-check", action="store_true", help=check)
    args, others = parser.parse_known_args()
    if args.gpu_check:
        from socialr1_lite.gpu_check.__main__ import main as gpu_check

        return gpu_check(others)
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    findings, backend = examine(quick=args.quick)
    ready = all(finding.state != "fix" for finding in findings)
    if args.json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({"version": __version__, "ready": ready, "trial": backend, "findings": rows}, indent=2))
    else:
        print(report(findings, backend))
    return 0 if ready else 2


if __name__ == "__main__":
    command(main)
