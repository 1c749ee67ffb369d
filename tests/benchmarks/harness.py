"""Scripted policies over real benchmark files: an oracle, a guesser, and how each would answer every prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random

from socialr1_lite import sip
from socialr1_lite.benchmarks.base import Answer, Ask, Benchmark, Item, Scores, answers_to

Choose = Callable[[Ask], int]  # an ask -> the place of the displayed option to name

STAGES = {
    "cue_encoding": "Someone leaves and something is moved while they are away.",
    "cue_interpretation": "They did not see it, so they believe that nothing changed.",
    "goal_clarification": "They want to find the thing where they left it.",
    "response_generation": "So they act on what they believe, and the answer follows from it.",
}


def oracle(ask: Ask) -> int:
    """The gold option as displayed."""
    return ask.scenario.gold[0]


def guesser(seed: int) -> Choose:
    """Any displayed option with equal chance."""
    random = Random(seed)
    return lambda ask: random.randrange(len(ask.scenario.options))


def own_reply(ask: Ask, choose: Choose) -> str:
    """A well-formed reply to one of the project's own prompts."""
    if ask.item.kind == "choice":
        return sip.reply_text(STAGES, sip.letters(len(ask.scenario.options))[choose(ask)])
    return sip.reply_text(STAGES, ask.scenario.accepted[0])


def official_reply(name: str, ask: Ask, choose: Choose) -> str:
    """A reply in the form the authors' prompt asks for."""
    if ask.item.kind != "choice":
        return ask.scenario.accepted[0]
    place = choose(ask)
    letter = "ABCDEFGHIJKLMNO"[place]
    if name == "emobench" and ask.partner:
        letters = {"answer_q1": letter, "answer_q2": "ABCDEFG"[choose(ask.partner)]}
        return f"```json\n{json.dumps(letters)}\n```"
    forms = {
        "tombench": f"[[{letter}]]",
        "emobench": json.dumps({"answer": letter}),
        "simpletom": f"({letter})",
        "motivebench": letter,
        "hi-tom": ask.scenario.options[place],
        "tactfultom": str(place + 1),
        "fantom": f"({letter.lower()})",
    }
    return forms[name]


def play(
    benchmark: Benchmark, items: Sequence[Item], choose: Choose, *, official: bool = False, seed: int = 0
) -> Scores:
    """Ask every item, answer by script, score."""
    answers: list[Answer] = []
    for ask in benchmark.asks(items, seed, official):
        text = official_reply(benchmark.name, ask, choose) if official else own_reply(ask, choose)
        answers += answers_to(benchmark, ask, text, official=official)
    return benchmark.score(answers)


def chance(items: Sequence[Item]) -> float:
    """What guessing is worth, on average over the items."""
    return sum(len(item.scenario.gold) / len(item.scenario.options) for item in items) / len(items)
