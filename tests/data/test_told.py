"""The stories a recipe asks for: a ladder of difficulty, pairs that come together, and what training never sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite import stories as engine
from socialr1_lite.data import asked, schedule, told, training_scenarios, transfer_scenarios
from socialr1_lite.data.order import pairs
from socialr1_lite.data.told import stages
from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog import MetricsWriter, RunFolder
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import generate
from socialr1_lite.stories.base import Request

TIMING = ["left earlier", "left later"]
LADDER = [
    {
        "until": 0.25,
        "orders": [1],
        "perturbations": {"include": TIMING},
        "templates": {"exclude": ["contents"]},
        "objects": {"places": [2], "people": [3]},
    },
    {"until": 0.5, "orders": [1], "perturbations": {"include": [*TIMING, "peeked"]}},
]


OLD = {"until": 0.5, "orders": [1]}  # a stage as it was before stages could name more
SINCE: dict[str, Any] = {  # settings that recipes of before had not
    "templates": {"exclude": ["memory"]},
    "perturbations": {"exclude": ["peeked"]},
    "objects": {"places": [2]},
    "transfer": [{"name": "deep", "orders": [3]}],
    "twins": "together",
}


def recipe(steps: int = 16, **data: Any) -> Recipe:
    """A recipe of two prompts a step."""
    grpo = {
        "max_steps": steps,
        "num_generations": 2,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
    }
    told = {"dimensions": ["belief"], "orders": [1, 2], "size": 80, "heldout": 4} | data
    return Recipe.model_validate({"data": told, "grpo": grpo, "evaluation": {"items": 4}, "run": {"save_steps": 1}})


def edits(scenarios: Sequence[Scenario]) -> set[object]:
    return {one.meta["perturbation"] for one in scenarios}


# --- the ladder


def test_each_stage_asks_only_what_it_names_and_what_follows_asks_everything() -> None:
    one = recipe(difficulty=LADDER)
    planned = schedule(training_scenarios(one), one)
    first, second, rest = planned[:8], planned[8:16], planned[16:]
    assert edits(first) <= set(TIMING) and all(len(story.options) == 2 for story in first)
    assert all(story.facts and len(story.facts.people) == 3 for story in first)
    assert "peeked" in edits(second) <= {*TIMING, "peeked"} and {story.meta["order"] for story in second} == {1}
    assert {story.meta["order"] for story in rest} == {1, 2}
    assert edits(rest) - {*TIMING, "peeked"}
    assert len({story.id for story in planned}) == len(planned) == 32  # nobody is asked twice while others wait


def test_a_stage_has_its_share_of_the_stories_a_pair_at_least() -> None:
    ladder = [*LADDER, {"until": 0.51, "perturbations": {"include": ["known camera"]}}]
    counts = Counter(one.meta["stage"] for one in training_scenarios(recipe(difficulty=ladder)))
    assert counts == {0: 20, 1: 20, 2: 2, 3: 40}  # .25, .25, .01 and .49 of 80, in pairs


def test_stages_that_tell_the_same_share_their_stories() -> None:
    again = {**LADDER[0], "until": 1.0, "perturbations": {"include": TIMING[::-1]}}
    one = recipe(difficulty=[*LADDER, again])
    assert [stage.number for stage in stages(one.data)] == [0, 1, 0]
    there = training_scenarios(one)
    assert len({story.id for story in there}) == len(there) == 80
    assert edits(schedule(there, one)[16:]) <= set(TIMING)


def test_a_ladder_of_orders_draws_on_the_same_stories_as_ever() -> None:
    one = recipe(difficulty=[{"until": 0.5, "orders": [1]}], size=20)
    there = training_scenarios(one)
    assert there == list(generate(20, seed=7, dimensions=("belief",), orders=(1, 2), split="train"))
    assert not stages(one.data) and {story.meta["order"] for story in schedule(there, one)[:16]} == {1}


def test_a_resume_goes_on_in_the_ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stories and order are the run's own, whatever the engine makes when it is resumed."""
    from socialr1_lite import stories
    from socialr1_lite.training import folder

    one = recipe(difficulty=LADDER, transfer=[{"name": "deep", "orders": [3], "items": 2}], twins="together")
    run = RunFolder.create(tmp_path / "run")

    def launch() -> list[str]:
        told = asked.questions(run, one)
        if begun := folder.holds_work(run):
            asked.refuse_others(run, one, told)
        folder.write_recipe(run, one, [*told[0], *told[1]])
        asked.keep(run, one, told, told[0], begun=begun)
        return [story.id for story in asked.planned(run, one, told[0])]

    planned = launch()
    MetricsWriter(run).write(1, {"loss": 0.1})
    monkeypatch.setattr(stories, "generate", lambda *_, **__: pytest.fail("the run has its stories"))
    assert launch() == planned
    assert [story.meta.get("transfer") for story in asked.questions(run, one)[1]] == [None] * 4 + ["deep"] * 2


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"until": 0.5}, r"difficulty\[0\]: says nothing but until"),
        ({"until": 0.5, "orders": [3]}, r"\[3\] are not among data.orders"),
        ({"until": 0.5, "dimensions": ["emotion"]}, r"\['emotion'\] are not among data.dimensions"),
        (
            {"until": 0.5, "perturbations": {"include": ["peeked"]}},
            "include.0.: peeked is not among data.perturbations",
        ),
        ({"until": 0.5, "templates": {"include": ["fetches"]}}, "fetches is not among data.templates"),
        ({"until": 0.5, "objects": {"places": [4]}}, r"\[4\] are not among data.objects.places \[2, 3\]"),
        ({"until": 0.5, "objects": {"chapters": [2]}}, r"\[2\] are not among data.objects.chapters \[1\]"),
    ],
)
def test_a_stage_is_a_part_of_the_run(stage: dict[str, Any], message: str) -> None:
    whole = {
        "perturbations": {"exclude": ["peeked"]},
        "templates": {"include": ["look first"]},
        "objects": {"places": [2, 3]},
    }
    with pytest.raises(ValueError, match=message):
        recipe(difficulty=[stage], **whole)


