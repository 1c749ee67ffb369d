"""Closed word lists of the `rules` judge and the stemmer that makes word forms comparable.

All lists are [ours]: plain English, written for short social stories. A list names words by any form; what is compared
is the stem. Nothing here is learnt, and nothing depends on a benchmark.
"""

from __future__ import annotations

import re
from functools import lru_cache

STEMS_KEPT = 1 << 16  # distinct words whose stem is remembered

_IRREGULAR = {
    irregular: base
    for base, forms in {
        "be": "is are was were been being am", "have": "has had", "do": "does did done doing",
        "go": "goes went gone going", "come": "came", "leave": "left", "take": "took taken", "give": "gave given",
        "get": "got gotten", "see": "saw seen", "know": "knew known", "think": "thought", "feel": "felt",
        "tell": "told", "say": "said", "find": "found", "keep": "kept", "hide": "hidden", "bring": "brought",
        "buy": "bought", "hear": "heard", "hold": "held", "lie": "lying lied", "lose": "lost", "make": "made",
        "meet": "met", "run": "ran", "sell": "sold", "send": "sent", "show": "shown", "sit": "sat",
        "speak": "spoke spoken", "stand": "stood", "understand": "understood", "write": "wrote written",
        "choose": "chose chosen", "begin": "began begun", "eat": "ate eaten", "forget": "forgot forgotten",
        "mean": "meant", "wake": "woke woken", "become": "became", "catch": "caught", "teach": "taught",
        "break": "broke broken", "fall": "fell fallen", "fly": "flew flown", "grow": "grew grown",
        "throw": "threw thrown", "wear": "wore worn", "child": "children", "man": "men", "woman": "women",
        "person": "people", "knife": "knives", "shelf": "shelves", "wife": "wives", "life": "lives",
        "use": "used using", "happy": "happiness", "sad": "sadness", "angry": "anger", "disappoint": "disappointment",
        "phone": "telephone telephones", "neighbor": "neighbour neighbours", "believe": "belief beliefs",
        "intend": "intention intentions intent", "feeling": "feelings",
    }.items()
    for irregular in forms.split()
}  # fmt: skip


_ENDINGS = (  # ending, what stands for it, letters that must be left before it
    ("ies", "y", 2), ("ied", "y", 2), ("sses", "ss", 1), ("ches", "ch", 1), ("shes", "sh", 1), ("xes", "x", 1),
    ("ss", "ss", 1), ("us", "us", 1), ("is", "is", 1), ("s", "", 3), ("ing", "", 3), ("eed", "ee", 2), ("ed", "", 3),
    ("ly", "", 3),
)  # fmt: skip


@lru_cache(maxsize=STEMS_KEPT)
def stem(word: str) -> str:
    """Return the comparable form of a lower-case word: "moved", "moves", "moving" and "move" are one. Any string in."""
    word = word.split("'")[0].split("\u2019")[0] or word
    return _regular(_IRREGULAR.get(word, word))


def _regular(word: str) -> str:
    """Take off one inflection, a doubled last consonant and a last e; y becomes i."""
    if len(word) <= 3 or word[-1].isdigit():
        return word
    base = _without_ending(word)
    if len(base) > 3 and base[-1] == base[-2] and base != word and base[-1] not in "lszeo":
        base = base[:-1]  # "putting" -> "putt" -> "put"
    if len(base) <= 3:
        return base
    return base[:-1] if base.endswith("e") else base[:-1] + "i" if base.endswith("y") else base


def _without_ending(word: str) -> str:
    for ending, rest, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            return word[: len(word) - len(ending)] + rest
    return word


def words_in(words: str) -> frozenset[str]:
    """Return the words of a blank-separated list, as they are."""
    return frozenset(words.split())


def stems(words: str) -> frozenset[str]:
    """Return the stems of a blank-separated list."""
    return frozenset(stem(word) for word in words.split())


