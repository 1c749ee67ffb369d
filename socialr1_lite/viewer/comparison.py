"""Two runs, or two moments of runs, paired by prompt: what was fixed, what was broken, and both replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from math import erfc, isnan, sqrt
from typing import NamedTuple

from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.sip import STAGES
from socialr1_lite.statistics import Paired, mean_by_cluster, paired_by_cluster
from socialr1_lite.viewer.chance import SPLITS, Asked, asked, chance_of, most_chosen
from socialr1_lite.viewer.library import Library, OpenRun
from socialr1_lite.viewer.pages import key_of, letter, scene
from socialr1_lite.viewer.serving import BadRequest, Json, Query
from socialr1_lite.viewer.stage import facts_of, heading, read_reply, states_of
from socialr1_lite.viewer.words import percent, same_words, word_diff

Parts = list[tuple[str, str]]

PAGE = 50
ALIKE = 0.25  # share of words in common from which a word diff says more than the two texts
MOST_ROWS = 120_000  # completions a side
MOST_EXACT = 1000  # stories that differ: more, and the exact test would take long
KINDS = ("win", "loss", "flip", "both_wrong", "both_right")
LAST, FIRST = "last", "first"
NOTHING_COMMON = (
    "These two answered no prompt in common. Choose other completions above: evaluations of one benchmark always "
    "have the same prompts."
)


class Sampled(NamedTuple):
    """What a side is made of: one completion, by its scalar fields. gid: its group."""

    scenario: str
    gid: int
    outcome: str
    total: float
    answer: int | None
    id: int
    step: int


class Side(NamedTuple):
    """What one side says to one prompt: share of right answers, mean reward, a completion that stands for it."""

    share: float
    outcome: str
    total: float
    answer: int | None
    id: int
    step: int
    n: int


def compare(library: Library, query: Query) -> Json:
    """Return the pairs of a comparison, counted and listed, and one of them in two panes."""
    names = [query.text("run"), query.text("with")]
    moments = [query.text("at"), query.text("with_at")]  # "" where nobody chose
    kind, pair, page = query.choice("kind", KINDS), query.text("pair"), query.whole("nth", 1, 1, 10**6)
    query.done()
    found = library.runs()
    data: Json = {"runs": [{"key": run.key, "label": run.label} for run in found]}
    if not found:
        nothing = {"run": "", "at": "", "moments": [["", "–"]], "note": ""}
        return data | {"notice": "There is no run yet.", "left": nothing, "right": nothing}
    left = library.run(names[0]) if names[0] else found[0]
    right = library.run(names[1]) if names[1] else next((run for run in found if run is not left), left)
    default = _first_and_last(left) if left is right else [LAST, LAST]
    moments = [moment or usual for moment, usual in zip(moments, default, strict=True)]
    sides = [
        run.remembered(f"sides {moment}", partial(_sides, moment=moment))
        for run, moment in zip((left, right), moments, strict=True)
    ]
    data |= {
        name: _head(run, moment, side)
        for name, run, moment, side in zip(("left", "right"), (left, right), moments, sides, strict=True)
    }
    common = [scenario for scenario in sides[0] if scenario in sides[1]]
    if not common:
        return data | {"notice": NOTHING_COMMON}
    kinds = {scenario: _kind(sides[0][scenario], sides[1][scenario]) for scenario in common}
    known = {**asked(right.folder), **asked(left.folder)}
    listed = _sorted([s for s in common if not kind or kind in kinds[s]], sides)
    shown = listed[(page - 1) * PAGE : page * PAGE]
    opened = pair if pair in kinds else ""
    return data | {
        "counts": {"all": len(common)} | {name: sum(name in found for found in kinds.values()) for name in KINDS},
        "tiles": _tiles(common, sides, known),
        "splits": _splits(common, sides, known),
        "pairs": [_pair(scenario, left.index(), [side[scenario] for side in sides]) for scenario in shown],
        "matching": len(listed),
        "page": page,
        "size": PAGE,
        "open": opened,
        "detail": _detail(opened, (left, right), [side[opened] for side in sides]) if opened else None,
    }


def _first_and_last(run: OpenRun) -> list[str]:
    """Choose within one run: its first evaluation with its last, else the first and the last time of each prompt."""
    found = _evaluations(run.index())
    return [found[0][0], found[-1][0]] if len(found) > 1 else [FIRST, LAST]


def _evaluations(index: TraceIndex) -> list[list[str]]:
    """Return every evaluation as [choice, words], in the order of training."""
    found = [
        (point["step"], index.page({"phase": "eval", "benchmark": name, "step": point["step"]}, limit=1)[0]["id"], name)
        for name in index.figures.facets({"phase": "eval"})["benchmark"]
        for point in index.figures.counts("outcome", {"phase": "eval", "benchmark": name})
    ]
    return [[f"eval {name} {step}", f"{name or 'evaluation'}, at step {step}"] for step, _, name in sorted(found)]


def _where(moment: str) -> Json:
    """Return which completions a moment means. "eval BENCHMARK STEP" is what `_head` offers."""
    if moment in (LAST, FIRST):
        return {"phase": "train"}
    word, _, rest = moment.partition(" ")
    benchmark, _, step = rest.rpartition(" ")
    if word != "eval" or not step.isdecimal():
        raise BadRequest(f"{moment[:60]!r} is no choice of completions")
    return {"phase": "eval", "benchmark": benchmark, "step": int(step)}


def _sides(index: TraceIndex, moment: str) -> dict[str, Side]:
    """Read each prompt's group at that moment: the first or the last one in which it came up."""
    groups: dict[str, list[Sampled]] = {}
    for reply in map(Sampled._make, index.figures.columns(Sampled._fields, _where(moment), limit=MOST_ROWS)):
        known = groups.setdefault(reply.scenario, [])
        if known and known[0].gid != reply.gid:
            if moment == FIRST:
                continue
            known.clear()
        known.append(reply)
    return {scenario: _side(replies) for scenario, replies in groups.items()}


