"""The findings in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from socialr1_lite import __version__
from socialr1_lite.doctor.findings import Finding


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
