"""How fast the run folder writes, indexes and answers.

    python benchmarks/traces.py [--rows N] [--keep DIR]

Rows carry a completion of 2.3 KB (words with Zipf frequencies), all components and parts, 8 completions a
group, 25 groups a step. Times are of one process on this machine; "cold" means that the operating system may
still have to read the file, since caches are not dropped here.
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

from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import COMPONENTS, Score
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, TraceIndex, TraceWriter
from socialr1_lite.runlog.query import PARTS
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES

GROUP, STEP_ROWS, TEXT_BYTES, SCENARIOS = 8, 200, 2300, 2000
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


def traces(count: int, seed: int = 7) -> Iterator[list[Trace]]:
    """Batches of one step each."""
    rng = random.Random(seed)
    texts = completions(rng)
    for start in range(0, count, STEP_ROWS):
        yield [trace(rng, next(texts), number) for number in range(start, min(start + STEP_ROWS, count))]


def trace(rng: random.Random, text: str, number: int) -> Trace:
    """One trace with plausible figures."""
    group, right = number // GROUP, rng.random() < 0.5
    score = Score(
        components={
            "format": float(rng.random() < 0.9),
            "outcome": float(right),
            "structure": rng.random(),
            "content": rng.random(),
            "length": 1.0,
        },
        parts={name: round(rng.random(), 3) for name in PARTS}
        | {"structure.independence": rng.choice([0.5, 1.0, 1.0])},
        weights={"format": 0.2, "outcome": 1.0, "structure": 0.5, "content": 0.5, "length": 0.2},
        mode="gated",
        tau=0.7,
        notes=("coverage 0.75: Goal Clarification is missing",),
        outcome="right" if right else "wrong",
        versions=dict.fromkeys((*COMPONENTS, "judge.rules"), 1),
    )
    return Trace(
        phase="train",
        step=number // STEP_ROWS,
        scenario=f"stories/{group % SCENARIOS}",
        group=group,
        index=number % GROUP,
        prompt=[{"role": "user", "content": "Where will Anna look for the ball?"}],
        completion=Completion(text, rng.randint(60, 400), "length" if rng.random() < 0.05 else "stop"),
        score=score,
        answer=rng.randrange(4),
        stages={stage: rng.choice(["present", "present", "present", "missing"]) for stage in STAGES},
        judges=("rules",),
        advantage=rng.gauss(0, 1),
        sampling={"temperature": 1.0, "top_p": 1.0, "top_k": 0},
    )


def scenarios() -> Iterator[Scenario]:
    """What the rows name."""
    for number in range(SCENARIOS):
        yield Scenario(
            id=f"stories/{number}",
            story="Anna puts the ball into the box.",
            question="Where will Anna look for the ball?",
            options=("box", "bag"),
            gold=(0,),
            dimension=("belief", "knowledge", "desire")[number % 3],
        )


def timed(label: str, act: Callable[[], object], times: int = 1) -> float:
    """Print and return the median of some runs, in seconds."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    median = statistics.median(spent)
    print(f"{label:<52}{median * 1000:>10.1f} ms   max {max(spent) * 1000:.1f}")
    return median


def write(run: RunFolder, count: int) -> None:
    """Write traces batch by batch as training does, and print the time without that of making them up."""
    spent = slowest = 0.0
    with TraceWriter(run) as writer:
        for batch in traces(count):
            start = time.perf_counter()
            writer.write(batch)
            slowest = max(slowest, took := time.perf_counter() - start)
            spent += took
    print(f"{f'write {count:,} rows':<52}{spent * 1000:>10.1f} ms   a step at most {slowest * 1000:.1f}")


def measure(folder: Path, count: int) -> dict[str, float]:
    """All figures over a fresh run in `folder`."""
    run = RunFolder.create(folder / "run")
    run.add_scenarios(scenarios())
    write(run, count)
    size = sum(path.stat().st_size for path in run.traces.iterdir()) / 1e6
    index = TraceIndex(run, cache=folder / "cache")
    found = {"index": timed(f"index {size:.0f} MB from scratch", index.refresh)}
    stored = sum(path.stat().st_size for path in (folder / "cache").iterdir()) / 1e6
    print(f"{'index file':<52}{stored:>10.1f} MB")
    timed("refresh with nothing new", index.refresh, 5)
    again = TraceIndex(run, cache=folder / "cache")
    timed("open an index made before, first page", lambda: (again.refresh(), again.page()))
    again.close()
    return found | ask(index)


def ask(index: TraceIndex) -> dict[str, float]:
    """The questions a viewer asks; each figure is a median of repeated asking."""
    sort = "-advantage"
    found = {"page": timed("page of 50, four conditions, sorted", lambda: index.page(FILTER, sort), 5)}
    timed("page of 50, no filter, by time", index.page, 5)
    timed("filtered and sorted, at offset 20,000", lambda: index.page(FILTER, sort, offset=20_000), 5)
    timed("count of that filter", lambda: index.count(FILTER), 5)
    here = index.page(FILTER, sort, offset=200, limit=1)[0]["id"]
    found["neighbour"] = max(
        timed("next, in that filter and sorting", lambda: index.neighbour(here, FILTER, sort, 1), 5),
        timed("previous, in that filter and sorting", lambda: index.neighbour(here, FILTER, sort, -1), 5),
        timed("next by time", lambda: index.neighbour(here, FILTER, "time", 1), 5),
    )
    timed("position in that filter and sorting", lambda: index.position(here, FILTER, sort), 5)
    timed("get one full trace", lambda: index.get(here), 20)
    timed("facets", lambda: index.figures.facets(FILTER), 5)
    timed("series of the total by step", lambda: index.figures.series("total"), 5)
    timed("series of tokens, quantiles", lambda: index.figures.series("tokens", quantiles=(0.1, 0.5, 0.9)), 3)
    timed("group series", lambda: index.figures.group_series({"phase": "train"}), 3)
    timed("one scenario across training", lambda: index.by_scenario("stories/7"), 5)
    timed("first search (builds the word index)", lambda: index.count({"text": "the nothing"}))
    timed("search and page", lambda: index.page({"text": "tea"}, "-total"), 5)
    return found


def main() -> int:
    """Measure; exit 1 when a target is missed."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--keep", type=Path, help="use this folder and leave it (default: a temporary one)")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(args.keep or Path(scratch), args.rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory of this process':<52}{peak:>10.0f} MB")
    missed = [name for name, seconds in found.items() if seconds > TARGETS_S[name]]
    print(f"targets missed: {', '.join(missed)}" if missed else "all targets met")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
