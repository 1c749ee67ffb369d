"""The trace index against a plain Python reading of the same rows, and what happens when its shards change."""

from __future__ import annotations

import math
import random
import shutil
import sqlite3
import statistics
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socialr1_lite import runlog
from socialr1_lite.errors import RunLogError
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import TraceIndex, TraceWriter, index_file, lines, search
from socialr1_lite.runlog.query import FACETS, FIELDS, both
from socialr1_lite.scenario import Scenario
from tests.runlogs import runs, trace

Row = dict[str, Any]


@pytest.fixture
def run(tmp_path: Path) -> runlog.RunFolder:
    run = runlog.RunFolder.create(tmp_path / "run")
    run.add_scenarios(
        Scenario(f"stories/{n}", "Story.", "Question?", ("a", "b"), (0,), dimension=("belief", "desire")[n % 2])
        for n in range(4)
    )
    return run


@pytest.fixture
def index(run: runlog.RunFolder, tmp_path: Path) -> Iterator[TraceIndex]:
    with TraceIndex(run, cache=tmp_path / "cache") as index:
        yield index


def write(run: runlog.RunFolder, rows: list[Trace], **where: Any) -> None:
    with TraceWriter(run, **where) as writer:
        writer.write(rows)


def filled(index: TraceIndex, rows: list[Trace], **where: Any) -> list[Row]:
    write(index.run, rows, **where)
    index.refresh()
    return index.page({"superseded": None}, limit=10_000)


# --- against plain Python ---------------------------------------------------------------------------------------------


def scalars(rows: list[Trace]) -> list[Row]:
    """What a scalar row must say, worked out one by one."""
    expected = []
    for row in rows:
        place = (row.phase, row.benchmark, row.step, row.group)
        siblings = [one.total for one in rows if (one.phase, one.benchmark, one.step, one.group) == place]
        independence = row.score.parts.get("structure.independence")
        expected.append(
            {
                **{key: getattr(row, key) for key in ("phase", "step", "group", "index", "scenario", "benchmark")},
                "tokens": row.completion.tokens,
                "finish": row.completion.finish,
                "outcome": row.score.outcome,
                "dimension": ("belief", "desire")[row.group % 2],
                "truncated": row.completion.finish == "length",
                "right": None if row.score.outcome == "unknown" else row.score.outcome == "right",
                "early": independence is not None and independence < 1,
                "flat": len(siblings) > 1 and max(siblings) - min(siblings) <= 1e-6,
                "total": row.total,
                "advantage": row.advantage,
                "reward.content": row.score.components.get("content"),
                "text": row.completion.text,
            }
        )
    return expected


def passes(row: Row, conditions: Row) -> bool:
    for name, condition in conditions.items():
        value = row[name]
        if name == "text":
            if not all(word in value.lower() for word in condition.lower().split()):
                return False
        elif isinstance(condition, dict):
            if value is None or not condition.get("min", -math.inf) <= value <= condition.get("max", math.inf):
                return False
        elif isinstance(condition, list):
            if value not in condition:
                return False
        elif value != condition:
            return False
    return True


conditions = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["train", "eval"]),
        "outcome": st.one_of(
            st.sampled_from(["right", "wrong"]), st.lists(st.sampled_from(["right", "wrong", "unreadable"]), max_size=2)
        ),
        "step": st.one_of(
            st.integers(0, 4), st.fixed_dictionaries({"min": st.integers(0, 4)}, optional={"max": st.integers(0, 4)})
        ),
        "tokens": st.fixed_dictionaries({"max": st.integers(0, 300)}),
        "total": st.fixed_dictionaries({"min": st.floats(0, 2)}),
        "flat": st.booleans(),
        "early": st.booleans(),
        "truncated": st.booleans(),
        "dimension": st.sampled_from(["belief", "desire", "nowhere"]),
        "reward.content": st.one_of(st.none(), st.fixed_dictionaries({"min": st.floats(0, 1)})),
        "advantage": st.one_of(st.none(), st.just(0.5)),
        "text": st.sampled_from(["red", "ball red", "nothing", "红球"]),
    },
)
sorts = st.sampled_from(
    ["time", "-time", "total", "-total", "advantage", "-advantage", "reward.content", "-tokens", "outcome"]
)


