"""Where a reader is and comes back to, what others' text looks like, and the small things on the screens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, reply_text
from socialr1_lite.viewer import hacks, pages, reports, runs, words
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.conftest import SCENARIO
from tests.viewer.make_run import make_run, traces_of_group

LANGUAGES = {
    "chinese": (
        "玛拉把钥匙藏在铁罐里。汤姆不在家。",
        "汤姆会先去哪里找。",
        ("铁罐里", "挂钩上"),
        "汤姆没有看见玛拉藏钥匙。",
    ),
    "hebrew": ("מרה הסתירה את המפתח בפח. תום היה בחוץ.", "איפה תום יחפש?", ("בפח", "על הוו"), "תום לא ראה את המעשה."),
}


def write(folder: Path, said: list[str] | None = None, language: str = "") -> RunFolder:
    """A run of one group: these texts as every stage of a reply each."""
    scenario = SCENARIO
    if language:
        story, question, options, text = LANGUAGES[language]
        scenario = Scenario(id=language, story=story, question=question, options=options, gold=(1,), dimension="belief")
        said = [text, text * 2]
    run = RunFolder.create(folder)
    run.add_scenarios([scenario])
    replies = [reply_text(dict.fromkeys(STAGES, text), "B") for text in said or []]
    with TraceWriter(run, launch=run.begin_launch(0, ["test"])) as writer:
        if replies:
            stack = RewardStack(Rewards())
            writer.write(traces_of_group(scenario, replies, stack=stack, step=0, group=0, share=1.0))
    run.set_state("completed", step=1)
    return run


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Tom didn't see the well-known tin.", 6), ("", 0), ("… — !", 0), ("汤姆没有看见玛拉。", 8), ("Tom 看见 the tin", 5),
        ("カギを見た", 5), ("תום לא ראה", 3), ("𠀀𠀁", 2), ("열쇠를 봤다", 2),
    ],
)  # fmt: skip
def test_words_are_counted_in_any_script(text: str, n: int) -> None:
    assert words.count_words(text) == n


def test_a_chinese_text_is_compared_sign_by_sign() -> None:
    assert words.word_diff("他看见了钥匙", "他没看见钥匙") == [
        (" ", "他"), ("+", "没"), (" ", "看见"), ("-", "了"), (" ", "钥匙"),
    ]  # fmt: skip
    assert words.change_in_words("他看见", "她看见了") == "3 words became 4; 40 % of the words used are shared."


def test_a_run_of_a_newer_version_opens_on_no_screen(tmp_path: Path) -> None:
    run = make_run(tmp_path / "new", steps=1, groups=1, size=2, scenarios=2)
    state = json.loads(run.state_file.read_text())
    run.state_file.write_text(json.dumps(state | {"version": 99}))
    library = Library([tmp_path])
    (line,) = runs.runs(library, Query({}))["runs"]
    assert "99" in line["problem"]
    for page in (
        runs.overview,
        runs.pulse,
        pages.traces,
        pages.facets,
        pages.trace,
        pages.group,
        hacks.hacks,
        reports.benchmarks,
    ):
        with pytest.raises(RunLogError, match="format version 99"):
            page(library, Query({"run": "new"}))
    run.state_file.write_text("{torn")  # which a crash can leave: the traces are still shown
    assert Library([tmp_path]).run("new").key == "new"


def test_a_check_without_a_report_is_an_evaluation(ask: Any, library: Library) -> None:
    answer = ask(reports.benchmarks)
    (held,) = [
        one for one in answer["checks"] if one["name"] not in [report["benchmark"] for report in answer["reports"]]
    ][:1]
    found = pages.traces(library, Query({"run": "first", **{key: value for key, value in held["filter"].items()}}))
    assert found["total"] > 0 and {row["step"] for row in found["rows"]} == {held["step"]}
    right = sum(row["outcome"] == "right" for row in found["rows"])
    assert held["told"] == f"{right} of {found['total']} right"


@pytest.fixture
def odd(serve: Any, tmp_path: Path) -> str:
    """A viewer over runs in other scripts, an empty one, and one whose replies are long."""
    for language in LANGUAGES:
        write(tmp_path / language, language=language)
    write(tmp_path / "empty")
    write(tmp_path / ("long-" + "name" * 30), ["She saw it. " * 9000, "No."])
    return str(serve(tmp_path))


@pytest.mark.slow
def test_back_returns_to_the_row_and_what_was_opened_is_marked(visit: Any) -> None:
    page = visit("?run=first&screen=traces&nth=2")
    row = page.page.locator("tr[data-trace] >> nth=40")
    name = row.get_attribute("data-trace")
    page.moved(lambda: row.locator("a.peek").click())
    page.moved(page.page.go_back)
    page.waits_for("name => document.querySelector('tr.here')?.dataset.trace === name", name)
    page.waits_for("document.activeElement.matches('tr.here a.peek')")
    box = page.page.locator("tr.here").bounding_box()
    assert 0 < box["y"] < 900 and page.page.locator("tr.opened").count() == 1
    page.moved(lambda: page.page.keyboard.press("Enter"))
    page.press("j")
    page.press("j")
    page.press("u")  # two further on: the list is on the page that holds it
    page.waits_for("document.querySelectorAll('tr.opened').length === 3")
    assert page.page.locator("tr.here").get_attribute("data-trace") != name
    assert "nth=2" in page.page.url
    page.has("[aria-label='Next page']", 2)
    page.page.goto(f"{page.base}?run=first&screen=overview")
    page.ready("overview")
    page.page.keyboard.press("/")
    page.waits_for("document.activeElement.id === 's1-search'")
    page.clean()


@pytest.mark.slow
def test_the_phone_can_sort(visit: Any) -> None:
    page = visit("?run=first&screen=traces", phone=True)
    page.moved(lambda: page.page.select_option("#s1-sort", label="Reward"))
    page.moved(lambda: page.page.click("[aria-label^='Smallest first']"))
    assert "sort=-total" in page.page.url
    totals = [float(one) for one in page.page.locator("td[data-label=reward]").all_inner_texts()]
    assert totals == sorted(totals, reverse=True)
    page.shot("traces-phone-sorted")
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_run_in_their_own_direction(visit: Any, odd: str, language: str) -> None:
    for width, dark in ((390, False), (900, True), (1440, False)):
        page = visit(f"?run={language}&screen=trace", base=odd, dark=dark)
        page.page.set_viewport_size({"width": width, "height": 900})
        wanted = "rtl" if language == "hebrew" else "ltr"
        for selector in (".story", ".options li span[dir]", ".stage .prose"):
            assert page.page.eval_on_selector(selector, "one => getComputedStyle(one).direction") == wanted, selector
        page.shot(f"{language}-{width}-{'dark' if dark else 'light'}", full=True)
        assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        if language == "chinese":
            page.says("11 words", at=".stage")  # signs, for Chinese sets no spaces
        page.clean()


@pytest.mark.slow
def test_small_things(visit: Any, odd: str) -> None:
    page = visit("", base=odd, phone=True)
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.shot("runs-phone-long-name", full=True)
    page.moved(lambda: page.page.click("[data-off=chinese]"))
    page.has("[data-run=chinese]", 0)
    page.moved(lambda: page.page.click("#s1-back"))
    page.has("[data-run=chinese]", 1)
    long = page.page.eval_on_selector("[data-run^=long]", "one => one.dataset.run")
    page.page.goto(f"{odd}?run={long}&screen=overview")
    page.ready("overview")
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.page.goto(f"{odd}?run={long}&screen=trace&trace=t0.0.0.0")
    page.ready("trace")
    page.has("[data-unfold]", 4)
    before = len(page.page.inner_text(".stage"))
    page.page.click("[data-unfold] >> nth=0")
    page.has("[data-unfold]", 3)
    assert before < 8000 < 100_000 < len(page.page.inner_text(".stage"))
    page.page.goto(f"{odd}?run=empty&screen=traces")
    page.ready("traces")
    page.says("No completions yet")
    assert "filter away" not in page.text()
    page.clean()


@pytest.mark.slow
def test_what_is_shown_can_be_copied(visit: Any) -> None:
    page = visit("?run=first&screen=trace")
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.page.click("[aria-label='Copy Cue Encoding']")
    page.waits_for("navigator.clipboard.readText().then((now) => now.trim() !== '')")
    copied = page.page.evaluate("navigator.clipboard.readText()")
    shown = page.page.locator(".stage.cue_encoding .prose").all_inner_texts()
    assert " ".join(copied.split()) == " ".join(" ".join(shown).split())
    page.page.click("[aria-label='Copy story, question and options']")
    page.waits_for("before => navigator.clipboard.readText().then((now) => now !== before)", copied)
    scene = page.page.evaluate("navigator.clipboard.readText()")
    assert "\nA. " in scene and "\nB. " in scene


@pytest.mark.slow
def test_a_viewer_that_is_gone_is_called_that(visit: Any, places: Path) -> None:
    from socialr1_lite.viewer import launch

    app = launch([places], prevent_thread_lock=True)
    page = visit("?run=first&screen=overview", base=str(app.local_url))
    page.says("written", at=".live")
    app.close(verbose=False)
    page.says("viewer gone", at=".live")


def test_a_search_begun_elsewhere_keeps_the_filter(visit: Any) -> None:
    page = visit("?run=first&screen=traces&outcome=wrong")
    page.moved(lambda: page.page.locator("tbody .peek").first.click())
    page.ready("trace")
    page.page.keyboard.press("/")
    page.ready("traces")
    page.waits_for("document.activeElement.id === 's1-search'")
    assert "outcome=wrong" in page.page.url
    page.clean()
