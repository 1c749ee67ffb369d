"""The pages over one run's traces: the table, one completion, its group, its prompt across training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.reward import COMPONENTS, GATES, Score
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.runlog.index_file import Row
from socialr1_lite.runlog.query import Filter, Scalar
from socialr1_lite.runlog.rejudged import read_verdicts
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES
from socialr1_lite.viewer.chance import Chance
from socialr1_lite.viewer.curves import chance_line
from socialr1_lite.viewer.filtering import FLAGS, SORTS, sorting, where
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.serving import BadRequest, Json, Query
from socialr1_lite.viewer.stage import blinded, facts_of, flat_words, heading, read_reply, stage_view, states_of
from socialr1_lite.viewer.words import change_in_words, same_words, word_diff

PAGE = 50
PEEK = 160  # characters of a reply in a list
MOMENTS = 120  # completions of one prompt that its page shows
KEY = re.compile(r"([te])(\d{1,6})\.(\d{1,9})\.(\d{1,12})\.(\d{1,9})(?:\.(.{1,200}))?", re.DOTALL)
FIRST_HEADING = re.compile(rf"\W*{TITLES[STAGES[0]]}\W*", re.IGNORECASE)  # most replies begin with it: it tells nothing
MARKUP = re.compile(r"</?(?:think|thinking|answer)>", re.IGNORECASE)


def key_of(trace: Trace) -> str:
    """Return the lasting name of a completion, as it stands in a link."""
    end = f".{trace.benchmark}" if trace.benchmark else ""
    return f"{trace.phase[0]}{trace.launch}.{trace.step}.{trace.group}.{trace.index}{end}"


def key_of_row(row: Row) -> str:
    """Return the lasting name of the completion behind a scalar row."""
    end = f".{row['benchmark']}" if row["benchmark"] else ""
    return f"{row['phase'][0]}{row['segment']}.{row['step']}.{row['group']}.{row['index']}{end}"


def find(index: TraceIndex, key: str) -> int:
    """Return the id of the completion of that name. Raises RunLogError when this run has none."""
    parts = KEY.fullmatch(key)
    if parts is None:
        raise BadRequest(f"{key[:80]!r} is not the name of a completion")
    launch, step, group, place = (int(parts[i]) for i in (2, 3, 4, 5))
    phase = "train" if parts[1] == "t" else "eval"
    found = index.find(step=step, group=group, index=place, phase=phase, benchmark=parts[6] or "", segment=launch)
    if found is None:
        raise RunLogError(
            f"This run holds no completion {key[:80]}: it may come from another run, or was not copied with it"
        )
    return found


def peek(text: str) -> str:
    """Return the beginning of a reply on one line, without its tags."""
    line = " ".join(MARKUP.sub(" ", text[: 4 * PEEK]).split())
    found = FIRST_HEADING.match(line)
    return line[found.end() if found else 0 :][:PEEK]


def listed(trace: Trace, scenario: Scenario | None) -> Json:
    """Return one line of a list; a failed completion shows its error in place of a text."""
    completion = trace.completion
    return {
        "id": key_of(trace),
        **facts_of(trace),
        "truncated": completion.truncated,
        "components": {name: trace.score.components.get(name) for name in COMPONENTS},
        "stages": None if completion.failed else states_of(trace, scenario),
        "peek": completion.error[:PEEK] if completion.failed else peek(completion.text),
    }


def whole(index: TraceIndex, id: int) -> tuple[Trace, Scenario | None]:
    """Return the trace of that id, with its scenario."""
    trace = index.get(id)
    return trace, index.scenario(trace.scenario)


def traces(library: Library, query: Query) -> Json:
    """Return a page of the trace table."""
    run = library.run(query.text("run"))
    conditions, sort, page = where(query), sorting(query), query.whole("nth", 1, 1, 10**7)
    query.done()
    index = run.index()
    total = run.remembered(f"count {_words(conditions)}", lambda index: index.count(conditions))
    page = min(page, max(1, -(-total // PAGE)))
    found = index.page(conditions, sort, (page - 1) * PAGE, PAGE)
    rows = [listed(*whole(index, row["id"])) for row in found]
    named = index.named()
    for shown, row in zip(rows, found, strict=True):
        shown["components"] |= {field: row[field] for field in named.values()}
    return {
        "rows": rows,
        "components": _columns(named, rows),
        "total": total,
        "page": page,
        "size": PAGE,
        "seen": index.count({"superseded": None}),
        "sorts": list(SORTS),
        "notice": "; ".join(index.notices()[:3]),
    }


def _columns(named: Mapping[str, str], rows: Sequence[Json]) -> list[Json]:
    """Return the columns of rewards: the components, or those that a foreign file brought, whose sum is the total."""
    components = [
        {"name": name, "title": info.title, "sort": "outcome_value" if name == "outcome" else name}
        for name, info in COMPONENTS.items()
        if not named or (name != "outcome" and any(row["components"].get(name) is not None for row in rows))
    ]
    return [*components, *({"name": field, "title": name, "sort": field, "own": True} for name, field in named.items())]


def facets(library: Library, query: Query) -> Json:
    """Return each facet's values and counts under the other conditions; asked for once the table is drawn."""
    run = library.run(query.text("run"))
    conditions = where(query)
    query.done()
    return {"facets": run.remembered(f"facets {_words(conditions)}", lambda index: _facets(index, conditions))}


