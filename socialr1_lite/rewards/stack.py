"""The weighing of a recipe: completions in, what each was and what it earned out."""

from __future__ import annotations

import inspect
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, overload

from socialr1_lite.errors import JudgeError, SocialR1Error
from socialr1_lite.judges import Judge, Verdict, build_judge
from socialr1_lite.judges.base import Borrower, traits_of
from socialr1_lite.rewards.component import Component
from socialr1_lite.rewards.content import Opinion, content, first_reason
from socialr1_lite.rewards.table import CONTENT, REWARDS, rule_version
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.reward import COMPONENTS, Score, ScoredCompletion
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply, parse

if TYPE_CHECKING:
    from socialr1_lite.policy import Policy
    from socialr1_lite.recipe import Rewards

WATCHED_CALLS = 200  # a judge may fail for `max_judge_failures` of its last so many calls (docs/rewards.md)


class RewardStack:
    """Scores replies by a recipe's `rewards` section. Holds no state but how often each judge failed of late.

    monitors: the judges of weight 0, which are asked and never paid, and how often each failed so far. spent: seconds
    that each judge took since somebody last cleared it, and tokens that it read.
    """

    def __init__(
        self,
        rewards: Rewards,
        *,
        judge: Judge | None = None,
        say: Callable[[str], object] = lambda text: print(text, file=sys.stderr),
    ) -> None:
        """Build the stack; a wrong judge fails here, before any model is loaded.

        judge: stands in for the judges that the recipe names. say: takes the one line about a monitor that failed.
        Raises JudgeError for a judge that cannot be built.
        """
        self._rewards, self._say = rewards, say
        self._weights = {name: float(getattr(rewards.weights, name)) for name in COMPONENTS}
        named = () if judge else rewards.content.judges
        entries = [(judge, 1.0)] if judge else [(build_judge(e.name, e.settings), float(e.weight)) for e in named]
        self._judges = dict(zip(_distinct([judge.name for judge, _ in entries]), entries, strict=True))
        # what the recipe sets of a component is exactly what its function takes by keyword
        self._rules = {name: partial(reward, **dict(getattr(rewards, name, ()))) for name, reward in REWARDS.items()}
        self._by_tokens = {name for name, reward in REWARDS.items() if "tokens" in inspect.signature(reward).parameters}
        self.monitors = {name: 0 for name, (_, weight) in self._judges.items() if not weight}
        self._versions = {name: rule_version(name) for name in COMPONENTS} | {
            f"{'judge' if weight else 'monitor'}.{name}": traits_of(judge).version
            for name, (judge, weight) in self._judges.items()
        }
        self._failures = {name: deque[bool](maxlen=WATCHED_CALLS) for name in self._judges}
        self.spent = defaultdict[str, float](float)

    @property
    def needs_base(self) -> bool:
        """Whether a judge reads with the base of a policy and has been lent none."""
        return any(isinstance(judge, Borrower) and judge.needs_base for judge, _ in self._judges.values())

    def lend(self, base: Callable[[], Policy]) -> None:
        """Let such judges read with the base of this policy, which is called for when first needed."""
        for judge, _ in self._judges.values():
            if isinstance(judge, Borrower):
                judge.lend(base)

    @overload
    def score(
        self, completions: Reply, scenario: Scenario, *, tokens: int, tau: float = 1.0, truncated: bool = False
    ) -> Score: ...

    @overload
    def score(
        self, completions: Sequence[Completion], scenario: Scenario, *, tau: float = 1.0
    ) -> list[ScoredCompletion]: ...

    def score(
        self,
        completions: Reply | Sequence[Completion],
        scenario: Scenario,
        *,
        tokens: int = 0,
        tau: float = 1.0,
        truncated: bool = False,
    ) -> Score | list[ScoredCompletion]:
        """Parse and score completions of one scenario, judged together; or score one parsed reply on its own.

        A failed completion has no components and the outcome "failed", and takes no part in the judging. A reply is
        a group of one: tokens is its length in completion tokens, truncated whether the token limit cut it off.
        Raises JudgeError as `score_group` does.
        """
        if isinstance(completions, Reply):
            return self.score_group([completions], scenario, tokens=[tokens], tau=tau, truncated=[truncated])[0]
        replies = [parse(one.text, scenario.options, prefilled=one.prefilled) for one in completions]
        read = [(one, reply) for one, reply in zip(completions, replies, strict=True) if not one.failed]
        counts, cut = [one.tokens for one, _ in read], [one.truncated for one, _ in read]
        scores = iter(self.score_group([reply for _, reply in read], scenario, tokens=counts, tau=tau, truncated=cut))
        return [
            ScoredCompletion(
                one, reply, Score.unscored("failed", [f"failed: {one.error}"]) if one.failed else next(scores)
            )
            for one, reply in zip(completions, replies, strict=True)
        ]

    def score_group(
        self,
        replies: Sequence[Reply],
        scenario: Scenario,
        *,
        tokens: Sequence[int],
        tau: float = 1.0,
        truncated: Sequence[bool] | None = None,
    ) -> list[Score]:
        """The scores of replies to one scenario, judged together so that all are compared on the same terms.

        tokens, truncated: one entry a reply; completion tokens, and whether the token limit cut it off.
        Raises JudgeError once a judge failed for more than `max_judge_failures` of its last 200 calls.
        """
        opinions = [self._ask(name, judge, weight, replies, scenario) for name, (judge, weight) in self._judges.items()]
        contents = content(replies, opinions, scenario, min_words=self._rewards.structure.min_words)
        cut = [False] * len(replies) if truncated is None else truncated
        return [
            self._score(reply, scenario, judged, count, tau, was_cut)
            for reply, judged, count, was_cut in zip(replies, contents, tokens, cut, strict=True)
        ]

    def _score(
        self, reply: Reply, scenario: Scenario, judged: Component, tokens: int, tau: float, truncated: bool
    ) -> Score:
        """Weigh one reply, its content already judged."""
        found = {
            name: reward(reply, scenario, tokens=tokens) if name in self._by_tokens else reward(reply, scenario)
            for name, reward in self._rules.items()
        } | {CONTENT: judged}
        cut = (f"truncated: cut off at the token limit after {tokens} tokens",) if truncated else ()
        return Score(
            components={name: found[name].value for name in COMPONENTS},
            parts={part: value for name in COMPONENTS for part, value in found[name].parts.items()},
            weights=self._weights,
            mode=self._rewards.mode,
            tau=tau,
            notes=(*cut, *(note for name in COMPONENTS for note in found[name].notes)),
            outcome=reply.outcome(scenario),
            versions=self._versions,
        )

    def _ask(self, name: str, judge: Judge, weight: float, replies: Sequence[Reply], scenario: Scenario) -> Opinion:
        """The judge's verdicts on a group; a break-down is counted, and ends the run when there are too many."""
        started, read = time.perf_counter(), getattr(judge, "tokens", None)
        try:
            verdicts: Sequence[Verdict] = judge.judge(replies, scenario)
        except SocialR1Error as broken:  # whatever breaks a monitor, nothing that is paid depends on it
            if weight and not isinstance(broken, JudgeError):
                raise
            verdicts = [Verdict.failure(str(broken))] * len(replies)
        self.spent[f"judge/{name}_s"] += time.perf_counter() - started
        if read is not None:
            self.spent[f"judge/{name}_tokens"] += getattr(judge, "tokens", read) - read
        if len(verdicts) != len(replies):
            raise ValueError(f"judge {name}: {len(verdicts)} verdicts for {len(replies)} replies")
        verdicts = [Verdict.failure(problem) if (problem := _problem(one)) else one for one in verdicts]
        self._watch(name, verdicts)
        return Opinion(name, weight, verdicts)

    def _watch(self, name: str, verdicts: Sequence[Verdict]) -> None:
        """Count failures; raise once too many of the last calls are. A monitor's first one is told, and none raises."""
        failed = sum(verdict.failed for verdict in verdicts)
        if name in self.monitors:
            if failed and not self.monitors[name]:
                why = first_reason(verdicts) or "no reason given"
                self._say(f"warning: the monitor {name} failed ({why}); nothing that is paid depends on it")
            self.monitors[name] += failed
            return
        recent = self._failures[name]
        recent.extend(verdict.failed for verdict in verdicts)
        allowed = self._rewards.content.max_judge_failures * WATCHED_CALLS
        if sum(recent) > allowed:
            why = first_reason(verdicts) or "no reason given"
            raise JudgeError(
                f"judge {name} failed for {sum(recent)} of its last {len(recent)} calls; at most {allowed:g} of "
                f"{WATCHED_CALLS} are allowed (rewards.content.max_judge_failures). Last reason: {why}. "
                "Repair the judge, then start the same command again: the run goes on from its last checkpoint."
            )


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number where two judges are of one kind."""
    return [f"{name}_{names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]


def _problem(verdict: Verdict) -> str:
    """Return why a verdict cannot be one, in words; "" when each score is None or in [0, 1]."""
    for stage, score in verdict.scores.items():
        number = isinstance(score, (int, float)) and not isinstance(score, bool)
        if score is not None and not (number and 0.0 <= score <= 1.0):
            return f"{stage} was scored {score!r}; a score is a number from 0 to 1, or None"
    return ""
