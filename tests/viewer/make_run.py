"""Run folders for looking at and testing the viewer: generated stories, scripted replies, the real reward stack.

python tests/viewer/make_run.py FOLDER [--steps 40] [--groups 4] [--size 8] [--evaluate]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import yaml

from socialr1_lite.judges import Verdict
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack, tau
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, letters, parse, render, reply_text
from socialr1_lite.stories import generate, gold_reply

Stages = dict[str, str]


class WordyJudge:
    """Scores a stage by how many different words it has: enough to tell replies apart, with no model."""

    name = "wordy"

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        return [
            Verdict({stage: min(1.0, len(set(reply.stage_text(stage).split())) / 14) for stage in STAGES})
            for reply in replies
        ]


def gold_stages(scenario: Scenario, seed: int) -> Stages:
    reply = parse(gold_reply(scenario, seed=seed), scenario.options)
    return {stage: reply.stage_text(stage) for stage in STAGES}


def letter(scenario: Scenario, right: bool, rng: random.Random) -> str:
    named = letters(len(scenario.options))
    gold = scenario.gold[0]
    return named[gold] if right else named[rng.choice([i for i in range(len(named)) if i != gold])]


def good(scenario: Scenario, rng: random.Random) -> str:
    return gold_reply(scenario, seed=rng.randrange(6))


def wrong(scenario: Scenario, rng: random.Random) -> str:
    return reply_text(gold_stages(scenario, rng.randrange(6)), letter(scenario, False, rng))


def hasty(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 1)
    said = letter(scenario, rng.random() < 0.5, rng)
    stages[STAGES[0]] = f"The answer is {said}. " + stages[STAGES[0]]
    return reply_text(stages, said)


def reordered(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 2)
    order = [3, 0, 1, 2]
    body = "\n\n".join(f"{TITLES[STAGES[i]]}: {stages[STAGES[i]]}" for i in order)
    return f"<think>\n{body}\n</think>\n<answer>{letter(scenario, True, rng)}</answer>"


def partial(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 3)
    dropped = rng.choice(STAGES[1:3])
    body = "\n\n".join(f"{TITLES[stage]}: {stages[stage]}" for stage in STAGES if stage != dropped)
    return f"<think>\n{body}\n</think>\n<answer>{letter(scenario, rng.random() < 0.6, rng)}</answer>"


def hollow(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 0)
    body = "\n\n".join(f"{TITLES[stage]}: {stages[stage] if stage == STAGES[0] else ''}" for stage in STAGES)
    return f"<think>\n{body}\n</think>\n<answer>{letter(scenario, rng.random() < 0.4, rng)}</answer>"


def cut(scenario: Scenario, rng: random.Random) -> str:
    text = gold_reply(scenario, seed=4)
    return text[: int(len(text) * rng.uniform(0.35, 0.7))]


def looping(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 1)
    stages[STAGES[1]] = " ".join([stages[STAGES[1]]] * 5)
    return reply_text(stages, letter(scenario, rng.random() < 0.5, rng))


def invented(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 5)
    stages[STAGES[0]] += " A purple submarine surfaced under the frozen volcano yesterday."
    return reply_text(stages, letter(scenario, rng.random() < 0.5, rng))


def plain(scenario: Scenario, rng: random.Random) -> str:
    stages = gold_stages(scenario, 2)
    return f"<think>{' '.join(stages.values())}</think><answer>{letter(scenario, rng.random() < 0.7, rng)}</answer>"


def chatty(scenario: Scenario, rng: random.Random) -> str:
    return f"Sure! Here is my answer.\n{gold_reply(scenario, seed=1)}\nI hope this helps 🙂"


def bare(scenario: Scenario, rng: random.Random) -> str:
    return f"I think it is {letter(scenario, rng.random() < 0.5, rng)}."


SCRIPTS: dict[str, Callable[[Scenario, random.Random], str]] = {
    script.__name__: script
    for script in (good, wrong, hasty, reordered, partial, hollow, cut, looping, invented, plain, chatty, bare)
}
EARLY = {
    "bare": 6,
    "cut": 5,
    "plain": 4,
    "hollow": 4,
    "chatty": 3,
    "wrong": 3,
    "hasty": 2,
    "partial": 2,
    "good": 1,
    "looping": 2,
    "reordered": 1,
    "invented": 1,
}
LATE = {
    "good": 14,
    "wrong": 4,
    "hasty": 2,
    "partial": 1,
    "reordered": 1,
    "invented": 1,
    "looping": 1,
    "plain": 1,
    "cut": 1,
}


def pick(share: float, rng: random.Random) -> str:
    """A script: chances go from EARLY to LATE as `share` of the run goes from 0 to 1."""
    weights = [EARLY.get(name, 0) * (1 - share) + LATE.get(name, 0) * share for name in SCRIPTS]
    return rng.choices(list(SCRIPTS), weights)[0]


def traces_of_group(
    scenario: Scenario,
    texts: Sequence[str],
    *,
    stack: RewardStack,
    step: int,
    group: int,
    share: float,
    phase: str = "train",
    benchmark: str = "",
) -> list[Trace]:
    completions = [
        Completion(
            text,
            max(1, len(text) // 4),
            "stop" if "</answer>" in text or text.startswith("I think it is") else "length",
        )
        for text in texts
    ]
    scored = stack.score(completions, scenario, tau=share)
    totals = [one.score.total for one in scored]
    spread = stdev(totals) if len(totals) > 1 else 0.0
    return [
        Trace.of(
            one,
            phase=phase,
            step=step,
            scenario=scenario.id,
            group=group,
            index=index,
            prompt=render(scenario),
            advantage=(one.score.total - fmean(totals)) / (spread + 1e-4) if phase == "train" else None,
            benchmark=benchmark,
            sampling={"temperature": 1.0, "top_p": 1.0, "top_k": 0},
        )
        for index, one in enumerate(scored)
    ]


def evaluated(scenarios: Sequence[Scenario], texts: Sequence[str], stack: RewardStack, step: int) -> list[Trace]:
    """One evaluation: a reply to each scenario."""
    return [
        trace
        for place, (scenario, text) in enumerate(zip(scenarios, texts, strict=True))
        for trace in traces_of_group(
            scenario,
            [text],
            stack=stack,
            step=step,
            group=10_000 + place,
            share=1.0,
            phase="eval",
            benchmark="heldout",
        )
    ]


def moved(traces: Iterable[Trace], *, steps: int, groups: int) -> list[Trace]:
    """The same traces, so many steps and groups later: what a run that goes on would write."""
    return [replace(trace, step=trace.step + steps, group=trace.group + groups) for trace in traces]


def make_run(
    path: Path,
    *,
    steps: int = 24,
    groups: int = 4,
    size: int = 8,
    seed: int = 5,
    scenarios: int = 40,
    evaluate: bool = True,
    name: str = "invented",
) -> RunFolder:
    """A finished run whose replies get better; every fifth group is flat."""
    rng = random.Random(seed)
    stack = RewardStack(Rewards(), judge=WordyJudge())
    known = list(generate(scenarios, seed=seed))
    held_out = list(generate(24, seed=seed + 1, split="test"))
    run = RunFolder.create(path)
    run.recipe.write_text(
        yaml.safe_dump(
            {
                "model": {"name": name},
                "grpo": {"max_steps": steps, "num_generations": size, "learning_rate": 1e-5, "loss_type": "dapo"},
                "rewards": {"mode": "gated"},
            }
        )
    )
    run.add_scenarios([*known, *held_out])
    segment = run.begin_launch(0, ["train", "invented"])
    metrics = MetricsWriter(run, launch=segment)
    with TraceWriter(run, 0, launch=segment) as traces:
        for step in range(steps):
            share = step / max(1, steps - 1)
            process = tau(step, steps, tau0=0.2, p0=0.1, p1=0.6)
            for place in range(groups):
                group = step * groups + place
                scenario = known[(step // 2 * groups + place) % len(known)]
                flat = group % 5 == 4
                chosen = ["bare"] * size if flat else [pick(share, rng) for _ in range(size)]
                texts = ["I think so." for _ in chosen] if flat else [SCRIPTS[one](scenario, rng) for one in chosen]
                traces.write(traces_of_group(scenario, texts, stack=stack, step=step, group=group, share=process))
            metrics.write(
                step + 1,
                {
                    "loss": rng.uniform(-0.01, 0.01),
                    "entropy": 1.9 - share + rng.uniform(-0.1, 0.1),
                    "grad_norm": rng.uniform(0.2, 0.9),
                    "step_time": rng.uniform(8, 11),
                },
            )
            if evaluate and step % 8 == 7:
                texts = [SCRIPTS[pick(share, rng)](scenario, rng) for scenario in held_out]
                traces.write(evaluated(held_out, texts, stack, step + 1))
    run.set_state("completed", step=steps)
    return run


def make_large(path: Path, *, completions: int = 200_000, size: int = 8, groups: int = 25, seed: int = 5) -> RunFolder:
    """A run of any size: scored groups of a small pool, repeated over steps; about 2.5 KB a row."""
    rng = random.Random(seed)
    stack = RewardStack(Rewards(), judge=WordyJudge())
    known = list(generate(300, seed=seed))
    run = RunFolder.create(path)
    run.recipe.write_text(
        yaml.safe_dump(
            {
                "model": {"name": "invented"},
                "grpo": {"max_steps": completions // (size * groups), "num_generations": size},
            }
        )
    )
    run.add_scenarios(known)
    pool, filler = [], "Said in passing: filler7."
    for scenario in known:
        for share in (0.0, 0.5, 1.0):
            texts = [SCRIPTS[pick(share, rng)](scenario, rng) for _ in range(size)]
            group = traces_of_group(scenario, texts, stack=stack, step=0, group=0, share=1.0)
            longer = (replace(one.completion, text=f"{one.completion.text}\n{filler}") for one in group)
            pool.append([replace(one, completion=text) for one, text in zip(group, longer, strict=True)])
    steps = completions // (size * groups)
    metrics = MetricsWriter(run, launch=run.begin_launch(0, ["train", "large"]))
    with TraceWriter(run) as traces:
        for step in range(steps):
            for place in range(groups):
                traces.write(moved(pool[rng.randrange(len(pool))], steps=step, groups=step * groups + place))
            metrics.write(step + 1, {"entropy": rng.uniform(0.5, 1.5), "grad_norm": rng.uniform(0.1, 1)})
    run.set_state("completed", step=steps)
    return run


def hostile_texts() -> Iterator[tuple[str, str]]:
    """Payloads of every class that ever ran somewhere, each with a name."""
    mark = "window.__hit=(window.__hit||0)+1"
    yield "script", f"<script>{mark}</script>"
    yield "img", f'<img src=x onerror="{mark}">'
    yield "svg", f'<svg onload="{mark}"><animate onbegin="{mark}" attributeName=x dur=1s></svg>'
    yield "template", "A ${" + mark + "} B ${window.__hit=9} `${alert(1)}`"
    yield "handlebars", "{{" + mark + "}} {{{value}}} {{#each this}}{{this}}{{/each}} {{lookup . 'constructor'}}"
    yield "link", f'<a href="javascript:{mark}">x</a> [x](javascript:{mark})'
    yield "style", "<style>*{display:none!important}</style><link rel=stylesheet href=https://example.invalid/x.css>"
    yield "frame", f'<iframe srcdoc="<script>parent.{mark}</script>"></iframe><object data=x></object><embed src=x>'
    yield "remote", "![x](https://example.invalid/track.png) <img src=https://example.invalid/track.png>"
    yield "form", "<form action=https://example.invalid><input name=a><button>go</button></form>"
    yield "attribute", f"\" onmouseover=\"{mark}\" x=\" ' onfocus='{mark}' autofocus '"
    yield (
        "escape",
        "\\u003cscript\\u003e </script></textarea></title></style> --> ]]> %3Cscript%3E &lt;b&gt; &#60;i&#62;",
    )
    yield "prototype", "__proto__ constructor prototype toString hasOwnProperty"
    yield (
        "unicode",
        "\u202eright to left\u202c \u200bzero\u200bwidth \ufeff \U0001f9d1\u200d\U0001f680 \x00 \x1b[31m \u2028\u2029 \ud83d",
    )
    yield (
        "base",
        "<base href=https://example.invalid/><meta http-equiv=refresh content='0;url=https://example.invalid'>",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--large", type=int, default=0, help="completions of a large run instead")
    args = parser.parse_args()
    if args.large:
        make_large(args.folder, completions=args.large)
    else:
        make_run(args.folder, steps=args.steps, groups=args.groups, size=args.size)
