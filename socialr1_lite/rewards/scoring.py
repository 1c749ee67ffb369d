"""Scoring what was written before: rows of a file, or a run's own completions, by the rules of today.

A run's rows hold the versions of the rules that scored them. Where these are today's, the numbers must come out equal;
where a rule has changed since, only what it has no part in is compared, and the rest is told apart.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple, cast

from socialr1_lite.data import json_lines, read_scenario
from socialr1_lite.errors import DataError
from socialr1_lite.judges import Judge
from socialr1_lite.judges.base import traits_of
from socialr1_lite.rewards.monitors import monitors_of
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion, Finish
from socialr1_lite.rollouts.reward import COMPONENTS, GATES, Score, ScoredCompletion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.runlog.lines import JsonObject
from socialr1_lite.runlog.rejudged import StoredVerdict
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse, stage_states

EQUAL = 1e-9  # totals must be recomputable to this
GROUP_LIMIT = 1024  # rows judged together at most, so that memory stays bounded whatever the input
WORD = re.compile(r"\w+|[^\w\s]")

Count = Callable[[str], int]
OutputRow = JsonObject


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion to score. place: where it stands in the input. name: what the output row begins with.

    group: equal for siblings. logged: the stored trace, for a run's own completion.
    """

    place: str
    scenario: Scenario
    completion: Completion
    tau: float = 1.0
    name: Mapping[str, str | int] = field(default_factory=dict)
    group: tuple[str | int, ...] = ()
    logged: Trace | None = None


class BadRow(NamedTuple):
    """A row that cannot be scored, and why."""

    place: str
    id: str
    error: str


def approximate_tokens(text: str) -> int:
    """Count words and punctuation marks, a stand-in for tokens where no tokenizer was named [ours]."""
    return len(WORD.findall(text))


def file_samples(rows: Iterable[bytes], count: Count = approximate_tokens) -> Iterator[Sample | BadRow]:
    """Read the rows of a JSONL file or stream. count: the length of a completion whose row does not say it."""
    for place, row in json_lines(rows):
        try:
            yield _sample(place, row, count)
        except DataError as error:
            yield BadRow(place, str(row.get("id") or "") if isinstance(row, dict) else "", str(error))


def _sample(place: str, row: JsonObject | str, count: Count) -> Sample:
    scenario = read_scenario(row, default_id=place)
    assert isinstance(row, dict)  # read_scenario refuses everything else
    tau, tokens = row.get("tau"), row.get("tokens")
    if not isinstance(row.get("completion"), str):
        raise DataError(f"completion must be a text, not {row.get('completion')!r}")
    if tokens is not None and (not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0):
        raise DataError(f"tokens must be a whole number of at least 0, not {tokens!r}")
    if tau is not None and (not isinstance(tau, (int, float)) or not 0 <= tau <= 1):
        raise DataError(f"tau must be between 0 and 1, not {tau!r}")
    if row.get("finish") not in (None, "stop", "length"):
        raise DataError(f"finish must be stop or length, not {row['finish']!r}")
    text, finish = row["completion"], cast(Finish, row.get("finish") or "stop")
    completion = Completion(text, count(text) if tokens is None else tokens, finish, bool(row.get("prefilled")))
    group = (scenario.id, scenario.question, scenario.story)
    return Sample(place, scenario, completion, 1.0 if tau is None else float(tau), {"id": scenario.id}, group)


def run_samples(run: RunFolder) -> Iterator[Sample | BadRow]:
    """Read the completions of a run that still count; those that no reward was computed for are left out."""
    scenarios = {scenario.id: scenario for scenario in run.read_scenarios()}
    for trace in read_traces(run):
        if not trace.score.is_scored:
            continue
        name = {key: getattr(trace, key) for key in ("phase", "benchmark", "step", "group", "index")}
        name["segment"] = trace.launch
        place = ", ".join(f"{key} {value}" for key, value in name.items() if value != "")
        if trace.scenario not in scenarios:
            yield BadRow(place, trace.scenario, f"{run.scenarios.name} does not hold this scenario")
            continue
        group = (trace.rank, *(value for key, value in name.items() if key != "index"))
        name = {"id": trace.scenario, **name}
        yield Sample(place, scenarios[trace.scenario], trace.completion, trace.score.tau, name, group, trace)


def score_samples(stack: RewardStack, samples: Iterable[Sample | BadRow]) -> Iterator[OutputRow]:
    """Yield an output row for every sample, in order. Raises JudgeError once a judge failed too often."""
    for siblings in _together(samples):
        if isinstance(siblings, BadRow):
            yield {"id": siblings.id or None, "place": siblings.place, "error": siblings.error}
        else:
            scored = stack.score([one.completion for one in siblings], siblings[0].scenario, tau=siblings[0].tau)
            yield from map(_output, siblings, scored)


def _together(samples: Iterable[Sample | BadRow]) -> Iterator[BadRow | list[Sample]]:
    """Yield what is judged together: neighbours of one group and one tau, at most GROUP_LIMIT of them."""
    key = lambda one: (one.group, one.tau) if isinstance(one, Sample) else one  # noqa: E731
    for _, group in itertools.groupby(samples, key=key):
        while some := list(itertools.islice(group, GROUP_LIMIT)):
            if isinstance(some[0], BadRow):
                yield from (one for one in some if isinstance(one, BadRow))
            else:
                yield [one for one in some if isinstance(one, Sample)]


