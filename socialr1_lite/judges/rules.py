"""The `rules` judge: scores the stages by the text of story, question and options alone; no model, no world [ours].

Every stage is scored as (what the stage is for) * (share of its words that are about this scenario) * (no invented
names or things). A sentence that speaks to a judge instead of about the story costs its whole stage. The rules
know nothing of gold: they hold a reply to the story and to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.lexicon import INJECTION, REASONING
from socialr1_lite.judges.reading import Clause, Sentence, World, read, world_of
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply

# All constants are [ours]; tests/rewards/test_hacks.py shows that every hack of REWARDS.md loses under them.
SUPPORTED = 0.6  # share of a cue's content found in one or two clauses of the story: fully supported
UNSUPPORTED = 0.3  # at or below: invented
CONFLICT = 0.3  # share of the common words under an opposite sign: the cue denies what the story says
QUOTED = 0.8  # share of a clause's content that makes it repeated
FREE_SHARE = 0.7  # share of the story's clauses that may be repeated before it stops being a selection
COPY_WORTH = 0.2  # what is left when every clause is repeated
ABOUT = 0.5  # share of a sentence's weighty words that the scenario has: fully about it
STRANGER_WORTH = 0.5  # factor for each stage with an invented name or thing
NEUTRAL = 0.5  # an interpretation that says nothing of any option
OTHER_MIND = 0.3  # a state of mind of somebody, but not of whom the question asks about
LOWER_ORDER = 0.6  # the thought about a thought is missing
DISAGREES = 0.2  # factor for a response at odds with the interpretation


class Agreement(NamedTuple):
    """How a text stands to the options: value in [0, 1] for the chosen one; favoured: the option it speaks for."""

    value: float
    favoured: int | None


class RulesJudge:
    """Scores stages by rules over the text. English only: other scenarios get no score, which is not 0."""

    name = "rules"

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """One verdict for each reply; never fails."""
        world = world_of(scenario)
        if not world.english:
            return [Verdict(dict.fromkeys(STAGES), ("rules: reads English only",)) for _ in replies]
        return [_judge(reply, world) for reply in replies]


def _judge(reply: Reply, world: World) -> Verdict:
    """Read the stages in order, then hold each to the story, to the answer and to the stages before it."""
    told: set[str] = set()
    stages = {}
    worth = {}
    notes: list[str] = []
    for stage in STAGES:
        text = reply.stage_text(stage)
        stages[stage] = read(text, world) if text else []
        worth[stage] = _worth(stage, text, stages[stage], world, told, notes)
    cues, interpretation, goal, response = (stages[stage] for stage in STAGES)
    chosen = reply.answer
    thought = _interpreted(interpretation, world, chosen)
    said = _said(response, world, chosen)
    purpose = {
        "cue_encoding": _cues(cues, world, notes),
        "cue_interpretation": _interpretation(interpretation, world, thought, notes),
        "goal_clarification": _goal(goal, world, notes),
        "response_generation": _response(interpretation, response, world, thought, said, chosen, notes),
    }
    return Verdict({stage: purpose[stage] * worth[stage] for stage in STAGES}, tuple(notes))


# ---------------------------------------------------------------------------------------- for every stage


def _worth(
    stage: str, text: str, said: Sequence[Sentence], world: World, told: set[str], notes: list[str]
) -> float:
    """Share of a stage's words that are about the scenario and not said before, times the cost of inventions."""
    if not said:
        return 0.0
    if INJECTION.search(text) and not _is_of_story(text, world):
        notes.append(f"{TITLES[stage]} 0.00: speaks to a judge instead of about the story")
        return 0.0
    size = about = 0.0
    strangers: list[str] = []
    for sentence in said:
        size += sentence.size
        key = " ".join(sentence.text.split()).lower()
        if key not in told:
            about += sentence.size * _about(sentence, world)
        told.add(key)
        strangers.extend(sentence.strangers)
    value = about / size if size else 0.0
    if value < 0.75:
        notes.append(
            f"{TITLES[stage]}: {1 - value:.0%} of its words are not about this story, or were said before"
        )
    if strangers:
        named = ", ".join(sorted(set(strangers))[:3])
        notes.append(f"{TITLES[stage]}: names what neither story nor question has: {named}")
        value *= STRANGER_WORTH
    return value


def _about(sentence: Sentence, world: World) -> float:
    """Share of the weighty words (no words of reasoning) that the scenario has, scaled so that `ABOUT` is enough."""
    specific = len(sentence.content & world.specific)
    if not specific:
        return 0.0
    weighty = specific + sum(one not in world.known and one not in REASONING for one in sentence.content)
    return min(1.0, specific / weighty / ABOUT)


