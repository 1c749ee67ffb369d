"""In a real browser, 390 px wide: what is drawn or heads a row can be read, and nothing is cut or lies on another."""

from __future__ import annotations

import csv
import io
import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

LEAST = 10.5  # px: what a tick is at every other width

# every text of an SVG as [text, left, top, right, bottom, the size of its letters on the screen], and the SVG's own box
TICKS = """where => [...document.querySelectorAll(where)].map(svg => {
    const box = one => { const at = one.getBoundingClientRect(); return [at.left, at.top, at.right, at.bottom]; };
    const scale = one => one.getScreenCTM().a;
    return [box(svg), [...svg.querySelectorAll('text')].map(one =>
        [one.textContent, ...box(one), parseFloat(getComputedStyle(one).fontSize) * scale(one)])];
})"""
# the words of every heading that are broken in the middle: such a word lies on more than one line
BROKEN = """where => [...document.querySelectorAll(where)].flatMap(head => {
    const walker = document.createTreeWalker(head, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
        const range = document.createRange();
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(at => Math.round(at.top)));
        const right = range.getBoundingClientRect().right, cell = head.closest('.cell, section, .card');
        if (lines.size > 1 || right > cell.getBoundingClientRect().right) found.push(word[0]);
    }
    return found;
})"""

# what lies beyond the page's edge where nothing scrolls or shortens it
BEYOND = """() => [...document.querySelectorAll('#s1-main *')].filter(one => {
    const at = one.getBoundingClientRect();
    if (!at.width || !one.textContent || (at.right <= innerWidth + 1 && at.left >= -1)) return false;
    for (let node = one.parentElement; node && node.id !== 's1-main'; node = node.parentElement)
        if (getComputedStyle(node).overflowX !== 'visible') return false;
    return true;
}).map(one => `${one.tagName} ${one.textContent.slice(0, 60)}`)"""


def drawn(file: bytes) -> None:
    tree = ET.fromstring(file)
    text = ET.tostring(tree, encoding="unicode")
    assert "".join(tree.itertext()).strip() and "var(" not in text and "NaN" not in text and "undefined" not in text


def is_png(file: bytes) -> None:
    assert file.startswith(b"\x89PNG") and len(file) > 2000


def is_table(file: bytes) -> None:
    rows = list(csv.reader(io.StringIO(file.decode())))
    assert len(rows) > 1 and len({len(row) for row in rows}) == 1


FILES = {"PNG": is_png, "SVG": drawn, "CSV": is_table}


def saved(page: Any, figure: str, kind: str) -> bytes:
    with page.page.expect_download() as waiting:
        page.page.click(f".files[aria-label*='{figure}'] [data-file={kind}]")
    return Path(waiting.value.path()).read_bytes()


def readable(page: Any, where: str) -> None:
    """Hold every text of these drawings to a size, to its drawing's box, and to a place of its own."""
    drawings = page.page.evaluate(TICKS, where)
    assert drawings
    for (left, top, right, bottom), texts in drawings:
        assert texts
        for text, x0, y0, x1, y1, size in texts:
            assert size >= LEAST, f"{text!r} is {size:.1f} px"
            assert left - 1 <= x0 and x1 <= right + 1 and top - 1 <= y0 and y1 <= bottom + 1, f"{text!r} is cut"
        for i, (one, x0, y0, x1, y1, _) in enumerate(texts):
            for other, u0, v0, u1, v1, _ in texts[i + 1 :]:
                assert x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0, f"{one!r} lies on {other!r}"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_ticks_of_the_histogram_can_be_read(visit: Any, dark: bool) -> None:
    page = visit("?run=first&screen=hacks", phone=True, dark=dark)
    for width in (390, 900, 1440):
        page.page.set_viewport_size({"width": width, "height": 844})
        page.settled()
        page.page.locator(".dots").scroll_into_view_if_needed()
        page.shot(f"histogram-{width}-{'dark' if dark else 'light'}")
        readable(page, ".dots")
    page.clean()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_heading_of_a_group_is_broken_within_a_word(visit: Any, dark: bool) -> None:
    page = visit("?run=first&screen=group", phone=True, dark=dark)
    page.has(".columns .headed h3", 5)
    assert page.page.evaluate(BROKEN, ".columns .headed") == []
    page.page.locator(".columns").scroll_into_view_if_needed()
    page.shot(f"group-headings-{'dark' if dark else 'light'}")
    page.clean()


