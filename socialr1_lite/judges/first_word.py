"""How much likelier a model would begin its answer with yes than with no, read off its logits; no text is written.

The model is any that `policy` loads, its adapter off: by default the one in training, which is left as it was. What
questions have in common at their beginning is read once, as a tree of tokens, where the model takes one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from socialr1_lite.errors import JudgeError, first_line, ran_out_of_memory
from socialr1_lite.judges.token_tree import Model, Tensor, grouped, grow, last_hidden
from socialr1_lite.policy import Policy

YES, NO = ("Yes", "yes", "YES", "是"), ("No", "no", "NO", "否")
CLOSE = 0.1  # relative distance of hidden states, tree against rows, that rounding explains [ours]
UNSLOTH_LONG = "_unsloth_allow_packed_overlength"  # else its layers cut what is longer than model.max_seq_length


class FirstWord:
    """Asks one model. tokens: how many it has read so far."""

    def __init__(self, load: Callable[[], Policy], *, batch_tokens: int) -> None:
        """Load nothing yet. load: returns the policy whose base reads, the same each time. batch_tokens: at once."""
        self._load, self._batch_tokens = load, batch_tokens
        self._trees: bool | None = None  # not known before the first reading
        self.tokens = 0

    def logits(self, questions: Sequence[str]) -> list[float]:
        """Return log P(yes) - log P(no) of each question. Raises JudgeError when the model breaks down over it."""
        policy, answers = self._policy, self._answers
        ids = [self._ids(question) for question in questions]
        try:
            with policy.frozen() as model, _any_length(model):
                if self._trees is None:
                    self._trees = _takes_trees(model.base_model, ids)
                return self._read(model, ids, answers)
        except RuntimeError as error:  # out of memory, for the most part
            remedy = "lower the setting batch_tokens" if ran_out_of_memory(error) else "the model cannot be read"
            raise JudgeError(f"reader: {first_line(error)}; {remedy}") from None

    @cached_property
    def _policy(self) -> Policy:
        return self._load()

    @cached_property
    def _answers(self) -> tuple[list[int], list[int]]:
        """The tokens that begin a yes, and those that begin a no. Raises JudgeError where none does."""
        yes, no = (_beginnings(self._policy.tokenizer, words) for words in (YES, NO))
        if not yes - no or not no - yes:
            raise JudgeError(f"reader: the tokenizer of {self._policy.name} writes yes and no alike")
        return sorted(yes - no), sorted(no - yes)

    @cached_property
    def _marks(self) -> re.Pattern[str]:
        known = sorted(self._policy.tokenizer.get_added_vocab(), key=len, reverse=True)
        return re.compile(
            "|".join(re.escape(one) for one in known if one.strip() and not one.strip().isalnum()) or "(?!)"
        )

    def _ids(self, question: str) -> list[int]:
        """Return a question's tokens: by the chat template, thinking off, where there is one.

        Foreign text must not end its own turn: what the tokenizer would take for a mark of its own is broken up.
        """
        tokenizer = self._policy.tokenizer
        question = self._marks.sub(lambda mark: " ".join(mark[0]), question)
        chat = bool(tokenizer.chat_template)
        if chat:
            text = self._policy.prompt_text([{"role": "user", "content": question}], enable_thinking=False)
        else:
            text = f"{question}\nAnswer:"
        found: list[int] = tokenizer(text, add_special_tokens=not chat)["input_ids"]
        return found

    def _read(self, model: Model, ids: Sequence[Sequence[int]], answers: tuple[list[int], list[int]]) -> list[float]:
        found: dict[int, float] = {}
        longest_first = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        size = max(1, self._batch_tokens // len(ids[longest_first[0]]))
        rows = [longest_first[start : start + size] for start in range(0, len(ids), size)]
        for group in grouped(ids, self._batch_tokens) if self._trees else rows:
            texts = [ids[i] for i in group]
            if self._trees:
                tree = grow(texts)
                hidden, read = last_hidden(model.base_model, tree), len(tree.tokens)
            else:
                hidden, read = _rows(model.base_model, texts), sum(map(len, texts))
            self.tokens += read
            logits = model.get_output_embeddings()(hidden).float()
            if cap := getattr(model.config.get_text_config(), "final_logit_softcapping", None):
                logits = cap * (logits / cap).tanh()
            yes, no = (logits[:, words].logsumexp(-1) for words in answers)
            found |= zip(group, (yes - no).tolist(), strict=True)
        return [found[i] for i in range(len(ids))]


@contextlib.contextmanager
def _any_length(model: Model) -> Iterator[None]:
    """Let Unsloth's layers read what is longer than a prompt with its completion."""
    kept = vars(model.base_model).get(UNSLOTH_LONG)
    setattr(model.base_model, UNSLOTH_LONG, True)
    try:
        yield
    finally:
        if kept is None:
            delattr(model.base_model, UNSLOTH_LONG)
        else:
            setattr(model.base_model, UNSLOTH_LONG, kept)


def _beginnings(tokenizer: Any, words: Sequence[str]) -> set[int]:
    """Return the tokens that words begin with, with a space before and without; whole words where there are any."""
    spelled = [tokenizer(lead + word, add_special_tokens=False)["input_ids"] for word in words for lead in ("", " ")]
    whole = {ids[0] for ids in spelled if len(ids) == 1}
    return whole or {ids[0] for ids in spelled}


def _takes_trees(body: Model, ids: Sequence[Sequence[int]]) -> bool:
    """Return whether the model reads two of these as a tree as it reads them side by side.

    A model that attends to a window only, or keeps a state instead of attending, does not.
    """
    some = [min(ids, key=len), max(ids, key=len)]
    try:
        tree = last_hidden(body, grow(some)).float()
    except RuntimeError as error:
        if ran_out_of_memory(error):
            raise
        return False
    except (AttributeError, TypeError, ValueError):
        return False
    rows = _rows(body, some).float()
    return bool((tree - rows).norm() <= CLOSE * rows.norm())


def _rows(body: Model, texts: Sequence[Sequence[int]]) -> Tensor:
    """Return what the model makes of the last token of each text, side by side: what is padded behind is not seen."""
    import torch

    longest, device = max(map(len, texts)), next(body.parameters()).device
    padded = torch.tensor([[*text, *[text[-1]] * (longest - len(text))] for text in texts], device=device)
    hidden = body(input_ids=padded, use_cache=False).last_hidden_state
    return hidden[range(len(texts)), [len(text) - 1 for text in texts]]
