"""What a run asks is kept in its folder: a resume asks the same questions in the same order, or says what differs.

order.json: how many scenarios of scenarios.jsonl are trained on and held out (they are its first ones), a digest of
them, and which is asked when. Generated stories and the order are read from the run, whatever a newer engine makes;
rows of a file must still be those that they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from socialr1_lite.data.order import SOURCE, schedule
from socialr1_lite.data.sources import (
    heldout_scenarios,
    joined,
    one_source,
    parts,
    training_scenarios,
    transfer_scenarios,
)
from socialr1_lite.data.told import STORIES
from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe import Data, Recipe, load_recipe
from socialr1_lite.runlog import RunFolder, write_atomic
from socialr1_lite.scenario import Scenario

ORDER = "order.json"
VERSION = 1
Questions = tuple[list[Scenario], list[Scenario]]  # trained on, held out


def questions(run: RunFolder, recipe: Recipe) -> Questions:
    """Return what is trained on and what is held out. Stories are the run's own where it holds them already."""
    data = recipe.data
    kept = _kept(run, recipe)
    if kept is not None and _all_stories(data):
        return kept
    heldout = [*heldout_scenarios(recipe)[: recipe.evaluation.items], *transfer_scenarios(recipe)]
    if kept is None or STORIES not in {part.source for part in parts(data)}:
        return training_scenarios(recipe), heldout
    mine = [one for one in kept[0] if one.meta.get(SOURCE) == STORIES]
    loaded = [mine if part.source == STORIES else one_source(part)[0] for part in parts(data)]
    beside = [old if old.meta.get(SOURCE) == STORIES else new for old, new in zip(kept[1], heldout, strict=False)]
    return joined(recipe, loaded), [*beside, *heldout[len(beside) :]]


def _all_stories(data: Data) -> bool:
    return data.source == STORIES and not data.sources and data.heldout_source in (None, STORIES)


def _kept(run: RunFolder, recipe: Recipe) -> Questions | None:
    """Return what the run has asked so far; None for a folder of nothing, or of another recipe."""
    if not run.recipe.is_file() or not run.scenarios.is_file() or load_recipe(run.recipe).digest != recipe.digest:
        return None
    data, order = recipe.data, _order(run)
    if order is None and not _all_stories(data):  # begun before the order was kept
        return None
    training = order["training"] if order else min(data.size, data.limit or data.size)
    heldout = order["heldout"] if order else min(data.heldout, recipe.evaluation.items)
    stored = list(islice(run.read_scenarios(), training + heldout))
    kept = stored[:training], stored[training:]
    whole = len(stored) == training + heldout and (order is None or order.get("digest") == _digest(kept))
    return kept if whole else None


def _order(run: RunFolder) -> dict[str, Any] | None:
    """Read order.json; None where there is none. Raises RunLogError for one that is damaged."""
    path = run.path / ORDER
    try:
        read = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunLogError(
            f"{path}: cannot be read ({error}); put it back, or start a new run: run.name=ANOTHER"
        ) from None
    held: dict[str, Any] = {"ids": None, "order": None} | (read if isinstance(read, dict) else {})
    whole = all(type(held.get(name)) is int and held[name] >= 0 for name in ("training", "heldout"))
    whole = whole and isinstance(held["ids"], list) and all(isinstance(one, str) for one in held["ids"])
    whole = whole and isinstance(held["order"], list)
    if not whole or not all(type(at) is int and 0 <= at < len(held["ids"]) for at in held["order"]):
        raise RunLogError(f"{path}: is damaged; put it back, or start a new run: run.name=ANOTHER")
    return held


def keep(run: RunFolder, recipe: Recipe, asked: Questions, fitting: Sequence[Scenario], *, begun: bool) -> None:
    """Write order.json once. asked: as in scenarios.jsonl. fitting: those with prompts that are short enough.

    begun: whether the run holds work; before that, another order takes the place of one that is there.
    """
    if begun and (run.path / ORDER).exists():
        return
    places = {one.id: place for place, one in enumerate(fitting)}
    order = [places[one.id] for one in schedule(fitting, recipe)]
    counts = {"version": VERSION, "training": len(asked[0]), "heldout": len(asked[1]), "digest": _digest(asked)}
    write_atomic(run.path / ORDER, orjson.dumps(counts | {"ids": list(places), "order": order}))


def planned(run: RunFolder, recipe: Recipe, fitting: Sequence[Scenario]) -> list[Scenario]:
    """Return the scenario of each prompt group, as the run has kept it, else as `schedule` plans it.

    Raises RunLogError where a question of the order no longer fits into a prompt.
    """
    kept, there = _order(run), {one.id: one for one in fitting}
    if kept is None:
        return schedule(fitting, recipe)
    if gone := [one for one in kept["ids"] if one not in there]:
        raise RunLogError(
            f"{run.path}: {len(gone)} questions that were asked are too long now (first: {gone[0]}): the model's chat "
            "template or tokenizer has changed; put it back, or start a new run: run.name=ANOTHER"
        )
    return [there[kept["ids"][at]] for at in kept["order"]]


def refuse_others(run: RunFolder, recipe: Recipe, asked: Questions) -> None:
    """Raise RunLogError where these are not the questions of the run so far, saying what differs."""
    kept = _order(run)
    if (kept is None and not run.scenarios.is_file()) or (kept and kept.get("digest") == _digest(asked)):
        return
    now = {one.id: one for part in asked for one in part}
    stored = list(islice(run.read_scenarios(), kept["training"] + kept["heldout"] if kept else None))
    if kept is None:  # begun before the order was kept: what an evaluation has added stands behind
        last = max((place for place, one in enumerate(stored) if one.id in now), default=-1)
        stored = stored[: last + 1]
        if [*now.values()] == stored:
            return
    before = {one.id: one for one in stored}
    told = "; ".join(_differences(before, now)) or f"{ORDER} does not belong to {run.scenarios.name}"
    sources = ", ".join(one.source for one in recipe.data.sources) or recipe.data.source
    raise RunLogError(
        f"{run.path}: {sources} no longer has the questions that this run was asked: {told}. Put it back as it was, "
        "or start a new run: run.name=ANOTHER"
    )


def _differences(before: Mapping[str, Scenario], now: Mapping[str, Scenario]) -> Iterator[str]:
    both = [one for one in before if one in now]
    shift = {one: place for place, one in enumerate(one for one in now if one in before)}
    for what, found in (
        ("gone", [one for one in before if one not in now]),
        ("new", [one for one in now if one not in before]),
        ("changed", [one for one in both if before[one] != now[one]]),
        ("moved", [one for place, one in enumerate(both) if shift[one] != place]),
    ):
        if found:
            yield f"{len(found)} {what} (first: {found[0]})"


def _digest(asked: Questions) -> str:
    digest = hashlib.sha256()
    for part in asked:
        for one in part:
            digest.update(orjson.dumps(one.to_row(), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS))
        digest.update(b"\n")
    return digest.hexdigest()
