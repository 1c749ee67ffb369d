"""The filter and the sorting of the address bar, read as those of the trace index.

A facet's value is one value, several as a|b (any of them), or !a|b (none of them); "|", "!" and "%" inside a value are
written %7C, %21 and %25. Flags and the states of different stages hold together; two states of one stage are
alternatives. NAME_min and NAME_max are the ends of a range.
"""

from __future__ import annotations

from urllib.parse import unquote

from socialr1_lite.rollouts.reward import COMPONENTS
from socialr1_lite.runlog.query import NAMED, SEARCHED, Condition, Filter, both
from socialr1_lite.sip import STAGES
from socialr1_lite.viewer.serving import BadRequest, Json, Query

MOST_VALUES = 40  # of one facet
HIGHLY_PAID = 0.6  # of the most that a wrong answer can earn [ours]: what counts as paid although it is wrong
LESS_THAN_WRONG = 0.999  # of the same: a right answer that earned less than a wrong one could have

STATES = ("present", "missing", "empty", "out of order", "repeated", "cut off")
FACETS = ("phase", "benchmark", "outcome", "dimension", "scenario", "truncated", "flat")
YES_NO = ("truncated", "flat")
FLAGS: dict[str, tuple[str, Condition]] = {  # name -> field, condition
    "paid_yet_wrong": ("paid_wrong", {"min": HIGHLY_PAID}),
    "right_yet_unpaid": ("paid_right", {"max": LESS_THAN_WRONG}),
    "early_answer": ("early", True),
    "bad_format": ("reward.format", 0),
    "not_judged": ("reward.content", None),
    "repeats_itself": ("length.repetition", {"min": 0.2}),
    "stage_left_out": ("structure.coverage", {"max": 0.76}),
    "out_of_order": ("structure.order", {"max": 0.999}),
}
RANGES = {  # name in the address -> field
    "reward": "total",
    "advantage": "advantage",
    "tokens": "tokens",
    "process": "process",
    "answer": "answer",
    **{name: f"reward.{name}" for name in COMPONENTS if name != "outcome"},
    "outcome_value": "reward.outcome",
}
WHOLE = ("tokens", "answer")
SORTS: dict[str, str] = {
    "step": "time",
    **{name: f"reward.{name}" for name in COMPONENTS},
    "outcome_value": "reward.outcome",
    **{name: name for name in ("group", "outcome", "total", "advantage", "tokens", "process", "paid_wrong", *NAMED)},
}


def where(query: Query) -> Filter:
    """Read the filter. Raises BadRequest for a value that is none."""
    conditions: Filter = {}
    for name in FACETS:
        if found := _chosen(query, name):
            values, negated = found
            if name in YES_NO and not {*values} <= {"0", "1"}:
                raise BadRequest(f"{name} must be 0 or 1")
            wanted: list[Condition] = [value == "1" for value in values] if name in YES_NO else [*values]
            conditions = both(conditions, {name: _any_of(wanted, negated)})
    if found := _chosen(query, "flag"):
        for flag in found[0]:
            if flag not in FLAGS:
                raise BadRequest(f"flag must be of {', '.join(FLAGS)}")
            name, condition = FLAGS[flag]
            conditions = both(conditions, {name: {"not": condition} if found[1] else condition})
    conditions = both(both(both(conditions, _stages(query)), _ranges(query)), steps(query))
    if text := query.text("q", limit=400).strip():
        conditions = {**conditions, "text": text}
    if (scope := query.choice("in", SEARCHED)) and text:
        conditions = {**conditions, "text_in": scope}
    if query.choice("superseded", ("1", "only")) == "1":
        conditions = {**conditions, "superseded": None}
    return conditions


def _chosen(query: Query, name: str) -> tuple[list[str], bool] | None:
    """Return a facet's values, and whether they are ruled out; None where nothing was chosen."""
    text = query.text(name)
    if not text:
        return None
    values = [unquote(one) for one in text.removeprefix("!").split("|")]
    if len(values) > MOST_VALUES or "" in values:
        raise BadRequest(
            f"{name} must be at most {MOST_VALUES} values with | between them, ! in front for none of them"
        )
    return values, text.startswith("!")


def _any_of(values: list[Condition], negated: bool) -> Condition:
    condition: Condition = values[0] if len(values) == 1 else values
    return {"not": condition} if negated else condition


def _stages(query: Query) -> Json:
    """Read the states of stages: those of one stage are alternatives, those of several hold together."""
    found = _chosen(query, "stage_state")
    by_stage: dict[str, list[Condition]] = {}
    for one in found[0] if found else ():
        stage, _, state = one.partition(":")
        if stage not in STAGES or state not in STATES:
            raise BadRequest(f"stage_state must be a stage and a state, as {STAGES[0]}:{STATES[1]}")
        by_stage.setdefault(f"stage.{stage}", []).append(state)
    return {name: _any_of(states, found is not None and found[1]) for name, states in by_stage.items()}


def _ranges(query: Query) -> Json:
    found = {}
    for name, field in RANGES.items():
        ends: list[float | int | None] = []
        for end in ("min", "max"):
            value = query.decimal(f"{name}_{end}")
            ends.append(value if value is None or name not in WHOLE else round(value))
        if ends != [None, None]:
            found[field] = {"min": ends[0], "max": ends[1]}
    return found


def steps(query: Query) -> Json:
    """Read a range of steps."""
    low, high = query.whole("from", -1, -1, 10**9), query.whole("to", -1, -1, 10**9)
    ends = {"min": low if low >= 0 else None, "max": high if high >= 0 else None}
    return {"step": ends} if low >= 0 or high >= 0 else {}


def sorting(query: Query) -> str:
    """Read the sorting of the address bar as one of the index."""
    sort = query.text("sort", limit=40) or "step"
    name = SORTS.get(sort.removeprefix("-"))
    if name is None:
        raise BadRequest(f"sort must be one of {', '.join(SORTS)}, with - in front for the largest first")
    return f"-{name}" if sort.startswith("-") else name
