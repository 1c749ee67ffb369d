"""EmoBench (ACL 2024): emotional application (EA, 200) and understanding (EU, 200), each in English and Chinese.

Official metric: EA by exact letter; EU counts only when emotion *and* cause are both right. Per category and
overall, separately per task and language; the authors' code has no combined figure.
"""
# ruff: noqa: E501, RUF001 (the authors' prompts, verbatim)

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from socialr1_lite.benchmarks.base import (
    Answer,
    Ask,
    Benchmark,
    Item,
    Loaded,
    Permission,
    Reading,
    Scores,
    SourceFile,
    by_label,
    display,
    joined,
    read_letter,
    shuffled,
    social_r1,
    unit,
)
from socialr1_lite.benchmarks.files import SourceRow, counts_note, make_scenario, official_files, read_jsonl
from socialr1_lite.errors import DataError
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally, Unit

TITLE = "EmoBench"
SOURCE = "https://github.com/Sahandfer/EmoBench"
ROWS = {"EA": 400, "EU": 400}
LETTERS = "ABCDEFG"
QUESTIONS = {
    ("EA", "en"): "In this scenario, what is the most effective {kind} for {subject}?",
    ("EA", "zh"): "在这个场景中，{subject}最有效的{kind}是什么？",
    ("emotion", "en"): "What emotion(s) would {subject} ultimately feel in this situation?",
    ("emotion", "zh"): "在这种情况下，{subject}最终会感受到什么情绪？",
    ("cause", "en"): "Why would {subject} feel these emotions in this situation?",
    ("cause", "zh"): "{subject}为什么会在这种情况下感受到这些情绪？",
}
SYSTEM = {
    "en": "# Instructions\n\nIn this task, you are presented with a scenario, a question, and multiple choices. \nCarefully analyze the scenario and take the perspective of the individual involved.\nThen, select the option that best reflects their perspective or emotional response.\n\n# Output\n",
    "zh": "# 说明\n在这个任务中，你会面临一个场景、一个问题和多个选项。\n仔细分析场景，并从相关人员的角度进行思考。\n然后，选择最能反映他们的观点或情绪反应的选项。\n\n# 输出\n",
}
FORMAT = {
    (
        "en",
        False,
    ): "Provide only one single correct answer to this question.  Do not provide any additional information or explanations. The response should be in the following JSON format:\n",
    (
        "en",
        True,
    ): "Provide a step-by-step reasoning that explores each option's potential impact on the individual(s) in question, considering their emotions, previous experiences mentioned in the scenario, and the possible outcomes of each choice. Then, select the most appropriate answer based on your reasoning. The response should be in the following JSON format:\n",
    ("zh", False): "只提供一个正确的答案。 不要提供任何额外的信息或解释。 回复应采用以下JSON格式：\n",
    (
        "zh",
        True,
    ): "提供逐步推理，探索每个选项对相关个人的潜在影响，考虑他们的情绪、场景中提到的先前经历以及每个选择的可能结果。 然后，根据你的推理选择最合适的答案。 回复应采用以下JSON格式：\n",
}
KEYS = {
    ("EA", "en"): '"answer": "<Respond with the corresponding letter numbering>"\n',
    ("EA", "zh"): '"answer": "<用相应的字母进行回答>"\n',
    (
        "EU",
        "en",
    ): '"answer_q1": "<Respond to the Question 1 with the corresponding letter numbering>",\n"answer_q2": "<Respond to the Question 2 with the corresponding letter numbering>"\n',
    ("EU", "zh"): '"answer_q1": "<用相应的字母进行回答问题1>",\n"answer_q2": "<用相应的字母进行回答问题2>"\n',
}
REASONING = {"en": '"reasoning": "<Step by step reasoning>"\n', "zh": '"reasoning": "<逐步推理>"'}
HEADINGS = {
    "en": ("## Scenario", "## Question", "## Choices", "## Choices for Question {}"),
    "zh": ("## 场景", "## 问题", "## 选项", "## 问题 {} 的选项"),
}


def load(folder: Path) -> Loaded:
    """Load `EA.jsonl` and `EU.jsonl`. An EU row becomes two items, emotion and cause, joined by their row."""
    items, files, notes = [], [], []
    for path in official_files(folder, TITLE, ("EA.jsonl", "EU.jsonl"), SOURCE):
        rows, digest = read_jsonl(path)
        files.append(SourceFile(path.name, digest, len(rows)))
        items += [item for row in rows for item in (_application(row) if path.stem == "EA" else _understanding(row))]
        notes.append(counts_note(f"{TITLE} {path.stem}", len(rows), ROWS[path.stem]))
    return Loaded(tuple(items), tuple(files), tuple(notes))


def _language(row: SourceRow) -> str:
    language = row.text("language")
    if language not in ("en", "zh"):
        raise DataError(f"{row.where}: language {language!r} must be en or zh")
    return language


def _application(row: SourceRow) -> list[Item]:
    language = _language(row)
    question = QUESTIONS["EA", language].format(kind=row.text("question type"), subject=row.text("subject"))
    return [_item(row, "EA", question, "choices", "label", {"category": row.text("category")})]


def _understanding(row: SourceRow) -> list[Item]:
    language, subject = _language(row), row.text("subject")
    labels = {"category": row.text("coarse_category"), "fine_category": row.text("finegrained_category")}
    return [
        _item(row, part, QUESTIONS[part, language].format(subject=subject), f"{part}_choices", f"{part}_label", labels)
        for part in ("emotion", "cause")
    ]


