"""The pages over one run's traces: the table, one completion, its group, its prompt across training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.serving import Query, BadRequest
from socialr1_lite.viewer.stage import COMPONENTS, NAMES, flat_words, heading, read_reply, stage_view, states_of
from socialr1_lite.viewer.words import change_in_words, same_words, word_diff

Json = dict[str, Any]
Row = dict[str, Any]

PAGE = 50
PEEK = 160  # characters of a reply in a list
MOMENTS = 120  # completions of one prompt that its page shows
STATES = ("present", "missing", "empty", "out of order", "repeated", "cut off")
FLAGS: dict[str, Json] = {  # name -> filter
    "early_answer": {"early": True},
    "bad_format": {"reward.format": 0},
    "not_judged": {"reward.content": None},
    "repeats_itself": {"length.repetition": {"min": 0.2}},
}
SORTS: dict[str, str] = {
    "step": "time",
    **{name: f"reward.{name}" for name in COMPONENTS},
    "outcome_value": "reward.outcome",
    **{name: name for name in ("group", "outcome", "total", "advantage", "tokens")},
}
KEY = re.compile(r"([te])(\d{1,6})\.(\d{1,9})\.(\d{1,12})\.(\d{1,9})(?:\.(.{1,200}))?", re.DOTALL)
FIRST_HEADING = re.compile(rf"\W*{TITLES[STAGES[0]]}\W*", re.IGNORECASE)  # most replies begin with it: it tells nothing
MARKUP = re.compile(r"</?(?:think|thinking|answer)>", re.IGNORECASE)


def where(query: Query) -> Json:
    """The filter of the address bar as a filter of the index. Raises BadRequest for a value that is none."""
    told: Json = {}
    for name in ("phase", "benchmark", "outcome", "dimension", "scenario"):
        if value := query.text(name):
            told[name] = value
    for name in ("truncated", "flat"):
        if value := query.choice(name, ("0", "1")):
            told[name] = value == "1"
    if flag := query.choice("flag", tuple(FLAGS)):
        told |= FLAGS[flag]
    if stage_state := query.text("stage_state"):
        stage, _, state = stage_state.partition(":")
        if stage not in STAGES or state not in STATES:
            raise BadRequest(f"stage_state must be a stage and a state, as {STAGES[0]}:{STATES[1]}")
        told[f"stage.{stage}"] = state
    low, high = query.whole("from", -1, -1, 10**9), query.whole("to", -1, -1, 10**9)
    if low >= 0 or high >= 0:
        told["step"] = {"min": low if low >= 0 else None, "max": high if high >= 0 else None}
    if text := query.text("q", limit=400).strip():
        told["text"] = text
    if query.choice("superseded", ("1", "only")) == "1":
        told["superseded"] = None
    return told


def sorting(query: Query) -> str:
    """The sorting of the address bar as one of the index."""
    sort = query.text("sort", limit=40) or "step"
    name = SORTS.get(sort.removeprefix("-"))
    if name is None:
        raise BadRequest(f"sort must be one of {', '.join(SORTS)}, with - in front for the largest first")
    return f"-{name}" if sort.startswith("-") else name


def key_of(row: Mapping[str, Any]) -> str:
    """The lasting name of a completion, as it stands in a link: phase, launch, step, group, index, benchmark."""
    tail = f".{row['benchmark']}" if row.get("benchmark") else ""
    return f"{row['phase'][0]}{row['segment']}.{row['step']}.{row['group']}.{row['index']}{tail}"


def find(index: TraceIndex, key: str) -> int:
    """The row behind a completion's name. Raises RunLogError when this run has none."""
    told = KEY.fullmatch(key)
    if told is None:
        raise BadRequest(f"{key[:80]!r} is not the name of a completion")
    segment, step, group, place = (int(told[i]) for i in (2, 3, 4, 5))
    phase = "train" if told[1] == "t" else "eval"
    found = index.find(step=step, group=group, index=place, phase=phase, benchmark=told[6] or "", segment=segment)
    if found is None:
        raise RunLogError(
            f"This run holds no completion {key[:80]}: it may come from another run, or was not copied with it"
        )
    return found


def peek(text: str) -> str:
    """The beginning of a reply on one line, without its tags."""
    told = " ".join(MARKUP.sub(" ", text[: 4 * PEEK]).split())
    found = FIRST_HEADING.match(told)
    return told[found.end() if found else 0 :][:PEEK]


def listed(row: Mapping[str, Any], scenario: Scenario | None) -> Json:
    """One line of a list, from a whole row."""
    return {
        "id": key_of(row),
        **{
            name: row[name]
            for name in ("step", "group", "index", "outcome", "total", "advantage", "tokens", "superseded")
        },
        "truncated": row["finish"] == "length",
        "components": {name: row["components"].get(name) for name in COMPONENTS},
        "stages": states_of(row, scenario),
        "peek": peek(row["completion"]),
    }


