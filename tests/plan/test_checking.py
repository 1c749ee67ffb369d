"""`--check` calls fine what a training takes: every mistake that needs no weights is found, all at once, with its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from socialr1_lite import train, train_judge
from socialr1_lite.errors import RecipeError
from socialr1_lite.pairs import make_pairs, write_pairs
from socialr1_lite.plan.checking import check_judge_recipe, check_recipe
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.recipe.judge import load_judge_recipe
from socialr1_lite.scenario import Scenario
from tests.hard import hard_csv, hard_row

SMALL = "data: {source: rows.jsonl, heldout: 0}\nevaluation: {items: 0}\ngrpo: {max_steps: 1}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a file into the folder that the test runs in, and return its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mine.yaml") -> str:
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def rows(n: int, **changes: Any) -> str:
    kept = [
        Scenario(f"mine/{i}", f"Ida puts kite {i} on the porch.", "Where is it?", ("the porch", "the shed"), (0,))
        for i in range(n)
    ]
    return "".join(json.dumps(replace(one, **changes).to_row()) + "\n" for one in kept)


def refusal(path: str, overrides: Sequence[str] = ()) -> str:
    with pytest.raises(RecipeError) as caught:
        check_recipe(load_recipe(path, overrides), path, overrides)
    return str(caught.value)


# --- names


def test_an_unknown_dimension_is_refused_with_its_line_and_what_was_meant(write) -> None:
    text = refusal(write("data:\n  size: 4\n  dimensions:\n    - knowledge\n    - belif\n"))
    assert text.startswith("mine.yaml has 1 mistake\n")
    assert "mine.yaml:5: data.dimensions[1]: given 'belif', which is no story dimension; allowed: belief, " in text
    assert "(did you mean belief?)" in text


def test_unknown_dimensions_matter_only_where_stories_are_made(write) -> None:
    write(rows(2), "rows.jsonl")
    assert check_recipe(load_recipe(write(SMALL), ["data.dimensions=[belif]"])) == []
    assert "belif" in refusal("mine.yaml", ["data.dimensions=[belif]", "data.heldout=2", "data.heldout_source=stories"])


def test_a_dimension_without_one_of_the_orders_is_refused(write) -> None:
    assert "data.orders: given [4]; the dimension knowledge has only 1, 2" in refusal(write("data:\n  orders: [4]\n"))


def test_an_unknown_mix_name_is_refused_for_stories_and_for_files(write) -> None:
    path = write("data:\n  size: 4\n  mix:\n    belief: 1\n    knowlege: 2\n")
    assert "mine.yaml:5: data.mix.knowlege: given 'knowlege', which is no story dimension" in refusal(path)
    write(rows(2, dimension="belief"), "rows.jsonl")
    text = refusal(write(SMALL), ["data.mix={belif: 1}"])
    assert "on the command line: data.mix.belif: given 'belif', which is no dimension of the scenarios" in text
    assert "allowed: belief (did you mean belief?)" in text


def test_a_mix_of_dimensions_that_are_not_made_is_refused(write) -> None:
    text = refusal(write("data: {size: 4, dimensions: [belief], mix: {belief: 1, emotion: 1}}\n"))
    assert "data.mix.emotion: given 'emotion', which is no dimension of the scenarios; allowed: belief" in text


def test_every_judge_is_built_and_each_wrong_one_named(write) -> None:
    text = refusal(
        write(
            "data: {size: 4}\nrewards:\n  content:\n    judges:\n"
            "      - name: rulez\n"
            "      - {name: rules, settings: {nonsense: 1}}\n"
            "      - {name: reward_model, settings: {path: nowhere}}\n"
            "      - {name: llm, settings: {base_url: 'http://localhost:9', model: m, tempo: 1}}\n"
            "      - {name: llm, settings: {base_url: 'http://localhost:9', model: m}}\n"
        )
    )
    assert text.startswith("mine.yaml has 4 mistakes")
    assert "mine.yaml:5: rewards.content.judges[0].name: given 'rulez', which is no judge" in text
    assert "(did you mean rules?)" in text
    assert "mine.yaml:6: rewards.content.judges[1].settings: rules: settings {'nonsense': 1} do not fit" in text
    assert "mine.yaml:7: rewards.content.judges[2].settings: reward_model: path: nowhere holds no judge.json" in text
    assert "mine.yaml:8: rewards.content.judges[3].settings: llm: settings: tempo: unknown key" in text


def test_a_model_folder_that_is_not_there_is_refused_and_a_hub_id_is_not(write) -> None:
    path = write("data: {size: 4}\n")
    assert "model.name: given './nowhere'; there is no such folder" in refusal(path, ["model.name=./nowhere"])
    check_recipe(load_recipe(path, ["model.name=owner/name"]))


# --- data


def test_a_missing_file_names_the_one_that_was_meant(write) -> None:
    write(rows(1), "rows.jsonl")
    text = refusal(write(SMALL.replace("rows", "rosw")))
    assert "mine.yaml:1: data.source: rosw.jsonl: there is no such file" in text
    assert "did you mean rows.jsonl?" in text


@pytest.mark.parametrize("source", ["array.json", "shards", "nowhere.json", "a/b/c"])
def test_what_is_neither_a_readable_file_nor_a_hub_id_is_refused(write, source: str) -> None:
    write("[]", "array.json")
    Path("shards").mkdir()
    text = refusal(write(SMALL), [f"data.source={source}"])
    assert f"{source!r} is none of: stories, a file ending in .jsonl" in text
    assert ("there is no such file" in text) == (source not in ("array.json", "shards"))


def test_bad_rows_are_told_with_file_and_line_the_first_of_them_and_their_number(write) -> None:
    write(rows(1) + "{oops\n" + rows(13, gold=(), options=()).replace("mine/", "other/"), "rows.jsonl")
    text = refusal(write(SMALL)).splitlines()
    assert text[1] == "  mine.yaml:1: data.source: rows.jsonl: 14 of 15 rows are wrong:"
    assert text[2].startswith("    rows.jsonl:2: not JSON: ")
    assert text[3].startswith("    rows.jsonl:3: neither options nor an accepted answer")
    assert len(text) == 1 + 1 + 10 + 1 and text[-1] == "    ... and 4 more"


def test_a_bad_heldout_file_does_not_hide_a_bad_training_file(write) -> None:
    write("x\n", "rows.jsonl")
    write("y\n", "held.jsonl")
    text = refusal(write(SMALL), ["data.heldout=1", "data.heldout_source=held.jsonl", "data.mix={x: 1}"])
    assert "2 mistakes" in text and "    held.jsonl:1: not JSON" in text and "    rows.jsonl:1: not JSON" in text


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.heldout=3"], "data.heldout: 3 of the 3 scenarios of rows.jsonl leaves none to train on"),
        (["data.difficulty=[{until: 1, orders: [1]}]"], "data.difficulty: allows orders [1], but no scenario has one"),
        (["data.heldout=1", "data.heldout_source=rows.jsonl"], "data.source: mine/0 is also held out"),
        (["data.source=ToMBench.jsonl"], "this is ToMBench, which must not be trained on"),
        (["data.source=zhchen18/ToMBench"], "this is ToMBench, which must not be trained on"),
    ],
)
def test_data_that_a_training_would_refuse_is_refused(write, overrides: list[str], message: str) -> None:
    write(rows(3), "rows.jsonl")
    assert message in refusal(write(SMALL), overrides)


def test_scenarios_that_are_asked_several_times_are_told_and_taken(write) -> None:
    write(rows(3), "rows.jsonl")
    recipe = load_recipe(write(SMALL), ["grpo.max_steps=6"])  # two groups a step
    assert check_recipe(recipe) == [
        "12 prompt groups are asked of 3 scenarios: the order repeats, each comes 4.0 times on average"
    ]
    write(rows(12), "rows.jsonl")
    assert check_recipe(recipe) == []


def test_a_hub_dataset_is_not_reached_and_said_not_to_be(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: pytest.fail("the network was used"))
    path = write(SMALL)
    write(rows(2), "rows.jsonl")
    assert check_recipe(load_recipe(path, ["data.source=me/questions"])) == [
        "not checked: me/questions (data.source) is read when training starts"
    ]
    more = ["data.heldout=2", "data.heldout_source=me/held"]
    assert "not checked: me/held (data.heldout_source) is read when training starts" in check_recipe(
        load_recipe(path, more)
    )
    write("x\n", "rows.jsonl")
    assert "rows.jsonl:1: not JSON" in refusal(path, more)


# --- the paper's own data, and several sources


def test_toms_hard_rows_are_told_in_one_line(write) -> None:
    hard_csv(Path("ToMBench_Hard_train.csv"), [*(hard_row(n) for n in range(5)), hard_row(3), hard_row(9, gold="E")])
    (note,) = check_recipe(load_recipe(write(SMALL), ["data.source=ToMBench_Hard_train.csv"]))
    assert note.startswith(
        "data.source: ToMBench_Hard_train: 5 of 7 rows of ToMBench-Hard are asked (700 are documented), 5 en; "
        "options as found (5 x 4); dropped 2: line 9: asked before; line 10: gold 'E' names none of the options"
    )


def test_toms_hard_that_is_not_here_is_one_line(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: pytest.fail("the network was used"))
    assert check_recipe(load_recipe(write(SMALL), ["data.source=tombench-hard"])) == [
        "not checked: tombench-hard (data.source) is read when training starts, from the hub; where there "
        "is no network, write the folder of a copy instead"
    ]


def test_a_training_reads_the_hub_before_it_loads_a_model(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: [{"Text": "S.", "Question": "Q?"}])
    with pytest.raises(
        RecipeError, match=r"mine\.yaml:1: data\.source: tombench-hard: no column for story, options, gold"
    ):
        train.main([write(SMALL.replace("rows.jsonl", "tombench-hard"))])
    assert [path.name for path in Path().iterdir()] == ["mine.yaml"]


MIXED = """data:
  heldout: 2
  size: 8
  sources:
    - {source: stories, share: 1}
    - source: rows.jsonl
      share: 3
