"""One launch through Unsloth's CUDA code, which needs the environment of `tests.cuda_path.ENVIRONMENT`:

    python -m tests.cuda_path.launch cut MODEL FOLDER       train, and die (SIGKILL) after the first checkpoint
    python -m tests.cuda_path.launch continue MODEL FOLDER  train on to the end, evaluate, export
    python -m tests.cuda_path.launch methods MODEL FOLDER   what Unsloth patches, in half precision and in NF4
    python -m tests.cuda_path.launch settings MODEL         load as every recipe does, on every kind of card
    python -m tests.cuda_path.launch read MODEL             read with a policy's base in the midst of its training

The last line of standard output is one JSON object: what was seen.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.cuda_path import fakes  # first: torch.cuda must answer before anybody asks

from tests.cuda_path.tiny_qwen3 import QUESTIONS, STORIES  # isort: skip
from tests.policy.patched import patched  # isort: skip

import torch  # isort: skip
from socialr1_lite.judges.first_word import FirstWord
from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.policy.gpus import settle_dtype
from socialr1_lite.recipe import Model, Recipe, load_recipe
from socialr1_lite.train import run_recipe
from socialr1_lite.training import grpo_config, session

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (12, 0))


def recipe(model: str) -> Recipe:
    """Two steps of one group each, a cold start that stays beside GRPO's adapter, a checkpoint every step."""
    return Recipe.model_validate(
        {
            "model": {
                "name": model,
                "dtype": "float32",
                "gradient_checkpointing": True,
                "max_seq_length": 1024,
                "lora": {"r": 4, "alpha": 8},
            },
            "data": {"source": f"{model}/{STORIES}", "heldout": 0, "max_prompt_tokens": 400},
            "prompt": {"system": "Answer."},
            "warmup": {"steps": 1, "batch_size": 1, "examples": 2, "merge": False},
            "rewards": {"mode": "additive", "length": {"min_tokens": 3, "max_tokens": 12, "k": 4}},
            "grpo": {
                "max_steps": 2,
                "num_generations": 2,
                "per_device_train_batch_size": 2,
                "gradient_accumulation_steps": 1,
                "max_completion_length": 12,
                "learning_rate": 0.01,
            },
            "evaluation": {"items": 0},
            "run": {"name": "cuda-path", "seed": 5, "save_steps": 1, "must_fit": False},
        }
    )


def cut(model: str, folder: str) -> None:
    """Train until the first checkpoint is whole, and die at once."""
    keep = session.keep_whole

    def keep_and_die(*args: Any) -> None:
        assert not keep(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    session.keep_whole = keep_and_die
    run_recipe(recipe(model), run_dir=folder, strict=False)


def go_on(model: str, folder: str) -> dict[str, Any]:
    """Train on to the end, then do with the run what its user would: evaluate it and merge its adapter."""
    from socialr1_lite import evaluate
    from socialr1_lite.export.__main__ import main as export

    run_recipe(recipe(model), run_dir=folder, strict=False)
    evaluated = evaluate.main([folder, "--benchmarks", "stories", "--limit", "1", "--max-new-tokens", "4"])
    exported = export([folder, "--to", "merged", "-o", f"{folder}/merged"])
    return {"evaluate": evaluated, "export": exported}


def methods(model: str, folder: str) -> dict[str, Any]:
    """Tell what Unsloth patches on a policy with a fresh adapter, and on one with the same adapter loaded again."""
    seen = {}
    for four_bit in (False, True):
        half = Model(name=model, dtype="float16", load_in_4bit=four_bit, max_seq_length=1024)
        policy = load_policy(half, trainable=True)
        policy.save_adapter(Path(folder))
        saved = load_policy(half, adapter=Path(folder), trainable=True)
        seen["NF4" if four_bit else "float16"] = {"fresh": patched(policy), "loaded": patched(saved)}
    return seen


def settings(model: str) -> list[dict[str, Any]]:
    """Load the tiny model as each recipe loads its own, on each kind of card, and make its trainers' settings.

    Unsloth's own check of type against precision (it raises) is in the constructor of its trainer.
    """
    import trl

    seen = []
    for capability in CAPABILITIES:
        fakes.become(*capability)
        policies: dict[tuple[str, bool], Policy] = {}
        trained_with: dict[str, Any] = {}
        for path in sorted(p for p in RECIPES.rglob("*.yaml") if p.parent.name != "judges"):
            wanted = load_recipe(path, ["run.processes=1", "model.fast_inference=false", "grpo.vllm=null"])
            torch.cuda.is_available = lambda: True
            chosen, _notes = settle_dtype(wanted.model, "unsloth", trainable=True)
            torch.cuda.is_available = lambda: False
            kind = (chosen.dtype, chosen.load_in_4bit)
            if kind not in policies:
                tiny = chosen.model_copy(update={"name": model, "revision": None, "max_seq_length": 1024})
                policies[kind] = load_policy(tiny, trainable=True)
            policy = policies[kind]
            made = grpo_config.grpo_settings(wanted, policy, Path("checkpoints"))
            if (args := trained_with.get(key := f"{kind} {made}")) is None:  # recipes often differ in rewards alone
                config = grpo_config.build_config(made, processes=1, full_device=False)
                args = trl.GRPOTrainer(policy.model, [lambda **_: [0.0]], config, train_dataset=rows(4)).args
                trained_with[key] = args
            seen.append(
                {
                    "recipe": path.stem,
                    "capability": capability,
                    "dtype": str(policy.model.config.dtype).removeprefix("torch."),
                    "four_bit": policy.quantized,
                    "precision": {name: getattr(args, name) for name in ("bf16", "fp16")},
                    "differences": grpo_config.effective_differences(made, args),
                }
            )
    return seen


def read(model: str) -> dict[str, Any]:
    """Let the judge `reader` read with the base of a policy in training, and tell what it read and what it left."""
    wanted = Model.model_validate({"name": model, "dtype": "float32", "max_seq_length": 128, "lora": {"r": 4}})
    policy = load_policy(wanted.model_copy(update={"gradient_checkpointing": True}), trainable=True)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)

    def step() -> list[torch.Tensor]:
        ids = policy.tokenizer("Who knows?", return_tensors="pt")["input_ids"]
        policy.model(input_ids=ids, labels=ids).loss.backward()
        made = [weight.grad.clone() for weight in policy.model.parameters() if weight.grad is not None]
        policy.model.zero_grad()
        return made

    before, flags = step(), [(module.training, sorted(vars(module))) for module in policy.model.modules()]
    trees, rows = (FirstWord(lambda: policy, batch_tokens=4096) for _ in range(2))
    rows._trees = False
    found = {"trees": trees.logits(QUESTIONS), "rows": rows.logits(QUESTIONS), "as trees": trees._trees}
    same = flags == [(module.training, sorted(vars(module))) for module in policy.model.modules()]
    after = step()
    return found | {"flags": same, "gradients": len(after), "same": all(map(torch.equal, before, after))}


def rows(n: int) -> Any:
    """Return a data set of n prompts."""
    import datasets

    return datasets.Dataset.from_list([{"prompt": [{"role": "user", "content": "Hello"}]}] * n)


def main(task: str, *arguments: str) -> None:
    """Do the task."""
    seen = {"cut": cut, "continue": go_on, "methods": methods, "settings": settings, "read": read}[task](*arguments)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
