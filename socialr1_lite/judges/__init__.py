"""Who scores the content of stages. Adding a judge is one file and one line here; importing the table loads none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges.base import Judge, Verdict, traits_of
from socialr1_lite.recipe import located_yaml
from socialr1_lite.recipe.located_yaml import Yaml

__all__ = ["JUDGES", "Judge", "Verdict", "audit_floor", "build_judge", "is_offline", "read_settings"]


class JudgeClass(NamedTuple):
    """Where a judge's class is; it is imported when first asked for."""

    module: str
    name: str

    def load(self) -> Callable[..., Judge]:
        """Import the class."""
        found: Callable[..., Judge] = getattr(import_module(f"{__name__}.{self.module}"), self.name)
        return found

    def __call__(self, **settings: Yaml) -> Judge:
        """Build the judge with these settings."""
        return self.load()(**settings)


JUDGES: dict[str, JudgeClass] = {
    "facts": JudgeClass("facts", "FactsJudge"),
    "rules": JudgeClass("rules", "RulesJudge"),
    "llm": JudgeClass("llm", "LlmJudge"),
    "reader": JudgeClass("reader", "ReaderJudge"),
    "reward_model": JudgeClass("reward_model", "RewardModelJudge"),
}


def judge_entry(name: str) -> JudgeClass:
    """Return the table's entry. Raises JudgeError for an unknown name."""
    if name not in JUDGES:
        raise JudgeError(f"rewards.content.judges: unknown judge {name!r}; known: {', '.join(sorted(JUDGES))}")
    return JUDGES[name]


def is_offline(name: str) -> bool:
    """Return whether the judge works without a model and an endpoint. Raises JudgeError for an unknown name."""
    return traits_of(judge_entry(name).load()).offline


def audit_floor(name: str) -> float:
    """Return the share of hacks that an audit on generated stories asks of it, in [0, 1]. Raises JudgeError alike."""
    return traits_of(judge_entry(name).load()).audit_floor


def build_judge(name: str, settings: Mapping[str, Yaml] | None = None) -> Judge:
    """Build the judge of that name with these settings. Raises JudgeError for an unknown name or setting."""
    entry = judge_entry(name)
    try:
        return entry(**(settings or {}))
    except (TypeError, ValueError) as error:
        given = dict(settings or {})
        raise JudgeError(f"rewards.content.judges: {name}: settings {given} do not fit: {error}") from None


def read_settings(text: str) -> dict[str, Yaml]:
    """Read a judge's settings as a command line gives them, in YAML. Raises JudgeError with every mistake."""
    tree = located_yaml.parse(text, "--settings")
    if tree.mistakes:
        raise JudgeError(tree.report(Path("--settings")))
    return tree.values
