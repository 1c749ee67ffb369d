"""In a real browser: the bar of screens at every width, labelling by keyboard, the hack board's links, live figures."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.runlog import RunFolder, TraceWriter, read_traces
from socialr1_lite.runlog.labels import read_label_rows
from socialr1_lite.sip import STAGES
from tests.viewer.make_run import make_run, moved

pytestmark = pytest.mark.slow

LONG = "a-run-whose-name-somebody-made-of-every-setting-lr1e-5-beta0-seed42-qwen3-1.7b-tombench-hard"


@pytest.fixture(scope="module")
def labelled(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, RunFolder]:
    root = tmp_path_factory.mktemp("labelled")
    run = make_run(root / "mine", steps=4, groups=2, size=4, scenarios=8, evaluate=False)
    run.path.rename(root / LONG)
    return str(serve(root)), RunFolder.open(root / LONG)


@pytest.mark.parametrize("width", [390, 821, 900, 1000, 1100, 1401, 1440])
def test_no_screen_is_hidden_from_the_bar_at_any_width(visit: Any, labelled: tuple[str, RunFolder], width: int) -> None:
    page = visit("", base=labelled[0])
    page.page.set_viewport_size({"width": width, "height": 800})
    page.page.goto(f"{labelled[0]}?run={LONG}&screen=overview")
    page.ready("overview")
    shown = """() => [...document.querySelectorAll('.s1-top nav a')].map(one => {
        const box = one.getBoundingClientRect(), bar = one.parentNode.getBoundingClientRect();
        return [one.textContent, box.left >= bar.left - 1 && box.right <= Math.min(bar.right, innerWidth) + 1];
    })"""
    names = dict(page.page.evaluate(shown))
    assert list(names)[:2] == ["Overview", "Traces"]
    if width >= 821:  # a phone scrolls the bar sideways
        assert all(names.values()), names
    assert page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.shot(f"bar-{width}")


def test_stages_are_marked_by_keyboard_blind_and_the_judge_is_set_against_them(
    visit: Any, labelled: tuple[str, RunFolder]
) -> None:
    base, run = labelled
    page = visit(f"?run={LONG}&screen=labels", base=base)
    page.says("Nothing labelled yet")
    page.moved(lambda: page.page.click("text=Label the next, blind"))
    page.ready("trace")
    page.has(".ledger", 0)
    page.has(".marks", 4)
    for key, done in (("y", 1), ("n", 2), ("p", 3)):
        page.page.keyboard.press(key)
        page.says(f"{done} of 4 marked", at="#s1-marked")
    page.page.keyboard.press("2")
    page.waits_for("document.activeElement.id === 'stage-cue_interpretation'")
    page.page.keyboard.press("i")
    page.page.keyboard.type("knows nothing of it <b>bold</b>")
    page.page.keyboard.press("Enter")
    page.waits_for("document.querySelector('[data-note=cue_interpretation]').value.includes('<b>')")
    page.page.keyboard.press("Escape")
    page.shot("label-blind", full=True)
    page.press("b")
    page.has(".ledger", 1)
    (row,) = read_label_rows(run)
    assert [row["labels"].get(stage) for stage in STAGES] == [1.0, 0.0, 0.5, None] and row["blind"] is True
    assert row["notes"] == {"cue_interpretation": "knows nothing of it <b>bold</b>"}
    first = page.page.url
    page.press(".")
    assert page.page.url != first
    page.page.keyboard.press("n")
    page.says("1 of 4 marked", at="#s1-marked")
    page.press("v")
    page.ready("pair")
    page.moved(lambda: page.page.keyboard.press("ArrowLeft"))
    page.has("[data-better='one '][aria-pressed=true]", 1)
    page.shot("label-pair", full=True)
    page.page.goto(f"{base}?run={LONG}&screen=labels")
    page.ready("labels")
    page.says("Where they lie furthest apart", "<b>bold</b>")
    with page.page.expect_download() as waiting:
        page.page.click("text=Labels (JSONL)")
    rows = [json.loads(line) for line in Path(waiting.value.path()).read_text().splitlines()]
    assert {one["by"] for one in rows} == {"me"}
    page.shot("labels", full=True)
    page.clean()


def test_who_marks_a_stage_second_is_told_and_shown_what_is_there(visit: Any, labelled: tuple[str, RunFolder]) -> None:
    base, run = labelled
    address = f"?run={LONG}&screen=trace&label=1"
    first, second = (visit(address, base=base) for _ in range(2))
    for page in (first, second):
        page.has(".marks", 4)
        page.page.fill("[aria-label='Your name as a reader']", "both")
        page.moved(lambda page=page: page.page.keyboard.press("Enter"))
        page.has(".mark[aria-pressed=true]", 0)
    card = "#stage-goal_clarification"
    first.page.click(f"{card} [data-mark=good]")
    first.has(f"{card} [data-mark=good][aria-pressed=true]", 1)
    second.page.click(f"{card} [data-mark=bad]")
    second.says(
        "Another viewer has saved the mark 'good' here; yours, 'bad', was not saved", at=f"{card} [data-crossed]"
    )
    second.has(f"{card} [data-mark=good][aria-pressed=true]", 1)
    second.shot("label-crossed")
    assert [row["labels"] for row in read_label_rows(run) if row["by"] == "both"] == [{"goal_clarification": 1.0}]
    second.page.click(f"{card} [data-mark=bad]")
    second.has(f"{card} [data-mark=bad][aria-pressed=true]", 1)
    second.has("[data-crossed]", 0)
    assert [row["labels"] for row in read_label_rows(run) if row["by"] == "both"] == [{"goal_clarification": 0.0}]
    second.clean()


def test_saves_go_one_after_the_other_and_take_no_text_from_under_the_pen(
    visit: Any, labelled: tuple[str, RunFolder]
) -> None:
    base, run = labelled
    page = visit(f"?run={LONG}&screen=trace&label=1", base=base)
    page.has(".marks", 4)
    page.page.fill("[aria-label='Your name as a reader']", "quick")
    page.moved(lambda: page.page.keyboard.press("Enter"))
    held: list[Any] = []

    def hold(route: Any) -> None:
        if route.request.post_data_json["fn_name"] == "label":
            held.append(route)
        else:
            route.continue_()

    asked = re.compile("component_server")
    page.page.route(asked, hold)
    card = "#stage-cue_encoding"
    page.page.fill(f"{card} input", "named Tom")
    for word in ("good", "bad"):  # with the first click the pen leaves the note
        page.page.click(f"{card} [data-mark={word}]")
    page.page.focus(f"{card} input")
    page.page.keyboard.press("End")
    page.page.keyboard.type(" twice")
    for saves in (1, 2, 3):
        page.page.wait_for_timeout(300)
        assert len(held) == saves  # the others wait for their turn
        held[-1].continue_()
    page.has(f"{card} [data-mark=bad][aria-pressed=true]", 1)
    assert page.page.input_value(f"{card} input") == "named Tom twice"
    page.waits_for("document.activeElement.dataset.note === 'cue_encoding'")
    page.page.unroute(asked)
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("y")  # of the stage that has no mark yet, and of the one after it
    page.page.keyboard.press("n")
    page.says("3 of 4 marked", at="#s1-marked")
    (row,) = [one for one in read_label_rows(run) if one["by"] == "quick"]
    assert [row["labels"].get(stage) for stage in STAGES] == [0.0, 1.0, 0.0, None]
    assert row["notes"] == {"cue_encoding": "named Tom twice"}
    page.clean()


def test_every_tile_bar_and_cell_of_the_hack_board_leads_to_what_it_counts(visit: Any) -> None:
    page = visit("?run=first&screen=hacks&from=4&to=12")
    page.has(".tiles a.tile", 6)
    page.has(".matrix td:not(:has(a))", 2)  # the two empty corners
    assert page.page.locator("svg.dots a").count() > 5
    tile = page.page.inner_text(".tiles a.tile >> nth=0").split()
    page.moved(lambda: page.page.click(".tiles a.tile >> nth=0"))
    page.ready("traces")
    page.says(f"of {tile[3]}", at="#s1-count")
    page.says("Flags: paid yet wrong", "from step: 4", "to step: 12")
    page.page.go_back()
    page.ready("hacks")
    bar = page.page.locator("svg.dots a").nth(2)
    number = bar.get_attribute("aria-label").split()[2]
    page.moved(lambda: bar.dispatch_event("click"))
    page.ready("traces")
    page.says(f"of {number}", at="#s1-count")
    page.clean()


def test_filters_take_several_values_and_negation_and_ranges(visit: Any) -> None:
    page = visit("?run=first&screen=traces")
    page.page.wait_for_selector('[data-facet="outcome:wrong"]')
    page.moved(lambda: page.page.click('[data-facet="outcome:wrong"]'))
    page.moved(lambda: page.page.click('[data-facet="outcome:unreadable"]'))
    page.says("Outcome: wrong or unreadable")
    page.moved(lambda: page.page.click("[data-not=outcome]"))
    page.says("Outcome: not wrong or unreadable")
    assert all("right" in one for one in page.page.locator("tbody td:nth-child(4)").all_inner_texts())
    page.page.fill("input[name=reward_min]", "1.2")
    page.moved(lambda: page.page.click(".ranges button"))
    page.says("reward at least: 1.2")
    assert all(float(one) >= 1.2 for one in page.page.locator("tbody td[data-label=reward]").all_inner_texts())
    page.page.fill("#s1-search", "barn OR box -submarine")
    page.page.select_option("[aria-label='Where to search']", "all")
    page.moved(lambda: page.page.keyboard.press("Enter") or page.page.click("button:has-text('Search')"))
    page.says("text: barn OR box -submarine", "searched: all")
    page.clean()


def test_a_live_overview_renews_its_head_and_what_to_look_at(serve: Any, visit: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "live", steps=4, groups=2, size=4, scenarios=8, evaluate=False)
    run.set_state("running", step=4)
    base = serve(tmp_path)
    page = visit("?run=live", base=base)
    page.says("step 4 of 4 · running · 32 completions", at="#s1-subtitle")
    written = list(read_traces(run))
    with TraceWriter(run, 0, launch=0) as traces:
        traces.write(moved(written, steps=4, groups=8))
    run.set_state("running", step=8)
    page.says("step 8 of 4 · running · 64 completions", at="#s1-subtitle")
    past = 1_000_000
    for path in (*run.traces.iterdir(), run.metrics, run.state_file):
        os.utime(path, (past, past))
    page.says("silent", at=".live")
    page.says("silent for", at="#s1-subtitle")
    page.clean()


def test_a_live_overview_draws_only_what_is_new_and_leaves_the_reader_s_place(
    serve: Any, visit: Any, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "live", steps=4, groups=2, size=4, scenarios=8, evaluate=False)
    run.set_state("running", step=4)
    page = visit("?run=live", base=serve(tmp_path))
    page.says("live", at=".live")
    page.page.evaluate(
        """() => {
            window.drawn = [];
            new MutationObserver((all) => window.drawn.push(...all.map((one) => one.target.id || one.target.className)))
                .observe(document.querySelector('.s1-main'), { childList: true, subtree: true });
        }"""
    )
    page.page.wait_for_timeout(7500)  # two times the page has asked whether there is anything new
    assert page.page.evaluate("window.drawn") == []
    page.page.focus("#s1-tiles a >> nth=1")
    page.page.evaluate("window.scrollTo(0, 300)")
    was = page.page.evaluate("document.activeElement.textContent")
    with TraceWriter(run, 0, launch=0) as traces:
        traces.write(moved(list(read_traces(run)), steps=4, groups=8))
    page.says("64 completions", at="#s1-subtitle")
    page.waits_for("window.drawn.includes('s1-tiles')")
    shown = page.page.evaluate(
        "[document.activeElement.matches('#s1-tiles a'), document.activeElement.textContent, scrollY]"
    )
    assert shown[0] and shown[1].startswith(was[:13]) and shown[2] == 300
    page.clean()


def test_an_empty_run_is_not_drawn_again_and_again(serve: Any, visit: Any, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "bare")
    run.begin_launch(0, ["train"])
    page = visit("?run=bare", base=serve(tmp_path))
    page.says("Nothing written yet")
    before = page.page.get_attribute(".s1-main", "data-ready")
    page.page.wait_for_timeout(7500)
    assert page.page.get_attribute(".s1-main", "data-ready") == before


def test_what_is_typed_into_try_it_stays_and_says_by_whose_rules(visit: Any) -> None:
    page = visit("?run=first&screen=try")
    page.page.fill("textarea[name=reply]", "<think>Cue Encoding: seen.</think><answer>A</answer>")
    page.moved(lambda: page.page.click("nav >> text=Traces"))
    page.moved(lambda: page.page.click("nav >> text=Try it"))
    page.waits_for("document.querySelector('textarea[name=reply]').value.includes('seen')")
    page.page.click("#s1-score")
    page.says("Scored as first pays", at="#s1-scored-by")
    page.waits_for("document.querySelector('#s1-scored-by').getBoundingClientRect().top < innerHeight")
    page.shot("try-by-run", full=True)
    page.clean()


def test_an_empty_run_blames_no_filter_and_no_mark(serve: Any, visit: Any, tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "runs" / "empty")
    page = visit("?run=empty&screen=labels", base=serve(tmp_path / "runs"))
    page.says("nothing to label yet")
    assert "Everything drawn" not in page.text()
    for screen in ("trace", "group", "prompt"):
        page.open(f"?run=empty&screen={screen}")
        page.says("This run has written no completions yet")
        assert "filter" not in page.page.inner_text("#s1-main")
