"""Whether a recipe's length window pays for the gold replies of its own data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from statistics import median_low, quantiles

from socialr1_lite.plan.architectures import local_file
from socialr1_lite.policy.embedded import embedded_folder
from socialr1_lite.recipe import EMBEDDED_MODEL, Model, Recipe
from socialr1_lite.rewards.length import window
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import gold_reply

REPLIES = 200  # gold replies that are measured
WELL_PAID = 0.9  # share of the length reward that the median one must earn [ours]
CHARACTERS = 4.35  # of a gold reply a token: 4.3 for Llama 3.1, 4.4 for Qwen3 (tests/test_real_tokenizers.py)


def length_note(recipe: Recipe, scenarios: Sequence[Scenario]) -> list[str]:
    """Say in a line that a gold reply of median length is paid too little for it, and by which window it would not be.

    Nothing where it is paid enough, where no gold replies exist (they need a story's facts) or length is not rewarded.
    Lengths are in the model's tokens where its tokenizer is on this machine, else estimated from the characters.
    """
    rewards, gate = recipe.rewards, recipe.rewards.length
    known = [scenario for scenario in scenarios if scenario.facts is not None][:REPLIES]
    if len(known) < 2 or (rewards.mode == "additive" and not rewards.weights.length):
        return []
    count = _counter(recipe.model)
    write = partial(gold_reply, answer=recipe.prompt.answer, contrast=recipe.warmup.contrast)
    texts = [write(scenario, seed=i) for i, scenario in enumerate(known)]
    lengths = [(count(text) if count else round(len(text) / CHARACTERS)) + 1 for text in texts]  # and the end's token

    def paid(tokens: float, low: int, high: int, k: float) -> float:
        return window(round(tokens), min_tokens=low, max_tokens=high, k=k)

    middle, (short, *_, long) = median_low(lengths), quantiles(lengths, n=20)
    if (now := paid(middle, gate.min_tokens, gate.max_tokens, gate.k)) >= WELL_PAID:
        return []
    lows, highs = range(gate.min_tokens // 10 * 10, -1, -10), (gate.max_tokens, 2 * round(long))
    tried = ((low, high, k) for k, high, low in product((gate.k, 50.0), highs, lows) if high > low)
    low, high, k = next(one for one in tried if min(paid(short, *one), paid(long, *one)) >= WELL_PAID)
    measured = "tokens" if count else f"tokens, an estimate at {CHARACTERS:g} characters each"
    better = f"{{min_tokens: {low}, max_tokens: {high}{'' if k == gate.k else f', k: {k:g}'}}}"
    return [
        f"rewards.length: a gold reply of median length ({middle} {measured}) earns {now:.2f} of its length reward, "
        f"less than {WELL_PAID:g}; write rewards.length: {better}"
    ]


def _counter(model: Model) -> Callable[[str], int] | None:
    """Return what counts a text's tokens, where the model's tokenizer.json is on this machine; asks no network."""
    name = str(embedded_folder()) if model.name == EMBEDDED_MODEL else model.name
    if (file := local_file(name, "tokenizer.json", model.revision)) is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
