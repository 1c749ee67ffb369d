"""What can go wrong in a stage: each corruption makes a right and a wrong text of one scenario's facts [ours].

The texts are worded by the templates of gold replies; `made.py` says which corruptions go together, and how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from socialr1_lite.judges.audit.hacks import exchange
from socialr1_lite.judges.audit.references import denied
from socialr1_lite.scenario import Claim, Facts, Scenario
from socialr1_lite.sip import STAGES, TITLES, sentences
from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.gold import capital, claim_clause, goal, interpretation, response

FILLER = (  # none of it is among the filler that judges are audited with (judges/audit/hacks.py)
    "All of this deserves a calm and careful look before anything is settled.",
    "It is worth going over each point slowly, since haste helps nobody.",
    "There is a good deal to consider here, and every part has its place.",
    "With patience and an open mind the matter becomes clear enough.",
    "Every question like this one has to be read twice before it is answered.",
    "This is an important step and must not be rushed.",
    "As always, the right way is to think about it from every angle.",
    "I have now considered whatever there was to be considered.",
    "It may seem easy, but things are seldom as easy as they seem.",
    "First of all, a few general remarks are in order.",
    "Moving on, the next part will be treated in the same spirit.",
    "Much more could be said, but this will do for the moment.",
    "In short, all points have been weighed against each other.",
    "We can be quite confident about this, since nothing was left out.",
    "Let us take our time and see what can be made of it.",
    "A careful reader will want to stop at this place for a while.",
    "Nothing is more useful than a clear head when one has to decide.",
    "So far so good, and there is no reason to hurry now.",
    "This calls for some thought, and thought it shall have.",
    "One could go on about this for quite some time.",
    "To be thorough, each thing has to be looked at in its turn.",
    "After some reflection it all falls into place.",
    "It goes without saying that accuracy is what matters most.",
    "Before going any further, it helps to collect oneself.",
    "People often overlook how much there is in such a small matter.",
    "Keeping all of that in mind, the work can continue.",
    "There may be other views, and they too would deserve respect.",
    "A good answer is never given without good reasons.",
    "The more closely one looks, the more there is to be seen.",
    "Step by step the whole picture comes together.",
    "Only a fool would decide such a thing without thinking twice.",
    "This has been examined with all the attention that it is due.",
    "Considering what has been said, nothing stands in the way.",
    "At this point it is best to be precise and to leave nothing open.",
    "It would be a mistake to rely on a first impression.",
    "Every detail might turn out to be of some importance in the end.",
    "That being done, attention can be given to what remains.",
    "Questions like these show how interesting daily life can be.",
    "Care is better than speed, as everybody will agree.",
    "No effort is spared here to arrive at a sound result.",
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
    "So {l} is what follows.",
    "Of these I take option {l}.",
    "With {s} in mind, option {l} is right.",
    "What the story speaks for is option {l}.",
    "That leaves {l}.",
    "Hence option {l}, as far as {s} goes.",
)
BY_TEXT = ("What fits is this: {v}.", "It comes down to {v}.", "Of the options, {v} is the one.", "It must be {v}.")
LOOPS = 4  # times that a looping stage says its last sentence again
FILLERS = (1, 1, 2, 3, 5, 8)  # sentences of it at a time, drawn
WORDINGS = 8  # drawn for each side, to find two of like length


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario and its twin with their facts, the facts of a story that has nothing to do with it, and the choices.

    gold: the gold reply's stages, the same for every pair of the scenario. stage: the one to spoil.
    """

    scenario: Scenario
    twin: Scenario
    facts: Facts
    other: Facts
    foreign: Facts
    gold: Mapping[str, str]
    stage: str
    rng: Rng


Sides = tuple[str, str]  # chosen and rejected
Corruption = Callable[[Case], Sides | None]  # None where it does not apply


def wrong_person_cue(case: Case) -> Sides | None:
    """Tell a decisive event of somebody else."""
    cues = _decisive(case.facts)
    place = next((i for i, one in enumerate(cues) if _people_in(one, case.facts)), None)
    if place is None:
        return None
    person = _people_in(cues[place], case.facts)[0]
    others = [name for name in case.facts.people if name not in cues[place]]
    if not others:
        return None
    wrong = list(cues)
    wrong[place] = wrong[place].replace(person, case.rng.pick(others))
    return " ".join(cues), " ".join(wrong)


def invented_cue(case: Case) -> Sides | None:
    """Put an event of the twin's story, which did not happen here, in place of one that did."""
    mine = _decisive(case.facts)
    foreign = [one for one in _decisive(case.other) if one not in case.facts.sentences]
    own = [i for i, one in enumerate(mine) if one not in case.other.sentences]
    if not foreign or not own:
        return None
    wrong = list(mine)
    wrong[own[0]] = foreign[0]
    return " ".join(mine), " ".join(wrong)


