"""Free wording by a grammar (grammar.yaml): one draw words two things alike, so that what they say differs [ours]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import yaml

from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.wording import GENDERS, THEIR, THEM

PERSON = re.compile("\x01(\\w+)\x02([sop])")  # a person in a text, as subject, object or owner, until `finished`
SLOT = re.compile(r"\{(@?)(\w+)('s)?\}")
GOLD = 0.25  # share of voices that speak as gold replies do
PRONOUNS, SHORT, OTHERS = 0.5, 0.3, 0.3  # shares of mentions, texts and phrases that take the other form
CONTRACTED = (
    (r"\b(do|does|did|is|was|would|could|has|had) not\b", r"\1n't"),
    (r"\b([Ii]t|that|[Tt]hat|[Ss]?[Hh]e) (?:is|has)\b(?= [a-z])", r"\1's"),
    (r"\b(I|[Ss]?[Hh]e) would\b", r"\1'd"),
)


@cache
def grammar() -> Mapping[str, list[str]]:
    """Read the grammar: symbol -> its alternatives."""
    text = files(__name__.rpartition(".")[0]).joinpath("grammar.yaml").read_text(encoding="utf-8")
    read: Mapping[str, list[str]] = yaml.safe_load(text)
    return read


class Voice:
    """Words things in one way: the same symbol at the same place always by the same alternative.

    gold: that things are worded as gold replies word them (stories/gold.py), and not by the grammar.
    """

    def __init__(self, seed: str) -> None:
        """Begin. seed: another one words all otherwise."""
        self._seed = seed
        self.gold = self.rng("gold").chance(GOLD)

    def rng(self, what: str) -> Rng:
        """Give the draws for something, always the same ones."""
        return Rng(f"{self._seed} {what}")

    def say(self, symbol: str, place: object = "", /, **slots: str) -> str:
        """Word a symbol with its slots. place: where in the text; what stands elsewhere changes nothing here."""
        fitting = [one for one in grammar()[symbol] if {slot for _, slot, _ in SLOT.findall(one)} <= slots.keys()]
        rng = self.rng(f"{symbol} {place}")
        text = rng.pick(fitting)
        if text[:1] == "<":
            return self.say(text[1:-1], place, **slots)
        while "[" in text:
            text = re.sub(r"\[([^\[\]]*)\]", lambda match: rng.pick(match[1].split("|")), text, count=1)
        return SLOT.sub(lambda match: _filled(slots[match[2]], "p" if match[3] else "o" if match[1] else "s"), text)

    def text(self, sentences: Iterable[str]) -> str:
        """Finish a stage: names and pronouns, other forms of words, contractions, sentences or notes."""
        if self.gold:
            plain = (PERSON.sub(r"\1", one) for one in sentences)
            return " ".join(_capital(one if one[-1:] in ".!?" else f"{one}.") for one in plain)
        rng, last = self.rng("style"), ""
        shares = (rng.pick((0.0, 0.0, PRONOUNS, 0.9)), rng.chance(SHORT), rng.chance(0.5), rng.below(8))
        kept, short, other, notes = shares

        def mention(match: re.Match[str]) -> str:
            nonlocal last
            name, case, before = match[1], match[2], last
            last, pronoun = name, GENDERS.get(name)
            if name != before or pronoun is None or not rng.chance(kept):
                return name + ("'s" if case == "p" else "")
            return {"s": pronoun, "o": THEM[pronoun], "p": THEIR[pronoun]}[case]

        clauses = [one.strip() for sentence in sentences for one in sentence.split(". ") if one.strip()]
        bounds = ("; ", "\n- ")[notes] if notes < 2 and len(clauses) > 1 else ". "
        text = PERSON.sub(mention, bounds.join(clauses if notes < 2 else [_capital(one) for one in clauses]))
        for one in grammar()["others"] if other else ():
            found = next((form for form in one if re.search(rf"\b{form}\b", text)), None)
            if found and (drawn := self.rng(str(one))).chance(OTHERS):
                text = re.sub(rf"\b{found}\b", drawn.pick(one), text)
        for long, less in CONTRACTED if short else ():
            text = re.sub(long, less, text)
        text = ("- " if bounds[0] == "\n" else "") + text.strip()
        return _capital(re.sub(r"(?<=\. )(\w)", lambda match: match[1].upper(), text)).rstrip(".") + "."


def _filled(value: str, case: str) -> str:
    if value in GENDERS:
        return f"\x01{value}\x02{case}"
    return value + ("'s" if case == "p" and value[-1:] != "\x02" else "")


def _capital(text: str) -> str:
    at = 1 if text[:1] == "\x01" else next((i for i, sign in enumerate(text) if sign.isalpha()), 0)
    return text[:at] + text[at : at + 1].upper() + text[at + 1 :]
