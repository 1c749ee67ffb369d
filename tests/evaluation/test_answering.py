"""Who answers: order, seeds, prefilled think blocks, and what is kept."""

from __future__ import annotations

import errno
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.endpoint import Endpoint, EndpointSettings
from socialr1_lite.errors import MachineError, PolicyError
from socialr1_lite.evaluation import authors
from socialr1_lite.evaluation.answering import (
    EndpointSampler,
    PolicySampler,
    ReplyStore,
    Sampling,
    VllmSampler,
    ask_all,
    chat_template,
    reply_key,
)
from socialr1_lite.rollouts.completion import Completion, Finish
from socialr1_lite.runlog import lines
from tests.scripted import ScriptedPolicy

FIXTURES = Path(__file__).parents[1] / "fixtures" / "benchmarks"


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


class Echo:
    """Answers with the prompt's own text and the seed; counts what it was asked."""

    name = identity = "echo"

    def __init__(self, finish: Finish = "stop") -> None:
        self.asked: list[str] = []
        self._finish = finish

    def sample(self, prompts: Any, sampling: Sampling, on_done: Any) -> None:
        for place in reversed(range(len(prompts))):  # in any order
            text = prompts[place][0]["content"]
            self.asked.append(text)
            on_done({place: Completion(f"{text} {sampling.seed}", 1, self._finish)})


def test_replies_come_back_in_the_order_of_the_prompts(tmp_path: Path) -> None:
    replies = ask_all(Echo(), [prompt(t) for t in "abc"], Sampling(4), ReplyStore(tmp_path / "r"))
    assert [one.text for one in replies] == ["a 0", "b 0", "c 0"]


def test_a_repeated_prompt_counts_in_the_progress_as_often_as_it_comes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    echo = Echo()
    ask_all(echo, [prompt(t) for t in "abab"], Sampling(4), ReplyStore(tmp_path / "r"), lambda *n: seen.append(n))
    assert sorted(echo.asked) == ["a", "b"] and seen == [(0, 0), (2, 0), (4, 0)]


