"""Log-likelihoods of continuations, against sums taken one token at a time and against a model that knows nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from socialr1_lite.policy import Policy, load_policy
from socialr1_lite.policy.likelihood import _cut, log_likelihoods
from socialr1_lite.recipe import Model

torch = pytest.importorskip("torch")

PAIRS = [
    ("Q: Who?\nA:", " Mara"),
    ("Q: A much longer story. Who?\nA:", " Ivo, or nobody"),
    ("spaces  ", "x"),
    ("A line:\n\t ", "x"),
    ("\n", "x"),
    ("", "x"),
    ("é", "ü"),
]


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Policy:
    return load_policy(Model.model_validate({"name": str(tiny_model), "backend": "transformers", "dtype": "float32"}))


def one_by_one(policy: Policy, context: str, continuation: str) -> float:
    bare = context.rstrip()
    before = policy.tokenizer.encode(bare)
    tokens, total = policy.tokenizer.encode(context + continuation), 0.0
    assert tokens[: len(before)] == before
    if not before:
        before, tokens = [policy.tokenizer.eos_token_id], [policy.tokenizer.eos_token_id, *tokens]
    for place in range(len(before), len(tokens)):
        with torch.no_grad():
            last = policy.model(input_ids=torch.tensor([tokens[:place]])).logits[0, -1]
        total += float(torch.log_softmax(last, -1)[tokens[place]])
    return total


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_they_are_the_sums_of_single_tokens_in_any_batch(tiny: Policy, batch_size: int) -> None:
    wanted = [one_by_one(tiny, *pair) for pair in PAIRS]
    assert log_likelihoods(tiny, PAIRS, batch_size=batch_size) == pytest.approx(wanted, abs=1e-3)
    assert max(wanted) - min(wanted) > 1


def test_a_model_that_knows_nothing_gives_every_token_its_even_share(tiny: Policy) -> None:
    head = tiny.model.get_output_embeddings()
    kept = head.weight.data.clone()
    try:
        head.weight.data.zero_()  # the embeddings too: they are tied
        found = log_likelihoods(tiny, [("Q", " ab"), ("Q ", "ab")])
    finally:
        head.weight.data.copy_(kept)
    even = -3 * math.log(len(kept))  # " ", "a", "b": a byte each, and the space at the context's end belongs to them
    assert found == pytest.approx([even, even])


def test_the_prompt_of_an_evaluation_ends_where_the_context_is_cut(tiny: Policy) -> None:
    """What of "A:" and an option is scored is the option with its space."""
    assert _cut(tiny, "Q: Who?\nA:", " Ivo") == (tiny.tokenizer.encode("Q: Who?\nA: Ivo"), len("Q: Who?\nA:"))
    assert _cut(tiny, "A:\n", "Ivo") == (tiny.tokenizer.encode("A:\nIvo"), len("A:"))
