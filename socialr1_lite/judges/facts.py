"""The `facts` judge: holds every stage to the generated story's own world. It needs no model [ours].

Each stage is read by clauses (`language.clauses`) and held to the world (`language.world`). Cue Encoding: are the
decisive events there, and did all that it tells happen so? Cue Interpretation: does the right chain of people hold the
right value, and is nothing stated that the world denies? Goal Clarification: does the right person want the right
thing, or is what is asked said? Response Generation: does it say the answered option, and does that follow? Sentences
that name nobody and nothing of the story dilute a stage, and so do words to a judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import sqrt

from socialr1_lite.judges.addressed import judged_unaddressed
from socialr1_lite.judges.base import Verdict
from socialr1_lite.judges.language.clauses import Clause, Read, Thing, read_clauses
from socialr1_lite.judges.language.lexicon import ANSWERING, REASONING, letters_in, stems
from socialr1_lite.judges.language.verbs import FREE, GOOD, OPPOSED, UNSAID, feelings_in, kin
from socialr1_lite.judges.language.world import (
    VAGUE,
    Event,
    State,
    Statement,
    World,
    bare,
    chains_of,
    statements,
    world_of,
    world_of_facts,
)
from socialr1_lite.scenario import Facts, Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply

# All constants are [ours]; tests/judges/test_facts.py shows that every hack loses under them (docs/rewards.md).
NO_RECALL = 0.4  # cues: mean recall that is worth nothing, as names alone reach it
NAMES_ONLY = 0.6  # cues: factor for a decisive sentence of which no verb, or one like it, is told
FREE_EXTRAS = 0.3  # share of the story's other sentences that may be repeated at no cost
UNTRUE_CUE = 0.35  # cues: factor for the first thing told that did not happen so, and half as much for each more
OTHER_ONLY = 0.35  # interpretation: only other mental states than the decisive one, and those right
IMPLIED = 0.75  # interpretation: the decisive value and the one who holds it, though not in a clause that can be read
PLAIN = 0.9  # interpretation: the fact that is asked for, in nobody's mind
CONTRADICTED = 0.2  # interpretation: both the decisive claim and its contrary
TOO_DEEP = 0.8  # interpretation: the decisive value also within a further mind, of which the story says nothing
WRONG_CLAIM = 0.5  # interpretation: factor for each further statement that the world denies
OTHER_GOAL = 0.1  # goal: the right person wants something else, or another person wants it
ASKED = 0.9  # goal: says what is asked, and nobody's wish
UNCLEAR = 0.2  # response: names no option, but something of the story
FOREIGN = 0.02  # what a word costs that neither the story nor any table has, up to `MOST_FOREIGN`
MOST_FOREIGN = 0.3
UNKNOWN_ENTITY_FACTOR = 0.5  # factor for a stage that names what the story does not know
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
ENOUGH_WORDS = 0.5  # share of a decisive sentence's words that is enough: nobody says them all
SUPPORTED = 0.5  # share of a cue's words and names that one story sentence must have
FIRST = re.compile(r"\b(?:I|I'm|I’m|I've|we|We|we're|We're|we’re|us|our|me)\b")
OTHER_ASKED = 0.6  # goal: at most, where the question is taken for another, or a wish is none of the accepted
TURNED = 0.05  # goal: at most, where it is turned round
EVERYWHERE = stems("really go say end last want do")
ASPECTS = frozenset(("see", "miss", "know", "unknow", "feel", "believe"))  # "wants Ben to know", "wants Ben to miss it"
LEAD = re.compile(r"^(?:(?:so|now|again|then|and|but|well|thus|hence|here|therefore)\W+)+", re.IGNORECASE)


class FactsJudge:
    """Scores the stages of replies to generated stories. A scenario without facts gets no score, which is not 0."""

    name = "facts"
    version = 8
    offline = True
    audit_floor = 1.0

    def judge(self, replies: Sequence[Reply], scenario: Scenario) -> list[Verdict]:
        """Return one verdict for each reply; never fails."""
        if scenario.facts is None:
            return [Verdict(dict.fromkeys(STAGES), ("facts: this scenario has none",)) for _ in replies]
        world = world_of(scenario, scenario.facts)
        judge = partial(_judge, scenario=scenario, facts=scenario.facts, world=world)
        return [judged_unaddressed(reply, scenario, partial(judge, reply)) for reply in replies]


def _judge(reply: Reply, texts: Sequence[str], scenario: Scenario, facts: Facts, world: World) -> Verdict:
    """Read the stages in order, then hold each to the world, to the question and to the stages before it."""
    notes: list[str] = []
    said_before: set[str] = set()
    right = reply.answer in scenario.gold
    cues, thought, goal, response = reads = [read_clauses(text, world.vocabulary) if text else [] for text in texts]
    relevance = [
        _relevance(stage, text, read, world, said_before, notes)
        for stage, text, read in zip(STAGES, texts, reads, strict=True)
    ]
    meant, contrary = _interpretation(thought, world, notes, right=right)
    purpose = (
        _cues(texts[0], cues, facts, world, notes),
        meant,
        max(_goal(goal, world, notes), _goal([read for read in goal if not _retold(read, world)], world, [])),
        _response(texts[3], response, reply, scenario, world, notes) * (CONTRADICTED if contrary else 1.0),
    )
    return Verdict(
        {stage: one * other for stage, one, other in zip(STAGES, purpose, relevance, strict=True)}, tuple(notes)
    )


# ---------------------------------------------------------------------------------------- for every stage


def _relevance(
    stage: str, text: str, reads: Sequence[Read], world: World, said_before: set[str], notes: list[str]
) -> float:
    """Return how much of a stage is about this story and new; an unknown entity halves it."""
    if not text:
        return 0.0
    size = about = 0
    strangers: set[str] = set()
    for read in reads:
        size += read.size
        key = LEAD.sub("", " ".join(read.text.lower().split()))
        answers = read.naming and bool(letters_in(read.text) or ANSWERING.search(read.text))
        if stage == STAGES[3]:
            counts = read.anchors or answers or read.words & world.options or _retold(read, world)
        else:  # what names the answer early is no reason for it
            about_it = read.anchors or _asks(read, world) > 0.0 or _retold(read, world)
            counts = about_it and not (answers and stage != STAGES[2])
        if counts and key not in said_before:
            about += read.size
        said_before.add(key)
        strangers.update(read.strangers)
    foreign = 0 if stage == STAGES[3] else sum(read.foreign for read in reads)
    value = (about / size) * (1.0 - min(MOST_FOREIGN, FOREIGN * foreign)) if size else 0.0
    if value < 0.75:
        notes.append(f"{TITLES[stage]}: {1 - value:.0%} of its words are not about this story, or were said before")
    if strangers:
        notes.append(f"{TITLES[stage]}: names what the story does not have: {', '.join(sorted(strangers)[:3])}")
        value *= UNKNOWN_ENTITY_FACTOR
    return value


def _asks(read: Read, world: World) -> float:
    """Return `ASKED` where a sentence says what is asked, a little less than nothing where it says something else."""
    if not (read.words & FREE or FIRST.search(read.text)) or _retold(read, world):
        return 0.0
    shared = read.words & world.question
    about = len(shared - REASONING) + 0.5 * len(shared & REASONING - EVERYWHERE) + len(read.named & world.asked)
    known = world.asked.union(*(goal.chain for goal in world.goals))
    if read.named & world.vocabulary.people.keys() - known and not read.named & known:
        return -ASKED
    order = world.order and {"first", "last"} & {purpose for clause in read.clauses for purpose in clause.purposes}
    if order and not order & world.order:
        return -ASKED
    return ASKED if about >= 1.0 or (about and read.anchors) else ASKED * ASKED * bool(about)


def _retold(read: Read, world: World) -> bool:
    return any(read.text == one.text for one in world.story)


def _untrue(clause: Clause, world: World) -> str:
    """Return what a clause tells that did not happen so: who moved what where, who saw or heard it, who left."""
    if clause.excluded or clause.supposed or clause.future or not world.events:
        return ""
    verbs = [holder.verb for holder in clause.chain]
    places = [one for one in clause.things if one.name in world.places]
    things = {one.name for one in clause.things if one.name not in world.places}
    if verbs and verbs[-1] in ("see", "miss"):
        return "" if len(verbs) > 1 or clause.verb == "look" else _unseen(clause, places, things, world)
    if verbs == ["say"] and len(clause.others) == 1 and not (clause.denied or clause.passive):
        teller, hearer = clause.chain[0].who[0], clause.others[0]
        if teller != hearer and not any((one, other) in world.told for one in teller for other in hearer[:1]):
            return f"{teller[0]} told {hearer[0]}"
    if verbs or clause.denied:
        return ""
    going = clause.verb == "move" or (clause.verb == "leave" and things) or (clause.verb == "be" and clause.past)
    if places and going and (things or clause.passive or "it" in clause.classes):
        actors = {name for who in clause.subject for name in who} if clause.verb == "move" else set()
        if not any(_fits(event, actors, places, things) for event in world.events):
            return f"{' and '.join(sorted(actors)) or 'something'}: {', '.join(one.name for one in places)}"
    elif (
        clause.verb == "move"
        and not places
        and clause.things == []
        and {"it", "there"} & clause.classes
        and len(clause.subject) == 1
    ):
        if not any(event.actor == clause.subject[0][0] for event in world.events) and all(
            event.actor for event in world.events if event.source
        ):
            return f"{clause.subject[0][0]} moved it"
    elif clause.verb == "look" and places and clause.own and not _does(clause, places[0].name, world):
        return f"{clause.subject[0][0]} looked into the {places[0].name}"
    elif clause.verb == "leave" and [len(who) for who in clause.subject] == [1] and not {"be", "it"} & clause.classes:
        stayed = clause.subject[0][0] not in world.left and not (clause.things or clause.others)
        return f"{clause.subject[0][0]} did not leave" if stayed else ""
    return ""


def _does(clause: Clause, place: str, world: World) -> bool:
    """Return whether somebody of these does such a thing in the story."""
    doers = {name for who in clause.subject for name in who}
    return any(doers & read.named and (f"#{clause.verb}" in read.words or place in read.named) for read in world.story)


def _fits(event: Event, actors: set[str], places: Sequence[Thing], things: set[str]) -> bool:
    if (actors and event.actor not in actors) or (things and event.things and not things & event.things):
        return False
    if len(places) > 1 and places[0].role == "subject" and places[1].role == "in":
        return False  # "the basket was in the box"
    return all(
        one.name == (event.source if one.role == "from" else event.target) or one.role not in ("from", "in", "to")
        for one in places
    )


def _unseen(clause: Clause, mentioned: Sequence[Thing], things: set[str], world: World) -> str:
    """Return whose sight of what is untrue: "saw it go into the box" of somebody who saw no such move."""
    holder = clause.chain[-1]
    moves = [event for event in world.events if event.source]
    told_so = things or "it" in clause.classes
    places = [one.name for one in mentioned if one.role == "in" or (told_so and one.role in ("to", ""))]
    heard = "hear" in clause.words
    if heard and len(clause.others) == 1 and len(clause.others[0]) == 1 and clause.others[0][0] != holder.who[0][0]:
        return (
            ""
            if holder.denied or (clause.others[0][0], holder.who[0][0]) in world.told
            else f"{clause.others[0][0]} told it"
        )
    if places:
        events = [
            one
            for one in world.events
            if one.target in places and (one.things or heard) and (not things or not one.things or things & one.things)
        ]
    else:
        sources = {one.name for one in mentioned if one.role == "from"}
        of_it = [one for one in moves if not things or things & one.things]
        events = [one for one in of_it if one.source in sources] or of_it or moves
        if "move" not in clause.classes or not events:
            return ""
    movers = {name for who in clause.subject for name in who} if clause.verb == "move" else set()
    if movers and events and all(event.actor and event.actor not in movers for event in events):
        return f"{' and '.join(sorted(movers))} moved it"
    for who in holder.who:
        seen = [who[0] in event.saw for event in events]
        missed = (holder.denied != (holder.verb == "miss")) != clause.denied
        if (missed and seen and all(seen)) or (not missed and not any(seen) and (moves or places)):
            return f"{who[0]} {'saw' if missed else 'did not see'} that"
    return ""


# --------------------------------------------------------------------------------------------- 1: cues


def _cues(text: str, reads: Sequence[Read], facts: Facts, world: World, notes: list[str]) -> float:
    """Return recall of the decisive events, less for what did not happen so, times selectivity."""
    if not reads:
        return 0.0
    own = [read for read in reads if not _retold(read, world)]
    untrue = {read.text: why for read in own for clause in read.clauses if (why := _untrue(clause, world))}
    true = [read for read in reads if read.text not in untrue]
    recalls = [_recall(world.story[i], true) for i in facts.cues]
    told = sum(recalls) / len(recalls) if recalls else 1.0
    recall = sqrt(max(0.0, (told - NO_RECALL) / (1.0 - NO_RECALL)))  # soon much, and less for the last of it
    others = [i for i in range(len(world.story)) if i not in facts.cues and i not in facts.contrast]
    parts = _parts(text, reads, [world.story[i] for i in facts.cues], world)
    repeated = sum(any(_repeats(part, world.story[i]) for part in parts) for i in others)
    share = repeated / len(others) if others else 0.0
    selective = 1.0 - max(0.0, share - FREE_EXTRAS) / (1.0 - FREE_EXTRAS)  # the whole story is no choice: nothing
    if told < 0.9:
        missed = facts.cues[min(range(len(recalls)), key=recalls.__getitem__)]
        notes.append(
            f"Cue Encoding: recall {told:.2f} of {len(recalls)} decisive cues; misses: {facts.sentences[missed]}"
        )
    if untrue:
        notes.append(f"Cue Encoding: tells what the story does not: {next(iter(untrue.values()))}")
    if selective < 1.0:
        notes.append(f"Cue Encoding: repeats {repeated} of the {len(others)} sentences that decide nothing")
    return recall * UNTRUE_CUE ** min(len(untrue), 2) * selective


def _parts(text: str, reads: Sequence[Read], decisive: Sequence[Read], world: World) -> Sequence[Read]:
    """Split at semicolons, so that many decisive sentences in one do not make up another; what tells none, whole."""
    if ";" not in text:
        return reads
    parts = read_clauses(text.replace(";", "\n"), world.vocabulary)
    rest = " ".join(part.text for part in parts if not any(_repeats(part, one) for one in decisive))
    return [*parts, *read_clauses(rest, world.vocabulary)]


def _recall(sentence: Read, reads: Sequence[Read]) -> float:
    """Return how much of a decisive sentence the cues tell, in [0, 1]: who and what together, and what is done."""
    entities, words = sentence.named, sentence.words
    best = everything = 0.0
    for before, read in zip((None, *reads), reads, strict=False):
        near = read.entities | before.entities if before else read.entities
        best = max(best, len(entities & near) / len(entities) if entities else 1.0)
    told = frozenset().union(*(read.entities for read in reads))
    said = frozenset().union(*(read.words for read in reads))
    everything = len(entities & told) / len(entities) if entities else 1.0
    share = len(words & said) / len(words) if words else 1.0
    done = {word for word in words if word.startswith("#")}
    factor = NAMES_ONLY if done and done.isdisjoint(said) else 1.0
    return factor * (0.4 * best + 0.3 * everything + 0.3 * min(1.0, share / ENOUGH_WORDS)) if best else 0.0


def _repeats(read: Read, sentence: Read) -> bool:
    if not sentence.words:
        return sentence.named == read.named
    return sentence.named <= read.entities and len(sentence.words & read.words) >= 0.75 * len(sentence.words)


def supporting_sentence(cue: str, facts: Facts) -> str | None:
    """Return the story's sentence that a cue says, or its first part that fits; None for an invented one."""
    world = world_of_facts(facts)
    for read in read_clauses(cue, world.vocabulary):
        if read.strangers or any(_untrue(clause, world) for clause in read.clauses):
            continue
        shares = [_alike(read, sentence) for sentence in world.story]
        best = max(range(len(shares)), key=shares.__getitem__, default=0)
        denies = any(clause.denied for clause in read.clauses)
        if (
            shares
            and shares[best] >= SUPPORTED
            and denies == any(clause.denied for clause in world.story[best].clauses)
        ):
            return facts.sentences[best]
    return None


