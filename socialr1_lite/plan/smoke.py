"""The smoke version of a recipe: enough for every branch of a real run, in about a minute on two cores."""

from __future__ import annotations

from socialr1_lite.data.sources import parts
from socialr1_lite.data.told import STORIES
from socialr1_lite.judges import is_offline
from socialr1_lite.recipe import JudgeEntry, Recipe
from socialr1_lite.recipe.checks import processes

STEPS = 2
GROUP = 4
TOKENS = 48
PROMPT_TOKENS = 1024


def smoke(recipe: Recipe) -> Recipe:
    """Return the same recipe made small: the embedded model, two steps, short texts, no GPU, no network.

    What is learnt from (prompt, rewards, loss, schedule) stays; what costs time or needs a service goes: judges that
    need a model or an endpoint are left out, and where none is left `rules` judges. Raises JudgeError for an unknown
    judge.
    """
    tree, rewards = recipe.model_dump(), recipe.rewards
    group = min(recipe.grpo.num_generations, GROUP)
    iterations = min(recipe.grpo.num_iterations, STEPS)
    # What is not kept of model, data and logging is as by default: the embedded model, stories, nothing with a network.
    tree["model"] = recipe.model.model_dump(include={"lora", "gpu_memory_utilization"})
    tree["model"]["max_seq_length"] = PROMPT_TOKENS + TOKENS
    told = {"dimensions", "orders", "mix", "difficulty", "templates", "perturbations", "objects", "transfer"}
    tree["data"] = recipe.data.model_dump(include={"split", "seed", *told})
    tree["data"] |= {"max_prompt_tokens": PROMPT_TOKENS, "size": 16, "heldout": 4}
    stories = STORIES in {part.source for part in parts(recipe.data)}  # or they would make rows of the transfer seen
    tree["data"]["transfer"] = [row | {"items": 2} for row in tree["data"]["transfer"] if stories]
    tree["logging"] = {}
    tree["prompt"]["enable_thinking"] = None  # the embedded model's template has no such switch
    tree["warmup"] |= {"steps": min(recipe.warmup.steps, STEPS), "batch_size": 2, "examples": 8}
    judges = tuple(judge for judge in rewards.content.judges if is_offline(judge.name))
    paid = any(judge.weight for judge in judges)
    tree["rewards"]["content"]["judges"] = judges if paid else (JudgeEntry(), *judges)
    tree["rewards"]["length"]["min_tokens"] = min(rewards.length.min_tokens, TOKENS // 4)
    tree["grpo"] |= {"max_steps": STEPS, "num_generations": group, "per_device_train_batch_size": group}
    tree["grpo"] |= {"gradient_accumulation_steps": 1, "steps_per_generation": None, "num_iterations": iterations}
    tree["grpo"] |= {"max_completion_length": TOKENS, "optim": "adamw_torch_fused", "vllm": None}
    every = STEPS if recipe.evaluation.every else 0
    tree["evaluation"] |= {"every": every, "items": 4, "batch_size": 4, "max_new_tokens": None}
    tree["evaluation"]["items_on_the_way"] = None
    name = f"{recipe.run.name or 'run'}-smoke"
    tree["run"] |= {"name": name, "processes": processes(), "save_steps": iterations, "push_to_hub": None}
    return Recipe.model_validate(tree)
