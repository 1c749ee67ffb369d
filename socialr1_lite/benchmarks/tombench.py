"""ToMBench (ACL 2024, arXiv 2402.15052): 2,860 questions in English and Chinese. Never to be trained on.

Official metric: each question is shown in five shuffled option orders, the majority of the five answers counts (of
equals the first seen), accuracy per task (file) and per ability; the authors report no overall figure.
"""
# ruff: noqa: E501, RUF001 (the authors' prompts, verbatim)

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
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
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally

TITLE = "ToMBench"
SOURCE = "https://github.com/zhchen18/ToMBench"
TRIES = 5  # the official try_times
FILE_ROWS = {
    "Ambiguous Story Task": 200, "Completion of Failed Actions": 20, "Discrepant Desires": 20,
    "Discrepant Emotions": 40, "Discrepant Intentions": 40, "Emotion Regulation": 20, "False Belief Task": 600,
    "Faux-pas Recognition Test": 560, "Hidden Emotions": 80, "Hinting Task Test": 103, "Knowledge-Attention Links": 20,
    "Knowledge-Pretend Play Links": 30, "Moral Emotions": 40, "Multiple Desires": 20, "Percepts-Knowledge Links": 40,
    "Persuasion Story Task": 100, "Prediction of Actions": 20, "Scalar Implicature Test": 200, "Strange Story Task": 407,
    "Unexpected Outcome Test": 300,
}  # fmt: skip
ABILITY, GOLD = "能力\nABILITY", "答案\nANSWER"
FIELDS = {
    "en": ("STORY", "QUESTION", ("OPTION-A", "OPTION-B", "OPTION-C", "OPTION-D")),
    "zh": ("故事", "问题", ("选项A", "选项B", "选项C", "选项D")),
}
SYSTEM = {
    ("en", False): """Below is a multiple-choice question with a story and serveral answer options. Based on the content of the story and the given question, please infer the most likely answer and output the answer index.
Note:
(1) Please only output the most likely answer index in the format: [[Answer Index]], for example, if the most likely answer option is 'A. Handbag', then output '[[A]]';
(2) You must choose one of the given answer options 'A, B, C, D' as the most likely answer, regardless of whether the story provides enough information. If you think there is not enough information in the story to choose an answer, please randomly output one of "[[A]]", "[[B]]", "[[C]]", or "[[D]]";
(3) Please only output the most likely answer index based on the given information, and do not output any other content.""",
    ("en", True): """Below is a multiple-choice question with a story and serveral answer options. Based on the content of the story and the given question, please infer the most likely answer and output the answer index.
Note:
(1) Please first think step by step, conduct analysis on the answers to the questions, and finally output the most likely answer index in the format: [[Answer Index]], for example, if the most likely answer option is 'A. Handbag', then output '[[A]]';
(2) You must choose one of the given answer options 'A, B, C, D' as the most likely answer, regardless of whether the story provides enough information. If you think there is not enough information in the story to choose an answer, please randomly output one of "[[A]]", "[[B]]", "[[C]]", or "[[D]]";
(3) Again, you must first output the results of step-by-step reasoning, and finally output the most likely answer index. You should not directly output the answer index.""",
    ("zh", False): """下面给你提供一段故事，一个问题和若干答案选项，请你根据故事内容和给定的问题，按照常理推测，选择一个最可能的答案选项，并输出答案序号。
注意：
（1）请只输出最可能的答案序号，格式为：[[答案序号]]，例如，最可能的答案选项为“A. 手提包”，则输出“[[A]]”；
（2）请必须从给定的答案选项“A、B、C、D”中选择一个做为最可能的答案作为输出，无论故事中是否提供足够的信息，如果你认为故事里没有足够的信息选出答案，请随机输出“[[A]]”，“[[B]]”，“[[C]]”，“[[D]]”其中之一；
（3）请只输出在给定的信息下最可能的答案序号，不要输出其他内容。""",
    ("zh", True): """下面给你提供一段故事，一个问题和若干答案选项，请你根据故事内容和给定的问题，按照常理推测，选择一个最可能的答案选项，并输出答案序号。
注意：
（1）请先一步步思考，对问题的答案进行推理分析，最后请输出最可能的答案序号，格式为：[[答案序号]]，例如，最可能的答案选项为“A. 手提包”，则输出“[[A]]”；
（2）请必须从给定的答案选项“A、B、C、D”中选择一个做为最可能的答案作为输出，无论故事中是否提供足够的信息，如果你认为故事里没有足够的信息选出答案，请随机输出“[[A]]”，“[[B]]”，“[[C]]”，“[[D]]”其中之一；
（3）再次强调，你必须先给出一步步推理的结果，最后再输出最可能的答案序号。你不应该直接输出答案。""",
}  # fmt: skip
HEADINGS = {"en": ("[Story]", "[Question]", "[Candidate Answers]"), "zh": ("[故事]", "[问题]", "[答案选项]")}