def _item(row: SourceRow, part: str, question: str, choices: str, label: str, labels: dict[str, str]) -> Item:
    language, task = _language(row), "EA" if part == "EA" else "EU"
    options = tuple(option.strip() for option in row.texts(choices, least=2))
    joint = f"emobench/{task}/{language}/{row.text('qid')}"
    scenario = make_scenario(
        row,
        id=joint if task == "EA" else f"{joint}/{part}",
        story=row.text("scenario").strip(),
        question=question,
        options=options,
        gold=row.gold_text(label, options),
        dimension="emotion",
        source="emobench",
        group=joint,
        meta={"task": f"{task} {language}", "part": part, "language": language, **labels},
    )
    return Item(scenario, joint=joint)


def asks(items: Sequence[Item], seed: int, official: bool) -> list[Ask]:
    """Shuffle options by seed; with the authors' prompt keep the stored order, EU's two questions in one prompt."""
    if not official:
        return [display(item, shuffled(item, seed), "") for item in items]
    stored = {item.scenario.id: display(item, range(len(item.scenario.options)), "") for item in items}
    out = []
    for name, ask in stored.items():
        cause = stored.get(name.removesuffix("/emotion") + "/cause")
        if name.endswith("/emotion") and cause:
            ask = Ask(ask.item, ask.scenario, ask.order, ask.view, partner=cause)
        if not name.endswith("/cause") or name.removesuffix("/cause") + "/emotion" not in stored:
            out.append(ask)
    return out


def prompt(ask: Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (configs/*.yaml): instructions and JSON form as system message, question as user's."""
    language = ask.item.label("language")
    task = "EU" if ask.partner else "EA"
    keys = KEYS[task, language]
    if cot:
        keys = f"{REASONING[language]},\n{keys}"
    system = f"{SYSTEM[language]}\n{FORMAT[language, cot]}\n```json\n    {{\n    {keys}\n    }}\n``` \n    "
    story, question, choices, numbered = HEADINGS[language]
    if ask.partner is None:
        space = " " if language == "en" else ""  # a trailing one in their English prompt
        parts = [f"{question}{space}\n{ask.scenario.question}", f"{choices}\n{_listed(ask)}"]
    else:
        parts = []
        for number, one in enumerate((ask, ask.partner), start=1):
            parts += [f"{question} {number}\n{one.scenario.question}", f"{numbered.format(number)}\n{_listed(one)}"]
    user = "\n\n".join([f"{story}\n{ask.scenario.story}", *parts])
    if task == "EA" or language == "en":  # their file ends right after the Chinese EU prompt
        user += "\n"
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _listed(ask: Ask) -> str:
    return "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, ask.scenario.options, strict=False))


def parse_json(text: str) -> Mapping[str, object]:
    """Read as the authors do: the first ```json block, else the whole reply, as a JSON object; {} when it is none."""
    if fenced := re.search(r"```json\s*([\s\S]*?)```", text):
        text = fenced[1]
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def read(ask: Ask, text: str, cot: bool) -> list[Reading]:
    """Read exact letters from the reply's JSON; whatever is not exactly one letter is wrong, as in the authors' code."""
    reply = parse_json(text)
    if ask.partner is None:
        return [_letter(ask, reply.get("answer", ""), text)]
    return [_letter(ask, reply.get("answer_q1", ""), text), _letter(ask.partner, reply.get("answer_q2", ""), text)]


def _letter(ask: Ask, value: object, text: str) -> Reading:
    place = LETTERS.index(value) if isinstance(value, str) and len(value) == 1 and value in LETTERS else None
    return read_letter(ask, place, text)


def score(answers: Sequence[Answer]) -> Scores:
    """Score EA right or wrong; EU one unit a row, right when every part asked is. Per task, language and category."""
    units = [_row_unit(parts) for parts in joined(answers).values()]
    if not units:
        return Scores({}, {})
    tasks = by_label(units, "task")
    metrics = {"accuracy": Tally(tuple(units), official=False), **tasks}
    groups = {"task": tasks, "language": by_label(units, "language", official=False)}
    for task in tasks:
        groups[f"category, {task}"] = by_label([u for u in units if u.labels["task"] == task], "category")
    for part in ("emotion", "cause"):
        alone = [unit(a, float(a.right), "task") for a in answers if a.item.label("part") == part]
        metrics |= {f"{task} {part} alone": tally for task, tally in by_label(alone, "task", official=False).items()}
    return Scores(metrics, groups)


def _row_unit(parts: Sequence[Answer]) -> Unit:
    first = parts[0]
    one = unit(first, float(all(answer.right for answer in parts)), "task", "language", "category")
    return replace(one, key=f"{first.item.joint}#{first.sample}" if first.sample else first.item.joint)


BENCHMARK = Benchmark(
    name="emobench",
    title=TITLE,
    source=SOURCE,
    licence="MIT",
    training={
        "test": Permission(False, "(the only split, and an evaluation split; its authors do not forbid training)")
    },
    rows=ROWS,
    load=load,
    score=score,
    asks=asks,
    prompt=prompt,
    read=read,
    hub="SahandSab/EmoBench",
    languages=("en", "zh"),
    names=("SahandSab/EmoBench", "Sahandfer/EmoBench", "EmoBench"),
    published=(social_r1(0.7010, "how EA, EU and the languages were combined is not documented"),),
)
