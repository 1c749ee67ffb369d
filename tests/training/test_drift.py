"""What Unsloth makes of our settings on a GPU, looked at without one: its generated classes, in a process of their own.

UNSLOTH_ALLOW_CPU takes Unsloth's CUDA path on a CPU build of torch; the rewriting of TRL's GRPO trainer, which it
would skip, is then asked for by hand. Nothing is trained.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPES = sorted(p for p in (REPOSITORY / "recipes").rglob("*.yaml") if p.parent.name != "judges")

pytestmark = pytest.mark.slow

CODE = """
import importlib.util, inspect, json, sys, types
from pathlib import Path
import unsloth
from unsloth.models import rl
rl._patch_trl_rl_trainers_impl("grpo_trainer")
import trl
generated = sys.modules[trl.GRPOTrainer.__module__]
trl.GRPOConfig = generated.UnslothGRPOConfig  # as `import unsloth` does where there is a GPU
from socialr1_lite.training import grpo_config
from socialr1_lite.recipe import load_recipe

def policy(recipe):
    dtype = {"auto": "bfloat16"}.get(recipe.model.dtype, recipe.model.dtype)
    config = types.SimpleNamespace(dtype=f"torch.{dtype}")
    return types.SimpleNamespace(model=types.SimpleNamespace(config=config), quantized=False, device="cpu")

bare = trl.GRPOConfig(output_dir=sys.argv[1], loss_type="dapo", use_cpu=True, bf16=False)
looked_at = {"trainer": trl.GRPOTrainer.__name__, "differences": {}, "signatures": {}}
looked_at["rewritten"] = [bare.mask_truncated_completions, bare.epsilon_high, hasattr(bare, "unsloth_num_chunks")]
for path in sys.argv[2:]:
    recipe = load_recipe(path, ["run.processes=1"] if "8xa100" in path else [])
    settings = grpo_config.grpo_settings(recipe, policy(recipe), Path(sys.argv[1]) / "checkpoints")
    # A CPU has neither half precision nor vLLM; how Unsloth chooses them is not what is looked at here.
    settings |= {"bf16": False, "fp16": False, "use_vllm": False}
    config = grpo_config.build_config(settings, processes=1, full_device=False)
    found = grpo_config.effective_differences(settings, config)
    looked_at["differences"][path] = {name: {k: repr(v) for k, v in one.items()} for name, one in found.items()}
for name in ("_calculate_rewards", "_generate_and_score_completions"):
    method = getattr(trl.GRPOTrainer, name, None)
    looked_at["signatures"][name] = method and list(inspect.signature(method).parameters)
print("FOUND " + json.dumps(looked_at))
"""


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory) -> dict:
    """What came out, for every recipe."""
    folder = tmp_path_factory.mktemp("drift")
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), *map(str, RECIPES)],
        cwd=folder,
        env=os.environ
        | {
            "UNSLOTH_ALLOW_CPU": "1",
            "UNSLOTH_COMPILE_LOCATION": str(folder / "compiled"),
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("FOUND ")), None)
    assert line, (done.stdout + done.stderr)[-3000:]
    return json.loads(line.removeprefix("FOUND "))


def test_it_is_unsloths_class_that_is_looked_at_and_it_still_rewrites_what_is_left_open(looked_at):
    assert looked_at["trainer"].startswith("Unsloth")
    assert looked_at["rewritten"] == [True, 0.28, True]  # TRL's own would be [False, None, False]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_setting_of_a_recipe_comes_out_as_it_was_written(looked_at, path):
    assert looked_at["differences"][str(path)] == {}


def test_the_two_methods_that_we_override_have_the_signatures_we_rely_on(looked_at):
    signatures = looked_at["signatures"]
    assert signatures["_calculate_rewards"] == ["self", "inputs", "prompts", "completions", "completion_ids_list"]
    generate = signatures["_generate_and_score_completions"]
    assert generate[:2] == ["self", "inputs"] or generate == ["self", "args", "kwargs"]  # plain, or wrapped
