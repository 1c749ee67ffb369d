"""Structure: all four stages, in theory order, and no option chosen before the reasoning that should lead to it.

The paper names the goal (structural alignment with Social Information Processing, no "reasoning parasitism")
[paper]; the formula coverage * order * independence and its constants are [ours].
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations, groupby
from math import prod

from socialr1_lite.rewards.component import Component, shorten
from socialr1_lite.rewards.references import references
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply, Span, settled_option, thoughts
from socialr1_lite.sip.evidence import evidence
from socialr1_lite.sip.settling import settled_label
from socialr1_lite.sip.wording import plain
from socialr1_lite.sip.words import phrase_text, words

VERSION = 3  # 3: under its heading an interpretation may use an option's words; 2: settling early goes by position
REPLIES_KEPT = 64  # structure and content both ask for the present stages of a group's replies
NEAR_COPY = 0.8  # [ours] share of common words (Jaccard) from which two stages say the same
INTERPRETATION, RESPONSE = STAGES[1], STAGES[-1]
_CONCLUDES = re.compile(r",? (?:so|hence|thus|therefore|which (?:is|means|makes|leaves)) ", re.IGNORECASE)
_WITHDRAWS = re.compile(r"(?:but|however|no|actually|or|though|on second)\b", re.IGNORECASE)
RETOLD = 0.9  # [ours] probability of encoding or interpretation from which an option's words settle nothing
_CHOOSES = re.compile(  # what makes an option's words an answer under the heading of another stage
    r"\b(?:answers?|options?|choices?|solution|correct|"
    r"(?:i|i'm|we|me|us|my)\b.{0,20} (?:choos|chose|pick|select|settl)\w*|"
    r"(?:i|i'm|me|us)\b.{0,20} go(?:ing)? (?:with|for)|obvious\w*|clearly|definitely|surely|certainly|"
    r"(?:must|has to|have to|can only|got to) be)\b",
    re.IGNORECASE,
)
MUCH_WHITE = 40  # characters within which the next word after a sentence is looked for
DECIDED = 0.8  # [ours] sum of the probabilities of interpretation from which one has been read
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
    Without headings one sentence that is clearly for a stage makes it present, so a closing "It's B." is a response.
    """
    return dict(_present(tuple(map(reply.stage_text, STAGES)), min_words, reply.marked))


