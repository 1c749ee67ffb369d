"""How fast the run folder writes, indexes and answers: python benchmarks/traces.py [--rows 200000] [--keep DIR]

Rows carry a completion of 2.3 KB (words with Zipf frequencies), all components and parts, 8 completions a group,
25 groups a step. Times are of one process on this machine; "cold" means that the operating system may still have to
read the file, since caches are not dropped here.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from socialr1_lite.runlog import RunFolder, TraceIndex, TraceWriter
from socialr1_lite.runlog.query import PARTS
from socialr1_lite.scenario import Scenario

GROUP, STEP_ROWS, TEXT_BYTES = 8, 200, 2300
FILTER = {"phase": "train", "outcome": ["wrong"], "tokens": {"min": 150}, "early": False}
TARGETS_S = {"index": 6.0, "page": 0.2, "neighbour": 0.1}


def completions(rng: random.Random) -> Iterator[str]:
    """Endless texts of about TEXT_BYTES."""
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(5000)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    pool = " ".join(rng.choices(words, cum_weights=weights, k=400_000))
    while True:
        start = rng.randrange(len(pool) - TEXT_BYTES)
        yield pool[start : start + TEXT_BYTES]


def rows(count: int, seed: int = 7) -> Iterator[list[dict[str, Any]]]:
    """Batches of one step each."""
    rng = random.Random(seed)
    texts = completions(rng)
    prompt = [{"role": "user", "content": "Where will Anna look for the ball?"}]
    weights = {"format": 0.2, "outcome": 1.0, "structure": 0.5, "content": 0.5, "length": 0.2}
    for step in range(-(-count // STEP_ROWS)):
        yield [row(rng, next(texts), step, number, prompt, weights) for number in range(min(STEP_ROWS, count - step * STEP_ROWS))]


def row(rng: random.Random, text: str, step: int, number: int, prompt: Any, weights: Any) -> dict[str, Any]:
    """One trace row with plausible figures."""
    group = step * (STEP_ROWS // GROUP) + number // GROUP
    right = float(rng.random() < 0.5)
    components = {"format": float(rng.random() < 0.9), "outcome": right, "structure": rng.random(), "content": rng.random(), "length": 1.0}
    return {
        "phase": "train", "step": step, "scenario": f"stories/{group % 2000}", "group": group, "index": number % GROUP,
        "prompt": prompt, "completion": text, "prefilled": False, "tokens": rng.randint(60, 400),
        "finish": "length" if rng.random() < 0.05 else "stop", "components": components,
        "parts": {name: round(rng.random(), 3) for name in PARTS} | {"structure.independence": rng.choice([0.5, 1.0, 1.0])},
        "weights": weights, "mode": "gated", "tau": 0.7, "advantage": rng.gauss(0, 1),
        "outcome": "right" if right else "wrong", "answer": rng.randrange(4), "notes": ["structure: 4 of 4 stages"],
        "judge": {"name": "rules"}, "sampling": {"temperature": 1.0, "top_p": 1.0, "top_k": 0},
    }  # fmt: skip


def timed(label: str, act: Callable[[], Any], times: int = 1) -> float:
    """Print and return the median of some runs, in seconds."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    median = statistics.median(spent)
    print(f"{label:<52}{median * 1000:>10.1f} ms   max {max(spent) * 1000:.1f}")
    return median


def write(run: RunFolder, batches: list[list[dict[str, Any]]]) -> None:
    """Write every batch as training does."""
    with TraceWriter(run) as writer:
        for batch in batches:
            writer.write(batch)


def measure(folder: Path, count: int) -> dict[str, float]:
    """All figures over a fresh run in `folder`."""
    run = RunFolder.create(folder / "run")
    run.add_scenarios(
        Scenario(id=f"stories/{n}", story="Anna has a ball.", question="Where?", options=("box", "bag"), gold=(0,), dimension="belief" if n % 2 else "knowledge")
        for n in range(2000)
    )  # fmt: skip
    batches = list(rows(count))
    timed(f"write {count:,} rows", lambda: write(run, batches))
    size = sum(path.stat().st_size for path in run.traces.iterdir())
    del batches
    index = TraceIndex(run, cache=folder / "cache")
    found = {"index": timed(f"index {size / 1e6:.0f} MB from scratch", index.refresh)}
    print(f"{'index file':<52}{index._path.stat().st_size / 1e6:>10.1f} MB")
    timed("refresh with nothing new", index.refresh, 5)
    again = TraceIndex(run, cache=folder / "cache")
    timed("open an index made before, first page", lambda: (again.refresh(), again.page()))
    timed("page of 50, no filter, first", index.page, 5)
    found["page"] = timed("page of 50, four conditions, sorted by advantage", lambda: index.page(FILTER, "-advantage"), 5)
    timed("the same at offset 20,000", lambda: index.page(FILTER, "-advantage", offset=20_000), 5)
    timed("count of that filter", lambda: index.count(FILTER), 5)
    here = index.page(FILTER, "-advantage", offset=1000, limit=1)[0]["id"]
    found["neighbour"] = max(
        timed("next, in that filter and sorting", lambda: index.neighbour(here, FILTER, "-advantage", 1), 5),
        timed("previous, in that filter and sorting", lambda: index.neighbour(here, FILTER, "-advantage", -1), 5),
        timed("next by time", lambda: index.neighbour(here, FILTER, "time", 1), 5),
    )
    timed("position in that filter and sorting", lambda: index.position(here, FILTER, "-advantage"), 5)
    timed("get one full row", lambda: index.get(here), 20)
    timed("facets", lambda: index.facets(FILTER), 5)
    timed("series of the total by step", lambda: index.series("total"), 5)
    timed("series of tokens with three quantiles", lambda: index.series("tokens", quantiles=(0.1, 0.5, 0.9)), 3)
    timed("group series", lambda: index.group_series({"phase": "train"}), 3)
    timed("one scenario across training", lambda: index.by_scenario("stories/7"), 5)
    timed("first search (builds the word index)", lambda: index.count({"text": "the nothing"}))
    timed("search and page", lambda: index.page({"text": "tea"}, "-total"), 5)
    return found


def main() -> int:
    """Measure; exit 1 when a target is missed."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--keep", type=Path, help="use this folder and leave it (default: a temporary one)")
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(told.keep or Path(scratch), told.rows)
    print(f"{'peak memory of this process':<52}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>10.0f} MB")
    missed = [name for name, seconds in found.items() if seconds > TARGETS_S[name]]
    print(f"targets missed: {', '.join(missed)}" if missed else "all targets met")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
