"""How fast stories are made and judged: CPU seconds per 10,000 scenarios of each dimension, on one core.

    python benchmarks/stories.py [--n 2000] [--json]

The mixed row is the claim that the documentation makes (10,000 scenarios in under 10 s). CPU time is reported beside
wall time, so that a busy machine shows as such.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.sip import parse
from socialr1_lite.stories import DIMENSIONS, generate, gold_reply

PER = 10_000


def generation(n: int, dimensions: Sequence[str]) -> dict[str, float | str]:
    """Seconds per 10,000 scenarios at the orders a recipe uses by default."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in generate(n, seed=1, dimensions=dimensions, orders=(0, 1, 2)))
    return {
        "what": "generate " + "+".join(dimensions),
        "wall": (time.perf_counter() - wall) * PER / count,
        "cpu": (time.process_time() - cpu) * PER / count,
    }


def judging(n: int) -> dict[str, float | str]:
    """Seconds per 10,000 verdicts of the facts judge, eight replies a scenario as in GRPO."""
    judge, scenarios = FactsJudge(), list(generate(n, seed=1))
    groups = [[parse(gold_reply(s, seed=seed), s.options) for seed in range(8)] for s in scenarios]
    wall, cpu = time.perf_counter(), time.process_time()
    for scenario, group in zip(scenarios, groups, strict=True):
        judge.judge(group, scenario)
    count = 8 * len(scenarios)
    return {
        "what": "facts judge, verdicts",
        "wall": (time.perf_counter() - wall) * PER / count,
        "cpu": (time.process_time() - cpu) * PER / count,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2000, help="scenarios a row (default 2000)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [generation(given.n, [name]) for name in DIMENSIONS]
    rows += [generation(given.n, list(DIMENSIONS)), judging(max(10, given.n // 10))]
    if given.json:
        print(json.dumps({"per": PER, "n": given.n, "rows": rows}, indent=2))
        return
    for row in rows:
        print(f"{row['what']:<90}{row['wall']:>8.1f} s wall{row['cpu']:>8.1f} s CPU   per {PER:,}")


if __name__ == "__main__":
    main()
