"""Beliefs: known answers worked out by hand, and an independent enumerator on thousands of random worlds."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from socialr1_lite.stories.world import Event, World, inside, where
from tests.stories.enumerator import CONTAINERS, PEOPLE, Enumerator, random_events

ROOMS = {"box": "kitchen", "basket": "kitchen", "tin": "kitchen"}
BALL = where("ball")
START = [
    Event("enter", people=("Anna", "Ben", "Cleo"), place="kitchen"),
    Event("put", thing="ball", place="box"),
]
AWAY = [*START, Event("leave", people=("Anna",), place="kitchen")]
MOVED = [*AWAY, Event("move", "Ben", "ball", "basket")]


def beliefs(events: list[Event], *chains: str, trust: str = "fresh") -> list[str | None]:
    """What each chain, written "Anna Ben", believes about the ball."""
    world = World(events, ROOMS, trust=trust)
    return [world.believes(chain.split(), BALL) for chain in chains]


def test_who_is_away_keeps_the_old_belief_and_the_others_know_it():
    assert beliefs(MOVED, "", "Anna", "Ben", "Ben Anna", "Anna Ben", "Ben Anna Ben") == [
        "basket", "box", "basket", "box", "box", "box",
    ]  # fmt: skip


def test_a_peeker_knows_and_nobody_knows_that():
    events = [*MOVED, Event("peek", people=("Anna",))]
    assert beliefs(events, "Anna", "Ben Anna", "Anna Ben", "Anna Ben Anna") == ["basket", "box", "basket", "box"]


def test_two_peekers_do_not_know_of_each_other():
    events = [*AWAY, Event("leave", people=("Cleo",), place="kitchen"), Event("move", "Ben", "ball", "basket"),
              Event("peek", people=("Anna",)), Event("camera", people=("Cleo",))]  # fmt: skip
    assert beliefs(events, "Anna", "Cleo", "Anna Cleo", "Cleo Anna") == ["basket", "basket", "box", "box"]


def test_an_open_video_link_is_like_being_there():
    assert beliefs([*MOVED, Event("monitor", people=("Anna",))], "Anna", "Ben Anna", "Cleo Ben Anna") == ["basket"] * 3


def test_who_plainly_sleeps_misses_it_and_all_know():
    events = [*START, Event("move", "Ben", "ball", "basket"), Event("distract", people=("Cleo",))]
    assert beliefs(events, "Cleo", "Ben Cleo", "Anna", "Cleo Anna") == ["box", "box", "basket", "box"]


def test_a_daydreamer_misses_it_and_nobody_knows():
    events = [*START, Event("move", "Ben", "ball", "basket"), Event("daydream", people=("Cleo",))]
    assert beliefs(events, "Cleo", "Ben Cleo", "Anna Ben Cleo") == ["box", "basket", "basket"]


def test_a_lie_is_believed_by_who_was_away_not_by_the_liar():
    events = [*MOVED, Event("tell", "Ben", "ball", "tin", ("Anna",))]
    assert beliefs(events, "Anna", "Ben", "Ben Anna", "Anna Ben", "Cleo Anna") == ["tin", "basket", "tin", "tin", "box"]


def test_who_saw_otherwise_keeps_the_belief_and_the_liar_is_fooled():
    events = [*MOVED, Event("peek", people=("Anna",)), Event("tell", "Ben", "ball", "tin", ("Anna",))]
    assert beliefs(events, "Anna", "Ben Anna", "Anna Ben") == ["basket", "tin", "basket"]


def test_who_has_been_there_all_the_time_keeps_the_belief():
    events = [*START, Event("move", "Ben", "ball", "basket"), Event("tell", "Ben", "ball", "tin", ("Cleo",))]
    assert beliefs(events, "Cleo") == ["basket"]


def test_who_knows_they_were_not_looking_believes_what_they_are_told():
    events = [*START, Event("move", "Ben", "ball", "basket"), Event("daydream", people=("Cleo",)),
              Event("tell", "Ben", "ball", "tin", ("Cleo",))]  # fmt: skip
    assert beliefs(events, "Cleo", "Ben Cleo") == ["tin", "basket"]  # Ben thinks that Cleo saw where it went


def test_an_eavesdropper_believes_unseen():
    events = [*MOVED, Event("leave", people=("Cleo",), place="kitchen"), Event("tell", "Ben", "ball", "tin", ("Cleo",), "away"),
              Event("overhear", people=("Anna",))]  # fmt: skip
    assert beliefs(events, "Anna", "Ben Anna", "Anna Cleo", "Cleo Anna") == ["tin", "box", "tin", "box"]


def test_looking_teaches_the_looker_alone_and_the_witness_that_they_looked():
    events = [*MOVED, Event("enter", people=("Anna",), place="kitchen"), Event("look", "Anna", place="basket")]
    assert beliefs(events, "Anna", "Ben Anna", "Anna Ben") == ["basket", "basket", "box"]


def test_looking_in_the_wrong_place_leaves_no_idea():
    events = [*MOVED, Event("enter", people=("Anna",), place="kitchen"), Event("look", "Anna", place="box")]
    assert beliefs(events, "Anna", "Ben Anna") == [None, None]
    events = [*MOVED, Event("enter", people=("Anna",), place="kitchen"), Event("look", "Anna", place="tin")]
    assert beliefs(events, "Anna", "Ben Anna") == ["box", "box"]


def test_coming_back_shows_what_is_in_glass():
    events = [*MOVED, Event("enter", people=("Anna",), place="kitchen")]
    opaque, glass = World(events, ROOMS), World(events, ROOMS, frozenset({"basket"}))
    assert [w.believes(["Anna"], BALL) for w in (opaque, glass)] == ["box", "basket"]


def test_who_learns_of_a_move_by_words_or_a_look_cannot_tell_who_saw_it():
    """Cleo stayed in the kitchen: Anna, who is told of the move or looks, may take her to know it or not."""
    told = [*MOVED, Event("tell", "Ben", "ball", "basket", ("Anna",))]
    looked = [*MOVED, Event("enter", people=("Anna",), place="kitchen"), Event("look", "Anna", place="basket")]
    saw_her_go = [*START, Event("leave", people=("Cleo",), place="kitchen"), *AWAY[2:], *told[3:]]
    peeked = [*MOVED, Event("peek", people=("Anna",))]
    worlds = [World(events, ROOMS) for events in (MOVED, told, looked, saw_her_go, peeked)]
    assert [world.certain(["Anna", "Cleo"], BALL) for world in worlds] == [True, False, False, True, True]
    assert World(told, ROOMS).certain(["Anna", "Ben"], BALL)  # who said it knows it
    assert not World(told, ROOMS).certain(["Ben", "Anna", "Cleo"], BALL)
    assert World(told, ROOMS).certain(["Cleo", "Anna"], BALL)  # she has not heard of the message


def test_a_swap_moves_both():
    events = [*START, Event("put", thing="cup", place="tin"), Event("leave", people=("Anna",), place="kitchen"),
              Event("swap", "Ben", "ball", other="cup")]  # fmt: skip
    world = World(events, ROOMS)
    assert [world.believes(c, f) for c in (["Ben"], ["Anna"]) for f in (BALL, where("cup"), inside("tin"))] == [
        "tin", "box", "ball", "box", "tin", "cup",
    ]  # fmt: skip


def test_labels_are_believed_until_somebody_looks_and_a_relabelling_fools_only_newcomers():
    rooms = {"packet": "kitchen"}
    events = [
        Event("put", thing="pencil", place="packet"),
        Event("enter", people=("Anna",), place="kitchen"),
        Event("label", thing="sweets", place="packet"),
        Event("label", "Anna", thing="tea", place="packet"),
        Event("enter", people=("Ben",), place="kitchen"),
    ]
    world, packet = World(events, rooms), inside("packet")
    assert [world.believes(c, packet) for c in (["Anna"], ["Ben"], ["Anna", "Ben"], ["Ben", "Anna"])] == [
        "sweets", "tea", "tea", None,
    ]  # fmt: skip
    looked = World([*events, Event("look", "Ben", place="packet")], rooms)
    assert looked.believes(["Ben"], packet) == "pencil"
    assert looked.believes(["Anna", "Ben"], packet) == "sweets"


def test_hi_toms_rule_trusts_who_left_later():
    events = [*MOVED, Event("leave", people=("Ben",), place="kitchen"), Event("tell", "Ben", "ball", "tin", ("Anna",)),
              Event("tell", "Anna", "ball", "tin", ("Ben",))]  # fmt: skip
    assert beliefs(events, "Anna", "Ben", "Anna Ben", trust="exit_order") == ["tin", "basket", "tin"]


def test_thinking_that_oneself_thinks_is_thinking():
    assert beliefs(MOVED, "Anna Anna", "Ben Anna Anna") == ["box", "box"]


@pytest.mark.parametrize("part", range(4))
def test_agrees_with_the_enumerator(part: int):
    fluents = [where("key"), where("pen"), inside("box"), inside("tub")]
    for seed in range(part * 750, part * 750 + 750):
        random = Random(f"world {seed}")
        events = random_events(random, random.randint(6, 16))
        glass = frozenset({"jar"} if random.random() < 0.3 else ())
        world, other = World(events, CONTAINERS, glass), Enumerator(events, CONTAINERS, glass)
        chains = [()] + [(a,) for a in PEOPLE] + [random.choices(PEOPLE, k=random.randint(2, 4)) for _ in range(8)]
        for chain, fluent in product(chains, random.sample(fluents, 2)):
            assert world.believes(chain, fluent) == other.believes(chain, fluent), (seed, chain, fluent, events)


AGAIN = [*MOVED, Event("enter", people=("Anna",), place="kitchen"), Event("move", "Cleo", "ball", "tin")]


@pytest.mark.parametrize(
    ("events", "chain", "said"),
    [
        (MOVED, "Anna", "Anna did not notice that Ben moved the ball away from the box"),
        (MOVED, "Cleo", "Cleo noticed that Ben moved the ball to the basket"),
        (MOVED, "Ben", "Ben moved the ball to the basket"),  # who moves a thing notices it
        (MOVED, "Cleo Ben", "Cleo noticed that Ben moved the ball to the basket"),
        (MOVED, "Ben Cleo", "Ben noticed that Cleo noticed that Ben moved the ball to the basket"),
        (MOVED, "Cleo Anna", "Cleo thinks that Anna did not notice that Ben moved the ball away from the box"),
        (MOVED, "Anna Cleo", "Anna did not notice that Ben moved the ball away from the box"),
        ([*MOVED, Event("peek", people=("Anna",))], "Anna", "Anna noticed that Ben moved the ball to the basket"),
        (
            [*MOVED, Event("peek", people=("Anna",))],
            "Ben Anna",
            "Ben thinks that Anna did not notice that Ben moved the ball away from the box",
        ),
        (
            [*MOVED, Event("distract", people=("Cleo",))],
            "Cleo",
            "Cleo did not notice that Ben moved the ball away from the box",
        ),
        (AGAIN, "Anna", "Anna noticed that Cleo moved the ball to the tin"),
        (
            [*MOVED, Event("move", "Cleo", "ball", "tin")],
            "Anna",
            "Anna did not notice that Ben moved the ball away from the box",
        ),
        (START, "Anna", ""),  # nothing was moved
        ([*MOVED, Event("tell", "Ben", "ball", "tin", ("Anna",))], "Anna", ""),  # it was words
        ([*MOVED, Event("move", "Ben", "key", "tin")], "Cleo", "Cleo noticed that Ben moved the ball to the basket"),
        (MOVED, "", ""),
    ],
)
def test_what_was_noticed_is_why_a_chain_believes_what_it_does(events: list[Event], chain: str, said: str) -> None:
    assert World(events, ROOMS).noticed(chain.split(), "ball") == said
