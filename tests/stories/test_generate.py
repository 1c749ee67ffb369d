"""What is generated: the same for a seed, sound, balanced, with exactly one right option, and apart between splits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scenario
from socialr1_lite.sip import parse
from socialr1_lite.stories import DIMENSIONS, generate, gold_reply
from socialr1_lite.stories.wording import LEXICON
from socialr1_lite.stories.world import where
from tests.stories.truth import Drafts, Second, recorded, right_by_facts, untrue_claims

ORDERS = (0, 1, 2, 3, 4)


@cache
def stories(split: str = "train") -> tuple[Scenario, ...]:
    return tuple(generate(180, seed=5, dimensions=tuple(DIMENSIONS), orders=ORDERS, split=split, chapters=(1, 2, 3)))


def digest(scenarios: object) -> str:
    return sha256("\n".join(json.dumps(s.to_row(), sort_keys=True) for s in scenarios).encode()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process():
    code = (
        "from tests.stories.test_generate import digest; from socialr1_lite.stories import generate;"
        "print(digest(generate(40, seed=5, orders=(0, 1, 2, 3))))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {digest(generate(40, seed=5, orders=(0, 1, 2, 3))) + "\n"}


def test_another_seed_gives_other_stories_and_more_only_appends():
    few, many = list(generate(10, seed=5)), list(generate(20, seed=5))
    assert many[:10] == few
    assert not {s.story for s in generate(20, seed=6)} & {s.story for s in many}


def test_every_scenario_is_sound():
    assert len({s.id for s in stories()}) == len(stories())
    for s in stories():
        facts = s.facts
        assert facts is not None and facts.cues, s.id
        assert len(s.gold) == 1 and len(set(s.options)) == len(s.options) >= 2, s.id
        assert [i for i, name in enumerate(s.shortcuts) if name == ""] == list(s.gold), s.id
        assert " ".join(s.story.split()) == " ".join(" ".join(facts.sentences).split()), s.id
        assert Scenario.from_row(json.loads(json.dumps(s.to_row()))) == s


def test_twins_share_question_and_options_but_not_the_answer():
    by_id = {s.id: s for s in stories()}
    for s in stories():
        assert s.twins, s.id
        for other in (by_id[name] for name in s.twins if name in by_id):
            assert (other.options, other.question) == (s.options, s.question)
            assert other.gold != s.gold and other.story != s.story


def test_gold_replies_are_read_as_right_by_letter_and_by_text():
    for s in stories():
        for answer in ("letter", "text"):
            assert parse(gold_reply(s, answer=answer), s.options).outcome(s) == "right", s.id
    assert len({gold_reply(stories()[0], seed=seed) for seed in range(12)}) >= 8


def test_the_splits_share_no_names_and_no_things():
    train, test = LEXICON["train"], LEXICON["test"]
    for one, other in ((train.people, test.people), (train.things, test.things), (train.containers, test.containers),
                       (train.rooms, test.rooms)):  # fmt: skip
        assert not {w for name in one for w in name.split()} & {w for name in other for w in name.split()}
    for word in (*train.people, *train.containers, *train.rooms):
        pattern = re.compile(rf"\b{word}\b")
        assert not any(pattern.search(s.story) for s in stories("test")), word


def test_gold_letters_are_dealt_evenly():
    bases = [s for s in generate(240, seed=9) if s.id.endswith("a")]
    for size, counts in {n: Counter(s.gold[0] for s in bases if len(s.options) == n) for n in (2, 3, 4)}.items():
        assert max(counts[i] for i in range(size)) - min(counts[i] for i in range(size)) <= 3, (size, counts)


def test_sentences_are_english():
    for s in (*stories(), *stories("test")):
        text = f"{s.story} {s.question} {' '.join(s.options)}"
        assert not re.search(r"\b[Aa] [aeiouAEIOU]", text), s.id
        assert not re.search(r"\b[Aa]n [^aeiouAEIOU\W]", text), s.id
        assert not re.search(r"\b(\w+) \1\b", " ".join(s.facts.sentences).lower().replace("that that", "")), (
            s.id,
            text,
        )
        assert not re.search(r"[{}]|  |\s[.,]", text), (s.id, text)
        assert all(re.match(r'["“]?[A-Z]', sentence) and sentence[-1] in '.!?"”' for sentence in s.facts.sentences), (
            s.id
        )


@pytest.mark.parametrize("options", [2, 3, 7, 15])
def test_as_many_options_as_asked_for_where_places_are_asked(options: int):
    for s in generate(20, seed=2, dimensions=("belief",), orders=(0, 1, 2), options=options):
        if s.meta["template"] != "who thinks":
            assert len(s.options) == options, s.meta


@pytest.mark.parametrize(("order", "options"), [(0, 5), (0, 6), (0, 15), (3, 4), (3, 15)])
def test_every_number_of_options_can_be_made(order: int, options: int):
    """At order 0 the memory of a place has its limits; at order 3 nobody thinks so deep of what is only said."""
    for s in generate(160, seed=4, dimensions=("belief",), orders=(order,), options=options):
        assert len(s.options) == options, s.meta


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": ("belif",)}, "belif"),
        ({"orders": (9,)}, "orders"),
        ({"dimensions": ("knowledge",), "orders": (0,)}, "none of the orders"),
        ({"split": "dev"}, "train or test"),
        ({"chapters": (4,)}, "chapters"),
        ({"options": 16}, "2 to 15"),
        ({"mix": {"belief": 0}}, "positive"),
        ({"mix": {"humour": 1}}, "humour"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(settings: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        generate(1, **settings)


def test_a_mix_is_kept():
    counts = Counter(
        s.dimension for s in generate(80, dimensions=("belief", "knowledge"), mix={"belief": 3, "knowledge": 1})
    )
    assert counts == {"belief": 60, "knowledge": 20}


def test_a_gold_reply_needs_facts():
    with pytest.raises(DataError, match="facts"):
        gold_reply(Scenario("x", "s", "q", ("a", "b"), (0,)))


def test_facts_hold_every_state_that_decides_and_every_goal():
    """A plan comes with the belief behind it, one who wonders with one who acts, and each with the right depth."""
    seen: Counter[str] = Counter()
    for s in (*stories(), *stories("test")):
        facts = s.facts
        asked = facts.claims[0].chain(facts.people)
        assert facts.deciding[0] == 0 and len(facts.genders) == len(facts.people), s.id
        assert all(claim.chain(facts.people)[: len(asked)] == asked for claim in facts.decisive), s.id
        if s.dimension in ("emotion", "desire", "intention", "nonliteral"):
            assert any(
                claim.relation in ("is in", "is", "now", "knows", "does not know") for claim in facts.decisive
            ), s
            seen["goals"] += len({goal.subject for goal in facts.accepted_goals}) > 1
        for claim in facts.claims:
            if claim.relation == "knows" and claim.value.endswith(" really is"):
                thing = claim.value.removeprefix("where ").removesuffix(" really is")
                where_held = {c.value for c in facts.claims if (c.subject, c.relation) == (thing, "is in")}
                seen["knows"] += bool(where_held)
    assert min(seen["goals"], seen["knows"]) > 50, seen


def assert_one_right(s: Scenario, drafts: Drafts) -> None:
    """One gold option, and it alone is right: in the story's own world, and by its facts option by option."""
    assert len(s.gold) == 1 and len({option.lower() for option in s.options}) == len(s.options), s.id
    assert all(bool(name) == (i not in s.gold) for i, name in enumerate(s.shortcuts)), s.id
    world, answer = drafts.pop(s)
    assert answer == s.gold_text, (s.id, answer)
    assert right_by_facts(s) == list(s.gold), s.id
    assert not untrue_claims(s, world), s.id


