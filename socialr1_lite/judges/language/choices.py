"""What tells a scenario's options apart: by their words, or by who has which state of mind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from socialr1_lite.judges.language import lexicon
from socialr1_lite.judges.language.sentence import Sentence
from socialr1_lite.judges.language.surface import TOKEN

Option = Sequence[Sentence]  # an option's text, read

YES = frozenset(("yes", "true"))
NO = frozenset(("no", "false"))
_QUANTITIES = lexicon.stems("only both each")
_STATES = lexicon.stems("know think believe expect want feel aware mistaken wrong see hear remember")
_SUCCESS, _FAILURE = lexicon.stems("success succeed successful work"), lexicon.stems("failure fail unsuccessful")
_FILLERS = lexicon.stems("too either also so")


def distinguishing(options: Sequence[Option]) -> frozenset[str]:
    """Return the content that some option has and some other has not: here it is no mere word of reasoning."""
    content = [frozenset().union(*(sentence.content for sentence in option)) for option in options]
    return frozenset().union(*content) - frozenset.intersection(*content) - YES - NO if content else frozenset()


def marks_of(options: Sequence[Option], question: frozenset[str]) -> tuple[frozenset[str], ...]:
    """Return for each option the signed content that tells it apart; yes and no stand for the question's content.

    Words that every option has, under one sign or the other, tell nothing unless a negation stands right before them:
    of "knows where the ball is" and "does not know where the ball is" it is the knowing that differs.
    """
    signed: list[frozenset[str]] = []
    for option in options:
        said = frozenset().union(*(sentence.signed for sentence in option))
        first = TOKEN.findall(option[0].text)[0].lower() if option and TOKEN.findall(option[0].text) else ""
        bare = {unsigned(one) for one in said} - YES - NO
        if not bare and first in YES:
            said = question
        elif not bare and first in NO:
            said = frozenset("!" + one for one in question)
        signed.append(said)
    if not signed:
        return ()
    shared = frozenset.intersection(*signed)
    topics = frozenset.intersection(*(frozenset(map(unsigned, said)) for said in signed))
    heads = frozenset().union(*(sentence.heads for option in options for sentence in option)) or topics
    distinguishing = [frozenset(one for one in said - shared if unsigned(one) not in topics - heads) for said in signed]
    return tuple(mark or said - shared or said for mark, said in zip(distinguishing, signed, strict=True))


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
    content = [frozenset().union(*(sentence.content for sentence in option)) for option in options]
    claims: list[frozenset[str]] = []
    if all(words and words[0] in (YES | NO) and len(words) == 1 for words in first):
        asked = max((one.claim for s in question for one in s.attributions), key=_depth, default="")
        claims = [frozenset((asked if words[0] in YES else flip(asked),)) for words in first] if asked else []
    elif all((said and all(one[0] == "@" or one in _QUANTITIES for one in said)) or _counts(said) for said in content):
        minds = [one for sentence in question for one in sentence.signed if unsigned(one) in _STATES]
        if not minds and any("tell" in sentence.content for sentence in question):
            minds = ["know"]  # "who could tell Anna where ..."
        if not minds and any("try" in sentence.content for sentence in question):
            minds = ["want"]  # "who is trying to ..."
        people = frozenset().union(*content, *(sentence.people for sentence in question))
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
    content = [frozenset().union(*(sentence.content for sentence in option)) for option in options]
    works = [bool(said & _SUCCESS) for said in content]
    if sorted(works) != [False, True] or not content[works.index(False)] & _FAILURE:
        return None
    for pretended in (one for sentence in question for one in sentence.attributions if one.claim.endswith(">pretend")):
        actor = pretended.chain[-1]
        others = frozenset().union(*(sentence.people for sentence in question)) - {actor}
        minds = [one for one in pretended.said if unsigned(one) in _STATES]
        if len(others) == len(minds) == 1:
            (other,) = others
            believed = _of_person(f"{other}>{actor}", minds[0])
            return (other, actor), tuple(frozenset((believed if good else flip(believed),)) for good in works)
    return None


def is_person(option: Option) -> bool:
    """Return whether an option is a person's name alone; then the question asks for a person, not about one."""
    content = frozenset().union(*(sentence.content for sentence in option))
    return len(content) == 1 and next(iter(content))[0] == "@"


def _counts(said: frozenset[str]) -> bool:
    """Return whether an option has no content of its own ("neither of them")."""
    return not said


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


def _depth(claim: str) -> int:
    return claim.count(">")


def claims_of(said: Iterable[Sentence]) -> frozenset[str]:
    """Return who is said to have which state of mind."""
    return frozenset(attribution.claim for sentence in said for attribution in sentence.attributions)


def phrase(text: str) -> str:
    """Return the words in lower case, a space around each, so that `in` finds whole-word phrases."""
    return f" {' '.join(raw for raw in TOKEN.findall(text.lower()) if raw[0].isalnum())} "


def flip(one: str) -> str:
    """Return a signed word under the other sign."""
    return one[1:] if one[0] == "!" else "!" + one


def unsigned(one: str) -> str:
    """Return a signed word without its sign."""
    return one[1:] if one[0] == "!" else one
