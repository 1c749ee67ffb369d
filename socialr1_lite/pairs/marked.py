"""Pairs of what people marked in the viewer: a better text for one stage against a worse one to the same scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations
from pathlib import Path
from statistics import fmean

from socialr1_lite.errors import DataError, RunLogError
from socialr1_lite.judges.corpus import WORSE_SIBLING, LabelledReply, labelled_rows, read_reply
from socialr1_lite.pairs.labelled import CLEARLY
from socialr1_lite.pairs.record import Pair
from socialr1_lite.runlog import RunFolder
from socialr1_lite.runlog.labels import read_label_rows
from socialr1_lite.runlog.lines import JsonObject
from socialr1_lite.sip import STAGES, parse

SOURCE = "labels"
Replies = dict[tuple[str, str], LabelledReply]  # (reader, id) -> reply


def label_rows(place: Path) -> list[JsonObject]:
    """Read the marks of a run folder or of one file. Raises DataError or RunLogError where there is none."""
    if place.is_dir():
        found = list(read_label_rows(RunFolder.open(place)))
    elif place.is_file():
        found = [row for row, _ in labelled_rows(place)]
    else:
        raise DataError(f"{place}: there is neither a run folder nor a file of labels")
    if not found:
        raise RunLogError(f"{place}: nothing is labelled; mark stages in the viewer: python app.py {place}")
    return found


def marked_pairs(rows: Iterable[JsonObject]) -> Iterator[Pair]:
    """Yield the pairs of marked stages and of preferred siblings, each once.

    Two texts of one stage are a pair where their marks (the mean over readers) differ by half a mark or more. A sibling
    that is better as a whole is so in each stage whose marks do not say otherwise. Raises DataError for a bad row.
    """
    replies: Replies = {}
    worse: list[tuple[str, LabelledReply, str]] = []  # whose word, and the one stage that is meant or "" for all
    for row in rows:
        try:
            reply = read_reply(row)
        except DataError as error:
            raise DataError(f"label {str(row.get('id'))[:80]!r}: {error}") from None
        reader = str(row.get("by") or "")
        if reply.kind == WORSE_SIBLING:
            worse.append((reader, reply, str(row.get("faulty") or "")))
        else:
            replies[reader, reply.id] = reply
    marks = _marks(replies.values())
    found = [*_graded(replies.values(), marks), *_preferred(worse, replies, marks)]
    yield from {(one.scenario.id, one.stage, one.chosen, one.rejected): one for one in reversed(found)}.values()


def _marks(replies: Iterable[LabelledReply]) -> dict[tuple[str, str, str], float]:
    """Return (scenario, stage, text) -> its mean mark."""
    given: dict[tuple[str, str, str], list[float]] = {}
    for reply in replies:
        texts = texts_of(reply)
        for stage, label in reply.labels.items():
            if text := texts.get(stage):
                given.setdefault((reply.scenario.id, stage, text), []).append(label)
    return {key: fmean(labels) for key, labels in given.items()}


def texts_of(reply: LabelledReply) -> dict[str, str]:
    """Return what a reply says in each stage that it has."""
    parsed = parse(reply.completion, reply.scenario.options)
    return {stage: text for stage in STAGES if (text := parsed.stage_text(stage).strip())}


def _graded(replies: Iterable[LabelledReply], marks: Mapping[tuple[str, str, str], float]) -> Iterator[Pair]:
    places: dict[tuple[str, str], dict[str, LabelledReply]] = {}
    for reply in replies:
        for stage, text in texts_of(reply).items():
            if (reply.scenario.id, stage, text) in marks:
                places.setdefault((reply.scenario.id, stage), {}).setdefault(text, reply)
    for (scenario, stage), texts in places.items():
        for high, low in permutations(texts, 2):
            if marks[scenario, stage, high] - marks[scenario, stage, low] >= CLEARLY:
                kind = "marked bad" if marks[scenario, stage, low] == 0 else "marked down"
                yield _pair(texts[high], stage, low, kind)


def _preferred(
    worse: Iterable[tuple[str, LabelledReply, str]],
    replies: Replies,
    marks: Mapping[tuple[str, str, str], float],
) -> Iterator[Pair]:
    by_id = {reply.id: reply for reply in replies.values()}
    for reader, reply, only in worse:
        better = replies.get((reader, reply.of)) or by_id.get(reply.of)
        if better is None:
            continue
        chosen, rejected, id = texts_of(better), texts_of(reply), reply.scenario.id
        for stage in [only] if only else STAGES:
            high, low = chosen.get(stage), rejected.get(stage)
            if high and low and high != low:
                said = marks.get((id, stage, high)), marks.get((id, stage, low))
                contradicted = said[0] is not None and said[1] is not None and said[0] <= said[1]
                if only or not contradicted:
                    yield _pair(better, stage, low, WORSE_SIBLING)


def _pair(chosen: LabelledReply, stage: str, rejected: str, kind: str) -> Pair:
    texts = texts_of(chosen)
    context = {name: text for name, text in texts.items() if name != stage}
    answer = parse(chosen.completion, chosen.scenario.options).answer_text
    return Pair(chosen.scenario, stage, texts[stage], rejected, kind, SOURCE, context, answer)
