"""What is asked: a story, a question, its options and gold; for generated stories also what is true in them.

Every source becomes this one record, checked at birth, so nothing downstream looks at a raw row or guesses a key.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from socialr1_lite.errors import DataError

MAX_OPTIONS = 26  # one capital letter each

Scalar = str | int | float | bool | None
SCALARS = (str, int, float, type(None))
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

    `cues` are indices into `sentences`: the decisive ones, without which the answer would change. `contrast` are those
    that decide a twin's answer and stand here as well, such as a leaving after the move rather than before it.
    `claims` are true mental states, and what is so; `claims[0]` is the one that the question asks for. `deciding` are
    indices into them: every state from which a careful reader may conclude (the plan, and the belief behind it), each
    at its own depth, which its holders are. `goal` and `goals` are all the goals that a careful reading accepts: of who
    acts, of who asks. `genders` is "she" or "he" for each of the people; none where it is not known. `noticed` is a
    clause that says whether whom the question is about noticed the last change; "" where none says it.
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
    contrast: tuple[int, ...] = ()
    noticed: str = ""

    def __post_init__(self) -> None:
        """Refuse indices that point nowhere, a world without a claim, and genders of other people."""
        for what, indices in (("cues", self.cues), ("contrast", self.contrast)):
            if any(not 0 <= index < len(self.sentences) for index in indices):
                raise DataError(f"facts: {what} {list(indices)} must be indices into {len(self.sentences)} sentences")
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


# On disk: as in rows that were written before these.
_LEFT_OUT = {"deciding": (0,), "goals": (), "genders": (), "contrast": (), "noticed": ""}


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
            options = row.get("options") or ()
            options = _texts(list(map(str, options)) if isinstance(options, (list, tuple)) else options, "options")
            meta = row.get("meta") or {}
            if not isinstance(meta, Mapping) or not all(isinstance(one, SCALARS) for one in meta.values()):
                raise DataError(f"meta must be an object of texts and numbers, not {meta!r:.60}")
            return cls(
                id=where,
                story=str(row.get("story") or ""),
                question=str(row.get("question") or ""),
                options=options,
                gold=read_gold(row.get("gold"), options, where),
                accepted=_texts(row.get("accepted") or (), "accepted"),
                dimension=str(row.get("dimension") or ""),
                source=str(row.get("source") or ""),
                group=str(row.get("group") or ""),
                shortcuts=_texts(row.get("shortcuts") or (), "shortcuts"),
                twins=_texts(row.get("twins") or (), "twins"),
                facts=None if row.get("facts") is None else read_facts(row["facts"]),
                meta={str(name): one for name, one in meta.items()},
            )
        except DataError as error:
            raise DataError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{where}: {type(error).__name__}: {error}") from None


def read_gold(
    gold: GoldNames,
    options: Sequence[str],
    where: str,
    written: Sequence[str] = (),
    first: int = 0,
) -> tuple[int, ...]:
    """Read indices of the gold options from a number, a letter, an option's text, or a list of these.

    written: the options with their own letters, where they have some. first: the first option's number. A text that is
    both a letter or a number and an option's full text (options "B", "A") is read as the text; capitals do not count
    where one option alone has the text. Raises DataError when it names no option.
    """
    if gold is None:
        return ()
    if isinstance(gold, (list, tuple)):
        return tuple(index for one in gold for index in read_gold(one, options, where, written, first))
    if isinstance(gold, str):
        text = gold.strip()
        for texts in (options, written, [one.casefold() for one in options]):
            said = text if texts is options or texts is written else text.casefold()
            if matches := tuple(i for i, option in enumerate(texts) if option.strip() == said):
                return matches
    lettered = dict(zip(string.ascii_uppercase, options, strict=False))
    if (number := _number(gold)) is not None:
        if not 0 <= number - first < len(options):
            last = f"{first} to {first + len(options) - 1}"
            raise DataError(f"{where}: gold {gold!r:.40} is none of the {len(options)} options, which count {last}")
        return (number - first,)
    if isinstance(gold, str):
        if (letter := text.strip(" .()[]:").upper()) in lettered:
            return (string.ascii_uppercase.index(letter),)
        if isinstance(listed := _listed(text), list):
            return read_gold(listed, options, where, written, first)
        shown = ", ".join(f"{letter}={option!r}" for letter, option in lettered.items())
        raise DataError(f"{where}: gold {gold[:80]!r} names none of the options ({shown or 'there are none'})")
    raise DataError(f"{where}: gold {gold!r:.80} must be an index, a letter or an option's text")


def gold_numbers(gold: GoldNames, options: Sequence[str]) -> list[int]:
    """Return the numbers in a gold that are no option's text."""
    if isinstance(gold, (list, tuple)):
        return [number for one in gold for number in gold_numbers(one, options)]
    if isinstance(gold, str) and isinstance(listed := _listed(gold), list):
        return gold_numbers(listed, options)
    number = None if isinstance(gold, str) and gold.strip() in options else _number(gold)
    return [] if number is None else [number]


