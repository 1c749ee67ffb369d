"""One completion, asked for, read and scored: the same way in training, on held-out questions and in a preflight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack, Score
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply, parse, prefills_think, render, stage_states

Messages = list[dict[str, str]]

FLAT = 1e-6  # spread of a group's rewards below which nothing can be learned from it
CAUSES = ("all cut off", "all badly formed", "all right", "all wrong", "terms cancel")


class Sampler(Protocol):
    """What a policy must be able to do here; a scripted one serves in tests."""

    def prompt_text(self, messages: Sequence[dict[str, str]], **template: Any) -> str:
        """The rendered generation prompt."""

    def generate(
        self,
        prompts: Sequence[Messages],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int = 0,
        batch_size: int = 16,
        template: dict[str, Any] | None = None,
    ) -> Sequence[Any]:
        """One Generation (text, tokens, finish) a prompt."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One completion of the last batch: what was read in it and what it earned."""

    text: str
    reply: Reply
    score: Score
    tokens: int
    finish: str  # "stop" or "length"


def messages(scenario: Scenario, recipe: Recipe) -> Messages:
    """A scenario as the recipe asks it."""
    prompt = recipe.prompt
    return render(scenario, style=prompt.style, answer=prompt.answer, system=prompt.system)


def is_prefilled(policy: Sampler, scenario: Scenario, recipe: Recipe) -> bool:
    """Whether the chat template opens the think block itself: the prompt's tail decides."""
    return prefills_think(policy.prompt_text(messages(scenario, recipe), **template_settings(recipe)))


def template_settings(recipe: Recipe) -> dict[str, Any]:
    """What the recipe hands to the chat template."""
    told = dict(recipe.prompt.chat_template_kwargs)
    if recipe.prompt.enable_thinking is not None:
        told["enable_thinking"] = recipe.prompt.enable_thinking
    return told


def score_texts(
    stack: RewardStack,
    scenario: Scenario,
    completions: Sequence[tuple[str, int, str]],
    *,
    prefilled: bool,
    tau: float = 1.0,
) -> list[Scored]:
    """Read and score completions of one scenario, judged together. completions: (text, tokens, "stop" | "length")."""
    replies = [parse(text, scenario.options, prefilled=prefilled) for text, _, _ in completions]
    scores = stack.score_group(
        replies,
        scenario,
        tokens=[tokens for _, tokens, _ in completions],
        tau=tau,
        truncated=[finish == "length" for _, _, finish in completions],
    )
    return [
        Scored(text, reply, score, tokens, finish)
        for (text, tokens, finish), reply, score in zip(completions, replies, scores, strict=True)
    ]


def cause_of_flatness(group: Sequence[Scored]) -> str:
    """Why the rewards of a group do not differ; "" when they do."""
    totals = [scored.score.total for scored in group]
    if max(totals) - min(totals) > FLAT:
        return ""
    if all(scored.finish == "length" for scored in group):
        return "all cut off"
    if all(scored.score.components["format"] == 0 for scored in group):
        return "all badly formed"
    outcomes = {scored.score.outcome for scored in group}
    return {frozenset({"right"}): "all right", frozenset({"wrong"}): "all wrong"}.get(
        frozenset(outcomes), "terms cancel"
    )


def score_fields(scored: Scored) -> dict[str, Any]:
    """The fields of a trace row that say what a completion was and what it earned."""
    score = scored.score
    return {
        "completion": scored.text,
        "tokens": scored.tokens,
        "finish": scored.finish,
        "components": dict(score.components),
        "parts": dict(score.parts),
        "weights": dict(score.weights),
        "mode": score.mode,
        "tau": score.tau,
        "outcome": score.outcome,
        "answer": scored.reply.answer,
        "stages": stage_states(scored.reply, truncated=scored.finish == "length"),
        "notes": list(score.notes),
    }
