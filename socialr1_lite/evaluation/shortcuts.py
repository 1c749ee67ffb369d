"""Is the right answer reached by reading? Four checks that any multiple-choice benchmark can be put through.

* without the story, without the question: how much accuracy is left when what decides the answer is taken away
* options permuted: how often the same option is chosen in another order
* reasoning parasitism: how early in the reasoning an option is first mentioned (0 at once, 1 not at all)
* contradiction: how often the answer is another option than the one the last stage names
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from socialr1_lite import sip
from socialr1_lite.benchmarks.base import Ask, Item, display, shuffled
from socialr1_lite.rewards.references import LABEL, references
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip.options import fold

REMOVED = "(left out)"


def without_story(item: Item, seed: int) -> Ask | None:
    """Show the question alone; None where the item has no story of its own."""
    return _ask(item, replace(item.scenario, story=""), seed, "no story") if item.scenario.story.strip() else None


def without_question(item: Item, seed: int) -> Ask | None:
    """Show story and options alone; None where the question tells the story too."""
    if not item.scenario.story.strip():
        return None
    return _ask(item, replace(item.scenario, question=REMOVED), seed, "no question")


def permuted(item: Item, seed: int) -> Ask:
    """Show the same question in an order in which every option has moved."""
    first = shuffled(item, seed)
    return display(item, first[1:] + first[:1], "permuted")


def _ask(item: Item, scenario: Scenario, seed: int, view: str) -> Ask:
    return display(replace(item, scenario=scenario), shuffled(item, seed), view)


MAKERS = {"no story": without_story, "no question": without_question, "permuted": permuted}


def ablations(items: Sequence[Item], seed: int) -> dict[str, list[Ask]]:
    """Return by view what the multiple-choice items are asked once more with something changed."""
    choices = [item for item in items if item.kind == "choice"]
    return {view: [ask for item in choices if (ask := make(item, seed)) is not None] for view, make in MAKERS.items()}


def first_mention(reply: sip.Reply, scenario: Scenario) -> float | None:
    """Return where an option is first referred to, as a share of the reasoning's length: 0 at its start, 1 nowhere.

    The last stage may name its answer, so it does not count. None without any reasoning.
    """
    reasoning = "\n".join(reply.body(segment) for segment in reply.segments if segment.stage != sip.STAGES[-1])
    if not reasoning.strip():
        return None
    known = references(scenario.story, scenario.question, tuple(scenario.options))
    return min((place for _, place in known.find(reasoning)), default=len(reasoning)) / len(reasoning)


def contradicts(reply: sip.Reply, scenario: Scenario) -> bool | None:
    """Return whether the answer is another option than the one that Response Generation names; None for none or two."""
    named = named_in(reply.stage_text(sip.STAGES[-1]), scenario.options)
    return None if named is None or reply.answer is None else named != reply.answer


def named_in(text: str, options: Sequence[str]) -> int | None:
    """Return the one option a stretch of prose names, by letter or by text; None for none or several."""
    allowed = sip.letters(len(options))
    named = (next(filter(None, match.groups()), "") for match in LABEL.finditer(text))
    found = {allowed.index(letter) for letter in named if letter and letter in allowed}
    said = fold(text)
    found |= {i for i, option in enumerate(options) if re.search(rf"(?<!\w){re.escape(fold(option))}(?!\w)", said)}
    return found.pop() if len(found) == 1 else None