def missed_cue(case: Case) -> Sides | None:
    """Leave a decisive event out: the rejected text is the shorter one (`copied_story` makes up for it)."""
    cues = _decisive(case.facts)
    if len(cues) < 2:
        return None
    left_out = case.rng.below(len(cues))
    return " ".join(cues), " ".join(one for i, one in enumerate(cues) if i != left_out)


def copied_story(case: Case) -> Sides | None:
    """Give the story as it is, without a choice: the rejected text is the longer one."""
    cues, story = _decisive(case.facts), case.facts.sentences
    return None if len(story) < len(cues) + 2 else (" ".join(cues), " ".join(story))


def filler_cue(case: Case) -> Sides | None:
    """Put filler in a decisive event's place."""
    cues = _decisive(case.facts)
    if len(cues) < 2:
        return None
    place, filler = case.rng.below(len(cues)), case.rng.pick(FILLER)
    return " ".join(cues), " ".join(filler if i == place else one for i, one in enumerate(cues))


def filler_and_cues(case: Case) -> Sides | None:
    """Balance another kind: all that is decisive with a filler, against an invented event and what decides nothing."""
    cues = _decisive(case.facts)
    foreign = [one for one in _decisive(case.other) if one not in case.facts.sentences]
    idle = [one for i, one in enumerate(case.facts.sentences) if i not in case.facts.cues and one not in cues]
    if not foreign or len(idle) < len(cues):
        return None
    rest = case.rng.sample(idle, len(cues))
    return f"{' '.join(cues)} {_filler(case)}", " ".join((foreign[0], *rest))


def wrong_person(case: Case) -> Sides | None:
    """Give the deciding belief to somebody else, who is not asked about or holds something else."""
    claim, options = case.facts.claims[0], [one for one in case.scenario.options if one in case.facts.people]
    if not claim.holders and claim.subject in options:  # who knows? none of the other people to choose from
        others = [name for name in options if name != claim.subject]
        return _worded(case, claim, replace(claim, subject=case.rng.pick(others)))
    held = {(one.holders, one.value) for one in case.facts.claims}
    asked = bool(claim.holders) and claim.holders[-1] in case.scenario.question  # then nobody else's will do
    others = [
        n
        for n in case.facts.people
        if n not in (*claim.holders, claim.subject) and (asked or ((*claim.holders[:-1], n), claim.value) not in held)
    ]
    if not claim.holders or not others:
        return None
    return _worded(case, claim, replace(claim, holders=(*claim.holders[:-1], case.rng.pick(others))))


def persons_exchanged(case: Case) -> Sides | None:
    """Exchange somebody whom the question asks about or for and somebody else."""
    stage, gold, options = case.gold[STAGES[1]], case.scenario.gold_text, case.scenario.options
    if gold in case.facts.people:  # nobody else is right; whom the options leave out may be
        asked, others = [gold] if gold in stage else [], [name for name in options if name in case.facts.people]
    else:
        asked = [name for name in case.facts.people if name in stage and name in case.scenario.question]
        others = list(case.facts.people)
    if not asked:
        return None
    person = case.rng.pick(asked)
    return stage, exchange(stage, person, case.rng.pick([name for name in others if name != person]))


def opposite_belief(case: Case) -> Sides | None:
    """State what the twin's story would make them think."""
    mine, other = case.facts.claims[0], case.other.claims[0]
    same = (mine.holders, mine.subject, mine.relation) == (other.holders, other.subject, other.relation)
    if same and mine.value != other.value:
        return _worded(case, mine, other)
    if not mine.rivals and other not in case.facts.claims:  # who knows: it is the relation or the person that differs
        return _worded(case, mine, other)
    return _worded(case, mine, replace(mine, value=case.rng.pick(mine.rivals))) if mine.rivals else None


def too_low(case: Case) -> Sides | None:
    """State a true belief of one depth less than the question asks for, which decides nothing."""
    claim = case.facts.claims[0]
    lower = [one for one in case.facts.claims[1:] if one.holders and len(one.holders) == len(claim.holders) - 1]
    return _worded(case, claim, case.rng.pick(lower)) if lower else None


def too_high(case: Case) -> Sides | None:
    """Balance another kind: one depth more than the question asks for."""
    claim = case.facts.claims[0]
    others = [name for name in case.facts.people if name not in claim.holders]
    if not claim.holders or not others:
        return None
    return _worded(case, claim, replace(claim, holders=(case.rng.pick(others), *claim.holders)))


