"""How a completion is read: think block, answer block and the four stages, as spans of the completion's own text.

Format: one `<think>` block, one `<answer>` block, nothing else [card, paper]. What is found is a span (character
offsets into the text), never a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, pairwise
from string import ascii_uppercase
from typing import Literal, NamedTuple

from socialr1_lite.scenario import Scenario
from socialr1_lite.sip.headings import STAGES, Heading, find_closing, find_headings
from socialr1_lite.sip.options import fold, read_answer
from socialr1_lite.sip.unmarked import Span, decode, has_words, strip_span

Outcome = Literal["right", "wrong", "unreadable"]
StageState = Literal["present", "missing", "empty", "out of order", "repeated", "cut off"]


class Segment(NamedTuple):
    """A stretch of reasoning that belongs to one stage.

    stage: None for what stands behind a stage's closing tag, and for unmarked reasoning that speaks for no stage; what
    stands before the first heading is unmarked. span: the whole stretch, with heading and white space. body: its text
    without them.
    """

    stage: str | None
    span: Span
    body: Span


@dataclass(frozen=True, slots=True)
class Reply:
    """A completion, read. Offsets are into `text`.

    Every character that is not white space lies in a tag, in `reasoning`, in `answer_span`, in `outside` or in
    tokens that end a text (`<|im_end|>`), at its very end.

    think: inside of the first think block, None when there is none. An unclosed block ends where an answer block opens,
    or else with the text. reasoning: the pieces that the segments tile, in order: the inside of the think block;
    without one, every stretch outside the answer blocks that is not blank; behind one without a heading, also the
    pieces that have some. answer_span: inside of the last answer block
    that is not in the think block; an unclosed one ends with the text. answers: the insides of the closed answer blocks
    outside the think block. outside: what is neither reasoning nor `answer_span`: text between the blocks, second
    blocks. marked: whether the stages were found by headings (else by the words of each sentence). answer: index of the
    one displayed option that all closed answer blocks name; None when there is no such option. checks: the format
    checks by name. A check holds only where there is something to hold it: text without any tag meets none.
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
        """Return the stripped inside of the answer block, "" when there is none."""
        return self.text[slice(*self.answer_span)].strip() if self.answer_span else ""

    @property
    def well_formed(self) -> bool:
        """Tell whether every format check holds."""
        return all(self.checks.values())

    def body(self, segment: Segment) -> str:
        """Return the text of one segment, without its heading."""
        return self.text[segment.body.start : segment.body.end]

    def is_preamble(self, segment: Segment) -> bool:
        """Tell whether a segment stands before the headings, where what it says is shown but no stage's text."""
        return self.marked and _blank(self.text, Span(segment.span.start, segment.body.start))

    def stage_text(self, stage: str) -> str:
        """Return the bodies of a stage's segments, joined by a newline; "" when it is missing."""
        mine = (one for one in self.segments if one.stage == stage and not self.is_preamble(one))
        return "\n".join(map(self.body, mine))

    def outcome(self, scenario: Scenario) -> Outcome:
        """Tell whether the answer is right.

        Multiple choice: unreadable unless the closed answer blocks name one option, and the same one. Open-ended: right
        when the answer equals an accepted one, case and spacing aside; unreadable when it is empty, when blocks differ,
        or when the scenario accepts no text at all, so that only a judge can tell.
        """
        if scenario.options:
            named = _agreed(self.text, self.answers, scenario.options)
            return "unreadable" if named is None else "right" if named in scenario.gold else "wrong"
        said = _one_text(self.text, self.answers)
        if not scenario.accepted or not said:
            return "unreadable"
        return "right" if said in map(fold, scenario.accepted) else "wrong"


