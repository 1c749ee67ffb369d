"""What is evaluated: what loading changed is said wherever a target is loaded."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.evaluation import session, target
from socialr1_lite.policy.stacking import rank_of
from socialr1_lite.rollouts.completion import Completion

FIXTURE_RUN = Path(__file__).resolve().parents[1] / "fixtures" / "run_2026_11_22" / "run"


def test_what_loading_changed_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    policy = SimpleNamespace(notes=("model.dtype: float16 instead", "model.revision: r1 was not honoured"))
    monkeypatch.setattr(target, "load_policy", lambda model, adapter: policy)
    assert target.find("smollm2-135m").load() is policy
    said = capsys.readouterr()
    assert said.err == (
        "smollm2-135m: model.dtype: float16 instead\nsmollm2-135m: model.revision: r1 was not honoured\n"
    )
    assert said.out == ""


def test_a_model_is_asked_as_a_recipe_says_and_stays_the_model_it_is(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: {name: some/other}\nprompt: {style: cot}\n")
    plain = target.find("smollm2-135m")
    told = target.asked_as(plain, recipe)
    assert (told.recipe.prompt.style, told.recipe.model, told.identity) == ("cot", plain.recipe.model, plain.identity)
    assert (plain.says_how, told.says_how) == (None, recipe)
    assert (told.trained, told.trained_sha256) == (None, "")  # it is asked so, and was never trained
    served = target.asked_as(target.at_endpoint("m"), recipe)
    assert served.recipe.model.name == "some/other"  # for judges that read
    assert served.trained == served.recipe  # nothing else says what a model behind an endpoint learned
    assert target.asked_as(plain, tmp_path).says_how == recipe  # a run folder


def test_a_run_without_a_merged_cold_start_gives_vllm_its_own_adapter(tmp_path: Path) -> None:
    run = target.find(str(FIXTURE_RUN))
    assert run.for_vllm(tmp_path) == (run.adapter, 8) and not any(tmp_path.iterdir())


def test_a_merged_cold_start_and_the_adapter_above_it_go_to_vllm_as_one(tmp_path: Path) -> None:
    run = target.find(str(FIXTURE_RUN))
    whole = replace(run, cold_start=FIXTURE_RUN / "cold_start")
    adapter, room = whole.for_vllm(tmp_path / "one")
    assert (adapter, room, rank_of(tmp_path / "one")) == (tmp_path / "one", 8, 4 + 4)
    assert replace(whole, adapter=None).for_vllm(tmp_path) == (FIXTURE_RUN / "cold_start", 8)
    assert target.find("smollm2-135m").for_vllm(tmp_path) == (None, 16)


def test_a_run_with_a_merged_cold_start_is_asked_through_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    shutil.copytree(FIXTURE_RUN, run)
    recipe = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(recipe.replace("  merge: false", "  merge: true"))
    served: dict[str, Any] = {}

    class Served:
        name, identity = "served", "served"

        def __init__(self, model: str, *_: str, **how: Any) -> None:
            served.update(how, model=model, ranks=rank_of(how["adapter"]))

        def sample(self, prompts: Any, sampling: Any, on_done: Any) -> None:
            on_done({place: Completion("<answer>A</answer>", 1) for place in range(len(prompts))})

    monkeypatch.setattr(session, "VllmSampler", Served)
    asked = [
        str(run),
        "--backend",
        "vllm",
        "--benchmarks",
        "socialiqa",
        "--data",
        str(FIXTURE_RUN.parents[1] / "benchmarks"),
    ]
    assert evaluate.main([*asked, "-o", str(tmp_path / "out")]) == 0
    assert (served["ranks"], served["rank"]) == (4 + 4, 8)
    assert not served["adapter"].exists()  # it was only for this launch
