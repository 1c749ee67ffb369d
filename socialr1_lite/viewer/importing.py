"""Foreign completions become run folders.

    python -m socialr1_lite.viewer.importing FILE [-o RUN]

FILE is one of: TRL's completions_*.parquet (or several, same columns), verl's rollout JSONL, our own exported JSONL, or
the JSONL that `score` reads (id, story, question, options, gold, completion), which is scored on the way in.

What a foreign file does not say is not made up: without a gold answer the outcome is "unknown"; the file's own rewards
are kept as parts, and their sum stands as the total (in the place of the outcome term, weight 1, additive mode [ours]).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from socialr1_lite.data import json_lines, read_scenario
from socialr1_lite.errors import DataError, command, first_line
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rewards.scoring import approximate_tokens
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import Outcome, Score, ScoredCompletion
from socialr1_lite.rollouts.trace import REQUIRED, Trace
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.runlog.index_file import cache_folder
from socialr1_lite.scenario import JsonValue, Scenario, sound
from socialr1_lite.sip import Message, parse
from socialr1_lite.viewer.library import IMPORTS, Library
from socialr1_lite.viewer.serving import BadRequest, Json, Query

FileRow = dict[str, Any]  # as the file holds it; every type in it is checked where it is used
Converted = tuple[dict[str, Scenario], list[Trace]]  # scenarios by id, traces

MAX_FILE = "64mb"  # of an upload; larger files go through the command line
MAX_BYTES = 64 << 20


def import_file(library: Library, query: Query) -> Json:
    """Make an uploaded file a run of its own; return its key."""
    name = query.text("name", limit=200)
    encoded = query.text("content", limit=MAX_BYTES * 4 // 3 + 8)
    query.done()
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("the upload is damaged; send it again") from None
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem).strip("-.")[:60] or "imported"
    folder = cache_folder() / IMPORTS / f"{stem}-{hashlib.sha256(content).hexdigest()[:6]}"
    if not (folder / "state.json").exists():
        make_run(read_content(name, content), folder, name)
    return {"run": library.add(folder)}


def read_content(name: str, content: bytes) -> list[FileRow]:
    """Read the rows of a file of completions. Raises DataError for what is none."""
    if content[:4] == b"PAR1":
        return _parquet_rows(name, content)
    rows: list[FileRow] = []
    for place, row in json_lines(content.splitlines(keepends=True)):
        if not isinstance(row, dict):
            raise DataError(f"{name}, {place}: {row}")
        rows.append({str(key): sound(value) for key, value in row.items()})
    if not rows:
        raise DataError(f"{name} holds no rows; a JSONL or Parquet file of completions is needed")
    return rows


def _parquet_rows(name: str, content: bytes) -> list[FileRow]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[FileRow] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{name} is no readable Parquet file: {first_line(error)[:120]}") from None
    if not rows:
        raise DataError(f"{name} holds no rows")
    return rows


def make_run(rows: Sequence[FileRow], folder: Path, name: str) -> RunFolder:
    """Make a run folder of these rows. Raises DataError, before anything is written, when they are of no known kind."""
    scenarios, traces = convert(rows, name)
    run = RunFolder.create(folder)
    run.recipe.write_text(yaml.safe_dump({"model": {"name": f"imported from {name}"}}), "utf-8")
    run.add_scenarios(scenarios.values())
    with TraceWriter(run, launch=run.begin_launch(0, ["import", name])) as writer:
        writer.write(traces)
    run.set_state("completed", step=max(trace.step for trace in traces))
    return run


def convert(rows: Sequence[FileRow], name: str) -> Converted:
    """Return scenarios by id and traces, from whichever kind of file it is."""
    first = rows[0].keys()
    if first >= set(REQUIRED):
        return _own(rows, name)
    if "question" in first and "completion" in first:
        return _scored(rows)
    if {"step", "prompt", "completion"} <= first:
        return _rollouts([_from_trl(row, place, name) for place, row in enumerate(rows, start=1)])
    if {"input", "output"} <= first:
        return _rollouts([_from_verl(row, place, name) for place, row in enumerate(rows, start=1)])
    if "components" in first:
        raise DataError(f"{name} holds scores without completions; import the file that was given to score instead")
    raise DataError(
        f"{name}: columns {', '.join(sorted(map(str, first)))[:200]} are of no known kind. Known: TRL's completions "
        "(step, prompt, completion, rewards), verl's rollouts (input, output, score), an export of this viewer, or "
        "what score reads (story, question, options, gold, completion)"
    )


def _own(rows: Sequence[FileRow], name: str) -> Converted:
    scenarios, traces = {}, []
    for place, row in enumerate(rows, start=1):
        try:
            traces.append(Trace.from_row(row))
            if stored := row.get("scenario_row"):
                if not isinstance(stored, dict):
                    raise DataError(f"scenario_row must be an object, not {type(stored).__name__}")
                scenario = Scenario.from_row(stored)
                scenarios[scenario.id] = scenario
        except ValueError as error:
            raise DataError(f"{name}, row {place}: {error}") from None
    return scenarios, traces


def _scored(rows: Sequence[FileRow]) -> Converted:
    """Score completions with their questions by the default stack, siblings of one prompt as one group."""
    stack = RewardStack(Rewards())
    scenarios: dict[str, Scenario] = {}
    traces: list[Trace] = []
    prompted = groupby(rows, key=lambda row: (row.get("step", 0), row.get("id"), row.get("question"), row.get("story")))
    for group, (_, siblings) in enumerate(prompted):
        some = list(siblings)
        scenario = read_scenario(some[0], default_id=f"imported/{group}")
        scenarios[scenario.id] = scenario
        scores = stack.score([_completion(row) for row in some], scenario)
        for index, (row, scored) in enumerate(zip(some, scores, strict=True)):
            step = row.get("step")
            step = step if isinstance(step, int) and step >= 0 else 0
            traces.append(_trace(scored, step, scenario.id, (group, index), row.get("prompt") or [], None))
    return scenarios, traces


def _completion(row: FileRow) -> Completion:
    text, tokens = _text(row["completion"]), row.get("tokens")
    counted = tokens if isinstance(tokens, int) and tokens >= 0 else approximate_tokens(text)
    return Completion(text, counted, "length" if row.get("finish") == "length" else "stop", bool(row.get("prefilled")))


def _trace(
    scored: ScoredCompletion,
    step: int,
    scenario: str,
    place: tuple[int, int],
    prompt: JsonValue,
    advantage: float | None,
) -> Trace:
    """Return the trace of a completion; place: its group's number and its own."""
    said, (group, index) = _messages(prompt), place
    return Trace.of(
        scored, phase="train", step=step, scenario=scenario, group=group, index=index, prompt=said, advantage=advantage
    )


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion of a file with rewards of its own.

    prompted: tells two askings of one prompt at one step apart, where the file does. beside: what the file says of the
    reward beside its total.
    """

    step: int
    prompt: JsonValue
    text: str
    rewards: Mapping[str, float]
    advantage: float | None = None
    beside: Mapping[str, float] = field(default_factory=dict)
    outcome: Outcome = "unknown"
    prompted: str = ""


def _from_trl(row: FileRow, place: int, name: str) -> Rollout:
    others = ("step", "prompt", "completion", "advantage", "image", "images")
    return Rollout(
        step=_step(row.get("step"), place, name),
        prompt=row["prompt"],
        text=_text(row["completion"]),
        rewards={str(key): float(value) for key, value in row.items() if key not in others and _is_number(value)},
        advantage=float(row["advantage"]) if _is_number(row.get("advantage")) else None,
    )


def _from_verl(row: FileRow, place: int, name: str) -> Rollout:
    """Read a row of verl's dumps: the total is `score`; what a validation dumps of the reward besides stays beside."""
    others = ("score", "step", "acc", "right")
    right = row.get("right", row.get("acc"))
    outcomes: dict[float, Outcome] = {1: "right", 0: "wrong"}
    return Rollout(
        step=_step(row.get("step", 0), place, name),
        prompt=row["input"],
        text=_text(row["output"]),
        rewards={"score": float(row["score"])} if _is_number(row.get("score")) else {},
        beside={str(key): float(value) for key, value in row.items() if key not in others and _is_number(value)},
        outcome=outcomes.get(right, "unknown") if _is_number(right) else "unknown",
        prompted=str(row.get("uid", "")).rsplit("_", 2)[0],  # PROMPT_ROLLOUT_OUTPUT
    )