def parse(text: str, options: Sequence[str] = (), *, prefilled: bool = False) -> Reply:
    """Read a completion. Never raises on any str; linear in its length; the same text gives an equal reply.

    options: the displayed options; none for an open-ended question, where any answer that can be seen counts as one.
    prefilled: the prompt had already opened the think block (`prefills_think`), so the text starts inside.
    """
    whole, text = text, _without_ends(text)
    layout = _layout(text, prefilled)
    thinks = [block for block in layout.blocks if block.think]
    answers = [block for block in layout.blocks if not block.think]
    gaps = _gaps(text, layout)
    think = thinks[0].inner if thinks else None
    reasoning = gaps if think is None else (think,) if think.end > think.start else ()
    if think is not None and not find_headings(text, think):  # the format fails, but what was written is shown
        behind = sorted((*(block.inner for block in thinks[1:]), *gaps))
        reasoning += tuple(piece for piece in behind if piece > think and find_headings(text, piece))
    segments, marked = _segments(text, reasoning, ascii_uppercase[: len(options)])
    closed = tuple(block.inner for block in answers if block.closed)
    answer = _agreed(text, closed, options) if options else None
    second = [block.inner for block in (*thinks[1:], *answers[:-1]) if not _blank(text, block.inner)]
    read = frozenset(reasoning)
    return Reply(
        text=whole,
        prefilled=prefilled,
        think=think,
        reasoning=reasoning,
        answer_span=answers[-1].inner if answers else None,
        answers=closed,
        outside=tuple(piece for piece in sorted((*gaps, *second)) if piece not in read),
        segments=segments,
        marked=marked,
        answer=answer,
        checks={  # the strict format gate, check by check [card, paper; the split into named checks is ours]
            "one_think": len(thinks) == 1 and thinks[0].closed and not any(stray.think for stray in layout.strays),
            "one_answer": len(answers) == 1 and answers[0].closed and all(stray.think for stray in layout.strays),
            "think_before_answer": bool(thinks and answers) and thinks[0].end <= answers[0].start,
            "nothing_outside": bool(layout.blocks) and not gaps,
            "not_nested": bool(layout.blocks) and not layout.nested,
            "reasoning_not_empty": think is not None and has_words(text, think),
            "answer_names_one_option": answer is not None if options else _one_text(text, closed) != "",
        },
    )


class _Block(NamedTuple):
    think: bool
    start: int  # of the opening tag
    inner: Span
    end: int  # of the closing tag
    closed: bool


class _Layout(NamedTuple):
    blocks: list[_Block]
    strays: list[_Block]  # closing tags that close nothing
    nested: bool  # a tag inside a block


# ASCII: with Unicode's idea of case a Kelvin sign would pass for the k. One attempt for each "<", so linear.
_TAG = re.compile(r"<(/?)(think|thinking|answer)>", re.IGNORECASE | re.ASCII)


# What a text ends with or is filled up with: Qwen, SmolLM, Llama 3; Phi, gpt-oss, Llama 2, Mistral, Gemma; DeepSeek.
_ENDS = (
    *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|finetune_right_pad_id|>"),
    *("<|end|>", "<|return|>", "</s>", "<pad>", "<eos>", "<end_of_turn>"),
    *("<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5c\u2581pad\u2581\uff5c>"),
)


def _without_ends(text: str) -> str:
    """Return the text without the tokens at its very end, which are kept where it was saved with special tokens."""
    last = end = bare = len(text.rstrip())
    while token := next((token for token in _ENDS if text.endswith(token, 0, bare)), ""):
        end = bare = bare - len(token)
        while bare and text[bare - 1].isspace():
            bare -= 1
    return text[:end] if end < last else text


def _layout(text: str, prefilled: bool) -> _Layout:
    """Walk the tags once. An opened block runs to its first closing tag, whatever stands between them."""
    tags = [(tag.start(), tag.end(), not tag[1], tag[2][0] in "tT") for tag in _TAG.finditer(text)]
    last_close = max((start for start, _, opens, think in tags if think and not opens), default=-1)
    blocks: list[_Block] = []
    strays: list[_Block] = []
    nested = False
    opened = (0, 0, True) if prefilled else None  # start, end and kind of the opening tag
    for start, end, opens, think in tags:
        if opened is None and opens:
            opened = (start, end, think)
        elif opened is None:
            strays.append(_Block(think, start, Span(start, end), end, False))
        elif think == opened[2] and not opens:
            blocks.append(_Block(think, opened[0], Span(opened[1], start), end, True))
            opened = None
        elif opened[2] and opens and not think and start > last_close:
            # Nothing closes this reasoning any more: it ends where the answer begins.
            blocks.append(_Block(True, opened[0], Span(opened[1], start), start, False))
            opened = (start, end, False)
        else:
            nested = True
    if opened is not None:
        blocks.append(_Block(opened[2], opened[0], Span(opened[1], len(text)), len(text), False))
    return _Layout(blocks, strays, nested)


def _gaps(text: str, layout: _Layout) -> tuple[Span, ...]:
    """Find the stretches between blocks and stray tags that are not blank."""
    taken = sorted((one.start, one.end) for one in (*layout.blocks, *layout.strays))
    gaps = (Span(end, start) for (_, end), (start, _) in pairwise([(0, 0), *taken, (len(text), 0)]))
    return tuple(gap for gap in gaps if not _blank(text, gap))


