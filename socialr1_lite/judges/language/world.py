"""A generated story's world: its words, its true states, and what happened in whose sight, read from its sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from socialr1_lite.judges.language.clauses import Clause, Phrase, Read, Thing, Vocabulary, read_clauses
from socialr1_lite.judges.language.lexicon import REASONING, stem
from socialr1_lite.judges.language.verbs import IDIOMS, feelings_in, words_of
from socialr1_lite.scenario import Claim, Facts, Scenario

ARTICLES = re.compile(r"^(?:the|a|an|to) ", re.IGNORECASE)
WORLDS_KEPT = 512
SEEN_FROM = frozenset(("in", "to", "", "subject"))  # roles of a place where something is or goes
VAGUE = frozenset(("hope", "interest", "surprise", "calm"))  # words of these are often no feelings
LIKING = frozenset(("favour", "favourit", "favorit"))
NOTHING_MORE = frozenset(
    stem(word)
    for word in [
        "perfectly",
        "well",
        "full",
        "really",
        "exactly",
        "still",
        "place",
        "whereabouts",
        "spot",
        "now",
        "right",
    ]
)


def bare(value: str) -> str:
    """Return a value without its article, in lower case."""
    return ARTICLES.sub("", value).lower().rstrip(".")


class State(NamedTuple):
    """A claim in the reader's terms: whose state it is (outermost first), its kind, what it is about, and its value.

    kind: "place" (where, of what; value and rivals are things), "earlier" (where it was before), "like" (best of all),
    "gone" (no longer there), "maker" (who made it), "know", "feel" or "want". purposes: what is wanted, without what
    all its rivals want as well; others: the same of each rival.
    """

    chain: tuple[str, ...]
    kind: str
    topic: str
    value: str
    rivals: tuple[str, ...] = ()
    purposes: frozenset[str] = frozenset()
    others: tuple[frozenset[str], ...] = ()
    people: frozenset[str] = frozenset()  # whom a wish is about


class Statement(NamedTuple):
    """What a clause states of a mind, or with nobody in `chains` (all that may be meant) of the world itself."""

    chains: tuple[tuple[str, ...], ...]
    kind: str
    values: tuple[str, ...]
    topics: tuple[str, ...]
    denied: bool
    firm: bool = True  # said of the present and in so many words: may be held against the text
    purposes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Event:
    """Something was put or moved, by whom (nobody known: ""), or two things were exchanged; saw: in whose sight."""

    actor: str
    things: frozenset[str]
    target: str
    source: str
    saw: set[str]


@dataclass(slots=True)
class World:
    """All that a judge looks up in one generated story."""

    vocabulary: Vocabulary
    states: tuple[State, ...]
    decisive: tuple[State, ...]
    goals: tuple[State, ...]
    story: tuple[Read, ...]
    events: list[Event] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)  # who told whom
    left: set[str] = field(default_factory=set)
    places: frozenset[str] = frozenset()
    held: dict[str, str] = field(default_factory=dict)  # where somebody last saw or heard the one thing to be
    feelings: frozenset[str] = frozenset()
    question: frozenset[str] = frozenset()  # stems of its weighty words
    options: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()  # people and things of the question
    who: bool = False  # whether it asks for somebody
    order: frozenset[str] = frozenset()  # "first" or "last", where it asks for that


def world_of(scenario: Scenario, facts: Facts) -> World:
    """Read a world once for all replies to it."""
    return _world(facts, scenario.question, scenario.options)


def world_of_facts(facts: Facts) -> World:
    """Read a world without its question."""
    return _world(facts, "", ())


@lru_cache(maxsize=WORLDS_KEPT)
def _world(facts: Facts, question: str, options: tuple[str, ...]) -> World:
    vocabulary = vocabulary_of(facts, question, options)
    text = " ".join((*facts.sentences, question, *options))
    world = World(
        vocabulary,
        tuple(state_of(claim, facts) for claim in facts.claims),
        tuple(state_of(claim, facts) for claim in facts.decisive),
        tuple(state_of(goal, facts) for goal in facts.accepted_goals),
        tuple(_one(sentence, vocabulary) for sentence in facts.sentences),
        feelings=feelings_in(text),
        who=bool(re.search(r"\bwho\b", question, re.IGNORECASE)),
        order=frozenset(("first", "last")) & frozenset().union(*(word.purposes for word in words_of(question))),
        asked=frozenset(vocabulary.asked).union(_things(question, facts)),
        options=frozenset(word.root for option in options for word in words_of(option) if word.weighty),
        question=frozenset(word.root for word in words_of(question) if word.weighty and word.verb != "be"),
    )
    no_places = {state.topic for state in world.states if state.kind == "place"}
    no_places |= {dish for state in world.states if state.kind == "like" for dish in (state.value, *state.rivals)}
    claimed = {value for one in world.states if one.kind in ("place", "earlier") for value in (one.value, *one.rivals)}
    stood = {
        thing.name
        for read in world.story
        for clause in read.clauses
        for thing in clause.things
        if thing.role in ("in", "from")
    }
    named = frozenset().union(*(read.named for read in world.story))
    world.places = frozenset(claimed | stood | set(map(str.lower, facts.things)) - named) - no_places
    _tell(world, facts)
    return world


def _one(sentence: str, vocabulary: Vocabulary) -> Read:
    return next(
        iter(read_clauses(sentence, vocabulary)),
        Read(sentence, (), 0, 0, (), frozenset(), frozenset(), frozenset(), 0, False),
    )


def vocabulary_of(facts: Facts, question: str, options: Sequence[str]) -> Vocabulary:
    """Gather the names of a world, its things (also by their last word, where no other ends so), and all its words."""
    found: list[Phrase] = list(IDIOMS)
    names = {name.lower() for name in facts.people}
    values = [
        bare(one)
        for claim in facts.claims
        for one in (claim.value, *claim.rivals)
        if claim.relation in ("is in", "contains", "is", "now")
    ]
    things = dict.fromkeys(
        [*map(str.lower, facts.things), *(value for value in values if " " not in value and value not in names)]
    )
    lasts = [thing.split()[-1] for thing in things]
    for kind, spelled in (("person", facts.people), ("thing", things)):
        for name in spelled:
            words = tuple(name.lower().split())
            found.append((words, kind, name))
            if kind == "thing" and len(words) > 1 and lasts.count(words[-1]) == 1:
                found.append((words[-1:], kind, name))
    phrases: dict[tuple[str, ...], list[Phrase]] = {}
    for phrase in sorted(found, key=lambda one: -len(one[0])):
        phrases.setdefault(phrase[0][:2], []).append(phrase)
    asked = [word for word in re.findall(r"\w+", question) if word in facts.people]
    said = (f"{claim.relation} {claim.value}" for claim in (*facts.claims, *facts.accepted_goals))
    text = " ".join((*facts.sentences, question, *options, *said))
    known = frozenset(word.root for word in words_of(text))
    genders = facts.genders or ("",) * len(facts.people)
    return Vocabulary(dict(zip(facts.people, genders, strict=True)), phrases, known, tuple(dict.fromkeys(asked)))


def state_of(claim: Claim, facts: Facts) -> State:
    """Put a claim into the reader's terms."""
    chain, relation, value = claim.chain(facts.people), claim.relation, claim.value
    if relation in ("knows", "does not know"):
        return State(chain, "know", value.removeprefix("where the ").split(" ")[0], relation)
    if relation in ("feels", "will feel"):
        return State(chain, "feel", "", value, claim.rivals)
    if relation.startswith(("wants", "wanted")):
        rivals = tuple(
            thing for rival in claim.rivals for thing in _things(rival, facts) if thing not in _things(value, facts)
        )
        meant = next(
            (
                thing
                for thing in _things(value, facts)
                if all(thing not in _things(rival, facts) for rival in claim.rivals)
            ),
            "",
        )
        topic = next(iter(_things(value, facts)), "")
        people = frozenset(name for name in facts.people if re.search(rf"\b{name}\b", value))
        if value.startswith("to know "):
            return State(chain, "want", topic, "", (), frozenset(("know",)), people=people)
        own, *others = (_purposes(one) - _roots(facts) for one in (value, *claim.rivals))
        common = own.intersection(*others) if others else frozenset()
        kept = (own - common) or own  # a rival may differ by the person alone
        return State(
            chain, "want", topic, meant if rivals else "", rivals, kept, tuple(one - common for one in others), people
        )
    if value.endswith(" on the table"):
        return State(chain, "gone", bare(claim.subject), str(value.startswith("no longer")))
    if claim.subject.endswith("'s favourite"):
        liker = claim.subject.removesuffix("'s favourite")
        chain = chain if chain[-1:] == (liker,) else (*chain, liker)
        return State(
            chain,
            "like",
            "",
            bare(value.removeprefix("is ")),
            tuple(bare(one.removeprefix("is ")) for one in claim.rivals),
        )
    if value.startswith("the work of "):
        return State(
            chain,
            "maker",
            bare(claim.subject),
            value.removeprefix("the work of "),
            tuple(one.removeprefix("the work of ") for one in claim.rivals),
        )
    value, rivals = bare(value), tuple(map(bare, claim.rivals))
    if relation == "was first in" or relation.endswith(" from"):
        return State(chain, "earlier", bare(claim.subject), value, rivals)
    return State(chain, "place", bare(claim.subject), value, rivals)


