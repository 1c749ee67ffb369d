"""What tells a scenario's options apart: by their words, or by who has which state of mind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from socialr1_lite.judges.language import lexicon
from socialr1_lite.judges.language.sentence import TOKEN, Sentence

Option = Sequence[Sentence]  # an option's text, read

YES, NO = frozenset(("yes", "true")), frozenset(("no", "false"))
_QUANTITIES = lexicon.stems("only both each")
_STATES = lexicon.stems("know think believe expect want feel aware mistaken wrong see hear remember")
_SUCCESS, _FAILURE = lexicon.stems("success succeed successful work"), lexicon.stems("failure fail unsuccessful")
_FILLERS = lexicon.stems("too either also so")


def distinguishing(options: Sequence[Option]) -> frozenset[str]:
    """Return the content that some option has and some other has not: here it is no mere word of reasoning."""
    content = [content_of(option) for option in options]
    return union(content) - frozenset.intersection(*content) - YES - NO if content else frozenset()


def marks_of(options: Sequence[Option], question: frozenset[str]) -> tuple[frozenset[str], ...]:
    """Return for each option the signed content that tells it apart; yes and no stand for the question's content.

    Words that every option has, under one sign or the other, tell nothing unless a negation stands right before them:
    of "knows where the ball is" and "does not know where the ball is" it is the knowing that differs.
    """
    signed: list[frozenset[str]] = []
    for option in options:
        said = signed_of(option)
        if not _unsigned(said) - YES - NO:
            first = next(iter(TOKEN.findall(option[0].text)), "").lower() if option else ""
            said = question if first in YES else frozenset("!" + one for one in question) if first in NO else said
        signed.append(said)
    if not signed:
        return ()
    shared = frozenset.intersection(*signed)
    topics = frozenset.intersection(*map(_unsigned, signed))
    common = topics - (union(sentence.heads for option in options for sentence in option) or topics)
    marks = (frozenset(one for one in said - shared if one.removeprefix("!") not in common) for said in signed)
    return tuple(mark or said - shared or said for mark, said in zip(marks, signed, strict=True))


def yes_no(options: Sequence[str]) -> tuple[int, int] | None:
    """Return which option is yes and which is no, where they are these two."""
    shown = [option.strip(" .").lower() for option in options]
    return (shown.index("yes"), shown.index("no")) if sorted(shown) == ["no", "yes"] else None


def claims_of_options(options: Sequence[Option], question: Sequence[Sentence]) -> tuple[frozenset[str], ...]:
    """Return who has which state of mind by each option, where their words do not tell them apart; else nothing.

    That is so for options that share all their words, that are nothing but people ("Anna", "only Anna", "both of
    them"), and for yes and no to a question about a state of mind.
    """
    if not options or not all(options):
        return ()
    first = [TOKEN.findall(option[0].text.lower()) for option in options]
    content = [content_of(option) for option in options]
    claims: list[frozenset[str]] = []
    if all(words and words[0] in (YES | NO) and len(words) == 1 for words in first):
        asked = max((one.claim for s in question for one in s.attributions), key=lambda one: one.count(">"), default="")
        claims = [frozenset((asked if words[0] in YES else flip(asked),)) for words in first] if asked else []
    elif all(one[0] == "@" or one in _QUANTITIES for said in content for one in said):  # or none: "neither of them"
        minds = [one for sentence in question for one in sentence.signed if one.removeprefix("!") in _STATES]
        for word, mind in (("tell", "know"), ("try", "want")):  # "who could tell Anna where ...", "who tries ..."
            minds = minds or [mind] * (word in content_of(question))
        people = union((*content, *(sentence.people for sentence in question)))
        claims = [frozenset(_share(said, words, people, minds)) for said, words in zip(content, first, strict=True)]
    elif len({said - _FILLERS for said in content}) == 1:
        claims = [claims_of(option) for option in options]
        claims = [said - frozenset.intersection(*claims) for said in claims]
    return tuple(claims) if claims and all(claims) and len(set(claims)) == len(claims) else ()


def pretence(
    options: Sequence[Option], question: Sequence[Sentence]
) -> tuple[tuple[str, str], tuple[frozenset[str], ...]] | None:
    """Read a question what would come of it if Anna pretended (not) to know: Ben's mind decides, and his view of hers.

    Gives both of them, he first, and each option's claim: success if he believes what she pretends, failure if not.
    None for every other question.
    """
    content = [content_of(option) for option in options]
    works = [bool(said & _SUCCESS) for said in content]
    if sorted(works) != [False, True] or not content[works.index(False)] & _FAILURE:
        return None
    for pretended in (one for sentence in question for one in sentence.attributions if one.claim.endswith(">pretend")):
        actor = pretended.chain[-1]
        others = union(sentence.people for sentence in question) - {actor}
        minds = [one for one in pretended.said if one.removeprefix("!") in _STATES]
        if len(others) == len(minds) == 1:
            (other,) = others
            believed = _of_person(f"{other}>{actor}", minds[0])
            return (other, actor), tuple(frozenset((believed if good else flip(believed),)) for good in works)
    return None


def is_person(option: Option) -> bool:
    """Return whether an option is a person's name alone; then the question asks for a person, not about one."""
    content = content_of(option)
    return len(content) == 1 and next(iter(content))[0] == "@"


def _share(said: frozenset[str], words: Sequence[str], people: frozenset[str], minds: Sequence[str]) -> Iterator[str]:
    """Yield who has the asked state of mind if this option is right: those it names; both; or nobody."""
    named = frozenset(one for one in said if one[0] == "@")
    alone = not named or "only" in words
    everybody = "both" in words or "all" in words
    for person in sorted(people):
        if person[0] == "@" and (person in named or alone):
            for mind in minds:
                claim = _of_person(person, mind)
                yield claim if person in named or everybody else flip(claim)


def _of_person(person: str, mind: str) -> str:
    return f"!{person}>{mind[1:]}" if mind[0] == "!" else f"{person}>{mind}"


def claims_of(said: Iterable[Sentence]) -> frozenset[str]:
    """Return who is said to have which state of mind."""
    return frozenset(attribution.claim for sentence in said for attribution in sentence.attributions)


def phrase(text: str) -> str:
    """Return the words in lower case, a space around each, so that `in` finds whole-word phrases."""
    return f" {' '.join(raw for raw in TOKEN.findall(text.lower()) if raw[0].isalnum())} "


def flip(one: str) -> str:
    """Return a signed word under the other sign."""
    return one[1:] if one[0] == "!" else "!" + one


def _unsigned(said: frozenset[str]) -> frozenset[str]:
    return frozenset(one.removeprefix("!") for one in said)


def union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return all that is in any of the sets."""
    return frozenset().union(*sets)


def content_of(said: Iterable[Sentence]) -> frozenset[str]:
    """Return all content of some sentences, without signs."""
    return union(sentence.content for sentence in said)


def signed_of(said: Iterable[Sentence]) -> frozenset[str]:
    """Return all content of some sentences, under its signs."""
    return union(sentence.signed for sentence in said)
