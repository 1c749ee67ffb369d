"""The Benchmark record: where a benchmark comes from, who may train on it, how it is asked and how it is scored.

A benchmark file gives a loader of the authors' own files, the prompts it is asked with, a reader of replies to the
authors' own prompt, and the official metric. The way through it:

    folder ─load→ Loaded(items) ─asks→ list[Ask] ─prompt→ messages … reply ─read→ Reading → Answer ─score→ Scores

An item's options stay in the order of the file; an ask shows them in some order and knows the way back, so gold never
moves. Scores hold units (one per thing counted), not numbers: the interval is computed from the same units.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Literal

from socialr1_lite import sip
from socialr1_lite.benchmarks.lenient import lenient_option
from socialr1_lite.chat_reply import without_thinking
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally, Unit

YES_NO = ("Yes", "No")
Kind = Literal["choice", "yesno", "names", "belief", "fact", "episode"]


@dataclass(frozen=True, slots=True)
class Permission:
    """May a split be trained on?"""

    allowed: bool
    words: str  # the authors' own; in brackets, why it was decided here where they said nothing


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark, options in the file's order, and what its official prompt and metric need.

    kind: choice (options), yesno, names (a list of people), belief (free text nearer to gold than to `rejected`), fact
    (token overlap), episode (a dialogue to hold). joint: items with the same value are scored together. required,
    rejected: names or texts the reply must, must not give. extra: lines only the official prompt uses.
    """

    scenario: Scenario
    kind: Kind = "choice"
    joint: str = ""
    required: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str:
        """Return one of the scenario's meta values as a report label ("" when it has none)."""
        value = self.scenario.meta.get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was read: its name, the sha256 of its bytes and the number of rows in it."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder held."""

    items: tuple[Item, ...]
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...] = ()  # what was left out, and how much of the official set is there


@dataclass(frozen=True, slots=True)
class Ask:
    """One prompt: an item as displayed. `order[i]` is the place in the file of the option displayed at i.

    `scenario` has its options in displayed order and an id of its own (`<item>@<view>-<order>`), so that a stored
    reply can be read beside exactly what was shown. `partner`: a second question put in the same official prompt.
    """

    item: Item
    scenario: Scenario
    order: tuple[int, ...] = ()
    view: str = ""
    partner: Ask | None = None

    @property
    def questions(self) -> list[Ask]:
        """What the prompt asks: this, and the partner where there is one."""
        return [self, self.partner] if self.partner else [self]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply said: the option's place in the file (None: no option) or the text; could it be read?"""

    choice: int | None
    text: str
    readable: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A reading with its item: what the metrics are computed from."""

    item: Item
    view: str
    sample: int
    reading: Reading
    lenient: Reading | None = None  # what a reader takes the reply to say, whatever its form; None: not read so

    @property
    def key(self) -> str:
        """The key of its own unit in the scores."""
        name = self.item.scenario.id
        return f"{name}#{self.sample}" if self.sample else name

    @property
    def presentation(self) -> str:
        """The item, how it was shown, and which draw it was: no two answers of an evaluation have the same."""
        name = "@".join(filter(None, (self.item.scenario.id, self.view)))
        return f"{name}#{self.sample}" if self.sample else name

    @property
    def loosely(self) -> Answer:
        """The same, read leniently, where it was."""
        return replace(self, reading=self.lenient or self.reading)

    @property
    def right(self) -> bool:
        """Does the answer name a gold option?"""
        return self.reading.choice in self.item.scenario.gold


@dataclass(frozen=True, slots=True)
class Scores:
    """All metrics of one benchmark run. `headline` names the metric that tables and paired tests use."""

    metrics: dict[str, Tally]
    groups: dict[str, dict[str, Tally]]
    headline: str = "accuracy"


def tallied(metrics: Mapping[str, Tally], groups: dict[str, dict[str, Tally]], headline: str = "accuracy") -> Scores:
    """Return scores without the metrics that counted nothing; where that leaves none, without groups too."""
    counted = {name: tally for name, tally in metrics.items() if tally.units}
    return Scores(counted, groups if counted else {}, headline)


@dataclass(frozen=True, slots=True)
class Published:
    """A published figure, for context only. `protocol` says what is and is not known of how it came about."""

    label: str
    value: float
    source: str
    protocol: str


def social_r1(value: float, protocol: str) -> Published:
    """Return a figure reported for SocialR1-8B, the model that this project re-creates."""
    return Published("SocialR1-8B", value, "arXiv 2603.09249, as given on a public results page", protocol)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the authors sample, and what can never be theirs here.

    tokens: of a reply to their direct and to their step-by-step prompt; None: they set no limit, so none is reached.
    differs: what is another, whatever is asked for. of_models: (a part of a model's name, what is another for it, with
    the direct prompt).
    """

    temperature: float = 0.0
    top_p: float = 1.0
    tokens: tuple[int | None, int | None] = (None, None)
    repetition_penalty: float = 1.0
    differs: tuple[str, ...] = ()
    of_models: tuple[tuple[str, str], ...] = ()


