"""Two runs beside each other: which answers are paired, what makes a story, what is unequal, what is one figure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from socialr1_lite import evaluate
from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Answer, Item, Reading, Scores, accuracy
from socialr1_lite.benchmarks.fantom_metrics import weighted_f1
from socialr1_lite.evaluation import asking, items, reports, tables, target
from socialr1_lite.evaluation.answering import Sampling
from socialr1_lite.evaluation.items import Asked, ItemRow, rows_of
from socialr1_lite.evaluation.protocol import prompt_digest, terms, unequal
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import Interval, Tally, Unit, interval
from tests.benchmarks.harness import oracle, own_reply
from tests.evaluation.test_evaluate import FIXTURES, OTHERS, VERDICT, Speaker, acting, knowing, run

WRONG = "<think> a b c. </think> <answer> none of them </answer>"


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Puts a speaker where the policy would be loaded."""
    return lambda one: monkeypatch.setattr(target, "load_policy", lambda *_, **__: one)


def against(first: Path, second: Path) -> str:
    """The paired cell of the only benchmark there."""
    (row,) = tables.table([reports.read(first), reports.read(second)])[1]
    return row[-1]


def evaluated(put: Any, speaker: Any, out: Path, *arguments: str, data: Path = FIXTURES) -> Path:
    put(speaker)
    run(out, *arguments, data=data)
    return out


# ------------------------------------------------------------------------------------------------ presentations


def only_in_the_first_order(name: str) -> Callable[[str], str]:
    """Right in the first of MotiveBench's six orders, unreadable in the others."""
    plan = asking.AskingPlan("sip", Sampling(8))
    bench = BENCHMARKS[name]
    asks = bench.asks(asking.pick(bench.load(FIXTURES), plan), 0, False)
    right = {asking.messages(bench, a, plan)[-1]["content"]: own_reply(a, oracle) for a in asks if a.view == "o1"}
    return lambda prompt: next((reply for text, reply in right.items() if text in prompt), WRONG)


def test_each_order_of_a_question_is_paired_with_itself(tmp_path: Path, put: Any) -> None:
    one = evaluated(put, Speaker(only_in_the_first_order("motivebench")), tmp_path / "a", "--benchmarks", "motivebench")
    two = evaluated(put, Speaker(knowing("sip", "motivebench")), tmp_path / "b", "--benchmarks", "motivebench")
    assert reports.read(one).reports["motivebench"]["metrics"]["accuracy"]["value"] == pytest.approx(1 / 6)
    assert against(one, two) == "+15 -0 of 18 in 1 story, p=1"  # all of one scenario, which is one observation


def test_names_that_stood_for_six_orders_in_earlier_files_tell_nothing(tmp_path: Path, put: Any) -> None:
    for name in "ab":
        folder = evaluated(put, Speaker(knowing("sip", "motivebench")), tmp_path / name, "--benchmarks", "motivebench")
        path = folder / "evaluation" / "motivebench.items.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        earlier = [{"key": row["key"].partition("@")[0], "value": 1.0, "cluster": row["cluster"]} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in earlier))
    assert against(tmp_path / "a", tmp_path / "b") == ("no question in common (questions not stored: paired by name)")


# ------------------------------------------------------------------------------------------------ failed requests


class Failing(Speaker):
    """Gets a reply to the first prompt alone."""

    def generate(self, prompts: Sequence[Any], **sampling: Any) -> list[Completion]:
        one, *others = super().generate(prompts, **sampling)
        return [one, *(Completion.failure("HTTP 500") for _ in others)]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("hi-tom", "+0 -0 of 1, p=1 (2 failed left out)"),
        ("tombench", "no question in common (3 failed left out)"),  # each majority rests on a request that failed
    ],
)
def test_a_request_that_failed_is_no_answer_to_be_paired(tmp_path: Path, put: Any, name: str, cell: str) -> None:
    one = evaluated(put, Speaker(knowing("sip", name)), tmp_path / "a", "--benchmarks", name)
    two = evaluated(put, Failing(knowing("sip", name)), tmp_path / "b", "--benchmarks", name)
    assert against(one, two) == cell
    shown = tables.figure_cell(reports.read(two).reports[name], "en")
    assert f" n=3, {2 if name == 'hi-tom' else 14} failed" in shown


