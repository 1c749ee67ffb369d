"""What may be told is told and nothing else; what was told before these settings came is told byte for byte."""

from __future__ import annotations

import json
import re
from hashlib import sha256

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.recipe.schema import Objects
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import DIMENSIONS, PERTURBATIONS, TEMPLATES, Names, Scope, generate
from socialr1_lite.stories import scope as scopes
from socialr1_lite.stories.__main__ import main
from socialr1_lite.stories.wording import LEXICON, PHRASES
from tests.stories.test_generate import assert_one_right
from tests.stories.truth import recorded

ALL = tuple(DIMENSIONS)


def told(n: int = 60, *, scope: Scope, **settings: object) -> list[Scenario]:
    return list(generate(n, seed=3, scope=scope, **{"dimensions": ("belief",), "orders": (1,), **settings}))


def pattern(kind: str) -> re.Pattern[str]:
    """What a sentence of this kind looks like, whoever it is about."""
    phrases = (re.sub(r"\\{\w+\\}", r"[\\w ']+", re.escape(phrase)) for phrase in PHRASES[kind])
    return re.compile("|".join(phrases))


SEEN = {kind: pattern(kind) for kind in ("peek", "camera", "monitor", "distract", "daydream", "look", "message")}


def happens(scenario: Scenario) -> set[str]:
    return {kind for kind, found in SEEN.items() if found.search(scenario.story)}


