"""Pairs of one generated story: a stage as a stranger may word it, against the same words with one thing wrong [ours].

Both sides are mostly worded by one draw of the grammar, so what differs is what is said: no word and no length tells
the sides apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from socialr1_lite.pairs.meaning import HELD, Meaning, Mind
from socialr1_lite.pairs.phrasing import Voice
from socialr1_lite.pairs.record import Pair
from socialr1_lite.pairs.spoil import Spoilable, filler, spoilt
from socialr1_lite.pairs.telling import Happening, falsified, happenings, witnesses
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES
from socialr1_lite.stories import gold
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.world import MODIFIERS

Made = tuple[str, str, str]  # kind, chosen, rejected
OFTEN = (3, 4, 2, 2)  # pairs of a scenario that are tried for, stage by stage
CUE_FAULTS = (*["missed cue"] * 4, *["false"] * 6, *["invented cue"] * 2, "filler", "invented person")
MIND_FAULTS = {  # each as often as the list says it
    "wrong reason": Mind.wrong_reason, "wrong person": Mind.wrong_person, "opposite belief": Mind.opposite,
    "denied or held": Mind.denied, "too shallow": Mind.too_shallow, "too deep": Mind.too_deep, "filler": Mind.filler,
    "decides nothing": Mind.decides_nothing, "knows/doubts mixed up": Mind.doubted, "persons exchanged": Mind.exchanged,
}  # fmt: skip
GOAL_FAULTS = (*["wrong goal"] * 3, "opposite goal", "empty goal", *["wrong question"] * 2)
ANSWER_FAULTS = ("wrong option", "contradiction", "letter of another")
FORMS = ("concluding", "concluding", "plainly", "barely", "gold")  # of a response
IDLE = ("set out", "need", "asked", "framing.PONDERS")  # so seldom decisive that they would give a text away
ANOTHER_VOICE, SPOILT = 0.3, 0.15  # shares of pairs: sides worded apart, one side spoilt by a rule
FILLED = 0.08  # share of right texts that have filler and beat what is wrong without: else filler alone would tell


class FreePairs:
    """Makes pairs of one scenario. foreign: another story, which has nothing to do with it."""

    def __init__(self, scenario: Scenario, facts: Facts, seed: str, foreign: str) -> None:
        """Read the story. seed: another one, other words and faults."""
        self.scenario, self.facts, self.seed, self.foreign = scenario, facts, seed, foreign
        self.rng, self.voice = Rng(f"{scenario.id} free {seed}"), Voice(f"{scenario.id} {seed}")
        self.told = happenings(facts)
        self.mind = Mind(facts, self.told, witnesses(self.told, facts.people), self.rng)

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs, stage by stage. A response is read after an interpretation, the same for all of them."""
        makers = (self._cues, self._interpretation, self._goal, self._response)
        said = {STAGES[1]: self.mind.worded(self.mind.meaning(self.voice), self.voice)}
        for stage, times, make in zip(STAGES, OFTEN, makers, strict=True):
            context = {name: text for name, text in said.items() if name != stage}
            for number in range(times):
                self.voice = Voice(f"{self.scenario.id} {self.seed} {stage} {number}")
                kind, right, wrong = make() or ("", "", "")
                if not right:
                    continue
                said.setdefault(stage, right)
                if self.rng.chance(SPOILT):
                    rule = spoilt(Spoilable(self.scenario, stage, right, said, self.foreign, self.rng))
                    kind, wrong = rule or (kind, wrong)
                elif self.rng.chance(FILLED) and kind not in ("filler", "empty goal"):
                    right = f"{right} {filler(self.rng)}"
                if right != wrong:
                    answer = self.scenario.gold_text
                    yield Pair(self.scenario, stage, right, wrong, kind, source="made", context=context, answer=answer)

    @property
    def _other_voice(self) -> Voice:
        """Give the voice of the other side: mostly the same one."""
        return Voice(f"{self.seed} {self.rng.below(10**9)}") if self.rng.chance(ANOTHER_VOICE) else self.voice

    # --- cues

    def _cues(self) -> Made | None:
        """Tell what is decisive and some of the rest, against the same with one thing missed or wrong."""
        rng, needed = self.rng, set(self.facts.cues)
        decisive = [one for one in self.told if one.index in needed]
        rest = [one for one in self.told if one.index not in needed and one.kind not in MODIFIERS]
        if not decisive or len(decisive) > 7:
            return None
        right = [*decisive, *rng.sample(rest, rng.below(3))]
        more = [one for one in rest if one not in right and one.kind not in IDLE]
        kind, wrong = rng.pick(CUE_FAULTS), list(right)
        added: tuple[str, str] = ("", "")
        if kind == "missed cue":
            gone = rng.pick([one for one in decisive if one.kind not in MODIFIERS] or decisive)
            last = next((one.index for one in decisive if one.index > gone.index and one.kind not in MODIFIERS), 10**6)
            wrong = [one for one in right if not gone.index <= one.index < last or one not in decisive]
            wrong += rng.sample(more, len(right) - len(wrong))
        elif kind == "filler":
            wrong, added = (
                rng.sample(right, len(right) // 3),
                ("", ". ".join(self.voice.say("filler", i) for i in (0, 1))),
            )
        elif kind == "invented person":
            who = rng.pick([name for name in self.facts.people if name in self.facts.sentences[0]] or [""])
            added = (self.voice.say("there", p=who), self.voice.say("invented", p=who)) if who else added
        else:
            one = rng.pick(more or right) if kind == "invented cue" else rng.pick(right)
            made = falsified(one, self.told, rng)
            if made is None:
                return None
            if kind == "invented cue":  # beside all that is decisive, against something true in its place
                right, wrong = [*right, rng.pick(more or right)], [*wrong, made]
            else:
                kind, wrong[wrong.index(one)] = self._fault(one, made), made
        return kind, self._told(right, self.voice, added[0]), self._told(wrong, self._other_voice, added[1])

    def _fault(self, one: Happening, made: Happening) -> str:
        turned = [value for key, value in made.slots.items() if one.slots.get(key) != value]
        if made.kind != one.kind:
            return "noticed or unnoticed"
        return "wrong person" if any(value in self.facts.people for value in turned) else "wrong place or thing"

    def _told(self, happened: Sequence[Happening], voice: Voice, added: str) -> str:
        """Tell in the story's order, each thing once."""
        told = {one.index: one.clause(voice) for one in sorted(happened, key=lambda one: one.index)}
        return voice.text([*told.values(), *([added] if added else [])])

    # --- the other stages

    def _interpretation(self) -> Made | None:
        """Say what decides, with or without a reason, against the same with one fault."""
        kind = self.rng.pick([*MIND_FAULTS, "wrong reason", "opposite belief"])
        sides = MIND_FAULTS[kind](self.mind, self.mind.meaning(self.voice), self.voice)
        if sides is None:
            return None
        changed = next((claim for claim, _ in sides[1].claims if (claim, HELD) not in sides[0].claims), None)
        if kind == "opposite belief" and changed and "feel" in changed.relation:
            kind = "wrong feeling"
        return kind, self.mind.worded(sides[0], self.voice), self.mind.worded(sides[1], self._other_voice)

    def _goal(self) -> Made | None:
        """Say who wants what and what is asked, against another wish or another question."""
        rng, voice, goals = self.rng, self.voice, self.facts.accepted_goals
        right = wrong = rng.pick(goals)
        chain = self.facts.claims[0].chain(self.facts.people) if self.scenario.meta.get("order") else ()
        of_people = any(option in self.facts.people for option in self.scenario.options)  # asked who it is
        asked = wrongly = "" if of_people else self._asked(chain)
        kind = rng.pick(GOAL_FAULTS)
        if kind == "wrong question":
            outside = [name for name in self.facts.people if name not in chain]
            others = [(), chain[1:], chain[::-1], (*outside[:1], *chain), tuple(outside[:1])]
            wrongly = self._asked(rng.pick([one for one in others if one != chain])) if asked else ""
        elif kind == "opposite goal":
            wrong = replace(right, value=rng.pick(right.rivals)) if right.rivals else right
        elif kind == "wrong goal":
            idle = [n for n in self.facts.people if n not in right.value and n not in {one.subject for one in goals}]
            wrong = replace(right, subject=rng.pick(idle)) if idle else right
        if kind == "empty goal":
            return kind, self._wanted(right, asked), voice.text([voice.say("empty goal", s=right.subject)])
        same = (wrong, wrongly) == (right, asked)
        return None if same else (kind, self._wanted(right, asked), self._wanted(wrong, wrongly))

    def _wanted(self, goal: Claim, asked: str) -> str:
        voice = self.voice
        said = voice.say("goal" if goal.value.startswith("to ") else "goal of another", s=goal.subject, v=goal.value)
        said = gold.goal(voice.rng("goal"), goal).rstrip(".") if voice.gold else said
        return voice.text([voice.say("both", one=said, two=voice.say("what is asked", q=asked)) if asked else said])

    def _asked(self, chain: Sequence[str]) -> str:
        if not chain or self.voice.gold:
            return "" if self.voice.gold else self.voice.say("view of fact")
        return self.voice.say(f"view {min(4, len(chain))}", **dict(zip("abcd", chain, strict=False)))

    def _response(self) -> Made | None:
        """Conclude for the right option, against another one, or against the right one for a reason that denies it."""
        rng, voice, options = self.rng, self.voice, [one.rstrip(".") for one in self.scenario.options]
        right = self.scenario.gold[0]
        wrong = rng.pick([i for i in range(len(options)) if i not in self.scenario.gold])
        letters, meaning, form = self.scenario.letters, self.mind.meaning(voice), rng.pick(FORMS)
        if form == "gold":
            bare = replace(self.facts, claims=(replace(self.facts.claims[0], holders=()),), deciding=(0,))
            said = [gold.response(voice.rng("gold"), bare, self.scenario.options[i]) for i in (right, wrong)]
            return "wrong option", said[0], said[1]
        kind = "wrong option" if form == "barely" else rng.pick(ANSWER_FAULTS)
        chosen = {"l": letters[right], "v": options[right], "r": self.mind.clause(meaning.claims[0][0], voice)}
        rejected = chosen | {"l": letters[wrong], "v": options[wrong]}
        if kind == "letter of another":
            form, rejected["v"] = "plainly", chosen["v"]
        elif kind == "contradiction":
            turned = self.mind.opposite(Meaning("", meaning.claims[:1]), voice)
            if turned is None:
                return None
            form, rejected = "concluding", chosen | {"r": self.mind.clause(turned[1].claims[0][0], voice)}
        return kind, voice.text([voice.say(form, **chosen)]), voice.text([voice.say(form, **rejected)])