# ------------------------------------------------------------------------------------------------ contents


def edited(folder: Path, change: Callable[[list[Any], list[str]], tuple[list[Any], list[str]]]) -> Path:
    """A copy of the Social IQa files with rows and labels changed."""
    shutil.copytree(FIXTURES / "SocialIQA", folder / "SocialIQA")
    rows, labels = folder / "SocialIQA" / "dev.jsonl", folder / "SocialIQA" / "dev-labels.lst"
    said = [json.loads(line) for line in rows.read_text().splitlines()]
    new_rows, new_labels = change(said, labels.read_text().split())
    rows.write_text("".join(json.dumps(row) + "\n" for row in new_rows))
    labels.write_text("\n".join(new_labels) + "\n")
    return folder


def test_questions_of_one_name_and_other_words_are_not_paired(tmp_path: Path, put: Any) -> None:
    other = edited(tmp_path / "d", lambda rows, labels: ([rows[0] | {"question": "Why?"}, *rows[1:]], labels))
    one = evaluated(put, Speaker(lambda _: WRONG), tmp_path / "a", "--benchmarks", "socialiqa")
    two = evaluated(put, Speaker(lambda _: WRONG), tmp_path / "b", "--benchmarks", "socialiqa", data=other)
    assert against(one, two) == "+0 -0 of 1, p=1 (1 of the same name are other questions); ≠ questions"


def test_the_same_questions_under_other_names_are_paired(tmp_path: Path, put: Any) -> None:
    turned = edited(tmp_path / "d", lambda rows, labels: (rows[::-1], labels[::-1]))
    first = json.loads((FIXTURES / "SocialIQA" / "dev.jsonl").read_text().splitlines()[0])["context"]

    def say(prompt: str) -> str:  # right on the first story, by the option's text in any order
        return "<answer> A </answer>" if first in prompt else WRONG

    one = evaluated(put, Speaker(say), tmp_path / "a", "--benchmarks", "socialiqa")
    two = evaluated(put, Speaker(say), tmp_path / "b", "--benchmarks", "socialiqa", data=turned)
    rows = [{row.question: row.value for row in reports.read(folder).items["socialiqa"]} for folder in (one, two)]
    assert set(rows[0]) == set(rows[1]) and len(rows[0]) == 2
    assert " of 2" in against(one, two) and "≠" not in against(one, two)


def test_a_question_that_a_set_has_twice_is_counted_through() -> None:
    first = [ItemRow("a", 1.0, "s", "q"), ItemRow("b", 0.0, "s", "q"), ItemRow("c", 1.0, "t", "r", "#1")]
    second = [ItemRow("x", 1.0, "s", "q"), ItemRow("y", 1.0, "s", "q"), ItemRow("z", 1.0, "t", "r")]
    found = tables.match(first, second)
    assert [(one.key, other.key) for one, other in found.pairs] == [("a", "x"), ("b", "y")]
    assert (found.other, found.failed, found.by_name) == (0, 0, False)


# ------------------------------------------------------------------------------------------------ stories


def item(name: str, story: str, group: str) -> Item:
    scenario = Scenario(name, story, f"What of {name}?", ("yes", "no"), (0,), group=group, meta={"language": "en"})
    return Item(scenario)


def test_groups_that_tell_one_story_are_one_cluster() -> None:
    told = [item("1", "Mia  left.", "g"), item("2", "mia left.", "h"), item("3", "", "i"), item("4", "", "j")]
    assert items.same_story(told) == {"g": "g", "h": "g", "i": "i", "j": "j"}
    chain = [*told, item("5", "Otto came.", "h"), item("6", "Otto came.", "k")]
    assert items.same_story(chain)["k"] == "g"


