"""A policy that says what it is given to say: everything around a model can be tested without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import prefills_think, reply_text

STAGES = (
    "Mara puts the violin in the green trunk and leaves the attic.",
    "Mara was away when it was moved, so Mara still thinks the violin is in the green trunk.",
    "Mara wants to play the violin.",
    "So Mara will look in the green trunk first.",
)
RIGHT = reply_text(STAGES, "B")
WRONG = reply_text(STAGES, "A")
BROKEN = "I think it is the trunk."


@dataclass
class ScriptedPolicy:
    """Answers the i-th prompt of every call with `say(i)`; counts a token a word; `cut` marks a text as cut off."""

    say: Callable[[int], str]
    cut: Callable[[int], bool] = lambda _: False
    tail: str = "\nassistant:"

    def prompt_text(self, messages: Sequence[dict[str, str]], **template: Any) -> str:
        """The messages one after another, and the prompt's tail."""
        return "\n".join(message["content"] for message in messages) + self.tail

    def generate(self, prompts: Sequence[Any], **sampling: Any) -> list[Completion]:
        """One completion a prompt."""
        self.sampling = sampling
        texts = [self.say(i) for i in range(len(prompts))]
        prefilled = prefills_think(self.tail)
        return [
            Completion(text, len(text.split()), "length" if self.cut(i) else "stop", prefilled)
            for i, text in enumerate(texts)
        ]


def copies(scenario: Scenario, n: int) -> list[Scenario]:
    """The scenario n times under different ids."""
    return [Scenario.from_row(scenario.to_row() | {"id": f"{scenario.id}-{i}"}) for i in range(n)]