def _words(conditions: Filter) -> str:
    """Return the filter as a text, equal for equal filters."""
    return repr(sorted(conditions.items(), key=str))


def _facets(index: TraceIndex, conditions: Filter) -> dict[str, list[Json]]:
    found = index.figures.facets(conditions)
    names = ("phase", "outcome", "truncated", "flat", "dimension", "benchmark")
    counted: dict[str, Iterable[tuple[Scalar, int]]] = {name: found[name].items() for name in names}
    rest = {key: value for key, value in conditions.items() if not key.startswith("stage.")}
    flags = index.figures.numbers([{field: condition} for field, condition in FLAGS.values()], conditions)
    counted["flag"] = list(zip(FLAGS, flags, strict=True))
    counted["stage_state"] = _stage_facets(index, rest)
    return {
        name: [
            {"value": str(int(value) if isinstance(value, bool) else value), "n": n}
            for value, n in values
            if n and value not in ("", None)
        ]
        for name, values in counted.items()
    }


def _stage_facets(index: TraceIndex, conditions: Filter) -> list[tuple[str, int]]:
    """Count how often each stage is in each state but the usual one."""
    counts: Counter[tuple[int, str]] = Counter()
    for *states, n in index.figures.tally([f"stage.{stage}" for stage in STAGES], conditions):
        for place, state in enumerate(states):
            if state is not None and state != "present":
                counts[place, state] += n
    return [(f"{STAGES[place]}:{state}", n) for (place, state), n in sorted(counts.items())]


def trace(library: Library, query: Query) -> Json:
    """Return one completion, stage by stage, with its neighbours in the filter, its siblings, and the same prompt's."""
    run = library.run(query.text("run"))
    key, conditions, sort = query.text("trace"), where(query), sorting(query)
    blind = query.choice("blind", ("1",)) == "1"
    query.done()
    index, stamp = run.index(), run.stamp()
    id = find(index, key) if key else _first(index, conditions, sort)
    found, scenario = whole(index, id)
    row = index.scalars(id)
    siblings = index.group(row["gid"])
    cause = index.group_facts(row["gid"])["cause"]
    view = stage_view(found, scenario, siblings, cause, read_verdicts(run.folder, found))
    unseen = {"total": None, "advantage": None, "outcome": ""} if blind else {}
    return {
        "stamp": stamp,
        "id": key_of(found),
        **(blinded(view) if blind else view),
        "siblings": [_sibling(sibling) | unseen for sibling in siblings],
        **_place(run, index, id, conditions, sort),
        **_moments_around(index, row),
    }


def _place(run: OpenRun, index: TraceIndex, id: int, conditions: Filter, sort: str) -> Json:
    """Return where a completion stands in the filter, and what comes before and after it."""
    order = run.remembered(f"order {sort} {_words(conditions)}", lambda index: index.ids(conditions, sort))
    try:
        at = order.index(id)
        around = [index.scalars(order[i]) if 0 <= i < len(order) else None for i in (at - 1, at + 1)]
    except ValueError:  # outside the filter: its neighbours are those it would have
        at = None
        around = [index.neighbour(id, conditions, sort, way) for way in (-1, 1)]
    previous, following = (_key_or_none(row) for row in around)
    return {"position": None if at is None else at + 1, "of": len(order), "previous": previous, "next": following}


def _first(index: TraceIndex, conditions: Filter, sort: str) -> int:
    rows = index.page(conditions, sort, 0, 1)
    if not rows:
        if index.page({}, sort, 0, 1):
            raise RunLogError("No completion passes this filter")
        raise RunLogError("This run has written no completions yet")
    return int(rows[0]["id"])


def _key_or_none(row: Row | None) -> str | None:
    return None if row is None else key_of_row(row)


def _sibling(row: Row) -> Json:
    return {"id": key_of_row(row)} | {name: row[name] for name in ("index", "total", "advantage", "outcome")}


