"""The authors' own files: exact row counts, every trap in them, and scripted policies over all of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Item, Loaded
from socialr1_lite.benchmarks.tombench import FILE_ROWS
from socialr1_lite.errors import DataError
from socialr1_lite.evaluation.items import same_story
from socialr1_lite.statistics import interval
from tests.benchmarks.harness import chance, guesser, oracle, play

COUNTS = {  # what lies in the shared folder: items, and rows by file
    "tombench": (5719, {f"{stem}.jsonl": rows for stem, rows in FILE_ROWS.items()}),
    "socialiqa": (400, {"dev.first400.jsonl": 400, "dev-labels.first400.lst": 400}),
    "simpletom": (
        203,
        {"mental-state-qa/test.jsonl": 100, "behavior-qa/test.jsonl": 100, "judgment-qa/test.jsonl": 3},
    ),
    "emobench": (1200, {"EA.jsonl": 400, "EU.jsonl": 400}),
    "motivebench": (9, {"Amazon_questions.first3.json": 3}),
    "hi-tom": (600, {"Hi-ToM_data.json": 1200}),
    "tactfultom": (28, {"Tactful_conv_set_0.first1.json": 1}),
    "fantom": (13, {"official_layout_example_0-0-0.json": 1}),
    "sotopia": (
        900,
        {"environment_profiles.jsonl": 90, "agent_profiles.jsonl": 40, "env_agent_combo_storages.jsonl": 450},
    ),
}
CHOICE = ("tombench", "socialiqa", "simpletom", "emobench", "motivebench", "hi-tom")
OFFICIAL = ("tombench", "simpletom", "emobench", "motivebench", "hi-tom", "tactfultom", "fantom")
_loaded: dict[str, Loaded] = {}


def load(name: str, folder: Path) -> Loaded:
    """Each benchmark's files are read once for all tests."""
    if name not in _loaded:
        _loaded[name] = BENCHMARKS[name].load(folder)
    return _loaded[name]


def english(loaded: Loaded) -> list[Item]:
    return [item for item in loaded.items if item.label("language") == "en"]


@pytest.mark.parametrize("name", COUNTS)
def test_every_official_file_loads_with_its_exact_rows(name: str, benchmarks_dir: Path) -> None:
    loaded = load(name, benchmarks_dir)
    items, files = COUNTS[name]
    assert len(loaded.items) == items
    assert {file.name: file.rows for file in loaded.files} == files
    assert all(len(file.sha256) == 64 for file in loaded.files)


@pytest.mark.parametrize("name", COUNTS)
def test_ids_are_unique_and_say_their_benchmark(name: str, benchmarks_dir: Path) -> None:
    ids = [item.scenario.id for item in load(name, benchmarks_dir).items]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith(f"{name}/") for one in ids)


def test_a_benchmark_that_is_not_there_says_where_to_get_it(benchmarks_dir: Path) -> None:
    with pytest.raises(DataError, match=r"no official ToMBench-Hard file.*jincenziwu/SocialR1"):
        BENCHMARKS["tombench-hard"].load(benchmarks_dir)


@pytest.mark.parametrize("name", [*CHOICE, "tactfultom", "fantom"])
@pytest.mark.parametrize("official", [False, True], ids=["own prompt", "authors' prompt"])
def test_an_oracle_scores_one_on_every_metric(name: str, official: bool, benchmarks_dir: Path) -> None:
    if official and name not in OFFICIAL:
        pytest.skip("no prompt is published")
    items = english(load(name, benchmarks_dir))[:300]
    scores = play(BENCHMARKS[name], items, oracle, official=official)
    assert scores.headline in scores.metrics
    values = {metric: tally.value for metric, tally in scores.metrics.items()}
    assert values == dict.fromkeys(values, 1.0)
    assert all(tally.value == 1.0 for group in scores.groups.values() for tally in group.values())


