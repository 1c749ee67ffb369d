"""What this machine can do, what is missing, and the line to type for it.

    python -m socialr1_lite.doctor [--json] [--quick]
    python -m socialr1_lite.doctor --gpu-check [--out gpu-check.json]     a few real steps, see socialr1_lite.gpu_check

Exit status 0 when training can work here, 2 when something must be fixed first. `--quick` leaves out the trials.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from socialr1_lite import __version__
from socialr1_lite.doctor.examination import examine
from socialr1_lite.doctor.report import report
from socialr1_lite.errors import command

DESCRIPTION = "What this machine can do, what is missing, and the line to type for it."


def main() -> int:
    """Examine, report, and say by the exit status whether training can work."""
    parser = argparse.ArgumentParser("python -m socialr1_lite.doctor", description=DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--quick", action="store_true", help="do not try the backend and 4-bit (under a second)")
    parser.add_argument(
        "--gpu-check", action="store_true", help="train a few steps and compare with the plan (under ten minutes)"
    )
    args, others = parser.parse_known_args()
    if args.gpu_check:
        from socialr1_lite.gpu_check.__main__ import main as gpu_check

        return gpu_check(others)
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    findings, backend = examine(quick=args.quick)
    ready = all(finding.state != "fix" for finding in findings)
    if args.json:
        found = {
            "version": __version__,
            "ready": ready,
            "trial": backend,
            "findings": [asdict(one) for one in findings],
        }
        print(json.dumps(found, indent=2))
    else:
        print(report(findings, backend))
    return 0 if ready else 2


if __name__ == "__main__":
    command(main)