# --- both of a pair


def families(planned: Sequence[Scenario]) -> list[tuple[str | None, str | None]]:
    return [(one.group, other.group) for one, other in zip(planned[::2], planned[1::2], strict=True)]


@pytest.mark.parametrize("more", [{}, {"mix": {"belief": 1, "emotion": 2}}, {"difficulty": LADDER}])
def test_twins_are_asked_in_one_step_and_apart_they_are_not(more: dict[str, Any]) -> None:
    together = recipe(twins="together", dimensions=["belief", "emotion"], **more)
    there = training_scenarios(together)
    planned = schedule(there, together)
    assert len(planned) == 32 and all(one == other for one, other in families(planned))
    assert all(one.gold != other.gold for one, other in zip(planned[::2], planned[1::2], strict=True))
    apart = recipe(dimensions=["belief", "emotion"], **more)
    assert sum(one == other for one, other in families(schedule(there, apart))) < 4
    assert training_scenarios(apart) == there  # the stories are the same


def test_the_mix_holds_in_pairs() -> None:
    one = recipe(twins="together", dimensions=["belief", "emotion"], mix={"belief": 1, "emotion": 3})
    assert Counter(story.dimension for story in schedule(training_scenarios(one), one)) == {"belief": 8, "emotion": 24}


def test_of_three_twins_each_is_in_a_pair_and_one_left_alone_in_none() -> None:
    names = ("a", "b", "c")
    three = [Scenario(n, n, "Q?", ("x", "y"), (0,), twins=tuple(o for o in names if o != n)) for n in names]
    alone = Scenario("d", "d", "Q?", ("x", "y"), (0,), twins=("e",))
    plain = Scenario("f", "f", "Q?", ("x", "y"), (0,))
    assert [[one.id for one in card] for card in pairs([*three, alone, plain])] == [["a", "b"], ["c", "a"]]


def test_rows_without_twins_cannot_come_together(tmp_path: Path) -> None:
    one = recipe(twins="together")
    with pytest.raises(DataError, match="no two of the scenarios are twins"):
        schedule([Scenario(f"s{n}", f"S{n}.", "Q?", ("x", "y"), (0,)) for n in range(9)], one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"grpo": {"num_generations": 4}},
            "together needs an even number of prompts a step; 4 completions .* 1 prompts",
        ),
        (
            {"grpo": {"steps_per_generation": 2}, "run": {"save_steps": 2}},
            "steps_per_generation 2 must divide gradient_accumulation_steps 1",
        ),
        ({"warmup": {"steps": 1, "batch_size": 3}}, "warmup.batch_size: 3 must be even"),
    ],
)
def test_a_step_that_would_part_them_is_refused(changes: dict[str, Any], message: str) -> None:
    whole = recipe(twins="together").model_dump()
    for section, values in changes.items():
        whole[section] |= values
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(whole)
    Recipe.model_validate(whole | {"data": whole["data"] | {"twins": "apart"}})


# --- what training never sees


def test_the_transfer_asks_what_training_never_sees_and_says_which() -> None:
    rows = [
        {"name": "peeping", "perturbations": {"include": ["peeked"]}, "items": 6},
        {"name": "order 2", "orders": [2], "items": 4},
        {"name": "seen names", "names": "seen", "items": 8},
    ]
    one = recipe(orders=[1], perturbations={"exclude": ["peeked"]}, transfer=rows)
    training, asked_too = training_scenarios(one), transfer_scenarios(one)
    kinds = {
        name: [s for s in asked_too if s.meta["transfer"] == name] for name in ("peeping", "order 2", "seen names")
    }
    assert [len(kind) for kind in kinds.values()] == [6, 4, 8]
    assert edits(kinds["peeping"]) == {"peeked"} and "peeked" not in edits(training)
    assert {story.meta["order"] for story in kinds["order 2"]} == {2}
    people = {name for story in training if story.facts for name in story.facts.people}
    for name, kind in kinds.items():
        named = {person for story in kind if story.facts for person in story.facts.people}
        assert bool(named & people) == (name == "seen names")
    assert not {story.story for story in training} & {story.story for story in asked_too}