def _moments_around(index: TraceIndex, row: Row) -> Json:
    """Return the same prompt the time before and the time after."""
    same = [one for one in index.by_scenario(row["scenario"], {"phase": row["phase"]}) if one["gid"] != row["gid"]]
    earlier = [one for one in same if (one["step"], one["id"]) < (row["step"], row["id"])]
    later = [one for one in same if (one["step"], one["id"]) > (row["step"], row["id"])]
    return {
        "earlier": _key_or_none(earlier[-1] if earlier else None),
        "later": _key_or_none(later[0] if later else None),
    }


def group(library: Library, query: Query) -> Json:
    """Return the completions of one prompt side by side, and what separated best from worst."""
    run = library.run(query.text("run"))
    key = query.text("trace")
    query.done()
    index = run.index()
    id = find(index, key) if key else _first(index, {}, "time")
    chosen, scenario = whole(index, id)
    gid = index.scalars(id)["gid"]
    members = [index.get(row["id"]) for row in index.group(gid)]
    columns = _alike([_member(member, scenario) for member in members])
    terms = _terms([member.score for member in members])
    return {
        "id": key_of(chosen),
        "group": chosen.group,
        "step": chosen.step,
        **scene(scenario),
        "members": columns,
        "terms": terms,
        "flat": flat_words(index.group_facts(gid)["cause"], len(members)),
        "separated": _separated(members, terms),
        "agreement": [_agreement([column["texts"][i] for column in columns]) for i in range(len(STAGES))],
        "answers": _right_of([member.score.outcome for member in members]),
    }


def _right_of(outcomes: Sequence[str]) -> str:
    """Return how many answers are right, of those of which that is known."""
    known = [one == "right" for one in outcomes if one != "unknown"]
    return f"{sum(known)} of {len(known)} right" if known else "unknown which are right"


def scene(scenario: Scenario | None) -> Json:
    """Return story, question and lettered options, for a heading."""
    if scenario is None:
        return {"story": "", "question": "The scenario is not stored in this run folder.", "options": []}
    options = [f"{letter}. {text}" for letter, text in zip(scenario.letters, scenario.options, strict=True)]
    return {"story": scenario.story, "question": scenario.question, "options": options}


def _member(trace: Trace, scenario: Scenario | None) -> Json:
    reply = read_reply(trace, scenario)
    return {
        "id": key_of(trace),
        **facts_of(trace),
        "states": states_of(trace, scenario, reply),
        "texts": [reply.stage_text(stage) for stage in STAGES],
        "answer": trace.completion.error[:200] or reply.answer_text[:200],
    }


def _alike(members: Sequence[Json]) -> list[Json]:
    """Mark where a stage says, word for word, what an earlier sibling said: by that sibling's index + 1, else 0."""
    first: dict[tuple[int, str], int] = {}
    marked = []
    for member in members:
        said = [(i, " ".join(text.split()).casefold()) for i, text in enumerate(member["texts"])]
        marked.append(member | {"same": [first[one] + 1 if one[1] and one in first else 0 for one in said]})
        for one in said:
            first.setdefault(one, member["index"])
    return marked


def _agreement(texts: Sequence[str]) -> str:
    said = [text for text in texts if text.strip()]
    if len(said) < 2:
        return "said once" if said else "said by none"
    pairs = [same_words(a, b) for i, a in enumerate(said) for b in said[:i]]
    return f"{100 * sum(pairs) / len(pairs):.0f} % of words shared"


def _terms(scores: Sequence[Score]) -> list[Json]:
    """Return each component's values over the group and how far they pull the reward apart."""
    terms = []
    for name, info in COMPONENTS.items():
        values = [score.components.get(name) for score in scores]
        known = [value for value in values if value is not None]
        if known:
            spread = _pull(name, scores, max(known) - min(known))
            terms.append({"title": info.title, "values": values, "spread": spread})
    return terms


def _pull(name: str, scores: Sequence[Score], spread: float) -> float:
    """Return how much reward the spread of a component is worth: its weight, or for a gate what it multiplies."""
    if name in GATES and scores[0].mode == "gated":
        opened = dict.fromkeys(GATES, 1.0)
        return spread * max(replace(score, components={**score.components, **opened}).total for score in scores)
    return replace(scores[0], components={name: spread}).contribution(name) or 0.0


def _separated(members: Sequence[Trace], terms: Sequence[Json]) -> str:
    if len(members) < 2 or not terms:
        return ""
    best, worst = max(members, key=lambda one: one.total), min(members, key=lambda one: one.total)
    widest = max(terms, key=lambda term: term["spread"])
    return (
        f"Best is #{best.index} with {best.total:.2f}, worst #{worst.index} with {worst.total:.2f}. "
        f"{widest['title']} pulled them furthest apart: it is worth up to {widest['spread']:.2f} of reward here."
    )


