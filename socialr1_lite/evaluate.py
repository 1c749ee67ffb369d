"""Evaluate a run or a model: python -m socialr1_lite.evaluate RUN_OR_MODEL --benchmarks tombench,hi-tom --data DIR.

RUN_OR_MODEL is a run folder (its newest adapter), a hub id, a local model folder, or smollm2-135m; with --backend
openai it is the model's name at --base-url. --data is a folder of the authors' own files, one benchmark's or many;
a part of a set is evaluated as it is and the counts are told. Reports go to evaluation/<benchmark>.json of the run
folder (for a model: of evaluations/<name>, or -o DIR), every reply goes into its traces, and table.md and table.html
put them side by side with --against. An interrupted evaluation goes on where it stopped when started again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from socialr1_lite.benchmarks import BENCHMARKS, Benchmark
from socialr1_lite.benchmarks.base import Ask, Loaded, Scores
from socialr1_lite.benchmarks.files import NothingThere
from socialr1_lite.benchmarks.sotopia_episode import RANGES
from socialr1_lite.endpoint import Endpoint, EndpointSettings, Request
from socialr1_lite.errors import DataError, PolicyError, RecipeError, command
from socialr1_lite.evaluation import asking, episodes, reports
from socialr1_lite.evaluation.answering import (
    Answerer,
    EndpointAnswerer,
    PolicyAnswerer,
    ReplyStore,
    Sampling,
    VllmAnswerer,
)
from socialr1_lite.evaluation.target import NEWEST, Target, find
from socialr1_lite.recipe import Recipe
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.prompting import template_settings
from socialr1_lite.runlog import RunFolder, TraceWriter, cache_folder

BACKENDS = ("auto", "unsloth", "transformers", "vllm", "openai")
LOCAL_CACHE = "endpoint"
# What a reply may take in tokens when neither --max-new-tokens nor the run's recipe says so [ours].
TOKENS = {"sip": 512, "socialr1": 1024, "cot": 512, "direct": 48, "official": 64, "official-cot": 768}
EPISODE_TOKENS = 256  # one SOTOPIA action [ours]
EPISODE_TEMPERATURE = 0.7  # of SOTOPIA's agents, as in its library
SAMPLED_TEMPERATURE = 0.7  # for --samples above 1, where greedy replies would all be the same [ours]
NAMES = {"hitom": "hi-tom", "tombenchhard": "tombench-hard"}  # other spellings of the names on the command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate; returns 0. Raises SocialR1Error for what stops it."""
    told = _parser().parse_args(arguments)
    if told.samples > 1 and told.temperature == 0:
        raise RecipeError("--samples above 1 needs --temperature above 0: greedy replies are all the same")
    benchmarks = _benchmarks(told.benchmarks)
    against = [reports.read(folder) for folder in told.against]
    loaded = load_all(benchmarks, told)
    benchmarks = [benchmark for benchmark in benchmarks if benchmark.name in loaded]
    for name, one in loaded.items():
        for note in one.notes:
            print(f"{name}: {note}", file=sys.stderr)
    with contextlib.ExitStack() as opened:
        session = Session.start(told, opened)
        if told.dry_run:
            session.rehearse(benchmarks, loaded)
            return 0
        for benchmark in benchmarks:
            session.evaluate(benchmark, loaded[benchmark.name])
        columns = [reports.read(session.folder.evaluation), *against]
        columns[0] = replace(columns[0], name=session.folder.name)
        reports.write_tables(session.folder.evaluation, columns)
    print(reports.markdown(columns))
    return 0


def load_all(benchmarks: Sequence[Benchmark], told: argparse.Namespace) -> dict[str, Loaded]:
    """Every benchmark's rows. Of `--benchmarks all`, those that cannot be asked as wished are told and left out.

    Raises DataError for a file that is wrong, and when --data holds nothing of any benchmark.
    """
    loaded, absent = {}, []
    for benchmark in benchmarks:
        try:
            if benchmark.name != "sotopia":
                asking.check_style(benchmark, told.prompt or "sip")
            loaded[benchmark.name] = load(benchmark, told.data)
            asking.check_items(benchmark, loaded[benchmark.name], _languages(told))
        except NothingThere as wrong:
            if told.benchmarks != "all":
                raise
            loaded.pop(benchmark.name, None)
            absent.append(str(wrong))
    for line in absent:
        print(f"left out: {line}", file=sys.stderr)
    if (
        absent
        and told.data is not None
        and all(benchmark.generated for benchmark in benchmarks if benchmark.name in loaded)
    ):
        raise DataError(f"{told.data}: nothing of any benchmark there; name one to see where its files are")
    return loaded


