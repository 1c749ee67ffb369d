"""FanToM's metrics, after eval_fantom.py: sets, choices, distances, lists, weighted F1 and token F1."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

from socialr1_lite.benchmarks import base
from socialr1_lite.statistics import Statistic, Tally, Unit, mean

EMBEDDER = "sentence-transformers/all-roberta-large-v1"
Similarity = Callable[[str, str], float]
KNOWERS = {
    "Answerability": ("answerability:list", "answerability:binary"),
    "Info-Access": ("info_accessibility:list", "info_accessibility:binary"),
}
ALL = ("belief:choice", *(part for both in KNOWERS.values() for part in both))


def binary(text: str) -> int:
    """Look for the authors' keywords: 1 yes, 0 no, -1 neither."""
    text = text.lower().strip("'").strip('"')
    if any(mark in text for mark in (" yes,", " yes ", " yes.", " knows ")) or text.startswith(("yes", "true")):
        return 1
    negative = (" no,", " no ", " no.", " does not know ", " doesn't know ")
    return 0 if any(mark in text for mark in negative) or text.startswith(("no", "false")) else -1


def lists_right(text: str, required: Sequence[str], rejected: Sequence[str]) -> bool:
    """Return whether every required name and no rejected one is a substring of the reply, letter case aside."""
    text = text.lower()
    return all(name.lower() in text for name in required) and not any(name.lower() in text for name in rejected)


def token_f1(truth: str, reply: str) -> float:
    """Return F1 of white-space tokens as multisets."""
    expected, given = truth.split(), reply.split()
    same = sum((Counter(expected) & Counter(given)).values())
    if not same:
        return 0.0
    precision, recall = same / len(given), same / len(expected)
    return 2 * precision * recall / (precision + recall)


def word_cosine(left: str, right: str) -> float:
    """Return cosine of word counts: the offline substitute for the authors' sentence embedding."""
    a, b = (Counter(re.findall(r"\w+", text.lower())) for text in (left, right))
    norm = math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
    return sum(a[word] * b[word] for word in a) / norm if norm else 0.0


@cache
def embedding_cosine() -> Similarity | None:
    """Return the cosine of the authors' sentence embedding; None where the library or its weights are not at hand."""
    try:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]

        model = SentenceTransformer(EMBEDDER, local_files_only=True)
    except (ImportError, OSError, ValueError):
        return None

    embedded = cache(partial(model.encode, normalize_embeddings=True))
    return lambda left, right: float(embedded(left) @ embedded(right))


def weighted_f1(units: Sequence[Unit]) -> float:
    """Return F1 of each gold class, weighted by how often it is gold.

    Reads the labels "gold" and "said"; "-1" is said, never gold.
    """
    total = 0.0
    for label, support in Counter(one.labels["gold"] for one in units).items():
        said = sum(one.labels["said"] == label for one in units)
        both = sum(one.labels["said"] == one.labels["gold"] == label for one in units)
        total += support * 2 * both / (said + support)
    return total / len(units)


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Return all metrics with the authors' embedding where it is at hand, else with word counts (not official)."""
    near = embedding_cosine()
    return score_with(answers, near or word_cosine, official=near is not None)


def score_with(answers: Sequence[base.Answer], near: Similarity, *, official: bool) -> base.Scores:
    """Return all metrics, with a given similarity of reply and reference. official: is it the authors' embedding?"""
    scored = [(answer, _unit(answer, near)) for answer in answers]
    metrics: dict[str, Tally] = {}
    for access in ("inaccessible", "accessible"):
        metrics |= _metrics([(a, u) for a, u in scored if u.labels["access"] == access], access, official)
    metrics["fact token-F1"] = Tally(tuple(u for _, u in scored if u.labels["part"] == "fact"))
    units = [u for _, u in scored if u.labels["access"] == "inaccessible"]  # no fact is
    choices = [u for u in units if u.labels["part"] == "belief:choice"]
    parts = base.by_label(units, "part")
    groups = {
        "part, inaccessible": {
            name: replace(tally, official=official or name != "belief:dist") for name, tally in parts.items()
        }
    }
    groups["tom_type, belief choice"] = base.by_label(choices, "tom_type", official=False)
    groups |= _distance_by_order([u for _, u in scored if u.labels["part"] == "belief:dist"], official)
    scores = base.tallied(metrics, groups)
    heads = ("inaccessible: All", "inaccessible: belief choice", *scores.metrics)
    return replace(scores, headline=next((name for name in heads if name in scores.metrics), scores.headline))


