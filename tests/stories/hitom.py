"""Hi-ToM's stories (He et al. 2023, arXiv 2310.16755) read into our world: the simulation checked on foreign gold.

Hi-ToM's own assumptions are kept: everybody sees everything in a room until leaving it; what is said changes the belief
of those hearers only who left the thing's room before the speaker, and they take the speaker to believe it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from socialr1_lite.errors import DataError
from socialr1_lite.stories.world import Event, World, where

NUMBER = re.compile(r"^\s*\d+\s+")
PLACE = r"(?P<place>\w+)"
LINES = {
    "enter": re.compile(r"(?P<who>.+?) entered the (?P<room>\w+)\.$"),
    "leave": re.compile(r"(?P<who>\w+) exited the (?P<room>\w+)\.$"),
    "put": re.compile(rf"The (?P<thing>\w+) is in the {PLACE}\.$"),
    "move": re.compile(rf"(?P<who>\w+) moved the (?P<thing>\w+) to the {PLACE}\.$"),
    "public": re.compile(rf"(?P<who>\w+) publicly claimed that (?:the )?(?P<thing>\w+) is (?:now )?in the {PLACE}\.$"),
    "private": re.compile(
        rf"(?P<who>\w+) privately told (?P<hearer>\w+) that (?:the )?(?P<thing>\w+) is (?:now )?in the {PLACE}\.$"
    ),
}
QUESTION = re.compile(r"Where (?:is|does|do)\b(?P<chain>.*?)\bthe (?P<thing>\w+)(?: really)?(?: is)?\s*\?")
WAITING = "waiting_room"


@dataclass(frozen=True, slots=True)
class HitomQuestion:
    """A Hi-ToM question: the story as a world, the chain of people (nobody: what is so), the thing."""

    world: World
    chain: tuple[str, ...]
    thing: str

    @property
    def answer(self) -> str | None:
        """The container by its Hi-ToM name; None if the chain has no view."""
        place = self.world.believes(self.chain, where(self.thing))
        return None if place is None else place.partition("/")[2]


def read(story: str, question: str) -> HitomQuestion:
    """Read a story (numbered lines; unknown ones are distractors) and its question; DataError for another question."""
    found = QUESTION.search(question)
    if found is None:
        raise DataError(f"hitom: cannot read the question {question!r}")
    events, rooms = _events(story)
    chain = tuple(re.findall(r"(\w+) (?:really )?thinks?", found["chain"]))
    return HitomQuestion(World(events, rooms, frozenset(rooms), trust="exit_order"), chain, found["thing"])


def _events(story: str) -> tuple[list[Event], dict[str, str]]:
    """The events, and the room of each container (named room/container: rooms have containers of the same name)."""
    events: list[Event] = []
    rooms: dict[str, str] = {}
    at: dict[str, str] = {}
    home: dict[str, str] = {}  # thing -> room
    here = ""
    for raw in story.splitlines():
        line = NUMBER.sub("", raw).strip()
        kind, found = next(((kind, m) for kind, p in LINES.items() if (m := p.match(line))), ("", None))
        if found is None:
            continue
        if kind == "enter":
            people = tuple(re.split(r", | and ", found["who"]))
            at.update(dict.fromkeys(people, found["room"]))
            here = here if found["room"] == WAITING else found["room"]
            events.append(Event("enter", people=people, place=found["room"]))
        elif kind == "leave":
            at[found["who"]] = ""
            events.append(Event("leave", people=(found["who"],), place=found["room"]))
        else:
            if kind == "put":
                home[found["thing"]] = here
            place = f"{home.get(found['thing'], here)}/{found['place']}"
            rooms.setdefault(place, place.partition("/")[0])
            events.append(_telling(kind, found, place, at))
    return events, rooms


def _telling(kind: str, found: re.Match[str], place: str, at: dict[str, str]) -> Event:
    if kind == "put":
        return Event("put", thing=found["thing"], place=place)
    who, thing = found["who"], found["thing"]
    if kind == "move":
        return Event("move", who, thing, place)
    if kind == "private":
        return Event("tell", who, thing, place, (found["hearer"],))
    return Event("tell", who, thing, place, tuple(name for name in at if name != who and at[name] == at.get(who)))
