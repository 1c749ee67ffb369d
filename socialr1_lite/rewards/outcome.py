"""The outcome: is the answer the gold one?"""

from __future__ import annotations

from socialr1_lite.rewards.component import Component, shorten
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply


def outcome(reply: Reply, scenario: Scenario) -> Component:
    """R_out [paper]: 1 when the answer is an accepted one, 0 when it is wrong or cannot be read. Range {0, 1}.

    None for a scenario without any gold (open-ended and nothing accepted): nothing to score by. "Right" has one
    meaning in training, scoring and evaluation: `Reply.outcome`.
    """
    if not scenario.gold and not scenario.accepted:
        return Component(None, notes=("outcome: the scenario has no gold answer to compare with",))
    result = reply.outcome(scenario)
    if result == "right":
        return Component(1.0)
    given = shorten(reply.answer_text)
    if result == "unreadable":
        what = f"{given!r} names no single option" if given else "there is no answer block with an answer"
        return Component(0.0, notes=(f"outcome: unreadable, {what}",))
    options = [f"{scenario.letters[index]} ({shorten(scenario.options[index])})" for index in scenario.gold]
    accepted = " or ".join(options or [repr(shorten(text)) for text in scenario.accepted])
    return Component(0.0, notes=(f"outcome: answered {given!r}, accepted is {accepted}",))