def back_filled(case: Case) -> Sides | None:
    """Settle on an option first: the belief drawn from the answer, in the words that draw the answer from it."""
    right, wrong = case.rng.pick(BACK_FILLED)
    parts = {"c": claim_clause(case.facts.claims[0]), "v": case.scenario.gold_text}
    return capital(right.format(**parts)), capital(wrong.format(**parts))


def swapped_goal(case: Case) -> Sides | None:
    """Take another person's wish, or the twin story's: a goal's rivals have words that gold goals never have."""
    claim = case.facts.goal
    others = [name for name in case.facts.people if name != claim.subject and name not in claim.value]
    if others:
        wrong = replace(claim, subject=case.rng.pick(others))
    elif case.other.goal != claim:
        wrong = case.other.goal
    else:
        return None
    return _alike(case, lambda rng: goal(rng, claim), lambda rng: goal(rng, wrong))


def contradiction(case: Case) -> Sides | None:
    """Respond for another option than the one that interpretation and answer speak for."""
    others = [one for i, one in enumerate(case.scenario.options) if i not in case.scenario.gold]
    right, wrong, bare = case.scenario.gold_text, case.rng.pick(others), _without_claims(case.facts)
    return _alike(case, lambda rng: response(rng, bare, right), lambda rng: response(rng, bare, wrong))


def foreign_cue(case: Case) -> Sides | None:
    """Put an event of quite another story among the decisive ones."""
    cues = _decisive(case.facts)
    made = list(cues)
    made.insert(case.rng.below(len(cues) + 1), case.rng.pick(case.foreign.sentences))
    return " ".join(cues), " ".join(made)


def foreign_cues(case: Case) -> Sides | None:
    """Give events of quite another story, and nothing else."""
    cues = _decisive(case.facts)
    return " ".join(cues), " ".join(case.rng.sample(case.foreign.sentences, 1 + case.rng.below(len(cues))))


def cues_and_story(case: Case) -> Sides | None:
    """Give the decisive events, and then the story as it is."""
    cues = _decisive(case.facts)
    return " ".join(cues), " ".join((*cues, *case.facts.sentences))


def unknown_person(case: Case) -> Sides | None:
    """Give the belief to somebody whom the story does not know."""
    stage, names = case.gold[STAGES[1]], [name for name in case.facts.people if name in case.gold[STAGES[1]]]
    unknown = [name for name in case.foreign.people if name not in case.facts.people]
    if not names or not unknown:
        return None
    return stage, stage.replace(case.rng.pick(names), case.rng.pick(unknown))


def denied_belief(case: Case) -> Sides | None:
    """Deny the deciding belief, by itself and in marked words."""
    clause = claim_clause(case.facts.claims[0], case.rng.pick(("thinks", "believes", "supposes")))
    if " thinks " in clause and case.rng.chance(0.5):
        return capital(f"{clause}."), capital(f"{clause.replace(' thinks ', ' never thinks ', 1)}.")
    return capital(f"{clause}."), capital(case.rng.pick(DENIALS).format(c=clause))


def wrong_denied(case: Case) -> Sides | None:
    """Balance another kind: a wrong belief denied, against the same one held."""
    claim = case.facts.claims[0]
    if not claim.rivals:
        return None
    clause = claim_clause(replace(claim, value=case.rng.pick(claim.rivals)), case.rng.pick(("thinks", "believes")))
    return capital(case.rng.pick(DENIALS).format(c=clause)), capital(f"{clause}.")


def turned_round(case: Case) -> Sides | None:
    """Deny the right belief by the one word: does not think."""
    return (turned.right, turned.right_denied) if (turned := _turned(case)) else None


def wrong_turned_round(case: Case) -> Sides | None:
    """Balance another kind: a wrong belief denied in that way, against the same one held."""
    return (turned.wrong_denied, turned.wrong) if (turned := _turned(case)) else None


def right_or_wrong_denied(case: Case) -> Sides | None:
    """Deny on both sides, in the same words: only what is denied tells them apart."""
    return (turned.wrong_denied, turned.right_denied) if (turned := _turned(case)) else None


def knowledge_turned_round(case: Case) -> Sides | None:
    """Put knowing for not knowing, or the other way round: the twin's story has it the other way."""
    gold = interpretation(case.rng, case.facts)
    return None if case.facts.claims[0].rivals else (gold, _turned_round(gold))


def pretence_turned_round(case: Case) -> Sides | None:
    """Do so where the answer does not say it: a pretence that succeeds is one that nobody sees through."""
    people = case.facts.people
    said = {"Yes", "No"} == {*case.scenario.options} or any(one in people for one in case.scenario.options)
    return None if said or not case.facts.claims[0].holders else knowledge_turned_round(case)


