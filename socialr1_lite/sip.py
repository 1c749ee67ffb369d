"""How a scenario is asked and how a completion is read: the four stages, the prompts, the parser.

The prompt and the parser share this file so that the format cannot drift. Theory: Social Information Processing,
four stages in order [card]. Format contract: one `<think>` block, one `<answer>` block, nothing else [card, paper].
Everything found in a completion is a span (character offsets into its text), never a copy.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal, NamedTuple

from socialr1_lite.errors import DataError, RecipeError
from socialr1_lite.evidence import Span, decode, has_words, sentences, strip_span
from socialr1_lite.scenario import MAX_OPTIONS, Scenario

__all__ = [
    "CHECKS",
    "STAGES",
    "STYLES",
    "TITLES",
    "Reply",
    "Segment",
    "Span",
    "StageState",
    "cut_stage",
    "has_words",
    "letters",
    "option_answer",
    "parse",
    "prefills_think",
    "read_answer",
    "render",
    "reply_text",
    "sentences",
    "stage_states",
]

STAGES = ("cue_encoding", "cue_interpretation", "goal_clarification", "response_generation")
TITLES = {stage: stage.replace("_", " ").title() for stage in STAGES}
STYLES = ("sip", "socialr1", "direct", "cot")
CHECKS = (
    "one_think",
    "one_answer",
    "think_before_answer",
    "nothing_outside",
    "not_nested",
    "reasoning_not_empty",
    "answer_names_one_option",
)

Outcome = Literal["right", "wrong", "unreadable"]
StageState = Literal["present", "missing", "empty", "out of order", "repeated", "cut off"]
AnswerStyle = Literal["letter", "text"]


# ---------------------------------------------------------------------------------------------- the record


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of reasoning that belongs to one stage; None: before the first marker, or of no known stage.

    span: the whole stretch, marker and white space included. body: its text without marker and outer white space.
    """

    stage: str | None
    span: Span
    body: Span


@dataclass(frozen=True, slots=True)
class Reply:
    """A completion, read. Offsets are into `text`.

    think: inside of the first think block; None when the text opens none. An unclosed block ends where an answer
        block opens, else with the text.
    reasoning: the pieces of text that the segments tile, in order: the inside of the think block; without one,
        every stretch outside the answer blocks that is not blank.
    answer_span: inside of the last answer block outside the think block (an unclosed one ends with the text).
    answers: the insides of all closed answer blocks outside the think block.
    outside: stretches with something in them that are neither reasoning, answer_span nor a tag.
    marked: whether the stages were found by markers (else by the words of each sentence).
    answer: index of the one displayed option that the closed answer blocks name; None when they name none or two.
    checks: the named format checks, in the order of `CHECKS`. A check holds only where there is something to hold
        it, so a text without any tag meets none of them.
    """

    text: str
    prefilled: bool
    think: Span | None
    reasoning: tuple[Span, ...]
    answer_span: Span | None
    answers: tuple[Span, ...]
    outside: tuple[Span, ...]
    segments: tuple[Segment, ...]
    marked: bool
    answer: int | None
    checks: dict[str, bool]

    @property
    def answer_text(self) -> str:
        """The stripped inside of the answer block, "" when there is none."""
        return self.text[slice(*self.answer_span)].strip() if self.answer_span else ""

    @property
    def well_formed(self) -> bool:
        """Whether every format check holds: the strict format gate."""
        return all(self.checks.values())

    @property
    def stages_present(self) -> tuple[str, ...]:
        """The stages that say at least a word, in SIP order."""
        said = {segment.stage for segment in self.segments if has_words(self.text, segment.body)}
        return tuple(stage for stage in STAGES if stage in said)

    def body(self, segment: Segment) -> str:
        """The text of one segment, without its marker."""
        return self.text[segment.body.start : segment.body.end]

    def stage_text(self, stage: str) -> str:
        """The bodies of all segments of a stage, joined by a newline; "" when it is missing."""
        return "\n".join(self.body(segment) for segment in self.segments if segment.stage == stage)

    def outcome(self, scenario: Scenario) -> Outcome:
        """Whether the answer is right.

        Multiple choice: unreadable unless the closed answer blocks name exactly one option. Open-ended: right when
        the answer equals an accepted one (case and spacing aside); unreadable when empty, when blocks differ, or
        when the scenario accepts no text at all, so that only a judge can tell.
        """
        if scenario.options:
            named = _agreed(self.text, self.answers, tuple(scenario.options))
            return "unreadable" if named is None else "right" if named in scenario.gold else "wrong"
        if not scenario.accepted or not _one_text(self.text, self.answers):
            return "unreadable"
        return "right" if _fold(self.answer_text) in map(_fold, scenario.accepted) else "wrong"


