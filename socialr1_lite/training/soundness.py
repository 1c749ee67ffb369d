"""Numbers that are none: a loss, a gradient or a weight that is NaN or infinite ends a run before it is kept.

Gradients are looked at before the optimizer takes them, so that the weights of a run that stops here are still sound.
With float16 a gradient overflows now and then: the scaler leaves that step out, halves its scale and goes on. Such
steps are counted, and only a long row of them ends the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from socialr1_lite.errors import DivergedError
from socialr1_lite.policy.numbers import first_unsound, refuse_unsound, trained
from socialr1_lite.rollouts.reward import ScoredCompletion

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

TOLD_SKIPS = 10  # steps in a row that the scaler left out: more than it takes from its first scale as a rule [ours]
MOST_SKIPS = 40  # by then 2^16 was halved to less than a millionth: the gradients overflow by themselves [ours]


def refuse_no_reward(scored: Iterable[ScoredCompletion]) -> None:
    """Raise DivergedError where a reward is no number: TRL would take it for no reward, and JSON has no word for it."""
    for one in scored:
        if not math.isfinite(one.score.total):
            raise DivergedError(f"a completion earned {one.score.total}: {dict(one.score.components)}; mend its judge")


@dataclass
class Soundness:
    """Watches one trainer, from `watch` on. advice: what to do about it. skipped: steps the scaler left out so far."""

    trainer: Trainer
    say: Callable[[str], None]
    advice: str
    skipped: int = 0
    in_a_row: int = 0
    scale: float = 0.0  # before the step

    @property
    def scaled(self) -> bool:
        """Whether a scaler may leave steps out."""
        return self.trainer.accelerator.scaler is not None

    def watch(self) -> Soundness:
        """Look at the loss, the gradients and the weights of each step from now on."""
        step = self.trainer.training_step  # of TRL or of Unsloth, whatever its arguments are

        def training_step(*args: Any, **kwargs: Any) -> Tensor:
            loss: Tensor = step(*args, **kwargs)
            if not (self.scaled or math.isfinite(loss.item())):
                self._end(f"the loss is {loss.item()}")
            return loss

        self.trainer.training_step = training_step
        self.trainer.add_callback(_each_step(self.before_the_optimizer, self.after_the_optimizer))
        return self

    def before_the_optimizer(self) -> None:
        """Raise DivergedError where a gradient is no number and no scaler would leave the step out."""
        if self.scaled:
            self.scale = self.trainer.accelerator.scaler.get_scale()
        elif name := first_unsound((name, weight.grad) for name, weight in trained(self.trainer.model)):
            self._end(f"the gradient of {name} is no number")

    def after_the_optimizer(self) -> None:
        """Raise DivergedError where a weight is no number; count the steps that were left out."""
        if name := first_unsound(trained(self.trainer.model)):
            self._end(f"{name} is no number any more", over=True)
        # Not by accelerate's optimizer_step_was_skipped: a fused optimizer is called all the same and skips by itself.
        if not (self.scaled and self.trainer.accelerator.scaler.get_scale() < self.scale):
            self.in_a_row = 0
            return
        self.skipped, self.in_a_row = self.skipped + 1, self.in_a_row + 1
        if self.in_a_row == TOLD_SKIPS:
            self.say(f"warning: {TOLD_SKIPS} steps in a row overflowed float16 and changed nothing; a few are normal")
        if self.in_a_row == MOST_SKIPS:
            self._end(f"{MOST_SKIPS} steps in a row overflowed float16 and changed nothing", over=True)

    def refuse_checkpoint(self) -> None:
        """Raise DivergedError where the weights or the optimizer's memory of them are no numbers."""
        what = f"the checkpoint of step {self.trainer.state.global_step} is not kept"
        refuse_unsound(trained(self.trainer.model), what)
        states = self.trainer.optimizer.state.values()
        moments = ((f"the optimizer's {key}", value) for state in states for key, value in state.items())
        refuse_unsound(((key, value) for key, value in moments if hasattr(value, "numel")), what)

    def _end(self, what: str, *, over: bool = False) -> None:
        step = self.trainer.state.global_step + (not over)
        raise DivergedError(f"step {step}: {what}; {self.advice}")


def _each_step(before: Callable[[], None], after: Callable[[], None]) -> TrainerCallback:
    import transformers

    class EachStep(transformers.TrainerCallback):  # type: ignore[misc]
        def on_pre_optimizer_step(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            before()

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            after()

    return EachStep()
