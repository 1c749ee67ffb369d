"""ToMBench-Hard (Social-R1, arXiv 2603.09249): 800 adversarial questions documented, 700 to train and 100 to test.

The file's header is not publicly documented, so the loader accepts the plausible ones and, where it finds another, says
which header it found. Official metric: accuracy.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from socialr1_lite.benchmarks import base
from socialr1_lite.benchmarks.files import (
    SourceRow,
    counts_note,
    each_once,
    make_scenario,
    official_files,
    read_csv,
    strip_letter,
)
from socialr1_lite.errors import DataError
from socialr1_lite.scenario import JsonValue, Scenario, read_gold

TITLE = "ToMBench-Hard"
SOURCE = "https://github.com/jincenziwu/SocialR1 (dataset/ToMBench_Hard_val.csv)"
HEADERS = {  # ours -> how the column may be called, in lower case with spaces and dashes as underscores
    "story": ("story", "context", "scenario"),
    "question": ("question",),
    "gold": ("answer", "gold", "label", "correct_answer", "答案_answer"),
    "ability": ("ability", "dimension", "atoms_dimension", "能力_ability"),
}
NEEDED = ("story", "question", "options", "gold")
OPTION = re.compile(r"(?:option_?)?([a-f])")
CHINESE = re.compile(r"[\u3400-\u9fff]")
LISTS = ("options", "choices")  # one column that holds them all, where rows are not CSV
TOLD = 3  # dropped rows whose reason is told


class UnknownHeader(DataError):
    """No column for something that is needed."""


def load(folder: Path, patterns: Sequence[str], documented: int) -> base.Loaded:
    """Load the CSV files of a split that is documented to have so many rows."""
    parts, files = [], []
    for path in official_files(folder, TITLE, patterns, SOURCE):
        rows, file = read_csv(path)
        files.append(file)
        parts.append((path.name, [_item(row, path.name, number) for number, row in enumerate(rows, start=1)]))
    items, twice = each_once(parts, counted=True)
    note = counts_note(TITLE, len(items), documented, "rows (documented; the reported figure fits another n)")
    return base.Loaded(tuple(items), tuple(files), (note, *twice))


def training_files(folder: Path, endings: Iterable[str]) -> list[Path]:
    """Return the files of the training split in a folder. Raises DataError where there is none, with those found."""
    here = sorted(path for path in folder.rglob("*") if path.suffix in endings)
    if training := [path for path in here if re.search(r"(?<![a-z])train", path.stem.lower())]:
        return training
    raise DataError(
        f"{folder}: no file of {TITLE}'s training split (train in its name); found: "
        f"{', '.join(path.name for path in here) or 'none'}. Other splits are for evaluation; or name a training file"
    )


def training(rows: Iterable[tuple[str, Mapping[str, JsonValue] | str]], name: str) -> tuple[list[Scenario], str]:
    """Read training rows, (place, row or what is wrong with it) each; return their questions and a line on all of it.

    name: of the file or data set. A row that cannot be asked, or was asked before, is dropped and told. Raises
    DataError for an unknown header, and where no more than half of the rows can be asked.
    """
    asked: dict[tuple[str, str, tuple[str, ...]], Scenario] = {}
    dropped: list[str] = []
    for number, (place, cells) in enumerate(rows, start=1):
        try:
            if isinstance(cells, str):
                raise DataError(cells)
            one = _item(SourceRow(place, cells), name, number).scenario
            if asked.setdefault((one.story, one.question, one.options), one) is not one:
                raise DataError("asked before")
        except UnknownHeader:
            raise
        except DataError as error:
            dropped.append(f"{place}: {str(error).removeprefix(f'{place}: ')}")
    scenarios, count = list(asked.values()), len(asked) + len(dropped)
    told = "; ".join(dropped[:TOLD]) + (f"; and {len(dropped) - TOLD} more" if len(dropped) > TOLD else "")
    if len(scenarios) <= len(dropped):
        raise DataError(f"{name}: {len(dropped)} of {count} rows of {TITLE} cannot be asked: {told or 'there is none'}")
    languages = _counted(str(one.meta["language"]) for one in scenarios)
    options = _counted(f"x {len(one.options)}" for one in scenarios)
    line = f"{name}: {len(scenarios)} of {count} rows of {TITLE} are asked (700 are documented), {languages}; "
    line += f"options as found ({options}); dropped {len(dropped)}"
    return scenarios, line + (f": {told}" if told else "")


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(names).items()))


def columns(row: SourceRow, name: str) -> tuple[Mapping[str, str], list[str]]:
    """Return the file's own names of our columns, and of its option columns in order (one: it lists them).

    Raises UnknownHeader with the header found, and the setting that maps it.
    """
    plain = {re.sub(r"[\s\-]+", "_", key.strip().lower()): key for key in row.data}
    named = {ours: plain[key] for ours, known in HEADERS.items() for key in reversed(known) if key in plain}
    options = [plain[key] for key in sorted(plain) if OPTION.fullmatch(key)]
    listed = options if len(options) > 1 else [plain[key] for key in LISTS if key in plain][:1]
    there = {ours: listed if ours == "options" else named.get(ours) for ours in NEEDED}
    if missing := [ours for ours in NEEDED if not there[ours]]:
        line = ", ".join(f"{ours}: {json.dumps(found or '?', ensure_ascii=False)}" for ours, found in there.items())
        header = f"{name}: no column for {', '.join(missing)}; the header is: {', '.join(row.data)}"
        raise UnknownHeader(f"{header}; to train on it, write data.columns: {{{line}}}")
    return named, listed


def _item(row: SourceRow, name: str, number: int) -> base.Item:
    named, keys = columns(row, name)
    one_list = row.texts(keys[0]) if len(keys) == 1 else ()
    options = tuple(strip_letter(text, at) for at, text in enumerate(one_list)) or row.options(keys)
    gold = row.text(named["gold"]).strip()
    if gold.isdigit() and gold not in options:
        raise DataError(f"{row.where}: gold {gold!r} is a number; a letter or an option's text is needed")
    ability = str(row.data.get(named.get("ability", ""), "") or "").strip()
    scenario = make_scenario(
        row,
        id=f"tombench-hard/{Path(name).stem}/{number}",
        story=row.text(named["story"]).strip(),
        question=row.text(named["question"]).strip(),
        options=options,
        gold=read_gold(gold, options, row.where),
        dimension=ability.partition(":")[0].strip().casefold(),
        source="tombench-hard",
        group=base.story_key(row.text(named["story"])),
        meta={"ability": ability or None, "language": "zh" if CHINESE.search(row.text(named["story"])) else "en"},
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
    score=lambda answers: base.accuracy(answers, "ability"),
    hub="Jincenzi/ToMBench_Hard",
    names=("Jincenzi/ToMBench_Hard", "ToMBench_Hard", "ToMBench-Hard"),
    published=(
        base.social_r1(0.6279, "validation set; not a multiple of 1/100, so n is another or figures are averaged"),
    ),
)
