"""What one run of one arm came to: a small JSON of numbers by question, and some replies in a file of their own.

    ARM_SEED.json            settings, machine, and what came of each question before GRPO and after it; no texts
    ARM_SEED.replies.jsonl   60 replies to be labelled by readers who must not know the arm: rows as in judges/corpus

Every arm is measured by the same rules, those of the full reward, whatever it was paid for itself.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import orjson

from socialr1_lite.errors import DataError, RunLogError
from socialr1_lite.judges.base import traits_of
from socialr1_lite.judges.facts import FactsJudge
from socialr1_lite.policy import describe_machine
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.reward import COMPONENTS, ScoredCompletion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces, write_atomic
from socialr1_lite.runlog.checkpoints import WEIGHTS, sha256
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES
from socialr1_lite.training.folder import cold_start_folder
from socialr1_lite.training.heldout import BENCHMARK
from socialr1_lite.training.heldout_figures import Check, Twins, kept_checks

FULL = "full"
ARMS = (FULL, "outcome_only", "no_structure", "no_content", "no_length")
VERSION = 1
TRUE = 0.75  # `facts` from here on: nearer to a reader's 1 (does its job) than to 0.5 (partly) [ours]
REPLIES = 60
UNLABELLED = "unlabelled"
TRAINED = ("step", "tokens", "paid", *COMPONENTS)  # means of a step's completions
ANSWERS = ("right", "readable", "tokens", "stages")

Row = dict[str, Any]  # as JSON holds it; `Result.from_row` checks it


class Answers(NamedTuple):
    """What came of each question at one check: 1 for yes. stages: the score by `facts` of each of STAGES, in [0, 1]."""

    right: Sequence[int]
    readable: Sequence[int]
    tokens: Sequence[int]
    stages: Sequence[Sequence[float]]

    def true(self, stage: int) -> list[bool]:
        """Return of each question whether this stage of its reply is true."""
        return [scores[stage] >= TRUE for scores in self.stages]


@dataclass(frozen=True, slots=True)
class Result:
    """One arm, trained from one seed. kinds, stories, families: of each question.

    settings: digest of all that decides the training but the seed; common: of that without the rewards, which all arms
    share. cold_start: digest of its weights, "" without one. questions: digest of their names. kinds: the row of the
    transfer, "" for a held-out question. stories: a number, equal for the questions of one story and its twin.
    families: a number, equal for twins, -1 without one.
    curve: (step, accuracy, twin accuracy or None) on the questions that every check asked. trained: TRAINED -> a number
    for each step.
    """

    arm: str
    seed: int
    settings: str
    common: str
    cold_start: str
    steps: int
    facts: int
    machine: Mapping[str, Any]
    questions: str
    kinds: Sequence[str]
    stories: Sequence[int]
    families: Sequence[int]
    before: Answers
    after: Answers
    curve: Sequence[Sequence[float | None]]
    trained: Mapping[str, Sequence[float]]
    version: int = VERSION

    def to_row(self) -> Row:
        """Return the result as JSON holds it."""
        checks = {name: getattr(self, name)._asdict() for name in ("before", "after")}
        return asdict(self) | checks

    @classmethod
    def from_row(cls, row: Row) -> Result:
        """Read a row of `to_row`. Raises ValueError for what is none."""
        if row.get("version") != VERSION:
            raise ValueError(f"version {row.get('version')!r}; this code reads {VERSION}")
        checks = {name: Answers(**{part: row[name][part] for part in ANSWERS}) for name in ("before", "after")}
        result = cls(**(row | checks))
        columns = [result.stories, result.families, *result.before, *result.after]
        if result.arm not in ARMS or not result.kinds or any(len(one) != len(result.kinds) for one in columns):
            raise ValueError("its arm is none, or its columns are of other lengths")
        if any(len(scores) != len(STAGES) for one in (result.before, result.after) for scores in one.stages):
            raise ValueError(f"a question has {len(STAGES)} stages")
        return result


def result_file(folder: Path, arm: str, seed: int) -> Path:
    """Return where the numbers of a run lie; its replies lie beside it."""
    return folder / f"{arm}_{seed}.json"


def replies_file(result: Path) -> Path:
    """Return where the replies lie that were drawn for labelling."""
    return result.with_suffix(".replies.jsonl")


def read_result(path: Path) -> Result:
    """Read one file. Raises DataError naming it for what is none."""
    try:
        return Result.from_row(orjson.loads(path.read_bytes()))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: no result of an arm ({error}); put it back, or make it again") from None


def settings_digest(recipe: Recipe, *, rewards: bool = True) -> str:
    """Return a digest of what decides the training but the seed. Without the rewards it is the same in all arms."""
    told = recipe.decisive
    run = told["run"]
    assert isinstance(run, dict)
    kept = {name: value for name, value in told.items() if rewards or name != "rewards"}
    kept["run"] = {name: value for name, value in run.items() if name != "seed"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def cold_start_digest(run: RunFolder) -> str:
    """Return a digest of the weights that GRPO began with; "" where the run has no cold start."""
    files = sorted(path for path in cold_start_folder(run).glob("*") if path.suffix in WEIGHTS)
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest() if files else ""


# ---------------------------------------------------------------------------------------- from a run folder


class Run(NamedTuple):
    """A finished run as it is read here. stack: of the full reward, judged by `facts` alone."""

    folder: RunFolder
    stack: RewardStack
    scenarios: Mapping[str, Scenario]

    @classmethod
    def of(cls, folder: RunFolder, full: Recipe) -> Run:
        """Read its scenarios. full: the recipe of the full reward."""
        stack = RewardStack(full.rewards, judge=FactsJudge())
        return cls(folder, stack, {one.id: one for one in folder.read_scenarios()})

    def scored(self, trace: Trace) -> ScoredCompletion:
        """Return a completion as the full reward scores it."""
        return self.stack.score([trace.completion], self.scenarios[trace.scenario])[0]


def result_of(folder: RunFolder, arm: str, recipe: Recipe, full: Recipe) -> tuple[Result, list[Row]]:
    """Return the numbers of a finished run, and the rows of the replies to label.

    Raises RunLogError where its completions are not those that its checks counted.
    """
    run, checks = Run.of(folder, full), kept_checks(folder)
    ends = {name: _at(checks, step, folder) for name, step in (("before", 0), ("after", recipe.grpo.max_steps))}
    last = ends["after"]
    traces = {name: list(_traces(folder, check)) for name, check in ends.items()}
    rows = [last, *last.transfer]
    result = Result(
        arm=arm,
        seed=recipe.run.seed,
        settings=settings_digest(recipe),
        common=settings_digest(recipe, rewards=False),
        cold_start=cold_start_digest(folder),
        steps=recipe.grpo.max_steps,
        facts=traits_of(FactsJudge()).version,
        machine=_machine(),
        questions=hashlib.sha256("\n".join(trace.scenario for trace in traces["after"]).encode()).hexdigest(),
        kinds=[kind for row in rows for kind in ["" if row is last else row.label] * row.n],
        stories=_numbered(story for row in rows for story in row.clusters),
        families=_numbered(family for row in rows for family in row.families or [""] * row.n),
        curve=_curve(ends.values(), checks.values(), recipe.evaluation.every),
        trained=_trained(run),
        before=_answers(run, traces["before"]),
        after=_answers(run, traces["after"]),
    )
    return result, _replies(run, result, traces["after"][: last.n])


def _numbered(names: Iterable[str]) -> list[int]:
    """Return a number for each name, equal for equal ones; -1 for ""."""
    known: dict[str, int] = {}
    return [known.setdefault(name, len(known)) if name else -1 for name in names]


def _at(checks: Mapping[str, Check], step: int, folder: RunFolder) -> Check:
    """Return the last check of this step: of step 0 that after the cold start."""
    found = [check for check in checks.values() if check.step == step]
    if not found:
        raise RunLogError(f"{folder.path} has no held-out check at step {step}: evaluation.items must be above 0")
    return found[-1]


def _traces(folder: RunFolder, check: Check) -> Iterable[Trace]:
    """Yield the completions of a check in the order of its questions, those of the transfer behind."""
    kept: dict[str, dict[int, Trace]] = {}
    for trace in read_traces(folder):
        if trace.phase == "eval":  # of a check that was killed before it was counted, the later one's
            kept.setdefault(trace.benchmark, {})[trace.group] = trace
    for row in (check, *check.transfer):
        name = f"{BENCHMARK}: {check.label}" + (f", {row.label}" if row is not check else "")
        told = [trace for _, trace in sorted(kept.get(name, {}).items())]
        if [trace.score.outcome == "right" for trace in told] != list(row.right):
            raise RunLogError(f"{folder.path}: traces/ does not hold what summary.json counted ({name})")
        yield from told


def _answers(run: Run, traces: Sequence[Trace]) -> Answers:
    scores = [run.scored(trace).score for trace in traces]
    return Answers(
        right=[int(score.outcome == "right") for score in scores],
        readable=[int(score.outcome != "unreadable") for score in scores],
        tokens=[trace.completion.tokens for trace in traces],
        stages=[[round(score.parts.get(f"content.{stage}") or 0.0, 3) for stage in STAGES] for score in scores],
    )


def _curve(ends: Iterable[Check], checks: Iterable[Check], every: int) -> list[list[float | None]]:
    """Return (step, accuracy, twin accuracy) before, after and on the way, on the stories that all of these asked.

    A check that was made because a launch stopped is none of them: another arm did not stop there.
    """
    first, last = ends
    way = [one for one in checks if every and 0 < one.step < last.step and one.step % every == 0]
    shown = [first, *sorted(way, key=lambda check: check.step), last]
    common = set[str].intersection(*(set(check.clusters) for check in shown))
    found: list[list[float | None]] = []
    for check in shown:
        places = [place for place, story in enumerate(check.clusters) if story in common]
        right = [check.right[place] for place in places]
        families = [check.families[place] for place in places] if check.families else [""] * len(places)
        found.append([check.step, fmean(right), Twins.of(right, families).accuracy])
    return found


def _trained(run: Run) -> dict[str, list[float]]:
    """Return the means of each step's completions, by the full reward's rules; paid: what the arm paid."""
    told: dict[str, list[float]] = {name: [] for name in TRAINED}
    traces = sorted((one for one in read_traces(run.folder) if one.phase == "train"), key=lambda one: one.step)
    for step, some in groupby(traces, key=lambda one: one.step):
        together = list(some)
        scores = [run.scored(trace).score for trace in together]
        means = {name: [score.components[name] for score in scores] for name in COMPONENTS}
        means |= {"tokens": [one.completion.tokens for one in together], "paid": [one.total for one in together]}
        told["step"].append(step + 1)
        for name, values in means.items():
            told[name].append(round(fmean(value or 0.0 for value in values), 4))
    return told


def _replies(run: Run, result: Result, traces: Sequence[Trace]) -> list[Row]:
    """Draw what is to be labelled: the same questions in every arm of a seed, under names that tell no arm."""
    drawn = random.Random(f"replies {result.seed}").sample(list(traces), min(REPLIES, len(traces)))
    rows = []
    for trace in drawn:
        name = hashlib.sha256(f"{result.arm} {result.seed} {trace.scenario}".encode()).hexdigest()[:12]
        rows.append(
            {
                "id": name,
                "by": "",  # nobody yet: labels may be missing
                "split": "test",
                "kind": UNLABELLED,
                "marked": True,
                "scenario": run.scenarios[trace.scenario].to_row(),
                "completion": ("<think>\n" if trace.completion.prefilled else "") + trace.completion.text,
                "labels": {},
            }
        )
    return rows


def _machine() -> dict[str, Any]:
    """Return what it ran on: the processor in its own words, and what `environment.json` says."""
    words = [line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return {"processor": words[0] if words else "", **describe_machine()}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def write_result(path: Path, result: Result, replies: Sequence[Row]) -> None:
    """Write both files, the numbers last: where they are, all is there."""
    write_atomic(replies_file(path), b"".join(orjson.dumps(row) + b"\n" for row in replies))
    rows = {name: orjson.dumps(value).decode() for name, value in result.to_row().items()}
    write_atomic(path, "{\n" + ",\n".join(f' "{name}": {value}' for name, value in rows.items()) + "\n}\n")
