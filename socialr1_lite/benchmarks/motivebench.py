"""MotiveBench (ACL Findings 2025, arXiv 2506.13065): 200 scenarios with three questions of six options each.

Official metric: accuracy of question 1, 2, 3 and of all three together, each averaged over six fixed option
orders, per dataset (Amazon, Blog, Persona).
"""
# ruff: noqa: E501 (the authors' prompts, verbatim)

from __future__ import annotations

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
    read_json_rows,
    strip_letter,
)
from socialr1_lite.errors import DataError
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally

TITLE = "MotiveBench"
SOURCE = "https://github.com/chicosirius/MotiveBench"
ROWS = {"Amazon": 50, "Blog": 50, "Persona": 100}
KINDS = {
    1: ("Motivation Reasoning Question", "Motivational Reasoning Question"),
    2: ("Behavior Reasoning Question", "Behavioral Reasoning Question"),
    3: ("Motivation and Behavior Reasoning Question", "Motivational and Behavioral Reasoning Question"),
}
ORDERS = (  # client_eval.py's order_list, counted from 0
    (0, 1, 2, 3, 4, 5),
    (5, 4, 3, 2, 1, 0),
    (2, 0, 5, 4, 3, 1),
    (1, 2, 4, 5, 0, 3),
    (4, 3, 0, 1, 5, 2),
    (3, 5, 1, 0, 2, 4),
)
ASSISTANT = "asitn\n"  # what strip("assistant\n\n") takes off
DIRECT = (
    "Please answer this multiple-choice question. "
    "The result can only return **one character without any other explanation**."
)
COT = (
    "Please first think step by step, conduct analysis on the answers to the questions, output the reasoning process, "
    "and finally output the most likely option letter. "
    "**The last line of your reply should only contain one character of your final choice.**"
)


def load(folder: Path) -> base.Loaded:
    """Load `<Dataset>/<Dataset>_questions.json` of the three datasets; each row becomes three joined items."""
    found, files = [], []
    for path in official_files(folder, TITLE, [f"{name}_questions*.json" for name in ROWS], SOURCE):
        dataset = path.name.partition("_")[0]
        rows, file = read_json_rows(path)
        files.append(file)
        found.append((path.name, [_item(row, dataset, number) for row in rows for number in KINDS]))
    items, twice = each_once(found)
    there = Counter(item.label("dataset") for item in items)
    what = "scenarios (three questions each)"
    notes = [
        counts_note(f"{TITLE} {name}", there[name] // len(KINDS), ROWS[name], what) for name in ROWS if there[name]
    ]
    return base.Loaded(tuple(items), tuple(files), (*notes, *twice))


def _item(row: SourceRow, dataset: str, number: int) -> base.Item:
    listed = row.texts(f"Options {number}", least=2)
    if len(listed) != len(ORDERS[0]):
        raise DataError(f"{row.where}: 'Options {number}' has {len(listed)} entries; the six fixed orders need 6")
    joint = f"motivebench/{dataset}/{row.whole('idx')}"
    question = row.text(KINDS[number][0])
    options = tuple(strip_letter(option, place) for place, option in enumerate(listed))
    scenario = make_scenario(
        row,
        id=f"{joint}/{number}",
        story="",  # each question text tells its own version of the scenario
        question=question.strip(),
        options=options,
        gold=(row.letter(f"Correct Answer {number}", options),),
        dimension="desire",
        source="motivebench",
        group=joint,
        meta={"dataset": dataset, "question": f"Q{number}", "language": "en"},
    )
    return base.Item(scenario, joint=joint, extra={"question": question, "number": str(number)})


def asks(items: Sequence[base.Item], seed: int, official: bool) -> list[base.Ask]:
    """Ask each item in the six fixed orders (under every prompt; the seed plays no part)."""
    return [base.display(item, order, f"o{number}") for item in items for number, order in enumerate(ORDERS, start=1)]


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (client_eval.py), options as a printed Python list, their system line as they spell it."""
    kind = KINDS[int(ask.item.extra["number"])][1]
    options = [f"{letter}. {option}" for letter, option in zip("ABCDEF", ask.scenario.options, strict=True)]
    user = (
        f"The following is a {kind}. Based on the content of the given question, please infer the most likely answer "
        f"and output the answer index.\n\n{ask.item.extra['question']}\nOptions: {options}\n\n{COT if cot else DIRECT}"
    )
    return [{"role": "system", "content": "You ara a helpful AI assistant."}, {"role": "user", "content": user}]


def extract(text: str, *, cot: bool) -> str:
    """Extract as the authors do: the first character of the reply (direct) or the last (CoT), some marks stripped.

    Also the letters of "assistant" at both ends: they take the word for a prefix.
    """
    text = text.strip(ASSISTANT).strip().strip(".").strip("'").strip('"').strip("*")
    return text[-1 if cot else 0].upper() if text else ""


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read as the authors do; a character that is no letter of an option is wrong."""
    letter = extract(text, cot=cot)
    return [base.read_letter(ask, "ABCDEF".index(letter) if letter and letter in "ABCDEF" else None, text)]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score each question and all three, over orders; a scenario with a part missing has no all-three score."""
    units = base.right_units(answers, "question", "dataset")
    together = base.joint_units(answers, "dataset", least=len(KINDS))
    questions = base.by_label(units, "question")
    metrics = {"accuracy": Tally(tuple(units), official=False), **questions, "all three": Tally(tuple(together))}
    groups = {"question": questions, "dataset": base.by_label(units, "dataset", official=False)}
    if together:
        groups["all three, dataset"] = base.by_label(together, "dataset")
    for name in ROWS:
        if part := base.by_label([u for u in units if u.labels["dataset"] == name], "question"):
            groups[f"question, {name}"] = part
    return base.tallied(metrics, groups)


BENCHMARK = base.Benchmark(
    name="motivebench",
    title=TITLE,
    source=SOURCE,
    licence="none given (all rights reserved by default)",
    training={
        "test": base.Permission(False, "(no licence and no word on training in the repository: not without asking)")
    },
    load=load,
    score=score,
    asks=asks,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(tokens=(4096, 4096), repetition_penalty=1.05),  # client_eval.py
    names=("chicosirius/MotiveBench", "MotiveBench", *(f"{name}_questions" for name in ROWS)),
    published=(base.social_r1(0.8889, "fits 3200 of 3,600 (six orders) or 1600 of 1,800, never a count of 600"),),
)