@given(rows=runs(25), where=conditions, sort=sorts, seed=st.integers(0, 99))
@settings(max_examples=30)
def test_filters_sorts_and_neighbours_agree_with_plain_python(
    rows: list[Row], where: Row, sort: str, seed: int
) -> None:
    folder = Path(tempfile.mkdtemp())
    run = runlog.RunFolder.create(folder / "run")
    run.add_scenarios(
        Scenario(f"stories/{n}", "Story.", "Question?", ("a", "b"), (0,), dimension=("belief", "desire")[n % 2])
        for n in range(4)
    )
    with TraceIndex(run, cache=folder / "cache") as index:
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):  # in two refreshes, over two ranks
            write(run, part, rank=len(part) % 2)
            index.refresh()
        expected = [row for row in scalars(rows) if passes(row, where)]
        page = index.page(where, sort, limit=1000)
        assert_same(page, expected)
        assert index.count(where) == len(expected)
        assert_sorted(page, sort)
        walk_through(index, page, where, sort, random.Random(seed))
    shutil.rmtree(folder)


def assert_same(page: list[Row], expected: list[Row]) -> None:
    """The same rows, in whatever order."""
    names = [name for name in (expected[0] if expected else {}) if name != "text"]

    def key(row: Row) -> list[str]:
        return [repr(row[name]) for name in names]

    assert sorted(map(key, page)) == sorted(map(key, expected))
    for row in page:
        assert row.keys() == {"id", *FIELDS}


def assert_sorted(page: list[Row], sort: str) -> None:
    name = sort.removeprefix("-")
    values = [row["step" if name == "time" else name] for row in page]
    there = [value for value in values if value is not None]
    assert there == sorted(there, reverse=sort.startswith("-"))
    assert values == there + [None] * (len(values) - len(there))


def walk_through(index: TraceIndex, page: list[Row], where: Row, sort: str, rng: random.Random) -> None:
    """Every neighbour and position agrees with the page, at its ends as well."""
    for place in rng.sample(range(len(page)), min(5, len(page))):
        here = page[place]
        after, before = index.neighbour(here["id"], where, sort, 1), index.neighbour(here["id"], where, sort, -1)
        assert after == (page[place + 1] if place + 1 < len(page) else None)
        assert before == (page[place - 1] if place > 0 else None)
        assert index.position(here["id"], where, sort) == place
    assert index.page(where, sort, offset=2, limit=3) == page[2:5]


