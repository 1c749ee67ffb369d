"""A text as clauses: who does, sees, says, feels, wants or holds what, in whose mind, and whether it is denied.

One pass over the words, linear in the text. A clause ends at a comma, a conjunction or a full stop; a negation reaches
no further than its clause. What a word of the mind has as its subject becomes a holder of what follows: "Anna thinks
that Ben believes it is in the box" is held by Anna, then by Ben. A pronoun gives all who may be meant, likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from socialr1_lite.judges.language.lexicon import OBJECTS, REASONING
from socialr1_lite.judges.language.verbs import BARE, KIN, MIND, Word, word_of, words_of
from socialr1_lite.sip import sentences

Who = tuple[str, ...]  # the people whom a name (one) or a pronoun may mean, likeliest first
Group = tuple[Who, ...]  # "Anna and Ben": both
# "It is not so that Ann ...", "it would be wrong to say that Ann ..." deny; "Ann is wrong to think that" does not.
CALLED_WRONG = re.compile(
    r"\W*(?:\w+,?\s)?it(?:['’]s|(?:\s(?:is|was|would|be)){1,2})\s(?:simply\s|just\s)?"
    r"(?:not\s(?:so|true|right|correct|the\scase)|(?:wrong|false|untrue|incorrect|a\smistake)(?:\sto\s\w+)?)\sthat\b",
    re.IGNORECASE,
)
SENTENCES_KEPT = 256  # sentences remembered for a scenario
SUPPOSING = frozenset(("if", "unless"))
DEEPEST = 5  # thoughts within thoughts that are followed
MINDS = frozenset(("believe", "know", "unknow", "doubt", "want", "feel"))
HOLDING = MINDS | {"see", "miss", "say"}  # what may be followed by a clause of its own
PARTICIPLES = frozenset(["known", "seen", "thought", "told", "caught", "heard", "taken"])
ARTICLES = frozenset(["a", "an", "the", "his", "her", "their"])
NO_PASSIVE = frozenset(["convinced", "mistaken", "misled", "satisfied"])


Phrase = tuple[tuple[str, ...], str, str]  # its words, what it is (person, thing, idiom), and its name


class Holder(NamedTuple):
    """Somebody in whose mind a clause is: by which class of verb, and whether that is denied."""

    who: Group
    verb: str
    denied: bool = False


class Thing(NamedTuple):
    """A thing or place of the world, and its role: the preposition before it, "subject", or ""."""

    name: str
    role: str


@dataclass(slots=True)
class Clause:
    """One clause, in the mind of its chain of holders (nobody: the story itself).

    subject, verb: who does it, and the class of the word of doing. classes, purposes: of all its words. words: stems
    of the weighty ones. kept: holders taken over from the clause before, of which any number may be meant; at least
    `least`. excluded: "instead of", "without". supposed: "if ...", of which nobody says that it is so.
    """

    number: int = 0
    chain: tuple[Holder, ...] = ()
    subject: Group = ()
    verb: str = ""
    classes: set[str] = field(default_factory=set)
    purposes: set[str] = field(default_factory=set)
    others: list[Who] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    feelings: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    denied: bool = False
    future: bool = False
    past: bool = False
    passive: bool = False
    same: bool = False
    there: bool = False
    excluded: bool = False
    supposed: bool = False
    pushed: bool = False  # opens a mind
    noun: bool = False  # of the mind, with its owner: "her wish"
    own: bool = False  # its subject stands in it
    leads: bool = False  # to another mind, and says nothing more
    kept: int = 0
    least: int = 0


class Read(NamedTuple):
    """A sentence: its clauses, its number of words and of names, pronouns and things, and what no story knows."""

    text: str
    clauses: tuple[Clause, ...]
    size: int
    anchors: int
    strangers: tuple[str, ...]
    words: frozenset[str]  # stems of the weighty words
    entities: frozenset[str]  # people (as likely meant), things and places
    named: frozenset[str]  # those of them that stand there by name
    foreign: int  # words that neither the story nor a table has
    naming: bool  # it has words without which nobody names an option


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A world's people with their genders ("" unknown), and its phrases by their first two words, longest first.

    known: the stems of all words of story, question and options. asked: the people of the question, in order.
    """

    people: Mapping[str, str]
    phrases: Mapping[tuple[str, ...], Sequence[Phrase]]
    known: frozenset[str]
    asked: tuple[str, ...] = ()
    memory: dict[tuple[object, ...], tuple[Read, tuple[str, ...], str, str, Group]] = field(default_factory=dict)