def _things(value: str, facts: Facts) -> list[str]:
    return [thing for thing in facts.things if re.search(rf"\b{re.escape(thing)}\b", value)]


@lru_cache(maxsize=WORLDS_KEPT)
def _roots(facts: Facts) -> frozenset[str]:
    return frozenset(word.root for thing in facts.things for word in words_of(thing))


def _purposes(value: str) -> frozenset[str]:
    words = words_of(
        value.replace("get rid", "rid")
        .replace("to have", "to obtain")
        .replace("lay hands on", "obtain")
        .replace("really thinks", "honestly")
    )
    found = frozenset().union(*(word.purposes for word in words))
    plain = {word.root for word in words if word.weighty and not word.purposes and not word.capital}
    return found | plain - REASONING


# ---------------------------------------------------------------------------------- what happened in whose sight


def _tell(world: World, facts: Facts) -> None:
    """Go through the story: who is there, what is moved in whose sight, who is told what."""
    present: set[str] = set()
    where: dict[str, str] = {}
    for number, sentence in enumerate(world.story):
        names = [name for name in facts.people if name in sentence.entities]
        clauses = sentence.clauses
        kinds = {kind for clause in clauses for kind in clause.classes}
        verbs = {clause.verb for clause in clauses}
        opens = number == 0 or kinds <= {"be", "come"}  # a later chapter brings back who had left
        if opens and len(names) > 1 and not sentence.entities & world.places:
            present.update(names)
            continue
        things = [thing for clause in clauses for thing in clause.things]
        moved = [one.name for one in things if one.name not in world.places] or [*where][:1] * ("it" in kinds)
        places = [one for one in things if one.name in world.places]
        movers = [clause.subject[0][0] for clause in clauses if clause.verb == "move" and clause.subject]
        if "distracted" in kinds or "miss" in kinds:
            if world.events:
                world.events[-1].saw.difference_update(names)
        elif "say" in kinds or "messag" in sentence.words:
            _told(world, sentence, names, [place.name for place in places])
        elif "swap" in sentence.words or "exchang" in sentence.words or "change places" in sentence.text:
            _exchange(world, moved, names, present, where)
        elif moved and places and not verbs & {"look", "other"}:
            target = next((one.name for one in reversed(places) if one.role in SEEN_FROM), "")
            source = next((one.name for one in places if one.role == "from"), where.get(moved[0], ""))
            actor = next(iter(movers), names[0] if names else "")
            world.events.append(Event(actor, frozenset(moved[:1]), target, source, present | {actor} - {""}))
            where[moved[0]] = target
        elif ("see" in kinds or "show" in sentence.words) and not places and names and world.events:
            world.events[-1].saw.update(names[:1])
            if "overhear" in sentence.words or "hear" in sentence.words:
                world.told.add(("", names[0]))
        elif "leave" in verbs and names:
            present.discard(names[0])
            world.left.add(names[0])
        elif "come" in verbs and names:
            present.add(names[0])
    _hold(world)


