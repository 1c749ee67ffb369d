"""One launch of an evaluation: what is evaluated, who replies, and where replies and reports go."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from socialr1_lite.benchmarks import BENCHMARKS, Benchmark
from socialr1_lite.benchmarks.base import Loaded, Scores
from socialr1_lite.benchmarks.sotopia_episode import RANGES
from socialr1_lite.endpoint import Endpoint, EndpointSettings
from socialr1_lite.errors import PolicyError, RecipeError
from socialr1_lite.evaluation import asking, episodes, reports
from socialr1_lite.evaluation.answering import (
    EndpointSampler,
    OnDone,
    PolicySampler,
    ReplySampler,
    ReplyStore,
    Sampling,
    VllmSampler,
)
from socialr1_lite.evaluation.target import NEWEST, Target, find
from socialr1_lite.policy import load_policy
from socialr1_lite.policy.adapters import refuse_pickle
from socialr1_lite.recipe import Recipe
from socialr1_lite.recipe.trust import KEY, Trust
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import Messages, template_settings
from socialr1_lite.runlog import RunFolder, TraceWriter, cache_folder
from socialr1_lite.scenario import sound

LOCAL_CACHE = "endpoint"
# What a reply may take in tokens when neither --max-new-tokens nor the run's recipe says so [ours].
TOKENS = {"sip": 512, "socialr1": 1024, "cot": 512, "direct": 48, "official": 64, "official-cot": 768}
EPISODE_TOKENS = 256  # one SOTOPIA action [ours]
EPISODE_TEMPERATURE = 0.7  # of SOTOPIA's agents, as in its library
SAMPLED_TEMPERATURE = 0.7  # for --samples above 1, where greedy replies would all be the same [ours]


@dataclass(slots=True)
class Session:
    """One launch. Made with `start`. args: the command line's. traces: None in a dry run."""

    args: argparse.Namespace
    target: Target
    folder: RunFolder
    sampler: ReplySampler
    traces: TraceWriter | None
    opened: contextlib.ExitStack

    @classmethod
    def start(cls, args: argparse.Namespace, opened: contextlib.ExitStack) -> Session:
        """Find the target, open folder and traces, load the model (not for a dry run)."""
        remote = args.backend == "openai"
        if remote and not args.base_url:
            raise RecipeError("--backend openai needs --base-url, such as http://localhost:8000/v1")
        if remote:
            target = Target(args.target, Recipe(), "")
        else:
            trust = Trust.of(args)
            target = find(args.target, backend=args.backend, checkpoint=args.checkpoint, trust=trust)
            if target.run and (args.prompt or target.recipe.prompt.style) in asking.REASONING:
                trust.check_judges(target.recipe.rewards, str(target.run.recipe))
        folder = _folder(args, target)
        traces = None
        if not args.dry_run:
            opened.enter_context(folder.lock("evaluate"))
            launch = folder.begin_launch(target.step or 0, [str(sound(word)) for word in sys.argv], kind="evaluate")
            traces = opened.enter_context(TraceWriter(folder, writer="evaluate", launch=launch))
        sampler: ReplySampler
        if remote:
            sampler = _endpoint_sampler(args, args.base_url, args.target, opened)
        else:
            sampler = _local_sampler(args, target, args.backend)
        return cls(args, target, folder, sampler, traces, opened)

    def plan(self, benchmark: Benchmark) -> asking.AskingPlan:
        """Return how this benchmark is asked, from the command line and the run's own recipe."""
        args, recipe = self.args, self.target.recipe
        style = args.prompt or (recipe.prompt.style if self.target.run else "sip")
        own = recipe.evaluation.max_new_tokens or recipe.grpo.max_completion_length
        usual = own if self.target.run and style == recipe.prompt.style else TOKENS[style]
        temperature = 0.0 if args.samples == 1 else SAMPLED_TEMPERATURE
        if benchmark.name == "sotopia":
            usual, temperature = EPISODE_TOKENS, EPISODE_TEMPERATURE
        if args.temperature is not None:
            temperature = args.temperature
        return asking.AskingPlan(
            style=style,
            sampling=Sampling(args.max_new_tokens or usual, temperature, args.top_p, args.top_k, args.seed),
            samples=args.samples,
            seed=args.seed,
            limit=args.limit,
            languages=languages(args),
            answer=recipe.prompt.answer,
            system=recipe.prompt.system if style == recipe.prompt.style else None,
            shortcuts=args.diagnose,
        )

    # ------------------------------------------------------------------------------------------ one benchmark

    def evaluate(self, benchmark: Benchmark, loaded: Loaded) -> None:
        """Ask, score, store traces and write the report."""
        plan = self.plan(benchmark)
        store = ReplyStore(self.folder.evaluation / f".{benchmark.name}.replies.jsonl")
        if store.found:
            print(f"{benchmark.name}: going on with {store.found} replies of an interrupted launch", file=sys.stderr)
        if benchmark.name == "sotopia":
            self._episodes(benchmark, loaded, plan, store)
        else:
            self._questions(benchmark, loaded, plan, store)
        store.done()

    def _questions(self, benchmark: Benchmark, loaded: Loaded, plan: asking.AskingPlan, store: ReplyStore) -> None:
        shown = benchmark.asks(asking.pick(loaded, plan), plan.seed, plan.style in asking.OFFICIAL)
        self.folder.add_scenarios(ask.scenario for ask in shown)  # a clash with what is stored shows before asking
        progress = asking.progress_line(benchmark.name)
        replies = asking.ask_benchmark(benchmark, loaded, plan, self.sampler, store, progress)
        extra: reports.Extra = {}
        if plan.shortcuts:
            tallies, exchanges = asking.ask_shortcuts(benchmark, replies, plan, self.sampler, store)
            extra["diagnostics"] = {name: reports.figure(tally) for name, tally in tallies.items()}
            for view in asking.SHORTCUT_VIEWS:
                some = [exchange for exchange in exchanges if exchange.ask.view == view]
                self._keep(f"{benchmark.name}: {view}", some, plan, {})
        self._keep(benchmark.name, replies.exchanges, plan, asking.own_values(replies.scores))
        self._report(benchmark, loaded, plan, replies, extra, {})

    def _keep(
        self, name: str, exchanges: Sequence[asking.Exchange], plan: asking.AskingPlan, values: dict[str, float]
    ) -> None:
        """Store the scenarios as shown, then a trace for every reply."""
        stack = RewardStack(self.target.recipe.rewards) if plan.style in asking.REASONING else None
        if stack is not None:  # a sampler without a policy in this process: its base is loaded, if a judge asks for it
            stack.lend(lambda: getattr(self.sampler, "policy", None) or load_policy(self.target.recipe.model))
        self.folder.add_scenarios({one.ask.scenario.id: one.ask.scenario for one in exchanges}.values())
        assert self.traces is not None
        self.traces.write(list(asking.traces_of(name, exchanges, plan, stack, self.target.step or 0, values)))

    def _report(
        self,
        benchmark: Benchmark,
        loaded: Loaded,
        plan: asking.AskingPlan,
        replies: asking.BenchmarkReplies,
        extra: reports.Extra,
        players: dict[str, str],
    ) -> None:
        provenance = reports.Provenance(
            model=self.target.recipe.model.name if self.target.run else self.target.name,
            adapter_step=self.target.step,
            recipe_sha256=self.target.run.recipe_digest() if self.target.run else "",
            prompt_style=plan.style,
            sampling=asdict(plan.sampling) | {"samples": plan.samples},
            seed=plan.seed,
            n=len(replies.items),
            replies=len(replies.exchanges),
            unreadable=replies.unreadable,
            truncated=replies.count("length"),
            failed=replies.count("failed"),
            cut_thinking=replies.cut_thinking,
            seconds=round(replies.seconds, 1),
            backend=self.args.backend,
            players=players,
            usage=asdict(self.sampler.endpoint.usage) if isinstance(self.sampler, EndpointSampler) else {},
        )
        if replies.cut_thinking:
            cut = f"{replies.cut_thinking} of {len(replies.exchanges)} replies were cut off in their thinking"
            print(f"{benchmark.name}: {cut}, so they say nothing; --max-new-tokens gives more room", file=sys.stderr)
        report = reports.build(benchmark, loaded, replies.scores, provenance, extra)
        print(f"{benchmark.name}: {reports.write(self.folder.evaluation, report, replies.scores)}", file=sys.stderr)

    # ------------------------------------------------------------------------------------------ episodes

    def _episodes(self, benchmark: Benchmark, loaded: Loaded, plan: asking.AskingPlan, store: ReplyStore) -> None:
        partner, judge = self._player(self.args.partner), self._player(self.args.judge)
        items = asking.pick(loaded, plan)

        def say(text: str) -> None:
            print(f"{benchmark.name}: {text}", file=sys.stderr, flush=True)

        begun = time.monotonic()
        games = episodes.play(
            benchmark.asks(items, plan.seed, False),
            (self.sampler, partner, judge),
            plan.sampling,
            store,
            max_turns=self.args.max_turns,
            judge_tokens=self.args.judge_tokens,
            by_dimension=self.args.judge_form == "dimension",
            say=say,
        )
        replies = asking.BenchmarkReplies(items, seconds=time.monotonic() - begun)
        replies.exchanges = [exchange for game in games for exchange in game.exchanges]
        replies.scores = benchmark.score([game.answer for game in games])
        players = {"partner": partner.name, "judge": judge.name}
        if self.args.judge_form == "dimension":
            replies.scores = _unofficial(replies.scores)
            players["judge form"] = "one dimension at a time, not its authors' form"
        self._keep_episodes(benchmark.name, games, plan)
        broken = [f"{game.ask.scenario.id}: {'; '.join(game.broken)}" for game in games if game.scores is None]
        if broken:
            say(f"{len(broken)} of {len(games)} episodes have no scores: the judge's replies stayed unusable")
        extra: reports.Extra = {
            "episodes": len(games),
            "unjudged": len(broken),
            "unjudged_why": broken[:50],
            "endings": dict(Counter(game.episode.ended for game in games)),
        }
        self._report(benchmark, loaded, plan, replies, extra, players)

    def _keep_episodes(self, name: str, games: Sequence[episodes.Played], plan: asking.AskingPlan) -> None:
        """Store a trace for each turn of the model; the last has the transcript and the judge's scores as notes."""
        self.folder.add_scenarios(game.ask.scenario for game in games)
        assert self.traces is not None
        rows = []
        for place, game in enumerate(games):
            verdict = json.dumps(game.scores) if game.scores else "none: " + "; ".join(game.broken)
            end = (f"ended: {game.episode.ended}", f"judge: {verdict}", f"transcript:\n{game.episode.transcript()}")
            for turn in asking.traces_of(name, game.exchanges, plan, None, self.target.step or 0, {}):
                notes = end if turn.index == len(game.exchanges) - 1 else turn.score.notes
                outcome = turn.score.outcome if turn.completion.failed else "unreadable"
                score = replace(turn.score, outcome=outcome, notes=notes)
                rows.append(replace(turn, group=place, answer=None, score=score))
        self.traces.write(rows)

    def _player(self, named: str) -> ReplySampler:
        """Return who plays. self: the model under test; URL#MODEL: an endpoint; else a model like RUN_OR_MODEL."""
        if named == "self":
            return self.sampler
        if not named.startswith(("http://", "https://")):
            return _local_sampler(self.args, find(named, trust=Trust.of(self.args)), "auto")
        base_url, _, model = named.rpartition("#")
        if not base_url:
            raise RecipeError(f"{named}: write the model behind the address, as in http://host:8000/v1#model")
        return _endpoint_sampler(self.args, base_url, model, self.opened)

    # ------------------------------------------------------------------------------------------ dry run

    def dry_run(self, loaded: dict[str, Loaded]) -> None:
        """Say what would be asked and, of an endpoint, what it would cost at most; ask nothing."""
        for name, one in loaded.items():
            benchmark = BENCHMARKS[name]
            plan = self.plan(benchmark)
            items = asking.pick(one, plan)
            if name == "sotopia":
                calls = len(items) * (len(RANGES) if self.args.judge_form == "dimension" else 1)
                print(f"sotopia: {len(items)} episodes of up to {self.args.max_turns} turns, {calls} judge calls")
                continue
            asks = benchmark.asks(items, plan.seed, plan.style in asking.OFFICIAL)
            prompts = [asking.messages(benchmark, ask, plan) for ask in asks]
            line = f"{name}: {len(items)} items, {len(prompts) * plan.samples} prompts"
            if isinstance(self.sampler, EndpointSampler):
                draws = [replace(plan.sampling, seed=plan.sampling.seed + sample) for sample in range(plan.samples)]
                requests = (request for drawn in draws for request in self.sampler.requests(prompts, drawn))
                usage = self.sampler.endpoint.estimate(requests)
                line += (
                    f", {usage.cached} already answered, about {usage.prompt_tokens} tokens in, "
                    f"at most {usage.completion_tokens} out, at most {usage.cost:.2f} at the given prices"
                )
            print(line)