def one_shuffled_view(items: Sequence[Item], seed: int, official: bool = False) -> list[Ask]:
    """Ask each item once; options of a choice in an order drawn from the seed and the item's id alone."""
    return [display(item, shuffled(item, seed)) for item in items]


def as_stored_for_authors(items: Sequence[Item], seed: int, official: bool) -> list[Ask]:
    """Ask each item once: with the authors' prompt in the file's order, as they do, else in one drawn from the seed."""
    if not official:
        return one_shuffled_view(items, seed)
    return [display(item, range(len(item.scenario.options))) for item in items]


def any_text(item: Item, text: str) -> bool:
    """Return whether there is any answer at all."""
    return bool(text.strip())


def whole_reply(ask: Ask, text: str) -> list[str]:
    """Return the reply for each question that the prompt asked."""
    return [text] * len(ask.questions)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark.

    names: other names, repositories and hub ids it goes by (the leak guard looks them up).
    training: permission by split; a split that is not in it may not be trained on.
    prompt and read: the authors' own prompt and its reader; None where none is published. protocol: how they sample.
    follow_up: their second call for the step-by-step prompt, made of the first and its reply. pieces: what of a reply
    to it a lenient reader looks at for each question, options under capital letters.
    """

    name: str
    title: str
    source: str
    licence: str
    training: Mapping[str, Permission]
    load: Callable[[Path], Loaded]  # of evaluation rows; `train` loads training rows where there are any
    score: Callable[[Sequence[Answer]], Scores]
    asks: Callable[[Sequence[Item], int, bool], list[Ask]] = one_shuffled_view
    prompt: Callable[[Ask, bool], list[Message]] | None = None
    read: Callable[[Ask, str, bool], list[Reading]] | None = None
    protocol: Protocol | None = None
    follow_up: Callable[[list[Message], str], list[Message]] | None = None
    pieces: Callable[[Ask, str], list[str]] = whole_reply
    legible: Callable[[Item, str], bool] = any_text  # can a text answer be read?
    hub: str = ""
    names: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    train: Callable[[Path], Loaded] | None = None
    generated: bool = False  # made here, so that no official files are needed


def shuffled(item: Item, seed: int, view: str = "") -> tuple[int, ...]:
    """Return a random order of the item's options that depends on seed, id and view only."""
    order = list(range(len(item.scenario.options)))
    Random(f"{seed}/{item.scenario.id}/{view}").shuffle(order)
    return tuple(order)


def display(item: Item, order: Sequence[int], view: str = "") -> Ask:
    """Show the item with its options in `order`. Raises ValueError when `order` is no permutation of them.

    The id of what is shown tells view and order, so that one id never names two displays (of two seeds, say).
    """
    shown = item.scenario
    if sorted(order) != list(range(len(shown.options))):
        raise ValueError(f"{shown.id}: {order} is no order of {len(shown.options)} options")
    scenario = replace(
        shown,
        id="@".join(filter(None, (shown.id, "-".join(filter(None, (view, _order_name(order))))))),
        options=tuple(shown.options[place] for place in order),
        gold=tuple(at for at, place in enumerate(order) if place in shown.gold),
        shortcuts=tuple(shown.shortcuts[place] for place in order) if shown.shortcuts else (),
        meta={**shown.meta, "item": shown.id, "shown": ",".join(map(str, order))},
    )
    return Ask(item, scenario, tuple(order), view)


def _order_name(order: Sequence[int]) -> str:
    """Return a short name of an order of options, "" for the file's own."""
    if list(order) == list(range(len(order))):
        return ""
    return hashlib.sha256(",".join(map(str, order)).encode()).hexdigest()[:6]


