"""What a run is: all sections of a recipe, read and checked together, and the figures that follow from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError, model_validator

from socialr1_lite.recipe import located_yaml
from socialr1_lite.recipe.checks import cross_checks, generation_batch, processes
from socialr1_lite.recipe.located_yaml import LocatedYaml, Yaml, dotted
from socialr1_lite.recipe.messages import explain_validation_error, unknown_key
from socialr1_lite.recipe.schema import Data, Evaluation, Grpo, Logging, Model, Prompt, Rewards, Run, Section, Warmup
from socialr1_lite.redaction import redact_tree

MEMORY = (  # settings that move work from one moment to another and leave what is trained as it is, up to rounding
    ("model", "gradient_checkpointing"),
    ("model", "gpu_memory_utilization"),
    ("grpo", "per_device_train_batch_size"),
    ("grpo", "gradient_accumulation_steps"),
    ("grpo", "steps_per_generation"),
    ("grpo", "share_prefix"),
    ("evaluation", "batch_size"),
)


class Recipe(Section):
    """What a run is. Build it with `load_recipe`, or from a mapping with `Recipe.model_validate`."""

    model: Model = Model()
    data: Data = Data()
    prompt: Prompt = Prompt()
    warmup: Warmup = Warmup()
    rewards: Rewards = Rewards()
    grpo: Grpo = Grpo()
    evaluation: Evaluation = Evaluation()
    logging: Logging = Logging()
    run: Run = Run()

    @model_validator(mode="after")
    def _hold_together(self) -> Recipe:
        if mistakes := [f"{dotted(keys)}: {what}" for keys, what in cross_checks(dict(self))]:
            raise ValueError("; ".join(mistakes))
        return self

    @property
    def processes(self) -> int:
        """Training processes that the batches are counted for."""
        return self.run.processes or processes()

    @property
    def completions_per_step(self) -> int:
        """Completions that one optimizer step trains on, over all processes."""
        return self.grpo.per_device_train_batch_size * self.processes * self.grpo.gradient_accumulation_steps

    @property
    def prompts_per_step(self) -> float:
        """Prompt groups that one optimizer step trains on; a fraction when a group is spread over steps."""
        return self.completions_per_step / self.grpo.num_generations

    @property
    def groups_per_generation(self) -> int:
        """Prompt groups that are sampled at once, over all processes."""
        return generation_batch(self.grpo, self.run) // self.grpo.num_generations

    @property
    def generations(self) -> int:
        """Times that the whole run samples a generation batch."""
        micro_batches = self.grpo.max_steps * self.grpo.gradient_accumulation_steps
        return -(-micro_batches // (self.grpo.generation_steps * self.grpo.num_iterations))

    @property
    def questions_of_a_check(self) -> int:
        """Held-out questions before and after training, those of `data.transfer` among them."""
        held = min(self.evaluation.items, self.data.heldout)
        return held and held + sum(row.items for row in self.data.transfer)

    def to_yaml(self) -> str:
        """Write out every setting, defaults included, in the sections' order; loads back as the same recipe.

        Secrets in it, such as a password in an address, are hidden.
        """
        return located_yaml.dump(redact_tree(self.model_dump(mode="json")))

    @property
    def decisive(self) -> dict[str, Yaml]:
        """Everything that decides what is trained: not where the run folder lies or whether to resume.

        Nor what only decides how much memory is taken at a time: a run that ran out of it goes on with less.
        """
        settings = redact_tree(self.model_dump(mode="json"))  # as it is stored: another password is no other training
        for section, name in MEMORY:
            del settings[section][name]
        _leave_out_unset(settings["data"])
        if not self.warmup.contrast:
            del settings["warmup"]["contrast"]
        settings["grpo"]["per_device_train_batch_size x gradient_accumulation_steps"] = self.completions_per_step
        settings["grpo"]["per_device_train_batch_size x steps_per_generation"] = generation_batch(self.grpo, self.run)
        settings["run"] = {"seed": self.run.seed, "processes": self.processes, "save_steps": self.run.save_steps}
        return settings

    @property
    def digest(self) -> str:
        """SHA-256 of what is `decisive`: two recipes with one digest train the same."""
        return hashlib.sha256(json.dumps(self.decisive, sort_keys=True).encode()).hexdigest()


def _leave_out_unset(data: dict[str, Yaml]) -> None:
    """Drop what recipes of before had no setting for and what is as it was then: these train what they trained."""
    for name in ("templates", "perturbations", "objects", "transfer", "twins"):
        if Data.model_validate({name: data[name]}) == Data():
            del data[name]
    stages = data["difficulty"]
    for stage in stages if isinstance(stages, list) else ():
        if isinstance(stage, dict):
            for name in [name for name, value in stage.items() if value is None]:
                del stage[name]


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation for name, field in Recipe.model_fields.items() if isinstance(field.annotation, type)
}


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, complete and check a recipe. overrides: `section.key=value` each, the value in YAML; they come last.

    Raises RecipeError naming the file and line of every mistake, what was given and what is allowed.
    """
    path = Path(path)
    tree = located_yaml.read_overridden(path, overrides)
    sections = _read_sections(tree)
    tree.add_mistakes(cross_checks(sections))
    tree.refuse_mistakes(path)
    recipe = Recipe.model_validate(sections)
    # What only this launch knows: the run's name, from the file's stem, and the number of processes.
    plain = "".join(letter if letter.isalnum() or letter in "_.-" else "-" for letter in path.stem).strip(".-")
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