def test_rows_of_the_transfer_are_told_apart() -> None:
    row = {"name": "deep", "orders": [3], "items": 2}
    with pytest.raises(ValueError, match=r"transfer\[1\].name: deep is the name of two"):
        recipe(transfer=[row, row])
    with pytest.raises(DataError, match=r"data\.transfer: deeper asks the same as deep"):
        transfer_scenarios(recipe(transfer=[row, row | {"name": "deeper"}]))


def test_settings_of_stories_where_none_is_told_are_refused() -> None:
    with pytest.raises(ValueError, match=r"data.perturbations: is about generated stories, and no source is"):
        recipe(source="mine.jsonl", perturbations={"exclude": ["peeked"]})


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({}, r"^stories: no draw"),
        ({"templates": {"exclude": ["memory"]}}, r"^data\.templates: stories: no draw"),
        (
            {"templates": {"exclude": ["memory"]}, "perturbations": {"exclude": ["peeked"]}},
            r"^data\.perturbations: stor",
        ),
        ({"perturbations": {"exclude": ["peeked"]}, "objects": {"places": [2]}}, r"^data\.objects: stories: no draw"),
        ({"objects": {"chapters": [2]}}, r"^stories: no draw"),
    ],
)
def test_what_no_draw_gives_is_laid_to_a_setting_that_was_written(
    told: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from socialr1_lite import stories

    def generate(count: int, **_: object) -> list[Scenario]:
        if count:
            raise DataError("stories: no draw carries the answer")
        return []

    monkeypatch.setattr(stories, "generate", generate)
    with pytest.raises(DataError, match=named):
        training_scenarios(recipe(**told))


def test_stages_of_other_peoples_questions_name_orders_alone() -> None:
    for stage in ({"orders": [1], "dimensions": ["belief"]}, {"objects": {"places": [2]}}):
        with pytest.raises(ValueError, match=r"data.difficulty\[0\]: narrows generated stories, and no source is"):
            recipe(source="mine.jsonl", difficulty=[{"until": 0.5, **stage}])
    recipe(source="mine.jsonl", difficulty=[{"until": 0.5, "orders": [1]}])


@pytest.mark.parametrize(
    ("processes", "data", "digest"),
    [
        (1, {}, "0eaa6372e0dbcdcc4d9036e2e67f05685445b991e1b6582344f977f79830ecde"),
        (1, {"difficulty": [OLD]}, "c1cea18b382ffc258c589d0977efdba4ed73890c39ac691ba28192682868f9b5"),
        (2, {}, "503f356b0e438c5f33f6036999a5db76b1e6d6eedcfbe916a09f61dee7e5460e"),
        (2, {"difficulty": [OLD]}, "07ffda15f4a54c5debaec5332cef4a21bb895d0d99944e73a1a250888e117296"),
    ],
)
def test_recipes_of_before_have_the_digests_that_they_had(processes: int, data: dict[str, Any], digest: str) -> None:
    """A run whose recipe.yaml is gone knows its recipe by it; those of one process are of 30 November 2026."""
    before = Recipe.model_validate({"run": {"processes": processes}, "data": data})
    assert before.digest == digest
    for name, value in SINCE.items():
        other = Recipe.model_validate({"run": {"processes": processes}, "data": data | {name: value}})
        assert other.digest != digest, name
    told = Recipe.model_validate({"run": {"processes": processes}, "data": data, "warmup": {"contrast": True}})
    assert told.digest != digest


@pytest.mark.parametrize("name", engine.DIMENSIONS)
@pytest.mark.parametrize("numbers", [{}, {"places": [4], "people": [4]}])
def test_the_numbers_that_count_as_seen_are_those_that_the_engine_draws(
    name: str, numbers: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `unseen` holds a row of the transfer against is kept apart from the templates that draw."""
    drawn: dict[str, set[int]] = {"draw_people": set(), "draw_places": set()}
    for what, kept in drawn.items():
        draw = getattr(Request, what)

        def recorded(self: Request, *given: int, draw: Any = draw, kept: set[int] = kept, **more: int) -> int:
            kept.add(number := draw(self, *given, **more))
            return number

        monkeypatch.setattr(Request, what, recorded)
    for order in engine.DIMENSIONS[name].orders:
        data = Recipe.model_validate({"data": {"dimensions": [name], "orders": [order], "objects": numbers}}).data
        for kept in drawn.values():
            kept.clear()
        told.stories(data, 120, "train")
        assert drawn["draw_people"] <= told._people(data), (name, order)
        assert drawn["draw_places"] <= told._places(data), (name, order)