def _told(world: World, sentence: Read, names: Sequence[str], places: Sequence[str]) -> None:
    if len(names) > 1:
        world.told.update((one, other) for one in names for other in names if one != other)
    if places and len(names) > 1:
        order = [word.capitalize() for word in re.findall(r"\w+", sentence.text.lower()) if word.capitalize() in names]
        hearer = order[0] if "got" in sentence.text or len(order) < 2 else order[1]
        world.events.append(Event("", frozenset(), places[-1], "", {hearer}))


def _exchange(
    world: World, moved: Sequence[str], names: Sequence[str], present: set[str], where: dict[str, str]
) -> None:
    if len(moved) > 1:
        one, other = moved[:2]
        old = dict(where)
        where[one], where[other] = where.get(other, ""), where.get(one, "")
        for thing in (one, other):
            world.events.append(
                Event(
                    names[0] if names else "",
                    frozenset((thing,)),
                    where[thing],
                    old.get(thing, ""),
                    present | set(names[:1]),
                )
            )


def _hold(world: World) -> None:
    if len({thing for event in world.events for thing in event.things}) == 1:
        for event in world.events:
            world.held.update(dict.fromkeys(event.saw, event.target))


# ------------------------------------------------------------------------------------------------- statements


def statements(clause: Clause, world: World) -> Iterator[Statement]:
    """Yield what a clause states of minds and of the world."""
    chain = clause.chain[clause.kept :] if not clause.least and len(clause.chain) > clause.kept else clause.chain
    verbs = [holder.verb for holder in chain]
    if (
        clause.excluded
        or clause.supposed
        or any(verb in ("see", "miss") for verb in verbs)
        or ("say" in verbs and not clause.future)
    ):
        return
    told = sum(holder.denied != (holder.verb == "doubt") for holder in chain) % 2 == 1
    denied = clause.denied != told
    last = verbs[-1] if verbs else ""
    chains = chains_of(clause)
    names = [thing.name for thing in clause.things]
    places = tuple(one.name for one in clause.things if one.name in world.places and _is_value(one, clause))
    topics = tuple(name for name in names if name not in world.places)
    doing = chains_of(clause, subject=True) if clause.subject else chains
    wished = "want" in verbs[:-1]  # "wants to tell Ben what she knows" says of nobody that he knows
    if last in ("know", "unknow") and clause.pushed and not wished and _of_the_thing(clause, names):
        yield Statement(chains, "know", ("knows" if (last == "know") != told else "does not know",), topics, False)
    refused = denied != (last == "unknow")
    earlier = bool(_EARLIER & set(clause.words)) or "first" in clause.purposes
    if clause.verb in ("look", "say") and (clause.future or verbs) and clause.subject:
        yield Statement(doing, "place", places, topics, denied)
    elif places and (verbs or not clause.past):
        firm = (
            not earlier and clause.verb in ("", "be", "hold", "look") and (bool(verbs) or clause.verb in ("be", "hold"))
        )
        yield Statement(chains, "place", places, topics, refused, firm)
    if earlier:
        yield Statement(
            chains, "earlier", tuple(name for name in names if name in world.places)[:1], topics, denied, firm=denied
        )
    elif left := tuple(one.name for one in clause.things if one.role == "from"):
        yield Statement(chains, "earlier", left, topics, refused, firm=False)
    if clause.feelings:
        yield Statement(
            doing,
            "feel",
            tuple(clause.feelings),
            (),
            denied,
            (last == "feel" or not VAGUE.issuperset(clause.feelings)) and "change" not in clause.classes,
        )
    yield from _wishes(clause, "want" in verbs, names, topics, doing, denied)
    if "like" in (clause.verb, last) or not LIKING.isdisjoint(clause.words):
        yield Statement(doing, "like", tuple(names), (), denied)
    if not _MAKING.isdisjoint(clause.words):
        people = (*(who[0] for who in clause.subject), *(who[0] for who in clause.others))
        yield Statement(chains, "maker", people, topics, denied, firm=False)
    if names and (gone := _gone(clause)) is not None:
        yield Statement(chains, "gone", (str(gone),), tuple(names), refused, firm=False)


