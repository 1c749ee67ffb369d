"""A run's completions as logs that Inspect (inspect_ai) reads: a `.eval` file for each benchmark, and for training.

A `.eval` file is a ZIP of JSON files: the header, how the evaluation began, a summary of every sample, and a file for
each sample. It is written here without Inspect, version 2 of its format; tests/test_inspect.py has Inspect read it.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import orjson

from socialr1_lite.errors import DataError, PolicyError, SocialR1Error
from socialr1_lite.evaluation import reports
from socialr1_lite.export.artefacts import WholeFolder
from socialr1_lite.recipe import load_recipe
from socialr1_lite.redaction import redact
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.scenario import JsonValue, Scenario
from socialr1_lite.sip import letters

FORMAT = 2
SCORER = "socialr1_lite"
GRADES = {"right": "C", "wrong": "I", "unreadable": "N", "failed": "N"}  # correct, incorrect, no answer
STOPS = {"stop": "stop", "length": "max_tokens", "failed": "unknown"}
PREVIEW = 1000  # characters of a sample's input in the list of all samples
JUDGED = "judge: {"  # how the note of a SOTOPIA episode with scores begins

Json = dict[str, JsonValue]


def export_inspect(run: RunFolder, out: Path, say: Callable[[str], None]) -> Path:
    """Write a log for each benchmark that the run was evaluated on, for its training and for each held-out check.

    Superseded completions are left out, unreadable lines too, which is told. Raises PolicyError where there is nothing.
    """
    run.refuse_links()
    scenarios = {one.id: one for one in run.read_scenarios()}
    found = _reports(run)
    model = _model(run)
    size = sum(path.stat().st_size for path in run.traces.glob("*") if path.is_file())
    damaged: list[str] = []
    logs: dict[str, _Log] = {}
    with WholeFolder(out, size) as scratch, contextlib.ExitStack() as opened:
        for trace in read_traces(run, damaged=lambda bad: damaged.append(str(bad))):
            name = trace.benchmark or ("train" if trace.phase == "train" else "held-out")
            if name not in logs:
                slug = re.sub(r"[^A-Za-z0-9]+", "-", redact(name)).strip("-") or "log"
                path = scratch / f"{slug}{f'-{len(logs)}' if (scratch / f'{slug}.eval').exists() else ''}.eval"
                file = opened.enter_context(ZipFile(path, "x", ZIP_DEFLATED))
                logs[name] = _Log(name, found.get(name), model, file)
            logs[name].add(trace, scenarios.get(trace.scenario))
        if not logs:
            raise PolicyError(f"{run.path}: holds no completion to export")
        for log in logs.values():
            log.close(run.name)
    for name, log in logs.items():
        say(f"{name}: {len(log.summaries)} completions")
    if damaged:
        say(f"left out: {len(damaged)} damaged lines ({damaged[0]})")
    return out


def _reports(run: RunFolder) -> Mapping[str, reports.Report]:
    try:
        return reports.read(run.path).reports
    except DataError:  # never evaluated, or damaged: the completions are there all the same
        return {}


def _model(run: RunFolder) -> str:
    """Return the base model's name; where no recipe tells, the folder's."""
    with contextlib.suppress(SocialR1Error, OSError):
        return load_recipe(run.recipe).model.name
    return run.name


@dataclass(slots=True)
class _Log:
    """One `.eval` file while it is written."""

    name: str
    report: reports.Report | None
    base: str
    file: ZipFile
    summaries: list[Json] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    rewards: list[float] = field(default_factory=list)

    @property
    def model(self) -> str:
        """The name of whoever answered."""
        return self.report.get("model", self.base) if self.report else self.base

    def add(self, trace: Trace, scenario: Scenario | None) -> None:
        """Write a sample. Further completions of the same question are its further epochs."""
        asked = trace.scenario if trace.benchmark else f"{trace.scenario}@step{trace.step}"
        name = safe_name(redact(asked))
        self.times[name] += 1
        if trace.score.is_scored:
            self.rewards.append(trace.total)
        sample = {"id": name, "epoch": self.times[name], **_sample(trace, scenario, self.model)}
        self._write(f"samples/{name}_epoch_{self.times[name]}.json", sample)
        told = {key: sample[key] for key in ("id", "epoch", "choices", "target", "scores")}
        preview = trace.prompt[-1]["content"][:PREVIEW] if trace.prompt else ""
        self.summaries.append(told | {"input": preview, "completed": True, "message_count": len(trace.prompt) + 1})

    def close(self, run: str) -> None:
        """Write what stands over all samples."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        names = list(self.times)
        epochs = max(self.times.values())
        spec: Json = {
            "created": now,
            "run_id": run,
            "task": self.name,
            "task_id": f"{run}/{self.name}",
            "model": self.model,
            "dataset": {"name": self.name, "samples": len(names), "sample_ids": list[JsonValue](names)},
            "config": {"epochs": epochs},
            "metadata": self._told(),
        }
        start: Json = {"version": FORMAT, "eval": spec, "plan": {"name": SCORER}}
        total = len(self.summaries)
        results: Json = {"total_samples": total, "completed_samples": total, "scores": [self._scores()]}
        stats: Json = {"started_at": now, "completed_at": now}
        self._write("_journal/start.json", start)
        self._write("summaries.json", list[JsonValue](self.summaries))
        self._write("header.json", start | {"status": "success", "results": results, "stats": stats})

    def _scores(self) -> Json:
        figures: dict[str, tuple[float, Json]]
        if self.report:
            told = {name: dict[str, JsonValue](**one) for name, one in self.report["metrics"].items()}
            figures = {name: (one["value"], told[name]) for name, one in self.report["metrics"].items()}
        else:
            grades = [one["scores"].get("outcome") for one in self.summaries if isinstance(one["scores"], dict)]
            right = [float(grade["value"] == "C") for grade in grades if isinstance(grade, dict)]
            means = {"accuracy": right, "reward": self.rewards}
            figures = {name: (math.fsum(some) / len(some), {"n": len(some)}) for name, some in means.items() if some}
        metrics: Json = {
            name: {"name": name, "value": value, "metadata": more}
            for name, (value, more) in figures.items()
            if math.isfinite(value)
        }
        return {"name": "outcome", "scorer": SCORER, "metrics": metrics}

    def _told(self) -> Json:
        """Return the report but for its figures, which have a place of their own."""
        if self.report is None:
            return {}
        left = ("metrics", "groups", "published", "model")
        return {name: value for name, value in self.report.items() if name not in left}  # type: ignore[misc]

    def _write(self, name: str, value: JsonValue) -> None:
        self.file.writestr(name, orjson.dumps(without_secrets(value), option=orjson.OPT_NON_STR_KEYS))


