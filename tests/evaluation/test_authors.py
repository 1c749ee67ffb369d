"""How the authors ask, and when a report may say so; the model card's way; both readings in report and table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.evaluation import asking, authors, reports, target
from socialr1_lite.evaluation.answering import ReplyStore, Sampling
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.sip.prompts import CARD_PROMPT
from socialr1_lite.viewer.reports import metric
from tests.benchmarks.harness import official_reply, oracle

FIXTURES = Path(__file__).parents[1] / "fixtures" / "benchmarks"
PUBLISHED = [name for name, one in BENCHMARKS.items() if one.protocol is not None]


@dataclass
class Model:
    """A policy that says what it is told to, and keeps how it was asked."""

    say: Callable[[str], str] = lambda _: "(A)"
    finish: str = "stop"
    backend: str = "transformers"
    notes: tuple[str, ...] = ()
    asked: list[list[dict[str, str]]] = field(default_factory=list)
    drawn: list[dict[str, Any]] = field(default_factory=list)
    tokenizer: Any = None

    def prompt_text(self, messages: Sequence[dict[str, str]], **template: Any) -> str:
        return "\n".join(message["content"] for message in messages)

    def generate(self, prompts: Sequence[list[dict[str, str]]], **sampling: Any) -> list[Completion]:
        self.asked += prompts
        self.drawn.append(sampling)
        return [Completion(self.say(self.prompt_text(one)), 1, self.finish) for one in prompts]  # type: ignore[arg-type]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[Model], Model]:
    """Puts a model where the policy would be loaded."""

    def there(one: Model) -> Model:
        monkeypatch.setattr(target, "load_policy", lambda *_, **__: one)
        return one

    return there


def run(out: Path, *arguments: str, model: str = "some/model") -> dict[str, Any]:
    assert evaluate.main([model, "-o", str(out), "--data", str(FIXTURES), *arguments]) == 0
    return dict(reports.read(out).reports)


SAMPLING = {  # temperature, top-p, tokens, repetition penalty; as the authors' own code has them
    "tombench": (0.0, 0.99, 4096, 1.0),
    "simpletom": (0.0, 1.0, 20, 1.0),
    "emobench": (0.6, 1.0, 4096, 1.0),
    "motivebench": (0.0, 1.0, 4096, 1.05),
    "tactfultom": (0.2, 1.0, 8192, 1.0),
    "fantom": (0.0, 0.95, 256, 1.0),
    "hi-tom": (0.0, 1.0, 4096, 1.0),
}


OWN = {  # metrics that the authors do not report, or not so
    "tombench": {"accuracy", "single_order_accuracy"},
    "simpletom": {"accuracy"},
    "emobench": {"accuracy", "EU en emotion alone", "EU en cause alone"},
    "motivebench": {"accuracy"},
    "tactfultom": {"accuracy", "justificationQA", "choice of four"},
    "fantom": {
        f"{part}: {metric}, by word overlap"
        for part in ("inaccessible", "accessible")
        for metric in ("All*", "belief distance")
    },
}
GROUPS = {  # group -> do the authors report it?
    "tombench": {"task": True, "ability": True},
    "simpletom": {"question_type": True, "scenario": False},
    "emobench": {"task": True, "language": False},
    "motivebench": {"question": True, "dataset": False},
    "hi-tom": {"order": False, "length": False},
    "tactfultom": {"order": False, "access": False},
}


def test_official_means_prompt_sampling_order_and_reading_of_the_authors(
    tmp_path: Path, put: Callable[[Model], Model]
) -> None:
    assert set(SAMPLING) == set(PUBLISHED)
    for name in PUBLISHED:
        model = put(Model())
        report = run(tmp_path / name, "--benchmarks", name, "--prompt", "official")[name]
        drawn = model.drawn[0]
        told = tuple(drawn[key] for key in ("temperature", "top_p", "max_new_tokens", "repetition_penalty"))
        assert told == SAMPLING[name], name
        assert report["protocol"] == ("own" if name == "hi-tom" else "official"), name
        assert bool(report["differs"]) == (name == "hi-tom")
        assert {one for one, figure in report["metrics"].items() if figure["protocol"] == "own"} == (
            set(report["metrics"]) if name == "hi-tom" else OWN[name]
        )
        assert {figure["protocol"] for figure in report["metrics"].values()} <= {"own", "official"}
        assert set(report["lenient"]) == set(report["metrics"])
        assert {figure["protocol"] for figure in report["lenient"].values()} == {"own"}
        for group, theirs in GROUPS.get(name, {}).items():
            marks = {figure["protocol"] for figure in report["groups"][group].values()}
            assert marks == {"official" if theirs else "own"}, (name, group)
        if name == "fantom":  # by word overlap, which is not theirs
            parts = report["groups"]["part, inaccessible"].items()
            assert {part for part, figure in parts if figure["protocol"] == "own"} == {"belief:dist"}


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("simpletom", ["--prompt", "official", "--max-new-tokens", "64"], "64 tokens, theirs are 20"),
        ("simpletom", ["--prompt", "official", "--temperature", "0.7"], "temperature 0.7, theirs is 0"),
        ("emobench", ["--prompt", "official", "--top-p", "0.9"], "top-p 0.9 and top-k 0, theirs are 1 and none"),
        ("emobench", ["--prompt", "official", "--samples", "2"], "2 replies to each prompt, theirs is one"),
        ("motivebench", ["--prompt", "official", "--repetition-penalty", "1"], "repetition penalty 1, theirs is 1.05"),
        ("simpletom", ["--prompt", "sip"], "the prompt is sip, and replies are read by the rule of training"),
        ("socialiqa", ["--prompt", "direct"], "rule of training (its authors publish none)"),
        ("hi-tom", ["--prompt", "official"], "its authors took out of their repository how they sample and read"),
    ],
)
def test_what_is_not_theirs_is_own_protocol_and_is_told(
    name: str,
    arguments: list[str],
    told: str,
    tmp_path: Path,
    put: Callable[[Model], Model],
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(Model())
    report = run(tmp_path, "--benchmarks", name, *arguments)[name]
    assert (f"not its authors' protocol: {told}" in capsys.readouterr().err) == ("official" in arguments)
    assert report["protocol"] == "own" and any(told in one for one in report["differs"])
    assert {figure["protocol"] for figure in report["metrics"].values()} == {"own"}


def test_a_limit_that_the_authors_do_not_have_may_not_be_reached(tmp_path: Path, put: Callable[[Model], Model]) -> None:
    put(Model())
    arguments = ("--benchmarks", "tombench", "--prompt", "official", "--max-new-tokens", "9")
    assert run(tmp_path / "a", *arguments)["tombench"]["protocol"] == "official"  # no reply reached it
    put(Model(finish="length"))
    report = run(tmp_path / "b", *arguments)["tombench"]
    assert report["differs"] == [f"{report['replies']} replies were cut off at 9 tokens, theirs have no limit"]


def test_a_qwen_model_and_a_server_without_a_penalty_are_not_asked_as_the_authors_ask() -> None:
    plan = asking.AskingPlan("official", authors.usual(BENCHMARKS["emobench"], "official"))
    assert authors.differences(BENCHMARKS["emobench"], plan, model="gpt-4o") == []
    (told,) = authors.differences(BENCHMARKS["emobench"], plan, model="Qwen/Qwen3-4B")
    assert "/no_think" in told
    motive = BENCHMARKS["motivebench"]
    plan = asking.AskingPlan("official", authors.usual(motive, "official"))
    assert authors.differences(motive, plan, model="m", not_sent=("seed", "top_p")) == []
    assert authors.differences(motive, plan, model="m", not_sent=("repetition_penalty",)) == [
        "the server does not take repetition_penalty"
    ]


@pytest.mark.parametrize("name", ["simpletom", "hi-tom", "emobench"])
def test_options_stay_in_the_authors_order_under_their_prompt_alone(name: str) -> None:
    bench = BENCHMARKS[name]
    items = bench.load(FIXTURES).items
    for one in bench.asks(items, 3, True):
        assert one.order == tuple(range(len(one.order)))
    assert any(one.order != tuple(range(len(one.order))) for seed in range(5) for one in bench.asks(items, seed, False))


# ------------------------------------------------------------------------------------------------ two calls


@pytest.mark.parametrize("name", ["tactfultom", "fantom"])
def test_the_step_by_step_form_of_two_calls(
    name: str, tmp_path: Path, put: Callable[[Model], Model], capsys: pytest.CaptureFixture[str]
) -> None:
    bench = BENCHMARKS[name]
    plan = asking.AskingPlan("official-cot", Sampling(8))
    reasoning, ends = (
        "Is it 1, (a), yes, no or Kim? I do not say.",
        "the final answer is: " if name[0] == "t" else "answer is:",
    )
    answers = {}
    for ask in bench.asks(bench.load(FIXTURES).items, 0, True):
        text = "\n".join(message["content"] for message in asking.messages(bench, ask, plan))
        assert text.rstrip().endswith(("Let's think step by step:", "Let's think step by step."))
        answers[text] = official_reply(name, ask, oracle)

    def say(prompt: str) -> str:
        if prompt in answers:
            return f"<think>{ends}</think>{reasoning}"
        first = next(text for text in answers if prompt.startswith(text))
        assert prompt.endswith(f"{reasoning}\n\nTherefore, {'' if name[0] == 't' else 'the '}{ends}")
        return answers[first]

    model = put(Model(say))
    report = run(tmp_path, "--benchmarks", name, "--prompt", "official-cot")[name]
    assert report["metrics"][report["headline"]]["value"] == 1.0
    assert len(model.asked) == 2 * len(answers)  # some sets share their questions
    assert capsys.readouterr().err.count(f"{report['replies']} of {report['replies']} replies") == 1
    for trace in read_traces(RunFolder.open(tmp_path)):
        assert reasoning in trace.prompt[-1]["content"] and trace.score.outcome == "right"


def test_reasoning_that_was_cut_off_in_its_thinking_is_not_asked_for_an_answer(
    tmp_path: Path, put: Callable[[Model], Model]
) -> None:
    model = put(Model(lambda _: "<think> 1", finish="length"))
    report = run(tmp_path, "--benchmarks", "tactfultom", "--prompt", "official-cot")["tactfultom"]
    assert len(model.asked) == report["cut_thinking"] == report["replies"]
    assert report["metrics"]["accuracy"]["value"] == 0.0


def test_progress_of_two_calls_counts_replies_whole(tmp_path: Path) -> None:
    """Of four replies one is lost in its first call, one in its second, and one is cut off in its thinking."""
    bench = BENCHMARKS["tactfultom"]
    loaded = bench.load(FIXTURES)
    plan = asking.AskingPlan("official-cot", Sampling(8), limit=4)
    firsts: list[str] = []

    class Losing:
        name = identity = "losing"

        def sample(self, prompts: Any, sampling: Sampling, on_done: Any) -> None:
            for place, prompt in enumerate(prompts):
                at = next((n for n, text in enumerate(firsts) if prompt[-1]["content"].startswith(text)), None)
                firsts.append(prompt[-1]["content"])
                lost = at == 1 or (at is None and len(firsts) == 1)
                thinks = at is None and len(firsts) == 3
                reply = Completion("<think> hm", 1, "length") if thinks else Completion("So it is 1.", 1)
                on_done({place: Completion.failure("HTTP 400") if lost else reply})

    seen: list[tuple[int, int, int]] = []
    store = ReplyStore(tmp_path / "r")
    replies = asking.ask_benchmark(bench, loaded, plan, Losing(), store, lambda *counts: seen.append(counts))
    total = len(replies.exchanges)
    assert total >= 4 and {counts[2] for counts in seen} == {total}
    assert seen[-1] == (total - 2, 2, total) and replies.count("failed") == 2
    # first calls: one lost at once, then halves of replies; second ones: the cut thought is a whole reply from the start
    begun = [(0, 0), (0, 1), *((halves // 2, 1) for halves in range(1, total))]
    halves = [total - 2, total - 3, *range(total - 2, 2 * (total - 3) + 1)]
    assert [counts[:2] for counts in seen] == [
        *begun, (1 + halves[0] // 2, 1), *((1 + half // 2, 2) for half in halves[1:])
    ]  # fmt: skip
    assert all(one[0] + one[1] <= other[0] + other[1] <= total for one, other in itertools.pairwise(seen))


# ------------------------------------------------------------------------------------------------ the model card


def test_the_cards_prompt_is_one_user_message_with_the_cards_tokens_and_sampling(
    tmp_path: Path, put: Callable[[Model], Model]
) -> None:
    model = put(Model(lambda _: "<think> a b c. </think> <Answer> A </Answer>"))
    run(tmp_path, "--benchmarks", "socialiqa", "--prompt", "socialr1")
    for messages in model.asked:
        (only,) = messages
        assert only["role"] == "user" and only["content"].startswith(f"{CARD_PROMPT}\n\nStory: ")
    drawn = {name: model.drawn[0][name] for name in ("max_new_tokens", "temperature", "top_p", "top_k")}
    assert drawn == {"max_new_tokens": 2048, "temperature": 0.6, "top_p": 0.95, "top_k": 20}


def test_what_the_command_line_says_of_sampling_goes_before_card_and_authors(
    tmp_path: Path, put: Callable[[Model], Model]
) -> None:
    for prompt, name, usual in (("socialr1", "socialiqa", (0.95, 20)), ("official", "fantom", (0.95, 0))):
        for arguments, drawn in (((), usual), (("--top-p", "1", "--top-k", "0"), (1.0, 0))):
            model = put(Model())
            out = tmp_path / f"{name}{len(arguments)}"
            report = run(out, "--benchmarks", name, "--prompt", prompt, *arguments)[name]
            assert (model.drawn[0]["top_p"], model.drawn[0]["top_k"]) == drawn
            assert (report["sampling"]["top_p"], report["sampling"]["top_k"]) == drawn


def test_a_model_that_thinks_by_its_template_gets_more_tokens(tmp_path: Path, put: Callable[[Model], Model]) -> None:
    class Tokenizer:
        chat_template = "{% if enable_thinking %}<think>{% endif %}"

    for tokenizer, tokens in ((None, 48), (Tokenizer(), 48 + authors.THINKING)):
        model = put(Model(tokenizer=tokenizer))
        run(tmp_path / str(tokens), "--benchmarks", "socialiqa", "--prompt", "direct")
        assert model.drawn[0]["max_new_tokens"] == tokens


# ------------------------------------------------------------------------------------------------ both readings


def test_a_wrong_form_and_a_wrong_answer_are_told_apart(tmp_path: Path, put: Callable[[Model], Model]) -> None:
    def free(prompt: str) -> str:
        return "I think the answer is " + prompt.rpartition("Options:\n")[2][0] + "."

    put(Model(free))
    report = run(tmp_path, "--benchmarks", "socialiqa")["socialiqa"]
    assert report["metrics"]["accuracy"]["value"] == 0.0 and report["unreadable"] == report["n"]
    items = BENCHMARKS["socialiqa"].load(FIXTURES).items
    asks = BENCHMARKS["socialiqa"].asks(items, 0, False)
    assert report["lenient"]["accuracy"]["value"] == sum(0 in ask.scenario.gold for ask in asks) / len(asks)
    assert report["lenient_unreadable"] == 0
    assert (
        f"read leniently {report['lenient']['accuracy']['value']:.3f}" in (tmp_path / "evaluation/table.md").read_text()
    )


def test_the_viewer_reads_the_marks_of_old_and_new_reports() -> None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    for mark, official in (
        ({}, True),
        ({"official": True}, True),
        ({"official": False}, False),
        ({"protocol": "official"}, True),
        ({"protocol": "own"}, False),
    ):
        assert metric("accuracy", {**figure, **mark})["official"] is official
