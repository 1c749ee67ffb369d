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
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from socialr1_lite.data import json_lines, read_scenario
from socialr1_lite.errors import DataError, command
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.runlog.index_file import cache_folder
from socialr1_lite.runlog.traces import REQUIRED
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse, stage_states
from socialr1_lite.viewer.library import IMPORTS, Library
from socialr1_lite.viewer.serving import Query, BadRequest, sound

Row = dict[str, Any]
Json = dict[str, Any]
Converted = tuple[dict[str, Scenario], list[Row]]  # scenarios by id, trace rows

MAX_FILE = "64mb"  # of an upload; larger files go through the command line
MAX_BYTES = 64 << 20
WORD = re.compile(r"\w+|[^\w\s]")


def import_file(library: Library, query: Query) -> Json:
    """An uploaded file as a run of its own; its key."""
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


def read_content(name: str, content: bytes) -> list[Row]:
    """The rows of a file of completions. Raises DataError for what is none."""
    if content[:4] == b"PAR1":
        return _parquet_rows(name, content)
    rows: list[Row] = []
    for place, row in json_lines(content.splitlines(keepends=True)):
        if not isinstance(row, dict):
            raise DataError(f"{name}, {place}: {row}")
        rows.append(sound(row))
    if not rows:
        raise DataError(f"{name} holds no rows; a JSONL or Parquet file of completions is needed")
    return rows


def _parquet_rows(name: str, content: bytes) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[Row] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    except (pyarrow.ArrowException, OSError) as wrong:
        raise DataError(f"{name} is no readable Parquet file: {str(wrong).splitlines()[0][:120]}") from None
    if not rows:
        raise DataError(f"{name} holds no rows")
    return rows


def make_run(rows: Sequence[Row], folder: Path, name: str) -> RunFolder:
    """A run folder of these rows. Raises DataError, before anything is written, when they are of no known kind."""
    scenarios, traces = convert(rows, name)
    run = RunFolder.create(folder)
    run.recipe.write_text(yaml.safe_dump({"model": {"name": f"imported from {name}"}}), "utf-8")
    run.add_scenarios(scenarios.values())
    segment = run.begin_segment(0, ["import", name])
    with TraceWriter(run, segment=segment) as writer:
        writer.write(traces)
    run.set_state("completed", step=max(row["step"] for row in traces))
    return run


def convert(rows: Sequence[Row], name: str) -> Converted:
    """Scenarios by id and trace rows, from whichever kind of file it is."""
    first = rows[0].keys()
    if first >= REQUIRED:
        return _own(rows, name)
    if "question" in first and "completion" in first:
        return _scored(rows, name)
    if {"step", "prompt", "completion"} <= first:
        return _foreign([_from_trl(row, place, name) for place, row in enumerate(rows)])
    if {"input", "output"} <= first:
        return _foreign([_from_verl(row, place, name) for place, row in enumerate(rows)])
    if "components" in first:
        raise DataError(f"{name} holds scores without completions; import the file that was given to score instead")
    raise DataError(
        f"{name}: columns {', '.join(sorted(map(str, first)))[:200]} are of no known kind. Known: TRL's completions "
        "(step, prompt, completion, rewards), verl's rollouts (input, output, score), an export of this viewer, or "
        "what score reads (story, question, options, gold, completion)"
    )


def _own(rows: Sequence[Row], name: str) -> Converted:
    scenarios, traces = {}, []
    for place, row in enumerate(rows, start=1):
        if missing := REQUIRED - row.keys():
            raise DataError(f"{name}, row {place}: {', '.join(sorted(missing))} missing")
        if row.get("scenario_row"):
            scenario = Scenario.from_row(row["scenario_row"])
            scenarios[scenario.id] = scenario
        traces.append(
            {key: value for key, value in row.items() if key not in ("id", "total", "scenario_row", "segment", "rank")}
        )
    return scenarios, traces


def _scored(rows: Sequence[Row], name: str) -> Converted:
    """Completions with their questions: scored by the default stack, siblings of one prompt as one group."""
    stack = RewardStack(Rewards())
    scenarios: dict[str, Scenario] = {}
    traces: list[Row] = []
    for group, (_, told) in enumerate(
        groupby(rows, key=lambda row: (row.get("step", 0), row.get("id"), row.get("question"), row.get("story")))
    ):
        some = list(told)
        scenario = read_scenario(some[0], default_id=f"imported/{group}")
        scenarios[scenario.id] = scenario
        texts = [_text(row["completion"]) for row in some]
        replies = [
            parse(text, scenario.options, prefilled=bool(row.get("prefilled")))
            for text, row in zip(texts, some, strict=True)
        ]
        tokens = [_tokens(row, text) for row, text in zip(some, texts, strict=True)]
        cut = [row.get("finish") == "length" for row in some]
        scores = stack.score_group(replies, scenario, tokens=tokens, tau=1.0, truncated=cut)
        for index, (row, text, reply, count, was_cut, score) in enumerate(
            zip(some, texts, replies, tokens, cut, scores, strict=True)
        ):
            traces.append(
                _blank(row, scenario.id, group, index, text, count)
                | {
                    "prefilled": reply.prefilled,
                    "finish": "length" if was_cut else "stop",
                    "components": dict(score.components),
                    "parts": dict(score.parts),
                    "weights": dict(score.weights),
                    "mode": score.mode,
                    "tau": score.tau,
                    "outcome": score.outcome,
                    "answer": reply.answer,
                    "stages": dict(stage_states(reply, truncated=was_cut)),
                    "notes": list(score.notes),
                }
            )
    return scenarios, traces


