"""Whether a recipe can be trained, as far as that shows without weights and network: its names, judges and data.

What makes the data, the judges and the schedule for a training is what is called here, so that nothing is called fine
that a training refuses, and nothing is refused that a training takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from socialr1_lite.data import heldout_scenarios, json_lines, schedule, training_scenarios
from socialr1_lite.data.leaks import check_source
from socialr1_lite.data.sources import STORIES, is_hub, missing_file, wrong_rows
from socialr1_lite.errors import DataError, JudgeError
from socialr1_lite.judges import JUDGES, build_judge
from socialr1_lite.pairs.record import read_pair
from socialr1_lite.recipe import Recipe, Rewards
from socialr1_lite.recipe.judge import GOLD, JudgeRecipe
from socialr1_lite.recipe.located_yaml import Keys, LocatedYaml, dotted, read_overridden
from socialr1_lite.recipe.messages import unknown_name
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import DIMENSIONS

Mistakes = Iterator[tuple[Keys, str]]  # the way to a setting, and what is wrong with it

SETTING = re.compile(r"data\.(\w+)")


def check_recipe(recipe: Recipe, path: str | Path | None = None, overrides: Sequence[str] = ()) -> list[str]:
    """Check story dimensions, mix, judges, local data and whether the data suffices for the schedule.

    path, overrides: where the recipe was read from, so that each mistake names its file and line. Returns what else
    is worth knowing: data that is not read before training starts, scenarios that are asked several times.

    Raises RecipeError listing every mistake.
    """
    data = _DataCheck(recipe)
    _refuse([*_model_folder(recipe.model.name), *data.mistakes, *_judges(recipe.rewards)], path, overrides)
    return data.notes


def check_judge_recipe(recipe: JudgeRecipe, path: str | Path | None = None, overrides: Sequence[str] = ()) -> None:
    """Check the story dimensions and the files of pairs. Raises RecipeError as `check_recipe` does."""
    pairs = recipe.pairs
    sources = {("pairs", "source"): pairs.source, ("pairs", "heldout_source"): pairs.heldout_source}
    mistakes = [*_model_folder(recipe.model.name)]
    if GOLD in sources.values():
        mistakes += _dimensions("pairs", pairs.dimensions, pairs.orders)
    for keys, source in sources.items():
        if source != GOLD:
            mistakes += [(keys, what) for what in _pair_mistakes(Path(source))]
    _refuse(mistakes, path, overrides)


def _refuse(mistakes: Sequence[tuple[Keys, str]], path: str | Path | None, overrides: Sequence[str]) -> None:
    """Raise RecipeError with all mistakes, each with its place where the recipe was read from a file."""
    if not mistakes:
        return
    indented = [(keys, what.replace("\n", "\n  ")) for keys, what in mistakes]
    if path is None:
        tree = LocatedYaml(mistakes=[f"{dotted(keys)}: {what}" for keys, what in indented])
    else:
        tree = read_overridden(Path(path), overrides)
        tree.add_mistakes(indented)
    tree.refuse_mistakes(path or "the recipe")


def _model_folder(name: str) -> Mistakes:
    if name.startswith(("/", "./", "../")) and not Path(name).is_dir():
        yield ("model", "name"), f"given {name!r}; there is no such folder (seen from {Path.cwd()})"


def _judges(rewards: Rewards) -> Mistakes:
    """Build every judge, as training does: one that needs a model looks for its folder, none asks an endpoint."""
    for index, entry in enumerate(rewards.content.judges):
        at = ("rewards", "content", "judges", index)
        if entry.name not in JUDGES:
            yield (*at, "name"), unknown_name(entry.name, JUDGES, "judge")
            continue
        try:
            build_judge(entry.name, entry.settings)
        except JudgeError as error:
            yield (*at, "settings"), str(error).removeprefix("rewards.content.judges: ")


def _dimensions(section: str, names: Sequence[str], orders: Sequence[int], mix: Iterable[str] = ()) -> Mistakes:
    """Look for names that are no story dimension, and dimensions that have none of the orders."""
    for index, name in enumerate(names):
        if name not in DIMENSIONS:
            yield (section, "dimensions", index), unknown_name(name, DIMENSIONS, "story dimension")
        elif not set(orders) & set(DIMENSIONS[name].orders):
            have = ", ".join(map(str, DIMENSIONS[name].orders))
            yield (section, "orders"), f"given {list(orders)}; the dimension {name} has only {have}"
    for name in mix:
        if name not in DIMENSIONS:
            yield (section, "mix", name), unknown_name(name, DIMENSIONS, "story dimension")


class _DataCheck:
    """Loads what is here as training does, and plans the schedule."""

    def __init__(self, recipe: Recipe) -> None:
        """Look at the data at once. mistakes: what is wrong with it. notes: what is not read, or asked twice."""
        self.mistakes: list[tuple[Keys, str]] = []
        self.notes: list[str] = []
        data = recipe.data
        apart = data.heldout_source if data.heldout else None
        if STORIES in (data.source, apart):
            self.mistakes += _dimensions("data", data.dimensions, data.orders, data.mix)
        heldout = None
        try:
            heldout = self._load("heldout_source", apart, lambda: heldout_scenarios(recipe))
        except DataError as error:
            self._add("heldout_source", error)
        if apart is not None and heldout is None:  # the others can still be looked at by themselves
            recipe = recipe.model_copy(update={"data": data.model_copy(update={"heldout": 0, "heldout_source": None})})
        try:
            if data.source != STORIES:
                check_source(data.source, data.split, data.config)
            training = self._load("source", data.source, lambda: training_scenarios(recipe))
            if training is not None:
                self._plan(training, recipe)
        except DataError as error:
            self._add("source", error)

    def _load(self, name: str, source: str | None, load: Callable[[], list[Scenario]]) -> list[Scenario] | None:
        """Return the scenarios of the setting; None when there are none to have, or only with a network."""
        if source is None or (source == STORIES and self.mistakes):  # none can be made of unknown dimensions
            return None
        if is_hub(source):
            self.notes.append(f"not checked: {source} (data.{name}) is read when training starts")
            return None
        return load()

    def _plan(self, training: Sequence[Scenario], recipe: Recipe) -> None:
        """Plan the order of the prompts, as training does. Raises DataError when the scenarios do not suffice."""
        there = {scenario.dimension for scenario in training} - {""}
        missing = [name for name, share in recipe.data.mix.items() if share > 0 and name not in there]
        for name in missing:
            self.mistakes.append((("data", "mix", name), unknown_name(name, there, "dimension of the scenarios")))
        order = [] if missing else schedule(training, recipe)
        if len(order) > len(training):
            self.notes.append(
                f"{len(order)} prompt groups are asked of {len(training)} scenarios: the order repeats, "
                f"each comes {len(order) / len(training):.1f} times on average"
            )

    def _add(self, name: str, error: DataError) -> None:
        """Note the error at the setting that its message begins with, else at this one."""
        named = SETTING.match(str(error))
        keys = ("data", named[1] if named else name)
        self.mistakes.append((keys, str(error).removeprefix(dotted(keys)).lstrip(": ")))


def _pair_mistakes(path: Path) -> Iterator[str]:
    """Say what is wrong with a file of pairs: that it is missing, or its rows."""
    if not path.is_file():
        yield missing_file(path)
        return
    rows, wrong = 0, []
    with path.open("rb") as file:
        for place, row in json_lines(file):
            rows, where = rows + 1, f"{path}:{place.rpartition(' ')[2]}"
            try:
                if isinstance(row, str):  # what is wrong with the line itself
                    raise DataError(f"{where}: {row}")
                read_pair(row, where)
            except DataError as error:
                wrong.append(str(error))
    if wrong or not rows:
        yield wrong_rows(path, rows, wrong)
