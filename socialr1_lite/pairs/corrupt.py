"""Pairs from gold replies: the gold stage against a controlled corruption of it, matched in length and style [ours].

Both sides are worded by the same templates from the story's facts, so that style gives nothing away. Where a corruption
by its nature brings words or length along (filler, a copied story, another depth of belief), as many pairs are made
that have the like on the *chosen* side: then only what the story says decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from socialr1_lite.pairs.record import Pair
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES, TITLES, sentences
from socialr1_lite.stories import generate
from socialr1_lite.stories.base import Dice
from socialr1_lite.stories.gold import capital, claim_clause, cues, goal, interpretation, response

FILLER = (
    "All of this deserves a calm and careful look before anything is settled.",
    "It is worth going over each point slowly, since haste helps nobody.",
    "There is a good deal to consider here, and every part has its place.",
    "With patience and an open mind the matter becomes clear enough.",
)
BACK_FILLED = (  # the same words in two orders: from the belief to the answer, and back from the answer
    ("{c}, so the answer is {v}.", "The answer is {v}, so {c}."),
    ("{c}, and so it has to be {v}.", "It has to be {v}, and so {c}."),
    ("{c}; hence {v} stands out of the options.", "{v} stands out of the options; hence {c}."),
)
PLACEHOLDERS = (  # names a stage instead of doing it
    "Here comes the {}.",
    "{} goes in this place.",
    "Now the {} is complete.",
    "(the {})",
)
DENIALS = ("It is not so that {c}.", "It would be wrong to say that {c}.", "Nobody could say that {c}.")
BY_LETTER = (  # the same words for both sides; only the letter differs
    "Option {l} fits {s}.",
    "For {s} it has to be option {l}.",
    "This makes {l} the answer.",
    "The one to choose is {l}.",
)
BY_TEXT = ("What fits is this: {v}.", "It comes down to {v}.", "Of the options, {v} is the one.", "It must be {v}.")
LOOPS = 4  # times that a looping stage says its last sentence again
WORDINGS = 8  # drawn for each side, to find two of like length


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario and its twin with their facts, the facts of a story that has nothing to do with it, and the dice.

    gold: the gold reply's stages, the same for every pair of the scenario. stage: the one to spoil.
    """

    scenario: Scenario
    twin: Scenario
    facts: Facts
    other: Facts
    foreign: Facts
    gold: Mapping[str, str]
    stage: str
    dice: Dice


Corruption = Callable[[Case], tuple[str, str] | None]  # chosen and rejected; None where it does not apply


def wrong_person_cue(case: Case) -> tuple[str, str] | None:
    """A decisive event is told of somebody else."""
    told = _sentences(case.facts)
    place = next((i for i, one in enumerate(told) if _people_in(one, case.facts)), None)
    if place is None:
        return None
    person = _people_in(told[place], case.facts)[0]
    others = [name for name in case.facts.people if name not in told[place]]
    if not others:
        return None
    wrong = list(told)
    wrong[place] = wrong[place].replace(person, case.dice.pick(others))
    return " ".join(told), " ".join(wrong)


def invented_cue(case: Case) -> tuple[str, str] | None:
    """An event of the twin's story, which did not happen here, instead of one that did."""
    mine = _sentences(case.facts)
    foreign = [one for one in _sentences(case.other) if one not in case.facts.sentences]
    own = [i for i, one in enumerate(mine) if one not in case.other.sentences]
    if not foreign or not own:
        return None
    wrong = list(mine)
    wrong[own[0]] = foreign[0]
    return " ".join(mine), " ".join(wrong)


def missed_cue(case: Case) -> tuple[str, str] | None:
    """A decisive event is left out: the rejected text is the shorter one (`copied_story` makes up for it)."""
    told = _sentences(case.facts)
    if len(told) < 2:
        return None
    left_out = case.dice.below(len(told))
    return " ".join(told), " ".join(one for i, one in enumerate(told) if i != left_out)


def copied_story(case: Case) -> tuple[str, str] | None:
    """The story as it is, without a choice: the rejected text is the longer one."""
    told, story = _sentences(case.facts), case.facts.sentences
    return None if len(story) < len(told) + 2 else (" ".join(told), " ".join(story))


def filler_cue(case: Case) -> tuple[str, str] | None:
    """Filler in a decisive event's place."""
    told = _sentences(case.facts)
    if len(told) < 2:
        return None
    place, filler = case.dice.below(len(told)), case.dice.pick(FILLER)
    return " ".join(told), " ".join(filler if i == place else one for i, one in enumerate(told))


