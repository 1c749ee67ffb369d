"""What the tests of emotion, desire, intention and non-literal communication share: a hand-made plot, and checks of a table."""

from __future__ import annotations

from collections import Counter

import pytest

from socialr1_lite.judges import build_judge
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import STAGES, parse
from socialr1_lite.stories import assembly, gold_reply
from socialr1_lite.stories.base import Dimension, Request, Rng
from socialr1_lite.stories.plots import Plot, Step
from socialr1_lite.stories.world import Event

ANNA_LEFT = Step(Event("leave", people=("Anna",), place="attic"), "Anna left the attic.")
MOVED = Step(Event("move", "Ben", "key", "crate"), "Ben moved the key from the drawer to the crate.")
BACK = Step(Event("move", "Ben", "key", "drawer"), "Ben moved the key from the crate to the drawer.")
TOLD = Step(
    Event("tell", "Ben", "key", "crate", ("Anna",)), "Ben texted Anna, and only Anna, that the key was in the crate."
)
NOTICED = Step(Event("monitor", people=("Anna",)), "As everyone knew, Anna was following this live over a video link.")
DREAMT = Step(Event("daydream", people=("Anna",)), "It looked as if Anna had seen this, but her mind was elsewhere.")
PEEKED = Step(Event("peek", people=("Anna",)), "Anna saw this through a gap in the door, but nobody noticed her.")


def plot(*middle: Step) -> Plot:
    """Anna, Ben, Clara and David in the attic; the key is in the drawer; then these steps."""
    people = ("Anna", "Ben", "Clara", "David")
    start = [
        Step(Event("enter", people=people, place="attic"), "Anna, Ben, Clara and David met in the attic."),
        Step(Event("put", thing="key", place="drawer"), "The key was in the drawer."),
    ]
    return Plot([*start, *middle], {"drawer": "attic", "crate": "attic"}, list(people), "key", ["drawer", "crate"])


def request(order: int = 1, slot: float = 0.0, seed: str = "test") -> Request:
    """A draw of the train split."""
    return Request(Rng(seed), "train", order, 1, 0, slot)


def drawn(
    dimension: Dimension, n: int, *, split: str = "train", seed: int = 3, chapters: tuple[int, ...] = (1, 2)
) -> list[Scenario]:
    """The first scenarios of one dimension, all its orders."""
    settings = assembly.Settings(seed, (dimension.name,), dimension.orders, split, {}, chapters, 0)
    return list(assembly.scenarios(n, {dimension.name: dimension}, settings))


def check_well_formed(dimension: Dimension, scenarios: list[Scenario]) -> None:
    """Every template and at least three perturbations occur; one right option, no duplicates, all wrong ones named."""
    assert len(dimension.templates) >= 6
    assert {s.meta["template"] for s in scenarios} == set(dimension.templates)
    assert len({s.meta["perturbation"] for s in scenarios}) >= 3
    for s in scenarios:
        assert len(s.gold) == 1 and len(set(s.options)) == len(s.options) >= 2, s.id
        assert [name == "" for name in s.shortcuts] == [i == s.gold[0] for i in range(len(s.options))], (
            s.id,
            s.shortcuts,
        )
        assert "other" not in s.shortcuts, (s.id, s.meta, s.shortcuts)
        assert s.facts is not None and s.facts.cues and all(sentence in s.story for sentence in s.facts.sentences)
        assert "{" not in s.story + s.question + "".join(s.options), s.id
        assert all(sentence[0].isupper() or sentence[0] == '"' for sentence in s.facts.sentences), s.id


def check_twins(scenarios: list[Scenario]) -> None:
    """Twins ask the same question over the same options and have other golds and other stories."""
    known = {s.id: s for s in scenarios}
    for s in scenarios:
        assert s.twins
        for other in (known[name] for name in s.twins if name in known):
            assert (other.question, other.options) == (s.question, s.options)
            assert other.gold != s.gold and other.story != s.story


class TableChecks:
    """What holds for every dimension; a test file subclasses it as `Test…`, names its dimension and gives `scenarios`."""

    dimension: Dimension

    def test_every_template_makes_well_formed_questions(self, scenarios):
        check_well_formed(self.dimension, scenarios)

    def test_twins_differ_in_story_and_gold_alone(self, scenarios):
        check_twins(scenarios)

    def test_no_letter_is_gold_more_often(self, scenarios):
        check_balance(scenarios)

    def test_gold_replies_satisfy_both_judges(self, scenarios):
        check_gold_replies(scenarios[:120])

    def test_the_test_split_is_well_formed_too(self):
        check_twins(drawn(self.dimension, 40, split="test"))

    def test_the_same_seed_gives_the_same_scenarios(self, scenarios):
        assert drawn(self.dimension, 30) == scenarios[:30]


def check_balance(scenarios: list[Scenario], tolerance: float = 0.12) -> None:
    """No letter, and in no template with fixed options an option's wording, is gold much more often than by chance."""
    for size in {len(s.options) for s in scenarios}:
        golds = Counter(s.gold[0] for s in scenarios if len(s.options) == size)
        if golds.total() >= 150:
            assert max(golds.values()) / golds.total() < 1 / size + tolerance, (size, golds)


def check_gold_replies(scenarios: list[Scenario]) -> None:
    """Gold replies are right, earn the maximum under `facts` and at least 0.9 of it under `rules`."""
    facts, rules = build_judge("facts"), build_judge("rules")
    for i, s in enumerate(scenarios):
        reply = parse(gold_reply(s, seed=i), s.options)
        assert reply.answer == s.gold[0]
        scores = facts.judge([reply], s)[0].scores
        assert scores == pytest.approx(dict.fromkeys(STAGES, 1.0)), (s.id, scores, reply.text)
        value = sum(rules.judge([reply], s)[0].scores[stage] or 0.0 for stage in STAGES) / len(STAGES)
        assert value >= 0.9, (s.id, value, reply.text)
