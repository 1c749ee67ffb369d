"""In a real browser: curves on any axis with zoom and files, the map of prompts, settings, the table, judged again."""

from __future__ import annotations

import csv
import io
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import score
from socialr1_lite.runlog import RunFolder, read_metrics
from socialr1_lite.viewer.curves import running_mean

pytestmark = pytest.mark.slow

WIDTHS = (390, 900, 1440)
SCREENS = {
    "figures": "?run=first&screen=figures&also=second&split=dimension&smooth=60",
    "solved": "?run=first&screen=solved",
    "settings": "?run=first&screen=settings&also=second",
    "table": "?screen=table&sort=-reward&also=first%7Csecond",
    "verdicts": "?run=first&screen=verdicts",
}


@pytest.fixture(scope="module")
def judged(serve: Any, places: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The two runs, of which the first was judged again and the second has another recipe."""
    root = Path(shutil.copytree(places, tmp_path_factory.mktemp("why") / "runs"))
    assert score.main([str(root / "first"), "--rejudge", "rules"]) == 0
    recipe = root / "second" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("dapo", "dr_grpo"))
    return str(serve(root))


def saved(page: Any, figure: str, kind: str) -> bytes:
    with page.page.expect_download() as waiting:
        page.page.click(f"[data-figure='{figure}'] [data-file={kind}]")
    return Path(waiting.value.path()).read_bytes()


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_of_why_at_every_width_in_light_and_dark(visit: Any, judged: str, screen: str) -> None:
    for dark in (False, True):
        page = visit(SCREENS[screen], dark=dark, base=judged)
        for width in WIDTHS:
            page.page.set_viewport_size({"width": width, "height": 900})
            page.settled()
            page.shot(f"why-{screen}-{width}-{'dark' if dark else 'light'}", full=True)
            wider = page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{wider} px wider than {width}"
        page.has("h1", 1)
        assert "went wrong" not in page.text()
        page.clean()


def test_a_metric_is_chosen_smoothed_zoomed_and_saved(visit: Any, run: RunFolder) -> None:
    page = visit("?run=first&screen=figures")
    page.has("[data-figure]", 2)
    page.moved(lambda: page.page.select_option("[aria-label='Metrics: add']", "entropy"))
    page.has("[data-figure] canvas", 3)
    for name in ("Right answers", "Reward"):
        page.moved(lambda name=name: page.page.click(f"[aria-label^='take {name}']"))
    page.page.locator("#s1-smooth").fill("50")
    page.waits_for("location.search.includes('smooth=50')")
    logged = [[row["step"], row["entropy"]] for row in read_metrics(run)]
    rows = list(csv.reader(io.StringIO(saved(page, "entropy", "CSV").decode())))
    assert rows[0] == ["step", "entropy", "entropy (smoothed)"]
    assert [[int(x), float(y)] for x, y, _ in rows[1:]] == logged
    mean = weight = 0.0
    for (_, y), row in zip(logged, rows[1:], strict=True):
        mean, weight = 0.5 * mean + 0.5 * y, 0.5 * weight + 0.5
        assert float(row[2]) == pytest.approx(mean / weight)
    tree = ET.fromstring(saved(page, "entropy", "SVG"))
    assert "entropy" in "".join(tree.itertext()) and len(tree.findall(".//{*}path")) > 5
    assert "var(" not in ET.tostring(tree, encoding="unicode")
    assert saved(page, "entropy", "PNG").startswith(b"\x89PNG")
    over = page.page.locator(".u-over").bounding_box()
    page.page.mouse.move(over["x"] + over["width"] * 0.25, over["y"] + 40)
    page.page.mouse.down()
    page.page.mouse.move(over["x"] + over["width"] * 0.75, over["y"] + 60, steps=4)
    page.page.mouse.up()
    page.waits_for("new URLSearchParams(location.search).has('lo')")
    low, high = (float(page.page.input_value(f"[data-zoom={name}]")) for name in ("lo", "hi"))
    assert 3 < low < 7 and 10 < high < 14  # of the steps 1 to 16
    page.moved(lambda: page.page.reload())
    texts = [one.text for one in ET.fromstring(saved(page, "entropy", "SVG")).iter() if one.text]
    assert "2" not in texts and "8" in texts
    page.moved(lambda: page.page.click("text=Zoom out"))
    page.moved(lambda: page.page.check("text=logarithmic"))
    page.moved(lambda: page.page.select_option("label:has-text('Across') select", "time"))
    page.says("by hours of training")
    page.clean()


def test_a_click_on_a_curve_opens_its_step(visit: Any) -> None:
    page = visit("?run=first&screen=figures&metric=completions%3Aright")
    over = page.page.locator(".u-over").bounding_box()
    page.page.mouse.move(over["x"] + 2, over["y"] + 60)
    page.moved(lambda: page.page.mouse.click(over["x"] + 1, over["y"] + 60))
    page.ready("traces")
    page.says("from step: 0", "to step: 0")
    page.clean()


def test_the_figures_of_the_overview_are_files_too(visit: Any) -> None:
    page = visit("?run=first&screen=overview")
    with page.page.expect_download() as waiting:
        page.page.click("[data-chart=accuracy] [data-file=CSV]")
    head, *rows = csv.reader(io.StringIO(Path(waiting.value.path()).read_text()))
    assert head == ["step", "right", "right (smoothed)", "unreadable", "unreadable (smoothed)"] and len(rows) == 16
    raw = [[int(row[0]), float(row[1])] for row in rows]
    assert [float(row[2]) for row in rows] == pytest.approx([y for _, y in running_mean(raw)])
    with page.page.expect_download() as waiting:
        page.page.click("[data-chart=accuracy] [data-file=SVG]")
    tree = ET.parse(waiting.value.path()).getroot()
    assert "Answers" in "".join(tree.itertext()) and "var(" not in ET.tostring(tree, encoding="unicode")
    shown = page.page.locator("[data-chart=accuracy] .tick").first.evaluate("one => getComputedStyle(one).fontSize")
    styles = [one.get("style", "") for one in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert sum(f"font-size: {shown}" in style for style in styles) > 5, "ticks lose their size in the file"
    page.clean()


def test_a_cell_of_the_map_opens_the_completions_it_counts(visit: Any, judged: str) -> None:
    page = visit("?run=first&screen=solved", base=judged)
    cell = page.page.locator(".heat .cell").nth(5)
    told = cell.locator("title").text_content()
    step, number = told.split()[1].rstrip(":"), told.split()[4]
    page.moved(lambda: cell.click())
    page.ready("traces")
    page.says(f"of {number}", at="#s1-count")
    page.says(f"from step: {step}", f"to step: {step}")
    page.page.go_back()
    page.ready("solved")
    chips = page.page.locator("[data-kind]:not([data-kind=''])")
    kind = next(i for i in range(chips.count()) if not chips.nth(i).inner_text().endswith("\n0"))
    page.moved(lambda: chips.nth(kind).click())
    rows = list(csv.reader(io.StringIO(saved(page, "solved", "CSV").decode())))
    assert {row[2] for row in rows[1:]} == {chips.nth(kind).get_attribute("data-kind")}
    assert saved(page, "solved", "PNG").startswith(b"\x89PNG")
    page.clean()


def test_runs_are_sorted_chosen_and_laid_over_one_another(visit: Any, judged: str) -> None:
    page = visit("", base=judged)
    page.moved(lambda: page.page.click("text=As a table"))
    page.moved(lambda: page.page.click("[data-sort=step]"))
    order = "[...document.querySelectorAll('[data-row]')].map(one => one.dataset.row)"
    assert page.page.evaluate(order) == ["second", "first"]
    page.moved(lambda: page.page.click("[data-sort=step]"))
    assert page.page.evaluate(order) == ["first", "second"]
    for name in ("first", "second"):
        page.moved(lambda name=name: page.page.check(f"[aria-label='choose {name}']"))
    page.moved(lambda: page.page.click("text=Their curves"))
    page.ready("figures")
    page.says("grpo.loss_type", "dapo", "dr_grpo", at="#s1-differences")
    page.has("[data-figure='completions:right'] .legend span", 2)
    page.moved(lambda: page.page.click("text=Recipe and environment"))
    page.ready("settings")
    page.clean()


def test_verdicts_of_before_and_of_now_stand_side_by_side(visit: Any, judged: str) -> None:
    page = visit("?run=first&screen=verdicts", base=judged)
    page.has("[data-stage]", 4)
    link = page.page.locator("[data-stage] td a").first
    number = link.inner_text()
    page.moved(lambda: link.click())
    page.says("lower than what was paid in Cue Encoding")
    assert int(number) <= int(page.page.inner_text("h2").split()[0])
    page.moved(lambda: page.page.click("[data-change] a >> nth=0"))
    page.ready("trace")
    page.clean()
