"""An evaluation over the line, from the command to the traces, against a server that behaves as today's do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate, sip
from socialr1_lite.errors import PolicyError, RecipeError
from socialr1_lite.evaluation import reports
from socialr1_lite.evaluation.protocol import terms, unequal
from socialr1_lite.runlog import RunFolder, read_traces
from tests.test_endpoint import GREEDY, LIMIT, STRICT, Server, completion, refusing

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "benchmarks"


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def test_a_reasoning_model_is_asked_in_its_form_and_its_thoughts_are_in_the_traces(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choosy = refusing(("max_tokens", 400, LIMIT), ("temperature", 400, GREEDY), ("seed", 422, STRICT))

    def script(body: Any, n: int) -> Any:
        status, headers, content = choosy(body, n)
        if status == 200:
            content = completion("<think>x</think><answer>A</answer>")
            content["choices"][0]["message"]["reasoning_content"] = "Mara was away. \ud83d"
        return status, headers, content

    server.script = script
    asked = ["m", "--backend", "openai", "--base-url", server.url, "--benchmarks", "socialiqa", "--data", str(FIXTURES)]
    assert not evaluate.main([*asked, "-o", str(tmp_path / "out"), "--no-cache"])
    traces = list(read_traces(RunFolder.open(tmp_path / "out")))
    assert traces and {one.completion.reasoning for one in traces} == {"Mara was away. �"}
    assert not any(one.completion.failed for one in traces)
    assert "takes no temperature; it is asked without" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ asked as in training

RECIPE = """
prompt: {style: socialr1, answer: text, enable_thinking: false}
grpo: {max_completion_length: 77}
"""


@pytest.fixture
def asked(server: Server, tmp_path: Path) -> Any:
    """Evaluates the server's model on Social IQa with further options; the bodies of its requests."""

    def ask(*options: str) -> list[Any]:
        what = ["--benchmarks", "socialiqa", "--data", str(FIXTURES), "-o", str(tmp_path / "out"), "--no-cache"]
        assert not evaluate.main(["m", "--backend", "openai", "--base-url", server.url, *what, *options])
        return server.bodies

    return ask


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe with a prompt that is not the usual one."""
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize("option", ["--run", "--recipe"])
def test_an_endpoint_is_asked_in_the_prompt_its_model_was_trained_with(
    asked: Any, recipe: Path, tmp_path: Path, option: str
) -> None:
    bodies = asked(option, str(tmp_path if option == "--run" else recipe))
    (scenario,) = [one for one in RunFolder.open(tmp_path / "out").read_scenarios() if one.id.startswith("socialiqa")][
        :1
    ]
    wanted = sip.render(scenario, style="socialr1", answer="text")
    assert wanted in [body["messages"] for body in bodies]
    assert {body["max_tokens"] for body in bodies} == {77}
    assert all(body["chat_template_kwargs"] == {"enable_thinking": False} for body in bodies)
    report = reports.read(tmp_path / "out").reports["socialiqa"]
    assert (report["prompt_style"], report["model"]) == ("socialr1", "m")
    assert (
        report["recipe_sha256"]
        == RunFolder(tmp_path).recipe_digest()
        == hashlib.sha256(recipe.read_bytes()).hexdigest()
    )


def test_what_the_command_line_says_goes_before_the_recipe(asked: Any, recipe: Path) -> None:
    (body, *_) = asked("--recipe", str(recipe), "--prompt", "direct", "--max-new-tokens", "5", "--extra-body",
                       '{"chat_template_kwargs": null}')  # fmt: skip
    assert body["max_tokens"] == 5 and "chat_template_kwargs" not in body
    assert "Cue Encoding" not in str(body["messages"])


@pytest.mark.parametrize(
    ("field", "instead"),
    [
        *((name, "use --max-new-tokens") for name in ("max_tokens", "max_completion_tokens")),
        *(
            (name, f"use --{name.replace('_', '-')}")
            for name in ("temperature", "top_p", "top_k", "seed", "repetition_penalty")
        ),
        *(("n", "use --samples"), ("model", "RUN_OR_MODEL"), ("messages", "use --prompt"), ("stream", "leave it out")),
    ],
)
def test_what_the_report_tells_of_a_request_is_not_overridden_unseen(
    asked: Any, server: Server, field: str, instead: str
) -> None:
    with pytest.raises(RecipeError, match=rf"--extra-body: {field} is not for it, .*{instead}"):
        asked("--extra-body", f'{{"{field}": 1}}')
    assert server.bodies == []


@pytest.mark.parametrize("body", ["[1]", "{", '{"min_p": NaN}', '{"min_p": 1e999}', "[" * 5000])
def test_an_extra_body_that_is_no_json_object_is_refused(asked: Any, server: Server, body: str) -> None:
    with pytest.raises(RecipeError, match="--extra-body must be a JSON object"):
        asked("--extra-body", body)
    assert server.bodies == []


def test_what_else_is_in_a_request_is_in_its_report(asked: Any, tmp_path: Path) -> None:
    how = ("--benchmarks", "simpletom", "--prompt", "official", "--extra-body")
    report = {}
    for extra in (
        '{"min_p": 0.1, "ignore_eos": true, "stop": ["."]}',
        "{}",
        '{"chat_template_kwargs": {"enable_thinking": false}}',
    ):
        bodies = asked(*how, extra)
        report[extra] = reports.read(tmp_path / "out").reports["simpletom"]
    assert (bodies[0]["min_p"], bodies[0]["stop"]) == (0.1, ["."])
    drawn, plain, told = report.values()
    assert drawn["differs"] == [f"the request has {name}, theirs has not" for name in ("min_p", "ignore_eos", "stop")]
    assert (drawn["sampling"]["min_p"], drawn["sampling"]["ignore_eos"]) == (0.1, 1) and "min p 0.1" in terms(drawn)[
        "sampling"
    ]
    assert unequal(drawn, plain) == ["protocol", "sampling"]
    assert plain["differs"] == told["differs"] == [] and "min_p" not in plain["sampling"]


def test_without_a_recipe_nothing_is_handed_to_the_chat_template(asked: Any) -> None:
    assert all("chat_template_kwargs" not in body and body["max_tokens"] > 77 for body in asked())


def test_a_recipe_may_not_send_its_judges_anywhere_without_a_word(server: Server, asked: Any, recipe: Path) -> None:
    judge = "{name: llm, settings: {base_url: 'http://elsewhere.example/v1', model: m}}"
    recipe.write_text(RECIPE + f"rewards: {{content: {{judges: [{judge}]}}}}\n")
    with pytest.raises(RecipeError, match=r"--allow-endpoint elsewhere\.example"):
        asked("--recipe", str(recipe))
    assert server.bodies == []


def test_a_folder_that_does_not_say_how_it_was_asked_is_refused(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PolicyError, match=r"empty: holds no recipe\.yaml"):
        asked("--run", str(tmp_path / "empty"))


def test_a_run_and_a_recipe_are_not_both_named(asked: Any, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        asked("--run", str(recipe.parent), "--recipe", str(recipe))
    assert "not allowed with" in capsys.readouterr().err
