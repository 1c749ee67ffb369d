"""Score completions that any model wrote: python -m socialr1_lite.score IN -o OUT [--recipe R] [--judge rules].

IN is a JSONL file, `-` for standard input, or a run folder. One row a completion:

    id, story, question, options, gold        as in training files (socialr1_lite.data); facts for the `facts` judge
    completion    the generated text
    prefilled     true when the prompt had already opened the think block (default false)
    tokens        its length in tokens; without it and without --tokenizer, words and punctuation marks are counted,
                  which is an approximation [ours]
    finish        "length" when the token limit cut it off, else "stop"
    tau           the curriculum's weight of the process rewards (default 1, as in evaluation)

Rows of the same scenario that follow each other are one group: where a judge fails for one of them, its score
is left out for all. OUT has a row for each row of IN: components, parts, gates, weights, mode, tau, total,
outcome, answer, stages, notes; a row that cannot be scored becomes {id, place, error}, is reported, and the
exit status is 2.

For a run folder the run's own recipe scores its own completions, each at its own tau, and the totals are
compared with the logged ones; the exit status is 1 where one differs.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from socialr1_lite import runlog, sip
from socialr1_lite.data import json_lines, read_scenario
from socialr1_lite.errors import DataError, PolicyError, RunLogError, command
from socialr1_lite.recipe import JudgeEntry, Rewards, load_recipe
from socialr1_lite.rewards.stack import RewardStack, Score
from socialr1_lite.runlog import lines
from socialr1_lite.scenario import Scenario

EQUAL = 1e-9  # REWARDS.md: totals must be recomputable to this
GROUP_LIMIT = 1024  # rows judged together at most, so that memory stays bounded whatever the input
WORD = re.compile(r"\w+|[^\w\s]")

Count = Callable[[str], int]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion to score. place: where it stands in the input. name: what the output row begins with."""

    place: str
    scenario: Scenario
    completion: str
    prefilled: bool = False
    tokens: int | None = None
    truncated: bool = False
    tau: float = 1.0
    name: Mapping[str, Any] = field(default_factory=dict)
    group: object = None
    logged: float | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be scored, and why."""

    place: str
    id: str
    error: str


def approximate_tokens(text: str) -> int:
    """Words and punctuation marks, a stand-in for tokens where no tokenizer was named [ours]."""
    return len(WORD.findall(text))


def file_samples(rows: Iterable[bytes]) -> Iterator[Sample | Bad]:
    """The rows of a JSONL file or stream."""
    for place, row in json_lines(rows):
        try:
            yield _sample(place, row)
        except DataError as wrong:
            yield Bad(place, str(row.get("id") or "") if isinstance(row, dict) else "", str(wrong))


def _sample(place: str, row: Row | str) -> Sample:
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
    return Sample(
        place=place,
        scenario=scenario,
        completion=row["completion"],
        prefilled=bool(row.get("prefilled")),
        tokens=tokens,
        truncated=row.get("finish") == "length",
        tau=1.0 if tau is None else float(tau),
        name={"id": scenario.id},
        group=(scenario.id, scenario.question, scenario.story),
    )


def run_samples(run: runlog.RunFolder) -> Iterator[Sample | Bad]:
    """The completions of a run that still count; those that no reward was computed for are left out."""
    scenarios = {scenario.id: scenario for scenario in run.read_scenarios()}
    for row in runlog.read_traces(run):
        name = {key: row[key] for key in ("phase", "benchmark", "step", "group", "index", "segment")}
        place = ", ".join(f"{key} {value}" for key, value in name.items() if value != "")
        if not any(value is not None for value in row["components"].values()):
            continue
        if row["scenario"] not in scenarios:
            yield Bad(place, row["scenario"], f"{run.scenarios.name} does not hold this scenario")
            continue
        yield Sample(
            place=place,
            scenario=scenarios[row["scenario"]],
            completion=row["completion"],
            prefilled=row["prefilled"],
            tokens=row["tokens"],
            truncated=row["finish"] == "length",
            tau=row["tau"],
            name={"id": row["scenario"], **name},
            group=(row["rank"], *(name[key] for key in name if key != "index")),
            logged=runlog.row_total(row),
        )


def score_samples(stack: RewardStack, samples: Iterable[Sample | Bad], count: Count) -> Iterator[Row]:
    """An output row for every sample, in order. Raises JudgeError once a judge failed too often."""
    for _, together in itertools.groupby(samples, key=lambda one: one.group if isinstance(one, Sample) else one):
        while some := list(itertools.islice(together, GROUP_LIMIT)):
            yield from _score_group(stack, some, count)


def _score_group(stack: RewardStack, some: Sequence[Sample | Bad], count: Count) -> Iterator[Row]:
    samples = [one for one in some if isinstance(one, Sample)]
    for bad in some:
        if isinstance(bad, Bad):
            yield {"id": bad.id or None, "place": bad.place, "error": bad.error}
    for tau, part in itertools.groupby(samples, key=lambda one: one.tau):  # siblings share it, in a run
        yield from _score_siblings(stack, list(part), tau, count)


def _score_siblings(stack: RewardStack, samples: Sequence[Sample], tau: float, count: Count) -> Iterator[Row]:
    scenario = samples[0].scenario
    replies = [sip.parse(one.completion, scenario.options, prefilled=one.prefilled) for one in samples]
    tokens = [count(one.completion) if one.tokens is None else one.tokens for one in samples]
    truncated = [one.truncated for one in samples]
    scores = stack.score_group(replies, scenario, tokens=tokens, tau=tau, truncated=truncated)
    for sample, reply, score, length in zip(samples, replies, scores, tokens, strict=True):
        yield _output(sample, reply, score, length)


def _output(sample: Sample, reply: sip.Reply, score: Score, tokens: int) -> Row:
    gates = {name: score.components[name] for name in ("format", "length")} if score.mode == "gated" else {}
    row: Row = {
        **sample.name,
        "place": sample.place,
        "total": score.total,
        "components": dict(score.components),
        "gates": gates,
        "parts": dict(score.parts),
        "weights": dict(score.weights),
        "mode": score.mode,
        "tau": score.tau,
        "outcome": score.outcome,
        "answer": None if reply.answer is None else sample.scenario.letters[reply.answer],
        "answer_text": reply.answer_text,
        "stages": sip.stage_states(reply, truncated=sample.truncated),
        "tokens": tokens,
        "notes": list(score.notes),
    }
    return row if sample.logged is None else row | {"logged": sample.logged, "differs": _differs(row, sample)}


def _differs(row: Row, sample: Sample) -> bool:
    return sample.logged is not None and abs(row["total"] - sample.logged) > EQUAL


@dataclass(slots=True)
class Tally:
    """What went by: counts of rows, of bad rows and of totals that differ from the logged ones."""

    rows: int = 0
    bad: int = 0
    compared: int = 0
    differ: int = 0

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Let rows through, counting them and reporting bad ones on standard error."""
        for row in rows:
            self.rows += 1
            if "error" in row:
                self.bad += 1
                print(f"{row['place']}: {row['error']}", file=sys.stderr)
            if "differs" in row:
                self.compared += 1
                self.differ += row["differs"]
                if row["differs"] and self.differ == 1:
                    told = f"logged total {row['logged']:.9f}, now {row['total']:.9f}"
                    print(f"{row['place']}: {told}; further ones are only counted", file=sys.stderr)
            yield row

    def summary(self) -> str:
        """One line in words."""
        told = f"{self.rows - self.bad} completions scored"
        if self.compared:
            told += f", {self.compared - self.differ} of {self.compared} totals equal to the logged ones"
        return told + (f", {self.bad} bad rows" if self.bad else "")

    @property
    def status(self) -> int:
        """Exit status: 2 for bad rows, 1 for totals that differ."""
        return 2 if self.bad else 1 if self.differ else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, score, write; returns the exit status. Raises SocialR1Error for what stops it before the first row."""
    told = _parser().parse_args(arguments)
    run = runlog.RunFolder.open(told.input) if Path(told.input).is_dir() else None
    stack = RewardStack(_rewards(told.recipe, told.judge, run))
    samples = _read(told.input) if run is None else run_samples(run)
    tally = Tally()
    rows = tally.watch(score_samples(stack, samples, _counter(told.tokenizer)))
    if told.output == "-":
        _fill(sys.stdout.buffer, rows)
    else:
        _write(Path(told.output), rows)
    print(tally.summary(), file=sys.stderr)
    return tally.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.score",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN", help="a JSONL file, - for standard input, or a run folder")
    parser.add_argument("-o", "--output", default="-", metavar="OUT", help="a JSONL file (default: standard output)")
    parser.add_argument("--recipe", type=Path, help="score by this recipe's rewards section")
    parser.add_argument("--judge", help="one judge by name, instead of the recipe's (default: rules)")
    parser.add_argument("--tokenizer", help="a folder or hub id whose tokenizer counts tokens")
    return parser


def _rewards(recipe: Path | None, judge: str | None, run: runlog.RunFolder | None) -> Rewards:
    if recipe is None and run is not None:
        recipe = run.recipe
        if not recipe.exists():
            raise RunLogError(f"{run.path} holds no {recipe.name}; name the recipe with --recipe")
    rewards = Rewards() if recipe is None else load_recipe(recipe).rewards
    if judge is None:
        return rewards
    content = rewards.content.model_copy(update={"judges": (JudgeEntry(name=judge),)})
    return rewards.model_copy(update={"content": content})


def _counter(tokenizer: str | None) -> Count:
    if tokenizer is None:
        return approximate_tokens
    import transformers

    try:
        loaded = transformers.AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as wrong:
        reason = (str(wrong).strip() or type(wrong).__name__).splitlines()[0]
        raise PolicyError(f"--tokenizer {tokenizer}: {reason}") from None
    return lambda text: len(loaded(text, add_special_tokens=False)["input_ids"])


def _read(source: str) -> Iterator[Sample | Bad]:
    if source == "-":
        yield from file_samples(sys.stdin.buffer)
        return
    if not Path(source).is_file():
        raise DataError(f"{source}: there is no such file, and no run folder either")
    with Path(source).open("rb") as file:
        yield from file_samples(file)


def _fill(output: BinaryIO, rows: Iterable[Row]) -> None:
    for row in rows:
        output.write(lines.encode([row]))
    output.flush()


def _write(path: Path, rows: Iterable[Row]) -> None:
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}")

    def fill(scratch: Path) -> None:
        with scratch.open("wb") as output:
            _fill(output, rows)

    lines.replace_atomic(path, fill)


if __name__ == "__main__":
    command(main)