def _blank(row: Row, scenario: str, group: int, index: int, text: str, tokens: int) -> Row:
    step = row.get("step")
    return {
        "phase": "train",
        "step": step if isinstance(step, int) and step >= 0 else 0,
        "scenario": scenario,
        "group": group,
        "index": index,
        "prompt": row.get("prompt") or [],
        "completion": text,
        "tokens": tokens,
        "advantage": None,
    }


def _from_trl(row: Row, place: int, name: str) -> Row:
    rewards = {
        key: value
        for key, value in row.items()
        if key not in ("step", "prompt", "completion", "advantage", "image", "images") and _is_number(value)
    }
    return {
        "step": _step(row.get("step"), place, name),
        "prompt": row["prompt"],
        "completion": row["completion"],
        "rewards": rewards,
        "advantage": row.get("advantage"),
    }


def _from_verl(row: Row, place: int, name: str) -> Row:
    """A row of verl's dumps: the total is `score`; what a validation dumps of the reward besides is told beside it."""
    rewards = {"score": row["score"]} if _is_number(row.get("score")) else {}
    right: Any = row.get("right", row.get("acc"))
    beside = {
        key: value for key, value in row.items() if key not in ("score", "step", "acc", "right") and _is_number(value)
    }
    return {
        "step": _step(row.get("step", 0), place, name),
        "prompt": row["input"],
        "completion": row["output"],
        "rewards": rewards,
        "beside": beside,
        "advantage": None,
        "outcome": {1: "right", 0: "wrong"}.get(right) if _is_number(right) else None,
        "prompted": str(row.get("uid", "")).rsplit("_", 2)[0],  # PROMPT_ROLLOUT_OUTPUT
    }


def _step(value: Any, place: int, name: str) -> int:
    if _is_number(value) and 0 <= value < 10**9:
        return int(value)
    raise DataError(f"{name}, row {place + 1}: step must be a whole number of at least 0, not {value!r}")


def _foreign(rows: Sequence[Row]) -> Converted:
    """Rows with a prompt, a completion and rewards of their own; neighbours with one prompt at one step are a group.

    One prompt may be asked twice at a step; `prompted` tells the two askings apart, where the file does.
    """
    scenarios: dict[str, Scenario] = {}
    traces: list[Row] = []
    for group, (_, told) in enumerate(
        groupby(
            rows,
            key=lambda row: (
                row["step"],
                row.get("prompted"),
                json.dumps(row["prompt"], sort_keys=True, default=str),
            ),
        )
    ):
        for index, row in enumerate(told):
            scenario = _prompt_scenario(row["prompt"])
            scenarios[scenario.id] = scenario
            traces.append(_foreign_row(row, scenario, group, index))
    return scenarios, traces


def _foreign_row(row: Row, scenario: Scenario, group: int, index: int) -> Row:
    text = _text(row["completion"])
    reply = parse(text)
    rewards = {str(key): float(value) for key, value in row["rewards"].items()}
    told = " + ".join(f"{name} {value:.3g}" for name, value in rewards.items()) or "no reward was recorded"
    return _blank(row, scenario.id, group, index, text, _tokens({}, text)) | {
        "prompt": _messages(row["prompt"]),
        "finish": "stop",
        "components": {"outcome": sum(rewards.values()) if rewards else None},
        "parts": {f"imported.{name}": float(value) for name, value in (rewards | row.get("beside", {})).items()},
        "weights": {"outcome": 1.0},
        "mode": "additive",
        "tau": 1.0,
        "advantage": float(row["advantage"]) if _is_number(row["advantage"]) else None,
        "outcome": row.get("outcome") or "unknown",
        "stages": dict(stage_states(reply)),
        "notes": [f"imported: {told}", "length counted in words, for the file names no tokens"],
    }


def _prompt_scenario(prompt: Any) -> Scenario:
    text = (
        "\n\n".join(message["content"] for message in _messages(prompt) if message["role"] != "system")
        or "(empty prompt)"
    )
    return Scenario(
        id=f"imported/{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}",
        story=text,
        question="",
        source="imported",
    )


def _messages(prompt: Any) -> list[dict[str, str]]:
    if isinstance(prompt, list):
        return [
            {"role": str(one.get("role", "user")), "content": _text(one.get("content", ""))}
            for one in prompt
            if isinstance(one, Mapping)
        ]
    return [{"role": "user", "content": _text(prompt)}]


def _text(value: Any) -> str:
    """A completion as text, whether it came as a string or as chat messages."""
    if isinstance(value, list):
        return "\n".join(_text(one.get("content", "") if isinstance(one, Mapping) else one) for one in value)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _tokens(row: Row, text: str) -> int:
    told = row.get("tokens")
    return told if isinstance(told, int) and told >= 0 else len(WORD.findall(text))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def main() -> None:
    """Import one file as a run folder."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.viewer.importing", description="Make a run folder of a file of completions."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="the run folder to make (default: runs/NAME)")
    told = parser.parse_args()
    if not told.file.is_file():
        raise DataError(f"{told.file}: there is no such file")
    folder = told.output or Path("runs") / told.file.stem
    if (folder / "state.json").exists():
        raise DataError(f"{folder} is a run already; name another with -o")
    run = make_run(read_content(told.file.name, told.file.read_bytes()), folder, told.file.name)
    print(f"{run.path}: open it with  python app.py {run.path}", file=sys.stderr)


if __name__ == "__main__":
    command(main)
