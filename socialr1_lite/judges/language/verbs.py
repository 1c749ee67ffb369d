"""Word classes for reading clauses: verbs of the mind and of doing, feelings, purposes, and phrases that mean them.

All tables are [ours]: plain English for short social stories, by stem (`lexicon.stem`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from socialr1_lite.judges.language.lexicon import CALENDAR, NEGATIONS, STOP, stem, stems, words_in

WORDS_KEPT = 1 << 16

_VERBS = {  # class -> its words
    "believe":
        "think believe assume suppose expect figure reckon presume guess imagine conclude suspect picture "
        "convinced consider deem gather infer anticipate certain confident sure conviction impression assumption "
        "expectation certainty presumption presumably-thinks judge suspicion",
    "know": "know aware realise realize recognise recognize understand grasp learn known knowledge",
    "unknow": "unaware ignorant oblivious unsuspecting clueless ignorance mistaken misled",
    "doubt": "doubt disbelieve distrust mistrust",
    "want":
        "want wish hope need aim goal intend intention intent plan try desire keen eager purpose objective seek "
        "wonder longing curious curiosity ambition",
    "feel": "feel",
    "see": "see watch notice observe witness spot catch follow spy peek peep glimpse hear overhear seen",
    "miss": "miss overlook",
    "say":
        "say tell text inform announce claim mention write remark hint state declare admit advise answer reply "
        "speak warn promise recommend suggest point assure report",
    "move":
        "move put place bring carry shift transfer lay pop stick swap exchange switch drop slip stash tuck take "
        "pick trade relocate stow hide deposit pack trip transfer",
    "leave": "leave exit depart absent away gone departure absence",
    "come": "return come enter arrive back reenter",
    "be": "be sit lie stay remain rest stand belong kept",
    "hold": "hold contain house",
    "look": "look search open check reach head fetch grab choose go turn serve ask name request",
    "like": "like love prefer enjoy favour favor favourite favorite rate taste",
    "find": "find get obtain discover",
}  # fmt: skip
_PURPOSES = {  # what somebody is after, so that "wants to hide" is not "wants to show"
    "help":
        "help assist find get honest truth sincere inform show reveal share come-across discover obtain see know "
        "tell honestly truthful truthfully sincerely learn notice meet earnest true openly fetch reach",
    "hinder":
        "mislead deceive fool trick hide miss lie dupe conceal prevent deception withhold thwart hoodwink stop "
        "secret deceit untrue hidden unfound undiscovered secretly keep false untruth fib empty-handed bluff lose "
        "wrong",
    "joke":
        "joke tease irony ironic ironically kid fun sarcasm sarcastic laugh amuse funny playful amusement jest "
        "humour",
    "own": "herself himself selfish selfishness own",
    "surprise": "surprise",
    "insult": "insult offend hurt rude",
    "know": "know wonder curious curiosity learn understand guess discover ask figure",
    "innocent": "innocent innocently unwitting unwittingly complain accidental unintended",
    "mistaken": "mistaken mistakenly mistake wrongly erroneously falsely error",
    "eat": "eat share take grab consume",
    "leave": "leave save-for",
    "discard": "discard throw bin rid dispose dump trash chuck rubbish",
    "retain": "keep retain",
    "worst": "worst",
    "first": "first start beginning original initial starting begin",
    "last": "end final last now present current",
    "candid": "honest honestly truth truthful truthfully sincere sincerely earnest openly true",
    "best": "best",
}  # fmt: skip
FEELINGS = {  # word -> the feeling that it names; the first of each row names it
    word: row.split()[0]
    for row in (
        "joy joyful happy happiness glad cheerful joyous happily",
        "delight thrilled overjoyed delighted elated ecstatic",
        "contentment content contented satisfied satisfaction", "pride proud proudly",
        "relief relieved", "amusement amused", "hope hopeful hopefully", "interest interested intrigued",
        "sadness sad unhappy sorrow upset miserable gloomy sorry sadly grief unhappiness",
        "disappointment disappointed letdown disappoint", "anger angry furious annoyed irritated rage mad cross fury",
        "fear afraid scared frightened fearful terrified dread fright",
        "worry worried anxious uneasy concerned anxiety nervous",
        "shame ashamed embarrassed embarrassment humiliated", "boredom bored",
        "surprise surprised astonished amazed startled astonishment shocked shock", "jealousy jealous envious envy",
        "guilt guilty", "disgust disgusted", "calm relaxed", "loneliness lonely", "gratitude grateful thankful",
    )
    for word in row.split()
}  # fmt: skip
GOOD = words_in("joy delight contentment pride relief amusement hope interest calm gratitude")
_FEELINGS = {stem(word): name for word, name in FEELINGS.items()}
UNSAID = GOOD | words_in("surprise guilt disappointment")  # not held against a reply where the story names none
OPPOSED = {
    "help": "hinder", "hinder": "help", "eat": "leave", "leave": "eat", "discard": "retain", "retain": "discard",
    "insult": "innocent", "innocent": "insult", "first": "last", "last": "first", "best": "worst", "worst": "best",
}  # fmt: skip
FREE = stems("question ask task settle point wonder need aim judge pick sought seek require determine decide")
MIND = stems(
    "mind view eye opinion belief perspective head thought idea standpoint estimate reckoning book understanding "
    "imagination picture eyes knowledge expectation light lights conviction thinking assumption certainty memory "
    "ear image"
)
_SHADES = {"delight": "joy", "contentment": "joy", "disappointment": "sadness", "worry": "fear"}
KIN = stems(
    "mother father mom mum dad parent brother sister son daughter grandmother grandfather grandma grandpa aunt uncle "
    "cousin wife husband boyfriend girlfriend classmate roommate neighbor neighbour teacher doctor nurse nephew niece "
    "boss colleague policeman policewoman gardener twin postman plumber housekeeper maid butler landlord"
)
_PHRASES = {  # class -> the phrases that stand for it
    "unknow":
        "no idea; no clue; no inkling; no notion; no suspicion; in the dark; none the wiser; no right idea; no "
        "knowledge",
    "know":
        "a clue; the faintest; the slightest; the foggiest; any idea; a notion; an inkling; in the know; the right "
        "idea; find out; found out; finds out",
    "believe": "under the impression; of the opinion; count on; counts on; counting on; go by; can tell; could tell",
    "believe same": "of the same opinion",
    "inmind": "in mind",
    "want":
        "would like; would love; 'd like; 'd love; is after; was after; really after; after is; out to; looking "
        "forward; looks forward; set on; is out to; was out to; 's out to; 's after; would rather; 'd rather; feel "
        "like; feels like; keen on; interested in",
    "find": "hold of; to have; hands on; lay hands; point out",
    "see": "in sight",
    "change": "gave way; given way; turned into; gives way",
    "leave":
        "went out; goes out; going out; gone out; walked out; walks out; stepped out; steps out; went away; goes "
        "away; goes off; went off; took off; takes off; is out; was out; out the door; not there",
    "present": "be there; was there; were there; is there; being there; been there; present",
    "before": "in front of",
    "distracted": "lost in thought; mind was elsewhere; asleep; took nothing in; headphones; distracted; daydreaming",
    "without": "instead of; rather than",
    "feel disappointment": "let down; a let-down",
    "feel joy": "pleasantly surprised",
    "same": "the same; likewise; too; as well; in this way; so too",
    "not": "no longer",
    "": "any longer; any more; phone call; at first; turns out; turned out; of course",
    "move": "picked up; picks up; change places; changed places; put away",
    "look": "heads for; head for",
    "mindnoun": "way of thinking",
    "view": "as far as; according to",
    "viewed": "sees it",
    "hinder":
        "give up; out of his sight; out of her sight; in the dark about; gives up; keep from; keep away; off the "
        "scent; out of sight; stay hidden; put off",
    "discard": "get rid; out of the way",
    "help": "let on; come across; come upon",
    "want not": "no wish; no desire",
    "dislike": "made a face; pushed away",
    "joke": "see through; seen through; sees through",
    "retain": "on to",
    "candid": "really thinks; really think",
    "feel surprise": "off guard",
    "miss": "passed by",
    "be": "ended up; ends up; wound up; wind up",
}  # fmt: skip
IDIOMS = tuple(
    (tuple(phrase.split()), "idiom", kind) for kind, phrases in _PHRASES.items() for phrase in phrases.split("; ")
)

_VERB = {stem(word): name for name, words in reversed(_VERBS.items()) for word in words.split()}
_PURPOSE: dict[str, frozenset[str]] = {}
for _name, _words in _PURPOSES.items():
    for _root in stems(_words):
        _PURPOSE[_root] = _PURPOSE.get(_root, frozenset()) | {_name}
NOT = NEGATIONS - {"unaware"} | {"hardly", "ca", "wo"}
_KINDS = {  # surface word -> what it does to the clause
    **dict.fromkeys(("he", "she", "they"), "pronoun"), **dict.fromkeys(("him", "them"), "object"),
    **dict.fromkeys(("his", "their", "himself", "herself", "themselves", "hers"), "owner"), "her": "her",
    **dict.fromkeys(
        ("i", "we", "you", "one", "everyone", "everybody", "anyone", "anybody", "someone", "somebody"), "writer"
    ),
    **dict.fromkeys(("nobody", "none", "no-one"), "nobody"),
    **dict.fromkeys((",", "and", "or", ":", "(", ")", "\u2013", "-", "then", "whose"), "soft"),
    **dict.fromkeys((";", ".", "!", "?", "\u2014"), "hard"),
    **dict.fromkeys(
        words_in(
            "but because since while whereas although though unless so however when after before until hence therefore "
            "if once whenever as thus yet"
        ), "cut",
    ),
    **dict.fromkeys(("who", "which"), "relative"), "that": "that", "where": "where", "there": "there", "it": "it",
    "without": "without",
    **dict.fromkeys(("to", "for", "by", "from", "of", "with", "about", "in", "into", "inside", "onto", "on", "at",
                     "under",
                     "beneath", "behind", "against", "like", "between", "through", "over", "besides"), "preposition"),
    **dict.fromkeys(("will", "would", "'ll", "shall", "must", "going", "'d"), "future"),
    **dict.fromkeys(("is", "are", "was", "were", "been", "being", "be", "am", "'s"), "be"),
}  # fmt: skip
BARE = words_in(
    "the a an this these those its his her their my our your some any no each every both all very just still"
)
TOKEN = re.compile(
    r"[^\W_]+(?:-[^\W_]+)*|['\u2019](?:s|ll|d|re|ve|m)\b|n['\u2019]t\b|[,;:.!?()\"“”—\u2013]|(?<=\s)-(?=\s)|="
)
_CONTRACTED = re.compile(r"n['\u2019]t\b")


class Word(NamedTuple):
    """A surface word: lower case, its stem, what it does to a clause, its verb class, its feeling, its purposes."""

    base: str
    root: str
    kind: str
    verb: str
    feeling: str
    purposes: frozenset[str]
    capital: bool
    weighty: bool
    telling: bool  # a verb of some class, a feeling, or a noun of the mind
    naming: bool  # may name an option


def words_of(text: str) -> list[Word]:
    """Return words and punctuation in order: "Anna's" as "anna", "'s", and "didn't" as "did", "not". Linear."""
    return [word_of(raw) for raw in TOKEN.findall(_CONTRACTED.sub(" not", text))]


@lru_cache(maxsize=WORDS_KEPT)
def word_of(raw: str) -> Word:
    """Look a word up in every table."""
    base = raw.lower().replace("\u2019", "'")
    root = stem(base)
    kind = _KINDS.get(base, "not" if base in NOT else "")
    verb = "" if kind or (base.endswith("ly") and base != "reply") else _VERB.get(root, "")
    weighty = base[0].isalnum() and base not in STOP and not kind and base not in CALENDAR
    feeling = _FEELINGS.get(root, "")
    telling = bool(verb or feeling or root in MIND or root == "mean")
    naming = base in ("yes", "no", "answer", "option", "choice") or (len(raw) == 1 and raw.isupper())
    purposes = _PURPOSE.get(root, frozenset())
    return Word(base, root, kind, verb, feeling, purposes, raw[0].isupper(), weighty, telling, naming)


def feelings_in(text: str) -> frozenset[str]:
    """Return the feelings that a text names."""
    return frozenset(word.feeling for word in words_of(text) if word.feeling)


def kin(feelings: frozenset[str]) -> frozenset[str]:
    """Return feelings without their shades: glad or sad, angry, frightened."""
    return frozenset(_SHADES.get(one, one) for one in feelings)