def honest_filler_cue(case: Case) -> tuple[str, str] | None:
    """The counterweight: all that is decisive with a filler, against an invented event and what decides nothing."""
    told = _sentences(case.facts)
    foreign = [one for one in _sentences(case.other) if one not in case.facts.sentences]
    idle = [one for i, one in enumerate(case.facts.sentences) if i not in case.facts.cues and one not in told]
    if not foreign or len(idle) < len(told):
        return None
    rest = case.dice.sample(idle, len(told))
    return f"{' '.join(told)} {case.dice.pick(FILLER)}", " ".join((foreign[0], *rest))


def wrong_person(case: Case) -> tuple[str, str] | None:
    """The deciding belief is given to somebody else, who is not asked about or holds something else."""
    claim = case.facts.claims[0]
    held = {(one.holders, one.value) for one in case.facts.claims}
    asked = bool(claim.holders) and claim.holders[-1] in case.scenario.question  # then nobody else's will do
    others = [
        n
        for n in case.facts.people
        if n not in claim.holders and (asked or ((*claim.holders[:-1], n), claim.value) not in held)
    ]
    if not claim.holders or not others:
        return None
    return _worded(case, claim, replace(claim, holders=(*claim.holders[:-1], case.dice.pick(others))))


def opposite_belief(case: Case) -> tuple[str, str] | None:
    """What the twin's story would make them think."""
    mine, other = case.facts.claims[0], case.other.claims[0]
    same = (mine.holders, mine.subject, mine.relation) == (other.holders, other.subject, other.relation)
    if same and mine.value != other.value:
        return _worded(case, mine, other)
    return _worded(case, mine, replace(mine, value=case.dice.pick(mine.rivals))) if mine.rivals else None


def too_low(case: Case) -> tuple[str, str] | None:
    """A true belief of one depth less than the question asks for, which decides nothing."""
    claim = case.facts.claims[0]
    lower = [one for one in case.facts.claims[1:] if one.holders and len(one.holders) == len(claim.holders) - 1]
    return _worded(case, claim, case.dice.pick(lower)) if lower else None


def too_high(case: Case) -> tuple[str, str] | None:
    """The counterweight: one depth more than the question asks for."""
    claim = case.facts.claims[0]
    others = [name for name in case.facts.people if name not in claim.holders]
    if not claim.holders or not others:
        return None
    return _worded(case, claim, replace(claim, holders=(case.dice.pick(others), *claim.holders)))


def back_filled(case: Case) -> tuple[str, str] | None:
    """Settled on an option first: the belief drawn from the answer, in the words that draw the answer from it."""
    right, wrong = case.dice.pick(BACK_FILLED)
    told = {"c": claim_clause(case.facts.claims[0]), "v": case.scenario.gold_text}
    return capital(right.format(**told)), capital(wrong.format(**told))


def swapped_goal(case: Case) -> tuple[str, str] | None:
    """Another person's wish, or the twin story's: a goal's rivals have words that gold goals never have."""
    claim = case.facts.goal
    others = [name for name in case.facts.people if name != claim.subject and name not in claim.value]
    if others:
        wrong = replace(claim, subject=case.dice.pick(others))
    elif case.other.goal != claim:
        wrong = case.other.goal
    else:
        return None
    return _alike(case, lambda dice: goal(dice, claim), lambda dice: goal(dice, wrong))


def contradiction(case: Case) -> tuple[str, str] | None:
    """A response for another option than the one that interpretation and answer speak for."""
    others = [one for i, one in enumerate(case.scenario.options) if i not in case.scenario.gold]
    other, bare = case.dice.pick(others), _without_claims(case.facts)
    return _alike(
        case, lambda dice: response(dice, bare, case.scenario.gold_text), lambda dice: response(dice, bare, other)
    )


def foreign_cue(case: Case) -> tuple[str, str] | None:
    """An event of quite another story among the decisive ones."""
    told = _sentences(case.facts)
    made = list(told)
    made.insert(case.dice.below(len(told) + 1), case.dice.pick(case.foreign.sentences))
    return " ".join(told), " ".join(made)


def foreign_cues(case: Case) -> tuple[str, str] | None:
    """Events of quite another story, and nothing else."""
    told = _sentences(case.facts)
    return " ".join(told), " ".join(case.dice.sample(case.foreign.sentences, 1 + case.dice.below(len(told))))


def cues_and_story(case: Case) -> tuple[str, str] | None:
    """The decisive events, and then the story as it is."""
    told = _sentences(case.facts)
    return " ".join(told), " ".join((*told, *case.facts.sentences))


def stranger(case: Case) -> tuple[str, str] | None:
    """The belief of somebody whom the story does not know."""
    told, names = case.gold[STAGES[1]], [name for name in case.facts.people if name in case.gold[STAGES[1]]]
    strangers = [name for name in case.foreign.people if name not in case.facts.people]
    if not names or not strangers:
        return None
    return told, told.replace(case.dice.pick(names), case.dice.pick(strangers))


