"""From a recipe's `data` section to scenarios: the story engine, local files, hub datasets."""

from __future__ import annotations

import difflib
import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from socialr1_lite.benchmarks import tombench_hard
from socialr1_lite.data import leaks
from socialr1_lite.data.files import READERS, PlacedRows, SourceRow
from socialr1_lite.data.order import SOURCE, turns
from socialr1_lite.data.told import STORIES, stories, training_stories, transfer_stories
from socialr1_lite.errors import DataError, first_line
from socialr1_lite.recipe import Data, Recipe
from socialr1_lite.scenario import MAX_OPTIONS, Scenario, gold_numbers, own_marks, read_gold, sound

HARD = tombench_hard.BENCHMARK
FIELDS = ("id", "story", "question", "options", "gold", "accepted", "dimension", "group", "source", "facts", "meta")
LISTS, MAPPINGS = ("options", "accepted"), ("facts", "meta")
MANY_GOLDS = 20  # numbers without a 0 among them: by chance 1 in 300 times with four options [ours]
SHOWN_MISTAKES = 10  # the others of a file are only counted
OPTION_FIELD = re.compile(r"option_([a-z])")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")

Columns = Mapping[str, str | tuple[str, ...]]  # our name: theirs


def training_scenarios(recipe: Recipe) -> list[Scenario]:
    """Load every scenario the recipe may train on, in the sources' order, without those held out.

    Raises LeakError for evaluation-only data, DataError naming file, line and mistake for everything else.
    """
    return joined(recipe, [one_source(part)[0] for part in parts(recipe.data)])


def parts(data: Data) -> list[Data]:
    """Return each source's data by itself, with its own share of the held-out questions."""
    if not data.sources:
        return [data]
    kept, split = Counter(_heldout_turns(data)), []
    for one in data.sources:
        heldout = data.heldout if data.heldout_source else kept[one.source]
        split.append(data.model_copy(update=one.model_dump(exclude={"share"}) | {"sources": (), "heldout": heldout}))
    return split


def _heldout_turns(data: Data) -> list[str]:
    return list(islice(turns({one.source: one.share for one in data.sources}), data.heldout))


def one_source(data: Data) -> tuple[list[Scenario], str]:
    """Load what may be trained on of one source, and say in a line what was read ("": as it is written)."""
    if data.source == STORIES:
        return training_stories(data, data.size if data.limit is None else min(data.size, data.limit)), ""
    leaks.check_source(data.source, data.split, data.config)
    training, told = load_source(data, data.source, limit=data.limit)
    leaks.check_scenarios(training, data.source, data.split)
    if data.heldout_source is None:
        training, _ = _split(training, data)
    return training, told


def joined(recipe: Recipe, loaded: Sequence[Sequence[Scenario]]) -> list[Scenario]:
    """Join what was loaded of each source. Raises DataError for an id of two of them, LeakError for one held out."""
    data, training = recipe.data, [one for part in loaded for one in part]
    if data.sources:
        training = [_from(name.source, one) for name, part in zip(data.sources, loaded, strict=True) for one in part]
        if twice := [name for name, n in Counter(one.id for one in training).items() if n > 1]:
            raise DataError(f"data.sources: two of them have the id {twice[0]!r} ({len(twice)} such ids)")
    if data.sources or data.heldout_source is not None:
        leaks.check_apart(training, heldout_scenarios(recipe))
    if data.transfer:
        leaks.check_apart(training, transfer_scenarios(recipe))
    return training


def heldout_scenarios(recipe: Recipe) -> list[Scenario]:
    """Load `data.heldout` scenarios that training never sees: another source's, or a part of its own.

    Of several sources each keeps its share, asked in turns, so that the first ones are as mixed as all.
    """
    data = recipe.data
    if data.heldout == 0:
        return []
    if data.sources and data.heldout_source is None:
        kept = {part.source: iter(heldout_scenarios(recipe.model_copy(update={"data": part}))) for part in parts(data)}
        return [_from(name, one) for name in _heldout_turns(data) for one in islice(kept[name], 1)]
    source = data.heldout_source or data.source
    if source == STORIES:
        return stories(data, data.heldout, "test")
    if data.heldout_source is not None:
        return load_source(data, source, limit=data.heldout)[0]
    return _split(load_source(data, source, limit=data.limit)[0], data)[1]


def transfer_scenarios(recipe: Recipe) -> list[Scenario]:
    """Generate the stories of `data.transfer`, which training never sees; `meta` names the row that each is of."""
    return list(transfer_stories(recipe.data))


def _from(source: str, scenario: Scenario) -> Scenario:
    return replace(scenario, meta={**scenario.meta, SOURCE: source})


