"""Pairs of replies that were read and labelled with care: what a judge should say of them, stage by stage.

Each stage's text stands in the place of the honest reply's. A right one beats a wrong one, and one that was spoilt by a
rule; of the corpus only the train part is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count, groupby

from socialr1_lite.judges.corpus import HONEST, NAMES, LabelledReply, read_corpus
from socialr1_lite.pairs.record import Pair
from socialr1_lite.pairs.spoil import Spoilable, spoilt
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, parse
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.wording import GENDERS, LEXICON

CLEARLY = 0.5  # least difference of two labels
MOST, SPOILT = 6, 2  # pairs of read texts for one stage of a scenario; tries to spoil each right text


def corpus_pairs(seed: int) -> Iterator[Pair]:
    """Make the pairs of the corpus' train part over and over, each time with other names and other spoilt texts."""
    replies = [reply for name in NAMES for reply in read_corpus(name, "train")]
    for copy in count() if replies else ():
        yield from labelled_pairs(replies, f"{seed} {copy}")


def labelled_pairs(replies: Iterable[LabelledReply], seed: str = "") -> Iterator[Pair]:
    """Yield the pairs of labelled replies; those to one scenario stand together. seed: of names and what is spoilt."""
    foreign = ""
    for _, group in groupby(replies, key=lambda reply: reply.scenario.id):
        together = list(group)
        rng = Rng(f"{together[0].scenario.id} read {seed}")
        named = _renaming(together[0].scenario, rng)
        scenario = _renamed(together[0].scenario, named, seed)
        read = [({stage: named(text) for stage, text in _stages(one).items()}, one) for one in together]
        honest = next((stages for stages, one in read if one.kind == HONEST), {})
        for stage in STAGES if honest else ():
            texts = {stages[stage]: (one.labels.get(stage, 0.5), one.kind) for stages, one in read if stage in stages}
            pairs = [
                (f"read: {kind}", right, wrong)
                for right, (high, _) in texts.items()
                for wrong, (low, kind) in texts.items()
                if high - low >= CLEARLY
            ]
            pairs = rng.sample(pairs, MOST)
            for text in [text for text, (label, _) in texts.items() if label == 1 and foreign] * SPOILT:
                made = spoilt(Spoilable(scenario, stage, text, honest, foreign, rng))
                pairs += [(made[0], text, made[1])] if made else []
            context = {name: text for name, text in honest.items() if name != stage}
            for kind, chosen, rejected in dict.fromkeys(pairs):
                yield Pair(scenario, stage, chosen, rejected, kind, "corpus", context, scenario.gold_text)
        foreign = scenario.story


def _stages(reply: LabelledReply) -> dict[str, str]:
    """Return the text of each stage that the reply has; of thinking without headings, by its labelled sentences."""
    if reply.sentences:
        said = {stage: " ".join(text for text, of in reply.sentences if of == stage) for stage in STAGES}
    else:
        parsed = parse(reply.completion, reply.scenario.options)
        said = {stage: parsed.stage_text(stage).strip() for stage in STAGES}
    return {stage: text for stage, text in said.items() if text}


def _renaming(scenario: Scenario, rng: Rng) -> Callable[[str], str]:
    """Draw other names for the people of a generated story; who is not known to be called what keeps the name."""
    people = scenario.facts.people if scenario.facts else ()
    taken, names = set(people), dict[str, str]()
    for name in people:
        alike = [one for one in LEXICON["train"].people if GENDERS[one] == GENDERS.get(name) and one not in taken]
        names[name] = rng.pick(alike) if alike else name
        taken.add(names[name])
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    return (lambda text: pattern.sub(lambda match: names[match[0]], text)) if names else (lambda text: text)


def _renamed(scenario: Scenario, named: Callable[[str], str], seed: str) -> Scenario:
    """Return the scenario with the names, a twin of what it was, without facts: a reward model does not see them."""
    story, question, *options = map(named, (scenario.story, scenario.question, *scenario.options))
    again = replace(scenario, story=story, question=question, options=tuple(options), facts=None)
    return replace(again, id=f"{scenario.id} {seed}", twins=(scenario.id,))
