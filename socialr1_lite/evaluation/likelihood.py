"""Options scored by their log-likelihood, for base models that answer no question: `--prompt likelihood`.

As lm-evaluation-harness has Social IQa (task social_iqa): "Q: story question", a line "A:", and the option whose text
the model holds the likeliest to follow, by the plain sum over its tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from socialr1_lite import sip
from socialr1_lite.benchmarks.base import Loaded
from socialr1_lite.benchmarks.files import NothingThere
from socialr1_lite.errors import RecipeError
from socialr1_lite.evaluation.answering import CHUNK, OnDone, PolicySampler, Sampling
from socialr1_lite.policy.likelihood import log_likelihoods
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.prompting import Messages
from socialr1_lite.scenario import Scenario

STYLE = "likelihood"


def prompt(scenario: Scenario) -> Messages:
    """Return what is scored: the context as the user's message, then every option as a reply that could follow it."""
    context = sip.without_control_tokens(f"Q: {scenario.story} {scenario.question}\nA:")
    options = [sip.without_control_tokens(f" {option}") for option in scenario.options]
    replies = [{"role": "assistant", "content": option} for option in options]
    return [{"role": "user", "content": context}, *replies]


def check(args: argparse.Namespace) -> None:
    """Take transformers, which gives all scores. Raises RecipeError for options that do not go with this style."""
    if args.backend not in ("auto", "transformers"):
        raise RecipeError(f"--prompt {STYLE} reads the model's own scores: --backend transformers, not {args.backend}")
    if args.samples > 1 or args.temperature:
        raise RecipeError(f"--prompt {STYLE} draws nothing: leave out --samples and --temperature")
    args.backend = "transformers"


def check_items(name: str, loaded: Loaded) -> None:
    """Raise NothingThere for a benchmark with questions that have no options."""
    if any(item.kind != "choice" for item in loaded.items):
        raise NothingThere(f"{name}: has questions without options, so there is nothing to score by --prompt {STYLE}")


class LikelihoodSampler(PolicySampler):
    """A local model that is not asked but read. Its reply is the letter of the likeliest option, as `sip` reads one.

    All scores are kept with it, as reasoning.
    """

    def sample(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        """Score the options of every prompt; how replies are drawn plays no part."""
        size = CHUNK * self._batch_size
        for start in range(0, len(prompts), size):
            chunk = range(start, min(start + size, len(prompts)))
            pairs = [
                (context["content"], option["content"])
                for place in chunk
                for context, *options in [prompts[place]]
                for option in options
            ]
            scores = iter(log_likelihoods(self.policy, pairs, batch_size=self._batch_size))
            on_done({place: _reply([next(scores) for _ in prompts[place][1:]]) for place in chunk})


def _reply(scores: Sequence[float]) -> Completion:
    named = sip.letters(len(scores))
    best = max(range(len(scores)), key=scores.__getitem__)
    told = ", ".join(f"{letter} {score:.4f}" for letter, score in zip(named, scores, strict=True))
    return Completion(f"<answer>{named[best]}</answer>", 0, reasoning=f"log-likelihoods: {told}")
