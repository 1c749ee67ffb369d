"""The figures over all results, drawn and saved by the viewer's own chart and its own PNG export, in a browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from arms.table import Results, measures, share
from socialr1_lite.errors import MachineError
from socialr1_lite.runlog import write_atomic
from socialr1_lite.viewer.shell import SCRIPTS, STYLES, asset

CHROMIUM = Path("/usr/bin/chromium")
PAGE = "http://figures.invalid/"  # answered here: a blob of a page without an address cannot be drawn
WIDTH = 640
# The viewer's scripts are the body of one function; what is asked of it here stands behind them instead of its start.
DRAW = """([code, specs]) => new Function('element', 'server', 'specs', code)(document.body, {}, specs)"""
EXPORT = """
const wait = [];
for (const spec of specs) {
  const figure = chart(spec);
  root.append(figure);
  figure.update({});
  const blob = pngOf(chartSvg(spec, figure.querySelector('svg.plot')));
  wait.push(blob.then((one) => new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(',')[1]);
    reader.readAsDataURL(one);
  })));
}
return Promise.all(wait);
"""
Line = list[list[float | None]]


def specs(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield file name and chart of each figure: a line an arm, the mean over its seeds; each seed faintly behind it."""
    steps = next(iter(results.values()))[0].steps
    named = {one.name: one for one in measures(next(iter(results.values()))[0].kinds)}

    def ends(name: str) -> Callable[[Any], Line]:
        measure = named[name]
        return lambda one: [
            [step, share(measure.of(one, answers)).value] for step, answers in ((0, one.before), (steps, one.after))
        ]

    def trained(name: str) -> Callable[[Any], Line]:
        return lambda one: [list(pair) for pair in zip(one.trained["step"], one.trained[name], strict=True)]

    for file, title, line in (
        ("accuracy", "Accuracy on held-out questions", lambda one: [[p[0], p[1]] for p in one.curve]),
        ("twins", "Both twins right", lambda one: [[p[0], p[2]] for p in one.curve]),
        ("stages", "Held-out stages that are true by facts", ends("stages true (facts)")),
        ("content", "Content by facts in training, paid or not", trained("content")),
        ("tokens", "Tokens a completion in training", trained("tokens")),
    ):
        series = [{"name": arm, **_drawn([line(one) for one in some])} for arm, some in results.items()]
        if any(one["points"] for one in series):
            shares = file in ("accuracy", "twins", "stages")
            yield file, {"title": title, "unit": "mean of seeds, by step", "percent": shares, "series": series}


def _drawn(lines: Sequence[Line]) -> dict[str, Line]:
    """Return the mean over the seeds where all of them have a value, and all seeds as one faint line with gaps."""
    known = [{x: y for x, y in line if x is not None and y is not None} for line in lines]
    shared = sorted(set(known[0]).intersection(*known))
    faint: Line = []
    for line in known:
        faint += [[x, y] for x, y in sorted(line.items())]
        faint.append([max(line, default=0.0), None])
    return {"points": [[x, fmean(line[x] for line in known)] for x in shared], "faint": faint}


def draw(results: Results, folder: Path) -> Iterator[Path]:
    """Write a PNG for each figure and yield its path. Raises MachineError without playwright or chromium."""
    named = list(specs(results))
    pictures = exported(spec for _, spec in named)
    folder.mkdir(parents=True, exist_ok=True)
    for (file, _), picture in zip(named, pictures, strict=True):
        yield write_atomic(folder / f"ablation-{file}.png", picture)


def exported(charts: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return each chart as the viewer exports it."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MachineError("the figures need playwright: pip install playwright") from None
    if not CHROMIUM.exists():
        raise MachineError(f"the figures need {CHROMIUM}: apt-get install chromium")
    style = "".join(map(asset, STYLES)) + f".s1 {{ width: {WIDTH}px; }}"
    html = f"<!doctype html><style>{style}</style><div class='s1'></div>"
    code = "\n".join(["'use strict';", *(asset(f"{name}.js") for name in SCRIPTS), EXPORT])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH + 40, "height": 800}, color_scheme="light")
        page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        page.goto(PAGE)
        pictures = page.evaluate(DRAW, [code, list(charts)])
        browser.close()
    return [base64.b64decode(one) for one in pictures]
