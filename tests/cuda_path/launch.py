"""One launch through Unsloth's CUDA code: python -m tests.cuda_path.launch TASK FOLDER MODEL [key=value ...]

TASK: train (to the end, or on from a checkpoint), kill (SIGKILL after the first checkpoint), evaluate, export, names
(the patched methods of the loaded policy, as JSON on standard output).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from tests.cuda_path import fakes  # first: torch.cuda must answer before anybody asks

from socialr1_lite.recipe import Recipe, load_recipe  # isort: skip


def recipe(model: str) -> Recipe:
    """Two steps of one group each, a cold start that stays beside GRPO's adapter, a checkpoint every step."""
    return Recipe.model_validate(
        {
            "model": {"name": model, "dtype": "float32", "gradient_checkpointing": True, "max_seq_length": 1024,
                      "lora": {"r": 4, "alpha": 8}},
            "data": {"size": 8, "heldout": 2, "orders": [1], "dimensions": ["belief"], "max_prompt_tokens": 1000},
            "prompt": {"style": "direct"},
            "warmup": {"steps": 1, "batch_size": 1, "examples": 2},
            "rewards": {"mode": "additive", "length": {"min_tokens": 3, "max_tokens": 16, "k": 4}},
            "grpo": {"max_steps": 2, "num_generations": 2, "per_device_train_batch_size": 2,
                     "gradient_accumulation_steps": 1, "max_completion_length": 16, "learning_rate": 0.01},
            "evaluation": {"items": 2, "batch_size": 2},
            "run": {"name": "cuda-path", "save_steps": 1, "must_fit": False},
        }
    )  # fmt: skip


def kill_after_a_checkpoint() -> None:
    """Let the first checkpoint be the last thing that this process finishes."""
    from socialr1_lite.training import session

    mark = session.mark_complete

    def marked(*args: object) -> None:
        mark(*args)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGKILL)

    session.mark_complete = marked  # type: ignore[assignment]


def main() -> None:
    """Do the task."""
    task, folder, model = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    print("capability", fakes.CAPABILITY, file=sys.stderr)
    if task in ("train", "kill"):
        from socialr1_lite.train import run_recipe

        if task == "kill":
            kill_after_a_checkpoint()
        run_recipe(recipe(model), run_dir=folder, strict=False)
    elif task == "evaluate":
        from socialr1_lite import evaluate

        evaluate.main([str(folder), "--benchmarks", "stories", "--limit", "2", "--max-new-tokens", "8"])
    elif task == "export":
        from socialr1_lite.export.__main__ import main as export

        export([str(folder), "--to", "merged", "-o", str(folder.parent / "merged")])
    else:
        from socialr1_lite.policy import load_policy

        stored = load_recipe(folder / "recipe.yaml")
        names = {}
        for kind, adapter in (("fresh", None), ("reloaded", folder / "adapter")):
            policy = load_policy(stored.model, adapter=adapter, trainable=True)
            if adapter is None:
                from socialr1_lite.policy import add_lora

                if not hasattr(policy.model, "peft_config"):
                    add_lora(policy, stored.model)
            layer = next(one for name, one in policy.model.named_modules() if name.endswith("layers.0"))
            parts = (layer.self_attn, layer.mlp)
            names[kind] = [
                getattr(getattr(part, name), "__name__", "")
                for part in parts
                for name in ("forward", "apply_qkv", "apply_o")
                if hasattr(part, name)
            ]
        print(json.dumps(names))


if __name__ == "__main__":
    main()
