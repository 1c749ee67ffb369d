"""The llm judge inside a real training when its endpoint dies, and against a real model behind a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges.llm import LlmJudge
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards import stack
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.sip import STAGES, parse, reply_text
from socialr1_lite.train import run_recipe
from tests import launches
from tests.conftest import SCENARIO
from tests.evaluation.test_evaluate_real import served  # noqa: F401  (a fixture)
from tests.judges.test_llm import verdict
from tests.scripted import STAGES as GOOD
from tests.test_endpoint import Server, completion
from tests.tiny import make_tiny_model

ALLOWED = 10  # of 200 calls: the default of max_judge_failures


class Mortal(Server):
    """A server that closes its port with its n-th answer, and can be started again at the same address."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last
        self.script = self._answer

    def _answer(self, body: Any, n: int) -> tuple[int, dict[str, str], Any]:
        if n + 1 == self.last:
            self.close()
        return 200, {"connection": "close"}, completion(verdict(body))

    def revive(self) -> None:
        self.last = 0
        self._http = ThreadingHTTPServer(self._http.server_address, self._http.RequestHandlerClass)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    one = Mortal(last=16)  # two held-out checks of 2, the preflight's 4, and two steps of 4
    yield one
    one.close()


def recipe(model: Path, url: str) -> Recipe:
    """The tiny training of `launches`, judged over the line."""
    values = launches.recipe(str(model)).model_dump(mode="json")
    judge = {"name": "llm", "settings": {"base_url": url, "model": "m", "retries": 0, "timeout_s": 5.0}}
    values["rewards"]["content"] = {"judges": [judge]}
    values["evaluation"] |= {"every": 0}
    values["model"] |= {
        "backend": "transformers",
        "dtype": "float32",
    }  # Unsloth would patch the libraries of this very process
    return Recipe.model_validate(values)


@pytest.mark.slow
@pytest.mark.essential
def test_an_endpoint_that_dies_in_a_run_stops_it_and_the_run_goes_on_when_it_is_back(
    mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random model writes no stages, and a reply without stages asks nobody: each is read as a well-formed one.
    monkeypatch.setattr(stack, "parse", lambda _, options, **how: parse(reply_text(GOOD, "A"), options))
    asked = recipe(make_tiny_model(tmp_path / "model", ends=60), mortal.url)
    with pytest.raises(JudgeError, match=r"judge llm failed for 12 of its last \d+ calls; at most 10 of 200") as caught:
        run_recipe(asked, run_dir=tmp_path / "run")
    assert "start the same command again" in str(caught.value) and len(str(caught.value).splitlines()) == 1

    run = RunFolder.open(tmp_path / "run")
    groups: dict[int, list[Trace]] = {}
    for trace in read_traces(run):
        if trace.phase == "train":
            groups.setdefault(trace.group, []).append(trace)
    judged = {number: [one.score.components["content"] for one in group] for number, group in groups.items()}
    assert any(None not in contents for contents in judged.values()), judged
    lost = [number for number, contents in judged.items() if None in contents]
    assert lost and all(set(judged[number]) == {None} for number in lost), judged  # never for one sibling only
    assert 0 not in [content for contents in judged.values() for content in contents]
    assert all(any("judge llm failed for" in note for note in one.score.notes) for n in lost for one in groups[n])
    assert sum(len(judged[number]) for number in lost) <= ALLOWED

    mortal.revive()
    run_recipe(asked, run_dir=tmp_path / "run")
    traces = [trace for trace in read_traces(run) if trace.phase == "train"]
    assert run.completed and len(traces) == launches.STEPS * 4
    assert None not in [trace.score.components["content"] for trace in traces if trace.launch == 1]


@pytest.mark.slow
def test_a_model_too_small_to_judge_is_told_failed_and_never_scored_0(served: tuple[str, str]) -> None:  # noqa: F811
    """SmolLM2 behind `transformers serve`: a verdict that keeps the schema counts, everything else is a failure."""
    url, model = served
    judge = LlmJudge(base_url=url, model=model, timeout_s=300.0, max_tokens=160, concurrency=1, verdict_tries=2)
    replies = [parse(reply_text(GOOD, letter), SCENARIO.options) for letter in "AB"]
    verdicts = judge.judge(replies, SCENARIO)
    judge.close()
    assert judge.usage.failures == 0 and judge.usage.requests >= 2  # the server answered
    for one in verdicts:
        if one.failed:
            assert set(one.scores.values()) == {None}
            assert one.notes[0].startswith("llm: no readable verdict in 2 tries: ")
        else:
            assert all(one.scores[stage] is not None for stage in STAGES)