def _languages(told: argparse.Namespace) -> tuple[str, ...]:
    return ("en", "zh") if told.language == "all" else (told.language,)


def load(benchmark: Benchmark, data: Path | None) -> Loaded:
    """The benchmark's rows from --data, or from its hub repository where it has one and --data was not given."""
    if data is not None or benchmark.generated:
        return benchmark.load(data or Path())
    if not benchmark.hub:
        raise NothingThere(f"{benchmark.name}: name the folder of its official files with --data; {benchmark.source}")
    return benchmark.load(_from_hub(benchmark))


def _from_hub(benchmark: Benchmark) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(benchmark.hub, repo_type="dataset"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as wrong:
        reason = (str(wrong).strip() or type(wrong).__name__).splitlines()[0]
        raise NothingThere(
            f"{benchmark.name}: {benchmark.hub} cannot be had from the hub ({reason}); "
            f"name the folder of its official files with --data; {benchmark.source}"
        ) from None


@dataclass(slots=True)
class Session:
    """One launch: the target, who answers, where things go. Made with `start`."""

    told: argparse.Namespace
    target: Target
    folder: RunFolder
    model: Answerer
    recipe: Recipe
    traces: TraceWriter | None
    opened: contextlib.ExitStack

    @classmethod
    def start(cls, told: argparse.Namespace, opened: contextlib.ExitStack) -> Session:
        """Find the target, open folder and traces, load the model (not for a dry run)."""
        remote = told.backend == "openai"
        if remote and not told.base_url:
            raise RecipeError("--backend openai needs --base-url, such as http://localhost:8000/v1")
        if remote:
            target = Target(told.target, Recipe(), "")
        else:
            target = find(told.target, backend=told.backend, checkpoint=told.checkpoint)
        folder = _folder(told, target)
        traces = None
        if not told.dry_run:
            opened.enter_context(folder.lock("evaluate"))
            segment = folder.begin_segment(target.step or 0, sys.argv, kind="evaluate")
            traces = opened.enter_context(TraceWriter(folder, writer="evaluate", segment=segment))
        model = _answerer(told, target, opened)
        return cls(told, target, folder, model, target.recipe, traces, opened)

    # ------------------------------------------------------------------------------------------ plans

    def plan(self, benchmark: Benchmark) -> asking.Plan:
        """How this benchmark is asked, from the command line and the run's own recipe."""
        told, recipe = self.told, self.recipe
        style = told.prompt or (recipe.prompt.style if self.target.run else "sip")
        own = recipe.evaluation.max_new_tokens or recipe.grpo.max_completion_length
        usual = own if self.target.run and style == recipe.prompt.style else TOKENS[style]
        if benchmark.name == "sotopia":
            usual = EPISODE_TOKENS
        temperature = told.temperature
        if temperature is None:
            temperature = 0.0 if told.samples == 1 else SAMPLED_TEMPERATURE
            if benchmark.name == "sotopia":
                temperature = EPISODE_TEMPERATURE
        return asking.Plan(
            style=style,
            sampling=Sampling(told.max_new_tokens or usual, temperature, told.top_p, told.top_k, told.seed),
            samples=told.samples,
            seed=told.seed,
            limit=told.limit,
            languages=_languages(told),
            answer=recipe.prompt.answer,
            system=recipe.prompt.system if style == recipe.prompt.style else None,
            shortcuts=told.diagnose,
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

    def _questions(self, benchmark: Benchmark, loaded: Loaded, plan: asking.Plan, store: ReplyStore) -> None:
        shown = benchmark.asks(asking.pick(loaded, plan), plan.seed, plan.style in asking.OFFICIAL)
        self.folder.add_scenarios(ask.scenario for ask in shown)  # a clash with what is stored shows before asking
        asked = asking.ask_benchmark(benchmark, loaded, plan, self.model, store, asking.teller(benchmark.name))
        extra: dict[str, Any] = {}
        if plan.shortcuts:
            tallies, records = asking.ask_shortcuts(benchmark, asked, plan, self.model, store)
            extra["diagnostics"] = {name: reports.figure(tally) for name, tally in tallies.items()}
            for view in asking.SHORTCUT_VIEWS:
                some = [record for record in records if record[0].view == view]
                self._keep(f"{benchmark.name}: {view}", some, plan, {})
        self._keep(benchmark.name, asked.records, plan, asking.own_values(asked.scores))
        self._report(benchmark, loaded, plan, asked, extra)

    def _keep(self, name: str, records: Sequence[Any], plan: asking.Plan, values: dict[str, float]) -> None:
        """Store the scenarios as shown, then a trace for every reply."""
        stack = RewardStack(self.recipe.rewards) if plan.style in asking.REASONING else None
        self.folder.add_scenarios({record[0].scenario.id: record[0].scenario for record in records}.values())
        assert self.traces is not None
        self.traces.write(list(asking.trace_rows(name, records, plan, stack, self.target.step or 0, values)))

    def _report(
        self, benchmark: Benchmark, loaded: Loaded, plan: asking.Plan, asked: asking.Asked, extra: dict[str, Any]
    ) -> None:
        facts = reports.Facts(
            model=self.target.recipe.model.name if self.target.run else self.target.name,
            adapter_step=self.target.step,
            recipe_sha256=self.target.run.recipe_digest() if self.target.run else "",
            prompt_style=plan.style,
            sampling=asdict(plan.sampling) | {"samples": plan.samples},
            seed=plan.seed,
            n=len(asked.items),
            replies=len(asked.records),
            unreadable=asked.unreadable,
            truncated=asked.count("length"),
            failed=asked.count("failed"),
            seconds=round(asked.seconds, 1),
            backend=self.told.backend,
            players=extra.pop("players", {}),
            usage=asdict(self.model.endpoint.usage) if isinstance(self.model, EndpointAnswerer) else {},
        )
        report = reports.build(benchmark, loaded, asked.scores, facts, extra)
        print(f"{benchmark.name}: {reports.write(self.folder.evaluation, report, asked.scores)}", file=sys.stderr)

    # ------------------------------------------------------------------------------------------ episodes

    def _episodes(self, benchmark: Benchmark, loaded: Loaded, plan: asking.Plan, store: ReplyStore) -> None:
        partner = self._player(self.told.partner)
        judge = self._player(self.told.judge)
        items = asking.pick(loaded, plan)
        started = asking.Asked(items)

        def say(text: str) -> None:
            print(f"{benchmark.name}: {text}", file=sys.stderr, flush=True)

        asks = benchmark.asks(items, plan.seed, False)
        begun = time.monotonic()
        games = episodes.play(
            asks,
            (self.model, partner, judge),
            plan.sampling,
            store,
            max_turns=self.told.max_turns,
            judge_tokens=self.told.judge_tokens,
            by_dimension=self.told.judge_form == "dimension",
            say=say,
        )
        started.records = [
            (_turn_of(game.ask, number), 0, prompt, told, [game.answer])
            for game in games
            for number, (prompt, told) in enumerate(game.turns)
        ]
        started.seconds = time.monotonic() - begun
        started.scores = benchmark.score([game.answer for game in games])
        players = {"partner": partner.name, "judge": judge.name}
        if self.told.judge_form == "dimension":
            started.scores = unofficial(started.scores)
            players["judge form"] = "one dimension at a time, not its authors' form"
        self._keep_episodes(benchmark.name, games, plan)
        broken = [f"{game.ask.scenario.id}: {'; '.join(game.broken)}" for game in games if game.scores is None]
        extra = {
            "players": players,
            "episodes": len(games),
            "unjudged": len(broken),
            "unjudged_why": broken[:50],
            "endings": _counted([game.episode.ended for game in games]),
        }
        if broken:
            say(f"{len(broken)} of {len(games)} episodes have no scores: the judge's replies stayed unusable")
        self._report(benchmark, loaded, plan, started, extra)

    def _keep_episodes(self, name: str, games: Sequence[episodes.Played], plan: asking.Plan) -> None:
        """A trace for each turn of the model; the last one carries the transcript and the judge's scores as notes."""
        rows = []
        for place, game in enumerate(games):
            records = [(game.ask, number, p, told, [game.answer]) for number, (p, told) in enumerate(game.turns)]
            told = list(asking.trace_rows(name, records, plan, None, self.target.step or 0, {}))
            verdict = json.dumps(game.scores) if game.scores else "none: " + "; ".join(game.broken)
            notes = [f"ended: {game.episode.ended}", f"judge: {verdict}", f"transcript:\n{game.episode.transcript()}"]
            for row in told:
                row |= {"group": place, "outcome": "unreadable", "answer": None}
            for row in told[-1:]:  # none where the partner left before the model's first turn
                row["notes"] = notes
            rows += told
        self.folder.add_scenarios(game.ask.scenario for game in games)
        assert self.traces is not None
        self.traces.write(rows)

    def _player(self, named: str) -> Answerer:
        """self: the model under test; URL#MODEL: an endpoint; else a model like RUN_OR_MODEL."""
        if named == "self":
            return self.model
        told = argparse.Namespace(**vars(self.told))
        if named.startswith(("http://", "https://")):
            told.base_url, _, told.target = named.rpartition("#")
            if not told.base_url:
                raise RecipeError(f"{named}: write the model behind the address, as in http://host:8000/v1#model")
            return _endpoint(told, self.opened)
        told.target, told.backend = named, "auto"
        return _answerer(told, find(named), self.opened)

    # ------------------------------------------------------------------------------------------ rehearsal

    def rehearse(self, benchmarks: Sequence[Benchmark], loaded: dict[str, Loaded]) -> None:
        """Say what would be asked and, of an endpoint, what it would cost at most; ask nothing."""
        for benchmark in benchmarks:
            plan = self.plan(benchmark)
            items = asking.pick(loaded[benchmark.name], plan)
            if benchmark.name == "sotopia":
                calls = len(items) * (len(RANGES) if self.told.judge_form == "dimension" else 1)
                print(f"sotopia: {len(items)} episodes of up to {self.told.max_turns} turns, {calls} judge calls")
                continue
            asks = benchmark.asks(items, plan.seed, plan.style in asking.OFFICIAL)
            prompts = [asking.messages(benchmark, ask, plan) for ask in asks]
            line = f"{benchmark.name}: {len(items)} items, {len(prompts) * plan.samples} prompts"
            if isinstance(self.model, EndpointAnswerer):
                requests: list[Request] = []
                for sample in range(plan.samples):
                    how = replace(plan.sampling, seed=plan.sampling.seed + sample)
                    requests += self.model.requests(prompts, how)
                told = self.model.endpoint.estimate(requests)
                line += (
                    f", {told.cached} already answered, about {told.prompt_tokens} tokens in, "
                    f"at most {told.completion_tokens} out, at most {told.cost:.2f} at the given prices"
                )
            print(line)


def unofficial(scores: Scores) -> Scores:
    """The same figures, marked as not got in the way their authors get them."""
    groups = {
        name: {label: replace(tally, official=False) for label, tally in group.items()}
        for name, group in scores.groups.items()
    }
    metrics = {name: replace(tally, official=False) for name, tally in scores.metrics.items()}
    return replace(scores, metrics=metrics, groups=groups)


def _turn_of(ask: Ask, number: int) -> Ask:
    return replace(ask, view=f"turn {number}")


def _counted(values: Sequence[str]) -> dict[str, int]:
    return {value: values.count(value) for value in dict.fromkeys(values)}


def _folder(told: argparse.Namespace, target: Target) -> RunFolder:
    """Where reports and traces go; a dry run makes nothing. A run's own folder is for its newest adapter alone."""
    if told.output is None and target.run is not None and target.checkpoint == NEWEST:
        return target.run
    plain = re.sub(r"[^\w.-]+", "-", Path(target.name).name if Path(target.name).is_dir() else target.name).strip("-")
    path = told.output or Path("evaluations") / (plain or "model")
    if told.dry_run:
        return RunFolder(path)
    folder = RunFolder.create(path)
    folder.set_state("completed", step=target.step or 0)
    return folder


class _Rehearsed:
    """Stands where a local model would be: a dry run loads none."""

    name = "dry run"
    identity = ""

    def answer(self, prompts: object, sampling: object, on_done: object) -> None:
        raise AssertionError("a dry run asks nothing")


def _answerer(told: argparse.Namespace, target: Target, opened: contextlib.ExitStack) -> Answerer:
    if told.backend == "openai":
        return _endpoint(told, opened)
    if told.dry_run:
        return _Rehearsed()
    template = template_settings(target.recipe)
    if told.backend == "vllm":
        if target.cold_start is not None:
            raise PolicyError("--backend vllm: this run's cold start was merged into its base; export it merged first")
        model = target.recipe.model
        return VllmAnswerer(
            model.name, target.name, target.identity, adapter=target.adapter, rank=model.lora.r, template=template
        )
    policy = target.load()
    identity = f"{target.identity} {policy.backend} {template} batch {told.batch_size}"
    return PolicyAnswerer(policy, target.name, identity, batch_size=told.batch_size, template=template)


def _endpoint(told: argparse.Namespace, opened: contextlib.ExitStack) -> EndpointAnswerer:
    settings = EndpointSettings(
        base_url=told.base_url,
        model=told.target,
        key_env=told.key_env,
        concurrency=told.concurrency,
        timeout_s=told.timeout,
        retries=told.retries,
        price_in=told.price_in,
        price_out=told.price_out,
        extra=_json_object(told.extra_body, "--extra-body"),
        cache=None if told.no_cache else cache_folder() / LOCAL_CACHE,
    )
    return EndpointAnswerer(opened.enter_context(Endpoint(settings)), prefilled=told.prefilled)


def _json_object(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RecipeError(f"{option} must be a JSON object, not {text!r}")
    return value


def _benchmarks(named: str) -> list[Benchmark]:
    """The benchmarks of a comma-separated list ("all": every one), each once, in the order given."""
    names = list(BENCHMARKS) if named == "all" else [name.strip().lower() for name in named.split(",") if name.strip()]
    names = [NAMES.get(re.sub(r"[^a-z]", "", name), name) for name in names]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown or not names:
        raise RecipeError(
            f"--benchmarks {named!r}: no {unknown or 'benchmark'}; there are {', '.join(BENCHMARKS)}, or all"
        )
    return [BENCHMARKS[name] for name in dict.fromkeys(names)]


def _at_least(low: int) -> Any:
    def number(text: str) -> int:
        if (value := int(text)) < low:
            raise argparse.ArgumentTypeError(f"must be {low} or more")
        return value

    return number


def _number(low: float, high: float = math.inf) -> Any:
    def number(text: str) -> float:
        if not low <= (value := float(text)) <= high:  # not a number is in no range either
            raise argparse.ArgumentTypeError(
                f"must be from {low:g} to {high:g}" if high < math.inf else f"must be {low:g} or more"
            )
        return value

    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m socialr1_lite.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("target", metavar="RUN_OR_MODEL")
    add("--benchmarks", required=True, metavar="NAME,…", help=f"of {', '.join(BENCHMARKS)}; or all")
    add(
        "--data", type=Path, metavar="DIR", help="folder of the authors' files (default: the hub, where they are there)"
    )
    add(
        "--checkpoint",
        default=NEWEST,
        metavar="WHICH",
        help="of a run: newest (default), best (by its held-out checks), or a step's number",
    )
    add("--prompt", choices=asking.STYLES, help="default: the run's own, else sip")
    add(
        "--limit",
        type=_at_least(1),
        metavar="N",
        help="about N items, drawn by seed; what scores together stays together",
    )
    add("--language", choices=("en", "zh", "all"), default="en", help="of the bilingual benchmarks")
    add("--samples", type=_at_least(1), default=1, metavar="K", help="replies to each prompt")
    add("--seed", type=_at_least(0), default=0)
    add("--temperature", type=_number(0, 10), help=f"default 0 (greedy), with --samples {SAMPLED_TEMPERATURE}")
    add("--top-p", type=_number(0.001, 1), default=1.0)
    add("--top-k", type=_at_least(0), default=0)
    add("--max-new-tokens", type=_at_least(1), metavar="N", help="of one reply; default by prompt, or the run's own")
    add("--batch-size", type=_at_least(1), default=16)
    add("-o", "--output", type=Path, metavar="DIR", help="default: the run folder, or evaluations/<model>")
    add("--against", type=Path, action="append", default=[], metavar="DIR", help="evaluated earlier; may be repeated")
    add("--diagnose", action="store_true", help="shortcut diagnostics too: without story, without question, permuted")
    add("--dry-run", action="store_true", help="say what would be asked and what it would cost; ask nothing")
    add("--backend", choices=BACKENDS, default="auto")
    served = parser.add_argument_group("endpoint (--backend openai)").add_argument
    served("--base-url", metavar="URL")
    served("--key-env", default="OPENAI_API_KEY", metavar="NAME", help="environment variable that holds the key")
    served("--concurrency", type=_at_least(1), default=8)
    served("--timeout", type=_number(0.1), default=120.0, metavar="S")
    served("--retries", type=_at_least(0), default=5)
    served("--price-in", type=_number(0), default=0.0, metavar="P", help="for a million tokens")
    served("--price-out", type=_number(0), default=0.0, metavar="P")
    served("--extra-body", default="{}", metavar="JSON", help="further fields of the request")
    served("--prefilled", action="store_true", help="its chat template opens the think block itself")
    served("--no-cache", action="store_true", help="do not keep replies in the user's cache folder")
    played = parser.add_argument_group("episodes (sotopia)").add_argument
    played("--partner", default="self", metavar="WHO", help="self, a model, or URL#MODEL")
    played("--judge", default="self", metavar="WHO", help="self, a model, or URL#MODEL")
    played(
        "--judge-form",
        choices=("whole", "dimension"),
        default="whole",
        help="whole: one JSON object, as its authors ask; dimension: one score at a time, for a small judge",
    )
    played("--max-turns", type=_at_least(1), default=20)
    played("--judge-tokens", type=_at_least(1), default=episodes.JUDGE_TOKENS, metavar="N", help="of one judgement")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    command(main)
