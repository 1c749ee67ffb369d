"""Many evaluated runs in one table: python -m socialr1_lite.evaluate leaderboard DIR… [-o DIR].

DIR is a run folder, an evaluation's folder (evaluations/<model>), or a folder of such. Figures of one benchmark that
carry the same letter were got under the same protocol: prompt, sampling, draws, players and questions. Runs that differ
by their seed alone, of training or of evaluation, become one row with mean and standard error.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple

from socialr1_lite.errors import DataError
from socialr1_lite.evaluation import reports
from socialr1_lite.evaluation.protocol import SAME, TERMS, terms, unequal
from socialr1_lite.evaluation.reports import Column, Report
from socialr1_lite.evaluation.tables import (
    Cells,
    Line,
    Section,
    as_markdown,
    figure_cell,
    headlines,
    lines_of,
    write_sections,
)
from socialr1_lite.statistics import over_seeds

CAPTION = (
    "Figures of one benchmark with the same letter were got under the same protocol; others cannot be compared. What "
    "a report of an earlier version does not say is not held against it; one that could be of several protocols has a "
    "letter of its own. "
    "In brackets: the 95 % interval of one run. With ±: mean and standard error over runs that differ by their seed "
    "alone. Rows stand in the order of the first benchmark's figures under its commonest protocol."
)


def main(arguments: Sequence[str]) -> int:
    """Print the table, and write it with -o; returns 0. Raises DataError where a folder holds no report."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.evaluate leaderboard",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write leaderboard.md and leaderboard.html here"
    )
    args = parser.parse_args(arguments)
    parts = sections([column for folder in args.folders for column in columns_in(folder)])
    if args.output is not None:
        write_sections(args.output, "leaderboard", parts)
    print(as_markdown(parts))
    return 0


def columns_in(folder: Path) -> list[Column]:
    """Return the evaluated runs of a folder: itself, or those directly inside. Raises DataError for none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if any(folder.glob("*.json")) or any((folder / "evaluation").glob("*.json")):
        try:
            return [reports.read(folder)]
        except DataError:
            if not any(folder.glob("*/evaluation/*.json")):
                raise
    found = [reports.read(inner) for inner in sorted(folder.iterdir()) if any((inner / "evaluation").glob("*.json"))]
    if not found:
        raise DataError(f"{folder}: no evaluation reports there, nor in the folders inside it")
    return found


class Entry(NamedTuple):
    """One report of one run: its place in the table, and the letter of its protocol."""

    run: str
    model: str  # what is evaluated, the seed of its training aside
    line: Line
    report: Report
    mark: str


def sections(columns: Sequence[Column]) -> list[Section]:
    """Return the leaderboard, and what each letter stands for; whatever the order of the columns."""
    columns = sorted(columns, key=lambda one: (one.name, json.dumps(one.reports, sort_keys=True)))
    lines = lines_of(columns)
    entries = [entry for line in lines for entry in _marked(line, columns)]
    rows: dict[str, list[Entry]] = {}
    for entry in entries:
        rows.setdefault(entry.model, []).append(entry)
    names = {model: _names(some) for model, some in rows.items()}
    listed = sorted(rows, key=lambda model: (_rank(rows[model], lines[0]), names[model]))
    table = [
        (names[model], *(_cell([one for one in rows[model] if one.line == line]) for line in lines)) for model in listed
    ]
    parts: list[Section] = [("Leaderboard", ("model", *(line.title for line in lines)), table, CAPTION)]
    return [*parts, ("Protocols", ("benchmark", "letter", "metric", *TERMS), list(_protocols(entries)), "")]


def _marked(line: Line, columns: Sequence[Column]) -> Iterator[Entry]:
    """Give the reports of one benchmark and language a letter for each protocol, the commonest first."""
    there = [
        (column, report)
        for column in columns
        if (report := column.reports.get(line.benchmark))
        and headlines(report).get(line.language, "") in report["metrics"]
    ]
    # A report may leave open what two others differ in: comparable with both, it must not make these one group. So
    # one group are those that are comparable with the same reports.
    groups: dict[tuple[bool, ...], list[tuple[Column, Report]]] = {}
    for column, report in there:
        comparable = tuple({*SAME}.isdisjoint(unequal(report, other)) for _, other in there)
        groups.setdefault(comparable, []).append((column, report))
    for number, group in enumerate(sorted(groups.values(), key=len, reverse=True)):
        mark = ascii_lowercase[number % 26] * (1 + number // 26)
        for column, report in group:
            yield Entry(column.name, _model(column, report), line, report, mark)


def _model(column: Column, report: Report) -> str:
    """Return what is evaluated, its training's seed aside; of an earlier report of a run, that run alone."""
    training = report.get("training", "")
    if report.get("recipe_sha256") and not training:
        return f"{report.get('model', '')} {column.name}"
    return f"{report.get('model', '')} {training} {report.get('adapter_step')}"


def _names(entries: Sequence[Entry]) -> str:
    runs = list(dict.fromkeys(entry.run for entry in entries))
    return ", ".join(runs[:3]) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")


def _value(entry: Entry) -> float:
    return entry.report["metrics"][headlines(entry.report)[entry.line.language]]["value"]


def _seed(entry: Entry) -> tuple[int | None, int | None]:
    return entry.report.get("train_seed"), entry.report.get("seed", 0)


def _told_once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without those that only repeat a figure of the same seed: that is one run told twice."""
    kept: dict[tuple[object, float], Entry] = {}
    for one in entries:
        kept.setdefault((_seed(one), _value(one)), one)
    return list(kept.values())


def _cell(entries: Sequence[Entry]) -> str:
    """Return a row's figures of one benchmark, those of each protocol apart; "-" for none."""
    cells = []
    for mark in sorted({one.mark for one in entries}):
        told = _told_once([one for one in entries if one.mark == mark])
        figures = [figure_cell(one.report, one.line.language) for one in told]
        if len(told) == 1:
            text = figures[0]
        elif len({_seed(one) for one in told}) == len(told):
            spread = over_seeds([_value(one) for one in told])
            text = f"{spread.mean:.3f} ± {spread.error or 0:.3f} ({len(told)} seeds)"
        else:
            each = (f"{figure} ({one.run})" for figure, one in zip(figures, told, strict=True))
            text = f"{', '.join(each)}: unequal for one seed"
        cells.append(f"{mark}: {text}")
    return "; ".join(cells) or "-"


def _rank(entries: Sequence[Entry], line: Line) -> tuple[bool, float]:
    mine = _told_once([one for one in entries if one.line == line and one.mark == "a"])
    return (not mine, -sum(map(_value, mine)) / len(mine) if mine else 0.0)


def _protocols(entries: Sequence[Entry]) -> Iterator[Cells]:
    told: dict[tuple[Line, str], Entry] = {}
    for one in entries:
        told.setdefault((one.line, one.mark), one)
    for (line, mark), one in told.items():
        said = [terms(other.report) for other in entries if (other.line, other.mark) == (line, mark)]
        shown = (", ".join(sorted({term[name] for term in said} - {""})) or "-" for name in TERMS)
        yield (line.title, mark, headlines(one.report)[line.language], *shown)
