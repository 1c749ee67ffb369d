"""Which prompts are always solved, never, or now and then: right answers by prompt and step, as a heat map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

from socialr1_lite.runlog.index import TraceIndex
from socialr1_lite.viewer.chance import asked
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.pages import key_of_row
from socialr1_lite.viewer.serving import Json, Query

PAGE = 60  # prompts
COLUMNS = 72  # of the map; of more steps several share one
TRAIN: Json = {"phase": "train"}
HALF = 0.5
KINDS = {  # kind -> what it means, in the order of the page; of a prompt that came up more than once
    "never": "no completion was right at any of its steps",
    "always": "every completion was right at all of its steps",
    "flipping": "crossed one half at least twice",
    "lost": "fell below one half, once and for good",
    "learned": "rose to one half or more, once and for good",
    "partly": "stayed on one side of one half",
    "once": "came up at one step only",
}


class Visit(NamedTuple):
    """The completions of one prompt at one step: how many, and how many of them right."""

    step: int
    n: int
    right: int

    @property
    def share(self) -> float:
        """Return the share of right ones."""
        return self.right / self.n


class Prompt(NamedTuple):
    """A scenario with its visits in the order of training, and of which kind that makes it."""

    scenario: str
    kind: str
    visits: list[Visit]

    @property
    def share(self) -> float:
        """Return the share of right completions over the whole run."""
        return sum(one.right for one in self.visits) / sum(one.n for one in self.visits)


def solved(library: Library, query: Query) -> Json:
    """Return a page of the map: prompts of a kind with the share of right answers in each column of steps."""
    run = library.run(query.text("run"))
    kind, page = query.choice("kind", tuple(KINDS)), query.whole("nth", 1, 1, 10**6)
    query.done()
    index, stamp = run.index(), run.stamp()
    prompts = run.remembered("solved", prompts_of)
    wanted = [one for one in prompts if not kind or one.kind == kind]
    page = min(page, max(1, -(-len(wanted) // PAGE)))
    steps = [visit.step for one in prompts for visit in one.visits]
    first, last = min(steps, default=0), max(steps, default=0)
    width = max(1, -(-(last - first + 1) // COLUMNS))
    counts = Counter(one.kind for one in prompts)
    return {
        "stamp": stamp,
        "kinds": [{"name": name, "means": means, "n": counts[name]} for name, means in KINDS.items()],
        "of": len(prompts),
        "matching": len(wanted),
        "page": page,
        "size": PAGE,
        "columns": [[at, min(last, at + width - 1)] for at in range(first, last + 1, width)] if prompts else [],
        "rows": [_row(index, one, first, width) for one in wanted[(page - 1) * PAGE : page * PAGE]],
    }


def prompts_of(index: TraceIndex) -> list[Prompt]:
    """Return every prompt of training, by kind, the least solved first; what failed and what is unknown is left out."""
    found = []
    conditions = TRAIN | {"outcome": ["right", "wrong", "unreadable"]}
    counted = index.figures.tally(("scenario", "step", "right"), conditions)
    for scenario, rows in groupby(counted, key=itemgetter(0)):
        visits = [_visit(step, list(some)) for step, some in groupby(rows, key=itemgetter(1))]
        found.append(Prompt(scenario, kind_of([visit.share for visit in visits]), visits))
    order = list(KINDS)
    return sorted(found, key=lambda one: (order.index(one.kind), one.share, one.scenario))


def _visit(step: int, rows: Sequence[Sequence[int]]) -> Visit:
    return Visit(step, sum(n for *_, n in rows), sum(n for *_, right, n in rows if right))


def kind_of(shares: Sequence[float]) -> str:
    """Return the kind of a prompt. shares: of right answers, at each step at which it came up, in order."""
    if len(shares) < 2:
        return "once"
    if max(shares) == 0:
        return "never"
    if min(shares) == 1:
        return "always"
    above = [share >= HALF for share in shares]
    crossed = sum(one != other for one, other in pairwise(above))
    return "partly" if not crossed else "flipping" if crossed > 1 else "learned" if above[-1] else "lost"


def _row(index: TraceIndex, prompt: Prompt, first: int, width: int) -> Json:
    scenario = index.scenario(prompt.scenario)
    known = asked(index.run).get(prompt.scenario)
    opened = index.by_scenario(prompt.scenario, TRAIN)
    return {
        "scenario": prompt.scenario,
        "trace": key_of_row(opened[-1]) if opened else None,
        "question": scenario.question if scenario else "",
        "parts": list(known.kinds.values()) if known else [],
        "kind": prompt.kind,
        "share": prompt.share,
        "cells": list(_cells(prompt.visits, first, width)),
    }


def _cells(visits: Sequence[Visit], first: int, width: int) -> Iterable[list[int]]:
    """Yield [column, right, completions] for the columns in which the prompt came up."""
    for column, some in groupby(visits, key=lambda visit: (visit.step - first) // width):
        together = list(some)
        yield [column, sum(one.right for one in together), sum(one.n for one in together)]
