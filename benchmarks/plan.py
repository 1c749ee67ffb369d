"""Predicted against measured peak memory of training on a CPU, each setting in a process of its own.

    python benchmarks/plan.py [--only NAME ...] [--jsonl FILE]

A few tokens and two steps each: memory does not care. The prediction is made from the longest prompt that is really
asked; the measured figure is the kernel's peak of the resident memory. Rows marked `new` had no part in correcting the
model of the CPU case. Another load on the machine changes the times and nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from socialr1_lite.gpu_check.__main__ import with_real_prompts
from socialr1_lite.gpu_check.trial import peak_resident
from socialr1_lite.plan import find_architecture
from socialr1_lite.plan.hardware import this_cpu
from socialr1_lite.plan.memory import memory
from socialr1_lite.plan.parts import Memory
from socialr1_lite.recipe import Recipe

MIB = 2**20
SHORT = "Read the story and answer in the form <think>...</think><answer>...</answer> with the four SIP headings."


@dataclass(frozen=True)
class Setting:
    """What differs from the base. new: kept out while the model was corrected."""

    model: dict[str, Any] = field(default_factory=dict)
    grpo: dict[str, Any] = field(default_factory=dict)
    warmup: dict[str, Any] = field(default_factory=dict)
    rows: int = 2
    tokens: int = 24
    new: bool = False


SETTINGS = {
    "tiny": Setting({"name": "tiny"}, rows=8),
    "bf16": Setting(),
    "4-bit": Setting({"load_in_4bit": True}),
    "6 at once": Setting(rows=6, new=True),
    "float32": Setting({"dtype": "float32"}, new=True),
    "checkpointing": Setting({"gradient_checkpointing": True}, new=True),
    "plain backend": Setting({"backend": "transformers"}, new=True),
    "LoRA r 64": Setting({"lora": {"r": 64}}, new=True),
    "96 tokens": Setting(tokens=96, new=True),
    "cold start of 8": Setting(warmup={"steps": 1, "batch_size": 8, "examples": 8}, new=True),
    "float32, checkpointing, 4 at once": Setting(
        {"dtype": "float32", "gradient_checkpointing": True}, rows=4, new=True
    ),
    "4-bit, 4 at once": Setting({"load_in_4bit": True}, rows=4, new=True),
    "q and v only, KL": Setting({"lora": {"targets": ["q_proj", "v_proj"]}}, {"beta": 0.04}, new=True),
}


def recipe(setting: Setting, folder: Path) -> Recipe:
    """Two steps of one group; the tiny model reads bytes, so its prompts are longer."""
    tiny = setting.model.get("name") == "tiny"
    prompt = 4000 if tiny else 1024
    model = setting.model | ({"name": str(folder / "tiny")} if tiny else {})
    return Recipe.model_validate(
        {
            "model": {"max_seq_length": prompt + setting.tokens} | model,
            "data": {"size": 16, "heldout": 0, "orders": [1], "max_prompt_tokens": prompt},
            "prompt": {"answer": "text", "system": SHORT},
            "warmup": setting.warmup,
            "rewards": {"mode": "additive", "length": {"min_tokens": 4, "max_tokens": 400}},
            "grpo": {
                "max_steps": 2,
                "num_generations": setting.rows,
                "per_device_train_batch_size": setting.rows,
                "gradient_accumulation_steps": 1,
                "max_completion_length": setting.tokens,
            }
            | setting.grpo,
            "evaluation": {"items": 0, "batch_size": 1},
            "run": {"save_steps": 1, "must_fit": False},
        }
    )


def one(name: str) -> dict[str, Any]:
    """Train the setting in this process and compare."""
    from socialr1_lite.policy import choose_backend
    from socialr1_lite.train import run_recipe

    started = time.monotonic()
    setting = SETTINGS[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if setting.model.get("name") == "tiny":
            _tiny(folder / "tiny")
        told = recipe(setting, folder)
        choose_backend(told.model.backend)  # Unsloth before transformers, whose tokenizer counts the prompts
        told = with_real_prompts(told)
        run_recipe(told, run_dir=folder / "run", strict=False)
        predicted = memory(told, find_architecture(told.model.name), this_cpu())
    return _row(name, predicted, peak_resident(), told.data.max_prompt_tokens, time.monotonic() - started)


def _row(name: str, predicted: Memory, measured: float, prompt: int, seconds: float) -> dict[str, Any]:
    parts = {f"{part.name} ({part.when})": round(part.bytes / MIB) for part in predicted.parts}
    return {
        "name": name,
        "predicted": round(predicted.peak / MIB),
        "measured": round(measured / MIB),
        "moment": predicted.moment,
        "parts": parts,
        "prompt": prompt,
        "seconds": round(seconds),
    }


def _tiny(folder: Path) -> None:
    """In a process of its own: the model that is saved must not count."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from pathlib import Path; "
    code += f"from tests.tiny import make_tiny_model; make_tiny_model(Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    ratio = row["predicted"] / row["measured"]
    mark = "new" if SETTINGS[row["name"]].new else ""
    told = f"{row['measured']:>9}{row['predicted']:>10}{ratio:>7.2f}  {mark:<4} {row['moment']}, {row['prompt']} + "
    return f"{row['name']:<34}{told}{SETTINGS[row['name']].tokens} tokens, {row['seconds']} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--jsonl", type=Path, help="append each row, its parts included")
    parser.add_argument("--one", choices=SETTINGS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one)))
        return
    print(f"{'setting':<34}{'measured':>9}{'predicted':>10}{'ratio':>7}  (MiB)", flush=True)
    for name in args.only:
        command = [sys.executable, str(Path(__file__)), "--one", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:<34} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        print(line(row), flush=True)
        if args.jsonl:
            with args.jsonl.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