# ----------------------------------------------------------------------------------------------- the reader


def parse(text: str, options: Sequence[str] = (), *, prefilled: bool = False) -> Reply:
    """Read a completion. Never raises on any str; linear in its length; `parse(reply.text, ...)` gives it again.

    options: the displayed options, none for an open-ended question. prefilled: the prompt had already opened the
    think block (see `prefills_think`), so the text starts inside it.
    """
    layout = _layout(text, prefilled)
    thinks = [block for block in layout.blocks if block.think]
    answers = [block for block in layout.blocks if not block.think]
    think = thinks[0].inner if thinks else None
    gaps = _filled_gaps(text, layout)
    reasoning = gaps if think is None else (think,) if think.end > think.start else ()
    segments, marked = _segments(text, reasoning)
    closed = tuple(block.inner for block in answers if block.closed)
    extra = [block.inner for block in (*thinks[1:], *answers[:-1]) if has_words(text, block.inner)]
    answer = _agreed(text, closed, tuple(options)) if options else None
    named = answer is not None if options else _one_text(text, closed)
    return Reply(
        text=text,
        prefilled=prefilled,
        think=think,
        reasoning=reasoning,
        answer_span=answers[-1].inner if answers else None,
        answers=closed,
        outside=tuple(sorted([*extra, *(gaps if think is not None else ())])),
        segments=segments,
        marked=marked,
        answer=answer,
        checks=_checks(text, layout, thinks, answers, gaps, named),
    )


class _Block(NamedTuple):
    think: bool
    start: int  # of the opening tag
    inner: Span
    end: int  # after the closing tag
    closed: bool


class _Layout(NamedTuple):
    blocks: list[_Block]
    strays: list[tuple[Span, bool]]  # closing tags that close nothing, and whether of a think block
    nested: bool  # a tag inside a block


# ASCII only: with Unicode case folding the Kelvin sign would pass for a k. One attempt a "<", so linear.
_TAG = re.compile(r"<(/?)(think|thinking|answer)>", re.IGNORECASE | re.ASCII)


def _layout(text: str, prefilled: bool) -> _Layout:
    """Walk the tags once. An opened block runs to its first closing tag, whatever stands between."""
    tags = [(tag.start(), tag.end(), not tag[1], tag[2][0] in "tT") for tag in _TAG.finditer(text)]
    last_close = max((start for start, _, opens, think in tags if think and not opens), default=-1)
    blocks: list[_Block] = []
    strays: list[tuple[Span, bool]] = []
    nested = False
    opened = (0, 0, True) if prefilled else None  # start, end and kind of the opening tag
    for start, end, opens, think in tags:
        if opened is None:
            if opens:
                opened = (start, end, think)
            else:
                strays.append((Span(start, end), think))
        elif think == opened[2] and not opens:
            blocks.append(_Block(think, opened[0], Span(opened[1], start), end, True))
            opened = None
        elif opened[2] and opens and not think and start > last_close:  # reasoning that nothing will close any more
            blocks.append(_Block(True, opened[0], Span(opened[1], start), start, False))
            opened = (start, end, False)
        else:
            nested = True
    if opened is not None:
        blocks.append(_Block(opened[2], opened[0], Span(opened[1], len(text)), len(text), False))
    return _Layout(blocks, strays, nested)