def other_letter(case: Case) -> Sides | None:
    """Respond for another option, named by its letter."""
    letters, wording = case.scenario.letters, case.rng.pick(BY_LETTER)
    right = letters[case.scenario.gold[0]]
    wrong = case.rng.pick([one for one in letters if one != right])
    subject = case.facts.goal.subject
    return wording.format(l=right, s=subject), wording.format(l=wrong, s=subject)


def other_option(case: Case) -> Sides | None:
    """Respond for another option, bare."""
    right, wording = case.scenario.gold[0], case.rng.pick(BY_TEXT)
    wrong = case.rng.pick([i for i in range(len(case.scenario.options)) if i not in case.scenario.gold])
    one, other = (wording.format(v=case.scenario.options[i].rstrip(".")) for i in (right, wrong))
    return one, other


def filler_added(case: Case) -> Sides | None:
    """Put filler after or before what is right."""
    gold, filler = case.gold[case.stage], _filler(case)
    return gold, f"{gold} {filler}" if case.rng.chance(0.7) else f"{filler} {gold}"


def filler_instead(case: Case) -> Sides | None:
    """Put filler, a heading, or words about the stage in the stage's place."""
    stage = case.stage
    words = (*FILLER, *(one.format(TITLES[stage].lower()) for one in PLACEHOLDERS))
    return case.gold[stage], capital(" ".join(case.rng.sample(words, 1 + case.rng.below(2))))


def other_stage(case: Case) -> Sides | None:
    """Say what another stage says."""
    stage = case.stage
    return case.gold[stage], case.gold[case.rng.pick([one for one in STAGES if one != stage])]


def loop(case: Case) -> Sides | None:
    """Say the last sentence over and over."""
    gold = case.gold[case.stage]
    start, end = sentences(gold)[-1]
    return gold, " ".join((gold, *[gold[start:end]] * LOOPS))


def filler_and_belief(case: Case) -> Sides | None:
    """Balance another kind: what is right with filler, against the wrong belief without."""
    wrong = opposite_belief(case)
    return wrong and (f"{case.gold[STAGES[1]]} {_filler(case)}", wrong[1])


def filler_and_answer(case: Case) -> Sides | None:
    """Balance another kind: what is right with filler, against the wrong response without."""
    wrong = contradiction(case)
    return wrong and (f"{case.gold[STAGES[3]]} {_filler(case)}", wrong[1])


def _filler(case: Case) -> str:
    return " ".join(case.rng.sample(FILLER, case.rng.pick(FILLERS)))


def _decisive(facts: Facts) -> list[str]:
    return list(dict.fromkeys(facts.sentences[i] for i in facts.cues))


def _people_in(sentence: str, facts: Facts) -> list[str]:
    return [name for name in facts.people if name in sentence]


def _without_claims(facts: Facts) -> Facts:
    """Return the facts with a claim that nobody holds, so that a response states the answer and no belief."""
    return replace(facts, claims=(replace(facts.claims[0], holders=()),), deciding=(0,))


@dataclass(frozen=True, slots=True)
class _Turned:
    """The right interpretation and one with another value in the same words, each held and denied."""

    right: str
    right_denied: str
    wrong: str
    wrong_denied: str


def _turned(case: Case) -> _Turned | None:
    """Turn beliefs round; None where nothing else could be thought, or where no word turns it round."""
    claim, words = case.facts.claims[0], f"{case.scenario.id} {case.rng.below(10**9)}"
    if not claim.rivals:
        return None
    other = replace(case.facts, claims=(replace(claim, value=case.rng.pick(claim.rivals)), *case.facts.claims[1:]))
    right, wrong = (interpretation(Rng(words), facts) for facts in (case.facts, other))
    turned = _Turned(right, _turned_round(right), wrong, _turned_round(wrong))
    return None if right in (turned.right_denied, wrong) else turned


def _turned_round(text: str) -> str:
    """Deny the first sentence of a text; the same text where that cannot be done by a word."""
    start, end = sentences(text)[0]
    return text[:start] + denied(text[start:end]) + text[end:]


def _worded(case: Case, right: Claim, wrong: Claim) -> Sides:
    """Word two claims as interpretations of like length."""
    return _alike(
        case,
        lambda rng: interpretation(rng, replace(case.facts, claims=(right,), deciding=(0,))),
        lambda rng: interpretation(rng, replace(case.facts, claims=(wrong,), deciding=(0,))),
    )


def _alike(case: Case, right: Callable[[Rng], str], wrong: Callable[[Rng], str]) -> Sides:
    """Take of several wordings of each side the two nearest in length; of equals, any."""
    wordings = [(right(case.rng), wrong(case.rng)) for _ in range(WORDINGS)]
    chosen = case.rng.pick(wordings)[0]
    others = (other for _, other in wordings)
    return chosen, min(others, key=lambda other: abs(len(other.split()) - len(chosen.split())))
