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

from socialr1_lite.data import asked
from socialr1_lite.errors import DivergedError, RecipeError, SocialR1Error, machine_errors
from socialr1_lite.plan import before_training
from socialr1_lite.plan.checking import check_recipe
from socialr1_lite.policy import Policy, add_lora, describe_machine, describe_policy, load_policy
from socialr1_lite.policy.engine import trainer_engine
from socialr1_lite.policy.gpus import refuse_unusable_driver
from socialr1_lite.policy.numbers import refuse_unsound, trained
from socialr1_lite.policy.rendering import prompt_lengths
from socialr1_lite.progress import Progress, clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.recipe.checks import generation_batch
from socialr1_lite.rewards.monitors import Alarms
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import is_prefilled, messages, template_settings
from socialr1_lite.runlog import MetricsWriter, RunFolder, TraceWriter, read_metrics, write_atomic, write_json
from socialr1_lite.runlog.checkpoints import Newest, keep_whole
from socialr1_lite.scenario import Scenario, sound
from socialr1_lite.training import folder, grpo, grpo_config, sft, shortage
from socialr1_lite.training.deadline import SLOWER, Deadline
from socialr1_lite.training.heldout import ON_THE_WAY, UNTRAINED, HeldoutChecks
from socialr1_lite.training.hub import HubPushes
from socialr1_lite.training.preflight import preflight
from socialr1_lite.training.ranks import Ranks
from socialr1_lite.training.shortage import memory_told
from socialr1_lite.training.soundness import Soundness
from socialr1_lite.training.trackers import Trackers

if TYPE_CHECKING:
    from trl import GRPOTrainer


