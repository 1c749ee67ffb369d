"""What the page's own source may not do."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

import socialr1_lite.viewer

STATIC = Path(socialr1_lite.viewer.__file__).parent / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
FORBIDDEN = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment", "DOMParser",
    "eval(", "new Function", "setTimeout('", 'setTimeout("', "srcdoc", "javascript:",
)  # fmt: skip


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 12


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_text_reaches_the_page_as_text_only(path: Path) -> None:
    found = [word for word in FORBIDDEN if word in path.read_text("utf-8")]
    assert not found, f"{path.name}: {found}"


@pytest.mark.parametrize("path", [*SCRIPTS, STATIC / "app.css"], ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    addresses = set(re.findall(r"https?://[^\s'\"`]+|@import|url\(", path.read_text("utf-8")))
    assert addresses <= {"http://www.w3.org/2000/svg"}, addresses


def test_every_stage_has_a_hue_of_its_own_in_light_and_dark_that_can_be_read() -> None:
    css = (STATIC / "app.css").read_text("utf-8")
    for block, ground in zip(
        re.findall(r"\.s1(?:\.dark)? \{(.*?)\}", css, re.DOTALL)[:2], ("#ffffff", "#1c1e25"), strict=True
    ):
        tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        hues = [
            tokens[stage]
            for stage in ("cue_encoding", "cue_interpretation", "goal_clarification", "response_generation")
        ]
        assert len(set(hues)) == 4
        for name in ("ink", "ink-2", "right", "wrong", "unreadable", "link", "warn"):
            assert contrast(tokens[name], ground) >= 4.5, name
        assert all(contrast(hue, ground) >= 4.5 for hue in hues)


def contrast(one: str, two: str) -> float:
    """WCAG 2's contrast ratio."""

    def light(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((light(one), light(two)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_line_of_a_script_fits_on_a_screen(path: Path) -> None:
    long = [number for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1) if len(line) > 120]
    assert not long, f"{path.name}: lines {long} exceed 120 characters (npx prettier --print-width 120 --single-quote)"


def test_the_charting_library_is_the_published_one_with_its_licence() -> None:
    vendor = STATIC / "vendor"
    digest = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"  # dist/uPlot.iife.min.js of 1.6.32
    assert sha256((vendor / "uPlot.js").read_bytes()).hexdigest() == digest
    assert "MIT License" in (vendor / "uPlot.LICENSE").read_text("utf-8")
    assert not re.search(r"innerHTML|eval\(|fetch\(|XMLHttpRequest|import\(", (vendor / "uPlot.js").read_text("utf-8"))