# --------------------------------------------------------------------------------------------- 1: cues


def _cues(said: Sequence[Sentence], world: World, notes: list[str]) -> float:
    """Word-weighted support of the cue sentences by the story, times selectivity."""
    size = sum(sentence.size for sentence in said)
    if not size or not world.clauses:
        return 0.0
    supports = [_support(sentence, world) for sentence in said]
    value = sum(support * sentence.size for support, sentence in zip(supports, said, strict=True)) / size
    invented = [sentence.text for support, sentence in zip(supports, said, strict=True) if support < 0.5]
    if invented:
        notes.append(
            f"Cue Encoding: {len(invented)} of {len(said)} cues are not in the story: {_quote(invented[0])}"
        )
    selective = _selectivity(said, world)
    if selective < 1.0:
        notes.append(
            f"Cue Encoding: repeats the story instead of choosing from it (selectivity {selective:.2f})"
        )
    return value * selective


def _support(cue: Sentence, world: World) -> float:
    """How well the story says what the cue says, in [0, 1]: shared content, the same people, the same negations."""
    wanted = frozenset(one for one in cue.content if one in world.known or one not in REASONING)
    if not wanted:
        return 0.0
    first = _best(wanted, world)
    if first is None:
        return 0.0
    rest = wanted - first.content
    second = _best(rest, world) if rest else None
    found = wanted & first.content
    people = first.people
    signed = first.signed
    if second is not None:
        found |= wanted & second.content
        people |= second.people
        signed |= second.signed
    if not cue.people <= people or _denied(cue.signed, signed) > CONFLICT:
        return 0.0
    return _ramp(len(found) / len(wanted), UNSUPPORTED, SUPPORTED)


def _best(wanted: frozenset[str], world: World) -> Clause | None:
    """The clause that shares most with `wanted`; of equals the shorter one, then the earlier one."""
    shared: dict[int, int] = {}
    for one in wanted:
        for number in world.mentions.get(one, ()):
            shared[number] = shared.get(number, 0) + 1
    if not shared:
        return None
    return world.clauses[
        max(shared, key=lambda number: (shared[number], -len(world.clauses[number].content), -number))
    ]