def _blank(text: str, span: Span) -> bool:
    return not text[span.start : span.end].strip()


def _segments(text: str, reasoning: tuple[Span, ...], letters: str) -> tuple[tuple[Segment, ...], bool]:
    """Cut the segments that tile the pieces of reasoning, and whether headings mark them."""
    found: list[Segment] = []
    marked = False
    for piece in reasoning:
        headings = find_headings(text, piece)
        before = Span(piece.start, headings[0].start if headings else piece.end)
        if not headings or not _blank(text, before):  # behind headings, what has none is no stage's
            found += [Segment(None, before, strip_span(text, *before))] if marked else _by_words(text, before, letters)
        found += _at_headings(text, piece, headings)
        marked = marked or bool(headings)
    return tuple(found), marked


def _at_headings(text: str, piece: Span, headings: list[Heading]) -> Iterator[Segment]:
    """Yield a segment for each heading of one piece, from the first heading on."""
    start = headings[0].start if headings and not _blank(text, Span(piece.start, headings[0].start)) else piece.start
    for heading, end in zip(headings, [*(later.start for later in headings[1:]), piece.end], strict=False):
        closing = find_closing(text, heading, end)
        rest = strip_span(text, closing.end, end)
        stop = closing.end if rest.start < rest.end else end
        yield Segment(heading.stage, Span(start, stop), strip_span(text, heading.end, closing.start))
        if stop < end:
            yield Segment(None, Span(stop, end), rest)
        start = end


def _by_words(text: str, piece: Span, letters: str) -> Iterator[Segment]:
    for (number, start), (_, end) in pairwise([*decode(text, *piece, letters), (None, piece.end)]):
        yield Segment(None if number is None else STAGES[number], Span(start, end), strip_span(text, start, end))


def _agreed(text: str, answers: Sequence[Span], options: Sequence[str]) -> int | None:
    """Return the option that every closed answer block names."""
    named = {read_answer(text[start:end], options) for start, end in answers}
    return named.pop() if len(named) == 1 else None


def _one_text(text: str, answers: Sequence[Span]) -> str:
    """Return what the closed answer blocks say, folded; "" when they differ or nothing of it can be seen."""
    said = {fold(text[start:end]) for start, end in answers}
    only = said.pop() if len(said) == 1 else ""
    return only if any(map(str.isprintable, only.replace(" ", ""))) else ""


def cut_stage(reply: Reply, *, truncated: bool | None = None) -> str | None:
    """Return the stage in which the text broke off; None when it ended by itself, or outside every stage.

    truncated: whether generation hit its limit. None when unknown: then a reply counts as cut when a think
    block was opened, by the text or by the prompt, and neither its closing tag nor an answer follows.
    """
    if truncated is None:
        truncated = reply.think is not None
    reached_end = bool(reply.segments) and reply.segments[-1].span.end == len(reply.text)
    return reply.segments[-1].stage if truncated and reached_end else None


def stage_states(reply: Reply, *, truncated: bool | None = None) -> dict[str, StageState]:
    """Say what became of each stage: the first of these that applies.

    missing: no segment. empty: segments without a single word. cut off: see `cut_stage`. out of order: not
    among the most stages whose first appearances stand in SIP order (of equal choices, the one that keeps
    what comes first in the text). repeated: more than one segment with words. present: none of these.
    """
    segments = [segment for segment in reply.segments if not reply.is_preamble(segment)]
    named = {segment.stage for segment in segments}
    worded = [segment.stage for segment in segments if has_words(reply.text, segment.body)]
    if not reply.marked:  # what belongs to no stage cuts none in two
        worded = [stage for stage, _ in groupby(stage for stage in worded if stage is not None)]
    in_order = _longest_in_order(list(dict.fromkeys(stage for stage in worded if stage is not None)))
    cut = cut_stage(reply, truncated=truncated)

    def state(stage: str) -> StageState:
        if stage not in named:
            return "missing"
        if stage not in worded:
            return "empty"
        if stage == cut:
            return "cut off"
        if stage not in in_order:
            return "out of order"
        return "repeated" if worded.count(stage) > 1 else "present"

    return {stage: state(stage) for stage in STAGES}


def _longest_in_order(stages: list[str]) -> set[str]:
    """Choose, of at most four stages in some order, the most that stand in SIP order."""
    choices = (choice for size in range(len(stages), -1, -1) for choice in combinations(stages, size))
    return set(next(choice for choice in choices if list(choice) == sorted(choice, key=STAGES.index)))
