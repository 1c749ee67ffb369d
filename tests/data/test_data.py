"""Where scenarios come from, what is refused on its way into training, and the order in which prompts are asked."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from socialr1_lite.benchmarks import BENCHMARKS, tombench_hard
from socialr1_lite.data import check_source, heldout_scenarios, schedule, training_scenarios
from socialr1_lite.data.files import READERS
from socialr1_lite.errors import DataError, LeakError
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.scenario import Scenario
from tests.hard import HEADER, hard_csv, hard_row

ROOT = Path(__file__).resolve().parent.parent.parent


def recipe(**data: Any) -> Recipe:
    """A recipe whose data section is this; nothing held out unless given."""
    run = {"grpo": data.pop("grpo", {}), "run": data.pop("run", {})}
    heldout = data.pop("heldout", 0)
    return Recipe.model_validate({"data": {"heldout": heldout, **data}, "evaluation": {"items": 0}, **run})


def row(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"mine/{number}",
        "story": f"Anna puts ball {number} into the box.",
        "question": "Where is it?",
        "options": ["bag", "box"],
        "gold": "box",
    } | changes


def jsonl(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows), "utf-8")
    return str(path)


def load(path: Path, rows: Sequence[Any], **data: Any) -> list[Scenario]:
    return training_scenarios(recipe(source=jsonl(path / "mine.jsonl", rows), **data))


class TestFiles:
    def test_jsonl_under_our_names(self, tmp_path: Path) -> None:
        (one,) = load(tmp_path, [row(dimension="belief", group="g", meta={"order": 1})])
        assert one == Scenario(
            "mine/0", "Anna puts ball 0 into the box.", "Where is it?", ("bag", "box"), (1,),
            dimension="belief", group="g", meta={"order": 1},
        )  # fmt: skip

    @pytest.mark.parametrize(("gold", "index"), [(0, 0), ("B", 1), ("box", 1), ("(a)", 0), ([0, 1], None)])
    def test_gold_as_index_letter_or_text(self, tmp_path: Path, gold: Any, index: int | None) -> None:
        (one,) = load(tmp_path, [row(gold=gold)])
        assert one.gold == ((0, 1) if index is None else (index,))

    def test_columns_are_mapped_ours_to_theirs(self, tmp_path: Path) -> None:
        theirs = {
            "STORY": "S.",
            "QUESTION": "Q?",
            "OPTION-A": "x",
            "OPTION-B": "y",
            "OPTION-C": float("nan"),
            "答案\nANSWER": "B",
        }
        columns = {"story": "STORY", "question": "QUESTION", "gold": "答案\nANSWER"}
        columns |= {f"option_{x}": f"OPTION-{x.upper()}" for x in "abc"}
        (one,) = load(tmp_path, [theirs], columns=columns)
        assert (one.story, one.options, one.gold, one.id) == ("S.", ("x", "y"), (1,), "mine/1")

    def test_csv_with_option_columns_or_a_list(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, ["story", "question", "option_a", "option_b", "option_c", "options", "gold"])
            writer.writeheader()
            writer.writerow({"story": "Two\nlines.", "question": "Q?", "option_a": "x", "option_b": "y", "gold": "B"})
            writer.writerow({"story": "S.", "question": "Q?", "options": '["x", "y", "z"]', "gold": "z"})
        first, second = training_scenarios(recipe(source=str(path)))
        assert (first.options, first.gold, first.id) == (("x", "y"), (1,), "mine/3")
        assert (second.options, second.gold, second.id) == (("x", "y", "z"), (2,), "mine/4")

    def test_options_given_twice(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="one of the two is needed"):
            load(tmp_path, [row(option_a="x", option_b="y")])

    def test_an_empty_option_between_others_is_a_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="option B is empty"):
            load(tmp_path, [row(options=["bag", "", "box", None])])

    def test_parquet(self, tmp_path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row(n) for n in range(3)]), tmp_path / "mine.parquet")
        loaded = training_scenarios(recipe(source=str(tmp_path / "mine.parquet")))
        assert loaded == load(tmp_path, [row(n) for n in range(3)])

    def test_open_ended_questions_need_an_accepted_answer(self, tmp_path: Path) -> None:
        loaded = load(
            tmp_path, [row(0, options=None, gold="the box"), row(1, options=None, gold=None, accepted=["box", "a box"])]
        )
        assert [one.accepted for one in loaded] == [("the box",), ("box", "a box")]
        with pytest.raises(DataError, match="neither options nor an accepted answer"):
            load(tmp_path, [row(options=None, gold=None)])

    def test_limit_counts_rows(self, tmp_path: Path) -> None:
        assert len(load(tmp_path, [row(n) for n in range(5)], limit=3)) == 3

    def test_every_bad_row_is_told_with_line_and_reason(self, tmp_path: Path) -> None:
        rows = [
            row(0),
            "{oops",
            row(2, gold="garden"),
            "[1]",
            row(4, options=["only"], gold="A"),
            row(0),
            "",
            row(7, question="", story=""),
        ]
        with pytest.raises(DataError) as caught:
            load(tmp_path, rows)
        lines = str(caught.value).splitlines()
        path = tmp_path / "mine.jsonl"
        assert lines[0] == f"{path}: 6 of 7 rows are wrong:"
        for line, (place, reason) in zip(
            lines[1:],
            [
                (2, "not JSON"),
                (3, "gold 'garden' names none of the options (A='bag', B='box')"),
                (4, "a JSON object is needed, not list"),
                (5, "1 options"),
                (6, "id 'mine/0' was already used"),
                (8, "question"),
            ],
            strict=True,
        ):
            assert line.startswith(f"  {path}:{place}: ") and reason in line

    def test_of_many_bad_rows_ten_are_told_and_the_rest_counted(self, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            load(tmp_path, ["{"] * 25)
        lines = str(caught.value).splitlines()
        assert len(lines) == 12 and lines[-1] == "  ... and 15 more"

    def test_a_wrong_mapping_tells_the_columns_found(self, tmp_path: Path) -> None:
        with pytest.raises(
            DataError, match=r"data\.columns names 'Question', which is not a column; found: 'id', 'story', 'question'"
        ):
            load(tmp_path, [row()], columns={"question": "Question"})
        with pytest.raises(DataError, match="'quest' is no field of a scenario; there are id, story, question"):
            load(tmp_path, [row()], columns={"quest": "question"})

    def test_a_wrong_encoding_is_told_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.jsonl"
        path.write_bytes(json.dumps(row()).encode() + b'\n{"question": "caf\xe9"}\n')
        with pytest.raises(DataError, match=r"mine\.jsonl:2: not UTF-8"):
            training_scenarios(recipe(source=str(path)))

    def test_ragged_csv_is_told_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.csv"
        path.write_text("question,option_a,option_b,gold\nQ?,x,y,A\nQ?,x,y,A,and,more\n")
        with pytest.raises(DataError, match=r"mine\.csv:3: 2 more cells than the 4 columns"):
            training_scenarios(recipe(source=str(path)))

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("nowhere.jsonl", "there is no such file"),
            ("notes.txt", "is none of: stories"),
            ("a/b/c", "is none of: stories"),
        ],
    )
    def test_a_source_that_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(DataError, match=why):
            training_scenarios(recipe(source=name))

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="there is no row in it"):
            load(tmp_path, [""])

    def test_a_file_that_is_no_parquet(self, tmp_path: Path) -> None:
        (tmp_path / "mine.parquet").write_text("not at all")
        with pytest.raises(DataError, match="not readable as Parquet"):
            training_scenarios(recipe(source=str(tmp_path / "mine.parquet")))


class TestHub:
    def test_rows_are_mapped_and_the_settings_handed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import datasets

        asked: list[Any] = []

        def load_dataset(*names: Any, **more: Any) -> list[dict[str, Any]]:
            asked.append((names, more))
            return [{"context": "S.", "question": "Q?", "answerA": "x", "answerB": "y", "label": "A"}]

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        columns = {"story": "context", "option_a": "answerA", "option_b": "answerB", "gold": "label"}
        (one,) = training_scenarios(recipe(source="me/questions", config="en", revision="abc", columns=columns))
        assert (one.id, one.story, one.options, one.gold) == ("questions/1", "S.", ("x", "y"), (0,))
        assert asked == [(("me/questions", "en"), {"split": "train", "revision": "abc"})]

    def test_no_network_is_one_clear_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import datasets

        def load_dataset(*_: Any, **__: Any) -> None:
            raise ConnectionError("Couldn't reach the hub\nand much more text")

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        with pytest.raises(DataError) as caught:
            training_scenarios(recipe(source="me/questions"))
        assert "me/questions" in str(caught.value) and "Couldn't reach the hub; without a network" in str(caught.value)
        assert "\n" not in str(caught.value)


class TestToMBenchHard:
    def test_options_and_gold_are_taken_as_found(self, tmp_path: Path) -> None:
        rows = [hard_row(0), hard_row(1, options=2, gold="A. ")]
        two = training_scenarios(recipe(source=str(hard_csv(tmp_path / "ToMBench_Hard_train.csv", rows))))
        assert [one.options[:2] for one in two] == [("the attic 0", "the cellar 0"), ("the attic 1", "the cellar 1")]
        assert [(len(one.options), one.gold, one.dimension) for one in two] == [
            (4, (1,), "belief"),
            (2, (0,), "belief"),
        ]
        assert two[0].id == "tombench-hard/ToMBench_Hard_train/1" and two[0].meta["language"] == "en"

    @pytest.mark.parametrize("name", ["data/train.parquet", "train-00000.jsonl", "ToMBench_Hard_train.csv"])
    def test_a_folder_gives_its_training_split_and_no_other(self, tmp_path: Path, name: str) -> None:
        home = tmp_path / "ToMBench-Hard"
        hard_csv(home / "ToMBench_Hard_val.csv", [hard_row(n) for n in range(50, 53)])
        path, rows = home / name, [dict(zip(HEADER, hard_row(n), strict=True)) for n in range(3)]
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".csv":
            hard_csv(path, [list(one.values()) for one in rows])
        elif path.suffix == ".jsonl":
            jsonl(path, rows)
        else:
            import pyarrow
            import pyarrow.parquet

            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        made = training_scenarios(recipe(source=str(home)))
        assert [one.question for one in made] == [f"Where will Ida look for kite {n}?" for n in range(3)]

    def test_only_a_test_split_is_refused_with_what_is_there(self, tmp_path: Path, benchmarks_dir: Path) -> None:
        home = tmp_path / "ToMBench-Hard"
        path = hard_csv(home / "ToMBench_Hard_val.csv", [hard_row(0)])
        with pytest.raises(
            DataError, match=r"no file of ToMBench-Hard's training split.*found: ToMBench_Hard_val\.csv"
        ):
            training_scenarios(recipe(source=str(home)))
        with pytest.raises(LeakError, match="this is ToMBench-Hard"):
            training_scenarios(recipe(source=str(path)))
        with pytest.raises(DataError, match="found: none"):
            training_scenarios(recipe(source=str(benchmarks_dir / "ToMBench-Hard")))

    def test_an_unknown_header_gives_the_setting_that_reads_it(self, tmp_path: Path) -> None:
        header = ("Kind", "Text", "QUESTION", "W", "X", "Y", "Z", "Solution")
        path = hard_csv(tmp_path / "ToMBench_Hard_train.csv", [hard_row(n) for n in range(3)], header)
        with pytest.raises(DataError) as caught:
            training_scenarios(recipe(source=str(path)))
        message = str(caught.value)
        assert "no column for story, options, gold; the header is: Kind, Text, QUESTION, W" in message
        line = message.partition("write data.columns: ")[2]
        for hole, name in (("story", "Text"), ("gold", "Solution")):
            line = line.replace(f'{hole}: "?"', f'{hole}: "{name}"')
        columns = yaml.safe_load(line.replace('options: "?"', "options: [W, X, Y, Z]"))
        made = training_scenarios(recipe(source=str(path), columns=columns))
        assert [one.gold for one in made] == [(1,)] * 3 and made[2].story.startswith("Ida puts kite 2")

    def test_rows_that_cannot_be_asked_are_refused_when_they_are_most(self, tmp_path: Path) -> None:
        path = hard_csv(tmp_path / "ToMBench_Hard_train.csv", [hard_row(n, gold="1") for n in range(9)])
        with pytest.raises(DataError, match=r"9 of 9 rows.*cannot be asked: line 4: gold '1' is a number.*and 6 more"):
            training_scenarios(recipe(source=str(path)))

    def test_the_name_alone_is_the_hubs_training_split(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []

        def load_dataset(*names: Any, **more: Any) -> list[dict[str, Any]]:
            asked.append((names, more))
            return [{"story": "S.", "question": f"{n}?", "choices": ["A. x", "B. y"], "answer": "y"} for n in range(3)]

        monkeypatch.setattr("datasets.load_dataset", load_dataset)
        three = training_scenarios(recipe(source="tombench-hard"))
        assert [(one.options, one.gold) for one in three] == [(("x", "y"), (1,))] * 3
        assert asked == [(("Jincenzi/ToMBench_Hard", None), {"split": "train", "revision": None})]
        with pytest.raises(LeakError):
            training_scenarios(recipe(source="tombench-hard", split="test"))

    def test_the_authors_other_files_are_read_by_the_same_reader(self, benchmarks_dir: Path) -> None:
        """Their header, two and four options, NaN cells and "A. " as gold; only read here, never trained on."""
        path = benchmarks_dir / "ToMBench" / "data" / "False Belief Task.jsonl"
        found = next(path for path in (benchmarks_dir / "ToMBench").rglob("False Belief Task.jsonl"))
        read, line = tombench_hard.training(READERS[".jsonl"](found), path.stem)
        assert len(read) > 500 and {len(one.options) for one in read} <= {2, 3, 4}
        assert "of 600 rows of ToMBench-Hard are asked" in line and " en" in line


class TestMixed:
    def mixed(self, tmp_path: Path, **data: Any) -> Recipe:
        rows = [hard_row(n) for n in range(30)]
        path = hard_csv(tmp_path / "ToMBench_Hard_train.csv", rows)
        sources = [{"source": "stories", "share": 1}, {"source": str(path), "share": 3}]
        return groups(40, sources=sources, size=20, **data)

    def test_each_source_has_its_share_of_every_beginning(self, tmp_path: Path) -> None:
        wanted = self.mixed(tmp_path)
        planned = schedule(training_scenarios(wanted), wanted)
        hard = [one.source == "tombench-hard" for one in planned]
        assert all(abs(sum(hard[:n]) - 0.75 * n) < 1 for n in range(1, 41))
        assert schedule(training_scenarios(wanted), wanted) == planned
        other = self.mixed(tmp_path, run_seed=43)
        assert schedule(training_scenarios(other), other) != planned
        assert schedule(training_scenarios(wanted), groups(20, **dict(wanted.data)))[:20] == planned[:20]

    def test_held_out_questions_are_mixed_alike_and_from_no_story_that_is_trained_on(self, tmp_path: Path) -> None:
        wanted = self.mixed(tmp_path, heldout=8)
        training, heldout = training_scenarios(wanted), heldout_scenarios(wanted)
        assert len(heldout) == 8 and len(training) == 20 + 24
        assert [one.source == "tombench-hard" for one in heldout].count(True) == 6
        assert {one.source == "tombench-hard" for one in heldout[:4]} == {True, False}
        assert not {one.story for one in training} & {one.story for one in heldout}

    def test_it_is_written_down_and_read_back_as_the_same_training(self, tmp_path: Path) -> None:
        wanted = self.mixed(tmp_path, heldout=4)
        (tmp_path / "run.yaml").write_text(wanted.to_yaml(), encoding="utf-8")
        again = load_recipe(tmp_path / "run.yaml")
        assert again.data == wanted.data and again.digest == wanted.digest
        assert training_scenarios(again) == training_scenarios(wanted)

    def test_one_id_in_two_sources_is_refused(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            jsonl(tmp_path / f"{name}.jsonl", [row(n, story=f"{name} {n}") for n in range(3)])
        sources = [{"source": str(tmp_path / f"{name}.jsonl"), "share": 1} for name in ("one", "two")]
        with pytest.raises(DataError, match="two of them have the id 'mine/0' \\(3 such ids\\)"):
            training_scenarios(recipe(sources=sources))

    def test_what_one_source_keeps_back_the_other_may_not_train_on(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            jsonl(tmp_path / f"{name}.jsonl", [row(n, id=f"{name}/{n}") for n in range(6)])
        sources = [{"source": str(tmp_path / f"{name}.jsonl"), "share": 1} for name in ("one", "two")]
        with pytest.raises(LeakError, match="is also held out"):
            training_scenarios(recipe(sources=sources, heldout=1))


class TestHeldout:
    def test_stories_share_nothing_between_the_splits(self) -> None:
        wanted = recipe(size=40, heldout=20)
        training, heldout = training_scenarios(wanted), heldout_scenarios(wanted)
        assert (len(training), len(heldout)) == (40, 20)
        assert not {one.id for one in training} & {one.id for one in heldout}
        assert not {one.story for one in training} & {one.story for one in heldout}

    def test_a_file_is_split_by_story(self, tmp_path: Path) -> None:
        rows = [row(n, story=f"Story {n // 2}.") for n in range(20)]
        wanted = recipe(source=jsonl(tmp_path / "mine.jsonl", rows), heldout=5)
        training, heldout = training_scenarios(wanted), heldout_scenarios(wanted)
        assert len(heldout) == 5 and len(training) == 14  # the sixth story's other question is on neither side
        assert not {one.story for one in training} & {one.story for one in heldout}
        assert heldout_scenarios(wanted) == heldout
        assert heldout_scenarios(recipe(source=wanted.data.source, heldout=5, seed=8)) != heldout

    def test_nothing_left_to_train_on(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="leaves none to train on"):
            load(tmp_path, [row(n) for n in range(3)], heldout=3)

    def test_another_source_may_be_a_test_split(self, tmp_path: Path) -> None:
        held = jsonl(tmp_path / "my_test.jsonl", [row(n + 50) for n in range(4)])
        wanted = recipe(
            source=jsonl(tmp_path / "mine.jsonl", [row(n) for n in range(3)]), heldout=2, heldout_source=held
        )
        assert [one.id for one in heldout_scenarios(wanted)] == ["mine/50", "mine/51"]
        assert len(training_scenarios(wanted)) == 3

    @pytest.mark.parametrize("same", [row(1), row(1, id="other", options=["box", "bag"])])
    def test_one_question_on_both_sides_is_refused(self, tmp_path: Path, same: dict[str, Any]) -> None:
        held = jsonl(tmp_path / "held.jsonl", [same])
        wanted = recipe(
            source=jsonl(tmp_path / "mine.jsonl", [row(n) for n in range(3)]), heldout=1, heldout_source=held
        )
        with pytest.raises(LeakError, match="mine/1 is also held out"):
            training_scenarios(wanted)

    def test_none_asked_for(self) -> None:
        assert heldout_scenarios(recipe(size=2)) == []


class TestLeakGuard:
    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("data/ToMBench/data/my rows.jsonl", "Avoid using ToMBench data for training in any circumstance"),
            ("tombench.jsonl", "evaluation purposes only"),
            ("False Belief Task.jsonl", "this is ToMBench"),
            ("zhchen18/ToMBench", "this is ToMBench"),
            ("ToMBench_English_v2.parquet", "this is ToMBench"),
            ("skywalker023/fantom", "should only be used for evaluation purposes"),
            ("fantom_v1.jsonl", "this is FanToM"),
            ("allenai/SimpleToM", "designed for testing models only, not for training"),
            ("TactfulToM/Tactful_conv_set_0.jsonl", "research and evaluation purposes only"),
            ("MotiveBench/Blog_questions.jsonl", "no licence"),
            ("emo-bench/EA.jsonl", "this is EmoBench"),
            ("ToMBench_Hard_val.csv", "this is ToMBench-Hard"),
            ("social_iqa/dev.jsonl", "this is SocialIQA"),
            ("my_test.jsonl", "'test' names a split"),
            ("rows/validation.parquet", "'validation' names a split"),
            ("myDevSet.csv", "'dev' names a split"),
        ],
    )
    def test_evaluation_data_is_refused_in_the_authors_words(self, source: str, words: str) -> None:
        with pytest.raises(LeakError, match=words):
            check_source(source)

    @pytest.mark.parametrize("split", ["test", "validation", "test[:10]", "train+test", "dev"])
    def test_held_back_splits_of_a_hub_dataset_are_refused(self, split: str) -> None:
        with pytest.raises(LeakError):
            check_source("me/questions", split)
        with pytest.raises(LeakError):
            check_source("Jincenzi/ToMBench_Hard", split)

    @pytest.mark.parametrize(
        "source",
        [
            "Jincenzi/ToMBench_Hard",
            "ToMBench-Hard/train.csv",
            "data/ToMBench_Hard_train.parquet",
            "allenai/social_i_qa",
            "social_iqa/train.jsonl",
            "me/questions",
            "latest/contest_devices.jsonl",
            "phantom.jsonl",
        ],
    )
    def test_training_data_passes(self, source: str) -> None:
        check_source(source)

    def test_every_benchmark_is_covered_under_each_of_its_names(self) -> None:
        asked = [(b, name) for b in BENCHMARKS.values() for name in b.names]
        assert len(asked) > 30
        for benchmark, name in asked:
            allowed = benchmark.training.get("train")
            if allowed is not None and allowed.allowed:
                check_source(name)
            else:
                with pytest.raises(LeakError, match=benchmark.title):
                    check_source(name)

    def test_rows_that_name_their_origin(self, tmp_path: Path) -> None:
        with pytest.raises(LeakError, match="row tombench/3: this is ToMBench"):
            load(tmp_path, [row(), row(1, id="tombench/3")])
        with pytest.raises(LeakError, match="this is SimpleToM"):
            load(tmp_path, [row(1, source="SimpleToM")])
        with pytest.raises(LeakError, match="this is SocialIQA"):
            load(tmp_path, [row(1, id="socialiqa/dev/3")])
        assert load(tmp_path, [row(1, id="socialiqa/train/3")])

    def test_it_is_asked_before_the_file_is_read(self) -> None:
        with pytest.raises(LeakError):
            training_scenarios(recipe(source="ToMBench/nowhere.jsonl"))


def scenarios(count: int, dimensions: Sequence[str] = ("belief",), orders: Sequence[int] = (0, 1, 2)) -> list[Scenario]:
    plain = Scenario("s", "Story.", "Question?", ("a", "b"), (0,))
    return [
        replace(plain, id=f"s/{n}", dimension=dimensions[n % len(dimensions)], meta={"order": orders[n % len(orders)]})
        for n in range(count)
    ]


def groups(count: int, **data: Any) -> Recipe:
    """A recipe that asks `count` prompt groups, two a step."""
    grpo = {
        "max_steps": count // 2,
        "num_generations": 4,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
    }
    return recipe(grpo=grpo, run={"save_steps": 1, "seed": data.pop("run_seed", 42)}, **data)


class TestSchedule:
    def test_one_entry_for_every_prompt_group_of_the_run(self) -> None:
        assert len(schedule(scenarios(5), groups(24))) == 24
        reused = {"max_steps": 6, "num_generations": 4, "per_device_train_batch_size": 8, "num_iterations": 2}
        wanted = recipe(
            grpo=reused | {"gradient_accumulation_steps": 2, "steps_per_generation": 2}, run={"save_steps": 2}
        )
        assert len(schedule(scenarios(5), wanted)) == wanted.generations * wanted.groups_per_generation == 3 * 4

    def test_every_scenario_once_a_round_and_each_round_in_another_order(self) -> None:
        ids = [one.id for one in schedule(scenarios(8), groups(24))]
        rounds = [ids[i : i + 8] for i in (0, 8, 16)]
        assert all(len(set(one)) == 8 for one in rounds)
        assert len({tuple(one) for one in rounds}) == 3

    def test_the_seed_decides(self) -> None:
        assert schedule(scenarios(50), groups(20)) == schedule(scenarios(50), groups(20))
        assert schedule(scenarios(50), groups(20)) != schedule(scenarios(50), groups(20, run_seed=43))

    def test_another_process_plans_the_same(self) -> None:
        code = (
            "from tests.data.test_data import *\n"
            "print([s.id for s in schedule(scenarios(30, ('belief', 'desire')), groups(40, mix={'belief': 2, 'desire': 1}))])"
        )
        outputs = {
            subprocess.run(
                [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed, "PATH": ""},
                capture_output=True, text=True, check=True,
            ).stdout
            for seed in ("1", "2")
        }  # fmt: skip
        here = schedule(scenarios(30, ("belief", "desire")), groups(40, mix={"belief": 2, "desire": 1}))
        assert outputs == {f"{[one.id for one in here]}\n"}

    def test_a_longer_run_begins_as_the_shorter_one(self) -> None:
        assert schedule(scenarios(7), groups(40))[:20] == schedule(scenarios(7), groups(20))

    @given(
        shares=st.dictionaries(st.sampled_from(["belief", "desire", "emotion"]), st.integers(1, 5), min_size=1),
        count=st.integers(1, 40),
    )
    @settings(max_examples=60)
    def test_the_mix_holds_on_every_beginning(self, shares: dict[str, int], count: int) -> None:
        planned = schedule(scenarios(12, ("belief", "desire", "emotion")), groups(2 * count, mix=shares))
        seen: Counter[str] = Counter()
        for position, one in enumerate(planned, start=1):
            seen[one.dimension] += 1
            for name in ("belief", "desire", "emotion"):
                wanted = position * shares.get(name, 0) / sum(shares.values())
                assert abs(seen[name] - wanted) < len(shares)

    def test_difficulty_rises_with_the_run(self) -> None:
        stages = [{"until": 0.25, "orders": [0]}, {"until": 0.5, "orders": [0, 1]}]
        planned = schedule(scenarios(30), groups(40, difficulty=stages))
        orders = [one.meta["order"] for one in planned]
        assert set(orders[:10]) == {0} and set(orders[10:20]) <= {0, 1} and 1 in orders[10:20]
        assert 2 in orders[20:]

    def test_what_was_not_asked_yet_comes_first_in_the_next_stage(self) -> None:
        planned = schedule(scenarios(30), groups(40, difficulty=[{"until": 0.25, "orders": [0]}]))
        assert len({one.id for one in planned[:30]}) == 30  # 10 of order 0, then the 20 others

    @pytest.mark.parametrize(
        ("made", "data", "why"),
        [
            ([], {}, "there is no scenario to train on"),
            (scenarios(4), {"mix": {"desire": 1.0}}, "data.mix names desire; the scenarios have belief"),
            (scenarios(4, orders=(0,)), {"difficulty": [{"until": 0.5, "orders": [2]}]}, r"allows orders \[2\]"),
        ],
    )
    def test_a_plan_that_cannot_be_made(self, made: list[Scenario], data: dict[str, Any], why: str) -> None:
        with pytest.raises(DataError, match=why):
            schedule(made, groups(4, **data))


def test_importing_loads_no_heavy_library() -> None:
    code = "import socialr1_lite.data, sys; print({'torch', 'datasets', 'pyarrow', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