def test_a_request_that_got_no_reply_is_counted_apart(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    ask_all(
        Echo("failed"), [prompt(t) for t in "aba"], Sampling(4), ReplyStore(tmp_path / "r"), lambda *n: seen.append(n)
    )
    assert seen == [(0, 0), (0, 1), (0, 3)]


def test_sampled_repetitions_have_seeds_of_their_own_and_are_kept(tmp_path: Path) -> None:
    store = ReplyStore(tmp_path / "r")
    how = Sampling(4, temperature=1.0, seed=3)
    texts = [one.text for one in ask_all(Echo(), [prompt("a")] * 3, how, store)]
    assert len(set(texts)) == 3 and texts[0] == "a 3"
    again = Echo()
    assert [one.text for one in ask_all(again, [prompt("a")] * 3, how, ReplyStore(store.path))] == texts
    assert again.asked == []


def test_replies_kept_before_errors_were_are_gone_on_with(tmp_path: Path) -> None:
    row = {"key": "k", "text": "hi", "tokens": 2, "finish": "length", "prefilled": True}  # as written in November 2026
    (tmp_path / "r").write_text(json.dumps(row) + "\n")
    assert ReplyStore(tmp_path / "r").get("k") == Completion("hi", 2, "length", prefilled=True)


def test_a_request_that_failed_is_no_text(tmp_path: Path) -> None:
    settings = EndpointSettings(base_url="http://127.0.0.1:9/v1", model="m", retries=0)
    with Endpoint(settings) as endpoint:
        (reply,) = ask_all(EndpointSampler(endpoint), [prompt("a")], Sampling(4), ReplyStore(tmp_path / "r"))
    assert (reply.text, reply.tokens, reply.finish) == ("", 0, "failed")
    assert reply.error.startswith("no connection")


def test_failed_replies_are_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "r"
    ask_all(Echo("failed"), [prompt("a")], Sampling(4), ReplyStore(path))
    assert ReplyStore(path).found == 0


def test_a_key_changes_with_everything_a_reply_depends_on() -> None:
    base = reply_key("m", prompt("a"), Sampling(4))
    others = [
        reply_key("n", prompt("a"), Sampling(4)),
        reply_key("m", prompt("b"), Sampling(4)),
        *(reply_key("m", prompt("a"), how) for how in (Sampling(5), Sampling(4, 0.5), Sampling(4, top_p=0.5))),
        *(reply_key("m", prompt("a"), how) for how in (Sampling(4, top_k=1), Sampling(4, seed=1))),
    ]
    assert len({base, *others}) == 8


@pytest.mark.parametrize(("tail", "prefilled"), [("\nassistant:", False), ("\nassistant:<think>\n", True)])
def test_the_prompts_tail_says_whether_the_think_block_is_open(tail: str, prefilled: bool, tmp_path: Path) -> None:
    policy = ScriptedPolicy(lambda i: "x", tail=tail)
    sampler = PolicySampler(policy, "p", "p")  # type: ignore[arg-type]
    (completion,) = ask_all(sampler, [prompt("a")], Sampling(4), ReplyStore(tmp_path / "r"))
    assert completion.prefilled is prefilled


def test_an_endpoint_gets_a_sample_number_with_each_seed() -> None:
    endpoint = Endpoint(EndpointSettings(base_url="http://h/v1", model="m"))
    (one,) = EndpointSampler(endpoint).requests([prompt("a")], Sampling(4, 0.5, seed=9))
    assert (one.seed, one.sample, one.max_tokens, one.temperature) == (9, 9, 4, 0.5)


def test_vllm_is_asked_for_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(PolicyError, match=r"pip install -r requirements-vllm\.txt"):
        VllmSampler("m", "m", "m")


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in vLLM's place; returns what it was called with, and the tokenizer that it will give."""
    calls: dict[str, Any] = {
        "tokenizer": types.SimpleNamespace(apply_chat_template=lambda *_, **how: f"<think>{how.get('note', '')}")
    }

    class LLM:
        def __init__(self, **how: Any) -> None:
            calls["load"] = how

        def chat(self, messages: Any, settings: Any, **how: Any) -> Any:
            calls["chat"] = (messages, settings, how)
            output = types.SimpleNamespace(text="hi", token_ids=[1, 2], finish_reason="length")
            return [types.SimpleNamespace(outputs=[output]) for _ in messages]

        def get_tokenizer(self) -> Any:
            return calls["tokenizer"]

    vllm = types.ModuleType("vllm")
    vllm.LLM, vllm.SamplingParams = LLM, lambda **how: how  # type: ignore[attr-defined]
    lora = types.ModuleType("vllm.lora.request")
    lora.LoRARequest = lambda *arguments: arguments  # type: ignore[attr-defined]
    for name, module in {"vllm": vllm, "vllm.lora": types.ModuleType("vllm.lora"), "vllm.lora.request": lora}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def test_vllm_replies_are_read(vllm: dict[str, Any], tmp_path: Path) -> None:
    sampler = VllmSampler("m", "m", "m", adapter=tmp_path, rank=8)
    (completion,) = ask_all(sampler, [prompt("a")], Sampling(4, top_k=0), ReplyStore(tmp_path / "r"))
    assert completion == Completion("hi", 2, "length", prefilled=True)
    assert vllm["load"]["enable_lora"] and vllm["load"]["enable_prefix_caching"]
    drawn = {"max_tokens": 4, "temperature": 0.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "seed": 0}
    assert vllm["chat"][1] == drawn
    assert vllm["chat"][2]["lora_request"] == ("adapter", 1, str(tmp_path))


def test_a_chat_template_is_seen_wherever_the_model_is_loaded(vllm: dict[str, Any]) -> None:
    assert chat_template(VllmSampler("m", "m", "m")) == ""  # a tokenizer that has none, as Mistral's own
    tokenizer = types.SimpleNamespace(chat_template="{{ '<think>' }}")
    vllm["tokenizer"] = tokenizer
    policy = types.SimpleNamespace(tokenizer=tokenizer)
    for sampler in (VllmSampler("m", "m", "m"), PolicySampler(policy, "p", "p")):  # type: ignore[arg-type]
        assert chat_template(sampler) == "{{ '<think>' }}"
    tokenizer.chat_template = None
    assert chat_template(PolicySampler(policy, "p", "p")) == chat_template(Echo()) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(("template", "tokens"), [("{{ m }}", 48), ("<think>", 48 + authors.THINKING)])
def test_a_model_that_thinks_by_its_template_gets_more_tokens_in_vllm_too(
    vllm: dict[str, Any], tmp_path: Path, template: str, tokens: int
) -> None:
    vllm["tokenizer"].chat_template = template
    asked = ["some/model", "--backend", "vllm", "--benchmarks", "socialiqa", "--prompt", "direct"]
    assert evaluate.main([*asked, "--data", str(FIXTURES), "-o", str(tmp_path / "out")]) == 0
    assert vllm["chat"][1]["max_tokens"] == tokens


def store_of(path: Path) -> ReplyStore:
    return ReplyStore(path / "evaluation" / ".set.replies.jsonl")


def full_at(monkeypatch: pytest.MonkeyPatch, *places: Path, why: int = errno.ENOSPC) -> None:
    """Let nothing be appended below these places, as a disk that is full, or one that was mounted anew, read-only."""
    real = lines.append

    def append(path: Path, rows: Any) -> None:
        if any(place in path.parents for place in places):
            if why == errno.ENOSPC:
                with path.open("ab") as file:
                    file.write(b'{"key": "torn", "te')  # what a full disk still takes
            raise OSError(why, os.strerror(why))
        real(path, rows)

    monkeypatch.setattr(lines, "append", append)


@pytest.mark.parametrize("why", [errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
def test_replies_that_were_paid_for_outlast_a_disk_that_is_full_or_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], why: int
) -> None:
    monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path / "cache"))
    store, echo = store_of(tmp_path / "run"), Echo()
    ask_all(echo, [prompt("before")], Sampling(9), store)
    with monkeypatch.context() as full:
        full_at(full, tmp_path / "run", why=why)
        replies = ask_all(echo, [prompt(text) for text in ("before", "one", "two")], Sampling(9), store)
    assert [one.text for one in replies] == ["before 0", "one 0", "two 0"]
    assert capsys.readouterr().err.count(f"{os.strerror(why)}; replies are kept in ") == 1
    again = store_of(tmp_path / "run")
    assert again.found == 3
    assert ask_all(echo, [prompt(text) for text in ("before", "one", "two")], Sampling(9), again) == replies
    assert len(echo.asked) == 3
    again.done()
    assert store_of(tmp_path / "run").found == 0


def test_nothing_more_is_asked_where_no_reply_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIALR1_CACHE", str(tmp_path / "cache"))
    store, echo = store_of(tmp_path / "run"), Echo()
    ask_all(echo, [prompt("before")], Sampling(9), store)
    with monkeypatch.context() as full:
        full_at(full, tmp_path)
        with pytest.raises(MachineError, match=r"No space left .* the 1 replies before stay, and the same command"):
            ask_all(echo, [prompt("one"), prompt("two")], Sampling(9), store)
    assert echo.asked == ["before", "two"]
    assert store_of(tmp_path / "run").found == 1


def test_a_line_that_is_no_reply_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "evaluation" / ".set.replies.jsonl"
    path.parent.mkdir()
    path.write_text('{"text": "no key"}\n{"key": "a", "colour": 1}\n[1]\n')
    assert store_of(tmp_path).found == 0
