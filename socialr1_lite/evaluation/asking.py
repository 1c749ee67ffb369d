"""One benchmark, from its files to its report: pick items, ask, read, score, keep every reply as a trace."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from socialr1_lite import sip
from socialr1_lite.benchmarks.base import Answer, Ask, Benchmark, Item, Loaded, Reading, Scores, answers_to
from socialr1_lite.benchmarks.files import NothingThere
from socialr1_lite.errors import PolicyError
from socialr1_lite.evaluation import shortcuts
from socialr1_lite.evaluation.answering import Answerer, ReplyStore, Sampling, Told, ask_all
from socialr1_lite.progress import clock
from socialr1_lite.rewards.stack import COMPONENTS, RewardStack
from socialr1_lite.statistics import Tally, Unit

OFFICIAL = {"official": False, "official-cot": True}  # style -> is it the step-by-step form?
STYLES = (*sip.STYLES, *OFFICIAL)
REASONING = ("sip", "socialr1", "cot")  # styles whose replies the reward stack can say something of
SHORTCUT_VIEWS = ("no story", "no question", "permuted")

Message = dict[str, str]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a benchmark is asked. samples: replies to each prompt. system, answer: as in a recipe's prompt section."""

    style: str
    sampling: Sampling
    samples: int = 1
    seed: int = 0
    limit: int | None = None
    languages: tuple[str, ...] = ("en",)
    answer: str = "letter"
    system: str | None = None
    shortcuts: bool = False


@dataclass(slots=True)
class Asked:
    """Everything that came of one benchmark. records: (ask, sample, reply, its answers), in the order asked."""

    items: tuple[Item, ...]
    records: list[tuple[Ask, int, list[Message], Told, list[Answer]]] = field(default_factory=list)
    scores: Scores = field(default_factory=lambda: Scores({}, {}))
    seconds: float = 0.0

    @property
    def answers(self) -> list[Answer]:
        """All answers, in order."""
        return [answer for *_, told in self.records for answer in told]

    def count(self, finish: str) -> int:
        """Replies that ended like this."""
        return sum(told.finish == finish for _, _, _, told, _ in self.records)

    @property
    def unreadable(self) -> int:
        """Replies that ended by themselves and gave no (complete) answer."""
        return sum(
            told.finish == "stop" and not all(answer.reading.readable for answer in answers)
            for _, _, _, told, answers in self.records
        )


def check_style(benchmark: Benchmark, style: str) -> None:
    """Refuse the authors' prompt where they published none. Raises NothingThere saying what to use."""
    if style in OFFICIAL and benchmark.prompt is None:
        raise NothingThere(
            f"{benchmark.name}: its authors publish no prompt; use --prompt {', '.join(sip.STYLES)} for it"
        )
    if style == "official-cot" and not benchmark.official_cot:
        raise NothingThere(
            f"{benchmark.name}: its authors' step-by-step form takes two calls; use --prompt official or cot"
        )


def check_items(benchmark: Benchmark, loaded: Loaded, languages: Sequence[str]) -> None:
    """Refuse files that hold nothing in these languages. Raises NothingThere."""
    if not loaded.items:
        raise NothingThere(f"{benchmark.name}: its files hold no rows")
    if not any(item.label("language") in ("", *languages) for item in loaded.items):
        raise NothingThere(f"{benchmark.name}: no rows in {' or '.join(languages)}; --language names another")


def pick(loaded: Loaded, plan: Plan) -> tuple[Item, ...]:
    """The items of the wanted languages; of a limit, a sample drawn by seed that keeps together what scores together.

    Whole joint groups are taken until the limit is reached, so that a few more items than asked may come.
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
    for name in names:
        if len(taken) >= plan.limit:
            break
        taken.update(item.scenario.id for item in groups[name])
    return tuple(item for item in items if item.scenario.id in taken)


def messages(benchmark: Benchmark, ask: Ask, plan: Plan) -> list[Message]:
    """The prompt of an ask in the plan's style."""
    if plan.style in OFFICIAL:
        assert benchmark.prompt is not None  # check_style has seen to it
        official = benchmark.prompt(ask, OFFICIAL[plan.style])
        return [one | {"content": sip.without_control_tokens(one["content"])} for one in official]
    answer = "text" if plan.answer == "text" else "letter"
    return sip.render(ask.scenario, style=plan.style, answer=answer, system=plan.system)  # type: ignore[arg-type]


