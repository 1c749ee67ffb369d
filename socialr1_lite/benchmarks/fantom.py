"""FANToM (EMNLP 2023, arXiv 2310.15421): conversations that somebody missed a part of.

Never to be trained on. Official metrics, on questions about the inaccessible part and again, as a control, about the
accessible one: All and All* per set, belief by choice and by distance, lists, yes/no as weighted F1, facts as token
F1. Short context.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.fantom_metrics import binary, score
from socialr1_lite.benchmarks.files import (
    SourceRow,
    counts_note,
    each_once,
    make_scenario,
    official_files,
    read_csv,
    read_json_rows,
)
from socialr1_lite.errors import DataError
from socialr1_lite.sip import Message

TITLE = "FanToM"
SOURCE = "https://github.com/skywalker023/fantom (the loader there downloads fantom_v1.json)"
SETS = 870

# ------------------------------------------------------------------------------------------------ loading


def load(folder: Path) -> base.Loaded:
    """Load `fantom_v1.json` (or a part in its layout); else belief questions alone, from CSVs derived from it."""
    patterns = ("fantom_v1*.json", "official_layout*.json", "FANToM_tom_belief_*_short_context_*.csv")
    paths = official_files(folder, TITLE, patterns, SOURCE)
    whole = [path for path in paths if path.suffix == ".json"]
    return _load_sets(whole) if whole else _load_beliefs(paths)


@dataclass(frozen=True, slots=True)
class _Part:
    """What the questions about one stretch of conversation share. name: the set's id, "" in derived files."""

    name: str
    context: str

    def item(
        self,
        row: SourceRow,
        kind: base.Kind,
        part: str,
        place: str,
        right: tuple[str, ...],
        wrong: tuple[str, ...] = (),
        *,
        lead: str = "",
        **labels: str,
    ) -> base.Item:
        """Make one question. right, wrong: the answers, a choice's options. lead: the line that the question needs."""
        question = row.text("question") + (" Answer yes or no." if kind == "yesno" else "")
        choice = kind == "choice"
        scenario = make_scenario(
            row,
            id=f"fantom/{place}",
            story=self.context.strip(),
            question=f"{lead}\n{question}".strip(),
            dimension="belief" if part.startswith("belief") else "knowledge",
            source="fantom",
            group="fantom/" + (self.name.split("-")[0] if self.name else base.story_key(self.context)),
            meta={"part": part, "language": "en", **labels},
            options=right + wrong if choice else (),
            gold=(0,) if choice else (),
            accepted=() if choice else (", ".join(right),),
        )
        official = "\n".join(filter(None, (lead, f"Question: {question}")))
        return base.Item(scenario, kind, self.name, right, wrong, {"text": official})

    def beliefs(self, row: SourceRow, place: str, access: str, order: str, right: str, wrong: str) -> list[base.Item]:
        """Ask a belief question twice: as free text and as a choice of two."""
        make = partial(self.item, row, right=(right,), wrong=(wrong,), access=access, tom_type=order)
        return [make("belief", "belief:dist", place), make("choice", "belief:choice", f"{place}/choice")]


def _load_sets(paths: Sequence[Path]) -> base.Loaded:
    parts: list[tuple[str, list[base.Item]]] = []
    files: list[base.SourceFile] = []
    left_out: set[tuple[str, str]] = set()
    for path in paths:
        rows, file = read_json_rows(path)
        files.append(file)
        parts.append((path.name, [item for row in rows for item in _set_items(row, left_out)]))
    items, twice = each_once(parts)
    notes = [counts_note(TITLE, len({item.joint for item in items}), SETS, "sets")]
    why = Counter(reason for reason, _ in sorted(left_out))
    notes += [f"{n} yes/no questions left out: {reason}" for reason, n in why.items()]
    return base.Loaded(tuple(items), tuple(files), (*notes, *twice))


def _set_items(row: SourceRow, left_out: set[tuple[str, str]]) -> list[base.Item]:
    """Return the questions of one set; those without a fitting gold go to `left_out`, (why, which)."""
    part = _Part(row.text("set_id"), row.text("short_context"))
    fact = row.row("factQA")
    question, answer = fact.text("question"), fact.text("correct_answer")
    items = [part.item(fact, "fact", "fact", f"{part.name}/fact", (answer,))]
    for number, belief in enumerate(row.rows("beliefQAs")):
        right, wrong = belief.text("correct_answer"), belief.text("wrong_answer")
        place, order = f"{part.name}/belief{number}", belief.text("tom_type")
        items += part.beliefs(belief, place, _access(belief), order, right, wrong)
    items += _knowers(row, part, "answerability", "answerability", f"Target: {question}", left_out)
    lead = f"Information: {question} {answer}"
    return items + _knowers(row, part, "infoAccessibility", "info_accessibility", lead, left_out)


