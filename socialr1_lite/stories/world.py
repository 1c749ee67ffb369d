"""What happens in a story, who perceives it, and so who believes what, to any order: simulated, never templated.

A `World` is a list of `Event`s in time. Three questions are put to it: what is so (`believes((), fluent)`), what one
person believes (`believes(("Anna",), fluent)`), and what Anna thinks that Ben thinks (`believes(("Anna", "Ben"),
fluent)`), and so on. A *fluent* is `where(thing)`, whose values are containers, or `inside(container)`, whose values
are things. `None` is "has no idea".

Who perceives an event
    * `present`: whoever is in the room of the event. A *private* talk has its speaker and hearers instead.
    * Of these, those named by a following `distract` perceive nothing, and everyone there sees that they do not.
      Those named by a following `daydream` perceive nothing, but to everyone there they *seem* to perceive.
    * Those named by a following `peek`, `camera` or `overhear` perceive, and nobody else knows that they do.
      Those named by a following `monitor` perceive from elsewhere, and everybody knows it.
    An actor perceives what they do. A *modifier* (these six kinds) belongs to the nearest event before it that is no
    modifier.

The chain rule
    A chain (a1, a2, …, ak) *follows* an event if a1 perceives it and each of a2 … ak seems to perceive it (is present
    and neither distracted nor hidden, or daydreams, or monitors). So B(a1, B(a2, …)) changes only where a1 perceives
    that a2 perceives that … ak perceives. A hidden onlooker's own beliefs change; what others think the onlooker
    believes does not. A daydreamer's beliefs do not change; what others think they believe does. "a thinks that a
    thinks" is read as "a thinks".

What an event does to a chain that follows it
    * put, move, swap: the thing is now there (and inside a container is now that thing, or nothing): *evidence*.
    * look (into a container; `enter` into a room with transparent containers is a look into each of them by those who
      enter): only the looker's own place in a chain changes. The looker sees what is there *as the rest of the chain
      before them has it*: Anna, who thinks the key is in the box, thinks that Ben who looks into the box now knows
      it. Nothing is learned of where a missing thing went: that belief becomes "has no idea".
    * label, and `enter` into a room with labelled containers: whoever has no idea what is inside takes the label's
      word. Whoever sees a relabelling keeps what they thought before.
    * tell: see below. note: nothing.

Testimony
    A belief is *fresh* from evidence on until its holder leaves the room of the thing, is perceived to be elsewhere,
    or is distracted: from then on they know that they may have missed something. A hearer whose belief is fresh
    keeps it. Any other hearer believes what is said. Whoever believes it also takes the speaker to believe it; a
    hearer who keeps their own belief does not change their mind about the speaker's either. Saying something never
    changes what the speaker believes. All of this is judged inside the chain: a liar thinks that the victim who
    secretly saw everything has been taken in. `trust="exit_order"` is Hi-ToM's other rule: a hearer believes a
    speaker who left the room of the thing later than they did, and takes them to believe it; a speaker thinks that
    every hearer believes; no other thought about thoughts changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

NOTHING = "nothing"  # the value of inside(container) after the thing was taken out
HIDDEN = frozenset({"peek", "camera", "overhear"})
MODIFIERS = HIDDEN | {"distract", "daydream", "monitor"}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens.

    enter(people, place=room) · leave(people, place=room) · put(thing, place=container, actor or "") · move(actor,
    thing, place) · swap(actor, thing, other=thing: they change places) · look(actor, place=container) · tell(actor,
    people=hearers, thing, place: "the thing is in the place"; other="away": all of them see that they stand outside)
    · label(thing, place=container, actor or "": the container's label says thing) · note() · modifiers: peek,
    camera, overhear, distract, daydream, monitor (people).
    """

    kind: str
    actor: str = ""
    thing: str = ""
    place: str = ""
    people: tuple[str, ...] = ()
    other: str = ""


def where(thing: str) -> tuple[str, str]:
    """Name the fluent "which container the thing is in"."""
    return ("where", thing)


def inside(container: str) -> tuple[str, str]:
    """Name the fluent "what is inside the container"."""
    return ("inside", container)