def ask_benchmark(
    benchmark: Benchmark,
    loaded: Loaded,
    plan: Plan,
    answerer: Answerer,
    store: ReplyStore,
    say: Callable[[int, int], None] = lambda done, total: None,
) -> Asked:
    """Ask every picked item as its protocol says, `samples` times over, and score. say: (replies, of how many)."""
    items = pick(loaded, plan)
    asks = benchmark.asks(items, plan.seed, plan.style in OFFICIAL)
    asked = Asked(items)
    started = time.monotonic()
    for sample in range(plan.samples):
        asked.records += _round(benchmark, asks, plan, sample, answerer, store, say)
    asked.seconds = time.monotonic() - started
    asked.scores = benchmark.score(asked.answers)
    return asked


def _round(
    benchmark: Benchmark,
    asks: Sequence[Ask],
    plan: Plan,
    sample: int,
    answerer: Answerer,
    store: ReplyStore,
    say: Callable[[int, int], None],
) -> Iterator[tuple[Ask, int, list[Message], Told, list[Answer]]]:
    prompts = [messages(benchmark, ask, plan) for ask in asks]
    sampling = replace(plan.sampling, seed=plan.sampling.seed + sample)
    total = len(asks) * plan.samples
    replies = ask_all(answerer, prompts, sampling, store, lambda done: say(sample * len(asks) + done, total))
    if replies and all(told.finish == "failed" for told in replies):
        raise PolicyError(f"{benchmark.name}: none of {len(replies)} requests got a reply: {replies[0].text}")
    for ask, prompt, told in zip(asks, prompts, replies, strict=True):
        yield ask, sample, prompt, told, _answers(benchmark, ask, plan, sample, told)


def _answers(benchmark: Benchmark, ask: Ask, plan: Plan, sample: int, told: Told) -> list[Answer]:
    if told.finish == "failed":  # no reply is no answer, also where the authors would read one into an empty reply
        asked = [ask, ask.partner] if ask.partner else [ask]
        return [Answer(one.item, one.view, sample, Reading(None, "", False)) for one in asked]
    return answers_to(
        benchmark,
        ask,
        told.text,
        official=plan.style in OFFICIAL,
        cot=OFFICIAL.get(plan.style, False),
        prefilled=told.prefilled,
        sample=sample,
        truncated=told.finish == "length",
    )


# ------------------------------------------------------------------------------------------------ shortcuts


def ask_shortcuts(
    benchmark: Benchmark, asked: Asked, plan: Plan, answerer: Answerer, store: ReplyStore
) -> tuple[dict[str, Tally], list[tuple[Ask, int, list[Message], Told, list[Answer]]]]:
    """The diagnostics over the multiple-choice items, and the replies they took.

    Ablations are asked once for each item, in the project's own prompt (the authors' cannot leave parts out).
    """
    own = replace(plan, style=plan.style if plan.style not in OFFICIAL else "direct")
    items = [item for item in asked.items if item.kind == "choice"]
    makers = (shortcuts.without_story, shortcuts.without_question, shortcuts.permuted)
    tallies: dict[str, Tally] = {}
    records = []
    for view, make in zip(SHORTCUT_VIEWS, makers, strict=True):
        asks = [ask for item in items if (ask := make(item, plan.seed)) is not None]
        round_ = list(_round(benchmark, asks, own, 0, answerer, store, lambda done, total: None)) if asks else []
        records += round_
        if round_:
            tallies[f"accuracy, {view}"] = _tally((a, float(a.right)) for *_, told in round_ for a in told)
    permuted = {a.item.scenario.id: a for ask, _, _, _, told in records for a in told if ask.view == "permuted"}
    first = {a.item.scenario.id: a for a in reversed(asked.answers) if a.item.scenario.id in permuted}
    same = (
        (a, float(a.reading.choice is not None and a.reading.choice == permuted[name].reading.choice))
        for name, a in first.items()
    )
    tallies["consistency, permuted"] = _tally(same)
    tallies |= reasoning_tallies(asked, plan)
    return {name: tally for name, tally in tallies.items() if tally.units}, records


def reasoning_tallies(asked: Asked, plan: Plan) -> dict[str, Tally]:
    """What can be read off the replies themselves: where an option is first mentioned, and contradictions."""
    mentions, contradictions = [], []
    if plan.style in REASONING:
        for ask, _, _, told, answers in asked.records:
            if ask.item.kind != "choice":
                continue
            reply = sip.parse(told.text, ask.scenario.options, prefilled=told.prefilled)
            if (place := shortcuts.first_mention(reply, ask.scenario)) is not None:
                mentions.append((answers[0], place))
            if (contrary := shortcuts.contradicts(reply, ask.scenario)) is not None:
                contradictions.append((answers[0], float(contrary)))
    return {
        "first option mentioned at (0 start, 1 never)": replace(_tally(mentions), proportion=False),
        "answer contradicts its last stage": _tally(contradictions),
    }