evaluation: {items: 0}
grpo: {max_steps: 1}
"""


def test_a_mistake_of_one_of_several_sources_names_its_line(write) -> None:
    write("x\n", "rows.jsonl")
    assert "mine.yaml:6: data.sources[1].source: rows.jsonl: 1 of 1 rows are wrong" in refusal(write(MIXED))
    write(rows(9), "rows.jsonl")
    assert check_recipe(load_recipe(write(MIXED))) == []
    text = refusal(write(MIXED.replace("share: 3", "share: 3\n      columns: {question: Frage}")))
    assert (
        "mine.yaml:6: data.sources[1].source: rows.jsonl: 9 of 9" in text
        and "names 'Frage', which is not a column" in text
    )
    text = refusal(write(MIXED.replace("rows.jsonl", "ToMBench.jsonl")))
    assert "mine.yaml:6: data.sources[1].source: " in text and "which must not be trained on" in text


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stories, share: 1", "rows.jsonl, share: 1", "mine.yaml:6: data.sources[1].source: rows.jsonl is named twice"),
        ("share: 1", "shar: 1", "mine.yaml:5: data.sources[0].shar: unknown key; did you mean share?"),
        ("share: 3", "share: 0", "mine.yaml:7: data.sources[1].share: given 0; allowed: greater than 0"),
        ("size: 8", "source: more.csv", "mine.yaml:3: data.source: more.csv is none of data.sources"),
        ("size: 8", "limit: 8", "mine.yaml:3: data.limit: with data.sources it has no meaning"),
        ("size: 8", "mix: {belief: 1}", "mine.yaml:3: data.mix: with data.sources it has no meaning"),
    ],
)
def test_a_mixture_that_contradicts_itself_is_refused_by_line(write, old: str, new: str, told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(MIXED.replace(old, new)))
    assert told in str(caught.value)


# --- what a length window pays for gold replies

STORIES = "data: {size: 30, heldout: 0}\nevaluation: {items: 0}\ngrpo: {max_steps: 1}\n"


def length_notes(path: str, *overrides: str) -> list[str]:
    return [note for note in check_recipe(load_recipe(path, overrides)) if note.startswith("rewards.length")]


@pytest.mark.parametrize("harsh", ["min_tokens: 110, max_tokens: 1000", "max_tokens: 60", "k: 1"])
def test_a_window_that_pays_gold_replies_little_is_told_with_the_one_to_write(write, harsh: str) -> None:
    path = write(STORIES + f"rewards: {{length: {{{harsh}}}}}\n")
    (note,) = length_notes(path, "model.name=nobody/knows-this")
    assert "tokens, an estimate at 4.35 characters each) earns 0." in note and "less than 0.9" in note
    written = yaml.safe_load(note.partition("write rewards.length: ")[2])
    assert (
        length_notes(path, "model.name=nobody/knows-this", *(f"rewards.length.{k}={v}" for k, v in written.items()))
        == []
    )


def test_lengths_are_measured_where_the_tokenizer_is_here(write, tiny_model: Path) -> None:
    path = write(STORIES)
    assert length_notes(path, "model.name=nobody/knows-this") == []
    (note,) = length_notes(path, f"model.name={tiny_model}", "rewards.length.k=60")  # a token a byte
    assert " tokens) earns 0.1" in note and "estimate" not in note
    assert length_notes(path, f"model.name={tiny_model}", "rewards.mode=additive", "rewards.weights.length=0") == []


def test_a_window_is_not_looked_at_without_gold_replies(write) -> None:
    write(rows(4), "rows.jsonl")
    assert length_notes(write(SMALL), "rewards.length.min_tokens=200") == []


# --- several mistakes, and where they are


def test_all_mistakes_are_told_at_once_each_where_it_was_written(write) -> None:
    write("data:\n  size: 4\n  dimensions: [belif]\nrewards:\n  content:\n    judges: [{name: rules}]\n", "base.yaml")
    path = write("extends: base.yaml\ndata:\n  mix: {knowlege: 1}\n")
    text = refusal(path, ["rewards.content.judges=[{name: rulez}]"])
    assert text.startswith("mine.yaml has 3 mistakes")
    assert "base.yaml:3: data.dimensions[0]: given 'belif'" in text
    assert "mine.yaml:3: data.mix.knowlege: given 'knowlege'" in text
    assert "on the command line: rewards.content.judges[0].name: given 'rulez'" in text


def test_a_recipe_built_in_python_has_its_mistakes_named_by_setting() -> None:
    built = Recipe.model_validate({"data": {"dimensions": ["belif"]}, "model": {"name": "/nowhere/at/all"}})
    with pytest.raises(RecipeError) as caught:
        check_recipe(built)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the recipe has 2 mistakes"
    assert lines[1].startswith("  model.name: given '/nowhere/at/all'")
    assert lines[2].startswith("  data.dimensions[0]: given 'belif'")


# --- the commands


def test_the_command_checks_and_makes_no_folder(write, capsys: pytest.CaptureFixture[str]) -> None:
    write(rows(1), "rows.jsonl")
    assert train.main([write(SMALL), "--check"]) == 0
    shown = capsys.readouterr().out
    assert "mine.yaml: fine. 1 steps" in shown and "note: 2 prompt groups are asked of 1 scenarios" in shown
    with pytest.raises(RecipeError, match=r"on the command line: data\.source: rosw\.jsonl: there is no such file"):
        train.main(["mine.yaml", "--check", "data.source=rosw.jsonl"])
    assert sorted(path.name for path in Path().iterdir()) == ["mine.yaml", "rows.jsonl"]


def test_a_training_is_refused_in_the_same_words_before_anything_is_made(write) -> None:
    with pytest.raises(RecipeError, match=r"mine\.yaml:1: data\.source: rows\.jsonl: there is no such file"):
        train.main([write(SMALL)])
    with pytest.raises(RecipeError, match=r"data\.source: rows\.jsonl: there is no such file"):
        train.run_recipe(load_recipe("mine.yaml"))
    assert [path.name for path in Path().iterdir()] == ["mine.yaml"]


# --- the recipe of a reward model


def judge_refusal(path: str, overrides: Sequence[str] = ()) -> str:
    with pytest.raises(RecipeError) as caught:
        check_judge_recipe(load_judge_recipe(path, overrides), path, overrides)
    return str(caught.value)


def test_a_judge_recipe_has_its_dimensions_and_pairs_checked(write) -> None:
    path = write("pairs:\n  source: pairs.jsonl\n  dimensions: [belif]\n")
    text = judge_refusal(path)
    assert "mine.yaml:2: pairs.source: pairs.jsonl: there is no such file" in text
    assert "mine.yaml:3: pairs.dimensions[0]: given 'belif', which is no story dimension" in text
    write_pairs(Path("pairs.jsonl"), make_pairs(3))
    assert "pairs.source" not in judge_refusal(path)
    with Path("pairs.jsonl").open("a") as file:
        file.write('{"version": 1}\nnonsense\n')
    text = judge_refusal(path)
    assert "pairs.source: pairs.jsonl: 2 of 5 rows are wrong:\n    pairs.jsonl:4: " in text
    assert "\n    pairs.jsonl:5: not JSON" in text


def test_train_judge_checks_and_trains_nothing(write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("pairs: {size: 8}\n")
    assert train_judge.main([path, "--check"]) == 0
    assert "mine.yaml: fine. 100 steps on 8 pairs at most" in capsys.readouterr().out
    with pytest.raises(RecipeError, match="did you mean belief"):
        train_judge.main([path, "--check", "pairs.dimensions=[belif]"])
    with pytest.raises(RecipeError, match="did you mean belief"):  # the training itself is refused just so
        train_judge.main([path, "pairs.dimensions=[belif]"])
    assert [path.name for path in Path().iterdir()] == ["mine.yaml"]


# --- what stories are about

TOLD = "data: {size: 16, heldout: 4, dimensions: [belief], orders: [1]}\nevaluation: {items: 4}\n"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.templates={include: [look frist]}"], "data.templates.include[0]: given 'look frist', which is no template"),
        (["data.templates={include: [look frist]}"], "(did you mean look first?)"),
        (["data.perturbations={exclude: [peeping]}"], "data.perturbations.exclude[0]: given 'peeping', which is no pert"),
        (
            ["data.difficulty=[{until: 0.5, perturbations: {include: [peekd]}}]"],
            "data.difficulty[0].perturbations.include[0]: given 'peekd', which is no perturbation",
        ),
        (["data.transfer=[{name: x, templates: {include: [feel]}}]"], "data.transfer[0].templates.include[0]: given 'feel'"),
        (["data.transfer=[{name: x, dimensions: [humour]}]"], "data.transfer[0].dimensions[0]: given 'humour', which is"),
        (["data.objects={places: [9]}"], "data.objects.places[0]: given 9; allowed: less than or equal to 4"),
        # names that are known and cannot make a story together
        (
            ["data.templates={include: [memory, look first]}", "data.perturbations={include: [places exchanged]}"],
            "data.perturbations: stories: no template of belief makes a pair by these perturbations; they make: left earl",
        ),
        (
            ["data.templates={include: [does know]}"],
            "data.templates: stories: with these templates and orders [1] belief asks nothing; its templates: memory, look",
        ),
        (
            ["data.templates={include: [memory, look first]}", "data.perturbations={exclude: [peeked]}",
             "data.transfer=[{name: x, templates: {include: [does know]}}]"],
            "data.transfer: x: stories: with these templates and orders [1] belief asks nothing",
        ),
        (
            ["data.difficulty=[{until: 0.5, perturbations: {include: [feelings exchanged]}}]"],
            "data.difficulty: stage 1: stories: no template of belief makes a pair by these perturbations",
        ),
        (
            ["data.orders=[3]", "data.transfer=[{name: told, perturbations: {include: [told otherwise]}}]",
             "data.perturbations={exclude: [told otherwise]}"],
            "data.transfer: told: stories: no template of belief makes a pair",
        ),
        # rows that ask what training sees
        (["data.transfer=[{name: x}]"], "data.transfer[0]: x asks nothing that training never sees"),
        (["data.transfer=[{name: x, orders: [1, 2]}]"], "data.transfer[0]: x asks nothing that training never sees"),
        (
            ["data.perturbations={exclude: [peeked]}",
             "data.transfer=[{name: x, perturbations: {include: [peeked, left later]}}]"],
            "data.transfer[0]: x asks nothing that training never sees",
        ),
        (  # nobody trains on pairs by peeping, but people peep in their stories
            ["data.orders=[2]", "data.perturbations={include: [noticed or unnoticed]}",
             "data.transfer=[{name: x, perturbations: {include: [peeked]}}]"],
            "data.transfer[0]: x asks nothing that training never sees",
        ),
        (  # the order is asked by the last stage of the ladder
            ["data.orders=[1, 2]", "data.difficulty=[{until: 0.5, orders: [1], objects: {places: [2]}}]",
             "data.transfer=[{name: x, orders: [2]}]"],
            "data.transfer[0]: x asks nothing that training never sees",
        ),
        # numbers: one stage of the ladder, or what a template makes of them, shows them
        (
            ["data.difficulty=[{until: 0.5, objects: {places: [2]}}]",
             "data.transfer=[{name: x, objects: {places: [4]}}]"],
            "data.transfer[0]: x asks nothing that training never sees",
        ),
        (
            ["data.dimensions=[emotion]", "data.objects={places: [3]}",
             "data.transfer=[{name: x, objects: {places: [4]}}]"],
            "data.transfer[0]: x asks nothing that training never sees",
        ),
        (
            ["data.orders=[3]", "data.objects={people: [3]}", "data.transfer=[{name: x, objects: {people: [4]}}]"],
            "data.transfer[0]: x asks nothing that training never sees",
        ),
        (["data.transfer=[{name: x, objects: {people: [4]}}]"], "data.transfer[0]: x asks nothing that training never"),
        (["data.transfer=[{name: x, objects: {chapters: [1]}}]"], "data.transfer[0]: x asks nothing that training never"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused_with_its_place(write, overrides: list[str], message: str) -> None:
    assert message in refusal(write(TOLD), overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.transfer=[{name: x, orders: [2], items: 4}]"],
        ["data.transfer=[{name: x, dimensions: [emotion], items: 4}]"],
        ["data.transfer=[{name: x, names: seen, items: 4}]"],
        ["data.templates={exclude: [fetches]}", "data.transfer=[{name: x, templates: {include: [fetches]}, items: 4}]"],
        ["data.perturbations={exclude: [peeked]}",
         "data.transfer=[{name: x, perturbations: {include: [peeked]}, items: 4}]"],
        ["data.orders=[1, 2]", "data.difficulty=[{until: 1, orders: [1], objects: {places: [2]}}]",
         "data.transfer=[{name: x, orders: [2], items: 4}]"],  # a run that ends on its ladder
        ["data.objects={places: [2]}", "data.transfer=[{name: x, objects: {places: [4]}, items: 4}]"],
        ["data.objects={people: [3]}", "data.transfer=[{name: x, objects: {people: [4]}, items: 4}]"],
        ["data.transfer=[{name: x, objects: {people: [5]}, items: 4}]"],
        ["data.transfer=[{name: x, objects: {chapters: [2]}, items: 4}]"],
    ],
)  # fmt: skip
def test_rows_that_training_never_sees_are_taken(write, overrides: list[str]) -> None:
    check_recipe(load_recipe(write(TOLD), overrides))


@pytest.mark.parametrize(("steps", "refused"), [(0, False), (2, True)])
def test_what_the_cold_start_shows_is_seen(write, steps: int, refused: bool) -> None:
    """Other people's questions have no gold replies, so it shows stories."""
    write(rows(8), "rows.jsonl")
    more = ["data.source=rows.jsonl", "data.heldout_source=stories", f"warmup.steps={steps}"]
    asked = "data.transfer=[{name: x, orders: [1], items: 4}]"
    if refused:
        assert "x asks nothing that training, by its cold start, never sees" in refusal(write(TOLD), [*more, asked])
        more += ["data.perturbations={exclude: [peeked]}"]
        asked = "data.transfer=[{name: x, perturbations: {include: [peeked]}, items: 4}]"
    check_recipe(load_recipe(write(TOLD), [*more, asked]))


