"""What is asked: a story, a question, its options and gold; for generated stories also what is true in them.

Every source becomes this one record, checked at birth, so nothing downstream looks at a raw row or guesses a key.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from socialr1_lite.errors import DataError

MAX_OPTIONS = 26  # one capital letter each

Scalar = str | int | float | bool | None
JsonValue = Scalar | list["JsonValue"] | dict[str, "JsonValue"]  # what came from outside
ScenarioRow = Mapping[str, Any]  # as JSON holds it; `Scenario.from_row` checks what it takes
GoldNames = int | str | Sequence["GoldNames"] | None


def sound(value: JsonValue) -> JsonValue:
    """Return the same JSON value with a replacement character for every half of a character in its texts.

    JSON can hold such a lone surrogate, which a text cut inside an emoji ends with; a UTF-8 file cannot.
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [sound(one) for one in value]
    return {str(sound(key)): sound(one) for key, one in value.items()} if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that holds in a story's world: `holders` hold that `subject` `relation` `value`.

    No holders: the world itself. ("Anna",): what Anna believes, feels or wants. ("Anna", "Ben"): what Anna thinks that
    Ben believes. `rivals` are the values that would contradict it.
    """

    holders: tuple[str, ...]
    subject: str
    relation: str
    value: str
    rivals: tuple[str, ...] = ()

    def chain(self, people: Sequence[str]) -> tuple[str, ...]:
        """Return whose state this is, outermost first: the holders, and the subject if that is one of the people."""
        chain = (*self.holders, self.subject) if self.subject in people else self.holders
        return tuple(name for i, name in enumerate(chain) if i == 0 or chain[i - 1] != name)


@dataclass(frozen=True, slots=True)
class Facts:
    """A generated story's own world model: what the `facts` judge scores stages against.

    `cues` are indices into `sentences`: the decisive ones, without which the answer would change.
    `claims` are true mental states, and what is so; `claims[0]` is the one that the question asks for. `deciding` are
    indices into them: every state from which a careful reader may conclude (the plan, and the belief behind it), each
    at its own depth, which its holders are. `goal` and `goals` are all the goals that a careful reading accepts: of who
    acts, of who asks. `genders` is "she" or "he" for each of the people; none where it is not known.
    """

    people: tuple[str, ...]
    things: tuple[str, ...]
    sentences: tuple[str, ...]
    cues: tuple[int, ...]
    claims: tuple[Claim, ...]
    goal: Claim
    deciding: tuple[int, ...] = (0,)
    goals: tuple[Claim, ...] = ()
    genders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse indices that point nowhere, a world without a claim, and genders of other people."""
        if any(not 0 <= cue < len(self.sentences) for cue in self.cues):
            raise DataError(f"facts: cues {list(self.cues)} must be indices into {len(self.sentences)} sentences")
        if not self.claims:
            raise DataError("facts: at least one claim is needed (claims[0] decides the answer)")
        if not self.deciding or any(not 0 <= index < len(self.claims) for index in self.deciding):
            raise DataError(f"facts: deciding {list(self.deciding)} must be indices into {len(self.claims)} claims")
        if self.genders and len(self.genders) != len(self.people):
            raise DataError(f"facts: {len(self.genders)} genders for {len(self.people)} people")

    @property
    def decisive(self) -> tuple[Claim, ...]:
        """Return the true states of which one is enough."""
        return tuple(self.claims[index] for index in self.deciding)

    @property
    def accepted_goals(self) -> tuple[Claim, ...]:
        """Return the goals of which one is enough."""
        return (self.goal, *self.goals)


_LEFT_OUT = {"deciding": (0,), "goals": (), "genders": ()}  # on disk: as in rows that were written before these


