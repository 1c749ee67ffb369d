"""SOTOPIA for real: many episodes side by side, so that each turn of the model under test is one batch.

The model plays its seat, a partner the other; a judge reads each finished episode. As in the authors' benchmark, a
reply that cannot be read is put into form by whoever wrote it, once; an episode whose judge stayed unreadable is played
anew, five times in all; if it stays so, it has no scores and the report says so. `differences` names what of an
evaluation is not as its authors have it.

A judge too small to write fourteen scores as one JSON object can be asked for one dimension at a time. The rubric is
the same, the form is not its authors', and the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from socialr1_lite import sip
from socialr1_lite.benchmarks.base import Answer, Ask, Reading
from socialr1_lite.benchmarks.sotopia import stage
from socialr1_lite.benchmarks.sotopia_episode import (
    MAX_TURNS,
    RANGES,
    Episode,
    Turn,
    read_score,
    read_verdict,
    reformat_prompt,
)
from socialr1_lite.benchmarks.sotopia_rubric import VERDICT_SCHEMA
from socialr1_lite.evaluation.answering import ReplySampler, ReplyStore, Sampling, ask_all, further, not_sent
from socialr1_lite.evaluation.asking import Exchange, mark_opened, said
from socialr1_lite.rollouts.completion import Completion
from socialr1_lite.rollouts.prompting import Messages

TEMPERATURE = 0.7  # of the agents, as in the authors' library; their judge is greedy
ROUNDS = 5  # how often an episode is played at most, until its judge can be read
REFORMAT_TEMPERATURE = 1.0  # the authors give none there, and a server's default is 1
DIMENSION_TRIES = 3
RETRY_TEMPERATURE = 0.3  # a greedy judge would only repeat its broken reply
JUDGE_TOKENS = 2048  # both agents, seven dimensions, a few sentences each
SCORE_TOKENS = 16  # one number, and what little stands around it
ROUND_SEED, PARTNER_SEED = 10_007, 500_009  # apart, so that who plays both seats does not say the same in both games


@dataclass(slots=True)
class Played:
    """One episode and what was said of it. turns: (prompt, completion) of the model under test, in order.

    cut: how many of all replies the token limit cut off. lost: how many moves got no reply. reformatted: how many
    judgements had to be put into form.
    """

    ask: Ask
    episode: Episode
    seat: int
    sample: int = 0
    turns: list[tuple[Messages, Completion]] = field(default_factory=list)
    scores: dict[str, int] | None = None
    broken: list[str] = field(default_factory=list)  # why each unusable judge reply was unusable
    run: Generator[Turn, str | None, None] | None = None
    turn: Turn | None = None
    cut: int = 0
    lost: int = 0
    reformatted: int = 0

    @classmethod
    def of(cls, ask: Ask, sample: int) -> Played:
        """Set the scene."""
        return cls(ask, Episode(stage(ask.item)), int(ask.item.label("seat")), sample)

    @property
    def answer(self) -> Answer:
        """What the benchmark's score reads: the seven scores, or why there are none."""
        text = json.dumps(self.scores) if self.scores else "; ".join(self.broken)
        return Answer(self.ask.item, "", self.sample, Reading(None, text, self.scores is not None))

    @property
    def exchanges(self) -> list[Exchange]:
        """The model's turns, each numbered by its place among them."""
        return [
            Exchange(replace(self.ask, view=f"turn {number}"), number, prompt, completion, (self.answer,))
            for number, (prompt, completion) in enumerate(self.turns)
        ]

    def hear(self, completion: Completion) -> str | None:
        """Return what a reply says, its thinking left out; None where it says nothing."""
        self.cut += completion.truncated
        told = said(completion)
        return None if completion.failed or told.unfinished else told.text


