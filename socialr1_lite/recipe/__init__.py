"""What a run is: a YAML file becomes one frozen Recipe, and every mistake in it is reported at once.

`load_recipe` follows `extends:`, applies `key=value` overrides, refuses unknown keys with the nearest known name and
checks what fields mean together. What the names in it stand for (judges, story dimensions, files) is checked by
`plan.checking`.
"""

from socialr1_lite.recipe.recipe import Recipe, load_recipe
from socialr1_lite.recipe.schema import EMBEDDED_MODEL, ContentReward, Data, JudgeEntry, Model, Rewards, Told

__all__ = ["EMBEDDED_MODEL", "ContentReward", "Data", "JudgeEntry", "Model", "Recipe", "Rewards", "Told", "load_recipe"]
