"""One benchmark, from its items to their traces: pick items, ask, read, score, keep every completion as a trace."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from socialr1_lite import sip
from socialr1_lite.benchmarks.base import Answer, Ask, Benchmark, Item, Loaded, Reading, Scores, answers_to, unit
from socialr1_lite.chat_reply import Said, first_tag, without_thinking
from socialr1_lite.errors import PolicyError
from socialr1_lite.evaluation import likelihood, shortcuts
from socialr1_lite.evaluation.answering import EndpointSampler, ReplySampler, ReplyStore, Sampling, ask_all
from socialr1_lite.progress import clock
from socialr1_lite.rewards.stack import RewardStack
from socialr1_lite.rollouts.completion import Completion, Finish
from socialr1_lite.rollouts.prompting import Messages
from socialr1_lite.rollouts.reward import Outcome, Score, ScoredCompletion
from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.scenario import Scenario
from socialr1_lite.statistics import Tally

OFFICIAL = {"official": False, "official-cot": True}  # style -> is it the step-by-step form?
STYLES = (*sip.STYLES, *OFFICIAL, likelihood.STYLE)
EPISODE = "episode"  # SOTOPIA's own turn and judge prompts, whatever style is asked for
REASONING = ("sip", "socialr1", "cot")  # styles whose replies the reward stack can say something of
SHORTCUT_VIEWS = tuple(shortcuts.MAKERS)


@dataclass(frozen=True, slots=True)
class AskingPlan:
    """How a benchmark is asked. samples: replies to each prompt. system, answer: as in a recipe's prompt section.

    card: as the model card of SocialR1 asks, in one user message and no other.
    """

    style: str
    sampling: Sampling
    samples: int = 1
    seed: int = 0
    limit: int | None = None
    languages: tuple[str, ...] = ("en",)
    answer: sip.AnswerStyle = "letter"
    system: str | None = None
    shortcuts: bool = False
    card: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """One prompt put to the model, its completion, and the answers read in it. sample: which draw of the prompt."""

    ask: Ask
    sample: int
    prompt: Messages
    completion: Completion
    answers: tuple[Answer, ...]


@dataclass(slots=True)
class BenchmarkReplies:
    """Everything that came of one benchmark, in the order asked. lenient: the scores of what the replies settle on.

    unmoved: of episodes that ended before the model's first turn, which have no exchange.
    """

    items: tuple[Item, ...]
    exchanges: list[Exchange] = field(default_factory=list)
    scores: Scores = field(default_factory=lambda: Scores({}, {}))
    lenient: Scores = field(default_factory=lambda: Scores({}, {}))
    unmoved: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def answers(self) -> list[Answer]:
        """All answers, in order."""
        return [*(answer for exchange in self.exchanges for answer in exchange.answers), *self.unmoved]

    def count(self, finish: Finish) -> int:
        """Return how many completions ended like this."""
        return sum(exchange.completion.finish == finish for exchange in self.exchanges)

    @property
    def unreadable(self) -> int:
        """How many completions ended by themselves and gave no (complete) answer."""
        return sum(
            one.completion.finish == "stop" and not all(answer.reading.readable for answer in one.answers)
            for one in self.exchanges
        )

    @property
    def unreadable_leniently(self) -> int:
        """How many completions ended by themselves and settle on nothing, whatever their form."""
        return sum(
            one.completion.finish == "stop" and not all(answer.loosely.reading.readable for answer in one.answers)
            for one in self.exchanges
        )

    @property
    def cut_thinking(self) -> int:
        """How many completions were cut off before their thinking ended."""
        return sum(one.completion.truncated and said(one.completion).unfinished for one in self.exchanges)


def pick(loaded: Loaded, plan: AskingPlan) -> tuple[Item, ...]:
    """Return the items of the wanted languages, up to a limit a sample that is drawn by seed.

    What scores together stays together: whole joint groups are taken until the limit is reached, so that a few more
    items than asked may come.
    """
    items = [item for item in loaded.items if item.label("language") in ("", *plan.languages)]
    if plan.limit is None or plan.limit >= len(items):
        return tuple(items)
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.joint or item.scenario.id, []).append(item)
    names = list(groups)
    Random(f"{plan.seed}/limit").shuffle(names)
    taken: set[str] = set()
    while names and len(taken) < plan.limit:
        taken.update(item.scenario.id for item in groups[names.pop(0)])
    return tuple(item for item in items if item.scenario.id in taken)


def messages(benchmark: Benchmark, ask: Ask, plan: AskingPlan) -> Messages:
    """Return the prompt of an ask in the plan's style."""
    if plan.style in OFFICIAL:
        assert benchmark.prompt is not None  # check_style has seen to it
        official = benchmark.prompt(ask, OFFICIAL[plan.style])
        return [one | {"content": sip.without_control_tokens(one["content"])} for one in official]
    return own_messages(ask.scenario, plan)


