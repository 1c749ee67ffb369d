"""Measure what words to the judge earn, and what honest sentences that look like them cost.

    python benchmarks/injections.py [--judge rules] [--half "held out"] [--show]
    python benchmarks/injections.py --corpus

`benchmarks/injections.jsonl` holds sentences that were written by hand for this project: `development`, which judges
may be mended on; `first held out`, which they were mended on after it had measured once; and `held out`, which only
measures. {A} and {B} stand for people of the story, {he} and {his} for A, {him2} and {his2} for B. Replies are those of
the corpus' train part, three stories for each sentence.

An honest sentence is told in the story as well, then on a line behind each stage. It is charged where a stage scores
less than without it. An injection stands alone as a stage, and before, within and behind each stage that is labelled
right or wrong. It gains where a stage scores more than without it; standing alone, where it scores more than a sentence
on the weather that names the same people: 0, mostly. --corpus counts the stages of the corpus' train part, none of
which speaks to a judge, that something is taken out of.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import orjson

from socialr1_lite.judges import Judge, build_judge
from socialr1_lite.judges.addressed import stages_about
from socialr1_lite.judges.audit.references import gold_reference
from socialr1_lite.judges.corpus import HONEST, NAMES, LabelledReply, read_corpus
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, parse, reply_text, sentences
from socialr1_lite.statistics import wilson

HALVES = ("development", "first held out", "held out")
STORIES = 3  # for each sentence
ROUNDING = 1e-9
PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him")}


class Line(NamedTuple):
    """One sentence. manner: how it speaks."""

    id: str
    honest: bool
    manner: str
    half: str
    text: str


class Base(NamedTuple):
    """A reply that sentences are put into. judged: the stages of it that are tried, by number."""

    scenario: Scenario
    stages: tuple[str, ...]
    answer: str
    people: tuple[str, str]
    genders: tuple[str, str]
    judged: tuple[int, ...]


class Case(NamedTuple):
    """A sentence that was charged, or that gained: where, and the scores without it and with it."""

    line: Line
    where: str
    without: float
    with_it: float


def read_lines(half: str) -> list[Line]:
    """Read the sentences of one half."""
    rows = Path(__file__).with_suffix(".jsonl").read_bytes().splitlines()
    return [line for row in rows if (line := Line(**orjson.loads(row))).half == half]


def bases(judge: str) -> tuple[list[Base], list[Base]]:
    """Return honest replies of the corpus' train part, all of each labelled right, and the wrong stages of others."""
    found: tuple[list[Base], list[Base]] = ([], [])
    for name in ("generated", "everyday") if judge != "facts" else ("generated",):
        for one in read_corpus(name, "train"):
            if one.kind == HONEST and set(one.labels.values()) == {1.0}:
                found[0].append(_base(one, range(4)))
            elif wrong := [i for i, stage in enumerate(STAGES) if one.labels[stage] == 0.0]:
                found[1].append(_base(one, wrong))
    return found


def _base(one: LabelledReply, judged: range | list[int]) -> Base:
    facts, taken = one.scenario.facts, gold_reference(one.scenario, one.completion)
    people = (taken.person, next((name for name in taken.others if name not in taken.person), taken.person))
    genders = dict(zip(facts.people, facts.genders, strict=False)) if facts else {}
    first, second = (genders.get(name) or "she" for name in people)
    return Base(one.scenario, taken.stages, taken.answer, people, (first, second), tuple(judged))


def filled(text: str, base: Base) -> str:
    """Put the story's people into a sentence."""
    for mark, name in zip(("{A}", "{B}"), base.people, strict=True):
        text = text.replace(mark, name)
    for number, gender in zip(("", "2"), base.genders, strict=True):
        for form, word in zip(("he", "his", "him"), PRONOUNS[gender], strict=True):
            text = text.replace(f"{{{form}{number}}}", word)
    return text


def told(base: Base, sentence: str) -> Base:
    """Tell a sentence second in the story, in its facts as well."""
    scenario, facts = base.scenario, base.scenario.facts
    if facts:
        first, *rest = facts.sentences
        facts = replace(facts, sentences=(first, sentence, *rest), cues=tuple(i + (i > 0) for i in facts.cues))
    end = sentences(scenario.story)[0].end
    story = f"{scenario.story[:end]} {sentence}{scenario.story[end:]}"
    return base._replace(scenario=replace(scenario, story=story, facts=facts))


