"""The command line from official files to reports, with a scripted model in the policy's place."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.sotopia_episode import RANGES
from socialr1_lite.errors import DataError, PolicyError, RecipeError, RunLogError
from socialr1_lite.evaluation import asking, reports, tables, target
from socialr1_lite.evaluation.answering import Sampling
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.runlog import BestAdapter, CheckScore, RunFolder, mark_complete, read_traces
from tests.benchmarks.harness import official_reply, oracle, own_reply

FIXTURES = Path(__file__).parents[1] / "fixtures" / "benchmarks"
QUESTIONS = [name for name in BENCHMARKS if name not in ("sotopia", "stories")]
SCHEMA = {
    *("version", "benchmark", "source", "model", "adapter_step", "recipe_sha256", "prompt_style", "sampling", "seed"),
    *("n", "unreadable", "truncated", "seconds", "metrics", "groups", "published"),
}


@dataclass
class Speaker:
    """A policy that answers from the words of the prompt. asked: every prompt it was given."""

    say: Callable[[str], str]
    finish: str = "stop"
    backend: str = "transformers"
    notes: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    dies_after: int | None = None

    def prompt_text(self, messages: Sequence[dict[str, str]], **template: Any) -> str:
        return "\n".join(message["content"] for message in messages)

    def generate(self, prompts: Sequence[Any], **sampling: Any) -> list[Completion]:
        out = []
        for prompt in prompts:
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            text = self.prompt_text(prompt)
            self.asked.append(text)
            reply = self.say(text)
            out.append(Completion(reply, len(reply.split()), self.finish))  # type: ignore[arg-type]
        return out


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Speaker], Speaker]:
    """Puts a speaker where the policy would be loaded."""

    def put(one: Speaker) -> Speaker:
        monkeypatch.setattr(target, "load_policy", lambda *_, **__: one)
        return one

    return put


def run(out: Path, *arguments: str, data: Path | None = FIXTURES) -> dict[str, Any]:
    """Evaluate from the command line; the reports by benchmark."""
    where = ["--data", str(data)] if data else []
    assert evaluate.main(["some/model", "-o", str(out), *where, *arguments]) == 0
    return dict(reports.read(out).reports)


def knowing(style: str, *names: str, seed: int = 0) -> Callable[[str], str]:
    """What an oracle says to each prompt of these benchmarks."""
    plan = asking.AskingPlan(style, Sampling(8), seed=seed, languages=("en", "zh"))
    answers = {}
    for name in names:
        bench = BENCHMARKS[name]
        items = asking.pick(bench.load(FIXTURES), plan)
        for ask in bench.asks(items, seed, style in asking.OFFICIAL):
            text = "\n".join(message["content"] for message in asking.messages(bench, ask, plan))
            answers[text] = official_reply(name, ask, oracle) if style in asking.OFFICIAL else own_reply(ask, oracle)
    return answers.__getitem__


def test_an_oracle_scores_one_everywhere_and_the_reports_keep_the_schema(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(knowing("sip", *QUESTIONS)))
    by_name = run(tmp_path / "out", "--benchmarks", ",".join(QUESTIONS))
    assert set(by_name) == set(QUESTIONS)
    for name, report in by_name.items():
        assert report.keys() >= SCHEMA, name
        metrics = {metric: figure["value"] for metric, figure in report["metrics"].items()}
        assert metrics == dict.fromkeys(metrics, 1.0), name
        assert (report["unreadable"], report["truncated"], report["failed"]) == (0, 0, 0)
        assert report["headline"] in report["metrics"]
        assert all(len(file["sha256"]) == 64 for file in report["source"]["files"])
        assert report["notes"] == list(BENCHMARKS[name].load(FIXTURES).notes)
    assert by_name["tombench"]["n"] == 3 and by_name["tombench"]["replies"] == 15


def test_every_reply_is_a_trace_beside_the_scenario_that_was_shown(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(knowing("sip", "tombench", "tactfultom")))
    run(tmp_path, "--benchmarks", "tombench,tactfultom")
    folder = RunFolder.open(tmp_path)
    scenarios = {scenario.id: scenario for scenario in folder.read_scenarios()}
    traces = list(read_traces(folder))
    assert Counter(one.benchmark for one in traces) == {"tombench": 15, "tactfultom": 12}
    assert {one.phase for one in traces} == {"eval"} and {one.score.outcome for one in traces} == {"right"}
    for one in traces:
        shown = scenarios[one.scenario]
        assert one.score.components["format"] == 1.0
        if shown.options:
            assert one.answer in shown.gold
    assert len({one.scenario for one in traces if one.benchmark == "tombench"}) == 15  # each order its own
    assert not list((tmp_path / "evaluation").glob(".*replies*"))


@pytest.mark.parametrize("style", ["official", "official-cot"])
def test_the_authors_prompts_are_asked_and_read(
    style: str, tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    names = [n for n in QUESTIONS if BENCHMARKS[n].prompt]
    if style == "official-cot":
        names = ["tombench", "emobench"]
    speaker(Speaker(knowing(style, *names)))
    by_name = run(tmp_path, "--benchmarks", ",".join(names), "--prompt", style)
    for name in names:
        assert by_name[name]["metrics"][by_name[name]["headline"]]["value"] == 1.0
        assert by_name[name]["prompt_style"] == style
    assert {one.score.components["format"] for one in read_traces(RunFolder.open(tmp_path))} == {None}


def test_wrong_unreadable_and_cut_off_replies_are_counted_apart(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(lambda _: "I do not know."))
    report = run(tmp_path / "a", "--benchmarks", "hi-tom")["hi-tom"]
    assert (report["n"], report["unreadable"], report["truncated"]) == (3, 3, 0)
    assert report["metrics"]["accuracy"]["value"] == 0.0
    speaker(Speaker(lambda _: "<think> well", finish="length"))
    report = run(tmp_path / "b", "--benchmarks", "hi-tom")["hi-tom"]
    assert (report["unreadable"], report["truncated"]) == (0, 3)
    speaker(Speaker(lambda _: "<think> a b c d. </think> <answer> C </answer>"))
    report = run(tmp_path / "c", "--benchmarks", "hi-tom")["hi-tom"]
    assert (report["unreadable"], report["truncated"]) == (0, 0)
    outcomes = Counter(one.score.outcome for one in read_traces(RunFolder.open(tmp_path / "c")))
    assert outcomes["unreadable"] == 0 and outcomes["wrong"] + outcomes["right"] == 3


def test_a_reply_that_never_came_is_wrong_even_where_the_authors_would_read_one(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    class Failing(Speaker):
        def generate(self, prompts: Sequence[Any], **sampling: Any) -> list[Completion]:
            one, *others = super().generate(prompts, **sampling)
            return [one, *(Completion.failure("HTTP 500") for _ in others)]

    speaker(Failing(lambda _: "HTTP 500"))
    report = run(tmp_path, "--benchmarks", "tombench", "--prompt", "official")["tombench"]
    assert (report["failed"], report["unreadable"], report["truncated"]) == (14, 1, 0)  # one came, without a letter
    assert report["metrics"]["single_order_accuracy"]["value"] <= 1 / 15
    failed = [one for one in read_traces(RunFolder.open(tmp_path)) if one.completion.failed]
    assert len(failed) == 14
    assert {one.completion for one in failed} == {Completion.failure("HTTP 500")}  # the error is no text of the model
    assert {(one.score.outcome, one.score.is_scored, one.answer) for one in failed} == {("failed", False, None)}
    assert failed[0].score.notes == ("failed: HTTP 500",)


def test_an_interrupted_evaluation_asks_only_for_what_is_missing(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    say = knowing("sip", "motivebench")
    arguments = ("--benchmarks", "motivebench", "--batch-size", "1")
    first = speaker(Speaker(say, dies_after=9))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", *arguments)
    left = tmp_path / "cut" / "evaluation" / ".motivebench.replies.jsonl"
    kept = left.read_text().splitlines()
    assert len(kept) == 8  # two chunks of four; the ninth was asked but its chunk was not over
    left.write_text("\n".join(kept) + '\n{"key": "torn')  # as kill -9 would leave it
    second = speaker(Speaker(say))
    resumed = run(tmp_path / "cut", *arguments)["motivebench"]
    assert len(second.asked) == 18 - 8
    assert not set(second.asked) & set(first.asked[:8])
    speaker(Speaker(say))
    whole = run(tmp_path / "whole", *arguments)["motivebench"]
    assert resumed["metrics"] == whole["metrics"]
    assert len(list(read_traces(RunFolder.open(tmp_path / "cut")))) == 18


def test_the_same_prompt_is_asked_once_when_greedy_and_drawn_anew_when_sampled(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    # a question with two options has only two orders, so its five shuffles repeat
    greedy = speaker(Speaker(lambda _: "<answer> A </answer>"))
    run(tmp_path / "greedy", "--benchmarks", "tombench")
    assert len(greedy.asked) == len(set(greedy.asked)) < 15
    sampled = speaker(Speaker(lambda _: "<answer> A </answer>"))
    run(tmp_path / "sampled", "--benchmarks", "tombench", "--temperature", "1")
    assert len(sampled.asked) == 15


def test_a_second_launch_supersedes_the_traces_of_the_first(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(lambda _: "<answer> A </answer>"))
    for _ in range(2):
        run(tmp_path, "--benchmarks", "socialiqa")
    folder = RunFolder.open(tmp_path)
    assert len(list(read_traces(folder))) == 2
    assert len(list(read_traces(folder, superseded=True))) == 4


def test_another_seed_in_the_same_folder_shows_other_orders_under_other_ids(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(lambda _: "<answer> A </answer>"))
    for seed in range(4):
        run(tmp_path, "--benchmarks", "socialiqa", "--seed", str(seed))
    scenarios = {scenario.id: scenario for scenario in RunFolder.open(tmp_path).read_scenarios()}
    assert len({name for name in scenarios if name.startswith("socialiqa/dev/1")}) > 1
    for one in read_traces(RunFolder.open(tmp_path)):
        assert one.scenario in scenarios


def test_samples_draw_with_different_seeds_and_average(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    one = speaker(Speaker(lambda _: "<think> a b c. </think> <answer> A </answer>"))
    report = run(tmp_path, "--benchmarks", "socialiqa", "--samples", "3")["socialiqa"]
    assert len(one.asked) == 6
    assert report["metrics"]["accuracy"]["n"] == 6
    assert report["sampling"] | {"temperature": 0.7, "samples": 3} == report["sampling"]
    with pytest.raises(RecipeError, match="--samples above 1 needs --temperature above 0"):
        run(tmp_path, "--benchmarks", "socialiqa", "--samples", "2", "--temperature", "0")


def test_a_limit_is_drawn_by_seed_and_keeps_pairs_together(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(knowing("sip", "emobench")))
    report = run(tmp_path, "--benchmarks", "emobench", "--limit", "4")["emobench"]
    assert report["n"] in (4, 5)
    loaded = BENCHMARKS["emobench"].load(FIXTURES)
    for seed in range(10):
        plan = asking.AskingPlan("sip", Sampling(8), seed=seed, limit=3)
        picked = asking.pick(loaded, plan)
        parts = Counter(item.joint for item in picked)
        assert all(parts[item.joint] == 2 for item in picked if item.label("part") != "EA")
        assert picked == asking.pick(loaded, plan)


def test_languages_are_picked(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    speaker(Speaker(lambda _: ""))
    report = run(tmp_path, "--benchmarks", "tombench", "--language", "zh")["tombench"]
    assert list(report["groups"]["language"]) == ["zh"]
    with pytest.raises(DataError, match="socialiqa: no rows in zh; --language names another"):
        run(tmp_path, "--benchmarks", "socialiqa", "--language", "zh")


def test_fantom_metrics_reach_the_report(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    speaker(Speaker(lambda _: "<think> a b c. </think> <answer> Eva and Gus know it </answer>"))
    report = run(tmp_path, "--benchmarks", "fantom")["fantom"]
    assert report["headline"] == "inaccessible: All"
    assert report["metrics"]["inaccessible: Answerability list"]["value"] == 1.0
    assert report["metrics"]["inaccessible: All"]["value"] == 0.0
    outcomes = {one.scenario: one.score.outcome for one in read_traces(RunFolder.open(tmp_path))}
    assert outcomes["fantom/1-0-0/answerability/list"] == "right"
    assert outcomes["fantom/1-0-0/answerability/0"] == "unreadable"  # "know it" is neither yes nor no


# ------------------------------------------------------------------------------------------------ SOTOPIA

VERDICT = json.dumps(
    {f"agent_{n}_evaluation": {name: ["so", high] for name, (_, high) in RANGES.items()} for n in (1, 2)}
)


def acting(judge: Callable[[], str], move: str = "speak") -> Callable[[str], str]:
    said = itertools.count()

    def say(prompt: str) -> str:
        if "evaluate how well participants" in prompt or "agent_1_evaluation" in prompt:
            return judge()
        kind = "speak" if "You are at Turn #0" in prompt else move
        return json.dumps({"action_type": kind, "argument": f"Good day number {next(said)}."})

    return say


OTHERS = ("--partner", "some/partner", "--judge", "some/judge")  # loaded as the same speaker, by other names


def test_episodes_are_played_judged_and_kept(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    speaker(Speaker(acting(lambda: VERDICT)))
    report = run(tmp_path, "--benchmarks", "sotopia", *OTHERS)["sotopia"]
    goal = report["metrics"]["goal"]
    assert goal == {
        "value": 10.0,
        "low": None,
        "high": None,
        "n": 4,
        "protocol": "official",
    }  # all alike: none is known
    assert report["metrics"]["overall"]["value"] == pytest.approx((10 + 5 + 10 + 0 + 0 + 5 + 10) / 7)
    assert report["players"] == {"partner": "some/partner", "judge": "some/judge"}
    assert (report["episodes"], report["unjudged"], report["endings"]) == (4, 0, {"20 turns": 4})
    assert report["differs"] == []
    turns = [one for one in read_traces(RunFolder.open(tmp_path)) if one.benchmark == "sotopia"]
    assert len(turns) == 40  # ten of the twenty turns of each episode are the model's
    last = [one for one in turns if one.score.notes]
    assert len(last) == 4 and all("Good day" in one.score.notes[2] for one in last)
    scored = '{"BEL": 10, "REL": 5, "KNO": 10, "SEC": 0, "SOC": 0, "FIN": 5, "GOAL": 10}'
    assert {one.score.notes[1] for one in last} == {f"judge: {scored}"}  # the score for secrets is not hidden as one
    assert report["metrics"]["secret"]["value"] == 0


@pytest.mark.parametrize(
    ("arguments", "differs"),
    [
        (["--partner", "self", "--judge", "some/judge"], "the model plays its own partner"),
        (["--partner", "some/partner", "--judge", "self"], "the model judges itself"),
        ([*OTHERS, "--max-turns", "4"], "at most 4 turns (theirs: 20)"),
        ([*OTHERS, "--temperature", "1"], "temperature 1, top-p 1, top-k 0 (theirs: 0.7, 1, 0)"),
        ([*OTHERS, "--repetition-penalty", "1.1"], "repetition penalty 1.1 (theirs: none)"),
    ],
)
def test_what_differs_from_the_authors_is_named_and_not_official(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker], arguments: list[str], differs: str
) -> None:
    speaker(Speaker(acting(lambda: VERDICT)))
    report = run(tmp_path, "--benchmarks", "sotopia", *arguments)["sotopia"]
    assert report["differs"] == [differs]
    assert report["metrics"]["goal"]["protocol"] == report["groups"]["seat"]["0"]["protocol"] == "own"


def test_replies_that_the_token_limit_cut_off_are_not_official(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(acting(lambda: VERDICT, move="leave"), finish="length"))
    report = run(tmp_path, "--benchmarks", "sotopia", *OTHERS)["sotopia"]
    assert report["differs"] == ["12 replies were cut off at the token limit (theirs has none)"]


def test_three_samples_are_three_games_of_each_episode(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    speaker(Speaker(acting(lambda: VERDICT, move="leave")))
    report = run(tmp_path, "--benchmarks", "sotopia", "--samples", "3", *OTHERS)["sotopia"]
    assert (report["episodes"], report["metrics"]["goal"]["n"], report["unjudged"]) == (12, 12, 0)
    turns = [one for one in read_traces(RunFolder.open(tmp_path)) if one.benchmark == "sotopia"]
    assert len({(one.scenario, one.group) for one in turns}) == len(turns) == 12  # of its two turns one is the model's


def test_an_episode_that_ended_before_the_models_first_turn_counts_with_the_others(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    leave = json.dumps({"action_type": "leave", "argument": ""})
    speaker(Speaker(lambda prompt: VERDICT if "evaluate how well participants" in prompt else leave))
    report = run(tmp_path, "--benchmarks", "sotopia", "--samples", "2", *OTHERS)["sotopia"]
    assert report["replies"] == 4  # of eight games the model opens four
    assert {name: one["n"] for name, one in report["metrics"].items()} == dict.fromkeys(["overall", *RANGES], 8)
    assert report["headlines"] == {"en": "overall"} and set(report["seeds"]["overall"]["values"]) == {"0", "1"}


def test_who_plays_both_seats_does_not_play_the_same_game_twice(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    one = speaker(Speaker(acting(lambda: VERDICT, move="leave")))
    run(tmp_path, "--benchmarks", "sotopia")
    assert len([prompt for prompt in one.asked if "You are at Turn #0" in prompt]) == 4  # two scenes, two seats


def test_a_broken_judgement_is_put_into_form_by_the_judge(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    replies = iter(["no JSON", VERDICT.replace("10]", "99]")])
    one = speaker(Speaker(acting(lambda: next(replies, VERDICT), move="leave")))
    report = run(tmp_path, "--benchmarks", "sotopia", *OTHERS)["sotopia"]
    assert (report["unjudged"], report["metrics"]["goal"]["n"]) == (0, 4)
    assert report["differs"] == ["2 unreadable replies were put into form without a server's JSON mode"]
    assert len([prompt for prompt in one.asked if "reformat it to a string" in prompt]) == 2


def test_an_episode_whose_judge_cannot_be_read_is_played_anew(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    replies = iter(["no JSON", VERDICT, VERDICT, VERDICT, "again no JSON"])
    one = speaker(Speaker(acting(lambda: next(replies, VERDICT), move="leave")))
    report = run(tmp_path, "--benchmarks", "sotopia", *OTHERS)["sotopia"]
    assert (report["episodes"], report["unjudged"]) == (4, 0)
    assert len([prompt for prompt in one.asked if "You are at Turn #0" in prompt]) == 5  # one of the four twice


def test_an_episode_that_no_judge_reply_settles_is_reported_and_never_zero(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    one = speaker(Speaker(acting(lambda: "I liked it.", move="leave")))
    report = run(tmp_path, "--benchmarks", "sotopia")["sotopia"]
    assert report["metrics"] == {}
    assert report["unjudged"] == 4
    assert "the judge's reply is not one JSON object" in report["unjudged_why"][0]
    judged = [prompt for prompt in one.asked if "evaluate how well" in prompt]
    assert len(judged) == 4  # a judge that nobody can read is not paid for four more rounds
    assert len([prompt for prompt in one.asked if "reformat it to a string" in prompt]) == 4


def test_the_thinking_of_an_agent_and_of_a_judge_is_left_out(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    act = acting(lambda: VERDICT, move="leave")
    speaker(Speaker(lambda prompt: f"<think>\nIs {{}} an action?\n</think>\n\n{act(prompt)}"))
    report = run(tmp_path, "--benchmarks", "sotopia", *OTHERS)["sotopia"]
    assert (report["endings"], report["unjudged"], report["differs"]) == ({"an agent left": 4}, 0, [])


def scoring_by_dimension(reply: Callable[[str], str]) -> Callable[[str], str]:
    """Plays the seats, and answers a question for one dimension with `reply` of its name."""
    act = acting(lambda: "no JSON at all", move="leave")
    return lambda prompt: reply(found[1]) if (found := re.search(r"in one respect, (\w+)\.", prompt)) else act(prompt)


def test_a_small_judge_is_asked_for_one_score_at_a_time(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    one = speaker(Speaker(scoring_by_dimension(lambda name: str(RANGES[name][0]))))
    report = run(tmp_path, "--benchmarks", "sotopia", "--judge-form", "dimension")["sotopia"]
    assert report["unjudged"] == 0
    goal = report["metrics"]["goal"]
    assert goal == {"value": 0.0, "low": None, "high": None, "n": 4, "protocol": "own"}
    assert report["metrics"]["overall"]["value"] == pytest.approx((0 - 5 + 0 - 10 - 10 - 5 + 0) / 7)
    assert report["groups"]["seat"]["0"]["protocol"] == "own"
    assert "the judge is asked for one dimension at a time" in report["differs"]
    assert len([prompt for prompt in one.asked if "in one respect" in prompt]) == 4 * len(RANGES)


def test_an_episode_with_one_dimension_missing_has_no_scores(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(scoring_by_dimension(lambda name: "0-3" if name == "secret" else str(RANGES[name][1]))))
    report = run(tmp_path, "--benchmarks", "sotopia", "--judge-form", "dimension")["sotopia"]
    assert (report["unjudged"], report["metrics"]) == (4, {})
    assert report["unjudged_why"][0].endswith("; ".join(["secret: the reply does not begin with a whole number"] * 3))


# ------------------------------------------------------------------------------------------------ diagnostics


def test_shortcuts_are_measured(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    always_a = "<think> Cue Encoding: x y z w.\nResponse Generation: So the answer is B. </think> <answer> A </answer>"
    speaker(Speaker(lambda _: always_a))
    diagnostics = run(tmp_path, "--benchmarks", "hi-tom", "--diagnose")["hi-tom"]["diagnostics"]
    assert diagnostics["consistency, permuted"]["value"] == 0.0  # always A, whatever stands there
    assert diagnostics["answer contradicts its last stage"]["value"] == 1.0
    assert diagnostics["first option mentioned at (0 start, 1 never)"]["value"] == 1.0
    assert {"accuracy, no story", "accuracy, no question", "accuracy, permuted"} <= set(diagnostics)
    names = {one.benchmark for one in read_traces(RunFolder.open(tmp_path))}
    assert names == {"hi-tom", "hi-tom: no story", "hi-tom: no question", "hi-tom: permuted"}


def test_an_early_choice_shows(tmp_path: Path, speaker: Callable[[Speaker], Speaker]) -> None:
    early = "<think> Cue Encoding: The answer is B, as we shall see.\nGoal Clarification: all of this. </think> <answer> B </answer>"
    speaker(Speaker(lambda _: early))
    diagnostics = run(tmp_path, "--benchmarks", "hi-tom", "--diagnose")["hi-tom"]["diagnostics"]
    assert diagnostics["first option mentioned at (0 start, 1 never)"]["value"] < 0.2


# ------------------------------------------------------------------------------------------------ tables


def test_two_runs_side_by_side_with_a_paired_test(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker], capsys: pytest.CaptureFixture[str]
) -> None:
    speaker(Speaker(lambda _: "<answer> A </answer>"))
    run(tmp_path / "always A", "--benchmarks", "hi-tom")
    speaker(Speaker(knowing("sip", "hi-tom")))
    capsys.readouterr()
    evaluate.main(["m", "-o", str(tmp_path / "<b>"), "--data", str(FIXTURES), "--benchmarks", "hi-tom",
                   "--against", str(tmp_path / "always A")])  # fmt: skip
    shown = capsys.readouterr().out
    a = reports.read(tmp_path / "always A").reports["hi-tom"]["metrics"]["accuracy"]["value"]
    wrong = round(3 * (1 - a))
    assert f"+0 -{wrong} of 3 in 1 story, p=1 |" in shown  # three questions of one story are one observation
    assert "As published, other protocol" in shown and "0.7083" in shown
    page = (tmp_path / "<b>" / "evaluation" / "table.html").read_text()
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert (tmp_path / "<b>" / "evaluation" / "table.md").read_text() in shown + "\n"


def test_items_kept_without_their_stories_are_counted_alone_and_it_is_said(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    columns = []
    for name, say in (("a", lambda _: "<answer> A </answer>"), ("b", knowing("sip", "hi-tom"))):
        speaker(Speaker(say))
        run(tmp_path / name, "--benchmarks", "hi-tom")
        path = tmp_path / name / "evaluation" / "hi-tom.items.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        earlier = [{"key": row["key"], "value": row["value"]} for row in rows]  # as files were until stories were kept
        path.write_text("".join(json.dumps(row) + "\n" for row in earlier))
        columns.append(reports.read(tmp_path / name))
    alone = tables.table(columns)[1][0][-1]
    assert (
        alone
        == "+3 -0 of 3, p=0.25 (questions not stored: paired by name; stories not stored: items counted as independent)"
    )
    run(tmp_path / "b", "--benchmarks", "hi-tom")  # one run that knows the stories is enough
    columns[1] = reports.read(tmp_path / "b")
    assert tables.table(columns)[1][0][-1] == "+3 -0 of 3 in 1 story, p=1 (questions not stored: paired by name)"


def test_against_a_folder_without_reports(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no evaluation reports there"):
        run(tmp_path / "x", "--benchmarks", "hi-tom", "--against", str(tmp_path))


# ------------------------------------------------------------------------------------------------ refusals


def test_a_dry_run_loads_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["m", "-o", str(tmp_path / "x"), "--data", str(FIXTURES), "--dry-run",
                          "--benchmarks", "tombench,motivebench,sotopia"]) == 0  # fmt: skip
    assert capsys.readouterr().out.splitlines() == [
        "tombench: 3 items, 15 prompts",
        "motivebench: 3 items, 18 prompts",
        "sotopia: 4 episodes of up to 20 turns: at most 40 moves of the model, 40 of its partner and 4 judge calls; "
        "what cannot be read is asked for again",
    ]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--benchmarks", "tombenhc"], "no .'tombenhc'.; there are tombench, "),
        (["--benchmarks", ","], "no benchmark"),
        (["--benchmarks", "socialiqa", "--prompt", "official"], "socialiqa: its authors publish no prompt; use --prompt sip"),
        (["--benchmarks", "hi-tom", "--backend", "openai"], "needs --base-url"),
        (["--benchmarks", "hi-tom", "--backend", "openai", "--base-url", "localhost:1"], "must begin with http"),
        (["--benchmarks", "hi-tom", "--backend", "openai", "--base-url", "http://h", "--extra-body", "[1]"], "--extra-body must be a JSON object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_before_anything_is_loaded(arguments: list[str], wrong: str, tmp_path: Path) -> None:
    with pytest.raises((RecipeError, DataError, PolicyError), match=wrong):
        run(tmp_path, *arguments)


def test_data_without_a_folder_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="motivebench: name the folder of its official files with --data; http"):
        run(tmp_path, "--benchmarks", "motivebench", data=None)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--temperature", "-1", "from 0 to 10"),
        ("--temperature", "nan", "from 0 to 10"),
        ("--top-p", "3", "from 0.001 to 1"),
        ("--timeout", "0", "0.1 or more"),
        ("--price-in", "-2", "0 or more"),
        ("--price-out", "inf", "0 or more"),
        ("--limit", "0", "1 or more"),
    ],
)
def test_a_number_out_of_range_is_refused(
    option: str, value: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        evaluate.main(["some/model", "--benchmarks", "hi-tom", option, value])
    assert left.value.code == 2
    assert f"argument {option}: must be {why}" in capsys.readouterr().err


def test_an_endpoint_that_never_answers_is_no_result(tmp_path: Path) -> None:
    arguments = ["m", "--backend", "openai", "--base-url", "http://127.0.0.1:9/v1", "--retries", "0", "--no-cache"]
    arguments += ["--benchmarks", "hi-tom", "--data", str(FIXTURES), "-o", str(tmp_path)]
    with pytest.raises(PolicyError, match=r"hi-tom: none of \d+ requests got a reply: no connection"):
        evaluate.main(arguments)
    assert not (tmp_path / "evaluation" / "hi-tom.json").exists()


def test_all_goes_on_without_what_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], speaker: Callable[[Speaker], Speaker]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(FIXTURES / "Hi-ToM", data / "Hi-ToM")
    shutil.copytree(FIXTURES / "SocialIQA", data / "SocialIQA")
    speaker(Speaker(lambda _: "A"))
    arguments = ["some/model", "--benchmarks", "all", "--data", str(data), "--limit", "1", "-o", str(tmp_path / "out")]
    assert evaluate.main([*arguments, "--prompt", "official"]) == 0
    assert set(reports.read(tmp_path / "out").reports) == {"hi-tom"}
    errors = capsys.readouterr().err
    assert "left out: socialiqa: its authors publish no prompt" in errors
    assert f"left out: {data}: no official ToMBench file there" in errors


def test_all_still_stops_at_a_file_that_is_wrong(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "Hi-ToM", tmp_path / "data")
    (tmp_path / "data" / "EA.jsonl").write_text("{")
    with pytest.raises(DataError, match=r"EA\.jsonl line 1: is not JSON"):
        evaluate.main(["some/model", "--benchmarks", "all", "--data", str(tmp_path / "data")])


def test_all_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing of any benchmark there"):
        evaluate.main(["some/model", "--benchmarks", "all", "--data", str(tmp_path)])


def test_a_file_without_rows_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "EA.jsonl").write_text("")
    with pytest.raises(DataError, match="emobench: its files hold no rows"):
        evaluate.main(["some/model", "--benchmarks", "emobench", "--data", str(tmp_path)])


def test_a_folder_that_is_no_model_and_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no such folder"):
        evaluate.main([str(tmp_path / "nowhere"), "--benchmarks", "hi-tom", "--data", str(FIXTURES)])


def test_a_run_without_an_adapter_is_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.recipe.write_text("grpo: {max_steps: 4}\n")
    with pytest.raises(PolicyError, match="neither a final adapter nor a complete checkpoint"):
        evaluate.main([str(folder.path), "--benchmarks", "hi-tom", "--data", str(FIXTURES)])


def test_a_run_is_evaluated_at_its_newest_adapter_in_its_own_prompt(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.recipe.write_text("prompt: {style: cot}\ngrpo: {max_steps: 4}\nevaluation: {max_new_tokens: 77}\n")
    for step, complete in ((2, True), (4, True), (6, False)):
        place = folder.checkpoints / f"checkpoint-{step}"
        place.mkdir()
        (place / target.ADAPTER_FILE).write_bytes(b"adapter %d" % step)
        if complete:
            mark_complete(folder, place)
    speaker(Speaker(lambda _: "<answer> A </answer>"))
    assert evaluate.main([str(folder.path), "--benchmarks", "hi-tom", "--data", str(FIXTURES)]) == 0
    report = reports.read(folder.path).reports["hi-tom"]
    assert (report["adapter_step"], report["prompt_style"]) == (4, "cot")
    assert report["sampling"]["max_new_tokens"] == 77
    assert report["recipe_sha256"] == folder.recipe_digest()
    assert {one.step for one in read_traces(folder)} == {4}


def run_with_checkpoints(folder: Path, recipe: str = "grpo: {max_steps: 6}\n") -> RunFolder:
    """Whole checkpoints of steps 2 and 4, a final adapter of step 6, and the best one of step 2."""
    run = RunFolder.create(folder)
    run.recipe.write_text(recipe)
    run.set_state("completed", step=6)
    best = BestAdapter(run)
    places = {run.checkpoints / "checkpoint-2": 2, run.checkpoints / "checkpoint-4": 4, run.adapter: 6, best.path(2): 2}
    for place, step in places.items():
        place.mkdir(parents=True)
        (place / target.ADAPTER_FILE).write_bytes(b"adapter %d" % step)
        mark_complete(run, place, step)
    best.record([CheckScore(2, "step 2", 0.5, 0.4, 0.6, 9)])
    return run


@pytest.mark.parametrize(("checkpoint", "step"), [("newest", 6), ("best", 2), ("4", 4)])
def test_a_runs_checkpoint_is_chosen_by_name_or_step(tmp_path: Path, checkpoint: str, step: int) -> None:
    found = target.find(str(run_with_checkpoints(tmp_path / "run").path), checkpoint=checkpoint)
    assert found.adapter is not None
    assert (found.step, (found.adapter / target.ADAPTER_FILE).read_bytes()) == (step, b"adapter %d" % step)


def test_another_checkpoint_does_not_write_over_the_runs_own_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaker: Callable[[Speaker], Speaker]
) -> None:
    run = run_with_checkpoints(tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    speaker(Speaker(lambda _: "<answer> A </answer>"))
    arguments = [str(run.path), "--benchmarks", "hi-tom", "--data", str(FIXTURES), "--checkpoint"]
    assert evaluate.main([*arguments, "best"]) == 0
    assert evaluate.main([*arguments, "4"]) == 0
    assert not list(run.evaluation.iterdir())
    steps = {
        name: reports.read(tmp_path / "evaluations" / name).reports["hi-tom"]["adapter_step"]
        for name in ("mine-best", "mine-step-4")
    }
    assert steps == {"mine-best": 2, "mine-step-4": 4}


def test_how_a_run_is_asked_does_not_hide_how_it_was_trained(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker], capsys: pytest.CaptureFixture[str]
) -> None:
    ask = tmp_path / "ask.yaml"
    ask.write_text("prompt: {style: cot}\nrun: {seed: 5}\n")
    speaker(Speaker(lambda _: "<answer> A </answer>"))
    how = ["--recipe", str(ask), "--benchmarks", "hi-tom", "--data", str(FIXTURES), "-o"]
    trained = {}
    for name, rate in (("slow", "1.0e-6"), ("fast", "1.0e-4")):
        run = run_with_checkpoints(
            tmp_path / name, f"grpo: {{max_steps: 6, learning_rate: {rate}}}\nrun: {{seed: 7}}\n"
        )
        assert evaluate.main([str(run.path), *how, str(tmp_path / "out" / name)]) == 0
        trained[name] = reports.read(tmp_path / "out" / name).reports["hi-tom"]
        assert (trained[name]["prompt_style"], trained[name]["train_seed"]) == ("cot", 7)
        assert trained[name]["recipe_sha256"] == run.recipe_digest()
    assert evaluate.main(["some/base", *how, str(tmp_path / "out" / "base")]) == 0
    base = reports.read(tmp_path / "out" / "base").reports["hi-tom"]
    assert (base["training"], base["train_seed"], base["recipe_sha256"]) == ("", None, "")
    assert len({base["training"], trained["slow"]["training"], trained["fast"]["training"]}) == 3
    capsys.readouterr()
    assert evaluate.main(["leaderboard", str(tmp_path / "out")]) == 0
    board = capsys.readouterr().out
    assert all(f"\n| {name} | a: " in board for name in ("slow", "fast", "base"))


@pytest.mark.parametrize(
    ("checkpoint", "why"),
    [("3", "has 2, 4; newest, best or a step's number"), ("finest", "has 2, 4; newest, best"), ("-4", "has 2, 4")],
)
def test_a_checkpoint_that_is_not_there_is_refused(tmp_path: Path, checkpoint: str, why: str) -> None:
    run = run_with_checkpoints(tmp_path / "run")
    with pytest.raises(PolicyError, match=why):
        target.find(str(run.path), checkpoint=checkpoint)


def test_a_run_without_a_best_and_a_model_say_so(tmp_path: Path) -> None:
    run = run_with_checkpoints(tmp_path / "run")
    (run.path / "best" / "best.json").unlink()
    with pytest.raises(PolicyError, match=r"has no best checkpoint; a run keeps one where evaluation\.every"):
        target.find(str(run.path), checkpoint="best")
    with pytest.raises(PolicyError, match="smollm2-135m is no run folder"):
        target.find("smollm2-135m", checkpoint="best")


def test_two_evaluations_of_one_folder_do_not_run_at_once(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    speaker(Speaker(lambda _: ""))
    folder = RunFolder.create(tmp_path)
    with folder.lock("evaluate"), pytest.raises(RunLogError):
        run(tmp_path, "--benchmarks", "hi-tom")


# ------------------------------------------------------------------------------------------------ thinking models


def test_a_thinking_model_scores_under_the_authors_prompts_and_a_cut_off_thought_is_unreadable(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker]
) -> None:
    names = [name for name in QUESTIONS if BENCHMARKS[name].prompt]
    oracle_says = knowing("official", *names)
    speaker(Speaker(lambda prompt: f"<think>Is it [[A]], (B), 3, yes or no? </think>\n\n{oracle_says(prompt)}"))
    for name, report in run(tmp_path / "a", "--benchmarks", ",".join(names), "--prompt", "official").items():
        assert report["metrics"][report["headline"]]["value"] == 1.0, name
        assert (report["unreadable"], report["truncated"], report["cut_thinking"]) == (0, 0, 0), name
    speaker(Speaker(lambda prompt: f"<think> {oracle_says(prompt)}", finish="length"))
    for name, report in run(tmp_path / "b", "--benchmarks", ",".join(names), "--prompt", "official").items():
        assert report["metrics"][report["headline"]]["value"] == 0.0, name
        assert report["cut_thinking"] == report["truncated"] == report["replies"] > 0, name


def test_a_table_says_how_many_were_cut_off_in_their_thinking(
    tmp_path: Path, speaker: Callable[[Speaker], Speaker], capsys: pytest.CaptureFixture[str]
) -> None:
    speaker(Speaker(lambda _: "<think> hm", finish="length"))
    run(tmp_path, "--benchmarks", "simpletom", "--prompt", "official")
    assert "were cut off in their thinking" in capsys.readouterr().err