def answers_to(
    benchmark: Benchmark,
    ask: Ask,
    text: str,
    *,
    official: bool = False,
    cot: bool = False,
    prefilled: bool = False,
    apart: str = "",
) -> list[Answer]:
    """Read the answers in a reply: one, or two where the authors put two questions in one prompt.

    official: the reply answers the authors' own prompt and is read by their rules; any other is read by the rule that
    training uses (`sip.parse`). prefilled: the prompt had opened the think block. apart: reasoning that the server gave
    apart. Thinking is taken out here, before anything is read; a reply whose thinking never ended says nothing.
    """
    said = without_thinking(text, prefilled=prefilled, apart=apart)
    if said.unfinished:
        readings = lenient = [Reading(None, "", False)] * len(ask.questions)
    elif official:
        if benchmark.read is None:
            raise ValueError(f"{benchmark.name} has no published prompt")
        readings = benchmark.read(ask, said.text, cot)
        lenient = lenient_readings(benchmark, ask, said.text, official=True)
    else:
        reply = sip.parse(text, ask.scenario.options, prefilled=prefilled)
        if ask.item.kind == "choice":
            readings = [read_letter(ask, reply.answer, reply.answer_text)]
        else:
            readings = [Reading(None, reply.answer_text, benchmark.legible(ask.item, reply.answer_text))]
        lenient = readings if readings[0].readable else lenient_readings(benchmark, ask, said.text)
    return [
        Answer(one.item, one.view, 0, reading, loose)
        for one, reading, loose in zip(ask.questions, readings, lenient, strict=True)
    ]


def lenient_readings(benchmark: Benchmark, ask: Ask, text: str, *, official: bool = False) -> list[Reading]:
    """Return what a reader takes a reply without its thinking to say, one reading for each question of the prompt."""
    pieces = benchmark.pieces(ask, text) if official else [text]
    return [_lenient(benchmark, one, piece) for one, piece in zip(ask.questions, pieces, strict=True)]


def _lenient(benchmark: Benchmark, ask: Ask, text: str) -> Reading:
    if ask.item.kind == "choice":
        return read_letter(ask, lenient_option(text, ask.scenario.options), text)
    if ask.item.kind == "yesno":
        said = lenient_option(text, YES_NO)
        return Reading(None, "" if said is None else YES_NO[said].lower(), said is not None)
    blocks = re.findall(r"<answer>(.*?)</answer>", text, re.IGNORECASE | re.DOTALL)
    bare = (blocks[-1] if blocks else re.sub(r"(?i)^\W*(?:the )?(?:final )?answer(?: is)?\b\W*", "", text)).strip()
    return Reading(None, bare, benchmark.legible(ask.item, bare))


def read_letter(ask: Ask, displayed: int | None, text: str) -> Reading:
    """Make a reading from the displayed option's place (None or out of range: unreadable)."""
    if displayed is None or not 0 <= displayed < len(ask.order):
        return Reading(None, text, False)
    return Reading(ask.order[displayed], text, True)


def unit(answer: Answer, value: float, *labels: str) -> Unit:
    """Make a unit for one answer, with the named meta values of its item as labels."""
    scenario = answer.item.scenario
    named = {name: answer.item.label(name) for name in labels}
    return Unit(answer.key, scenario.group or scenario.id, value, named, (answer.presentation,))


def right_units(answers: Iterable[Answer], *labels: str) -> list[Unit]:
    """Make one unit per answer, 1 when right, else 0 (unreadable counts as wrong); keyed by its presentation."""
    return [replace(unit(one, float(one.right), *labels), key=one.presentation) for one in answers]


def joint_units(answers: Iterable[Answer], *labels: str, least: int = 1) -> list[Unit]:
    """Make one unit for each set of answers scored together: 1 when all are right; keyed by what they have in common.

    Sets of fewer than `least` answers give none.
    """
    sets: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.item.joint:
            key = answer.item.joint + (f"@{answer.view}" if answer.view else "")
            sets.setdefault(key + (f"#{answer.sample}" if answer.sample else ""), []).append(answer)
    return [
        replace(
            unit(parts[0], float(all(part.right for part in parts)), *labels),
            key=key,
            answers=tuple(part.presentation for part in parts),
        )
        for key, parts in sets.items()
        if len(parts) >= least
    ]


def by_label(units: Iterable[Unit], name: str, *, official: bool = True, proportion: bool = True) -> dict[str, Tally]:
    """Split units by one of their labels; units without it are left out. Sorted by label."""
    split: dict[str, list[Unit]] = {}
    for one in units:
        if label := one.labels.get(name, ""):
            split.setdefault(label, []).append(one)
    return {label: Tally(tuple(split[label]), official, proportion=proportion) for label in sorted(split)}


def accuracy(answers: Sequence[Answer], *labels: str, official: bool = True) -> Scores:
    """Score accuracy over all answers, and by each of the labels. One answer an item and sample."""
    units = right_units(answers, *labels)
    return tallied({"accuracy": Tally(tuple(units), official)}, {name: by_label(units, name) for name in labels})


def majority(choices: Sequence[int | None]) -> int | None:
    """Return the most frequent choice."""
    return max(Counter(choices).items(), key=lambda counted: counted[1])[0]  # Counter keeps the order of first sight


def story_key(*texts: str) -> str:
    """Return a short stable name for a story, for clustering items that share it."""
    return hashlib.sha256("\n".join(text.strip() for text in texts).encode()).hexdigest()[:12]
