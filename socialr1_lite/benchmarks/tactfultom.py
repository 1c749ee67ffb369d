"""TactfulToM (EMNLP 2025): 100 white-lie conversations, 4,254 questions in twelve categories.

Official metric: accuracy per category; lists by exact set match, multiple choice by the option's number (options
shuffled, gold stored first), yes/no by word. No overall figure; justification is asked but not in the authors' script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import (
    SourceRow,
    counts_note,
    each_once,
    make_scenario,
    official_files,
    read_json_rows,
)
from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scalar
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally

TITLE = "TactfulToM"
SOURCE = "https://github.com/nii-cl/tactful-tom"
CONVERSATIONS = 100
# list of the file -> how it is answered, questions in the complete set
CATEGORIES: dict[str, tuple[base.Kind, int]] = {
    "comprehensionQA": ("yesno", 100),
    "justificationQA": ("choice", 100),
    "fact_reasonQA": ("choice", 100),
    "fact_truthQA": ("choice", 68),
    "beliefQAs": ("choice", 2016),
    "infoAccessibilityQA_list": ("names", 154),
    "infoAccessibilityQAs_binary": ("yesno", 446),
    "answerabilityQA_list": ("names", 168),
    "answerabilityQAs_binary": ("yesno", 504),
    "lieabilityQAs": ("choice", 198),
    "liedetectabilityQAs_list": ("names", 100),
    "liedetectabilityQAs_binary": ("yesno", 300),
}
UNSCORED = "justificationQA"  # not among the authors' question_categories
TARGETS = ("fact_question_real_reason", "comprehension_q", "fact_question_truth", "truth_question")  # in their order
EXPERT = "You are an expert in social reasoning."
SYSTEM: dict[tuple[base.Kind, bool], str] = {
    ("yesno", False): f"{EXPERT} Answer the following question with 'Yes' or 'No'. "
    "Remember: Your answer should ONLY include 'Yes' or 'No' with nothing else.",
    ("choice", False): f"{EXPERT} Answer the following question with the option number of the most appropriate answer. "
    "Remember: Your answer should ONLY include the option number with nothing else.",
    ("names", False): f"{EXPERT} List the required items and split them with commas. "
    "Remember: Your answer should ONLY include the required items spliited by commas with nothing else.",
    ("yesno", True): f"{EXPERT} Think step by step and give a final answer of 'Yes' or 'No' only.",
    ("choice", True): f"{EXPERT} Think step by step and give a final answer of the option number of "
    "the most appropriate answer.",
    ("names", True): f"{EXPERT} Think step by step, list the required items and split them with commas.",
}
ENDING = {"yesno": " Answer with yes or no.", "names": " Answer with their names only, separated by commas."}


def load(folder: Path) -> base.Loaded:
    """Load `Tactful_conv_set_*.json`: one object a conversation, with twelve lists of questions."""
    parts, files = [], []
    for path in official_files(folder, TITLE, ("Tactful_conv_set_*.json",), SOURCE):
        rows, file = read_json_rows(path)
        files.append(file)
        items = [
            _item(row, question, category)
            for row in rows
            for category in CATEGORIES
            if row.data.get(category)  # a category without questions is [] or missing
            for question in row.rows(category)
        ]
        parts.append((path.name, items))
    items, twice = each_once(parts)
    there = len({item.scenario.group for item in items})
    conversations = counts_note(TITLE, there, CONVERSATIONS, "conversations")
    questions = counts_note(TITLE, len(items), sum(count for _, count in CATEGORIES.values()), "questions")
    return base.Loaded(tuple(items), tuple(files), (conversations, questions, *twice))


def _item(conversation: SourceRow, row: SourceRow, category: str) -> base.Item:
    kind = CATEGORIES[category][0]
    options, gold, accepted, required, rejected = _answers(row, kind)
    target = _target(row)
    question = row.text("question").strip()
    labels: dict[str, Scalar] = {
        "category": category,
        "question_type": row.text("question_type"),
        "order": str(row.data.get("tom_type") or "").partition(":")[0] or None,
        "access": next((str(row.data[key]) for key in row.data if key.endswith("_accessibility")), None),
        "lie_type": conversation.text("lie_type"),
        "strict": kind == "choice" and len(options) == 4,
        "language": "en",
    }
    scenario = make_scenario(
        row,
        id=f"tactfultom/{row.text('q_id')}",
        story=conversation.text("full_context").strip(),
        question="\n".join(filter(None, (": ".join(target) if target[1] else "", question + ENDING.get(kind, "")))),
        options=options,
        gold=gold,
        accepted=accepted,
        dimension="belief" if category == "beliefQAs" else "knowledge",
        source="tactfultom",
        group=f"tactfultom/{conversation.text('set_id')}",
        meta=labels,
    )
    extra = {"question": row.text("question"), "heading": target[0], "target": target[1]}
    return base.Item(scenario, kind, required=required, rejected=rejected, extra=extra)


def _target(row: SourceRow) -> tuple[str, str]:
    """Return the line without which a list or yes/no question means nothing, with its heading."""
    if "information" in row.data:
        return "Information", row.text("information")
    key = next((key for key in TARGETS if key in row.data), None)
    return ("Target Question", row.text(key)) if key else ("", "")


Answers = tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _answers(row: SourceRow, kind: base.Kind) -> Answers:
    """Return options, gold, accepted text, required and rejected names. 68 beliefs have one wrong answer, as a text."""
    if kind == "names":
        required, rejected = row.texts("correct_answer", least=1), row.texts("wrong_answer")
        return (), (), (", ".join(required),), required, rejected
    if kind == "yesno":
        gold = row.text("correct_answer").strip().lower()
        if gold not in ("yes", "no"):
            raise DataError(f"{row.where}: gold {gold!r} must be yes or no")
        return (), (), (gold,), (), ()
    wrong = row.raw("wrong_answer")
    others = (wrong,) if isinstance(wrong, str) else row.texts("wrong_answer", least=1)
    options = (row.text("correct_answer"), *others)
    return options, tuple(at for at, option in enumerate(options) if option == options[0]), (), (), ()


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (get_original_results.py): options numbered from 1."""
    extra = ask.item.extra
    user = f"# Context:\n{ask.scenario.story}\n\n"
    if extra["target"]:
        user += f"# {extra['heading']}:\n{extra['target']}\n\n"
    user += f"# Question:\n{extra['question']}\n\n"
    if ask.item.kind == "choice":
        listed = "\n".join(f"{number}. {option}" for number, option in enumerate(ask.scenario.options, start=1))
        user += f"# Options:\n{listed}\n\n"
    user += "Let's think step by step:\n" if cot else ""
    return [{"role": "system", "content": SYSTEM[ask.item.kind, cot]}, {"role": "user", "content": user}]


