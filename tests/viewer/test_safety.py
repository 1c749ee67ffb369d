"""Hostile text in every place that a run can put text, in a real browser: no script, no request, shown literally."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.recipe import Rewards
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter
from socialr1_lite.runlog.rejudged import StoredVerdict, write_verdicts
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, reply_text
from tests.viewer.make_run import WordyJudge, hostile_texts, traces_of_group

pytestmark = pytest.mark.slow

NAME = "<img src=x onerror=window.__hit=1> ${window.__hit=2} {{x}}"


def hostile_run(root: Path) -> RunFolder:
    """Every payload as story, question, option, id, reply, note, meta, benchmark, sampling setting and run name."""
    stack = RewardStack(Rewards(), judge=WordyJudge())
    run = RunFolder.create(root / NAME)
    run.recipe.write_text(json.dumps({"model": {"name": f"{NAME} model"}, "grpo": {"loss_type": NAME, "max_steps": 3}}))
    scenarios: list[Scenario] = []
    traces: list[Trace] = []
    for number, (_, text) in enumerate(hostile_texts()):
        text = text.encode("utf-8", "replace").decode()  # the run log itself holds no lone surrogate
        scenario = Scenario(
            id=f"evil/{number}/{text}", story=f"Mara saw {text}. Tom left.", question=f"Who {text}?", options=(text, f"not {text}"),
            gold=(0,), dimension=text, source=text, meta={text: text},
        )  # fmt: skip
        scenarios.append(scenario)
        replies = [
            reply_text({stage: f"{text} was seen by Mara in {stage}" for stage in STAGES}, "A"),
            text,
            f"{text}<think>{text}</think>{text}<answer>{text}</answer>{text}",
            f"Cue Encoding: {text}\nCue Interpretation: {text}",
        ]
        group = traces_of_group(scenario, replies, stack=stack, step=number, group=number, share=1.0)
        hostile = [
            replace(
                trace,
                score=replace(
                    trace.score,
                    notes=(f"coverage {text}", text),
                    parts={**trace.score.parts, f"content.{text}": 0.5},
                    versions={**trace.score.versions, f"judge.{text}": 1},
                ),
                judges=(text,),
                sampling={text: 1.0},
                prompt=[{"role": text, "content": text}],
                stages={**trace.stages, text: text},
            )
            for trace in group
        ]
        failed = replace(hostile[0].completion, text="", tokens=0, finish="failed", error=text)
        traces += hostile
        traces += [replace(hostile[0], phase="eval", benchmark=text)]
        traces += [replace(hostile[0], phase="eval", benchmark=text, index=1, completion=failed, stages={})]
    run.add_scenarios(scenarios)
    segment = run.begin_launch(0, [NAME])
    with TraceWriter(run, launch=segment) as writer:
        writer.write(traces)
    notes = ((trace, (f"{TITLES[STAGES[0]]} {trace.judges[0]}", trace.judges[0])) for trace in traces)
    write_verdicts(run, ((trace, StoredVerdict("rules", 2, {STAGES[0]: 0.35}, both)) for trace, both in notes))
    MetricsWriter(run, launch=segment).write(1, {"entropy": 1.0, NAME: 2.0, "loss": NAME})
    run.set_state("completed", step=3)
    (run.evaluation / "evil.json").write_text(json.dumps({
        "version": 1, "benchmark": NAME, "prompt_style": NAME, "metrics": {NAME: {"value": 0.5, "low": 0.1, "high": 0.9, "n": 3}},
        "groups": {NAME: {NAME: {"value": 0.5}}}, "published": [{"label": NAME, "value": NAME, "source": NAME, "protocol": NAME}], "source": {"files": [{"name": NAME}], "licence": NAME},
    }))  # fmt: skip
    return run


@pytest.fixture(scope="module")
def evil(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("evil")
    hostile_run(root)
    return str(serve(root))


def quiet(page: Any) -> None:
    page.page.wait_for_timeout(150)
    assert page.page.evaluate("window.__hit") is None
    assert (
        page.page.locator(
            ".s1 script, .s1 iframe, .s1 object, .s1 embed, .s1 img, .s1 base, .s1 meta, .s1 link, .s1 style"
        ).count()
        == 0
    )
    page.clean()


@pytest.mark.parametrize(
    "screen",
    [
        *(
            "overview",
            "traces",
            "group",
            "prompt",
            "hacks",
            "benchmarks",
            "compare",
            "try",
            "exchange",
            "labels",
            "pair",
        ),
        *("figures", "figures&split=template&also=", "solved", "settings", "table", "verdicts"),
    ],
)
def test_no_screen_runs_what_a_run_says(visit: Any, evil: str, screen: str) -> None:
    from urllib.parse import quote

    page = visit(f"?run={quote(NAME)}&screen={screen}", base=evil)
    page.ready(screen.partition("&")[0])
    quiet(page)


@pytest.mark.essential
@pytest.mark.parametrize("number", range(len(list(hostile_texts()))), ids=[name for name, _ in hostile_texts()])
def test_every_payload_is_shown_as_the_text_it_is(visit: Any, evil: str, number: int) -> None:
    from urllib.parse import quote

    text = list(hostile_texts())[number][1].encode("utf-8", "replace").decode()
    page = visit(f"?run={quote(NAME)}&screen=trace&trace=t0.{number}.{number}.0", base=evil)
    page.ready("trace")
    shown = page.page.evaluate("document.querySelector('.s1').textContent")
    literal = text.replace("\x00", "\x00")
    assert shown.count(literal) >= 6, f"{literal!r} is shown {shown.count(literal)} times"
    page.page.hover(".s1-main")
    for key in ("r", "r", "j", "k"):
        page.press(key)
    quiet(page)


def test_hostile_addresses_are_words_too(visit: Any, evil: str) -> None:
    for query in (
        f"?run={NAME}&screen=trace&trace={NAME}",
        f"?screen={NAME}",
        f"?run={NAME}&screen=traces&q={NAME}&sort={NAME}",
        "?screen=__proto__",
        "?run=constructor&screen=constructor",
    ):
        page = visit(query, base=evil)
        page.page.wait_for_timeout(100)
        assert page.page.evaluate("window.__hit") is None
        page.clean()


def fetch(address: str, path: str = "", **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(address + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers


@pytest.mark.essential
def test_only_this_machine_s_names_are_answered_to_and_every_answer_has_the_policy(address: str) -> None:
    status, headers = fetch(address)
    assert status == 200
    assert (
        "default-src 'self'" in headers["content-security-policy"]
        and "object-src 'none'" in headers["content-security-policy"]
    )
    assert fetch(address, Host="evil.example")[0] == 400


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=../../etc/passwd",
        "file=/etc/passwd",
        "gradio_api/file=http://127.0.0.1:1/",
        "monitoring",
        "docs",
        "openapi.json",
        "gradio_api/file=tests/conftest.py",
    ],
)
def test_no_file_is_reachable(address: str, path: str) -> None:
    status, _ = fetch(address, path)
    assert status in (400, 401, 403, 404), status


def call(address: str, function: str, data: Any) -> tuple[int, Any]:
    body = json.dumps(
        {"data": data, "component_id": component(address), "fn_name": function, "session_hash": "x"}
    ).encode()
    request = urllib.request.Request(
        f"{address}gradio_api/component_server/", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, None


def component(address: str) -> int:
    with urllib.request.urlopen(f"{address}config", timeout=10) as answer:
        found = json.loads(answer.read())
    return next(int(one["id"]) for one in found["components"] if one["type"] == "html")


@pytest.mark.parametrize(
    "data",
    [
        None,
        3,
        "x",
        [],
        {"run": "../x"},
        {"run": {"a": 1}},
        {"run": "first", "trace": ["t0.0.0.0"]},
        {"run": "first", "__class__": 1},
    ],
)
def test_a_function_called_past_the_page_answers_in_a_sentence(address: str, data: Any) -> None:
    status, answer = call(address, "trace", data)
    assert status == 200 and list(json.loads(answer)) == ["error"]


@pytest.mark.parametrize("name", ["launch", "__init__", "postprocess", "build", "system"])
def test_nothing_but_the_page_s_functions_can_be_called(address: str, name: str) -> None:
    assert call(address, name, {})[0] == 404


def test_the_page_s_settings_hold_no_run_s_text(evil: str) -> None:
    with urllib.request.urlopen(f"{evil}config", timeout=10) as answer:
        text = answer.read().decode()
    assert "onerror=window" not in text and len(text) < 400_000


def test_a_link_is_public_only_when_asked_for() -> None:
    import inspect

    from socialr1_lite.viewer import shell, show

    assert inspect.signature(shell.launch).parameters["share"].default is False
    assert "share" not in inspect.signature(show).parameters
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
