"""Content: what the judges say of each stage, brought to one number a reply on the same terms for a whole group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from socialr1_lite.judges import Verdict
from socialr1_lite.judges.addressed import about_story
from socialr1_lite.rewards.component import Component
from socialr1_lite.rewards.structure import present_stages
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, TITLES, Reply
from socialr1_lite.sip.words import words

VERSION = 3  # 2: thinking aloud that belongs to no stage is free up to a share; 3: by other signs of what is not
FREE_TALK = 0.4  # [ours] share of the words; the corpus' good thinking has up to a third
DISAGREEMENT = 0.5  # a stage that judges score further apart than this is named in a note [ours]


@dataclass(frozen=True, slots=True)
class Opinion:
    """One judge's verdicts on a group: verdicts[i] is on reply i. weight: its share in a mix; 0: a monitor."""

    judge: str
    weight: float
    verdicts: Sequence[Verdict]

    @property
    def failed(self) -> int:
        """How many of the verdicts are break-downs."""
        return sum(verdict.failed for verdict in self.verdicts)


Able = Mapping[str, Sequence[Opinion]]  # stage -> who can judge it for the whole group


def content(
    replies: Sequence[Reply], opinions: Sequence[Opinion], scenario: Scenario, *, min_words: int = 4
) -> list[Component]:
    """R_cont of each reply of a group, in [0, 1], or None for all of them.

    A judge scores each present stage, an absent stage scores 0, the mean goes over the four stages; that process
    is rewarded by a segment-level judge is the paper's [paper], the judges and the mixing rules are [ours]:

    * A judge that failed for one reply of the group is left out for all, so that siblings are compared on the same
      terms; likewise a judge that has no score for a stage which one of the replies has. A stage that nobody could
      judge is left out of the mean; with no stage left the content is None for the whole group.
    * Several judges: their scores are averaged per stage by weight, and each judge's own mean is among the parts.
      So is `content.disagreement`: how far apart the highest and the lowest score of a stage are, the mean over the
      stages that the reply has and two judges could score.
    * Words that belong to no stage were seen by no judge, so the mean is scaled by the share of words within stages;
      `FREE_TALK` of the words costs nothing, because that is how people and models think aloud.
    * A monitor (weight 0) has its mean and its stages' scores among the parts, and a part in nothing else.
    """
    absences = [present_stages(reply, min_words=min_words) for reply in replies]
    present = [{stage for stage, why in reasons.items() if not why} for reasons in absences]
    paid = [opinion for opinion in opinions if opinion.weight]
    heard = [opinion for opinion in paid if not opinion.failed]
    lost = tuple(
        f"content: judge {one.judge} failed for {one.failed} of {len(replies)} replies of this group; "
        "left out for all of them" + (f" ({why})" if (why := first_reason(one.verdicts)) else "")
        for one in paid
        if one.failed
    )
    able = {stage: [o for o in heard if _can_judge(o, stage, present)] for stage in STAGES}
    watching = [
        (one, [stage for stage in STAGES if _can_judge(one, stage, present)]) for one in opinions if not one.weight
    ]
    staged = [staged_share(reply, scenario) for reply in replies]
    judged = [_of_one(i, present[i], able, paid, lost, staged[i]) for i in range(len(replies))]
    return [_monitored(i, one, present[i], watching, staged[i]) for i, one in enumerate(judged)]


def staged_share(reply: Reply, scenario: Scenario) -> float:
    """Share of the reasoning's words that judges read, over what has to be theirs (1 - FREE_TALK), in [0, 1].

    1 where there is no reasoning. Words to a judge, in what no judge reads, are not free.
    """
    unread = [one for one in reply.segments if one.stage is None or reply.is_preamble(one)]
    if not unread:
        return 1.0
    outside = sum(len(words(reply.body(one))) for one in unread)
    inside = sum(len(words(reply.body(one))) for one in reply.segments) - outside
    if not outside:
        return 1.0
    kept = sum(len(words(about_story(reply.body(one), scenario)[0])) for one in unread)
    return min(1.0, inside / (inside + outside) / (1.0 - FREE_TALK * kept / outside))


