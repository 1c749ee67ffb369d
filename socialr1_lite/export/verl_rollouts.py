"""The rollouts of a verl job as a run folder, for the viewer and for `score`.

    python -m socialr1_lite.export.verl_rollouts JOB [-o RUN]

JOB is the folder that `--to verl` wrote, with what verl 0.9.1 added: rollouts/STEP.jsonl and heldout/STEP.jsonl. Its
training dumps hold texts and totals alone, so the components are worked out again, by the job's recipe and each
prompt's tau; verl's own total stays among the parts, and the notes say where it is another one. Judges are asked again.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from socialr1_lite.data import json_lines
from socialr1_lite.errors import DataError, command
from socialr1_lite.export.verl import model_source, rounds, tokenizer_of
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion, Finish
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.runlog.lines import JsonObject
from socialr1_lite.scenario import Scenario

Count = Callable[[str], int]

SAME = 1e-5  # verl keeps totals in single precision


@dataclass(frozen=True, slots=True)
class Job:
    """An exported job. asked: the rows of train.parquet and heldout.parquet, by the folder of their dumps."""

    folder: Path
    recipe: Recipe
    asked: Mapping[str, list[JsonObject]]

    @classmethod
    def open(cls, folder: Path, trust: Trust = NOBODY) -> Job:
        """Raises DataError for a folder that `--to verl` did not write, RecipeError for what is not allowed."""
        import pyarrow.parquet

        files = {"rollouts": folder / "train.parquet", "heldout": folder / "heldout.parquet"}
        if missing := [path.name for path in (folder / "recipe.yaml", *files.values()) if not path.is_file()]:
            raise DataError(f"{folder}: no {', '.join(missing)}; name the folder that `--to verl` wrote")
        asked = {name: pyarrow.parquet.read_table(path).to_pylist() for name, path in files.items()}
        recipe = load_recipe(path := folder / "recipe.yaml")
        trust.check_model(recipe.model, str(path))
        trust.check_judges(recipe.rewards, str(path))
        return cls(folder, recipe, asked)


def import_rollouts(job: Job, out: Path) -> RunFolder:
    """Write the run folder. Raises DataError, before anything is written, for a dump that is not this job's."""
    traces = [*_traces(job, "rollouts"), *_traces(job, "heldout")]
    if not traces:
        raise DataError(f"{job.folder}: no rollouts/STEP.jsonl yet; verl writes one a step")
    names = {trace.scenario for trace in traces}
    run = RunFolder.create(out)
    run.recipe.write_text(job.recipe.to_yaml(), "utf-8")
    scenarios = {one.id: one for rows in job.asked.values() for one in map(_scenario, rows)}
    run.add_scenarios(scenario for name, scenario in scenarios.items() if name in names)
    with TraceWriter(run, launch=run.begin_launch(0, ["import", str(job.folder)])) as writer:
        writer.write(traces)
    run.set_state("completed", step=max(trace.step for trace in traces))
    return run


def _traces(job: Job, kind: str) -> Iterator[Trace]:
    stack, count, size = RewardStack(job.recipe.rewards), _counter(job.recipe), rounds(job.recipe).prompts
    group = 0
    files = (path for path in (job.folder / kind).glob("*.jsonl") if path.stem.isdecimal())
    for step, path in sorted((int(path.stem), path) for path in files):  # verl's steps, from 1
        places = slice((step - 1) * size, step * size) if kind == "rollouts" else slice(None)  # held out: all of them
        prompts = {_squeezed(row["prompt"][-1]["content"]): row for row in job.asked[kind][places]}
        for _, rows in itertools.groupby(_lines(path), key=_group):
            for index, row in enumerate(rows):
                trace = _trace(job, kind, step, row, _asked(row, prompts, path), stack, count)
                yield replace(trace, group=group, index=index)
            group += 1


def _lines(path: Path) -> Iterator[JsonObject]:
    with path.open("rb") as file:
        for place, row in json_lines(file):
            if not isinstance(row, dict) or not {"input", "output", "score"} <= row.keys():
                raise DataError(f"{path}, {place}: no rollout of verl (input, output, score)")
            yield row


def _group(row: JsonObject) -> str:
    """Verl's uid is PROMPT_ROLLOUT_OUTPUT."""
    return str(row.get("uid") or row["input"]).rsplit("_", 2)[0]


def _asked(row: JsonObject, prompts: Mapping[str, JsonObject], path: Path) -> JsonObject:
    """The row of the parquet file whose question stands in what verl decoded."""
    decoded = _squeezed(row["input"])
    found = next((asked for question, asked in prompts.items() if question in decoded), None)
    if found is None:
        raise DataError(f"{path}: a prompt of it is none of the {len(prompts)} of its step; is it another job's?")
    return found


def _squeezed(text: str) -> str:
    """Without white space, which some tokenizers do not give back as it was."""
    return "".join(text.split())


def _scenario(asked: JsonObject) -> Scenario:
    return Scenario.from_row(orjson.loads(asked["extra_info"]["scenario"]))


def _trace(
    job: Job, kind: str, step: int, row: JsonObject, asked: JsonObject, stack: RewardStack, count: Count
) -> Trace:
    scenario, extra, limit = _scenario(asked), asked["extra_info"], job.recipe.grpo.max_completion_length
    length = count(row["output"]) + 1  # the end token, unless it was cut off
    finish: Finish = "length" if length > limit else "stop"
    completion = Completion(row["output"], min(length, limit), finish, extra["prefilled"])
    scored = stack.score([completion], scenario, tau=extra["tau"])[0]
    score = replace(scored.score, parts=dict(scored.score.parts) | {"imported.score": row["score"]})
    if not math.isclose(score.total, row["score"], rel_tol=SAME, abs_tol=SAME):
        note = f"imported: verl's own total was {row['score']:.6g} (its tokens were counted anew here)"
        score = replace(score, notes=(*score.notes, note))
    training = kind == "rollouts"
    return Trace.of(
        replace(scored, score=score),
        phase="train" if training else "eval",
        benchmark="" if training else "heldout: verl",
        step=(step - 1 if training else step) * rounds(job.recipe).steps,
        scenario=scenario.id,
        group=0,
        index=0,
        prompt=asked["prompt"],
    )


def _counter(recipe: Recipe) -> Count:
    tokenizer = tokenizer_of(recipe, model_source(recipe))
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def main(argv: Sequence[str] | None = None) -> int:
    """Import a job's rollouts as one run folder."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.export.verl_rollouts", description="Make a run folder of a verl job's rollouts."
    )
    parser.add_argument("job", type=Path, metavar="JOB", help="the folder that --to verl wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="the new run folder (default: runs/JOB)")
    Trust.add_options(parser)
    args = parser.parse_args(argv)
    out = args.output or Path("runs") / args.job.resolve().name
    if out.exists():
        raise DataError(f"{out} exists already; name another folder with -o")
    run = import_rollouts(Job.open(args.job, Trust.of(args)), out)
    print(f"{run.path}: open it with  python -m socialr1_lite.viewer {run.path}")
    return 0


if __name__ == "__main__":
    command(main)
