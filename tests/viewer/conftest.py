"""Run folders to look at, one server and one browser for a whole test session."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.runlog import RunFolder
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.viewer.make_run import make_run

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "viewer"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 60_000  # a busy machine is slow, not wrong


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Indexes and imports of the tests stay out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("SOCIALR1_CACHE")
    os.environ["SOCIALR1_CACHE"] = str(folder)
    yield folder
    os.environ.pop("SOCIALR1_CACHE") if before is None else os.environ.update(SOCIALR1_CACHE=before)


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs."""
    root = tmp_path_factory.mktemp("places") / "runs"
    make_run(root / "first", steps=16, groups=3, size=6, scenarios=18)
    make_run(root / "second", steps=8, groups=3, size=6, scenarios=18, seed=5)
    return root


@pytest.fixture(scope="session")
def run(places: Path) -> RunFolder:
    return RunFolder.open(places / "first")


@pytest.fixture(scope="session")
def library(places: Path) -> Library:
    return Library([places])


@pytest.fixture(scope="session")
def ask(library: Library) -> Any:
    """ask(page, run=..., ...) as the page would, without the web."""

    def call(page: Any, **arguments: Any) -> Any:
        from socialr1_lite.viewer.library import Indexing

        for _ in range(200):
            try:
                return page(library, Query({"run": "first", **arguments}))
            except Indexing:
                continue
        raise AssertionError("the index was never finished")

    return call


class Page:
    """A browser page that counts what it must not do, and waits for what it is to show.

    What an act brings about comes a little later, be it as small as a closed dialog: a test says what there is to be
    (`has`, `says`, `waits_for`) and reads a value at once (`inner_text`, `count`) only where nothing is under way.
    """

    def __init__(self, page: Any, base: str) -> None:
        self.page, self.base = page, base
        self.problems: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda line: self.problems.append(f"console: {line.text}") if line.type == "error" else None)
        page.on("request", lambda request: self._requested(request.url))

    def _requested(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:")):
            self.foreign.append(url)

    def open(self, query: str = "") -> Any:
        self.page.goto(self.base + query)
        self.ready()
        return self.page

    def ready(self, screen: str = "") -> Any:
        self.page.wait_for_selector(f".s1-main[data-ready]{f'[data-screen={screen}]' if screen else ''}")
        return self.page

    def has(self, selector: str, number: int) -> None:
        """Wait until so many elements match."""
        self.waits_for("([what, n]) => document.querySelectorAll(what).length === n", [selector, number])

    def says(self, *texts: str, at: str = ".s1") -> None:
        """Wait until the element shows every one of the texts."""
        for text in texts:
            self.waits_for("([where, text]) => document.querySelector(where)?.innerText.includes(text)", [at, text])

    def waits_for(self, truth: str, about: Any = None) -> None:
        """Wait until the script says so."""
        try:
            self.page.wait_for_function(truth, arg=about)
        except Exception as never:
            raise AssertionError(f"never: {truth} of {about}; the page says: {self.text()[:2000]}") from never

    def moved(self, act: Any) -> Any:
        """Do something and wait until the page has drawn anew."""
        self.page.evaluate("(main => { main.dataset.seen = main.dataset.ready })(document.querySelector('.s1-main'))")
        act()
        # a page that is loaded anew has no .s1-main for a while, counts its drawings from 1 and has seen none of them
        main = "document.querySelector('.s1-main[data-ready]')?.dataset"
        self.waits_for(f"(now => Boolean(now) && now.ready !== now.seen)({main})")
        return self.page

    def settled(self) -> Any:
        """Wait until address and page have said the same for a while, however slow the machine is."""
        drawn = "document.querySelector('.s1-main[data-ready]')?.dataset.ready"
        before = ""
        for _ in range(40):
            last, before = before, self.page.evaluate(f"(now => now ? location.href + ' ' + now : '')({drawn})")
            if before and last == before:
                return self.page
            self.page.wait_for_timeout(600)
        raise AssertionError("the page never came to rest")

    def press(self, key: str) -> Any:
        return self.moved(lambda: self.page.keyboard.press(key))

    def shot(self, name: str, *, full: bool = False) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{re.sub(r'[^a-z0-9-]+', '-', name)}.png", full_page=full)

    def text(self) -> str:
        return str(self.page.inner_text(".s1"))

    def clean(self) -> None:
        assert not self.problems, self.problems
        assert not self.foreign, self.foreign


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium")
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def serve(cache: Path) -> Iterator[Any]:
    """serve(places) -> the address of a viewer over them."""
    apps = []

    def start(*places: Path) -> str:
        from socialr1_lite.viewer import launch

        app = launch(list(places), prevent_thread_lock=True)
        apps.append(app)
        return str(app.local_url)

    yield start
    for app in apps:
        app.close(verbose=False)


@pytest.fixture(scope="session")
def address(serve: Any, places: Path) -> str:
    return str(serve(places))


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """visit(query, phone=, dark=, base=) -> Page; each in a fresh context."""
    contexts = []

    def open_(query: str = "", *, phone: bool = False, dark: bool = False, base: str = address) -> Page:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP, color_scheme="dark" if dark else "light", accept_downloads=True
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = Page(context.new_page(), base)
        page.open(query)
        return page

    yield open_
    for context in contexts:
        context.close()
