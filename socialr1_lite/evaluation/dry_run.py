"""What an evaluation would ask and, of an endpoint, what that would cost at most; nothing is asked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace

from socialr1_lite.benchmarks.base import Benchmark, Item, Loaded
from socialr1_lite.benchmarks.sotopia_episode import RANGES
from socialr1_lite.endpoint import TOKEN_CHARS
from socialr1_lite.evaluation import asking, shortcuts
from socialr1_lite.evaluation.answering import EndpointSampler, ReplySampler
from socialr1_lite.evaluation.episodes import SCORE_TOKENS, Played
from socialr1_lite.rollouts.prompting import Messages


def told(
    benchmark: Benchmark, loaded: Loaded, plan: asking.AskingPlan, sampler: ReplySampler, args: argparse.Namespace
) -> str:
    """Return one line on a benchmark. args: the command line's, for prices and for who plays an episode."""
    items = asking.pick(loaded, plan)
    if benchmark.name == "sotopia":
        return f"sotopia: {_episodes(benchmark, items, plan, args)}"
    asks = benchmark.asks(items, plan.seed, plan.style in asking.OFFICIAL)
    prompts = [asking.messages(benchmark, ask, plan) for ask in asks]
    line = f"{benchmark.name}: {len(items)} items, {len(prompts) * plan.samples} prompts"
    if asking.calls(benchmark, plan) == 2:
        line += " in two calls each, of which the second cannot be priced before the first"
    further: list[Messages] = []
    if plan.shortcuts:
        own = asking.shortcut_plan(plan)
        ablated = shortcuts.ablations(items, plan.seed).values()
        further = [asking.messages(benchmark, ask, own) for asks in ablated for ask in asks]
        line += f", {len(further)} more for --diagnose"
    if isinstance(sampler, EndpointSampler):
        draws = [replace(plan.sampling, seed=plan.sampling.seed + sample) for sample in range(plan.samples)]
        requests = [request for drawn in draws for request in sampler.requests(prompts, drawn)]
        requests += sampler.requests(further, plan.sampling)
        if plan.sampling.temperature == 0:  # the same prompt is asked once
            requests = list({json.dumps(list(map(dict, one.messages))): one for one in requests}.values())
        usage = sampler.endpoint.estimate(requests)
        line += (
            f", {usage.cached} already answered, about {usage.prompt_tokens} tokens in, "
            f"at most {usage.completion_tokens} out, at most {usage.cost:.2f} at the given prices"
        )
    return line


def _episodes(benchmark: Benchmark, items: Sequence[Item], plan: asking.AskingPlan, args: argparse.Namespace) -> str:
    """Count the calls of a round in which every episode runs to its last turn, and what those of endpoints would cost.

    A move's prompt holds all that was said before, taken here as moves of full length.
    """
    here = args.backend == "openai"
    remote = [here, *(here if who == "self" else who.startswith("http") for who in (args.partner, args.judge))]
    move, by_dimension = plan.sampling.max_new_tokens, args.judge_form == "dimension"
    judged, judgement = (len(RANGES), SCORE_TOKENS) if by_dimension else (1, args.judge_tokens)
    calls, tokens_in, tokens_out = [0, 0, 0], 0, 0
    for ask in benchmark.asks(items, plan.seed, False) * plan.samples:
        game = Played.of(ask, 0)
        first = next(game.episode.run(args.max_turns)).messages
        scene = sum(len(message["content"]) for message in first) // TOKEN_CHARS
        for turn in range(args.max_turns):
            player = 0 if turn % 2 == game.seat else 1
            calls[player] += 1
            tokens_in += remote[player] * (scene + turn * move)
            tokens_out += remote[player] * move
        calls[2] += judged
        tokens_in += remote[2] * judged * (scene + args.max_turns * move)
        tokens_out += remote[2] * judged * judgement
    line = (
        f"{len(items) * plan.samples} episodes of up to {args.max_turns} turns: at most {calls[0]} moves of the model, "
        f"{calls[1]} of its partner and {calls[2]} judge calls; what cannot be read is asked for again"
    )
    if any(remote):
        cost = (tokens_in * args.price_in + tokens_out * args.price_out) / 1e6
        line += f"; at most about {tokens_in} tokens in and {tokens_out} out, {cost:.2f} at the given prices"
    return line
