"""How a report's replies came about, in words that can be compared: prompt, sampling, questions, backend, seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from socialr1_lite.evaluation.asking import OFFICIAL, AskingPlan, own_messages
from socialr1_lite.evaluation.reports import Report
from socialr1_lite.scenario import Scenario

SAME = ("protocol", "prompt", "sampling", "samples", "players", "questions")  # what makes two figures comparable
TERMS = (*SAME, "backend", "seed")


def terms(report: Report) -> dict[str, str]:
    """Return each of `TERMS` as a short text, "" where an earlier version did not say."""
    drawn = {str(name): value for name, value in report.get("sampling", {}).items()}
    players = report.get("players", {})
    return {
        "protocol": str(report.get("protocol", "")),
        "prompt": " ".join(filter(None, (str(report.get("prompt_style", "")), report.get("prompt_sha256", "")[:6]))),
        "sampling": _sampling(drawn),
        "samples": f"{drawn.get('samples', 1):g}" if drawn else "",
        "players": ", ".join(f"{role} {name}" for role, name in players.items()),
        "questions": f"{str(report.get('questions', '') or files_digest(report))[:8]} ({report.get('n', 0)})",
        "backend": str(report.get("backend", "")).removeprefix("auto"),  # as earlier versions wrote, whatever it was
        "seed": str(report.get("seed", "")),
    }


def _sampling(drawn: Mapping[str, float]) -> str:
    if not drawn:
        return ""
    temperature = drawn.get("temperature", 0)
    parts = ["greedy" if temperature == 0 else f"temperature {temperature:g}"]
    if temperature:
        parts += [f"top-p {drawn['top_p']:g}"] if drawn.get("top_p", 1) != 1 else []
        parts += [f"top-k {drawn['top_k']:g}"] if drawn.get("top_k", 0) else []
    known = ("max_new_tokens", "temperature", "top_p", "top_k", "seed", "samples")
    parts += [f"{name.replace('_', ' ')} {value:g}" for name, value in drawn.items() if name not in known]
    return ", ".join([*parts, f"{drawn.get('max_new_tokens', 0):g} tokens"])


def files_digest(report: Report) -> str:
    """Return a digest of the files that the questions came from, "" where there were none."""
    files = sorted(str(file.get("sha256", "")) for file in report.get("source", {}).get("files", ()))
    return hashlib.sha256("\n".join(files).encode()).hexdigest() if files else ""


def unequal(first: Report, other: Report) -> list[str]:
    """Name the terms in which two reports differ. What one of them does not say is not held against it."""
    one, two = terms(first), terms(other)
    if not (first.get("prompt_sha256") and other.get("prompt_sha256")):
        one["prompt"], two["prompt"] = str(first.get("prompt_style", "")), str(other.get("prompt_style", ""))
    if not (first.get("questions") and other.get("questions")):
        counted = (f" ({report.get('n', 0)})" for report in (first, other))
        one["questions"], two["questions"] = (
            files_digest(report) + n for report, n in zip((first, other), counted, strict=True)
        )
    return [name for name in TERMS if one[name] != two[name] and (name == "players" or (one[name] and two[name]))]


def prompt_digest(plan: AskingPlan) -> str:
    """Return a digest of the words around a question, "" for the authors' own: a recipe may bring its own."""
    if plan.style in OFFICIAL:
        return ""
    asked = Scenario("shown", "(story)", "(question)", ("(first)", "(second)"), (0,))
    return hashlib.sha256(json.dumps(own_messages(asked, plan)).encode()).hexdigest()
