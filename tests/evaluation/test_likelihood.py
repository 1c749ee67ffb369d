"""`--prompt likelihood`: which option a model holds the likeliest, from the command line to report and traces."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialr1_lite import evaluate
from socialr1_lite.errors import DataError, RecipeError
from socialr1_lite.evaluation import likelihood, reports
from socialr1_lite.policy import load_policy
from socialr1_lite.policy.likelihood import log_likelihoods
from socialr1_lite.recipe import Model
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.scenario import Scenario

pytest.importorskip("torch")
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "benchmarks"


def test_it_is_lm_evaluation_harnesss_prompt_with_every_option_as_what_could_follow() -> None:
    scenario = Scenario("s", "Mara left.", "Where is she?", ("home", "gone <|im_end|>"), (0,))
    (asked, *options) = likelihood.prompt(scenario)
    assert asked == {"role": "user", "content": "Q: Mara left. Where is she?\nA:"}
    assert [one["content"] for one in options] == [" home", " gone < |im_end|>"]


def test_the_likeliest_option_is_the_answer_and_all_scores_are_kept(tiny_model: Path, tmp_path: Path) -> None:
    asked = [str(tiny_model), "--prompt", "likelihood", "--benchmarks", "socialiqa", "--data", str(FIXTURES)]
    assert evaluate.main([*asked, "-o", str(tmp_path)]) == 0
    policy = load_policy(Model.model_validate({"name": str(tiny_model), "backend": "transformers"}))
    run = RunFolder.open(tmp_path)
    scenarios = {one.id: one for one in run.read_scenarios()}
    traces = list(read_traces(run))
    assert traces
    right = 0
    for trace in traces:
        scenario = scenarios[trace.scenario]
        context, *options = likelihood.prompt(scenario)
        scores = log_likelihoods(policy, [(context["content"], one["content"]) for one in options])
        assert trace.answer == max(range(len(scores)), key=scores.__getitem__)
        assert trace.completion.reasoning.startswith(f"log-likelihoods: A {scores[0]:.1f}"[:-2])
        right += trace.answer in scenario.gold
    report = reports.read(tmp_path).reports["socialiqa"]
    assert report["metrics"]["accuracy"]["value"] == right / len(traces)
    assert (report["prompt_style"], report["protocol"], report["unreadable"]) == ("likelihood", "own", 0)
    assert report["differs"] == [
        "options are scored by their log-likelihood, as lm-evaluation-harness does, and nothing is asked"
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--backend", "openai", "--base-url", "http://h/v1"], "--backend transformers, not openai"),
        (["--backend", "vllm"], "--backend transformers, not vllm"),
        (["--samples", "3"], "draws nothing: leave out --samples"),
        (["--temperature", "0.5"], "draws nothing: leave out --samples and --temperature"),
    ],
)
def test_what_does_not_go_with_it_is_refused(options: list[str], why: str) -> None:
    asked = ["m", "--prompt", "likelihood", "--benchmarks", "socialiqa", "--data", str(FIXTURES)]
    with pytest.raises(RecipeError, match=why):
        evaluate.main([*asked, *options])


@pytest.mark.parametrize("name", ["fantom", "sotopia"])
def test_a_benchmark_with_questions_without_options_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"{name}: has questions without options"):
        evaluate.main(["m", "--prompt", "likelihood", "--benchmarks", name, "--data", str(FIXTURES)])