def _step(value: JsonValue, place: int, name: str) -> int:
    if _is_number(value) and 0 <= value < 10**9:
        return int(value)
    raise DataError(f"{name}, row {place}: step must be a whole number of at least 0, not {value!r}")


def _rollouts(rollouts: Sequence[Rollout]) -> Converted:
    """Keep rewards as they came; neighbours with one prompt at one step are a group."""
    scenarios: dict[str, Scenario] = {}
    traces: list[Trace] = []
    prompted = groupby(
        rollouts, key=lambda one: (one.step, one.prompted, json.dumps(one.prompt, sort_keys=True, default=str))
    )
    for group, (_, siblings) in enumerate(prompted):
        for index, one in enumerate(siblings):
            scenario = _prompt_scenario(one.prompt)
            scenarios[scenario.id] = scenario
            completion = Completion(one.text, approximate_tokens(one.text))
            scored = ScoredCompletion(completion, parse(one.text), _imported_score(one))
            traces.append(_trace(scored, one.step, scenario.id, (group, index), one.prompt, one.advantage))
    return scenarios, traces


def _imported_score(one: Rollout) -> Score:
    """Return the file's rewards as parts, and their sum in the place of the outcome."""
    words = " + ".join(f"{name} {value:.3g}" for name, value in one.rewards.items()) or "no reward was recorded"
    return Score(
        components={"outcome": sum(one.rewards.values()) if one.rewards else None},
        parts={f"imported.{name}": value for name, value in {**one.rewards, **one.beside}.items()},
        weights={"outcome": 1.0},
        mode="additive",
        tau=1.0,
        notes=(f"imported: {words}", "length counted in words, for the file names no tokens"),
        outcome=one.outcome,
    )


