"""What of the engine's stories may be told: which templates and perturbations, how many places and people.

A perturbation is the small edit that turns a story into its twin. One that is not allowed is neither the edit of any
pair nor in any of their stories: where `peeked` is left out, nobody peeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RECAST = "people exchanged"
TIMING = ("left earlier", "left later")
OWN = {  # what an event, or a state of a container, is called as a perturbation
    "peek": "peeked", "camera": "forgotten camera", "monitor": "known camera", "overhear": "overheard",
    "distract": "distracted", "daydream": "lost in thought", "tell": "told otherwise", "look": "looked inside",
    "glass": "transparent container", "relabel": "relabelled before or after",
}  # fmt: skip
DEVICES = frozenset(OWN)
NEEDS = {  # what a pair of this perturbation has in one of its stories
    **{name: frozenset({kind}) for kind, name in OWN.items()},
    "overheard": frozenset({"overhear", "tell"}),
    "never told": frozenset({"tell"}),
    "noticed or unnoticed": frozenset({"peek", "camera", "monitor", "distract", "daydream"}),
}
EVENTS = (*TIMING, "noticed or unnoticed", "never told", *OWN.values())
SEEN = (*TIMING, "peeked", "forgotten camera", "known camera", "distracted", "lost in thought")
NOTICED, TOLD = "noticed or unnoticed", "told otherwise"


def events(order: int, *told: str) -> tuple[str, ...]:
    """Return the edits of events by which pairs about a belief of this depth are found in a few hundred draws.

    told: further ones, of words, which do not change what is thought more than two deep. What can only be taken out of
    a story, such as a look, makes no place gold that the thing was in before: it comes beside these.
    """
    return (*SEEN, *((NOTICED,) if order > 1 else ()), *(told if order < DEEP else ()))


DEEP = 3
FEWEST_PEOPLE, MOST_PEOPLE = 3, 8
FEWEST_PLACES, MOST_PLACES = 2, 4


@dataclass(frozen=True, slots=True)
class Names:
    """Those of `include` (all of them, where it is empty) without those of `exclude`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return (not self.include or name in self.include) and name not in self.exclude

    @property
    def every(self) -> bool:
        """Whether none is left out."""
        return not self.include and not self.exclude


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be told. places, people: how many, where a template draws their number; (): as it draws by itself."""

    templates: Names = Names()
    perturbations: Names = Names()
    places: tuple[int, ...] = ()
    people: tuple[int, ...] = ()

    @property
    def every(self) -> bool:
        """Whether everything may be told."""
        return self == EVERYTHING

    def tells(self, perturbation: str) -> bool:
        """Tell whether a pair may be made by it, or what it is about may happen in a story."""
        return perturbation in self.perturbations or any(OWN[kind] == perturbation for kind in self.devices)

    @property
    def devices(self) -> frozenset[str]:
        """What may occur in a story: all that an allowed perturbation needs, without what was excluded."""
        names = self.perturbations
        needed = frozenset[str]().union(*(NEEDS.get(name, ()) for name in names.include)) if names.include else DEVICES
        return frozenset(kind for kind in needed if OWN[kind] not in names.exclude)

    def admits(self, perturbation: str, devices: Iterable[frozenset[str]]) -> bool:
        """Tell whether a pair of this perturbation may be told, its stories with these devices."""
        return perturbation in self.perturbations and all(found <= self.devices for found in devices)

    def __str__(self) -> str:
        """Write what seeds every story: the same text in whatever order the names were given."""
        named = (sorted(part) for one in (self.templates, self.perturbations) for part in (one.include, one.exclude))
        return repr((*named, sorted(self.places), sorted(self.people)))


EVERYTHING = Scope()