NEGATIONS = words_in(
    "not never no nor neither nobody none nothing cannot without unaware unable fails failed don't doesn't didn't "
    "won't wouldn't can't couldn't isn't aren't wasn't weren't hasn't haven't hadn't shouldn't mustn't"
)
OPPOSITES = {  # word -> what it is the negation of
    "unaware": "aware", "unhappy": "happy", "dislike": "like", "dislikes": "like", "unknown": "known", "untrue": "true",
    "false": "true", "unwilling": "willing", "disbelieves": "believe", "ignorant": "aware", "dissatisfied": "satisfied",
    "unable": "able", "doubts": "believe", "doubt": "believe", "denies": "admit", "impossible": "possible",
}  # fmt: skip
BOUNDARIES = words_in(
    ', ; : . ! ? — \u2013 " “ ” but because so although though while when whereas since until however and'
)

# Where what is attributed to a mind ends: the reason, the contrast or the time that follows is the writer's.
CUTTING = words_in("; but although though while whereas because since so unless before after when until however")
PERCEIVING = stems("see hear notice perceive learn remember watch observe look miss overlook")
BELIEVING = stems("think believe assume suppose expect convince certain guess imagine conclude feel")
REFERRING = words_in("he she they it him her them his hers their its himself herself itself themselves")
# Capitalised words that are no names.
CALENDAR = words_in(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december mr mrs ms dr english chinese ok okay yes"
)

# Verbs (and their nouns) that attribute a state of mind to their subject.
MENTAL = stems(
    "think believe know feel want see hope wish expect assume suppose remember forget realise realize notice "
    "understand guess imagine doubt fear worry like love hate prefer need intend plan mean mind desire enjoy regret "
    "aware unaware suspect consider decide trust learn hear perceive look-for mistake mistaken conclude infer wonder "
    "view perspective opinion knowledge emotion mood reaction motive reason happy sad angry surprised disappointed "
    "afraid scared proud guilty embarrassed ashamed jealous excited nervous anxious upset relieved grateful confused "
    "curious bored calm satisfied annoyed hurt delighted pleased shocked touched moved-by lonely frustrated thrilled "
    "furious panic disgusted joy joyful convinced sure certain pretend lie joke tease hint imply praise blame comfort "
    "persuade want-to convey express suggest dislike disbelieve ignorant misunderstand misbelieve overlook miss"
)
GOAL = stems(
    "want goal aim need wish hope intend try seek purpose motive plan desire look find learn decide determine question "
    "ask task answer objective achieve avoid help prefer like work-out figure explain identify tell know understand "
    "choose reach get obtain retrieve reason"
)
# Words of reasoning itself: they neither support nor weaken a sentence.
REASONING = MENTAL.union(GOAL, stems(
    "story say state mention note cue fact key important detail first second third then next last finally therefore "
    "thus hence conclusion show clear probably possibly perhaps maybe still already now later before after earlier "
    "while moment time because since result follow true really actual reality right wrong correct false way thing "
    "something anything nothing everything someone anyone everyone person one other another same different case "
    "situation scene event happen remain stay keep change place location where inside outside here there away back "
    "around order turn point step interpret interpretation response generation encode clarification option choice "
    "select pick best most more less very only just even also again never always unseen witness present absent "
    "without with act action behave behavior behaviour do make take go come leave return enter put move give search "
    "check open naturally original initial previous new old current full empty both each neither either whether able "
    "decisive matter count worth given therefore two three whoever whatever several many few can will would should "
    "could may might must due accord base evidence support update information observe"
))  # fmt: skip
STOP = words_in(
    "a an the this that these those of in on at to from by for with into onto out up down over under as is are was "
    "were be been being am do does did doing have has had having and or but if than then so because while when where "
    "who whom whose which what why how it its he him his she her hers they them their theirs we us our you your i me "
    "my mine himself herself itself themselves will would can could shall should may might must there here not no nor "
    "never also too very just about's s t re ll ve d m"
)
PRONOUNS = words_in("he she they")
REASONER = words_in("i we you")  # the writer of the reply: no character's mind
INVERTING = words_in("do does did will would can could should shall may might must has have had is are was were")
# Between a subject and its verb: auxiliaries, negations, adverbs.
SKIPPED = INVERTING | words_in(
    "be been being not never no longer still also probably likely therefore thus then now only just even really "
    "actually always already mistakenly wrongly falsely correctly simply thereby most clearly surely certainly perhaps "
    "possibly naturally initially both all each cannot doesn't don't didn't won't wouldn't can't couldn't isn't aren't "
    "wasn't weren't hasn't haven't to very quite so too firmly strongly privately secretly rightly"
)