def _alike(read: Read, sentence: Read) -> float:
    if not read.entities <= sentence.entities | {""} and len(read.entities - sentence.entities) > 1:
        return 0.0
    mine, its = read.words | read.entities, sentence.words | sentence.entities
    return len(mine & its) / len(mine) if mine else 0.0


# ------------------------------------------------------------------------------------- 2: interpretation


def _interpretation(reads: Sequence[Read], world: World, notes: list[str], *, right: bool) -> tuple[float, bool]:
    """Score whether a deciding claim is stated, at its depth, and nothing that the world denies.

    Also gives whether the contrary of the decisive one is stated.
    """
    hit, contrary, deeper = 0.0, False, 1.0
    others_right = others_wrong = 0
    last: Statement | None = None
    for read in reads:
        for clause in read.clauses:
            others_wrong += bool(_untrue(clause, world))
            for stated in _stated(clause, last, world):
                last = stated if stated.values and stated.kind != "want" else last
                verdicts = [
                    (state, agrees) for state in world.states if (agrees := _agrees(stated, state, world)) is not None
                ]
                decided = [agrees for state, agrees in verdicts if state in world.decisive]
                if True in decided:
                    hit = max(
                        hit,
                        PLAIN
                        if all(
                            state.chain not in stated.chains
                            for state, agrees in verdicts
                            if agrees and state in world.decisive
                        )
                        else 1.0,
                    )
                elif any(agrees for _, agrees in verdicts) and not (decided and stated.denied):
                    others_right += any(stated.chains)
                elif decided and stated.firm:
                    contrary = True
                elif stated.firm and (verdicts or _denied_by_sight(stated, world)):
                    others_wrong += 1
                elif not verdicts and _too_deep(stated, world):
                    deeper = TOO_DEEP
    if hit:
        value = CONTRADICTED if contrary else hit
    elif contrary:
        value = 0.0
    else:
        implied = _implied(reads, world) if right else 0.0
        value = max(implied, OTHER_ONLY if others_right else 0.0)
    if not hit:
        asked = world.decisive[0]
        notes.append(
            f"Cue Interpretation: does not say that {' > '.join(asked.chain) or 'it is so'}: "
            f"{asked.kind} {asked.topic} {asked.value}"
        )
    if contrary:
        notes.append("Cue Interpretation: states the contrary of the decisive mental state")
    if others_wrong:
        notes.append(f"Cue Interpretation: {others_wrong} further statements are untrue in this story")
    return value * deeper * WRONG_CLAIM ** min(others_wrong, 3), contrary


