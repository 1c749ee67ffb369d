"""The trace: the stored record of one completion. This module alone writes a row and reads one.

Versions of a row, which an older run may mix:

1: until 22 November 2026. Without versions of the rules (all of them 1); judges under "judge": {"names": [...]} or not
   at all; a failed request as a text that tells its error.
2: "versions", "judges", "error" and "reasoning"; finish and outcome "failed".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast, get_args

from socialr1_lite.rollouts.completion import FINISHES, Completion, Finish
from socialr1_lite.rollouts.reward import MODES, Outcome, Score, ScoredCompletion
from socialr1_lite.sip import Message, stage_states

TRACE_VERSION = 2
PHASES = ("train", "eval")
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
REQUIRED = (
    *("phase", "step", "scenario", "group", "index", "prompt", "completion", "tokens", "finish"),
    *("components", "parts", "weights", "mode", "tau", "outcome"),
)
LARGEST = 1e15  # of any number in a row: what is summed and drawn stays exact [ours]
_FAILED_V1 = "the endpoint gave no reply: "

Row = dict[str, Any]  # a row as JSON holds it; `Trace.from_row` checks every type in it


class NewerTrace(ValueError):
    """A row of a later version than this code knows."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One completion of one prompt, where it belongs, and what it earned.

    phase: "train" or "eval". step: finished optimizer steps when it was generated. scenario: the scenario's id. group:
    the prompt's number, the same for all siblings. index: its place among the siblings. answer: the displayed option
    that it chose, from 0. stages: what became of each stage (`sip.stage_states`). judges: who scored its content.
    advantage: what GRPO made of its reward; None where nothing was learned from it. benchmark: what was evaluated, in
    phase eval. launch, rank: the process that wrote it ("segment" and "rank" on disk; the writer stamps both).
    superseded: made again by a later launch; found out on reading, never stored.
    """

    phase: str
    step: int
    scenario: str
    group: int
    index: int
    prompt: Sequence[Message]
    completion: Completion
    score: Score
    answer: int | None = None
    stages: Mapping[str, str] = field(default_factory=dict)
    judges: tuple[str, ...] = ()
    advantage: float | None = None
    benchmark: str = ""
    sampling: Mapping[str, float | None] = field(default_factory=dict)
    launch: int = 0
    rank: int = 0
    superseded: bool = False

    @classmethod
    def of(
        cls,
        scored: ScoredCompletion,
        *,
        phase: str,
        step: int,
        scenario: str,
        group: int,
        index: int,
        prompt: Sequence[Message],
        advantage: float | None = None,
        benchmark: str = "",
        sampling: Mapping[str, float | None] | None = None,
    ) -> Trace:
        """Return the record of a scored completion; an advantage that is not finite is kept as None."""
        completion = scored.completion
        return cls(
            phase=phase,
            step=step,
            scenario=scenario,
            group=group,
            index=index,
            prompt=prompt,
            completion=completion,
            score=scored.score,
            answer=scored.reply.answer,
            stages={} if completion.failed else stage_states(scored.reply, truncated=completion.truncated),
            judges=tuple(name.removeprefix("judge.") for name in scored.score.versions if name.startswith("judge.")),
            advantage=advantage if advantage is not None and math.isfinite(advantage) else None,
            benchmark=benchmark,
            sampling=sampling or {},
        )

    def __getitem__(self, key: str) -> Any:
        """Return a field of the stored row by its key on disk, for scripts that read rows. Raises KeyError."""
        return self.to_row()[key]

    @property
    def total(self) -> float:
        """The reward."""
        return self.score.total

    def to_row(self) -> Row:
        """Return the row as it is stored."""
        completion, score = self.completion, self.score
        row: Row = {
            "version": TRACE_VERSION,
            "phase": self.phase,
            "benchmark": self.benchmark,
            "step": self.step,
            "scenario": self.scenario,
            "group": self.group,
            "index": self.index,
            "prompt": list(self.prompt),
            "prefilled": completion.prefilled,
            "completion": completion.text,
            "tokens": completion.tokens,
            "finish": completion.finish,
            "components": dict(score.components),
            "parts": dict(score.parts),
            "weights": dict(score.weights),
            "mode": score.mode,
            "tau": score.tau,
            "versions": dict(score.versions),
            "judges": list(self.judges),
            "advantage": self.advantage,
            "outcome": score.outcome,
            "answer": self.answer,
            "stages": dict(self.stages),
            "notes": list(score.notes),
            "sampling": dict(self.sampling),
            "rank": self.rank,
            "segment": self.launch,
        }
        optional = {"error": completion.error, "reasoning": completion.reasoning}
        return row | {name: text for name, text in optional.items() if text}

    @classmethod
    def from_row(cls, row: Row) -> Trace:
        """Read a row of any version up to this one. Raises ValueError saying what is missing, newer or mistyped."""
        read = _Reader(row)
        version = read.whole("version", 1)
        if version > TRACE_VERSION:
            raise NewerTrace(f"version {version} is newer than this code, which knows {TRACE_VERSION}")
        if missing := [name for name in REQUIRED if name not in row]:
            raise ValueError(f"{', '.join(missing)} missing")
        completion = Completion(
            text=read.text("completion"),
            tokens=read.whole("tokens"),
            finish=cast(Finish, read.one_of("finish", FINISHES)),
            prefilled=read.flag("prefilled"),
            error=read.text("error", ""),
            reasoning=read.text("reasoning", ""),
        )
        notes = read.texts("notes")
        outcome = cast(Outcome, read.one_of("outcome", OUTCOMES))
        if version == 1 and notes and notes[0].startswith(_FAILED_V1):
            completion, outcome = Completion.failure(notes[0].removeprefix(_FAILED_V1)), "failed"
        return cls(
            phase=read.one_of("phase", PHASES),
            step=read.whole("step"),
            scenario=read.text("scenario"),
            group=read.whole("group"),
            index=read.whole("index"),
            prompt=read.messages("prompt"),
            completion=completion,
            score=Score(
                components=read.numbers("components"),
                parts=read.numbers("parts"),
                weights={name: weight or 0.0 for name, weight in read.numbers("weights").items()},
                mode=read.one_of("mode", MODES),
                tau=read.number("tau") or 0.0,
                notes=notes,
                outcome=outcome,
                versions={name: int(one or 0) for name, one in read.numbers("versions").items()},
            ),
            answer=read.whole("answer") if row.get("answer") is not None else None,
            stages={name: str(state) for name, state in read.mapping("stages").items()},
            judges=read.judges(),
            advantage=read.number("advantage"),
            benchmark=read.text("benchmark", ""),
            sampling={n: v for n, v in read.mapping("sampling").items() if is_number(v)},
            launch=read.whole("segment", 0),
            rank=read.whole("rank", 0),
        )


class _Reader:
    """Reads the fields of a row by their types. Every method raises ValueError naming the field."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def _check(self, holds: bool, name: str, wanted: str) -> None:
        if not holds:
            raise ValueError(f"{name} must be {wanted}, not {str(self._row.get(name))[:60]!r}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._row.get(name, default)
        self._check(isinstance(value, str), name, "a text")
        return cast(str, value)

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self._row.get(name)
        self._check(value in allowed, name, "one of " + ", ".join(allowed))
        return cast(str, value)

    def whole(self, name: str, default: int | None = None) -> int:
        value = self._row.get(name, default)
        fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST
        self._check(fits, name, "a whole number of at least 0")
        return cast(int, value)

    def flag(self, name: str) -> bool:
        value = self._row.get(name, False)
        self._check(isinstance(value, bool), name, "true or false")
        return cast(bool, value)

    def number(self, name: str) -> float | None:
        value = self._row.get(name)
        self._check(is_number(value), name, "a number")
        return None if value is None else float(value)

    def mapping(self, name: str) -> Row:
        value = self._row.get(name)
        self._check(value is None or isinstance(value, dict), name, "a mapping")
        return value or {}

    def numbers(self, name: str) -> Mapping[str, float | None]:
        values = self.mapping(name)
        self._check(all(map(is_number, values.values())), name, "a mapping to numbers")
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._row.get(name, ())
        fits = isinstance(values, (list, tuple)) and all(isinstance(value, str) for value in values)
        self._check(fits, name, "a list of texts")
        return tuple(values)

    def messages(self, name: str) -> Sequence[Message]:
        value = self._row[name]
        if isinstance(value, str):
            return [{"role": "prompt", "content": value}]
        fits = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        self._check(fits, name, "a list of messages")
        return [{str(key): str(content) for key, content in one.items()} for one in value]

    def judges(self) -> tuple[str, ...]:
        if "judges" in self._row:
            return self.texts("judges")
        judge = self.mapping("judge")  # version 1
        names = judge.get("names", [judge["name"]] if "name" in judge else [])
        self._check(isinstance(names, list), "judge", "a mapping with names")
        return tuple(map(str, names))


def is_number(value: object) -> bool:
    """Return whether it is None or a number that figures can be made of."""
    return value is None or is_figure(value)


def is_figure(value: object) -> TypeGuard[int | float]:
    """Return whether it is a number that figures can be made of: finite, below `LARGEST`, no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST
