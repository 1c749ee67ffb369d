"""What training a reward model is: a YAML file becomes one frozen JudgeRecipe, with every mistake reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from socialr1_lite.recipe import located_yaml
from socialr1_lite.recipe.messages import explain_validation_error
from socialr1_lite.recipe.schema import EMBEDDED_MODEL, Count, Lora, Natural, NotNegative, Positive, Schedule, Section

GOLD = "gold"  # as a source of pairs: made from gold replies


class JudgeModel(Section):
    """The base of the classifier."""

    name: Annotated[str, Field(min_length=1)] = EMBEDDED_MODEL  # or a hub id, or a folder
    revision: str | None = None
    load_in_4bit: bool = False  # NF4 while training; the judge is loaded in `dtype`
    dtype: Literal["bfloat16", "float16", "float32"] = "float32"
    max_length: Count = 768  # tokens; of a longer text the end is kept
    gradient_checkpointing: bool = False
    lora: Lora = Lora()


class JudgePairs(Section):
    """What it learns from, and what it is held to: held-out pairs have names never seen in training."""

    source: Annotated[str, Field(min_length=1)] = GOLD  # or a .jsonl of pairs
    heldout_source: Annotated[str, Field(min_length=1)] = GOLD
    size: Count = 6800
    heldout: Count = 1000
    dimensions: Annotated[tuple[str, ...], Field(min_length=1)] = ("belief", "knowledge")
    orders: Annotated[tuple[Natural, ...], Field(min_length=1)] = (0, 1, 2)
    seed: Natural = 11


class JudgeTraining(Section):
    """The optimisation, in TRL's words; a batch is counted in scenarios, each with all its pairs (about sixteen)."""

    max_steps: Count = 100
    per_device_train_batch_size: Count = 2
    gradient_accumulation_steps: Count = 2
    learning_rate: Positive = 2e-4
    lr_scheduler_type: Schedule = "linear"
    warmup_steps: Natural = 0
    max_grad_norm: NotNegative = 1.0
    center_rewards_coefficient: NotNegative = 0.01  # keeps scores near 0, where the sigmoid tells them apart


class JudgeRun(Section):
    """Where the judge is written, and how much of its training a crash can cost."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] | None = None  # null: the file's stem
    root: str = "judges"
    seed: Natural = 42
    save_steps: Count = 25  # between checkpoints, from which the same command goes on after a crash


class JudgeRecipe(Section):
    """What training a reward model is. Build it with `load_judge_recipe`."""

    model: JudgeModel = JudgeModel()
    pairs: JudgePairs = JudgePairs()
    training: JudgeTraining = JudgeTraining()
    run: JudgeRun = JudgeRun()

    def to_yaml(self) -> str:
        """Write out every setting; loads back as the same recipe."""
        return located_yaml.dump(self.model_dump(mode="json"))


def load_judge_recipe(path: str | Path, overrides: Sequence[str] = ()) -> JudgeRecipe:
    """Read and check. Raises RecipeError naming file and line of every mistake."""
    path = Path(path)
    tree = located_yaml.read_overridden(path, overrides)
    recipe = JudgeRecipe()
    try:
        recipe = JudgeRecipe.model_validate(tree.values)
    except ValidationError as error:
        tree.add_mistakes(explain_validation_error(error, (), tree.values, JudgeRecipe, JudgeRecipe))
    tree.refuse_mistakes(path)
    named = recipe.run.model_copy(update={"name": recipe.run.name or path.stem})
    return recipe.model_copy(update={"run": named})