def _stated(clause: Clause, last: Statement | None, world: World) -> list[Statement]:
    """Return what a clause states; "the same" and "there" stand for what was stated last."""
    found = list(statements(clause, world))
    if last is not None and clause.pushed and (clause.same or (clause.there and not clause.things)):
        chains = chains_of(clause)
        joined = [
            (*chain, *inner[1:])
            for chain in chains
            for inner in last.chains
            if inner and chain and inner[0] == chain[-1]
        ]
        denied = sum(holder.denied for holder in clause.chain) % 2 == 1
        found.append(last._replace(chains=(*chains, *joined), denied=last.denied != denied, firm=False))
    return found


def _agrees(stated: Statement, state: State, world: World) -> bool | None:
    """Return whether a statement says what a state says, or the contrary; None: it is about something else."""
    if stated.kind != state.kind or not (state.chain in stated.chains or _plain(stated, state, world)):
        return None
    if state.kind == "know":
        return stated.values[0] == state.value if not stated.topics or state.topic in " ".join(stated.topics) else None
    if state.kind == "gone":
        return (stated.values[0] == state.value) != stated.denied if state.topic in stated.topics else None
    if state.kind == "feel":
        return _feels(stated, state)
    if (
        state.kind == "place"
        and stated.topics
        and state.topic
        and state.topic not in stated.topics
        and state.topic not in stated.values
    ):
        return None
    if state.value and state.value in stated.values:
        return not stated.denied
    if state.value and any(rival in stated.values for rival in state.rivals):
        return stated.denied
    if state.kind == "want" and state.purposes:
        side = _side(stated.purposes, state)
        return None if not side or (side < 0 and (stated.denied or not stated.firm)) else (side > 0) != stated.denied
    return None