def without_secrets(value: JsonValue) -> JsonValue:
    """Return the same with every text redacted. By names nothing is hidden: SOTOPIA has a score for secrets."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    return {redact(name): without_secrets(one) for name, one in value.items()} if isinstance(value, dict) else value


def safe_name(name: str) -> str:
    """Return an id that names no file outside the folder that a log is unpacked into."""
    parts = re.sub(r"[\\:\x00-\x1f]", "_", name).split("/")
    return "/".join(part.replace("..", "__") for part in parts if part not in ("", ".")) or "_"


def _sample(trace: Trace, scenario: Scenario | None, model: str) -> Json:
    options = list(scenario.options) if scenario else []
    named = letters(len(options)) if options else ""
    target = [named[place] for place in scenario.gold] if scenario and options else []
    accepted = list(scenario.accepted) if scenario and not options else []
    answer = _message(trace.completion, model)
    asked: list[JsonValue] = [{"role": _role(one["role"]), "content": one["content"]} for one in trace.prompt]
    usage: Json = {"input_tokens": 0, "output_tokens": trace.completion.tokens, "total_tokens": trace.completion.tokens}
    output: Json = {
        "model": model,
        "choices": [{"message": answer, "stop_reason": STOPS[trace.completion.finish]}],
        "completion": trace.completion.text,
        "usage": usage,
        **({"error": trace.completion.error} if trace.completion.error else {}),
    }
    return {
        "input": asked,
        "choices": list[JsonValue](options) or None,
        "target": list[JsonValue](target or accepted),
        "messages": [*asked, answer],
        "output": output,
        "scores": _scores(trace, named),
        "metadata": {
            **{"scenario": trace.scenario, "step": trace.step, "group": trace.group, "index": trace.index},
            **({"question": scenario.question, "source": scenario.source} if scenario else {}),
            "stages": dict[str, JsonValue](trace.stages),
        },
        "model_usage": {model: usage},
    }


def _role(role: str) -> str:
    return role if role in ("system", "user", "assistant") else "user"


def _message(completion: Completion, model: str) -> Json:
    content: JsonValue = completion.text
    if completion.reasoning:
        content = [{"type": "reasoning", "reasoning": completion.reasoning}, {"type": "text", "text": completion.text}]
    return {"role": "assistant", "content": content, "source": "generate", "model": model}


def _scores(trace: Trace, named: str) -> Json:
    """Return the outcome, the reward with its parts where there is one, and an episode's judgement."""
    score, notes = trace.score, "\n".join(trace.score.notes)
    out: Json = {}
    judged = next((note for note in score.notes if note.startswith(JUDGED)), "")
    if judged:
        with contextlib.suppress(orjson.JSONDecodeError):
            out["judge"] = {"value": orjson.loads(judged[len(JUDGED) - 1 :]), "explanation": notes}
    elif score.outcome in GRADES:
        at = trace.answer
        answer = named[at] if at is not None and at < len(named) else None
        out["outcome"] = {
            "value": GRADES[score.outcome],
            "answer": answer,
            "explanation": notes,
            "metadata": {"outcome": score.outcome},
        }
    if score.is_scored:
        parts = {name: value for name, value in score.components.items() if value is not None}
        out["reward"] = {"value": {"total": trace.total, **parts}, "metadata": {"weights": dict(score.weights)}}
    return out