def _prompt_scenario(prompt: JsonValue) -> Scenario:
    told = [message["content"] for message in _messages(prompt) if message["role"] != "system"]
    text = "\n\n".join(told) or "(empty prompt)"
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    return Scenario(id=f"imported/{digest}", story=text, question="", source="imported")


def _messages(prompt: JsonValue) -> list[Message]:
    if isinstance(prompt, list):
        return [
            {"role": str(one.get("role", "user")), "content": _text(one.get("content", ""))}
            for one in prompt
            if isinstance(one, dict)
        ]
    return [{"role": "user", "content": _text(prompt)}]


def _text(value: JsonValue) -> str:
    """Return a completion as text, whether it came as a string or as chat messages."""
    if isinstance(value, list):
        return "\n".join(_text(one.get("content", "") if isinstance(one, dict) else one) for one in value)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _is_number(value: JsonValue) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def main() -> None:
    """Import one file as a run folder."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.viewer.importing", description="Make a run folder of a file of completions."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="the run folder to make (default: runs/NAME)")
    args = parser.parse_args()
    if not args.file.is_file():
        raise DataError(f"{args.file}: there is no such file")
    folder = args.output or Path("runs") / args.file.stem
    if (folder / "state.json").exists():
        raise DataError(f"{folder} is a run already; name another with -o")
    run = make_run(read_content(args.file.name, args.file.read_bytes()), folder, args.file.name)
    print(f"{run.path}: open it with  python app.py {run.path}", file=sys.stderr)


if __name__ == "__main__":
    command(main)
