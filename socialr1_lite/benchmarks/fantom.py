"""FANToM (EMNLP 2023, arXiv 2310.15421): conversations that somebody missed a part of.

Never to be trained on. Official metrics, on questions about the inaccessible part and again, as a control, about the
accessible one: All and All* per set, belief by choice and by distance, lists, yes/no as weighted F1, facts as token
F1. Short context.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from socialr1_lite.benchmarks.base import (
    Ask,
    Benchmark,
    Item,
    Kind,
    Loaded,
    Permission,
    Reading,
    SourceFile,
    read_letter,
    story_key,
)
from socialr1_lite.benchmarks.fantom_metrics import binary, score
from socialr1_lite.benchmarks.files import (
    SourceRow,
    counts_note,
    make_scenario,
    official_files,
    read_csv,
    read_json_rows,
)
from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scalar
from socialr1_lite.sip import Message

TITLE = "FanToM"
SOURCE = "https://github.com/skywalker023/fantom (the loader there downloads fantom_v1.json)"
SETS = 870

# ------------------------------------------------------------------------------------------------ loading


def load(folder: Path) -> Loaded:
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
        kind: Kind,
        part: str,
        place: str,
        *,
        lead: str = "",
        ending: str = "",
        required: tuple[str, ...] = (),
        rejected: tuple[str, ...] = (),
        labels: Mapping[str, Scalar] = MappingProxyType({}),
        options: tuple[str, ...] = (),
        gold: tuple[int, ...] = (),
        accepted: tuple[str, ...] = (),
    ) -> Item:
        """Make one question. lead: the line it rests on; ending: what it asks for."""
        question = row.text("question") + ending
        scenario = make_scenario(
            row,
            id=f"fantom/{place}",
            story=self.context.strip(),
            question=f"{lead}\n{question}".strip(),
            dimension="belief" if part.startswith("belief") else "knowledge",
            source="fantom",
            group="fantom/" + (self.name.split("-")[0] if self.name else story_key(self.context)),
            meta={"part": part, "language": "en", **labels},
            options=options,
            gold=gold,
            accepted=accepted,
        )
        official = "\n".join(filter(None, (lead, f"Question: {question}")))
        return Item(scenario, kind, self.name, required, rejected, {"text": official})

    def beliefs(self, row: SourceRow, place: str, access: str, order: str, right: str, wrong: str) -> list[Item]:
        """Ask a belief question twice: as free text and as a choice of two."""
        labels: dict[str, Scalar] = {"access": access, "tom_type": order}
        free = self.item(
            row, "belief", "belief:dist", place, required=(right,), rejected=(wrong,), labels=labels, accepted=(right,)
        )
        choice = self.item(
            row, "choice", "belief:choice", f"{place}/choice", labels=labels, options=(right, wrong), gold=(0,)
        )
        return [free, choice]


def _load_sets(paths: Sequence[Path]) -> Loaded:
    items: list[Item] = []
    files: list[SourceFile] = []
    left_out: Counter[str] = Counter()
    for path in paths:
        rows, digest = read_json_rows(path)
        files.append(SourceFile(path.name, digest, len(rows)))
        for row in rows:
            items += _set_items(row, left_out)
    notes = [counts_note(TITLE, sum(file.rows for file in files), SETS, "sets")]
    notes += [f"{n} yes/no questions left out: {why}" for why, n in left_out.items()]
    return Loaded(tuple(items), tuple(files), tuple(notes))


def _set_items(row: SourceRow, left_out: Counter[str]) -> list[Item]:
    """Return the questions of one set; those without a gold that fits the short context are counted in `left_out`."""
    part = _Part(row.text("set_id"), row.text("short_context"))
    fact = row.row("factQA")
    question, answer = fact.text("question"), fact.text("correct_answer")
    items = [part.item(fact, "fact", "fact", f"{part.name}/fact", accepted=(answer,))]
    for number, belief in enumerate(row.rows("beliefQAs")):
        right, wrong = belief.text("correct_answer"), belief.text("wrong_answer")
        place, order = f"{part.name}/belief{number}", belief.text("tom_type")
        items += part.beliefs(belief, place, _access(belief), order, right, wrong)
    items += _knowers(row, part, "answerability", "answerability", f"Target: {question}", left_out)
    lead = f"Information: {question} {answer}"
    return items + _knowers(row, part, "infoAccessibility", "info_accessibility", lead, left_out)


def _knowers(row: SourceRow, part: _Part, key: str, kind: str, lead: str, left_out: Counter[str]) -> list[Item]:
    """Ask who knows: one list question and a yes/no question for each character."""
    listed = row.row(f"{key}QA_list")
    required, rejected = listed.texts("correct_answer", least=1), listed.texts("wrong_answer")
    place = f"{part.name}/{kind}"
    labels = {"access": _access(listed)}
    answer = ", ".join(required)
    items = [
        part.item(
            listed,
            "names",
            f"{kind}:list",
            f"{place}/list",
            lead=lead,
            required=required,
            rejected=rejected,
            labels=labels,
            accepted=(answer,),
        )
    ]
    for number, asked in enumerate(row.rows(f"{key}QAs_binary")):
        gold = asked.raw("correct_answer")
        if gold is None:
            left_out["the file gives no gold"] += 1
        elif gold == "no:long":
            left_out["gold no:long, which the authors drop with the short context"] += 1
        elif gold not in ("yes", "no"):
            raise DataError(f"{asked.where}: gold {gold!r} must be yes, no or no:long")
        else:
            items.append(
                part.item(
                    asked,
                    "yesno",
                    f"{kind}:binary",
                    f"{place}/{number}",
                    lead=lead,
                    ending=" Answer yes or no.",
                    labels={"access": _access(asked)},
                    accepted=(str(gold),),
                )
            )
    return items


def _access(row: SourceRow) -> str:
    access = row.text("missed_info_accessibility")
    if access not in ("accessible", "inaccessible"):
        raise DataError(f"{row.where}: missed_info_accessibility {access!r} must be accessible or inaccessible")
    return access


def _load_beliefs(paths: Sequence[Path]) -> Loaded:
    """Load belief questions of third-party CSVs (columns context, question, answer_choices): no sets, so no All."""
    items: list[Item] = []
    files: list[SourceFile] = []
    for path in paths:
        rows, digest = read_csv(path)
        files.append(SourceFile(path.name, digest, len(rows)))
        access = "inaccessible" if "_inaccessible_" in path.name else "accessible"
        order = "first-order" if "first-order" in path.name else "second-order"
        for number, row in enumerate(rows):
            part = _Part("", row.text("context"))
            items += part.beliefs(row, f"{access}/{order}/{number}", access, order, *_choices(row))
    note = counts_note(TITLE, len(items) // 2, 1540, "belief questions, from derived files: no sets, so no All")
    return Loaded(tuple(items), tuple(files), (note,))


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


def prompt(ask: Ask, cot: bool) -> list[Message]:
    """Write the authors' prompt (eval_fantom.py), one user message."""
    body = f"{ask.scenario.story}\n\n{ask.item.extra['text']}"
    if ask.item.kind == "choice":
        listed = "\n".join(f"({letter}) {option}" for letter, option in zip("ab", ask.scenario.options, strict=True))
        body += f"\n{listed}\n\nChoose an answer from above:"
    else:
        body += "\nAnswer:"
    return [{"role": "user", "content": body}]


