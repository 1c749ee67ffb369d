"""The model card of an artefact: what it is, from which base, how it was made, and what was measured."""

from __future__ import annotations

from typing import Any

import orjson

from socialr1_lite.evaluation.target import Target


def card(target: Target, kind: str) -> str:
    """Markdown with the hub's front matter. Figures come from the run folder; what it does not hold is left out."""
    model, recipe = target.recipe.model, target.recipe
    library = "peft" if kind == "LoRA adapter" else "transformers"
    lines = [
        "---",
        f"base_model: {model.name}",
        f"library_name: {library}",
        "tags: [grpo, social-reasoning, socialr1_lite]",
        "---",
        f"# {target.name}: {kind}",
        "",
        f"Base: `{model.name}`, revision {model.revision or 'not pinned'}. Its licence holds for this too.",
        f"Trained by GRPO with Social-R1's process rewards for {target.step} of {recipe.grpo.max_steps} steps "
        f"({recipe.rewards.mode} rewards, group size {recipe.grpo.num_generations}, seed {recipe.run.seed}) on "
        f"`{recipe.data.source}`.",
        *_checks(target),
        "",
        "## Recipe",
        "",
        "```yaml",
        recipe.to_yaml().rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _checks(target: Target) -> list[str]:
    summary = target.run.path / "summary.json" if target.run else None
    if summary is None or not summary.is_file():
        return []
    rows: list[dict[str, Any]] = orjson.loads(summary.read_bytes())["checks"]
    head = ["", "## Held-out questions", "", "| when | n | accuracy (95 %) | in form |", "|---|---|---|---|"]
    return head + [
        f"| {row['label']} | {row['n']} | {row['accuracy']:.3f} ({row['low']:.3f}-{row['high']:.3f}) "
        f"| {row['format_rate']:.3f} |"
        for row in rows
    ]
