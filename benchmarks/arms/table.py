"""The table over all results: each arm before GRPO and after it, and against the full reward, by story.

Shares are of all seeds together. Intervals and tests count stories: what all seeds answered to the questions of one
story, and of its twin, is one unit. They say how sure a difference is on other stories, of these trainings; how far it
depends on the seed, the differences by seed beside them say.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations
from operator import eq
from pathlib import Path
from typing import NamedTuple

from arms.results import ARMS, FULL, Answers, Result, read_result, replies_file
from socialr1_lite.errors import DataError
from socialr1_lite.judges.agreement import kappa
from socialr1_lite.judges.corpus import LabelledReply, read_labels
from socialr1_lite.runlog import write_atomic
from socialr1_lite.sip import STAGES, TITLES
from socialr1_lite.statistics import Interval, clustered_proportion, holm, paired_by_cluster

Key = tuple[object, ...]  # of one thing that is counted, the same in every arm
Counted = dict[Key, tuple[bool, str]]  # whether it is right, and its story
Results = dict[str, list[Result]]  # arm -> by seed
GAIN, RIVAL = ("gain by seed", "p of it"), ("against full", "by seed", "p of it", "Holm")
HEAD = ("measure", "arm", "seeds", "before", "after GRPO", *GAIN, *RIVAL)


class Measure(NamedTuple):
    """What is counted. of: a result and one of its two checks -> what there is to count."""

    name: str
    of: Callable[[Result, Answers], Counted]


def read_results(folder: Path) -> Results:
    """Read all of a folder. Raises DataError where they do not belong together."""
    found = [read_result(path) for path in sorted(folder.glob("*_*.json"))]
    if not found:
        raise DataError(f"{folder} holds no ARM_SEED.json: python benchmarks/ablation.py full --seed 42 writes one")
    results = {arm: sorted((one for one in found if one.arm == arm), key=lambda one: one.seed) for arm in ARMS}
    first = found[0]
    for one in found:
        for name in ("common", "questions", "kinds", "stories", "families", "facts"):
            if getattr(one, name) != getattr(first, name):
                raise DataError(f"{folder}: {_name(one)} and {_name(first)} differ in {name}: no table of both")
    for arm, some in results.items():
        if len({one.settings for one in some}) > 1:
            raise DataError(f"{folder}: the results of {arm} are of different settings")
    for seed in {one.seed for one in found}:
        if len({one.cold_start for one in found if one.seed == seed}) > 1:
            raise DataError(f"{folder}: the arms of seed {seed} began with different cold starts")
    return {arm: some for arm, some in results.items() if some}


def _name(one: Result) -> str:
    return f"{one.arm}_{one.seed}"


# ---------------------------------------------------------------------------------------- what is counted


def _questions(kind: Callable[[str], bool]) -> Callable[[Result, Answers], Counted]:
    def of(result: Result, answers: Answers) -> Counted:
        told = enumerate(zip(answers.right, result.stories, result.kinds, strict=True))
        return {(place,): (bool(right), str(story)) for place, (right, story, row) in told if kind(row)}

    return of


def _twins(kind: Callable[[str], bool]) -> Callable[[Result, Answers], Counted]:
    def of(result: Result, answers: Answers) -> Counted:
        found: Counted = {}
        for right, story, row, family in zip(answers.right, result.stories, result.kinds, result.families, strict=True):
            if kind(row) and family >= 0:
                found[family,] = (found.get((family,), (True, ""))[0] and bool(right), str(story))
        return found

    return of


def _stages(stages: Iterable[int]) -> Callable[[Result, Answers], Counted]:
    def of(result: Result, answers: Answers) -> Counted:
        return {
            (place, stage): (true, str(result.stories[place]))
            for stage in stages
            for place, true in enumerate(answers.true(stage))
            if not result.kinds[place]
        }

    return of


def _readable(result: Result, answers: Answers) -> Counted:
    told = enumerate(zip(answers.readable, result.stories, result.kinds, strict=True))
    return {(place,): (bool(readable), str(story)) for place, (readable, story, row) in told if not row}


def measures(kinds: Iterable[str]) -> list[Measure]:
    """Return what is counted. kinds: the rows of the transfer, and ""."""
    rows = [row for row in dict.fromkeys(kinds) if row]
    found = [
        Measure("accuracy", _questions(lambda row: not row)),
        Measure("both twins right", _twins(lambda row: not row)),
        Measure("readable", _readable),
        Measure("stages true (facts)", _stages(range(len(STAGES)))),
        *(Measure(f"- {TITLES[stage]}", _stages([place])) for place, stage in enumerate(STAGES)),
    ]
    if rows:
        found += [Measure("transfer: accuracy", _questions(bool)), Measure("transfer: both twins", _twins(bool))]
        found += [Measure(f"- {row}", _questions(partial(eq, row))) for row in rows]
    return found


# ---------------------------------------------------------------------------------------- the table


def lines(results: Results, folder: Path) -> Iterator[str]:
    """Yield the table as Markdown, what it is of, and what readers said of the replies where they did."""
    first = next(iter(results.values()))[0]
    machines = {str(one.machine.get("processor")) for some in results.values() for one in some}
    seeds = sorted({one.seed for some in results.values() for one in some})
    held = first.kinds.count("")
    yield (
        f"{first.steps} GRPO steps, seeds {', '.join(map(str, seeds))}, {held} held-out questions, "
        f"{len(first.kinds) - held} of the transfer, facts {first.facts}; {', '.join(sorted(machines))}"
    )
    yield from _notes(results, seeds)
    yield ""
    yield from _row(HEAD)
    yield from _row("---" for _ in HEAD)
    for measure in measures(first.kinds):
        if measure.of(first, first.after):
            yield from _of_measure(measure, results)
    yield from _labelled(results, folder)


def _notes(results: Results, seeds: Sequence[int]) -> Iterator[str]:
    """Yield what a reader of the table has to know: what is missing, and where arms did not begin alike."""
    known = {(arm, one.seed): one for arm, some in results.items() for one in some}
    if missing := [f"{arm}_{seed}" for arm in ARMS for seed in seeds if (arm, seed) not in known]:
        yield f"Not there yet: {', '.join(missing)}."
    for seed in seeds:
        first, *others = [one.before.right for (_, of), one in known.items() if of == seed]
        changed = [sum(a != b for a, b in zip(first, other, strict=True)) for other in others]
        if any(changed):
            yield f"Seed {seed}: up to {max(changed)} answers before GRPO differ between arms: another machine?"


def _row(cells: Iterable[str]) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


def _of_measure(measure: Measure, results: Results) -> Iterator[str]:
    """Yield a line for each arm; the p against full also after Holm, over the arms that are compared with it."""
    compared = {arm: _against(measure, results[FULL], some) for arm, some in _rivals(results)}
    held = dict(zip(compared, holm([one.p for one in compared.values()]), strict=True))
    for arm, some in results.items():
        before, after = (_pooled(measure, some, name) for name in ("before", "after"))
        gain = compared_by_story(before, after)
        cells = [measure.name, arm, str(len(some)), _cell(before), _cell(after), _by_seed(gain), f"{gain.p:.2g}"]
        if arm in compared:
            other = compared[arm]
            cells += [f"{other.difference:+.3f}", _by_seed(other), f"{other.p:.2g}", f"{held[arm]:.2g}"]
        else:
            cells += ["-"] * len(RIVAL)
        yield from _row(cells)


def _rivals(results: Results) -> Iterator[tuple[str, list[Result]]]:
    """Yield the arms that share a seed with the full reward, with the results of these seeds."""
    seeds = {one.seed for one in results.get(FULL, ())}
    for arm, some in results.items():
        if arm != FULL and (shared := [one for one in some if one.seed in seeds]):
            yield arm, shared


class Compared(NamedTuple):
    """Two sets of the same things. difference: second minus first; by_seed: the same for each seed."""

    difference: float
    by_seed: list[float]
    p: float


def _against(measure: Measure, full: Sequence[Result], some: Sequence[Result]) -> Compared:
    seeds = {one.seed for one in some}
    return compared_by_story(
        _pooled(measure, [one for one in full if one.seed in seeds], "after"), _pooled(measure, some, "after")
    )


def _pooled(measure: Measure, some: Iterable[Result], check: str) -> Counted:
    """Return what is counted over all seeds; the seed stands in front of the key."""
    return {
        (result.seed, *key): value
        for result in some
        for key, value in measure.of(result, getattr(result, check)).items()
    }


def compared_by_story(first: Counted, second: Counted) -> Compared:
    """Compare what two arms, or two checks, made of the same things. A two-sided permutation test by story."""
    if first.keys() != second.keys():
        raise DataError("two results were not asked the same questions")
    keys = list(first)
    one, two = [[bool(side[key][0]) for key in keys] for side in (first, second)]
    found = paired_by_cluster(one, two, [first[key][1] for key in keys])
    by_seed: dict[object, list[int]] = defaultdict(list)
    for key, a, b in zip(keys, one, two, strict=True):
        by_seed[key[0]].append(b - a)
    seeds = [sum(part) / len(part) for part in by_seed.values()]
    return Compared((sum(two) - sum(one)) / len(keys), seeds, found.p)


def share(counted: Counted) -> Interval:
    """Return the share that is right, with its 95 % interval by story."""
    values = list(counted.values())
    return clustered_proportion([float(right) for right, _ in values], [story for _, story in values])


def _cell(counted: Counted) -> str:
    found = share(counted)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _by_seed(compared: Compared) -> str:
    return " ".join(f"{one:+.3f}" for one in compared.by_seed)


# ---------------------------------------------------------------------------------------- what readers said


def _replies(results: Results, folder: Path) -> dict[str, tuple[Result, LabelledReply]]:
    """Return the replies that were drawn, by the names that tell no arm."""
    found: dict[str, tuple[Result, LabelledReply]] = {}
    for result in (one for some in results.values() for one in some):
        path = replies_file(folder / f"{_name(result)}.json")
        found |= {reply.id: (result, reply) for reply in read_labels(path)} if path.is_file() else {}
    return found


def blind_rows(results: Results, folder: Path, file: Path, each: int, *, seed: int = 0) -> int:
    """Write replies of all arms into one file, shuffled; return how many. A file that is there is refused.

    each: replies of an arm, evenly over its seeds; of a seed they answer the same questions in every arm.
    """
    if file.exists():
        raise DataError(f"{file} is there already: it may hold labels")
    rows = []
    for some in results.values():
        for place, one in enumerate(some):
            path = replies_file(folder / f"{_name(one)}.json")
            lines = path.read_bytes().splitlines() if path.is_file() else []
            rows += lines[: each // len(some) + (place < each % len(some))]
    random.Random(seed).shuffle(rows)
    write_atomic(file, b"".join(row + b"\n" for row in rows))
    return len(rows)


def _labelled(results: Results, folder: Path) -> Iterator[str]:
    """Yield what each reader of labels/ found true, by arm, and how far two readers agree."""
    files = sorted((folder / "labels").glob("*.jsonl"))
    if not files:
        return
    drawn = _replies(results, folder)
    said: dict[str, dict[tuple[str, str], float]] = {}
    for path in files:
        known = [reply for reply in read_labels(path) if reply.labels]
        if foreign := [reply.id for reply in known if reply.id not in drawn]:
            raise DataError(f"{path}: {foreign[0]} is no reply of {folder}")
        said[path.stem] = {(reply.id, stage): label for reply in known for stage, label in reply.labels.items()}
    yield ""
    head = ("reader", "arm", "stages", "does its job")
    yield from _row(head)
    yield from _row("---" for _ in head)
    for reader, labels in said.items():
        for arm in results:
            mine = {key: label for key, label in labels.items() if drawn[key[0]][0].arm == arm}
            if mine:
                counted: Counted = {
                    key: (label == 1, drawn[key[0]][1].scenario.group or drawn[key[0]][1].scenario.id)
                    for key, label in mine.items()
                }
                yield from _row((reader, arm, str(len(mine)), _cell(counted)))
    for one, two in combinations(said, 2):
        both = [(label, said[two][key]) for key, label in said[one].items() if key in said[two]]
        if both:
            yield f"{one} and {two}: kappa {kappa(both):.2f} on {len(both)} stages"
