"""How any right text of a stage is spoilt by a rule, whoever wrote it: names, letters, filler, another place [ours]."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from socialr1_lite.judges.audit.hacks import exchange
from socialr1_lite.judges.audit.references import denied
from socialr1_lite.pairs.phrasing import Voice
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, sentences
from socialr1_lite.stories.base import Rng

LOOPS, LONG = 3, 20  # times that a looping stage says its last sentence again, if it has fewer words than that
FILLERS = (1, 1, 2, 3, 5, 8)  # sentences of filler at a time, drawn


@dataclass(frozen=True, slots=True)
class Spoilable:
    """A right text of a stage, the reply's other stages, and another story, which has nothing to do with it."""

    scenario: Scenario
    stage: str
    text: str
    others: Mapping[str, str]
    foreign: str
    rng: Rng


def filler(rng: Rng) -> str:
    """Draw some sentences that say nothing of any story."""
    number = rng.pick(FILLERS)
    said = dict.fromkeys(Voice(f"{rng.below(10**9)}").say("filler", i) for i in range(number))
    return " ".join(f"{one[0].upper()}{one[1:]}." for one in said)


def _names_exchanged(one: Spoilable) -> str:
    """Exchange two people: words with a capital letter inside the story's sentences, more than once in it."""
    found = dict.fromkeys(re.findall(r"(?<=[a-z,;] )[A-Z]\w\w+", one.scenario.story))
    known = [name for name in found if one.scenario.story.count(name) > 1]
    here = [name for name in known if re.search(rf"\b{name}\b", one.text)]
    if not here or len(known) < 2:
        return one.text
    name = one.rng.pick(here)
    return exchange(one.text, name, one.rng.pick([other for other in known if other != name]))


def _of_another_option(one: Spoilable) -> str:
    """Put another option's letter or words in the place of the right one's."""
    scenario, text = one.scenario, one.text
    wrong = one.rng.pick([i for i in range(len(scenario.options)) if i not in scenario.gold] or [0])
    if one.stage == STAGES[3] and scenario.gold:
        text = re.sub(rf"\b{scenario.letters[scenario.gold[0]]}\b(?=\W*$|\W* )", scenario.letters[wrong], text)
    right, other = (re.sub(r"^(the|an?) |\.$", "", option) for option in (scenario.gold_text, scenario.options[wrong]))
    return re.sub(rf"\b{re.escape(right)}\b", lambda _: other, text, flags=re.IGNORECASE)


def _half_left_out(one: Spoilable) -> str:
    spans = sentences(one.text)
    if one.stage != STAGES[0] or len(spans) < 3:
        return one.text
    at = one.rng.below(len(spans) // 2)
    kept = [one.text[start:end] for i, (start, end) in enumerate(spans) if not at <= i <= at + len(spans) // 2]
    return " ".join(kept)


def _another_stage(one: Spoilable) -> str:
    return one.others.get(one.rng.pick([stage for stage in STAGES if stage != one.stage]), one.text)


def _filler_instead(one: Spoilable) -> str:
    named = ("Here comes the {}.", "The {} goes in this place.", "Now the {} is complete.", "(the {})")
    return filler(one.rng) if one.rng.chance(0.7) else one.rng.pick(named).format(TITLES[one.stage].lower())


def _loop(one: Spoilable) -> str:
    last = one.text[slice(*sentences(one.text)[-1])]
    return " ".join((one.text, *[last] * LOOPS)) if len(last.split()) < LONG else one.text


def _story(one: Spoilable) -> str:
    """Copy the whole story, alone or after what is right, or something of another story."""
    if one.stage != STAGES[0]:
        return one.text
    piece = one.foreign[slice(*one.rng.pick(sentences(one.foreign)))]
    return one.rng.pick((one.scenario.story, f"{one.text} {one.scenario.story}", f"{one.text} {piece}", piece))


def _back_filled(one: Spoilable) -> str:
    """Settle on an option first and draw the interpretation from it."""
    if one.stage != STAGES[1]:
        return one.text
    told = one.text if one.text.split()[0] in one.scenario.story.split() else one.text[0].lower() + one.text[1:]
    return f"The answer is {one.scenario.gold_text.rstrip('.')}, so {told}"


RULES: dict[str, tuple[int, Callable[[Spoilable], str]]] = {  # how often, and by what
    "names exchanged": (5, _names_exchanged),
    "of another option": (4, _of_another_option),
    "another stage's text": (2, _another_stage),
    "filler added": (2, lambda one: f"{one.text} {filler(one.rng)}"),
    "filler instead": (1, _filler_instead),
    "half left out": (1, _half_left_out),
    "turned round": (2, lambda one: denied(one.text) if one.stage == STAGES[1] else one.text),
    "loop": (1, _loop),
    "copied or foreign": (1, _story),
    "option-driven back-filling": (1, _back_filled),
}


def spoilt(one: Spoilable) -> tuple[str, str] | None:
    """Spoil it by a rule that is drawn: (rule, wrong text); None where the rule does not apply."""
    rule = one.rng.pick([rule for rule, (often, _) in RULES.items() for _ in range(often)])
    wrong = RULES[rule][1](one).strip()
    return (f"spoilt: {rule}", wrong) if wrong not in ("", one.text.strip()) else None