def _split(scenarios: list[Scenario], data: Data) -> tuple[list[Scenario], list[Scenario]]:
    """Split into (training, held out): whole stories, drawn by `data.seed`, no story on both sides."""
    if data.heldout == 0:
        return scenarios, []
    sizes = Counter(map(story_key, scenarios))
    stories = sorted(sizes)
    random.Random(f"{data.seed}/heldout").shuffle(stories)
    kept: set[str] = set()
    counted = 0
    while counted < data.heldout and stories:
        kept.add(story := stories.pop())
        counted += sizes[story]
    training = [scenario for scenario in scenarios if story_key(scenario) not in kept]
    if not training:
        raise DataError(
            f"data.heldout {data.heldout} of the {len(scenarios)} scenarios of {data.source} leaves none to train on; "
            "lower it, or name a data.heldout_source"
        )
    return training, [scenario for scenario in scenarios if story_key(scenario) in kept][: data.heldout]


def story_key(scenario: Scenario) -> str:
    """Return what is equal for the questions of one story: they are kept back, and counted, together."""
    return scenario.group or " ".join(scenario.story.split()) or scenario.id


def load_source(data: Data, source: str, *, limit: int | None) -> tuple[list[Scenario], str]:
    """Load a file or hub dataset, at most `limit` rows, and say what was dropped. DataError: every bad row."""
    rows, name = _rows(data, source)
    if is_hard(source) and not data.columns:
        return tombench_hard.training(islice(rows, limit), name)
    found: dict[str, Scenario] = {}
    mistakes: list[str] = []
    counts = GoldCounts()
    for place, row in islice(rows, limit):
        try:
            default_id = f"{name}/{place.rpartition(' ')[2]}"
            scenario = read_scenario(row, data.columns, default_id=default_id, gold_from=data.gold_from, counts=counts)
            if scenario.id in found:
                raise DataError(f"id {scenario.id!r} was already used")
            found[scenario.id] = scenario
        except DataError as error:
            where = f"{source}:{place.removeprefix('line ')}" if place.startswith("line ") else f"{source}, {place}"
            mistakes.append(f"{where}: {error}")
    if data.gold_from is None and counts.seem_to_begin_at_1():
        raise DataError(
            f"{source}: its gold numbers are 1 to {max(counts.numbers)} and never 0. If 1 is the first option, write "
            f"data.gold_from: 1 in the recipe (or type data.gold_from=1); if 0 is, data.gold_from: 0"
        )
    if mistakes or not found:
        raise DataError(wrong_rows(source, len(found) + len(mistakes), mistakes))
    return list(found.values()), ""


def wrong_rows(source: str | Path, read: int, mistakes: Sequence[str]) -> str:
    """Say which of the `read` rows are wrong, a line each for the first ten; or that there is no row."""
    if not read:
        return f"{source}: there is no row in it"
    more = len(mistakes) - SHOWN_MISTAKES
    lines = [*mistakes[:SHOWN_MISTAKES], *([f"... and {more} more"] if more > 0 else [])]
    return "\n  ".join([f"{source}: {len(mistakes)} of {read} rows are wrong:", *lines])


def missing_file(path: Path) -> str:
    """Say that the file is not there, and which one beside it was probably meant."""
    beside = [other.name for other in path.parent.glob("*.*") if other.suffix in READERS]
    near = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"; did you mean {path.with_name(near[0])}?" if near else ""
    return f"{path}: there is no such file (seen from {Path.cwd()}){hint}"


@dataclass
class GoldCounts:
    """The gold numbers of a file, by which one may see that they count from 1."""

    numbers: Counter[int] = field(default_factory=Counter)
    beyond: int = 0  # those that would be the last option, were the first one 1

    def add(self, numbers: Sequence[int], options: int) -> None:
        """Take in a row's."""
        self.numbers.update(numbers)
        self.beyond += sum(number == options for number in numbers)

    def seem_to_begin_at_1(self) -> bool:
        """Return whether there are some, none is 0, and one is too high or so many cannot all miss the first option."""
        return bool(self.numbers) and min(self.numbers) == 1 and (self.beyond > 0 or self.numbers.total() >= MANY_GOLDS)


def read_scenario(
    row: SourceRow | str,
    columns: Columns | None = None,
    *,
    default_id: str,
    gold_from: int | None = None,
    counts: GoldCounts | None = None,
) -> Scenario:
    """Read a scenario from a row of a file (the package's docstring lists its columns). Raises DataError.

    row: or what is wrong with it, as the readers tell it. columns: ours -> theirs. gold_from: the number of the first
    option in a gold that is a number; None: 0, or as the options number themselves. counts: takes in such golds.
    """
    if isinstance(row, str):
        raise DataError(row)
    ours = _renamed(row, columns or {})
    if not ours.get("options") and not ours.get("accepted") and isinstance(ours.get("gold"), str):
        ours["accepted"] = [ours.pop("gold")]  # open-ended: the gold answer is a text
    if options := ours.get("options"):
        ours["options"], first = own_marks(options)
        numbers = gold_numbers(ours.get("gold"), options)
        if counts is not None and first is None:
            counts.add(numbers, len(options))
        begin = gold_from if gold_from is not None else first or 0
        ours["gold"] = read_gold(ours.get("gold"), ours["options"], str(ours.get("id", default_id)), options, begin)
    scenario = Scenario.from_row({"id": default_id} | ours)
    if not scenario.options and not scenario.accepted:
        raise DataError(f"neither options nor an accepted answer; columns found: {', '.join(map(repr, row))}")
    return scenario


