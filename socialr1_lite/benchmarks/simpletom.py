"""SimpleToM (AI2, arXiv 2410.13648): 1,147 stories, each asked for awareness, behaviour and judgement.

Official metric: accuracy per question type. The gold *text* is the same throughout two of the three types
(aware: No, judge: Reasonable), so behaviour is the figure that cannot be had by a fixed answer.
"""
# ruff: noqa: E501 (the authors' prompts, verbatim)

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import (
    SourceRow,
    counts_note,
    each_once,
    make_scenario,
    official_files,
    read_jsonl,
    with_parts,
)
from socialr1_lite.errors import DataError
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally

TITLE = "SimpleToM"
SOURCE = "https://huggingface.co/datasets/allenai/SimpleToM"
CONFIGS = {"mental-state-qa": "aware", "behavior-qa": "action", "judgment-qa": "judge"}
ROWS_EACH = 1147
COT = (
    "Think step by step to arrive at an answer. Start your response by explaining your reasoning process and end your "
    'response with "Therefore, the answer is: " followed by '  # theirs ends in a space too
)


def load(folder: Path) -> base.Loaded:
    """Load `<config>/test.jsonl` of the three question configs, or those of them that are there."""
    found, files = [], []
    patterns = [*(f"{config}/**/*.jsonl" for config in CONFIGS), *with_parts(CONFIGS)]
    for path in official_files(folder, TITLE, patterns, SOURCE):
        config = next(config for part in reversed(path.parts) for config in CONFIGS if part.startswith(config))
        name = path.name if path.name.startswith(config) else f"{config}/{path.name}"  # all three are called test.jsonl
        rows, file = read_jsonl(path, name)
        files.append(file)
        found.append((file.name, [_item(row, CONFIGS[config]) for row in rows]))
    items, twice = each_once(found)
    there = Counter(item.label("question_type") for item in items)
    notes = (counts_note(f"{TITLE} {config}", there[kind], ROWS_EACH) for config, kind in CONFIGS.items())
    return base.Loaded(tuple(items), tuple(files), (*notes, *twice))


def _item(row: SourceRow, kind: str) -> base.Item:
    choices = row.row("choices")
    options, labels = choices.texts("text", least=2), choices.texts("label", least=2)
    if labels != ("A", "B", "C", "D")[: len(options)]:
        raise DataError(f"{row.where}: labels {list(labels)} must be A, B, … one for each of {len(options)} options")
    name = row.text("id")
    if not name.endswith(f"_{kind}"):
        raise DataError(f"{row.where}: id {name!r} must end with _{kind} in this config")
    scenario = make_scenario(
        row,
        id=f"simpletom/{name}",
        story=row.text("story").strip(),
        question=row.text("question").strip(),  # judgement questions end in a space
        options=options,
        gold=(row.letter("answerKey", options),),
        dimension="knowledge" if kind == "aware" else "",
        source="simpletom",
        group=name.rpartition("_")[0],
        meta={"question_type": kind, "scenario": row.text("scenario_name"), "language": "en"},
    )
    return base.Item(scenario, extra={"question": row.text("question")})


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (inference/utils.py), with their spaces."""
    letters = ["(A)", "(B)", "(C)", "(D)"][: len(ask.scenario.options)]
    choices = " \n".join(f"{letter} {option}" for letter, option in zip(letters, ask.scenario.options, strict=True))
    final = COT if cot else "Respond with just"
    quoted = " or ".join(f'"{letter}"' for letter in letters)
    user = (
        f"Given the following story, answer the question by giving the correct answer choice, {' or '.join(letters)}.\n\n"
        f"Story:\n{ask.scenario.story}\n\nQuestion: {ask.item.extra['question']} \n{choices}\n\n"
        f"What is the correct answer? {final} {quoted}\n"
    )
    return [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": user}]


def extract(text: str, *, cot: bool) -> int | None:
    """Extract as the authors do: after the last "the answer is", the first of (A) to (D) in letter order.

    Else the only one of "(A" to "(D", else the only capital A to D; two different ones, or none: None.
    """
    prefix = ".*the answer is" if cot else "answer"
    reply = re.sub(f"(?ims){prefix}:?", "", text).strip()
    for place, letter in enumerate("ABCD"):
        if f"({letter})" in reply:
            return place
    for form in ("({}", "{}"):
        found = [place for place, letter in enumerate("ABCD") if form.format(letter) in reply]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read a reply to the authors' prompt as they do."""
    return [base.read_letter(ask, extract(text, cot=cot), text)]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score accuracy per question type; the mean over all questions is not the authors' figure."""
    units = base.right_units(answers, "question_type", "scenario")
    kinds = base.by_label(units, "question_type")
    metrics = {"accuracy": Tally(tuple(units), official=False), **kinds}
    return base.tallied(metrics, {"question_type": kinds, "scenario": base.by_label(units, "scenario", official=False)})


BENCHMARK = base.Benchmark(
    name="simpletom",
    title=TITLE,
    source=SOURCE,
    licence="ODC-BY (data), Apache-2.0 (code)",
    training={"test": base.Permission(False, "SimpleToM is designed for testing models only, not for training")},
    load=load,
    score=score,
    asks=base.as_stored_for_authors,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(tokens=(20, 500)),  # run_inference.py
    hub="allenai/SimpleToM",
    names=("allenai/SimpleToM", "SimpleToM", "yulinggu-cs/SimpleToM"),
    published=(base.social_r1(0.9675, "fits 3329 of all 3,441 questions"),),
)
