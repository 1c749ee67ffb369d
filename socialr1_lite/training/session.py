"""One launch of a training: held-out check, cold start, preflight, GRPO, held-out check, adapter.

The same call continues an unfinished run from its newest whole checkpoint, and leaves a complete one alone.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from socialr1_lite.data import heldout_scenarios, schedule, training_scenarios
from socialr1_lite.errors import PolicyError, RecipeError, SocialR1Error
from socialr1_lite.plan import before_training
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.policy import Policy, add_lora, describe_machine, describe_policy, load_policy
from socialr1_lite.policy.engine import trainer_engine
from socialr1_lite.policy.gpus import refuse_unusable_driver
from socialr1_lite.progress import Progress, clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.recipe.checks import generation_batch
from socialr1_lite.rewards.monitors import Alarms
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import is_prefilled, messages, template_settings
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, read_metrics, write_atomic, write_json
from socialr1_lite.runlog.checkpoints import Newest, keep_whole, newest_complete
from socialr1_lite.scenario import Scenario
from socialr1_lite.training import folder, grpo, grpo_config, sft
from socialr1_lite.training.deadline import SLOWER, Deadline
from socialr1_lite.training.heldout import ON_THE_WAY, UNTRAINED, HeldoutChecks
from socialr1_lite.training.hub import HubPushes
from socialr1_lite.training.preflight import preflight
from socialr1_lite.training.ranks import Ranks
from socialr1_lite.training.trackers import Trackers

if TYPE_CHECKING:
    from trl import GRPOTrainer


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

    Raises a SocialR1Error for everything the caller can put right.
    """
    ranks = Ranks.here()
    if ranks.processes != recipe.processes:
        raise RecipeError(
            f"run.processes: the recipe is for {recipe.processes} and {ranks.processes} were started; "
            f"torchrun --nproc_per_node {recipe.processes} -m socialr1_lite.train ..."
        )
    progress = progress or Progress(quiet=not ranks.main)
    run = RunFolder(Path(run_dir or Path(recipe.run.root) / str(recipe.run.name)))
    folder.refuse_another_recipe(run, recipe)
    if run.path.is_dir() and run.completed:
        steps = run.state()["step"]
        progress.say(f"{run.path} is complete ({steps} steps); nothing to do. A new run: run.name=ANOTHER")
        return run.path
    refuse_unusable_driver()
    for note in check_recipe(recipe, path, overrides, network=True):
        progress.say(f"note: {note}")
    stack = RewardStack(recipe.rewards, say=progress.say)
    run = RunFolder.create(run.path)
    with run.lock() if ranks.main else contextlib.nullcontext():
        Training(recipe, run, stack, progress, ranks, strict).train()
    return run.path


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

    @property
    def elapsed(self) -> float:
        """Seconds of this launch."""
        return time.monotonic() - self.started

    def train(self) -> None:
        """Do everything, from an empty or unfinished run folder to the saved adapter."""
        newest = self.ranks.broadcast_from_main(lambda: newest_complete(self.run))
        for notice in newest.notices:
            self.progress.say(notice)
        self.progress.say(before_training(self.recipe))
        scenarios = training_scenarios(self.recipe)
        questions = heldout_scenarios(self.recipe)[: self.recipe.evaluation.items]
        policy = self._load_policy()
        for note in policy.notes:
            self.progress.say(f"note: {note}")
        fitting = self._fitting(policy, scenarios)
        if self.recipe.grpo.vllm and questions:  # an engine would end the run at one that is too long
            questions = self._fitting(policy, questions)
        checks = HeldoutChecks(self.run, self.recipe, self.stack, self.progress, questions, self.ranks)
        # Written no sooner: a mistake that only data or model show must leave nothing that stands in the way.
        launch = self.ranks.broadcast_from_main(lambda: self._begin(newest.step, [*scenarios, *questions], checks))
        with (
            TraceWriter(self.run, self.ranks.rank, launch=launch) as traces,
            HubPushes(self.recipe, self.run, self.ranks, self.progress.say) as self.pushes,
        ):
            for notice in traces.notices:
                self.progress.say(notice)
            self._describe(policy)
            if newest.path is None:
                self._before_grpo(policy, fitting, checks, traces)
            else:
                self.progress.say(f"continuing at step {newest.step} of {self.recipe.grpo.max_steps}")
            if self._grpo(policy, fitting, newest, checks, traces, launch):
                self._finish(policy, checks, traces)
            self.trackers.close()

    # --- before the first step

    def _begin(self, step: int, scenarios: Sequence[Scenario], checks: HeldoutChecks) -> int:
        folder.write_recipe(self.run, self.recipe, scenarios)
        checks.drop_after(step)
        self.run.set_state("running", step=step)
        return self.run.begin_launch(step, sys.argv)

    def _load_policy(self) -> Policy:
        """Load the model as training is to find it: plain with a fresh adapter, or with the finished cold start."""
        cold = folder.cold_start_folder(self.run)
        adapter = cold if cold.is_dir() else None
        policy = load_policy(self.recipe.model, adapter=adapter, trainable=True, seed=self.recipe.run.seed)
        if adapter is not None and self.recipe.warmup.merge:
            self._merge(policy)
        return policy

    def _merge(self, policy: Policy) -> None:
        policy.merge_adapter()
        add_lora(policy, self.recipe.model, seed=self.recipe.run.seed)

    def _fitting(self, policy: Policy, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """Return those with a prompt that is short enough; TRL cuts none, so a long one would only fail later."""
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
                f"{len(scenarios) - len(kept)} of {len(scenarios)} prompts are longer than "
                f"data.max_prompt_tokens={limit} and are left out (longest: {max(lengths)} tokens)"
            )
        return kept

    def _describe(self, policy: Policy) -> None:
        facts = describe_policy(policy)
        if self.ranks.main:
            origin = {"command": sys.argv, "revision": _git_revision(), "seed": self.recipe.run.seed}
            shared = {"processes": self.ranks.processes, "recipe_digest": self.recipe.digest}
            write_json(self.run.environment, {**describe_machine(), **facts, **origin, **shared})
        self.progress.say(
            f"{self.recipe.model.name} on {facts['device']} in {facts['dtype']}"
            f"{', 4-bit' if policy.quantized else ''} ({policy.backend} backend) -> {self.run.path}"
        )

    def _before_grpo(
        self, policy: Policy, scenarios: Sequence[Scenario], checks: HeldoutChecks, traces: TraceWriter
    ) -> None:
        if self.recipe.warmup.steps and not folder.cold_start_folder(self.run).is_dir():
            checks.make(policy, UNTRAINED, 0, traces)
            self._cold_start(policy, scenarios)
        self._preflight(policy, scenarios)  # minutes, and what it refuses needs no check, which may take an hour

    def _cold_start(self, policy: Policy, scenarios: Sequence[Scenario]) -> None:
        warmup = self.recipe.warmup
        self.progress.say(f"cold start: {warmup.steps} steps of {warmup.batch_size} gold replies")

        def on_step(step: int, loss: float) -> None:
            if step in (1, warmup.steps) or step % 10 == 0:
                self.progress.say(f"cold start step {step}/{warmup.steps}  loss {loss:.3f}")

        sft.cold_start(self.recipe, policy, scenarios, on_step)
        if self.ranks.main:
            folder.save_whole(policy, folder.cold_start_folder(self.run))
        self.ranks.wait_for_everyone()  # nobody goes on before it is saved
        if warmup.merge:
            self._merge(policy)

    def _preflight(self, policy: Policy, scenarios: Sequence[Scenario]) -> None:
        if not self.ranks.main:
            return
        found = preflight(self.recipe, policy, self.stack, scenarios)
        prompts, completions = self.recipe.prompts_per_step, self.recipe.grpo.num_generations
        self.progress.say(f"preflight: {prompts:g} prompts x {completions} completions an optimizer step")
        for line in [*found.lines(), *(f"warning: {warning}" for warning in found.warnings)]:
            self.progress.say(f"  {line}")
        if self.strict:
            found.refuse()
        for obstacle in found.obstacles:
            self.progress.say(f"  warning: {obstacle}")

    # --- the steps

    def _grpo(
        self,
        policy: Policy,
        scenarios: Sequence[Scenario],
        newest: Newest,
        checks: HeldoutChecks,
        traces: TraceWriter,
        launch: int,
    ) -> bool:
        """Make the steps that are left. Returns whether the last one was reached."""
        trainer = self._trainer(policy, schedule(scenarios, self.recipe), traces)
        self.trackers = Trackers(trainer, self.recipe, self.run.path / "tensorboard", self.progress.say)
        if newest.path is None:  # not before there is a trainer, whose engine samples
            self.trackers.log(checks.make(policy, checks.first_label, 0, traces))
        metrics = MetricsWriter(self.run, launch=launch)
        deadline = Deadline(self.recipe, self.ranks, self.started)

        def step_done(step: int) -> bool:
            deadline.end_step()
            if check := checks.make_on_the_way(policy, step, traces):
                figures = check.metrics() | {"eval/share_of_time": checks.seconds / self.elapsed}
                metrics.write(step, figures)
                self.trackers.log(figures)
            deadline.begin_step()
            return deadline.stops_after(step, checks.longest_s)

        def saved(step: int) -> None:
            self.ranks.wait_for_everyone()  # every process writes its own random state into the checkpoint
            if self.ranks.main:
                made = folder.made_in(self.run, self.recipe) / f"checkpoint-{step}"
                if problem := keep_whole(self.run, made, self.recipe.run.save_total_limit):
                    self.progress.say(f"warning: {problem}")
                    return
                self.run.set_state("running", step=step)
                checks.best.prune()
                self.pushes.push(self.run.checkpoints / f"checkpoint-{step}", step)

        with self.progress.steps(self.recipe.grpo.max_steps, newest.step) as steps:
            log = self._logger(metrics, steps.log)
            trainer.add_callback(grpo.watcher(log=log, saved=saved, step_done=step_done))
            deadline.begin_step()
            try:
                trainer.train(resume_from_checkpoint=str(newest.path) if newest.path else None)
            except SocialR1Error as error:
                self.run.set_state("failed", step=trainer.state.global_step, error=str(error))
                raise
            except RuntimeError as error:
                if "out of memory" not in str(error):
                    raise
                raise _out_of_memory(self.recipe, trainer.state.global_step) from error
        policy.model = trainer.model
        made = int(trainer.state.global_step)
        if made < self.recipe.grpo.max_steps:
            self._stop(policy, made, deadline, checks, traces)
        return made == self.recipe.grpo.max_steps

    def _stop(self, policy: Policy, step: int, deadline: Deadline, checks: HeldoutChecks, traces: TraceWriter) -> None:
        """End a launch between two steps: its checkpoint is whole already."""
        if self.ranks.broadcast_from_main(lambda: deadline.leaves(checks.longest_s * SLOWER)):
            self.trackers.log(checks.make(policy, f"{ON_THE_WAY}{step}", step, traces))
        if self.ranks.main:
            self.run.set_state("stopped", step=step)
        self.progress.say(deadline.words(step))

    def _trainer(self, policy: Policy, order: Sequence[Scenario], traces: TraceWriter) -> GRPOTrainer:
        recipe = self.recipe
        prefilled = is_prefilled(policy, order[0], recipe)
        rewards = grpo.TrlRewardAdapter(self.stack, order, recipe, policy.tokenizer, policy.eos_ids, prefilled)
        settings = grpo_config.grpo_settings(recipe, policy, folder.made_in(self.run, recipe))
        with contextlib.redirect_stdout(sys.stderr):  # libraries greet there
            full_device = policy.device != "cpu"
            config = grpo_config.build_config(settings, processes=self.ranks.processes, full_device=full_device)
            trainer = grpo.make_trainer(policy, rewards, traces, config)
        if recipe.grpo.vllm:
            policy.engine = trainer_engine(trainer)
        differences = grpo_config.effective_differences(settings, trainer.args)
        if self.ranks.main:
            text = grpo_config.effective_yaml(settings, trainer.args, differences)
            write_atomic(self.run.effective, text.encode())
        for name, one in differences.items():
            self.progress.say(f"note: {name} is {one['effective']!r} in effect, the recipe says {one['recipe']!r}")
        return trainer

    def _logger(
        self, metrics: MetricsWriter, show: Callable[[int, Mapping[str, float]], None]
    ) -> Callable[[int, Mapping[str, float]], None]:
        alarms = Alarms(self.stack.monitors, read_metrics(self.run), self.progress.say)

        def log(step: int, values: Mapping[str, float]) -> None:
            logged = {**values, **alarms.hear(step, values)}
            sampled = generation_batch(self.recipe.grpo, self.recipe.run)
            if seconds := values.get("time/rollout_s"):
                logged["tokens_per_s"] = values.get("completions/mean_length", 0.0) * sampled / seconds
            logged["elapsed_s"] = self.elapsed
            if self.ranks.main:
                metrics.write(step, logged)
            self.trackers.log(logged)
            show(step, logged)

        return log

    # --- the end

    def _finish(self, policy: Policy, checks: HeldoutChecks, traces: TraceWriter) -> None:
        steps = self.recipe.grpo.max_steps
        self.trackers.log(checks.make(policy, checks.last_label, steps, traces))
        if not self.ranks.main:
            return
        folder.save_whole(policy, self.run.adapter)
        self.run.set_state("completed", step=steps)
        self.pushes.push(self.run.adapter, steps)
        checks.report(self.elapsed)
        self.progress.say(f"adapter in {self.run.adapter} after {clock(self.elapsed)}")


def _out_of_memory(recipe: Recipe, step: int) -> PolicyError:
    settings = recipe.grpo
    knobs = [
        f"grpo.per_device_train_batch_size={max(1, settings.per_device_train_batch_size // 2)} with "
        f"grpo.gradient_accumulation_steps={settings.gradient_accumulation_steps * 2}",
        f"grpo.max_completion_length={settings.max_completion_length // 2}",
        "model.gradient_checkpointing=true" if not recipe.model.gradient_checkpointing else "model.load_in_4bit=true",
    ]
    return PolicyError(f"out of memory at step {step}; the cheapest remedies: " + ", or ".join(knobs))


def _git_revision() -> str | None:
    """Return the commit of this package's checkout; None for an installed package or a machine without git."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    return None