def _plain(stated: Statement, state: State, world: World) -> bool:
    """Return whether a fact is told as such, where the question is about the facts and asks for nobody's view."""
    return (
        not (world.vocabulary.asked or world.who)
        and () in stated.chains
        and state.kind in ("earlier", "place")
        and len(state.chain) == 1
    )


def _side(purposes: frozenset[str] | set[str], state: State) -> int:
    """Return 1 where purposes are those of a wish rather than of a rival to it, -1 where they are a rival's, else 0."""
    against = {OPPOSED[one] for one in state.purposes if one in OPPOSED} - state.purposes
    options = (state.purposes, *state.others, frozenset(against)) if against else (state.purposes, *state.others)
    everything = state.purposes.union(*options)
    own, *others = (2 * len(one & purposes) - len(purposes & everything) for one in options)
    best = max(others, default=own - 1 if state.purposes & purposes else own)
    return (own > best) - (own < best)


def _feels(stated: Statement, state: State) -> bool | None:
    felt = frozenset(stated.values)
    own = feelings_in(state.value)
    rivals = [feelings_in(rival) for rival in state.rivals]
    if stated.denied:
        return False if felt == own else None
    if felt == own or (len(own) == 1 and stated.values[-1:] == tuple(own)):
        return True
    if felt in rivals or any(len(rival) == 1 and stated.values[-1:] == tuple(rival) for rival in rivals):
        return False
    near = [one for one in (own, *rivals) if one and felt and kin(one) == kin(felt)]
    if near:
        return True if near == [own] else False if own not in near else None
    plain, meant = felt - VAGUE, own - VAGUE
    return False if plain and meant and plain.isdisjoint(GOOD) != meant.isdisjoint(GOOD) else None


