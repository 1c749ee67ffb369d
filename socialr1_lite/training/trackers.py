"""The trackers of `logging.report_to`: transformers' own callbacks, shown no secret, and never the end of a training.

They are told what metrics.jsonl is told, held-out checks as well, and closed after the last check instead of the last
step. What they keep of the settings of training, model and adapter is redacted; W&B would keep the command line too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialr1_lite.errors import RecipeError, first_line
from socialr1_lite.recipe import Recipe
from socialr1_lite.redaction import redact, redact_tree
from socialr1_lite.training.heldout_figures import Check

if TYPE_CHECKING:
    from transformers import TrainerCallback
    from trl import GRPOTrainer

OFFLINE = {"wandb": "; offline: WANDB_MODE=offline", "mlflow": "; local: MLFLOW_TRACKING_URI=sqlite:///mlflow.db"}


class Trackers:
    """The trackers of one launch: those of the trainer, which no longer has them. say: prints one line."""

    def __init__(self, trainer: GRPOTrainer, recipe: Recipe, folder: Path, say: Callable[[str], None]) -> None:
        """Begin them. folder: TensorBoard's. Raises RecipeError with the first line of what one says that cannot."""
        from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

        self._trainer, self._say = trainer, say
        self._trackers: dict[str, TrainerCallback] = {}
        command, sys.argv = sys.argv, sys.argv[:1]
        try:
            for name in recipe.logging.report_to:
                tracker = self._trackers[name] = trainer.pop_callback(INTEGRATION_TO_CALLBACK[name])
                if getattr(tracker, "logging_dir", "") is None:  # else below the checkpoints, on whatever disk
                    tracker.logging_dir = str(folder)
                shown = _Shown(trainer.args), trainer.state, trainer.control
                tracker.on_train_begin(*shown, model=_Shown(trainer.model))
        except Exception as error:  # whatever a tracker's own library raises
            said = f"{name} did not begin: {redact(first_line(error))}{OFFLINE.get(name, '')}"
            raise RecipeError(f"logging.report_to: {said}") from error
        finally:
            sys.argv = command
        trainer.args.report_to = []  # otherwise TRL times its functions into them by itself

    def log(self, what: Mapping[str, float] | Check | None) -> None:
        """Hand on the figures of a step, by their names of metrics.jsonl, or of a held-out check, if it was made."""
        figures = what.metrics() if isinstance(what, Check) else what or {}
        if logs := {name.replace("eval/", "eval_", 1): value for name, value in figures.items()}:
            self._tell("on_log", logs=logs)

    def close(self) -> None:
        """Let them finish: nothing more comes."""
        self._tell("on_train_end", model=self._trainer.model)
        if wandb := self._trackers.pop("wandb", None):  # left open, the next run of this process would go on in it
            wandb._wandb.finish()

    def _tell(self, event: str, **more: object) -> None:
        trainer = self._trainer
        for name, tracker in list(self._trackers.items()):
            try:
                getattr(tracker, event)(trainer.args, trainer.state, trainer.control, **more)
            except Exception as error:  # a tracker that is away must not end a training
                self._say(f"note: logging.report_to: {name} is told nothing more: {redact(first_line(error))}")
                del self._trackers[name]


class _Shown:
    """Settings or a model as a tracker sees them: the same, but what they say of themselves is redacted."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        found = getattr(self._real, name)
        if name == "peft_config":
            return {adapter: redact_tree(config.to_dict()) for adapter, config in found.items()}
        return _Shown(found) if name == "config" else found

    def to_dict(self) -> dict[str, object]:
        return dict(redact_tree(self._real.to_dict()))

    def to_json_string(self) -> str:
        return json.dumps(self.to_dict(), indent=2, default=str)
