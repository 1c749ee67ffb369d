"""The benchmarks: one file each, one table.

    from socialr1_lite.benchmarks import BENCHMARKS
    loaded = BENCHMARKS["hi-tom"].load(Path("data"))

Adding one is a file with a `BENCHMARK` and a line here.
"""

from __future__ import annotations

from importlib import import_module

from socialr1_lite.benchmarks.base import Benchmark

__all__ = ["BENCHMARKS", "Benchmark"]

MODULES = (
    "tombench",
    "tombench_hard",
    "socialiqa",
    "simpletom",
    "emobench",
    "motivebench",
    "hitom",
    "tactfultom",
    "fantom",
    "sotopia",
    "stories",
)
_TABLE: tuple[Benchmark, ...] = tuple(import_module(f"{__name__}.{module}").BENCHMARK for module in MODULES)
BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _TABLE}
