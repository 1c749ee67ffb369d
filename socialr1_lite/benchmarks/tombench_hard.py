"""ToMBench-Hard (Social-R1, arXiv 2603.09249): 800 adversarial questions documented, 700 to train and 100 to test.

The file's header is not publicly documented, so the loader accepts the plausible ones and, where it finds another, says
which header it found. Official metric: accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import SourceRow, counts_note, make_scenario, official_files, read_csv
from socialr1_lite.errors import DataError
from socialr1_lite.scenario import read_gold

TITLE = "ToMBench-Hard"
SOURCE = "https://github.com/jincenziwu/SocialR1 (dataset/ToMBench_Hard_val.csv)"
HEADERS = {  # ours -> how the column may be called, in lower case with spaces and dashes as underscores
    "story": ("story", "context", "scenario"),
    "question": ("question",),
    "gold": ("answer", "gold", "label", "correct_answer", "答案_answer"),
    "ability": ("ability", "dimension", "atoms_dimension", "能力_ability"),
}
OPTION = re.compile(r"(?:option_?)?([a-f])")


def load(folder: Path, patterns: Sequence[str], documented: int) -> base.Loaded:
    """Load the CSV files of a split that is documented to have so many rows."""
    items, files = [], []
    for path in official_files(folder, TITLE, patterns, SOURCE):
        rows, file = read_csv(path)
        files.append(file)
        items += [_item(row, path, number) for number, row in enumerate(rows, start=1)]
    note = counts_note(TITLE, len(items), documented, "rows (documented; the reported figure fits another n)")
    return base.Loaded(tuple(items), tuple(files), (note,))


def columns(row: SourceRow, path: Path) -> tuple[Mapping[str, str], list[str]]:
    """Return the file's own names of our columns, and of its option columns in order. DataError: the header found."""
    plain = {re.sub(r"[\s\-]+", "_", name.strip().lower()): name for name in row.data}
    named = {
        ours: found for ours, known in HEADERS.items() if (found := next((plain[k] for k in known if k in plain), ""))
    }
    options = sorted((m[1], name) for key, name in plain.items() if (m := OPTION.fullmatch(key)))
    missing = [ours for ours in ("story", "question", "gold") if ours not in named] + ["options"] * (len(options) < 2)
    if missing:
        raise DataError(f"{path.name}: no column for {', '.join(missing)}; the header is: {', '.join(row.data)}")
    return named, [name for _, name in options]


def _item(row: SourceRow, path: Path, number: int) -> base.Item:
    named, option_columns = columns(row, path)
    options = row.options(option_columns)
    gold = row.text(named["gold"]).strip()
    if gold.isdigit() and gold not in options:
        raise DataError(f"{row.where}: gold {gold!r} is a number; a letter or an option's text is needed")
    ability = str(row.data.get(named.get("ability", ""), "") or "").strip()
    scenario = make_scenario(
        row,
        id=f"tombench-hard/{path.stem}/{number}",
        story=row.text(named["story"]).strip(),
        question=row.text(named["question"]).strip(),
        options=options,
        gold=read_gold(gold, options, row.where),
        dimension=ability.partition(":")[0].strip().casefold(),
        source="tombench-hard",
        group=base.story_key(row.text(named["story"])),
        meta={"ability": ability or None, "language": "en"},
    )
    return base.Item(scenario)


BENCHMARK = base.Benchmark(
    name="tombench-hard",
    title=TITLE,
    source=SOURCE,
    licence="not stated where we could read it",
    training={
        "train": base.Permission(True, "(published by its authors as the training split)"),
        "val": base.Permission(False, "(an evaluation split)"),
        "test": base.Permission(False, "(an evaluation split)"),
    },
    load=partial(load, patterns=("*Hard*val*.csv", "*Hard*test*.csv"), documented=100),
    train=partial(load, patterns=("*Hard*train*.csv",), documented=700),
    score=lambda answers: base.accuracy(answers, "ability"),
    hub="Jincenzi/ToMBench_Hard",
    names=("Jincenzi/ToMBench_Hard", "ToMBench_Hard", "ToMBench-Hard"),
    published=(
        base.social_r1(0.6279, "validation set; not a multiple of 1/100, so n is another or figures are averaged"),
    ),
)
