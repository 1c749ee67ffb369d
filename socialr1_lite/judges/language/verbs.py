"""Word classes for reading clauses: verbs of the mind and of doing, feelings, purposes, and phrases that stand for them.

All tables are [ours]: plain English for short social stories, by stem (`lexicon.stem`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from socialr1_lite.judges.language.lexicon import ALARMS, CALENDAR, NEGATIONS, STOP, stem, stems, words_in

WORDS_KEPT = 1 << 16

_VERBS = {  # class -> its words
    "believe": "think believe assume suppose expect figure reckon presume guess imagine conclude suspect picture convinced "
    "consider deem gather infer anticipate certain confident sure conviction impression assumption expectation certainty "
    "presumption presumably-thinks judge suspicion",
    "know": "know aware realise realize recognise recognize understand grasp learn known knowledge",
    "unknow": "unaware ignorant oblivious unsuspecting clueless ignorance mistaken misled",
    "doubt": "doubt disbelieve distrust mistrust",
    "want": "want wish hope need aim goal intend intention intent plan try desire keen eager purpose objective seek wonder "
    "longing curious curiosity ambition",
    "feel": "feel",
    "see": "see watch notice observe witness spot catch follow spy peek peep glimpse hear overhear seen",
    "miss": "miss overlook",
    "say": "say tell text inform announce claim mention write remark hint state declare admit advise answer reply speak "
    "warn promise recommend suggest point assure report",
    "move": "move put place bring carry shift transfer lay pop stick swap exchange switch drop slip stash tuck take pick "
    "trade relocate stow hide deposit pack trip transfer",
    "leave": "leave exit depart absent away gone departure absence",
    "come": "return come enter arrive back reenter",
    "be": "be sit lie stay remain rest stand belong kept",
    "hold": "hold contain house",
    "look": "look search open check reach head fetch grab choose go turn serve ask name request",
    "like": "like love prefer enjoy favour favor favourite favorite rate taste",
    "find": "find get obtain discover",
}  # fmt: skip
_PURPOSES = {  # what somebody is after, so that "wants to hide" is not "wants to show"
    "help": "help assist find get honest truth sincere inform show reveal share come-across discover obtain see know tell "
    "honestly truthful truthfully sincerely learn notice meet earnest true openly fetch reach",
    "hinder": "mislead deceive fool trick hide miss lie dupe conceal prevent deception withhold thwart hoodwink stop secret "
    "deceit untrue hidden unfound undiscovered secretly keep false untruth fib empty-handed bluff lose wrong",
    "joke": "joke tease irony ironic ironically kid fun sarcasm sarcastic laugh amuse funny playful amusement jest humour",
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
        "joy joyful happy happiness glad cheerful joyous happily", "delight thrilled overjoyed delighted elated ecstatic",
        "contentment content contented satisfied satisfaction", "pride proud proudly",
        "relief relieved", "amusement amused", "hope hopeful hopefully", "interest interested intrigued",
        "sadness sad unhappy sorrow upset miserable gloomy sorry sadly grief unhappiness",
        "disappointment disappointed letdown disappoint", "anger angry furious annoyed irritated rage mad cross fury",
        "fear afraid scared frightened fearful terrified dread fright", "worry worried anxious uneasy concerned anxiety nervous",
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
    "mind view eye opinion belief perspective head thought idea standpoint estimate reckoning book understanding imagination "
    "picture eyes knowledge expectation light lights conviction thinking assumption certainty memory ear image"
)
_SHADES = {"delight": "joy", "contentment": "joy", "disappointment": "sadness", "worry": "fear"}
KIN = stems(
    "mother father mom mum dad parent brother sister son daughter grandmother grandfather grandma grandpa aunt uncle cousin "
    "wife husband boyfriend girlfriend classmate roommate neighbor neighbour teacher doctor nurse nephew niece boss colleague "
    "policeman policewoman gardener twin postman plumber housekeeper maid butler landlord"
)
_PHRASES = {  # phrase -> class
    "no idea": "unknow", "no clue": "unknow", "no inkling": "unknow", "no notion": "unknow", "no suspicion": "unknow",
    "a clue": "know", "the faintest": "know", "the slightest": "know", "the foggiest": "know", "any idea": "know", "a notion": "know",
    "an inkling": "know", "in the dark": "unknow", "in the know": "know", "under the impression": "believe", "none the wiser": "unknow",
    "of the opinion": "believe", "of the same opinion": "believe same", "the right idea": "know", "no right idea": "unknow",
    "no knowledge": "unknow", "in mind": "inmind", "count on": "believe", "counts on": "believe", "counting on": "believe",
    "go by": "believe", "would like": "want", "would love": "want", "'d like": "want", "'d love": "want", "is after": "want",
    "was after": "want", "really after": "want", "after is": "want", "out to": "want", "looking forward": "want",
    "looks forward": "want", "set on": "want", "hold of": "find", "in sight": "see", "gave way": "change", "given way": "change",
    "turned into": "change", "gives way": "change", "went out": "leave", "goes out": "leave", "going out": "leave", "gone out": "leave",
    "walked out": "leave", "walks out": "leave", "stepped out": "leave", "steps out": "leave", "went away": "leave", "goes away": "leave",
    "goes off": "leave", "went off": "leave", "took off": "leave", "takes off": "leave", "is out": "leave", "was out": "leave",
    "out the door": "leave", "not there": "leave", "be there": "present", "was there": "present", "were there": "present",
    "is there": "present", "being there": "present", "been there": "present", "in front of": "before", "present": "present",
    "lost in thought": "distracted", "mind was elsewhere": "distracted", "asleep": "distracted", "took nothing in": "distracted",
    "headphones": "distracted", "distracted": "distracted", "daydreaming": "distracted", "instead of": "without",
    "rather than": "without", "let down": "feel disappointment", "pleasantly surprised": "feel joy", "the same": "same",
    "likewise": "same", "too": "same", "as well": "same", "in this way": "same", "no longer": "not", "any longer": "", "any more": "",
    "picked up": "move", "picks up": "move", "heads for": "look", "head for": "look", "way of thinking": "mindnoun",
    "as far as": "view", "according to": "view", "sees it": "viewed", "can tell": "believe", "could tell": "believe",
    "change places": "move", "changed places": "move", "find out": "know", "found out": "know", "finds out": "know",
    "give up": "hinder", "get rid": "discard", "is out to": "want", "was out to": "want", "'s out to": "want", "'s after": "want", "would rather": "want", "'d rather": "want", "let on": "help", "feel like": "want", "feels like": "want", "out of his sight": "hinder", "out of her sight": "hinder", "in the dark about": "hinder", "gives up": "hinder", "keep from": "hinder", "keep away": "hinder", "come across": "help",
    "come upon": "help", "to have": "find", "off the scent": "hinder", "put away": "move", "no wish": "want not", "no desire": "want not",
    "made a face": "dislike", "pushed away": "dislike", "see through": "joke", "seen through": "joke", "sees through": "joke",
    "phone call": "", "on to": "retain", "out of sight": "hinder", "stay hidden": "hinder", "out of the way": "discard",
    "really thinks": "candid", "really think": "candid", "off guard": "feel surprise", "put off": "hinder", "keen on": "want", "interested in": "want", "so too": "same",
    "passed by": "miss", "a let-down": "feel disappointment", "ended up": "be", "ends up": "be", "wound up": "be", "wind up": "be", "hands on": "find",
    "lay hands": "find", "at first": "", "turns out": "", "turned out": "", "point out": "find", "of course": "",
}  # fmt: skip
IDIOMS = tuple((tuple(phrase.split()), "idiom", kind) for phrase, kind in _PHRASES.items())

_VERB = {stem(word): name for name, words in reversed(_VERBS.items()) for word in words.split()}
_PURPOSE: dict[str, frozenset[str]] = {}
for _name, _words in _PURPOSES.items():
    for _root in stems(_words):
        _PURPOSE[_root] = _PURPOSE.get(_root, frozenset()) | {_name}
NOT = NEGATIONS - {"unaware"} | {"hardly", "ca", "wo"}
_KINDS = {  # surface word -> what it does to the clause
    **dict.fromkeys(("he", "she", "they"), "pronoun"), **dict.fromkeys(("him", "them"), "object"),
    **dict.fromkeys(("his", "their", "himself", "herself", "themselves", "hers"), "owner"), "her": "her",
    **dict.fromkeys(("i", "we", "you", "one", "everyone", "everybody", "anyone", "anybody", "someone", "somebody"), "writer"),
    **dict.fromkeys(("nobody", "none", "no-one"), "nobody"),
    **dict.fromkeys((",", "and", "or", ":", "(", ")", "\u2013", "-", "then", "whose"), "soft"),
    **dict.fromkeys((";", ".", "!", "?", "\u2014"), "hard"),
    **dict.fromkeys(
        ["but", "because", "since", "while", "whereas", "although", "though", "unless", "so", "however", "when", "after", "before", "until", "hence", "therefore", "if", "once", "whenever", "as", "thus", "yet"], "cut",
    ),
    **dict.fromkeys(("who", "which"), "relative"), "that": "that", "where": "where", "there": "there", "it": "it", "without": "without",
    **dict.fromkeys(("to", "for", "by", "from", "of", "with", "about", "in", "into", "inside", "onto", "on", "at", "under",
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
    mark: str  # "alarm", "naming" or "": see `clauses.Read`


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
    mark = "alarm" if base in ALARMS else "naming" if naming else ""
    purposes = _PURPOSE.get(root, frozenset())
    return Word(base, root, kind, verb, feeling, purposes, raw[0].isupper(), weighty, telling, mark)


def feelings_in(text: str) -> frozenset[str]:
    """Return the feelings that a text names."""
    return frozenset(word.feeling for word in words_of(text) if word.feeling)


def kin(feelings: frozenset[str]) -> frozenset[str]:
    """Return feelings without their shades: glad or sad, angry, frightened."""
    return frozenset(_SHADES.get(one, one) for one in feelings)