def _distance_by_order(units: Sequence[Unit], official: bool) -> dict[str, dict[str, Tally]]:
    """Cut the belief distance as the authors do: by order, and by whether a belief about a belief comes full circle."""
    groups = {}
    note = "" if official else ", by word overlap"
    for access in ("inaccessible", "accessible"):
        some = [one for one in units if one.labels["access"] == access and one.labels["tom_type"]]
        orders = [replace(u, labels={**u.labels, "order": u.labels["tom_type"].split(":")[0]}) for u in some]
        groups[f"order, {access} belief distance{note}"] = base.by_label(orders, "order", official=official)
        groups[f"tom_type, {access} belief distance{note}"] = base.by_label(some, "tom_type", official=official)
    return {name: group for name, group in groups.items() if group}


def _unit(answer: base.Answer, near: Similarity) -> Unit:
    item, text = answer.item, answer.reading.text
    one = base.unit(answer, 0.0, "part", "access", "tom_type")
    labels = dict(one.labels) | {"joint": f"{item.joint}#{answer.sample}" if item.joint else ""}
    if item.kind == "choice":
        value = float(answer.right)
    elif item.kind == "names":
        value = float(lists_right(text, item.required, item.rejected))
    elif item.kind == "fact":
        value = token_f1(item.scenario.accepted[0].lower(), text.lower())
    elif item.kind == "yesno":
        gold, said = int(item.scenario.accepted[0] == "yes"), binary(text)
        labels |= {"gold": str(gold), "said": str(said)}
        value = float(gold == said)
    else:  # a tie is wrong
        value = float(near(text, item.required[0]) > near(text, item.rejected[0]))
    return replace(one, value=value, labels=labels)


def _metrics(scored: Sequence[tuple[base.Answer, Unit]], access: str, official: bool) -> dict[str, Tally]:
    units = [one for _, one in scored]
    out: dict[str, Tally] = {}

    def add(name: str, counted: Sequence[Unit], *, official: bool = True, statistic: Statistic = mean) -> None:
        out[f"{access}: {name}"] = Tally(tuple(counted), official, statistic)

    def of(part: str) -> list[Unit]:
        return [one for one in units if one.labels["part"] == part]

    note = "" if official else ", by word overlap"
    add("All", _sets(units, ALL))
    add(f"All*{note}", _sets(units, (*ALL, "belief:dist")), official=official)
    add("belief choice", of("belief:choice"))
    add(f"belief distance{note}", of("belief:dist"), official=official)
    matched = [(a, u) for a, u in scored if u.labels["part"] == "belief:dist" and u.value]
    overlaps = [replace(u, value=token_f1(a.item.required[0], a.reading.text)) for a, u in matched]
    add(f"belief token-F1 of the right{note}", overlaps, official=official)
    for title, both in KNOWERS.items():
        add(f"All {title}", _sets(units, both))
        add(f"{title} list", of(both[0]))
        add(f"{title} yes/no weighted F1", of(both[1]), statistic=weighted_f1)
    return out


def _sets(units: Sequence[Unit], needed: Sequence[str]) -> list[Unit]:
    """Make one unit a set, 1 when every question of the needed kinds in it is right.

    A set counts if it has any of the questions, as the authors do. Questions without a set (derived files) give none;
    a partial set of kinds in the whole file gives none either.
    """
    sets: dict[str, list[Unit]] = {}
    asked = [one for one in units if one.labels["part"] in needed]
    if {one.labels["part"] for one in asked} == {*needed}:
        for one in asked:
            if one.labels["joint"]:
                sets.setdefault(one.labels["joint"], []).append(one)
    return [
        replace(members[0], key=name, value=float(all(u.value for u in members)), labels={}, answers=_answers(members))
        for name, members in sets.items()
    ]


def _answers(units: Sequence[Unit]) -> tuple[str, ...]:
    return tuple(answer for one in units for answer in one.answers)
