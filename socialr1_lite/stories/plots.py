"""Stories about a thing that changes place while people come and go, and the small edits that make their twins.

A `Plot` is a list of `Step`s (an event and its one sentence). Everything else is asked of the simulation: where the
thing is, who thinks what, and which sentences are decisive (without that event the answer would be another).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import pairwise
from typing import ParamSpec, TypeVar

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.scope import DEVICES
from socialr1_lite.stories.wording import LEXICON, THEIR, THEM, Lexicon, a, listed, say
from socialr1_lite.stories.world import MODIFIERS, Event, World, inside, where

SCENERY = frozenset({"note"})
CHANGES = frozenset({"move", "swap"})
WorldAnswer = Callable[[World], str | None]
LATER = ("Later that day", "A few hours later", "In the evening", "After lunch")


@dataclass(frozen=True, slots=True)
class Step:
    """An event and the one sentence that tells it, in this phrasing."""

    event: Event
    text: str
    phrase: str = ""


@dataclass(slots=True)
class Plot:
    """A story: steps, who is in it, and the thing that is asked about.

    places: where `thing` really is at some time or is said to be: the options. openings: steps that begin a chapter.
    """

    steps: list[Step]
    rooms: dict[str, str]
    cast: list[str]
    thing: str
    places: list[str]
    openings: tuple[int, ...] = (0,)
    others: list[str] = field(default_factory=list)  # further things in the story
    transparent: frozenset[str] = frozenset()
    _world: World | None = None

    @property
    def world(self) -> World:
        """Simulate these steps."""
        if self._world is None:
            self._world = World([step.event for step in self.steps], self.rooms, self.transparent)
        return self._world

    def edited(self, steps: list[Step]) -> Plot:
        """Tell the same story in other steps; those that begin a chapter are never edited, but may stand elsewhere."""
        begin = {id(self.steps[i]) for i in self.openings}
        return replace(self, steps=steps, openings=tuple(i for i, s in enumerate(steps) if id(s) in begin), _world=None)

    def block_end(self, i: int) -> int:
        """Find where the modifiers of this step's event end."""
        return next(
            (j for j in range(i + 1, len(self.steps)) if self.steps[j].event.kind not in MODIFIERS), len(self.steps)
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the story's sentences in order."""
        return tuple(step.text for step in self.steps)

    @property
    def devices(self) -> frozenset[str]:
        """Return what happens here of what a scope can leave out."""
        kinds = [step.event.kind for step in self.steps]
        states = {"glass": bool(self.transparent), "relabel": kinds.count("label") > 1}
        return DEVICES.intersection(kinds) | {name for name, there in states.items() if there}

    @property
    def reality(self) -> str | None:
        """Return where the thing is in the end."""
        return self.world.believes((), where(self.thing))


def sensible(plot: Plot) -> bool:
    """Tell whether everybody acts on what they can know, so that a careful reader has nothing to wonder about.

    Whoever moves a thing knows where it was. Whoever sees things exchanged has seen the exchanges before: from half of
    them one could work out more than the simulation does. Words reach those who have reason to believe them
    (`_credible`). A forgotten camera serves one person, nobody peeps beside another, and who speaks of a container is
    in its room.
    """
    world, at, camera, peeping = plot.world, dict[str, str](), set[str](), 0
    for i, step in enumerate(plot.steps):
        event = step.event
        if event.kind in ("enter", "leave"):
            at.update(dict.fromkeys(event.people, event.place if event.kind == "enter" else ""))
        if event.kind == "note" and event.place and at[event.actor] != plot.rooms[event.place]:
            return False
        camera = set() if i in plot.openings else camera | set(event.people if event.kind == "camera" else ())
        peeping = peeping + (event.kind == "peek") if event.kind in MODIFIERS else 0
        if len(camera) > 1 or peeping > 1:
            return False
    exchanges = [scene for scene in world.scenes if scene.event.kind == "swap"]
    for one, two in pairwise(exchanges):
        if not (two.perceivers <= one.perceivers and two.seeming <= one.seeming):
            return False
    return all(_knowing(world, i) and _credible(plot, i) for i in range(len(world.scenes)))


def _knowing(world: World, i: int) -> bool:
    """Tell whether whoever moves something in this scene knows where it was; true of every other scene."""
    event = world.scenes[i].event
    moved = [thing for thing in (event.thing, event.other) if thing] if event.kind in CHANGES else []
    return all(world.course((event.actor,), where(t), i)[-1][0] == world.course((), where(t), i)[-1][0] for t in moved)


def _credible(plot: Plot, i: int) -> bool:
    """Tell whether what is said in this scene, if anything, can be said and believed.

    The speaker has a view, and does not name what was so unnoticed by them. Those who hear it believe it: they, and in
    the speaker's eyes too, have missed something, unless it is what they think anyway.
    """
    world, scene = plot.world, plot.world.scenes[i]
    event = scene.event
    if event.kind != "tell":
        return True
    fluent, said = (where(event.thing), event.place)
    if event.place == plot.thing:
        fluent, said = inside(event.place), event.thing
    own, real = (world.course(people, fluent, i)[-1][0] for people in ((event.actor,), ()))
    if own is None or said in world.ever_held((), fluent, i) - world.ever_held((event.actor,), fluent, i):
        return False
    views = [((name,), real) for name in scene.perceivers if name != event.actor]
    for chain, truth in (*views, *(((event.actor, name), own) for name in event.people)):
        held, fresh = world.course(chain, fluent, i)[-1]
        if held != said and (fresh or held == truth):
            return False
    return True


def knowing(world: World, claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Claim what follows for knowing from claims of place or content: that one knows where, or what, or does not."""
    known = []
    for claim in claims:
        name = claim.subject.removeprefix("the ")
        fluent, asked = (
            (inside(name), f"what is really in the {name}")
            if claim.relation == "contains"
            else (where(name), f"where the {name} really is")
        )
        if claim.holders and claim.relation in ("is in", "contains"):
            *outer, who = claim.holders
            there, held = (world.believes(people, fluent) for people in (outer, claim.holders))
            if there is not None:
                known.append(Claim(tuple(outer), who, "knows" if held == there else "does not know", asked))
    return tuple(known)


P = ParamSpec("P")
Told = TypeVar("Told", bound="Plot | tuple[Plot, str]")


def told_sensibly(tell: Callable[P, Told]) -> Callable[P, Told]:
    """Let a scene be told anew until it is sensible."""

    @wraps(tell)
    def telling(*args: P.args, **kwargs: P.kwargs) -> Told:
        while True:
            told = tell(*args, **kwargs)
            if sensible(told if isinstance(told, Plot) else told[0]):
                return told

    return telling


def decisive(plot: Plot, answer: Callable[[World], object]) -> tuple[int, ...]:
    """Find the steps without which `answer(world)` would be another: exact, by leaving each out in turn.

    A modifier goes with its event. Scene setting (who is there to begin with) is presupposed and not counted.
    """
    events = [step.event for step in plot.steps]
    truth = answer(plot.world)
    cues = []
    for i, event in enumerate(events):
        if event.kind in SCENERY or (i in plot.openings):
            continue
        end = i + 1 if event.kind in MODIFIERS else plot.block_end(i)
        if answer(World(events[:i] + events[end:], plot.rooms, plot.transparent)) != truth:
            cues.append(i)
            while events[i].kind in MODIFIERS:  # "saw this" needs what was seen
                i -= 1
                cues += [i] if events[i].kind not in MODIFIERS and i not in cues else []
    return tuple(sorted(cues))


class Teller:
    """Tells a hidden-object story step by step, keeping track of who is where."""

    def __init__(self, rng: Rng, words: Lexicon, people: Sequence[str], room: str) -> None:
        """Begin with everybody in the room."""
        self.rng, self.words, self.people, self.room = rng, words, list(people), room
        self.present = list(people)
        self.saw_leave: dict[str, frozenset[str]] = {}
        self.steps: list[Step] = []
        self.used: set[str] = set()  # phrasings
        self.viewer = ""  # who sees what happens through the forgotten camera, if anybody does

    def add(
        self,
        kind: str,
        phrase: str = "",
        *,
        actor: str = "",
        people: Sequence[str] = (),
        thing: str = "",
        place: str = "",
        other: str = "",
        **words: str,
    ) -> None:
        """Add one step; `phrase` is the key of its phrasings (the event's kind if not given)."""
        text, phrase = say(self.rng, phrase or kind, self.used, **words)
        self.used.add(phrase)
        self.steps.append(Step(Event(kind, actor, thing, place, tuple(people), other), text, phrase))

    def set_out(self, furniture: Sequence[str]) -> None:
        """Say who is there, and what stands there (in the given order)."""
        self.add("enter", "set out", people=self.people, place=self.room, all=listed(self.people), room=self.room)
        if furniture:
            self.add("note", "furniture", containers=listed([a(c) for c in furniture]), room=self.room)

    def put(self, thing: str, place: str) -> None:
        """Tell that the thing is there as the story begins."""
        who = self.rng.pick(self.people)
        self.add("put", thing=thing, place=place, a=who, o=thing, c=place)

    def move(self, thing: str, source: str, place: str) -> str:
        """Let somebody who is there move the thing; returns who."""
        who = self.rng.pick(self.present)
        self.add("move", actor=who, thing=thing, place=place, a=who, o=thing, c=place, src=source)
        return who

    def leave(self, who: str) -> None:
        """Let somebody leave."""
        self.present.remove(who)
        self.saw_leave[who] = frozenset(self.present)
        self.add("leave", people=(who,), place=self.room, a=who, room=self.room)

    def come_back(self, who: str) -> None:
        """Let somebody who left return."""
        self.present.append(who)
        self.add("enter", "return", people=(who,), place=self.room, a=who, room=self.room)

    def modifier(self, kind: str, who: str) -> None:
        """Let somebody see the last event unseen, from afar, or miss it."""
        step = modifier(self.rng, self.words, kind, who, self.room, self.used)
        self.used.add(step.phrase)
        self.steps.append(step)

    def tell(self, speaker: str, hearer: str, thing: str, place: str) -> None:
        """Pass words in private: face to face if both are outside, else by message."""
        out = speaker not in self.present and hearer not in self.present
        kind = "tell" if out and self.rng.chance(0.6) else "message"
        said = {"actor": speaker, "a": speaker, "b": hearer, "thing": thing, "o": thing, "place": place, "c": place}
        self.add("tell", kind, people=(hearer,), other="away" if kind == "tell" else "", **said)

    def look(self, who: str, place: str) -> None:
        """Let somebody look into a container."""
        self.add("look", actor=who, place=place, a=who, c=place)

    def filler(self, places: Sequence[str]) -> None:
        """Add a sentence that changes nothing; it may name a place."""
        who = self.rng.pick(self.present)
        if places and self.rng.chance(0.6):
            place = self.rng.pick(places)
            self.add("note", "note place", actor=who, place=place, a=who, c=place)
        else:
            self.add("note", a=who)


def modifier(rng: Rng, words: Lexicon, kind: str, who: str, room: str, used: Container[str]) -> Step:
    """Write a modifier step for the event before it."""
    pronoun = words.people[who]
    text, phrase = say(rng, kind, used, a=who, them=THEM[pronoun], their=THEIR[pronoun], room=room)
    return Step(Event(kind, people=(who,)), text, phrase)


ONLOOKERS = 0.25  # share of moves that somebody outside sees; the same for somebody inside who misses it
BACK = 0.15  # share of stories in which the thing comes back to where it was before


def hidden_object(
    rng: Rng,
    split: str,
    *,
    people: int,
    places: int,
    chapters: int = 1,
    onlookers: float = ONLOOKERS,
    back: float = BACK,
    last: bool = False,
) -> Plot:
    """Tell a random story in which one thing is, or is said to be, in `places` different containers (2 and up).

    last: the thing is that of the last chapter, so that what is done with it afterwards is done in that room.
    """
    words = LEXICON[split]
    cast = rng.sample(tuple(words.people), people)
    rooms = rng.sample(words.rooms, chapters)
    containers = rng.sample(words.containers, places + 3 * (chapters - 1))
    things = rng.sample(words.things, chapters + 1)
    asked = rng.below(chapters)
    asked = chapters - 1 if last else asked
    steps: list[Step] = []
    openings, where_is, spare = [], {}, containers[places:]
    for chapter, thing in enumerate(things[:chapters]):
        if chapter == asked:
            here = containers[:places]
        else:
            here, spare = spare[:3], spare[3:]
        openings.append(len(steps))
        where_is.update(dict.fromkeys(here, rooms[chapter]))
        who = list(cast) if chapter == asked else rng.sample(cast, max(2, people - 1))
        chapter_steps = chapter_about(rng, words, who, rooms[chapter], thing, here, onlookers, back).steps
        if chapter:
            first = chapter_steps[0]
            chapter_steps[0] = replace(first, text=f"{rng.pick(LATER)}, {first.text}")
        steps += chapter_steps
        if chapter + 1 < chapters:
            steps.append(dispersal(who, rooms[chapter]))
    others = [thing for thing in things[:chapters] if thing != things[asked]]
    return Plot(steps, where_is, cast, things[asked], containers[:places], tuple(openings), others)


def dispersal(people: Sequence[str], room: str) -> Step:
    """Let everybody leave the room."""
    return Step(Event("leave", people=tuple(people), place=room), f"After that, nobody was left in the {room}.")


@told_sensibly
def chapter_about(
    rng: Rng,
    words: Lexicon,
    cast: Sequence[str],
    room: str,
    thing: str,
    places: Sequence[str],
    onlookers: float = ONLOOKERS,
    back: float = BACK,
) -> Plot:
    """Tell of one room and one thing: put somewhere, moved while people leave, perhaps talked about later."""
    teller = Teller(rng, words, cast, room)
    said = len(places) >= 3 and rng.chance(0.4)  # the last place is only ever spoken of
    stops = list(places[:-1] if said else places)
    if len(stops) >= 2 and rng.chance(back):
        stops.append(stops[-2])  # there and back
    order = list(places)
    rng.shuffle(order)
    teller.set_out(order if rng.chance(0.85) else ())
    teller.put(thing, stops[0])
    missed: list[str] = []  # who was out when the thing was last moved: only they can be told of it
    for i, (source, stop) in enumerate(pairwise(stops), 2):
        _departures(rng, teller, 0.35)
        if said and i == len(stops) and not teller.saw_leave:
            teller.leave(rng.pick(teller.present))
        missed = list(teller.saw_leave)
        if rng.chance(0.25):
            teller.filler(places)
        mover = teller.move(thing, source, stop)
        _onlookers(rng, teller, mover, onlookers)
    _departures(rng, teller, 0.35)
    _aftermath(rng, teller, thing, stops, places[-1] if said else "", missed)
    if rng.chance(0.5):
        teller.filler(places)
    return Plot(teller.steps, dict.fromkeys(places, room), list(cast), thing, list(places))


def _departures(rng: Rng, teller: Teller, share: float) -> None:
    for who in list(teller.present):
        if len(teller.present) > 1 and rng.chance(share):
            teller.leave(who)


def _onlookers(rng: Rng, teller: Teller, mover: str, share: float) -> None:
    """Let perhaps somebody outside see the move, or somebody inside miss it; with a large share perhaps several."""
    outside = [who for who in teller.people if who not in teller.present]
    inside = [who for who in teller.present if who != mover]
    several = len(teller.people) if share > ONLOOKERS else 1
    kinds = ["peek", "peek", "camera", "monitor"]
    for who in rng.sample(outside, several):
        if rng.chance(share):
            kind = rng.pick([kind for kind in kinds if kind != "camera" or teller.viewer in ("", who)])
            kinds = [one for one in kinds if one != kind or kind == "monitor"]  # one peeper, one forgotten camera
            teller.viewer = who if kind == "camera" else teller.viewer
            teller.modifier(kind, who)
    for who in rng.sample(inside, several):
        if rng.chance(share):
            teller.modifier(rng.pick(("distract", "daydream")), who)


def _aftermath(rng: Rng, teller: Teller, thing: str, stops: Sequence[str], lie: str, missed: Sequence[str]) -> None:
    """Tell what is said and who comes back to look. The speaker saw the hearer leave, so nobody wonders."""
    pairs = [(s, h) for h in missed for s in sorted(teller.saw_leave[h])]
    if lie:
        speaker, hearer = rng.pick(pairs)
        teller.tell(speaker, hearer, thing, lie)
        if teller.steps[-1].event.other and rng.chance(0.3):
            rest = [who for who in teller.people if who not in (speaker, hearer) and who not in teller.present]
            if rest:
                teller.modifier("overhear", rng.pick(rest))
    elif pairs and rng.chance(0.3):
        speaker, hearer = rng.pick(pairs)
        teller.tell(speaker, hearer, thing, rng.pick(stops))
    world = World([step.event for step in teller.steps], dict.fromkeys((*stops, lie), teller.room))
    absent = {who: world.believes((who,), where(thing)) for who in teller.people if who not in teller.present}
    seeking = [who for who, held in absent.items() if held != stops[-1]]  # who knows where it is need not look
    if seeking and rng.chance(0.25):
        who = rng.pick(seeking)
        teller.come_back(who)
        teller.look(who, stops[-1] if rng.chance(0.7) else str(absent[who]))


Edit = tuple[str, list[Step]]


def edits(rng: Rng, plot: Plot, words: Lexicon) -> list[Edit]:
    """Make every small edit of the story we know, in random order: its name and the edited steps."""
    found: list[Edit] = []
    room = plot.rooms[plot.places[0]]
    scenes = {id(scene.event): scene for scene in plot.world.scenes}
    used = {step.phrase for step in plot.steps}
    for i, step in enumerate(plot.steps):
        event = step.event
        if event.kind == "leave" and i not in plot.openings and len(event.people) == 1:
            found += _timing(plot, i)
        elif event.kind in CHANGES and plot.thing in (event.thing, event.other):
            found += _attention(rng, plot, words, i, room, sorted(scenes[id(event)].present))
        elif event.kind in MODIFIERS:
            found.append((_UNDONE[event.kind], plot.steps[:i] + plot.steps[i + 1 :]))
            if event.kind in _COUNTERPARTS:
                other = modifier(rng, words, _COUNTERPARTS[event.kind], event.people[0], room, used)
                found.append(("noticed or unnoticed", [*plot.steps[:i], other, *plot.steps[i + 1 :]]))
        elif event.kind == "tell" and event.thing == plot.thing:
            found += _words(plot, i)
        elif event.kind == "look":
            found.append(("looked inside", plot.steps[:i] + plot.steps[i + 1 :]))
    rng.shuffle(found)
    return found


_COUNTERPARTS = {
    "peek": "monitor", "camera": "monitor", "monitor": "peek", "distract": "daydream", "daydream": "distract",
}  # fmt: skip
_UNDONE = {
    "peek": "peeked", "camera": "forgotten camera", "monitor": "known camera", "overhear": "overheard",
    "distract": "distracted", "daydream": "lost in thought",
}  # fmt: skip


def _timing(plot: Plot, i: int) -> Iterator[Edit]:
    """Let the person leave after the next move instead of before it, or before the last one."""
    steps, who = plot.steps, plot.steps[i].event.people[0]
    j = i + 1
    while j < len(steps) and steps[j].event.kind in ("leave", "note"):
        j += 1
    if j < len(steps) and steps[j].event.kind in CHANGES and not _named_after(plot, j, who):
        end = plot.block_end(j)
        yield "left later", [*steps[:i], *steps[i + 1 : end], steps[i], *steps[end:]]
    j = i - 1
    while j > 0 and steps[j].event.kind in MODIFIERS | {"leave", "note"}:
        j -= 1
    if steps[j].event.kind in CHANGES and steps[j].event.actor != who and not _named_after(plot, j, who):
        yield "left earlier", [*steps[:j], steps[i], *steps[j:i], *steps[i + 1 :]]


def _named_after(plot: Plot, i: int, who: str) -> bool:
    return any(who in step.event.people for step in plot.steps[i + 1 : plot.block_end(i)])


def _attention(rng: Rng, plot: Plot, words: Lexicon, i: int, room: str, present: Sequence[str]) -> Iterator[Edit]:
    """Add one more onlooker outside, or one who misses the move inside. At most one modifier a move."""
    steps, event = plot.steps, plot.steps[i].event
    if plot.block_end(i) > i + 1:
        return
    used = {step.phrase for step in steps}
    for who in (name for name in plot.cast if name != event.actor):
        kind = rng.pick(("distract", "daydream") if who in present else ("peek", "camera", "monitor"))
        yield _UNDONE[kind], [*steps[: i + 1], modifier(rng, words, kind, who, room, used), *steps[i + 1 :]]


def _words(plot: Plot, i: int) -> Iterator[Edit]:
    """Let the speaker say another place."""
    steps, step = plot.steps, plot.steps[i]
    for place in plot.places:
        if place != step.event.place:
            text = step.text.replace(f"the {step.event.place}", f"the {place}")
            other = Step(replace(step.event, place=place), text, step.phrase)
            yield "told otherwise", [*steps[:i], other, *steps[i + 1 :]]


def exchanged(plot: Plot, one: str, other: str) -> Plot:
    """Tell the same story with two places exchanged wherever the thing comes or is said to be."""
    swap = {one: other, other: one}
    pattern = re.compile("|".join(rf"(?<=the ){re.escape(place)}\b" for place in swap))
    steps = []
    for step in plot.steps:
        if step.event.thing == plot.thing:
            event = replace(step.event, place=swap.get(step.event.place, step.event.place))
            step = Step(event, pattern.sub(lambda found: swap[found.group()], step.text), step.phrase)
        steps.append(step)
    return plot.edited(steps)


_PRONOUN = re.compile(r"\b(?:her|his|him)\b")


def recast(plot: Plot, words: Lexicon, one: str, other: str) -> Plot | None:
    """Tell the same story with two people in each other's parts from the first step on after the openings.

    None where a pronoun would not fit any more.
    """
    swap = {one: other, other: one}
    pattern = re.compile(rf"\b(?:{one}|{other})\b")
    steps = []
    if any((one in plot.steps[i].event.people) != (other in plot.steps[i].event.people) for i in plot.openings):
        return None  # one of them is not in all chapters
    for i, step in enumerate(plot.steps):
        if i not in plot.openings and pattern.search(step.text):
            if words.people[one] != words.people[other] and _PRONOUN.search(step.text):
                return None
            actor, *people = (swap.get(name, name) for name in (step.event.actor, *step.event.people))
            event = replace(step.event, actor=actor, people=tuple(people))
            step = Step(event, pattern.sub(lambda found: swap[found.group()], step.text), step.phrase)
        steps.append(step)
    return plot.edited(steps)