def load(folder: Path) -> base.Loaded:
    """Load the jsonl files of the repository's `data` folder, both languages as items of their own."""
    parts, files, dropped = [], [], []
    for path in official_files(folder, TITLE, with_parts(FILE_ROWS), SOURCE):
        rows, file = read_jsonl(path)
        files.append(file)
        items, task = [], next(stem for stem in FILE_ROWS if path.name.startswith(stem))
        for number, row in enumerate(rows, start=1):
            both = {language: _item(row, task, number, language) for language in FIELDS}
            items.append(both["zh"])
            # the row's languages disagree: its English question belongs to another story (1 such row in the release)
            if len(both["en"].scenario.options) == len(both["zh"].scenario.options):
                items.append(both["en"])
            else:
                dropped.append(row.where)
        parts.append((path.name, items))
    kept, twice = each_once(parts, counted=True)
    found = sum(item.label("language") == "zh" for item in kept)
    stems = {item.label("task") for item in kept}
    notes = [counts_note(TITLE, found, sum(FILE_ROWS.values())), f"{len(stems)} of {len(FILE_ROWS)} files"]
    notes += [f"left out in English, question and story do not belong together: {where}" for where in dropped]
    return base.Loaded(tuple(kept), tuple(files), (*notes, *twice))


def _item(row: SourceRow, stem: str, number: int, language: str) -> base.Item:
    story_field, question_field, option_fields = FIELDS[language]
    options = row.options(option_fields)
    ability = row.text(ABILITY).strip()
    scenario = make_scenario(
        row,
        id=f"tombench/{stem}/{number}/{language}",
        story=row.text(story_field).strip(),
        question=row.text(question_field).strip(),
        options=options,
        gold=(row.letter(GOLD, options),),
        dimension=ability.partition(":")[0].strip().casefold(),
        source="tombench",
        group=f"{stem}/{base.story_key(row.text('故事'))}",
        meta={"language": language, "task": stem, "ability": _ability_label(ability)},
    )
    return base.Item(scenario, extra={"story": row.text(story_field), "question": row.text(question_field)})


def _ability_label(ability: str) -> str:
    """Spell an ability one way: the release varies case and trailing space ("Non-literal communication: …")."""
    return ": ".join(part.strip().capitalize() for part in ability.split(":", 1) if part.strip())


def asks(items: Sequence[base.Item], seed: int, official: bool) -> list[base.Ask]:
    """Ask each item in five shuffled orders (the official protocol, under every prompt)."""
    views = [f"s{turn}" for turn in range(TRIES)]
    return [base.display(item, base.shuffled(item, seed, view), view) for item in items for view in views]


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (prompts.py): system and user message, in the item's language."""
    language = ask.item.label("language")
    story, question, answers = HEADINGS[language]
    options = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", ask.scenario.options, strict=False))
    extra = ask.item.extra  # with the white space of the file, as theirs
    user = f"{story}\n{extra['story']}\n\n{question}\n{extra['question']}\n\n{answers}\n{options}"
    return [{"role": "system", "content": SYSTEM[language, cot]}, {"role": "user", "content": user}]


def extract(text: str) -> str | None:
    """Extract as the authors do: [[X]] in the order A to D, then [X], then the last capital; None where they say A."""
    for form in ("[[{}]]", "[{}]"):
        for letter in "ABCD":
            if form.format(letter) in text:
                return letter
    letters = re.findall("[ABCD]", text)
    return letters[-1] if letters else None


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read as the authors do. No letter at all: they count "A", and so do we, but it is reported as unreadable."""
    letter = extract(text)
    reading = base.read_letter(ask, "ABCD".index(letter or "A"), text)
    return [reading if letter else base.Reading(reading.choice, text, False)]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score each question's majority answer; accuracy per task, ability and language, and the mean over questions."""
    labels = ("task", "ability", "language")
    votes: dict[tuple[str, int], list[base.Answer]] = {}
    for answer in answers:
        votes.setdefault((answer.item.scenario.id, answer.sample), []).append(answer)
    units = []
    for _, (first, *others) in sorted(votes.items()):
        choice = base.majority([vote.reading.choice for vote in (first, *others)])
        one = base.unit(first, float(choice in first.item.scenario.gold), *labels)
        units.append(replace(one, answers=tuple(vote.presentation for vote in (first, *others))))
    groups = {name: base.by_label(units, name) for name in labels}
    single = Tally(tuple(base.right_units(answers)), official=False)
    return base.tallied({"accuracy": Tally(tuple(units), official=False), "single_order_accuracy": single}, groups)


BENCHMARK = base.Benchmark(
    name="tombench",
    title=TITLE,
    source=SOURCE,
    licence="MIT",
    training={
        "test": base.Permission(
            False,
            "Use ToMBench for evaluation purposes only. Avoid using ToMBench data for training in any circumstance "
            "to prevent data contamination, which can lead to inflated performance.",
        )
    },
    load=load,
    score=score,
    asks=asks,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(top_p=0.99),  # run_api.py
    names=("zhchen18/ToMBench", "ToMBench", *FILE_ROWS),
    published=(
        base.social_r1(0.6881, "n and prompt not documented"),
        *(
            base.Published(label, value, "arXiv 2603.09249, published summary", "n and prompt not documented")
            for label, value in (("Qwen3-8B, thinking", 0.6179), ("Qwen3-8B, not thinking", 0.5349))
        ),
    ),
)
