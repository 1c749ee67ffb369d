"""People judge: marks on stages, the better of two siblings, and how far the judge agrees with them."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from socialr1_lite.errors import DataError, RunLogError
from socialr1_lite.judges.agreement import JudgedReply, kappa, pair_agreement, stage_agreement
from socialr1_lite.judges.corpus import HONEST, WORSE_SIBLING, WRONG_ANSWER, read_reply
from socialr1_lite.pairs.marked import marked_pairs
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.labels import READER, append_label, label_file, read_label_rows, writing_labels
from socialr1_lite.runlog.rejudged import read_verdicts
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.pages import find, key_of, key_of_row, peek, whole
from socialr1_lite.viewer.serving import BadRequest, Json, Query
from socialr1_lite.viewer.stage import read_reply as parse_reply

LABEL_VERSION = 1
MARKS = {"good": 1.0, "partly": 0.5, "bad": 0.0, "": None}  # word of the page -> label
MARKED_DOWN = "marked down"  # a reply with a stage that is not good, whose answer is right
PAID = "as paid"
LISTED = 100  # disagreements on the page
QUEUE = 1000  # completions drawn for labelling, one after another
NOTE = 2000  # characters
TRAIN: Json = {"phase": "train"}


def reader_of(query: Query) -> str:
    """Read who is labelling. Raises BadRequest for a name that can be no file's."""
    reader = query.text("reader", limit=60) or "me"
    if not READER.fullmatch(reader):
        raise BadRequest("reader must be 1 to 40 letters, digits, - and _, as in anna-2")
    return reader


def label(library: Library, query: Query) -> Json:
    """Mark a stage of a completion, or note something about it; empty takes it away, what is not given stays.

    was, note_was: what the page shows. Where another viewer has said something else since, nothing is written, and the
    answer holds what it said.
    """
    run, reader = library.run(query.text("run")), reader_of(query)
    key, stage = query.text("trace"), query.choice("stage", STAGES)
    said: Json = {"labels": query.text("mark", limit=20)} if query.has("mark") else {}
    said |= {"notes": query.text("note", limit=NOTE).strip()} if query.has("note") else {}
    seen: Json = {"labels": query.text("was", limit=20)} if query.has("was") else {}
    seen |= {"notes": query.text("note_was", limit=NOTE)} if query.has("note_was") else {}
    blind = query.choice("blind", ("1",)) == "1"
    query.done()
    if not stage or not said or said.get("labels", "") not in MARKS:
        marks = ", ".join(filter(None, MARKS))
        raise BadRequest(f"a stage ({', '.join(STAGES)}) and a mark ({marks}) or a note are needed")
    trace, scenario = _labelled(run, key)
    with writing_labels(run.folder, reader):
        known = mine(run, trace, reader)
        told: dict[str, Json] = {name: {**known.get(name, {})} for name in ("labels", "notes")}
        there = {"labels": _words(told["labels"]).get(stage, ""), "notes": told["notes"].get(stage, "")}
        crossed = {name: there[name] for name in said if there[name] not in (said[name], seen.get(name, there[name]))}
        for name, word in said.items():
            told[name].pop(stage, None)
            if word:
                told[name][stage] = MARKS[word] if name == "labels" else word
        row = _row(run, trace, scenario, reader, told["labels"]) | {"notes": told["notes"], "blind": blind}
        path = label_file(run.folder, reader) if crossed else append_label(run.folder, reader, [row])
    if crossed:
        told = {name: known.get(name, {}) for name in told}
    return {
        "crossed": _crossed(crossed, said),
        "labels": _words(told["labels"]),
        "notes": told["notes"],
        "file": str(path),
        "next": next_to_label(run, reader),
    }


def _crossed(there: Mapping[str, str], said: Mapping[str, str]) -> str:
    """Say what another viewer has saved for the stage since this page was drawn; "" where nothing came between."""
    words = {"labels": "mark", "notes": "note"}
    return " ".join(
        f"Another viewer has saved the {words[name]} {(value or 'none')!r} here; yours, {(said[name] or 'none')!r}, "
        "was not saved. Say it again to put it in its place."
        for name, value in there.items()
    )


