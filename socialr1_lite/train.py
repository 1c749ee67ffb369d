"""From a recipe to a run folder: held-out check, cold start, preflight, GRPO, held-out check, adapter.

    python -m socialr1_lite.train RECIPE [key=value ...] [--check] [--smoke] [--run-dir D]

The same command continues an unfinished run from its newest whole checkpoint, and says so when a run is complete.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import yaml

from socialr1_lite.data import heldout_scenarios, schedule, training_scenarios
from socialr1_lite.errors import PolicyError, RecipeError, SocialR1Error, command
from socialr1_lite.plan import before_training
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.plan.smoke import smoke
from socialr1_lite.policy import Policy, add_lora, describe_machine, describe_policy, load_policy
from socialr1_lite.progress import Progress, clock
from socialr1_lite.recipe import Recipe, load_recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import is_prefilled, messages, template_settings
from socialr1_lite.runlog import (
    BestAdapter,
    MetricsWriter,
    Newest,
    RunFolder,
    TraceWriter,
    mark_complete,
    newest_complete,
    write_atomic,
    write_json,
)
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import grpo as train_grpo
from socialr1_lite.training import heldout
from socialr1_lite.training import sft as train_sft
from socialr1_lite.training.heldout import Check
from socialr1_lite.training.preflight import preflight

UNTRAINED, COLD_START = "untrained", "after the cold start"

# How long processes wait for the main one, which alone answers the held-out questions: torch's 10 minutes are too few.
PATIENCE = timedelta(hours=3)


def run_recipe(
    recipe: Recipe,
    *,
    run_dir: str | Path | None = None,
    strict: bool = True,
    progress: Progress | None = None,
    path: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Train one adapter as the recipe says and return its run folder.

    An unfinished run in that folder is continued, a complete one is left alone. strict: refuse to start when the
    preflight finds that nothing can be learned; otherwise only warn. path, overrides: where the recipe was read from,
    so that each mistake names its line.

    Raises a SocialR1Error for everything the caller can mend.
    """
    ranks = Ranks.here()
    if ranks.processes != recipe.processes:
        raise RecipeError(
            f"run.processes: the recipe is for {recipe.processes} and {ranks.processes} were started; "
            f"torchrun --nproc_per_node {recipe.processes} -m socialr1_lite.train ..."
        )
    say = progress or Progress(quiet=not ranks.main)
    run = RunFolder(Path(run_dir or Path(recipe.run.root) / str(recipe.run.name)))
    if recipe.run.resume == "never" and run.recipe.is_file():
        raise RecipeError(f"run.resume: never, and {run.path} holds a run already; a new one: run.name=ANOTHER")
    if run.path.is_dir() and _is_complete(run, recipe):
        say.say(f"{run.path} is complete ({run.state()['step']} steps); nothing to do. A new run: run.name=ANOTHER")
        return run.path
    for note in check_recipe(recipe, path, overrides):
        say.say(f"note: {note}")
    run, stack = RunFolder.create(run.path), RewardStack(recipe.rewards)
    with run.lock() if ranks.main else contextlib.nullcontext():
        Training(recipe, run, stack, say, ranks, strict).train()
    return run.path


def _is_complete(run: RunFolder, recipe: Recipe) -> bool:
    """Whether there is nothing left to do. Raises RecipeError when the folder holds a run of another recipe."""
    if run.recipe.is_file():
        stored = load_recipe(run.recipe)
        if stored.digest != recipe.digest:
            raise RecipeError(
                f"{run.path} holds a run of another recipe (differs in: {', '.join(_differences(stored, recipe))}); "
                "start a new one with run.name=ANOTHER, or set the old values back to continue"
            )
    return run.completed