def _denied_by_sight(stated: Statement, world: World) -> bool:
    """Return whether the story shows that somebody holds another place, or feels what no word of it speaks of."""
    if stated.kind == "feel" and () in stated.chains:
        felt = [state for state in world.states if state.kind == "feel"]
        return len({state.chain[-1] for state in felt}) == 1 and all(_feels(stated, state) is False for state in felt)
    if stated.kind == "feel":
        return (
            bool(stated.values)
            and not world.feelings & {stated.values[-1]}
            and stated.values[-1] not in UNSAID
            and not stated.denied
        )
    sharper = [state for state in world.decisive if state.kind == stated.kind and state.value in stated.values]
    if stated.denied and any(
        chain and state.chain[-len(chain) :] == chain for state in sharper for chain in stated.chains[:1]
    ):
        return True
    if stated.kind != "place" or not stated.chains or not stated.values:
        return False
    chain = stated.chains[0]
    if (
        len(chain) != 1
        or chain[0] not in world.held
        or any(state.chain == chain and state.kind == "place" for state in world.states)
    ):
        return False
    return (world.held[chain[0]] in stated.values) == stated.denied


def _too_deep(stated: Statement, world: World) -> bool:
    """Return whether a deciding value is put into a mind that is asked for by nobody, within the right one."""
    if stated.kind == "want" and not stated.firm:  # no word of a wish
        return False
    found = [
        state for state in world.decisive if state.kind == stated.kind and state.value and state.value in stated.values
    ]
    return any(
        state.chain and state.chain == chain[: len(state.chain)] for state in found for chain in stated.chains[:1]
    )


