"""Sampling on a CPU that is idle and one that others keep busy, with each way for OpenMP's threads to wait.

    python benchmarks/contention.py [--busy 2] [--batch 16] [--new 24] [--rounds 3]

Each way is a process of its own, as the setting is read when torch is loaded; the ways take turns, first with nothing
beside them, then beside `--busy` processes that never rest. Prints tokens a second (medians) and their ratio to
OpenMP's own way. What is set by default is SPIN of `socialr1_lite`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

import socialr1_lite

OURS = "ours (GOMP_SPINCOUNT=" + socialr1_lite.SPIN + ")"
WAYS: dict[str, dict[str, str]] = {
    "OpenMP's own": {"GOMP_SPINCOUNT": "300000"},  # what libgomp takes where nothing is set
    OURS: {"GOMP_SPINCOUNT": socialr1_lite.SPIN},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
}


def work(batch: int, new: int) -> None:
    """Sample once for each line on standard input, and print tokens a second."""
    import torch

    from socialr1_lite.policy import load_policy
    from socialr1_lite.recipe import Model

    policy = load_policy(Model(), trainable=True)
    ids = torch.randint(100, 40_000, (batch, 120))
    for _ in sys.stdin:
        started = time.perf_counter()
        with torch.no_grad():
            policy.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new,
                min_new_tokens=new,
                do_sample=False,
                pad_token_id=policy.tokenizer.pad_token_id,
            )
        print(batch * new / (time.perf_counter() - started), flush=True)


def main() -> None:
    """Let the ways take turns in both situations and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--busy", 2), ("--batch", 16), ("--new", 24), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.batch, args.new)
        return
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, __file__, "--worker", "--batch", str(args.batch), "--new", str(args.new)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    workers = {name: subprocess.Popen(command, env=plain | way, **pipes) for name, way in WAYS.items()}

    def turn(name: str) -> float:
        worker = workers[name]
        print(file=worker.stdin, flush=True)
        return float(worker.stdout.readline())

    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in WAYS:
        turn(name)  # loads the model
    found: dict[str, dict[str, float]] = {}
    for situation, count in (("alone", 0), (f"beside {args.busy}", args.busy)):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
        rounds = [{name: turn(name) for name in WAYS} for _ in range(args.rounds)]
        for one in busy:
            one.kill()
        found[situation] = {name: statistics.median(one[name] for one in rounds) for name in WAYS}
    for worker in workers.values():
        worker.kill()
    print(f"{'':26}" + "".join(f"{situation:>24}" for situation in found))
    for name in WAYS:
        ratios = [(speeds[name], speeds[name] / speeds[next(iter(WAYS))]) for speeds in found.values()]
        cells = [f"{speed:.0f} tok/s, x{ratio:.2f}" for speed, ratio in ratios]
        print(f"{name:26}" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