def _output(sample: Sample, scored: ScoredCompletion) -> OutputRow:
    score, reply = scored.score, scored.reply
    row: OutputRow = {
        **sample.name,
        "place": sample.place,
        "total": score.total,
        "components": dict(score.components),
        "gates": {name: score.components[name] for name in GATES} if score.mode == "gated" else {},
        "parts": dict(score.parts),
        "weights": dict(score.weights),
        "mode": score.mode,
        "tau": score.tau,
        "versions": dict(score.versions),
        "outcome": score.outcome,
        "answer": None if reply.answer is None else sample.scenario.letters[reply.answer],
        "answer_text": reply.answer_text,
        "stages": stage_states(reply, truncated=sample.completion.truncated),
        "tokens": sample.completion.tokens,
        "notes": list(score.notes),
    }
    return row if sample.logged is None else row | _comparison(sample.logged.score, score)


def _comparison(logged: Score, now: Score) -> OutputRow:
    """Compare with the logged score: the totals where all rules are the same, else the components whose rules are."""
    changed = changed_rules(logged, now)
    if not changed:
        return {"logged": logged.total, "differs": abs(now.total - logged.total) > EQUAL}
    same = (_equal(logged.components.get(name), now.components.get(name)) for name in COMPONENTS if name not in changed)
    return {"logged": logged.total, "differs": not all(same), "changed_rules": changed}


def changed_rules(logged: Score, now: Score) -> dict[str, list[int]]:
    """Return the components scored by other rules than before: {name: [version then, version now]}.

    Content is by other rules also where one of its judges is; it carries that judge's versions then.
    """
    changed = {
        name: [logged.version(name), now.version(name)]
        for name in now.components
        if logged.version(name) != now.version(name)
    }
    for name in now.versions:
        known = name in logged.versions or not logged.versions  # rows of before tell no versions: all of them 1
        if name.startswith("judge.") and known and logged.version(name) != now.version(name):
            changed["content"] = [logged.version(name), now.version(name)]
    return changed


def _equal(one: float | None, other: float | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) <= EQUAL


@dataclass(slots=True)
class ScoringReport:
    """What went by: counts of rows, of bad rows, and of what came out as logged. complain: takes a line of text."""

    complain: Callable[[str], object]
    rows: int = 0
    bad: int = 0
    compared: int = 0
    differ: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    monitored: dict[str, list[float | None]] = field(default_factory=dict)

    def watch(self, rows: Iterable[OutputRow]) -> Iterator[OutputRow]:
        """Let rows through, counting them and complaining of bad ones and of the first that differs."""
        for row in rows:
            self.rows += 1
            if "error" in row:
                self.bad += 1
                self.complain(f"{row['place']}: {row['error']}")
            self.changed.update(f"{name} {then} -> {now}" for name, (then, now) in row.get("changed_rules", {}).items())
            for name in monitors_of(row.get("versions", ())):
                self.monitored.setdefault(name, []).append(row["parts"].get(f"content.{name}"))
            self.compared += "differs" in row
            if row.get("differs") and not self.differ:
                numbers = f"logged total {row['logged']:.9f}, now {row['total']:.9f}"
                self.complain(f"{row['place']}: {numbers}; further ones are only counted")
            self.differ += row.get("differs", False)
            yield row

    def summary(self) -> str:
        """Return one line in words."""
        words, equal = f"{self.rows - self.bad} completions scored", f"{self.compared - self.differ} of {self.compared}"
        if self.compared and self.changed:
            rules = ", ".join(f"{name} in {n}" for name, n in sorted(self.changed.items()))
            words += f"; rules changed since they were logged ({rules}), and of what is by the same rules "
            words += f"{equal} rows are equal to the logged ones"
        elif self.compared:
            words += f", {equal} totals equal to the logged ones"
        for name, given in self.monitored.items():
            known = [value for value in given if value is not None]
            mean = f"a mean of {fmean(known):.3f} to {len(known)}" if known else "no score to any"
            words += f"; the monitor {name} gives {mean} of them"
        return words + (f", {self.bad} bad rows" if self.bad else "")

    @property
    def status(self) -> int:
        """The exit status: 2 for bad rows, 1 for what differs by the same rules."""
        return 2 if self.bad else 1 if self.differ else 0


def rejudge(run: RunFolder, judge: Judge) -> Iterator[tuple[Trace, StoredVerdict]]:
    """Ask a judge of every completion of a run that was scored and still counts, siblings together."""
    version = traits_of(judge).version
    for siblings in _together(sample for sample in run_samples(run) if isinstance(sample, Sample)):
        assert not isinstance(siblings, BadRow)
        scenario, completions = siblings[0].scenario, [one.completion for one in siblings]
        replies = [parse(one.text, scenario.options, prefilled=one.prefilled) for one in completions]
        for sample, verdict in zip(siblings, judge.judge(replies, scenario), strict=True):
            assert sample.logged is not None
            yield sample.logged, StoredVerdict(judge.name, version, verdict.scores, verdict.notes, verdict.failed)