def _implied(reads: Sequence[Read], world: World) -> float:
    """Return `IMPLIED` where a sentence has a decisive value and no rival, and its first holder holds something."""
    holders = {
        name for read in reads for clause in read.clauses for chain in chains_of(clause)[:1] for name in chain[:1]
    }
    holders |= {name for read in reads for clause in read.clauses for who in clause.subject for name in who[:1]}
    people = {name for read in reads for name in read.entities}
    for state in world.decisive:
        if state.chain and (state.chain[0] not in holders or not people.issuperset(state.chain)):
            continue
        for read in reads:
            if any(clause.denied or any(holder.denied for holder in clause.chain) for clause in read.clauses):
                continue
            felt = {feeling for clause in read.clauses for feeling in clause.feelings}
            purposes = {purpose for clause in read.clauses for purpose in clause.purposes}
            if (
                (state.kind == "feel" and feelings_in(state.value) <= felt)
                or (state.value in read.entities and not read.entities & set(state.rivals))
                or (state.kind == "want" and _side(purposes, state) > 0)
                or (
                    state.kind == "know"
                    and any({"know", "unknow", "see", "miss"} & clause.classes for clause in read.clauses)
                )
            ):
                return IMPLIED
    return 0.0


# --------------------------------------------------------------------------------------------- 3: goal


