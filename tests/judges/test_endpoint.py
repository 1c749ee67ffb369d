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
from socialr1_lite.rollouts import prompting as rollout
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
    told = launches.recipe(str(model)).model_dump(mode="json")
    judge = {"name": "llm", "settings": {"base_url": url, "model": "m", "retries": 0, "timeout_s": 5.0}}
    told["rewards"]["content"] = {"judges": [judge]}
    told["evaluation"] |= {"every": 0}
    told["model"] |= {
        "backend": "transformers",
        "dtype": "float32",
    }  # Unsloth would patch the libraries of this very process
    return Recipe.model_validate(told)


@pytest.mark.slow
@pytest.mark.essential
def test_an_endpoint_that_dies_in_a_run_stops_it_and_the_run_goes_on_when_it_is_back(
    mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random model writes no stages, and a reply without stages asks nobody: each is read as a well-formed one.
    monkeypatch.setattr(rollout, "parse", lambda _, options, **how: parse(reply_text(GOOD, "A"), options))
    told = recipe(make_tiny_model(tmp_path / "model", ends=60), mortal.url)
    with pytest.raises(JudgeError, match=r"judge llm failed for 12 of its last \d+ calls; at most 10 of 200") as caught:
        run_recipe(told, run_dir=tmp_path / "run")
    assert "start the same command again" in str(caught.value) and len(str(caught.value).splitlines()) == 1

    run = RunFolder.open(tmp_path / "run")
    groups: dict[int, list[Any]] = {}
    for row in read_traces(run):
        if row["phase"] == "train":
            groups.setdefault(row["group"], []).append(row)
    judged = {number: [row["components"]["content"] for row in rows] for number, rows in groups.items()}
    assert any(None not in told for told in judged.values()), judged
    lost = [number for number, told in judged.items() if None in told]
    assert lost and all(set(judged[number]) == {None} for number in lost), judged  # never for one sibling only
    assert 0 not in [content for told in judged.values() for content in told]
    assert all(any("judge llm failed for" in note for note in row["notes"]) for n in lost for row in groups[n])
    assert sum(len(judged[number]) for number in lost) <= ALLOWED

    mortal.revive()
    run_recipe(told, run_dir=tmp_path / "run")
    rows = [row for row in read_traces(run) if row["phase"] == "train"]
    assert run.completed and len(rows) == launches.STEPS * 4
    assert None not in [row["components"]["content"] for row in rows if row["segment"] == 1]


@pytest.mark.slow
def test_a_model_too_small_to_judge_is_told_failed_and_never_scored_0(served: tuple[str, str]) -> None:  # noqa: F811
    """SmolLM2 behind `transformers serve`: a verdict that keeps the schema counts, everything else is a failure."""
    url, model = served
    judge = LlmJudge(base_url=url, model=model, timeout_s=300.0, max_tokens=160, concurrency=1, verdict_tries=2)
    replies = [parse(reply_text(GOOD, letter), SCENARIO.options) for letter in "AB"]
    verdicts = judge.judge(replies, SCENARIO)
    judge.close()
    assert judge.usage.failures == 0 and judge.usage.requests >= 2  # the server answered
    for told in verdicts:
        if told.failed:
            assert set(told.scores.values()) == {None}
            assert told.notes[0].startswith("llm: no readable verdict in 2 tries: ")
        else:
            assert all(told.scores[stage] is not None for stage in STAGES)
