"""What a reader takes a free reply to say: the one option it settles on, by letter or by text, in English or Chinese.

Beside the strict rule of training, which takes an answer block and nothing else, so that a wrong form and a wrong
answer are told apart. It never guesses: a reply that names two options, or none, or only says what is not the answer,
gives None. Thinking is taken out before (`chat_reply.without_thinking`).
"""
# ruff: noqa: RUF001 (Chinese punctuation)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import NamedTuple

OPEN, CLOSE = "(\\[{<\"'“‘「『《【*_`#$", ")\\]}>\"'”’」』》】*_`$"
MARKS = (OPEN + CLOSE).replace("\\", "")  # to strip
LONGEST, MOST = 6000, 300  # characters, of the end of a reply, and mentions of options that are looked at
LEFT = 200  # characters before a mention in which a denial is looked for
SHORT = 400  # characters of a reply that is read as a whole; of a longer one only what it says in so many words
LISTED = r",?\s*(?:or|and)\b|和|或者?|还是|以及|、"
# What makes a lone capital a letter of an option, and not "A loft" or "I think".
AFTER = {
    "A": r"(?=[^\S\n]*(?:$|\n|[^\sA-Za-z'’])"
    r"|\s+(?:is|or|and|because|since|as|but|if|unless|when|rather|instead|seems|would|over|not)\b)",
    "I": r"(?=[^\S\n]*(?:$|\n|[^\sA-Za-z'’,])|\s+(?:is|or|and)\b)",
}
_BLOCK = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_BOXED = re.compile(
    r"\\boxed\{(?:\\(?:text|mathrm|textbf|mathbf)\{)?([^{}]*)\}|\[\[([^\[\]]*)\]\]|\"answer\"\s*:\s*\"([^\"]*)\""
)
_STATED = re.compile(
    r"\b(?P<final>final\s+)?(?:answer|choice|conclusion)\b(?:\s+(?:to|for)\s[^\n.:!]{1,160}?)?\W{0,4}(?:(?:here|then)\s+)?"
    r"(?:is|was|would\s+be|should\s+be|must\s+be|will\s+be|=|:|→)"
    r"|\b(?:choose|pick|select|go(?:ing)?\s+(?:with|for)|went\s+with|opt\s+for|settle\s+on)\b"
    r"|\b(?:i|i['’]d|i['’]ll|would|will)\s+(?:answer|say)\b"
    r"|(?P<last>最终)?(?:答案|选择)[*\s]*(?:应该?)?(?:是|为|选|:)"
    r"|(?:正确|最合适|最可能|最恰当)的?(?:选项)?(?:应该?)?是|选择?(?=\W*(?:选项)?\W*[A-Z]\W*)",
    re.IGNORECASE,
)
_CALLED = re.compile(
    rf"[{CLOSE}]*(?:\s*\([^()]{{0,80}}\))?[{CLOSE}]*[:,]?\s*"
    r"(?:(?:is|would\s+be|seems(?:\s+to\s+be)?|must\s+be|looks)\s+(?:clearly\s+|definitely\s+|most\s+likely\s+)?"
    r"(?:the\s+)?(?:most\s+|only\s+)?(?:correct|right|best|answer|likely|appropriate|plausible|suitable|one)"
    r"|[:?]\s*(?:yes|true|correct|right|✓|✅|√)"
    r"|(?:选项|项)?(?:才|就|最)?(?:是)?(?:最)?(?:正确|对的?(?![^。,;\s])|合适|合理|恰当|符合题意|答案))",
    re.IGNORECASE,
)
_DENIED = re.compile(
    rf"[{CLOSE}]*(?:\s*\([^()]{{0,80}}\))?[{CLOSE}]*\s*(?:[:?]\s*(?:no\b|false|incorrect|wrong|✗|❌|×)"
    r"|(?:is|are|was|would\s+be|can(?:\s+be)?|could(?:\s+be)?|seems|looks)?\s*(?:also\s+|clearly\s+)?"
    r"(?:not\b|n['’]t|isn['’]t|cannot|can['’]t|wrong|incorrect|false\b|ruled\s+out|eliminated|unlikely|less\s+likely|impossible|out\b|an?\s+(?:bad|poor|wrong)\b)"
    r"|,?\s+but\s+(?:that|this|it|they)(?:\s+(?:is|was|would\s+be|are)|['’]s)\s+(?:not|wrong|incorrect|false)\b"
    r"|,?(?:但|不过)(?:这|那)?(?:是)?(?:错|不对|不正确)"
    r"|(?:选项|项)?(?:都|也|则|显然|明显)?(?:是)?(?:不对|不正确|不是(?!\W*[A-Z])|错|不合|不可能|不太可能|不大可能|不符|不成立"
    r"|可以?排除|被排除|排除|不选(?!\W*[A-Z])))",
    re.IGNORECASE,
)
_REJECTED = re.compile(
    r"(?:\b(?:(?:false|untrue|wrong|unlikely)\s+that|doubt|deny|hardly|used\s+to\s+be|avoid|not|never|neither|nor|cannot"
    r"|(?:anything|everything|all) but|except|excluding"
    r"|than|instead\s+of|without|rul(?:e[sd]?|ing)\s+out|eliminat(?:e[sd]?|ing))"
    r"|n't|n’t)(?:\W{1,3}[\w'’]+){0,5}?\W*$"
    r"|(?:不|非|没|未|别|排除|除了|无)[^,。;！!？?.\n但而]{0,4}$",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(
    r"毫?无疑问?|不用说|不错|没错|没问题|不过|不得不|不难看出|不确定"
    r"|\bnot\s+sure\b|\bno\s+doubt\b|\bwithout\s+(?:a\s+)?doubt\b"
)
_TURN = re.compile(
    r"\b(?:correction|scratch\s+that|on\s+second\s+thou?ght|i\s+mean|my\s+mistake|change\s+my\s+(?:mind|answer))\b"
    # At the head of a clause: "she will wait", "was sorry" and "actually moved it" tell of somebody else.
    r"|(?:(?<!\w )|(?<=\boh )|(?<=\bno )|(?<=\bwell )|(?<=\bhmm ))\b(?:wait|sorry|actually)\b"
    r"|\bbut\s+wait\b|\bor\s+actually\b"
    r"|\bno[,.:;]|更正|等等|等一下|纠正|抱歉|改选|改为|我错了|不对[,。]",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?:^|(?<=[.!?;。！\n]))\s*(?:because|since|as|although|though|even\s+though|while|if)\b[^,.;\n]*,"
    r"|\b(?:because|since|although|though|even\s+though|whereas|who\s+does\s+not|so\s+that)\b[^.;!?\n]*"
    r"|(?:因为|由于|虽然|尽管|如果)[^,。;\n]*",
    re.IGNORECASE,
)
_UNDECIDED = re.compile(
    r"\b(?:we|i|one)\s+(?:can\s?not|can['’]t|could\s?n['’]t|could\s+not|am\s+unable\s+to|are\s+unable\s+to)\s+(?:\w+ly\s+)?"
    r"(?:determine|know|tell|say|answer|infer|decide|deduce|conclude)\b|\bi['’]m\s+unable\s+to\b"
    r"|\bi\s+(?:really\s+)?(?:do\s+not|don['’]t)\s+know\b"
    r"|\b(?:can\s?not|can['’]t|could\s?n['’]t|could\s+not)\s+be\s+(?:\w+ly\s+)?"
    r"(?:determined|known|answered|inferred|decided|deduced|concluded|told)\b"
    r"|\b(?:im|not\s+)possible\s+to\s+(?:\w+ly\s+)?(?:determine|know|tell|say|answer|infer|decide|deduce)\b"
    r"|\b(?:not\s+enough|not\s+sufficient|insufficient)\s+information\b"
    r"|\bnone\s+of\s+(?:the|these)\s+(?:above|options|choices|answers)\b"
    r"|\bnot\s+(?:\w+\s+)?(?:provided|listed|given|among|in|one\s+of|available|included)\b(?:\s+\w+){0,3}\s+(?:options|choices)\b"
    r"|无法(?:完全|直接)?(?:判断|确定|回答|推断)|信息不足|不足以(?:判断|确定)|以上(?:选项)?都不|没有(?:正确|合适)的?(?:选项|答案)|我不知道",
    re.IGNORECASE,
)
_STILL = re.compile(
    r"\b(?:but|however|so|yet|still|therefore|thus|guess|maybe|perhaps|likel\w*|probabl\w*)\b|但|不过|所以|因此|可能|最",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\W*(?:(?:is|that|it)\W+)*(?:unknown|unclear|undetermined|none\b|cannot\b|can['’]t\b|not\s+(?:provided|listed|given|among)\b|N/A)"
    r"|\W*(?:未知|不确定|无法)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\b(?:so|therefore|thus|hence|in\s+conclusion|overall|consequently)\b|因此|所以|综上|总之|故", re.IGNORECASE
)
_ASKED = re.compile(r"[^.!?;\n。]{0,120}\?(?!\s*(?:or\b|maybe|或))", re.IGNORECASE)
_SENTENCE = re.compile(r"\n|[.!?。！？](?=\s|$|[^\x00-\x7f])")
_STATEMENT = re.compile(r"\n\s*\S|(?<!(?<![A-Za-z])[A-Z])[.!?](?=\s|$)|[。！？;]")  # its end; "B." ends none
_CLAUSE = re.compile(r"[,;:\n。?!]|\.\s|(?<!anything )(?<!everything )(?<!\ball )\bbut\b|而是|但", re.IGNORECASE)
_SO_IS = re.compile(r"\band so (?:is|are)\W*$", re.IGNORECASE)
_ORDINAL = re.compile(
    r"(?<!or )(?<!and )\b(first|second|third|fourth) option\b|(?:第([一二三四])个?选项|选项([一二三四])(?!\w))",
    re.IGNORECASE,
)
ORDINALS = ("first", "second", "third", "fourth"), "一二三四"  # as they stand for A to D


class Mention(NamedTuple):
    """Where a text names an option. option: its place; -1 where two options have that text."""

    start: int
    end: int
    option: int


def lenient_option(text: str, options: Sequence[str]) -> int | None:
    """Return the place of the one option that a reply settles on; None for none, for two, and for what is denied."""
    plain = _ORDINAL.sub(_by_letter, _plain(text)[-LONGEST:])
    reply = _Reply(plain, options)
    for form in (_BLOCK, _BOXED):
        if held := [next(filter(None, found.groups()), "") for found in form.finditer(plain)]:
            named = {lenient_option(one, options) for one in held if one.strip()}
            if named:
                return named.pop() if len(named) == 1 else None
    if (whole := reply.whole()) is not None:
        return whole
    return reply.settled()


def _by_letter(ordinal: re.Match[str]) -> str:
    """Return "option B" for "second option"."""
    english, chinese = ORDINALS
    if ordinal[1]:
        return f"option {ascii_uppercase[english.index(ordinal[1].lower())]}"
    return f"选项{ascii_uppercase[chinese.index(ordinal[2] or ordinal[3])]}"


def _of_text(option: str) -> str:
    """Return the pattern of an option's text in lower case: of "not so" also as "isn't so", of "no" as a word alone."""
    word = r"(?<!\w)" if option[0].isascii() and option[0].isalnum() else ""
    end = r"(?![A-Za-z0-9_])" if option[-1].isascii() and option[-1].isalnum() else ""
    if option.startswith("not "):
        return rf"(?:\bnot|n['’]t) (?:an? |really |very )?{re.escape(option[4:])}{end}"
    if option == "no":
        return rf"{word}no(?=[{CLOSE}]*\s*(?:$|[.,;:!\n—–-]))"
    if len(option) == 1:  # one Chinese character
        return rf"(?<!\w){re.escape(option)}(?=\W|$|或|和)"
    return word + re.escape(option).replace("_", r"\\?[_ -]") + end  # "green_box" is also written green box


def _plain(text: str) -> str:
    """Return a text with full-width and circled letters as plain ones, and single spaces."""
    return re.sub(r"[^\S\n]+", " ", unicodedata.normalize("NFKC", text)).strip()


class _Reply:
    """A reply and the options it may name."""

    def __init__(self, text: str, options: Sequence[str]) -> None:
        self.text = text
        self.options = [re.sub(r"\s+", " ", _plain(one)).strip(" .。").lower() for one in options]
        self.letters = ascii_uppercase[: len(options)]
        self.mentions = sorted(self._mentions())[-MOST:]
        self.denied = self._denials()

    def whole(self) -> int | None:
        """Return the option that the reply is and nothing else: its text, its letter, or the letter with its text."""
        bare = self.text.strip(f" .。!！,、;\n{MARKS}").lower()
        same = [place for place, one in enumerate(self.options) if one and re.fullmatch(_of_text(one), bare)]
        if len(same) == 1:
            return same[0]
        if len(bare) == 1 and bare.upper() in self.letters:
            return self.letters.index(bare.upper())
        return None

    def settled(self) -> int | None:
        """Return what the reply asserts; without an assertion, the one option that a short reply or its end names."""
        if found := self._asserted():
            turns = [at.end() for at in _TURN.finditer(self.text, max(one.end for one in found))]
            return self._only([*found, *(self._left(turns[-1], len(self.text)) if turns else ())])
        if len(self.text) <= SHORT:
            return self._only(self._decided(self._left(0, len(self.text))))
        *_, last = (0, *(at.end() for at in _SENTENCE.finditer(self.text.rstrip(" .!?。！？\n"))))
        named = self._decided(self._left(last, len(self.text)))
        return self._only(named) if _CLOSING.search(self.text, last) else None

    def _decided(self, found: Sequence[Mention]) -> list[Mention]:
        """Leave out what is named beside a word that it cannot be told; after it, "but" or the like names one still."""
        own = [(one.start, one.end) for one in self.mentions]  # an option may say so itself
        said = [at for at in _UNDECIDED.finditer(self.text) if not any(a < at.end() and at.start() < b for a, b in own)]
        return [one for one in found if not said or _STILL.search(self.text, said[-1].end(), one.start)]

    def _only(self, found: Sequence[Mention]) -> int | None:
        """Return the one option of these mentions, after the last change of mind between two of them."""
        kept: list[Mention] = []
        for one in sorted(found):
            if kept and one.option != kept[-1].option and _TURN.search(self.text, kept[-1].end, one.start):
                kept = []
            kept.append(one)
        options = {one.option for one in kept}
        return options.pop() if len(options) == 1 and -1 not in options else None

    # ------------------------------------------------------------------------------------------ what is named

    def _mentions(self) -> Iterator[Mention]:
        """Yield every place that names an option, texts before letters, the longest text first."""
        taken = bytearray(len(self.text))
        low = self.text.lower()
        for option in sorted({one for one in self.options if len(one) > 1 or not one.isascii()}, key=len, reverse=True):
            for found in re.finditer(_of_text(option), low):
                if not any(taken[found.start() : found.end()]):
                    taken[found.start() : found.end()] = b"\1" * (found.end() - found.start())
                    several = self.options.count(option) > 1
                    yield Mention(found.start(), found.end(), -1 if several else self.options.index(option))
        for found in self._lettered():
            if not taken[found.start("letter")]:
                yield Mention(found.start("letter"), found.end("letter"), self.letters.index(found["letter"].upper()))

    def _lettered(self) -> Iterator[re.Match[str]]:
        seen: set[int] = set()
        either = self.letters + self.letters.lower()
        forms = [
            rf"(?<![A-Za-z0-9{CLOSE}])[{OPEN}]{{1,4}} ?(?P<letter>[{either}]) ?[{CLOSE}]{{1,4}}",
            rf"(?i:\b(?:options?|choices?|answers?|letters?)\b|选项|答案)[:\s]{{0,4}}[{OPEN}]{{0,4}}"
            rf"(?P<letter>[{either}])(?![A-Za-z0-9'’])(?! [a-z])",
            rf"(?:^|\n)[\s>#*-]*(?P<letter>[{self.letters}](?=[.):、])|[{self.letters.lower()}](?=[.)]))",
            *(
                rf"(?<![A-Za-z0-9'’.-])(?P<letter>{letter})(?![A-Za-z0-9'’]){AFTER.get(letter, '')}"
                for letter in self.letters
            ),
        ]
        for form in forms:
            for found in re.finditer(form, self.text):
                if found.start("letter") not in seen:
                    seen.add(found.start("letter"))
                    yield found

    def _denials(self) -> set[Mention]:
        """Return the mentions that are said not to be the answer; "not A or B" denies both."""
        denied: set[Mention] = set()
        before: Mention | None = None
        starts = [one.start for one in self.mentions]
        for one in self.mentions:
            before_it = self.text[max(0, one.start - LEFT) : one.start]
            start = max((at.end() for at in _CLAUSE.finditer(before_it)), default=0)
            start = max(start, len(before_it) - (one.start - before.end)) if before else start
            left = _NO_DENIAL.sub(" ", before_it[start:].rstrip(f" {MARKS}"))
            refused = _DENIED.match(self.text, one.end)
            if refused and any(one.end <= at < refused.end() for at in starts):
                refused = None  # the "not" is an option's own
            between = self.text[before.end : one.start] if before else ""
            joined = before in denied and re.fullmatch(
                rf"[{CLOSE}]*\s*(?:{LISTED}|nor|/|与|also)\s*(?:the|option|选项|\s|[{OPEN}])*", between
            )
            same = before in denied and before.option == one.option and one in self._beside(before)
            joined = joined or (before in denied and _SO_IS.search(between))
            if joined or same or refused or _REJECTED.search(left):
                denied.add(one)
            before = one
        return denied | self._listed(denied)

    def _listed(self, denied: set[Mention]) -> set[Mention]:
        """Return the mentions before a denied one that share its denial: "A, C and D are wrong", "A. Garage: no"."""
        listed: set[Mention] = set()
        for one, after in zip(reversed(self.mentions[:-1]), reversed(self.mentions[1:]), strict=True):
            between = self.text[one.end : after.start]
            mark = rf"{LISTED}|," if after in listed else LISTED
            mark += r"|\s" if one.end - one.start == after.end - after.start == 1 else ""  # "A C D are wrong"
            form = rf"[{CLOSE}{OPEN}.:\s]*" if one.option == after.option else rf"[{CLOSE}\s]*(?:{mark})[{OPEN}\s]*"
            if after in denied | listed and re.fullmatch(form, between):
                listed.add(one)
        return listed

    def _left(self, start: int, end: int) -> list[Mention]:
        """Return what is named there, neither denied nor asked; of that, what is outside asides, if anything is."""
        found = [one for one in self.mentions if start <= one.start < end and one not in self.denied]
        found = [one for one in found if not _ASKED.match(self.text, one.end)]
        asides = [at.span() for at in _ASIDE.finditer(self.text)]
        main = [one for one in found if not any(low <= one.start < high for low, high in asides)]
        return main or found

    # ------------------------------------------------------------------------------------------ what is asserted

    def _asserted(self) -> list[Mention]:
        """Return the options that the reply says to be the answer: in so many words, at its head, in its last line.

        -1 stands for a statement that names two, or none on purpose. Nothing before a final answer counts.
        """
        stated = [(found, self._of_statement(found.end())) for found in _STATED.finditer(self.text)]
        final = [found.start() for found, named in stated if named and (found["final"] or found["last"])]
        if final:
            return [one for found, named in stated if found.start() >= final[0] for one in named]
        kept = [one for one in self.mentions if one not in self.denied]
        called = [
            one for one in kept if _CALLED.match(self.text, one.end) or _SO_IS.search(self.text[: one.start][-LEFT:])
        ]
        return [one for _, named in stated for one in named] + called + self._ends()

    def _of_statement(self, start: int) -> list[Mention]:
        stop = _STATEMENT.search(self.text, start + 1)
        end = stop.start() if stop else len(self.text)
        named = self._left(start, end)
        if not named and _NOTHING.match(self.text, start):
            return [Mention(start, start, -1)]
        bare = self.text[start:end].strip(f" .:{MARKS}")
        if len(bare) == 1 and bare.islower() and bare.upper() in self.letters:  # "the answer is b"
            return [Mention(start, end, self.letters.index(bare.upper()))]
        if len(named) > 1 and re.match(
            r"[.!]\s+(?![OoAa](?:r|nd)\b)(?:[\w'’]+[^\w\n]+){4}", self.text[named[0].end : named[1].start]
        ):
            named = named[:1]  # "B. Tom never saw it in the garage": another sentence, and not the option's text
        return [Mention(start, start, -1)] if len({one.option for one in named}) > 1 else named

    def _ends(self) -> list[Mention]:
        """Return the option that stands alone at the head or in the last line; none of a list of several."""
        heads = [one for one in self.mentions if not self.text[: one.start].rpartition("\n")[2].strip(f" {MARKS}>-")]
        heads = [one for one in heads if re.match(rf"[{CLOSE}]*\s*(?:[.):,;!、。\n—–-]|$)", self.text[one.end :])]
        lines = {self.text.count("\n", 0, one.start): one for one in reversed(heads)}
        first = self.text.partition("\n")[0]
        inline = len({found[1] for found in re.finditer(rf"(?<![A-Za-z])([{self.letters}])[:)]", first)}) > 1
        last = self.text.count("\n")
        listed = len({one.option for line, one in lines.items() if line < last or not line}) > 1 or inline
        listed |= any(line + 1 in lines and lines[line + 1].option != one.option for line, one in lines.items())
        kept = [one for line, one in lines.items() if line == 0 and not listed]
        if any(one.end - one.start > 1 for one in kept):  # a text, and perhaps a letter behind it
            kept += [one for one in self._left(0, len(first)) if one.end - one.start == 1]
        alone = last > 0 and last - 1 not in lines  # else it is the last of a list
        kept += [one for line, one in lines.items() if line == last and alone and not re.search(r"\w", self._rest(one))]
        return [one for one in kept if one not in self.denied for one in (one, *self._beside(one))]

    def _rest(self, one: Mention) -> str:
        """Return the rest of the mention's line without a text of an option right behind it."""
        line = self.text[one.end :].partition("\n")[0]
        beside = self._beside(one)
        return self.text[beside[-1].end : one.end + len(line)] if beside else line

    def _beside(self, one: Mention) -> list[Mention]:
        """Return the mention that follows at once, as "garden" in "B. garden" does, and the C of "B or C"."""
        joined = rf"[{CLOSE}{OPEN}.:,、/\s—–-]*(?:(?:{LISTED}|nor|与)[{OPEN}\s]*)?"
        later = [other for other in self.mentions if other.start >= one.end][:1]
        return [other for other in later if re.fullmatch(joined, self.text[one.end : other.start])]