def legible(item: Item, text: str) -> bool:
    """Return whether a yes/no reply has one of the authors' keywords, any other some text."""
    return binary(text) >= 0 if item.kind == "yesno" else bool(text.strip())


def names_letter(text: str, letter: str) -> bool:
    """Return whether a reply chooses this letter by the authors' test: "(a)" anywhere, a leading a) a. a: a, or "a"."""
    text = text.lower()
    return text.startswith(tuple(f"{letter}{mark}" for mark in ").:,")) or f"({letter})" in text or text == letter


def read(ask: Ask, text: str, cot: bool) -> list[Reading]:
    """Read as the authors do."""
    marker = "Answer:" if "Answer:" in text else "Choose an answer from above:"
    answer = text.split(marker)[-1].strip() if marker in text else text
    if ask.item.kind != "choice":
        return [Reading(None, answer, legible(ask.item, answer))]
    named = [place for place, letter in enumerate("ab") if names_letter(answer, letter)]
    right = [place for place in named if ask.order[place] in ask.item.scenario.gold]
    return [read_letter(ask, next(iter(right or named), None), answer)]


BENCHMARK = Benchmark(
    name="fantom",
    title=TITLE,
    source=SOURCE,
    licence="MIT",
    training={"test": Permission(False, "The samples in FANToM should only be used for evaluation purposes.")},
    rows={"sets": SETS},
    load=load,
    score=score,
    prompt=prompt,
    read=read,
    legible=legible,
    names=("skywalker023/fantom", "FANToM", "fantom_v1"),
    official_cot=False,
)