def test_rows_of_the_transfer_are_told_by_the_settings_of_stories_whatever_is_trained_on(write) -> None:
    write(rows(8), "rows.jsonl")
    more = ["data.source=rows.jsonl", "data.perturbations={exclude: [peeked]}"]
    assert "is about generated stories, and no source is" in refusal(write(TOLD), more)
    check_recipe(load_recipe("mine.yaml", [*more, "data.transfer=[{name: x, items: 4}]"]))
    seen = ["data.source=rows.jsonl", "data.transfer=[{name: x, names: seen, items: 4}]"]
    assert "data.transfer[0].names: seen are the names of training's stories" in refusal("mine.yaml", seen)
    check_recipe(load_recipe("mine.yaml", [*seen, "warmup.steps=2"]))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("data.dimensions=[belif]", "data.dimensions[0]: given 'belif', which is no story dimension"),
        ("data.orders=[4]", "data.orders: given [4]; the dimension knowledge has only 1, 2"),
        (
            "data.templates={include: [jokes]}",
            "data.templates: stories: with these templates and orders [1] belief asks",
        ),
        (
            "data.perturbations={include: [places exchanged]}",
            "data.perturbations: stories: no template of belief makes",
        ),
    ],
)
def test_what_a_cold_start_cannot_tell_is_refused_before_it_is_due(write, override: str, told: str) -> None:
    """Other people's questions have no gold replies. Those that have need no stories."""
    write(rows(8), "rows.jsonl")
    path = write(TOLD)
    plain = ["data.source=rows.jsonl", "data.heldout=2", "evaluation.items=2", "data.dimensions=[belief]"]
    given = [*plain, *(["data.dimensions=[knowledge]"] if "orders" in override else []), override, "warmup.steps=2"]
    assert told in refusal(path, given)
    check_recipe(load_recipe(path, [*plain, "warmup.steps=2"]))