def _side(replies: Sequence[Sampled]) -> Side:
    outcome = Counter(reply.outcome for reply in replies).most_common(1)[0][0]
    typical = next(reply for reply in replies if reply.outcome == outcome)
    share = sum(reply.outcome == "right" for reply in replies) / len(replies)
    mean = sum(reply.total for reply in replies) / len(replies)
    return Side(share, outcome, mean, typical.answer, typical.id, typical.step, len(replies))


def _kind(left: Side, right: Side) -> set[str]:
    before, after = left.outcome == "right", right.outcome == "right"
    return {"both_right" if before else "both_wrong"} if before == after else {"win" if after else "loss", "flip"}


def _sorted(scenarios: Sequence[str], sides: Sequence[Mapping[str, Side]]) -> list[str]:
    """Sort those that changed most to the front."""
    return sorted(
        scenarios,
        key=lambda s: (-abs(sides[1][s].share - sides[0][s].share), -abs(sides[1][s].total - sides[0][s].total), s),
    )


def _head(run: OpenRun, moment: str, side: Mapping[str, Side]) -> Json:
    moments = [
        [LAST, "training: the last time each prompt came up"],
        [FIRST, "training: the first time each prompt came up"],
        *_evaluations(run.index()),
    ]
    note = f"{len(side)} prompts, {sum(one.n for one in side.values())} completions"
    return {"run": run.key, "at": moment, "moments": moments, "note": note}


def _tiles(common: Sequence[str], sides: Sequence[Mapping[str, Side]], known: Mapping[str, Asked]) -> list[Json]:
    shares = [sum(side[s].share for s in common) / len(common) for side in sides]
    totals = [sum(side[s].total for s in common) / len(common) for side in sides]
    before, after = ([side[s].outcome == "right" for s in common] for side in sides)
    stories = [known[s].story if s in known else s for s in common]
    paired = by_story(before, after, stories)
    chance = chance_of(((one, 1) for one in common), known)
    best = [most_chosen([side[s].answer for s in common]) for side in sides]
    guess = "" if chance is None else f"; {chance.words}"
    p = "p < 0.001" if paired.p < 0.001 else f"p = {paired.p:.3f}"
    tiles = [
        {"label": "Prompts in common", "value": str(len(common)), "note": f"of {paired.clusters} stories"},
        {
            "label": "Right answers",
            "value": f"{percent(shares[1], 1)}",
            "note": f"{percent(shares[0], 1)} on the left{guess}",
        },
        {"label": "Mean reward", "value": f"{totals[1]:.2f}", "note": f"{totals[0]:.2f} on the left"},
        {"label": "Fixed", "value": str(paired.only_second), "note": "wrong on the left, right on the right"},
        {"label": "Broken", "value": str(paired.only_first), "note": f"tested by story: {p}"},
    ]
    if best[1] is not None:
        left = f"; {best[0][0]} {percent(best[0][1])} on the left" if best[0] is not None else ""
        gold = [known[s].gold for s in common if s in known]
        place = ord(best[1][0]) - ord("A")
        told = f"right for {percent(sum(place in one for one in gold) / len(gold))}" if gold else "gold unknown"
        value = f"{best[1][0]} {percent(best[1][1])}"
        tiles.append({"label": "Letter given most", "value": value, "note": told + left})
    return tiles