def prompt(library: Library, query: Query) -> Json:
    """Return all completions of one prompt in time, and a word diff of one stage between two of them."""
    run = library.run(query.text("run"))
    key, one, two = query.text("trace"), query.text("a"), query.text("b")
    stage = query.choice("stage", (*STAGES, "all"), STAGES[1])
    query.done()
    index = run.index()
    id = find(index, key) if key else _first(index, {}, "time")
    chosen, scenario = whole(index, id)
    rows = index.by_scenario(chosen.scenario)
    shown = _thin(rows, MOMENTS, {id, *(find(index, name) for name in (one, two) if name)})
    a = index.get(find(index, one) if one else (shown[0]["id"] if shown else id))
    b = index.get(find(index, two) if two else (shown[-1]["id"] if shown else id))
    texts = [_part(trace, scenario, stage) for trace in (a, b)]
    return {
        "id": key_of(chosen),
        **scene(scenario),
        "siblings": [_sibling(row) for row in index.group(index.scalars(id)["gid"])],
        "moments": [_moment(row, scenario) for row in shown],
        "more": len(rows) - len(shown),
        "steps": len({row["step"] for row in rows}),
        "flips": _flips(rows),
        "charts": _prompt_charts(rows, scenario),
        "stage": stage,
        "a": _end(a, scenario),
        "b": _end(b, scenario),
        "diff": word_diff(*texts),
        "change": change_in_words(*texts),
    }


def _part(trace: Trace, scenario: Scenario | None, stage: str) -> str:
    return trace.completion.text if stage == "all" else read_reply(trace, scenario).stage_text(stage)


def _thin(rows: Sequence[Row], most: int, kept: set[int]) -> list[Row]:
    """Return at most about `most` rows, evenly spread, first and last and the kept ones among them."""
    if len(rows) <= most:
        return list(rows)
    stride = len(rows) / most
    chosen = {rows[min(len(rows) - 1, int(i * stride))]["id"] for i in range(most)} | {rows[-1]["id"]} | kept
    return [row for row in rows if row["id"] in chosen]


def _moment(row: Row, scenario: Scenario | None) -> Json:
    return _sibling(row) | {"step": row["step"], "letter": letter(scenario, row["answer"]), "name": row["benchmark"]}


def letter(scenario: Scenario | None, answer: int | None) -> str:
    """Return the letter of the option that was chosen, "" for none."""
    return scenario.letters[answer] if scenario and answer is not None and 0 <= answer < len(scenario.options) else ""


def _end(trace: Trace, scenario: Scenario | None) -> Json:
    states = states_of(trace, scenario)
    return {"id": key_of(trace), **facts_of(trace), "title": heading(trace), "states": states}


def _flips(rows: Sequence[Row]) -> str:
    """Return how the share of right answers went, first step to last."""
    by_step: dict[int, list[bool]] = {}
    for row in rows:
        if row["outcome"] != "unknown":
            by_step.setdefault(row["step"], []).append(row["outcome"] == "right")
    if len(by_step) < 2:
        return ""
    first, last = (by_step[step] for step in (min(by_step), max(by_step)))
    return f"right at first: {sum(first)} of {len(first)}; at last: {sum(last)} of {len(last)}"


def _prompt_charts(rows: Sequence[Row], scenario: Scenario | None) -> list[Json]:
    """Return reward and length of this prompt's completions by step."""
    by_step: dict[int, list[Row]] = {}
    for row in rows:
        by_step.setdefault(row["step"], []).append(row)

    def line(name: str) -> list[list[float]]:
        known = {step: [float(row[name]) for row in same if row[name] is not None] for step, same in by_step.items()}
        return [[step, sum(values) / len(values)] for step, values in sorted(known.items()) if values]

    guess = len(scenario.gold) / len(scenario.options) if scenario and scenario.options else None
    chance = chance_line(None if guess is None else Chance(guess, guess, guess))
    shares = {"percent": True, "range": [0, 1], **chance}
    wanted: tuple[tuple[str, str, str, str, Json, Json], ...] = (  # series, field, title, unit, its look, the chart's
        ("reward", "total", "Reward", "mean of the group", {"tone": "ink"}, {}),
        ("right", "right", "Right answers", "share", {"tone": "right"}, shares),
        ("tokens", "tokens", "Length", "tokens", {"stage": STAGES[0]}, {}),
    )
    return [
        {"key": f"prompt-{name}", "title": title, "unit": unit, **more}
        | {"series": [{"name": name, "points": line(field), "dots": True, **look}]}
        for name, field, title, unit, look, more in wanted
    ]
