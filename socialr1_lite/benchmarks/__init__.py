"""The benchmarks: one file each, one table.

    from socialr1_lite.benchmarks import BENCHMARKS
    loaded = BENCHMARKS["hi-tom"].load(Path("data"))

Adding one is a file with a `BENCHMARK` and a line here.
"""

from __future__ import annotations

from socialr1_lite.benchmarks import (
    emobench,
    fantom,
    hitom,
    motivebench,
    simpletom,
    socialiqa,
    sotopia,
    stories,
    tactfultom,
    tombench,
    tombench_hard,
)
from socialr1_lite.benchmarks.base import Benchmark

__all__ = ["BENCHMARKS", "Benchmark"]

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        tombench,
        tombench_hard,
        socialiqa,
        simpletom,
        emobench,
        motivebench,
        hitom,
        tactfultom,
        fantom,
        sotopia,
        stories,
    )
}