def many(n: int, seed: int, split: str = "train") -> Iterator[Scenario]:
    """All dimensions, orders and lengths."""
    return generate(n, seed=seed, dimensions=tuple(DIMENSIONS), orders=ORDERS, chapters=(1, 2, 3), split=split)


@pytest.mark.parametrize("split", ["train", "test"])
def test_exactly_one_option_is_right(split: str):
    with recorded() as drafts:
        for s in many(180, 6, split):
            assert_one_right(s, drafts)


def test_people_act_on_what_they_can_know():
    """Asked of the enumerator: whoever moves a thing knows where it was; no lie reaches those who know better."""
    seen: Counter[str] = Counter()
    with recorded() as drafts:
        for s in (*many(300, 12), *many(300, 13, "test")):
            plot = drafts.stories.pop(s.facts.sentences)[0]
            for i, step in enumerate(plot.steps):
                event = step.event
                before = Second(replace(plot, steps=plot.steps[:i], _world=None))
                if event.kind in ("move", "swap"):
                    for thing in {event.thing, event.other} - {""}:
                        own, real = (before.believes(who, where(thing)) for who in ((event.actor,), ()))
                        assert own == real, (s.id, step.text)
                    seen[event.kind] += 1
                if event.kind == "tell" and event.place != plot.thing:
                    chains = ((event.actor,), (), event.people, (event.actor, *event.people))
                    own, real, held, thought = (before.believes(who, where(event.thing)) for who in chains)
                    assert own is not None, (s.id, step.text)
                    assert held != real or event.place == held, (s.id, step.text)
                    assert thought != own or event.place == thought, (s.id, step.text)
                    seen["lie" if own != event.place else "truth"] += 1
    assert min(seen[kind] for kind in ("move", "swap", "lie", "truth")) > 20, seen


def test_a_gold_option_that_is_not_right_is_found():
    with recorded() as drafts:
        wrong = [replace(s, gold=((s.gold[0] + 1) % len(s.options),)) for s in many(24, 8)]
        for s in wrong:
            assert drafts.pop(s)[1] != s.gold_text and right_by_facts(s) != list(s.gold), s.id


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_exactly_one_option_is_right_in_100_000(part: int):
    seen = 0
    with recorded() as drafts:
        for s in many(10_000, 100 + part, "test" if part % 2 else "train"):
            assert_one_right(s, drafts)
            seen += 1
    assert seen == 10_000
