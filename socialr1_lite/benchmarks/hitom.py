"""Hi-ToM (EMNLP Findings 2023, arXiv 2310.16755): 600 questions on beliefs of order 0 to 4, fifteen options.

Official metric: accuracy per order, and the stricter joint accuracy (a question counts only if all lower orders
of its story are right too). How the authors read replies is in the history of their repository alone (before
50242d0), another way for each model; replies that they could not read they left out, here such are wrong. The file holds
every question twice, and the VP copies contradict the CoTP copies in 138 of 600 golds, which are the right
ones by a simulation of the stories: only the 600 CoTP rows are used.
"""
# ruff: noqa: E501 (the authors' prompts, verbatim)

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import (
    SourceRow,
    as_row,
    counts_note,
    each_once,
    make_scenario,
    official_files,
    read_json,
)
from socialr1_lite.benchmarks.lenient import lenient_option
from socialr1_lite.errors import DataError
from socialr1_lite.sip import Message
from socialr1_lite.statistics import Tally, Unit

TITLE = "Hi-ToM"
SOURCE = "https://github.com/ying-hui-he/Hi-ToM_dataset"
ROWS = 600
NOTE = (
    "Note: You should assume the following. (1) An agent witnesses everything and every movements before exiting a "
    "location. (2) An agent A can infer another agent B's mental state only if A and B have been in the same location, "
    "or have private or public interactions. (3) Note that every agent tend to lie. What a character tells others "
    "doesn't affect his actual belief. An agent tend to trust a agent that exited the room later than himself. The exit "
    "order is known to all agents. (4) Agents in private communications know that others won't hear them, but they know "
    "that anyone can hear any public claims."
)
INSTRUCTION = {
    False: "Read the following story and answer the multiple-choice question. Please provide answer without explanations.",
    True: "Read the following story and answer the multiple-choice question. Think step-by-step. "
    "Provide the answer first, and then explain it.",
}


def load(folder: Path) -> base.Loaded:
    """Load `Hi-ToM_data.json`; VP rows are counted and left out."""
    found, files, left = [], [], set()
    for path in official_files(folder, TITLE, ("Hi-ToM_data*.json",), SOURCE):
        value, digest = read_json(path)
        rows = as_row(path.name, value).rows("data")
        files.append(base.SourceFile(path.name, digest, len(rows)))
        if wrong := [row for row in rows if row.text("prompting_type") not in ("CoTP", "VP")]:
            raise DataError(f"{wrong[0].where}: prompting_type {wrong[0].data['prompting_type']!r} must be CoTP or VP")
        kept = [row for row in rows if row.text("prompting_type") == "CoTP"]
        found.append((path.name, [_item(row) for row in kept]))
        left |= {row.whole("sample_id") for row in rows if row.text("prompting_type") == "VP"}
    items, twice = each_once(found)
    count = counts_note(TITLE, len(items), ROWS, "CoTP rows")
    note = f"{len(left)} VP rows left out: they repeat the questions and contradict 138 golds"
    return base.Loaded(tuple(items), tuple(files), (count, note, *twice))


def clean_story(story: str) -> str:
    """Return the story without the leaked instruction line and the stray "***" that some rows carry."""
    lines = story.strip().splitlines()
    if lines and lines[0].startswith("Read the following story"):
        lines = lines[1:]
    return "\n".join(line for line in lines if line.strip(" *")).strip()


def _item(row: SourceRow) -> base.Item:
    story = clean_story(row.text("story"))
    lettered = re.split(r",\s*(?=[A-Z]\. )", row.text("choices").strip())
    options = tuple(re.sub(r"^[A-Z]\. ", "", option).strip() for option in lettered)
    order = row.whole("question_order")
    scenario = make_scenario(
        row,
        id=f"hi-tom/{row.whole('sample_id')}",
        story=story,
        question=row.text("question").strip(),
        options=options,
        gold=row.gold_text("answer", options),
        dimension="belief",
        source="hi-tom",
        group=base.story_key(story),
        meta={
            "order": order,
            "length": row.whole("story_length"),
            "deception": "tell" if row.raw("deception") is True else "no tell",
            "language": "en",
        },
    )
    return base.Item(scenario, joint=scenario.group)


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt, with the note that the answers rest on. One user message."""
    shown = ask.scenario
    choices = ", ".join(f"{letter}. {option}" for letter, option in zip(ascii_uppercase, shown.options, strict=False))
    user = f"{INSTRUCTION[cot]}\nStory:\n{shown.story}\nQuestion: {shown.question}\nChoices: {choices}\n\n{NOTE}"
    return [{"role": "user", "content": user}]


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read what the reply settles on (the authors published none of their readers)."""
    return [base.read_letter(ask, lenient_option(text, ask.scenario.options), text)]


def score(answers: Sequence[base.Answer]) -> base.Scores:
    """Score accuracy per order, length and tell/no-tell; joint accuracy per order, over stories asked at lower orders."""
    labels = ("order", "length", "deception")
    units = base.right_units(answers, *labels)
    groups = {name: base.by_label(units, name) for name in labels}
    metrics = {"accuracy": Tally(tuple(units), official=False)}
    metrics |= {f"order {order}": tally for order, tally in groups["order"].items()}
    groups["joint, order"] = base.by_label(_joint(answers), "order")
    metrics |= {f"joint order {order}": tally for order, tally in groups["joint, order"].items()}
    return base.tallied(metrics, groups)


def _joint(answers: Sequence[base.Answer]) -> list[Unit]:
    stories: dict[tuple[str, int], dict[int, bool]] = defaultdict(dict)
    for answer in answers:
        stories[answer.item.joint, answer.sample][int(answer.item.label("order"))] = answer.right
    units = []
    for (story, sample), right in stories.items():
        for order in sorted(right):
            asked = [right.get(at) for at in range(order + 1)]
            if None not in asked:
                units.append(Unit(f"{story}/{order}#{sample}", story, float(all(asked)), {"order": str(order)}))
    return units


BENCHMARK = base.Benchmark(
    name="hi-tom",
    title=TITLE,
    source=SOURCE,
    licence="Apache-2.0",
    training={
        "test": base.Permission(
            False, "(the released questions are an evaluation set; freshly generated stories are not)"
        )
    },
    load=load,
    score=score,
    asks=base.as_stored_for_authors,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(
        differs=("its authors took out of their repository how they sample and read, another way for each model",)
    ),
    hub="Hi-ToM/Hi-ToM_Dataset",
    names=("Hi-ToM/Hi-ToM_Dataset", "ying-hui-he/Hi-ToM_dataset", "Hi-ToM", "hitom", "Hi-ToM_data"),
    published=(base.social_r1(0.7083, "is 425 of 600 questions"),),
)