def read_clauses(text: str, vocabulary: Vocabulary) -> list[Read]:
    """Read the sentences of a text, one after the other: pronouns may mean people of the sentences before."""
    reader = _Reader(vocabulary)
    return [reader.remembered(text[start:end], number) for number, (start, end) in enumerate(sentences(text))]


class _State:
    """What is remembered while a text is read, and how a mind is opened and a clause ended."""

    __slots__ = (
        "anchors", "at", "bases", "before", "clause", "deferred", "entities", "first", "foreign", "found", "group",
        "inherited", "last", "named", "names", "noun", "number", "open", "owner", "pending", "preposition", "recent",
        "saved", "strangers", "thing", "thingly", "tokens", "topic", "view", "vocabulary", "words", "writer",
    )  # fmt: skip

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.recent: list[str] = []  # people, the last one spoken of last
        self.topic = next(iter(vocabulary.asked), "")  # who was the subject of the last sentence
        self.group: Group = ()
        self.thing = ""

    def _begin(self, text: str, number: int) -> None:
        """Forget all but whom and what the sentences before were about."""
        called_wrong = CALLED_WRONG.match(text)
        self.tokens = words_of(text[called_wrong.end() :] if called_wrong else text)
        self.bases = [*(word.base for word in self.tokens), ""]
        self.at, self.number = 0, number
        self.found: list[Clause] = []
        self.clause = Clause(number, denied=called_wrong is not None)
        self.pending: Group = ()  # who is the subject of the verb to come
        self.owner: Group = ()  # "Anna's", of what is to come
        self.deferred = ""  # a word of the mind in the passive: whose it is comes after "to" or "by"
        self.before: tuple[int, frozenset[str]] = (0, frozenset())  # what the clause had before that subject
        self.noun = ""  # a noun of the mind right before: whose it is comes after "of"
        self.preposition = self.last = ""
        self.open = self.writer = self.view = self.thingly = self.inherited = False
        self.named = -2  # the place behind the last name
        self.saved: list[tuple[Clause, Group]] = []
        self.strangers: list[str] = []
        self.words: set[str] = set()
        self.entities: set[str] = set()
        self.names: set[str] = set()
        self.anchors, self.first, self.foreign = 0, "", 0

    def _base(self, at: int) -> str:
        return self.bases[at] if at < len(self.bases) else ""

    def _flush(self, *, keep: bool = False) -> None:
        """End the clause; with `keep`, in the same minds."""
        clause = self.clause
        if clause.verb == "" and clause.passive and "be" in clause.classes:
            clause.verb = "be"
        if (not clause.subject and not clause.chain and self.pending) or (
            not clause.subject and self.pending and clause.verb
        ):
            clause.subject = self.pending
        if clause.verb or clause.things or clause.pushed or clause.feelings or (clause.subject and not clause.chain):
            self.found.append(clause)
        self.clause, self.before = Clause(self.number), (0, frozenset())
        if keep:
            self.clause.supposed = clause.supposed
            self.clause.chain, self.clause.kept, self.clause.least = clause.chain, clause.kept, clause.least
        else:
            self.owner, self.deferred, self.open, self.thingly = (), "", False, False

    def _push(self, group: Group, kind: str, *, view: bool = False, late: bool = False) -> None:
        """Open what somebody holds: the rest of the clause, or with `late` all of it."""
        clause = self.clause
        denied, outer, kept, least = clause.denied, clause.chain, clause.kept, clause.least
        if not late and (clause.things or clause.feelings or clause.verb or clause.pushed):
            clause.denied = clause.denied and not self.open
            clause.leads = clause.pushed
            words, purposes = self.before  # "she mistakenly" belongs to what she holds
            later = clause.words[words:], clause.purposes - purposes
            del clause.words[words:]
            clause.purposes &= purposes
            self._flush(keep=True)
            clause = self.clause
            clause.words, clause.purposes = later[0], set(later[1])
        if outer and outer[-1].who == group and len(outer) > kept:
            outer = outer[:-1]
        if not self.open and not kept:
            outer = ()
        clause.chain = (*outer, Holder(group, kind, denied))[:DEEPEST]
        clause.pushed, clause.noun, self.view, self.thingly = True, view, view, False
        clause.kept, clause.least = min(kept, len(outer)), least
        clause.denied = False
        clause.classes.add(kind)
        self.open, self.pending = True, ()

    def _agent(self, group: Group) -> None:
        if self.deferred:
            self.pending, kind, self.deferred = group, self.deferred, ""
            self._push(group, kind, late=True)
            return
        self.clause.subject = group
        for clause in reversed(self.found):
            if clause.number != self.number or clause.subject or not clause.passive:
                break
            clause.subject = group

    def _begins(self) -> bool:
        """Return whether nothing has been said in the clause yet: "for Anna" is then how Anna sees it."""
        clause = self.clause
        return (not self.pending or self.inherited) and not (clause.verb or clause.things or clause.words or self.open)

    def _owns(self, at: int) -> bool:
        """Return whether "'s" before this place makes an owner: no participle, article or adverb follows."""
        if at >= len(self.tokens):
            return True
        word = self.tokens[at]
        return word.root in MIND or not (
            word.kind
            or word.base in BARE
            or word.base.endswith(("ing", "ed"))
            or word.verb in ("leave", "unknow")
            or word.base
            in ("aware", "certain", "sure", "convinced", "got", "had", "seen", "well", "out", "in", "after")
        )