def languages(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the languages that are asked of bilingual benchmarks."""
    return ("en", "zh") if args.language == "all" else (args.language,)


def _unofficial(scores: Scores) -> Scores:
    """Mark the same figures as not got in the way their authors get them."""
    groups = {
        name: {label: replace(tally, official=False) for label, tally in group.items()}
        for name, group in scores.groups.items()
    }
    metrics = {name: replace(tally, official=False) for name, tally in scores.metrics.items()}
    return replace(scores, metrics=metrics, groups=groups)


def _folder(args: argparse.Namespace, target: Target) -> RunFolder:
    """Return where reports and traces go; a dry run makes nothing. A run's own folder is for its newest adapter."""
    if args.output is None and target.run is not None and target.checkpoint == NEWEST:
        return target.run
    plain = re.sub(r"[^\w.-]+", "-", Path(target.name).name if Path(target.name).is_dir() else target.name).strip("-")
    path = args.output or Path("evaluations") / (plain or "model")
    if args.dry_run:
        return RunFolder(path)
    folder = RunFolder.create(path)
    folder.set_state("completed", step=target.step or 0)
    return folder


class _NoSampler:
    """Stands where a local model would be: a dry run loads none."""

    name = "dry run"
    identity = ""

    def sample(self, prompts: Sequence[Messages], sampling: Sampling, on_done: OnDone) -> None:
        raise AssertionError("a dry run asks nothing")


def _local_sampler(args: argparse.Namespace, target: Target, backend: str) -> ReplySampler:
    """Load the target. Raises PolicyError where vLLM cannot serve it."""
    if args.dry_run:
        return _NoSampler()
    template = template_settings(target.recipe)
    if backend == "vllm":
        if target.cold_start is not None:
            raise PolicyError("--backend vllm: this run's cold start was merged into its base; export it merged first")
        model = target.recipe.model
        refuse_pickle(Path(model.name), allowed=model.allow_pickle)
        return VllmSampler(
            model.name,
            target.name,
            target.identity,
            adapter=target.adapter,
            rank=model.lora.r,
            template=template,
            pickle=model.allow_pickle,
        )
    policy = target.load()
    identity = f"{target.identity} {policy.backend} {template} batch {args.batch_size}"
    return PolicySampler(policy, target.name, identity, batch_size=args.batch_size, template=template)


def _endpoint_sampler(
    args: argparse.Namespace, base_url: str, model: str, opened: contextlib.ExitStack
) -> EndpointSampler:
    """Open the endpoint; `opened` closes it."""
    try:
        extra = json.loads(args.extra_body)
    except (ValueError, RecursionError):
        extra = None
    if not isinstance(extra, dict):
        raise RecipeError(f"--extra-body must be a JSON object, not {args.extra_body[:80]!r}")
    settings = EndpointSettings(
        base_url=base_url,
        model=model,
        key_env=next(iter(args.key_env), KEY),
        concurrency=args.concurrency,
        timeout_s=args.timeout,
        retries=args.retries,
        price_in=args.price_in,
        price_out=args.price_out,
        extra=extra,
        cache=None if args.no_cache else cache_folder() / LOCAL_CACHE,
    )
    return EndpointSampler(opened.enter_context(Endpoint(settings)), prefilled=args.prefilled)