def _goal(reads: Sequence[Read], world: World, notes: list[str]) -> float:
    """Score whether one of the accepted goals is stated and none turned round, or else what is asked."""
    asked, wished, misread, turned = 0.0, [0.0], False, False
    for read in reads:
        asks = _asks(read, world)
        asked, misread, said = max(asked, asks), misread or asks < 0.0, False
        for clause in read.clauses:
            verbs = [holder.verb for holder in clause.chain]
            last = len(verbs) - verbs[::-1].index("want") if "want" in verbs else 0
            empty = clause.leads and len(verbs) == last and not (clause.things or clause.purposes)
            if verbs.count("want") > 1 or empty or (said and len(verbs) > last) or not ASPECTS.issuperset(verbs[last:]):
                continue
            said = said or bool(last and len(verbs) == last and clause.purposes)
            scores = _wishes(clause, last, world)
            turned = turned or max(scores, default=0.0) < 0.0
            wished += scores or [OTHER_GOAL * bool(last)]
    best = max(asked, *wished)
    if turned or (misread and best > OTHER_ASKED) or OTHER_GOAL >= max(wished) > 0.0:
        best = min(best, TURNED if turned else OTHER_ASKED)
    if best < 1.0:
        goal = world.goals[0]
        wish = " ".join((goal.topic, *sorted(goal.purposes)))
        notes.append(f"Goal Clarification: does not say that {' > '.join(goal.chain)} wants {wish}")
    return best


def _wishes(clause: Clause, last: int, world: World) -> list[float]:
    """Return how well what somebody wants is each of that person's goals; less well without a word of wanting."""
    if not last:
        doers = {name for who in clause.subject for name in who[:1]}
        scores = [_wished(clause, goal, world) for goal in world.goals if goal.chain[-1] in doers and not clause.chain]
        return [IMPLIED for score in scores if score == 1.0 and clause.purposes and not clause.denied]
    wanting = replace(clause, chain=clause.chain[:last], kept=min(clause.kept, last), least=min(clause.least, last))
    chains = chains_of(wanting)
    return [
        _wished(clause, goal, world) for goal in world.goals if any(goal.chain in (one, one[-1:]) for one in chains)
    ]