def whole(index: TraceIndex, row: Mapping[str, Any]) -> tuple[Row, Scenario | None]:
    """The stored row behind scalars, with its scenario."""
    full = index.get(row["id"])
    return full, index.scenario(full["scenario"])


def traces(library: Library, query: Query) -> Json:
    """A page of the trace table."""
    run = library.run(query.text("run"))
    told, sort, page = where(query), sorting(query), query.whole("page", 1, 1, 10**7)
    query.done()
    index = run.index()
    total = run.remembered(f"count {_key(told)}", lambda index: index.count(told))
    page = min(page, max(1, -(-total // PAGE)))
    rows = [listed(*whole(index, row)) for row in index.page(told, sort, (page - 1) * PAGE, PAGE)]
    return {
        "rows": rows,
        "total": total,
        "page": page,
        "size": PAGE,
        "seen": index.count({"superseded": None}),
        "sorts": list(SORTS),
        "notice": "; ".join(index.notices()[:3]),
    }


def facets(library: Library, query: Query) -> Json:
    """Each facet's values and counts under the other conditions; asked for once the table is drawn."""
    run = library.run(query.text("run"))
    told = where(query)
    query.done()
    return {"facets": run.remembered(f"facets {_key(told)}", lambda index: _facets(index, told))}


def _key(told: Json) -> str:
    return repr(sorted(told.items(), key=str))


def _facets(index: TraceIndex, told: Json) -> dict[str, list[Json]]:
    found = index.figures.facets(told)
    counted = {
        name: [{"value": _word(value), "n": n} for value, n in found[name].items() if value not in ("", None)]
        for name in ("phase", "outcome", "truncated", "flat", "dimension", "benchmark")
    }
    rest = {key: value for key, value in told.items() if not key.startswith("stage.")}
    counted["stage_state"] = _stage_facets(index, rest)
    counted["flag"] = [{"value": name, "n": n} for name, flag in FLAGS.items() if (n := index.count({**told, **flag}))]
    return counted


def _stage_facets(index: TraceIndex, told: Json) -> list[Json]:
    """How often each stage is in each state but the usual one."""
    counts: Counter[tuple[str, str]] = Counter()
    for *states, n in index.figures.tally([f"stage.{stage}" for stage in STAGES], told):
        for stage, state in zip(STAGES, states, strict=True):
            if state is not None and state != "present":
                counts[stage, state] += n
    return [
        {"value": f"{stage}:{state}", "n": n}
        for stage in STAGES
        for (at, state), n in sorted(counts.items())
        if at == stage
    ]


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def trace(library: Library, query: Query) -> Json:
    """One completion, stage by stage, with its neighbours in the filter, its siblings, its earlier and later selves."""
    run = library.run(query.text("run"))
    key, told, sort = query.text("trace"), where(query), sorting(query)
    query.done()
    index, stamp = run.index(), run.stamp()
    identity = find(index, key) if key else _first(index, told, sort)
    row, scenario = whole(index, {"id": identity})
    siblings = index.group(row["gid"])
    told_flat = index.group_facts(row["gid"])["cause"]
    return {
        "stamp": stamp,
        "id": key_of(row),
        **stage_view(row, scenario, siblings, told_flat),
        "siblings": [_sibling(sibling) for sibling in siblings],
        **_place(run, index, identity, told, sort),
        **_moments_around(index, row),
    }


def _place(run: OpenRun, index: TraceIndex, identity: int, told: Json, sort: str) -> Json:
    """Where a completion stands in the filter, and what comes before and after it."""
    order = run.remembered(f"order {sort} {_key(told)}", lambda index: index.ids(told, sort))
    try:
        at = order.index(identity)
    except ValueError:  # outside the filter: its neighbours are those it would have
        before, after = (index.neighbour(identity, told, sort, way) for way in (-1, 1))
        return {"position": None, "of": len(order), "previous": _key_or_none(before), "next": _key_or_none(after)}
    previous, following = (
        key_of(index.scalars(order[place])) if 0 <= place < len(order) else None for place in (at - 1, at + 1)
    )
    return {"position": at + 1, "of": len(order), "previous": previous, "next": following}


def _first(index: TraceIndex, told: Json, sort: str) -> int:
    rows = index.page(told, sort, 0, 1)
    if not rows:
        raise RunLogError("No completion passes this filter")
    return int(rows[0]["id"])


def _key_or_none(row: Row | None) -> str | None:
    return None if row is None else key_of(row)


def _sibling(row: Row) -> Json:
    return {"id": key_of(row)} | {name: row[name] for name in ("index", "total", "advantage", "outcome")}


def _moments_around(index: TraceIndex, row: Row) -> Json:
    """The same prompt the time before and the time after."""
    same = [one for one in index.by_scenario(row["scenario"], {"phase": row["phase"]}) if one["gid"] != row["gid"]]
    earlier = [one for one in same if (one["step"], one["id"]) < (row["step"], row["id"])]
    later = [one for one in same if (one["step"], one["id"]) > (row["step"], row["id"])]
    return {
        "earlier": _key_or_none(earlier[-1] if earlier else None),
        "later": _key_or_none(later[0] if later else None),
    }


def group(library: Library, query: Query) -> Json:
    """The completions of one prompt side by side, and what separated best from worst."""
    run = library.run(query.text("run"))
    key = query.text("trace")
    query.done()
    index = run.index()
    chosen = index.get(find(index, key) if key else _first(index, {}, "time"))
    facts = index.group_facts(chosen["gid"])
    rows = [index.get(one["id"]) for one in index.group(chosen["gid"])]
    scenario = index.scenario(chosen["scenario"])
    members = [_member(row, scenario) for row in rows]
    _mark_alike(members)
    terms = _terms(rows)
    return {
        "id": key_of(chosen),
        "group": chosen["group"],
        "step": chosen["step"],
        **scene(scenario),
        "members": members,
        "terms": terms,
        "flat": flat_words(facts["cause"], len(rows)),
        "separated": _separated(rows, terms),
        "agreement": [_agreement([member["texts"][i] for member in members]) for i in range(len(STAGES))],
        "answers": _answers(members),
    }


def scene(scenario: Scenario | None) -> Json:
    """Story, question and lettered options, for a heading."""
    if scenario is None:
        return {"story": "", "question": "The scenario is not stored in this run folder.", "options": []}
    options = [f"{letter}. {text}" for letter, text in zip(scenario.letters, scenario.options, strict=True)]
    return {"story": scenario.story, "question": scenario.question, "options": options}


def _member(row: Row, scenario: Scenario | None) -> Json:
    reply = read_reply(row, scenario)
    return _sibling(row) | {
        "tokens": row["tokens"],
        "finish": row["finish"],
        "states": states_of(row, scenario, reply),
        "texts": [reply.stage_text(stage) for stage in STAGES],
        "answer": reply.answer_text[:200],
        "same": [0] * len(STAGES),
    }


def _mark_alike(members: Sequence[Json]) -> None:
    """Where a stage says, word for word, what an earlier sibling said: that sibling's index + 1."""
    for i in range(len(STAGES)):
        said: dict[str, int] = {}
        for member in members:
            text = " ".join(member["texts"][i].split()).casefold()
            if text and text in said:
                member["same"][i] = said[text] + 1
            said.setdefault(text, member["index"])


def _agreement(texts: Sequence[str]) -> str:
    told = [text for text in texts if text.strip()]
    if len(told) < 2:
        return "said once" if told else "said by none"
    pairs = [same_words(a, b) for i, a in enumerate(told) for b in told[:i]]
    return f"{100 * sum(pairs) / len(pairs):.0f} % of words shared"


def _answers(members: Sequence[Json]) -> str:
    right = sum(member["outcome"] == "right" for member in members)
    return f"{right} of {len(members)} right"


def _terms(rows: Sequence[Row]) -> list[Json]:
    """Each component's values over the group and how far they pull the reward apart."""
    terms = []
    for name in COMPONENTS:
        values = [row["components"].get(name) for row in rows]
        told = [value for value in values if value is not None]
        if told:
            terms.append({"title": NAMES[name], "values": values, "spread": _pull(name, rows, max(told) - min(told))})
    return terms


def _pull(name: str, rows: Sequence[Row], spread: float) -> float:
    """How much reward the spread of a component is worth: its weight, or for a gate what it multiplies."""
    row = rows[0]
    if name in ("format", "length") and row["mode"] != "additive":
        open_gates = [{**one["components"], "format": 1.0, "length": 1.0} for one in rows]
        worth = [
            sum(
                row["weights"].get(part, 0.0) * (row["tau"] if part != "outcome" else 1.0) * (values.get(part) or 0.0)
                for part in ("outcome", "structure", "content")
            )
            for values in open_gates
        ]
        return float(spread * max(worth))
    factor = row["tau"] if name in ("structure", "content") else 1.0
    return float(row["weights"].get(name, 0.0) * factor * spread)


def _separated(rows: Sequence[Row], terms: Sequence[Json]) -> str:
    if len(rows) < 2 or not terms:
        return ""
    best, worst = max(rows, key=lambda row: row["total"]), min(rows, key=lambda row: row["total"])
    widest = max(terms, key=lambda term: term["spread"])
    return (
        f"Best is #{best['index']} with {best['total']:.2f}, worst #{worst['index']} with {worst['total']:.2f}. "
        f"{widest['title']} pulled them furthest apart: it is worth up to {widest['spread']:.2f} of reward here."
    )


def prompt(library: Library, query: Query) -> Json:
    """One prompt across training: all its completions in time, and a word diff of one stage between two of them."""
    run = library.run(query.text("run"))
    key, one, two = query.text("trace"), query.text("a"), query.text("b")
    stage = query.choice("stage", (*STAGES, "all"), STAGES[1])
    query.done()
    index = run.index()
    chosen = index.get(find(index, key) if key else _first(index, {}, "time"))
    scenario = index.scenario(chosen["scenario"])
    rows = index.by_scenario(chosen["scenario"])
    shown = _thin(rows, MOMENTS, {chosen["id"], *(find(index, name) for name in (one, two) if name)})
    a = index.get(find(index, one) if one else (shown[0]["id"] if shown else chosen["id"]))
    b = index.get(find(index, two) if two else (shown[-1]["id"] if shown else chosen["id"]))
    texts = [_part(row, scenario, stage) for row in (a, b)]
    return {
        "id": key_of(chosen),
        **scene(scenario),
        "siblings": [_sibling(row) for row in index.group(chosen["gid"])],
        "moments": [_moment(row, scenario) for row in shown],
        "more": len(rows) - len(shown),
        "steps": len({row["step"] for row in rows}),
        "flips": _flips(rows),
        "charts": _prompt_charts(rows),
        "stage": stage,
        "a": _end(a, scenario),
        "b": _end(b, scenario),
        "diff": word_diff(*texts),
        "change": change_in_words(*texts),
    }


def _part(row: Row, scenario: Scenario | None, stage: str) -> str:
    return str(row["completion"]) if stage == "all" else read_reply(row, scenario).stage_text(stage)


def _thin(rows: Sequence[Row], most: int, kept: set[int]) -> list[Row]:
    """At most about `most` rows, evenly spread, first and last and the kept ones among them."""
    if len(rows) <= most:
        return list(rows)
    stride = len(rows) / most
    chosen = {rows[min(len(rows) - 1, int(i * stride))]["id"] for i in range(most)} | {rows[-1]["id"]} | kept
    return [row for row in rows if row["id"] in chosen]


def _moment(row: Row, scenario: Scenario | None) -> Json:
    letter = (
        scenario.letters[row["answer"]]
        if scenario and row["answer"] is not None and row["answer"] < len(scenario.options)
        else ""
    )
    return {
        "id": key_of(row),
        "step": row["step"],
        "index": row["index"],
        "outcome": row["outcome"],
        "total": row["total"],
        "letter": letter,
        "name": row["benchmark"],
    }


def _end(row: Row, scenario: Scenario | None) -> Json:
    return {
        "id": key_of(row),
        "title": heading(row),
        "step": row["step"],
        "outcome": row["outcome"],
        "total": row["total"],
        "states": states_of(row, scenario),
    }


def _flips(rows: Sequence[Row]) -> str:
    """How the share of right answers went, first step to last."""
    by_step: dict[int, list[bool]] = {}
    for row in rows:
        by_step.setdefault(row["step"], []).append(row["outcome"] == "right")
    if len(by_step) < 2:
        return ""
    first, last = (by_step[step] for step in (min(by_step), max(by_step)))
    return f"right at first: {sum(first)} of {len(first)}; at last: {sum(last)} of {len(last)}"


def _prompt_charts(rows: Sequence[Row]) -> list[Json]:
    """Reward and length of this prompt's completions by step."""
    by_step: dict[int, list[Row]] = {}
    for row in rows:
        by_step.setdefault(row["step"], []).append(row)

    def line(name: str) -> list[list[Any]]:
        return [[step, sum(float(row[name]) for row in told) / len(told)] for step, told in sorted(by_step.items())]

    return [
        {
            "key": "prompt-reward",
            "title": "Reward",
            "unit": "mean of the group",
            "series": [{"name": "reward", "tone": "ink", "points": line("total"), "dots": True}],
        },
        {
            "key": "prompt-right",
            "title": "Right answers",
            "unit": "share",
            "percent": True,
            "range": [0, 1],
            "series": [{"name": "right", "tone": "right", "points": line("right"), "dots": True}],
        },
        {
            "key": "prompt-tokens",
            "title": "Length",
            "unit": "tokens",
            "series": [{"name": "tokens", "stage": STAGES[0], "points": line("tokens"), "dots": True}],
        },
    ]
