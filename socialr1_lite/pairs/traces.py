"""Pairs from a run's own traces: what siblings said of one stage, ranked by a judge.

Siblings differ in everything at once. So each sibling's text for a stage is put into the place of that stage in the
group's best reply, and judged there: both sides of a pair then have the same stages before them and the same answer,
and the judge's ranking holds for the very texts that a reward model will read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from socialr1_lite.errors import DataError
from socialr1_lite.judges import Judge
from socialr1_lite.pairs.record import Pair
from socialr1_lite.runlog import RunFolder, read_traces
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, Reply, parse, reply_text

MARGIN = 0.3  # least difference of the judge's two scores [ours]


def run_pairs(run: RunFolder, judge: Judge, *, margin: float = MARGIN, most: int | None = None) -> list[Pair]:
    """Make at most one pair for each stage of each group of the run's training, in order.

    judge: ranks the texts; `facts` needs a run on generated stories. margin: how far apart the two scores are at
    least. most: pairs wanted. Raises DataError when the run gives none.
    """
    scenarios = {scenario.id: scenario for scenario in run.read_scenarios()}
    pairs = list(itertools.islice(_pairs(run, scenarios, judge, margin), most))
    if not pairs:
        raise DataError(
            f"{run.path}: no group has two texts for a stage that {judge.name} scores {margin:g} apart; "
            "give a longer run, a smaller --margin or another --judge"
        )
    return pairs


def _pairs(run: RunFolder, scenarios: Mapping[str, Scenario], judge: Judge, margin: float) -> Iterator[Pair]:
    traces = (trace for trace in read_traces(run) if trace.phase == "train" and trace.scenario in scenarios)
    for _, group in itertools.groupby(traces, key=lambda trace: (trace.rank, trace.launch, trace.step, trace.group)):
        siblings = list(group)
        scenario = scenarios[siblings[0].scenario]
        completions = [trace.completion for trace in siblings]
        replies = [parse(one.text, scenario.options, prefilled=one.prefilled) for one in completions]
        yield from group_pairs(replies, scenario, judge, margin=margin, source=f"{run.name}, ranked by {judge.name}")


def group_pairs(
    replies: Sequence[Reply], scenario: Scenario, judge: Judge, *, margin: float = MARGIN, source: str = ""
) -> Iterator[Pair]:
    """Yield at most one pair a stage: the best text, and of the clearly worse ones the nearest to it in length."""
    best = _best(replies, scenario, judge)
    if best is None:
        return
    stages = {stage: text for stage in STAGES if (text := best.stage_text(stage).strip())}
    answer = scenario.options[best.answer] if best.answer is not None else best.answer_text
    for stage in STAGES:
        texts = list(dict.fromkeys(text for reply in replies if (text := reply.stage_text(stage).strip())))
        scores = _in_place(texts, stage, stages, best, scenario, judge)
        ranked = sorted(scores, key=lambda text: -scores[text])
        if worse := [text for text in ranked if scores[text] <= scores[ranked[0]] - margin]:
            chosen = ranked[0]
            rejected = min(worse, key=lambda text: abs(len(text.split()) - len(chosen.split())))
            context = {name: text for name, text in stages.items() if name != stage}
            yield Pair(scenario, stage, chosen, rejected, kind="trace", source=source, context=context, answer=answer)


def _best(replies: Sequence[Reply], scenario: Scenario, judge: Judge) -> Reply | None:
    """Find the reply with the highest sum of scores; None if the judge has none, or fewer than two have stages."""
    marked = [reply for reply in replies if reply.marked and reply.answer_text]
    if len(marked) < 2:
        return None
    verdicts = judge.judge(marked, scenario)
    known = [[score for score in verdict.scores.values() if score is not None] for verdict in verdicts]
    judged = [(sum(scores), reply) for scores, reply in zip(known, marked, strict=True) if scores]
    return max(judged, key=lambda one: one[0])[1] if judged else None


def _in_place(
    texts: Sequence[str], stage: str, stages: Mapping[str, str], best: Reply, scenario: Scenario, judge: Judge
) -> dict[str, float]:
    """Score each text in the best reply's place of that stage; a text that the judge cannot score is left out."""
    if len(texts) < 2:
        return {}
    order = [one for one in STAGES if one in (*stages, stage)]
    shown = [{one: text if one == stage else stages[one] for one in order} for text in texts]
    tried = [parse(reply_text(one, best.answer_text), scenario.options) for one in shown]
    verdicts = judge.judge(tried, scenario)
    scores = {text: verdict.scores.get(stage) for text, verdict in zip(texts, verdicts, strict=True)}
    return {text: score for text, score in scores.items() if score is not None}