class _People(_State):
    """Takes people, things and the ends of clauses."""

    __slots__ = ()

    def _person(self, who: Who, at: int, behind: int) -> int:
        """Take a name or a pronoun; return the place behind it."""
        self.anchors += 1
        self.entities.add(who[0])
        if who[0] in self.recent:
            self.recent.remove(who[0])
        self.recent.append(who[0])
        joined = self.named == at - 1 and self.last in ("and", ",", "or")
        self.named, preposition, self.preposition = behind, self.preposition, ""
        if self._base(behind) == "'s" and self._owns(behind + 1):
            self.owner = (*self.owner, who) if joined else (who,)
            self.named = behind + 1
            return behind + 1
        clause = self.clause
        if joined and clause.others and not self.pending:
            clause.others.append(who)
        elif joined and self.pending:
            self.pending = self.group = self.pending if who in self.pending else (*self.pending, who)
        elif preposition == "by" and (self.deferred or clause.passive):
            self._agent((who,))
        elif preposition == "to" and self.view and not clause.chain:  # "according to Anna"
            self._push((who,), "believe", view=True)
        elif preposition == "to" and self.deferred:
            self._agent((who,))
        elif preposition == "of" and self.noun:
            self._push((who,), self.noun)
        elif preposition in ("for", "to", "with") and self._begins():
            self._push((who,), "believe", view=True)
            self.open = True
        elif preposition:
            clause.others.append(who)
        else:
            if clause.verb or (self.open and self.last != "that"):
                clause.others.append(who)
            if self.clause.kept and not self.open and not clause.verb:
                self.open = True
            self.pending, self.thingly, self.inherited = (who,), False, False
            self.before = (len(clause.words), frozenset(clause.purposes))
            self.group = self.pending
            self.first = self.first or who[0]
        return behind

    def _meant(self, base: str, *, inner: bool) -> Who:
        """Return whom a pronoun may mean: of its gender, first the topic, then the last ones spoken of."""
        genders = self.vocabulary.people
        wanted = {"he": "he", "him": "he", "his": "he", "himself": "he"}.get(
            base, "she" if base in ("she", "her", "herself", "hers") else ""
        )
        people = [name for name in reversed(self.recent) if not wanted or genders.get(name) in (wanted, "")]
        people += [name for name in genders if name not in people and (not wanted or genders[name] in (wanted, ""))]
        holders = [who[0] for holder in self.clause.chain[-1:] for who in holder.who]
        if self.topic in people and not holders and not self.first:
            people.remove(self.topic)
            people.insert(0, self.topic)
        elif self.first in people and not holders:
            people.remove(self.first)
            people.insert(0, self.first)
        if inner and holders:
            people = [name for name in people if name not in holders] + [name for name in people if name in holders]
        return tuple(people[:3])

    def _thing(self, name: str) -> None:
        clause = self.clause
        self.anchors += 1
        self.entities.add(name)
        role = self.preposition or ("subject" if not clause.verb and not self.pending else "")
        if clause.excluded:
            return
        if self.inherited and not (self.preposition or clause.verb or self.open):
            self.pending, role = (), "subject"  # "so the doll is in the box"
        clause.things.append(Thing(name, role))
        if role == "subject" and (not clause.chain or clause.chain[-1].verb != "want" or not self.open):
            self.thingly = True
        self.preposition = ""
        self.thing = name

    def _is_person(self, at: int) -> bool:
        word = self._base(at)
        return any(kind == "person" for _, kind, _ in self.vocabulary.phrases.get((word,), ())) or word in ("he", "she")

    def _relative(self, word: Word, at: int) -> None:
        """Open "who ..." and ", which ...": what it interrupts goes on behind the next comma."""
        if self.last == "," and (word.base == "which" or self.named == at - 1):
            self.saved.append((self.clause, self.pending))
            who = self.group if word.base == "who" else ()
            self.clause, self.pending, self.open = Clause(self.number), who, False
        elif word.base == "who" and self.named == at:
            who = self.group
            self._flush()
            self.pending = who

    def _boundary(self, word: Word, at: int) -> None:
        following = self._base(at + 1)
        if word.kind == "soft" and word.base in (",", "and", "or") and self.named == at and self._is_person(at + 1):
            return  # "Anna and Ben", "Anna, Ben and Clara"
        if self.saved and word.base == ",":
            inner = self.clause
            self.clause, self.pending = self.saved.pop()
            self.open = bool(self.clause.chain) and not self.clause.verb
            if inner.verb or inner.things or inner.chain:
                self.found.append(inner)
            return
        if word.base == ":" and self.open:
            return  # "Lars knows: the sideboard"
        if word.base == "so" and self.last and self.open and word_of(self.last).verb in ("believe", "know"):
            self.clause.same = True  # "Ben thinks so"
            return
        chain, subject = self.clause.chain, self.pending or self.clause.subject
        view = bool(chain) and self.view and not self.clause.things
        self._flush()
        self.preposition = ""
        if word.kind == "soft":
            self.clause.chain = chain
            self.clause.kept = 0 if view else len(chain)
            self.clause.least = len(chain) if following == "that" else 0
            self.open = view or (following == "that" and bool(chain))
            self.pending = () if following == "that" else subject
            self.clause.subject = ()
        else:
            self.open, self.clause.supposed = False, word.base in SUPPOSING
            self.pending = (subject or (chain[0].who if chain else ())) if word.kind == "cut" else ()
        self.inherited = bool(self.pending)

    def _little(self, word: Word, at: int) -> None:
        kind, clause = word.kind, self.clause
        if kind == "pronoun" or kind == "object":
            if word.base in ("they", "them") and self.group:
                self.anchors += 1
                if kind == "pronoun":
                    self.pending = self.group
            elif who := self._meant(word.base, inner=self.open):
                self._person(who, at, at + 1)
        elif kind == "her" or kind == "owner":
            if who := self._meant(word.base, inner=self.open):
                following = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
                if kind == "owner" or (following and following.weighty and not following.base.endswith("ing")):
                    self.anchors += 1
                    self.owner = (who,)
                else:
                    self._person(who, at, at + 1)
        elif kind == "not":
            clause.denied = not clause.denied
        elif kind == "nobody":
            clause.denied, self.pending, self.writer = True, (), True
        elif kind == "writer":
            if not clause.verb and not self.open:
                self.writer, self.pending = True, ()
        elif kind == "preposition":
            self.preposition = (
                "in"
                if word.base in ("into", "inside", "onto", "on", "at", "under", "to") and word.base != "to"
                else word.base
            )
            if word.base == "of" and self.last == "out":
                self.preposition = "from"
        elif kind == "be":
            clause.passive = True
            clause.past = clause.past or word.base in ("was", "were")
            clause.classes.add("be")
        elif kind == "future":
            clause.future = True
        elif kind == "there":
            clause.there = True
        elif kind == "it":
            clause.classes.add("it")
            if self.inherited and not clause.verb and not self.open:
                self.pending = ()  # "before it was moved"
        elif kind == "without":
            self._flush()
            self.clause.excluded = True
        elif kind == "relative":
            self._relative(word, at)
        elif kind == "where":
            clause.classes.add("where")
        elif kind in ("soft", "cut", "hard"):
            self._boundary(word, at)

    def _plain(self, word: Word, at: int) -> None:
        """Take a word of no class; a capital may make it a stranger's name."""
        clause = self.clause
        clause.words.append(word.root)
        self.words.add(word.root)
        clause.purposes |= word.purposes
        self.preposition = ""
        known = self.vocabulary.known
        if word.root in known:
            return
        self.foreign += not (word.purposes or word.root in REASONING)
        if (
            (word.capital and len(word.base) > 2 and not word.base.isupper() and self._is_name(word, at))
            or word.root in KIN
            or (word.root in OBJECTS and any(self.tokens[i].base in ARTICLES for i in range(max(0, at - 3), at)))
        ):
            self.strangers.append(word.base)
        if word.base.endswith(("s", "ed")) and self.pending and not clause.verb and not self.open:
            clause.subject = self.pending

    def _is_name(self, word: Word, at: int) -> bool:
        """Return whether a capitalised word that the story lacks names somebody: at a start, only as a subject."""
        if at and self.tokens[at - 1].base not in (":", "(", "-", "\u201c", '"'):
            return True
        following = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
        return bool(
            following
            and not (word.base.endswith(("ly", "ing", "ed", "s")) or word.purposes or word.root in REASONING)
            and (
                following.kind in ("be", "future")
                or (following.verb and following.base.endswith("s"))
                or following.base == ":"
            )
            and not word.verb
            and following.base != "'s"
        )


