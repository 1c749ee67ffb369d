"""Structure: all four stages, in theory order, and no option chosen before the reasoning that should lead to it.

The paper names the goal (structural alignment with Social Information Processing, no "reasoning parasitism")
[paper]; the formula coverage * order * independence and its constants are [ours].
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, groupby
from math import prod

from socialr1_lite.rewards.component import Component, shorten
from socialr1_lite.rewards.references import references
from socialr1_lite.rewards.words import words
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply

REPLIES_KEPT = 64  # structure and content both ask for the present stages of a group's replies
NEAR_COPY = 0.8  # [ours] share of common words (Jaccard) from which two stages say the same
RESPONSE = STAGES[-1]
RANK = {stage: rank for rank, stage in enumerate(STAGES)}


def structure(reply: Reply, scenario: Scenario, *, min_words: int = 4, option_penalty: float = 0.5) -> Component:
    """R_struct = coverage * order * independence, in [0, 1] [ours]."""
    factors = {
        "structure.coverage": coverage(reply, min_words=min_words),
        "structure.order": order(reply),
        "structure.independence": independence(reply, scenario, option_penalty=option_penalty),
    }
    parts = {name: factor.value for name, factor in factors.items()}
    notes = tuple(note for factor in factors.values() for note in factor.notes)
    return Component(prod(value or 0.0 for value in parts.values()), parts, notes)


def present_stages(reply: Reply, *, min_words: int = 4) -> dict[str, str]:
    """Stage -> why it does not count as present ("" when it does), in theory order.

    Present: at least `min_words` words, and not a near-copy of another stage's text. Of stages that copy each other
    none counts: which of them is the copy cannot be known. Near-copy: the two sets of words overlap by `NEAR_COPY`.
    """
    return dict(_present(tuple(map(reply.stage_text, STAGES)), min_words))


@lru_cache(maxsize=REPLIES_KEPT)
def _present(texts: tuple[str, ...], min_words: int) -> dict[str, str]:
    """`present_stages` of the stages' texts."""
    said = {stage: words(text) for stage, text in zip(STAGES, texts, strict=True)}
    few = f"words of at least {min_words}"
    reasons = {stage: f"has {len(one)} {few}" if one else "is missing" for stage, one in said.items()}
    long_enough = {stage: frozenset(one) for stage, one in said.items() if len(one) >= min_words}
    reasons |= dict.fromkeys(long_enough, "")
    for one, other in combinations(long_enough, 2):
        both = long_enough[one], long_enough[other]
        if len(frozenset.intersection(*both)) / len(frozenset.union(*both)) >= NEAR_COPY:
            reasons[one] = reasons[one] or f"says the same as {TITLES[other]}"
            reasons[other] = reasons[other] or f"says the same as {TITLES[one]}"
    return reasons


def coverage(reply: Reply, *, min_words: int = 4) -> Component:
    """Stages present / 4, in {0, 1/4, 1/2, 3/4, 1}."""
    reasons = present_stages(reply, min_words=min_words)
    missing = [f"{TITLES[stage]} {why}" for stage, why in reasons.items() if why]
    value = 1.0 - len(missing) / len(STAGES)
    return Component(value, notes=(f"coverage {value:.2f}: {'; '.join(missing)}",) if missing else ())


def order(reply: Reply) -> Component:
    """1 - inversions / largest possible number, over the sequence of segments, in [0, 1].

    Segments of one stage that follow each other count once. An inversion is a pair of segments whose earlier one
    belongs to a later stage. The largest possible number is that of the same segments in descending order, i.e. the
    number of pairs of different stages; where there is no such pair, order is 1. Linear in the number of segments.
    """
    sequence = [rank for rank, _ in groupby(RANK[one.stage] for one in reply.segments if one.stage is not None)]
    seen = [0] * len(STAGES)
    inversions = pairs = 0
    first: tuple[int, int] | None = None
    for place, rank in enumerate(sequence):
        later = sum(seen[rank + 1 :])
        inversions += later
        pairs += place - seen[rank]
        if later and first is None:
            first = (max(other for other in range(rank + 1, len(STAGES)) if seen[other]), rank)
        seen[rank] += 1
    if first is None:
        return Component(1.0)
    value = 1.0 - inversions / pairs
    before, after = (TITLES[STAGES[rank]] for rank in first)
    return Component(value, notes=(f"order {value:.2f}: {before} comes before {after}",))


def independence(reply: Reply, scenario: Scenario, *, option_penalty: float = 0.5) -> Component:
    """1 - min(1, option_penalty * references to options outside Response Generation), in [0, 1].

    A reference is a label ("option B", "(B)", "answer is B") or an option's full text of at least three words,
    neither of which is itself a phrase of the story or the question; "the answer is ..." before anything
    was reasoned is one as well, whatever follows [ours]. Counted in every stretch but the response's, wherever it
    stands, so that an empty Response Generation put first exempts nothing.
    """
    if not scenario.options:
        return Component(1.0)
    known = references(scenario.story, scenario.question, scenario.options)
    outside = [segment for segment in reply.segments if segment.stage != RESPONSE]
    found = [(what, one.body.start + at) for one in outside for what, at in known.find(reply.body(one))]
    if not found:
        return Component(1.0)
    value = 1.0 - min(1.0, option_penalty * len(found))
    what, where = min(found, key=lambda reference: reference[1])
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    note = f"independence {value:.2f}: early answer: {shorten(what)!r} at character {where}{more}"
    return Component(value, notes=(note,))