@dataclass(slots=True)
class Scene:
    """One event with who was there and who perceived it; `real` is what it does to each fluent."""

    event: Event
    room: str
    present: frozenset[str]
    perceivers: frozenset[str]
    seeming: frozenset[str]
    distracted: frozenset[str]
    dreaming: frozenset[str]
    real: dict[tuple[str, str], str]


@dataclass(slots=True)
class World:
    """Events in time over containers that stand in rooms. Beliefs are worked out when asked for, and kept."""

    events: Sequence[Event]
    rooms: Mapping[str, str]
    transparent: frozenset[str] = frozenset()
    trust: str = "fresh"
    scenes: list[Scene] = field(init=False, default_factory=list)
    at: dict[str, str] = field(init=False, default_factory=dict)  # the room that each person is in at the end, or ""
    _effects: dict[tuple[str, str], list[_Effect]] = field(init=False, default_factory=dict)
    _held: dict[tuple[tuple[str, str], tuple[str, ...]], str | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Work out, in one pass, who is where and who perceives what."""
        self.scenes, self.at = _stage(self.events, self.rooms)

    def believes(self, chain: Sequence[str], fluent: tuple[str, str]) -> str | None:
        """Return what chain[0] thinks that chain[1] thinks that … of the fluent; () is what is so; None: no idea."""
        asked = tuple(chain)
        if (fluent, asked) not in self._held:
            people = tuple(name for i, name in enumerate(asked) if i == 0 or asked[i - 1] != name)
            values: list[str | None] = [None] * (len(people) + 1)
            fresh = [False] * (len(people) + 1)
            for effect in self._effects_on(fluent):
                effect.on(people, values, fresh)
            for j, value in enumerate(values):  # a chain's beginnings are worked out on the way
                self._held[fluent, people[:j]] = value
            self._held[fluent, asked] = values[-1]
        return self._held[fluent, asked]

    def knows(self, chain: Sequence[str], fluent: tuple[str, str]) -> bool:
        """Tell whether the chain's last belief is what is so: a belief that is true, however it came about."""
        held = self.believes(chain, fluent)
        return held is not None and held == self.believes((), fluent)

    def course(
        self, chain: Sequence[str], fluent: tuple[str, str], until: int | None = None
    ) -> list[tuple[str | None, bool]]:
        """List what the chain believed after each change up to (not with) this scene, and whether it was fresh.

        The first entry is before any change. () is what was so; None as the scene: up to the end.
        """
        values: list[str | None] = [None] * (len(chain) + 1)
        fresh = [False] * (len(chain) + 1)
        later = set() if until is None else {id(scene) for scene in self.scenes[until:]}
        stages = [(values[-1], fresh[-1])]
        for effect in self._effects_on(fluent):
            if id(effect.scene) in later:
                break
            effect.on(chain, values, fresh)
            stages.append((values[-1], fresh[-1]))
        return stages

    def ever_held(self, chain: Sequence[str], fluent: tuple[str, str], until: int | None = None) -> set[str | None]:
        """Return every value that the chain believed at some time."""
        return {value for value, _ in self.course(chain, fluent, until)}

    def certain(self, chain: Sequence[str], fluent: tuple[str, str]) -> bool:
        """Tell whether a reader can be sure of the chain's belief.

        Who learns of a change by words or by a look does not know who saw it. Of somebody who, as far as they know, was
        there all the time, nobody can tell whether they take them to know it too.
        """
        place = self.believes((), fluent) if fluent[0] == "where" else fluent[1]
        for j in range(1, len(chain)):
            values: list[str | None] = [None] * (j + 1)
            fresh, learned = [False] * (j + 1), ""
            for effect in self._effects_on(fluent):
                before = values[j]
                effect.on(chain[:j], values, fresh)
                learned = effect.kind if values[j] != before else learned
            differs = self.believes(chain[: j + 1], fluent) != values[j]
            if learned in ("say", "look") and differs and self._seen_there(chain[:j], chain[j], self.rooms[str(place)]):
                return False
        return True

    def _seen_there(self, chain: Sequence[str], name: str, room: str) -> bool:
        """Tell whether the person is in the room as far as the chain has followed their coming and going."""
        for scene in reversed(self.scenes):
            walked = scene.event.kind in ("enter", "leave") and scene.room == room and name in scene.event.people
            if walked and chain[0] in scene.perceivers and scene.seeming.issuperset(chain[1:]):
                return scene.event.kind == "enter"
        return False

    def last_mover(self, thing: str = "") -> str | None:
        """Return who moved the thing last, or anything if none is named."""
        moves = (s.event for s in reversed(self.scenes) if s.event.kind == "move")
        return next((event.actor for event in moves if thing in ("", event.thing)), None)

    def noticed(self, chain: Sequence[str], thing: str) -> str:
        """Say which move of the thing the chain noticed last, or that it noticed none: why it believes what it does.

        A belief that came by words or a look has another reason: "", as where nothing was moved.
        """
        moves = [scene for scene in self.scenes if scene.event.kind == "move" and scene.event.thing == thing]
        people = [name for i, name in enumerate(chain) if i == 0 or chain[i - 1] != name]
        if not moves or not people:
            return ""
        aware = [[name in (s.seeming if i else s.perceivers) for i, name in enumerate(people)] for s in moves]
        last = max((i for i, one in enumerate(aware) if all(one)), default=None)
        place = self.history(where(thing))[0] if last is None else moves[last].event.place
        if self.believes(chain, where(thing)) != place:
            return ""
        event = moves[last or 0].event
        clause = f"{event.actor} moved the {thing} {'away from' if last is None else 'to'} the {place}"
        return _noticed(people, aware[last or 0], event.actor, clause)

    def history(self, fluent: tuple[str, str]) -> list[str]:
        """Return every value the fluent really had, in time, a repeated value once per stay."""
        stays: list[str] = []
        for scene in self.scenes:
            if fluent in scene.real and (not stays or stays[-1] != scene.real[fluent]):
                stays.append(scene.real[fluent])
        return stays

    def _effects_on(self, fluent: tuple[str, str]) -> list[_Effect]:
        if fluent not in self._effects:
            self._effects[fluent] = _effects(self, fluent)
        return self._effects[fluent]


@dataclass(slots=True)
class _Effect:
    """What one scene does to one fluent, for every chain. `kind`: set, look, label, say or "" (only freshness)."""

    kind: str
    scene: Scene
    value: str = ""
    who: frozenset[str] = frozenset()  # look, label: whose own place in the chain it touches
    gone: frozenset[str] = frozenset()  # who is from now on, for those who follow, away from the thing
    blind: frozenset[str] = frozenset()  # who visibly missed it
    dreaming: frozenset[str] = frozenset()  # who missed it and alone knows
    speaker: str = ""
    believed_by: frozenset[str] | None = None  # Hi-ToM's rule: who believes the speaker; None: our rule
    about_inside: bool = False

    def on(self, chain: Sequence[str], values: list[str | None], fresh: list[bool]) -> None:
        """Bring `values[j]` and `fresh[j]`, the belief of chain[:j], up to after this scene."""
        scene, length = self.scene, len(chain)
        if self.kind == "set":
            values[0] = self.value
        if not length:
            return
        if chain[0] not in scene.perceivers:
            fresh[1] = fresh[1] and chain[0] not in self.blind and chain[0] not in self.dreaming
            return
        reach = 1
        while reach < length and chain[reach] in scene.seeming:
            reach += 1
        if self.kind:
            _CHANGES[self.kind](self, chain[:reach], values, fresh)
        if self.gone:
            for j in range(1, reach + 1):
                fresh[j] = fresh[j] and chain[j - 1] not in self.gone
        if reach < length and chain[reach] in self.blind:
            fresh[reach + 1] = False

    def set(self, chain: Sequence[str], values: list[str | None], fresh: list[bool]) -> None:
        for j in range(1, len(chain) + 1):
            values[j], fresh[j] = self.value, True

    def look(self, chain: Sequence[str], values: list[str | None], fresh: list[bool]) -> None:
        for j, name in enumerate(chain, 1):
            there = values[j - 1]
            if name in self.who and (self.about_inside or there == self.value or there is None):
                values[j], fresh[j] = there, there is not None
            elif name in self.who and values[j] == self.value:
                values[j], fresh[j] = None, False

    def label(self, chain: Sequence[str], values: list[str | None], fresh: list[bool]) -> None:
        for j, name in enumerate(chain, 1):
            if name in self.who and values[j] is None:
                values[j] = self.value

    def say(self, chain: Sequence[str], values: list[str | None], fresh: list[bool]) -> None:
        if self.believed_by is not None:
            if chain and chain[0] in self.believed_by:
                values[1] = self.value
                if len(chain) > 1 and chain[1] == self.speaker:
                    values[2] = self.value
            elif len(chain) > 1 and chain[0] == self.speaker:
                values[2] = self.value
            return
        sincere = False  # whether chain[:j - 1] took the speaker's word
        for j, name in enumerate(chain, 1):
            if name != self.speaker:
                if values[j] is None or not fresh[j]:
                    values[j] = self.value
                sincere = values[j] == self.value
            elif sincere:
                values[j], sincere = self.value, False


_CHANGES = {"set": _Effect.set, "look": _Effect.look, "label": _Effect.label, "say": _Effect.say}


def _stage(events: Sequence[Event], rooms: Mapping[str, str]) -> tuple[list[Scene], dict[str, str]]:
    """Find who is where and who perceives what, in one pass over the events."""
    at: dict[str, str] = {}
    inside_room: dict[str, frozenset[str]] = {"": _NOBODY}  # of people, brought up to date when somebody moves
    places: dict[str, str] = {}
    scenes: list[Scene] = []
    for event in events:
        kind = event.kind
        if kind in MODIFIERS:
            _modify(scenes[-1], event)
            continue
        if kind == "enter":
            _walk(event.people, event.place, at, inside_room)
        room = _room(event, rooms, at)
        if kind == "tell":
            present = frozenset((event.actor, *event.people))
        else:
            present = inside_room.get(room, _NOBODY)
            if event.actor and event.actor not in present:
                present |= {event.actor}
        real = _changes(event, places) if kind in _CHANGING else _UNCHANGED
        scenes.append(Scene(event, room, present, present, present, _NOBODY, _NOBODY, real))
        if kind == "leave":
            _walk(event.people, "", at, inside_room)
    return scenes, at


def _noticed(people: Sequence[str], aware: Sequence[bool], actor: str, clause: str) -> str:
    """Put who noticed, and who did not, before what happened: those of a chain up to the first who did not."""
    missed = next((i for i, there in enumerate(aware) if not there), None)
    before = list(people if missed is None else people[:missed])
    if missed is not None:
        clause = f"{people[missed]} did not notice that {clause}"
    elif before[-1] == actor:  # who moves a thing notices it
        before.pop()
    for name in reversed(before):
        clause = f"{name} {'noticed' if missed is None else 'thinks'} that {clause}"
    return clause


_NOBODY: frozenset[str] = frozenset()
_CHANGING = frozenset({"put", "move", "swap"})
_UNCHANGED: dict[tuple[str, str], str] = {}


def _walk(people: Sequence[str], room: str, at: dict[str, str], inside_room: dict[str, frozenset[str]]) -> None:
    """Let these people go to the room ("" is outside, where nobody is together); both maps are kept up to date."""
    for left in {at.get(name, "") for name in people} - {""}:
        inside_room[left] = inside_room[left].difference(people)
    at.update(dict.fromkeys(people, room))
    if room:
        inside_room[room] = inside_room.get(room, _NOBODY).union(people)


def _room(event: Event, rooms: Mapping[str, str], at: Mapping[str, str]) -> str:
    if event.kind in ("enter", "leave"):
        return event.place or (at.get(event.people[0], "") if event.people else "")
    if event.kind == "swap":
        return at.get(event.actor, "")
    return "" if event.kind in ("tell", "note") else rooms[event.place]


def _changes(event: Event, places: dict[str, str]) -> dict[tuple[str, str], str]:
    """Find what is really so after the event, for the fluents it touches; `places` is brought up to date."""
    moves = {event.thing: event.place}
    if event.kind == "swap":
        pairs = ((event.thing, event.other), (event.other, event.thing))
        moves = {thing: places[other] for thing, other in pairs if other in places}
    real = {("inside", places[thing]): NOTHING for thing in moves if thing in places}
    for thing, place in moves.items():
        places[thing] = place
        real["where", thing], real["inside", place] = place, thing
    return real


def _modify(scene: Scene, event: Event) -> None:
    people = frozenset(event.people)
    if event.kind in HIDDEN:
        scene.perceivers |= people
    elif event.kind == "monitor":
        scene.perceivers, scene.seeming = scene.perceivers | people, scene.seeming | people
    elif event.kind == "distract":
        scene.perceivers, scene.seeming = scene.perceivers - people, scene.seeming - people
        scene.distracted |= people
    else:
        scene.perceivers = scene.perceivers - people
        scene.dreaming |= people


def _effects(world: World, fluent: tuple[str, str]) -> list[_Effect]:
    """Find the scenes that can change anybody's belief about the fluent, or how fresh it is."""
    about, name = fluent
    home = world.rooms[name] if about == "inside" else ""
    labels: dict[str, str] = {}  # room -> what the label of the container in question says
    exits: dict[str, int] = {}
    effects: list[_Effect] = []
    for index, scene in enumerate(world.scenes):
        event = scene.event
        if event.kind == "label" and event.place == name:
            labels[scene.room] = event.thing
        if fluent in scene.real:
            home = scene.room
        if event.kind == "leave" and scene.room == home:
            exits.update(dict.fromkeys(event.people, index))
        if home and (event.other == "away" or scene.room not in ("", home)):
            effects.append(_Effect("", scene, gone=scene.present))
        effects += _changes_of_mind(world, scene, fluent, labels, exits)
        if home and scene.room == home and (event.kind == "leave" or scene.distracted or scene.dreaming):
            gone = frozenset(event.people) if event.kind == "leave" else frozenset()
            effects.append(_Effect("", scene, gone=gone, blind=scene.distracted, dreaming=scene.dreaming))
    return effects


def _changes_of_mind(
    world: World, scene: Scene, fluent: tuple[str, str], labels: Mapping[str, str], exits: Mapping[str, int]
) -> list[_Effect]:
    about, name = fluent
    event = scene.event
    if fluent in scene.real:
        return [_Effect("set", scene, scene.real[fluent])]
    if event.kind == "look" and (about == "where" or event.place == name):
        return [_Effect("look", scene, event.place, frozenset({event.actor}), about_inside=about == "inside")]
    if event.kind == "tell" and name == (event.thing if about == "where" else event.place):
        return [_said(world, scene, fluent, exits)]
    if event.kind == "label" and about == "inside" and event.place == name:
        return [_Effect("label", scene, event.thing, scene.present)]
    return _seen_on_entering(world, scene, fluent, labels) if event.kind == "enter" else []


def _said(world: World, scene: Scene, fluent: tuple[str, str], exits: Mapping[str, int]) -> _Effect:
    event = scene.event
    said = event.place if fluent[0] == "where" else event.thing
    believed_by = None
    if world.trust == "exit_order":
        last = exits.get(event.actor, -1)
        believed_by = frozenset(name for name in event.people if exits.get(name, -1) < last)
    return _Effect("say", scene, said, speaker=event.actor, believed_by=believed_by)


def _seen_on_entering(world: World, scene: Scene, fluent: tuple[str, str], labels: Mapping[str, str]) -> list[_Effect]:
    """Find the labels, and contents of transparent containers, that those who come in see."""
    about, name = fluent
    newcomers = frozenset(scene.event.people)
    glass = sorted(c for c in world.transparent if world.rooms[c] == scene.room and (about == "where" or c == name))
    seen = [_Effect("look", scene, c, newcomers, about_inside=about == "inside") for c in glass]
    if about == "inside" and world.rooms[name] == scene.room and scene.room in labels and not glass:
        seen.append(_Effect("label", scene, labels[scene.room], newcomers))
    return seen
