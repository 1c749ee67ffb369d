"""What a figure was made of: which question, how shown, failed or not; what paired tests and mixed runs rest on.

Scores know their units by name only. Here the units are brought together with what was asked: questions of one story
become one cluster, figures over several languages become one each, repeated draws give maj@k and pass@k.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from socialr1_lite.benchmarks.base import Answer, Item, Scores, majority
from socialr1_lite.benchmarks.files import content_key
from socialr1_lite.evaluation.asking import Exchange, is_right
from socialr1_lite.scenario import JsonValue
from socialr1_lite.statistics import Tally, Unit, pass_at


class Asked(NamedTuple):
    """One answer's question as it was put. failed: its request got no reply."""

    item: Item
    view: str
    sample: int
    failed: bool


class ItemRow(NamedTuple):
    """What the headline metric says of one thing it counts: a line of `<benchmark>.items.jsonl`.

    cluster: its story. question: a digest of what was asked, the same wherever the same question lies. shown: which of
    its presentations and draws. failed: a request it rests on got no reply. Files of earlier versions have "" for what
    they do not say.
    """

    key: str
    value: float
    cluster: str = ""
    question: str = ""
    shown: str = ""
    language: str = ""
    failed: bool = False


def asked_in(exchanges: Iterable[Exchange]) -> dict[str, Asked]:
    """Return what every answer was asked, by its presentation."""
    asked: dict[str, Asked] = {}
    for one in exchanges:
        for answer in one.answers:  # an episode's turns all have its one answer
            name = answer.presentation
            failed = one.completion.failed or (name in asked and asked[name].failed)
            asked[name] = Asked(answer.item, answer.view, answer.sample, failed)
    return asked


def rows_of(tally: Tally, asked: Mapping[str, Asked]) -> list[ItemRow]:
    """Return a row for each unit of a metric."""
    return [_row(unit, [asked[name] for name in unit.answers if name in asked]) for unit in tally.units]


def _row(unit: Unit, parts: Sequence[Asked]) -> ItemRow:
    if not parts:
        return ItemRow(unit.key, unit.value, unit.cluster)
    views = {part.view for part in parts}
    shown = (views.pop() if len(views) == 1 else "") + (f"#{parts[0].sample}" if parts[0].sample else "")
    question = questions_digest([part.item for part in parts])
    failed = any(part.failed for part in parts)
    return ItemRow(unit.key, unit.value, unit.cluster, question, shown, parts[0].item.label("language"), failed)


