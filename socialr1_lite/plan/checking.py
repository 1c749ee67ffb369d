"""Whether a recipe can be trained, as far as that shows without weights and network: its names, judges and data.

What makes the data, the judges and the schedule for a training is what is called here, so that nothing is called fine
that a training refuses, and nothing is refused that a training takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from socialr1_lite.data import heldout_scenarios, json_lines, schedule, transfer_scenarios
from socialr1_lite.data.leaks import check_source
from socialr1_lite.data.sources import is_hard, is_hub, joined, missing_file, one_source, parts, wrong_rows
from socialr1_lite.data.told import FEWEST, STORIES, asked_for, stages, stories, unseen
from socialr1_lite.errors import DataError, JudgeError
from socialr1_lite.judges import JUDGES, build_judge
from socialr1_lite.judges.base import Borrower
from socialr1_lite.pairs.record import read_pair
from socialr1_lite.plan.windows import length_note
from socialr1_lite.recipe import Data, Recipe, Told
from socialr1_lite.recipe.judge import GOLD, JudgeRecipe
from socialr1_lite.recipe.located_yaml import Keys, LocatedYaml, dotted, read_overridden
from socialr1_lite.recipe.messages import unknown_name
from socialr1_lite.recipe.schema import MixedSource, hub_name
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import DIMENSIONS, PERTURBATIONS, TEMPLATES

Mistakes = Iterator[tuple[Keys, str]]  # the way to a setting, and what is wrong with it

SETTING = re.compile(r"data\.(\w+)")
MOST_ORDERS = 5  # depths of belief, 0 to 4


def check_recipe(
    recipe: Recipe, path: str | Path | None = None, overrides: Sequence[str] = (), *, network: bool = False
) -> list[str]:
    """Check story dimensions, mix, judges, data and whether the data suffices for the schedule.

    path, overrides: where the recipe was read from, so that each mistake names its file and line. network: read hub
    datasets too, as training is about to. Returns what else is worth knowing: what was read of a benchmark's data or
    not at all, a length window that pays gold replies little, scenarios that are asked several times.

    Raises RecipeError listing every mistake.
    """
    data = _DataCheck(recipe, network=network)
    there = [*_model_folder(recipe.model.name), *data.mistakes, *_judges(recipe)]
    _refuse([*there, *_elsewhere(recipe)], path, overrides)
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
    indented = [(keys, what.replace("\n", "\n  ")) for keys, what in mistakes]
    if path is not None and indented:
        tree = read_overridden(Path(path), overrides)
        tree.add_mistakes(indented)
    else:
        tree = LocatedYaml(mistakes=[f"{dotted(keys)}: {what}" for keys, what in indented])
    tree.refuse_mistakes(path or "the recipe")


def _model_folder(name: str) -> Mistakes:
    if name.startswith(("/", "./", "../")) and not Path(name).is_dir():
        yield ("model", "name"), f"given {name!r}; there is no such folder (seen from {Path.cwd()})"


def _elsewhere(recipe: Recipe) -> Mistakes:
    """Look for trackers that are not installed, and for what pushing needs."""
    for index, name in enumerate(recipe.logging.report_to):
        found = find_spec(name)
        if found is None or found.origin is None:  # W&B leaves a folder `wandb`, which Python takes for a package
            yield ("logging", "report_to", index), f"{name} is not installed: pip install {name}"
    if recipe.run.push_to_hub and (wrong := hub_mistake(recipe.run.push_to_hub)):
        yield ("run", "push_to_hub"), wrong


def hub_mistake(repo: str) -> str:
    """Return why nothing can be pushed to a hub repository of this name, as far as shows without a network, or ""."""
    from huggingface_hub import constants, get_token

    try:
        hub_name(repo)
    except ValueError as error:
        return str(error)
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set: nothing can be pushed"
    return "" if get_token() else "there is no token for the hub: type `hf auth login`, or set HF_TOKEN"


def _judges(recipe: Recipe) -> Mistakes:
    """Build every judge, as training does: one that needs a model looks for its folder, none asks an endpoint."""
    for index, entry in enumerate(recipe.rewards.content.judges):
        at = ("rewards", "content", "judges", index)
        if entry.name not in JUDGES:
            yield (*at, "name"), unknown_name(entry.name, JUDGES, "judge")
            continue
        try:
            judge = build_judge(entry.name, entry.settings)
        except JudgeError as error:
            yield (*at, "settings"), str(error).removeprefix("rewards.content.judges: ")
            continue
        if recipe.warmup.merge and isinstance(judge, Borrower) and judge.needs_base:
            remedy = "name a model for it to read with (settings: {model: NAME}), or write warmup.merge: false"
            yield at, f"{entry.name} reads with the policy's base, which warmup.merge changes on the way; {remedy}"


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


def _told(data: Data) -> Iterator[tuple[Keys, Data | Told]]:
    """Yield every place of the data that names stories."""
    yield ("data",), data
    yield from ((("data", "difficulty", index), stage) for index, stage in enumerate(data.difficulty or ()))
    yield from ((("data", "transfer", index), row) for index, row in enumerate(data.transfer))


def _names(at: Keys, told: Data | Told) -> Mistakes:
    """Look for names that are no template and no perturbation, and for dimensions of a stage or row that are none."""
    for name, known in (("templates", TEMPLATES), ("perturbations", PERTURBATIONS)):
        named = getattr(told, name)
        for list_ in ("include", "exclude") if named else ():
            for index, one in enumerate(getattr(named, list_)):
                if one not in known:
                    yield (*at, name, list_, index), unknown_name(one, known, name.removesuffix("s"))
    if isinstance(told, Told) and told.dimensions:
        for keys, what in _dimensions("", told.dimensions, told.orders or range(MOST_ORDERS)):
            yield (*at, *keys[1:]), what


def _transfer(recipe: Recipe) -> Mistakes:
    """Look for rows of the transfer that ask nothing which training never sees, its cold start included."""
    data = recipe.data
    told = STORIES in {part.source for part in parts(data)}
    trained = ([stage.data for stage in stages(data)] or [data]) if told else [data] if recipe.warmup.steps else []
    for index, row in enumerate(data.transfer):
        if row.names == "seen" and not trained:
            words = "seen are the names of training's stories, and it tells none: no source is `stories`, no cold start"
            yield ("data", "transfer", index, "names"), words
        if row.names == "unseen" and not any(unseen(asked_for(data, row), trained)):
            yield (
                ("data", "transfer", index),
                f"{row.name} asks nothing that training{'' if told else ', by its cold start,'} never sees: all of its "
                "dimensions, orders, templates, perturbations, or numbers of places, people or chapters must be others "
                "than training's (data.perturbations.exclude: [...] leaves some out)",
            )


class _DataCheck:
    """Loads what is here as training does, and plans the schedule."""

    def __init__(self, recipe: Recipe, *, network: bool) -> None:
        """Look at the data at once. mistakes: what is wrong with it. notes: what was read, or not, or asked twice."""
        self.mistakes: list[tuple[Keys, str]] = []
        self.notes: list[str] = []
        self.network = network
        data, at = recipe.data, ("data", "heldout_source")
        apart = data.heldout_source if data.heldout else None
        if STORIES in (apart, *(part.source for part in parts(data))) or data.transfer:
            self.mistakes += _dimensions("data", data.dimensions, data.orders, data.mix)
        self.mistakes += [one for keys, told in _told(data) for one in _names(keys, told)]
        self.mistakes += [] if self.mistakes else _transfer(recipe)
        rows = self._load(("data", "transfer"), STORIES, lambda: (transfer_scenarios(recipe), ""))
        if rows is None:  # the rest can still be looked at
            data = data.model_copy(update={"transfer": ()})
            recipe = recipe.model_copy(update={"data": data})
        heldout = apart and self._load(at, apart, lambda: (heldout_scenarios(recipe), ""))
        if apart and heldout is None:  # the others can still be looked at by themselves
            recipe = recipe.model_copy(update={"data": data.model_copy(update={"heldout": 0, "heldout_source": None})})
        ways: list[Keys] = [("data", "sources", i, "source") for i in range(len(data.sources))]
        every = zip(ways or [("data", "source")], parts(recipe.data), strict=True)
        loaded = [self._load(way, part.source, partial(one_source, part), part) for way, part in every]
        there = [part for part in loaded if part is not None]
        if len(there) == len(loaded):
            try:
                training = joined(recipe, there)
                self._cold_start(training, recipe)
                self._plan(training, recipe)
            except DataError as error:
                self._add(("data", "sources" if data.sources else "source"), error)

    def _load(
        self, keys: Keys, source: str, load: Callable[[], tuple[list[Scenario], str]], part: Data | None = None
    ) -> list[Scenario] | None:
        """Return the scenarios of the setting; None when there are none to have, or only with a network."""
        if source == STORIES and self.mistakes:  # none can be made of unknown dimensions
            return None
        try:
            if not is_hub(source) or self.network:
                scenarios, told = load()
                self.notes += [f"{dotted(keys)}: {told}"] if told else []
                return scenarios
            if part:
                check_source(part.source, part.split, part.config)
            copied = ", from the hub; where there is no network, write the folder of a copy instead"
            hub = copied if is_hard(source) else ""
            self.notes.append(f"not checked: {source} ({dotted(keys)}) is read when training starts{hub}")
        except DataError as error:
            self._add(keys, error)
        return None

    def _cold_start(self, training: Sequence[Scenario], recipe: Recipe) -> None:
        """Make a pair of the stories that a cold start takes where nothing that is trained on has a gold reply."""
        data = recipe.data.model_copy(update={"mix": {}})  # as in `cold_start_rows`
        if not recipe.warmup.steps or any(scenario.facts for scenario in training):
            return
        if wrong := [one for one in _dimensions("data", data.dimensions, data.orders) if one not in self.mistakes]:
            self.mistakes += wrong
        elif not self.mistakes:
            stories(data, FEWEST, "train")

    def _plan(self, training: Sequence[Scenario], recipe: Recipe) -> None:
        """Plan the order of the prompts, as training does. Raises DataError when the scenarios do not suffice."""
        there = {scenario.dimension for scenario in training} - {""}
        missing = [name for name, share in recipe.data.mix.items() if share > 0 and name not in there]
        for name in missing:
            self.mistakes.append((("data", "mix", name), unknown_name(name, there, "dimension of the scenarios")))
        self.notes += length_note(recipe, training)
        order = [] if missing else schedule(training, recipe)
        if len(order) > len(training):
            self.notes.append(
                f"{len(order)} prompt groups are asked of {len(training)} scenarios: the order repeats, "
                f"each comes {len(order) / len(training):.1f} times on average"
            )

    def _add(self, keys: Keys, error: DataError) -> None:
        """Note the error at the setting that its message begins with, else at this one."""
        text, named = str(error), SETTING.match(str(error))
        if named:
            keys = (*(keys[:-1] if named[1] in MixedSource.model_fields else keys[:1]), named[1])
            text = text.removeprefix(named[0])
        self.mistakes.append((keys, text.lstrip(": ")))


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