def _filled_gaps(text: str, layout: _Layout) -> tuple[Span, ...]:
    """The stretches between blocks and stray tags that are not blank."""
    taken = [(block.start, block.end) for block in layout.blocks]
    if layout.strays:
        taken = sorted(taken + [(stray.start, stray.end) for stray, _ in layout.strays])
    gaps = []
    at = 0
    for start, end in [*taken, (len(text), len(text))]:
        if at < start and not text[at:start].isspace():
            gaps.append(Span(at, start))
        at = end
    return tuple(gaps)


def _checks(
    text: str, layout: _Layout, thinks: list[_Block], answers: list[_Block], gaps: tuple[Span, ...], named: bool
) -> dict[str, bool]:
    stray_kinds = {think for _, think in layout.strays}
    return {
        "one_think": len(thinks) == 1 and thinks[0].closed and True not in stray_kinds,
        "one_answer": len(answers) == 1 and answers[0].closed and False not in stray_kinds,
        "think_before_answer": bool(thinks and answers) and thinks[0].end <= answers[0].start,
        "nothing_outside": bool(layout.blocks) and not gaps,
        "not_nested": bool(layout.blocks) and not layout.nested,
        "reasoning_not_empty": bool(thinks) and has_words(text, thinks[0].inner),
        "answer_names_one_option": named,
    }


# ----------------------------------------------------------------------------------------------- the stages

_STAGE_OF_ENDING = {stage[-8:]: stage for stage in STAGES}  # "encoding", "retation", ...: enough to tell them apart
_TITLE = r"(?:cue[ \t_-]{0,2}(?:encoding|interpretation)|goal[ \t_-]{0,2}clarification|response[ \t_-]{0,2}generation)"
_LINE_END = "\n\r\u2028\u2029"
_DECORATION = r"[-#>*_+=~|`/(\[\u2022\u3010.:)\]\uff1a\u2013\u2014\d \t]"
# A stage marker, tried only where a line starts. Every repetition inside is bounded, so a line costs a constant.
_MARKER = rf"""
    [ \t]*
    (?:
        <(?P<tag>{_TITLE})>
      |
        {_DECORATION}{{0,16}}                                            # "## ", "**1. ", "- ", "["
        (?:
            (?:stage|step|phase|part)[ \t]?(?:[ivx]{{1,4}}\b|one|two|three|four)?{_DECORATION}{{0,10}}
          | [ivx]{{1,4}}[.:)]{_DECORATION}{{0,8}}                         # "IV. "
        )?
        (?P<title>{_TITLE})
        (?:[ \t](?:stage|step|phase)\b)?
        (?:[ \t]{{0,2}}\([^()\n]{{0,60}}\))?                            # "Cue Encoding (stage 1)"
        (?:                                                             # what follows a title and no sentence:
            [ \t]{{0,2}}(?:\*{{1,3}}|__|`{{1,3}}|[)\]\u3011])[*_`)\]]{{0,4}}
            (?:[ \t]{{0,2}}(?:[:\uff1a]|[-.|\u2013\u2014](?=\s|\Z))[*_]{{0,4}})?
          | [ \t]{{0,2}}[:\uff1a][*_`)\]]{{0,4}}
          | [ \t]{{0,2}}[-.|=>\u2013\u2014]{{1,3}}[*_]{{0,4}}(?=\s|\Z)
          | (?=[ \t]*(?:[{_LINE_END}]|\Z))
        )
    )
"""
_FLAGS = re.IGNORECASE | re.ASCII | re.VERBOSE
_FIRST_MARKER = re.compile(_MARKER, _FLAGS)
# Directly behind a closing stage tag counts as a line's start: <cue_encoding>...</cue_encoding><cue_interpretation>
_LINE_MARKER = re.compile(rf"(?:[{_LINE_END}]|</{_TITLE}>)(?P<here>){_MARKER}", _FLAGS)
_CLOSING = {
    stage: re.compile(rf"</{stage.replace('_', '[ _-]{0,2}')}>", re.IGNORECASE | re.ASCII) for stage in STAGES
}


