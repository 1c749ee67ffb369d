"""axe-core over every screen: no serious violation, and headings in order, light and dark, wide and narrow."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.viewer.test_screens import SHOWN

pytestmark = pytest.mark.slow

REFUSED = ("serious", "critical", "moderate heading-order")  # by how they begin: impact, and the rule where named


@pytest.fixture(scope="session")
def axe() -> str:
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    return (Path(spec.origin).parent / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("screen", SHOWN)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_shut_out(visit: Any, axe: str, screen: str, dark: bool) -> None:
    page = visit(SHOWN[screen], dark=dark, phone=dark)
    page.ready(screen)
    page.page.evaluate(axe)
    found = page.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    lines = [
        f"{one['impact']} {one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"][:2]
    ]
    assert not [line for line in lines if line.startswith(REFUSED)], "\n".join(lines)
