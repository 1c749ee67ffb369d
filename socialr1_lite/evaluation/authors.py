"""How a benchmark's authors ask it: what a plan takes from them, and what of an evaluation is not theirs.

`protocol: official` in a report means their prompt, their sampling, their order of options and their reading; anything
else is the project's own protocol, and `differs` says what is another. `--prompt socialr1` takes its model card's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace

from socialr1_lite.benchmarks.base import Benchmark
from socialr1_lite.evaluation import episodes, likelihood
from socialr1_lite.evaluation.answering import ReplySampler, Sampling, chat_template
from socialr1_lite.evaluation.asking import EPISODE, OFFICIAL, AskingPlan
from socialr1_lite.evaluation.target import Target
from socialr1_lite.rollouts.prompting import template_settings

# What a reply may take in tokens when neither --max-new-tokens nor the run's recipe says so [ours].
TOKENS = {"sip": 512, "socialr1": 1024, "cot": 512, "direct": 48, likelihood.STYLE: 1}
EPISODE_TOKENS = 512  # one SOTOPIA action, which its authors do not limit [ours]
NO_LIMIT = 4096  # where the authors set no limit: a reply that reaches it is told [ours]
THINKING = 4096  # more for a model whose chat template has it think, where neither authors nor card set a limit [ours]
SAMPLED_TEMPERATURE = 0.7  # for --samples above 1, where greedy replies would all be the same [ours]
# The card's call sets the length alone [card]; the rest is Qwen3's generation_config.json, which such a call takes.
CARD = Sampling(max_new_tokens=2048, temperature=0.6, top_p=0.95, top_k=20)


def usual(benchmark: Benchmark, style: str, *, card: bool = False, samples: int = 1, thinks: bool = False) -> Sampling:
    """Return how replies are drawn where nothing else is asked for. thinks: the chat template has the model think."""
    if card:
        return CARD
    temperature = 0.0 if samples == 1 else SAMPLED_TEMPERATURE
    if style not in OFFICIAL:
        return Sampling(TOKENS[style] + THINKING * thinks, temperature)
    theirs = benchmark.protocol
    if theirs is None:
        return Sampling(NO_LIMIT, temperature)
    return Sampling(
        theirs.tokens[OFFICIAL[style]] or NO_LIMIT,
        theirs.temperature or temperature,
        theirs.top_p,
        repetition_penalty=theirs.repetition_penalty,
    )


def differences(
    benchmark: Benchmark,
    plan: AskingPlan,
    *,
    model: str,
    cut_off: int = 0,
    not_sent: Sequence[str] = (),
    further: Iterable[str] = (),
) -> list[str]:
    """Say what of an evaluation is not as the authors do it; [] where nothing is.

    cut_off: replies that reached the limit. not_sent: settings that the server does not take. further: fields
    of the request that are not this project's.
    """
    if benchmark.generated:
        return []  # the questions are this project's, and so is how they are asked
    if plan.style == likelihood.STYLE:
        return ["options are scored by their log-likelihood, as lm-evaluation-harness does, and nothing is asked"]
    if plan.style not in OFFICIAL:
        published = "" if benchmark.prompt else " (its authors publish none)"
        return [f"the prompt is {plan.style}, and replies are read by the rule of training{published}"]
    theirs, drawn, cot = benchmark.protocol, plan.sampling, OFFICIAL[plan.style]
    assert theirs is not None  # who publishes a prompt has one
    limit = theirs.tokens[cot]
    told = list(theirs.differs)
    told += [words for part, words in theirs.of_models if part in model.lower() and not cot]
    if limit is not None and drawn.max_new_tokens != limit:
        told.append(f"{drawn.max_new_tokens} tokens, theirs are {limit}")
    if limit is None and cut_off:
        told.append(f"{cut_off} replies were cut off at {drawn.max_new_tokens} tokens, theirs have no limit")
    if drawn.temperature != theirs.temperature:
        told.append(f"temperature {drawn.temperature:g}, theirs is {theirs.temperature:g}")
    elif drawn.temperature and (drawn.top_p, drawn.top_k) != (theirs.top_p, 0):
        told.append(f"top-p {drawn.top_p:g} and top-k {drawn.top_k}, theirs are {theirs.top_p:g} and none")
    if drawn.repetition_penalty != theirs.repetition_penalty:
        told.append(f"repetition penalty {drawn.repetition_penalty:g}, theirs is {theirs.repetition_penalty:g}")
    needed = {"temperature"} | ({"top_p"} if drawn.temperature else set())
    needed |= {"repetition_penalty"} if theirs.repetition_penalty != 1 else set()
    told += [f"the server does not take {name}" for name in not_sent if name in needed]
    told += [f"the request has {name}, theirs has not" for name in further]
    if plan.samples > 1:
        told.append(f"{plan.samples} replies to each prompt, theirs is one")
    return told


def planned(args: argparse.Namespace, target: Target, benchmark: Benchmark, sampler: ReplySampler) -> AskingPlan:
    """Return how a benchmark is asked: by the command line, else as the run was trained, its card or its authors do."""
    recipe, own_style = target.recipe, target.recipe.prompt.style
    style = args.prompt or (own_style if target.says_how else "sip")
    card = args.prompt == "socialr1"
    thinks = _thinks(args, target, sampler)
    drawn = usual(benchmark, style, card=card, samples=args.samples, thinks=thinks)
    if target.says_how and style == own_style and not card:
        own = recipe.evaluation.max_new_tokens or recipe.grpo.max_completion_length
        drawn = replace(drawn, max_new_tokens=own)
    if benchmark.name == "sotopia":
        style = EPISODE
        drawn = Sampling(EPISODE_TOKENS + THINKING * thinks, episodes.TEMPERATURE)
    return AskingPlan(
        style=style,
        sampling=replace(
            drawn,
            max_new_tokens=args.max_new_tokens or drawn.max_new_tokens,
            temperature=drawn.temperature if args.temperature is None else args.temperature,
            top_p=drawn.top_p if args.top_p is None else args.top_p,
            top_k=drawn.top_k if args.top_k is None else args.top_k,
            repetition_penalty=args.repetition_penalty or drawn.repetition_penalty,
            seed=args.seed,
        ),
        samples=args.samples,
        seed=args.seed,
        limit=args.limit,
        languages=languages(args),
        answer=recipe.prompt.answer,
        system=recipe.prompt.system if style == own_style else None,
        shortcuts=args.diagnose,
        card=card,
    )


def _thinks(args: argparse.Namespace, target: Target, sampler: ReplySampler) -> bool:
    """Tell whether the chat template has the model think, as far as that can be seen."""
    silent = template_settings(target.recipe).get("enable_thinking") is False
    return bool(args.prefilled) or ("<think>" in chat_template(sampler) and not silent)


def languages(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the languages that are asked of bilingual benchmarks."""
    return ("en", "zh") if args.language == "all" else (args.language,)