class _Marker(NamedTuple):
    stage: str
    start: int
    end: int
    tag: bool  # <cue_encoding>, which a closing tag may end


def _segments(text: str, reasoning: tuple[Span, ...]) -> tuple[tuple[Segment, ...], bool]:
    """Segments that tile the pieces of reasoning, and whether markers told them."""
    found = [(piece, _markers(text, piece)) for piece in reasoning]
    segments: list[Segment] = []
    marked = any(markers for _, markers in found)
    for piece, markers in found:
        if marked:
            _cut_at_markers(text, piece, markers, segments)
        else:
            _cut_by_words(text, piece, segments)
    return tuple(segments), marked


def _markers(text: str, piece: Span) -> list[_Marker]:
    first = _FIRST_MARKER.match(text, *piece)
    found = [_read_marker(first, piece.start)] if first else []
    found += [_read_marker(one, one.start("here")) for one in _LINE_MARKER.finditer(text, *piece)]
    return found


def _read_marker(match: re.Match[str], start: int) -> _Marker:
    tag = match["tag"]
    stage = _STAGE_OF_ENDING[(tag or match["title"])[-8:].lower()]
    return _Marker(stage, start, match.end(), tag is not None)


def _cut_at_markers(text: str, piece: Span, markers: list[_Marker], segments: list[Segment]) -> None:
    """Append the segments of one piece: what stands before the first marker, then one for each marker."""
    start = markers[0].start if markers else piece.end
    if text[piece.start : start].strip():
        segments.append(Segment(None, Span(piece.start, start), strip_span(text, piece.start, start)))
    elif markers:
        markers[0] = markers[0]._replace(start=piece.start)
    ends = [*(marker.start for marker in markers[1:]), piece.end]
    for marker, end in zip(markers, ends, strict=True):
        closing = _CLOSING[marker.stage].search(text, marker.end, end) if marker.tag else None
        if closing is None:
            segments.append(Segment(marker.stage, Span(marker.start, end), strip_span(text, marker.end, end)))
            continue
        body = strip_span(text, marker.end, closing.start())
        rest = strip_span(text, closing.end(), end)
        if rest.start == rest.end:
            segments.append(Segment(marker.stage, Span(marker.start, end), body))
        else:
            segments.append(Segment(marker.stage, Span(marker.start, closing.end()), body))
            segments.append(Segment(None, Span(closing.end(), end), rest))


def _cut_by_words(text: str, piece: Span, segments: list[Segment]) -> None:
    changes = decode(text, *piece)
    ends = [*(start for _, start in changes[1:]), piece.end]
    for (number, start), end in zip(changes, ends, strict=True):
        stage = None if number is None else STAGES[number]
        segments.append(Segment(stage, Span(start, end), strip_span(text, start, end)))


def cut_stage(reply: Reply, *, truncated: bool | None = None) -> str | None:
    """The stage in which the text broke off; None when the reasoning ended by itself or outside every stage.

    truncated: whether generation hit its limit. None when unknown: then a reply counts as cut when a think block
    was opened, by the text or by the prompt, and neither its closing tag nor an answer follows.
    """
    if truncated is None:
        truncated = reply.think is not None
    reached_end = bool(reply.segments) and reply.segments[-1].span.end == len(reply.text)
    return reply.segments[-1].stage if truncated and reached_end else None