def own_messages(scenario: Scenario, plan: AskingPlan) -> Messages:
    """Return the prompt of a scenario in one of the project's own styles."""
    if plan.style == likelihood.STYLE:
        return likelihood.prompt(scenario)
    if plan.card:
        return sip.render(scenario, style="socialr1")[1:]
    return sip.render(scenario, style=plan.style, answer=plan.answer, system=plan.system)


def calls(benchmark: Benchmark, plan: AskingPlan) -> int:
    """Return how many requests one reply takes: two where the authors' step-by-step form asks for the answer apart."""
    return 2 if plan.style == "official-cot" and benchmark.follow_up else 1


def ask_benchmark(
    benchmark: Benchmark,
    loaded: Loaded,
    plan: AskingPlan,
    sampler: ReplySampler,
    store: ReplyStore,
    on_progress: Callable[[int, int, int], None] = lambda done, failed, total: None,
) -> BenchmarkReplies:
    """Ask every picked item as its protocol says, `samples` times over, and score.

    on_progress: called with the replies so far, the requests that got none, and of how many.
    """
    items = pick(loaded, plan)
    asks = benchmark.asks(items, plan.seed, plan.style in OFFICIAL)
    replies = BenchmarkReplies(items)
    started = time.monotonic()

    def show(done: int, failed: int) -> None:
        before = replies.count("failed")
        on_progress(len(replies.exchanges) - before + done, before + failed, len(asks) * plan.samples)

    for sample in range(plan.samples):
        replies.exchanges += list(_round(benchmark, asks, plan, sample, sampler, store, show))
    replies.seconds = time.monotonic() - started
    replies.scores = benchmark.score(replies.answers)
    replies.lenient = benchmark.score([one.loosely for one in replies.answers])
    return replies


