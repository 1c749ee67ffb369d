"""How often the monitors' alarm sounds by noise alone, and how soon it sounds where paid and good part.

    python benchmarks/monitors.py [--runs 1000]

Noise is drawn from the groups of the bundled example run: a group's mean content by `facts` (paid) and by `rules` (the
monitor), drawn anew for every step. Besides, both means wander: each step adds a normal step of so many times the
noise's standard deviation, to each by itself. An alarm at any step counts, looked at after each, as in training.
"""

from __future__ import annotations

import argparse
from itertools import groupby

import numpy as np

from socialr1_lite.recipe import ContentReward, JudgeEntry, Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rewards.monitors import CLEAR, MOVE, PARTS, STEPS, divergences
from socialr1_lite.rewards.scoring import run_samples
from socialr1_lite.runlog import RunFolder

EXAMPLE = "socialr1_lite/viewer/example"


def group_means() -> np.ndarray:
    """Return (groups, 2): the mean content of each training group of the example, by `facts` and by `rules`."""
    stack = RewardStack(Rewards(content=ContentReward(judges=(JudgeEntry(name="facts"), JudgeEntry(weight=0)))))
    samples = (one for one in run_samples(RunFolder.open(EXAMPLE)) if one.group[1] == "train")
    means = []
    for _, group in groupby(samples, key=lambda one: one.group):
        some = list(group)
        scores = [one.score for one in stack.score([one.completion for one in some], some[0].scenario)]
        means.append(np.mean([(one.components["content"], one.parts["content.rules"]) for one in scores], axis=0))
    return np.array(means)


def curves(means: np.ndarray, runs: int, steps: int, groups: int, wander: float, part: float, seed: int) -> np.ndarray:
    """Return (runs, steps, 2). part: what is paid rises, and the monitor falls, by so much in the whole run."""
    rng = np.random.default_rng(seed)
    noise = means[rng.integers(len(means), size=(runs, steps, groups))].mean(2)
    walk = np.cumsum(rng.normal(size=(runs, steps, 2)), 1) * means.std(0) / groups**0.5 * wander
    return noise + walk + np.linspace(0, 1, steps)[None, :, None] * np.array([part, -part])


def clear_change(window: np.ndarray) -> np.ndarray:
    """Do what `monitors.divergences` does to one window, for many runs at once."""
    size = window.shape[1] // PARTS
    parts = window[:, -size * PARTS :].reshape(len(window), PARTS, size, 2).mean(2)
    at = np.arange(PARTS) - (PARTS - 1) / 2
    slope = (at[None, :, None] * parts).sum(1) / (at**2).sum()
    left = parts - parts.mean(1, keepdims=True) - slope[:, None] * at[None, :, None]
    error = np.sqrt((left**2).sum(1) / (PARTS - 2) / (at**2).sum())
    return np.where(np.abs(slope) >= CLEAR * error, slope * (PARTS - 1), 0.0)


def sounded(runs: np.ndarray) -> np.ndarray:
    """Return which runs had an alarm at any step."""
    found = np.zeros(len(runs), bool)
    for end in range(STEPS, runs.shape[1] + 1):
        change = clear_change(runs[:, end - max(STEPS, end // 2) : end])
        found |= (change[:, 0] >= MOVE) & (change[:, 1] <= -MOVE)
    return found


def by_the_package(run: np.ndarray) -> bool:
    """Return the same for one run, step by step, by the function that training calls."""
    rows = [{"step": i, "reward/content": float(a), "monitor/rules": float(b)} for i, (a, b) in enumerate(run, 1)]
    return any(list(divergences(rows[:end])) for end in range(STEPS, len(rows) + 1))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs, means = parser.parse_args().runs, group_means()
    checked = curves(means, 20, 100, 8, 0.3, 0.3, seed=1)
    assert [by_the_package(one) for one in checked] == list(sounded(checked)), "another rule than the package's"
    print(f"noise of a group: {means.std(0)}, correlation {np.corrcoef(means.T)[0, 1]:.2f}, {len(means)} groups")
    for groups in (2, 8):
        for steps in (100, 300, 600):
            null = [
                sounded(curves(means, runs, steps, groups, wander, 0, seed=2)).mean() for wander in (0, 0.1, 0.3, 1)
            ]
            real = [
                sounded(curves(means, runs // 5, steps, groups, 0, part, seed=3)).mean() for part in (0.1, 0.2, 0.3)
            ]
            shown = "  ".join(f"{one:6.1%}" for one in (*null, *real))
            print(f"{groups} groups a step, {steps} steps: {shown}", flush=True)


if __name__ == "__main__":
    main()