def _wishes(
    clause: Clause,
    wishing: bool,
    names: Sequence[str],
    topics: tuple[str, ...],
    doing: tuple[tuple[str, ...], ...],
    denied: bool,
) -> Iterator[Statement]:
    """Yield what a clause says of a wish: "wants to find it", and what tells of one, "will put it there"."""
    if not (wishing or (clause.future and clause.verb and clause.subject) or clause.purposes):
        return
    if not (names or clause.purposes) and clause.leads:
        return
    if wishing:
        end = len(clause.chain) - [holder.verb for holder in clause.chain][::-1].index("want")
        kept, least = min(clause.kept, end), min(clause.least, end)
        doing = chains_of(replace(clause, chain=clause.chain[:end], kept=kept, least=least))
    yield Statement(
        doing, "want", tuple(names), topics, denied, wishing, frozenset(clause.purposes.union(clause.words))
    )


def chains_of(clause: Clause, *, subject: bool = False) -> tuple[tuple[str, ...], ...]:
    """Return all chains of people that may hold a clause, the likeliest first; with `subject`, and then who does it."""
    found: list[tuple[str, ...]] = []
    opened = len(clause.chain) > clause.kept
    for kept in range(clause.kept, clause.least - 1, -1):
        if opened and any(holder.verb in ("see", "miss", "say") for holder in clause.chain[:kept]):
            continue  # what was seen or said before is over where another mind opens
        holders = (*clause.chain[:kept], *clause.chain[clause.kept :])
        groups = [holder.who for holder in holders] + ([clause.subject] if subject else [])
        for members in product(*groups):
            for chain in product(*members):
                flat = tuple(name for i, name in enumerate(chain) if i == 0 or chain[i - 1] != name)
                if flat not in found:
                    found.append(flat)
        if len(found) > 24:
            break
    return tuple(found)


