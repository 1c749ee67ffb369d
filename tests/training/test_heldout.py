"""The held-out check counts what happened, and compares two checks question by question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import RunFolder, TraceWriter, read_traces
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import heldout_figures
from socialr1_lite.training.heldout import UNTRAINED, HeldoutChecks, check_heldout, first_stories
from socialr1_lite.training.heldout_figures import Check
from socialr1_lite.training.ranks import Ranks
from tests.scripted import BROKEN, RIGHT, WRONG, ScriptedPolicy, copies

RECIPE = Recipe.model_validate({"rewards": {"length": {"min_tokens": 5}}})
TEXTS = (RIGHT, WRONG, BROKEN, RIGHT)


def questions(scenario: Scenario, groups: str) -> list[Scenario]:
    """Copies of the scenario, one a letter; equal letters are twins of one story."""
    rows = [one.to_row() for one in copies(scenario, len(groups))]
    return [Scenario.from_row(row | {"group": group}) for row, group in zip(rows, groups, strict=True)]


def check(scenario, traces=None, *, groups: str = "abcd", texts: Sequence[str] = TEXTS) -> Check:
    policy = ScriptedPolicy(texts.__getitem__, cut=lambda i: i == 2)
    stack = RewardStack(RECIPE.rewards)
    return check_heldout(policy, RECIPE, stack, questions(scenario, groups), label="now", step=3, traces=traces)


def test_the_figures_are_counted(scenario):
    now = check(scenario)
    assert (now.n, now.format_rate, now.accuracy) == (4, 0.75, 0.5)
    assert (now.unreadable, now.truncated) == (0.25, 0.25)
    assert now.right == (True, False, False, True)
    assert now.low == pytest.approx(0.1500, abs=1e-4)  # Wilson, 2 of 4
    assert now.high == pytest.approx(0.8500, abs=1e-4)


def test_an_interval_counts_stories_not_questions(scenario):
    now = check(scenario, groups="aabb", texts=[WRONG] * 4)
    assert now.stories == tuple(f"{scenario.id}-{i}" for i in (0, 0, 2, 2))
    assert now.high == pytest.approx(0.6576, abs=1e-4)  # Wilson, 0 of 2 stories; of 4 questions it would be 0.4899


def test_it_asks_greedily_at_the_full_process_weight(scenario):
    policy = ScriptedPolicy(lambda _: RIGHT)
    check_heldout(policy, RECIPE, RewardStack(RECIPE.rewards), copies(scenario, 2), label="x", step=0)
    assert policy.sampling["temperature"] == 0.0


def test_every_reply_becomes_a_trace_that_gives_the_same_mean_reward(scenario, tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.begin_launch(0, ["test"])
    with TraceWriter(run) as traces:
        now = check(scenario, traces)
    stored = list(read_traces(run))
    assert [trace.score.outcome for trace in stored] == ["right", "wrong", "unreadable", "right"]
    assert {trace.benchmark for trace in stored} == {"heldout: now"}
    assert {trace.score.tau for trace in stored} == {1.0}
    assert sum(trace.total for trace in stored) / 4 == pytest.approx(now.reward, abs=1e-9)


def test_a_check_survives_its_file(scenario):
    now = check(scenario)
    assert Check.from_row(now.to_row()) == now


def test_two_checks_are_compared_question_by_question(scenario):
    one = check(scenario)
    other = Check.from_row(one.to_row() | {"label": "later", "right": [True, True, True, False]})
    words = "2 questions newly right, 1 newly wrong of 4 in 4 stories (permutation test by story, two-sided p = 1)"
    assert words in heldout_figures.compare(one, other)


def test_twins_that_change_together_are_one_change(scenario):
    before = check(scenario, groups="aabb", texts=[WRONG] * 4)
    after = check(scenario, groups="aabb", texts=[RIGHT] * 4)
    assert "4 questions newly right, 0 newly wrong of 4 in 2 stories" in heldout_figures.compare(before, after)
    assert "two-sided p = 0.5)" in heldout_figures.compare(
        before, after
    )  # 2 of the 4 sign patterns; of questions: 0.12


def test_checks_written_before_stories_were_counted_are_read_and_compared():
    rows = json.loads((Path(__file__).parents[1] / "fixtures/run_2026_11_22/run/summary.json").read_text())["checks"]
    first, *_, last = map(Check.from_row, rows)
    assert "0 questions newly right, 0 newly wrong of 2 in 2 stories" in heldout_figures.compare(first, last)


def test_the_table_has_a_row_a_check(scenario):
    header, rows = heldout_figures.table([check(scenario)])
    assert len(header) == len(rows[0])
    assert rows[0][:4] == ["now", "4", "0.75", "0.500"]


# --- fewer questions on the way


@pytest.mark.parametrize(
    ("groups", "count", "places"),
    [
        ("abcd", 2, [0, 1]),
        ("aabb", 3, [0, 1]),  # the second story would be asked by half
        ("abab", 3, [0, 2]),  # twins that lie apart
        ("aab", 1, [0, 1]),  # one story at least
        ("abb", 9, [0, 1, 2]),
        ("", 3, []),
    ],
)
def test_whole_stories_are_asked_on_the_way(scenario, groups, count, places):
    assert first_stories(questions(scenario, groups), count) == places


def test_where_a_recipe_says_nothing_no_more_than_64_are_asked_on_the_way():
    def asked(**evaluation):
        return Recipe.model_validate({"evaluation": evaluation}).evaluation.on_the_way

    assert [asked(), asked(items=20), asked(items=100), asked(items=100, items_on_the_way=90)] == [64, 20, 64, 90]
    with pytest.raises(ValueError, match=r"evaluation\.items_on_the_way: 30 is more than items"):
        asked(items=20, items_on_the_way=30)


def checks(scenario, tmp_path, **evaluation) -> HeldoutChecks:
    settings = {"evaluation": {"every": 2, "items": 4, "items_on_the_way": 2} | evaluation, "grpo": {"max_steps": 4}}
    recipe = Recipe.model_validate(settings | {"rewards": {"length": {"min_tokens": 5}}})
    run = RunFolder.create(tmp_path / "run")
    run.begin_launch(0, ["test"])
    stack, quiet = RewardStack(recipe.rewards), Progress(quiet=True)
    return HeldoutChecks(run, recipe, stack, quiet, questions(scenario, "aabb"))


class SavingPolicy(ScriptedPolicy):
    def save_adapter(self, folder: Path) -> None:
        folder.mkdir(parents=True)


def test_few_are_asked_on_the_way_and_all_before_and_after(scenario, tmp_path):
    made = checks(scenario, tmp_path)
    with TraceWriter(made.run) as traces:
        made.make(SavingPolicy(lambda _: WRONG), UNTRAINED, 0, traces)
        for step in (2, 4):
            made.make_on_the_way(SavingPolicy(lambda _: WRONG), step, traces)
    asked = [(trace.step, trace.scenario) for trace in read_traces(made.run)]
    every, few = range(4), range(2)
    assert asked == [(step, f"{scenario.id}-{i}") for step, n in ((0, every), (2, few), (4, every)) for i in n]


def test_the_best_is_chosen_by_what_every_check_was_asked(scenario, tmp_path):
    """The last check is right on three of four, the one on the way on one of two: by all questions the last were it."""
    made = checks(scenario, tmp_path)
    right_on = {0: (), 2: (0, 1), 4: (1, 2, 3)}
    with TraceWriter(made.run) as traces:
        for step, right in right_on.items():
            policy = SavingPolicy(lambda i, right=right: RIGHT if i in right else WRONG)
            if step == 0:
                made.make(policy, UNTRAINED, step, traces)
            else:
                made.make_on_the_way(policy, step, traces)
    best, _ = made.best.read()
    assert (best.step, best.accuracy, best.n) == (2, 1.0, 2)
    assert "best of 2 checks: step 2, accuracy 1.000" in heldout_figures.best_sentence(
        best, [best, best._replace(step=4)]
    )


def test_the_time_of_a_check_on_the_way_is_that_of_its_questions(scenario, tmp_path):
    made = checks(scenario, tmp_path)
    assert made.longest_s == 0.0
    with TraceWriter(made.run) as traces:
        made.make(ScriptedPolicy(lambda _: RIGHT), UNTRAINED, 0, traces)
    [untrained] = made._made().values()
    assert made.longest_s == pytest.approx(untrained.seconds / 2)


# --- several processes


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("processes", [2, 3])
def test_shares_are_of_one_length_and_come_back_in_order(monkeypatch, count, processes):
    """What each process is given, and what the gathered list becomes; two real ones: tests/training/test_ranks.py."""
    shares: dict[int, list[int]] = {}

    def share(rank: int, gathered: list[int]) -> list[int]:
        monkeypatch.setattr(Ranks, "_state", lambda self: None)
        monkeypatch.setattr("accelerate.utils.gather_object", lambda mine: gathered)
        return Ranks(rank, processes).shared_out(range(count), lambda mine: shares.setdefault(rank, mine))

    each = -(-count // processes)
    for rank in range(processes):
        share(rank, [0] * each * processes)
    assert {len(one) for one in shares.values()} == {each}
    gathered = [item for rank in range(processes) for item in shares[rank]]
    assert all(share(rank, gathered) == list(range(count)) for rank in range(processes))


def test_only_the_first_process_scores_and_writes(scenario, monkeypatch, tmp_path):
    monkeypatch.setattr(Ranks, "shared_out", lambda self, items, work: work(list(items)))
    run = RunFolder.create(tmp_path / "run")
    policy, asked = ScriptedPolicy(lambda _: RIGHT), questions(scenario, "ab")
    with TraceWriter(run, 1) as traces:
        stack = RewardStack(RECIPE.rewards)
        kept = {"label": "x", "step": 0, "traces": traces}
        assert check_heldout(policy, RECIPE, stack, asked, ranks=Ranks(1, 2), **kept) is None
        assert not list(read_traces(run))
        assert check_heldout(policy, RECIPE, stack, asked, ranks=Ranks(0, 2), **kept).n == 2


# --- twins, and what training never saw


def twins(scenario: Scenario, pairs: str) -> list[Scenario]:
    """Copies of the scenario, one a letter; equal letters are twins, "-" has none."""
    found = [replace(one, group="") for one in copies(scenario, len(pairs))]
    names = {letter: [one.id for one, other in zip(found, pairs, strict=True) if other == letter] for letter in pairs}
    return [
        replace(one, twins=tuple(name for name in names[letter] if name != one.id) if letter != "-" else ())
        for one, letter in zip(found, pairs, strict=True)
    ]


def check_of(scenarios: Sequence[Scenario], texts: Sequence[str], traces: TraceWriter | None = None) -> Check:
    policy, stack = ScriptedPolicy(texts.__getitem__), RewardStack(RECIPE.rewards)
    return check_heldout(policy, RECIPE, stack, scenarios, label="now", step=3, traces=traces)


@pytest.mark.parametrize(
    ("pairs", "right", "families", "both"),
    [
        ("aabb", "1101", 2, 1),  # a: both, b: one of two
        ("abab", "1010", 2, 1),  # apart in the order
        ("aab", "111", 1, 1),  # the twin of the last was not asked
        ("aaab", "1101", 1, 0),  # of three twins all must be right
        ("----", "1111", 0, 0),
        ("aa-", "010", 1, 0),
    ],
)
def test_twins_count_where_all_of_them_are_right(scenario, pairs, right, families, both):
    now = check_of(twins(scenario, pairs), [RIGHT if one == "1" else WRONG for one in right])
    assert (now.twins.families, now.twins.right) == (families, both)
    assert now.twins.accuracy == (both / families if families else None)
    assert ("eval/twin_accuracy" in now.metrics()) == bool(families)


def test_one_answer_to_both_twins_shows_in_twin_accuracy_alone(scenario):
    first, *_ = copies(scenario, 1)
    other = replace(first, id="other", gold=(1 - first.gold[0],), twins=(first.id,))
    now = check_of([replace(first, twins=("other",)), other], [RIGHT, RIGHT])
    assert (now.accuracy, now.twins.accuracy) == (0.5, 0.0)


def test_the_interval_of_twins_counts_families(scenario):
    now = check_of(twins(scenario, "aabbccdd"), [RIGHT] * 4 + [WRONG] * 4)
    assert (now.twins.low, now.twins.high) == (pytest.approx(0.15, abs=1e-4), pytest.approx(0.85, abs=1e-4))  # Wilson
    assert now.twins.told == "0.500 (0.150-0.850)" and "0.500 (0.150-0.850)" in heldout_figures.table([now])[1][0]


def test_the_comparison_tells_how_many_pairs_are_right(scenario):
    asked = twins(scenario, "aabb")
    before, after = check_of(asked, [RIGHT, WRONG, WRONG, WRONG]), check_of(asked, [RIGHT, RIGHT, RIGHT, WRONG])
    assert heldout_figures.compare(before, after).endswith("; both twins right: 0 before, 1 after of 2")
    assert "twins" not in heldout_figures.compare(check(scenario), check(scenario))


def of_kind(scenario: Scenario, kinds: Sequence[str]) -> list[Scenario]:
    rows = twins(scenario, "abcdefgh"[: len(kinds)])
    return [replace(one, meta={"transfer": kind} if kind else {}) for one, kind in zip(rows, kinds, strict=True)]


KINDS = ("", "", "peeping", "peeping", "order 2")


def test_what_training_never_saw_is_a_row_below_and_not_in_the_figures(scenario, tmp_path):
    run = RunFolder.create(tmp_path / "run")
    run.begin_launch(0, ["test"])
    with TraceWriter(run) as traces:
        now = check_of(of_kind(scenario, KINDS), [RIGHT, WRONG, RIGHT, RIGHT, WRONG], traces)
    assert (now.n, now.accuracy, now.asked) == (2, 0.5, 5)
    assert [(row.label, row.n, row.accuracy) for row in now.transfer] == [("peeping", 2, 1.0), ("order 2", 1, 0.0)]
    assert [row[:2] for row in heldout_figures.table([now])[1]] == [
        ["now", "2"],
        ["  peeping", "2"],
        ["  order 2", "1"],
    ]
    assert now.metrics()["eval/transfer/peeping/accuracy"] == 1.0
    benchmarks = ["heldout: now"] * 2 + ["heldout: now, peeping"] * 2 + ["heldout: now, order 2"]
    assert [trace.benchmark for trace in read_traces(run)] == benchmarks


def test_a_check_with_twins_and_transfer_survives_its_file_and_tells_them_there(scenario):
    now = check_of([*twins(scenario, "aa"), *of_kind(scenario, ["peeping"])], [RIGHT] * 3)
    row = json.loads(json.dumps(now.to_row()))
    assert (row["twins"]["accuracy"], row["transfer"][0]["label"]) == (1.0, "peeping")
    assert Check.from_row(row) == now


def test_the_transfer_is_asked_before_and_after_and_not_on_the_way(scenario, tmp_path):
    made = checks(scenario, tmp_path)
    made.asked = [*made.asked, *of_kind(scenario, ["peeping"] * 3)]
    with TraceWriter(made.run) as traces:
        made.make(SavingPolicy(lambda _: WRONG), UNTRAINED, 0, traces)
        for step in (2, 4):
            made.make_on_the_way(SavingPolicy(lambda _: RIGHT), step, traces)
    kept = heldout_figures.kept_checks(made.run).values()
    assert [(one.n, [row.n for row in one.transfer]) for one in kept] == [(4, [3]), (2, []), (4, [3])]
    untrained = next(iter(kept))
    assert made.longest_s == pytest.approx(2 * max(one.seconds / one.asked for one in kept)) and untrained.asked == 7
