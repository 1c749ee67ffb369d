"""From a YAML file and `key=value` overrides to a checked recipe, with the file and line of every mistake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from socialr1_lite.errors import RecipeError
from socialr1_lite.recipe import located_yaml
from socialr1_lite.recipe.checks import cross_checks
from socialr1_lite.recipe.located_yaml import LocatedYaml
from socialr1_lite.recipe.messages import explain_validation_error, unknown_key
from socialr1_lite.recipe.recipe import SECTIONS, Recipe
from socialr1_lite.recipe.schema import Section


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, complete and check a recipe.

    Args:
        path: the YAML file; `extends:` in it names another one, relative to it.
        overrides: `section.key=value` each, the value in YAML; they come last.

    Raises:
        RecipeError: naming the file and line of every mistake, what was given and what is allowed.
    """
    path = Path(path)
    tree = located_yaml.read_overridden(path, overrides)
    sections = _read_sections(tree)
    tree.add_mistakes(cross_checks(sections))
    if tree.mistakes:
        raise RecipeError(tree.report(path))
    return _launched(Recipe.model_validate(sections), path.stem)


def _launched(recipe: Recipe, stem: str) -> Recipe:
    """Fill in what only this launch knows: the run's name, from the file's stem, and the number of processes."""
    plain = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in stem).strip(".-")
    known = {"name": recipe.run.name or plain or "run", "processes": recipe.processes}
    return recipe.model_copy(update={"run": recipe.run.model_copy(update=known)})


def _read_sections(tree: LocatedYaml) -> dict[str, Section]:
    """Return each section that is well-formed by itself; add the mistakes of the others to the tree's."""
    sections: dict[str, Section] = {}
    tree.add_mistakes(((name,), unknown_key((name,), Recipe, Recipe)) for name in tree.values if name not in SECTIONS)
    for name, kind in SECTIONS.items():
        given = tree.values.get(name, {})
        try:
            sections[name] = kind.model_validate(given)
        except ValidationError as error:
            tree.add_mistakes(explain_validation_error(error, (name,), given, kind, Recipe))
    return sections
