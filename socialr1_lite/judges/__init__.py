"""Who scores the content of stages. Adding a judge is one file and one line here; importing the table loads none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges.base import Judge, Verdict

__all__ = ["JUDGES", "Judge", "Verdict", "build_judge"]


def _lazily(module: str, name: str) -> Callable[..., Judge]:
    """The judge class, imported when it is first built."""

    def build(**settings: Any) -> Judge:
        judge: Judge = getattr(import_module(module), name)(**settings)
        return judge

    return build


JUDGES: dict[str, Callable[..., Judge]] = {
    "facts": _lazily("socialr1_lite.judges.facts", "FactsJudge"),
    "rules": _lazily("socialr1_lite.judges.rules", "RulesJudge"),
    "llm": _lazily("socialr1_lite.judges.llm", "LlmJudge"),
    "reward_model": _lazily("socialr1_lite.judges.reward_model", "RewardModelJudge"),
}


def build_judge(name: str, settings: Mapping[str, Any] | None = None) -> Judge:
    """The judge of that name with these settings. Raises JudgeError for an unknown name or setting."""
    if name not in JUDGES:
        raise JudgeError(f"rewards.content.judges: unknown judge {name!r}; known: {', '.join(sorted(JUDGES))}")
    try:
        return JUDGES[name](**(settings or {}))
    except (TypeError, ValueError) as wrong:
        raise JudgeError(
            f"rewards.content.judges: {name}: settings {dict(settings or {})} do not fit: {wrong}"
        ) from None
