"""What the trainer costs over a bare TRL GRPOTrainer: wall time of the steps and peak memory, side by side.

    python benchmarks/overhead.py [--steps 4] [--rounds 3]

Same embedded model, adapter, prompts, settings and seed. The bare trainer gets one constant reward and writes nothing;
ours scores every completion with the SIP reward stack and writes traces, metrics and checkpoint markers. Each run is a
process of its own; the two kinds take turns, so that a slow minute of the machine meets both. `bare, stock sampling` is
the same bare trainer without our quicker sampling on a CPU: what a user of plain TRL has.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from socialr1_lite.data import schedule, training_scenarios
from socialr1_lite.policy import load_policy
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, mark_complete
from socialr1_lite.training import grpo, grpo_config

KINDS = ("ours", "bare", "bare, stock sampling")


def small_recipe(steps: int) -> Recipe:
    """Every completion is made to run to the limit, so that both kinds generate the same number of tokens."""
    return Recipe.model_validate(
        {
            "data": {"size": 64, "orders": [1]},
            "prompt": {"answer": "text"},
            "rewards": {"content": {"judges": [{"name": "facts"}]}},
            "grpo": {
                "max_steps": steps,
                "num_generations": 4,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 1,
                "max_completion_length": 64,
            },
            "run": {"save_steps": 2},
        }
    )


def one(kind: str, steps: int) -> dict[str, float]:
    """Train `steps` steps after one that warms up; seconds of the steps and peak resident memory in MB."""
    recipe = small_recipe(steps + 1)
    policy = load_policy(recipe.model, trainable=True)
    if kind.endswith("stock sampling"):
        _stock(policy)
    order = schedule(training_scenarios(recipe), recipe)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(folder)
        settings = grpo_config.grpo_settings(recipe, policy, run.checkpoints)
        settings["generation_kwargs"] = {"min_new_tokens": recipe.grpo.max_completion_length}
        config = grpo_config.build_config(settings, processes=1, full_device=policy.device != "cpu")
        times: list[float] = []
        with TraceWriter(run) as traces:
            trainer = (
                _ours(recipe, policy, order, traces, config, run)
                if kind == "ours"
                else _bare(recipe, policy, order, config)
            )
            trainer.add_callback(
                grpo.watcher(
                    log=lambda *_: None, saved=lambda _: None, step_done=lambda _: times.append(time.perf_counter())
                )
            )
            trainer.train()
    return {"seconds": times[-1] - times[0], "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _ours(recipe, policy, order, traces, config, run):
    rewards = grpo.TrlRewardAdapter(RewardStack(recipe.rewards), order, recipe, policy.tokenizer, policy.eos_ids, False)
    trainer = grpo.make_trainer(policy, rewards, traces, config)
    metrics = MetricsWriter(run)
    trainer.add_callback(
        grpo.watcher(
            log=metrics.write,
            saved=lambda step: mark_complete(run, run.checkpoints / f"checkpoint-{step}"),
            step_done=lambda _: None,
        )
    )
    return trainer


def _bare(recipe, policy, order, config):
    import datasets
    import transformers
    import trl

    def constant(completions, **_):
        return [1.0] * len(completions)

    trainer = trl.GRPOTrainer(
        model=policy.model,
        reward_funcs=[constant],
        args=config,
        train_dataset=datasets.Dataset.from_list(grpo.prompt_rows(order, recipe)),
        processing_class=policy.tokenizer,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _stock(policy) -> None:
    """Undo what `speed_up_cpu_sampling` and `speed_up_cpu_training` did."""
    for layer in policy.model.modules():
        if hasattr(layer, "lora_A"):
            vars(layer).pop("forward", None)
    policy.model.__dict__.pop("generate", None)
    policy.model.set_attn_implementation("sdpa")
    head = policy.model.get_output_embeddings()
    head._forward_pre_hooks.clear()


def main() -> None:
    """Take turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=KINDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one, args.steps)))
        return
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for _ in range(args.rounds):
        for kind in KINDS:
            command = [sys.executable, str(Path(__file__)), "--one", kind, "--steps", str(args.steps)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[kind].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{args.steps} steps of 4 completions x 64 tokens on SmolLM2-135M, median of {args.rounds} runs in turn")
    seconds = {kind: statistics.median(one["seconds"] for one in runs) for kind, runs in found.items()}
    peak = {kind: statistics.median(one["peak_mb"] for one in runs) for kind, runs in found.items()}
    for kind in KINDS:
        each = " ".join(f"{one['seconds']:.1f}" for one in found[kind])
        print(f"  {kind:22} {seconds[kind]:7.1f} s ({each})   peak {peak[kind]:7.0f} MB")
    for kind in KINDS[1:]:
        print(f"ours / {kind}: time {seconds['ours'] / seconds[kind]:.3f}, memory {peak['ours'] / peak[kind]:.3f}")


if __name__ == "__main__":
    main()
