"""Recipes that are made to hang, to fill the memory or to fail in some other place: refused at once, with the line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from socialr1_lite.errors import RecipeError, lack_of
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.recipe import Recipe, load_recipe

MANY = "9" * 23
REFUSED = {  # a recipe, and what is said of it
    "a group beyond all numbers": (
        f"grpo: {{num_generations: {MANY}}}",
        r":1: column \d+: not valid YAML: '9+' is not",
    ),
    "a group of a million million": ("grpo: {num_generations: 1000000000007}", "it must be a whole number of groups"),
    "a whole number of 4,000 digits": ("run: {seed: " + "7" * 4000 + "}", "is not a number that can be kept"),
    "a whole number of 5,000 digits": ("run: {seed: " + "7" * 5000 + "}", "is not a number that can be kept"),
    "a number of 4,000 digits": ("grpo: {beta: " + "7" * 4000 + ".0}", "is not a number that can be kept"),
    "a number beyond all numbers": ("prompt: {chat_template_kwargs: {n: 1e999}}", "is not a number that can be kept"),
    "8,000 brackets": ("model: " + "[" * 8000 + "]" * 8000, ":1: column .* nested deeper than 32 levels"),
    "8,000 braces": ("{a: " * 8000 + "1" + "}" * 8000, "nested deeper than 32 levels"),
    "8,000 dashes": ("model:\n  " + "- " * 8000 + "x", "nested deeper than 32 levels"),
    "200,000 brackets": ("model: " + "[" * 200_000, "is longer than 131072 characters"),
    "60,000 unknown keys": ("\n".join(f"k{i}: 1" for i in range(60_000)), "is longer than 131072 characters"),
    "10,000 unknown keys": ("\n".join(f"k{i}: 1" for i in range(10_000)), "has 30 mistakes, and perhaps more"),
    "10,000 unknown keys of a section": (
        "grpo:\n" + "\n".join(f"  learning_rat{i}: 1" for i in range(5_000)),
        "has 30 mistakes, and perhaps more",
    ),
    "one key 5,000 times": ("grpo: {}\n" * 5_000, "has 30 mistakes, and perhaps more"),
    "a key of 100,000 letters": ("k" * 100_000 + ": 1", "unknown key|not valid YAML"),
    "a name of 100,000 letters": (f"data: {{dimensions: [{'k' * 100_000}]}}", "is no story dimension"),
    "half of a character": ('run: {name: "a\\ud83d"}', r":1: column \d+: .*the text holds '\\ud83d'"),
    "half of a character in a key": ('data: {mix: {"\\ud83d": 1}}', r"the text holds '\\ud83d'"),
    "what ends a path": ('data: {source: "a\\0b"}', r"the text holds '\\x00'"),
    "extends what ends a path": ('extends: "a\\0b"', r"the text holds '\\x00'"),
    "extends a name too long": ("extends: " + "a" * 5000, "cannot be read|File name too long"),
    "extends a device without end": ("extends: /dev/zero", "extends: /dev/zero: is no file"),
    "extends a folder": ("extends: /", "is no file"),
    "stories for hours": ("data: {size: 100000000}", "data.size: 100000000 stories; allowed: 100000 at most"),
    "held-out stories for hours": ("data: {heldout: 100000000}", "data.heldout: 100000000 stories"),
    "an order that no memory holds": ("grpo: {max_steps: 1000000000}", "grpo.max_steps: 1000000000 steps"),
    "steps that no memory holds": ("grpo: {gradient_accumulation_steps: 1000000000}", "prompts in all steps"),
    "a cold start for years": ("warmup: {steps: 1000000000}", "gold replies in all steps"),
    "gold replies for years": ("warmup: {steps: 1, examples: 1000000000}", "1000000000 gold replies"),
}


def refusal(recipe: Path) -> str:
    try:
        check_recipe(load_recipe(recipe), recipe)
    except RecipeError as error:
        return str(error)
    raise AssertionError("it was taken")


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_once(tmp_path: Path, name: str) -> None:
    """Each of them ran for minutes, filled the memory or ended in a traceback."""
    text, said = REFUSED[name]
    recipe = tmp_path / "r.yaml"
    recipe.write_text(text)
    found = refusal(recipe)
    assert re.search(said, found), found[:500]
    assert len(found) < 20_000 and len(found.splitlines()) < 50
    assert "r.yaml" in found


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "r.yaml").write_text("extends: pipe")
    assert "r.yaml:1: extends: " in refusal(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    "override",
    ["a=" + "[" * 200_000, ".".join("a" * 50) + "=1", "grpo=" + "{a: " * 500, f"run.seed={MANY}", "\udcff=1"],
)
def test_an_override_is_refused_at_once(tmp_path: Path, override: str) -> None:
    (tmp_path / "r.yaml").write_text("")
    (tmp_path / "r.yaml").write_text("grpo: {max_steps: 2}")
    with pytest.raises(RecipeError, match="on the command line") as refused:
        load_recipe(tmp_path / "r.yaml", [override])
    assert len(str(refused.value)) < 1000


ODD = [
    10**18,
    -(10**18),
    1e308,
    -1e308,
    5e-324,
    "",
    "é" * 5000,
    "a/b",
    "..",
    "~",
    True,
    None,
    [],
    {},
    [[]],
    [{}],
    {"a": {}},
]


def leaves(tree: object, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(tree, dict):
        return [at]
    return [at, *(leaf for key, value in tree.items() for leaf in leaves(value, (*at, key)))]


@pytest.mark.slow
@pytest.mark.parametrize("keys", leaves(Recipe().model_dump())[1:], ids=".".join)
def test_a_setting_of_any_kind_is_taken_or_refused(tmp_path: Path, keys: tuple[str, ...]) -> None:
    """What passes the forms is also checked, without a network, as `--check` does."""
    recipe = tmp_path / "r.yaml"
    for value in ODD:
        tree: object = value
        for key in reversed(keys):
            tree = {key: tree}
        small = {"data": {"size": 4, "heldout": 0}, "evaluation": {"items": 0}}
        given = dict(tree)
        if isinstance(given.get(keys[0]), dict):
            given[keys[0]] = small.get(keys[0], {}) | given[keys[0]]
        recipe.write_text(json.dumps(small | given))
        try:
            check_recipe(load_recipe(recipe), recipe)
        except (RecipeError, OSError) as error:  # a name that no file can have: the command tells it with its place
            assert "r.yaml" in str(error) or lack_of(error)


@pytest.mark.slow
def test_the_command_says_it_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("extends: /dev/zero")
    command = [sys.executable, "-m", "socialr1_lite.train", str(tmp_path / "r.yaml"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
