"""Every screen in a real browser, as a person would click through it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import score
from socialr1_lite.judges import build_judge
from socialr1_lite.recipe import JudgeEntry, Recipe, Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.runlog import RunFolder, TraceWriter, read_traces
from socialr1_lite.stories import gold_reply
from tests.conftest import SCENARIO
from tests.viewer.conftest import PHONE
from tests.viewer.make_run import make_run, moved
from tests.viewer.test_stage import written

pytestmark = pytest.mark.slow

SHOWN = {
    "runs": "", "overview": "?run=first", "traces": "?run=first&screen=traces&sort=-total", "trace": "?run=first&screen=trace&sort=-total",
    "group": "?run=first&screen=group", "prompt": "?run=first&screen=prompt", "hacks": "?run=first&screen=hacks",
    "benchmarks": "?run=first&screen=benchmarks", "compare": "?run=first&screen=compare&with=second", "try": "?run=first&screen=try",
    "exchange": "?run=first&screen=exchange", "labels": "?run=first&screen=labels", "pair": "?run=first&screen=pair",
    "figures": "?run=first&screen=figures&also=second&split=dimension", "solved": "?run=first&screen=solved",
    "settings": "?run=first&screen=settings&also=second", "verdicts": "?run=first&screen=verdicts",
}  # fmt: skip


@pytest.mark.parametrize("screen", SHOWN)
@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop-light", "phone-dark"])
def test_every_screen_at_every_size(visit: Any, screen: str, phone: bool, dark: bool) -> None:
    page = visit(SHOWN[screen], phone=phone, dark=dark)
    page.ready(screen)
    page.shot(f"{screen}-{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}", full=phone)
    wider = page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, f"{wider} px wider than the window"
    page.has("h1", 1)
    assert "went wrong" not in page.text()
    page.clean()


@pytest.mark.essential
def test_from_the_runs_to_one_stage_and_back(visit: Any) -> None:
    page = visit()
    page.moved(lambda: page.page.click("[data-run=first]"))
    page.says("Where to look first")
    page.moved(lambda: page.page.click(".pick >> nth=0"))
    page.ready("trace")
    cards = page.page.locator(".stage h3").all_inner_texts()
    assert cards == ["Cue Encoding", "Cue Interpretation", "Goal Clarification", "Response Generation"]
    assert (
        page.page.locator("#s1-total").inner_text()
        in page.page.locator(".formula").inner_text() + page.page.locator("#s1-total").inner_text()
    )
    page.page.go_back()
    page.ready("overview")
    page.clean()


@pytest.mark.essential
def test_keys_walk_the_filter(visit: Any) -> None:
    page = visit("?run=first&screen=trace&outcome=wrong&sort=-total")
    where = lambda: page.page.inner_text("#s1-position")  # noqa: E731
    assert where().startswith("1 of")
    page.press("j")
    page.press("j")
    assert where().startswith("3 of")
    page.press("k")
    assert where().startswith("2 of")
    page.says("wrong", at=".crumbs")
    here = page.page.url
    page.press("l")
    assert page.page.url != here
    page.press("r")
    page.page.wait_for_selector("#s1-raw")
    assert "raw=1" in page.page.url
    page.press("r")
    page.page.keyboard.press("3")
    page.waits_for("document.activeElement.id === 'stage-goal_clarification'")
    page.page.keyboard.press("?")
    page.page.wait_for_selector("dialog")
    page.page.keyboard.press("Escape")
    page.has("dialog", 0)
    page.press("g")
    page.ready("group")
    page.press("u")
    page.ready("trace")
    page.press("d")
    page.ready("prompt")
    page.clean()


def test_a_burst_of_keys_ends_where_it_should(visit: Any) -> None:
    page = visit("?run=first&screen=trace&sort=-total")
    for _ in range(12):
        page.page.keyboard.press("j")
        page.page.wait_for_timeout(15)
    page.settled()
    at = int(page.page.inner_text("#s1-position").split()[0])
    shown = page.page.evaluate("new URLSearchParams(location.search).get('trace')")
    again = visit(f"?run=first&screen=trace&sort=-total&trace={shown}")
    assert int(again.page.inner_text("#s1-position").split()[0]) == at > 1


def test_keys_typed_into_a_field_stay_there(visit: Any) -> None:
    page = visit("?run=first&screen=traces")
    page.page.keyboard.press("/")
    page.waits_for("document.activeElement.id === 's1-search'")
    page.page.keyboard.type("jump?")
    page.waits_for("document.querySelector('#s1-search').value === 'jump?'")
    page.settled()
    page.has("dialog", 0)


@pytest.mark.essential
def test_a_pasted_link_shows_the_same_thing(visit: Any) -> None:
    page = visit("?run=first&screen=traces")
    page.moved(lambda: page.page.click('[data-facet="outcome:wrong"]'))
    page.moved(lambda: page.page.click('th button:has-text("Reward")'))
    page.moved(lambda: page.page.click("tbody tr >> nth=2"))
    page.press("j")
    page.says("written", at=".live")
    first = page.text().replace("\n", " ")
    other = visit(page.page.url.removeprefix(page.base))
    other.says("written", at=".live")
    strip = lambda text: text.split("written")[0] + text.split("ago")[-1]  # noqa: E731
    assert strip(other.text().replace("\n", " ")) == strip(first)
    assert "outcome=wrong" in other.page.url and "sort=-total" in other.page.url


def test_filters_search_and_pages(visit: Any) -> None:
    page = visit("?run=first&screen=traces")
    shown = lambda: page.page.inner_text("#s1-count")  # noqa: E731
    everything = shown()
    page.page.fill("#s1-search", "submarine")
    page.moved(lambda: page.page.keyboard.press("Enter"))
    page.says("text: submarine")
    assert shown() != everything
    page.moved(lambda: page.page.click("button.chip:has-text('Clear all')"))
    assert shown() == everything
    page.moved(lambda: page.page.click("[aria-label='Next page'] >> nth=0"))
    assert shown().startswith("51–")
    page.page.fill("input[name=from]", "3")
    page.page.fill("input[name=to]", "3")
    page.moved(lambda: page.page.click("button:has-text('Apply')"))
    assert set(page.page.locator("tbody td:first-child").all_inner_texts()) == {"3"}
    page.clean()


def test_a_point_of_a_curve_leads_to_its_completions(visit: Any) -> None:
    page = visit("?run=first")
    plot = page.page.locator("[data-chart=reward] svg.plot")
    page.moved(lambda: plot.click(position={"x": plot.bounding_box()["width"] * 0.6, "y": 90}))
    page.ready("traces")
    assert "from=" in page.page.url
    assert len(set(page.page.locator("tbody td:first-child").all_inner_texts())) == 1


def test_a_curve_can_be_read_without_a_mouse(visit: Any) -> None:
    page = visit("?run=first")
    page.page.focus("[data-chart=reward] svg.plot")
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowRight")
    page.says("step 1", at="[data-chart=reward] .tip")
    page.page.click("[data-chart=reward] summary")
    page.has("[data-chart=reward] table tbody tr", 16)


def test_a_curve_drawn_anew_keeps_what_the_reader_opened(visit: Any) -> None:
    page = visit("?run=first")
    page.page.click("[data-chart=reward] summary")
    page.has("[data-chart=reward] table tbody tr", 16)
    page.page.focus("[data-chart=reward] svg.plot")
    page.page.keyboard.press("ArrowRight")
    page.says("step 0", at="[data-chart=reward] .tip")
    drawn = "document.querySelector('[data-chart=reward] svg.plot').getAttribute('viewBox')"
    before = page.page.evaluate(drawn)
    page.page.set_viewport_size(PHONE)
    page.waits_for(f"was => {drawn} !== was", before)
    page.has("[data-chart=reward] details[open] table tbody tr", 16)
    page.says("step 0", at="[data-chart=reward] .tip")
    page.waits_for("document.activeElement.matches('[data-chart=reward] svg.plot')")


def test_hovering_a_cue_lights_its_sentence_and_its_use(visit: Any) -> None:
    page = visit("?run=first&screen=trace&outcome=right&sort=-total&phase=train")
    page.page.hover(".stage .piece-quote >> nth=0")
    page.page.wait_for_selector(".story .lit")
    page.page.mouse.move(0, 0)
    page.page.wait_for_selector(".lit", state="detached")


def test_one_prompt_across_training(visit: Any) -> None:
    page = visit("?run=first&screen=prompt&stage=all")
    assert page.page.locator("#s1-diff ins, #s1-diff del").count() > 0
    before = page.page.inner_text("#s1-diff")
    page.moved(lambda: page.page.click(".timeline button >> nth=2"))
    assert page.page.inner_text("#s1-diff") != before and "b=" in page.page.url
    page.clean()


def test_comparing_two_runs(visit: Any) -> None:
    page = visit("?run=first&screen=compare&with=second")
    split = page.page.locator("#s1-rises details >> nth=0")
    split.locator("summary").click()
    assert split.locator(".forest svg").count() > 1 and "interval" in (
        split.locator(".forest svg >> nth=0").get_attribute("aria-label") or ""
    )
    with page.page.expect_download() as kept:
        page.page.click("#s1-rises button:has-text('SVG') >> nth=0")
    drawn = Path(kept.value.path()).read_text(encoding="utf-8")
    assert "right answers" in drawn and ">all<" in drawn and "stroke-dasharray" in drawn
    page.shot("compare-splits", full=True)
    page.moved(lambda: page.page.click("button:has-text('any flip')"))
    page.moved(lambda: page.page.click("tr[data-pair] >> nth=0"))
    page.has("#s1-pair .panes .card", 2)
    page.shot("compare-pair", full=True)
    page.clean()


def test_the_benchmarks_page_with_and_without_reports(visit: Any, places: Path, serve: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "bare", steps=2, groups=1, size=2, scenarios=2, evaluate=False)
    page = visit("?run=bare&screen=benchmarks", base=serve(tmp_path))
    page.says("No evaluation yet", "socialr1_lite.evaluate")
    assert "Held-out checks" not in page.text()
    page = visit("?run=second&screen=benchmarks")
    page.says("No benchmark yet", "socialr1_lite.evaluate", "Held-out checks during training", "at step 8")
    report = {
        "version": 1, "benchmark": "heldout", "n": 24, "adapter_step": 16, "prompt_style": "sip", "unreadable": 2,
        "metrics": {"accuracy": {"value": 0.62, "low": 0.43, "high": 0.79, "n": 24, "official": True}},
        "groups": {"order": {"0": {"value": 0.75, "low": 0.4, "high": 0.9, "n": 8}, "1": {"value": 0.5, "low": 0.2, "high": 0.8, "n": 8}}},
        "published": [{"label": "chance", "value": 0.33, "source": "by counting", "protocol": ""}],
        "source": {"files": [{"name": "heldout.jsonl", "sha256": "0f" * 32}], "licence": "MIT"},
    }  # fmt: skip
    (places / "first" / "evaluation" / "heldout.json").write_text(json.dumps(report))
    (places / "first" / "evaluation" / "broken.json").write_text("{")
    page = visit("?run=first&screen=benchmarks")
    page.says("62.0 %", "broken.json: no JSON", "chance")
    page.shot("benchmarks-report", full=True)
    page.moved(lambda: page.page.click("text=its replies"))
    page.says("Benchmark: heldout")


@pytest.mark.essential
def test_scoring_a_pasted_reply(visit: Any) -> None:
    page = visit("?run=first&screen=try")
    page.page.fill(
        "textarea[name=reply]", "<think>Cue Encoding: nothing was seen there at all.</think><answer>A</answer>"
    )
    page.page.click("#s1-score")
    page.page.wait_for_selector("#s1-result .ledger")
    page.says("missing", at="#s1-result")
    page.says("adds", at="#s1-result .ledger")
    page.shot("try-scored", full=True)
    page.clean()


def test_exporting_and_importing_in_the_browser(visit: Any, tmp_path: Path) -> None:
    page = visit("?run=first&screen=exchange&outcome=right")
    for kind in ("html", "jsonl", "csv", "parquet"):
        with page.page.expect_download() as waiting:
            page.page.click(f"[data-export={kind}]")
        waiting.value.save_as(tmp_path / f"x.{kind}")
        assert (tmp_path / f"x.{kind}").stat().st_size > 1000, kind
    offline = visit()
    offline.page.goto((tmp_path / "x.html").as_uri())
    offline.waits_for("document.querySelectorAll('article').length > 10")
    offline.shot("sheet")
    page.page.set_input_files("input[type=file]", tmp_path / "x.jsonl")
    page.ready("overview")
    assert page.page.inner_text("h1").startswith("x-")
    page.page.go_back()
    page.ready("exchange")
    (tmp_path / "bad.jsonl").write_text("nonsense")
    page.page.set_input_files("input[type=file]", tmp_path / "bad.jsonl")
    page.says("not JSON", at="#s1-read")
    page.clean()


def test_the_theme_can_be_chosen_and_stays(visit: Any) -> None:
    page = visit("?run=first")
    for _ in range(2):
        page.page.keyboard.press("t")
    page.waits_for("document.documentElement.dataset.s1Theme === 'dark'")
    page.page.reload()
    page.ready()
    page.waits_for("document.documentElement.dataset.s1Theme === 'dark'")


@pytest.mark.essential
def test_a_live_run_grows_without_moving_the_reader(serve: Any, visit: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "live", steps=4, groups=2, size=4, scenarios=8, evaluate=False)
    run.set_state("running", step=4)
    written = list(read_traces(run))
    base = serve(tmp_path)
    table, curves = visit("?run=live&screen=traces", base=base), visit("?run=live", base=base)
    last = visit("?run=live&screen=trace&trace=t0.3.7.3", base=base)
    assert last.page.inner_text("#s1-position") == f"{len(written)} of {len(written)}"
    last.page.focus("[aria-label='Previous in the filter']")
    table.page.wait_for_selector(".live.on")
    curves.page.evaluate("scrollTo(0, 300)")
    curves.page.click("[data-chart=reward] summary")
    curves.has("[data-chart=reward] table tbody tr", 4)
    curves.page.evaluate("document.querySelector('[data-chart=reward] svg.plot').focus({preventScroll: true})")
    first = table.page.query_selector("tbody tr")
    number = len(written)
    with TraceWriter(run, 0, launch=0) as traces:
        traces.write(moved(written, steps=4, groups=8))
    table.says(f"{number} new completions", at="#s1-fresh")
    assert first.is_visible() and table.page.inner_text("#s1-count").endswith(f"of {number}")
    table.moved(lambda: table.page.click("#s1-fresh"))
    assert table.page.inner_text("#s1-count").endswith(f"of {2 * number}")
    curves.waits_for(
        "document.querySelector('[data-chart=reward] svg.plot').getAttribute('aria-label').includes('step 7')"
    )
    curves.has("[data-chart=reward] details[open] table tbody tr", 8)
    assert curves.page.evaluate("scrollY") == 300
    assert curves.page.evaluate("document.activeElement.matches('[data-chart=reward] svg.plot')")
    last.says(f"{number} of {2 * number}", at="#s1-position")
    assert last.page.evaluate("document.activeElement.ariaLabel") == "Previous in the filter"
    last.press("j")
    last.says(f"{number + 1} of {2 * number}", at="#s1-position")
    for page in (table, curves, last):
        page.clean()


def test_what_cannot_be_shown_is_said_in_a_sentence(serve: Any, visit: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "doomed", steps=1, groups=1, size=2, scenarios=2, evaluate=False)
    RunFolder.create(tmp_path / "empty")
    newer = RunFolder.create(tmp_path / "newer")
    newer.state_file.write_text('{"version": 99}')
    base = serve(tmp_path)
    page = visit("", base=base)
    page.says("version 99")
    visit("?run=empty", base=base).says("no completions")
    visit("?run=nowhere", base=base).says("no run 'nowhere'")
    visit("?run=doomed&screen=trace&trace=../etc", base=base).says("not the name of a completion")
    page = visit("?run=doomed", base=base)
    (tmp_path / "doomed").rename(tmp_path / "doomed-away")
    page.moved(lambda: page.page.click("nav >> text=Traces"))
    page.says("moved or deleted")
    assert "Traceback" not in page.text()


@pytest.fixture(scope="module")
def judged_again(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A viewer over a run with a failed request, whose other completion was judged by two judges and then again."""
    root = tmp_path_factory.mktemp("judged")
    entries = (JudgeEntry(name="rules"), JudgeEntry(name="facts"))
    rewards = Rewards()
    rewards = rewards.model_copy(update={"content": rewards.content.model_copy(update={"judges": entries})})
    completions = [Completion(gold_reply(SCENARIO, seed=1), 90), Completion.failure("HTTP 503: try again later")]
    run = written(root / "mine", RewardStack(rewards).score(completions, SCENARIO))
    run.recipe.write_text(Recipe(rewards=rewards).to_yaml(), "utf-8")
    assert score.main([str(run.path), "--rejudge", "facts"]) == 0
    return str(serve(root))


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_the_stage_view_names_judges_later_verdicts_and_failures(
    visit: Any, judged_again: str, phone: bool, dark: bool
) -> None:
    size = f"{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}"
    page = visit("?run=mine&screen=trace&trace=t0.0.0.0", base=judged_again, phone=phone, dark=dark)
    rules, facts = (build_judge(name).version for name in ("rules", "facts"))
    page.says(f"rules v{rules}, facts v{facts}", at="[aria-label='How it was made']")
    page.has(".stage .verdict", 4)
    page.says(f"now by facts v{facts}: ", at="#stage-cue_encoding header")
    page.shot(f"trace-judged-again-{size}", full=True)
    failed = visit("?run=mine&screen=trace&trace=t0.0.0.1", base=judged_again, phone=phone, dark=dark)
    failed.says("HTTP 503: try again later", at="[aria-label='No reply']")
    failed.says("failed", at=".crumbs")
    failed.has(".stage", 0)
    failed.shot(f"trace-failed-{size}", full=True)
    for one in (page, failed):
        assert one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        one.clean()