@dataclass(frozen=True, slots=True)
class Scenario:
    """A social situation with one question.

    id: "<source>/<row>", stable between runs. options: without letters, 2 to 26; empty means open-ended.
    gold: indices of the accepted options (at least one unless open-ended). accepted: accepted free-text answers.
    dimension: the ATOMS dimension, or the ability a report groups by. shortcuts: for each option the named shortcut
    it stands for, "" for gold (generated stories only). twins: ids of the minimally edited counterfactuals.
    meta: scalars for reports (order, template, perturbation, language, ...).
    """

    id: str
    story: str
    question: str
    options: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    accepted: tuple[str, ...] = ()
    dimension: str = ""
    source: str = ""
    group: str = ""
    shortcuts: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    facts: Facts | None = None
    meta: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what every later step relies on."""
        if not self.question.strip() and not self.story.strip():
            raise DataError(f"{self.id}: story and question are both empty")
        if (count := len(self.options)) == 1 or count > MAX_OPTIONS:
            raise DataError(f"{self.id}: {count} options; 2 to {MAX_OPTIONS} are allowed, or none for open-ended")
        if empty := [letter for letter, text in zip(self.letters, self.options, strict=True) if not text.strip()]:
            raise DataError(f"{self.id}: option {empty[0]} is empty")
        if self.options and not self.gold:
            raise DataError(f"{self.id}: no gold option")
        if any(not 0 <= index < len(self.options) for index in self.gold):
            raise DataError(f"{self.id}: gold {list(self.gold)} is not among the {len(self.options)} options (0-based)")
        if self.shortcuts and len(self.shortcuts) != len(self.options):
            raise DataError(f"{self.id}: {len(self.shortcuts)} shortcut names for {len(self.options)} options")

    @property
    def letters(self) -> str:
        """Return the capital letters under which the options are shown."""
        return string.ascii_uppercase[: len(self.options)]

    @property
    def gold_text(self) -> str:
        """Return the first accepted answer, as text ("" when an open-ended scenario has none)."""
        return self.options[self.gold[0]] if self.gold else next(iter(self.accepted), "")

    def to_row(self) -> dict[str, Any]:
        """Write a plain JSON-ready dict; `from_row` gives the same scenario back."""
        row = asdict(self) | {"meta": dict(self.meta)}
        if self.facts is not None:
            row["facts"] = {key: value for key, value in row["facts"].items() if value != _LEFT_OUT.get(key)}
        return row

    @classmethod
    def from_row(cls, row: ScenarioRow) -> Scenario:
        """Build from `to_row`'s dict or from a foreign row with at least question and options; gold as in `read_gold`.

        Raises DataError naming the row and what is wrong.
        """
        where = str(row.get("id") or "row without id")
        try:
            options = tuple(str(option) for option in row.get("options") or ())
            return cls(
                id=where,
                story=str(row.get("story") or ""),
                question=str(row.get("question") or ""),
                options=options,
                gold=read_gold(row.get("gold"), options, where),
                accepted=tuple(row.get("accepted") or ()),
                dimension=str(row.get("dimension") or ""),
                source=str(row.get("source") or ""),
                group=str(row.get("group") or ""),
                shortcuts=tuple(row.get("shortcuts") or ()),
                twins=tuple(row.get("twins") or ()),
                facts=None if row.get("facts") is None else read_facts(row["facts"]),
                meta=dict(row.get("meta") or {}),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{where}: {type(error).__name__}: {error}") from None


def read_gold(gold: GoldNames, options: Sequence[str], where: str) -> tuple[int, ...]:
    """Read indices of the gold options from an index (from 0), a letter, an option's text, or a list of these.

    A text that is both a letter and an option's full text (options "B", "A") is read as the text. Raises DataError when
    it names no option.
    """
    if gold is None:
        return ()
    if isinstance(gold, (list, tuple)):
        return tuple(index for one in gold for index in read_gold(one, options, where))
    if isinstance(gold, bool) or not isinstance(gold, (int, str)):
        raise DataError(f"{where}: gold {gold!r} must be an index, a letter or an option's text")
    if isinstance(gold, int):
        return (gold,)
    text = gold.strip()
    if matches := tuple(i for i, option in enumerate(options) if option.strip() == text):
        return matches
    lettered = dict(zip(string.ascii_uppercase, options, strict=False))
    if (letter := text.strip(" .()[]:").upper()) in lettered:
        return (string.ascii_uppercase.index(letter),)
    shown = ", ".join(f"{letter}={option!r}" for letter, option in lettered.items())
    raise DataError(f"{where}: gold {gold!r} names none of the options ({shown or 'there are none'})")


def read_facts(row: ScenarioRow) -> Facts:
    """Read facts from the dict that `Scenario.to_row` made of them; what older rows do not have is optional."""
    return Facts(
        people=tuple(row["people"]),
        things=tuple(row["things"]),
        sentences=tuple(row["sentences"]),
        cues=tuple(row["cues"]),
        claims=tuple(_read_claim(claim) for claim in row["claims"]),
        goal=_read_claim(row["goal"]),
        deciding=tuple(row.get("deciding") or (0,)),
        goals=tuple(_read_claim(goal) for goal in row.get("goals") or ()),
        genders=tuple(row.get("genders") or ()),
    )


def _read_claim(row: ScenarioRow) -> Claim:
    return Claim(tuple(row["holders"]), row["subject"], row["relation"], row["value"], tuple(row.get("rivals") or ()))
