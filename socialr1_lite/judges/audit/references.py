"""Reference replies to ToMBench rows and generated stories, built when an audit runs: rows stay where they lie.

The builder takes the reply's cues from the story's own sentences and its belief from the gold option; what the question
asks about, and who else is in the story, it finds on its own, not with the judge's reading of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from socialr1_lite.errors import DataError
from socialr1_lite.judges.corpus import HONEST, read_corpus
from socialr1_lite.judges.language.lexicon import words_in
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, parse, reply_text, sentences

NAME = re.compile(r"\b(?:(?:Mr|Mrs|Ms|Dr)\. )?[A-Z][a-z]+(?: [A-Z][a-z]+)?\b")
NOT_NAMES = words_in(  # capitalised words of short stories that name nobody
    "The A An In On At One When After Before Then They He She It His Her If This That There While During However "
    "Suddenly Finally As So But And Because Although Later Today Now What Who Where Why How Does Do Did Is Are Was "
    "Which Can Will Not Knows Yes No Both Some Most Everyone Meanwhile Just Since With For From To Please Every Among "
    "Upon Next Other Therefore Best Monday Friday Sunday Saturday Chinese English Western Project Soon Out Of By "
    "Without"
)


@dataclass(frozen=True, slots=True)
class ReferenceReply:
    """An honest reply in parts. person: whom the question asks about; others: the other people of the story.

    belief: the deciding statement inside the interpretation, and denial: the same statement turned round.
    """

    scenario: Scenario
    stages: tuple[str, str, str, str]
    answer: str
    person: str
    others: tuple[str, ...] = ()
    belief: str = ""
    denial: str = ""

    @property
    def text(self) -> str:
        """Return the completion."""
        return completion(self.stages, self.answer)

    @property
    def chosen(self) -> int:
        """Return the index of the option that is answered. Raises ValueError where it is none or several."""
        index = parse(self.text, self.scenario.options).answer
        if index is None:
            raise ValueError(f"{self.scenario.id}: a reference answers one option, this does not: {self.text}")
        return index

    @property
    def letter(self) -> str:
        """Return the letter of the option that is answered."""
        return self.scenario.letters[self.chosen]

    @property
    def wrong_options(self) -> list[str]:
        """Return the texts of the options not answered."""
        return [option for index, option in enumerate(self.scenario.options) if index != self.chosen]

    def stage(self, index: int, text: str) -> ReferenceReply:
        """Return the same reply with another text for one stage."""
        one, two, three, four = (text if i == index else old for i, old in enumerate(self.stages))
        return replace(self, stages=(one, two, three, four))


def completion(stages: Mapping[str, str] | Sequence[str], answer: str, *, before: str = "") -> str:
    """Return a well-formed completion; `before` stands inside the think block before the first stage."""
    return reply_text(stages, answer).replace("<think>\n", f"<think>\n{before}", 1)


def tombench_rows(folder: Path, file: str) -> Iterator[Scenario]:
    """Yield the English half of one ToMBench file; missing options are NaN, one gold has a full stop."""
    lines = (folder / "ToMBench" / "data" / f"{file}.jsonl").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        row = json.loads(line)
        given = [row[f"OPTION-{letter}"] for letter in "ABCD"]
        options = tuple(
            re.sub(rf"^\s*{x}\s*[.:]\s*", "", o) for x, o in zip("ABCD", given, strict=True) if isinstance(o, str)
        )
        gold = "ABCD".index(row["答案\nANSWER"].strip(" ."))
        if gold < len(options):
            yield Scenario(f"tombench/{file}/{number}", row["STORY"], row["QUESTION"], options, (gold,))


def tombench_files(folder: Path) -> list[str]:
    """Return the names of the folder's files, without ending."""
    return sorted(path.stem for path in (folder / "ToMBench" / "data").glob("*.jsonl"))


