"""One launch of an evaluation: what is evaluated, who replies, and where replies and reports go."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson

from socialr1_lite.benchmarks import BENCHMARKS, Benchmark
from socialr1_lite.benchmarks.base import Loaded, Scores
from socialr1_lite.benchmarks.sotopia_episode import SHORT
from socialr1_lite.endpoint import Endpoint, EndpointSettings
from socialr1_lite.errors import RecipeError
from socialr1_lite.evaluation import asking, authors, dry_run, episodes, items, likelihood, reports
from socialr1_lite.evaluation.answering import (
    EndpointSampler,
    OnDone,
    PolicySampler,
    ReplySampler,
    ReplyStore,
    Sampling,
    VllmSampler,
    further,
    further_numbers,
    not_sent,
)
from socialr1_lite.evaluation.protocol import prompt_digest
from socialr1_lite.evaluation.target import NEWEST, Target, asked_as, at_endpoint, find
from socialr1_lite.policy import load_policy
from socialr1_lite.policy.adapters import refuse_pickle
from socialr1_lite.recipe.trust import KEY, Trust
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import Messages, Template, template_settings
from socialr1_lite.runlog import RunFolder, TraceWriter, cache_folder
from socialr1_lite.scenario import sound

LOCAL_CACHE = "endpoint"
SET_ELSEWHERE = {  # fields of a request that the evaluation sets, and how
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), "use --max-new-tokens"),
    **{
        name: f"use --{name.replace('_', '-')}"
        for name in ("temperature", "top_p", "top_k", "repetition_penalty", "seed")
    },
    **{"n": "use --samples"},
    **{"model": "it is the name in RUN_OR_MODEL's place", "messages": "use --prompt"},
    **dict.fromkeys(("stream", "logprobs", "top_logprobs"), "leave it out"),
}


@dataclass(slots=True)
class Session:
    """One launch. Made with `start`. args: the command line's. traces: None in a dry run.

    players: further endpoints, SOTOPIA's partner and judge. spent: what all of them had used when this benchmark began.
    """

    args: argparse.Namespace
    target: Target
    folder: RunFolder
    sampler: ReplySampler
    traces: TraceWriter | None
    opened: contextlib.ExitStack
    players: list[Endpoint] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)

    @classmethod
    def start(cls, args: argparse.Namespace, opened: contextlib.ExitStack) -> Session:
        """Find the target, open folder and traces, load the model (not for a dry run)."""
        remote = args.backend == "openai"
        if remote and not args.base_url:
            raise RecipeError("--backend openai needs --base-url, such as http://localhost:8000/v1")
        trust = Trust.of(args)
        if remote:
            target = at_endpoint(args.target)
        else:
            target = find(args.target, backend=args.backend, checkpoint=args.checkpoint, trust=trust)
        if args.asked_as:
            target = asked_as(target, args.asked_as, trust)
        if target.says_how and (args.prompt or target.recipe.prompt.style) in asking.REASONING:
            trust.check_judges(target.recipe.rewards, str(target.says_how))
        folder = _folder(args, target)
        traces = None
        if not args.dry_run:
            opened.enter_context(folder.lock("evaluate"))
            launch = folder.begin_launch(target.step or 0, [str(sound(word)) for word in sys.argv], kind="evaluate")
            traces = opened.enter_context(TraceWriter(folder, writer="evaluate", launch=launch))
        sampler: ReplySampler
        if remote:
            sampler = _endpoint_sampler(args, args.base_url, args.target, opened, template_settings(target.recipe))
        else:
            sampler = _local_sampler(args, target, args.backend, opened)
        return cls(args, target, folder, sampler, traces, opened)

    def plan(self, benchmark: Benchmark) -> asking.AskingPlan:
        """Return how this benchmark is asked, from the command line and the run's own recipe."""
        return authors.planned(self.args, self.target, benchmark, self.sampler)

    # ------------------------------------------------------------------------------------------ one benchmark

    def evaluate(self, benchmark: Benchmark, loaded: Loaded) -> None:
        """Ask, score, store traces and write the report."""
        plan = self.plan(benchmark)
        self.spent = self._used()
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
            both = items.asked_in([*replies.exchanges, *exchanges])
            told, _ = items.settled(Scores(tallies, {}), both)
            extra["diagnostics"] = {name: reports.figure(tally) for name, tally in told.metrics.items()}
            for view in asking.SHORTCUT_VIEWS:
                some = [exchange for exchange in exchanges if exchange.ask.view == view]
                self._keep(f"{benchmark.name}: {view}", some, plan, {})
        extra["differs"] = authors.differences(
            benchmark,
            plan,
            model=self.target.model_name,
            cut_off=replies.count("length"),
            not_sent=not_sent(self.sampler),
            further=further(self.sampler),
        )
        replies.scores = _unofficial(replies.scores) if extra["differs"] else replies.scores
        if extra["differs"] and plan.style in asking.OFFICIAL:
            print(f"{benchmark.name}: not its authors' protocol: {'; '.join(extra['differs'])}", file=sys.stderr)
        values = asking.own_values(replies.scores)
        self._keep(benchmark.name, replies.exchanges, plan, values)
        drawn = items.repeated(replies.answers, items.asked_in(replies.exchanges), values)
        replies.scores = replace(replies.scores, metrics=replies.scores.metrics | drawn)
        self._report(benchmark, loaded, plan, replies, extra, {}, {})

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
        game: dict[str, float],
    ) -> None:
        provenance = reports.Provenance(
            model=self.target.model_name,
            adapter_step=self.target.step,
            recipe_sha256=self.target.trained_sha256,
            prompt_style=plan.style,
            sampling=further_numbers(self.sampler) | plan.sampling.told() | {"samples": plan.samples} | game,
            seed=plan.seed,
            n=len(replies.items),
            replies=len(replies.exchanges),
            unreadable=replies.unreadable,
            truncated=replies.count("length"),
            failed=replies.count("failed"),
            cut_thinking=replies.cut_thinking,
            seconds=round(replies.seconds, 1),
            backend=self.sampler.policy.backend if isinstance(self.sampler, PolicySampler) else self.args.backend,
            players=players,
            usage={name: amount - self.spent.get(name, 0) for name, amount in self._used().items()},
        )
        if replies.cut_thinking:
            cut = f"{replies.cut_thinking} of {len(replies.exchanges)} replies were cut off in their thinking"
            print(f"{benchmark.name}: {cut}, so they say nothing; --max-new-tokens gives more room", file=sys.stderr)
        asked = items.asked_in(replies.exchanges)
        asked |= {one.presentation: items.Asked(one.item, one.view, one.sample, False) for one in replies.unmoved}
        scores, headlines = items.settled(replies.scores, asked)
        answers = list({answer.presentation: answer for answer in replies.answers}.values())
        seeds = items.by_seed(answers, asked, benchmark.score, plan.seed)
        trained = self.target.trained
        extra = {
            "prompt_sha256": prompt_digest(plan),
            "training": self.target.training,
            "train_seed": trained.run.seed if trained else None,
            "not_sent": not_sent(self.sampler),
            "headlines": headlines,
            "questions": items.questions_digest(one.item for one in asked.values()),
            "seeds": {name: reports.seed_spread(values) for name, values in seeds.items()},
            "protocol": "own" if extra.get("differs") else "official",
            **extra,
        }
        lenient, _ = items.settled(replies.lenient, asked)
        if lenient.metrics:
            extra["lenient_unreadable"] = replies.unreadable_leniently
        report = reports.build(benchmark, loaded, scores, provenance, extra, lenient.metrics)
        print(f"{benchmark.name}: {reports.write(self.folder.evaluation, report, scores, asked)}", file=sys.stderr)

    def _used(self) -> dict[str, float]:
        """Return what went over the line so far, of all endpoints together; {} where there is none."""
        own = [self.sampler.endpoint] if isinstance(self.sampler, EndpointSampler) else []
        counts: Counter[str] = Counter()
        for endpoint in (*own, *self.players):
            counts.update(asdict(endpoint.usage))
        return dict(counts)

    # ------------------------------------------------------------------------------------------ episodes

    def _episodes(self, benchmark: Benchmark, loaded: Loaded, plan: asking.AskingPlan, store: ReplyStore) -> None:
        partner, judge = self._player(self.args.partner), self._player(self.args.judge)
        items = asking.pick(loaded, plan)

        def say(text: str) -> None:
            print(f"{benchmark.name}: {text}", file=sys.stderr, flush=True)

        begun = time.monotonic()
        seats, max_turns = (self.sampler, partner, judge), self.args.max_turns
        by_dimension = self.args.judge_form == "dimension"
        games = episodes.play(
            benchmark.asks(items, plan.seed, False),
            seats,
            plan.sampling,
            store,
            samples=plan.samples,
            max_turns=max_turns,
            judge_tokens=self.args.judge_tokens,
            by_dimension=by_dimension,
            say=say,
        )
        replies = asking.BenchmarkReplies(items, seconds=time.monotonic() - begun)
        replies.exchanges = [exchange for game in games for exchange in game.exchanges]
        replies.unmoved = [game.answer for game in games if not game.turns]
        replies.scores = benchmark.score([game.answer for game in games])
        players = {"partner": partner.name, "judge": judge.name}
        if differs := episodes.differences(games, seats, plan.sampling, max_turns=max_turns, by_dimension=by_dimension):
            replies.scores = _unofficial(replies.scores)
        self._keep_episodes(benchmark.name, games, plan)
        broken = [f"{game.ask.scenario.id}: {'; '.join(game.broken)}" for game in games if game.scores is None]
        if broken:
            say(f"{len(broken)} of {len(games)} episodes have no scores: the judge's replies stayed unusable")
        extra: reports.Extra = {
            "episodes": len(games),
            "unjudged": len(broken),
            "unjudged_why": broken[:50],
            "endings": dict(Counter(game.episode.ended for game in games)),
            "differs": differs,
            "not_sent": episodes.refused(seats),
        }
        tokens = 0 if by_dimension else self.args.judge_tokens
        game = {"max_turns": max_turns, "judge_tokens": tokens, "by_dimension": int(by_dimension)}
        self._report(benchmark, loaded, plan, replies, extra, players, game)

    def _keep_episodes(self, name: str, games: Sequence[episodes.Played], plan: asking.AskingPlan) -> None:
        """Store a trace for each turn of the model; the last has the transcript and the judge's scores as notes."""
        self.folder.add_scenarios(game.ask.scenario for game in games)
        assert self.traces is not None
        rows = []
        for place, game in enumerate(games):
            scores = game.scores and {short: game.scores[name] for short, name in SHORT.items()}
            verdict = json.dumps(scores) if scores else "none: " + "; ".join(game.broken)
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
            return _local_sampler(self.args, find(named, trust=Trust.of(self.args)), "auto", self.opened)
        base_url, _, model = named.rpartition("#")
        if not base_url:
            raise RecipeError(f"{named}: write the model behind the address, as in http://host:8000/v1#model")
        player = _endpoint_sampler(self.args, base_url, model, self.opened)
        self.players.append(player.endpoint)
        return player

    # ------------------------------------------------------------------------------------------ dry run

    def dry_run(self, loaded: dict[str, Loaded]) -> None:
        """Say what would be asked and, of an endpoint, what it would cost at most; ask nothing."""
        for name, one in loaded.items():
            benchmark = BENCHMARKS[name]
            print(dry_run.told(benchmark, one, self.plan(benchmark), self.sampler, self.args))


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