class _Reader(_People):
    """Reads sentences from left to right; see `Clause`."""

    __slots__ = ()

    def remembered(self, text: str, number: int) -> Read:
        """Read a sentence, or remember it: replies to one scenario share many."""
        memory = self.vocabulary.memory
        key = (text, number, *self.recent, "", self.topic, self.thing, self.group)
        known = memory.get(key)
        if known is None:
            if len(memory) >= SENTENCES_KEPT:
                memory.clear()
            known = memory[key] = (self.sentence(text, number), (*self.recent,), self.topic, self.thing, self.group)
        self.recent, self.topic, self.thing, self.group = [*known[1]], *known[2:]
        return known[0]

    def sentence(self, text: str, number: int) -> Read:
        """Read one sentence."""
        self._begin(text, number)
        self._take_all()
        self._flush()
        self.topic = self.first or self.topic
        return Read(
            text,
            tuple(self.found),
            len(text.split()),
            self.anchors,
            tuple(self.strangers),
            frozenset(self.words),
            frozenset(self.entities),
            frozenset(self.names),
            self.foreign,
            any(word.naming for word in self.tokens),
        )

    def _take_all(self) -> None:
        """Take the words one after the other; a phrase is taken as a whole."""
        phrases, tokens, bases, at = self.vocabulary.phrases, self.tokens, self.bases, 0
        for word in tokens:
            if at > self.at:
                self.at += 1
                continue
            base = word.base
            entries = phrases.get((base, bases[at + 1])) or phrases.get((base,))
            behind = self._phrase(entries, word, at) if entries else 0
            if behind:
                at = behind
            else:
                if word.kind:
                    self._little(word, at)
                elif word.telling:
                    self._weighty(word, at)
                elif word.weighty:
                    self._plain(word, at)
                self.last = base
                at += 1
            self.at += 1

    def _phrase(self, entries: Sequence[Phrase], word: Word, at: int) -> int:
        """Take the longest phrase that begins here; return the place behind it, or 0."""
        for parts, kind, name in entries:
            behind = at + len(parts)
            if (word.capital or kind != "person") and (
                len(parts) < 3 or self.bases[at + 2 : behind] == list(parts[2:])
            ):
                if kind == "idiom":
                    self._idiom(name)
                elif kind == "person":
                    self.names.add(name)
                    behind = self._person((name,), at, behind)
                else:
                    self.names.add(name)
                    self._thing(name)
                self.last = parts[-1]
                return behind
        return 0

    def _weighty(self, word: Word, at: int) -> None:
        """Take a verb, a feeling, or a noun of the mind."""
        self.words.update((word.root, f"#{word.verb}") if word.verb else (word.root,))
        kind, self.noun = word.verb, ""
        if word.root == "mean" and self.pending and (self._base(at + 1) == "to" or self._is_person(at + 1)):
            kind = "want"
        if kind == "move" and word.root == "tak" and self._takes_to_be(at):
            kind = "believe"
        if self.owner and (word.root in MIND or kind in MINDS or word.feeling):
            group, self.owner = self.owner, ()
            self._push(group, kind if kind in MINDS else "feel" if word.feeling else "believe", view=True)
            self.open = True
        elif kind in HOLDING:
            chain = self.clause.chain
            felt = word.feeling and chain and chain[-1].verb == "feel"  # "feels hope"
            expected = word.base.endswith("ed") and at + 1 < len(self.tokens) and self.tokens[at + 1].feeling
            if not (felt or expected):
                self._mind(word, kind)
        elif kind:
            if kind == "like" and self.owner:  # "Anna's favourite"
                self.pending = self.owner
            self._act(kind, word)
        self.owner = () if kind else self.owner
        clause = self.clause
        clause.words.append(word.root)
        clause.purposes |= word.purposes
        if word.feeling:
            clause.feelings.append(word.feeling)
            clause.subject = clause.subject or self.pending
        self.preposition = ""

    def _takes_to_be(self, at: int) -> bool:
        """Return whether "takes" is believing: "takes it to be", "takes Ben to believe", "takes Ben for"."""
        bases = [self._base(i) for i in range(at + 1, at + 8)]
        for i, base in enumerate(bases):
            if base in (",", ".", "out", "away", "from"):
                return False
            if base in ("to", "for", "that"):
                return base != "to" or bases[i + 1 : i + 2] in (
                    ["be"],
                    ["have"],
                    ["believe"],
                    ["think"],
                    ["know"],
                    ["hold"],
                    ["picture"],
                    ["expect"],
                    ["still"],
                )
        return False

    def _mind(self, word: Word, kind: str) -> None:
        """Take a word of holding, seeing or saying with its subject."""
        clause = self.clause
        participle = word.base in PARTICIPLES or (word.base.endswith("ed") and word.base not in NO_PASSIVE)
        if participle and clause.passive and kind != "feel" and self.last not in ("has", "had", "have"):
            self.deferred = kind
            clause.classes.add(kind)
            if kind in ("see", "say") and self.pending:
                clause.subject, clause.verb = self.pending, "told" if kind == "say" else "seen"
        elif self.thingly and not self.pending:
            clause.verb = clause.verb or "other"
        elif self.writer and not self.pending:
            self.writer = False
            clause.denied = clause.denied and kind == "doubt"
        elif self.pending:
            self._push(self.pending, kind)
        elif clause.chain and clause.chain[-1].verb == "want" and self.open and not clause.things:
            clause.classes.add(kind)
        elif clause.chain and not clause.verb:
            last = clause.chain[-1]
            denied, clause.denied = clause.denied, False
            self._flush(keep=True)
            self.clause.chain = (*clause.chain[:-1], Holder(last.who, kind, denied))
            self.clause.kept = min(self.clause.kept, len(clause.chain) - 1)
            self.clause.pushed = self.open = True
        else:
            clause.classes.add(kind)
            self.noun = kind if kind in MINDS else ""

    def _act(self, kind: str, word: Word) -> None:
        """Take a word of doing or being with its subject."""
        clause = self.clause
        if clause.verb and self.pending and clause.subject and self.pending != clause.subject:
            self._flush(keep=True)
            clause = self.clause
        clause.classes.add(kind)
        if self.pending:
            if self.open and clause.chain and clause.chain[-1].verb in ("see", "say") and clause.things:
                self._flush(keep=True)
                clause = self.clause
                clause.classes.add(kind)
            clause.subject, clause.own = self.pending, not self.inherited
        if not clause.verb or clause.verb in ("be", "seen", "told"):
            clause.verb = kind
        clause.past = clause.past or word.base.endswith("ed")

    def _idiom(self, name: str) -> None:
        """Take a phrase that stands for a class."""
        kind, _, more = name.partition(" ")
        clause = self.clause
        self.words.add(f"#{kind}")
        if kind == "same" or more == "same":
            clause.same = True
        if more == "not" or kind == "not":
            clause.denied = not clause.denied
        if kind == "inmind":
            holders = clause.chain[-1].who if clause.chain and not clause.verb else ()
            if group := self.pending or clause.subject or holders:
                self._push(group, "believe", late=True)
        elif kind == "mindnoun" and self.owner:
            group, self.owner = self.owner, ()
            self._push(group, "believe", view=True)
        elif kind == "viewed" and self.pending:
            self._push(self.pending, "believe", view=True)
        elif kind == "view":
            self.view, self.preposition = True, "to"
        elif kind == "change":
            clause.feelings.clear()
            clause.classes.add("change")
        elif kind == "without":
            self._flush()
            self.clause.excluded = True
        elif kind in ("help", "hinder", "joke", "retain", "discard", "candid"):
            clause.purposes.add(kind)
        elif kind in HOLDING:
            if self.pending:
                self._push(self.pending, kind)
            elif self.owner:
                group, self.owner = self.owner, ()
                self._push(group, kind)
            elif clause.chain and clause.kept:
                last = clause.chain[-1]
                self._push(last.who, kind)
            if more and more not in ("same", "not"):
                self.clause.feelings.append(more)
                self.clause.subject = self.clause.subject or self.pending
        elif kind in ("leave", "present", "distracted", "look", "find", "be", "move", "before", "dislike"):
            if kind == "find":
                clause.purposes.add("help")
            if clause.verb in ("be", "") or kind in ("present", "distracted"):
                clause.subject = self.pending or clause.subject
                clause.verb = kind
            clause.classes.add(kind)
