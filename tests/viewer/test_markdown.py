"""In a real browser: replies as Markdown when the reader wants it, which makes no HTML, link or image of anything."""

from __future__ import annotations

from typing import Any

import pytest

from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, reply_text
from tests.runlogs import trace

pytestmark = pytest.mark.slow

SCENARIO = Scenario(
    "s/0", "Mara hid the violin in the chest. Tom left.", "Where does Tom look?", ("chest", "trunk"), (0,)
)
FINE = "Mara hid the violin in the chest.\n\n# What was seen\n- **Tom** left\n  1. then `x < y`\n```\n<b>code</b>\n```"
EVIL = (
    "<img src=x onerror=window.hit=1> <script>window.hit=1</script> <b>raw</b>",
    "[click](javascript:window.hit=1) ![pic](http://evil.example/p.png) <http://evil.example/auto>",
    "[ref][1]\n[1]: javascript:window.hit=1\n**<svg onload=window.hit=1>** `<img src=x onerror=window.hit=1>`",
)
DEEP = "\n".join(f"{'  ' * min(level, 40)}- level {level}" for level in range(2_000))
NESTED = f"{'- ' * 10_000}end {'> ' * 10_000}end {'*' * 10_000}end {'`' * 9_999}end"


@pytest.fixture(scope="module")
def marked(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = RunFolder.create(tmp_path_factory.mktemp("markdown") / "mine")
    run.add_scenarios([SCENARIO])
    texts = [[FINE, *EVIL], [DEEP, NESTED, "plain", "plain"]]
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        for i, said in enumerate(texts):
            reply = reply_text(dict(zip(STAGES, said, strict=True)), "A")
            writer.write([trace(0, 0, i, scenario="s/0", completion=reply, outcome="right")])
    return str(serve(run.path.parent))


def test_markdown_is_a_switch_that_stays_and_marks_are_on_plain_text(visit: Any, marked: str) -> None:
    page = visit("?run=mine&screen=trace&trace=t0.0.0.0", base=marked)
    page.has(".md", 0)
    page.waits_for("document.querySelectorAll('.stage .piece-quote').length > 0")
    page.says("**Tom** left", "# What was seen")
    page.moved(lambda: page.page.click("button:has-text('Markdown')"))
    page.has(".md", 4)
    page.has(".stage .md-head", 1)
    card = "#stage-cue_encoding"
    read = "where => [...document.querySelectorAll(where)].map(one => one.textContent)"
    assert page.page.evaluate(read, f"{card} .md b") == ["Tom"]
    assert page.page.evaluate(read, f"{card} .md code") == ["x < y"]
    assert page.page.evaluate(read, f"{card} .md pre") == ["<b>code</b>"]
    page.shot("markdown", full=True)
    page.moved(lambda: page.page.reload())
    page.has(".stage .md-head", 1)
    page.moved(lambda: page.page.click("button:has-text('Markdown')"))
    page.waits_for("document.querySelectorAll('.stage .piece-quote').length > 0")
    page.clean()


def test_markdown_makes_no_element_of_a_payload(visit: Any, marked: str) -> None:
    page = visit("?run=mine&screen=trace&trace=t0.0.0.0", base=marked)
    page.moved(lambda: page.page.click("button:has-text('Markdown')"))
    page.says(
        "[click](javascript:window.hit=1)", "![pic](http://evil.example/p.png)", "<b>raw</b>", "onerror=window.hit=1>"
    )
    made = "[...new Set([...document.querySelectorAll('.md, .md *')].map(one => one.localName))].sort().join(' ')"
    assert page.page.evaluate(made) == "b code div pre span"
    carried = "[...document.querySelectorAll('.md *')].flatMap(one => one.getAttributeNames())"
    assert set(page.page.evaluate(carried)) <= {"class", "style", "dir"}
    assert page.page.evaluate("window.hit") is None
    page.clean()


def test_markdown_survives_ten_thousand_levels(visit: Any, marked: str) -> None:
    page = visit("?run=mine&screen=trace&trace=t0.0.0.1", base=marked)
    page.moved(lambda: page.page.click("button:has-text('Markdown')"))
    for _ in range(page.page.locator("[data-unfold]").count()):
        page.page.locator("[data-unfold]").first.click()
    page.has("[data-unfold]", 0)
    page.has("#stage-cue_encoding .md-item", 2_000)
    deepest = """Math.max(...[...document.querySelectorAll('.md *')].map(one => {
        let n = 0; for (let at = one; !at.classList.contains('md'); at = at.parentNode) n += 1; return n; }))"""
    assert page.page.evaluate(deepest) <= 3
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.clean()
