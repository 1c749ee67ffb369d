"""The smoke version of a recipe: enough for every branch of a real run, in about a minute on two cores."""

from __future__ import annotations

from collections.abc import Mapping

from socialr1_lite.judges import is_offline
from socialr1_lite.recipe import EMBEDDED_MODEL, JudgeEntry, Recipe
from socialr1_lite.recipe.checks import processes

STEPS = 2
GROUP = 4
TOKENS = 48
PROMPT_TOKENS = 1024

Change = Mapping[str, object]  # a section's fields and their new values

SAME_FOR_ALL: dict[str, Change] = {
    "model": {
        "name": EMBEDDED_MODEL,
        "revision": None,
        "backend": "auto",
        "load_in_4bit": False,
        "dtype": "auto",
        "max_seq_length": PROMPT_TOKENS + TOKENS,
        "trust_remote_code": False,
        "gradient_checkpointing": False,
        "fast_inference": False,
    },
    "data": {
        "source": "stories",
        "config": None,
        "revision": None,
        "columns": {},
        "limit": None,
        "max_prompt_tokens": PROMPT_TOKENS,
        "size": 16,
        "heldout": 4,
        "heldout_source": None,
    },
    "logging": {"steps": 1, "report_to": ()},
}


def smoke(recipe: Recipe) -> Recipe:
    """Return the same recipe made small: the embedded model, two steps, short texts, no GPU, no network.

    What is learnt from (prompt, rewards, loss, schedule) stays; what costs time or needs a service goes: judges that
    need a model or an endpoint are left out, and where none is left `rules` judges. Raises JudgeError for an unknown
    judge.
    """
    changes = SAME_FOR_ALL | _changes(recipe)
    sections = {name: section.model_copy(update=changes.get(name, {})) for name, section in recipe}
    return Recipe.model_validate({name: section.model_dump() for name, section in sections.items()})


def _changes(recipe: Recipe) -> dict[str, Change]:
    """Return what depends on the recipe's own settings."""
    group = min(recipe.grpo.num_generations, GROUP)
    iterations = min(recipe.grpo.num_iterations, STEPS)
    rewards = recipe.rewards
    judges = tuple(judge for judge in rewards.content.judges if is_offline(judge.name))
    low = min(rewards.length.min_tokens, TOKENS // 4)
    return {
        "warmup": {"steps": min(recipe.warmup.steps, STEPS), "batch_size": 2, "examples": 8},
        "rewards": {
            "content": rewards.content.model_copy(update={"judges": judges or (JudgeEntry(),)}),
            "length": rewards.length.model_copy(update={"min_tokens": low}),
        },
        "grpo": {
            "max_steps": STEPS,
            "num_generations": group,
            "per_device_train_batch_size": group,
            "gradient_accumulation_steps": 1,
            "steps_per_generation": None,
            "num_iterations": iterations,
            "max_completion_length": TOKENS,
            "optim": "adamw_torch_fused",
            "vllm": None,
        },
        "evaluation": {
            "every": STEPS if recipe.evaluation.every else 0,
            "items": 4,
            "batch_size": 4,
            "max_new_tokens": None,
        },
        "run": {"name": f"{recipe.run.name or 'run'}-smoke", "processes": processes(), "save_steps": iterations},
    }
