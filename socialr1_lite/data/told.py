"""Which generated stories a recipe asks for: to train on, stage by stage of a ladder, held out, for the transfer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from socialr1_lite import stories as engine
from socialr1_lite.errors import DataError
from socialr1_lite.recipe import Data, Told
from socialr1_lite.recipe.schema import Names as Named
from socialr1_lite.recipe.schema import Objects, Transfer
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import Names, Scope
from socialr1_lite.stories.scope import FEWEST_PEOPLE, FEWEST_PLACES, MOST_PLACES

STORIES = "stories"
PLACES = {"emotion": 3, "intention": 3}  # at most, in one of its templates
PLOTS: dict[str, Callable[[int], int]] = {  # people that one of its templates needs for a question of this order
    "intention": lambda order: 4,
    "nonliteral": lambda order: order + 2,
}
STAGE, TRANSFER = "stage", "transfer"  # meta values: which stage of the ladder, or row of the transfer, one is of
FEWEST = 2  # stories of a stage: a pair
SETTING = re.compile(r"^data\.\w+: ")  # of the run, which a stage or a row has its own of


def stories(data: Data, count: int, split: str, seed: int | None = None) -> list[Scenario]:
    """Generate so many stories of these settings; `data.difficulty` and `data.transfer` are not looked at.

    Raises DataError where a template finds none within what may be told.
    """
    try:
        return list(_generated(data, scope(data), count, split, data.seed if seed is None else seed))
    except DataError as error:
        raise DataError(f"{_narrowing(data)}{error}") from None


def _generated(data: Data, told: Scope, count: int, split: str = "train", seed: int = 0) -> Iterator[Scenario]:
    return engine.generate(
        count,
        seed=seed,
        dimensions=data.dimensions,
        orders=data.orders,
        split=split,
        mix=data.mix,
        chapters=_chapters(data),
        scope=told,
    )


def _narrowing(data: Data) -> str:
    """Return the setting, as "data.x: ", that leaves nothing to tell; "" where nothing is left out."""
    whole = scope(data)
    for name, less in (
        ("", Scope()),
        ("data.templates: ", Scope(whole.templates)),
        ("data.perturbations: ", Scope(whole.templates, whole.perturbations)),
    ):
        try:
            _generated(data, less, 0)
        except DataError:
            return name
    # Something could be told, and no draw gave it: the least that was asked for is to blame.
    narrowed = (
        ("objects", data.objects.places or data.objects.people),
        ("perturbations", not whole.perturbations.every),
    )
    return next((f"data.{name}: " for name, is_so in narrowed if is_so), "" if whole.every else "data.templates: ")


def scope(data: Data) -> Scope:
    """Return what may be told, in the engine's terms."""
    templates, perturbations = (Names(one.include, one.exclude) for one in (data.templates, data.perturbations))
    return Scope(templates, perturbations, data.objects.places, data.objects.people)


def _chapters(data: Data) -> tuple[int, ...]:
    return data.objects.chapters or (1,)


class Stage(NamedTuple):
    """A stretch of the run. until: its end, as a share of the run. number: of the first stage that tells the same."""

    until: float
    data: Data
    number: int


def stages(data: Data) -> list[Stage]:
    """Return the stages of `data.difficulty` and what follows them; none where it names orders alone, or nothing.

    A stage of orders draws on the stories of the whole run; one that names more has stories of its own.
    """
    if not any(stage.narrows for stage in data.difficulty or ()):
        return []
    told = [(stage.until, narrowed(data, stage)) for stage in data.difficulty or ()]
    if told[-1][0] < 1:
        told.append((1.0, data))
    kinds = [(one.dimensions, one.orders, _chapters(one), str(scope(one))) for _, one in told]
    return [Stage(until, one, kinds.index(kind)) for (until, one), kind in zip(told, kinds, strict=True)]


def narrowed(data: Data, stage: Told) -> Data:
    """Return what a stage tells: of what the run tells, that which the stage names too."""
    changes: dict[str, object] = {"difficulty": None}
    changes |= {name: value for name in ("dimensions", "orders") if (value := getattr(stage, name))}
    for name in ("templates", "perturbations"):
        whole, part = getattr(data, name), getattr(stage, name)
        if part is not None:
            left_out = dict.fromkeys((*whole.exclude, *part.exclude))
            changes[name] = Named(include=part.include or whole.include, exclude=tuple(left_out))
    return data.model_copy(update=changes | {"objects": _objects(data, stage)})


