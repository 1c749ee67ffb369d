"""EmoBench (ACL 2024): emotional application (EA, 200) and understanding (EU, 200), each in English and Chinese.

Official metric: EA by exact letter; EU counts only when emotion *and* cause are both right. Per category and
overall, separately per task and language; the authors' code has no combined figure.
"""
# ruff: noqa: E501, RUF001 (the authors' prompts, verbatim)

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from socialr1_lite.errors import DataError
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally

TITLE = "EmoBench"
SOURCE = "https://github.com/Sahandfer/EmoBench"
ROWS = {"EA": 400, "EU": 400}
NO_THINK = "their direct prompt begins with /no_think for a Qwen model"
LETTERS = tuple("ABCDEFG")
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
    ("en", False): "Provide only one single correct answer to this question.  Do not provide any additional information or explanations. The response should be in the following JSON format:\n",
    ("en", True): "Provide a step-by-step reasoning that explores each option's potential impact on the individual(s) in question, considering their emotions, previous experiences mentioned in the scenario, and the possible outcomes of each choice. Then, select the most appropriate answer based on your reasoning. The response should be in the following JSON format:\n",
    ("zh", False): "只提供一个正确的答案。 不要提供任何额外的信息或解释。 回复应采用以下JSON格式：\n",
    ("zh", True): "提供逐步推理，探索每个选项对相关个人的潜在影响，考虑他们的情绪、场景中提到的先前经历以及每个选择的可能结果。 然后，根据你的推理选择最合适的答案。 回复应采用以下JSON格式：\n",
}  # fmt: skip
KEYS = {
    ("EA", "en"): '"answer": "<Respond with the corresponding letter numbering>"\n',
    ("EA", "zh"): '"answer": "<用相应的字母进行回答>"\n',
    ("EU", "en"): '"answer_q1": "<Respond to the Question 1 with the corresponding letter numbering>",\n"answer_q2": "<Respond to the Question 2 with the corresponding letter numbering>"\n',
    ("EU", "zh"): '"answer_q1": "<用相应的字母进行回答问题1>",\n"answer_q2": "<用相应的字母进行回答问题2>"\n',
}  # fmt: skip
REASONING = {"en": '"reasoning": "<Step by step reasoning>"\n', "zh": '"reasoning": "<逐步推理>"'}
HEADINGS = {
    "en": ("## Scenario", "## Question", "## Choices", "## Choices for Question {}"),
    "zh": ("## 场景", "## 问题", "## 选项", "## 问题 {} 的选项"),
}


def load(folder: Path) -> base.Loaded:
    """Load `EA.jsonl` and `EU.jsonl`. An EU row becomes two items, emotion and cause, joined by their row."""
    found, files = [], []
    for path in official_files(folder, TITLE, with_parts(ROWS), SOURCE):
        rows, file = read_jsonl(path)
        files.append(file)
        found.append((path.name, [item for row in rows for item in _items(row, path.name[:2])]))
    items, twice = each_once(found)
    there = Counter(task for task, _ in {(item.label("task")[:2], item.joint) for item in items})
    notes = [counts_note(f"{TITLE} {task}", there[task], ROWS[task]) for task in ROWS if there[task]]
    return base.Loaded(tuple(items), tuple(files), (*notes, *twice))


def _items(row: SourceRow, task: str) -> Iterator[base.Item]:
    language, subject = row.text("language"), row.text("subject")
    if language not in ("en", "zh"):
        raise DataError(f"{row.where}: language {language!r} must be en or zh")
    if task == "EA":
        kind, labels = row.text("question type"), {"category": row.text("category")}
    else:
        kind, labels = "", {"category": row.text("coarse_category"), "fine_category": row.text("finegrained_category")}
    joint = f"emobench/{task}/{language}/{row.text('qid')}"
    for part, prefix in (("EA", ""),) if task == "EA" else (("emotion", "emotion_"), ("cause", "cause_")):
        options = tuple(option.strip() for option in row.texts(f"{prefix}choices", least=2))
        scenario = make_scenario(
            row,
            id=joint if task == "EA" else f"{joint}/{part}",
            story=row.text("scenario").strip(),
            question=QUESTIONS[part, language].format(kind=kind, subject=subject),
            options=options,
            gold=row.gold_text(f"{prefix}label", options),
            dimension="emotion",
            source="emobench",
            group=joint,
            meta={"task": f"{task} {language}", "part": part, "language": language, **labels},
        )
        yield base.Item(scenario, joint=joint, extra={"scenario": row.text("scenario")})