def prefer(library: Library, query: Query) -> Json:
    """Say which of two siblings is better, as a whole or in one stage; `better` empty: neither, which takes it back."""
    run, reader = library.run(query.text("run")), reader_of(query)
    keys = [query.text("one"), query.text("two")]
    better, stage = query.text("better"), query.choice("stage", STAGES)
    was = query.text("was") if query.has("was") else None
    query.done()
    if better and better not in keys:
        raise BadRequest("better must be one of the two")
    both = [_labelled(run, key) for key in keys]
    (one, scenario), (two, _) = both
    if keys[0] == keys[1] or one.scenario != two.scenario:
        raise BadRequest("two completions of one prompt are compared")
    rows = []
    for first, second in ((one, two), (two, one)):
        rows.append(_preference(run, scenario, reader, first, second, stage) | {"removed": key_of(first) != better})
    with writing_labels(run.folder, reader):
        there = _preferred(run, reader, keys, stage)
        if was is not None and there not in (was, better):
            kept = f"number {keys.index(there) + 1} is the better" if there else "neither is better"
            return {"better": there, "crossed": f"Another viewer has saved that {kept}; say it again to change it."}
        unknown = [trace for trace in (one, two) if better and not mine(run, trace, reader)]
        own = [_row(run, trace, scenario, reader, {}) for trace in unknown]
        append_label(run.folder, reader, [*own, *rows])
    return {"better": better, "crossed": ""}


def _preferred(run: OpenRun, reader: str, keys: Sequence[str], stage: str) -> str:
    """Return which of two a reader prefers in a stage, "" for neither."""
    for row in read_label_rows(run.folder):
        same = row["by"] == reader and row.get("kind") == WORSE_SIBLING and (row.get("faulty") or "") == stage
        if same and {row["trace"], row.get("better")} == set(keys):
            return str(row["better"])
    return ""


def _preference(run: OpenRun, scenario: Scenario, reader: str, better: Trace, worse: Trace, stage: str) -> Json:
    row = _row(run, worse, scenario, reader, {})
    of = name_of(run, better)
    end = f" in {stage}" if stage else ""
    told = {"of": of, "better": key_of(better), "faulty": stage or None}
    return row | told | {"id": f"{row['id']} worse than {of}{end}", "kind": WORSE_SIBLING}


def _labelled(run: OpenRun, key: str) -> tuple[Trace, Scenario]:
    index = run.index()
    trace, scenario = whole(index, find(index, key))
    if scenario is None or trace.completion.failed:
        raise RunLogError("This completion cannot be labelled: its scenario is not stored, or there is no reply")
    return trace, scenario


def name_of(run: OpenRun, trace: Trace) -> str:
    """Return the id under which a completion is labelled: the run's folder and its lasting name there."""
    return f"{run.folder.name}/{key_of(trace)}"


def mine(run: OpenRun, trace: Trace, reader: str) -> Json:
    """Return a reader's marks on a completion, {} when there are none."""
    id = name_of(run, trace)
    rows = read_label_rows(run.folder)
    return next((row for row in rows if row["id"] == id and row["by"] == reader), {})


def _row(run: OpenRun, trace: Trace, scenario: Scenario, reader: str, labels: Mapping[str, float]) -> Json:
    """Return a line of the corpus' form."""
    down = any(value < 1 for value in labels.values())
    kind = HONEST if not down else WRONG_ANSWER if trace.score.outcome == "wrong" else MARKED_DOWN
    return {
        "version": LABEL_VERSION,
        "id": name_of(run, trace),
        "by": reader,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "trace": key_of(trace),
        "split": "train",
        "kind": kind,
        "marked": parse_reply(trace, scenario).marked,
        "scenario": scenario.to_row(),
        "completion": text_of(trace),
        "labels": dict(labels),
    }