def stage_states(reply: Reply, *, truncated: bool | None = None) -> dict[str, StageState]:
    """What became of each stage; the first that applies, in this order.

    missing: no segment. empty: segments without a single word. cut off: see `cut_stage`. out of order: among the
    fewest stages whose removal leaves the first appearances in SIP order (of equal choices, those that come last).
    repeated: more than one segment with words. present: none of these.
    """
    told = [s.stage for s in reply.segments if s.stage is not None and has_words(reply.text, s.body)]
    named = {segment.stage for segment in reply.segments}
    in_order = _longest_in_order(list(dict.fromkeys(told)))
    cut = cut_stage(reply, truncated=truncated)
    states: dict[str, StageState] = {}
    for stage in STAGES:
        if stage not in named:
            states[stage] = "missing"
        elif stage not in told:
            states[stage] = "empty"
        elif stage == cut:
            states[stage] = "cut off"
        elif stage not in in_order:
            states[stage] = "out of order"
        else:
            states[stage] = "repeated" if told.count(stage) > 1 else "present"
    return states


def _longest_in_order(stages: list[str]) -> tuple[str, ...]:
    places = [STAGES.index(stage) for stage in stages]
    kept = next(
        choice
        for size in range(len(places), -1, -1)
        for choice in combinations(places, size)
        if list(choice) == sorted(choice)
    )
    return tuple(STAGES[place] for place in kept)


# ----------------------------------------------------------------------------------------------- the answer


def letters(count: int) -> str:
    """The capital letters of `count` options, 2 to 26: letters(3) is "ABC". Raises DataError outside that range."""
    if not 2 <= count <= MAX_OPTIONS:
        raise DataError(f"{count} options; 2 to {MAX_OPTIONS} can be shown under letters")
    return string.ascii_uppercase[:count]


def read_answer(text: str, options: Sequence[str]) -> int | None:
    """The index of the one option that an answer names, else None.

    Accepted: the letter alone (`B`, `(B)`, `B.`, `B)`, `B:`), the letter and that option's own text (`B. garden`), or
    an option's whole text if no other option has the same. Case, runs of white space and one closing full stop do
    not count. Never containment. A lone letter is a letter even where an option's text is a letter too: letters are
    how the options are shown; any other answer with two readings names none.
    """
    named = _names(tuple(options))
    said = _fold(text)
    found = {named.by_text.get(said, named.by_loose_text.get(_loose(said)))}
    lettered = _LETTERED.fullmatch(said)
    if lettered:
        index = ord(lettered[1] or lettered[2]) - ord("a")
        rest = lettered[3]
        if index < len(options):
            if not rest:
                return index
            if _loose(rest) == _loose(named.texts[index]):
                found.add(index)
    found.discard(None)
    only = found.pop() if len(found) == 1 else None
    return None if only == _TWICE else only


def option_answer(options: Sequence[str], index: int, style: AnswerStyle = "letter") -> str:
    """What to write in the answer block for option `index` so that `read_answer` gives `index` again.

    "text" falls back to the letter for the whole item when a text could be misread: two equal texts, a text that
    is another option's letter, or one with a tag in it.
    """
    if style == "text" and _texts_are_clear(tuple(options)):
        return options[index]
    return letters(len(options))[index]


class _Names(NamedTuple):
    texts: tuple[str, ...]  # folded
    by_text: dict[str, int]  # _TWICE where two options share it
    by_loose_text: dict[str, int]


_TWICE = -1
_LETTERED = re.compile(r"(?:\(([a-z])\)[.:]?|([a-z])(?:[.):]|\Z)) ?(.*)", re.DOTALL)


@lru_cache(maxsize=4096)
def _names(options: tuple[str, ...]) -> _Names:
    texts = tuple(map(_fold, options))
    return _Names(texts, _index(texts), _index(tuple(map(_loose, texts))))


def _index(texts: tuple[str, ...]) -> dict[str, int]:
    return {text: index if texts.count(text) == 1 else _TWICE for index, text in enumerate(texts)}


@lru_cache(maxsize=4096)
def _texts_are_clear(options: tuple[str, ...]) -> bool:
    return all(read_answer(text, options) == i and not _TAG.search(text) for i, text in enumerate(options))


