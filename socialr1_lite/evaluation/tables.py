"""Runs side by side: the headline of each benchmark with paired tests, how each was asked, and published figures."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from socialr1_lite.evaluation.items import ItemRow, connected
from socialr1_lite.evaluation.protocol import TERMS, terms, unequal
from socialr1_lite.evaluation.reports import Column, Report
from socialr1_lite.redaction import redact
from socialr1_lite.runlog import write_atomic
from socialr1_lite.statistics import Paired, Shift, paired_by_cluster, shift_by_cluster

AS_PUBLISHED = "as published, other protocol"
UNEQUAL = "≠ "
Cells = tuple[str, ...]


class Line(NamedTuple):
    """A row of the table: one benchmark in one language (or in the mixture that earlier versions reported)."""

    benchmark: str
    language: str
    title: str


def lines_of(columns: Sequence[Column]) -> list[Line]:
    """Return the rows: benchmarks by name, each once for each language that was reported apart."""
    found: list[Line] = []
    for name in sorted({name for column in columns for name in column.reports}):
        spoken = sorted(
            {one for column in columns if name in column.reports for one in headlines(column.reports[name])}
        )
        found += [Line(name, one, name if len(spoken) == 1 else f"{name} ({one})") for one in spoken]
    return found


def headlines(report: Report) -> dict[str, str]:
    """Return the headline metric's name for each language; of an earlier report, for all its languages together."""
    if known := report.get("headlines"):
        return {language or "en": name for language, name in known.items()}
    return {"+".join(sorted(report.get("groups", {}).get("language", {"en": None}))): report["headline"]}


def table(columns: Sequence[Column]) -> tuple[Cells, list[Cells]]:
    """Return header and rows: a row for each benchmark's headline, a cell for each run, tests against the first."""
    tests = [f"{other.name} against {columns[0].name}" for other in columns[1:]]
    header = ("benchmark", "metric", *(column.name for column in columns), *tests)
    rows = []
    for line in lines_of(columns):
        reports = [column.reports.get(line.benchmark) for column in columns]
        named = [known.get(line.language) for known in map(headlines, filter(None, reports))]
        metric = next(filter(None, named), "-")
        cells = [figure_cell(report, line.language) for report in reports]
        rows.append((line.title, metric, *cells, *(_paired(columns[0], other, line) for other in columns[1:])))
    return header, rows


def figure_cell(report: Report | None, language: str) -> str:
    """Return a headline with its interval, and how many replies gave nothing; "-" where there is none."""
    metric = headlines(report).get(language, "") if report else ""
    if report is None or metric not in report["metrics"]:
        return "-"
    shown = report["metrics"][metric]
    low, high = shown["low"], shown["high"]
    known = "[no interval]" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
    spoilt = {name: report.get(name, 0) for name in ("unreadable", "truncated", "failed")}
    lost = "".join(f", {count} {name}" for name, count in spoilt.items() if count)
    lenient = report.get("lenient", {}).get(metric)
    loose = f", read leniently {lenient['value']:.3f}" if lenient else ""
    draws = report.get("seeds", {}).get(metric)
    spread = (
        f", ±{draws['error']:.3f} over {len(draws['values'])} draws" if draws and draws["error"] is not None else ""
    )
    return f"{shown['value']:.3f} {known} n={shown['n']}{spread}{lost}{loose}"


# ------------------------------------------------------------------------------------------------ paired tests


class Match(NamedTuple):
    """The units that two runs have in common, and what was left out of them.

    other: of the same name but another question. failed: a request of either got no reply. by_name: an earlier version
    kept no questions, so that the names had to do.
    """

    pairs: list[tuple[ItemRow, ItemRow]]
    other: int
    failed: int
    by_name: bool


def match(first: Sequence[ItemRow], second: Sequence[ItemRow]) -> Match:
    """Bring together the same questions in the same presentation, whatever they are called."""
    by_name = not all(row.question for row in (*first, *second))
    one, two = (_named(rows) if by_name else _by_content(rows) for rows in (first, second))
    shared = [(one[key], two[key]) for key in one if key in two]
    names = {row.key for row in first} & {row.key for row in second}
    other = 0 if by_name else len(names - {row.key for pair in shared for row in pair})
    good = [pair for pair in shared if not any(row.failed for row in pair)]
    return Match(good, other, len(shared) - len(good), by_name)


def _named(rows: Sequence[ItemRow]) -> dict[tuple[str, str, int], ItemRow]:
    """Key by name. A name that stands for several presentations, as in earlier files, tells none of them."""
    times = Counter(row.key for row in rows)
    return {(row.key, "", 0): row for row in rows if times[row.key] == 1}


def _by_content(rows: Sequence[ItemRow]) -> dict[tuple[str, str, int], ItemRow]:
    """Key by question and presentation; a question that a set has twice is counted through."""
    seen: Counter[tuple[str, str]] = Counter()
    keyed = {}
    for row in sorted(rows, key=lambda row: row.key):
        keyed[row.question, row.shown, seen[row.question, row.shown]] = row
        seen[row.question, row.shown] += 1
    return keyed


def stories_of(pairs: Sequence[tuple[ItemRow, ItemRow]]) -> list[str]:
    """Return the story of each pair: what either run takes for one story is one."""
    ends = [[row.cluster for row in pair if row.cluster] or [f"item {pair[0].key}"] for pair in pairs]
    story = {name: min(part) for part in connected((both[0], both[-1]) for both in ends) for name in part}
    return [story[both[0]] for both in ends]