def _wished(clause: Clause, goal: State, world: World) -> float:
    """Return how well a wish of the right person is the goal: -1 for its contrary."""
    values = {thing.name for thing in clause.things}
    about = (*clause.others, *clause.subject, *(who for holder in clause.chain for who in holder.who))
    whom = {name for who in about for name in who} - {*goal.chain}
    purposes = clause.purposes
    if clause.denied != (sum(holder.denied for holder in clause.chain) % 2 == 1):
        purposes = {OPPOSED.get(one, one) for one in purposes} or {"hinder"}
    if goal.people and whom and goal.people.isdisjoint(whom):
        return OTHER_GOAL
    if clause.noun and clause.denied:  # "her wish for it plays no part"
        return OTHER_ASKED
    if (
        goal.people and not whom and values and purposes <= goal.purposes - {"give"}
    ):  # what another is to get, for oneself
        return OTHER_GOAL
    side = _side(purposes, goal)
    if goal.value and values:
        rival = goal.value not in values and values & set(goal.rivals)
        return -1.0 if rival or (side < 0 and goal.value in values) else 1.0 if goal.value in values else 0.6
    if values and goal.topic and goal.topic not in values and values - world.places:
        return OTHER_GOAL
    strange = [word for word in clause.words if word not in world.vocabulary.known and word not in REASONING]
    if side and not (side > 0 and strange and goal.value):
        return float(side)
    if not (purposes or values or whom):
        return OTHER_GOAL  # wants something
    if strange and goal.value:  # "wants the nut", where it is the eraser
        return OTHER_GOAL
    return 1.0 if goal.topic in values or not strange or purposes else 0.6


# ----------------------------------------------------------------------------------------- 4: response


def _response(
    text: str, reads: Sequence[Read], reply: Reply, scenario: Scenario, world: World, notes: list[str]
) -> float:
    """Score whether it speaks for the option that is answered, for no other, and that one is right."""
    favoured = _favoured(text, scenario)
    named = frozenset().union(*(read.named for read in reads))
    if not favoured or reply.answer is None:
        notes.append(f"Response Generation: {'there is no answer' if favoured else 'names no option'}")
        return UNCLEAR if named and not favoured and reply.answer in scenario.gold else 0.0
    if favoured != {reply.answer}:
        notes.append("Response Generation: speaks for another option than the one answered")
        return 0.0
    if reply.answer not in scenario.gold:
        notes.append("Response Generation: follows from no fact of this story")
        return 0.0
    if any(state.value and state.value not in named and named & {*state.rivals} for state in world.decisive[:1]):
        notes.append("Response Generation: names a rival of what decides")
        return WRONG_CLAIM
    for read in reads:
        for clause in read.clauses:
            for stated in statements(clause, world):
                verdicts = [agrees for state in world.states if (agrees := _agrees(stated, state, world)) is not None]
                if verdicts and not any(verdicts) and stated.firm:
                    notes.append("Response Generation: states what is untrue in this story")
                    return WRONG_CLAIM
    return 1.0


def _favoured(text: str, scenario: Scenario) -> set[int]:
    """Return the options that the text speaks for: by label, or else by their words."""
    labels = set(map(scenario.letters.find, letters_in(text))) - {-1}
    plain = " ".join(WORD.findall(text.lower()))
    named = set()
    for i, option in enumerate(scenario.options):
        shown = " ".join(WORD.findall(bare(option)))
        if re.search(rf"(?<!\w){re.escape(shown)}(?!\w)", plain):
            named.add(i)
    yes_no = [word for word in plain.split() if word in ("yes", "no")]
    if yes_no and named and {bare(option) for option in scenario.options} == {"yes", "no"}:
        named = {i for i in named if bare(scenario.options[i]) == yes_no[-1]}  # "there is no doubt: yes"
    named = {
        i for i in named if not any(i != j and bare(scenario.options[i]) in bare(scenario.options[j]) for j in named)
    }
    return (
        labels
        if labels and (labels & named or len(named) != 1 or len(scenario.options[next(iter(named))].split()) < 4)
        else labels | named
    )
