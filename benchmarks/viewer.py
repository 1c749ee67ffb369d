"""How fast the viewer is on a large run, measured in a real browser.

    python benchmarks/viewer.py [--completions 200000]
    python benchmarks/viewer.py --server     processor time of single questions, without a browser

Needs /usr/bin/chromium and playwright, but for --server. A run of that size is made (about 2.5 KB of text a
completion), then:

* index: reading the shards for the first time, in a fresh cache
* open: from the address typed to the overview drawn, once indexed
* page, filter, sort, search: from the click to the table drawn
* next: from the key to the next completion drawn
* memory: resident set of the server after all of this

Every figure is the median and the worst of its repetitions. The machine's load is printed beside them, for on a busy
machine they are worse.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

LIMITS_MS = {
    "index": 6000, "open": 2000, "page": 200, "filter": 200, "sort": 200, "search": 200, "next": 100, "memory": 600,
}  # fmt: skip
READY = ".s1-main[data-ready]"
CHROMIUM = "/usr/bin/chromium"
CLICK_NEXT = "document.querySelector('[aria-label=\"Next page\"]').click()"
PRESS_J = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}))"
SORTS = ("-total", "advantage", "-tokens", "structure", "-length", "total")
FILTERS = (
    *(("outcome", "wrong"), ("flat", "0"), ("dimension", "belief")),
    *(("truncated", "0"), ("outcome", "right"), ("phase", "train")),
)
QUESTIONS = {
    "a page": {"nth": "40"},
    "two values": {"outcome": "wrong|unreadable"},
    "none of two": {"outcome": "!wrong|unreadable"},
    **{f"range, {name}": {f"{name}_min": low} for name, low in
       (("reward", "0.5"), ("advantage", "0.5"), ("tokens", "40"), ("process", "0.5"))},
    "a flag": {"flag": "early_answer"},
    "all facets": {"facets": "1"},
    "OR and -word": {"q": "cupboard OR volcano -basket"},
    "in the question": {"q": "cupboard OR volcano -basket", "in": "asked"},
    "anywhere": {"q": "cupboard OR volcano -basket", "in": "all"},
}  # fmt: skip
WORDS = ("cupboard", "filler7", '"answer is"', "volcano", "basket")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the viewer on a large run.")
    parser.add_argument("--completions", type=int, default=200_000)
    parser.add_argument("--run", type=Path, help="an existing run folder instead of one made here")
    parser.add_argument("--server", action="store_true", help="ask the server's functions, without a browser")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="viewer-bench-") as scratch:
        folder = args.run or make(Path(scratch) / "runs" / "large", args.completions)
        figures = (of_server if args.server else measure)(folder, Path(scratch) / "cache")
    show(figures, args.completions)


def make(folder: Path, completions: int) -> Path:
    from tests.viewer.make_run import make_large

    began = time.perf_counter()
    run = make_large(folder, completions=completions)
    size = sum(path.stat().st_size for path in run.traces.iterdir())
    print(f"made {completions} completions, {size / 1e6:.0f} MB, in {time.perf_counter() - began:.1f} s", flush=True)
    return folder


def measure(folder: Path, cache: Path) -> dict[str, list[float]]:
    port = free_port()
    environment = os.environ | {"SOCIALR1_CACHE": str(cache)}
    command = [sys.executable, "app.py", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}/"
        wait_for(base)
        figures = in_browser(base, folder.name)
        figures["memory"] = [psutil.Process(server.pid).memory_info().rss / 1e6]
        return figures
    finally:
        server.terminate()
        server.wait(10)


def of_server(folder: Path, cache: Path) -> dict[str, list[float]]:
    """Processor time of each question, asked as if nobody had asked before."""
    os.environ["SOCIALR1_CACHE"] = str(cache)
    from socialr1_lite.viewer import pages
    from socialr1_lite.viewer.library import Indexing, Library
    from socialr1_lite.viewer.serving import Query

    library = Library([folder])
    run = library.run(folder.name)

    def ask(asked: dict[str, str]) -> float:
        run.memory.clear()
        began = time.process_time()
        for _ in range(10_000):
            try:
                page = pages.facets if asked.get("facets") else pages.traces
                page(library, Query({"run": folder.name} | {k: v for k, v in asked.items() if k != "facets"}))
                break
            except Indexing:
                continue
        return 1000 * (time.process_time() - began)

    figures = {"index": [ask({})], "first search": [ask({"q": "submarine"})]}
    return figures | {name: [ask(asked) for _ in range(5)] for name, asked in QUESTIONS.items()}


def in_browser(base: str, run: str) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    figures: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(base + "favicon.ico")  # the browser itself is warm before anything is timed
        figures["index"] = [clock(lambda: opened(page, f"{base}?run={run}&screen=traces", "traces"))]
        figures["first overview"] = [clock(lambda: opened(page, f"{base}?run={run}", "overview"))]
        figures["open"] = [clock(lambda: opened(page, f"{base}?run={run}", "overview")) for _ in range(5)]
        opened(page, f"{base}?run={run}&screen=traces", "traces")
        figures["page"] = [drawn(page, CLICK_NEXT) for _ in range(12)]
        figures["sort"] = [drawn(page, f"go({{sort: '{sort}', nth: null}})") for sort in SORTS]
        figures["filter"] = [drawn(page, f"go({{{key}: '{value}', nth: null}})") for key, value in FILTERS]
        opened(page, f"{base}?run={run}&screen=traces", "traces")
        figures["first search"] = [drawn(page, "go({q: 'submarine'})")]
        figures["search"] = [drawn(page, f"go({{q: '{word}', nth: null}})") for word in WORDS]
        opened(page, f"{base}?run={run}&screen=trace&outcome=wrong&sort=-total", "trace")
        page.wait_for_timeout(300)
        figures["next"] = []
        for _ in range(25):
            figures["next"].append(drawn(page, PRESS_J))
            page.wait_for_timeout(250)  # a reader looks at it; meanwhile its neighbour is fetched
        opened(page, f"{base}?run={run}&screen=trace&outcome=wrong&sort=-total", "trace")
        figures["next, in a burst"] = [drawn(page, PRESS_J) for _ in range(25)]
        browser.close()
    return figures


def opened(page: Any, address: str, screen: str) -> None:
    page.goto(address, wait_until="commit")
    page.wait_for_selector(f"{READY}[data-screen={screen}]", timeout=120_000)


def clock(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


# Timed inside the page, from the act to the frame after the screen was drawn anew.
TIMED = """([act]) => new Promise((done) => {
  const main = document.querySelector('.s1-main'); const began = performance.now();
  const watch = new MutationObserver(() => {
    watch.disconnect(); requestAnimationFrame(() => done(performance.now() - began));
  });
  watch.observe(main, {attributes: true, attributeFilter: ['data-ready']});
  if (!act.startsWith('go(')) { (0, eval)(act); return; }
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries((0, eval)('(' + act.slice(3, -1) + ')'))) {
    if (value === null) query.delete(key); else query.set(key, value);
  }
  history.pushState(null, '', '?' + query); window.dispatchEvent(new PopStateEvent('popstate'));
})"""


def drawn(page: Any, act: str) -> float:
    return float(page.evaluate(TIMED, [act]))


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str) -> None:
    for _ in range(960):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise SystemExit("the viewer did not start")


def show(figures: dict[str, list[float]], completions: int) -> None:
    load = os.getloadavg()[0]
    print(f"{completions} completions, {os.cpu_count()} cores, load {load:.1f}\n")
    print(f"{'':18}{'median':>10}{'worst':>10}{'asked':>10}   (ms; memory in MB)")
    for name, times in figures.items():
        print(f"{name:18}{median(times):10.0f}{max(times):10.0f}{LIMITS_MS.get(name, ''):>10}")
    folder = ROOT / "artifacts"
    folder.mkdir(exist_ok=True)
    report = {"completions": completions, "load": load, "figures": figures}
    (folder / "viewer-benchmark.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
