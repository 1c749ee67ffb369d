"""The five tasks of docs/viewer.md, walked in a real browser as they are written there, from `python app.py` on."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.pairs import __main__ as pairs_command
from socialr1_lite.pairs import read_pairs
from socialr1_lite.runlog import RunFolder
from socialr1_lite.runlog.labels import read_label_rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs(places: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(places, tmp_path_factory.mktemp("walks") / "runs"))


@pytest.fixture(scope="module")
def app(runs: Path) -> Iterator[str]:
    """The address that `python app.py RUNS` prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-u", "app.py", str(runs), "--port", str(port)]
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line.decode()
        if found := re.search(r"http://127\.0\.0\.1:\d+/?", said):
            break
    else:
        pytest.fail(said)
    yield found[0].rstrip("/") + "/"
    server.terminate()
    server.wait(60)


def click(page: Any, selector: str, screen: str = "") -> None:
    page.moved(lambda: page.page.locator(selector).first.click())
    if screen:
        page.ready(screen)


def tab(page: Any, title: str, screen: str) -> None:
    click(page, f".s1-top nav a:text-is('{title}')", screen)


def saved(page: Any, selector: str) -> bytes:
    with page.page.expect_download() as waiting:
        page.page.locator(selector).first.click()
    return Path(waiting.value.path()).read_bytes()


def train_judge(pairs: Path, model: Path, root: Path) -> tuple[Path, str]:
    """Run the command of the last step on the exported pairs, for two steps. Returns the judge's folder, what it said."""
    small = [f"model.name={model}", "model.max_length=128", "model.lora.targets=all-linear", "training.max_steps=2"]
    small += ["pairs.heldout=28", "run.name=mine", f"run.root={root}"]
    command = [sys.executable, "-m", "socialr1_lite.train_judge", "recipes/judges/judge_smollm2.yaml"]
    command += [f"pairs.source={pairs}", *small]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    return root / "mine", ended.stderr


def opened(visit: Any, app: str) -> Any:
    """A newcomer's first two steps: the printed address, and the run."""
    page = visit("", base=app)
    page.ready("runs")
    click(page, ".pick:has-text('first')", "overview")
    return page


def test_find_why_accuracy_stagnates(visit: Any, app: str) -> None:
    page = opened(visit, app)
    page.says("Right answers")
    tab(page, "Why", "figures")
    page.moved(lambda: page.page.select_option("label:has-text('plit') select", "dimension"))
    page.says("dimension")
    click(page, "a:text-is('Prompts by step')", "solved")
    kinds = page.page.locator("[data-kind]:not([data-kind=''])")
    at = next(i for i in range(kinds.count()) if not kinds.nth(i).inner_text().endswith("\n0"))
    page.moved(lambda: kinds.nth(at).click())
    click(page, ".heat a", "prompt")
    click(page, ".timeline button")
    page.has("#s1-diff", 1)
    page.clean()


def test_find_a_gamed_reward(visit: Any, app: str) -> None:
    page = opened(visit, app)
    tab(page, "Hack board", "hacks")
    page.says("Paid, yet wrong", at="#s1-main")
    rows = list(csv.reader(io.StringIO(saved(page, "[data-figure=process] [data-file=CSV]").decode())))
    assert rows[0][0] == "outcome" and len(rows) > 2
    click(page, "a:text-is('all of them')", "traces")
    number = page.page.inner_text("#s1-count")
    assert int(re.findall(r"\d+", number.replace(",", ""))[-1]) > 0
    click(page, "tbody .peek", "trace")
    page.says("Reward", "wrong")
    page.has(".ledger", 1)
    click(page, "button[aria-label='Next in the filter']", "trace")
    page.clean()


def test_label_twenty_stages_and_train_on_them(
    visit: Any, app: str, runs: Path, tmp_path: Path, tiny_model: Path
) -> None:
    page = opened(visit, app)
    tab(page, "Labels", "labels")
    click(page, "text=Label the next, blind", "trace")
    page.has(".ledger", 0)
    for completion in range(5):
        for done, key in enumerate("ynyn" if completion % 2 else "nyny", start=1):
            page.page.keyboard.press(key)
            page.says(f"{done} of 4 marked", at="#s1-marked")
        if completion < 4:
            page.press(".")
    run = RunFolder.open(runs / "first")
    assert sum(len(row["labels"]) for row in read_label_rows(run)) == 20
    tab(page, "Labels", "labels")
    page.says("20", "Where they lie furthest apart")
    click(page, "text=Label the next, blind", "trace")
    page.press("v")
    page.ready("pair")
    page.press("ArrowLeft")
    output = tmp_path / "mine.jsonl"
    assert pairs_command.main(["--labels", str(run.path), "-o", str(output)]) in (0, None)
    pairs = read_pairs(output)
    assert len(pairs) > 0
    page.clean()
    judge, told = train_judge(output, tiny_model, tmp_path / "judges")
    assert json.loads((judge / "judge.json").read_bytes())["report"]["accuracy"]["n"] > 0
    assert f"source: {output}" in (judge / "recipe.yaml").read_text(encoding="utf-8")
    assert "The corpus' train part:" in told and f"the judge is in {judge}" in told


def test_compare_two_runs(visit: Any, app: str) -> None:
    page = opened(visit, app)
    tab(page, "Compare", "compare")
    page.moved(lambda: page.page.locator("section:has(h2:text-is('Right')) select").first.select_option("second"))
    page.says("Prompts in common", "tested by story")
    click(page, "button:has-text('any flip')")
    click(page, "tr[data-pair]")
    page.has("#s1-pair .panes .card", 2)
    page.clean()


def test_share_one(visit: Any, app: str, tmp_path: Path) -> None:
    page = opened(visit, app)
    tab(page, "Traces", "traces")
    click(page, "tbody .peek", "trace")
    heading, address = page.page.inner_text("h1"), page.page.url
    other = visit(address[len(app) :], base=app)
    other.ready("trace")
    assert other.page.inner_text("h1") == heading
    page.press("x")
    page.ready("exchange")
    (tmp_path / "shared.html").write_bytes(saved(page, "[data-export=html]"))
    sheet = visit("", base=app)
    sheet.page.goto((tmp_path / "shared.html").as_uri())
    sheet.waits_for("document.querySelectorAll('article').length > 0")
    page.clean()