def text_of(trace: Trace) -> str:
    """Return the whole reply, also where the prompt had opened its think block: a row of labels has no such mark."""
    return f"<think>\n{trace.completion.text}" if trace.completion.prefilled else trace.completion.text


def _words(labels: Mapping[str, float]) -> dict[str, str]:
    words = {value: word for word, value in MARKS.items()}
    return {stage: words[value] for stage, value in labels.items() if value in words}


def marks(library: Library, query: Query) -> Json:
    """Return a reader's own marks on a completion; nobody sees another's while labelling."""
    run, reader = library.run(query.text("run")), reader_of(query)
    key = query.text("trace")
    query.done()
    index = run.index()
    trace = index.get(find(index, key))
    known = mine(run, trace, reader)
    preferred = [
        {"better": row.get("better"), "worse": row.get("trace"), "stage": row.get("faulty") or ""}
        for row in read_label_rows(run.folder)
        if row["by"] == reader and row.get("kind") == WORSE_SIBLING and key in (row.get("trace"), row.get("better"))
    ]
    return {
        "labels": _words(known.get("labels", {})),
        "notes": known.get("notes", {}),
        "preferred": preferred,
        "next": next_to_label(run, reader),
    }


class Judged(NamedTuple):
    """A labelled completion that is still in the run. scores: judge -> stage -> score."""

    row: Json
    trace: Trace
    scores: dict[str, Mapping[str, float | None]]


def labels(library: Library, query: Query) -> Json:
    """Return how far a judge agrees with what people marked, the disagreements first, and what to label next."""
    run, reader = library.run(query.text("run")), reader_of(query)
    judge = query.text("judge", limit=100) or PAID
    query.done()
    index = run.index()
    rows = list(read_label_rows(run.folder))
    judged = [one for row in rows if (one := _judged(run, index, row)) is not None]
    replies = [
        JudgedReply(read_reply(one.row), {stage: one.scores.get(judge, {}).get(stage) for stage in STAGES})
        for one in judged
    ]
    marked = [one for one in judged if one.row["labels"]]
    return {
        "judge": judge,
        "judges": sorted({name for one in judged for name in one.scores}, key=lambda name: (name != PAID, name)),
        "readers": sorted({str(row["by"]) for row in rows} | {reader}),
        "file": str(label_file(run.folder, reader)),
        "tiles": _tiles(marked, rows, reader),
        "stages": _stages(replies),
        "pairs": [
            {"kind": one.kind.strip(), "n": one.n, "value": one.wins.value, "low": one.wins.low, "high": one.wins.high}
            for one in pair_agreement(replies)
        ],
        "disagreements": _disagreements(marked, judge),
        "gone": len(rows) - len(judged),
        "drawn": bool(_drawn(run)),
        "next": next_to_label(run, reader),
    }


def _judged(run: OpenRun, index: TraceIndex, row: Json) -> Judged | None:
    """Find the completion of a mark and what judges said of it; None where the run no longer holds this very text."""
    try:
        trace = index.get(find(index, str(row.get("trace"))))
        read_reply(row)
    except (RunLogError, BadRequest, DataError):
        return None
    if text_of(trace) != row["completion"]:
        return None
    paid = {stage: trace.score.parts.get(f"content.{stage}") for stage in STAGES}
    later = {f"{one.judge} v{one.judge_version}, asked again": one.scores for one in read_verdicts(run.folder, trace)}
    return Judged(row, trace, {PAID: paid} | later)


def _tiles(marked: Sequence[Judged], rows: Sequence[Json], reader: str) -> list[Json]:
    stages = sum(len(one.row["labels"]) for one in marked)
    own = sum(len(one.row["labels"]) for one in marked if one.row["by"] == reader)
    preferences = sum(row.get("kind") == WORSE_SIBLING for row in rows)
    n, agreed = between_readers(marked)
    tiles = [
        {"label": "Stages marked", "value": f"{stages}", "note": f"{own} of them by {reader}"},
        {"label": "Completions", "value": f"{len({one.row['id'] for one in marked})}", "note": "with a mark"},
        {"label": "Better of two", "value": f"{preferences}", "note": "preferences"},
    ]
    if n:
        tiles.append(
            {"label": "Readers agree", "value": f"{agreed:.2f}", "note": f"kappa over {n} stages marked twice"}
        )
    return tiles


