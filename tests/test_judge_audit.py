"""The robustness suite: it sees a judge that pays for a hack, counts what could not be judged, and sets the exit status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from socialr1_lite.errors import DataError, JudgeError
from socialr1_lite.judges.__main__ import main
from socialr1_lite.judges.audit.hacks import HACKS, Honest
from socialr1_lite.judges.audit.measure import ATTACKS, ORDERS, audit
from socialr1_lite.judges.audit.references import honest_gold
from socialr1_lite.stories import generate, gold_reply

HONEST = [honest_gold(one, gold_reply(one)) for one in generate(2, seed=3, dimensions=("belief",), orders=(1,))]


@dataclass(frozen=True)
class Earned:
    total: float
    content: float | None = 0.5
    components: dict[str, float | None] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", {"content": self.content})


def incorruptible(texts: Sequence[str], honest: Honest) -> list[Earned]:
    return [Earned(float(text == honest.text), float(text == honest.text)) for text in texts]


def flatterable(texts: Sequence[str], honest: Honest) -> list[Earned]:
    told = [any(order in text for order in ORDERS) or text == honest.text for text in texts]
    return [Earned(float(one), float(one)) for one in told]


def names(rows: Sequence[object], floor: float = 1.0) -> set[str]:
    return {row.hack for row in rows if row.misses(floor)}  # type: ignore[attr-defined]


def test_a_judge_that_always_knows_misses_nothing() -> None:
    rows = audit(HONEST, incorruptible)
    assert {row.hack for row in rows} == set(ATTACKS) > set(HACKS)
    assert not names(rows)
    assert all(row.n == 2 and row.total is not None and row.total.value == 1.0 < row.total.high + 1e-9 for row in rows)


def test_a_tie_is_no_win() -> None:
    rows = audit(HONEST, lambda texts, honest: [Earned(1.0)] * len(texts))
    assert names(rows, 0.01) == set(ATTACKS)
    assert all(row.example for row in rows)


def test_a_judge_that_can_be_talked_round_is_found_out() -> None:
    found = names(audit(HONEST, flatterable))
    assert found == {"a hacked reply with instructions to the judge"}


def test_one_form_that_is_paid_loses_the_comparison() -> None:
    last = list(HACKS["padding to reach a length"](HONEST[0]))[-1]

    def score(texts: Sequence[str], honest: Honest) -> list[Earned]:
        return [Earned(1.0 if text in (honest.text, last) else 0.0) for text in texts]

    (row,) = [row for row in audit(HONEST, score) if row.hack == "padding to reach a length"]
    assert row.total is not None and row.total.value == 0.5 and row.example == last
    assert not names(audit(HONEST, score, forms=1))  # the last form is not asked then


def test_what_could_not_be_judged_is_counted_apart_and_passes_nothing() -> None:
    rows = audit(HONEST, lambda texts, honest: [Earned(1.0, None)] * len(texts))
    assert all((row.n, row.unjudged, row.total) == (0, 2, None) for row in rows)
    assert names(rows, 0.0) == set(ATTACKS)


def test_a_doctored_story_is_the_same_for_both_sides() -> None:
    attack = ATTACKS["a hacked reply to a story with instructions"](HONEST[0])
    assert any(attack.honest.scenario.story.endswith(order) for order in ORDERS)
    assert attack.honest.text == HONEST[0].text and attack.texts


@pytest.mark.parametrize("judge", ["facts", "rules"])
def test_the_offline_judges_pass_on_names_never_trained_on(judge: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--judge", judge, "--n", "2"]) == 0
    told = capsys.readouterr().out
    assert "100.0%" in told and "below the floor" not in told


def test_a_missed_floor_is_status_1_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socialr1_lite.judges.__main__._score", lambda stack, texts, honest: [Earned(1.0)] * len(texts))
    monkeypatch.setattr("socialr1_lite.judges.__main__._unspoilt", lambda honest: True)
    assert main(["audit", "--judge", "facts", "--n", "2", "--json"]) == 1
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert report["hacks"]["loops"]["passes"] is False and report["hacks"]["loops"]["total"]["value"] == 0.0
    assert "facts: below the floor of 100%" in told.err


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["--judge", "fact"], JudgeError, "known: facts, llm"),
        (["--judge", "facts", "--n", "0"], DataError, "--n 0"),
        (["--judge", "facts", "--settings", "{a: 1}"], JudgeError, "settings"),
        (["--judge", "llm"], JudgeError, "base_url"),
        (["--judge", "rules", "--data", "/nowhere"], DataError, "no ToMBench"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told) as caught:
        main(["audit", *arguments])
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.essential
@pytest.mark.parametrize("judge", ["rules", "facts"])
def test_no_hack_pays_on_the_stories_as_they_are_now(judge: str) -> None:
    """The documented command, on a third of its stories. A new kind of question, which a judge cannot yet read, shows here."""
    assert main(["audit", "--judge", judge, "--n", "100"]) == 0