GOLDEN = {  # of the engine of 30 November 2026, which could leave nothing out
    "belief": "7f74d9455102b25e",
    "knowledge": "21195999708f9b3c",
    "emotion": "7056b9c7e33d5c34",
    "desire": "6579986411c31685",
    "intention": "d7b8b385e168ade7",
    "nonliteral": "8b605ba25bd15a71",
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_everything_is_told_as_before_anything_could_be_left_out(name: str) -> None:
    orders, chapters = (0, 1, 2, 3, 4), (1, 2, 3)
    made = generate(120, seed=5, dimensions=(name,), orders=orders, split="test", chapters=chapters)
    rows = [one.to_row() for one in made]
    assert any(row["facts"].pop("contrast", None) for row in rows)  # what rows of then did not say
    for row in rows:
        for later in ("contrast", "noticed"):
            row["facts"].pop(later, None)
    text = "\n".join(json.dumps(row, sort_keys=True) for row in rows)
    assert sha256(text.encode()).hexdigest()[:16] == GOLDEN[name]


@pytest.mark.parametrize(
    ("include", "may_happen"),
    [
        (("left earlier", "left later"), set()),
        (("peeked",), {"peek"}),
        (("left later", "known camera"), {"monitor"}),
        (("told otherwise",), {"message"}),
        (("distracted", "lost in thought"), {"distract", "daydream"}),
    ],
)
def test_pairs_are_made_by_what_is_included_and_nothing_else_happens(
    include: tuple[str, ...], may_happen: set[str]
) -> None:
    stories = told(scope=Scope(perturbations=Names(include), templates=Names(exclude=("contents",))))
    assert {one.meta["perturbation"] for one in stories} == set(include)
    assert set().union(*map(happens, stories)) == may_happen


def test_the_patterns_find_what_happens_where_everything_may() -> None:
    assert set().union(*map(happens, told(200, scope=Scope(), orders=(1, 2)))) == set(SEEN)


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_excluded_happens_in_no_story_of_any_dimension(split: str) -> None:
    stories = told(
        120, scope=Scope(perturbations=Names(exclude=("peeked", "told otherwise"))), dimensions=ALL, split=split
    )
    assert not {one.meta["perturbation"] for one in stories} & {"peeked", "told otherwise", "never told", "overheard"}
    assert not set().union(*map(happens, stories)) & {"peek", "message"}
    assert set().union(*map(happens, stories)) >= {"camera", "distract"}


def test_templates_are_those_named() -> None:
    templates = Names(("look first", "does know", "feels"), ("feels",))
    stories = told(scope=Scope(templates), dimensions=("belief", "knowledge"))
    assert {one.meta["template"] for one in stories} == {"look first", "does know"}


def test_a_template_that_cannot_make_such_a_pair_is_left_out_and_an_order_without_any() -> None:
    stories = told(scope=Scope(perturbations=Names(("told otherwise",))), orders=(0, 2, 3))
    assert {one.meta["order"] for one in stories} == {2}  # 0: places exchanged alone; 3: nobody thinks so deep of words
    assert not {one.meta["template"] for one in stories} & {"memory", "who thinks", "contents"}


@pytest.mark.parametrize("places", [2, 3, 4])
@pytest.mark.parametrize("people", [3, 5])
def test_there_are_as_many_places_and_people_as_asked_for(places: int, people: int) -> None:
    scope = Scope(Names(("look first", "thinks it is")), places=(places,), people=(people,))
    for one in told(24, scope=scope):
        assert one.facts is not None
        assert (len(one.options), len(one.facts.people)) == (places, people)


def test_numbers_are_mixed_and_enough_people_are_there_for_the_order() -> None:
    scope = Scope(Names(("would say",)), places=(2, 4), people=(3, 6))
    stories = told(80, scope=scope, orders=(1, 4))
    counts = {(len(one.options), len(one.facts.people)) for one in stories if one.meta["order"] == 1}  # type: ignore[union-attr]
    assert counts == {(2, 3), (2, 6), (4, 3), (4, 6)}
    assert {len(one.facts.people) for one in stories if one.meta["order"] == 4} == {5, 6}  # type: ignore[union-attr]


def test_other_limits_are_other_stories_with_other_ids_and_their_order_does_not_matter() -> None:
    one = Scope(perturbations=Names(("peeked", "left later")))
    other = Scope(perturbations=Names(("left later", "peeked")))
    assert told(20, scope=one) == told(20, scope=other)
    assert not {row.id for row in told(20, scope=one)} & {row.id for row in told(20, scope=Scope())}


def test_exactly_one_option_is_right_where_little_may_be_told() -> None:
    """By the second simulation, as for every other story (tests/stories/test_generate.py)."""
    scope = Scope(perturbations=Names(("left earlier", "left later", "peeked")), places=(2,), people=(3,))
    with recorded() as drafts:
        for one in told(60, scope=scope, dimensions=("belief", "knowledge", "emotion"), orders=(1, 2)):
            assert_one_right(one, drafts)


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        (Scope(Names(("look frist",))), r"no such template: look frist; there are memory, look first, "),
        (Scope(perturbations=Names(exclude=("peeping",))), r"no such perturbation: peeping; there are left earlier, "),
        (Scope(places=(1,)), r"places \[1\] must be of 2 to 4"),
        (Scope(people=(9,)), r"people \[9\] must be of 3 to 8"),
        (Scope(Names(("does know",))), r"belief asks nothing; its templates: memory"),
        (Scope(perturbations=Names(("feelings exchanged",))), r"no template of belief makes a pair by .* left earlier"),
        (Scope(perturbations=Names(exclude=tuple(PERTURBATIONS))), r"no template of belief makes a pair"),
    ],
)
def test_what_cannot_be_told_is_refused_at_once(scope: Scope, message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate(1, dimensions=("belief",), orders=(1,), scope=scope)


def test_every_template_names_known_perturbations_and_names_are_unique() -> None:
    assert len(set(TEMPLATES)) == len(TEMPLATES) == sum(len(one.templates) for one in DIMENSIONS.values())
    for dimension in DIMENSIONS.values():
        for template in dimension.templates:
            for order in dimension.orders:
                if dimension.of_order(template, order):
                    assert dimension.perturbations(template, order), (template, order)


def test_every_perturbation_that_is_made_is_known() -> None:
    made = {one.meta["perturbation"] for one in told(600, scope=Scope(), dimensions=ALL, orders=(0, 1, 2, 3))}
    assert made <= set(PERTURBATIONS) and len(made) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_template_makes_pairs_by_each_edit_of_events_that_it_claims(name: str) -> None:
    """One edit alone, but leaving earlier and later together: one of them leads one way only."""
    dimension = DIMENSIONS[name]
    for template in dimension.templates:
        for order in (one for one in dimension.orders if dimension.of_order(template, one)):
            for edit in set(dimension.perturbations(template, order)) & set(scopes.EVENTS):
                scope = Scope(Names((template,)), Names(scopes.TIMING if edit in scopes.TIMING else (edit,)))
                assert len(told(2, scope=scope, dimensions=(name,), orders=(order,))) == 2


def test_a_recipe_allows_the_numbers_that_the_engine_does() -> None:
    for places, people in ((1, 3), (5, 3), (2, 2), (2, 9)):
        with pytest.raises(ValueError):
            Objects(places=(places,), people=(people,))
    low, high = scopes.FEWEST_PLACES, scopes.MOST_PLACES
    Objects(places=(low, high), people=(scopes.FEWEST_PEOPLE, scopes.MOST_PEOPLE))
    assert min(len(LEXICON[split].people) for split in LEXICON) > scopes.MOST_PEOPLE


def test_the_command_lists_the_names_and_tells_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["names"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in (*TEMPLATES, *PERTURBATIONS))
    limits = ["--perturbations", "peeked,left later", "--without", "left later", "--places", "2-3", "--people", "5"]
    assert main(["--n", "8", "--dimensions", "belief", "--orders", "1", "--templates", "fetches", *limits]) == 0
    rows = [Scenario.from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert {(one.meta["template"], one.meta["perturbation"]) for one in rows} == {("fetches", "peeked")}
    assert {len(one.facts.people) for one in rows if one.facts} == {5} and {len(one.options) for one in rows} <= {2, 3}