def test_a_benchmark_by_groups_keeps_its_names_and_figures_apart(
    visit: Any, places: Path, serve: Any, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(places / "second", tmp_path / "runs" / "mine"))
    wide = {"value": 0.75, "low": 0.412, "high": 0.904, "n": 1800}
    groups = {"dimension": {"second-order false belief": wide, "faux pas": wide}, "order": {"0": wide, "1": wide}}
    report = {"version": 1, "benchmark": "heldout", "n": 24, "metrics": {"accuracy": wide}, "groups": groups}
    (run / "evaluation").mkdir(exist_ok=True)
    (run / "evaluation" / "heldout.json").write_text(json.dumps(report))
    page = visit("?run=mine&screen=benchmarks", phone=True, base=serve(run.parent))
    page.says("by dimension", "second-order false belief")
    assert page.page.evaluate(BROKEN, ".forest > span, .card summary") == []
    least = "Math.min(...[...document.querySelectorAll('.forest svg')].map(one => one.getBoundingClientRect().width))"
    assert page.page.evaluate(least) >= 120
    tall = "Math.max(...[...document.querySelectorAll('.forest > .num')].map(one => one.offsetHeight))"
    assert page.page.evaluate(tall) < 40  # px: a figure and its interval stand on one line
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.shot("benchmark-groups", full=True)
    for kind in ("PNG", "SVG"):
        FILES[kind](saved(page, "by dimension", kind))
    head, *rows = csv.reader(io.StringIO(saved(page, "by dimension", "CSV").decode()))
    assert head == ["name", "value", "low", "high", "n", "chance"]
    assert sorted(rows) == [[name, "0.75", "0.412", "0.904", "1800", ""] for name in sorted(groups["dimension"])]
    page.clean()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_figure_of_the_hack_board_is_a_file(visit: Any, dark: bool) -> None:
    page = visit("?run=first&screen=hacks", dark=dark)
    tables: dict[str, list[list[str]]] = {}
    for figure in ("process-against-outcome", "length-against-outcome", "correlation"):
        for kind, check in FILES.items():
            check(file := saved(page, figure, kind))
            if kind == "CSV":
                tables[figure] = list(csv.reader(io.StringIO(file.decode())))
    head, *rows = tables["process-against-outcome"]
    shown = page.page.evaluate("""[...document.querySelectorAll('[data-figure=process] tbody tr')].map(
        row => [...row.querySelectorAll('td')].map(one => one.innerText.replace(',', '')))""")
    assert (
        head[0] == "outcome" and [row[1:] for row in rows] == shown and {row[0] for row in rows} >= {"right", "wrong"}
    )
    names, *lines = tables["length-against-outcome"]
    bars = [dict(zip(names, line, strict=True)) for line in lines]
    told = "[...document.querySelectorAll('.dots a')].map(one => one.getAttribute('aria-label'))"
    for words in page.page.evaluate(told):
        ends, number = words.split(" tokens: ")
        n, kind = number.split(" ")
        (bar,) = [one for one in bars if f"{one['tokens from']}–{one['to']}" == ends]
        assert bar["the rest" if kind == "unreadable" else kind] == n
    page.clean()


SCREENS: tuple[str, ...] = (
    "overview",
    "traces",
    "trace",
    "group",
    "prompt",
    "hacks",
    "labels",
    "figures",
    "solved",
    "settings",
)
SCREENS += ("verdicts", "benchmarks", "compare", "try", "exchange", "runs")


@pytest.mark.parametrize("width", [390, 900, 1440])
def test_a_long_name_of_a_run_takes_nothing_off_the_page(
    visit: Any, serve: Any, tmp_path: Path, places: Path, width: int
) -> None:
    name = "a_very_long_name_of_a_run_" * 7
    shutil.copytree(places / "second", tmp_path / "runs" / name)
    page = visit(base=serve(tmp_path / "runs"))
    page.page.set_viewport_size({"width": width, "height": 900})
    beyond = {}
    for screen in SCREENS:
        page.open(f"?run={name}&screen={screen}")
        if found := page.page.evaluate(BEYOND):
            beyond[screen] = found
    assert not beyond
    page.clean()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_names_of_prompts_are_shortened_and_not_cut(
    visit: Any, serve: Any, tmp_path: Path, places: Path, width: int
) -> None:
    run = Path(shutil.copytree(places / "second", tmp_path / "runs" / "mine"))
    texts = [
        "小明把糖放进了厨房里的红色盒子里以后离开了房间他回来的时候会去哪里找糖",
        "W" * 70,
        "Who?",
        "היכן תחפש דנה את הכדור? " * 3,
    ]
    rows = [json.loads(line) for line in (run / "scenarios.jsonl").read_text(encoding="utf-8").splitlines()]
    for i, row in enumerate(rows):
        row["question"] = texts[i % len(texts)]
    (run / "scenarios.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    page = visit(base=serve(run.parent))
    page.page.set_viewport_size({"width": width, "height": 900})
    page.open("?run=mine&screen=solved")
    page.has(".heat", 1)
    [[box, names]] = page.page.evaluate(TICKS, ".heat")
    assert any("小明" in name for name, *_ in names) and any("Who?" in name for name, *_ in names)
    assert [name for name, left, *_ in names if left < box[0]] == []
    ends = """[...document.querySelectorAll('.heat .name')].filter(one => one.textContent.includes('דנה')).map(
        one => ['…', 'ה'].map(sign => one.getExtentOfChar(one.textContent.indexOf(sign)).x))"""
    assert all(end < start for end, start in page.page.evaluate(ends)) and page.page.evaluate(ends)
    page.shot(f"prompts-by-step-names-{width}")
    page.clean()
