"""What an interpretation says before it has words, and what can be wrong with it [ours].

A reason is one that the story gives or one that it does not, whatever it is a reason for; a claim is held, denied or
doubted by the right people at the right depth, or by others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from socialr1_lite.judges.audit.references import denied
from socialr1_lite.pairs.phrasing import Voice, grammar
from socialr1_lite.pairs.telling import FALSE, Happening, falsified
from socialr1_lite.scenario import Claim, Facts
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.gold import claim_clause, interpretation
from socialr1_lite.stories.world import MODIFIERS

HELD, DENIED, DOUBTED = "", "denies", "doubts"
KNOWING = {"knows": "does not know", "does not know": "knows"}
STATES = ("is in", "contains", "is", "now", *KNOWING)  # relations from which a plan or a feeling follows
ASIDE, REASON, WITNESS = 0.4, 0.6, 0.75  # shares: with one more claim, with a reason; of reasons, by who saw it
TRIES = 8


@dataclass(frozen=True, slots=True)
class Meaning:
    """A reason, the claims that it is for (each held, denied or doubted), others on the side, sentences of filler."""

    reason: str
    claims: tuple[tuple[Claim, str], ...]
    asides: tuple[Claim, ...] = ()
    filler: int = 0


Sides = tuple[Meaning, Meaning]  # right and wrong


@dataclass(frozen=True, slots=True)
class Mind:
    """A story as somebody may understand it, or misunderstand it. seen: who saw which happening (`witnesses`)."""

    facts: Facts
    told: Sequence[Happening]
    seen: dict[int, dict[str, str]]
    rng: Rng

    def meaning(self, voice: Voice) -> Meaning:
        """Draw what a right interpretation may say."""
        rng, decisive = self.rng, self.facts.decisive
        states = [one for one in decisive if one.relation in STATES] or [decisive[0]]
        state = rng.pick(states)
        claims = (state,) if decisive[0] in states or rng.chance(0.4) else (state, decisive[0])
        others = [one for one in self.facts.claims if one not in decisive and one.holders[:1] != claims[0].holders[:1]]
        asides = tuple(rng.sample(others, 1)) if rng.chance(ASIDE) else ()
        reason = self.reasons(voice)[0] if rng.chance(REASON) else ""
        return Meaning(reason, tuple((claim, HELD) for claim in claims), asides)

    def reasons(self, voice: Voice) -> tuple[str, str]:
        """Give a reason that the story has, and one like it that it has not; empty where there is none."""
        rng, chain = self.rng, [name for claim in self.facts.decisive for name in claim.chain(self.facts.people)]
        changes = [one for one in self.told if one.changes and one.index in self.facts.cues] or self.told
        spoken = [one.slots for one in self.told if "b" in one.slots]
        for _ in range(TRIES):
            one = rng.pick(self.told if rng.chance(0.3) else changes)
            status, event = self.seen.get(one.index, {}), one.clause(voice)
            who = rng.pick([name for name in chain if name in status] or [""])
            heard = any(who in (slots["b"], slots.get("a")) for slots in spoken)
            false = [wrong for wrong in FALSE.get(status.get(who, ""), ()) if not (wrong == "was told" and heard)]
            if false and rng.chance(WITNESS):
                right, wrong = (voice.say(how, "why", p=who, e=event) for how in (status[who], rng.pick(false)))
                return right, wrong
            if one.kind not in MODIFIERS and (made := falsified(one, self.told, rng)):
                return event, made.clause(voice)
        return "", ""

    # --- faults: right and wrong, or None where the fault cannot be

    def wrong_reason(self, right: Meaning, voice: Voice) -> Sides | None:
        """Come to what is right by what did not happen."""
        true, false = self.reasons(voice)
        return (replace(right, reason=true), replace(right, reason=false)) if true else None

    def opposite(self, right: Meaning, voice: Voice) -> Sides | None:
        """Claim what would contradict it."""

        def other(claim: Claim) -> Claim | None:
            if claim.relation in KNOWING:
                return replace(claim, relation=KNOWING[claim.relation])
            return replace(claim, value=self.rng.pick(claim.rivals)) if claim.rivals else None

        return self._changed(right, other)

    def wrong_person(self, right: Meaning, voice: Voice) -> Sides | None:
        """Give it to somebody who is not concerned."""

        def other(claim: Claim) -> Claim | None:
            chain = [name for name in (*claim.holders, claim.subject) if name in self.facts.people]
            outside = [name for name in self.facts.people if name not in chain]
            if not chain or not outside:
                return None
            old, new = self.rng.pick(chain), self.rng.pick(outside)
            held = tuple(new if name == old else name for name in claim.holders)
            return replace(claim, holders=held, subject=new if claim.subject == old else claim.subject)

        return self._changed(right, other)

    def exchanged(self, right: Meaning, voice: Voice) -> Sides | None:
        """Exchange who thinks and whom it is about."""

        def other(claim: Claim) -> Claim | None:
            if claim.subject in self.facts.people and claim.holders:
                return replace(claim, holders=(*claim.holders[:-1], claim.subject), subject=claim.holders[-1])
            return replace(claim, holders=(*claim.holders[1:], claim.holders[0])) if len(claim.holders) > 1 else None

        return self._changed(right, other)

    def too_shallow(self, right: Meaning, voice: Voice) -> Sides | None:
        """Leave out whose view it is."""
        if any(len(claim.chain(self.facts.people)) < 2 or not claim.holders for claim, _ in right.claims):
            return None
        lower = tuple((replace(claim, holders=claim.holders[1:]), how) for claim, how in right.claims)
        return replace(right, asides=()), replace(right, claims=lower, asides=())

    def too_deep(self, right: Meaning, voice: Voice) -> Sides | None:
        """Make it the view of one who is not asked about."""
        within = {name for claim, _ in right.claims for name in claim.chain(self.facts.people)}
        outside = [name for name in self.facts.people if name not in within]
        if not outside or not within:
            return None
        who = self.rng.pick(outside)
        deeper = tuple((replace(claim, holders=(who, *claim.holders)), how) for claim, how in right.claims)
        return right, replace(right, claims=deeper)

    def denied(self, right: Meaning, voice: Voice) -> Sides | None:
        """Deny what is held, hold what is denied, or deny on both sides: the word alone tells nothing."""
        claim = right.claims[0][0]
        if not claim.holders or not claim.rivals:
            return None
        wrong = replace(claim, value=self.rng.pick(claim.rivals))
        sides = (((claim, HELD), (claim, DENIED)), ((wrong, DENIED), (wrong, HELD)), ((wrong, DENIED), (claim, DENIED)))
        chosen, rejected = self.rng.pick(sides)
        return replace(right, claims=(chosen,)), replace(right, claims=(rejected,))

    def doubted(self, right: Meaning, voice: Voice) -> Sides | None:
        """Doubt what is held, or hold what may as well be doubted."""
        claim = right.claims[0][0]
        if not claim.holders:
            return None
        if claim.rivals and self.rng.chance(0.5):
            wrong = replace(claim, value=self.rng.pick(claim.rivals))
            return replace(right, claims=((wrong, DOUBTED),)), replace(right, claims=((wrong, HELD),))
        return right, replace(right, claims=((claim, DOUBTED), *right.claims[1:]))

    def decides_nothing(self, right: Meaning, voice: Voice) -> Sides | None:
        """Say what is true of others, and decides nothing."""
        facts, decisive = self.facts, self.facts.decisive
        chains = {one.chain(facts.people) for one in decisive}
        said = {(one.subject, one.relation, one.value) for one in decisive}  # what is so where it is asked decides, too
        idle = [
            one
            for one in facts.claims
            if one.chain(facts.people) not in chains and (one.subject, one.relation, one.value) not in said
        ]
        rest = self.rng.sample(idle, 2 + len(right.asides))
        return (right, Meaning(right.reason, ((rest[0], HELD),), tuple(rest[1:]))) if rest else None

    def filler(self, right: Meaning, voice: Voice) -> Sides | None:
        """Say nothing of the story."""
        return right, replace(right, claims=(), filler=2)

    def _changed(self, right: Meaning, change: Callable[[Claim], Claim | None]) -> Sides | None:
        """Change one of the claims; not into one that is true."""
        place = self.rng.below(len(right.claims))
        made = change(right.claims[place][0])
        if made is None or made in self.facts.claims:
            return None
        claims = [(made, how) if i == place else (claim, how) for i, (claim, how) in enumerate(right.claims)]
        return right, replace(right, claims=tuple(claims))

    # --- words

    def worded(self, meaning: Meaning, voice: Voice) -> str:
        """Word an interpretation."""
        if voice.gold and meaning.claims and all(how == HELD for _, how in meaning.claims):
            claims = (*(claim for claim, _ in meaning.claims), *meaning.asides)
            facts = replace(self.facts, claims=claims, deciding=(0,))
            said = [interpretation(voice.rng("gold"), facts, len(claims), extra=False)]
            return voice.text([*said, *(voice.say("filler", i) for i in range(meaning.filler))])
        if voice.gold:  # which gives no reasons
            meaning = replace(meaning, reason="")
        clauses = [self.clause(claim, voice, i, how) for i, (claim, how) in enumerate(meaning.claims)]
        clauses += [voice.say("filler", i) for i in range(meaning.filler)]
        how = "because" if meaning.reason else "first"
        said = [voice.say(how, c=clauses[0], r=meaning.reason)]
        said += [voice.say("then", i, c=clause) for i, clause in enumerate(clauses[1:])]
        for claim in meaning.asides:
            said.append(voice.say("aside" if claim.holders else "fact", c=self.clause(claim, voice, "aside")))
        return voice.text(said)

    def clause(self, claim: Claim, voice: Voice, place: object = "", how: str = HELD) -> str:
        """Word a claim: who thinks that who thinks what."""
        if voice.gold:
            clause = claim_clause(claim)
            return {HELD: clause, DENIED: denied(clause)}.get(how, clause.replace(" thinks ", " doubts ", 1))
        held, symbols = list(claim.holders), grammar()
        said = claim.relation if claim.relation in symbols else "is so"
        slots = {"s": claim.subject, "v": claim.value, "r": claim.relation}
        slots["adj"] = symbols["adjectives"].get(claim.value, claim.value)  # type: ignore[attr-defined]
        really = next((one for one in self.facts.claims if not one.holders and one.relation in STATES[:2]), None)
        if claim.relation in KNOWING and not held and really and voice.say("knowing", place) == "it":
            said, slots["p"] = f"{said} it", self.clause(really, voice, place)
        if held and not how and f"{said}, held" in symbols and voice.say("which", place) == "held":
            said, slots["h"] = f"{said}, held", held.pop()
        clause = voice.say(said, place, **slots)
        for i, name in reversed(list(enumerate(held))):
            symbol = "thinks" if i else "outermost"
            symbol = how if how and i == len(claim.holders) - 1 else symbol
            clause = voice.say(symbol, f"{place} {len(held) - i}", h=name, c=clause)
        return clause