def _fold(text: str) -> str:
    """Without case, with single spaces, canonically composed (some tokenizers compose what they read)."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).casefold().split())


def _loose(folded: str) -> str:
    return folded.removesuffix(".").rstrip() or folded


def _agreed(text: str, answers: tuple[Span, ...], options: tuple[str, ...]) -> int | None:
    """The option that every closed answer block names."""
    named = {read_answer(text[start:end], options) for start, end in answers}
    return named.pop() if len(named) == 1 else None


def _one_text(text: str, answers: tuple[Span, ...]) -> bool:
    """Whether the closed answer blocks say one and the same thing that can be seen."""
    said = {_fold(text[start:end]) for start, end in answers}
    return len(said) == 1 and any(map(str.isprintable, said.pop().replace(" ", "")))


# ---------------------------------------------------------------------------------------------- the prompts

Message = dict[str, str]

CARD_PROMPT = (  # word for word, the missing space included [card]
    "You should first think about the reasoning process in the mind and then provide with the answer.The reasoning "
    "process and answer are enclosed within <think> </think> and <Answer> </Answer> tags, respectively."
)
_ASKS = {  # what the model is to write for each stage [ours, after the stage names of the card]
    "cue_encoding": "what the story says that matters for the question.",
    "cue_interpretation": "what this shows about what each person thinks, knows, feels or means.",
    "goal_clarification": "what the people want, and what the question asks for.",
    "response_generation": "what follows from this, and which answer it leads to.",
}
_PLACEHOLDERS = {
    "letter": "the letter of one option",
    "text": "the text of one option, word for word",
    "open": "your answer",
}
_EXAMPLES = (
    (
        Scenario(
            id="example/belief",
            story="Mia puts her apple in the drawer and goes out to play. While she is out, Leo moves the apple to the "
            "bag. Then Mia comes back.",
            question="Where will Mia look for her apple first?",
            options=("In the bag", "In the drawer"),
            gold=(1,),
        ),
        (
            "Mia puts her apple in the drawer. Leo moves it to the bag while she is out.",
            "Mia did not see the move, so she still thinks that the apple is in the drawer.",
            "Mia wants her apple. The question asks where she will look first.",
            "She will look where she thinks it is, in the drawer.",
        ),
    ),
    (
        Scenario(
            id="example/emotion",
            story="Sam hoped for a bicycle. He opens the box from his aunt and finds a pair of gloves. He smiles and "
            "says that they are lovely.",
            question="How does Sam feel about the present?",
            options=("Disappointed", "Delighted", "Angry"),
            gold=(0,),
        ),
        (
            "Sam hoped for a bicycle, but the box holds gloves. He smiles and says that they are lovely.",
            "Sam did not get what he hoped for, so he feels let down, and his smile is polite.",
            "Sam wants to be kind to his aunt. The question asks for what he really feels.",
            "His words hide his feeling: he is disappointed.",
        ),
    ),
)
MAX_SHOTS = len(_EXAMPLES)


def render(
    scenario: Scenario, *, style: str = "sip", answer: AnswerStyle = "letter", shots: int = 0, system: str | None = None
) -> list[Message]:
    """The chat messages that ask a scenario: an explicit system message, then one user message.

    style: "sip" asks for the four stages; "socialr1" is the model card's own prompt, in the user message as there
    [card]; "cot" asks to think freely; "direct" for the answer alone. answer: "letter" or "text" (see
    `option_answer`, which says when letters are asked for all the same). shots: worked examples, 0 to 2. system
    replaces the system message's text. The system message is never left out, because some chat templates would put
    their own in its place. Story, question and options go in as they are and are never evaluated.
    Raises RecipeError for a style, an answer or a number of shots that does not exist.
    """
    if style not in STYLES:
        raise RecipeError(f"prompt style {style!r}; allowed: {', '.join(STYLES)}")
    if answer not in ("letter", "text"):
        raise RecipeError(f"prompt answer {answer!r}; allowed: letter, text")
    if not 0 <= shots <= MAX_SHOTS:
        raise RecipeError(f"prompt shots {shots}; allowed: 0 to {MAX_SHOTS}")
    wanted = _wanted(scenario, answer)
    told = _instruction(style, wanted) if system is None else system
    worked = [_example(one, stages, style, answer) for one, stages in _EXAMPLES[:shots]]
    asked = _item(scenario)
    if style == "socialr1":
        asked = CARD_PROMPT + "\n\n" + asked
        if wanted == "text":
            asked += "\nAnswer with the text of one option, word for word."
    return [
        {"role": "system", "content": "\n\n".join([told, *worked])},
        {"role": "user", "content": asked},
    ]


def reply_text(stages: Mapping[str, str] | Sequence[str], answer: str, *, prefilled: bool = False) -> str:
    """The reply in the marked form, one line a stage.

    stages: the four texts in SIP order, or a mapping from stage to text, written in the mapping's own order (tests
    build misordered and incomplete replies with it). prefilled leaves out the opening tag that the prompt has.
    Raises DataError for a stage that does not exist or a sequence of another length.
    """
    if not isinstance(stages, Mapping):
        if isinstance(stages, str) or len(stages) != len(STAGES):
            raise DataError(f"a reply needs {len(STAGES)} stage texts in SIP order, or a mapping from stage to text")
        stages = dict(zip(STAGES, stages, strict=True))
    if unknown := [stage for stage in stages if stage not in TITLES]:
        raise DataError(f"no such stage: {', '.join(unknown)}; allowed: {', '.join(STAGES)}")
    lines = (f"{TITLES[stage]}: {text}" for stage, text in stages.items())
    return _in_tags("\n".join(lines), answer, prefilled=prefilled)


def prefills_think(prompt_tail: str) -> bool:
    """Whether a rendered generation prompt ends with an opened think tag, white space aside.

    Only the very end counts: a story may contain the tag, and a template with thinking switched off opens and
    closes it.
    """
    return prompt_tail.rstrip()[-10:].lower().endswith(("<think>", "<thinking>"))


def _in_tags(reasoning: str, answer: str, *, prefilled: bool = False) -> str:
    return f"{'' if prefilled else '<think>'}\n{reasoning}\n</think>\n<answer>{answer}</answer>"


def _wanted(scenario: Scenario, answer: AnswerStyle) -> Literal["letter", "text", "open"]:
    if not scenario.options:
        return "open"
    return "text" if answer == "text" and _texts_are_clear(tuple(scenario.options)) else "letter"


def _instruction(style: str, wanted: str) -> str:
    answer = _PLACEHOLDERS[wanted]
    if style == "sip":
        task = "Read the story and answer the question. Think in four stages, then answer. Reply in exactly this form:"
        return f"{task}\n{reply_text(_ASKS, answer)}"
    if style == "cot":
        task = "Read the story and answer the question. Think step by step, then answer. Reply in exactly this form:"
        return f"{task}\n{_in_tags('your reasoning', answer)}"
    if style == "direct":
        return f"Read the story and answer the question. Reply with the answer alone:\n<answer>{answer}</answer>"
    return "You answer questions about social situations."


def _item(scenario: Scenario) -> str:
    """Story, question and lettered options as one block of plain text."""
    lines = [f"Story: {scenario.story}"] if scenario.story.strip() else []
    lines.append(f"Question: {scenario.question}")
    if scenario.options:
        lines.append("Options:")
        lines += [f"{letter}. {option}" for letter, option in zip(scenario.letters, scenario.options, strict=True)]
    return "\n".join(lines)


def _example(scenario: Scenario, stages: Iterable[str], style: str, answer: AnswerStyle) -> str:
    named = option_answer(scenario.options, scenario.gold[0], answer)
    texts = tuple(stages)
    reply = {
        "sip": lambda: reply_text(texts, named),
        "cot": lambda: _in_tags(" ".join(texts), named),
        "socialr1": lambda: f"<think>\n{' '.join(texts)}\n</think>\n<Answer> {named} </Answer>",
        "direct": lambda: f"<answer>{named}</answer>",
    }[style]()
    return f"Example:\n{_item(scenario)}\n\n{reply}"
