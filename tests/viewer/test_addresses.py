"""Every address that the viewer writes can be opened afresh."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.viewer.test_screens import SHOWN
from tests.viewer.test_static import SCRIPTS

GRADIO = {"page", "deep_link", "view", "session_hash"}  # what Gradio reads from the address of a page


def names_in_addresses() -> set[str]:
    """Whatever name the scripts read from the state of the page, which is its address."""
    text = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
    listed = re.search(r"const FILTERS = \[(.*?)\n\];", text, re.DOTALL)
    ranges = re.search(r"const RANGES = \[(.*?)\n\];", text, re.DOTALL)
    assert listed and ranges
    ends = {f"{name}_{end}" for name in re.findall(r"'(\w+)'", ranges[1]) for end in ("min", "max")}
    return {*re.findall(r"\bstate\.(\w+)", text), *re.findall(r"'(\w+)'", listed[1]), *ends}


def status(address: str) -> int:
    with urlopen(address, timeout=60) as answer:
        return int(answer.status)


def test_no_name_in_an_address_is_gradio_s() -> None:
    names = names_in_addresses()
    assert {"run", "screen", "nth", "q", "sort", "reward_min", "with_at"} <= names
    assert not names & GRADIO


def test_an_address_with_any_of_the_names_is_answered(address: str) -> None:
    every = {name: "2" for name in names_in_addresses()}
    assert status(f"{address}?{urlencode(every)}") == 200
    for name in (*sorted(every), "page", "deep_link"):  # as older links have them
        assert status(f"{address}?{urlencode({'run': 'first', 'screen': 'traces', name: '2'})}") == 200, name


@pytest.mark.slow
def test_every_link_of_every_screen_opens_afresh(visit: Any, address: str) -> None:
    kinds: dict[tuple[str, ...], str] = {}
    for query in (*SHOWN.values(), "?run=first&screen=labels", "?run=first&screen=traces&outcome=wrong%7Cright&nth=2"):
        page = visit(query)
        page.ready()
        hrefs = page.page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
        for href in filter(None, hrefs):
            kinds.setdefault(tuple(sorted(re.findall(r"[?&](\w+)=", href))), href)
        page.clean()
    assert len(kinds) > 15
    page = visit("?run=first&screen=traces")
    page.moved(lambda: page.page.click("[aria-label='Next page'] >> nth=0"))
    kinds[("pager",)] = page.page.url.removeprefix(address)
    for href in kinds.values():
        assert href.startswith("?") and status(address + href) == 200, href
    again = visit(kinds[("pager",)])
    assert again.page.inner_text("#s1-count").startswith("51–")
    page.page.reload()
    page.ready()
    assert page.page.inner_text("#s1-count").startswith("51–")
