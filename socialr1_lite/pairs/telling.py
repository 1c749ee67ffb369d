"""A story read back into what happened and who saw it, by the very phrases that stories are told in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from socialr1_lite.pairs.phrasing import Voice, grammar
from socialr1_lite.scenario import Facts
from socialr1_lite.stories import belief, contents, desire, emotion, framing, intention, knowledge, nonliteral, scenes
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.wording import GENDERS, LEXICON, PHRASES, THEIR, THEM
from socialr1_lite.stories.world import MODIFIERS

ROOMS = (belief, contents, desire, emotion, framing, intention, knowledge, nonliteral, scenes)
HEARSAY = ("{a} sent {b} a private message saying that {x}.", "{a} texted {b}, and only {b}, that {x}.")
CHANGES = frozenset(["put", "move", "swap", "fill", "relabel"])
SECRET, OPEN = ("peek", "camera"), ("monitor",)
FALSE = {  # of what is so, what is surely not
    "saw": ("away", "missed"),
    "away": ("saw", "unnoticed", "openly", "was told"),
    "unnoticed": ("openly", "missed"),
    "openly": ("unnoticed", "missed"),
    "missed": ("unnoticed", "openly"),
}
UNCHANGED = ("all", "src", "room", "c0", "c1")  # named by few wordings, or in any order
FOODS = tuple(food for foods in scenes.FOODS.values() for food in foods)
SORTS = (*(words.things for words in LEXICON.values()), *(words.containers for words in LEXICON.values()), FOODS)


@dataclass(frozen=True, slots=True)
class Happening:
    """One sentence of the story, number `index`: the kind of what it tells, the phrase, and what fills its places."""

    kind: str
    slots: Mapping[str, str]
    index: int
    phrase: str

    @property
    def changes(self) -> bool:
        """Tell whether it is something that one may have seen or missed."""
        return self.kind in CHANGES or self.kind.startswith("scenes.")

    def clause(self, voice: Voice) -> str:
        """Word it as a clause in the past; as the story has it in gold's words."""
        if voice.gold:
            they = GENDERS.get(self.slots.get("a", ""), "she")
            return self.phrase.format(**self.slots, them=THEM[they], their=THEIR[they]).rstrip(".")
        listed = {"list": self.slots["list"].replace(" if it was in", " in")} if "list" in self.slots else {}
        return voice.say(self.kind, self.index, **{**self.slots, **listed})


def happenings(facts: Facts) -> list[Happening]:
    """Read the story's sentences; those of no known kind, and what only fills the time, are left out."""
    read = ((i, *_read(sentence)) for i, sentence in enumerate(facts.sentences))
    return [Happening(kind, slots, i, phrase) for i, kind, slots, phrase in read if kind in grammar()]


@cache
def _read(sentence: str) -> tuple[str, Mapping[str, str], str]:
    for kind, phrase, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            slots = {name: value for name, value in found.groupdict().items() if name not in ("them", "their")}
            return kind, slots, phrase
    return "", {}, ""


@cache
def _patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    """Compile every phrase; what says more comes first ("had just put the {o} away" before "put the {o}")."""
    tables = dict(PHRASES) | {"hearsay": HEARSAY}
    for room in ROOMS:
        name = room.__name__.rpartition(".")[2]
        for table, phrases in vars(room).items():
            several = phrases.items() if isinstance(phrases, dict) else [("", phrases)]
            if table.isupper() and table != "PHRASES":
                tables |= {".".join(filter(None, (name, table, str(key)))): value for key, value in several}
    both = [(kind, phrase) for kind, phrases in tables.items() if kind in grammar() for phrase in phrases]
    both.sort(key=lambda one: -len(re.sub(r"\{\w+\}", "", one[1])))
    return [(kind, phrase, _pattern(phrase)) for kind, phrase in both]


def _pattern(phrase: str) -> re.Pattern[str]:
    """Turn a phrase round: what matches it, and what fills its places."""
    seen, parts = set[str](), []
    for part in re.split(r"(\{\w+\})", phrase):
        name = part[1:-1]
        parts.append(re.escape(part) if part[:1] != "{" else f"(?P={name})" if name in seen else f"(?P<{name}>.+?)")
        seen |= {name} if part[:1] == "{" else set()
    return re.compile("".join(parts), re.IGNORECASE)


def witnesses(told: Sequence[Happening], people: Sequence[str]) -> dict[int, dict[str, str]]:
    """Say for each change who saw it, was away, watched unnoticed or openly, or missed it; who made it is left out."""
    present, found, last = set[str](), dict[int, dict[str, str]](), -1
    for one in told:
        names = {name for name in people if name in one.slots.values() or name in one.slots.get("all", "")}
        if one.kind in ("set out", "return", "enter", "come"):
            present |= names
        elif one.kind == "leave":
            present -= names
        elif one.changes:
            last, actor = one.index, one.slots.get("a", one.slots.get("y"))
            found[last] = {name: "saw" if name in present else "away" for name in people if name != actor}
        elif one.kind in MODIFIERS and last >= 0:
            status = "unnoticed" if one.kind in SECRET else "openly" if one.kind in OPEN else "missed"
            found[last] |= dict.fromkeys(names & found[last].keys(), status)
    return found


def falsified(one: Happening, told: Sequence[Happening], rng: Rng) -> Happening | None:
    """Change who or what a sentence is about, or whether it was noticed, to what the story does not say."""
    wrong = dict(one.slots)
    if one.kind in MODIFIERS and rng.chance(0.5):
        kinds = {"peek": OPEN, "camera": OPEN, "monitor": SECRET, "distract": (*SECRET, *OPEN), "daydream": OPEN}
        kind = rng.pick(kinds.get(one.kind, ("distract",)))
        return replace(one, kind=kind, phrase=rng.pick(PHRASES[kind]))
    places = [name for name, value in one.slots.items() if name not in UNCHANGED and len(_alike(value, told)) > 1]
    if feelings := re.findall(r"(\w+) if it was", one.slots.get("list", "")):
        turned = dict(zip(feelings, [*feelings[1:], feelings[0]], strict=True))
        wrong["list"] = re.sub(r"\w+(?= if it was)", lambda match: turned.get(match[0], match[0]), wrong["list"])
    elif places:
        name = rng.pick(places)
        value = rng.pick([other for other in _alike(wrong[name], told) if other != wrong[name]])
        taken = next((key for key, held in wrong.items() if held == value), None)
        if taken and one.kind == "swap":
            return None  # exchanged the other way round is exchanged
        wrong |= {name: value} | ({taken: wrong[name]} if taken else {})  # exchange the two, if both are there
    made = replace(one, slots=wrong)
    shown = {key: value for key, value in wrong.items() if key not in ("src", "room")}
    so = any(other.kind == one.kind and shown.items() <= other.slots.items() for other in told)
    return None if so or made == one else made


def _alike(value: str, told: Sequence[Happening]) -> list[str]:
    """List what the story names that is of the sort of this value, itself included."""
    named = dict.fromkeys(value for one in told for value in one.slots.values())
    if everyone := next((one.slots["all"] for one in told if "all" in one.slots), ""):
        named |= dict.fromkeys(re.split(", | and ", everyone))
    sort = GENDERS if value in GENDERS else next((words for words in SORTS if value in words), ())
    return [other for other in named if other in sort]