def between_readers(marked: Iterable[Judged]) -> tuple[int, float]:
    """Return (stages that two readers marked, Cohen's kappa of the first two readers of each)."""
    given: dict[tuple[str, str], dict[str, float]] = {}
    for one in marked:
        for stage, value in one.row["labels"].items():
            given.setdefault((one.row["id"], stage), {})[one.row["by"]] = value
    pairs = [tuple(readers[name] for name in sorted(readers)[:2]) for readers in given.values() if len(readers) > 1]
    return len(pairs), kappa(pairs)  # type: ignore[arg-type]


def _stages(replies: Sequence[JudgedReply]) -> list[Json]:
    found = []
    for one in stage_agreement(replies):
        partly = [
            score
            for reply in replies
            if reply.reply.labels.get(one.stage) == 0.5 and (score := reply.scores[one.stage]) is not None
        ]
        found.append(
            {
                "stage": one.stage,
                "auc": one.auc,
                "means": [one.right, sum(partly) / len(partly) if partly else None, one.wrong],
                "n": [one.n_right, len(partly), one.n_wrong],
            }
        )
    return found


def _disagreements(marked: Sequence[Judged], judge: str) -> list[Json]:
    """List every marked stage, those first where judge and person lie furthest apart."""
    found = []
    for one in marked:
        for stage, value in one.row["labels"].items():
            score = one.scores.get(judge, {}).get(stage)
            if score is not None:
                found.append((abs(score - value), one, stage, value, score))
    found.sort(key=lambda item: (-item[0], item[1].row["id"], item[2]))
    return [
        {
            "id": key_of(one.trace),
            "stage": stage,
            "human": _words({stage: value})[stage],
            "judge": score,
            "apart": apart,
            "by": one.row["by"],
            "note": one.row.get("notes", {}).get(stage, ""),
            "peek": peek(one.trace.completion.text),
        }
        for apart, one, stage, value, score in found[:LISTED]
    ]


def next_to_label(run: OpenRun, reader: str) -> str | None:
    """Return a training completion that the reader has not marked, in an order drawn once for the run; None at its end.

    Drawn and not chosen: marks on what looked odd would say nothing of the rest.
    """
    known = {row["id"] for row in read_label_rows(run.folder) if row["by"] == reader and row["labels"]}
    return next((key for key in _drawn(run) if f"{run.folder.name}/{key}" not in known), None)


def _drawn(run: OpenRun) -> list[str]:
    return run.remembered("drawn for labels", _draw)


def _draw(index: TraceIndex) -> list[str]:
    ids = list(index.ids(TRAIN | {"outcome": {"not": "failed"}}))
    return [key_of_row(index.scalars(id)) for id in random.Random(11).sample(ids, min(QUEUE, len(ids)))]


def export_labels(library: Library, query: Query) -> Json:
    """Return the marks of all readers as a file: of the corpus' form, or as pairs for a reward model."""
    run, kind = library.run(query.text("run")), query.choice("format", ("labels", "pairs"), "labels")
    query.done()
    rows = list(read_label_rows(run.folder))
    found = rows if kind == "labels" else [pair.to_row() for pair in marked_pairs(rows)]
    if not found:
        raise RunLogError("There is nothing to export yet: no label, or no two texts of one stage that differ in them")
    text = "".join(f"{json.dumps(row)}\n" for row in found)
    return {
        "name": f"{run.folder.name[:60]}-{kind}.jsonl",
        "kind": "application/x-ndjson",
        "content": base64.b64encode(text.encode()).decode(),
        "rows": len(found),
        "total": len(found),
    }