def denied_belief(case: Case) -> tuple[str, str] | None:
    """The deciding belief denied."""
    clause = claim_clause(case.facts.claims[0], case.dice.pick(("thinks", "believes", "supposes")))
    if " thinks " in clause and case.dice.chance(0.5):
        return capital(f"{clause}."), capital(f"{clause.replace(' thinks ', ' never thinks ', 1)}.")
    return capital(f"{clause}."), capital(case.dice.pick(DENIALS).format(c=clause))


def wrong_denied(case: Case) -> tuple[str, str] | None:
    """The counterweight: a wrong belief denied, against the same one held."""
    claim = case.facts.claims[0]
    if not claim.rivals:
        return None
    clause = claim_clause(replace(claim, value=case.dice.pick(claim.rivals)), case.dice.pick(("thinks", "believes")))
    return capital(case.dice.pick(DENIALS).format(c=clause)), capital(f"{clause}.")


def other_letter(case: Case) -> tuple[str, str] | None:
    """The response for another option, named by its letter."""
    letters, wording = case.scenario.letters, case.dice.pick(BY_LETTER)
    right = letters[case.scenario.gold[0]]
    wrong = case.dice.pick([one for one in letters if one != right])
    told = case.facts.goal.subject
    return wording.format(l=right, s=told), wording.format(l=wrong, s=told)


def other_option(case: Case) -> tuple[str, str] | None:
    """The response for another option, bare."""
    right, wording = case.scenario.gold[0], case.dice.pick(BY_TEXT)
    wrong = case.dice.pick([i for i in range(len(case.scenario.options)) if i not in case.scenario.gold])
    one, other = (wording.format(v=case.scenario.options[i].rstrip(".")) for i in (right, wrong))
    return one, other


def filler_added(case: Case) -> tuple[str, str] | None:
    """Filler after or before what is right."""
    gold, filler = case.gold[case.stage], case.dice.pick(FILLER)
    return gold, f"{gold} {filler}" if case.dice.chance(0.7) else f"{filler} {gold}"


def filler_instead(case: Case) -> tuple[str, str] | None:
    """Filler, a heading, or words about the stage instead of the stage."""
    stage = case.stage
    words = (*FILLER, *(one.format(TITLES[stage].lower()) for one in PLACEHOLDERS))
    return case.gold[stage], capital(" ".join(case.dice.sample(words, 1 + case.dice.below(2))))


def other_stage(case: Case) -> tuple[str, str] | None:
    """What another stage says."""
    stage = case.stage
    return case.gold[stage], case.gold[case.dice.pick([one for one in STAGES if one != stage])]


def loop(case: Case) -> tuple[str, str] | None:
    """The last sentence over and over."""
    gold = case.gold[case.stage]
    start, end = sentences(gold)[-1]
    return gold, " ".join((gold, *[gold[start:end]] * LOOPS))


def filler_and_belief(case: Case) -> tuple[str, str] | None:
    """The counterweight: what is right with filler, against the wrong belief without."""
    wrong = opposite_belief(case)
    return wrong and (f"{case.gold[STAGES[1]]} {case.dice.pick(FILLER)}", wrong[1])


def filler_and_answer(case: Case) -> tuple[str, str] | None:
    """The counterweight: what is right with filler, against the wrong response without."""
    wrong = contradiction(case)
    return wrong and (f"{case.gold[STAGES[3]]} {case.dice.pick(FILLER)}", wrong[1])


ANY = ""  # a corruption that may befall any stage; which one is drawn
KINDS: dict[str, tuple[str, Corruption]] = {  # kind: the stage it spoils, and how
    "wrong person in a cue": (STAGES[0], wrong_person_cue),
    "invented cue": (STAGES[0], invented_cue),
    "missed decisive cue": (STAGES[0], missed_cue),
    "wholesale copy": (STAGES[0], copied_story),
    "verbose filler": (STAGES[0], filler_cue),
    "invented cue, filler chosen": (STAGES[0], honest_filler_cue),
    "wrong person": (STAGES[1], wrong_person),
    "opposite belief": (STAGES[1], opposite_belief),
    "one order too low": (STAGES[1], too_low),
    "one order too high": (STAGES[1], too_high),
    "option-driven back-filling": (STAGES[1], back_filled),
    "goal swapped": (STAGES[2], swapped_goal),
    "contradiction with the response": (STAGES[3], contradiction),
    "a cue of another story": (STAGES[0], foreign_cue),
    "cues of another story": (STAGES[0], foreign_cues),
    "cues and the whole story": (STAGES[0], cues_and_story),
    "somebody unknown": (STAGES[1], stranger),
    "denied belief": (STAGES[1], denied_belief),
    "wrong belief denied": (STAGES[1], wrong_denied),
    "wrong belief, filler chosen": (STAGES[1], filler_and_belief),
    "other option by its letter": (STAGES[3], other_letter),
    "other option": (STAGES[3], other_option),
    "wrong option, filler chosen": (STAGES[3], filler_and_answer),
    "filler added": (ANY, filler_added),
    "filler instead": (ANY, filler_instead),
    "another stage's text": (ANY, other_stage),
    "loop": (ANY, loop),
}
BALANCED = (  # kinds that only make up for each other in equal numbers
    ("missed decisive cue", "wholesale copy"),
    ("verbose filler", "invented cue, filler chosen"),
    ("one order too low", "one order too high"),
    ("denied belief", "wrong belief denied"),
    ("filler added", "wrong belief, filler chosen"),
    ("filler instead", "wrong option, filler chosen"),
)