def play(
    asks: Sequence[Ask],
    players: tuple[ReplySampler, ReplySampler, ReplySampler],
    sampling: Sampling,
    store: ReplyStore,
    *,
    samples: int = 1,
    max_turns: int = MAX_TURNS,
    judge_tokens: int = JUDGE_TOKENS,
    by_dimension: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Played]:
    """Play and judge every episode `samples` times. players: the model under test, its partner, the judge.

    by_dimension: ask the judge for one score at a time (`judge_tokens` is then not used), and play no episode anew.
    """
    *_, judge = players
    games = [Played.of(ask, sample) for sample in range(samples) for ask in asks]
    again = sampling.temperature > 0 and not by_dimension  # a greedy game would only go as it went
    for number in range(ROUNDS if again else 1):
        places = [place for place, game in enumerate(games) if game.scores is None]
        if number:
            say(f"{len(places)} episodes are played anew: their judge could not be read")
            for place in places:
                games[place] = replace(Played.of(games[place].ask, games[place].sample), broken=games[place].broken)
        waiting = [games[place] for place in places]
        drawn = replace(sampling, seed=sampling.seed + number * ROUND_SEED)
        _play_out(waiting, players, drawn, store, max_turns, say)
        if by_dimension:
            _judge_by_dimension(waiting, judge, replace(drawn, max_new_tokens=SCORE_TOKENS), store)
        else:
            _judge(waiting, judge, replace(drawn, max_new_tokens=judge_tokens), store)
        say(f"{sum(game.scores is not None for game in games)} of {len(games)} episodes judged")
        settled = sum(game.scores is not None for game in waiting)
        if settled in (0, len(waiting)):  # all done; or a judge that nobody can read, for which more would be paid
            break
    return games


def differences(
    games: Sequence[Played],
    players: tuple[ReplySampler, ReplySampler, ReplySampler],
    sampling: Sampling,
    *,
    max_turns: int = MAX_TURNS,
    by_dimension: bool = False,
) -> list[str]:
    """Name what of an evaluation is not as its authors have it; where nothing is, the figures are official."""
    model, partner, judge = players
    drawn = (sampling.temperature, sampling.top_p, sampling.top_k)
    cut, malformed = sum(game.cut for game in games), sum(game.episode.malformed for game in games)
    reformatted = sum(game.reformatted + game.episode.reformatted for game in games)
    lost = sum(game.lost for game in games)
    found = {
        f"temperature {drawn[0]:g}, top-p {drawn[1]:g}, top-k {drawn[2]} (theirs: {TEMPERATURE}, 1, 0)": (
            drawn != (TEMPERATURE, 1.0, 0)
        ),
        f"repetition penalty {sampling.repetition_penalty:g} (theirs: none)": sampling.repetition_penalty != 1,
        f"at most {max_turns} turns (theirs: {MAX_TURNS})": max_turns != MAX_TURNS,
        "the judge is asked for one dimension at a time": by_dimension,
        "the model plays its own partner": partner.identity == model.identity,
        "the model judges itself": judge.identity == model.identity,
        f"{lost} moves got no reply and count as doing nothing (theirs are asked for again)": lost > 0,
        f"{cut} replies were cut off at the token limit (theirs has none)": cut > 0,
        f"{reformatted} unreadable replies were put into form without a server's JSON mode": reformatted > 0,
        f"{malformed} turns hold broken markup, which is shown as it is (theirs is repaired)": malformed > 0,
    }
    told = [words for words, holds in found.items() if holds]
    told += sorted({f"the request has {name} (theirs has not)" for player in players for name in further(player)})
    return told + [f"the server does not take {name}" for name in refused(players) if not name.endswith("seed")]


def refused(players: tuple[ReplySampler, ReplySampler, ReplySampler]) -> list[str]:
    """Return the settings that any server refused, with who plays behind it where that is not the model."""
    model, partner, judge = players
    others = {"partner": partner, "judge": judge}
    seats = {f"{role}: ": player for role, player in others.items() if player is not model}
    return [f"{role}{name}" for role, player in {"": model, **seats}.items() for name in not_sent(player)]


