"""A second opinion on `stories.world`, by another algorithm: it looks back instead of forward and shifts perspective.

The world of a story goes through the events once and carries every belief along. Here nothing is carried: an event is
shown to one person after the other, each handing on the event *as they take it to have happened* (a hidden onlooker is
not in it, a daydreamer is), and a belief is found by walking back to the last event that settles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from socialr1_lite.stories.world import Event

NOT_SETTLED = object()
PEOPLE, ROOMS = ("Ann", "Bob", "Cid", "Dee"), ("hall", "shed")
CONTAINERS = {"box": "hall", "bag": "hall", "jar": "hall", "tub": "shed"}


@dataclass(frozen=True)
class Shown:
    """An event as somebody takes it to have happened."""

    event: Event
    room: str
    here: frozenset[str]
    see: frozenset[str]
    seem_to_see: frozenset[str]
    plainly_not: frozenset[str]
    off_guard: frozenset[str]
    truth: tuple[tuple[str, str], ...]  # where each thing really is afterwards

    def to(self, person: str) -> Shown | None:
        """The event as this person hands it on; None if they missed it. Their own daydream they would know of."""
        if person not in self.see:
            return None
        return replace(self, see=self.seem_to_see, off_guard=frozenset())


class Enumerator:
    """Beliefs by looking back."""

    def __init__(self, events: Sequence[Event], rooms: dict[str, str], glass: frozenset[str] = frozenset()) -> None:
        self.rooms, self.glass = rooms, glass
        self.log = _log(events, rooms)
        self.belief = cache(self._belief)
        self.fresh = cache(self._fresh)

    def believes(self, chain: Sequence[str], fluent: tuple[str, str]) -> str | None:
        """As World.believes."""
        short: list[str] = []
        for name in chain:
            if short[-1:] != [name]:
                short.append(name)
        return self.belief(tuple(short), fluent, len(self.log) - 1)

    def reached(self, chain: tuple[str, ...], t: int) -> Shown | None:
        """The event at t as the whole chain hands it on."""
        shown: Shown | None = self.log[t]
        for name in chain:
            shown = shown.to(name) if shown else None
        return shown

    def _belief(self, chain: tuple[str, ...], fluent: tuple[str, str], t: int) -> str | None:
        while t >= 0:
            if self.reached(chain, t):
                settled = self._settled(chain, fluent, t)
                if settled is not NOT_SETTLED:
                    return settled
            t -= 1
        return None

    def _settled(self, chain: tuple[str, ...], fluent: tuple[str, str], t: int):
        about, name = fluent
        shown = self.log[t]
        event = shown.event
        if _touches(shown, self.log[t - 1] if t else None, fluent):
            places = dict(shown.truth)
            if about == "where":
                return places[name]
            return next((thing for thing, place in places.items() if place == name), "nothing")
        if not chain:
            return NOT_SETTLED
        return self._mind(chain, fluent, t, event)

    def _mind(self, chain: tuple[str, ...], fluent: tuple[str, str], t: int, event: Event):
        about, name = fluent
        me, before = chain[-1], lambda: self.belief(chain, fluent, t - 1)
        if event.kind == "tell" and (event.thing if about == "where" else event.place) == name:
            said = event.place if about == "where" else event.thing
            if me == event.actor:
                convinced = len(chain) > 1 and self.belief(chain[:-1], fluent, t) == said
                return said if convinced else NOT_SETTLED
            return said if before() is None or not self.fresh(chain, fluent, t, True) else NOT_SETTLED
        if event.kind == "label" and about == "inside" and event.place == name and me in self.log[t].here:
            return event.thing if before() is None else NOT_SETTLED
        opened = self._opened(me, event, fluent)
        if opened:
            return self._look(chain, fluent, t, opened)
        if event.kind == "enter" and me in event.people and about == "inside" and name not in self.glass:
            label = self._label(name, t)
            if label and event.place == self.rooms[name] and before() is None:
                return label
        return NOT_SETTLED

    def _opened(self, me: str, event: Event, fluent: tuple[str, str]) -> list[str]:
        """Containers that I see into by this event."""
        if event.kind == "look" and me == event.actor:
            seen = [event.place]
        elif event.kind == "enter" and me in event.people:
            seen = sorted(c for c in self.glass if self.rooms[c] == event.place)
        else:
            seen = []
        return [c for c in seen if fluent[0] == "where" or c == fluent[1]]

    def _look(self, chain: tuple[str, ...], fluent: tuple[str, str], t: int, opened: list[str]):
        there = self.belief(chain[:-1], fluent, t)
        if fluent[0] == "inside" or there is None or there in opened:
            return there
        return None if self.belief(chain, fluent, t - 1) in opened else NOT_SETTLED

    def _label(self, container: str, t: int) -> str:
        says = [s.event.thing for s in self.log[:t] if s.event.kind == "label" and s.event.place == container]
        return says[-1] if says else ""

    def _home(self, fluent: tuple[str, str], t: int) -> str:
        if fluent[0] == "inside":
            return self.rooms[fluent[1]]
        return self.rooms.get(dict(self.log[t].truth).get(fluent[1], ""), "")

    def _fresh(self, chain: tuple[str, ...], fluent: tuple[str, str], t: int, before_words: bool = False) -> bool:
        """Whether nothing can have been missed since the last evidence, up to just before (or with) event t."""
        while t >= 0:
            lost = self._lost_touch(chain, fluent, t, before_words)
            if lost:
                return False
            shown = self.reached(chain, t)
            if shown and not before_words:
                if _touches(self.log[t], self.log[t - 1] if t else None, fluent):
                    return True
                if opened := self._opened(chain[-1], self.log[t].event, fluent):
                    there = self.belief(chain[:-1], fluent, t)
                    if fluent[0] == "inside" or there is None or there in opened:
                        return there is not None
                    if self.belief(chain, fluent, t - 1) in opened:
                        return False
            t, before_words = t - 1, False
        return False

    def _lost_touch(self, chain: tuple[str, ...], fluent: tuple[str, str], t: int, before_words: bool) -> bool:
        shown, event, me, home = self.log[t], self.log[t].event, chain[-1], self._home(fluent, t)
        if not home:
            return False
        if self.reached(chain, t) and (event.other == "away" or shown.room not in ("", home)) and me in shown.here:
            return True
        if before_words or shown.room != home:
            return False
        if event.kind == "leave" and me in event.people and self.reached(chain, t):
            return True
        outer = self.reached(chain[:-1], t)
        return bool(outer) and me not in outer.see and (me in shown.plainly_not or me in outer.off_guard)


def _touches(shown: Shown, before: Shown | None, fluent: tuple[str, str]) -> bool:
    """Whether the event puts the thing somewhere (if only where it was), or something in or out of the container."""
    event = shown.event
    if event.kind not in ("put", "move", "swap"):
        return False
    moved = {event.thing} | ({event.other} if event.kind == "swap" else set())
    if fluent[0] == "where":
        return fluent[1] in moved
    was = dict(before.truth) if before else {}
    now = dict(shown.truth)
    return any(fluent[1] in (was.get(thing), now[thing]) for thing in moved)


def _log(events: Sequence[Event], rooms: dict[str, str]) -> list[Shown]:
    at: dict[str, str] = {}
    places: dict[str, str] = {}
    log: list[Shown] = []
    for event in events:
        group = frozenset(event.people)
        last = log[-1] if log else None
        if event.kind in ("peek", "camera", "overhear"):
            log[-1] = replace(last, see=last.see | group)
        elif event.kind == "monitor":
            log[-1] = replace(last, see=last.see | group, seem_to_see=last.seem_to_see | group)
        elif event.kind == "distract":
            log[-1] = replace(
                last, see=last.see - group, seem_to_see=last.seem_to_see - group, plainly_not=last.plainly_not | group
            )
        elif event.kind == "daydream":
            log[-1] = replace(last, see=last.see - group, off_guard=last.off_guard | group)
        else:
            log.append(_plain(event, rooms, at, places))
    return log


def _plain(event: Event, rooms: dict[str, str], at: dict[str, str], places: dict[str, str]) -> Shown:
    if event.kind == "enter":
        for name in event.people:
            at[name] = event.place
    if event.kind in ("put", "move"):
        places[event.thing] = event.place
    if event.kind == "swap":
        places[event.thing], places[event.other] = places[event.other], places[event.thing]
    if event.kind in ("enter", "leave"):
        room = event.place
    elif event.kind in ("tell", "note"):
        room = ""
    else:
        room = at[event.actor] if event.kind == "swap" else rooms[event.place]
    here = frozenset([event.actor, *event.people] if event.kind == "tell" else [p for p in at if at[p] == room])
    if event.actor:
        here |= {event.actor}
    if event.kind == "leave":
        for name in event.people:
            at[name] = ""
    return Shown(event, room, here, here, here, frozenset(), frozenset(), tuple(sorted(places.items())))


def random_events(random: Random, length: int) -> list[Event]:
    """A small world with every kind of event: 4 people, 2 rooms, 4 containers (never two things in one), 2 things."""
    at = {name: random.choice(ROOMS) for name in PEOPLE}
    events = [Event("enter", people=tuple(p for p in PEOPLE if at[p] == room), place=room) for room in ROOMS]
    places = dict(zip(("key", "pen"), random.sample(["box", "bag", "jar", "tub"], 2), strict=True))
    events += [Event("put", thing=thing, place=place) for thing, place in places.items()]
    events += [Event("label", thing=random.choice(["key", "pen"]), place=random.choice(list(CONTAINERS)))]
    while len(events) < length:
        events += _random_event(random, at, places)
    return events


def _random_event(random: Random, at: dict[str, str], places: dict[str, str]) -> list[Event]:
    kind = random.choice(("leave", "enter", "move", "move", "move", "swap", "look", "tell", "tell", "label", "note"))
    who = random.choice(PEOPLE)
    room = at[who]
    near = [c for c, r in CONTAINERS.items() if r == room]
    if kind == "leave" and room:
        at[who] = ""
        return [Event("leave", people=(who,), place=room)]
    if kind == "enter" and not room:
        at[who] = random.choice(ROOMS)
        return [Event("enter", people=(who,), place=at[who])]
    if kind == "tell":
        hearers = tuple(random.sample([p for p in PEOPLE if p != who], random.choice((1, 1, 2))))
        away = "away" if random.random() < 0.3 else ""
        words = Event("tell", who, random.choice(["key", "pen"]), random.choice(list(CONTAINERS)), hearers, away)
        rest = [p for p in PEOPLE if p != who and p not in hearers]
        return [words, Event("overhear", people=(random.choice(rest),))] if random.random() < 0.3 else [words]
    if kind == "note":
        return [Event("note", who)]
    event = _at_hand(random, kind, who, near, places)
    return [event, *_onlookers(random, who, room, at)] if event else []


def _at_hand(random: Random, kind: str, who: str, near: list[str], places: dict[str, str]) -> Event | None:
    things = [thing for thing, place in places.items() if place in near]
    free = [c for c in near if c not in places.values()]
    if kind == "move" and things and free:
        thing, place = random.choice(things), random.choice(free)
        places[thing] = place
        return Event("move", who, thing, place)
    if kind == "swap" and len(things) == 2:
        places["key"], places["pen"] = places["pen"], places["key"]
        return Event("swap", who, "key", other="pen")
    if kind == "look" and near:
        return Event("look", who, place=random.choice(near))
    if kind == "label" and near:
        return Event("label", who, random.choice(["key", "pen", "hat"]), random.choice(near))
    return None


def _onlookers(random: Random, actor: str, room: str, at: dict[str, str]) -> list[Event]:
    """At most one part each in what the others notice."""
    found = []
    for name in PEOPLE:
        if name == actor or random.random() > 0.2:
            continue
        inside = at[name] == room
        kind = random.choice(("distract", "daydream") if inside else ("peek", "camera", "monitor"))
        found.append(Event(kind, people=(name,)))
    return found
