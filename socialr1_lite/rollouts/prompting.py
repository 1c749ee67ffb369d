"""How a recipe asks a scenario: the same messages in training, in held-out checks, in a preflight and in *Try it*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from socialr1_lite.recipe import Recipe
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Message, prefills_think, render

Messages = list[Message]
Template = Mapping[str, bool | str | int | float | None]  # what is handed to a chat template


class Sampler(Protocol):
    """What a policy must be able to do here; a scripted one serves in tests."""

    def prompt_text(self, messages: Sequence[Message], **template: bool | str | int | float | None) -> str:
        """Return the rendered generation prompt."""

    def generate(
        self,
        prompts: Sequence[Messages],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        repetition_penalty: float = 1.0,
        batch_size: int = 16,
        template: Template | None = None,
    ) -> Sequence[Completion]:
        """Return one completion a prompt, in order; `prefilled` where the prompt opened the think block."""


def messages(scenario: Scenario, recipe: Recipe) -> Messages:
    """Return a scenario as the recipe asks it."""
    prompt = recipe.prompt
    return render(scenario, style=prompt.style, answer=prompt.answer, system=prompt.system)


def is_prefilled(policy: Sampler, scenario: Scenario, recipe: Recipe) -> bool:
    """Return whether the chat template opens the think block itself: the prompt's tail decides."""
    return prefills_think(policy.prompt_text(messages(scenario, recipe), **template_settings(recipe)))


def template_settings(recipe: Recipe) -> dict[str, bool | str | int | float | None]:
    """Return what the recipe hands to the chat template."""
    settings = dict(recipe.prompt.chat_template_kwargs)
    if recipe.prompt.enable_thinking is not None:
        settings["enable_thinking"] = recipe.prompt.enable_thinking
    return settings