def _local_sampler(
    args: argparse.Namespace, target: Target, backend: str, opened: contextlib.ExitStack
) -> ReplySampler:
    """Load the target. Raises PolicyError where vLLM cannot serve it."""
    if args.dry_run:
        return _NoSampler()
    template = template_settings(target.recipe)
    if backend == "vllm":
        model = target.recipe.model
        refuse_pickle(Path(model.name), allowed=model.allow_pickle)
        adapter, rank = target.for_vllm(Path(opened.enter_context(tempfile.TemporaryDirectory())))
        return VllmSampler(
            model.name,
            target.name,
            target.identity,
            adapter=adapter,
            rank=rank,
            template=template,
            pickle=model.allow_pickle,
        )
    policy = target.load()
    identity = f"{target.identity} {policy.backend} {template} batch {args.batch_size}"
    if args.prompt == likelihood.STYLE:
        return likelihood.LikelihoodSampler(policy, target.name, f"{identity} read", batch_size=args.batch_size)
    return PolicySampler(policy, target.name, identity, batch_size=args.batch_size, template=template)


def _endpoint_sampler(
    args: argparse.Namespace, base_url: str, model: str, opened: contextlib.ExitStack, template: Template | None = None
) -> EndpointSampler:
    """Open the endpoint; `opened` closes it. template: for its chat template, where --extra-body says nothing of it."""
    try:
        extra = orjson.loads(args.extra_body)  # which takes no number that is not finite
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise RecipeError(f"--extra-body must be a JSON object, not {args.extra_body[:80]!r}")
    if own := [name for name in extra if name in SET_ELSEWHERE]:
        raise RecipeError(f"--extra-body: {own[0]} is not for it, the report would not tell: {SET_ELSEWHERE[own[0]]}")
    if template:
        extra.setdefault("chat_template_kwargs", dict(template))
    if extra.get("chat_template_kwargs", {}) is None:  # for a server that does not know the field
        del extra["chat_template_kwargs"]
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
    theirs = args.prompt in asking.OFFICIAL  # who then draws by no setting of the server's, told or not
    said = [name for name in ("top_k", "repetition_penalty") if theirs or getattr(args, name) is not None]
    return EndpointSampler(opened.enter_context(Endpoint(settings)), prefilled=args.prefilled, said=said)