def _differences(one: Recipe, other: Recipe) -> list[str]:
    def flat(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{path}{key}.")
            else:
                yield f"{path}{key}", value

    old, new = dict(flat(one.decisive)), dict(flat(other.decisive))
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among the processes of the run (torchrun, accelerate launch)."""

    rank: int
    processes: int

    @classmethod
    def here(cls) -> Ranks:
        """From the environment that the launcher set. Raises RecipeError where it asks to share out the weights."""
        asked = os.environ.get
        if asked("ACCELERATE_USE_FSDP") == "true" or asked("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3":
            raise RecipeError(
                "FSDP and ZeRO-3 share the weights out, and here the first process asks held-out questions and saves "
                "by itself: take multi_gpu, zero1 or zero2 of TRL's accelerate_configs, or export the recipe to verl"
            )
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def main(self) -> bool:
        """The one process that writes what is written once."""
        return self.rank == 0

    def share(self, value: Any) -> Any:
        """The main process's value, on every process; all must call it."""
        if self.processes == 1:
            return value
        import torch
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list

        # Opens the process group, whose patience nothing later can change. Without a GPU it must be told `cpu`, or
        # every process stays by itself and hears nothing of the others.
        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
        return broadcast_object_list([value])[0]


@dataclass
class Training:
    """One launch of one run, in the order things happen."""

    recipe: Recipe
    run: RunFolder
    stack: RewardStack
    progress: Progress
    ranks: Ranks
    strict: bool = True
    started: float = field(default_factory=time.monotonic)
    checking_s: float = 0.0  # what this launch's held-out checks took

    def train(self) -> None:
        """Everything, from an empty or unfinished run folder to the saved adapter."""
        newest: Newest = self.ranks.share(newest_complete(self.run) if self.ranks.main else None)
        for notice in newest.notices:
            self.progress.say(notice)
        self.progress.say(before_training(self.recipe))
        self._open_folder()
        policy = self._load_policy()
        kept = self._fitting(policy, self.training)
        segment = self.ranks.share(self._begin(newest.step) if self.ranks.main else None)
        with TraceWriter(self.run, self.ranks.rank, segment=segment) as traces:
            for notice in traces.notices:
                self.progress.say(notice)
            self._describe(policy)
            if newest.path is None:
                self._before_grpo(policy, kept, traces)
            else:
                self.progress.say(f"continuing at step {newest.step} of {self.recipe.grpo.max_steps}")
            self._grpo(policy, kept, newest, traces, segment)
            self._finish(policy, traces)

    @cached_property
    def training(self) -> list[Scenario]:
        """What may be trained on."""
        return training_scenarios(self.recipe)

    @cached_property
    def heldout(self) -> list[Scenario]:
        """The questions of the before/after table; empty when the recipe keeps none."""
        return heldout_scenarios(self.recipe)[: self.recipe.evaluation.items]

    @cached_property
    def best(self) -> BestAdapter:
        """The adapter of the best check of the evaluations on the way."""
        return BestAdapter(self.run)

    # --- before the first step

    def _open_folder(self) -> None:
        if not self.ranks.main:
            return
        if not self.run.recipe.is_file():
            write_atomic(self.run.recipe, self.recipe.to_yaml().encode())
        self.run.add_scenarios([*self.training, *self.heldout])

    def _begin(self, step: int) -> int:
        self._forget_checks_beyond(step)
        self.run.set_state("running", step=step)
        return self.run.begin_segment(step, sys.argv)

    def _load_policy(self) -> Policy:
        """The model as training is to find it: plain with a fresh adapter, or with the cold start that is done."""
        recipe = self.recipe
        cold = self._cold_start_folder if self._cold_start_folder.is_dir() else None
        policy = load_policy(recipe.model, adapter=cold, trainable=True, seed=recipe.run.seed)
        if cold is not None and recipe.warmup.merge:
            self._merge(policy)
        return policy

    def _merge(self, policy: Policy) -> None:
        policy.merge_adapter()
        add_lora(policy, self.recipe.model, seed=self.recipe.run.seed)

    @property
    def _cold_start_folder(self) -> Path:
        return self.run.path / "cold_start"

    def _fitting(self, policy: Policy, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """Those whose prompt is short enough; TRL never cuts a prompt, so a long one would only fail later."""
        limit, template = self.recipe.data.max_prompt_tokens, template_settings(self.recipe)
        texts = [policy.prompt_text(messages(scenario, self.recipe), **template) for scenario in scenarios]
        lengths = [len(ids) for ids in policy.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        kept = [scenario for scenario, length in zip(scenarios, lengths, strict=True) if length <= limit]
        if not kept:
            raise RecipeError(
                f"data.max_prompt_tokens: {limit} tokens are fewer than the shortest of {len(lengths)} prompts has "
                f"({min(lengths)}); raise it (model.max_seq_length must hold prompt and completion)"
            )
        if len(kept) < len(scenarios):
            self.progress.say(
                f"{len(scenarios) - len(kept)} of {len(scenarios)} training prompts are longer than "
                f"data.max_prompt_tokens={limit} and are left out (longest: {max(lengths)} tokens)"
            )
        return kept

    def _describe(self, policy: Policy) -> None:
        described = {**describe_machine(), **describe_policy(policy)}
        if self.ranks.main:
            facts = described | {
                "command": sys.argv,
                "revision": _git_revision(),
                "seed": self.recipe.run.seed,
                "processes": self.ranks.processes,
                "recipe_digest": self.recipe.digest,
            }
            write_json(self.run.environment, facts)
        self.progress.say(
            f"{self.recipe.model.name} on {described['device']} in {described['dtype']}"
            f"{', 4-bit' if policy.quantized else ''} ({policy.backend} backend) -> {self.run.path}"
        )

    def _before_grpo(self, policy: Policy, scenarios: Sequence[Scenario], traces: TraceWriter) -> None:
        cold = self.recipe.warmup.steps > 0
        if not self._cold_start_folder.is_dir():
            self._check(policy, UNTRAINED, 0, traces)
            if cold:
                self._cold_start(policy, scenarios)
        if cold:
            self._check(policy, COLD_START, 0, traces)
        self._preflight(policy, scenarios)

    def _cold_start(self, policy: Policy, scenarios: Sequence[Scenario]) -> None:
        warmup = self.recipe.warmup
        self.progress.say(f"cold start: {warmup.steps} steps of {warmup.batch_size} gold replies")
        precision = {name: value for name, value in self._settings(policy).items() if name in ("bf16", "fp16")}

        def tell(step: int, loss: float) -> None:
            if step in (1, warmup.steps) or step % 10 == 0:
                self.progress.say(f"cold start step {step}/{warmup.steps}  loss {loss:.3f}")

        train_sft.cold_start(self.recipe, policy, scenarios, precision, tell)
        if self.ranks.main:
            _save_whole(policy, self._cold_start_folder)
        self.ranks.share(None)  # nobody goes on before it is saved
        if warmup.merge:
            self._merge(policy)

    def _preflight(self, policy: Policy, scenarios: Sequence[Scenario]) -> None:
        if not self.ranks.main:
            return
        found = preflight(self.recipe, policy, self.stack, scenarios)
        self.progress.say(
            "preflight: " + f"{self.recipe.prompts_per_step:g} prompts x "
            f"{self.recipe.grpo.num_generations} completions an optimizer step"
        )
        for line in found.lines():
            self.progress.say(f"  {line}")
        for warning in found.warnings:
            self.progress.say(f"  warning: {warning}")
        if self.strict:
            found.refuse()
        for obstacle in found.obstacles:
            self.progress.say(f"  warning: {obstacle}")

    # --- the steps

    def _settings(self, policy: Policy) -> dict[str, Any]:
        return train_grpo.grpo_settings(self.recipe, policy, self.run.checkpoints)

    def _grpo(
        self, policy: Policy, scenarios: Sequence[Scenario], newest: Newest, traces: TraceWriter, segment: int
    ) -> None:
        recipe = self.recipe
        order = schedule(scenarios, recipe)
        door = train_grpo.RewardDoor(
            stack=self.stack,
            scenarios=order,
            recipe=recipe,
            tokenizer=policy.tokenizer,
            eos_ids=policy.eos_ids,
            prefilled=is_prefilled(policy, order[0], recipe),
        )
        settings = self._settings(policy)
        with _greetings_to_stderr():
            config = train_grpo.build_config(
                settings, processes=self.ranks.processes, full_device=policy.device != "cpu"
            )
            trainer = train_grpo.make_trainer(recipe, policy, order, door, traces, config)
        metrics = MetricsWriter(self.run, segment=segment)

        def step_done(step: int) -> None:
            if check := self._check_on_the_way(policy, step, traces):
                share = self.checking_s / (time.monotonic() - self.started)
                figures = check.metrics() | {"eval/share_of_time": share}
                metrics.write(step, figures)
                train_grpo.tell_trackers(trainer, figures)

        self._tell_differences(settings, trainer.args)
        with self.progress.steps(recipe.grpo.max_steps, newest.step) as steps:
            watch = train_grpo.watcher(
                log=self._logger(metrics, steps.log),
                saved=self._mark,
                step_done=step_done,
            )
            trainer.add_callback(watch)
            try:
                trainer.train(resume_from_checkpoint=str(newest.path) if newest.path else None)
            except SocialR1Error as wrong:
                self.run.set_state("failed", step=trainer.state.global_step, error=str(wrong))
                raise
            except RuntimeError as wrong:
                if "out of memory" not in str(wrong):
                    raise
                raise _out_of_memory(recipe, trainer.state.global_step) from wrong
        policy.model = trainer.model

    def _tell_differences(self, settings: dict[str, Any], config: Any) -> None:
        differences = train_grpo.effective_differences(settings, config)
        if self.ranks.main:
            written = {name: _yaml_value(getattr(config, name, None)) for name in sorted(settings)}
            text = "# What TRL and Unsloth made of the recipe.\n" + yaml.safe_dump(
                {
                    "differences": {k: {n: _yaml_value(v) for n, v in d.items()} for k, d in differences.items()},
                    "effective": written,
                },
                sort_keys=False,
            )
            write_atomic(self.run.effective, text.encode())
        for name, told in differences.items():
            self.progress.say(f"note: {name} is {told['effective']!r} in effect, the recipe says {told['recipe']!r}")

    def _logger(
        self, metrics: MetricsWriter, show: Callable[[int, dict[str, float]], None]
    ) -> Callable[[int, dict[str, float]], None]:
        def log(step: int, values: dict[str, float]) -> None:
            sampled = values.get("completions/mean_length", 0.0) * train_grpo.generation_batch(self.recipe)
            if seconds := values.get("time/rollout_s"):
                values = values | {"tokens_per_s": sampled / seconds}
            values = values | {"elapsed_s": time.monotonic() - self.started}
            if self.ranks.main:
                metrics.write(step, values)
            show(step, values)

        return log

    def _mark(self, step: int) -> None:
        self.ranks.share(None)  # every process writes its own random state into the checkpoint
        if self.ranks.main:
            mark_complete(self.run, self.run.checkpoints / f"checkpoint-{step}")
            self.run.set_state("running", step=step)
            self.best.prune()

    def _check_on_the_way(self, policy: Policy, step: int, traces: TraceWriter) -> Check | None:
        every, last = self.recipe.evaluation.every, self.recipe.grpo.max_steps
        if not every or (step % every and step < last):
            return None
        return self._check(policy, f"step {step}" if step < last else self._last_label, step, traces)

    @property
    def _last_label(self) -> str:
        return f"after GRPO ({self.recipe.grpo.max_steps} steps)"

    # --- the end

    def _finish(self, policy: Policy, traces: TraceWriter) -> None:
        steps = self.recipe.grpo.max_steps
        self._check(policy, self._last_label, steps, traces)
        if not self.ranks.main:
            return
        _save_whole(policy, self.run.adapter)
        self.run.set_state("completed", step=steps)
        self._tell_checks()
        self.progress.say(f"adapter in {self.run.adapter} after {clock(time.monotonic() - self.started)}")

    def _tell_checks(self) -> None:
        checks = list(self._checks().values())
        if not checks:
            return
        best = self.best.record(check.scored for check in checks)
        shown = [one for one in checks if not one.label.startswith("step ") or one.scored == best]
        self.progress.say()
        self.progress.table(*heldout.table(shown))
        ends = [check for check in checks if not check.label.startswith("step ")]
        if len(ends) > 1:
            self.progress.say("  " + heldout.compare(ends[-2], ends[-1]))
        whole = time.monotonic() - self.started
        self.progress.say(
            f"  held-out checks took {clock(self.checking_s)} of the {clock(whole)} of this launch "
            f"({self.checking_s / whole:.0%})"
        )
        if best:
            self.best.drop_others(best)
            self.progress.say(f"  {heldout.tell_best(best, checks)}; its adapter is in {self.best.path(best.step)}")

    # --- held-out checks, kept in summary.json so that a resumed run does not repeat them

    def _check(self, policy: Policy, label: str, step: int, traces: TraceWriter) -> Check | None:
        if not (self.ranks.main and self.heldout) or label in self._checks():
            return None
        self.progress.say(f"held-out check, {label}: {len(self.heldout)} questions")
        check = heldout.check_heldout(
            policy, self.recipe, self.stack, self.heldout, label=label, step=step, traces=traces
        )
        self.checking_s += check.seconds
        self._keep_best(policy, check)
        self._keep([*self._checks().values(), check])
        self.progress.say(
            f"  format {check.format_rate:.2f}  accuracy {check.accuracy:.3f} ({check.low:.3f}-{check.high:.3f})  "
            f"mean reward {check.reward:.3f}  in {clock(check.seconds)}"
        )
        return check

    def _keep_best(self, policy: Policy, now: Check) -> None:
        if self.recipe.evaluation.every:
            before = [check.scored for check in self._checks().values()]
            self.best.update(now.scored, before, lambda folder: _save_whole(policy, folder))

    def _keep(self, checks: Sequence[Check]) -> None:
        write_json(self._summary, {"version": 1, "checks": [check.to_row() for check in checks]})
        self.best.record(check.scored for check in checks)

    def _forget_checks_beyond(self, step: int) -> None:
        """A check of a step that is about to be trained again belongs to a policy that is gone."""
        self.best.drop_after(step)
        checks = self._checks().values()
        if checks:
            self._keep([check for check in checks if check.step <= step])

    def _checks(self) -> dict[str, Check]:
        if not self._summary.is_file():
            return {}
        rows = orjson.loads(self._summary.read_bytes())["checks"]
        return {row["label"]: Check.from_row(row) for row in rows}

    @property
    def _summary(self) -> Path:
        return self.run.path / "summary.json"


def _save_whole(policy: Policy, folder: Path) -> None:
    """Save the adapter so that the folder is there whole or not at all."""
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    policy.save_adapter(scratch)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def _out_of_memory(recipe: Recipe, step: int) -> PolicyError:
    grpo = recipe.grpo
    knobs = [
        f"grpo.per_device_train_batch_size={max(1, grpo.per_device_train_batch_size // 2)} with "
        f"grpo.gradient_accumulation_steps={grpo.gradient_accumulation_steps * 2}",
        f"grpo.max_completion_length={grpo.max_completion_length // 2}",
        "model.gradient_checkpointing=true" if not recipe.model.gradient_checkpointing else "model.load_in_4bit=true",
    ]
    return PolicyError(f"out of memory at step {step}; the cheapest remedies: " + ", or ".join(knobs))


def _yaml_value(value: Any) -> Any:
    """What safe YAML can hold: enums by their value, everything else that is strange by its name."""
    value = getattr(value, "value", value)
    if isinstance(value, (list, tuple, set)):
        return [_yaml_value(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _yaml_value(one) for key, one in value.items()}
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


@contextlib.contextmanager
def _greetings_to_stderr() -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _git_revision() -> str | None:
    """The commit of this package's checkout; None for an installed package or a machine without git."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        here = Path(__file__).resolve().parent
        done = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        return done.stdout.strip()
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.train", description="Train an adapter as a recipe says."
    )
    parser.add_argument("recipe", help="a YAML file, such as recipes/cpu_smollm2.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that come after the recipe's own")
    parser.add_argument("--check", action="store_true", help="only check the recipe; loads no weights")
    parser.add_argument(
        "--smoke", action="store_true", help="the same recipe made small: embedded model, two steps, CPU"
    )
    parser.add_argument("--run-dir", metavar="D", help="the run folder (otherwise run.root/run.name)")
    args = parser.parse_intermixed_args(argv)
    recipe = load_recipe(args.recipe, args.overrides)
    if args.smoke:
        recipe = smoke(recipe)
    if args.check:
        notes = check_recipe(recipe, args.recipe, args.overrides)
        print(
            f"{args.recipe}: fine. {recipe.grpo.max_steps} steps, {recipe.prompts_per_step:g} prompts x "
            f"{recipe.grpo.num_generations} completions a step, {recipe.rewards.mode} rewards"
        )
        print("".join(f"note: {note}\n" for note in notes), end="")
        return 0
    run_recipe(recipe, run_dir=args.run_dir, strict=not args.smoke, path=args.recipe, overrides=args.overrides)
    return 0


if __name__ == "__main__":
    command(main)