def _knowers(
    row: SourceRow, part: _Part, key: str, kind: str, lead: str, left_out: set[tuple[str, str]]
) -> list[base.Item]:
    """Ask who knows: one list question and a yes/no question for each character."""
    listed = row.row(f"{key}QA_list")
    right, wrong = listed.texts("correct_answer", least=1), listed.texts("wrong_answer")
    place, access = f"{part.name}/{kind}", _access(listed)
    items = [part.item(listed, "names", f"{kind}:list", f"{place}/list", right, wrong, lead=lead, access=access)]
    for number, asked in enumerate(row.rows(f"{key}QAs_binary")):
        gold = asked.raw("correct_answer")
        if gold is None:
            left_out.add(("the file gives no gold", f"{place}/{number}"))
        elif gold == "no:long":
            left_out.add(("gold no:long, which the authors drop with the short context", f"{place}/{number}"))
        elif gold not in ("yes", "no"):
            raise DataError(f"{asked.where}: gold {gold!r} must be yes, no or no:long")
        else:
            at, right, access = f"{place}/{number}", (str(gold),), _access(asked)
            items.append(part.item(asked, "yesno", f"{kind}:binary", at, right, lead=lead, access=access))
    return items


def _access(row: SourceRow) -> str:
    access = row.text("missed_info_accessibility")
    if access not in ("accessible", "inaccessible"):
        raise DataError(f"{row.where}: missed_info_accessibility {access!r} must be accessible or inaccessible")
    return access


def _load_beliefs(paths: Sequence[Path]) -> base.Loaded:
    """Load belief questions of third-party CSVs (columns context, question, answer_choices): no sets, so no All."""
    parts: list[tuple[str, list[base.Item]]] = []
    files: list[base.SourceFile] = []
    for path in paths:
        rows, file = read_csv(path)
        files.append(file)
        items: list[base.Item] = []
        access = "inaccessible" if "_inaccessible_" in path.name else "accessible"
        order = "first-order" if "first-order" in path.name else "second-order"
        for number, row in enumerate(rows):
            part = _Part("", row.text("context"))
            items += part.beliefs(row, f"{access}/{order}/{number}", access, order, *_choices(row))
        parts.append((path.name, items))
    kept, twice = each_once(parts, counted=True)
    note = counts_note(TITLE, len(kept) // 2, 1540, "belief questions, from derived files: no sets, so no All")
    return base.Loaded(tuple(kept), tuple(files), (note, *twice))


def _choices(row: SourceRow) -> tuple[str, str]:
    """Return the two answers of a Python-list cell; the right one, repeated in gt_answer, comes first."""
    try:
        choices = ast.literal_eval(row.text("answer_choices"))
    except (ValueError, SyntaxError):
        choices = None
    if not isinstance(choices, list) or len(choices) != 2 or not all(isinstance(one, str) for one in choices):
        raise DataError(f"{row.where}: answer_choices must be a list of two texts")
    if row.text("gt_answer").strip() != choices[0].strip():
        raise DataError(f"{row.where}: gt_answer is not the first of answer_choices")
    return choices[0], choices[1]


# ------------------------------------------------------------------------------------------------ asking


def prompt(ask: base.Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (eval_fantom.py), one user message."""
    body = f"{ask.scenario.story}\n\n{ask.item.extra['text']}"
    if ask.item.kind == "choice":
        listed = "\n".join(f"({letter}) {option}" for letter, option in zip("ab", ask.scenario.options, strict=True))
        body += f"\n{listed}\n\nChoose an answer from above:"
    else:
        body += "\nAnswer:"
    body += " Let's think step by step." if cot else ""
    return [{"role": "user", "content": body}]


def legible(item: base.Item, text: str) -> bool:
    """Return whether a yes/no reply has one of the authors' keywords, any other some text."""
    return binary(text) >= 0 if item.kind == "yesno" else bool(text.strip())


def names_letter(text: str, letter: str) -> bool:
    """Return whether a reply chooses this letter by the authors' test: "(a)" anywhere, a leading a) a. a: a, or "a"."""
    text = text.lower()
    return text.startswith(tuple(f"{letter}{mark}" for mark in ").:,")) or f"({letter})" in text or text == letter


def follow_up(first: list[Message], reply: str) -> list[Message]:
    """Write the second call of the step-by-step form: the first, the reasoning, and what asks for the answer."""
    (user,) = first
    return [user | {"content": f"{user['content']} {behind_marker(reply)}\n\nTherefore, the answer is:"}]


def behind_marker(text: str) -> str:
    """Return what a reply says behind the last words of the prompt, where it repeats them."""
    marker = "Answer:" if "Answer:" in text else "Choose an answer from above:"
    return text.split(marker)[-1].strip() if marker in text else text


def read(ask: base.Ask, text: str, cot: bool) -> list[base.Reading]:
    """Read as the authors do."""
    answer = behind_marker(text)
    if ask.item.kind != "choice":
        return [base.Reading(None, answer, legible(ask.item, answer))]
    named = [place for place, letter in enumerate("ab") if names_letter(answer, letter)]
    right = [place for place in named if ask.order[place] in ask.item.scenario.gold]
    return [base.read_letter(ask, next(iter(right or named), None), answer)]


BENCHMARK = base.Benchmark(
    name="fantom",
    title=TITLE,
    source=SOURCE,
    licence="MIT",
    training={"test": base.Permission(False, "The samples in FANToM should only be used for evaluation purposes.")},
    load=load,
    score=score,
    prompt=prompt,
    read=read,
    protocol=base.Protocol(top_p=0.95, tokens=(256, 256)),  # eval_fantom.py, agents/
    follow_up=follow_up,
    legible=legible,
    names=("skywalker023/fantom", "FANToM", "fantom_v1"),
)