ROLES = stems(
    "man woman boy girl child baby mother father mom mum dad parent brother sister son daughter grandmother "
    "grandfather grandma grandpa aunt uncle cousin wife husband friend boyfriend girlfriend classmate roommate "
    "neighbor neighbour teacher student pupil professor doctor nurse patient police policeman policewoman officer "
    "thief robber soldier manager boss employee worker colleague coworker secretary assistant engineer director owner "
    "shopkeeper salesperson salesman seller clerk cashier waiter waitress chef cook customer client guest host visitor "
    "tourist guide driver passenger pilot farmer fisherman hunter artist painter photographer musician singer dancer "
    "actor actress writer author editor reporter player coach teammate captain judge lawyer witness resident leader "
    "member volunteer scientist researcher librarian guard stranger princess prince king queen robot hairdresser "
    "vendor buyer landlord tenant partner couple family crowd audience kid adult grandson granddaughter nephew niece "
    "monk dentist barber"
)
# Ordinary containers, places and things that a story names when they matter: naming another one invents it.
OBJECTS = stems(
    "box basket bag handbag backpack suitcase briefcase drawer cupboard cabinet closet wardrobe shelf chest crate "
    "bucket jar tin can bottle pot bowl cup mug plate envelope wallet purse pocket safe locker trunk fridge "
    "refrigerator freezer oven stove sink table desk chair sofa couch bed pillow blanket carpet rug lamp mirror window "
    "curtain kitchen bathroom bedroom garage attic basement cellar garden yard balcony porch hallway corridor office "
    "classroom library school hospital bank shop store supermarket market restaurant cafe bar hotel museum theatre "
    "theater cinema gym park playground beach forest river lake mountain station airport church castle farm barn shed "
    "tent car bus train bicycle bike truck boat plane ball doll toy puzzle kite balloon book notebook newspaper "
    "magazine letter card pen pencil scissors key phone telephone computer laptop camera watch clock ring necklace "
    "bracelet hat coat jacket scarf glove sock shoe shirt dress umbrella apple banana orange pear grape lemon carrot "
    "potato tomato cabbage onion bread cake cookie biscuit chocolate candy cheese egg milk juice coffee tea water soup "
    "sandwich pizza dog cat puppy kitten rabbit hamster bird parrot fish horse flower rose guitar piano violin drum "
    "painting picture photo medicine money coin ticket passport map hammer knife spoon fork candle"
)

NAMINGS = words_in("yes no")  # with a lone capital letter: what may name an option
# "option B", "the answer is B", "(B)", and a letter alone where an answer is named: "so B is right", "I choose B.".
# "A box" has an article, "I" is the writer, "plan B" names no option.
_BEFORE = (
    "is be it makes? choose choosing chosen pick picking take get with on to leaves? so only thus hence therefore then "
    "say gives? called means? meaning namely and answer stays? must for at"
)
LETTER = re.compile(
    r"\b(?i:option|choice|answer)(?i:\s{1,3}is)?\s{0,3}:?\s{0,3}\(?([A-Z])(?![\w'\u2019])|\(([A-Z])\)"
    rf"|(?:^|[.;:,=>\u2192]\s{{1,3}}|\b(?i:{'|'.join(_BEFORE.split())})\s{{1,3}})([A-HJ-Z])"
    r"(?=\s{0,3}(?:[.,;:!?)]|(?m:$))|\s{1,3}(?:is|it\s{1,3}is|fits|follows|must|looks|seems|would|correct|right|has\s{1,3}to"
    r"|the\s{1,3}answer)\b|(?<!A)\s{1,3}[a-z]{2,12}s\b)"
)


ANSWERING = re.compile(
    r"\b(?:the|my|right|correct)\s{1,3}(?:answer|option|choice)\b|\boption\s{1,3}[A-Z]\b|^\W*(?:yes|no)\b",
    re.IGNORECASE,
)


def letters_in(text: str) -> list[str]:
    """Return the letters by which a text names options, in its order."""
    return [next(filter(None, match.groups())) for match in LETTER.finditer(text)]