@pytest.mark.parametrize("name", CHOICE)
@pytest.mark.parametrize("official", [False, True], ids=["own prompt", "authors' prompt"])
def test_a_guesser_scores_chance_within_its_interval(name: str, official: bool, benchmarks_dir: Path) -> None:
    if official and name not in OFFICIAL:
        pytest.skip("no prompt is published")
    items = english(load(name, benchmarks_dir))
    if name == "emobench":  # of the pairs both parts must be right: look at the single-question task
        items = [item for item in items if item.label("part") == "EA"]
    items = items[:: max(1, len(items) // 400)]  # some of every task
    scores = play(BENCHMARKS[name], items, guesser(5), official=official)
    metric = scores.metrics["accuracy"]
    found = interval(metric, resamples=400)
    assert found.low <= chance(items) <= found.high
    assert found.low < found.value < found.high


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tombench", "hi-tom", "emobench"])
def test_an_oracle_scores_one_on_the_whole_set_in_both_languages(name: str, benchmarks_dir: Path) -> None:
    scores = play(BENCHMARKS[name], load(name, benchmarks_dir).items, oracle)
    assert {tally.value for tally in scores.metrics.values()} == {1.0}


@pytest.mark.parametrize(("name", "several"), [("emobench", {"en": 57, "zh": 60}), ("tombench", {"en": 43, "zh": 29})])
def test_stories_that_are_told_under_several_numbers_are_one(
    name: str, several: dict[str, int], benchmarks_dir: Path
) -> None:
    for language, count in several.items():
        items = [item for item in load(name, benchmarks_dir).items if item.label("language") == language]
        numbers = Counter(same_story(items).values())
        assert sum(many > 1 for many in numbers.values()) == count


def test_emobench_pairs_are_worth_less_than_their_parts(benchmarks_dir: Path) -> None:
    items = [item for item in english(load("emobench", benchmarks_dir)) if item.label("part") != "EA"]
    scores = play(BENCHMARKS["emobench"], items, guesser(5))
    pairs = interval(scores.metrics["EU en"])
    emotion, cause = items[0::2], items[1::2]
    together = sum(1 / (len(e.scenario.options) * len(c.scenario.options)) for e, c in zip(emotion, cause, strict=True))
    assert len(emotion) == 200
    assert pairs.low <= together / 200 <= pairs.high


# ------------------------------------------------------------------------------------------------ the traps


def test_tombench_golds_options_and_the_misaligned_row(benchmarks_dir: Path) -> None:
    loaded = load("tombench", benchmarks_dir)
    ids = {item.scenario.id: item.scenario for item in loaded.items}
    assert Counter(item.label("language") for item in loaded.items) == {"zh": 2860, "en": 2859}
    assert Counter(len(item.scenario.options) for item in english(loaded)) == {4: 2376, 2: 483}
    assert "tombench/Strange Story Task/293/en" not in ids
    assert len(ids["tombench/Strange Story Task/293/zh"].options) == 2
    assert any("Strange Story Task.jsonl line 293" in note for note in loaded.notes)
    assert ids["tombench/Knowledge-Attention Links/11/en"].gold == (0,)  # written "A. "
    doubled = ids["tombench/Unexpected Outcome Test/166/en"]
    assert len(set(doubled.options)) == 3 and doubled.gold == (3,)
    lettered = [o for s in ids.values() for place, o in enumerate(s.options) if o.startswith(f"{'ABCD'[place]}.")]
    assert lettered == []


def test_tombench_questions_of_one_story_share_a_group(benchmarks_dir: Path) -> None:
    false_belief = [i for i in english(load("tombench", benchmarks_dir)) if i.label("task") == "False Belief Task"]
    assert len(false_belief) == 600
    assert len({item.scenario.group for item in false_belief}) == 100


def test_hitom_uses_cotp_only_and_cleans_its_stories(benchmarks_dir: Path) -> None:
    loaded = load("hi-tom", benchmarks_dir)
    assert Counter(item.label("order") for item in loaded.items) == dict.fromkeys("01234", 120)
    assert Counter(item.scenario.group for item in loaded.items) == dict.fromkeys(
        {item.scenario.group for item in loaded.items}, 5
    )
    assert all(len(set(item.scenario.options)) == 15 for item in loaded.items)
    stories = [item.scenario.story for item in loaded.items]
    assert not any("***" in story or "Read the following" in story for story in stories)
    assert stories[0].startswith("1 Avery, Charlotte") and stories[0].endswith("entered the waiting_room.")


def test_simpletom_constant_golds_are_kept_apart(benchmarks_dir: Path) -> None:
    gold = {
        (item.label("question_type"), item.scenario.gold_text)
        for item in load("simpletom", benchmarks_dir).items
        if item.label("question_type") != "action"
    }
    assert gold == {("aware", "No"), ("judge", "Reasonable")}


def test_socialiqa_labels_count_from_one(benchmarks_dir: Path) -> None:
    first = load("socialiqa", benchmarks_dir).items[0].scenario
    assert first.gold_text == "Find somewhere to go"  # label 3 of (A, B, C)
    train = BENCHMARKS["socialiqa"].train
    assert train is not None
    assert len(train(benchmarks_dir).items) == 5000


def test_fantom_leaves_out_what_has_no_gold(benchmarks_dir: Path) -> None:
    loaded = load("fantom", benchmarks_dir)
    assert Counter(item.kind for item in loaded.items) == {
        "fact": 1, "belief": 2, "choice": 2, "names": 2, "yesno": 6,
    }  # fmt: skip
    assert any("4 yes/no questions left out" in note for note in loaded.notes)


def test_fantom_beliefs_load_from_the_derived_files(benchmarks_dir: Path, tmp_path: Path) -> None:
    source = benchmarks_dir / "FanToM" / "belief_questions"
    (tmp_path / "belief_questions").symlink_to(source, target_is_directory=True)
    found = sorted(source.glob("*short_context*.csv"))
    for path in found:
        (tmp_path / path.name).symlink_to(path)
    loaded = BENCHMARKS["fantom"].load(tmp_path)
    assert sum(file.rows for file in loaded.files) == 60 + 60 + 130 + 90
    assert len(loaded.items) == 2 * 340
    scores = play(BENCHMARKS["fantom"], loaded.items, oracle)
    assert not any("All" in name for name in scores.metrics)  # no sets, so no All
    assert scores.headline == "inaccessible: belief choice"


def test_sotopia_hard_is_seventy_episodes_in_two_seats(benchmarks_dir: Path) -> None:
    items = load("sotopia", benchmarks_dir).items
    assert Counter(item.label("hard") for item in items) == {"hard": 140, "not hard": 760}
    assert Counter(item.label("seat") for item in items) == {"0": 450, "1": 450}