def asks(items: Sequence[base.Item], seed: int, official: bool) -> list[base.Ask]:
    """Shuffle options by seed; with the authors' prompt keep the stored order, EU's two questions in one prompt."""
    if not official:
        return base.one_shuffled_view(items, seed)
    stored = {item.scenario.id: base.display(item, range(len(item.scenario.options))) for item in items}
    out = []
    for name, ask in stored.items():
        cause = stored.get(name.removesuffix("/emotion") + "/cause")
        if name.endswith("/emotion") and cause:
            ask = replace(ask, partner=cause)
        if not name.endswith("/cause") or name.removesuffix("/cause") + "/emotion" not in stored:
            out.append(ask)
    return out


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (configs/*.yaml): instructions and JSON form as system message, question as user's."""
    language = ask.item.label("language")
    task = "EU" if ask.partner else "EA"
    keys = (f"{REASONING[language]},\n" if cot else "") + KEYS[task, language]
    system = f"{SYSTEM[language]}\n{FORMAT[language, cot]}\n```json\n    {{\n    {keys}\n    }}\n``` \n    "
    story, question, choices, numbered = HEADINGS[language]
    if ask.partner is None:
        space = " " if language == "en" else ""  # a trailing one in their English prompt
        parts = [f"{question}{space}\n{ask.scenario.question}", f"{choices}\n{_listed(ask)}"]
    else:
        parts = []
        for number, one in enumerate(ask.questions, start=1):
            parts += [f"{question} {number}\n{one.scenario.question}", f"{numbered.format(number)}\n{_listed(one)}"]
    user = "\n\n".join([f"{story}\n{ask.item.extra['scenario']}", *parts])
    if task == "EA" or language == "en":  # their file ends right after the Chinese EU prompt
        user += "\n"
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _listed(ask: base.Ask) -> str:
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


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read exact letters from the reply's JSON; whatever is not exactly one letter is wrong, as in the authors' code."""
    reply = parse_json(text)
    letters = map(reply.get, ("answer_q1", "answer_q2") if ask.partner else ("answer",))
    return [
        base.read_letter(one, LETTERS.index(letter) if letter in LETTERS else None, text)
        for one, letter in zip(ask.questions, letters, strict=True)
    ]


def pieces(ask: base.Ask, text: str) -> list[str]:
    """Return what a reply says to each question: the field of its JSON, or what stands behind the field's name."""
    if ask.partner is None:
        return [text]
    found = [
        re.search(rf"(?i)\b(?:answer|question|问题|答案)[_ ]?q?{n}\W{{0,6}}([A-G])(?![a-z])", text) for n in (1, 2)
    ]
    return [one[1] if one else "" for one in found]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score EA right or wrong; EU one unit a row, right when every part asked is. Per task, language and category."""
    units = base.joint_units(answers, "task", "language", "category")
    tasks = base.by_label(units, "task")
    metrics = {"accuracy": Tally(tuple(units), official=False), **tasks}
    groups = {"task": tasks, "language": base.by_label(units, "language", official=False)}
    for task in tasks:
        groups[f"category, {task}"] = base.by_label([u for u in units if u.labels["task"] == task], "category")
    for part in ("emotion", "cause"):
        alone = base.right_units((answer for answer in answers if answer.item.label("part") == part), "task")
        for task, tally in base.by_label(alone, "task", official=False).items():
            metrics[f"{task} {part} alone"] = tally
    return base.tallied(metrics, groups)


BENCHMARK = base.Benchmark(
    name="emobench",
    title=TITLE,
    source=SOURCE,
    licence="MIT",
    training={
        "test": base.Permission(False, "(the only split, and an evaluation split; its authors do not forbid training)")
    },
    load=load,
    score=score,
    asks=asks,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(temperature=0.6, of_models=(("qwen", NO_THINK),)),  # model.py
    pieces=pieces,
    hub="SahandSab/EmoBench",
    names=("SahandSab/EmoBench", "Sahandfer/EmoBench", "EmoBench"),
    published=(base.social_r1(0.7010, "how EA, EU and the languages were combined is not documented"),),
)