def tombench_references(folder: Path, n: int) -> list[ReferenceReply]:
    """Reply to at most n rows of each file, spread over it. Raises DataError for a folder without ToMBench."""
    files = tombench_files(folder)
    if not files:
        raise DataError(f"--data {folder}: no ToMBench/data/*.jsonl there")
    rows = [list(tombench_rows(folder, file)) for file in files]
    taken = (row for some in rows for row in some[:: max(1, len(some) // n)])
    return [reply for row in taken if (reply := tombench_reference(row))]


def names_in(text: str) -> list[str]:
    """Return capitalised names in order of first mention."""
    runs = (" ".join(word for word in run.split() if word not in NOT_NAMES) for run in NAME.findall(text))
    return [name for name in dict.fromkeys(runs) if name]


def tombench_reference(scenario: Scenario) -> ReferenceReply | None:
    """Reply to a row whose question asks about a named person; None for the other rows."""
    person, gold = asked_person(scenario), scenario.gold_text.strip(" .")
    if person is None or not (said := statement(scenario, person, gold)):
        return None
    belief, denial, response = said
    question = scenario.question.strip().rstrip("?. ")
    others = tuple(
        name
        for name in names_in(scenario.story)
        if not set(name.split()) & set(person.split()) and name.count(" ") == person.count(" ")
    )
    stages = (
        cues(scenario, person, gold),
        f"From this one can tell what {person} has in mind: {belief}.",
        f"{person} wants to act on it, and the question asks: {question[0].lower()}{question[1:]}.",
        response,
    )
    return ReferenceReply(scenario, stages, scenario.letters[scenario.gold[0]], person, others, belief, denial)


def asked_person(scenario: Scenario) -> str | None:
    """Find the person behind the question's auxiliary or possessive, by a list of question forms."""
    name = r"((?:(?:Mr|Mrs|Ms|Dr)\. )?[A-Z][a-z]+(?: [A-Z][a-z]+)?)"
    forms = (
        rf"\b(?:does|do|did|will|can|is|think) {name}\b(?!['’]s| [A-Z])",
        rf"\bbehind {name}(?:'s)? (?:taking|action|behavior)",
        rf"\b(?:are|is) {name}'s (?:real |true )?(?:feelings?|reaction|emotion|attitude)",
    )
    found = (match[1] for form in forms if (match := re.search(form, scenario.question)))
    return next((one for one in found if one in names_in(scenario.story) and one not in NOT_NAMES), None)


def statement(scenario: Scenario, person: str, gold: str) -> tuple[str, str, str] | None:
    """Say what the person has in mind, the same turned round, and the response that follows; None for yes and no."""
    words = gold.removeprefix("Because ").split()
    first = words[0].strip(",").lower()
    if first in ("yes", "no"):
        return None
    if first == "knows":
        rest = gold.partition(",")[2].strip()
        where = f" that it is {rest}" if rest else " it"
        return (
            f"{person} knows{where} now",
            f"{person} does not know{where} now",
            f"So {person} knows it now" + (f", namely {rest}." if rest else "."),
        )
    if gold.lower() == "does not know":
        return (
            f"{person} was not there to see it and does not know it",
            f"{person} was there to see it and knows it",
            f"So {person} does not know it.",
        )
    if len(words) <= 2:
        value = gold if names_in(gold) == [gold] else gold.lower()
        verb = "feels" if re.search(r"feel|emotion|mood|react|appear", scenario.question) else "thinks of"
        return (
            f"{person} {verb} {value} here, and nothing else",
            f"{person} never {verb} {value} here",
            f"So what fits is {value}, as {person} has it in mind.",
        )
    middle = max(1, len(words) // 2)
    paraphrase = " ".join([*words[:middle], "(it seems)", *words[middle:]])
    if not names_in(words[0]):
        paraphrase = paraphrase[0].lower() + paraphrase[1:]
    return (
        f"{person} thinks that {paraphrase}",
        f"{person} does not think that {paraphrase}",
        f"What fits that is option {scenario.letters[scenario.gold[0]]}, {' '.join(words[:8])}.",
    )


def cues(scenario: Scenario, person: str, gold: str) -> str:
    """Take those of the story's sentences (or clauses, of a single one) nearest to the question, at most half."""
    pieces = [scenario.story[start:end] for start, end in sentences(scenario.story)]
    if len(pieces) < 3:
        pieces = [part for piece in pieces for part in re.split(r"(?<=[,;])\s", piece)]
    wanted = words_of(f"{scenario.question} {gold} {person}")
    ranked = sorted(range(len(pieces)), key=lambda i: (-len(words_of(pieces[i]) & wanted), i))
    kept = sorted(ranked[: max(1, len(pieces) // 2)][:3])
    bare = [pieces[i].strip(' ,;."“”') for i in kept]
    return " ".join(f"{piece[0].upper()}{piece[1:]}." for piece in bare if piece)


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    """Return the longer words of a text."""
    return frozenset(word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3)


DENIED = {f"{verb}s": f"does not {verb}" for verb in ("think", "believe", "suppose", "assume")} | {
    "is convinced": "is not convinced"
}


def gold_reference(scenario: Scenario, completion: str) -> ReferenceReply:
    """Take a gold reply apart, or another honest one; what its interpretation says first is turned round."""
    reply, facts = parse(completion, scenario.options), scenario.facts
    one, two, three, four = map(reply.stage_text, STAGES)
    people = facts.people if facts else names_in(scenario.story)
    person = (*facts.claims[0].holders, facts.claims[0].subject)[0] if facts else asked_person(scenario)
    if person is None or person not in people:
        person = people[0]
    asked = person in scenario.question or person in scenario.options
    others = tuple(name for name in people if name != person) if asked else ()
    start, end = sentences(two)[0]
    belief = two[start:end]
    return ReferenceReply(scenario, (one, two, three, four), reply.answer_text, person, others, belief, denied(belief))


def free_references() -> list[ReferenceReply]:
    """Take apart the honest replies in free wording, every stage of them labelled right, that judges are built with."""
    train = (one for name in ("generated", "everyday") for one in read_corpus(name, "train") if one.kind == HONEST)
    return [gold_reference(one.scenario, one.completion) for one in train if set(one.labels.values()) == {1.0}]


def denied(belief: str) -> str:
    """Turn the statement round: knowing for not knowing, else a denied first thought."""
    for said, turned in (("does not know", "knows"), (" knows ", " does not know ")):
        if said in belief:
            return belief.replace(said, turned, 1)
    return re.sub(rf"\b(?:{'|'.join(DENIED)})\b", lambda verb: DENIED[verb.group()], belief, count=1)
