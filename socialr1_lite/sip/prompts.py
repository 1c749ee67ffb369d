"""How a scenario is asked: the prompt styles, the worked examples, and a gold reply in the form that is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from socialr1_lite.errors import DataError, RecipeError
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip.headings import STAGES, TITLES
from socialr1_lite.sip.options import AnswerStyle, option_answer, texts_are_clear

Message = dict[str, str]

STYLES = ("sip", "socialr1", "direct", "cot")
CARD_PROMPT = (  # word for word, the missing space included [card]
    "You should first think about the reasoning process in the mind and then provide with the answer.The reasoning "
    "process and answer are enclosed within <think> </think> and <Answer> </Answer> tags, respectively."
)
_STAGE_TASKS = (  # what to write for each stage [ours, after the names on the card]
    "what the story says that matters for the question.",
    "what this shows about what each person thinks, knows, feels or means.",
    "what the people want, and what the question asks for.",
    "what follows from this, and which answer it leads to.",
)
_BLANKS = {"letter": "the letter of one option", "text": "the text of one option, word for word", "open": "your answer"}
_EXAMPLES: tuple[tuple[Scenario, tuple[str, str, str, str]], ...] = (
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
    """Write the chat messages that ask a scenario: an explicit system message, then one user message.

    style: "sip" asks for the four stages, "cot" for free thinking, "direct" for the answer alone; "socialr1" is the
    model card's own prompt, in the user message as it is there [card]. answer: "letter" or "text"; where texts could be
    misread the letter is asked for all the same (`option_answer`). shots: worked examples, 0 to 2. system: replaces the
    instruction. The system message is never left out, because some chat templates would put one of their own in its
    place. Story, question and options go in as they are, control tokens aside (`without_control_tokens`), and are never
    evaluated. Raises RecipeError for a style, an answer or a number of shots that does not exist.
    """
    if style not in STYLES:
        raise RecipeError(f"prompt style {style!r}; allowed: {', '.join(STYLES)}")
    if answer not in ("letter", "text"):
        raise RecipeError(f"prompt answer {answer!r}; allowed: letter, text")
    if not 0 <= shots <= MAX_SHOTS:
        raise RecipeError(f"prompt shots {shots}; allowed: 0 to {MAX_SHOTS}")
    wanted = "open" if not scenario.options else answer if texts_are_clear(scenario.options) else "letter"
    instruction = _instruction(style, wanted) if system is None else system
    worked = [
        f"Example:\n{_item(example)}\n\n"
        + _reply(style, stages, option_answer(example.options, example.gold[0], answer))
        for example, stages in _EXAMPLES[:shots]
    ]
    asked = _item(scenario)
    if style == "socialr1":
        asked = f"{CARD_PROMPT}\n\n{asked}"
        if wanted == "text":
            asked += f"\nAnswer with {_BLANKS['text']}."
    return [{"role": "system", "content": "\n\n".join([instruction, *worked])}, {"role": "user", "content": asked}]


def reply_text(stages: Mapping[str, str] | Sequence[str], answer: str, *, prefilled: bool = False) -> str:
    """Write the reply in the marked form, one line a stage.

    stages: the four texts in SIP order; or a mapping from stage to text, written in the mapping's own order, so that a
    misordered or incomplete reply can be made too. prefilled leaves out the opening tag, which the prompt then has.
    Raises DataError for a stage that does not exist and for a sequence of another length.
    """
    if not isinstance(stages, Mapping):
        if isinstance(stages, str) or len(stages) != len(STAGES):
            raise DataError(f"a reply needs {len(STAGES)} texts in SIP order, or a mapping from stage to text")
        stages = dict(zip(STAGES, stages, strict=True))
    if unknown := [stage for stage in stages if stage not in TITLES]:
        raise DataError(f"no such stage: {', '.join(unknown)}; allowed: {', '.join(STAGES)}")
    reasoning = "\n".join(f"{TITLES[stage]}: {text}" for stage, text in stages.items())
    return _in_tags(reasoning, answer, prefilled=prefilled)


def prefills_think(prompt_tail: str) -> bool:
    """Tell whether a rendered generation prompt ends with an opened think tag, white space aside.

    Only the very end counts: a story may hold the tag, and a template with thinking switched off opens the block and
    closes it.
    """
    return prompt_tail.rstrip()[-10:].lower().endswith(("<think>", "<thinking>"))


def _in_tags(reasoning: str, answer: str, *, prefilled: bool = False) -> str:
    return f"{'' if prefilled else '<think>'}\n{reasoning}\n</think>\n<answer>{answer}</answer>"


def _instruction(style: str, wanted: str) -> str:
    if style == "socialr1":
        return "You answer questions about social situations."  # the instruction stands in the card's prompt
    how = {"sip": " Think in four stages, then answer.", "cot": " Think step by step, then answer."}.get(style, "")
    form = _reply(style, ("your reasoning",) if style == "cot" else _STAGE_TASKS, _BLANKS[wanted])
    return f"Read the story and answer the question.{how} Reply in exactly this form:\n{form}"


def _item(scenario: Scenario) -> str:
    """Write story, question and lettered options as one block of plain text."""
    lines = [f"Story: {scenario.story}"] if scenario.story.strip() else []
    lines.append(f"Question: {scenario.question}")
    if scenario.options:
        lines.append("Options:")
        lines += [f"{letter}. {text}" for letter, text in zip(scenario.letters, scenario.options, strict=True)]
    return without_control_tokens("\n".join(lines))


# How chat templates spell their control tokens: Qwen, SmolLM, Llama 3 and Phi (<|name|>), DeepSeek (with wide bars),
# Llama 2 (<s>), Gemma.
_CONTROL = re.compile(r"<(?=[|\uff5c][^|\uff5c<>\s]{1,64}[|\uff5c]>|/?s>|bos>|eos>|pad>|(?:start|end)_of_turn>)")


def without_control_tokens(text: str) -> str:
    """Put a space inside everything that a tokenizer would read as a control token of a chat [ours].

    A chat template pastes a message in as it is, so a story that holds `<|im_end|>` could end the user's turn and
    write the model's own. Anything else stays as it is, mark-up included.
    """
    return _CONTROL.sub("< ", text)


def _reply(style: str, stages: Sequence[str], answer: str) -> str:
    """Write a reply in the form that the style asks for."""
    if style == "sip":
        return reply_text(stages, answer)
    if style == "cot":
        return _in_tags(" ".join(stages), answer)
    if style == "socialr1":
        return f"<think>\n{' '.join(stages)}\n</think>\n<Answer> {answer} </Answer>"
    return f"<answer>{answer}</answer>"
