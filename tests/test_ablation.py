"""benchmarks/ablation.py: what an arm is, what is written of a run, the table against figures worked out by hand."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

import ablation
import numpy
import orjson
import pytest
from arms import power, table
from arms.results import (
    ARMS,
    FULL,
    Answers,
    Result,
    read_result,
    replies_file,
    result_file,
    settings_digest,
    write_result,
)
from safetensors.numpy import save_file

from socialr1_lite.errors import DataError
from socialr1_lite.judges.corpus import read_labels
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import RunFolder, mark_complete, read_metrics, read_traces
from socialr1_lite.sip import STAGES, parse
from socialr1_lite.stories import generate, gold_reply
from socialr1_lite.training.folder import cold_start_folder
from socialr1_lite.training.heldout_figures import SUMMARY, Check
from tests.tiny import make_tiny_model

ROOT = Path(__file__).parents[1]


# ------------------------------------------------------------------------------------------------ the arms


def arm(name: str, seed: int = 42) -> Any:
    return ablation.recipe_of(name, seed, 90)


def test_the_arms_differ_in_rewards_alone() -> None:
    assert len({settings_digest(arm(name), rewards=False) for name in ARMS}) == 1
    assert len({settings_digest(arm(name)) for name in ARMS}) == len(ARMS)
    assert settings_digest(arm(FULL)) == settings_digest(arm(FULL, 7)) and arm(FULL).digest != arm(FULL, 7).digest
    assert sorted(path.stem for path in (ROOT / "recipes" / "ablations").iterdir()) == sorted(ARMS)


def unpaid(name: str) -> set[str]:
    return {
        "outcome_only": {"structure", "content", "length"},
        "no_structure": {"structure"},
        "no_content": {"content"},
        "no_length": {"length"},
    }.get(name, set())


@pytest.mark.parametrize("name", ARMS)
def test_what_an_arm_does_not_pay_is_scored_all_the_same_and_changes_no_reward(name: str) -> None:
    """Four replies, one of them whole; the others lack content (foreign stages), structure (order), or brevity."""
    scenario = next(generate(1, seed=3, dimensions=("belief",), orders=(1,)))
    stack, full = RewardStack(arm(name).rewards), RewardStack(arm(FULL).rewards)
    whole = gold_reply(scenario)
    lines = whole.splitlines()
    at = {stage: place for place, line in enumerate(lines) for stage in ("Goal", "Response") if line.startswith(stage)}
    empty = [
        line if place != at["Goal"] else "Goal Clarification: The weather was fine all day."
        for place, line in enumerate(lines)
    ]
    turned = [*lines]
    turned[at["Goal"]], turned[at["Response"]] = lines[at["Response"]], lines[at["Goal"]]
    spoilt = {"content": "\n".join(empty), "structure": "\n".join(turned), "length": whole}
    window = arm(FULL).rewards.length
    usual = (window.min_tokens + window.max_tokens) // 2
    tokens = {"length": 10 * window.max_tokens}
    good = stack.score(parse(whole, scenario.options), scenario, tokens=usual)
    for component, text in spoilt.items():
        reply = parse(text, scenario.options)
        mine, theirs = (one.score(reply, scenario, tokens=tokens.get(component, usual)) for one in (stack, full))
        best = full.score(parse(whole, scenario.options), scenario, tokens=usual)
        assert theirs.total < best.total - 0.05, "the fault is one that the full reward sees"
        if component in unpaid(name):
            others = [one for one in mine.components if one in ("outcome", "format", *STAGES)]
            assert [mine.components[one] for one in others] == [good.components[one] for one in others]
            if component != "length":  # a gate that stands open has nothing left to tell
                assert mine.components[component] == theirs.components[component] < best.components[component]
                assert mine.contribution(component) == 0
            if unpaid(name) >= {"structure", "content"} or component == "length":
                assert mine.total == pytest.approx(good.total)
        else:
            assert mine.total < good.total - 0.05


# ------------------------------------------------------------------------------------------------ what is written


def answers(right: str, *, stages: float = 1.0) -> Answers:
    """right: a 0 or 1 for each question, those of the transfer behind."""
    n = len(right)
    return Answers([int(c) for c in right], [1] * n, [90] * n, [[stages] * len(STAGES)] * n)


def result(name: str, seed: int, before: str, after: str, **changes: Any) -> Result:
    pairs = (len(after) - 1) // 2
    stories = [place // 2 for place in range(2 * pairs)] + [pairs]
    plain = Result(
        arm=name,
        seed=seed,
        settings=hashlib.sha256(name.encode()).hexdigest(),
        common="c",
        cold_start=f"cold {seed}",
        steps=10,
        facts=6,
        machine={"processor": "a processor"},
        questions="q",
        kinds=[""] * (2 * pairs) + ["order 2"],
        stories=stories,
        families=[*stories[:-1], -1],
        before=answers(before),
        after=answers(after),
        curve=[[0, 0.5, 0.25], [10, 0.75, 0.5]],
        trained={"step": [1, 2], "tokens": [90.0, 80.0], "content": [0.5, 0.6]},
    )
    return replace(plain, **changes)


def reply(number: int, labels: dict[str, float] | None = None) -> dict[str, Any]:
    scenario = list(generate(20, seed=3, dimensions=("belief",), orders=(1,)))[number % 20]
    return {"id": f"r{number}", "by": "", "split": "test", "kind": "unlabelled", "marked": True,
            "scenario": scenario.to_row(), "completion": f"secret words {number}", "labels": labels or {}}  # fmt: skip


def written(folder: Path, *results: Result) -> Path:
    folder.mkdir(exist_ok=True)
    for number, one in enumerate(results):
        write_result(result_file(folder, one.arm, one.seed), one, [reply(2 * number), reply(2 * number + 1)])
    return folder


def test_a_result_comes_back_as_it_was_and_holds_no_text(tmp_path: Path) -> None:
    one = result(FULL, 42, "1" * 17, "10" * 8 + "0")
    path = result_file(written(tmp_path / "r", one), FULL, 42)
    assert read_result(path) == replace(one, before=read_result(path).before, after=read_result(path).after)
    assert [list(part) for part in read_result(path).after] == [list(part) for part in one.after]
    assert "secret words" not in path.read_text() and "secret words 0" in replies_file(path).read_text()
    assert [(one.id, dict(one.labels)) for one in read_labels(replies_file(path))] == [("r0", {}), ("r1", {})]


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row | {"version": 2},
        lambda row: row | {"arm": "mine"},
        lambda row: row | {"stories": row["stories"][1:]},
        lambda row: {name: value for name, value in row.items() if name != "after"},
        lambda row: row | {"after": row["after"] | {"stages": [[1.0]] * 17}},
        lambda row: row | {"more": 1},
        lambda row: [],
    ],
)
def test_a_file_that_is_no_result_is_one_line(tmp_path: Path, damage: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = result_file(written(tmp_path / "r", result(FULL, 42, "1" * 17, "1" * 17)), FULL, 42)
    path.write_bytes(orjson.dumps(damage(orjson.loads(path.read_bytes()))))
    with pytest.raises(DataError, match=r"full_42\.json: no result of an arm"):
        table.read_results(path.parent)


# ------------------------------------------------------------------------------------------------ the table


def cells(lines: list[str], measure: str, name: str) -> list[str]:
    (line,) = [one for one in lines if one.startswith(f"| {measure} | {name} |")]
    return [cell.strip() for cell in line.strip("| ").split("|")]


def test_the_table_counts_as_by_hand(tmp_path: Path) -> None:
    """Eight pairs and one question more. Full: all right from both seeds. no_content: of six pairs one is wrong in
    seed 1, in seed 2 none is: six stories that differ by one, all the same way, p = 2 / 2^6; four arms are compared
    with full, two of them here with p = 1, so Holm makes 3 x that of it."""
    half, whole = "10" * 8 + "0", "1" * 17
    worse = "10" * 6 + "1111" + "1"
    folder = written(
        tmp_path / "r",
        *(result(FULL, seed, half, whole) for seed in (1, 2)),
        result("no_content", 1, half, worse),
        result("no_content", 2, half, whole),
        *(result(name, seed, half, whole) for name in ("no_length", "no_structure") for seed in (1, 2)),
    )
    lines = list(table.lines(table.read_results(folder), folder))
    assert "10 GRPO steps, seeds 1, 2, 16 held-out questions, 1 of the transfer" in lines[0]
    assert "Not there yet: outcome_only_1, outcome_only_2." in lines
    full = cells(lines, "accuracy", FULL)
    assert full[2] == "2" and full[3].startswith("0.500 (") and full[4].startswith("1.000 (")
    assert full[5:7] == ["+0.500 +0.500", f"{2 / 2**8:.2g}"] and full[7:] == ["-"] * 4
    less = cells(lines, "accuracy", "no_content")
    assert less[4].startswith(f"{26 / 32:.3f} (")
    assert less[7:] == [f"{-6 / 32:+.3f}", "-0.375 +0.000", f"{2 / 2**6:.2g}", f"{3 * 2 / 2**6:.2g}"]
    twins = cells(lines, "both twins right", "no_content")
    assert twins[3].startswith("0.000 (") and twins[7:9] == [f"{-6 / 16:+.3f}", "-0.750 +0.000"]
    assert cells(lines, "accuracy", "no_length")[7:] == ["+0.000", "+0.000 +0.000", "1", "1"]
    assert cells(lines, "transfer: accuracy", "no_content")[3:5][1].startswith("1.000 (")
    assert not [line for line in lines if line.startswith("| transfer: both twins")]  # of which none was asked


def test_arms_that_did_not_answer_alike_before_grpo_are_told(tmp_path: Path) -> None:
    ones = "1" * 17
    folder = written(
        tmp_path / "r",
        result(FULL, 1, ones, ones),
        result("no_length", 1, "00" + ones[2:], ones),
        result(FULL, 2, ones, ones),
    )
    told = [line for line in table.lines(table.read_results(folder), folder) if "before GRPO differ" in line]
    assert told == ["Seed 1: up to 2 answers before GRPO differ between arms: another machine?"]


def test_stages_are_true_from_three_quarters_on(tmp_path: Path) -> None:
    ones = "1" * 17
    mixed = answers(ones)._replace(stages=[[0.75, 0.74, 1.0, 0.0]] * 17)
    folder = written(tmp_path / "r", replace(result(FULL, 1, ones, ones), after=mixed))
    lines = list(table.lines(table.read_results(folder), folder))
    assert cells(lines, "stages true (facts)", FULL)[4].startswith("0.500 (")
    told = [cells(lines, f"- {title}", FULL)[4][:5] for title in table.TITLES.values()]
    assert told == ["1.000", "0.000", "1.000", "0.000"]


def test_only_shared_seeds_are_compared(tmp_path: Path) -> None:
    ones, none = "1" * 17, "0" * 17
    folder = written(
        tmp_path / "r",
        result(FULL, 1, none, ones),
        result("no_length", 1, none, ones),
        result("no_length", 2, none, none),
    )
    lines = list(table.lines(table.read_results(folder), folder))
    assert cells(lines, "accuracy", "no_length")[7:9] == ["+0.000", "+0.000"]
    alone = written(tmp_path / "s", result("no_length", 2, none, none))
    assert cells(list(table.lines(table.read_results(alone), alone)), "accuracy", "no_length")[7:] == ["-"] * 4


@pytest.mark.parametrize(
    ("name", "seed", "changes", "words"),
    [
        ("no_content", 1, {"cold_start": "other"}, "arms of seed 1 began with different cold starts"),
        ("no_content", 1, {"common": "other"}, "differ in common"),
        ("no_content", 1, {"questions": "other"}, "differ in questions"),
        ("no_content", 1, {"facts": 7}, "differ in facts"),
        (FULL, 2, {"settings": "other"}, "results of full are of different settings"),
    ],
)
def test_results_that_do_not_belong_together_make_no_table(
    tmp_path: Path, name: str, seed: int, changes: dict[str, Any], words: str
) -> None:
    ones = "1" * 17
    folder = written(tmp_path / "r", result(FULL, 1, ones, ones), result(name, seed, ones, ones, **changes))
    with pytest.raises(DataError, match=words):
        table.read_results(folder)


def test_readers_who_know_no_arm_are_brought_back_to_it(tmp_path: Path) -> None:
    ones = "1" * 17
    folder = written(tmp_path / "r", result(FULL, 1, ones, ones), result("no_content", 1, ones, ones))
    results = table.read_results(folder)
    assert table.blind_rows(results, folder, tmp_path / "blind.jsonl", 60) == 4
    text = (tmp_path / "blind.jsonl").read_text()
    assert not any(name in text for name in ARMS if name != FULL)
    assert sorted(one.id for one in read_labels(tmp_path / "blind.jsonl")) == ["r0", "r1", "r2", "r3"]
    with pytest.raises(DataError, match="is there already"):
        table.blind_rows(results, folder, tmp_path / "blind.jsonl", 60)
    assert table.blind_rows(results, folder, tmp_path / "few.jsonl", 1) == 2
    (folder / "labels").mkdir()
    good, bad = dict.fromkeys(STAGES, 1), dict.fromkeys(STAGES, 0)
    for reader, said in (("anna", (good, good, bad, good)), ("ben", (good, bad, bad, good))):
        rows = [reply(number, labels) for number, labels in enumerate(said)]
        (folder / "labels" / f"{reader}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = list(table.lines(results, folder))
    assert [cells(lines, "anna", name)[2:][1][:5] for name in (FULL, "no_content")] == ["1.000", "0.500"]
    # alike 12 of 16; anna 12 good, ben 8: chance (12 * 8 + 4 * 8) / 256 = .5
    assert lines[-1] == "anna and ben: kappa 0.50 on 16 stages"
    (folder / "labels" / "carl.jsonl").write_text(json.dumps(reply(9, good)) + "\n")
    with pytest.raises(DataError, match=r"carl\.jsonl: r9 is no reply"):
        list(table.lines(results, folder))


# ------------------------------------------------------------------------------------------------ power


@pytest.mark.parametrize(("pairs", "difference"), [(30, 0.2), (50, 0.16), (50, 0.1)])
def test_power_is_the_binomial_s_where_that_is_exact(pairs: int, difference: float) -> None:
    """Nothing is answered anew and one seed asked: the pairs newly right are binomial, none is newly wrong, and
    2 x 2^-k < .05 from k = 6 on."""
    still = power.Spread(5, 3, 2, 0.0)
    found = power.power(power.p_values(still, "both twins right", pairs, 1, difference, draws=3000))
    tail = sum(comb(pairs, k) * difference**k * (1 - difference) ** (pairs - k) for k in range(6, pairs + 1))
    assert found == pytest.approx(tail, abs=4 * (tail * (1 - tail) / 3000) ** 0.5)


def test_without_a_difference_it_is_found_no_oftener_than_by_chance() -> None:
    for measure, alike in product(power.MEASURES, (False, True)):
        found = power.power(power.p_values(power.MEASURED, measure, 40, 3, 0.0, alike=alike, draws=1000))
        assert found <= 0.05 + 4 * (0.05 * 0.95 / 1000) ** 0.5


def test_seeds_that_are_alike_add_nothing_and_seeds_apart_do() -> None:
    one, three, alike = (
        power.p_values(power.MEASURED, "accuracy", 30, seeds, 0.1, alike=same, draws=200)
        for seeds, same in ((1, False), (3, False), (3, True))
    )
    assert alike == one and power.power(three) > power.power(one) + 0.2


def test_the_smallest_difference_has_the_power_and_the_one_below_it_has_not() -> None:
    for alpha, least in zip((0.05, 0.0125), power.smallest(power.MEASURED, "accuracy", 30, 2, draws=200), strict=True):
        assert least
        found = [power.p_values(power.MEASURED, "accuracy", 30, 2, one, draws=200) for one in (least - 0.005, least)]
        assert power.power(found[0], alpha) < 0.8 <= power.power(found[1], alpha)
    assert power.smallest(power.MEASURED, "both twins right", 4, 1, draws=50) == (None, None)


def test_the_measured_spread_is_read_from_a_run(tmp_path: Path) -> None:
    assert (power.MEASURED.accuracy, power.MEASURED.level("both twins right")) == (0.69, 0.42)
    run = RunFolder.create(tmp_path / "run")
    plain = {"n": 6, "format_rate": 1.0, "accuracy": 0.5, "low": 0.1, "high": 0.9, "unreadable": 0.0, "truncated": 0.0,
             "reward": 1.0, "tokens": 9.0, "families": ("a", "a", "b", "b", "c", "c")}  # fmt: skip
    checks = [
        Check(label=label, step=step, right=tuple(c == "1" for c in right), **plain)
        for label, step, right in (("untrained", 0, "000000"), ("cold", 0, "111000"), ("after", 5, "111100"))
    ]
    rows = {"version": 1, "checks": [one.to_row() for one in checks]}
    (run.path / SUMMARY).write_text(json.dumps(rows))
    assert power.measured(run.path) == power.Spread(1, 1, 1, 1 / 6)
    (run.path / SUMMARY).write_text(json.dumps(rows | {"checks": rows["checks"][:1]}))
    with pytest.raises(DataError, match="two held-out checks with twins are needed, 1"):
        power.measured(run.path)


# ------------------------------------------------------------------------------------------------ one cold start a seed


def begun(out: Path, name: str, weights: float | None, **changes: Any) -> RunFolder:
    """A run of this arm with a cold start of these weights, None: without one yet."""
    run = RunFolder.create(ablation.run_folder(out, name, 42).path)
    recipe = arm(name)
    run.recipe.write_text(recipe.model_copy(update=changes).to_yaml())
    if weights is not None:
        (cold := cold_start_folder(run)).mkdir()
        save_file({"a": numpy.full(2, weights, numpy.float32)}, cold / "adapter_model.safetensors")
        mark_complete(run, cold, 0)
    return run


def test_the_cold_start_of_another_arm_of_the_seed_is_found(tmp_path: Path) -> None:
    assert ablation.others_cold_start(tmp_path, "no_content", arm("no_content")) is None
    full = begun(tmp_path, FULL, 1.0)
    assert ablation.others_cold_start(tmp_path, "no_content", arm("no_content")) == cold_start_folder(full)
    assert ablation.others_cold_start(tmp_path, "no_content", arm("no_content", 7)) is None
    begun(tmp_path, "no_content", 1.0)
    assert ablation.others_cold_start(tmp_path, "no_content", arm("no_content")) == cold_start_folder(full)


def test_another_cold_start_other_settings_or_none_yet_is_one_line(tmp_path: Path) -> None:
    mine = arm("no_content")
    begun(tmp_path / "a", FULL, None)
    with pytest.raises(DataError, match="full_42 has begun and has no cold start yet: finish full first"):
        ablation.others_cold_start(tmp_path / "a", "no_content", mine)
    begun(tmp_path / "b", FULL, 1.0)
    begun(tmp_path / "b", "no_content", 2.0)
    with pytest.raises(DataError, match=r"no_content_42 and \S+full_42 began with other cold starts"):
        ablation.others_cold_start(tmp_path / "b", "no_content", mine)
    begun(tmp_path / "c", FULL, 1.0, grpo=mine.grpo.model_copy(update={"max_steps": 999}))
    with pytest.raises(DataError, match="full_42 is of other settings than no_content"):
        ablation.others_cold_start(tmp_path / "c", "no_content", mine)


def test_a_result_that_is_there_is_left_alone_and_one_of_other_settings_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ones = "1" * 17
    folder = written(tmp_path / "r", result(FULL, 42, ones, ones, settings=settings_digest(arm(FULL))))
    before = result_file(folder, FULL, 42).read_bytes()
    asked = ["full", "--seed", "42", "--out", str(tmp_path / "out"), "--results", str(folder)]
    assert ablation.main(asked) == 0
    assert "is there: nothing to do" in capsys.readouterr().out and not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=r"full_42\.json is the result of other settings"):
        ablation.main([*asked, "grpo.max_steps=3"])
    assert result_file(folder, FULL, 42).read_bytes() == before
    with pytest.raises(DataError, match="--minutes 0: above 0"):
        ablation.main([*asked, "--minutes", "0"])


def test_a_launch_that_was_stopped_writes_nothing_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = []

    def stops(recipe: Any, *, run_dir: Path, **_: object) -> None:
        hours.append(recipe.run.max_hours)
        RunFolder.create(run_dir).set_state("stopped", step=3)

    monkeypatch.setattr(ablation, "run_recipe", stops)
    asked = ["full", "--seed", "1", "--minutes", "30", "--out", str(tmp_path / "o"), "--results", str(tmp_path / "r")]
    assert ablation.main(asked) == ablation.UNFINISHED == 3 and hours == [0.5]
    assert "not finished: the same command goes on" in capsys.readouterr().out and not (tmp_path / "r").exists()


# ------------------------------------------------------------------------------------------------ from end to end


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[int]]]:
    """What tests/arm_launches.py leaves: the plans' folders, and how each launch ended."""
    root = tmp_path_factory.mktemp("arms")
    model = make_tiny_model(root / "model", ends=60)
    places = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.arm_launches", str(root), str(model)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": places, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_an_arm_killed_thrice_writes_the_bytes_of_one_that_nobody_killed(launched: tuple[Path, Any]) -> None:
    """While it samples, in a checkpoint, and between its two files; and it begins as if it had trained its cold start."""
    root, ended = launched
    assert ended == {"killed": [0, -9, -9, -9, 0, 0], "undisturbed": [0, 0], "alone": [0]}
    for plan in ("killed", "alone"):
        for name in ("no_structure_1.json", "no_structure_1.replies.jsonl"):
            one, other = ((root / folder / "results" / name).read_bytes() for folder in (plan, "undisturbed"))
            assert one == other, (plan, name)