@given(rows=runs(25), where=conditions)
@settings(max_examples=15)
def test_series_and_facets_agree_with_plain_python(rows: list[Row], where: Row) -> None:
    folder = Path(tempfile.mkdtemp())
    run = runlog.RunFolder.create(folder / "run")
    with TraceIndex(run, cache=folder / "cache") as index:
        filled(index, rows)
        page = index.page(where, limit=1000)
        for point in index.figures.series("total", where, quantiles=(0.0, 0.5, 1.0)):
            values = sorted(row["total"] for row in page if row["step"] == point["step"])
            assert point["n"] == len(values)
            assert point["mean"] == pytest.approx(statistics.fmean(values))
            assert point["sd"] == pytest.approx(statistics.pstdev(values), abs=1e-6)
            assert (point["low"], point["high"]) == (values[0], values[-1])
            assert point["quantiles"] == [values[0], values[min(len(values) - 1, len(values) // 2)], values[-1]]
        assert {p["step"] for p in index.figures.series("total", where)} == {row["step"] for row in page}
        told = index.figures.facets(where)
        for name in FACETS:
            others = {key: value for key, value in where.items() if key != name}
            seen = index.page(others | ({"superseded": None} if name == "superseded" else {}), limit=1000)
            assert told[name] == {value: sum(row[name] == value for row in seen) for value in told[name]}
            assert sum(told[name].values()) == len(seen)
    shutil.rmtree(folder)


# --- one by one -------------------------------------------------------------------------------------------------------


def test_get_gives_the_stored_row_and_the_scalars(index: TraceIndex) -> None:
    stored = trace(3, 1, 2, completion="<think>…</think>\n<answer>A</answer>", notes=["why"])
    (row,) = filled(index, [stored])
    assert index.get(row["id"]) == stored
    assert row["total"] == pytest.approx(1.8) and row["dimension"] == "desire" and row["superseded"] is False


def test_find_prefers_the_row_that_counts(index: TraceIndex) -> None:
    write(index.run, [trace(5, 2, 1)], launch=index.run.begin_launch(0, []))
    write(index.run, [trace(5, 2, 1)], launch=index.run.begin_launch(4, []))
    index.refresh()
    found = index.find(step=5, group=2, index=1)
    assert found is not None and index.get(found).launch == 1
    old = index.find(step=5, group=2, index=1, segment=0)
    assert old is not None and index.get(old).superseded is True
    assert index.find(step=5, group=2, index=7) is None


def test_a_resume_supersedes_rows_that_were_already_indexed(index: TraceIndex) -> None:
    write(index.run, [trace(step) for step in range(6)], launch=index.run.begin_launch(0, []))
    index.refresh()
    assert index.count() == 6
    segment = index.run.begin_launch(4, [])
    index.refresh()
    assert [row["step"] for row in index.page()] == [0, 1, 2, 3]
    write(index.run, [trace(4)], launch=segment)
    index.refresh()
    assert [(row["step"], row["segment"]) for row in index.page()] == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1)]
    assert index.bounds() == {"rows": 7, "superseded": 2, "first": 0, "last": 4}


def test_the_index_and_the_reader_agree_on_what_counts(index: TraceIndex) -> None:
    first = [trace(s) for s in range(6)] + [trace(s, phase="eval", benchmark="heldout") for s in (2, 4, 5)]
    write(index.run, first, launch=index.run.begin_launch(0, []))
    again = [trace(4), trace(4, phase="eval", benchmark="heldout"), trace(9, phase="eval", benchmark="other")]
    write(index.run, again, launch=index.run.begin_launch(4, []))
    index.refresh()
    told = [(row["phase"], row["step"], row["segment"]) for row in index.page()]
    assert sorted(told) == sorted((r.phase, r.step, r.launch) for r in runlog.read_traces(index.run))
    assert len(told) == 4 + 1 + 1 + 1 + 1


class TestGroups:
    def test_a_flat_group_says_why(self, index: TraceIndex) -> None:
        closed = {"format": 0.0, "outcome": 1.0}
        half = {"format": 1.0, "outcome": 0.5}
        filled(
            index,
            [
                *(trace(0, 0, i, finish="length", components=closed) for i in range(2)),
                *(trace(0, 1, i, components=closed, outcome="unreadable") for i in range(2)),
                *(trace(0, 2, i) for i in range(2)),
                *(trace(0, 3, i, outcome="wrong", components=half) for i in range(2)),
                *(trace(0, 4, i, outcome=("right", "wrong")[i], components=half) for i in range(2)),
                *(trace(0, 5, i, components={"format": 1.0, "outcome": float(i)}) for i in range(2)),
                trace(0, 6, 0),
            ],
        )
        facts = {index.group_facts(row["gid"])["cause"]: row["flat"] for row in index.page({"index": 0})}
        assert list(facts.values()) == [True] * 5 + [False]
        assert list(facts) == ["all cut off", "all badly formed", "all right", "all wrong", "terms cancel", ""]
        (point,) = index.figures.group_series()
        assert point["groups"] == 7 and point["flat"] == pytest.approx(5 / 7)
        assert point["causes"]["all wrong"] == pytest.approx(1 / 7)

    def test_a_group_that_completes_later_is_counted_anew(self, index: TraceIndex) -> None:
        filled(index, [trace(0, 0, 0), trace(0, 0, 1)], rank=0)
        assert index.count({"flat": True}) == 2
        filled(index, [trace(0, 0, 2, components={"format": 0.0})], rank=1)
        assert index.count({"flat": True}) == 0
        (row, *_) = index.page()
        facts = index.group_facts(row["gid"])
        assert (facts["n"], facts["worst"], facts["flat"]) == (3, 0.0, False)
        assert facts["sd"] == pytest.approx(statistics.stdev([1.8, 1.8, 0.0]))
        assert [one["index"] for one in index.group(row["gid"])] == [0, 1, 2]

    def test_groups_of_the_same_number_stay_apart(self, index: TraceIndex) -> None:
        rows = filled(
            index, [trace(0, 0), trace(0, 0, phase="eval"), trace(0, 0, phase="eval", benchmark="b"), trace(1, 0)]
        )
        assert len({row["gid"] for row in rows}) == 4

    def test_no_such_group(self, index: TraceIndex) -> None:
        filled(index, [trace()])
        with pytest.raises(RunLogError, match="no group number 77"):
            index.group_facts(77)


def test_one_scenario_across_training(index: TraceIndex) -> None:
    filled(index, [trace(step, group, scenario=f"stories/{step % 2}") for step in range(5) for group in range(2)])
    told = index.by_scenario("stories/1", {"group": 1})
    assert [(row["step"], row["group"]) for row in told] == [(1, 1), (3, 1)]
    scenario = index.scenario("stories/1")
    assert scenario is not None and scenario.dimension == "desire"
    assert index.scenario("stories/none") is None


def test_stages_are_counted_where_the_writer_told_them(index: TraceIndex) -> None:
    filled(
        index,
        [trace(0, stages={"cue_encoding": "present"}), trace(0, 1, stages={"cue_encoding": "missing"}), trace(0, 2)],
    )
    assert index.count({"stage.cue_encoding": "missing"}) == 1
    assert index.figures.counts("stage.cue_encoding") == [{"step": 0, "n": 3, "values": {"missing": 1, "present": 1}}]


def test_columns_thin_out_evenly(index: TraceIndex) -> None:
    filled(index, [trace(step, tokens=step) for step in range(100)])
    assert index.figures.columns(("step", "tokens"), {"step": {"max": 2}}) == [(0, 0), (1, 1), (2, 2)]
    steps = [step for (step,) in index.figures.columns(("step",), limit=10)]
    assert len(steps) == 10 and max(steps) - min(steps) == 90


class TestSearch:
    ROWS = ("The red ball.", "a BALL, red as fire", "redder", 'he said "go" (NOT now)', "红球在盒子里", "")

    @pytest.fixture
    def said(self, index: TraceIndex) -> TraceIndex:
        filled(index, [trace(n, completion=text) for n, text in enumerate(self.ROWS)])
        return index

    @pytest.mark.parametrize(
        ("words", "steps"),
        [
            ("red", [0, 1]),
            ("ball red", [0, 1]),
            ('"red ball"', [0]),
            ("not", [3]),
            ("red OR redder", [0, 1, 2]),
            ("OR red OR", [0, 1]),
            ("red -ball", []),
            ("red -fire", [0]),
            ('-"red ball" red', [1]),
            ("-red", [2, 3, 4, 5]),
            ("redder OR -ball", [2, 3, 4, 5]),
            ("fire OR go ball", [1]),
            ("红 OR red -ball", [4]),
            ("red*", [0, 1]),
            ('said "go"', [3]),
            ('"', [3]),
            ("红球", [4]),
            ("text:red", []),
            ("ball_red", [1]),
            ("  ", [0, 1, 2, 3, 4, 5]),
        ],
    )
    def test_words_and_phrases(self, said: TraceIndex, words: str, steps: list[int]) -> None:
        assert [row["step"] for row in said.page({"text": words})] == steps

    @pytest.mark.parametrize("fts", [True, False])
    def test_stories_and_questions_are_searched_where_asked(
        self, index: TraceIndex, monkeypatch: pytest.MonkeyPatch, fts: bool
    ) -> None:
        if not fts:
            monkeypatch.setattr(search, "extend", lambda *_: False)
        stories = {"s/0": ("A red barn.", "Who hid the ball?"), "s/1": ("A green barn.", "Where is it?")}
        index.run.add_scenarios(Scenario(id, *texts) for id, texts in stories.items())
        said = ("the ball", "a red hat", "the barn")
        filled(index, [trace(n, scenario=id, completion=said[n]) for n, id in enumerate(("s/0", "s/1", "s/1"))])
        for words, scope, steps in (
            ("red", "replies", [1]),
            ("red", "asked", [0]),
            ("red", "all", [0, 1]),
            ("barn -red", "asked", [1, 2]),
            ("barn -red", "all", [2]),
            ("red OR hid ball", "all", [0]),
            ('"where is"', "asked", [1, 2]),
            ("nothing", "asked", []),
        ):
            found = index.page({"text": words, "text_in": scope})
            assert [row["step"] for row in found] == steps, (words, scope)
        with pytest.raises(RunLogError, match="text_in"):
            index.count({"text": "red", "text_in": "titles"})

    def test_new_rows_are_found_too(self, said: TraceIndex) -> None:
        assert said.count({"text": "red"}) == 2 and said.count({"text": "红"}) == 1
        filled(said, [trace(9, completion="red again, 红")])
        assert said.count({"text": "red"}) == 3 and said.count({"text": "红"}) == 2

    def test_without_fts5_substrings_are_searched(self, said: TraceIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "extend", lambda *_: False)
        assert said.prepare_search() is False
        assert [row["step"] for row in said.page({"text": "RED ball"})] == [0, 1]
        assert [row["step"] for row in said.page({"text": '"red ball"'})] == [0]

    def test_whole_words_are_found_without_fts5_as_with_it(
        self, said: TraceIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        searches = (
            "red",
            "BALL",
            "redder",
            "he",
            '"red as"',
            '"ball, red"',
            "now)",
            "e",
            "nothing at all",
            "red*",
            "ball_red",
        )
        built = [said.count({"text": words}) for words in searches]
        monkeypatch.setattr(search, "extend", lambda *_: False)
        assert [said.count({"text": words}) for words in searches] == built == [2, 2, 1, 1, 1, 1, 1, 0, 0, 2, 1]

    def test_progress_counts_up_to_the_end(self, index: TraceIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(index_file, "SEARCH_ROWS", 200)
        filled(index, [trace(0, index=i) for i in range(450)])
        told: list[tuple[int, int]] = []
        assert index.prepare_search(lambda done, of: told.append((done, of)))
        assert told == [(200, 450), (400, 450), (450, 450)]

    def test_a_large_index_answers_at_once_and_catches_up_behind(
        self, index: TraceIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index_file, "SEARCH_ROWS", 50)
        filled(index, [trace(0, index=i, completion=f"word{i % 7} red") for i in range(300)])
        for _ in range(20):  # from scans first, from the word index later
            assert index.count({"text": "word3 red"}) == 43
        for thread in threading.enumerate():
            if thread.name == "word index":
                thread.join()
        monkeypatch.setattr(search, "_scan", lambda *_: pytest.fail("scanned although the word index is there"))
        assert index.count({"text": "word3 red"}) == 43


def test_negations_and_several_conditions_on_one_field(index: TraceIndex) -> None:
    filled(
        index, [trace(step, tokens=10 * step, outcome=("right", "wrong", "unreadable")[step % 3]) for step in range(9)]
    )
    steps = lambda where: [row["step"] for row in index.page(where)]  # noqa: E731
    assert steps({"outcome": {"not": "right"}}) == [1, 2, 4, 5, 7, 8]
    assert steps({"outcome": {"not": ["right", "wrong"]}}) == [2, 5, 8]
    assert steps({"tokens": {"not": {"min": 20, "max": 70}}}) == [0, 1, 8]
    assert steps(both({"tokens": {"min": 20}}, {"tokens": {"max": 40}, "outcome": "wrong"})) == [4]
    assert index.figures.facets({"outcome": {"not": "right"}})["outcome"] == {"right": 3, "unreadable": 3, "wrong": 3}
    assert index.figures.facets({"outcome": {"not": "right"}})["phase"] == {"train": 6}
    assert index.count({"advantage": {"not": {"min": 0}}}) + index.count({"advantage": {"min": 0}}) == 9


class TestRefusals:
    @pytest.mark.parametrize(
        "where",
        [
            {"id; DROP TABLE traces": 1},
            {"step": "1 OR 1"},
            {"step": True},
            {"flat": 1},
            {"outcome": 3},
            {"outcome": {"min": "a"}},
            {"step": {"min": 1, "below": 2}},
            {"step": [1, "x"]},
            {"step": float("nan")},
        ],
    )
    def test_a_wrong_filter(self, index: TraceIndex, where: Row) -> None:
        filled(index, [trace()])
        with pytest.raises(RunLogError):
            index.page(where)
        with pytest.raises(RunLogError):
            index.figures.facets(where)

    @pytest.mark.parametrize("sort", ["nothing", "--total", "total; --", "", "id"])
    def test_a_wrong_sorting(self, index: TraceIndex, sort: str) -> None:
        filled(index, [trace()])
        with pytest.raises(RunLogError, match="traces have no field"):
            index.page(sort=sort)

    def test_text_has_no_mean(self, index: TraceIndex) -> None:
        filled(index, [trace()])
        with pytest.raises(RunLogError, match="outcome is text"):
            index.figures.series("outcome")

    def test_a_row_that_is_not_there(self, index: TraceIndex) -> None:
        filled(index, [trace()])
        for ask in (index.get, index.neighbour, index.position):
            with pytest.raises(RunLogError, match="no trace number 99"):
                ask(99)

    def test_values_are_bound(self, index: TraceIndex) -> None:
        filled(index, [trace(scenario="x' OR '1'='1")])
        assert index.count({"scenario": "' OR '1'='1"}) == 0
        assert index.count({"scenario": "x' OR '1'='1"}) == 1


class TestFollowing:
    def test_refresh_reads_only_what_is_new(self, index: TraceIndex) -> None:
        write(index.run, [trace(0)])
        assert index.refresh() == 1
        write(index.run, [trace(1), trace(2)])
        assert index.refresh() == 2 and index.refresh() == 0
        assert [row["step"] for row in index.page()] == [0, 1, 2]

    def test_half_a_line_is_taken_in_once_it_is_whole(self, index: TraceIndex) -> None:
        write(index.run, [trace(0)])
        shard = runlog.shard_paths(index.run)[0]
        line = lines.encode([trace(1).to_row()])
        for part, count in ((line[:80], 1), (line[80:], 2)):
            with shard.open("ab") as file:
                file.write(part)
            index.refresh()
            assert index.count() == count

    def test_a_torn_line_that_was_cut_off_and_replaced(self, index: TraceIndex) -> None:
        write(index.run, [trace(0)])
        shard = runlog.shard_paths(index.run)[0]
        with shard.open("ab") as file:
            file.write(lines.encode([trace(1).to_row()])[:80])
        index.refresh()
        write(index.run, [trace(7)])
        index.refresh()
        assert [row["step"] for row in index.page()] == [0, 7]

    def test_it_is_kept_between_openings(self, index: TraceIndex, tmp_path: Path) -> None:
        write(index.run, [trace(0, 0, 0), trace(0, 0, 1)])
        index.refresh()
        with TraceIndex(index.run, cache=tmp_path / "cache") as again:
            assert again.refresh() == 0 and again.count() == 2
            write(index.run, [trace(0, 0, 2)])
            assert again.refresh() == 1
            assert len({row["gid"] for row in again.page()}) == 1

    @pytest.mark.parametrize("harm", ["shorter", "replaced", "gone"])
    def test_changed_shards_mean_a_new_index(self, index: TraceIndex, harm: str) -> None:
        write(index.run, [trace(step) for step in range(5)], shard_bytes=10)
        index.refresh()
        shard = runlog.shard_paths(index.run)[0]
        if harm == "shorter":
            shard.write_bytes(lines.encode([trace(8).to_row()]))
        elif harm == "replaced":
            shard.write_bytes(lines.encode([trace(step, completion="other " * 50).to_row() for step in range(10, 16)]))
        else:
            shard.unlink()
            (index.run.traces / "rank00001-0000.jsonl").write_bytes(lines.encode([trace(9).to_row()]))
        index.refresh()
        assert {row["step"] for row in index.page()} == {
            "shorter": {8},
            "replaced": set(range(10, 16)),
            "gone": {9},
        }[harm]

    def test_an_index_of_another_version_is_built_anew(self, index: TraceIndex, tmp_path: Path) -> None:
        write(index.run, [trace(0)])
        index.refresh()
        index.close()
        (path,) = (tmp_path / "cache").glob("*.sqlite")
        with sqlite3.connect(path) as database:
            database.execute("UPDATE meta SET value = '0' WHERE key = 'version'")
            database.execute("DELETE FROM traces")
        with TraceIndex(index.run, cache=tmp_path / "cache") as again:
            assert again.refresh() == 1 and again.count() == 1

    @pytest.mark.parametrize("junk", [b"this is no database" * 100, b""])
    def test_a_damaged_index_is_built_anew(self, index: TraceIndex, tmp_path: Path, junk: bytes) -> None:
        write(index.run, [trace(0)])
        index.refresh()
        index.close()
        (path,) = (tmp_path / "cache").glob("*.sqlite")
        path.write_bytes(junk)
        with TraceIndex(index.run, cache=tmp_path / "cache") as again:
            again.refresh()
            assert again.count() == 1

    def test_an_index_damaged_while_open_heals_at_the_next_refresh(self, index: TraceIndex, tmp_path: Path) -> None:
        write(index.run, [trace(step, completion="x" * 500) for step in range(200)])
        index.refresh()
        (path,) = (tmp_path / "cache").glob("*.sqlite")
        path.write_bytes(b"\x07" * path.stat().st_size)
        index._database.execute("PRAGMA cache_size = 0")
        index._database.execute("PRAGMA shrink_memory")
        with pytest.raises(RunLogError, match="damaged"):
            index.page()
        assert index.refresh() == 200 and index.count() == 200

    def test_a_full_disk_is_one_clear_line(self, index: TraceIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        def refresh(*_: Any) -> int:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(index._tail, "refresh", refresh)
        with pytest.raises(RunLogError, match="disk is full; SOCIALR1_CACHE names another folder"):
            index.refresh()

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"{oops\n", "damaged"),
            (lines.encode([trace(1).to_row() | {"tokens": [1]}]), "tokens must be a whole number of at least 0"),
            (lines.encode([{"step": 1}]), "phase, scenario, "),
        ],
    )
    def test_a_line_in_the_middle_that_is_no_trace_is_left_out_and_told(
        self, index: TraceIndex, line: bytes, reason: str
    ) -> None:
        write(index.run, [trace(0), trace(1), trace(2)])
        shard = runlog.shard_paths(index.run)[0]
        first, _, third = shard.read_bytes().splitlines(keepends=True)
        shard.write_bytes(first + line + third)
        index.refresh()
        assert [row["step"] for row in index.page()] == [0, 2]
        (notice,) = index.notices()
        assert notice.startswith(f"rank00000-0000.jsonl: the line at byte {len(first)} is left out: {reason}")

    def test_a_newer_row_is_refused_and_changes_nothing(self, index: TraceIndex) -> None:
        write(index.run, [trace(0)])
        index.refresh()
        (index.run.traces / "rank00001-0000.jsonl").write_bytes(
            lines.encode([trace(1).to_row(), trace(2).to_row() | {"version": 9}])
        )
        with pytest.raises(RunLogError, match="version 9"):
            index.refresh()
        assert index.count() == 1
        (index.run.traces / "rank00001-0000.jsonl").unlink()
        write(index.run, [trace(3)])
        index.refresh()
        assert [row["step"] for row in index.page()] == [0, 3]

    def test_a_deleted_run(self, index: TraceIndex) -> None:
        write(index.run, [trace(0)])
        index.refresh()
        (row,) = index.page()
        shutil.rmtree(index.run.path)
        with pytest.raises(RunLogError, match="is gone"):
            index.refresh()
        with pytest.raises(RunLogError, match="was the run deleted"):
            index.get(row["id"])

    def test_an_empty_run(self, index: TraceIndex) -> None:
        assert index.refresh() == 0
        assert index.page() == [] and index.figures.series("total") == [] and index.figures.facets()["outcome"] == {}
        assert index.bounds() == {"rows": 0, "superseded": 0, "first": 0, "last": 0}

    def test_asking_before_the_first_refresh(self, index: TraceIndex) -> None:
        with pytest.raises(RunLogError, match="call refresh"):
            index.page()

    def test_progress_counts_bytes_up_to_the_end(self, index: TraceIndex) -> None:
        write(index.run, [trace(0, index=i) for i in range(5000)], shard_bytes=10)
        told: list[tuple[int, int]] = []
        index.refresh(lambda done, of: told.append((done, of)))
        size = sum(path.stat().st_size for path in runlog.shard_paths(index.run))
        assert told[-1] == (size, size) and told == sorted(told) and len(told) > 2

    def test_a_read_only_cache_is_no_obstacle(self, run: runlog.RunFolder, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        write(run, [trace(0)])
        with TraceIndex(run, cache=tmp_path / "file" / "cache") as index:
            assert index.refresh() == 1

    def test_several_threads_while_a_writer_writes(self, index: TraceIndex) -> None:
        failures: list[BaseException] = []

        def ask() -> None:
            try:
                for _ in range(30):
                    index.refresh()
                    page = index.page({"text": "step"}, "-total", limit=5)
                    for row in page:
                        index.get(row["id"])
            except BaseException as failure:
                failures.append(failure)

        index.refresh()
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        with TraceWriter(index.run) as writer:
            for step in range(100):
                writer.write([trace(step, index=i) for i in range(4)])
        for thread in threads:
            thread.join()
        index.refresh()
        assert not failures and index.count() == 400


def test_two_openings_at_once(run: runlog.RunFolder, tmp_path: Path) -> None:
    write(run, [trace(0)])
    with TraceIndex(run, cache=tmp_path / "c") as one, TraceIndex(run, cache=tmp_path / "c") as other:
        assert one.refresh() == 1 and other.refresh() == 0
        write(run, [trace(1)])
        assert other.refresh() == 1 and one.refresh() == 0
        assert one.count() == other.count() == 2
        write(run, [trace(2, 5, 0), trace(2, 6, 0)])
        one.refresh()
        write(run, [trace(2, 6, 1)])
        other.refresh()
        assert [len(other.group(row["gid"])) for row in other.page({"step": 2, "index": 0})] == [1, 2]