def questions_digest(items: Iterable[Item]) -> str:
    """Return a digest of a set of questions that depends on their contents alone, not on names, files or order."""
    return hashlib.sha256("\n".join(sorted({content_key(item) for item in items})).encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------ stories, languages


def settled(scores: Scores, asked: Mapping[str, Asked]) -> tuple[Scores, dict[str, str]]:
    """Return scores whose clusters are whole stories and whose figures are of one language each, and the headlines.

    The headlines are named by language: one figure over English and Chinese answers is nobody's.
    """
    story = same_story(one.item for one in asked.values())
    language = {name: one.item.label("language") for name, one in asked.items()}

    def split(name: str, tally: Tally) -> dict[str, Tally]:
        units = [replace(unit, cluster=story.get(unit.cluster, unit.cluster)) for unit in tally.units]
        by_language: dict[str, list[Unit]] = {}
        for unit in units:
            by_language.setdefault(next((language.get(one, "") for one in unit.answers), ""), []).append(unit)
        if len(by_language) < 2:
            return {name: replace(tally, units=tuple(units))}
        return {f"{name}, {one}": replace(tally, units=tuple(by_language[one])) for one in sorted(by_language)}

    metrics = {name: split(name, tally) for name, tally in scores.metrics.items()}
    groups = {
        name: {label: part for at, tally in group.items() for label, part in split(at, tally).items()}
        for name, group in scores.groups.items()
    }
    apart = list(metrics.get(scores.headline, {scores.headline: None}))
    whole = "+".join(sorted(set(language.values())))
    headlines = {name.removeprefix(f"{scores.headline}, ") if len(apart) > 1 else whole: name for name in apart}
    flat = {name: tally for parts in metrics.values() for name, tally in parts.items()}
    return replace(scores, metrics=flat, groups=groups, headline=apart[0]), headlines


def same_story(items: Iterable[Item]) -> dict[str, str]:
    """Return the cluster of each group of items: groups that tell the same story, word for word, are one.

    EmoBench asks about one scenario under several numbers, ToMBench in several of its files.
    """
    pairs = []
    for item in items:
        group, story = item.scenario.group or item.scenario.id, " ".join(item.scenario.story.split()).casefold()
        pairs.append((group, STORY + story if story else group))
    return {group: min(part) for part in connected(pairs) for group in part}


STORY = "\0"  # begins what is a story's text and no group's name


def connected(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of names that hang together, texts of stories left out."""
    leader: dict[str, str] = {}

    def find(node: str) -> str:
        leader.setdefault(node, node)
        while leader[node] != node:
            leader[node] = node = leader[leader[node]]
        return node

    for one, other in pairs:
        leader[find(one)] = find(other)
    parts: dict[str, set[str]] = {}
    for node in leader:
        if not node.startswith(STORY):
            parts.setdefault(find(node), set()).add(node)
    return list(parts.values())


# ------------------------------------------------------------------------------------------------ repeated draws


def repeated(answers: Iterable[Answer], asked: Mapping[str, Asked], values: Mapping[str, float]) -> dict[str, Tally]:
    """Return maj@K and pass@k (k = 2, 4, … and K) over the K draws of each question as it was shown; {} for one draw.

    maj@K: is the option that most draws name the right one (of equals the one drawn first; draws that name none do not
    vote)? pass@k: the chance that of k draws one is right, estimated without bias. Draws that failed are left out of
    both; questions with fewer draws than k are left out of pass@k. values: by `Answer.key`, for what no option settles.
    """
    draws: dict[str, list[Answer]] = {}
    failed = {name for name, one in asked.items() if one.failed}
    for answer in answers:
        draws.setdefault(replace(answer, sample=0).presentation, []).append(answer)
    most = max(map(len, draws.values()), default=1)
    if most < 2:
        return {}
    came = {name: [one for one in some if one.presentation not in failed] for name, some in draws.items()}
    tallies = {f"maj@{most}": Tally(tuple(_vote(name, some) for name, some in came.items() if _votes(some)), False)}
    for k in sorted({2**n for n in range(1, most.bit_length()) if 2**n < most} | {most}):
        units = [
            _unit(name, some, pass_at(k, len(some), sum(is_right(one, values) for one in some)))
            for name, some in came.items()
            if len(some) >= k
        ]
        tallies[f"pass@{k}"] = Tally(tuple(units), False)
    return {name: tally for name, tally in tallies.items() if tally.units}


def _votes(answers: Sequence[Answer]) -> bool:
    return bool(answers) and answers[0].item.kind == "choice"


def _vote(name: str, answers: Sequence[Answer]) -> Unit:
    named = [one.reading.choice for one in answers if one.reading.choice is not None]
    return _unit(name, answers, float(bool(named) and majority(named) in answers[0].item.scenario.gold))


def _unit(name: str, answers: Sequence[Answer], value: float) -> Unit:
    scenario = answers[0].item.scenario
    return Unit(name, scenario.group or scenario.id, value, {}, tuple(one.presentation for one in answers))


def by_seed(
    answers: Sequence[Answer], asked: Mapping[str, Asked], score: Callable[[Sequence[Answer]], Scores], seed: int
) -> dict[str, dict[str, float]]:
    """Return each headline's value by the seed of its draw; {} for one draw. seed: of the first."""
    samples = sorted({answer.sample for answer in answers})
    found: dict[str, dict[str, float]] = {}
    for sample in samples if len(samples) > 1 else ():
        scores, headlines = settled(score([one for one in answers if one.sample == sample]), asked)
        for name in headlines.values():
            if name in scores.metrics:
                found.setdefault(name, {})[str(seed + sample)] = scores.metrics[name].value
    return found


def encoded(row: ItemRow) -> dict[str, JsonValue]:
    """Return a row as its line has it, without what it does not say."""
    said: dict[str, JsonValue] = dict(row._asdict())
    return {name: value for name, value in said.items() if value or name in ("key", "value")}


def decoded(row: Mapping[str, JsonValue]) -> ItemRow | None:
    """Read a line; None for one of another form."""
    key, value = row.get("key"), row.get("value")
    if not isinstance(key, str) or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    cluster, question, shown, language = (str(row.get(name, "")) for name in ItemRow._fields[2:6])
    return ItemRow(key, float(value), cluster, question, shown, language, row.get("failed") is True)