def _is_value(thing: Thing, clause: Clause) -> bool:
    """Return whether a place is where something is, not what something else is said of ("the box needs cleaning")."""
    role = thing.role
    if role == "subject":
        return clause.verb in ("", "hold") or (
            clause.verb == "be" and (len(clause.things) > 1 or not set(clause.words) - NOTHING_MORE)
        )
    return role in SEEN_FROM


def _of_the_thing(clause: Clause, names: Sequence[str]) -> bool:
    return bool(names) or "where" in clause.classes or not (clause.leads or set(clause.words) - NOTHING_MORE - _KNOWING)


_KNOWING = frozenset(
    stem(word)
    for word in [
        "know",
        "knows",
        "aware",
        "unaware",
        "knowledge",
        "idea",
        "clue",
        "realise",
        "realize",
        "understand",
        "known",
        "faintest",
    ]
)
_EARLIER = frozenset(
    stem(word)
    for word in [
        "before",
        "first",
        "start",
        "beginning",
        "began",
        "begin",
        "initial",
        "originally",
        "origin",
        "previous",
        "previously",
        "earlier",
    ]
)
_MAKING = frozenset(stem(word) for word in ["cooked", "made", "baked", "work", "prepared", "making", "handiwork"])
_GONE = frozenset(
    stem(word)
    for word in [
        "gone",
        "eaten",
        "ate",
        "eat",
        "thrown",
        "fed",
        "lost",
        "finished",
        "spilt",
        "spilled",
        "threw",
        "away",
        "missing",
        "out",
    ]
)
_LEFT = frozenset(stem(word) for word in ["left", "still", "available", "remaining", "remain", "untouched"])


def _gone(clause: Clause) -> bool | None:
    if _GONE & set(clause.words) or "leave" in clause.classes or "discard" in clause.purposes:
        return True
    return False if _LEFT & set(clause.words) or clause.there else None