def _listed(text: str) -> GoldNames:
    try:
        listed: GoldNames = json.loads(text) if text.lstrip().startswith("[") and len(text) < 1000 else None
        return listed
    except (ValueError, RecursionError):
        return None


def _number(gold: GoldNames | float) -> int | None:
    """Return the whole number that a gold is, also as 1.0, "1" or "1.0"; None for anything else."""
    if isinstance(gold, str):
        found = re.fullmatch(r"\s*(\d{1,3})(?:\.0*)?\s*", gold, re.ASCII)
        return int(found[1]) if found else None
    whole = isinstance(gold, int) or (isinstance(gold, float) and gold.is_integer())
    return int(gold) if whole and not isinstance(gold, bool) else None  # type: ignore[arg-type]


OWN_MARK = re.compile(r"\s*(?:[(\[]([A-Za-z]|\d{1,2})[)\]][.:]?\s*|([A-Za-z]|\d{1,2})(?:[.:)]\s+|[、．：]\s*))(?=\S)")  # noqa: RUF001 (Chinese)


def own_marks(options: Sequence[str]) -> tuple[tuple[str, ...], int | None]:
    """Return the options without letters or numbers of their own, and the number of the first where they have numbers.

    Only where every option has one, and in order: an option such as "A. Smith" among others is left alone. Raises
    DataError for letters in another order, under which no gold letter could be understood.
    """
    found = [OWN_MARK.match(option) for option in options]
    marks = [(one[1] or one[2]).upper() for one in found if one]
    if len(marks) < len(options) or len(set(marks)) < len(marks) or len(options) < 2:
        return tuple(options), None
    stripped = tuple(option[one.end() :].strip() for option, one in zip(options, found, strict=True) if one)
    if all(map(str.isdigit, marks)):
        first = int(marks[0])
        in_order = first in (0, 1) and [int(mark) for mark in marks] == list(range(first, first + len(marks)))
        return (stripped, first) if in_order else (tuple(options), None)
    if "".join(marks) == string.ascii_uppercase[: len(marks)]:
        return stripped, None
    if sorted(marks) == list(string.ascii_uppercase[: len(marks)]):
        raise DataError(
            f"the options have letters of their own, {', '.join(marks)}: sort the options, or take these off"
        )
    return tuple(options), None


def read_facts(row: ScenarioRow) -> Facts:
    """Read facts from the dict that `Scenario.to_row` made of them; what older rows do not have is optional."""
    return Facts(
        people=_texts(row["people"], "people"),
        things=_texts(row["things"], "things"),
        sentences=_texts(row["sentences"], "sentences"),
        cues=_wholes(row["cues"], "cues"),
        claims=tuple(_read_claim(claim) for claim in row["claims"]),
        goal=_read_claim(row["goal"]),
        deciding=_wholes(row.get("deciding") or (0,), "deciding"),
        goals=tuple(_read_claim(goal) for goal in row.get("goals") or ()),
        genders=_texts(row.get("genders") or (), "genders"),
        contrast=_wholes(row.get("contrast") or (), "contrast"),
        noticed=_texts((row.get("noticed") or "",), "noticed")[0],
    )


def _texts(values: object, what: str) -> tuple[str, ...]:
    """Return a list of texts. Raises DataError for anything else."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(one, str) for one in values):
        raise DataError(f"{what} must be a list of texts, not {values!r:.60}")
    return tuple(values)


def _wholes(values: object, what: str) -> tuple[int, ...]:
    if not isinstance(values, (list, tuple)) or not all(type(one) is int for one in values):
        raise DataError(f"{what} must be a list of whole numbers, not {values!r:.60}")
    return tuple(values)


def _read_claim(row: ScenarioRow) -> Claim:
    subject, relation, value = _texts([row["subject"], row["relation"], row["value"]], "subject, relation and value")
    return Claim(_texts(row["holders"], "holders"), subject, relation, value, _texts(row.get("rivals") or (), "rivals"))
