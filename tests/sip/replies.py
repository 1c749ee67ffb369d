"""A scenario, a good reply to it and how replies are looked at: what the tests of this room share."""

from __future__ import annotations

from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply, parse, reply_text

CHECKS = (
    *("one_think", "one_answer", "think_before_answer", "nothing_outside", "not_nested"),
    *("reasoning_not_empty", "answer_names_one_option"),
)
OPTIONS = ("garden", "kitchen", "the old barn")
TEXTS = (
    "Anna puts the key in the box and leaves.",
    "Anna did not see Ben move it, so she thinks it is in the box.",
    "Anna wants her key and the question asks where she looks.",
    "Therefore she will look in the box first.",
)
GOOD = reply_text(TEXTS, "B")
SCENARIO = Scenario(id="t/1", story="Anna hid a key.", question="Where?", options=OPTIONS, gold=(1,))
OPEN = Scenario(id="t/2", story="Anna hid a key.", question="Where?", accepted=("In the box", "the box"))


def wrap(reasoning: str, answer: str = "B") -> str:
    return f"<think>{reasoning}</think><answer>{answer}</answer>"


def bodies(reply: Reply) -> list[tuple[str | None, str]]:
    return [(segment.stage, reply.body(segment)) for segment in reply.segments]


def failing(text: str, options: tuple[str, ...] = OPTIONS, *, prefilled: bool = False) -> list[str]:
    return [name for name, held in parse(text, options, prefilled=prefilled).checks.items() if not held]
