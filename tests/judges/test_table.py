"""The table of judges: what a judge's class says of itself is what the rest of the package goes by."""

from __future__ import annotations

import pytest

from socialr1_lite.errors import JudgeError
from socialr1_lite.judges import JUDGES, audit_floor, is_offline
from socialr1_lite.judges.base import Traits, traits_of


class Plain:
    name = "plain"


class Careful(Plain):
    version = 3
    offline = True
    audit_floor = 0.5


def test_a_judge_says_its_traits_and_may_leave_them_out() -> None:
    assert traits_of(Plain) == traits_of(Plain()) == Traits(1, False, 0.9)  # type: ignore[arg-type]
    assert traits_of(Careful) == Traits(3, True, 0.5)  # type: ignore[arg-type]


def test_each_name_builds_the_judge_of_that_name() -> None:
    assert {name: entry.load().name for name, entry in JUDGES.items()} == {name: name for name in JUDGES}  # type: ignore[attr-defined]


def test_the_judges_by_rules_alone_are_offline_and_held_to_every_hack() -> None:
    assert [name for name in JUDGES if is_offline(name)] == ["facts", "rules"]
    others = dict.fromkeys(("llm", "reader", "reward_model"), 0.9)
    assert {name: audit_floor(name) for name in JUDGES} == {"facts": 1.0, "rules": 1.0} | others


@pytest.mark.parametrize("ask", [is_offline, audit_floor])
def test_nothing_is_said_of_an_unknown_judge(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(JudgeError, match="unknown judge 'fax'; known: facts"):
        ask("fax")