@pytest.mark.slow
def test_both_arms_of_a_seed_begin_with_the_same_bytes_and_end_with_others(launched: tuple[Path, Any]) -> None:
    runs = [launched[0] / "undisturbed" / "runs" / f"{name}_1" for name in (FULL, "no_structure")]
    for folder, alike in (("cold_start", True), ("adapter", False)):
        one, other = ((run / folder / "adapter_model.safetensors").read_bytes() for run in runs)
        assert (one == other) is alike, folder
    first, second = (read_result(launched[0] / "undisturbed" / "results" / f"{run.name}.json") for run in runs)
    assert first.cold_start == second.cold_start != "" and first.before == second.before
    assert not any("untrained" in check["label"] for check in json.loads((runs[1] / SUMMARY).read_text())["checks"])


@pytest.mark.slow
def test_what_is_not_paid_is_logged_at_every_step(launched: tuple[Path, Any]) -> None:
    run = RunFolder.open(launched[0] / "undisturbed" / "runs" / "no_structure_1")
    assert [row["step"] for row in read_metrics(run) if "reward/structure" in row] == [1, 2, 3, 4]
    rows = [trace for trace in read_traces(run) if trace.phase == "train"]
    assert len(rows) == 16 and all(row.score.weights["structure"] == 0 for row in rows)
    assert any(row.score.components["structure"] for row in rows)
    assert not any(row.score.contribution("structure") for row in rows)