def _renamed(row: SourceRow, columns: Columns) -> SourceRow:
    """Return the row under our names: mapped columns first, then columns that bear our names already."""
    named = {name for theirs in columns.values() for name in ([theirs] if isinstance(theirs, str) else theirs)}
    if missing := sorted(named - row.keys()):
        names, found = ", ".join(map(repr, missing)), ", ".join(map(repr, row))
        raise DataError(f"data.columns names {names}, which is not a column; found: {found}")
    ours = {name: row[name] for name in row if name in FIELDS or OPTION_FIELD.fullmatch(name)}
    for name, theirs in columns.items():
        if name not in FIELDS and not OPTION_FIELD.fullmatch(name):
            fields = f"{', '.join(FIELDS)}, option_a, option_b, ..."
            raise DataError(f"data.columns: {name!r} is no field of a scenario; there are {fields}")
        ours[name] = row[theirs] if isinstance(theirs, str) else [row[one] for one in theirs]
    if "question" not in ours and "story" not in ours:
        raise DataError(f"no question; columns found: {', '.join(map(repr, row))}")
    options = [ours.pop(name) for name in sorted(ours) if OPTION_FIELD.fullmatch(name)]
    if not all(map(_empty, options)):
        if not _empty(ours.get("options")):
            raise DataError("options in one column and in columns of their own; one of the two is needed")
        ours["options"] = options
    for name in LISTS:
        ours[name] = _as_list(ours.get(name), name)
    for name in MAPPINGS:
        if isinstance(held := ours.get(name), str) and held.strip():  # a cell of a CSV
            try:
                ours[name] = sound(json.loads(held))
            except (ValueError, RecursionError):
                raise DataError(f"{name}: {held[:60]!r} is no JSON object") from None
    return {name: value for name, value in ours.items() if not _empty(value)}


def _as_list(value: object, name: str) -> list[str]:
    """Return a list of texts without empty ones at its end (columns for options that this row lacks)."""
    if _empty(value):
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise DataError(f"{name}: {str(value)[:60]!r} begins like a JSON list and is none") from None
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise DataError(f"{name}: {value!r} is not a list")
    texts = ["" if _empty(one) else str(one).strip() for one in value]
    while texts and not texts[-1]:
        texts.pop()
    if len(texts) > MAX_OPTIONS and name == "options":
        raise DataError(f"{len(texts)} options; at most {MAX_OPTIONS} are allowed")
    return texts


def _empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)


def _rows(data: Data, source: str) -> tuple[PlacedRows, str]:
    """Return the source's rows with their places, and a short name for ids."""
    path = Path(source).expanduser()
    if path.suffix.lower() in READERS:
        if not path.is_file():
            raise DataError(missing_file(path))
        return READERS[path.suffix.lower()](path), path.stem
    if path.is_dir() and is_hard(source):
        there = tombench_hard.training_files(path, READERS)
        return ((f"{file.name} {place}", row) for file in there for place, row in READERS[file.suffix](file)), path.name
    if not is_hub(source):
        files = f"a file ending in {', '.join(READERS)}, {HARD.name} or its folder"
        what = f"is none of: {STORIES}, {files}, a hub dataset's id (owner/name)"
        raise DataError(f"{source!r} {what}" if path.exists() else f"{missing_file(path)}; {source!r} {what}")
    return _hub_rows(data, HARD.hub if source == HARD.name else source), source.rpartition("/")[2]


def is_hard(source: str) -> bool:
    """Return whether the source is ToMBench-Hard, by its own name, its hub id, or the name of a file or folder."""
    return "tombenchhard" in re.sub(r"[\W_]", "", source.lower())


def is_hub(source: str) -> bool:
    """Return whether the source is read as a hub dataset's id: neither ours, nor here, nor named like a file."""
    path = Path(source)
    named_like_a_file = path.suffix.lower() in {*READERS, ".json"}
    return source != STORIES and not path.exists() and not named_like_a_file and bool(HUB_ID.fullmatch(source))


def _hub_rows(data: Data, source: str) -> PlacedRows:
    import datasets

    try:
        table = datasets.load_dataset(source, data.config, split=data.split, revision=data.revision)
    except Exception as error:  # the library raises a dozen kinds, from its own to the network's
        raise DataError(
            f"hub dataset {source} (config {data.config}, split {data.split}, revision {data.revision}) "
            f"cannot be loaded: {first_line(error)}; without a network, download it elsewhere and name the local file"
        ) from None
    for number, row in enumerate(table, start=1):
        yield f"row {number}", sound(dict(row))  # type: ignore[misc]
