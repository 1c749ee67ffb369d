"""SOTOPIA for real: many episodes side by side, so that each turn of the model under test is one batch.

The model plays its seat, a partner the other; a judge reads each finished episode. A judge's reply that cannot be
read is asked for again, a few times and warmer; if it stays broken the episode has no scores and the report says so.

A judge too small to write fourteen scores as one JSON object can be asked for one dimension at a time. The rubric is
the same, the form is not its authors', and the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from socialr1_lite.benchmarks.base import Answer, Ask, Reading
from socialr1_lite.benchmarks.sotopia import stage
from socialr1_lite.benchmarks.sotopia_episode import MAX_TURNS, RANGES, Episode, Turn, read_score, read_verdict
from socialr1_lite.evaluation.answering import ReplySampler, ReplyStore, Sampling, ask_all
from socialr1_lite.evaluation.asking import Exchange
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.prompting import Messages

JUDGE_TRIES = 3
RETRY_TEMPERATURE = 0.3  # a greedy judge would only repeat its broken reply
JUDGE_TOKENS = 2048  # both agents, seven dimensions, a few sentences each
SCORE_TOKENS = 16  # one number, and what little stands around it


@dataclass(slots=True)
class Played:
    """One episode and what was said of it. turns: (prompt, completion) of the model under test, in order."""

    ask: Ask
    episode: Episode
    seat: int
    turns: list[tuple[Messages, Completion]] = field(default_factory=list)
    scores: dict[str, int] | None = None
    broken: list[str] = field(default_factory=list)  # why each unusable judge reply was unusable
    run: Generator[Turn, str, None] | None = None
    turn: Turn | None = None

    @property
    def answer(self) -> Answer:
        """What the benchmark's score reads: the seven scores, or why there are none."""
        text = json.dumps(self.scores) if self.scores else "; ".join(self.broken)
        return Answer(self.ask.item, "", 0, Reading(None, text, self.scores is not None))

    @property
    def exchanges(self) -> list[Exchange]:
        """The model's turns, each numbered by its place among them."""
        return [
            Exchange(replace(self.ask, view=f"turn {number}"), number, prompt, completion, (self.answer,))
            for number, (prompt, completion) in enumerate(self.turns)
        ]


def play(
    asks: Sequence[Ask],
    players: tuple[ReplySampler, ReplySampler, ReplySampler],
    sampling: Sampling,
    store: ReplyStore,
    *,
    max_turns: int = MAX_TURNS,
    judge_tokens: int = JUDGE_TOKENS,
    by_dimension: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Played]:
    """Play and judge every episode. players: the model under test, its partner, the judge.

    by_dimension: ask the judge for one score at a time (`judge_tokens` is then not used).
    """
    model, partner, judge = players
    games = [Played(ask, Episode(stage(ask.item)), int(ask.item.label("seat"))) for ask in asks]
    for game in games:
        game.run = game.episode.run(max_turns)
        game.turn = next(game.run)
    while waiting := [game for game in games if game.turn is not None]:
        mine, theirs = ([game for game in waiting if _our_turn(game) is ours] for ours in (True, False))
        _move(mine, model, sampling, store, ours=True)
        _move(theirs, partner, sampling, store, ours=False)
        say(f"{sum(game.turn is None for game in games)} of {len(games)} episodes over")
    if by_dimension:
        _judge_by_dimension(games, judge, replace(sampling, max_new_tokens=SCORE_TOKENS), store)
    else:
        _judge(games, judge, replace(sampling, max_new_tokens=judge_tokens), store)
    say(f"{sum(game.scores is not None for game in games)} of {len(games)} episodes judged")
    return games


def _our_turn(game: Played) -> bool:
    return game.turn is not None and game.turn.speaker == game.seat


def _move(games: Sequence[Played], player: ReplySampler, sampling: Sampling, store: ReplyStore, *, ours: bool) -> None:
    """Make one move in each of the games, as one batch. A reply that failed for good counts as doing nothing."""
    prompts = [game.turn.messages for game in games if game.turn is not None]
    for game, prompt, completion in zip(games, prompts, ask_all(player, prompts, sampling, store), strict=True):
        if ours:
            game.turns.append((prompt, completion))
        assert game.run is not None
        try:
            game.turn = game.run.send(completion.text)
        except StopIteration:
            game.turn = None


def _tries(sampling: Sampling) -> Iterator[Sampling]:
    """Yield how each try is drawn: greedily, then a little warmer with another seed each time."""
    for attempt in range(JUDGE_TRIES):
        yield replace(sampling, temperature=RETRY_TEMPERATURE if attempt else 0.0, seed=sampling.seed + attempt)


def _judge(games: Sequence[Played], judge: ReplySampler, sampling: Sampling, store: ReplyStore) -> None:
    waiting = list(games)
    for how in _tries(sampling):
        replies = ask_all(judge, [game.episode.judge_prompt() for game in waiting], how, store)
        for game, reply in zip(waiting, replies, strict=True):
            verdict = reply.error if reply.failed else read_verdict(reply.text)
            if isinstance(verdict, str):
                game.broken.append(verdict)
            else:
                game.scores = verdict[game.seat]
        waiting = [game for game in waiting if game.scores is None]


def _judge_by_dimension(games: Sequence[Played], judge: ReplySampler, sampling: Sampling, store: ReplyStore) -> None:
    """Ask seven questions a game. Scores count only when all seven are there: a mean of six is another figure."""
    found: list[dict[str, int]] = [{} for _ in games]
    for how in _tries(sampling):
        waiting = [(at, name) for at in range(len(games)) for name in RANGES if name not in found[at]]
        prompts = [games[at].episode.dimension_prompt(games[at].seat, name) for at, name in waiting]
        for (at, name), reply in zip(waiting, ask_all(judge, prompts, how, store), strict=True):
            score = reply.error if reply.failed else read_score(reply.text, name)
            if isinstance(score, str):
                games[at].broken.append(score)
            else:
                found[at][name] = score
    for game, scores in zip(games, found, strict=True):
        if len(scores) == len(RANGES):
            game.scores = {name: scores[name] for name in RANGES}
