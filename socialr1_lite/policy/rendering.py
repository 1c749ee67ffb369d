"""A chat template at work. It is a program that comes with a model: it may fail, or go on without end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from socialr1_lite.errors import PolicyError, first_line, ran_out_of_memory
from socialr1_lite.sip import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST_S = 10.0  # of this thread's own time, for one text; a whole prompt takes a millisecond [ours]


def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], **settings: object) -> str:
    """Return what the tokenizer's chat template writes. settings: handed to it.

    Raises PolicyError for a template that fails or has no end. The template is Python by then, so that a trace function
    sees each of its lines, in whichever thread.
    """
    end, lines = time.thread_time() + LONGEST_S, 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += 1
        if not lines % 1024 and time.thread_time() > end:
            raise TimeoutError(f"it had no end after {LONGEST_S:g} seconds")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, **settings))
    except Exception as error:
        if ran_out_of_memory(error):
            raise
        name = getattr(tokenizer, "name_or_path", "") or "the model"
        raise PolicyError(f"the chat template of {name} fails: {first_line(error)}; take another model") from error
    finally:
        sys.settrace(before)


def prompt_lengths(
    tokenizer: PreTrainedTokenizerBase, prompts: Iterable[Sequence[Message]], settings: Mapping[str, object]
) -> list[int]:
    """Return the tokens of each prompt as it is sampled from. settings: handed to the chat template.

    Raises PolicyError as `render` does.
    """
    texts = [render(tokenizer, prompt, add_generation_prompt=True, **settings) for prompt in prompts]
    # The chat template has already written every special token.
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []
