"""The held-out checks: the same questions before, during and after training, greedily, and what changed between.

Greedy decoding, one completion a question, tau = 1: a number that does not move with the curriculum or with chance.
Intervals and tests count stories, not questions: twins are right or wrong together. Accuracy hides that the very same
answer to both of a pair is right half the time; twin accuracy counts a story with its twins, right where all of their
questions are. Each process asks its share, by the run's vLLM engine where it has one. Between steps only the first
stories are asked; the best check is chosen by what all of them were asked. What `data.transfer` asks comes with the
checks before and after training, each kind in a row of its own.
"""

from __future__ import annotations

import itertools
import time
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from socialr1_lite.data import story_key
from socialr1_lite.data.told import TRANSFER
from socialr1_lite.errors import RunLogError
from socialr1_lite.policy import Policy
from socialr1_lite.progress import Progress, clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import Sampler, messages, template_settings
from socialr1_lite.rollouts.reward import ScoredCompletion
from socialr1_lite.rollouts.trace import Trace, is_number
from socialr1_lite.runlog import BestAdapter, CheckScore, RunFolder, TraceWriter, write_json
from socialr1_lite.runlog.folder import is_whole
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import clustered_proportion, paired_by_cluster
from socialr1_lite.training import folder, shortage
from socialr1_lite.training.ranks import Ranks
from socialr1_lite.training.shortage import memory_told
from socialr1_lite.training.soundness import refuse_no_reward

ALONE = Ranks(0, 1)
BENCHMARK = "heldout"
SUMMARY = "summary.json"
UNTRAINED, COLD_START = "untrained", "after the cold start"
ON_THE_WAY = "step "  # how the labels of the checks between two steps begin

COLUMNS = {  # of the table of checks
    "held-out questions": "{0.label}",
    "n": "{0.n}",
    "format": "{0.format_rate:.2f}",
    "accuracy": "{0.accuracy:.3f}",
    "95 % interval": "{0.low:.3f}-{0.high:.3f}",
    "both twins": "{0.twins.told}",
    "unreadable": "{0.unreadable:.2f}",
    "cut off": "{0.truncated:.2f}",
    "mean reward": "{0.reward:.3f}",
    "tokens": "{0.tokens:.0f}",
    "seconds": "{0.seconds:.0f}",
}


@dataclass(frozen=True, slots=True)
class Twins:
    """How many families of twins there were, and the share of those with every question right, with its interval."""

    families: int = 0
    right: int = 0
    accuracy: float | None = None  # None without twins
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, right: Sequence[bool], families: Sequence[str]) -> Twins:
        """Count them. families: of each question, "" where no twin of it was asked."""
        every: dict[str, bool] = {}
        for one, family in zip(right, families, strict=True):
            if family:
                every[family] = every.get(family, True) and one
        if not every:
            return cls()
        found = clustered_proportion(list(every.values()), list(every))
        return cls(len(every), sum(every.values()), found.value, found.low, found.high)

    @property
    def told(self) -> str:
        """The share and its interval, "-" without twins."""
        return "-" if self.accuracy is None else f"{self.accuracy:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Check:
    """What one policy did on the held-out questions. Shares in [0, 1]; reward is the mean total at tau = 1."""

    label: str
    step: int  # finished optimizer steps of GRPO
    n: int
    format_rate: float
    accuracy: float
    low: float  # 95 % interval of the accuracy, over stories
    high: float
    unreadable: float
    truncated: float
    reward: float
    tokens: float  # mean completion tokens
    right: tuple[bool, ...]  # a question each, in their order: for paired tests
    seconds: float = 0.0  # what the check took; 0 in files written before it was measured
    stories: tuple[str, ...] = ()  # of each question, equal for twins; () in files written before they were counted
    families: tuple[str, ...] = ()  # of each question, equal for twins, "" without one; () in files of before
    transfer: tuple[Check, ...] = ()  # the same of each row of `data.transfer`, whose name is its label

    def to_row(self) -> dict[str, Any]:
        """Return the check as JSON holds it, the figures of its twins in it."""
        return asdict(self) | {"transfer": [one.to_row() for one in self.transfer], "twins": asdict(self.twins)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Check:
        """Read a row of `to_row`, of any version."""
        lists = {name: tuple(row.get(name, ())) for name in ("right", "stories", "families")}
        kept = {name: value for name, value in row.items() if name != "twins"} | lists
        check = cls(**(kept | {"transfer": tuple(map(cls.from_row, row.get("transfer", ())))}))
        figures = (check.low, check.high, *check.metrics().values())
        whole = is_whole(check.step) and is_whole(check.n) and check.n == len(check.right)
        whole = whole and len(check.families) in (0, check.n)
        if not (whole and isinstance(check.label, str) and all(map(is_number, figures)) and None not in figures):
            raise TypeError("a check of other types than are written")
        return check

    def score(self, places: Sequence[int]) -> CheckScore:
        """Return what the choice of the best adapter goes by: the questions that every check asked, by their places."""
        places = places if self.n > len(places) and self.stories else range(self.n)
        found = clustered_proportion([self.right[i] for i in places], [self.clusters[i] for i in places])
        return CheckScore(self.step, self.label, found.value, found.low, found.high, len(places))

    @property
    def clusters(self) -> tuple[str, ...]:
        """The story of each question; each a story of its own in files written before they were counted."""
        return self.stories or tuple(map(str, range(self.n)))

    def metrics(self) -> dict[str, float]:
        """Return the figures by the names of metrics.jsonl, all of them apart from training's own."""
        names = ("accuracy", "format_rate", "unreadable", "truncated", "reward", "tokens", "seconds")
        found: dict[str, float] = {f"eval/{name}": getattr(self, name) for name in names}
        if self.twins.accuracy is not None:
            found["eval/twin_accuracy"] = self.twins.accuracy
        for row in self.transfer:
            for name in ("accuracy", "twin_accuracy"):
                if (value := row.metrics().get(f"eval/{name}")) is not None:
                    found[f"eval/{TRANSFER}/{row.label}/{name}"] = value
        return found

    @property
    def twins(self) -> Twins:
        """What became of the pairs; of none in files written before they were kept."""
        return Twins.of(self.right, self.families or ("",) * self.n)

    @property
    def asked(self) -> int:
        """How many questions were asked, those of the transfer too."""
        return self.n + sum(row.n for row in self.transfer)


def kept_checks(run: RunFolder) -> dict[str, Check]:
    """Return the checks of summary.json by their labels. Raises RunLogError for a file that nobody here wrote."""
    path = run.path / SUMMARY
    try:
        return {row["label"]: Check.from_row(row) for row in orjson.loads(path.read_bytes())["checks"]}
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        remedy = "put it back, or remove it: the checks in it are then missing from the table"
        raise RunLogError(f"{path} cannot be read; {remedy}") from None


def check_heldout(
    policy: Sampler,
    recipe: Recipe,
    stack: RewardStack,
    scenarios: Sequence[Scenario],
    *,
    label: str,
    step: int,
    traces: TraceWriter | None = None,
    ranks: Ranks = ALONE,
) -> Check | None:
    """Ask every held-out question once, greedily; store the replies as traces of phase eval.

    All processes ask, the main one scores and writes; the others return None.
    """
    started = time.perf_counter()
    prompts = [messages(scenario, recipe) for scenario in scenarios]
    completions = ranks.shared_out(
        prompts,
        lambda share: policy.generate(
            share,
            max_new_tokens=recipe.evaluation.max_new_tokens or recipe.grpo.max_completion_length,
            temperature=0.0,
            batch_size=recipe.evaluation.batch_size,
            template=template_settings(recipe),
        ),
    )
    if not ranks.main:
        return None
    pairs = zip(scenarios, completions, strict=True)
    scored = [stack.score([completion], scenario)[0] for scenario, completion in pairs]
    refuse_no_reward(scored)
    if traces is not None:
        traces.write(
            [
                Trace.of(
                    one,
                    phase="eval",
                    benchmark=f"{BENCHMARK}: {label}" + (f", {kind}" if (kind := _kind(scenarios[place])) else ""),
                    step=step,
                    scenario=scenarios[place].id,
                    group=place,
                    index=0,
                    prompt=prompts[place],
                    sampling={"temperature": 0.0, "top_p": 1.0, "top_k": 0},
                )
                for place, one in enumerate(scored)
            ]
        )
    return replace(summarised(label, step, scored, scenarios), seconds=time.perf_counter() - started)


def _kind(scenario: Scenario) -> str:
    """Return the row of the transfer that asks this, "" for a held-out question."""
    return str(scenario.meta.get(TRANSFER, ""))


def summarised(label: str, step: int, scored: Sequence[ScoredCompletion], scenarios: Sequence[Scenario]) -> Check:
    """Return the figures of one check, those of the transfer apart. scenarios: the question of each completion."""
    kinds = dict.fromkeys(map(_kind, scenarios))
    told = {}
    for kind in kinds:
        places = [i for i, scenario in enumerate(scenarios) if _kind(scenario) == kind]
        some = [scored[i] for i in places], [scenarios[i] for i in places]
        told[kind] = summarise(kind or label, step, *some)
    return replace(told.pop(""), transfer=tuple(told.values()))


def first_stories(scenarios: Sequence[Scenario], count: int) -> list[int]:
    """Return the places of the questions of the first stories, all of each: `count` at most, but one story at least."""
    keys = list(map(story_key, scenarios))
    sizes = list(itertools.accumulate(Counter(keys).values()))  # in the order of their first questions
    kept = set(itertools.islice(Counter(keys), max(1, bisect(sizes, count))))
    return [place for place, key in enumerate(keys) if key in kept]


def summarise(label: str, step: int, scored: Sequence[ScoredCompletion], scenarios: Sequence[Scenario]) -> Check:
    """Return the figures of one check. scenarios: the question of each completion."""
    n = len(scored)
    right = tuple(one.score.outcome == "right" for one in scored)
    first: dict[str, str] = {}  # of each story, the first question's id names it
    stories = tuple(first.setdefault(story_key(scenario), scenario.id) for scenario in scenarios)
    there = {scenario.id for scenario in scenarios}
    families = tuple(min(one.id, *one.twins) if there.intersection(one.twins) else "" for one in scenarios)
    accuracy = clustered_proportion(right, stories)
    return Check(
        label=label,
        step=step,
        n=n,
        format_rate=sum(all(one.reply.checks.values()) for one in scored) / n,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        unreadable=sum(one.score.outcome == "unreadable" for one in scored) / n,
        truncated=sum(one.completion.truncated for one in scored) / n,
        reward=sum(one.score.total for one in scored) / n,
        tokens=sum(one.completion.tokens for one in scored) / n,
        right=right,
        stories=stories,
        families=families,
    )


def table(checks: Sequence[Check]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the before/after table, each check's rows of the transfer below it."""
    rows = [[form.format(one) for form in COLUMNS.values()] for check in checks for one in _in_the_table(check)]
    return list(COLUMNS), rows


def _in_the_table(check: Check) -> list[Check]:
    """Return the check and its rows of the transfer, whose time is part of the check's."""
    seconds = check.seconds / (check.asked or 1)
    rows = [replace(row, label=f"  {row.label}", seconds=seconds * row.n) for row in check.transfer]
    return [replace(check, seconds=check.seconds - sum(row.seconds for row in rows)), *rows]


def compare(before: Check, after: Check) -> str:
    """Say in one sentence how many questions changed between two checks, and what a test by story makes of it."""
    paired = paired_by_cluster(before.right, after.right, after.clusters)
    number = f"{paired.clusters} stor{'y' if paired.clusters == 1 else 'ies'}"
    counts = f"{before.twins.right} before, {after.twins.right} after of {after.twins.families}"
    twins = f"; both twins right: {counts}" if after.twins.families and before.families == after.families else ""
    return (
        f"{after.label} against {before.label}: {paired.only_second} questions newly right, {paired.only_first} newly "
        f"wrong of {paired.n} in {number} (permutation test by story, two-sided p = {paired.p:.2g}){twins}"
    )


def best_sentence(best: CheckScore, scores: Sequence[CheckScore]) -> str:
    """Say in one sentence which check was the best, and what to think of it."""
    rivals = sum(one.step > 0 for one in scores)
    start = max((one.accuracy for one in scores if one.step == 0), default=0.0)
    below = f", below the {start:.3f} before GRPO" if best.accuracy < start else ""
    # Picked for its score on these questions, it scores lower on others; one check among one was not picked.
    picked = " that it was picked by: measure it on others" if rivals > 1 else ""
    return (
        f"best of {rivals} checks: step {best.step}, accuracy {best.accuracy:.3f} ({best.low:.3f}-{best.high:.3f}) on "
        f"{best.n} questions{below}{picked}"
    )


@dataclass
class HeldoutChecks:
    """Makes the checks of one launch, and keeps the adapter of the best. Without scenarios it makes none.

    Those made are kept in summary.json, so that a resumed run does not repeat them. seconds: what this launch's took.
    """

    run: RunFolder
    recipe: Recipe
    stack: RewardStack
    progress: Progress
    asked: Sequence[Scenario]
    ranks: Ranks = ALONE
    seconds: float = field(default=0.0, init=False)

    @cached_property
    def scenarios(self) -> list[Scenario]:
        """The held-out questions without those of the transfer."""
        return [scenario for scenario in self.asked if not _kind(scenario)]

    @cached_property
    def best(self) -> BestAdapter:
        """The adapter of the best check of the evaluations on the way."""
        return BestAdapter(self.run)

    @cached_property
    def few(self) -> list[int]:
        """The places of the questions that are asked on the way too."""
        return first_stories(self.scenarios, self.recipe.evaluation.on_the_way)

    @property
    def first_label(self) -> str:
        """What the check before the first step is called."""
        return COLD_START if self.recipe.warmup.steps else UNTRAINED

    @property
    def last_label(self) -> str:
        """What the check after the last step is called."""
        return f"after GRPO ({self.recipe.grpo.max_steps} steps)"

    @property
    def longest_s(self) -> float:
        """What the next check on the way may take, by the slowest question of this run; 0.0 while none was asked."""
        return len(self.few) * max((check.seconds / check.asked for check in self._made().values()), default=0.0)

    def make(self, policy: Policy, label: str, step: int, traces: TraceWriter) -> Check | None:
        """Ask the questions, unless a check of that label was made already. All processes call this.

        Returns None where none was made, and on all but the main process.
        """
        if self.ranks.broadcast_from_main(lambda: not self.scenarios or label in self._made()):
            return None
        asked = [self.scenarios[i] for i in self.few] if label.startswith(ON_THE_WAY) else self.asked
        self.progress.say(f"held-out check, {label}: {len(asked)} questions")
        with memory_told(self.recipe, self.run, f"in the held-out check, {label}", shortage.CHECK):
            check = check_heldout(
                policy, self.recipe, self.stack, asked, label=label, step=step, traces=traces, ranks=self.ranks
            )
        if check is None:
            return None
        self.seconds += check.seconds
        before = self._made().values()
        if self.recipe.evaluation.every:
            scores = [one.score(self.few) for one in before]
            self.best.update(
                check.score(self.few), scores, lambda path: folder.save_whole(policy, self.run, path, step)
            )
        self._write([*before, check])
        for row in (check, *check.transfer):
            told = f"both twins {row.twins.told}  " if row.twins.families else ""
            kind = f"in {clock(check.seconds)}" if row is check else f"({row.label})"
            self.progress.say(
                f"  format {row.format_rate:.2f}  accuracy {row.accuracy:.3f} ({row.low:.3f}-{row.high:.3f})  "
                f"{told}mean reward {row.reward:.3f}  {kind}"
            )
        return check

    def make_on_the_way(self, policy: Policy, step: int, traces: TraceWriter) -> Check | None:
        """Make the check that is due after this step, if any (`evaluation.every`)."""
        every, last = self.recipe.evaluation.every, self.recipe.grpo.max_steps
        if not every or (step % every and step < last):
            return None
        return self.make(policy, f"{ON_THE_WAY}{step}" if step < last else self.last_label, step, traces)

    def drop_after(self, step: int) -> None:
        """Drop the checks of steps that are about to be trained again: they belong to a policy that is gone."""
        self.best.drop_after(step)
        if checks := self._made().values():
            self._write([check for check in checks if check.step <= step])

    def report(self, elapsed: float) -> None:
        """Print the table, what changed, and the best. elapsed: seconds of this launch."""
        checks = list(self._made().values())
        if not checks:
            return
        scores = [check.score(self.few) for check in checks]
        best = self.best.record(scores)
        ends = [check for check in checks if not check.label.startswith(ON_THE_WAY)]
        self.progress.say()
        self.progress.table(*table([one for one in checks if one in ends or (best and one.step == best.step)]))
        if len(ends) > 1:
            self.progress.say("  " + compare(ends[-2], ends[-1]))
        share = f"{clock(self.seconds)} of the {clock(elapsed)} of this launch ({self.seconds / elapsed:.0%})"
        self.progress.say(f"  held-out checks took {share}")
        if best:
            self.best.drop_others(best)
            self.progress.say(f"  {best_sentence(best, scores)}; its adapter is in {self.best.path(best.step)}")

    def _write(self, checks: Sequence[Check]) -> None:
        write_json(self._summary, {"version": 1, "checks": [check.to_row() for check in checks]})
        self.best.record(check.score(self.few) for check in checks)

    def _made(self) -> dict[str, Check]:
        return kept_checks(self.run)

    @property
    def _summary(self) -> Path:
        return self.run.path / SUMMARY