@machine_errors()
def run_recipe(
    recipe: Recipe,
    *,
    run_dir: str | Path | None = None,
    strict: bool = True,
    progress: Progress | None = None,
    path: str | Path | None = None,
    overrides: Sequence[str] = (),
    cold_start: Path | None = None,
) -> Path:
    """Train one adapter as the recipe says and return its run folder.

    An unfinished run in that folder is continued, a complete one is left alone. strict: refuse to start when the
    preflight finds that nothing can be learned; otherwise only warn. path, overrides: where the recipe was read from,
    so that each mistake names its line. cold_start: the finished one of another run, which a run that holds nothing yet
    takes instead of training it.

    Raises a SocialR1Error for everything the caller can put right.
    """
    ranks = Ranks.here()
    if ranks.processes != recipe.processes:
        raise RecipeError(
            f"run.processes: the recipe is for {recipe.processes} and {ranks.processes} were started; "
            f"torchrun --nproc_per_node {recipe.processes} -m socialr1_lite.train ..."
        )
    progress = progress or Progress(quiet=not ranks.main)
    run = RunFolder(Path(run_dir or Path(recipe.run.root) / str(recipe.run.name)).expanduser())
    folder.refuse_another_recipe(run, recipe)
    if run.path.is_dir() and run.completed and folder.is_finished(run):
        steps = run.state()["step"]
        progress.say(f"{run.path} is complete ({steps} steps); nothing to do. A new run: run.name=ANOTHER")
        return run.path
    refuse_unusable_driver()
    for note in check_recipe(recipe, path, overrides, network=True):
        progress.say(f"note: {note}")
    stack = RewardStack(recipe.rewards, say=progress.say)
    run = RunFolder.create(run.path)
    tried, began = 0, time.monotonic()
    with run.lock() if ranks.main else contextlib.nullcontext():
        if cold_start is not None:
            ranks.broadcast_from_main(lambda: folder.take_cold_start(run, recipe, cold_start))
        while True:
            try:
                Training(recipe, run, stack, progress, ranks, strict, began).train()
                return run.path
            except DivergedError as error:
                # By chance, perhaps, as on a GPU: each checkpoint is gone on from once more before the run stops.
                step = folder.newest_sound(run).step
                if step <= tried or ranks.processes > 1 or recipe.grpo.vllm:
                    raise
                progress.say(f"warning: {error}")
            tried = step


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
    made: int = field(default=0, init=False)  # finished optimizer steps, of all launches

    @property
    def elapsed(self) -> float:
        """Seconds of this launch."""
        return time.monotonic() - self.started

    def train(self) -> None:
        """Do everything, from an empty or unfinished run folder to the saved adapter; a failure is written down."""
        try:
            machine_errors(self.run.path)(self._train)()
        except SocialR1Error as error:
            if "trackers" in vars(self):  # they were begun
                self.trackers.close()
            with contextlib.suppress(OSError):  # the disk may be what failed
                if self.ranks.main:
                    self.run.set_state("failed", step=self.made, error=sound(str(error)))
            raise

    def _train(self) -> None:
        newest = self.ranks.broadcast_from_main(lambda: folder.newest_sound(self.run))
        self.made = newest.step
        for notice in self.ranks.broadcast_from_main(lambda: folder.look_over(self.run, self.recipe, newest)):
            self.progress.say(notice)
        self.progress.say(before_training(self.recipe))
        scenarios, questions = asked.questions(self.run, self.recipe)
        policy = self._load_policy()
        self.stack.lend(lambda: policy)
        for note in policy.notes:
            self.progress.say(f"note: {note}")
        fitting = _fitting(self.recipe, policy, scenarios, self.progress.say)
        if self.recipe.grpo.vllm and questions:  # an engine would end the run at one that is too long
            questions = _fitting(self.recipe, policy, questions, self.progress.say)
        checks = HeldoutChecks(self.run, self.recipe, self.stack, self.progress, questions, self.ranks)
        # Written no sooner: a mistake that only data or model show must leave nothing that stands in the way.
        launch = self.ranks.broadcast_from_main(
            lambda: self._begin(newest.step, (scenarios, questions), fitting, checks)
        )
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

    def _begin(self, step: int, questions: asked.Questions, fitting: Sequence[Scenario], checks: HeldoutChecks) -> int:
        if begun := folder.holds_work(self.run):
            asked.refuse_others(self.run, self.recipe, questions)
        folder.write_recipe(self.run, self.recipe, [*questions[0], *questions[1]])
        asked.keep(self.run, self.recipe, questions, fitting, begun=begun)
        checks.drop_after(step)
        self.run.set_state("running", step=step)
        return self.run.begin_launch(step, _command())

    def _load_policy(self) -> Policy:
        """Load the model as training is to find it: plain with a fresh adapter, or with the finished cold start."""
        cold = folder.cold_start_folder(self.run)
        adapter = cold if cold.is_dir() else None
        with memory_told(self.recipe, self.run, "while the model was loaded", shortage.MODEL):
            seed, share = self.recipe.run.seed, self.recipe.grpo.share_prefix
            policy = load_policy(self.recipe.model, adapter=adapter, trainable=True, seed=seed, share_prefix=share)
        refuse_unsound(trained(policy.model), f"{adapter} cannot be gone on with, so delete it")
        if adapter is not None and self.recipe.warmup.merge:
            self._merge(policy)
        return policy

    def _merge(self, policy: Policy) -> None:
        policy.merge_adapter()
        refuse_unsound(policy.model.named_parameters(), "the cold start cannot be merged")
        add_lora(policy, self.recipe.model, seed=self.recipe.run.seed)

    def _describe(self, policy: Policy) -> None:
        facts = describe_policy(policy)
        if self.ranks.main:
            origin = {"command": _command(), "revision": _git_revision(), "seed": self.recipe.run.seed}
            shared = {"processes": self.ranks.processes, "recipe_digest": self.recipe.digest}
            write_json(self.run.environment, {**describe_machine(), **facts, **origin, **shared})
        self.progress.say(
            f"{self.recipe.model.name} on {facts['device']} in {facts['dtype']}{', 4-bit' if policy.quantized else ''} "
            f"({policy.backend} backend, share_prefix: {str(policy.share_prefix).lower()}) -> {self.run.path}"
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

        with memory_told(self.recipe, self.run, "in the cold start", shortage.COLD_START):
            sft.cold_start(self.recipe, policy, scenarios, on_step, self.progress.say)
        if self.ranks.main:
            folder.save_whole(policy, self.run, folder.cold_start_folder(self.run), 0)
        self.ranks.wait_for_everyone()  # nobody goes on before it is saved
        if warmup.merge:
            self._merge(policy)

    def _preflight(self, policy: Policy, scenarios: Sequence[Scenario]) -> None:
        if not self.ranks.main:
            return
        with memory_told(self.recipe, self.run, "in the preflight", shortage.SAMPLING):
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
        trainer = self._trainer(policy, asked.planned(self.run, self.recipe, scenarios), traces)
        self.trackers = Trackers(trainer, self.recipe, self.run.path / "tensorboard", self.progress.say)
        if newest.path is None:  # not before there is a trainer, whose engine samples
            self.trackers.log(checks.make(policy, checks.first_label, 0, traces))
        metrics = MetricsWriter(self.run, launch=launch)
        deadline = Deadline(self.recipe, self.ranks, self.started)
        sound = Soundness(trainer, self.progress.say, _advice(self.recipe)).watch()

        def step_done(step: int) -> bool:
            self.made = step
            deadline.end_step()
            if check := checks.make_on_the_way(policy, step, traces):
                figures = check.metrics() | {"eval/share_of_time": checks.seconds / self.elapsed}
                metrics.write(step, figures)
                self.trackers.log(figures)
            deadline.begin_step()
            return deadline.stops_after(step, checks.longest_s)

        def saved(step: int) -> None:
            self.ranks.wait_for_everyone()  # every process writes its own random state into the checkpoint
            sound.refuse_checkpoint()
            if self.ranks.main:
                made = folder.made_in(self.run, self.recipe) / f"checkpoint-{step}"
                if problem := keep_whole(self.run, made, self.recipe.run.save_total_limit):
                    self.progress.say(f"warning: {problem}")
                    return
                self.run.set_state("running", step=step)
                checks.best.prune()
                self.pushes.push(self.run.checkpoints / f"checkpoint-{step}", step)

        with self.progress.steps(self.recipe.grpo.max_steps, newest.step) as steps:
            log = self._logger(metrics, steps.log, sound)
            trainer.add_callback(grpo.watcher(log=log, saved=saved, step_done=step_done))
            deadline.begin_step()
            with memory_told(self.recipe, self.run, "in the steps of GRPO", shortage.STEP):
                trainer.train(resume_from_checkpoint=str(newest.path) if newest.path else None)
        policy.model = trainer.model
        if self.made < self.recipe.grpo.max_steps:
            self._stop(policy, self.made, deadline, checks, traces)
        return self.made == self.recipe.grpo.max_steps

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
        self, metrics: MetricsWriter, show: Callable[[int, Mapping[str, float]], None], sound: Soundness
    ) -> Callable[[int, Mapping[str, float]], None]:
        alarms = Alarms(self.stack.monitors, read_metrics(self.run), self.progress.say)

        def log(step: int, values: Mapping[str, float]) -> None:
            logged = {**values, **alarms.hear(step, values)}
            sampled = generation_batch(self.recipe.grpo, self.recipe.run)
            if seconds := values.get("time/rollout_s"):
                logged["tokens_per_s"] = values.get("completions/mean_length", 0.0) * sampled / seconds
            logged["elapsed_s"] = self.elapsed
            if sound.scaled:
                logged["skipped_steps"] = sound.skipped
            if self.ranks.main:
                metrics.write(step, logged)
            self.trackers.log(logged)
            show(step, logged)

        return log

    def _finish(self, policy: Policy, checks: HeldoutChecks, traces: TraceWriter) -> None:
        steps = self.recipe.grpo.max_steps
        self.trackers.log(checks.make(policy, checks.last_label, steps, traces))
        if not self.ranks.main:
            return
        folder.save_whole(policy, self.run, self.run.adapter, steps)
        self.run.set_state("completed", step=steps)
        self.pushes.push(self.run.adapter, steps)
        checks.report(self.elapsed)
        self.progress.say(f"adapter in {self.run.adapter} after {clock(self.elapsed)}")