def _denied(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of the common words that stand under a negation on one side only."""
    same = len(one & other)
    opposed = sum(_flip(word) in other and word not in other for word in one)
    return opposed / (same + opposed) if opposed else 0.0


def _selectivity(said: Sequence[Sentence], world: World) -> float:
    """1 up to `FREE_SHARE` of the story's clauses repeated, then falling; a story of one clause cannot be selected from."""
    if len(world.clauses) < 2:
        return 1.0
    repeated = frozenset().union(*(sentence.content for sentence in said))
    quoted = sum(len(clause.content & repeated) >= QUOTED * len(clause.content) for clause in world.clauses)
    excess = _ramp(quoted / len(world.clauses), FREE_SHARE, 1.0)
    return 1.0 - (1.0 - COPY_WORTH) * excess


# ------------------------------------------------------------------------------------- 2: interpretation


def _interpretation(said: Sequence[Sentence], world: World, thought: Agreement, notes: list[str]) -> float:
    """Whose mind, and what is in it: a state of mind of the asked person that agrees with the answer given."""
    chains = [attribution.chain for sentence in said for attribution in sentence.attributions]
    known = [chain for chain in chains if chain[0] in world.people]
    if not known:
        if said:
            notes.append("Cue Interpretation: attributes no state of mind to anybody in the story")
        return 0.0
    mind = 1.0
    if world.asked:
        held = [chain for chain in known if chain[0] == world.asked[0]]
        if not held:
            notes.append(f"Cue Interpretation: says nothing of what {world.asked[0][1:].title()} has in mind")
            mind = OTHER_MIND
        elif len(world.asked) > 1 and not _nests(said, world.asked):
            notes.append(
                f"Cue Interpretation: leaves out what is thought of {world.asked[1][1:].title()}'s mind"
            )
            mind = LOWER_ORDER
    if thought.value < NEUTRAL:
        notes.append("Cue Interpretation: speaks against the answer that is given")
    return mind * thought.value


def _nests(said: Sequence[Sentence], asked: tuple[str, ...]) -> bool:
    """Whether the asked person's thought about the second person is told."""
    return any(
        attribution.chain[0] == asked[0]
        and (asked[1] in attribution.chain[1:] or _names(attribution, asked[1]))
        for sentence in said
        for attribution in sentence.attributions
    )


def _names(attribution: tuple[tuple[str, ...], frozenset[str], bool], person: str) -> bool:
    return person in attribution[1] or "!" + person in attribution[1]


def _interpreted(said: Sequence[Sentence], world: World, chosen: int | None) -> Agreement:
    """What the asked person's states of mind say of the options; without any, what the stage says at all."""
    if not world.marks:
        return Agreement(1.0, None)
    asked = world.asked[0] if world.asked else None
    held = [
        attribution
        for sentence in said
        for attribution in sentence.attributions
        if asked is None or attribution.chain[0] == asked
    ]
    for perceiving in (False, True):  # what is believed outweighs what was seen
        signs = _union(attribution.said for attribution in held if attribution.perceiving is perceiving)
        agreement = _agreement(signs, world, chosen)
        if agreement.value != NEUTRAL:
            return agreement
    return _agreement(_union(sentence.signed for sentence in said), world, chosen)


def _agreement(signs: frozenset[str], world: World, chosen: int | None) -> Agreement:
    """1 when the signed words speak for the chosen option and more than for any other; 0 when against it."""
    if chosen is None or chosen >= len(world.marks):
        return Agreement(0.0, None)
    speaks = [_speaks(mark, signs) for mark in world.marks]
    if not any(speaks):
        return Agreement(NEUTRAL, None)
    best = max(speaks)
    own = speaks[chosen]
    if own <= 0.0:
        return Agreement(0.0, speaks.index(best) if best > 0.0 else None)
    rival = max((one for index, one in enumerate(speaks) if index != chosen), default=0.0)
    if own > rival:
        return Agreement(1.0, chosen)
    return Agreement(NEUTRAL if own == rival else 0.0, chosen if own == rival else speaks.index(best))


def _speaks(mark: frozenset[str], signs: frozenset[str]) -> float:
    """Share of an option's words said, minus the share denied, in [-1, 1]."""
    if not mark:
        return 0.0
    return (len(mark & signs) - sum(_flip(one) in signs for one in mark)) / len(mark)


# ------------------------------------------------------------------------------------------------ 3: goal


def _goal(said: Sequence[Sentence], world: World, notes: list[str]) -> float:
    """Names whose goal, uses a word of wanting or asking, and is about what the question is about."""
    if not said:
        return 0.0
    people = _union(sentence.people for sentence in said)
    whose = bool(people & world.people) if not world.asked else world.asked[0] in people
    wants = any(sentence.goal for sentence in said)
    content = _union(sentence.content for sentence in said)
    about = frozenset(one for one in world.question | world.options if one[0] != "@")
    grounded = min(1.0, len(content & about) / min(2, len(about))) if about else 1.0
    if not whose:
        notes.append("Goal Clarification: does not name the person that the question asks about")
    if not wants:
        notes.append("Goal Clarification: says nothing of a goal or of what is asked")
    return (0.4 * whose + 0.3 * wants + 0.3 * grounded) if whose or wants else 0.3 * grounded


# -------------------------------------------------------------------------------------------- 4: response


def _said(said: Sequence[Sentence], world: World, chosen: int | None) -> Agreement:
    """What the response says of the options."""
    if not world.marks:
        return Agreement(1.0, None)
    return _agreement(_union(sentence.signed for sentence in said), world, chosen)


def _response(
    interpretation: Sequence[Sentence],
    response: Sequence[Sentence],
    world: World,
    thought: Agreement,
    said: Agreement,
    chosen: int | None,
    notes: list[str],
) -> float:
    """Leads to the answer given, and to what the interpretation says."""
    if not response:
        return 0.0
    value = said.value
    if value < NEUTRAL:
        notes.append("Response Generation: speaks for another option than the answer")
    held = _union(one.said for sentence in interpretation for one in sentence.attributions)
    against = thought.favoured is not None and thought.favoured != chosen
    if against or _denied(_union(sentence.signed for sentence in response), held) > NEUTRAL:
        notes.append("Response Generation: contradicts Cue Interpretation")
        value *= DISAGREES
    return value


# ----------------------------------------------------------------------------------------------- small


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _flip(one: str) -> str:
    return one[1:] if one[0] == "!" else "!" + one


def _ramp(value: float, low: float, high: float) -> float:
    """0 at `low` and below, 1 at `high` and above, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _quote(text: str, limit: int = 60) -> str:
    line = " ".join(text[: 4 * limit].split())
    return repr(line if len(line) <= limit else line[: limit - 1] + "…")


def _is_of_story(text: str, world: World) -> bool:
    return False