def answers(told: Sequence[Item], right: Sequence[bool]) -> tuple[Scores, dict[str, Asked]]:
    given = [Answer(one, "", 0, Reading(0 if good else 1, "", True)) for one, good in zip(told, right, strict=True)]
    return accuracy(given), {one.presentation: Asked(one.item, "", 0, False) for one in given}


def test_equal_models_seldom_differ_where_one_story_has_several_numbers() -> None:
    # thirty stories of six questions, each question under a number of its own, as EmoBench has it; all of a story
    # stand or fall together. 200 launches: a rate of .05 has a standard error of .015
    told = [item(f"{n}", f"Story {n // 6}.", f"number {n}") for n in range(180)]
    random, found = Random(5), []
    for _ in range(200):
        sides = []
        for _ in range(2):
            whole = [random.random() < 0.5 for _ in range(30)]
            scores, asked = answers(told, [whole[n // 6] for n in range(180)])
            settled, _ = items.settled(scores, asked)
            sides.append(rows_of(settled.metrics["accuracy"], asked))
        cell = tables.tested(tables.match(*sides).pairs)
        assert " of 180 in 30 stories, p=" in cell
        found.append(float(cell.rpartition("=")[2]) <= 0.05)
    assert sum(found) / 200 <= 0.05 + 3 * 0.015


def test_what_either_run_takes_for_one_story_is_one() -> None:
    def row(key: str, cluster: str) -> ItemRow:
        return ItemRow(key, 1.0, cluster, key)

    pairs = [(row("1", "a"), row("1", "a")), (row("2", "b"), row("2", "a")), (row("3", ""), row("3", ""))]
    assert tables.stories_of(pairs) == ["a", "a", "item 3"]
    assert tables.tested(pairs) == "+0 -0 of 3 in 2 stories, p=1"


def test_scores_on_a_scale_are_tested_by_story_too() -> None:
    pairs = [(ItemRow(n, 3.0, n[0], n), ItemRow(n, 3.5, n[0], n)) for n in ("a1", "a2", "b1", "b2", "c1", "c2")]
    # three stories, all of them higher: of eight sign patterns two reach that far
    assert tables.tested(pairs) == "+0.500 over 6 in 3 stories, p=0.25"


# ------------------------------------------------------------------------------------------------ what is unequal


def test_what_is_unequal_is_named_and_marked(tmp_path: Path, put: Any) -> None:
    one = evaluated(put, Speaker(lambda _: WRONG), tmp_path / "a", "--benchmarks", "hi-tom")
    two = evaluated(
        put, Speaker(lambda _: WRONG, backend="unsloth"), tmp_path / "b", "--benchmarks", "hi-tom", "--limit", "1",
        "--prompt", "cot", "--seed", "1", "--max-new-tokens", "9",
    )  # fmt: skip
    assert against(one, two).endswith("; ≠ prompt, sampling, backend, seed")
    header, (plain, marked) = tables.asked([reports.read(one), reports.read(two)])
    cells = dict(zip(header, marked, strict=True))
    assert not any(cell.startswith("≠") for cell in plain)
    assert cells["prompt"].startswith("≠ cot ") and cells["backend"] == "≠ unsloth" and cells["seed"] == "≠ 1"
    assert cells["sampling"] == "≠ greedy, 9 tokens" and not cells["questions"].startswith("≠")  # one story, whole


def test_another_system_text_is_another_prompt() -> None:
    plans = [asking.AskingPlan("sip", Sampling(8), system=text) for text in (None, "Be brief.")]
    one, other = (report(prompt_sha256=prompt_digest(plan)) for plan in plans)
    assert unequal(one, other) == ["prompt"]


def test_games_are_comparable_whatever_prompt_is_named_and_by_their_length_and_judgement(
    tmp_path: Path, put: Any
) -> None:
    how = {
        "plain": (), "cot": ("--prompt", "cot"), "short": ("--max-turns", "4"), "brief": ("--judge-tokens", "9"),
    }  # fmt: skip
    played = {}
    for name, more in how.items():
        speaker = Speaker(acting(lambda: VERDICT, move="leave"))
        folder = evaluated(put, speaker, tmp_path / name, "--benchmarks", "sotopia", *OTHERS, *more)
        played[name] = reports.read(folder).reports["sotopia"]
    plain = played["plain"]
    assert (plain["prompt_style"], plain["prompt_sha256"]) == ("episode", "")
    assert unequal(plain, played["cot"]) == []
    assert unequal(plain, played["short"]) == ["protocol", "sampling"]
    assert unequal(plain, played["brief"]) == ["sampling"]
    drawn = {"max_new_tokens": 512, "temperature": 0.7, "samples": 1}
    earlier: Any = plain | {"prompt_style": "sip", "prompt_sha256": "abc", "sampling": drawn}
    del earlier["not_sent"]
    assert unequal(earlier, played["brief"]) == []  # it does not say


def test_what_a_server_did_not_take_is_in_the_sampling_but_for_the_seed() -> None:
    drawn = {"sampling": {"max_new_tokens": 9, "temperature": 0.7}}
    taken, refused = report(**drawn, not_sent=[]), report(**drawn, not_sent=["seed", "temperature", "top_p"])
    assert unequal(taken, refused) == ["sampling"] and unequal(report(**drawn), refused) == []
    assert terms(refused)["sampling"] == "temperature 0.7, 9 tokens, not sent: temperature, top_p"
    assert unequal(taken, report(**drawn, not_sent=["seed"])) == []  # the draws are of one kind, whatever their seed


def report(**more: Any) -> Any:
    figure = {"value": 0.5, "low": None, "high": None, "n": 2, "official": True}
    plain = {"version": 1, "benchmark": "hi-tom", "headline": "accuracy", "metrics": {"accuracy": figure}}
    return plain | {"prompt_style": "sip", "n": 2} | more


def test_what_an_earlier_report_does_not_say_is_not_held_against_it() -> None:
    earlier, now = report(backend="auto"), report(backend="transformers", questions="abc", prompt_sha256="def", seed=1)
    assert unequal(earlier, now) == []
    assert unequal(earlier, now | {"prompt_style": "cot"}) == ["prompt"]


def test_an_interval_of_which_nothing_is_known_is_none(tmp_path: Path) -> None:
    assert tables.figure_cell(report(), "en") == "0.500 [no interval] n=2"
    (tmp_path / "hi-tom.json").write_text(json.dumps(report()))
    assert "0.500 [no interval] n=2" in tables.markdown([reports.read(tmp_path)])


# ------------------------------------------------------------------------------------------------ languages


def test_two_languages_are_two_figures(tmp_path: Path, put: Any) -> None:
    say = knowing("sip", "tombench")

    def english(prompt: str) -> str:
        return say(prompt) if prompt.isascii() else WRONG

    both = evaluated(put, Speaker(english), tmp_path / "a", "--benchmarks", "tombench", "--language", "all")
    found = reports.read(both).reports["tombench"]
    assert found["headlines"] == {"en": "accuracy, en", "zh": "accuracy, zh"} and found["headline"] == "accuracy, en"
    values = {name: figure["value"] for name, figure in found["metrics"].items()}
    assert values["accuracy, en"] == 1.0 and values["accuracy, zh"] == 0.0 and "accuracy" not in values
    assert values["single_order_accuracy, en"] == 1.0
    assert all(", " in label for label in found["groups"]["ability"])
    alone = evaluated(put, Speaker(say), tmp_path / "b", "--benchmarks", "tombench")
    rows = {row[0]: row for row in tables.table([reports.read(both), reports.read(alone)])[1]}
    assert rows["tombench (en)"][2].startswith("1.000") and rows["tombench (en)"][3].startswith("1.000")
    assert rows["tombench (en)"][4].startswith("+0 -0 of 3") and "≠ questions" in rows["tombench (en)"][4]
    assert rows["tombench (zh)"][2].startswith("0.000") and rows["tombench (zh)"][3] == "-"


def test_the_diagnostics_of_two_languages_are_apart_too(tmp_path: Path, put: Any) -> None:
    say, first = knowing("sip", "emobench"), asked_of("emobench")
    both = evaluated(
        put, Speaker(lambda prompt: say(prompt) if prompt in first else WRONG), tmp_path / "a",
        "--benchmarks", "emobench", "--language", "all", "--diagnose",
    )  # fmt: skip
    found = reports.read(both).reports["emobench"]["diagnostics"]
    assert {"accuracy, no story, en", "accuracy, no story, zh", "consistency, permuted, en"} <= set(found)
    assert "accuracy, no story" not in found


def asked_of(name: str) -> set[str]:
    """The prompts of a benchmark as they are asked first."""
    plan = asking.AskingPlan("sip", Sampling(8), languages=("en", "zh"))
    bench = BENCHMARKS[name]
    asks = bench.asks(asking.pick(bench.load(FIXTURES), plan), 0, False)
    return {"\n".join(message["content"] for message in asking.messages(bench, ask, plan)) for ask in asks}


# ------------------------------------------------------------------------------------------------ repeated draws


def drawn(*rights: str) -> tuple[list[Answer], dict[str, Asked]]:
    """Answers to one question each: "1" right, "0" wrong, "?" unreadable, "!" failed; a letter for each draw."""
    given, asked = [], {}
    for name, draws in enumerate(rights):
        for sample, one in enumerate(draws):
            choice = {"1": 0, "0": 1}.get(one)
            answer = Answer(
                item(str(name), f"s{name}", f"g{name}"), "", sample, Reading(choice, "", choice is not None)
            )
            given.append(answer)
            asked[answer.presentation] = Asked(answer.item, "", sample, one == "!")
    return given, asked


def test_majority_and_pass_over_draws() -> None:
    # majorities: right; wrong; right (one vote); none; of two equals the first drawn. The last lost a draw
    given, asked = drawn("1101", "0010", "??1?", "????", "01!!")
    found = items.repeated(given, asked, {})
    assert set(found) == {"maj@4", "pass@2", "pass@4"}
    assert [unit.value for unit in found["maj@4"].units] == [1, 0, 1, 0, 0]
    # of two draws of four: 3 right 1 - 0/6; 1 right 1 - 3/6; 1 right; 0; the last has only two draws, one of them right
    assert [unit.value for unit in found["pass@2"].units] == pytest.approx([1, 0.5, 0.5, 0, 1])
    assert [unit.value for unit in found["pass@4"].units] == [1, 1, 1, 0]
    assert items.repeated(given[:1], asked, {}) == {}


def test_samples_reach_the_report_with_mean_and_error_over_their_seeds(tmp_path: Path, put: Any) -> None:
    replies = iter(["<answer> A </answer>", WRONG] + [WRONG] * 2 + ["<answer> A </answer>", WRONG])
    folder = evaluated(
        put, Speaker(lambda _: next(replies)), tmp_path / "a", "--benchmarks", "socialiqa", "--samples", "3",
        "--seed", "7", "--batch-size", "1",
    )  # fmt: skip
    found = reports.read(folder).reports["socialiqa"]
    values = found["seeds"]["accuracy"]["values"]
    assert list(values) == ["7", "8", "9"] and values["8"] == 0.0
    assert found["seeds"]["accuracy"]["mean"] == pytest.approx(sum(values.values()) / 3)
    assert {"maj@3", "pass@2", "pass@3"} <= set(found["metrics"])


# ------------------------------------------------------------------------------------------------ dry run


def test_a_dry_run_counts_what_diagnose_and_episodes_would_ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["m", "-o", str(tmp_path / "x"), "--data", str(FIXTURES), "--dry-run", "--benchmarks", "hi-tom,sotopia"]
    arguments += ["--backend", "openai", "--base-url", "http://h/v1", "--price-in", "1", "--price-out", "2"]
    assert evaluate.main([*arguments, "--diagnose", "--max-turns", "3", "--max-new-tokens", "100"]) == 0
    plain, episodes = capsys.readouterr().out.splitlines()
    assert plain.startswith("hi-tom: 3 items, 3 prompts, 9 more for --diagnose, 0 already answered, about ")
    assert "at most 1100 out" in plain  # replies of a hundred tokens; two of the twelve prompts are the same
    # four games: the model begins two of them, moves twice there and once in the others; the partner the other way round
    assert "4 episodes of up to 3 turns: at most 6 moves of the model, 6 of its partner and 4 judge calls" in episodes
    assert f"{12 * 100 + 4 * 2048} out" in episodes and "at the given prices" in episodes
    assert not (tmp_path / "x").exists()


def test_a_dry_run_counts_what_a_launch_then_asks(tmp_path: Path, put: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["m", "-o", str(tmp_path / "x"), "--data", str(FIXTURES), "--benchmarks", "hi-tom", "--diagnose"]
    assert evaluate.main([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out == "hi-tom: 3 items, 3 prompts, 9 more for --diagnose\n"
    speaker = Speaker(lambda _: WRONG)
    put(speaker)
    evaluate.main(arguments)
    assert len(speaker.asked) == 12 - 1  # two of the questions without their story are the same: asked once, greedily


def test_rows_keep_what_they_say_through_their_file() -> None:
    rows = [ItemRow("a", 1.0, "c", "q", "o1#2", "zh", True), ItemRow("b", 0.0)]
    assert [items.decoded(json.loads(json.dumps(items.encoded(row)))) for row in rows] == rows
    assert items.decoded({"key": "a", "value": True}) is None


def test_what_both_readings_count_alike_is_resampled_once_and_is_one_figure(
    tmp_path: Path, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Tally] = []

    def counting(tally: Tally) -> Interval:
        counted.append(tally)
        return interval(tally)

    monkeypatch.setattr(reports, "interval", counting)
    folder = evaluated(put, Speaker(knowing("sip", "fantom")), tmp_path, "--benchmarks", "fantom")
    report = reports.read(folder).reports["fantom"]
    assert report["lenient"] == report["metrics"]  # an oracle in the right form; under this prompt all are own
    figures = len(report["metrics"]) + len(report["lenient"]) + sum(map(len, report["groups"].values()))
    assert len(counted) < figures / 2
    drawn = [(one.statistic, [(unit.cluster, unit.value, unit.labels) for unit in one.units]) for one in counted]
    assert not any(one in drawn[:place] for place, one in enumerate(drawn))


def test_a_figure_does_not_change_by_what_is_known_of_others() -> None:
    units = [Unit(f"q{n}", f"story {n // 2}", float(n % 3 == 0), {"gold": str(n % 2), "said": "1"}) for n in range(20)]
    tallies = [Tally(tuple(units)), Tally(tuple(units), False), Tally(tuple(units), True, weighted_f1)]
    tallies += [Tally(tuple(units[:10])), Tally(tuple(replace(one, cluster=one.key) for one in units))]
    tallies += [Tally(tuple(units), proportion=False)]
    known: dict[object, Interval] = {}
    assert [reports.figure(one, known) for one in tallies] == [reports.figure(one) for one in tallies]
    assert len(known) == 5  # whose the metric is changes no interval