def tested(pairs: Sequence[tuple[ItemRow, ItemRow]]) -> str:
    """Test the second run of the pairs against the first, by story: right answers, or scores on a scale."""
    stories = stories_of(pairs)
    one, two = ([pair[at].value for pair in pairs] for at in (0, 1))
    found: Paired | Shift
    if {*one, *two} <= {0.0, 1.0}:
        found = paired_by_cluster([value == 1 for value in one], [value == 1 for value in two], stories)
        said = f"+{found.only_second} -{found.only_first} of {found.n}"
    else:
        found = shift_by_cluster(one, two, stories)
        said = f"{found.difference:+.3f} over {found.n}"
    word = "story" if found.clusters == 1 else "stories"
    return said + (f" in {found.clusters} {word}" if found.clusters < found.n else "") + f", p={found.p:.2g}"


def _paired(first: Column, other: Column, line: Line) -> str:
    """Test on what both answered, and say what was left out and what is unequal."""
    reports = [column.reports.get(line.benchmark) for column in (first, other)]
    sides = [_rows(column, line) for column in (first, other)]
    if reports[0] is None or reports[1] is None or not all(sides):
        return "-"
    marks = unequal(reports[0], reports[1])
    differs = f"; {UNEQUAL}{', '.join(marks)}" if marks else ""
    found = match(*sides)
    left = [f"{found.failed} failed left out"] if found.failed else []
    left += [f"{found.other} of the same name are other questions"] if found.other else []
    left += ["questions not stored: paired by name"] if found.by_name else []
    if not all(any(row.cluster for row in pair) for pair in found.pairs):
        left.append("stories not stored: items counted as independent")
    notes = f" ({'; '.join(left)})" if left else ""
    return f"{tested(found.pairs) if found.pairs else 'no question in common'}{notes}{differs}"


def _rows(column: Column, line: Line) -> list[ItemRow]:
    rows = column.items.get(line.benchmark, ())
    several = len(headlines(column.reports[line.benchmark])) > 1 if line.benchmark in column.reports else False
    return [row for row in rows if not several or row.language in ("", line.language)]


# ------------------------------------------------------------------------------------------------ how it was asked


def asked(columns: Sequence[Column]) -> tuple[Cells, list[Cells]]:
    """Return header and rows: how each run was asked, what is unequal to the first run of a benchmark marked."""
    rows = []
    for name in sorted({name for column in columns for name in column.reports}):
        there = [(column.name, column.reports[name]) for column in columns if name in column.reports]
        for run, report in there:
            differs = unequal(there[0][1], report)
            said = terms(report)
            rows.append((name, run, *(f"{UNEQUAL if one in differs else ''}{said[one] or '-'}" for one in TERMS)))
    return ("benchmark", "run", *TERMS), rows


def published(columns: Sequence[Column]) -> list[Cells]:
    """Return the published figures of the benchmarks shown, each with what is known of its protocol."""
    reports = {name: report for column in columns for name, report in column.reports.items()}
    return [
        (name, one["label"], f"{one['value']:.4g}", one["source"], one["protocol"])
        for name in sorted(reports)
        for one in reports[name].get("published", ())
    ]


CONTEXT = ("benchmark", "model", AS_PUBLISHED, "source", "what is known of the protocol")
CAPTION = (
    "95 % intervals in brackets: Wilson where every item has a story of its own, else a bootstrap over stories. "
    "The test is two-sided, on the questions that both runs answered, the same by content and presentation: newly "
    "right, newly wrong, or the mean difference of scores. It flips the sign of whole stories: in all ways, so that p "
    "is exact, but for scores over more than 13 stories, where ways are drawn. Where every item has a story of its "
    f"own, that of right answers is McNemar's. {UNEQUAL}unequal to the first run."
)
Section = tuple[str, Cells, Sequence[Cells], str]


def sections(columns: Sequence[Column]) -> list[Section]:
    """Return the tables in order: title, header, rows, and a caption below."""
    parts: list[Section] = [("Evaluation", *table(columns), CAPTION), ("How they were asked", *asked(columns), "")]
    if context := published(columns):
        parts.append((AS_PUBLISHED.capitalize(), CONTEXT, context, ""))
    return parts


def markdown(columns: Sequence[Column]) -> str:
    """Return the tables as Markdown."""
    return as_markdown(sections(columns))


def write_tables(folder: Path, columns: Sequence[Column]) -> None:
    """Write `table.md` and `table.html` into the folder."""
    write_sections(folder, "table", sections(columns))


# ------------------------------------------------------------------------------------------------ written out


def as_markdown(parts: Sequence[Section]) -> str:
    """Return tables as Markdown, the first title as the page's."""
    out = []
    for number, (title, header, rows, caption) in enumerate(parts):
        out += [f"#{'#' * bool(number)} {title}", _markdown_table(header, rows), *filter(None, (caption,))]
    return "\n\n".join(out) + "\n"


def _markdown_table(header: Cells, rows: Iterable[Cells]) -> str:
    ruled = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in ruled)


STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{border-bottom:1px solid #bbb;padding:.35rem .7rem;text-align:left}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#eee}}"
)


def as_page(parts: Sequence[Section]) -> str:
    """Return the same as a page of its own; every text is escaped."""
    body = "\n".join(
        _html_table(title, header, rows) + (f"\n<p>{html.escape(caption)}</p>" if caption else "")
        for title, header, rows, caption in parts
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(parts[0][0])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n{body}</html>\n'
    )


def _html_table(title: str, header: Cells, rows: Iterable[Cells]) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h1>{html.escape(title)}</h1>\n<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def write_sections(folder: Path, name: str, parts: Sequence[Section]) -> None:
    """Write `<name>.md` and `<name>.html` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / f"{name}.md", redact(as_markdown(parts)))
    write_atomic(folder / f"{name}.html", redact(as_page(parts)))
