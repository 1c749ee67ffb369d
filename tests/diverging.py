"""Launch trainings in which a number becomes none, each in a fork of one process that has paid for the imports.

    python -m tests.diverging ROOT MODEL   -> one JSON object: what each plan's launches came to, and what was left

The faults are planted where they come from: in the loss, a gradient, a weight, a reward, the learning rate, the scaler.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

from socialr1_lite import policy
from socialr1_lite.errors import DivergedError, SocialR1Error
from socialr1_lite.policy import model as policy_model
from socialr1_lite.progress import Progress
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.runlog import RunFolder, mark_complete
from socialr1_lite.training import grpo, session, sft
from tests import launches

NAN = math.nan


def recipe(model: str, **settings: dict) -> Recipe:
    tree = launches.recipe(model).model_dump(mode="json")
    for section, values in settings.items():
        tree[section] |= values
    return Recipe.model_validate(tree)


def nothing() -> None:
    """A launch that nobody disturbs."""


def in_the_trainer(plant: Callable) -> Callable[[], None]:
    """`plant` is given each trainer of GRPO before its first step."""

    def patch() -> None:
        make = grpo.make_trainer

        def planted(*args):
            trainer = make(*args)
            plant(trainer)
            return trainer

        grpo.make_trainer = planted

    return patch


def loss_of(step: int, *, once: bool) -> Callable[[], None]:
    """The loss of that step (from 1) is NaN, the first time or each time."""
    done: list[int] = []

    def plant(trainer) -> None:
        real = trainer.compute_loss

        def compute_loss(*args, **kwargs):
            loss = real(*args, **kwargs)
            if trainer.state.global_step + 1 == step and not (once and done):
                done.append(step)
                return loss * NAN
            return loss

        trainer.compute_loss = compute_loss

    return in_the_trainer(plant)


def gradient_of(step: int) -> Callable[[], None]:
    """One number of one gradient is infinite, and the loss is not."""

    def plant(trainer) -> None:
        real = trainer.training_step
        weight = next(one for one in trainer.model.parameters() if one.requires_grad)

        def training_step(*args, **kwargs):
            loss = real(*args, **kwargs)
            if trainer.state.global_step + 1 == step:
                weight.grad.view(-1)[0] = math.inf
            return loss

        trainer.training_step = training_step

    return in_the_trainer(plant)


def weight_before_saving(step: int) -> Callable[[], None]:
    """A weight is NaN when the checkpoint of that step is about to be kept."""

    def plant(trainer) -> None:
        real = trainer._save_checkpoint

        def save(*args, **kwargs):
            if trainer.state.global_step == step:
                next(one for one in trainer.model.parameters() if one.requires_grad).data.view(-1)[0] = NAN
            return real(*args, **kwargs)

        trainer._save_checkpoint = save

    return in_the_trainer(plant)


def optimizer_before_saving() -> Callable[[], None]:
    """What the optimizer remembers is infinite: the weight would never move again."""

    def plant(trainer) -> None:
        real = trainer._save_checkpoint

        def save(*args, **kwargs):
            next(iter(trainer.optimizer.state.values()))["exp_avg_sq"].view(-1)[0] = math.inf
            return real(*args, **kwargs)

        trainer._save_checkpoint = save

    return in_the_trainer(plant)


def overflowing(*steps: int) -> Callable[[], None]:
    """Train through a real GradScaler, as float16 does on a GPU; the loss of these steps overflows at any scale."""

    def plant(trainer) -> None:
        import torch

        trainer.accelerator.scaler = torch.amp.GradScaler("cpu")
        real = trainer.compute_loss

        def compute_loss(*args, **kwargs):
            loss = real(*args, **kwargs)
            return loss * math.inf if trainer.state.global_step + 1 in steps else loss

        trainer.compute_loss = compute_loss

    return in_the_trainer(plant)


def reward() -> None:
    real = RewardStack.score

    def score(self, *args, **kwargs):
        from dataclasses import replace

        scored = real(self, *args, **kwargs)
        broken = [one.score.components | {"outcome": NAN} for one in scored]
        pairs = zip(scored, broken, strict=True)
        return [replace(one, score=replace(one.score, components=components)) for one, components in pairs]

    RewardStack.score = score


def cold_start() -> None:
    import trl

    real = trl.SFTTrainer.compute_loss
    trl.SFTTrainer.compute_loss = lambda *args, **kwargs: real(*args, **kwargs) * NAN


def adapter_of_the_cold_start() -> None:
    real = sft.cold_start

    def planted(settings, trained, *args):
        real(settings, trained, *args)
        next(one for one in trained.model.parameters() if one.requires_grad).data.view(-1)[0] = NAN

    sft.cold_start = planted


def merged() -> None:
    real = policy_model.Policy.merge_adapter

    def planted(self):
        real(self)
        next(self.model.parameters()).data.view(-1)[0] = math.inf

    policy_model.Policy.merge_adapter = planted


def last_adapter() -> None:
    real = session.Training._finish

    def planted(self, trained, *args):
        next(one for one in trained.model.parameters() if one.requires_grad).data.view(-1)[0] = NAN
        real(self, trained, *args)

    session.Training._finish = planted


MERGE = {"warmup": {"merge": True}}
FASTER = {"grpo": {"learning_rate": 1e38, "max_grad_norm": 0.0}}
LONGER = {"grpo": {"max_steps": 44}, "run": {"save_steps": 44}, "evaluation": {"items": 0}}
PLANS: dict[str, tuple[dict, list[Callable[[], None]]]] = {
    "undisturbed": ({}, [nothing]),
    "a loss of step 6, once": ({}, [loss_of(6, once=True)]),
    "a loss of step 5, each time": ({}, [loss_of(5, once=False), nothing]),
    "a loss of step 2, each time": ({}, [loss_of(2, once=False), nothing]),
    "a gradient of step 4": ({}, [gradient_of(4), nothing]),
    "a weight in checkpoint 4": ({}, [weight_before_saving(4), nothing]),
    "the optimizer in checkpoint 2": ({}, [optimizer_before_saving(), nothing]),
    "the learning rate": (FASTER, [nothing]),
    "a reward": ({}, [reward, nothing]),
    "the cold start": ({}, [cold_start, nothing]),
    "the cold start's adapter": ({}, [adapter_of_the_cold_start, nothing]),
    "the merged cold start": (MERGE, [merged]),
    "the last adapter": ({}, [last_adapter, nothing]),
    "overflows of steps 2 and 3": ({}, [overflowing(2, 3)]),
    "nothing but overflows": (LONGER, [overflowing(*range(1, 45))]),
}


def launch(folder: Path, settings: Recipe, patch: Callable[[], None]) -> dict:
    """Train in a fork; what it ended with and said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        ended: dict = {"error": None, "kind": ""}
        try:
            patch()
            with (folder.parent / f"{folder.name}.log").open("a") as log:
                session.run_recipe(settings, run_dir=folder, strict=False, progress=Progress(stream=log))
        except SocialR1Error as error:
            ended = {"error": str(error), "kind": "diverged" if isinstance(error, DivergedError) else "other"}
        except BaseException as error:
            ended = {"error": f"{type(error).__name__}: {error}", "kind": "traceback"}
        os.write(writing, json.dumps(ended).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        ended = json.loads(said.read())
    os.waitpid(child, 0)
    run = RunFolder(folder)
    state = run.state()
    kept = sorted(path.name for path in run.checkpoints.iterdir() if (path / "COMPLETE.json").exists())
    return ended | {"state": state["status"], "checkpoints": kept}


def an_old_checkpoint(root: Path, model: str) -> dict:
    """A run of before this was looked at: its newest checkpoint is whole, marked, and NaN."""
    import shutil

    from safetensors.torch import load_file, save_file

    run = RunFolder.open(shutil.copytree(root / "undisturbed", root / "an old checkpoint"))
    shutil.rmtree(run.adapter)
    run.set_state("running", step=6)
    newest = run.checkpoints / "checkpoint-6"
    weights = load_file(newest / "adapter_model.safetensors")
    next(iter(weights.values())).view(-1)[0] = NAN
    save_file(weights, newest / "adapter_model.safetensors")
    (newest / "COMPLETE.json").unlink()
    mark_complete(run, newest)
    return launch(run.path, recipe(model), nothing)


def main() -> None:
    root, model = Path(sys.argv[1]), sys.argv[2]
    policy.choose_backend("auto")
    import datasets  # noqa: F401
    import trl

    assert trl.GRPOTrainer and trl.SFTTrainer  # trl loads them on first use
    plans = {name: PLANS[name] for name in sys.argv[3:]} or PLANS
    found: dict[str, list[dict]] = {}
    for name, (settings, patches) in plans.items():
        found[name] = [launch(root / name, recipe(model, **settings), patch) for patch in patches]
        print(name, found[name], file=sys.stderr, flush=True)
    if plans is PLANS:
        found["an old checkpoint"] = [an_old_checkpoint(root, model)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
