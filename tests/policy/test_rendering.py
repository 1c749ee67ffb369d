"""Chat templates that come with a model: one that fails or has no end is one line, not a traceback and not for ever."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from socialr1_lite.errors import PolicyError
from socialr1_lite.export import verl
from socialr1_lite.gpu_check.__main__ import with_real_prompts
from socialr1_lite.policy import rendering
from socialr1_lite.policy.model import Policy
from tests import launches
from tests.tiny import make_tiny_model

ASKED = [{"role": "user", "content": "Where will Mara look?"}]
FAILING = {
    "no end": ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "it had no end after"),
    "into itself": ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
    "refuses": ("{{ raise_exception('no system message, please') }}", "no system message, please"),
    "not Jinja": ("{% for %}", "fails: "),
    "no field": ("{{ messages[5].content }}", "has no element 5"),
    "a number": ("{{ messages[0]['content'] + 1 }}", "fails: "),
}


@pytest.fixture(scope="module")
def policy(tiny_model: Path) -> Policy:
    from transformers import AutoTokenizer

    return Policy(None, AutoTokenizer.from_pretrained(tiny_model), "transformers", "tiny", False)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "LONGEST_S", 0.2)


@pytest.mark.parametrize("kind", FAILING)
@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_template_that_does_not_work_is_one_line(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, kind: str, in_a_thread: bool
) -> None:
    template, said = FAILING[kind]
    monkeypatch.setattr(policy.tokenizer, "chat_template", template)
    errors: list[Exception] = []

    def ask() -> None:
        try:
            policy.prompt_text(ASKED)
        except Exception as error:
            errors.append(error)

    if in_a_thread:  # as *Try it* asks
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    else:
        ask()
    (error,) = errors
    assert isinstance(error, PolicyError) and said in str(error) and "\n" not in str(error)
    assert str(error).startswith("the chat template of ")


@pytest.mark.parametrize("kind", ["no end", "refuses"])
def test_an_export_for_verl_and_the_check_of_a_gpu_say_so_too(tmp_path: Path, kind: str) -> None:
    from transformers import AutoTokenizer

    template, said = FAILING[kind]
    tokenizer = AutoTokenizer.from_pretrained(make_tiny_model(tmp_path / "model"))
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path / "model")
    recipe = launches.recipe(str(tmp_path / "model"))
    with pytest.raises(PolicyError, match=f"^the chat template of .*{said}"):
        verl.export_verl(recipe, tmp_path / "job")
    assert not (tmp_path / "job").exists()
    with pytest.raises(PolicyError, match=f"^the chat template of .*{said}"):
        with_real_prompts(recipe)


def test_whoever_watches_the_program_goes_on_watching(policy: Policy) -> None:
    def mine(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(mine)
    try:
        assert policy.prompt_text(ASKED).endswith("<|im_start|>assistant\n")
        assert sys.gettrace() is mine
    finally:
        sys.settrace(before)


def test_lengths_are_those_of_what_is_sampled_from(policy: Policy) -> None:
    """A byte is a token of this model, and so is each mark of its template; none comes twice from the tokenizer."""
    prompts = [ASKED, [{"role": "system", "content": "é"}, *ASKED]]
    # <|im_start|>, "user\n", the question of 21 letters, <|im_end|>, "\n", and for the reply <|im_start|>, "assistant\n"
    own = 1 + 5 + 21 + 1 + 1
    found = rendering.prompt_lengths(policy.tokenizer, prompts, {})
    assert found == [own + 11, own + 11 + 1 + 7 + 2 + 1 + 1]
    assert rendering.prompt_lengths(policy.tokenizer, [], {}) == []


def test_lengths_are_counted_with_the_settings_of_the_template(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(make_tiny_model(tmp_path / "model"))
    tokenizer.chat_template = "{{ messages[0].content }}{% if enable_thinking is false %}XXXX{% endif %}"
    found = [rendering.prompt_lengths(tokenizer, [ASKED], settings)[0] for settings in ({}, {"enable_thinking": False})]
    assert found[1] == found[0] + 4
