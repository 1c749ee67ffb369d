"""A model's thinking is taken out in one place, before any benchmark reads an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Answer, Ask, Benchmark, answers_to
from socialr1_lite.chat_reply import Said, first_tag, without_thinking
from socialr1_lite.evaluation.asking import mark_opened, said
from socialr1_lite.rollouts.completion import Completion
from tests.benchmarks.harness import official_reply, oracle

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"
PUBLISHED = [name for name, one in BENCHMARKS.items() if one.read is not None]
# Wrong letters, numbers, names and a yes and a no in every form that some author's reader looks for.
THOUGHT = 'Is it [[A]], (B) or D? The answer is C. {"answer": "B"} Option 3, answer: 2. yes, no, Eva, Gus, Kim. (a) (b)'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("<think>A?</think>B", "B"),
        ("<thinking>A?</thinking>\n\n**B**", "**B**"),
        ("<THINK>A?</Think> B", "B"),
        ("A?\n</think>\n\nB", "B"),  # the prompt had opened it
        ("<think></think>B", "B"),
        ("<think>A?</think>B<think>C?</think>D", "D"),
        ("B<think>sure</think>", "B"),  # answered first
        ("<think>A? <think> B? </think>C", "C"),
        ("<seed:think>A?</seed:think>B", "B"),
        ("[THINK]A?[/THINK]B", "B"),
        ("<|begin_of_thought|>A?<|end_of_thought|>\n\n<|begin_of_solution|>B<|end_of_solution|>", "B"),
        ("<|START_THINKING|>A?<|END_THINKING|><|START_RESPONSE|>B<|END_RESPONSE|>", "B"),
        ("<unused94>thought\nA?<unused95>B", "B"),
        ("<|channel>thought\nA?<channel|>B", "B"),
        ("Here is my thought process:\nA?\nHere is my response:\nB", "B"),
        ("< think >A?</ think >B", "B"),
        ("<think type='x'>A?</think\n>B", "B"),
        ("<scratchpad>A?</scratchpad>B", "B"),
        ("<analysis>A?</analysis>B", "B"),
        ("<thinking>A?<reflection>C?</reflection>A</thinking><output>B</output>", "<output>B</output>"),
        ("Is <thinker> or a<think the tag? <analysis of A>", "Is <thinker> or a<think the tag? <analysis of A>"),
        ("◁think▷A?◁/think▷B", "B"),
        ("<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>", "B"),
        ("analysisMaybe A.assistantfinalB", "B"),
        ("analysis of A shows B", "analysis of A shows B"),
        ("<think>A?\n<answer>B</answer>", "<answer>B</answer>"),  # as the parser of training reads it
        ("a < b > c [think]", "a < b > c [think]"),
    ],
)
def test_what_is_said_behind_the_thinking(text: str, expected: str) -> None:
    assert without_thinking(text) == Said(expected)


@pytest.mark.parametrize(
    "text",
    [
        "<think>The answer is B",
        "<think>A?</think>B<think>or C",
        "[THINK]B",
        "<|begin_of_thought|>B",
        "<|START_THINKING|>B",
        "<unused94>thought\nB",
        "<|channel>thought\nB",
        "Here's my thought process:\nB",
        "<scratchpad>B",
        "<|channel|>analysis<|message|>B",
        "analysisWe need B",
        "<think>A? <answer>B",
        "<think>A? </answer> <answer>",
    ],
)
def test_thinking_that_never_ended_says_nothing(text: str) -> None:
    assert without_thinking(text) == Said("", unfinished=True)


def test_a_template_that_opens_the_block_and_a_server_that_gives_it_apart() -> None:
    assert without_thinking("A? B? C", prefilled=True) == Said("", unfinished=True)
    assert without_thinking("A?</think> B", prefilled=True) == Said("B")
    assert without_thinking("B", apart="A?") == Said("B")
    assert without_thinking(" ", apart="A?").unfinished
    assert not without_thinking("").unfinished  # nothing thought, nothing said


def read(benchmark: Benchmark, ask: Ask, text: str, cot: bool, **how: str | bool) -> list[Answer]:
    return answers_to(benchmark, ask, text, official=True, cot=cot, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("cot", [False, True])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_benchmark_reads_a_thinking_reply_as_the_bare_answer(name: str, cot: bool) -> None:
    benchmark = BENCHMARKS[name]
    for ask in benchmark.asks(benchmark.load(FIXTURES).items, 0, True):
        bare = official_reply(name, ask, oracle)
        expected = read(benchmark, ask, bare, cot)
        assert all(answer.reading.readable for answer in expected)
        assert read(benchmark, ask, f"<think>\n{THOUGHT}\n</think>\n\n{bare}", cot) == expected
        assert read(benchmark, ask, f"{THOUGHT}\n</think>\n\n{bare}", cot, prefilled=True) == expected
        assert read(benchmark, ask, bare, cot, apart=THOUGHT) == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_thinking_that_was_cut_off_is_never_searched_for_an_answer(name: str) -> None:
    benchmark = BENCHMARKS[name]
    for ask in benchmark.asks(benchmark.load(FIXTURES).items, 0, True):
        for text, how in (
            (f"<think>\n{THOUGHT}", {}),
            (THOUGHT, {"prefilled": True}),
            ("", {"apart": THOUGHT}),
        ):
            for answer in read(benchmark, ask, text, False, **how):
                assert (answer.reading.choice, answer.reading.text, answer.reading.readable) == (None, "", False)


def test_one_closing_tag_tells_of_a_block_that_the_template_opens_unseen() -> None:
    closed, cut = Completion("A?</think>B", 5), Completion("A? B? C", 5, "length")
    ended, own = Completion("B", 1), Completion("<think>A?</think> B C", 5, "length")
    marked = mark_opened([closed, cut, ended, own])
    assert [one.prefilled for one in marked] == [True, True, False, False]
    assert [said(one) for one in marked] == [Said("B"), Said("", True), Said("B"), Said("B C")]
    assert mark_opened([cut, ended, own]) == [cut, ended, own]  # nothing tells
    apart = Completion("B", 1, "length", reasoning="A?")
    assert mark_opened([closed, apart])[1] == apart
    assert [first_tag(one.text) for one in (closed, cut, own)] == ["closes", "", "opens"]
