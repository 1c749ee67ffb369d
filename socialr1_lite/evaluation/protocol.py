"""How a report's replies came about, in words that can be compared: prompt, sampling, questions, backend, seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Set

from socialr1_lite.evaluation.asking import EPISODE, OFFICIAL, AskingPlan, own_messages
from socialr1_lite.evaluation.reports import Report
from socialr1_lite.scenario import Scenario

SAME = ("protocol", "prompt", "sampling", "samples", "players", "questions")  # what makes two figures comparable
TERMS = (*SAME, "backend", "seed")
GAME = ("max_turns", "judge_tokens", "by_dimension")  # of SOTOPIA's sampling; not in earlier reports


def terms(report: Report) -> dict[str, str]:
    """Return each of `TERMS` as a short text, "" where an earlier version did not say."""
    drawn = report.get("sampling", {})
    players = report.get("players", {})
    digest = "" if _style(report) == EPISODE else report.get("prompt_sha256", "")[:6]
    return {
        "protocol": str(report.get("protocol", "")),
        "prompt": " ".join(filter(None, (_style(report), digest))),
        "sampling": _sampling(report),
        "samples": f"{drawn.get('samples', 1):g}" if drawn else "",
        "players": ", ".join(f"{role} {name}" for role, name in players.items()),
        "questions": f"{str(report.get('questions', '') or files_digest(report))[:8]} ({report.get('n', 0)})",
        "backend": str(report.get("backend", "")).removeprefix("auto"),  # as earlier versions wrote, whatever it was
        "seed": str(report.get("seed", "")),
    }


def _style(report: Report) -> str:
    """Return the prompt's style; SOTOPIA has its authors' alone, also where an earlier report names another."""
    return EPISODE if report.get("benchmark") == "sotopia" else str(report.get("prompt_style", ""))


def _sampling(report: Report, unsaid: Set[str] = frozenset()) -> str:
    """Say how replies were drawn, leaving out what is `unsaid` in a report that this one is compared with."""
    drawn = {str(name): value for name, value in report.get("sampling", {}).items() if name not in unsaid}
    if not drawn:
        return ""
    temperature = drawn.get("temperature", 0)
    parts = ["greedy" if temperature == 0 else f"temperature {temperature:g}"]
    if temperature:
        parts += [f"top-p {drawn['top_p']:g}"] if drawn.get("top_p", 1) != 1 else []
        parts += [f"top-k {drawn['top_k']:g}"] if drawn.get("top_k", 0) else []
    known = ("max_new_tokens", "temperature", "top_p", "top_k", "seed", "samples")
    parts += [f"{name.replace('_', ' ')} {value:g}" for name, value in drawn.items() if name not in known]
    refused = [name for name in report.get("not_sent", ()) if not name.endswith("seed")]
    told = [f"not sent: {', '.join(refused)}"] if refused and "not_sent" not in unsaid else []
    return ", ".join([*parts, f"{drawn.get('max_new_tokens', 0):g} tokens", *told])


def files_digest(report: Report) -> str:
    """Return a digest of the files that the questions came from, "" where there were none."""
    files = sorted(str(file.get("sha256", "")) for file in report.get("source", {}).get("files", ()))
    return hashlib.sha256("\n".join(files).encode()).hexdigest() if files else ""


def unequal(first: Report, other: Report) -> list[str]:
    """Name the terms in which two reports differ. What one of them does not say is not held against it."""
    one, two = terms(first), terms(other)
    if not (first.get("prompt_sha256") and other.get("prompt_sha256")):
        one["prompt"], two["prompt"] = _style(first), _style(other)
    if not (first.get("questions") and other.get("questions")):
        counted = (f" ({report.get('n', 0)})" for report in (first, other))
        one["questions"], two["questions"] = (
            files_digest(report) + n for report, n in zip((first, other), counted, strict=True)
        )
    unsaid = {name for name in GAME if not all(name in report.get("sampling", {}) for report in (first, other))}
    unsaid |= set() if "not_sent" in first and "not_sent" in other else {"not_sent"}
    one["sampling"], two["sampling"] = _sampling(first, unsaid), _sampling(other, unsaid)
    return [name for name in TERMS if one[name] != two[name] and (name == "players" or (one[name] and two[name]))]


def prompt_digest(plan: AskingPlan) -> str:
    """Return a digest of the words around a question, "" for the authors' own: a recipe may bring its own."""
    if plan.style in (*OFFICIAL, EPISODE):
        return ""
    asked = Scenario("shown", "(story)", "(question)", ("(first)", "(second)"), (0,))
    return hashlib.sha256(json.dumps(own_messages(asked, plan)).encode()).hexdigest()
