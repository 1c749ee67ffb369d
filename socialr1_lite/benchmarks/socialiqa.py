"""Social IQa (EMNLP 2019): commonsense about social situations, three options.

Official metric: accuracy on dev. The labels stand in a file of their own, counted from 1 ("1" is A); a pair of files
that do not belong together would silently score a third, so their lengths must agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import (
    SourceRow,
    content,
    counts_note,
    each_once,
    make_scenario,
    official_files,
    read_jsonl,
)
from socialr1_lite.errors import DataError

TITLE = "SocialIQA"
SOURCE = "https://leaderboard.allenai.org/socialiqa (socialiqa-train-dev.zip) or the hub's allenai/social_i_qa"
ROWS = {"dev": 1954, "train": 33410}
OPTIONS = ("answerA", "answerB", "answerC")


def load(folder: Path, split: str) -> base.Loaded:
    """Load a split: `dev*.jsonl` with its `dev-labels*.lst`, say, or rows that carry their own `label`."""
    patterns = [f"{split}*.jsonl"] + (["validation*.jsonl"] if split == "dev" else [])
    parts, files = [], []
    for path in official_files(folder, TITLE, patterns, SOURCE):
        rows, file = read_jsonl(path)
        labels, label_files = _labels(path, rows, split)
        files += [file, *label_files]
        numbered = enumerate(zip(rows, labels, strict=True), 1)
        parts.append((path.name, [_item(row, label, split, at) for at, (row, label) in numbered]))
    items, twice = each_once(parts, counted=True)
    doubled = sum(len(set(item.scenario.options)) < len(item.scenario.options) for item in items)
    notes = [counts_note(f"{TITLE} {split}", len(items), ROWS[split])]
    notes += [f"{doubled} rows repeat an option; either copy of a gold text counts"] if doubled else []
    return base.Loaded(tuple(items), tuple(files), (*notes, *twice))


def _labels(path: Path, rows: Sequence[SourceRow], split: str) -> tuple[list[str], list[base.SourceFile]]:
    """Return one label a row, from the rows themselves or from the label file that belongs to `path`."""
    if rows and "label" in rows[0].data:
        return [str(row.raw("label")).strip() for row in rows], []
    beside = path.with_name(path.name.replace(split, f"{split}-labels", 1).removesuffix(".jsonl") + ".lst")
    if not beside.is_file():
        raise DataError(f"{path.name}: its labels are missing; {beside.name} must lie beside it")
    text, digest = content(beside)
    labels = [line.strip() for line in text.splitlines() if line.strip()]
    if len(labels) != len(rows):
        raise DataError(
            f"{beside.name}: {len(labels)} labels for {len(rows)} rows of {path.name}; they do not belong together"
        )
    return labels, [base.SourceFile(beside.name, digest, len(labels))]


def _item(row: SourceRow, label: str, split: str, number: int) -> base.Item:
    if label not in ("1", "2", "3"):
        raise DataError(f"{row.where}: label {label!r} must be 1, 2 or 3")
    options = tuple(row.text(key).strip() for key in OPTIONS)
    gold = options[int(label) - 1]
    scenario = make_scenario(
        row,
        id=f"socialiqa/{split}/{number}",
        story=row.text("context").strip(),
        question=row.text("question").strip(),
        options=options,
        gold=tuple(at for at, option in enumerate(options) if option == gold),
        source="socialiqa",
        group=base.story_key(row.text("context")),
        meta={"split": split, "language": "en"},
    )
    return base.Item(scenario)


BENCHMARK = base.Benchmark(
    name="socialiqa",
    title=TITLE,
    source=SOURCE,
    licence="not stated by the authors where we could read it",
    training={
        "train": base.Permission(True, "(published by its authors as the training split)"),
        "dev": base.Permission(False, "(the split everybody evaluates on; the test labels are hidden)"),
        "validation": base.Permission(False, "(the dev split under its hub name)"),
        "test": base.Permission(False, "(a test split)"),
    },
    load=partial(load, split="dev"),
    train=partial(load, split="train"),
    score=base.accuracy,
    hub="allenai/social_i_qa",
    names=("allenai/social_i_qa", "social_i_qa", "lighteval/siqa", "siqa", "SocialIQA", "social-iqa"),
    published=(base.social_r1(0.7774, "fits 1519 of the 1,954 dev rows"),),
)