def _objects(data: Data, other: Told) -> Objects:
    return data.objects.model_copy(update=other.objects.model_dump(exclude_defaults=True) if other.objects else {})


def training_stories(data: Data, count: int) -> list[Scenario]:
    """Generate the stories to train on. With stages each has its share of the run of them, but a pair at least."""
    if not (ladder := stages(data)):
        return stories(data, count, "train")
    counts = dict.fromkeys((stage.number for stage in ladder), 0)
    begin = 0.0
    for stage in ladder:
        counts[stage.number] += max(FEWEST, FEWEST * round(count * (stage.until - begin) / FEWEST))
        begin = stage.until
    told: list[Scenario] = []
    for number, n in counts.items():
        with _told_of(f"data.difficulty: stage {number + 1}"):
            made = stories(ladder[number].data, n, "train")
        told += [replace(one, meta={**one.meta, STAGE: number}) for one in made]
    return told


@contextmanager
def _told_of(place: str) -> Iterator[None]:
    """Say in a DataError which stage or row it is about."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{place}: {SETTING.sub('', str(error))}") from None


def transfer_stories(data: Data) -> Iterator[Scenario]:
    """Generate the stories of each row of the transfer. Those with training's own names are other stories than its."""
    seen: dict[str, str] = {}
    for row in data.transfer:
        split, seed = ("train", data.seed + 1) if row.names == "seen" else ("test", data.seed)
        with _told_of(f"data.transfer: {row.name}"):
            made = stories(asked_for(data, row), row.items, split, seed)
        for one in made:
            if seen.setdefault(one.id, row.name) != row.name:
                raise DataError(f"data.transfer: {row.name} asks the same as {seen[one.id]}")
            yield replace(one, meta={**one.meta, TRANSFER: row.name})


def unseen(asked: Data, trained: Sequence[Data]) -> Iterator[bool]:
    """Yield, for each kind of thing that stories are told by, whether training tells none of those that are asked."""
    yield not any(set(asked.dimensions) & set(one.dimensions) for one in trained)
    yield not any(set(asked.orders) & set(one.orders) for one in trained)
    here, there = scope(asked), [scope(one) for one in trained]
    yield not any(name in here.templates and name in one.templates for one in there for name in engine.TEMPLATES)
    edits = [name for name in engine.PERTURBATIONS if name in here.perturbations]
    yield not any(one.tells(name) for one in there for name in edits)
    for numbers in (_places, _people, lambda one: set(_chapters(one))):
        yield not any(numbers(asked) & numbers(one) for one in trained)


def _places(data: Data) -> set[int]:
    """Return how many places things have: the numbers asked for, and fewer where a template takes no more."""
    usual = data.objects.places or range(FEWEST_PLACES, MOST_PLACES + 1)
    most = {MOST_PLACES, *(PLACES[name] for name in data.dimensions if name in PLACES)}
    return {min(number, one) for number in usual for one in most}


def _people(data: Data) -> set[int]:
    """Return how many people stories have: the numbers asked for, or more where order or plot needs more."""
    numbers: set[int] = set()
    for name in data.dimensions:
        for order in set(data.orders) & set(engine.DIMENSIONS[name].orders):
            needed = max(FEWEST_PEOPLE, order + 1)
            usual = data.objects.people or range(needed, max(order + 2, FEWEST_PEOPLE + 1) + 1)
            plot = PLOTS[name](order) if name in PLOTS else 0
            numbers |= {max(needed, least, number) for number in usual for least in (0, plot)}
    return numbers


def asked_for(data: Data, row: Transfer) -> Data:
    """Return what a row of the transfer tells: what it names, and as the run for the rest."""
    names = ("dimensions", "orders", "templates", "perturbations")
    changes = {name: value for name in names if (value := getattr(row, name)) is not None}
    return data.model_copy(update={**changes, "mix": {}, "difficulty": None, "objects": _objects(data, row)})
