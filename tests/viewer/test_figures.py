"""Why a run stagnates, in numbers: any metric on any axis, split, overlaid; prompts by how they fare; settings; verdicts."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from socialr1_lite import score
from socialr1_lite.errors import RunLogError
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, read_metrics, read_traces
from socialr1_lite.runlog.rejudged import read_verdicts
from socialr1_lite.scenario import Scenario
from socialr1_lite.viewer import figures, settings, solved, verdicts
from socialr1_lite.viewer.library import Indexing, Library
from socialr1_lite.viewer.serving import BadRequest, Query, encode
from tests.runlogs import trace


def settled(page: Any, library: Library, **arguments: str) -> Any:
    """What a page answers once the run's index is built."""
    for _ in range(200):
        try:
            return page(library, Query(dict(arguments)))
        except Indexing:
            continue
    raise AssertionError("never indexed")


def lines_of(data: Any) -> dict[tuple[str, str, str], list[list[float]]]:
    return {(line["run"], line["metric"], line["part"]): line["points"] for line in data["lines"]}


def test_a_metric_of_completions_is_their_mean_at_each_step(ask: Any, run: RunFolder) -> None:
    data = ask(figures.figures, metric="completions:right|completions:tokens|entropy")
    drawn = lines_of(data)
    by_step: dict[int, list[Any]] = {}
    for one in read_traces(run):
        if one.phase == "train":
            by_step.setdefault(one.step, []).append(one)
    right = {step: fmean(one.score.outcome == "right" for one in some) for step, some in by_step.items()}
    tokens = {step: fmean(one.completion.tokens for one in some) for step, some in by_step.items()}
    assert {x: y for x, y, _ in drawn["first", "completions:right", ""]} == pytest.approx(right)
    assert {x: y for x, y, _ in drawn["first", "completions:tokens", ""]} == pytest.approx(tokens)
    logged = {row["step"]: row["entropy"] for row in read_metrics(run)}
    assert {x: y for x, y, _ in drawn["first", "entropy", ""]} == logged
    names = {one["name"] for one in data["metrics"]}
    assert {"loss", "grad_norm", "step_time", "completions:stage.cue_encoding"} <= names
    assert not names & {"step", "segment", "superseded"}
    assert [one["share"] for one in data["wanted"]] == [True, False, False]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"metric": "nothing"}, "no run here has a metric 'nothing'"),
        ({"x": "moon"}, "x must be one of step, tokens, time"),
        ({"split": "colour"}, "split must be one of dimension, order, template, perturbation"),
        ({"metric": "|".join(f"m{n}" for n in range(13))}, "at most 8 runs and 12 metrics"),
        ({"also": "|".join(f"r{n}" for n in range(8))}, "at most 8 runs and 12 metrics"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(ask: Any, asked: dict[str, str], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        ask(figures.figures, **asked)


@pytest.mark.parametrize("split", figures.SPLITS)
def test_the_parts_of_a_split_add_up_to_the_whole(ask: Any, run: RunFolder, split: str) -> None:
    drawn = lines_of(ask(figures.figures, metric="completions:right|completions:reward.content", split=split))
    kinds = {one.id: str(one.dimension if split == "dimension" else one.meta[split]) for one in run.read_scenarios()}
    by_kind: dict[str, dict[int, list[bool]]] = {}
    for one in read_traces(run):
        if one.phase == "train":
            kind = kinds[one.scenario] or "not stated"
            by_kind.setdefault(kind, {}).setdefault(one.step, []).append(one.score.outcome == "right")
    found = {part: points for (_, name, part), points in drawn.items() if name == "completions:right"}
    assert found.keys() == by_kind.keys() and len(found) > 1
    for kind, points in found.items():
        assert {x: y for x, y, _ in points} == pytest.approx({s: fmean(some) for s, some in by_kind[kind].items()})


def run_of(
    folder: Path, rows: list[tuple[int, dict[str, float]]], *, name: str = "mine", resumed: int = 0
) -> RunFolder:
    run = RunFolder.create(folder / name)
    writer = MetricsWriter(run, launch=run.begin_launch(0, ["train"]))
    for step, values in rows[: resumed or None]:
        writer.write(step, values)
    if resumed:
        writer = MetricsWriter(run, launch=run.begin_launch(rows[resumed - 1][0], ["train"]))
        for step, values in rows[resumed:]:
            writer.write(step, values)
    for launch, steps in enumerate([range(resumed), range(resumed, 3)] if resumed else [range(3)]):
        with TraceWriter(run, 0, launch=launch) as traces:
            traces.write([trace(step=step, group=step, index=0) for step in steps])
    return run


def test_tokens_and_hours_are_those_of_all_launches_together(tmp_path: Path) -> None:
    rows = [
        (1, {"loss": 4.0, "num_tokens": 100, "elapsed_s": 1800.0}),
        (2, {"loss": 3.0, "num_tokens": 250, "elapsed_s": 3600.0}),
        (3, {"loss": 2.0, "num_tokens": 300, "elapsed_s": 900.0}),
    ]
    run_of(tmp_path, rows, resumed=2)
    library = Library([tmp_path])
    by_tokens = settled(figures.figures, library, run="mine", metric="loss|completions:total", x="tokens")
    drawn = lines_of(by_tokens)
    assert drawn["mine", "loss", ""] == [[100, 4.0, 1], [250, 3.0, 2], [300, 2.0, 3]]
    assert [x for x, _, _ in drawn["mine", "completions:total", ""]] == [100, 250, 300]  # step 0 is logged as 1
    assert by_tokens["notes"] == [] and by_tokens["axis"] == "tokens so far"
    by_time = settled(figures.figures, library, run="mine", metric="loss", x="time")
    assert lines_of(by_time)["mine", "loss", ""] == [[0.5, 4.0, 1], [1.0, 3.0, 2], [1.25, 2.0, 3]]


def test_without_logged_tokens_and_times_what_is_known_stands_in_and_is_said(tmp_path: Path) -> None:
    run = run_of(tmp_path, [(1, {"loss": 4.0, "step_time": 360.0}), (2, {"loss": 3.0, "step_time": 360.0})])
    tokens = [one.completion.tokens for one in read_traces(run)]
    library = Library([tmp_path])
    by_tokens = settled(figures.figures, library, run="mine", metric="loss", x="tokens")
    assert [x for x, _, _ in lines_of(by_tokens)["mine", "loss", ""]] == [tokens[0], sum(tokens[:2])]
    assert by_tokens["notes"] == ["Tokens are those of the completions: prompts are not among them."]
    by_time = settled(figures.figures, library, run="mine", metric="loss", x="time")
    assert [x for x, _, _ in lines_of(by_time)["mine", "loss", ""]] == pytest.approx([0.1, 0.2])
    run_of(tmp_path, [(1, {"loss": 1.0})], name="timeless")
    none = settled(figures.figures, Library([tmp_path]), run="timeless", metric="loss", x="time")
    assert none["lines"] == [] and none["notes"] == ["No times were logged in timeless."]


def test_several_runs_lie_in_one_figure_with_what_differs_in_their_recipes(tmp_path: Path) -> None:
    for name, rate, beta in (("one", 1e-5, 0.0), ("two", 2e-5, 0.0), ("three", 1e-5, 0.04)):
        run = run_of(tmp_path, [(1, {"loss": 1.0}), (2, {"loss": 0.5})], name=name)
        run.recipe.write_text(yaml.safe_dump({"grpo": {"learning_rate": rate, "beta": beta, "loss_type": "dapo"}}))
    library = Library([tmp_path])
    data = settled(figures.figures, library, run="one", also="two|three|one", metric="loss")
    assert [one["key"] for one in data["shown"]] == ["one", "two", "three"]
    assert [line["run"] for line in data["lines"]] == ["one", "two", "three"]
    assert {row["name"]: row["values"] for row in data["differences"]} == {
        "grpo.learning_rate": ["1e-05", "2e-05", "1e-05"],
        "grpo.beta": ["0.0", "0.0", "0.04"],
    }
    assert settled(figures.figures, library, run="one", metric="loss")["differences"] == []


def test_monitors_are_offered_beside_what_is_paid(tmp_path: Path) -> None:
    run_of(tmp_path, [(1, {"reward/content": 0.5, "monitor/reader": 0.4}), (2, {"reward/content": 0.6})])
    data = settled(figures.figures, Library([tmp_path]), run="mine", metric="reward/content|monitor/reader")
    assert data["monitors"] == ["reward/content", "monitor/reader"]
    assert lines_of(data)["mine", "monitor/reader", ""] == [[1, 0.4, 1]]


@pytest.mark.parametrize(
    ("shares", "kind"),
    [
        ([0.5], "once"),
        ([0, 0, 0], "never"),
        ([1, 1], "always"),
        ([1, 0.99], "partly"),
        ([0, 0.01], "partly"),
        ([0.5, 0.9], "partly"),
        ([0.49, 0.5], "learned"),
        ([0.5, 0.49], "lost"),
        ([0, 1, 0], "flipping"),
        ([0, 1, 0, 1], "flipping"),
    ],
)
def test_kinds_of_prompts_by_hand(shares: list[float], kind: str) -> None:
    assert solved.kind_of(shares) == kind


def test_the_map_counts_what_the_traces_hold(ask: Any, run: RunFolder) -> None:
    data = ask(solved.solved)
    counted: dict[tuple[str, int], list[bool]] = {}
    for one in read_traces(run):
        if one.phase == "train":
            counted.setdefault((one.scenario, one.step), []).append(one.score.outcome == "right")
    assert data["columns"] == [[step, step] for step in range(16)]
    cells = {(row["scenario"], column): (right, n) for row in data["rows"] for column, right, n in row["cells"]}
    assert cells == {key: (sum(some), len(some)) for key, some in counted.items()}
    assert sum(one["n"] for one in data["kinds"]) == data["of"] == len({scenario for scenario, _ in counted})
    for one in data["kinds"]:
        found = ask(solved.solved, kind=one["name"])
        assert found["matching"] == one["n"] and {row["kind"] for row in found["rows"]} <= {one["name"]}


def test_many_steps_share_a_column_and_nothing_is_lost(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "long")
    run.add_scenarios([Scenario("s/0", "Story.", "Which?", ("x", "y"), (0,))])
    with TraceWriter(run) as writer:
        writer.write([trace(step=step, group=step, index=0, scenario="s/0") for step in range(200)])
    data = settled(solved.solved, Library([tmp_path]), run="long")
    assert data["columns"][0] == [0, 2] and data["columns"][-1] == [198, 199] and len(data["columns"]) == 67
    assert sum(n for _, _, n in data["rows"][0]["cells"]) == 200


def test_settings_stand_side_by_side_without_secrets(tmp_path: Path) -> None:
    for name, version in (("one", "2.0"), ("two", "2.1")):
        run = run_of(tmp_path, [(1, {"loss": 1.0})], name=name)
        judges = [{"name": "facts", "api_key": f"hunter{version}plain"}]
        run.recipe.write_text(yaml.safe_dump({"model": {"name": "m"}, "rewards": {"judges": judges}}))
        run.effective.write_text(yaml.safe_dump({"hub_token": f"hunter{version}plain"}))
        run.environment.write_text(
            f'{{"versions": {{"torch": "{version}"}}, "seed": 3, "gpus": [], "quantized": false, '
            f'"hf": {{"api_key": "hunter{version}plain"}}}}'
        )
    library = Library([tmp_path])
    data = settled(settings.settings, library, run="one", also="two")
    assert "hunter" not in encode(data) and "hunter" not in encode(settings.table(library, Query({})))
    rows = {row["name"]: row for section in data["sections"] for row in section["rows"]}
    assert rows["versions.torch"] == {"name": "versions.torch", "values": ["2.0", "2.1"], "differs": True}
    assert rows["rewards.judges[0].name"]["values"] == ["facts", "facts"] and not rows["seed"]["differs"]
    hidden = {name for name, row in rows.items() if row["values"] == ["***", "***"]}
    assert hidden == {"rewards.judges[0].api_key", "hub_token", "hf.api_key"}
    assert rows["quantized"]["values"] == ["no", "no"] and rows["gpus"]["values"] == ["–", "–"]
    assert rows["train 0, command"]["values"] == ["train", "train"]
    (tmp_path / "two" / "environment.json").write_text("{torn")
    again = settled(settings.settings, library, run="one", also="two")
    torn = {row["name"]: row["values"] for section in again["sections"] for row in section["rows"]}
    assert torn["versions.torch"] == ["2.0", "–"]


def test_the_table_holds_how_runs_ended_and_what_they_differ_in(tmp_path: Path) -> None:
    for name, rate in (("one", 1e-5), ("two", 2e-5)):
        rows = [(step, {"reward": step * rate * 1e5, "elapsed_s": 360.0 * step}) for step in range(1, 21)]
        run = run_of(tmp_path, rows, name=name)
        run.recipe.write_text(yaml.safe_dump({"grpo": {"learning_rate": rate, "beta": 0}}))
        run.set_state("completed", step=20)
    (tmp_path / "broken" / "traces").mkdir(parents=True)
    (tmp_path / "broken" / "state.json").write_text('{"version": 99}')
    data = settings.table(Library([tmp_path]), Query({}))
    rows = {row["key"]: row for row in data["rows"]}
    assert rows["one"]["ends"] == {"reward": pytest.approx(15.5)} and rows["two"]["ends"]["reward"] == pytest.approx(31)
    assert rows["one"]["hours"] == pytest.approx(2) and rows["one"]["step"] == 20
    assert "grpo.learning_rate" in data["settings"] and rows["two"]["settings"]["grpo.learning_rate"] == "2e-05"
    assert "format version 99" in rows["broken"]["status"]
    assert [one["name"] for one in data["ends"]] == ["reward"]


def test_old_and_new_verdicts_are_paired_by_completion(tmp_path: Path, places: Path) -> None:
    run = RunFolder.open(shutil.copytree(places / "second", tmp_path / "second"))
    library = Library([tmp_path])
    assert settled(verdicts.verdicts, library, run="second")["judges"] == []
    assert score.main([str(run.path), "--rejudge", "rules"]) == 0
    data = settled(verdicts.verdicts, library, run="second")
    (judge,) = data["judges"]
    assert judge.startswith("rules v") and data["judge"] == judge
    by_hand: dict[str, list[tuple[float, float]]] = {}
    for one in read_traces(run):
        (verdict,) = read_verdicts(run, one)
        for stage, new in verdict.scores.items():
            old = one.score.parts.get(f"content.{stage}")
            if old is not None and new is not None and not verdict.failed:
                by_hand.setdefault(stage, []).append((old, new))
    for stage in data["stages"]:
        pairs = by_hand[stage["stage"]]
        assert stage["n"] == len(pairs) > 50
        assert stage["old"] == pytest.approx(fmean(old for old, _ in pairs))
        assert stage["new"] == pytest.approx(fmean(new for _, new in pairs))
        assert stage["down"] == sum(new - old <= -verdicts.APART for old, new in pairs)
    apart = [abs(row["by"]) for row in data["rows"]]
    assert apart == sorted(apart, reverse=True) and apart[0] > 0
    changed = sum(old != new for some in by_hand.values() for old, new in some)
    ways = [settled(verdicts.verdicts, library, run="second", way=way)["matching"] for way in verdicts.WAYS]
    assert sum(ways) == data["matching"] == changed
    few = settled(verdicts.verdicts, library, run="second", stage="goal_clarification", way="down")["rows"]
    assert all(row["stage"] == "goal_clarification" and row["by"] < 0 for row in few)


def test_a_run_that_is_not_there_is_named(ask: Any) -> None:
    with pytest.raises(RunLogError, match="There is no run 'gone' here"):
        ask(figures.figures, also="gone")


def test_a_long_line_keeps_ten_times_the_points_of_the_overview_s() -> None:
    line = [[float(step), float(step % 2)] for step in range(2 * figures.MOST_POINTS)]
    found = figures.placed(line, float)
    assert len(found) == figures.MOST_POINTS and {y for _, y, _ in found} == {0.5} and found[0] == [1.0, 0.5, 1.0]
    assert figures.placed(line[: figures.MOST_POINTS], float)[:2] == [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]


def test_a_figure_that_was_not_finite_leaves_a_gap_and_no_mistake(tmp_path: Path) -> None:
    run = run_of(tmp_path, [(1, {"loss": 1.0, "reward": 0.5}), (2, {"loss": float("nan"), "reward": float("nan")})])
    library = Library([tmp_path])
    assert lines_of(settled(figures.figures, library, run="mine", metric="loss"))["mine", "loss", ""] == [[1, 1.0, 1]]
    assert settings.table(library, Query({}))["rows"][0]["ends"] == {"reward": 0.5}
    assert run.metrics.read_text().count("null") == 2
