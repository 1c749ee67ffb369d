"""Who scores the content of stages. Adding a judge is one file and one line here; importing the table loads none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges.base import Judge, Verdict

__all__ = ["JUDGES", "Judge", "Verdict", "build_judge", "is_offline"]


@dataclass(frozen=True, slots=True)
class JudgeClass:
    """A judge class, imported when it is first built. offline: it needs neither a model nor an endpoint."""

    module: str
    name: str
    offline: bool = False

    def __call__(self, **settings: Any) -> Judge:
        """Build the judge with these settings."""
        judge: Judge = getattr(import_module(f"{__name__}.{self.module}"), self.name)(**settings)
        return judge


JUDGES: dict[str, JudgeClass] = {
    "facts": JudgeClass("facts", "FactsJudge", offline=True),
    "rules": JudgeClass("rules", "RulesJudge", offline=True),
    "llm": JudgeClass("llm", "LlmJudge"),
    "reward_model": JudgeClass("reward_model", "RewardModelJudge"),
}


def judge_entry(name: str) -> JudgeClass:
    """Return the table's entry. Raises JudgeError for an unknown name."""
    if name not in JUDGES:
        raise JudgeError(f"rewards.content.judges: unknown judge {name!r}; known: {', '.join(sorted(JUDGES))}")
    return JUDGES[name]


def is_offline(name: str) -> bool:
    """Return whether the judge works without a model and an endpoint. Raises JudgeError for an unknown name."""
    return judge_entry(name).offline


def build_judge(name: str, settings: Mapping[str, Any] | None = None) -> Judge:
    """Build the judge of that name with these settings. Raises JudgeError for an unknown name or setting."""
    entry = judge_entry(name)
    try:
        return entry(**(settings or {}))
    except (TypeError, ValueError) as error:
        raise JudgeError(
            f"rewards.content.judges: {name}: settings {dict(settings or {})} do not fit: {error}"
        ) from None