def _splits(common: Sequence[str], sides: Sequence[Mapping[str, Side]], known: Mapping[str, Asked]) -> list[Json]:
    """Return by how much the right side answers more often right than the left, over all and by each kind of prompt.

    Each in [-1, 1], with its interval over stories; a split of one kind alone says nothing beside the whole.
    """
    rises = [(s, known[s].story if s in known else s, sides[1][s].share - sides[0][s].share) for s in common]
    found = [{"name": "", "rows": [_rise("all", [(story, rise) for _, story, rise in rises])]}]
    for split in SPLITS:
        kinds: dict[str, list[tuple[str, float]]] = {}
        for scenario, story, rise in rises:
            if kind := known[scenario].kinds.get(split) if scenario in known else None:
                kinds.setdefault(kind, []).append((story, rise))
        if len(kinds) > 1:
            found.append({"name": split, "rows": [_rise(kind, kinds[kind]) for kind in sorted(kinds)]})
    return found


def _rise(name: str, rises: Sequence[tuple[str, float]]) -> Json:
    """Return the mean rise of some prompts with its interval; no interval where all stories rose alike."""
    stories: dict[str, tuple[float, int]] = {}
    for story, rise in rises:
        total, n = stories.get(story, (0.0, 0))
        stories[story] = total + rise, n + 1
    value, *ends = mean_by_cluster(stories.values())
    low, high = (None if isnan(end) else max(-1.0, min(1.0, end)) for end in ends)
    return {"name": name, "value": value, "low": low, "high": high, "n": len(rises)}


def by_story(first: Sequence[bool], second: Sequence[bool], stories: Sequence[str]) -> Paired:
    """Test whether two sides differ, questions of one story together; the normal approximation where there are many."""
    differences: dict[str, int] = {}
    for one, other, story in zip(first, second, stories, strict=True):
        differences[story] = differences.get(story, 0) + other - one
    if sum(map(bool, differences.values())) <= MOST_EXACT:
        return paired_by_cluster(first, second, stories)
    spread = sqrt(sum(one * one for one in differences.values()))
    p = erfc(abs(sum(differences.values())) / spread / sqrt(2))
    lost, won = (sum(a and not b for a, b in zip(*two, strict=True)) for two in ((first, second), (second, first)))
    return Paired(len(first), lost, won, p, len(differences))


def _pair(scenario: str, index: TraceIndex, sides: Sequence[Side]) -> Json:
    asked = index.scenario(scenario)
    return {"scenario": scenario, "question": asked.question if asked else ""} | {
        name: {"outcome": side.outcome, "total": side.total, "letter": letter(asked, side.answer)}
        for name, side in zip(("left", "right"), sides, strict=True)
    }


def _two_sides(one: str, two: str) -> tuple[Parts, Parts]:
    """Return what each side says: (" ", text) in common, ("-" or "+", text) its own.

    Texts that have too little in common are left unmarked: a diff of them would mark everything and say nothing.
    """
    if same_words(one, two) < ALIKE:
        return [(" ", one)], [(" ", two)]
    diff = word_diff(one, two)
    return [part for part in diff if part[0] != "+"], [part for part in diff if part[0] != "-"]


def _detail(scenario: str, runs: Sequence[OpenRun], sides: Sequence[Side]) -> Json:
    """Return both replies, each stage with what the other does not say marked."""
    asked = runs[0].index().scenario(scenario)
    traces = [run.index().get(side.id) for run, side in zip(runs, sides, strict=True)]
    replies = [read_reply(trace, asked) for trace in traces]
    stages = [_two_sides(*(reply.stage_text(stage) for reply in replies)) for stage in STAGES]
    panes = [
        {
            "id": key_of(trace),
            **facts_of(trace),
            "title": heading(trace),
            "answer": reply.answer_text[:300],
            "states": states_of(trace, asked, reply),
            "diff": [both[place] for both in stages],
        }
        for place, (trace, reply) in enumerate(zip(traces, replies, strict=True))
    ]
    return scene(asked) | {"left": panes[0], "right": panes[1]}