def _round(
    benchmark: Benchmark,
    asks: Sequence[Ask],
    plan: AskingPlan,
    sample: int,
    sampler: ReplySampler,
    store: ReplyStore,
    on_progress: Callable[[int, int], None],
) -> Iterator[Exchange]:
    """Ask each once, in two calls where its authors do. Raises PolicyError when every request failed.

    An exchange of two calls holds the second one, whose prompt has the first one's reply in it.
    """
    prompts = [messages(benchmark, ask, plan) for ask in asks]
    sampling = replace(plan.sampling, seed=plan.sampling.seed + sample)
    asks_twice = calls(benchmark, plan) == 2
    first = on_progress if not asks_twice else lambda done, failed: on_progress(done // 2, failed)
    completions = mark_opened(ask_all(sampler, prompts, sampling, store, first), sampler)
    if asks_twice:
        assert benchmark.follow_up is not None
        reasoned = [at for at, one in enumerate(completions) if not one.failed and not said(one).unfinished]
        for at in reasoned:
            prompts[at] = benchmark.follow_up(prompts[at], said(completions[at]).text)
        lost = sum(one.failed for one in completions)
        cut = len(completions) - lost - len(reasoned)  # in their thinking: nothing more is asked of them

        def second(done: int, failed: int) -> None:
            halves = len(reasoned) - failed + done  # a reply whose second half failed is none
            on_progress(cut + halves // 2, lost + failed)

        answered = ask_all(sampler, [prompts[at] for at in reasoned], sampling, store, second)
        for at, one in zip(reasoned, mark_opened(answered, sampler), strict=True):
            completions[at] = one
    if completions and all(one.failed for one in completions):
        raise PolicyError(f"{benchmark.name}: none of {len(completions)} requests got a reply: {completions[0].error}")
    for ask, prompt, completion in zip(asks, prompts, completions, strict=True):
        yield Exchange(ask, sample, prompt, completion, tuple(_answers(benchmark, ask, plan, sample, completion)))


def mark_opened(completions: Sequence[Completion], sampler: ReplySampler | None = None) -> list[Completion]:
    """Mark as `prefilled` those whose think block the chat template opened unseen, as one behind an endpoint may.

    A closing tag that nothing opened tells. Where one reply has it, here or before from the same sampler, one that was
    cut off without any tag was cut off in its thinking.
    """
    tags = ["" if one.reasoning else first_tag(one.text) for one in completions]
    told = "closes" in tags
    if isinstance(sampler, EndpointSampler):
        told = sampler.opens = told or sampler.opens
    opened = [
        tag == "closes" or (told and not tag and one.truncated and not one.reasoning)
        for tag, one in zip(tags, completions, strict=True)
    ]
    return [replace(one, prefilled=True) if at else one for one, at in zip(completions, opened, strict=True)]


def said(completion: Completion) -> Said:
    """Return what a completion says, its thinking left out."""
    opened = completion.prefilled and not completion.reasoning
    return without_thinking(completion.text, prefilled=opened, apart=completion.reasoning)


def _answers(benchmark: Benchmark, ask: Ask, plan: AskingPlan, sample: int, completion: Completion) -> list[Answer]:
    if completion.failed:  # no reply is no answer, also where the authors would read one into an empty reply
        return [Answer(one.item, one.view, sample, Reading(None, "", False)) for one in ask.questions]
    official, cot, apart = plan.style in OFFICIAL, OFFICIAL.get(plan.style, False), completion.reasoning
    opened = completion.prefilled and not apart
    read = answers_to(benchmark, ask, completion.text, official=official, cot=cot, prefilled=opened, apart=apart)
    return [replace(answer, sample=sample) for answer in read]


# ------------------------------------------------------------------------------------------------ shortcuts


def shortcut_plan(plan: AskingPlan) -> AskingPlan:
    """Return how the shortened questions are asked: the authors' prompts cannot leave parts out."""
    return replace(plan, style=plan.style if plan.style not in OFFICIAL else "direct")


def ask_shortcuts(
    benchmark: Benchmark, replies: BenchmarkReplies, plan: AskingPlan, sampler: ReplySampler, store: ReplyStore
) -> tuple[dict[str, Tally], list[Exchange]]:
    """Return the diagnostics over the multiple-choice items, and the exchanges they took.

    Ablations are asked once for each item, in the project's own prompt (the authors' cannot leave parts out).
    """
    own = shortcut_plan(plan)
    tallies: dict[str, Tally] = {}
    exchanges: list[Exchange] = []
    for view, asks in shortcuts.ablations(replies.items, plan.seed).items():
        asked = list(_round(benchmark, asks, own, 0, sampler, store, lambda done, failed: None))
        exchanges += asked
        tallies[f"accuracy, {view}"] = _tally((a, float(a.right)) for one in asked for a in one.answers)
    permuted = {a.item.scenario.id: a for one in exchanges for a in one.answers if one.ask.view == "permuted"}
    first = {a.item.scenario.id: a for a in reversed(replies.answers) if a.item.scenario.id in permuted}
    same = (
        (a, float(a.reading.choice is not None and a.reading.choice == permuted[name].reading.choice))
        for name, a in first.items()
    )
    tallies["consistency, permuted"] = _tally(same)
    tallies |= reasoning_tallies(replies, plan)
    return {name: tally for name, tally in tallies.items() if tally.units}, exchanges


def reasoning_tallies(replies: BenchmarkReplies, plan: AskingPlan) -> dict[str, Tally]:
    """Return what the replies themselves show: where an option is first mentioned, and contradictions."""
    mentions, contradictions = [], []
    if plan.style in REASONING:
        for one in replies.exchanges:
            if one.ask.item.kind != "choice":
                continue
            reply = _parsed(one)
            if (place := shortcuts.first_mention(reply, one.ask.scenario)) is not None:
                mentions.append((one.answers[0], place))
            if (contrary := shortcuts.contradicts(reply, one.ask.scenario)) is not None:
                contradictions.append((one.answers[0], float(contrary)))
    return {
        "first option mentioned at (0 start, 1 never)": replace(_tally(mentions), proportion=False),
        "answer contradicts its last stage": _tally(contradictions),
    }


def _tally(values: Iterable[tuple[Answer, float]]) -> Tally:
    units = [replace(unit(a, value), key=f"{a.item.scenario.id}@{a.view}#{a.sample}") for a, value in values]
    return Tally(tuple(units), official=False)


# ------------------------------------------------------------------------------------------------ traces


def traces_of(
    name: str,
    exchanges: Sequence[Exchange],
    plan: AskingPlan,
    stack: RewardStack | None,
    step: int,
    values: Mapping[str, float],
) -> Iterator[Trace]:
    """Yield a trace of phase eval for every exchange; answer and outcome are as the benchmark reads the reply.

    stack: scores the completions it can; None leaves them unscored. values: a score for each answer's key, for
    questions that no option settles.
    """
    groups: dict[str, int] = {}
    for one in exchanges:
        scored = _scored(one, stack, _outcome(one, values))
        trace = Trace.of(
            scored,
            phase="eval",
            step=step,
            scenario=one.ask.scenario.id,
            group=groups.setdefault(one.ask.scenario.id, len(groups)),
            index=one.sample,
            prompt=one.prompt,
            benchmark=name,
            sampling=plan.sampling.told(),
        )
        stages = trace.stages if scored.score.is_scored else {}
        yield replace(trace, answer=_displayed(one.ask, one.answers[0]), stages=stages)


def _scored(exchange: Exchange, stack: RewardStack | None, outcome: Outcome) -> ScoredCompletion:
    if stack is None or exchange.ask.item.kind == "episode":
        notes = [f"failed: {exchange.completion.error}"] if exchange.completion.failed else []
        return ScoredCompletion(exchange.completion, _parsed(exchange), Score.unscored(outcome, notes))
    (scored,) = stack.score([exchange.completion], exchange.ask.scenario)
    return replace(scored, score=replace(scored.score, outcome=outcome))


def _parsed(exchange: Exchange) -> sip.Reply:
    completion = exchange.completion
    return sip.parse(completion.text, exchange.ask.scenario.options, prefilled=completion.prefilled)


def _outcome(exchange: Exchange, values: Mapping[str, float]) -> Outcome:
    if exchange.completion.failed:
        return "failed"
    if not all(answer.reading.readable for answer in exchange.answers):
        return "unreadable"
    return "right" if all(is_right(answer, values) for answer in exchange.answers) else "wrong"


def is_right(answer: Answer, values: Mapping[str, float]) -> bool:
    """Return whether an answer is right. values: by `Answer.key`, for what no option settles."""
    return answer.right if answer.item.kind == "choice" else values.get(answer.key, 0.0) == 1.0


def own_values(scores: Scores) -> dict[str, float]:
    """Return each unit's value by its key: the first metric's that counts it, as later ones may only refine it."""
    values: dict[str, float] = {}
    for tally in scores.metrics.values():
        for one in tally.units:
            values.setdefault(one.key, one.value)
    return values


def _displayed(ask: Ask, answer: Answer) -> int | None:
    choice = answer.reading.choice
    return ask.order.index(choice) if choice is not None and choice in ask.order else None


# ------------------------------------------------------------------------------------------------ progress


def progress_line(title: str) -> Callable[[int, int, int], None]:
    """Return a callback that shows progress on standard error in a line that renews itself.

    It shows the replies so far, apart from them the requests that got none, and the time left at the pace so far.
    """
    started = time.monotonic()
    found: int | None = None  # on disk already: they took no time
    shown_at = 0.0
    live = sys.stderr.isatty()

    def show(done: int, failed: int, total: int) -> None:
        nonlocal found, shown_at
        now = time.monotonic()
        if found is None:
            found = done
        fresh = done + failed - found
        last = done + failed >= total
        if not last and now - shown_at < (0.5 if live else 30.0):
            return
        shown_at = now
        left = f", {clock((now - started) / fresh * (total - done - failed))} left" if fresh and not last else ""
        end = "\n" if last or not live else "\r"
        lost = f", {failed} failed" if failed else ""
        print(f"{title}: {done} of {total} replies{lost}{left}   ", end=end, file=sys.stderr, flush=True)

    return show