def make_pairs(
    n: int,
    *,
    seed: int = 11,
    split: str = "train",
    dimensions: Sequence[str] = ("belief", "knowledge"),
    orders: Sequence[int] = (1, 2),
) -> list[Pair]:
    """At most n pairs from fresh stories, every kind about as often, balanced kinds equally often.

    The same arguments give the same pairs. split: whose names and things ("test": never in "train").
    """
    quota = max(1, n // len(KINDS))
    made: dict[str, list[Pair]] = {kind: [] for kind in KINDS}
    told = iter(generate(4 * n + 8, seed=seed, dimensions=dimensions, orders=orders, split=split))
    foreign = next(told).facts  # the family before, whose people and things are others
    next(told)
    for first, second in zip(told, told, strict=True):
        for scenario, twin in ((first, second), (second, first)):
            for pair in _of(scenario, twin, foreign, seed):
                if len(made[pair.kind]) < quota:
                    made[pair.kind].append(pair)
        if all(len(pairs) >= quota for pairs in made.values()):
            break
        foreign = first.facts
    for one, other in BALANCED:
        fewest = min(len(made[one]), len(made[other]))
        made[one], made[other] = made[one][:fewest], made[other][:fewest]
    pairs = [pair for kind in KINDS for pair in made[kind]]
    Dice(f"pairs {seed}").shuffle(pairs)
    return pairs


def _of(scenario: Scenario, twin: Scenario, foreign: Facts | None, seed: int) -> Iterator[Pair]:
    """A pair of every kind that applies."""
    if scenario.facts is None or twin.facts is None or foreign is None:
        return
    gold = _gold_stages(scenario.facts, scenario.gold_text, Dice(f"{scenario.id} gold {seed}"))
    for kind, (fixed, corrupt) in KINDS.items():
        dice = Dice(f"{scenario.id} {kind} {seed}")
        stage = fixed or dice.pick(STAGES)
        made = corrupt(Case(scenario, twin, scenario.facts, twin.facts, foreign, gold, stage, dice))
        if made is None or made[0] == made[1]:
            continue
        context = {name: text for name, text in gold.items() if name != stage}
        yield Pair(scenario, stage, *made, kind=kind, source="gold", context=context, answer=scenario.gold_text)


def _gold_stages(facts: Facts, answer: str, dice: Dice) -> Mapping[str, str]:
    texts = (cues(dice, facts), interpretation(dice, facts), goal(dice, facts.goal), response(dice, facts, answer))
    return dict(zip(STAGES, texts, strict=True))


def _sentences(facts: Facts) -> list[str]:
    return list(dict.fromkeys(facts.sentences[i] for i in facts.cues))


def _people_in(sentence: str, facts: Facts) -> list[str]:
    return [name for name in facts.people if name in sentence]


def _without_claims(facts: Facts) -> Facts:
    """The facts with a claim that nobody holds, so that a response states the answer and no belief."""
    return replace(facts, claims=(replace(facts.claims[0], holders=()),))


def _worded(case: Case, right: Claim, wrong: Claim) -> tuple[str, str]:
    """Two claims as interpretations of like length."""
    return _alike(
        case,
        lambda dice: interpretation(dice, replace(case.facts, claims=(right,))),
        lambda dice: interpretation(dice, replace(case.facts, claims=(wrong,))),
    )


def _alike(case: Case, right: Callable[[Dice], str], wrong: Callable[[Dice], str]) -> tuple[str, str]:
    """Of several wordings of each side the two nearest in length; of equals, any."""
    told = [(right(case.dice), wrong(case.dice)) for _ in range(WORDINGS)]
    chosen = case.dice.pick(told)[0]
    return chosen, min((other for _, other in told), key=lambda other: abs(len(other.split()) - len(chosen.split())))
