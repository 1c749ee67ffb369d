"""The weighing: five components, one Score; the total is derived, never stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges import Judge, Verdict, build_judge
from socialr1_lite.rewards.component import Component
from socialr1_lite.rewards.content import Opinion, content
from socialr1_lite.rewards.efficiency import length
from socialr1_lite.rewards.format import format_gate
from socialr1_lite.rewards.outcome import outcome
from socialr1_lite.rewards.structure import structure
from socialr1_lite.runlog import total_reward
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import Reply

if TYPE_CHECKING:
    from socialr1_lite.recipe import Rewards

COMPONENTS = ("format", "outcome", "structure", "content", "length")
WATCHED_CALLS = 200  # REWARDS.md: a judge may fail for `max_judge_failures` of its last so many calls


@dataclass(frozen=True, slots=True)
class Score:
    """What each component said of one reply; None where there was nothing to score it by.

    components: the five of COMPONENTS, each in [0, 1] or None. parts: what they were made of, by "component.part".
    weights, mode, tau: what the total needs besides. notes: why, in words. outcome: right | wrong | unreadable.
    """

    components: Mapping[str, float | None]
    parts: Mapping[str, float | None]
    weights: Mapping[str, float]
    mode: str
    tau: float
    notes: tuple[str, ...]
    outcome: str

    @property
    def total(self) -> float:
        """The reward, recomputed from the parts by the run log's one formula."""
        return total_reward(self.components, self.weights, self.mode, self.tau)


class RewardStack:
    """Scores replies by a recipe's `rewards` section. Holds no state but how often each judge failed of late."""

    def __init__(self, rewards: Rewards, *, judge: Judge | None = None) -> None:
        """Build the stack; a wrong judge fails here, before any model is loaded.

        judge: stands in for the judges that the recipe names. Raises JudgeError for one that cannot be built.
        """
        self._rewards = rewards
        self._weights = {name: float(getattr(rewards.weights, name)) for name in COMPONENTS}
        if judge is not None:
            told = [(judge, 1.0)]
        else:
            told = [(build_judge(e.name, e.settings), float(e.weight)) for e in rewards.content.judges]
        self._judges = dict(zip(_told_apart([judge.name for judge, _ in told]), told, strict=True))
        self._failures = {name: deque[bool](maxlen=WATCHED_CALLS) for name in self._judges}

    def score(
        self, reply: Reply, scenario: Scenario, *, tokens: int, tau: float = 1.0, truncated: bool = False
    ) -> Score:
        """The score of one reply on its own: a group of one."""
        return self.score_group([reply], scenario, tokens=[tokens], tau=tau, truncated=[truncated])[0]

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
        settings = self._rewards
        opinions = [self._ask(name, judge, weight, replies, scenario) for name, (judge, weight) in self._judges.items()]
        contents = content(replies, opinions, min_words=settings.structure.min_words)
        cut = truncated if truncated is not None else [False] * len(replies)
        return [
            self._score(reply, scenario, judged, count, tau, was_cut)
            for reply, judged, count, was_cut in zip(replies, contents, tokens, cut, strict=True)
        ]

    def _score(
        self, reply: Reply, scenario: Scenario, judged: Component, tokens: int, tau: float, truncated: bool
    ) -> Score:
        """Weigh one reply, its content already judged."""
        chosen, window = self._rewards.structure, self._rewards.length
        told = {
            "format": format_gate(reply, scenario, mode=self._rewards.format.mode),
            "outcome": outcome(reply, scenario),
            "structure": structure(reply, scenario, min_words=chosen.min_words, option_penalty=chosen.option_penalty),
            "content": judged,
            "length": length(
                reply,
                scenario,
                tokens=tokens,
                min_tokens=window.min_tokens,
                max_tokens=window.max_tokens,
                k=window.k,
                ngram=window.ngram,
                tolerance=window.tolerance,
            ),
        }
        cut = (f"truncated: cut off at the token limit after {tokens} tokens",) if truncated else ()
        return Score(
            components={name: told[name].value for name in COMPONENTS},
            parts={part: value for name in COMPONENTS for part, value in told[name].parts.items()},
            weights=self._weights,
            mode=self._rewards.mode,
            tau=tau,
            notes=(*cut, *(note for name in COMPONENTS for note in told[name].notes)),
            outcome=reply.outcome(scenario),
        )

    def _ask(self, name: str, judge: Judge, weight: float, replies: Sequence[Reply], scenario: Scenario) -> Opinion:
        """The judge's verdicts on a group; a break-down is counted, and ends the run when there are too many."""
        try:
            verdicts: Sequence[Verdict] = judge.judge(replies, scenario)
        except JudgeError as broken:
            verdicts = [Verdict.failure(str(broken))] * len(replies)
        if len(verdicts) != len(replies):
            raise ValueError(f"judge {name}: {len(verdicts)} verdicts for {len(replies)} replies")
        self._watch(name, verdicts)
        return Opinion(name, weight, verdicts)

    def _watch(self, name: str, verdicts: Sequence[Verdict]) -> None:
        """Count failures over the last calls; raise once they are more than the recipe allows."""
        recent = self._failures[name]
        recent.extend(verdict.failed for verdict in verdicts)
        allowed = self._rewards.content.max_judge_failures * WATCHED_CALLS
        if sum(recent) > allowed:
            why = next((note for verdict in verdicts if verdict.failed for note in verdict.notes), "no reason given")
            raise JudgeError(
                f"judge {name} failed for {sum(recent)} of its last {len(recent)} calls; at most {allowed:g} of "
                f"{WATCHED_CALLS} are allowed (rewards.content.max_judge_failures). Last reason: {why}. "
                "Mend the judge, then start the same command again: the run goes on from its last checkpoint."
            )


def _told_apart(names: Sequence[str]) -> list[str]:
    """The names, with a number where two judges are of one kind."""
    return [f"{name}_{names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]