def follow_up(first: list[Message], reply: str) -> list[Message]:
    """Write the second call of the step-by-step form: the first, the reasoning, and what asks for the answer."""
    system, user = first
    return [system, user | {"content": f"{user['content']}{reply}\n\nTherefore, the final answer is: "}]


def extract_number(text: str, options: int) -> int | None:
    """Read a choice as the authors do: the first character after "Option" or "answer:", if it is a number shown.

    The result counts from 0. A reply of "12" reads as 1, as theirs does.
    """
    if text.lower().startswith("option"):
        text = text[6:]
    elif found := re.search(r"[^}]*answer[^}]*:\s*([^}]+)", text, re.IGNORECASE):
        text = found[1].strip()
    first = text.strip(" #*:")[:1]
    return int(first) - 1 if first.isascii() and first.isdigit() and 1 <= int(first) <= options else None


def yes_or_no(text: str) -> str:
    """Read a yes/no reply as the authors do: the word yes anywhere, else the word no, else ""."""
    words = re.sub(r"[^\w\s]", "", text).lower().split()
    return "yes" if "yes" in words else "no" if "no" in words else ""


def names(text: str) -> set[str]:
    """Read a list as the authors do: split at commas, compared exactly (case counts)."""
    return {name.strip() for name in text.split(",")}


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read as the authors do."""
    if ask.item.kind == "choice":
        return [base.read_letter(ask, extract_number(text, len(ask.order)), text)]
    return [base.Reading(None, text, legible(ask.item, text))]


def pieces(ask: base.Ask, text: str) -> list[str]:
    """Return the reply with the numbers that stand for options as letters."""
    if ask.item.kind != "choice":
        return [text]
    number = r"(?im)(^\W*|\b(?:option|answer|choice|number|is)\b\W{0,4}|\W(?=[1-9]\W*$))([1-9])(?![\w%]|\.\d)"
    return [re.sub(number, lambda found: found[1] + ascii_uppercase[int(found[2]) - 1], text)]


def legible(item: base.Item, text: str) -> bool:
    """Return whether a yes/no reply has the word yes or no, a list some text."""
    return bool(yes_or_no(text)) if item.kind == "yesno" else bool(text.strip())


def right(answer: base.Answer) -> bool:
    """Return whether the answer is right, by the rule of its kind. A text that could not be read is wrong."""
    item, text = answer.item, answer.reading.text
    if item.kind == "choice":
        return answer.right
    if item.kind == "names":
        return names(text) == set(item.required)
    return yes_or_no(text) == item.scenario.accepted[0]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score accuracy per category; further cuts that are not the authors' are marked so."""
    labels = ("category", "order", "access", "lie_type", "strict")
    units = [base.unit(answer, float(right(answer)), *labels) for answer in answers]
    split = base.by_label(units, "category")
    categories = {name: replace(tally, official=name != UNSCORED) for name, tally in split.items()}
    strict = tuple(one for one in units if one.labels["strict"] == "True")
    metrics = {"accuracy": Tally(tuple(units), official=False), **categories, "choice of four": Tally(strict, False)}
    groups = {"category": categories}
    groups |= {name: base.by_label(units, name, official=False) for name in ("order", "access", "lie_type")}
    return base.tallied(metrics, groups)


BENCHMARK = base.Benchmark(
    name="tactfultom",
    title=TITLE,
    source=SOURCE,
    licence="none given (all rights reserved by default)",
    training={"test": base.Permission(False, "This dataset is for research and evaluation purposes only.")},
    load=load,
    score=score,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(temperature=0.2, tokens=(8192, 8192)),  # get_original_results.py
    follow_up=follow_up,
    pieces=pieces,
    legible=legible,
    names=("nii-cl/tactful-tom", "TactfulToM", "tactful-tom", *(f"Tactful_conv_set_{n}" for n in range(5))),
    published=(
        base.social_r1(
            0.5079,
            "fits 1226 of the 2,414 four-way choices or 1024 of the 2,016 beliefs; which questions is not documented",
        ),
    ),
)