@lru_cache(maxsize=REPLIES_KEPT)
def _present(texts: tuple[str, ...], min_words: int, marked: bool) -> dict[str, str]:
    """`present_stages` of the stages' texts."""
    said = {stage: words(text) for stage, text in zip(STAGES, texts, strict=True)}
    least = dict.fromkeys(STAGES, min_words) | ({} if marked else {RESPONSE: 1})
    few = f"words of at least {min_words}"
    reasons = {stage: f"has {len(one)} {few}" if one else "is missing" for stage, one in said.items()}
    long_enough = {stage: frozenset(one) for stage, one in said.items() if len(one) >= least[stage]}
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
    What stands before the first heading does not count. Without headings only a response before any interpretation
    does, as double-checking is no fault: 1 - such stretches of response / all stretches of response.
    """
    ranks = (RANK[one.stage] for one in reply.segments if one.stage is not None and not reply.is_preamble(one))
    sequence = [rank for rank, _ in groupby(ranks)]
    if not reply.marked:
        return _unmarked_order(sequence)
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


def _unmarked_order(sequence: list[int]) -> Component:
    response, interpretation = RANK[RESPONSE], RANK[INTERPRETATION]
    decided = sequence.index(interpretation) if interpretation in sequence else 0
    early = sequence[:decided].count(response)
    if not early:
        return Component(1.0)
    value = 1.0 - early / sequence.count(response)
    return Component(value, notes=(f"order {value:.2f}: {TITLES[RESPONSE]} comes before any {TITLES[INTERPRETATION]}",))


def independence(reply: Reply, scenario: Scenario, *, option_penalty: float = 0.5) -> Component:
    """1 - min(1, option_penalty * sentences that settle on an option early), in [0, 1] [paper names the fault; ours].

    A sentence settles on an option by its label or its words ("it has to be B", "clearly the drawer one"); questions,
    hypotheticals, eliminations and options that are only read out do not (`sip.settling`). Early: before the first
    interpretation, in whatever stage, and with something but response after it.
    """
    found = early_answers(reply, scenario)
    if not found:
        return Component(1.0)
    value = 1.0 - min(1.0, option_penalty * len(found))
    start, end = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    note = f"independence {value:.2f}: early answer: {shorten(reply.text[start:end])!r} at character {start}{more}"
    return Component(value, notes=(note,))


def early_answers(reply: Reply, scenario: Scenario) -> list[Span]:
    """Find where a sentence settles on an option before the reasoning that should lead to it."""
    options, shown = tuple(scenario.options), scenario.letters
    early: list[Span] = []
    waiting: list[Span] = []
    read = 0.0  # how surely an interpretation was read so far
    found = ((one, span) for one in reply.segments for span in thoughts(reply.text, *one.body, shown))
    for segment, span in found if options else ():
        said = reply.text[slice(*span)]
        settled = settled_option(said, options, shown)
        headed = reply.marked and segment.stage == INTERPRETATION and not reply.is_preamble(segment)
        if settled is not None and _is_commitment(reply, span, settled, scenario, headed=headed):
            waiting.append(_reference(reply, span, scenario))
        elif segment.stage is not None and segment.stage != RESPONSE:
            early += waiting  # so it was not the conclusion
            waiting = []
            if segment.stage == INTERPRETATION:
                by_words = reply.is_preamble(segment) or not reply.marked
                read += evidence(said, shown)[1 + RANK[INTERPRETATION]] if by_words else 1.0
                if read >= DECIDED:
                    break
    return early


def _is_commitment(reply: Reply, span: Span, settled: int, scenario: Scenario, *, headed: bool) -> bool:
    """Tell whether what settles on an option is neither retold nor interpreted, nor taken back, nor a conclusion.

    headed: the sentence stands under the heading of interpretation, which speaks for its being one.
    """
    said, shown = reply.text[slice(*span)], scenario.letters
    by_label = settled_label(plain(said, shown)) is not None
    if not by_label and _is_quoted(said, scenario.story):
        return False
    weighed = evidence(said, shown)
    if not by_label and weighed[1] + weighed[1 + RANK[INTERPRETATION]] >= RETOLD:
        return False  # "Ben puts it in the tin", "so she feels hurt": told or interpreted in the option's words
    if not by_label and headed and not _CHOOSES.search(said):
        return False  # "That is why he will feel envy", where an interpretation is announced
    if reply.answer not in (None, settled):
        behind = reply.text[span.end : span.end + MUCH_WHITE].lstrip()
        return by_label and not _WITHDRAWS.match(behind)
    return not _reasoned(said, shown)


def _is_quoted(said: str, story: str) -> bool:
    """Tell whether a sentence, behind what it may open with, is the story's: "I note: Ann left; Ben moved the key."."""
    told = phrase_text(story)
    return all(phrase_text(part) in told for part in said.rpartition(": ")[2].split(";"))


def _reference(reply: Reply, span: Span, scenario: Scenario) -> Span:
    """Return where a sentence names its option; the whole sentence where it does so in words of its own."""
    known = references(scenario.story, scenario.question, tuple(scenario.options))
    first = min(known.find(reply.text[slice(*span)]), key=lambda reference: reference[1], default=None)
    return Span(span.start + first[1], span.start + first[1] + len(first[0])) if first else span


def _reasoned(said: str, shown: str) -> bool:
    """Tell whether a sentence interprets before it concludes: "Ann did not see it, so it is B"."""
    ends = [found.start() for found in _CONCLUDES.finditer(said)]
    return bool(ends) and evidence(said[: ends[-1]], shown)[1 + RANK[INTERPRETATION]] >= DECIDED