def _tally(told: Iterator[tuple[Answer, float]] | Sequence[tuple[Answer, float]]) -> Tally:
    units = [
        Unit(f"{a.item.scenario.id}@{a.view}#{a.sample}", a.item.scenario.group or a.item.scenario.id, value)
        for a, value in told
    ]
    return Tally(tuple(units), official=False)


# ------------------------------------------------------------------------------------------------ traces


def trace_rows(
    name: str,
    records: Sequence[tuple[Ask, int, list[Message], Told, list[Answer]]],
    plan: Plan,
    stack: RewardStack | None,
    step: int,
    values: Mapping[str, float],
) -> Iterator[Json]:
    """A trace of phase eval for every reply. stack: scores the replies it can; None leaves their components empty.

    values: a score for each answer's key, for questions that no option settles.
    """
    groups: dict[str, int] = {}
    for ask, sample, prompt, told, answers in records:
        row = {
            "phase": "eval",
            "benchmark": name,
            "step": step,
            "scenario": ask.scenario.id,
            "group": groups.setdefault(ask.scenario.id, len(groups)),
            "index": sample,
            "prompt": prompt,
            "prefilled": told.prefilled,
            "completion": told.text,
            "tokens": told.tokens,
            "finish": "length" if told.finish == "length" else "stop",
            "advantage": None,
            "sampling": asdict(plan.sampling),
        }
        row |= _scored(ask, told, stack)
        row["outcome"] = _outcome(answers, values)
        row["answer"] = _displayed(ask, answers[0])
        if told.finish == "failed":
            row["notes"] = [f"the endpoint gave no reply: {told.text}"]
        yield row


def _scored(ask: Ask, told: Told, stack: RewardStack | None) -> Json:
    if stack is None or ask.item.kind == "episode" or told.finish == "failed":
        empty: Json = dict.fromkeys(COMPONENTS)
        return {"components": empty, "parts": {}, "weights": {}, "mode": "gated", "tau": 1.0, "notes": []}
    reply = sip.parse(told.text, ask.scenario.options, prefilled=told.prefilled)
    score = stack.score(reply, ask.scenario, tokens=told.tokens, tau=1.0, truncated=told.finish == "length")
    return {
        "components": dict(score.components),
        "parts": dict(score.parts),
        "weights": dict(score.weights),
        "mode": score.mode,
        "tau": score.tau,
        "stages": sip.stage_states(reply, truncated=told.finish == "length"),
        "notes": list(score.notes),
    }


def _outcome(answers: Sequence[Answer], values: Mapping[str, float]) -> str:
    if not all(answer.reading.readable for answer in answers):
        return "unreadable"
    right = [
        answer.right if answer.item.kind == "choice" else values.get(answer_key(answer), 0.0) == 1.0
        for answer in answers
    ]
    return "right" if all(right) else "wrong"


def answer_key(answer: Answer) -> str:
    """The key under which an answer's own unit goes in the scores (`benchmarks.base.unit`)."""
    name = answer.item.scenario.id
    return f"{name}#{answer.sample}" if answer.sample else name


def own_values(scores: Scores) -> dict[str, float]:
    """Each unit's value by its key: that of the first metric that counts it, as later ones may only refine it."""
    values: dict[str, float] = {}
    for tally in scores.metrics.values():
        for one in tally.units:
            values.setdefault(one.key, one.value)
    return values


def _displayed(ask: Ask, answer: Answer) -> int | None:
    choice = answer.reading.choice
    return ask.order.index(choice) if choice is not None and choice in ask.order else None


# ------------------------------------------------------------------------------------------------ progress


def teller(title: str) -> Callable[[int, int], None]:
    """Progress on standard error: replies so far, and the time left at the pace so far; a line that renews itself."""
    started = time.monotonic()
    first: list[int] = []
    live = sys.stderr.isatty()
    told_at = [0.0]

    def tell(done: int, total: int) -> None:
        now = time.monotonic()
        if not first:  # what was found on disk took no time
            first.append(done)
        fresh = done - first[0]
        last = done >= total
        if not last and now - told_at[0] < (0.5 if live else 30.0):
            return
        told_at[0] = now
        left = f", {clock((now - started) / fresh * (total - done))} left" if fresh and not last else ""
        end = "\n" if last or not live else "\r"
        print(f"{title}: {done} of {total} replies{left}   ", end=end, file=sys.stderr, flush=True)

    return tell