def _play_out(
    games: Sequence[Played],
    players: tuple[ReplySampler, ReplySampler, ReplySampler],
    sampling: Sampling,
    store: ReplyStore,
    max_turns: int,
    say: Callable[[str], None],
) -> None:
    model, partner, _ = players
    for game in games:
        game.run = game.episode.run(max_turns)
        game.turn = next(game.run)
    while waiting := [game for game in games if game.turn is not None]:
        for reformat in (False, True):
            some = [game for game in waiting if game.turn is not None and game.turn.reformat is reformat]
            how = replace(sampling, temperature=REFORMAT_TEMPERATURE) if reformat else sampling
            mine, theirs = ([game for game in some if _our_turn(game) is ours] for ours in (True, False))
            _move(mine, model, how, store, ours=True)
            _move(theirs, partner, replace(how, seed=how.seed + PARTNER_SEED), store, ours=False)
        say(f"{sum(game.turn is None for game in games)} of {len(games)} episodes over")


def _our_turn(game: Played) -> bool:
    return game.turn is not None and game.turn.speaker == game.seat


def _put(player: ReplySampler, prompts: Sequence[Messages], sampling: Sampling, store: ReplyStore) -> list[Completion]:
    """Ask, with no word of a character taken for a control token of a chat."""
    safe = [[one | {"content": sip.without_control_tokens(one["content"])} for one in prompt] for prompt in prompts]
    return mark_opened(ask_all(player, safe, sampling, store), player)


def _move(games: Sequence[Played], player: ReplySampler, sampling: Sampling, store: ReplyStore, *, ours: bool) -> None:
    """Make one move in each of the games, as one batch. A request that failed for good counts as doing nothing."""
    prompts = [game.turn.messages for game in games if game.turn is not None]
    for game, prompt, completion in zip(games, prompts, _put(player, prompts, sampling, store), strict=True):
        if ours:
            game.turns.append((prompt, completion))
        game.lost += completion.failed
        assert game.run is not None
        try:
            game.turn = game.run.send(game.hear(completion))
        except StopIteration:
            game.turn = None


def _judge(games: Sequence[Played], judge: ReplySampler, sampling: Sampling, store: ReplyStore) -> None:
    """Ask for all scores of an episode at once, greedily; what cannot be read is put into form by the judge, once."""
    greedy = replace(sampling, temperature=0.0, top_p=1.0, top_k=0, repetition_penalty=1.0)
    replies = _put(judge, [game.episode.judge_prompt() for game in games], greedy, store)
    unread = [(game, text) for game, reply in zip(games, replies, strict=True) if (text := _settled(game, reply))]
    prompts = [reformat_prompt(text, VERDICT_SCHEMA) for _, text in unread]
    how = replace(greedy, temperature=REFORMAT_TEMPERATURE)
    for (game, _), reply in zip(unread, _put(judge, prompts, how, store), strict=True):
        game.reformatted += 1
        _settled(game, reply)


def _settled(game: Played, reply: Completion) -> str:
    """Keep the scores that the reply gives, else why it gives none; then return its words, if there are any."""
    text = game.hear(reply)
    verdict = read_verdict(text) if text is not None else reply.error or "the judge was cut off in its thinking"
    if isinstance(verdict, str):
        game.broken.append(verdict)
        return text or ""
    game.scores = verdict[game.seat]
    return ""


def _tries(sampling: Sampling) -> Iterator[Sampling]:
    """Yield how each try is drawn: greedily, then a little warmer with another seed each time."""
    for attempt in range(DIMENSION_TRIES):
        yield replace(sampling, temperature=RETRY_TEMPERATURE if attempt else 0.0, seed=sampling.seed + attempt)


def _judge_by_dimension(games: Sequence[Played], judge: ReplySampler, sampling: Sampling, store: ReplyStore) -> None:
    """Ask seven questions a game. Scores count only when all seven are there: a mean of six is another figure."""
    found: list[dict[str, int]] = [{} for _ in games]
    for how in _tries(sampling):
        waiting = [(at, name) for at in range(len(games)) for name in RANGES if name not in found[at]]
        prompts = [games[at].episode.dimension_prompt(games[at].seat, name) for at, name in waiting]
        for (at, name), reply in zip(waiting, _put(judge, prompts, how, store), strict=True):
            text = games[at].hear(reply)
            score = reply.error if reply.failed else read_score(text or "", name)
            if isinstance(score, str):
                games[at].broken.append(score)
            else:
                found[at][name] = score
    for game, scores in zip(games, found, strict=True):
        if len(scores) == len(RANGES):
            game.scores = {name: scores[name] for name in RANGES}
