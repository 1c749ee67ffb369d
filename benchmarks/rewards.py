"""How fast are the rewards? Completions scored a second on one core, and the ratio to two plain alternatives.

    python benchmarks/rewards.py [--judge facts] [--stories 64] [--seconds 3]

Replies of about 200 words to generated stories, in groups of 8, through `RewardStack.score_group` with the `rules`
judge or `--judge facts`, with and without `sip.parse`. In the same run, on the same replies:

* no sentence twice: every sentence of every reply made different, so that nothing remembered helps;
* plain judge: the same stack, but the story is read again for every completion, as a reward function that gets one
  completion at a time does;
* floor: what a stock GRPO reward set does with regular expressions alone (think format, answer match, n-gram
  repetition as in the usual open recipes), which judges no content at all.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import time
from collections.abc import Callable

from socialr1_lite.judges.language.reading import clear_readings
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply, parse, reply_text
from socialr1_lite.stories import generate, gold_reply

GROUP = 8  # completions a prompt
WORDS = 200  # in a completion, about
TOKENS_A_WORD = 1.4

Group = tuple[Scenario, list[str]]


def groups(count: int, seed: int = 7) -> list[Group]:
    """Each scenario with 8 different replies of about 200 words: gold replies, filled up from the story."""
    made = []
    for number, scenario in enumerate(generate(count, seed=seed, dimensions=("belief", "knowledge"), orders=(0, 1, 2))):
        made.append(
            (scenario, [lengthened(gold_reply(scenario, seed=number * GROUP + i), scenario, i) for i in range(GROUP)])
        )
    return made


def lengthened(text: str, scenario: Scenario, shift: int) -> str:
    """The reply with further sentences of the story spread over its stages until it has about 200 words."""
    reply = parse(text, scenario.options)
    stages = [reply.stage_text(stage) for stage in STAGES]
    told = scenario.facts.sentences if scenario.facts else (scenario.question,)
    at = shift
    while sum(len(stage.split()) for stage in stages) < WORDS:
        stages[at % len(stages)] += " " + told[at % len(told)]
        at += 1
    return reply_text(stages, reply.answer_text)


def rate(work: Callable[[], int], seconds: float) -> float:
    """Completions a second of processor time: the best pass within `seconds`, as `timeit` takes it.

    Whatever else runs on the machine can only make a pass slower, so the best one is the nearest to the code's own.
    """
    work()
    best = 0.0
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        start = time.process_time()
        done = work()
        best = max(best, done / (time.process_time() - start))
    return best


def distinct(text: str, number: int) -> str:
    """The reply with a word of its own in every sentence."""
    count = itertools.count()
    return re.sub(r"\.(?= |$)", lambda _: f" again{number}x{next(count)}.", text, flags=re.MULTILINE)


def stack_work(stack: RewardStack, parsed: list[tuple[Scenario, list[Reply]]]) -> Callable[[], int]:
    def work() -> int:
        for scenario, replies in parsed:
            stack.score_group(replies, scenario, tokens=tokens(replies))
        return sum(len(replies) for _, replies in parsed)

    return work


def parsing_work(stack: RewardStack, made: list[Group]) -> Callable[[], int]:
    def work() -> int:
        for scenario, texts in made:
            replies = [parse(text, scenario.options) for text in texts]
            stack.score_group(replies, scenario, tokens=tokens(replies))
        return sum(len(texts) for _, texts in made)

    return work


def plain_work(stack: RewardStack, made: list[Group]) -> Callable[[], int]:
    """One completion at a time, nothing remembered of the scenario."""

    def work() -> int:
        for scenario, texts in made:
            for text in texts:
                clear_readings()
                reply = parse(text, scenario.options)
                stack.score(reply, scenario, tokens=tokens([reply])[0])
        return sum(len(texts) for _, texts in made)

    return work


FORMAT = re.compile(r"^\s*<think>(?!.*<think>)(.*?)</think>\s*<answer>(.*?)</answer>\s*$", re.DOTALL)


def floor_work(made: list[Group]) -> Callable[[], int]:
    """Regular expressions and n-grams: format, answer, repetition. No stages, no content."""

    def one(text: str, scenario: Scenario) -> float:
        match = FORMAT.match(text)
        right = match is not None and match[2].strip().strip("().") == scenario.letters[scenario.gold[0]]
        words = text.lower().split()
        grams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
        return float(match is not None) + float(right) - (1.0 - len(set(grams)) / max(1, len(grams)))

    def work() -> int:
        for scenario, texts in made:
            for text in texts:
                one(text, scenario)
        return sum(len(texts) for _, texts in made)

    return work


def tokens(replies: list[Reply]) -> list[int]:
    return [round(len(reply.text) / 5.5 * TOKENS_A_WORD) for reply in replies]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--stories", type=int, default=64, help="scenarios; each gets a group of 8 replies")
    asked.add_argument("--seconds", type=float, default=3.0, help="time for each line of the table")
    asked.add_argument("--judge", default="rules", choices=("rules", "facts"), help="of the content")
    chosen = asked.parse_args()
    rewards = Rewards.model_validate({"content": {"judges": [{"name": chosen.judge}]}})
    made = groups(chosen.stories)
    parsed = [(scenario, [parse(text, scenario.options) for text in texts]) for scenario, texts in made]
    words = statistics.mean(len(text.split()) for _, texts in made for text in texts)
    stack = RewardStack(rewards)
    print(f"{chosen.stories} groups of {GROUP} replies, {words:.0f} words a reply on average, one process")
    unlike = [(s, [parse(distinct(t, i), s.options) for i, t in enumerate(texts)]) for s, texts in made]
    measured = {
        "score_group, parsed before": rate(stack_work(stack, parsed), chosen.seconds),
        "parse + score_group": rate(parsing_work(stack, made), chosen.seconds),
        "score_group, no sentence twice": rate(stack_work(RewardStack(rewards), unlike), chosen.seconds),
        "plain judge (story read for each reply)": rate(plain_work(stack, made), chosen.seconds),
        "floor (format, answer, repetition only)": rate(floor_work(made), chosen.seconds),
    }
    full = measured["parse + score_group"]
    for name, speed in measured.items():
        print(f"{name:42s}{speed:10,.0f} completions/s   {full / speed:6.2f} x")
    print("the last column: parse + score_group over that line")


if __name__ == "__main__":
    main()