def _of_one(
    index: int, present: set[str], able: Able, opinions: Sequence[Opinion], lost: tuple[str, ...], staged: float
) -> Component:
    """The content of one reply by those who are paid for, given who can judge which stage for its whole group."""
    parts = {
        f"content.{stage}": _weighted(judges, index, stage) if stage in present else 0.0 if judges else None
        for stage, judges in able.items()
    }
    value = _mean(parts.values(), staged)
    if len(opinions) > 1:
        for opinion in opinions:
            scores = opinion.verdicts[index].scores
            judged = [stage for stage, judges in able.items() if opinion in judges]
            own = [(scores.get(stage) or 0.0) if stage in present else 0.0 for stage in judged]
            parts[f"content.{opinion.judge}"] = _mean(own, staged)
    apart = _apart(index, {stage: judges for stage, judges in able.items() if stage in present})
    if apart:
        parts["content.disagreement"] = sum(spread for spread, _ in apart.values()) / len(apart)
    if value is None:
        return Component(None, parts, (*lost, "content: no judge could judge this group"))
    heard = [opinion for opinion in opinions if not opinion.failed]
    notes = [f"{opinion.judge}: {note}" for opinion in heard for note in opinion.verdicts[index].notes]
    notes += [note for spread, note in apart.values() if spread > DISAGREEMENT]
    if staged < 1.0:
        notes.append(f"content: times {staged:.2f}, as too much of the reasoning stands where no judge reads")
    return Component(value, parts, (*lost, *notes))


def _monitored(
    index: int, judged: Component, present: set[str], watching: Sequence[tuple[Opinion, Sequence[str]]], staged: float
) -> Component:
    """Add what the monitors, each with the stages that it can judge, say of the reply: to parts and notes alone."""
    parts, notes = dict(judged.parts), [*judged.notes]
    for monitor, stages in watching:
        verdict, name = monitor.verdicts[index], f"content.{monitor.judge}"
        scores = {one: (verdict.scores.get(one) or 0.0) if one in present else 0.0 for one in stages}
        known = {} if verdict.failed else scores
        parts |= {name: _mean(known.values(), staged)} | {f"{name}.{stage}": score for stage, score in known.items()}
        failed = "failed: " if verdict.failed else ""
        notes += [f"content: monitor {monitor.judge}: {failed}{note}" for note in verdict.notes]
    return Component(judged.value, parts, tuple(notes))


def _can_judge(opinion: Opinion, stage: str, present: Sequence[set[str]]) -> bool:
    """Whether the judge has a score for the stage of every reply that has this stage, and of at least one reply.

    Verdicts that failed do not count: only a monitor's get here.
    """
    told = [(one, stages) for one, stages in zip(opinion.verdicts, present, strict=True) if not one.failed]
    asked = [verdict for verdict, stages in told if stage in stages] or [verdict for verdict, _ in told]
    return all(verdict.scores.get(stage) is not None for verdict in asked)


def _weighted(judges: Sequence[Opinion], index: int, stage: str) -> float | None:
    """The judges' scores of one stage of one reply, averaged by weight; None without a judge."""
    if not judges:
        return None
    weighed = sum(opinion.weight * (opinion.verdicts[index].scores[stage] or 0.0) for opinion in judges)
    return weighed / sum(opinion.weight for opinion in judges)


def _apart(index: int, able: Able) -> dict[str, tuple[float, str]]:
    """For each stage that several judges scored: how far apart they are, and who said what, in words."""
    found = {}
    for stage, judges in able.items():
        if len(judges) > 1:
            scores = {opinion.judge: opinion.verdicts[index].scores[stage] or 0.0 for opinion in judges}
            scored = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
            spread = max(scores.values()) - min(scores.values())
            found[stage] = (spread, f"content: judges disagree on {TITLES[stage]}: {scored}")
    return found


def _mean(scores: Iterable[float | None], staged: float) -> float | None:
    known = [score for score in scores if score is not None]
    return staged * sum(known) / len(known) if known else None


def first_reason(verdicts: Sequence[Verdict]) -> str:
    """The first failure's own words, "" where it gave none."""
    return next((note for verdict in verdicts if verdict.failed for note in verdict.notes), "")