def scores(judge: Judge, base: Base, changed: list[tuple[int, str]]) -> list[float]:
    """Return what a stage scores where the reply has another text for it, for each such text."""
    texts = [
        reply_text(tuple(text if i == at else old for i, old in enumerate(base.stages)), base.answer)
        for at, text in changed
    ]
    verdicts = judge.judge([parse(text, base.scenario.options) for text in texts], base.scenario)
    return [verdict.scores[STAGES[at]] or 0.0 for verdict, (at, _) in zip(verdicts, changed, strict=True)]


def compare(judge: Judge, base: Base, line: Line, ways: tuple[str, ...]) -> Iterator[Case]:
    """Set each tried stage with the sentence against the same stage without it."""
    sentence = filled(line.text, base)
    base = told(base, sentence) if line.honest else base
    for at in base.judged:
        plain = base.stages[at]
        middle = min(re.finditer(r"(?<=\w) (?=\w)|$", plain), key=lambda one: abs(2 * one.start() - len(plain))).start()
        made = {
            "before": f"{sentence} {plain}",
            "within": f"{plain[:middle]} ({sentence}){plain[middle:]}",
            "behind": f"{plain} {sentence}",
            "told": f"{plain}\n{sentence}",
            "alone": sentence,
        }
        people = " and ".join(name for mark, name in zip(("{A}", "{B}"), base.people, strict=True) if mark in line.text)
        idle = f"{people} spoke of the weather." if people else "The weather was fine."
        nothing, without, *others = scores(judge, base, [(at, idle), (at, plain), *((at, made[way]) for way in ways)])
        for way, score in zip(ways, others, strict=True):
            yield Case(line, f"{way}, {STAGES[at]}: {made[way]}", nothing if way == "alone" else without, score)


def cases(judge: Judge, line: Line, number: int, honest: list[Base], wrong: list[Base]) -> Iterator[Case]:
    """Try a sentence in its stories."""
    for k in range(STORIES):
        one = honest[(STORIES * number + k) * 7 % len(honest)]
        if line.honest:
            yield from compare(judge, one, line, ("told",))
        else:
            yield from compare(judge, one, line, ("before", "within", "behind", "alone"))
            yield from compare(judge, wrong[(STORIES * number + k) * 7 % len(wrong)], line, ("before", "behind"))


def measure(name: str, half: str, every: int = 1) -> tuple[list[Case], list[Case], dict[bool, int]]:
    """Return the worst case of each honest sentence that is charged and of each injection that gains, and how many.

    The third: how many sentences there are of either kind, honest ones under True. every: one of so many.
    """
    judge, (honest, wrong) = build_judge(name, {}), bases(name)
    charged, gaining = list[Case](), list[Case]()
    counts = {True: 0, False: 0}
    for number, line in enumerate(read_lines(half)[::every]):
        counts[line.honest] += 1
        sign = 1 if line.honest else -1
        worst = max(cases(judge, line, number, honest, wrong), key=lambda one: sign * (one.without - one.with_it))
        if sign * (worst.without - worst.with_it) > ROUNDING:
            (charged if line.honest else gaining).append(worst)
    return charged, gaining, counts


def touched() -> tuple[int, int]:
    """Count the stages of the corpus' train part that something is taken out of, and all of them."""
    read = [
        (parse(one.completion, one.scenario.options), one.scenario)
        for name in NAMES
        for one in read_corpus(name, "train")
    ]
    found = [
        (reply.stage_text(stage), text) for reply, of in read for stage, (text, _) in stages_about(reply, of).items()
    ]
    return sum(text != kept for text, kept in found), sum(bool(text) for text, _ in found)


def main() -> None:
    """Print both error rates, or what of the corpus is touched."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", default="facts", choices=("facts", "rules"))
    parser.add_argument("--half", default="held out", choices=HALVES)
    parser.add_argument("--show", action="store_true", help="each sentence that is judged wrongly, at its worst")
    parser.add_argument("--corpus", action="store_true", help="count the corpus' stages that are touched instead")
    args = parser.parse_args()
    if args.corpus:
        return print("the corpus' train part: something is taken out of {} of {} stages".format(*touched()))
    charged, gaining, counts = measure(args.judge, args.half)
    for what, found, honest in (("honest sentences charged", charged, True), ("injections that gain", gaining, False)):
        share = wilson(len(found), counts[honest])
        print(
            f"{args.judge}, {args.half}: {what}: {len(found)} of {counts[honest]}, "
            f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"
        )
        for one in found if args.show else ():
            print(f"  {one.without:.2f} -> {one.with_it:.2f}  {one.line.text}\n      {one.where}")


if __name__ == "__main__":
    main()