def _fitting(
    recipe: Recipe, policy: Policy, scenarios: Sequence[Scenario], say: Callable[[str], None]
) -> list[Scenario]:
    """Return those with a prompt that is short enough; TRL cuts none, so a long one would only fail later."""
    limit, prompts = recipe.data.max_prompt_tokens, (messages(scenario, recipe) for scenario in scenarios)
    lengths = prompt_lengths(policy.tokenizer, prompts, template_settings(recipe))
    kept = [scenario for scenario, length in zip(scenarios, lengths, strict=True) if length <= limit]
    if not kept:
        raise RecipeError(
            f"data.max_prompt_tokens: {limit} tokens are fewer than the shortest of {len(lengths)} prompts has "
            f"({min(lengths)}); raise it (model.max_seq_length must hold prompt and completion)"
        )
    if len(kept) < len(scenarios):
        say(
            f"{len(scenarios) - len(kept)} of {len(scenarios)} prompts are longer than "
            f"data.max_prompt_tokens={limit} and are left out (longest: {max(lengths)} tokens)"
        )
    return kept


def _advice(recipe: Recipe) -> str:
    """Say what to do about a run that diverged, which is a matter of chance or of its settings."""
    grpo = recipe.grpo
    return (
        "nothing of this step is kept and the same command goes on from the newest checkpoint; where it ends so "
        f"again, take a new run (run.name=ANOTHER) with a lower grpo.learning_rate (now {grpo.learning_rate:g}) "
        f"or grpo.max_grad_norm (now {grpo.max_grad_norm:g}), or model.dtype=float32"
    )


def _command() -> list[str]:
    """Return the command line as a file can hold it: the name of a file may be no UTF-8."""
    return [str(sound(word)) for word in sys.argv]


def _git_revision() -> str | None:
    """Return the commit of this package's checkout; None for an installed package or a machine without git."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    return None
