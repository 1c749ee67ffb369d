"""The story engine: adversarial Theory-of-Mind questions that know their own truth.

    from socialr1_lite.stories import generate, gold_reply
    for scenario in generate(100, seed=7, dimensions=("belief",), orders=(1, 2)):
        print(scenario.story, scenario.question, scenario.gold_text, gold_reply(scenario))

Adding a dimension is one file and one line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import assembly, belief, desire, emotion, intention, knowledge, nonliteral
from socialr1_lite.stories.base import Dimension
from socialr1_lite.stories.gold import gold_reply
from socialr1_lite.stories.scope import EVERYTHING, Names, Scope

__all__ = ["DIMENSIONS", "PERTURBATIONS", "TEMPLATES", "Names", "Scope", "generate", "gold_reply"]

DIMENSIONS: dict[str, Dimension] = {
    module.DIMENSION.name: module.DIMENSION for module in (belief, knowledge, emotion, desire, intention, nonliteral)
}
TEMPLATES = assembly.templates(DIMENSIONS)
PERTURBATIONS = assembly.perturbations(DIMENSIONS)


def generate(
    n: int,
    *,
    seed: int = 7,
    dimensions: Sequence[str] = ("belief", "knowledge"),
    orders: Sequence[int] = (0, 1, 2),
    split: str = "train",
    mix: Mapping[str, float] | None = None,
    chapters: Sequence[int] = (1,),
    options: int = 0,
    scope: Scope = EVERYTHING,
) -> Iterator[Scenario]:
    """Make `n` scenarios, each followed by its twin (the same question about a minimally edited story).

    The same arguments give the same scenarios on every machine and Python version; a larger n only appends.
    dimensions: names of `DIMENSIONS`. orders: depths of belief, 0 (what is so) to 4; each dimension uses those it has.
    split: "train" or "test"; they share no person, thing, container or room. mix: share of each dimension
    (equal if not given). chapters: story lengths, 1 to 3, dealt evenly. options: 2 to 15, or 0: as many as the
    story gives by itself. scope: the templates, perturbations and numbers of places and people that may be told.
    Raises DataError at once for what cannot be made.
    """
    kinds, depths, lengths = tuple(dimensions), tuple(orders), tuple(chapters)
    settings = assembly.Settings(seed, kinds, depths, split, dict(mix or {}), lengths, options, scope)
    assembly.checked(n, DIMENSIONS, settings)
    return assembly.scenarios(n, DIMENSIONS, settings)