@pytest.mark.slow
def test_what_is_written_of_a_run_is_what_its_checks_counted(launched: tuple[Path, Any], capsys: Any) -> None:
    folder = launched[0] / "undisturbed"
    summary = json.loads((folder / "runs" / "full_1" / SUMMARY).read_text())["checks"]
    first = read_result(folder / "results" / "full_1.json")
    for check, answers_ in zip(summary[1:], (first.before, first.after), strict=True):
        (row,) = check["transfer"]
        assert list(answers_.right) == check["right"] + row["right"]
        named = check["families"] + row["families"]
        assert [named.index(one) // 2 for one in named] == list(first.families) == list(first.stories)
    assert (
        list(first.kinds) == [""] * 4 + ["order 2"] * 2 and first.steps == 4 and first.trained["step"] == [1, 2, 3, 4]
    )
    told = list(read_labels(replies_file(folder / "results" / "full_1.json")))
    assert len(told) == 4 and not any(one.labels for one in told)
    assert ablation.main(["table", str(folder / "results")]) == 0
    assert "| accuracy | no_structure | 1 |" in capsys.readouterr().out


@pytest.mark.slow
def test_the_figures_are_the_viewers_own_pictures(tmp_path: Path) -> None:
    from arms import figures
    from PIL import Image

    if not figures.CHROMIUM.exists():
        pytest.skip(f"{figures.CHROMIUM} is not installed")
    ones = "1" * 17
    folder = written(tmp_path / "r", *(result(name, seed, "0" * 17, ones) for name in ARMS for seed in (1, 2)))
    pictures = list(figures.draw(table.read_results(folder), tmp_path / "png"))
    assert [one.name for one in pictures] == [
        f"ablation-{name}.png" for name in ("accuracy", "twins", "stages", "content", "tokens")
    ]
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width >= 2 * figures.WIDTH - 100
            assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > len(ARMS), "lines of several colours"
